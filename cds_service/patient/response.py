"""Response by the numbers: IMWG categories from M-protein, light chains and marrow.

Thresholds, units and sources stand in definitions/imwg.yaml, "response". A category counts where two
consecutive samples of one line show it; it has the date of the first. The baseline decides which marker is
followed, and the text says so. A stringent complete response is never computed: it needs a normal
light-chain ratio and the clonality of the marrow cells, which charts do not hold as a value. Minimal residual
disease is shown as charted, never computed: without method, sensitivity and denominator it says little.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

from cds_service.knowledge.types import Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.biochemistry import because_not_others, has_risen
from cds_service.patient.samples import (
    DIFFERENCE,
    NONE,
    LaboratoryValues,
    Period,
    Sample,
    periods_of,
    reaches,
)
from cds_service.patient.types import Line
from cds_service.record import DateSpan, Response, ResponseFact

IMMUNOFIXATION = ("immunofixation-serum", "immunofixation-urine")
_BETTER_FIRST = (Response.CR, Response.VGPR, Response.PR, Response.MR, Response.SD)


@dataclass(frozen=True)
class _Step:
    """What was reached on a day, and what it rests on: the sample's own resource and all."""

    on: date
    category: Response
    own: str
    derived_from: tuple[str, ...]
    told: tuple[Text, ...]  # how it was computed, sentence by sentence


def laboratory_responses(
    values: LaboratoryValues, lines: Sequence[Line], language: str
) -> tuple[ResponseFact, ...]:
    """Computed response categories of each line, each better than the one before, oldest first.

    Stable disease only where nothing better is seen.
    """
    found = []
    for period in periods_of(lines, values.as_of):
        best: Response | None = None
        steps = list(_responses(values, period))
        if any(step.category is not Response.SD for step in steps):
            steps = [step for step in steps if step.category is not Response.SD]
        for step in sorted(steps, key=lambda s: (s.on, _BETTER_FIRST.index(s.category))):
            if best is not None and _BETTER_FIRST.index(step.category) >= _BETTER_FIRST.index(best):
                continue
            best = step.category
            known = values.knowledge.definitions
            texts = (sentence(known, "laboratory", "response", category=best.value), *step.told)
            said = " ".join(text.in_language(language) for text in texts)
            on = DateSpan.on(step.on)
            found.append(ResponseFact(step.own, on, best, text=said, derived_from=step.derived_from))
    return tuple(found)


def _responses(values: LaboratoryValues, period: Period) -> Iterator[_Step]:
    """Confirmed categories of a period, in no order."""
    yield from _complete(values, period)
    yield from _partial(values, period)


def _partial(values: LaboratoryValues, period: Period) -> list[_Step]:
    """Categories short of complete, by the markers that the baseline shows to be measurable."""
    serum, urine = (values.baseline(values.series[m], period) for m in ("serum", "urine"))
    least = values.rules["measurable"]
    by_serum = serum is not None and reaches(serum.low, least["serum"])
    by_urine = urine is not None and reaches(urine.low, least["urine"])
    if serum is None:
        return []  # what the serum was at the start decides which marker is to be followed
    if by_serum or by_urine:
        tracks = []
        if by_serum:
            tracks.append(_track(values, "serum", values.series["serum"], serum, period))
        if urine is not None and (by_urine or values.during(values.series["urine"], period)):
            tracks.append(_track(values, "urine", values.series["urine"], urine, period))
        return _worst_of(tracks)
    if not serum.high < least["serum"]:
        return []
    too_low: list[tuple[str, Sample | None]] = [("serum", serum), ("urine", urine)]
    for side, chains in values.chains.items():
        baseline = values.baseline(chains, period)
        if baseline is None or not baseline.clonal:
            continue
        involved = next(s for s in values.involved[side] if s.on == baseline.on)
        if reaches(involved.low, least["involved_light_chain"]):
            steps = _track(values, DIFFERENCE, chains, baseline, period)
            return _resting(values, too_low, steps)
    marrow = values.baseline(values.series["marrow"], period)
    if marrow is not None and reaches(marrow.low, values.rules["marrow"]["partial_from"]):
        chains_shown = [b for c in values.chains.values() if (b := values.baseline(c, period)) is not None]
        too_low.append((DIFFERENCE, max(chains_shown, key=lambda s: s.high, default=None)))
        steps = _track(values, "marrow", values.series["marrow"], marrow, period)
        return _resting(values, too_low, steps)
    return []


