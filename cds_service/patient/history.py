"""Whether the chart holds the whole treatment, and how many lines that makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cds_service.knowledge.types import Knowledge
from cds_service.patient.asserted import Word, lines_begun_since
from cds_service.patient.exposures import Course
from cds_service.patient.lines import Counted
from cds_service.patient.purposes import INFUSION, TRANSPLANTS
from cds_service.patient.types import Progression
from cds_service.record import (
    MYELOMA,
    RESPONDING,
    ClinicalRecord,
    Completeness,
    DateSpan,
    DiagnosisFact,
    DiagnosisStatus,
    Response,
    ResponseFact,
)

PRECURSORS = ("smouldering-myeloma", "solitary-plasmacytoma", "mgus")
"""Diseases that may turn into myeloma."""

MEDICATION_KINDS = (
    "medicationStatements",
    "medicationRequests",
    "medicationAdministrations",
    "medicationDispenses",
)


def prior_lines_counted(counted: Counted, history_known: bool, word: Word | None = None) -> int | None:
    """Lines begun so far; where lines are missing from the record, what the chart itself numbers.

    A clinician's count stands above both; what surely began after its day is added.
    """
    said = word.lines if word is not None else None
    if said is not None:
        return int(said.value) + lines_begun_since(counted.lines, said.on)
    if history_known:
        return counted.lines[-1].number if counted.lines else 0
    highest = counted.lines[-1].number if counted.lines else 0
    return highest if highest > len(counted.lines) else None


@dataclass(frozen=True)
class History:
    """Whether the medication history is whole; ``derived_from``: what tells of treatment not in it."""

    known: bool
    derived_from: tuple[str, ...] = ()


def history(
    record: ClinicalRecord,
    treatment: Sequence[Course],
    progressions: Sequence[Progression],
    knowledge: Knowledge,
) -> History:
    """Whether a medication history came, whole, that tells of the treatment the chart implies."""
    came = [record.completeness.get(kind, Completeness.COMPLETE) for kind in MEDICATION_KINDS]
    if Completeness.COMPLETE not in came or Completeness.PARTIAL in came:
        return History(False)
    # What came before these must be on record: only treated disease relapses or responds, and nobody begins
    # with a transplant or with cells.
    earliest = min((c.first.earliest for c in treatment if not c.one_off), default=None)
    before = {
        reference
        for reference, on in _told_by_treated_disease(record, treatment)
        if earliest is None or on.latest <= earliest
    }
    if not treatment:
        before.update(r for p in progressions for r in p.derived_from)
        before.update(
            d.reference
            for d in record.diagnoses
            if d.kind == MYELOMA and d.status in (DiagnosisStatus.RELAPSE, DiagnosisStatus.REMISSION)
        )
    # A drug that failed, as the chart says in words, was given; a steroid or an unnamed one tells of no line.
    given = {c.drug for c in treatment}
    before.update(r.reference for r in record.responses if not _judged(r, knowledge) <= given)
    # "Third line" in the chart of a patient with one line on record: two lines are missing.
    charted = {c.line_number for c in treatment if c.line_number}
    unnumbered = sum(1 for c in treatment if not c.line_number)
    if charted and max(charted) > len(charted) + unnumbered:
        last = [c for c in treatment if c.line_number == max(charted)]
        before.update(r for c in last for r in c.derived_from)
    return History(not before, tuple(sorted(before)))


def _told_by_treated_disease(
    record: ClinicalRecord, treatment: Sequence[Course]
) -> Iterator[tuple[str, DateSpan]]:
    """Facts, with their day, that a disease shows only where it has been treated before."""
    first = min((c.first.earliest for c in treatment), default=None)
    # A progression while a precursor was all there was is the step to the myeloma, not a relapse.
    precursors = [d.onset for d in record.diagnoses if d.kind in PRECURSORS and d.onset]
    for procedure in record.procedures:
        if procedure.on and (procedure.kind in TRANSPLANTS or procedure.kind == INFUSION):
            yield procedure.reference, procedure.on
    for course in treatment:
        if course.one_off:
            yield from ((reference, course.first) for reference in course.derived_from)
    for response in record.responses:
        on = response.on
        if on is None:
            continue
        step = first and on.latest <= first and any(p.earliest <= on.earliest for p in precursors)
        if response.category in (*RESPONDING, Response.MR) or (response.progression and not step):
            yield response.reference, on
    for diagnosis in record.diagnoses:
        relapse = diagnosis.status is DiagnosisStatus.RELAPSE
        if relapse and diagnosis.onset and _newer_than_another(diagnosis, record):
            yield diagnosis.reference, diagnosis.onset


def _judged(response: ResponseFact, knowledge: Knowledge) -> set[str]:
    """The drugs named as failed that make lines and are known by name."""
    named = (knowledge.drugs[key] for key in response.refractory_to if key in knowledge.drugs)
    return {drug.key for drug in named if drug.treats_myeloma and not drug.unidentified}


def _newer_than_another(diagnosis: DiagnosisFact, record: ClinicalRecord) -> bool:
    """Whether another myeloma entry dates the onset earlier: then this one is of a relapse indeed."""
    return any(
        other.kind == MYELOMA
        and other.onset
        and diagnosis.onset
        and other.onset.latest < diagnosis.onset.earliest
        for other in record.diagnoses
    )
