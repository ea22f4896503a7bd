"""MedicationStatement, -Request, -Administration and -Dispense as drug facts.

The four say different things of a drug: that it was taken, ordered, given, handed out. A plan, a draft and
a cancelled order say nothing of exposure and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cds_service.fhir.accessors import NO_CONCEPT, Reading, decimal, usable_id
from cds_service.fhir.chart import Chart
from cds_service.fhir.dates import Charted
from cds_service.record import DateSpan, DrugFact, Given, Issue, Purpose, Severity, StopReason
from cds_service.terminology import Concept, DrugMatch

_ENDED = frozenset({"completed", "stopped"})
_RUNNING = frozenset({"active", "in-progress"})

# Which reason counts where several are charted: the one that says most of the disease.
_STOP_ORDER = (
    StopReason.PROGRESSION,
    StopReason.NO_RESPONSE,
    StopReason.TOXICITY,
    StopReason.ALLERGY,
    StopReason.TRANSPLANT,
    StopReason.COMPLETION,
    StopReason.CHOICE,
    StopReason.OTHER,
)
# A drug on hold is paused: why is no reason for a stop. That the disease progressed, or that there is an
# allergy, holds whatever became of the order.
_OUTLAST_A_PAUSE = frozenset({StopReason.PROGRESSION, StopReason.NO_RESPONSE, StopReason.ALLERGY})
# A phase of treatment says more than "for myeloma"; "for myeloma" more than another disease beside it.
_PURPOSE_ORDER = (
    Purpose.MOBILISATION,
    Purpose.CONDITIONING,
    Purpose.LYMPHODEPLETION,
    Purpose.BRIDGING,
    Purpose.PREMEDICATION,
    Purpose.ANTIEMETIC,
    Purpose.MYELOMA,
    Purpose.SMOULDERING,
    Purpose.AMYLOIDOSIS,
    Purpose.OTHER_DISEASE,
)

_STOP_WORDS = re.compile(
    r"\b(stop\w*|discontinu\w*|ceased|halted|ended|withdrawn|interrott\w*|interruzion\w*|sospes\w*|sospension\w*)\b",
    re.IGNORECASE,
)
_GIVEN_FOR = re.compile(
    r"(?:^|\b(?:given|used|indicated|prescribed|taken|somministrat\w+|prescritt\w+|mg)\b[^.;]{0,30}?\b)"
    r"(?:for|per|as|come)\s+([^.;]+)",
    re.IGNORECASE,
)
_CLAUSES = re.compile(r"[.;\n]+\s*")

# Sources: FHIR's example value set "SNOMED CT Route Codes"; HL7 New Zealand, ValueSet sact-route.
_ROUTE_CODES = {
    "26643006": "PO",
    "386359008": "PO",
    "34206005": "SC",
    "386362006": "SC",
    "47625008": "IV",
    "386358000": "IV",
}
_ROUTE_WORDS = (
    (
        "SC",
        re.compile(r"\b(s\.?c\.?|sub-?cut\w*|subcutaneous\w*|sottocut\w*|sq|subq)(?=\W|$)", re.IGNORECASE),
    ),
    (
        "IV",
        re.compile(
            r"\b(i\.?v\.?(?!\s*line)|e\.?v\.?|intravenous\w*|endoven\w*|ivpb|ivinj|ivinfus)(?=\W|$)",
            re.IGNORECASE,
        ),
    ),
    (
        "PO",
        re.compile(
            r"\b(p\.?o\.?(?!['’])|oral\w*|orale|per os|os|by mouth|cps|cpr|capsul\w*|compress\w*)(?=\W|$)",
            re.I,
        ),
    ),
)
_AMOUNT = re.compile(
    r"(?<![\d.,])(\d+(?:[.,]\d+)?)\s*(mg|g|mcg|µg|ug)\b(\s*/\s*(?:m2|m²|mq|kg))?(?!\s*/\s*m[lL])",
    re.IGNORECASE,
)
_DOSE_AT_MOST = 1e9  # cells of a CAR-T product are counted in hundreds of millions; nothing is given in more
_PRODUCT_WORDS = re.compile(
    r"\b(injection|injectable|vial|solution|tablet|capsule|oral|powder)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class _Course:
    """When a drug was taken, as one resource says it."""

    first: DateSpan | None = None
    last: DateSpan | None = None
    ongoing: bool = False
    single_dose: bool = False
    stop_known: bool = True  # False: the stop, and with it its reason, lies after the evaluation date


# ---- the four resources ----------------------------------------------------------------------------------
def statement(reading: Reading, chart: Chart) -> list[DrugFact]:
    """What a MedicationStatement says was taken."""
    data = reading.data
    status = reading.token(data, "status")
    adherence = _adherence(reading)
    if status == "entered-in-error":
        return _left_out(chart, "entered-in-error")
    never = status == "not-taken" or adherence in ("not-taking", "not-taken")
    if (
        never or reading.token(data, "taken") == "n" or reading.flag(data, "wasNotTaken")
    ):  # the last two: STU3, DSTU2
        _note_not_taken(reading, chart)
        return _left_out(chart, "not-taken")
    if status in ("intended", "draft"):
        return _left_out(chart, "not-an-order")
    if adherence.startswith(("stopped", "on-hold")):
        running = False
    else:
        running = status in ("active", "recorded") or adherence.startswith("taking")
    start, end = _occurrence(reading, "effective")
    if start.span is None and end.span is None:
        day = _single_day(reading, "effectiveDateTime")
        if day.span is None and not day.problem:
            day = reading.date(data, "dateAsserted") if status in _RUNNING else Charted()
        # Of R5 "recorded" says only that there is an entry; that the drug is being taken, the adherence.
        taking = running and (status != "recorded" or adherence.startswith("taking"))
        course = _Course(day.span, day.span, taking)
    else:
        course = _over(chart, start, end, running)
    return _facts(reading, chart, course, Given.GIVEN)


def _note_not_taken(reading: Reading, chart: Chart) -> None:
    """Remember what a statement denies, for the orders of the same drug."""
    reading = Reading(reading.data, reading.reference)  # what is left out is not complained of
    start, end = _occurrence(reading, "effective")
    if start.span is None and end.span is None:
        start = end = _single_day(reading, "effectiveDateTime")
    if start.span is None or (end.span is None and end.problem) or chart.is_future(start.span):
        return  # no day that it could speak of
    for match, _ in _matches(reading, chart, start.span):
        chart.not_taken[match.drug].append((start.span, end.span))


def without_orders_not_taken(facts: Iterable[Any], chart: Chart) -> tuple[list[Any], list[Issue]]:
    """The facts without orders of which a statement says that the drug was not taken; an issue for each.

    The statement must cover the day of the order, and its end too where either has one: a pause of some
    weeks is charted so as well, and does not undo what was taken before and after. Drugs given stay.
    """
    kept: list[Any] = []
    issues: list[Issue] = []
    for fact in facts:
        if isinstance(fact, DrugFact) and _was_not_taken(fact, chart):
            text = f"{fact.reference}: a statement says that the drug was not taken; no exposure is counted."
            issues.append(Issue(Severity.INFORMATION, "order-not-taken", text, fact.reference))
            chart.left_out["not-taken"] += 1
        else:
            kept.append(fact)
    return kept, issues


def _was_not_taken(order: DrugFact, chart: Chart) -> bool:
    if order.given is not Given.ORDERED or order.first_dose is None or order.drug not in chart.not_taken:
        return False
    for start, end in chart.not_taken[order.drug]:
        if start.earliest > order.first_dose.earliest:
            continue
        if end is None or (start.exact and end == start and start == order.first_dose):
            return True  # not from that day on; or, of the very day of the order, not at all
        if order.last_dose is not None and order.last_dose.latest <= end.latest:
            return True
    return False


def request(reading: Reading, chart: Chart) -> list[DrugFact]:
    """What a MedicationRequest in the chart lets presume was taken."""
    data = reading.data
    status, intent = reading.token(data, "status"), reading.token(data, "intent")
    if status in ("entered-in-error", "cancelled", "draft"):
        return _left_out(chart, status)
    if reading.flag(data, "doNotPerform"):
        return _left_out(chart, "not-taken")
    if intent and intent not in ("order", "original-order", "reflex-order", "filler-order", "instance-order"):
        return _left_out(chart, "not-an-order")
    if not intent:
        reading.repaired("no intent; read as an order")
    start, end = _ordered_time(reading)
    if status not in ("active", "completed", "stopped", "on-hold", "ended") or (
        status == "on-hold" and start.span is None
    ):
        # Whether the order took effect is not said; one that might matter is not dropped in silence.
        if any(True for _ in _matches(reading, chart, start.span)):
            text = (
                f"{reading.reference}: whether this order took effect is not charted; no exposure is counted."
            )
            reading.issue(Severity.WARNING, "unknown-status", text)
        return _left_out(chart, "unknown-status")
    course = _over(chart, start, end, status in _RUNNING)
    facts = _facts(reading, chart, course, Given.ORDERED)
    if status == "on-hold" and not _changed_since(reading, start):
        # A hold says nothing of what was given before it. Only a reason that a drug taken can have does.
        return [
            fact if fact.stop_reason in _OUTLAST_A_PAUSE else replace(fact, given=Given.HELD)
            for fact in facts
        ]
    return facts


def _changed_since(reading: Reading, start: Charted) -> bool:
    """Whether an order was put on hold on a later day than it began (R5: statusChanged)."""
    if "statusChanged" not in reading.data or start.span is None:
        return False
    changed = reading.date(reading.data, "statusChanged").span
    return changed is not None and changed.earliest > start.span.latest


def administration(reading: Reading, chart: Chart) -> list[DrugFact]:
    """Doses given, one by one or as a course."""
    data = reading.data
    status = reading.token(data, "status")
    if status == "entered-in-error":
        return _left_out(chart, "entered-in-error")
    if (
        status in ("not-done", "preparation")
        or reading.flag(data, "notGiven")
        or reading.flag(data, "wasNotGiven")
    ):
        return _left_out(chart, "not-taken")
    given = Given.GIVEN if status in ("completed", "in-progress", "stopped", "on-hold") else Given.ORDERED
    for stem in ("effective", "occurence", "occurrence"):  # R5 writes "occurence"
        start, end = _occurrence(reading, stem)
        if start.span or end.span:
            same_day = start.span is not None and (
                start.span == end.span
                or (end.span is None and not end.problem and start.has_time and status == "completed")
            )
            if same_day:
                return _facts(reading, chart, _Course(start.span, start.span, single_dose=True), given)
            return _facts(reading, chart, _over(chart, start, end, status == "in-progress"), given)
        day = _single_day(reading, f"{stem}DateTime")
        if day.span is not None:
            return _facts(reading, chart, _Course(day.span, day.span, single_dose=True), given)
    return _facts(reading, chart, _Course(), given)


def dispense(reading: Reading, chart: Chart) -> list[DrugFact]:
    """A supply handed out: taken from that day, at the longest as long as the supply lasts."""
    data = reading.data
    status = reading.token(data, "status")
    if status == "entered-in-error":
        return _left_out(chart, "entered-in-error")
    handed = reading.date(data, "whenHandedOver")
    if status in ("cancelled", "declined", "preparation") or (status != "completed" and handed.span is None):
        return _left_out(chart, "not-taken")
    day = handed if handed.span or handed.problem else reading.date(data, "whenPrepared")
    if day.span is None and not day.problem:
        day = reading.date(data, "recorded")
    last = day.span
    supply = reading.object(data, "daysSupply")
    days = reading.number(supply, "value") if supply else None
    if day.span and days and 1 < days <= 400 and reading.text(supply, "code") in ("d", "day", "days", ""):
        last = DateSpan(day.span.earliest, day.span.plus(int(days) - 1).latest)
    return _facts(reading, chart, _Course(day.span, chart.clipped(last) if day.span else None), Given.GIVEN)


def draft(reading: Reading, chart: Chart, *, selected: bool) -> list[DrugFact]:
    """An order being written now: no exposure, but what the answer is about."""
    data = reading.data
    status = reading.token(data, "status")
    if status in ("entered-in-error", "cancelled", "stopped"):
        return _left_out(chart, status)
    if reading.flag(data, "doNotPerform"):
        return _left_out(chart, "not-taken")
    if not names_a_medication(data):
        return []  # clients open the order form with an empty draft: no drug chosen yet
    start, _ = _ordered_time(reading)
    identity = reading.reference.rpartition("/")[2]
    return [
        _replace(fact, selected=selected, replaces=reading.reference if usable_id(identity) else "")
        for fact in _facts(reading, chart, _Course(start.span), Given.DRAFT)
    ]


def _replace(fact: DrugFact, *, selected: bool, replaces: str) -> DrugFact:
    values = {name: getattr(fact, name) for name in DrugFact.__dataclass_fields__}
    return DrugFact(**{**values, "selected": selected, "replaces": replaces})


def _left_out(chart: Chart, reason: str) -> list[DrugFact]:
    chart.left_out[reason] += 1
    return []


# ---- time ------------------------------------------------------------------------------------------------
def _occurrence(reading: Reading, stem: str) -> tuple[Charted, Charted]:
    """Start and end from ``<stem>Period`` or the bounds of ``<stem>Timing``."""
    data = reading.data
    if data.get(f"{stem}Period") is not None:
        return reading.period(data, f"{stem}Period")
    if data.get(f"{stem}Timing") is not None:
        timing = reading.object(data, f"{stem}Timing")
        repeat = reading.object(timing, "repeat")
        if repeat.get("boundsPeriod") is not None:
            return reading.period(repeat, "boundsPeriod")
        days = [reading.date({"event": event}, "event") for event in reading.nodes(timing, "event")]
        known = sorted((day for day in days if day.span), key=lambda day: str(day.span))
        if known:
            return known[0], known[-1]
    return Charted(), Charted()


def _single_day(reading: Reading, key: str) -> Charted:
    value = reading.data.get(key)
    if isinstance(value, Mapping):  # a Period under the name of a dateTime
        reading.repaired(f"{key}: a period where a dateTime belongs")
        return reading.date(value, "start")
    return reading.date(reading.data, key)


def _ordered_time(reading: Reading) -> tuple[Charted, Charted]:
    """When an order begins and ends: the bounds of its dosage, else the day it was written."""
    starts: list[Charted] = []
    ends: list[Charted] = []
    data = reading.data
    for dosage in reading.objects(data, "dosageInstruction"):
        repeat = reading.object(reading.object(dosage, "timing"), "repeat")
        if repeat.get("boundsPeriod") is not None:
            start, end = reading.period(repeat, "boundsPeriod")
            starts.append(start)
            ends.append(end)
    if data.get("effectiveDosePeriod") is not None:
        start, end = reading.period(data, "effectiveDosePeriod")
        starts.append(start)
        ends.append(end)
    first = min((one for one in starts if one.span), key=lambda one: str(one.span), default=None)
    if first is None:
        first = reading.date(data, "authoredOn")
    last = Charted()
    if ends and all(one.span for one in ends):  # one open bound keeps the order open
        last = max(ends, key=lambda one: str(one.span))
    elif any(one.problem for one in ends):
        last = next(one for one in ends if one.problem)
    elif not ends and reading.token(data, "status") == "stopped":
        last = reading.date(data, "statusChanged")
    return first, last


def _over(chart: Chart, start: Charted, end: Charted, running: bool) -> _Course:
    """A course from a start and an end as charted, seen from the evaluation date.

    An end that is charted ends it, whatever the status says: lists of current medication are rarely tidied.
    An end after the evaluation date is not known yet.
    """
    if end.span is not None and end.span.earliest > chart.as_of:
        return _Course(start.span, None, ongoing=True, stop_known=False)
    if end.span is not None:
        if end.span.latest > chart.as_of and running:
            return _Course(start.span, None, ongoing=True)
        return _Course(start.span, chart.clipped(end.span))
    # Without an end a running course goes on; one whose end is charted but unreadable does not.
    return _Course(start.span, None, ongoing=running and not (end.problem and not end.placeholder))


def _of_a_lifetime(reading: Reading, chart: Chart, course: _Course) -> _Course:
    """The course without days on which the patient cannot have been treated."""
    first = chart.treatable(reading, course.first)
    last = first if course.last == course.first else chart.treatable(reading, course.last)
    return course if (first, last) == (course.first, course.last) else replace(course, first=first, last=last)


# ---- the drug --------------------------------------------------------------------------------------------
def names_a_medication(data: Mapping[str, Any]) -> bool:
    """Whether an order says anything of its drug; an order form just opened does not."""
    return any(
        data.get(key) not in (None, {}, [], "")
        for key in ("medicationCodeableConcept", "medicationReference", "medication")
    )


def medication(reading: Reading, chart: Chart) -> list[list[Concept]]:
    """What names the drug, most trusted first: the concept of the entry, its Medication, the ingredients.

    Each entry of the list is one way to name it; the next is asked only where no drug is known by it. Several
    concepts within one are the ingredients of one product.
    """
    data = reading.data
    found: list[list[Concept]] = []
    if data.get("medicationCodeableConcept") is not None:
        found.append([reading.concept(data, "medicationCodeableConcept")])
    references: list[Any] = []
    if data.get("medicationReference") is not None:
        references.append(reading.single(data, "medicationReference"))
    either = reading.single(data, "medication") if data.get("medication") is not None else None
    if isinstance(either, Mapping) and either.get("reference") is not None and "coding" not in either:
        references.append(either)
        if isinstance(either.get("concept"), Mapping):
            found.append([reading.as_concept(either, "medication")])
    elif either is not None:
        found.append([reading.as_concept(either, "medication")])
    if len(found) + len(references) > 1:
        reading.repaired("medication named twice")
    for node in references:
        resolved = chart.resolve(reading, node, "Medication")
        display = reading.reference_display(node)
        if resolved is not None and resolved.token(resolved.data, "status") != "entered-in-error":
            found.append([resolved.concept(resolved.data, "code")])
            found.append(_ingredients(resolved, chart))
            for repair in resolved.repairs:
                reading.repaired(f"in its Medication: {repair}")
        elif not display:
            text = f"{reading.reference} refers to a Medication for its drug, which did not come along."
            reading.issue(Severity.WARNING, "unresolved-reference", text)
            reading.unreadable = True
        if display:
            found.append([Concept((), display)])
    kept = ([concept for concept in way if concept != NO_CONCEPT] for way in found)
    return [way for way in kept if way]


def _ingredients(product: Reading, chart: Chart, depth: int = 3) -> list[Concept]:
    """The concepts of a Medication's ingredients; of one that is itself a Medication, its code or its own."""
    found: list[Concept] = []
    for ingredient in product.objects(product.data, "ingredient"):
        for key in ("itemCodeableConcept", "item"):
            node = ingredient.get(key)
            if node is not None and not (isinstance(node, Mapping) and node.get("reference") is not None):
                found.append(product.as_concept(node, key))
        for key in ("itemReference", "item"):
            inner = chart.resolve(product, ingredient.get(key), "Medication") if depth else None
            if inner is not None and inner.data is not product.data:
                code = inner.concept(inner.data, "code")
                found.extend([code] if code != NO_CONCEPT else _ingredients(inner, chart, depth - 1))
    return found


