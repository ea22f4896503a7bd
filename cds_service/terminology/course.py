"""Where the disease stands: diagnoses, responses, reasons for stopping, purposes of a drug."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.record import MYELOMA, DiagnosisStatus, Purpose, Response, StopReason
from cds_service.terminology.codes import CodeIndex, Found, Systems, entries_of
from cds_service.terminology.concepts import Concept, DiagnosisMatch, ResponseMatch
from cds_service.terminology.words import Context, Lexicon, Mention, Phrase, Said, Word, phrases_of

_BEST_FIRST = tuple(Response)
_SMOULDERING = "smouldering-myeloma"
_UNSAID_KIND = "unknown"

# Where a text names several kinds, the first of these is the entry's.
_TEXT_ORDER = (
    "plasma-cell-leukaemia",
    "poems",
    _SMOULDERING,
    MYELOMA,
    "al-amyloidosis",
    "solitary-plasmacytoma",
    "mgus",
)
_GRAVEST_STATUS = (
    DiagnosisStatus.RELAPSE,
    DiagnosisStatus.REMISSION,
    DiagnosisStatus.HISTORY,
    DiagnosisStatus.ACTIVE,
    DiagnosisStatus.UNKNOWN,
)
_PURPOSE_OF_KIND = {
    MYELOMA: Purpose.MYELOMA,
    "plasma-cell-leukaemia": Purpose.MYELOMA,
    "solitary-plasmacytoma": Purpose.MYELOMA,
    _SMOULDERING: Purpose.SMOULDERING,
    "al-amyloidosis": Purpose.AMYLOIDOSIS,
}
_SAYS_LITTLE = frozenset({StopReason.OTHER, StopReason.UNKNOWN})
# A clinician's words of one of these outweigh a pick-list entry that tells of an orderly end.
_OUTWEIGHS = frozenset(
    {StopReason.PROGRESSION, StopReason.NO_RESPONSE, StopReason.TOXICITY, StopReason.ALLERGY}
)
_ORDERLY = frozenset({StopReason.COMPLETION, StopReason.CHOICE})


@dataclass(frozen=True)
class _Answer:
    """What one phrase or code of an answer says."""

    response: Response | None = None
    progression: bool = False
    no_response: bool = False
    trend: str = ""

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> _Answer:
        return cls(
            Response(entry["response"]) if "response" in entry else None,
            bool(entry.get("progression", False)),
            bool(entry.get("no_response", False)),
            entry.get("trend", ""),
        )


_IGNORED = _Answer()


def _texts(concept: Concept, known: Sequence[Found[Any] | None]) -> list[str]:
    """The chart's own words, and the displays of codes that mean nothing to us."""
    displays = [c.display for c, found in zip(concept.codings, known, strict=True) if found is None]
    return list(dict.fromkeys(text for text in (concept.text, *displays) if text.strip()))


