"""What is worth showing at this moment: sequencing, a conflict, missing data, a quiet state, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cds_service.knowledge.types import Knowledge, Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.types import PatientState, Status, Unknown
from cds_service.record import MYELOMA, ClinicalRecord, DrugFact
from cds_service.sequencing.conditions import Evaluator
from cds_service.sequencing.labelling import gate_text, label_status
from cds_service.sequencing.safety import (
    excludes_by_refractoriness,
    refractory_siblings,
    stops_of_drug,
    unsettled_siblings,
)
from cds_service.sequencing.types import Answer, Conflict

ORDER_MOMENTS = ("order-select", "order-sign")


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
        conflicts = tuple(_conflicts(record, state, evaluator, region, knowledge))
        if conflicts:
            return Answer(conflicts=conflicts)
        if record.drafts or record.other_orders:
            # An order that fits, or one of another kind; but what could not be checked is no order that fits.
            return Answer(missing=_unchecked(record, state, knowledge))
    if state.needs_treatment_choice:
        return Answer(sequencing=True)  # where nothing fits, this card says what is missing
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
        for d in record.drafts
        if d.selected and d.drug in knowledge.drugs and excludes_by_refractoriness(d.drug, knowledge)
    }
    if not selected:
        return ()
    treated = bool(state.progressions or state.lines) or state.diagnosis.status in ("active", "remission")
    wanted = {f"refractory:{drug}" for drug in selected}
    if treated and not state.history_known:
        wanted.add("medication-history")
    return tuple(u for u in state.unknown if u.what in wanted)


def _missing(state: PatientState) -> tuple[Unknown, ...]:
    """The data without which a relapse cannot be answered, or cannot be told from an old one."""
    decisive = [u for u in state.unknown if u.what == "progression-date"]
    if state.progressions and (not state.history_known or not state.lines):
        decisive += [u for u in state.unknown if u.what == "medication-history"]
    return tuple(decisive)


def _conflicts(
    record: ClinicalRecord, state: PatientState, evaluator: Evaluator, region: str, knowledge: Knowledge
) -> Iterator[Conflict]:
    drafted = {d.drug for d in record.drafts if d.drug in knowledge.drugs}
    for draft in record.drafts:
        if draft.selected and draft.drug in knowledge.drugs:
            conflict = _conflict(draft, state, evaluator, knowledge) or _outside_label(
                draft, drafted, state, evaluator, region, knowledge
            )
            if conflict is not None:
                yield conflict


def _outside_label(
    draft: DrugFact,
    drafted: set[str],
    state: PatientState,
    evaluator: Evaluator,
    region: str,
    knowledge: Knowledge,
) -> Conflict | None:
    """A drug ordered for relapsed disease that no regimen's label covers for this patient.

    Judged by the regimens of which all drafts may be part, since the rest may be ordered apart; where there
    is none, by every regimen that holds the drug. A label that cannot be told is no conflict, nor is a drug
    of which no regimen is known.
    """
    if not state.prior_lines or not excludes_by_refractoriness(draft.drug, knowledge):
        return None
    together = {key for key in drafted if excludes_by_refractoriness(key, knowledge)}
    holding = [r for r in knowledge.regimens.values() if draft.drug in r.components]
    whole = [r for r in holding if together <= set(r.components)]
    standings = [(label_status(r, region, evaluator, knowledge, state.as_of)[0], r) for r in whole or holding]
    if not standings or any(label.status in ("within", "unknown") for label, _ in standings):
        return None
    label, _ = standings[0]
    drug = knowledge.drugs[draft.drug].name
    gate = gate_text(label)
    text = sentence(knowledge.definitions, "conflict", "outside-label", drug=drug, region=region, gate=gate)
    return Conflict(draft.drug, draft.reference, False, "outside-label", text)


def _conflict(
    draft: DrugFact, state: PatientState, evaluator: Evaluator, knowledge: Knowledge
) -> Conflict | None:
    """The gravest clash of one draft: allergy or contraindication, refractoriness, its class, intolerance."""
    definitions = knowledge.definitions
    drug = knowledge.drugs[draft.drug]
    own = state.drugs.get(draft.drug)

    def conflict(
        code: str,
        words: str,
        by: tuple[str, ...],
        certainty: str = "",
        more: Mapping[str, Text | str] | None = None,
    ) -> Conflict:
        values: dict[str, Text | str] = {"drug": drug.name, **(more or {})}
        if certainty:
            values["certainty"] = sentence(definitions, "conflict", f"certainty-{certainty}")
        text = sentence(definitions, "conflict", words, **values)
        critical = code == "contraindicated"
        return Conflict(draft.drug, draft.reference, critical, code, text, certainty, None, by)

    if draft.drug in state.allergic:
        return conflict("contraindicated", "allergy", state.allergic[draft.drug])
    for caution in knowledge.cautions(draft.drug):
        if caution.bars and caution.when is not None:
            outcome = evaluator.ask(caution.when)
            if outcome.value:
                return conflict(
                    "contraindicated", "contraindicated", outcome.derived_from, more={"text": caution.text}
                )
    if not excludes_by_refractoriness(draft.drug, knowledge):
        return None
    for stop, outcome in stops_of_drug(draft.drug, evaluator, knowledge):
        return conflict(stop.code, "contraindicated", outcome.derived_from, more={"text": stop.text})
    if own is not None and own.status is Status.REFRACTORY:
        code = "refractory-component"
        return conflict(code, code, own.derived_from, own.certainty.value)
    for find, wording in ((refractory_siblings, "refractory-class"), (unsettled_siblings, "unsettled-class")):
        for class_key, other in find(draft.drug, state, knowledge):
            if not other.given:
                continue  # charted, and not known to have been given at all: no clash to stop an order with
            more = {
                "other": knowledge.drugs[other.drug].name,
                "class": knowledge.classes[class_key].name,
            }
            certainty = other.certainty.value if other.status is Status.REFRACTORY else ""
            return conflict("refractory-class", wording, other.derived_from, certainty, more)
    if draft.drug in state.intolerant:
        return conflict("intolerance", "intolerance", state.intolerant[draft.drug])
    return None
