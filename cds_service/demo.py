"""The files of the synthetic demo patients: a chart, and what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from cds_service.knowledge.types import REGIONS


def bundle_of(patient: Mapping[str, Any]) -> dict[str, Any]:
    """The chart as a Bundle, with the orders being drafted, if any, as entries of status draft."""
    bundle = dict(patient["bundle"])
    drafts = patient.get("draft_orders") or ()
    bundle["entry"] = [*bundle.get("entry", ()), *({"resource": draft} for draft in drafts)]
    return bundle


def region_of(patient: Mapping[str, Any], otherwise: str = "EMA") -> str:
    """The region the file means; ``otherwise`` where any will do."""
    region = str(patient.get("region", ""))
    return region if region in REGIONS else otherwise


def query_of(patient: Mapping[str, Any]) -> str:
    """The query string by which the bundle API assesses the chart as its file means it."""
    query = {"region": region_of(patient), "as_of": patient["as_of"], "patient": patient["patient_id"]}
    if patient.get("draft_orders"):
        query["draft_orders"] = "true"
    return urlencode(query)
