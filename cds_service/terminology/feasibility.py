"""Whether a chart says in words that CAR-T cells can, or cannot, be given: "not a candidate for CAR-T".

There are no codes for it. Any doubt, condition or contradiction makes it neither: what speaks for CAR-T must
stand in a sentence without denial and doubt, what speaks against it must be tied to the treatment's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cds_service.terminology.words import Lexicon, Mention, Phrase, Word, fold, words_of

_SENTENCE_END = re.compile(r"[.;!\n]")
_LONGEST_HEAD = 3  # words
_APART = re.compile(r"[,;()\[\]{}]")  # a colon or a dash ties: "CAR-T: not feasible"


class Feasibility:
    """Reads what words say of CAR-T cells for this patient."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._of: Lexicon[bool] = Lexicon(Phrase(text, True) for text in raw["of"])
        self._begin = tuple(sorted({words_of(text)[0].text for text in raw["of"]}))
        self._ahead = _heads(raw["fit"], raw["unfit"])
        self._behind = _heads((*raw["fit"], *raw["fit_behind"]), (*raw["unfit"], *raw["unfit_behind"]))
        self._denied = _folded(raw["denied_by"])
        self._linking = _folded(raw["linking"])
        self._between = _folded(raw["between"])
        self._conditional = _folded(raw["conditional"])
        self._doubt = _folded(raw["doubt"])
        self._asked = _folded(raw["asked"])
        self._yes, self._no = _folded(raw["yes"]), _folded(raw["no"])

    def names(self, text: str) -> bool:
        """Whether a text names CAR-T cells at all."""
        return self._may_name(text) and bool(self._of.mentions(words_of(text)))

    def _may_name(self, text: str) -> bool:
        # Most texts of a chart are told apart by this alone.
        plain = text.casefold()
        return any(word in plain for word in self._begin)

    def read(self, text: str) -> bool | None:
        """Whether a text says that CAR-T cells can be given (True) or cannot; None where it says neither."""
        if not self._may_name(text):
            return None
        said = {answer for sentence in _SENTENCE_END.split(text) for answer in self._said(sentence)}
        return said.pop() if len(said) == 1 else None

    def answered(self, question: str, answer: str) -> bool | None:
        """The same of a question and its answer: "Eligible for CAR-T" and "no"; None for other questions."""
        if (told := self.read(answer)) is not None:
            return told
        if not self.names(question):
            return None
        words = words_of(question)
        asked = self._asked.intersection(word.text for word in words)
        said = set() if asked else set(self._said(question.replace("?", " ")))
        if not asked and len(said) != 1:
            return None
        straight = not said or said.pop()
        short = " ".join(word.text for word in words_of(answer))
        if short in self._yes:
            return straight
        if short in self._no:
            # That nothing speaks against it does not say that it can be done.
            return False if straight else None
        return self.read(f"CAR-T: {answer}") if asked or straight else None

    def _said(self, sentence: str) -> Iterable[bool]:
        if "?" in sentence or not self._may_name(sentence):
            return
        words = words_of(sentence)
        if any(word.text in self._conditional for word in words):
            return
        # Where the first word of doubt and the first denial stand; behind all words where there is none.
        doubt, denial = (
            next((at for at, word in enumerate(words) if word.text in cues), len(words))
            for cues in (self._doubt, self._denied)
        )
        for mention in self._of.mentions(words):
            found = [*self._before(words, mention), *self._after(words, mention)]
            if len({fits for fits, _ in found}) != 1:
                continue  # said neither or both: "unfit CAR-T candidate"
            fits, first = found[0]
            denied = denial < first and words[first].text not in self._denied
            if fits and doubt == denial == len(words):
                yield True
            elif not fits and doubt >= first and not denied:
                yield False  # but not for "no absolute contraindication to CAR-T"

    def _before(self, words: Sequence[Word], mention: Mention[bool]) -> Iterable[tuple[bool, int]]:
        """What stands before the name: "[not] eligible for CAR-T"; whether it speaks for it, and where."""
        at = mention.first - 1
        while at >= 0 and not _APART.search(words[at + 1].before):
            for head in self._ahead.mentions(words[at : at + 1]):
                yield from self._judged(words, at, head.value)
                return
            if words[at].text not in self._linking:
                return
            at -= 1

    def _after(self, words: Sequence[Word], mention: Mention[bool]) -> Iterable[tuple[bool, int]]:
        """What stands behind the name: "CAR-T [not] feasible", "[not] a CAR-T candidate"."""
        at = mention.last + 1
        while at < len(words) and not _APART.search(words[at].before):
            heads = self._behind.mentions(words[at : at + _LONGEST_HEAD])
            if heads and heads[0].first == 0:
                fits = heads[0].value
                if not any(word.text in self._denied for word in words[mention.last + 1 : at]):
                    yield from self._judged(words, mention.first, fits)
                elif fits:
                    yield False, mention.first
                return
            if words[at].text not in self._between and words[at].text not in self._denied:
                return
            at += 1

    def _judged(self, words: Sequence[Word], first: int, fits: bool) -> Iterable[tuple[bool, int]]:
        """The head at ``first``, turned round by a denial that is tied to it; nothing of a double one."""
        at = first - 1
        while at >= 0 and not _APART.search(words[at + 1].before):
            if words[at].text in self._denied:
                if fits:
                    yield False, at
                return
            if words[at].text not in self._between:
                break
            at -= 1
        yield fits, first


def _heads(fit: Iterable[str], unfit: Iterable[str]) -> Lexicon[bool]:
    return Lexicon([*(Phrase(text, True) for text in fit), *(Phrase(text, False) for text in unfit)])


def _folded(words: Iterable[str]) -> frozenset[str]:
    return frozenset(map(fold, words))
