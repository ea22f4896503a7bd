"""Observation as a response, a measurement, or a finding of tumour biology."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from cds_service.fhir.accessors import NO_CONCEPT, Reading, decimal
from cds_service.fhir.chart import Chart
from cds_service.record import ComorbidityFact, DateSpan, Measurement, ResponseFact, Severity
from cds_service.terminology import Concept

_NUMBER_IN_TEXT = re.compile(
    r"\s*(?P<comparator>[<>≤≥]=?)?\s*(?P<number>[+-]?\d+(?:[.,]\d+)?)(?![\d.,])\s*(?P<unit>[^\d\s][^;]{0,24})?\s*\Z"
)
_DIGITS = re.compile(r"\d+")
_LONGEST_NUMBER = 10
_LONGEST_VALUE = 100  # a number with its unit; longer words are a report
_THOUSANDS_OR_DECIMALS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}\Z")

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
    r"\b(?:not (?:\w+ )?(?:performed|done|evaluable|assess\w*|tested|available|informative|known|requested|reported)|"
    r"unknown|pending|to follow|in progress|insufficient|inadequate|inconclusive|indeterminate|equivocal|"
    r"failed|failure|unsuccessful|uninformative|no (?:result|sample|specimen|material|metaphase|plasma cell|data)\w*|"
    r"non (?:\w+ )?(?:eseguit|valutabil|disponibil|effettuat|informativ|not[ao]|richiest|determinabil)\w*|"
    r"in corso|in attesa|insufficient\w*|inadeguat\w*|dubbi[oa]|nessun[ao]? (?:campione|risultato|materiale|metafas)\w*|"
    r"da (?:eseguire|definire)|suspected|possible|sospett\w*|possibile|\?)",
    re.I,
)
# What a laboratory says of its own limits is no result.
_LIMITS = re.compile(
    r"\(?\b(?:cut.?off|threshold|soglia|limit of detection|lod|sensitivity|limite)\b[^,;.()]{0,20}?[<>≥≤=:]?\s*\d+(?:[.,]\d+)?\s?%\)?"
    r"|[<≤]\s?\d+(?:[.,]\d+)?\s?%",
    re.I,
)
_CLAUSES = re.compile(r"[,;.\n](?![^(]*\))|\b(?:but|while|ma|mentre)\b", re.I)
_REPORTS = frozenset(
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
_Found = ResponseFact | Measurement | ComorbidityFact

_MARKER_KEYS = frozenset({*_CHANGES, "tp53-mutation", "igh-rearrangement"})


def observation(reading: Reading, chart: Chart) -> list[_Found]:
    """What an Observation and its components say; [] where nothing of it is known here."""
    data = reading.data
    status = reading.token(data, "status")
    if status in ("entered-in-error", "cancelled"):
        chart.left_out[status] += 1
        return []
    found: list[_Found] = list(_one(reading, chart, data))
    for component in reading.objects(data, "component") if "component" in data else []:
        found.extend(_one(reading, chart, component))
    if not found or any(isinstance(fact, Measurement) and fact.concept in _REPORTS for fact in found):
        found = [one for one in found if not (isinstance(one, Measurement) and one.concept in _REPORTS)]
        known = {one.concept for one in found if isinstance(one, Measurement)}
        found.extend(one for one in _biology(reading, chart) if one.concept not in known)
    if not found:
        return []
    on, future = _when(reading, chart)
    if future:
        chart.left_out["future"] += 1
        return []
    return [_dated(fact, on) for fact in found]


def _dated(fact: _Found, on: DateSpan | None) -> _Found:
    if isinstance(fact, ComorbidityFact):
        return replace(fact, assessed=on)
    if isinstance(fact, ResponseFact):
        return ResponseFact(
            fact.reference, on, fact.category, fact.progression, fact.no_response, fact.trend, fact.text
        )
    return Measurement(fact.reference, fact.concept, on, fact.value, fact.unit, fact.text)


def _when(reading: Reading, chart: Chart) -> tuple[DateSpan | None, bool]:
    """The days the observation speaks of, and whether they all lie after the evaluation date.

    A period of collection counts by its end; without any effective[x] the day of issue stands in.
    """
    data = reading.data
    span: DateSpan | None = None
    unreadable = False
    for key in ("effectiveDateTime", "effectiveInstant"):
        if span is None and data.get(key) is not None:
            value = data[key]
            read = reading.date(value, "start") if isinstance(value, Mapping) else reading.date(data, key)
            span, unreadable = read.span, bool(read.problem)
    if span is None and data.get("effectivePeriod") is not None:
        start, end = reading.period(data, "effectivePeriod")
        span = end.span or start.span
    if span is None and data.get("effectiveTiming") is not None:
        days = [
            reading.day({"event": one}, "event")
            for one in reading.nodes(reading.object(data, "effectiveTiming"), "event")
        ]
        known = [day for day in days if day]
        span = max(known, key=lambda day: day.latest) if known else None
    if span is None and not unreadable and data.get("issued") is not None:
        span = reading.day(data, "issued")
        if span is not None:
            reading.repaired("dated by the day of issue")
    return chart.clipped(span), chart.is_future(span)


def _one(reading: Reading, chart: Chart, node: Mapping[str, Any]) -> Iterator[_Found]:
    """The fact in one question-and-answer pair: the Observation itself or a component."""
    question = reading.concept(node, "code")
    if question == NO_CONCEPT:
        return
    if chart.terminology.is_response_question(question):
        yield from _response(reading, chart, node, question)
        return
    match = chart.terminology.observation(question)
    if match is not None:
        reading.doubt(match.doubt)
        if match.concept in _MARKER_KEYS:
            if says := _says(reading, chart, node):
                yield Measurement(reading.reference, match.concept, None, None, "", says)
            return
        yield from _measurement(reading, chart, node, match.concept, match.unit)
        return
    yield from _comorbidity(reading, chart, node, question)


def _comorbidity(
    reading: Reading, chart: Chart, node: Mapping[str, Any], question: Concept
) -> Iterator[ComorbidityFact]:
    """A comorbidity that is asked for ("Neuropathy, CTCAE grade": 2), or that a report tells of in passing."""
    numbers = _numbers(reading, node)
    number = numbers[0][0] if numbers and not numbers[0][2] else None
    flag = reading.flag(node, "valueBoolean") if node.get("valueBoolean") is not None else None
    answers = _answers(reading, node)
    if flag is not None:
        answers = [Concept((), "present" if flag else "absent")]
    asked = chart.terminology.asks_for_comorbidity(question)
    for answer in (answers or [NO_CONCEPT]) if asked else ():
        match = chart.terminology.comorbidity_answer(question, answer, number)
        if match is not None:
            reading.doubt(match.doubt)
            yield ComorbidityFact(
                reading.reference,
                match.concept,
                active=match.present,
                severity=match.severity,
                text=question.text or answer.text,
                present=match.present,
            )
            return
    for answer in answers:
        for key, there in chart.terminology.told_in_report(answer.text):
            yield ComorbidityFact(
                reading.reference, key, active=there, text=answer.text[:_LONGEST_VALUE], present=there
            )


def _answers(reading: Reading, node: Mapping[str, Any]) -> list[Concept]:
    """The answer as concepts: coded, in words, else the interpretation."""
    found: list[Concept] = []
    if node.get("valueCodeableConcept") is not None:
        found.append(reading.concept(node, "valueCodeableConcept"))
    for key in ("valueString", "valueCode"):
        if node.get(key) is not None:
            found.append(Concept((), reading.text(node, key)))
    if node.get("valueCoding") is not None:
        found.append(reading.concept(node, "valueCoding"))
    found = [one for one in found if one != NO_CONCEPT]
    if not found and "interpretation" in node:
        found = reading.concepts(node, "interpretation")
    return found


def _response(
    reading: Reading, chart: Chart, node: Mapping[str, Any], question: Concept
) -> Iterator[ResponseFact]:
    answers = _answers(reading, node)
    for answer in answers:
        match = chart.terminology.response(answer)
        if match is not None:
            reading.doubt(match.doubt)
            text = answer.text or next((coding.display for coding in answer.codings if coding.display), "")
            yield ResponseFact(
                reading.reference,
                None,
                match.category,
                match.progression,
                match.no_response,
                match.trend,
                text,
            )
            return
    if answers and node.get("dataAbsentReason") is None:
        text = f"{reading.reference}: the response or disease status it states is not understood."
        reading.issue(Severity.WARNING, "unmapped-code", text)


def _measurement(
    reading: Reading, chart: Chart, node: Mapping[str, Any], concept: str, unit: str
) -> Iterator[Measurement]:
    numbers = _numbers(reading, node)
    for value, units, comparator in numbers or ():
        converted = _converted(reading, chart, concept, value, units)
        if converted is not None and _believed(reading, chart, concept, converted):
            yield Measurement(reading.reference, concept, None, converted, unit, comparator)
    if numbers or numbers is None:
        return
    for answer in _answers(reading, node):
        result = chart.terminology.coded_result(answer).strip().lower()
        if not result:
            continue
        name, _, graded = result.partition(":")  # "ecog:1"
        score = decimal(graded) if graded else None
        if score is not None and name == concept:
            if _believed(reading, chart, concept, score):
                yield Measurement(reading.reference, concept, None, score, unit)
        elif all(_believed(reading, chart, concept, float(number)) for number in _lone_number(result)):
            yield Measurement(reading.reference, concept, None, None, "", result)
        return
    boolean = reading.flag(node, "valueBoolean") if "valueBoolean" in node else None
    if boolean is not None:
        yield Measurement(reading.reference, concept, None, None, "", "present" if boolean else "absent")


def _lone_number(result: str) -> list[str]:
    """The number in a result's words where they hold just one: "ecog ps 7" would be believed later on."""
    numbers = _DIGITS.findall(result)
    return numbers if len(numbers) == 1 and len(numbers[0]) < _LONGEST_NUMBER else []


