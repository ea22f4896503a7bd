"""What must hold for every patient, tried over generated charts (design: safety invariants)."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.patient.state import derive
from cds_service.patient.types import Status
from cds_service.record import (
    AllergyFact,
    Assertion,
    ClinicalRecord,
    ComorbidityFact,
    DateSpan,
    DrugFact,
    Given,
    Measurement,
    PlanFact,
    PlanSays,
    ProcedureFact,
    Response,
    ResponseFact,
    StopReason,
)
from cds_service.sequencing.choose import choose
from tests.chart import chart, myeloma
from tests.properties.untidy import effort
from tests.shipped import KNOWLEDGE

AS_OF = date(2026, 11, 1)
DRUGS = sorted(key for key, drug in KNOWLEDGE.drugs.items() if drug.role != "supportive")
CONCEPTS = sorted({c.when.argument["concept"] for one in KNOWLEDGE.components.values() for c in one.cautions
                   if c.when is not None and c.when.op == "has"})  # fmt: skip
days = st.dates(date(2016, 1, 1), date(2026, 10, 1))
property_settings = effort(60)


@st.composite
def spans(draw, exact=False):
    day = draw(days)
    precision = "day" if exact else draw(st.sampled_from(["day", "day", "day", "month", "year"]))
    return DateSpan.on({"day": str(day), "month": str(day)[:7], "year": str(day)[:4]}[precision])


@st.composite
def drug_facts(draw, number, exact):
    first = draw(spans(exact))
    last = draw(st.none() | st.integers(0, 900))
    ongoing = draw(st.booleans()) if last is None else False
    end = None if last is None else DateSpan.on(min(first.latest + timedelta(last), AS_OF))
    return DrugFact(
        reference=f"MedicationStatement/m{number}",
        drug=draw(st.sampled_from(DRUGS)),
        given=draw(st.sampled_from([Given.GIVEN, Given.GIVEN, Given.ORDERED])),
        first_dose=first,
        last_dose=end,
        ongoing=ongoing,
        stop_reason=draw(st.sampled_from(list(StopReason))) if not ongoing else StopReason.UNKNOWN,
    )


@st.composite
def response_facts(draw, number):
    category = draw(st.sampled_from(list(Response)))
    return ResponseFact(
        f"Observation/r{number}", draw(spans()), category, progression=category is Response.PD
    )


@st.composite
def plan_facts(draw, number, exact):
    plan = draw(st.sampled_from(["apheresis", "car-t", "transplant"]))
    kinds = {"apheresis": "leukapheresis", "car-t": "cart-infusion", "transplant": "autologous-sct"}
    says = draw(st.sampled_from(list(PlanSays)))
    if says in (PlanSays.FEASIBLE, PlanSays.NOT_FEASIBLE):
        plan = "car-t"
    said = draw(st.none() | spans(exact) | st.dates(date(2026, 5, 1), AS_OF).map(lambda d: DateSpan(d, d)))
    return PlanFact(
        f"ServiceRequest/q{number}", plan, says, said, kind=kinds[plan], of_t_cells=plan != "transplant"
    )


@st.composite
def charts(draw, exact=False):
    drugs = [draw(drug_facts(n, exact)) for n in range(draw(st.integers(1, 7)))]
    responses = [draw(response_facts(n)) for n in range(draw(st.integers(0, 4)))]
    procedures = [
        ProcedureFact(f"Procedure/p{n}", kind, draw(spans()))
        for n, kind in enumerate(
            draw(st.lists(st.sampled_from(["autologous-sct", "stem-cell-collection"]), max_size=2))
        )
    ]
    plans = [draw(plan_facts(n, exact)) for n in range(draw(st.sampled_from([0, 0, 1, 2])))]
    comorbidities = tuple(
        ComorbidityFact(
            f"Condition/c{n}", concept, severity=draw(st.sampled_from(["", "grade-2", "grade-3", "NYHA-III"]))
        )
        for n, concept in enumerate(draw(st.lists(st.sampled_from(CONCEPTS), max_size=2, unique=True)))
    )
    allergies = tuple(
        AllergyFact(f"AllergyIntolerance/a{n}", drug, intolerance=draw(st.booleans()))
        for n, drug in enumerate(draw(st.lists(st.sampled_from(DRUGS), max_size=1)))
    )
    ecog = draw(st.none() | st.integers(0, 4))
    labs = () if ecog is None else (Measurement("Observation/e", "ecog", DateSpan.on("2026-10-01"), ecog),)
    diagnosis = draw(
        st.sampled_from([myeloma(), myeloma("relapse", "2026-09-15"), myeloma("remission", "2020-01-01")])
    )
    return chart(
        *drugs,
        *responses,
        *procedures,
        *plans,
        diagnosis,
        comorbidities=comorbidities,
        allergies=allergies,
        measurements=labs,
    )


regions = st.sampled_from(["EMA", "FDA"])
pathways = st.sampled_from(sorted(KNOWLEDGE.pathways))


def answered(record: ClinicalRecord, region: str, pathway: str = "default"):
    state = derive(record, KNOWLEDGE, AS_OF)
    return state, choose(state, KNOWLEDGE, region, pathway)


def _shown(record, region):
    state, recommendation = answered(record, region)
    return replace(state, issues=()), recommendation


@property_settings
@given(record=charts(), region=regions, pathway=pathways)
def test_nothing_refractory_intolerant_or_allergic_is_ever_suggested(record, region, pathway):
    state, answer = answered(record, region, pathway)
    anti_cd38_refractory = state.classes["anti-CD38"].status is Status.REFRACTORY
    for suggested in answer.suggested:
        for key in KNOWLEDGE.regimens[suggested.regimen].components:
            drug = KNOWLEDGE.drugs[key]
            if drug.role != "anti-myeloma":
                continue
            assert key not in state.allergic
            assert state.drugs[key].status is not Status.REFRACTORY
            assert key not in state.intolerant
            assert not (anti_cd38_refractory and "anti-CD38" in drug.classes)


@property_settings
@given(record=charts(), region=regions)
def test_nothing_outside_its_label_is_suggested_and_every_regimen_is_in_one_list(record, region):
    _, answer = answered(record, region)
    assert {s.label.status for s in answer.suggested} <= {"within", "unknown"}
    assert all(s.label.missing for s in answer.suggested if s.label.status == "unknown")
    keys = [s.regimen for s in answer.suggested] + [n.regimen for n in answer.not_suggested]
    assert sorted(keys) == sorted(KNOWLEDGE.regimens)
    assert [s.rank for s in answer.suggested] == list(range(1, len(answer.suggested) + 1))


@property_settings
@given(record=charts(), region=regions, drug=st.sampled_from(DRUGS), data=st.data())
def test_a_refractoriness_more_never_adds_a_regimen_with_that_drug(record, region, drug, data):
    _, before = answered(record, region)
    course = DrugFact(
        "MedicationStatement/added",
        drug,
        Given.GIVEN,
        first_dose=data.draw(spans()),
        stop_reason=StopReason.PROGRESSION,
    )
    _, after = answered(replace(record, drugs=(*record.drugs, course)), region)
    if KNOWLEDGE.drugs[drug].role != "anti-myeloma":
        return
    added = {s.regimen for s in after.suggested} - {s.regimen for s in before.suggested}
    assert not [key for key in added if drug in KNOWLEDGE.regimens[key].components]


@property_settings
@given(
    record=charts(),
    region=regions,
    concept=st.sampled_from(CONCEPTS),
    severity=st.sampled_from(["", "grade-3", "NYHA-III"]),
)
def test_a_contraindication_never_moves_a_regimen_it_concerns_ahead_of_another(
    record, region, concept, severity
):
    fact = ComorbidityFact("Condition/added", concept, severity=severity)
    _, before = answered(record, region)
    _, after = answered(replace(record, comorbidities=(*record.comorbidities, fact)), region)
    rank_before = {s.regimen: s.rank for s in before.suggested}
    rank_after = {s.regimen: s.rank for s in after.suggested}
    concerned = {
        s.regimen for s in after.suggested if any("Condition/added" in c.derived_from for c in s.cautions)
    }
    for key in concerned & set(rank_before):
        for other in set(rank_after) - concerned:
            if other in rank_before and rank_before[key] > rank_before[other]:
                assert rank_after[key] > rank_after[other]


@property_settings
@given(record=charts(), region=regions, seed=st.integers())
def test_order_and_duplicates_never_change_the_answer(record, region, seed):
    rng = random.Random(seed)  # noqa: S311
    shuffled = {
        name: tuple(rng.sample([*getattr(record, name)] * 2, k=2 * len(getattr(record, name))))
        for name in ("drugs", "responses", "procedures", "plans", "diagnoses")
    }
    assert _shown(replace(record, **shuffled), region) == _shown(record, region)


def _references(state):
    parts = [
        state.diagnosis,
        *state.drugs.values(),
        *state.lines,
        *state.progressions,
        *state.classes.values(),
        *state.purposes,
    ]
    found = {r for part in parts for r in part.derived_from} | {*state.transplants, *state.car_t_from}
    found |= {reference for references in state.planned.values() for reference in references}
    return found | {c.reference for c in state.comorbidities} | {m.reference for m in state.labs.values()}


@property_settings
@given(record=charts(), region=regions)
def test_a_resource_on_which_nothing_rests_can_be_removed(record, region):
    # Of these at least nothing is derived: a trend before any treatment, a procedure of another kind.
    early = ResponseFact("Observation/early", DateSpan.on("2010-01-01"), trend="stable")
    other = ProcedureFact("Procedure/other", "bone-marrow-biopsy", DateSpan.on("2020-01-01"))
    record = replace(record, responses=(*record.responses, early), procedures=(*record.procedures, other))
    state, answer = answered(record, region)
    used = _references(state)
    assert not used & {early.reference, other.reference}
    kept = replace(
        record,
        responses=tuple(r for r in record.responses if r.reference in used),
        procedures=tuple(
            p for p in record.procedures if p.reference in used or p.kind == "stem-cell-collection"
        ),
    )
    assert _shown(kept, region) == (replace(state, issues=()), answer)


@property_settings
@given(record=charts(exact=True), region=regions, shift=st.integers(1, 2000))
def test_shifting_every_date_changes_nothing_but_the_dates(record, region, shift):
    by = timedelta(days=shift)

    def moved(span):
        return None if span is None else span.plus(shift)

    later = replace(
        record,
        patient=replace(record.patient, birth=None),
        drugs=tuple(
            replace(f, first_dose=moved(f.first_dose), last_dose=moved(f.last_dose)) for f in record.drugs
        ),
        responses=tuple(replace(f, on=moved(f.on)) for f in record.responses),
        procedures=tuple(replace(f, on=moved(f.on)) for f in record.procedures),
        plans=tuple(replace(f, said=moved(f.said), on=moved(f.on)) for f in record.plans),
        diagnoses=tuple(replace(f, onset=moved(f.onset)) for f in record.diagnoses),
        measurements=tuple(replace(f, on=moved(f.on)) for f in record.measurements),
    )
    now = derive(replace(record, patient=replace(record.patient, birth=None)), KNOWLEDGE, AS_OF)
    then = derive(later, KNOWLEDGE, AS_OF + by)
    assert {k: (s.status, s.certainty) for k, s in then.drugs.items()} == {
        k: (s.status, s.certainty) for k, s in now.drugs.items()
    }
    assert (then.planned, then.car_t, then.car_t_from) == (now.planned, now.car_t, now.car_t_from)
    assert (then.labels, then.prior_lines, then.needs_treatment_choice) == (
        now.labels,
        now.prior_lines,
        now.needs_treatment_choice,
    )
    # Labels run on the calendar; on AS_OF each has begun, and none of them ends after it.
    assert [s.regimen for s in choose(then, KNOWLEDGE, region, "default").suggested] == [
        s.regimen for s in choose(now, KNOWLEDGE, region, "default").suggested
    ]


MARKERS = {"m-protein-serum": 60, "m-protein-urine-24h": 900, "flc-kappa": 900, "flc-lambda": 900,
           "bm-plasma-cells-pct": 100}  # fmt: skip


@st.composite
def laboratory_values(draw):
    """Runs of values, some weeks apart, that rise and fall."""
    values = []
    for marker in draw(st.lists(st.sampled_from(sorted(MARKERS)), min_size=1, max_size=4, unique=True)):
        day = draw(days)
        for number in range(draw(st.integers(1, 8))):
            value = draw(st.integers(0, MARKERS[marker])) / (10 if marker == "m-protein-serum" else 1)
            reference = f"Observation/{marker}-{number}"
            values.append(Measurement(reference, marker, DateSpan(day, day), float(value)))
            day = min(day + timedelta(days=draw(st.sampled_from([1, 28, 35, 90]))), AS_OF)
    return tuple(values)


@property_settings
@given(record=charts(), values=laboratory_values())
def test_laboratory_values_never_make_a_drug_less_refractory(record, values):
    before = derive(record, KNOWLEDGE, AS_OF)
    after = derive(replace(record, measurements=(*record.measurements, *values)), KNOWLEDGE, AS_OF)
    for key, drug in before.drugs.items():
        if drug.status in (Status.REFRACTORY, Status.UNKNOWN):
            graver = (Status.REFRACTORY, drug.status)
            assert after.drugs[key].status in graver, (drug.because, after.drugs[key].because)
        if drug.status is Status.REFRACTORY:
            assert drug.certainty is after.drugs[key].certainty


@property_settings
@given(record=charts(), values=laboratory_values(), seed=st.integers())
def test_the_order_of_laboratory_values_never_changes_the_answer(record, values, seed):
    shuffled = tuple(random.Random(seed).sample([*values] * 2, k=2 * len(values)))  # noqa: S311
    first, second = (
        derive(replace(record, measurements=one), KNOWLEDGE, AS_OF) for one in (values, shuffled)
    )
    assert first == second


@pytest.mark.parametrize("region", ["EMA", "FDA"])
def test_the_generated_charts_do_reach_suggestions(region):
    """A guard for the tests above: a strategy that never leads to a choice would prove nothing."""
    reached = []

    @settings(max_examples=80, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(record=charts())
    def collect(record):
        reached.append(bool(answered(record, region)[1].suggested))

    collect()
    assert sum(reached) > 10


# ---- a clinician's assertions ------------------------------------------------------------------------------
JUDGED = sorted(key for key, drug in KNOWLEDGE.drugs.items() if drug.treats_myeloma and not drug.unidentified)


@st.composite
def assertions(draw, until=AS_OF):
    """What clinicians said of a patient: often of the same thing, now so, now otherwise."""
    found = []
    for number in range(draw(st.integers(1, 5))):
        what, values = draw(
            st.sampled_from(
                [
                    *((f"refractory:{key}", ("refractory", "not-refractory")) for key in JUDGED[:4] * 2),
                    (f"refractory:{draw(st.sampled_from(JUDGED))}", ("refractory", "not-refractory")),
                    (f"intolerant:{draw(st.sampled_from(JUDGED))}", ("intolerant", "tolerated")),
                    ("disease-status", ("progression", "stable", "improved")),
                    ("prior-lines", ("0", "1", "2", "4")),
                ]
            )
        )
        on = draw(st.dates(date(2016, 1, 1), until))
        moment = draw(st.sampled_from(["", "", f"{on}T08:00:00+00:00", f"{on}T09:00:00+00:00"]))
        found.append(Assertion(f"Observation/s{number}", what, draw(st.sampled_from(values)), on, moment))
    return found


@property_settings
@given(record=charts(), region=regions, pathway=pathways, said=assertions())
def test_no_assertion_makes_what_fails_or_is_not_borne_a_suggestion(record, region, pathway, said):
    state, answer = answered(replace(record, assertions=tuple(said)), region, pathway)
    for suggested in answer.suggested:
        for key in KNOWLEDGE.regimens[suggested.regimen].components:
            if KNOWLEDGE.drugs[key].role == "anti-myeloma":
                assert state.drugs[key].status is not Status.REFRACTORY
                assert key not in state.intolerant and key not in state.allergic


@property_settings
@given(record=charts(), region=regions, drug=st.sampled_from(JUDGED), said=assertions(), on=days)
def test_an_asserted_refractoriness_never_adds_a_regimen_with_that_drug(record, region, drug, said, on):
    before = tuple(one for one in said if one.what != f"refractory:{drug}")
    _, without = answered(replace(record, assertions=before), region)
    asserted = Assertion("Observation/added", f"refractory:{drug}", "refractory", on)
    state, after = answered(replace(record, assertions=(*before, asserted)), region)
    assert state.drugs[drug].status is Status.REFRACTORY
    added = {s.regimen for s in after.suggested} - {s.regimen for s in without.suggested}
    assert not [key for key in added if drug in KNOWLEDGE.regimens[key].components]


@property_settings
@given(record=charts(), said=assertions(), seed=st.integers())
def test_neither_order_nor_copies_of_assertions_change_anything(record, said, seed):
    told = derive(replace(record, assertions=tuple(said)), KNOWLEDGE, AS_OF)
    shuffled = random.Random(seed).sample(said * 2, k=len(said) * 2)  # noqa: S311
    assert derive(replace(record, assertions=tuple(shuffled)), KNOWLEDGE, AS_OF) == told


@property_settings
@given(record=charts(), said=assertions(), later=st.integers(1, 400))
def test_assertions_of_later_days_change_nothing(record, said, later):
    future = tuple(replace(one, on=AS_OF + timedelta(later)) for one in said)
    assert derive(replace(record, assertions=future), KNOWLEDGE, AS_OF) == derive(record, KNOWLEDGE, AS_OF)


@property_settings
@given(record=charts(exact=True), drug=st.sampled_from(JUDGED), on=days, data=st.data())
def test_a_progression_on_a_drug_after_any_assertion_makes_it_refractory(record, drug, on, data):
    """Whatever was asserted before: new evidence is never hidden."""
    since = on + timedelta(data.draw(st.integers(1, 200)))
    if since >= AS_OF or KNOWLEDGE.drugs[drug].one_off:
        return
    newer = DrugFact(
        "MedicationStatement/newer",
        drug,
        Given.GIVEN,
        first_dose=DateSpan.on(on),
        last_dose=DateSpan.on(since),
        stop_reason=StopReason.PROGRESSION,
    )
    others = tuple(one for one in record.drugs if one.drug != drug)
    said = tuple(
        Assertion(f"Observation/{what}", f"{what}:{drug}", value, on)
        for what, value in (("refractory", "not-refractory"), ("intolerant", "tolerated"))
    )
    status = Assertion("Observation/status", "disease-status", "stable", on)
    state = derive(replace(record, drugs=(*others, newer), assertions=(*said, status)), KNOWLEDGE, AS_OF)
    assert state.drugs[drug].status is Status.REFRACTORY


@property_settings
@given(record=charts(), said=assertions())
def test_each_assertion_is_told_once_with_whether_it_counts(record, said):
    state = derive(replace(record, assertions=tuple(said)), KNOWLEDGE, AS_OF)
    told = [(one.what, one.value, one.on, one.reference) for one in state.asserted]
    assert sorted(told) == sorted((one.what, one.value, one.on, one.reference) for one in said)
    for what in {one.what for one in said}:
        assert sum(one.in_force for one in state.asserted if one.what == what) <= 1
    for one in state.asserted:
        if one.in_force and one.what.startswith("refractory:"):
            refractory = state.drugs[one.what.partition(":")[2]].status is Status.REFRACTORY
            assert refractory is (one.value == "refractory")


@property_settings
@given(record=charts(), number=st.integers(0, 6), on=days)
def test_an_asserted_number_of_lines_is_the_least_there_are(record, number, on):
    said = Assertion("Observation/n", "prior-lines", str(number), on)
    state = derive(replace(record, assertions=(said,)), KNOWLEDGE, AS_OF)
    since = sum(1 for line in state.lines if line.start is not None and line.start.earliest > on)
    assert state.prior_lines == number + since
