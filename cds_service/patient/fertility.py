"""Whether a pregnancy is possible, as the pregnancy prevention programmes of teratogenic drugs ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from cds_service.patient.serology import positive
from cds_service.record import ComorbidityFact, Measurement, ProcedureFact

POSSIBLE, NO, UNKNOWN = "possible", "no", "unknown"
_MENOPAUSE, _REMOVED = "menopause", "uterus-or-ovaries-removed"


@dataclass(frozen=True)
class Fertility:
    """``potential`` "possible", "no" or "unknown"; ``pregnant`` by a test, None where none is recent."""

    potential: str = UNKNOWN
    derived_from: tuple[str, ...] = ()
    pregnant: bool | None = None
    tested_by: tuple[str, ...] = ()


def fertility(
    sex: str,
    ages: tuple[int, int] | None,
    comorbidities: Sequence[ComorbidityFact],
    procedures: Sequence[ProcedureFact],
    measurements: Sequence[Measurement],
    rules: Mapping[str, Any],
    as_of: date,
) -> Fertility:
    """What is charted of it. Sterilisation and contraception prevent a pregnancy, they do not rule it out.

    ``rules`` are those of definitions/imwg.yaml: below ``possible_under`` years a pregnancy is possible even
    where menopause is charted (treatment may have caused it); from ``ended_from`` years it is not. Between
    them it takes a charted menopause.
    """
    pregnant, tests = _tested(measurements, rules, as_of)
    if sex == "male":
        return Fertility(NO)
    if sex != "female":
        return Fertility(UNKNOWN, (), pregnant, tests)
    there = [c for c in comorbidities if c.present]
    removed = [x.reference for x in there if x.concept == _REMOVED]
    removed += [p.reference for p in procedures if p.kind == _REMOVED]
    if removed:
        return Fertility(NO, tuple(sorted(set(removed))), pregnant, tests)
    if pregnant:
        return Fertility(POSSIBLE, tests, pregnant, tests)
    if ages is None:
        return Fertility(UNKNOWN, (), pregnant, tests)
    if ages[0] >= rules["ended_from"]:
        return Fertility(NO, (), pregnant, tests)
    menopause = tuple(sorted({c.reference for c in there if c.concept == _MENOPAUSE}))
    if menopause and ages[0] >= rules["possible_under"]:
        return Fertility(NO, menopause, pregnant, tests)
    if ages[1] < rules["possible_under"]:
        return Fertility(POSSIBLE, (), pregnant, tests)
    return Fertility(UNKNOWN, (), pregnant, tests)


def _tested(
    measurements: Sequence[Measurement], rules: Mapping[str, Any], as_of: date
) -> tuple[bool | None, tuple[str, ...]]:
    """What the latest pregnancy test says, where it is recent enough to say anything."""
    dated = [
        (m.on.latest, says, m.reference)
        for m in measurements
        if m.concept in rules["tests"]
        and m.on is not None
        and m.on.earliest <= as_of
        and (says := positive(m)) is not None
    ]
    if not dated:
        return None, ()
    day, says, reference = max(dated)  # of one day the positive one
    reach = rules["positive_test_days"] if says else rules["negative_test_days"]
    return (says, (reference,)) if day + timedelta(reach) >= as_of else (None, ())
