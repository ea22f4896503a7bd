"""JSON, status codes, the form of errors, and browsers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.hooks.calls import HOOKS, call
from tests.web.conftest import MakeClient

requirement = pytest.mark.requirement

VIEW = "/cds-services/rrmm-patient-view"
ADDRESSES = [("GET", "/cds-services"), ("POST", VIEW), ("POST", f"{VIEW}/feedback")]
PATIENT = "drd1-patient"

# What a caller can do wrong, and the status that tells it: (method, address, body, content type, status).
ERRORS: dict[str, tuple[str, str, Any, str, int]] = {
    "no such service": ("POST", "/cds-services/other", "{}", "application/json", 404),
    "no such service for feedback": ("POST", "/cds-services/other/feedback", "{}", "application/json", 404),
    "a call by GET": ("GET", VIEW, None, "", 405),
    "no JSON": ("POST", VIEW, "{", "application/json", 400),
    "trailing comma": ("POST", VIEW, '{"hook": "patient-view",}', "application/json", 400),
    "comment": ("POST", VIEW, '{"hook": "patient-view"} // so', "application/json", 400),
    "an array": ("POST", VIEW, "[]", "application/json", 400),
    "another hook": ("POST", VIEW, json.dumps(call("order-sign")), "application/json", 400),
    "a form": ("POST", VIEW, "hook=patient-view", "application/x-www-form-urlencoded", 415),
    "nothing to tell from": (
        "POST",
        VIEW,
        json.dumps({k: v for k, v in call("patient-view").items() if k != "prefetch"}),
        "application/json",
        412,
    ),
}


def strictly(text: str) -> Any:
    """The JSON of a text; no NaN, no member twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs), f"a member stands twice in {pairs}"
        return dict(pairs)

    def never(constant: str) -> Any:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, object_pairs_hook=once, parse_constant=never)


def asked(client: FlaskClient, error: str, **headers: str) -> Any:
    method, url, body, kind, _ = ERRORS[error]
    sent = {"Content-Type": kind, **headers} if kind else headers
    return client.open(url, method=method, data=body, headers=sent)


@requirement(1, 6)
def test_every_body_is_strict_json_in_utf_8(make_client: MakeClient) -> None:
    client = make_client(language="it")
    for answer in (
        client.get("/cds-services"),
        *(client.post(f"/cds-services/rrmm-{hook}", json=call(hook)) for hook in HOOKS),
    ):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert strictly(answer.data.decode("utf-8")) == answer.json


@requirement(1)
def test_only_json_is_taken(client: FlaskClient) -> None:
    for error in ("no JSON", "trailing comma", "comment", "a form"):
        assert asked(client, error).status_code == ERRORS[error][-1], error


@requirement(20, 25, 72)
def test_success_is_200(client: FlaskClient) -> None:
    assert client.get("/cds-services").status_code == 200
    for hook in HOOKS:
        assert client.post(f"/cds-services/rrmm-{hook}", json=call(hook)).status_code == 200


@requirement(20, 25, 76)
@pytest.mark.parametrize("error", ERRORS)
def test_what_goes_wrong_is_told_by_a_status_and_never_by_cards(client: FlaskClient, error: str) -> None:
    answer = asked(client, error)
    assert answer.status_code == ERRORS[error][-1]
    assert answer.mimetype == "application/problem+json"
    assert "cards" not in strictly(answer.text)
    assert answer.json["detail"]


@requirement(77)
@pytest.mark.parametrize("error", ERRORS)
def test_an_error_is_an_operation_outcome_for_who_asks_for_fhir(client: FlaskClient, error: str) -> None:
    answer = asked(client, error, Accept="application/fhir+json, application/json;q=0.5")
    outcome = strictly(answer.text)
    assert answer.status_code == ERRORS[error][-1]
    assert answer.mimetype == "application/fhir+json"
    assert outcome["resourceType"] == "OperationOutcome"
    assert all(issue["severity"] == "error" and issue["diagnostics"] for issue in outcome["issue"])
    assert PATIENT not in answer.text and "Traceback" not in answer.text


@requirement(148, 149)
@pytest.mark.parametrize("method, url", ADDRESSES)
def test_a_browser_may_ask_beforehand_without_authenticating(
    client: FlaskClient, method: str, url: str
) -> None:
    answer = client.options(
        url,
        headers={
            "Origin": "https://ehr.example",
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert answer.status_code in (200, 204)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    allowed = {name.strip() for name in answer.headers["Access-Control-Allow-Headers"].lower().split(",")}
    assert {"authorization", "content-type"} <= allowed, "the wildcard does not cover Authorization"
    methods = {name.strip() for name in answer.headers["Access-Control-Allow-Methods"].split(",")}
    assert {"GET", "POST", "OPTIONS"} <= methods


@requirement(148, 149)
@pytest.mark.parametrize("error", ERRORS)
def test_a_browser_may_read_errors_too(client: FlaskClient, error: str) -> None:
    answer = asked(client, error, Origin="https://ehr.example")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@requirement(149)
def test_origins_can_be_listed(make_client: MakeClient) -> None:
    client = make_client(cors_origins=("https://ehr.example",))
    told = {
        origin: client.get("/cds-services", headers={"Origin": origin}).headers.get(
            "Access-Control-Allow-Origin"
        )
        for origin in ("https://ehr.example", "https://evil.example")
    }
    assert told == {"https://ehr.example": "https://ehr.example", "https://evil.example": None}
