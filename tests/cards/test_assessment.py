"""The public assessment keeps to its schema, and says unknown by leaving out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cds_service.cards.assessment import to_json
from cds_service.cards.render import Renderer
from cds_service.knowledge.load import schemas
from cds_service.knowledge.types import Knowledge, Text
from cds_service.patient.types import DiagnosisState, PatientState
from cds_service.record import (
    ClinicalRecord,
    ComorbidityFact,
    DateSpan,
    Issue,
    Measurement,
    PatientFacts,
    Severity,
)
from cds_service.sequencing.types import Answer, CautionShown, Outcome, Recommendation, TraceStep
from tests.cards.answers import AS_OF, FIVE, chart, first_relapse, recommending


def assessed(
    knowledge: Knowledge,
    state: PatientState,
    *,
    record: ClinicalRecord | None = None,
    recommendation: Recommendation | None = None,
    trace: bool = False,
    language: str = "en",
    **more: Any,
) -> dict[str, Any]:
    told = to_json(
        region="EMA",
        pathway="default",
        as_of=AS_OF,
        version=knowledge.version,
        record=record or chart(),
        state=state,
        recommendation=recommendation or recommending(*FIVE),
        cards=more.get("cards", []),
        issues=more.get("issues", ()),
        language=language,
        trace=trace,
    )
    schemas()["assessment"].validate(told)
    return told


def test_the_whole_of_a_first_relapse(knowledge: Knowledge, renderer: Renderer) -> None:
    state = replace(
        first_relapse(),
        comorbidities=(ComorbidityFact("Condition/c7", "heart-failure", severity="NYHA-III"),),
        biology={"del17p": "present"},
        labs={
            "creatinine-clearance": Measurement(
                "Observation/o9", "creatinine-clearance", DateSpan.on("2026-02-20"), 41.0, "mL/min"
            )
        },
    )
    cards = renderer.cards(chart(), state, recommending(*FIVE), Answer(sequencing=True))
    issue = Issue(Severity.WARNING, "unmapped-code", "A code is not known.", "MedicationStatement/m9")
    told = assessed(knowledge, state, cards=cards, issues=(issue,))
    assert told["patient"] == {"id": "p1", "birthDate": "1951-04-02", "sex": "female"}
    assert told["knowledge"]["version"] == knowledge.version.version
    assert told["state"]["prior_lines"] == 1
    assert told["state"]["diagnosis"]["relapse"] == "2026-02-10"
    assert told["state"]["drugs"]["lenalidomide"]["status"] == "refractory"
    line = told["state"]["lines_of_therapy"][0]
    assert (line["start"], line["regimen"], line["best_response"]) == ("2022-01", "d-rd", "VGPR")
    assert told["state"]["labs"] == {"creatinine_clearance_ml_min": {"value": 41.0, "date": "2026-02-20"}}
    assert told["state"]["comorbidities"] == [
        {"concept": "heart-failure", "severity": "NYHA-III", "derived_from": ["Condition/c7"]}
    ]
    assert told["recommendation"]["suggested"][0]["regimen"] == "s-vd"
    assert told["recommendation"]["not_suggested"][0]["reasons"][0]["derived_from"] == ["Observation/o4"]
    assert told["issues"] == [
        {
            "severity": "warning",
            "code": "unmapped-code",
            "text": "A code is not known.",
            "where": "MedicationStatement/m9",
        }
    ]
    assert told["cards"] == cards


def test_what_is_not_known_is_left_out_and_prior_lines_is_null(knowledge: Knowledge) -> None:
    state = replace(
        first_relapse(),
        prior_lines=None,
        age=None,
        ecog=None,
        lines=(),
        diagnosis=DiagnosisState("unknown", "unknown"),
    )
    record = ClinicalRecord(patient=PatientFacts("p2", DateSpan.on("1951")))
    told = assessed(knowledge, state, record=record, recommendation=recommending())
    assert told["patient"] == {"id": "p2", "birthDate": "1951"}
    assert told["state"]["prior_lines"] is None
    assert told["state"]["fitness"] == {"frailty": "unknown"}
    assert told["state"]["diagnosis"] == {"status": "unknown", "kind": "unknown", "derived_from": []}
    assert told["recommendation"]["suggested"] == []
    assert "trace" not in told["recommendation"]


def test_the_trace_has_three_outcomes(knowledge: Knowledge) -> None:
    steps = (
        TraceStep("s-vd", "rule:BAR-19", Outcome(True)),
        TraceStep("s-vd", "label:EMA", Outcome(None, ("prior-lines",))),
        TraceStep("kd", "rule:BAR-19", Outcome(False)),
    )
    told = assessed(knowledge, first_relapse(), recommendation=recommending("s-vd", trace=steps), trace=True)
    assert told["recommendation"]["trace"] == [
        {"regimen": "s-vd", "step": "rule:BAR-19", "outcome": "true"},
        {"regimen": "s-vd", "step": "label:EMA", "outcome": "unknown", "missing": ["prior-lines"]},
        {"regimen": "kd", "step": "rule:BAR-19", "outcome": "false"},
    ]


def test_sentences_are_in_the_language_asked_for(knowledge: Knowledge) -> None:
    note = CautionShown("", "BAR-13", Text("Mind this.", "Attenzione."), False)
    told = assessed(
        knowledge, first_relapse(), recommendation=recommending("s-vd", remarks=(note,)), language="it"
    )
    assert told["recommendation"]["remarks"][0]["text"] == "Attenzione."
    assert told["recommendation"]["not_suggested"][0]["reasons"][0]["text"] == "contiene lenalidomide"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("state", "prior_lines"), -1),
        (("state", "diagnosis", "status"), "relapsed"),
        (("state", "labels"), ["double-refractory"]),
        (("state", "extra"), True),
        (("as_of",), "1 March"),
        (("region",), "UK"),
    ],
)
def test_the_schema_refuses_what_the_interface_does_not_know(
    knowledge: Knowledge, path: tuple[str, ...], value: object
) -> None:
    told = assessed(knowledge, first_relapse())
    place = told
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not schemas()["assessment"].is_valid(told)
