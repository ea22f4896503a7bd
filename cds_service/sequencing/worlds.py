"""What the chart does not tell, asked both ways: which datum would decide, and whether the set would change.

For every datum that leaves a gate, a hard stop or a rule unknown, the regimens that wait for it are judged
again in each state the patient might be in. A regimen excluded for a sure reason stays so in all of them, by
Kleene's logic: what is decided does not depend on what is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

from cds_service.knowledge.references import leaves
from cds_service.knowledge.types import Condition, Knowledge
from cds_service.knowledge.wording import sentence
from cds_service.patient.refractory import class_states
from cds_service.patient.types import PatientState, Status, Unknown
from cds_service.record import ComorbidityFact, DateSpan, Measurement
from cds_service.sequencing.choose import Chooser, Judged
from cds_service.sequencing.labelling import datum_text
from cds_service.sequencing.types import Undecided, World

_FIT, _UNFIT = 0, 3
"""ECOG performance statuses between which every rule and label draws its limit."""
_MOST_LINES = 5
"""No rule or label asks for more prior lines than four."""
_LONG_MONTHS = 60
"""Longer than any time that a rule or label asks for."""
_NOT_A_FACT = frozenset({"label-date"})
"""What is unknown of the knowledge, not of the patient."""
_OF_THE_CHART_AT_LARGE = frozenset({"comorbidity", "lab", "estimated", "planned", "sex", "label-date"})
"""Not charted for nearly everybody: told with the whole answer, not among what a card asks for."""

_States = Iterator[tuple[str, PatientState]]


def undecided(chooser: Chooser, judged: Sequence[Judged]) -> tuple[Undecided, ...]:
    """Every datum that could decide something, in the order in which it is first asked for.

    Nothing where no choice is due. Where no medication history came, the drugs it would tell of are left
    aside: the history as a whole is what is missing.
    """
    if not chooser.state.needs_treatment_choice or chooser.state.out_of_scope:
        return ()
    waiting: dict[str, dict[str, Judged]] = {}
    steps: dict[str, dict[str, None]] = {}
    for one in judged:
        for step in one.trace:
            if step.outcome.value is None and _may_change(one):
                for datum in step.outcome.missing:
                    waiting.setdefault(datum, {})[one.regimen] = one
                    steps.setdefault(datum, {})[step.step] = None
    given = tuple(one.regimen for one in chooser.ordered(judged))
    found = []
    for datum, regimens in waiting.items():
        if datum in _NOT_A_FACT or _told_by_history(datum, chooser.state):
            continue
        worlds = tuple(
            _world(name, state, chooser, judged, frozenset(regimens), given)
            for name, state in _settled(chooser.state, datum, chooser.knowledge)
        )
        found.append(
            Undecided(
                datum=datum,
                text=datum_text(datum, chooser.knowledge),
                steps=tuple(steps[datum]),
                regimens=tuple(sorted(regimens)),
                worlds=worlds,
                changes_suggestions=any(world.suggested != given for world in worlds),
            )
        )
    return tuple(found)


def with_weighed_unknowns(
    state: PatientState, weighed: Sequence[Undecided], knowledge: Knowledge, language: str
) -> PatientState:
    """The state with ``changes_suggestions`` of every unknown answered, and what else would change them.

    A missing medication history always may change them. Where no choice is due nothing can.
    """
    if not state.needs_treatment_choice:
        return state
    changing = {one.datum for one in weighed if one.changes_suggestions}
    own = tuple(
        replace(u, changes_suggestions=u.what == "medication-history" or u.what in changing)
        for u in state.unknown
    )
    known = {u.what for u in own}
    more = []
    for one in weighed:
        if one.datum not in changing - known or one.datum.split(":")[0] in _OF_THE_CHART_AT_LARGE:
            continue
        text = sentence(knowledge.definitions, "would_settle", "datum", datum=one.text)
        more.append(Unknown(one.datum, text.in_language(language), True))
    return replace(state, unknown=(*own, *more))


def _may_change(one: Judged) -> bool:
    """Whether the regimen is suggested, or left out for nothing but the want of a rule."""
    return one.fits is not None or {reason.code for reason in one.reasons} <= {"no-rule"}


def _told_by_history(datum: str, state: PatientState) -> bool:
    kind, _, key = datum.partition(":")
    drug = state.drugs.get(key)
    return (
        not state.history_known and kind in ("refractory", "exposed") and (drug is None or drug.last is None)
    )


def _world(
    name: str,
    state: PatientState,
    chooser: Chooser,
    judged: Sequence[Judged],
    affected: frozenset[str],
    given: tuple[str, ...],
) -> World:
    other = Chooser(state, chooser.knowledge, chooser.region, chooser.pathway.id, chooser.site)
    regimens = chooser.knowledge.regimens
    then = tuple(
        one.regimen
        for one in other.ordered(
            [other.judge(regimens[one.regimen]) if one.regimen in affected else one for one in judged]
        )
    )
    return World(
        settled=name,
        adds=tuple(key for key in then if key not in given),
        removes=tuple(key for key in given if key not in then),
        suggested=then,
    )


# The states the patient might be in -----------------------------------------------------------------------
def _settled(state: PatientState, datum: str, knowledge: Knowledge) -> _States:
    kind, _, key = datum.partition(":")
    settle = _WAYS.get(kind)
    return settle(state, key, knowledge) if settle else iter(())


def _drug(
    state: PatientState, key: str, knowledge: Knowledge, name: str, **changes: Any
) -> tuple[str, PatientState]:
    drugs = {**state.drugs, key: replace(state.drugs[key], **changes)}
    return name, replace(state, drugs=drugs, classes=class_states(drugs, knowledge))


def _refractory(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    if key in state.drugs:
        yield _drug(state, key, knowledge, "refractory", status=Status.REFRACTORY)
        yield _drug(state, key, knowledge, "not-refractory", status=Status.EXPOSED)


def _exposed(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    if key in state.drugs:
        yield _drug(state, key, knowledge, "given", status=Status.EXPOSED)
        yield _drug(state, key, knowledge, "never-given", status=Status.NAIVE)


def _last_dose(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    if key in state.drugs:
        month = knowledge.definitions["imwg"]["days_per_month"]
        for months in (1, _LONG_MONTHS):
            day = state.as_of - timedelta(days=round(months * month))
            yield _drug(state, key, knowledge, f"{months}-months-ago", last=DateSpan(day, day))


def _prior_lines(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    for number in range(max(len(state.lines), 1), _MOST_LINES + 1):
        yield str(number), replace(state, prior_lines=number)


def _progressed(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    for name, value in (("yes", True), ("no", False)):
        yield name, replace(state, progressed_on_last=value)


def _months(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    label = "functional-high-risk"
    decided = replace(state, open_labels=state.open_labels - {label})
    early = decided if label in decided.labels else replace(decided, labels=(*decided.labels, label))
    yield "early", replace(early, first_remission_months=1.0)
    yield "late", replace(decided, first_remission_months=float(_LONG_MONTHS))


def _after_transplant(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    for name, months in (("early", 1.0), ("late", float(_LONG_MONTHS))):
        yield name, replace(state, months_to_progression_after_transplant=months)


def _transplant(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    yield "done", replace(state, transplants=("",))
    yield "not-done", replace(state, procedures_known=True)


def _ecog(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    for ecog in (_FIT, _UNFIT):
        yield str(ecog), replace(state, ecog=ecog)


def _age(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    for age in _between(_limits(knowledge, lambda leaf: leaf.argument if leaf.op == "age" else None)):
        yield f"{age:g}", replace(state, age=round(age))


def _sex(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    for sex in ("female", "male"):
        yield sex, replace(state, sex=sex)


def _comorbidity(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    """Absent; or present, as grave as each condition asks."""
    others = tuple(fact for fact in state.comorbidities if fact.concept != key)
    yield "absent", replace(state, comorbidities=others, ruled_out={**state.ruled_out, key: ()})
    severities = {""}
    for condition in _conditions(knowledge):
        for leaf in leaves(condition):
            if leaf.op == "has" and leaf.argument["concept"] == key:
                if "grade_at_least" in leaf.argument:
                    severities.add(f"grade-{leaf.argument['grade_at_least']}")
                severities.update(leaf.argument.get("severity", ())[-1:])
    ruled_out = {name: refs for name, refs in state.ruled_out.items() if name != key}
    for severity in sorted(severities - {""}) or [""]:
        fact = ComorbidityFact("", key, severity=severity)
        yield severity or "present", replace(state, comorbidities=(*others, fact), ruled_out=ruled_out)


def _lab(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    limits = _limits(
        knowledge,
        lambda leaf: leaf.argument if leaf.op == "lab" and leaf.argument["concept"] == key else None,
    )
    for value in _between(limits):
        measured = Measurement("", key, DateSpan(state.as_of, state.as_of), value)
        yield f"{value:g}", replace(state, labs={**state.labs, key: measured})


def _biology(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    for found in ("present", "absent"):
        yield found, replace(state, biology={**state.biology, key: found})


def _car_t(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    for status in ("feasible", "not-feasible"):
        yield status, replace(state, car_t=status)


def _planned(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    yield "planned", replace(state, planned={**state.planned, key: ("",)})
    yield "not-planned", replace(state, planned={**state.planned, key: ()})


_WAYS: Mapping[str, Callable[[PatientState, str, Knowledge], _States]] = {
    "refractory": _refractory,
    "exposed": _exposed,
    "last-dose": _last_dose,
    "prior-lines": _prior_lines,
    "progressed-on-last": _progressed,
    "months": _months,
    "months-after-transplant": _after_transplant,
    "transplant": _transplant,
    "ecog": _ecog,
    "age": _age,
    "sex": _sex,
    "comorbidity": _comorbidity,
    "lab": _lab,
    "estimated": _lab,
    "biology": _biology,
    "car-t": _car_t,
    "planned": _planned,
}


def _conditions(knowledge: Knowledge) -> Iterator[Condition | None]:
    """Every condition that may wait for a comorbidity, a value or an age."""
    for component in knowledge.components.values():
        yield from (caution.when for caution in component.cautions)
        yield from (adjustment.when for adjustment in component.adjustments)
    for regimen in knowledge.regimens.values():
        for label in regimen.labels:
            yield label.when
        for dose in regimen.doses:
            yield dose.when
    for pathway in knowledge.pathways.values():
        for rule in pathway.rules:
            yield rule.when
    for stop in knowledge.hard_stops:
        yield stop.when


def _limits(knowledge: Knowledge, of: Callable[[Condition], Mapping[str, Any] | None]) -> list[float]:
    """The numbers at which any condition draws a limit, ascending."""
    found: set[float] = set()
    for condition in _conditions(knowledge):
        for leaf in leaves(condition):
            limits = of(leaf)
            if limits is not None:
                found.update(float(value) for name, value in limits.items() if name != "concept")
    return sorted(found)


def _between(limits: Sequence[float]) -> Iterator[float]:
    """One number below all limits, one between each two, one above all."""
    if limits:
        yield limits[0] / 2
        for lower, upper in pairwise(limits):
            yield (lower + upper) / 2
        yield limits[-1] * 1.5
