"""Whether a rule can ever fire, and whether any rule can ever bring a regimen: a witness state, or none.

For every way in which a condition can hold a state is drawn that should fulfil it, and the condition is asked
of it. That finds contradictions between the parts of a condition, and conditions that no state of a patient
can have; it takes the place of reading them all by eye.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import islice, product
from typing import Any

from cds_service.knowledge.types import Condition, Knowledge, Regimen, Rule, Site
from cds_service.patient.types import Status
from cds_service.sequencing.choose import SPEAKING, Chooser
from cds_service.sequencing.conditions import Evaluator
from cds_service.sequencing.labelling import AUTHORISED
from cds_service.sequencing.sketch import Given, Sketch, sketched

REGIONS = ("EMA", "FDA")
_MOST_WAYS = 400
_MOST_STATES = 24
"""Limits of the search: more ways than any condition of a source has, and more members than any class."""

_Literal = tuple[Condition, bool]


def ways(condition: Condition | None, holds: bool = True) -> list[tuple[_Literal, ...]]:
    """The ways in which a condition can hold (or fail): each a set of leaves that must hold or fail."""
    if condition is None:
        return [()]
    if condition.op == "not":
        return ways(condition.children[0], not holds)
    if condition.op in ("all", "any"):
        parts = [ways(child, holds) for child in condition.children]
        if (condition.op == "all") is holds:
            joined = islice(product(*parts), _MOST_WAYS)
            return [tuple(literal for part in chosen for literal in part) for chosen in joined]
        return [one for part in parts for one in part][:_MOST_WAYS]
    return [((condition, holds),)]


def witnesses(condition: Condition, knowledge: Knowledge, region: str, as_of: date) -> Iterator[Sketch]:
    """States in which the condition holds; none where no state was found that fulfils it."""
    for literals in ways(condition):
        for sketch in islice(_drawn(literals, knowledge, region), _MOST_STATES):
            state = sketched(sketch, knowledge, as_of)
            if Evaluator(state, knowledge, region).ask(condition).value:
                yield sketch
                break


def can_fire(rule: Rule, knowledge: Knowledge, as_of: date) -> bool:
    """Whether some state fulfils the rule's condition in one of the regions."""
    return any(True for region in REGIONS for _ in witnesses(rule.when, knowledge, region, as_of))


def brought_by(
    regimen: Regimen, rules: Iterable[Rule], knowledge: Knowledge, pathway: str, as_of: date
) -> tuple[str, str] | None:
    """A rule and a region by which the regimen is suggested to somebody; None where none was found."""
    for rule in rules:
        if rule.verb not in SPEAKING or regimen.key not in rule.target.regimens:
            continue
        for label in regimen.labels:
            if label.status not in AUTHORISED:
                continue
            both = Condition("all", tuple(c for c in (rule.when, label.when) if c is not None))
            for sketch in witnesses(both, knowledge, label.region, as_of):
                chooser = Chooser(
                    sketched(sketch, knowledge, as_of), knowledge, label.region, pathway, Site()
                )
                if chooser.judge(regimen).fits is not None:
                    return rule.id, label.region
    return None


# A state for a set of leaves ------------------------------------------------------------------------------
def _drawn(literals: Sequence[_Literal], knowledge: Knowledge, region: str) -> Iterator[Sketch]:
    """States that should fulfil all leaves: one for each choice of the drugs that stand for a class."""
    choices = [list(_members(leaf, holds, knowledge)) for leaf, holds in literals]
    for chosen in product(*choices):
        sketch: Sketch | None = _with_numbers(Sketch(), literals)
        # What must not be comes last but for what only a drug given can show.
        order = sorted(zip(literals, chosen, strict=True), key=lambda pair: _RANK.get(pair[0][0].op, 5))
        for (leaf, holds), drugs in order:
            if sketch is not None:
                sketch = _applied(sketch, leaf, holds, drugs, knowledge, region)
        if sketch is not None:
            yield sketch


_RANK = {"label": 0, "count_refractory": 1, "refractory_to": 2, "count_exposed": 3, "exposed_to": 3,
         "months_since_last": 4, "intolerant_of": 4}  # fmt: skip


def _drugs_of(key: str, knowledge: Knowledge) -> list[str]:
    if key in knowledge.drugs:
        return [key]
    return [d.key for d in knowledge.drugs.values() if d.is_of(knowledge.classes[key]) and not d.unidentified]


def _members(leaf: Condition, holds: bool, knowledge: Knowledge) -> Iterator[tuple[str, ...]]:
    """Which drugs could stand for what the leaf names: one choice each where it must hold."""
    argument = leaf.argument
    if leaf.op in ("refractory_to", "exposed_to", "intolerant_of") and holds:
        keys = [argument] if isinstance(argument, str) else argument
        yield from ((drug,) for key in keys for drug in _drugs_of(key, knowledge))
    elif leaf.op == "months_since_last" and holds:
        keys = [argument["of"]] if isinstance(argument["of"], str) else argument["of"]
        yield from ((drug,) for key in keys for drug in _drugs_of(key, knowledge))
    elif leaf.op in ("count_refractory", "count_exposed") and holds:
        yield tuple(_drugs_of(argument["class"], knowledge)[: argument["at_least"]])
    else:
        yield ()


