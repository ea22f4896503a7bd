"""Writes cards down off the answer's path: a bounded queue and one thread in each process."""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Callable, Sequence
from queue import Empty, Full, Queue
from threading import Thread
from typing import Any

import structlog

from cds_service.errors import DatabaseGone
from cds_service.hooks.told import ToldCard
from cds_service.store.processes import PerProcess

log = structlog.get_logger()

MOST_WAITING = 2_000
"""Answers whose cards wait to be written; beyond it the newest are lost, and counted."""
_BATCH = 200
_DRAIN_S = 10.0
_SAY_AGAIN_S = 60.0

Cards = Sequence[ToldCard]


class Recorder:
    """Takes the cards of an answer and writes them later; the thread starts with the first of a process.

    ``lost`` is told how many cards were not recorded, and why: ``queue-full``, ``database``
    or ``failure``.
    """

    def __init__(
        self,
        write: Callable[[Cards], None],
        lost: Callable[[str, int], None],
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._write = write
        self._lost = lost
        self._most_waiting = most_waiting
        self._queue = PerProcess(self._start)
        self._said_at = float("-inf")

    def put(self, cards: Cards) -> None:
        """Never blocks, never raises."""
        if not cards:
            return
        try:
            self._queue().put_nowait(cards)
        except Full:
            self._give_up("queue-full", len(cards))

    def drain(self, timeout_s: float = _DRAIN_S) -> bool:
        """Waits until all is written that this process has put; False where the time was too short."""
        queue = self._queue.made()
        if queue is None:
            return True
        with queue.all_tasks_done:
            return queue.all_tasks_done.wait_for(lambda: not queue.unfinished_tasks, timeout_s)

    def _start(self) -> Queue[Cards]:
        queue: Queue[Cards] = Queue(self._most_waiting)
        Thread(target=self._run, args=(queue,), name="card-recorder", daemon=True).start()
        atexit.register(self._drain_at_exit, os.getpid())
        return queue

    def _drain_at_exit(self, process: int) -> None:
        if os.getpid() == process:  # a child inherits the duty and must leave it alone
            self.drain()

    def _run(self, queue: Queue[Cards]) -> None:
        while True:
            taken = [queue.get()]
            try:
                while sum(map(len, taken)) < _BATCH:
                    taken.append(queue.get_nowait())
            except Empty:
                pass
            cards = [card for answer in taken for card in answer]
            try:
                self._write(cards)
            except DatabaseGone as problem:
                self._give_up("database", len(cards), problem.kind)
            except Exception as problem:  # the thread must live on; the text may quote a row
                self._give_up("failure", len(cards), type(problem).__name__)
            finally:
                for _ in taken:
                    queue.task_done()

    def _give_up(self, reason: str, cards: int, kind: str = "") -> None:
        self._lost(reason, cards)
        now = time.monotonic()
        if now - self._said_at >= _SAY_AGAIN_S:  # a lost database would otherwise fill the log
            self._said_at = now
            log.warning("cards are not recorded", reason=reason, cards=cards, kind=kind)


def drain_all(holder: Any) -> None:
    """Drains the recorder that an application carries, if it carries one."""
    recorder = getattr(holder, "extensions", {}).get("recorder")
    if isinstance(recorder, Recorder):
        recorder.drain()
