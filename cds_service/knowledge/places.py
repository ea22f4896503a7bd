"""How an entry of a knowledge file is called when something is said about it: "rules, BAR-15, source"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NAMES = ("id", "key", "source", "concept", "kind", "drug", "text", "document")


def name_of_entry(entry: Any, number: int) -> str:
    """What tells an entry of a list from its neighbours, as far as it says so; else its number, from 1."""
    if not isinstance(entry, Mapping):
        return str(entry)
    if "region" in entry and "status" in entry:  # a label: one per region, formulation and span of time
        told = (entry["region"], entry.get("formulation"), entry["status"], entry.get("since"))
        return " ".join(str(part) for part in told if part)
    if "system" in entry and "code" in entry:
        return f"{entry['system']} {entry['code']}"
    name = next((entry[key] for key in _NAMES if isinstance(entry.get(key), str)), "") or f"number {number}"
    regions = entry.get("regions")
    return f"{name} {' '.join(regions)}" if isinstance(regions, list) else name


def walk(node: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Every mapping of a file's content with its place, outermost first."""
    if isinstance(node, Mapping):
        yield place, node
        for key, value in node.items():
            yield from walk(value, (*place, str(key)))
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for number, value in enumerate(node, start=1):
            if isinstance(value, Mapping):
                yield from walk(value, (*place, name_of_entry(value, number)))


def in_words(place: Sequence[str]) -> str:
    """A place as it stands in a sentence; the file as a whole where it is empty."""
    return ", ".join(place) or "the file"
