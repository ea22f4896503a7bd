# ruff: noqa: E501 - a case a line, so that tables read as tables
"""What is read of a laboratory or imaging Observation: value and unit, words, site, band, isotype."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from cds_service.assess import assess
from cds_service.fhir.read import read
from cds_service.knowledge.load import load
from cds_service.record import ClinicalRecord
from cds_service.terminology import Terminology
from tests.fhir.charts import (
    AS_OF,
    LOINC,
    M_PROTEIN,
    condition,
    gone,
    issue_codes,
    observation,
    person,
    statement,
)


@cache
def terminology() -> Terminology:
    return Terminology(load())


def chart(*resources: Any) -> ClinicalRecord:
    return read(resources, terminology(), as_of=AS_OF, patient_id="p1")


def code(text: str) -> dict[str, Any]:
    return {"text": text}


def loinc(number: str) -> dict[str, Any]:
    return {"coding": [{"system": LOINC, "code": number}]}


def quantity(value: float, unit: str | None) -> dict[str, Any]:
    return {"value": value} | ({"unit": unit} if unit is not None else {})


UNITS = [
    # name, charted value and unit, value in our unit; None: left out, with an issue
    ("M protein", 30, "g/L", 3.0),
    ("M protein", 3, "g/dL", 3.0),
    ("M protein", 3, "G/DL", 3.0),
    ("M protein", 3, "g/dl", 3.0),
    ("M protein", 3000, "mg/dL", 3.0),
    ("M protein", 3, "g/100 mL", 3.0),
    ("M protein", 3, "mmol/L", None),
    ("M protein", 3, "g/24h", None),
    ("M protein", 30, "%", None),
    ("M protein", 3, None, None),  # g/dL is likely, and not for us to say
    ("Urine M protein", 300, "mg/24h", 300),
    ("Urine M protein", 300, "mg/24 h", 300),
    ("Urine M protein", 300, "mg/(24.h)", 300),
    ("Urine M protein", 300, "mg/24 hours", 300),
    ("Urine M protein", 0.3, "g/24h", 300),
    ("Urine M protein", 0.3, "g/(24.h)", 300),
    ("Urine M protein", 0.3, "g/d", 300),
    ("Urine M protein", 0.3, "g/die", 300),
    ("Urine M protein", 30, "mg/dL", None),  # a spot urine
    ("Urine M protein", 300, "mg", None),
    ("Urine M protein", 300, None, None),
    ("Kappa free light chains", 120, "mg/L", 120),
    ("Kappa free light chains", 12, "mg/dL", 120),
    ("Kappa free light chains", 12, "mg/dL{free}", 120),
    ("Kappa free light chains", 120, "ug/mL", 120),
    ("Lambda free light chains", 12, "mg/100mL", 120),
    ("Lambda free light chains", 12, "umol/L", None),
    ("Lambda free light chains", 12, None, None),
    ("Marrow plasma cells", 12, "%", 12),
    ("Marrow plasma cells", 0.12, "1", None),
    ("Corrected calcium", 2.5, "mmol/L", 10.02),
    ("Corrected calcium", 11.2, "mg/dL", 11.2),
    ("Circulating plasma cell count", 250, "/uL", 0.25),
    ("Circulating plasma cell count", 0.25, "10*9/L", 0.25),
    ("Plasmacytoma size", 25, "mm", 2.5),
]


@pytest.mark.parametrize(
    ("name", "value", "unit", "own"), UNITS, ids=[f"{n} {v} {u}" for n, v, u, _ in UNITS]
)
def test_units(name: str, value: float, unit: str | None, own: float | None) -> None:
    record = chart(observation(code=code(name), valueQuantity=quantity(value, unit)))
    assert [m.value for m in record.measurements] == ([] if own is None else [pytest.approx(own)])
    assert issue_codes(record) == ({"unknown-unit"} if own is None else set())


@pytest.mark.parametrize(
    ("words", "value", "text"),
    [
        ("M-protein undetectable", None, "negative"),
        ("undetectable", None, "negative"),
        ("not detected", None, "absent"),
        ("No monoclonal protein detected", None, "absent"),
        ("Assente", None, "absent"),
        ("Nessuna componente monoclonale", None, "absent"),
        ("non rilevabile", None, "negative"),
        ("traccia", None, "traccia"),
        ("non quantificabile", None, "non quantificabile"),
        ("not quantifiable", None, "not quantifiable"),
        ("+", None, "+"),
        ("Present", None, "present"),
        ("not detected by electrophoresis, immunofixation positive", None, "not detected by electrophoresis, immunofixation positive"),
        ("< 0.1 g/dL", 0.1, "<"),
    ],
)  # fmt: skip
def test_a_serum_m_protein_in_words(words: str, value: float | None, text: str) -> None:
    record = chart(observation(code=M_PROTEIN, valueQuantity=gone, valueString=words))
    assert [(m.value, m.text) for m in record.measurements] == [(value, text)]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("Positive", "positive"),
        ("IgG kappa", "positive igg kappa"),
        ("Monoclonal IgG kappa", "positive igg kappa"),
        ("IgA lambda monoclonal band present", "positive iga lambda"),
        ("Componente monoclonale IgG λ presente", "positive igg lambda"),
        ("IgG kappa monoclonal protein detected", "positive igg kappa"),
        ("IgG kappa and IgA lambda present", "positive"),
        ("Negative", "negative"),
        ("Negative for IgG kappa", "negative"),
        ("No monoclonal IgG kappa", "absent"),
        ("faint IgG kappa, possibly therapeutic antibody", "faint igg kappa, possibly therapeutic antibody"),
    ],
)
def test_immunofixation(words: str, text: str) -> None:
    record = chart(observation(code=loinc("25700-6"), valueQuantity=gone, valueString=words))
    assert [m.text for m in record.measurements] == [text]


@pytest.mark.parametrize(
    ("changes", "site"),
    [
        ({"bodySite": {"text": "Left  ilium"}}, "left ilium"),
        (
            {"bodySite": {"coding": [{"system": "http://snomed.info/sct", "code": "1", "display": "Rib"}]}},
            "rib",
        ),
        ({"bodySite": {"coding": [{"system": "urn:x", "code": "42"}]}}, "urn:x|42"),
        ({"code": code("Plasmacytoma size (left ilium)")}, "left ilium"),
        ({}, ""),
    ],
)
def test_where_a_lesion_lies(changes: dict[str, Any], site: str) -> None:
    lesion = {"code": code("Plasmacytoma size"), "valueQuantity": quantity(25, "mm"), **changes}
    assert [(m.concept, m.value, m.site) for m in chart(observation(**lesion)).measurements] == [
        ("plasmacytoma-diameter", 2.5, site)
    ]


def test_only_a_lesion_has_a_site() -> None:
    record = chart(observation(bodySite={"text": "left arm"}))
    assert [m.site for m in record.measurements] == [""]


@pytest.mark.parametrize(
    ("number", "concept"),
    [
        ("33358-3", "m-protein-serum"),
        ("51435-6", "m-protein-serum-band-1"),
        ("35559-4", "m-protein-serum-band-2"),
        ("50796-2", "m-protein-serum-band-3"),
    ],
)
def test_bands(number: str, concept: str) -> None:
    record = chart(observation(code=loinc(number)))
    assert [(m.concept, m.value) for m in record.measurements] == [(concept, 2.0)]


@pytest.mark.parametrize(
    ("question", "answer", "text"),
    [
        (code("PET/CT"), {"valueString": "New lytic lesion in L3."}, ["new-lesion"]),
        (code("PET/CT"), {"valueString": "No new lytic lesions."}, ["reported"]),
        (loinc("18782-3"), {"valueString": "Nuova lesione litica in L3."}, ["new-lesion"]),
        (loinc("19005-8"), {"valueString": "No acute disease."}, ["reported"]),
        (code("Skeletal survey"), {"valueCodeableConcept": code("new bone lesions")}, ["new-lesion"]),
        (code("New lytic lesions"), {"valueBoolean": True}, ["new-lesion"]),
        (code("New lytic lesions"), {"valueBoolean": False}, ["reported"]),
        (code("New bone lesion"), {"valueString": "present"}, ["new-lesion"]),
        (code("New bone lesion"), {"valueString": "none"}, ["reported"]),
        (code("PET/CT"), {}, []),
        (code("Chest X-ray"), {"valueString": "New bone lesion"}, []),
    ],
)
def test_imaging(question: dict[str, Any], answer: dict[str, Any], text: list[str]) -> None:
    record = chart(observation(code=question, valueQuantity=gone, **answer))
    assert [(m.concept, m.text) for m in record.measurements] == [("imaging", one) for one in text]


def test_a_range_is_left_out_and_said_to_be() -> None:
    ranged = {"low": quantity(10, "%"), "high": quantity(15, "%")}
    record = chart(observation(code=code("Marrow plasma cells"), valueQuantity=gone, valueRange=ranged))
    assert (record.measurements, issue_codes(record)) == ((), {"unread-value"})


def test_a_coded_residual_disease_keeps_its_meaning() -> None:
    negative = {"coding": [{"system": LOINC, "code": "LA9634-2"}]}
    record = chart(observation(code=code("MRD"), valueQuantity=gone, valueCodeableConcept=negative))
    assert [m.text for m in record.measurements] == ["absent"]


def test_residual_disease_stays_as_charted_with_its_method() -> None:
    record = chart(
        observation(
            code=code("MRD"),
            valueQuantity=gone,
            valueString="Negative at 10^-5",
            method=code("Next-generation flow"),
        )
    )
    assert [m.text for m in record.measurements] == ["negative at 10^-5; next-generation flow"]


def test_from_the_resources_to_the_drug() -> None:
    """Light-chain disease in mg/dL, imaging in Italian: what a hospital sends, and what comes of it."""

    def measured(name: str, day: str, value: Any) -> dict[str, Any]:
        number = {"valueQuantity": value} if isinstance(value, dict) else {"valueString": value}
        changes = {"valueQuantity": gone, **number}
        return observation(
            id=f"{name}-{day}".replace(" ", "-"), code=code(name), effectiveDateTime=day, **changes
        )

    treatment = statement(status="active", effectivePeriod={"start": "2024-01-10"})
    resources = [
        person(),
        condition(),
        treatment,
        measured("Componente monoclonale", "2024-01-05", "assente"),
        *(measured("Catene leggere libere lambda", day, quantity(1, "mg/dL")) for day in ("2024-06-01", "2025-05-01", "2025-06-01")),
        measured("Catene leggere libere kappa", "2024-06-01", quantity(6, "mg/dL")),
        measured("Catene leggere libere kappa", "2025-05-01", quantity(16.1, "mg/dL")),
        measured("Catene leggere libere kappa", "2025-06-01", quantity(170, "mg/L")),
        measured("TC total body", "2024-01-05", "Lesioni litiche diffuse."),
        measured("TC total body", "2025-06-10", "Nuova lesione litica in L3. Nessuna frattura."),
    ]  # fmt: skip
    entries = [{"resource": resource} for resource in resources]
    found = assess({"resourceType": "Bundle", "type": "collection", "entry": entries}, as_of=AS_OF)
    drug = found["state"]["drugs"]["lenalidomide"]
    assert (drug["status"], drug["certainty"]) == ("refractory", "computed")
    assert found["state"]["lines_of_therapy"][0]["progression"] == "2025-05-01"
    told = {issue["code"]: issue["text"] for issue in found["issues"]}
    assert (
        "from 50 mg/L (2024-06-01) to 151 (2025-05-01), confirmed by 160 (2025-06-01)"
        in told["computed-progression"]
    )
    assert "a new lesion on imaging of 2025-06-10" in told["clinical-relapse-sign"]
