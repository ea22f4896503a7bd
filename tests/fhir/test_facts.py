# ruff: noqa: E501 - a case a line, so that tables read as tables
"""Diagnoses, responses, measurements, procedures, allergies, the patient. As of 21 November 2025."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cds_service.record import Response
from tests.fhir.charts import (
    CLIN,
    ICD,
    LOINC,
    M_PROTEIN,
    MYELOMA,
    RESPONSE,
    SUBJECT,
    VER,
    chart,
    coded,
    condition,
    gone,
    issue_codes,
    observation,
    person,
    procedure,
    told,
)

# ---- diagnoses


@pytest.mark.parametrize(
    ("clinical", "code", "text", "status"),
    [
        ("active", "C90.00", "", "active"),
        ("active", "C90.02", "", "relapse"),
        ("active", "C90.00", "first relapse", "relapse"),
        ("relapse", "C90.00", "", "relapse"),
        ("recurrence", "C90.00", "", "relapse"),
        ("remission", "C90.00", "", "remission"),
        ("remission", "C90.02", "", "remission"),
        ("resolved", "C90.02", "", "history"),
        ("inactive", "C90.00", "", "history"),
        ("", "C90.02", "", "relapse"),
        ("", "C90.00", "", "unknown"),
    ],
)
def test_where_the_disease_stands(clinical: str, code: str, text: str, status: str) -> None:
    stated = coded(clinical, CLIN) if clinical else gone
    record = chart(condition(clinicalStatus=stated, code=coded(code, ICD, text)))
    assert [one.status for one in record.diagnoses] == [status]


@pytest.mark.parametrize(
    ("verification", "provisional"),
    [
        (coded("confirmed", VER), False),
        (coded("provisional", VER), True),
        (coded("differential", VER), True),
        (coded("unconfirmed", VER), True),
        ({"text": "Unconfirmed"}, True),
        ("provisional", True),
        (gone, False),
    ],
)
def test_how_sure_the_diagnosis_is(verification: Any, provisional: bool) -> None:
    assert chart(condition(verificationStatus=verification)).diagnoses[0].provisional is provisional


@pytest.mark.parametrize("verification", ["refuted", "entered-in-error"])
def test_a_refuted_diagnosis_is_none(verification: str) -> None:
    record = chart(condition(verificationStatus=coded(verification, VER)))
    assert (record.diagnoses, record.left_out) == ((), {verification: 1})


def test_a_diagnosis_whose_words_exclude_it_is_not_taken_as_one() -> None:
    record = chart(condition(code={**MYELOMA, "text": "Multiple myeloma - ruled out"}))
    assert record.diagnoses[0].provisional
    assert "doubtful-diagnosis" in issue_codes(record)


@pytest.mark.parametrize(
    ("words", "own"),
    [
        ("Family history of multiple myeloma", False),
        ("Myeloma in her mother", False),
        ("Multiple myeloma, followed at Ospedale Padre Pio", True),
    ],
)
def test_a_relative_is_not_the_patient(words: str, own: bool) -> None:
    assert bool(chart(condition(code={"text": words})).diagnoses) is own


@pytest.mark.parametrize(
    ("changes", "onset"),
    [
        ({"onsetDateTime": "2023-05"}, "2023-05"),
        ({"onsetDateTime": gone, "onsetPeriod": {"start": "2023-05-02"}}, "2023-05-02"),
        ({"onsetDateTime": gone, "onsetString": "2023"}, "2023"),
        ({"onsetDateTime": gone, "onsetString": "some years ago"}, "None"),
        ({"onsetDateTime": gone, "onsetAge": {"value": 72, "code": "a"}}, "2023-04-02/2024-04-02"),
        ({"onsetDateTime": gone}, "None"),
    ],
)
def test_when_the_disease_began(changes: dict[str, Any], onset: str) -> None:
    record = chart(person(), condition(**changes))
    assert str(record.diagnoses[0].onset) == onset


@pytest.mark.parametrize(
    ("onset", "recorded", "known"),
    [
        ("2024-05-01", "2024-05-03", True),
        ("2024-05-01", "2024-07-01", True),  # it was there, though written down later
        ("2024-07-01", "2024-07-01", False),
        (gone, "2024-07-01", False),
        (gone, "2024-05-01", True),
        ("2024", gone, True),
    ],
)
def test_what_was_known_of_a_diagnosis_on_1_june_2024(onset: Any, recorded: Any, known: bool) -> None:
    record = chart(condition(onsetDateTime=onset, recordedDate=recorded), as_of=date(2024, 6, 1))
    assert bool(record.diagnoses) is known
    assert record.left_out == ({} if known else {"future": 1})


def test_a_diagnosis_in_no_readable_form_is_an_issue() -> None:
    record = chart(condition(code=4711))
    assert (record.diagnoses, issue_codes(record)) == ((), {"unreadable-resource", "repaired"})
    assert record.completeness["conditions"] == "partial"


def test_a_suspicion_without_a_verification_status_is_provisional() -> None:
    suspected = condition(code={"text": "Suspected multiple myeloma"}, verificationStatus=gone)
    assert chart(suspected).diagnoses[0].provisional


def test_an_end_without_a_date_is_an_end() -> None:
    over = condition(clinicalStatus=gone, onsetDateTime="2020-01-01", abatementString="years ago")
    assert chart(over).diagnoses[0].status == "history"


def test_a_disease_resolved_after_the_evaluation_date_is_still_active_then() -> None:
    resolved = condition(clinicalStatus=coded("resolved", CLIN), abatementDateTime="2025-01-01")
    assert chart(resolved).diagnoses[0].status == "history"
    assert chart(resolved, as_of=date(2024, 6, 1)).diagnoses[0].status == "active"


# ---- comorbidities


@pytest.mark.parametrize(
    ("changes", "severity", "active"),
    [
        ({"code": {"text": "neuropathy"}}, "", True),
        ({"code": {"text": "Polyneuropathy CTCAE grade 3"}}, "grade-3", True),
        ({"code": {"text": "neuropathy"}, "severity": {"text": "severe"}}, "severe", True),
        ({"code": {"text": "neuropathy"}, "stage": [{"summary": {"text": "grade 2"}}]}, "grade-2", True),
        ({"code": {"text": "neuropathy"}, "note": [{"text": "grade 2 since May"}]}, "grade-2", True),
        ({"code": {"text": "neuropathy"}, "clinicalStatus": coded("resolved", CLIN)}, "", False),
        ({"code": {"text": "neuropathy"}, "clinicalStatus": coded("remission", CLIN)}, "", False),
        (
            {"code": {"text": "neuropathy"}, "clinicalStatus": gone, "abatementDateTime": "2025-01-01"},
            "",
            False,
        ),
        ({"code": {"text": "neuropathy"}, "clinicalStatus": gone}, "", True),
    ],
)
def test_a_comorbidity(changes: dict[str, Any], severity: str, active: bool) -> None:
    found = chart(condition(**changes)).comorbidities
    assert [(one.concept, one.severity, one.active) for one in found] == [
        ("peripheral-neuropathy", severity, active)
    ]


# ---- responses


@pytest.mark.parametrize(
    ("changes", "category", "progression"),
    [
        ({"valueCodeableConcept": {"text": "Disease progression"}}, Response.PD, True),
        ({"valueString": "VGPR"}, Response.VGPR, False),
        ({"valueString": "VGPR", "status": "preliminary"}, Response.VGPR, False),
        ({"interpretation": [{"text": "VGPR"}]}, Response.VGPR, False),
        (
            {"component": [{"code": RESPONSE, "valueString": "VGPR"}], "code": {"text": "panel"}},
            Response.VGPR,
            False,
        ),
    ],
)
def test_a_response(changes: dict[str, Any], category: Response, progression: bool) -> None:
    record = chart(observation(**{"code": RESPONSE, "valueQuantity": gone, **changes}))
    assert [(one.category, one.progression) for one in record.responses] == [(category, progression)]


def test_a_response_nobody_understands_is_an_issue() -> None:
    record = chart(observation(code=RESPONSE, valueQuantity=gone, valueString="as discussed"))
    assert (record.responses, issue_codes(record)) == ((), {"unmapped-code"})


def test_a_response_that_could_not_be_assessed_is_nothing() -> None:
    absent = observation(code=RESPONSE, valueQuantity=gone, dataAbsentReason=coded("unknown"))
    assert (chart(absent).responses, chart(absent).issues) == ((), ())


# ---- measurements

ECOG = coded("89247-1", LOINC)


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        ({}, ["m-protein-serum 2 g/dL 2025-05-01"]),
        ({"valueQuantity": {"value": 2, "code": "g/dL"}}, ["m-protein-serum 2 g/dL 2025-05-01"]),
        ({"valueQuantity": {"value": 2, "code": "g/dL", "unit": "grams"}}, ["m-protein-serum 2 g/dL 2025-05-01"]),
        ({"valueQuantity": {"value": 0.1, "comparator": "<", "unit": "g/dL"}}, ["m-protein-serum 0.1 g/dL < 2025-05-01"]),
        ({"valueQuantity": gone, "valueString": "1,4 g/dL"}, ["m-protein-serum 1.4 g/dL 2025-05-01"]),
        ({"valueQuantity": gone, "valueString": "<0.1 g/dl"}, ["m-protein-serum 0.1 g/dL < 2025-05-01"]),
        ({"valueQuantity": gone, "dataAbsentReason": coded("not-performed")}, []),
        ({"valueQuantity": {"unit": "g/dL"}}, []),
        ({"effectiveDateTime": gone, "effectivePeriod": {"start": "2025-04-30", "end": "2025-05-01"}}, ["m-protein-serum 2 g/dL 2025-05-01"]),
        ({"effectiveDateTime": gone, "effectiveInstant": "2025-05-01T10:00:00Z"}, ["m-protein-serum 2 g/dL 2025-05-01"]),
        ({"effectiveDateTime": gone, "issued": "2025-05-03T10:00:00Z"}, ["m-protein-serum 2 g/dL 2025-05-03"]),
        ({"effectiveDateTime": gone}, ["m-protein-serum 2 g/dL ?"]),
        ({"effectiveDateTime": "2025-12-01"}, []),
        ({"status": "entered-in-error"}, []),
        ({"status": "cancelled"}, []),
        ({"status": "amended"}, ["m-protein-serum 2 g/dL 2025-05-01"]),
        ({"valueQuantity": gone, "valueString": 2}, []),
        ({"effectiveDateTime": gone, "effectiveTiming": {"event": ["2025-04-01", "2025-05-01"]}}, ["m-protein-serum 2 g/dL 2025-05-01"]),
        ({"code": ECOG, "valueQuantity": gone, "valueInteger": 1}, ["ecog 1 2025-05-01"]),
        ({"code": ECOG, "valueQuantity": {"value": 2, "code": "{score}"}}, ["ecog 2 2025-05-01"]),
        ({"code": ECOG, "valueQuantity": gone, "valueCodeableConcept": {"text": "ECOG 1"}}, ["ecog 1 2025-05-01"]),
        ({"code": ECOG, "valueQuantity": gone, "valueString": "1"}, ["ecog 1 2025-05-01"]),
        ({"code": coded("999"), "valueQuantity": gone, "valueString": "what we do not know"}, []),
    ],
)  # fmt: skip
def test_a_measurement(changes: dict[str, Any], read: list[str]) -> None:
    assert told(chart(observation(**changes))) == read


@pytest.mark.parametrize(
    ("quantity", "code"),
    [
        ({"value": 20, "unit": "furlong"}, "unknown-unit"),
        ({"value": 20}, "unknown-unit"),
        ({"value": 20, "code": "g/dL", "unit": "g/L"}, "unknown-unit"),
    ],
)
def test_a_number_in_no_known_unit_is_left_out(quantity: dict[str, Any], code: str) -> None:
    record = chart(observation(valueQuantity=quantity))
    assert (record.measurements, issue_codes(record)) == ((), {code})


def test_a_number_of_thousands_or_decimals_is_left_out() -> None:
    record = chart(observation(valueQuantity=gone, valueString="1.234 g/L"))
    assert (record.measurements, issue_codes(record)) == ((), {"ambiguous-number"})


@pytest.mark.parametrize(
    "answer",
    [
        {"valueQuantity": {"value": 1e300}},
        {"valueQuantity": {"value": -1}},
        {"valueQuantity": {"value": 7}},
        {"valueQuantity": {"value": 2.6}},
        {"valueInteger": 10**30},
        {"valueString": "-1"},
        {"valueString": "ECOG 7"},
        {"valueString": "status 7"},
    ],
)
def test_an_ecog_that_no_one_can_have_is_left_out(answer: dict[str, Any]) -> None:
    record = chart(observation(**{"valueQuantity": gone, **answer}, code=coded("89247-1", LOINC)))
    assert (record.measurements, issue_codes(record)) == ((), {"implausible-value"})


@pytest.mark.parametrize("score", [0, 1, 4, 5, "2", 3.0])
def test_an_ecog_from_0_to_5_is_read(score: Any) -> None:
    record = chart(observation(valueQuantity={"value": score}, code=coded("89247-1", LOINC)))
    assert [one.value for one in record.measurements] == [float(score)]
    assert "implausible-value" not in issue_codes(record)


def test_no_number_is_larger_than_anything_measured() -> None:
    pressure = observation(code=coded("8480-6", LOINC), valueQuantity={"value": 2e9, "unit": "mm[Hg]"})
    assert issue_codes(chart(pressure)) == {"implausible-value"}


def test_blood_pressure_in_components() -> None:
    pressure = observation(
        code=coded("85354-9", LOINC),
        valueQuantity=gone,
        component=[
            {"code": coded("8480-6", LOINC), "valueQuantity": {"value": 150, "unit": "mm[Hg]"}},
            {"code": coded("8462-4", LOINC), "valueQuantity": {"value": 90, "unit": "mm[Hg]"}},
        ],
    )
    assert told(chart(pressure)) == ["bp-diastolic 90 mm[Hg] 2025-05-01", "bp-systolic 150 mm[Hg] 2025-05-01"]


@pytest.mark.parametrize(
    ("question", "answer", "read"),
    [
        ("del(17p)", "positive", {"del17p": "present"}),
        ("FISH t(4;14)", "not detected", {"t-4-14": "absent"}),
        ("t(11;14) by FISH", "present in 60% of cells", {"t-11-14": "present"}),
        ("Deletion of 17p", "negativo", {"del17p": "absent"}),
        (
            "FISH",
            "positive for t(11;14); negative for del(17p), t(4;14)",
            {"t-11-14": "present", "del17p": "absent", "t-4-14": "absent"},
        ),
        (
            "FISH",
            "gain(1q21) detected. No evidence of t(14;16)",
            {"gain-amp-1q21": "present", "t-14-16": "absent"},
        ),
        ("FISH", "amp1q positivo, del17p assente", {"gain-amp-1q21": "present", "del17p": "absent"}),
        ("FISH", "see the attached report on del(17p)", {}),
        ("del(17p)", "pending", {}),
    ],
)
def test_cytogenetics_in_words(question: str, answer: str, read: dict[str, str]) -> None:
    record = chart(observation(code={"text": question}, valueQuantity=gone, valueString=answer))
    assert {one.concept: one.text for one in record.measurements} == read


def test_cytogenetics_in_components() -> None:
    panel = observation(
        code=coded("69548-6", LOINC),
        valueQuantity=gone,
        component=[
            {"code": {"text": "del(17p)"}, "valueCodeableConcept": {"text": "Present"}},
            {"code": {"text": "t(4;14)"}, "valueBoolean": False},
        ],
    )
    assert told(chart(panel)) == ["del17p present 2025-05-01", "t-4-14 absent 2025-05-01"]


@pytest.mark.parametrize(
    ("change", "answer", "read"),
    [
        ("SO:0000159", "LA9633-4", ["del17p present 2025-05-01"]),
        ("SO:0000159", "LA9634-2", ["del17p absent 2025-05-01"]),
        ("SO:0001483", "LA9633-4", []),  # a mutation of the gene is not its deletion
    ],
)
def test_a_coded_variant_is_its_gene_and_its_change(change: str, answer: str, read: list[str]) -> None:
    variant = observation(
        code=coded("69548-6", LOINC),
        valueQuantity=gone,
        valueCodeableConcept=coded(answer, LOINC),
        component=[
            {"code": coded("48018-6", LOINC), "valueCodeableConcept": coded("HGNC:11998", "urn:hgnc")},
            {"code": coded("48019-4", LOINC), "valueCodeableConcept": coded(change, "urn:so")},
        ],
    )
    assert told(chart(variant)) == read


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        ("Positive", ["t-11-14 present 2025-05-01"]),
        ("not detected", ["t-11-14 absent 2025-05-01"]),
        ("?", []),
    ],
)
def test_a_marker_asked_for_by_its_code(answer: str, read: list[str]) -> None:
    asked = observation(code=coded("our-t1114"), valueQuantity=gone, valueCodeableConcept={"text": answer})
    assert told(chart(asked)) == read


# ---- procedures


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        ({}, ["autologous-sct 2024-09-01"]),
        ({"status": "in-progress"}, ["autologous-sct 2024-09-01"]),
        ({"status": "not-done"}, []),
        ({"status": "preparation"}, []),
        ({"status": "entered-in-error"}, []),
        ({"performedDateTime": "2026-01-10"}, []),
        ({"performedDateTime": gone, "occurrenceDateTime": "2024-09"}, ["autologous-sct 2024-09"]),
        (
            {"performedDateTime": gone, "performedPeriod": {"start": "2024-09-01", "end": "2024-09-03"}},
            ["autologous-sct 2024-09-01/2024-09-03"],
        ),
        ({"performedDateTime": gone, "performedString": "September"}, ["autologous-sct ?"]),
        ({"code": {"text": "Vertebroplasty"}}, []),
    ],
)
def test_a_procedure(changes: dict[str, Any], read: list[str]) -> None:
    assert told(chart(procedure(**changes))) == read


def test_the_product_of_a_cell_infusion_in_its_words() -> None:
    record = chart(procedure(code={"text": "CAR-T infusion"}, note=[{"text": "Carvykti"}]))
    assert [(one.kind, one.drug) for one in record.procedures] == [
        ("cart-infusion", "ciltacabtagene-autoleucel")
    ]


# ---- allergies


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        ({}, ["allergy lenalidomide"]),
        ({"type": "intolerance"}, ["intolerance lenalidomide"]),
        ({"type": coded("intolerance")}, ["intolerance lenalidomide"]),
        ({"type": "allergy"}, ["allergy lenalidomide"]),
        ({"verificationStatus": coded("unconfirmed", VER)}, ["allergy lenalidomide"]),
        ({"verificationStatus": coded("refuted", VER)}, []),
        ({"verificationStatus": coded("entered-in-error", VER)}, []),
        ({"clinicalStatus": coded("resolved", CLIN)}, []),
        ({"recordedDate": "2026-01-01"}, []),
        ({"code": {"text": "Penicillin"}}, []),
        ({"code": gone, "reaction": [{"substance": {"text": "lenalidomide"}}]}, ["allergy lenalidomide"]),
        ({"patient": {"reference": "Patient/p2"}}, []),
    ],
)
def test_an_allergy(changes: dict[str, Any], read: list[str]) -> None:
    allergy = {
        "resourceType": "AllergyIntolerance",
        "id": "al1",
        "patient": SUBJECT,
        "code": {"text": "lenalidomide"},
    }
    made = {key: value for key, value in {**allergy, **changes}.items() if value is not gone}
    assert told(chart(made)) == read


# ---- the patient


@pytest.mark.parametrize(
    ("changes", "sex", "birth", "deceased"),
    [
        ({}, "female", "1951-04-02", False),
        ({"gender": "M"}, "male", "1951-04-02", False),
        ({"gender": "divers"}, "", "1951-04-02", False),
        ({"birthDate": "1951"}, "female", "1951", False),
        ({"birthDate": "1951-04-02T00:00:00Z"}, "female", "1951-04-02", False),
        ({"birthDate": "12/09/1987"}, "female", "None", False),
        ({"deceasedBoolean": True}, "female", "1951-04-02", True),
        ({"deceasedBoolean": "true"}, "female", "1951-04-02", True),
        ({"deceasedBoolean": False}, "female", "1951-04-02", False),
        ({"deceasedDateTime": "2025-10-01"}, "female", "1951-04-02", True),
        ({"deceasedDateTime": "2026-10-01"}, "female", "1951-04-02", False),
        ({"deceasedDateTime": "0001-01-01T00:00:00"}, "female", "1951-04-02", False),
        ({"deceasedDateTime": "in spring"}, "female", "1951-04-02", True),
    ],
)
def test_the_patient(changes: dict[str, Any], sex: str, birth: str, deceased: bool) -> None:
    facts = chart(person(**changes)).patient
    assert (facts.id, facts.sex, str(facts.birth), facts.deceased) == ("p1", sex, birth, deceased)


def test_a_measurement_without_a_number_keeps_its_words() -> None:
    record = chart(observation(code=M_PROTEIN, valueQuantity=gone, valueCodeableConcept={"text": "Positive"}))
    assert [(one.value, one.text) for one in record.measurements] == [(None, "positive")]


@pytest.mark.parametrize("day", ["1949-12-31", "1951-04-01", "1951-03"])
def test_a_transplant_before_birth_has_no_date(day: str) -> None:
    record = chart(person(), procedure(performedDateTime=day))
    assert (told(record), issue_codes(record)) == (["autologous-sct ?"], {"unreadable-date"})
