"""The requests of tests/hooks/fixtures: how they came about is in the README there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

DAY = datetime(2026, 11, 30, 12, tzinfo=UTC)
"""The day of the recording; the charts hold dates up to it."""

_FOLDER = Path(__file__).parent / "fixtures"


@dataclass(frozen=True)
class Recorded:
    """One request as a client sends it; ``name`` is its file, "sandbox/rx-sign"."""

    name: str
    path: str
    headers: dict[str, str] = field(repr=False)
    _body: str = field(repr=False)

    @property
    def body(self) -> Any:
        """The body, to be changed at will."""
        return json.loads(self._body)

    @property
    def service(self) -> str:
        """The id of the service it is posted to."""
        return self.path.split("/")[2]

    @property
    def is_feedback(self) -> bool:
        """Whether it is feedback, not a call."""
        return self.path.endswith("/feedback")


def _read(path: Path) -> Recorded:
    request = json.loads(path.read_text(encoding="utf-8"))
    body = request["body"]
    if isinstance(body.get("prefetch"), str):  # the chart of several requests stands in a file of its own
        body["prefetch"] = json.loads((path.parent / body["prefetch"]).read_text(encoding="utf-8"))
    return Recorded(f"{path.parent.name}/{path.stem}", request["path"], request["headers"], json.dumps(body))


@cache
def recorded() -> dict[str, Recorded]:
    """Every recorded request by its name."""
    files = sorted(path for path in _FOLDER.glob("*/*.json") if path.name != "prefetch.json")
    return {one.name: one for one in map(_read, files)}
