"""When each drug was given, why it stopped, and whether it was given for the myeloma at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from cds_service.knowledge.types import Knowledge
from cds_service.record import ClinicalRecord, DateSpan, DrugFact, Given, ProcedureFact, Purpose, StopReason

LONG_AGO = date(1900, 1, 1)
"""Earliest day of an uncharted start: before any myeloma drug existed."""

NO_TREATMENT_OF_MYELOMA = frozenset(
    {
        Purpose.MOBILISATION,
        Purpose.CONDITIONING,
        Purpose.LYMPHODEPLETION,
        Purpose.PREMEDICATION,
        Purpose.ANTIEMETIC,
        Purpose.OTHER_DISEASE,
    }
)
"""Purposes that make a drug no myeloma therapy: neither exposure nor a line."""

EXPOSURE_WITHOUT_LINE = frozenset({Purpose.AMYLOIDOSIS, Purpose.SMOULDERING})
"""Purposes that expose the patient to the drug, but are no line of myeloma therapy."""

# The reason that counts where several resources on one course give different ones, first wins.
_GRAVEST_STOP = (
    StopReason.PROGRESSION,
    StopReason.NO_RESPONSE,
    StopReason.ALLERGY,
    StopReason.TOXICITY,
    StopReason.TRANSPLANT,
    StopReason.COMPLETION,
    StopReason.CHOICE,
    StopReason.OTHER,
    StopReason.UNKNOWN,
)


@dataclass(frozen=True)
class Course:
    """One drug given over one interval, merged from all resources that tell of it.

    ``first`` and ``last`` are spans of certainty; for a drug still being given ``last`` is the evaluation
    date, for one stopped on an unrecorded day it runs from the first dose to the evaluation date.
    """

    drug: str
    first: DateSpan
    last: DateSpan
    ongoing: bool
    stop_reason: StopReason
    purpose: Purpose | None
    regimen: str
    line_number: int | None
    presumed: bool  # known from orders only
    one_off: bool
    derived_from: tuple[str, ...]

    @property
    def dated(self) -> bool:
        """Whether the chart says when the course began, to the year at least."""
        return self.first.earliest > LONG_AGO


def courses(record: ClinicalRecord, knowledge: Knowledge, as_of: date) -> tuple[Course, ...]:
    """All courses of anti-myeloma drugs and steroids given for a plasma-cell disease, oldest first.

    Orders never given, drafts and supportive drugs are no exposure; so are drugs given for one of
    :data:`NO_TREATMENT_OF_MYELOMA`. A CAR-T infusion charted as a procedure is a course of its product.
    """
    by_drug: dict[str, list[Course]] = defaultdict(list)
    for fact in (*record.drugs, *_infused(record.procedures, knowledge)):
        drug = knowledge.drugs.get(fact.drug)
        if drug is None or drug.role == "supportive" or fact.given is Given.DRAFT:
            continue
        fact = replace(fact, purpose=fact.purpose or _purpose_by_procedure(fact, record, knowledge))
        if fact.purpose not in NO_TREATMENT_OF_MYELOMA:
            by_drug[fact.drug].append(_course(fact, drug.one_off, as_of))
    merged = [
        course
        for key, found in by_drug.items()
        for course in _merged(found, knowledge.drugs[key].dose_interval_days)
    ]
    return tuple(sorted(merged, key=lambda c: (c.first, c.drug, c.last, c.derived_from)))


def _infused(procedures: Iterable[ProcedureFact], knowledge: Knowledge) -> Iterator[DrugFact]:
    for procedure in procedures:
        if procedure.drug in knowledge.drugs:
            yield DrugFact(
                reference=procedure.reference,
                drug=procedure.drug,
                given=Given.GIVEN,
                text=procedure.text,
                first_dose=procedure.on,
                last_dose=procedure.on,
                single_dose=True,
            )


def _purpose_by_procedure(fact: DrugFact, record: ClinicalRecord, knowledge: Knowledge) -> Purpose | None:
    """The purpose that a procedure shortly afterwards gives away; None where none does."""
    if fact.first_dose is None:
        return None
    for rule in knowledge.definitions["imwg"]["purposes"]:
        if fact.drug not in rule["drugs"]:
            continue
        reach = timedelta(days=rule["within_days"])
        for procedure in record.procedures:
            if procedure.kind not in rule["before"] or procedure.on is None:
                continue
            # The whole course must lie in the window: months of oral melphalan before a transplant are
            # treatment, two days of it are conditioning.
            last = fact.last_dose or fact.first_dose
            begins_close = procedure.on.earliest - reach <= fact.first_dose.earliest
            if begins_close and last.latest <= procedure.on.latest and not fact.ongoing:
                return Purpose(rule["purpose"])
    return None


def _course(fact: DrugFact, one_off: bool, as_of: date) -> Course:
    first = fact.first_dose or DateSpan(LONG_AGO, fact.last_dose.latest if fact.last_dose else as_of)
    if fact.ongoing:
        last = DateSpan(as_of, as_of)
    elif fact.last_dose is not None:
        last = fact.last_dose
    elif one_off or fact.single_dose:
        last = first
    else:
        last = DateSpan(min(first.earliest, as_of), as_of)
    # A course cannot end before it begins: contradictory dates leave the order of the two open.
    if last.latest < first.earliest:
        first, last = (DateSpan(last.earliest, first.latest),) * 2
    elif last.earliest < first.earliest:
        last = DateSpan(first.earliest, last.latest)
    return Course(
        drug=fact.drug,
        first=first,
        last=last,
        ongoing=fact.ongoing,
        stop_reason=fact.stop_reason,
        purpose=fact.purpose,
        regimen=fact.regimen,
        line_number=fact.line_number,
        presumed=fact.given is Given.ORDERED,
        one_off=one_off,
        derived_from=(fact.reference,),
    )


def _merged(found: list[Course], dose_interval_days: int) -> Iterator[Course]:
    """Courses of one drug with overlaps, duplicates and gaps shorter than its schedule joined."""
    pending: Course | None = None
    for course in sorted(found, key=lambda c: (c.first, c.last, c.ongoing, c.derived_from)):
        if pending is None:
            pending = course
        elif _belongs(pending, course, dose_interval_days):
            pending = _joined(pending, course)
        else:
            yield pending
            pending = course
    if pending is not None:
        yield pending


def _belongs(earlier: Course, later: Course, dose_interval_days: int) -> bool:
    if earlier.one_off and earlier.first != later.first:
        return False
    if (earlier.purpose in EXPOSURE_WITHOUT_LINE) != (later.purpose in EXPOSURE_WITHOUT_LINE):
        return False
    # A drug stopped for progression, or because it did not work, is begun anew by what follows.
    ended_by_disease = earlier.stop_reason in (StopReason.PROGRESSION, StopReason.NO_RESPONSE)
    if ended_by_disease and earlier.last.latest < later.first.earliest:
        return False
    # The gap is measured from the latest certain day of giving; an undated stop bridges nothing unless
    # the next entry begins inside what is known.
    known_until = earlier.last.earliest if not earlier.last.exact else earlier.last.latest
    return later.first.earliest <= known_until + timedelta(days=dose_interval_days)


def _joined(a: Course, b: Course) -> Course:
    # The entry that reaches further tells of the end. Where one of two entries leaves its end open and
    # the other dates it later or equal, the dated one settles it.
    later = max((a, b), key=lambda c: (c.ongoing, c.last.exact, c.last.latest))
    reasons = [c.stop_reason for c in (a, b)]
    return Course(
        drug=a.drug,
        first=min(a.first, b.first),
        last=later.last,
        ongoing=later.ongoing,
        # Kept also where another entry calls the drug ongoing: a stop for progression is never lost.
        stop_reason=min(reasons, key=_GRAVEST_STOP.index),
        purpose=a.purpose or b.purpose,
        regimen=a.regimen or b.regimen,
        line_number=a.line_number or b.line_number,
        presumed=a.presumed and b.presumed,
        one_off=a.one_off,
        derived_from=tuple(sorted({*a.derived_from, *b.derived_from})),
    )
