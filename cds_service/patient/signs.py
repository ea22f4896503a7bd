"""Signs that a relapse may need treatment: clinical ones, and a significant biochemical relapse.

They are shown beside a progression, or a rise that nothing confirms yet, and never make one: neither ends a
line nor makes a drug refractory. Whether the myeloma explains them no number tells. Hyperviscosity is not
looked for: no code for it is known here. Numbers and sources: definitions/imwg.yaml, "response", "relapse".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from cds_service.knowledge.types import Knowledge, Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.samples import NEW_LESION, LaboratoryValues, Period, Sample, reaches


@dataclass(frozen=True)
class ClinicalSign:
    """One sign of a clinical relapse, with the sample it is measured from where it is a change."""

    kind: str  # calcium, haemoglobin, creatinine, new-lesion, or the marker of a lesion that grew
    sample: Sample
    before: Sample | None = None
    how: str = ""  # calcium: charted (as corrected), computed or uncorrected

    @property
    def derived_from(self) -> tuple[str, ...]:
        """All resources it rests on."""
        samples = (self.sample, self.before) if self.before else (self.sample,)
        return tuple(sorted({r for s in samples for r in s.derived_from}))

    def told(self, knowledge: Knowledge) -> Text:
        """The sign in some words, without a full stop."""
        growth = self.kind.startswith("plasmacytoma")
        return sentence(
            knowledge.definitions,
            "relapse_sign",
            "growth" if growth else self.kind,
            value=str(self.sample),
            date=str(self.sample.on),
            before=str(self.before or ""),
            since=str(self.before.on) if self.before else "",
            marker=sentence(knowledge.definitions, "marker", self.kind) if growth else "",
            unit=sentence(knowledge.definitions, "marker_unit", self.kind) if growth else "",
            how=sentence(knowledge.definitions, "calcium_known", self.how) if self.how else "",
        )


@dataclass(frozen=True)
class Significant:
    """A significant biochemical relapse: two consecutive samples of one marker, far above the lowest."""

    marker: str
    lowest: Sample
    first: Sample
    second: Sample

    @property
    def derived_from(self) -> tuple[str, ...]:
        """All resources it rests on."""
        return tuple(sorted({r for s in (self.lowest, self.first, self.second) for r in s.derived_from}))


def clinical_signs(values: LaboratoryValues, period: Period, around: date) -> tuple[ClinicalSign, ...]:
    """The signs seen in a period within days of a progression or a rise; of each kind the latest."""

    def near(sample: Sample) -> bool:
        inside = period.start.latest < sample.on <= period.end
        return inside and abs(sample.on - around) <= values.same_event

    numbers = values.rules["relapse"]
    found = [
        ClinicalSign("calcium", sample, how=how)
        for sample, how in values.calcium
        if near(sample) and sample.low > numbers["calcium"]
    ]
    for kind, concept in (("haemoglobin", "hemoglobin"), ("creatinine", "creatinine")):
        falls = kind == "haemoglobin"
        for before, sample in _against_best(values, concept, period, falls=falls):
            by = before.low - sample.high if falls else sample.low - before.high
            if near(sample) and reaches(by, numbers[kind]):
                found.append(ClinicalSign(kind, sample, before))
    found += [ClinicalSign(NEW_LESION, sample) for sample in values.new_lesions if near(sample)]
    for marker, sites in values.lesions.items():
        for samples in sites.values():
            for before, sample in _from_lowest(values.course(samples, period)):
                by = sample.low - before.high
                grown = reaches(by, before.high * numbers["growth_percent"] / 100)
                if near(sample) and grown and reaches(by, numbers["growth"]):
                    found.append(ClinicalSign(marker, sample, before))
    latest = {sign.kind: sign for sign in sorted(found, key=lambda s: (s.sample.on, s.derived_from))}
    return tuple(latest[kind] for kind in sorted(latest))


def looked_for(values: LaboratoryValues, period: Period, around: date) -> bool:
    """Whether corrected calcium, haemoglobin and creatinine are charted near a day: signs would show."""
    known = [s for s, how in values.calcium if how != "uncorrected"]
    if not any(abs(s.on - around) <= values.same_event for s in known):
        return False
    return all(
        any(abs(sample.on - around) <= values.same_event for _, sample in _against_best(values, c, period))
        for c in ("hemoglobin", "creatinine")
    )


def significant(values: LaboratoryValues, period: Period) -> Significant | None:
    """The first significant biochemical relapse of a period; None where the values show none."""
    series = [
        ("serum", values.series["serum"]),
        ("urine", values.series["urine"]),
        *(("light-chain", chains) for chains in values.involved.values()),
    ]
    found = []
    for marker, samples in series:
        course = values.course(samples, period)
        lowest: Sample | None = None
        for first, second in pairwise(course):
            if lowest is None or first.high < lowest.high:
                lowest = first
                continue
            settled = first.on > period.start.latest + values.settling
            above = all(_far_above(values, marker, lowest, s) for s in (first, second))
            if settled and (above or _doubled(values, marker, lowest, first, second)):
                found.append(Significant(marker, lowest, first, second))
                break
    return min(found, key=lambda s: (s.first.on, s.marker), default=None)


def may_have_doubled(values: LaboratoryValues, period: Period) -> bool:
    """Whether the serum M-protein reached twice its lowest value: below some level that is no criterion."""
    pairs = _from_lowest(values.course(values.series["serum"], period))
    return any(sample.high >= 2 * lowest.low for lowest, sample in pairs)


def _far_above(values: LaboratoryValues, marker: str, lowest: Sample, sample: Sample) -> bool:
    numbers = values.rules["relapse"]["biochemical"]
    if marker == "light-chain":
        share = reaches(sample.low, lowest.high * (1 + values.rules["progression"]["increase_percent"] / 100))
        return sample.clonal and share and reaches(sample.low - lowest.high, numbers["involved_light_chain"])
    return reaches(sample.low - lowest.high, numbers[marker])


def _doubled(values: LaboratoryValues, marker: str, lowest: Sample, first: Sample, second: Sample) -> bool:
    numbers = values.rules["relapse"]["biochemical"]
    return (
        marker == "serum"
        and reaches(lowest.low, numbers["doubling_from"])
        and (second.on - first.on).days <= numbers["doubling_days"]
        and all(reaches(s.low, 2 * lowest.high) for s in (first, second))
    )


def _from_lowest(course: Sequence[Sample]) -> Iterator[tuple[Sample, Sample]]:
    """Each sample but the first with the lowest of those before it."""
    lowest: Sample | None = None
    for sample in course:
        if lowest is not None:
            yield lowest, sample
        if lowest is None or sample.high < lowest.high:
            lowest = sample


def _against_best(
    values: LaboratoryValues, concept: str, period: Period, *, falls: bool = False
) -> Iterator[tuple[Sample, Sample]]:
    """Each sample of a period but the first with the best one before it, the highest where it may fall."""
    best: Sample | None = None
    for sample in values.course(values.series_of(concept), period):
        if best is not None:
            yield best, sample
        if best is None or (sample.low > best.low if falls else sample.high < best.high):
            best = sample
