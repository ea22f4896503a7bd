"""Exclusions no rule overrides in silence: refractory, intolerant, allergic, contraindicated."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.knowledge.types import Knowledge, Regimen
from cds_service.knowledge.wording import sentence
from cds_service.patient.types import DrugState, PatientState, Status
from cds_service.sequencing.conditions import Evaluator
from cds_service.sequencing.types import CautionShown, Reason


def excludes_by_refractoriness(key: str, knowledge: Knowledge) -> bool:
    """Whether refractoriness to the drug excludes regimens: steroids and supportive drugs never do."""
    return knowledge.drugs[key].treats_myeloma


def _siblings(key: str, state: PatientState, knowledge: Knowledge) -> Iterator[tuple[str, DrugState]]:
    """The other drugs whose refractoriness would carry over to this one, each with the class they share."""
    for class_key in knowledge.drugs[key].classes:
        if knowledge.classes[class_key].carries_over:
            for other in state.drugs.values():
                if other.drug != key and class_key in knowledge.drugs[other.drug].classes:
                    yield class_key, other


def refractory_siblings(
    key: str, state: PatientState, knowledge: Knowledge
) -> Iterator[tuple[str, DrugState]]:
    """Those to which the disease is refractory, each with the class they share."""
    return (found for found in _siblings(key, state, knowledge) if found[1].status is Status.REFRACTORY)


def unsettled_siblings(
    key: str, state: PatientState, knowledge: Knowledge
) -> Iterator[tuple[str, DrugState]]:
    """Those given before of which it is not known, each with the class they share."""
    return (
        found
        for found in _siblings(key, state, knowledge)
        if found[1].status is Status.UNKNOWN and found[1].last is not None
    )


def exclusions(
    regimen: Regimen, state: PatientState, evaluator: Evaluator, knowledge: Knowledge
) -> Iterator[Reason]:
    """Every reason for which this patient must not be offered the regimen."""
    definitions = knowledge.definitions
    for key in regimen.components:
        name = knowledge.drugs[key].name
        own = state.drugs.get(key)
        if excludes_by_refractoriness(key, knowledge):
            if own is not None and own.status is Status.REFRACTORY:
                text = sentence(definitions, "reason", "refractory-component", drug=name)
                yield Reason("refractory-component", text, own.derived_from)
            elif (sibling := next(refractory_siblings(key, state, knowledge), None)) is not None:
                class_key, other = sibling
                class_name = knowledge.classes[class_key].name
                words = {"drug": name, "class": class_name}
                text = sentence(definitions, "reason", "refractory-class", **words)
                yield Reason("refractory-class", text, other.derived_from)
        if key in state.intolerant and excludes_by_refractoriness(key, knowledge):
            text = sentence(definitions, "reason", "intolerance", drug=name)
            yield Reason("intolerance", text, state.intolerant[key])
        if key in state.allergic and excludes_by_refractoriness(key, knowledge):
            text = sentence(definitions, "reason", "allergy", drug=name)
            yield Reason("contraindicated", text, state.allergic[key])
    for key in (*regimen.components, *regimen.supporting):
        for caution in knowledge.cautions.get(key, ()):
            if caution.bars and caution.when is not None:
                outcome = evaluator.ask(caution.when)
                if outcome.value:
                    yield Reason("contraindicated", caution.text, outcome.derived_from)


def cautions(
    regimen: Regimen, state: PatientState, evaluator: Evaluator, knowledge: Knowledge
) -> Iterator[CautionShown]:
    """What to mind with the regimen: first what concerns this patient, then what always goes with it."""
    definitions = knowledge.definitions
    general: list[CautionShown] = []
    for key in (*regimen.components, *regimen.supporting):
        drug = knowledge.drugs.get(key)
        own = state.drugs.get(key)
        if drug and own and own.status is Status.UNKNOWN and excludes_by_refractoriness(key, knowledge):
            text = sentence(definitions, "caution", "unknown-refractory", drug=drug.name)
            yield CautionShown(key, f"unknown-refractory:{key}", text, True, own.derived_from)
        if drug and excludes_by_refractoriness(key, knowledge):
            for _, other in unsettled_siblings(key, state, knowledge):
                text = sentence(
                    definitions, "caution", "unknown-refractory", drug=knowledge.drugs[other.drug].name
                )
                yield CautionShown(key, f"unknown-refractory:{other.drug}", text, True, other.derived_from)
        # Steroids and lymphodepletion exclude no regimen: another may take their place.
        replaceable = drug and (not excludes_by_refractoriness(key, knowledge) or key in regimen.supporting)
        if drug and replaceable:
            for words, charted in (("intolerance", state.intolerant), ("allergy", state.allergic)):
                if key in charted:
                    text = sentence(definitions, "caution", words, drug=drug.name)
                    yield CautionShown(key, words, text, True, charted[key])
        for caution in knowledge.cautions.get(key, ()):
            if caution.when is None:
                general.append(CautionShown(key, caution.concept, caution.text, False))
                continue
            outcome = evaluator.ask(caution.when)
            if outcome.value:
                yield CautionShown(key, caution.concept, caution.text, True, outcome.derived_from)
            elif outcome.value is None and outcome.derived_from:
                # The chart names the condition but not how severe: that concerns her. A condition the
                # chart does not name at all is left to the general cautions and the trace.
                text = sentence(definitions, "caution", "unknown-bar", text=caution.text)
                yield CautionShown(key, caution.concept, text, True, outcome.derived_from)
    yield from general
