"""Charts as they are: late entries, forgotten orders, missing lines. Each case once gave a wrong answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cds_service.patient.state import derive
from cds_service.record import (
    ComorbidityFact,
    Completeness,
    DateSpan,
    DiagnosisFact,
    DiagnosisStatus,
    DrugFact,
    Measurement,
    ResponseFact,
)
from cds_service.record import Given as Kind
from tests.chart import chart, given, myeloma, procedure, regimen, response

AS_OF = date(2026, 11, 1)
VRD = "bortezomib lenalidomide dexamethasone"
DRD = "daratumumab lenalidomide dexamethasone"


def state_of(knowledge, *facts, **more):
    return derive(chart(*facts, **more), knowledge, AS_OF)


def status(state, *drugs):
    return [state.drugs[d].status.value for d in drugs]


def draft(drug):
    return DrugFact(f"MedicationRequest/{drug}", drug, Kind.DRAFT, selected=True)


# A progression charted after the next line began


@pytest.mark.parametrize(
    ("case", "relapse"),
    [
        ("relapse entered two weeks after the new line began", myeloma("relapse", None, "2025-09-24")),
        ("progressive disease dated five days after the first dose", response("PD", "2025-09-15")),
        ("relapse entered again months later, in response", myeloma("relapse", None, "2025-12-24")),
    ],
)
def test_a_late_entry_is_the_progression_for_which_the_line_was_begun(knowledge, case, relapse):
    state = state_of(
        knowledge,
        *regimen(VRD, "2022-01-10", "2025-08-20"),
        *regimen("daratumumab pomalidomide", "2025-09-10", ongoing=True),
        response("VGPR", "2026-03-01"),
        relapse,
    )
    assert status(state, "daratumumab", "pomalidomide") == ["sensitive", "sensitive"]
    assert not state.needs_treatment_choice
    assert state.prior_lines == 2


def test_without_a_later_response_it_stays_open_on_which_side_it_fell(knowledge):
    state = state_of(
        knowledge,
        *regimen(VRD, "2022-01-10", "2025-08-20"),
        *regimen("daratumumab pomalidomide", "2025-09-10", ongoing=True),
        response("PD", "2025-09-15"),
    )
    assert status(state, "lenalidomide", "pomalidomide") == ["refractory", "unknown"]
    assert not state.needs_treatment_choice
    assert "progression-date" in [u.what for u in state.unknown]


# Entries left open


def test_orders_left_active_do_not_outlast_a_charted_stop_for_progression(knowledge):
    orders = [given(d, "2023-01-10", ongoing=True, ordered=True) for d in DRD.split()]
    state = state_of(knowledge, *regimen(DRD, "2023-01-10", "2026-08-20", "progression"), *orders)
    assert status(state, "lenalidomide", "daratumumab") == ["refractory", "refractory"]
    assert state.needs_treatment_choice
    assert [line.ends_because for line in state.lines] == ["progression"]
    assert state.progressed_on_last is True


# Lines that are missing from the record


@pytest.mark.parametrize(
    ("case", "facts"),
    [
        (
            "nobody begins with CAR-T",
            [given("ciltacabtagene-autoleucel", "2024-06-01", "2024-06-01"), response("PD", "2026-08-01")],
        ),
        (
            "progressive disease before the first drug on record",
            [response("PD", "2024-01-05"), *regimen("daratumumab pomalidomide", "2024-02-01", ongoing=True)],
        ),
        (
            "a transplant without induction",
            [
                procedure("autologous-sct", "2022-05-01"),
                given("lenalidomide", "2022-08-01", "2026-08-01", "progression"),
            ],
        ),
        (
            "a relapse entry newer than the diagnosis, before the first drug",
            [
                myeloma("active", "2018-01-05"),
                myeloma("relapse", "2024-01-05"),
                *regimen("daratumumab pomalidomide", "2024-02-01", ongoing=True),
            ],
        ),
    ],
)
def test_what_the_chart_implies_but_does_not_hold_makes_nothing_naive(knowledge, case, facts):
    state = state_of(knowledge, *facts)
    assert status(state, "bortezomib") == ["unknown"]
    assert state.prior_lines is None
    assert "first-relapse" not in state.labels


def test_a_charted_third_line_is_the_third_line(knowledge):
    state = state_of(
        knowledge, *regimen("daratumumab pomalidomide", "2024-02-01", "2026-08-01", "progression", line=3)
    )
    assert state.prior_lines == 3
    assert [line.number for line in state.lines] == [3]
    assert "first-relapse" not in state.labels
    assert status(state, "lenalidomide") == ["unknown"]


def test_how_the_line_before_a_missing_one_ended_is_unknown(knowledge):
    state = state_of(
        knowledge,
        *regimen(VRD, "2018-01-10", "2020-01-10", line=1),
        *regimen("daratumumab pomalidomide", "2024-02-01", "2026-08-01", "progression", line=3),
    )
    assert status(state, "lenalidomide", "bortezomib") == ["unknown", "unknown"]


def test_a_page_missing_leaves_the_number_of_lines_open(knowledge):
    state = state_of(
        knowledge,
        *regimen(DRD, "2023-01-10", "2026-08-20", "progression"),
        completeness={"medicationStatements": Completeness.PARTIAL},
    )
    assert state.prior_lines is None
    assert "first-relapse" not in state.labels


# Reasons that do not explain everything


def test_a_charted_line_number_says_nothing_of_the_reason(knowledge):
    state = state_of(
        knowledge,
        *regimen(VRD, "2022-01-10", "2024-01-01", line=1),
        *regimen("carfilzomib dexamethasone", "2024-01-10", "2026-08-20", line=2),
        response("PD", "2026-08-25"),
    )
    assert status(state, "lenalidomide", "bortezomib", "carfilzomib") == ["unknown", "unknown", "refractory"]


def test_the_toxicity_of_one_drug_does_not_explain_the_stop_of_another(knowledge):
    state = state_of(
        knowledge,
        given("bortezomib", "2026-01-10", "2026-05-01", "toxicity"),
        given("lenalidomide", "2026-01-10", "2026-05-20"),
        *regimen("daratumumab carfilzomib dexamethasone", "2026-05-25", ongoing=True),
    )
    assert status(state, "lenalidomide", "bortezomib") == ["unknown", "exposed"]
    assert state.drugs["lenalidomide"].certainty.value == "presumed"


@pytest.mark.parametrize(
    ("case", "maintenance_stop", "then", "lines"),
    [
        ("maintenance failed: a new line", "no-response", "daratumumab pomalidomide", 2),
        ("maintenance was not borne: a new line", "toxicity", "daratumumab carfilzomib", 2),
        (
            "CAR-T nine months after a transplant is no maintenance",
            "completion",
            "ciltacabtagene-autoleucel",
            2,
        ),
    ],
)
def test_not_everything_within_a_year_of_a_transplant_is_planned(
    knowledge, case, maintenance_stop, then, lines
):
    end = "2025-02-10" if "autoleucel" in then else None
    state = state_of(
        knowledge,
        *regimen(VRD, "2023-12-01", "2024-04-01"),
        procedure("autologous-sct", "2024-06-01"),
        given("lenalidomide", "2024-09-01", "2025-02-01", maintenance_stop),
        *regimen(then, "2025-02-10", end, ongoing=end is None),
    )
    assert len(state.lines) == lines


def test_a_regimen_begun_after_another_was_stopped_is_not_assembled_with_it(knowledge):
    state = state_of(
        knowledge,
        *regimen(VRD, "2024-01-10", "2024-02-09", "toxicity"),
        *regimen("daratumumab pomalidomide", "2024-02-19", ongoing=True),
    )
    assert len(state.lines) == 2


@pytest.mark.parametrize("last", [None, "2025"])
def test_an_undated_stop_lies_before_what_replaced_the_drug(knowledge, last):
    state = state_of(
        knowledge,
        *regimen(VRD, "2022-01-10", last, "progression"),
        *regimen("daratumumab pomalidomide", "2025-09-10", ongoing=True),
        response("VGPR", "2026-03-01"),
    )
    assert not state.needs_treatment_choice
    assert status(state, "lenalidomide", "daratumumab") == ["refractory", "sensitive"]


# Progression on the last therapy


def test_an_open_steroid_is_not_the_last_therapy(knowledge):
    state = state_of(
        knowledge,
        *regimen("daratumumab bortezomib", "2023-01-10", "2024-01-20", "completion"),
        given("dexamethasone", "2023-01-10", ongoing=True),
        response("PD", "2026-08-01"),
    )
    assert state.progressed_on_last is False


def test_a_progression_of_an_earlier_line_is_none_on_the_last(knowledge):
    state = state_of(
        knowledge,
        given("bortezomib", "2020-01-10", "2023-06-01"),
        response("PD", "2022-12-01"),
        given("daratumumab", "2023-01-10", "2024-01-20", "completion"),
        response("PD", "2026-08-01"),
    )
    assert state.progressed_on_last is False


# Drafts


@pytest.mark.parametrize(
    ("case", "facts", "drug"),
    [
        (
            "maintenance after a transplant",
            [
                *regimen(VRD, "2025-12-01", "2026-04-01"),
                procedure("autologous-sct", "2026-06-01"),
                response("CR", "2026-09-01"),
            ],
            "lenalidomide",
        ),
        (
            "the next cycle of the running regimen",
            [*regimen(VRD, "2026-06-01", "2026-10-20"), response("PR", "2026-09-01")],
            "bortezomib",
        ),
    ],
)
def test_an_order_that_continues_the_plan_is_no_relapse(knowledge, case, facts, drug):
    state = state_of(knowledge, *facts, drafts=(draft(drug),))
    assert not state.needs_treatment_choice
    assert "first-relapse" not in state.labels


def test_an_order_for_another_line_makes_a_choice_due_but_no_relapse(knowledge):
    state = state_of(
        knowledge, *regimen(VRD, "2023-06-01", "2024-10-20", "completion"), drafts=(draft("carfilzomib"),)
    )
    assert state.needs_treatment_choice
    assert "first-relapse" not in state.labels


# Responses and their absence


def test_the_word_refractory_without_a_day_leaves_the_last_line_open(knowledge):
    undated = ResponseFact("Observation/x", None, no_response=True)
    state = state_of(knowledge, *regimen(DRD, "2025-01-10", ongoing=True), undated)
    assert status(state, "lenalidomide", "daratumumab") == ["unknown", "unknown"]


def test_stable_disease_after_two_cycles_makes_a_choice_due(knowledge):
    state = state_of(knowledge, *regimen(VRD, "2026-06-01", ongoing=True), response("SD", "2026-10-01"))
    assert status(state, "lenalidomide") == ["refractory"]
    assert state.needs_treatment_choice


def test_stable_disease_after_car_t_is_non_response(knowledge):
    state = state_of(
        knowledge,
        *regimen(VRD, "2020-01-10", "2024-01-01", "progression"),
        given("ciltacabtagene-autoleucel", "2026-03-01", "2026-03-01"),
        response("SD", "2026-06-01"),
    )
    assert status(state, "ciltacabtagene-autoleucel") == ["refractory"]


def test_the_response_to_car_t_is_not_that_of_its_bridging(knowledge):
    state = state_of(
        knowledge,
        *regimen(VRD, "2020-01-10", "2024-01-01", "progression"),
        *regimen("daratumumab pomalidomide", "2024-06-01", "2024-07-20", purpose="bridging"),
        given("ciltacabtagene-autoleucel", "2024-08-15", "2024-08-15"),
        response("CR", "2025-02-01"),
    )
    assert status(state, "daratumumab", "ciltacabtagene-autoleucel") == ["exposed", "sensitive"]


def test_functional_high_risk_counts_from_the_first_dose_whatever_line_progressed(knowledge):
    state = state_of(
        knowledge,
        *regimen(VRD, "2025-01-10", "2025-06-01", "toxicity"),
        *regimen("daratumumab carfilzomib", "2025-07-20", "2026-01-05"),
        response("PD", "2026-01-08"),
    )
    assert "functional-high-risk" in state.labels


def test_what_was_stopped_for_toxicity_and_begun_again_was_tolerated(knowledge):
    state = state_of(
        knowledge,
        given("lenalidomide", "2023-01-10", "2024-06-01", "toxicity"),
        given("lenalidomide", "2024-09-01", "2026-08-01", "completion"),
    )
    assert not state.drugs["lenalidomide"].intolerant


def test_the_first_of_two_samples_dates_the_progression_though_it_was_charted_later(knowledge):
    def serum(value, day):
        return Measurement(f"Observation/{day}", "m-protein-serum", DateSpan.on(day), value, "g/dL")

    values = [("2022-01-05", 3.0), ("2025-01-05", 0.4), ("2025-10-20", 1.5), ("2025-11-10", 1.7)]
    state = state_of(
        knowledge,
        *regimen(VRD, "2022-01-10", "2025-09-01", "completion"),
        response("PD", "2025-11-15"),  # 75 days after the last dose; the first sample lies 49 days after it
        measurements=tuple(serum(value, day) for day, value in values),
    )
    assert status(state, "lenalidomide") == ["refractory"]
    assert state.drugs["lenalidomide"].certainty.value == "computed"
    assert len(state.lines) == 1


# Lines and drugs that run on


def test_a_drug_carried_over_does_not_prolong_the_line_before(knowledge):
    state = state_of(
        knowledge,
        *regimen("lenalidomide dexamethasone", "2022-01-10", ongoing=True),
        response("PD", "2024-01-02"),
        given("daratumumab", "2024-01-10", ongoing=True),
    )
    assert state.lines[0].end == DateSpan.on("2024-01-10")
    assert set(state.lines[1].drugs) == {"daratumumab", "lenalidomide", "dexamethasone"}


def test_what_begins_on_one_day_is_of_one_line(knowledge):
    state = state_of(
        knowledge,
        *regimen(VRD, "2020-01-10", "2021-01-10", "completion"),
        response("PD", "2024-01-02"),
        *regimen("daratumumab bortezomib dexamethasone", "2024-01-10", "2025-01-10", "completion"),
        response("PR", "2024-06-01"),
    )
    assert [line.regimen for line in state.lines] == ["vrd", "d-vd"]
    assert status(state, "bortezomib") == ["sensitive"]


def test_mobilisation_before_a_transplant_without_a_charted_collection(knowledge):
    state = state_of(
        knowledge,
        *regimen(VRD, "2023-12-01", "2024-04-01"),
        given("cyclophosphamide", "2024-05-01", "2024-05-01"),
        procedure("autologous-sct", "2024-06-01"),
    )
    assert len(state.lines) == 1
    assert status(state, "cyclophosphamide", "lenalidomide") == ["naive", "exposed"]


def test_treatment_of_smouldering_disease_by_its_dates(knowledge):
    smouldering = DiagnosisFact(
        "Condition/smm", "smouldering-myeloma", DiagnosisStatus.HISTORY, onset=DateSpan.on("2017-01-10")
    )
    state = state_of(
        knowledge,
        smouldering,
        myeloma("active", "2021-03-01"),
        given("daratumumab", "2018-01-10", "2020-01-10"),
        *regimen(VRD, "2021-04-01", ongoing=True),
    )
    assert [line.regimen for line in state.lines] == ["vrd"]
    assert status(state, "daratumumab") == ["exposed"]


# What is too old to speak for the present


def test_old_values_and_old_infections_decide_nothing(knowledge):
    state = state_of(
        knowledge,
        *regimen(VRD, "2022-01-10", "2026-08-20", "progression"),
        measurements=(Measurement("Observation/e", "ecog", DateSpan.on("2018-01-01"), 3),),
        comorbidities=(ComorbidityFact("Condition/p", "serious-infection", onset=DateSpan.on("2019-01-01")),),
    )
    assert state.ecog is None
    assert not state.comorbidities[0].active


# ---- what several entries of one drug say of its end -------------------------------------------------------
LATER_ENTRY = [
    (
        "a month of stopping after an exact earlier course",
        [("2024-01-03", "2024-03-04"), ("2024-03-10", "2024-06")],
    ),
    ("a later entry without any end", [("2024-01-03", "2024-03-04"), ("2024-03-10", None)]),
    (
        "the year of stopping, known better by another entry",
        [("2024-01-03", "2024"), ("2024-01-03", "2024-06-20")],
    ),
]


@pytest.mark.parametrize("entries", [c[1] for c in LATER_ENTRY], ids=[c[0] for c in LATER_ENTRY])
def test_the_entry_that_reaches_further_tells_the_end(knowledge, entries):
    state = state_of(
        knowledge,
        *(given("bortezomib", first, last) for first, last in entries),
        response("PD", "2024-07-15"),
    )
    expected = "unknown" if entries[1][1] is None else "refractory"
    assert status(state, "bortezomib") == [expected]


def test_a_failure_is_dated_by_the_entry_that_tells_of_it(knowledge):
    state = state_of(
        knowledge,
        given("bortezomib", "2015-01-10", "2015-08-02", "progression"),
        given("bortezomib", "2015-01-10", "2015-08-29"),
    )
    assert [str(p.on) for p in state.progressions] == ["2015-08-02"]
    assert "2015-08-02" in state.drugs["bortezomib"].because


def test_a_progression_before_any_treatment_explains_no_relapse(knowledge):
    relapsed = myeloma("relapse", onset="2021-07-23")
    ongoing = given("melphalan", "2021-07-23", ongoing=True)
    alone = state_of(knowledge, relapsed, ongoing)
    with_old = state_of(knowledge, relapsed, ongoing, response("PD", "2015-02-04"))
    assert status(alone, "melphalan") == status(with_old, "melphalan") == ["refractory"]


def test_a_toxicity_charted_as_reason_leaves_no_doubt_of_the_drugs_that_go_on(knowledge):
    state = state_of(
        knowledge,
        given("lenalidomide", "2021-02-01", "2022-02-01", "toxicity"),
        *regimen("daratumumab dexamethasone", "2021-02-01", ongoing=True),
        given("pomalidomide", "2022-02-15", ongoing=True),
    )
    assert [line.starts_because for line in state.lines] == ["first-treatment", "toxicity"]
    assert status(state, "daratumumab", "lenalidomide") == ["exposed", "exposed"]


def test_supplies_handed_out_every_month_are_one_course(knowledge):
    def supply(day: str, until: str):
        return replace(
            given("carfilzomib", day), last_dose=DateSpan(date.fromisoformat(day), date.fromisoformat(until))
        )

    state = state_of(
        knowledge,
        given("belantamab-mafodotin", "2015-01-01", "2015-03-02"),
        supply("2015-01-01", "2015-01-28"),
        supply("2015-01-29", "2015-02-25"),
    )
    assert len(state.lines) == 1


def test_what_a_line_was_begun_for_is_not_held_against_its_own_drugs(knowledge):
    state = state_of(
        knowledge,
        *regimen(VRD, "2018-01-10", "2020-05-20"),
        given("belantamab-mafodotin", "2020-06-04", "2022-10-22"),
        given("pomalidomide", "2020-06", "2022-11"),
    )
    assert status(state, "belantamab-mafodotin", "pomalidomide") == ["exposed", "exposed"]
    assert status(state, "lenalidomide") == ["unknown"]


def test_of_two_courses_alike_the_later_is_told(knowledge):
    state = state_of(
        knowledge,
        given("lenalidomide", "2019-01-01", "2019-06-01", "completion"),
        given("lenalidomide", "2022-01-01", "2022-06-01", "completion"),
    )
    assert "2022-06-01" in state.drugs["lenalidomide"].because


@pytest.mark.parametrize(("progressed", "status"), [("2023-06-10", "unknown"), ("2024-09-02", "exposed")])
def test_a_progression_of_long_before_does_not_tell_why_a_line_ended(knowledge, progressed, status):
    state = state_of(
        knowledge,
        given("bortezomib", "2022-01-10", "2023-05-01", line=1),
        given("lenalidomide", "2024-10-01", "2025-02-20", line=1),
        response("PD", progressed),
        given("carfilzomib", "2025-03-01", ongoing=True, line=2),
    )
    assert state.drugs["lenalidomide"].status == status


@pytest.mark.parametrize("kind", ["relapse", "progression"])
def test_a_relapse_before_the_first_drug_on_record_leaves_the_history_incomplete(knowledge, kind) -> None:
    text = DateSpan.on("2012-01-01")
    state = state_of(
        knowledge,
        myeloma(onset="2008-01-10"),
        ResponseFact(f"Observation/{kind}", text, progression=True, text=kind),
        *regimen("bortezomib dexamethasone", "2012-02-01", "2013-01-01", "progression"),
    )
    assert state.prior_lines is None
    assert status(state, "melphalan", "daratumumab") == ["unknown", "unknown"]


def test_a_copy_of_an_exact_entry_beside_a_month_changes_nothing(knowledge):
    month, exact, copy = (
        given("dexamethasone", *days, reference=f"MedicationStatement/{number}")
        for number, days in enumerate(
            [("2015-01", "2015-01"), ("2015-01-03", "2015-01-04"), ("2015-01-03", "2015-01-04")]
        )
    )
    once, twice = (
        state_of(knowledge, *facts).drugs["dexamethasone"] for facts in ((month, exact), (month, exact, copy))
    )
    assert (str(once.first), str(once.last)) == (str(twice.first), str(twice.last))