def _matches(reading: Reading, chart: Chart, start: DateSpan | None) -> list[tuple[DrugMatch, Concept]]:
    """The drugs an entry names, each with the concept whose words stand for it; [] after saying why not."""
    ways = medication(reading, chart)
    on = start.earliest if start else None
    named = [[match for concept in way for match in chart.terminology.drugs(concept, on=on)] for way in ways]
    known = [matches for matches in named if matches]
    if known:
        drugs = [{match.drug for match in matches} for matches in known]
        # Another name may be less specific, as the ingredients of a regimen's bag are; it may not disagree.
        if any(not (other <= drugs[0] or drugs[0] <= other) for other in drugs[1:]):
            text = f"{reading.reference} names its drug twice and not alike; the first name is taken."
            reading.issue(Severity.WARNING, "conflicting-medication", text)
        for match in known[0]:
            reading.doubt(match.doubt)
        return [(match, ways[0][0]) for match in {m.drug: m for m in reversed(known[0])}.values()]
    for concept in (concept for way in ways for concept in way):
        if chart.terminology.is_antineoplastic(concept):
            words = concept.text or next((one.display or one.code for one in concept.codings), "")
            text = f"{reading.reference} is an antineoplastic drug that is not known here: {words[:80]}."
            reading.issue(Severity.WARNING, "unmapped-code", text)
            break
    if not ways and not reading.unreadable:
        text = f"{reading.reference} names no medication."
        reading.issue(Severity.WARNING, "unreadable-resource", text)
        reading.unreadable = True
    return []


