"""What was acknowledged is there after the worst: the real server is killed as soon as the 200 is read."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Table, select

from cds_service.store.database import Database
from cds_service.store.tables import card, feedback
from tests.hooks.calls import call
from tests.web.test_server import Served

SIGN = "/cds-services/rrmm-order-sign"
CONFLICT = "order-daratumumab-when-refractory"


def kill(service: Served) -> None:
    """No goodbye, to no process of it."""
    os.killpg(service.process.pid, signal.SIGKILL)
    service.process.wait(60)


def rows(url: str, table: Table) -> list[Any]:
    database = Database(url)
    try:
        with database.reading() as connection:
            return list(connection.execute(select(table)))
    finally:
        database.close()


def until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it never came true")


def test_acknowledged_feedback_survives_kill_9(tmp_path: Path, database_url: str) -> None:
    sent = []
    for _ in range(3):  # killed and started again, on the same database
        service = Served(tmp_path, CDS_DATABASE_URL=database_url)
        try:
            service.wait()
            items = [{"card": str(uuid4()), "outcome": "overridden"} for _ in range(5)]
            connection = HTTPConnection("127.0.0.1", service.port, timeout=60)
            for item in items:
                connection.request(
                    "POST",
                    f"{SIGN}/feedback",
                    f'{{"feedback": [{{"card": "{item["card"]}", "outcome": "overridden"}}]}}',
                    {"Content-Type": "application/json"},
                )
                status = connection.getresponse()
                status.read()
                assert status.status == 200
                sent.append(item["card"])
        finally:
            kill(service)
        connection.close()
        assert sorted(row.card for row in rows(database_url, feedback)) == sorted(sent)


def test_cards_waiting_to_be_written_are_written_before_the_server_ends(
    tmp_path: Path, database_url: str
) -> None:
    service = Served(tmp_path, CDS_DATABASE_URL=database_url)
    shown = []
    try:
        service.wait()
        for _ in range(20):
            body = service.send("POST", SIGN, call("order-sign", CONFLICT))[1]
            shown.append(body.partition(b'"uuid":"')[2][:36].decode())
    finally:
        assert service.stop() == 0
    assert "Traceback" not in service.log.read_text()
    assert {row.uuid for row in rows(database_url, card)} == set(shown)


def test_an_override_silences_every_process_of_the_server(tmp_path: Path, database_url: str) -> None:
    service = Served(tmp_path, CDS_DATABASE_URL=database_url, CDS_OVERRIDE_LOOKUP_S="30")
    try:
        service.wait()
        body = service.send("POST", SIGN, call("order-sign", CONFLICT))[1]
        uuid = body.partition(b'"uuid":"')[2][:36].decode()
        item = {"card": uuid, "outcome": "overridden"}
        assert service.send("POST", f"{SIGN}/feedback", {"feedback": [item]})[0] == 200
        until(lambda: bool(rows(database_url, card)))
        for _ in range(12):  # each a new connection, so that both processes answer
            assert service.send("POST", SIGN, call("order-sign", CONFLICT)) == (200, b'{"cards":[]}')
        assert rows(database_url, card)[0].patient_hash not in service.log.read_text()
    finally:
        service.stop()


def test_a_server_answers_hooks_while_its_database_cannot_be_reached(tmp_path: Path, postgres: Any) -> None:
    with socket.socket() as nobody:  # bound and never listening: a connection is refused
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql+psycopg://cds@127.0.0.1:{nobody.getsockname()[1]}/cds"
        service = Served(tmp_path, CDS_DATABASE_URL=url)
        try:
            service.wait()
            status, body = service.send("POST", SIGN, call("order-sign", CONFLICT))
            assert (status, b"order-conflict" in body) == (200, True)
            item = {"card": "c1", "outcome": "overridden"}
            assert service.send("POST", f"{SIGN}/feedback", {"feedback": [item]})[0] == 503
            status, body = service.send("GET", "/health/ready")
            assert (status, b'"database":"unreachable"' in body) == (200, True)
        finally:
            assert service.stop() == 0
    text = service.log.read_text()
    assert "database unreachable" in text and "Traceback" not in text and "ord-patient" not in text


@pytest.mark.parametrize(
    "url", ["sqlite://", "mysql://cds:geheim@db/cds", "sqlite:////dev/null/cards.sqlite"]
)
def test_a_database_that_cannot_be_stops_the_start(tmp_path: Path, url: str) -> None:
    service = Served(tmp_path, CDS_DATABASE_URL=url)
    assert service.process.wait(60) == 2
    text = service.log.read_text()
    assert text.startswith("CDS_DATABASE_URL: ") or "\nCDS_DATABASE_URL: " in text
    assert "Traceback" not in text and "geheim" not in text
