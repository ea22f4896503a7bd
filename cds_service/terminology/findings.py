"""Observations, procedures, comorbidities, and numbers of lines of therapy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cds_service.terminology.codes import CodeIndex, Found, Systems, entries_of
from cds_service.terminology.concepts import (
    ComorbidityMatch,
    Concept,
    ObservationMatch,
    PlanMatch,
    ProcedureMatch,
)
from cds_service.terminology.denials import Denials, sentences
from cds_service.terminology.drugs import Drugs
from cds_service.terminology.feasibility import Feasibility
from cds_service.terminology.units import ucum_factor
from cds_service.terminology.words import Context, Lexicon, Mention, Phrase, Said, fold, phrases_of, words_of

_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_GRADES = ("mild", "moderate", "severe")
_NUMBERS_AT_MOST = 1e9  # of what has no bounds of its own: no value of a person is larger in a usual unit


def _texts(concept: Concept) -> list[str]:
    texts = (concept.text, *(coding.display for coding in concept.codings))
    return list(dict.fromkeys(text for text in texts if text.strip()))


def unit_spelled(unit: str) -> str:
    """A unit without capitals, spaces and typographic signs, for comparing."""
    plain = re.sub(r"([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda m: "^" + m[1].translate(_SUPERSCRIPT), unit)
    plain = plain.replace("µ", "u").replace("μ", "u").replace("×", "x").replace("·", "*")
    return re.sub(r"\s+", "", plain.casefold())


class Observations:
    """Reads what was measured, in which unit, and coded results."""

    def __init__(self, raw: Mapping[str, Any], systems: Systems, context: Context) -> None:
        self._context = context
        self._codes = CodeIndex(systems, ((e, o["key"]) for e, o in entries_of(raw["observations"])))
        self._fillers = frozenset(raw["fillers"])
        self._names: Lexicon[str] = Lexicon(
            (p for o in raw["observations"] for p in phrases_of(o.get("phrases", ()), o["key"])), across=True
        )
        self._units: dict[str, str] = {o["key"]: o["unit"] for o in raw["observations"]}
        self._factors: dict[str, dict[str, float]] = {
            o["key"]: {unit_spelled(u["text"]): float(u["factor"]) for u in o.get("units", ())}
            for o in raw["observations"]
        }
        self._plausible: dict[str, tuple[float, float]] = {
            o["key"]: (float(o["plausible"][0]), float(o["plausible"][1]))
            for o in raw["observations"]
            if "plausible" in o
        }
        self._whole = frozenset(o["key"] for o in raw["observations"] if o.get("whole", False))
        self._result_codes: CodeIndex[str] = CodeIndex(
            systems, ((e, e["means"]) for e in raw["results"]["codes"])
        )
        self._result_words: Lexicon[str] = Lexicon(
            Phrase(e["text"], e["means"]) for e in raw["results"]["phrases"]
        )
        self._components: CodeIndex[str] = CodeIndex(systems, ((e, e["means"]) for e in raw["components"]))

    def read(self, concept: Concept) -> ObservationMatch | None:
        """What was observed; a name counts only as a whole, so "urine albumin" is no serum albumin."""
        known = [self._codes.find(coding) for coding in concept.codings]
        hits = [found for found in known if found is not None and found.value is not None]
        if hits:
            key = hits[0].value or ""
            doubt = hits[0].doubt
            if len({hit.value for hit in hits}) > 1:
                doubt = f"The codes of one observation disagree; {key} was taken."
            return ObservationMatch(key, self._units[key], doubt)
        for text in _texts(concept):
            if phrase := self._named(text):
                return ObservationMatch(phrase.value, self._units[phrase.value])
        return None

    def _named(self, text: str) -> Phrase[str] | None:
        without_brackets = re.sub(r"\([^()]*\)|\[[^\[\]]*\]", " ", text)
        for candidate in (text, without_brackets):
            plain = " ".join(w.text for w in words_of(candidate) if w.text not in self._fillers)
            if phrase := self._names.whole(candidate) or self._names.whole(plain):
                return phrase
        return None

    def component(self, concept: Concept) -> str:
        """The part of a genomics report that a code names ("gene-studied", "del-17p"), or ""."""
        hits = (self._components.find(coding) for coding in concept.codings)
        return next((hit.value for hit in hits if hit is not None and hit.value), "")

    def convert(self, key: str, value: float, unit: str) -> float | None:
        """A value in the observation's own unit; None where the unit is unknown or fits not."""
        factor = self._factors.get(key, {}).get(unit_spelled(unit))
        if factor is None and unit and self._units.get(key):
            factor = ucum_factor(unit, self._units[key])
        return None if factor is None else float(f"{value * factor:.10g}")  # no noise of binary fractions

    def plausible(self, key: str, value: float) -> bool:
        """Whether a living person may show the value, in the observation's own unit."""
        low, high = self._plausible.get(key, (-_NUMBERS_AT_MOST, _NUMBERS_AT_MOST))
        return low <= value <= high and (key not in self._whole or value == int(value))

    def result(self, concept: Concept) -> str:
        """A coded or textual result as lower-case words: "positive", "absent", "ecog:1", or the text."""
        for coding in concept.codings:
            if (found := self._result_codes.find(coding)) is not None and found.value:
                return found.value
        for text in _texts(concept):
            if phrase := self._result_words.whole(text):
                return phrase.value
            words = self._context.words(text)
            mentions = self._result_words.mentions(words)
            judged = self._context.judge(words, mentions)
            meanings = {m.value for m, how in zip(mentions, judged, strict=True) if how is Said.SAID}
            if len(meanings) == 1 and len(mentions) == 1:
                return meanings.pop()
        return next((text.strip().casefold() for text in _texts(concept)), "")


