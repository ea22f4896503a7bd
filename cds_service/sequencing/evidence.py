"""Which trial rows speak for a regimen in this patient, and the figure for her population."""

from __future__ import annotations

from cds_service.knowledge.types import Evidence, Knowledge, Text
from cds_service.sequencing.conditions import Evaluator


def evidence_for(regimen: str, evaluator: Evaluator, knowledge: Knowledge) -> tuple[str, ...]:
    """Ids of the regimen's trial rows: those that resemble the patient first, then the general ones.

    A row whose population she surely does not resemble comes last, so that it is shown only where
    nothing better exists.
    """

    def rank(row: Evidence) -> tuple[int, str]:
        if row.when is None:
            return (1, row.id)
        value = evaluator.ask(row.when).value
        return ({True: 0, None: 2, False: 3}[value], row.id)

    rows = [row for row in knowledge.evidence.values() if row.regimen == regimen and row.results]
    return tuple(row.id for row in sorted(rows, key=rank))


def headline(evidence: Evidence, evaluator: Evaluator) -> Text:
    """The sentence for this patient's population: the first result whose condition holds, else the last."""
    for result in evidence.results:
        if result.when is not None and evaluator.ask(result.when).value:
            return result.headline
    whole = [result for result in evidence.results if result.when is None]
    return (whole or list(evidence.results))[-1].headline
