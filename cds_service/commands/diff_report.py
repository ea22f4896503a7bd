"""What ``knowledge diff`` prints: changes by group and entry, each as it read before and reads now."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from cds_service.commands.layout import Page
from cds_service.knowledge.changes import GROUPS, Change
from cds_service.knowledge.saying import Saying


def page(told: Sequence[Change], say: Saying, width: int) -> str:
    """Every change; nothing is cut."""
    page = Page(width)
    for group in GROUPS:
        of_group = [change for change in told if change.group == group]
        if not of_group:
            continue
        page.section(f"{say.word(group, 'change')} ({len(of_group)})")
        rest = [change for change in of_group if not _only_a_day(change)]
        days: dict[str, list[str]] = {}
        for change in of_group:
            if _only_a_day(change):
                days.setdefault(change.after, []).append(change.entry)
        for day, entries in days.items():
            told_entries = "; ".join(dict.fromkeys(entries))
            page.paragraph(say.word("rechecked", "change", day=day, entries=told_entries))
        for entry, of_entry in groupby(rest, key=lambda change: change.entry):
            page.paragraph(entry)
            for change in of_entry:
                _change(page, change, say)
    return str(page)


def _only_a_day(change: Change) -> bool:
    """Whether the entry was looked at again and nothing else: such changes are told in one line."""
    return change.place[-1:] == ("last_checked",) and change.how == "changed"


def _change(page: Page, change: Change, say: Saying) -> None:
    column = 8
    if change.member:
        page.paragraph(change.member, indent=2)
    if change.how != "added":
        page.field(say.word("gone" if change.how == "removed" else "was", "change"), change.before, 4, column)
    if change.how != "removed":
        page.field(say.word("new" if change.how == "added" else "now", "change"), change.after, 4, column)
