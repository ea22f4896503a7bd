"""What fitness, comorbidities and biology do to the answer, from the Bundle to the suggestions."""

from __future__ import annotations

from datetime import date
from typing import Any

import jsonschema
import pytest

from cds_service.assess import assess
from cds_service.knowledge.load import schemas

AS_OF = date(2026, 3, 1)
PATIENT = {"reference": "Patient/p1"}


def statement(drug: str, start: str, end: str, reason: str = "") -> dict[str, Any]:
    return {
        "resourceType": "MedicationStatement",
        "id": f"m-{drug}",
        "status": "stopped" if reason else "completed",
        "subject": PATIENT,
        "medicationCodeableConcept": {"text": drug},
        "effectivePeriod": {"start": start, "end": end},
        **({"statusReason": [{"text": reason}]} if reason else {}),
    }


def ill(text: str, **more: Any) -> dict[str, Any]:
    name = "".join(c for c in text.lower() if c.isalnum())
    return {
        "resourceType": "Condition",
        "id": f"c-{name}",
        "subject": PATIENT,
        "code": {"text": text},
        **more,
    }


def value(question: str, number: float, unit: str = "", day: str = "2026-02-20") -> dict[str, Any]:
    name = "".join(c for c in question.lower() if c.isalnum())
    quantity = {"value": number, "unit": unit} if unit else {"value": number}
    return {
        "resourceType": "Observation",
        "id": f"o-{name}",
        "status": "final",
        "subject": PATIENT,
        "code": {"text": question},
        "effectiveDateTime": day,
        "valueQuantity": quantity,
    }


def answered(*resources: dict[str, Any], born: str = "1955-05-05", sex: str = "male") -> dict[str, Any]:
    """The assessment of a first relapse after lenalidomide, with what the case adds to the chart."""
    chart = [
        {"resourceType": "Patient", "id": "p1", "birthDate": born, "gender": sex},
        ill("Multiple myeloma"),
        statement("lenalidomide", "2022-01-10", "2026-02-01", "progression"),
        statement("dexamethasone", "2022-01-10", "2026-02-01", "progression"),
        *resources,
    ]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in chart]}
    told = assess(bundle, as_of=AS_OF)
    jsonschema.validate(told, schemas()["assessment"].schema, registry=_registry())
    return told


def _registry() -> Any:
    from referencing import Registry, Resource

    return Registry().with_resources(
        (one.schema["$id"], Resource.from_contents(one.schema)) for one in schemas().values()
    )


def why_not(told: dict[str, Any], regimen: str) -> set[str]:
    return {
        reason["code"]
        for entry in told["recommendation"]["not_suggested"]
        if entry["regimen"] == regimen
        for reason in entry["reasons"]
    }


@pytest.mark.parametrize(
    ("case", "entry", "barred"),
    [
        ("infarction two months ago", ill("Myocardial infarction", onsetDateTime="2026-01-05"), True),
        ("infarto miocardico due mesi fa", ill("Infarto miocardico", onsetDateTime="2026-01"), True),
        ("infarction in 2015", ill("Myocardial infarction", onsetDateTime="2015"), False),
        ("infarction, no date", ill("Myocardial infarction"), False),
        ("heart failure NYHA III", ill("Heart failure NYHA III"), True),
        ("no heart failure", ill("No history of heart failure"), False),
    ],
)
def test_carfilzomib_and_the_heart(case: str, entry: dict[str, Any], barred: bool) -> None:
    assert ("contraindicated" in why_not(answered(entry), "kd")) is barred


def test_fitness_as_json() -> None:
    told = answered(
        value("Karnofsky", 70),
        value("ADL", 4),
        value("IADL", 5),
        value("Creatinina", 150, "umol/L"),
        value("Weight", 60, "kg"),
        ill("No history of heart failure"),
        ill("Neuropathy", clinicalStatus={"text": "resolved", "coding": [{"code": "resolved"}]}),
    )
    state = told["state"]
    fitness = state["fitness"]
    assert (fitness["ecog"], fitness["ecog_certainty"], fitness["karnofsky"]) == (1, "computed", 70)
    assert (fitness["frailty"], fitness["frailty_score"], fitness["frailty_at_least"]) == ("frail", 2, True)
    assert fitness["frailty_missing"] == ["charlson-index"]
    assert fitness["frailty_derived_from"] == ["Observation/o-adl", "Observation/o-iadl"]
    assert fitness["renal_function"] == "cockcroft-gault"
    assert state["labs"]["creatinine_clearance_ml_min"] == {
        "value": 34.4,
        "text": "computed",
        "date": "2026-02-20",
    }
    assert state["ruled_out"]["heart-failure"] == ["Condition/c-nohistoryofheartfailure"]
    assert {
        key: one[key]
        for one in state["comorbidities"]
        for key in ("concept", "active")
        if one["concept"] == "peripheral-neuropathy"
    } == {"concept": "peripheral-neuropathy", "active": False}
    assert state["biology"] == {"high-risk-cytogenetics": "unknown"}


def test_an_estimated_gfr_is_marked() -> None:
    state = answered(value("eGFR", 25, "mL/min/1.73m2"))["state"]
    assert state["fitness"]["renal_function"] == "egfr"
    (estimate,) = [one for name, one in state["labs"].items() if name.startswith("egfr")]
    assert estimate["estimated"] is True
    assert not any(name.startswith("creatinine_clearance") for name in state["labs"])


def test_a_low_estimate_warns_and_does_not_bar() -> None:
    told = answered(value("eGFR", 25, "mL/min/1.73m2"))
    high = answered(value("eGFR", 95, "mL/min/1.73m2"))
    for regimen in ("cilta-cel",):
        assert "contraindicated" not in why_not(told, regimen) | why_not(high, regimen)

    def warned(answer: dict[str, Any]) -> bool:
        return any(
            "Observation/o-egfr" in caution["derived_from"]
            for entry in answer["recommendation"]["suggested"]
            for caution in entry["cautions"]
        )

    assert warned(told)
    assert not warned(high)


def test_over_eighty_is_frail_by_age_alone() -> None:
    fitness = answered(born="1944-01-01")["state"]["fitness"]
    assert (fitness["frailty"], fitness["frailty_score"]) == ("frail", 2)
    assert fitness["frailty_because"].startswith("IMWG frailty score at least 2: age 82.")


@pytest.mark.parametrize(
    ("born", "sex", "more", "potential"),
    [
        ("1985-01-01", "female", [], "possible"),
        ("1985-01-01", "female", [ill("Hysterectomy")], "no"),
        ("1972-01-01", "female", [ill("Menopausa")], "no"),
        ("1972-01-01", "female", [], None),
        ("1985-01-01", "male", [], "no"),
    ],
)
def test_the_possibility_of_a_pregnancy(
    born: str, sex: str, more: list[dict[str, Any]], potential: str | None
) -> None:
    fitness = answered(*more, born=born, sex=sex)["state"]["fitness"]
    assert fitness.get("pregnancy_potential") == potential


def test_the_order_of_resources_changes_nothing() -> None:
    more = [ill("No heart failure"), ill("Heart failure"), value("Karnofsky", 70), value("ADL", 3)]
    assert answered(*more)["state"] == answered(*reversed(more))["state"]
