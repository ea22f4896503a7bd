"""Drugs that a chart's words name as failed, from the resource to the state."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.fhir.read import read
from cds_service.knowledge.types import Knowledge
from cds_service.patient.state import derive
from cds_service.patient.types import PatientState
from cds_service.terminology import Terminology
from tests.fhir.charts import AS_OF, RESPONSE, condition, observation, statement

PATIENT = {"resourceType": "Patient", "id": "p1", "birthDate": "1958-04-02"}


def state_of(knowledge: Knowledge, terminology: Terminology, *resources: dict[str, Any]) -> PatientState:
    record = read([PATIENT, *resources], terminology, as_of=AS_OF, patient_id="p1")
    return derive(record, knowledge, AS_OF)


def failed(state: PatientState) -> list[str]:
    return sorted(key for key, drug in state.drugs.items() if drug.status.value == "refractory")


@pytest.mark.parametrize(
    ("text", "drugs"),
    [
        ("refractory to lenalidomide (2021) and bortezomib (2022)", ["bortezomib", "lenalidomide"]),
        ("PD on lenalidomide. Daratumumab planned.", ["lenalidomide"]),
        ("Lenalidomide refractory: no", []),
        ("progressione di malattia in corso di lenalidomide, avviato daratumumab", ["lenalidomide"]),
        ("nessuna progressione in corso di lenalidomide", []),
        ("mother refractory to lenalidomide", []),
    ],
)
def test_a_note_a_response_and_a_diagnosis_are_read_alike(
    knowledge: Knowledge, terminology: Terminology, text: str, drugs: list[str]
) -> None:
    note = statement(note=[{"text": text}])
    answer = observation(code=RESPONSE, valueCodeableConcept={"text": text})
    entry = condition(code={"text": f"Multiple myeloma; {text}"})
    for resources in ([note], [statement(), answer], [statement(), entry]):
        assert failed(state_of(knowledge, terminology, *resources)) == drugs


@pytest.mark.parametrize(
    ("written", "drugs"),
    [
        ("2025-11-20", ["lenalidomide"]),
        ("2025-11-21T23:00:00+01:00", ["lenalidomide"]),
        ("2025-11-22", []),
        ("2026", []),
        ("2025", ["lenalidomide"]),
        (None, ["lenalidomide"]),
        ("yesterday", ["lenalidomide"]),
    ],
)
def test_a_note_written_after_the_evaluation_is_not_known_yet(
    knowledge: Knowledge, terminology: Terminology, written: str | None, drugs: list[str]
) -> None:
    note = {"text": "refractory to lenalidomide"} | ({"time": written} if written else {})
    assert failed(state_of(knowledge, terminology, statement(note=[note]))) == drugs


@pytest.mark.parametrize(
    "text",
    [
        "Refractory to lenalidomide and dexamethasone",
        "PD on lenalidomide/dex",
        "refrattario a lenalidomide e desametasone",
    ],
)
def test_a_steroid_named_as_failed_leaves_the_history_as_it_is(
    knowledge: Knowledge, terminology: Terminology, text: str
) -> None:
    state = state_of(knowledge, terminology, statement(note=[{"text": text}]))
    assert (state.history_known, state.prior_lines) == (True, 1)
    assert state.drugs["dexamethasone"].status.value == "naive"
