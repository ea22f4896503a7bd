"""Refractoriness that a text ascribes to drugs by name: "refractory to len and bort", "dara-refractory"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cds_service.terminology.words import Context, Lexicon, Mention, Phrase, Said, Word, fold

_BETWEEN = frozenset({"and", "e", "ed", "plus", "both", "or", "a", "al", "alla", "to", "also", "anche"})


class NamedRefractoriness:
    """Finds drugs of which a text says that the disease is refractory to them."""

    def __init__(
        self,
        raw: Mapping[str, Any],
        drug_files: Mapping[str, Any],
        regimens: Mapping[str, Any],
        context: Context,
    ) -> None:
        self._context = context
        self._before: Lexicon[bool] = Lexicon(Phrase(e["text"], True) for e in raw["before"])
        self._after = frozenset(fold(word) for word in raw["after"])
        counting = {drug["key"] for drug in drug_files.values() if drug["role"] == "anti-myeloma"}
        names: list[Phrase[tuple[str, ...]]] = [
            Phrase(name["text"], (drug["key"],)) for drug in drug_files.values() for name in drug["names"]
        ]
        short: list[Phrase[tuple[str, ...]]] = [
            Phrase(e["text"], (str(e["drug"]),)) for e in raw["short_names"]
        ]
        whole = [
            Phrase(name["text"], tuple(d for d in entry["components"] if d in counting))
            for entry in regimens["regimens"]
            for name in entry["names"]
            if not name.get("ambiguous", False)
        ]
        self._drugs: Lexicon[tuple[str, ...]] = Lexicon([*names, *short, *whole])

    def read(self, text: str) -> tuple[str, ...]:
        """The keys of the drugs, sorted; () where the text names none, denies it or only supposes it."""
        words = self._context.words(text)
        drugs = {mention.first: mention for mention in self._drugs.mentions(words)}
        if not drugs:
            return ()
        found: set[str] = set()
        phrases = self._before.mentions(words)
        for phrase, how in zip(phrases, self._context.judge(words, phrases), strict=True):
            if how in (Said.SAID, Said.PAST):
                found.update(self._listed(words, drugs, phrase.last + 1))
        mentions = tuple(drugs.values())
        for mention, how in zip(mentions, self._context.judge(words, mentions), strict=True):
            after = words[mention.last + 1] if mention.last + 1 < len(words) else None
            if after is not None and after.text in self._after and how in (Said.SAID, Said.PAST):
                found.update(mention.value)
        return tuple(sorted(found))

    @staticmethod
    def _listed(words: Sequence[Word], drugs: Mapping[int, Mention[tuple[str, ...]]], at: int) -> set[str]:
        """The drugs named one after another from a place on, over commas, slashes and connecting words."""
        found: set[str] = set()
        while at < len(words):
            if mention := drugs.get(at):
                found.update(mention.value)
                at = mention.last + 1
            elif words[at].text in _BETWEEN:
                at += 1
            else:
                break
        return found
