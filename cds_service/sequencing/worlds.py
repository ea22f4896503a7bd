"""What the chart does not tell, asked both ways: which datum would decide, and whether the set would change.

For every datum that leaves a gate, a hard stop or a rule unknown, the regimens that wait for it are judged
again in each state the patient might be in. A regimen excluded for a sure reason stays so in all of them, by
Kleene's logic: what is decided does not depend on what is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from cds_service.knowledge.limits import deciding, less_severe, limits, severities
from cds_service.knowledge.types import Knowledge
from cds_service.knowledge.wording import sentence
from cds_service.patient.refractory import class_states
from cds_service.patient.types import LONG_AGO, PatientState, Status, Unknown
from cds_service.record import ComorbidityFact, DateSpan, Measurement
from cds_service.sequencing.choose import Chooser, Judged
from cds_service.sequencing.labelling import datum_text
from cds_service.sequencing.types import Undecided, World

_NOT_A_FACT = frozenset({"label-date"})
"""What is unknown of the knowledge, not of the patient."""
_OF_THE_CHART_AT_LARGE = frozenset({"comorbidity", "lab", "estimated", "planned", "sex", "label-date"})
"""Not charted for nearly everybody: told with the whole answer, not among what a card asks for."""
_OF_ONE_DRUG = ("refractory", "exposed", "last-dose")
"""What was given and what it did: whoever learns one of them learns of the others."""

_States = Iterator[tuple[str, PatientState]]


def undecided(chooser: Chooser, judged: Sequence[Judged]) -> tuple[Undecided, ...]:
    """Every datum that could decide something, in the order in which it is first asked for.

    Nothing where no choice is due. Where no medication history came, the drugs it would tell of are left
    aside: the history as a whole is what is missing.
    """
    if not chooser.state.needs_treatment_choice or chooser.state.out_of_scope:
        return ()
    waiting: dict[str, dict[str, None]] = {}
    steps: dict[str, dict[str, None]] = {}
    for one in judged:
        for step in one.trace:
            if step.outcome.value is None and _may_change(one):
                for datum in step.outcome.missing:
                    waiting.setdefault(datum, {})[one.regimen] = None
                    steps.setdefault(datum, {})[step.step] = None
    given = tuple(one.regimen for one in chooser.ordered(judged))
    found = []
    for datum, regimens in waiting.items():
        if datum in _NOT_A_FACT or _told_by_history(datum, chooser.state):
            continue
        told = _told_with(datum, waiting)
        again = frozenset(one.regimen for one in judged if _may_change(one) and one.waits_for & told)
        worlds = tuple(
            _world(name, state, chooser, judged, again, given)
            for name, state in settled(chooser.state, datum, chooser.knowledge)
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
    again: frozenset[str],
    given: tuple[str, ...],
) -> World:
    other = Chooser(state, chooser.knowledge, chooser.region, chooser.pathway.id, chooser.site, chooser)
    regimens = chooser.knowledge.regimens
    then = tuple(
        one.regimen
        for one in other.ordered(
            [other.judge(regimens[one.regimen]) if one.regimen in again else one for one in judged]
        )
    )
    return World(
        settled=name,
        adds=tuple(key for key in then if key not in given),
        removes=tuple(key for key in given if key not in then),
        suggested=then,
    )


# The states the patient might be in -----------------------------------------------------------------------
def settled(state: PatientState, datum: str, knowledge: Knowledge) -> _States:
    """The states the patient might be in by this datum, named; one at least of each answer it can make."""
    kind, _, key = datum.partition(":")
    settle = _WAYS.get(kind)
    return settle(state, key, knowledge) if settle else iter(())


def _told_with(datum: str, waiting: Mapping[str, Any]) -> set[str]:
    """The data that are known, too, once this one is."""
    kind, _, key = datum.partition(":")
    if kind in _OF_ONE_DRUG:
        return {f"{other}:{key}" for other in _OF_ONE_DRUG}
    if kind in ("lab", "estimated"):
        return {f"lab:{key}", f"estimated:{key}"}
    if kind == "car-t":  # where no cells can be given, none are planned
        return {datum, *(other for other in waiting if other.startswith("planned:"))}
    return {datum}


def _numbers(knowledge: Knowledge, leaf: str, concept: str = "", **bounds: Any) -> tuple[float, ...]:
    return deciding(limits(knowledge).get((leaf, concept), ()), **bounds)


def _drug(
    state: PatientState, key: str, knowledge: Knowledge, name: str, **changes: Any
) -> tuple[str, PatientState]:
    drugs = {**state.drugs, key: replace(state.drugs[key], **changes)}
    return name, replace(state, drugs=drugs, classes=class_states(drugs, knowledge))


def _refractory(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    if key in state.drugs:
        yield _drug(state, key, knowledge, "refractory", status=Status.REFRACTORY)
        yield _drug(state, key, knowledge, "not-refractory", status=Status.EXPOSED)
        if not state.drugs[key].given:
            yield _drug(state, key, knowledge, "never-given", status=Status.NAIVE)


def _exposed(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    if key in state.drugs:
        some_day = DateSpan(LONG_AGO, state.as_of)
        yield _drug(state, key, knowledge, "given", status=Status.UNKNOWN, last=some_day)
        yield _drug(state, key, knowledge, "never-given", status=Status.NAIVE)


def _last_dose(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    if key in state.drugs:
        month = knowledge.definitions["imwg"]["days_per_month"]
        for months in _numbers(knowledge, "months_since_last"):
            day = state.as_of - timedelta(days=round(months * month))
            yield _drug(state, key, knowledge, f"{months:g}-months-ago", last=DateSpan(day, day))


def _prior_lines(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    least = max(len(state.lines), 1)
    for number in map(round, _numbers(knowledge, "prior_lines", whole=True, least=least)):
        first = ("first-relapse",) if number == 1 else ()
        yield str(number), replace(state, prior_lines=number, labels=(*state.labels, *first))


def _progressed(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    for name, value in (("yes", True), ("no", False)):
        yield name, replace(state, progressed_on_last=value)


def _months(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    """Months to the first progression; the label drawn from them by the first definition in use."""
    label = "functional-high-risk"
    definitions = knowledge.definitions["imwg"]["labels"]["functional_high_risk"]
    early = next(float(one["under_months"]) for one in definitions if one["used"])
    drawn = {*limits(knowledge).get(("months_to_first_progression", ""), ()), ("under", early)}
    others = tuple(one for one in state.labels if one != label)
    for months in deciding(drawn):
        labels = (*others, label) if months < early or label in state.labels else others
        settled = replace(state, labels=labels, open_labels=state.open_labels - {label})
        yield f"{months:g}-months", replace(settled, first_remission_months=months)


def _after_transplant(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    for months in _numbers(knowledge, "months_from_transplant_to_progression"):
        yield f"{months:g}-months", replace(state, months_to_progression_after_transplant=months)


def _transplant(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    yield "done", replace(state, transplants=("",))
    yield "not-done", replace(state, procedures_known=True)


def _ecog(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    for ecog in map(round, _numbers(knowledge, "ecog", whole=True)):
        yield str(ecog), replace(state, ecog=ecog)


def _age(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    for age in map(round, _numbers(knowledge, "age", whole=True)):
        yield str(age), replace(state, age=age)


def _sex(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    for sex in ("female", "male"):
        yield sex, replace(state, sex=sex)


def _comorbidity(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    """Absent, or milder than any condition asks where it is charted; or as grave as each condition asks."""
    others = tuple(fact for fact in state.comorbidities if fact.concept != key)
    charted = len(others) < len(state.comorbidities)
    asked = severities(knowledge).get(key) or ("",)
    if not charted:
        yield "absent", replace(state, comorbidities=others, ruled_out={**state.ruled_out, key: ()})
    elif less_severe(asked[0]) not in asked:
        milder = ComorbidityFact("", key, severity=less_severe(asked[0]))
        yield "less-severe", replace(state, comorbidities=(*others, milder))
    ruled_out = {name: refs for name, refs in state.ruled_out.items() if name != key}
    for severity in asked:
        fact = ComorbidityFact("", key, severity=severity)
        yield severity or "present", replace(state, comorbidities=(*others, fact), ruled_out=ruled_out)


def _lab(state: PatientState, key: str, knowledge: Knowledge) -> _States:
    for value in _numbers(knowledge, "lab", key):
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
