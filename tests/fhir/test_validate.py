# ruff: noqa: E501 - a case a line, so that tables read as tables
"""What the judge says of a resource, and that it never says what stands in it."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.fhir.accessors import is_r5
from cds_service.fhir.validate import findings
from tests.fhir.charts import (
    LENALIDOMIDE,
    SUBJECT,
    administration,
    all_text,
    coded,
    condition,
    gone,
    observation,
    order,
    person,
    procedure,
    statement,
)

USED = {"MedicationStatement/m1"}

R5_STATEMENT = {
    "resourceType": "MedicationStatement",
    "id": "m1",
    "status": "recorded",
    "subject": SUBJECT,
    "medication": {"concept": LENALIDOMIDE},
    "effectivePeriod": {"start": "2024-01-10"},
    "adherence": {"code": coded("taking")},
}


@pytest.mark.parametrize(
    ("resource", "release"),
    [
        (statement(), "R4"),
        (order(), "R4"),
        (administration(), "R4"),
        (condition(), "R4"),
        (observation(), "R4"),
        (procedure(), "R4"),
        (person(), "R4"),
        (R5_STATEMENT, "R5"),
        (order(medicationCodeableConcept=gone, medication={"concept": LENALIDOMIDE}), "R5"),
        (administration(effectiveDateTime=gone, occurenceDateTime="2025-01-01", medicationCodeableConcept=gone, medication={"concept": LENALIDOMIDE}), "R5"),
        (procedure(performedDateTime=gone, occurrenceDateTime="2025-01-01"), "R5"),
    ],
)  # fmt: skip
def test_the_release_is_told_by_the_shape_and_each_is_valid_in_it(
    resource: dict[str, Any], release: str
) -> None:
    assert is_r5(resource) is (release == "R5")
    assert findings([resource], "all", set()) == ()


@pytest.mark.parametrize(
    ("depth", "used", "found"),
    [
        ("off", USED, False),
        ("fast", USED, True),
        ("fast", set(), False),
        ("relevant", USED, True),
        ("relevant", {"MedicationStatement/m2"}, False),
        ("all", set(), True),
    ],
)
def test_how_deep_it_looks(depth: str, used: set[str], found: bool) -> None:
    assert bool(findings([statement(status=gone)], depth, used)) is found


def test_an_unknown_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="'deep' is none of off, fast, relevant, all"):
        findings([], "deep", set())


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        (statement(status=gone), "MedicationStatement/m1 is not valid FHIR R4: status: "),
        (statement(effectivePeriod={"start": "2024-03-05T10:00:00"}), "effectivePeriod.start: "),
        (statement(acme=1), "acme: "),
        (statement(contained=[{"resourceType": "Acme"}]), "not judged to the end (KeyError)"),
        ({"resourceType": "Acme", "id": "m1"}, "no model of this resource type"),
        ({"resourceType": "..", "id": "m1"}, "no model of this resource type"),
    ],
)
def test_what_is_said(resource: dict[str, Any], said: str) -> None:
    assert said in all_text(findings([resource], "all", set()))


def test_no_value_of_the_data_is_repeated() -> None:
    secret = "Maria Rossi 1951"
    resource = statement(
        status=f"{secret}  x",
        note=secret,
        effectivePeriod={"start": secret},
        **{secret: secret, "acme": secret},
    )
    for depth in ("fast", "all"):
        assert secret not in all_text(findings([resource], depth, {"MedicationStatement/m1"}))


def test_many_faults_are_counted_not_listed() -> None:
    resource = statement(**{f"acme{letter}": 1 for letter in "abcdefgh"})
    told = findings([resource], "all", set())
    assert len(told) == 4
    assert "and 5 more" in all_text(told)


@pytest.mark.parametrize("junk", [None, 17, "x", [], {}, {"resourceType": 5}])
def test_junk_is_no_resource_to_judge(junk: Any) -> None:
    assert findings([junk], "all", set()) == ()
