"""CDS Hooks over HTTP. Numbers in brackets: rows of docs/conformance.md."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from pytest_httpserver import HTTPServer

from cds_service.knowledge.load import demo_patients
from cds_service.web.logs import GunicornSaysLess
from tests.hooks.calls import HOOKS, call, empty_members, faults, prefetch_of, searchset
from tests.web.conftest import MakeClient

VIEW = "/cds-services/rrmm-patient-view"


def post(client: FlaskClient, url: str, body: Any, **more: Any):
    return client.post(url, data=json.dumps(body), content_type="application/json", **more)


@pytest.mark.parametrize("path", ["/cds-services", "/cds-services/", "/cds-services//"])
def test_discovery_is_there_without_a_redirect(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200  # [8]
    assert answer.mimetype == "application/json"  # [1]
    assert faults(answer.json, "discovery-response") == []  # [9, 11-16]
    assert empty_members(answer.json) == []  # [3, 4]


@pytest.mark.parametrize("language", ["en", "it"])
def test_each_announced_service_answers(make_client: MakeClient, language: str) -> None:
    client = make_client(language=language)
    for service in client.get("/cds-services").json["services"]:
        answer = post(client, f"/cds-services/{service['id']}", call(service["hook"]))  # [13]
        assert answer.status_code == 200
        assert faults(answer.json, "cds-response") == []


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("demo", sorted(demo_patients()))
def test_every_demo_patient_is_answered_as_the_standard_has_it(
    client: FlaskClient, hook: str, demo: str
) -> None:
    answer = post(client, f"/cds-services/rrmm-{hook}", call(hook, demo))
    assert answer.status_code == 200
    assert faults(answer.json, "cds-response") == []  # [72, 80-115]
    cards = answer.json["cards"]
    assert empty_members(cards or "none") == []
    uuids = [one["uuid"] for card in cards for one in (card, *card.get("suggestions", ()))]
    assert len(uuids) == len(set(uuids))
    for card in cards:
        assert card["extension"]["org.myeloma-cds"]["as_of"] == "2026-05-11"


def test_a_first_relapse_gets_a_sequencing_card(client: FlaskClient) -> None:
    (card,) = post(client, VIEW, call("patient-view")).json["cards"]
    assert card["extension"]["org.myeloma-cds"]["kind"] == "sequencing"
    assert "s-vd" in [one["extension"]["org.myeloma-cds"]["regimen"] for one in card["suggestions"]]


def test_an_order_of_what_failed_is_told_when_signed(client: FlaskClient) -> None:
    body = call("order-sign", "order-daratumumab-when-refractory")
    cards = post(client, "/cds-services/rrmm-order-sign", body).json["cards"]
    assert [card["extension"]["org.myeloma-cds"]["kind"] for card in cards] == ["order-conflict"]
    deletes = [
        action["resourceId"]
        for suggestion in cards[0]["suggestions"]
        for action in suggestion["actions"]
        if action["type"] == "delete"
    ]
    drafted = {
        f"MedicationRequest/{draft['id']}"
        for draft in demo_patients()["order-daratumumab-when-refractory"]["draft_orders"]
    }
    assert deletes and set(deletes) <= drafted  # [105]


@pytest.mark.parametrize("slashes", ["/cds-services//rrmm-patient-view", VIEW + "/"])
def test_addresses_as_clients_join_them(client: FlaskClient, slashes: str) -> None:
    assert post(client, slashes, call("patient-view")).status_code == 200


@pytest.mark.parametrize("user", ["Patient/drd1-patient", "RelatedPerson/daughter"])
def test_patients_and_relatives_get_no_card(client: FlaskClient, user: str) -> None:
    answer = post(client, VIEW, call("patient-view", userId=user))
    assert (answer.status_code, answer.json) == (200, {"cards": []})


def test_each_call_is_answered_anew(client: FlaskClient) -> None:
    first, second = (post(client, VIEW, call("patient-view")).json["cards"] for _ in range(2))
    assert first[0]["summary"] == second[0]["summary"]
    assert first[0]["uuid"] != second[0]["uuid"]


@pytest.mark.parametrize("without", [*prefetch_of("drd-first-relapse"), "all but conditions"])
def test_every_missing_key_is_survived(client: FlaskClient, without: str) -> None:
    body = call("patient-view")
    if without == "all but conditions":
        body["prefetch"] = {"conditions": body["prefetch"]["conditions"]}
    else:
        del body["prefetch"][without]
    answer = post(client, VIEW, body)
    assert answer.status_code == (412 if without == "conditions" else 200)  # [52, 62]
    if answer.status_code == 200:
        assert faults(answer.json, "cds-response") == []


def test_a_bare_call_is_a_412_that_says_what_to_send(client: FlaskClient) -> None:
    body = call("patient-view")
    del body["prefetch"]
    answer = post(client, VIEW, body)
    assert answer.status_code == 412
    assert answer.mimetype == "application/problem+json"
    assert answer.json["errors"][0]["pointer"] == "/prefetch/conditions"
    assert "fhirServer" in answer.json["detail"]


def test_null_everywhere_is_known_to_be_none(client: FlaskClient) -> None:
    body = call("patient-view")
    body["prefetch"] = dict.fromkeys(body["prefetch"])
    answer = post(client, VIEW, body)
    assert (answer.status_code, answer.json) == (200, {"cards": []})  # [57, 73]


def test_what_is_lacking_is_fetched(make_client: MakeClient, httpserver: HTTPServer) -> None:
    whole = call("patient-view")
    prefetch = whole.pop("prefetch")
    for key, path in {
        "patient": "/fhir/Patient/drd1-patient",
        "conditions": "/fhir/Condition",
        "medicationStatements": "/fhir/MedicationStatement",
        "medicationRequests": "/fhir/MedicationRequest",
        "medicationAdministrations": "/fhir/MedicationAdministration",
        "medicationDispenses": "/fhir/MedicationDispense",
        "observations": "/fhir/Observation",
        "procedures": "/fhir/Procedure",
        "allergies": "/fhir/AllergyIntolerance",
    }.items():
        httpserver.expect_request(path).respond_with_json(prefetch[key] or searchset())
    whole |= {
        "fhirServer": httpserver.url_for("/fhir/"),
        "fhirAuthorization": {
            "access_token": "tok",
            "token_type": "Bearer",
            "expires_in": 60,
            "scope": "x",
            "subject": "y",
        },
    }
    client = make_client(fhir_servers=(httpserver.url_for("/fhir"),))
    fetched = post(client, VIEW, whole).json["cards"]
    sent = post(client, VIEW, call("patient-view")).json["cards"]
    assert [card["summary"] for card in fetched] == [card["summary"] for card in sent]
    assert fetched[0]["detail"] == sent[0]["detail"]
    assert post(make_client(), VIEW, whole).status_code == 412  # the same server, not allowed


def test_the_day_is_that_of_the_call_in_utc(make_client: MakeClient) -> None:
    late = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    (card,) = post(make_client(now=lambda: late), VIEW, call("patient-view")).json["cards"]
    assert card["extension"]["org.myeloma-cds"]["as_of"] == "2026-12-31"


def test_silent_mode_computes_and_shows_nothing(
    make_client: MakeClient, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = post(make_client(mode="silent", log_format="json"), VIEW, call("patient-view"))
    assert (answer.status_code, answer.json) == (200, {"cards": []})
    line = json.loads(capfd.readouterr().err.splitlines()[-1])
    assert (line["cards"], line["computed"]) == (0, 1)


def test_a_line_per_call_without_patient_data(
    make_client: MakeClient, capfd: pytest.CaptureFixture[str]
) -> None:
    client = make_client(log_format="json")
    body = call("patient-view") | {"fhirAuthorization": {"access_token": "eySecret"}}
    post(client, VIEW, body, headers={"Authorization": "Bearer eyJwt"})
    text = capfd.readouterr().err
    line = json.loads(text.splitlines()[-1])
    assert line["event"] == "hook call"
    assert {"hook", "hook_instance", "status", "ms", "cards", "issues"} <= set(line)
    for secret in ("eySecret", "eyJwt", "drd1-patient", "1951", "haematologist-1"):
        assert secret not in text


def test_what_a_library_logs_is_not_heard(
    make_client: MakeClient, httpserver: HTTPServer, capfd: pytest.CaptureFixture[str]
) -> None:
    client = make_client(log_format="json", fhir_servers=(httpserver.url_for("/fhir"),))
    body = call("patient-view") | {"fhirServer": httpserver.url_for("/fhir")}
    del body["prefetch"]
    assert post(client, VIEW, body).status_code == 412
    for name in ("urllib3.connectionpool", "requests", "werkzeug", "anything.else"):
        logging.getLogger(name).error("Failed to parse headers (url=/fhir/Condition?patient=drd1-patient)")
    text = capfd.readouterr().err
    assert "drd1-patient" not in text
    assert "hook call" in text


@pytest.mark.parametrize(
    "message, arguments, told",
    [
        ("Invalid request from ip=::: no coding 'Rossi'", (), "Invalid request from ip="),
        ("Invalid request from ip=10.0.0.1: 'Rossi'", (), "Invalid request from ip=10.0.0.1"),
        ("Error handling request %s %s", ("GET", "/?patient=Rossi"), "Error handling request … …"),
        ("Worker (pid:%s) exited with code %s.", (12, 3), "Worker (pid:12) exited with code 3."),
        (ValueError("Rossi"), (), "ValueError"),
    ],
)  # fmt: skip
def test_what_gunicorn_quotes_is_cut(message: Any, arguments: tuple[Any, ...], told: str) -> None:
    try:
        raise RuntimeError("Rossi")
    except RuntimeError:
        broken = sys.exc_info()
    record = logging.LogRecord("gunicorn.error", logging.ERROR, "x", 1, message, arguments, broken)
    assert GunicornSaysLess().filter(record)
    assert record.getMessage().startswith(told + " (RuntimeError at test_cds_services.py")
    assert record.exc_info is None and "Rossi" not in record.getMessage()


def test_a_hook_instance_that_is_no_uuid_stays_out_of_the_log(
    make_client: MakeClient, capfd: pytest.CaptureFixture[str]
) -> None:
    post(make_client(log_format="json"), VIEW, call("patient-view") | {"hookInstance": "Rossi, Maria"})
    assert "Rossi" not in capfd.readouterr().err


class Listening:
    """Passes a question on and keeps it."""

    def __init__(self, assessor: Any) -> None:
        self.assessor = assessor
        self.question: Any = None

    def assess(self, resources: Any, question: Any) -> Any:
        self.question = question
        return self.assessor.assess(resources, question)


def test_what_the_hook_asks(make_client: MakeClient, assessor: Any) -> None:
    listening = Listening(assessor)
    client = make_client(assessor=listening, region="FDA", language="it", pathway="barila-2025")
    body = call("order-select", "order-daratumumab-when-refractory", encounterId="e1")
    del body["prefetch"]["allergies"]
    assert post(client, "/cds-services/rrmm-order-select", body).status_code == 200
    asked = listening.question
    assert (asked.region, asked.language, asked.pathway) == ("FDA", "it", "barila-2025")
    assert (asked.moment, asked.patient_id, asked.encounter) == (
        "order-select",
        "ord-patient",
        "Encounter/e1",
    )
    assert str(asked.as_of) == "2026-05-11"
    assert next(draft["id"] for draft in asked.drafts) == "ord-draft-daratumumab"
    assert asked.selections == tuple(body["context"]["selections"])
    assert asked.completeness["allergies"] == "absent" and asked.completeness["conditions"] == "complete"
    assert [issue.where for issue in asked.issues] == ["prefetch/allergies"]
    assert asked.validation == "fast"
    post(client, "/api/v1/assess", {"resourceType": "Bundle"})
    assert listening.question.validation == "relevant"


@pytest.mark.parametrize(
    "sent, asked",
    [
        ("e1", "Encounter/e1"),
        ("Encounter/e1", "Encounter/e1"),
        ("http://ehr.example/fhir/Encounter/e1", "Encounter/e1"),
        ("e1/_history/2", "Encounter/e1"),
        ("a b", ""),
        ("<script>", ""),
        ("/", ""),
        ("../x", ""),
        ("e" * 200, ""),
        (None, ""),
    ],
)
def test_an_encounter_that_a_fhir_server_would_refuse_is_left_out(
    make_client: MakeClient, assessor: Any, sent: str | None, asked: str
) -> None:
    listening = Listening(assessor)
    body = call("patient-view", encounterId=sent)
    assert post(make_client(assessor=listening), VIEW, body).status_code == 200
    assert listening.question.encounter == asked


def test_a_call_that_does_not_say_who_asks_is_answered_with_an_issue(
    make_client: MakeClient, assessor: Any
) -> None:
    listening = Listening(assessor)
    body = call("patient-view")
    del body["context"]["userId"]
    assert post(make_client(assessor=listening), VIEW, body).json["cards"]
    assert [issue.where for issue in listening.question.issues] == ["context/userId"]


@pytest.mark.parametrize("hook", HOOKS[1:])
def test_an_order_hook_called_with_nothing_but_the_patient(client: FlaskClient, hook: str) -> None:
    body = call(hook)  # the sandbox does this where a tab is pressed again
    assert set(body["context"]) == {"userId", "patientId"}
    answer = post(client, f"/cds-services/rrmm-{hook}", body)
    assert answer.status_code == 200
    assert faults(answer.json, "cds-response") == []


class Failing:
    """An assessor that breaks with chart text in its mouth."""

    def assess(self, resources: Any, question: Any) -> Any:
        raise RuntimeError("Maria Rossi, born 1951")


def test_a_failure_is_a_500_and_says_nothing_of_the_chart(
    make_client: MakeClient, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = post(make_client(assessor=Failing()), VIEW, call("patient-view"))
    assert answer.status_code == 500
    assert answer.mimetype == "application/problem+json"
    assert "cards" not in answer.json
    log = capfd.readouterr().err
    assert "RuntimeError" in log and "test_cds_services.py" in log
    assert "Rossi" not in log + answer.text and "Traceback" not in answer.text


# ---- errors ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "case, method, url, data, headers, status",
    [
        ("no such service", "POST", "/cds-services/other", "{}", {}, 404),
        ("no such address", "GET", "/nowhere", None, {}, 404),
        ("GET of a service", "GET", VIEW, None, {}, 405),
        ("POST to discovery", "POST", "/cds-services", "{}", {}, 405),
        ("not JSON", "POST", VIEW, "{", {}, 400),
        ("empty", "POST", VIEW, "", {}, 400),
        ("NaN is not JSON", "POST", VIEW, '{"hook": NaN}', {}, 400),
        ("nested too deep", "POST", VIEW, "[" * 100_000, {}, 400),
        ("not UTF-8", "POST", VIEW, b'{"hook": "\xff"}', {}, 400),
        (
            "the hook of another service",
            "POST",
            "/cds-services/rrmm-order-sign",
            json.dumps(call("patient-view")),
            {},
            400,
        ),
        ("a form", "POST", VIEW, "a=1", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ("XML", "POST", VIEW, "<a/>", {"Content-Type": "application/fhir+xml"}, 415),
        ("compressed", "POST", VIEW, "{}", {"Content-Encoding": "gzip"}, 415),
        ("feedback for no service", "POST", "/cds-services/other/feedback", "{}", {}, 404),
        ("no feedback", "POST", VIEW + "/feedback", "{}", {}, 400),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "application/fhir+json"])
def test_errors_have_one_form(
    client: FlaskClient,
    case: str,
    method: str,
    url: str,
    data: Any,
    headers: dict[str, str],
    status: int,
    accept: str,
) -> None:
    sent = {"Content-Type": "application/json", "Origin": "https://ehr.example", "Accept": accept} | headers
    answer = client.open(url, method=method, data=data, headers=sent)
    assert answer.status_code == status, case
    assert answer.headers["Access-Control-Allow-Origin"] == "*"  # [149]: else the browser hides the error
    if accept == "application/fhir+json":  # [77]
        assert answer.mimetype == accept
        assert answer.json["resourceType"] == "OperationOutcome"
        assert {issue["severity"] for issue in answer.json["issue"]} == {"error"}
    else:
        assert answer.mimetype == "application/problem+json"
        assert {"type", "title", "status", "detail"} <= set(answer.json)
        assert answer.json["status"] == status
        # The type leads to a place on a page that explains it.
        page, _, anchor = answer.json["type"].partition("#")
        assert f'id="{anchor}"' in client.get(page.partition("8080")[2]).text
    assert empty_members(answer.json) in ([], ["/errors/0/pointer"])


@pytest.mark.parametrize(
    "accept, form",
    [
        ("application/fhir+json;q=0, application/json", "application/problem+json"),
        ("application/fhir+json;q=0", "application/problem+json"),
        ("application/json;q=0.2, application/fhir+json", "application/fhir+json"),
    ],
)
def test_a_form_named_to_be_refused_is_not_sent(client: FlaskClient, accept: str, form: str) -> None:
    answer = client.get("/nowhere", headers={"Accept": accept})
    assert answer.mimetype == form
    assert "Accept" in answer.vary


class Stream:
    """A body that breaks off as the server's own streams do."""

    def __init__(self, problem: Exception) -> None:
        self.problem = problem

    def read(self, size: int = -1) -> bytes:
        raise self.problem


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    "problem, status",
    [
        (TimeoutError("too slow"), 408),
        (ConnectionResetError("gone"), 400),
        (OSError("Invalid chunk size: b'ZZ'"), 400),
        (KeyError("Invalid chunk size: b'ZZ'"), 400),
    ],
)
def test_a_body_that_cannot_be_read_is_no_failure_of_ours(
    client: FlaskClient, problem: Exception, status: int, chunked: bool
) -> None:
    length: dict[str, Any] = {"wsgi.input_terminated": True} if chunked else {"CONTENT_LENGTH": "5000"}
    answer = client.post(
        VIEW, environ_overrides={"wsgi.input": Stream(problem), "CONTENT_TYPE": "application/json"} | length
    )
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert "ZZ" not in answer.text


