"""Naive, exposed, sensitive, refractory or unknown: cases as a haematologist would put them."""

from __future__ import annotations

from datetime import date

import pytest

from cds_service.patient.state import derive
from cds_service.record import Completeness, ResponseFact
from tests.chart import chart, given, myeloma, on, procedure, regimen, response

AS_OF = date(2026, 3, 1)

CASES = [
    # case, chart, drug, status, certainty
    (
        "progression on 10 mg maintenance",
        [given("lenalidomide", "2022-01-10", "2025-12-01", "completion"), response("PD", "2025-11-20")],
        "lenalidomide",
        "refractory",
        "documented",
    ),
    (
        "stopped for progression, no other trace of it",
        [given("daratumumab", "2022-01-10", "2025-12-01", "progression")],
        "daratumumab",
        "refractory",
        "documented",
    ),
    (
        "stopped for lack of response",
        [given("daratumumab", "2025-02-03", "2025-07-28", "no-response")],
        "daratumumab",
        "refractory",
        "documented",
    ),
    (
        "stopped for toxicity, relapse a year later",
        [given("lenalidomide", "2022-01-10", "2024-01-10", "toxicity"), response("PD", "2025-02-01")],
        "lenalidomide",
        "exposed",
        "documented",
    ),
    (
        "stopped for toxicity, progression on day 60: refractory all the same",
        [given("lenalidomide", "2022-01-10", "2025-03-01", "toxicity"), response("PD", "2025-04-30")],
        "lenalidomide",
        "refractory",
        "documented",
    ),
    (
        "planned stop in response, relapse two years later",
        [
            given("lenalidomide", "2020-01-10", "2022-01-10", "completion"),
            response("VGPR", "2021-06-01"),
            response("PD", "2024-02-01"),
        ],
        "lenalidomide",
        "sensitive",
        "documented",
    ),
    (
        "still being given when the disease progressed",
        [given("lenalidomide", "2022-01-10", ongoing=True), response("PD", "2026-02-10")],
        "lenalidomide",
        "refractory",
        "documented",
    ),
    (
        "the day of the last dose is not charted",
        [given("lenalidomide", "2022-01-10"), response("PD", "2025-12-01")],
        "lenalidomide",
        "unknown",
        "computed",
    ),
    (
        "only the year of the progression is charted",
        [given("lenalidomide", "2022-01-10", "2025-02-01"), response("PD", "2025")],
        "lenalidomide",
        "unknown",
        "computed",
    ),
    (
        "stable disease at best after four cycles, then stopped",
        [given("daratumumab", "2025-02-03", "2025-07-28"), response("SD", "2025-05-26")],
        "daratumumab",
        "refractory",
        "computed",
    ),
    (
        "stable disease after three weeks says nothing yet",
        [given("daratumumab", "2025-02-03", "2025-07-28"), response("SD", "2025-02-24")],
        "daratumumab",
        "exposed",
        "documented",
    ),
    (
        "stable after an earlier partial response is that response holding",
        [
            given("daratumumab", "2025-02-03", "2025-12-28"),
            response("PR", "2025-04-26"),
            response("SD", "2025-08-26"),
        ],
        "daratumumab",
        "sensitive",
        "documented",
    ),
    (
        "the chart calls the disease refractory while on it",
        [given("carfilzomib", "2025-02-03", "2025-07-28"), response("refractory", "2025-07-01")],
        "carfilzomib",
        "refractory",
        "documented",
    ),
    (
        "a new line within 60 days without a charted reason leaves it open",
        [
            *regimen("bortezomib dexamethasone", "2022-01-10", "2022-11-01"),
            *regimen("daratumumab lenalidomide dexamethasone", "2022-12-01", ongoing=True),
        ],
        "bortezomib",
        "unknown",
        "presumed",
    ),
    (
        "a new line after a toxicity stop makes nothing refractory",
        [
            *regimen("bortezomib dexamethasone", "2022-01-10", "2022-11-01", "toxicity"),
            *regimen("carfilzomib dexamethasone", "2022-12-01", ongoing=True),
        ],
        "bortezomib",
        "exposed",
        "documented",
    ),
    ("never given", [given("lenalidomide", "2022-01-10", ongoing=True)], "bortezomib", "naive", "computed"),
    (
        "relapse by diagnosis onset, on the drug",
        [given("lenalidomide", "2022-01-10", ongoing=True), myeloma("relapse", "2026-01-12")],
        "lenalidomide",
        "refractory",
        "documented",
    ),
    (
        "known from an active order only: computed, not documented",
        [given("lenalidomide", "2022-01-10", ongoing=True, ordered=True), response("PD", "2026-01-12")],
        "lenalidomide",
        "refractory",
        "computed",
    ),
    (
        "cyclophosphamide for mobilisation is no exposure",
        [
            given("cyclophosphamide", "2022-05-23", "2022-05-23", purpose="mobilisation"),
            given("lenalidomide", "2022-01-10", ongoing=True),
        ],
        "cyclophosphamide",
        "naive",
        "computed",
    ),
    (
        "two days of melphalan before a transplant are conditioning",
        [
            given("melphalan", "2022-07-05", "2022-07-06"),
            procedure("autologous-sct", "2022-07-07"),
            given("lenalidomide", "2022-01-10", ongoing=True),
        ],
        "melphalan",
        "naive",
        "computed",
    ),
    (
        "months of oral melphalan before a transplant are treatment",
        [given("melphalan", "2022-01-05", "2022-07-01"), procedure("autologous-sct", "2022-07-07")],
        "melphalan",
        "exposed",
        "documented",
    ),
    (
        "progression within 60 days of a CAR-T infusion",
        [
            given("lenalidomide", "2022-01-10", "2023-02-01", "progression"),
            given("ciltacabtagene-autoleucel", "2025-10-01", "2025-10-01"),
            response("PD", "2025-11-15"),
        ],
        "ciltacabtagene-autoleucel",
        "refractory",
        "documented",
    ),
]


