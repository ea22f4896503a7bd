"""The declarative conditions of the knowledge in FHIR: as they stand, as JSON, and in words."""

from __future__ import annotations

from typing import Any

import orjson

from cds_service.knowledge.plain import plain
from cds_service.knowledge.types import Condition, Knowledge, Text

LANGUAGE = "application/vnd.myeloma-cds.condition+json"
"""No CQL and no FHIRPath, and not called so: JSON by schemas/condition.schema.json, three-valued."""


def applicability(condition: Condition, knowledge: Knowledge) -> list[dict[str, Any]]:
    """The condition under which an action applies, as one entry of ``action.condition``."""
    expression = {
        "description": in_words(condition, knowledge).en,
        "language": LANGUAGE,
        "expression": orjson.dumps(plain(condition)).decode(),
    }
    return [{"kind": "applicability", "expression": expression}]


def in_words(condition: Condition, knowledge: Knowledge) -> Text:
    """The condition in words, both languages."""
    return Text(_words(condition))


def _words(condition: Condition) -> str:
    if condition.op in ("not", "unknown"):
        return f"{condition.op} ({_words(condition.children[0])})"
    if condition.children:
        joint = " and " if condition.op == "all" else " or "
        return joint.join(
            f"({_words(child)})" if child.children else _words(child) for child in condition.children
        )
    return f"{condition.op.replace('_', ' ')} {_argument(condition.argument)}".strip()


def _argument(argument: Any) -> str:
    if isinstance(argument, dict):
        return " ".join(f"{key.replace('_', ' ')} {_argument(value)}" for key, value in argument.items())
    if isinstance(argument, list | tuple):
        return " or ".join(map(str, argument))
    return "" if argument is True else str(argument)
