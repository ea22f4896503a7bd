"""An assessment as a CarePlan: the pipeline's own answer, valid, and safe to be read alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from cds_service.assess import Assessment, Assessor, Question
from cds_service.demo import bundle_of
from cds_service.fhir.read import resources_of
from cds_service.knowledge.load import demo_patients
from cds_service.knowledge.types import Text
from cds_service.publish.careplan import care_plan, why_not
from cds_service.publish.library import Library
from cds_service.sequencing.types import CautionShown, DisagreementShown, NotSuggested, Reason
from tests.publish.judges import complaints, nodes

Assess = Callable[..., Assessment]


@pytest.fixture(scope="session")
def assess(assessor: Assessor) -> Assess:
    def assessed(patient: str, **circumstances: Any) -> Assessment:
        file = demo_patients()[patient]
        question = Question(
            as_of=date.fromisoformat(file["as_of"]),
            region=file.get("region", "EMA"),
            patient_id=file.get("patient_id"),
        )
        return assessor.assess(resources_of(bundle_of(file)), replace(question, **circumstances))

    return assessed


def group(plan: dict[str, Any]) -> dict[str, Any]:
    (found,) = [one for one in plan.get("contained", ()) if one["resourceType"] == "RequestGroup"]
    return found


def offered(plan: dict[str, Any]) -> list[dict[str, Any]]:
    (choice,) = group(plan)["action"]
    assert choice["selectionBehavior"] == "at-most-one"
    return choice["action"]


def notes(plan: dict[str, Any]) -> str:
    return "\n".join(note["text"] for note in plan["note"])


@pytest.mark.parametrize("language", ["en", "it"])
@pytest.mark.parametrize("patient", sorted(demo_patients()))
def test_every_demo_patient_gets_a_valid_plan_with_the_answer_of_the_pipeline(
    library: Library, assess: Assess, patient: str, language: str
) -> None:
    assessment = assess(patient, language=language)
    plan = care_plan(library.edition, assessment)
    assert complaints(plan) == []
    suggested = [one.regimen for one in assessment.recommendation.suggested]
    assert ("activity" in plan) is bool(suggested)
    if suggested:
        assert [action["id"] for action in offered(plan)] == suggested
        assert plan["activity"] == [{"reference": {"reference": "#regimens"}}]
    assert (plan["status"], plan["intent"]) == ("draft", "proposal")
    assert plan["subject"] == {"reference": f"Patient/{assessment.record.patient.id}"}


@pytest.mark.parametrize("patient", ["drd-first-relapse", "us-triple-class-refractory-fourth-relapse"])
def test_every_reference_within_a_plan_leads_somewhere(
    library: Library, assess: Assess, patient: str
) -> None:
    plan = care_plan(library.edition, assess(patient))
    contained = {one["id"] for one in plan["contained"]}
    assert len(contained) == len(plan["contained"])
    named = {
        node["reference"].removeprefix("#")
        for _, node in nodes(plan)
        if isinstance(node.get("reference"), str) and node["reference"].startswith("#")
    }
    assert named == contained


def test_each_regimen_stands_with_its_reason_label_rules_trials_and_orders(
    library: Library, assess: Assess
) -> None:
    plan = care_plan(library.edition, assess("drd-first-relapse"))
    first = offered(plan)[0]
    assert (first["id"], first["prefix"]) == ("s-vd", "1")
    assert first["title"] == "Selinexor-bortezomib-dexamethasone (S-VD)"
    assert first["code"][0]["coding"][0] == {
        "system": "https://myeloma-cds.org/CodeSystem/regimens",
        "code": "s-vd",
        "display": "S-VD",
    }
    documents = {one.get("label"): one for one in first["documentation"]}
    assert documents["EMA label"]["display"] == "authorised"
    assert documents["BAR-19"]["url"] == "https://doi.org/10.4084/MJHID.2025.043"
    assert documents["BOSTON-LENREF"]["display"].startswith("BOSTON post hoc, lenalidomide-refractory")
    assert "second antiemetic" in first["textEquivalent"]
    assert first["selectionBehavior"] == "all"
    assert [order["title"] for order in first["action"]] == ["selinexor", "bortezomib", "dexamethasone"]
    orders = {one["id"]: one for one in plan["contained"] if one["resourceType"] == "MedicationRequest"}
    selinexor = orders[first["action"][0]["resource"]["reference"].removeprefix("#")]
    assert (selinexor["status"], selinexor["intent"]) == ("draft", "proposal")
    assert selinexor["dosageInstruction"][0]["text"] == "100 mg PO on days 1, 8, 15, 22, 29"
    assert selinexor["subject"] == {"reference": "Patient/drd1-patient"}
    assert selinexor["reasonReference"] == [{"reference": "Condition/drd1-myeloma"}]


def test_a_plan_tells_the_state_it_rests_on(library: Library, assess: Assess) -> None:
    plan = care_plan(library.edition, assess("drd-first-relapse"))
    assert plan["description"].startswith("1st relapse, refractory to daratumumab and lenalidomide")
    told = notes(plan)
    assert "State: 1 prior line; refractory to daratumumab and lenalidomide; first-relapse" in told
    assert "Pathway default, region EMA, knowledge 2026.11.0, as of 2026-05-11." in told
    assert "Not clinically reviewed." in told and told.endswith("The clinician decides.")
    assert {"reference": "Condition/drd1-myeloma"} in plan["addresses"]
    assert plan["created"] == "2026-05-11"
    assert all("/" in one["reference"] for one in plan["supportingInfo"])


@pytest.mark.parametrize(
    ("patient", "says"),
    [
        ("newly-diagnosed-untreated", "Nothing is due"),
        ("mgus-under-observation", "Nothing is due"),
        ("remission-on-maintenance", "no choice of regimen is due"),
        ("al-amyloidosis", "outside what this service covers"),
        ("relapse-without-treatment-history", "No regimen can be suggested; not charted"),
    ],
)
def test_where_nothing_is_due_or_known_the_plan_says_so_and_offers_nothing(
    library: Library, assess: Assess, patient: str, says: str
) -> None:
    plan = care_plan(library.edition, assess(patient))
    assert says in plan["description"]
    assert "activity" not in plan and "contained" not in plan


def test_what_is_unknown_stands_as_a_note(library: Library, assess: Assess) -> None:
    told = notes(care_plan(library.edition, assess("lenalidomide-stop-not-dated")))
    assert "unknown whether refractory to lenalidomide" in told
    assert "Not known, and may change the suggestions: " in told


def test_in_italian(library: Library, assess: Assess) -> None:
    plan = care_plan(library.edition, assess("drd-first-relapse", language="it"))
    assert plan["language"] == "it"
    assert plan["description"].startswith("1ª recidiva, refrattaria a daratumumab e lenalidomide")
    first = offered(plan)[0]
    assert first["title"] == "Selinexor-bortezomib-desametasone (S-VD)"
    assert "Decide il clinico." in notes(plan)
    displays = [one["display"] for one in first["documentation"] if one.get("label") == "BAR-19"]
    assert displays == ["Malattia doppiamente refrattaria a daratumumab e lenalidomide."]
    assert not any(name.startswith("_") for one in first["documentation"] for name in one)


def test_an_encounter_stands_on_plan_and_orders(library: Library, assess: Assess) -> None:
    plan = care_plan(library.edition, assess("drd-first-relapse", encounter="Encounter/e1"))
    for resource in (plan, *plan["contained"]):
        assert resource["encounter"] == {"reference": "Encounter/e1"}


def test_one_regimen_alone_keeps_its_place(library: Library, assess: Assess) -> None:
    assessment = assess("drd-first-relapse")
    plan = care_plan(library.edition, assessment, regimen="p-vd")
    assert complaints(plan) == []
    (only,) = offered(plan)
    assert only["id"] == "p-vd" and int(only["prefix"]) > 1
    assert plan["instantiatesCanonical"] == ["https://myeloma-cds.org/PlanDefinition/p-vd|2026.11.0"]
    assert plan["title"] == "Pomalidomide-bortezomib-dexamethasone (P-VD)"
    assert plan["description"] == only["description"]


def test_a_regimen_that_does_not_fit_is_told_with_every_reason(library: Library, assess: Assess) -> None:
    (entry,) = [
        one for one in assess("drd-first-relapse").recommendation.not_suggested if one.regimen == "d-rd"
    ]
    outcome = why_not(library.edition, entry, "en")
    assert complaints(outcome) == []
    codes = [issue["details"]["coding"][0]["code"] for issue in outcome["issue"]]
    assert "refractory-component" in codes
    assert {issue["code"] for issue in outcome["issue"]} == {"business-rule"}
    assert all(issue["details"]["text"] for issue in outcome["issue"])


def test_reasons_hold_no_line_breaks_or_marks_of_direction(library: Library) -> None:
    text = Text("Refractory\u202e to\nlenalidomide", "Refrattaria")
    outcome = why_not(library.edition, NotSuggested("d-rd", (Reason("refractory-component", text),)), "en")
    assert outcome["issue"][0]["details"]["text"] == "Refractory to lenalidomide"


def test_cautions_disagreements_and_remarks_are_told(library: Library, assess: Assess) -> None:
    assessment = assess("drd-first-relapse")
    answer = assessment.recommendation
    first = replace(
        answer.suggested[0],
        cautions=(CautionShown("", "BAR-17", Text("Mind the heart", "Attenzione al cuore"), True),),
        advice=(),
    )
    remark = CautionShown("", "ARR-02", Text("Stratum: mono-refractory", "Strato: mono-refrattaria"), True)
    clash = DisagreementShown("X-01", Text("Two sources differ.", "Due fonti discordano."))
    told = replace(
        answer, suggested=(first, *answer.suggested[1:]), remarks=(remark,), disagreements=(clash,)
    )
    plan = care_plan(library.edition, replace(assessment, recommendation=told))
    assert offered(plan)[0]["textEquivalent"] == "Mind the heart."
    assert "Stratum: mono-refractory." in notes(plan)
    assert "Two sources differ. (X-01)" in notes(plan)


def test_a_plan_holds_nothing_that_identifies_the_patient_but_the_id(
    library: Library, assess: Assess
) -> None:
    bundle = bundle_of(demo_patients()["drd-first-relapse"])
    (person,) = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient"]
    plan = str(care_plan(library.edition, assess("drd-first-relapse")))
    for name in person.get("name", ()):
        for part in (name.get("family", ""), name.get("text", ""), *name.get("given", ())):
            assert not part or part not in plan
    assert person.get("birthDate", "never") not in plan
