"""Cards and feedback as the store gets them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cds_service.hooks.feedback import FeedbackItem
from cds_service.hooks.told import ToldCard

NOW = datetime(2026, 5, 11, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
FINDING = "order-conflict|refractory-component:something"


def told(uuid: str, **differing: Any) -> ToldCard:
    said: dict[str, Any] = {
        "uuid": uuid,
        "created_at": NOW,
        "service": "rrmm-order-sign",
        "hook": "order-sign",
        "kind": "order-conflict",
        "indicator": "warning",
        "finding": FINDING,
        "rules": ("BAR-16", "BAR-19"),
        "suggestions": {f"{uuid}-1": "s-vd", f"{uuid}-2": "p-vd"},
        "region": "EMA",
        "pathway": "default",
        "knowledge_version": "2026.11.0",
        "knowledge_sha256": "0" * 64,
        "client": "",
        "patient_hash": "a" * 64,
        "shown": True,
    }
    return ToldCard(**said | differing)


def overridden(card: str, at: datetime = NOW, **differing: Any) -> FeedbackItem:
    return FeedbackItem(card, "overridden", at, **differing)


def accepted(card: str, *suggestions: str, at: datetime = NOW) -> FeedbackItem:
    return FeedbackItem(card, "accepted", at, suggestions=suggestions)
