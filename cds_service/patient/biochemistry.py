"""Progression and response by the numbers: M-protein of serum and urine, light chains, marrow, plasmacytomas.

Thresholds, units and sources stand in definitions/imwg.yaml, "response". What is decided here:

* Every value is a range: "<0.1" lies between 0 and 0.1, two results of one day span both. A rise or a fall
  is called only where the whole ranges allow no other answer.
* A rise is measured from the lowest value since the line began, its baseline included. It counts where the
  next sample of the same marker shows it too, before any new treatment: a treatment begun in between
  confirms nothing, it only leaves the reason of the change open. The progression has the date of the first
  sample.
* No rise is held against a line in its first weeks: it is the progression for which the line was begun.
* Light chains are judged only where the serum M-protein is charted as too low to measure, the marrow only
  where the light chains are, too. A urine or a light chain never charted counts as not measurable, a serum
  M-protein never charted leaves the question open.
* Values of unsure day are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from cds_service.knowledge.types import Knowledge, Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.exposures import Course
from cds_service.patient.types import Certainty, Line, Progression, Unknown
from cds_service.record import ClinicalRecord, DateSpan, Issue, Measurement, Response, ResponseFact, Severity

TRUST = 4
"""Trust of a computed progression: below what the chart states, above what is presumed."""

_CONCEPTS = {
    "serum": "m-protein-serum",
    "urine": "m-protein-urine-24h",
    "marrow": "bm-plasma-cells-pct",
    "plasmacytoma": "plasmacytoma-diameter",
    "plasmacytomas": "plasmacytoma-spd",
}
_DIFFERENCE = "light-chain-difference"
_CHAINS = ("flc-kappa", "flc-lambda")
_IMMUNOFIXATION = ("immunofixation-serum", "immunofixation-urine")
_NONE = frozenset({"absent", "negative"})
_BETTER_FIRST = (Response.CR, Response.VGPR, Response.PR, Response.MR, Response.SD)
_NOISE = 1e-9  # of binary fractions: 0.9 - 0.4 must reach 0.5


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
class _Period:
    """The days of one line: samples count after ``start`` and up to ``end``, the next line's first day."""

    start: DateSpan
    end: date


@dataclass(frozen=True)
class _Rise:
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
        samples = (self.lowest, self.first, self.second) if self.second else (self.lowest, self.first)
        return tuple(sorted({*self.rests_on, *(r for s in samples for r in s.derived_from)}))


