"""The words of one page: texts of cards/explain.yaml, sentences about the data, and the data themselves.

Whatever the data say in English alone is marked so, that a screen reader pronounces it and a reader of the
Italian page sees that it is no oversight of the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from cds_service.cards.markdown import one_line, sentence_case
from cds_service.cards.orders import Orders
from cds_service.explain.addresses import Addresses
from cds_service.explain.page import Cell, Facts, Items, Line, Paragraph, Run, Table
from cds_service.knowledge.saying import Saying
from cds_service.knowledge.types import Condition, Dose, Evidence, Knowledge, Regimen, Review, Source, Text
from cds_service.knowledge.words import name_of

_IDS = re.compile(r"\b[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+[a-z]?\b")


class Telling:
    """Puts the knowledge into words and links of one language."""

    def __init__(self, known: Knowledge, orders: Orders, addresses: Addresses, language: str) -> None:
        self.known = known
        self.language = language
        self.say = Saying(known, language)
        self.addresses = addresses
        self._orders = orders
        self._wording = orders.wording

    # ---- runs and lines ------------------------------------------------------------------------------
    def text(self, name: str, /, **values: object) -> str:
        """A text of cards/explain.yaml, by its group and name."""
        return self._wording.text(f"explain/{name}", self.language, **values)

    def has(self, name: str) -> bool:
        """Whether cards/explain.yaml has such a text."""
        return self._wording.has(f"explain/{name}")

    def line(self, text: str) -> Line:
        """Words of the page's language; nothing where there are none."""
        return (Run(one_line(text)),) if text else ()

    def fixed(self, name: str, /, **values: object) -> Line:
        """A text of cards/explain.yaml as a line."""
        return self.line(self.text(name, **values))

    def data(self, text: Text | str | None) -> Line:
        """What the data say, with the ids in it as links; a plain string is English."""
        if text is None:
            return ()
        if isinstance(text, str):
            text = Text(text)
        said = text.in_language(self.language)
        return self.linked(said, "en" if self.language != "en" and said == text.en != text.it else "")

    def linked(self, text: str, lang: str = "") -> Line:
        """A text with the ids of rules, trials and clashes in it as links."""
        runs: list[Run] = []
        said, last = one_line(text), 0
        for found in _IDS.finditer(said):
            address = self.addresses.of(found.group())
            if not address:
                continue
            runs += [Run(said[last : found.start()], "", lang), Run(found.group(), address)]
            last = found.end()
        return tuple(run for run in (*runs, Run(said[last:], "", lang)) if run.text)

    def key(self, key: str, name: str = "") -> Run:
        """A key as a link to its page."""
        return Run(name or key, self.addresses.of(key))

    def keys(self, keys: Iterable[str]) -> Line:
        """Keys as links, parted by commas."""
        return joined(", ", ((self.key(key),) for key in keys))

    # ---- what things are called ----------------------------------------------------------------------
    def regimen(self, key: str) -> Run:
        """A regimen as clinicians write it, as a link."""
        return self.key(key, self.say.regimen(key))

    def regimens(self, keys: Iterable[str]) -> Line:
        """Regimens as links, parted by commas."""
        return joined(", ", ((self.regimen(key),) for key in keys))

    def regimen_name(self, regimen: Regimen) -> str:
        """A regimen by the names of its drugs."""
        return self._orders.regimen_name(regimen, self.language)

    def arms(self, row: Evidence) -> Line:
        """What was given in a trial, and against what."""
        given = self.data(str(row.data.get("arm") or self.say.regimen(row.regimen)))
        if not row.control:
            return given
        return (*given, Run(f" {self.text('evidence/against')} "), *self.data(row.control))

    def drug(self, key: str) -> str:
        """A drug, or a class by its members together."""
        return self.say.text(name_of(key, self.known))

    def drug_link(self, key: str) -> Run:
        """The same, as a link."""
        return self.key(key, self.drug(key))

    def word(self, group: str, word: str) -> str:
        """A word of the data, a cycle for one, in the reader's language."""
        return self._orders.word(group, word, self.language)

    def dose(self, dose: Dose) -> str:
        """One row of a schedule as a sentence."""
        return sentence_case(self._orders.doses_in_words([dose], self.language))

    # ---- conditions, sources, standing ---------------------------------------------------------------
    def condition(self, condition: Condition | None) -> Line:
        """A condition in one line; nothing where there is none."""
        return self.line(sentence_case(self.say.condition(condition))) if condition else ()

    def conditions(self, condition: Condition | None) -> Cell:
        """The parts of a condition that must all hold, one a line."""
        return tuple(self.line(sentence_case(part)) for part in self.say.condition(condition).split("; "))

    def mark(self, source: Source) -> str:
        """How it is known, in brackets and in words: "[V] seen in the source"."""
        if not source.mark:
            return ""
        known = self.has(f"mark/{source.mark}")
        return f"[{source.mark}] {self.text(f'mark/{source.mark}') if known else ''}".strip()

    def source(self, source: Source) -> Cell:
        """Document, place in it, address, and how it is known; nothing where no source is named."""
        lines = [self.data(source.document)]
        if source.at:
            lines.append((Run(f"{self.text('field/place')}: "), *self.data(source.at)))
        if source.address:
            lines.append((Run(_named(source), source.address),))
            if source.doi and source.pmid.isdigit():
                pubmed = Source(pmid=source.pmid)
                lines.append((Run(_named(pubmed), pubmed.address),))
        lines.append(self.line(self.mark(source)))
        return tuple(filter(None, lines))

    def review(self, reviews: Iterable[Review]) -> Line:
        """By whom and when it was approved, or that nobody has."""
        done = tuple(reviews)
        if not done:
            return self.fixed("standing/not-reviewed")
        return joined("; ", ((*self.data(one.role), Run(f", {one.on}")) for one in done))

    def standing(
        self, source: Source | None, reviews: Iterable[Review], checked: str, more: Iterable[Line] = ()
    ) -> Facts:
        """Where an entry is from, when it was last held against that, and who approved it."""
        return self.facts(
            ("source", (*(self.source(source) if source else ()), *more)),
            ("last-checked", (self.line(checked),)),
            ("reviewed", (self.review(reviews),)),
        )

    # ---- blocks --------------------------------------------------------------------------------------
    def facts(self, *rows: tuple[str, Iterable[Line]]) -> Facts:
        """Names of the group "field", each with its lines; one without any is left out."""
        told = ((name, tuple(line for line in lines if line)) for name, lines in rows)
        return Facts(tuple((self.text(f"field/{name}"), lines) for name, lines in told if lines))

    def table(self, caption: str, heads: Iterable[str], rows: Iterable[Iterable[Iterable[Line]]]) -> Table:
        """A table; ``caption`` and ``heads`` name texts of the groups "caption" and "head"."""
        return Table(
            self.text(f"caption/{caption}"),
            tuple(self.text(f"head/{head}") for head in heads),
            tuple(tuple(tuple(line for line in cell if line) for cell in row) for row in rows),
        )

    def paragraph(self, name: str, /, **values: object) -> Paragraph:
        """A text of cards/explain.yaml as a paragraph."""
        return Paragraph(self.fixed(name, **values))

    def items(self, lines: Iterable[Line]) -> Items:
        """A list of lines."""
        return Items(tuple(line for line in lines if line))


def joined(sign: str, lines: Iterable[Line]) -> Line:
    """Lines as one, a sign between them."""
    runs: list[Run] = []
    for line in lines:
        if line:
            runs += [Run(sign), *line] if runs else line
    return tuple(runs)


def _named(source: Source) -> str:
    """A link in few characters: the number of the publication, else where the page is."""
    if source.doi:
        return f"doi {source.doi}"
    if source.pmid.isdigit():
        return f"PubMed {source.pmid}"
    return source.url.partition("://")[2].partition("/")[0]
