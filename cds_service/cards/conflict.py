"""The cards of drafted orders: what clashes with the patient's state and fits instead; what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cds_service.cards.cautions import Numbered
from cds_service.cards.markdown import charted, paragraphs, sentence_case, whole_sentence, word_count
from cds_service.cards.names import MISSING_COMPANION
from cds_service.cards.room import DETAIL_WORDS, Room, made_to_fit
from cds_service.cards.suggesting import Suggesting
from cds_service.patient.types import Certainty
from cds_service.sequencing.types import Conflict, MissingCompanion, Ordered


def _whose(conflict: Conflict) -> str:
    return conflict.regimen or conflict.drug


def _finding(conflict: Conflict) -> str:
    return f"{conflict.code}:{_whose(conflict)}{'/' if conflict.bar else ''}{conflict.bar}"


class ConflictCard(Suggesting):
    """The card of an order that clashes."""

    def card(self, conflicts: Sequence[Conflict], ordered: Ordered | None = None) -> dict[str, Any]:
        """One card for all clashes, the gravest first; ``ordered`` is the regimen that the drafts make up."""
        gravest_first = sorted(conflicts, key=lambda conflict: not conflict.critical)
        first = gravest_first[0]
        indicator = "critical" if first.critical else "warning"
        deletes = list(self._deletes(gravest_first))
        summary = self._summary(gravest_first, ordered)
        detail = made_to_fit(lambda room: self._conflict_detail(gravest_first, ordered, room, summary))
        return self._card(
            "order-conflict",
            indicator,
            (summary, detail),
            about=sorted(map(_finding, conflicts)),
            explained=first.code,
            shown=self._shown,
            suggestions=[*self._suggestions(deletes), *self._corrections(gravest_first)],
        )

    def _corrections(self, conflicts: Sequence[Conflict]) -> Iterator[dict[str, Any]]:
        """What takes a clash away that rests on a state derived, where the chart says it nowhere itself."""
        for drug in dict.fromkeys(c.drug for c in conflicts if c.code == "refractory-component"):
            own = self._state.drugs.get(drug)
            if own is not None and own.certainty is not Certainty.DOCUMENTED:
                yield from self._means.corrections.for_drug(drug, *self._corrected())

    def _summary(self, conflicts: Sequence[Conflict], ordered: Ordered | None) -> str:
        """The gravest clash; of a regimen with all its drugs that clash in the same way."""
        first = conflicts[0]
        slot = f"order-conflict/summary/{first.code}"
        every = {_whose(conflict) for conflict in conflicts}
        alike = {_whose(c): c for c in conflicts if (c.code, c.regimen) == (first.code, first.regimen)}
        key = first.regimen or (ordered.regimen if ordered and first.in_regimen is not None else "")
        certainties = {conflict.certainty for conflict in alike.values()}
        named = [self._drug(conflict.drug) for conflict in alike.values()]
        return self._wording.fitting(
            slot if self._wording.has(slot) else "order-conflict/summary/other",
            self._language,
            regimen=self._knowledge.regimens[key].display if key else "",
            drugs=self._wording.listed(named, self._language),
            drug=self._drug(first.drug),
            # Of several drugs only what holds for all of them.
            certainty=self._word("certainty", first.certainty) if len(certainties) == 1 else "",
            sentence=self._in_language(first.in_regimen or first.text).rstrip("."),
            more=len(every) - 1,
            others=len(every) - len(alike),
            count=len(alike),
        )

    def _not_borne(self, conflict: Conflict) -> str:
        """What the chart says of the stop: its day and its own words, where it has them."""
        for fact in self._record.drugs:
            if fact.reference in conflict.derived_from and fact.drug == conflict.drug:
                words = charted(fact.stop_text)
                day = str(fact.last_dose) if fact.last_dose else ""
                if words or day:
                    return self._text("phrases/stop/not-borne", day=day, words=words)
        return ""

    def _conflict_detail(
        self, conflicts: Sequence[Conflict], ordered: Ordered | None, room: Room, summary: str
    ) -> str:
        drafts = {draft.reference: draft for draft in self._record.drafts}
        bullets = []
        opening = self._recognised(ordered)
        for conflict in conflicts:
            draft = drafts.get(conflict.reference)
            own = self._state.drugs.get(conflict.drug)
            because = ""
            if own is not None and conflict.code == "refractory-component":
                because = own.because
            elif conflict.code == "intolerance":
                because = self._not_borne(conflict)
            because = whole_sentence(because) if because and room.because else ""
            text = whole_sentence(self._in_language(conflict.text))
            # What the summary says already needs its reason alone.
            sentence = "" if because and summary.startswith(text.rstrip(".")) else text
            would_settle = self._in_language(conflict.would_settle) if conflict.would_settle else ""
            bullets.append(
                self._text(
                    "order-conflict/detail/conflict",
                    charted=charted(draft.text)
                    if draft and not room.bounded and not conflict.regimen
                    else "",
                    sentence=sentence,
                    because=because,
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
            left = DETAIL_WORDS - word_count(paragraphs([opening, not_read, instead, basis]))
            # The clash itself comes first; a third is kept for what to mind with the alternatives.
            bullets = self._within(bullets, left - min(sum(map(word_count, lines)), left // 3))
            lines = self._within(lines, left - sum(map(word_count, bullets)))
        return paragraphs([opening, "\n".join(bullets), not_read, instead, "\n".join(lines), basis])


class CompanionCard(Suggesting):
    """The card of orders that fit, and lack what goes with them."""

    def card(self, companions: Sequence[MissingCompanion], ordered: Ordered | None = None) -> dict[str, Any]:
        """One card for all that is missing. Only a drug of the regimen itself is offered as an order."""
        names = [self._in_language(one.name) for one in companions]
        regimen = self._knowledge.regimens[ordered.regimen] if ordered else None
        drugs = dict.fromkeys(drug for one in companions for drug in one.drugs)
        listed = self._wording.listed([self._drug(key) for key in drugs], self._language)
        summary = self._wording.fitting(
            "order-conflict/summary/missing-companion",
            self._language,
            ordered=regimen.display if regimen else listed,
            companions=self._wording.listed(names, self._language),
            count=len(companions),
        )
        lines = [
            self._text(
                "order-conflict/detail/companion",
                name=sentence_case(name),
                texts=" ".join(whole_sentence(self._in_language(text)) for text in one.texts),
                sources="; ".join(dict.fromkeys(s.document for s in one.sources if s.document)),
            )
            for name, one in zip(names, companions, strict=True)
        ]
        named_only = any(not one.lacking for one in companions)
        fixed = [
            self._recognised(ordered),
            self._text("order-conflict/detail/companion-intro"),
            self._text("order-conflict/detail/companion-named") if named_only else "",
            self._not_read(),
            self._basis(()),
        ]
        told = "\n".join(self._within(lines, DETAIL_WORDS - word_count(paragraphs(fixed))))
        return self._card(
            "order-conflict",
            "info",
            (summary, paragraphs([*fixed[:2], told, *fixed[2:]])),
            about=sorted(f"{MISSING_COMPANION}:{one.id}" for one in companions),
            explained=MISSING_COMPANION,
            variant=MISSING_COMPANION,
            suggestions=[
                self._addition(ordered.regimen, one) for one in companions if ordered and one.lacking
            ],
        )
