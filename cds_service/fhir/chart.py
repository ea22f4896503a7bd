"""The resources of one request as a whole: which are the same, what a reference means, whose they are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from cds_service.fhir.accessors import (
    READ_TYPES,
    Reading,
    _canonical,
    local_part,
    reference_of,
    resource_id,
    resource_type,
)
from cds_service.fhir.remembered import remembered
from cds_service.record import DateSpan, Issue, Severity
from cds_service.terminology import Terminology

# Our decision, wide: the first drugs against myeloma came in the 1950s; what is dated earlier is a slip.
FIRST_TREATMENT = date(1950, 1, 1)

_MANY_VERSIONS = 8  # so many under one id are compared one with another; more, by their bytes


class ManyPatients(ValueError):
    """The resources belong to several patients and nobody said whom to assess; ``ids`` are theirs, sorted."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = tuple(sorted(ids))
        super().__init__(f"the resources belong to {len(self.ids)} patients: say which one to assess")


class FromEntry(dict[str, Any]):
    """A resource out of a Bundle entry that remembers the entry's ``fullUrl``; else a plain dict."""

    full_url: str = ""


def full_url_of(resource: Mapping[str, Any]) -> str:
    """The fullUrl under which a resource came, "" where it came without."""
    return resource.full_url if isinstance(resource, FromEntry) else ""


