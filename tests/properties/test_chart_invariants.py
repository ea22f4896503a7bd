"""What must hold of the state derived of any chart, from the FHIR Bundle on."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.assess import Assessor, Question
from cds_service.patient.types import Certainty, DrugState, PatientState, Progression, Status
from tests.properties.untidy import (
    AS_OF,
    CALLED,
    COURSE_DRUGS,
    FAILED,
    IDENTIFIER,
    KNOWLEDGE,
    MYELOMA_DRUGS,
    NOT_FAILED,
    OF_PLANS,
    VERIFICATION,
    Course,
    Resource,
    abutting,
    administration,
    as_r5,
    asserted,
    bundle,
    charts,
    condition,
    copied,
    dateless,
    dates,
    days,
    dispense,
    effort,
    essence,
    finding,
    in_doses,
    in_orders,
    in_supplies,
    intolerance,
    m_protein,
    moved,
    order,
    patient,
    plain,
    plans_charted,
    procedure,
    record_of,
    request,
    response,
    state_of,
    statement,
    whole,
)

ASSESSOR = Assessor(KNOWLEDGE)
identity = st.text("abcdefgh", min_size=3, max_size=3)


def _shuffled(resources: list[Resource], seed: int) -> list[Resource]:
    return random.Random(seed).sample(resources, k=len(resources))  # noqa: S311


_FRESH = frozenset({"uuid"})  # made anew for each answer, so that feedback tells cards apart


# ---- order, copies, packing ------------------------------------------------------------------------------
@effort(25)
@given(chart=charts(), seed=st.integers())
def test_neither_order_nor_copies_change_the_assessment(chart: list[Resource], seed: int) -> None:
    question = Question(AS_OF, patient_id="p1", validation="off")
    told = ASSESSOR.assess(chart, question).to_json()
    other = ASSESSOR.assess(_shuffled(chart * 2, seed), question).to_json()
    for part in ("state", "recommendation", "cards"):
        assert plain(other[part], _FRESH) == plain(told[part], _FRESH), part


@effort(100)
@given(chart=charts(), seed=st.integers())
def test_neither_order_nor_copies_change_the_state(chart: list[Resource], seed: int) -> None:
    assert plain(state_of(_shuffled(chart * 2, seed))) == plain(state_of(chart))


@effort(100)
@given(chart=charts(), data=st.data())
def test_a_fact_entered_twice_under_two_ids_is_one_fact(chart: list[Resource], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(chart[1:]), max_size=6, unique_by=lambda one: one["id"]))
    doubled = chart + [copied(one, id=f"again-{one['id']}") for one in again]
    assert essence(state_of(doubled)) == essence(state_of(chart))


def _nested(resources: list[Resource], data: st.DataObject, depth: int = 0) -> Resource:
    """The resources in a Bundle or Parameters, some of them in further ones within."""
    inner: list[Resource] = []
    while resources:
        size = data.draw(st.integers(1, len(resources)))
        part, resources = resources[:size], resources[size:]
        inner += [_nested(part, data, depth + 1)] if depth < 3 and data.draw(st.booleans()) else part
    if data.draw(st.booleans()):
        return {"resourceType": "Parameters", "parameter": [{"name": "r", "resource": one} for one in inner]}
    kind = data.draw(st.sampled_from(["collection", "searchset", "batch-response", "transaction"]))
    return {"resourceType": "Bundle", "type": kind, "entry": [{"resource": one} for one in inner]}


@effort(60)
@given(chart=charts(), data=st.data())
def test_bundles_within_bundles_change_nothing(chart: list[Resource], data: st.DataObject) -> None:
    assert plain(state_of(_nested(chart, data))) == plain(state_of(chart))


@effort(100)
@given(chart=charts(), data=st.data())
def test_the_release_of_fhir_a_resource_is_written_in_changes_nothing(
    chart: list[Resource], data: st.DataObject
) -> None:
    mixed = [as_r5(one) if data.draw(st.booleans()) else one for one in chart]
    assert plain(state_of(mixed)) == plain(state_of(chart))


# ---- what is no fact of this patient ---------------------------------------------------------------------
@st.composite
def facts_of_harm(draw: Any, number: str) -> Resource:
    """A resource that would change much, were it the patient's."""
    drug = draw(st.sampled_from(MYELOMA_DRUGS))
    day = str(draw(days()))
    made = [
        statement("", CALLED[drug][0], "stopped", effectivePeriod={"start": "2015-01-01", "end": day},
                  statusReason=[{"text": "Disease progression"}]),
        order("", CALLED[drug][0], "active", authoredOn=day),
        administration("", CALLED[drug][0], day),
        dispense("", CALLED[drug][0], day, 28),
        response("", draw(st.sampled_from(["PD", "CR", "refractory"])), day),
        condition("", "Multiple myeloma in relapse", "relapse", onsetDateTime=day),
        condition("", "Plasma cell leukaemia"),
        condition("", "Peripheral neuropathy, grade 3"),
        m_protein("", 70, day),
        procedure("", "autologous stem cell transplant", day),
        request("", "Leukapheresis", day),
        procedure("", "CAR-T infusion", day) | {"status": "not-done"},
        finding("", "Not a CAR-T candidate", day),
        intolerance("", CALLED[drug][0], "allergy"),
        asserted("", "refractoriness", "refractory", day, drug),
        asserted("", "refractoriness", "not-refractory", day, drug),
        asserted("", "intolerance", "intolerant", day, drug),
        asserted("", "disease-status", "progression", day),
        asserted("", "lines-of-therapy", 7, day),
    ]  # fmt: skip
    return {**draw(st.sampled_from(made)), "id": f"foreign-{number}"}


