"""What was told, and what is not told again: cards are remembered, an overridden one is held back for a time.

The hooks know the memory by its protocol only; :mod:`cds_service.store` is one. A patient is known to it by
a keyed hash and by nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from cds_service.cards.names import EXTENSION

LONGEST_FINDING = 200
_GRAVITY = ("info", "warning", "critical")

Card = Mapping[str, Any]


@dataclass(frozen=True)
class ToldCard:
    """What a card said, as far as feedback is read against it. ``finding`` is "" where the card names none.

    ``suggestions`` maps the uuid of each suggestion to its regimen, "" for one that proposes no regimen.
    ``shown`` is False for a card that was held back, or computed in silence.
    """

    uuid: str
    created_at: datetime
    service: str
    hook: str
    kind: str
    indicator: str
    finding: str
    rules: tuple[str, ...]
    suggestions: Mapping[str, str]
    region: str
    pathway: str
    knowledge_version: str
    knowledge_sha256: str
    client: str
    patient_hash: str | None = field(repr=False)
    shown: bool


@dataclass(frozen=True)
class Override:
    """A card of this patient that was overridden: what it found, how grave it was, and when."""

    finding: str
    indicator: str
    at: datetime


class Memory(Protocol):
    """Where cards are remembered. Neither call raises, and neither keeps an answer waiting."""

    def overrides(
        self, patient_hash: str, findings: Collection[str], since: datetime
    ) -> Collection[Override]:
        """The overrides of this patient's cards with one of these findings; none where it cannot be known."""
        ...

    def told(self, cards: Sequence[ToldCard]) -> None:
        """Keeps what the cards said."""
        ...


@dataclass(frozen=True)
class Occasion:
    """The call that the cards answer. ``client`` is "" where not known; then ``server`` stands for it."""

    service: str
    hook: str
    patient_id: str = field(repr=False)
    region: str
    pathway: str
    client: str = ""
    server: str = field(default="", repr=False)
    silent: bool = False


@dataclass(frozen=True)
class Sorted:
    """The cards of an answer: those to show and those held back."""

    shown: list[Any]
    held_back: list[Any]


@dataclass(frozen=True)
class Telling:
    """Decides which cards are told, and has all of them remembered.

    ``key`` makes the hash of a patient. ``quiet`` is how long an overridden finding is not told again to
    anybody who treats the patient, ``quiet_critical`` the same where the card is critical; zero is off.
    """

    memory: Memory
    key: bytes = field(repr=False)
    now: Callable[[], datetime]
    quiet: timedelta = timedelta(hours=168)
    quiet_critical: timedelta = timedelta(hours=24)

    def sort_out(self, cards: Sequence[Any], occasion: Occasion) -> Sorted:
        """The cards of a call, divided; what each said is remembered either way."""
        patient = patient_hash(self.key, occasion.client or occasion.server, occasion.patient_id)
        now = self.now()
        held = [] if occasion.silent else self._overridden(cards, patient, now)
        shown = [] if occasion.silent else [card for card in cards if not any(card is one for one in held)]
        self.memory.told(
            [_told(card, occasion, patient, now, any(card is one for one in shown)) for card in cards]
        )
        return Sorted(shown, held)

    def _overridden(self, cards: Sequence[Any], patient: str, now: datetime) -> list[Any]:
        concerned = [card for card in cards if finding_of(card) and self._window(card)]
        if not concerned:
            return []
        since = now - max(map(self._window, concerned))
        findings = {finding_of(card) for card in concerned}
        overrides = self.memory.overrides(patient, findings, since)
        return [card for card in concerned if self._is_silenced(card, overrides, now)]

    def _window(self, card: Card) -> timedelta:
        return self.quiet_critical if card.get("indicator") == "critical" else self.quiet

    def _is_silenced(self, card: Card, overrides: Collection[Override], now: datetime) -> bool:
        finding, since = finding_of(card), now - self._window(card)
        # What was a warning when it was waved away, and is a danger now, has not been judged as such.
        return any(
            one.finding == finding
            and one.at > since
            and _gravity(one.indicator) >= _gravity(card["indicator"])
            for one in overrides
        )


def patient_hash(key: bytes, origin: str, patient_id: str) -> str:
    """The patient as the store knows them: HMAC-SHA256, in hex.

    ``origin`` is the client, or the FHIR server that one without an entry names: two hospitals may have given
    the same id to different people.
    """
    return hmac.new(key, json.dumps([origin, patient_id]).encode(), hashlib.sha256).hexdigest()


def _gravity(indicator: str) -> int:
    return _GRAVITY.index(indicator) if indicator in _GRAVITY else 0


def _ours(card: Card) -> Mapping[str, Any]:
    extension: Mapping[str, Any] = card.get("extension", {}).get(EXTENSION, {})
    return extension


def kind_of(card: Card) -> str:
    """The kind of a card."""
    return str(_ours(card).get("kind", "other"))


def finding_of(card: Card) -> str:
    """What the card found, the same text for the same finding; "" where it does not say."""
    finding = str(_ours(card).get("finding", ""))
    if len(finding) <= LONGEST_FINDING:
        return finding
    told = hashlib.sha256(finding.encode()).hexdigest()
    return f"{finding[: LONGEST_FINDING - len(told) - 1]}#{told}"


def _told(card: Card, occasion: Occasion, patient: str, now: datetime, shown: bool) -> ToldCard:
    ours = _ours(card)
    knowledge = ours.get("knowledge", {})
    return ToldCard(
        uuid=card["uuid"],
        created_at=now,
        service=occasion.service,
        hook=occasion.hook,
        kind=kind_of(card),
        indicator=card["indicator"],
        finding=finding_of(card),
        rules=tuple(ours.get("rules", ())),
        suggestions={
            one["uuid"]: str(_ours(one).get("regimen", ""))
            for one in card.get("suggestions", ())
            if one.get("uuid")
        },
        region=occasion.region,
        pathway=occasion.pathway,
        knowledge_version=str(knowledge.get("version", "")),
        knowledge_sha256=str(knowledge.get("sha256", "")),
        client=occasion.client,
        patient_hash=patient if occasion.patient_id else None,
        shown=shown,
    )
