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
from cds_service.patient.exposures import FAILURE, LONG_AGO, Course, courses
from cds_service.patient.labels import labels, months_between
from cds_service.patient.lines import TRANSPLANTS, Counted, count_lines, with_computed_responses
from cds_service.patient.progression import (
    Event,
    charted_progressions,
    events,
    progressed_on_or_within,
    with_computed,
)
from cds_service.patient.refractory import Evidence, class_states, drug_states, stable_at_best
from cds_service.patient.types import (
    DiagnosisState,
    Line,
    PatientState,
    Progression,
    Unknown,
)
from cds_service.record import (
    MYELOMA,
    ClinicalRecord,
    Completeness,
    DateSpan,
    DiagnosisFact,
    DiagnosisStatus,
    Measurement,
    Response,
)

MEDICATION_KINDS = (
    "medicationStatements",
    "medicationRequests",
    "medicationAdministrations",
    "medicationDispenses",
)
_PRECURSORS = ("smouldering-myeloma", "solitary-plasmacytoma", "mgus")


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
    history_known = _history_known(record, treatment, progressions)
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
    diagnosis = _diagnosis(record, counted, progressions, numbers["out_of_scope"])
    out_of_scope = diagnosis.kind if diagnosis.kind in numbers["out_of_scope"] else ""
    treatable = diagnosis.kind == MYELOMA and not record.patient.deceased and bool(counted.lines)
    failed = treatable and _failed(record, diagnosis, counted, progressions, spans, knowledge)
    due = failed or (treatable and _further_line_ordered(record, counted, given, knowledge, as_of))
    prior_lines = _prior_lines(counted, history_known)
    first_months = _months_to_first_progression(counted.lines, happened, numbers["days_per_month"])
    own = fitness.assess(record, knowledge.definitions, as_of, language)
    intolerant: dict[str, tuple[str, ...]] = {
        key: state.derived_from for key, state in drugs.items() if state.intolerant
    }
    allergic: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for allergy in record.allergies:
        target = intolerant if allergy.intolerance else allergic
        target[allergy.drug] = (*target.get(allergy.drug, ()), allergy.reference)
    open_values, questions = laboratory_questions(values, counted.lines, progressions, language)
    notes = laboratory_notes(values, counted.lines, given, language)
    undecided = treatable and not failed and _possibly_failed(counted, progressions, record)
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
        progressed_on_last=_progressed_on_last(
            counted, progressions, knowledge, numbers["refractory"]["window_days"]
        ),
        first_remission_months=_only_if_certain(first_months),
        months_to_progression_after_transplant=_after_transplant(
            record, progressions, numbers["days_per_month"]
        ),
        transplants=tuple(p.reference for p in record.procedures if p.kind in TRANSPLANTS),
        age=own.age,
        sex=record.patient.sex,
        deceased=record.patient.deceased,
        ecog=own.ecog,
        frailty=own.frailty,
        fitness=own.fitness,
        comorbidities=own.comorbidities,
        ruled_out=own.ruled_out,
        intolerant=intolerant,
        allergic=dict(allergic),
        biology=own.biology,
        labs=own.labs,
        history_known=history_known,
        unknown=(
            *unknown,
            *_other_unknowns(history_known, undecided, own.labs, due, knowledge, language),
            *open_values,
        ),
        issues=(*counted.issues, *questions, *notes, *own.issues),
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


def _prior_lines(counted: Counted, history_known: bool) -> int | None:
    """Lines begun so far; where lines are missing from the record, what the chart itself numbers."""
    if history_known:
        return counted.lines[-1].number if counted.lines else 0
    highest = counted.lines[-1].number if counted.lines else 0
    return highest if highest > len(counted.lines) else None


def _history_known(
    record: ClinicalRecord, treatment: Sequence[Course], progressions: Sequence[Progression]
) -> bool:
    """Whether a medication history came, whole, that tells of the treatment the chart implies."""
    came = [record.completeness.get(kind, Completeness.COMPLETE) for kind in MEDICATION_KINDS]
    if Completeness.COMPLETE not in came or Completeness.PARTIAL in came:
        return False
    implied = bool(progressions) or any(
        d.kind == MYELOMA and d.status in (DiagnosisStatus.RELAPSE, DiagnosisStatus.REMISSION)
        for d in record.diagnoses
    )
    cells = [c for c in treatment if c.one_off]
    drugs = [c for c in treatment if not c.one_off]
    done = [p.on for p in record.procedures if p.kind in TRANSPLANTS and p.on]
    infused = [c.first for c in cells] + [
        p.on for p in record.procedures if p.kind == "cart-infusion" and p.on
    ]
    # A progressive disease was measured before; only treated disease relapses, and nobody begins with a
    # transplant or with cells. What came before must be on record.
    relapsed = [r.on for r in record.responses if r.category is Response.PD and r.on]
    relapsed += [
        d.onset
        for d in record.diagnoses
        if d.status is DiagnosisStatus.RELAPSE and d.onset and _newer_than_another(d, record)
    ]
    earliest = min((c.first.earliest for c in drugs), default=None)
    for span in (*done, *infused, *relapsed):
        implied = True
        if earliest is None or span.latest <= earliest:
            return False
    if implied and not treatment:
        return False
    # "Third line" in the chart of a patient with one line on record: two lines are missing.
    charted = {c.line_number for c in treatment if c.line_number}
    unnumbered = sum(1 for c in treatment if not c.line_number)
    return not charted or max(charted) <= len(charted) + unnumbered


