"""The orders that suggestions create: valid FHIR, for this patient, and no more than the knowledge gives.

The doses are held against the regimen's file as it stands, without the loader. What the cards of the test
patients order is looked at, and what any regimen would order in either region and language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from cds_service.cards.orders import Recipient
from tests.conformance.everything import (
    FORMS,
    LANGUAGES,
    REGIONS,
    Ordered,
    Told,
    every_created,
    every_order,
    every_suggested_whole,
    every_suggestion,
    everything,
    patients,
    regimen_of,
    shared_assessor,
)
from tests.publish.judges import complaints
from tests.shipped import KNOWLEDGE

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = {entry["key"]: entry["uri"] for entry in KNOWLEDGE.mappings["systems"]["systems"]}
RXNORM, ATC, UNII = SYSTEMS["RxNorm"], SYSTEMS["ATC"], SYSTEMS["UNII"]
READ_IN = {"FDA": [[RXNORM]], "EMA": [[ATC, RXNORM], [ATC], [RXNORM]]}
VERIFY = {"en": "verify", "it": "verificare"}
NO_DOSE = {"en": "No dose is asserted", "it": "Nessuna dose indicata"}


@cache
def regimen_file(key: str) -> Mapping[str, Any]:
    return dict(yaml.safe_load((ROOT / "pathways/regimens" / f"{key}.yaml").read_text(encoding="utf-8")))


@cache
def drug_file(key: str) -> Mapping[str, Any]:
    return dict(yaml.safe_load((ROOT / "pathways/drugs" / f"{key}.yaml").read_text(encoding="utf-8")))


def rows_of(regimen: str, drug: str, region: str) -> list[Mapping[str, Any]]:
    """The rows of the regimen's file that hold for the drug in the region, other schedules aside."""
    return [
        row
        for row in regimen_file(regimen).get("doses", ())
        if row["drug"] == drug and not row.get("alternative") and region in (row.get("regions") or REGIONS)
    ]


def known_amounts(regimen: str, drug: str, region: str) -> set[tuple[float, str]]:
    """Every amount with its unit that the data know: the regimen's rows and the drug's lower doses."""
    rows = [*rows_of(regimen, drug, region), *drug_file(drug).get("dose_adjustments", ())]
    return {(float(row["amount"]), row["unit"]) for row in rows if "amount" in row}


def drug_of(order: Ordered) -> str:
    """The component that the order is for: creates stand in the order of the components."""
    return str(regimen_file(order.regimen)["components"][order.place])


def any_regimen() -> Iterator[Ordered]:
    """The orders of every regimen for somebody of whom nothing more is known."""
    orders = shared_assessor().orders
    someone = Recipient("Patient/p1", "Encounter/e1", ("Condition/c1",), date(2026, 11, 21))
    for key, region, language in product(sorted(KNOWLEDGE.regimens), REGIONS, LANGUAGES):
        told = Told("anybody", "", region, language, "", {"context": {}}, 200, {"cards": []})
        for place, action in enumerate(orders.creating(key, region, language, someone)):
            yield Ordered(told, key, place, action["resource"])


@pytest.fixture(scope="module")
def of_cards() -> list[Ordered]:
    orders = list(every_order())
    assert len(orders) > 3000
    return orders


@pytest.fixture(scope="module")
def orders(of_cards: list[Ordered]) -> list[Ordered]:
    return [*of_cards, *any_regimen()]


def told(orders: Iterable[Ordered], fault: Callable[[Ordered], object]) -> list[str]:
    """A sentence for each order with a fault, the first twenty."""
    found = [f"{order}: {what}" for order in orders if (what := fault(order))]
    return found[:20]


@pytest.mark.requirement(7, 103)
def test_every_suggested_resource_is_valid_for_both_judges() -> None:
    seen: set[bytes] = set()

    def fault(order: Ordered) -> list[str]:
        written = orjson.dumps(order.resource, option=orjson.OPT_SORT_KEYS)
        if written in seen:
            return []
        seen.add(written)
        return complaints(order.resource)

    assert told([*every_created(), *any_regimen()], fault) == []
    assert len(seen) > 1000


