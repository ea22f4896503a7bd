"""Labels with their reasons, targets, and how long: on a drug, since it, to a progression."""

from __future__ import annotations

from datetime import date

import pytest

from cds_service.patient.state import derive
from tests.chart import chart, given, myeloma, procedure, regimen, response
from tests.definitions.knowledge import with_definitions

AS_OF = date(2026, 11, 21)
VRD = "bortezomib lenalidomide dexamethasone"


def state_of(knowledge, *facts):
    return derive(chart(*facts), knowledge, AS_OF)


# ---- labels and why ----------------------------------------------------------------------------------------
def test_every_label_says_why_and_by_which_resources(knowledge):
    state = state_of(
        knowledge,
        *regimen(VRD, "2020-01-10", "2021-01-01", "progression"),
        *regimen("daratumumab pomalidomide", "2021-02-01", "2022-01-01", "progression"),
        *regimen("carfilzomib dexamethasone", "2022-02-01", "2023-01-01", "progression"),
    )
    assert state.labels == (
        "triple-class-exposed",
        "triple-class-refractory",
        "quad-refractory",
        "penta-refractory",
        "functional-high-risk",
    )
    assert tuple(state.label_reasons) == state.labels
    references = {r for d in state.drugs.values() for r in d.derived_from}
    for label, reason in state.label_reasons.items():
        assert reason.because.endswith("."), label
        assert reason.derived_from and references.issuperset(reason.derived_from), label
    penta = state.label_reasons["penta-refractory"].because
    assert penta == "Refractory to: bortezomib, carfilzomib, daratumumab, lenalidomide, pomalidomide."


def test_exposed_names_what_the_exposure_was(knowledge):
    state = state_of(
        knowledge,
        *regimen("daratumumab bortezomib lenalidomide", "2020-01-10", "2020-08-01", "completion"),
    )
    assert "daratumumab" in state.label_reasons["triple-class-exposed"].because
    assert "triple-class-refractory" not in state.labels


# One first line from 10 January 2020, a transplant on 10 August 2020, and a progression after it.
DEFINITIONS = [
    ("first-dose-18", "2021-06-30", True),
    ("first-dose-18", "2021-08-01", False),
    ("transplant-regimen-18", "2021-06-30", True),
    ("transplant-12", "2021-08-01", True),
    ("transplant-12", "2021-08-15", False),
    ("transplant-18", "2022-01-01", True),
    ("transplant-18", "2022-03-01", False),
    ("transplant-24", "2022-07-01", True),
    ("no-transplant-first-dose-18", "2021-06-30", False),  # this patient had a transplant
    ("no-transplant-first-dose-12", "2020-12-01", False),
    ("first-line-30", "2022-07-01", True),
    ("first-line-30", "2022-08-01", False),
]


def using(knowledge, wanted):
    """The knowledge with other definitions of functional high risk in use."""

    def choose(definitions):
        for entry in definitions["imwg"]["labels"]["functional_high_risk"]:
            entry["used"] = wanted(entry["id"])

    return with_definitions(knowledge, choose)


@pytest.mark.parametrize(("definition", "progression", "high"), DEFINITIONS)
def test_each_published_definition_of_high_risk_can_be_chosen(knowledge, definition, progression, high):
    chosen = using(knowledge, lambda key: key == definition)
    state = state_of(
        chosen,
        *regimen(VRD, "2020-01-10", "2020-06-01", "completion"),
        procedure("autologous-sct", "2020-08-10"),
        given("lenalidomide", "2020-11-10", progression, "progression"),
    )
    assert ("functional-high-risk" in state.labels) is high
    if high:
        assert state.label_reasons["functional-high-risk"].threshold == definition


def test_of_a_patient_without_a_transplant(knowledge):
    chosen = using(knowledge, lambda key: "transplant" in key)
    state = state_of(chosen, *regimen(VRD, "2020-01-10", "2020-12-01", "progression"))
    assert state.label_reasons["functional-high-risk"].threshold.startswith("no-transplant")