def _applied(
    sketch: Sketch, leaf: Condition, holds: bool, drugs: tuple[str, ...], knowledge: Knowledge, region: str
) -> Sketch | None:
    op, argument = leaf.op, leaf.argument
    if op in ("refractory_to", "count_refractory"):
        return _given(sketch, drugs, Status.REFRACTORY) if holds else sketch
    if op in ("exposed_to", "count_exposed"):
        return _given(sketch, drugs, Status.EXPOSED) if holds else sketch
    if op == "naive_to":
        keys = [argument] if isinstance(argument, str) else argument
        named = [drug for key in keys for drug in _drugs_of(key, knowledge)]
        if holds:
            return replace(sketch, drugs={k: v for k, v in sketch.drugs.items() if k not in named})
        return _given(sketch, tuple(named[:1]), Status.EXPOSED)
    if op == "intolerant_of":
        return replace(sketch, intolerant=(*sketch.intolerant, *drugs)) if holds else sketch
    if op == "months_since_last" and holds:
        months = _within({k: v for k, v in argument.items() if k != "of"})
        status = sketch.drugs.get(drugs[0], Given(Status.EXPOSED)).status
        return replace(sketch, drugs={**sketch.drugs, drugs[0]: Given(status, months)})
    if op == "label":
        return _labelled(sketch, argument, holds, knowledge)
    if op == "has":
        concept = argument["concept"]
        if not holds:
            return replace(sketch, has_not=(*sketch.has_not, concept))
        grade = argument.get("grade_at_least")
        severity = f"grade-{grade}" if grade else (argument.get("severity") or ("",))[0]
        return replace(sketch, has=(*sketch.has, (concept, severity)))
    if op == "biology":
        other = {"present": "absent", "absent": "present"}[argument["is"]]
        return replace(
            sketch, biology={**sketch.biology, argument["marker"]: argument["is"] if holds else other}
        )
    if op == "transplant":
        return replace(sketch, transplant=argument is holds)
    if op == "progressed_on_last_therapy":
        return replace(sketch, progressed_on_last=argument is holds)
    if op == "sex":
        return replace(sketch, sex=argument if holds else {"female": "male"}.get(argument, "female"))
    if op == "car_t":
        other = {"feasible": "not-feasible", "not-feasible": "feasible"}[argument]
        return replace(sketch, car_t=argument if holds else other)
    if op == "planned":
        kinds = (*(sketch.planned if holds else sketch.not_planned), argument)
        return replace(sketch, planned=kinds) if holds else replace(sketch, not_planned=kinds)
    if op == "region":
        return sketch if (argument == region) is holds else None
    return sketch  # numbers were drawn before


def _given(sketch: Sketch, drugs: Sequence[str], status: Status) -> Sketch:
    known = {drug: Given(status) for drug in drugs}
    kept = {k: v for k, v in sketch.drugs.items() if v.status is Status.REFRACTORY}
    return replace(sketch, drugs={**sketch.drugs, **known, **kept})


def _labelled(sketch: Sketch, label: str, holds: bool, knowledge: Knowledge) -> Sketch:
    numbers = knowledge.definitions["imwg"]["labels"]
    three: Sequence[str] = numbers["three_classes"]
    if not holds:
        return sketch
    if label in ("triple-class-exposed", "triple-class-refractory", "double-refractory"):
        status = Status.EXPOSED if label.endswith("exposed") else Status.REFRACTORY
        classes = three[:2] if label == "double-refractory" else three
        return _given(sketch, [_drugs_of(key, knowledge)[0] for key in classes], status)
    several = numbers.get(label.removesuffix("-refractory"))
    if isinstance(several, Mapping):
        named = [drug for key, number in several.items() for drug in _drugs_of(key, knowledge)[:number]]
        return _given(sketch, named, Status.REFRACTORY)
    return replace(sketch, labels=(*sketch.labels, label))


# Numbers --------------------------------------------------------------------------------------------------
_NUMBERS = {"prior_lines": "prior_lines", "age": "age", "ecog": "ecog",
            "months_to_first_progression": "months_to_first_progression",
            "months_from_transplant_to_progression": "months_from_transplant_to_progression"}  # fmt: skip
_WHOLE = frozenset({"prior_lines", "age", "ecog"})


def _with_numbers(sketch: Sketch, literals: Sequence[_Literal]) -> Sketch:
    """The sketch with every number chosen so that all its limits hold, where one can."""
    for op, member in _NUMBERS.items():
        limits = [(leaf.argument, holds) for leaf, holds in literals if leaf.op == op]
        if limits:
            value = _fulfilling(limits, whole=op in _WHOLE)
            if value is not None:
                changes: dict[str, Any] = {member: value}
                sketch = replace(sketch, **changes)
    labs = dict(sketch.labs)
    for concept in dict.fromkeys(leaf.argument["concept"] for leaf, _ in literals if leaf.op == "lab"):
        limits = [
            ({k: v for k, v in leaf.argument.items() if k != "concept"}, holds)
            for leaf, holds in literals
            if leaf.op == "lab" and leaf.argument["concept"] == concept
        ]
        value = _fulfilling(limits, whole=False)
        if value is not None:
            labs[concept] = value
    return replace(sketch, labs=labs)


def _fulfilling(limits: Sequence[tuple[Mapping[str, Any], bool]], *, whole: bool) -> float | int | None:
    numbers = sorted({float(v) for limit, _ in limits for v in limit.values()})
    step = 1.0 if whole else 0.5
    candidates = [x for n in numbers for x in (n - step, n, n + step)] + [0.0, numbers[-1] * 2 + 1]
    for candidate in sorted(x for x in candidates if x >= 0):
        if all(_holds(candidate, limit) is wanted for limit, wanted in limits):
            return int(candidate) if whole else candidate
    return None


def _within(limit: Mapping[str, Any]) -> float:
    value = _fulfilling([(limit, True)], whole=False)
    return float(value) if value is not None else 0.0


def _holds(value: float, limit: Mapping[str, float]) -> bool:
    tests = {
        "exactly": lambda x: value == x,
        "at_least": lambda x: value >= x,
        "at_most": lambda x: value <= x,
        "over": lambda x: value > x,
        "under": lambda x: value < x,
    }
    return all(tests[name](x) for name, x in limit.items())
