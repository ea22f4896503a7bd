"""Procedure as a procedure fact: transplant, cell infusion, apheresis, dialysis and the like."""

from __future__ import annotations

from dataclasses import replace

from cds_service.fhir.accessors import NO_CONCEPT, Reading
from cds_service.fhir.chart import Chart
from cds_service.fhir.dates import charted
from cds_service.record import ComorbidityFact, DateSpan, ProcedureFact
from cds_service.terminology import Concept

_LONGEST_TEXT = 100  # of a finding: longer words are a report
_NOT_DONE = frozenset({"not-done", "preparation", "suspended", "aborted", "on-hold", "stopped"})
"""Statuses that say the procedure was not, or not wholly, carried out ("suspended", "aborted": STU3)."""


def procedure(reading: Reading, chart: Chart) -> list[ProcedureFact | ComorbidityFact]:
    """The procedure done, and what its words tell of in passing ("biopsy: soft tissue plasmacytoma").

    [] where neither is known here, or it was not done.
    """
    data = reading.data
    status = reading.token(data, "status")
    if status == "entered-in-error":
        chart.left_out["entered-in-error"] += 1
        return []
    if status in _NOT_DONE or reading.flag(data, "notDone") or reading.flag(data, "notPerformed"):
        chart.left_out["not-done"] += 1
        return []
    concept = reading.concept(data, "code")
    match = chart.terminology.procedure(concept) if concept != NO_CONCEPT else None
    told = _told(reading, chart, concept)
    if match is None and not told:
        return []
    if status not in ("completed", "in-progress"):
        reading.repaired("no status that tells; read as done")
    on = chart.treatable(reading, performed(reading))
    if chart.is_future(on):
        chart.left_out["future"] += 1
        return []
    found: list[ProcedureFact | ComorbidityFact] = [replace(one, assessed=chart.clipped(on)) for one in told]
    if match is None:
        return found
    reading.doubt(match.doubt)
    drug = match.drug
    if not drug and match.kind == "cart-infusion":
        drug = _product(reading, chart, concept, on)
    text = concept.text or next((coding.display for coding in concept.codings if coding.display), "")
    return [ProcedureFact(reading.reference, match.kind, chart.clipped(on), drug, text), *found]


def _told(reading: Reading, chart: Chart, concept: Concept) -> list[ComorbidityFact]:
    """Findings in the words of the procedure, its outcome and its notes."""
    outcome = reading.concept(reading.data, "outcome") if "outcome" in reading.data else NO_CONCEPT
    found: dict[str, ComorbidityFact] = {}
    for text in (concept.text, outcome.text, *reading.notes(chart.as_of)):
        for key, there in chart.terminology.told_in_report(text) if text else ():
            fact = ComorbidityFact(
                reading.reference, key, active=there, text=text[:_LONGEST_TEXT], present=there
            )
            if there or key not in found:
                found[key] = fact
    return list(found.values())


def performed(reading: Reading) -> DateSpan | None:
    """The days on which it was done: performed[x] (R4) or occurrence[x] (R5), any day within a Period."""
    data = reading.data
    for stem in ("performed", "occurrence"):
        if data.get(f"{stem}DateTime") is not None:
            return reading.day(data, f"{stem}DateTime")
        if data.get(f"{stem}Period") is not None:
            start, end = reading.period(data, f"{stem}Period")
            if start.span and end.span:
                return DateSpan(start.span.earliest, end.span.latest)
            return start.span or end.span
        if isinstance(data.get(f"{stem}String"), str):
            return charted(data[f"{stem}String"]).span  # free words are no unreadable date
    return None


def _product(reading: Reading, chart: Chart, concept: Concept, on: DateSpan | None) -> str:
    """The cell product, where the procedure's words or notes name exactly one."""
    words = [concept.text, *(coding.display for coding in concept.codings), *reading.notes(chart.as_of)]
    words.extend(
        one.text
        for key in ("usedCode", "used")
        if key in reading.data
        for one in reading.concepts(reading.data, key)
    )
    found = {
        match.drug
        for text in words
        if text
        for match in chart.terminology.drugs(Concept((), text), on=on.earliest if on else None)
    }
    return found.pop() if len(found) == 1 else ""
