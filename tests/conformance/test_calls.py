"""Calls as clients make them: envelope, contexts, prefetch in all its forms, and access to a FHIR server."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cds_service.knowledge.load import demo_patients
from cds_service.record import PREFETCH_KEYS
from tests.hooks.calls import HOOKS, call, faults, searchset
from tests.web.conftest import MakeClient

requirement = pytest.mark.requirement
Body = dict[str, Any]

VIEW = "/cds-services/rrmm-patient-view"
SELECT = "/cds-services/rrmm-order-select"
SIGN = "/cds-services/rrmm-order-sign"
TOKEN = "eySecretToken"
KEYS = list(PREFETCH_KEYS.values())
CLASHING = "order-daratumumab-when-refractory"


def cards(client: FlaskClient, url: str, body: Body) -> list[dict[str, Any]]:
    answer = client.post(url, json=body)
    assert answer.status_code == 200, answer.text
    assert faults(answer.json, "cds-response") == []
    return list(answer.json["cards"])


def said(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What the cards tell, uuids aside."""
    return [(card["summary"], card["detail"]) for card in found]


def without(body: Body, *members: str) -> Body:
    return {key: value for key, value in body.items() if key not in members}


def drafted(drug: str, number: int, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "id": f"d{number}",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {"text": drug},
        "subject": {"reference": "Patient/drd1-patient"},
        **more,
    }


def ordering(hook: str, *drafts: dict[str, Any], **context: Any) -> Body:
    bundle = searchset(*drafts) | {"type": "collection"}
    return call(hook, draftOrders=bundle, **context)


def clashes(client: FlaskClient, url: str, body: Body) -> str:
    """What the conflict cards of an answer say."""
    found = cards(client, url, body)
    assert all(card["extension"]["org.myeloma-cds"]["kind"] == "order-conflict" for card in found)
    return " ".join(f"{card['summary']} {card['detail']}" for card in found).lower()


# The envelope


@requirement(25)
def test_a_call_is_a_post_to_a_known_id(client: FlaskClient) -> None:
    assert client.get(VIEW).status_code == 405
    assert client.post("/cds-services/nobody", json=call("patient-view")).status_code == 404
    assert client.post(VIEW, json=[call("patient-view")]).status_code == 400


@requirement(26, 27, 30)
@pytest.mark.parametrize("member", ["hook", "hookInstance", "context"])
@pytest.mark.parametrize("value", [..., None, 7, ""])
def test_what_every_call_must_hold(client: FlaskClient, member: str, value: Any) -> None:
    body = call("patient-view") | {member: value}
    answer = client.post(VIEW, json=without(body, member) if value is ... else body)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json["errors"]] == [f"/{member}"]


@requirement(26)
@pytest.mark.parametrize("hook", [*HOOKS, "order-dispatch", "Patient-View"])
def test_a_service_never_answers_another_hook(client: FlaskClient, hook: str) -> None:
    for own in HOOKS:
        answer = client.post(f"/cds-services/rrmm-{own}", json=call(own) | {"hook": hook})
        assert answer.status_code == (200 if hook == own else 400)
        assert ("cards" in answer.json) is (hook == own)


@requirement(27)
@pytest.mark.parametrize(
    "instance", ["D1577C69-DFBE-44AD-BA6D-3E05E953B2EA", "6ccb7dca-ed12-11f1-8c28-02fc00000001", "no-uuid"]
)
def test_a_hook_instance_of_any_kind_is_taken_again_and_again(client: FlaskClient, instance: str) -> None:
    body = call("patient-view") | {"hookInstance": instance}
    first, again = cards(client, VIEW, body), cards(client, VIEW, body)
    assert said(first) == said(again) != []
    assert {card["uuid"] for card in first}.isdisjoint(card["uuid"] for card in again)


