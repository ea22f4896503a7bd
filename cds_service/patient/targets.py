"""What was given against each target (BCMA, GPRC5D): by which kind of agent, when last, with what result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cds_service.knowledge.types import Knowledge
from cds_service.patient.exposures import Course
from cds_service.patient.lines import Counted
from cds_service.patient.types import DrugState, TargetExposure


def target_exposures(
    drugs: Mapping[str, DrugState], courses: Sequence[Course], counted: Counted, knowledge: Knowledge
) -> tuple[TargetExposure, ...]:
    """One entry per drug against a target that was given, the latest given last.

    Told apart since it matters what came before: efficacy of cells and bispecifics falls after another agent
    against the same target, the more the shorter ago. The best response is that of the drug's last line.
    """
    found = []
    for target in knowledge.classes.values():
        if not target.union_of:
            continue
        for key in target.union_of:
            for drug, state in drugs.items():
                own = [c for c in courses if c.drug == drug]
                if key not in knowledge.drugs[drug].classes or not own:
                    continue
                last = max(own, key=lambda c: (c.last.latest, c.derived_from))
                responses = [
                    line.best_response
                    for line, members in zip(counted.lines, counted.courses_of, strict=True)
                    if last in members
                ]
                found.append(
                    TargetExposure(
                        target=target.key,
                        modality=knowledge.classes[key].modality,
                        drug=drug,
                        last=state.last,
                        ongoing=state.ongoing,
                        stop_reason=last.stop_reason,
                        best_response=responses[-1] if responses else None,
                        status=state.status,
                        derived_from=state.derived_from,
                    )
                )
    return tuple(sorted(found, key=lambda t: (t.target, t.last is None, t.last, t.drug)))
