"""The words of a medication text beside names that stand alone: short names, letters, and what says no drug.

A text is read only where every word of it is accounted for. Here is what accounts for a word, how short names
are put together ("Bor-Len-Dex", "D-RVd", "IxaRd"), and what makes the rest look like a treatment.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from itertools import pairwise
from typing import Any

from cds_service.terminology.words import Lexicon, Mention, Phrase, Word, fold

_NUMBER = re.compile(r"\d+([a-z]{1,4}\d{0,2})?|[cdgqxjnw]?\d+([cdgxh]\d*|sett|settimane|weeks|wk)?|nct\d+")
_DOSED = re.compile(r"([a-z]{2,})\d+")
_OF_ORIGIN = ("mab", "mafodotin", "ase")  # names that carry a suffix of four letters in the United States
_CODE_NAME = re.compile(r"[A-Z]{2,5}")
_OF_CODE = re.compile(r"\d{3,8}")
_REGIMEN_LIKE = re.compile(r"[A-Z][A-Za-z]{0,4}[dD]|[A-Z]{2,6}")
_REASON_FOR = frozenset({"for", "per"})
_TIES = ("-", "/", "+", "‐", "‑", "–", "&", "_")
_ADDED = frozenset({"plus", "and", "with", "piu", "con", "e", "ed"})
_OF_CELLS = {"t": ("cell", "cells"), "car": ("positive", "t")}  # alone, "Car" may be a drug
_LETTER_OF_TIME = frozenset("dghlqwxc")
_DIGITS = re.compile(r"\d")
_LEAST_NAME = 7
_LONG_NAME = 9
_LONGEST_MISSPELT = 30
_FEW = 3


def tied(words: Sequence[Word], at: int) -> bool:
    """Whether nothing but a hyphen, slash or plus stands between a word and the one before it."""
    return 0 < at < len(words) and words[at].before.strip() in _TIES


class MedicationWords:
    """The words of mappings/medication-words.yaml, with the names of drugs and regimens to build with."""

    def __init__(
        self,
        raw: Mapping[str, Any],
        names: Mapping[str, str],
        regimens: Mapping[str, tuple[str, ...]],
        steroids: Set[str],
        reasons: Iterable[str],
    ) -> None:
        self._short = {fold(e["text"]): str(e["drug"]) for e in raw["short_names"] if not e.get("letter")}
        self._letters = {fold(e["text"]): str(e["drug"]) for e in raw["short_names"] if e.get("letter")}
        self._before_regimens = {fold(e["text"]): str(e["drug"]) for e in raw["letters_of_regimens"]}
        self.confidence = {str(e["drug"]): str(e["confidence"]) for e in raw["short_names"]}
        self._phases = frozenset(map(fold, raw["phases"]))
        self._words = (
            frozenset(fold(word) for group in raw["words"].values() for word in group) | self._phases
        )
        self._stems = tuple(raw["stems"])
        self._ordinary = frozenset(map(fold, raw["ordinary"]))
        self._reasons: Lexicon[bool] = Lexicon(Phrase(text, True) for text in reasons)
        self._regimens = regimens
        self._steroids = steroids
        self._pieces: dict[str, tuple[str, ...]] = {text: (drug,) for text, drug in names.items()}
        self._pieces.update({text: (drug,) for text, drug in self._short.items()})
        self._pieces.update(regimens)
        self._longest = max(map(len, self._pieces))
        self._long_names = {
            text: drug for text, drug in names.items() if len(text) >= _LEAST_NAME and drug not in steroids
        }
        self._steroid_names = {
            text: drug for text, drug in names.items() if len(text) >= _LEAST_NAME and drug in steroids
        }

    # ---- names put together --------------------------------------------------------------------------
    def composed(self, words: Sequence[Word], mentions: Sequence[Mention[Any]]) -> dict[int, tuple[str, ...]]:
        """The drugs of words that are names only because of their neighbours, by the place of the word."""
        found: dict[int, tuple[str, ...]] = {}
        named = {at: mention for mention in mentions for at in range(mention.first, mention.last + 1)}
        for at, word in enumerate(words):
            if at not in named and (drugs := self._grown_together(word.text)):
                found[at] = drugs
        parts = set(named) | set(found)
        for at, word in enumerate(words):
            if at in parts or not (drug := self._before_regimens.get(word.text)):
                continue
            for other, tie in ((at + 1, at + 1), (at - 1, at)):
                mention = named.get(other)
                text = "".join(w.text for w in words[mention.first : mention.last + 1]) if mention else ""
                if tied(words, tie) and self._holds_a_steroid(_undosed(text, self._regimens)):
                    found[at] = (drug,)
        shorts = {at for at, word in enumerate(words) if at not in parts and word.text in self._short}
        in_order = sorted(parts | shorts)
        for one, other in pairwise(in_order):
            if self._together(words, one, other):
                found.update({at: (self._short[words[at].text],) for at in (one, other) if at in shorts})
        if shorts and not parts and not found and self._only_a_phase(words, shorts):
            found.update({at: (self._short[words[at].text],) for at in shorts})
        parts |= set(found)
        for at, word in enumerate(words):
            if at not in parts and (drug := self._letters.get(word.text)):
                neighbours = [n for n, tie in ((at - 1, at), (at + 1, at + 1)) if tied(words, tie)]
                if any(n in parts and len(words[n].text) > 1 for n in neighbours):
                    found[at] = (drug,)
        return found

    def _holds_a_steroid(self, regimen: str) -> bool:
        return not self._steroids.isdisjoint(self._regimens.get(regimen, ()))

    def _together(self, words: Sequence[Word], first: int, last: int) -> bool:
        return all(
            self._says_no_drug(words, at) and words[at].text not in self._phases
            for at in range(first + 1, last)
        )

    def _only_a_phase(self, words: Sequence[Word], shorts: Set[int]) -> bool:
        others = [at for at in range(len(words)) if at not in shorts]
        return all(self._says_no_drug(words, at) for at in others) and any(
            words[at].text in self._phases for at in others
        )

    def _grown_together(self, text: str) -> tuple[str, ...]:
        """The drugs of a word made of names, the last of them a regimen or a steroid: "ixard", "revdex"."""
        if regimen := self._regimens.get(_undosed(text, self._regimens)):
            return regimen
        for letter, drug in self._before_regimens.items():
            for rest in {text.removeprefix(letter), text.removesuffix(letter)} - {text}:
                if self._holds_a_steroid(rest):
                    return tuple(dict.fromkeys((drug, *self._regimens[rest])))
        if len(text) > _LONGEST_MISSPELT:
            return ()
        for pieces in self._cut(text):
            ends = self._regimens.get(pieces[-1]) or self._pieces[pieces[-1]]
            if len(pieces) > 1 and not self._steroids.isdisjoint(ends):
                return tuple(dict.fromkeys(drug for piece in pieces for drug in self._pieces[piece]))
        return ()

    def _cut(self, text: str, most: int = 5) -> Iterator[tuple[str, ...]]:
        if not text:
            yield ()
        elif most:
            for length in range(min(len(text), self._longest), 1, -1):  # a piece has two letters at least
                if text[:length] in self._pieces:
                    for rest in self._cut(text[length:], most - 1):
                        yield (text[:length], *rest)

    # ---- what is accounted for -----------------------------------------------------------------------
    def left_over(self, words: Sequence[Word], read: Collection[int]) -> tuple[int, ...]:
        """The places of the words that nothing accounts for."""
        covered = set(read)
        bracketed = False  # "... Oral Capsule [Revlimid]": the brand of the product
        for at, word in enumerate(words):
            bracketed = word.before.endswith("[") or (bracketed and "]" not in word.before)
            if bracketed and read:
                covered.add(at)
        for mention in self._reasons.mentions(words):
            covered.update(range(mention.first, mention.last + 1))
        for at, word in enumerate(words):
            if word.text in _REASON_FOR:
                covered.update(self._reason_behind(words, at))
        return tuple(
            at
            for at in range(len(words))
            if at not in covered and not self._says_no_drug(words, at) and not self._is_suffix(words, at)
        )

    def _reason_behind(self, words: Sequence[Word], at: int) -> Iterator[int]:
        for place in range(at + 1, len(words)):
            word = words[place]
            if word.clause != words[at].clause or word.text in _ADDED | _REASON_FOR or "/" in word.before:
                return
            if "+" in word.before or (tied(words, place) and len(word.text) < _LEAST_NAME):
                return
            yield place

    def _says_no_drug(self, words: Sequence[Word], at: int) -> bool:
        text = words[at].text
        if text in _OF_CELLS and at + 1 < len(words) and words[at + 1].text in _OF_CELLS[text]:
            return True
        if len(text) == 1 and text.isalpha():
            return self._is_lone_letter(words, at)
        return text in self._words or text in self._ordinary or bool(_NUMBER.fullmatch(text))

    def _is_lone_letter(self, words: Sequence[Word], at: int) -> bool:
        """A letter of "p.o.", "d 1-21" or Italian "e"; one that is tied to a name may be a drug."""
        word = words[at]
        if (word.before.endswith(".") and at) or word.after.startswith("."):
            return True
        near = [words[n].text for n in (at - 1, at + 1) if 0 <= n < len(words)]
        if word.text in _LETTER_OF_TIME and any(text[:1].isdigit() for text in near):
            return True
        if tied(words, at) or tied(words, at + 1):
            return (
                word.text in "cvoip"
                and word.raw.islower()
                and any(len(text) == 1 for text in near)  # s/c, e/v
            )
        return word.text in "aeios" and word.raw.islower()

    @staticmethod
    def _is_suffix(words: Sequence[Word], at: int) -> bool:
        word = words[at]
        before = words[at - 1].text if at else ""
        return word.joined and word.raw.isalpha() and len(word.raw) == 4 and before.endswith(_OF_ORIGIN)

    # ---- what the rest looks like --------------------------------------------------------------------
    def may_be(self, words: Sequence[Word], left: Iterable[int]) -> tuple[str, ...]:
        """The drugs against whose long names unread words are off by a letter or two."""
        found: dict[str, None] = {}
        for text in dict.fromkeys(words[at].text for at in left):
            if not _LEAST_NAME - 1 <= len(text) <= _LONGEST_MISSPELT or text in self._ordinary:
                continue
            for names, most in ((self._long_names, 2), (self._steroid_names, 1)):
                near = [
                    (distance, drug)
                    for name, drug in names.items()
                    if (distance := _distance(text, name, most if len(name) >= _LONG_NAME else 1)) is not None
                ]
                if near:
                    found.setdefault(min(near)[1])
        return tuple(found)

    def looks_like_treatment(self, words: Sequence[Word], left: Sequence[int]) -> bool:
        """Whether a text of which nothing is read may well be a treatment of the myeloma."""
        left = [at for at in left if words[at].text not in self._ordinary]
        beside_another = any(word.text in self._ordinary for word in words)  # "Bactrim DS"
        if any(
            _CODE_NAME.fullmatch(words[at - 1].raw)
            and words[at].joined
            and _OF_CODE.fullmatch(words[at].text)
            for at in range(1, len(words))
        ):
            return True
        if not left:
            return any(word.text in self._short for word in words) and any(
                word.text in self._phases for word in words
            )
        for at in left:
            word = words[at]
            if word.text.endswith(self._stems):
                return True
            following = words[at + 1] if at + 1 < len(words) else None
            if following and tied(words, at + 1) and following.text == "cel":
                return True
            if word.text in self._short or word.text in self._letters:
                near = [n for n, tie in ((at - 1, at), (at + 1, at + 1)) if tied(words, tie)]
                if any(len(words[n].text) <= _FEW or words[n].text in self._short for n in near):
                    return True
        if len(left) <= _FEW and any(word.text in self._phases for word in words):
            return any(words[at].raw.isupper() or words[at].text in self._short for at in left)
        return (
            not beside_another
            and len(left) == 1
            and bool(_REGIMEN_LIKE.fullmatch(_DIGITS.sub("", words[left[0]].raw)))
        )


def _undosed(text: str, regimens: Mapping[str, Any]) -> str:
    """A regimen's name without the dose it carries: "kd70" is Kd."""
    if text not in regimens and (dosed := _DOSED.fullmatch(text)) and dosed[1] in regimens:
        return dosed[1]
    return text


def _distance(one: str, other: str, most: int) -> int | None:
    """How many letters one word is off from the other, changed, left out or put in; None: too many."""
    if abs(len(one) - len(other)) > most:
        return None
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        diagonal, row[0] = row[0], number
        for place, against in enumerate(other, 1):
            change = diagonal + (letter != against)
            diagonal = row[place]
            row[place] = min(change, row[place] + 1, row[place - 1] + 1)
        if min(row) > most:
            return None
    return row[-1] if row[-1] <= most else None
