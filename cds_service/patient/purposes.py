"""What each charted drug was given for, and how that is known.

A purpose that the chart states goes before all. Where it states none, the rules of definitions/imwg.yaml,
"purposes", are asked: by the procedure that followed, the dose and route, the drugs beside it, the diagnosis
of that time. A drug for which no rule speaks treats the myeloma.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from cds_service.knowledge.types import Knowledge, Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.types import Certainty, PurposeDecision
from cds_service.record import (
    MYELOMA,
    ClinicalRecord,
    DateSpan,
    DiagnosisStatus,
    DrugFact,
    Given,
    ProcedureFact,
    Purpose,
    StopReason,
)

NO_TREATMENT_OF_MYELOMA = frozenset(
    {
        Purpose.MOBILISATION,
        Purpose.CONDITIONING,
        Purpose.LYMPHODEPLETION,
        Purpose.PREMEDICATION,
        Purpose.ANTIEMETIC,
        Purpose.OTHER_DISEASE,
        Purpose.UNCLEAR,
    }
)
"""Purposes that make a drug no myeloma therapy: neither exposure nor a line."""

EXPOSURE_WITHOUT_LINE = frozenset({Purpose.AMYLOIDOSIS, Purpose.SMOULDERING, Purpose.BEFORE_DIAGNOSIS})
"""Purposes that expose the patient to the drug, but are no line of myeloma therapy."""


# Diseases beside or before the myeloma whose treatment is exposure, but no line of it.
_NEIGHBOURS = {"smouldering-myeloma": Purpose.SMOULDERING, "al-amyloidosis": Purpose.AMYLOIDOSIS}

_FAILURE = (StopReason.PROGRESSION, StopReason.NO_RESPONSE)


@dataclass(frozen=True)
class _Told:
    """The purpose of one entry and how it is known; ``rule`` names the sentence that says so."""

    purpose: Purpose
    certainty: Certainty
    rule: str
    derived_from: tuple[str, ...] = ()
    by: str = ""  # the procedure, drug or dose that tells it


@dataclass(frozen=True)
class Decided:
    """The entries of anti-myeloma drugs and steroids with their purpose, and what was decided of them.

    ``held`` are the resources, by drug, of orders of which nothing says that they were ever carried out.
    """

    facts: tuple[DrugFact, ...]
    decisions: tuple[PurposeDecision, ...]
    held: Mapping[str, tuple[str, ...]]


def decided(record: ClinicalRecord, knowledge: Knowledge, language: str) -> Decided:
    """What each drug was given for, and every decision that it was something else than the myeloma.

    A decision is told where a drug was given for another purpose, or as bridging; entries of one drug decided
    alike are one decision. Drafts and supportive drugs are left out. An order of cells is no infusion: it
    names the product of the next one, or else nothing says that they were given.
    """
    told: dict[tuple[str, Purpose, Certainty, str, str], list[tuple[DrugFact, _Told]]] = defaultdict(list)
    facts = []
    entries = [
        fact
        for fact in (*record.drugs, *_infused(record, knowledge))
        if fact.drug in knowledge.drugs
        and knowledge.drugs[fact.drug].role != "supportive"
        and fact.given is not Given.DRAFT
    ]
    given = _each_infusion_once([f for f in entries if not _not_known_given(f, knowledge)], knowledge)
    known = {fact.drug for fact in given}
    held: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for fact in entries:
        if _not_known_given(fact, knowledge) and fact.drug not in known:
            held[fact.drug] = tuple(sorted({*held[fact.drug], fact.reference}))
    record = replace(record, drugs=tuple(f for f in record.drugs if not _not_known_given(f, knowledge)))
    chart = _Neighbours(record, given, knowledge)
    for fact in given:
        decision = chart.purpose_of(fact)
        if decision is not None:
            fact = replace(fact, purpose=decision.purpose)
            if decision.purpose is not Purpose.MYELOMA:
                key = (fact.drug, decision.purpose, decision.certainty, decision.rule, decision.by)
                told[key].append((fact, decision))
        facts.append(fact)
    decisions = [_decision(own, knowledge, language) for own in told.values()]
    told_of = tuple(sorted(decisions, key=lambda d: (d.drug, d.purpose, d.derived_from)))
    return Decided(tuple(facts), told_of, dict(held))


def _each_infusion_once(entries: Sequence[DrugFact], knowledge: Knowledge) -> list[DrugFact]:
    """The entries without cells of no name that are those of a named product, or of one entry more."""
    cells = [f for f in entries if knowledge.drugs[f.drug].one_off]
    kept = [f for f in cells if not knowledge.drugs[f.drug].unidentified]
    for fact in sorted(cells, key=lambda f: (str(f.first_dose), f.reference)):
        if fact not in kept and not any(_same_infusion(fact.first_dose, k.first_dose) for k in kept):
            kept.append(fact)
    return [f for f in entries if not knowledge.drugs[f.drug].one_off or f in kept]


def _not_known_given(fact: DrugFact, knowledge: Knowledge) -> bool:
    """Whether an entry is an order that nothing shows to have been carried out."""
    drug = knowledge.drugs.get(fact.drug)
    return fact.given is Given.HELD or (fact.given is Given.ORDERED and drug is not None and drug.one_off)


def implied_transplants(record: ClinicalRecord, facts: Iterable[DrugFact]) -> tuple[ProcedureFact, ...]:
    """A transplant for each conditioning that no charted transplant follows: nobody gets one without.

    Dated from the day of the conditioning to three days after it.
    """
    done = [p for p in record.procedures if p.kind in TRANSPLANTS]
    found: list[ProcedureFact] = []
    for fact in sorted(facts, key=lambda f: (str(f.first_dose), f.reference)):
        if fact.purpose is not Purpose.CONDITIONING or fact.first_dose is None:
            continue
        last = fact.last_dose or fact.first_dose
        near = timedelta(days=30)
        charted = any(
            p.on is None
            or (
                p.on.latest >= fact.first_dose.earliest - near
                and p.on.earliest <= max(last.latest, fact.first_dose.latest) + near
            )
            for p in (*done, *found[-1:])
        )
        if not charted:
            on = DateSpan(last.earliest, last.latest + timedelta(days=3))
            found.append(ProcedureFact(fact.reference, "sct-unspecified", on, text=fact.text))
    return tuple(found)


TRANSPLANTS = frozenset({"autologous-sct", "allogeneic-sct", "sct-unspecified"})
"""Kinds of procedure that are a stem-cell transplant."""

INFUSION = "cart-infusion"
"""The kind of procedure that is an infusion of CAR-T cells."""


def _infused(record: ClinicalRecord, knowledge: Knowledge) -> Iterable[DrugFact]:
    """CAR-T infusions charted as procedures; one whose product nothing names is of an unidentified one."""
    unnamed = next((k for k, d in sorted(knowledge.drugs.items()) if d.unidentified and d.one_off), "")
    cells = [f for f in record.drugs if f.drug in knowledge.drugs and knowledge.drugs[f.drug].one_off]
    products = [f for f in cells if f.given is Given.GIVEN]
    ordered = [f for f in cells if f.given is Given.ORDERED and f.first_dose is not None]
    within = timedelta(days=knowledge.definitions["imwg"]["purposes"]["bridging"]["after_apheresis_days"])
    days = {f.first_dose for f in products} | {p.on for p in record.procedures if p.drug in knowledge.drugs}
    for procedure in record.procedures:
        drug = procedure.drug if procedure.drug in knowledge.drugs else ""
        if not drug and procedure.kind == INFUSION:
            drug = "" if any(_same_infusion(procedure.on, day) for day in days) else unnamed
            names = {f.drug for f in ordered if drug and _ordered_for(f.first_dose, procedure.on, within)}
            drug = names.pop() if len(names) == 1 else drug
        if drug:
            yield DrugFact(
                reference=procedure.reference,
                drug=drug,
                given=Given.GIVEN,
                text=procedure.text,
                first_dose=procedure.on,
                last_dose=procedure.on,
                single_dose=True,
            )


def _ordered_for(order: DateSpan | None, infusion: DateSpan | None, within: timedelta) -> bool:
    """Whether an order of cells may be that of an infusion: not after it, and not too long before."""
    if order is None or infusion is None:
        return False
    return order.earliest <= infusion.latest and infusion.earliest - within <= order.latest


def _same_infusion(one: DateSpan | None, other: DateSpan | None) -> bool:
    if one is None or other is None:
        return True
    near = timedelta(days=14)
    return one.earliest - near <= other.latest and other.earliest - near <= one.latest


class _ByDay:
    """Dated procedures by kind, to be asked for those of a time."""

    def __init__(self, procedures: Iterable[ProcedureFact]) -> None:
        self._of_kind: dict[str, list[tuple[date, str, ProcedureFact, DateSpan]]] = defaultdict(list)
        for p in procedures:
            if p.on is not None:
                self._of_kind[p.kind].append((p.on.earliest, p.reference, p, p.on))
        for own in self._of_kind.values():
            own.sort(key=lambda entry: entry[:2])

    def between(
        self, kinds: Iterable[str], first: date, last: date
    ) -> Iterator[tuple[ProcedureFact, DateSpan]]:
        """Those that may have been between two days, and begin not after the second; in order of day.

        A day charted to the year alone may lie a year behind its beginning: so far it is looked back.
        """
        back = max(first, date.min + _A_YEAR) - _A_YEAR
        for kind in kinds:
            own = self._of_kind.get(kind, [])
            for earliest, _, procedure, on in own[bisect_left(own, back, key=lambda entry: entry[0]) :]:
                if earliest > last:
                    break
                if on.latest >= first:
                    yield procedure, on


_A_YEAR = timedelta(days=366)


class _Neighbours:
    """What stands beside a drug in one chart.

    A drug is judged by the whole time it was given, however many entries tell of it: the last doses of months
    of treatment are treatment, though a collection of stem cells followed.
    """

    def __init__(self, record: ClinicalRecord, given: Sequence[DrugFact], knowledge: Knowledge) -> None:
        self._record = record
        self._knowledge = knowledge
        self._numbers: Mapping[str, Any] = knowledge.definitions["imwg"]["purposes"]
        drugs = [f for f in record.drugs if f.drug in knowledge.drugs and f.given is not Given.DRAFT]
        self._drugs = [f for f in drugs if f.first_dose is not None]
        self._of_drug: dict[str, list[DrugFact]] = defaultdict(list)
        for fact in self._drugs:
            self._of_drug[fact.drug].append(fact)
        infused = [
            ProcedureFact(f.reference, INFUSION, f.first_dose)
            for f in self._drugs
            if knowledge.drugs[f.drug].one_off
        ]
        # Cells charted as a drug are an infusion too.
        self._procedures = _ByDay([*record.procedures, *infused])
        sure = [d for d in record.diagnoses if not d.provisional]
        self._diagnoses = {
            kind: sorted((d for d in sure if d.kind == kind), key=lambda d: (str(d.onset), d.reference))
            for kind in (MYELOMA, *_NEIGHBOURS)
        }
        self._told: dict[DrugFact, _Told] = {}
        self._decide([f for f in given if f.purpose is None and f.first_dose is not None])

    def purpose_of(self, fact: DrugFact) -> _Told | None:
        """The purpose of one entry; None where nothing speaks against treatment of the myeloma."""
        if fact.purpose is not None:
            return _Told(fact.purpose, Certainty.DOCUMENTED, "charted")
        return self._told.get(fact)

    def _decide(self, open_entries: Sequence[DrugFact]) -> None:
        """Purposes by rule: first of entries that a dose tells, joined by dose; then of the rest, joined.

        Steroids come last: what they were for may rest on the drugs beside them.
        """
        rules = self._numbers["rules"]
        for steroids in (False, True):
            own = [f for f in open_entries if self._knowledge.drugs[f.drug].is_steroid is steroids]
            by_dose = [rule for rule in rules if "dose" in rule]
            for joined, entries in self._joined(own, lambda f: (f.drug, f.dose, f.dose_unit, f.route)):
                self._note(entries, self._first_of(by_dose, joined))
            rest = [f for f in own if f not in self._told]
            for joined, entries in self._joined(rest, lambda f: (f.drug,)):
                without_dose = [rule for rule in rules if "dose" not in rule]
                self._note(entries, self._first_of(without_dose, joined) or self._by_time(joined))

    def _note(self, entries: Iterable[DrugFact], told: _Told | None) -> None:
        if told is not None:
            self._told.update(dict.fromkeys(entries, told))

    def _joined(
        self, entries: Sequence[DrugFact], alike: Callable[[DrugFact], object]
    ) -> Iterator[tuple[DrugFact, list[DrugFact]]]:
        """Entries alike in ``alike`` that follow each other by the drug's schedule, each group as one."""
        groups: dict[object, list[DrugFact]] = defaultdict(list)
        for fact in sorted(entries, key=lambda f: (str(f.first_dose), str(f.last_dose), f.reference)):
            groups[alike(fact)].append(fact)
        for own in groups.values():
            schedule = self._knowledge.drugs[own[0].drug].dose_interval_days
            group, reaching = [own[0]], own[0]  # the entry of the group that reaches furthest
            for fact in own[1:]:
                if _near(fact, reaching, schedule):
                    group.append(fact)
                    reaching = max(reaching, fact, key=_end)
                else:
                    yield _as_one(group), group
                    group, reaching = [fact], fact
            yield _as_one(group), group

    def _first_of(self, rules: Iterable[Mapping[str, Any]], fact: DrugFact) -> _Told | None:
        fitting = (self._by_rule(fact, rule) for rule in rules if fact.drug in rule["drugs"])
        return next((told for told in fitting if told is not None), None)

    def _by_time(self, fact: DrugFact) -> _Told | None:
        if self._knowledge.drugs[fact.drug].one_off:
            return None
        return (
            self._of_neighbour(fact)
            or self._before_diagnosis(fact)
            or self._as_bridging(fact)
            or self._unidentified(fact)
        )

    # ---- dose, route, procedures and drugs beside it -------------------------------------------------------
    def _by_rule(self, fact: DrugFact, rule: Mapping[str, Any]) -> _Told | None:
        # Orders are seldom closed: beside what followed, an open end says nothing.
        if fact.ongoing and not rule.get("open_end", False):
            return None
        last = fact.first_dose if fact.ongoing else fact.last_dose or fact.first_dose
        if fact.first_dose is None or last is None:
            return None
        # Of a regimen without an end nobody knows that it was short: an induction is no mobilisation.
        if fact.regimen and (fact.last_dose is None or fact.ongoing) and not fact.single_dose:
            return None
        # The whole course must be short: months of oral treatment before a transplant are treatment, two
        # days are conditioning. An end charted before the start tells nothing.
        contradictory = last.latest < fact.first_dose.earliest
        if contradictory or (last.earliest - fact.first_dose.latest).days >= rule["longest_days"]:
            return None
        if "routes" in rule and fact.route and fact.route not in rule["routes"]:
            return None
        told = _Told(Purpose(rule["purpose"]), Certainty(rule["certainty"]), "")
        if "dose" in rule:
            if not _dose_fits(fact, rule["dose"]):
                return None
            told = replace(told, rule="by-dose", by=f"{fact.dose:g} {fact.dose_unit}")
        if "before" in rule:
            followed = self._followed_by(fact, last, rule)
            if followed is None:
                return None
            told = replace(told, rule="by-procedure", by=followed.kind, derived_from=(followed.reference,))
        if "beside" in rule:
            beside = self._beside(fact, rule["beside"], rule["within_days"])
            if beside is None:
                return None
            told = replace(told, rule="by-drug", by=beside.drug, derived_from=(beside.reference,))
        if "beside_purposes" in rule:
            beside = self._beside_another_purpose(fact, rule["beside_purposes"], rule["within_days"])
            if beside is None:
                return None
            told = replace(told, rule="by-drug", by=beside.drug, derived_from=(beside.reference,))
        return told

    def _followed_by(self, fact: DrugFact, last: DateSpan, rule: Mapping[str, Any]) -> ProcedureFact | None:
        """The procedure that came soon after."""
        if fact.first_dose is None:
            return None
        until = fact.first_dose.latest + timedelta(days=rule["within_days"])
        return next((p for p, _ in self._procedures.between(rule["before"], last.earliest, until)), None)

    def _beside(self, fact: DrugFact, drugs: Sequence[str], within_days: int) -> DrugFact | None:
        reach = timedelta(days=within_days)
        for other in (other for drug in drugs for other in self._of_drug.get(drug, ())):
            if other.first_dose and fact.first_dose:
                begun = other.first_dose
                if begun.earliest - reach <= fact.first_dose.latest and (
                    fact.first_dose.earliest - reach <= begun.latest
                ):
                    return other
        return None

    def _beside_another_purpose(
        self, fact: DrugFact, purposes: Sequence[str], within_days: int
    ) -> DrugFact | None:
        """A drug begun at the same time that was itself given for one of ``purposes``."""
        for other in self._drugs:
            told = self.purpose_of(other)
            if (
                other.drug != fact.drug
                and told is not None
                and told.purpose.value in purposes
                and _near(fact, other, within_days)
            ):
                return other
        return None

    # ---- the diagnosis of that time ------------------------------------------------------------------------
    def _of_neighbour(self, fact: DrugFact) -> _Told | None:
        """The drug was given while the disease was smouldering, or an amyloidosis, and no myeloma yet.

        It began after the onset of that disease and ended before the myeloma's; where no myeloma is charted
        at all it cannot have been given for one, whatever the days.
        """
        if fact.first_dose is None:
            return None
        myeloma = self._diagnoses[MYELOMA]
        # A relapse entry's onset is that of the relapse: it says nothing of when the myeloma began.
        begins = [d.onset for d in myeloma if d.status is not DiagnosisStatus.RELAPSE and d.onset]
        for kind, purpose in _NEIGHBOURS.items():
            entries = self._diagnoses[kind]
            told = [d for d in entries[:1] if d.onset and d.onset.earliest <= fact.first_dose.latest]
            if not myeloma:
                told = told or [d for d in entries[-1:] if d.onset is None]
            elif (
                not begins
                or fact.last_dose is None
                or _unclear_end(fact)
                or fact.last_dose.latest >= min(begins).earliest
            ):
                continue
            if told:
                return _Told(purpose, Certainty.COMPUTED, f"while-{purpose.value}", (told[0].reference,))
        return None

    def _before_diagnosis(self, fact: DrugFact) -> _Told | None:
        """The drug ended long before the myeloma was known, given alone or with drugs of other diseases.

        An onset may have been typed wrongly, so nothing of the disease may be charted before it, and the
        exposure is kept.
        """
        numbers = self._numbers["before_diagnosis"]
        if fact.last_dose is None or fact.first_dose is None or _unclear_end(fact):
            return None
        entries = [d for d in self._record.diagnoses if d.kind == MYELOMA]
        days = [day for d in entries for day in (d.onset, d.recorded) if day is not None]
        # The onset of a relapse says nothing of when the myeloma began.
        begins = [d for d in entries if d.onset and d.status is not DiagnosisStatus.RELAPSE]
        if not begins:
            return None
        begun = min(days).earliest
        apart = timedelta(days=numbers["apart_days"])
        if fact.last_dose.latest + apart >= begun:
            return None
        since = fact.first_dose.earliest
        known_before = any(r.on and since <= r.on.earliest < begun for r in self._record.responses) or any(
            p.on and since <= p.on.earliest < begun and p.kind in TRANSPLANTS for p in self._record.procedures
        )
        if known_before:
            return None
        others = {
            o.drug
            for o in self._drugs
            if o.drug != fact.drug
            and self._knowledge.drugs[o.drug].treats_myeloma
            and _near(fact, o, numbers["together_days"])
        }
        allowed = set(numbers["drugs"])
        steroid = self._knowledge.drugs[fact.drug].is_steroid
        together = others if steroid else {fact.drug, *others}
        if not together <= allowed:
            return None
        first = min(begins, key=lambda d: (d.onset, d.reference))
        return _Told(
            Purpose.BEFORE_DIAGNOSIS,
            Certainty.PRESUMED,
            "before-diagnosis",
            (first.reference,),
            str(first.onset),
        )

    # ---- before CAR-T cells --------------------------------------------------------------------------------
    def _as_bridging(self, fact: DrugFact) -> _Told | None:
        """The drug was begun after the cells were taken, or so shortly before the infusion that they were.

        Bridging belongs to the line of the infusion.
        """
        numbers = self._numbers["bridging"]
        if fact.first_dose is None or fact.last_dose is None or _unclear_end(fact):
            return None
        if not self._knowledge.drugs[fact.drug].treats_myeloma:
            return None
        days = timedelta(days=numbers["after_apheresis_days"])
        infusions = self._procedures.between(
            [INFUSION], fact.last_dose.latest, fact.first_dose.earliest + days
        )
        for infusion, on in infusions:
            if fact.last_dose.latest > on.latest or fact.first_dose.latest >= on.earliest:
                continue
            taken = [
                (p, when)
                for p, when in self._procedures.between(numbers["apheresis"], on.earliest - days, on.latest)
                if when.latest >= on.earliest - days
            ]
            before = [(p, when) for p, when in taken if when.latest <= fact.first_dose.earliest]
            if before:
                apheresis, when = max(before, key=lambda t: (str(t[1]), t[0].reference))
                if self._given_before(fact, when.earliest, numbers):
                    continue
                return _Told(
                    Purpose.BRIDGING,
                    Certainty.COMPUTED,
                    "after-apheresis",
                    tuple(sorted((infusion.reference, apheresis.reference))),
                )
            reach = on.latest - timedelta(days=numbers["without_apheresis_days"])
            close = fact.first_dose.earliest >= reach and not self._given_before(fact, reach, numbers)
            if close and not taken:
                return _Told(Purpose.BRIDGING, Certainty.PRESUMED, "before-infusion", (infusion.reference,))
        return None

    def _given_before(self, fact: DrugFact, day: date, numbers: Mapping[str, Any]) -> bool:
        """Whether the same drug was already given before the day: then it goes on, it does not bridge."""
        return any(
            other.first_dose is not None
            and other.first_dose.earliest < day
            and _near(fact, other, numbers["after_apheresis_days"])
            for other in self._of_drug[fact.drug]
        )

    # ---- drugs without a name ------------------------------------------------------------------------------
    def _unidentified(self, fact: DrugFact) -> _Told | None:
        """An unidentified drug with no charted reason treats the myeloma where its neighbours say so.

        It does if begun with a drug that treats myeloma, or with a steroid, or after a charted failure.
        """
        if not self._knowledge.drugs[fact.drug].unidentified or fact.first_dose is None:
            return None
        numbers = self._knowledge.definitions["imwg"]["lines"]
        known = [
            k
            for k, d in self._knowledge.drugs.items()
            if d.is_steroid or (d.treats_myeloma and not d.unidentified)
        ]
        failures = [f.last_dose for f in self._drugs if f.stop_reason in _FAILURE and f.drug != fact.drug] + [
            r.on for r in self._record.responses if r.progression
        ]
        since = fact.first_dose.earliest - timedelta(days=numbers["explained_days"])
        failed = any(on and since <= on.latest and on.earliest <= fact.first_dose.latest for on in failures)
        if failed or self._beside(fact, known, numbers["assembly_days"]) is not None:
            return None
        return _Told(Purpose.UNCLEAR, Certainty.PRESUMED, "unclear")