@requirement(29, 31)
@pytest.mark.parametrize("value", [..., None])
@pytest.mark.parametrize("hook", HOOKS)
def test_neither_server_nor_authorization_are_needed(client: FlaskClient, hook: str, value: Any) -> None:
    body = call(hook, CLASHING)
    plain = said(cards(client, f"/cds-services/rrmm-{hook}", body))
    if value is None:
        body |= {"fhirServer": None, "fhirAuthorization": None}
    assert said(cards(client, f"/cds-services/rrmm-{hook}", body)) == plain


@requirement(32)
def test_no_hook_rests_on_an_earlier_one(make_client: MakeClient) -> None:
    fresh, used = make_client(), make_client()
    cards(used, VIEW, call("patient-view", CLASHING))
    cards(used, SELECT, call("order-select", CLASHING))
    body = call("order-sign", CLASHING)
    assert said(cards(fresh, SIGN, body)) == said(cards(used, SIGN, body)) != []


@requirement(33)
def test_members_that_nobody_knows_are_ignored(client: FlaskClient) -> None:
    body = call("patient-view", tomorrow={"x": 1})
    plain = said(cards(client, VIEW, call("patient-view")))
    body |= {"extension": {"com.epic.cdshooks.request.bpa-trigger-action": 60}, "somethingNew": [1]}
    assert said(cards(client, VIEW, body)) == plain


# The contexts


@requirement(34)
@pytest.mark.parametrize("kind", ["Practitioner", "PractitionerRole", "Patient", "RelatedPerson"])
@pytest.mark.parametrize("hook", HOOKS)
def test_clinicians_are_advised_and_patients_are_not(client: FlaskClient, hook: str, kind: str) -> None:
    body = call(hook, CLASHING, userId=f"{kind}/u1")
    found = cards(client, f"/cds-services/rrmm-{hook}", body)
    assert bool(found) is kind.startswith("Practitioner")


@requirement(34, 35, 36)
@pytest.mark.parametrize("hook", HOOKS)
def test_an_encounter_may_be_named_and_is_then_that_of_the_orders(client: FlaskClient, hook: str) -> None:
    plain = cards(client, f"/cds-services/rrmm-{hook}", call(hook, CLASHING))
    named = cards(client, f"/cds-services/rrmm-{hook}", call(hook, CLASHING, encounterId="enc-1"))
    assert said(named) == said(plain) != []
    created = [
        action["resource"]
        for card in named
        for suggestion in card["suggestions"]
        for action in suggestion["actions"]
        if action["type"] == "create"
    ]
    assert created and all(one["encounter"] == {"reference": "Encounter/enc-1"} for one in created)


@requirement(35)
def test_order_select_speaks_of_the_selected_order_alone(client: FlaskClient) -> None:
    drafts = (drafted("daratumumab", 1), drafted("lenalidomide", 2))
    for number, (wanted, other) in enumerate(
        [("daratumumab", "lenalidomide"), ("lenalidomide", "daratumumab")], 1
    ):
        body = ordering("order-select", *drafts, selections=[f"MedicationRequest/d{number}"])
        (card,) = cards(client, SELECT, body)
        assert wanted in card["summary"].lower()
        assert other not in card["summary"].lower()
        assert f"{other} ordered" not in f"{card['summary']} {card['detail']}".lower()


@requirement(35)
@pytest.mark.parametrize(
    "draft",
    [
        drafted("", 1, medicationCodeableConcept={}),
        without(drafted("", 1), "medicationCodeableConcept", "intent"),
        drafted("lenalidomide", 1, category={"text": "x"}, dosageInstruction={"text": "y"}),
        drafted("", 1, medicationCodeableConcept={"coding": [{}]}),
    ],
)
def test_a_draft_without_its_details_is_survived(client: FlaskClient, draft: dict[str, Any]) -> None:
    cards(client, SELECT, ordering("order-select", draft, selections=["MedicationRequest/d1"]))


@requirement(35, 36)
@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("value", [..., None, {"resourceType": "Bundle"}])
def test_nothing_drafted_is_no_error(client: FlaskClient, hook: str, value: Any) -> None:
    body = call(hook) if value is ... else call(hook, draftOrders=value)
    cards(client, f"/cds-services/rrmm-{hook}", body)


