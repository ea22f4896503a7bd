"""Whether the chart holds the whole treatment, and how many lines that makes."""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.patient.exposures import Course
from cds_service.patient.lines import Counted
from cds_service.patient.purposes import TRANSPLANTS
from cds_service.patient.types import Progression
from cds_service.record import MYELOMA, ClinicalRecord, Completeness, DiagnosisFact, DiagnosisStatus, Response

PRECURSORS = ("smouldering-myeloma", "solitary-plasmacytoma", "mgus")
"""Diseases that may turn into myeloma."""

MEDICATION_KINDS = (
    "medicationStatements",
    "medicationRequests",
    "medicationAdministrations",
    "medicationDispenses",
)


def prior_lines_counted(counted: Counted, history_known: bool) -> int | None:
    """Lines begun so far; where lines are missing from the record, what the chart itself numbers."""
    if history_known:
        return counted.lines[-1].number if counted.lines else 0
    highest = counted.lines[-1].number if counted.lines else 0
    return highest if highest > len(counted.lines) else None


def history_is_known(
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
    # One charted while a precursor was all there was is the step to the myeloma, not a relapse.
    precursors = [d.onset for d in record.diagnoses if d.kind in PRECURSORS and d.onset]
    first = min((c.first.earliest for c in treatment), default=None)
    relapsed = [
        r.on
        for r in record.responses
        if (r.category is Response.PD or r.progression)
        and r.on
        and not (first and r.on.latest <= first and any(p.earliest <= r.on.earliest for p in precursors))
    ]
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
    # A drug that failed, as the chart says in words, was given.
    given = {c.drug for c in treatment}
    if any(not given.issuperset(r.refractory_to) for r in record.responses):
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
