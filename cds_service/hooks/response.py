"""What leaves a service: no null and no empty member but ``cards: []``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_EMPTY: tuple[Any, ...] = (None, "", [], {})


def without_empty_members(value: Any) -> Any:
    """A copy of a JSON value without null, "", [] and {}, however deep; zero and false stay.

    CDS Hooks 2.0, section "HTTP APIs / JSON": such members SHALL NOT be sent.
    """
    if isinstance(value, Mapping):
        kept = {key: without_empty_members(member) for key, member in value.items()}
        return {key: member for key, member in kept.items() if member not in _EMPTY}
    if isinstance(value, list | tuple):
        return [kept for member in value if (kept := without_empty_members(member)) not in _EMPTY]
    return value


def response(cards: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The body of an answer."""
    return {"cards": [without_empty_members(card) for card in cards]}