class Responses:
    """Reads answers and questions about response and progression."""

    def __init__(
        self, raw: Mapping[str, Any], stop_raw: Mapping[str, Any], systems: Systems, context: Context
    ) -> None:
        self._context = context
        self._codes = CodeIndex(systems, ((e, _Answer.of(e)) for e in raw["answers"]["codes"]))
        self._stop_codes = CodeIndex(systems, ((e, e["reason"]) for e in stop_raw["codes"]))
        self.phrases = [
            *(
                Phrase(e["text"], _Answer.of(e), bool(e.get("abbreviation", False)), e["confidence"])
                for e in raw["answers"]["phrases"]
            ),
            *(Phrase(text, _IGNORED) for text in raw["ignore"]),
        ]
        self._answers: Lexicon[_Answer] = Lexicon(self.phrases)
        self._question_codes = CodeIndex(systems, ((e, True) for e in raw["questions"]["codes"]))
        self._questions: Lexicon[bool] = Lexicon(phrases_of(raw["questions"]["phrases"], True))

    def is_question(self, concept: Concept) -> bool:
        """Whether an observation asks for response or disease status."""
        known = [self._question_codes.find(coding) for coding in concept.codings]
        if any(known):
            return True
        return any(self._questions.mentions(self._context.words(t)) for t in _texts(concept, known))

    def read(self, concept: Concept) -> ResponseMatch | None:
        """What an answer says; None where it says nothing of response or disease."""
        known = [self._codes.find(coding) for coding in concept.codings]
        coded = [found for found in known if found is not None and found.value is not None]
        doubts = [found.doubt for found in coded if found.doubt]
        stray = [
            coding
            for coding, found in zip(concept.codings, known, strict=True)
            if found is None and self._stop_codes.find(coding) is not None
        ]
        words = " / ".join(t for t in _texts(concept, known) if t not in {coding.display for coding in stray})
        spoken = self._in_text(words) if words else None
        for coding in stray:
            doubts.append(f"The code {coding.code} is a reason for stopping a drug, not a response.")
        for coding, found in zip(concept.codings, known, strict=True):
            if found is not None and found.value is not None and coding.display:
                doubts += _contradiction(coding.code, found.value, self._in_text(coding.display))
        if words and any(found.value and found.value.progression for found in coded) and self._denies(words):
            doubts.append("The code says progression or relapse, the words deny it; the code was taken.")
        if not coded:
            if spoken is None:
                return ResponseMatch(trend="undetermined", doubt=" ".join(doubts)) if doubts else None
            return ResponseMatch(
                spoken.category,
                spoken.progression,
                spoken.no_response,
                spoken.trend,
                " ".join([*doubts, *filter(None, [spoken.doubt])]),
            )
        return _together(coded, spoken, doubts)

    def _in_text(self, text: str) -> ResponseMatch | None:
        words = self._context.words(text)
        return self.compose(words, self._answers.mentions(words))

    def _denies(self, text: str) -> bool:
        """Whether a text speaks of progression only to deny it."""
        words = self._context.words(text)
        mentions = self._answers.mentions(words)
        judged = self._context.judge(words, mentions, same=_same_topic)
        hows = {how for m, how in zip(mentions, judged, strict=True) if m.value.progression}
        return Said.NEGATED in hows and Said.SAID not in hows

    def compose(self, words: Sequence[Word], mentions: Sequence[Mention[_Answer]]) -> ResponseMatch | None:
        """One answer of all that a text says: progression first, else the least of several categories."""
        judged = self._context.judge(words, mentions, same=_same_topic)
        pairs = [(m.value, how) for m, how in zip(mentions, judged, strict=True) if m.value != _IGNORED]
        said = [value for value, how in pairs if how is Said.SAID]
        if not any(value.response or value.progression or value.no_response for value in said):
            said += [value for value, how in pairs if how is Said.PAST]
        if not said:
            return None
        trend = next((value.trend for value in said if value.trend), "")
        progression = any(value.progression for value in said)
        no_response = any(value.no_response for value in said)
        if progression:
            category = Response.PD if any(v.response is Response.PD for v in said) else None
            return ResponseMatch(category, True, no_response, trend)
        categories = {value.response for value in said if value.response}
        if not categories:
            return ResponseMatch(None, False, no_response, trend)
        least = max(categories, key=_BEST_FIRST.index)
        doubts = []
        if len(categories) > 1:
            doubts.append(f"Several responses are named; the least, {least.value}, was taken.")
        if no_response and least not in (Response.SD, Response.PD):
            doubts.append(f"The text names both {least.value} and no response.")
            no_response = False
        return ResponseMatch(least, False, no_response, trend, " ".join(doubts))


def _same_topic(one: _Answer, other: _Answer) -> bool:
    """Whether a negation of the one, in a list, carries on to the other."""
    return one == other or (one.progression and other.progression)


def _contradiction(code: str, value: _Answer, display: ResponseMatch | None) -> list[str]:
    if display is None:
        return []
    well = display.category not in (None, Response.PD) or display.trend in ("improved", "stable")
    other_category = value.response and display.category and value.response is not display.category
    if (display.progression and not value.progression) or (value.progression and well) or other_category:
        return [f"The display of the code {code} says something else than the code; the code was taken."]
    return []