def test_a_date_that_leaves_it_open_gives_no_label_and_says_so(knowledge):
    state = state_of(knowledge, *regimen(VRD, "2020", "2021-09-30", "progression"))
    assert "functional-high-risk" not in state.labels
    assert state.open_labels == {"functional-high-risk"}
    surely_late = state_of(knowledge, *regimen(VRD, "2020", "2023-06-30", "progression"))
    assert surely_late.open_labels == frozenset()


# ---- targets -----------------------------------------------------------------------------------------------
def test_agents_against_one_target_are_told_apart(knowledge):
    state = state_of(
        knowledge,
        *regimen(VRD, "2018-01-10", "2020-01-01", "progression"),
        *regimen("belantamab-mafodotin bortezomib", "2020-02-01", "2021-01-01", "toxicity"),
        response("PR", "2020-06-01"),
        response("PD", "2021-08-01"),
        given("ciltacabtagene-autoleucel", "2021-09-15", "2021-09-15"),
        response("CR", "2022-01-10"),
        response("PD", "2024-01-10"),
        given("talquetamab", "2024-02-01", ongoing=True),
    )
    told = [
        (t.target, t.modality, t.drug, str(t.last), t.ongoing, t.stop_reason.value, t.best_response)
        for t in state.targets
    ]
    assert told == [
        ("BCMA", "ADC", "belantamab-mafodotin", "2021-01-01", False, "toxicity", "PR"),
        ("BCMA", "CAR-T", "ciltacabtagene-autoleucel", "2021-09-15", False, "unknown", "CR"),
        ("GPRC5D", "BsAb", "talquetamab", "2026-11-21", True, "unknown", None),
    ]
    assert all(t.derived_from for t in state.targets)


def test_without_such_agents_there_is_nothing_to_tell(knowledge):
    assert state_of(knowledge, *regimen(VRD, "2018-01-10", "2020-01-01")).targets == ()


# ---- how long ----------------------------------------------------------------------------------------------
def test_time_on_a_drug_and_since_it(knowledge):
    state = state_of(
        knowledge,
        given("bortezomib", "2020-01-10", "2020-07-10", "completion"),
        given("lenalidomide", "2020-01-10", "2020-07-10", "completion"),
        given("lenalidomide", "2020-11-10", "2023-11-10", "progression"),
        *regimen("daratumumab carfilzomib", "2024-02-21", ongoing=True),
    )
    drugs = state.drugs
    assert (drugs["lenalidomide"].months_on, drugs["lenalidomide"].months_since_last) == (42.0, 36.4)
    assert (drugs["bortezomib"].months_on, drugs["bortezomib"].months_since_last) == (6.0, 76.4)
    assert (drugs["daratumumab"].months_on, drugs["daratumumab"].months_since_last) == (33.0, None)
    assert (drugs["pomalidomide"].months_on, drugs["pomalidomide"].months_since_last) == (None, None)
    assert state.treatment_free_months == 0.0
    assert [line.months_to_progression for line in state.lines] == [46.0, None]


@pytest.mark.parametrize(
    ("facts", "months"),
    [
        ([given("lenalidomide", "2020-01-10", "2026-05-21", "completion")], 6.0),
        ([given("lenalidomide", "2020-01-10", "2026-05", "completion")], 6.2),
        ([given("lenalidomide", "2020-01-10", "2025", "completion")], None),
        ([given("lenalidomide", "2020-01-10")], None),
        ([given("dexamethasone", "2020-01-10", ongoing=True)], None),
        (
            [
                given("lenalidomide", "2020-01-10", "2026-05-21"),
                given("dexamethasone", "2020-01-10", ongoing=True),
            ],
            6.0,
        ),
        ([myeloma()], None),
    ],
    ids=[
        "exact",
        "to the month",
        "to the year",
        "end unknown",
        "a steroid alone",
        "a steroid goes on",
        "untreated",
    ],
)
def test_treatment_free_interval(knowledge, facts, months):
    assert state_of(knowledge, *facts).treatment_free_months == months


def test_a_course_of_unknown_start_has_no_length(knowledge):
    earlier, now = (
        given("lenalidomide", None, "2026-05-21"),
        given("lenalidomide", "2026-09-01", ongoing=True),
    )
    state = state_of(knowledge, earlier, now)
    assert state.drugs["lenalidomide"].months_on is None
