"""Recommendation and answer put into CDS Hooks cards. Nothing is decided here: only said, and made to fit.

A card must be taken in within ten seconds: the summary is composed to fit into its 139 characters, and the
detail drops what matters least, whole, until it is short enough. A caution that concerns the patient is
never dropped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from cds_service.cards.markdown import (
    Safe,
    charted,
    paragraphs,
    sentence_case,
    whole_sentence,
    word_count,
)
from cds_service.cards.orders import Orders, Recipient, delete_action
from cds_service.cards.wording import Wording
from cds_service.knowledge.load import KnowledgeError
from cds_service.knowledge.types import Knowledge, Pathway, Rule, Source, Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.types import Certainty, DrugState, PatientState, Status, Unknown
from cds_service.record import PREFETCH_KEYS, ClinicalRecord, Completeness, DrugFact, Issue, Severity
from cds_service.sequencing.types import (
    Answer,
    CautionShown,
    Conflict,
    NotSuggested,
    Recommendation,
    Suggested,
)

EXTENSION = "org.myeloma-cds"
KINDS = ("sequencing", "order-conflict", "missing-data", "state")
SHOWN_REGIMENS = 5
DETAIL_WORDS = 300
_LINKS = 6
_RULES_PER_ROW = 2
_RULES_NAMED = 6
_TOPICS = "https://myeloma-cds.org/CodeSystem/card-topics"

# Each of these implies the next.
_GRAVEST_LABEL_FIRST = (
    "penta-refractory",
    "quad-refractory",
    "triple-class-refractory",
    "triple-class-exposed",
)

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


@dataclass(frozen=True)
class _Room:
    """How much a detail may say; the roomiest comes first, what matters least goes first."""

    burden: bool = True
    because: bool = True
    general_notes: bool = True
    disagreements: int = 99
    unknowns: int = 99
    evidence: bool = True
    nearest: int = 5
    bounded: bool = False  # the tersest: names are counted, and lines beyond the limit told by their number


_ROOMS = (
    _Room(),
    _Room(disagreements=1),
    _Room(disagreements=1, burden=False, unknowns=3),
    _Room(disagreements=1, burden=False, unknowns=3, general_notes=False),
    _Room(disagreements=0, burden=False, unknowns=3, nearest=4),
    _Room(disagreements=0, burden=False, unknowns=3, general_notes=False, nearest=3),
    _Room(disagreements=0, burden=False, unknowns=2, general_notes=False, because=False, nearest=2),
    _Room(
        disagreements=0,
        burden=False,
        unknowns=1,
        general_notes=False,
        because=False,
        evidence=False,
        nearest=1,
    ),
    _Room(
        disagreements=0,
        burden=False,
        unknowns=1,
        general_notes=False,
        because=False,
        evidence=False,
        nearest=1,
        bounded=True,
    ),
)

# A medication entry with one of these is a treatment the answer does not know.
_LOSES_A_TREATMENT = frozenset(
    {"unresolved-reference", "unmapped-code", "half-read-medication", "unreadable-resource"}
)
_FHIR_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_UNSETTLED = "unknown-refractory:"


class Renderer:
    """Puts answers into cards, in English or Italian; holds no patient, may be shared by threads.

    Raises KnowledgeError at construction, with every finding, where a text names an unknown value, is
    missing or could come out too long, where a card offers an undefined override reason, or where an order
    would not be valid.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        base_url: str = "http://127.0.0.1:8080",
        *,
        new_id: Callable[[], str] = lambda: str(uuid4()),
    ) -> None:
        self._knowledge = knowledge
        self._base_url = base_url.rstrip("/")
        self._new_id = new_id
        self._wording = Wording(knowledge.cards)
        self._reasons = _override_reasons(knowledge.cards)
        self._orders = Orders(knowledge, self._wording)
        self._rules: Mapping[str, Rule] = {
            rule.id: rule for pathway in knowledge.pathways.values() for rule in pathway.rules
        }

    @property
    def orders(self) -> Orders:
        """The orders of all regimens, from which those of a card are taken."""
        return self._orders

    def cards(
        self,
        record: ClinicalRecord,
        state: PatientState,
        recommendation: Recommendation,
        answer: Answer,
        *,
        language: str = "en",
        selection_behavior: str = "at-most-one",
        encounter: str = "",
    ) -> list[dict[str, Any]]:
        """The cards of one answer, the gravest first; an empty list is silence.

        ``selection_behavior`` is what the client can do: "at-most-one", or "any" (then no suggestion is
        marked as recommended, which such clients would tick by themselves). ``encounter`` is the hook's.
        """
        told = _Told(self, record, state, recommendation, language, selection_behavior, encounter)
        cards = []
        if answer.conflicts:
            cards.append(told.conflict_card(answer.conflicts))
        if answer.sequencing:
            cards.append(told.sequencing_card())
        if answer.missing:
            cards.append(told.missing_card(answer.missing))
        if answer.state:
            cards.append(told.state_card(answer.state))
        return cards