class Procedures:
    """Reads kinds of procedures."""

    def __init__(self, raw: Mapping[str, Any], drugs: Drugs, systems: Systems, context: Context) -> None:
        self._context = context
        self._drugs = drugs
        self._codes = CodeIndex(systems, ((e, kind["key"]) for e, kind in entries_of(raw["kinds"])))
        self._words: Lexicon[str] = Lexicon(
            p for kind in raw["kinds"] for p in phrases_of(kind.get("phrases", ()), kind["key"])
        )
        self._refines = {(entry["kind"], of) for entry in raw["refines"] for of in entry["of"]}
        # Infusing a drug that is a single infusion is this kind of procedure, named or not.
        self._one_off_kind = "cart-infusion"
        self._plans = {kind["key"]: kind for kind in raw["kinds"] if "plan" in kind}
        self._feasibility = Feasibility(raw["car_t_words"])
        requests = raw["requests"]
        self._not_itself, self._other_cells, self._put_off = (
            Lexicon(Phrase(text, True) for text in requests[key])
            for key in ("not_itself", "other_cells", "put_off")
        )

    def read(self, concept: Concept) -> ProcedureMatch | None:
        """The kind; words refine a code that does not tell ("Autologous ..." beside a bare transplant)."""
        hits = [h for coding in concept.codings if (h := self._codes.find(coding)) and h.value]
        texts = _texts(concept) if not hits else [concept.text]
        spoken = [kind for text in texts if text for kind in self._kinds_in(text)]
        infused = next((d for text in texts if text and (d := self._drugs.one_off_in(text))), "")
        if not hits:
            if not spoken:
                return ProcedureMatch(self._one_off_kind, infused) if infused else None
            kind = self._closest(spoken)
            return ProcedureMatch(kind, infused if kind == self._one_off_kind else "")
        kind = self._closest([hit.value or "" for hit in hits])
        best = next(hit for hit in hits if hit.value == kind)
        doubts = [best.doubt] if best.doubt else []
        if len({hit.value for hit in hits if not self._covers(kind, hit.value or "")}) > 1:
            doubts.append(f"The codes of one procedure disagree; {kind} was taken.")
        if spoken and kind not in spoken:
            closer = self._closest(spoken)
            if (closer, kind) in self._refines:
                kind = closer
            elif not self._covers(kind, closer):
                doubts.append(f"The code says {kind}, the words say {closer}; the code was taken.")
        drug = str(best.entry.get("drug", "")) or (infused if kind == self._one_off_kind else "")
        return ProcedureMatch(kind, drug, " ".join(doubts))

    def planned(self, concept: Concept, reasons: Sequence[str] = ()) -> PlanMatch | None:
        """The plan that a request for this is; None where it asks for something else, or for other cells.

        ``reasons`` are the words for what it is asked.
        """
        match = self.read(concept)
        if match is None or match.kind not in self._plans:
            return None
        said = _texts(concept)
        coded = any((found := self._codes.find(c)) and found.value for c in concept.codings)
        if not coded and any(self._not_itself.mentions(words_of(text)) for text in said):
            return None
        kind = self._plans[match.kind]
        named = any(self._feasibility.names(text) for text in (*said, *reasons))
        apheresis = kind["plan"] == "apheresis"
        others = any(self._other_cells.mentions(words_of(text)) for text in (*said, *reasons))
        if apheresis and others and not named:
            return None
        of_t_cells = bool(kind.get("of_t_cells", False)) or (apheresis and named)
        return PlanMatch(match.kind, kind["plan"], of_t_cells, match.drug, match.doubt)

    def is_put_off(self, reason: str) -> bool:
        """Whether the words for why something was not done say that it was only put off."""
        return bool(self._put_off.mentions(words_of(reason)))

    def feasible(self, text: str) -> bool | None:
        """Whether words say that CAR-T cells can be given to the patient; None where they say neither."""
        return self._feasibility.read(text)

    def feasible_answer(self, question: str, answer: str) -> bool | None:
        """The same of a question with its answer."""
        return self._feasibility.answered(question, answer)

    def _covers(self, kind: str, other: str) -> bool:
        return (kind, other) in self._refines

    def _closest(self, kinds: Sequence[str]) -> str:
        """The first kind that none of the others refines."""
        return next(k for k in kinds if not any((other, k) in self._refines for other in kinds))

    def _kinds_in(self, text: str) -> list[str]:
        words = self._context.words(text)
        mentions = self._words.mentions(words)
        judged = self._context.judge(words, mentions)
        return [m.value for m, how in zip(mentions, judged, strict=True) if how in (Said.SAID, Said.PAST)]


