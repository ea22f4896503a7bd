"""Exclusions no rule overrides in silence: refractory, intolerant, allergic, contraindicated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cds_service.knowledge.types import HardStop, Knowledge, Regimen
from cds_service.knowledge.wording import sentence
from cds_service.patient.types import DrugState, PatientState, Status
from cds_service.sequencing.conditions import Evaluator
from cds_service.sequencing.types import AdviceShown, CautionShown, Outcome, Reason

_Check = Callable[[str, Regimen, PatientState, Evaluator, Knowledge], Iterator["StopAsked"]]


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
    """Those of which it is not known, each with the class they share.

    Charted ones alone: where no history came, every drug is unknown, and the history is what is missing.
    """
    return (
        found
        for found in _siblings(key, state, knowledge)
        if found[1].status is Status.UNKNOWN and (found[1].given or found[1].derived_from)
    )


@dataclass(frozen=True)
class StopAsked:
    """One hard stop asked of one regimen; ``reason`` where it excludes."""

    step: str
    outcome: Outcome
    reason: Reason | None = None


def stops_asked(
    regimen: Regimen, state: PatientState, evaluator: Evaluator, knowledge: Knowledge
) -> Iterator[StopAsked]:
    """Every hard stop of pathways/hard-stops.yaml asked of the regimen, in the order of that file."""
    checks: Mapping[str, _Check] = {
        "refractory-component": _refractory_component,
        "refractory-class": _refractory_class,
        "intolerance": _charted("intolerance", "intolerance", state.intolerant),
        "allergy": _charted("allergy", "contraindicated", state.allergic),
        "contraindication": _contraindication,
    }
    for stop in knowledge.hard_stops:
        if stop.check:
            yield from checks[stop.check](stop.id, regimen, state, evaluator, knowledge)
        elif regimen.key in stop.regimens:
            outcome = evaluator.ask(stop.when)
            reason = Reason(stop.code, stop.text, outcome.derived_from) if outcome.value else None
            yield StopAsked(f"stop:{stop.id}", outcome, reason)


def stops_of_drug(
    drug: str, evaluator: Evaluator, knowledge: Knowledge
) -> Iterator[tuple[HardStop, Outcome]]:
    """The hard stops on classes that hold for one drug in this patient."""
    for stop in knowledge.hard_stops:
        if stop.when is not None and knowledge.any_of((drug,), stop.excludes):
            outcome = evaluator.ask(stop.when)
            if outcome.value:
                yield stop, outcome


def _judged(regimen: Regimen, knowledge: Knowledge) -> Iterator[str]:
    """The components that can exclude the regimen: steroids and supportive drugs never do."""
    return (key for key in regimen.components if excludes_by_refractoriness(key, knowledge))


def _refractory_component(
    stop: str, regimen: Regimen, state: PatientState, evaluator: Evaluator, knowledge: Knowledge
) -> Iterator[StopAsked]:
    for key in _judged(regimen, knowledge):
        own = state.drugs.get(key)
        status = own.status if own else Status.NAIVE
        step = f"stop:{stop}:{key}"
        if own is not None and status is Status.REFRACTORY:
            name = knowledge.drugs[key].name
            text = sentence(knowledge.definitions, "reason", "refractory-component", drug=name)
            outcome = Outcome(True, (), own.derived_from)
            yield StopAsked(step, outcome, Reason("refractory-component", text, own.derived_from))
        elif own is not None and status is Status.UNKNOWN:
            yield StopAsked(step, Outcome(None, (f"refractory:{key}",), own.derived_from))
        else:
            yield StopAsked(step, Outcome(False, (), own.derived_from if own else ()))


def _refractory_class(
    stop: str, regimen: Regimen, state: PatientState, evaluator: Evaluator, knowledge: Knowledge
) -> Iterator[StopAsked]:
    for key in _judged(regimen, knowledge):
        if not any(knowledge.classes[name].carries_over for name in knowledge.drugs[key].classes):
            continue
        step = f"stop:{stop}:{key}"
        found = next(refractory_siblings(key, state, knowledge), None)
        unsettled = [other for _, other in unsettled_siblings(key, state, knowledge)]
        if found is not None:
            class_key, other = found
            words = {"drug": knowledge.drugs[key].name, "class": knowledge.classes[class_key].name}
            text = sentence(knowledge.definitions, "reason", "refractory-class", **words)
            outcome = Outcome(True, (), other.derived_from)
            yield StopAsked(step, outcome, Reason("refractory-class", text, other.derived_from))
        elif unsettled:
            missing = tuple(f"refractory:{other.drug}" for other in unsettled)
            yield StopAsked(step, Outcome(None, missing, unsettled[0].derived_from))
        else:
            yield StopAsked(step, Outcome(False))


def _charted(words: str, code: str, charted: Mapping[str, tuple[str, ...]]) -> _Check:
    """A stop for drugs of which the chart says that they were not borne."""

    def check(
        stop: str, regimen: Regimen, state: PatientState, evaluator: Evaluator, knowledge: Knowledge
    ) -> Iterator[StopAsked]:
        for key in _judged(regimen, knowledge):
            step = f"stop:{stop}:{key}"
            if key in charted:
                text = sentence(knowledge.definitions, "reason", words, drug=knowledge.drugs[key].name)
                yield StopAsked(step, Outcome(True, (), charted[key]), Reason(code, text, charted[key]))
            else:
                yield StopAsked(step, Outcome(False))

    return check


def _contraindication(
    stop: str, regimen: Regimen, state: PatientState, evaluator: Evaluator, knowledge: Knowledge
) -> Iterator[StopAsked]:
    for key in (*regimen.components, *regimen.supporting):
        for caution in knowledge.cautions(key):
            if caution.bars and caution.when is not None:
                outcome = evaluator.ask(caution.when)
                reason = None
                if outcome.value:
                    reason = Reason("contraindicated", caution.text, outcome.derived_from)
                yield StopAsked(f"stop:{stop}:{key}:{caution.concept}", outcome, reason)


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
                    yield CautionShown(key, words, text, True, charted[key], weighs=False)
        for caution in knowledge.cautions(key):
            if caution.when is None:
                general.append(CautionShown(key, caution.concept, caution.text, False))
                continue
            outcome = evaluator.ask(caution.when)
            if outcome.value:
                yield CautionShown(
                    key, caution.concept, caution.text, True, outcome.derived_from, caution.weighs
                )
            elif outcome.value is None and outcome.derived_from:
                # The chart names the condition but not how severe: that concerns her. A condition the
                # chart does not name at all is left to the general cautions and the trace.
                text = sentence(definitions, "caution", "unknown-bar", text=caution.text)
                yield CautionShown(key, caution.concept, text, True, outcome.derived_from, caution.weighs)
    yield from general


def open_weights(regimen: Regimen, evaluator: Evaluator, knowledge: Knowledge) -> Iterator[str]:
    """The data that could put the regimen behind its equals, or take a caution that does so away."""
    for key in (*regimen.components, *regimen.supporting):
        for caution in knowledge.cautions(key):
            if caution.weighs and caution.when is not None:
                yield from evaluator.ask(caution.when).missing


def advice(
    regimen: Regimen, region: str, evaluator: Evaluator, knowledge: Knowledge
) -> Iterator[AdviceShown]:
    """Prophylaxis, screening and monitoring that go with the regimen's drugs in the region, each once.

    What concerns some patients alone is told where it holds, or where the chart leaves it open.
    """
    told: set[tuple[str, str]] = set()
    for key in (*regimen.components, *regimen.supporting):
        component = knowledge.components.get(key)
        for entry in component.advice if component else ():
            outcome = evaluator.ask(entry.when)
            if (entry.regions and region not in entry.regions) or outcome.value is False:
                continue
            if (entry.kind, entry.text.en) in told:
                continue
            told.add((entry.kind, entry.text.en))
            yield AdviceShown(entry.kind, entry.text, entry.source, key, "", outcome.derived_from)