def _override_reasons(cards: Mapping[str, Any]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The override reasons of each kind of card. Raises KnowledgeError where one is not defined."""
    defined = {reason["code"]: reason for reason in cards.get("override-reasons", {}).get("reasons", ())}
    findings = [
        f'cards/{kind}.yaml, override_reasons: "{code}" is not defined in cards/override-reasons.yaml'
        for kind in KINDS
        for code in cards[kind]["override_reasons"]
        if code not in defined
    ]
    if findings:
        raise KnowledgeError(findings)
    return {kind: [defined[code] for code in cards[kind]["override_reasons"]] for kind in KINDS}


class _Told:
    """One answer being told to one reader."""

    def __init__(
        self,
        renderer: Renderer,
        record: ClinicalRecord,
        state: PatientState,
        recommendation: Recommendation,
        language: str,
        selection_behavior: str,
        encounter: str,
    ) -> None:
        self._renderer = renderer
        self._knowledge = renderer._knowledge
        self._wording = renderer._wording
        self._record = record
        self._state = state
        self._recommendation = recommendation
        self._language = language
        self._selection = selection_behavior
        self._encounter = encounter or record.encounter
        self._shown = recommendation.suggested[:SHOWN_REGIMENS]

    # The four cards

    def sequencing_card(self) -> dict[str, Any]:
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
        return self._card("sequencing", "info", summary, _made_to_fit(detail), suggesting=True)

    def conflict_card(self, conflicts: Sequence[Conflict]) -> dict[str, Any]:
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
        detail = _made_to_fit(lambda room: self._conflict_detail(gravest_first, room))
        return self._card("order-conflict", indicator, summary, detail, suggesting=True, deletes=deletes)

    def missing_card(self, missing: Sequence[Unknown]) -> dict[str, Any]:
        what = [self._what(unknown) for unknown in missing]
        items = self._wording.listed(what, self._language)
        ordered = [self._drug(d.drug) for d in self._record.drafts if d.selected and self._is_treatment(d)]
        if ordered:
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
        lines = [
            self._text(
                "missing-data/detail/item",
                what=sentence_case(name),
                would_settle=unknown.would_settle.rstrip("."),
            )
            for name, unknown in zip(what, missing, strict=True)
        ]
        fixed = [intro, self._not_read(), self._basis(())]
        told = "\n".join(self._within(lines, DETAIL_WORDS - word_count(paragraphs(fixed))))
        return self._card("missing-data", "info", summary, paragraphs([intro, told, *fixed[1:]]))

    def state_card(self, what: str) -> dict[str, Any]:
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
        return self._card("state", "info", summary, paragraphs([said, self._not_read(), self._basis(())]))

    # What every card carries

    def _card(
        self,
        kind: str,
        indicator: str,
        summary: str,
        detail: str,
        *,
        suggesting: bool = False,
        deletes: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        raw = self._knowledge.cards[kind]
        shown = self._shown if suggesting else ()
        version = self._knowledge.version
        extension: dict[str, Any] = {
            "kind": kind,
            "knowledge": {
                "version": version.version,
                "sha256": version.sha256,
                "effective": version.effective,
            },
            "as_of": self._state.as_of.isoformat(),
        }
        rules = self._rules(shown)
        if rules:
            extension["rules"] = rules
        card: dict[str, Any] = {
            "uuid": self._renderer._new_id(),
            "summary": summary,
            "detail": str(detail),
            "indicator": indicator,
            "source": self._source(raw["topic"]),
        }
        suggestions = [self._suggestion(s, deletes) for s in shown]
        if suggestions:
            card["suggestions"] = suggestions
            card["selectionBehavior"] = self._selection
        card["overrideReasons"] = [
            {"code": r["code"], "system": r["system"], "display": self._in_language(r["display"])}
            for r in self._renderer._reasons[kind]
        ]
        card["links"] = list(self._links(shown))
        card["extension"] = {EXTENSION: extension}
        return card

    def _source(self, topic: Mapping[str, Any]) -> dict[str, Any]:
        pathway, source = self._primary()
        title = self._in_language(pathway.title) if pathway else source.document
        return {
            "label": self._text("phrases/basis/source", title=title, version=self._knowledge.version.version),
            "url": _address(source) or f"{self._renderer._base_url}/about",
            "topic": {
                "system": _TOPICS,
                "code": topic["code"],
                "display": self._in_language(topic["display"]),
            },
        }

    def _primary(self) -> tuple[Pathway | None, Source]:
        """The pathway followed, and its first source that has an address."""
        pathway = self._knowledge.pathways.get(self._recommendation.pathway)
        if pathway is None:
            return None, Source()
        parts = (self._knowledge.pathways.get(key) for key in pathway.sources)
        sources = [pathway.cited, *(part.cited for part in parts if part is not None)]
        return pathway, next((s for s in sources if _address(s)), pathway.cited)

    def _links(self, shown: Sequence[Suggested]) -> Iterator[dict[str, str]]:
        _, primary = self._primary()
        rules = [
            self._renderer._rules[key].source for key in self._rules(shown) if key in self._renderer._rules
        ]
        rows = [self._knowledge.evidence.get(s.evidence[0]) for s in shown if s.evidence]
        seen: set[str] = set()
        for source in (primary, *rules, *(row.source for row in rows if row is not None)):
            address = _address(source)
            if address and address not in seen and len(seen) < _LINKS:
                seen.add(address)
                document = source.document or source.doi or source.pmid or address
                yield {
                    "label": self._text("phrases/basis/link", document=document),
                    "url": address,
                    "type": "absolute",
                }
        yield {
            "label": self._text("phrases/basis/about"),
            "url": f"{self._renderer._base_url}/about",
            "type": "absolute",
        }

    def _rules(self, shown: Iterable[Suggested]) -> list[str]:
        return list(dict.fromkeys(rule for suggested in shown for rule in suggested.rules))

    # Suggestions

    def _suggestion(self, suggested: Suggested, deletes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        regimen = self._knowledge.regimens[suggested.regimen]
        name = self._renderer._orders.regimen_name(regimen, self._order_language())
        repeats = regimen.display.casefold() in name.casefold()
        suggestion: dict[str, Any] = {
            "uuid": self._renderer._new_id(),
            "label": self._text("phrases/suggestion/label-plain", name=name)
            if repeats
            else self._text("phrases/suggestion/label", name=name, display=regimen.display),
        }
        if suggested.recommended and suggested is self._shown[0] and self._selection == "at-most-one":
            suggestion["isRecommended"] = True
        creates = self._renderer._orders.creating(
            suggested.regimen,
            self._recommendation.region,
            self._order_language(),
            self._recipient(),
            suggested.doses,
        )
        # A client must process deletes before creates whatever their order, and one that takes a single
        # action takes the first: so that it orders, the creates stand first.
        actions = [*creates, *deletes]
        if actions:
            suggestion["actions"] = actions
        suggestion["extension"] = {EXTENSION: {"regimen": suggested.regimen}}
        return suggestion

    def _order_language(self) -> str:
        return "it" if self._language == "it" else "en"

    def _recipient(self) -> Recipient:
        encounter = self._encounter
        if encounter and "/" not in encounter:
            encounter = f"Encounter/{encounter}"
        reasons = (_reference_to("Condition", r) for r in self._state.diagnosis.derived_from)
        return Recipient(
            subject=_reference_to("Patient", f"Patient/{self._record.patient.id}"),
            encounter=_reference_to("Encounter", encounter),
            reasons=tuple(dict.fromkeys(filter(None, reasons))),
            authored_on=self._state.as_of,
        )

    def _deletes(self, conflicts: Sequence[Conflict]) -> Iterator[Mapping[str, Any]]:
        """One action per anti-myeloma or steroid draft: they are one regimen, replaced as a whole."""
        drafts = {draft.reference: draft for draft in self._record.drafts}
        chosen = [d.reference for d in self._record.drafts if self._is_treatment(d)]
        for reference in dict.fromkeys([*(c.reference for c in conflicts), *chosen]):
            draft = drafts.get(reference)
            relative = _relative((draft.replaces if draft else "") or reference)
            key = draft.drug if draft else next(c.drug for c in conflicts if c.reference == reference)
            if relative:
                words = charted(draft.text) if draft else ""
                yield delete_action(self._wording, self._language, relative, self._drug(key), words)

    def _is_treatment(self, draft: DrugFact) -> bool:
        # A supportive drug drafted beside the regimen stays: it may be needed with the next one too.
        drug = self._knowledge.drugs.get(draft.drug)
        return drug is not None and drug.role != "supportive"

    # Details

    def _sequencing_detail(self, room: _Room) -> str:
        cautions = _Numbered(self._shown, room.general_notes)
        head = "head" if room.burden else "head-short"
        table = [
            self._text(f"sequencing/detail/{head}", region=self._recommendation.region),
            "|---|---|---|---|---|",
            *self._rows(cautions, room),
        ]
        before = [self._state_line(room), self._not_read(), "\n".join(table)]
        after = [
            self._also_fit(room),
            self._unknowns(room),
            self._disagreements(room),
            self._basis(self._shown),
        ]
        lines = list(self._caution_lines(cautions, room))
        if room.bounded:
            lines = self._within(lines, DETAIL_WORDS - word_count(paragraphs([*before, *after])))
        return paragraphs([*before, "\n".join(lines), *after])

    def _rows(self, cautions: _Numbered, room: _Room) -> Iterator[str]:
        first_with: dict[str, str] = {}
        for suggested in self._shown:
            regimen = self._knowledge.regimens[suggested.regimen]
            because = self._in_language(suggested.because)
            rules = ", ".join(suggested.rules[:_RULES_PER_ROW])  # all of them stand in the last line
            if not room.because or not because:
                why = self._text("phrases/why/rules", rules=rules)
            elif because in first_with:
                why = self._text("phrases/why/as-above", regimen=first_with[because], rules=rules)
            else:
                first_with[because] = regimen.display
                why = self._text("phrases/why/because", because=because.rstrip("."), rules=rules)
            marks = cautions.marks(suggested)
            values: dict[str, object] = {
                "regimen": regimen.display,
                "why": why,
                "evidence": self._evidence(suggested) if room.evidence else ", ".join(suggested.evidence[:1]),
                "label": self._label_told(suggested, room),
            }
            if room.burden:
                burden = f"{self._in_language(regimen.burden)} {marks}".strip()
                yield self._text("sequencing/detail/row", **values, burden=burden)
            else:
                yield self._text("sequencing/detail/row-short", **values, cautions=marks)

    def _evidence(self, suggested: Suggested) -> str:
        if not suggested.headlines:
            return self._text("phrases/evidence/none")
        return self._in_language(suggested.headlines[0])

    def _caution_lines(self, cautions: _Numbered, room: _Room) -> Iterator[str]:
        for number, caution in enumerate(cautions.listed, start=1):
            text = whole_sentence(self._caution_text(caution))
            yield self._text("sequencing/detail/caution", number=number, text=text)
        notes = self._recommendation.remarks
        if room.general_notes:
            for note in notes:
                yield self._text("sequencing/detail/note", text=whole_sentence(self._in_language(note.text)))
            return
        left_out = [*cautions.left_out, *notes]
        if left_out:
            rules = self._named_rules(list(dict.fromkeys(note.concept for note in left_out)))
            yield self._text("sequencing/detail/notes-by-rule", rules=rules)

    def _caution_text(self, group: Sequence[CautionShown]) -> str:
        """One text for the cautions of a group: of one, its own; of several, with all their drugs."""
        first = group[0]
        if first.concept.startswith(_UNSETTLED):
            drugs = [self._drug(c.concept.removeprefix(_UNSETTLED)) for c in group]
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

    def _label_told(self, suggested: Suggested, room: _Room) -> str:
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

    def _within(self, lines: Sequence[str], words: int) -> list[str]:
        """As many of the lines, from the first, as have room in ``words``; the others by their number."""
        if sum(map(word_count, lines)) <= words:
            return list(lines)
        kept: list[str] = []
        left = words - word_count(self._text("sequencing/detail/more", count=len(lines)))
        for line in lines:
            left -= word_count(line)
            if left < 0:
                break
            kept.append(line)
        return [*kept, self._text("sequencing/detail/more", count=len(lines) - len(kept))]

    def _also_fit(self, room: _Room) -> str:
        rest = self._recommendation.suggested[SHOWN_REGIMENS:]
        if not rest:
            return ""
        if not room.because:
            return self._text("sequencing/detail/also-fit-count", more=len(rest))
        names = ", ".join(self._knowledge.regimens[s.regimen].display for s in rest)
        return self._text("sequencing/detail/also-fit", regimens=names, more=len(rest))

    def _nearest_detail(self, room: _Room) -> str:
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

    def _conflict_detail(self, conflicts: Sequence[Conflict], room: _Room) -> str:
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
        cautions = _Numbered(self._shown, room.general_notes)
        if self._shown:
            table = [self._text("order-conflict/detail/head", region=region), "|---|---|---|---|"]
            for suggested in self._shown:
                table.append(
                    self._text(
                        "order-conflict/detail/row",
                        regimen=self._knowledge.regimens[suggested.regimen].display,
                        evidence=self._evidence(suggested)
                        if room.evidence
                        else ", ".join(suggested.evidence[:1]),
                        label=self._label_told(suggested, room),
                        cautions=cautions.marks(suggested),
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

    # Phrases

    def _state_line(self, room: _Room) -> str:
        stage, refractory = self._opening(with_certainty=True)
        if room.bounded:
            stage, refractory = self._opening_short(), ""
        grave = [label for label in _GRAVEST_LABEL_FIRST if label in self._state.labels]
        labels = [self._label(label) for label in self._state.labels if label not in grave[1:]]
        if not room.bounded:
            labels += [
                self._text(
                    "phrases/target/given",
                    target=own.target,
                    modality=own.modality,
                    date=str(own.last) if own.last and not own.ongoing else "",
                )
                for own in self._state.targets
            ]
        fitness = []
        if self._state.age is not None:
            fitness.append(self._text("phrases/fitness/age", number=self._state.age))
        if self._state.ecog is not None:
            fitness.append(self._text("phrases/fitness/ecog", number=self._state.ecog))
        return self._text(
            "sequencing/detail/state",
            stage=sentence_case(stage),
            refractory=refractory,
            labels=", ".join(filter(None, labels)),
            fitness=", ".join(fitness),
        )

    def _stage(self) -> str:
        if "primary-refractory" in self._state.labels:
            return self._text("phrases/stage/primary-refractory")
        if "first-relapse" in self._state.labels:
            return self._text("phrases/stage/first-relapse")
        if self._state.prior_lines is None:
            known = len(self._state.lines)
            if known:
                return self._text("phrases/stage/after-at-least", count=known)
            return self._text("phrases/stage/unknown")
        return self._text("phrases/stage/after-lines", count=self._state.prior_lines)

    def _label(self, label: str) -> str:
        """A label in words; "" for those that the stage tells already."""
        name, _, classes = label.partition(":")
        if name == "double-refractory":
            return self._text("phrases/label/double-refractory", classes=classes.replace("+", " + "))
        if name == "functional-high-risk":
            reason = self._state.label_reasons.get(label)
            months, limit = (reason.months, reason.limit) if reason else ("", "")
            return self._text("phrases/label/functional-high-risk", months=months, limit=limit)
        slot = f"phrases/label/{name}"
        return self._text(slot) if self._wording.has(slot) else ""

    def _anti_myeloma(self) -> list[DrugState]:
        """States of the drugs that count: steroids and supportive drugs aside."""
        known = self._knowledge.drugs
        return [
            s
            for _, s in sorted(self._state.drugs.items())
            if s.drug not in known or known[s.drug].treats_myeloma
        ]

    def _refractory(self, *, with_certainty: bool) -> tuple[list[str], list[str]]:
        """The drugs to which the disease is refractory, and those where that is not known, in words."""
        names = []
        # Of drugs that were given; where no history came, all are unknown and another line says so.
        unsure = [
            self._drug(s.drug)
            for s in self._anti_myeloma()
            if s.status is Status.UNKNOWN and (s.first or s.last or s.derived_from)
        ]
        for drug in self._anti_myeloma():
            if drug.status is not Status.REFRACTORY:
                continue
            name = self._drug(drug.drug)
            # Documented is the rule and goes without saying; whatever is weaker is said.
            if with_certainty and drug.certainty is not Certainty.DOCUMENTED:
                certainty = self._word("certainty", drug.certainty.value)
                name = self._text("phrases/refractory/with-certainty", drug=name, certainty=certainty)
            names.append(name)
        return names, unsure

    def _opening(self, *, with_certainty: bool = False) -> tuple[str, str]:
        """The stage, and to what the disease is refractory; the second is "" where the first tells it."""
        names, unsure = self._refractory(with_certainty=with_certainty)
        drugs = self._wording.listed(names, self._language)
        stage = self._stage()
        told = []
        if names and "primary-refractory" in self._state.labels:
            stage = self._text("phrases/stage/primary-refractory-to", drugs=drugs)
        elif names:
            told.append(self._text("phrases/refractory/drugs", drugs=drugs))
        if unsure and (with_certainty or not names):
            listed = self._wording.listed(unsure, self._language)
            told.append(self._text("phrases/refractory/unsure", drugs=listed))
        if not told and not names:
            told.append(self._text("phrases/refractory/none"))
        return stage, "; ".join(told)

    def _opening_short(self) -> str:
        """The stage with the gravest label of refractoriness, else with the number of drugs."""
        for label in _GRAVEST_LABEL_FIRST[:3]:
            if label in self._state.labels:
                return self._joined(self._stage(), self._label(label))
        names, _ = self._refractory(with_certainty=False)
        if "primary-refractory" in self._state.labels or not names:
            return self._stage()
        return self._joined(self._stage(), self._text("phrases/refractory/count", count=len(names)))

    def _joined(self, stage: str, refractory: str) -> str:
        if not refractory:
            return stage
        return self._text("phrases/stage/with-refractory", stage=stage, refractory=refractory)

    def _incomplete(self) -> bool:
        """Whether a treatment may be missing from what the answer rests on."""
        return (
            not self._state.history_known
            or self._state.prior_lines is None
            or any(issue.code in _LOSES_A_TREATMENT for issue in self._lost())
        )

    def _what(self, unknown: Unknown) -> str:
        """What is not known, in words; where the texts have none, what would settle it."""
        kind, _, key = unknown.what.partition(":")
        if kind in ("refractory", "exposed") and key:
            return self._text(f"phrases/what/{kind}", drug=self._drug(key))
        slot = f"phrases/what/{kind}"
        return self._text(slot) if self._wording.has(slot) else unknown.would_settle or unknown.what

    def _unknowns(self, room: _Room) -> str:
        # Where nothing fits, whatever is unknown may be why.
        nothing = not self._recommendation.suggested
        unknowns = [u for u in self._state.unknown if u.changes_suggestions or nothing]
        deciding = (u.would_settle.rstrip(".") for u in unknowns)
        items = list(dict.fromkeys(filter(None, deciding)))
        if not items:
            return ""
        more = [f"(+{len(items) - room.unknowns})"] if len(items) > room.unknowns else []
        return self._text(
            "sequencing/detail/unknown", items=" ".join(["; ".join(items[: room.unknowns]), *more])
        )

    def _disagreements(self, room: _Room) -> str:
        clashes = self._recommendation.disagreements
        told = [
            self._text("sequencing/detail/disagreement", id=clash.id, text=self._in_language(clash.text))
            for clash in clashes[: room.disagreements]
        ]
        rest = [clash.id for clash in clashes[room.disagreements :]]
        if rest:
            name = "disagreements-by-id" if told else "disagreements-only-by-id"
            told.append(self._text(f"sequencing/detail/{name}", ids=self._named_rules(rest), count=len(rest)))
        return paragraphs(told)

    def _not_read(self) -> str:
        """What of the chart did not arrive or could not be read in full, by kind."""
        told = []
        issues = self._unread()
        # A treatment that cannot be named weighs most, and is no matter of a misread detail.
        for name, code in (("unidentified", "unresolved-reference"), ("unmapped", "unmapped-code")):
            lost = {i.where for i in self._lost() if i.code == code}
            if lost:
                told.append(self._text(f"phrases/basis/{name}", count=len(lost)))
            issues = [i for i in issues if i.where not in lost]
        unread = {i.where for i in issues}
        if unread:
            per_kind = Counter(PREFETCH_KEYS.get(_type_of(where), "other") for where in unread)
            kinds = ", ".join(
                self._text("phrases/basis/unread-kind", kind=self._word("kind", kind), count=count)
                for kind, count in sorted(per_kind.items())
            )
            total = len(unread | _references(self._record))
            told.append(self._text("phrases/basis/unread", unread=len(unread), total=total, kinds=kinds))
        absent = [k for k, v in sorted(self._record.completeness.items()) if v is not Completeness.COMPLETE]
        if absent:
            kinds = ", ".join(self._word("kind", kind) for kind in absent)
            told.append(self._text("phrases/basis/not-sent", kinds=kinds))
        # Plain phrases, which the caller puts into Markdown as they are: nothing of the chart is in them.
        return " ".join(told)

    def _unread(self) -> list[Issue]:
        """The findings that lost something of an entry of the chart."""
        return [
            issue
            for issue in (*self._record.issues, *self._state.issues)
            if issue.where and issue.severity is not Severity.INFORMATION
        ]

    def _lost(self) -> list[Issue]:
        """The findings that lost a whole medication entry: no drug is read from it."""
        read = {fact.reference for fact in (*self._record.drugs, *self._record.drafts)}
        return [i for i in self._unread() if i.where.startswith("Medication") and i.where not in read]

    def _basis(self, shown: Sequence[Suggested]) -> str:
        return self._text(
            "phrases/basis/basis",
            rules=self._named_rules(self._rules(shown)),
            version=self._knowledge.version.version,
            as_of=self._state.as_of.isoformat(),
            standing=self._standing(),
        )

    def _standing(self) -> str:
        """What the knowledge behind the card has not been through."""
        names = []
        if self._recommendation.unreviewed_source:
            names.append("unreviewed-source")
        if not self._recommendation.clinically_reviewed:
            names.append("not-reviewed")
        definitions = self._knowledge.definitions
        return " ".join(self._in_language(sentence(definitions, "standing", name)) for name in names)

    def _named_rules(self, rules: Sequence[str]) -> str:
        """The first rules by name and the rest by number; the extension of the card has them all."""
        named = ", ".join(rules[:_RULES_NAMED])
        more = len(rules) - _RULES_NAMED
        return self._text("phrases/basis/more-rules", rules=named, count=more) if more > 0 else named

    def _text(self, slot: str, **values: object) -> str:
        return self._wording.text(slot, self._language, **values)

    def _word(self, group: str, word: str) -> str:
        slot = f"phrases/{group}/{word}"
        return self._text(slot) if self._wording.has(slot) else word

    def _drug(self, key: str) -> str:
        drug = self._knowledge.drugs.get(key)
        known_class = self._knowledge.classes.get(key)
        named = drug or known_class
        return named.name.in_language(self._language) if named else key

    def _in_language(self, text: Text | Mapping[str, str]) -> str:
        if isinstance(text, Text):
            return text.in_language(self._language)
        return text.get(self._language, text["en"])


class _Numbered:
    """The cautions of the regimens shown, each once, numbered in the order of the table.

    Cautions that differ by their drug alone share a number.
    """

    def __init__(self, shown: Sequence[Suggested], with_rules: bool) -> None:
        self._groups: dict[str, list[CautionShown]] = {}
        self.left_out: list[CautionShown] = []
        for suggested in shown:
            for caution in suggested.cautions:
                by_rule = not caution.drug
                if not (caution.concerns or by_rule):
                    continue  # what always goes with a drug stands in its order
                if by_rule and not caution.concerns and not with_rules:
                    self.left_out.append(caution)
                    continue
                group = self._groups.setdefault(_group_of(caution), [])
                if caution not in group:
                    group.append(caution)
        self._numbers = {key: number for number, key in enumerate(self._groups, start=1)}

    @property
    def listed(self) -> list[list[CautionShown]]:
        """The groups in the order of their numbers."""
        return list(self._groups.values())

    def marks(self, suggested: Suggested) -> str:
        """ "⚠1,3": the numbers of this regimen's cautions."""
        numbers = {self._numbers.get(_group_of(c), 0) for c in suggested.cautions} - {0}
        return f"⚠{','.join(map(str, sorted(numbers)))}" if numbers else ""


def _group_of(caution: CautionShown) -> str:
    """What a caution says, its drug aside."""
    if caution.concept.startswith(_UNSETTLED):
        return _UNSETTLED
    _, colon, rest = caution.text.en.partition(": ")
    return f"{caution.concept}: {rest}" if caution.drug and colon else caution.text.en


def _made_to_fit(detail: Callable[[_Room], str]) -> str:
    """The roomiest detail that is short enough; the tersest where none is."""
    terse = ""
    for room in _ROOMS:
        terse = detail(room)
        if word_count(terse) <= DETAIL_WORDS:
            break
    return Safe(terse)


def _references(record: ClinicalRecord) -> set[str]:
    facts: tuple[Sequence[Any], ...] = (
        record.drugs,
        record.diagnoses,
        record.responses,
        record.procedures,
        record.measurements,
        record.comorbidities,
        record.allergies,
        record.drafts,
    )
    return {fact.reference for group in facts for fact in group if fact.reference}


def _address(source: Source) -> str:
    """Absolute address of a source: its DOI, else its PubMed page, else its own; "" where it has none."""
    if source.doi:
        return f"https://doi.org/{quote(source.doi, safe='/:;()._-')}"
    if source.pmid.isdigit():
        return f"https://pubmed.ncbi.nlm.nih.gov/{source.pmid}/"
    return source.url if source.url.startswith(("https://", "http://")) else ""


def _type_of(reference: str) -> str:
    parts = reference.split("/")
    return parts[-2] if len(parts) > 1 else ""


def _reference_to(kind: str, reference: str) -> str:
    """ "Condition/id" of a relative or absolute reference to ``kind``; "" where the id is none of FHIR's.

    A server refuses the whole suggestion for one bad reference: better none.
    """
    name = reference.rpartition("/")[2]
    usable = _type_of(reference) == kind and _FHIR_ID.fullmatch(name) and name.strip(".")
    return f"{kind}/{name}" if usable else ""


def _relative(reference: str) -> str:
    """ "MedicationRequest/id" of a relative or absolute reference; "" where it is neither."""
    parts = reference.split("/")
    if len(parts) < 2:
        return ""
    kind, name = parts[-2:]
    plain = name.replace("-", "").replace(".", "").replace("_", "")
    return f"{kind}/{name}" if kind.isalpha() and plain.isascii() and plain.isalnum() else ""
