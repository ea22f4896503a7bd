"""The envelope of a call: what is demanded, what is forgiven, and who is named when it is neither."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cds_service.errors import BadRequest
from cds_service.hooks.request import read_request
from tests.hooks.calls import HOOKS, INSTANCE

MINIMAL = {"hook": "patient-view", "hookInstance": INSTANCE, "context": {"patientId": "p1"}}


def with_change(path: str, value: Any) -> dict[str, Any]:
    """MINIMAL with one member set, or removed where the value is ``...``."""
    body: dict[str, Any] = copy.deepcopy(MINIMAL)
    *way, last = path.strip("/").split("/")
    node = body
    for step in way:
        node = node.setdefault(step, {})
    if value is ...:
        node.pop(last, None)
    else:
        node[last] = value
    return body


@pytest.mark.parametrize(
    "case, body, pointer",
    [
        ("hook missing", with_change("/hook", ...), "/hook"),
        ("hook a number", with_change("/hook", 7), "/hook"),
        ("hookInstance missing", with_change("/hookInstance", ...), "/hookInstance"),
        ("hookInstance blank", with_change("/hookInstance", "  "), "/hookInstance"),
        ("hookInstance null", with_change("/hookInstance", None), "/hookInstance"),
        ("context missing", with_change("/context", ...), "/context"),
        ("context a list", with_change("/context", []), "/context"),
        ("patientId missing", with_change("/context/patientId", ...), "/context/patientId"),
        ("patientId a number", with_change("/context/patientId", 12), "/context/patientId"),
        ("patientId climbs the path", with_change("/context/patientId", ".."), "/context/patientId"),
        ("patientId with a query", with_change("/context/patientId", "p1&x=y"), "/context/patientId"),
        ("userId a number", with_change("/context/userId", 5), "/context/userId"),
        ("selections a text", with_change("/context/selections", "a"), "/context/selections"),
        ("a selection a number", with_change("/context/selections", [1]), "/context/selections/0"),
        ("draftOrders a list", with_change("/context/draftOrders", []), "/context/draftOrders"),
        ("prefetch a list", with_change("/prefetch", []), "/prefetch"),
        ("fhirServer a number", with_change("/fhirServer", 1), "/fhirServer"),
        ("fhirAuthorization a text", with_change("/fhirAuthorization", "x"), "/fhirAuthorization"),
        ("another hook", with_change("/hook", "order-sign"), "/hook"),
        ("a bare list", [], ""),
        ("a number", 1, ""),
        ("null", None, ""),
    ],
)
def test_what_is_wrong_is_named(case: str, body: Any, pointer: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_request(body, "patient-view")
    assert pointer in [fault.pointer for fault in caught.value.faults], case


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(BadRequest) as caught:
        read_request({"context": {}}, "patient-view")
    assert {fault.pointer for fault in caught.value.faults} == {
        "/hook",
        "/hookInstance",
        "/context/patientId",
    }


def test_what_was_sent_is_not_repeated_in_the_error() -> None:
    with pytest.raises(BadRequest) as caught:
        read_request(with_change("/context/patientId", "Rossi Maria 1951"), "patient-view")
    assert "Rossi" not in caught.value.detail + str(caught.value.faults)


@pytest.mark.parametrize(
    "case, body",
    [
        ("userId missing", with_change("/context/userId", ...)),
        ("encounterId null", with_change("/context/encounterId", None)),
        ("prefetch null", with_change("/prefetch", None)),
        ("fhirAuthorization null", with_change("/fhirAuthorization", None)),
        ("an unknown member", with_change("/vendorThing", {"a": 1})),
        ("an extension", with_change("/extension", {"com.example.x": "y"})),
        ("an unknown member of the context", with_change("/context/trigger", 18)),
        ("a very long patient id", with_change("/context/patientId", "e" * 194)),
        ("an upper-case instance", with_change("/hookInstance", INSTANCE.upper())),
        ("a prefetch member of odd type", with_change("/prefetch/user", "123")),
        ("fhirVersion in the prefetch", with_change("/prefetch/odd key", 1)),
    ],
)
def test_what_real_clients_do_is_accepted(case: str, body: Any) -> None:
    assert read_request(body, "patient-view").patient_id, case


@pytest.mark.parametrize("hook", HOOKS[1:])
@pytest.mark.parametrize("context", [{}, {"draftOrders": None, "selections": None}, {"draftOrders": {}}])
def test_order_hooks_without_drafts_are_as_if_nothing_were_drafted(
    hook: str, context: dict[str, Any]
) -> None:
    body = MINIMAL | {"hook": hook, "context": {"patientId": "p1", **context}}
    request = read_request(body, hook)
    assert request.drafts == ()
    assert request.selections is None


def test_drafts_and_selections_are_read() -> None:
    order = {"resourceType": "MedicationRequest", "id": "request-123", "status": "draft"}
    context = {
        "patientId": "p1",
        "selections": ["MedicationRequest/request-123"],
        "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": order}]},  # no type: the sandbox
    }
    request = read_request(MINIMAL | {"hook": "order-select", "context": context}, "order-select")
    assert [dict(draft) for draft in request.drafts] == [order]
    assert request.selections == ("MedicationRequest/request-123",)


@pytest.mark.parametrize(
    "user, sees_cards",
    [
        ("Practitioner/1", True),
        ("PractitionerRole/1", True),
        ("", True),
        ("Patient/p1", False),
        ("RelatedPerson/7", False),
        ("http://ehr.example/fhir/Patient/1", False),
        ("http://ehr.example/fhir/Patient/1/_history/2", False),
        ("/Patient/1", False),
        ("patient/1", False),
        ("PATIENT/1", False),
        ("Patient", False),
        (" RelatedPerson/7 ", False),
        ("http://ehr.example/fhir/Practitioner/1", True),
    ],
)
def test_who_may_see_advice(user: str, sees_cards: bool) -> None:
    assert read_request(with_change("/context/userId", user), "patient-view").from_clinician is sees_cards


def test_an_absolute_user_reference_fills_the_same_token() -> None:
    for user in ("Practitioner/7", "http://ehr.example/fhir/Practitioner/7"):
        request = read_request(with_change("/context/userId", user), "patient-view")
        assert request.context["userPractitionerId"] == "7"


def test_a_patient_id_with_a_line_end_is_refused() -> None:
    for value in ("p1\n", "Patient/p1\n", "..\n"):
        with pytest.raises(BadRequest):
            read_request(with_change("/context/patientId", value), "patient-view")


def test_thousands_of_faults_do_not_make_an_answer_larger_than_the_body() -> None:
    with pytest.raises(BadRequest) as caught:
        read_request(with_change("/context/selections", [5] * 50_000), "patient-view")
    assert len(caught.value.faults) == 20
    assert caught.value.detail.endswith("; and more.")
    assert len(caught.value.detail) < 4_000


def test_a_token_without_its_server_is_dropped() -> None:
    body = with_change("/fhirAuthorization", {"access_token": "secret"})
    assert read_request(body, "patient-view").access_token == ""


def test_the_token_is_not_in_the_repr() -> None:
    body = with_change("/fhirAuthorization", {"access_token": "secret"}) | {
        "fhirServer": "https://ehr.example"
    }
    request = read_request(body, "patient-view")
    assert request.access_token == "secret"
    assert "secret" not in repr(request)


@pytest.mark.parametrize(
    "case, prefetched",
    [
        ("the Patient itself", {"resourceType": "Patient", "id": "p2"}),
        (
            "in a Bundle",
            {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "id": "p2"}}]},
        ),
    ],
)
def test_another_patients_prefetch_is_refused(case: str, prefetched: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        read_request(with_change("/prefetch/patient", prefetched), "patient-view")
    assert caught.value.faults[0].pointer == "/prefetch/patient", case
