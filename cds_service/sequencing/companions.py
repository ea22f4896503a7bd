"""What goes with the drugs ordered and is missing: a regimen's steroid, prophylaxis that a source asks for.

Told only where it is sure as far as the chart goes: a history that came in part, or a medication that could
not be identified, may hold what seems to be missing, and then nothing is said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta

from cds_service.knowledge.types import Companion, Knowledge
from cds_service.knowledge.wording import sentence
from cds_service.patient.types import PatientState
from cds_service.record import ClinicalRecord, Completeness, DrugFact, Given, StopReason
from cds_service.sequencing.conditions import Evaluator
from cds_service.sequencing.doses import doses_for
from cds_service.sequencing.orders import is_continued, recognised, treatment_drafts
from cds_service.sequencing.safety import excludes_by_refractoriness
from cds_service.sequencing.types import MissingCompanion

_MEDICATIONS = (
    "medicationStatements",
    "medicationRequests",
    "medicationAdministrations",
    "medicationDispenses",
)
_HIDES_A_DRUG = ("unresolved-reference", "unreadable-resource")


def missing_companions(
    record: ClinicalRecord, state: PatientState, evaluator: Evaluator, region: str, knowledge: Knowledge
) -> tuple[MissingCompanion, ...]:
    """Each missing companion once, the regimen's own steroid first.

    Asked where a treatment of relapsed disease begins: not in a first line, nor of a drug given already.
    """
    begun = _begun(record, state, knowledge)
    if not begun or not _history_is_whole(record, state):
        return ()
    beside = _Beside(record, state, knowledge)
    steroid = _steroid(record, beside, evaluator, region, knowledge)
    return (*steroid, *_asked_for(begun, beside, evaluator, region, knowledge))


def _begun(record: ClinicalRecord, state: PatientState, knowledge: Knowledge) -> tuple[str, ...]:
    """The drugs against myeloma that are selected, and not being given already."""
    if not (state.needs_treatment_choice or state.progressions):
        return ()
    selected = (d.drug for d in treatment_drafts(record, knowledge) if d.selected)
    return tuple(
        dict.fromkeys(
            drug
            for drug in selected
            if excludes_by_refractoriness(drug, knowledge)
            and not is_continued(drug, state)
            and not (drug in state.drugs and state.drugs[drug].ongoing)
        )
    )


def _history_is_whole(record: ClinicalRecord, state: PatientState) -> bool:
    """Whether all medications of the chart came, and none of them stayed unnamed."""
    came = (record.completeness.get(key, Completeness.COMPLETE) for key in _MEDICATIONS)
    hidden = any(i.code in _HIDES_A_DRUG and i.where.startswith("Medication") for i in record.issues)
    return state.history_known and not hidden and all(one is Completeness.COMPLETE for one in came)


def _steroid(
    record: ClinicalRecord, beside: _Beside, evaluator: Evaluator, region: str, knowledge: Knowledge
) -> Iterator[MissingCompanion]:
    """The steroid of the regimen ordered, where none at all is drafted, being taken, or not borne."""
    ordered = recognised(record, knowledge)
    steroids = {key for key, drug in knowledge.drugs.items() if drug.is_steroid}
    if ordered is None or not ordered.lacks or beside.has(steroids) or beside.bears_not(steroids):
        return
    regimen = knowledge.regimens[ordered.regimen]
    doses = doses_for(regimen, region, evaluator, knowledge)
    for key in ordered.lacks:
        name = knowledge.drugs[key].name
        text = sentence(knowledge.definitions, "companion", "of-regimen", regimen=regimen.display)
        others = tuple(drug for drug in regimen.components if drug != key)
        own = tuple(dose for dose in doses if dose.drug == key)
        yield MissingCompanion(key, name, (text,), drugs=others, lacking=key, doses=own)


def _asked_for(
    begun: Collection[str], beside: _Beside, evaluator: Evaluator, region: str, knowledge: Knowledge
) -> Iterator[MissingCompanion]:
    """What the files of the drugs say must not be missing, one entry for all drugs that ask for the same."""
    asked: dict[str, list[Companion]] = {}
    for drug in begun:
        component = knowledge.components.get(drug)
        for entry in component.companions if component else ():
            here = not entry.regions or region in entry.regions
            # What is not known to be otherwise concerns her: a bleeding that nobody charted is none.
            if here and evaluator.ask(entry.when).value is not False:
                asked.setdefault(entry.id, []).append(entry)
    for identifier, entries in sorted(asked.items()):
        enough = {key for entry in entries for key in _satisfying(entry, knowledge)}
        if not (beside.has(enough) or beside.bears_not_any_kind(enough)):
            yield MissingCompanion(
                identifier,
                entries[0].name,
                tuple(entry.text for entry in entries),
                tuple(dict.fromkeys(entry.source for entry in entries)),
                tuple(entry.drug for entry in entries),
            )


def _satisfying(companion: Companion, knowledge: Knowledge) -> frozenset[str]:
    """The drugs of which one is enough."""
    return frozenset(
        key
        for key, drug in knowledge.drugs.items()
        if key in companion.satisfied_by or drug.supportive_kind in companion.satisfied_by
    )


class _Beside:
    """What stands beside the orders: all drafts, and what by the chart is being taken."""

    def __init__(self, record: ClinicalRecord, state: PatientState, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        taken = (fact for fact in record.drugs if self._is_taken(fact, state))
        self._there = {fact.drug for fact in (*record.drafts, *taken)}
        self._not_borne = {*state.allergic, *state.intolerant}

    def has(self, drugs: Collection[str]) -> bool:
        """Whether one of the drugs is drafted, selected or not, or being taken."""
        return not self._there.isdisjoint(drugs)

    def bears_not(self, drugs: Collection[str]) -> bool:
        """Whether one of the drugs is charted as not borne."""
        return not self._not_borne.isdisjoint(drugs)

    def bears_not_any_kind(self, drugs: Collection[str]) -> bool:
        """Whether of each kind among the drugs one is not borne: aspirin alone leaves the anticoagulants."""
        kinds = {self._knowledge.drugs[key].supportive_kind for key in drugs}
        borne_not = {
            self._knowledge.drugs[key].supportive_kind for key in self._not_borne.intersection(drugs)
        }
        return kinds == borne_not

    def _is_taken(self, fact: DrugFact, state: PatientState) -> bool:
        """Not stopped by the evaluation date: ongoing, a supply that reaches it, or a dose shortly before."""
        if fact.given is Given.HELD:
            return False
        if fact.ongoing:
            return True
        if fact.last_dose is None or fact.stop_reason is not StopReason.UNKNOWN:
            return False
        gap = self._knowledge.drugs[fact.drug].dose_interval_days if fact.drug in self._knowledge.drugs else 0
        one_day = fact.single_dose or fact.first_dose == fact.last_dose
        return fact.last_dose.latest + timedelta(days=gap if one_day else 0) >= state.as_of
