"""The feedback report for a terminal: tables with bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cds_service.commands.layout import Page
from cds_service.store.counts import Counts, Tally
from cds_service.web.feedback_page import TITLES, percent, said

_WIDEST_LABEL = 44


def text(counts: Counts, words: Mapping[str, str], width: int) -> str:
    """The report, as wide as the terminal."""
    told = Page(width)
    total = counts.total.tally
    told.title("Feedback on cards")
    told.field("shown", str(total.shown))
    told.field("accepted", f"{total.accepted} ({percent(total.accepted, total.shown)})")
    told.field("overridden", f"{total.overridden} ({percent(total.overridden, total.shown)})")
    told.field("not shown", str(counts.not_shown))
    told.field("feedback", f"{counts.items}, of it {counts.unmatched} on no card recorded here")
    told.section(TITLES[counts.by])
    if not counts.groups:
        told.paragraph("There is nothing to show.")
    named = [(said(words, group.key)[:_WIDEST_LABEL], group.tally) for group in counts.groups]
    told.table(_rows(named, counts.by == "reason", width), heads=_heads(counts.by))
    if counts.every:
        told.section(f"By {counts.every}")
        periods = [(day.isoformat(), counts.total.periods[day]) for day in counts.starts()]
        told.table(_rows(periods, False, width), heads=_heads(counts.every))
    if counts.groups:
        told.paragraph("")
        told.paragraph("# accepted, = overridden, . no answer")
    return str(told)


def _heads(by: str) -> list[str]:
    return [by, "overridden", ""] if by == "reason" else [by, "shown", "accepted", "overridden", ""]


def _rows(named: Sequence[tuple[str, Tally]], only_overridden: bool, width: int) -> list[list[str]]:
    most = max((tally.shown for _, tally in named), default=1)
    longest = max((len(name) for name, _ in named), default=0)
    room = max(10, min(50, width - longest - (14 if only_overridden else 36)))
    rows = []
    for name, tally in named:
        numbers = [tally.overridden] if only_overridden else [tally.shown, tally.accepted, tally.overridden]
        rows.append([name, *map(str, numbers), _bar(tally, room / most)])
    return rows


def _bar(tally: Tally, unit: float) -> str:
    """The bar in signs that every terminal has."""
    ends = [tally.accepted, tally.accepted + tally.overridden, tally.shown]
    first, second, last = (round(end * unit) for end in ends)
    return "#" * first + "=" * (second - first) + "." * (last - second)
