"""Recommendation and answer put into CDS Hooks cards. Nothing is decided here: only said, and made to fit.

A card must be taken in within ten seconds: the summary is composed to fit into its 139 characters, and the
detail drops what matters least, whole, until it is short enough. A caution that concerns the patient is
never dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from cds_service.cards.conflict import CompanionCard, ConflictCard
from cds_service.cards.corrections import Corrections
from cds_service.cards.manner import PLAIN, Manner
from cds_service.cards.names import EXTENSION, KINDS, MISSING_COMPANION
from cds_service.cards.orders import Orders
from cds_service.cards.quiet import MissingCard, StateCard
from cds_service.cards.room import DETAIL_WORDS
from cds_service.cards.sequencing import SequencingCard
from cds_service.cards.telling import SHOWN_REGIMENS, Means, Told
from cds_service.cards.wording import Wording
from cds_service.knowledge.load import KnowledgeError
from cds_service.knowledge.types import Knowledge
from cds_service.patient.types import PatientState
from cds_service.record import ClinicalRecord
from cds_service.sequencing.types import Answer, Recommendation

__all__ = ["DETAIL_WORDS", "EXTENSION", "KINDS", "SHOWN_REGIMENS", "Renderer"]


INDICATORS = ("critical", "warning", "info")
MOST_CARDS = 3
"""More than this nobody reads who has a patient in front of them."""


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
        wording = Wording(knowledge.cards)
        self._means = Means(
            knowledge=knowledge,
            wording=wording,
            orders=Orders(knowledge, wording),
            corrections=Corrections(knowledge, wording),
            rules={rule.id: rule for pathway in knowledge.pathways.values() for rule in pathway.rules},
            override_reasons=_override_reasons(knowledge.cards),
            base_url=base_url.rstrip("/"),
            new_id=new_id,
        )

    @property
    def orders(self) -> Orders:
        """The orders of all regimens, from which those of a card are taken."""
        return self._means.orders

    def cards(
        self,
        record: ClinicalRecord,
        state: PatientState,
        recommendation: Recommendation,
        answer: Answer,
        *,
        language: str = "en",
        manner: Manner = PLAIN,
        encounter: str = "",
    ) -> list[dict[str, Any]]:
        """The cards of one answer, the gravest first and MOST_CARDS at most; an empty list is silence.

        ``manner`` is what the client can do; ``encounter`` is the hook's.
        """
        told = Told(record, state, recommendation, language, manner, encounter)
        cards = []
        if answer.conflicts:
            cards.append(ConflictCard(self._means, told).card(answer.conflicts, answer.ordered))
        elif answer.companions:
            cards.append(CompanionCard(self._means, told).card(answer.companions, answer.ordered))
        if answer.sequencing:
            cards.append(SequencingCard(self._means, told).card())
        if answer.missing:
            cards.append(MissingCard(self._means, told).card(answer.missing))
        elif answer.open and (card := MissingCard(self._means, told).card_beside(answer.open)):
            cards.append(card)
        if answer.state:
            cards.append(StateCard(self._means, told).card(answer.state))
        gravest_first = sorted(cards, key=lambda card: INDICATORS.index(card["indicator"]))
        return gravest_first[:MOST_CARDS]


def _override_reasons(cards: Mapping[str, Any]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The override reasons of each kind of card, and of each of its variants ("kind/variant").

    Raises KnowledgeError where one is not defined.
    """
    defined = {reason["code"]: reason for reason in cards.get("override-reasons", {}).get("reasons", ())}
    offered = {kind: cards[kind]["override_reasons"] for kind in KINDS}
    for kind in KINDS:
        for name, variant in cards[kind].get("variants", {}).items():
            offered[f"{kind}/{name}"] = variant["override_reasons"]
    findings = [
        f'cards/{key.partition("/")[0]}.yaml, override_reasons: "{code}" is not defined in '
        "cards/override-reasons.yaml"
        for key, codes in offered.items()
        for code in codes
        if code not in defined
    ]
    if MISSING_COMPANION not in cards["order-conflict"].get("variants", {}):
        findings.append(f"cards/order-conflict.yaml, variants: {MISSING_COMPANION} is missing")
    if findings:
        raise KnowledgeError(findings)
    return {key: [defined[code] for code in codes] for key, codes in offered.items()}
