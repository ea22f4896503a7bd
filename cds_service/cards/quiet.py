"""The cards that suggest no regimen: data that are missing, and the state of a patient with no choice due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cds_service.cards.card import Card
from cds_service.cards.markdown import paragraphs, sentence_case, word_count
from cds_service.cards.room import DETAIL_WORDS
from cds_service.patient.types import Unknown
from cds_service.sequencing.answer import UNREAD_ORDER


class MissingCard(Card):
    """The card of data without which the answer cannot be given."""

    def card(self, missing: Sequence[Unknown]) -> dict[str, Any]:
        """The card that names each datum, and what would settle it."""
        what = [self._what(unknown) for unknown in missing]
        items = self._wording.listed(what, self._language)
        ordered = [self._drug(d.drug) for d in self._record.drafts if d.selected and self._is_treatment(d)]
        if missing[0].what.partition(":")[0] == UNREAD_ORDER:
            intro = self._text("missing-data/detail/intro-unread")
            summary = self._wording.fitting("missing-data/summary/unread", self._language, count=1)
        elif ordered:
            intro = self._text("missing-data/detail/intro-unchecked")
            drugs = self._wording.listed(list(dict.fromkeys(ordered)), self._language)
            summary = self._wording.fitting(
                "missing-data/summary/unchecked", self._language, drugs=drugs, items=items, count=len(missing)
            )
        else:
            intro = self._text("missing-data/detail/intro")
            summary = self._wording.fitting(
                "missing-data/summary/missing", self._language, items=items, count=len(missing)
            )
        corrections = self._means.corrections.for_unknowns(missing, *self._corrected())
        return self._of(missing, what, summary, intro, corrections)

    def card_beside(self, unknowns: Sequence[Unknown]) -> dict[str, Any] | None:
        """The card beside one that suggests regimens: what they depend on and a word may settle.

        None where no word does: the other card names the datum, and a second one would only interrupt.
        """
        corrections = {
            unknown.what: self._means.corrections.for_unknowns([unknown], *self._corrected())
            for unknown in unknowns
        }
        settled = [unknown for unknown in unknowns if corrections[unknown.what]]
        if not settled:
            return None
        what = [self._what(unknown) for unknown in settled]
        items = self._wording.listed(what, self._language)
        summary = self._wording.fitting(
            "missing-data/summary/open", self._language, items=items, count=len(settled)
        )
        suggestions = [one for unknown in settled for one in corrections[unknown.what]]
        intro = self._text("missing-data/detail/intro-open")
        return self._of(settled, what, summary, intro, suggestions)

    def _of(
        self,
        missing: Sequence[Unknown],
        what: Sequence[str],
        summary: str,
        intro: str,
        suggestions: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:
        lines = [
            self._text(
                "missing-data/detail/item",
                what=sentence_case(name),
                would_settle=unknown.would_settle.rstrip("."),
            )
            for name, unknown in zip(what, missing, strict=True)
        ]
        recorded = self._text("missing-data/detail/recorded") if suggestions else ""
        fixed = [intro, recorded, self._not_read(), self._basis(())]
        told = "\n".join(self._within(lines, DETAIL_WORDS - word_count(paragraphs(fixed))))
        return self._card(
            "missing-data",
            "info",
            (summary, paragraphs([intro, told, *fixed[1:]])),
            about=sorted(unknown.what for unknown in missing),
            explained=missing[0].what.partition(":")[0],
            suggestions=suggestions,
        )


class StateCard(Card):
    """The quiet card of a patient for whom nothing is due."""

    def card(self, what: str) -> dict[str, Any]:
        """``what``: "remission" or "out-of-scope"."""
        if what == "remission":
            ongoing = [self._drug(s.drug) for s in self._anti_myeloma() if s.ongoing]
            drugs = self._wording.listed(ongoing, self._language)
            lines = "" if self._state.prior_lines is None else self._state.prior_lines
            values: dict[str, object] = {"drugs": drugs, "lines": lines}
            # Without a named drug the first wording would have a hole: "on therapy" is the honest one.
            summary_values: dict[str, object] = {"drugs": drugs or "…" * 200, "count": 0}
        else:
            kind = self._state.out_of_scope or self._state.diagnosis.kind
            values = {"disease": self._word("disease", kind)}
            summary_values = {**values, "count": 0}
        summary = self._wording.fitting(f"state/summary/{what}", self._language, **summary_values)
        said = self._text(f"state/detail/{what}", **values)
        corrections = self._means.corrections.for_state(*self._corrected()) if what == "remission" else []
        recorded = self._text("state/detail/recorded") if corrections else ""
        detail = paragraphs([said, recorded, self._not_read(), self._basis(())])
        return self._card(
            "state", "info", (summary, detail), about=[what], explained=what, suggestions=corrections
        )
