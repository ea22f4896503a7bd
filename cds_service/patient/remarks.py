"""What to mind with the values beyond progression and response. Nothing here changes a line or a drug.

* What comes back after a complete response: a relapse from complete response, by the IMWG no progression.
* Signs of a clinical and of a significant biochemical relapse in the last line, where it has progressed or a
  rise still waits to be confirmed.
* A therapeutic antibody that may show as M-protein, where that matters; a high calcium.
* What was computed, and from what.
* Values that could not be used: of unsure day, or in words that give no number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cds_service.knowledge.types import Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.biochemistry import open_rise, progressed_in
from cds_service.patient.exposures import Course
from cds_service.patient.response import IMMUNOFIXATION
from cds_service.patient.samples import (
    NEW_LESION,
    NOISE,
    WATCHED,
    LaboratoryValues,
    Period,
    Sample,
    periods_of,
    range_of,
    reaches,
)
from cds_service.patient.signs import clinical_signs, significant
from cds_service.patient.types import Certainty, Line, Progression, RelapseSign, Unknown
from cds_service.record import DateSpan, Issue, Measurement, Response, ResponseFact, Severity

_COMPLETE = (Response.SCR, Response.CR)
_POSITIVE = ("positive", "present")


@dataclass(frozen=True)
class Remarks:
    """Signs of relapse short of progression, what they leave unknown, and all that is to be told."""

    signs: tuple[RelapseSign, ...]
    unknown: tuple[Unknown, ...]
    issues: tuple[Issue, ...]


@dataclass(frozen=True)
class Facts:
    """What remarks are made about: the values, and what was derived of them and of the rest of the chart."""

    values: LaboratoryValues
    lines: Sequence[Line]
    courses: Sequence[Course]
    progressions: Sequence[Progression]
    responses: Sequence[ResponseFact]  # charted and computed

    @property
    def last_period(self) -> Period | None:
        """The days of the last line, where its start is known."""
        found = list(periods_of(self.lines, self.values.as_of))
        return found[-1] if found and found[-1].start == self.lines[-1].start else None


def laboratory_remarks(facts: Facts, language: str) -> Remarks:
    """All remarks on the values of one record, in one language."""
    signs = [
        sign for period in periods_of(facts.lines, facts.values.as_of) for sign in _came_back(facts, period)
    ]
    signs += _need_of_treatment(facts)
    told = [
        RelapseSign(kind, DateSpan.on(sample.on), text.in_language(language), references)
        for kind, sample, text, references in signs
    ]
    issues = [
        Issue(Severity.INFORMATION, kind, sign.because, sample.derived_from[0])
        for sign, (kind, sample, _, _) in zip(told, signs, strict=True)
    ]
    issues += [
        Issue(Severity.INFORMATION, "computed-progression", p.because, p.derived_from[0])
        for p in facts.progressions
        if p.certainty is Certainty.COMPUTED
    ]
    unknown = []
    last = facts.last_period
    if last is not None and open_rise(facts.values, last) is None:  # else it has been asked already
        for _, sample, _, _ in _came_back(facts, last):
            text = _say(facts, "would_settle", "after-complete", date=str(sample.on))
            unknown.append(Unknown("laboratory-progression", text.in_language(language)))
    notes = [*_interference(facts), *_calcium(facts), *_left_out(facts)]
    issues += [
        Issue(Severity.INFORMATION, code, text.in_language(language), where) for code, text, where in notes
    ]
    return Remarks(tuple(told), tuple(unknown), tuple(issues))


def _say(facts: Facts, group: str, name: str, **more: str | Text) -> Text:
    return sentence(facts.values.knowledge.definitions, group, name, **more)


_Sign = tuple[str, Sample, Text, tuple[str, ...]]
_Note = tuple[str, Text, str]


# ---- relapse from complete response ------------------------------------------------------------------------
def _came_back(facts: Facts, period: Period) -> Iterator[_Sign]:
    """The first sign of disease after a complete response in a line that did not progress."""
    if progressed_in(period, facts.progressions):
        return
    reached = [
        (r.on.latest, r.derived_from or (r.reference,))
        for r in facts.responses
        if r.category in _COMPLETE and r.on and period.start.latest < r.on.latest <= period.end
    ]
    if not reached:
        return
    complete, shown_by = min(reached)
    found = [(sample, name) for sample, name in _disease(facts.values) if complete < sample.on <= period.end]
    if not found:
        return
    sample, name = min(found, key=lambda f: (f[0].on, f[1]))
    unit = _say(facts, "marker_unit", name) if name in ("serum", "urine", "marrow") else ""
    what = _say(facts, "came_back", name, value=str(sample), unit=unit, date=str(sample.on))
    text = _say(facts, "laboratory", "from-complete-response", what=what, complete=str(complete))
    given = _antibody(facts, sample.on)
    small = name == "serum" and sample.high <= facts.values.rules["interference"]["serum_up_to"] + NOISE
    if given and (small or name == "immunofixation-serum"):
        also = _say(facts, "laboratory", "antibody-may-show", drug=given)
        text = Text(*(f"{text.in_language(x)} {also.in_language(x)}" for x in ("en", "it")))
    yield "relapse-from-complete-response", sample, text, tuple(sorted({*sample.derived_from, *shown_by}))


def _disease(values: LaboratoryValues) -> Iterator[tuple[Sample, str]]:
    """Every sample that shows disease where there was none."""
    for concept in IMMUNOFIXATION:
        for on, results in values.on_days(concept).items():
            positive = tuple(m.reference for m in results if _is_positive(m))
            if positive:
                yield Sample(on, 1, 1, positive), concept
    for marker in ("serum", "urine"):
        for sample in values.series[marker]:
            if sample.low > 0:
                yield sample, marker
    for sample in values.series["marrow"]:
        if reaches(sample.low, values.rules["relapse"]["after_complete_marrow"]):
            yield sample, "marrow"
    for sites in values.lesions.values():
        for samples in sites.values():
            yield from ((sample, "lesion") for sample in samples if sample.low > 0)
    yield from ((sample, "lesion") for sample in values.new_lesions)


# ---- does the relapse need treatment? ----------------------------------------------------------------------
def _need_of_treatment(facts: Facts) -> list[_Sign]:
    """Clinical and biochemical signs in the last line, beside a progression or a rise that waits."""
    period, values = facts.last_period, facts.values
    if period is None:
        return []
    days = {
        p.on.latest
        for p in facts.progressions
        if p.on.exact and period.start.latest < p.on.earliest <= period.end
    }
    rise = open_rise(values, period)
    if rise is not None:
        days.add(rise.first.on)
    found: dict[tuple[str, date], _Sign] = {}
    for day in sorted(days):
        for sign in clinical_signs(values, period, day):
            text = _say(facts, "laboratory", "clinical-sign", sign=sign.told(values.knowledge))
            entry = "clinical-relapse-sign", sign.sample, text, sign.derived_from
            found[sign.kind, sign.sample.on] = entry
    signs = [found[key] for key in sorted(found)]
    rapid = significant(values, period) if days else None
    if rapid is not None:
        text = _say(
            facts,
            "laboratory",
            "significant",
            marker=_say(facts, "marker", rapid.marker),
            unit=_say(facts, "marker_unit", rapid.marker),
            lowest=str(rapid.lowest),
            since=str(rapid.lowest.on),
            value=str(rapid.first),
            date=str(rapid.first.on),
            second=str(rapid.second),
            again=str(rapid.second.on),
        )
        signs.append(("significant-biochemical-relapse", rapid.first, text, rapid.derived_from))
    return signs


# ---- antibodies, calcium ----------------------------------------------------------------------------------
def _antibody(facts: Facts, on: date) -> Text | str | None:
    """The name of an antibody that was being given on a day and shows as an M-protein."""
    knowledge = facts.values.knowledge
    classes = set(facts.values.rules["interference"]["classes"])
    given = [
        c
        for c in facts.courses
        if classes & set(knowledge.drugs[c.drug].classes) and c.first.latest <= on <= c.last.earliest
    ]
    return knowledge.drugs[given[-1].drug].name if given else None


def _since(values: LaboratoryValues) -> date:
    """The first day that still speaks for the present."""
    return values.as_of - timedelta(days=values.knowledge.definitions["imwg"]["reach_days"]["value"])


def _interference(facts: Facts) -> Iterator[_Note]:
    """An antibody on board that may be all that is seen: a trace of M-protein, or immunofixation alone.

    It matters where it may hide a complete response: not where immunofixation is negative on that day or
    after it, nor where the disease has progressed in the line, nor where the band is another isotype.
    """
    values = facts.values
    limit = values.rules["interference"]["serum_up_to"] + NOISE
    fixed = values.on_days(IMMUNOFIXATION[0])
    serum = values.series["serum"][-1] if values.series["serum"] else None
    last = next(reversed(fixed.items()), None)
    positive = last is not None and any(_is_positive(m) for m in last[1])
    if serum is not None and serum.on < _since(values):
        serum = None
    if serum is not None and serum.high > limit:
        return  # more than an antibody shows
    trace = serum is not None and serum.high > 0
    shown = serum if trace else None
    if shown is not None and last is not None and last[0] >= shown.on and not positive:
        return
    if shown is None and not (positive and last is not None and last[0] >= _since(values)):
        return
    if positive and last is not None and _other_isotype(values, last[1]):
        return
    on = shown.on if shown is not None else last[0] if last is not None else values.as_of
    drug = _antibody(facts, on)
    if drug is None or _progressed_before(facts, on):
        return
    if shown is not None:
        unit = _say(facts, "marker_unit", "serum")
        text = _say(facts, "laboratory", "interference", value=str(shown), unit=unit, date=str(on), drug=drug)
        yield "antibody-interference", text, shown.derived_from[0]
    elif last is not None:
        text = _say(facts, "laboratory", "interference-immunofixation", date=str(on), drug=drug)
        yield "antibody-interference", text, last[1][0].reference


def _is_positive(result: Measurement) -> bool:
    return result.text == "+" or result.text.startswith(_POSITIVE)


def _other_isotype(values: LaboratoryValues, results: Sequence[Measurement]) -> bool:
    named = [m.text.partition(" ")[2] for m in results if _is_positive(m)]
    return any(name and name != values.rules["interference"]["isotype"] for name in named)


def _progressed_before(facts: Facts, on: date) -> bool:
    period = next(
        (p for p in periods_of(facts.lines, facts.values.as_of) if p.start.latest <= on <= p.end), None
    )
    return period is not None and any(
        period.start.latest < p.on.earliest and p.on.latest <= on for p in facts.progressions
    )


def _calcium(facts: Facts) -> Iterator[_Note]:
    period, known = facts.last_period, facts.values.calcium
    if period is None or not known:
        return
    sample, how = known[-1]
    recent = sample.on > max(period.start.latest, _since(facts.values))
    if recent and sample.low > facts.values.rules["calcium_above"] + NOISE:
        unit = _say(facts, "marker_unit", "calcium")
        as_known = _say(facts, "calcium_known", how)
        text = _say(
            facts, "laboratory", "calcium", value=str(sample), unit=unit, date=str(sample.on), how=as_known
        )
        yield "high-calcium", text, sample.derived_from[0]


# ---- what could not be used -------------------------------------------------------------------------------
def _left_out(facts: Facts) -> Iterator[_Note]:
    """Values of unsure day, and results in words that give no number: one note for each marker."""
    if not facts.lines:
        return
    for marker, concepts in WATCHED.items():
        measurements = sorted((m for c in concepts for m in facts.values.of(c)), key=lambda m: m.reference)
        imaging = marker == "imaging"
        undated = [
            m
            for m in measurements
            if (m.on is None or not m.on.exact)
            and (m.text == NEW_LESION if imaging else range_of(m) is not None)
        ]
        in_words = [m for m in measurements if m.value is None and range_of(m) is None and not imaging]
        name = _say(facts, "marker", NEW_LESION if imaging else marker)
        for code, left in (("undated-value", undated), ("value-in-words", in_words)):
            if left:
                text = _say(facts, "laboratory", code, marker=name, count=str(len(left)))
                yield code, text, left[0].reference