def _together(
    coded: Sequence[Found[_Answer]], spoken: ResponseMatch | None, doubts: list[str]
) -> ResponseMatch:
    """Codes with the words beside them: words add what a code leaves open, and never overrule it."""
    values = [found.value for found in coded if found.value is not None]
    categories = {value.response for value in values if value.response}
    category = max(categories, key=_BEST_FIRST.index) if categories else None
    if len(categories) > 1:
        doubts.append("The codes of one answer name different responses; the least was taken.")
    progression = any(value.progression for value in values)
    no_response = any(value.no_response for value in values)
    trend = next((value.trend for value in values if value.trend), "")
    if spoken is not None:
        well = (category is not None and category is not Response.PD) or trend in ("improved", "stable")
        if spoken.progression and not progression and well:
            doubts.append("The words say progression or relapse, the code does not; the code was taken.")
        else:
            progression = progression or spoken.progression
            if category is None and not (progression and spoken.category not in (None, Response.PD)):
                category = spoken.category
            elif spoken.category and spoken.category is not category:
                doubts.append("Code and words name different responses; the code was taken.")
        no_response = no_response or spoken.no_response
        trend = trend or spoken.trend
        if spoken.doubt:
            doubts.append(spoken.doubt)
    return ResponseMatch(category, progression, no_response, trend, " ".join(dict.fromkeys(doubts)))


class StopReasons:
    """Reads why a drug was stopped."""

    def __init__(
        self,
        raw: Mapping[str, Any],
        responses: Responses,
        diagnoses: Diagnoses,
        systems: Systems,
        context: Context,
    ) -> None:
        self._context = context
        self._responses = responses
        self._diagnoses = diagnoses
        self._order = tuple(StopReason(reason) for reason in raw["order"])
        self._codes = CodeIndex(systems, ((e, StopReason(e["reason"])) for e in raw["codes"]))
        mine: list[Phrase[StopReason | _Answer]] = [
            Phrase(e["text"], StopReason(e["reason"]), confidence=e["confidence"]) for e in raw["phrases"]
        ]
        answers: list[Phrase[StopReason | _Answer]] = [
            Phrase(p.text, p.value, p.capitals, p.confidence) for p in responses.phrases
        ]
        # Own words first: "progression of neuropathy" is nothing in an answer, and toxicity here.
        self._words: Lexicon[StopReason | _Answer] = Lexicon([*mine, *answers])

    def read(self, concept: Concept) -> StopReason | None:
        """The reason; None where nothing of it is understood. A code wins over words that say less."""
        known = [self._codes.find(coding) for coding in concept.codings]
        coded = [found.value for found in known if found is not None and found.value is not None]
        if not coded:
            coded = self._from_answers(concept)
        spoken = self._in_texts(_texts(concept, known))
        reason = min(coded, key=self._order.index) if coded else None
        if reason is None or spoken is None:
            return reason or spoken
        if reason in _SAYS_LITTLE or (reason in _ORDERLY and spoken in _OUTWEIGHS):
            return spoken
        return reason

    def _from_answers(self, concept: Concept) -> list[StopReason]:
        answer = self._responses.read(Concept(concept.codings)) if concept.codings else None
        if answer is not None and answer.progression:
            return [StopReason.PROGRESSION]
        if answer is not None and answer.no_response:
            return [StopReason.NO_RESPONSE]
        diagnosis = self._diagnoses.read(Concept(concept.codings)) if concept.codings else None
        relapse = diagnosis is not None and diagnosis.status is DiagnosisStatus.RELAPSE
        return [StopReason.PROGRESSION] if relapse else []

    def _in_texts(self, texts: Sequence[str]) -> StopReason | None:
        reasons: set[StopReason] = set()
        for text in texts:
            words = self._context.words(text)
            mentions = self._words.mentions(words)
            judged = self._context.judge(words, mentions, same=_same_reason)
            for mention, how in zip(mentions, judged, strict=True):
                if how not in (Said.SAID, Said.PAST):
                    continue
                value = mention.value
                if isinstance(value, StopReason):
                    reasons.add(value)
                elif value.progression:
                    reasons.add(StopReason.PROGRESSION)
                elif value.no_response:
                    reasons.add(StopReason.NO_RESPONSE)
        return min(reasons, key=self._order.index) if reasons else None