def _treating_myeloma(reading: Reading, chart: Chart) -> list[tuple[DrugMatch, Concept]]:
    """A cancer drug that nothing here knows, charted as given for the myeloma: a line all the same."""
    if not chart.terminology.unidentified:
        return []
    for concept in (concept for way in medication(reading, chart) for concept in way):
        if chart.terminology.is_antineoplastic(concept):
            dosages = _dosages(reading)
            texts = [reading.text(one, "text") for one in dosages]
            purpose = _given_for(reading, chart, concept.text, dosages, texts, reading.notes(chart.as_of))
            if purpose in (Purpose.MYELOMA, Purpose.BRIDGING):
                return [(DrugMatch(chart.terminology.unidentified, how="kind"), concept)]
    return []


def _note_what_is_not_read(reading: Reading, chart: Chart, course: _Course, known: bool) -> None:
    """Say so where a treatment may be hidden in words nobody read; the history is then no longer whole.

    Of a text that names drugs every word must be accounted for ("Carf/Dex", "D-RVd"). A text that names none
    counts where it looks like a treatment of the myeloma or the entry itself says that it was one: stopped
    because the disease progressed, given for the myeloma, or numbered as a line.
    """
    concepts = _read_by_words(reading, chart) if known else _named_by(reading, chart)
    gaps = [(concept, chart.terminology.not_read(concept)) for concept in concepts]
    likely = [(concept, gap) for concept, gap in gaps if gap.likely]
    if not known and not likely and concepts and _is_treatment(reading, chart, course, concepts):
        likely = gaps
    for concept, gap in likely[:1]:
        words = concept.text or next((one.display or one.code for one in concept.codings), "")
        told = f" It may mean {', '.join(gap.may_be)}." if gap.may_be else ""
        reading.unreadable = True
        if known:
            text = (
                f"{reading.reference}: not every word of this medication was understood: {words[:80]}.{told}"
            )
            reading.issue(Severity.WARNING, "half-read-medication", text)
        elif not any(issue.code == "unmapped-code" for issue in reading.issues):
            text = (
                f"{reading.reference} may be a treatment of the myeloma that is not known here: "
                f"{words[:80]}.{told}"
            )
            reading.issue(Severity.WARNING, "unmapped-code", text)


