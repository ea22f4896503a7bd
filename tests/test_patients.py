"""Whole patients: the expected state, suggestions and silence, typed by hand from the definitions.

``SHARED_PATIENTS=folder`` adds another folder of patient files in the same format.
"""

from __future__ import annotations

import importlib
import json
import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.expectations import (
    can_be_shifted,
    chart,
    find_misses,
    gist,
    misses,
    regions,
    shift_dates,
    shift_day,
    shuffled_and_doubled,
)

Patient = dict[str, Any]
HERE = Path(__file__).parent / "patients"


def load(folder: Path) -> list[Patient]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


PATIENTS = load(HERE)
OUTSIDE = load(Path(os.environ["SHARED_PATIENTS"])) if os.environ.get("SHARED_PATIENTS") else []
every_patient = pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient["id"])


def in_each_region(patients: list[Patient]) -> pytest.MarkDecorator:
    cases = [
        pytest.param(patient, region, id=f"{patient['id']}-{region}")
        for patient in patients
        for region in regions(patient)
    ]
    return pytest.mark.parametrize(("patient", "region"), cases)


def ask(
    patient: Patient, region: str, *, bundle: Patient | None = None, later: int = 0, **question: Any
) -> dict[str, Any]:
    """The assessment of a patient; ``later`` moves the day it is made on."""
    from cds_service.assess import assess

    return assess(
        bundle if bundle is not None else chart(patient),
        region=region,
        as_of=date.fromisoformat(patient["as_of"]) + timedelta(later),
        patient=patient["patient_id"],
        draft_orders=bool(patient.get("draft_orders")),
        **question,
    )


# The files themselves


def test_at_least_sixteen_patients_cover_what_was_promised() -> None:
    assert len(PATIENTS) >= 16
    assert {patient["region"] for patient in PATIENTS} == {"EMA", "FDA", "any"}
    assert {"patient-view", "order-sign"} <= {patient["hook"] for patient in PATIENTS}


def test_each_file_is_named_after_its_patient() -> None:
    assert sorted(path.stem for path in HERE.glob("*.json")) == [p["id"] for p in PATIENTS]


@every_patient
def test_every_resource_is_valid_fhir(patient: Patient) -> None:
    if not patient.get("valid", True):
        pytest.skip("dirty on purpose")
    package = "fhir.resources" if patient.get("fhir") == "R5" else "fhir.resources.R4B"
    for entry in chart(patient)["entry"]:
        resource = entry["resource"]
        kind = resource["resourceType"]
        model = getattr(importlib.import_module(f"{package}.{kind.lower()}"), kind)
        model.model_validate(resource)


def test_the_dirty_chart_is_dirty() -> None:
    (dirty,) = [patient for patient in PATIENTS if not patient.get("valid", True)]
    model = importlib.import_module("fhir.resources.R4B.condition").Condition
    with pytest.raises(ValueError, match="category"):
        model.model_validate(dirty["bundle"]["entry"][1]["resource"])


@every_patient
def test_references_and_ids_are_sound(patient: Patient) -> None:
    resources = [entry["resource"] for entry in chart(patient)["entry"]]
    names = [f"{resource['resourceType']}/{resource['id']}" for resource in resources]
    assert len(set(names)) == len(names)
    assert f"Patient/{patient['patient_id']}" in names
    for entry, name in zip(chart(patient)["entry"], names, strict=True):
        assert entry["fullUrl"].endswith(f"/{name}")
    subjects = {resource["subject"]["reference"] for resource in resources if "subject" in resource}
    assert subjects <= set(names)
    for order in patient.get("selections", []):
        assert order in names


@every_patient
def test_expectations_do_not_contradict_themselves(patient: Patient) -> None:
    expected = patient["expected"]
    refused = set(expected.get("must_not_suggest", []))
    assert not refused & set(expected.get("must_suggest_any_of", []))
    assert not refused & set(expected.get("should_suggest", []))
    assert not set(expected.get("exposed", [])) & set(expected.get("not_exposed", []))
    assert not set(expected.get("refractory", [])) & set(expected.get("not_refractory", []))
    assert set(expected.get("refractory", [])) <= set(expected.get("exposed", []))
    assert not set(expected.get("labels", [])) & set(expected.get("must_not_label", []))
    for key in expected["strict"]:
        field, _, item = key.partition(":")
        assert field in expected
        assert not item or item in expected[field]


@every_patient
def test_expected_regimens_and_drugs_are_known(patient: Patient) -> None:
    from cds_service.knowledge.load import load as load_knowledge

    knowledge = load_knowledge()
    expected = patient["expected"]
    for field in ("must_suggest_any_of", "should_suggest", "must_not_suggest"):
        assert set(expected.get(field, [])) <= set(knowledge.regimens), field
    for field in ("exposed", "not_exposed", "refractory", "not_refractory", "intolerant"):
        assert set(expected.get(field, [])) <= set(knowledge.drugs), field


