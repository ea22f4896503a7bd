"""Two judges of FHIR: the R4B models of fhir.resources, and fhirkit, which knows R4 itself."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import fhirkit
import orjson
from pydantic import ValidationError


def complaints(resource: Mapping[str, Any]) -> list[str]:
    """What either judge finds wrong, with the resource's name; [] where both accept it."""
    name = f"{resource['resourceType']}/{resource.get('id', '')}"
    found = [f"{name}, R4: {issue}" for issue in fhirkit.validate(orjson.dumps(resource))]
    module = importlib.import_module(f"fhir.resources.R4B.{resource['resourceType'].lower()}")
    try:
        getattr(module, resource["resourceType"]).model_validate(dict(resource))
    except ValidationError as error:
        found += [f"{name}, R4B: {one['loc']} {one['msg']}" for one in error.errors()]
    return found


def nodes(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a resource with its path, from the outside in."""
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from nodes(value, f"{path}/{key}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from nodes(value, f"{path}/{number}")
