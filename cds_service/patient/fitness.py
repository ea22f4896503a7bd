"""Age, performance status, comorbidities, biology and the latest laboratory values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

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


def latest(measurements: Sequence[Measurement]) -> dict[str, Measurement]:
    """The latest measurement of each concept; of several on one day the last by reference."""
    found: dict[str, Measurement] = {}
    for measurement in sorted(
        (m for m in measurements if m.on is not None), key=lambda m: (m.concept, m.on, m.reference)
    ):
        found[measurement.concept] = measurement
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


def merged_comorbidities(facts: Sequence[ComorbidityFact]) -> tuple[ComorbidityFact, ...]:
    """One entry for each concept, severity and whether it is active, in a stable order."""
    return tuple(sorted(facts, key=lambda c: (c.concept, not c.active, c.severity, c.reference)))