# The answers


@in_each_region(PATIENTS)
def test_the_answer_is_the_one_a_haematologist_expects(patient: Patient, region: str) -> None:
    assert misses(ask(patient, region), patient["expected"]) == []


@in_each_region(PATIENTS)
def test_every_regimen_is_either_suggested_or_refused_with_a_reason(patient: Patient, region: str) -> None:
    recommendation = ask(patient, region)["recommendation"]
    suggested = [entry["regimen"] for entry in recommendation["suggested"]]
    refused = [entry["regimen"] for entry in recommendation["not_suggested"]]
    assert len(set(suggested + refused)) == len(suggested) + len(refused)
    assert all(entry["reasons"] for entry in recommendation["not_suggested"])


@pytest.mark.parametrize("days", [-23, 31])
@in_each_region([patient for patient in PATIENTS if can_be_shifted(patient)])
def test_moving_every_date_by_the_same_days_changes_no_answer(
    patient: Patient, region: str, days: int
) -> None:
    moved = ask(patient, region, bundle=shift_dates(chart(patient), days), later=days)
    assert misses(moved, patient["expected"]) == []
    assert gist(moved) == gist(ask(patient, region))


@pytest.mark.parametrize("seed", [1, 2])
@in_each_region(PATIENTS)
def test_order_and_duplicates_of_entries_change_nothing(patient: Patient, region: str, seed: int) -> None:
    plain = ask(patient, region)
    other = ask(patient, region, bundle=shuffled_and_doubled(chart(patient), seed))
    assert other["state"] == plain["state"]
    assert other["recommendation"] == plain["recommendation"]


@pytest.mark.parametrize("patient_id", ["mgus-under-observation", "newly-diagnosed-untreated", "deceased"])
@pytest.mark.parametrize("language", ["en", "it"])
def test_no_card_at_all(patient_id: str, language: str) -> None:
    (patient,) = [patient for patient in PATIENTS if patient["id"] == patient_id]
    for region in regions(patient):
        assert ask(patient, region, language=language)["cards"] == []


def kinds(cards: list[dict[str, Any]]) -> list[str]:
    return [card["extension"]["org.myeloma-cds"]["kind"] for card in cards]


@pytest.mark.parametrize("patient_id", ["remission-on-maintenance", "al-amyloidosis"])
def test_at_most_a_quiet_card_that_suggests_nothing(patient_id: str) -> None:
    (patient,) = [patient for patient in PATIENTS if patient["id"] == patient_id]
    cards = ask(patient, patient["region"])["cards"]
    assert kinds(cards) in ([], ["state"])
    offered = [one for card in cards for one in card.get("suggestions", ())]
    assert not any("regimen" in one["extension"]["org.myeloma-cds"] for one in offered)


def test_a_relapse_without_any_history_asks_for_the_history() -> None:
    (patient,) = [patient for patient in PATIENTS if patient["id"] == "relapse-without-treatment-history"]
    for region in regions(patient):
        assert "missing-data" in kinds(ask(patient, region)["cards"])


def test_the_dirty_chart_says_what_it_could_not_read_and_names_nobody() -> None:
    (patient,) = [patient for patient in PATIENTS if patient["id"] == "dirty-chart"]
    issues = ask(patient, "EMA")["issues"]
    assert issues
    assert "Guasto" not in json.dumps(issues)
    assert "Altro" not in json.dumps(issues)


def test_signing_a_drug_of_proven_refractoriness_shows_one_conflict_card_and_no_other() -> None:
    (patient,) = [patient for patient in PATIENTS if patient["id"] == "order-daratumumab-when-refractory"]
    cards = ask(patient, "EMA")["cards"]
    assert kinds(cards) == ["order-conflict"]
    assert cards[0]["indicator"] == "warning"
    assert cards[0]["suggestions"]


def test_the_order_of_the_readme_patient_puts_the_recommended_regimen_first() -> None:
    (patient,) = [patient for patient in PATIENTS if patient["id"] == "drd-first-relapse"]
    first = ask(patient, "EMA")["recommendation"]["suggested"][0]
    assert first["regimen"] == "s-vd"
    assert "BAR-19" in first["rules"]
    assert (first["label"]["region"], first["label"]["status"]) == ("EMA", "within")


