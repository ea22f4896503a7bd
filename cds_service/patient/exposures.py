"""When each drug was given, why it stopped, and whether it was given for the myeloma at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from cds_service.knowledge.types import Knowledge
from cds_service.patient.purposes import EXPOSURE_WITHOUT_LINE, NO_TREATMENT_OF_MYELOMA
from cds_service.patient.types import LONG_AGO
from cds_service.record import (
    DateSpan,
    DrugFact,
    Given,
    Purpose,
    StopReason,
)

# The reason that counts where several resources on one course give different ones, first wins.
_GRAVEST_STOP = (
    StopReason.PROGRESSION,
    StopReason.NO_RESPONSE,
    StopReason.ALLERGY,
    StopReason.TOXICITY,
    StopReason.TRANSPLANT,
    StopReason.COMPLETION,
    StopReason.CHOICE,
    StopReason.UNREAD,
    StopReason.OTHER,
    StopReason.UNKNOWN,
)


FAILURE = frozenset({StopReason.PROGRESSION, StopReason.NO_RESPONSE})
"""Stops that make the drug refractory by the chart's own word."""

DECIDED = FAILURE | {StopReason.TOXICITY, StopReason.ALLERGY}
"""Stops after which an entry left open is taken for forgotten, not for a drug still given."""


@dataclass(frozen=True)
class Course:
    """One drug given over one interval, merged from all resources that tell of it.

    ``first`` and ``last`` are spans of certainty; for a drug still being given ``last`` is the evaluation
    date, for one stopped on an unrecorded day it runs from the first dose to the evaluation date.
    """

    drug: str
    first: DateSpan
    last: DateSpan
    ongoing: bool
    stop_reason: StopReason
    purpose: Purpose | None
    regimen: str
    line_number: int | None
    presumed: bool  # known from orders only
    one_off: bool
    derived_from: tuple[str, ...]
    end_told_from: DateSpan  # the first dose of the entry that tells the end
    given_until: date  # the last day that the end, as charted, allows: from here a gap is bridged
    failed: DateSpan | None = None  # the end of the entry that gives progression or non-response as reason

    @property
    def dated(self) -> bool:
        """Whether the chart says when the course began, to the year at least."""
        return self.first.earliest > LONG_AGO


def courses(facts: Iterable[DrugFact], knowledge: Knowledge, as_of: date) -> tuple[Course, ...]:
    """All courses of anti-myeloma drugs and steroids given for a plasma-cell disease, oldest first.

    ``facts`` have their purpose decided (:func:`purposes.decided`); what was given for one of
    :data:`NO_TREATMENT_OF_MYELOMA` is no exposure.
    """
    by_drug: dict[str, list[Course]] = defaultdict(list)
    for fact in facts:
        if fact.purpose not in NO_TREATMENT_OF_MYELOMA:
            by_drug[fact.drug].append(_course(fact, knowledge.drugs[fact.drug].one_off, as_of))
    merged = [
        course
        for key, found in by_drug.items()
        for course in _merged(found, knowledge.drugs[key].dose_interval_days)
    ]
    return tuple(sorted(merged, key=lambda c: (c.first, c.drug, c.last, c.derived_from)))


def _course(fact: DrugFact, one_off: bool, as_of: date) -> Course:
    first = fact.first_dose or DateSpan(LONG_AGO, fact.last_dose.latest if fact.last_dose else as_of)
    if fact.ongoing:
        last = DateSpan(as_of, as_of)
    elif fact.last_dose is not None:
        last = fact.last_dose
    elif one_off or fact.single_dose:
        last = first
    else:
        last = DateSpan(min(first.earliest, as_of), as_of)
    # A course cannot end before it begins: contradictory dates leave the order of the two open.
    if last.latest < first.earliest:
        first, last = (DateSpan(last.earliest, first.latest),) * 2
    elif last.earliest < first.earliest:
        last = DateSpan(first.earliest, last.latest)
    return Course(
        drug=fact.drug,
        first=first,
        last=last,
        ongoing=fact.ongoing,
        stop_reason=fact.stop_reason,
        purpose=fact.purpose,
        regimen=fact.regimen,
        line_number=fact.line_number,
        presumed=fact.given is Given.ORDERED,
        one_off=one_off,
        derived_from=(fact.reference,),
        end_told_from=first,
        # A supply or a month of stopping reaches to its last day; an undated stop bridges nothing.
        given_until=last.latest if fact.last_dose is not None or last.exact else last.earliest,
        failed=_failed_on(fact, first, last, as_of),
    )


