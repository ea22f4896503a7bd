"""Refractoriness that a text ascribes to drugs by name: "refractory to len and bort", "dara-refractory".

A claim is a head with drugs behind it ("refractory to", "PD on") or a word behind drugs ("X, Y refractory").
It holds within one sentence. What is denied, doubted, asked, said of another disease, of another person or of
patients at large is not read, and no half of it: read wrongly, a drug is withheld; missed, one that failed is
suggested. All words are data: ``refractory_to`` in disease-status.yaml. Every step is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.terminology.words import Context, Lexicon, Mention, Phrase, Said, Word, fold

_Drugs = tuple[str, ...]

_BRACKET = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_UNTICKED = re.compile(r"\[\s?\]|[☐□]")
_SENTENCE_END = re.compile(r"[;!\n\r|•→⇒]|[-=]+>|>|\.(?=\s|$)|(?<=[^\W\d_]{2})\.(?=[^\W\d_])|(?<=\w\?)\s")
_LINE_GOES_ON = re.compile(r"[,/+&-]\Z")
_PAUSE = re.compile(r"[,()\[\]{}–—]|\s-+\s")
_STOP = re.compile(r"[:=()\[\]{}–—<?]|\s-+\s")
_SIGN = re.compile(r"\s*(?:[:=–—]|\s-+\s)\s*\Z")
_TIED = re.compile(r"[-‐‑]?\s*\Z")
_REACH = 8  # words behind the drugs in which a doubt is looked for
_DOSE = 4  # words of a dose between drugs and the word behind them
_BEFORE_BRACKET = 80  # signs before a bracket that are looked at


@dataclass(frozen=True)
class _Item:
    """A drug or regimen of a list, and what parts it from the one before: a comma, an "and", or nothing."""

    parted: str
    mention: Mention[_Drugs]


@dataclass(frozen=True)
class _Claim:
    """Drugs that are said to have failed, from the first to the last word that says so."""

    first: int
    last: int
    items: Sequence[_Item]
    tied: bool = False


class NamedRefractoriness:
    """Finds drugs of which a text says that the disease is refractory to them."""

    def __init__(
        self,
        raw: Mapping[str, Any],
        drug_files: Mapping[str, Any],
        regimens: Mapping[str, Any],
        comorbidities: Mapping[str, Any],
        context: Context,
    ) -> None:
        self._context = context
        self._heads: Lexicon[int] = Lexicon(
            Phrase(text, number, text.isupper())
            for number, claim in enumerate(raw["claims"])
            for text in claim["heads"]
        )
        self._links = tuple(_lexicon(claim["links"]) for claim in raw["claims"])
        self._again = tuple(str(claim.get("again", "")) for claim in raw["claims"])
        same = frozenset(map(fold, raw["repeated"]))
        self._repeated = (same, same | frozenset(map(fold, raw["repeated_any"])))
        self._after = _lexicon(raw["after"])
        self._after_sign = _lexicon([*raw["after"], *raw["after_sign"]])
        self._drugs = Lexicon(_names(raw["short_names"], drug_files, regimens))
        self._wary = frozenset(entry["text"] for entry in raw["short_names"] if entry.get("wary", False))
        self._not_listed = _lexicon(raw["not_listed"])
        self._behind = _lexicon(raw["doubtful_behind"])
        self._neutral = _lexicon(raw["neutral"])
        self._other_meanings = _lexicon(raw["other_meanings"])
        complaints = [p["text"] for entry in comorbidities["comorbidities"] for p in entry.get("phrases", ())]
        self._around = {
            "denied": _lexicon(raw["doubtful_before"]),
            "others": _lexicon(raw["for_others"]),
            "relative": _lexicon(raw["relatives"]),
            "disease": _lexicon(raw["other_diseases"]),
            "subject": _lexicon([*raw["other_subjects"], *complaints]),
            "own": _lexicon(raw["own_subjects"]),
        }
        (
            self._of_what,
            self._adverbs,
            self._connectors,
            self._fillers,
            self._between,
            self._trailing,
            self._units,
            self._dating,
            self._auxiliaries,
            self._governing,
            self._turning,
            self._answers,
        ) = (
            frozenset(map(fold, raw[name]))
            for name in (
                "of_what",
                "adverbs",
                "connectors",
                "fillers",
                "between",
                "trailing",
                "units",
                "dating",
                "auxiliaries",
                "governing",
                "turning",
                "answers",
            )
        )
        links = {fold(link).split()[-1] for claim in raw["claims"] for link in claim["links"]}
        self._joining = (self._connectors | self._fillers | self._dating | links) - self._trailing

    def read(self, text: str) -> tuple[str, ...]:
        """The keys of the drugs, sorted; () where the text names none, denies it or only supposes it."""
        whole = self._context.words(text)
        if not self._named(whole):
            return ()
        spelt = bool(self._other_meanings.mentions(whole))
        found: set[str] = set()
        for sentence in _SENTENCE_END.split(self._without_brackets(self._unwrapped(text))):
            words = self._context.words(sentence)
            found.update(self._of_sentence(words, spelt_out=spelt))
        return tuple(sorted(found))

    def _named(self, words: Sequence[Word]) -> tuple[Mention[_Drugs], ...]:
        """The drugs and regimens that words name; Pd is one only as written so, never PD."""
        return tuple(
            one
            for one in self._drugs.mentions(words)
            if not one.phrase.capitals
            or "".join(word.raw for word in words[one.first : one.last + 1]) == one.phrase.text
        )

    def _unwrapped(self, text: str) -> str:
        """The text with the line breaks taken out that fall within a sentence."""
        parts: list[str] = []
        last = ""
        for line in (one.strip() for one in text.splitlines()):
            ends = last.rpartition(" ")[2]
            goes_on = (
                bool(last)
                and bool(line)
                and (line[0].islower() or bool(_LINE_GOES_ON.search(last)) or fold(ends) in self._joining)
            )
            parts += [" " if goes_on else "\n", line]
            last = line
        return "".join(parts)

    def _without_brackets(self, text: str) -> str:
        """The text without what brackets add ("(2021)"); a doubt in them stays as a question mark.

        A claim behind a drug, and drugs where none stands before, stay as if a sign stood there; so does a
        response that was reached.
        """
        text = _UNTICKED.sub(" ? ", text)
        parts: list[str] = []
        at = 0
        for match in _BRACKET.finditer(text):
            ahead = text[at : match.start()]
            inside = match.group(1)
            words = self._context.words(inside)
            outside = self._context.words(ahead[-_BEFORE_BRACKET:])
            named = self._named(outside)
            after_drug = bool(named) and named[-1].last == len(outside) - 1
            claims = self._after_sign.mentions(words)
            parts.append(ahead)
            if "?" in inside or self._is_doubt(words):
                parts.append("? ")
            elif any(self._around[kind].mentions(words) for kind in ("disease", "relative")):
                parts.append(match.group())
            elif after_drug and claims and claims[0].first == 0 and not self._heads.mentions(outside):
                parts.append(f" = {inside},")
            elif any(one.phrase.capitals for one in self._not_listed.mentions(words)):
                parts.append(f" {inside} ")  # "daratumumab (VGPR), lenalidomide (PD)"
            elif not after_drug and self._named(words):
                parts.append(f": {inside} ")
            at = match.end()
        parts.append(text[at:])
        return "".join(parts)

    def _is_doubt(self, words: Sequence[Word]) -> bool:
        """Whether the words of a bracket take back what stands before it."""
        if not words:
            return False
        if words[0].text in self._answers and not self._named(words):
            return True
        behind = self._behind.mentions(words)
        return bool(behind) or (len(words) == 1 and words[0].text in self._context.denying_words)

    def _of_sentence(self, words: Sequence[Word], *, spelt_out: bool) -> set[str]:
        """The drugs claimed in a sentence. ``spelt_out``: abbreviations mean something else in this text."""
        drugs = self._named(words)
        if not drugs:
            return set()
        heads = [one for one in self._heads.mentions(words) if not (spelt_out and one.phrase.capitals)]
        claims = [*self._before_drugs(words, drugs, heads)]
        opened = {at for claim in claims for at in range(claim.first, claim.last + 1)}
        claims += self._behind_drugs(words, drugs, opened, spelt_out=spelt_out)
        if not claims:
            return set()
        spans = [Mention(Phrase("", None), claim.first, claim.last) for claim in claims]
        neutral = [Mention(Phrase("", None), one.first, one.last) for one in self._neutral.mentions(words)]
        asides = [*neutral, *(Mention(Phrase("", None), one.first, one.last) for one in heads)]
        judged = self._context.judge(words, [*spans, *asides], lambda one, other: False)
        refused = self._refused(words, asides)
        behind = {mention.first: mention.last for mention in self._behind.mentions(words)}
        for at in self._foreign(words):  # "progression on X of neuropathy"
            if at and words[at - 1].text in self._of_what:
                behind[at - 1] = at
        starts = {head.first for head in heads}
        return {
            drug
            for claim, how in zip(claims, judged, strict=False)
            if how in (Said.SAID, Said.PAST)
            and not refused[claim.first]
            and not self._doubted(words, claim, behind, starts)
            for item in claim.items
            if self._is_meant(words, item, claim)
            for drug in item.mention.value
        }

    def _before_drugs(
        self, words: Sequence[Word], drugs: Sequence[Mention[_Drugs]], heads: Sequence[Mention[int]]
    ) -> Iterator[_Claim]:
        """Claims with their drugs behind them: "refractory to X and Y"."""
        by_first = {drug.first: drug for drug in drugs}
        ends = {drug.last for drug in drugs}
        after = {mention.first for mention in self._after.mentions(words)}
        links = [{link.first: link for link in lexicon.mentions(words)} for lexicon in self._links]
        for head in heads:
            at = head.last + 1
            own = links[head.value]
            same: Phrase[bool] | None = None
            if again := self._again[head.value]:
                while at < len(words) and self._leads_to_link(words, at, own):
                    at += 1
                if at not in own or _STOP.search(words[at].before) or "," in words[at].before:
                    continue
                same = own[at].phrase if again == "same" else None
                at = own[at].last + 1
            # "from len refractory to dara": of which of the two it is said cannot be told
            if head.first - 1 in ends and head.first in after and _TIED.match(words[head.first].before):
                continue
            items = self._listed(words, by_first, own, at, same)
            if items:
                yield _Claim(head.first, items[-1].mention.last, items)

    def _leads_to_link(self, words: Sequence[Word], at: int, links: Mapping[int, Any]) -> bool:
        """Whether a word between a head and its link may be passed over: "PD in 2021 on", "sia a"."""
        word = words[at]
        if _STOP.search(word.before) or "," in word.before:
            return False
        if at in links or word.text in self._dating:
            return self._is_dated(words, at + 1)
        return word.text in self._connectors | self._adverbs or self._is_dated(words, at)

    def _is_dated(self, words: Sequence[Word], at: int) -> bool:
        """Whether a figure, a month or a unit stands at a place."""
        return at < len(words) and (words[at].text[0].isdigit() or words[at].text in self._units)

    def _listed(
        self,
        words: Sequence[Word],
        drugs: Mapping[int, Mention[_Drugs]],
        links: Mapping[int, Mention[bool]],
        start: int,
        same: Phrase[bool] | None,
    ) -> list[_Item]:
        """The drugs named one after another from a place on; ``same``: the only link that may stand again."""
        items: list[_Item] = []
        parted = ""
        colon = False
        at = start
        while at < len(words):
            word = words[at]
            if _STOP.search(word.before):
                if items or ":" not in word.before:
                    break
                colon = True
            if "," in word.before:
                if not items:
                    break
                parted = ","
            again = self._goes_on(links, at, same, parted)
            if drug := drugs.get(at):
                items.append(_Item(parted, drug))
                parted = ""
                at = drug.last + 1
            elif again:
                at = links[at].last + 1
            elif word.text in self._repeated[same is None] and self._goes_on(links, at + 1, same, parted):
                at += 1
            elif word.text in self._connectors:
                parted = parted or ("and" if items else "")
                at += 1
            elif self._is_passed_over(words, at, bool(items), parted):
                at += 1
            else:
                break
        return self._without_what_comes_next(words, items, colon)

    @staticmethod
    def _goes_on(links: Mapping[int, Mention[bool]], at: int, same: Phrase[bool] | None, parted: str) -> bool:
        """Whether a link at a place goes on with the list: "to X and to Y"."""
        link = links.get(at)
        return link is not None and (
            bool(parted) if same is None else parted == "and" and link.phrase is same
        )

    def _is_passed_over(self, words: Sequence[Word], at: int, listing: bool, parted: str) -> bool:
        text = words[at].text
        if not listing:
            return text in self._fillers
        if parted:
            return text in self._between
        if self._is_dated(words, at) or text in self._trailing:
            return True
        if text not in self._dating or at + 1 == len(words):
            return False
        return self._is_dated(words, at + 1) or words[at + 1].text in self._trailing

    def _without_what_comes_next(self, words: Sequence[Word], items: list[_Item], colon: bool) -> list[_Item]:
        """The list without the drugs at its end that are started or planned: "PD on X, Y started"."""
        if not items:
            return items
        at = items[-1].mention.last + 1
        while at < len(words) and not _PAUSE.search(words[at].before):
            if self._not_listed.mentions(words[at : at + 2])[:1] and self._opens_not_listed(words, at):
                for parted in (",", "and"):
                    cut = [number for number, item in enumerate(items) if item.parted == parted]
                    if cut:
                        return items[: cut[-1]]
                return [] if colon else items
            text = words[at].text
            if not (text in self._auxiliaries or text in self._units or text[0].isdigit()):
                break
            at += 1
        return items

    def _opens_not_listed(self, words: Sequence[Word], at: int) -> bool:
        return self._not_listed.mentions(words[at : at + 2])[0].first == 0

    def _behind_drugs(
        self,
        words: Sequence[Word],
        drugs: Sequence[Mention[_Drugs]],
        opened: Iterable[int],
        *,
        spelt_out: bool,
    ) -> Iterator[_Claim]:
        """Claims behind their drugs: "X and Y refractory", "X: PD"."""
        by_last = {drug.last: drug for drug in drugs}
        foreign = self._foreign(words)
        taken = set(opened)
        ties = {mention.first: mention for mention in self._after.mentions(words)}
        signed = {mention.first: mention for mention in self._after_sign.mentions(words)}
        for first in sorted(ties.keys() | signed.keys()):
            sign = words[first].before
            tied, by_sign = bool(_TIED.match(sign)), bool(_SIGN.match(sign))
            mention = ties.get(first) if tied else signed.get(first) if by_sign else None
            if mention is None or first in taken or mention.last + 1 in foreign:
                continue
            if spelt_out and mention.phrase.capitals:
                continue
            items = self._run(words, by_last, first - 1, governed=not by_sign, alone="=" in sign)
            if items:
                yield _Claim(items[0].mention.first, mention.last, items, tied=words[first].joined)

    def _run(
        self,
        words: Sequence[Word],
        by_last: Mapping[int, Mention[_Drugs]],
        at: int,
        *,
        governed: bool,
        alone: bool,
    ) -> list[_Item]:
        """The list of drugs that ends at a word."""
        items: list[_Item] = []
        for _ in range(_DOSE):  # "lenalidomide 10 mg refractory"
            dose = at >= 0 and (self._is_dated(words, at) or words[at].text in self._trailing)
            if at in by_last or not dose or words[at].before.strip(" /."):
                break
            at -= 1
        while drug := by_last.get(at):
            parted = ""
            at = drug.first - 1
            sign = words[drug.first].before
            while at >= 0 and words[at].text in self._connectors and not _STOP.search(sign):
                sign = words[at].before + sign
                parted = "and"
                at -= 1
            parted = "," if "," in sign else parted
            items.append(_Item(parted, drug))
            if _STOP.search(sign):
                break
        items.reverse()
        if not items:
            return items
        first = items[0].mention.first
        ahead = words[first - 1] if first else None
        free = ahead is None or words[first].before.strip() != "" or ahead.text not in self._governing
        # "responded to X, Y refractory": X belongs to the word before it; "X, Y (PD)": each has its bracket
        parting = ("and", ",") if governed and not free else (",",) if alone else ()
        cut = [number for number, item in enumerate(items) if number and item.parted in parting]
        return items[cut[-1] :] if cut else items

    def _foreign(self, words: Sequence[Word]) -> set[int]:
        """Where another disease or complaint is named."""
        return {one.first for kind in ("disease", "subject") for one in self._around[kind].mentions(words)}

    def _refused(self, words: Sequence[Word], asides: Sequence[Mention[Any]]) -> list[bool]:
        """For each word whether a claim that begins there is denied, doubted or said of something else."""
        aside = {at for mention in asides for at in range(mention.first, mention.last + 1)}
        ends = {mention.last for mention in asides}
        own = self._around["own"].mentions(words)
        within = {at for mention in own for at in range(mention.first + 1, mention.last + 1)}
        marks: dict[int, set[str]] = {}
        for kind, lexicon in self._around.items():
            for mention in lexicon.mentions(words):
                if mention.first not in within:  # "plasma cell leukemia" is no other disease
                    marks.setdefault(mention.first, set()).add(kind)
        said: set[str] = set()
        refused: list[bool] = []
        for at, word in enumerate(words):
            paused = bool(_PAUSE.search(word.before))
            if (paused and at - 1 not in ends) or word.text in self._turning:
                said -= {"denied", "subject"}
            if word.text in self._connectors or word.text in ("with", "con"):
                said.discard("subject")
            here = marks.get(at, set())
            if "own" in here:
                said -= {"disease", "subject"}
            if "?" in word.before:
                said.add("denied")
            refused.append(bool(said))
            said |= here - {"own"} if at not in aside else set()
            if at not in aside and word.text in self._context.denying_words:
                said.add("denied")
        return refused

    def _doubted(
        self, words: Sequence[Word], claim: _Claim, behind: Mapping[int, int], heads: Iterable[int]
    ) -> bool:
        """Whether what stands within or behind a claim takes it back."""
        if any("?" in words[at].after for at in range(claim.first, claim.last + 1)):
            return True
        first = claim.last + 1
        if first == len(words):
            return False
        sign = words[first].before
        if words[first].text in self._answers and self._ends(words, first):
            return True
        for at in range(first, min(first + _REACH, len(words))):
            if at > first and (
                _PAUSE.search(words[at].before) or words[at].text in self._turning or at in heads
            ):
                return False
            if words[at].text in self._answers and _STOP.search(words[at].before):
                return True
            last = behind.get(at)
            if last is not None and ("," not in sign or self._ends(words, last)):
                return True
            if "," in sign and at not in behind:
                return False
            if "?" in words[at].after:
                return True
        return False

    @staticmethod
    def _ends(words: Sequence[Word], at: int) -> bool:
        return at + 1 == len(words) or bool(_PAUSE.search(words[at + 1].before))

    def _is_meant(self, words: Sequence[Word], item: _Item, claim: _Claim) -> bool:
        """Whether a short name that is also a word means the drug here."""
        if item.mention.phrase.text not in self._wary or claim.tied or len(claim.items) > 1:
            return True
        raw = words[item.mention.first].raw
        return raw.isupper() or (raw[0].isupper() and item.mention.first > 0)


def _lexicon(texts: Iterable[str]) -> Lexicon[bool]:
    """Phrases that mean one thing; one in capitals counts in capitals alone."""
    return Lexicon(Phrase(text, True, text.isupper()) for text in texts)


def _names(
    short: Iterable[Mapping[str, Any]], drug_files: Mapping[str, Any], regimens: Mapping[str, Any]
) -> Iterator[Phrase[_Drugs]]:
    """Names of drugs; those that do not count (steroids, supportive ones) stand for none, but are listed."""
    counting = {drug["key"] for drug in drug_files.values() if drug["role"] == "anti-myeloma"}
    for drug in drug_files.values():
        for name in drug["names"]:
            yield Phrase(name["text"], (drug["key"],) if drug["key"] in counting else ())
    for entry in short:
        yield Phrase(entry["text"], (str(entry["drug"]),))
    for entry in regimens["regimens"]:
        for name in entry["names"]:
            if not name.get("ambiguous", False):
                yield Phrase(name["text"], tuple(d for d in entry["components"] if d in counting))
    for entry in regimens["regimens"]:
        for name in entry["names"]:
            if name.get("ambiguous", False):
                yield Phrase(name["text"], tuple(d for d in entry["components"] if d in counting), True)
