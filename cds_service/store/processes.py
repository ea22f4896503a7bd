"""A value that each process makes for itself: connections and threads do not survive a fork."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Called, gives the value of this process, made at the first call.

    What a parent process made is neither used nor closed by its children: it is the parent's.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = Lock()
        self._made: tuple[int, T] | None = None

    def __call__(self) -> T:
        """The value of this process."""
        made = self._made
        if made is None or made[0] != os.getpid():
            with self._lock:
                made = self._made
                if made is None or made[0] != os.getpid():
                    made = self._made = (os.getpid(), self._make())
        return made[1]

    def made(self) -> T | None:
        """The value of this process, None where nobody has asked for it yet."""
        made = self._made
        return made[1] if made is not None and made[0] == os.getpid() else None
