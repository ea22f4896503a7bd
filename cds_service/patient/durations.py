"""How long: on a drug, since it, from the start of a line to its progression; in months.

A time that the charted dates leave open by a month or more is not told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from cds_service.knowledge.types import Knowledge
from cds_service.patient.exposures import Course
from cds_service.patient.labels import Clock
from cds_service.patient.progression import Event
from cds_service.patient.purposes import TRANSPLANTS
from cds_service.patient.types import DrugState, Line, Progression
from cds_service.record import ClinicalRecord, DateSpan, ProcedureFact


def months_between(start: DateSpan, end: DateSpan, days_per_month: float) -> tuple[float, float]:
    """Shortest and longest time between two charted dates, in months."""
    return (
        (end.earliest - start.latest).days / days_per_month,
        (end.latest - start.earliest).days / days_per_month,
    )


def told(months: tuple[float, float] | None) -> float | None:
    """The time itself, to a tenth of a month, where the dates leave less than a month of doubt."""
    if months is None or months[1] - months[0] >= 1:
        return None
    return max(round((months[0] + months[1]) / 2, 1), 0.0)


def clocks(
    lines: Sequence[Line], record: ClinicalRecord, events: Sequence[Event], days_per_month: float
) -> dict[str, Clock]:
    """Time to the first progression, in whichever line it fell: from the first dose, from the transplant.

    The transplant is the first of the first line. Names as in definitions/imwg.yaml, "functional_high_risk".
    """
    start = lines[0].start if lines else None
    until = lines[1].start if len(lines) > 1 else None
    transplants = [
        p
        for p in _transplants(record)
        if p.on and start and p.on >= start and (until is None or p.on.earliest < until.earliest)
    ]
    first = transplants[0] if transplants else None
    return {
        "first-dose": _clock(start, lines[0].derived_from if lines else (), events, days_per_month),
        "transplant": _clock(
            first.on if first else None, (first.reference,) if first else (), events, days_per_month
        ),
    }


def _clock(
    start: DateSpan | None, by: Iterable[str], events: Sequence[Event], days_per_month: float
) -> Clock:
    if start is None:
        return Clock(None)
    first = next((e for e in events if e.on.earliest > start.latest), None)
    if first is None:
        return Clock(None)
    references = {*by, *(r for fact in first.facts for r in fact.derived_from)}
    return Clock(months_between(start, first.on, days_per_month), tuple(sorted(references)))


def months_after_transplant(
    record: ClinicalRecord, progressions: Sequence[Progression], days_per_month: float
) -> float | None:
    """Months from the last transplant to the first progression after it."""
    done = [p.on for p in _transplants(record) if p.on is not None]
    if not done:
        return None
    last = DateSpan.last_of(done)
    after = [p.on for p in progressions if p.on.earliest > last.latest]
    return told(months_between(last, min(after), days_per_month)) if after else None


def _transplants(record: ClinicalRecord) -> list[ProcedureFact]:
    done = [p for p in record.procedures if p.kind in TRANSPLANTS and p.on is not None]
    return sorted(done, key=lambda p: (p.on or DateSpan(date.min, date.min), p.reference))


def with_durations(
    drugs: Mapping[str, DrugState], courses: Sequence[Course], as_of: date, days_per_month: float
) -> dict[str, DrugState]:
    """The drugs with the time on each, summed over its courses, and the time since its last dose.

    Both are modifiers of what to expect from the drug, never of its state. A drug given for years and
    stopped for years is judged by the day of the progression alone.
    """
    today = DateSpan(as_of, as_of)
    found = dict(drugs)
    for key, state in drugs.items():
        own = [c for c in courses if c.drug == key and c.dated]
        if not own or len(own) < sum(1 for c in courses if c.drug == key):
            continue
        spans = [months_between(c.first, c.last, days_per_month) for c in own]
        total = (sum(max(s[0], 0.0) for s in spans), sum(s[1] for s in spans))
        since = None
        if not state.ongoing and state.last is not None:
            since = told(months_between(state.last, today, days_per_month))
        found[key] = replace(state, months_on=told(total), months_since_last=since)
    return found


def treatment_free_months(
    courses: Sequence[Course],
    record: ClinicalRecord,
    knowledge: Knowledge,
    as_of: date,
    days_per_month: float,
) -> float | None:
    """Months since the last treatment against myeloma; 0 while on it, None where dates do not tell.

    Steroids alone do not count as treatment, a transplant does.
    """
    treating = [c for c in courses if knowledge.drugs[c.drug].treats_myeloma]
    if not treating:
        return None
    if any(c.ongoing for c in treating):
        return 0.0
    ends = [c.last for c in treating] + [p.on for p in _transplants(record) if p.on]
    first = max(end.earliest for end in ends)
    last = max(end.latest for end in ends)
    return told(months_between(DateSpan(first, last), DateSpan(as_of, as_of), days_per_month))


def with_times_to_progression(lines: Sequence[Line], days_per_month: float) -> tuple[Line, ...]:
    """The lines with the time from first dose to progression of each."""
    return tuple(
        replace(
            line, months_to_progression=told(months_between(line.start, line.progression, days_per_month))
        )
        if line.start is not None and line.progression is not None
        else line
        for line in lines
    )