def _same_reason(one: StopReason | _Answer, other: StopReason | _Answer) -> bool:
    if isinstance(one, _Answer) and isinstance(other, _Answer):
        return _same_topic(one, other)
    return one == other


class Diagnoses:
    """Reads diagnoses of plasma-cell disorders."""

    def __init__(
        self,
        raw: Mapping[str, Any],
        comorbidity_codes: CodeIndex[str],
        ignore: Sequence[str],
        systems: Systems,
        context: Context,
    ) -> None:
        self._context = context
        self._systems = systems
        self._codes = CodeIndex(systems, ((e, kind["key"]) for e, kind in entries_of(raw["kinds"])))
        self._comorbidities = comorbidity_codes
        self._clinical = CodeIndex(
            systems, ((e, DiagnosisStatus(e["means"])) for e in raw["clinical_status"])
        )
        self._kinds: Lexicon[str] = Lexicon(
            phrase for kind in raw["kinds"] for phrase in phrases_of(kind.get("phrases", ()), kind["key"])
        )
        self._status: Lexicon[DiagnosisStatus | None] = Lexicon(
            [
                *(Phrase[DiagnosisStatus | None](text, None) for text in ignore),
                *(
                    Phrase[DiagnosisStatus | None](e["text"], DiagnosisStatus(e["means"]))
                    for e in raw["status_phrases"]
                ),
            ]
        )
        self._others: Lexicon[bool] = Lexicon(
            (Phrase(text, True) for text in raw["not_the_patient"]), across=True
        )
        self._doubtful: Lexicon[bool] = Lexicon(Phrase(text, True) for text in raw["doubtful"])
        self._past = frozenset(raw["past_phase"])
        self._past_then: Lexicon[bool] = Lexicon(
            (Phrase(text, True) for text in raw["past_phase_then"]), across=True
        )

    def clinical_status(self, concept: Concept) -> DiagnosisStatus | None:
        """The meaning of a Condition.clinicalStatus."""
        for coding in concept.codings:
            if (found := self._clinical.find(coding)) is not None:
                return found.value
        return None

    def has_code(self, concept: Concept) -> bool:
        """Whether a code of an entry says that it is a plasma-cell disorder."""
        return any(self._codes.find(coding) for coding in concept.codings)

    def kind_of(self, concept: Concept) -> str:
        """The kind of plasma-cell disorder that a reason's codes or words name, or ""."""
        match = self.read(concept)
        return match.kind if match else ""

    def read(self, concept: Concept) -> DiagnosisMatch | None:
        """The disorder of an entry; words refine codes. None where it is no plasma-cell disorder."""
        known = [self._codes.find(coding) for coding in concept.codings]
        coded = [found for found in known if found is not None and found.value is not None]
        elsewhere = not coded and any(self._comorbidities.find(coding) for coding in concept.codings)
        if elsewhere:
            return None
        text = " / ".join(_texts(concept, known))
        words = self._context.words(text)
        relative = bool(self._others.mentions(words))
        spoken = "" if relative else self._kind_in(words, bool(coded))
        if not coded:
            return DiagnosisMatch(spoken, self._status_in(words), self._doubt(words)) if spoken else None
        best = min(coded, key=lambda found: (found.value == _UNSAID_KIND, found.doubt != ""))
        kind = best.value or _UNSAID_KIND
        doubts = [best.doubt, best.entry.get("doubt", "") if kind != spoken else "", self._doubt(words)]
        if relative:
            doubts.append("The words speak of a relative.")
        if spoken and spoken != kind:
            if kind == _UNSAID_KIND or (spoken == _SMOULDERING and kind == MYELOMA):
                kind = spoken
            elif {found.value for found in coded} <= {kind}:
                doubts.append(f"The code says {kind}, the words say {spoken}; the code was taken.")
        if len({found.value for found in coded} - {_UNSAID_KIND}) > 1:
            doubts.append(f"The codes of one entry name different disorders; {kind} was taken.")
        return self._with_status(kind, coded, self._status_in(words), doubts)

    def _with_status(
        self,
        kind: str,
        coded: Sequence[Found[str]],
        spoken: DiagnosisStatus | None,
        doubts: list[str],
    ) -> DiagnosisMatch:
        statuses = {DiagnosisStatus(f.entry["status"]) for f in coded if "status" in f.entry}
        status = min(statuses, key=_GRAVEST_STATUS.index) if statuses else None
        if spoken is not None and spoken is not status:
            if status in (None, DiagnosisStatus.ACTIVE, DiagnosisStatus.UNKNOWN):
                # "not having achieved remission" is the usual billing code, relapse or not
                status = spoken
            elif spoken is not DiagnosisStatus.ACTIVE:
                doubts.append(f"The code says {status}, the words say {spoken}; the code was taken.")
        return DiagnosisMatch(kind, status, " ".join(dict.fromkeys(filter(None, doubts))))

    def _kind_in(self, words: Sequence[Word], coded: bool) -> str:
        mentions = self._kinds.mentions(words)
        judged = self._context.judge(words, mentions)
        kinds = {
            mention.value
            for mention, how in zip(mentions, judged, strict=True)
            if how in (Said.SAID, Said.PAST)
            and not (mention.value == _SMOULDERING and self._phase_is_past(words, mention))
        }
        if not kinds and not coded and any(m.value == _SMOULDERING for m in mentions):
            # only a past smouldering phase is named, and what it turned into is not
            return MYELOMA if self._past_then.mentions(words) else ""
        return next((kind for kind in _TEXT_ORDER if kind in kinds), "")

    def _phase_is_past(self, words: Sequence[Word], mention: Mention[str]) -> bool:
        ahead = {word.text for word in words[max(0, mention.first - 4) : mention.first]}
        return bool(ahead & self._past) or bool(self._past_then.mentions(words[mention.last + 1 :]))

    def _status_in(self, words: Sequence[Word]) -> DiagnosisStatus | None:
        mentions = self._status.mentions(words)
        judged = self._context.judge(words, mentions)
        said = {
            mention.value
            for mention, how in zip(mentions, judged, strict=True)
            if how is Said.SAID and mention.value is not None
        }
        return min(said, key=_GRAVEST_STATUS.index) if said else None

    def _doubt(self, words: Sequence[Word]) -> str:
        if mention := next(iter(self._doubtful.mentions(words)), None):
            said = " ".join(word.raw for word in words[mention.first : mention.last + 1])
            return f'The words say "{said}".'
        return ""


