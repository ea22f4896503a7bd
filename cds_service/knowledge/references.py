"""Every key of the knowledge that names something no file defines: a sentence each, with the nearest one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from cds_service.knowledge.asserting import (
    INTOLERANT,
    LINES,
    REFRACTORY,
    STATUS,
    AssertedQuestion,
    Code,
    assertable,
)
from cds_service.knowledge.types import Condition, Knowledge, Target

_SUMMARY_OF_MARKERS = "high-risk-cytogenetics"  # a marker that the program derives from the others


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


def nearest(key: str, known: Iterable[str]) -> str:
    """A hint at the known key most like this one, to stand behind a sentence; "" where none is."""
    near = difflib.get_close_matches(key, list(known), n=1)
    return f' Nearest: "{near[0]}".' if near else ""


def missing(what: str, key: str, known: Collection[str], place: str, folder: str) -> Iterator[str]:
    """The sentence that ``place`` names a key which ``folder`` does not define, where it does not."""
    if key not in known:
        yield f'{place}: names {what} "{key}", which {folder} does not define.{nearest(key, known)}'


def dangling(knowledge: Knowledge) -> Iterator[str]:
    """Every key that names something no file defines, each with the nearest one that exists."""
    named = _Named(knowledge)
    yield from named.by_drugs()
    yield from named.by_regimens()
    yield from named.by_components()
    yield from named.by_evidence()
    yield from named.by_rules()
    yield from named.by_stops_conflicts_and_gaps()
    yield from named.by_sketches()
    yield from named.by_site()
    yield from wrongly_assertable(knowledge)


def _listed(keys: str | Iterable[str]) -> Iterable[str]:
    return [keys] if isinstance(keys, str) else keys


_DRUGS_OF_LEAVES: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "exposed_to": _listed,
    "refractory_to": _listed,
    "naive_to": _listed,
    "intolerant_of": _listed,
    "allergic_to": _listed,
    "count_refractory": lambda a: [a["class"]],
    "count_exposed": lambda a: [a["class"]],
    "months_since_last": lambda a: _listed(a["of"]),
}


class _Named:
    """What the entries of each kind name, held against what there is."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._known = knowledge
        self._drugs_and_classes = frozenset((*knowledge.drugs, *knowledge.classes))
        mappings = knowledge.mappings
        self._comorbidities = [one["key"] for one in mappings["comorbidities"]["comorbidities"]]
        self._observations = [one["key"] for one in mappings["observations"]["observations"]]
        markers = knowledge.definitions["imwg"]["cytogenetics"]["markers"]
        self._markers = [*markers, _SUMMARY_OF_MARKERS]

    # ---- what many kinds of entries have ---------------------------------------------------------------
    def _drug(self, key: str, place: str) -> Iterator[str]:
        return missing("drug", key, self._known.drugs, place, "mappings/drugs/")

    def _drug_or_class(self, key: str, place: str) -> Iterator[str]:
        return missing("drug or class", key, self._drugs_and_classes, place, "mappings/")

    def _class(self, key: str, place: str) -> Iterator[str]:
        return missing("class", key, self._known.classes, place, "mappings/classes.yaml")

    def _regimen(self, key: str, place: str) -> Iterator[str]:
        return missing("regimen", key, self._known.regimens, place, "pathways/regimens/")

    def _comorbidity(self, key: str, place: str) -> Iterator[str]:
        return missing("comorbidity", key, self._comorbidities, place, "mappings/comorbidities.yaml")

    def _observation(self, key: str, place: str) -> Iterator[str]:
        return missing("observation", key, self._observations, place, "mappings/observations.yaml")

    def _marker(self, key: str, place: str) -> Iterator[str]:
        return missing("marker", key, self._markers, place, "pathways/definitions/imwg.yaml")

    def _condition(self, condition: Condition | None, place: str, *, explains: bool = False) -> Iterator[str]:
        if not explains and asks_for_unknown(condition):
            yield (
                f"{place}: asks whether something is unknown. An unknown neither excludes nor clears: only "
                "pathways/no-suggestion.yaml may ask for it."
            )
        for leaf in leaves(condition):
            if leaf.op in _DRUGS_OF_LEAVES:
                for key in _DRUGS_OF_LEAVES[leaf.op](leaf.argument):
                    yield from self._drug_or_class(key, place)
            elif leaf.op == "has":
                yield from self._comorbidity(leaf.argument["concept"], place)
            elif leaf.op == "lab":
                yield from self._observation(leaf.argument["concept"], place)
            elif leaf.op == "biology":
                yield from self._marker(leaf.argument["marker"], place)

    def _target(self, target: Target, place: str) -> Iterator[str]:
        for key in () if target.containing else target.regimens:
            yield from self._regimen(key, place)
        for key in target.containing:
            yield from self._drug_or_class(key, place)

    # ---- by kind ---------------------------------------------------------------------------------------
    def by_drugs(self) -> Iterator[str]:
        for drug in self._known.drugs.values():
            for key in drug.classes:
                yield from self._class(key, f"mappings/drugs, {drug.key}")
        for drug_class in self._known.classes.values():
            for key in drug_class.union_of:
                yield from self._class(key, f"mappings/classes.yaml, {drug_class.key}")

    def by_regimens(self) -> Iterator[str]:
        for regimen in self._known.regimens.values():
            place = f"pathways/regimens, {regimen.key}"
            for key in (*regimen.components, *regimen.supporting):
                yield from self._drug(key, place)
            own = (*regimen.components, *regimen.supporting)
            for dose in regimen.doses:
                yield from missing("component", dose.drug, own, place, "the regimen")
                yield from self._condition(dose.when, f"{place}, dose of {dose.drug}")
            for label in regimen.labels:
                yield from self._condition(label.when, place)

    def by_components(self) -> Iterator[str]:
        for drug, component in self._known.components.items():
            place = f"pathways/drugs, {drug}"
            yield from self._drug(drug, place)
            for caution in component.cautions:
                yield from self._condition(caution.when, f"{place}, {caution.concept}")
            for advice in component.advice:
                yield from self._condition(advice.when, f"{place}, {advice.kind}")
            for adjustment in component.adjustments:
                yield from self._condition(adjustment.when, f"{place}, {adjustment.id}")
            for companion in component.companions:
                own = f"{place}, {companion.id}"
                yield from self._condition(companion.when, own)
                kinds = {one.supportive_kind for one in self._known.drugs.values() if one.supportive_kind}
                for key in companion.satisfied_by:
                    yield from missing(
                        "drug or kind", key, {*self._known.drugs, *kinds}, own, "mappings/drugs/"
                    )

    def by_evidence(self) -> Iterator[str]:
        for evidence in self._known.evidence.values():
            place = f"pathways/evidence, {evidence.id}"
            if evidence.regimen:
                yield from self._regimen(evidence.regimen, place)
            for when in (evidence.when, *(result.when for result in evidence.results)):
                yield from self._condition(when, place)

    def by_rules(self) -> Iterator[str]:
        for pathway in self._known.pathways.values():
            for rule in pathway.rules:
                if pathway.composed:  # what it asks beyond the source; the rest is told of the source
                    yield from self._condition(rule.when, f"pathways/{pathway.id}.yaml, rule {rule.id}")
                    continue
                place = f"pathways/sequencing/{rule.pathway}.yaml, rule {rule.id}"
                yield from self._condition(rule.when, place)
                yield from self._target(rule.target, place)
                yield from self._target(rule.then, place)
                for remark in rule.remarks:
                    yield from self._condition(remark.when, place)

    def by_stops_conflicts_and_gaps(self) -> Iterator[str]:
        for stop in self._known.hard_stops:
            place = f"pathways/hard-stops.yaml, {stop.id}"
            yield from self._condition(stop.when, place)
            yield from self._target(Target(containing=stop.excludes), place)
        for conflict in self._known.conflicts:
            place = f"pathways/conflicts.yaml, {conflict.id}"
            yield from self._condition(conflict.when, place)
            yield from self._target(Target(conflict.touches), place)
        for gap in self._known.gaps:
            yield from self._condition(gap.when, f"pathways/no-suggestion.yaml, {gap.id}", explains=True)

    def by_sketches(self) -> Iterator[str]:
        space = self._known.state_space
        sketches = [
            *(
                (f"pathways/situations.yaml, {one['id']}", one["sketch"])
                for one in self._known.situations["situations"]
            ),
            *(
                (f"pathways/state-space.yaml, {one['id']}", one)
                for one in (*space["histories"], *space["findings"])
            ),
            ("pathways/state-space.yaml, agents", {"drugs": [agent["drug"] for agent in space["agents"]]}),
        ]
        for place, sketch in sketches:
            for key in (*sketch.get("drugs", ()), *sketch.get("intolerant", ()), *sketch.get("allergic", ())):
                yield from self._drug(key, place)
            for key in (*(one["concept"] for one in sketch.get("has", ())), *sketch.get("has_not", ())):
                yield from self._comorbidity(key, place)
            for key in sketch.get("labs", ()):
                yield from self._observation(key, place)
            for key in sketch.get("biology", ()):
                yield from self._marker(key, place)

    def by_site(self) -> Iterator[str]:
        for key in self._known.site.not_available:
            yield from missing(
                "regimen or drug",
                key,
                (*self._known.regimens, *self._known.drugs),
                "pathways/site.yaml",
                "pathways/regimens/ or mappings/",
            )


