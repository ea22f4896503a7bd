"""Text laid out for a terminal of any width: titles, labelled paragraphs, small tables. Nothing clinical."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Sequence

import click

NARROWEST, WIDEST = 48, 120
"""Wider lines are hard to read; narrower ones hold no table."""


def terminal_width() -> int:
    """Columns to write in: those of the terminal (or COLUMNS), 100 where the output is none."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size((100, 24)).columns))


class Page:
    """Lines that grow from top to bottom. Bold is always written: click.echo drops it off a terminal."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._lines: list[str] = []

    def __str__(self) -> str:
        return "\n".join(self._lines).strip("\n")

    def title(self, text: str) -> None:
        """The page's own heading, or that of a further entry on it."""
        self._lines += ["", *(click.style(line, bold=True) for line in self._wrapped(text, "", ""))]

    def section(self, text: str) -> None:
        """A heading with a line free above it."""
        self._lines += ["", click.style(text.upper(), bold=True)]

    def paragraph(self, text: str, indent: int = 0) -> None:
        """Text as wide as the page."""
        self._lines += self._wrapped(text, " " * indent, " " * indent)

    def field(self, label: str, text: str, indent: int = 0, column: int = 15) -> None:
        """A label and, behind it in a column of its own, what it says; nothing where it says nothing."""
        if not text:
            return
        lead = " " * indent + (label + "  " if len(label) >= column else label.ljust(column))
        lines = self._wrapped(text, lead, " " * (indent + column))
        if label:
            styled = " " * indent + click.style(label, bold=True)
            lines[0] = styled + lines[0][indent + len(label) :]
        self._lines += lines

    def item(self, text: str, indent: int = 2, mark: str = "-") -> None:
        """One entry of a list."""
        self._lines += self._wrapped(text, f"{' ' * indent}{mark} ", " " * (indent + len(mark) + 1))

    def table(self, rows: Iterable[Sequence[str]], *, heads: Sequence[str] = (), indent: int = 0) -> None:
        """Columns as wide as their widest cell; the last one takes what is left and is wrapped in it."""
        cells = [list(row) for row in rows]
        if not cells:
            return
        measured = [heads, *cells] if heads else cells
        widths = [max(len(row[column]) for row in measured) for column in range(len(cells[0]) - 1)]
        if heads:
            told = "  ".join([*(h.ljust(w) for h, w in zip(heads, widths, strict=False)), heads[-1]])
            self._lines.append(" " * indent + click.style(told.rstrip(), bold=True))
        for row in cells:
            lead = " " * indent + "".join(
                cell.ljust(width) + "  " for cell, width in zip(row, widths, strict=False)
            )
            if len(lead) > self._width * 2 // 3:  # too narrow for both: the last column goes below
                self._lines += self._wrapped("  ".join(row[:-1]), " " * indent, " " * (indent + 2))
                lead = " " * (indent + 4)
            self._lines += self._wrapped(row[-1], lead, " " * len(lead)) if row[-1] else [lead.rstrip()]

    def _wrapped(self, text: str, first: str, rest: str) -> list[str]:
        # A narrow terminal must not squeeze the text into a column of three letters.
        if len(rest) > self._width * 2 // 3:
            rest = " " * 4
        lines = textwrap.wrap(
            " ".join(text.split()),
            self._width,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return lines or [first.rstrip()]
