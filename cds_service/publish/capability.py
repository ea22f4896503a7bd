"""What describes the server and its resources: CapabilityStatement, OperationDefinition, own extensions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cds_service.publish.edition import FHIR_VERSION, PUBLISHER, Edition, Resource, canonical
from cds_service.publish.plans import EFFECTIVE, REVIEW
from cds_service.publish.search import PARAMETERS

APPLY = "plandefinition-apply"
_HL7_APPLY = "http://hl7.org/fhir/OperationDefinition/PlanDefinition-apply"
_EXTENSION = "http://hl7.org/fhir/StructureDefinition/Extension"

IGNORED_INPUTS = ("practitioner", "organization", "userType", "userTaskContext", "setting", "settingContext")
"""Inputs of HL7's $apply that are taken and change nothing."""


def definitions(edition: Edition) -> Iterator[Resource]:
    """The definitions on which our other resources rest."""
    yield _operation(edition)
    yield _extension(
        edition,
        EFFECTIVE,
        "Period in which a rule holds",
        "The period in which the advice of a rule holds, by its source.",
        [_element("value[x]", 1, types=["Period"])],
    )
    yield _extension(
        edition,
        REVIEW,
        "Clinical review of a rule",
        "Whether a clinician has approved the rule; repeated for several reviews.",
        [
            *_part("status", 1, "CodeableConcept"),
            *_part("role", 0, "string"),
            *_part("on", 0, "date"),
            _element("value[x]", 0, maximum="0"),
        ],
    )


# ---- the server ------------------------------------------------------------------------------------------
def capability_statement(edition: Edition, types: Sequence[str], base_url: str = "") -> Resource:
    """What can be done here; of the software in general where no address is given."""
    resource = edition.front(
        "CapabilityStatement",
        "myeloma-cds",
        title="myeloma-cds: knowledge as FHIR R4",
        description=(
            "The knowledge of the service, to read and to search, and PlanDefinition/$apply, which answers "
            "for one patient by the same pipeline as its CDS Hooks. Nothing can be written."
        ),
    )
    resource["kind"] = "instance" if base_url else "capability"
    resource["software"] = {"name": PUBLISHER, "version": edition.knowledge.version.version}
    if base_url:
        resource["implementation"] = {"description": "This installation", "url": base_url}
    resource |= {"fhirVersion": FHIR_VERSION, "format": ["json", "application/fhir+json"]}
    resource["rest"] = [{"mode": "server", "resource": [_served(kind) for kind in types]}]
    return resource


def _served(kind: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": kind,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "readHistory": False,
        "updateCreate": False,
        "conditionalCreate": False,
        "conditionalRead": "full-support",
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
        "searchParam": [
            {
                "name": parameter.name,
                "definition": _definition_of(kind, parameter.name),
                "type": parameter.kind,
                "documentation": parameter.documentation,
            }
            for parameter in PARAMETERS
        ],
    }
    if kind == "PlanDefinition":
        told["operation"] = [{"name": "apply", "definition": canonical("OperationDefinition", APPLY)}]
    return told


def _definition_of(kind: str, parameter: str) -> str:
    """HL7's own definition of a search parameter; conformance resources share one."""
    if parameter == "_id":
        return "http://hl7.org/fhir/SearchParameter/Resource-id"
    shares = kind not in ("PlanDefinition", "ActivityDefinition")
    return f"http://hl7.org/fhir/SearchParameter/{'conformance' if shares else kind}-{parameter}"


# ---- $apply ----------------------------------------------------------------------------------------------
def _operation(edition: Edition) -> Resource:
    resource = edition.front(
        "OperationDefinition",
        APPLY,
        title="Apply a pathway or a regimen to a patient",
        description=(
            "HL7's PlanDefinition/$apply with the patient's data in the call. A pathway answers a CarePlan "
            "with the regimens that fit, as a RequestGroup of draft orders; a regimen answers its own orders "
            "where it fits, else an OperationOutcome that says why it does not."
        ),
        kind="operation",
        affectsState=False,
        code="apply",
        comment=(
            f"After {_HL7_APPLY}, with data, region, asOf, pathway and canonical added. "
            f"Taken and without effect: {', '.join(IGNORED_INPUTS)}."
        ),
        resource=["PlanDefinition"],
        system=False,
        type=True,
        instance=True,
    )

    def taken(name: str, least: int, most: str, kind: str, said: str, **more: str) -> dict[str, Any]:
        return {
            "name": name, "use": "in", "min": least, "max": most, "documentation": said, "type": kind, **more,
        }  # fmt: skip

    reference = {"searchType": "reference"}
    resource["parameter"] = [
        taken("subject", 1, "1", "string", "The patient: Patient/id, or the id alone", **reference),
        taken("data", 1, "*", "Bundle", "The patient's data, as one Bundle or several; of any type"),
        taken("planDefinition", 0, "1", "PlanDefinition", "At type level: one of ours, found by its url"),
        taken("canonical", 0, "1", "uri", "At type level: the canonical address of one of ours"),
        taken("encounter", 0, "1", "string", "The encounter that the orders belong to", **reference),
        taken("userLanguage", 0, "1", "CodeableConcept", "en or it; else as the installation is set"),
        taken("region", 0, "1", "code", "EMA or FDA; else as the installation is set"),
        taken("asOf", 0, "1", "date", "The evaluation date; else today in UTC"),
        taken("pathway", 0, "1", "code", "Of a regimen: by which pathway; else as the installation is set"),
        *(
            taken(name, 0, "1", "CodeableConcept", "Taken, without effect")
            if name[0] in "us"
            else taken(name, 0, "1", "string", "Taken, without effect", **reference)
            for name in IGNORED_INPUTS
        ),
        {"name": "return", "use": "out", "min": 1, "max": "1", "type": "CarePlan"},
    ]
    return resource


# ---- our own extensions ----------------------------------------------------------------------------------
def _extension(
    edition: Edition, url: str, title: str, description: str, elements: list[dict[str, Any]]
) -> Resource:
    return edition.front(
        "StructureDefinition",
        url.rpartition("/")[2],
        title=title,
        description=description,
        fhirVersion=FHIR_VERSION,
        kind="complex-type",
        abstract=False,
        context=[{"type": "element", "expression": "PlanDefinition.action"}],
        type="Extension",
        baseDefinition=_EXTENSION,
        derivation="constraint",
        differential={
            "element": [
                {"id": "Extension", "path": "Extension", "short": title, "definition": description},
                *elements,
                {"id": "Extension.url", "path": "Extension.url", "fixedUri": url},
            ]
        },
    )


def _part(name: str, least: int, kind: str) -> list[dict[str, Any]]:
    """One named part of an extension that has several."""
    own = f"Extension.extension:{name}"
    return [
        {"id": own, "path": "Extension.extension", "sliceName": name, "min": least, "max": "1"},
        {"id": f"{own}.url", "path": "Extension.extension.url", "fixedUri": name},
        {"id": f"{own}.value[x]", "path": "Extension.extension.value[x]", "min": 1, "type": [{"code": kind}]},
    ]


def _element(path: str, least: int, *, maximum: str = "", types: Sequence[str] = ()) -> dict[str, Any]:
    told: dict[str, Any] = {"id": f"Extension.{path}", "path": f"Extension.{path}", "min": least}
    if maximum:
        told["max"] = maximum
    if types:
        told["type"] = [{"code": kind} for kind in types]
    return told
