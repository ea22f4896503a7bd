"""Words to meanings: whole words without capitals, accents, hyphens and spaces, and what turns them round.

A phrase is found by dict lookups over neighbouring words, longest first, so no pattern can run away.
Whether a mention is meant ("no evidence of progression", "risk of relapse") is judged by the cue words of
disease-status.yaml in the same clause.
"""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_WORD = re.compile(r"[^\W\d_]{6,}(?=\d)|[^\W_]+")  # a dose may stick to the name: "lenalidomide10mg"
_CLAUSE_END = re.compile(r"[,;:.()\[\]{}→>!?\n]|\s[-–—]+\s|[–—]")
_CONNECTORS = frozenset({"and", "or", "nor", "of", "any", "e", "ed", "o", "ne", "di", "del", "della"})
_SHORT = 4  # below this length words are put together only where a hyphen or the phrase itself does so
_REACH_BEFORE = 7
_REACH_AFTER = 3


def fold(text: str) -> str:
    """Lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign)).casefold()


@dataclass(frozen=True)
class Word:
    """One word of a text, with what stands around it."""

    text: str  # folded
    raw: str
    before: str  # signs between the previous word and this one
    after: str
    clause: int

    @property
    def joined(self) -> bool:
        """Whether a hyphen ties it to the word before."""
        return self.before in ("-", "‐", "‑")


def words_of(text: str, clause_words: Collection[str] = ()) -> tuple[Word, ...]:
    """The words of a text, numbered by clause."""
    spans = [match.span() for match in _WORD.finditer(text)]
    words: list[Word] = []
    clause = 0
    for position, (start, end) in enumerate(spans):
        before = text[spans[position - 1][1] if position else 0 : start]
        after = text[end : spans[position + 1][0] if position + 1 < len(spans) else len(text)]
        folded = fold(text[start:end])
        if position and (_CLAUSE_END.search(before) or folded in clause_words):
            clause += 1
        words.append(Word(folded, text[start:end], before, after, clause))
    return tuple(words)


@dataclass(frozen=True)
class Phrase(Generic[T]):
    """A phrase of a data file and what it means. ``capitals``: counts only as written, or as whole text."""

    text: str
    value: T
    capitals: bool = False
    confidence: str = "decision"


@dataclass(frozen=True)
class Mention(Generic[T]):
    """A phrase found at the words ``first`` to ``last`` (inclusive)."""

    phrase: Phrase[T]
    first: int
    last: int

    @property
    def value(self) -> T:
        """What the phrase means."""
        return self.phrase.value


class Lexicon(Generic[T]):
    """Phrases of one kind. ``across``: a phrase may run over brackets and semicolons, as in t(4;14)."""

    def __init__(self, phrases: Iterable[Phrase[T]], *, across: bool = False) -> None:
        self._phrases: dict[str, tuple[Phrase[T], int]] = {}
        self._stems: dict[str, Phrase[T]] = {}
        self._across = across
        self._longest = 1
        self._longest_stem = 0
        self._most_words = 1
        for phrase in phrases:
            parts = [fold(word) for word in _WORD.findall(phrase.text)]
            joined = "".join(parts)
            if phrase.text.endswith("*"):
                self._stems.setdefault(joined, phrase)
                self._longest_stem = max(self._longest_stem, len(joined))
                continue
            self._phrases.setdefault(joined, (phrase, len(parts)))
            self._longest = max(self._longest, len(joined))
            # one word more than written: "ide cel" for "idecel"
            self._most_words = max(self._most_words, len(parts) + 1)

    def whole(self, text: str) -> Phrase[T] | None:
        """The phrase that the text as a whole is."""
        joined = "".join(fold(word) for word in _WORD.findall(text))
        hit = self._phrases.get(joined)
        return hit[0] if hit else None

    def mentions(self, words: Sequence[Word]) -> tuple[Mention[T], ...]:
        """Phrases in a text from left to right, the longest at each place, none overlapping."""
        found: list[Mention[T]] = []
        at = 0
        while at < len(words):
            mention = self._at(words, at)
            if mention is None:
                at += 1
            else:
                found.append(mention)
                at = mention.last + 1
        return tuple(found)

    def _at(self, words: Sequence[Word], first: int) -> Mention[T] | None:
        best: Mention[T] | None = None
        joined = ""
        hyphens = True
        for last in range(first, min(first + self._most_words, len(words))):
            if not self._across and words[last].clause != words[first].clause:
                break
            joined += words[last].text
            hyphens = hyphens and (last == first or words[last].joined)
            if len(joined) > self._longest:
                break
            hit = self._phrases.get(joined)
            if hit is None:
                continue
            phrase, written = hit
            count = last - first + 1
            if count > 1 and len(joined) < _SHORT and not hyphens and written != count:
                continue
            if phrase.capitals and not _as_written(phrase.text, words, first, last):
                continue
            best = Mention(phrase, first, last)
        return best or self._stem(words, first)

    def _stem(self, words: Sequence[Word], first: int) -> Mention[T] | None:
        word = words[first].text
        for length in range(min(len(word), self._longest_stem), _SHORT - 1, -1):
            if phrase := self._stems.get(word[:length]):
                return Mention(phrase, first, first)
        return None


def _as_written(text: str, words: Sequence[Word], first: int, last: int) -> bool:
    """Whether an abbreviation stands in its own capitals and untied, or is all there is."""
    if first == 0 and last == len(words) - 1:
        return True
    tied = words[first].joined or (last + 1 < len(words) and words[last + 1].joined)
    return not tied and "".join(word.raw for word in words[first : last + 1]) == text


class Said(Enum):
    """How a mention is meant."""

    SAID = "said"
    NEGATED = "negated"
    HYPOTHETICAL = "hypothetical"
    PAST = "past"


class Context:
    """Judges mentions by the cue words around them."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.clause_words = frozenset(map(fold, raw["clause_words"]))
        self._no_before = frozenset(map(fold, raw["negation_before"]))
        self._no_answer = frozenset(map(fold, raw["answer_no"]))
        self._maybe_before = frozenset(map(fold, raw["hypothetical_before"]))
        self._past_before = frozenset(map(fold, raw["past_before"]))
        self._no_after = frozenset(_joined(cue) for cue in raw["negation_after"])
        self._maybe_after = frozenset(_joined(cue) for cue in raw["hypothetical_after"] if _joined(cue))
        self._question_mark = "?" in raw["hypothetical_after"]
        self.denying_words = self._no_before | self._maybe_before
        """Words after which a mention may be denied or doubted, however far behind."""

    def words(self, text: str) -> tuple[Word, ...]:
        """The words of a text, clauses split at the clause words too."""
        return words_of(text, self.clause_words)

    def judge(
        self,
        words: Sequence[Word],
        mentions: Sequence[Mention[T]],
        same: Callable[[T, T], bool] = operator.eq,
    ) -> tuple[Said, ...]:
        """How each mention is meant.

        A cue inside a mention ("no response") turns no other mention round. A mention that follows a
        negated one of the same meaning over mere connectors is negated too: "no relapse, progression".
        """
        taken = {at for mention in mentions for at in range(mention.first, mention.last + 1)}
        judged: list[Said] = []
        for number, mention in enumerate(mentions):
            said = self._judge_one(words, mention, taken)
            if said is Said.SAID and number and judged[-1] in (Said.NEGATED, Said.HYPOTHETICAL):
                previous = mentions[number - 1]
                between = {word.text for word in words[previous.last + 1 : mention.first]}
                if between <= _CONNECTORS and same(previous.value, mention.value):
                    said = judged[-1]
            judged.append(said)
        return tuple(judged)

    def _judge_one(self, words: Sequence[Word], mention: Mention[T], taken: Collection[int]) -> Said:
        if after := self._after(words, mention):
            return after
        past = False
        for at in self._ahead(words, mention.first):
            if at in taken:
                continue
            word = words[at].text
            if word in self._no_before:
                return Said.NEGATED
            if word in self._maybe_before:
                return Said.HYPOTHETICAL
            past = past or word in self._past_before
        return Said.PAST if past else Said.SAID

    def _ahead(self, words: Sequence[Word], first: int) -> Iterable[int]:
        """Places before a mention in its clause; the word right before a clause word still counts."""
        clause = words[first].clause
        for at in range(first - 1, max(-1, first - 1 - _REACH_BEFORE), -1):
            if words[at].clause != clause:
                # "negativo per recidiva": the clause word opens a clause, its cue stands before it
                if words[at + 1].text in self.clause_words and not _CLAUSE_END.search(words[at + 1].before):
                    yield at
                return
            yield at

    def _after(self, words: Sequence[Word], mention: Mention[T]) -> Said | None:
        trailing = words[mention.last].after
        if self._question_mark and trailing.startswith("?"):
            return Said.HYPOTHETICAL
        following = words[mention.last + 1 : mention.last + 1 + _REACH_AFTER]
        if not following:
            return None
        if (":" in trailing or "=" in trailing) and following[0].text in self._no_answer:
            return Said.NEGATED
        # behind a dash, a bracket or a colon the cue must come at once: "relapse - ruled out"
        if following[0].clause != words[mention.last].clause and "," in trailing:
            return None
        reach = [word for word in following if word.clause == following[0].clause]
        starts = range(len(reach)) if following[0].clause == words[mention.last].clause else range(1)
        for start in starts:
            for end in range(start + 1, len(reach) + 1):
                cue = "".join(word.text for word in reach[start:end])
                if cue in self._no_after:
                    return Said.NEGATED
                if cue in self._maybe_after:
                    return Said.HYPOTHETICAL
        return None


def _joined(text: str) -> str:
    return "".join(fold(word) for word in _WORD.findall(text))


def phrases_of(raw: Iterable[Mapping[str, Any]], value: T) -> list[Phrase[T]]:
    """Phrases of a data file that all mean one thing."""
    return [
        Phrase(entry["text"], value, bool(entry.get("abbreviation", False)), entry["confidence"])
        for entry in raw
    ]