class Comorbidities:
    """Reads comorbidities and how grave they are."""

    def __init__(
        self, raw: Mapping[str, Any], not_the_patient: Sequence[str], systems: Systems, context: Context
    ) -> None:
        self._context = context
        self.codes: CodeIndex[str] = CodeIndex(
            systems, ((e, c["key"]) for e, c in entries_of(raw["comorbidities"]))
        )
        self._words: Lexicon[str] = Lexicon(
            p for c in raw["comorbidities"] for p in phrases_of(c.get("phrases", ()), c["key"])
        )
        self._specific = {(entry["concept"], over) for entry in raw["specific"] for over in entry["over"]}
        self._severity_codes: CodeIndex[str] = CodeIndex(
            systems, ((e, e["means"]) for e in raw["severities"]["codes"])
        )
        self._severity_words: Lexicon[str] = Lexicon(
            (Phrase(e["text"], e["means"]) for e in raw["severities"]["phrases"]), across=True
        )
        self._scales = tuple((s["scale"], frozenset(s["concepts"])) for s in raw["scales"])
        self._relatives: Lexicon[bool] = Lexicon((Phrase(t, True) for t in not_the_patient), across=True)
        self._denials = Denials(raw["denials"])
        self._in_reports = frozenset(raw["in_reports"])
        asked = raw["questions"]
        self._asked_fillers = frozenset(map(fold, asked["fillers"]))
        self._graded = frozenset(map(fold, asked["graded"]))
        self._past = frozenset(map(fold, asked["past"]))
        self._passing = frozenset(asked["passing"])
        self._scale_codes: CodeIndex[str] = CodeIndex(systems, ((e, e["means"]) for e in asked["codes"]))
        self._scale_names: Lexicon[str] = Lexicon(Phrase(e["text"], e["means"]) for e in asked["phrases"])
        self._scale_of = {entry["scale"]: entry["concept"] for entry in asked["scales"]}

    def denied(self, concept: Concept) -> tuple[str, ...]:
        """The comorbidities that the words say the patient does not have; not those that they also affirm."""
        texts = _texts(concept)
        if any(self._relatives.mentions(self._context.words(text)) for text in texts):
            return ()
        said = {k for text in texts for k in self._named(text)}
        return tuple(dict.fromkeys(k for text in texts for k in self._denials.read(text) if k not in said))

    def named_as_a_whole(self, concept: Concept) -> str:
        """The comorbidity whose common name an entry bears ("heart failure", not "diastolic ..."), or ""."""
        return next((key for text in _texts(concept) if (key := self._denials.named(text))), "")

    def in_reports(self, key: str) -> bool:
        """Whether reports tell of the comorbidity in passing."""
        return key in self._in_reports

    def told_in(self, report: str) -> tuple[tuple[str, bool], ...]:
        """What a report says in passing of what reports tell of: the key, and whether it is there."""
        said = [key for key in self._named(report) if key in self._in_reports]
        no = [k for k in self._denials.read(report) if k in self._in_reports and k not in said]
        return (*((key, True) for key in dict.fromkeys(said)), *((key, False) for key in no))

    def asks(self, question: Concept) -> bool:
        """Whether a question asks for a comorbidity, or for its grade or class."""
        return bool(self._scale(question) or self._asked_for(question)[0])

    def _scale(self, question: Concept) -> str:
        """The scale that a question asks for ("NYHA class"), or ""."""
        coded = (found.value for c in question.codings if (found := self._scale_codes.find(c)) is not None)
        named = (p.value for text in _texts(question) if (p := self._scale_names.whole(text)))
        return next((scale for scale in (*coded, *named) if scale), "")

    def answered(
        self, question: Concept, answer: Concept, number: float | None, result: str
    ) -> ComorbidityMatch | None:
        """What question and answer say of a comorbidity: "Neuropathy, CTCAE grade" and 2, "COPD" and "no".

        ``number`` is a bare number, ``result`` the answer as a known word ("present", "negative", "grade 0").
        None where the question asks for nothing of that kind, or the answer tells nothing.
        """
        words = [w.text for text in _texts(question) for w in words_of(text)]
        if scale := self._scale(question):
            grade = _roman(answer, number)
            return ComorbidityMatch(self._scale_of[scale], f"{scale}-{grade}") if grade else None
        key, whole = self._asked_for(question)
        if not key or (key in self._passing and self._past.intersection(words)):
            return None
        severity = next((s for text in _texts(answer) for s in self._severities_in(key, text)), "")
        if severity:
            return ComorbidityMatch(key, severity)
        if self._graded.intersection(words):
            digit = _lone_digit(answer, number)
            if digit is not None and 0 < digit <= _HIGHEST_GRADE:
                return ComorbidityMatch(key, f"grade-{digit}")
            if digit == 0:
                return ComorbidityMatch(key, present=False) if whole else None
        if result in ("present", "positive"):
            return ComorbidityMatch(key)
        if result in ("absent", "negative") and whole:
            return ComorbidityMatch(key, present=False)
        return None

    def _asked_for(self, question: Concept) -> tuple[str, bool]:
        """The comorbidity that a question names, nothing but fillers beside; and whether the whole of it."""
        for text in _texts(question):
            for candidate in (text, re.sub(r"\([^()]*\)|\[[^\[\]]*\]", " ", text)):
                plain = " ".join(w.text for w in words_of(candidate) if w.text not in self._asked_fillers)
                if key := self._denials.named(plain):
                    return key, True
                if phrase := self._words.whole(plain):
                    return phrase.value, False
        found = (self.codes.find(coding) for coding in question.codings)
        return next((hit.value for hit in found if hit is not None and hit.value), ""), False

    def read(
        self, concept: Concept, severity: Concept | None, *, by_words: bool = True
    ) -> ComorbidityMatch | None:
        """The comorbidity, with its severity from the code, the words or the severity field.

        ``by_words`` False: a code says that the entry is something else, so its words name no comorbidity
        ("myeloma in relapse - ruled out, light chains rose during pneumonia").
        """
        found = [self.codes.find(coding) for coding in concept.codings]
        hits = [hit for hit in found if hit is not None and hit.value]
        texts = _texts(concept)
        if any(self._relatives.mentions(self._context.words(text)) for text in texts):
            return None
        key = self._closest([hit.value or "" for hit in hits]) if hits else ""
        named = [k for text in texts for k in self._named(text)]
        if key:
            key = next((k for k in named if (k, key) in self._specific), key)
        elif named and by_words:
            key = self._closest(named)
        if not key:
            return None
        doubt = next((hit.doubt for hit in hits if hit.value == key and hit.doubt), "")
        return ComorbidityMatch(key, self._severity(key, hits, texts, severity), doubt)

    def _closest(self, keys: Sequence[str]) -> str:
        return next(k for k in keys if not any((other, k) in self._specific for other in keys))

    def _named(self, text: str) -> list[str]:
        """What a text affirms, sentence by sentence; of "no X, Y or Z" none, whatever its commas."""
        found: list[str] = []
        for sentence in sentences(text):
            words = self._context.words(sentence)
            mentions = self._words.mentions(words)
            if not mentions:
                continue
            judged = self._context.judge(words, mentions)
            denied = self._denials.read(sentence)
            reach = self._denials.reach(words, mentions)
            found += [
                m.value
                for m, how in zip(mentions, judged, strict=True)
                if how in (Said.SAID, Said.PAST)
                and m.value not in denied
                and m.first >= reach
                and not self._denials.turned(words, m)
            ]
        return found

    def _severity(
        self, key: str, hits: Sequence[Found[str]], texts: Sequence[str], severity: Concept | None
    ) -> str:
        field_texts = _texts(severity) if severity else []
        spoken = [s for text in (*texts, *field_texts) for s in self._severities_in(key, text)]
        numbered = [s for s in spoken if s not in _GRADES]
        if numbered:
            return max(numbered)  # the graver of one scale; scales are not mixed in one entry
        if coded := next((h.entry["severity"] for h in hits if h.value == key and "severity" in h.entry), ""):
            return str(coded)
        if severity is not None:
            for coding in severity.codings:
                if (found := self._severity_codes.find(coding)) is not None and found.value:
                    return found.value
        return max(spoken, key=_GRADES.index) if spoken else ""

    def _severities_in(self, key: str, text: str) -> list[str]:
        mentions: Sequence[Mention[str]] = self._severity_words.mentions(self._context.words(text))
        return [m.value for m in mentions if self._fits(key, m.value)]

    def _fits(self, key: str, severity: str) -> bool:
        """Whether a scale is used for the comorbidity: NYHA for the heart, stages for the kidney."""
        return all(key in keys for scale, keys in self._scales if severity.startswith(scale))


