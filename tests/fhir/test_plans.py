# ruff: noqa: E501 - a case a line, so that tables read as tables
"""Requests, procedures not done, cells ordered, and words about CAR-T. As of 21 November 2025."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cds_service.fhir.validate import findings
from tests.fhir.charts import (
    CLIN,
    SUBJECT,
    VER,
    administration,
    chart,
    coded,
    condition,
    gone,
    issue_codes,
    observation,
    order,
    person,
    procedure,
    told,
)

CARVYKTI = {"text": "Carvykti"}
REASON = "http://hl7.org/fhir/StructureDefinition/request-statusReason"


def request(**changes: Any) -> dict[str, Any]:
    made = {
        "resourceType": "ServiceRequest",
        "id": "s1",
        "status": "active",
        "intent": "order",
        "code": {"text": "Leukapheresis"},
        "subject": SUBJECT,
        "authoredOn": "2025-11-03",
        **changes,
    }
    return {key: value for key, value in made.items() if value is not gone}


def flag(**changes: Any) -> dict[str, Any]:
    made = {
        "resourceType": "Flag",
        "id": "f1",
        "status": "active",
        "code": {"text": "CAR-T candidate"},
        "subject": SUBJECT,
        "period": {"start": "2025-11-03"},
        **changes,
    }
    return {key: value for key, value in made.items() if value is not gone}


def plans(*resources: Any, **how: Any) -> list[str]:
    """The plan facts in one line each: what, how it stands, when said, for when."""
    return [
        f"{p.plan} {p.says}, said {p.said or '?'}{f', for {p.on}' if p.on else ''}"
        for p in chart(*resources, **how).plans
    ]


# ---- requests


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ["apheresis planned, said 2025-11-03"]),
        ({"status": "draft"}, ["apheresis planned, said 2025-11-03"]),
        ({"status": "on-hold"}, ["apheresis planned, said 2025-11-03"]),
        ({"status": " ACTIVE "}, ["apheresis planned, said 2025-11-03"]),
        ({"status": "revoked"}, []),
        ({"status": "completed"}, []),
        ({"status": "entered-in-error"}, []),
        ({"status": "unknown"}, []),
        ({"status": gone}, []),
        ({"intent": "plan"}, ["apheresis planned, said 2025-11-03"]),
        ({"intent": "proposal"}, ["apheresis planned, said 2025-11-03"]),
        ({"intent": "filler-order"}, ["apheresis planned, said 2025-11-03"]),
        ({"intent": gone}, ["apheresis planned, said 2025-11-03"]),
        ({"intent": "option"}, []),
        ({"intent": "directive"}, []),
        ({"doNotPerform": True}, ["apheresis not-done, said 2025-11-03"]),
        ({"doNotPerform": True, "intent": "directive"}, ["apheresis not-done, said 2025-11-03"]),
        ({"doNotPerform": True, "intent": "proposal"}, []),
        ({"doNotPerform": True, "status": "revoked"}, []),
        ({"doNotPerform": True, "status": "draft"}, []),
        ({"doNotPerform": False}, ["apheresis planned, said 2025-11-03"]),
        ({"authoredOn": gone}, ["apheresis planned, said ?"]),
        ({"authoredOn": "2025-11"}, ["apheresis planned, said 2025-11"]),
        ({"authoredOn": "2025-11-22"}, []),  # not known yet
        ({"occurrenceDateTime": "2025-12-10T08:00:00+01:00"}, ["apheresis planned, said 2025-11-03, for 2025-12-10"]),
        ({"occurrencePeriod": {"start": "2025-12-10"}}, ["apheresis planned, said 2025-11-03, for 2025-12-10"]),
        ({"occurrenceTiming": {"event": ["2025-12-11", "2025-12-10"]}}, ["apheresis planned, said 2025-11-03, for 2025-12-10"]),
        ({"occurrenceTiming": {"repeat": {"boundsPeriod": {"start": "2025-12-10"}}}}, ["apheresis planned, said 2025-11-03, for 2025-12-10"]),
        ({"occurrenceTiming": {"code": {"text": "once"}}}, ["apheresis planned, said 2025-11-03"]),
        ({"code": {"text": "CAR-T infusion"}}, ["car-t planned, said 2025-11-03"]),
        ({"code": {"text": "Autologous stem cell transplant"}}, ["transplant planned, said 2025-11-03"]),
        ({"code": {"text": "Dialysis"}}, []),
        ({"code": gone}, []),
        ({"code": {"concept": {"text": "Leukapheresis"}}}, ["apheresis planned, said 2025-11-03"]),  # R5
        ({"reasonCode": [{"text": "stem cell collection"}]}, []),
        ({"reason": [{"concept": {"text": "stem cell collection"}}]}, []),  # R5
        ({"reason": [{"reference": {"reference": "Condition/c1", "display": "stem cell collection"}}]}, []),
        ({"reasonReference": [{"reference": "Condition/c1"}]}, ["apheresis planned, said 2025-11-03"]),
        ({"subject": {"reference": "Patient/p2"}}, []),
    ],
)  # fmt: skip
def test_what_a_request_plans(changes: dict[str, Any], said: list[str]) -> None:
    assert plans(request(**changes)) == said


@pytest.mark.parametrize(
    ("changes", "left_out", "codes"),
    [
        ({"status": "entered-in-error"}, {"entered-in-error": 1}, set()),
        ({"status": "unknown"}, {}, {"unknown-status"}),
        ({"status": gone}, {}, {"unknown-status"}),
        ({"status": "unknown", "code": {"text": "Dialysis"}}, {}, set()),
        ({"authoredOn": "2025-11-22"}, {"future": 1}, set()),
        ({"subject": {"reference": "Patient/p2"}}, {"other-patient": 1}, set()),
        ({"intent": gone}, {}, {"repaired"}),
        ({"colour": "red"}, {}, {"repaired"}),
        ({"authoredOn": "soon"}, {}, {"unreadable-date"}),
    ],
)
def test_what_is_told_of_a_request_that_plans_nothing(
    changes: dict[str, Any], left_out: dict[str, int], codes: set[str]
) -> None:
    record = chart(request(**changes))
    assert (record.left_out, issue_codes(record)) == (left_out, codes)


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("CAR-T declined", ["apheresis not-feasible, said 2025-11-03/2025-11-21"]),
        ("patient not eligible", ["apheresis not-feasible, said 2025-11-03/2025-11-21"]),
        ("moved to another centre", []),
        ("eligible again", []),
    ],
)
def test_a_revoked_request_speaks_by_its_reason_alone(why: str, said: list[str]) -> None:
    extension = [{"url": REASON, "valueCodeableConcept": {"text": why}}]
    assert plans(request(status="revoked", extension=extension)) == said
    as_text = [{"url": REASON, "valueString": why}]
    assert plans(request(status="revoked", extension=as_text)) == said
    assert plans(request(status="revoked", extension=[{"url": "urn:x", "valueString": why}])) == []


def test_a_request_is_read_where_it_comes_and_is_missed_nowhere() -> None:
    record = chart(request())
    assert "ServiceRequest" not in str(record.completeness)
    assert chart().plans == ()


def test_a_request_among_the_drafts_is_a_plan_and_an_order_of_another_kind() -> None:
    record = chart(drafts=[request(status="draft")])
    assert [p.reference for p in record.plans] == ["ServiceRequest/s1"]
    assert record.other_orders


def test_of_a_request_in_the_chart_and_among_the_drafts_the_draft_counts() -> None:
    assert plans(request(), drafts=[request(code={"text": "CAR-T infusion"})]) == [
        "car-t planned, said 2025-11-03"
    ]


def test_a_draft_for_another_patient_plans_nothing_and_is_told() -> None:
    record = chart(person(), drafts=[request(subject={"reference": "Patient/p2"})])
    assert (record.plans, record.left_out) == ((), {"other-patient": 1})
    assert [(one.code, one.where) for one in record.issues] == [("other-patient-order", "ServiceRequest/s1")]


# ---- procedures


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "preparation", "performedDateTime": "2025-12-10"}, ["apheresis planned, said ?, for 2025-12-10"]),
        ({"status": "preparation", "performedDateTime": gone}, ["apheresis planned, said ?"]),
        ({"status": "on-hold"}, ["apheresis planned, said ?, for 2025-11-10"]),
        ({"status": "suspended"}, ["apheresis planned, said ?, for 2025-11-10"]),  # STU3
        ({"status": "not-done"}, ["apheresis not-done, said 2025-11-10"]),
        ({"status": "completed", "notDone": True}, ["apheresis not-done, said 2025-11-10"]),  # STU3
        ({"status": "completed", "notPerformed": True}, ["apheresis not-done, said 2025-11-10"]),  # DSTU2
        ({"status": "not-done", "performedDateTime": gone}, ["apheresis not-done, said ?"]),
        ({"status": "not-done", "performedDateTime": "2025-12-10"}, []),  # said on a day that nobody knows
        ({"status": "not-done", "performedDateTime": gone, "occurrenceDateTime": "2025-12-10", "recorded": "2025-11-12"}, ["apheresis not-done, said 2025-11-12"]),  # R5
        ({"status": "not-done", "performedDateTime": gone, "occurrenceDateTime": "2025-11-10", "recorded": "2025-11-22"}, []),
        ({"status": "preparation", "performedDateTime": gone, "occurrenceDateTime": "2025-12-10", "recorded": "2025-11-12"}, ["apheresis planned, said 2025-11-12, for 2025-12-10"]),
        ({"status": "not-done", "statusReason": {"text": "postponed"}}, ["apheresis planned, said 2025-11-10"]),
        ({"status": "not-done", "reasonCode": [{"text": "stem cell collection"}]}, []),
        ({"status": "stopped"}, []),
        ({"status": "aborted"}, []),
        ({"status": "completed"}, []),
        ({"status": "in-progress"}, []),
        ({"status": "entered-in-error"}, []),
        ({"status": "preparation", "code": {"text": "Dialysis"}}, []),
        ({"status": "preparation", "code": gone}, []),
    ],
)  # fmt: skip
def test_what_a_procedure_that_was_not_carried_out_says(changes: dict[str, Any], said: list[str]) -> None:
    made = {"code": {"text": "Leukapheresis"}, "performedDateTime": "2025-11-10", **changes}
    assert plans(procedure(**made)) == said


def test_the_reason_is_carried_along() -> None:
    why = {"text": "lymphocytes too low"}
    (fact,) = chart(procedure(code={"text": "Leukapheresis"}, status="not-done", statusReason=why)).plans
    assert (fact.reason, fact.text, fact.of_t_cells) == ("lymphocytes too low", "Leukapheresis", True)


def test_a_procedure_not_done_is_still_counted_as_left_out() -> None:
    record = chart(procedure(code={"text": "Leukapheresis"}, status="not-done"))
    assert (record.procedures, record.left_out) == ((), {"not-done": 1})


# ---- cells ordered, cells not given


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ["car-t planned, said 2025-03-01"]),
        ({"status": "draft"}, ["car-t planned, said 2025-03-01"]),
        ({"status": "on-hold"}, ["car-t planned, said 2025-03-01"]),
        ({"intent": "plan"}, ["car-t planned, said 2025-03-01"]),
        ({"status": "completed"}, []),
        ({"status": "cancelled"}, []),
        ({"status": "stopped"}, []),
        ({"status": "entered-in-error"}, []),
        ({"status": "stopped", "statusReason": {"text": "CAR-T declined"}}, ["car-t not-feasible, said 2025-03-01/2025-11-21"]),
        ({"doNotPerform": True}, ["car-t not-done, said 2025-03-01"]),
        ({"authoredOn": "2025-12-01"}, []),
        ({"dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"start": "2025-12-10"}}}}]}, ["car-t planned, said 2025-03-01, for 2025-12-10"]),
        ({"medicationCodeableConcept": {"text": "lenalidomide"}}, []),
        ({"medicationCodeableConcept": gone, "medication": {"concept": CARVYKTI}}, ["car-t planned, said 2025-03-01"]),
        ({"medicationCodeableConcept": gone}, []),
    ],
)  # fmt: skip
def test_what_an_order_of_cells_plans(changes: dict[str, Any], said: list[str]) -> None:
    assert plans(order(**{"medicationCodeableConcept": CARVYKTI, **changes})) == said


def test_the_order_names_the_product_of_the_plan() -> None:
    (fact,) = chart(order(medicationCodeableConcept=CARVYKTI)).plans
    assert (fact.drug, fact.kind, fact.text) == ("ciltacabtagene-autoleucel", "cart-infusion", "Carvykti")


def test_cells_being_ordered_now_are_a_plan_and_no_other_order() -> None:
    record = chart(drafts=[order(status="draft", medicationCodeableConcept=CARVYKTI)])
    assert [p.plan for p in record.plans] == ["car-t"]
    assert (len(record.drafts), record.other_orders) == (1, False)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "not-done"}, ["car-t not-done, said 2025-03-01"]),
        ({"status": "not-done", "statusReason": [{"text": "postponed"}]}, ["car-t planned, said 2025-03-01"]),
        ({"status": "preparation", "effectiveDateTime": "2025-12-10"}, ["car-t planned, said ?, for 2025-12-10"]),
        ({"status": "not-done", "effectiveDateTime": gone, "occurencePeriod": {"start": "2025-03-02"}}, ["car-t not-done, said 2025-03-02"]),
        ({"status": "completed", "wasNotGiven": True}, ["car-t not-done, said 2025-03-01"]),  # DSTU2
        ({"status": "completed"}, []),
        ({"status": "entered-in-error"}, []),
        ({"status": "not-done", "medicationCodeableConcept": {"text": "lenalidomide"}}, []),
    ],
)  # fmt: skip
def test_what_a_dose_of_cells_that_was_not_given_says(changes: dict[str, Any], said: list[str]) -> None:
    assert plans(administration(**{"medicationCodeableConcept": CARVYKTI, **changes})) == said


# ---- words


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ["car-t not-feasible, said 2025-11-03"]),
        ({"recordedDate": "2025-11-10"}, ["car-t not-feasible, said 2025-11-10"]),
        ({"onsetDateTime": gone}, ["car-t not-feasible, said ?"]),
        ({"recordedDate": "2025-11-22"}, []),
        ({"code": {"text": "CAR-T candidate"}}, ["car-t feasible, said 2025-11-03"]),
        ({"code": {"coding": [{"display": "Not a CAR-T candidate"}]}}, ["car-t not-feasible, said 2025-11-03"]),
        ({"code": {"text": "Multiple myeloma, not a CAR-T candidate"}}, ["car-t not-feasible, said 2025-11-03"]),
        ({"code": {"text": "CAR-T"}}, []),
        ({"clinicalStatus": coded("inactive", CLIN)}, []),
        ({"clinicalStatus": coded("resolved", CLIN)}, []),
        ({"abatementDateTime": "2025-11-05"}, []),
        ({"verificationStatus": coded("refuted", VER)}, []),
        ({"verificationStatus": coded("provisional", VER)}, []),
        ({"verificationStatus": coded("entered-in-error", VER)}, []),
        ({"subject": {"reference": "Patient/p2"}}, []),
    ],
)  # fmt: skip
def test_what_the_problem_list_says_of_car_t(changes: dict[str, Any], said: list[str]) -> None:
    made = {"code": {"text": "Not a CAR-T candidate"}, "onsetDateTime": "2025-11-03", **changes}
    assert plans(condition(**made)) == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"valueString": "Not a CAR-T candidate"}, ["car-t not-feasible, said 2025-05-01"]),
        ({"valueCodeableConcept": {"text": "CAR-T candidate"}}, ["car-t feasible, said 2025-05-01"]),
        ({"valueString": "Response: PR"}, []),
        ({"code": {"text": "CAR-T eligibility"}, "valueBoolean": False}, ["car-t not-feasible, said 2025-05-01"]),
        ({"code": {"text": "CAR-T eligibility"}, "valueBoolean": True}, ["car-t feasible, said 2025-05-01"]),
        ({"code": {"text": "CAR-T eligibility"}, "valueCodeableConcept": {"coding": [{"code": "N", "display": "No"}]}}, ["car-t not-feasible, said 2025-05-01"]),
        ({"code": {"text": "Consent"}, "valueBoolean": False}, []),
        ({"component": [{"code": {"text": "CAR-T eligibility"}, "valueString": "no"}]}, ["car-t not-feasible, said 2025-05-01"]),
        ({"valueString": "CAR-T candidate", "effectiveDateTime": gone, "effectivePeriod": {"start": "2025-05-02"}}, ["car-t feasible, said 2025-05-02"]),
        ({"valueString": "CAR-T candidate", "effectiveDateTime": gone, "issued": "2025-05-03T10:00:00Z"}, ["car-t feasible, said 2025-05-03"]),
        ({"valueString": "CAR-T candidate", "effectiveDateTime": gone}, ["car-t feasible, said ?"]),
        ({"valueString": "CAR-T candidate", "effectiveDateTime": "2025-11-22"}, []),
        ({"valueString": "CAR-T candidate", "status": "entered-in-error"}, []),
        ({"valueString": "CAR-T candidate", "status": "cancelled"}, []),
    ],
)  # fmt: skip
def test_what_an_observation_says_of_car_t(changes: dict[str, Any], said: list[str]) -> None:
    made = {"code": {"text": "Tumour board"}, "valueQuantity": gone, **changes}
    assert plans(observation(**made)) == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ["car-t feasible, said 2025-11-03"]),
        ({"code": {"text": "CAR-T ineligible"}}, ["car-t not-feasible, said 2025-11-03"]),
        ({"code": {"text": "Fall risk"}}, []),
        ({"code": gone}, []),
        ({"period": gone}, ["car-t feasible, said ?"]),
        ({"period": {"start": "2025-11-03", "end": "2025-11-20"}}, []),
        ({"period": {"start": "2025-11-03", "end": "2025-11-21"}}, ["car-t feasible, said 2025-11-03"]),
        ({"period": {"start": "2025-11-22"}}, []),
        ({"status": "inactive"}, []),
        ({"status": "entered-in-error"}, []),
        ({"status": gone}, ["car-t feasible, said 2025-11-03"]),
        ({"subject": {"reference": "Patient/p2"}}, []),
    ],
)
def test_what_a_flag_says_of_car_t(changes: dict[str, Any], said: list[str]) -> None:
    assert plans(flag(**changes)) == said


# ---- what does not matter


def test_a_plan_is_no_fact_of_another_kind() -> None:
    resources = [request(), flag(), procedure(code={"text": "Leukapheresis"}, status="preparation")]
    assert told(chart(*resources)) == []


def test_copies_and_order_change_nothing() -> None:
    resources = [request(), flag(), condition(code={"text": "Not a CAR-T candidate"})]
    assert chart(*resources).plans == chart(*resources[::-1], *resources).plans


def test_what_is_asked_of_a_day_before_leaves_later_plans_out() -> None:
    before = {"as_of": date(2025, 11, 2)}
    assert plans(request(), flag(), **before) == []


def test_the_patient_may_be_known_by_a_request_alone() -> None:
    record = chart(request(subject={"reference": "Patient/px"}), patient_id=None)
    assert (record.patient.id, len(record.plans)) == ("px", 1)


@pytest.mark.parametrize(
    ("resource", "faults"),
    [
        (request(), 0),
        (request(intent=gone), 1),
        (request(code={"concept": {"text": "Leukapheresis"}}), 0),
        (flag(), 0),
        (flag(code=gone), 1),
    ],
)
def test_they_are_judged_by_the_release_they_are_written_in(resource: dict[str, Any], faults: int) -> None:
    used = {f"{resource['resourceType']}/{resource['id']}"}
    assert len(findings([resource], "fast", used)) == faults
    assert len(findings([resource], "relevant", used)) == faults


def test_a_day_that_no_day_is_leaves_the_plan_without_one() -> None:
    assert plans(request(authoredOn="soon")) == ["apheresis planned, said ?"]
