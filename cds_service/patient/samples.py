"""Laboratory values as series of samples: one day's value of one marker, as a range.

In: the measurements of a record. Out: samples by marker, light chains paired by day, the baseline of a period
and whether a marker can measure the disease in it. What progression and response are made of these stands in
biochemistry.py and response.py.

* Every value is a range: "<0.1" lies between 0 and 0.1, two results of one day span both. A rise or a fall
  is called only where the whole ranges allow no other answer.
* Values of unsure day are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from cds_service.knowledge.types import Knowledge
from cds_service.patient.types import Line
from cds_service.record import ClinicalRecord, DateSpan, Measurement

_CONCEPTS = {
    "serum": "m-protein-serum",
    "urine": "m-protein-urine-24h",
    "marrow": "bm-plasma-cells-pct",
    "plasmacytoma": "plasmacytoma-diameter",
    "plasmacytomas": "plasmacytoma-spd",
}
DIFFERENCE = "light-chain-difference"
_CHAINS = ("flc-kappa", "flc-lambda")
NONE = frozenset({"absent", "negative"})
"""Results in words that say: nothing there."""
NOISE = 1e-9  # of binary fractions: 0.9 - 0.4 must reach 0.5


@dataclass(frozen=True)
class Sample:
    """One day's value of one marker, between ``low`` and ``high``."""

    on: date
    low: float
    high: float
    derived_from: tuple[str, ...] = ()
    clonal: bool = True  # light chains only: the kappa/lambda ratio is abnormal to the involved side

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.low:g}"
        if math.isinf(self.high):
            return f">{self.low:g}"
        return f"<{self.high:g}" if self.low == 0 else f"{self.low:g}-{self.high:g}"


@dataclass(frozen=True)
class Period:
    """The days of one line: samples count after ``start`` and up to ``end``, the next line's first day."""

    start: DateSpan
    end: date


def periods_of(lines: Sequence[Line], as_of: date) -> Iterator[Period]:
    """The lines of known start, each until the next; one before a line of unknown start has no known end."""
    for place, line in enumerate(lines):
        following = lines[place + 1].start if place + 1 < len(lines) else DateSpan(as_of, as_of)
        if line.start is not None and following is not None:
            yield Period(line.start, following.earliest)


class LaboratoryValues:
    """The laboratory values of one record as series by marker, and what they say of a period."""

    def __init__(self, record: ClinicalRecord, knowledge: Knowledge, as_of: date) -> None:
        self.knowledge = knowledge
        self.as_of = as_of
        numbers = knowledge.definitions["imwg"]
        self.rules: Mapping[str, Any] = numbers["response"]
        self.settling = timedelta(days=numbers["lines"]["first_assessment_days"])
        self._of: dict[str, list[Measurement]] = {}
        for measurement in record.measurements:
            self._of.setdefault(measurement.concept, []).append(measurement)
        self.series = {marker: self.samples(self.of(concept)) for marker, concept in _CONCEPTS.items()}
        kappa, lambda_ = (self.samples(self.of(concept)) for concept in _CHAINS)
        on_day = {other.on: other for other in lambda_}
        pairs = [(k, on_day[k.on]) for k in kappa if k.on in on_day]
        self.chains = {
            "kappa": [self._difference(k, other, kappa=True) for k, other in pairs],
            "lambda": [self._difference(other, k, kappa=False) for k, other in pairs],
        }
        self.involved = {
            "kappa": [k for k, _ in pairs],
            "lambda": [other for _, other in pairs],
        }

    def of(self, concept: str) -> Sequence[Measurement]:
        """The measurements of one concept as charted."""
        return self._of.get(concept, ())

    def samples(self, measurements: Iterable[Measurement]) -> list[Sample]:
        """One sample a day, oldest first; "absent" is none at all."""
        days: dict[date, Sample] = {}
        for measurement in measurements:
            span = _range(measurement)
            if span is None or measurement.on is None or not measurement.on.exact:
                continue
            on = measurement.on.earliest
            if on > self.as_of:
                continue
            same = days.get(on, Sample(on, *span))
            references = tuple(sorted({*same.derived_from, measurement.reference}))
            days[on] = Sample(on, min(span[0], same.low), max(span[1], same.high), references)
        return [days[on] for on in sorted(days)]

    def _difference(self, involved: Sample, other: Sample, *, kappa: bool) -> Sample:
        """Involved minus uninvolved, never below nothing, and whether the ratio is abnormal to that side."""
        normal = self.rules["light_chain_ratio"]
        if kappa:
            clonal = involved.low > normal["highest"] * other.high
        else:
            clonal = other.high < normal["lowest"] * involved.low
        return Sample(
            involved.on,
            max(involved.low - other.high, 0.0),
            max(involved.high - other.low, 0.0),
            tuple(sorted({*involved.derived_from, *other.derived_from})),
            clonal,
        )

    # ---- which samples ------------------------------------------------------------------------------------
    def during(self, samples: Sequence[Sample], period: Period) -> list[Sample]:
        """The samples after the first dose and up to the next line."""
        return [s for s in samples if period.start.latest < s.on <= period.end]

    def baseline(self, samples: Sequence[Sample], period: Period) -> Sample | None:
        """The last value before the first dose, not too old, else the first within days of it."""
        earliest = period.start.latest - timedelta(days=self.rules["baseline_days_before"])
        before = [s for s in samples if earliest <= s.on <= period.start.earliest]
        if before:
            return before[-1]
        latest = period.start.earliest + timedelta(days=self.rules["baseline_days_after"])
        return next((s for s in samples if period.start.latest < s.on <= min(latest, period.end)), None)

    def judged_by(self, samples: Sequence[Sample], period: Period, until: date) -> list[Sample]:
        """The samples that say whether a marker is measurable: the baseline, else all up to a day."""
        baseline = self.baseline(samples, period)
        return [baseline] if baseline is not None else [s for s in samples if s.on <= until]

    def measurable(self, marker: str, period: Period, until: date) -> tuple[bool | None, tuple[str, ...]]:
        """Whether ``marker`` can measure the disease, and the resources that say so; None: not charted."""
        at_least = self.rules["measurable"]
        if marker == DIFFERENCE:
            answers = []
            for side, chains in self.chains.items():
                shown = self.judged_by(chains, period, until)
                days = {s.on for s in shown if s.clonal}
                involved = [s for s in self.involved[side] if s.on in days]
                answers.append(any(reaches(s.low, at_least["involved_light_chain"]) for s in involved))
            samples = [s for chains in self.chains.values() for s in self.judged_by(chains, period, until)]
            answer = any(answers)
        else:
            samples = self.judged_by(self.series[marker], period, until)
            answer = any(reaches(s.high, at_least[marker]) for s in samples)
        references = tuple(sorted({r for s in samples for r in s.derived_from}))
        return (answer if samples else None), references


def reaches(value: float, threshold: float) -> bool:
    """Whether a value is at least the threshold, but for the noise of binary fractions."""
    return value >= threshold - NOISE


def _range(measurement: Measurement) -> tuple[float, float] | None:
    """Between which numbers a measurement lies; None where it has no number. Nothing is below zero."""
    value = measurement.value
    if value is None:
        return (0.0, 0.0) if measurement.text in NONE else None
    if value < 0:
        return None
    if measurement.text.startswith(("<", "≤")):
        return 0.0, value
    if measurement.text.startswith((">", "≥")):
        return value, math.inf
    return value, value