harm = st.lists(st.integers(0, 999), min_size=1, max_size=5, unique=True).flatmap(
    lambda numbers: st.tuples(*[facts_of_harm(str(n)) for n in numbers])
)


@effort(100)
@given(chart=charts(), others=harm, data=st.data())
def test_another_patients_resources_change_nothing(
    chart: list[Resource], others: tuple[Resource, ...], data: st.DataObject
) -> None:
    url = "urn:uuid:7d1e2f00-0000-4000-8000-000000000001"
    number = {**IDENTIFIER, "value": "4711"}
    theirs: list[Resource] = []
    for one in others:
        node, contained = data.draw(
            st.sampled_from(
                [
                    ({"reference": "Patient/other"}, None),
                    ({"reference": "https://elsewhere.example.org/fhir/Patient/other/_history/2"}, None),
                    ({"identifier": number}, None),
                    ({"reference": url}, None),
                    ({"reference": "#p"}, {"resourceType": "Patient", "id": "p", "identifier": [number]}),
                    ({"reference": "Group/p1"}, None),
                ]
            )
        )
        key = "patient" if one["resourceType"] == "AllergyIntolerance" else "subject"
        theirs.append({**one, key: node, **({"contained": [contained]} if contained else {})})
    sent = bundle(chart + theirs)
    stranger = {"resourceType": "Patient", "id": "other", "identifier": [number], "birthDate": "1990-01-01"}
    sent["entry"].append({"fullUrl": url, "resource": stranger})
    assert plain(state_of(sent)) == plain(state_of(chart))


def _in_error(resource: Resource, name: str) -> Resource:
    wrong = copied(resource, id=name)
    if resource["resourceType"] in ("Condition", "AllergyIntolerance"):
        wrong["verificationStatus"] = {"coding": [{"system": VERIFICATION, "code": "entered-in-error"}]}
    else:
        wrong["status"] = "entered-in-error"
    return wrong


@effort(100)
@given(chart=charts(), others=harm, seed=st.integers())
def test_what_was_entered_in_error_changes_nothing(
    chart: list[Resource], others: tuple[Resource, ...], seed: int
) -> None:
    wrong = [_in_error(one, f"wrong-{n}") for n, one in enumerate([*chart[1:], *others])]
    assert plain(state_of(_shuffled(chart + wrong, seed))) == plain(state_of(chart))


