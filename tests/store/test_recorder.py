"""Cards are written off the answer's path: in time, or counted as lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import func, select

from cds_service.errors import DatabaseGone
from cds_service.hooks.told import ToldCard
from cds_service.store.database import Database
from cds_service.store.feedback import keep_cards
from cds_service.store.recorder import Recorder
from cds_service.store.tables import card
from tests.store.samples import told

ROOT = Path(__file__).parents[2]


class Writing:
    """Takes cards only while ``free`` is set, and counts what is lost."""

    def __init__(self, most_waiting: int = 100) -> None:
        self.free = threading.Event()
        self.begun = threading.Event()
        self.written: list[str] = []
        self.lost: Counter[str] = Counter()
        self.fails: Exception | None = None
        self.recorder = Recorder(self.write, self.count, most_waiting)

    def write(self, cards: Sequence[ToldCard]) -> None:
        self.begun.set()
        assert self.free.wait(60)
        if self.fails:
            raise self.fails
        self.written += [one.uuid for one in cards]

    def count(self, reason: str, cards: int) -> None:
        self.lost[reason] += cards


def test_put_returns_while_the_database_is_busy_and_drain_waits() -> None:
    writing = Writing()
    writing.recorder.put([told("c1"), told("c2")])
    writing.recorder.put([told("c3")])
    assert writing.written == []
    assert writing.recorder.drain(0.01) is False
    writing.free.set()
    assert writing.recorder.drain(60) is True
    assert writing.written == ["c1", "c2", "c3"]
    assert not writing.lost


def test_what_overflows_is_counted_and_never_awaited() -> None:
    writing = Writing(most_waiting=2)
    writing.recorder.put([told("taken")])
    assert writing.begun.wait(60)  # the writer holds it, the queue is empty again
    for number in range(4):
        writing.recorder.put([told(f"c{number}"), told(f"d{number}")])
    assert writing.lost == {"queue-full": 4}
    writing.free.set()
    assert writing.recorder.drain(60)
    assert writing.written == ["taken", "c0", "d0", "c1", "d1"]


def test_a_lost_database_is_counted_and_the_thread_lives_on() -> None:
    writing = Writing()
    writing.free.set()
    for problem, reason in ((DatabaseGone("OperationalError"), "database"), (ValueError("a row"), "failure")):
        writing.fails = problem
        writing.recorder.put([told("c1"), told("c2")])
        assert writing.recorder.drain(60)
        assert writing.lost[reason] == 2
    writing.fails = None
    writing.recorder.put([told("c3")])
    assert writing.recorder.drain(60)
    assert writing.written == ["c3"]


def test_nothing_to_write_starts_no_thread() -> None:
    before = threading.active_count()
    recorder = Writing().recorder
    recorder.put([])
    assert recorder.drain(0) is True
    assert threading.active_count() == before


def test_each_process_has_a_writer_of_its_own(database: Database) -> None:
    recorder = Recorder(lambda cards: keep_cards(database, cards), lambda *_: None)
    recorder.put([told("parent")])
    assert recorder.drain(60)
    child = os.fork()
    if child == 0:
        try:
            recorder.put([told("child")])
            os._exit(0 if recorder.drain(60) else 2)
        except BaseException:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(card)).scalar_one() == 2


def test_a_process_that_ends_writes_first(tmp_path: Path) -> None:
    script = """
import sys
from cds_service.store.database import Database
from cds_service.store.feedback import keep_cards
from cds_service.store.recorder import Recorder
from tests.store.samples import told
database = Database(sys.argv[1])
database.prepare()
recorder = Recorder(lambda cards: keep_cards(database, cards), print)
for number in range(500):
    recorder.put([told(f"c{number}")])
"""
    url = f"sqlite:///{tmp_path}/cards.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", script, url], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    database = Database(url)
    with database.reading() as connection:
        rows = connection.execute(select(card.c.uuid, card.c.suggestions)).all()
    database.close()
    assert len(rows) == 500
    assert json.dumps(rows[0].suggestions).count("s-vd") == 1
