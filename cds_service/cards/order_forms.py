"""A whole regimen as one resource, for clients that take orders so: RequestGroup or CarePlan (FHIR R4).

The orders themselves are those of :mod:`cds_service.cards.orders`, unchanged, contained and pointed at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.cards.orders import Recipient


@dataclass(frozen=True)
class Whole:
    """A regimen as a whole: its name, why it is suggested, and the action told in a sentence."""

    title: str
    because: str
    description: str


def as_one(
    form: str, whole: Whole, creates: Sequence[dict[str, Any]], drugs: Sequence[str], recipient: Recipient
) -> dict[str, Any]:
    """One ``create`` action in place of one for each drug; ``form`` is "request-group" or "care-plan".

    ``drugs`` are the keys of the drugs in the order of ``creates``.
    """
    orders = [
        {"resourceType": "MedicationRequest", "id": drug} | create["resource"]
        for drug, create in zip(drugs, creates, strict=True)
    ]
    build = _care_plan if form == "care-plan" else _request_group
    return {
        "type": "create",
        "description": whole.description,
        "resource": build(whole, creates, orders, recipient),
    }


def _request_group(
    whole: Whole,
    creates: Sequence[dict[str, Any]],
    orders: Sequence[dict[str, Any]],
    recipient: Recipient,
) -> dict[str, Any]:
    group: dict[str, Any] = {
        "resourceType": "RequestGroup",
        "contained": list(orders),
        "status": "draft",
        "intent": "proposal",
        "code": {"text": whole.title},
        **_whose(recipient),
        "authoredOn": recipient.authored_on.isoformat(),
    }
    if recipient.reasons:
        group["reasonReference"] = [{"reference": reason} for reason in recipient.reasons]
    group["action"] = [
        {
            "title": whole.title,
            "description": whole.because,
            "groupingBehavior": "logical-group",
            "selectionBehavior": "all",
            "action": [
                {
                    "title": order["medicationCodeableConcept"]["text"],
                    "description": create["description"],
                    "resource": {"reference": f"#{order['id']}"},
                }
                for create, order in zip(creates, orders, strict=True)
            ],
        }
    ]
    return group


def _care_plan(
    whole: Whole,
    creates: Sequence[dict[str, Any]],
    orders: Sequence[dict[str, Any]],
    recipient: Recipient,
) -> dict[str, Any]:
    plan: dict[str, Any] = {
        "resourceType": "CarePlan",
        "contained": list(orders),
        "status": "draft",
        "intent": "proposal",
        "title": whole.title,
        "description": whole.because,
        **_whose(recipient),
        "created": recipient.authored_on.isoformat(),
    }
    if recipient.reasons:
        plan["addresses"] = [{"reference": reason} for reason in recipient.reasons]
    plan["activity"] = [{"reference": {"reference": f"#{order['id']}"}} for order in orders]
    plan["note"] = [{"text": create["description"]} for create in creates]
    return plan


def _whose(recipient: Recipient) -> dict[str, Any]:
    whose: dict[str, Any] = {"subject": {"reference": recipient.subject}}
    if recipient.encounter:
        whose["encounter"] = {"reference": recipient.encounter}
    return whose
