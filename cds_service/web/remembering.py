"""Puts together what remembers cards and feedback, for an application that may still be forked."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from cds_service.hooks.told import Telling
from cds_service.settings import Settings
from cds_service.store.database import Database
from cds_service.store.feedback import keep_cards
from cds_service.store.memory import StoredMemory
from cds_service.store.recorder import Recorder
from cds_service.web import metrics

log = structlog.get_logger()


def remembering(settings: Settings, now: Callable[[], datetime]) -> dict[str, Any]:
    """The extensions ``database``, ``recorder`` and ``telling`` of the application.

    The tables are there when this returns; connections and threads are made later, by each process for
    itself. Raises SettingError where the database cannot be used at all.
    """
    database = Database(settings.database_url)
    failure = database.prepare()
    if failure:
        log.warning("database unreachable: feedback is refused until it is back", kind=failure)
    recorder = Recorder(
        write=lambda cards: keep_cards(database, cards),
        lost=lambda reason, cards: metrics.UNRECORDED.labels(reason).inc(cards),
    )
    key = settings.patient_hash_key
    if key is None:
        log.warning("CDS_PATIENT_HASH_KEY is not set: overrides are forgotten when the service is restarted")
    telling = Telling(
        memory=StoredMemory(
            database, recorder, metrics.UNKNOWN_OVERRIDES.inc, lookup_s=settings.override_lookup_s
        ),
        # Made before the workers are forked, so that all of them know a patient by the same hash.
        key=key.get_secret_value().encode() if key else secrets.token_bytes(32),
        now=now,
        quiet=timedelta(hours=settings.override_quiet_hours),
        quiet_critical=timedelta(hours=settings.override_quiet_critical_hours),
    )
    return {"database": database, "recorder": recorder, "telling": telling}
