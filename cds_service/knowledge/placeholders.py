"""The sentences of an overlay against ours: what the program will ask of them must be there and fillable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

from cds_service.knowledge.references import nearest

_FILE = "pathways/definitions/sentences.yaml"


def unfillable(sentences: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    """A finding for each sentence of ours that is gone, and each that names what is not filled in.

    A sentence that ours have not may name what any other of its group does.
    """
    for group, texts in ours.items():
        if not isinstance(texts, Mapping):
            continue
        now = sentences.get(group)
        if not isinstance(now, Mapping):
            yield f"{_FILE}, {group}: the group is gone, and the program needs it. Put it back"
            continue
        for name in texts:
            if name not in now:
                yield f"{_FILE}, {group}, {name}: the sentence is gone, and the program needs it. Put it back"
    for group, texts in sentences.items():
        if not isinstance(texts, Mapping):
            continue
        of_group = ours.get(group, {})
        anywhere = {value for text in of_group.values() for value in _values_of(text)}
        for name, text in texts.items():
            allowed = _values_of(of_group[name]) if name in of_group else anywhere
            for language, said in text.items():
                problem = _problem(said, allowed)
                if problem:
                    yield f"{_FILE}, {group}, {name}, {language}: {problem}"


def _values_of(text: Mapping[str, str]) -> frozenset[str]:
    """What a sentence of ours names, in either language."""
    return frozenset(name for said in text.values() for _, name, _, _ in Formatter().parse(said) if name)


def _problem(said: str, allowed: frozenset[str] | set[str]) -> str:
    """What is wrong with one sentence; "" where nothing is."""
    known = ", ".join(f"{{{name}}}" for name in sorted(allowed)) or "none"
    try:
        parts = list(Formatter().parse(said))
    except ValueError as problem:
        return f"its braces cannot be read ({problem}). Write {{name}}, and {{{{ or }}}} for a brace itself"
    for _, name, shape, conversion in parts:
        if name is None:
            continue
        if shape or conversion or not name.isidentifier():
            told = f"{name}{'!' + conversion if conversion else ''}{':' + shape if shape else ''}"
            return f"{{{told}}} is no plain name. It may name: {known}"
        if name not in allowed:
            near = nearest(name, allowed)
            return f"names {{{name}}}, which is not filled in here. It may name: {known}.{near}"
    return ""
