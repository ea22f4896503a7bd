"""Cytogenetic markers in an Observation: asked for by name, told in a report, or as a coded variant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.fhir.accessors import Reading
from cds_service.fhir.answers import answer_words, answers_of, numbers_of, words_in
from cds_service.fhir.chart import Chart
from cds_service.record import Measurement

# How a cytogenetic finding is written, in short forms and plain words.
_MARKERS = (
    (
        "del17p",
        re.compile(
            r"del(?:etion|ezione)?\W{0,3}(?:of |di |del )?\(?17\)?\(?\W{0,2}p"
            r"|17p\d*\W{0,3}(?:del|loss)|TP53\W{1,3}del",
            re.I,
        ),
    ),
    ("t-4-14", re.compile(r"\bt\W{0,2}4\W{1,2}14\b", re.I)),
    ("t-11-14", re.compile(r"\bt\W{0,2}11\W{1,2}14\b", re.I)),
    ("t-14-16", re.compile(r"\bt\W{0,2}14\W{1,2}16\b", re.I)),
    ("t-14-20", re.compile(r"\bt\W{0,2}14\W{1,2}20\b", re.I)),
    (
        "gain-amp-1q21",
        re.compile(
            r"(?:gain|amp\w*|dup\w*|guadagno|\+)\W{0,3}(?:of |di |del )?\(?1\)?\(?\W{0,2}q"
            r"|1q\d*\W{0,3}(?:gain|amp|dup)",
            re.I,
        ),
    ),
    (
        "del-1p32",
        re.compile(
            r"del(?:etion|ezione)?\W{0,3}(?:of |di |del )?\(?1\)?\(?\W{0,2}p|\b1p\d*\W{0,3}(?:del|loss)", re.I
        ),
    ),
)
_ABSENT = re.compile(
    r"\b(not detected|not present|not found|not seen|not identified|undetected|negativ\w*|absent|assent[ei]|"
    r"no evidence|without|senza|non rilevat\w*|non present\w*|non evidenziat\w*|non si rileva\w*|normal\w*|"
    r"wild.?type|no|none|nessun\w*|neg|esclus[aoie]|below (?:the )?cut.?off|sotto (?:il |al )?cut.?off|"
    r"sotto soglia|disomi\w*|2 copies|due copie|2 copie|LA9634-2)\b|\b0(?:[.,]0+)?\s?%",
    re.I,
)
_PRESENT = re.compile(
    r"\b(detected|present[ei]?|positiv\w*|pos|found|seen|identified|abnormal|rilevat\w*|evidenziat\w*|"
    r"[3-9] (?:copies|copie)|(?:three|four|tre|quattro) (?:copies|copie)|LA9633-4|"
    r"\d{1,3}(?:[.,]\d+)?\s?%\s?(?:of|delle|dei|cells|cellule|nuclei)?)(?=\W|$)",
    re.I,
)
# Nothing was found because nothing was looked at; or the answer is left open.
_NOT_DONE = re.compile(
    r"\b(?:not (?:\w+ )?"
    r"(?:performed|done|evaluable|assess\w*|tested|available|informative|known|requested|reported)|"
    r"unknown|pending|to follow|in progress|insufficient|inadequate|inconclusive|indeterminate|equivocal|"
    r"failed|failure|unsuccessful|uninformative|"
    r"no (?:result|sample|specimen|material|metaphase|plasma cell|data)\w*|"
    r"non (?:\w+ )?"
    r"(?:eseguit|valutabil|disponibil|effettuat|informativ|not[ao]|richiest|determinabil)\w*|"
    r"in corso|in attesa|insufficient\w*|inadeguat\w*|dubbi[oa]|"
    r"nessun[ao]? (?:campione|risultato|materiale|metafas)\w*|"
    r"da (?:eseguire|definire)|suspected|possible|sospett\w*|possibile|\?)",
    re.I,
)
# What a laboratory says of its own limits is no result.
_LIMITS = re.compile(
    r"\(?\b(?:cut.?off|threshold|soglia|limit of detection|lod|sensitivity|limite)\b"
    r"[^,;.()]{0,20}?[<>≥≤=:]?\s*\d+(?:[.,]\d+)?\s?%\)?"
    r"|[<≤]\s?\d+(?:[.,]\d+)?\s?%",
    re.I,
)
_CLAUSES = re.compile(r"[,;.\n](?![^(]*\))|\b(?:but|while|ma|mentre)\b", re.I)
REPORTS = frozenset(
    {"genetic-variant", "fish-interphase-bone-marrow", "fish-interphase-blood", "genetic-analysis"}
)
"""Concepts whose answer is a report on several markers."""

_CHANGES = {  # which change a gene must have undergone to be the marker
    "del17p": "deletion",
    "del-1p32": "deletion",
    "gain-amp-1q21": "copy-number-variation",
    "t-4-14": "chromosomal-translocation",
    "t-11-14": "chromosomal-translocation",
    "t-14-16": "chromosomal-translocation",
    "t-14-20": "chromosomal-translocation",
}
_PLACES = (  # a band of a chromosome, and the marker that a change of it would be
    ("del17p", re.compile(r"^\W*17p(?:13|\b)", re.I)),
    ("gain-amp-1q21", re.compile(r"^\W*1q(?:21|\b)", re.I)),
    ("del-1p32", re.compile(r"^\W*1p32", re.I)),
)
_NORMAL_COPIES, _GAINED_COPIES = 2, 3

MARKER_KEYS = frozenset({*_CHANGES, "tp53-mutation", "igh-rearrangement"})


def biology(reading: Reading, chart: Chart) -> list[Measurement]:
    """Cytogenetic findings: markers in the question or the answer, with what the answer says."""
    found: dict[str, str] = {}
    data = reading.data
    for key in _of_genes(reading, chart):
        found.setdefault(key, says_of(reading, chart, data))
    pairs = [data, *(reading.objects(data, "component") if "component" in data else [])]
    for node in pairs:
        question = words_in(reading.concept(node, "code"))
        answer = answer_words(reading, node)
        asked = [key for key, pattern in _MARKERS if pattern.search(question)]
        if asked:
            says = says_of(reading, chart, node)
            for key in asked:
                found.setdefault(key, says)
        elif answer:
            for key, says in _told(answer):
                found[key] = _graver(found.get(key, ""), says)
    return [
        Measurement(reading.reference, key, None, None, "", says)
        for key, says in sorted(found.items())
        if says
    ]


def _of_genes(reading: Reading, chart: Chart) -> list[str]:
    """Markers of a coded variant: its gene or its place, together with the change it underwent.

    A gene alone is no marker: TP53 may be deleted or mutated, IGH joined to any partner. A number of copies
    tells the change too: three or more of 1q are a gain, fewer than two of the others a loss.
    """
    named: list[str] = []
    places: list[str] = []
    copies: float | None = None
    for component in reading.objects(reading.data, "component") if "component" in reading.data else []:
        asks = chart.terminology.genomic_component(reading.concept(component, "code"))
        if asks == "copy-number":
            numbers = numbers_of(reading, component)
            copies = numbers[0][0] if numbers and not numbers[0][2] else copies
        for answer in answers_of(reading, component):
            if means := chart.terminology.genomic_component(answer):
                named.append(means)
            elif asks == "cytogenetic-location":
                places.append(words_in(answer))
    for key, place in _PLACES:
        if any(place.search(words) for words in places):
            named.append(key)
    changed = {key for key in named if key in _CHANGES and _CHANGES[key] in named}
    if copies is not None:
        for key in named:
            if _CHANGES.get(key) == "copy-number-variation":
                changed = changed | {key} if copies >= _GAINED_COPIES else changed - {key}
            elif _CHANGES.get(key) == "deletion" and copies < _NORMAL_COPIES:
                changed.add(key)
    return [key for key in named if key in changed]


def says_of(reading: Reading, chart: Chart, node: Mapping[str, Any]) -> str:
    """What the answer says of the marker asked for: "present", "absent" or "".

    A share of cells alone is a finding, whatever its size: where the laboratory draws its line is not ours to
    judge, and where it calls the share negative, that counts.
    """
    for answer in answers_of(reading, node):
        coded = _RESULTS.get(chart.terminology.coded_result(answer)) if answer.codings else None
        if coded:
            return coded
    if words := answer_words(reading, node):
        return polarity(words)
    numbers = numbers_of(reading, node)
    if not numbers or numbers[0][2] or "%" not in numbers[0][1]:
        return ""
    return "present" if numbers[0][0] > 0 else "absent"


_RESULTS = {"present": "present", "positive": "present", "absent": "absent", "negative": "absent"}


def _graver(one: str, other: str) -> str:
    """Of two findings in one report the one that shows the change."""
    return "present" if "present" in (one, other) else one or other


def polarity(words: str) -> str:
    """ "present", "absent", or "" where the words say neither or both, or that nothing was looked at."""
    if _NOT_DONE.search(words):
        return ""
    told = _LIMITS.sub(" ", words)
    absent = bool(_ABSENT.search(told))
    # "not detected" holds "detected": what was read as a denial cannot affirm as well.
    present = bool(_PRESENT.search(_ABSENT.sub(" ", told)))
    return "" if absent == present else "absent" if absent else "present"


def _told(words: str) -> Iterator[tuple[str, str]]:
    """Markers of a narrative, clause by clause ("negative for del(17p), t(4;14); t(11;14) in 60 %")."""
    if lone := _lone_marker(words):
        yield lone, "present"
        return
    carried = ""
    for clause in _CLAUSES.split(words):
        says = polarity(clause)
        named = [key for key, pattern in _MARKERS if pattern.search(clause)]
        if not named:
            # "Negative: del(17p), t(4;14)" opens a list; any other words end one.
            carried = says if _OPENS.search(clause) else ""
            continue
        if _NOT_DONE.search(clause):
            carried = ""
            continue
        # A list carries on what its first member said ("negative for a, b"), never what a later one says.
        for key in named:
            if says or carried:
                yield key, says or carried
        carried = says or carried


_OPENS = re.compile(r":\s*$")
_BARE = re.compile(r"(?:[\s()\[\].;:\d]|[pq]|FISH)*", re.I)  # no sign that could mean "negative" or "perhaps"


def _lone_marker(words: str) -> str:
    """The marker that an answer names and nothing beside: a result that reads "t(11;14)" is that finding."""
    for key, pattern in _MARKERS:
        found = pattern.search(words)
        if found and _BARE.fullmatch(words[: found.start()] + " " + words[found.end() :]):
            return key
    return ""