def _named_by(reading: Reading, chart: Chart) -> list[Concept]:
    return [concept for way in medication(reading, chart) for concept in way]


def _read_by_words(reading: Reading, chart: Chart) -> list[Concept]:
    """The concepts by which the drugs were read; none where one way to name them is by codes alone."""
    read: list[Concept] = []
    for way in medication(reading, chart):
        matches = [match for concept in way for match in chart.terminology.drugs(concept)]
        if matches and all(match.how == "code" for match in matches):
            return []
        read = read or (way if matches else [])
    return read


def _is_treatment(reading: Reading, chart: Chart, course: _Course, concepts: list[Concept]) -> bool:
    """Whether an entry of which no drug is known says that it treated the myeloma, or failed to."""
    if any(chart.terminology.is_ordinary(concept) for concept in concepts):
        return False
    quiet = Reading(reading.data, reading.reference)  # an ordinary drug's reasons are nothing to complain of
    notes = quiet.notes(chart.as_of)
    if course.stop_known and not course.ongoing:
        stop, _ = _stopped_because(quiet, chart, notes)
        if stop in (StopReason.PROGRESSION, StopReason.NO_RESPONSE):
            return True
    dosages = _dosages(quiet)
    texts = [quiet.text(one, key) for one in dosages for key in ("text", "patientInstruction")]
    text = next((concept.text for concept in concepts if concept.text), "")
    if _line_number(quiet, chart, [text, *texts, *notes]) is not None:
        return True
    return _given_for(quiet, chart, text, dosages, texts, notes) in (Purpose.MYELOMA, Purpose.BRIDGING)


