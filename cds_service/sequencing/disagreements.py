"""Where the sources clash and this answer is concerned: each clash once, in a sentence for the clinician."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cds_service.knowledge.types import Knowledge
from cds_service.sequencing.conditions import Evaluator
from cds_service.sequencing.types import DisagreementShown, Suggested


def disagreements(
    suggested: Sequence[Suggested], spoken_for: Collection[str], evaluator: Evaluator, knowledge: Knowledge
) -> tuple[DisagreementShown, ...]:
    """Clashes between sources, then those over figures of the trials shown, in the order of the suggestions.

    A clash that touches certain regimens is told where one of them is suggested, or was left out though a
    rule that fired speaks for it (``spoken_for``). One that is unknown to concern this patient is not told.
    """
    keys = [one.regimen for one in suggested]
    concerned = [*keys, *sorted(set(spoken_for) - set(keys))]
    found: dict[str, DisagreementShown] = {}
    for conflict in knowledge.conflicts:
        touched = tuple(key for key in concerned if key in conflict.touches)
        if conflict.says is None or (conflict.touches and not touched):
            continue
        if evaluator.ask(conflict.when).value:
            found[conflict.id] = DisagreementShown(conflict.id, conflict.says, touched)
    for one in suggested:
        for number, key in enumerate(one.evidence):
            row = knowledge.evidence[key]
            # The row whose figure is shown, and others of patients like her.
            if number and (row.when is None or not evaluator.ask(row.when).value):
                continue
            for clash in row.conflicts:
                if clash.says is None:
                    continue
                known = found.get(clash.id)
                regimens = (*(known.regimens if known else ()), one.regimen)
                said = known.text if known else clash.says
                found[clash.id] = DisagreementShown(clash.id, said, tuple(dict.fromkeys(regimens)))
    return tuple(found.values())
