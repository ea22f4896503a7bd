"""The cautions of the regimens on a card, each told once and numbered."""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.sequencing.types import CautionShown, Suggested

UNSETTLED = "unknown-refractory:"


class Numbered:
    """The cautions of the regimens shown, each once, numbered in the order of the table.

    Cautions that differ by their drug alone share a number.
    """

    def __init__(self, shown: Sequence[Suggested], with_rules: bool) -> None:
        self._groups: dict[str, list[CautionShown]] = {}
        self.left_out: list[CautionShown] = []
        for suggested in shown:
            for caution in suggested.cautions:
                by_rule = not caution.drug
                if not (caution.concerns or by_rule):
                    continue  # what always goes with a drug stands in its order
                if by_rule and not caution.concerns and not with_rules:
                    self.left_out.append(caution)
                    continue
                group = self._groups.setdefault(group_of(caution), [])
                if caution not in group:
                    group.append(caution)
        self._numbers = {key: number for number, key in enumerate(self._groups, start=1)}

    @property
    def listed(self) -> list[list[CautionShown]]:
        """The groups in the order of their numbers."""
        return list(self._groups.values())

    def marks(self, suggested: Suggested) -> str:
        """ "⚠1,3": the numbers of this regimen's cautions."""
        numbers = {self._numbers.get(group_of(c), 0) for c in suggested.cautions} - {0}
        return f"⚠{','.join(map(str, sorted(numbers)))}" if numbers else ""


def group_of(caution: CautionShown) -> str:
    """What a caution says, its drug aside."""
    if caution.concept.startswith(UNSETTLED):
        return UNSETTLED
    _, colon, rest = caution.text.en.partition(": ")
    return f"{caution.concept}: {rest}" if caution.drug and colon else caution.text.en
