"""Whose resources they are, which are the same, what of them is new."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cds_service.fhir.read import ManyPatients, draft_orders, is_about, patients_in, read, resources_of
from tests.fhir.charts import chart, condition, gone, issue_codes, observation, order, person, statement, told
from tests.fhir.stand_in import StandIn

OTHER = "Patient/p2"


@pytest.mark.parametrize(
    ("subject", "own"),
    [
        ({"reference": "Patient/p1"}, True),
        ({"reference": "p1"}, True),
        ({"reference": " Patient/p1 "}, True),
        ({"reference": "Patient/p1/_history/2"}, True),
        ({"reference": "https://ehr.example/fhir/Patient/p1"}, True),
        ({"reference": "urn:uuid:p1"}, True),
        ("Patient/p1", True),
        ([{"reference": "Patient/p1"}], True),
        (gone, True),
        ({}, True),
        ({"display": "somebody"}, True),
        (17, True),
        ({"reference": "Patient/p2"}, False),
        ({"reference": "patient/p1"}, True),
        ({"reference": "https://ehr.example/fhir/PATIENT/p1"}, True),
        ({"reference": "Patient/P1"}, False),
        ({"reference": "Patient/p11"}, False),
        ({"reference": "Group/p1"}, False),
        ({"reference": "https://ehr.example/fhir/Patient/p2"}, False),
        ({"reference": "urn:uuid:2b1c"}, True),
        ({"reference": "#p"}, False),
        ([{"reference": "Patient/p1"}, {"reference": "Patient/p2"}], False),
        ({"identifier": {"system": "urn:mrn", "value": "1"}}, True),
        ({"identifier": {"system": "urn:mrn", "value": "2"}}, False),
        ({"identifier": {"system": "urn:other", "value": "2"}}, True),
    ],
)
def test_whose_resource_it_is(subject: Any, own: bool) -> None:
    record = chart(person(identifier=[{"system": "urn:mrn", "value": "1"}]), statement(subject=subject))
    assert bool(record.drugs) is own
    assert record.left_out == ({} if own else {"other-patient": 1})


@pytest.mark.parametrize(
    ("inside", "own"),
    [
        ({"id": "p1"}, True),
        ({"id": "p2"}, False),
        ({"id": "p", "identifier": [{"system": "urn:mrn", "value": "1"}]}, True),
        ({"id": "p", "identifier": [{"system": "urn:mrn", "value": "2"}]}, False),
    ],
)
def test_a_contained_patient(inside: dict[str, Any], own: bool) -> None:
    contained = [{"resourceType": "Patient", **inside}]
    resource = statement(subject={"reference": f"#{inside['id']}"}, contained=contained)
    record = chart(person(identifier=[{"system": "urn:mrn", "value": "1"}]), resource)
    assert bool(record.drugs) is own


STRAY = {"reference": "urn:uuid:2b1c"}


@pytest.mark.parametrize(
    ("beside", "own"),
    [
        ([], True),
        ([person()], True),
        ([condition()], True),
        ([condition(subject=STRAY)], True),
        ([condition(subject={"reference": "urn:uuid:77aa"})], False),
        ([condition(subject={"reference": "Patient/p2"})], False),
        ([person(), person(id="p2")], False),
    ],
)
def test_a_subject_under_whose_name_nobody_came(beside: list[dict[str, Any]], own: bool) -> None:
    record = chart(statement(subject=STRAY), *beside)
    assert bool(record.drugs) is own
    severity = [one.severity for one in record.issues if one.code == "unknown-subject"]
    assert severity == ["information" if own else "warning"]


@pytest.mark.parametrize(
    ("resources", "patient", "about"),
    [
        ([person(), statement()], "p1", True),
        ([person(), statement()], "Patient/p1", True),
        ([person(), statement()], "nobody", False),
        ([person(), statement(subject=gone)], "nobody", False),
        ([statement()], "p1", True),
        ([statement(subject={"reference": "https://ehr.example/fhir/patient/p1/_history/2"})], "p1", True),
        ([statement(), condition(subject={"reference": OTHER})], "p2", True),
        ([statement()], "p2", False),
        ([statement(subject=gone)], "p1", True),
        ([statement(subject=STRAY)], "2b1c", True),
        ([statement(subject=STRAY)], "p1", True),
        ([{"resourceType": "Medication", "id": "p1"}], "p1", False),
        ([], "p1", False),
    ],
)
def test_whether_anything_belongs_to_the_patient_named(
    resources: list[dict[str, Any]], patient: str, about: bool
) -> None:
    assert is_about(resources, patient) is about


def test_the_one_patient_there_is() -> None:
    record = chart(person(id="px"), statement(subject={"reference": "Patient/px"}), patient_id=None)
    assert (record.patient.id, len(record.drugs)) == ("px", 1)


def test_the_one_patient_that_is_referred_to() -> None:
    record = chart(statement(subject={"reference": "Patient/px"}), patient_id=None)
    assert (record.patient.id, len(record.drugs)) == ("px", 1)


@pytest.mark.parametrize(
    "resources",
    [
        [person(id="p2"), person(id="p1")],
        [statement(), condition(subject={"reference": OTHER})],
    ],
)
def test_several_patients_and_nobody_said_which(resources: list[dict[str, Any]]) -> None:
    with pytest.raises(ManyPatients) as problem:
        chart(*resources, patient_id=None)
    assert problem.value.ids == ("p1", "p2")
    assert "p1" not in str(problem.value)


def test_of_several_patients_the_one_asked_for() -> None:
    record = chart(
        person(), person(id="p2", gender="male"), statement(subject={"reference": OTHER}), patient_id="p2"
    )
    assert (record.patient.id, record.patient.sex, len(record.drugs)) == ("p2", "male", 1)
    assert record.left_out == {"other-patient": 1}


def test_the_ids_of_the_patients_sent() -> None:
    assert patients_in([person(id="b"), statement(), person(id="a"), person(id="b")]) == ("a", "b")


def test_a_patient_known_by_the_full_url_alone() -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": "urn:uuid:2b1c", "resource": person(id=gone)},
            {
                "fullUrl": "urn:uuid:77aa",
                "resource": statement(id=gone, subject={"reference": "urn:uuid:2b1c"}),
            },
            {"resource": condition(subject={"reference": "urn:uuid:9999"})},
        ],
    }
    record = read(resources_of(bundle), StandIn(), as_of=date(2025, 11, 21))
    assert (record.patient.id, record.patient.sex) == ("2b1c", "female")
    assert told(record) == ["lenalidomide given 2024-01-10 to 2024-06-30"]
    assert record.left_out == {"other-patient": 1}


def test_the_draft_orders_of_a_chart() -> None:
    draft, signed = order(id="d1", status=" Draft "), order(id="d2")
    assert draft_orders([draft, signed, statement(), None]) == [draft]  # type: ignore[list-item]


# ---- copies and versions


def test_a_copy_counts_once() -> None:
    record = chart(statement(), statement(), observation(), observation())
    assert (len(record.drugs), len(record.measurements), record.issues) == (1, 1, ())


def test_without_an_id_the_content_names_it() -> None:
    first, second = statement(id=gone), statement(id=gone, status="stopped")
    record = chart(first, second, first)
    names = [one.reference for one in record.drugs]
    assert len(names) == 2
    assert names == [one.reference for one in chart(second, first).drugs]
    assert all(name.startswith("MedicationStatement/#") for name in names)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({"lastUpdated": "2025-01-01T10:00:00Z"}, {"lastUpdated": "2025-01-02T10:00:00Z"}),
        ({"lastUpdated": "2025-01-01T10:00:00Z"}, {"lastUpdated": "2025-01-01T10:30:00+00:00"}),
        ({"versionId": "9"}, {"versionId": "10"}),
        ({}, {"lastUpdated": "2025-01-02T10:00:00Z"}),
    ],
)
def test_the_later_version_counts(older: dict[str, str], newer: dict[str, str]) -> None:
    before, after = statement(meta=older), statement(meta=newer, status="entered-in-error")
    for versions in ((before, after), (after, before)):
        record = chart(*versions)
        assert (record.drugs, record.issues) == ((), ())


def test_versions_that_nothing_tells_apart_are_an_issue_and_a_fixed_choice() -> None:
    one, two = statement(), statement(effectivePeriod={"start": "2023-01-10"})
    assert chart(one, two) == chart(two, one)
    assert issue_codes(chart(one, two)) == {"conflicting-versions"}


def test_the_same_content_under_two_versions_is_no_conflict() -> None:
    assert chart(statement(meta={"source": "a"}), statement(meta={"source": "b"})).issues == ()


def test_resources_beyond_recognition_are_counted_once() -> None:
    record = chart(statement(), {"id": "x"}, {"resourceType": 17}, "junk", None, 4)
    assert len(record.drugs) == 1
    assert [issue.text for issue in record.issues] == [
        "5 of the entries are no FHIR resource (no resourceType) and were passed over."
    ]


def test_a_type_in_small_letters_is_recognised() -> None:
    assert len(chart(statement(resourceType=" medicationstatement")).drugs) == 1
