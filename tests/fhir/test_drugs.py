"""What medication resources say: status, dates, reasons, dose, drug. As of 21 November 2025."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cds_service.record import Given, Purpose, StopReason
from tests.fhir.charts import (
    ATC,
    LENALIDOMIDE,
    SUBJECT,
    administration,
    chart,
    coded,
    condition,
    gone,
    issue_codes,
    issue_texts,
    order,
    person,
    statement,
    told,
)


def only(**changes: Any) -> Any:
    return chart(statement(**changes)).drugs[0]


@pytest.mark.parametrize(
    ("status", "period", "read"),
    [
        ("active", {"start": "2025-01-10"}, "given 2025-01-10 to ongoing"),
        ("active", {"start": "2025-01-10", "end": "2025-06-30"}, "given 2025-01-10 to 2025-06-30"),
        ("active", {"start": "2025-01-10", "end": "2026-06-30"}, "given 2025-01-10 to ongoing"),
        ("active", {"start": "2025-01-10", "end": "2025-11"}, "given 2025-01-10 to ongoing"),
        ("completed", {"start": "2025-01-10"}, "given 2025-01-10 to ?"),
        ("completed", {"start": "2025-01-10", "end": "2025-11"}, "given 2025-01-10 to 2025-11-01/2025-11-21"),
        ("completed", {"start": "2025-01-10", "end": "2026-02-01"}, "given 2025-01-10 to ongoing"),
        ("stopped", {"start": "2025-01-10"}, "given 2025-01-10 to ?"),
        ("on-hold", {"start": "2025-01-10"}, "given 2025-01-10 to ?"),
        ("unknown", {"start": "2025-01-10"}, "given 2025-01-10 to ?"),
        ("recorded", {"start": "2025-01-10"}, "given 2025-01-10 to ongoing"),
        ("completed", {"end": "2025-06-30"}, "given ? to 2025-06-30"),
        ("active", {"start": "2025-11"}, "given 2025-11-01/2025-11-21 to ongoing"),
        ("active", {"start": "2024", "end": "2025-13-01"}, "given 2024 to ?"),
    ],
)
def test_a_statement_over_a_period(status: str, period: dict[str, str], read: str) -> None:
    assert told(chart(statement(status=status, effectivePeriod=period))) == [f"lenalidomide {read}"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "entered-in-error"}, "entered-in-error"),
        ({"status": "not-taken"}, "not-taken"),
        ({"taken": "n"}, "not-taken"),
        ({"adherence": {"code": coded("not-taking")}}, "not-taken"),
        ({"status": "intended"}, "not-an-order"),
        ({"status": "active", "effectivePeriod": {"start": "2025-12-01"}}, "future"),
        ({"subject": {"reference": "Patient/p2"}}, "other-patient"),
    ],
)
def test_a_statement_that_is_left_out_and_counted(changes: dict[str, Any], why: str) -> None:
    record = chart(statement(**changes))
    assert told(record) == []
    assert record.left_out == {why: 1}


def test_one_known_day_of_use() -> None:
    fact = only(status="active", effectivePeriod=gone, effectiveDateTime="2025-05-01")
    assert (str(fact.first_dose), str(fact.last_dose), fact.ongoing, fact.single_dose) == (
        "2025-05-01",
        "2025-05-01",
        True,
        False,
    )


def test_the_day_it_was_asserted_is_a_day_of_use_while_active() -> None:
    fact = only(status="active", effectivePeriod=gone, dateAsserted="2025-05-01")
    assert (str(fact.first_dose), fact.ongoing) == ("2025-05-01", True)
    assert only(effectivePeriod=gone, dateAsserted="2025-05-01").first_dose is None


def test_a_period_that_runs_backwards_keeps_its_start() -> None:
    record = chart(statement(effectivePeriod={"start": "2025-05-01", "end": "2024-05-01"}))
    assert told(record) == ["lenalidomide given 2025-05-01 to ?"]
    assert "period-reversed" in issue_codes(record)


@pytest.mark.parametrize(
    ("status", "intent", "read", "left_out"),
    [
        ("active", "order", "ordered 2025-03-01 to ongoing", ""),
        ("active", "original-order", "ordered 2025-03-01 to ongoing", ""),
        ("active", "instance-order", "ordered 2025-03-01 to ongoing", ""),
        ("completed", "order", "ordered 2025-03-01 to ?", ""),
        ("stopped", "order", "ordered 2025-03-01 to ?", ""),
        ("on-hold", "order", "held 2025-03-01 to ?", ""),
        ("active", "plan", "", "not-an-order"),
        ("active", "proposal", "", "not-an-order"),
        ("active", "option", "", "not-an-order"),
        ("draft", "order", "", "draft"),
        ("cancelled", "order", "", "cancelled"),
        ("entered-in-error", "order", "", "entered-in-error"),
        ("unknown", "order", "", "unknown-status"),
    ],
)
def test_an_order_in_the_chart(status: str, intent: str, read: str, left_out: str) -> None:
    record = chart(order(status=status, intent=intent))
    assert told(record) == ([f"lenalidomide {read}"] if read else [])
    assert record.left_out == ({left_out: 1} if left_out else {})


def test_an_order_begins_with_its_dosage_not_with_the_day_it_was_written() -> None:
    bounds = {"timing": {"repeat": {"boundsPeriod": {"start": "2025-03-15", "end": "2025-09-01"}}}}
    assert told(chart(order(dosageInstruction=[bounds]))) == ["lenalidomide ordered 2025-03-15 to 2025-09-01"]


def test_an_order_to_begin_next_week_is_not_known_to_have_begun() -> None:
    bounds = {"timing": {"repeat": {"boundsPeriod": {"start": "2025-11-28"}}}}
    record = chart(order(dosageInstruction=[bounds]))
    assert (told(record), record.left_out) == ([], {"future": 1})


def test_an_order_not_to_give_is_no_exposure() -> None:
    assert chart(order(doNotPerform=True)).left_out == {"not-taken": 1}


@pytest.mark.parametrize(
    ("changes", "read", "single"),
    [
        ({}, "given 2025-03-01 to 2025-03-01", True),
        ({"status": "not-done"}, None, False),
        ({"status": "unknown"}, "ordered 2025-03-01 to 2025-03-01", True),
        (
            {"effectiveDateTime": gone, "effectivePeriod": {"start": "2025-03-01", "end": "2025-08-01"}},
            "given 2025-03-01 to 2025-08-01",
            False,
        ),
        (
            {
                "effectiveDateTime": gone,
                "effectivePeriod": {"start": "2025-03-01T09:00:00Z", "end": "2025-03-01T12:00:00Z"},
            },
            "given 2025-03-01 to 2025-03-01",
            True,
        ),
        (
            {"effectiveDateTime": gone, "occurenceDateTime": "2025-03-02"},
            "given 2025-03-02 to 2025-03-02",
            True,
        ),
        (
            {"effectiveDateTime": gone, "occurrenceDateTime": "2025-03-02"},
            "given 2025-03-02 to 2025-03-02",
            True,
        ),
        (
            {
                "status": "in-progress",
                "effectiveDateTime": gone,
                "occurencePeriod": {"start": "2025-10-01"},
            },
            "given 2025-10-01 to ongoing",
            False,
        ),
        ({"effectiveDateTime": gone}, "given ? to ?", False),
    ],
)
def test_an_administration(changes: dict[str, Any], read: str | None, single: bool) -> None:
    record = chart(administration(**changes))
    assert told(record) == ([f"lenalidomide {read}"] if read else [])
    assert [fact.single_dose for fact in record.drugs] == ([single] if read else [])


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        ({"whenHandedOver": "2025-05-01"}, "given 2025-05-01 to 2025-05-01"),
        ({"whenPrepared": "2025-05-01"}, "given 2025-05-01 to 2025-05-01"),
        (
            {"whenHandedOver": "2025-05-01", "daysSupply": {"value": 28, "code": "d"}},
            "given 2025-05-01 to 2025-05-01/2025-05-28",
        ),
        ({"status": "declined", "whenHandedOver": "2025-05-01"}, None),
        ({"status": "preparation", "whenPrepared": "2025-05-01"}, None),
    ],
)
def test_a_dispense(changes: dict[str, Any], read: str | None) -> None:
    handed = {
        "resourceType": "MedicationDispense",
        "id": "d1",
        "status": "completed",
        "subject": SUBJECT,
        "medicationCodeableConcept": LENALIDOMIDE,
    }
    assert told(chart({**handed, **changes})) == ([f"lenalidomide {read}"] if read else [])


# ---- why it was stopped, what it was for


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"statusReason": [{"text": "disease progression"}]}, StopReason.PROGRESSION),
        ({"statusReason": {"text": "disease progression"}}, StopReason.PROGRESSION),
        ({"statusReason": [{"text": "rash"}, {"text": "disease progression"}]}, StopReason.PROGRESSION),
        ({"statusReason": [{"text": "grade 3 neuropathy"}]}, StopReason.TOXICITY),
        (
            {"adherence": {"code": coded("stopped"), "reason": {"text": "progression"}}},
            StopReason.PROGRESSION,
        ),
        ({"note": [{"text": "stopped for progression"}]}, StopReason.PROGRESSION),
        ({"note": [{"text": "Given for progressive disease."}]}, StopReason.UNKNOWN),
        ({"reasonCode": [{"text": "progression after line 1"}]}, StopReason.UNKNOWN),
        ({}, StopReason.UNKNOWN),
    ],
)
def test_why_a_drug_was_stopped(changes: dict[str, Any], reason: StopReason) -> None:
    assert only(status="stopped", **changes).stop_reason is reason


def test_a_reason_that_rests_on_a_note_is_said_to() -> None:
    record = chart(statement(status="stopped", note=[{"text": "stopped for progression"}]))
    assert "stop-reason-from-note" in issue_codes(record)


def test_a_reason_nobody_understands_is_an_issue_not_a_guess() -> None:
    record = chart(statement(status="stopped", statusReason=[{"text": "see letter"}]))
    assert record.drugs[0].stop_reason is StopReason.UNREAD
    assert record.drugs[0].stop_text == "see letter"
    assert "reason for stopping is not understood" in issue_texts(record, "unmapped-code")


def test_a_stop_after_the_evaluation_date_is_not_known_and_neither_is_its_reason() -> None:
    later = statement(status="stopped", statusReason=[{"text": "progression"}])
    fact = chart(later, as_of=date(2024, 3, 1)).drugs[0]
    assert (fact.ongoing, fact.last_dose, fact.stop_reason) == (True, None, StopReason.UNKNOWN)


@pytest.mark.parametrize(
    ("changes", "purpose"),
    [
        ({"reasonCode": [{"text": "stem cell mobilisation"}]}, Purpose.MOBILISATION),
        ({"reasonCode": [{"text": "multiple myeloma"}, {"text": "mobilisation"}]}, Purpose.MOBILISATION),
        ({"reasonReference": [{"reference": "Condition/c1"}]}, Purpose.MYELOMA),
        (
            {"reasonReference": [{"reference": "Condition/gone", "display": "COVID-19"}]},
            Purpose.OTHER_DISEASE,
        ),
        ({"reason": [{"reference": {"reference": "Condition/c1"}}]}, Purpose.MYELOMA),
        ({"reason": [{"concept": {"text": "nausea"}}]}, Purpose.ANTIEMETIC),
        ({"medicationCodeableConcept": {"text": "dexamethasone 6 mg, COVID-19"}}, Purpose.OTHER_DISEASE),
        ({"dosage": [{"text": "8 mg before chemotherapy for nausea"}]}, Purpose.ANTIEMETIC),
        ({"note": [{"text": "for mobilisation"}]}, Purpose.MOBILISATION),
        ({"note": [{"text": "Given on 3 May for mobilisation."}]}, Purpose.MOBILISATION),
        ({"note": [{"text": "dose reduced for nausea"}]}, None),
        ({"dosage": [{"text": "take something against nausea one hour before"}]}, None),
        ({"note": [{"text": "induction of four cycles, then mobilisation and transplant as planned"}]}, None),
        ({}, None),
    ],
)
def test_what_a_drug_was_given_for(changes: dict[str, Any], purpose: Purpose | None) -> None:
    record = chart(statement(**changes), condition())
    assert record.drugs[0].purpose is purpose


def test_a_reason_that_is_smouldering_disease() -> None:
    smouldering = condition(id="c2", code={"text": "Smoldering myeloma"})
    record = chart(statement(reasonReference=[{"reference": "Condition/c2"}]), smouldering)
    assert record.drugs[0].purpose is Purpose.SMOULDERING


# ---- dose, route, line


@pytest.mark.parametrize(
    ("changes", "dose", "unit"),
    [
        ({"dosage": [{"doseAndRate": [{"doseQuantity": {"value": 25, "unit": "mg"}}]}]}, 25.0, "mg"),
        ({"dosage": [{"doseQuantity": {"value": 25, "code": "mg"}}]}, 25.0, "mg"),
        ({"dosage": {"dose": {"value": "1,3", "unit": "mg/m2"}}}, 1.3, "mg/m2"),
        ({"medicationCodeableConcept": {"text": "bortezomib 1,3 mg/m² sc"}}, 1.3, "mg/m2"),
        ({"medicationCodeableConcept": {"text": "lenalidomide 25 mg, then 10 mg"}}, None, ""),
        ({"medicationCodeableConcept": {"text": "bortezomib 3.5 MG Injection"}}, None, ""),
        ({"dosage": [{"text": "10 mg days 1-21"}]}, 10.0, "mg"),
    ],
)
def test_the_dose(changes: dict[str, Any], dose: float | None, unit: str) -> None:
    fact = only(**changes)
    assert (fact.dose, fact.dose_unit) == (dose, unit)


@pytest.mark.parametrize("value", [-25, 1e12, 10**40])
def test_a_dose_that_no_one_gives_is_left_out(value: float) -> None:
    record = chart(administration(dosage={"dose": {"value": value, "unit": "mg"}}))
    assert [(one.drug, one.dose) for one in record.drugs] == [("lenalidomide", None)]
    assert issue_codes(record) == {"implausible-value"}


@pytest.mark.parametrize(
    ("changes", "route"),
    [
        ({"dosage": [{"route": coded("34206005", "http://snomed.info/sct")}]}, "SC"),
        ({"dosage": [{"route": {"text": "intravenous infusion"}}]}, "IV"),
        ({"dosage": [{"route": {"coding": [{"display": "Oral route"}]}}]}, "PO"),
        ({"medicationCodeableConcept": {"text": "daratumumab 1800 mg s.c."}}, "SC"),
        ({"medicationCodeableConcept": {"text": "daratumumab ev"}}, "IV"),
        ({"medicationCodeableConcept": {"text": "daratumumab iv or sc"}}, ""),
        ({"medicationCodeableConcept": {"text": "daratumumab, IV linea"}}, ""),
    ],
)
def test_the_route(changes: dict[str, Any], route: str) -> None:
    assert only(**changes).route == route


@pytest.mark.parametrize(
    "changes",
    [
        {"note": [{"text": "line 2"}]},
        {"medicationCodeableConcept": {**LENALIDOMIDE, "text": "Rd, line 2"}},
        {"extension": [{"url": "http://x.example/line-of-therapy", "valueInteger": 2}]},
        {"extension": [{"url": "http://x.example/lineOfTherapy", "valueString": "line 2"}]},
    ],
)
def test_a_charted_line_of_therapy(changes: dict[str, Any]) -> None:
    assert only(**changes).line_number == 2


# ---- the way to the drug


@pytest.mark.parametrize(
    ("reference", "others"),
    [
        ("#med", ()),
        ("Medication/med", ({"resourceType": "Medication", "id": "med", "code": LENALIDOMIDE},)),
        (
            "https://ehr.example/fhir/Medication/med",
            ({"resourceType": "Medication", "id": "med", "code": LENALIDOMIDE},),
        ),
        ("Medication/med/_history/3", ({"resourceType": "Medication", "id": "med", "code": LENALIDOMIDE},)),
        (
            "Medication/med",
            (
                {
                    "resourceType": "Medication",
                    "id": "med",
                    "ingredient": [{"itemCodeableConcept": LENALIDOMIDE}],
                },
            ),
        ),
        (
            "Medication/med",
            (
                {
                    "resourceType": "Medication",
                    "id": "med",
                    "ingredient": [{"item": {"concept": LENALIDOMIDE}}],
                },
            ),
        ),
        (
            "Medication/med",
            (
                {
                    "resourceType": "Medication",
                    "id": "med",
                    "ingredient": [{"item": {"reference": {"reference": "Medication/in"}}}],
                },
                {"resourceType": "Medication", "id": "in", "code": LENALIDOMIDE},
            ),
        ),
    ],
)
def test_a_referenced_medication(reference: str, others: tuple[dict[str, Any], ...]) -> None:
    contained = (
        [{"resourceType": "Medication", "id": "med", "code": LENALIDOMIDE}] if reference == "#med" else gone
    )
    for node in (
        {"medicationReference": {"reference": reference}},
        {"medication": {"reference": {"reference": reference}}},
    ):
        record = chart(statement(medicationCodeableConcept=gone, contained=contained, **node), *others)
        assert told(record) == ["lenalidomide given 2024-01-10 to 2024-06-30"]


def test_all_ingredients_of_a_product_without_a_code_of_its_own() -> None:
    bag = {
        "resourceType": "Medication",
        "id": "bag",
        "ingredient": [
            {"itemCodeableConcept": {"text": "sodium chloride"}},
            {"itemCodeableConcept": {"text": "bortezomib"}},
            {"itemCodeableConcept": {"text": "dexamethasone"}},
        ],
    }
    record = chart(
        statement(medicationCodeableConcept=gone, medicationReference={"reference": "Medication/bag"}), bag
    )
    assert [fact.drug for fact in record.drugs] == ["bortezomib", "dexamethasone"]


def test_two_names_that_disagree_are_an_issue() -> None:
    record = chart(statement(medicationReference={"display": "bortezomib"}))
    assert [fact.drug for fact in record.drugs] == ["lenalidomide"]
    assert "conflicting-medication" in issue_codes(record)


def test_medications_that_contain_each_other_do_not_hang() -> None:
    ring = [
        {
            "resourceType": "Medication",
            "id": one,
            "ingredient": [{"itemReference": {"reference": f"Medication/{two}"}}],
        }
        for one, two in (("a", "b"), ("b", "a"))
    ]
    node = {"medicationReference": {"reference": "Medication/a"}}
    assert told(chart(statement(medicationCodeableConcept=gone, **node), *ring)) == []


def test_a_medication_that_did_not_come_along_is_an_issue() -> None:
    record = chart(
        statement(medicationCodeableConcept=gone, medicationReference={"reference": "Medication/x"})
    )
    assert issue_codes(record) == {"unresolved-reference"}
    assert record.completeness["medicationStatements"] == "partial"


def test_a_regimen_name_becomes_its_drugs() -> None:
    record = chart(statement(medicationCodeableConcept={"text": "VRd 4 cycles"}))
    assert [(fact.drug, fact.regimen) for fact in record.drugs] == [
        ("bortezomib", "vrd"),
        ("dexamethasone", "vrd"),
        ("lenalidomide", "vrd"),
    ]


def test_an_unknown_antineoplastic_is_an_issue_and_aspirin_is_not() -> None:
    unknown = statement(medicationCodeableConcept=coded("L01ZZ99", ATC, "Newdrug"))
    aspirin = statement(id="m2", medicationCodeableConcept=coded("B01AC06", ATC, "Aspirin"))
    record = chart(unknown, aspirin)
    assert told(record) == []
    assert [(issue.code, issue.where) for issue in record.issues] == [
        ("unmapped-code", "MedicationStatement/m1")
    ]


# ---- drafts


# ---- what cannot be, what was not taken, what is only paused


@pytest.mark.parametrize(
    ("resource", "read"),
    [
        (statement(effectivePeriod={"start": "1940-01-10", "end": "2024-06-30"}), "given ? to 2024-06-30"),
        (statement(effectivePeriod={"start": "1940-01-10", "end": "1940-06-30"}), "given ? to ?"),
        (statement(effectivePeriod={"start": "1950-12-30", "end": "1951"}), "given ? to 1951"),
        (administration(effectiveDateTime="1951-04-01"), "given ? to ?"),
        (order(authoredOn="1949"), "ordered ? to ongoing"),
    ],
)
def test_no_one_is_treated_before_birth_or_before_there_was_treatment(
    resource: dict[str, Any], read: str
) -> None:
    record = chart(person(), resource)
    assert (told(record), issue_codes(record)) == ([f"lenalidomide {read}"], {"unreadable-date"})


def test_a_birth_in_the_same_year_leaves_the_date() -> None:
    record = chart(person(birthDate="1951-04-02"), statement(effectivePeriod={"start": "1951"}))
    assert (told(record), issue_codes(record)) == (["lenalidomide given 1951 to ?"], set())


DENIED = {"start": "2025-03-01", "end": "2025-03-31"}


@pytest.mark.parametrize(
    ("denied", "ordered", "counts"),
    [
        ({"effectiveDateTime": "2025-03-01"}, {}, False),
        ({"effectivePeriod": {"start": "2025-03-01"}}, {}, False),
        ({"effectivePeriod": {"start": "2025-01"}}, {}, False),
        ({"effectivePeriod": {"start": "2025-03-02"}}, {}, True),
        ({"effectivePeriod": {"start": "2026-03-02"}}, {}, True),
        ({"effectiveDateTime": "2025-02-01"}, {}, True),
        ({"effectivePeriod": DENIED}, {}, True),  # paused in March, and taken since
        ({"effectivePeriod": DENIED}, {"effectiveDosePeriod": DENIED, "status": "completed"}, False),
        ({"effectivePeriod": gone}, {}, True),
        ({"effectiveDateTime": "2025-03-01", "medicationCodeableConcept": {"text": "bortezomib"}}, {}, True),
    ],
)
def test_an_order_that_a_statement_denies_is_no_exposure(
    denied: dict[str, Any], ordered: dict[str, Any], counts: bool
) -> None:
    record = chart(statement(**{"status": "not-taken", "effectivePeriod": gone, **denied}), order(**ordered))
    assert bool(record.drugs) is counts
    assert record.left_out["not-taken"] == (1 if counts else 2)
    assert ("order-not-taken" in issue_codes(record)) is not counts


def test_a_dose_given_stands_against_a_statement_that_denies_it() -> None:
    denied = statement(status="not-taken", effectivePeriod=gone, effectiveDateTime="2025-03-01")
    assert told(chart(denied, administration())) == ["lenalidomide given 2025-03-01 to 2025-03-01"]


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        (statement(status="on-hold", statusReason=[{"text": "rash"}]), StopReason.UNKNOWN),
        (order(status="on-hold", statusReason={"text": "grade 3 neuropathy"}), StopReason.UNKNOWN),
        (administration(status="on-hold", statusReason=[{"text": "rash"}]), StopReason.UNKNOWN),
        (statement(status="on-hold", statusReason=[{"text": "disease progression"}]), StopReason.PROGRESSION),
        (statement(status="stopped", statusReason=[{"text": "rash"}]), StopReason.TOXICITY),
    ],
)
def test_a_hold_is_no_stop(resource: dict[str, Any], reason: StopReason) -> None:
    assert [one.stop_reason for one in chart(resource).drugs] == [reason]


def draft(**changes: Any) -> dict[str, Any]:
    return order(**{"id": "d1", "status": "draft", "authoredOn": gone, **changes})


def test_a_draft_is_no_exposure() -> None:
    record = chart(drafts=[draft()])
    assert record.drugs == ()
    assert [(one.given, one.selected, one.replaces) for one in record.drafts] == [
        (Given.DRAFT, True, "MedicationRequest/d1")
    ]


@pytest.mark.parametrize(
    ("selections", "selected"),
    [
        (None, True),
        (["MedicationRequest/d1"], True),
        (["d1"], True),
        (["https://ehr.example/fhir/MedicationRequest/d1"], True),
        (["medicationrequest/d1", "MedicationRequest/d9"], True),
        (["MedicationRequest/d2"], False),
        (["d2"], False),
        ([], False),
    ],
)
def test_which_draft_is_selected(selections: list[str] | None, selected: bool) -> None:
    record = chart(drafts=[draft(), draft(id="d2")], selections=selections)
    assert [one.selected for one in record.drafts if one.reference.endswith("d1")] == [selected]
    assert record.issues == ()


@pytest.mark.parametrize(
    "selections", [["a"], ["ServiceRequest/d1"], ["MedicationRequest/d7", "x/y/z"], [""]]
)
def test_selections_that_match_nothing_count_as_not_sent(selections: list[str]) -> None:
    record = chart(drafts=[draft()], selections=selections)
    assert ([one.selected for one in record.drafts], issue_codes(record)) == ([True], {"unmatched-selection"})


def test_a_selected_order_of_another_type_selects_no_drug_of_the_same_id() -> None:
    service = {"resourceType": "ServiceRequest", "id": "d1", "status": "draft", "subject": SUBJECT}
    record = chart(drafts=[draft(), service], selections=["ServiceRequest/d1"])
    assert ([one.selected for one in record.drafts], record.issues) == ([False], ())


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"status": gone}, True),
        ({"intent": gone, "category": coded("outpatient")}, True),
        ({"status": "active"}, True),
        ({"intent": "proposal"}, True),
        ({"status": "cancelled"}, False),
        ({"status": "stopped"}, False),
        ({"status": "entered-in-error"}, False),
        ({"doNotPerform": True}, False),
        ({"subject": {"reference": "Patient/p2"}}, False),
        ({"medicationCodeableConcept": gone}, False),
        ({"medicationCodeableConcept": {"text": "aspirin"}}, False),
    ],
)
def test_which_draft_counts(changes: dict[str, Any], counts: bool) -> None:
    assert bool(chart(drafts=[draft(**changes)]).drafts) is counts


def test_an_empty_order_form_is_no_fault() -> None:
    assert chart(drafts=[draft(medicationCodeableConcept=gone)]).issues == ()


def test_a_draft_finds_its_medication_among_the_drafts() -> None:
    product = {"resourceType": "Medication", "id": "med", "code": LENALIDOMIDE}
    by_reference = draft(medicationCodeableConcept=gone, medicationReference={"reference": "Medication/med"})
    assert [one.drug for one in chart(drafts=[by_reference, product]).drafts] == ["lenalidomide"]


def test_an_order_that_is_being_rewritten_is_no_exposure() -> None:
    record = chart(order(), drafts=[order()])
    assert (len(record.drugs), len(record.drafts)) == (0, 1)


def test_a_draft_whose_id_no_server_takes_replaces_nothing() -> None:
    assert chart(drafts=[draft(id="a b")]).drafts[0].replaces == ""
    assert chart(drafts=[draft(id=gone)]).drafts[0].replaces == ""


def test_the_encounter_of_the_drafts() -> None:
    assert chart(drafts=[draft(encounter={"reference": "Encounter/e1"})]).encounter == "Encounter/e1"


@pytest.mark.parametrize(
    ("drafts", "others"),
    [
        ([], False),
        ([draft()], False),
        ([draft(medicationCodeableConcept=gone)], False),
        ([draft(medicationCodeableConcept={"text": "aspirin"})], True),
        ([draft(medicationCodeableConcept={"text": "aspirin"}, status="cancelled")], True),
        ([draft(status="stopped")], True),
        ([draft(status="entered-in-error")], True),
        ([draft(doNotPerform=True)], True),
        ([draft(medicationCodeableConcept=gone, status="cancelled")], False),
        ([draft(medicationCodeableConcept={"text": "aspirin"}, subject={"reference": "Patient/p2"})], False),
        ([{"resourceType": "ServiceRequest", "id": "s1", "status": "draft", "subject": SUBJECT}], True),
        ([{"resourceType": "Medication", "id": "med", "code": LENALIDOMIDE}], False),
    ],
)
def test_whether_something_else_is_being_ordered(drafts: list[dict[str, Any]], others: bool) -> None:
    assert chart(drafts=drafts).other_orders is others


def test_an_order_for_another_patient_is_an_issue_and_no_draft() -> None:
    record = chart(drafts=[draft(subject={"reference": "Patient/p2"})])
    assert (record.drafts, record.left_out) == ((), {"other-patient": 1})
    assert [(one.code, one.where) for one in record.issues] == [
        ("other-patient-order", "MedicationRequest/d1")
    ]


def test_an_order_in_the_chart_and_otherwise_among_the_drafts_is_the_draft() -> None:
    record = chart(order(id="d1", status="active"), drafts=[draft(id="d1", note=[{"text": "changed"}])])
    assert (record.drugs, len(record.drafts)) == ((), 1)


def test_the_drafts_may_come_as_their_bundle() -> None:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": draft()}]}
    assert len(chart(drafts=[bundle]).drafts) == 1
    assert len(chart(drafts=bundle).drafts) == 1


def test_a_dose_to_be_taken_as_needed_for_nausea() -> None:
    fact = only(dosage=[{"asNeededCodeableConcept": {"text": "nausea"}}])
    assert fact.purpose is Purpose.ANTIEMETIC


def test_a_fault_in_a_referenced_medication_is_told_where_it_is_used() -> None:
    product = {"resourceType": "Medication", "id": "med", "code": coded("L04AX04 ", ATC)}
    record = chart(
        statement(medicationCodeableConcept=gone, medicationReference={"reference": "Medication/med"}),
        product,
    )
    assert issue_texts(record, "repaired") == "MedicationStatement/m1: in its Medication: code trimmed"
