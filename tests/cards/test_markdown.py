"""What is inserted into Markdown shows exactly its characters, whatever they are."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cds_service.cards.markdown import Safe, charted, escaped, one_line

GFM = MarkdownIt("gfm-like", {"linkify": False})


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("lenalidomide 25 mg", "lenalidomide 25 mg"),
        ("a|b", "a\\|b"),
        ("**x** _y_ `z`", "\\*\\*x\\*\\* \\_y\\_ \\`z\\`"),
        ("[a](b)", "\\[a\\](b)"),
        ("<script>", "&lt;script&gt;"),
        ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
        ("CrCl >=60 & <=90", "CrCl ≥60 & ≤90"),
        ("two\nlines\t here", "two lines here"),
        ("http://evil.example", "http\\:\\//evil\\.example"),
        ("left\u202eright\x07", "leftright"),
    ],
)
def test_escaping(text: str, markdown: str) -> None:
    assert escaped(text) == markdown


def test_our_own_markdown_is_left_alone() -> None:
    assert escaped(Safe("**bold**")) == "**bold**"


def test_words_of_the_chart_are_short_and_without_tags() -> None:
    assert charted("<b>Daratumumab</b>") == "‹b›Daratumumab‹/b›"
    assert len(charted("x" * 500)) == 80


@given(st.text(max_size=80))
def test_escaped_text_is_text_and_nothing_else(text: str) -> None:
    html = GFM.render(f"before {escaped(text)} after")
    assert re.fullmatch(r"<p>[^<]*</p>\n", html)
    assert " ".join(unescape(html[3:-5]).split()) == " ".join(f"before {one_line(text)} after".split())
