"""From the record to the patient's state: the table of contents of this room."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

from cds_service.knowledge.types import Knowledge
from cds_service.knowledge.wording import sentence
from cds_service.patient import fitness
from cds_service.patient.exposures import Course, courses
from cds_service.patient.labels import labels, months_between
from cds_service.patient.lines import TRANSPLANTS, Counted, count_lines
from cds_service.patient.progression import charted_progressions, events, progressed_on_or_within
from cds_service.patient.refractory import Evidence, class_states, drug_states
from cds_service.patient.types import (
    DiagnosisState,
    Line,
    PatientState,
    Progression,
    Unknown,
)
from cds_service.record import (
    ClinicalRecord,
    Completeness,
    DateSpan,
    DiagnosisStatus,
    Measurement,
    StopReason,
)

MYELOMA = "multiple-myeloma"
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
    treatment = [c for c in given if knowledge.drugs[c.drug].role == "anti-myeloma"]
    progressions = charted_progressions(record, treatment, knowledge, as_of, language)
    happened = events(progressions, treatment, numbers["lines"]["same_event_days"])
    counted = count_lines(record, given, happened, knowledge, as_of, language)
    history_known = _history_known(record, treatment, progressions)
    drugs, unknown = drug_states(
        given,
        _line_spans(counted, as_of),
        Evidence(progressions, counted.presumed_events, record.responses, history_known, language),
        knowledge,
    )
    classes = class_states(drugs, knowledge)
    diagnosis = _diagnosis(record, counted, progressions, numbers["out_of_scope"])
    out_of_scope = diagnosis.kind if diagnosis.kind in numbers["out_of_scope"] else ""
    due = _choice_due(record, diagnosis, counted, progressions, given, knowledge)
    first_months = _months_to_first_progression(counted.lines, progressions, numbers["days_per_month"])
    labs = fitness.latest(record.measurements)
    intolerant: dict[str, tuple[str, ...]] = {
        key: state.derived_from for key, state in drugs.items() if state.intolerant
    }
    allergic: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for allergy in record.allergies:
        target = intolerant if allergy.intolerance else allergic
        target[allergy.drug] = (*target.get(allergy.drug, ()), allergy.reference)
    lines_known = history_known or bool(counted.lines)
    return PatientState(
        as_of=as_of,
        diagnosis=diagnosis,
        needs_treatment_choice=due,
        prior_lines=len(counted.lines) if lines_known else None,
        lines=counted.lines,
        drugs=drugs,
        classes=classes,
        labels=labels(drugs, classes, counted.lines, record.responses, due, first_months, knowledge),
        progressions=progressions,
        progressed_on_last=_progressed_on_last(counted, progressions, numbers["refractory"]["window_days"]),
        first_remission_months=_only_if_certain(first_months),
        months_to_progression_after_transplant=_after_transplant(
            record, progressions, numbers["days_per_month"]
        ),
        transplant=any(p.kind in TRANSPLANTS for p in record.procedures),
        age=fitness.age_on(record.patient.birth, as_of),
        sex=record.patient.sex,
        deceased=record.patient.deceased,
        ecog=fitness.ecog_of(labs),
        comorbidities=fitness.merged_comorbidities(record.comorbidities),
        intolerant=intolerant,
        allergic=dict(allergic),
        biology=_biology(labs, knowledge),
        labs=labs,
        history_known=history_known,
        conditions_known=record.completeness.get("conditions", Completeness.COMPLETE)
        is Completeness.COMPLETE,
        unknown=(*unknown, *_other_unknowns(history_known, labs, due, knowledge, language)),
        issues=counted.issues,
        out_of_scope=out_of_scope,
    )


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
    implied = implied or any(p.kind in (*TRANSPLANTS, "cart-infusion") for p in record.procedures)
    if implied and not treatment:
        return False
    # "Third line" in the chart of a patient with one line on record: two lines are missing.
    charted = [c.line_number for c in treatment if c.line_number]
    return not charted or max(charted) <= len({c.line_number for c in treatment if c.line_number}) + sum(
        1 for c in treatment if not c.line_number
    )


def _line_spans(counted: Counted, as_of: date) -> dict[Course, tuple[DateSpan, DateSpan]]:
    spans: dict[Course, tuple[DateSpan, DateSpan]] = {}
    for number, (line, members) in enumerate(zip(counted.lines, counted.courses_of, strict=True)):
        later = counted.lines[number + 1].start if number + 1 < len(counted.lines) else None
        start = line.start or DateSpan(date(1900, 1, 1), as_of)
        for course in members:
            spans.setdefault(course, (start, later or DateSpan(as_of, as_of)))
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
    """Whether a charted progression fell after the last line was begun (no new line followed it)."""
    if not lines:
        return bool(progressions)
    start = lines[-1].start
    return start is None or any(p.on.latest > start.latest for p in progressions)


def _choice_due(
    record: ClinicalRecord,
    diagnosis: DiagnosisState,
    counted: Counted,
    progressions: Sequence[Progression],
    given: Sequence[Course],
    knowledge: Knowledge,
) -> bool:
    """Whether a line was given and failed with none begun after it, or a further line is being ordered."""
    if diagnosis.kind != MYELOMA or record.patient.deceased or not counted.lines:
        return False
    if diagnosis.status == "history" and not progressions:
        return False
    failed = any(
        c.stop_reason in (StopReason.PROGRESSION, StopReason.NO_RESPONSE) and not c.ongoing
        for c in counted.courses_of[-1]
        if c in given
    )
    last_start = counted.lines[-1].start
    not_responding = any(
        r.no_response and r.on is not None and (last_start is None or r.on.latest > last_start.latest)
        for r in record.responses
    )
    return (
        failed
        or not_responding
        or _after_last_start(counted.lines, progressions)
        or _further_line_ordered(record, given, knowledge)
    )


def _further_line_ordered(record: ClinicalRecord, given: Sequence[Course], knowledge: Knowledge) -> bool:
    """Whether an anti-myeloma drug that the present treatment does not contain is being ordered."""
    on_board = {c.drug for c in given if c.ongoing}
    ordered = {
        d.drug
        for d in record.drafts
        if d.drug in knowledge.drugs and knowledge.drugs[d.drug].role == "anti-myeloma"
    }
    return bool(ordered - on_board)


def _months_to_first_progression(
    lines: Sequence[Line], progressions: Sequence[Progression], days_per_month: float
) -> tuple[float, float] | None:
    if not lines or lines[0].start is None or lines[0].progression is None:
        return None
    return months_between(lines[0].start, lines[0].progression, days_per_month)


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
    counted: Counted, progressions: Sequence[Progression], window_days: int
) -> bool | None:
    """Whether the disease progressed on the last line, or within the window of its last dose."""
    if not counted.lines:
        return None
    answers: list[bool | None] = []
    for course in counted.courses_of[-1]:
        if course.stop_reason in (StopReason.PROGRESSION, StopReason.NO_RESPONSE):
            return True
        answers += [
            progressed_on_or_within(window_days, course.first, course.last, p.on) for p in progressions
        ]
    if True in answers:
        return True
    return None if None in answers else False


def _biology(labs: Mapping[str, Measurement], knowledge: Knowledge) -> dict[str, str]:
    return {key: m.text for key, m in labs.items() if m.text in ("present", "absent") and m.value is None}


def _other_unknowns(
    history_known: bool, labs: Mapping[str, Measurement], due: bool, knowledge: Knowledge, language: str
) -> tuple[Unknown, ...]:
    def unknown(what: str, settles: str) -> Unknown:
        text = sentence(knowledge.definitions, "would_settle", settles, drug="")
        return Unknown(what, text.in_language(language))

    found = []
    if not history_known:
        found.append(unknown("medication-history", "history"))
    if due and "ecog" not in labs:
        found.append(unknown("ecog", "ecog"))
    return tuple(found)