def _believed(reading: Reading, chart: Chart, concept: str, value: float) -> bool:
    """Whether a living person may show the value; if not, an issue says that it is left out."""
    if chart.terminology.plausible(concept, value):
        return True
    text = f"{reading.reference}: {concept} {value:.6g} is not plausible; left out."
    reading.issue(Severity.WARNING, "implausible-value", text)
    return False


def _numbers(reading: Reading, node: Mapping[str, Any]) -> list[tuple[float, tuple[str, ...], str]] | None:
    """The number charted, the texts of its unit as charted, and its comparator.

    [] where no number stands; None where one stands that cannot be told.
    """
    quantity = reading.object(node, "valueQuantity") if node.get("valueQuantity") is not None else {}
    if quantity:
        value = reading.number(quantity, "value")
        if value is None:
            return []
        units = tuple(
            dict.fromkeys(u for u in (reading.text(quantity, "code"), reading.text(quantity, "unit")) if u)
        )
        return [(value, units, reading.text(quantity, "comparator"))]
    for key in ("valueInteger", "valueDecimal"):
        if node.get(key) is not None:
            value = reading.number(node, key)
            return [] if value is None else [(value, (), "")]
    if node.get("valueRatio") is not None:
        ratio = reading.object(node, "valueRatio")
        parts = [reading.object(ratio, part) for part in ("numerator", "denominator")]
        above, below = (reading.number(part, "value") for part in parts)
        spelled_apart = [reading.text(part, "code") or reading.text(part, "unit") for part in parts]
        spelled = ("/" if all(spelled_apart) else "").join(spelled_apart)
        told = (spelled,) if spelled else ()
        return [(above / below, told, "")] if above is not None and below else []
    if node.get("valueRange") is not None:
        return _range(reading, reading.object(node, "valueRange"))
    raw = node.get("valueString")
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        value = reading.number(node, "valueString")
        return [] if value is None else [(value, (), "")]
    raw = raw.strip() if isinstance(raw, str) else ""
    if len(raw) <= _LONGEST_VALUE and (match := _NUMBER_IN_TEXT.match(raw)):
        value = None if _THOUSANDS_OR_DECIMALS.match(match["number"]) else decimal(match["number"])
        if value is None:
            text = f"{reading.reference}: its number could be decimals or thousands; left out."
            reading.issue(Severity.WARNING, "ambiguous-number", text)
            return None
        unit = (match["unit"] or "").strip()
        return [(value, (unit,) if unit else (), match["comparator"] or "")]
    return []


