"""Keys that stand in two places, of which only one would be heard: nothing may vanish behind a namesake."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

# What a file of each folder is about; sources and the pathways that compose them share one set of names.
_MEMBERS: Mapping[str, str] = {
    "mappings/drugs": "key",
    "pathways/drugs": "drug",
    "pathways/regimens": "key",
    "pathways/evidence": "id",
    "pathways/sequencing": "id",
    "pathways": "id",
}
_ONE_SET = {"pathways": "pathways/sequencing"}

# Lists of which each entry is known by its key alone.
_LISTS: tuple[tuple[str, str, str], ...] = (
    ("mappings/classes.yaml", "classes", "key"),
    ("mappings/comorbidities.yaml", "comorbidities", "key"),
    ("mappings/observations.yaml", "observations", "key"),
    ("pathways/site.yaml", "not_available", "key"),
)


def _about(path: PurePosixPath, content: Any) -> tuple[str, str]:
    """By which member a file is known, and its key; "" where it is known by its name alone."""
    member = _MEMBERS.get(path.parent.as_posix(), "")
    key = content.get(member) if member and isinstance(content, Mapping) else None
    return (member, key) if isinstance(key, str) else ("", "")


def same_key_twice(files: Mapping[PurePosixPath, Any], before: Mapping[PurePosixPath, Any]) -> Iterator[str]:
    """A sentence for each file, and each entry of a list, whose key stands elsewhere, too.

    ``before`` is what an overlay replaced: the file that came later is the one to be told of.
    """
    seen: dict[tuple[str, str], PurePosixPath] = {}
    for path, content in sorted(files.items(), key=lambda one: one[0] in before and before[one[0]] is None):
        member, key = _about(path, content)
        if not member:
            continue
        folder = path.parent.as_posix()
        other = seen.setdefault((_ONE_SET.get(folder, folder), key), path)
        if other != path:
            yield (
                f"{path}: the {member} {key} stands in {other}, too, and only one of them would count. Give "
                "one of them its own, or the file the name of ours to replace it"
            )
    for name, member, by in _LISTS:
        for key in _repeated(entry[by] for entry in files.get(PurePosixPath(name), {}).get(member, ())):
            yield f"{name}, {member}: {key} stands there twice. Keep one entry"


def other_key_than_before(
    files: Mapping[PurePosixPath, Any], before: Mapping[PurePosixPath, Any]
) -> Iterator[str]:
    """A sentence for each file of an overlay that has the name of ours and is about something else."""
    for path, ours in before.items():
        member, key = _about(path, ours)
        now = _about(path, files.get(path))[1]
        if member and now != key:
            yield (
                f"{path}: stands in place of our file about {key}, and is about {now}; {key} would be lost. "
                f"Give the file another name, or the {member} {key}"
            )


def _repeated(keys: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            yield key
        seen.add(key)
