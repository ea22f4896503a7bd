"""Walks the states of pathways/state-space.yaml and holds every answer against what must hold for all.

The invariants are those of the design ("safety invariants"). Pure: the states come from the knowledge, the
day is an argument; whoever walks says how many states, and in how many processes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import product
from typing import Any

from cds_service.knowledge.types import Knowledge, Regimen, Site
from cds_service.patient.types import PatientState, Status
from cds_service.sequencing.choose import SPEAKING, choose
from cds_service.sequencing.conditions import Evaluator
from cds_service.sequencing.sketch import Sketch, sketch_of, sketched, with_drug
from cds_service.sequencing.types import Recommendation

NOTHING = "(nothing)"


Place = tuple[tuple[str, ...], int, str, str, str, str]
"""Where a state lies: statuses of the agents, prior lines, history, finding, region, CAR-T."""


@dataclass(frozen=True)
class Point:
    """One state of the space, with the names by which a person finds it again."""

    sketch: Sketch
    region: str
    names: tuple[str, ...]  # "lenalidomide refractory", "2 prior lines", history, finding, CAR-T
    place: Place

    def __str__(self) -> str:
        return f"{self.region}: {', '.join(self.names)}"


@dataclass(frozen=True)
class Kept:
    """What of an answer is compared with its neighbours': the order, and whom its finding concerns."""

    suggested: tuple[str, ...]
    concerned: frozenset[str]


@dataclass
class Walked:
    """What a walk found."""

    states: int = 0
    first: Counter[tuple[str, int, str]] = field(default_factory=Counter)  # region, prior lines, regimen
    suggested: Counter[str] = field(default_factory=Counter)  # in how many states each regimen
    rules: Counter[str] = field(
        default_factory=Counter
    )  # in how many states each rule speaks for one suggested
    unanswered: list[str] = field(default_factory=list)  # nothing suggested, and no known gap says why
    gaps: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    kept: dict[Place, Kept] = field(default_factory=dict)

    def add(self, other: Walked) -> None:
        """Takes in what another part of the walk found."""
        self.states += other.states
        self.first.update(other.first)
        self.suggested.update(other.suggested)
        self.rules.update(other.rules)
        self.unanswered.extend(other.unanswered)
        self.gaps.update(other.gaps)
        self.violations.extend(other.violations)
        self.kept.update(other.kept)


def points(knowledge: Knowledge, every: int = 1, offset: int = 0) -> Iterator[Point]:
    """The states of the space that can be, in a fixed order: each ``every``-th, beginning with ``offset``."""
    space = knowledge.state_space
    for number, drawn in enumerate(_drawn(space)):
        if number % every == offset:
            statuses, lines, history, finding, region, car_t = drawn
            sketch = sketch_of(
                {
                    **{key: value for key, value in history.items() if key not in ("id", "least_lines")},
                    **{key: value for key, value in finding.items() if key not in ("id", "least_lines")},
                    "drugs": {**statuses, **history["drugs"]},
                    "prior_lines": lines,
                    "car_t": car_t,
                }
            )
            told = tuple(f"{drug} {status}" for drug, status in statuses.items() if status != Status.NAIVE)
            lines_told = f"{lines} prior {'line' if lines == 1 else 'lines'}"
            names = (*told, lines_told, history["id"], finding["id"], f"CAR-T {car_t}")
            place = (tuple(statuses.values()), lines, history["id"], finding["id"], region, car_t)
            yield Point(sketch, region, names, place)


def size(knowledge: Knowledge) -> int:
    """How many states there are."""
    return sum(1 for _ in _drawn(knowledge.state_space))


def _drawn(space: Mapping[str, Any]) -> Iterator[tuple[dict[str, str], int, Any, Any, str, str]]:
    """Every combination that can be: agents with their states, lines, history, finding, region, CAR-T."""
    agents: Sequence[Mapping[str, Any]] = space["agents"]
    drugs = [agent["drug"] for agent in agents]
    for statuses in product(*(agent["states"] for agent in agents)):
        given = sum(1 for status in statuses if status != Status.NAIVE)
        named = dict(zip(drugs, statuses, strict=True))
        for lines in space["prior_lines"]:
            if not 1 <= given <= lines * space["most_agents_per_line"]:
                continue
            histories = [one for one in space["histories"] if one["least_lines"] <= lines]
            findings = [one for one in space["findings"] if one.get("least_lines", 1) <= lines]
            beside = product(histories, findings, space["regions"], space["car_t"])
            for history, finding, region, car_t in beside:
                yield named, lines, history, finding, region, car_t


