"""What must hold of any chart: order, copies and junk never change what else is known."""

from __future__ import annotations

import random
import time
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.fhir.read import read, resources_of
from cds_service.fhir.validate import findings
from cds_service.terminology import Terminology
from tests.fhir.charts import (
    AS_OF,
    ICD,
    RESPONSE,
    SUBJECT,
    administration,
    chart,
    condition,
    gone,
    observation,
    order,
    person,
    procedure,
    statement,
    told,
)
from tests.fhir.stand_in import StandIn

CHART = [
    person(),
    condition(),
    condition(id="c2", code={"text": "neuropathy grade 3"}),
    statement(status="stopped", statusReason=[{"text": "progression"}]),
    statement(
        id="m2", medicationCodeableConcept={"text": "VRd"}, effectivePeriod={"start": "2024-01-10T10:00:00"}
    ),
    statement(id=gone, medicationCodeableConcept={"text": "dexamethasone"}),
    statement(id="m3", subject={"reference": "Patient/p2"}),
    order(),
    administration(id="a1"),
    administration(
        id=gone, medicationCodeableConcept=gone, medicationReference={"reference": "Medication/x"}
    ),
    {"resourceType": "Medication", "id": "x", "code": {"text": "bortezomib"}},
    observation(),
    observation(id="o2", code=RESPONSE, valueQuantity=gone, valueString="VGPR"),
    procedure(),
    {"resourceType": "AllergyIntolerance", "id": "al1", "patient": SUBJECT, "code": {"text": "bortezomib"}},
]

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.dates().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = sorted({key for resource in CHART for key in resource} - {"resourceType"})
NESTED = ["coding", "code", "text", "reference", "start", "end", "value", "unit", "system", "display"]


def record_of(resources: list[Any]) -> Any:
    return chart(*resources)


@given(st.randoms(use_true_random=False), st.lists(st.integers(0, len(CHART) - 1), max_size=6))
def test_order_and_copies_change_nothing(shuffle: random.Random, copies: list[int]) -> None:
    mixed = [*CHART, *(dict(CHART[n]) for n in copies)]
    shuffle.shuffle(mixed)
    plain, other = record_of(CHART), record_of(mixed)
    # Copies of what is left out are the same resource too.
    assert other == plain


@given(st.randoms(use_true_random=False))
def test_the_order_of_the_members_of_an_object_changes_nothing(shuffle: random.Random) -> None:
    def shuffled(node: Any) -> Any:
        if isinstance(node, dict):
            keys = list(node)
            shuffle.shuffle(keys)
            return {key: shuffled(node[key]) for key in keys}
        return node

    assert record_of([shuffled(one) for one in CHART]) == record_of(CHART)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=300)
@given(st.integers(1, len(CHART) - 1), st.sampled_from(FIELDS), junk)
def test_junk_in_any_field_costs_at_most_its_own_resource(number: int, field: str, thing: Any) -> None:
    others = [one for n, one in enumerate(CHART) if n != number]
    spoiled = {**CHART[number], field: thing}
    if spoiled["resourceType"] in ("Medication", "Condition"):
        others = [one for one in others if one.get("medicationReference") is None]
    known = told(record_of(others))
    if field == "id":  # the spoiled one may now bear another's name
        return
    assert set(known) <= set(told(record_of([*others, spoiled])))


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=300)
@given(st.integers(0, len(CHART) - 1), st.sampled_from(NESTED), junk)
def test_junk_deep_inside_never_raises(number: int, key: str, thing: Any) -> None:
    def spoil(node: Any) -> Any:
        if isinstance(node, dict):
            return {k: thing if k == key else spoil(v) for k, v in node.items()}
        if isinstance(node, list):
            return [spoil(v) for v in node]
        return node

    spoiled = [*CHART[:number], spoil(CHART[number]), *CHART[number + 1 :]]
    record = record_of(spoiled)
    assert "multiple-myeloma active 2024-03-05" in told(record) or number == 1
    findings([spoil(CHART[number])], "fast", {"MedicationStatement/m1"})


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(junk)
def test_anything_at_all_is_no_reason_to_fail(thing: Any) -> None:
    flat = resources_of(thing)
    read([*flat, thing], StandIn(), as_of=AS_OF)
    entries = {"resourceType": "Bundle", "entry": thing, "link": thing}
    read(resources_of(entries), StandIn(), as_of=AS_OF)