@st.composite
def not_given(draw: Any, number: int) -> Resource:
    """An entry that says that a drug was planned, called off or never taken."""
    concept = draw(st.sampled_from(CALLED[draw(st.sampled_from(MYELOMA_DRUGS))]))
    day, name = str(draw(days())), f"never-{number}"
    period = {"start": day, "end": str(draw(days()))}
    status = draw(st.sampled_from(["draft", "cancelled"]))
    return draw(
        st.sampled_from(
            [
                order(name, concept, status, authoredOn=day),
                order(name, concept, "on-hold"),
                order(name, concept, "active", authoredOn=day, intent="plan"),
                order(name, concept, "active", authoredOn=day, intent="proposal"),
                order(name, concept, "active", authoredOn=day, doNotPerform=True),
                statement(name, concept, "intended", effectivePeriod=period),
                administration(name, concept, day, status="not-done"),
                {**dispense(name, concept, day, 28), "status": "cancelled"},
            ]
        )
    )


@effort(100)
@given(chart=charts(), data=st.data())
def test_what_was_planned_or_called_off_is_no_exposure(chart: list[Resource], data: st.DataObject) -> None:
    """Cells ordered, or charted as not given, are a plan or the end of one; nothing else changes."""
    never = [data.draw(not_given(n)) for n in range(data.draw(st.integers(1, 4)))]
    told, plainly = state_of(chart + never), state_of(chart)
    assert plain(told, OF_PLANS | {"issues"}) == plain(plainly, OF_PLANS | {"issues"})
    of_plans = {"plan-out-of-date", "conflicting-car-t"}
    assert {i for i in told.issues if i.code not in of_plans} == {
        i for i in plainly.issues if i.code not in of_plans
    }
    if not any(one.drug for one in record_of(never).plans):
        assert plain(told) == plain(plainly)


@effort(100)
@given(chart=charts(), data=st.data())
def test_plans_and_words_about_car_t_change_nothing_of_the_past(
    chart: list[Resource], data: st.DataObject
) -> None:
    """Not so what was done: a request that a procedure of the chart carried out is answered by it."""
    near = days(date(2025, 10, 1), AS_OF).map(str)
    more = [one for one in data.draw(plans_charted(near, "n")) if one.get("status") != "completed"]
    before, after = state_of(chart), state_of(chart + more)
    assert plain(after, OF_PLANS | {"issues"}) == plain(before, OF_PLANS | {"issues"})


@effort(100)
@given(chart=charts(), day=days(date(2026, 5, 5), AS_OF))
def test_whatever_else_is_charted_a_new_request_is_a_plan_and_a_later_word_undoes_it(
    chart: list[Resource], day: date
) -> None:
    # Done, or said, on that very day or later, it would be answered already.
    chart = [one for one in chart if not one["id"].startswith(("q", "x", "m"))]
    asked = [*chart, request("new", "Leukapheresis", str(day))]
    state = state_of(asked)
    assert state.planned == {"apheresis": ("ServiceRequest/new",)}
    assert (state.car_t, state.car_t_from) == ("feasible", ("ServiceRequest/new",))
    after = state_of(
        [*asked, finding("word", "CAR-T not feasible", str(day + timedelta(1)))], AS_OF + timedelta(1)
    )
    assert after.planned == {}
    assert (after.car_t, after.car_t_from) == ("not-feasible", ("Observation/word",))


@effort(60)
@given(drug=st.sampled_from(MYELOMA_DRUGS), ordered=days(), data=st.data())
def test_an_order_of_which_a_statement_says_not_taken_is_no_exposure(
    drug: str, ordered: date, data: st.DataObject
) -> None:
    concept, other = (data.draw(st.sampled_from(CALLED[drug])) for _ in range(2))
    denied = statement("n1", other, "not-taken", effectivePeriod={"start": str(ordered)})
    if data.draw(st.booleans()):
        denied = as_r5(denied)
    chart = [patient(), condition("c1", "Multiple myeloma"), order("r1", concept, authoredOn=str(ordered))]
    assert state_of(chart).drugs[drug].status is not Status.NAIVE
    assert state_of([*chart, denied]).drugs[drug].status is Status.NAIVE


