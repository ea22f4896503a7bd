"""Requests as EHRs send them, and schemas to hold answers against."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from cds_service.demo import bundle_of
from cds_service.knowledge.load import demo_patients
from cds_service.record import PREFETCH_KEYS

HOOKS = ("patient-view", "order-select", "order-sign")
INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
DAY = datetime(2026, 5, 11, 9, 30, tzinfo=UTC)

_schemas = {
    path.name: json.loads(path.read_text(encoding="utf-8"))
    for path in (Path(__file__).parent / "schemas").glob("*.json")
}
_registry: Registry[Any] = Registry().with_resources(
    (schema["$id"], Resource.from_contents(schema)) for schema in _schemas.values()
)


def faults(body: Any, schema: str) -> list[str]:
    """What the conformance schema ``schema`` finds wrong with a body."""
    validator = Draft202012Validator(
        _schemas[f"{schema}.schema.json"], registry=_registry, format_checker=FormatChecker()
    )
    return [f"{list(error.absolute_path)}: {error.message[:200]}" for error in validator.iter_errors(body)]


def empty_members(value: Any, place: str = "") -> list[str]:
    """Where a null, "", [] or {} stands in a body, however deep."""
    if value in (None, "", [], {}):
        return [place]
    if isinstance(value, dict):
        return [found for key, member in value.items() for found in empty_members(member, f"{place}/{key}")]
    if isinstance(value, list):
        return [found for n, member in enumerate(value) for found in empty_members(member, f"{place}/{n}")]
    return []


def searchset(*resources: dict[str, Any], next_page: str = "") -> dict[str, Any]:
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": resource} for resource in resources],
    }
    if next_page:
        bundle["link"] = [{"relation": "next", "url": next_page}]
    return bundle


def prefetch_of(demo: str) -> dict[str, Any]:
    """A demo patient's chart, sorted under the prefetch keys as an EHR would send it."""
    patient = demo_patients()[demo]
    prefetch: dict[str, Any] = dict.fromkeys(PREFETCH_KEYS.values())
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in patient["bundle"]["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] in PREFETCH_KEYS:
            found.setdefault(PREFETCH_KEYS[resource["resourceType"]], []).append(resource)
    for key, resources in found.items():
        prefetch[key] = searchset(*resources)
    prefetch["patient"] = next(one for one in found["patient"] if one["id"] == patient["patient_id"])
    return prefetch


def call(hook: str, demo: str = "drd-first-relapse", **context: Any) -> dict[str, Any]:
    """A call of ``hook`` for a demo patient, everything prefetched; ``context`` adds to the context."""
    patient = demo_patients()[demo]
    body: dict[str, Any] = {
        "hook": hook,
        "hookInstance": INSTANCE,
        "context": {"userId": "Practitioner/haematologist-1", "patientId": patient["patient_id"], **context},
        "prefetch": prefetch_of(demo),
    }
    drafts = patient.get("draft_orders")
    if drafts and hook != "patient-view":
        body["context"].setdefault("draftOrders", searchset(*drafts) | {"type": "collection"})
        if hook == "order-select":
            body["context"].setdefault("selections", [f"MedicationRequest/{draft['id']}" for draft in drafts])
    return body


__all__ = [
    "DAY",
    "HOOKS",
    "INSTANCE",
    "bundle_of",
    "call",
    "empty_members",
    "faults",
    "prefetch_of",
    "searchset",
]