class Purposes:
    """Reads what a drug was given for."""

    def __init__(
        self,
        raw: Mapping[str, Any],
        diagnoses: Diagnoses,
        comorbidity_codes: CodeIndex[str],
        systems: Systems,
        context: Context,
    ) -> None:
        self._context = context
        self._diagnoses = diagnoses
        self._order = tuple(Purpose(purpose) for purpose in raw["order"])
        self._words: Lexicon[Purpose] = Lexicon(
            Phrase(e["text"], Purpose(e["purpose"]), confidence=e["confidence"]) for e in raw["phrases"]
        )
        self._others = CodeIndex(systems, ((e, True) for e in raw["other_disease_codes"]))
        self._comorbidities = comorbidity_codes
        self._other_comorbidities = frozenset(raw["other_disease_comorbidities"])

    def read(self, concept: Concept) -> Purpose | None:
        """The purpose; None where the reason says nothing that matters here."""
        named = set()
        texts = dict.fromkeys((concept.text, *(coding.display for coding in concept.codings)))
        for text in filter(None, texts):
            words = self._context.words(text)
            mentions = self._words.mentions(words)
            judged = self._context.judge(words, mentions)
            named |= {
                mention.value
                for mention, how in zip(mentions, judged, strict=True)
                if how in (Said.SAID, Said.PAST)
            }
        if concept.codings:
            if purpose := _PURPOSE_OF_KIND.get(self._diagnoses.kind_of(concept)):
                named.add(purpose)
            for coding in concept.codings:
                comorbidity = self._comorbidities.find(coding)
                if self._others.find(coding) or (
                    comorbidity is not None and comorbidity.value in self._other_comorbidities
                ):
                    named.add(Purpose.OTHER_DISEASE)
        if Purpose.SMOULDERING in named and concept.codings:
            named.discard(Purpose.MYELOMA)  # the code of myeloma carries smouldering disease too
        return min(named, key=self._order.index) if named else None
