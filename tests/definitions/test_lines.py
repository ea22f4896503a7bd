"""Lines of therapy (IMWG, Rajkumar 2015), as a haematologist would count them."""

from __future__ import annotations

from datetime import date

import pytest

from cds_service.patient.state import derive
from tests.chart import chart, given, procedure, regimen, response

AS_OF = date(2026, 3, 1)
VTD = "daratumumab bortezomib thalidomide dexamethasone"

CASES = [
    # case, chart, [(regimen, starts_because, ends_because)]
    (
        "induction, transplant, consolidation and maintenance are one line",
        [
            *regimen(VTD, "2022-01-10", "2022-05-02"),
            procedure("autologous-sct", "2022-07-07"),
            *regimen(VTD, "2022-10-03", "2022-11-28"),
            given("lenalidomide", "2023-01-16", "2025-12-15", "progression"),
        ],
        [("d-vtd", "first-treatment", "progression")],
    ),
    (
        "dropping bortezomib for neuropathy is no new line",
        [
            given("bortezomib", "2021-02-01", "2021-05-17", "toxicity"),
            *regimen("lenalidomide dexamethasone", "2021-02-01", "2023-06-12", "completion"),
        ],
        [("vrd", "first-treatment", "completion")],
    ),
    (
        "replacing bortezomib by carfilzomib for neuropathy is a new line",
        [
            given("bortezomib", "2021-02-01", "2021-06-17", "toxicity"),
            given("carfilzomib", "2021-07-01", "2022-06-12", "completion"),
        ],
        [("vd", "first-treatment", "toxicity"), ("kd", "toxicity", "completion")],
    ),
    (
        "relapse off treatment, then D-VD",
        [
            *regimen("bortezomib lenalidomide dexamethasone", "2019-01-14", "2019-09-23"),
            response("PD", "2021-06-14"),
            given("daratumumab", "2021-07-05", "2025-10-13", "progression"),
            *regimen("bortezomib dexamethasone", "2021-07-05", "2022-01-10", "completion"),
        ],
        [("vrd", "first-treatment", "unknown"), ("d-vd", "restart", "progression")],
    ),
    (
        "the same regimen after a pause without progression is the same line",
        [
            *regimen("lenalidomide dexamethasone", "2022-01-10", "2022-08-01"),
            *regimen("lenalidomide dexamethasone", "2023-01-10", ongoing=True),
        ],
        [("rd", "first-treatment", "ongoing")],
    ),
    (
        "the same regimen restarted after progression is a new line",
        [
            *regimen("lenalidomide dexamethasone", "2022-01-10", "2022-08-01", "completion"),
            response("PD", "2024-01-02"),
            *regimen("lenalidomide dexamethasone", "2024-01-10", ongoing=True),
        ],
        [("rd", "first-treatment", "completion"), ("rd", "restart", "ongoing")],
    ),
    (
        "a third drug added on progression is a new line that keeps the others",
        [
            *regimen("lenalidomide dexamethasone", "2022-01-10", ongoing=True),
            response("PD", "2024-01-02"),
            given("daratumumab", "2024-01-10", ongoing=True),
        ],
        [("rd", "first-treatment", "progression"), ("d-rd", "progression", "ongoing")],
    ),
    (
        "two weeks of a drug are exposure, not a line",
        [
            given("bortezomib", "2022-01-10", "2022-01-21", "toxicity"),
            *regimen("daratumumab lenalidomide dexamethasone", "2022-04-01", ongoing=True),
        ],
        [("d-rd", "first-treatment", "ongoing")],
    ),
    (
        "a tandem transplant is one line",
        [
            *regimen("bortezomib lenalidomide dexamethasone", "2020-01-10", "2020-05-02"),
            procedure("autologous-sct", "2020-07-07"),
            procedure("autologous-sct", "2020-11-20"),
            given("lenalidomide", "2021-02-16", ongoing=True),
        ],
        [("vrd", "first-treatment", "ongoing")],
    ),
    (
        "a transplant years later, after progression, is a line of its own",
        [
            *regimen("bortezomib lenalidomide dexamethasone", "2015-01-10", "2015-05-02"),
            procedure("autologous-sct", "2015-07-07"),
            response("PD", "2020-01-02"),
            procedure("autologous-sct", "2020-02-20"),
        ],
        [("vrd", "first-treatment", "unknown"), ("", "second-transplant", "unknown")],
    ),
    (
        "bridging belongs to the line of the CAR-T infusion",
        [
            *regimen("bortezomib lenalidomide dexamethasone", "2020-01-10", "2022-05-02", "progression"),
            *regimen("pomalidomide", "2022-06-10", "2022-07-02", purpose="bridging"),
            given("ciltacabtagene-autoleucel", "2022-08-01", "2022-08-01"),
        ],
        [("vrd", "first-treatment", "progression"), ("cilta-cel", "progression", "unknown")],
    ),
    (
        "steroids alone make no line",
        [given("dexamethasone", "2022-01-10", "2022-02-10")],
        [],
    ),
    (
        "treatment of smouldering disease is exposure without a line",
        [given("daratumumab", "2022-01-10", "2024-02-10", purpose="smouldering")],
        [],
    ),
]


