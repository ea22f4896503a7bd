"""Where the disease stands, and whether a choice of treatment is due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from cds_service.knowledge.types import Knowledge
from cds_service.patient.asserted import Settled
from cds_service.patient.exposures import Course
from cds_service.patient.history import PRECURSORS
from cds_service.patient.lines import Counted
from cds_service.patient.progression import progressed_on_or_within
from cds_service.patient.purposes import TRANSPLANTS
from cds_service.patient.refractory import never_responded
from cds_service.patient.types import DiagnosisState, Line, Progression
from cds_service.record import (
    MYELOMA,
    ClinicalRecord,
    Completeness,
    DateSpan,
    DiagnosisStatus,
    Purpose,
    StopReason,
)


def diagnosis_state(
    record: ClinicalRecord,
    counted: Counted,
    progressions: Sequence[Progression],
    out_of_scope: Sequence[str],
) -> DiagnosisState:
    """The disease as the chart has it, the gravest kind first; status in the words of the interface.

    ``out_of_scope`` are the neighbouring diseases for which the sources say nothing. Provisional
    diagnoses do not count, one of the past only where nothing else is charted.
    """
    sure = [d for d in record.diagnoses if not d.provisional]
    current = [d for d in sure if d.status is not DiagnosisStatus.HISTORY] or sure
    kinds = {d.kind for d in current}
    kind = next((k for k in (*out_of_scope, MYELOMA, *PRECURSORS) if k in kinds), "")
    if not kind:
        came = record.completeness.get("conditions", Completeness.COMPLETE)
        return DiagnosisState("unknown", "none" if came is Completeness.COMPLETE else "unknown")
    own = [d for d in current if d.kind == kind]
    relapse = max((p.on for p in progressions if p.bounded), default=None) if kind == MYELOMA else None
    statuses = {d.status for d in own}
    if kind != MYELOMA:
        status = "active" if statuses - {DiagnosisStatus.HISTORY} else "history"
    elif statuses == {DiagnosisStatus.HISTORY}:
        status = "history"
    elif _after_last_start(counted.lines, progressions):
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
    start = lines[-1].counts_from
    return any(start is None or p.on.earliest > start.latest for p in progressions)


def last_line_failed(
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
    last_start = counted.lines[-1].counts_from
    own = _judged(counted, knowledge)
    stopped = any(
        c.failed is not None and (last_start is None or c.failed.earliest > last_start.latest) for c in own
    )
    called = any(
        r.no_response
        and r.on is not None
        and (last_start is None or r.on.earliest > last_start.latest)
        and (not r.refractory_to or any(c.drug in r.refractory_to for c in own))
        for r in record.responses
    )
    stable = any(never_responded(c, spans.get(c), record.responses, numbers) for c in own)
    return stopped or called or stable or _after_last_start(counted.lines, progressions)


def _judged(counted: Counted, knowledge: Knowledge) -> list[Course]:
    """The courses by which the last line is judged: steroids aside, and bridging where cells followed it."""
    own = [c for c in counted.courses_of[-1] if knowledge.drugs[c.drug].treats_myeloma]
    infused = any(c.one_off for c in own)
    return [c for c in own if not (infused and c.purpose is Purpose.BRIDGING)]


def last_line_may_have_failed(
    counted: Counted,
    progressions: Sequence[Progression],
    record: ClinicalRecord,
    settled: Settled | None = None,
) -> bool:
    """Whether a failure is charted that may have fallen on the last line, or before it.

    ``settled``: a clinician's word that the last line had not failed, for what was known then.
    """
    start = counted.lines[-1].counts_from
    last = {c.drug for c in counted.courses_of[-1]}

    def answered(on: DateSpan | None, references: Iterable[str]) -> bool:
        return settled is not None and settled.answers(on, references)

    undated = any(
        r.no_response
        and r.on is None
        and (not r.refractory_to or last.intersection(r.refractory_to))
        and not answered(None, (r.reference,))
        for r in record.responses
    )
    unread = any(
        c.stop_reason is StopReason.UNREAD and not answered(c.last, c.derived_from)
        for c in counted.courses_of[-1]
    )
    return undated or unread or (start is not None and any(p.on.latest > start.latest for p in progressions))


def further_line_ordered(
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


def progressed_on_last(
    counted: Counted, progressions: Sequence[Progression], knowledge: Knowledge, window_days: int
) -> bool | None:
    """Whether the disease progressed on the last line, or within the window of its last dose.

    Steroids do not count, nor what happened before the line began.
    """
    if not counted.lines:
        return None
    start = counted.lines[-1].counts_from
    answers: list[bool | None] = []
    for course in _judged(counted, knowledge):
        if course.failed is not None and (start is None or course.failed.latest > start.latest):
            return True
        answers += [
            progressed_on_or_within(window_days, course.first, course.last, p.on)
            for p in progressions
            if start is None or p.on.latest > start.latest
        ]
    if True in answers:
        return True
    return None if None in answers else False
