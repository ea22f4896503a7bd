"""Medications to drugs: codes first, then words, then names of whole regimens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Any

from cds_service.terminology.codes import CodeIndex, Systems, entries_of, spelled
from cds_service.terminology.concepts import Coding, Concept, DrugMatch, NotRead
from cds_service.terminology.medication_words import MedicationWords, tied
from cds_service.terminology.words import Context, Lexicon, Mention, Phrase, Said, Word, fold

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
        words: Mapping[str, Any],
        reasons: Iterable[str],
        systems: Systems,
        context: Context,
    ) -> None:
        """``words``: mappings/medication-words.yaml; ``reasons``: phrases of why a drug was given or not."""
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
        self._steroids = frozenset(d["key"] for d in drug_files.values() if d["role"] == "steroid")
        self._key_of = {
            frozenset(entry["components"]): entry["key"] for entry in reversed(regimens["regimens"])
        }
        self._other = MedicationWords(
            words,
            {_bare(n["text"]): d["key"] for d in drug_files.values() for n in d["names"]},
            {_bare(n["text"]): tuple(e["components"]) for e in regimens["regimens"] for n in e["names"]},
            self._steroids,
            reasons,
        )
        # What no treatment of the myeloma is coded as; the code of one not known here may be anything.
        self._other_groups = tuple(system for system, _ in self._antineoplastic_codes if system == "ATC")
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

    def named_alone(self, text: str) -> bool:
        """Whether a text is names of drugs and nothing else; of a single word, it is for what it is read."""
        words = self._context.words(text)
        mentions = [m for m in self._words.mentions(words) if isinstance(m.value, _Named)]
        return len(words) == 1 or sum(m.last - m.first + 1 for m in mentions) == len(words)

    def speaks_against(self, text: str, drug: str) -> bool:
        """Whether a text names another drug than this one, or denies or doubts this one."""
        words = self._context.words(text)
        mentions = [m for m in self._words.mentions(words) if isinstance(m.value, _Named)]
        judged = self._context.judge(words, mentions)
        return any(
            how not in (Said.SAID, Said.PAST)
            or (mention.value.drug != drug and not _more_telling(drug, mention.value.drug))
            for mention, how in zip(mentions, judged, strict=True)
            if isinstance(mention.value, _Named)
        )

    def one_off_in(self, text: str) -> str:
        """The drug given by a single infusion (CAR-T) that a text names, or ""."""
        return next(iter(sorted(self._drugs_named(text) & self._one_off)), "")

    def _in_text(self, text: str, how: str) -> tuple[DrugMatch, ...]:
        return self._read(self._context.words(text), how)[0]

    def _read(self, words: tuple[Word, ...], how: str) -> tuple[tuple[DrugMatch, ...], set[int]]:
        """Drugs named, or else the drugs of a regimen named; both where they are tied together.

        Also the places of the words that were read, be it as said or as denied.
        """
        mentions = list(self._words.mentions(words))
        composed = self._other.composed(words, mentions)
        for at, drugs in composed.items():
            confidence = self._other.confidence.get(drugs[0], "decision") if len(drugs) == 1 else "decision"
            value: _Named | _Regimen = _Named(drugs[0], "")
            if len(drugs) > 1:
                value = _Regimen(self._key_of.get(frozenset(drugs), ""), drugs, ambiguous=False)
            mentions.append(Mention(Phrase(words[at].text, value, confidence=confidence), at, at))
        mentions.sort(key=lambda mention: mention.first)
        meant = self._meant(words, mentions)
        named = [m for m in meant if isinstance(m.value, _Named)]
        beside: dict[int, list[Mention[Any]]] = {}  # by the first word of a mention: those next to it
        for one, other in pairwise(mentions):
            beside.setdefault(one.first, []).append(other)
            beside.setdefault(other.first, []).append(one)
        regimens = [
            m
            for m in meant
            if isinstance(m.value, _Regimen)
            and (
                not m.value.ambiguous
                or _surely_a_regimen(words, m)
                or any(_hangs_on(words, m, other) for other in beside.get(m.first, ()))
            )
        ]
        with_drugs = any(isinstance(m.value, _Named) for m in mentions)
        said = {m.first for m in named}
        taken: dict[int, Mention[Any]] = {}
        for number, m in enumerate(regimens):
            near = beside.get(m.first, ())
            first = not number and not with_drugs
            if (
                first
                or any(n.first in said and self._belong(words, m, n) for n in near)
                or any(n.first in taken and _hangs_on(words, m, n) for n in near)
            ):
                taken[m.first] = m
        for m in reversed(regimens):  # what hangs on one that was taken from behind: VRd-PACE-Dara
            if any(n.first in taken and _hangs_on(words, m, n) for n in beside.get(m.first, ())):
                taken[m.first] = m
        by_drug: dict[str, DrugMatch] = {}
        for mention in named:
            drug, route = mention.value.drug, _told(mention.value.route)
            known = by_drug.get(drug)
            if known is None or (route and not known.route):
                by_drug[drug] = DrugMatch(drug, route, how=how, confidence=mention.phrase.confidence)
        for _, mention in sorted(taken.items()):
            regimen = mention.value
            for drug in regimen.components:
                match = DrugMatch(
                    drug, how="regimen", confidence=mention.phrase.confidence, regimen=regimen.key
                )
                by_drug.setdefault(drug, match)
        if taken and (composed or len(taken) > 1):  # a name that is built stands for all its drugs together
            key = self._key_of.get(frozenset(by_drug), "")
            by_drug = {drug: replace(match, how="regimen", regimen=key) for drug, match in by_drug.items()}
        read = {at for m in mentions for at in range(m.first, m.last + 1)}
        for mention in regimens:
            # "lenalidomide 25 mg (D-Rd)" names the regimen that its drug is part of.
            if mention.first not in taken and by_drug.keys().isdisjoint(mention.value.components):
                read.difference_update(range(mention.first, mention.last + 1))
        # "Study drug: daratumumab" is daratumumab.
        identified = {drug: match for drug, match in by_drug.items() if drug not in self._unidentified}
        return tuple((identified or by_drug).values()), read

    def _belong(self, words: tuple[Word, ...], regimen: Mention[Any], named: Mention[Any]) -> bool:
        """Whether a regimen is given with the drug named beside it, rather than named as what holds it."""
        if _tied(words, regimen, named) or _hangs_on(words, regimen, named):
            return True
        drug = named.value.drug
        counts = drug in self._against_cancer or drug in self._steroids
        return (
            counts and drug not in regimen.value.components and _hangs_on(words, regimen, named, loose=True)
        )

    def not_read(self, concept: Concept) -> NotRead:
        """What of the words of a medication is neither a name nor says anything else that is understood.

        Nothing of it where a code says which drug it is. ``likely``: whether it may well have been a
        treatment of the myeloma: beside one, a known drug but for a letter, or like a regimen.
        """
        texts = [coding.display for coding in concept.codings if coding.display]
        if any(self._codes.find(coding, None) is not None for coding in concept.codings):
            return NotRead()
        texts += [concept.text] if concept.text else []
        unread: list[NotRead] = []
        for text in reversed(texts):
            words = self._context.words(text)
            matches, read = self._read(words, "text")
            left = self._other.left_over(words, read)
            may_be = self._other.may_be(words, left)
            told = tuple(words[at].raw for at in left)
            if matches:
                drugs = {match.drug for match in matches}
                likely = bool(left) and not drugs.isdisjoint(self._against_cancer | self._steroids)
                return NotRead(told, may_be, likely)
            likely = bool(may_be) or self._other.looks_like_treatment(words, left)
            unread.append(NotRead(told, may_be, likely))
        if self._is_of_another_group(concept) or not all(one.likely for one in unread):
            return NotRead()
        return unread[0] if unread else NotRead()

    def _is_of_another_group(self, concept: Concept) -> bool:
        """Whether a code says that a medication is none against cancer and no steroid."""
        coded = [c for c in concept.codings if self._systems.short(c.system) in self._other_groups and c.code]
        return bool(coded) and not any(
            spelled("ATC", c.code)[0].startswith(
                (*(p for s, p in self._antineoplastic_codes if s == "ATC"), "H02")
            )
            for c in coded
        )

    def is_ordinary(self, concept: Concept) -> bool:
        """Whether nothing in the words is unknown, or a code says that it treats something else."""
        return self._is_of_another_group(concept) or not any(
            self._other.left_over(words := self._context.words(text), self._read(words, "text")[1])
            for text in (concept.text, *(coding.display for coding in concept.codings))
            if text
        )

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


def _hangs_on(
    words: tuple[Word, ...], one: Mention[Any], other: Mention[Any], *, loose: bool = False
) -> bool:
    """Whether a hyphen, slash or plus ties two mentions; ``loose``: or nothing at all stands between them."""
    first, second = sorted((one, other), key=lambda mention: mention.first)
    if second.first != first.last + 1:
        return False
    return tied(words, second.first) or (loose and not words[second.first].before.strip())


def _bare(text: str) -> str:
    return "".join(sign for sign in fold(text) if sign.isalnum())


def _surely_a_regimen(words: tuple[Word, ...], mention: Mention[Any]) -> bool:
    """Whether two letters mean a regimen: all there is, or written with a small letter at the end."""
    raw = "".join(word.raw for word in words[mention.first : mention.last + 1])
    return len(words) == mention.last - mention.first + 1 or (raw[0].isupper() and raw[-1].islower())
