"""YAML as knowledge files are written in it: one document of plain values, which nobody can read otherwise.

YAML has traps: a key given twice, ``0012345`` and ``12:30`` that turn into other numbers, ``on`` that means
true, dates that become objects, anchors that make one entry another's echo, tags that build whatever they
name. Here each is text where that is harmless, and refused with its line where it is not.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

MOST_DEEP = 40
"""So many lists and mappings may lie within each other; our deepest file has a dozen."""
_MOST_DIGITS = 15  # beyond them readers round
_MOST_VALUES = 100_000  # a few lines of anchors can stand for billions

_INT = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?")
# What YAML 1.1 takes for a number beyond these: octal, hexadecimal, sexagesimal, infinite, none.
_OTHER_NUMBER = re.compile(
    r"""[-+]?(?:0[bB][01_]+|0[xX][0-9a-fA-F_]+|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?
    |[0-9][0-9_]*(?:\.[0-9_]*(?:[eE][-+][0-9]+)?)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|\.(?:inf|Inf|INF))
    |\.(?:nan|NaN|NAN)""",
    re.VERBOSE,
)
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None, "true": True, "false": False}


@dataclass
class _Open:
    """A list or mapping whose end has not come yet; ``key`` waits for its value."""

    content: Any
    anchor: str | None = None
    key: str | None = None
    lines: dict[str, int] = field(default_factory=dict)  # of a mapping: where each key stands
    size: int = 1  # values within, and itself

    @property
    def awaits_key(self) -> bool:
        return isinstance(self.content, dict) and self.key is None

    def take(self, value: Any, line: int, size: int) -> None:
        """The next value; in a mapping keys and values take turns."""
        self.size += size
        if isinstance(self.content, list):
            self.content.append(value)
        elif self.key is not None:
            self.content[self.key] = value
            self.key = None
        elif not isinstance(value, str):
            raise _refused(line, f"the key {value!r} is no text; put it into quotes")
        elif value in self.lines:
            raise _refused(line, f"{_short(value)} stands here again, first on line {self.lines[value]}")
        else:
            self.key, self.lines[value] = value, line


class _Document:
    """One document, put together from the events of the parser: without recursion, however deep it is."""

    def __init__(self, *, echoes: bool) -> None:
        self.found: Any = None
        self.begun = False
        self._within: list[_Open] = []
        self._echoes = echoes
        self._anchored: dict[str, tuple[Any, int]] = {}

    def take(self, event: yaml.Event) -> None:
        """The next event. Raises YAMLError where it is not plain."""
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.DocumentStartEvent):
            if self.begun:
                raise _refused(line, "a second document begins; a file holds one")
            self.begun = True
        elif isinstance(event, yaml.AliasEvent):
            self._place(*self._echoed(str(event.anchor), line), line)
        elif isinstance(event, yaml.ScalarEvent):
            self._no_tag(event.tag, line)
            value = _value(event.value, line) if event.implicit[0] else event.value
            self._done(self._anchor(event.anchor, line), value, 1, line)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._no_tag(event.tag, line)
            content: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            self._open(content, self._anchor(event.anchor, line), line)
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = self._within.pop()
            self._done(ended.anchor, ended.content, ended.size, line)

    def _open(self, content: Any, anchor: str | None, line: int) -> None:
        if self._within and self._within[-1].awaits_key:
            raise _refused(line, "a list or mapping stands as a key; a key is a word")
        if len(self._within) == MOST_DEEP:
            raise _refused(line, f"lists and mappings lie more than {MOST_DEEP} deep in each other")
        self._within.append(_Open(content, anchor))

    def _done(self, anchor: str | None, value: Any, size: int, line: int) -> None:
        if anchor is not None:
            self._anchored[anchor] = (value, size)
        self._place(value, size, line)

    def _place(self, value: Any, size: int, line: int) -> None:
        if size > _MOST_VALUES:
            raise _refused(line, f"what its anchors repeat comes to more than {_MOST_VALUES} values")
        if self._within:
            self._within[-1].take(value, line, size)
        else:
            self.found = value

    def _anchor(self, anchor: str | None, line: int) -> str | None:
        if anchor is not None and not self._echoes:
            told = "write out what stands there (& and * are YAML's)"
            raise _refused(line, f"the anchor {_short(anchor)}: {told}")
        return anchor

    def _echoed(self, anchor: str, line: int) -> tuple[Any, int]:
        self._anchor(anchor, line)
        if anchor not in self._anchored:
            raise _refused(line, f"{_short(anchor)} is no anchor that stands before")
        return self._anchored[anchor]

    def _no_tag(self, tag: str | None, line: int) -> None:
        if tag is not None:
            raise _refused(line, f"the tag {_short(tag)}: write the value without it (! is YAML's)")


def read_yaml(text: str, *, echoes: bool = False) -> Any:
    """The one document of the text; None where it is empty. With ``echoes`` it may hold anchors.

    Raises yaml.YAMLError with the line where it is no YAML, or not plain.
    """
    document = _Document(echoes=echoes)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            document.take(event)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        raise _refused(mark.line + 1 if mark else 1, str(problem.problem or problem.context)) from None
    return document.found


def _refused(line: int, why: str) -> yaml.YAMLError:
    return yaml.YAMLError(f"line {line}: {why}")


def _value(text: str, line: int) -> Any:
    """A scalar without quotes: nothing, true, false, a decimal number, else text."""
    if text in _WORDS:
        return _WORDS[text]
    if not text[0].isdigit() and text[0] not in "+-.":
        return text
    if _INT.fullmatch(text) and len(text) <= _MOST_DIGITS:
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    if _OTHER_NUMBER.fullmatch(text):
        remedy = f"write one of at most {_MOST_DIGITS} decimal digits, or put it into quotes"
        raise _refused(line, f"{_short(text)} is no plain number; {remedy}")
    return text


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
