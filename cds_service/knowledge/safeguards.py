"""What keeps an answer safe: which of it must be there, and which of it an overlay gives up.

A hospital may change every bar, hard stop and dose; it must never lose one without being told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cds_service.knowledge.types import Component, DoseAdjustment, Knowledge, Label, Pathway, Regimen, Rule

_FILE = "pathways/hard-stops.yaml"

# The checks that the program makes of every regimen; each stands once, under its own id and text.
_CHECKS: Mapping[str, tuple[str, ...]] = {
    "gates": ("diagnosis", "choice-due", "prior-lines", "label", "availability"),
    "hard_stops": ("refractory-component", "refractory-class", "intolerance", "allergy", "contraindication"),
}
_AGAINST = frozenset({"avoid", "deprioritise", "caution", "require"})


def checks_missing(hard_stops: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each check of ``pathways/hard-stops.yaml`` that does not stand there exactly once."""
    for member, checks in _CHECKS.items():
        by = [(entry["check"], entry["id"]) for entry in hard_stops[member] if "check" in entry]
        for check in checks:
            ids = [key for one, key in by if one == check]
            if not ids:
                yield (
                    f"{_FILE}, {member}: no entry makes the check {check}, and no answer is safe without it. "
                    "Put ours back; its text may be changed"
                )
            elif len(ids) > 1:
                yield f"{_FILE}, {member}: the check {check} stands in {' and '.join(ids)}. Keep one of them"


def given_up(ours: Knowledge, known: Knowledge) -> Iterator[str]:
    """A sentence for each safeguard of ours that ``known`` has no longer, or that holds otherwise there."""
    yield from _stops(ours, known)
    for drug, component in ours.components.items():
        now = known.components.get(drug) or Component(drug, (), (), ())
        yield from (f"pathways/drugs, {drug}: {what}" for what in _of_drug(component, now))
    for key, regimen in ours.regimens.items():
        if key in known.regimens:
            yield from (f"pathways/regimens, {key}: {what}" for what in _labels(regimen, known.regimens[key]))
    yield from _refractoriness(ours, known)
    told: set[str] = set()  # of a source: what it lost its pathways have lost, too
    for key, pathway in sorted(ours.pathways.items(), key=lambda one: one[1].composed):
        if key in known.pathways:
            for rule, what in _rules(pathway, known.pathways[key]):
                if not (pathway.composed and rule in told):
                    told.add(rule)
                    yield what


def _stops(ours: Knowledge, known: Knowledge) -> Iterator[str]:
    now = {stop.id: stop for stop in known.hard_stops}
    for stop in ours.hard_stops:
        if stop.check:
            continue  # made under whatever id, or nothing is loaded
        if stop.id not in now:
            yield f"{_FILE}: the hard stop {stop.id} is taken away"
        elif (stop.when, stop.excludes) != (now[stop.id].when, now[stop.id].excludes):
            yield f"{_FILE}: the hard stop {stop.id} holds for others than ours"


def _of_drug(ours: Component, now: Component) -> Iterator[str]:
    bars = [(one.concept, one.when) for one in ours.cautions if one.bars]
    yield from _gone("contraindication", bars, [(one.concept, one.when) for one in now.cautions if one.bars])
    # What warned and bars now is no loss.
    warned = [(one.concept, one.when) for one in ours.cautions if not one.bars]
    yield from _gone("caution", warned, [(one.concept, one.when) for one in now.cautions])
    doses = {one.id: one for one in now.adjustments}
    for dose in ours.adjustments:
        if dose.id not in doses:
            yield f"the dose adjustment {dose.id} is taken away"
        elif _asks(dose) != _asks(doses[dose.id]):
            yield f"the dose adjustment {dose.id} says otherwise than ours"
    advised = [(one.kind, one.when, one.regions) for one in ours.advice]
    yield from _gone("advice", advised, [(one.kind, one.when, one.regions) for one in now.advice])
    asked = [(one.id, one.when, one.regions, one.satisfied_by) for one in ours.companions]
    asks = [(one.id, one.when, one.regions, one.satisfied_by) for one in now.companions]
    yield from _gone("companion", asked, asks)


def _labels(ours: Regimen, now: Regimen) -> Iterator[str]:
    """What our labels say and the others do not; a label of another day or formulation is one more."""

    def says(one: Label) -> tuple[object, ...]:
        return (one.region, one.formulation, one.status, one.since, one.until, one.when)

    said = [says(one) for one in now.labels]
    for one in ours.labels:
        if says(one) not in said:
            form = f" ({one.formulation})" if one.formulation else ""
            yield f"the {one.region} label{form}, {one.status}, is not as ours any more"


def _asks(dose: DoseAdjustment) -> tuple[object, ...]:
    return (dose.when, dose.amount, dose.unit, dose.days_text)


def _gone(what: str, ours: Sequence[tuple[object, ...]], now: Sequence[tuple[object, ...]]) -> Iterator[str]:
    """Entries, known by all that is given of them, that are no longer there; the first tells their name."""
    left = list(now)
    for entry in ours:
        if entry in left:
            left.remove(entry)
        elif any(one[0] == entry[0] for one in left):
            yield f"the {what} {entry[0]} holds otherwise than ours"
        else:
            yield f"the {what} {entry[0]} is taken away"


def _refractoriness(ours: Knowledge, known: Knowledge) -> Iterator[str]:
    """What makes refractoriness exclude: the role of a drug, its classes, and whether they carry over."""
    for key, drug_class in ours.classes.items():
        if drug_class.carries_over and not (key in known.classes and known.classes[key].carries_over):
            yield f"mappings/classes.yaml: refractoriness within the class {key} no longer carries over"
    for key, drug in ours.drugs.items():
        now = known.drugs.get(key)
        if now is None:
            yield f"mappings/drugs: {key} is taken away"
            continue
        if drug.treats_myeloma and not now.treats_myeloma:
            yield (
                f"mappings/drugs, {key}: is no drug against myeloma any more: neither refractoriness to "
                "it nor an intolerance excludes it"
            )
        for name in sorted(set(drug.classes) - set(now.classes)):
            if ours.classes[name].carries_over:
                yield (
                    f"mappings/drugs, {key}: is no longer of the class {name}, in which refractoriness "
                    "carries over"
                )


def _rules(ours: Pathway, now: Pathway) -> Iterator[tuple[str, str]]:
    """Rules against regimens, or that ask something of them, which the pathway no longer has as they were."""
    place = f"pathways/{'' if ours.composed else 'sequencing/'}{ours.id}.yaml"
    there = {rule.id: rule for rule in now.rules}
    for rule in ours.rules:
        if rule.verb not in _AGAINST:
            continue
        then = there.get(rule.id)
        if then is None:
            yield rule.id, f"{place}: the rule {rule.id}, which says {rule.verb}, is taken away"
        elif _says(rule) != _says(then):
            yield rule.id, f"{place}: the rule {rule.id}, which says {rule.verb}, is not as ours"


def _says(rule: Rule) -> tuple[object, ...]:
    # A rule that means its regimens by what they contain says the same of one more of them.
    target = rule.target.containing or rule.target.regimens
    return (rule.when, rule.verb, target, rule.effective_to)
