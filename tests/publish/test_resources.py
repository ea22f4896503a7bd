"""Every published resource of the shipped knowledge: valid FHIR R4, resolvable, and complete."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cds_service.knowledge.load import KnowledgeError
from cds_service.knowledge.types import Knowledge, Review
from cds_service.publish.edition import usable_id
from cds_service.publish.library import TYPES, Library, write_export
from tests.publish.judges import complaints, nodes

OURS = "https://myeloma-cds.org/"

# Elements bound to a closed list of codes in R4, with those used here.
CLOSED = {
    "PlanDefinition": {
        "relatedArtifact/type": {"citation", "documentation", "depends-on"},
        "documentation/type": {"citation", "documentation", "depends-on"},
        "condition/kind": {"applicability"},
        "groupingBehavior": {"logical-group"},
        "selectionBehavior": {"at-most-one", "exactly-one"},
    },
    "ActivityDefinition": {"kind": {"MedicationRequest"}, "intent": {"proposal"}},
    "ConceptMap": {"equivalence": {"equivalent", "wider", "relatedto", "unmatched"}},
    "CodeSystem": {"content": {"complete"}, "property/type": {"boolean", "string", "Coding"}},
}

# What HL7's profiles "shareable ..." ask for, which these resources claim to follow.
SHAREABLE = {
    "PlanDefinition": {
        "url",
        "version",
        "title",
        "status",
        "experimental",
        "date",
        "publisher",
        "description",
    },
    "ActivityDefinition": {
        "url",
        "version",
        "title",
        "status",
        "experimental",
        "date",
        "publisher",
        "description",
    },
    "CodeSystem": {
        "url",
        "version",
        "name",
        "status",
        "experimental",
        "publisher",
        "description",
        "caseSensitive",
        "content",
        "concept",
    },
    "ValueSet": {"url", "version", "name", "status", "experimental", "publisher", "description"},
}


@pytest.mark.parametrize("kind", TYPES)
def test_every_resource_is_valid_by_both_judges(library: Library, kind: str) -> None:
    resources = library.all_of(kind)
    assert resources
    assert [said for resource in resources.values() for said in complaints(resource)] == []


@pytest.mark.parametrize(
    ("base", "kind"), [("", "capability"), ("https://cds.example.org/fhir/R4", "instance")]
)
def test_the_capability_statement_is_valid(library: Library, base: str, kind: str) -> None:
    statement = library.capability_statement(base)
    assert complaints(statement) == []
    assert statement["kind"] == kind and statement["fhirVersion"] == "4.0.1"
    assert ("implementation" in statement) is bool(base)


@pytest.mark.parametrize("kind", CLOSED)
def test_closed_lists_of_codes_are_kept(library: Library, kind: str) -> None:
    # No validator at hand knows the required bindings of R4, so they are spelt out here.
    for resource in library.all_of(kind).values():
        for path, node in nodes(resource):
            for place, allowed in CLOSED[kind].items():
                parent, _, name = place.rpartition("/")
                if (
                    name in node
                    and isinstance(node[name], str)
                    and (not parent or f"/{parent}/" in f"{path}/")
                ):
                    assert node[name] in allowed, f"{resource['id']}{path}/{name}"


def test_what_is_shared_says_what_hl7_wants_said(library: Library) -> None:
    for kind, members in SHAREABLE.items():
        for identifier, resource in library.all_of(kind).items():
            assert members <= set(resource), identifier
            assert resource["meta"]["profile"] == [
                f"http://hl7.org/fhir/StructureDefinition/shareable{kind.lower()}"
            ]


def test_ids_addresses_and_names_are_unique(library: Library) -> None:
    addresses = Counter(resource["url"] for resource in library)
    assert [address for address, times in addresses.items() if times > 1] == []
    for resource in library:
        assert resource["url"] == f"{OURS}{resource['resourceType']}/{resource['id']}"
        assert re.fullmatch(r"[A-Za-z0-9.-]{1,64}", resource["id"])
        assert re.fullmatch(r"[A-Z][A-Za-z0-9_]{0,254}", resource["name"])
    for kind in TYPES:
        names = [resource["name"] for resource in library.all_of(kind).values()]
        assert len(set(names)) == len(names)


def test_every_address_of_ours_leads_to_a_published_resource(library: Library) -> None:
    known = {resource["url"] for resource in library}
    told = set()
    for resource in [*library, library.capability_statement()]:
        for _, node in nodes(resource):
            for name, value in node.items():
                if isinstance(value, str) and value.startswith(OURS) and name not in ("uri", "div"):
                    told.add(value.partition("|")[0])
    assert told - known - {f"{OURS}CapabilityStatement/myeloma-cds"} == set()


def test_every_code_of_ours_is_defined(library: Library) -> None:
    defined = {
        (system["url"], concept["code"])
        for system in library.all_of("CodeSystem").values()
        for concept in system["concept"]
    }
    used = set()
    for resource in library:
        for _, node in nodes(resource):
            system, code = str(node.get("system", "")), node.get("code", node.get("value"))
            if system.startswith(OURS) and isinstance(code, str):
                used.add((system, code))
            for listed in node.get("concept", ()) if system.startswith(OURS) else ():
                used.add((system, listed["code"]))
            for element in node.get("element", ()) if str(node.get("target", "")).startswith(OURS) else ():
                used |= {(node["target"], one["code"]) for one in element["target"] if "code" in one}
    assert len(used) > 300
    assert used - defined == set()


def test_the_codes_of_a_system_are_counted_and_told_apart(library: Library) -> None:
    for system in library.all_of("CodeSystem").values():
        codes = [concept["code"] for concept in system["concept"]]
        assert system["count"] == len(codes) == len(set(codes)), system["id"]
        assert all(re.fullmatch(r"\S+( \S+)*", code) for code in codes)


def test_dates_are_the_knowledges_own(library: Library, knowledge: Knowledge) -> None:
    for resource in library:
        assert (resource["status"], resource["experimental"]) == ("draft", True)
        assert resource["date"] == knowledge.version.effective
        assert resource["version"] == knowledge.version.version
        assert resource["meta"]["versionId"] == knowledge.version.sha256


def test_texts_have_their_italian(library: Library) -> None:
    activity = library.all_of("ActivityDefinition")["d-pd-dexamethasone"]
    said = activity["_title"]["extension"][0]
    assert said["url"] == "http://hl7.org/fhir/StructureDefinition/translation"
    assert {one["url"]: one.get("valueCode", one.get("valueString")) for one in said["extension"]} == {
        "lang": "it",
        "content": "Desametasone di D-PD",
    }
    missing = [
        resource["id"]
        for kind in ("PlanDefinition", "ActivityDefinition")
        for resource in library.all_of(kind).values()
        if "_description" not in resource
    ]
    assert missing == []


def test_no_empty_text_is_published(library: Library) -> None:
    for resource in library:
        for path, node in nodes(resource):
            empty = [name for name, value in node.items() if value in ("", [], {}, None)]
            assert empty == [], f"{resource['resourceType']}/{resource['id']}{path}"


# ---- clinical review -------------------------------------------------------------------------------------
def review_status(resource: dict[str, Any]) -> str:
    (context,) = [one for one in resource["useContext"] if one["code"]["code"] == "clinical-review"]
    return context["valueCodeableConcept"]["coding"][0]["code"]


@pytest.mark.parametrize("kind", ["PlanDefinition", "ActivityDefinition"])
def test_what_no_clinician_has_reviewed_says_so(library: Library, knowledge: Knowledge, kind: str) -> None:
    assert not any(regimen.reviewed for regimen in knowledge.regimens.values())
    for resource in library.all_of(kind).values():
        assert resource["usage"].startswith("Not clinically reviewed")
        assert resource["text"]["div"].count("Not clinically reviewed") == 1
        assert review_status(resource) == "not-reviewed"
        assert "approvalDate" not in resource


def test_a_reviewed_regimen_has_the_date_of_its_latest_review(knowledge: Knowledge) -> None:
    reviews = (Review("haematologist", "2026-12-01"), Review("pharmacist", "2026-12-09"))
    regimen = replace(knowledge.regimens["d-pd"], reviewed=reviews)
    reviewed = Library(replace(knowledge, regimens={**knowledge.regimens, "d-pd": regimen}))
    for kind, identifier in (("PlanDefinition", "d-pd"), ("ActivityDefinition", "d-pd-pomalidomide")):
        resource = reviewed.all_of(kind)[identifier]
        assert resource["approvalDate"] == resource["lastReviewDate"] == "2026-12-09"
        assert [one["name"] for one in resource["reviewer"]] == ["haematologist", "pharmacist"]
        assert resource["usage"] == "Clinically reviewed, last on 2026-12-09."
        assert review_status(resource) == "reviewed"
        assert complaints(resource) == []


def test_a_pathway_reviewed_in_part_is_not_approved(knowledge: Knowledge) -> None:
    pathway = knowledge.pathways["de-arriba-2022"]
    first, *others = pathway.rules
    partly = replace(
        pathway, rules=(replace(first, reviewed=(Review("haematologist", "2026-12-01"),)), *others)
    )
    resource = Library(replace(knowledge, pathways={**knowledge.pathways, "de-arriba-2022": partly})).all_of(
        "PlanDefinition"
    )["de-arriba-2022"]
    assert "approvalDate" not in resource and resource["lastReviewDate"] == "2026-12-01"
    assert resource["usage"].startswith("Clinically reviewed in part: 1 of 5 entries, last on 2026-12-01.")
    assert review_status(resource) == "reviewed-in-part"
    assert complaints(resource) == []


# ---- export and mistakes ---------------------------------------------------------------------------------
def test_the_export_is_one_file_each_and_one_for_every_type(knowledge: Knowledge, tmp_path: Path) -> None:
    written = write_export(knowledge, tmp_path / "new" / "folder")
    assert all(path.is_file() for path in written)
    one = json.loads((tmp_path / "new/folder/PlanDefinition-d-pd.json").read_text(encoding="utf-8"))
    assert one["resourceType"] == "PlanDefinition" and one["id"] == "d-pd"
    for kind in (*TYPES, "CapabilityStatement"):
        lines = (tmp_path / f"new/folder/{kind}.ndjson").read_text(encoding="utf-8").splitlines()
        files = [path for path in written if path.name.startswith(f"{kind}-")]
        assert len(lines) == len(files) > 0
        assert {json.loads(line)["resourceType"] for line in lines} == {kind}


def test_a_regimen_with_the_key_of_a_pathway_stops_the_start(knowledge: Knowledge) -> None:
    twin = replace(knowledge.regimens["d-pd"], key="default")
    with pytest.raises(KnowledgeError) as stopped:
        Library(replace(knowledge, regimens={**knowledge.regimens, "default": twin}))
    assert stopped.value.findings == (
        "published as FHIR, two entries would both be PlanDefinition/default: give one another key",
    )


def test_an_id_longer_than_fhir_takes_is_cut_and_told_apart() -> None:
    long = [usable_id("a-hospitals-own-regimen-with-a-very-long-name", "ciltacabtagene-autoleucel", end)
            for end in ("ema", "fda")]  # fmt: skip
    assert len(set(long)) == 2
    assert all(len(one) == 64 for one in long)
    assert usable_id("d-pd", "pomalidomide", "") == "d-pd-pomalidomide"