def _facts(reading: Reading, chart: Chart, course: _Course, given: Given) -> list[DrugFact]:
    """One fact per drug that the entry names."""
    matches = _matches(reading, chart, course.first) or _treating_myeloma(reading, chart)
    if given is not Given.DRAFT and not chart.is_future(course.first or course.last):
        _note_what_is_not_read(reading, chart, course, bool(matches))
    if not matches:
        return []
    course = _of_a_lifetime(reading, chart, course)
    if given is not Given.DRAFT and chart.is_future(course.first or course.last):
        return _left_out(chart, "future")
    concept = matches[0][1]
    text = concept.text or next((coding.display for coding in concept.codings if coding.display), "")
    notes = reading.notes(chart.as_of)
    dosages = _dosages(reading)
    dosage_texts = [reading.text(one, key) for one in dosages for key in ("text", "patientInstruction")]
    stop, stop_text = StopReason.UNKNOWN, ""
    if given is not Given.DRAFT and not course.ongoing and course.stop_known:
        stop, stop_text = _stopped_because(reading, chart, notes)
        if stop not in _OUTLAST_A_PAUSE and _is_paused(reading):
            stop, stop_text = StopReason.UNKNOWN, ""
    purpose = _given_for(reading, chart, text, dosages, dosage_texts, notes)
    route = _route(reading, dosages)
    dose, unit = _dose(reading, dosages, text, dosage_texts) if len(matches) == 1 else (None, "")
    line = _line_number(reading, chart, [text, *dosage_texts, *notes])
    first = course.first if given is Given.DRAFT else chart.clipped(course.first)
    last = chart.clipped(course.last)
    return [
        DrugFact(
            reference=reading.reference,
            drug=match.drug,
            given=given,
            text=text,
            first_dose=first,
            last_dose=last,
            ongoing=course.ongoing,
            single_dose=course.single_dose,
            stop_reason=stop,
            stop_text=stop_text,
            purpose=purpose,
            route=route or match.route or _route_in(text) or _route_in(" ".join(dosage_texts)),
            dose=dose,
            dose_unit=unit,
            regimen=match.regimen,
            line_number=line,
        )
        for match, _ in matches
    ]


