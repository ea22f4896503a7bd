"""Procedures to come, procedures not done, and what words say of CAR-T, as plan facts.

Read of ServiceRequest and of Procedures not carried out; of orders and doses not given of a cell product; of
Condition, Observation and Flag where their words speak of CAR-T. A plan may lie in the future, as plans do;
one that was made after the evaluation date is not known, like everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cds_service.fhir import medications
from cds_service.fhir.accessors import NO_CONCEPT, Reading
from cds_service.fhir.answers import answers_of, words_in
from cds_service.fhir.chart import Chart
from cds_service.fhir.procedures import performed
from cds_service.record import DateSpan, PlanFact, PlanSays, Severity
from cds_service.terminology import Concept, PlanMatch

# "proposal" counts though it binds nobody: boards write their decisions so, and T cells once harmed stay so.
# "option" is one of several ways, "directive" a wish of the patient; neither is a plan.
_PLANNING = frozenset(
    {"proposal", "plan", "order", "original-order", "reflex-order", "filler-order", "instance-order", ""}
)
_FORBIDDING = _PLANNING - {"proposal"} | {"directive"}
_OPEN = frozenset({"draft", "active", "on-hold", "suspended"})
_OVER = frozenset({"completed", "revoked", "cancelled", "stopped", "ended", "entered-in-error"})
_COMING = frozenset({"preparation", "on-hold", "suspended"})
"""Statuses of a Procedure that is still to be carried out, or to go on ("suspended": STU3)."""

_CELLS = PlanMatch("cart-infusion", "car-t", of_t_cells=True)
_STATUS_REASON = "request-statusreason"  # the extension by which a ServiceRequest says why it stands so
_LONGEST_TEXT = 100
_WORDED = frozenset({"valueString", "valueCodeableConcept", "valueCoding", "valueBoolean", "component"})


# ---- requests --------------------------------------------------------------------------------------------
def service_request(reading: Reading, chart: Chart) -> list[PlanFact]:
    """The plan that a request for a procedure is; [] of one that is over, or asks for something else."""
    data = reading.data
    if reading.token(data, "status") == "entered-in-error":
        chart.left_out["entered-in-error"] += 1
        return []
    concept = reading.concept(data, "code") if data.get("code") is not None else NO_CONCEPT
    reasons = [one for key in ("reasonCode", "reason") for one in _words_of(reading, key)]
    match = chart.terminology.plan(concept, reasons) if concept != NO_CONCEPT else None
    if match is None:
        return []
    reading.doubt(match.doubt)
    on = performed(reading) or _timed(reading)
    return _requested(reading, chart, match, _text(concept), on)


def order_of_cells(reading: Reading, chart: Chart) -> list[PlanFact]:
    """The plan that an order of a cell product is, a draft too: cells ordered are meant to be infused."""
    data = reading.data
    if reading.token(data, "status") == "entered-in-error":
        return []
    product, text = _product(reading, chart)
    if not product:
        return []
    start = None
    for dosage in reading.objects(data, "dosageInstruction") if "dosageInstruction" in data else []:
        repeat = reading.object(reading.object(dosage, "timing"), "repeat")
        if start is None and repeat.get("boundsPeriod") is not None:
            start = reading.period(repeat, "boundsPeriod")[0].span
    return _requested(reading, chart, _CELLS, text, start, product)


def _requested(
    reading: Reading, chart: Chart, match: PlanMatch, text: str, on: DateSpan | None, drug: str = ""
) -> list[PlanFact]:
    data = reading.data
    status, intent = reading.token(data, "status"), reading.token(data, "intent")
    said = reading.day(data, "authoredOn") if data.get("authoredOn") is not None else None
    if chart.is_future(said):
        if reading.type == "ServiceRequest":  # of an order of drugs it is counted where its drug is read
            chart.left_out["future"] += 1
        return []
    drug = drug or match.drug

    def fact(says: PlanSays, when: DateSpan | None, why: str = "") -> PlanFact:
        return PlanFact(
            reading.reference, match.plan, says, when, on, match.kind, match.of_t_cells, drug, text, why
        )

    why = _why(reading)
    if reading.flag(data, "doNotPerform"):
        forbidden = status == "active" and intent in _FORBIDDING
        return [fact(PlanSays.NOT_DONE, said, why)] if forbidden else []
    if status in _OVER:
        # That a request was called off says nothing of whether it can be done: it may stand anew elsewhere.
        # Only its reason does, of a day between the request and now.
        since = DateSpan(said.earliest, chart.as_of) if said is not None else None
        told = chart.terminology.car_t_feasible(f"CAR-T: {why}") if why and match.of_t_cells else None
        return [fact(PlanSays.NOT_FEASIBLE, since, why)] if told is False else []
    if status not in _OPEN:
        if intent in _PLANNING:
            words = (
                f"{reading.reference}: whether this request still stands is not charted; it plans nothing."
            )
            reading.issue(Severity.WARNING, "unknown-status", words)
        return []
    if intent not in _PLANNING:
        return []
    if not intent:
        reading.repaired("no intent; read as an order")
    return [fact(PlanSays.PLANNED, said)]


# ---- procedures and doses that were not done ---------------------------------------------------------------
def procedure(reading: Reading, chart: Chart) -> list[PlanFact]:
    """A procedure being prepared, or charted as not done; [] of one that was done, or broken off."""
    data = reading.data
    status = reading.token(data, "status")
    undone = status == "not-done" or any(reading.flag(data, key) for key in ("notDone", "notPerformed"))
    if status == "entered-in-error" or not (undone or status in _COMING):
        return []
    concept = reading.concept(data, "code")
    reasons = [one for key in ("reasonCode", "reason") for one in _words_of(reading, key)]
    match = chart.terminology.plan(concept, reasons) if concept != NO_CONCEPT else None
    if match is None:
        return []
    return _not_carried_out(reading, chart, match, _text(concept), performed(reading), undone=undone)


def dose_of_cells(reading: Reading, chart: Chart) -> list[PlanFact]:
    """An infusion charted as a dose of the product, being prepared or not done."""
    data = reading.data
    status = reading.token(data, "status")
    undone = status == "not-done" or any(reading.flag(data, key) for key in ("notGiven", "wasNotGiven"))
    if not (undone or status == "preparation"):
        return []
    product, text = _product(reading, chart)
    if not product:
        return []
    on = None
    for stem in ("effective", "occurence", "occurrence"):  # R5 writes "occurence"
        if on is None and data.get(f"{stem}DateTime") is not None:
            on = reading.day(data, f"{stem}DateTime")
        elif on is None and data.get(f"{stem}Period") is not None:
            on = reading.period(data, f"{stem}Period")[0].span
    return _not_carried_out(reading, chart, _CELLS, text, on, undone=undone, drug=product)


def _not_carried_out(
    reading: Reading,
    chart: Chart,
    match: PlanMatch,
    text: str,
    on: DateSpan | None,
    *,
    undone: bool,
    drug: str = "",
) -> list[PlanFact]:
    reading.doubt(match.doubt)
    recorded = reading.day(reading.data, "recorded") if "recorded" in reading.data else None
    if chart.is_future(recorded):
        return []
    drug = drug or match.drug
    if not undone:
        plan = PlanFact(
            reading.reference,
            match.plan,
            PlanSays.PLANNED,
            recorded,
            on,
            match.kind,
            match.of_t_cells,
            drug,
            text,
        )
        return [plan]
    why = _why(reading)
    said = recorded or chart.clipped(on)
    if said is None and on is not None:
        return []  # not done on a day to come: when that was said is not known
    # Put off is not given up: it is to come, on a day that is not charted.
    says = PlanSays.PLANNED if why and chart.terminology.is_put_off(why) else PlanSays.NOT_DONE
    return [
        PlanFact(
            reading.reference, match.plan, says, said, None, match.kind, match.of_t_cells, drug, text, why
        )
    ]


# ---- words -------------------------------------------------------------------------------------------------
def said_in_condition(reading: Reading, chart: Chart) -> list[PlanFact]:
    """What a Condition says in words, of one that is neither over nor unsure: "not a CAR-T candidate"."""
    data = reading.data
    quiet = Reading(data, reading.reference)  # what its other readers pass over is not complained of here
    words = _code_words(quiet)
    told = chart.terminology.car_t_feasible(words) if words else None
    if told is None:
        return []
    over = {"resolved", "inactive"}.intersection(
        quiet.codes(data, "clinicalStatus") if "clinicalStatus" in data else ()
    )
    unsure = {"refuted", "entered-in-error", "provisional", "differential", "unconfirmed"}.intersection(
        quiet.codes(data, "verificationStatus") if "verificationStatus" in data else ()
    )
    ended = any(data.get(key) for key in data if isinstance(key, str) and key.startswith("abatement"))
    if over or unsure or ended:
        return []
    return _told(quiet, chart, told, words, ("recordedDate", "assertedDate", "onsetDateTime"))


def said_in_observation(reading: Reading, chart: Chart) -> list[PlanFact]:
    """What an Observation answers: "Eligible for CAR-T" and "no"; or says whatever was asked."""
    data = reading.data
    if _WORDED.isdisjoint(data):  # most are numbers
        return []
    quiet = Reading(data, reading.reference)
    if quiet.token(data, "status") in ("entered-in-error", "cancelled"):
        return []
    components = quiet.objects(data, "component") if "component" in data else []
    for node in (data, *components):
        answer = _answer(quiet, chart, node)
        if not answer:
            continue
        question = words_in(quiet.concept(node, "code"))
        told = chart.terminology.car_t_feasible_answer(question, answer)
        if told is not None:
            dates = ("effectiveDateTime", "effectiveInstant", "effectivePeriod", "issued")
            return _told(quiet, chart, told, f"{question}: {answer}", dates)
    return []


def flag(reading: Reading, chart: Chart) -> list[PlanFact]:
    """What a Flag says in words, while it is active."""
    data = reading.data
    status = reading.token(data, "status")
    if status == "entered-in-error":
        chart.left_out["entered-in-error"] += 1
        return []
    words = _code_words(reading)
    told = chart.terminology.car_t_feasible(words) if words and status in ("active", "") else None
    if told is None:
        return []
    start, end = reading.period(data, "period") if data.get("period") is not None else (None, None)
    if end is not None and end.span is not None and end.span.latest < chart.as_of:
        return []
    return _told(reading, chart, told, words, ("period",) if start is not None else ())


def _told(reading: Reading, chart: Chart, feasible: bool, words: str, dates: Iterable[str]) -> list[PlanFact]:
    said = next((day for key in dates if (day := _day(reading, key)) is not None), None)
    if chart.is_future(said):
        return []
    says = PlanSays.FEASIBLE if feasible else PlanSays.NOT_FEASIBLE
    return [
        PlanFact(
            reading.reference,
            "car-t",
            says,
            chart.clipped(said),
            of_t_cells=True,
            text=words[:_LONGEST_TEXT],
        )
    ]


def _day(reading: Reading, key: str) -> DateSpan | None:
    value = reading.data.get(key)
    if value is None:
        return None
    if isinstance(value, Mapping):
        start, end = reading.period(reading.data, key)
        return start.span or end.span
    return reading.day(reading.data, key)


def _answer(reading: Reading, chart: Chart, node: Mapping[str, Any]) -> str:
    """The answer as charted in words, of a code without words what it means; "" of numbers and the like."""
    if node.get("valueBoolean") is not None:
        return {True: "yes", False: "no", None: ""}[reading.flag(node, "valueBoolean")]
    if _WORDED.isdisjoint(node):
        return ""
    answers = answers_of(reading, node)
    return "; ".join(_text(one) or chart.terminology.coded_result(one) for one in answers)


# ---- what the readers share --------------------------------------------------------------------------------
def _product(reading: Reading, chart: Chart) -> tuple[str, str]:
    """The one cell product that an entry names, and the chart's words for it; else nothing."""
    quiet = Reading(reading.data, reading.reference)
    for way in medications.medication(quiet, chart):
        found = {match.drug for concept in way for match in chart.terminology.drugs(concept, on=None)}
        if found:
            cells = found & chart.terminology.cells
            return (cells.pop(), _text(way[0])) if len(cells) == 1 else ("", "")
    return "", ""


