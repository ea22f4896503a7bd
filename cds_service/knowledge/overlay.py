"""Single entries of a knowledge file changed by a hospital's patch, without copying the file.

A file NAME.patch.yaml of the overlay is merged onto NAME.yaml as JSON Merge Patch (RFC 7396) says: members
given replace, ``null`` takes a member away. Beyond it, a list whose entries each carry a distinct ``id``,
``key``, ``source`` or ``text`` is merged entry by entry: known ones are changed, new ones added at the end,
or at the beginning with ``place: first``; one with ``remove: true`` is taken away. Entries without such a
name (cautions, advice, labels, doses, codes) cannot be told apart: whether a list adds to ours or stands in
its place must be said, by ``{add: [...]}`` or ``{replace: [...]}``, which any list takes. A list of plain
words is replaced whole, and so is a condition (``when``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

PATCH = ".patch.yaml"
_NAMES = ("id", "key", "source", "text")
_CONDITIONS = frozenset({"when", "where", "with"})  # one condition cannot be half another: replaced whole


class CannotMerge(Exception):
    """The patch does not fit the file; the text says where."""


def is_patch(path: PurePosixPath) -> bool:
    """Whether a file of the overlay changes entries of another, rather than replacing it."""
    return path.name.endswith(PATCH)


def patched_path(path: PurePosixPath) -> PurePosixPath:
    """The name under which the overlay would hold a patch of the file."""
    return path.with_name(path.name.removesuffix(".yaml") + PATCH)


def merged(original: Any, patch: Any, place: str = "") -> Any:
    """The original with the patch laid over it. Raises CannotMerge where it fits nothing."""
    if isinstance(patch, Mapping) and (isinstance(original, list) or _only_adds(original, patch)):
        return _list_by_word(original or [], patch, place)
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
            elif key in _CONDITIONS:
                result[key] = value
            else:
                result[key] = merged(result.get(key), value, f"{place}/{key}")
        return result
    if isinstance(patch, list) and isinstance(original, list):
        return _merged_lists(original, patch, place)
    return patch


def _only_adds(original: Any, patch: Mapping[str, Any]) -> bool:
    """Whether the patch adds entries to a list that is not there yet."""
    return original is None and patch.keys() == {"add"} and isinstance(patch["add"], list)


def _list_by_word(original: list[Any], patch: Mapping[str, Any], place: str) -> list[Any]:
    """What ``{add: [...]}`` or ``{replace: [...]}`` makes of a list."""
    (word, entries), *others = patch.items() or [("", None)]
    if others or word not in ("add", "replace") or not isinstance(entries, list):
        raise CannotMerge(
            f"{place} is a list, and the patch gives a mapping. Give a list, "
            "{add: [...]} or {replace: [...]}"
        )
    if word == "replace":
        return entries
    name = _name_of([*original, *entries])
    there = {_named(entry, name) for entry in original} if name else set()
    for entry in entries:
        if entry in original or (name and _named(entry, name) in there):
            called = _named(entry, name) if name else str(entry)[:60]
            raise CannotMerge(f"{place} has {called} already. Leave it out of what is added")
    return [*original, *entries]


def _merged_lists(original: list[Any], patch: list[Any], place: str) -> list[Any]:
    if not any(isinstance(entry, Mapping) for entry in (*original, *patch)):
        return patch  # plain words: replaced whole
    name = _name_of([*original, *patch])
    if not name or len({_named(entry, name) for entry in original}) < len(original):
        raise CannotMerge(
            f"{place}: its entries have no name by which the patch could mean one of them. Write "
            "{add: [...]} to add to the list, or {replace: [...]} to put yours in its place"
        )
    if not patch:
        raise CannotMerge(
            f"{place}: an empty list changes nothing. Take entries away by remove: true, or all by "
            "{replace: []}"
        )
    return _merged_entries(original, patch, name, place)


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
