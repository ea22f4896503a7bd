"""Single entries of a knowledge file changed by a hospital's patch, without copying the file.

A file NAME.patch.yaml of the overlay is merged onto NAME.yaml as JSON Merge Patch (RFC 7396) says: members
given replace, ``null`` takes a member away. Beyond it, a list whose entries each carry a distinct ``id``,
``key`` or ``source`` is merged entry by entry: known ones are changed, new ones added at the end, or at the
beginning with ``place: first``; one with ``remove: true`` is taken away. Any other list is replaced whole,
and so is a condition (``when``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

_SUFFIX = ".patch.yaml"
_NAMES = ("id", "key", "source")
_CONDITIONS = frozenset({"when", "where", "with"})  # one condition cannot be half another: replaced whole


class CannotMerge(Exception):
    """The patch does not fit the file; the text says where."""


def is_patch(path: PurePosixPath) -> bool:
    """Whether a file of the overlay changes entries of another, rather than replacing it."""
    return path.name.endswith(_SUFFIX)


def patched_path(path: PurePosixPath) -> PurePosixPath:
    """The name under which the overlay would hold a patch of the file."""
    return path.with_name(path.name.removesuffix(".yaml") + _SUFFIX)


def merged(original: Any, patch: Any, place: str = "") -> Any:
    """The original with the patch laid over it. Raises CannotMerge where it fits nothing."""
    if isinstance(patch, Mapping):
        if not isinstance(original, Mapping):
            if original is not None:
                raise CannotMerge(f"{place or 'the file'} is no mapping, and the patch gives one")
            original = {}
        result = dict(original)
        for key, value in patch.items():
            if value is None:
                if key not in result:
                    raise CannotMerge(f"{place}/{key} is not there to be taken away")
                del result[key]
            else:
                before = None if key in _CONDITIONS else result.get(key)
                result[key] = merged(before, value, f"{place}/{key}")
        return result
    if isinstance(patch, list) and isinstance(original, list):
        name = _name_of([*original, *patch])
        if name:
            return _merged_entries(original, patch, name, place)
    return patch


def _name_of(entries: list[Any]) -> str:
    """The member by which every entry is known, or ""; a bare text in a list of sources is its source."""
    for name in _NAMES:
        known = [_named(entry, name) for entry in entries]
        if known and all(known) and any(isinstance(entry, Mapping) for entry in entries):
            return name
    return ""


def _named(entry: Any, name: str) -> str:
    value = entry.get(name) if isinstance(entry, Mapping) else entry if name == "source" else None
    return value if isinstance(value, str) else ""


def _merged_entries(original: list[Any], patch: list[Any], name: str, place: str) -> list[Any]:
    known = {_named(entry, name): entry for entry in original}
    if len(known) < len(original):
        return patch  # the name does not tell them apart: the list is replaced whole
    first: dict[str, Any] = {}
    for entry in patch:
        key = _named(entry, name)
        where = f"{place}/{key}"
        if not isinstance(entry, Mapping):
            known.setdefault(key, entry)
        elif entry.get("remove") is True:
            if known.pop(key, None) is None:
                raise CannotMerge(f"{where} is not there to be taken away")
        else:
            said = {member: value for member, value in entry.items() if member != "place"}
            if "place" in entry and (entry["place"] != "first" or key in known):
                raise CannotMerge(f"{where}: place may be first, and of a new entry only")
            target = first if "place" in entry else known
            before = known.get(key)
            target[key] = merged(before if isinstance(before, Mapping) else {}, said, where)
    return [*first.values(), *known.values()]
