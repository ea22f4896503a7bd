"""From the record to the patient's state: the table of contents of this room."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from cds_service.knowledge.types import Knowledge
from cds_service.knowledge.wording import sentence
from cds_service.patient import fitness
from cds_service.patient.biochemistry import (
    LaboratoryValues,
    laboratory_notes,
    laboratory_progressions,
    laboratory_questions,
    laboratory_responses,
)
from cds_service.patient.exposures import LONG_AGO, Course, courses
from cds_service.patient.gate import (
    diagnosis_state,
    further_line_ordered,
    last_line_failed,
    last_line_may_have_failed,
    progressed_on_last,
)
from cds_service.patient.history import history_is_known, prior_lines_counted
from cds_service.patient.labels import labels, months_between
from cds_service.patient.lines import TRANSPLANTS, Counted, count_lines, with_computed_responses
from cds_service.patient.progression import (
    Event,
    charted_progressions,
    events,
    with_computed,
)
from cds_service.patient.refractory import Evidence, class_states, drug_states
from cds_service.patient.types import (
    Line,
    PatientState,
    Progression,
    Unknown,
)
from cds_service.record import (
    MYELOMA,
    ClinicalRecord,
    DateSpan,
    Measurement,
    Response,
)


def derive(record: ClinicalRecord, knowledge: Knowledge, as_of: date, language: str = "en") -> PatientState:
    """Everything choosing needs of one patient, as of one day. Pure: no clock, no FHIR.

    ``language`` is that of the sentences inside ("en" or "it").
    """
    record = record.normalised()
    numbers = knowledge.definitions["imwg"]
    given = courses(record, knowledge, as_of)
    treatment = [c for c in given if knowledge.drugs[c.drug].treats_myeloma]
    values = LaboratoryValues(record, knowledge, as_of)
    progressions, happened, counted = _progressions_and_lines(
        record, given, treatment, values, knowledge, as_of, language
    )
    responses = laboratory_responses(values, counted.lines, language)
    lines, computed = with_computed_responses(counted.lines, record.responses, responses)
    counted = replace(counted, lines=lines)
    # Stable by the numbers is shown, but does not make a drug refractory: nobody has called it non-response.
    reached = [r for r in computed if r.category is not Response.SD]
    history_known = history_is_known(record, treatment, progressions)
    spans = _line_spans(counted, as_of)
    drugs, unknown = drug_states(
        given,
        spans,
        Evidence(
            progressions,
            counted.presumed_events,
            (*record.responses, *reached),
            history_known,
            language,
            last_line=counted.lines[-1].start if counted.lines else None,
            infusions=tuple(c.first.earliest for c in given if c.one_off),
        ),
        knowledge,
    )
    classes = class_states(drugs, knowledge)
    diagnosis = diagnosis_state(record, counted, progressions, numbers["out_of_scope"])
    out_of_scope = diagnosis.kind if diagnosis.kind in numbers["out_of_scope"] else ""
    treatable = diagnosis.kind == MYELOMA and not record.patient.deceased and bool(counted.lines)
    failed = treatable and last_line_failed(record, diagnosis, counted, progressions, spans, knowledge)
    due = failed or (treatable and further_line_ordered(record, counted, given, knowledge, as_of))
    prior_lines = prior_lines_counted(counted, history_known)
    first_months = _months_to_first_progression(counted.lines, happened, numbers["days_per_month"])
    age = fitness.age_on(record.patient.birth, as_of)
    labs = fitness.with_clearance(
        fitness.latest(record.measurements, as_of, numbers["reach_days"]),
        age,
        record.patient.sex,
        numbers["clearance"],
    )
    intolerant: dict[str, tuple[str, ...]] = {
        key: state.derived_from for key, state in drugs.items() if state.intolerant
    }
    allergic: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for allergy in record.allergies:
        target = intolerant if allergy.intolerance else allergic
        target[allergy.drug] = (*target.get(allergy.drug, ()), allergy.reference)
    open_values, questions = laboratory_questions(values, counted.lines, progressions, language)
    notes = laboratory_notes(values, counted.lines, given, language)
    undecided = treatable and not failed and last_line_may_have_failed(counted, progressions, record)
    return PatientState(
        as_of=as_of,
        diagnosis=diagnosis,
        needs_treatment_choice=due,
        prior_lines=prior_lines,
        lines=counted.lines,
        drugs=drugs,
        classes=classes,
        labels=labels(
            drugs,
            classes,
            counted.lines,
            record.responses,
            prior_lines,
            due,
            failed,
            first_months,
            knowledge,
        ),
        progressions=progressions,
        progressed_on_last=progressed_on_last(
            counted, progressions, knowledge, numbers["refractory"]["window_days"]
        ),
        first_remission_months=_only_if_certain(first_months),
        months_to_progression_after_transplant=_after_transplant(
            record, progressions, numbers["days_per_month"]
        ),
        transplants=tuple(p.reference for p in record.procedures if p.kind in TRANSPLANTS),
        age=age,
        sex=record.patient.sex,
        deceased=record.patient.deceased,
        ecog=fitness.ecog_of(labs),
        comorbidities=fitness.comorbidities_now(record.comorbidities, as_of, numbers["reach_days"]),
        intolerant=intolerant,
        allergic=dict(allergic),
        biology=_biology(labs),
        labs=labs,
        history_known=history_known,
        unknown=(
            *unknown,
            *_other_unknowns(history_known, undecided, labs, due, knowledge, language),
            *open_values,
        ),
        issues=(*counted.issues, *questions, *notes),
        out_of_scope=out_of_scope,
    )


def _progressions_and_lines(
    record: ClinicalRecord,
    given: Sequence[Course],
    treatment: Sequence[Course],
    values: LaboratoryValues,
    knowledge: Knowledge,
    as_of: date,
    language: str,
) -> tuple[tuple[Progression, ...], list[Event], Counted]:
    """Progressions, charted and computed, the events they tell of, and the lines.

    Values are judged within a line, and a progression they show may end it: a regimen begun anew after it
    is another line. Each round settles at least one line more, so the rounds are no more than the courses.
    """
    same_event_days = knowledge.definitions["imwg"]["lines"]["same_event_days"]
    charted = progressions = charted_progressions(record, treatment, knowledge, as_of, language)
    presumed: set[DateSpan] = set()
    for _ in range(len(treatment) + 2):
        happened = events(progressions, treatment, same_event_days)
        counted = count_lines(record, given, happened, knowledge, language)
        presumed.update(counted.presumed_events)
        computed = laboratory_progressions(values, counted.lines, language)
        joined = with_computed(charted, computed, same_event_days)
        if joined == progressions:
            break
        progressions = joined
    # Values may tell why a line began; of the drugs they leave aside, what the chart left open stays open.
    return progressions, happened, replace(counted, presumed_events=tuple(sorted(presumed)))


def _line_spans(counted: Counted, as_of: date) -> dict[Course, tuple[DateSpan, DateSpan]]:
    """First and last day of the lines each course belongs to; one carried over belongs to both."""
    spans: dict[Course, tuple[DateSpan, DateSpan]] = {}
    for number, (line, members) in enumerate(zip(counted.lines, counted.courses_of, strict=True)):
        later = counted.lines[number + 1].start if number + 1 < len(counted.lines) else None
        start = line.start or DateSpan(LONG_AGO, as_of)
        end = later or DateSpan(as_of, as_of)
        for course in members:
            spans[course] = (spans[course][0] if course in spans else start, end)
    return spans


def _months_to_first_progression(
    lines: Sequence[Line], happened: Sequence[Event], days_per_month: float
) -> tuple[float, float] | None:
    """From the first dose of the first line to the first progression, in whichever line it fell."""
    if not lines or lines[0].start is None:
        return None
    start = lines[0].start
    first = next((e.on for e in happened if e.on.earliest > start.latest), None)
    return months_between(start, first, days_per_month) if first else None


def _only_if_certain(months: tuple[float, float] | None) -> float | None:
    """The time itself where the dates leave less than a month of doubt."""
    if months is None or months[1] - months[0] >= 1:
        return None
    return round((months[0] + months[1]) / 2, 1)


def _after_transplant(
    record: ClinicalRecord, progressions: Sequence[Progression], days_per_month: float
) -> float | None:
    """Months from the last transplant to the first progression after it."""
    done = [p.on for p in record.procedures if p.kind in TRANSPLANTS and p.on is not None]
    if not done:
        return None
    last = max(done)
    after = [p.on for p in progressions if p.on.earliest > last.latest]
    return _only_if_certain(months_between(last, min(after), days_per_month)) if after else None


def _biology(labs: Mapping[str, Measurement]) -> dict[str, str]:
    return {key: m.text for key, m in labs.items() if m.text in ("present", "absent") and m.value is None}


def _other_unknowns(
    history_known: bool,
    undecided: bool,
    labs: Mapping[str, Measurement],
    due: bool,
    knowledge: Knowledge,
    language: str,
) -> tuple[Unknown, ...]:
    def unknown(what: str, settles: str) -> Unknown:
        text = sentence(knowledge.definitions, "would_settle", settles, drug="")
        return Unknown(what, text.in_language(language))

    found = []
    if not history_known:
        found.append(unknown("medication-history", "history"))
    if undecided:
        found.append(unknown("progression-date", "progression-date"))
    if due and "ecog" not in labs:
        found.append(unknown("ecog", "ecog"))
    return tuple(found)
