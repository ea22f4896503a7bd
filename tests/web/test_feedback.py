"""Feedback over HTTP: what is stored before it is acknowledged, what it silences, and the report of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from cds_service.hooks.told import patient_hash
from cds_service.store.tables import card, feedback
from tests.hooks.calls import DAY, HOOKS, call, faults

KEY = "the key of this hospital"
VIEW, SELECT, SIGN = (f"/cds-services/rrmm-{hook}" for hook in HOOKS)
CONFLICT = "order-daratumumab-when-refractory"
CODES = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
UNKNOWN = "4e0a3a1e-3283-4575-ab82-028d55fe2719"


class Clock:
    """The time of the service, set by the test."""

    def __init__(self) -> None:
        self.now = DAY

    def __call__(self) -> datetime:
        return self.now


class Service:
    """An app with a database, key and clock of its own."""

    def __init__(self, make_app: Callable[..., Flask], url: str, **settings: Any) -> None:
        self.clock = Clock()
        self.url = url
        # A machine under load may take its time over a lookup: that must not look like a card shown again.
        settings = {"override_lookup_s": 60, "patient_hash_key": KEY} | settings
        self.app = make_app(now=self.clock, database_url=url, **settings)
        self.client: FlaskClient = self.app.test_client()

    def cards(self, path: str = SIGN, demo: str = CONFLICT, **context: Any) -> list[dict[str, Any]]:
        hook = path.rpartition("rrmm-")[2]
        answer = self.client.post(path, json=call(hook, demo, **context))
        assert answer.status_code == 200
        body = answer.get_json()
        assert faults(body, "cds-response") == []
        cards: list[dict[str, Any]] = body["cards"]
        return cards

    def told(self, *items: dict[str, Any], path: str = SIGN) -> TestResponse:
        return self.client.post(f"{path}/feedback", json={"feedback": list(items)})

    def override(self, shown: dict[str, Any], **members: Any) -> None:
        item = {
            "card": shown["uuid"],
            "outcome": "overridden",
            "outcomeTimestamp": self.clock.now.isoformat(),
        }
        assert self.told(item | members).status_code == 200

    def rows(self, table: Any) -> list[Any]:
        assert self.app.extensions["recorder"].drain(60)
        with self.app.extensions["database"].reading() as connection:
            return list(connection.execute(select(table)))


@pytest.fixture
def service(make_app: Callable[..., Flask], tmp_path: Path) -> Service:
    return Service(make_app, f"sqlite:///{tmp_path}/cards.sqlite")


def kinds(cards: list[dict[str, Any]]) -> list[str]:
    return [shown["extension"]["org.myeloma-cds"]["kind"] for shown in cards]


# ---- what is stored --------------------------------------------------------------------------------------
def test_what_was_acknowledged_is_stored_and_matched_to_its_card(service: Service) -> None:
    (shown,) = service.cards()
    taken = shown["suggestions"][0]["uuid"]
    item = {
        "card": shown["uuid"],
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": taken}],
        "outcomeTimestamp": "2026-05-11T11:31:00+02:00",
    }
    answer = service.told(item)
    assert (answer.status_code, answer.data, answer.mimetype) == (200, b"", None)  # [118, 128]
    (kept,), (told,) = service.rows(feedback), service.rows(card)
    assert (kept.card, kept.outcome, kept.suggestions) == (told.uuid, "accepted", [taken])  # [120, 121, 123]
    assert kept.outcome_at == DAY + timedelta(minutes=1)  # [122]
    ours = shown["extension"]["org.myeloma-cds"]
    assert (told.kind, told.finding, told.rules) == (ours["kind"], ours["finding"], ours.get("rules", []))
    assert told.suggestions[taken] == shown["suggestions"][0]["extension"]["org.myeloma-cds"]["regimen"]
    assert (told.service, told.hook, told.region, told.pathway) == (
        "rrmm-order-sign", "order-sign", "EMA", "default",
    )  # fmt: skip
    assert (told.knowledge_version, told.knowledge_sha256) == (
        ours["knowledge"]["version"], ours["knowledge"]["sha256"],
    )  # fmt: skip
    assert (told.patient_hash, told.client, told.shown) == (
        patient_hash(KEY.encode(), "", "ord-patient"),
        "",
        True,
    )


@pytest.mark.parametrize("path", [VIEW, SELECT, SIGN])
def test_every_service_takes_feedback_batched_repeated_and_on_cards_nobody_knows(
    service: Service, path: str
) -> None:  # [118, 119, 125, 128]
    items = [
        {"card": UNKNOWN, "outcome": "overridden", "outcomeTimestamp": "2026-05-11T09:00:00.5Z"},
        {"card": "5", "outcome": "overridden", "overrideReasons": {"userComment": "no"}},
        {
            "card": UNKNOWN,
            "outcome": "accepted",
            "acceptedSuggestions": [{"id": "1"}],
            "outcomeTimestamp": "2020-01-01T00:00:00Z",
        },
    ]
    for sent in (items, items[::-1], items[:1]):
        assert service.told(*sent, path=path).status_code == 200
    assert sorted((row.card, row.outcome) for row in service.rows(feedback)) == sorted(
        (item["card"], item["outcome"]) for item in items
    )


def test_nothing_of_a_body_with_a_fault_is_stored(service: Service) -> None:
    answer = service.told(
        {"card": UNKNOWN, "outcome": "overridden"},
        {"card": 7, "outcome": "overridden"},
        {"card": UNKNOWN, "outcome": "overridden", "overrideReason": "trial"},
    )
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert {fault["pointer"] for fault in answer.get_json()["errors"]} == {
        "/feedback/1/card",
        "/feedback/2/overrideReason",
    }
    assert service.rows(feedback) == []


def test_feedback_for_no_service(service: Service) -> None:
    assert (
        service.told({"card": UNKNOWN, "outcome": "overridden"}, path="/cds-services/other").status_code
        == 404
    )
    assert service.rows(feedback) == []


def test_the_database_holds_nothing_that_tells_who(service: Service, tmp_path: Path) -> None:
    (shown,) = service.cards(encounterId="enc-geheim", userId="Practitioner/dr-geheim")
    reason = {
        "reason": {"code": "Frau Geheim", "system": "geheim 1", "display": "geheim"},
        "userComment": "geheim",
    }
    service.override(shown, overrideReason=reason)
    service.told({"card": "Frau Geheim", "outcome": "geheim", "overrideReasons": [reason]})
    assert len(service.rows(feedback)) == 2
    service.app.extensions["database"].close()  # what stands in the log goes into the file
    held = b"".join(path.read_bytes() for path in tmp_path.glob("cards.sqlite*"))
    assert shown["uuid"].encode() in held
    for secret in ("ord-patient", "eheim", "d1577c69", KEY):
        assert secret.encode() not in held


# ---- without a database ----------------------------------------------------------------------------------
def test_without_its_database_hooks_are_answered_and_feedback_is_not_acknowledged(
    make_app: Callable[..., Flask], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    service = Service(make_app, f"sqlite:///{tmp_path}/cards.sqlite")
    (shown,) = service.cards()
    service.override(shown)
    assert service.client.get("/health/ready").get_json()["database"] == "ok"
    lost = re.compile(r'cds_cards_unrecorded_total\{reason="database"\} (\S+)')
    before = lost.search(service.client.get("/metrics").text)
    service.rows(card)
    service.app.extensions["database"].close()
    for part in tmp_path.glob("cards.sqlite*"):
        part.rename(part.with_name(f"away-{part.name}"))

    assert kinds(service.cards()) == ["order-conflict"]  # nothing is held back on a mere guess
    answer = service.told({"card": UNKNOWN, "outcome": "overridden"})
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert int(answer.headers["Retry-After"]) > 0
    assert service.client.get("/api/v1/feedback/report").status_code == 503
    ready = service.client.get("/health/ready")
    assert (ready.status_code, ready.get_json()["database"]) == (200, "unreachable")
    assert service.app.extensions["recorder"].drain(60)
    after = lost.search(service.client.get("/metrics").text)
    assert after and float(after[1]) == (float(before[1]) if before else 0) + 1
    text = capfd.readouterr().err
    assert "cards are not recorded" in text and "OperationalError" in text
    assert "ord-patient" not in text and "INSERT" not in text

    for part in tmp_path.glob("away-*"):
        part.rename(part.with_name(part.name.removeprefix("away-")))
    assert service.told({"card": UNKNOWN, "outcome": "overridden"}).status_code == 200
    assert {row.card for row in service.rows(feedback)} == {shown["uuid"], UNKNOWN}


# ---- suppression -----------------------------------------------------------------------------------------
def test_an_overridden_card_is_not_shown_again_for_its_time(service: Service) -> None:
    (shown,) = service.cards()
    assert shown["indicator"] == "warning"
    service.override(shown, overrideReason={"reason": {"code": "trial", "system": CODES}})
    service.clock.now += timedelta(minutes=5)
    assert service.cards() == []
    assert service.cards(SELECT) == []  # the same finding, whichever hook tells it
    service.clock.now = DAY + timedelta(hours=167)
    assert service.cards() == []
    service.clock.now = DAY + timedelta(hours=168)
    (again,) = service.cards()
    assert again["uuid"] != shown["uuid"]
    assert [row.shown for row in sorted(service.rows(card), key=lambda row: row.created_at)] == [
        True, False, False, False, True,
    ]  # fmt: skip


def test_another_patient_with_the_same_finding_is_told(service: Service) -> None:
    (shown,) = service.cards()
    service.override(shown)
    assert service.cards() == []
    other = json.loads(json.dumps(call("order-sign", CONFLICT)).replace("ord-patient", "other-patient"))
    answer = service.client.post(SIGN, json=other)
    (told,) = answer.get_json()["cards"]
    assert told["extension"]["org.myeloma-cds"]["finding"] == shown["extension"]["org.myeloma-cds"]["finding"]


def test_another_finding_of_the_same_patient_is_told(service: Service) -> None:
    (shown,) = service.cards()
    service.override(shown)
    (other,) = service.cards(VIEW)
    assert kinds([other]) == ["sequencing"]
    assert service.cards() == []


@pytest.mark.parametrize("outcome", ["accepted", "ignored", None])
def test_what_is_no_override_silences_nothing(service: Service, outcome: str | None) -> None:
    (shown,) = service.cards()
    if outcome:
        service.told({"card": shown["uuid"], "outcome": outcome, "acceptedSuggestions": []})
    assert kinds(service.cards()) == ["order-conflict"]


def test_it_can_be_turned_off(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    service = Service(make_app, f"sqlite:///{tmp_path}/cards.sqlite", override_quiet_hours=0)
    service.override(service.cards()[0])
    assert len(service.cards()) == 1


def test_a_restart_remembers_with_the_key_and_forgets_without(
    make_app: Callable[..., Flask], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/cards.sqlite"
    first = Service(make_app, url)
    first.override(first.cards()[0])
    assert Service(make_app, url).cards() == []
    assert "overrides are forgotten" not in capfd.readouterr().err
    assert len(Service(make_app, url, patient_hash_key=None).cards()) == 1
    assert capfd.readouterr().err.count("overrides are forgotten when the service is restarted") == 1


def test_held_back_cards_are_counted_and_the_log_tells_no_hash(
    make_app: Callable[..., Flask], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    service = Service(make_app, f"sqlite:///{tmp_path}/cards.sqlite", log_format="json")
    held = re.compile(r'cds_cards_held_back_total\{kind="order-conflict",service="rrmm-order-sign"\} (\S+)')
    before = held.search(service.client.get("/metrics").text)
    service.override(service.cards()[0])
    service.cards()
    after = held.search(service.client.get("/metrics").text)
    assert after and float(after[1]) == (float(before[1]) if before else 0) + 1
    text = capfd.readouterr().err
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["cards"], line["held_back"]) for line in lines if line["event"] == "hook call"] == [
        (1, 0),
        (0, 1),
    ]
    assert patient_hash(KEY.encode(), "", "ord-patient") not in text and KEY not in text
    assert "ord-patient" not in text


def test_the_bundle_api_holds_nothing_back_and_records_nothing(service: Service) -> None:
    (shown,) = service.cards()
    service.override(shown)
    before = len(service.rows(card))
    bundle = service.client.get(f"/api/v1/demo-patients/{CONFLICT}").get_json()
    answer = service.client.post("/api/v1/assess?draft_orders=true&as_of=2026-05-11", json=bundle).get_json()
    assert kinds(answer["cards"]) == ["order-conflict"]
    assert len(service.rows(card)) == before


def test_silent_mode_records_what_it_does_not_show(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    service = Service(make_app, f"sqlite:///{tmp_path}/cards.sqlite", mode="silent")
    assert service.cards() == []
    assert [row.shown for row in service.rows(card)] == [False]


# ---- the report ------------------------------------------------------------------------------------------
def test_the_report_as_json(service: Service) -> None:
    (shown,) = service.cards()
    service.override(
        shown,
        overrideReason={
            "reason": {"code": "trial", "system": "https://myeloma-cds.org/CodeSystem/override-reasons"}
        },
    )
    service.told({"card": UNKNOWN, "outcome": "overridden"})
    service.rows(card)
    body = service.client.get(
        "/api/v1/feedback/report?by=reason&every=week&from=2026-05-01&to=2026-05-31"
    ).get_json()
    assert body == {
        "by": "reason",
        "every": "week",
        "from": "2026-05-01",
        "to": "2026-05-31",
        "cards": {
            "shown": 1,
            "accepted": 0,
            "overridden": 1,
            "not_shown": 0,
            "periods": [{"start": "2026-05-11", "shown": 1, "accepted": 0, "overridden": 1}],
        },
        "feedback": {"items": 2, "unmatched": 1},
        "groups": [
            {
                "key": "https://myeloma-cds.org/CodeSystem/override-reasons|trial",
                "label": "Treatment within a clinical trial",
                "overridden": 1,
                "periods": [{"start": "2026-05-11", "overridden": 1}],
            }
        ],
    }
    offered = service.client.get("/api/v1/feedback/report").get_json()["groups"]
    ours = {one["extension"]["org.myeloma-cds"]["regimen"] for one in shown["suggestions"]}
    assert {group["key"] for group in offered} == ours
    assert all(group["label"] and group["overridden"] == 1 for group in offered)


@pytest.mark.parametrize("by", ["regimen", "rule", "reason", "kind", "service"])
def test_the_report_as_a_page_brings_all_it_needs(service: Service, by: str) -> None:
    service.override(
        service.cards()[0], overrideReason={"reason": {"code": "<script>".strip("<>"), "system": "x:y"}}
    )
    service.cards(VIEW)
    service.rows(card)
    answer = service.client.get(
        f"/api/v1/feedback/report?by={by}&every=month", headers={"Accept": "text/html,*/*;q=0.8"}
    )
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert "Accept" in answer.vary and "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "<svg" in answer.text and "<table" in answer.text and 'role="img"' in answer.text
    assert not re.search(r"<script|<link|src=|https?://(?!www\.w3\.org)|@import|url\(", answer.text)


@pytest.mark.parametrize(
    "query, parameter",
    [
        ("by=patient", "by"),
        ("every=day", "every"),
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("from=2026-05-02&to=2026-05-01", "from"),
        ("since=2026-05-01", "since"),
        ("by=rule&by=kind", "by"),
    ],
)
def test_a_wrong_question(service: Service, query: str, parameter: str) -> None:
    answer = service.client.get(f"/api/v1/feedback/report?{query}")
    assert answer.status_code == 400
    assert [fault["parameter"] for fault in answer.get_json()["errors"]] == [parameter]
