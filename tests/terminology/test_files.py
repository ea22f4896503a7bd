"""Every code of the mapping files comes back to its own concept, and none means two drugs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import pytest

from cds_service.knowledge.load import schemas
from cds_service.knowledge.types import Knowledge
from cds_service.terminology import Terminology

from .charted import coded

TODAY = date(2026, 11, 21)
FILES = (
    "systems classes diagnoses disease-status stop-reasons purposes observations procedures comorbidities "
    "regimen-names medication-words assertions sources"
)


def uris(knowledge: Knowledge) -> Mapping[str, str]:
    return {entry["key"]: entry["uri"] for entry in knowledge.mappings["systems"]["systems"]}


def codes_anywhere(node: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, Mapping):
        if "system" in node and "code" in node:
            yield node
        for value in node.values():
            yield from codes_anywhere(value)
    elif isinstance(node, list):
        for value in node:
            yield from codes_anywhere(value)


def everything(knowledge: Knowledge) -> list[Any]:
    return [*knowledge.mappings.values(), *knowledge.drug_files.values()]


def test_every_drug_code_comes_back_to_its_drug(knowledge: Knowledge, terminology: Terminology) -> None:
    where = uris(knowledge)
    checked = 0
    for drug in knowledge.drug_files.values():
        for entry in drug["codes"]:
            found = terminology.drugs(coded(where[entry["system"]], entry["code"]), on=TODAY)
            expected = [] if entry.get("match") == "never" else [drug["key"]]
            assert [match.drug for match in found] == expected, entry
            checked += 1
    assert checked >= 700


@pytest.mark.parametrize(
    "file, groups, ask",
    [
        ("diagnoses", "kinds", lambda t, c: t.diagnosis(c).kind),
        ("observations", "observations", lambda t, c: t.observation(c).concept),
        ("procedures", "kinds", lambda t, c: t.procedure(c).kind),
        ("comorbidities", "comorbidities", lambda t, c: t.comorbidity(c).concept),
    ],
)
def test_every_code_comes_back_to_its_concept(
    knowledge: Knowledge, terminology: Terminology, file: str, groups: str, ask: Any
) -> None:
    where = uris(knowledge)
    for group in knowledge.mappings[file][groups]:
        for entry in group.get("codes", ()):
            assert ask(terminology, coded(where[entry["system"]], entry["code"])) == group["key"], entry


def test_every_stop_reason_comes_back(knowledge: Knowledge, terminology: Terminology) -> None:
    where = uris(knowledge)
    for entry in knowledge.mappings["stop-reasons"]["codes"]:
        assert terminology.stop_reason(coded(where[entry["system"]], entry["code"])) == entry["reason"], entry


def test_every_answer_comes_back(knowledge: Knowledge, terminology: Terminology) -> None:
    where = uris(knowledge)
    for entry in knowledge.mappings["disease-status"]["answers"]["codes"]:
        match = terminology.response(coded(where[entry["system"]], entry["code"]))
        if entry.get("match") == "never":
            assert match is None
            continue
        assert match is not None, entry
        assert match.category == entry.get("response"), entry
        assert match.progression is entry.get("progression", False), entry
        assert match.no_response is entry.get("no_response", False), entry


def test_every_coded_result_comes_back(knowledge: Knowledge, terminology: Terminology) -> None:
    where = uris(knowledge)
    for entry in knowledge.mappings["observations"]["results"]["codes"]:
        assert terminology.coded_result(coded(where[entry["system"]], entry["code"])) == entry["means"]


def test_every_name_of_a_drug_comes_back(knowledge: Knowledge, terminology: Terminology) -> None:
    for drug in knowledge.drug_files.values():
        for name in drug["names"]:
            found = terminology.drugs(coded("", "", text=name["text"]))
            assert [match.drug for match in found] == [drug["key"]], name


def test_every_name_of_a_regimen_expands(knowledge: Knowledge, terminology: Terminology) -> None:
    for regimen in knowledge.mappings["regimen-names"]["regimens"]:
        assert set(regimen["components"]) <= set(knowledge.drugs)
        for name in regimen["names"]:
            found = terminology.drugs(coded("", "", text=name["text"]))
            assert {match.drug for match in found} == set(regimen["components"]), name
            assert {match.regimen for match in found} == {regimen["key"]}, name


def test_no_code_and_no_name_means_two_drugs(knowledge: Knowledge) -> None:
    drugs_of: dict[tuple[str, str], set[str]] = defaultdict(set)
    for drug in knowledge.drug_files.values():
        for entry in drug["codes"]:
            drugs_of[entry["system"], entry["code"]].add(drug["key"])
        for name in drug["names"]:
            drugs_of["text", name["text"].casefold()].add(drug["key"])
    assert {key: drugs for key, drugs in drugs_of.items() if len(drugs) > 1} == {}


def test_every_code_has_its_system_and_its_source(knowledge: Knowledge) -> None:
    systems = {entry["key"] for entry in knowledge.mappings["systems"]["systems"]}
    sources = knowledge.mappings["sources"]["sources"]
    for content in everything(knowledge):
        for entry in codes_anywhere(content):
            assert entry["system"] in systems, entry
            assert set(entry.get("seen_in", ())) <= set(sources), entry


def test_no_display_of_licensed_terminologies_is_shipped(knowledge: Knowledge) -> None:
    for content in everything(knowledge):
        for entry in codes_anywhere(content):
            assert not (entry["system"] in ("SNOMED", "CPT") and "display" in entry), entry


def test_the_drugs_that_are_ordered_carry_a_code_that_was_seen(knowledge: Knowledge) -> None:
    for drug in knowledge.drug_files.values():
        recalled = {entry["code"] for entry in drug["codes"] if entry["confidence"] == "recalled"}
        sent = {code for code, _ in knowledge.drugs[drug["key"]].order_codes.values()}
        assert not recalled & sent, drug["key"]


def test_only_the_anti_cd38_class_carries_refractoriness_over(knowledge: Knowledge) -> None:
    assert [key for key, c in knowledge.classes.items() if c.carries_over] == ["anti-CD38"]
    assert [key for key, c in knowledge.classes.items() if not c.counts] == ["steroid"]
    assert knowledge.classes["BCMA"].union_of == ("BCMA-ADC", "BCMA-CAR-T", "BCMA-BsAb")
    assert knowledge.classes["GPRC5D"].union_of == ("GPRC5D-BsAb",)


@pytest.mark.parametrize("kind", FILES.split())
def test_an_unknown_key_is_a_finding(knowledge: Knowledge, kind: str) -> None:
    content = {**knowledge.mappings[kind], "remark": "an author's slip"}
    assert list(schemas()[kind].iter_errors(knowledge.mappings[kind])) == []
    assert any("remark" in error.message for error in schemas()[kind].iter_errors(content))


def test_a_code_without_quotes_is_a_finding(knowledge: Knowledge) -> None:
    drug = dict(next(iter(knowledge.drug_files.values())))
    drug["codes"] = [{"system": "RxNorm", "code": 342369, "confidence": "recalled"}]
    assert any("is not of type 'string'" in error.message for error in schemas()["drug"].iter_errors(drug))


def test_a_snomed_description_is_a_finding(knowledge: Knowledge) -> None:
    drug = dict(next(iter(knowledge.drug_files.values())))
    drug["codes"] = [{"system": "SNOMED", "code": "421471009", "display": "x", "confidence": "decision"}]
    assert list(schemas()["drug"].iter_errors(drug))


def test_every_value_with_numbers_has_bounds(knowledge: Knowledge) -> None:
    for entry in knowledge.mappings["observations"]["observations"]:
        assert ("plausible" in entry) == bool(entry["unit"]), entry["key"]
        low, high = entry.get("plausible", (0, 1))
        assert low < high, entry["key"]
