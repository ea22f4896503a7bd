"""Progression by the numbers: M-protein of serum and urine, light chains, marrow, plasmacytomas.

Thresholds, units and sources stand in definitions/imwg.yaml, "response"; how values become samples in
samples.py. What is decided here:

* A rise is measured from the lowest value since the line began, its baseline included. It counts where the
  next sample of the same marker shows it too, before any new treatment: a treatment begun in between
  confirms nothing, it only leaves the reason of the change open. The progression has the date of the first
  sample.
* No rise is held against a line in its first weeks: it is the progression for which the line was begun.
* Light chains are judged only where the serum M-protein is charted as too low to measure, the marrow only
  where the light chains are, too. A urine or a light chain never charted counts as not measurable, a serum
  M-protein never charted leaves the question open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from cds_service.knowledge.types import Knowledge, Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.samples import (
    DIFFERENCE,
    NOISE,
    LaboratoryValues,
    Period,
    Sample,
    periods_of,
    reaches,
)
from cds_service.patient.types import Certainty, Line, Progression, Unknown
from cds_service.record import DateSpan, Issue, Severity

TRUST = 4
"""Trust of a computed progression: below what the chart states, above what is presumed."""


@dataclass(frozen=True)
class Rise:
    """A rise of one marker from its lowest value; ``second`` None: nothing confirms it, or need not."""

    marker: str
    lowest: Sample
    first: Sample
    second: Sample | None
    confirmed: bool
    judged: bool = True  # False: whether the marker may be used at all is not charted
    rests_on: tuple[str, ...] = ()  # further resources: those that show what is not measurable

    @property
    def derived_from(self) -> tuple[str, ...]:
        """All resources it rests on."""
        samples = (self.lowest, self.first, self.second) if self.second else (self.lowest, self.first)
        return tuple(sorted({*self.rests_on, *(r for s in samples for r in s.derived_from)}))


def laboratory_progressions(
    values: LaboratoryValues, lines: Sequence[Line], language: str
) -> tuple[Progression, ...]:
    """The first computed progression of each line, oldest first: trust 4, dated at its first sample."""
    found = []
    for period in periods_of(lines, values.as_of):
        rise = min((r for r in rises(values, period) if r.confirmed and r.judged), key=_first, default=None)
        if rise is not None:
            name = "laboratory" if rise.second else "laboratory-once"
            text = _told(rise, "progression", name, values.knowledge).in_language(language)
            on = DateSpan.on(rise.first.on)
            found.append(Progression(on, TRUST, Certainty.COMPUTED, text, rise.derived_from))
    return tuple(found)


def laboratory_questions(
    values: LaboratoryValues,
    lines: Sequence[Line],
    progressions: Sequence[Progression],
    language: str,
) -> tuple[tuple[Unknown, ...], tuple[Issue, ...]]:
    """What the values leave open: rises that nothing confirms, or of a marker that may not count.

    Said of lines without a progression in ``progressions`` only. An unknown where a further sample can still
    settle it, in the last line; always an issue.
    """
    unknown: list[Unknown] = []
    issues: list[Issue] = []
    periods = list(periods_of(lines, values.as_of))
    for period in periods:
        if any(p.on.latest > period.start.earliest and p.on.earliest <= period.end for p in progressions):
            continue
        rise = min(
            (r for r in rises(values, period) if not (r.confirmed and r.judged)), key=_first, default=None
        )
        if rise is None:
            continue
        name = "unconfirmed" if rise.judged else "measurable-unknown"
        text = _told(rise, "laboratory", name, values.knowledge).in_language(language)
        code = "unconfirmed-rise" if rise.judged else "measurable-disease-unknown"
        issues.append(Issue(Severity.INFORMATION, code, text, rise.first.derived_from[0]))
        if period is periods[-1] and lines and lines[-1].start == period.start:
            settles = "second-sample" if rise.judged else "measurable"
            text = _told(rise, "would_settle", settles, values.knowledge).in_language(language)
            unknown.append(Unknown("laboratory-progression", text))
    return tuple(unknown), tuple(issues)


def _told(rise: Rise, group: str, name: str, knowledge: Knowledge) -> Text:
    return sentence(
        knowledge.definitions,
        group,
        name,
        marker=sentence(knowledge.definitions, "marker", rise.marker),
        unit=sentence(knowledge.definitions, "marker_unit", rise.marker),
        lowest=str(rise.lowest),
        since=str(rise.lowest.on),
        value=str(rise.first),
        date=str(rise.first.on),
        second=str(rise.second or ""),
        again=str(rise.second.on) if rise.second else "",
    )


def _first(rise: Rise) -> tuple[date, str]:
    return rise.first.on, rise.marker


def rises(values: LaboratoryValues, period: Period) -> Iterator[Rise]:
    """The first rise of each marker in a period: confirmed if any is, else the one still open."""
    for marker, samples in values.series.items():
        if rise := _rise(values, marker, samples, period):
            yield rise
    for chains in values.chains.values():
        if rise := _rise(values, DIFFERENCE, chains, period):
            yield rise


def _rise(values: LaboratoryValues, marker: str, samples: Sequence[Sample], period: Period) -> Rise | None:
    baseline = values.baseline(samples, period)
    course = values.during(samples, period)
    if baseline is not None and baseline not in course:
        course = [baseline, *course]
    test = has_risen(marker, values.rules)
    lowest: Sample | None = None
    for place, sample in enumerate(course):
        settled = sample.on > period.start.latest + values.settling
        if lowest is not None and settled and test(lowest, sample):
            following = course[place + 1] if place + 1 < len(course) else None
            alone = marker not in values.rules["confirmed"]
            again = following is not None and test(lowest, following)
            if alone or again or following is None:
                second = following if again and not alone else None
                return _allowed(values, Rise(marker, lowest, sample, second, alone or again), period)
        if lowest is None or sample.high < lowest.high:
            lowest = sample
    return None


def has_risen(marker: str, numbers: Mapping[str, Any]) -> Callable[[Sample, Sample], bool]:
    """The test whether a second sample of ``marker`` has risen enough above the lowest one."""
    rules = numbers["progression"]

    def risen(lowest: Sample, sample: Sample) -> bool:
        by = sample.low - lowest.high
        share = reaches(by, lowest.high * rules["increase_percent"] / 100)
        half = reaches(by, lowest.high * rules["plasmacytoma_percent"] / 100) and by > NOISE
        if marker == "serum":
            high = reaches(lowest.low, rules["serum_high_from"])
            enough = share and reaches(by, rules["serum"])
            return enough or (high and reaches(by, rules["serum_high"]))
        if marker == "urine":
            return share and reaches(by, rules["urine"])
        if marker == DIFFERENCE:
            return share and by > rules["light_chain_difference"] + NOISE and sample.clonal
        if marker == "marrow":
            return share and reaches(by, rules["marrow_points"])
        return half and (marker == "plasmacytomas" or lowest.low > rules["plasmacytoma_from"] + NOISE)

    return risen


def _allowed(values: LaboratoryValues, rise: Rise, period: Period) -> Rise | None:
    """The rise, where its marker may be used: it may not while a better one can be measured."""
    better = {DIFFERENCE: ("serum", "urine"), "marrow": ("serum", "urine", DIFFERENCE)}
    rests_on: set[str] = set()
    judged = True
    for marker in better.get(rise.marker, ()):
        measurable, references = values.measurable(marker, period, rise.first.on)
        if measurable:
            return None
        if measurable is None and marker == "serum":
            judged = False
        rests_on.update(references)
    return Rise(
        rise.marker,
        rise.lowest,
        rise.first,
        rise.second,
        rise.confirmed,
        judged,
        tuple(sorted(rests_on)),
    )