def _range(reading: Reading, node: Mapping[str, Any]) -> list[tuple[float, tuple[str, ...], str]] | None:
    """A range as a number with a comparator, where it is open at one end or has no width; else an issue."""
    ends = [reading.object(node, end) if node.get(end) is not None else {} for end in ("low", "high")]
    low, high = (reading.number(end, "value") if end else None for end in ends)
    if low is None and high is None:
        return []
    if low is not None and high is not None and low != high:
        text = f"{reading.reference}: its value is a range, which is not read; left out."
        reading.issue(Severity.WARNING, "unread-value", text)
        return None
    value, end = (low, ends[0]) if low is not None else (high, ends[1])
    assert value is not None  # noqa: S101 - for the type checker; one of the two is there
    units = tuple(dict.fromkeys(u for u in (reading.text(end, "code"), reading.text(end, "unit")) if u))
    return [(value, units, "" if low == high else ">=" if high is None else "<=")]


def _converted(
    reading: Reading, chart: Chart, concept: str, value: float, units: tuple[str, ...]
) -> float | None:
    """The value in the concept's own unit; None, with an issue, where the units named do not give one."""
    read = [chart.terminology.convert(concept, value, unit) for unit in (units or ("",))]
    known = [one for one in read if one is not None]
    if not known:
        named = f' "{units[-1][:20]}"' if units else ""
        text = f"{reading.reference}: {concept} is charted in a unit{named} that is not known here; left out."
        if not units:
            text = f"{reading.reference}: {concept} is charted without its unit; left out."
        reading.issue(Severity.WARNING, "unknown-unit", text)
        return None
    if any(abs(one - known[0]) > 1e-6 * max(1.0, abs(known[0])) for one in known):
        text = f"{reading.reference}: {concept} names two units that contradict each other; left out."
        reading.issue(Severity.WARNING, "unknown-unit", text)
        return None
    return known[0]