def test_too_many_fetching_calls_are_told_when_to_come_again(make_app: Any, httpserver: HTTPServer) -> None:
    app = make_app(fhir_servers=(httpserver.url_for("/fhir"),), threads=1)
    body = call("patient-view") | {"fhirServer": httpserver.url_for("/fhir")}
    with app.extensions["cds"].fetcher.turn():
        assert post(app.test_client(), VIEW, body).status_code == 200  # everything was sent
        del body["prefetch"]
        answer = post(app.test_client(), VIEW, body)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
    assert answer.json["type"].endswith("#unavailable")


def test_405_says_which_methods_there_are(client: FlaskClient) -> None:
    assert "POST" in client.get(VIEW).headers["Allow"]


@pytest.mark.parametrize(
    "kind",
    ["application/json; charset=utf-8", "application/fhir+json", "application/json+fhir", "text/json", None],
)
def test_json_by_any_name_is_read(client: FlaskClient, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = client.post(VIEW, data=json.dumps(call("patient-view")), headers=headers)
    assert answer.status_code == 200


def test_a_byte_order_mark_is_forgiven(client: FlaskClient) -> None:
    data = b"\xef\xbb\xbf" + json.dumps(call("patient-view")).encode()
    assert client.post(VIEW, data=data, content_type="application/json").status_code == 200


def test_a_body_over_the_limit(make_client: MakeClient) -> None:
    answer = post(make_client(max_body_mb=0.001), VIEW, call("patient-view"))
    assert answer.status_code == 413
    assert "CDS_MAX_BODY_MB" in answer.json["detail"]


# ---- browsers --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "url, method", [("/cds-services", "GET"), (VIEW, "POST"), (VIEW + "/feedback", "POST")]
)
def test_preflight(client: FlaskClient, url: str, method: str) -> None:
    answer = client.options(
        url,
        headers={
            "Origin": "https://sandbox.example",
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert answer.status_code == 200  # [148, 149]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    allowed = {name.strip().lower() for name in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert {"authorization", "content-type"} <= allowed
    assert method in answer.headers["Access-Control-Allow-Methods"]
    assert "Content-Type" not in answer.headers


@pytest.mark.parametrize(
    "origins, origin, allowed",
    [
        (("https://ehr.example",), "https://ehr.example", "https://ehr.example"),
        (("https://ehr.example",), "https://evil.example", None),
        ((), "https://ehr.example", None),
    ],
)
def test_origins(make_client: MakeClient, origins: tuple[str, ...], origin: str, allowed: str | None) -> None:
    answer = make_client(cors_origins=origins).get("/cds-services", headers={"Origin": origin})
    assert answer.headers.get("Access-Control-Allow-Origin") == allowed
    assert "Origin" in answer.vary  # no cache may hand one origin's answer to another


# ---- feedback and metrics --------------------------------------------------------------------------------
def test_feedback_is_taken_and_counted(client: FlaskClient) -> None:
    def counted() -> float:
        line = re.search(
            r'cds_feedback_total\{outcome="overridden",service="rrmm-patient-view"\} (\S+)',
            client.get("/metrics").text,
        )
        return float(line[1]) if line else 0

    before = counted()
    body = {
        "feedback": [{"card": "u1", "outcome": "overridden", "outcomeTimestamp": "2026-05-11T10:00:00.5Z"}]
    }
    answer = post(client, VIEW + "/feedback", body)
    assert (answer.status_code, answer.data, answer.mimetype) == (200, b"", None)  # [118, 128]
    assert counted() == before + 1


def test_metrics_hold_no_patient(client: FlaskClient) -> None:
    post(client, VIEW, call("patient-view"))
    client.get("/api/v1/regimens/no-such-regimen-drd1-patient")
    text = client.get("/metrics").text
    assert "cds_cards_total" in text and "cds_http_request_seconds" in text
    assert "drd1-patient" not in text
