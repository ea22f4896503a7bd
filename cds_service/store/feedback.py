"""Feedback and cards into the tables, overrides out of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from cds_service.hooks.feedback import ACCEPTED, KNOWN_OUTCOMES, OVERRIDDEN, FeedbackItem
from cds_service.hooks.told import Override, ToldCard
from cds_service.store.database import Database
from cds_service.store.tables import card, feedback


def _insert(connection: Connection, table: Table) -> Any:
    """INSERT with ON CONFLICT, which both databases spell alike and SQLAlchemy has once for each."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def keep_feedback(database: Database, service: str, items: Iterable[FeedbackItem], now: datetime) -> None:
    """Stores the items of one body in one transaction: all are on disk when this returns, or none.

    An item that is there already is not stored again; a comment that came with the repeat is noted. Raises
    DatabaseGone.
    """
    rows: dict[str, dict[str, Any]] = {}
    for item in items:
        row = _row(service, item, now)
        commented = row["commented"] or rows.get(row["item"], {}).get("commented", False)
        rows[row["item"]] = row | {"commented": commented}
    if not rows:
        return
    with database.writing() as connection:
        insert = _insert(connection, feedback)
        insert = insert.on_conflict_do_update(
            index_elements=["item"],
            set_={"commented": or_(feedback.c.commented, insert.excluded.commented)},
        )
        # Always in the same order: two bodies with the same items must not wait for each other.
        connection.execute(insert, [rows[key] for key in sorted(rows)])


def _row(service: str, item: FeedbackItem, now: datetime) -> dict[str, Any]:
    same = [
        service,
        item.card,
        item.outcome,
        item.outcome_at.isoformat() if item.outcome_at else "",
        item.reason_code,
        item.reason_system,
        list(item.suggestions),
    ]
    return asdict(item) | {
        "item": hashlib.sha256(json.dumps(same).encode()).hexdigest(),
        "service": service,
        "suggestions": list(item.suggestions),
        "received_at": now,
        # A client's clock that is ahead must not silence a card for longer than was agreed.
        "happened_at": min(item.outcome_at or now, now),
    }


def keep_cards(database: Database, cards: Sequence[ToldCard]) -> None:
    """Stores what cards said. Raises DatabaseGone."""
    rows = [asdict(one) | {"rules": list(one.rules), "suggestions": dict(one.suggestions)} for one in cards]
    if not rows:
        return
    with database.writing() as connection:
        connection.execute(_insert(connection, card).on_conflict_do_nothing(), rows)


def overrides_of(
    database: Database, patient_hash: str, findings: Collection[str], since: datetime
) -> list[Override]:
    """The cards of this patient with one of these findings whose last outcome since then is an override.

    One that was overridden and accepted afterwards is none. Raises DatabaseGone.
    """
    query = (
        select(card.c.uuid, card.c.finding, card.c.indicator, feedback.c.outcome, feedback.c.happened_at)
        .join_from(card, feedback, feedback.c.card == card.c.uuid)
        .where(
            feedback.c.service == card.c.service,
            card.c.patient_hash == patient_hash,
            card.c.finding.in_(sorted(findings)),
            feedback.c.happened_at > since,
            feedback.c.outcome.in_(KNOWN_OUTCOMES),
        )
    )
    with database.reading() as connection:
        rows = connection.execute(query).all()
    last: dict[str, Any] = {}
    for row in sorted(rows, key=lambda row: (row.happened_at, row.outcome == ACCEPTED)):
        last[row.uuid] = row
    return [
        Override(row.finding, row.indicator, row.happened_at)
        for row in last.values()
        if row.outcome == OVERRIDDEN
    ]