# ---- why it was stopped, what it was for -------------------------------------------------------------------
def _adherence(reading: Reading) -> str:
    """The R5 adherence code, "" where none is charted."""
    node = reading.object(reading.data, "adherence") if "adherence" in reading.data else {}
    return next(iter(reading.codes(node, "code")), "") if node else ""


def _is_paused(reading: Reading) -> bool:
    """Whether the drug is charted as on hold rather than stopped."""
    return reading.token(reading.data, "status") == "on-hold" or _adherence(reading).startswith("on-hold")


def _stopped_because(reading: Reading, chart: Chart, notes: list[str]) -> tuple[StopReason, str]:
    """The charted reason for the stop and its words; a note counts only where nothing else is charted."""
    data = reading.data
    concepts: list[Concept] = []
    for key in ("statusReason", "statusReasonCodeableConcept", "reasonEnded", "reasonNotTaken"):
        if data.get(key) is not None:
            concepts.extend(
                reading.concepts(data, key) if isinstance(data[key], list) else [reading.concept(data, key)]
            )
    if isinstance(data.get("adherence"), Mapping) and data["adherence"].get("reason") is not None:
        concepts.append(reading.concept(data["adherence"], "reason"))
    concepts = [concept for concept in concepts if concept != NO_CONCEPT]
    if concepts:
        texts = [one.text or next((c.display for c in one.codings if c.display), "") for one in concepts]
        stop_text = "; ".join(text for text in texts if text)
        found = {reason for one in concepts if (reason := chart.terminology.stop_reason(one)) is not None}
        for reason in _STOP_ORDER:
            if reason in found:
                return reason, stop_text
        if not found:
            words = f": {stop_text[:80]}" if stop_text else ""
            text = f"{reading.reference}: the reason for stopping is not understood{words}."
            reading.issue(Severity.WARNING, "unmapped-code", text)
            return StopReason.UNREAD, stop_text
        return StopReason.UNKNOWN, stop_text
    for note in notes:
        for clause in _CLAUSES.split(note):
            if not _STOP_WORDS.search(clause):
                continue
            reason = chart.terminology.stop_reason(Concept((), clause))
            if reason not in (None, StopReason.UNKNOWN, StopReason.OTHER):
                text = f"{reading.reference}: the reason for stopping rests on a note alone."
                reading.issue(Severity.INFORMATION, "stop-reason-from-note", text)
                return reason, clause.strip()[:200]
    return StopReason.UNKNOWN, ""


