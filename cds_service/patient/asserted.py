"""A clinician's assertions against what is derived: which count, and which evidence is newer than they are.

An assertion stands above what was derived of everything known when it was made. What is charted of later days
is judged as always: no old assertion hides it. Of a date too imprecise to tell, neither is claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from cds_service.knowledge.asserting import INTOLERANT, LINES, REFRACTORY, STATUS, Assertable, assertable
from cds_service.knowledge.types import Knowledge, Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.exposures import FAILURE, Course
from cds_service.patient.lines import Counted
from cds_service.patient.types import Asserted, Certainty, DrugState, Line, Progression, Status
from cds_service.record import Assertion, ClinicalRecord, DateSpan, ResponseFact, StopReason


@dataclass(frozen=True)
class Word:
    """What clinicians say of one patient: all of it, and of each thing the word that counts.

    ``undated`` are references of facts without a day, ``dates`` the days of measurements by reference.
    """

    known: Assertable
    said: tuple[Assertion, ...]
    newest: Mapping[str, Assertion]
    undated: frozenset[str]
    dates: Mapping[str, date]

    def on(self, what: str, *values: str) -> Assertion | None:
        """The assertion that counts of ``what``, where its value is one of these."""
        found = self.newest.get(what)
        return found if found is not None and found.value in values else None

    def of_drugs(self, kind: str, value: str) -> dict[str, Assertion]:
        """The assertions that count of a kind of question, by drug."""
        return {
            what.partition(":")[2]: one
            for what, one in self.newest.items()
            if what.startswith(f"{kind}:") and one.value == value
        }

    @property
    def lines(self) -> Assertion | None:
        """The number of lines."""
        return self.newest.get(LINES)

    @property
    def no_progression(self) -> Assertion | None:
        """The newest word on the disease, where it is not that of a progression."""
        newest = self.newest.get(STATUS)
        return newest if newest is not None and not self._is_progression(newest) else None

    def _is_progression(self, one: Assertion) -> bool:
        answer = self.known.question_of(STATUS).answer(one.value)
        return answer is not None and answer.progression

    def responses(self) -> Iterator[ResponseFact]:
        """Every asserted status as the fact that it is: a progression once asserted stays charted."""
        for one in self.said:
            if one.what == STATUS:
                progression = self._is_progression(one)
                yield ResponseFact(one.reference, DateSpan.on(one.on), None, progression, trend=one.value)

    def failures(self, counted: Counted) -> Iterator[ResponseFact]:
        """Each asserted refractoriness as a fact that the drug failed.

        Of a drug of the last line alone it is that line that failed; of one given before too, the word does
        not tell which.
        """
        *earlier, last = counted.courses_of or ((),)
        before = {c.drug for courses in earlier for c in courses}
        for drug, one in self.of_drugs(REFRACTORY, "refractory").items():
            of_last = any(c.drug == drug for c in last) and drug not in before
            on = DateSpan.on(one.on) if of_last else None
            yield ResponseFact(one.reference, on, no_response=True, refractory_to=(drug,))

    def is_newer(self, on: DateSpan | None, references: Iterable[str], than: Assertion) -> bool | None:
        """Whether evidence is newer than an assertion; None where its imprecise date allows both.

        What has no date at all was there for who made the assertion to see.
        """
        if on is not None and on.earliest > than.on:
            return True
        own = set(references)
        if on is None or on.latest <= than.on or own <= self.undated or own <= set(than.rests_on):
            return False
        return None

    def progression_is_newer(self, fact: Progression, than: Assertion) -> bool | None:
        """The same of a progression; one by values is as new as the last sample that shows it."""
        if fact.certainty is Certainty.COMPUTED:
            return (
                max([fact.on.latest, *(self.dates[r] for r in fact.derived_from if r in self.dates)])
                > than.on
            )
        return self.is_newer(fact.on, fact.derived_from, than)


def word_of(record: ClinicalRecord, knowledge: Knowledge, as_of: date) -> Word:
    """The word of clinicians up to the evaluation date."""
    known = assertable(knowledge)
    said = tuple(
        sorted(
            (one for one in record.assertions if one.on <= as_of and _is_known(one, known)),
            key=lambda one: (one.on, one.moment, one.what, one.reference),
        )
    )
    by_what: dict[str, list[Assertion]] = {}
    for one in said:
        by_what.setdefault(one.what, []).append(one)
    if not said:
        return Word(known, (), {}, frozenset(), {})
    undated = {r.reference for r in record.responses if r.on is None}
    undated |= {d.reference for d in record.diagnoses if d.onset is None and d.recorded is None}
    undated |= {d.reference for d in record.drugs if d.last_dose is None and not d.single_dose}
    dates = {m.reference: m.on.latest for m in record.measurements if m.on is not None}
    newest = {what: _newest(group, known) for what, group in by_what.items()}
    return Word(known, said, newest, frozenset(undated), dates)


def _is_known(one: Assertion, known: Assertable) -> bool:
    question = known.questions.get(one.what.partition(":")[0])
    return question is not None and (question.answer(one.value) is not None or one.value.isdigit())


def _newest(group: Sequence[Assertion], known: Assertable) -> Assertion:
    """The newest; of one day the later, and where that is not told of all of them the graver."""
    day = max(one.on for one in group)
    latest = [one for one in group if one.on == day]
    if all(one.moment for one in latest):
        moment = max(one.moment for one in latest)
        latest = [one for one in latest if one.moment == moment]
    question = known.question_of(group[0].what)
    return min(latest, key=lambda one: (question.graver(one.value), one.reference))


# ---- the drugs ---------------------------------------------------------------------------------------------
def without_what_was_known(
    courses: Sequence[Course], word: Word, than: Assertion, *, surely: bool
) -> list[Course]:
    """The courses without the failures that were known when ``than`` was asserted.

    ``surely``: without those, too, of which the dates do not tell whether they were.
    """

    def spared(course: Course) -> Course:
        if course.stop_reason not in FAILURE | {StopReason.UNREAD}:
            return course
        newer = word.is_newer(course.failed or course.last, course.derived_from, than)
        if newer or (newer is None and not surely):
            return course
        return replace(course, stop_reason=StopReason.OTHER, failed=None)

    return [spared(course) for course in courses]


def borne(courses: Sequence[Course], word: Word) -> list[Course]:
    """The courses with a stop for toxicity taken as a choice, where the drug is asserted to be tolerated.

    Not so a stop that may be newer than the assertion, and never one for an allergy.
    """

    def spared(course: Course) -> Course:
        than = word.on(f"{INTOLERANT}:{course.drug}", "tolerated")
        if than is None or course.stop_reason is not StopReason.TOXICITY:
            return course
        if word.is_newer(course.last, course.derived_from, than) is not False:
            return course
        return replace(course, stop_reason=StopReason.CHOICE)

    return [spared(course) for course in courses]


# ---- the disease -------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Settled:
    """A word that the disease had not progressed, and the line that it was said of: the last."""

    word: Word
    by: Assertion
    since: DateSpan  # from when on a progression would be one of that line

    def charted(self, facts: Sequence[Progression]) -> tuple[Progression, ...]:
        """The charted progressions, those that may have fallen on either side of the line's start before it.

        One that surely fell after the start stays, whatever was asserted later.
        """
        return tuple(
            replace(p, on=DateSpan(p.on.earliest, self.since.latest))
            if p.on.earliest <= self.since.latest < p.on.latest and not self._may_be_newer(p)
            else p
            for p in facts
        )

    def _may_be_newer(self, fact: Progression) -> bool:
        return self.word.progression_is_newer(fact, self.by) is not False

    def computed(self, facts: Sequence[Progression], later: Sequence[Progression]) -> tuple[Progression, ...]:
        """The computed ones without those that were known; ``later`` are computed of newer values alone."""
        kept = [p for p in facts if p.on.earliest <= self.since.latest or self._may_be_newer(p)]
        return tuple(dict.fromkeys((*kept, *later)))

    def answers(self, on: DateSpan | None, references: Iterable[str]) -> bool:
        """Whether a failure that may be one of the last line was known, and so is none of it."""
        return self.word.is_newer(on, references, self.by) is False


def settled(word: Word, lines: Sequence[Line]) -> Settled | None:
    """What is settled of the last line; None where nothing is, or a line was begun since."""
    by = word.no_progression
    if by is None or not lines or lines[-1].counts_from is None or lines[-1].start is None:
        return None
    since = lines[-1].counts_from
    return Settled(word, by, since) if since.latest <= by.on else None


# ---- what is told ------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Outcome:
    """What came of the assertions in the state."""

    drugs: Mapping[str, DrugState]
    lines: Sequence[Line]
    progressions: Sequence[Progression]
    charted_intolerance: frozenset[str]  # of the allergy list
    prior_lines: int | None


def lines_begun_since(lines: Sequence[Line], on: date) -> int:
    """How many lines surely began after a day."""
    return sum(1 for line in lines if line.start is not None and line.start.earliest > on)


def told(word: Word, outcome: Outcome, knowledge: Knowledge, language: str) -> tuple[Asserted, ...]:
    """Each assertion with whether it counts, and why, as a sentence."""
    return tuple(
        Asserted(
            one.what,
            one.value,
            one.on,
            one.reference,
            *_standing(one, word, outcome, lambda text: text.in_language(language), knowledge),
        )
        for one in word.said
    )


def _standing(
    one: Assertion, word: Word, outcome: Outcome, say: Callable[[Text], str], knowledge: Knowledge
) -> tuple[bool, str]:
    kind, _, drug = one.what.partition(":")
    question = word.known.questions[kind]
    answer = question.answer(one.value)
    name = knowledge.drugs[drug].name if drug in knowledge.drugs else Text("")

    def text(which: str, **more: str) -> str:
        value = answer.name if answer is not None else one.value
        return say(
            sentence(
                knowledge.definitions,
                "asserted",
                which,
                date=one.on.isoformat(),
                drug=name,
                value=value,
                **more,
            )
        )

    said = text({REFRACTORY: "of-drug", INTOLERANT: "of-drug", STATUS: "status", LINES: "lines"}[kind])
    newest = word.newest[one.what]
    if newest != one:
        if newest.on == one.on and not (newest.moment > one.moment and one.moment):
            return False, f"{said} {text('graver-counts')}"
        return False, f"{said} {text('newer-assertion', newer=newest.on.isoformat())}"
    if _overtaken(one, word, outcome):
        return False, f"{said} {text('newer-evidence')}"
    begun = lines_begun_since(outcome.lines, one.on)
    if kind == LINES and begun:
        return True, f"{said} {text('lines-since', count=str(begun), total=str(outcome.prior_lines))}"
    return True, said


def _overtaken(one: Assertion, word: Word, outcome: Outcome) -> bool:
    """Whether what the chart tells of a later day speaks against the newest assertion."""
    kind, _, drug = one.what.partition(":")
    own = outcome.drugs.get(drug)
    if kind == REFRACTORY and one.value == "not-refractory":
        return own is not None and own.status in (Status.REFRACTORY, Status.UNKNOWN)
    if kind == INTOLERANT and one.value == "tolerated":
        return (own is not None and own.intolerant) or drug in outcome.charted_intolerance
    if kind == STATUS and word.no_progression == one:
        begun = lines_begun_since(outcome.lines, one.on)
        return bool(begun) or any(p.on.latest >= one.on and p.bounded for p in outcome.progressions)
    return False