@requirement(36)
def test_order_sign_looks_at_every_order(client: FlaskClient) -> None:
    drafts = (drafted("daratumumab", 1), drafted("lenalidomide", 2))
    found = clashes(client, SIGN, ordering("order-sign", *drafts))
    assert "daratumumab ordered" in found and "lenalidomide ordered" in found


@requirement(36)
@pytest.mark.parametrize("status", ["draft", "active", "on-hold"])
def test_an_order_that_is_signed_again_is_looked_at(client: FlaskClient, status: str) -> None:
    drafts = (drafted("daratumumab", 1, status=status), drafted("bortezomib", 2))
    assert "daratumumab ordered" in clashes(client, SIGN, ordering("order-sign", *drafts))


@requirement(42)
@pytest.mark.parametrize(
    "draft",
    [
        {
            "resourceType": "MedicationOrder",
            "id": "d1",
            "status": "draft",
            "patient": {"reference": "Patient/drd1-patient"},
            "medicationCodeableConcept": {"text": "lenalidomide"},
        },
        drafted(
            "lenalidomide", 1, context={"reference": "Encounter/e"}, requester={"agent": {"display": "x"}}
        ),
    ],
    ids=["DSTU2", "STU3"],
)
def test_orders_of_older_fhir_are_survived_and_never_pass_for_fitting_ones(
    client: FlaskClient, draft: dict[str, Any]
) -> None:
    (card,) = cards(client, SIGN, ordering("order-sign", draft))
    if draft["resourceType"] == "MedicationOrder":
        assert card["summary"].startswith("An order was not checked")
    else:
        assert "lenalidomide" in card["summary"].lower()


@requirement(43)
@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_a_bundle_of_drafts_need_not_say_its_type(client: FlaskClient, hook: str) -> None:
    body = call(hook, CLASHING)
    plain = said(cards(client, f"/cds-services/rrmm-{hook}", body))
    del body["context"]["draftOrders"]["type"]
    assert said(cards(client, f"/cds-services/rrmm-{hook}", body)) == plain != []


@requirement(44)
def test_drafts_that_are_no_medication_are_stepped_over(client: FlaskClient) -> None:
    others = [
        {
            "resourceType": kind,
            "id": f"x{n}",
            "status": "draft",
            "subject": {"reference": "Patient/drd1-patient"},
        }
        for n, kind in enumerate(
            ("ServiceRequest", "NutritionOrder", "DeviceRequest", "Medication", "Whatever")
        )
    ]
    found = clashes(client, SIGN, ordering("order-sign", *others, drafted("lenalidomide", 1)))
    assert "lenalidomide ordered" in found


# Prefetch


@requirement(52)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=st.sets(st.sampled_from(KEYS)), hook=st.sampled_from(HOOKS))
def test_any_part_of_the_prefetch_is_answered_or_told_to_be_too_little(
    client: FlaskClient, keys: set[str], hook: str
) -> None:
    body = call(hook, CLASHING)
    body["prefetch"] = {key: value for key, value in body["prefetch"].items() if key in keys}
    answer = client.post(f"/cds-services/rrmm-{hook}", json=body)
    assert answer.status_code == (200 if "conditions" in keys else 412)
    if answer.status_code == 200:
        assert faults(answer.json, "cds-response") == []


LISTS = [key for key in KEYS if key not in ("patient", "conditions")]
MEDICATIONS = [key for key in KEYS if key.startswith("medication")]


@requirement(53, 54)
@pytest.mark.parametrize("key", LISTS)
def test_a_key_that_did_not_come_is_unknown_and_the_card_says_so(client: FlaskClient, key: str) -> None:
    body = call("patient-view")
    del body["prefetch"][key]
    (card,) = cards(client, VIEW, body)
    assert "Not received in full: " in card["detail"]


