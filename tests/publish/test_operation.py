"""The body of $apply: every fault at once, each with its place, and no value repeated."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.demo import bundle_of
from cds_service.errors import BadRequest
from cds_service.knowledge.load import demo_patients
from cds_service.knowledge.types import Knowledge
from cds_service.publish.operation import Apply, apply_of
from tests.shipped import KNOWLEDGE

TODAY = date(2026, 5, 11)
DATA = {"name": "data", "resource": bundle_of(demo_patients()["drd-first-relapse"])}
SUBJECT = {"name": "subject", "valueString": "Patient/drd1-patient"}


THIRD = "Parameters.parameter[2]"


def parameters(*given: Any) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": list(given)}


def read(knowledge: Knowledge, *given: Any, names_plan: bool = False) -> Apply:
    return apply_of(parameters(*given), knowledge, TODAY, names_plan=names_plan)


@pytest.mark.parametrize(
    "subject",
    [
        {"valueString": "Patient/drd1-patient"},
        {"valueString": "drd1-patient"},
        {"valueString": " https://ehr.example.org/fhir/Patient/drd1-patient/_history/3 "},
        {"valueReference": {"reference": "Patient/drd1-patient"}},
        {"valueId": "drd1-patient"},
        {"valueUri": "Patient/drd1-patient"},
    ],
)
def test_a_subject_may_be_written_in_many_ways(knowledge: Knowledge, subject: dict[str, Any]) -> None:
    assert read(knowledge, {"name": "subject"} | subject, DATA).subject == "drd1-patient"


def test_what_is_not_given_is_left_to_the_installation(knowledge: Knowledge) -> None:
    asked = read(knowledge, SUBJECT, DATA)
    assert (asked.region, asked.pathway, asked.language, asked.encounter, asked.as_of) == (
        "",
        "",
        "",
        "",
        None,
    )


def test_everything_that_can_be_asked(knowledge: Knowledge) -> None:
    asked = read(
        knowledge,
        SUBJECT,
        DATA,
        {"name": "region", "valueCode": "FDA"},
        {"name": "asOf", "valueDate": "2026-03-01"},
        {"name": "pathway", "valueCode": "barila-2025"},
        {"name": "userLanguage", "valueCodeableConcept": {"coding": [{"code": "it-IT"}]}},
        {"name": "encounter", "valueString": "Encounter/e1"},
        {"name": "practitioner", "valueString": "Practitioner/dr1"},
    )
    assert (asked.region, asked.as_of, asked.pathway) == ("FDA", date(2026, 3, 1), "barila-2025")
    assert (asked.language, asked.encounter) == ("it", "Encounter/e1")


def test_several_bundles_are_one_chart(knowledge: Knowledge) -> None:
    entries = DATA["resource"]["entry"]
    halves = [
        {"name": "data", "resource": {"resourceType": "Bundle", "type": "searchset", "entry": part}}
        for part in (entries[:4], entries[4:])
    ]
    assert len(read(knowledge, SUBJECT, *halves).resources) == len(entries)


@pytest.mark.parametrize(
    ("case", "given", "places"),
    [
        ("nothing", [], ["Parameters.parameter"] * 2),
        ("no data", [SUBJECT], ["Parameters.parameter"]),
        ("no subject", [DATA], ["Parameters.parameter"]),
        ("two subjects", [SUBJECT, SUBJECT, DATA], ["Parameters.parameter[1]"]),
        ("a group", [{"name": "subject", "valueString": "Group/g1"}, DATA], ["Parameters.parameter[0]"]),
        (
            "an id of none",
            [{"name": "subject", "valueString": "Patient/../x y"}, DATA],
            ["Parameters.parameter[0]"],
        ),
        ("no value", [{"name": "subject"}, DATA], ["Parameters.parameter[0]"]),
        ("a number", [{"name": "subject", "valueString": 7}, DATA], ["Parameters.parameter[0]"]),
        ("a null", [{"name": "subject", "valueString": None}, DATA], ["Parameters.parameter[0]"]),
        (
            "somebody else",
            [{"name": "subject", "valueString": "Patient/other"}, DATA],
            ["Parameters.parameter[0]"],
        ),
        (
            "a Patient as data",
            [SUBJECT, {"name": "data", "resource": {"resourceType": "Patient"}}],
            ["Parameters.parameter[1].resource"],
        ),
        (
            "data as text",
            [SUBJECT, {"name": "data", "valueString": "{}"}],
            ["Parameters.parameter[1].resource"],
        ),
        (
            "entry no list",
            [SUBJECT, {"name": "data", "resource": {"resourceType": "Bundle", "entry": {}}}],
            ["Parameters.parameter[1].resource.entry"],
        ),
        (
            "misspelt",
            [SUBJECT, DATA, {"name": "asof", "valueDate": "2026-01-01"}],
            ["Parameters.parameter[2].name"],
        ),
        (
            "nameless",
            [SUBJECT, DATA, {"valueString": "x"}, None, []],
            [THIRD, "Parameters.parameter[3]", "Parameters.parameter[4]"],
        ),
        ("another region", [SUBJECT, DATA, {"name": "region", "valueCode": "UK"}], [THIRD]),
        ("another pathway", [SUBJECT, DATA, {"name": "pathway", "valueCode": "x"}], [THIRD]),
        ("another language", [SUBJECT, DATA, {"name": "userLanguage", "valueCode": "fr"}], [THIRD]),
        ("no day", [SUBJECT, DATA, {"name": "asOf", "valueDate": "2026-02-30"}], [THIRD]),
        ("too far ahead", [SUBJECT, DATA, {"name": "asOf", "valueDate": "2036-05-12"}], [THIRD]),
        (
            "a plan with an id in the address",
            [SUBJECT, DATA, {"name": "canonical", "valueUri": "x"}],
            [THIRD],
        ),
        (
            "several at once",
            [SUBJECT, {"name": "region", "valueCode": "UK"}, {"name": "who"}],
            ["Parameters.parameter[2].name", "Parameters.parameter", "Parameters.parameter[1]"],
        ),
    ],
)
def test_faults_are_told_all_at_once_with_their_places(
    knowledge: Knowledge, case: str, given: list[Any], places: list[str]
) -> None:
    with pytest.raises(BadRequest) as refused:
        read(knowledge, *given)
    assert [fault.expression for fault in refused.value.faults] == places, case
    assert "Group" not in refused.value.detail and "other" not in refused.value.detail


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (DATA["resource"], "Parameters.resourceType"),
        ([], "Parameters.resourceType"),
        ("x", "Parameters.resourceType"),
        (None, "Parameters.resourceType"),
        ({"resourceType": "Parameters"}, "Parameters.parameter"),
        ({"resourceType": "Parameters", "parameter": {"name": "subject"}}, "Parameters.parameter"),
    ],
)
def test_a_body_that_is_no_parameters(knowledge: Knowledge, body: Any, place: str) -> None:
    with pytest.raises(BadRequest) as refused:
        apply_of(body, knowledge, TODAY, names_plan=False)
    assert [fault.expression for fault in refused.value.faults] == [place]


@pytest.mark.parametrize(
    "named",
    [
        {"name": "canonical", "valueCanonical": "https://myeloma-cds.org/PlanDefinition/default"},
        {
            "name": "planDefinition",
            "resource": {
                "resourceType": "PlanDefinition",
                "url": "https://myeloma-cds.org/PlanDefinition/default",
            },
        },
    ],
)
def test_a_plan_may_be_named_in_the_body(knowledge: Knowledge, named: dict[str, Any]) -> None:
    asked = read(knowledge, SUBJECT, DATA, named, names_plan=True)
    assert asked.plan == "https://myeloma-cds.org/PlanDefinition/default"


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ([], "Parameters.parameter"),
        (
            [{"name": "planDefinition", "resource": {"resourceType": "PlanDefinition"}}],
            "Parameters.parameter[2].resource",
        ),
        ([{"name": "planDefinition"}], "Parameters.parameter[2].resource"),
        (
            [
                {"name": "planDefinition", "resource": {"resourceType": "PlanDefinition", "url": "x"}},
                {"name": "canonical", "valueUri": "y"},
            ],
            "Parameters.parameter[2]",
        ),
    ],
)
def test_without_an_id_in_the_address_the_body_must_name_the_plan(
    knowledge: Knowledge, given: list[Any], place: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        read(knowledge, SUBJECT, DATA, *given, names_plan=True)
    assert [fault.expression for fault in refused.value.faults] == [place]


def test_a_flood_of_faults_is_not_answered_with_a_flood(knowledge: Knowledge) -> None:
    with pytest.raises(BadRequest) as refused:
        read(knowledge, SUBJECT, DATA, *({"name": f"n{number}"} for number in range(5000)))
    assert len(refused.value.faults) == 20
    assert len(refused.value.detail) < 1500


NAMES = st.sampled_from(
    [
        "subject",
        "data",
        "region",
        "asOf",
        "pathway",
        "userLanguage",
        "encounter",
        "canonical",
        "planDefinition",
        "x",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["valueString", "valueCode", "valueReference", "valueCodeableConcept", "valueDate", "resource", "part"]
)
GIVEN = st.lists(
    st.builds(
        lambda name, members: {"name": name} | members, NAMES, st.dictionaries(KEYS, VALUES, max_size=2)
    )
    | VALUES,
    max_size=5,
)


@given(GIVEN, st.booleans())
def test_whatever_comes_is_read_or_refused(some: list[Any], names_plan: bool) -> None:
    try:
        asked = apply_of(parameters(*some), KNOWLEDGE, TODAY, names_plan=names_plan)
    except BadRequest as refused:
        assert refused.faults and all(f.expression.startswith("Parameters.parameter") for f in refused.faults)
    else:
        assert asked.subject
