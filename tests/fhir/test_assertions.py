"""A clinician's assertion as servers hand it back: by our own codes, whatever stands beside them."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

import pytest

from cds_service.fhir.read import read
from cds_service.record import Assertion, ClinicalRecord
from cds_service.terminology import Terminology

OURS = "https://myeloma-cds.org/CodeSystem/assertions"
DRUGS = "https://myeloma-cds.org/CodeSystem/drugs"
AS_OF = date(2026, 11, 1)
PATIENT = {"resourceType": "Patient", "id": "p1"}


def own(code: str, system: str = OURS) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


REFRACTORY: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "a1",
    "status": "final",
    "subject": {"reference": "Patient/p1"},
    "code": own("refractoriness"),
    "effectiveDateTime": "2026-05-11",
    "valueCodeableConcept": own("refractory"),
    "component": [{"code": own("drug"), "valueCodeableConcept": own("lenalidomide", DRUGS)}],
}
LINES = {
    **{key: value for key, value in REFRACTORY.items() if key not in ("component", "valueCodeableConcept")},
    "code": own("lines-of-therapy"),
    "valueInteger": 3,
}
STATUS = {
    **{key: value for key, value in REFRACTORY.items() if key != "component"},
    "code": {"coding": [{"system": "http://loinc.org", "code": "97509-4"}, *own("disease-status")["coding"]]},
    "valueCodeableConcept": own("stable"),
}
TOLD = Assertion("Observation/a1", "refractory:lenalidomide", "refractory", date(2026, 5, 11))


def record(terminology: Terminology, *resources: dict[str, Any]) -> ClinicalRecord:
    return read([PATIENT, *resources], terminology, as_of=AS_OF, patient_id="p1")


def with_(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    changed = copy.deepcopy(base) | changes
    return {key: value for key, value in changed.items() if value is not None}


def test_what_is_asserted_is_read(terminology: Terminology) -> None:
    told = record(terminology, REFRACTORY)
    assert told.assertions == (TOLD,)
    assert told.measurements == told.responses == told.comorbidities == ()
    assert told.issues == ()


@pytest.mark.parametrize(
    "returned",
    [
        {"subject": {"reference": "https://ehr.example.org/fhir/Patient/p1"}},
        {"subject": None},
        {"status": "amended"},
        {"status": "corrected"},
        {"code": {"coding": [{"system": "http://local", "code": "77"}, *own("refractoriness")["coding"]]}},
        {"code": own("refractoriness", f"{OURS}/")},
        {"code": {**own("refractoriness"), "text": "Disease status, serum M-protein"}},
        {
            "valueCodeableConcept": {
                "coding": [
                    *own("refractory")["coding"],
                    {"system": "urn:oid:1.2.3", "code": "not-refractory"},
                ],
                "text": "refractory",
            }
        },
        {
            "component": [
                {
                    "code": {"coding": [{"system": "http://local", "code": "x"}, *own("drug")["coding"]]},
                    "valueCodeableConcept": {
                        "coding": [{"system": "http://www.whocc.no/atc", "code": "L04AX04"}],
                        "text": "Lenalidomid",
                    },
                }
            ]
        },
        {"component": [{"code": {"text": "Arzneimittel"}, "valueString": "Revlimid"}]},
        {"effectiveDateTime": None, "effectivePeriod": {"start": "2026-05-11", "end": "2026-05-11"}},
        {"effectiveDateTime": None, "effectiveInstant": "2026-05-11T00:00:00Z"},
    ],
)
def test_as_a_server_may_return_it(terminology: Terminology, returned: dict[str, Any]) -> None:
    (told,) = record(terminology, with_(REFRACTORY, **returned)).assertions
    assert (told.reference, told.what, told.value, told.on) == (
        TOLD.reference,
        TOLD.what,
        TOLD.value,
        TOLD.on,
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "entered-in-error"},
        {"status": "cancelled"},
        {"subject": {"reference": "Patient/other"}},
        {"effectiveDateTime": "2026-11-02"},
        {"code": own("refractoriness", "https://elsewhere.example.org/assertions")},
        {"code": {"text": "refractoriness of the myeloma to a drug"}},
    ],
)
def test_what_is_no_assertion_of_this_patient(terminology: Terminology, changed: dict[str, Any]) -> None:
    assert record(terminology, with_(REFRACTORY, **changed)).assertions == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"effectiveDateTime": None},
        {"valueCodeableConcept": own("sensitive")},
        {"valueCodeableConcept": {"text": "refractory"}},
        {
            "valueCodeableConcept": {
                "coding": [*own("refractory")["coding"], *own("not-refractory")["coding"]]
            }
        },
        {"valueCodeableConcept": None, "valueBoolean": True},
        {"component": None},
        {"component": [{"code": own("drug"), "valueCodeableConcept": own("paracetamol", DRUGS)}]},
        {"component": [{"code": own("drug"), "valueCodeableConcept": {"text": "VRd"}}]},
        {
            "component": [
                {
                    "code": own("drug"),
                    "valueCodeableConcept": {**own("lenalidomide", DRUGS), "text": "pomalidomide"},
                }
            ]
        },
    ],
)
def test_what_is_not_understood_is_told_and_left_out(
    terminology: Terminology, changed: dict[str, Any]
) -> None:
    told = record(terminology, with_(REFRACTORY, **changed))
    assert told.assertions == ()
    assert [issue.code for issue in told.issues if issue.where == "Observation/a1"] == ["unread-assertion"]


@pytest.mark.parametrize(
    "value, read_as",
    [
        ({"valueInteger": 3}, "3"),
        ({"valueInteger": 0}, "0"),
        ({"valueInteger": None, "valueQuantity": {"value": 3, "unit": "lines"}}, "3"),
        ({"valueInteger": 21}, None),
        ({"valueInteger": -1}, None),
        ({"valueInteger": None, "valueQuantity": {"value": 2.5}}, None),
        ({"valueInteger": None, "valueQuantity": {"value": 2, "comparator": ">="}}, None),
        ({"valueInteger": None, "valueString": "several"}, None),
        ({"valueInteger": None, "valueString": "3 months"}, None),
        ({"valueInteger": None, "valueQuantity": {"value": 3, "unit": "months"}}, None),
        ({"valueInteger": None, "valueQuantity": {"value": 3, "code": "1", "unit": "months"}}, None),
        ({"valueInteger": None, "valueQuantity": {"value": 3, "code": "{lines}", "unit": "Lines"}}, "3"),
        ({"valueInteger": None, "valueQuantity": {"value": 3, "code": "1"}}, "3"),
    ],
)
def test_numbers_of_lines(terminology: Terminology, value: dict[str, Any], read_as: str | None) -> None:
    told = record(terminology, with_(LINES, **value)).assertions
    assert [(one.what, one.value) for one in told] == ([("prior-lines", read_as)] if read_as else [])


def test_an_asserted_status_is_one_fact(terminology: Terminology) -> None:
    told = record(terminology, STATUS)
    assert [(one.what, one.value) for one in told.assertions] == [("disease-status", "stable")]
    assert told.responses == ()


def test_a_status_that_lost_our_codes_is_read_as_any_other(terminology: Terminology) -> None:
    plain = with_(
        STATUS,
        code={"coding": [{"system": "http://loinc.org", "code": "97509-4"}]},
        valueCodeableConcept={"coding": [{"system": "http://snomed.info/sct", "code": "271299001"}]},
    )
    told = record(terminology, plain)
    assert told.assertions == ()
    assert [one.progression for one in told.responses] == [True]


@pytest.mark.parametrize(
    "dated, on, moment",
    [
        ({"effectiveDateTime": "2026-05-11T09:30:00+02:00"}, "2026-05-11", "2026-05-11T07:30:00+00:00"),
        ({"issued": "2026-05-11T10:00:00Z"}, "2026-05-11", "2026-05-11T10:00:00+00:00"),
        ({"effectiveDateTime": "2026-05"}, "2026-05-01", ""),
        ({}, "2026-05-11", ""),
    ],
)
def test_from_when_it_holds(terminology: Terminology, dated: dict[str, Any], on: str, moment: str) -> None:
    (told,) = record(terminology, with_(REFRACTORY, **dated)).assertions
    assert (str(told.on), told.moment) == (on, moment)


def test_what_it_rests_on(terminology: Terminology) -> None:
    based = [
        {"reference": "https://ehr.example.org/fhir/Observation/o2"},
        {"reference": "Observation/o1"},
        {"reference": "DocumentReference/d1"},
    ]
    (told,) = record(terminology, with_(REFRACTORY, derivedFrom=based)).assertions
    assert told.rests_on == ("Observation/o1", "Observation/o2")


MODIFIED = [{"url": "https://ehr.example.org/negated", "valueBoolean": True}]
CODED_DRUG = {"coding": [{"system": "http://www.whocc.no/atc", "code": "L04AX04"}]}


def _freeing(text: str, answer: str = "not-refractory") -> dict[str, Any]:
    return {"valueCodeableConcept": {**own(answer), "text": text}}


def _displayed(answer: str, display: str) -> dict[str, Any]:
    return {"valueCodeableConcept": {"coding": [own(answer)["coding"][0] | {"display": display}]}}


def _of_drug(concept: dict[str, Any]) -> dict[str, Any]:
    return {"component": [{"code": own("drug"), "valueCodeableConcept": concept}]}


@pytest.mark.parametrize(
    "changed",
    [
        {"modifierExtension": MODIFIED},
        {"component": [{**REFRACTORY["component"][0], "modifierExtension": MODIFIED}]},
        {"dataAbsentReason": {"text": "unknown"}},
        {"component": [{**REFRACTORY["component"][0], "dataAbsentReason": {"text": "unknown"}}]},
        _freeing("refractory"),
        _freeing("malattia refrattaria"),
        _freeing("Refractory to lenalidomide"),
        _freeing("refrattaria"),
        _freeing("disease progressing on lenalidomide: progressive disease"),
        _freeing("not refractory", "refractory"),
        _freeing("malattia non refrattaria", "refractory"),
        _displayed("not-refractory", "refractory"),
        {"component": [{"code": {"text": "drug"}, "valueString": "not daratumumab, lenalidomide"}]},
        _of_drug({"text": "not daratumumab, lenalidomide"}),
        _of_drug({"text": "lenalidomide was not the drug"}),
        _of_drug({**CODED_DRUG, "text": "not lenalidomide"}),
        _of_drug({**CODED_DRUG, "text": "daratumumab"}),
    ],
)  # fmt: skip
def test_what_is_said_with_a_reserve_is_left_out_and_told(
    terminology: Terminology, changed: dict[str, Any]
) -> None:
    told = record(terminology, with_(REFRACTORY, **changed))
    assert told.assertions == ()
    assert "unread-assertion" in [one.code for one in told.issues if one.where == "Observation/a1"]


@pytest.mark.parametrize(
    "what, value, text",
    [
        ("intolerance", "tolerated", "not tolerated"),
        ("intolerance", "tolerated", "non tollerato"),
        ("disease-status", "stable", "progressive disease"),
        ("disease-status", "stable", "malattia in progressione"),
        ("disease-status", "progression", "no progression"),
    ],
)
def test_words_that_contradict_their_code(terminology: Terminology, what: str, value: str, text: str) -> None:
    changed = with_(REFRACTORY, code=own(what), valueCodeableConcept={**own(value), "text": text})
    if what == "disease-status":
        del changed["component"]
    assert record(terminology, changed).assertions == ()
    plain = with_(changed, valueCodeableConcept=own(value))
    assert [one.value for one in record(terminology, plain).assertions] == [value]


@pytest.mark.parametrize(
    "changed, value",
    [
        (_freeing("not refractory"), "not-refractory"),
        (_freeing("malattia non refrattaria"), "not-refractory"),
        (_freeing("Refractory disease", "refractory"), "refractory"),
        (_freeing("see letter", "refractory"), "refractory"),
        (_of_drug({**CODED_DRUG, "text": "lenalidomide 25 mg oral capsule"}), "refractory"),
        (_of_drug({"text": "Revlimid (lenalidomide)"}), "refractory"),
        ({"modifierExtension": []}, "refractory"),
    ],
)
def test_words_that_agree_are_no_hindrance(
    terminology: Terminology, changed: dict[str, Any], value: str
) -> None:
    (told,) = record(terminology, with_(REFRACTORY, **changed)).assertions
    assert (told.what, told.value) == (TOLD.what, value)


@pytest.mark.parametrize("subject", [None, {"display": "p1"}, {"identifier": {"value": "7"}}])
def test_among_several_patients_it_must_name_its_own(terminology: Terminology, subject: Any) -> None:
    nameless = with_(REFRACTORY, subject=subject)
    alone = record(terminology, nameless)
    assert [one.what for one in alone.assertions] == [TOLD.what]
    for other in (
        {"resourceType": "Patient", "id": "p2"},
        {"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p2"}},
    ):
        told = record(terminology, nameless, other)
        assert told.assertions == ()
        (issue,) = [one for one in told.issues if one.code == "unread-assertion"]
        assert "does not name its patient" in issue.text
        assert record(terminology, REFRACTORY, other).assertions == (TOLD,)


def test_an_identifier_names_the_patient_too(terminology: Terminology) -> None:
    number = {"system": "https://ehr.example.org/mrn", "value": "7"}
    people = [PATIENT | {"identifier": [number]}, {"resourceType": "Patient", "id": "p2"}]
    told = read(
        [*people, with_(REFRACTORY, subject={"identifier": number})],
        terminology,
        as_of=AS_OF,
        patient_id="p1",
    )
    assert told.assertions == (TOLD,)
