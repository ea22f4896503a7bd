"""Feedback and cards in the tables, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from cds_service.hooks.feedback import FeedbackItem
from cds_service.store.database import Database
from cds_service.store.feedback import keep_cards, keep_feedback, overrides_of
from cds_service.store.tables import card, feedback
from tests.store.samples import FINDING, HOUR, NOW, accepted, overridden, told

PATIENT = "a" * 64


def rows(database: Database) -> list[Any]:
    with database.reading() as connection:
        return list(connection.execute(select(feedback).order_by(feedback.c.id)))


def test_an_item_is_kept_as_it_was_read(database: Database) -> None:
    item = FeedbackItem(
        "c1",
        "overridden",
        NOW - HOUR,
        (),
        reason_code="trial",
        reason_system="https://x.example",
        commented=True,
    )
    keep_feedback(database, "rrmm-order-sign", [item], NOW)
    (row,) = rows(database)
    assert (row.service, row.card, row.outcome, row.outcome_at, row.received_at, row.happened_at) == (
        "rrmm-order-sign", "c1", "overridden", NOW - HOUR, NOW, NOW - HOUR,
    )  # fmt: skip
    assert (row.reason_code, row.reason_system, row.suggestions, row.commented) == (
        "trial", "https://x.example", [], True,
    )  # fmt: skip


@pytest.mark.parametrize("at, happened", [(None, NOW), (NOW + 100 * HOUR, NOW), (NOW - HOUR, NOW - HOUR)])
def test_no_clock_of_a_client_reaches_into_the_future(
    database: Database, at: datetime | None, happened: datetime
) -> None:
    keep_feedback(database, "rrmm-order-sign", [FeedbackItem("c1", "overridden", at)], NOW)
    (row,) = rows(database)
    assert (row.outcome_at, row.happened_at) == (at, happened)


def test_a_repeat_is_stored_once_in_one_body_and_over_days(database: Database) -> None:
    item, nameless = overridden("c1"), FeedbackItem("c1", "overridden")
    keep_feedback(database, "s", [item, nameless, item], NOW)
    keep_feedback(database, "s", [nameless, item], NOW + 48 * HOUR)
    kept = rows(database)
    assert [row.outcome_at for row in kept] == [NOW, None] or [row.outcome_at for row in kept] == [None, NOW]
    assert {row.received_at for row in kept} == {NOW}  # a repeat does not renew an override


def test_a_comment_that_comes_with_the_repeat_is_noted(database: Database) -> None:
    for commented in (False, True, False):
        keep_feedback(database, "s", [overridden("c1", commented=commented)], NOW)
    (row,) = rows(database)
    assert row.commented is True


def test_what_differs_is_another_item(database: Database) -> None:
    items = [
        overridden("c1"),
        overridden("c2"),
        overridden("c1", NOW + HOUR),
        overridden("c1", reason_code="trial"),
        overridden("c1", reason_code="trial", reason_system="x:y"),
        accepted("c1", "s1"),
        accepted("c1", "s1", "s2"),
    ]
    keep_feedback(database, "s", items, NOW)
    keep_feedback(database, "t", items[:1], NOW)
    assert len(rows(database)) == len(items) + 1


def test_the_same_items_from_many_threads_in_any_order_are_stored_once(database: Database) -> None:
    items = [overridden(f"c{n}") for n in range(20)]

    def send(turn: int) -> None:
        turned = items[turn:] + items[:turn]
        keep_feedback(database, "s", turned if turn % 2 else turned[::-1], NOW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(24)))
    assert sorted(row.card for row in rows(database)) == sorted(item.card for item in items)


def test_a_card_is_kept_as_it_was_told_and_once(database: Database) -> None:
    keep_cards(database, [told("c1"), told("c2", patient_hash=None, shown=False)])
    keep_cards(database, [told("c1", finding="another")])
    with database.reading() as connection:
        first, second = connection.execute(select(card).order_by(card.c.uuid))
    assert (first.finding, first.rules, first.suggestions, first.created_at, first.shown) == (
        FINDING, ["BAR-16", "BAR-19"], {"c1-1": "s-vd", "c1-2": "p-vd"}, NOW, True,
    )  # fmt: skip
    assert (second.patient_hash, second.shown) == (None, False)


@pytest.mark.parametrize(
    "case, items, found",
    [
        ("an override", [overridden("c1")], 1),
        ("twice", [overridden("c1"), overridden("c1", NOW + HOUR)], 1),
        ("two cards", [overridden("c1"), overridden("c2")], 2),
        ("an acceptance", [accepted("c1", "c1-1")], 0),
        ("overridden, then accepted", [overridden("c1"), accepted("c1", at=NOW + HOUR)], 0),
        ("accepted, then overridden, told late", [overridden("c1", NOW + HOUR), accepted("c1")], 1),
        ("both at one moment", [overridden("c1"), accepted("c1")], 0),
        ("an outcome of the client's own", [FeedbackItem("c1", "other", NOW)], 0),
        ("too long ago", [overridden("c1", NOW - 24 * HOUR)], 0),
        ("another patient's", [overridden("other-patient")], 0),
        ("another finding", [overridden("other-finding")], 0),
        ("of a card that nobody knows", [overridden("unknown")], 0),
    ],
)
def test_which_overrides_count(database: Database, case: str, items: list[Any], found: int) -> None:
    # Feedback first: a card may be written later than the feedback on it comes.
    keep_feedback(database, "rrmm-order-sign", items, NOW + 2 * HOUR)
    keep_cards(
        database,
        [
            told("c1"),
            told("c2"),
            told("other-patient", patient_hash="b" * 64),
            told("other-finding", finding="state|remission"),
        ],
    )
    overrides = overrides_of(database, PATIENT, {FINDING, "missing-data|x"}, NOW - timedelta(hours=24))
    assert len(overrides) == found, case
    assert {(one.finding, one.indicator) for one in overrides} <= {(FINDING, "warning")}


def test_the_lookup_uses_the_index(tmp_path: Any) -> None:
    database = Database(f"sqlite:///{tmp_path}/cards.sqlite")
    database.prepare()
    with database.reading() as connection:
        plan = connection.execute(
            text(
                "EXPLAIN QUERY PLAN SELECT * FROM card JOIN feedback ON feedback.card = card.uuid "
                "WHERE card.patient_hash = 'a' AND card.finding IN ('b')"
            )
        ).all()
    told_plan = " ".join(row.detail for row in plan)
    assert "ix_card_patient_hash_finding" in told_plan and "ix_feedback_card" in told_plan
    database.close()
