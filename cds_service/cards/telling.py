"""One answer put into the words of one reader: the phrases that every kind of card shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.cards.corrections import Corrections
from cds_service.cards.manner import Manner
from cds_service.cards.markdown import Safe, sentence_case, word_count
from cds_service.cards.orders import Orders
from cds_service.cards.references import references_in, type_of
from cds_service.cards.room import Room
from cds_service.cards.wording import Wording
from cds_service.knowledge.types import Knowledge, Rule, Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.types import Certainty, DrugState, PatientState, Status, Unknown
from cds_service.record import PREFETCH_KEYS, ClinicalRecord, Completeness, DrugFact, Issue, Severity
from cds_service.sequencing.types import Recommendation, Suggested

SHOWN_REGIMENS = 5
_RULES_NAMED = 3
_LINES_NAMED = 4

# Each of these implies the next.
_GRAVEST_LABEL_FIRST = (
    "penta-refractory",
    "quad-refractory",
    "triple-class-refractory",
    "triple-class-exposed",
)

# A medication entry with one of these is a treatment the answer does not know.
_LOSES_A_TREATMENT = frozenset(
    {"unresolved-reference", "unmapped-code", "half-read-medication", "unreadable-resource"}
)


@dataclass(frozen=True)
class Means:
    """What is made once at start and serves every answer."""

    knowledge: Knowledge
    wording: Wording
    orders: Orders
    corrections: Corrections
    rules: Mapping[str, Rule]
    override_reasons: Mapping[str, Sequence[Mapping[str, Any]]]
    base_url: str
    new_id: Callable[[], str]


@dataclass(frozen=True)
class Told:
    """One answer, for one reader. ``encounter`` is the hook's, or the chart's, or ""."""

    record: ClinicalRecord
    state: PatientState
    recommendation: Recommendation
    language: str
    manner: Manner
    encounter: str


class Telling:
    """One answer being told to one reader."""

    def __init__(self, means: Means, told: Told) -> None:
        self._means = means
        self._knowledge = means.knowledge
        self._wording = means.wording
        self._record = told.record
        self._state = told.state
        self._recommendation = told.recommendation
        self._language = told.language
        self._manner = told.manner
        self._encounter = told.encounter or told.record.encounter
        self._shown = told.recommendation.suggested[:SHOWN_REGIMENS]

    def _lines_given(self) -> Iterator[str]:
        """Each line by the regimen's short name, else by its drugs; of many the last ones."""
        if len(self._state.lines) > _LINES_NAMED:
            yield "…"
        for line in self._state.lines[-_LINES_NAMED:]:
            known = self._knowledge.regimens.get(line.regimen)
            treating = [key for key in line.drugs if self._treats(key)]
            yield known.display if known else "-".join(map(self._drug, treating or line.drugs))

    def _treats(self, key: str) -> bool:
        return key not in self._knowledge.drugs or self._knowledge.drugs[key].treats_myeloma

    def _stage(self) -> str:
        if "primary-refractory" in self._state.labels:
            return self._text("phrases/stage/primary-refractory")
        if "first-relapse" in self._state.labels:
            return self._text("phrases/stage/first-relapse")
        if self._state.prior_lines is None:
            known = len(self._state.lines)
            if known:
                return self._text("phrases/stage/after-at-least", count=known)
            return self._text("phrases/stage/unknown")
        return self._text("phrases/stage/after-lines", count=self._state.prior_lines)

    def _label(self, label: str) -> str:
        """A label in words; "" for those that the stage tells already."""
        name, _, classes = label.partition(":")
        if name == "double-refractory":
            return self._text("phrases/label/double-refractory", classes=classes.replace("+", " + "))
        if name == "functional-high-risk":
            reason = self._state.label_reasons.get(label)
            point = self._text("phrases/number/decimal-point")
            told = (reason.months, reason.limit) if reason else ("", "")
            months, limit = (figure.replace(".", point) for figure in told)
            return self._text("phrases/label/functional-high-risk", months=months, limit=limit)
        slot = f"phrases/label/{name}"
        return self._text(slot) if self._wording.has(slot) else ""

    def _anti_myeloma(self) -> list[DrugState]:
        """States of the drugs that count: steroids and supportive drugs aside."""
        return [s for _, s in sorted(self._state.drugs.items()) if self._treats(s.drug)]

    def _refractory(self, *, with_certainty: bool) -> tuple[list[str], list[str]]:
        """The drugs to which the disease is refractory, and those where that is not known, in words."""
        names = []
        # Of drugs that were given; where no history came, all are unknown and another line says so.
        unsure = [
            self._drug(s.drug)
            for s in self._anti_myeloma()
            if s.status is Status.UNKNOWN and (s.first or s.last or s.derived_from)
        ]
        for drug in self._anti_myeloma():
            if drug.status is not Status.REFRACTORY:
                continue
            name = self._drug(drug.drug)
            # Documented is the rule and goes without saying; whatever is weaker is said.
            if with_certainty and drug.certainty is not Certainty.DOCUMENTED:
                certainty = self._word("certainty", drug.certainty.value)
                name = self._text("phrases/refractory/with-certainty", drug=name, certainty=certainty)
            names.append(name)
        return names, unsure

    def _opening(self, *, with_certainty: bool = False) -> tuple[str, str]:
        """The stage, and to what the disease is refractory; the second is "" where the first tells it."""
        names, unsure = self._refractory(with_certainty=with_certainty)
        drugs = self._wording.listed(names, self._language)
        stage = self._stage()
        told = []
        if names and "primary-refractory" in self._state.labels:
            stage = self._text("phrases/stage/primary-refractory-to", drugs=drugs)
        elif names:
            told.append(self._text("phrases/refractory/drugs", drugs=drugs))
        if unsure and (with_certainty or not names):
            listed = self._wording.listed(unsure, self._language)
            told.append(self._text("phrases/refractory/unsure", drugs=listed))
        if not told and not names:
            told.append(self._text("phrases/refractory/none"))
        return stage, "; ".join(told)

    def _opening_short(self) -> str:
        """The stage with the gravest label of refractoriness, else with the number of drugs."""
        for label in _GRAVEST_LABEL_FIRST[:3]:
            if label in self._state.labels:
                return self._joined(self._stage(), self._label(label))
        names, _ = self._refractory(with_certainty=False)
        if "primary-refractory" in self._state.labels or not names:
            return self._stage()
        return self._joined(self._stage(), self._text("phrases/refractory/count", count=len(names)))

    def _joined(self, stage: str, refractory: str) -> str:
        if not refractory:
            return stage
        return self._text("phrases/stage/with-refractory", stage=stage, refractory=refractory)

    def _state_line(self, room: Room) -> str:
        stage, refractory = self._opening(with_certainty=True)
        if room.bounded:
            stage, refractory = self._opening_short(), ""
        grave = [label for label in _GRAVEST_LABEL_FIRST if label in self._state.labels]
        labels = [self._label(label) for label in self._state.labels if label not in grave[1:]]
        if not room.bounded:
            unborne = [self._drug(drug) for drug in sorted(self._state.intolerant)]
            if unborne:
                drugs = self._wording.listed(unborne, self._language)
                labels.append(self._text("phrases/label/not-tolerated", drugs=drugs))
            labels += [
                self._text(
                    "phrases/target/given",
                    target=own.target,
                    modality=own.modality,
                    date=str(own.last) if own.last and not own.ongoing else "",
                )
                for own in self._state.targets
            ]
        fitness = []
        if self._state.age is not None:
            fitness.append(self._text("phrases/fitness/age", number=self._state.age))
        if self._state.ecog is not None:
            fitness.append(self._text("phrases/fitness/ecog", number=self._state.ecog))
        return self._text(
            "sequencing/detail/state",
            stage=sentence_case(stage),
            lines="" if room.bounded else ", ".join(self._lines_given()),
            refractory=refractory,
            labels=", ".join(filter(None, labels)),
            fitness=", ".join(fitness),
        )

    def _incomplete(self) -> bool:
        """Whether a treatment may be missing from what the answer rests on."""
        return (
            not self._state.history_known
            or self._state.prior_lines is None
            or any(issue.code in _LOSES_A_TREATMENT for issue in self._lost())
        )

    def _is_treatment(self, draft: DrugFact) -> bool:
        # A supportive drug drafted beside the regimen stays: it may be needed with the next one too.
        drug = self._knowledge.drugs.get(draft.drug)
        return drug is not None and drug.role != "supportive"

    def _what(self, unknown: Unknown) -> str:
        """What is not known, in words; where the texts have none, what would settle it."""
        kind, _, key = unknown.what.partition(":")
        if kind in ("refractory", "exposed") and key:
            return self._text(f"phrases/what/{kind}", drug=self._drug(key))
        slot = f"phrases/what/{kind}"
        return self._text(slot) if self._wording.has(slot) else unknown.would_settle or unknown.what

    def _unknowns(self, room: Room) -> str:
        # Where nothing fits, whatever is unknown may be why.
        nothing = not self._recommendation.suggested
        unknowns = [u for u in self._state.unknown if u.changes_suggestions or nothing]
        deciding = (u.would_settle.rstrip(".") for u in unknowns)
        items = list(dict.fromkeys(filter(None, deciding)))
        if not items:
            return ""
        more = [f"(+{len(items) - room.unknowns})"] if len(items) > room.unknowns else []
        return self._text(
            "sequencing/detail/unknown", items=" ".join(["; ".join(items[: room.unknowns]), *more])
        )

    def _disagreements(self, room: Room) -> str:
        clashes = self._recommendation.disagreements
        told = [
            self._text("sequencing/detail/disagreement", id=clash.id, text=self._in_language(clash.text))
            for clash in clashes[: room.disagreements]
        ]
        rest = [clash.id for clash in clashes[room.disagreements :]]
        if rest:
            name = "disagreements-more" if told else "disagreements-counted"
            told.append(self._text(f"sequencing/detail/{name}", ids=self._named_rules(rest), count=len(rest)))
        return Safe(" ".join(told))

    def _not_read(self) -> str:
        """What of the chart did not arrive or could not be read in full, by kind."""
        told = []
        issues = self._unread()
        # A treatment that cannot be named weighs most, and is no matter of a misread detail.
        for name, code in (("unidentified", "unresolved-reference"), ("unmapped", "unmapped-code")):
            lost = {i.where for i in self._lost() if i.code == code}
            if lost:
                told.append(self._text(f"phrases/basis/{name}", count=len(lost)))
            issues = [i for i in issues if i.where not in lost]
        unread = {i.where for i in issues}
        if unread:
            per_kind = Counter(PREFETCH_KEYS.get(type_of(where), "other") for where in unread)
            kinds = ", ".join(
                self._text("phrases/basis/unread-kind", kind=self._word("kind", kind), count=count)
                for kind, count in sorted(per_kind.items())
            )
            total = len(unread | references_in(self._record))
            told.append(self._text("phrases/basis/unread", unread=len(unread), total=total, kinds=kinds))
        absent = [k for k, v in sorted(self._record.completeness.items()) if v is not Completeness.COMPLETE]
        if absent:
            kinds = ", ".join(self._word("kind", kind) for kind in absent)
            told.append(self._text("phrases/basis/not-sent", kinds=kinds))
        # Plain phrases, which the caller puts into Markdown as they are: nothing of the chart is in them.
        return " ".join(told)

    def _unread(self) -> list[Issue]:
        """The findings that lost something of an entry of the chart."""
        return [
            issue
            for issue in (*self._record.issues, *self._state.issues)
            if issue.where and issue.severity is not Severity.INFORMATION
        ]

    def _lost(self) -> list[Issue]:
        """The findings that lost a whole medication entry: no drug is read from it."""
        read = {fact.reference for fact in (*self._record.drugs, *self._record.drafts)}
        return [i for i in self._unread() if i.where.startswith("Medication") and i.where not in read]

    def _basis(self, shown: Sequence[Suggested]) -> str:
        return self._text(
            "phrases/basis/basis",
            rules=self._named_rules(self._rules(shown)),
            count=len(self._rules(shown)),
            version=self._knowledge.version.version,
            as_of=self._state.as_of.isoformat(),
            standing=self._standing(),
        )

    def _standing(self) -> str:
        """What the knowledge behind the card has not been through."""
        names = []
        if self._recommendation.unreviewed_source:
            names.append("unreviewed-source")
        if not self._recommendation.clinically_reviewed:
            names.append("not-reviewed")
        definitions = self._knowledge.definitions
        return " ".join(self._in_language(sentence(definitions, "standing", name)) for name in names)

    def _rules(self, shown: Iterable[Suggested]) -> list[str]:
        return list(dict.fromkeys(rule for suggested in shown for rule in suggested.rules))

    def _named_rules(self, rules: Sequence[str], most: int = _RULES_NAMED) -> str:
        """The first rules by name and the rest by number; the extension of the card has them all."""
        named = ", ".join(rules[:most])
        more = len(rules) - most
        return self._text("phrases/basis/more-rules", rules=named, count=more) if more > 0 else named

    def _within(self, lines: Sequence[str], words: int) -> list[str]:
        """As many of the lines, from the first, as have room in ``words``; the others by their number."""
        if sum(map(word_count, lines)) <= words:
            return list(lines)
        kept: list[str] = []
        left = words - word_count(self._text("sequencing/detail/more", count=len(lines)))
        for line in lines:
            left -= word_count(line)
            if left < 0:
                break
            kept.append(line)
        return [*kept, self._text("sequencing/detail/more", count=len(lines) - len(kept))]

    def _text(self, slot: str, **values: object) -> str:
        return self._wording.text(slot, self._language, **values)

    def _word(self, group: str, word: str) -> str:
        slot = f"phrases/{group}/{word}"
        return self._text(slot) if self._wording.has(slot) else word

    def _drug(self, key: str) -> str:
        drug = self._knowledge.drugs.get(key)
        known_class = self._knowledge.classes.get(key)
        named = drug or known_class
        return named.name.in_language(self._language) if named else key

    def _in_language(self, text: Text | Mapping[str, str]) -> str:
        if isinstance(text, Text):
            return text.in_language(self._language)
        return text.get(self._language, text["en"])
