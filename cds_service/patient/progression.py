"""When the disease progressed, by which kind of fact, and whether a drug was on board."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cds_service.knowledge.types import Knowledge, Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.exposures import Course
from cds_service.patient.types import Certainty, Progression
from cds_service.record import ClinicalRecord, DateSpan, DiagnosisFact, DiagnosisStatus, StopReason

CHARTED = 4
"""Progressions of this trust or better are charted or computed; beyond it they are presumed."""

PRESUMED = 5


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
    diagnoses, by its onset, else its recorded date. A diagnosis whose onset and recorded date lie before
    the first treatment is the first diagnosis, relapsed on an uncharted day: it adds a span only where no
    better fact tells of a progression.
    """
    definitions = knowledge.definitions

    def because(name: str, on: DateSpan, drug: Text | str = "") -> str:
        text = sentence(definitions, "progression", name, date=str(on), drug=drug)
        return text.in_language(language)

    first_dose = min((course.first.earliest for course in courses if course.dated), default=None)
    since = first_dose or date(1900, 1, 1)
    whole = DateSpan(since, as_of)
    found: list[Progression] = []
    for fact in record.responses:
        if fact.progression:
            on = fact.on or whole
            found.append(Progression(on, 1, Certainty.DOCUMENTED, because("response", on), (fact.reference,)))
    for course in courses:
        if course.stop_reason is StopReason.PROGRESSION and not course.ongoing:
            name = knowledge.drugs[course.drug].name
            text = because("stop", course.last, name)
            found.append(Progression(course.last, 2, Certainty.DOCUMENTED, text, course.derived_from))
    undated: list[DiagnosisFact] = []
    for diagnosis in record.diagnoses:
        if diagnosis.status is not DiagnosisStatus.RELAPSE or diagnosis.provisional:
            continue
        dates = (diagnosis.onset, diagnosis.recorded)
        dated = next((d for d in dates if d is not None and d.latest > since), None)
        if dated is None or first_dose is None:
            undated.append(diagnosis)
        else:
            text = because("diagnosis", dated)
            found.append(Progression(dated, 3, Certainty.DOCUMENTED, text, (diagnosis.reference,)))
    if not found:
        for diagnosis in undated:
            found.append(
                Progression(
                    whole, 3, Certainty.DOCUMENTED, because("diagnosis", whole), (diagnosis.reference,)
                )
            )
    return tuple(sorted(found, key=lambda p: (p.on, p.trust, p.derived_from)))


@dataclass(frozen=True)
class Event:
    """One progression of the disease, however many facts tell of it."""

    on: DateSpan
    facts: tuple[Progression, ...]


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