@pytest.mark.requirement(103)
def test_every_suggested_resource_is_new_and_for_the_patient_of_the_context() -> None:
    def fault(created: Ordered) -> str:
        patient = created.told.request["context"]["patientId"]
        if created.resource.get("subject") != {"reference": f"Patient/{patient}"}:
            return f"is for {created.resource.get('subject')}, not for the patient of the context"
        return "names an id of its own: it is new" if "id" in created.resource else ""

    assert told(every_created(), fault) == []


@pytest.mark.requirement(103)
def test_every_suggested_order_is_a_proposed_draft(orders: list[Ordered]) -> None:
    def fault(order: Ordered) -> str:
        resource = order.resource
        if resource["resourceType"] != "MedicationRequest":
            return f"is a {resource['resourceType']}"
        drafted = (resource["status"], resource["intent"]) == ("draft", "proposal")
        return "" if drafted else f"is {resource['status']} and {resource['intent']}, not a draft proposal"

    assert told(orders, fault) == []


@pytest.mark.requirement(103)
def test_every_suggested_order_names_its_drug_in_the_codes_of_the_region(orders: list[Ordered]) -> None:
    def fault(order: Ordered) -> str:
        concept = order.resource["medicationCodeableConcept"]
        codings = concept.get("coding", [])
        drug = KNOWLEDGE.drugs[drug_of(order)]
        if concept.get("text") != drug.name.in_language(order.told.language):
            return f"its text is {concept.get('text')!r}"
        if not codings or not codings[0].get("code"):
            return "has no code at its first coding, which is all that some clients read"
        systems = [coding["system"] for coding in codings]
        if systems not in READ_IN[order.told.region]:
            known = {name for name in ("ATC", "RxNorm") if name in drug.order_codes}
            if systems != [UNII] or (known and order.told.region == "EMA") or "RxNorm" in known:
                return f"is coded in {systems}"
        wrong = [c for c in codings if (c["code"], c["display"]) not in drug.order_codes.values()]
        return f"has codes that are not of {drug.key}: {wrong}" if wrong else ""

    assert told(orders, fault) == []


@pytest.mark.requirement(103)
def test_drugs_of_regimens_without_a_code_of_the_regions_are_known() -> None:
    """Investigational agents: RxNorm and ATC have none of them yet. No component is without any code."""
    components = {drug for regimen in KNOWLEDGE.regimens.values() for drug in regimen.components}
    coded = {drug: set(KNOWLEDGE.drugs[drug].order_codes) for drug in components}
    assert {drug for drug, systems in coded.items() if not systems & {"ATC", "RxNorm"}} == {
        "iberdomide",
        "mezigdomide",
    }
    assert [drug for drug, systems in coded.items() if not systems & {"ATC", "RxNorm", "UNII"}] == []


@pytest.mark.requirement(98, 103)
def test_a_suggestion_creates_one_order_per_component_the_defining_drug_first() -> None:
    names = {
        drug.name.in_language(language): key
        for key, drug in KNOWLEDGE.drugs.items()
        for language in ("en", "it")
    }
    faults = []
    seen = set()
    for answer, _, suggestion in every_suggestion():
        regimen = regimen_of(suggestion)
        if not regimen:
            continue
        seen.add(regimen)
        creates = [a["resource"] for a in suggestion["actions"] if a["type"] == "create"]
        ordered = [names[resource["medicationCodeableConcept"]["text"]] for resource in creates]
        if ordered != regimen_file(regimen)["components"]:
            faults.append(f"{answer}: {regimen} creates {ordered}")
        if suggestion["actions"][0]["type"] != "create":
            faults.append(f"{answer}: {regimen} does not create first")
    assert faults[:20] == []
    assert len(seen) >= 20


@pytest.mark.requirement(103)
def test_orders_name_the_myeloma_of_the_chart_and_the_encounter_of_the_hook(of_cards: list[Ordered]) -> None:
    def fault(order: Ordered) -> str:
        request = order.told.request
        encounter = request["context"].get("encounterId")
        if encounter and order.resource.get("encounter") != {"reference": f"Encounter/{encounter}"}:
            return f"its encounter is {order.resource.get('encounter')}, not the hook's"
        entries = (request["prefetch"]["conditions"] or {}).get("entry", ())
        charted = {f"Condition/{entry['resource']['id']}": entry["resource"] for entry in entries}
        reasons = [reason["reference"] for reason in order.resource.get("reasonReference", ())]
        if not reasons:
            return "" if not charted else "gives no Condition as its reason"
        for reason in reasons:
            if reason not in charted:
                return f"its reason {reason} is not in the chart"
            if not _is_myeloma(charted[reason]):
                return f"its reason {reason} is {charted[reason]['code']}, no myeloma"
        return ""

    assert told(of_cards, fault) == []