def walk(
    chosen: Iterable[Point],
    knowledge: Knowledge,
    pathway: str,
    as_of: date,
    *,
    compare: bool = True,
    keep: bool = False,
) -> Walked:
    """Answers each state and holds the answer against the invariants.

    With ``compare`` each state is also answered with one refractoriness and one contraindication more, and
    the answers compared. With ``keep`` they are kept, for :func:`compared` once all states are walked.
    """
    found = Walked()
    for point in chosen:
        state = sketched(point.sketch, knowledge, as_of)
        answer = choose(state, knowledge, point.region, pathway, Site())
        found.states += 1
        first = answer.suggested[0].regimen if answer.suggested else NOTHING
        found.first[point.region, point.sketch.prior_lines or 0, first] += 1
        found.suggested.update(one.regimen for one in answer.suggested)
        found.rules.update({rule for one in answer.suggested for rule in one.rules})
        if not answer.suggested:
            if answer.nothing_because:
                found.gaps[answer.nothing_because[0]] += 1
            else:
                found.unanswered.append(str(point))
        broken = [*violations(state, answer, knowledge)]
        if compare:
            broken += _against_neighbours(point, answer, knowledge, pathway, as_of)
        found.violations.extend(f"{point}: {what}" for what in broken)
        if keep:
            found.kept[point.place] = _kept(answer, point.sketch)
    return found


def _kept(answer: Recommendation, sketch: Sketch) -> Kept:
    by = {f"Sketch/{concept}" for concept, _ in sketch.has}
    concerned = {
        one.regimen for one in answer.suggested if any(by & set(c.derived_from) for c in one.cautions)
    }
    return Kept(tuple(one.regimen for one in answer.suggested), frozenset(concerned))


def compared(kept: Mapping[Place, Kept], knowledge: Knowledge) -> Iterator[str]:
    """What breaks an invariant between neighbours, of all states that were kept."""
    drugs = [agent["drug"] for agent in knowledge.state_space["agents"]]
    ill = [one["id"] for one in knowledge.state_space["findings"] if one.get("has")]
    well = next(one["id"] for one in knowledge.state_space["findings"] if set(one) == {"id"})
    for place, before in kept.items():
        statuses, lines, history, finding, region, car_t = place
        for number, drug in enumerate(drugs):
            more = (*statuses[:number], Status.REFRACTORY.value, *statuses[number + 1 :])
            then = kept.get((more, lines, history, finding, region, car_t))
            if then is not None:
                yield from (f"{place}: {what}" for what in _added(drug, before, then, knowledge))
        for other in ill if finding == well else ():
            then = kept.get((statuses, lines, history, other, region, car_t))
            if then is not None:
                yield from (f"{place}: {other} {what}" for what in _moved(before, then))


def _added(drug: str, before: Kept, then: Kept, knowledge: Knowledge) -> Iterator[str]:
    for key in then.suggested:
        if key not in before.suggested and drug in knowledge.regimens[key].components:
            yield f"refractory to {drug} as well: {key}, which contains it, is added"


def _moved(before: Kept, then: Kept) -> Iterator[str]:
    rank = {key: number for number, key in enumerate(before.suggested)}
    after = {key: number for number, key in enumerate(then.suggested)}
    others = [key for key in then.suggested if key not in then.concerned and key in rank]
    for ours, other in product(then.concerned & set(rank), others):
        if rank[ours] > rank[other] and after[ours] < after[other]:
            yield f"moves {ours}, which it concerns, ahead of {other}"


