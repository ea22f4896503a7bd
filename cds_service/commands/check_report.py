"""What ``knowledge check`` prints beside its findings: the coverage of the sources, and what to recheck."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from cds_service.commands.layout import Page
from cds_service.knowledge.check import Covered, Doubtful, counted

_TABLES: Mapping[str, str] = {"regimens": "regimens", "populations": "trial populations"}
_KINDS: Mapping[str, str] = {"X": "conflicts", "CF": "conflicts"}
_STATES: Mapping[str, str] = {
    "executable": "executable",
    "not-executable": "not executable",
    "shown": "shown in answers",
    "silent": "not shown, with a reason",
    "unsaid": "not said whether shown",
    "lost": "missing",
}


def coverage_table(covered: Sequence[Covered], width: int) -> str:
    """The sources by table: how many ids, how many of them are here, and as what."""
    page = Page(width)
    rows = []
    for table, states in counted(covered).items():
        told = [f"{states[state]} {words}" for state, words in _STATES.items() if states[state]]
        total = sum(states.values())
        rows.append((_named(table), str(total), str(total - states["lost"]), ", ".join(told)))
    page.table(rows, heads=("Source", "Ids", "Here", "Of them"))
    return str(page)


def _named(table: str) -> str:
    return _TABLES.get(table) or f"{_KINDS.get(table, 'rules')} {table}"


def coverage_rows(covered: Iterable[Covered], width: int) -> str:
    """Each id: where it lives and what it says, or why it is none."""
    page = Page(width)
    for row in covered:
        state = "" if row.state in ("there", "executable", "shown") else f"{_STATES[row.state]}: "
        page.field(row.id, ", ".join(row.files) or "nowhere", column=22)
        page.field("", f"{state}{row.says}", column=22)
    return str(page)


def doubtful_rows(doubtful: Iterable[Doubtful], width: int) -> str:
    """Each entry that was recalled and not seen, by file."""
    page = Page(width)
    by_file: dict[str, Counter[str]] = {}
    for one in doubtful:
        by_file.setdefault(one.file, Counter())[f"{one.place} [{one.mark}]"] += 1
    for file, places in by_file.items():
        page.paragraph(f"{file}:")
        for place, count in places.items():
            page.item(place if count == 1 else f"{place}, {count} times")
    return str(page)
