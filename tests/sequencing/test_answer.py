"""What is shown at which moment: a conflict, what could not be checked, the sequencing card, or nothing."""

from __future__ import annotations

from datetime import date

import pytest

from cds_service.assess import Assessor, Question
from cds_service.knowledge.load import demo_patients
from cds_service.patient.state import derive
from cds_service.record import AllergyFact, ComorbidityFact, Completeness, DrugFact, Given
from cds_service.sequencing.answer import answer
from cds_service.sequencing.conditions import Evaluator
from tests.chart import chart, given, myeloma, regimen, response

AS_OF = date(2026, 11, 1)
DRD = "daratumumab lenalidomide dexamethasone"
PD = response("PD", "2026-09-01")
REFRACTORY = [*regimen(DRD, "2022-01-10", "2026-08-20"), PD]
NO_HISTORY = {
    "conditions": Completeness.COMPLETE,
    "medicationStatements": Completeness.ABSENT,
    "medicationRequests": Completeness.ABSENT,
    "medicationAdministrations": Completeness.ABSENT,
    "medicationDispenses": Completeness.ABSENT,
}


def draft(drug, selected=True):
    return DrugFact(f"MedicationRequest/{drug}", drug, Given.DRAFT, selected=selected)


def shown(knowledge, facts, moment="order-sign", region="EMA", **more):
    record = chart(*facts, **more)
    state = derive(record, knowledge, AS_OF)
    evaluator = Evaluator(state, knowledge, region, "unknown")
    return answer(moment, record, state, evaluator, region, knowledge)


CONFLICTS = [
    # case, what else the chart says, drafted, (code, critical)
    ("refractory to the drug itself", {}, "lenalidomide", ("refractory-component", False)),
    ("refractory to its sibling, which carries over", {}, "isatuximab", ("refractory-class", False)),
    ("outside its label at first relapse", {}, "elranatamab", ("outside-label", False)),
    ("not labelled for myeloma", {}, "venetoclax", ("outside-label", False)),
    (
        "an allergy",
        {"allergies": (AllergyFact("AllergyIntolerance/a", "selinexor"),)},
        "selinexor",
        ("contraindicated", True),
    ),
    (
        "heart failure NYHA III",
        {"comorbidities": (ComorbidityFact("Condition/h", "heart-failure", severity="NYHA-III"),)},
        "carfilzomib",
        ("contraindicated", True),
    ),
    (
        "an intolerance",
        {"allergies": (AllergyFact("AllergyIntolerance/a", "bortezomib", intolerance=True),)},
        "bortezomib",
        ("intolerance", False),
    ),
]


@pytest.mark.parametrize(("case", "more", "drug", "conflict"), CONFLICTS, ids=[c[0] for c in CONFLICTS])
def test_an_order_that_conflicts(knowledge, case, more, drug, conflict):
    found = shown(knowledge, REFRACTORY, drafts=(draft(drug),), **more)
    assert [(c.code, c.critical) for c in found.conflicts] == [conflict]
    assert not found.sequencing


def test_a_combination_without_a_label_is_said_of_the_regimen(knowledge):
    facts = [*regimen("bortezomib lenalidomide", "2020-01-10", "2022-08-20", "progression"), PD]
    found = shown(knowledge, facts, drafts=(draft("carfilzomib"), draft("pomalidomide")))
    assert [(c.code, c.regimen) for c in found.conflicts] == [("outside-label", "kpd")]


@pytest.mark.parametrize("drug", ["selinexor", "carfilzomib", "dexamethasone", "aciclovir"])
def test_an_order_that_fits_is_met_with_silence(knowledge, drug):
    found = shown(knowledge, REFRACTORY, drafts=(draft(drug),))
    assert found == type(found)()


def test_only_the_selected_order_is_judged(knowledge):
    drafts = (draft("selinexor"), draft("lenalidomide", selected=False))
    assert shown(knowledge, REFRACTORY, "order-select", drafts=drafts).conflicts == ()


def test_no_drug_chosen_yet_and_a_choice_due_gives_the_sequencing_card(knowledge):
    assert shown(knowledge, REFRACTORY, "order-select").sequencing


def test_another_order_is_met_with_silence(knowledge):
    found = shown(knowledge, REFRACTORY, other_orders=True)
    assert found == type(found)()


def test_an_order_that_could_not_be_held_against_the_history_is_no_order_that_fits(knowledge):
    found = shown(
        knowledge,
        [myeloma("relapse", "2026-01-12")],
        drafts=(draft("lenalidomide"),),
        completeness=NO_HISTORY,
    )
    assert [u.what for u in found.missing] == ["medication-history"]


def test_an_order_of_a_drug_of_unknown_refractoriness_says_what_would_settle_it(knowledge):
    facts = [given("lenalidomide", "2022-01-10"), *regimen("bortezomib", "2022-01-10", "2022-08-01"), PD]
    found = shown(knowledge, facts, drafts=(draft("lenalidomide"),))
    assert [u.what for u in found.missing] == ["refractory:lenalidomide"]


def test_an_isatuximab_order_where_daratumumab_is_unsettled(knowledge):
    facts = [*regimen("bortezomib lenalidomide", "2020-01-10", "2022-08-20", "progression"),
             given("daratumumab", "2022-09-01"), PD]  # fmt: skip
    found = shown(knowledge, facts, drafts=(draft("isatuximab"),))
    assert [c.code for c in found.conflicts] == ["refractory-class"]


def test_a_first_treatment_needs_no_history(knowledge):
    found = shown(knowledge, [myeloma("active", "2026-10-01")], drafts=(draft("bortezomib"),))
    assert found == type(found)()


@pytest.mark.parametrize("moment", ["patient-view", "order-select", "order-sign"])
def test_for_the_dead_there_is_nothing_to_show(knowledge, moment):
    record = chart(*REFRACTORY)
    record = type(record)(**{**record.__dict__, "patient": type(record.patient)("p1", deceased=True)})
    state = derive(record, knowledge, AS_OF)
    found = answer(moment, record, state, Evaluator(state, knowledge, "EMA", "unknown"), "EMA", knowledge)
    assert found == type(found)()


# The whole patients of tests/patients, and one order for them.
ISA_KD = ("isatuximab", "carfilzomib", "dexamethasone")


@pytest.mark.parametrize("moment", ["order-select", "order-sign"])
@pytest.mark.parametrize(
    "patient",
    ["dvtd-asct-lenalidomide-maintenance", "progression-on-day-60", "lenalidomide-sensitive-first-relapse"],
)
def test_the_first_choice_of_the_review_is_ordered_in_silence(assessor, patient, moment):
    content = demo_patients()[patient]
    question = Question(
        as_of=date.fromisoformat(content["as_of"]),
        moment=moment,
        patient_id=content["patient_id"],
        drafts=tuple(
            {
                "resourceType": "MedicationRequest",
                "id": drug,
                "status": "draft",
                "intent": "order",
                "subject": {"reference": f"Patient/{content['patient_id']}"},
                "medicationCodeableConcept": {"text": drug},
            }
            for drug in ISA_KD
        ),
    )
    resources = [entry["resource"] for entry in content["bundle"]["entry"]]
    assert assessor.assess(resources, question).cards == []


@pytest.fixture(scope="module")
def assessor(knowledge):
    return Assessor(knowledge)
