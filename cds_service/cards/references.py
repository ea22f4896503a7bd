"""References and addresses as a card may carry them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from cds_service.record import ClinicalRecord

_FHIR_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


def references_in(record: ClinicalRecord) -> set[str]:
    """References of every resource from which a fact was read."""
    facts: tuple[Sequence[Any], ...] = (
        record.drugs,
        record.diagnoses,
        record.responses,
        record.procedures,
        record.measurements,
        record.comorbidities,
        record.allergies,
        record.assertions,
        record.drafts,
    )
    return {fact.reference for group in facts for fact in group if fact.reference}


def type_of(reference: str) -> str:
    """ "Condition" of "Condition/id" and of an absolute reference; "" where there is none."""
    parts = reference.split("/")
    return parts[-2] if len(parts) > 1 else ""


def reference_to(kind: str, reference: str) -> str:
    """ "Condition/id" of a relative or absolute reference to ``kind``; "" where the id is none of FHIR's.

    A server refuses the whole suggestion for one bad reference: better none.
    """
    name = reference.rpartition("/")[2]
    usable = type_of(reference) == kind and _FHIR_ID.fullmatch(name) and name.strip(".")
    return f"{kind}/{name}" if usable else ""


def relative_reference(reference: str) -> str:
    """ "MedicationRequest/id" of a relative or absolute reference; "" where it is neither."""
    parts = reference.split("/")
    if len(parts) < 2:
        return ""
    kind, name = parts[-2:]
    plain = name.replace("-", "").replace(".", "").replace("_", "")
    return f"{kind}/{name}" if kind.isalpha() and plain.isascii() and plain.isalnum() else ""