@requirement(53, 54)
def test_without_any_list_of_medications_no_history_is_claimed(client: FlaskClient) -> None:
    body = call("patient-view")
    body["prefetch"] = {key: value for key, value in body["prefetch"].items() if key not in MEDICATIONS}
    (card,) = cards(client, VIEW, body)
    assert card["summary"].startswith("No regimen can be suggested; not charted: ")


OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "exception", "diagnostics": "time-out"}],
}
NO_RESULTS = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "warning", "code": "processing", "details": {"coding": [{"code": "4101"}]}}],
}


@requirement(55, 56)
@pytest.mark.parametrize(
    "severity, wrapped", [("error", False), ("fatal", True)], ids=["as the value", "as an entry"]
)
@pytest.mark.parametrize("key", LISTS)
def test_an_error_in_place_of_data_is_as_if_the_key_were_absent(
    client: FlaskClient, key: str, wrapped: bool, severity: str
) -> None:
    absent, failed = call("patient-view"), call("patient-view")
    del absent["prefetch"][key]
    outcome = deepcopy(OUTCOME)
    outcome["issue"][0]["severity"] = severity
    failed["prefetch"][key] = searchset(outcome) if wrapped else outcome
    assert said(cards(client, VIEW, failed)) == said(cards(client, VIEW, absent))


NONE_FOUND = {
    "an empty Bundle": {"resourceType": "Bundle", "type": "searchset"},
    "no entries": {"resourceType": "Bundle", "type": "searchset", "entry": []},
    "total 0": {"resourceType": "Bundle", "type": "searchset", "total": 0},
    "no results, as a warning": searchset(NO_RESULTS) | {"total": 0},
}


@requirement(56, 57)
@pytest.mark.parametrize("form", NONE_FOUND)
@pytest.mark.parametrize("key", LISTS)
def test_a_search_that_found_nothing_is_known_to_be_empty(client: FlaskClient, key: str, form: str) -> None:
    null, empty = call("patient-view"), call("patient-view")
    null["prefetch"][key] = None
    empty["prefetch"][key] = NONE_FOUND[form]
    told = said(cards(client, VIEW, empty))
    assert told == said(cards(client, VIEW, null))
    assert "Not received in full" not in told[0][1]


@requirement(57, 62)
@pytest.mark.parametrize("value", [None, *NONE_FOUND.values()])
def test_conditions_known_to_be_none_are_an_answer(client: FlaskClient, value: Any) -> None:
    body = call("patient-view")
    body["prefetch"]["conditions"] = value
    assert client.post(VIEW, json=body).status_code == 200


@requirement(58)
def test_keys_that_were_not_asked_for_are_ignored(client: FlaskClient) -> None:
    body = call("patient-view")
    plain = said(cards(client, VIEW, body))
    stray = {"resourceType": "Condition", "id": "stray", "code": {"text": "heart failure NYHA IV"}}
    body["prefetch"] |= {"coverage": searchset(stray), "-user": {"resourceType": "Practitioner", "id": "u"}}
    assert said(cards(client, VIEW, body)) == plain


@requirement(59)
@pytest.mark.parametrize("key", MEDICATIONS)
def test_a_page_with_more_to_come_is_no_whole_history(client: FlaskClient, key: str) -> None:
    body = call("patient-view")
    page = body["prefetch"][key] or searchset()
    body["prefetch"][key] = page | {"link": [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]}
    card, *_ = cards(client, VIEW, body)
    assert "Not received in full: " in card["detail"]
    assert "history" in card["summary"] or "not charted" in card["summary"]


@requirement(63)
@pytest.mark.parametrize("value", ["123", 7, True, [], {"id": "x"}])
@pytest.mark.parametrize("key", ["medicationStatements", "observations"])
def test_a_value_that_is_no_resource_counts_as_absent(client: FlaskClient, key: str, value: Any) -> None:
    absent, odd = call("patient-view"), call("patient-view")
    del absent["prefetch"][key]
    odd["prefetch"][key] = value
    told = said(cards(client, VIEW, odd))
    assert [summary for summary, _ in told] == [summary for summary, _ in said(cards(client, VIEW, absent))]
    assert "Not received in full" in told[0][1]