def violations(state: PatientState, answer: Recommendation, knowledge: Knowledge) -> Iterator[str]:
    """What of one answer breaks an invariant, a sentence each."""
    keys = [one.regimen for one in answer.suggested] + [one.regimen for one in answer.not_suggested]
    if sorted(keys) != sorted(knowledge.regimens):
        yield "a regimen is in neither list or in both"
    if [one.rank for one in answer.suggested] != list(range(1, len(answer.suggested) + 1)):
        yield "the ranks are not 1, 2, 3 ..."
    strengths = [SPEAKING[one.strength] for one in answer.suggested]
    if strengths != sorted(strengths):
        yield "a weaker rule stands before a stronger one"
    if answer.suggested and not state.needs_treatment_choice:
        yield "something is suggested though no choice is due"
    if any(not one.reasons for one in answer.not_suggested):
        yield "a regimen is left out without a reason"
    asked = Evaluator(state, knowledge, answer.region, Site().car_t)
    for one in answer.suggested:
        if one.label.status not in ("within", "unknown") or (
            one.label.status == "unknown" and not one.label.missing
        ):
            yield f"{one.regimen} is suggested outside its label ({one.label.status})"
        yield from _not_borne(knowledge.regimens[one.regimen], state, asked, knowledge)
    suggested = {one.regimen for one in answer.suggested}
    for step in answer.trace:
        gate, value = step.step.split(":")[0], step.outcome.value
        if step.regimen in suggested and ((gate == "gate" and value is False) or (gate == "stop" and value)):
            yield f"{step.regimen} is suggested against {step.step}"
    traced = Counter(step.regimen for step in answer.trace if step.step == "gate:label")
    if set(traced) != set(knowledge.regimens) or set(traced.values()) != {1}:
        yield "the trace does not list every regimen once"
    yield from _cells_before_bispecifics(state, answer, knowledge)


def _not_borne(
    regimen: Regimen, state: PatientState, asked: Evaluator, knowledge: Knowledge
) -> Iterator[str]:
    """What of the patient's facts speaks against a regimen suggested, whatever the answer's trace says."""
    for key in (*regimen.components, *regimen.supporting):
        for caution in knowledge.cautions(key):
            if caution.bars and asked.ask(caution.when).value:
                yield f"{regimen.key} is suggested, and {caution.concept} bars {key}"
    for key in regimen.components:
        drug = knowledge.drugs[key]
        if not drug.treats_myeloma:
            continue  # a steroid can be replaced
        if state.drugs[key].status is Status.REFRACTORY:
            yield f"{regimen.key} is suggested, and the disease is refractory to {key}"
        if key in state.intolerant:
            yield f"{regimen.key} is suggested, and {key} was not tolerated"
        if key in state.allergic:
            yield f"{regimen.key} is suggested, and there is an allergy to {key}"
        for name in drug.classes:
            if knowledge.classes[name].carries_over and state.classes[name].status is Status.REFRACTORY:
                yield f"{regimen.key} is suggested, and the disease is refractory to {name}"
    for stop in knowledge.hard_stops:
        if (
            stop.excludes
            and knowledge.any_of(regimen.components, stop.excludes)
            and asked.ask(stop.when).value
        ):
            yield f"{regimen.key} is suggested against {stop.id}"


def _cells_before_bispecifics(
    state: PatientState, answer: Recommendation, knowledge: Knowledge
) -> Iterator[str]:
    """A source orders cells before bispecifics against one target, while nothing against it was given."""
    rules = [rule for rule in knowledge.pathways[answer.pathway].rules if rule.verb == "order"]
    ranks = {one.regimen: (SPEAKING[one.strength], one.rank) for one in answer.suggested}
    fired = {
        step.step.removeprefix("rule:")
        for step in answer.trace
        if step.step.startswith("rule:") and step.outcome.value
    }
    for rule in rules:
        if rule.id not in fired:
            continue
        for first, then in product(rule.target.regimens, rule.then.regimens):
            if (
                first in ranks
                and then in ranks
                and ranks[first][0] <= ranks[then][0]
                and ranks[first] > ranks[then]
            ):
                yield f"{then} stands before {first}, against {rule.id}"


def _against_neighbours(
    point: Point, answer: Recommendation, knowledge: Knowledge, pathway: str, as_of: date
) -> Iterator[str]:
    """The same comparison for one state by itself, its neighbours answered for the purpose."""
    before = _kept(answer, point.sketch)

    def answered(sketch: Sketch) -> Kept:
        then = choose(sketched(sketch, knowledge, as_of), knowledge, point.region, pathway, Site())
        return _kept(then, sketch)

    for drug, given in point.sketch.drugs.items():
        if given.status is not Status.REFRACTORY:
            more = with_drug(point.sketch, drug, Status.REFRACTORY, given.months_ago)
            yield from _added(drug, before, answered(more), knowledge)
    if point.sketch.has or point.sketch.labs:
        return
    for finding in knowledge.state_space["findings"]:
        if finding.get("has"):
            ill = replace(point.sketch, has=sketch_of({"has": finding["has"]}).has)
            yield from (f"{finding['id']} {what}" for what in _moved(before, answered(ill)))
