"""Feedback read against what the cards said: how often a card was shown, accepted and overridden."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from cds_service.hooks.feedback import ACCEPTED, KNOWN_OUTCOMES, OVERRIDDEN
from cds_service.store.by import By, Every
from cds_service.store.database import Database
from cds_service.store.tables import card, feedback

NO_REASON = "none-given"
"""Key of the overrides that came without a reason."""


_PATIENCE_S = 60


@dataclass
class Tally:
    """Cards shown, and those whose last outcome was acceptance or override; the rest had no answer."""

    shown: int = 0
    accepted: int = 0
    overridden: int = 0

    def add(self, shown: int = 1, accepted: int = 0, overridden: int = 0) -> None:
        """Counts a card."""
        self.shown += shown
        self.accepted += accepted
        self.overridden += overridden


@dataclass
class Group:
    """One regimen, rule, reason, kind or service, in all and by period (day on which it begins)."""

    key: str
    tally: Tally = field(default_factory=Tally)
    periods: dict[date, Tally] = field(default_factory=lambda: defaultdict(Tally))


@dataclass
class Counts:
    """A report. Days are in UTC, ``until`` is included; both None where the whole store is meant.

    ``groups`` come with the most shown first. By regimen a card counts with each regimen it offers, and as
    accepted for the one that was taken. By reason only overridden cards count, and ``shown`` is theirs.
    ``not_shown`` cards were held back after an override, or computed in silence. ``items`` is the feedback
    that happened in this time, ``unmatched`` that of it which belongs to no card recorded here.
    """

    by: By
    every: Every | None
    since: date | None
    until: date | None
    total: Group
    groups: list[Group]
    not_shown: int
    items: int
    unmatched: int

    def starts(self) -> list[date]:
        """The first day of each period, without gaps between the first and the last that holds a card."""
        found = sorted(self.total.periods)
        if not found or self.every is None:
            return []
        days, last = [found[0]], found[-1]
        while days[-1] < last:
            step = 32 if self.every == "month" else 7
            days.append(_start(days[-1] + timedelta(days=step), self.every))
        return days


@dataclass(frozen=True)
class _Card:
    """A shown card with what came back."""

    row: Any
    outcome: str = ""
    suggestions: tuple[str, ...] = ()
    reason: str = ""

    def keys(self, by: By) -> Iterator[tuple[str, bool]]:
        """The groups it belongs to, each with whether its acceptance, if any, speaks for that group."""
        if by == "regimen":
            for suggestion, regimen in self.row.suggestions.items():
                if regimen:
                    yield regimen, suggestion in self.suggestions
        elif by == "rule":
            yield from ((rule, True) for rule in self.row.rules)
        elif by == "reason":
            if self.outcome == OVERRIDDEN:
                yield self.reason or NO_REASON, False
        else:
            yield getattr(self.row, by), True


def count(
    database: Database,
    by: By = "regimen",
    every: Every | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Counts:
    """Counts the cards made between two days, and the feedback on them, whenever it came.

    Raises DatabaseGone.
    """
    groups: dict[str, Group] = {}
    total = Group("")
    with database.reading(_PATIENCE_S) as connection:
        for one in _shown(connection, since, until):
            start = _start(one.row.created_at.date(), every) if every else None
            accepted, overridden = int(one.outcome == ACCEPTED), int(one.outcome == OVERRIDDEN)
            _count(total, start, accepted, overridden)
            for key, speaks in sorted(_merged(one.keys(by)).items()):
                _count(groups.setdefault(key, Group(key)), start, accepted and int(speaks), overridden)
        held = select(func.count()).select_from(card)
        held = held.where(card.c.shown.is_(False), *_between(card.c.created_at, since, until))
        items = select(func.count()).select_from(feedback)
        items = items.where(*_between(feedback.c.happened_at, since, until))
        unmatched = items.where(~select(card.c.uuid).where(card.c.uuid == feedback.c.card).exists())
        return Counts(
            by=by,
            every=every,
            since=since,
            until=until,
            total=total,
            groups=sorted(
                groups.values(), key=lambda g: (-g.tally.shown, -g.tally.accepted, -g.tally.overridden, g.key)
            ),
            not_shown=connection.execute(held).scalar_one(),
            items=connection.execute(items).scalar_one(),
            unmatched=connection.execute(unmatched).scalar_one(),
        )


def _merged(keys: Iterable[tuple[str, bool]]) -> dict[str, bool]:
    """Each group once: two suggestions of a card may propose one regimen in two ways."""
    merged: dict[str, bool] = {}
    for key, speaks in keys:
        merged[key] = merged.get(key, False) or speaks
    return merged


def _count(group: Group, start: date | None, accepted: int, overridden: int) -> None:
    group.tally.add(1, accepted, overridden)
    if start is not None:
        group.periods[start].add(1, accepted, overridden)


def _shown(connection: Connection, since: date | None, until: date | None) -> Iterator[_Card]:
    query = (
        select(
            card.c.uuid,
            card.c.created_at,
            card.c.service,
            card.c.kind,
            card.c.rules,
            card.c.suggestions,
            feedback.c.outcome,
            feedback.c.happened_at,
            feedback.c.suggestions.label("taken"),
            feedback.c.reason_code,
            feedback.c.reason_system,
        )
        .join_from(
            card,
            feedback,
            (feedback.c.card == card.c.uuid) & feedback.c.outcome.in_(KNOWN_OUTCOMES),
            isouter=True,
        )
        .where(card.c.shown, *_between(card.c.created_at, since, until))
        .order_by(card.c.uuid)
    )
    # A year of a large hospital does not fit into memory at once.
    rows = connection.execution_options(yield_per=1000).execute(query)
    for _, of_one in groupby(rows, key=lambda row: row.uuid):
        yield _judged(list(of_one))


def _judged(rows: Sequence[Any]) -> _Card:
    """The last outcome decides, and of two at one moment the acceptance; its predecessors are forgotten."""
    told = [row for row in rows if row.outcome is not None]
    if not told:
        return _Card(rows[0])
    last = max(told, key=lambda row: (row.happened_at, row.outcome == ACCEPTED))
    taken = {one for row in told if row.outcome == ACCEPTED for one in row.taken}
    reason = f"{last.reason_system}|{last.reason_code}" if last.reason_system else last.reason_code
    return _Card(rows[0], last.outcome, tuple(taken) if last.outcome == ACCEPTED else (), reason)


def _between(column: ColumnElement[datetime], since: date | None, until: date | None) -> list[Any]:
    conditions: list[Any] = []
    if since is not None:
        conditions.append(column >= datetime.combine(since, time(), UTC))
    if until is not None:
        conditions.append(column < datetime.combine(until + timedelta(days=1), time(), UTC))
    return conditions


def _start(day: date, every: Every) -> date:
    """The first day of the month, or the Monday of the week."""
    return day.replace(day=1) if every == "month" else day - timedelta(days=day.weekday())


def as_json(counts: Counts, labels: dict[str, str]) -> dict[str, Any]:
    """The report as JSON; ``labels`` says a key in words where there are some."""
    starts = counts.starts()

    def told(group: Group) -> dict[str, Any]:
        # By reason all cards are overridden ones: shown and accepted would say nothing.
        body: dict[str, Any] = dict(_tally(group.tally, counts.by == "reason" and bool(group.key)))
        if counts.every:
            body["periods"] = [
                {"start": day.isoformat()}
                | _tally(group.periods.get(day, Tally()), counts.by == "reason" and bool(group.key))
                for day in starts
            ]
        return body

    return {
        "by": counts.by,
        **({"every": counts.every} if counts.every else {}),
        **({"from": counts.since.isoformat()} if counts.since else {}),
        **({"to": counts.until.isoformat()} if counts.until else {}),
        "cards": told(counts.total) | {"not_shown": counts.not_shown},
        "feedback": {"items": counts.items, "unmatched": counts.unmatched},
        "groups": [
            {"key": group.key, "label": labels.get(group.key, group.key)} | told(group)
            for group in counts.groups
        ],
    }


def _tally(tally: Tally, only_overridden: bool) -> dict[str, int]:
    if only_overridden:
        return {"overridden": tally.overridden}
    return {"shown": tally.shown, "accepted": tally.accepted, "overridden": tally.overridden}
