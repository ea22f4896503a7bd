"""The schedule of each drug of a regimen for one patient: the standard one, or the one that holds for her."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from cds_service.knowledge.types import Condition, Dose, DoseAdjustment, Knowledge, Regimen
from cds_service.knowledge.wording import sentence
from cds_service.sequencing.conditions import Evaluator
from cds_service.sequencing.types import CautionShown, DoseShown, Outcome

STANDARD = ""


def doses_for(
    regimen: Regimen, region: str, evaluator: Evaluator, knowledge: Knowledge
) -> tuple[DoseShown, ...]:
    """One entry per component that has a schedule, in the regimen's order.

    Of the dose adjustments whose condition holds the lowest stands; where none holds, the row group whose
    condition does; else the standard rows. What is unknown and could choose another, or a dose lower still,
    is named in the entry.
    """
    shown = []
    for drug in regimen.components:
        variants = schedules(regimen, drug, region, knowledge)
        if not variants:
            continue
        asked = [(variant, evaluator.ask(variant.when)) for variant in variants[1:]]
        holding = [(variant, outcome) for variant, outcome in asked if outcome.value]
        adjusted = [one for one in holding if one[0].adjustment is not None]
        chosen, outcome = (
            min(adjusted, key=lambda one: one[0].highest)
            if adjusted
            else next(iter(holding), (variants[0], Outcome(True)))
        )
        open_ones = [(v, o) for v, o in asked if o.value is None and v.may_replace(chosen)]
        missing = dict.fromkeys(m for _, o in open_ones for m in o.missing)
        adjustment = chosen.adjustment
        shown.append(
            DoseShown(
                drug=drug,
                rows=chosen.rows,
                variant=chosen.name,
                because=adjustment.text if adjustment else None,
                source=adjustment.source if adjustment else regimen.dose_source,
                depends_on=tuple(missing),
                unsettled=tuple(
                    (v.adjustment.text, o.derived_from)
                    for v, o in open_ones
                    if v.adjustment and o.derived_from
                ),
                derived_from=outcome.derived_from if chosen is not variants[0] else (),
            )
        )
    return tuple(shown)


def dose_cautions(doses: Iterable[DoseShown], knowledge: Knowledge) -> Iterator[CautionShown]:
    """What an adjusted dose, or one that the chart hints at and does not settle, asks to be minded.

    A lower dose is given and gone on with: it does not put the regimen behind its equals.
    """
    for dose in doses:
        if dose.because is not None:
            yield CautionShown(
                dose.drug, "dose-adjustment", dose.because, True, dose.derived_from, weighs=False
            )
        for text, references in dose.unsettled:
            told = sentence(knowledge.definitions, "caution", "unknown-bar", text=text)
            yield CautionShown(dose.drug, "dose-adjustment", told, True, references, weighs=False)


@dataclass(frozen=True)
class Schedule:
    """One schedule that a drug may have within a regimen, and for whom it stands (None: everybody else)."""

    name: str
    rows: tuple[Dose, ...]
    when: Condition | None = None
    adjustment: DoseAdjustment | None = None
    number: int = 0  # its place among the regimen's schedules of the drug

    @property
    def highest(self) -> float:
        """Its highest single amount; infinite where none is given as a number."""
        return max((dose.amount for dose in self.rows if dose.amount is not None), default=float("inf"))

    def may_replace(self, chosen: Schedule) -> bool:
        """Whether it would stand instead of the chosen one, did its condition hold."""
        if chosen.adjustment is not None:
            return self.adjustment is not None and self.highest < chosen.highest
        return self.adjustment is not None or chosen.when is None or self.number < chosen.number


def schedules(regimen: Regimen, drug: str, region: str, knowledge: Knowledge) -> list[Schedule]:
    """All schedules of a drug in a regimen and region, the standard one first; [] where no dose is given.

    Adjustments go before row groups: a kidney that fails weighs more than age. A step-up of which one amount
    is not given is none: no part of it may be ordered.
    """
    rows = [
        dose
        for dose in regimen.doses
        if dose.drug == drug and not dose.alternative and (not dose.regions or region in dose.regions)
    ]
    if any(dose.step_up and dose.amount is None for dose in rows):
        return []
    standard = tuple(dose for dose in rows if dose.when is None)
    if not standard:
        return []
    found = [Schedule(STANDARD, standard)]
    component = knowledge.components.get(drug)
    for adjustment in component.adjustments if component else ():
        if adjusted := _adjusted(standard, adjustment):
            found.append(Schedule(adjustment.id, adjusted, adjustment.when, adjustment, len(found)))
    conditional = [dose for dose in rows if dose.when is not None]
    for number, (_, group) in enumerate(groupby(conditional, key=lambda dose: repr(dose.when)), start=1):
        own = tuple(group)
        found.append(Schedule(f"rows-{number}", own, own[0].when, number=len(found)))
    return found


def _adjusted(standard: tuple[Dose, ...], adjustment: DoseAdjustment) -> tuple[Dose, ...]:
    """The standard rows with the lower dose; () where the regimen gives no higher one to lower."""
    if not all(d.unit == adjustment.unit and d.amount is not None for d in standard):
        return ()
    highest = max(d.amount for d in standard if d.amount is not None)
    rarer = bool(adjustment.days_text) and highest == adjustment.amount  # the same amount on fewer days
    if highest <= adjustment.amount and not rarer:
        return ()
    rows = []
    for dose in standard:
        lower = min(dose.amount or adjustment.amount, adjustment.amount)
        changed = replace(dose, amount=lower)
        if adjustment.days_text:
            changed = replace(changed, days=(), days_text=adjustment.days_text)
        rows.append(changed)
    # Rows that differed by their amount alone are one after lowering it.
    return tuple(dict.fromkeys(rows))
