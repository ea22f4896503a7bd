"""What reading the files cannot tell of the rules: which never fire, whom they leave without an answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from cds_service.knowledge.check import Finding
from cds_service.knowledge.types import DEFAULT, Knowledge, Regimen
from cds_service.record import DateSpan
from cds_service.sequencing.labelling import AUTHORISED
from cds_service.sequencing.reach import brought_by, can_fire
from cds_service.sequencing.space import Walked, points, walk

EVERY = 1499
"""Each so many-th state is walked by a check; a prime, so that it walks through every list of the space."""
_TOLD = 20


def rules_that_never_fire(known: Knowledge, as_of: date) -> Iterator[Finding]:
    """Rules whose condition no state of a patient fulfils."""
    for pathway in known.pathways.values():
        for rule in pathway.rules:
            if not can_fire(rule, known, as_of):
                file = "" if pathway.composed else "sequencing/"
                yield Finding(
                    f"pathways/{file}{pathway.id}.yaml",
                    rule.id,
                    "no state of a patient fulfils its condition",
                    "Correct the parts that contradict each other",
                )


def regimens_out_of_reach(known: Knowledge, as_of: date) -> Iterator[Finding]:
    """Labelled regimens that no rule of the default pathway brings to anybody, and do not say why."""
    rules = known.pathways[DEFAULT].rules
    for regimen in known.regimens.values():
        brought = brought_by(regimen, rules, known, DEFAULT, as_of)
        file = f"pathways/regimens/{regimen.key}.yaml"
        if brought and (regimen.no_rule or regimen.history_only):
            rule, region = brought
            yield Finding(
                file, "no_rule", f"{rule} brings it in {region}", "Take the member away, or the rule"
            )
        elif not brought and not regimen.no_rule and _labelled(regimen, as_of):
            yield Finding(
                file,
                "",
                "it is labelled, and no rule of the default pathway brings it to anybody",
                "Add a rule, or say why none speaks for it in no_rule",
            )


def states_without_answer(walked: Walked) -> Iterator[Finding]:
    """Walked states left without a suggestion or a known reason for it, and those that break an invariant."""
    told = [
        *((state, "nothing is suggested") for state in walked.unanswered),
        *(state.rpartition(": ")[::2] for state in walked.violations),
    ]
    for state, what in told[:_TOLD]:
        yield Finding(
            "pathways/state-space.yaml",
            state,
            what,
            "Add a rule or a state of pathways/no-suggestion.yaml; a broken invariant is never accepted",
        )
    if len(told) > _TOLD:
        rest = f"{len(told) - _TOLD} more such states"
        yield Finding("pathways/state-space.yaml", "", rest, 'List them with "myeloma-cds knowledge walk"')


def findings(known: Knowledge, as_of: date) -> list[Finding]:
    """Everything of this module, on a sample of the states, each by itself."""
    walked = walk(points(known, EVERY), known, DEFAULT, as_of, compare=False)
    return [
        *rules_that_never_fire(known, as_of),
        *regimens_out_of_reach(known, as_of),
        *states_without_answer(walked),
    ]


def _labelled(regimen: Regimen, as_of: date) -> bool:
    return any(
        label.status in AUTHORISED and (not label.until or DateSpan.on(label.until).earliest > as_of)
        for label in regimen.labels
    )
