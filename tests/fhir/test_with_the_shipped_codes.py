# ruff: noqa: E501 - a case a line, so that tables read as tables
"""The reader with the code lists as shipped: resources as hospitals write them, English and Italian."""

from __future__ import annotations

import json
import time
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cds_service.fhir.read import read, resources_of
from cds_service.knowledge.load import load
from cds_service.record import ClinicalRecord
from cds_service.terminology import Terminology
from tests.fhir.charts import AS_OF, LOINC, coded, condition, gone, observation, procedure, statement, told

RXNORM, ATC = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://www.whocc.no/atc"
SNOMED, ICD10CM = "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10-cm"
PATIENTS = sorted((Path(__file__).parents[1] / "patients").glob("*.json"))


@cache
def terminology() -> Terminology:
    return Terminology(load())


def chart(*resources: Any, **how: Any) -> ClinicalRecord:
    return read(resources, terminology(), **{"as_of": AS_OF, "patient_id": "p1", **how})


@pytest.mark.parametrize(
    ("concept", "drugs"),
    [
        (coded("342369", RXNORM), ["lenalidomide"]),
        (coded("402243", RXNORM), ["bortezomib"]),
        (coded("L01FC01", ATC), ["daratumumab"]),
        (coded("L01XC24", ATC), ["daratumumab"]),
        (coded("J9144", "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"), ["daratumumab"]),
        ({"text": "DARZALEX 1800 mg sol. iniett. s.c."}, ["daratumumab"]),
        ({"text": "Talidomide 100 mg"}, ["thalidomide"]),
        ({"text": "Soldesam 20 mg/sett"}, ["dexamethasone"]),
        ({"text": "VRd"}, ["bortezomib", "dexamethasone", "lenalidomide"]),
        ({"text": "Amoxicillina 1 g"}, []),
    ],
)
def test_drugs(concept: dict[str, Any], drugs: list[str]) -> None:
    assert [fact.drug for fact in chart(statement(medicationCodeableConcept=concept)).drugs] == drugs


@pytest.mark.parametrize(
    ("reason", "read"),
    [
        ({"text": "progressione"}, "progression"),
        ({"text": "PD"}, "progression"),
        (coded("419835002", SNOMED), "progression"),
        ({"text": "grade 3 peripheral neuropathy"}, "toxicity"),
        ({"text": "patient wish: treatment holiday while in VGPR"}, "choice"),
        (coded("182992009", SNOMED), "completion"),
    ],
)
def test_reasons_for_stopping(reason: dict[str, Any], read: str) -> None:
    assert chart(statement(status="stopped", statusReason=[reason])).drugs[0].stop_reason == read


@pytest.mark.parametrize(
    ("note", "read"),
    [
        ("Stopped for disease progression in May.", "progression"),
        ("Interrotto per progressione di malattia.", "progression"),
        ("Started after progression. Tolerated well.", "unknown"),
        ("8 cicli come da CASTOR", "unknown"),
        ("last capsule taken 1 June", "unknown"),
    ],
)
def test_a_stop_that_only_a_note_explains(note: str, read: str) -> None:
    assert chart(statement(status="stopped", note=[{"text": note}])).drugs[0].stop_reason == read


