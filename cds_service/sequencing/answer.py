"""What is worth showing at this moment: sequencing, a conflict, missing data, a quiet state, or nothing."""

from __future__ import annotations

from hashlib import sha256

from cds_service.knowledge.types import Knowledge
from cds_service.patient.types import PatientState, Unknown
from cds_service.record import MYELOMA, ClinicalRecord
from cds_service.sequencing.companions import missing_companions
from cds_service.sequencing.conditions import Evaluator
from cds_service.sequencing.orders import (
    ORDER_MOMENTS,
    ORDER_SIGN,
    conflicts,
    recognised,
    treatment_drafts,
)
from cds_service.sequencing.safety import excludes_by_refractoriness
from cds_service.sequencing.types import Answer

UNREAD_ORDER = "unread-order"
_BY_HEART = frozenset({"refractory", "prior-lines", "progression-date", "progressed-on-last"})


def answer(
    moment: str,
    record: ClinicalRecord,
    state: PatientState,
    evaluator: Evaluator,
    region: str,
    knowledge: Knowledge,
) -> Answer:
    """What to show at ``moment`` (a hook's name). All empty is silence.

    Silence is right without myeloma, with a precursor only, newly diagnosed, dead, and at order entry for
    any order that does not conflict.
    """
    if state.deceased:
        return Answer()
    if state.out_of_scope:
        return Answer(state="out-of-scope") if moment not in ORDER_MOMENTS else Answer()
    if state.diagnosis.kind != MYELOMA:
        return Answer()
    if moment in ORDER_MOMENTS:
        ordered = recognised(record, knowledge)
        clashes = tuple(conflicts(moment, record, state, evaluator, region, knowledge))
        if clashes:
            return Answer(conflicts=clashes, ordered=ordered)
        if record.unread_orders and (state.lines or state.progressions):
            # Another order that is not read is another finding; its id is nobody's business but the chart's.
            unread = sha256("\n".join(record.unread_orders).encode()).hexdigest()[:12]
            return Answer(missing=(Unknown(f"{UNREAD_ORDER}:{unread}", ""),))
        if record.drafts or record.other_orders:
            # An order that fits, or one of another kind; but what could not be checked is no order that fits.
            if unchecked := _unchecked(record, state, knowledge):
                return Answer(missing=unchecked)
            # While orders are being chosen, what goes with them may be about to come.
            if moment != ORDER_SIGN:
                return Answer()
            lacking = missing_companions(record, state, evaluator, region, knowledge)
            return Answer(companions=lacking, ordered=ordered if lacking else None)
    if state.needs_treatment_choice:
        # Where nothing fits, this card says what is missing. At order entry nothing stands beside it.
        return Answer(sequencing=True, open=() if moment in ORDER_MOMENTS else _open(state))
    if moment in ORDER_MOMENTS:
        return Answer()
    if missing := _missing(state):
        return Answer(missing=missing)
    on_therapy = any(
        s.ongoing and excludes_by_refractoriness(s.drug, knowledge) for s in state.drugs.values()
    )
    if state.diagnosis.status == "remission" and on_therapy:
        return Answer(state="remission")
    return Answer()


def _unchecked(record: ClinicalRecord, state: PatientState, knowledge: Knowledge) -> tuple[Unknown, ...]:
    """The data without which a selected anti-myeloma order cannot be held against the history.

    Empty where no such order is selected, or where nothing that it contains is in doubt. A first treatment
    needs no history: it is asked for only where the chart tells of a relapse, or of treatment.
    """
    selected = {
        d.drug
        for d in treatment_drafts(record, knowledge)
        if d.selected and excludes_by_refractoriness(d.drug, knowledge)
    }
    if not selected:
        return ()
    treated = bool(state.progressions or state.lines) or state.diagnosis.status in ("active", "remission")
    wanted = {f"refractory:{drug}" for drug in selected}
    if treated and not state.history_known:
        wanted.add("medication-history")
    return tuple(u for u in state.unknown if u.what in wanted)


def _open(state: PatientState) -> tuple[Unknown, ...]:
    """The data that would change what is suggested and that a clinician may know by heart."""
    return tuple(
        unknown
        for unknown in state.unknown
        if unknown.changes_suggestions and unknown.what.partition(":")[0] in _BY_HEART
    )


def _missing(state: PatientState) -> tuple[Unknown, ...]:
    """The data without which a relapse cannot be answered, or cannot be told from an old one."""
    decisive = [u for u in state.unknown if u.what == "progression-date"]
    if state.progressions and (not state.history_known or not state.lines):
        decisive += [u for u in state.unknown if u.what == "medication-history"]
    return tuple(decisive)
