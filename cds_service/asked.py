"""What callers of the bundle API and of the command line send, checked in one place.

Raises :class:`cds_service.errors.BadRequest` throughout; how that is told is the caller's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, cast

import orjson

from cds_service.errors import BadRequest, Fault
from cds_service.fhir.read import is_about

_BOM = b"\xef\xbb\xbf"
_BUNDLES = ("Bundle", "Parameters")

FIRST_DAY = date(1900, 1, 1)
YEARS_AHEAD = 10
"""An evaluation lies between FIRST_DAY and so many years after today: no chart is older, no advice later."""


def json_in(data: bytes) -> Any:
    """The JSON that ``data`` holds, a byte order mark forgiven."""
    try:
        return orjson.loads(data.removeprefix(_BOM))
    except orjson.JSONDecodeError as problem:
        # The position tells enough; the parser's text may quote the body.
        where = f"line {problem.lineno}, column {problem.colno}" if data.strip() else "it is empty"
        raise BadRequest(
            f"The body is not JSON ({where}).", Fault("is not JSON", ""), code="not-json"
        ) from None


def bundle_in(body: Any) -> Mapping[str, Any]:
    """The Bundle itself, or the one in a Parameters."""
    kind = body.get("resourceType") if isinstance(body, dict) else None
    if kind == "Bundle":
        if not isinstance(body.get("entry", []), list):
            raise BadRequest("Bundle.entry is no list.", Fault("must be a list", "/entry"))
        return cast(Mapping[str, Any], body)
    if kind != "Parameters":
        raise BadRequest(
            "The body must be a FHIR Bundle, or Parameters that hold one.",
            Fault("must be Bundle or Parameters", "/resourceType" if isinstance(body, dict) else ""),
        )
    given = body.get("parameter")
    bundles = [
        one["resource"]
        for one in (given if isinstance(given, list) else ())
        if isinstance(one, dict)
        and isinstance(one.get("resource"), dict)
        and one["resource"].get("resourceType") == "Bundle"
    ]
    if len(bundles) != 1:
        raise BadRequest(
            f"The Parameters hold {len(bundles)} Bundles; exactly one is needed.",
            Fault("must hold exactly one Bundle as resource", "/parameter"),
        )
    return bundle_in(bundles[0])


def day_in(text: Any, today: date) -> date:
    """The evaluation date, written YYYY-MM-DD, between FIRST_DAY and YEARS_AHEAD years after ``today``."""
    try:
        if not isinstance(text, str) or len(text) != len("YYYY-MM-DD"):
            raise ValueError
        day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise BadRequest("must be a day, YYYY-MM-DD") from None
    too_late = (day.year - YEARS_AHEAD, day.month, day.day) > (today.year, today.month, today.day)
    if day < FIRST_DAY or too_late:
        raise BadRequest(f"must lie between {FIRST_DAY} and {YEARS_AHEAD} years after today")
    return day


def require_patient(resources: Iterable[Mapping[str, Any]], patient_id: str | None) -> None:
    """Of the patient named there must be something: a mistyped id must not look like a clean chart."""
    if patient_id and not is_about(resources, patient_id):
        raise BadRequest(
            "No resource of the Bundle belongs to the patient named.",
            Fault("is the id of nobody in the Bundle", parameter="patient"),
            code="unknown-patient",
        )