@pytest.mark.parametrize(
    ("code", "clinical", "read"),
    [
        (coded("C90.02", ICD10CM), "active", "multiple-myeloma relapse"),
        (coded("C90.01", ICD10CM), "active", "multiple-myeloma remission"),
        (coded("C90.00", ICD10CM, "Smoldering multiple myeloma"), "active", "smouldering-myeloma active"),
        (coded("109989006", SNOMED), "relapse", "multiple-myeloma relapse"),
        (coded("D47.2", ICD10CM), "active", "mgus active"),
        ({"text": "Mieloma multiplo IgG kappa"}, "active", "multiple-myeloma active"),
        ({"text": "Mieloma multiplo, recidiva"}, "active", "multiple-myeloma relapse"),
    ],
)
def test_diagnoses(code: dict[str, Any], clinical: str, read: str) -> None:
    found = chart(
        condition(
            code=code,
            clinicalStatus=coded(clinical, "http://terminology.hl7.org/CodeSystem/condition-clinical"),
        )
    )
    assert [f"{one.kind} {one.status}" for one in found.diagnoses] == [read]


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        ({"code": {"text": "Myeloma response (IMWG)"}, "valueString": "Stable disease (SD) dopo 4 cicli"}, "SD 2025-05-01"),
        ({"code": coded("97509-4", LOINC), "valueCodeableConcept": {"text": "Sustained CR"}}, "CR 2025-05-01"),
        ({"code": coded("97509-4", LOINC), "valueCodeableConcept": {"text": "Prima recidiva, fuori terapia"}}, "None 2025-05-01"),
        ({"code": coded("89247-1", LOINC), "valueInteger": 1}, "ecog 1 {score} 2025-05-01"),
        ({"code": coded("89247-1", LOINC), "valueCodeableConcept": {"text": "ECOG 2"}}, "ecog 2 {score} 2025-05-01"),
        ({"code": {"text": "t(11;14)"}, "valueCodeableConcept": coded("LA9633-4", LOINC)}, "t-11-14 present 2025-05-01"),
        ({"code": {"text": "FISH: del(17p)"}, "valueString": "negativo"}, "del17p absent 2025-05-01"),
        ({"valueQuantity": {"value": 41, "unit": "g/L"}}, "m-protein-serum 4.1 g/dL 2025-05-01"),
        ({"valueString": "1,4 g/dL"}, "m-protein-serum 1.4 g/dL 2025-05-01"),
    ],
)  # fmt: skip
def test_observations(changes: dict[str, Any], read: str) -> None:
    changes = {"valueQuantity": gone, **changes}
    assert told(chart(observation(**changes))) == [read]


def test_a_narrative_of_cytogenetics_in_the_shipped_words() -> None:
    report = observation(
        code=coded("50659-2", LOINC),
        valueQuantity=gone,
        valueString="Negative for del(17p) and t(4;14). t(11;14) detected in 45% of cells; gain(1q) not detected.",
    )
    assert {one.concept: one.text for one in chart(report).measurements} == {
        "del17p": "absent",
        "t-4-14": "absent",
        "t-11-14": "present",
        "gain-amp-1q21": "absent",
    }


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ({"text": "Autotrapianto di cellule staminali emopoietiche"}, "autologous-sct"),
        (coded("38241", "http://www.ama-assn.org/go/cpt"), "autologous-sct"),
        ({"text": "Raccolta di cellule staminali periferiche (aferesi)"}, "stem-cell-collection"),
    ],
)
def test_procedures(code: dict[str, Any], kind: str) -> None:
    assert [one.kind for one in chart(procedure(code=code)).procedures] == [kind]


def test_a_severe_comorbidity() -> None:
    neuropathy = coded("302226006", SNOMED, "Sensorimotor polyneuropathy CTCAE grade 3, persisting")
    found = chart(condition(code=neuropathy)).comorbidities
    assert [(one.concept, one.severity) for one in found] == [("peripheral-neuropathy", "grade-3")]


@pytest.mark.parametrize("path", PATIENTS, ids=lambda path: path.stem)
def test_every_test_patient_can_be_read_whole(path: Path) -> None:
    case = json.loads(path.read_text())
    if "bundle" not in case:
        pytest.skip("not a case")
    record = read(
        resources_of(case["bundle"]),
        terminology(),
        as_of=date.fromisoformat(case["as_of"]),
        patient_id=case.get("patient_id"),
        drafts=case.get("draft_orders") or (),
    )
    assert [issue.text for issue in record.issues if "could not be read (" in issue.text] == []


def test_reading_is_cheap() -> None:
    # The bound is five times what was measured, since test machines are shared.
    many = [
        observation(
            id=f"o{n}",
            valueQuantity={"value": n % 50, "unit": "g/L"},
            effectiveDateTime=f"20{n % 20:02d}-05-01",
        )
        for n in range(2000)
    ]
    chart(*many[:10])
    started = time.process_time()
    record = chart(*many)
    assert len(record.measurements) == 2000
    assert (time.process_time() - started) / 2000 < 500e-6
