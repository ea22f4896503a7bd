"""How a chart says that something is not there: "no history of heart failure", "HIV: negative".

Stricter than the context of a mention: that a mention is turned round is enough to pass it over, but not to
say "no". "No worsening of the neuropathy" names a neuropathy that is there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cds_service.terminology.words import Lexicon, Mention, Phrase, Word, fold, words_of

_SENTENCE_END = re.compile(r"[.;\n!?](?=\s|$)|[;\n]")
_LONGEST_CUE = 6  # words


def sentences(text: str) -> list[str]:
    """The sentences of a text; a semicolon and a new line end one too."""
    return [sentence for sentence in _SENTENCE_END.split(text) if sentence.strip()]


class Denials:
    """Reads denials of the concepts that the data file names as a whole."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._names: Lexicon[str] = Lexicon(
            Phrase(text, entry["concept"]) for entry in raw["names"] for text in entry["texts"]
        )
        self._before = frozenset(_folded(cue) for cue in raw["before"])
        self._opening = frozenset(_folded(cue) for cue in raw["opening"])
        self._after = frozenset(_folded(cue) for cue in raw["after"])
        self._strong = frozenset(map(fold, raw["strong"]))
        self._or = frozenset(map(fold, raw["or"]))
        self._any = frozenset(map(fold, raw["any"]))
        self._turned_by = frozenset(_folded(cue) for cue in raw["turned_by"])
        self._between = frozenset(map(fold, raw["between"]))
        self._vague = tuple(map(_folded, raw["vague"]))

    def named(self, text: str) -> str:
        """The concept that a text as a whole names, "unspecified" and the like aside; else ""."""
        plain = _folded(re.sub(r"\([^()]*\)|\[[^\[\]]*\]", " ", text))
        for word in self._vague:
            plain = re.sub(rf"(?:^| ){re.escape(word)}(?= |$)", "", plain)
        phrase = self._names.whole(plain)
        return phrase.value if phrase else ""

    def read(self, text: str) -> tuple[str, ...]:
        """The concepts that a text denies, each once, in the order of the text."""
        found: dict[str, None] = {}
        for sentence in sentences(text):
            words = words_of(sentence)
            mentions = {m.first: m for m in self._names.mentions(words)}
            denied = self._listed(words, mentions) or self._answered(words, mentions)
            found.update(dict.fromkeys(denied))
        return tuple(found)

    def turned(self, words: Sequence[Word], mention: Mention[str]) -> bool:
        """Whether what follows a mention takes it back, or makes another thing of it.

        "Hepatitis B surface antigen negative" and "hepatitis B vaccination" affirm no hepatitis.
        """
        at = mention.last + 1
        while at < len(words) and not _apart(words[at]):
            for length in (3, 2, 1):
                cue = " ".join(word.text for word in words[at : at + length])
                if at + length <= len(words) and cue in self._turned_by:
                    return True
            if words[at].text not in self._between:
                return False
            at += 1
        return False

    def reach(self, words: Sequence[Word], mentions: Sequence[Mention[str]]) -> int:
        """The place up to which a list that a denial opens may go on; 0 where none opens the sentence.

        Wider than what is denied for sure: nothing within it may be taken as affirmed. ``words`` are those of
        one sentence, ``mentions`` all that is known in it.
        """
        start = self._skip(words, 0, self._opening)
        at = self._skip(words, start, self._before)
        if at == start:
            return 0
        end = at + 1
        while end < len(words) and (words[end].clause == words[end - 1].clause or "," in words[end].before):
            end += 1
        joins = [n for n in range(at, end) if words[n].text in self._or]
        if joins:
            last = joins[-1]
            return next((n for n in range(last, end) if words[n].clause != words[last].clause), end)
        # "Denies X, Y": a mere list of names behind more than a bare "no".
        known = {n for m in mentions for n in range(m.first, m.last + 1)}
        mere = all(n in known or words[n].text in self._any for n in range(at, end))
        return end if mere and (at - start > 1 or words[start].text in self._strong) else 0

    def _skip(self, words: Sequence[Word], at: int, cues: frozenset[str]) -> int:
        """The place behind the longest cue that begins at ``at``; ``at`` itself where none does."""
        for length in range(min(_LONGEST_CUE, len(words) - at), 0, -1):
            if " ".join(word.text for word in words[at : at + length]) in cues:
                return at + length
        return at

    def _listed(self, words: Sequence[Word], mentions: Mapping[int, Mention[str]]) -> list[str]:
        """ "No history of X": a denial, then a name, then nothing or "or Y"."""
        start = self._skip(words, 0, self._opening)
        at = self._skip(words, start, self._before)
        if at == start:
            return []
        items: list[str] = []
        sure = 0  # a comma alone may begin something new; an "or" at the end tells that it went on
        while at < len(words):
            while at < len(words) and words[at].text in self._any:
                at += 1
            mention = mentions.get(at)
            if mention is None:
                break
            at = mention.last + 1
            ends = at == len(words)
            joined = not ends and words[at].text in self._or
            comma = not ends and "," in words[at].before
            if not (ends or joined or comma):
                break
            items.append(mention.value)
            if len(items) == 1:
                sure = 1
            elif words[mention.first - 1].text in (self._or | self._any):
                sure = len(items)
            if joined:
                at += 1
        return items[:sure]

    def _answered(self, words: Sequence[Word], mentions: Mapping[int, Mention[str]]) -> list[str]:
        """ "X: none", "X ruled out": a name, then a denial, then nothing."""
        start = 0
        while start < len(words) and start not in mentions and start < 2:
            start += 1  # "history of X: no", "known X: none"
        mention = mentions.get(start)
        if mention is None or any(w.text not in ("history", "of", "storia", "di") for w in words[:start]):
            return []
        rest = words[mention.last + 1 :]
        return [mention.value] if rest and " ".join(w.text for w in rest) in self._after else []


def _apart(word: Word) -> bool:
    """Whether a comma or a bracket stands before a word."""
    return any(sign in word.before for sign in ",()[]")


def _folded(text: str) -> str:
    return " ".join(word.text for word in words_of(text))
