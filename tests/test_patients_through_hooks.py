"""Every patient of tests/patients through the hook an EHR would fire, with all dates moved to today.

The cards are all an EHR sees, so what must and must not be suggested is read off the suggestions.
``SHARED_PATIENTS=FOLDER`` adds the files of an outside folder.
"""

from __future__ import annotations

import functools
import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from jsonschema import Draft202012Validator

from cds_service.settings import load_settings
from cds_service.web.app import create_app
from tests.expectations import regions, shift_dates

HERE = Path(__file__).parent / "patients"
SCHEMA = Path(__file__).parent / "hooks" / "schemas" / "cds-response.schema.json"
KEYS = {
    "Condition": "conditions",
    "MedicationStatement": "medicationStatements",
    "MedicationRequest": "medicationRequests",
    "MedicationAdministration": "medicationAdministrations",
    "MedicationDispense": "medicationDispenses",
    "Observation": "observations",
    "Procedure": "procedures",
    "AllergyIntolerance": "allergies",
}
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _files() -> list[dict[str, Any]]:
    folders = [HERE, *([Path(os.environ["SHARED_PATIENTS"])] if os.environ.get("SHARED_PATIENTS") else [])]
    return [json.loads(p.read_text(encoding="utf-8")) for f in folders for p in sorted(f.glob("*.json"))]


def hook_call(patient: dict[str, Any]) -> dict[str, Any]:
    """The request an EHR would send today for this chart."""
    days = (NOW.date() - date.fromisoformat(patient["as_of"])).days
    moved = shift_dates(patient | {"expected": {}}, days, roughly=True)
    prefetch: dict[str, Any] = dict.fromkeys(KEYS.values())
    loose: list[dict[str, Any]] = []
    for entry in moved["bundle"]["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] == "Patient":
            if resource["id"] == patient["patient_id"]:
                prefetch["patient"] = resource
        elif resource["resourceType"] in KEYS:
            key = KEYS[resource["resourceType"]]
            prefetch[key] = prefetch[key] or {"resourceType": "Bundle", "type": "searchset", "entry": []}
            prefetch[key]["entry"].append({"resource": resource})
        else:
            loose.append({"resource": resource, "search": {"mode": "include"}})
    if loose and prefetch["medicationStatements"]:
        prefetch["medicationStatements"]["entry"].extend(loose)
    context = {"userId": "Practitioner/p", "patientId": patient["patient_id"]}
    if patient["hook"] != "patient-view":
        drafts = [{"resource": draft} for draft in moved.get("draft_orders") or []]
        context["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": drafts}
    if patient["hook"] == "order-select":
        context["selections"] = patient.get("selections") or []
    return {
        "hook": patient["hook"],
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": context,
        "prefetch": prefetch,
    }


@functools.cache
def client(region: str) -> Any:
    return create_app(load_settings(region=region), now=lambda: NOW).test_client()


@pytest.mark.parametrize(
    ("patient", "region"),
    [pytest.param(p, r, id=f"{p['id']}-{r}") for p in _files() for r in regions(p)],
)
def test_the_hook_answers_as_the_chart_deserves(patient: dict[str, Any], region: str) -> None:
    answer = client(region).post(f"/cds-services/rrmm-{patient['hook']}", json=hook_call(patient))
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(body)
    expected = patient["expected"]
    debatable = set(expected.get("debatable", ()))
    debatable |= {key for key, strict in expected.get("strict", {}).items() if not strict}
    suggestions = [s for card in body["cards"] for s in card.get("suggestions", ())]
    ours = [s["extension"]["org.myeloma-cds"] for s in suggestions]
    offered = {one["regimen"] for one in ours if "regimen" in one}
    kinds = [card["extension"]["org.myeloma-cds"]["kind"] for card in body["cards"]]
    if expected.get("no_suggestions"):
        assert not offered
    unwanted = {
        key for key in expected.get("must_not_suggest", ()) if f"must_not_suggest:{key}" not in debatable
    }
    if "must_not_suggest" not in debatable:
        assert not offered & unwanted
    wanted = set(expected.get("must_suggest_any_of", ()))
    if wanted and "must_suggest_any_of" not in debatable and patient["hook"] == "patient-view":
        assert offered & wanted
    if "order-conflict-refractory" in expected.get("must_warn", ()):
        assert kinds == ["order-conflict"]
    for action in (a for s in suggestions for a in s["actions"] if a["type"] == "create"):
        get_fhir_model_class(action["resource"]["resourceType"]).model_validate(action["resource"])
        assert action["resource"]["subject"] == {"reference": f"Patient/{patient['patient_id']}"}
