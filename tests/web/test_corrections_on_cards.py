"""A clinician settles with one click what the chart left open, and the next call answers by that word."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.hooks.calls import call, faults

OURS = "org.myeloma-cds"
NOT_DATED = "lenalidomide-stop-not-dated"
IN_REMISSION = "remission-on-maintenance"


def cards(client: FlaskClient, body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The cards of a hook by their kind."""
    answer = client.post(
        f"/cds-services/rrmm-{body['hook']}", data=json.dumps(body), content_type="application/json"
    )
    assert answer.status_code == 200
    assert faults(answer.json, "cds-response") == []
    return {card["extension"][OURS]["kind"]: card for card in answer.json["cards"]}


def accepted(body: dict[str, Any], suggestion: dict[str, Any]) -> dict[str, Any]:
    """The same hook once the EHR holds what the suggestion creates, as its server gives it back."""
    later = copy.deepcopy(body)
    observations = later["prefetch"]["observations"]
    for number, action in enumerate(suggestion["actions"]):
        resource = action["resource"] | {"id": f"recorded-{number}"}
        observations.setdefault("entry", []).append({"resource": resource})
    return later


def suggested(card: dict[str, Any], assertion: str) -> dict[str, Any]:
    (found,) = [one for one in card["suggestions"] if one["extension"][OURS]["assertions"] == [assertion]]
    return found


@pytest.mark.parametrize(
    ("word", "then"),
    [
        ("refractory", "refractory to lenalidomide"),
        ("not-refractory", "not known to be refractory to any drug"),
    ],
)
def test_beside_the_regimens_a_card_lets_the_clinician_settle_what_they_depend_on(
    client: FlaskClient, word: str, then: str
) -> None:
    body = call("patient-view", NOT_DATED)
    before = cards(client, body)
    assert list(before) == ["sequencing", "missing-data"]
    assert before["missing-data"]["indicator"] == "info"
    assert "whether the disease is refractory to lenalidomide" in before["missing-data"]["summary"]
    suggestion = suggested(before["missing-data"], f"refractory:lenalidomide={word}")
    after = cards(client, accepted(body, suggestion))
    assert list(after) == ["sequencing"], "what is settled is not asked again"
    assert then in after["sequencing"]["summary"]
    regimens = [one["extension"][OURS]["regimen"] for one in after["sequencing"]["suggestions"]]
    assert ("d-rd" in regimens) == (word == "not-refractory")


def test_at_order_entry_nothing_stands_beside_the_regimens(client: FlaskClient) -> None:
    body = call("order-select", NOT_DATED)
    assert list(cards(client, body)) == ["sequencing"]


def test_a_quiet_state_can_be_corrected_and_then_a_choice_is_due(client: FlaskClient) -> None:
    body = call("patient-view", IN_REMISSION)
    before = cards(client, body)
    (suggestion,) = before["state"]["suggestions"]
    assert suggestion["extension"][OURS]["assertions"] == ["disease-status=progression"]
    assert "record it here" in before["state"]["detail"]
    assert list(cards(client, accepted(body, suggestion))) == ["sequencing"]


def test_what_another_patient_is_said_to_have_settles_nothing(client: FlaskClient) -> None:
    body = call("patient-view", NOT_DATED)
    before = cards(client, body)
    suggestion = copy.deepcopy(suggested(before["missing-data"], "refractory:lenalidomide=refractory"))
    for action in suggestion["actions"]:
        action["resource"]["subject"] = {"reference": "Patient/someone-else"}
    assert list(cards(client, accepted(body, suggestion))) == list(before)
