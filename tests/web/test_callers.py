"""Who calls, and in which language: how answers are put for a known client and for its user's browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cds_service.errors import SettingError
from tests.hooks.calls import call, faults
from tests.hooks.test_clients import token
from tests.web.conftest import MakeClient

VIEW = "/cds-services/rrmm-patient-view"
DEMO = "drd-first-relapse"
ISSUER = "https://ehr.example/fhir"


@pytest.fixture
def asked(make_client: MakeClient, tmp_path: Path) -> Any:
    """The first card for a client whose entry holds ``entry``, and the whole answer."""

    def ask(entry: str = "", headers: dict[str, str] | None = None, **settings: Any) -> Any:
        path = tmp_path / "clients.yaml"
        path.write_text(f"clients:\n  - {{id: ours, iss: '{ISSUER}'{entry}}}\n", encoding="utf-8")
        client = make_client(trusted_clients=path, **settings)
        return client.post(
            VIEW,
            data=json.dumps(call("patient-view", DEMO)),
            content_type="application/json",
            headers={"Authorization": token(iss=ISSUER)} | (headers or {}),
        )

    return ask


@pytest.mark.requirement(87, 97)
def test_a_client_that_knows_only_any_gets_no_recommended_suggestion(asked: Any) -> None:
    (usual,) = asked().json["cards"]
    (epic,) = asked(", selection_behavior: any").json["cards"]
    assert usual["selectionBehavior"] == "at-most-one"
    assert [s.get("isRecommended") for s in usual["suggestions"]].count(True) == 1
    assert epic["selectionBehavior"] == "any"
    assert not any("isRecommended" in s for s in epic["suggestions"])


@pytest.mark.requirement(111)
def test_a_client_gets_its_own_region_form_of_orders_and_app(asked: Any) -> None:
    entry = (
        ", region: FDA, orders: request-group, doses: false, smart_app: {url: 'https://app.example/launch'}"
    )
    answer = asked(entry)
    assert faults(answer.json, "cds-response") == []
    (card,) = answer.json["cards"]
    assert "(FDA)" in card["summary"]
    for suggestion in card["suggestions"]:
        (action,) = suggestion["actions"]
        assert action["resource"]["resourceType"] == "RequestGroup"
        assert not any("dosageInstruction" in order for order in action["resource"]["contained"])
    smart = [link for link in card["links"] if link["type"] == "smart"]
    assert [(link["url"], bool(link["label"])) for link in smart] == [("https://app.example/launch", True)]


def test_another_caller_gets_what_the_settings_say(asked: Any) -> None:
    (card,) = asked(", region: FDA", {"Authorization": token(iss="https://other.example")}).json["cards"]
    assert "(EMA)" in card["summary"]
    assert not any(link["type"] == "smart" for link in card["links"])


def test_a_client_may_be_silent_by_itself(asked: Any) -> None:
    assert asked(", mode: silent").json == {"cards": []}
    assert asked(", mode: live", mode="silent").json["cards"]


@pytest.mark.parametrize(
    ("header", "setting", "entry", "told"),
    [
        ("it-IT,it;q=0.9,en;q=0.8", "en", "", "it"),
        ("en-US", "it", "", "en"),
        ("de-DE, it;q=0.4, en;q=0.2", "en", "", "it"),
        ("de-DE", "it", "", "it"),
        ("*", "it", "", "it"),
        ("it;q=0", "en", "", "en"),
        (None, "it", "", "it"),
        ("en-US", "en", ", language: it", "it"),  # the operator knows what the hospital reads
        ("\u00e9;;q=x,,", "it", "", "it"),
    ],
)
def test_the_language_is_the_clients_else_its_users_else_the_settings(
    asked: Any, header: str | None, setting: str, entry: str, told: str
) -> None:
    answer = asked(entry, {"Accept-Language": header} if header else {}, language=setting)
    (card,) = answer.json["cards"]
    assert ("recidiva" in card["summary"]) == (told == "it")
    assert answer.headers["Content-Language"] == told
    assert "Accept-Language" in answer.headers["Vary"]


def test_discovery_and_the_bundle_api_speak_the_language_of_the_caller_too(make_client: MakeClient) -> None:
    client = make_client()
    italian = {"Accept-Language": "it"}
    titles = [one["title"] for one in client.get("/cds-services", headers=italian).json["services"]]
    assert all("Mieloma" in title for title in titles)
    bundle = client.get(f"/api/v1/demo-patients/{DEMO}").json
    asked_at = "/api/v1/assess?as_of=2026-05-11"
    first = client.post(asked_at, json=bundle, headers=italian).json["cards"][0]["summary"]
    named = client.post(f"{asked_at}&language=en", json=bundle, headers=italian).json["cards"][0]["summary"]
    assert "recidiva" in first
    assert "relapse" in named


def test_an_entry_that_names_no_pathway_of_ours_stops_the_start(asked: Any) -> None:
    with pytest.raises(SettingError, match="client ours, pathway=nowhere: there is no such pathway"):
        asked(", pathway: nowhere")
    with pytest.raises(SettingError, match="client ours, pathway=qa-article rests on a source"):
        asked(", pathway: qa-article")