def _resting(
    values: LaboratoryValues, too_low: Sequence[tuple[str, Sample | None]], steps: Sequence[_Step]
) -> list[_Step]:
    """The steps, which rest on the better markers too: they were too low to be followed."""
    why = because_not_others(too_low, values.knowledge)
    shown = {r for _, sample in too_low if sample is not None for r in sample.derived_from}
    return [
        replace(s, derived_from=tuple(sorted({*s.derived_from, *shown})), told=(*s.told, why)) for s in steps
    ]


def _track(
    values: LaboratoryValues, marker: str, samples: Sequence[Sample], baseline: Sample, period: Period
) -> list[_Step]:
    """Category by category what one marker shows: the worse of two consecutive samples, at the first."""
    course = [s for s in values.during(samples, period) if s.on > baseline.on]
    risen, lowest = has_risen(marker, values.rules), baseline
    levels: list[tuple[Sample, Response | None]] = []
    for sample in course:
        # A value risen again speaks of progression: it neither shows a response nor confirms one.
        level = None if risen(lowest, sample) else _level(values, marker, baseline, sample)
        levels.append((sample, level))
        lowest = min(lowest, sample, key=lambda s: s.high)
    if marker not in values.rules["confirmed"]:
        pairs = [(one, one) for one in levels]
    else:
        pairs = list(pairwise(levels))
    steps: list[_Step] = []
    for (sample, level), (again, second) in pairs:
        if level is None or second is None:
            continue
        known = values.knowledge.definitions
        told = sentence(
            known,
            "laboratory",
            "fall" if again is not sample else "fall-once",
            marker=sentence(known, "marker", marker),
            unit=sentence(known, "marker_unit", marker),
            baseline=str(baseline),
            since=str(baseline.on),
            value=str(sample),
            date=str(sample.on),
            second=str(again),
            again=str(again.on),
        )
        category = max(level, second, key=_BETTER_FIRST.index)
        references = {*baseline.derived_from, *sample.derived_from, *again.derived_from}
        own = sample.derived_from[0]
        steps.append(_Step(sample.on, category, own, tuple(sorted(references)), (told,)))
    return steps


def _level(values: LaboratoryValues, marker: str, baseline: Sample, sample: Sample) -> Response | None:
    """Category by one sample alone; None where the sample has no upper end."""
    if math.isinf(sample.high):
        return None
    falls, below = values.rules["fall_percent"], values.rules["urine_below"]

    def fell(percent: float) -> bool:
        return reaches(baseline.low * (100 - percent) / 100, sample.high)

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


def _complete(values: LaboratoryValues, period: Period) -> Iterator[_Step]:
    """Complete response: immunofixation of serum and urine twice negative, and a clear marrow."""
    days: list[date] = []
    references: set[str] = set()
    for concept in IMMUNOFIXATION:
        by_day = {
            on: same for on, same in values.on_days(concept).items() if period.start.latest < on <= period.end
        }
        clear = [(on, all(m.text in NONE for m in same), same) for on, same in by_day.items()]
        pair = next(((a, b) for a, b in pairwise(clear) if a[1] and b[1]), None)
        if pair is None:
            return
        days.append(pair[0][0])
        references.update(m.reference for one in pair for m in one[2])
    marrow = [
        s
        for s in values.during(values.series["marrow"], period)
        if s.high < values.rules["marrow"]["complete_below"]
    ]
    lesions = [
        samples[-1]
        for sites in values.lesions.values()
        for site in sites.values()
        if (samples := values.course(site, period))
    ]
    # A lesion that was there before and was not measured again may still be there.
    if not marrow or any(s.high > 0 for s in lesions) or values.during(values.new_lesions, period):
        return
    references.update(marrow[0].derived_from)
    references.update(r for s in lesions for r in s.derived_from)
    on = max(*days, marrow[0].on)
    told = sentence(
        values.knowledge.definitions,
        "laboratory",
        "complete",
        first=str(max(days)),
        value=str(marrow[0]),
        date=str(marrow[0].on),
    )
    yield _Step(on, Response.CR, sorted(references)[0], tuple(sorted(references)), (told,))


def _worst_of(tracks: Sequence[list[_Step]]) -> list[_Step]:
    """Of several markers the worse at each day, each with the best it has shown by then."""
    steps: list[_Step] = []
    for on in sorted({step.on for track in tracks for step in track}):
        best = [
            min(shown, key=lambda s: (_BETTER_FIRST.index(s.category), s.on))
            for track in tracks
            if (shown := [step for step in track if step.on <= on])
        ]
        if len(best) < len(tracks):
            continue  # one of the markers has not been measured again: nothing can be told yet
        worst = max(best, key=lambda s: _BETTER_FIRST.index(s.category))
        references = tuple(sorted({r for step in best for r in step.derived_from}))
        told = tuple(text for step in best for text in step.told)
        steps.append(_Step(on, worst.category, worst.own, references, told))
    return steps
