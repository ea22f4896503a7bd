"""Response by the numbers: IMWG categories from M-protein, light chains and marrow.

Thresholds, units and sources stand in definitions/imwg.yaml, "response". A category counts where two
consecutive samples of one line show it; it has the date of the first. The baseline decides which marker is
followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise

from cds_service.knowledge.wording import sentence
from cds_service.patient.biochemistry import has_risen
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

_IMMUNOFIXATION = ("immunofixation-serum", "immunofixation-urine")
BETTER_FIRST = (Response.CR, Response.VGPR, Response.PR, Response.MR, Response.SD)

_Step = tuple[date, Response, tuple[str, tuple[str, ...]]]
"""A day, what was reached, and what it rests on: the sample's own resource and all."""


def laboratory_responses(
    values: LaboratoryValues, lines: Sequence[Line], language: str
) -> tuple[ResponseFact, ...]:
    """Computed response categories of each line, each better than the one before, oldest first.

    Stable disease only where nothing better is seen. A stringent complete response is never computed: it
    needs the clonality of the marrow cells.
    """
    found = []
    for period in periods_of(lines, values.as_of):
        best: Response | None = None
        steps = list(_responses(values, period))
        if any(step[1] is not Response.SD for step in steps):
            steps = [step for step in steps if step[1] is not Response.SD]
        for on, category, references in sorted(steps, key=lambda s: (s[0], BETTER_FIRST.index(s[1]))):
            if best is not None and BETTER_FIRST.index(category) >= BETTER_FIRST.index(best):
                continue
            best = category
            text = sentence(values.knowledge.definitions, "laboratory", "response", category=category.value)
            said = text.in_language(language)
            fact = ResponseFact(
                references[0], DateSpan.on(on), category, text=said, derived_from=references[1]
            )
            found.append(fact)
    return tuple(found)


def _responses(
    values: LaboratoryValues, period: Period
) -> Iterator[tuple[date, Response, tuple[str, tuple[str, ...]]]]:
    """Confirmed categories with their day, the sample's resource and all resources they rest on."""
    yield from _complete(values, period)
    steps = _partial(values, period)
    if steps is not None:
        yield from steps


def _partial(
    values: LaboratoryValues, period: Period
) -> list[tuple[date, Response, tuple[str, tuple[str, ...]]]] | None:
    serum, urine = (values.baseline(values.series[m], period) for m in ("serum", "urine"))
    least = values.rules["measurable"]
    by_serum = serum is not None and reaches(serum.low, least["serum"])
    by_urine = urine is not None and reaches(urine.low, least["urine"])
    if serum is None:
        return None  # what the serum was at the start decides which marker is to be followed
    if by_serum or by_urine:
        tracks = []
        if by_serum:
            tracks.append(_track(values, "serum", values.series["serum"], serum, period))
        if urine is not None and (by_urine or values.during(values.series["urine"], period)):
            tracks.append(_track(values, "urine", values.series["urine"], urine, period))
        return _worst_of(tracks)
    if not serum.high < least["serum"]:
        return None
    for side, chains in values.chains.items():
        baseline = values.baseline(chains, period)
        if baseline is None or not baseline.clonal:
            continue
        involved = next(s for s in values.involved[side] if s.on == baseline.on)
        if reaches(involved.low, least["involved_light_chain"]):
            return _resting(serum, _track(values, DIFFERENCE, chains, baseline, period))
    marrow = values.baseline(values.series["marrow"], period)
    if marrow is not None and reaches(marrow.low, values.rules["marrow"]["partial_from"]):
        return _resting(serum, _track(values, "marrow", values.series["marrow"], marrow, period))
    return None


def _resting(serum: Sample, track: list[_Step]) -> list[_Step]:
    """The steps, which rest on the serum too: it was too low to be followed."""
    return [
        (on, category, (own, tuple(sorted({*references, *serum.derived_from}))))
        for on, category, (own, references) in track
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
    steps: list[_Step] = []
    if marker not in values.rules["confirmed"]:
        pairs = [(one, one) for one in levels]
    else:
        pairs = list(pairwise(levels))
    for (sample, level), (again, second) in pairs:
        if level is None or second is None:
            continue
        category = max(level, second, key=BETTER_FIRST.index)
        references = {*baseline.derived_from, *sample.derived_from, *again.derived_from}
        steps.append((sample.on, category, (sample.derived_from[0], tuple(sorted(references)))))
    return steps


def _level(values: LaboratoryValues, marker: str, baseline: Sample, sample: Sample) -> Response:
    """Category by one sample alone."""
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
    for concept in _IMMUNOFIXATION:
        found = [
            m
            for m in values.of(concept)
            if m.on is not None and m.on.exact and period.start.latest < m.on.earliest <= period.end
        ]
        found.sort(key=lambda m: (m.on, m.reference))
        by_day = {m.on: [n for n in found if n.on == m.on] for m in found}
        clear = [(on, all(n.text in NONE for n in same), same) for on, same in by_day.items()]
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
        for s in values.during(values.series["marrow"], period)
        if s.high < values.rules["marrow"]["complete_below"]
    ]
    lesions = [
        samples[-1]
        for m in ("plasmacytoma", "plasmacytomas")
        if (samples := values.during(values.series[m], period))
    ]
    if not marrow or any(s.high > 0 for s in lesions):
        return
    references.update(marrow[0].derived_from)
    references.update(r for s in lesions for r in s.derived_from)
    on = max(*days, marrow[0].on)
    yield on, Response.CR, (sorted(references)[0], tuple(sorted(references)))


def _worst_of(tracks: Sequence[list[_Step]]) -> list[_Step]:
    """Of several markers the worse at each day, each with the best it has shown by then."""
    steps: list[_Step] = []
    for on in sorted({step[0] for track in tracks for step in track}):
        best = [
            min(shown, key=lambda s: (BETTER_FIRST.index(s[1]), s[0]))
            for track in tracks
            if (shown := [step for step in track if step[0] <= on])
        ]
        if len(best) < len(tracks):
            continue  # one of the markers has not been measured again: nothing can be told yet
        worst = max(best, key=lambda s: BETTER_FIRST.index(s[1]))
        references = tuple(sorted({r for step in best for r in step[2][1]}))
        steps.append((on, worst[1], (worst[2][0], references)))
    return steps
