"""Code systems, maps and value sets: only what was seen, without the wording that is not ours to give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cds_service.knowledge.types import Knowledge
from cds_service.publish.library import Library

SNOMED = "http://snomed.info/sct"
CPT = "http://www.ama-assn.org/go/cpt"


def raw_codes(node: Any) -> Iterator[dict[str, Any]]:
    """Every code entry of a mapping file."""
    if isinstance(node, dict):
        if "system" in node and "code" in node and "confidence" in node:
            yield node
        for value in node.values():
            yield from raw_codes(value)
    elif isinstance(node, list):
        for value in node:
            yield from raw_codes(value)


def published(library: Library) -> set[tuple[str, str]]:
    """Every code of other systems in maps and value sets, with its address."""
    found = set()
    for resource in library.all_of("ConceptMap").values():
        for group in resource["group"]:
            found |= {(group["source"], element["code"]) for element in group["element"]}
    for resource in library.all_of("ValueSet").values():
        for part in resource["compose"]["include"]:
            found |= {(part["system"], concept["code"]) for concept in part.get("concept", ())}
    return found


def mapped(library: Library, identifier: str, code: str) -> list[dict[str, Any]]:
    """The targets of one code, with the code system each belongs to."""
    return [
        {"in": group["target"].rpartition("/")[2]} | target
        for group in library.all_of("ConceptMap")[identifier]["group"]
        for element in group["element"]
        if element["code"] == code
        for target in element["target"]
    ]


def test_no_code_that_was_merely_recalled_is_published(library: Library, knowledge: Knowledge) -> None:
    uris = {entry["key"]: entry["uri"] for entry in knowledge.mappings["systems"]["systems"]}
    seen, recalled = set(), set()
    for file in (*knowledge.mappings.values(), *knowledge.drug_files.values()):
        for code in raw_codes(file):
            pool = seen if code["confidence"] in ("verified1", "verified2") else recalled
            pool.add((uris[code["system"]], code["code"]))
    assert len(recalled - seen) > 20
    assert published(library) & (recalled - seen) == set()
    assert "recalled" not in {entry["confidence"] for entry in knowledge.mappings["systems"]["systems"]}


def test_nearly_everything_that_was_seen_is_published(library: Library, knowledge: Knowledge) -> None:
    uris = {entry["key"]: entry["uri"] for entry in knowledge.mappings["systems"]["systems"]}
    files = {
        name: knowledge.mappings[name]
        for name in ("diagnoses", "comorbidities", "observations", "procedures", "stop-reasons")
    }
    seen = {
        (uris[code["system"]], code["code"])
        for file in (*files.values(), *knowledge.drug_files.values())
        for code in raw_codes(file)
        if code["confidence"] in ("verified1", "verified2")
    }
    # The one question that asks for a grade names no concept of ours.
    assert len(seen - published(library)) <= 1


def test_snomed_and_cpt_stand_without_wording(library: Library) -> None:
    told = 0
    for resource in library.all_of("ConceptMap").values():
        for group in resource["group"]:
            if group["source"] in (SNOMED, CPT):
                told += len(group["element"])
                assert not any("display" in element for element in group["element"])
    for resource in library.all_of("ValueSet").values():
        for part in resource["compose"]["include"]:
            if part["system"] in (SNOMED, CPT):
                assert not any("display" in concept for concept in part["concept"])
    for resource in library.all_of("ActivityDefinition").values():
        systems = [coding["system"] for coding in resource["productCodeableConcept"]["coding"]]
        assert SNOMED not in systems
    assert told > 300


@pytest.mark.parametrize(
    ("identifier", "says"),
    [
        ("loinc", "LOINC is copyright Regenstrief Institute, Inc. and the LOINC Committee"),
        ("snomed", "affiliate licence"),
        ("cpt", "American Medical Association"),
        ("atc", "WHO Collaborating Centre for Drug Statistics Methodology"),
        ("rxnorm", "CC BY-SA 4.0"),
        ("icd-10", "World Health Organization"),
    ],
)
def test_owners_are_named_wherever_their_codes_stand(library: Library, identifier: str, says: str) -> None:
    resource = library.all_of("ConceptMap")[identifier]
    assert says in resource["copyright"]
    uri = resource["group"][0]["source"]
    for value_set in library.all_of("ValueSet").values():
        if uri in [part["system"] for part in value_set["compose"]["include"]]:
            assert says in value_set["copyright"], value_set["id"]


def test_names_of_regimens_say_that_no_vocabulary_is_copied(library: Library) -> None:
    assert "HemOnc vocabulary (CC BY-NC-SA)" in library.all_of("CodeSystem")["regimens"]["copyright"]


@pytest.mark.parametrize(
    ("case", "identifier", "code", "target"),
    [
        ("an ingredient is the drug", "rxnorm", "342369", ("drugs", "lenalidomide", "equivalent", [])),
        ("a product is narrower", "rxnorm", "602910", ("drugs", "lenalidomide", "wider", [])),
        ("ATC names the substance", "atc", "L04AX04", ("drugs", "lenalidomide", "equivalent", [])),
        ("a substance of SNOMED CT", "snomed", "421471009", ("drugs", "lenalidomide", "equivalent", [])),
        (
            "a diagnosis that tells its course",
            "icd-10-cm",
            "C90.02",
            ("diagnoses", "multiple-myeloma", "relatedto", ["relapse"]),
        ),
        ("a laboratory value", "loinc", "33358-3", ("observations", "m-protein-serum", "relatedto", [])),
        (
            "a drug given by a procedure code",
            "hcpcs",
            "Q2056",
            ("drugs", "ciltacabtagene-autoleucel", "wider", []),
        ),
        ("a transplant", "cpt", "38240", ("procedures", "allogeneic-sct", "relatedto", [])),
        (
            "a status of the condition",
            "condition-clinical",
            "relapse",
            ("disease-courses", "relapse", "relatedto", []),
        ),
    ],
)
def test_what_a_code_is_read_as(
    library: Library, case: str, identifier: str, code: str, target: tuple[Any, ...]
) -> None:
    (found,) = mapped(library, identifier, code)
    products = [product["value"] for product in found.get("product", ())]
    assert (found["in"], found["code"], found["equivalence"], products) == target, case


def test_a_code_that_stands_for_all_that_begin_so_says_it(library: Library) -> None:
    (found,) = mapped(library, "icd-10-cm", "I50")
    assert found["code"] == "heart-failure"
    assert "every code that begins with it is read so" in found["comment"]


def test_a_neighbour_that_is_deliberately_not_read_is_unmatched(library: Library) -> None:
    found = [one for one in mapped(library, "icd-10-cm", "E85.9") if one["in"] == "diagnoses"]
    assert [one["equivalence"] for one in found] == ["unmatched"]
    assert "code" not in found[0] and "deliberately not read" in found[0]["comment"]


def test_a_reused_code_says_when_it_means_what(library: Library) -> None:
    comments = {(one["code"], one["comment"]) for one in mapped(library, "hcpcs", "J9380") if "code" in one}
    assert any(code == "teclistamab" and "from 2023-07" in comment for code, comment in comments)


def test_the_drugs_of_a_class_in_every_code(library: Library) -> None:
    value_set = library.all_of("ValueSet")["class-imid"]
    own, *others = value_set["compose"]["include"]
    assert {concept["code"] for concept in own["concept"]} == {"lenalidomide", "pomalidomide", "thalidomide"}
    codes = {(part["system"], concept["code"]) for part in others for concept in part["concept"]}
    assert ("http://www.whocc.no/atc", "L04AX04") in codes
    assert ("http://www.whocc.no/atc", "L01FC01") not in codes  # daratumumab
    union = library.all_of("ValueSet")["class-bcma"]["compose"]["include"][0]
    assert {"belantamab-mafodotin", "ciltacabtagene-autoleucel", "teclistamab"} <= {
        concept["code"] for concept in union["concept"]
    }


def test_a_value_set_names_each_code_once(library: Library) -> None:
    for value_set in library.all_of("ValueSet").values():
        systems = [part["system"] for part in value_set["compose"]["include"]]
        assert len(systems) == len(set(systems)), value_set["id"]
        for part in value_set["compose"]["include"]:
            codes = [concept["code"] for concept in part.get("concept", ())]
            assert len(codes) == len(set(codes)), value_set["id"]


@pytest.mark.parametrize(
    ("system", "code", "display"),
    [
        ("drugs", "dexamethasone", "dexamethasone"),
        ("drug-classes", "anti-CD38", "anti-CD38 antibody"),
        ("regimens", "isa-kd", "Isa-KD"),
        ("patient-labels", "triple-class-exposed", "triple-class exposed"),
        ("patient-labels", "first-relapse", "first relapse"),
        ("reasons-against", "refractory-class", "refractory class"),
        ("label-statuses", "authorised-conditional", "conditionally authorised"),
        ("card-topics", "rrmmstate", "State of the myeloma"),
        ("override-reasons", "trial", "Treatment within a clinical trial"),
        ("diagnoses", "al-amyloidosis", "AL amyloidosis"),
    ],
)
def test_our_own_concepts(library: Library, system: str, code: str, display: str) -> None:
    concepts = {one["code"]: one for one in library.all_of("CodeSystem")[system]["concept"]}
    assert concepts[code]["display"] == display


def test_an_induction_that_only_names_a_line_is_a_concept_too(library: Library) -> None:
    assert "d-vrd" in {one["code"] for one in library.all_of("CodeSystem")["regimens"]["concept"]}


def test_a_drug_tells_its_classes(library: Library) -> None:
    concepts = {one["code"]: one for one in library.all_of("CodeSystem")["drugs"]["concept"]}
    told = {one["code"]: one for one in concepts["bortezomib"]["property"]}
    assert told["class"]["valueCoding"] == {
        "system": "https://myeloma-cds.org/CodeSystem/drug-classes",
        "code": "PI",
    }
    assert told["one-off"]["valueBoolean"] is False
