"""Short ways to write resources in tests, and to write down what was read of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from cds_service.fhir.read import read
from cds_service.record import ClinicalRecord, DateSpan
from tests.fhir.stand_in import StandIn

AS_OF = date(2025, 11, 21)
ATC, ICD, LOINC = "http://www.whocc.no/atc", "http://hl7.org/fhir/sid/icd-10-cm", "http://loinc.org"
VER = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CLIN = "http://terminology.hl7.org/CodeSystem/condition-clinical"
SUBJECT = {"reference": "Patient/p1"}
LENALIDOMIDE = {"coding": [{"system": ATC, "code": "L04AX04", "display": "lenalidomide"}]}
MYELOMA = {"coding": [{"system": ICD, "code": "C90.00", "display": "Multiple myeloma"}]}
M_PROTEIN = {"coding": [{"system": LOINC, "code": "33358-3"}]}
RESPONSE = {"coding": [{"system": LOINC, "code": "97509-4"}]}
PERIOD = {"start": "2024-01-10", "end": "2024-06-30"}

_GONE = object()
gone = _GONE  # statement(status=gone): the element is not there


def _made(resource: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    made = {**resource, **changes}
    return {key: value for key, value in made.items() if value is not _GONE}


def statement(**changes: Any) -> dict[str, Any]:
    return _made(
        {
            "resourceType": "MedicationStatement",
            "id": "m1",
            "status": "completed",
            "subject": SUBJECT,
            "medicationCodeableConcept": LENALIDOMIDE,
            "effectivePeriod": PERIOD,
        },
        changes,
    )


def order(**changes: Any) -> dict[str, Any]:
    return _made(
        {
            "resourceType": "MedicationRequest",
            "id": "r1",
            "status": "active",
            "intent": "order",
            "subject": SUBJECT,
            "medicationCodeableConcept": LENALIDOMIDE,
            "authoredOn": "2025-03-01",
        },
        changes,
    )


def administration(**changes: Any) -> dict[str, Any]:
    return _made(
        {
            "resourceType": "MedicationAdministration",
            "id": "a1",
            "status": "completed",
            "subject": SUBJECT,
            "medicationCodeableConcept": LENALIDOMIDE,
            "effectiveDateTime": "2025-03-01",
        },
        changes,
    )


def condition(**changes: Any) -> dict[str, Any]:
    return _made(
        {
            "resourceType": "Condition",
            "id": "c1",
            "clinicalStatus": coded("active", CLIN),
            "verificationStatus": coded("confirmed", VER),
            "code": MYELOMA,
            "subject": SUBJECT,
            "onsetDateTime": "2024-03-05",
        },
        changes,
    )


def observation(**changes: Any) -> dict[str, Any]:
    return _made(
        {
            "resourceType": "Observation",
            "id": "o1",
            "status": "final",
            "code": M_PROTEIN,
            "subject": SUBJECT,
            "effectiveDateTime": "2025-05-01",
            "valueQuantity": {"value": 20, "unit": "g/L"},
        },
        changes,
    )


def procedure(**changes: Any) -> dict[str, Any]:
    return _made(
        {
            "resourceType": "Procedure",
            "id": "x1",
            "status": "completed",
            "code": {"text": "Autologous stem cell transplant"},
            "subject": SUBJECT,
            "performedDateTime": "2024-09-01",
        },
        changes,
    )


def person(**changes: Any) -> dict[str, Any]:
    return _made(
        {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1951-04-02"}, changes
    )


def coded(code: str, system: str = "", text: str = "") -> dict[str, Any]:
    concept: dict[str, Any] = {"coding": [{"system": system, "code": code} if system else {"code": code}]}
    return {**concept, "text": text} if text else concept


def chart(*resources: Any, **how: Any) -> ClinicalRecord:
    """The record of these resources for Patient/p1 on 21 November 2025."""
    how = {"as_of": AS_OF, "patient_id": "p1", **how}
    return read(resources, StandIn(), **how)


def _span(span: DateSpan | None) -> str:
    return "?" if span is None else str(span)


def told(record: ClinicalRecord) -> list[str]:
    """Every fact of the record in one line each, as a clinician would jot it down."""
    lines: list[str] = []
    for drug in (*record.drugs, *record.drafts):
        last = "ongoing" if drug.ongoing and drug.last_dose is None else _span(drug.last_dose)
        lines.append(f"{drug.drug} {drug.given} {_span(drug.first_dose)} to {last}")
    lines += [f"{d.kind} {d.status} {_span(d.onset)}" for d in record.diagnoses]
    lines += [f"{r.category} {_span(r.on)}" for r in record.responses]
    lines += [f"{p.kind} {_span(p.on)}" for p in record.procedures]
    for m in record.measurements:
        value = "" if m.value is None else f" {round(m.value, 4):g}{' ' + m.unit if m.unit else ''}"
        lines.append(f"{m.concept}{value}{' ' + m.text if m.text else ''} {_span(m.on)}")
    lines += [f"{c.concept} {c.severity or 'ungraded'}" for c in record.comorbidities]
    lines += [f"{'intolerance' if a.intolerance else 'allergy'} {a.drug}" for a in record.allergies]
    return lines


def issue_codes(record: ClinicalRecord) -> set[str]:
    return {issue.code for issue in record.issues}


def issue_texts(record: ClinicalRecord, code: str) -> str:
    return " | ".join(issue.text for issue in record.issues if issue.code == code)


def all_text(issues: Iterable[Any]) -> str:
    return " ".join(issue.text for issue in issues)
