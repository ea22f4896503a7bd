"""The tables. Changing one takes a migration beside it (``migrations/versions``); a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC: with its zone where the database keeps one, else (SQLite) taken for UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Into the database. Raises ValueError for a moment without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Out of the database."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


metadata = MetaData()

card = Table(
    "card",
    metadata,
    Column("uuid", String(64), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("service", String(64), nullable=False),
    Column("hook", String(64), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("indicator", String(16), nullable=False),
    Column("finding", String(200), nullable=False),
    Column("rules", JSON, nullable=False),
    Column("suggestions", JSON, nullable=False),  # uuid of the suggestion: regimen
    Column("region", String(16), nullable=False),
    Column("pathway", String(100), nullable=False),
    Column("knowledge_version", String(100), nullable=False),
    Column("knowledge_sha256", String(64), nullable=False),
    Column("client", String(200), nullable=False),
    Column("patient_hash", String(64)),
    Column("shown", Boolean, nullable=False),
    Index("ix_card_patient_hash_finding", "patient_hash", "finding"),
    Index("ix_card_created_at", "created_at"),
)
"""What each card said. Rows are written after the answer was sent; one may be missing."""

feedback = Table(
    "feedback",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("item", String(64), nullable=False, unique=True),  # hash over what makes an item the same
    Column("service", String(64), nullable=False),
    Column("card", String(64), nullable=False),  # no foreign key: it may come before its card, or without
    Column("outcome", String(16), nullable=False),
    Column("outcome_at", UtcDateTime),
    Column("received_at", UtcDateTime, nullable=False),
    Column("happened_at", UtcDateTime, nullable=False),  # outcome_at, but never later than received_at
    Column("reason_code", String(64), nullable=False),
    Column("reason_system", String(200), nullable=False),
    Column("suggestions", JSON, nullable=False),
    Column("commented", Boolean, nullable=False),
    Index("ix_feedback_card", "card"),
    Index("ix_feedback_happened_at", "happened_at"),
)
"""What clients reported. Matched to its card when it is read."""