def _text(concept: Concept) -> str:
    return concept.text or next((coding.display for coding in concept.codings if coding.display), "")


def _code_words(reading: Reading) -> str:
    if reading.data.get("code") is None:
        return ""
    concept = reading.concept(reading.data, "code")
    return concept.text or words_in(concept)


def _words_of(reading: Reading, key: str) -> list[str]:
    """The words of a list of concepts; of a list of references, what they are called."""
    found = []
    for node in reading.nodes(reading.data, key) if reading.data.get(key) is not None else []:
        if isinstance(node, Mapping) and isinstance(node.get("reference"), Mapping | str):
            found.append(reading.reference_display(node))
        else:
            found.append(words_in(reading.as_concept(node, key)))
    return [words for words in found if words]


def _why(reading: Reading) -> str:
    """Why it stands as it does, in the chart's words: the status reason, else an extension, else ""."""
    data = reading.data
    said: list[str] = []
    if isinstance(data.get("statusReason"), list):
        said = _words_of(reading, "statusReason")
    elif data.get("statusReason") is not None:
        said = [words_in(reading.concept(data, "statusReason"))]
    for extension in reading.objects(data, "extension") if "extension" in data and not said else []:
        if reading.text(extension, "url").lower().endswith(_STATUS_REASON):
            if extension.get("valueCodeableConcept") is not None:
                said.append(words_in(reading.concept(extension, "valueCodeableConcept")))
            elif extension.get("valueString") is not None:
                said.append(reading.text(extension, "valueString"))
    return "; ".join(words for words in said if words)


def _timed(reading: Reading) -> DateSpan | None:
    """The first day of an ``occurrenceTiming``."""
    if reading.data.get("occurrenceTiming") is None:
        return None
    timing = reading.object(reading.data, "occurrenceTiming")
    repeat = reading.object(timing, "repeat")
    if repeat.get("boundsPeriod") is not None:
        start, end = reading.period(repeat, "boundsPeriod")
        return start.span or end.span
    days = [reading.day({"event": one}, "event") for one in reading.nodes(timing, "event")]
    return min((day for day in days if day is not None), default=None)
