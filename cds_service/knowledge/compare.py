"""Which parts of two sets of knowledge files differ: pairs of values with their place, nothing said of them.

Entries of lists are paired by what names them (an id, a code, the region and formulation of a label), so that
one changed date is one difference and not a whole list. No schema is asked: files of another version compare,
too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.knowledge.load import Files
from cds_service.knowledge.places import name_of_entry

# Members that mean something only as a whole.
_WHOLE = frozenset(
    {"when", "where", "with", "source", "effective", "excludes", "reviewed"}
    | {"recommend", "prefer", "support", "consider", "allow", "deprioritise", "avoid", "caution", "require"}
    | {"order"}
)
_WHOLE_ENTRIES = frozenset({"doses"})  # lists whose entries are read as one line
_ORDERED = frozenset(
    {"rules", "sources", "results", "dose_adjustments"}
)  # lists in which the first goes before

# By the member that holds the list: what tells its entries apart, first the exact, then the nearest.
_SIGNATURES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "labels": (("region", "formulation", "status"), ("region", "formulation")),
    "doses": (("drug", "cycles", "regions", "step_up", "alternative", "when"), ("drug", "cycles"), ("drug",)),
    "cautions": (("concept", "when"), ("concept",)),
    "advice": (("kind", "regions", "when"), ("kind", "regions")),
    "results": (("population",),),
    "codes": (("system", "code", "kind"), ("system", "code")),
    "sources": (("source",), ("document", "at"), ("document",)),
    "tempered": (("rules", "by"), ("rules",)),
}
_NAMED = (("id",), ("key",), ("source",), ("text",), ("concept",), ("kind",))


@dataclass(frozen=True)
class Difference:
    """Something that is not the same; ``before`` None: it is new, ``after`` None: it is gone."""

    file: str  # where it stands now, or stood
    document: Mapping[str, Any]  # content of that file
    place: tuple[str, ...]  # members and entries, outermost first; () the whole file
    before: Any
    after: Any

    @property
    def added(self) -> bool:
        """Whether it was not there before."""
        return self.before is None

    @property
    def removed(self) -> bool:
        """Whether it is there no longer."""
        return self.after is None


def differences(old: Files, new: Files) -> Iterator[Difference]:
    """Every difference, by file in the order of their names."""
    before, after = _documents(old), _documents(new)
    for name in sorted(before.keys() | after.keys()):
        file, content = after.get(name) or before[name]
        document = content if isinstance(content, Mapping) else {}
        was = before[name][1] if name in before else None
        now = after[name][1] if name in after else None
        for place, one, other in _compared(was, now, ()):
            yield Difference(file, document, place, one, other)


def _documents(files: Files) -> dict[tuple[str, str], tuple[str, Any]]:
    """Path and content by folder and key: a file that was only renamed has not changed."""
    documents = {}
    for path, content in files.files.items():
        named = content if isinstance(content, Mapping) else {}
        key = next(
            (named[member] for member in ("id", "key", "drug") if isinstance(named.get(member), str)),
            path.stem,
        )
        documents[path.parent.as_posix(), key] = (path.as_posix(), content)
    return documents


def _compared(was: Any, now: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if was == now:
        return
    member = place[-1] if place else ""
    whole = member in _WHOLE or member.endswith("_source")
    if isinstance(was, Mapping) and isinstance(now, Mapping) and not whole and "en" not in {*was, *now}:
        for name in dict.fromkeys((*was, *now)):
            yield from _compared(was.get(name), now.get(name), (*place, str(name)))
        return
    left, right = _entries(was), _entries(now)
    if whole or left is None or right is None or not (left or right):
        yield place, was, now
        return
    for name, one, other in _paired(left, right, member):
        if member in _WHOLE_ENTRIES:
            yield (*place, name), one, other
        else:
            yield from _compared(one, other, (*place, name))
    if member in _ORDERED:
        before, after = _order(left), _order(right)
        kept = [name for name in before if name in after]
        if kept != [name for name in after if name in before]:
            yield (*place, "in-order"), kept, [name for name in after if name in before]


def _entries(value: Any) -> list[Mapping[str, Any]] | None:
    """A list of entries; None where the value is none. A source of a pathway may stand by its id alone."""
    if value is None:
        return []
    if not isinstance(value, list):
        return None
    if any(isinstance(one, Mapping) and isinstance(one.get("source"), str) for one in value):
        value = [{"source": one} if isinstance(one, str) else one for one in value]
    return value if all(isinstance(one, Mapping) and "en" not in one for one in value) else None


def _order(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    return [name_of_entry(entry, number) for number, entry in enumerate(entries, start=1)]


def _paired(was: Sequence[Any], now: Sequence[Any], member: str) -> Iterator[tuple[str, Any, Any]]:
    """Entries of two lists that are about the same, each with its name; then those without a partner."""
    left, right = list(was), list(now)
    for entry in list(left):
        if entry in right:
            left.remove(entry)
            right.remove(entry)
    for signature in _SIGNATURES.get(member, _NAMED):
        told = _told_by(signature)
        for entry in list(left):
            partner = next((one for one in right if told(entry) and told(one) == told(entry)), None)
            if partner is not None:
                left.remove(entry)
                right.remove(partner)
                yield name_of_entry(entry, was.index(entry) + 1), entry, partner
    yield from ((name_of_entry(entry, was.index(entry) + 1), entry, None) for entry in left)
    yield from ((name_of_entry(entry, now.index(entry) + 1), None, entry) for entry in right)


def _told_by(signature: tuple[str, ...]) -> Callable[[Mapping[str, Any]], list[Any]]:
    def told(entry: Mapping[str, Any]) -> list[Any]:
        values = [entry.get(member) for member in signature]
        return values if any(value is not None for value in values) else []

    return told
