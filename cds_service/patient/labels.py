"""The labels of the field: first relapse, double-refractory to A and B, triple-class exposed ..."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cds_service.knowledge.types import Knowledge
from cds_service.patient.types import ClassState, DrugState, Line, Status
from cds_service.record import DateSpan, Response, ResponseFact

_EXPOSED = (Status.EXPOSED, Status.SENSITIVE, Status.REFRACTORY)


def counted(
    drugs: Mapping[str, DrugState], key: str, statuses: Sequence[Status], knowledge: Knowledge
) -> int:
    """Number of distinct drugs of the class ``key`` in one of ``statuses``."""
    return sum(1 for s in drugs.values() if key in knowledge.drugs[s.drug].classes and s.status in statuses)


def labels(
    drugs: Mapping[str, DrugState],
    classes: Mapping[str, ClassState],
    lines: Sequence[Line],
    responses: Sequence[ResponseFact],
    prior_lines: int | None,
    needs_choice: bool,
    failed: bool,
    months_to_first_progression: tuple[float, float] | None,
    knowledge: Knowledge,
) -> tuple[str, ...]:
    """The labels that surely hold, in the order of the interface. An unknown datum gives no label.

    ``failed`` says whether the last line has progressed or did not respond, drafts aside;
    ``months_to_first_progression`` is the shortest and longest time the dates allow.
    """
    numbers = knowledge.definitions["imwg"]["labels"]
    three: list[str] = numbers["three_classes"]
    found: list[str] = []
    if prior_lines == 1 and failed:
        found.append("first-relapse")
    refractory = sorted((k for k in three if classes[k].status is Status.REFRACTORY), key=str.casefold)
    if len(refractory) == 2:
        found.append(f"double-refractory:{refractory[0]}+{refractory[1]}")
    if all(_exposed(drugs, key, knowledge) for key in three):
        found.append("triple-class-exposed")
    if len(refractory) == len(three):
        found.append("triple-class-refractory")
    for label in ("quad", "penta"):
        if all(
            counted(drugs, key, (Status.REFRACTORY,), knowledge) >= number
            for key, number in numbers[label].items()
        ):
            found.append(f"{label}-refractory")
    if (
        months_to_first_progression is not None
        and months_to_first_progression[1] < numbers["functional_high_risk_months"]
    ):
        found.append("functional-high-risk")
    if failed and prior_lines == 1 and len(lines) == 1 and _never_responded(lines[0], responses):
        found.append("primary-refractory")
    if not needs_choice:
        found.append("not-applicable")
    return tuple(found)


def _exposed(drugs: Mapping[str, DrugState], key: str, knowledge: Knowledge) -> bool:
    return counted(drugs, key, _EXPOSED, knowledge) > 0 or any(
        s.status is Status.UNKNOWN and s.first is not None and key in knowledge.drugs[s.drug].classes
        for s in drugs.values()
    )


def _never_responded(line: Line, responses: Sequence[ResponseFact]) -> bool:
    """Whether the chart says that the only line never reached a minimal response (it must say so)."""
    if line.best_response is not None:
        return line.best_response is Response.SD
    return line.ends_because == "insufficient-response"


def months_between(start: DateSpan, end: DateSpan, days_per_month: float) -> tuple[float, float]:
    """Shortest and longest time between two charted dates, in months."""
    return (
        (end.earliest - start.latest).days / days_per_month,
        (end.latest - start.earliest).days / days_per_month,
    )
