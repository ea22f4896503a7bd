"""What is planned and not yet carried out, and whether CAR-T cells can be given to this patient.

A plan stands until it is carried out, contradicted, or too old to be believed. What was said last counts;
where the chart says both and nothing tells which was later, it is not known. docs/decisions/0006.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from cds_service.knowledge.types import Knowledge
from cds_service.knowledge.wording import sentence
from cds_service.patient.exposures import Course
from cds_service.record import (
    ClinicalRecord,
    DateSpan,
    DrugFact,
    Issue,
    PlanFact,
    PlanSays,
    Purpose,
    Severity,
)

APHERESIS, CELLS = "apheresis", "car-t"
FEASIBLE, NOT_FEASIBLE, UNKNOWN = "feasible", "not-feasible", "unknown"


@dataclass(frozen=True)
class Plans:
    """``planned``: plan -> the resources that make it. ``car_t``: feasible, not-feasible or unknown."""

    planned: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    car_t: str = UNKNOWN
    car_t_from: tuple[str, ...] = ()
    issues: tuple[Issue, ...] = ()


@dataclass(frozen=True)
class _Word:
    """One word on whether CAR-T cells can be given; ``on`` None: its day is not charted."""

    feasible: bool
    on: DateSpan | None
    reference: str


def plans(
    record: ClinicalRecord,
    facts: Iterable[DrugFact],
    given: Iterable[Course],
    knowledge: Knowledge,
    as_of: date,
    language: str = "en",
) -> Plans:
    """What of the charted plans stands on a day.

    ``facts`` are the drug entries with their purpose decided, ``given`` the courses made of them.
    """
    if not record.plans:
        return Plans()
    chart = _Chart(record, facts, given, knowledge, as_of)
    coming = [f for f in record.plans if f.says is PlanSays.PLANNED and chart.is_coming(f)]
    standing = [fact for fact in coming if not chart.is_old(fact)]
    planned: dict[str, set[str]] = defaultdict(set)
    for fact in standing:
        planned[fact.plan].add(fact.reference)
        if fact.plan == CELLS and not chart.is_collected_for(fact):
            planned[APHERESIS].add(fact.reference)  # there are no cells without it
    last = _last(chart.words(standing))
    verdicts = {word.feasible for word in last}
    references = tuple(sorted({word.reference for word in last}))
    issues = [_old(fact, chart, knowledge, language) for fact in coming if chart.is_old(fact)]
    if len(verdicts) > 1:
        text = sentence(knowledge.definitions, "plan", "conflict").in_language(language)
        issues += [Issue(Severity.WARNING, "conflicting-car-t", text, one) for one in references]
        verdicts = set()
    return Plans(
        {plan: tuple(sorted(planned[plan])) for plan in sorted(planned)},
        {True: FEASIBLE, False: NOT_FEASIBLE, None: UNKNOWN}[next(iter(verdicts), None)],
        references if verdicts else (),
        tuple(sorted(set(issues))),
    )


class _Chart:
    """What bears on the plans of one chart: what was done, what was contradicted, and the day."""

    def __init__(
        self,
        record: ClinicalRecord,
        facts: Iterable[DrugFact],
        given: Iterable[Course],
        knowledge: Knowledge,
        as_of: date,
    ) -> None:
        numbers = knowledge.definitions["imwg"]
        self._as_of, today = as_of, DateSpan(as_of, as_of)
        self.stands = timedelta(days=numbers["plans"]["stands_days"])
        self._words_stand = timedelta(days=numbers["reach_days"]["car-t-eligibility"])
        self._said = [f for f in record.plans if f.says is not PlanSays.PLANNED]
        # Days on which each plan was carried out; None: done, on a day that is not charted.
        self._done: dict[str, list[DateSpan | None]] = defaultdict(list)
        self._collected: list[DateSpan | None] = []
        kinds = {kind["key"]: kind for kind in knowledge.mappings["procedures"]["kinds"]}
        for procedure in record.procedures:
            kind = kinds.get(procedure.kind, {})
            told = {plan for key in ("plan", "shows") if (plan := kind.get(key))}
            for plan in told:
                self._done[plan].append(procedure.on)
            if APHERESIS in told and CELLS not in told:
                self._collected.append(procedure.on)
        infused = [c.first if c.dated else None for c in given if c.one_off]
        for plan in (CELLS, APHERESIS):
            self._done[plan] += infused
        self._infused = max((day.latest for day in infused if day is not None), default=None)
        # Nobody is given lymphodepletion, nor ordered it, before the cells are there.
        entries = (
            *((f, f.first_dose) for f in (*facts, *record.drugs)),
            *((f, today) for f in record.drafts),
        )
        self._collected += [day for f, day in entries if f.purpose is Purpose.LYMPHODEPLETION]

    # ---- plans -------------------------------------------------------------------------------------------
    def is_coming(self, plan: PlanFact) -> bool:
        """Whether a plan was neither carried out nor contradicted since, as far as is sure."""
        day = plan.said or plan.on
        if day is None:
            return not self._done[plan.plan] and not any(self._contradicts(one, plan) for one in self._said)
        if plan.said is None and day.earliest > self._as_of + self.stands:
            return False  # nobody plans so far ahead: on the day of the answer it was not made
        if any(done is not None and done.earliest >= day.earliest for done in self._done[plan.plan]):
            return False
        return not any(self._contradicts(one, plan) for one in self._said)

    def is_old(self, plan: PlanFact) -> bool:
        """Whether a plan is so old that it will not be carried out any more; orders are seldom closed."""
        days = [day.latest for day in (plan.said, plan.on) if day is not None]
        return bool(days) and max(days) + self.stands < self._as_of

    def is_collected_for(self, plan: PlanFact) -> bool:
        """Whether the T cells for a plan of CAR-T were collected already, not long before it was made."""
        day = plan.said or plan.on
        if day is None:
            return bool(self._collected)
        since = day.earliest - self.stands
        return any(done is not None and done.earliest >= since for done in self._collected)

    def _contradicts(self, word: PlanFact, plan: PlanFact) -> bool:
        """Whether something said surely after a plan was made undoes it."""
        if word.says is PlanSays.FEASIBLE:
            return False
        of_cells = word.of_t_cells and plan.plan in (APHERESIS, CELLS)
        return (of_cells or word.plan == plan.plan) and _later(word.said, self._made(plan))

    def _made(self, plan: PlanFact) -> DateSpan | None:
        """When a plan was made; of one without its own day, some time before the day it is meant for."""
        if plan.said is not None or plan.on is None:
            return plan.said
        latest = min(plan.on.latest, self._as_of)
        return DateSpan(min(plan.on.earliest - self.stands, latest), latest)

    # ---- whether it can be done --------------------------------------------------------------------------
    def words(self, standing: Sequence[PlanFact]) -> Iterator[_Word]:
        """All that says whether CAR-T cells can be given now: standing plans, and what was said since."""
        for plan in standing:
            if plan.of_t_cells:
                yield _Word(True, self._made(plan), plan.reference)
        for word in self._said:
            if word.of_t_cells and self._counts(word):
                yield _Word(word.says is PlanSays.FEASIBLE, word.said, word.reference)

    def _counts(self, word: PlanFact) -> bool:
        """Whether what was said is neither too old nor spent: an infusion answers all said before it."""
        if self._infused is not None and (word.said is None or word.said.earliest <= self._infused):
            return False
        # What kept cells from being given on a day passes sooner than what was said of the patient.
        reach = self.stands if word.says is PlanSays.NOT_DONE else self._words_stand
        return word.said is None or word.said.latest + reach >= self._as_of


def _later(one: DateSpan | None, other: DateSpan | None) -> bool:
    """Whether one day surely lies after another; one that is not charted lies after none, and before all."""
    return one is not None and (other is None or one.earliest > other.latest)


def _last(words: Iterable[_Word]) -> list[_Word]:
    """The words after which surely no other was said."""
    said = list(words)
    return [word for word in said if not any(_later(other.on, word.on) for other in said)]


def _old(plan: PlanFact, chart: _Chart, knowledge: Knowledge, language: str) -> Issue:
    day = max(day for day in (plan.said, plan.on) if day is not None)
    text = sentence(
        knowledge.definitions,
        "plan",
        "old",
        what=sentence(knowledge.definitions, "procedure_name", plan.kind),
        date=str(day),
        days=str(chart.stands.days),
    )
    return Issue(Severity.INFORMATION, "plan-out-of-date", text.in_language(language), plan.reference)
