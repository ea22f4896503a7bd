"""Recommendation and answer put into CDS Hooks cards. Nothing is decided here: only said, and made to fit.

A card must be taken in within ten seconds: the summary is composed to fit into its 139 characters, and the
detail drops what matters least, whole, until it is short enough. A caution that concerns the patient is
never dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from cds_service.cards.markdown import Safe, charted, paragraphs, word_count
from cds_service.cards.orders import Orders, Recipient, delete_action
from cds_service.cards.wording import Wording
from cds_service.knowledge.load import KnowledgeError
from cds_service.knowledge.types import Knowledge, Pathway, Rule, Source, Text
from cds_service.patient.types import Certainty, DrugState, PatientState, Status, Unknown
from cds_service.record import ClinicalRecord, Completeness, DrugFact, Severity
from cds_service.sequencing.evidence import headline
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


_ROOMS = (
    _Room(),
    _Room(disagreements=1),
    _Room(disagreements=1, burden=False, unknowns=3),
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
)


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
        summary = self._wording.fitting(
            f"sequencing/summary/{'fits' if fits else 'none'}",
            self._language,
            stage=self._stage(),
            refractory=self._refractory(),
            refractory_short=self._refractory_short(),
            region=self._recommendation.region,
            count=len(fits),
        )
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
        summary = self._wording.fitting(
            "missing-data/summary/missing",
            self._language,
            items=self._wording.listed(what, self._language),
            count=len(missing),
        )
        items = [
            self._text("missing-data/detail/item", what=name, would_settle=unknown.would_settle.rstrip("."))
            for name, unknown in zip(what, missing, strict=True)
        ]
        intro = self._text("missing-data/detail/intro")
        detail = paragraphs([intro, "\n".join(items), self._not_read(), self._basis(())])
        return self._card("missing-data", "info", summary, detail)

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
        repeats = regimen.display.casefold() in regimen.name.casefold()
        suggestion: dict[str, Any] = {
            "uuid": self._renderer._new_id(),
            "label": self._text("phrases/suggestion/label-plain", name=regimen.name)
            if repeats
            else self._text("phrases/suggestion/label", name=regimen.name, display=regimen.display),
        }
        if suggested.recommended and suggested is self._shown[0] and self._selection == "at-most-one":
            suggestion["isRecommended"] = True
        creates = self._renderer._orders.creating(
            suggested.regimen, self._recommendation.region, self._order_language(), self._recipient()
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
        conditions = (r for r in self._state.diagnosis.derived_from if _type_of(r) == "Condition")
        return Recipient(
            subject=f"Patient/{self._record.patient.id}" if self._record.patient.id else "",
            encounter=encounter,
            reasons=tuple(dict.fromkeys(conditions)),
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
        return paragraphs(
            [
                self._state_line(),
                "\n".join(table),
                "\n".join(self._caution_lines(cautions, room)),
                self._also_fit(room),
                self._unknowns(room),
                self._disagreements(room),
                self._not_read(),
                self._basis(self._shown),
            ]
        )

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
                "label": self._in_language(suggested.label.text),
            }
            if room.burden:
                burden = f"{self._in_language(regimen.burden)} {marks}".strip()
                yield self._text("sequencing/detail/row", **values, burden=burden)
            else:
                yield self._text("sequencing/detail/row-short", **values, cautions=marks)

    def _evidence(self, suggested: Suggested) -> str:
        row = self._knowledge.evidence.get(suggested.evidence[0]) if suggested.evidence else None
        if row is None:
            return self._text("phrases/evidence/none")
        return self._in_language(headline(row, self._state, self._recommendation.region, self._knowledge))

    def _caution_lines(self, cautions: _Numbered, room: _Room) -> Iterator[str]:
        for number, caution in enumerate(cautions.listed, start=1):
            text = self._in_language(caution.text)
            yield self._text("sequencing/detail/caution", number=number, text=text)
        notes = self._recommendation.notes
        if room.general_notes:
            for note in notes:
                yield self._text("sequencing/detail/note", text=self._in_language(note.text))
            return
        left_out = [*cautions.left_out, *notes]
        if left_out:
            rules = ", ".join(dict.fromkeys(note.concept for note in left_out))
            yield self._text("sequencing/detail/notes-by-rule", rules=rules)

    def _also_fit(self, room: _Room) -> str:
        rest = self._recommendation.suggested[SHOWN_REGIMENS:]
        if not rest:
            return ""
        if not room.because:
            return self._text("sequencing/detail/also-fit-count", more=len(rest))
        names = ", ".join(self._knowledge.regimens[s.regimen].display for s in rest)
        return self._text("sequencing/detail/also-fit", regimens=names)

    def _nearest_detail(self, room: _Room) -> str:
        table = [self._text("sequencing/detail/head-nearest"), "|---|---|"]
        for reasons, regimens in list(self._nearest().items())[: room.nearest]:
            names = ", ".join(regimens[: room.nearest])
            if len(regimens) > room.nearest:
                names = f"{names} (+{len(regimens) - room.nearest})"
            table.append(self._text("sequencing/detail/row-nearest", regimen=names, reasons=reasons))
        nothing = self._text("sequencing/detail/none", region=self._recommendation.region)
        return paragraphs(
            [
                self._state_line(),
                nothing if len(table) > 2 else "",
                "\n".join(table) if len(table) > 2 else "",
                self._unknowns(room),
                self._disagreements(room),
                self._not_read(),
                self._basis(()),
            ]
        )

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
            names = by_reasons.setdefault("; ".join(texts), [])
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
                    drug=self._drug(conflict.drug),
                    charted=charted(draft.text) if draft else "",
                    sentence=self._in_language(conflict.text),
                    because=own.because if own and told and room.because else "",
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
                        label=self._in_language(suggested.label.text),
                        cautions=cautions.marks(suggested),
                    )
                )
            instead = "\n".join(table)
        else:
            instead = self._text("order-conflict/detail/nothing-better", region=region)
        return paragraphs(
            [
                "\n".join(bullets),
                instead,
                "\n".join(self._caution_lines(cautions, room)) if self._shown else "",
                self._not_read(),
                self._basis(self._shown),
            ]
        )

    # Phrases

    def _state_line(self) -> str:
        grave = [label for label in _GRAVEST_LABEL_FIRST if label in self._state.labels]
        labels = [self._label(label) for label in self._state.labels if label not in grave[1:]]
        fitness = []
        if self._state.age is not None:
            fitness.append(self._text("phrases/fitness/age", number=self._state.age))
        if self._state.ecog is not None:
            fitness.append(self._text("phrases/fitness/ecog", number=self._state.ecog))
        return self._text(
            "sequencing/detail/state",
            stage=self._stage(),
            refractory=self._refractory(with_certainty=True),
            labels=", ".join(filter(None, labels)),
            fitness=", ".join(fitness),
        )

    def _stage(self) -> str:
        if "primary-refractory" in self._state.labels:
            return self._text("phrases/stage/primary-refractory")
        if "first-relapse" in self._state.labels:
            return self._text("phrases/stage/first-relapse")
        if self._state.prior_lines is None:
            return self._text("phrases/stage/unknown")
        return self._text("phrases/stage/after-lines", count=self._state.prior_lines)

    def _label(self, label: str) -> str:
        """A label in words; "" for those that the stage tells already."""
        name, _, classes = label.partition(":")
        if name == "double-refractory":
            return self._text("phrases/label/double-refractory", classes=classes.replace("+", " + "))
        slot = f"phrases/label/{name}"
        return self._text(slot) if self._wording.has(slot) else ""

    def _anti_myeloma(self) -> list[DrugState]:
        """States of the drugs that count: steroids and supportive drugs aside."""
        known = self._knowledge.drugs
        return [
            s
            for _, s in sorted(self._state.drugs.items())
            if s.drug not in known or known[s.drug].role == "anti-myeloma"
        ]

    def _refractory(self, *, with_certainty: bool = False) -> str:
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
        told = []
        if names:
            told.append(
                self._text("phrases/refractory/drugs", drugs=self._wording.listed(names, self._language))
            )
        if unsure and (with_certainty or not names):
            told.append(
                self._text("phrases/refractory/unsure", drugs=self._wording.listed(unsure, self._language))
            )
        return "; ".join(told) or self._text("phrases/refractory/none")

    def _refractory_short(self) -> str:
        """The gravest label of refractoriness, else the number of drugs."""
        for label in _GRAVEST_LABEL_FIRST[:3]:
            if label in self._state.labels:
                return self._label(label)
        count = sum(1 for s in self._anti_myeloma() if s.status is Status.REFRACTORY)
        return self._text("phrases/refractory/count", count=count) if count > 1 else self._refractory()

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
            self._text("sequencing/detail/disagreement", id=key, text=self._in_language(text))
            for key, text in clashes[: room.disagreements]
        ]
        rest = [key for key, _ in clashes[room.disagreements :]]
        if rest:
            told.append(self._text("sequencing/detail/disagreements-by-id", ids=", ".join(rest)))
        return paragraphs(told)

    def _not_read(self) -> str:
        """What of the chart did not arrive or could not be read in full."""
        told = []
        issues = (*self._record.issues, *self._state.issues)
        unread = {i.where for i in issues if i.where and i.severity is not Severity.INFORMATION}
        if unread:
            total = len(unread | _references(self._record))
            told.append(self._text("phrases/basis/unread", unread=len(unread), total=total))
        absent = [k for k, v in sorted(self._record.completeness.items()) if v is not Completeness.COMPLETE]
        if absent:
            kinds = ", ".join(self._word("kind", kind) for kind in absent)
            told.append(self._text("phrases/basis/not-sent", kinds=kinds))
        # Plain phrases, which the caller puts into Markdown as they are: nothing of the chart is in them.
        return " ".join(told)

    def _basis(self, shown: Sequence[Suggested]) -> str:
        return self._text(
            "phrases/basis/basis",
            rules=", ".join(self._rules(shown)),
            version=self._knowledge.version.version,
            as_of=self._state.as_of.isoformat(),
        )

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
    """The cautions of the regimens shown, each once, numbered in the order of the table."""

    def __init__(self, shown: Sequence[Suggested], with_rules: bool) -> None:
        self.listed: list[CautionShown] = []
        self.left_out: list[CautionShown] = []
        self._numbers: dict[str, int] = {}
        for suggested in shown:
            for caution in suggested.cautions:
                by_rule = not caution.drug
                if caution.text.en in self._numbers or not (caution.concerns or by_rule):
                    continue  # what always goes with a drug stands in its order
                if by_rule and not caution.concerns and not with_rules:
                    self.left_out.append(caution)
                    continue
                self.listed.append(caution)
                self._numbers[caution.text.en] = len(self.listed)

    def marks(self, suggested: Suggested) -> str:
        """ "⚠1 ⚠3": the numbers of this regimen's cautions."""
        numbers = {self._numbers[c.text.en] for c in suggested.cautions if c.text.en in self._numbers}
        return " ".join(f"⚠{number}" for number in sorted(numbers))


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


def _relative(reference: str) -> str:
    """ "MedicationRequest/id" of a relative or absolute reference; "" where it is neither."""
    parts = reference.split("/")
    if len(parts) < 2:
        return ""
    kind, name = parts[-2:]
    plain = name.replace("-", "").replace(".", "").replace("_", "")
    return f"{kind}/{name}" if kind.isalpha() and plain.isascii() and plain.isalnum() else ""
