"""Which of the unknowns would change the suggestions, were they settled one way or another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cds_service.knowledge.types import Knowledge
from cds_service.patient.refractory import class_states
from cds_service.patient.types import PatientState, Status
from cds_service.sequencing.choose import choose
from cds_service.sequencing.types import Recommendation

_FIT, _UNFIT = 0, 3
"""ECOG performance statuses between which every rule and label draws its limit."""


def with_weighed_unknowns(
    state: PatientState, recommendation: Recommendation, knowledge: Knowledge, formulary: frozenset[str]
) -> PatientState:
    """The state with ``changes_suggestions`` of every unknown answered by asking again.

    A missing medication history always may change them. Where no choice is due nothing can.
    """
    if not state.needs_treatment_choice:
        return state
    given = [s.regimen for s in recommendation.suggested]

    def changes(what: str) -> bool:
        return what == "medication-history" or any(
            given
            != [
                s.regimen
                for s in choose(
                    settled, knowledge, recommendation.region, recommendation.pathway, formulary
                ).suggested
            ]
            for settled in _settled(state, what, knowledge)
        )

    return replace(
        state, unknown=tuple(replace(u, changes_suggestions=changes(u.what)) for u in state.unknown)
    )


def _settled(state: PatientState, what: str, knowledge: Knowledge) -> Iterator[PatientState]:
    """The states the patient might be in, were ``what`` known."""
    kind, _, key = what.partition(":")
    if kind == "ecog":
        for ecog in (_FIT, _UNFIT):
            yield replace(state, ecog=ecog)
    if kind == "refractory" and key in state.drugs:
        for status in (Status.REFRACTORY, Status.EXPOSED):
            drugs = {**state.drugs, key: replace(state.drugs[key], status=status)}
            yield replace(state, drugs=drugs, classes=class_states(drugs, knowledge))
