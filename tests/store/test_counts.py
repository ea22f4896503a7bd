"""The report's numbers, on both databases."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from cds_service.hooks.feedback import FeedbackItem
from cds_service.store.counts import NO_REASON, Tally, as_json, count
from cds_service.store.database import Database
from cds_service.store.feedback import keep_cards, keep_feedback
from tests.store.samples import HOUR, NOW, accepted, overridden, told

DAY = timedelta(days=1)


@pytest.fixture
def filled(database: Database) -> Database:
    keep_cards(
        database,
        [
            told("taken"),
            told("waved"),
            told("waved-2", rules=("BAR-16",), service="rrmm-order-select"),
            told("both"),
            told("ignored", created_at=NOW - 40 * DAY, suggestions={"x": "s-vd", "y": "s-vd", "z": ""}),
            told("held", shown=False),
            told("quiet", kind="missing-data", rules=(), suggestions={}),
        ],
    )
    keep_feedback(
        database,
        "rrmm-order-sign",
        [
            accepted("taken", "taken-2"),
            overridden("waved", reason_code="trial", reason_system="https://x.example"),
            overridden("waved-2"),
            overridden("both"),
            accepted("both", "both-1", at=NOW + HOUR),
            FeedbackItem("quiet", "other", NOW),
            overridden("nobody"),
            overridden("long ago", NOW - 400 * DAY),
        ],
        NOW + 2 * HOUR,
    )
    return database


def tallies(database: Database, by: Any) -> dict[str, tuple[int, int, int]]:
    groups = count(database, by).groups
    return {one.key: (one.tally.shown, one.tally.accepted, one.tally.overridden) for one in groups}


def test_in_all(filled: Database) -> None:
    counts = count(filled)
    assert counts.total.tally == Tally(shown=6, accepted=2, overridden=2)
    assert (counts.not_shown, counts.items, counts.unmatched) == (1, 8, 2)


@pytest.mark.parametrize(
    "by, expected",
    [
        ("regimen", {"s-vd": (5, 1, 2), "p-vd": (4, 1, 2)}),
        ("rule", {"BAR-16": (5, 2, 2), "BAR-19": (4, 2, 1)}),
        ("reason", {"https://x.example|trial": (1, 0, 1), NO_REASON: (1, 0, 1)}),
        ("kind", {"order-conflict": (5, 2, 2), "missing-data": (1, 0, 0)}),
        ("service", {"rrmm-order-sign": (5, 2, 1), "rrmm-order-select": (1, 0, 1)}),
    ],
)
def test_by(filled: Database, by: str, expected: dict[str, Any]) -> None:
    assert tallies(filled, by) == expected
    shown = [one.tally.shown for one in count(filled, by).groups]  # type: ignore[arg-type]
    assert shown == sorted(shown, reverse=True)


def test_days_are_included_at_both_ends(filled: Database) -> None:
    day = NOW.date()
    assert count(filled, since=day, until=day).total.tally.shown == 5
    assert count(filled, since=day + DAY).total.tally.shown == 0
    early = count(filled, until=day - DAY)
    assert (early.total.tally.shown, early.items, early.unmatched, early.not_shown) == (1, 1, 1, 0)


@pytest.mark.parametrize(
    "every, starts",
    [
        ("month", [date(2026, 4, 1), date(2026, 5, 1)]),
        ("week", [date(2026, 3, 30) + 7 * DAY * n for n in range(7)]),
    ],
)
def test_over_time_without_gaps(filled: Database, every: Any, starts: list[date]) -> None:
    counts = count(filled, every=every)
    assert counts.starts() == starts
    body = as_json(counts, {"s-vd": "S-VD"})
    assert [period["start"] for period in body["cards"]["periods"]] == [day.isoformat() for day in starts]
    assert body["cards"]["periods"][0]["shown"] == 1 and body["cards"]["periods"][-1]["shown"] == 5
    first = body["groups"][0]
    assert (first["key"], first["label"], first["shown"]) == ("s-vd", "S-VD", 5)
    assert sum(period["shown"] for period in first["periods"]) == 5


def test_an_empty_store(database: Database) -> None:
    counts = count(database, every="month")
    assert (counts.total.tally, counts.groups, counts.starts()) == (Tally(), [], [])
    assert as_json(counts, {}) == {
        "by": "regimen",
        "every": "month",
        "cards": {"shown": 0, "accepted": 0, "overridden": 0, "periods": [], "not_shown": 0},
        "feedback": {"items": 0, "unmatched": 0},
        "groups": [],
    }
