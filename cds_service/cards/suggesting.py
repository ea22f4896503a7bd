"""Cards that suggest regimens: the suggestions with their orders, and what a table says of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cds_service.cards.card import Card
from cds_service.cards.cautions import UNSETTLED, Numbered
from cds_service.cards.markdown import charted, sentence_case, whole_sentence
from cds_service.cards.names import EXTENSION
from cds_service.cards.order_forms import Whole, as_one
from cds_service.cards.orders import delete_action
from cds_service.cards.references import relative_reference
from cds_service.cards.room import Room
from cds_service.knowledge.wording import sentence
from cds_service.sequencing.orders import treatment_drafts
from cds_service.sequencing.types import CautionShown, Conflict, MissingCompanion, Ordered, Suggested


def _drugs_told(creates: Sequence[Mapping[str, Any]]) -> str:
    """Each drug with its doses, as the orders have them."""
    told = []
    for create in creates:
        order = create["resource"]
        doses = ", ".join(row["text"] for row in order.get("dosageInstruction", ()))
        told.append(f"{order['medicationCodeableConcept']['text']} {doses}".strip())
    return "; ".join(told)


class Suggesting(Card):
    """What the sequencing card and the conflict card share."""

    def _suggestions(self, deletes: Sequence[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
        """One suggestion for each regimen shown, best first, each with the same removals."""
        return [self._suggestion(suggested, deletes) for suggested in self._shown]

    def _suggestion(self, suggested: Suggested, deletes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        regimen = self._knowledge.regimens[suggested.regimen]
        name = self._means.orders.regimen_name(regimen, self._order_language())
        repeats = regimen.display.casefold() in name.casefold()
        if name[1:2].islower():
            name = name[:1].lower() + name[1:]  # it stands within a sentence
        called = self._text(
            f"phrases/regimen-name/{'plain' if repeats else 'both'}", name=name, display=regimen.display
        )
        deed = "replace" if deletes else "order"
        suggestion: dict[str, Any] = {
            "uuid": self._means.new_id(),
            "label": self._text(f"phrases/suggestion/{deed}", regimen=called),
        }
        if (
            suggested.recommended
            and suggested is self._shown[0]
            and self._manner.selection_behavior == "at-most-one"
        ):
            suggestion["isRecommended"] = True
        creates = list(
            self._means.orders.creating(
                suggested.regimen,
                self._recommendation.region,
                self._order_language(),
                self._recipient(),
                suggested.doses,
                with_doses=self._manner.doses,
            )
        )
        if creates and self._manner.orders != "medication-requests":
            because = self._in_language(suggested.because)
            told = self._text("phrases/order/create-whole", regimen=called, drugs=_drugs_told(creates))
            whole = Whole(called, because, told)
            creates = [as_one(self._manner.orders, whole, creates, regimen.components, self._recipient())]
        # A client must process deletes before creates whatever their order, and one that takes a single
        # action takes the first: so that it orders, the creates stand first.
        actions = [*creates, *deletes]
        if actions:
            suggestion["actions"] = actions
        suggestion["extension"] = {EXTENSION: {"regimen": suggested.regimen}}
        return suggestion

    def _addition(self, key: str, companion: MissingCompanion) -> dict[str, Any]:
        """The suggestion that orders the one drug of a regimen that its drafts lack, dosed as there."""
        regimen = self._knowledge.regimens[key]
        title = self._text(
            "phrases/suggestion/add", drug=self._drug(companion.lacking), regimen=regimen.display
        )
        suggestion: dict[str, Any] = {"uuid": self._means.new_id(), "label": title}
        creates = list(
            self._means.orders.creating(
                key,
                self._recommendation.region,
                self._order_language(),
                self._recipient(),
                companion.doses,
                with_doses=self._manner.doses,
                only=(companion.lacking,),
            )
        )
        if creates:
            suggestion["actions"] = creates
        suggestion["extension"] = {EXTENSION: {"regimen": key}}
        return suggestion

    def _recognised(self, ordered: Ordered | None) -> str:
        """The regimen that the drafts make up, in full; "" where they are none."""
        if ordered is None:
            return ""
        regimen = self._knowledge.regimens[ordered.regimen]
        lacks = self._wording.listed([self._drug(key) for key in ordered.lacks], self._language)
        name = self._means.orders.regimen_name(regimen, self._order_language())
        return self._text("order-conflict/detail/ordered", name=name, display=regimen.display, lacks=lacks)

    def _deletes(self, conflicts: Sequence[Conflict]) -> Iterator[Mapping[str, Any]]:
        """One action per anti-myeloma or steroid draft: they are one regimen, replaced as a whole.

        What is drafted for something else stays, as do supportive drugs, unless it clashes itself.
        """
        drafts = {draft.reference: draft for draft in self._record.drafts}
        chosen = [d.reference for d in treatment_drafts(self._record, self._knowledge)]
        clashing = {conflict.drug for conflict in conflicts}
        again = [d.reference for d in self._record.drafts if d.drug in clashing and d.selected]
        for reference in dict.fromkeys([*(c.reference for c in conflicts), *again, *chosen]):
            draft = drafts.get(reference)
            relative = relative_reference((draft.replaces if draft else "") or reference)
            key = draft.drug if draft else next(c.drug for c in conflicts if c.reference == reference)
            if relative:
                words = charted(draft.text) if draft else ""
                yield delete_action(self._wording, self._language, relative, self._drug(key), words)

    def _evidence(self, suggested: Suggested) -> str:
        if not suggested.headlines:
            return self._text("phrases/evidence/none")
        return self._in_language(suggested.headlines[0])

    def _label_told(self, suggested: Suggested, room: Room) -> str:
        label = suggested.label
        if not room.bounded or label.status != "unknown":
            told = sentence_case(self._in_language(label.text))
            if not label.source.to_recheck:
                return told
            return self._text("phrases/label-status/recheck", status=told)
        status = sentence(self._knowledge.definitions, "label_status", label.kind)
        told = self._text(
            "phrases/label-status/unsettled", status=self._in_language(status), count=len(label.missing)
        )
        return sentence_case(told)

    def _caution_lines(self, cautions: Numbered, room: Room) -> Iterator[str]:
        for number, caution in enumerate(cautions.listed, start=1):
            text = whole_sentence(self._caution_text(caution))
            yield self._text("sequencing/detail/caution", number=number, text=text)
        if any(suggested.label.source.to_recheck for suggested in self._shown):
            yield self._text("sequencing/detail/recheck")
        notes = self._recommendation.remarks
        if room.general_notes:
            for note in notes:
                yield self._text("sequencing/detail/note", text=whole_sentence(self._in_language(note.text)))
            return
        left_out = [*cautions.left_out, *notes]
        named = dict.fromkeys(note.concept for note in left_out if note.concept in self._means.rules)
        if named:
            rules = self._named_rules(list(named))
            yield self._text("sequencing/detail/notes-by-rule", rules=rules)

    def _caution_text(self, group: Sequence[CautionShown]) -> str:
        """One text for the cautions of a group: of one, its own; of several, with all their drugs."""
        first = group[0]
        if first.concept.startswith(UNSETTLED):
            drugs = [self._drug(c.concept.removeprefix(UNSETTLED)) for c in group]
            listed = self._wording.listed(list(dict.fromkeys(drugs)), self._language)
            return self._text("phrases/caution/unknown-refractory", drugs=listed)
        text = self._in_language(first.text)
        split = [self._in_language(c.text).partition(": ") for c in group]
        names = list(dict.fromkeys(name for name, colon, _ in split if colon))
        if len(names) < 2:
            return text
        # "Name: ..." opened a sentence of its own; in a list of names it does not.
        drugs = [name[:1].lower() + name[1:] if name[1:].islower() else name for name in names]
        return self._text("phrases/caution/of-several", drugs=", ".join(drugs), text=split[0][2])
