"""Is a resource valid FHIR? Asked beside the reading, never before it: facts do not depend on the answer.

``fhir.resources`` is the judge: its R4B models for R4 and R4B (no element of the types read here differs),
its default models for R5. Each resource is judged alone; a Bundle would fail as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from cds_service.fhir.accessors import READ_TYPES, is_r5, reference_of, resource_type
from cds_service.record import Issue, Severity

DEPTHS = ("off", "fast", "relevant", "all")
_MOST = 3  # findings shown per resource; the rest are counted

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}\Z")

_REQUIRED: dict[str, tuple[tuple[str, ...], ...]] = {
    # What R4 (else R5) cannot do without; one of each group.
    "MedicationStatement": (
        ("status",),
        ("medicationCodeableConcept", "medicationReference", "medication"),
        ("subject",),
    ),
    "MedicationRequest": (
        ("status",),
        ("intent",),
        ("medicationCodeableConcept", "medicationReference", "medication"),
        ("subject",),
    ),
    "MedicationAdministration": (
        ("status",),
        ("medicationCodeableConcept", "medicationReference", "medication"),
        ("subject",),
        ("effectiveDateTime", "effectivePeriod", "occurenceDateTime", "occurencePeriod", "occurenceTiming"),
    ),
    "MedicationDispense": (
        ("status",),
        ("medicationCodeableConcept", "medicationReference", "medication"),
    ),
    "Condition": (("subject",),),
    "Observation": (("status",), ("code",)),
    "Procedure": (("status",), ("subject",)),
    "ServiceRequest": (("status",), ("intent",), ("subject",)),
    "Flag": (("status",), ("code",), ("subject",)),
    "AllergyIntolerance": (("patient",),),
}


def findings(resources: Iterable[Mapping[str, Any]], depth: str, used: set[str]) -> tuple[Issue, ...]:
    """What is invalid, as issues "invalid-fhir" without any value of the data: path and kind of fault only.

    ``depth``: "off" nothing; "fast" a structural check by hand (what is required, one of each choice) of the
    resources in ``used``; "relevant" the models on the resources in ``used`` (references that the answer
    rests on); "all" the models on every resource. Raises ValueError for any other depth; nothing in the
    data raises.
    """
    if depth not in DEPTHS:
        raise ValueError(f"validation depth {depth!r} is none of {', '.join(DEPTHS)}")
    found: set[Issue] = set()
    if depth == "off":
        return ()
    for resource in resources:
        if not isinstance(resource, Mapping) or not resource_type(resource):
            continue
        reference = reference_of(resource)
        if depth == "all" or reference in used:
            found.update(_quick(resource, reference) if depth == "fast" else _judged(resource, reference))
    return tuple(sorted(found))


def _quick(resource: Mapping[str, Any], reference: str) -> Iterable[Issue]:
    kind = resource_type(resource)
    if kind not in READ_TYPES:
        return
    for group in _REQUIRED.get(kind, ()):
        given = [name for name in group if resource.get(name) is not None or f"_{name}" in resource]
        if len(given) != 1:
            fault = "missing" if not given else "more than one of a choice"
            yield _issue(reference, "R5" if is_r5(resource) else "R4", f"{group[0]}: {fault}")
    values = [name for name in resource if isinstance(name, str) and re.match(r"value[A-Z]", name)]
    if kind == "Observation" and len(values) > 1:
        yield _issue(reference, "R5" if is_r5(resource) else "R4", "value[x]: more than one of a choice")


def _judged(resource: Mapping[str, Any], reference: str) -> list[Issue]:
    release = "R5" if is_r5(resource) else "R4"
    try:
        model = _model(resource_type(resource), release)
    except (ImportError, AttributeError, ValueError):
        text = f"{reference}: no model of this resource type to judge it by."
        return [Issue(Severity.INFORMATION, "not-judged", text, reference)]
    try:
        model.model_validate(dict(resource))
    except Exception as problem:  # KeyError for unknown contained types, and whatever else is in there
        return list(_told(reference, release, problem))
    return []


def _told(reference: str, release: str, problem: Exception) -> Iterable[Issue]:
    try:
        errors: list[Mapping[str, Any]] = problem.errors()  # type: ignore[attr-defined]
    except Exception:  # not a ValidationError
        errors = []
    if not errors:
        yield _issue(reference, release, f"not judged to the end ({type(problem).__name__})")
        return
    faults = sorted({f"{_path(error)}: {_kind(error)}" for error in errors})
    for fault in faults[:_MOST]:
        yield _issue(reference, release, fault)
    if len(faults) > _MOST:
        yield _issue(reference, release, f"and {len(faults) - _MOST} more")


def _issue(reference: str, release: str, fault: str) -> Issue:
    text = f"{reference} is not valid FHIR {release}: {fault}."
    return Issue(Severity.INFORMATION, "invalid-fhir", text, reference)


def _path(error: Mapping[str, Any]) -> str:
    """Where the fault is; a name that a client invented is shown only if it looks like one."""
    parts = [
        str(part) if isinstance(part, int) or _PLAIN.match(str(part)) else "?"
        for part in error.get("loc", ())
    ]
    return ".".join(parts) or "resource"


def _kind(error: Mapping[str, Any]) -> str:
    """pydantic's stable name of the fault ("missing", "string_pattern_mismatch"), never its message."""
    kind = str(error.get("type", "invalid"))
    return kind.replace("_", " ") if re.match(r"[a-z_.]{1,60}\Z", kind) else "invalid"


@cache
def _model(kind: str, release: str) -> Any:
    """The model class of a resource type; loaded when first needed, since they cost 40 ms each and memory."""
    if not _PLAIN.match(kind):
        raise ValueError(kind)
    package = "fhir.resources" if release == "R5" else "fhir.resources.R4B"
    return getattr(import_module(f"{package}.{kind.lower()}"), kind)
