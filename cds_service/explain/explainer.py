"""Which page a key has, put together of its sections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from cds_service.cards.orders import Orders
from cds_service.cards.wording import Wording
from cds_service.explain.addresses import CARD_KINDS, ROOT, Addresses
from cds_service.explain.clashes import conflict_sections, figure_conflict_sections
from cds_service.explain.drugs import class_sections, drug_sections
from cds_service.explain.kinds import datum_sections, index_sections, kind_sections, state_sections
from cds_service.explain.page import Line, Page, Run, Section
from cds_service.explain.regimens import regimen_sections, regimen_title
from cds_service.explain.rules import gap_sections, pathway_sections, rule_sections, statement_sections
from cds_service.explain.stops import code_sections, gate_sections, hard_stop_sections
from cds_service.explain.telling import Telling
from cds_service.explain.trials import evidence_sections
from cds_service.knowledge.lookup import Entry, entries
from cds_service.knowledge.types import Knowledge

_SECTIONS: Mapping[str, Callable[[Telling, Any], Iterator[Section]]] = {
    "regimen": regimen_sections,
    "class": class_sections,
    "evidence": evidence_sections,
    "rule": rule_sections,
    "statement": statement_sections,
    "conflict": conflict_sections,
    "figure-conflict": figure_conflict_sections,
    "hard-stop": hard_stop_sections,
    "gate": gate_sections,
    "gap": gap_sections,
    "pathway": pathway_sections,
}
_OWN: Mapping[str, tuple[str, Callable[[Telling, str], Iterator[Section]]]] = {
    "order-conflict": ("code", code_sections),
    "missing-data": ("datum", datum_sections),
    "state": ("state", state_sections),
}


class Explainer:
    """All pages of one knowledge, each made when asked for; holds no state, may be shared by threads.

    ``orders`` of the same knowledge may be shared, as they take a while to make; else they are made with
    the first page, which raises KnowledgeError where they cannot be used.
    """

    def __init__(self, known: Knowledge, orders: Orders | None = None) -> None:
        self.known = known
        self._given = orders

    @cached_property
    def _orders(self) -> Orders:
        return self._given or Orders(self.known, Wording(self.known.cards))

    @cached_property
    def addresses(self) -> Addresses:
        """Which pages there are."""
        return Addresses(self.known, self._orders.wording)

    def telling(self, language: str) -> Telling:
        """The words of a page in one language."""
        return Telling(self.known, self._orders, self.addresses, language)

    def index(self, language: str) -> Page:
        """The page that leads to all others."""
        tell = self.telling(language)
        return Page(ROOT, language, tell.fixed("page/index"), "", tuple(index_sections(tell)))

    def kind(self, kind: str, language: str) -> Page | None:
        """The page of a kind of card; None where there is no such kind."""
        if kind not in CARD_KINDS:
            return None
        tell = self.telling(language)
        title, what = tell.fixed(f"kind-name/{kind}"), tell.text("page/kind")
        sections = tuple(kind_sections(tell, kind))
        return Page(f"{ROOT}/{kind}", language, title, what, sections, _trail(tell))

    def entry(self, kind: str, key: str, language: str) -> Page | None:
        """The page of a key below a kind of card; None where there is none."""
        if kind not in CARD_KINDS:
            return None
        tell = self.telling(language)
        if self.addresses.is_own(kind, key):
            group, compose = _OWN[kind]
            title = tell.line(_capital(tell.text(f"{group}-name/{key}")))
            path = self.addresses.of(key, kind)
            what = tell.text(f"page/{group}")
            return Page(path, language, title, what, tuple(compose(tell, key)), _trail(tell, kind))
        if not self.addresses.known(key):
            return None
        found = [entry for entry in entries(self.known, key) if entry.key == key]
        path = self.addresses.of(key)  # of an entry there is one page, whichever card it is reached from
        title = _title(tell, found[0])
        sections = _unique(_sections(tell, found))
        source = getattr(found[0].value, "pathway", "")
        trail = (*_trail(tell, kind), *((tell.key(source),) if source else ()))
        return Page(path, language, title, _called(tell, found[0]), sections, trail)


def _trail(tell: Telling, kind: str = "") -> Line:
    above = (Run(tell.text("page/index"), ROOT),)
    return (*above, Run(tell.text(f"kind-name/{kind}"), f"{ROOT}/{kind}")) if kind else above


def _title(tell: Telling, entry: Entry) -> Line:
    if entry.kind == "regimen":
        return regimen_title(tell, entry.value)
    if entry.kind == "pathway":
        return (*tell.line(f"{entry.key}: "), *tell.data(entry.value.title))
    if entry.kind in ("drug", "component"):
        return tell.line(_capital(tell.drug(entry.key)))
    if entry.kind == "class":
        return tell.line(_capital(tell.say.text(entry.value.name)))
    return tell.line(entry.key)


def _called(tell: Telling, entry: Entry) -> str:
    source = getattr(entry.value, "pathway", "")
    return tell.text(f"entry-name/{entry.kind}", source=source)


def _sections(tell: Telling, found: Iterable[Entry]) -> Iterator[Section]:
    kinds = [entry.kind for entry in found]
    for entry in found:
        if entry.kind == "drug":
            yield from drug_sections(tell, tell.known.drugs[entry.key], alone="regimen" not in kinds)
        elif entry.kind in _SECTIONS:
            yield from _SECTIONS[entry.kind](tell, entry.value)


def _unique(sections: Iterable[Section]) -> tuple[Section, ...]:
    """The sections with ids told apart, where several entries stand on one page."""
    seen: dict[str, int] = {}
    told = []
    for section in sections:
        seen[section.id] = seen.get(section.id, 0) + 1
        number = seen[section.id]
        told.append(
            section if number == 1 else Section(f"{section.id}-{number}", section.heading, section.blocks)
        )
    return tuple(told)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