def _newer_than_another(diagnosis: DiagnosisFact, record: ClinicalRecord) -> bool:
    """Whether another myeloma entry dates the onset earlier: then this one is of a relapse indeed."""
    return any(
        other.kind == MYELOMA
        and other.onset
        and diagnosis.onset
        and other.onset.latest < diagnosis.onset.earliest
        for other in record.diagnoses
    )


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


def _diagnosis(
    record: ClinicalRecord,
    counted: Counted,
    progressions: Sequence[Progression],
    out_of_scope: Sequence[str],
) -> DiagnosisState:
    sure = [d for d in record.diagnoses if not d.provisional]
    current = [d for d in sure if d.status is not DiagnosisStatus.HISTORY] or sure
    kinds = {d.kind for d in current}
    kind = next((k for k in (*out_of_scope, MYELOMA, *_PRECURSORS) if k in kinds), "")
    if not kind:
        came = record.completeness.get("conditions", Completeness.COMPLETE)
        return DiagnosisState("unknown", "none" if came is Completeness.COMPLETE else "unknown")
    own = [d for d in current if d.kind == kind]
    relapse = max((p.on for p in progressions), default=None) if kind == MYELOMA else None
    statuses = {d.status for d in own}
    if kind != MYELOMA:
        status = "active" if statuses - {DiagnosisStatus.HISTORY} else "history"
    elif statuses == {DiagnosisStatus.HISTORY}:
        status = "history"
    elif relapse is not None and _after_last_start(counted.lines, progressions):
        status = "active"
    elif DiagnosisStatus.REMISSION in statuses and DiagnosisStatus.RELAPSE not in statuses:
        status = "remission"
    elif not counted.lines and not progressions and DiagnosisStatus.RELAPSE not in statuses:
        status = "newly-diagnosed"
    else:
        status = "active"
    return DiagnosisState(status, kind, relapse, tuple(sorted(d.reference for d in own)))


def _after_last_start(lines: Sequence[Line], progressions: Sequence[Progression]) -> bool:
    """Whether a charted progression surely fell after the last line was begun: no new one followed it."""
    if not lines:
        return bool(progressions)
    start = lines[-1].start
    return start is None or any(p.on.earliest > start.latest for p in progressions)


def _failed(
    record: ClinicalRecord,
    diagnosis: DiagnosisState,
    counted: Counted,
    progressions: Sequence[Progression],
    spans: Mapping[Course, tuple[DateSpan, DateSpan]],
    knowledge: Knowledge,
) -> bool:
    """Whether the last line progressed or did not respond, as far as the chart says, however long ago."""
    if diagnosis.status == "history" and not progressions:
        return False
    numbers = knowledge.definitions["imwg"]["refractory"]
    last_start = counted.lines[-1].start
    own = [c for c in counted.courses_of[-1] if knowledge.drugs[c.drug].treats_myeloma]
    stopped = any(
        c.stop_reason in FAILURE and (last_start is None or c.last.earliest > last_start.latest) for c in own
    )
    called = any(
        r.no_response and r.on is not None and (last_start is None or r.on.earliest > last_start.latest)
        for r in record.responses
    )
    stable = any(stable_at_best(c, spans.get(c), record.responses, numbers) for c in own)
    return stopped or called or stable or _after_last_start(counted.lines, progressions)


def _possibly_failed(counted: Counted, progressions: Sequence[Progression], record: ClinicalRecord) -> bool:
    """Whether a failure is charted that may have fallen on the last line, or before it."""
    start = counted.lines[-1].start
    undated = any(r.no_response and r.on is None for r in record.responses)
    return undated or (start is not None and any(p.on.latest > start.latest for p in progressions))


def _further_line_ordered(
    record: ClinicalRecord, counted: Counted, given: Sequence[Course], knowledge: Knowledge, as_of: date
) -> bool:
    """Whether an anti-myeloma drug is being ordered that the last line does not hold, nor plan.

    Another cycle of the running regimen is no new line, nor is maintenance after a transplant.
    """
    numbers = knowledge.definitions["imwg"]["lines"]
    ordered = {d.drug for d in record.drafts if knowledge.drugs[d.drug].treats_myeloma}
    known = {c.drug for c in counted.courses_of[-1]} | {c.drug for c in given if c.ongoing}
    transplants = [p.on for p in record.procedures if p.kind in TRANSPLANTS and p.on]
    planned = any(
        0 <= (as_of - on.latest).days <= numbers["maintenance_after_transplant_days"] for on in transplants
    )
    if planned:
        known |= set(numbers["maintenance_drugs"])
    return bool(ordered - known)


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


def _progressed_on_last(
    counted: Counted, progressions: Sequence[Progression], knowledge: Knowledge, window_days: int
) -> bool | None:
    """Whether the disease progressed on the last line, or within the window of its last dose.

    Steroids do not count, nor what happened before the line began.
    """
    if not counted.lines:
        return None
    start = counted.lines[-1].start
    answers: list[bool | None] = []
    for course in counted.courses_of[-1]:
        if not knowledge.drugs[course.drug].treats_myeloma:
            continue
        if course.stop_reason in FAILURE and (start is None or course.last.latest > start.latest):
            return True
        answers += [
            progressed_on_or_within(window_days, course.first, course.last, p.on)
            for p in progressions
            if start is None or p.on.latest > start.latest
        ]
    if True in answers:
        return True
    return None if None in answers else False


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
