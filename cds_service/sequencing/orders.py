"""What the drafted orders make up, and what of them clashes with the patient's state.

Judged are the drugs against myeloma and their steroids that the user selected; supportive drugs never are:
no draft of one adds a conflict or takes one away. Drafts not selected only help to recognise the regimen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from cds_service.knowledge.types import Knowledge, Regimen, Text
from cds_service.knowledge.wording import sentence, within_a_sentence
from cds_service.patient.types import PatientState, Status
from cds_service.record import ClinicalRecord, DrugFact, Purpose
from cds_service.sequencing.conditions import Evaluator
from cds_service.sequencing.labelling import label_status
from cds_service.sequencing.safety import (
    excludes_by_refractoriness,
    refractory_siblings,
    stops_of_drug,
    unsettled_siblings,
)
from cds_service.sequencing.types import Conflict, LabelStatus, Ordered

ORDER_SELECT, ORDER_SIGN = "order-select", "order-sign"
ORDER_MOMENTS = (ORDER_SELECT, ORDER_SIGN)
_AGAINST_MYELOMA = (None, Purpose.MYELOMA, Purpose.BRIDGING)


def treatment_drafts(record: ClinicalRecord, knowledge: Knowledge) -> tuple[DrugFact, ...]:
    """The drafts of drugs against myeloma and of steroids, in one order.

    Not those charted as given for something else (an antiemetic, mobilisation, another disease), nor the
    lymphodepletion of cells: these belong to no regimen that could be replaced.
    """
    drafts = sorted((d for d in record.drafts if d.purpose in _AGAINST_MYELOMA), key=_in_order)
    beside = _beside_cells((d.drug for d in drafts), knowledge)
    return tuple(
        d
        for d in drafts
        if d.drug in knowledge.drugs and knowledge.drugs[d.drug].role != "supportive" and d.drug not in beside
    )


def recognised(record: ClinicalRecord, knowledge: Knowledge) -> Ordered | None:
    """The regimen that the drafts are, exactly, or but for its steroid; None where they are none.

    Drafts not selected count. One drug alone says too little of the regimen it is meant for. A steroid beside
    drugs whose regimen has none is premedication.
    """
    return _regimen_of(treatment_drafts(record, knowledge), knowledge)


def _regimen_of(drafts: Sequence[DrugFact], knowledge: Knowledge) -> Ordered | None:
    drugs = {d.drug for d in drafts}
    against = {key for key in drugs if excludes_by_refractoriness(key, knowledge)}
    steroids = drugs - against
    if len(drugs) < 2 or not any(d.selected and d.drug in against for d in drafts):
        return None
    fitting = [
        r
        for r in knowledge.regimens.values()
        if len(r.components) > 1
        and against == {key for key in r.components if excludes_by_refractoriness(key, knowledge)}
    ]
    if not fitting:
        return None

    def lacks(regimen: Regimen) -> tuple[str, ...]:
        own = tuple(key for key in regimen.components if knowledge.drugs[key].is_steroid)
        return () if steroids else own

    best = min(fitting, key=lambda r: (len(lacks(r)), not steroids.issubset(r.components), r.key))
    return Ordered(best.key, lacks(best))


def conflicts(
    moment: str,
    record: ClinicalRecord,
    state: PatientState,
    evaluator: Evaluator,
    region: str,
    knowledge: Knowledge,
) -> Iterator[Conflict]:
    """Every clash of what is selected, each once however often its drug is drafted, the gravest first.

    ``evaluator`` asks of ``state`` in ``region``.
    """
    named = recognised(record, knowledge)
    found = list(_by_drug(record, state, evaluator, knowledge, named))
    selected = [d for d in treatment_drafts(record, knowledge) if d.selected]
    clashing = {conflict.drug for conflict in found}
    labels = _Labels(state, evaluator, region, knowledge)
    # Drafts not selected may be of yesterday: they name the regimen, and never make it clash.
    ordered = _regimen_of(selected, knowledge)
    found += labels.conflicts(selected, ordered, clashing, whole=moment == ORDER_SIGN)
    yield from sorted(found, key=lambda conflict: not conflict.critical)


def _in_order(draft: DrugFact) -> tuple[str, str]:
    return (draft.drug, draft.reference)


def _beside_cells(drugs: Iterable[str], knowledge: Knowledge) -> frozenset[str]:
    """Those drugs that are, all together, what a regimen names as supporting it: lymphodepletion."""
    drafted = frozenset(drugs)
    return frozenset(
        key
        for regimen in knowledge.regimens.values()
        if regimen.supporting and drafted.issuperset(regimen.supporting)
        for key in regimen.supporting
        if key not in regimen.components
    )


def is_continued(drug: str, state: PatientState) -> bool:
    """Whether the drug is of the line under way, which has not failed: one more cycle is no choice."""
    return bool(state.lines) and not state.needs_treatment_choice and drug in state.lines[-1].drugs


# ---- what clashes, drug by drug ---------------------------------------------------------------------------
def _by_drug(
    record: ClinicalRecord,
    state: PatientState,
    evaluator: Evaluator,
    knowledge: Knowledge,
    ordered: Ordered | None,
) -> Iterator[Conflict]:
    regimen = knowledge.regimens[ordered.regimen] if ordered else None
    against = {d.reference for d in treatment_drafts(record, knowledge)}
    told: set[str] = set()
    # Where a drug is drafted twice, the draft that is meant for the myeloma tells more.
    for draft in sorted(record.drafts, key=lambda d: (d.drug, d.reference not in against, d.reference)):
        known = knowledge.drugs.get(draft.drug)
        if not draft.selected or draft.drug in told or known is None or known.role == "supportive":
            continue
        treats = draft.reference in against
        part = regimen if regimen and treats and draft.drug in regimen.components else None
        found = _clashes(draft, state, evaluator, knowledge, treats=treats, part_of=part)
        if found:
            told.add(draft.drug)
            yield from found


def _clashes(
    draft: DrugFact,
    state: PatientState,
    evaluator: Evaluator,
    knowledge: Knowledge,
    *,
    treats: bool,
    part_of: Regimen | None,
) -> list[Conflict]:
    """What bars the drug, each reason apart; else its gravest clash: refractoriness, its class, intolerance.

    One that does not treat the myeloma (``treats`` False) can injure all the same, and no more than that.
    """
    definitions = knowledge.definitions
    drug = knowledge.drugs[draft.drug]
    own = state.drugs.get(draft.drug)

    def conflict(
        code: str,
        words: str,
        by: tuple[str, ...],
        certainty: str = "",
        more: Mapping[str, Text | str] | None = None,
        bar: str = "",
    ) -> Conflict:
        values: dict[str, Text | str] = {"drug": drug.name, **(more or {})}
        if certainty:
            values["certainty"] = sentence(definitions, "conflict", f"certainty-{certainty}")
        text = sentence(definitions, "conflict", words, **values)
        told = None
        if part_of is not None:
            values["regimen"] = part_of.display
            told = sentence(definitions, "conflict", f"{words}-in-regimen", **values)
        critical = code == "contraindicated"
        return Conflict(
            draft.drug, draft.reference, critical, code, text, certainty, None, by, in_regimen=told, bar=bar
        )

    code = "contraindicated"
    bars = []
    if draft.drug in state.allergic:
        bars.append(conflict(code, "allergy", state.allergic[draft.drug], bar="allergy"))
    for caution in knowledge.cautions(draft.drug):
        if caution.bars and caution.when is not None:
            outcome = evaluator.ask(caution.when)
            if outcome.value:
                more = {"text": caution.text}
                bars.append(conflict(code, code, outcome.derived_from, more=more, bar=caution.concept))
    judged = treats and excludes_by_refractoriness(draft.drug, knowledge)
    for stop, outcome in stops_of_drug(draft.drug, evaluator, knowledge) if judged else ():
        more = {"text": stop.text}
        bars.append(conflict(stop.code, code, outcome.derived_from, more=more, bar=stop.id))
    if bars or not judged:
        return bars
    if own is not None and own.status is Status.REFRACTORY:
        code = "refractory-component"
        return [conflict(code, code, own.derived_from, own.certainty.value)]
    for find, wording in ((refractory_siblings, "refractory-class"), (unsettled_siblings, "unsettled-class")):
        for class_key, other in find(draft.drug, state, knowledge):
            if not other.given:
                continue  # charted, and not known to have been given at all: no clash to stop an order with
            more = {"other": knowledge.drugs[other.drug].name, "class": knowledge.classes[class_key].name}
            certainty = other.certainty.value if other.status is Status.REFRACTORY else ""
            return [conflict("refractory-class", wording, other.derived_from, certainty, more)]
    if draft.drug in state.intolerant:
        return [conflict("intolerance", "intolerance", state.intolerant[draft.drug])]
    return []


# ---- the label --------------------------------------------------------------------------------------------
class _Labels:
    """Orders for relapsed disease that no regimen's label covers for this patient.

    A label that cannot be told is no conflict, nor is a drug of which no regimen is known, nor one more cycle
    of the line under way: that was judged when it began.
    """

    def __init__(self, state: PatientState, evaluator: Evaluator, region: str, knowledge: Knowledge) -> None:
        self._state = state
        self._evaluator = evaluator
        self._region = region
        self._knowledge = knowledge

    def conflicts(
        self, drafts: Sequence[DrugFact], ordered: Ordered | None, clashing: set[str], *, whole: bool
    ) -> Iterator[Conflict]:
        """``whole``: all is there that is to be signed, so a regimen recognised is the regimen meant."""
        against = [d for d in drafts if excludes_by_refractoriness(d.drug, self._knowledge)]
        judged = [d for d in against if not is_continued(d.drug, self._state)]
        if not self._state.prior_lines or not judged:
            return
        found = list(self._by_drug(judged, clashing))
        if ordered is None or not self._are_all_of(ordered, against):
            yield from found
            return
        # Signed as it stands, it is meant; being chosen, or added to a line under way, it may become another.
        meant = whole and not ordered.lacks and self._state.needs_treatment_choice
        if (meant and not {d.drug for d in judged} <= clashing) or found:
            regimen = self._knowledge.regimens[ordered.regimen]
            label = self._outside([regimen])
            if label is not None:
                yield self._of_regimen(regimen, judged, label)

    def _are_all_of(self, ordered: Ordered, against: Sequence[DrugFact]) -> bool:
        """Whether the drafts hold every drug against myeloma of the regimen, none of them to be added."""
        components = self._knowledge.regimens[ordered.regimen].components
        wanted = {key for key in components if excludes_by_refractoriness(key, self._knowledge)}
        return wanted == {d.drug for d in against}

    def _by_drug(self, drafts: Sequence[DrugFact], clashing: set[str]) -> Iterator[Conflict]:
        """Judged by the regimens of which all drafts may be part, since the rest may be ordered apart.

        Where there is none, by every regimen that holds the drug.
        """
        together = {d.drug for d in drafts}
        told = set(clashing)
        for draft in drafts:
            if draft.drug in told:
                continue
            told.add(draft.drug)
            holding = [r for r in self._knowledge.regimens.values() if draft.drug in r.components]
            whole = [r for r in holding if together <= set(r.components)]
            label = self._outside(whole or holding, together)
            if label is not None:
                drug = self._knowledge.drugs[draft.drug].name
                text = self._text(drug, label)
                yield Conflict(draft.drug, draft.reference, False, "outside-label", text)

    def _of_regimen(self, regimen: Regimen, drafts: Sequence[DrugFact], label: LabelStatus) -> Conflict:
        own = [d for d in drafts if d.drug in regimen.components]
        first = min(own, key=lambda d: (regimen.components.index(d.drug), d.reference))
        text = self._text(regimen.display, label)
        return Conflict(first.drug, first.reference, False, "outside-label", text, regimen=regimen.key)

    def _outside(self, regimens: Sequence[Regimen], ordered: Collection[str] = ()) -> LabelStatus | None:
        """Where no regimen is or may be within its label, the standing that tells most; else None.

        That of the regimen which the drugs ``ordered`` make up, else of one whose label asks for something:
        that another regimen with the drug is not labelled at all says nothing of this order.
        """
        as_of = self._state.as_of
        standings = [
            (label_status(r, self._region, self._evaluator, self._knowledge, as_of)[0], r) for r in regimens
        ]
        if not standings or any(self._may_cover(standing) for standing, _ in standings):
            return None

        def tells_less(one: tuple[LabelStatus, Regimen]) -> tuple[bool, bool]:
            standing, regimen = one
            treating = {key for key in regimen.components if excludes_by_refractoriness(key, self._knowledge)}
            return treating != set(ordered), standing.status != "outside"

        return min(standings, key=tells_less)[0]

    def _may_cover(self, label: LabelStatus) -> bool:
        # The first line may still be going on: a label for it alone covers what is added to it.
        first_line = not self._state.needs_treatment_choice and label.kind == "frontline-only"
        return label.status in ("within", "unknown") or first_line

    def _text(self, what: Text | str, label: LabelStatus) -> Text:
        definitions = self._knowledge.definitions
        if label.gate is None:
            return sentence(
                definitions, "conflict", "not-labelled", drug=what, region=self._region, status=label.text
            )
        gate = within_a_sentence(label.gate)
        return sentence(definitions, "conflict", "outside-label", drug=what, region=self._region, gate=gate)