class Lesions:
    """Reads whether the words of imaging state a new lesion of myeloma. Any doubt makes it none."""

    _FURTHEST = 6  # words from "new" to "lesion": "new 12 mm large lytic bone lesion"
    _DECIMAL = re.compile(r"(?<=\d)[.,](?=\d)")
    _SENTENCE_END = re.compile(r"[.;!\n]")
    _AFTER = 3

    def __init__(self, raw: Mapping[str, Any], context: Context) -> None:
        words = {key: frozenset(map(fold, raw[key])) for key in raw}
        self._new, self._kind, self._lesion = words["new"], words["kind"], words["lesion"]
        self._of_myeloma, self._not_new, self._joining = (
            words["of_myeloma"],
            words["not_new"],
            words["joining"],
        )
        self._turns = words["turns"]
        self._denied_before = words["denied_before"] | context.denying_words
        self._denied_after = words["denied_after"]

    def new(self, text: str) -> bool:
        """Whether a sentence of the text says, and does not deny or doubt, that a lesion is new."""
        plain = self._DECIMAL.sub("", text)
        return any(self._says(sentence) for sentence in self._SENTENCE_END.split(plain))

    def _says(self, sentence: str) -> bool:
        if "?" in sentence:
            return False
        words = [word.text for word in words_of(sentence)]
        if self._not_new.intersection(words):
            return False
        start = 0  # "no fracture, but a new lesion": a turn of the sentence ends what stood before
        for at, word in enumerate(words):
            if word in self._turns:
                start = at + 1
            end = self._lesion_after(words, at) if word in self._new else None
            if end is None or self._denied_before.intersection(words[start:end]):
                continue
            if not self._denied_after.intersection(words[end + 1 : end + 1 + self._AFTER]):
                return True
        return False

    def _lesion_after(self, words: Sequence[str], new: int) -> int | None:
        """The place of the lesion that the word "new" at ``new`` is said of; None where there is none."""
        of_myeloma = False
        for at in range(new + 1, min(new + 1 + self._FURTHEST, len(words))):
            word = words[at]
            if word in self._joining:
                return None
            if word in self._of_myeloma:
                return at
            if word in self._lesion:
                behind = at + 1 < len(words) and words[at + 1] in self._kind
                return at + behind if of_myeloma or behind else None
            of_myeloma = of_myeloma or word in self._kind
        return None


