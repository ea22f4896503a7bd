"""What to mind with the latest values: an antibody that shows as M-protein, a high calcium."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from cds_service.knowledge.types import Knowledge, Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.exposures import Course
from cds_service.patient.samples import LaboratoryValues, Sample, periods_of
from cds_service.patient.types import Line
from cds_service.record import Issue, Severity


def laboratory_notes(
    values: LaboratoryValues,
    lines: Sequence[Line],
    courses: Sequence[Course],
    language: str,
) -> tuple[Issue, ...]:
    """What to mind with the latest values: an antibody that shows as M-protein; a high calcium."""
    rules = values.rules
    notes = []
    since = values.as_of - timedelta(days=values.knowledge.definitions["imwg"]["reach_days"]["value"])
    serum = values.series["serum"]
    if serum and serum[-1].on >= since and 0 < serum[-1].high <= rules["interference"]["serum_up_to"]:
        classes = set(rules["interference"]["classes"])
        given = [
            c
            for c in courses
            if classes & set(values.knowledge.drugs[c.drug].classes)
            and c.first.latest <= serum[-1].on <= c.last.earliest
        ]
        if given:
            drug = values.knowledge.drugs[given[-1].drug].name
            notes.append(
                _note("interference", "antibody-interference", serum[-1], values.knowledge, language, drug)
            )
    periods = list(periods_of(lines, values.as_of))
    calcium = values.samples(values.of("calcium-corrected"))
    current = periods and calcium and calcium[-1].on > max(periods[-1].start.latest, since)
    if current and calcium[-1].low > rules["calcium_above"]:
        notes.append(_note("calcium", "high-calcium", calcium[-1], values.knowledge, language))
    return tuple(notes)


def _note(
    name: str, code: str, sample: Sample, knowledge: Knowledge, language: str, drug: Text | str = ""
) -> Issue:
    unit = sentence(knowledge.definitions, "marker_unit", "calcium" if name == "calcium" else "serum")
    text = sentence(
        knowledge.definitions,
        "laboratory",
        name,
        value=str(sample),
        unit=unit,
        date=str(sample.on),
        drug=drug,
    )
    return Issue(Severity.INFORMATION, code, text.in_language(language), sample.derived_from[0])
