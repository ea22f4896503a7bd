"""The feedback report as a page: tables, and charts as inline SVG. No script, nothing from another host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from cds_service.knowledge.types import Knowledge
from cds_service.store.counts import NO_REASON, Counts, Group, Tally

TITLES = {
    "regimen": "By regimen offered",
    "rule": "By rule",
    "reason": "By reason of the override",
    "kind": "By kind of card",
    "service": "By service",
}
CHARTED = 25
"""So many groups are drawn; the table holds them all."""
_BAR, _COLUMN = 380.0, 160.0  # longest bar, highest column, in units of the drawing


@dataclass(frozen=True)
class Bar:
    """One bar or column: its parts as lengths of the drawing, in the order they are drawn."""

    label: str
    tally: Tally
    accepted: float
    overridden: float
    rest: float


def labels(knowledge: Knowledge, by: str) -> dict[str, str]:
    """The keys of a report in words, as far as the knowledge has some."""
    if by == "regimen":
        return {key: regimen.display for key, regimen in knowledge.regimens.items()}
    if by == "reason":
        told = {NO_REASON: "No reason given", "other": "Told in words only, which are not kept"}
        for reason in knowledge.cards["override-reasons"]["reasons"]:
            told[f"{reason['system']}|{reason['code']}"] = told[reason["code"]] = reason["display"]["en"]
        return told
    if by == "service":
        return {one["id"]: one["title"]["en"] for one in knowledge.cards["services"]["services"]}
    return {}


def said(words: Mapping[str, str], key: str) -> str:
    """A key for people: in words, else as it is, a code with its system behind it."""
    system, bar, code = key.rpartition("|")
    return words.get(key) or (f"{code} ({system})" if bar else key)


@cache
def _template() -> Template:
    folder = Path(__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("feedback_report.html")


def page(counts: Counts, words: Mapping[str, str], home: str = "") -> str:
    """The whole document; ``home`` is the address of the start page, "" in a file that stands alone."""
    charted = counts.groups[:CHARTED]
    most = max((group.tally.shown for group in charted), default=1)
    starts = counts.starts()
    highest = max((counts.total.periods[day].shown for day in starts), default=1)
    return _template().render(
        counts=counts,
        title=TITLES[counts.by],
        only_overridden=counts.by == "reason",
        say=lambda key: said(words, key),
        highest=highest,
        bars=[_bar(said(words, g.key), g.tally, _BAR / most) for g in charted],
        columns=[_bar(day.isoformat(), counts.total.periods[day], _COLUMN / highest) for day in starts],
        starts=starts,
        cells=lambda group: _cells(group, starts),
        percent=percent,
        home=home,
    )


def _bar(label: str, tally: Tally, unit: float) -> Bar:
    rest = tally.shown - tally.accepted - tally.overridden
    return Bar(label, tally, tally.accepted * unit, tally.overridden * unit, rest * unit)


def _cells(group: Group, starts: Sequence[date]) -> list[Any]:
    return [group.periods.get(day, Tally()) for day in starts]


def percent(part: int, whole: int) -> str:
    """ "42 %", "-" of nothing."""
    return f"{100 * part / whole:.0f} %" if whole else "-"
