# ruff: noqa: E501 - a case a line, so that tables read as tables
"""Fitness, comorbidities and biology as hospitals chart them, read with the code lists as shipped."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import pytest

from cds_service.fhir.read import read
from cds_service.knowledge.load import load
from cds_service.record import ClinicalRecord
from cds_service.terminology import Terminology
from tests.fhir.charts import (
    AS_OF,
    CLIN,
    ICD,
    LOINC,
    SUBJECT,
    VER,
    coded,
    condition,
    gone,
    issue_codes,
    observation,
    procedure,
)

SNOMED, HGNC, SO = "http://snomed.info/sct", "http://www.genenames.org", "http://www.sequenceontology.org"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


@cache
def terminology() -> Terminology:
    return Terminology(load())


def chart(*resources: Any, **how: Any) -> ClinicalRecord:
    return read(resources, terminology(), **{"as_of": AS_OF, "patient_id": "p1", **how})


def asked(question: str | dict[str, Any], answer: Any, **more: Any) -> dict[str, Any]:
    """An observation: a text or concept as the question; a text, number, yes/no or concept as the answer."""
    code = {"text": question} if isinstance(question, str) else question
    if isinstance(answer, bool):
        value: dict[str, Any] = {"valueBoolean": answer}
    elif isinstance(answer, int):
        value = {"valueInteger": answer}
    elif isinstance(answer, str):
        value = {"valueString": answer}
    else:
        value = {"valueCodeableConcept": answer}
    return observation(**{"code": code, "valueQuantity": gone, **value, **more})


def comorbidities(record: ClinicalRecord) -> list[str]:
    """ "heart-failure NYHA-III", "no copd"."""
    return [
        f"{'' if c.present else 'no '}{c.concept}{' ' + c.severity if c.severity else ''}"
        for c in record.comorbidities
    ]


# ---- comorbidities: there, not there, not said


@pytest.mark.parametrize(
    ("changes", "read_as"),
    [
        ({"code": {"text": "Heart failure NYHA III"}}, ["heart-failure NYHA-III"]),
        ({"code": {"text": "Scompenso cardiaco, classe NYHA II"}}, ["heart-failure NYHA-II"]),
        ({"code": {"text": "Neuropatia periferica G2"}}, ["peripheral-neuropathy grade-2"]),
        ({"code": {"text": "BPCO"}}, ["copd"]),
        ({"code": {"text": "Cheratopatia"}}, ["corneal-disease"]),
        ({"code": {"text": "In emodialisi dal 2024"}}, ["dialysis"]),
        ({"code": {"text": "Malattia extramidollare epatica"}}, ["extramedullary-disease"]),
        ({"code": {"text": "Hepatitis B"}, "verificationStatus": coded("refuted", VER)}, ["no hepatitis-b"]),
        ({"code": {"text": "Heart failure, unspecified"}, "verificationStatus": coded("refuted", VER)}, ["no heart-failure"]),
        ({"code": {"text": "Scompenso cardiaco"}, "verificationStatus": coded("refuted", VER)}, ["no heart-failure"]),
        ({"code": {"text": "Diastolic heart failure"}, "verificationStatus": coded("refuted", VER)}, []),
        ({"code": {"text": "Chronic kidney disease stage 4"}, "verificationStatus": coded("refuted", VER)}, []),
        ({"code": {"text": "No heart failure"}, "verificationStatus": coded("refuted", VER)}, []),
        ({"code": {"text": "Heart failure"}, "verificationStatus": coded("entered-in-error", VER)}, []),
        ({"code": {"text": "No history of heart failure, neuropathy or COPD"}}, ["no copd", "no heart-failure", "no peripheral-neuropathy"]),
        ({"code": {"text": "Nega BPCO"}}, ["no copd"]),
        ({"code": {"text": "HIV negative"}}, ["no hiv"]),
        ({"code": {"text": "No heart failure"}, "verificationStatus": coded("provisional", VER)}, []),
        ({"code": {"text": "No heart failure"}, "recordedDate": "2026-06-01"}, []),
        ({"code": {"text": "No known problems"}}, []),
        ({"code": {"text": "Mother with heart failure"}}, []),
        ({"code": {"text": "Familiarità per cardiopatia ischemica"}}, []),
        ({"code": {"text": "Acute myocardial infarction"}, "onsetDateTime": "2025-09"}, ["myocardial-infarction"]),
        ({"code": {"text": "Pregresso infarto miocardico"}}, ["ischemic-heart-disease"]),
        ({"code": coded("I21.4", "http://hl7.org/fhir/sid/icd-10-cm")}, ["myocardial-infarction"]),
        ({"code": coded("I25.2", "http://hl7.org/fhir/sid/icd-10-cm")}, ["ischemic-heart-disease"]),
    ],
)  # fmt: skip
def test_a_condition(changes: dict[str, Any], read_as: list[str]) -> None:
    assert sorted(comorbidities(chart(condition(**changes)))) == sorted(read_as)


def test_a_code_that_its_words_deny_is_taken_and_told() -> None:
    entry = condition(code=coded("I50.9", "http://hl7.org/fhir/sid/icd-10-cm", "No heart failure"))
    record = chart(entry)
    assert comorbidities(record) == ["heart-failure"]
    assert "conflicting-text" in issue_codes(record)


@pytest.mark.parametrize(
    ("question", "answer", "read_as"),
    [
        ("Peripheral neuropathy CTCAE grade", 2, ["peripheral-neuropathy grade-2"]),
        ("Peripheral neuropathy CTCAE grade", 0, ["no peripheral-neuropathy"]),
        ("Neuropatia periferica grado", "3", ["peripheral-neuropathy grade-3"]),
        ("History of heart failure", False, ["no heart-failure"]),
        ("History of heart failure", True, ["heart-failure"]),
        ("BPCO", "assente", ["no copd"]),
        ("COPD", coded("LA9634-2", LOINC), ["no copd"]),
        ("COPD", coded("LA9633-4", LOINC), ["copd"]),
        ("Neuropathy", coded("260415000", SNOMED), ["no peripheral-neuropathy"]),
        (coded("88020-3", LOINC), "Class III", ["heart-failure NYHA-III"]),
        ("History of pneumonia", True, []),  # an infection that is over
        ("PET/CT", "Soft-tissue plasmacytoma of the chest wall, 4 cm.", ["extramedullary-disease"]),
        ("PET/TC", "Nessuna evidenza di malattia extramidollare.", ["no extramedullary-disease"]),
        ("Biopsy", "Soft tissue plasmacytoma", ["extramedullary-disease"]),
        ("FISH", "del(17p) in plasma cells of an extramedullary lesion", ["extramedullary-disease"]),
        ("Disease status", "Extramedullary relapse", ["extramedullary-disease"]),
        ("MRI spine", "Sospetto plasmocitoma dei tessuti molli", []),
        ("Neuropathy", "see letter", []),
    ],
)
def test_an_observation_that_asks_for_a_comorbidity(question: Any, answer: Any, read_as: list[str]) -> None:
    record = chart(asked(question, answer))
    assert comorbidities(record) == read_as
    assert all(str(one.assessed) == "2025-05-01" for one in record.comorbidities)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "entered-in-error"},
        {"status": "cancelled"},
        {"effectiveDateTime": "2026-02-01"},
        {"valueString": gone, "dataAbsentReason": coded("not-asked")},
        {"valueString": ["grade 3"], "effectiveDateTime": {"start": 3}},
        {"code": {"text": 17}},
    ],
)
def test_an_observation_that_says_nothing_of_a_comorbidity(changes: dict[str, Any]) -> None:
    record = chart(asked("Neuropathy CTCAE grade", "3", **changes))
    assert [c for c in record.comorbidities if c.assessed] == []


# ---- cytogenetics


def markers(record: ClinicalRecord) -> dict[str, str]:
    return {m.concept: m.text for m in record.measurements}


@pytest.mark.parametrize(
    ("question", "answer", "read_as"),
    [
        ("FISH", "del(17p) in 60 % of plasma cells", {"del17p": "present"}),
        ("FISH", "t(4;14) negative, gain 1q21 (3 copies)", {"t-4-14": "absent", "gain-amp-1q21": "present"}),
        ("FISH", "Nessuna delezione 17p", {"del17p": "absent"}),
        ("FISH su plasmacellule", "delezione 17p presente nel 45% delle cellule; t(4;14) assente", {"del17p": "present", "t-4-14": "absent"}),
        ("FISH", "Negativo per t(4;14), t(14;16) e del(17p)", {"t-4-14": "absent", "t-14-16": "absent", "del17p": "absent"}),
        ("FISH", "t(11;14)(q13;q32)", {"t-11-14": "present"}),
        ("FISH", "t(11;14) ?", {}),
        ("FISH", "t(11;14) -", {}),
        ("FISH", "del(17p), t(4;14), t(14;16)", {}),  # found, or looked for?
        ("FISH", "del(17p) 0 %", {"del17p": "absent"}),
        ("FISH", "del(17p) negative (cut-off 10 %)", {"del17p": "absent"}),
        ("FISH", "del(17p) 3 % of cells, below the cut-off", {"del17p": "present"}),
        ("del(17p)", "3 % of cells, below the cut-off", {}),
        ("FISH", "del(17p) not performed", {}),
        ("del(17p)", "not performed", {}),
        ("del(17p)", "no result: insufficient plasma cells", {}),
        ("del(17p)", "non eseguita", {}),
        ("del(17p)", "nessun risultato, materiale inadeguato", {}),
        ("t(4;14)", "equivocal", {}),
        ("t(4;14)", "no", {"t-4-14": "absent"}),
        ("gain 1q21", "4 copies in 80% of cells", {"gain-amp-1q21": "present"}),
        ("gain 1q21", "2 copies", {"gain-amp-1q21": "absent"}),
        ("guadagno 1q", "3 copie", {"gain-amp-1q21": "present"}),
        ("del(17p)", coded("LA9633-4", LOINC), {"del17p": "present"}),
        ("del(17p)", coded("LA9634-2", LOINC), {"del17p": "absent"}),
        ("t(11;14)", coded("10828004", SNOMED), {"t-11-14": "present"}),
        ("t(11;14)", coded("260385009", SNOMED), {"t-11-14": "absent"}),
        ("t(14;16)", coded("260415000", SNOMED), {"t-14-16": "absent"}),
        ("t(14;16)", True, {"t-14-16": "present"}),
        (coded("50659-2", LOINC), "Positive for t(14;16). No evidence of del(17p).", {"t-14-16": "present", "del17p": "absent"}),
    ],
)  # fmt: skip
def test_cytogenetics(question: Any, answer: Any, read_as: dict[str, str]) -> None:
    assert markers(chart(asked(question, answer))) == read_as


@pytest.mark.parametrize(
    ("share", "unit", "says"),
    [(60, "%", {"del17p": "present"}), (0, "%", {"del17p": "absent"}), (60, "mg/dL", {})],
)
def test_a_share_of_cells(share: float, unit: str, says: dict[str, str]) -> None:
    answer = observation(code={"text": "del(17p)"}, valueQuantity={"value": share, "unit": unit})
    assert markers(chart(answer)) == says


def test_the_laboratory_s_own_word_goes_before_its_number() -> None:
    answer = observation(
        code={"text": "del(17p)"},
        valueQuantity={"value": 4, "unit": "%"},
        interpretation=[coded("NEG", INTERPRETATION, "Negative")],
    )
    assert markers(chart(answer)) == {"del17p": "absent"}


def variant(answer: Any, *components: tuple[Any, Any]) -> dict[str, Any]:
    """A genomics-reporting variant: components as (question, answer) pairs, each a coded concept or words."""
    parts = []
    for question, value in components:
        held = (
            {"valueCodeableConcept": value}
            if isinstance(value, dict)
            else {"valueQuantity": {"value": value, "unit": "1"}}
            if isinstance(value, int)
            else {"valueString": value}
        )
        parts.append({"code": question, **held})
    return asked(coded("69548-6", LOINC), answer, component=parts)


GENE, PLACE, CHANGE, COPIES = (coded(c, LOINC) for c in ("48018-6", "48001-2", "48019-4", "82155-3"))
PRESENT, ABSENT = coded("LA9633-4", LOINC), coded("LA9634-2", LOINC)
TP53, CKS1B = coded("HGNC:11998", HGNC), coded("HGNC:19083", HGNC)
LOSS, GAIN, DELETION = (coded(c, SO) for c in ("SO:0001743", "SO:0001742", "SO:0000159"))


@pytest.mark.parametrize(
    ("case", "resource", "read_as"),
    [
        ("TP53 deleted", variant(PRESENT, (GENE, TP53), (CHANGE, DELETION)), {"del17p": "present"}),
        ("TP53 lost", variant(PRESENT, (GENE, TP53), (CHANGE, LOSS)), {"del17p": "present"}),
        ("TP53 looked at, not deleted", variant(ABSENT, (GENE, TP53), (CHANGE, DELETION)), {"del17p": "absent"}),
        ("17p13 deleted, no gene named", variant(PRESENT, (PLACE, "17p13.1"), (CHANGE, DELETION)), {"del17p": "present"}),
        ("1q21 gained", variant(PRESENT, (PLACE, {"text": "1q21.3"}), (CHANGE, GAIN)), {"gain-amp-1q21": "present"}),
        ("CKS1B, three copies", variant(PRESENT, (GENE, CKS1B), (COPIES, 3)), {"gain-amp-1q21": "present"}),
        ("CKS1B, two copies", variant(PRESENT, (GENE, CKS1B), (COPIES, 2)), {}),
        ("TP53 alone may be mutated", variant(PRESENT, (GENE, TP53)), {}),
        ("a variant without an answer", variant({"text": "see report"}, (GENE, TP53), (CHANGE, DELETION)), {}),
    ],
)  # fmt: skip
def test_genomics_reporting(case: str, resource: dict[str, Any], read_as: dict[str, str]) -> None:
    assert markers(chart(resource)) == read_as


def test_a_panel_with_components_in_words_and_codes() -> None:
    panel = asked(
        {"text": "FISH panel"},
        "see components",
        component=[
            {"code": {"text": "del(17p)"}, "valueCodeableConcept": coded("260415000", SNOMED)},
            {"code": {"text": "t(4;14)"}, "valueCodeableConcept": PRESENT},
            {"code": {"text": "gain(1q)"}, "valueQuantity": {"value": 35, "unit": "%"}},
            {"code": {"text": "t(14;16)"}, "dataAbsentReason": coded("not-performed")},
        ],
    )
    assert markers(chart(panel)) == {"del17p": "absent", "t-4-14": "present", "gain-amp-1q21": "present"}


# ---- scores, serology, values


@pytest.mark.parametrize(
    ("question", "answer", "read_as"),
    [
        (coded("89243-0", LOINC), 70, {"karnofsky": 70}),
        ("Karnofsky", "80 %", {"karnofsky": 80}),
        ("Indice di Karnofsky", "70", {"karnofsky": 70}),
        ("Katz ADL", 4, {"adl-score": 4}),
        ("ADL (Katz)", "5/6", {"adl-score": 5}),
        ("ADL", "5/10", {}),  # of another scale
        ("IADL", 5, {"iadl-score": 5}),
        ("Indice di Charlson", 2, {"charlson-index": 2}),
        ("Age-adjusted Charlson", 6, {}),
        ("Barthel index", 85, {}),
        ("ADL", 85, {}),  # no Katz index
        ("Clinical Frailty Scale", 6, {"clinical-frailty-scale": 6}),
        (coded("56888-1", LOINC), coded("131194007", SNOMED), {"hiv-antigen-antibody": "negative"}),
        ("HIV Ag/Ab", "Non reattivo", {"hiv-antigen-antibody": "negative"}),
        ("HBsAg", "negativo", {"hbsag": "negative"}),
        ("HBV DNA", "non rilevato", {"hbv-dna": "absent"}),
        ("Anti-HBc", "POS", {"anti-hbc-total": "positive"}),
        ("Frailty", "frail", {"geriatric-assessment": "frail"}),
        ("Valutazione geriatrica", "fragile", {"geriatric-assessment": "frail"}),
    ],
)
def test_scores_and_serology(question: Any, answer: Any, read_as: dict[str, Any]) -> None:
    found = chart(asked(question, answer)).measurements
    assert {m.concept: m.text if m.value is None else m.value for m in found} == read_as


@pytest.mark.parametrize(
    ("value", "read_as", "issue"),
    [
        ({"valueQuantity": {"value": 150, "unit": "umol/L"}}, ["1.7 mg/dL"], ""),
        ({"valueQuantity": {"value": 150, "code": "umol/L", "system": "http://unitsofmeasure.org"}}, ["1.7 mg/dL"], ""),
        ({"valueQuantity": {"value": 150, "unit": "parts"}}, [], "unknown-unit"),
        ({"valueQuantity": {"value": 150}}, [], "unknown-unit"),
        ({"valueRange": {"low": {"value": 1, "unit": "mg/dL"}, "high": {"value": 2, "unit": "mg/dL"}}}, [], "unread-value"),
        ({"valueRange": {"low": {"value": 3, "unit": "mg/dL"}}}, [">= 3 mg/dL"], ""),
        ({"valueRange": {"high": {"value": 2, "unit": "mg/dL"}}}, ["<= 2 mg/dL"], ""),
        ({"valueRange": {}}, [], ""),
        ({"valueRatio": {"numerator": {"value": 2, "unit": "mg"}, "denominator": {"value": 1, "unit": "dL"}}}, ["2 mg/dL"], ""),
        ({"valueRatio": {"numerator": {"value": 2, "unit": "mg"}, "denominator": {"value": 0, "unit": "dL"}}}, [], ""),
        ({"dataAbsentReason": coded("not-performed")}, [], ""),
        ({"valueQuantity": "1.2 mg/dL"}, [], None),
        ({"valueTime": "10:00"}, [], ""),
    ],
)  # fmt: skip
def test_how_a_creatinine_may_be_written(
    value: dict[str, Any], read_as: list[str], issue: str | None
) -> None:
    code = coded("2160-0", LOINC)
    record = chart(observation(**{"code": code, "valueQuantity": gone, **value}))
    found = [
        f"{m.text + ' ' if m.text else ''}{m.value:.3g} {m.unit}" for m in record.measurements if m.value
    ]
    assert found == read_as
    if issue is not None:
        assert (issue in issue_codes(record)) if issue else not issue_codes(record)


@pytest.mark.parametrize("status", ["preliminary", "corrected", "amended", "registered"])
def test_what_a_laboratory_may_still_correct_counts(status: str) -> None:
    code = coded("2160-0", LOINC)
    record = chart(observation(code=code, status=status, valueQuantity={"value": 1, "unit": "mg/dL"}))
    assert [m.value for m in record.measurements] == [1]


def test_a_resolved_comorbidity_is_known_and_over() -> None:
    over = condition(code={"text": "Neuropathy"}, clinicalStatus=coded("resolved", CLIN))
    (fact,) = chart(over).comorbidities
    assert (fact.present, fact.active) == (True, False)


def test_a_day_before_anything_was_known() -> None:
    assert chart(asked("COPD", "yes"), as_of=date(2025, 4, 30)).comorbidities == ()


# ---- extramedullary disease beside the diagnosis and in procedures


@pytest.mark.parametrize(
    ("resource", "read_as"),
    [
        (condition(code=coded("C90.20", ICD)), ["extramedullary-disease"]),
        (condition(code={"text": "Multiple myeloma with extramedullary disease of the liver"}), ["extramedullary-disease"]),
        (condition(code=coded("C90.02", ICD, "Recidiva extramidollare di mieloma multiplo")), ["extramedullary-disease"]),
        (condition(code=coded("C90.00", ICD, "Multiple myeloma, no extramedullary disease")), []),
        (condition(code=coded("C90.20", ICD), verificationStatus=coded("provisional", VER)), []),
        (condition(code=coded("C90.00", ICD)), []),
        (procedure(code={"text": "Biopsy: soft tissue plasmacytoma of the chest wall"}), ["extramedullary-disease"]),
        (procedure(code={"text": "Biopsia epatica"}, outcome={"text": "plasmocitoma extramidollare"}), ["extramedullary-disease"]),
        (procedure(code={"text": "Biopsy"}, note=[{"text": "No extramedullary disease."}]), ["no extramedullary-disease"]),
        (procedure(code={"text": "Biopsy of suspected soft tissue plasmacytoma"}), []),
        (procedure(code={"text": "Biopsy: soft tissue plasmacytoma"}, status="not-done"), []),
        (procedure(code={"text": "Biopsy: soft tissue plasmacytoma"}, performedDateTime="2026-05-01"), []),
    ],
)  # fmt: skip
def test_extramedullary_disease(resource: dict[str, Any], read_as: list[str]) -> None:
    assert comorbidities(chart(resource)) == read_as


def test_procedures_that_end_the_possibility_of_a_pregnancy() -> None:
    record = chart(
        procedure(code={"text": "Isterectomia totale"}), procedure(id="x2", code=coded("236886002", SNOMED))
    )
    assert [one.kind for one in record.procedures] == ["uterus-or-ovaries-removed"] * 2


# ---- allergies


@pytest.mark.parametrize(
    ("changes", "drugs"),
    [
        ({"code": {"text": "Bortezomib"}}, {"bortezomib"}),
        ({"code": {"text": "Allergia a lenalidomide"}}, {"lenalidomide"}),
        ({"code": {"text": "Proteasome inhibitors"}}, {"bortezomib", "carfilzomib", "ixazomib"}),
        ({"code": {"text": "Allergy to proteasome inhibitors"}}, {"bortezomib", "carfilzomib", "ixazomib"}),
        (
            {"code": {"text": "Allergia agli inibitori del proteasoma"}},
            {"bortezomib", "carfilzomib", "ixazomib"},
        ),
        ({"code": {"text": "Anti-CD38 antibodies"}}, {"daratumumab", "isatuximab"}),
        ({"code": {"text": "No allergy to proteasome inhibitors"}}, set()),
        ({"code": {"text": "No known drug allergy"}}, set()),
        ({"code": {"text": "Nessuna allergia a farmaci nota"}}, set()),
        ({"code": {"text": "Nessuna allergia a bortezomib"}}, set()),
        ({"code": coded("409137002", SNOMED, "No known drug allergy")}, set()),
        ({"code": coded("716186003", SNOMED)}, set()),
        ({"code": {"text": "Bortezomib"}, "verificationStatus": coded("refuted", VER)}, set()),
        ({"code": {"text": "Bortezomib"}, "verificationStatus": coded("entered-in-error", VER)}, set()),
        ({"code": {"text": "Penicillin"}}, set()),
        ({"code": "bortezomib"}, None),
    ],
)
def test_allergies(changes: dict[str, Any], drugs: set[str] | None) -> None:
    entry = {"resourceType": "AllergyIntolerance", "id": "al1", "patient": SUBJECT, **changes}
    found = {one.drug for one in chart(entry).allergies}
    assert drugs is None or found >= drugs
    assert drugs is None or drugs or not found
