"""A page of the service read as a browser would: its text, by language, its links and its structure."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = frozenset({"meta", "link", "br", "hr", "img", "input"})


class Read(HTMLParser):
    """The page's text by language, its links, and what is wrongly nested."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[tuple[str, str]] = []  # language, text
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.heads: list[dict[str, str | None]] = []  # attributes of each th
        self.faults: list[str] = []
        self._open: list[tuple[str, str]] = []  # tag, language
        self.feed(html)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag, _ in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if tag == "th":
            self.heads.append(given)
        if tag == "p" and any(open_tag == "p" for open_tag, _ in self._open):
            self.faults.append("<p> in <p>")
        language = given.get("lang") or (self._open[-1][1] if self._open else "")
        if given.get("aria-label"):
            self.words.append((language, str(given["aria-label"])))
        if tag not in _VOID:
            self._open.append((tag, language))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            self.faults.append(f"</{tag}> closes {self._open[-1][0] if self._open else 'nothing'}")
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] not in ("style", "script") and data.strip():
            self.words.append((self._open[-1][1], data))

    def text(self, language: str = "") -> str:
        """All text, or that of one language."""
        return " ".join(" ".join(said.split()) for of, said in self.words if language in ("", of))
