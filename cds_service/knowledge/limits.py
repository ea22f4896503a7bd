"""Where the conditions draw their limits: the numbers and severities at which an answer may turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise

from cds_service.knowledge.references import leaves
from cds_service.knowledge.types import LIMITS, Condition, Knowledge, Limit, within


def conditions(knowledge: Knowledge) -> Iterator[Condition | None]:
    """Every condition by which a regimen is suggested or not, stands behind another, or has another dose."""
    for component in knowledge.components.values():
        yield from (caution.when for caution in component.cautions)
        yield from (adjustment.when for adjustment in component.adjustments)
    for regimen in knowledge.regimens.values():
        yield from (label.when for label in regimen.labels)
        yield from (dose.when for dose in regimen.doses)
    for pathway in knowledge.pathways.values():
        yield from (rule.when for rule in pathway.rules)
    yield from (stop.when for stop in knowledge.hard_stops)


@lru_cache(maxsize=4)
def limits(knowledge: Knowledge) -> Mapping[tuple[str, str], frozenset[Limit]]:
    """By leaf and concept ("" where it has none): ("lab", "lvef") gives {("under", 40.0)}."""
    found: dict[tuple[str, str], set[Limit]] = {}
    for condition in conditions(knowledge):
        for leaf in leaves(condition):
            if not isinstance(leaf.argument, Mapping):
                continue
            numbers = {(name, float(value)) for name, value in leaf.argument.items() if name in LIMITS}
            found.setdefault((leaf.op, leaf.argument.get("concept", "")), set()).update(numbers)
    return {key: frozenset(numbers) for key, numbers in found.items()}


@lru_cache(maxsize=4)
def severities(knowledge: Knowledge) -> Mapping[str, tuple[str, ...]]:
    """The gravest of each list of severities that a condition asks for, by comorbidity, in order."""
    found: dict[str, set[str]] = {}
    for condition in conditions(knowledge):
        for leaf in leaves(condition):
            if leaf.op == "has":
                own = found.setdefault(leaf.argument["concept"], set())
                if "grade_at_least" in leaf.argument:
                    own.add(f"grade-{leaf.argument['grade_at_least']}")
                own.update(leaf.argument.get("severity", ())[-1:])
    return {concept: tuple(sorted(own)) for concept, own in found.items()}


def less_severe(severity: str) -> str:
    """The mildest severity of the same scale: "grade-1" of "grade-3", "NYHA-I" of "NYHA-III", else "mild"."""
    scale, _, step = severity.partition("-")
    return f"{scale}-{'1' if step.isdigit() else 'I'}" if step else "mild"


def deciding(drawn: Iterable[Limit], *, whole: bool = False, least: float = 0.0) -> tuple[float, ...]:
    """The fewest numbers from ``least`` on that between them answer every limit in every way, ascending.

    A number on a limit stands only where one beside it does not answer the same.
    """
    limits = sorted(set(drawn))
    on = sorted({number for _, number in limits})
    if not on:
        return ()
    step = 1.0 if whole else on[0] / 2
    between = [(lower + upper) / 2 for lower, upper in pairwise(on)]
    beside = {least, on[0] - step, *between, on[-1] + max(step, 1.0)}
    if whole:
        beside |= {number + way for number in on for way in (-1.0, 1.0)}
        beside = {number for number in beside if number % 1 == 0}
    chosen: dict[tuple[bool, ...], float] = {}
    for candidate in (*sorted(beside - set(on), reverse=True), *on):
        if candidate >= least:
            chosen.setdefault(tuple(within(candidate, {name: limit}) for name, limit in limits), candidate)
    return tuple(sorted(chosen.values()))
