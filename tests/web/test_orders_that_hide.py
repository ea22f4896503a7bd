"""Orders that could pass unseen: a service that stays silent here looks as if the order fitted."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.hooks.calls import call

DEMO = "drd-first-relapse"  # refractory to daratumumab and lenalidomide
PATIENT = call("order-sign", DEMO)["context"]["patientId"]
OURS = "org.myeloma-cds"


def order(identity: str, drug: str = "", patient: str = PATIENT, **more: Any) -> dict[str, Any]:
    named = {"medicationCodeableConcept": {"text": drug}} if drug else {}
    return {
        "resourceType": "MedicationRequest",
        "id": identity,
        "status": "draft",
        "intent": "order",
        "subject": {"reference": f"Patient/{patient}"},
        **named,
        **more,
    }


def findings(client: FlaskClient, *drafts: dict[str, Any], **prefetch: dict[str, Any]) -> list[str]:
    body = call("order-sign", DEMO)
    entries = [{"resource": one} for one in drafts]
    body["context"]["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    for key, resource in prefetch.items():
        found = body["prefetch"].get(key) or {"resourceType": "Bundle", "type": "searchset"}
        body["prefetch"][key] = found | {"entry": [*found.get("entry", ()), {"resource": resource}]}
    answer = client.post("/cds-services/rrmm-order-sign", json=body)
    assert answer.status_code == 200
    return [card["extension"][OURS]["finding"] for card in answer.json["cards"]]


REFRACTORY = "order-conflict|refractory-component:lenalidomide"


@pytest.mark.parametrize(
    "drafts",
    [
        (order("o1", "pomalidomide"), order("o1", "lenalidomide")),
        (order("o1", "lenalidomide"), order("o1", "pomalidomide")),
        (order("o1", "pomalidomide", patient="someone-else"), order("o1", "lenalidomide")),
    ],
    ids=["first-fits", "second-fits", "first-of-another-patient"],
)
def test_of_orders_that_share_an_id_each_is_judged(client: FlaskClient, drafts: Any) -> None:
    assert findings(client, *drafts) == [REFRACTORY]


def test_an_order_whose_drug_did_not_come_along_never_passes_for_one_that_fits(client: FlaskClient) -> None:
    unknown = order("o1", medicationReference={"reference": "Medication/not-sent"})
    (first,) = findings(client, unknown)
    assert first.startswith("missing-data|unread-order:")
    (second,) = findings(client, unknown | {"id": "o2"})
    assert second != first, "to wave one away is not to wave the next away"
    assert "o1" not in first.partition(":")[2]
    assert findings(client, order("o1", "aspirin")) == []


@pytest.mark.parametrize("kind", ["RequestGroup", "CarePlan"])
def test_what_a_plan_contains_is_ordered_too(client: FlaskClient, kind: str) -> None:
    plan = {
        "resourceType": kind,
        "id": "g1",
        "status": "draft",
        "intent": "proposal",
        "subject": {"reference": f"Patient/{PATIENT}"},
        "contained": [order("lenalidomide", "lenalidomide"), order("dexamethasone", "dexamethasone")],
    }
    assert findings(client, plan) == [REFRACTORY]


def test_another_contraindication_of_the_same_drug_is_another_finding(client: FlaskClient) -> None:
    failing = {
        "resourceType": "Condition",
        "id": "hf",
        "subject": {"reference": f"Patient/{PATIENT}"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"text": "Heart failure NYHA III"},
    }
    allergic = {
        "resourceType": "AllergyIntolerance",
        "id": "al",
        "patient": {"reference": f"Patient/{PATIENT}"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"text": "carfilzomib"},
        "criticality": "high",
    }
    draft = order("o1", "carfilzomib")
    (heart,) = findings(client, draft, conditions=failing)
    (allergy,) = findings(client, draft, allergies=allergic)
    (both,) = findings(client, draft, conditions=failing, allergies=allergic)
    assert heart.startswith("order-conflict|contraindicated:carfilzomib/")
    assert len({heart, allergy, both}) == 3
