"""Tolerant access to the elements of one resource, with a record of every repair.

Real clients send invalid FHIR. A model that prunes what is invalid silently loses diagnosis codes, so facts
are read from the JSON itself: what can be understood without guessing is understood, and said to be
repaired; what cannot is a finding. No accessor raises, whatever JSON stands where it looks.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from cds_service.fhir.dates import Charted, charted
from cds_service.record import DateSpan, Issue, Severity
from cds_service.terminology import Coding, Concept

LONGEST_TEXT = 2_000
"""Characters read of one text. Matching takes time in proportion, and no name of anything is longer."""

NO_CONCEPT = Concept((), "")

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}\Z")
_PLAIN_DATE = re.compile(r"[0-9TZ:+\-./ ]{1,32}\Z")
_INNER_BLANKS = re.compile(r"\s+")
_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}\Z")

_ANY = (
    "resourceType id meta implicitRules language text contained extension modifierExtension "
    "identifier fhir_comments "
)
_MEDICATION = (
    "medicationCodeableConcept medicationReference medication reasonCode reasonReference reason note "
    "subject status statusReason category partOf basedOn context encounter supportingInformation "
    "performer device "
)
_KNOWN_FIELDS: dict[str, frozenset[str]] = {
    name: frozenset((_ANY + fields).split())
    for name, fields in {
        # R4 and R5 elements side by side, as the models of fhir.resources 8.3 list them.
        "MedicationStatement": _MEDICATION
        + "adherence dateAsserted derivedFrom dosage effectiveDateTime effectivePeriod effectiveTiming "
        "informationSource relatedClinicalInformation renderedDosageInstruction",
        "MedicationRequest": _MEDICATION
        + "authoredOn courseOfTherapyType detectedIssue dispenseRequest doNotPerform dosageInstruction "
        "effectiveDosePeriod eventHistory groupIdentifier informationSource instantiatesCanonical "
        "instantiatesUri insurance intent performerType priorPrescription priority recorder "
        "renderedDosageInstruction reported reportedBoolean reportedReference requester statusChanged "
        "substitution",
        "MedicationAdministration": _MEDICATION
        + "dosage effectiveDateTime effectivePeriod eventHistory instantiates isSubPotent "
        "occurenceDateTime occurencePeriod occurenceTiming recorded request subPotentReason",
        "MedicationDispense": _MEDICATION
        + "authorizingPrescription daysSupply destination detectedIssue dosageInstruction eventHistory "
        "location notPerformedReason quantity receiver recorded renderedDosageInstruction "
        "statusChanged statusReasonCodeableConcept statusReasonReference substitution type "
        "whenHandedOver whenPrepared",
        "Medication": "amount batch code definition doseForm form ingredient manufacturer "
        "marketingAuthorizationHolder status totalVolume",
        "Condition": "abatementAge abatementDateTime abatementPeriod abatementRange abatementString asserter "
        "bodySite category clinicalStatus code encounter evidence note onsetAge onsetDateTime "
        "onsetPeriod onsetRange onsetString participant recordedDate recorder severity stage subject "
        "verificationStatus",
        "Observation": "basedOn bodySite bodyStructure category code component dataAbsentReason derivedFrom "
        "device effectiveDateTime effectiveInstant effectivePeriod effectiveTiming encounter focus hasMember "
        "instantiatesCanonical instantiatesReference interpretation issued method note partOf "
        "performer referenceRange specimen status subject triggeredBy valueAttachment valueBoolean "
        "valueCodeableConcept valueDateTime valueInteger valuePeriod valueQuantity valueRange "
        "valueRatio valueReference valueSampledData valueString valueTime",
        "Procedure": "asserter basedOn bodySite category code complication complicationDetail encounter "
        "focalDevice focus followUp instantiatesCanonical instantiatesUri location note occurrenceAge "
        "occurrenceDateTime occurrencePeriod occurrenceRange occurrenceString occurrenceTiming "
        "outcome partOf performedAge performedDateTime performedPeriod performedRange performedString "
        "performer reason reasonCode reasonReference recorded recorder report reportedBoolean "
        "reportedReference status statusReason subject supportingInfo used usedCode usedReference",
        "ServiceRequest": "asNeededBoolean asNeededCodeableConcept asNeededFor authoredOn basedOn bodySite "
        "bodyStructure category code doNotPerform encounter focus instantiatesCanonical instantiatesUri "
        "insurance intent location locationCode locationReference note occurrenceDateTime occurrencePeriod "
        "occurrenceTiming orderDetail patientInstruction performer performerType priority quantityQuantity "
        "quantityRange quantityRatio reason reasonCode reasonReference relevantHistory replaces requester "
        "requisition specimen status subject supportingInfo",
        "Flag": "author category code encounter period status subject",
        "AllergyIntolerance": "asserter category clinicalStatus code criticality encounter lastOccurrence "
        "note onsetAge onsetDateTime onsetPeriod onsetRange onsetString participant patient reaction "
        "recordedDate recorder type verificationStatus",
        "Patient": "active address birthDate communication contact deceasedBoolean deceasedDateTime gender "
        "generalPractitioner link managingOrganization maritalStatus multipleBirthBoolean "
        "multipleBirthInteger name photo telecom",
    }.items()
}

READ_TYPES = frozenset(_KNOWN_FIELDS)
"""Resource types that facts, or the names of facts, are read from."""

_R5_ONLY: dict[str, frozenset[str]] = {
    "MedicationStatement": frozenset({"medication", "adherence", "reason", "renderedDosageInstruction"}),
    "MedicationRequest": frozenset(
        {"medication", "reason", "effectiveDosePeriod", "statusChanged", "device"}
    ),
    "MedicationAdministration": frozenset(
        {"medication", "reason", "occurenceDateTime", "occurencePeriod", "occurenceTiming", "isSubPotent"}
    ),
    "MedicationDispense": frozenset({"medication", "notPerformedReason", "recorded", "statusChanged"}),
    "Medication": frozenset({"doseForm", "marketingAuthorizationHolder", "totalVolume", "definition"}),
    "Condition": frozenset({"participant"}),
    "Observation": frozenset({"triggeredBy", "bodyStructure", "valueReference", "valueAttachment"}),
    "Procedure": frozenset(
        {"occurrenceDateTime", "occurrencePeriod", "occurrenceString", "reason", "recorded", "focus", "used"}
    ),
    "ServiceRequest": frozenset({"reason", "bodyStructure", "asNeededFor", "focus"}),
    "AllergyIntolerance": frozenset({"participant"}),
}


def is_r5(resource: Mapping[str, Any]) -> bool:
    """Whether a resource has the shape of FHIR R5; every other one is read as R4 (R4B is the same here)."""
    kind = resource.get("resourceType")
    if not isinstance(kind, str):
        return False
    if any(field in _R5_ONLY.get(kind, ()) for field in resource):
        return True
    if kind == "AllergyIntolerance":
        return isinstance(resource.get("type"), Mapping)
    if kind == "ServiceRequest":
        code = resource.get("code")
        return isinstance(code, Mapping) and ("concept" in code or "reference" in code)
    return kind == "MedicationStatement" and resource.get("status") in ("recorded", "draft")


def _canonical(value: Any) -> bytes:
    """The same bytes for the same content, whatever the order of its members."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError):  # numbers beyond 64 bits, lone surrogates, keys that are no text
        pass
    try:
        return json.dumps(value, sort_keys=True, default=str, skipkeys=True).encode()
    except (RecursionError, TypeError, ValueError):
        return b""


