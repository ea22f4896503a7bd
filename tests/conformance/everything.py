"""Every answer there is to be judged: all test patients, hooks, regions, languages, selection behaviours.

The answers come from the WSGI application as an EHR gets them. ``SHARED_PATIENTS=FOLDER`` adds the patients
of an outside folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from flask.testing import FlaskClient

from cds_service.assess import Assessor
from cds_service.publish.library import Library
from cds_service.settings import load_settings
from cds_service.web.app import create_app
from tests.hooks.calls import HOOKS
from tests.shipped import KNOWLEDGE
from tests.test_patients_through_hooks import NOW, _files, hook_call

REGIONS = ("EMA", "FDA")
LANGUAGES = ("en", "it")
BEHAVIOURS = ("at-most-one", "any")
ENCOUNTER = "enc-7"
EXTENSION = "org.myeloma-cds"


@dataclass(frozen=True)
class Told:
    """One call and its answer."""

    patient: str
    hook: str
    region: str
    language: str
    behaviour: str
    request: Mapping[str, Any]
    status: int
    body: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.patient}, {self.hook}, {self.region}, {self.language}, {self.behaviour}"

    @property
    def cards(self) -> list[dict[str, Any]]:
        return list(self.body["cards"])

    @property
    def drafts(self) -> dict[str, dict[str, Any]]:
        """The drafted orders of the call by relative reference."""
        entries = self.request["context"].get("draftOrders", {}).get("entry", ())
        drafts = (entry["resource"] for entry in entries)
        return {f"{draft['resourceType']}/{draft['id']}": draft for draft in drafts if draft.get("id")}


@dataclass(frozen=True)
class Ordered:
    """One resource that a suggestion creates, and where it stands."""

    told: Told
    regimen: str
    place: int  # among the creates of its suggestion
    resource: Mapping[str, Any]

    def __str__(self) -> str:
        text = self.resource.get("medicationCodeableConcept", {}).get("text")
        return f"{self.told}: {self.regimen}, order {self.place + 1} ({text})"


@cache
def shared_assessor() -> Assessor:
    return Assessor(KNOWLEDGE)


@cache
def _library() -> Library:
    return Library(KNOWLEDGE, shared_assessor().orders)


@cache
def application(region: str, language: str, **manner: Any) -> FlaskClient:
    """The service of a site with these settings, on the day of NOW."""
    app = create_app(
        load_settings(region=region, language=language, **manner),
        knowledge=KNOWLEDGE,
        assessor=shared_assessor(),
        library=_library(),
        now=lambda: NOW,
    )
    return app.test_client()


@cache
def patients() -> dict[str, dict[str, Any]]:
    """The test patients by id."""
    return {patient["id"]: patient for patient in _files()}


def _drafted(drug: str, number: int, patient_id: str) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "id": f"draft-{number}",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {"text": drug},
        "subject": {"reference": f"Patient/{patient_id}"},
    }


def request_of(patient: Mapping[str, Any], hook: str) -> dict[str, Any]:
    """What an EHR sends for a patient; who has nothing drafted drafts D-Rd, which often clashes."""
    asked = dict(patient) | {"hook": hook}
    if not asked.get("draft_orders"):
        drugs = ("daratumumab", "lenalidomide", "dexamethasone")
        asked["draft_orders"] = [_drafted(drug, n, patient["patient_id"]) for n, drug in enumerate(drugs)]
    drafts = [f"{draft['resourceType']}/{draft['id']}" for draft in asked["draft_orders"]]
    asked["selections"] = patient.get("selections") or drafts
    body = hook_call(asked)
    if hook != "order-select":  # one of the three comes without an encounter
        body["context"]["encounterId"] = ENCOUNTER
    return body


@cache
def answers_for(patient_id: str) -> tuple[Told, ...]:
    """The answers for one patient, in all circumstances."""
    told = []
    for hook in HOOKS:
        body = request_of(patients()[patient_id], hook)
        for region, language, behaviour in product(REGIONS, LANGUAGES, BEHAVIOURS):
            client = application(region, language, selection_behavior=behaviour)
            answer = client.post(f"/cds-services/rrmm-{hook}", json=body)
            circumstances = (patient_id, hook, region, language, behaviour)
            told.append(Told(*circumstances, body, answer.status_code, answer.get_json()))
    return tuple(told)


def everything() -> Iterator[Told]:
    """All answers; the first caller of a process waits for them."""
    for patient_id in patients():
        yield from answers_for(patient_id)


def every_card() -> Iterator[tuple[Told, dict[str, Any]]]:
    for told in everything():
        for card in told.cards:
            yield told, card


def every_suggestion() -> Iterator[tuple[Told, dict[str, Any], dict[str, Any]]]:
    for told, card in every_card():
        for suggestion in card.get("suggestions", ()):
            yield told, card, suggestion


def regimen_of(suggestion: Mapping[str, Any]) -> str:
    """The regimen that a suggestion orders; "" where it suggests something else."""
    return str(suggestion.get("extension", {}).get(EXTENSION, {}).get("regimen", ""))


def finding_of(card: Mapping[str, Any]) -> str:
    """What the card says, in the words of the data."""
    return str(card.get("extension", {}).get(EXTENSION, {}).get("finding", ""))


FORMS: tuple[dict[str, Any], ...] = (
    {"orders": "request-group"},
    {"orders": "care-plan"},
    {"order_doses": False},
    {"orders": "request-group", "order_doses": False},
)
"""What a site may have accepted suggestions create in place of one order with its dose for each drug."""


def every_suggested_whole(**form: Any) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Patient, language, regimen and action of each create, where suggestions have a form of FORMS."""
    for patient_id, patient in patients().items():
        for hook, (region, language) in product(
            ("patient-view", "order-sign"), zip(REGIONS, LANGUAGES, strict=True)
        ):
            client = application(region, language, **form)
            body = client.post(f"/cds-services/rrmm-{hook}", json=request_of(patient, hook)).get_json()
            # One drug added to drafts is no regimen, nor is what a clinician records.
            whole = [card for card in body["cards"] if "missing-companion" not in finding_of(card)]
            for suggestion in (s for card in whole for s in card.get("suggestions", ())):
                for action in suggestion["actions"]:
                    if action["type"] == "create" and regimen_of(suggestion):
                        yield patient_id, language, regimen_of(suggestion), action


def every_created() -> Iterator[Ordered]:
    """Each resource that a suggestion creates, of whatever type."""
    for told, _, suggestion in every_suggestion():
        creates = [action for action in suggestion.get("actions", ()) if action["type"] == "create"]
        for place, action in enumerate(creates):
            yield Ordered(told, regimen_of(suggestion), place, action["resource"])


def every_order() -> Iterator[Ordered]:
    """Each order of a drug that belongs to a suggested regimen."""
    for created in every_created():
        if created.regimen:
            yield created