def _as_one(entries: Sequence[DrugFact]) -> DrugFact:
    """Entries of one drug as a single one, from the first dose to the last; contradictory days stay so."""
    ends = [f.last_dose or (f.first_dose if f.single_dose else None) for f in entries]
    known = [end for end in ends if end is not None]
    return replace(
        entries[0],
        last_dose=max(known, key=lambda d: (d.latest, d.earliest)) if len(known) == len(ends) else None,
        ongoing=any(f.ongoing for f in entries),
    )


def _unclear_end(fact: DrugFact) -> bool:
    """Whether the drug is still given, or was stopped before it was begun, as charted."""
    first, last = fact.first_dose, fact.last_dose
    return fact.ongoing or (first is not None and last is not None and last.latest < first.earliest)


def _near(fact: DrugFact, other: DrugFact, days: int) -> bool:
    """Whether two entries, as far as their days are known, overlap or lie within ``days`` of each other."""
    if fact.first_dose is None or other.first_dose is None:
        return False
    reach = timedelta(days=days)

    return fact.first_dose.earliest - reach <= _end(other) and other.first_dose.earliest - reach <= _end(fact)


def _end(fact: DrugFact) -> date:
    """The last day on which an entry may have been given; of one still given, the end of all days."""
    if fact.ongoing:
        return date.max
    last = fact.last_dose or fact.first_dose
    return last.latest if last else date.min