def _given_for(
    reading: Reading,
    chart: Chart,
    text: str,
    dosages: list[Mapping[str, Any]],
    dosage_texts: list[str],
    notes: list[str],
) -> Purpose | None:
    """What the drug was for: the coded reason; a phase named in the entry's own words; last, a short note."""
    data = reading.data
    concepts: list[Concept] = []
    references: list[Any] = []
    for key in ("reasonCode", "reasonForUse", "reasonForUseCodeableConcept"):
        if data.get(key) is not None:
            concepts.extend(reading.concepts(data, key))
    for key in ("reasonReference", "reason"):
        for node in reading.nodes(data, key) if data.get(key) is not None else []:
            if isinstance(node, Mapping) and node.get("reference") is None and key == "reason":
                concepts.append(reading.as_concept(node, key))
            else:
                references.append(node)
    for node in references:
        resolved = chart.resolve(reading, node, "Condition")
        if resolved is not None:
            concepts.append(resolved.concept(resolved.data, "code"))
        elif display := reading.reference_display(node):
            concepts.append(Concept((), display))
    reasons = {purpose for one in concepts if one != NO_CONCEPT and (purpose := _purpose(chart, one))}
    if not reasons or reasons == {Purpose.MYELOMA}:
        needed = [
            reading.concept(one, "asNeededCodeableConcept")
            for one in dosages
            if "asNeededCodeableConcept" in one
        ]
        words = [*reading.concepts(data, "category"), *(one for one in needed if one != NO_CONCEPT)]
        words.extend([Concept((), text)] if text else [])
        words.extend(_said_to_be_for(dosage_texts))
        reasons |= {purpose for one in words if (purpose := chart.terminology.purpose(one))}
    if not reasons and not concepts:
        said = _said_to_be_for(notes)
        reasons = {purpose for one in said if (purpose := chart.terminology.purpose(one))}
        if reasons:
            told = f"{reading.reference}: what the drug was given for rests on a note alone."
            reading.issue(Severity.INFORMATION, "purpose-from-note", told)
    return next((purpose for purpose in _PURPOSE_ORDER if purpose in reasons), None)


