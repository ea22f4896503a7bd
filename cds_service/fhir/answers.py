"""The answer of an Observation, or of one of its components: concepts, or a number with its unit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cds_service.fhir.accessors import NO_CONCEPT, Reading, decimal
from cds_service.record import Severity
from cds_service.terminology import Concept

_NUMBER_IN_TEXT = re.compile(
    r"\s*(?P<comparator>[<>≤≥]=?)?\s*(?P<number>[+-]?\d+(?:[.,]\d+)?)(?![\d.,])\s*(?P<unit>[^\d\s][^;]{0,24})?\s*\Z"
)
_DIGITS = re.compile(r"\d+")
_LONGEST_NUMBER = 10
_LONGEST_VALUE = 100  # a number with its unit; longer words are a report
_THOUSANDS_OR_DECIMALS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}\Z")


def answers_of(reading: Reading, node: Mapping[str, Any]) -> list[Concept]:
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


def numbers_of(reading: Reading, node: Mapping[str, Any]) -> list[tuple[float, tuple[str, ...], str]] | None:
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


def words_in(concept: Concept) -> str:
    """The words of a concept: its text and its displays."""
    return " ".join((concept.text, *(w for c in concept.codings for w in (c.display,)))).strip()


def answer_words(reading: Reading, node: Mapping[str, Any]) -> str:
    """The answer in words; of a yes or no "present" or "absent", of a code without words the code."""
    if node.get("valueBoolean") is not None:
        return {True: "present", False: "absent", None: ""}[reading.flag(node, "valueBoolean")]
    answers = answers_of(reading, node)
    return " ".join(
        (one.text or " ".join(f"{c.display} {c.code}" for c in one.codings)) for one in answers
    ).strip()