def content_hash(resource: Mapping[str, Any]) -> str:
    """Eight hex digits that name a resource without an id by its content, so not by its place."""
    return hashlib.sha256(_canonical(resource)).hexdigest()[:8]


def resource_type(resource: Mapping[str, Any]) -> str:
    """The ``resourceType``, trimmed and in FHIR's capitals where it is one we read; "" where none stands."""
    kind = resource.get("resourceType")
    if not isinstance(kind, str):
        return ""
    if kind in _KNOWN_FIELDS:
        return kind
    kind = kind.strip()
    return _BY_LOWER_NAME.get(kind.lower(), kind)


_BY_LOWER_NAME = {name.lower(): name for name in _KNOWN_FIELDS}


def resource_id(resource: Mapping[str, Any]) -> str:
    """The id as text, trimmed; "" where there is none."""
    raw = resource.get("id")
    if isinstance(raw, str):
        return raw.strip()
    return str(raw) if isinstance(raw, int) and not isinstance(raw, bool) else ""


def reference_of(resource: Mapping[str, Any]) -> str:
    """How facts and issues name a resource: "Type/id", or "Type/#3fa9c1d2" (of its content) without an id."""
    kind = resource_type(resource)
    name = kind if _PLAIN_NAME.match(kind) else "Resource"
    identity = resource_id(resource)
    return f"{name}/{identity}" if identity else f"{name}/#{content_hash(resource)}"


