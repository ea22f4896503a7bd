"""The walkthroughs quote real files: what they show must still stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OVERLAY = ROOT / "docs" / "examples" / "hospital-overlay"
PAGES = ["add-a-drug", "add-a-rule", "change-a-label", "your-own-pathway"]
QUOTE = re.compile(r"^ *```yaml\n *# from (\S+)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_each_quotation_stands_in_the_file_it_names(page: str) -> None:
    quotes = QUOTE.findall((ROOT / "docs" / "knowledge" / f"{page}.md").read_text("utf-8"))
    assert quotes, "a walkthrough shows real entries"
    for name, lines in quotes:
        content = (ROOT / name).read_text("utf-8")
        for line in lines.splitlines():
            assert f"\n{line}\n" in content, f"{page}: {name} no longer has {line!r}"


@pytest.mark.parametrize("page", PAGES)
def test_each_file_named_exists(page: str) -> None:
    text = (ROOT / "docs" / "knowledge" / f"{page}.md").read_text("utf-8")
    for name in re.findall(r"`((?:mappings|pathways)/[\w/-]+\.yaml)`", text):
        assert any((place / name).is_file() for place in (ROOT, OVERLAY)), name
