"""The notation itself: what it builds, whether its codes are shipped ones, which line it says is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from cds_service.fhir import validate
from cds_service.fhir.accessors import reference_of
from cds_service.knowledge.types import Knowledge
from tests.clinical.notation import FORMS, Notation, NotationError
from tests.clinical.table import cases

CHART = """
born 1955-05-05 female
2020-01-10 multiple myeloma
2020-02-01..2020-07-30 VRd
2020-08-20 autologous transplant
2020-11-01..2023-04-20 lenalidomide 10 mg PO, stopped: progression
2023-05-02 progression
2021-03 response VGPR
M-protein in g/dL: 2020-01-10 3.1, 2020-07-30 <0.1
2024-01-05.. daratumumab, dexamethasone, line 2, note "monthly"
2022-01-05 order pomalidomide, cancelled
2022-01-05 given carfilzomib 56 mg/m2 IV
2022-01-05 dispensed lenalidomide, supply 28 days
intolerance to bortezomib
"""


def test_one_line_is_one_entry_that_bears_its_number(notation: Notation) -> None:
    built = {reference_of(one) for one in notation.resources(CHART)}
    assert {"Condition/line-3", "MedicationStatement/line-4", "Procedure/line-5"} <= built
    assert {"MedicationStatement/line-10-daratumumab", "MedicationStatement/line-10-dexamethasone"} <= built
    assert {"Observation/line-9-1", "Observation/line-9-2", "AllergyIntolerance/line-14"} <= built
    assert {
        "MedicationRequest/line-11",
        "MedicationAdministration/line-12",
        "MedicationDispense/line-13",
    } <= built


def test_a_list_of_drugs_is_a_statement_each_and_a_regimen_is_one(notation: Notation) -> None:
    both = notation.resources("2020-01-01..2020-06-01 lenalidomide, dexamethasone\n2021-01-01.. Dara-Rd")
    told = [one for one in both if one["resourceType"] == "MedicationStatement"]
    assert [one["medicationCodeableConcept"].get("text") for one in told] == [None, None, "Dara-Rd"]
    assert [one["status"] for one in told] == ["completed", "completed", "active"]


def test_without_a_diagnosis_there_is_a_myeloma_and_somebody_is_born(notation: Notation) -> None:
    kinds = {one["resourceType"] for one in notation.resources("2020-01-01.. lenalidomide")}
    assert kinds == {"Patient", "Condition", "MedicationStatement"}
    assert [one["resourceType"] for one in notation.resources("no diagnosis")] == ["Patient"]


def test_doses_one_by_one_follow_the_schedule_of_the_drug(notation: Notation) -> None:
    doses = notation.resources("2023-01-10..2023-04-10 daratumumab", "administrations")
    days = [one["effectiveDateTime"] for one in doses if one["resourceType"] == "MedicationAdministration"]
    assert days == ["2023-01-10", "2023-02-07", "2023-03-07", "2023-04-04", "2023-04-10"]


def test_r5_has_the_drug_and_the_reason_where_r5_has_them(notation: Notation) -> None:
    line = "2020-11-01..2023-04-20 lenalidomide, stopped: toxicity"
    (fifth,) = [one for one in notation.resources(line, "R5") if one["resourceType"] == "MedicationStatement"]
    assert fifth["status"] == "recorded"
    assert fifth["medication"]["concept"]["coding"][0]["display"] == "lenalidomide"
    assert fifth["adherence"]["code"]["coding"][0]["code"] == "stopped"
    assert fifth["adherence"]["reason"]["coding"]


@pytest.mark.parametrize("form", FORMS)
def test_all_that_it_builds_is_valid_fhir(form: str, notation: Notation) -> None:
    built = notation.resources(CHART, form, date(2024, 6, 1))
    assert validate.findings(built, "all", {reference_of(one) for one in built}) == ()


def test_every_code_is_one_of_the_shipped_mappings(notation: Notation, knowledge: Knowledge) -> None:
    keys = {entry["uri"]: entry["key"] for entry in knowledge.mappings["systems"]["systems"]}
    shipped = {
        (entry["system"], str(entry["code"]))
        for entry in _entries((knowledge.mappings, knowledge.drug_files))
        if entry.get("confidence") != "recalled"
    }
    used = {
        (keys[coding["system"]], coding["code"])
        for case in cases()
        for one in notation.resources(case.chart, as_of=case.as_of)
        for coding in _codings(one)
        if coding["system"] in keys
    }
    assert len(used) > 50
    assert not used - shipped


@pytest.mark.parametrize(
    ("chart", "line"),
    [
        ("2020-01-01.. lenalidomid", "line 1"),
        ("born 1955-05-05 female\n2020-01-01.. lenalidomide, stopped: because", "line 2"),
        ("2020-01-01 response excellent", "line 1"),
        ("2020-01-01 M-protein high", "line 1"),
        ("M-protein in g/dL: soon 3.1", "line 1"),
        ("2020-01-01..2021-01-01 lenalidomide, with water", "line 1"),
        ("2020-01-01 haemoglobine 9 g/dL", "line 1"),
        ("allergy to peanuts", "line 1"),
        ("\n\n2020-01-01", "line 3"),
        ("born yesterday", "line 1"),
    ],
)
def test_what_it_does_not_know_it_names_with_its_line(chart: str, line: str, notation: Notation) -> None:
    with pytest.raises(NotationError, match=line):
        notation.resources(chart)


def test_a_form_that_is_not_there_is_refused(notation: Notation) -> None:
    with pytest.raises(NotationError, match="administrations"):
        notation.resources("2020-01-01.. lenalidomide", "telegrams")


def _entries(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "code" in node and "system" in node:
            yield node
        node = list(node.values())
    if hasattr(node, "values"):
        node = list(node.values())
    if isinstance(node, list | tuple):
        for one in node:
            yield from _entries(one)


def _codings(node: Any) -> Iterator[dict[str, str]]:
    if isinstance(node, dict):
        yield from (one for one in node.get("coding", ()))
        for value in node.values():
            yield from _codings(value)
    elif isinstance(node, list):
        for one in node:
            yield from _codings(one)