@pytest.mark.skipif(not OUTSIDE, reason="SHARED_PATIENTS names no folder")
@in_each_region(OUTSIDE)
def test_patients_from_an_outside_folder(patient: Patient, region: str) -> None:
    found = find_misses(ask(patient, region), patient["expected"])
    assert [str(miss) for miss in found if miss.strict] == []


# The checker itself: an expectation that cannot fail protects nobody


def answer(**changes: Any) -> dict[str, Any]:
    """A small assessment of a lenalidomide-refractory first relapse."""
    state: dict[str, Any] = {
        "prior_lines": 1,
        "lines_of_therapy": [{"drugs": ["bortezomib", "lenalidomide", "dexamethasone"]}],
        "drugs": {
            "lenalidomide": {"status": "refractory"},
            "bortezomib": {"status": "sensitive"},
            "thalidomide": {"status": "unknown", "first": "2020-01-01", "intolerant": True},
            "daratumumab": {"status": "naive"},
        },
        "classes": {"PI": {"status": "sensitive"}, "IMiD": {"status": "refractory"}},
        "labels": ["first-relapse", "double-refractory:IMiD+PI"],
        "unknown": [{"what": "refractory:thalidomide"}],
    }
    state.update(changes)
    return {
        "state": state,
        "recommendation": {
            "suggested": [{"regimen": "d-pd", "cautions": [{"concept": "copd", "text": "FEV1"}]}],
            "not_suggested": [
                {"regimen": "kd", "reasons": [{"code": "contraindicated", "text": "heart failure"}]}
            ],
        },
        "cards": [],
        "issues": [{"code": "unmapped-code"}],
    }


@pytest.mark.parametrize(
    ("field", "holds", "fails"),
    [
        ("lines_of_therapy", {"min": 1, "max": 1}, {"min": 2, "max": 3}),
        ("exposed", ["bortezomib", "lenalidomide", "thalidomide"], ["daratumumab"]),
        ("not_exposed", ["daratumumab", "selinexor"], ["thalidomide"]),
        ("refractory", ["lenalidomide"], ["bortezomib"]),
        ("not_refractory", ["bortezomib", "thalidomide", "selinexor"], ["lenalidomide"]),
        ("unknown_refractoriness", ["thalidomide"], ["bortezomib"]),
        ("intolerant", ["thalidomide"], ["bortezomib"]),
        ("class_states", {"PI": "exposed", "IMiD": "refractory"}, {"PI": "naive"}),
        ("labels", ["double-refractory"], ["penta-refractory"]),
        ("must_not_label", ["triple-class-refractory"], ["double-refractory"]),
        ("no_suggestions", False, True),
        ("must_suggest_any_of", ["isa-kd", "d-pd"], ["isa-kd"]),
        ("should_suggest", ["d-pd"], ["kd"]),
        ("must_not_suggest", ["kd"], ["d-pd"]),
        ("must_warn", ["copd", "heart-failure", "refractory:thalidomide", "unmapped-code"], ["pregnancy"]),
    ],
)
def test_the_checker_sees_what_holds_and_what_does_not(field: str, holds: Any, fails: Any) -> None:
    assert misses(answer(), {field: holds, "strict": {field: True}}) == []
    assert misses(answer(), {field: fails, "strict": {field: True}}) != []
    assert misses(answer(), {field: fails}) == []  # debatable unless said otherwise


def test_one_item_of_a_strict_field_may_be_debatable() -> None:
    expected = {"refractory": ["bortezomib"], "strict": {"refractory": True, "refractory:bortezomib": False}}
    assert [miss.strict for miss in find_misses(answer(), expected)] == [False]


def test_a_field_that_the_format_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="must_suggest_all"):
        misses(answer(), {"must_suggest_all": ["d-pd"]})


def test_a_number_of_lines_that_is_not_known_is_a_miss() -> None:
    expected = {"lines_of_therapy": {"min": 0, "max": 9}, "strict": {"lines_of_therapy": True}}
    assert misses(answer(prior_lines=None), expected) == ["prior_lines is None, expected 0 to 9"]


@pytest.mark.parametrize(
    ("charted", "moved"),
    [
        ("2026-02-28", "2026-03-01"),
        ("2023-12-31T23:59:00+01:00", "2024-01-01T23:59:00+01:00"),
        ("2024-02-28T10:00:00", "2024-02-29T10:00:00"),
    ],
)
def test_a_date_keeps_its_precision_when_moved(charted: str, moved: str) -> None:
    assert shift_day(charted, 1) == moved


def test_a_month_alone_cannot_be_moved_by_days() -> None:
    with pytest.raises(ValueError, match="2021-03"):
        shift_dates({"onsetDateTime": "2021-03"}, 1)
    assert shift_dates({"code": "2021"}, 1) == {"code": "2021"}