# ---- time ------------------------------------------------------------------------------------------------
@effort(100)
@given(chart=charts(exact=True), by=st.integers(-1000, 1000))
def test_shifting_every_day_changes_nothing_but_the_days(chart: list[Resource], by: int) -> None:
    # The age goes by the calendar, not by days: without a birth date nothing of the state does.
    chart = [{k: v for k, v in one.items() if k != "birthDate"} for one in chart]
    then = state_of(moved(chart, by), AS_OF + timedelta(by))
    assert dateless(then) == dateless(state_of(chart))


_BEFORE_PROCEDURES = frozenset(
    drug
    for rule in KNOWLEDGE.definitions["imwg"]["purposes"]["rules"]
    for drug in rule["drugs"]
    if "before" in rule
)
_PERIODS = {"effectivePeriod", "occurencePeriod", "boundsPeriod"}


def _reversed(node: Any) -> Any:
    if isinstance(node, list):
        return [_reversed(one) for one in node]
    if not isinstance(node, dict):
        return node
    turned = {key: _reversed(inner) for key, inner in node.items()}
    for key in _PERIODS & set(turned):
        period = turned[key]
        if "start" in period and "end" in period:
            turned[key] = {"start": period["end"], "end": period["start"]}
    return turned


@effort(100)
@given(chart=charts(), data=st.data())
def test_an_end_before_the_start_never_raises_nor_makes_naive(
    chart: list[Resource], data: st.DataObject
) -> None:
    told = state_of(chart)
    turned = state_of([_reversed(one) if data.draw(st.booleans()) else one for one in chart])
    for key, drug in told.drugs.items():
        # Read so, by the start alone, is a single drug as given before a procedure: the decision is told.
        told_why = key in _BEFORE_PROCEDURES and any(p.drug == key for p in turned.purposes)
        if (drug.first is not None or drug.last is not None) and not told_why:
            assert turned.drugs[key].status is not Status.NAIVE, (key, drug)


# ---- one course in several entries -----------------------------------------------------------------------
@st.composite
def courses_beside(draw: Any, drugs: list[str] = COURSE_DRUGS) -> tuple[list[Resource], Course, Resource]:
    """A chart, and a course of a drug that it does not hold, with the concept that names the drug.

    Of a drug that the chart holds besides, the entries may contradict each other: that is another matter.
    """
    chart = draw(charts(most_lines=2))
    held = {fact.drug for fact in record_of(chart).drugs}
    drug = draw(st.sampled_from([key for key in drugs if key not in held]))
    first = draw(days(date(2015, 1, 1), date(2026, 1, 1)))
    last = min(first + timedelta(draw(st.integers(1, 500))), AS_OF)
    reason = draw(st.sampled_from(["", "", FAILED[0], NOT_FAILED[0], NOT_FAILED[1]]))
    return chart, Course(drug, first, last, reason), draw(st.sampled_from(CALLED[drug]))


@effort(80)
@given(beside=courses_beside(), data=st.data())
def test_doses_given_on_the_schedule_are_one_course(
    beside: tuple[list[Resource], Course, Resource], data: st.DataObject
) -> None:
    chart, course, concept = beside
    every = data.draw(st.integers(1, KNOWLEDGE.drugs[course.drug].dose_interval_days))
    doses = in_doses(course, "w", concept, every)
    assert essence(state_of(chart + doses)) == essence(state_of(chart + whole(course, "w", concept)))


@effort(80)
@given(beside=courses_beside(), data=st.data())
def test_two_abutting_statements_are_one_course(
    beside: tuple[list[Resource], Course, Resource], data: st.DataObject
) -> None:
    chart, course, concept = beside
    cut = course.first + timedelta(data.draw(st.integers(0, (course.last - course.first).days)))
    two = abutting(course, "w", concept, cut)
    assert essence(state_of(chart + two)) == essence(state_of(chart + whole(course, "w", concept)))