class Chart:
    """What every reader needs beside its own resource.

    ``names`` finds a resource by each way to refer to it; ``left_out`` counts what was set aside, by reason.
    """

    def __init__(self, terminology: Terminology, as_of: date) -> None:
        self.terminology = remembered(terminology)
        self.as_of = as_of
        self.names: dict[str, Mapping[str, Any]] = {}
        self.left_out: Counter[str] = Counter()
        self.birth: DateSpan | None = None
        # drug -> start and end of what statements say was not taken; an end of None is an open one
        self.not_taken: defaultdict[str, list[tuple[DateSpan, DateSpan | None]]] = defaultdict(list)
        self._own: frozenset[str] = frozenset()  # ids and URLs of the patient
        self._identifiers: frozenset[tuple[str, str]] = frozenset()
        self._strays: frozenset[str] = frozenset()  # subjects that nothing names, taken as the patient's
        self.others = False  # whether another patient is in the data too
        self._any_patient = True  # nobody named a patient, and no resource did

    # ---- names -------------------------------------------------------------------------------------------
    def add(self, reference: str, resource: Mapping[str, Any]) -> None:
        """Make a resource findable by "Type/id" and by its fullUrl; what was added first stays."""
        self.names.setdefault(reference, resource)
        if full_url := full_url_of(resource):
            self.names.setdefault(full_url, resource)
            self.names.setdefault(local_part(full_url), resource)

    def resolve(self, reading: Reading, node: Any, kind: str) -> Reading | None:
        """The resource of type ``kind`` that a Reference points at; None where it did not come along."""
        text = reading.reference_text(node)
        if not text:
            return None
        if text.startswith("#"):
            for inner in reading.objects(reading.data, "contained"):
                if resource_id(inner).lstrip("#") == text[1:]:
                    return Reading(inner, f"{reading.reference}{text}")
            return None
        local = local_part(text)
        for name in (text, local, f"{kind}/{local}"):
            found = self.names.get(name)
            if found is not None and resource_type(found) == kind:
                return Reading(found)
        return None

    # ---- the patient -------------------------------------------------------------------------------------
    def is_about(self, patient_id: str, patient: Mapping[str, Any] | None) -> None:
        """Name the patient whose facts are wanted, with the Patient resource where it came."""
        own = {local_part(patient_id).rpartition("/")[2]} if patient_id else set()
        if patient is not None:
            own |= {resource_id(patient), full_url_of(patient), local_part(full_url_of(patient))}
            self._identifiers = frozenset(_identifiers(patient.get("identifier")))
        self._own = frozenset(own - {""})
        self._any_patient = not self._own

    def take_strays(self, resources: Iterable[Mapping[str, Any]]) -> Issue | None:
        """Decide on subjects like "urn:uuid:..." under which no resource came; the issue that says how.

        They are the patient's where nobody else is in the data: one such name, no other patient, and the
        patient not known by such a name himself.
        """
        strays: set[str] = set()
        others = False
        for resource in resources:
            kind = resource_type(resource)
            if kind == "Patient":
                others = others or not self._own.intersection(
                    {resource_id(resource), full_url_of(resource), local_part(full_url_of(resource))}
                )
                continue
            if kind not in READ_TYPES or kind == "Medication":
                continue
            node = resource.get("subject", resource.get("patient"))
            for text in map(subject_text, node if isinstance(node, list) else [node]):
                if not text or text.startswith("#") or self._is_name_of_own(text):
                    continue
                if text.lower().startswith("urn:"):
                    strays.add(text)
                else:
                    others = others or local_part(text).rpartition("/")[0].lower() in ("", "patient")
        self.others = others and not self._any_patient
        if not strays or self._any_patient:
            return None
        named_so = any(one.lower().startswith("urn:") for one in self._own)
        if others or named_so or len(strays) > 1:
            self.others = True
            text = "Some resources belong to a subject that did not come along; they were left out."
            return Issue(Severity.WARNING, "unknown-subject", text)
        self._strays = frozenset(strays)
        text = "Some resources belong to a subject that did not come along; they were taken as the patient's."
        return Issue(Severity.INFORMATION, "unknown-subject", text)

    def is_own(self, reading: Reading) -> bool:
        """Whether a resource is this patient's: its subject says so, or it has none."""
        key = "patient" if reading.type == "AllergyIntolerance" else "subject"
        node = reading.data.get(key)
        if node is None:
            node = reading.data.get("patient" if key == "subject" else "subject")
        if isinstance(node, list):
            reading.repaired(f"{key}: a list where one value belongs")
            return all(self._names_own(reading, entry) for entry in node)
        return self._names_own(reading, node)

    def names_its_patient(self, reading: Reading) -> bool:
        """Whether the subject of a resource that is the patient's own says whose it is."""
        nodes = reading.nodes(
            {"subject": [reading.data.get("subject", reading.data.get("patient"))]}, "subject"
        )
        flat = [one for node in nodes for one in (node if isinstance(node, list) else [node])]
        return bool(flat) and all(
            subject_text(one)
            or (
                isinstance(one, Mapping)
                and self._identifiers.intersection(_identifiers(one.get("identifier")))
            )
            for one in flat
        )

    def _names_own(self, reading: Reading, node: Any) -> bool:
        text = subject_text(node)
        if text.startswith("#"):
            inner = self.resolve(reading, node, "Patient")
            if inner is None:
                return False
            shared = self._identifiers.intersection(_identifiers(inner.data.get("identifier")))
            return bool(shared) or resource_id(inner.data).lstrip("#") in self._own
        if text:
            return self._any_patient or text in self._strays or self._is_name_of_own(text)
        identifier = node.get("identifier") if isinstance(node, Mapping) else None
        theirs = set(_identifiers(identifier))
        if not theirs or theirs & self._identifiers:
            return True
        # Another value within a system in which this patient has a number is another person.
        systems = {system for system, _ in self._identifiers}
        return not any(system in systems for system, _ in theirs)

    def _is_name_of_own(self, text: str) -> bool:
        if text in self._own:
            return True
        kind, _, identity = local_part(text).rpartition("/")
        return identity in self._own and kind.lower() in ("", "patient")

    # ---- time --------------------------------------------------------------------------------------------
    def is_future(self, span: DateSpan | None) -> bool:
        """Whether something surely happened after the evaluation date: then it is not known yet."""
        return span is not None and span.earliest > self.as_of

    def treatable(self, reading: Reading, span: DateSpan | None) -> DateSpan | None:
        """The span; None, with an issue, where the patient or the treatment of myeloma was not yet born."""
        if span is None:
            return None
        if span.latest < FIRST_TREATMENT:
            why = f"lies before {FIRST_TREATMENT.year}, when there was no treatment"
        elif self.birth is not None and span.latest < self.birth.earliest:
            why = "lies before the patient's birth"
        else:
            return span
        text = f"{reading.reference}: the date {span} {why}; taken as not known."
        reading.issue(Severity.WARNING, "unreadable-date", text)
        return None

    def clipped(self, span: DateSpan | None) -> DateSpan | None:
        """The part of a span not after the evaluation date."""
        return None if span is None else span.until(self.as_of)