_HIGHEST_GRADE = 5  # CTCAE
_ROMAN = {"i": "I", "ii": "II", "iii": "III", "iv": "IV", "1": "I", "2": "II", "3": "III", "4": "IV"}


def _roman(answer: Concept, number: float | None) -> str:
    """The class from I to IV that an answer names, the graver of two; "" where it names none."""
    if number is not None:
        return _ROMAN.get(f"{number:g}", "")
    spoken = [w.text for text in _texts(answer) for w in words_of(text)]
    named = [_ROMAN[word] for word in spoken if word in _ROMAN]
    return max(named, key=list(_ROMAN.values()).index) if named else ""


def _lone_digit(answer: Concept, number: float | None) -> int | None:
    """The whole number that an answer is, or holds alone."""
    if number is not None:
        return int(number) if number == int(number) else None
    digits = [w.text for text in _texts(answer)[:1] for w in words_of(text) if w.text.isdigit()]
    return int(digits[0]) if len(digits) == 1 and len(digits[0]) == 1 else None


_ORDINALS = {
    word: number
    for number, group in enumerate(
        (
            "first prima i 1st 1a 1o",
            "second seconda ii 2nd 2a 2o",
            "third terza iii 3rd 3a 3o",
            "fourth quarta iv 4th 4a 4o",
            "fifth quinta v 5th 5a 5o",
            "sixth sesta vi 6th 6a 6o",
            "seventh settima vii 7th 7a 7o",
            "eighth ottava viii 8th 8a 8o",
        ),
        start=1,
    )
    for word in group.split()
}
_LINE_WORDS = frozenset({"line", "linea", "lot"})
_BETWEEN = frozenset(
    {"of", "therapy", "treatment", "terapia", "trattamento", "di", "number", "numero", "n", "nr", "no"}
)
_LINES_AT_MOST = 20


def line_number(text: str) -> int | None:
    """The number of a line of therapy that a text names: "2nd line", "linea 2", "seconda linea", "3L".

    None where it names none, or several.
    """
    words = [fold(word.text) for word in words_of(text)]
    numbers = set()
    for at, word in enumerate(words):
        if match := re.fullmatch(r"(\d{1,2})l", word):
            numbers.add(int(match[1]))
        if word not in _LINE_WORDS:
            continue
        if at and (before := _ordinal(words[at - 1])):
            numbers.add(before)
            continue
        following = at + 1
        while following < len(words) and words[following] in _BETWEEN:
            following += 1
        if following < len(words) and (after := _ordinal(words[following])):
            numbers.add(after)
    return numbers.pop() if len(numbers) == 1 else None


def _ordinal(word: str) -> int | None:
    number = int(word) if word.isdigit() else _ORDINALS.get(word)
    return number if number is not None and 1 <= number <= _LINES_AT_MOST else None
