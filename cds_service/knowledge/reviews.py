"""How much of the knowledge a clinician has approved."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.knowledge.types import Knowledge, Review


def approvals(knowledge: Knowledge) -> Iterator[tuple[str, tuple[Review, ...]]]:
    """Every entry that a clinician is to approve, as "file: entry", with its approvals."""
    for regimen in knowledge.regimens.values():
        yield f"pathways/regimens/{regimen.key}.yaml", regimen.reviewed
    for drug, component in knowledge.components.items():
        yield f"pathways/drugs/{drug}.yaml", component.reviewed
        for companion in component.companions:
            yield f"pathways/drugs/{drug}.yaml: {companion.id}", companion.reviewed
    for row in knowledge.evidence.values():
        yield f"pathways/evidence/{row.id.lower()}.yaml", row.reviewed
    for pathway in knowledge.pathways.values():
        if pathway.composed:
            yield f"pathways/{pathway.id}.yaml", pathway.reviewed
            continue
        for rule in pathway.rules:
            yield f"pathways/sequencing/{pathway.id}.yaml: {rule.id}", rule.reviewed
        for statement in pathway.statements:
            yield f"pathways/sequencing/{pathway.id}.yaml: {statement.id}", statement.reviewed
    for gate in knowledge.gates:
        yield f"pathways/hard-stops.yaml: {gate.id}", gate.reviewed
    for stop in knowledge.hard_stops:
        yield f"pathways/hard-stops.yaml: {stop.id}", stop.reviewed
    for conflict in knowledge.conflicts:
        yield f"pathways/conflicts.yaml: {conflict.id}", conflict.reviewed
    for gap in knowledge.gaps:
        yield f"pathways/no-suggestion.yaml: {gap.id}", gap.reviewed


def counted(knowledge: Knowledge) -> tuple[int, int]:
    """How many entries carry an approval, and of how many."""
    every = [reviewed for _, reviewed in approvals(knowledge)]
    return sum(1 for reviewed in every if reviewed), len(every)
