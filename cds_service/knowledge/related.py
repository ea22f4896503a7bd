"""Which entries speak of which: rules and trials of a regimen, clashes of sources that touch a rule."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cds_service.knowledge.types import Conflict, Evidence, Knowledge, Pathway, Regimen, Rule

_IDS = re.compile(r"[\w-]+")


def own_rules(known: Knowledge) -> Iterator[Rule]:
    """Every rule as its source has it, and not as a composed pathway takes it."""
    for pathway in known.pathways.values():
        if not pathway.composed:
            yield from pathway.rules


def composed(known: Knowledge) -> list[Pathway]:
    """The pathways that put several sources together."""
    return [pathway for pathway in known.pathways.values() if pathway.composed]


def rules_about(known: Knowledge, regimen: str) -> list[Rule]:
    """The rules that name the regimen, whatever they say of it."""
    return [rule for rule in own_rules(known) if regimen in (*rule.target.regimens, *rule.then.regimens)]


def trials_of(known: Knowledge, regimen: str) -> list[Evidence]:
    """The trial rows of a regimen."""
    return [row for row in known.evidence.values() if row.regimen == regimen]


def regimens_with(known: Knowledge, keys: Iterable[str]) -> list[Regimen]:
    """The regimens that contain one of the drugs, or a drug of one of the classes."""
    wanted = list(keys)
    return [one for one in known.regimens.values() if known.any_of(one.components, wanted)]


def conflicts_about(known: Knowledge, regimen: str) -> list[Conflict]:
    """The clashes of sources that touch a regimen, or are settled in its file."""
    file = f"pathways/regimens/{regimen}.yaml"
    return [one for one in known.conflicts if regimen in one.touches or file in one.lives]


def conflicts_with(known: Knowledge, key: str, file: str = "") -> list[Conflict]:
    """The clashes of sources that name a rule or a statement, or are settled in it or in ``file``."""
    return [
        one
        for one in known.conflicts
        if key in one.lives or (file and file in one.lives) or key in _IDS.findall(one.source.at)
    ]