# Access to the client's FHIR server


class Ehr:
    """A FHIR server that holds one demo patient, and what was asked of it."""

    def __init__(self, server: HTTPServer, demo: str = "drd-first-relapse") -> None:
        self.url = server.url_for("/fhir")
        self.asked: list[Request] = []
        self.prefetch = call("patient-view", demo)["prefetch"]
        self.failing: dict[str, Response] = {}
        server.expect_request(re.compile(r"/fhir/.*")).respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        self.asked.append(request)
        kind = request.path.split("/")[2]
        if kind in self.failing:
            return self.failing[kind]
        body = self.prefetch.get(PREFETCH_KEYS.get(kind, ""), None) or searchset()
        return Response(orjson.dumps(body), content_type="application/fhir+json")

    def authorized(self, body: Body, **more: Any) -> Body:
        authorization = {
            "access_token": TOKEN,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "patient/*.read",
            "subject": "myeloma-cds",
        }
        return body | {"fhirServer": self.url, "fhirAuthorization": authorization | more}

    @property
    def kinds(self) -> set[str]:
        return {request.path.split("/")[2] for request in self.asked}


@pytest.fixture
def ehr(httpserver: HTTPServer) -> Ehr:
    return Ehr(httpserver)


@pytest.fixture
def allowed(make_client: MakeClient, ehr: Ehr) -> FlaskClient:
    return make_client(fhir_servers=(ehr.url,))


@requirement(28)
def test_a_token_without_its_server_leads_to_no_call(allowed: FlaskClient, ehr: Ehr) -> None:
    body = without(ehr.authorized(call("patient-view")), "fhirServer")
    assert cards(allowed, VIEW, body)
    assert allowed.post(VIEW, json=without(body, "prefetch")).status_code == 412
    assert ehr.asked == []


@requirement(60)
@pytest.mark.parametrize("key", KEYS)
def test_exactly_what_is_missing_is_fetched(allowed: FlaskClient, ehr: Ehr, key: str) -> None:
    plain = said(cards(allowed, VIEW, call("patient-view")))
    body = ehr.authorized(call("patient-view"))
    del body["prefetch"][key]
    assert said(cards(allowed, VIEW, body)) == plain
    assert ehr.kinds == {kind for kind, own in PREFETCH_KEYS.items() if own == key}


@requirement(31, 61)
@pytest.mark.parametrize("demo", sorted(demo_patients()))
def test_prefetch_and_fhir_server_lead_to_the_same_answer(
    make_client: MakeClient, httpserver: HTTPServer, demo: str
) -> None:
    ehr = Ehr(httpserver, demo)
    client = make_client(fhir_servers=(ehr.url,))
    sent = call("patient-view", demo)
    fetched = ehr.authorized(without(sent, "prefetch"))
    assert said(cards(client, VIEW, fetched)) == said(cards(client, VIEW, sent))


@requirement(59)
def test_a_page_with_more_to_come_is_fetched_on(allowed: FlaskClient, ehr: Ehr) -> None:
    plain = said(cards(allowed, VIEW, call("patient-view")))
    body = ehr.authorized(call("patient-view"))
    page = {"relation": "next", "url": f"{ehr.url}/MedicationStatement?page=2"}
    body["prefetch"]["medicationStatements"] = searchset() | {"link": [page]}
    assert said(cards(allowed, VIEW, body)) == plain
    assert [request.query_string for request in ehr.asked] == [b"page=2"]


@requirement(62, 75)
@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_conditions_that_are_neither_sent_nor_to_be_had_are_a_412(
    allowed: FlaskClient, ehr: Ehr, status: int
) -> None:
    ehr.failing["Condition"] = Response(status=status)
    body = ehr.authorized(call("patient-view"))
    del body["prefetch"]["conditions"]
    answer = allowed.post(VIEW, json=body)
    assert answer.status_code == 412
    assert [error["pointer"] for error in answer.json["errors"]] == ["/prefetch/conditions"]


