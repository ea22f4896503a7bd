"""Observation as a clinician's assertion: what corrects or settles the derived state, by our own codes alone.

A server may hand it back with other codings beside ours, with absolute references, or amended. Whose it is,
and whether it was withdrawn, is judged as of any Observation.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from cds_service.fhir.accessors import NO_CONCEPT, Reading, local_part, usable_id
from cds_service.fhir.answers import answers_of, numbers_of
from cds_service.fhir.chart import Chart
from cds_service.fhir.observations import when
from cds_service.knowledge.asserting import AssertedQuestion
from cds_service.record import Assertion, Severity
from cds_service.terminology import Terminology

WITHDRAWN = ("entered-in-error", "cancelled")
NAMELESS = "it does not name its patient, and there is more than one"
_FUTURE = "it is dated after the evaluation date"


def assertion(reading: Reading, chart: Chart) -> list[Assertion]:
    """What a clinician asserts; [] where it is no assertion, or one that is not understood (an issue)."""
    quiet = Reading(reading.data, reading.reference)  # its repairs have been told by the reader before
    question = chart.terminology.asserted_question(quiet.concept(quiet.data, "code"))
    if question is None or quiet.token(quiet.data, "status") in WITHDRAWN:
        return []
    found, why = _read(reading, chart, question)
    if found is not None:
        return [found]
    if why == _FUTURE:
        chart.left_out["future"] += 1
        return []
    text = f"{reading.reference}: a clinician's assertion that could not be read: {why}. It was left out."
    reading.issue(Severity.WARNING, "unread-assertion", text)
    return []


def read_alone(
    resource: Mapping[str, Any], terminology: Terminology, as_of: date
) -> tuple[Assertion | None, str]:
    """The assertion of an Observation that comes beside a chart; None, and why, where it is none."""
    reading, chart = Reading(resource), Chart(terminology, as_of)
    question = chart.terminology.asserted_question(reading.concept(resource, "code"))
    if reading.type != "Observation" or question is None:
        return None, "it is no Observation with a code of mappings/assertions.yaml"
    if reading.token(resource, "status") in WITHDRAWN:
        return None, "its status says that it is withdrawn"
    return _read(reading, chart, question)


def _read(reading: Reading, chart: Chart, question: AssertedQuestion) -> tuple[Assertion | None, str]:
    if chart.others and not chart.names_its_patient(reading):
        return None, NAMELESS
    if why := _set_aside(reading):
        return None, why
    span, future = when(reading, chart)
    if future:
        return None, _FUTURE
    if span is None:
        return None, "the day from which it holds is missing"
    drug = ""
    if question.of_drug:
        drug = _drug(reading, chart)
        if not drug:
            return None, "it does not name one drug that is judged for refractoriness"
    value = _value(reading, chart, question)
    if not value:
        return None, "its value is none of the answers, or its words or unit contradict it"
    what = f"{question.what}:{drug}" if drug else question.what
    moment, rests_on = _moment(reading), _rests_on(reading)
    return Assertion(reading.reference, what, value, span.earliest, moment, rests_on), ""


def _set_aside(reading: Reading) -> str:
    """Why an assertion cannot be taken as it stands: FHIR forbids to pass over a modifier; else ""."""
    components = reading.objects(reading.data, "component") if "component" in reading.data else []
    for node in (reading.data, *components):
        if node.get("modifierExtension"):
            return "it carries a modifierExtension, which may turn its meaning round"
        if node.get("dataAbsentReason"):
            return "it says of its value that it is absent"
    return ""


def _drug(reading: Reading, chart: Chart) -> str:
    """The drug of the component that is coded as such; of a lone component without our code too."""
    components = reading.objects(reading.data, "component") if "component" in reading.data else []
    named = [c for c in components if chart.terminology.names_asserted_drug(reading.concept(c, "code"))]
    if len(named) != 1 and len(components) != 1:
        return ""
    span, _ = when(Reading(reading.data, reading.reference), chart)
    answers = answers_of(reading, (named or components)[0])
    concept = answers[0] if answers else NO_CONCEPT
    return chart.terminology.asserted_drug(concept, on=span.earliest if span else None)


def _value(reading: Reading, chart: Chart, question: AssertedQuestion) -> str:
    """The key of the answer, or the whole number as text; "" where it is neither."""
    if question.answers:
        found = {
            chart.terminology.asserted_answer(question, one) for one in answers_of(reading, reading.data)
        }
        found.discard("")
        return found.pop() if len(found) == 1 else ""
    numbers = numbers_of(reading, reading.data) or []
    if len(numbers) != 1:
        return ""
    number, units, comparator = numbers[0]
    counted = all(one.strip().strip("{}").casefold() in question.units for one in units)
    whole = counted and number == int(number) and not comparator
    whole = whole and question.least <= number <= question.most
    return str(int(number)) if whole else ""


def _moment(reading: Reading) -> str:
    """The instant that the assertion was made, where it is told: of two of one day the later counts."""
    for key in ("effectiveDateTime", "effectiveInstant", "issued"):
        raw = reading.data.get(key)
        if not isinstance(raw, str) or "T" not in raw:
            continue
        try:
            at = datetime.fromisoformat(raw.strip())
        except ValueError:
            continue
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    return ""


def _rests_on(reading: Reading) -> tuple[str, ...]:
    """The Observations from which it was derived: they were known to who made it."""
    found = set()
    for node in reading.nodes(reading.data, "derivedFrom") if "derivedFrom" in reading.data else []:
        local = local_part(reading.reference_text(node))
        kind, _, identity = local.rpartition("/")
        if kind == "Observation" and usable_id(identity):
            found.add(local)
    return tuple(sorted(found))
