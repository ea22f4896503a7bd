"""Medications to drugs: codes first, then words, then names of whole regimens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from cds_service.terminology.codes import CodeIndex, Systems, entries_of, spelled
from cds_service.terminology.concepts import Coding, Concept, DrugMatch
from cds_service.terminology.words import Context, Lexicon, Mention, Phrase, Said, Word

_PLUS = frozenset({"plus", "and", "with", "piu", "con", "e"})
_CONFIDENCE = ("verified2", "verified1", "decision", "recalled")


@dataclass(frozen=True)
class _Regimen:
    key: str
    components: tuple[str, ...]
    ambiguous: bool


@dataclass(frozen=True)
class _Named:
    drug: str
    route: str


class Drugs:
    """Finds the drugs of a medication."""

    def __init__(
        self,
        drug_files: Mapping[str, Any],
        regimens: Mapping[str, Any],
        purposes: Mapping[str, Any],
        systems: Systems,
        context: Context,
    ) -> None:
        self._context = context
        self._systems = systems
        self._codes: CodeIndex[str] = CodeIndex(
            systems, ((entry, drug["key"]) for entry, drug in entries_of(drug_files.values()))
        )
        names: list[Phrase[_Named | _Regimen]] = [
            Phrase(name["text"], _Named(drug["key"], name.get("route", "")), confidence=name["confidence"])
            for drug in drug_files.values()
            for name in drug["names"]
        ]
        names_of_regimens: list[Phrase[_Named | _Regimen]] = [
            Phrase(
                name["text"],
                _Regimen(entry["key"], tuple(entry["components"]), bool(name.get("ambiguous", False))),
                confidence=name["confidence"],
            )
            for entry in regimens["regimens"]
            for name in entry["names"]
        ]
        # One lexicon, so that the longer wins: the short name of a drug may begin that of a regimen.
        self._words: Lexicon[_Named | _Regimen] = Lexicon([*names, *names_of_regimens])
        kinds = purposes["antineoplastic"]
        self._antineoplastic_codes = tuple(
            (entry["system"], spelled(entry["system"], entry["code"])[0]) for entry in kinds["code_prefixes"]
        )
        self._antineoplastic_words: Lexicon[bool] = Lexicon(Phrase(text, True) for text in kinds["phrases"])
        self._unidentified = {
            d["key"]: d["one_off"] for d in drug_files.values() if d["role"] == "unidentified"
        }
        self._one_off = frozenset(
            d["key"] for d in drug_files.values() if d["one_off"] and d["key"] not in self._unidentified
        )
        self._against_cancer = frozenset(
            d["key"] for d in drug_files.values() if d["role"] in ("anti-myeloma", "unidentified")
        )
        self.unidentified = next(iter(sorted(k for k, once in self._unidentified.items() if not once)), "")

    def find(self, concept: Concept, on: date | None) -> tuple[DrugMatch, ...]:
        """The drugs of a medication on a day; () where nothing is known of it. Codes win over words."""
        coded: list[tuple[DrugMatch, Coding]] = []
        texts: list[tuple[str, str]] = []
        for coding in concept.codings:
            found = self._codes.find(coding, on)
            if found is None:
                if coding.display:
                    texts.append((coding.display, "display"))
                continue
            if found.value is None:
                return ()
            match = DrugMatch(
                drug=found.value,
                route=_told(found.entry.get("route", "")),
                confidence=found.entry["confidence"],
                doubt=found.doubt,
            )
            coded.append((match, coding))
        if concept.text:
            texts.append((concept.text, "text"))
        if coded:
            return (self._weigh(coded, concept.text),)
        for text, how in reversed(texts):  # the chart's own words before a display
            if matches := self._in_text(text, how):
                return matches
        return ()

    def _weigh(self, coded: list[tuple[DrugMatch, Coding]], text: str) -> DrugMatch:
        """One drug of codes that may disagree, doubted where they or the words do."""

        def rank(pair: tuple[DrugMatch, Coding]) -> tuple[bool, int]:
            match, coding = pair
            named = self._drugs_named(coding.display)
            return (bool(named) and match.drug not in named, _CONFIDENCE.index(match.confidence))

        best, coding = min(coded, key=rank)
        drugs = {match.drug for match, _ in coded}
        closer = next((drug for drug in sorted(drugs) if _more_telling(drug, best.drug)), "")
        if closer:
            best = next(match for match, _ in coded if match.drug == closer)
        doubts = [best.doubt] if best.doubt else []
        strangers = {d for d in drugs if d != best.drug and not _more_telling(best.drug, d)}
        if strangers:
            doubts.append(
                "The codes of one medication disagree: "
                f"{best.drug} was taken, {', '.join(sorted(strangers))} not."
            )
        for words in (coding.display, text):
            named = self._drugs_named(words)
            if telling := next((drug for drug in sorted(named) if _more_telling(drug, best.drug)), ""):
                best = replace(best, drug=telling)
            elif named and best.drug not in named:
                doubts.append(f"The code says {best.drug}, the words say {', '.join(sorted(named))}.")
        route = best.route or next((m.route for m, _ in coded if m.drug == best.drug and m.route), "")
        return replace(best, route=route, doubt=" ".join(dict.fromkeys(doubts)))

    def _drugs_named(self, text: str) -> set[str]:
        words = self._context.words(text)
        return {m.value.drug for m in self._words.mentions(words) if isinstance(m.value, _Named)}

    def one_off_in(self, text: str) -> str:
        """The drug given by a single infusion (CAR-T) that a text names, or ""."""
        return next(iter(sorted(self._drugs_named(text) & self._one_off)), "")

    def _in_text(self, text: str, how: str) -> tuple[DrugMatch, ...]:
        """Drugs named, or else the drugs of a regimen named; both where a plus ties them together."""
        words = self._context.words(text)
        mentions = self._words.mentions(words)
        meant = self._meant(words, mentions)
        named = [m for m in meant if isinstance(m.value, _Named)]
        regimens = [m for m in meant if isinstance(m.value, _Regimen)]
        if any(isinstance(m.value, _Named) for m in mentions):
            regimens = [m for m in regimens if any(_tied(words, m, other) for other in named)]
        by_drug: dict[str, DrugMatch] = {}
        for mention in named:
            drug, route = mention.value.drug, _told(mention.value.route)
            known = by_drug.get(drug)
            if known is None or (route and not known.route):
                by_drug[drug] = DrugMatch(drug, route, how=how, confidence=mention.phrase.confidence)
        for mention in regimens[:1]:
            regimen = mention.value
            if regimen.ambiguous and not _surely_a_regimen(words, mention):
                continue
            for drug in regimen.components:
                match = DrugMatch(
                    drug, how="regimen", confidence=mention.phrase.confidence, regimen=regimen.key
                )
                by_drug.setdefault(drug, match)
        # "Study drug: daratumumab" is daratumumab.
        identified = {drug: match for drug, match in by_drug.items() if drug not in self._unidentified}
        return tuple((identified or by_drug).values())

    def _meant(self, words: tuple[Word, ...], mentions: Iterable[Mention[Any]]) -> list[Mention[Any]]:
        """Mentions that are neither negated nor hypothetical; past ones only where nothing else is said."""
        mentions = tuple(mentions)
        judged = self._context.judge(words, mentions)
        said = [m for m, how in zip(mentions, judged, strict=True) if how is Said.SAID]
        return said or [m for m, how in zip(mentions, judged, strict=True) if how is Said.PAST]

    def is_antineoplastic(self, concept: Concept) -> bool:
        """Whether a medication is a cancer drug by its code's group or its words, known to us or not."""
        for coding in concept.codings:
            system = self._systems.short(coding.system)
            spelling = (spelled(system, coding.code) or ("",))[0] if system else ""
            if any(system == s and spelling.startswith(p) for s, p in self._antineoplastic_codes):
                return True
        if any(match.drug in self._against_cancer for match in self.find(concept, None)):
            return True
        texts = [concept.text, *(coding.display for coding in concept.codings)]
        return any(self._antineoplastic_words.mentions(self._context.words(text)) for text in texts if text)


def _told(route: str) -> str:
    """The route as the record has it; "parenteral" does not tell which."""
    return "" if route == "parenteral" else route


def _more_telling(drug: str, other: str) -> bool:
    """Whether a drug is a form of the other that some code systems cannot tell apart from it."""
    return drug.startswith(f"{other}-")


def _tied(words: tuple[Word, ...], one: Mention[Any], other: Mention[Any]) -> bool:
    """Whether nothing but a plus or an "and" stands between two mentions."""
    first, second = sorted((one, other), key=lambda mention: mention.first)
    between = words[first.last + 1 : second.first]
    if not between:
        return "+" in words[second.first].before or "/" in words[second.first].before
    return len(between) == 1 and between[0].text in _PLUS


def _surely_a_regimen(words: tuple[Word, ...], mention: Mention[Any]) -> bool:
    """Whether two letters mean a regimen: all there is, or written with a small letter at the end."""
    raw = "".join(word.raw for word in words[mention.first : mention.last + 1])
    return len(words) == mention.last - mention.first + 1 or (raw[0].isupper() and raw[-1].islower())