def _is_myeloma(condition: Mapping[str, Any]) -> bool:
    """By the codes of mappings/diagnoses.yaml, else by the word."""
    said = orjson.dumps(condition["code"]).decode()
    return bool(re.search(r"myeloma|mieloma|C90\.0|109989006|203\.0", said, re.IGNORECASE))


# Doses


def amounts_of(order: Ordered) -> list[tuple[float, str] | None]:
    """The amount of each row of the dosage; None where a row is in words alone."""
    amounts: list[tuple[float, str] | None] = []
    for row in order.resource.get("dosageInstruction", ()):
        quantity = row.get("doseAndRate", [{}])[0].get("doseQuantity")
        amounts.append((float(quantity["value"]), quantity["code"]) if quantity else None)
    return amounts


def test_no_dose_is_ordered_that_the_data_do_not_know(orders: list[Ordered]) -> None:
    structured = 0

    def fault(order: Ordered) -> str:
        nonlocal structured
        known = known_amounts(order.regimen, drug_of(order), order.told.region)
        for row, amount in zip(order.resource.get("dosageInstruction", ()), amounts_of(order), strict=True):
            if amount is None:
                continue
            structured += 1
            if amount not in known:
                return f"orders {amount}; pathways/ know {sorted(known)}"
            quantity = row["doseAndRate"][0]["doseQuantity"]
            if quantity["unit"] != quantity["code"] or quantity["system"] != "http://unitsofmeasure.org":
                return f"its quantity is no UCUM quantity: {quantity}"
        return ""

    assert told(orders, fault) == []
    assert structured > 1000


def test_the_words_of_a_dose_give_an_amount_that_the_data_know(orders: list[Ordered]) -> None:
    def fault(order: Ordered) -> str:
        drug, region = drug_of(order), order.told.region
        known = {f"{amount:g}" for amount, _ in known_amounts(order.regimen, drug, region)}
        in_words = {str(row.get("amount_text", "")) for row in rows_of(order.regimen, drug, region)}
        known |= {text.replace("->", "→") for text in in_words - {""}}
        for row in order.resource.get("dosageInstruction", ()):
            text = row["text"] if order.told.language == "en" else row["text"].replace(",", ".", 1)
            # Where the source's amount is in words, the translation of them is held elsewhere.
            if not any(text.startswith(f"{amount} ") for amount in known) and text[:1].isdigit():
                return f"says {row['text']!r}; pathways/ know {sorted(known)}"
        return ""

    assert told(orders, fault) == []


def test_the_words_and_the_quantity_of_a_row_say_the_same(orders: list[Ordered]) -> None:
    def fault(order: Ordered) -> str:
        for row, amount in zip(order.resource.get("dosageInstruction", ()), amounts_of(order), strict=True):
            said = re.match(r"[\d.,]+", row["text"])
            if amount is not None and (said is None or float(said.group().replace(",", ".")) != amount[0]):
                return f"says {row['text']!r} and orders {amount}"
        return ""

    assert told(orders, fault) == []


def test_a_step_up_is_ordered_whole_or_not_at_all(orders: list[Ordered]) -> None:
    seen: set[tuple[str, str]] = set()

    def fault(order: Ordered) -> str:
        rows = rows_of(order.regimen, drug_of(order), order.told.region)
        if not any(row.get("step_up") for row in rows):
            return ""
        seen.add((order.regimen, order.told.region))
        ordered = order.resource.get("dosageInstruction", [])
        amounts = amounts_of(order)
        if not ordered:
            return ""
        if [row["sequence"] for row in ordered] != list(range(1, len(rows) + 1)):
            return f"orders {len(ordered)} rows of a step-up of {len(rows)}"
        if None not in amounts:
            whole = [(float(row["amount"]), row["unit"]) for row in rows]
            return "" if amounts == whole else f"orders {amounts}, where the step-up is {whole}"
        return "" if set(amounts) == {None} else "has a quantity in some rows of a step-up and not in others"

    assert told(orders, fault) == []
    assert {regimen for regimen, _ in seen} >= {"teclistamab", "talquetamab", "elranatamab", "linvoseltamab"}


