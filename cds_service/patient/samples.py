"""Laboratory values as series of samples: one day's value of one marker, as a range.

In: the measurements of a record. Out: samples by marker, light chains paired by day, lesions apart by site,
the baseline of a period and whether a marker can measure the disease in it. What progression and response
are made of these stands in biochemistry.py and response.py.

* Every value is a range: "<0.1" lies between 0 and 0.1, two results of one day span both. A rise or a fall
  is called only where the whole ranges allow no other answer.
* Bands of an M-protein that their codes call single ones are summed; where a band charted before is missing
  on a day, the sum has no upper end.
* Lesions of different sites are never compared with each other.
* Values of unsure day and results in words that give no number are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from cds_service.knowledge.types import Knowledge
from cds_service.patient.types import Line
from cds_service.record import ClinicalRecord, DateSpan, Measurement

DIFFERENCE = "light-chain-difference"
LESIONS = {"plasmacytoma": "plasmacytoma-diameter", "plasmacytomas": "plasmacytoma-spd"}
"""Markers of single lesions and of all together, with their concepts."""
NEW_LESION = "new-lesion"
"""A marker without values, and the result of imaging that says so."""
_SERIES = {
    "urine": "m-protein-urine-24h",
    "marrow": "bm-plasma-cells-pct",
    "circulating": "blood-plasma-cells-abs",
}
_SERUM = "m-protein-serum"
_BANDS = ("m-protein-serum-band-1", "m-protein-serum-band-2", "m-protein-serum-band-3")
_CHAINS = ("flc-kappa", "flc-lambda")
NONE = frozenset({"absent", "negative"})
"""Results in words that say: nothing there."""
# Of these "absent" is no number: "negative" light chains are normal ones, a "negative" marrow has some cells.
_NEVER_NONE = frozenset({*_CHAINS, _SERIES["marrow"]})
NOISE = 1e-9  # of binary fractions: 0.9 - 0.4 must reach 0.5

# What is judged, by the name it has in sentences: a value of it that cannot be used is told.
WATCHED = {
    "serum": (_SERUM, *_BANDS),
    "urine": ("m-protein-urine-24h",),
    "light-chains": _CHAINS,
    "marrow": ("bm-plasma-cells-pct",),
    "plasmacytoma": ("plasmacytoma-diameter",),
    "plasmacytomas": ("plasmacytoma-spd",),
    "circulating": ("blood-plasma-cells-abs",),
    "imaging": ("imaging",),
}


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


@dataclass(frozen=True)
class Measurable:
    """Whether a marker can measure the disease (None: not charted), and the highest sample that says so."""

    answer: bool | None
    shown: Sample | None = None
    derived_from: tuple[str, ...] = ()


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
        self.same_event = timedelta(days=numbers["lines"]["same_event_days"])
        self._series: dict[str, list[Sample]] = {}
        self._of: dict[str, list[Measurement]] = {}
        for measurement in record.measurements:
            self._of.setdefault(measurement.concept, []).append(measurement)
        self.series = {"serum": self._serum()}
        self.series |= {marker: self.samples(self.of(concept)) for marker, concept in _SERIES.items()}
        self.lesions = {marker: self._by_site(concept) for marker, concept in LESIONS.items()}
        kappa, lambda_ = (self.samples(self.of(concept)) for concept in _CHAINS)
        on_day = {other.on: other for other in lambda_}
        pairs = [(k, on_day[k.on]) for k in kappa if k.on in on_day]
        self.chains = {
            "kappa": [self._difference(k, other, kappa=True) for k, other in pairs],
            "lambda": [self._difference(other, k, kappa=False) for k, other in pairs],
        }
        self.involved = {
            "kappa": [
                replace(k, clonal=d.clonal) for (k, _), d in zip(pairs, self.chains["kappa"], strict=True)
            ],
            "lambda": [
                replace(other, clonal=d.clonal)
                for (_, other), d in zip(pairs, self.chains["lambda"], strict=True)
            ],
        }
        self.new_lesions, self.imaged = self._imaging()

    def of(self, concept: str) -> Sequence[Measurement]:
        """The measurements of one concept as charted."""
        return self._of.get(concept, ())

    def series_of(self, concept: str) -> list[Sample]:
        """One sample a day of one concept, oldest first."""
        if concept not in self._series:
            self._series[concept] = self.samples(self.of(concept))
        return self._series[concept]

    def on_days(self, concept: str) -> dict[date, list[Measurement]]:
        """The measurements of one concept by their day, where it is known, oldest first."""
        days: dict[date, list[Measurement]] = {}
        for measurement in self.of(concept):
            on = measurement.on
            if on is not None and on.exact and on.earliest <= self.as_of:
                days.setdefault(on.earliest, []).append(measurement)
        return {on: sorted(days[on], key=lambda m: m.reference) for on in sorted(days)}

    def samples(self, measurements: Iterable[Measurement]) -> list[Sample]:
        """One sample a day, oldest first; "absent" is none at all, where it can be."""
        days: dict[date, Sample] = {}
        for measurement in measurements:
            span = range_of(measurement)
            if span is None or measurement.on is None or not measurement.on.exact:
                continue
            on = measurement.on.earliest
            if on > self.as_of:
                continue
            same = days.get(on, Sample(on, *span))
            references = tuple(sorted({*same.derived_from, measurement.reference}))
            days[on] = Sample(on, min(span[0], same.low), max(span[1], same.high), references)
        return [days[on] for on in sorted(days)]

    def _serum(self) -> list[Sample]:
        """Serum M-protein by day: as charted whole, else the sum of its bands; both, where they differ."""
        whole = {s.on: s for s in self.samples(self.of(_SERUM))}
        bands = [{s.on: s for s in self.samples(self.of(band))} for band in _BANDS]
        days = {on for band in bands for on in band}
        summed = {}
        for on in days:
            parts = [band[on] for band in bands if on in band]
            missing = any(on not in band and min(band, default=on) < on for band in bands)
            references = tuple(sorted({r for part in parts for r in part.derived_from}))
            high = math.inf if missing else _tidy(sum(part.high for part in parts))
            summed[on] = Sample(on, _tidy(sum(part.low for part in parts)), high, references)
        found = []
        for on in sorted({*whole, *summed}):
            if on not in whole or on not in summed or math.isinf(summed[on].high):
                found.append(whole.get(on) or summed[on])
                continue
            one, other = whole[on], summed[on]
            references = tuple(sorted({*one.derived_from, *other.derived_from}))
            found.append(Sample(on, min(one.low, other.low), max(one.high, other.high), references))
        return found

    def _by_site(self, concept: str) -> dict[str, list[Sample]]:
        sites: dict[str, list[Measurement]] = {}
        for measurement in self.of(concept):
            sites.setdefault(measurement.site, []).append(measurement)
        return {site: self.samples(sites[site]) for site in sorted(sites)}

    def _imaging(self) -> tuple[list[Sample], list[Sample]]:
        """The days on which imaging showed a new lesion, and all days of imaging."""
        days = self.on_days("imaging")
        new = []
        imaged = [Sample(on, 0, 0, tuple(m.reference for m in results)) for on, results in days.items()]
        for on, results in days.items():
            shown = tuple(m.reference for m in results if m.text == NEW_LESION)
            if shown:
                new.append(Sample(on, 1, 1, shown))
        return new, imaged

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

    @cached_property
    def calcium(self) -> tuple[tuple[Sample, str], ...]:
        """Calcium by day in mg/dL, and how it is known: "charted" as corrected, "computed" or "uncorrected".

        Total calcium is corrected for a low albumin of the same day: + 0.8 mg/dL for each g/dL below 4.0
        (Payne et al., BMJ 1973;4:643-6; numbers in definitions/imwg.yaml). Without an albumin it stays.
        """
        formula = self.rules["calcium_correction"]
        found = {s.on: (s, "charted") for s in self.series_of("calcium-corrected")}
        albumin = {s.on: s for s in self.series_of("albumin")}
        for total in self.series_of("calcium-total"):
            if total.on in found:
                continue
            beside = albumin.get(total.on)
            if beside is None:
                found[total.on] = (total, "uncorrected")
                continue
            per, normal = formula["per_albumin"], formula["albumin"]
            corrected = Sample(
                total.on,
                _tidy(total.low + per * max(normal - beside.high, 0)),
                _tidy(total.high + per * max(normal - beside.low, 0)),
                tuple(sorted({*total.derived_from, *beside.derived_from})),
            )
            found[total.on] = (corrected, "computed")
        return tuple(found[on] for on in sorted(found))

    # ---- which samples ------------------------------------------------------------------------------------
    def during(self, samples: Sequence[Sample], period: Period) -> list[Sample]:
        """The samples after the first dose and up to the next line."""
        return [s for s in samples if period.start.latest < s.on <= period.end]

    def baseline(self, samples: Sequence[Sample], period: Period) -> Sample | None:
        """The last value before the first dose, not too old, else the first within days of it."""
        earliest = self.baseline_from(period)
        before = [s for s in samples if earliest <= s.on <= period.start.earliest]
        if before:
            return before[-1]
        latest = period.start.earliest + timedelta(days=self.rules["baseline_days_after"])
        return next((s for s in samples if period.start.latest < s.on <= min(latest, period.end)), None)

    def baseline_from(self, period: Period) -> date:
        """The first day whose values may be the baseline of a period."""
        return period.start.latest - timedelta(days=self.rules["baseline_days_before"])

    def course(self, samples: Sequence[Sample], period: Period) -> list[Sample]:
        """The samples of a period with its baseline, oldest first."""
        baseline = self.baseline(samples, period)
        during = self.during(samples, period)
        return [baseline, *during] if baseline is not None and baseline not in during else during

    def _judged_by(self, samples: Sequence[Sample], period: Period, until: date) -> list[Sample]:
        """The samples that say whether a marker is measurable: the baseline, else all up to a day."""
        baseline = self.baseline(samples, period)
        return [baseline] if baseline is not None else [s for s in samples if s.on <= until]

    def measurable(self, marker: str, period: Period, until: date) -> Measurable:
        """Whether ``marker`` can measure the disease of a period, judged by the values up to ``until``."""
        at_least = self.rules["measurable"]
        if marker == DIFFERENCE:
            answers = []
            for side, chains in self.chains.items():
                days = {s.on for s in self._judged_by(chains, period, until) if s.clonal}
                involved = [s for s in self.involved[side] if s.on in days]
                answers.append(any(reaches(s.low, at_least["involved_light_chain"]) for s in involved))
            samples = [s for chains in self.chains.values() for s in self._judged_by(chains, period, until)]
            answer = any(answers)
        else:
            samples = self._judged_by(self.series[marker], period, until)
            answer = any(reaches(s.high, at_least[marker]) for s in samples)
        if not samples:
            return Measurable(None)
        references = tuple(sorted({r for s in samples for r in s.derived_from}))
        return Measurable(answer, max(samples, key=lambda s: (s.high, s.on)), references)


def reaches(value: float, threshold: float) -> bool:
    """Whether a value is at least the threshold, but for the noise of binary fractions."""
    return value >= threshold - NOISE


def range_of(measurement: Measurement) -> tuple[float, float] | None:
    """Between which numbers a measurement lies; None where it has no number. Nothing is below zero."""
    value = measurement.value
    if value is None:
        none = measurement.text in NONE and measurement.concept not in _NEVER_NONE
        return (0.0, 0.0) if none else None
    if value < 0:
        return None
    if measurement.text.startswith(("<", "≤")):
        return 0.0, value
    if measurement.text.startswith((">", "≥")):
        return value, math.inf
    return value, value


def _tidy(value: float) -> float:
    return round(value, 9)  # 2.5 + 0.3 is shown as 2.8
