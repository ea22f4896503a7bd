"""The sequencing card: who the patient is, then the regimens that fit, or the nearest and why they do not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from cds_service.cards.cautions import Numbered
from cds_service.cards.markdown import paragraphs, sentence_case, word_count
from cds_service.cards.room import DETAIL_WORDS, Room, made_to_fit
from cds_service.cards.suggesting import Suggesting
from cds_service.cards.telling import SHOWN_REGIMENS
from cds_service.patient.types import Status
from cds_service.sequencing.types import NotSuggested

_RULES_PER_ROW = 1

# Why a regimen is far away: these no datum or time can mend; the nearest regimens have none of them.
_FAR = frozenset(
    {
        "refractory-component",
        "refractory-class",
        "intolerance",
        "contraindicated",
        "withdrawn",
        "not-labelled",
        "avoided-by-rule",
    }
)


class SequencingCard(Suggesting):
    """The card of a choice that is due."""

    def card(self) -> dict[str, Any]:
        """The card, also where nothing fits."""
        fits = self._recommendation.suggested
        unsure = sum(1 for suggested in fits if suggested.label.status == "unknown")
        stage, refractory = self._opening()
        values: dict[str, object] = {
            "stage": stage,
            "opening": self._joined(stage, refractory),
            "opening_short": self._opening_short(),
            "region": self._recommendation.region,
            "count": len(fits) - unsure,
        }
        if fits:
            values["unsure"] = unsure
        name = f"{'fits' if fits else 'none'}{'-incomplete' if self._incomplete() else ''}"
        summary = self._wording.fitting(f"sequencing/summary/{name}", self._language, **values)
        detail = self._sequencing_detail if fits else self._nearest_detail
        return self._card(
            "sequencing",
            "info",
            (summary, made_to_fit(detail)),
            about=self._about(),
            explained=self._explained(),
            shown=self._shown,
            suggestions=self._suggestions(),
        )

    def _about(self) -> list[str]:
        """The advice and what it was given for: the same regimens after another line are news."""
        refractory = [s.drug for s in self._anti_myeloma() if s.status is Status.REFRACTORY]
        lines = self._state.prior_lines
        return [
            *(suggested.regimen for suggested in self._shown),
            f"lines:{'unknown' if lines is None else lines}",
            *(f"refractory:{drug}" for drug in refractory),
            f"basis:{self._basis_hash()}",
        ]

    def _basis_hash(self) -> str:
        """What else the card says of the patient, unreadable: a caution or a progression more is news."""
        concerning = {c.concept for s in self._shown for c in s.cautions if c.concerns}
        progressions = [p.on.latest.isoformat() for p in self._state.progressions]
        told = json.dumps([sorted(concerning), sorted(progressions)])
        return sha256(told.encode()).hexdigest()[:12]

    def _explained(self) -> str:
        """The rule of the first regimen, or why there is none."""
        if self._shown:
            return next(iter((*self._shown[0].rules, self._shown[0].regimen)))
        nothing = self._recommendation.nothing_because
        return nothing[0] if nothing else ""

    def _sequencing_detail(self, room: Room) -> str:
        cautions = Numbered(self._shown, room.general_notes)
        head = "head" if room.burden else "head-short"
        table = [
            self._text(f"sequencing/detail/{head}", region=self._recommendation.region),
            "|---|---|---|---|" if room.burden else "|---|---|---|",
            *self._rows(cautions, room),
        ]
        before = [self._state_line(room), self._not_read(), "\n".join(table)]
        after = [
            self._also_fit(room),
            self._unknowns(room),
            self._disagreements(room),
            self._basis(()),  # the rules stand in the rows
        ]
        lines = list(self._caution_lines(cautions, room))
        if room.bounded:
            lines = self._within(lines, DETAIL_WORDS - word_count(paragraphs([*before, *after])))
        return paragraphs([*before, "\n".join(lines), *after])

    def _rows(self, cautions: Numbered, room: Room) -> Iterator[str]:
        first_with: dict[str, str] = {}
        for suggested in self._shown:
            regimen = self._knowledge.regimens[suggested.regimen]
            because = self._in_language(suggested.because)
            rules = self._named_rules(suggested.rules, _RULES_PER_ROW)
            if not room.because or not because:
                why = self._text("phrases/why/rules", rules=rules)
            elif because in first_with:
                why = self._text("phrases/why/as-above", regimen=first_with[because], rules=rules)
            else:
                first_with[because] = regimen.display
                why = self._text("phrases/why/because", because=because.rstrip("."), rules=rules)
            values: dict[str, object] = {
                "regimen": regimen.display,
                "marks": cautions.marks(suggested),
                "why": why,
                "evidence": self._evidence(suggested) if room.evidence else ", ".join(suggested.evidence[:1]),
                "label": self._label_told(suggested, room),
            }
            if room.burden:
                burden = self._in_language(regimen.burden_in_short)
                yield self._text("sequencing/detail/row", **values, burden=burden)
            else:
                yield self._text("sequencing/detail/row-short", **values)

    def _also_fit(self, room: Room) -> str:
        rest = self._recommendation.suggested[SHOWN_REGIMENS:]
        if not rest:
            return ""
        if not room.because:
            return self._text("sequencing/detail/also-fit-count", more=len(rest))
        names = ", ".join(self._knowledge.regimens[s.regimen].display for s in rest)
        return self._text("sequencing/detail/also-fit", regimens=names, more=len(rest))

    def _nearest_detail(self, room: Room) -> str:
        table = [self._text("sequencing/detail/head-nearest"), "|---|---|"]
        for reasons, regimens in list(self._nearest().items())[: room.nearest]:
            names = ", ".join(regimens[: room.nearest])
            if len(regimens) > room.nearest:
                names = f"{names} (+{len(regimens) - room.nearest})"
            table.append(self._text("sequencing/detail/row-nearest", regimen=names, reasons=reasons))
        name = "none-incomplete" if self._incomplete() else "none"
        nothing = self._text(f"sequencing/detail/{name}", region=self._recommendation.region)
        return paragraphs(
            [
                self._state_line(room),
                self._not_read(),
                self._nothing_because(),
                nothing if len(table) > 2 else "",
                "\n".join(table) if len(table) > 2 else "",
                self._unknowns(room),
                self._disagreements(room),
                self._basis(()),
            ]
        )

    def _nothing_because(self) -> str:
        told = self._recommendation.nothing_because
        return self._in_language(told[1]) if told else ""

    def _nearest(self) -> dict[str, list[str]]:
        """Regimens not suggested by the reasons why, those with the fewest and mildest reasons first."""

        def distance(entry: NotSuggested) -> tuple[bool, int, str]:
            codes = [reason.code for reason in entry.reasons]
            return (bool(_FAR.intersection(codes)), len(codes), entry.regimen)

        by_reasons: dict[str, list[str]] = {}
        known = [e for e in self._recommendation.not_suggested if e.regimen in self._knowledge.regimens]
        for entry in sorted(known, key=distance):
            # That no rule speaks for it goes without saying where something speaks against it.
            telling = [r for r in entry.reasons if r.code != "no-rule"] or entry.reasons
            texts = dict.fromkeys(self._in_language(r.text).rstrip(".") for r in telling)
            names = by_reasons.setdefault(sentence_case("; ".join(texts)), [])
            names.append(self._knowledge.regimens[entry.regimen].display)
        return by_reasons
