"""gunicorn's thread worker, with limits for clients that stop half-way.

The stock worker reads a request on a blocking socket without a limit: a few dozen clients that send half a
body and then nothing would occupy every thread, and nobody else would be answered.
"""

from __future__ import annotations

import errno
import socket
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

PAUSE_S = 5.0
"""So long a client may pause within a request."""

REQUEST_S = 30.0
"""So long a whole request, headers and body, may take to come; a byte now and then is not enough."""

WRITE_S = 30.0
"""So long an answer may take to be accepted."""


class ImpatientSocket(socket.socket):
    """A client's socket on which nothing blocks for ever."""

    deadline = float("inf")  # by time.monotonic(); when the request under way must have come

    def setblocking(self, flag: bool, /) -> None:
        """Blocking means with a limit here; the server calls this before each request."""
        self.settimeout(WRITE_S if flag else 0.0)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """What has come. Raises TimeoutError where the client pauses or takes too long."""
        before = self.gettimeout()
        if before == 0.0:
            return super().recv(size, flags)
        left = min(PAUSE_S, self.deadline - time.monotonic(), PAUSE_S if before is None else before)
        try:
            if left <= 0:
                raise TimeoutError
            self.settimeout(left)
            return super().recv(size, flags)
        except TimeoutError:
            # The server takes this error number for a client that went away: no stack trace in the log.
            raise TimeoutError(errno.ECONNRESET, "the client took too long") from None
        finally:
            self.settimeout(before)


class ImpatientWorker(ThreadWorker):  # type: ignore[misc] # gunicorn ships no types
    """The thread worker over impatient sockets."""

    def enqueue_req(self, conn: Any) -> None:
        """Each connection passes here before it is read for the first time."""
        if not isinstance(conn.sock, ImpatientSocket):
            conn.sock = ImpatientSocket(fileno=conn.sock.detach())
            conn.sock.setblocking(False)
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """One request; its time starts when a thread takes it up."""
        conn.sock.deadline = time.monotonic() + REQUEST_S
        return super().handle(conn)
