"""The suggested orders: valid FHIR R4, coded, and no dose beyond what the source gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fhir.resources.R4B.medicationrequest import MedicationRequest

from cds_service.cards.orders import Orders, Recipient
from cds_service.cards.render import Renderer
from cds_service.cards.wording import Wording
from cds_service.knowledge.types import Dose, Knowledge
from cds_service.sequencing.conditions import Evaluator
from cds_service.sequencing.doses import doses_for
from cds_service.sequencing.sketch import Sketch, sketched
from cds_service.sequencing.types import Answer
from tests.cards.answers import AS_OF, chart, first_relapse, recommending

SOMEONE = Recipient("Patient/p1", "Encounter/e1", ("Condition/c1",), AS_OF)


@pytest.fixture(scope="module")
def orders(knowledge: Knowledge) -> Orders:
    return Orders(knowledge, Wording(knowledge.cards))


def resources(
    orders: Orders, regimen: str, region: str = "EMA", language: str = "en"
) -> list[dict[str, Any]]:
    return [action["resource"] for action in orders.creating(regimen, region, language, SOMEONE)]


@pytest.mark.parametrize("region", ["EMA", "FDA"])
@pytest.mark.parametrize("language", ["en", "it"])
def test_every_order_is_a_valid_draft_for_this_patient(
    orders: Orders, knowledge: Knowledge, region: str, language: str
) -> None:
    for key, regimen in knowledge.regimens.items():
        found = resources(orders, key, region, language)
        names = [knowledge.drugs[drug].name.in_language(language) for drug in regimen.components]
        assert [r["medicationCodeableConcept"]["text"] for r in found] == names, key
        for resource in found:
            MedicationRequest.model_validate(resource)
            assert (resource["status"], resource["intent"]) == ("draft", "proposal")
            assert resource["subject"] == {"reference": "Patient/p1"}
            assert resource["encounter"] == {"reference": "Encounter/e1"}
            assert resource["reasonReference"] == [{"reference": "Condition/c1"}]
            assert resource["authoredOn"] == "2026-03-01"
            assert all(coding["code"] for coding in resource["medicationCodeableConcept"]["coding"])


@pytest.mark.parametrize(
    ("region", "regimen", "systems"),
    [
        ("EMA", "s-vd", ["http://www.whocc.no/atc", "http://www.nlm.nih.gov/research/umls/rxnorm"]),
        ("FDA", "s-vd", ["http://www.nlm.nih.gov/research/umls/rxnorm"]),
        ("EMA", "mezi-d", ["http://fdasis.nlm.nih.gov"]),
        ("FDA", "mezi-d", ["http://fdasis.nlm.nih.gov"]),
    ],
)
def test_codes_are_those_the_region_reads(
    orders: Orders, region: str, regimen: str, systems: list[str]
) -> None:
    first = resources(orders, regimen, region)[0]
    assert [coding["system"] for coding in first["medicationCodeableConcept"]["coding"]] == systems


def test_a_plain_schedule_row_by_row(orders: Orders) -> None:
    carfilzomib = resources(orders, "kd")[0]
    assert [row["text"] for row in carfilzomib["dosageInstruction"]] == [
        "20 mg/m2 IV on days 1, 2 (C1)",
        "56 mg/m2 IV on days 8, 9, 15, 16 (C1)",
        "56 mg/m2 IV on days 1, 2, 8, 9, 15, 16 (C2+)",
    ]
    assert [row["sequence"] for row in carfilzomib["dosageInstruction"]] == [1, 2, 3]
    quantity = carfilzomib["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]
    assert quantity == {"value": 20, "unit": "mg/m2", "system": "http://unitsofmeasure.org", "code": "mg/m2"}
    assert not any("repeat" in row["timing"] for row in carfilzomib["dosageInstruction"])


def test_only_an_even_schedule_gets_a_period(orders: Orders) -> None:
    selinexor, bortezomib, _ = resources(orders, "s-vd")
    # Days 1, 8, 15, 22, 29 of 35 are one a week; bortezomib on 1, 8, 15, 22 of 35 rests in the fifth week.
    assert selinexor["dosageInstruction"][0]["timing"]["repeat"] == {
        "frequency": 1,
        "period": 7,
        "periodUnit": "d",
    }
    assert "repeat" not in bortezomib["dosageInstruction"][0]["timing"]


@pytest.mark.parametrize("region", ["EMA", "FDA"])
def test_a_step_up_schedule_is_ordered_whole_or_not_at_all(
    orders: Orders, knowledge: Knowledge, region: str
) -> None:
    stepped = 0
    for key, regimen in knowledge.regimens.items():
        for drug, resource in zip(regimen.components, resources(orders, key, region), strict=True):
            rows = [
                d
                for d in regimen.doses
                if d.drug == drug and not d.alternative and (not d.regions or region in d.regions)
            ]
            if not any(d.step_up for d in rows):
                continue
            stepped += 1
            dosage = resource.get("dosageInstruction", [])
            assert len(dosage) in (0, len(rows)), (key, drug)
            if any(d.amount is None for d in rows):
                assert not dosage
            for row, dose in zip(dosage, rows, strict=False):
                assert f"{dose.amount:g} {dose.unit}" in row["text"]
            structured = ["doseAndRate" in row for row in dosage]
            assert all(structured) or not any(structured), (key, drug)
            assert not any("repeat" in row.get("timing", {}) for row in dosage)
    assert stepped >= 4


def test_a_step_without_its_amount_leaves_no_dose_at_all(orders: Orders) -> None:
    for resource in resources(orders, "tec-tal"):
        assert "dosageInstruction" not in resource
        assert any("No dose is asserted" in note["text"] for note in resource["note"])


def test_a_cell_product_is_ordered_in_words_and_its_lymphodepletion_only_named(orders: Orders) -> None:
    (product,) = resources(orders, "cilta-cel")
    (row,) = product["dosageInstruction"]
    assert set(row) == {"sequence", "text"}
    notes = " ".join(note["text"] for note in product["note"])
    assert "Lymphodepletion, not ordered here: fludarabine 30 mg/m2 IV" in notes
    assert "cyclophosphamide 300 mg/m2 IV on days -5, -4, -3" in notes


def test_a_regimen_without_doses_says_so(orders: Orders) -> None:
    for action in orders.creating("tal-dara", "EMA", "en", SOMEONE):
        assert "dosageInstruction" not in action["resource"]
        assert "no dose is given here" in action["description"]


def test_the_description_tells_the_dose_and_the_lower_one_for_the_old(orders: Orders) -> None:
    (*_, dexamethasone) = orders.creating("d-pd", "EMA", "en", SOMEONE)
    said = dexamethasone["description"]
    assert said.startswith(
        "Order dexamethasone 40 mg PO/IV on days 1, 8, 15, 22, part of D-PD (cycle: 28 days)."
    )
    assert "20 mg PO/IV on days 1, 8, 15, 22 (for: age at least 75)" in said
    assert said.endswith("Verify dose and timing before signing.")


def test_a_lower_dose_names_the_one_lower_still_that_may_be_hers(
    orders: Orders, knowledge: Knowledge
) -> None:
    """Clearance 25 mL/min, of dialysis nothing charted: 15 mg every other day, on dialysis 5 mg."""
    state = sketched(Sketch(labs={"creatinine-clearance": 25.0}), knowledge, AS_OF)
    evaluator = Evaluator(state, knowledge, "EMA", "unknown")
    doses = doses_for(knowledge.regimens["rd"], "EMA", evaluator, knowledge)
    lenalidomide = next(iter(orders.creating("rd", "EMA", "en", SOMEONE, doses)))
    assert "15 mg PO every other day" in lenalidomide["description"]
    assert "5 mg PO" in lenalidomide["description"] and "(for: dialysis)" in lenalidomide["description"]
    (row,) = lenalidomide["resource"]["dosageInstruction"]
    assert row["doseAndRate"][0]["doseQuantity"]["value"] == 15


def test_every_order_asks_to_be_verified(orders: Orders, knowledge: Knowledge) -> None:
    for key in knowledge.regimens:
        for resource in resources(orders, key, "FDA"):
            assert resource["note"][-1]["text"].startswith("Verify dose")


def test_without_the_patients_id_nothing_is_ordered(orders: Orders) -> None:
    nobody = replace(SOMEONE, subject="")
    assert list(orders.creating("s-vd", "EMA", "en", nobody)) == []


def test_filling_one_order_leaves_the_next_untouched(orders: Orders) -> None:
    resources(orders, "s-vd")[0]["dosageInstruction"].clear()
    assert resources(orders, "s-vd")[0]["dosageInstruction"]


def test_orders_carry_the_hooks_encounter_and_the_myeloma_diagnosis_alone(renderer: Renderer) -> None:
    (card,) = renderer.cards(
        chart(), first_relapse(), recommending("s-vd"), Answer(sequencing=True), encounter="e7"
    )
    resource = card["suggestions"][0]["actions"][0]["resource"]
    assert resource["encounter"] == {"reference": "Encounter/e7"}
    assert resource["reasonReference"] == [{"reference": "Condition/c1"}]


def test_a_regimen_that_would_make_no_valid_order_stops_the_start(knowledge: Knowledge) -> None:
    kd = knowledge.regimens["kd"]
    endless = Dose("carfilzomib", float("inf"), "", "mg", "IV", (1,), "", "")
    broken = replace(knowledge, regimens={"kd": replace(kd, doses=(endless,))})
    with pytest.raises(Exception, match="pathways/regimens, kd: its order is no valid MedicationRequest"):
        Orders(broken, Wording(knowledge.cards))
