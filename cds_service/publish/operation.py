"""The body of PlanDefinition/$apply: FHIR Parameters, read its faults told at once, each with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from cds_service.asked import day_in
from cds_service.cards.wording import LANGUAGES
from cds_service.errors import BadRequest, Fault
from cds_service.fhir.accessors import local_part, usable_id
from cds_service.fhir.read import Resources, is_about, resources_of
from cds_service.knowledge.types import REGIONS, Knowledge
from cds_service.publish.capability import IGNORED_INPUTS

_TEXTS = ("valueString", "valueId", "valueCode", "valueUri", "valueCanonical", "valueDate")
_ONCE = ("subject", "planDefinition", "canonical", "encounter", "userLanguage", "region", "asOf", "pathway")
_REPEATED = ("data",)
_MOST_FAULTS = 20


@dataclass(frozen=True)
class Apply:
    """What is asked: for whom, on which data, and which settings are not the installation's this time."""

    subject: str
    resources: Resources
    plan: str = ""  # canonical address, at type level
    encounter: str = ""
    language: str = ""
    region: str = ""
    pathway: str = ""
    as_of: date | None = None


def apply_of(body: Any, knowledge: Knowledge, today: date, *, names_plan: bool) -> Apply:
    """The call of a body; ``names_plan`` where it has to say which PlanDefinition it means.

    Raises BadRequest with the faults, each with the FHIRPath of its place; no value is repeated.
    """
    if not isinstance(body, dict) or body.get("resourceType") != "Parameters":
        raise BadRequest(
            "The body must be FHIR Parameters with subject and data.",
            Fault("must be Parameters", "/resourceType", expression="Parameters.resourceType"),
        )
    given = body.get("parameter")
    if not isinstance(given, list):
        raise BadRequest(
            "Parameters.parameter must be a list with subject and data.",
            Fault("must be a list", "/parameter", expression="Parameters.parameter"),
        )
    return _Reading(given, knowledge, today, names_plan).apply()