def _dose_fits(fact: DrugFact, dose: Mapping[str, Any]) -> bool:
    """Whether the charted single dose is in the rule's unit and between its limits."""
    unit = fact.dose_unit.casefold().replace("²", "2").replace("mq", "m2")
    unit = "".join(sign for sign in unit if sign.isalnum() or sign == "/")
    if fact.dose is None or unit not in dose["units"]:
        return False
    return bool(dose.get("at_least", 0) <= fact.dose <= dose.get("at_most", float("inf")))


def _decision(own: Sequence[tuple[DrugFact, _Told]], knowledge: Knowledge, language: str) -> PurposeDecision:
    fact, told = own[0]
    days = [d for f, _ in own for d in (f.first_dose, f.last_dose) if d is not None]
    undated = sentence(knowledge.definitions, "drug_state", "undated")
    when: Text | str = undated
    if days:
        first, last = min(days), max(days, key=lambda d: d.latest)
        when = str(first) if first == last else f"{first} - {last}"
    name = sentence(knowledge.definitions, "purpose_name", told.purpose.value)
    by: Text | str = told.by
    if told.rule == "by-procedure":
        by = _procedure_name(told.by, knowledge)
    elif told.rule == "by-drug":
        by = knowledge.drugs[told.by].name
    text = sentence(
        knowledge.definitions,
        "purpose",
        told.rule,
        drug=knowledge.drugs[fact.drug].name,
        date=when,
        purpose=name,
        by=by,
    )
    references = {f.reference for f, _ in own} | {r for _, t in own for r in t.derived_from}
    return PurposeDecision(
        drug=fact.drug,
        purpose=told.purpose,
        certainty=told.certainty,
        because=text.in_language(language),
        derived_from=tuple(sorted(references)),
    )


def _procedure_name(kind: str, knowledge: Knowledge) -> Text:
    return sentence(knowledge.definitions, "procedure_name", kind)
