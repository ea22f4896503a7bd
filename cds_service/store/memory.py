"""The hooks' memory of cards, over the database: never slow, never an error."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from datetime import datetime

import structlog

from cds_service.errors import DatabaseGone
from cds_service.hooks.told import Override, ToldCard
from cds_service.store.database import Database
from cds_service.store.feedback import overrides_of
from cds_service.store.processes import PerProcess
from cds_service.store.recorder import Recorder

log = structlog.get_logger()

REST_S = 15.0


class StoredMemory:
    """:class:`cds_service.hooks.told.Memory` over a database and a recorder.

    So long, ``lookup_s``, an answer waits to know what was overridden; then it goes out as if nothing had
    been, and ``unknown`` is told. A database that failed or was slow is not asked again for ``rest_s``.
    """

    def __init__(
        self,
        database: Database,
        recorder: Recorder,
        unknown: Callable[[], None],
        lookup_s: float,
        rest_s: float = REST_S,
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._unknown = unknown
        self._lookup_s = lookup_s
        self._rest_s = rest_s
        self._resting_until = float("-inf")
        # The limit is kept by waiting no longer, since a driver may wait for a network without end.
        self._askers = PerProcess(lambda: ThreadPoolExecutor(8, thread_name_prefix="overrides"))

    def overrides(
        self, patient_hash: str, findings: Collection[str], since: datetime
    ) -> Collection[Override]:
        """The overrides; none where the database is down or slow, which is not asked again for a while."""
        if time.monotonic() < self._resting_until:
            self._unknown()
            return ()
        asked = self._askers().submit(overrides_of, self._database, patient_hash, findings, since)
        try:
            return asked.result(self._lookup_s)
        except (TooLate, DatabaseGone) as problem:
            asked.cancel()
            self._resting_until = time.monotonic() + self._rest_s
            self._unknown()
            log.warning(
                "overrides are not known: nothing is held back", kind=getattr(problem, "kind", "TooLate")
            )
            return ()

    def told(self, cards: Sequence[ToldCard]) -> None:
        """Hands the cards to the recorder."""
        self._recorder.put(cards)