@pytest.mark.parametrize(("case", "facts", "drug", "status", "certainty"), CASES, ids=[c[0] for c in CASES])
def test_state_of_a_drug(knowledge, case, facts, drug, status, certainty):
    state = derive(chart(*facts), knowledge, AS_OF).drugs[drug]
    assert (state.status.value, state.certainty.value) == (status, certainty), state.because


@pytest.mark.parametrize(
    ("case", "facts", "drug_class", "status"),
    [
        (
            "daratumumab-refractory is anti-CD38 refractory",
            [given("daratumumab", "2024-01-10", "2025-12-01", "progression")],
            "anti-CD38",
            "refractory",
        ),
        (
            "one proteasome inhibitor refractory: the class shows the gravest",
            [
                given("bortezomib", "2020-01-10", "2021-12-01", "progression"),
                given("carfilzomib", "2022-02-10", "2023-12-01", "completion"),
            ],
            "PI",
            "refractory",
        ),
        (
            "iberdomide is a CELMoD, no IMiD",
            [given("iberdomide", "2024-01-10", "2025-12-01", "progression")],
            "IMiD",
            "naive",
        ),
        (
            "teclistamab exposes to BCMA",
            [given("teclistamab", "2024-01-10", "2025-06-01", "toxicity")],
            "BCMA",
            "exposed",
        ),
    ],
)
def test_state_of_a_class(knowledge, case, facts, drug_class, status):
    assert derive(chart(*facts), knowledge, AS_OF).classes[drug_class].status.value == status


def test_without_a_medication_history_nothing_is_naive(knowledge):
    record = chart(
        myeloma("relapse", "2026-01-12"),
        completeness={"medicationStatements": Completeness.ABSENT, "conditions": Completeness.COMPLETE},
    )
    state = derive(record, knowledge, AS_OF)
    assert {s.status.value for s in state.drugs.values()} == {"unknown"}
    assert not state.needs_treatment_choice
    assert any(u.what == "medication-history" for u in state.unknown)