def _said_to_be_for(texts: list[str]) -> list[Concept]:
    """What free words say a drug is given for; "premedication given" and "reduced for nausea" do not."""
    return [Concept((), match[1].strip()) for text in texts for match in _GIVEN_FOR.finditer(text)]


_PURPOSE_OF_DIAGNOSIS = {
    "multiple-myeloma": Purpose.MYELOMA,
    "smouldering-myeloma": Purpose.SMOULDERING,
    "al-amyloidosis": Purpose.AMYLOIDOSIS,
}


def _purpose(chart: Chart, concept: Concept) -> Purpose | None:
    found = chart.terminology.purpose(concept)
    # Text refines the code of a diagnosis ("Smoldering ..." under C90.00): the diagnosis has the last word.
    if found in (None, Purpose.MYELOMA):
        diagnosis = chart.terminology.diagnosis(concept)
        if diagnosis is not None:
            return _PURPOSE_OF_DIAGNOSIS.get(diagnosis.kind, found)
    return found


# ---- dose, route, line -------------------------------------------------------------------------------------
def _dosages(reading: Reading) -> list[Mapping[str, Any]]:
    """Dosage elements of all four resources: "dosage" (a list or an object), "dosageInstruction"."""
    dosage = reading.data.get("dosage")
    found = [dosage] if isinstance(dosage, Mapping) else []
    if isinstance(dosage, list):
        found = reading.objects(reading.data, "dosage")
    if reading.data.get("dosageInstruction") is not None:
        found = [*found, *reading.objects(reading.data, "dosageInstruction")]
    return found


def _dose(
    reading: Reading, dosages: list[Mapping[str, Any]], text: str, dosage_texts: list[str]
) -> tuple[float | None, str]:
    """Amount and unit of one dose; from the words where they name exactly one, else (None, "")."""
    for dosage in dosages:
        holders = [*reading.objects(dosage, "doseAndRate"), dosage]
        for holder in holders:
            for key in ("doseQuantity", "dose"):
                node = holder.get(key)
                if isinstance(node, Mapping):
                    value = reading.number(node, "value")
                    if value is not None and not 0 <= value <= _DOSE_AT_MOST:
                        text = f"{reading.reference}: the dose {value:.6g} is not plausible; left out."
                        reading.issue(Severity.WARNING, "implausible-value", text)
                        return None, ""
                    if value is not None:
                        return value, reading.text(node, "code") or reading.text(node, "unit")
    for words in (*dosage_texts, text):
        amounts = set() if _PRODUCT_WORDS.search(words) else set(_AMOUNT.findall(words))
        if len(amounts) == 1:
            number, unit, per = amounts.pop()
            value = decimal(number)
            if value is not None and value <= _DOSE_AT_MOST:
                per = per.replace(" ", "").replace("²", "2").replace("mq", "m2").lower()
                return value, unit.lower().replace("µg", "ug").replace("mcg", "ug") + per
    return None, ""


def _route(reading: Reading, dosages: list[Mapping[str, Any]]) -> str:
    for dosage in dosages:
        if dosage.get("route") is None:
            continue
        concept = reading.concept(dosage, "route")
        for coding in concept.codings:
            if coding.code in _ROUTE_CODES:
                return _ROUTE_CODES[coding.code]
        for words in (concept.text, *(w for c in concept.codings for w in (c.display, c.code))):
            if found := _route_in(words):
                return found
    return ""


def _route_in(words: str) -> str:
    """The one route that words name; "" where they name none or several."""
    found = {route for route, pattern in _ROUTE_WORDS if words and pattern.search(words)}
    return found.pop() if len(found) == 1 else ""


def _line_number(reading: Reading, chart: Chart, texts: list[str]) -> int | None:
    """The line of therapy that the chart gives the entry: in an extension, or in words."""
    for extension in reading.objects(reading.data, "extension") if "extension" in reading.data else []:
        url = reading.text(extension, "url").lower().replace("-", "")
        if "lineoftherapy" not in url and "therapyline" not in url:
            continue
        for key in ("valueInteger", "valuePositiveInt", "valueUnsignedInt"):
            value = reading.number(extension, key)
            if value is not None and value == int(value) and 0 < value < 30:
                return int(value)
        words = [reading.text(extension, "valueString")] if "valueString" in extension else []
        words.append(reading.concept(extension, "valueCodeableConcept").text)
        for text in words:
            if (number := chart.terminology.line_number(text)) is not None:
                return number
    for text in texts:
        if text and (number := chart.terminology.line_number(text)) is not None:
            return number
    return None