# ---- tumour biology ----------------------------------------------------------------------------------------
def _biology(reading: Reading, chart: Chart) -> list[Measurement]:
    """Cytogenetic findings: markers in the question or the answer, with what the answer says."""
    found: dict[str, str] = {}
    data = reading.data
    for key in _of_genes(reading, chart):
        found.setdefault(key, _says(reading, chart, data))
    pairs = [data, *(reading.objects(data, "component") if "component" in data else [])]
    for node in pairs:
        question = _words(reading.concept(node, "code"))
        answer = _answer_words(reading, node)
        asked = [key for key, pattern in _MARKERS if pattern.search(question)]
        if asked:
            says = _says(reading, chart, node)
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
            numbers = _numbers(reading, component)
            copies = numbers[0][0] if numbers and not numbers[0][2] else copies
        for answer in _answers(reading, component):
            if means := chart.terminology.genomic_component(answer):
                named.append(means)
            elif asks == "cytogenetic-location":
                places.append(_words(answer))
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


def _words(concept: Concept) -> str:
    return " ".join((concept.text, *(w for c in concept.codings for w in (c.display,)))).strip()


def _answer_words(reading: Reading, node: Mapping[str, Any]) -> str:
    if node.get("valueBoolean") is not None:
        return {True: "present", False: "absent", None: ""}[reading.flag(node, "valueBoolean")]
    answers = _answers(reading, node)
    return " ".join(
        (one.text or " ".join(f"{c.display} {c.code}" for c in one.codings)) for one in answers
    ).strip()


def _says(reading: Reading, chart: Chart, node: Mapping[str, Any]) -> str:
    """What the answer says of the marker asked for: "present", "absent" or "".

    A share of cells alone is a finding, whatever its size: where the laboratory draws its line is not ours to
    judge, and where it calls the share negative, that counts.
    """
    for answer in _answers(reading, node):
        coded = _RESULTS.get(chart.terminology.coded_result(answer)) if answer.codings else None
        if coded:
            return coded
    if words := _answer_words(reading, node):
        return _polarity(words)
    numbers = _numbers(reading, node)
    if not numbers or numbers[0][2] or "%" not in numbers[0][1]:
        return ""
    return "present" if numbers[0][0] > 0 else "absent"


_RESULTS = {"present": "present", "positive": "present", "absent": "absent", "negative": "absent"}


def _graver(one: str, other: str) -> str:
    """Of two findings in one report the one that shows the change."""
    return "present" if "present" in (one, other) else one or other


def _polarity(words: str) -> str:
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
        says = _polarity(clause)
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
