# ruff: noqa: E501 - a case a line, so that tables read as tables
"""The same chart in R4 and R5 is the same record."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fhir.charts import (
    LENALIDOMIDE,
    administration,
    chart,
    coded,
    condition,
    gone,
    order,
    procedure,
    statement,
    told,
)

R5_DRUG = {"medicationCodeableConcept": gone, "medication": {"concept": LENALIDOMIDE}}


@pytest.mark.parametrize(
    ("r4", "r5"),
    [
        (statement(), statement(**R5_DRUG)),
        (
            statement(status="active", effectivePeriod={"start": "2025-01-10"}),
            statement(status="recorded", adherence={"code": coded("taking")}, effectivePeriod={"start": "2025-01-10"}, **R5_DRUG),
        ),
        (
            statement(status="stopped", statusReason=[{"text": "progression"}], effectivePeriod={"start": "2025-01-10"}),
            statement(
                status="recorded",
                adherence={"code": coded("stopped"), "reason": {"text": "progression"}},
                effectivePeriod={"start": "2025-01-10"},
                **R5_DRUG,
            ),
        ),
        (statement(status="not-taken"), statement(status="recorded", adherence={"code": coded("not-taking")}, **R5_DRUG)),
        (
            statement(reasonCode=[{"text": "mobilisation"}]),
            statement(reason=[{"concept": {"text": "mobilisation"}}], **R5_DRUG),
        ),
        (
            statement(effectivePeriod=gone, effectiveDateTime="2025-01-10"),
            statement(effectivePeriod=gone, effectiveTiming={"event": ["2025-01-10"]}, **R5_DRUG),
        ),
        (order(), order(**R5_DRUG)),
        (
            order(dosageInstruction=[{"timing": {"repeat": {"boundsPeriod": {"start": "2025-03-15"}}}}]),
            order(effectiveDosePeriod={"start": "2025-03-15"}, **R5_DRUG),
        ),
        (administration(), administration(effectiveDateTime=gone, occurenceDateTime="2025-03-01", **R5_DRUG)),
        (procedure(), procedure(performedDateTime=gone, occurrenceDateTime="2024-09-01")),
        (condition(), condition(participant=[{"actor": {"reference": "Practitioner/1"}}])),
    ],
)  # fmt: skip
def test_the_two_releases_say_the_same(r4: dict[str, Any], r5: dict[str, Any]) -> None:
    one, other = chart(r4), chart(r5)
    assert told(one) == told(other)
    assert one.drugs == other.drugs
    assert one.left_out == other.left_out
    assert one.issues == other.issues
