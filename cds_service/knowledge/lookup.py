"""What stands under one key: a regimen, a drug, a rule, a clash of sources …; and the keys nearest to it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.knowledge.types import EvidenceConflict, Knowledge


@dataclass(frozen=True)
class FigureConflicts:
    """A clash over trial figures: every population in which it is told."""

    id: str
    told: tuple[tuple[str, EvidenceConflict], ...]  # id of the population, what it says


@dataclass(frozen=True)
class Entry:
    """One entry under its own key; ``value`` is an object of the knowledge, of a drug its file."""

    kind: str  # a name of the group show_kind in pathways/definitions/sentences.yaml
    key: str
    value: Any


def entries(known: Knowledge, key: str) -> list[Entry]:
    """Every entry of the key; what people write instead of the key is understood, too.

    "bar-15" is BAR-15, "DPd" is d-pd, "APOLLO" is each of its populations. Empty where nothing is meant.
    """
    return list(_exactly(known, key)) or [
        entry for name in _names(known).get(_bare(key), ()) for entry in _exactly(known, name)
    ]


def nearest(known: Knowledge, key: str, count: int = 5) -> list[str]:
    """Keys that look most like it."""
    names = _names(known)
    close = difflib.get_close_matches(_bare(key), names, n=3 * count, cutoff=0.55)
    return list(dict.fromkeys(one for name in close for one in names[name]))[:count]


def _exactly(known: Knowledge, key: str) -> Iterator[Entry]:
    alone = [pathway for pathway in known.pathways.values() if not pathway.composed]
    told = tuple((e.id, c) for e in known.evidence.values() for c in e.conflicts if c.id == key)
    by_key: dict[str, Mapping[str, Any]] = {
        "regimen": known.regimens,
        "drug": known.drug_files,
        "component": known.components,
        "class": known.classes,
        "evidence": known.evidence,
        "pathway": known.pathways,
    }
    by_id: dict[str, Sequence[Any]] = {
        "rule": [rule for pathway in alone for rule in pathway.rules],
        "statement": [statement for pathway in alone for statement in pathway.statements],
        "conflict": known.conflicts,
        "figure-conflict": [FigureConflicts(key, told)] if told else [],
        "hard-stop": known.hard_stops,
        "gate": known.gates,
        "gap": known.gaps,
    }
    yield from (Entry(kind, key, known_by[key]) for kind, known_by in by_key.items() if key in known_by)
    for kind, those in by_id.items():
        yield from (Entry(kind, key, one) for one in those if one.id == key)


def keys(known: Knowledge) -> Iterator[str]:
    """Every key that stands for something."""
    yield from (*known.regimens, *known.drug_files, *known.classes, *known.evidence, *known.pathways)
    for pathway in known.pathways.values():
        yield from (rule.id for rule in pathway.rules)
        yield from (statement.id for statement in pathway.statements)
    yield from (conflict.id for conflict in known.conflicts)
    yield from (conflict.id for evidence in known.evidence.values() for conflict in evidence.conflicts)
    yield from (stop.id for stop in known.hard_stops)
    yield from (gate.id for gate in known.gates)
    yield from (gap.id for gap in known.gaps)


def _names(known: Knowledge) -> dict[str, list[str]]:
    """What people write, without capitals and signs, and the keys it means."""
    named: dict[str, list[str]] = {}

    def add(name: str, key: str) -> None:
        known_by = named.setdefault(_bare(name), [])
        if key not in known_by:
            known_by.append(key)

    for key in keys(known):
        add(key, key)
    for regimen in known.regimens.values():
        for name in (regimen.display, regimen.name, *regimen.abbreviations):
            add(name, regimen.key)
    for drug in known.drug_files.values():
        for name in (*drug["name"].values(), *(one["text"] for one in drug.get("names", ()))):
            add(name, drug["key"])
    for evidence in known.evidence.values():
        add(evidence.trial, evidence.id)
    return named


def _bare(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