@pytest.mark.parametrize(("case", "facts", "expected"), CASES, ids=[c[0] for c in CASES])
def test_lines_of_therapy(knowledge, case, facts, expected):
    lines = derive(chart(*facts), knowledge, AS_OF).lines
    assert [(line.regimen, line.starts_because, line.ends_because) for line in lines] == expected


def test_smouldering_treatment_exposes_all_the_same(knowledge):
    state = derive(
        chart(given("daratumumab", "2022-01-10", "2024-02-10", purpose="smouldering")), knowledge, AS_OF
    )
    assert state.drugs["daratumumab"].status.value == "exposed"


def test_a_line_number_in_the_chart_is_honoured_and_a_disagreement_shown(knowledge):
    facts = [
        given("bortezomib", "2020-01-10", "2021-01-10", "completion", line=1),
        given("lenalidomide", "2021-02-01", "2022-02-01", "completion", line=1),
        given("daratumumab", "2023-02-01", ongoing=True, line=3),
    ]
    state = derive(chart(*facts), knowledge, AS_OF)
    assert [line.drugs for line in state.lines] == [("bortezomib", "lenalidomide"), ("daratumumab",)]
    assert [issue.code for issue in state.issues] == ["line-number"]


@pytest.mark.parametrize(
    ("case", "facts", "labels"),
    [
        (
            "progression seven months after the start, double-refractory",
            [
                *regimen("daratumumab lenalidomide dexamethasone", "2025-02-03", "2025-07-28", "no-response"),
                response("PD", "2025-07-28"),
            ],
            (
                "first-relapse",
                "double-refractory:anti-CD38+IMiD",
                "functional-high-risk",
                "primary-refractory",
            ),
        ),
        (
            "triple-class refractory after two lines",
            [
                *regimen("daratumumab lenalidomide", "2020-02-03", "2022-07-28", "progression"),
                *regimen("carfilzomib", "2022-09-03", "2025-07-28", "progression"),
            ],
            ("triple-class-exposed", "triple-class-refractory"),
        ),
        (
            "penta-refractory",
            [
                *regimen("bortezomib lenalidomide", "2018-02-03", "2020-07-28", "progression"),
                *regimen("daratumumab pomalidomide", "2020-09-03", "2022-07-28", "progression"),
                *regimen("carfilzomib", "2022-09-03", "2025-07-28", "progression"),
            ],
            ("triple-class-exposed", "triple-class-refractory", "quad-refractory", "penta-refractory"),
        ),
        (
            "in response on first-line treatment",
            [
                *regimen("daratumumab lenalidomide", "2025-02-03", ongoing=True),
                response("VGPR", "2025-09-01"),
            ],
            ("not-applicable",),
        ),
    ],
)
def test_labels(knowledge, case, facts, labels):
    assert derive(chart(*facts), knowledge, AS_OF).labels == labels