def test_a_relapse_in_a_chart_without_any_therapy_leaves_every_drug_unknown(knowledge):
    state = derive(chart(myeloma("relapse", "2026-01-12")), knowledge, AS_OF)
    assert {s.status.value for s in state.drugs.values()} == {"unknown"}
    assert state.prior_lines is None


def test_a_page_that_is_missing_makes_no_drug_naive(knowledge):
    record = chart(
        given("lenalidomide", "2022-01-10", ongoing=True),
        completeness={"medicationStatements": Completeness.PARTIAL},
    )
    assert derive(record, knowledge, AS_OF).drugs["bortezomib"].status.value == "unknown"


def test_every_unknown_drug_says_what_would_settle_it(knowledge):
    record = chart(given("lenalidomide", "2022-01-10"), response("PD", "2025-12-01"))
    state = derive(record, knowledge, AS_OF)
    settle = {u.what: u.would_settle for u in state.unknown}
    assert settle["refractory:lenalidomide"] == "the day of the last dose of lenalidomide"


def test_sentences_come_in_italian_too(knowledge):
    record = chart(given("lenalidomide", "2022-01-10", "2025-12-01", "progression"))
    because = derive(record, knowledge, AS_OF, "it").drugs["lenalidomide"].because
    assert "sospeso per progressione" in because


# ---- what the chart says in words of a drug by name --------------------------------------------------------
def said(*drugs: str, day: str | None = None) -> ResponseFact:
    return ResponseFact(f"Observation/said-{day}", on(day), no_response=True, refractory_to=drugs)


def test_a_drug_named_as_failed_is_refractory_and_no_other(knowledge):
    state = derive(
        chart(
            *regimen("lenalidomide dexamethasone", "2022-01-10", "2024-04-20"),
            *regimen("daratumumab bortezomib", "2024-06-10", ongoing=True),
            response("VGPR", "2025-01-10"),
            said("lenalidomide", day="2026-01-01"),
        ),
        knowledge,
        date(2026, 11, 21),
    )
    assert (state.drugs["lenalidomide"].status.value, state.drugs["lenalidomide"].certainty.value) == (
        "refractory",
        "documented",
    )
    assert state.drugs["daratumumab"].status.value == "sensitive"
    assert not state.needs_treatment_choice


def test_a_drug_named_as_failed_that_is_not_on_record_was_given_all_the_same(knowledge):
    state = derive(
        chart(*regimen("daratumumab bortezomib", "2024-06-10", ongoing=True), said("lenalidomide")),
        knowledge,
        date(2026, 11, 21),
    )
    assert state.drugs["lenalidomide"].status.value == "refractory"
    assert state.drugs["lenalidomide"].derived_from == ("Observation/said-None",)
    assert (state.history_known, state.prior_lines) == (False, None)


@pytest.mark.parametrize("drug", ["dexamethasone", "aciclovir", "unidentified-agent", "unidentified-car-t"])
def test_only_a_drug_against_myeloma_that_is_known_tells_of_a_line_not_on_record(knowledge, drug):
    state = derive(
        chart(*regimen("daratumumab bortezomib", "2024-06-10", ongoing=True), said(drug)),
        knowledge,
        date(2026, 11, 21),
    )
    assert (state.history_known, state.prior_lines) == (True, 1)


def test_the_last_line_named_as_failed_calls_for_a_choice(knowledge):
    line = regimen("daratumumab bortezomib", "2024-06-10", ongoing=True)
    due = [
        derive(
            chart(*line, said(drug, day="2026-10-01")), knowledge, date(2026, 11, 21)
        ).needs_treatment_choice
        for drug in ("daratumumab", "lenalidomide")
    ]
    assert due == [True, False]