def laboratory_progressions(
    values: LaboratoryValues, lines: Sequence[Line], language: str
) -> tuple[Progression, ...]:
    """The first computed progression of each line, oldest first: trust 4, dated at its first sample."""
    found = []
    for period in _periods(lines, values.as_of):
        rise = min((r for r in values.rises(period) if r.confirmed and r.judged), key=_first, default=None)
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
    periods = list(_periods(lines, values.as_of))
    for period in periods:
        if any(p.on.latest > period.start.earliest and p.on.earliest <= period.end for p in progressions):
            continue
        rise = min(
            (r for r in values.rises(period) if not (r.confirmed and r.judged)), key=_first, default=None
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


def laboratory_responses(
    values: LaboratoryValues, lines: Sequence[Line], language: str
) -> tuple[ResponseFact, ...]:
    """Computed response categories of each line, each better than the one before, oldest first.

    Stable disease only where nothing better is seen. A stringent complete response is never computed: it
    needs the clonality of the marrow cells.
    """
    found = []
    for period in _periods(lines, values.as_of):
        best: Response | None = None
        steps = list(values.responses(period))
        if any(step[1] is not Response.SD for step in steps):
            steps = [step for step in steps if step[1] is not Response.SD]
        for on, category, references in sorted(steps, key=lambda s: (s[0], _BETTER_FIRST.index(s[1]))):
            if best is not None and _BETTER_FIRST.index(category) >= _BETTER_FIRST.index(best):
                continue
            best = category
            text = sentence(values.knowledge.definitions, "laboratory", "response", category=category.value)
            said = text.in_language(language)
            fact = ResponseFact(
                references[0], DateSpan.on(on), category, text=said, derived_from=references[1]
            )
            found.append(fact)
    return tuple(found)


def laboratory_notes(
    values: LaboratoryValues,
    lines: Sequence[Line],
    courses: Sequence[Course],
    language: str,
) -> tuple[Issue, ...]:
    """What to mind with the latest values: an antibody that shows as M-protein; a high calcium."""
    rules = values.rules
    notes = []
    since = values.as_of - timedelta(days=values.knowledge.definitions["imwg"]["reach_days"]["value"])
    serum = values.series["serum"]
    if serum and serum[-1].on >= since and 0 < serum[-1].high <= rules["interference"]["serum_up_to"]:
        classes = set(rules["interference"]["classes"])
        given = [
            c
            for c in courses
            if classes & set(values.knowledge.drugs[c.drug].classes)
            and c.first.latest <= serum[-1].on <= c.last.earliest
        ]
        if given:
            drug = values.knowledge.drugs[given[-1].drug].name
            notes.append(
                _note("interference", "antibody-interference", serum[-1], values.knowledge, language, drug)
            )
    periods = list(_periods(lines, values.as_of))
    calcium = values.samples(values.of("calcium-corrected"))
    current = periods and calcium and calcium[-1].on > max(periods[-1].start.latest, since)
    if current and calcium[-1].low > rules["calcium_above"]:
        notes.append(_note("calcium", "high-calcium", calcium[-1], values.knowledge, language))
    return tuple(notes)


def _note(
    name: str, code: str, sample: Sample, knowledge: Knowledge, language: str, drug: Text | str = ""
) -> Issue:
    unit = sentence(knowledge.definitions, "marker_unit", "calcium" if name == "calcium" else "serum")
    text = sentence(
        knowledge.definitions,
        "laboratory",
        name,
        value=str(sample),
        unit=unit,
        date=str(sample.on),
        drug=drug,
    )
    return Issue(Severity.INFORMATION, code, text.in_language(language), sample.derived_from[0])


def _told(rise: _Rise, group: str, name: str, knowledge: Knowledge) -> Text:
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


def _first(rise: _Rise) -> tuple[date, str]:
    return rise.first.on, rise.marker


def _periods(lines: Sequence[Line], as_of: date) -> Iterator[_Period]:
    """The lines of known start, each until the next; one before a line of unknown start has no known end."""
    for place, line in enumerate(lines):
        following = lines[place + 1].start if place + 1 < len(lines) else DateSpan(as_of, as_of)
        if line.start is not None and following is not None:
            yield _Period(line.start, following.earliest)


class LaboratoryValues:
    """The laboratory values of one record as series by marker, and what they say of a period."""

    def __init__(self, record: ClinicalRecord, knowledge: Knowledge, as_of: date) -> None:
        self.knowledge = knowledge
        self.as_of = as_of
        numbers = knowledge.definitions["imwg"]
        self.rules: Mapping[str, Any] = numbers["response"]
        self._settling = timedelta(days=numbers["lines"]["first_assessment_days"])
        self._of: dict[str, list[Measurement]] = {}
        for measurement in record.measurements:
            self._of.setdefault(measurement.concept, []).append(measurement)
        self.series = {marker: self.samples(self.of(concept)) for marker, concept in _CONCEPTS.items()}
        kappa, lambda_ = (self.samples(self.of(concept)) for concept in _CHAINS)
        on_day = {other.on: other for other in lambda_}
        pairs = [(k, on_day[k.on]) for k in kappa if k.on in on_day]
        self._chains = {
            "kappa": [self._difference(k, other, kappa=True) for k, other in pairs],
            "lambda": [self._difference(other, k, kappa=False) for k, other in pairs],
        }
        self._involved = {
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
    def _during(self, samples: Sequence[Sample], period: _Period) -> list[Sample]:
        return [s for s in samples if period.start.latest < s.on <= period.end]

    def _baseline(self, samples: Sequence[Sample], period: _Period) -> Sample | None:
        """The last value before the first dose, not too old, else the first within days of it."""
        earliest = period.start.latest - timedelta(days=self.rules["baseline_days_before"])
        before = [s for s in samples if earliest <= s.on <= period.start.earliest]
        if before:
            return before[-1]
        latest = period.start.earliest + timedelta(days=self.rules["baseline_days_after"])
        return next((s for s in samples if period.start.latest < s.on <= min(latest, period.end)), None)

    def _judged_by(self, samples: Sequence[Sample], period: _Period, until: date) -> list[Sample]:
        """The samples that say whether a marker is measurable: the baseline, else all up to a day."""
        baseline = self._baseline(samples, period)
        return [baseline] if baseline is not None else [s for s in samples if s.on <= until]

    def _measurable(self, marker: str, period: _Period, until: date) -> tuple[bool | None, tuple[str, ...]]:
        """Whether ``marker`` can measure the disease, and the resources that say so; None: not charted."""
        at_least = self.rules["measurable"]
        if marker == _DIFFERENCE:
            answers = []
            for side, chains in self._chains.items():
                shown = self._judged_by(chains, period, until)
                days = {s.on for s in shown if s.clonal}
                involved = [s for s in self._involved[side] if s.on in days]
                answers.append(any(_reaches(s.low, at_least["involved_light_chain"]) for s in involved))
            samples = [s for chains in self._chains.values() for s in self._judged_by(chains, period, until)]
            answer = any(answers)
        else:
            samples = self._judged_by(self.series[marker], period, until)
            answer = any(_reaches(s.high, at_least[marker]) for s in samples)
        references = tuple(sorted({r for s in samples for r in s.derived_from}))
        return (answer if samples else None), references

    # ---- progression --------------------------------------------------------------------------------------
    def rises(self, period: _Period) -> Iterator[_Rise]:
        """The first rise of each marker in a period: confirmed if any is, else the one still open."""
        for marker, samples in self.series.items():
            if rise := self._rise(marker, samples, period):
                yield rise
        for chains in self._chains.values():
            if rise := self._rise(_DIFFERENCE, chains, period):
                yield rise

    def _rise(self, marker: str, samples: Sequence[Sample], period: _Period) -> _Rise | None:
        baseline = self._baseline(samples, period)
        course = self._during(samples, period)
        if baseline is not None and baseline not in course:
            course = [baseline, *course]
        test = self._has_risen(marker)
        lowest: Sample | None = None
        for place, sample in enumerate(course):
            settled = sample.on > period.start.latest + self._settling
            if lowest is not None and settled and test(lowest, sample):
                following = course[place + 1] if place + 1 < len(course) else None
                alone = marker not in self.rules["confirmed"]
                again = following is not None and test(lowest, following)
                if alone or again or following is None:
                    second = following if again and not alone else None
                    return self._allowed(_Rise(marker, lowest, sample, second, alone or again), period)
            if lowest is None or sample.high < lowest.high:
                lowest = sample
        return None

    def _has_risen(self, marker: str) -> Callable[[Sample, Sample], bool]:
        rules = self.rules["progression"]

        def risen(lowest: Sample, sample: Sample) -> bool:
            by = sample.low - lowest.high
            share = _reaches(by, lowest.high * rules["increase_percent"] / 100)
            half = _reaches(by, lowest.high * rules["plasmacytoma_percent"] / 100) and by > _NOISE
            if marker == "serum":
                high = _reaches(lowest.low, rules["serum_high_from"])
                enough = share and _reaches(by, rules["serum"])
                return enough or (high and _reaches(by, rules["serum_high"]))
            if marker == "urine":
                return share and _reaches(by, rules["urine"])
            if marker == _DIFFERENCE:
                return share and by > rules["light_chain_difference"] + _NOISE and sample.clonal
            if marker == "marrow":
                return share and _reaches(by, rules["marrow_points"])
            return half and (marker == "plasmacytomas" or lowest.low > rules["plasmacytoma_from"] + _NOISE)

        return risen

    def _allowed(self, rise: _Rise, period: _Period) -> _Rise | None:
        """The rise, where its marker may be used: it may not while a better one can be measured."""
        better = {_DIFFERENCE: ("serum", "urine"), "marrow": ("serum", "urine", _DIFFERENCE)}
        rests_on: set[str] = set()
        judged = True
        for marker in better.get(rise.marker, ()):
            measurable, references = self._measurable(marker, period, rise.first.on)
            if measurable:
                return None
            if measurable is None and marker == "serum":
                judged = False
            rests_on.update(references)
        return _Rise(
            rise.marker,
            rise.lowest,
            rise.first,
            rise.second,
            rise.confirmed,
            judged,
            tuple(sorted(rests_on)),
        )

    # ---- response -----------------------------------------------------------------------------------------
    def responses(self, period: _Period) -> Iterator[tuple[date, Response, tuple[str, tuple[str, ...]]]]:
        """Confirmed categories with their day, the sample's resource and all resources they rest on."""
        yield from self._complete(period)
        steps = self._partial(period)
        if steps is not None:
            yield from steps

    def _partial(self, period: _Period) -> list[tuple[date, Response, tuple[str, tuple[str, ...]]]] | None:
        serum, urine = (self._baseline(self.series[m], period) for m in ("serum", "urine"))
        least = self.rules["measurable"]
        by_serum = serum is not None and _reaches(serum.low, least["serum"])
        by_urine = urine is not None and _reaches(urine.low, least["urine"])
        if serum is None:
            return None  # what the serum was at the start decides which marker is to be followed
        if by_serum or by_urine:
            tracks = []
            if by_serum:
                tracks.append(self._track("serum", self.series["serum"], serum, period))
            if urine is not None and (by_urine or self._during(self.series["urine"], period)):
                tracks.append(self._track("urine", self.series["urine"], urine, period))
            return _worst_of(tracks)
        if not serum.high < least["serum"]:
            return None
        for side, chains in self._chains.items():
            baseline = self._baseline(chains, period)
            if baseline is None or not baseline.clonal:
                continue
            involved = next(s for s in self._involved[side] if s.on == baseline.on)
            if _reaches(involved.low, least["involved_light_chain"]):
                return self._resting(serum, self._track(_DIFFERENCE, chains, baseline, period))
        marrow = self._baseline(self.series["marrow"], period)
        if marrow is not None and _reaches(marrow.low, self.rules["marrow"]["partial_from"]):
            return self._resting(serum, self._track("marrow", self.series["marrow"], marrow, period))
        return None

    @staticmethod
    def _resting(serum: Sample, track: list[_Step]) -> list[_Step]:
        """The steps, which rest on the serum too: it was too low to be followed."""
        return [
            (on, category, (own, tuple(sorted({*references, *serum.derived_from}))))
            for on, category, (own, references) in track
        ]

    def _track(
        self, marker: str, samples: Sequence[Sample], baseline: Sample, period: _Period
    ) -> list[_Step]:
        """Category by category what one marker shows: the worse of two consecutive samples, at the first."""
        course = [s for s in self._during(samples, period) if s.on > baseline.on]
        risen, lowest = self._has_risen(marker), baseline
        levels: list[tuple[Sample, Response | None]] = []
        for sample in course:
            # A value risen again speaks of progression: it neither shows a response nor confirms one.
            level = None if risen(lowest, sample) else self._level(marker, baseline, sample)
            levels.append((sample, level))
            lowest = min(lowest, sample, key=lambda s: s.high)
        steps: list[_Step] = []
        if marker not in self.rules["confirmed"]:
            pairs = [(one, one) for one in levels]
        else:
            pairs = list(pairwise(levels))
        for (sample, level), (again, second) in pairs:
            if level is None or second is None:
                continue
            category = max(level, second, key=_BETTER_FIRST.index)
            references = {*baseline.derived_from, *sample.derived_from, *again.derived_from}
            steps.append((sample.on, category, (sample.derived_from[0], tuple(sorted(references)))))
        return steps

    def _level(self, marker: str, baseline: Sample, sample: Sample) -> Response:
        """Category by one sample alone."""
        falls, below = self.rules["fall_percent"], self.rules["urine_below"]

        def fell(percent: float) -> bool:
            return _reaches(baseline.low * (100 - percent) / 100, sample.high)

        if marker == "urine":
            if sample.high < below["very-good-partial"]:
                return Response.VGPR
            if sample.high < below["partial"] or fell(falls["urine_partial"]):
                return Response.PR
            return Response.MR if fell(falls["urine_minimal"]) else Response.SD
        if marker != "marrow" and fell(falls["very-good-partial"]):
            return Response.VGPR
        if fell(falls["partial"]):
            return Response.PR
        return Response.MR if marker == "serum" and fell(falls["minimal"]) else Response.SD

    def _complete(self, period: _Period) -> Iterator[_Step]:
        """Complete response: immunofixation of serum and urine twice negative, and a clear marrow."""
        days: list[date] = []
        references: set[str] = set()
        for concept in _IMMUNOFIXATION:
            found = [
                m
                for m in self.of(concept)
                if m.on is not None and m.on.exact and period.start.latest < m.on.earliest <= period.end
            ]
            found.sort(key=lambda m: (m.on, m.reference))
            by_day = {m.on: [n for n in found if n.on == m.on] for m in found}
            clear = [(on, all(n.text in _NONE for n in same), same) for on, same in by_day.items()]
            pair = next(
                ((a, b) for a, b in pairwise(clear) if a[1] and b[1]),
                None,
            )
            if pair is None or pair[0][0] is None:
                return
            days.append(pair[0][0].earliest)
            references.update(m.reference for one in pair for m in one[2])
        marrow = [
            s
            for s in self._during(self.series["marrow"], period)
            if s.high < self.rules["marrow"]["complete_below"]
        ]
        lesions = [
            samples[-1]
            for m in ("plasmacytoma", "plasmacytomas")
            if (samples := self._during(self.series[m], period))
        ]
        if not marrow or any(s.high > 0 for s in lesions):
            return
        references.update(marrow[0].derived_from)
        references.update(r for s in lesions for r in s.derived_from)
        on = max(*days, marrow[0].on)
        yield on, Response.CR, (sorted(references)[0], tuple(sorted(references)))


_Step = tuple[date, Response, tuple[str, tuple[str, ...]]]


def _worst_of(tracks: Sequence[list[_Step]]) -> list[_Step]:
    """Of several markers the worse at each day, each with the best it has shown by then."""
    steps: list[_Step] = []
    for on in sorted({step[0] for track in tracks for step in track}):
        best = [
            min(shown, key=lambda s: (_BETTER_FIRST.index(s[1]), s[0]))
            for track in tracks
            if (shown := [step for step in track if step[0] <= on])
        ]
        if len(best) < len(tracks):
            continue  # one of the markers has not been measured again: nothing can be told yet
        worst = max(best, key=lambda s: _BETTER_FIRST.index(s[1]))
        references = tuple(sorted({r for step in best for r in step[2][1]}))
        steps.append((on, worst[1], (worst[2][0], references)))
    return steps


def _reaches(value: float, threshold: float) -> bool:
    return value >= threshold - _NOISE


def _range(measurement: Measurement) -> tuple[float, float] | None:
    """Between which numbers a measurement lies; None where it has no number. Nothing is below zero."""
    value = measurement.value
    if value is None:
        return (0.0, 0.0) if measurement.text in _NONE else None
    if value < 0:
        return None
    if measurement.text.startswith(("<", "≤")):
        return 0.0, value
    if measurement.text.startswith((">", "≥")):
        return value, math.inf
    return value, value