def subject_text(node: Any) -> str:
    """The reference text of a subject element, however it is written; "" where it names none."""
    if isinstance(node, Mapping):
        node = node.get("reference")
    return node.strip() if isinstance(node, str) else ""


def _identifiers(raw: Any) -> Iterable[tuple[str, str]]:
    for entry in raw if isinstance(raw, list) else [raw]:
        if isinstance(entry, Mapping) and isinstance(entry.get("value"), str):
            system = entry.get("system")
            if isinstance(system, str) and system:
                yield system, entry["value"]


def distinct(
    resources: Iterable[Mapping[str, Any]],
) -> tuple[dict[str, Mapping[str, Any]], list[Issue]]:
    """Each resource once, by its reference, whatever the order and the number of copies.

    Of two versions under one id the later counts, by ``meta.lastUpdated``, then ``meta.versionId``; where
    neither tells, one is chosen by its content and the issue "conflicting-versions" says so.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    seen: dict[str, dict[bytes, int]] = {}  # of ids with many versions: where each content stands
    for resource in resources:
        reference = reference_of(resource)
        versions = groups.setdefault(reference, [])
        if len(versions) >= _MANY_VERSIONS:
            places = seen.setdefault(reference, {})
            if not places:
                places.update({_canonical(one): place for place, one in enumerate(versions)})
            place = places.setdefault(_canonical(resource), len(versions))
            if place == len(versions):
                versions.append(resource)
            elif full_url_of(resource) > full_url_of(versions[place]):
                versions[place] = resource
            continue
        for known in versions:
            if _same(known, resource):
                if full_url_of(resource) > full_url_of(known):
                    versions[versions.index(known)] = resource
                break
        else:
            versions.append(resource)
    issues: list[Issue] = []
    chosen: dict[str, Mapping[str, Any]] = {}
    for reference, versions in groups.items():
        chosen[reference] = versions[0]
        if len(versions) > 1:
            ranked = sorted(versions, key=lambda one: (_age(one), _canonical(one)), reverse=True)
            chosen[reference] = ranked[0]
            if _age(ranked[0]) == _age(ranked[1]) and _content(ranked[0]) != _content(ranked[1]):
                text = f"{reference} came in versions that differ, and nothing tells which is the later."
                issues.append(Issue(Severity.WARNING, "conflicting-versions", text, reference))
    return chosen, issues


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    try:
        return one == other
    except RecursionError:  # nested as no FHIR server does; kept apart rather than compared
        return one is other


def _content(resource: Mapping[str, Any]) -> bytes:
    return _canonical({key: value for key, value in resource.items() if key != "meta"})


def _age(resource: Mapping[str, Any]) -> tuple[datetime, int]:
    meta = resource.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    try:
        updated = datetime.fromisoformat(str(meta.get("lastUpdated")).strip())
    except ValueError:
        updated = datetime.min.replace(tzinfo=UTC)
    updated = updated.replace(tzinfo=UTC) if updated.tzinfo is None else updated
    version = str(meta.get("versionId", ""))
    return updated, int(version) if version.isascii() and version.isdigit() and len(version) < 19 else -1
