"""Progression by the numbers: M-protein of serum and urine, light chains, marrow, blood, lesions.

Thresholds, units and sources stand in definitions/imwg.yaml, "response"; how values become samples in
samples.py. What is decided here:

* A rise is measured from the lowest value since the line began, its baseline included. It counts where the
  next sample of the same marker shows it too, before any new treatment: a treatment begun in between
  confirms nothing, it only leaves the reason of the change open. The progression has the date of the first
  sample.
* No rise is held against a line in its first weeks: it is the progression for which the line was begun.
* Light chains are judged only where the serum M-protein is charted as too low to measure, the marrow only
  where the light chains are, too, plasma cells in blood only where no marrow and no lesion is charted either.
  A urine or a light chain never charted counts as not measurable, a serum M-protein never charted leaves the
  question open.
* A new lesion that imaging states is progression, once, where earlier imaging of the same line or its
  baseline is charted: else it may be new since an image taken before the treatment.
* What comes back after a complete response, and signs of a clinical relapse, are no progression
  (remarks.py, signs.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from cds_service.knowledge.types import Knowledge, Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.samples import (
    DIFFERENCE,
    NEW_LESION,
    NOISE,
    LaboratoryValues,
    Period,
    Sample,
    periods_of,
    reaches,
)
from cds_service.patient.signs import clinical_signs, looked_for, may_have_doubled, significant
from cds_service.patient.types import Certainty, Line, Progression, Unknown
from cds_service.record import DateSpan, Issue, Severity

TRUST = 4
"""Trust of a computed progression: below what the chart states, above what is presumed."""

_BETTER = {
    DIFFERENCE: ("serum", "urine"),
    "marrow": ("serum", "urine", DIFFERENCE),
    "circulating": ("serum", "urine", DIFFERENCE),
}


@dataclass(frozen=True)
class Rise:
    """A rise of one marker from its lowest value; ``second`` None: nothing confirms it, or need not.

    For a new lesion on imaging ``lowest`` is the same as ``first``.
    """

    marker: str
    lowest: Sample
    first: Sample
    second: Sample | None
    confirmed: bool
    judged: bool = True  # False: whether the marker may be used at all is not charted
    too_low: tuple[
        tuple[str, Sample | None], ...
    ] = ()  # better markers that do not measure; None: not charted
    rests_on: tuple[str, ...] = ()  # further resources: those that show what is not measurable

    @property
    def derived_from(self) -> tuple[str, ...]:
        """All resources it rests on."""
        samples = (self.lowest, self.first, self.second) if self.second else (self.lowest, self.first)
        return tuple(sorted({*self.rests_on, *(r for s in samples for r in s.derived_from)}))


def laboratory_progressions(
    values: LaboratoryValues, lines: Sequence[Line], language: str
) -> tuple[Progression, ...]:
    """The first computed progression of each line, oldest first: trust 4, dated at its first sample.

    Its text says which marker it is judged by, and what the values say of the need to treat it.
    """
    found = []
    for period in periods_of(lines, values.as_of):
        rise = min((r for r in rises(values, period) if r.confirmed and r.judged), key=_first, default=None)
        if rise is not None:
            name = "laboratory" if rise.second else "laboratory-once"
            name = NEW_LESION if rise.marker == NEW_LESION else name
            texts = [_told(rise, "progression", name, values.knowledge), *_tempo(values, period, rise)]
            text = " ".join(t.in_language(language) for t in texts)
            on = DateSpan.on(rise.first.on)
            found.append(Progression(on, TRUST, Certainty.COMPUTED, text, rise.derived_from))
    return tuple(found)


def _tempo(values: LaboratoryValues, period: Period, rise: Rise) -> Iterator[Text]:
    """Why this marker, whether signs call for treatment, and whether the progression may be observed."""
    known = values.knowledge.definitions
    if rise.too_low:
        yield because_not_others(rise.too_low, values.knowledge)
    signs = clinical_signs(values, period, rise.first.on)
    if rise.marker == NEW_LESION:
        signs = tuple(sign for sign in signs if sign.kind != NEW_LESION)
    if signs:
        yield sentence(known, "laboratory", "signs", signs=listed([s.told(values.knowledge) for s in signs]))
    rapid = significant(values, period)
    if rapid is not None:
        yield sentence(
            known,
            "laboratory",
            "significant",
            marker=sentence(known, "marker", rapid.marker),
            unit=sentence(known, "marker_unit", rapid.marker),
            lowest=str(rapid.lowest),
            since=str(rapid.lowest.on),
            value=str(rapid.first),
            date=str(rapid.first.on),
            second=str(rapid.second),
            again=str(rapid.second.on),
        )
    biochemical = rise.marker in ("serum", "urine", DIFFERENCE)
    if biochemical and not signs and rapid is None and not may_have_doubled(values, period):
        name = "may-be-observed" if looked_for(values, period, rise.first.on) else "signs-not-charted"
        yield sentence(known, "laboratory", name)


def because_not_others(too_low: Sequence[tuple[str, Sample | None]], knowledge: Knowledge) -> Text:
    """The sentence that says why a lesser marker is the measure."""
    parts = []
    for marker, shown in too_low:
        parts.append(
            sentence(
                knowledge.definitions,
                "laboratory",
                "marker-not-charted" if shown is None else "marker-too-low",
                marker=sentence(knowledge.definitions, "marker", marker),
                unit=sentence(knowledge.definitions, "marker_unit", marker),
                value=str(shown or ""),
                date=str(shown.on) if shown else "",
            )
        )
    return sentence(knowledge.definitions, "laboratory", "because-not-others", others=listed(parts))


def listed(texts: Sequence[Text]) -> Text:
    """Several texts as one, with semicolons between."""
    return Text(*("; ".join(t.in_language(language) for t in texts) for language in ("en", "it")))


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
        if progressed_in(period, progressions):
            continue
        rise = open_rise(values, period)
        if rise is None:
            continue
        name, code, settles = "unconfirmed", "unconfirmed-rise", "second-sample"
        severity = Severity.INFORMATION
        if not rise.judged:
            name, code, settles = "measurable-unknown", "measurable-disease-unknown", "measurable"
        if rise.marker == NEW_LESION:
            name, code, settles = "new-lesion-unclear", "new-lesion-unclear", "earlier-images"
            severity = Severity.WARNING  # whenever it appeared, somebody should look
        text = _told(rise, "laboratory", name, values.knowledge).in_language(language)
        issues.append(Issue(severity, code, text, rise.first.derived_from[0]))
        if period is periods[-1] and lines and lines[-1].start == period.start:
            text = _told(rise, "would_settle", settles, values.knowledge).in_language(language)
            unknown.append(Unknown("laboratory-progression", text))
    return tuple(unknown), tuple(issues)


def progressed_in(period: Period, progressions: Sequence[Progression]) -> bool:
    """Whether any of the progressions may have fallen in the period."""
    return any(p.on.latest > period.start.earliest and p.on.earliest <= period.end for p in progressions)


def open_rise(values: LaboratoryValues, period: Period) -> Rise | None:
    """The first rise of a period that nothing confirms, or of a marker that may not count."""
    return min((r for r in rises(values, period) if not (r.confirmed and r.judged)), key=_first, default=None)


def _told(rise: Rise, group: str, name: str, knowledge: Knowledge) -> Text:
    return sentence(
        knowledge.definitions,
        group,
        name,
        marker=sentence(knowledge.definitions, "marker", rise.marker),
        unit="" if rise.marker == NEW_LESION else _unit(rise.marker, knowledge),
        lowest=str(rise.lowest),
        since=str(rise.lowest.on),
        value=str(rise.first),
        date=str(rise.first.on),
        second=str(rise.second or ""),
        again=str(rise.second.on) if rise.second else "",
    )


def _unit(marker: str, knowledge: Knowledge) -> Text:
    return sentence(knowledge.definitions, "marker_unit", marker)


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
    for marker, sites in values.lesions.items():
        for samples in sites.values():
            if rise := _rise(values, marker, samples, period):
                yield rise
    if new := _new_lesion(values, period):
        yield new


def _rise(values: LaboratoryValues, marker: str, samples: Sequence[Sample], period: Period) -> Rise | None:
    course = values.course(samples, period)
    test = has_risen(marker, values.rules)
    lowest: Sample | None = None
    for place, sample in enumerate(course):
        if lowest is not None and _settled(values, sample, period) and test(lowest, sample):
            following = course[place + 1] if place + 1 < len(course) else None
            alone = marker not in values.rules["confirmed"]
            again = following is not None and test(lowest, following)
            if alone or again or following is None:
                second = following if again and not alone else None
                return _allowed(values, Rise(marker, lowest, sample, second, alone or again), period)
        if lowest is None or sample.high < lowest.high:
            lowest = sample
    return None


def _settled(values: LaboratoryValues, sample: Sample, period: Period) -> bool:
    return sample.on > period.start.latest + values.settling


def _new_lesion(values: LaboratoryValues, period: Period) -> Rise | None:
    """The first new lesion that imaging states and earlier images bear out, else the first stated."""
    since = values.baseline_from(period)
    found = []
    for sample in values.during(values.new_lesions, period):
        if not _settled(values, sample, period):
            continue
        earlier = [s for s in values.imaged if since <= s.on < sample.on][-1:]
        rests_on = tuple(r for s in earlier for r in s.derived_from)
        found.append(
            Rise(NEW_LESION, sample, sample, None, confirmed=True, judged=bool(earlier), rests_on=rests_on)
        )
    return min(found, key=lambda rise: (not rise.judged, rise.first.on), default=None)


def has_risen(marker: str, numbers: Mapping[str, Any]) -> Callable[[Sample, Sample], bool]:
    """The test whether a second sample of ``marker`` has risen enough above the lowest one."""
    rules = numbers["progression"]

    def risen(lowest: Sample, sample: Sample) -> bool:
        by = sample.low - lowest.high
        share = reaches(by, lowest.high * rules["increase_percent"] / 100)
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
        if marker == "circulating":
            share = reaches(by, lowest.high * rules["circulating_percent"] / 100)
            return share and reaches(by, rules["circulating"])
        half = reaches(by, lowest.high * rules["plasmacytoma_percent"] / 100) and by > NOISE
        return half and (marker == "plasmacytomas" or lowest.low > rules["plasmacytoma_from"] + NOISE)

    return risen


def _allowed(values: LaboratoryValues, rise: Rise, period: Period) -> Rise | None:
    """The rise, where its marker may be used: it may not while a better one can be measured."""
    if rise.marker == "circulating":
        others = [values.series["marrow"], *(s for sites in values.lesions.values() for s in sites.values())]
        if any(s.on <= rise.first.on for samples in others for s in values.course(samples, period)):
            return None  # only where it is the only measure
    too_low: list[tuple[str, Sample | None]] = []
    rests_on: set[str] = set()
    judged = True
    for marker in _BETTER.get(rise.marker, ()):
        measurable = values.measurable(marker, period, rise.first.on)
        if measurable.answer:
            return None
        if measurable.answer is None and marker == "serum":
            judged = False
        too_low.append((marker, measurable.shown))
        rests_on.update(measurable.derived_from)
    return replace(rise, judged=judged, too_low=tuple(too_low), rests_on=tuple(sorted(rests_on)))