def test_the_notes_name_cycle_and_source_and_ask_to_verify(orders: list[Ordered]) -> None:
    def fault(order: Ordered) -> str:
        language, regimen = order.told.language, KNOWLEDGE.regimens[order.regimen]
        notes = [note["text"] for note in order.resource["note"]]
        cycle = shared_assessor().orders.word("cycle", regimen.cycle, language)
        if regimen.display not in notes[0] or (cycle and cycle not in notes[0]):
            return f"its first note names neither regimen nor cycle: {notes[0]!r}"
        if not any(VERIFY[language] in note.lower() for note in notes):
            return "no note asks to verify"
        if "dosageInstruction" not in order.resource:
            no_dose = any(note.startswith(NO_DOSE[language]) for note in notes)
            return "" if no_dose else "neither orders a dose nor says that it does not"
        source = " ".join(str(regimen_file(order.regimen)["dose_source"]["document"]).split())
        said = source.rstrip(".").replace(">=", "≥").replace("<=", "≤").replace("->", "→")
        return "" if any(said in note for note in notes) else "no note names the source of the dose"

    assert told(orders, fault) == []


def test_what_goes_with_a_regimen_is_named_and_not_ordered(orders: list[Ordered]) -> None:
    def fault(order: Ordered) -> str:
        notes = " ".join(note["text"] for note in order.resource["note"])
        unnamed = [
            drug
            for drug in regimen_file(order.regimen).get("supporting", ())
            if KNOWLEDGE.drugs[drug].name.in_language(order.told.language) not in notes
        ]
        return f"does not name {unnamed}" if unnamed else ""

    assert told(orders, fault) == []
    assert any(regimen_file(order.regimen).get("supporting") for order in orders)


# Other forms


@pytest.mark.requirement(7, 103)
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_in_whatever_form_a_regimen_is_suggested_it_is_valid_and_for_the_patient(
    form: dict[str, Any],
) -> None:
    types = {"request-group": "RequestGroup", "care-plan": "CarePlan"}
    faults, seen = [], 0
    for patient, language, regimen, action in every_suggested_whole(**form):
        seen += 1
        resource = action["resource"]
        where = f"{patient}, {language}, {regimen}"
        faults += [f"{where}: {complaint}" for complaint in complaints(resource)]
        if (resource["status"], resource["intent"]) != ("draft", "proposal"):
            faults.append(f"{where}: no draft proposal")
        if resource["resourceType"] != types.get(form.get("orders", ""), "MedicationRequest"):
            faults.append(f"{where}: is a {resource['resourceType']}")
        subject = {"reference": f"Patient/{patients()[patient]['patient_id']}"}
        orders = resource.get("contained", [resource])
        if any(one["subject"] != subject for one in (resource, *orders)):
            faults.append(f"{where}: is not for the patient of the context")
        if "orders" in form and [one["id"] for one in orders] != regimen_file(regimen)["components"]:
            faults.append(f"{where}: contains {[one['id'] for one in orders]}")
        if not form.get("order_doses", True) and any("dosageInstruction" in one for one in orders):
            faults.append(f"{where}: has a dose where none is wanted")
    assert faults[:20] == []
    assert seen > 100


# Deletes


@pytest.mark.requirement(105, 106)
def test_a_delete_names_a_draft_of_the_call_by_its_relative_reference() -> None:
    faults = []
    deletes = 0
    for answer, _, suggestion in every_suggestion():
        for action in suggestion["actions"]:
            if action["type"] != "delete":
                continue
            deletes += 1
            if "resource" in action:
                faults.append(f"{answer}: a delete holds a resource, which is the deprecated form")
            if not re.fullmatch(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}", action["resourceId"]):
                faults.append(f"{answer}: {action['resourceId']!r} is no relative reference")
            if action["resourceId"] not in answer.drafts:
                faults.append(f"{answer}: {action['resourceId']} is not among the drafts of the call")
    assert faults[:20] == []
    assert deletes > 500


def test_all_patients_are_here() -> None:
    assert len(patients()) >= 21
    assert {answer.patient for answer in everything()} == set(patients())