class _Reading:
    def __init__(self, given: list[Any], knowledge: Knowledge, today: date, names_plan: bool) -> None:
        self._knowledge = knowledge
        self._today = today
        self._names_plan = names_plan
        self._faults: list[Fault] = []
        self._named: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
        for place, one in enumerate(given):
            name = one.get("name") if isinstance(one, dict) else None
            if not isinstance(name, str):
                self._fault("must be an object with a name", place)
            elif name in _ONCE or name in _REPEATED:
                self._named.setdefault(name, []).append((place, one))
            elif name not in IGNORED_INPUTS:
                known = ", ".join((*_ONCE, *_REPEATED))
                self._fault(f"is unknown; there are {known}", place, "name")
        for name in _ONCE:
            for place, _ in self._named.get(name, [])[1:]:
                self._fault("stands more than once", place)

    def apply(self) -> Apply:
        subject = self._subject()
        resources = self._data()
        asked = Apply(
            subject=subject,
            resources=resources,
            plan=self._plan(),
            encounter=self._encounter(),
            language=self._language(),
            region=self._one_of("region", REGIONS),
            pathway=self._one_of("pathway", tuple(sorted(self._knowledge.pathways))),
            as_of=self._as_of(),
        )
        if not self._faults and not is_about(resources, subject):
            place, _ = self._named["subject"][0]
            self._fault("is the id of nobody in the data", place)
            raise self._bad("unknown-patient")
        if self._faults:
            raise self._bad()
        return asked

    def _bad(self, code: str = "") -> BadRequest:
        listed = "; ".join(f"{fault.expression} {fault.detail}" for fault in self._faults[:5])
        told = self._faults[:_MOST_FAULTS]  # a body may hold any number of them
        return BadRequest(f"$apply cannot be carried out: {listed}.", *told, code=code)

    def _fault(self, detail: str, place: int | None = None, *steps: str) -> None:
        pointer, expression = "/parameter", "Parameters.parameter"
        if place is not None:
            pointer, expression = f"{pointer}/{place}", f"{expression}[{place}]"
        for step in steps:
            pointer, expression = f"{pointer}/{step}", f"{expression}.{step}"
        self._faults.append(Fault(detail, pointer, expression=expression))

    def _first(self, name: str) -> tuple[int, Mapping[str, Any]] | None:
        found = self._named.get(name)
        return found[0] if found else None

    def _text(self, name: str, read: Callable[[Mapping[str, Any]], Any] | None = None) -> tuple[int, str]:
        """The text of a parameter and its place; (-1, "") where it is not given, or is no text (a fault)."""
        found = self._first(name)
        if found is None:
            return -1, ""
        place, one = found
        value = read(one) if read else next((one[key] for key in _TEXTS if key in one), None)
        if isinstance(value, str) and value.strip():
            return place, value.strip()
        self._fault("must have a text as its value", place)
        return -1, ""

    def _subject(self) -> str:
        if "subject" not in self._named:
            self._fault("subject is missing")
            return ""
        place, text = self._text("subject", _reference)
        return self._id_of(text, "Patient", place) if text else ""

    def _encounter(self) -> str:
        place, text = self._text("encounter", _reference)
        identifier = self._id_of(text, "Encounter", place) if text else ""
        return f"Encounter/{identifier}" if identifier else ""

    def _id_of(self, text: str, kind: str, place: int) -> str:
        of, _, identifier = local_part(text).rpartition("/")
        if of not in ("", kind) or not usable_id(identifier):
            self._fault(f"must be {kind}/id, or an id", place)
            return ""
        return identifier

    def _data(self) -> Resources:
        bundles = list(self._bundles())
        return resources_of({"resourceType": "Bundle", "entry": [{"resource": one} for one in bundles]})

    def _bundles(self) -> Iterator[Mapping[str, Any]]:
        if "data" not in self._named:
            self._fault("data is missing")
        for place, one in self._named.get("data", ()):
            bundle = one.get("resource")
            if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
                self._fault("must hold a Bundle", place, "resource")
            elif not isinstance(bundle.get("entry", []), list):
                self._fault("must be a list", place, "resource", "entry")
            else:
                yield bundle

    def _plan(self) -> str:
        if not self._names_plan:
            for name in ("planDefinition", "canonical"):
                for place, _ in self._named.get(name, ()):
                    self._fault("is for calls without an id in the address", place)
            return ""
        place, text = self._text("canonical")
        found = self._first("planDefinition")
        if found is not None and "canonical" in self._named:
            self._fault("says by canonical, too, which plan is meant: give one of the two", found[0])
            return ""
        if found is not None:
            place, one = found
            resource = one.get("resource")
            url = resource.get("url") if isinstance(resource, dict) else None
            if not isinstance(url, str) or not url.strip():
                self._fault("must hold one of our PlanDefinitions, with its url", place, "resource")
                return ""
            return url.strip()
        if not text and "canonical" not in self._named:
            self._fault("canonical or planDefinition is missing")
        return text

    def _language(self) -> str:
        place, text = self._text("userLanguage", _coded)
        language = text.partition("-")[0].lower()
        if text and language not in LANGUAGES:
            self._fault(f"must be one of {', '.join(LANGUAGES)}", place)
            return ""
        return language

    def _one_of(self, name: str, allowed: tuple[str, ...]) -> str:
        place, text = self._text(name)
        if text and text not in allowed:
            self._fault(f"must be one of {', '.join(allowed)}", place)
            return ""
        return text

    def _as_of(self) -> date | None:
        place, text = self._text("asOf")
        if not text:
            return None
        try:
            return day_in(text, self._today)
        except BadRequest as problem:
            self._fault(problem.detail, place)
            return None


def _reference(one: Mapping[str, Any]) -> Any:
    """A reference, as a text or as FHIR's Reference."""
    value = one.get("valueReference")
    return (
        value.get("reference")
        if isinstance(value, dict)
        else next((one[k] for k in _TEXTS if k in one), None)
    )


def _coded(one: Mapping[str, Any]) -> Any:
    """A code, plain or within a CodeableConcept."""
    value = one.get("valueCodeableConcept")
    if not isinstance(value, dict):
        return next((one[key] for key in _TEXTS if key in one), None)
    codings = value.get("coding")
    first = codings[0] if isinstance(codings, list) and codings else None
    return first.get("code") if isinstance(first, dict) else value.get("text")
