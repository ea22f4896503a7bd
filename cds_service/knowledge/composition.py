"""Composed pathways, before they are composed: each source, rule and clash they name has to be there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from cds_service.knowledge.references import missing

_SOURCES = "pathways/sequencing/"


def wrongly_composed(
    composed: Mapping[PurePosixPath, Any], sources: Mapping[str, Any], conflicts: Iterable[str]
) -> Iterator[str]:
    """A sentence for each part of a composed pathway that names what is not there, or is named twice.

    ``sources`` are the files of pathways/sequencing by id, ``conflicts`` the ids of the register.
    """
    known = list(conflicts)
    for path, pathway in composed.items():
        parts = [{"source": part} if isinstance(part, str) else part for part in pathway["sources"]]
        for source, times in Counter(part["source"] for part in parts).items():
            if times > 1:
                yield (
                    f"{path}: names the source {source} {times} times, so that each of its rules would "
                    "speak as often. Name it once, with all that is meant of it"
                )
        for part in parts:
            place = f"{path}, {part['source']}"
            if part["source"] in sources:
                yield from _part(part, sources[part["source"]], known, place)
            elif part["source"] in {other["id"] for other in composed.values()}:
                yield (
                    f"{place}: is a composed pathway, and only sources of {_SOURCES} can be composed. Name "
                    "its sources instead"
                )
            else:
                yield from missing("source", part["source"], sources, str(path), _SOURCES)


def sources_that_are_not_there(sources: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each source that says it is newer than one that no file holds."""
    for key, source in sources.items():
        if "newer_than" in source:
            yield from missing("source", source["newer_than"], sources, f"{_SOURCES}{key}.yaml", _SOURCES)


def _part(
    part: Mapping[str, Any], source: Mapping[str, Any], conflicts: list[str], place: str
) -> Iterator[str]:
    rules = [entry["id"] for entry in source["rules"] if "not_executable" not in entry]
    where = f"the source {part['source']}"
    for member in ("only", "without"):
        for key in part.get(member, ()):
            yield from missing("rule", key, rules, f"{place}, {member}", where)
    for tempering in part.get("tempered", ()):
        for key in tempering["rules"]:
            yield from missing("rule", key, rules, f"{place}, tempered", where)
        for key in tempering["by"]:
            yield from missing("conflict", key, conflicts, f"{place}, tempered", "pathways/conflicts.yaml")