@requirement(62, 75)
@pytest.mark.parametrize("hook", HOOKS)
def test_a_bare_call_is_a_412(client: FlaskClient, hook: str) -> None:
    answer = client.post(f"/cds-services/rrmm-{hook}", json=without(call(hook), "prefetch"))
    assert answer.status_code == 412


@requirement(62, 75)
def test_a_server_that_nobody_reaches_is_a_412(make_client: MakeClient) -> None:
    nowhere = "http://127.0.0.1:9/fhir"
    body = without(call("patient-view"), "prefetch") | {"fhirServer": nowhere}
    assert make_client(fhir_servers=(nowhere,)).post(VIEW, json=body).status_code == 412


@requirement(65, 71)
@pytest.mark.parametrize(
    "odd",
    [
        {"expires_in": "300"},
        {"scope": "patient/Observation.rs user/Condition.r"},
        {"scope": "OBSERVATION.SEARCH (R4) [x]"},
        {"patient": "drd1-patient"},
        {"refresh": None},
    ],
)
def test_an_authorization_is_taken_as_clients_write_it(
    allowed: FlaskClient, ehr: Ehr, odd: dict[str, Any]
) -> None:
    body = without(ehr.authorized(call("patient-view"), **odd), "prefetch")
    assert said(cards(allowed, VIEW, body)) == said(cards(allowed, VIEW, call("patient-view")))


@requirement(66)
def test_the_token_follows_no_address_out_of_the_server(allowed: FlaskClient, ehr: Ehr) -> None:
    body = ehr.authorized(call("patient-view"))
    elsewhere = ehr.url.replace("/fhir", "/other/fhir")
    body["prefetch"]["observations"] = searchset(next_page=f"{elsewhere}/Observation?page=2")
    ehr.failing["MedicationStatement"] = Response(status=302, headers={"Location": elsewhere})
    del body["prefetch"]["medicationStatements"]
    cards(allowed, VIEW, body)
    assert {request.path for request in ehr.asked} <= {"/fhir/MedicationStatement", "/fhir/Observation"}


@requirement(66)
def test_a_server_that_is_not_listed_is_not_called(client: FlaskClient, ehr: Ehr) -> None:
    body = ehr.authorized(without(call("patient-view"), "prefetch"))
    assert client.post(VIEW, json=body).status_code == 412
    assert ehr.asked == []


@requirement(67)
def test_every_question_to_the_server_carries_the_token(allowed: FlaskClient, ehr: Ehr) -> None:
    assert cards(allowed, VIEW, ehr.authorized(without(call("patient-view"), "prefetch")))
    assert len(ehr.asked) == len(KEYS)
    assert {request.headers["Authorization"] for request in ehr.asked} == {f"Bearer {TOKEN}"}


@requirement(68, 69, 70)
def test_the_token_is_neither_kept_nor_told(
    make_client: MakeClient, ehr: Ehr, capfd: pytest.CaptureFixture[str]
) -> None:
    client = make_client(fhir_servers=(ehr.url,), log_format="json")
    answers = [client.post(VIEW, json=ehr.authorized(without(call("patient-view"), "prefetch")))]
    ehr.failing["Condition"] = Response(TOKEN, status=403)
    answers.append(client.post(VIEW, json=ehr.authorized(without(call("patient-view"), "prefetch"))))
    assert [answer.status_code for answer in answers] == [200, 412]
    asked = len(ehr.asked)
    # The next call comes without a token: one that was kept would show here.
    ehr.failing.clear()
    body = without(call("patient-view"), "prefetch") | {"fhirServer": ehr.url}
    answers.append(client.post(VIEW, json=body))
    later = ehr.asked[asked:]
    assert len(later) == len(KEYS)
    assert not any("Authorization" in request.headers for request in later)
    answers.append(client.get("/metrics"))
    log = "".join(capfd.readouterr())
    assert "hook call" in log
    assert TOKEN not in log + "".join(answer.text for answer in answers)
