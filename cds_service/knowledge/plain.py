"""The frozen objects of the knowledge turned back into plain JSON values, as their files say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any

from cds_service.knowledge.types import Condition


def plain(value: Any) -> Any:
    """A JSON value: texts as ``{en, it}``, conditions as in the files; what is empty is left out."""
    if isinstance(value, Condition):
        if value.op in ("not", "unknown"):
            return {value.op: plain(value.children[0])}
        return {value.op: plain(value.children) if value.children else plain(value.argument)}
    if is_dataclass(value) and not isinstance(value, type):
        members = ((field.name, plain(getattr(value, field.name))) for field in fields(value))
        return {name: member for name, member in members if member not in (None, "", [], {})}
    if isinstance(value, Mapping):
        return {str(key): plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple | frozenset | set):
        return [plain(member) for member in value]
    return value.isoformat() if isinstance(value, date) else value
