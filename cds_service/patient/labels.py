"""The labels of the field: first relapse, double-refractory to A and B, triple-class exposed ..."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.knowledge.types import Knowledge, Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.types import ClassState, DrugState, LabelReason, Line, Status
from cds_service.record import Response, ResponseFact


def counted(
    drugs: Mapping[str, DrugState], key: str, statuses: Sequence[Status], knowledge: Knowledge
) -> int:
    """Number of distinct drugs of the class ``key`` in one of ``statuses``."""
    return sum(1 for s in drugs.values() if key in knowledge.drugs[s.drug].classes and s.status in statuses)


@dataclass(frozen=True)
class Clock:
    """Time to the first progression from one starting point, as short and as long as the dates allow."""

    months: tuple[float, float] | None  # None: no such start, or no progression
    derived_from: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.months is None:
            return "?"
        shortest, longest = (f"{m:.1f}" for m in self.months)
        return shortest if shortest == longest else f"{shortest}-{longest}"


@dataclass(frozen=True)
class Standing:
    """What the labels are drawn from, beside drugs and lines.

    ``failed``: the last line has progressed or did not respond, drafts aside. ``clocks`` by the names of
    definitions/imwg.yaml, "functional_high_risk".
    """

    prior_lines: int | None
    needs_choice: bool
    failed: bool
    clocks: Mapping[str, Clock]
    transplanted: bool


def labels(
    drugs: Mapping[str, DrugState],
    classes: Mapping[str, ClassState],
    lines: Sequence[Line],
    responses: Sequence[ResponseFact],
    standing: Standing,
    knowledge: Knowledge,
    language: str,
) -> tuple[dict[str, LabelReason], frozenset[str]]:
    """The labels that surely hold with the reason of each, in the order of the interface; and the open ones.

    An unknown datum gives no label; one that a missing date leaves open is in the second part.
    """
    numbers = knowledge.definitions["imwg"]["labels"]
    three: list[str] = numbers["three_classes"]
    found: dict[str, LabelReason] = {}

    def add(label: str, words: str, states: Iterable[DrugState] = (), by: Iterable[str] = ()) -> None:
        own = sorted(states, key=lambda s: s.drug)
        text = sentence(
            knowledge.definitions,
            "label",
            words,
            drugs=_named([knowledge.drugs[s.drug].name for s in own]),
        )
        references = {*by, *(r for s in own for r in s.derived_from)}
        found[label] = LabelReason(text.in_language(language), "", tuple(sorted(references)))

    def of(keys: Iterable[str], statuses: Sequence[Status]) -> list[DrugState]:
        wanted = set(keys)
        return [
            s
            for s in drugs.values()
            if s.status in statuses and wanted.intersection(knowledge.drugs[s.drug].classes)
        ]

    only_line = lines[0].derived_from if lines else ()
    if standing.prior_lines == 1 and standing.failed:
        add("first-relapse", "first-relapse", by=only_line)
    refractory = sorted((k for k in three if classes[k].status is Status.REFRACTORY), key=str.casefold)
    failed = of(refractory, (Status.REFRACTORY,))
    if len(refractory) == 2:
        add(f"double-refractory:{refractory[0]}+{refractory[1]}", "classes-refractory", failed)
    if all(_exposed(drugs, key, knowledge) for key in three):
        given = [s for s in of(three, tuple(Status)) if s.given]
        add("triple-class-exposed", "classes-exposed", given)
    if len(refractory) == len(three):
        add("triple-class-refractory", "classes-refractory", failed)
    for label in ("quad", "penta"):
        if all(
            counted(drugs, key, (Status.REFRACTORY,), knowledge) >= number
            for key, number in numbers[label].items()
        ):
            own = of(numbers[label], (Status.REFRACTORY,))
            add(f"{label}-refractory", "classes-refractory", own)
    high_risk, undecided = _functional_high_risk(numbers, standing, knowledge, language)
    if high_risk is not None:
        found["functional-high-risk"] = high_risk
    if (
        standing.failed
        and standing.prior_lines == 1
        and len(lines) == 1
        and _never_responded(lines[0], responses)
    ):
        add("primary-refractory", "primary-refractory", by=only_line)
    if not standing.needs_choice:
        add("not-applicable", "not-applicable")
    return found, frozenset({"functional-high-risk"}) if undecided else frozenset()


def _named(names: Sequence[Text]) -> Text:
    return Text(", ".join(n.en for n in names), ", ".join(n.in_language("it") for n in names))


def _functional_high_risk(
    numbers: Mapping[str, Any], standing: Standing, knowledge: Knowledge, language: str
) -> tuple[LabelReason | None, bool]:
    """The first definition in use that surely holds, and whether a date leaves one open."""
    undecided = False
    for definition in numbers["functional_high_risk"]:
        others = "not-transplanted" if standing.transplanted else "transplanted"
        if not definition["used"] or definition["scope"] == others:
            continue
        clock = standing.clocks[definition["clock"]]
        if clock.months is None:
            # Without a progression there is no early one; one that is charted without its day may be.
            undecided |= standing.needs_choice
            continue
        shortest, longest = clock.months
        if _early(longest, definition):
            text = sentence(
                knowledge.definitions,
                "label",
                definition["clock"],
                months=str(clock),
                threshold=f"{definition['under_months']:g}",
            )
            reason = LabelReason(
                because=text.in_language(language),
                threshold=definition["id"],
                derived_from=clock.derived_from,
                months=str(clock),
                limit=f"{definition['under_months']:g}",
            )
            return reason, False
        undecided |= _early(shortest, definition)
    return None, undecided


def _early(months: float, definition: Mapping[str, Any]) -> bool:
    under = float(definition["under_months"])
    return months <= under if definition["inclusive"] else months < under


def _exposed(drugs: Mapping[str, DrugState], key: str, knowledge: Knowledge) -> bool:
    return any(s.given and key in knowledge.drugs[s.drug].classes for s in drugs.values())


def _never_responded(line: Line, responses: Sequence[ResponseFact]) -> bool:
    """Whether the chart says that the only line never reached a minimal response (it must say so)."""
    if line.best_response is not None:
        return line.best_response is Response.SD
    return line.ends_because == "insufficient-response"
