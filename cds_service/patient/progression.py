"""When the disease progressed, by which kind of fact, and whether a drug was on board."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from cds_service.knowledge.types import Knowledge, Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.exposures import Course
from cds_service.patient.types import LONG_AGO, Certainty, Progression
from cds_service.record import (
    RESPONDING,
    ClinicalRecord,
    DateSpan,
    DiagnosisFact,
    DiagnosisStatus,
    StopReason,
)


def progressed_on_or_within(
    window_days: int, first_dose: DateSpan, last_dose: DateSpan, progression: DateSpan
) -> bool | None:
    """Whether the disease progressed on a drug, or within ``window_days`` whole days of its last dose.

    The last day of the window counts, the next does not. For a drug still being taken ``last_dose`` is
    the evaluation date; for one stopped on an unrecorded day, first dose to evaluation date. A
    progression on the very day of the first dose is the one the drug was begun for, and does not count.
    Returns None (unknown) where the dates as charted allow both answers.
    Raises ValueError if the last dose must lie before the first.
    Source: IMWG consensus, Rajkumar et al., Blood 2011;117:4691-5, "refractory".
    """
    if last_dose.latest < first_dose.earliest:
        raise ValueError(f"last dose {last_dose} lies before first dose {first_dose}")
    window = timedelta(days=window_days)
    surely_inside = (
        first_dose.latest < progression.earliest and progression.latest <= last_dose.earliest + window
    )
    surely_outside = (
        progression.latest <= first_dose.earliest or progression.earliest > last_dose.latest + window
    )
    return True if surely_inside else False if surely_outside else None


def charted_progressions(
    record: ClinicalRecord, courses: Sequence[Course], knowledge: Knowledge, as_of: date, language: str
) -> tuple[Progression, ...]:
    """Every progression or relapse that the chart states, oldest first; one per fact, not per event.

    Trust 1: a dated response or disease status; 2: a drug stopped for progression; 3: a relapse among the
    diagnoses, by its onset, else by the day it was entered. ``courses`` are those of anti-myeloma drugs.

    A fact of uncertain date that a better or surer one explains is left out, and so is one charted so soon
    after a new treatment began that it can only be the progression this was begun for.
    """
    newly = _new_treatments(courses)
    since = min((c.first.earliest for c in courses if c.dated), default=None)
    whole = DateSpan(_day_after(since, as_of), as_of)

    def progression(
        name: str, on: DateSpan, trust: int, by: tuple[str, ...], drug: Text | str = ""
    ) -> Progression:
        undated = sentence(knowledge.definitions, "drug_state", "undated")
        date_text: Text | str = str(on) if on.earliest > _day_after(LONG_AGO, as_of) else undated
        text = sentence(knowledge.definitions, "progression", name, date=date_text, drug=drug)
        return Progression(on, trust, Certainty.DOCUMENTED, text.in_language(language), by)

    found = [
        progression("response", fact.on or whole, 1, (fact.reference,))
        for fact in record.responses
        if fact.progression
    ]
    for course in courses:
        if course.stop_reason is StopReason.PROGRESSION:
            on = _stop_before_replacement(course, courses, knowledge, as_of)
            name = knowledge.drugs[course.drug].name
            found.append(progression("stop", on, 2, course.derived_from, name))
    undated: list[DiagnosisFact] = []
    for diagnosis in record.diagnoses:
        if diagnosis.status is not DiagnosisStatus.RELAPSE or diagnosis.provisional:
            continue
        dated = _dated(diagnosis, since)
        if dated is None:
            undated.append(diagnosis)
            continue
        if diagnosis.onset is None or dated is not diagnosis.onset:
            dated = _entered_late(dated, courses, newly, record, knowledge) or dated
        found.append(progression("diagnosis", dated, 3, (diagnosis.reference,)))
    found = [f for f in found if not _restates(f, found)]
    found = [f for f in (_not_of_new_treatment(f, found, newly, record, knowledge) for f in found) if f]
    # A progression before any treatment, that of a smouldering disease, explains no relapse; nor does one
    # that may have been before it.
    if not any(since is None or p.on.earliest > since for p in found):
        found += [progression("diagnosis", whole, 3, (d.reference,)) for d in undated]
    return tuple(sorted(found, key=lambda p: (p.on, p.trust, p.derived_from)))


def _day_after(since: date | None, as_of: date) -> date:
    """The day after the first dose: treated disease relapses later than it is treated."""
    return min(since + timedelta(days=1), as_of) if since else LONG_AGO


def _dated(diagnosis: DiagnosisFact, since: date | None) -> DateSpan | None:
    """The onset of a relapse, else the day it was entered, if that lies after the first treatment.

    An onset before it is that of the first diagnosis: many charts only switch its status to "relapse".
    """
    if since is None:
        return None
    return next(
        (d for d in (diagnosis.onset, diagnosis.recorded) if d is not None and d.latest > since), None
    )


def _stop_before_replacement(
    course: Course, courses: Sequence[Course], knowledge: Knowledge, as_of: date
) -> DateSpan:
    """When a drug was stopped for progression: an unsure day is not later than what replaced the drug."""
    last = course.failed or course.last
    if last.exact:
        return last
    settled = course.first.latest + timedelta(days=knowledge.definitions["imwg"]["lines"]["assembly_days"])
    begun = [
        c.first.earliest
        for c in courses
        if c.drug != course.drug and settled < c.first.earliest <= last.latest and c.first.exact
    ]
    latest = min(begun, default=last.latest)
    return DateSpan(min(max(last.earliest, _day_after(course.first.earliest, latest)), latest), latest)


def _entered_late(
    entered: DateSpan,
    courses: Sequence[Course],
    newly: Sequence[Course],
    record: ClinicalRecord,
    knowledge: Knowledge,
) -> DateSpan | None:
    """The span a relapse fell in that was entered while newer treatment was already working.

    An entry has the day it was typed. Where a new treatment had begun shortly before, or a response to it
    is charted later, the relapse is an older one; None where nothing speaks against the day itself.
    """
    reach = timedelta(days=knowledge.definitions["imwg"]["lines"]["late_entry_days"])
    new = [c.first for c in newly if c.first.latest < entered.earliest]
    if not new:
        return None
    start = max(new)
    responded = any(
        r.category in RESPONDING and r.on and r.on.earliest > entered.latest for r in record.responses
    )
    changed_since = any(c.first.earliest > entered.latest for c in courses)
    if entered.earliest - start.latest <= reach or (responded and not changed_since):
        first = min(c.first.earliest for c in courses)
        return DateSpan(min(_day_after(first, start.earliest), start.earliest), start.earliest)
    return None


def _new_treatments(courses: Sequence[Course]) -> list[Course]:
    """Courses begun after earlier treatment, of drugs that were not being given the day before."""
    ordered = sorted((c for c in courses if c.dated), key=lambda c: (c.first, c.drug))
    return [
        course
        for course in ordered
        if (course.first.earliest - ordered[0].first.latest).days > 0
        and not any(
            c.drug == course.drug and c.first < course.first and c.last.latest >= course.first.earliest
            for c in ordered
        )
    ]


def _restates(fact: Progression, facts: Sequence[Progression]) -> bool:
    """Whether a surer fact, of the same or better trust, lies inside the span of this one."""
    return not fact.on.exact and any(
        other is not fact
        and other.trust <= fact.trust
        and fact.on.earliest <= other.on.earliest
        and other.on.latest <= fact.on.latest
        and (other.on.latest - other.on.earliest) < (fact.on.latest - fact.on.earliest)
        for other in facts
    )


def _not_of_new_treatment(
    fact: Progression,
    facts: Sequence[Progression],
    newly: Sequence[Course],
    record: ClinicalRecord,
    knowledge: Knowledge,
) -> Progression | None:
    """The fact as it may be held against the treatment begun just before it; None where it repeats another.

    A disease cannot be measured to progress on a treatment some days after its first dose. Such a fact is
    the progression for which the treatment was begun; where no other tells of that one, it may have fallen
    on either side of the first dose.
    """
    if fact.trust == 2 or not fact.on.exact:  # a stop for progression speaks of its own drug
        return fact
    numbers = knowledge.definitions["imwg"]["lines"]
    soon = timedelta(days=numbers["first_assessment_days"])
    new = [c.first for c in newly if c.first.latest < fact.on.earliest <= c.first.latest + soon]
    if not new:
        return fact
    start = max(new)
    explained = timedelta(days=numbers["explained_days"])
    if any(o is not fact and start.earliest - explained <= o.on.earliest <= start.latest for o in facts):
        return None
    responded = any(
        r.category in RESPONDING and r.on and r.on.earliest > fact.on.latest for r in record.responses
    )
    before = start.earliest if responded else start.earliest - timedelta(days=1)
    on = DateSpan(before, start.earliest if responded else fact.on.latest)
    return replace(fact, on=on)


def with_computed(
    charted: Sequence[Progression],
    computed: Sequence[Progression],
    courses: Sequence[Course],
    numbers: Mapping[str, int],
) -> tuple[Progression, ...]:
    """Charted progressions with the computed ones that none of them explains, oldest first.

    A charted one that stands, with all its days, within ``same_event_days`` of a computed one explains it;
    the values then support it. One of unsure day does not: the values may be what dates it. A computed one
    that lies earlier stays beside it: progression has the date of the first of two samples, and a drug
    whose window the chart's own later date misses may be refractory by that. Nor does a progression explain
    what the values show of the treatment begun for it, once they can: ``first_assessment_days`` after its
    first dose. ``numbers`` are the day counts of definitions/imwg.yaml, "lines".
    """
    facts = list(charted)
    alone = []
    for found in computed:
        day = found.on.earliest

        def away(place: int, day: date = day) -> int:
            on = charted[place].on
            return max(abs((on.earliest - day).days), abs((on.latest - day).days))

        settled = day - timedelta(days=numbers["first_assessment_days"])
        begun = max((c.first.earliest for c in courses if c.first.latest < settled), default=date.min)
        of_its_time = [place for place in range(len(charted)) if charted[place].on.latest > begun]
        nearest = min(of_its_time, key=away, default=None)
        if nearest is None or away(nearest) > numbers["same_event_days"]:
            alone.append(found)
            continue
        fact = facts[nearest]
        if day < charted[nearest].on.earliest:
            alone.append(found)
        facts[nearest] = replace(fact, derived_from=tuple(sorted({*fact.derived_from, *found.derived_from})))
    return tuple(sorted([*facts, *alone], key=lambda p: (p.on, p.trust, p.derived_from)))


@dataclass(frozen=True)
class Event:
    """One progression of the disease, however many facts tell of it."""

    on: DateSpan
    facts: tuple[Progression, ...]

    @property
    def certainty(self) -> Certainty:
        """Documented where any of its facts is charted, else computed."""
        charted = any(fact.certainty is Certainty.DOCUMENTED for fact in self.facts)
        return Certainty.DOCUMENTED if charted else Certainty.COMPUTED


def events(
    progressions: Iterable[Progression], courses: Sequence[Course], same_event_days: int
) -> list[Event]:
    """Facts grouped into events: closer than ``same_event_days``, and no treatment begun between them.

    An event is dated by its most trusted fact, the earliest of these.
    """
    groups: list[list[Progression]] = []
    for fact in sorted(progressions, key=lambda p: (p.on, p.trust, p.derived_from)):
        if groups:
            previous = groups[-1][-1].on
            close = (fact.on.earliest - previous.latest).days <= same_event_days
            begun_between = any(
                previous.latest < course.first.earliest < fact.on.earliest for course in courses
            )
            if close and not begun_between:
                groups[-1].append(fact)
                continue
        groups.append([fact])
    return [
        Event(min(group, key=lambda p: (p.trust, not p.on.exact, p.on)).on, tuple(group)) for group in groups
    ]