def _failed_on(fact: DrugFact, first: DateSpan, last: DateSpan, as_of: date) -> DateSpan | None:
    """When a drug stopped for failure was stopped; of one still charted as given some day up to now."""
    if fact.stop_reason not in FAILURE:
        return None
    return DateSpan(first.earliest, as_of) if fact.ongoing else last


def _merged(found: list[Course], dose_interval_days: int) -> Iterator[Course]:
    """Courses of one drug with overlaps, duplicates and gaps shorter than its schedule joined."""
    pending: Course | None = None
    for course in sorted(found, key=lambda c: (c.first, c.last, c.ongoing, c.derived_from)):
        if pending is None:
            pending = course
        elif _belongs(pending, course, dose_interval_days):
            pending = _joined(pending, course)
        else:
            yield pending
            pending = course
    if pending is not None:
        yield pending


def _belongs(earlier: Course, later: Course, dose_interval_days: int) -> bool:
    if earlier.one_off and earlier.first != later.first:
        return False
    if (earlier.purpose in EXPOSURE_WITHOUT_LINE) != (later.purpose in EXPOSURE_WITHOUT_LINE):
        return False
    # A drug stopped for progression, or because it did not work, is begun anew by what follows.
    ended_by_disease = earlier.stop_reason in FAILURE
    if ended_by_disease and earlier.last.latest < later.first.earliest:
        return False
    # Half an interval more, for a dose given late.
    return later.first.earliest <= earlier.given_until + timedelta(days=dose_interval_days * 3 // 2)


def _joined(a: Course, b: Course) -> Course:
    later = _tells_the_end(a, b)
    # A stop for progression is never lost, also where another entry reaches further; of other reasons the
    # one of the later end counts: what was stopped for toxicity and begun again was tolerated after all.
    failures = [c.stop_reason for c in (a, b) if c.stop_reason in FAILURE]
    ends = [c.failed for c in (a, b) if c.failed]
    return Course(
        drug=a.drug,
        first=_first_dose(a.first, b.first),
        last=later.last,
        ongoing=later.ongoing,
        stop_reason=min(failures or [later.stop_reason], key=_GRAVEST_STOP.index),
        purpose=a.purpose or b.purpose,
        regimen=a.regimen or b.regimen,
        line_number=a.line_number or b.line_number,
        presumed=a.presumed and b.presumed,
        one_off=a.one_off,
        derived_from=tuple(sorted({*a.derived_from, *b.derived_from})),
        end_told_from=later.end_told_from,
        given_until=max(a.given_until, b.given_until),
        failed=min(ends, default=None, key=lambda s: (s.latest, s.earliest)),
    )


def _first_dose(a: DateSpan, b: DateSpan) -> DateSpan:
    """The first dose of two entries: of days that may be the same the one known better, else the earlier."""
    closer, wider = sorted((a, b), key=lambda s: (s.latest - s.earliest).days)
    if wider.earliest <= closer.earliest and closer.latest <= wider.latest:
        return closer
    return DateSpan.first_of((a, b))


def _tells_the_end(a: Course, b: Course) -> Course:
    """The entry that says how the joined course ends.

    An entry left open does not outlast a charted stop for failure or toxicity that fell after it began,
    nor an open order a stop that a statement charts: old orders stay "active" in many charts. Otherwise
    the one whose end is known better tells, where both may mean the same end, else the one that reaches
    further, and of two that reach as far the one that gives a reason.
    """
    for open_entry, ended in ((a, b), (b, a)):
        if open_entry.ongoing and not ended.ongoing and open_entry.first.earliest <= ended.last.latest:
            decided = ended.stop_reason in DECIDED
            if decided or (open_entry.presumed and not ended.presumed):
                return ended
    closer, wider = sorted((a, b), key=lambda c: (c.last.latest - c.last.earliest).days)
    # Of two ends that may be the same day, the one that is known better; a later entry has a later end.
    same_end = wider.last.earliest <= closer.last.earliest and closer.last.latest <= wider.last.latest
    begun_before = wider.end_told_from.latest <= closer.last.latest
    if a.ongoing == b.ongoing and a.last != b.last and same_end and begun_before:
        return closer
    return max(
        (a, b),
        key=lambda c: (c.ongoing, c.last.latest, c.last.earliest, -_GRAVEST_STOP.index(c.stop_reason)),
    )
