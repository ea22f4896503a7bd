"""What clients report of cards. The standard defines no status of the answer: 200 and 204 both mean taken."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from tests.hooks.calls import HOOKS, call

requirement = pytest.mark.requirement
Item = dict[str, Any]

VIEW = "/cds-services/rrmm-patient-view"
TAKEN = (200, 204)
WHEN = "2026-05-11T10:00:00Z"
REASONS = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"


def accepted(card: str, *suggestions: str, **more: Any) -> Item:
    chosen = [{"id": suggestion} for suggestion in suggestions]
    return {
        "card": card,
        "outcome": "accepted",
        "acceptedSuggestions": chosen,
        "outcomeTimestamp": WHEN,
        **more,
    }


def overridden(card: str, **more: Any) -> Item:
    return {"card": card, "outcome": "overridden", "outcomeTimestamp": WHEN, **more}


def send(client: FlaskClient, *items: Item) -> int:
    return client.post(f"{VIEW}/feedback", json={"feedback": list(items)}).status_code


@pytest.fixture
def shown(client: FlaskClient) -> tuple[str, list[str]]:
    """The card shown to a first relapse, and its suggestions."""
    (card,) = client.post(VIEW, json=call("patient-view")).json["cards"]
    return card["uuid"], [suggestion["uuid"] for suggestion in card["suggestions"]]


@requirement(118)
@pytest.mark.parametrize("hook", HOOKS)
def test_every_service_takes_feedback(client: FlaskClient, hook: str) -> None:
    body = {"feedback": [overridden(str(uuid4()))]}
    assert client.post(f"/cds-services/rrmm-{hook}/feedback", json=body).status_code in TAKEN


@requirement(119)
@pytest.mark.parametrize(
    "body",
    [overridden("u1"), [overridden("u1")], {"feedback": overridden("u1")}, {"feedback": None}, {}, "x"],
)
def test_anything_but_an_object_with_the_items_is_refused(client: FlaskClient, body: Any) -> None:
    answer = client.post(f"{VIEW}/feedback", json=body)
    assert answer.status_code == 400
    assert answer.json["detail"]


@requirement(120, 121)
@pytest.mark.parametrize("member", ["card", "outcome"])
@pytest.mark.parametrize("value", [..., 7, None, "  "])
def test_an_item_without_card_or_outcome_is_refused(client: FlaskClient, member: str, value: Any) -> None:
    item = overridden(str(uuid4())) | {member: value}
    if value is ...:
        del item[member]
    assert send(client, item) == 400


@requirement(121, 123, 126)
def test_one_or_several_suggestions_of_a_card_are_accepted(
    client: FlaskClient, shown: tuple[str, list[str]]
) -> None:
    card, suggestions = shown
    assert send(client, accepted(card, suggestions[0])) in TAKEN
    assert send(client, accepted(card, *suggestions[:2])) in TAKEN


@requirement(122)
@pytest.mark.parametrize(
    "moment", ["1985-04-12T23:20:50.52Z", "2026-05-11T10:00:00Z", "2026-05-11T12:00:00.123456+02:00"]
)
def test_a_moment_of_rfc_3339_is_taken(client: FlaskClient, moment: str) -> None:
    assert send(client, overridden(str(uuid4())) | {"outcomeTimestamp": moment}) in TAKEN


@requirement(108, 124)
@pytest.mark.parametrize(
    "reason",
    [
        ...,
        {"reason": {"code": "patient-ineligible", "system": REASONS}},
        {
            "reason": {"code": "patient-ineligible", "system": REASONS, "display": "x"},
            "userComment": "see note",
        },
        {"userComment": "she declined"},
        {"reason": {"code": "a-code-of-the-client", "system": "https://ehr.example/reasons"}},
    ],
)
def test_a_card_is_overridden_with_a_reason_a_comment_both_or_neither(
    client: FlaskClient, shown: tuple[str, list[str]], reason: Any
) -> None:
    more = {} if reason is ... else {"overrideReason": reason}
    assert send(client, overridden(shown[0], **more)) in TAKEN


@requirement(125)
def test_batches_repeats_and_late_items_are_normal(client: FlaskClient, shown: tuple[str, list[str]]) -> None:
    card, suggestions = shown
    batch = [overridden(card), overridden(str(uuid4())), accepted(card, suggestions[0])]
    for _ in range(2):
        assert send(client, *batch) in TAKEN
    assert send(client, accepted(card, suggestions[0], outcomeTimestamp="2020-01-01T00:00:00Z")) in TAKEN


@requirement(128)
def test_feedback_on_a_card_nobody_knows_is_taken(client: FlaskClient) -> None:
    assert send(client, overridden("no-card-of-ours")) in TAKEN


@requirement(128)
@pytest.mark.parametrize(
    "url, data, status",
    [("/cds-services/other/feedback", '{"feedback": []}', 404), (f"{VIEW}/feedback", '{"feedback": [', 400)],
)
def test_what_is_wrong_with_a_feedback_is_told(client: FlaskClient, url: str, data: str, status: int) -> None:
    assert client.post(url, data=data, content_type="application/json").status_code == status


@requirement(124)
def test_a_vendors_spelling_is_taken(client: FlaskClient) -> None:
    item = overridden("CardIdThatIsNoUuid")
    item["overrideReasons"] = {
        "extension": {"com.epic.cdshooks.feedback.overrideReason.reasonDisplay": "Not now"},
        "userComment": "later",
    }
    assert send(client, item) in TAKEN