def usable_id(text: str) -> bool:
    """Whether a text is an id that a FHIR server accepts."""
    return _FHIR_ID.match(text) is not None


def local_part(reference: str) -> str:
    """ "Type/id" or "id" of any way to write a reference: absolute, versioned, urn:uuid, blank-padded."""
    text = reference.strip().split("/_history/", 1)[0].rstrip("/")
    if text.lower().startswith(("urn:uuid:", "urn:oid:")):
        return text.rsplit(":", 1)[1]
    return "/".join(text.split("/")[-2:]) if "/" in text else text


class Reading:
    """One resource while it is being read.

    ``data`` is the resource, ``reference`` its name in facts. ``repairs`` and ``issues`` fill up as elements
    are asked for, so nothing is reported of elements that no fact needed.
    """

    __slots__ = ("data", "issues", "reference", "repairs", "type", "unreadable")

    def __init__(self, data: Mapping[str, Any], reference: str = "") -> None:
        self.data = data
        self.type = resource_type(data)
        self.reference = reference or reference_of(data)
        self.repairs: list[str] = []
        self.issues: list[Issue] = []
        self.unreadable = False  # something that a fact needed could not be read

    # ---- findings ----------------------------------------------------------------------------------------
    def repaired(self, what: str) -> None:
        """Record a repair, once."""
        if what not in self.repairs:
            self.repairs.append(what)

    def issue(self, severity: Severity, code: str, text: str) -> None:
        """Record a finding about this resource, once."""
        finding = Issue(severity, code, text, self.reference)
        if finding not in self.issues:
            self.issues.append(finding)

    def doubt(self, doubt: str) -> None:
        """Record what the terminology was not sure of, in its words."""
        if doubt:
            self.issue(Severity.WARNING, "doubtful-code", f"{self.reference}: {doubt}")

    def unknown_fields(self) -> None:
        """Record the fields that FHIR does not define here; they are passed over, never fatal."""
        known = _KNOWN_FIELDS.get(self.type)
        if known is None or known.issuperset(self.data):
            return
        for field in self.data:
            if not isinstance(field, str):
                self.repaired("a field without a proper name passed over")
            elif field not in known and field.lstrip("_") not in known:
                shown = f'"{field}"' if _PLAIN_NAME.match(field) else "without a proper name"
                self.repaired(f"unknown field {shown} passed over")

    # ---- structure ---------------------------------------------------------------------------------------
    def nodes(self, parent: Mapping[str, Any], key: str) -> list[Any]:
        """The entries of a list element; one object or value where the list belongs counts as one entry."""
        value = parent.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.repaired(f"{key}: one value where a list belongs")
            return [value]
        kept = [entry for entry in value if entry is not None]
        if len(kept) != len(value):
            self.repaired(f"{key}: empty entries passed over")
        return kept

    def objects(self, parent: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        """The objects of a list element, whatever else stands between them."""
        nodes = self.nodes(parent, key)
        objects = [node for node in nodes if isinstance(node, Mapping)]
        if len(objects) != len(nodes):
            self.repaired(f"{key}: an entry that is no object passed over")
        return objects

    def single(self, parent: Mapping[str, Any], key: str) -> Any:
        """The value of an element that occurs once; the first where a list stands instead."""
        value = parent.get(key)
        if isinstance(value, list):
            self.repaired(f"{key}: a list where one value belongs")
            return next((entry for entry in value if entry not in (None, {}, "")), None)
        return value

    def object(self, parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        """The object at ``key``; an empty one where there is none."""
        value = self.single(parent, key)
        if isinstance(value, Mapping):
            return value
        if value is not None:
            self.repaired(f"{key}: no object, passed over")
        return {}

    # ---- primitives --------------------------------------------------------------------------------------
    def text(self, parent: Mapping[str, Any], key: str) -> str:
        """Text for people, outer blanks cut; numbers as written."""
        value = self.single(parent, key)
        if isinstance(value, str):
            return self.cut(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.repaired(f"{key}: a number where text belongs")
            return str(value)
        if value is not None:
            self.repaired(f"{key}: no text, passed over")
        return ""

    def cut(self, text: str) -> str:
        """The text without outer blanks, at most LONGEST_TEXT characters of it; what is cut off is said."""
        text = text.strip()
        if len(text) <= LONGEST_TEXT:
            return text
        told = f"{self.reference}: a text was cut after {LONGEST_TEXT} characters; the rest was not read."
        self.issue(Severity.INFORMATION, "text-cut", told)
        return text[:LONGEST_TEXT]

    def token(self, parent: Mapping[str, Any], key: str) -> str:
        """A code of FHIR's own ("entered-in-error"): trimmed, lower case, with hyphens."""
        raw = self.single(parent, key)
        if raw is None:
            return ""
        if isinstance(raw, Mapping):
            self.repaired(f"{key}: a concept where a code belongs")
            return next(iter(self.codes(parent, key)), "")
        return self._normal_token(self.text(parent, key), raw, key)

    def _normal_token(self, text: str, raw: Any, key: str) -> str:
        token = text.lower().replace("_", "-").replace(" ", "-")
        if token != raw and isinstance(raw, str):
            self.repaired(f"{key} trimmed" if token == text else f"{key}: written otherwise than FHIR has it")
        return token

    def codes(self, parent: Mapping[str, Any], key: str) -> tuple[str, ...]:
        """The codes (else the text) of a status that is a concept in R4 and was a plain code before."""
        value = self.single(parent, key)
        if isinstance(value, str):
            self.repaired(f"{key}: a code where a concept belongs")
            text = self.cut(value)
            return (self._normal_token(text, text, key),)
        concept = self.concept(parent, key)
        found = tuple(coding.code for coding in concept.codings if coding.code) or (concept.text,)
        return tuple(code.lower().replace("_", "-").replace(" ", "-") for code in found if code)

    def number(self, parent: Mapping[str, Any], key: str) -> float | None:
        """A number, also where it was written as text ("20", "1,4"); None where there is none."""
        value = self.single(parent, key)
        if value is None or isinstance(value, bool):
            return None
        if isinstance(value, int | float):
            return _finite(value)
        if isinstance(value, str):
            read = decimal(value)
            if read is not None:
                self.repaired(f"{key}: a number written as text")
                return read
        if value != "":
            self.repaired(f"{key}: no number, passed over")
        return None

    def flag(self, parent: Mapping[str, Any], key: str) -> bool | None:
        """A boolean, also "true" or 1; None where there is none."""
        value = self.single(parent, key)
        if isinstance(value, bool) or value is None:
            return value
        known = {"true": True, "1": True, "false": False, "0": False}.get(str(value).strip().lower())
        self.repaired(
            f"{key}: a boolean written otherwise" if known is not None else f"{key}: no boolean, passed over"
        )
        return known

    # ---- concepts ----------------------------------------------------------------------------------------
    def concept(self, parent: Mapping[str, Any], key: str) -> Concept:
        """The CodeableConcept at ``key``, repaired; empty where there is none."""
        value = parent.get(key)
        if isinstance(value, list):
            self.repaired(f"{key}: a list where one value belongs")
            read = (self.as_concept(entry, key) for entry in value if entry is not None)
            return next((concept for concept in read if concept != NO_CONCEPT), NO_CONCEPT)
        return NO_CONCEPT if value is None else self.as_concept(value, key)

    def concepts(self, parent: Mapping[str, Any], key: str) -> list[Concept]:
        """The CodeableConcepts of a list element that say anything."""
        read = [self.as_concept(node, key) for node in self.nodes(parent, key)]
        return [concept for concept in read if concept != NO_CONCEPT]

    def as_concept(self, node: Any, key: str) -> Concept:
        """A concept from whatever stands there: CodeableConcept, R5 CodeableReference, Coding, plain text."""
        if isinstance(node, str):
            self.repaired(f"{key}: text where a concept belongs")
            return Concept((), self.cut(node))
        if not isinstance(node, Mapping):
            self.repaired(f"{key}: no concept, passed over")
            return NO_CONCEPT
        if "concept" in node and "coding" not in node:
            node = self.object(node, "concept")
        if "coding" not in node and ("code" in node or "system" in node):
            self.repaired(f"{key}: a coding where a concept belongs")
            return Concept(tuple(self._coding(node, key)), self.text(node, "text") if "text" in node else "")
        codings: list[Coding] = []
        for entry in self.nodes(node, "coding"):
            if isinstance(entry, Mapping):
                codings.extend(self._coding(entry, key))
            else:
                self.repaired("coding: an entry that is no object passed over")
        return Concept(tuple(codings), self.text(node, "text"))

    def _coding(self, node: Mapping[str, Any], key: str) -> Iterator[Coding]:
        """One coding, its code trimmed; none where it names neither code nor display."""
        raw = node.get("code")
        if isinstance(raw, str):
            code = raw.strip()
            if code != raw:
                self.repaired("code trimmed")
            code = self.cut(code)
            if "  " in code:
                code = _INNER_BLANKS.sub(" ", code)
                self.repaired("code with inner blanks repaired")
        elif isinstance(raw, int) and not isinstance(raw, bool):
            code = str(raw)
            self.repaired("code written as a number")
        else:
            code = ""
            if raw is not None:
                self.repaired("code: no text, passed over")
        system = self.text(node, "system")
        if system != node.get("system", ""):
            self.repaired("system trimmed")
        display = self.text(node, "display")
        if code or display:
            yield Coding(system, code, display)
        elif node:
            self.repaired(f"{key}: an empty coding passed over")

    # ---- references --------------------------------------------------------------------------------------
    def reference_text(self, node: Any) -> str:
        """The reference of a Reference object (or of a bare string where one belongs)."""
        if isinstance(node, str):
            self.repaired("a text where a reference belongs")
            return node.strip()
        if isinstance(node, Mapping):
            inner = node.get("reference")
            if isinstance(inner, Mapping):  # R5 CodeableReference.reference
                return self.reference_text(inner)
            return self.text(node, "reference")
        return ""

    def reference_display(self, node: Any) -> str:
        """The display of a Reference, or of the Reference within a CodeableReference."""
        if not isinstance(node, Mapping):
            return ""
        inner = node.get("reference")
        return self.text(inner if isinstance(inner, Mapping) else node, "display")

    # ---- dates -------------------------------------------------------------------------------------------
    def date(self, parent: Mapping[str, Any], key: str, *, show: bool = True) -> Charted:
        """A date or dateTime; ``show`` False keeps its text out of the issue (birth dates)."""
        raw = self.single(parent, key)
        read = charted(raw)
        for repair in read.repairs:
            self.repaired(repair)
        if read.problem:
            written = f' "{raw}"' if show and isinstance(raw, str) and _PLAIN_DATE.match(raw) else ""
            code = "placeholder-date" if read.placeholder else "unreadable-date"
            self.issue(Severity.WARNING, code, f"{self.reference}: {key}{written} {read.problem}.")
        return read

    def day(self, parent: Mapping[str, Any], key: str) -> DateSpan | None:
        """The days a date or dateTime may mean; None where nothing usable stands."""
        return self.date(parent, key).span

    def period(self, parent: Mapping[str, Any], key: str) -> tuple[Charted, Charted]:
        """Start and end of a Period; a period that runs backwards keeps its start and loses its end."""
        value = self.single(parent, key)
        if isinstance(value, str):
            self.repaired(f"{key}: a date where a period belongs")
            return self.date(parent, key), Charted()
        node = self.object(parent, key)
        start, end = self.date(node, "start"), self.date(node, "end")
        if start.span and end.span and end.span.latest < start.span.earliest:
            text = f"{self.reference}: {key} ends before it starts; its end is taken as not known."
            self.issue(Severity.WARNING, "period-reversed", text)
            end = Charted(problem="lies before the start")
        return start, end

    def notes(self, as_of: datetime.date) -> list[str]:
        """The texts of the resource's annotations, except of those written after the evaluation date."""
        found: list[str] = []
        for node in self.nodes(self.data, "note"):
            if isinstance(node, str):
                self.repaired("note: text where an annotation belongs")
                found.append(self.cut(node))
            elif isinstance(node, Mapping):
                written = charted(self.single(node, "time")).span
                if written is None or written.earliest <= as_of:
                    found.append(self.text(node, "text"))
        return [text for text in found if text]


_LONGEST_NUMBER = 60
_DECIMAL = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d{1,2})?\Z")


def decimal(text: str) -> float | None:
    """A decimal number in either notation ("1.4", "1,4"); None where it is none.

    A comma before exactly three digits may be a decimal sign or a separator of thousands ("1,234"), unless
    only a zero stands before it: such a number is none, for a guess could be wrong by a thousand.
    """
    text = text.strip()
    if len(text) > _LONGEST_NUMBER or not _DECIMAL.match(text):
        return None
    if re.match(r"[+-]?[1-9]\d{0,2},\d{3}\Z", text):
        return None
    return _finite(float(text.replace(",", ".")))


def _finite(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if number - number == 0 else None
