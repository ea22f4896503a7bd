"""Where each entry of the knowledge is explained, and which keys look like one that nobody has."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from urllib.parse import quote

from cds_service.cards.wording import Wording
from cds_service.knowledge import lookup
from cds_service.knowledge.types import Knowledge

ROOT = "/explain"
CARD_KINDS = ("sequencing", "order-conflict", "missing-data", "state")
"""The kinds of cards, as the interface names them."""

_GROUPS = {"order-conflict": "code", "missing-data": "datum", "state": "state"}
"""The texts of cards/explain.yaml whose names are keys of a kind of card beside those of the knowledge."""

_NEAREST = 5


class Addresses:
    """The keys that have a page. An entry of the knowledge has one under every kind of card."""

    def __init__(self, known: Knowledge, wording: Wording) -> None:
        self._known = known
        at_order_entry = {*known.drug_files, *known.classes}
        at_order_entry |= {stop.id for stop in known.hard_stops} | {gate.id for gate in known.gates}
        at_order_entry -= {*known.regimens}  # some are called as their only drug
        self._keys = {
            key: "order-conflict" if key in at_order_entry else "sequencing" for key in lookup.keys(known)
        }
        self._own = {kind: tuple(wording.names(f"explain/{group}-name")) for kind, group in _GROUPS.items()}

    def own(self, kind: str) -> tuple[str, ...]:
        """The keys of this kind of card alone: codes of clashes, kinds of missing data, states."""
        return self._own.get(kind, ())

    def is_own(self, kind: str, key: str) -> bool:
        """Whether the key is one of this kind of card alone."""
        return key in self.own(kind)

    def known(self, key: str) -> bool:
        """Whether the key is one of the knowledge."""
        return key in self._keys

    def of(self, key: str, kind: str = "") -> str:
        """The address of a key, below its usual kind of card where none is named; "" where it has none."""
        if kind and self.is_own(kind, key):
            return f"{ROOT}/{kind}/{quote(key)}"
        if key not in self._keys:
            return ""
        return f"{ROOT}/{kind or self._keys[key]}/{quote(key)}"

    def meant(self, kind: str, written: str) -> str:
        """The one key that people write so ("bar-15", "DPd"); "" where there is none, or several."""
        own = [key for key in self.own(kind) if key == written.casefold()]
        keys = own or list(dict.fromkeys(entry.key for entry in lookup.entries(self._known, written)))
        return keys[0] if len(keys) == 1 else ""

    def nearest(self, kind: str, written: str) -> list[str]:
        """Addresses of the keys that look most like it, those of this kind of card first.

        Without a kind, those of the kinds of cards.
        """
        if not kind:
            return [f"{ROOT}/{one}" for one in CARD_KINDS]
        short = written[:80]  # longer than any key; what comes from outside costs no more than that
        close = difflib.get_close_matches(short.casefold(), self.own(kind), n=_NEAREST, cutoff=0.5)
        found = [self.of(key, kind) for key in close]
        found += [self.of(key) for key in lookup.nearest(self._known, short, _NEAREST)]
        return list(dict.fromkeys(found))[:_NEAREST]

    def all(self) -> Iterator[str]:
        """The addresses of all pages, each once."""
        yield ROOT
        for kind in CARD_KINDS:
            yield f"{ROOT}/{kind}"
            yield from (self.of(key, kind) for key in self.own(kind))
        yield from map(self.of, self._keys)
