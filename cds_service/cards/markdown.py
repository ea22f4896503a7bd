"""Text made safe for its place: one line of plain text, or a piece of GitHub Flavored Markdown.

Clients show a card's detail as Markdown and some render raw HTML in it, so whatever is inserted (free text
of the chart above all) is escaped for both. Text that is already Markdown of our own is marked `Safe`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_LONGER_SIGNS = ((">=", "≥"), ("<=", "≤"), ("->", "→"))
_PUNCTUATION = re.compile(r"([\\`*_\[\]|~#{}$])")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_AUTOLINK = re.compile(
    r":(?=//)|/(?=/)|(?<=\w)\.(?=[^\W\d_]{2})|@|(?<=\bmailto):|(?<=\bxmpp):", re.IGNORECASE
)
_LEADING_MARK = re.compile(r"^([-+=]|\d+(?=[.)]))")


class Safe(str):
    """Markdown made by our own templates, its values already escaped."""

    __slots__ = ()


def one_line(value: object) -> str:
    """The value as one line of plain text: white space folded, control and direction marks removed."""
    text = " ".join(str(value).split())
    for typed, sign in _LONGER_SIGNS:
        text = text.replace(typed, sign)
    # Cc and Cf hold control characters, and the marks that make text read backwards.
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def charted(text: str, longest: int = 80) -> str:
    """Words of the chart for a plain-text field: no angle brackets, no link, shortened where too long."""
    plain = one_line(text).replace("<", "‹").replace(">", "›").replace("](", "] (")
    return plain if len(plain) <= longest else plain[: longest - 1].rstrip() + "…"


def escaped(value: object) -> str:
    """The value as Markdown that shows exactly its characters: no emphasis, link, table cell or HTML tag."""
    if isinstance(value, Safe):
        return value
    text = _ENTITY.sub("&amp;", one_line(value))
    text = _PUNCTUATION.sub(r"\\\1", text)
    text = _AUTOLINK.sub(lambda found: "\\" + found.group(), text)
    text = text.replace("<", "&lt;").replace(">", "&gt;")
    # At the start of a line these would open a list, a heading's underline or a numbered item.
    return _LEADING_MARK.sub(lambda m: m.group() + "\\" if m.group()[0].isdigit() else "\\" + m.group(), text)


def sentence_case(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:] if text[:1].islower() else text


def whole_sentence(text: str) -> str:
    """The text with a capital at its start and a full stop at its end."""
    stripped = text.strip()
    if stripped.endswith(".."):
        stripped = stripped.rstrip(".") + "."
    return sentence_case(stripped if stripped.endswith((".", ")", "!", "?")) else f"{stripped}.")


def word_count(markdown: str) -> int:
    """Words of the raw text as any client may count them: the bars of a table too."""
    return len(markdown.split())


def paragraphs(parts: Iterable[str]) -> str:
    """The parts that are not empty, an empty line between them."""
    return "\n\n".join(part for part in parts if part)
