"""Checks a request body against a JSON Schema and names every member at fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from cds_service.errors import BadRequest, Fault

MOST_FAULTS = 20
"""So many faults are named; a body with thousands of them must not lead to an answer larger than itself."""

_SCHEMAS = Path(__file__).resolve().parent / "schemas"


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((_SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8")))


def pointer(*steps: str | int) -> str:
    """JSON Pointer (RFC 6901) of the steps from the root of the body."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def _faults(error: ValidationError) -> Iterator[Fault]:
    place = list(error.absolute_path)
    if error.validator == "required":
        present = error.instance if isinstance(error.instance, dict) else {}
        for name in cast(list[str], error.validator_value):
            if name not in present:
                yield Fault(f"{name} is missing", pointer(*place, name))
        return
    # The value found stays out of the sentence: it may identify the patient.
    name = str(place[-1]) if place else "the body"
    if error.validator == "type":
        allowed = cast(str | list[str], error.validator_value)
        kinds = [allowed] if isinstance(allowed, str) else [kind for kind in allowed if kind != "null"]
        yield Fault(f"{name} must be of type {' or '.join(kinds)}", pointer(*place))
    else:
        yield Fault(f"{name} must not be blank or hold characters that do not belong there", pointer(*place))


def check(body: Any, schema: str, what: str) -> None:
    """Raises BadRequest with up to MOST_FAULTS faults where ``body`` is not ``what`` the schema describes."""
    faults = (fault for error in _validator(schema).iter_errors(body) for fault in _faults(error))
    first = list(islice(faults, MOST_FAULTS + 1))
    if first:
        # A dict keeps the order and drops what several branches report alike.
        found = dict.fromkeys(first[:MOST_FAULTS])
        listed = "; ".join(f"{fault.detail} ({fault.pointer or 'the whole body'})" for fault in found)
        if len(first) > MOST_FAULTS:
            listed += "; and more"
        raise BadRequest(f"This is not {what}: {listed}.", *found, code="malformed-request")
