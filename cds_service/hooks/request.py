"""The CDS Hooks request: its envelope checked, its context read, nothing fetched yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cds_service.errors import BadRequest, Fault
from cds_service.fhir.accessors import local_part
from cds_service.fhir.read import patients_in, resources_of
from cds_service.hooks.shape import check

NOT_CLINICIANS = frozenset({"patient", "relatedperson"})


@dataclass(frozen=True)
class HookRequest:
    """One call of a service, as far as this service uses it.

    ``drafts`` are the resources of ``context.draftOrders`` (none: nothing is drafted); ``selections`` None
    where the hook has none or names none, and then every draft counts as selected. ``prefetch`` holds the
    members as sent. The token never appears in ``repr``, so it cannot reach a log by accident.
    """

    hook: str
    hook_instance: str
    patient_id: str
    user_id: str = ""
    encounter_id: str = ""
    drafts: tuple[dict[str, Any], ...] = ()
    selections: tuple[str, ...] | None = None
    prefetch: Mapping[str, Any] = field(default_factory=dict)
    fhir_server: str = ""
    access_token: str = field(default="", repr=False)

    @property
    def from_clinician(self) -> bool:
        """Whether advice for clinicians may be shown to this user: not to the patient or a relative."""
        # Absolute and oddly written references occur; the kind alone says enough.
        return local_part(self.user_id).lstrip("/").partition("/")[0].lower() not in NOT_CLINICIANS

    @property
    def context(self) -> Mapping[str, str]:
        """The values that prefetch tokens may name, by token."""
        kind, _, identifier = local_part(self.user_id).partition("/")
        values = {
            "context.patientId": self.patient_id,
            "context.userId": self.user_id,
            "context.encounterId": self.encounter_id,
            f"user{kind}Id": identifier,
        }
        return {token: value for token, value in values.items() if value}


def read_request(body: Any, hook: str) -> HookRequest:
    """The request for a service of ``hook``. Members not known here are ignored, as the standard has it.

    Raises BadRequest, naming each member at fault, where the envelope is broken, where the body's hook is
    another service's, or where the prefetched Patient is not the context's.
    """
    check(body, "request", "a CDS Hooks request (see the section Calling a CDS Service of the standard)")
    if body["hook"] != hook:
        raise BadRequest(
            f"This service serves the hook {hook}; discovery says which service serves the hook sent.",
            Fault(f"hook must be {hook} here", "/hook"),
            code="wrong-hook",
        )
    context = body["context"]
    patient_id = context["patientId"].removeprefix("Patient/")
    prefetch = body.get("prefetch") or {}
    _require_same_patient(prefetch.get("patient"), patient_id)
    selections = tuple(context.get("selections") or ()) if hook == "order-select" else ()
    server = (body.get("fhirServer") or "").strip()
    return HookRequest(
        hook=hook,
        hook_instance=body["hookInstance"].strip(),
        patient_id=patient_id,
        user_id=(context.get("userId") or "").strip(),
        encounter_id=(context.get("encounterId") or "").strip().removeprefix("Encounter/"),
        drafts=tuple(resources_of(context.get("draftOrders"))) if hook != "patient-view" else (),
        selections=selections or None,
        prefetch=prefetch,
        fhir_server=server,
        # A token without the server it is for is no use, and must not be tried elsewhere.
        access_token=((body.get("fhirAuthorization") or {}).get("access_token") or "") if server else "",
    )


def _require_same_patient(prefetched: Any, patient_id: str) -> None:
    if any(identity not in ("", patient_id) for identity in patients_in(resources_of(prefetched))):
        raise BadRequest(
            "The prefetched Patient is not the patient of the context; nothing is answered, since the facts "
            "of two people might be mixed.",
            Fault("this Patient is not the one of /context/patientId", "/prefetch/patient"),
            code="other-patient",
        )
