"""The client's socket as the production server reads it."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator

import pytest

from cds_service.web import worker
from cds_service.web.worker import ImpatientSocket


@pytest.fixture
def pair() -> Iterator[tuple[ImpatientSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    impatient = ImpatientSocket(fileno=ours.detach())
    impatient.setblocking(True)
    yield impatient, theirs
    impatient.close()
    theirs.close()


def test_a_client_that_pauses_is_not_awaited(
    pair: tuple[ImpatientSocket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair
    monkeypatch.setattr(worker, "PAUSE_S", 0.05)
    theirs.sendall(b"half")
    assert ours.recv(100) == b"half"
    with pytest.raises(TimeoutError) as caught:
        ours.recv(100)
    assert caught.value.errno == errno.ECONNRESET


def test_a_byte_now_and_then_does_not_buy_time(pair: tuple[ImpatientSocket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(b"x")
    ours.deadline = time.monotonic() - 1
    with pytest.raises(TimeoutError):
        ours.recv(100)


def test_a_socket_made_blocking_still_has_a_limit(pair: tuple[ImpatientSocket, socket.socket]) -> None:
    ours, _ = pair
    assert ours.gettimeout() == worker.WRITE_S
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        ours.recv(1)
