"""The conflict card: what of the drafted orders clashes with the patient's state, and what fits instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cds_service.cards.cautions import Numbered
from cds_service.cards.markdown import charted, paragraphs, whole_sentence, word_count
from cds_service.cards.room import DETAIL_WORDS, Room, made_to_fit
from cds_service.cards.suggesting import Suggesting
from cds_service.sequencing.types import Conflict


class ConflictCard(Suggesting):
    """The card of an order that clashes."""

    def card(self, conflicts: Sequence[Conflict]) -> dict[str, Any]:
        """One card for all clashes, the gravest first."""
        gravest_first = sorted(conflicts, key=lambda conflict: not conflict.critical)
        first = gravest_first[0]
        slot = f"order-conflict/summary/{first.code}"
        summary = self._wording.fitting(
            slot if self._wording.has(slot) else "order-conflict/summary/other",
            self._language,
            drug=self._drug(first.drug),
            certainty=self._word("certainty", first.certainty),
            sentence=self._in_language(first.text).rstrip("."),
            more=len({conflict.reference for conflict in conflicts}) - 1,
            count=len({conflict.reference for conflict in conflicts if conflict.code == first.code}),
        )
        indicator = "critical" if first.critical else "warning"
        deletes = list(self._deletes(gravest_first))
        detail = made_to_fit(lambda room: self._conflict_detail(gravest_first, room))
        return self._card(
            "order-conflict",
            indicator,
            (summary, detail),
            about=sorted({f"{conflict.code}:{conflict.drug}" for conflict in conflicts}),
            explained=first.code,
            shown=self._shown,
            suggestions=self._suggestions(deletes),
        )

    def _conflict_detail(self, conflicts: Sequence[Conflict], room: Room) -> str:
        drafts = {draft.reference: draft for draft in self._record.drafts}
        bullets = []
        for conflict in conflicts:
            draft = drafts.get(conflict.reference)
            own = self._state.drugs.get(conflict.drug)
            told = own is not None and conflict.code in ("refractory-component", "intolerance")
            would_settle = self._in_language(conflict.would_settle) if conflict.would_settle else ""
            bullets.append(
                self._text(
                    "order-conflict/detail/conflict",
                    charted=charted(draft.text) if draft and not room.bounded else "",
                    sentence=whole_sentence(self._in_language(conflict.text)),
                    because=whole_sentence(own.because) if own and told and room.because else "",
                    would_settle=would_settle.rstrip("."),
                )
            )
        region = self._recommendation.region
        cautions = Numbered(self._shown, room.general_notes)
        if self._shown:
            table = [self._text("order-conflict/detail/head", region=region), "|---|---|---|"]
            for suggested in self._shown:
                regimen = self._knowledge.regimens[suggested.regimen]
                evidence = self._evidence(suggested) if room.evidence else ", ".join(suggested.evidence[:1])
                table.append(
                    self._text(
                        "order-conflict/detail/row",
                        regimen=regimen.display,
                        marks=cautions.marks(suggested),
                        evidence=evidence,
                        label=self._label_told(suggested, room),
                        burden=self._in_language(regimen.burden_in_short) if room.burden else "",
                    )
                )
            instead = "\n".join(table)
        else:
            instead = self._text("order-conflict/detail/nothing-better", region=region)
        not_read = self._not_read()
        basis = self._basis(self._shown)
        lines = list(self._caution_lines(cautions, room)) if self._shown else []
        if room.bounded:
            left = DETAIL_WORDS - word_count(paragraphs([not_read, instead, basis]))
            # The clash itself comes first; a third is kept for what to mind with the alternatives.
            bullets = self._within(bullets, left - min(sum(map(word_count, lines)), left // 3))
            lines = self._within(lines, left - sum(map(word_count, bullets)))
        return paragraphs(["\n".join(bullets), not_read, instead, "\n".join(lines), basis])
