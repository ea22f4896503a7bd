"""The memory never keeps an answer waiting and never fails it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cds_service.errors import DatabaseGone
from cds_service.store.database import Database
from cds_service.store.feedback import keep_cards, keep_feedback
from cds_service.store.memory import StoredMemory
from cds_service.store.recorder import Recorder
from tests.store.samples import FINDING, HOUR, NOW, overridden, told

PATIENT = "a" * 64


class Counting:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


class Troubled(Database):
    """A database that waits, or fails, whenever it is read."""

    def __init__(self, trouble: Exception | threading.Event) -> None:
        super().__init__("sqlite:////nowhere/cards.sqlite")
        self.trouble = trouble
        self.asked = 0

    @contextmanager
    def reading(self, patience_s: int = 1) -> Iterator[Any]:
        self.asked += 1
        if isinstance(self.trouble, Exception):
            raise self.trouble
        self.trouble.wait(60)
        raise DatabaseGone("at last")
        yield


def memory_over(database: Database, unknown: Counting, **limits: float) -> StoredMemory:
    return StoredMemory(database, Recorder(lambda _: None, lambda *_: None), unknown, **limits)


def test_overrides_are_found(database: Database) -> None:
    keep_cards(database, [told("c1")])
    keep_feedback(database, "rrmm-order-sign", [overridden("c1")], NOW)
    unknown = Counting()
    found = memory_over(database, unknown, lookup_s=60).overrides(PATIENT, {FINDING}, NOW - HOUR)
    assert [one.finding for one in found] == [FINDING]
    assert unknown.times == 0


@pytest.mark.parametrize("trouble", [DatabaseGone("OperationalError"), threading.Event()])
def test_a_database_in_trouble_holds_nothing_back_and_is_left_alone(trouble: Any) -> None:
    database, unknown = Troubled(trouble), Counting()
    memory = memory_over(database, unknown, lookup_s=0.05, rest_s=3600)
    for _ in range(3):
        assert list(memory.overrides(PATIENT, {FINDING}, NOW)) == []
    assert (database.asked, unknown.times) == (1, 3)
    if isinstance(trouble, threading.Event):
        trouble.set()


def test_after_its_rest_it_is_asked_again() -> None:
    database = Troubled(DatabaseGone())
    memory = memory_over(database, Counting(), lookup_s=60, rest_s=0)
    for _ in range(3):
        memory.overrides(PATIENT, {FINDING}, NOW)
    assert database.asked == 3
