"""What a page is made of: runs of text, some linked or in another language, in lines, lists and tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """Some words; ``href`` is where they lead, ``lang`` their language where it is not the page's."""

    text: str
    href: str = ""
    lang: str = ""

    @property
    def leaves(self) -> bool:
        """Whether the link leads away from this service."""
        return self.href.startswith(("https://", "http://"))


Line = tuple[Run, ...]
Cell = tuple[Line, ...]
"""The lines of a cell, one below the other."""


@dataclass(frozen=True)
class Paragraph:
    """One paragraph; a ``notice`` is set apart from the rest."""

    line: Line
    notice: bool = False


@dataclass(frozen=True)
class Items:
    """A list."""

    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Facts:
    """Names, each with what there is to say of it."""

    rows: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row is its heading."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


Block = Paragraph | Items | Facts | Table


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it; ``id`` is unique on its page."""

    id: str
    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """One page in one language. ``path`` is its address below that of the service."""

    path: str
    language: str
    title: Line
    kind: str  # what it is about: "rule of barila-2025"
    sections: tuple[Section, ...]
    trail: Line = ()  # the pages above it

    def runs(self) -> Iterator[Run]:
        """All words of the page, in their order."""
        yield from self.title
        yield Run(self.kind)
        for section in self.sections:
            yield Run(section.heading)
            for block in section.blocks:
                yield from _runs(block)


def _runs(block: Block) -> Iterator[Run]:
    match block:
        case Paragraph():
            yield from block.line
        case Items():
            yield from (run for line in block.lines for run in line)
        case Facts():
            for name, cell in block.rows:
                yield Run(name)
                yield from (run for line in cell for run in line)
        case Table():
            yield from map(Run, (block.caption, *block.heads))
            yield from (run for row in block.rows for cell in row for line in cell for run in line)
