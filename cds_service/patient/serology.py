"""Whether a virus is there, was there, or is known not to be: hepatitis B and HIV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from cds_service.record import ComorbidityFact, Measurement

POSITIVE, PAST, NEGATIVE, UNKNOWN = "positive", "past-contact", "negative", "unknown"


@dataclass(frozen=True)
class Serology:
    """ "positive", "past-contact" (antibodies or a cured infection), "negative" or "unknown", and by what."""

    status: str = UNKNOWN
    derived_from: tuple[str, ...] = ()


def serology(
    concept: str,
    measurements: Sequence[Measurement],
    comorbidities: Sequence[ComorbidityFact],
    rules: Mapping[str, Any],
    reach_days: int,
    as_of: date,
) -> Serology:
    """What tests and diagnoses say of one virus.

    ``rules`` name the tests: ``infected`` show the virus itself, ``contact`` that it once was there;
    ``all_negative`` lists groups of tests, of each of which one must be negative for "negative". A positive
    test does not age, a negative one counts for ``reach_days``.
    """
    latest: dict[str, Measurement] = {}
    ever: dict[str, Measurement] = {}
    names = {*rules["infected"], *rules["contact"], *(t for group in rules["all_negative"] for t in group)}
    dated = sorted(
        (m for m in measurements if m.concept in names and (m.on is None or m.on.earliest <= as_of)),
        key=lambda m: (m.on is not None, m.on.latest if m.on else date.min, m.reference),
    )
    for measured in dated:
        says = positive(measured)
        if says is None:
            continue
        latest[measured.concept] = measured
        if says:
            ever[measured.concept] = measured
    own = [c for c in comorbidities if c.concept == concept]
    now = [latest[t] for t in rules["infected"] if t in latest and positive(latest[t])]
    diagnosed = [c for c in own if c.present and c.active]
    if now or diagnosed:
        return Serology(POSITIVE, _references(now, diagnosed))
    before = [ever[t] for t in (*rules["infected"], *rules["contact"]) if t in ever]
    cured = [c for c in own if c.present]
    if before or cured:
        return Serology(PAST, _references(before, cured))
    denied = [c for c in own if not c.present]
    if denied:
        return Serology(NEGATIVE, _references((), denied))
    since = as_of - timedelta(reach_days)
    clear: list[Measurement] = []
    for group in rules["all_negative"]:
        found = [latest[t] for t in group if t in latest and positive(latest[t]) is False]
        recent = [m for m in found if m.on is not None and m.on.latest >= since]
        if not recent:
            return Serology()
        clear += recent
    return Serology(NEGATIVE, _references(clear, ()))


def _references(
    measurements: Sequence[Measurement], comorbidities: Sequence[ComorbidityFact]
) -> tuple[str, ...]:
    return tuple(sorted({m.reference for m in measurements} | {c.reference for c in comorbidities}))


def positive(measured: Measurement) -> bool | None:
    """Whether a test is positive; a number above none is, one below a limit of detection is not."""
    if measured.value is not None:
        if measured.text.startswith(("<", "≤")):
            return False
        return measured.value > 0
    if measured.text in ("positive", "present"):
        return True
    return False if measured.text in ("negative", "absent") else None