@effort(80)
@given(beside=courses_beside())
def test_monthly_orders_are_one_course(beside: tuple[list[Resource], Course, Resource]) -> None:
    chart, course, concept = beside
    several = in_orders(course, "w", concept)
    assert essence(state_of(chart + several)) == essence(state_of(chart + whole(course, "w", concept)))


@effort(80)
@given(beside=courses_beside())
def test_monthly_supplies_are_one_course(beside: tuple[list[Resource], Course, Resource]) -> None:
    chart, course, concept = beside
    course = Course(course.drug, course.first, course.last)
    one = state_of(chart + whole(course, "w", concept))
    several = state_of(chart + in_supplies(course, "w", concept))
    # Whether the last doses reached into the next line's regimen is not said by a supply.
    lines, of_one = ([(x.start, {*x.drugs} - {course.drug}) for x in told.lines] for told in (several, one))
    assert lines == of_one
    began, of_one_began = (
        [x.start for x in told.lines if course.drug in x.drugs][:1] for told in (several, one)
    )
    assert began == of_one_began
    for key, drug in several.drugs.items():
        # The last dose of a supply lies between its first day and its last: the answer may be less sure.
        assert drug.status in (one.drugs[key].status, Status.UNKNOWN if key == course.drug else None), key


# ---- progression -----------------------------------------------------------------------------------------
def _stopped_for_progression(chart: list[Resource], number: int) -> list[Resource]:
    """The chart with the stop of one of its statements, chosen by number, charted as for progression."""
    ended = [
        one for one in chart if one["resourceType"] == "MedicationStatement" and one["status"] != "active"
    ]
    if not ended:
        return chart
    chosen = ended[number % len(ended)]
    changed = {**chosen, "status": "stopped", "statusReason": [{"text": "Disease progression"}]}
    return [changed if one is chosen else one for one in chart]


_EXPLAINED = timedelta(KNOWLEDGE.definitions["imwg"]["lines"]["explained_days"])


def _new_ones(before: PatientState, after: PatientState) -> list[Progression]:
    told = {p.on for p in before.progressions}
    return [p for p in after.progressions if p.on not in told]


def _dated_by_another(drug: DrugState, before: PatientState, after: PatientState) -> bool:
    """Whether an unsure progression on which the drug's unknown rests was settled by a new one."""
    remain = {p.on for p in after.progressions}
    return any(
        not old.on.exact
        and old.on not in remain
        and {*old.derived_from} <= {*drug.derived_from}
        and any(
            old.on.earliest - _EXPLAINED <= new.on.earliest and new.on.latest <= old.on.latest
            for new in _new_ones(before, after)
        )
        for old in before.progressions
    )


def _line_explained(before: PatientState, after: PatientState) -> bool:
    """Whether a new progression, some time before a line began, tells why the line before it ended."""
    starts = [line.start for line in before.lines[1:] if line.start]
    return any(
        start.earliest - _EXPLAINED <= new.on.latest and new.on.earliest <= start.latest
        for start in starts
        for new in _new_ones(before, after)
    )


