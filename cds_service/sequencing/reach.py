"""Whether a rule can ever fire, and whether any rule can ever bring a regimen: a witness state, or none.

For every way in which a condition can hold a state is drawn that should fulfil it, and the condition is asked
of it. That finds contradictions between the parts of a condition, and conditions that no state of a patient
can have; it takes the place of reading them all by eye.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import chain, combinations, islice, product
from typing import Any

from cds_service.knowledge.limits import less_severe
from cds_service.knowledge.types import REGIONS, Condition, Knowledge, Regimen, Rule, Site, within
from cds_service.patient.types import Status
from cds_service.sequencing.choose import SPEAKING, Chooser
from cds_service.sequencing.conditions import OF_ONE_LINE, Evaluator
from cds_service.sequencing.labelling import AUTHORISED
from cds_service.sequencing.sketch import Given, Sketch, sketched

_MOST_WAYS = 400
_MOST_STATES = 200
"""Limits of the search: of the ways in which a condition can hold, and of the choices of drugs within one."""

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
            if Evaluator(state, knowledge, region, Site().car_t).ask(condition).value:
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
    drugs = _Drugs(literals, knowledge)
    choices = [list(drugs.standing_for(leaf, holds)) for leaf, holds in literals]
    for chosen in product(*choices):
        sketch: Sketch | None = _with_numbers(Sketch(), literals)
        # What must not be comes last but for what only a drug given can show.
        order = sorted(zip(literals, chosen, strict=True), key=lambda pair: _RANK.get(pair[0][0].op, 5))
        for (leaf, holds), members in order:
            if sketch is not None:
                sketch = _applied(sketch, leaf, holds, members, literals, knowledge, region)
        if sketch is not None:
            yield sketch


_RANK = {"label": 0, "count_refractory": 1, "refractory_to": 2, "count_exposed": 3, "exposed_to": 3,
         "months_since_last": 4, "intolerant_of": 4, "allergic_to": 4}  # fmt: skip


def _drugs_of(key: str, knowledge: Knowledge) -> list[str]:
    if key in knowledge.drugs:
        return [key]
    return [d.key for d in knowledge.drugs.values() if d.is_of(knowledge.classes[key]) and not d.unidentified]


class _Drugs:
    """Which drugs can stand for what a leaf names, given what the other leaves forbid."""

    def __init__(self, literals: Sequence[_Literal], knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._never_given: set[str] = set()
        self._never_refractory: set[str] = set()
        for leaf, holds in literals:
            if (leaf.op, holds) in (("exposed_to", False), ("naive_to", True)):
                self._never_given.update(self._named(leaf.argument))
            elif (leaf.op, holds) == ("refractory_to", False):
                self._never_refractory.update(self._named(leaf.argument))

    def standing_for(self, leaf: Condition, holds: bool) -> Iterator[tuple[str, ...]]:
        """One choice of drugs each by which the leaf could hold; the empty one where it needs no drug."""
        argument = leaf.argument
        refractory = leaf.op in ("refractory_to", "count_refractory")
        if not holds:
            yield ()
        elif leaf.op in ("refractory_to", "exposed_to"):
            yield from ((drug,) for drug in self._usable(argument, refractory=refractory))
        elif leaf.op in ("intolerant_of", "allergic_to"):
            yield from ((drug,) for drug in self._named(argument))
        elif leaf.op == "months_since_last":
            yield from ((drug,) for drug in self._usable(argument["of"], refractory=False))
        elif leaf.op in ("count_refractory", "count_exposed"):
            yield from self._several({argument["class"]: argument["at_least"]}, refractory=refractory)
        elif leaf.op == "label":
            yield from self._labelled(argument)
        else:
            yield ()

    def _labelled(self, label: str) -> Iterator[tuple[str, ...]]:
        numbers = self._knowledge.definitions["imwg"]["labels"]
        three: Sequence[str] = numbers["three_classes"]
        several = numbers.get(label.removesuffix("-refractory"))
        if label == "double-refractory":
            for two in combinations(three, 2):
                yield from self._several(dict.fromkeys(two, 1), refractory=True)
        elif label.startswith("triple-class"):
            yield from self._several(dict.fromkeys(three, 1), refractory=label.endswith("refractory"))
        elif isinstance(several, Mapping):
            yield from self._several(several, refractory=True)
        else:
            yield ()

    def _several(self, wanted: Mapping[str, int], *, refractory: bool) -> Iterator[tuple[str, ...]]:
        """So many drugs of each class, none of them for two classes."""
        of_each = [combinations(self._usable(key, refractory=refractory), n) for key, n in wanted.items()]
        yield from (tuple(dict.fromkeys(chain(*chosen))) for chosen in product(*of_each))

    def _usable(self, keys: str | Sequence[str], *, refractory: bool) -> list[str]:
        forbidden = self._never_given | (self._never_refractory if refractory else set())
        return [drug for drug in self._named(keys) if drug not in forbidden]

    def _named(self, keys: str | Sequence[str]) -> list[str]:
        listed = [keys] if isinstance(keys, str) else keys
        return [drug for key in listed for drug in _drugs_of(key, self._knowledge)]


def _applied(
    sketch: Sketch,
    leaf: Condition,
    holds: bool,
    drugs: tuple[str, ...],
    literals: Sequence[_Literal],
    knowledge: Knowledge,
    region: str,
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
    if op == "allergic_to":
        return replace(sketch, allergic=(*sketch.allergic, *drugs)) if holds else sketch
    if op == "months_since_last" and holds:
        months = _within({k: v for k, v in argument.items() if k != "of"})
        status = sketch.drugs.get(drugs[0], Given(Status.EXPOSED)).status
        return replace(sketch, drugs={**sketch.drugs, drugs[0]: Given(status, months)})
    if op == "label":
        return _labelled(sketch, argument, drugs) if holds else sketch
    if op == "has":
        concept = argument["concept"]
        if not holds:
            return replace(sketch, has_not=(*sketch.has_not, concept))
        return replace(sketch, has=(*sketch.has, (concept, _severity(argument, literals))))
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


def _labelled(sketch: Sketch, label: str, drugs: tuple[str, ...]) -> Sketch | None:
    if drugs:
        return _given(sketch, drugs, Status.EXPOSED if label.endswith("exposed") else Status.REFRACTORY)
    if label == "not-applicable" or (label in OF_ONE_LINE and sketch.prior_lines != 1):
        return None  # no choice is due then, or not with so many lines
    return replace(sketch, labels=(*sketch.labels, label))


def _severity(argument: Mapping[str, Any], literals: Sequence[_Literal]) -> str:
    """As grave as the leaf asks; where it does not ask, milder than what another leaf denies."""
    if "grade_at_least" in argument:
        return f"grade-{argument['grade_at_least']}"
    if asked := argument.get("severity"):
        return str(asked[0])
    for leaf, holds in literals:
        if leaf.op == "has" and not holds and leaf.argument["concept"] == argument["concept"]:
            grade = leaf.argument.get("grade_at_least")
            return less_severe(f"grade-{grade}" if grade else leaf.argument.get("severity", ("",))[0])
    return ""


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
        if all(within(candidate, limit) is wanted for limit, wanted in limits):
            return int(candidate) if whole else candidate
    return None


def _within(limit: Mapping[str, Any]) -> float:
    value = _fulfilling([(limit, True)], whole=False)
    return float(value) if value is not None else 0.0
