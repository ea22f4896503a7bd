"""From the record to the patient's state: the table of contents of this room."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from cds_service.knowledge.asserting import INTOLERANT
from cds_service.knowledge.types import Knowledge
from cds_service.knowledge.wording import sentence
from cds_service.patient import fitness
from cds_service.patient.asserted import Outcome, Settled, settled, word_of
from cds_service.patient.asserted import told as told_assertions
from cds_service.patient.biochemistry import laboratory_progressions, laboratory_questions
from cds_service.patient.durations import (
    clocks,
    months_after_transplant,
    told,
    treatment_free_months,
    with_durations,
    with_times_to_progression,
)
from cds_service.patient.exposures import Course, courses
from cds_service.patient.gate import (
    diagnosis_state,
    further_line_ordered,
    last_line_failed,
    last_line_may_have_failed,
    progressed_on_last,
)
from cds_service.patient.history import PRECURSORS, history, prior_lines_counted
from cds_service.patient.labels import Standing, labels
from cds_service.patient.lines import Counted, count_lines, with_computed_responses
from cds_service.patient.plans import plans
from cds_service.patient.progression import (
    Event,
    charted_progressions,
    events,
    with_computed,
)
from cds_service.patient.purposes import TRANSPLANTS, decided, implied_transplants
from cds_service.patient.refractory import Evidence, class_states, drug_states
from cds_service.patient.remarks import Facts, laboratory_remarks
from cds_service.patient.response import laboratory_responses
from cds_service.patient.samples import LaboratoryValues
from cds_service.patient.targets import target_exposures
from cds_service.patient.types import (
    LONG_AGO,
    PatientState,
    Progression,
    PurposeDecision,
    Unknown,
)
from cds_service.record import (
    MYELOMA,
    RESPONDING,
    ClinicalRecord,
    Completeness,
    DateSpan,
    DiagnosisFact,
    DiagnosisStatus,
    Issue,
    Measurement,
    ProcedureFact,
    Purpose,
    Response,
    Severity,
)


def derive(record: ClinicalRecord, knowledge: Knowledge, as_of: date, language: str = "en") -> PatientState:
    """Everything choosing needs of one patient, as of one day. Pure: no clock, no FHIR.

    ``language`` is that of the sentences inside ("en" or "it").
    """
    record = record.normalised()
    numbers = knowledge.definitions["imwg"]
    word = word_of(record, knowledge, as_of)
    record = replace(record, responses=(*record.responses, *word.responses()))
    told_of = decided(record, knowledge, language)
    facts, purposes = told_of.facts, told_of.decisions
    implied = implied_transplants(record, facts)
    record = replace(record, procedures=(*record.procedures, *implied))
    given = courses(facts, knowledge, as_of)
    treatment = [c for c in given if knowledge.drugs[c.drug].treats_myeloma]
    values = LaboratoryValues(record, knowledge, as_of)
    newer = _values_since(record, knowledge, as_of)
    chart = _Course(record, given, treatment, values, knowledge, as_of, language)
    progressions, happened, counted = _progressions_and_lines(chart)
    if (answered := settled(word, counted.lines)) is not None:
        later = laboratory_progressions(newer(answered.by.on), counted.lines, language)
        progressions, happened, counted = _progressions_and_lines(chart, answered, later)
    record = replace(record, responses=(*record.responses, *word.failures(counted)))
    responses = laboratory_responses(values, counted.lines, language)
    lines, computed = with_computed_responses(counted.lines, record.responses, responses)
    month = numbers["days_per_month"]
    counted = replace(counted, lines=with_times_to_progression(lines, month))
    # Stable by the numbers is shown, but does not make a drug refractory: nobody has called it non-response.
    reached = [r for r in computed if r.category is not Response.SD]
    chronicle = history(record, treatment, progressions, knowledge)
    history_known = chronicle.known
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
            held=told_of.held,
            missing=chronicle.derived_from,
            transformed=_transformed(record),
            word=word if word.said else None,
            since=lambda day: laboratory_progressions(newer(day), counted.lines, language),
        ),
        knowledge,
    )
    drugs = with_durations(drugs, given, as_of, month)
    classes = class_states(drugs, knowledge)
    diagnosis = diagnosis_state(record, counted, progressions, numbers["out_of_scope"])
    out_of_scope = diagnosis.kind if diagnosis.kind in numbers["out_of_scope"] else ""
    treatable = diagnosis.kind == MYELOMA and not record.patient.deceased and bool(counted.lines)
    failed = treatable and last_line_failed(record, diagnosis, counted, progressions, spans, knowledge)
    due = failed or (treatable and further_line_ordered(record, counted, given, knowledge, as_of))
    prior_lines = prior_lines_counted(counted, history_known, word)
    running = clocks(counted.lines, record, happened, month)
    transplants = tuple(p.reference for p in record.procedures if p.kind in TRANSPLANTS)
    standing = Standing(prior_lines, due, failed, running, bool(transplants))
    reasons, open_labels = labels(
        drugs, classes, counted.lines, record.responses, standing, knowledge, language
    )
    own = fitness.assess(record, knowledge.definitions, as_of, language)
    intolerant: dict[str, tuple[str, ...]] = {
        key: state.derived_from for key, state in drugs.items() if state.intolerant
    }
    allergic: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for allergy in record.allergies:
        target = intolerant if allergy.intolerance else allergic
        target[allergy.drug] = (*target.get(allergy.drug, ()), allergy.reference)
    for drug, said in word.of_drugs(INTOLERANT, "intolerant").items():
        intolerant[drug] = (*intolerant.get(drug, ()), said.reference)
    drugs = {key: replace(own, intolerant=own.intolerant or key in intolerant) for key, own in drugs.items()}
    open_values, questions = laboratory_questions(values, counted.lines, progressions, language)
    remarks = laboratory_remarks(
        Facts(values, counted.lines, given, progressions, (*record.responses, *computed)), language
    )
    # A rise that a clinician answered by "no progression" stays answered until another value comes.
    if answered is not None and not any(
        m.on is None or m.on.latest > answered.by.on for m in record.measurements
    ):
        open_values, remarks = (), replace(remarks, unknown=())
    undecided = (
        treatable and not failed and last_line_may_have_failed(counted, progressions, record, answered)
    )
    charted_intolerance = frozenset(a.drug for a in record.allergies)
    outcome = Outcome(drugs, counted.lines, progressions, charted_intolerance, prior_lines)
    to_come = plans(record, facts, given, knowledge, as_of, language)
    return PatientState(
        as_of=as_of,
        diagnosis=diagnosis,
        needs_treatment_choice=due,
        prior_lines=prior_lines,
        lines=counted.lines,
        drugs=drugs,
        classes=classes,
        labels=tuple(reasons),
        label_reasons=reasons,
        open_labels=open_labels,
        purposes=purposes,
        targets=target_exposures(drugs, given, counted, knowledge),
        treatment_free_months=treatment_free_months(given, record, knowledge, as_of, month),
        progressions=progressions,
        relapse_signs=remarks.signs,
        progressed_on_last=progressed_on_last(
            counted, progressions, knowledge, numbers["refractory"]["window_days"]
        ),
        first_remission_months=told(running["first-dose"].months),
        months_to_progression_after_transplant=months_after_transplant(record, progressions, month),
        transplants=transplants,
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
        planned=to_come.planned,
        car_t=to_come.car_t,
        car_t_from=to_come.car_t_from,
        procedures_known=record.completeness.get("procedures", Completeness.COMPLETE)
        is Completeness.COMPLETE,
        history_known=history_known,
        asserted=told_assertions(word, outcome, knowledge, language),
        unknown=(
            *unknown,
            *_other_unknowns(history_known, undecided, own.labs, due, knowledge, language),
            *_unidentified(purposes, knowledge, language),
            *open_values,
            *remarks.unknown,
        ),
        issues=(
            *counted.issues,
            *questions,
            *remarks.issues,
            *own.issues,
            *to_come.issues,
            *_not_charted(implied, knowledge, language),
            *_contradictions(record, knowledge, language),
        ),
        out_of_scope=out_of_scope,
    )


@dataclass(frozen=True)
class _Course:
    """What progressions and lines are worked out of."""

    record: ClinicalRecord
    given: Sequence[Course]
    treatment: Sequence[Course]
    values: LaboratoryValues
    knowledge: Knowledge
    as_of: date
    language: str


def _progressions_and_lines(
    of: _Course, answered: Settled | None = None, later: Sequence[Progression] = ()
) -> tuple[tuple[Progression, ...], list[Event], Counted]:
    """Progressions, charted and computed, the events they tell of, and the lines.

    Values are judged within a line, and a progression they show may end it: a regimen begun anew after it
    is another line. Each round settles at least one line more, so the rounds are no more than the courses.
    ``answered`` is a clinician's word that the last line had not progressed, ``later`` what newer
    values show.
    """
    knowledge, language, treatment = of.knowledge, of.language, of.treatment
    numbers = knowledge.definitions["imwg"]["lines"]
    charted = charted_progressions(of.record, treatment, knowledge, of.as_of, language)
    if answered is not None:
        charted = answered.charted(charted)
    progressions = charted
    presumed: set[DateSpan] = set()
    for _ in range(len(treatment) + 2):
        happened = events(progressions, treatment, numbers["same_event_days"])
        counted = count_lines(of.record, of.given, happened, knowledge, language)
        presumed.update(counted.presumed_events)
        computed = laboratory_progressions(of.values, counted.lines, language)
        if answered is not None:
            computed = answered.computed(computed, later)
        joined = with_computed(charted, computed, treatment, numbers)
        if joined == progressions:
            break
        progressions = joined
    # Values may tell why a line began; of the drugs they leave aside, what the chart left open stays open.
    return progressions, happened, replace(counted, presumed_events=tuple(sorted(presumed)))


def _values_since(
    record: ClinicalRecord, knowledge: Knowledge, as_of: date
) -> Callable[[date], LaboratoryValues]:
    """The laboratory values from a day on, as if none had been charted before."""

    def since(day: date) -> LaboratoryValues:
        measured = tuple(m for m in record.measurements if m.on is not None and m.on.earliest >= day)
        return LaboratoryValues(replace(record, measurements=measured), knowledge, as_of)

    return since


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


def _transformed(record: ClinicalRecord) -> tuple[DiagnosisFact, ...]:
    """The entries that date the step from a charted precursor to the myeloma."""
    sure = [d for d in record.diagnoses if not d.provisional and d.onset]
    precursors = [d.onset for d in sure if d.kind in PRECURSORS and d.onset]
    return tuple(
        d
        for d in sure
        if d.kind == MYELOMA
        and d.status is not DiagnosisStatus.RELAPSE
        and any(d.onset and p.earliest < d.onset.earliest for p in precursors)
    )


def _contradictions(record: ClinicalRecord, knowledge: Knowledge, language: str) -> Iterator[Issue]:
    """An issue for each day on which both a progression and a response are charted."""
    failed = {r.on for r in record.responses if r.progression and r.on and r.on.exact}
    for response in record.responses:
        if response.category in RESPONDING and response.category and response.on in failed:
            text = sentence(
                knowledge.definitions,
                "response",
                "conflict",
                category=response.category.value,
                date=str(response.on),
            )
            yield Issue(
                Severity.WARNING, "conflicting-response", text.in_language(language), response.reference
            )


def _not_charted(implied: Sequence[ProcedureFact], knowledge: Knowledge, language: str) -> Iterator[Issue]:
    """An issue for each transplant that only its conditioning tells of."""
    for transplant in implied:
        text = sentence(
            knowledge.definitions, "procedure", "transplant-implied", date=str(transplant.on)
        ).in_language(language)
        yield Issue(Severity.WARNING, "transplant-not-charted", text, transplant.reference)


def _unidentified(
    purposes: Sequence[PurposeDecision], knowledge: Knowledge, language: str
) -> tuple[Unknown, ...]:
    """What a drug was that nothing identifies: it may be a line that is not counted."""
    names = {p.drug: knowledge.drugs[p.drug].name for p in purposes if p.purpose is Purpose.UNCLEAR}
    return tuple(
        Unknown(
            f"unidentified:{key}",
            sentence(knowledge.definitions, "would_settle", "unidentified", drug=name).in_language(language),
        )
        for key, name in sorted(names.items())
    )


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