@given(st.integers(-800, 800))
def test_shifting_every_date_and_the_evaluation_date_shifts_the_facts_alone(days: int) -> None:
    def moved(day: str) -> str:
        return str(date.fromisoformat(day) + timedelta(days))

    plain = chart(statement(), observation(), condition())
    shifted = chart(
        statement(effectivePeriod={"start": moved("2024-01-10"), "end": moved("2024-06-30")}),
        observation(effectiveDateTime=moved("2025-05-01")),
        condition(onsetDateTime=moved("2024-03-05")),
        as_of=AS_OF + timedelta(days),
    )
    assert [fact.drug for fact in shifted.drugs] == [fact.drug for fact in plain.drugs]
    assert shifted.drugs[0].first_dose == plain.drugs[0].first_dose.plus(days)  # type: ignore[union-attr]
    assert (len(shifted.measurements), len(shifted.diagnoses)) == (1, 1)


def test_a_resource_nested_beyond_reason_costs_nothing_else() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = {"extension": [deep]}
    monsters = [
        {"resourceType": "Observation", "extension": [deep]},
        observation(id="deep", code=deep, note=[deep]),
    ]
    record = chart(*CHART, *monsters, *[dict(one) for one in monsters])
    assert set(told(chart(*CHART))) <= set(told(record))


# ---- size

LONG = "myeloma " * 400_000  # 3.2 MB


@pytest.mark.parametrize(
    "resource",
    [
        condition(code={"text": LONG}),
        condition(code={"coding": [{"display": LONG}]}),
        condition(code={"coding": [{"system": ICD, "code": "C90.0" + "1-" * 1_600_000}]}),
        condition(onsetDateTime="2024-01-01 " + " " * 3_200_000 + "x"),
        statement(note=[{"text": "stopped for progression. " * 128_000}]),
        statement(medicationCodeableConcept={"text": "lenalidomide " * 250_000}),
        observation(valueQuantity=gone, valueString=" " * 3_200_000 + "x"),
        observation(valueQuantity=gone, valueString="1" * 3_200_000),
        observation(valueQuantity={"value": "1" * 3_200_000, "unit": "g/L"}),
        observation(code=RESPONSE, valueQuantity=gone, valueString="progression " * 270_000),
        observation(code={"text": "FISH"}, valueQuantity=gone, valueString="del(17p) negative, " * 170_000),
    ],
    ids=["text", "display", "code", "date", "note", "drug", "blanks", "digits", "number", "answer", "fish"],
)  # fmt: skip
def test_a_text_of_megabytes_takes_no_time(terminology: Terminology, resource: dict[str, Any]) -> None:
    began = time.process_time()
    read([resource], terminology, as_of=AS_OF, patient_id="p1")
    assert time.process_time() - began < 0.5


def test_a_text_that_was_cut_is_said_to_be_so() -> None:
    record = chart(statement(note=[{"text": "x" * 2_001}]), statement(id="m2", note=[{"text": "y" * 2_000}]))
    assert [(one.severity, one.code, one.where) for one in record.issues] == [
        ("information", "text-cut", "MedicationStatement/m1")
    ]


def test_many_resources_take_time_in_proportion(terminology: Terminology) -> None:
    def seconds(resources: list[dict[str, Any]]) -> float:
        began = time.process_time()
        read(resources, terminology, as_of=AS_OF, patient_id="p1")
        return time.process_time() - began

    days = [f"20{10 + n % 15}-0{1 + n % 9}-1{n % 10}" for n in range(3_000)]
    assert seconds([observation(id=f"o{n}", effectiveDateTime=day) for n, day in enumerate(days)]) < 1.5
    assert seconds([statement(id=f"m{n}", effectiveDateTime=day) for n, day in enumerate(days)]) < 1.5
    assert seconds([observation(valueQuantity={"value": n, "unit": "g/L"}) for n in range(8_000)]) < 1.5


def test_of_many_versions_the_latest_counts_and_copies_count_once() -> None:
    versions = [statement(meta={"versionId": str(n)}, dosage=[{"text": f"{n} mg"}]) for n in range(30)]
    for order_sent in (versions, versions[::-1], versions * 2):
        assert [(one.dose, one.dose_unit) for one in chart(*order_sent).drugs] == [(29.0, "mg")]
    same = [statement(meta={"versionId": "1"}) for _ in range(30)]
    assert chart(*same, *same).issues == ()
