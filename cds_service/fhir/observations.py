"""Observation as a response, a measurement, or a finding of tumour biology."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from cds_service.fhir.accessors import NO_CONCEPT, Reading, decimal
from cds_service.fhir.answers import answer_words, answers_of, numbers_of, words_in
from cds_service.fhir.chart import Chart
from cds_service.fhir.cytogenetics import MARKER_KEYS, REPORTS, biology, polarity, says_of
from cds_service.record import ComorbidityFact, DateSpan, Measurement, ResponseFact, Severity
from cds_service.terminology import Concept

_DIGITS = re.compile(r"\d+")
_IN_BRACKETS = re.compile(r"\(([^()]{2,60})\)")
_LONGEST_NUMBER = 10
_LONGEST_VALUE = 100  # a number with its unit; longer words are a report

_IMAGING, _NEW_LESION, _MRD = "imaging", "new-lesion", "mrd"
_LESIONS = frozenset({"plasmacytoma-diameter", "plasmacytoma-spd"})
_IMMUNOFIXATION = frozenset({"immunofixation-serum", "immunofixation-urine"})
_HEAVY = re.compile(r"\big\s?([gamde])\b", re.I)
_LIGHT = re.compile(r"\b(kappa|lambda)\b|([κλ])", re.I)
_ISOTYPE_ALONE = re.compile(
    r"(?:\W*\b(?:monoclonal\w*|component\w*|bands?|banda|bande|protein\w*|m|positiv\w*|present\w*|detected|di|tipo|type"
    r"|ig\s?[gamde]|kappa|lambda|[κλ])(?!\w))+\W*\Z",
    re.I,
)
_Found = ResponseFact | Measurement | ComorbidityFact


def observation(reading: Reading, chart: Chart) -> list[_Found]:
    """What an Observation and its components say; [] where nothing of it is known here."""
    data = reading.data
    status = reading.token(data, "status")
    if status in ("entered-in-error", "cancelled"):
        chart.left_out[status] += 1
        return []
    if chart.terminology.asserted_question(reading.concept(data, "code")) is not None:
        return []  # a clinician's assertion, by our own code: read as such alone
    found: list[_Found] = list(_one(reading, chart, data))
    for component in reading.objects(data, "component") if "component" in data else []:
        found.extend(_one(reading, chart, component))
    if all(isinstance(fact, ComorbidityFact) for fact in found) or any(
        isinstance(fact, Measurement) and fact.concept in REPORTS for fact in found
    ):
        found = [one for one in found if not (isinstance(one, Measurement) and one.concept in REPORTS)]
        known = {one.concept for one in found if isinstance(one, Measurement)}
        found.extend(one for one in biology(reading, chart) if one.concept not in known)
    if not found:
        return []
    on, future = when(reading, chart)
    if future:
        chart.left_out["future"] += 1
        return []
    return [_dated(fact, on) for fact in found]


def _dated(fact: _Found, on: DateSpan | None) -> _Found:
    return replace(fact, assessed=on) if isinstance(fact, ComorbidityFact) else replace(fact, on=on)


def when(reading: Reading, chart: Chart) -> tuple[DateSpan | None, bool]:
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
    yield from _told(reading, chart, node)
    if chart.terminology.is_response_question(question):
        yield from _response(reading, chart, node, question)
        return
    match = chart.terminology.observation(question)
    if match is not None:
        reading.doubt(match.doubt)
        if match.concept in MARKER_KEYS:
            if says := says_of(reading, chart, node):
                yield Measurement(reading.reference, match.concept, None, None, "", says)
            return
        if match.concept in (_IMAGING, _NEW_LESION):
            yield from _imaging(reading, chart, node, match.concept)
            return
        yield from _measurement(reading, chart, node, match.concept, match.unit)
        return
    yield from _comorbidity(reading, chart, node, question)


def _comorbidity(
    reading: Reading, chart: Chart, node: Mapping[str, Any], question: Concept
) -> Iterator[ComorbidityFact]:
    """A comorbidity that is asked for: "Neuropathy, CTCAE grade" and 2."""
    numbers = numbers_of(reading, node)
    number = numbers[0][0] if numbers and not numbers[0][2] else None
    flag = reading.flag(node, "valueBoolean") if node.get("valueBoolean") is not None else None
    answers = answers_of(reading, node)
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


def _told(reading: Reading, chart: Chart, node: Mapping[str, Any]) -> Iterator[ComorbidityFact]:
    """What an answer tells of in passing, whatever was asked: "PET/CT: soft tissue plasmacytomas"."""
    for answer in answers_of(reading, node):
        for key, there in chart.terminology.told_in_report(answer.text) if answer.text else ():
            yield ComorbidityFact(
                reading.reference, key, active=there, text=answer.text[:_LONGEST_VALUE], present=there
            )


def _response(
    reading: Reading, chart: Chart, node: Mapping[str, Any], question: Concept
) -> Iterator[ResponseFact]:
    answers = answers_of(reading, node)
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
                refractory_to=match.refractory_to,
            )
            return
    if answers and node.get("dataAbsentReason") is None:
        text = f"{reading.reference}: the response or disease status it states is not understood."
        reading.issue(Severity.WARNING, "unmapped-code", text)


def _imaging(reading: Reading, chart: Chart, node: Mapping[str, Any], concept: str) -> Iterator[Measurement]:
    """Imaging as told in words: "new-lesion", or "reported" where it states none beyond doubt."""
    said = answer_words(reading, node)
    if not said:
        return
    # A question for a new lesion, answered by yes or no, or by a sentence.
    asked = concept == _NEW_LESION and polarity(said) == "present"
    new = asked or chart.terminology.new_lesion(said)
    yield Measurement(reading.reference, _IMAGING, None, None, "", _NEW_LESION if new else "reported")


def _site(reading: Reading, node: Mapping[str, Any], concept: str) -> str:
    """Where a measured lesion lies: its body site, else what its name says in brackets; lower case."""
    if concept not in _LESIONS:
        return ""
    for holder in (node, reading.data):
        if "bodySite" in holder:
            site = reading.concept(holder, "bodySite")
            coded = next((f"{one.system}|{one.code}" for one in site.codings if one.code), "")
            if named := site.text or next((one.display for one in site.codings if one.display), "") or coded:
                return " ".join(named.casefold().split())
    bracket = _IN_BRACKETS.search(words_in(reading.concept(node, "code")))
    return " ".join(bracket[1].casefold().split()) if bracket else ""


def _isotype(words: str) -> str:
    """ " igg kappa" where the words of an immunofixation name one heavy and one light chain, else ""."""
    heavy = {f"ig{found.lower()}" for found in _HEAVY.findall(words)}
    light = {(a or {"κ": "kappa", "λ": "lambda"}[b.lower()]).lower() for a, b in _LIGHT.findall(words)}
    return f" {heavy.pop()} {light.pop()}" if len(heavy) == 1 and len(light) == 1 else ""


def _in_words(reading: Reading, node: Mapping[str, Any], concept: str, result: str) -> str:
    """A result in words, with what the words of some say beside it."""
    if concept in _IMMUNOFIXATION:
        words = answer_words(reading, node)
        isotype = _isotype(words)
        if result in ("positive", "present") or (isotype and _ISOTYPE_ALONE.match(words)):
            return f"positive{isotype}"
    if concept == _MRD:  # as charted, with the method: a bare "negative" says too little
        method = words_in(reading.concept(reading.data, "method")) if "method" in reading.data else ""
        said = next((one.text for one in answers_of(reading, node) if one.text), result)
        return "; ".join(filter(None, (said.strip().lower(), method.strip().lower())))
    return result


def _measurement(
    reading: Reading, chart: Chart, node: Mapping[str, Any], concept: str, unit: str
) -> Iterator[Measurement]:
    numbers = numbers_of(reading, node)
    for value, units, comparator in numbers or ():
        converted = _converted(reading, chart, concept, value, units)
        if converted is not None and _believed(reading, chart, concept, converted):
            site = _site(reading, node, concept)
            yield Measurement(reading.reference, concept, None, converted, unit, comparator, site)
    if numbers or numbers is None:
        return
    for answer in answers_of(reading, node):
        result = chart.terminology.coded_result(answer).strip().lower()
        if not result:
            continue
        name, _, graded = result.partition(":")  # "ecog:1"
        score = decimal(graded) if graded else None
        if score is not None and name == concept:
            if _believed(reading, chart, concept, score):
                yield Measurement(reading.reference, concept, None, score, unit)
        elif all(_believed(reading, chart, concept, float(number)) for number in _lone_number(result)):
            site = _site(reading, node, concept)
            text = _in_words(reading, node, concept, result)
            yield Measurement(reading.reference, concept, None, None, "", text, site)
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
