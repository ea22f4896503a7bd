"""Age, performance status, comorbidities, biology and the latest laboratory values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from cds_service.record import ComorbidityFact, DateSpan, Measurement

_SEVERITY_RANK = ("mild", "moderate", "severe")


def age_on(birth: DateSpan | None, as_of: date) -> int | None:
    """Completed years on ``as_of``; None where the birth date is not charted, or allows two answers."""
    if birth is None:
        return None

    def years(born: date) -> int:
        return as_of.year - born.year - ((as_of.month, as_of.day) < (born.month, born.day))

    youngest, oldest = years(birth.latest), years(birth.earliest)
    return youngest if youngest == oldest else None


def latest(
    measurements: Sequence[Measurement], as_of: date, reach_days: Mapping[str, Any]
) -> dict[str, Measurement]:
    """The latest measurement of each concept that still speaks for the present; of one day the last read.

    ``reach_days`` gives by concept, else under "value", how old a number may be. A finding without a number
    (biology) does not age.
    """
    found: dict[str, Measurement] = {}
    for measurement in sorted(
        (m for m in measurements if m.on is not None), key=lambda m: (m.concept, m.on, m.reference)
    ):
        reach = timedelta(days=reach_days.get(measurement.concept, reach_days["value"]))
        current = measurement.on is not None and measurement.on.latest + reach >= as_of
        if current or (measurement.value is None and measurement.text in ("present", "absent")):
            found[measurement.concept] = measurement
    return found


def with_clearance(
    labs: Mapping[str, Measurement], age: int | None, sex: str, formula: Mapping[str, Any]
) -> dict[str, Measurement]:
    """The values, with the creatinine clearance computed where none is charted and its parts are there.

    Cockcroft-Gault: (140 - age) x weight in kg / (72 x creatinine in mg/dL), times 0.85 for women, in
    mL/min; the actual weight is taken. ``formula`` holds the numbers of definitions/imwg.yaml, with their
    source. The result says "computed" and rests on the creatinine's resource.
    """
    found = dict(labs)
    creatinine, weight = labs.get("creatinine"), labs.get("body-weight")
    if "creatinine-clearance" in labs or creatinine is None or weight is None or age is None:
        return found
    factor = {"female": formula["female_factor"], "male": 1.0}.get(sex)
    if factor is None or not creatinine.value or not weight.value or creatinine.text or weight.text:
        return found
    clearance = (formula["years"] - age) * weight.value / (formula["divisor"] * creatinine.value) * factor
    found["creatinine-clearance"] = Measurement(
        creatinine.reference,
        "creatinine-clearance",
        creatinine.on,
        round(clearance, 1),
        "mL/min",
        "computed",
    )
    return found


def ecog_of(labs: dict[str, Measurement]) -> int | None:
    """The latest ECOG performance status, 0 to 4; None where none is charted."""
    measured = labs.get("ecog")
    if measured is None:
        return None
    if measured.value is not None:
        return int(measured.value)
    digits = [c for c in measured.text if c.isdigit()]
    return int(digits[0]) if len(digits) == 1 else None


def severity_grade(severity: str) -> int | None:
    """CTCAE grade of a severity word; "mild" to "severe" are grades 1 to 3. None where there is none."""
    if severity.startswith("grade-"):
        return int(severity.removeprefix("grade-"))
    return _SEVERITY_RANK.index(severity) + 1 if severity in _SEVERITY_RANK else None


def comorbidities_now(
    facts: Sequence[ComorbidityFact], as_of: date, reach_days: Mapping[str, Any]
) -> tuple[ComorbidityFact, ...]:
    """The comorbidities in a stable order; one whose kind passes, and has, is no longer active.

    ``reach_days`` gives by concept how long after its onset an event such as an infection bears on the
    choice, whatever the chart forgot to close.
    """

    def active(fact: ComorbidityFact) -> bool:
        reach = reach_days.get(fact.concept)
        passed = reach is not None and fact.onset is not None and fact.onset.latest + timedelta(reach) < as_of
        return fact.active and not passed

    current = [replace(fact, active=active(fact)) for fact in facts]
    return tuple(sorted(current, key=lambda c: (c.concept, not c.active, c.severity, c.reference)))