@effort(200)
@given(chart=charts(), day=days(), data=st.data())
def test_a_progression_more_never_makes_a_drug_less_refractory(
    chart: list[Resource], day: date, data: st.DataObject
) -> None:
    """What is refractory stays so; what is unknown is settled only by what answers its question.

    A drug unknown because a progression has no exact day may be settled by one whose day is known: the two
    are the same event where the new one lies inside the span of the old, or, of one charted some days after
    a new treatment began, within the 180 days before, as the progression for which this was begun. A drug
    unknown because a line began for no charted reason may be settled by a progression of the 180 days before
    that line: it is the reason, and the drug is judged by its day. Either way the drug was given, so it is
    never naive. A refractoriness by laboratory values alone may become unknown, where the new progression
    draws the lines so that the lowest value lies before the line that is judged, and fall where the values
    rose so soon after the new treatment began that they show what it was begun for.
    """
    on = data.draw(dates(day))
    more = data.draw(
        st.sampled_from(
            [
                [*chart, response("added", "PD", on)],
                [*chart, condition("added", "Multiple myeloma in relapse", "relapse", onsetDateTime=on)],
                _stopped_for_progression(chart, data.draw(st.integers(0, 9))),
            ]
        )
    )
    before, after = state_of(chart), state_of(more)
    by_values = {p.on for p in before.progressions if p.certainty is Certainty.COMPUTED}
    redrawn = bool(by_values - {p.on for p in after.progressions})
    for key, drug in before.drugs.items():
        now = after.drugs[key]
        told = (key, drug.because, now.because)
        if drug.status is Status.REFRACTORY:
            if not (redrawn and drug.certainty is Certainty.COMPUTED):
                assert now.status is Status.REFRACTORY, told
            assert now.status is not Status.NAIVE, told
        elif drug.status is Status.UNKNOWN and now.status not in (Status.REFRACTORY, Status.UNKNOWN):
            assert now.status is not Status.NAIVE or not drug.derived_from, told
            presumed = drug.certainty is Certainty.PRESUMED
            answered = _line_explained(before, after) if presumed else _dated_by_another(drug, before, after)
            assert answered, told


# ---- reasons and references ------------------------------------------------------------------------------
@effort(100)
@given(chart=charts())
def test_every_statement_has_a_reason_and_rests_on_resources_of_the_chart(chart: list[Resource]) -> None:
    known = {f"{one['resourceType']}/{one['id']}" for one in chart}
    state = state_of(chart)
    for drug in state.drugs.values():
        assert drug.because.strip().endswith(".")
        charted = drug.first is not None or drug.last is not None
        # Unknown of a drug never charted rests on what tells of treatment not on record, if on anything.
        assert bool(drug.derived_from) or not charted, drug
        assert charted or drug.status is Status.UNKNOWN or not drug.derived_from, drug
        assert charted or drug.status in (Status.NAIVE, Status.UNKNOWN), drug
    for one in state.classes.values():
        members = [
            s for s in state.drugs.values() if KNOWLEDGE.drugs[s.drug].is_of(KNOWLEDGE.classes[one.key])
        ]
        rests = any(s.status is one.status and s.derived_from for s in members)
        assert bool(one.derived_from) == rests, one
    for line in state.lines:
        assert line.starts_because and line.ends_because and line.derived_from, line
    for progression in state.progressions:
        assert progression.because.strip() and progression.derived_from, progression
    assert state.diagnosis.derived_from
    used = {
        reference
        for part in (*state.drugs.values(), *state.classes.values(), *state.lines, *state.progressions,
                     state.diagnosis)
        for reference in part.derived_from
    }  # fmt: skip
    used |= {one.reference for one in (*state.comorbidities, *state.labs.values())}
    used |= {
        one for references in (*state.intolerant.values(), *state.allergic.values()) for one in references
    }
    used |= {one for references in state.planned.values() for one in references} | {*state.car_t_from}
    assert bool(state.car_t_from) == (state.car_t != "unknown")
    used |= {*state.transplants, *(issue.where for issue in state.issues if issue.where)}
    assert used <= known, used - known


def test_the_generated_charts_reach_what_the_properties_speak_of() -> None:
    """A guard: properties over charts in which nothing happens would prove nothing."""
    statuses: set[Status] = set()
    labels: set[str] = set()
    lines: list[int] = []
    to_come: set[str] = set()

    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @given(chart=charts())
    def collect(chart: list[Resource]) -> None:
        state = state_of(chart)
        statuses.update(drug.status for drug in state.drugs.values())
        labels.update(label.partition(":")[0] for label in state.labels)
        lines.append(len(state.lines))
        to_come.update((*state.planned, state.car_t))

    collect()
    assert statuses == set(Status)
    assert {"first-relapse", "double-refractory", "triple-class-exposed", "functional-high-risk"} <= labels
    assert sum(n >= 2 for n in lines) > 40
    assert to_come == {"apheresis", "car-t", "transplant", "feasible", "not-feasible", "unknown"}
