"""Every key of the knowledge that names something no file defines: a sentence each, with the nearest one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cds_service.knowledge.types import Condition, Knowledge, Target


def leaves(condition: Condition | None) -> Iterator[Condition]:
    """The leaves of a condition, in its order."""
    if condition is None:
        return
    if condition.op in ("all", "any", "not", "unknown"):
        for child in condition.children:
            yield from leaves(child)
    else:
        yield condition


def asks_for_unknown(condition: Condition | None) -> bool:
    """Whether any part of the condition asks whether something is unknown."""
    return condition is not None and (
        condition.op == "unknown" or any(map(asks_for_unknown, condition.children))
    )


def dangling(k: Knowledge) -> Iterator[str]:
    """Every key that names something no file defines, each with the nearest one that exists."""

    def missing(what: str, key: str, known: Iterable[str], place: str, folder: str) -> Iterator[str]:
        known = list(known)
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f' Nearest: "{near[0]}".' if near else ""
            yield f'{place}: names {what} "{key}", which {folder} does not define.{hint}'

    drugs_and_classes = [*k.drugs, *k.classes]
    comorbidities = [entry["key"] for entry in k.mappings["comorbidities"]["comorbidities"]]
    observations = [entry["key"] for entry in k.mappings["observations"]["observations"]]
    named: dict[str, Callable[[Any], Iterable[str]]] = {
        "exposed_to": lambda a: [a] if isinstance(a, str) else a,
        "refractory_to": lambda a: [a] if isinstance(a, str) else a,
        "naive_to": lambda a: [a] if isinstance(a, str) else a,
        "intolerant_of": lambda a: [a] if isinstance(a, str) else a,
        "allergic_to": lambda a: [a] if isinstance(a, str) else a,
        "count_refractory": lambda a: [a["class"]],
        "count_exposed": lambda a: [a["class"]],
        "months_since_last": lambda a: [a["of"]] if isinstance(a["of"], str) else a["of"],
    }

    def condition(c: Condition | None, place: str, *, explains: bool = False) -> Iterator[str]:
        if not explains and asks_for_unknown(c):
            yield (
                f"{place}: asks whether something is unknown. An unknown neither excludes nor clears: only "
                "pathways/no-suggestion.yaml may ask for it."
            )
        for leaf in leaves(c):
            if leaf.op in named:
                for key in named[leaf.op](leaf.argument):
                    yield from missing("drug or class", key, drugs_and_classes, place, "mappings/")
            elif leaf.op == "has":
                yield from missing(
                    "comorbidity",
                    leaf.argument["concept"],
                    comorbidities,
                    place,
                    "mappings/comorbidities.yaml",
                )
            elif leaf.op == "lab":
                yield from missing(
                    "observation", leaf.argument["concept"], observations, place, "mappings/observations.yaml"
                )

    for drug in k.drugs.values():
        for key in drug.classes:
            yield from missing(
                "class", key, k.classes, f"mappings/drugs, {drug.key}", "mappings/classes.yaml"
            )
    for regimen in k.regimens.values():
        place = f"pathways/regimens, {regimen.key}"
        for key in regimen.components:
            yield from missing("drug", key, k.drugs, place, "mappings/drugs/")
        for dose in regimen.doses:
            known = (*regimen.components, *regimen.supporting)
            yield from missing("component", dose.drug, known, place, "the regimen")
        for label in regimen.labels:
            yield from condition(label.when, place)
        for dose in regimen.doses:
            yield from condition(dose.when, f"{place}, dose of {dose.drug}")
    for drug_key, component in k.components.items():
        place = f"pathways/drugs, {drug_key}"
        yield from missing("drug", drug_key, k.drugs, place, "mappings/drugs/")
        for caution in component.cautions:
            yield from condition(caution.when, f"{place}, {caution.concept}")
        for advice in component.advice:
            yield from condition(advice.when, f"{place}, {advice.kind}")
        for adjustment in component.adjustments:
            yield from condition(adjustment.when, f"{place}, {adjustment.id}")
    for evidence in k.evidence.values():
        place = f"pathways/evidence, {evidence.id}"
        if evidence.regimen:
            yield from missing("regimen", evidence.regimen, k.regimens, place, "pathways/regimens/")
        for when in (evidence.when, *(result.when for result in evidence.results)):
            yield from condition(when, place)

    def target(t: Target, place: str) -> Iterator[str]:
        for key in () if t.containing else t.regimens:
            yield from missing("regimen", key, k.regimens, place, "pathways/regimens/")
        for key in t.containing:
            yield from missing("drug or class", key, drugs_and_classes, place, "mappings/")

    for pathway in k.pathways.values():
        for source in pathway.sources:
            yield from missing("source", source, k.pathways, f"pathways/{pathway.id}", "pathways/sequencing/")
        for rule in pathway.rules:
            place = f"pathways/sequencing/{rule.pathway}.yaml, rule {rule.id}"
            if pathway.composed:
                place = f"pathways/{pathway.id}.yaml, rule {rule.id}"
            yield from condition(rule.when, place)
            if pathway.composed:
                continue
            yield from target(rule.target, place)
            yield from target(rule.then, place)
            for remark in rule.remarks:
                yield from condition(remark.when, place)
    for stop in k.hard_stops:
        place = f"pathways/hard-stops.yaml, {stop.id}"
        yield from condition(stop.when, place)
        yield from target(Target(containing=stop.excludes), place)
    for conflict in k.conflicts:
        place = f"pathways/conflicts.yaml, {conflict.id}"
        yield from condition(conflict.when, place)
        yield from target(Target(conflict.touches), place)
    for gap in k.gaps:
        yield from condition(gap.when, f"pathways/no-suggestion.yaml, {gap.id}", explains=True)
    space = k.state_space
    sketches = {
        **{f"pathways/situations.yaml, {one['id']}": one["sketch"] for one in k.situations["situations"]},
        **{
            f"pathways/state-space.yaml, {one['id']}": one
            for one in (*space["histories"], *space["findings"])
        },
        "pathways/state-space.yaml, agents": {"drugs": [agent["drug"] for agent in space["agents"]]},
    }
    for place, sketch in sketches.items():
        for key in (*sketch.get("drugs", ()), *sketch.get("intolerant", ()), *sketch.get("allergic", ())):
            yield from missing("drug", key, k.drugs, place, "mappings/drugs/")
        for one in sketch.get("has", ()):
            yield from missing(
                "comorbidity", one["concept"], comorbidities, place, "mappings/comorbidities.yaml"
            )
        for key in sketch.get("labs", ()):
            yield from missing("observation", key, observations, place, "mappings/observations.yaml")
    for key in k.site.not_available:
        yield from missing(
            "regimen or drug",
            key,
            [*k.regimens, *k.drugs],
            "pathways/site.yaml",
            "pathways/regimens/ or mappings/",
        )