# ---- what a clinician may assert ---------------------------------------------------------------------------
_ANSWERS = {
    REFRACTORY: ("refractory", "not-refractory"),
    INTOLERANT: ("intolerant", "tolerated"),
    STATUS: ("progression", "stable"),
    LINES: (),
}
"""The answers that the program weighs, by question; a status may have more."""


def wrongly_assertable(knowledge: Knowledge) -> Iterator[str]:
    """What of mappings/assertions.yaml the program could not weigh, or would read otherwise than it says."""
    raw = knowledge.mappings.get("assertions")
    if raw is None:
        return
    place = "mappings/assertions.yaml"
    known = assertable(knowledge)
    for what, answers in _ANSWERS.items():
        question = known.questions.get(what)
        if question is None or question.of_drug != (what in (REFRACTORY, INTOLERANT)):
            yield f"{place}: one question for {what} is needed" + (" (of: drug)" if answers[1:] else "")
            continue
        for key in answers:
            if question.answer(key) is None:
                yield f"{place}, {what}: the answer {key} is needed"
        yield from _codes_that_mean_something_else(knowledge, question, f"{place}, {what}")


def _codes_that_mean_something_else(
    knowledge: Knowledge, question: AssertedQuestion, place: str
) -> Iterator[str]:
    status = knowledge.mappings["disease-status"]

    def entry(code: Code, part: str) -> Mapping[str, Any] | None:
        return next(
            (
                one
                for one in status[part]["codes"]
                if (one["system"], one["code"]) == (code.system, code.code)
                and one["confidence"] != "recalled"
                and one.get("match") != "never"
            ),
            None,
        )

    if question.also is not None and entry(question.also, "questions") is None:
        yield (
            f"{place}: the code {question.also.code} is no question that "
            "mappings/disease-status.yaml has seen"
        )
    for answer in question.answers:
        if answer.also is None:
            continue
        known = entry(answer.also, "answers")
        if known is None:
            yield (
                f"{place}, {answer.key}: the code {answer.also.code} is no answer that "
                "mappings/disease-status.yaml has seen"
            )
        elif bool(known.get("progression", False)) is not answer.progression or "response" in known:
            yield (
                f"{place}, {answer.key}: the code {answer.also.code} means something else in "
                "mappings/disease-status.yaml"
            )
