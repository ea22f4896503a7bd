"""The orders a suggestion creates: one draft MedicationRequest (FHIR R4) per drug of a regimen.

Everything that does not depend on the patient is put together once, when the service starts, and validated
there; a request fills in references and the date. A dose is written only as far as the knowledge gives it: a
step-up schedule whole or not at all, an amount as a quantity only where it is one number with a unit of UCUM.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise, product
from typing import Any

import orjson
from fhir.resources.R4B.medicationrequest import MedicationRequest
from pydantic import ValidationError

from cds_service.cards.markdown import one_line, sentence_case
from cds_service.cards.wording import LANGUAGES, Wording
from cds_service.knowledge.load import KnowledgeError
from cds_service.knowledge.types import Dose, Drug, Knowledge, Regimen
from cds_service.knowledge.words import in_words
from cds_service.sequencing.doses import STANDARD, Schedule, schedules
from cds_service.sequencing.types import DoseShown

_OPEN = "?"
"""Behind the name of a schedule where it is not known whether another is hers: the order names the others."""

_NONE = "-"
"""The name of the order without any dose, for a site that wants suggestions so."""

UCUM = "http://unitsofmeasure.org"
_UCUM_UNITS = frozenset({"mg", "g", "mg/kg", "mg/m2", "ug", "ug/kg"})
# What each region's prescribing systems read; the first is the one a client that takes only one will take.
_PREFERRED_CODES = {"EMA": ("ATC", "RxNorm"), "FDA": ("RxNorm",)}
_PLACEHOLDER_PATIENT = "Patient/of-the-request"
_CYCLE_DAYS = re.compile(r"(\d+) d")
_STARTS_WITH_DAYS = re.compile(r"-?\d+([,-]\s?\d+)*")


@dataclass(frozen=True)
class _Order:
    """One drug of a regimen, ready but for the patient: the resource as JSON, and the sentence about it."""

    resource: bytes
    description: str


@dataclass(frozen=True)
class Recipient:
    """Whom the orders are for; references as the chart writes them, empty where unknown."""

    subject: str
    encounter: str
    reasons: tuple[str, ...]
    authored_on: date


class Orders:
    """The orders of every regimen in every region and language.

    Raises KnowledgeError, with every finding, where one would not be a valid MedicationRequest.
    """

    def __init__(self, knowledge: Knowledge, wording: Wording) -> None:
        self._knowledge = knowledge
        self._wording = wording
        self._uris = {entry["key"]: entry["uri"] for entry in knowledge.mappings["systems"]["systems"]}
        self._drug_named = {drug.name.en.casefold(): drug.name for drug in knowledge.drugs.values()}
        longest_first = sorted(self._drug_named, key=len, reverse=True)
        self._drug_names = re.compile(
            rf"\b({'|'.join(map(re.escape, longest_first))})\b", flags=re.IGNORECASE
        )
        self._ready: dict[tuple[str, str, str, str], dict[str, _Order]] = {}
        findings: list[str] = []
        for regimen in knowledge.regimens.values():
            for region, language in product(sorted({label.region for label in regimen.labels}), LANGUAGES):
                for drug in regimen.components:
                    try:
                        orders = dict(self._orders_of(regimen, drug, region, language))
                    except ValidationError as error:
                        first = error.errors()[0]
                        place = "/".join(map(str, first["loc"]))
                        findings.append(
                            f"pathways/regimens, {regimen.key}: its order is no valid MedicationRequest "
                            f"({region}, {place}: {first['msg']})"
                        )
                        continue
                    self._ready[regimen.key, drug, region, language] = orders
        if findings:
            raise KnowledgeError(sorted(set(findings)))

    @property
    def wording(self) -> Wording:
        """The texts in which the orders are told."""
        return self._wording

    def creating(
        self,
        regimen: str,
        region: str,
        language: str,
        recipient: Recipient,
        doses: Iterable[DoseShown] = (),
        *,
        with_doses: bool = True,
        only: Collection[str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """One ``create`` action for each drug of the regimen, the defining drug first; of ``only`` some.

        ``doses`` say which of its schedules each drug has for this patient; where another may be hers, or a
        dose lower still, the order says for whom that stands; ``with_doses`` False leaves every dose to the
        prescriber. Nothing where the patient's id is not known: an order must say whom it is for.
        """
        if not recipient.subject:
            return
        variants = {dose.drug: f"{dose.variant}{_OPEN if dose.depends_on else ''}" for dose in doses}
        for drug in self._knowledge.regimens[regimen].components:
            if only is not None and drug not in only:
                continue
            variant = variants.get(drug, f"{STANDARD}{_OPEN}") if with_doses else _NONE
            order = self._ready[regimen, drug, region, language][variant]
            resource = orjson.loads(order.resource)
            resource["subject"] = {"reference": recipient.subject}
            resource["authoredOn"] = recipient.authored_on.isoformat()
            if recipient.encounter:
                resource["encounter"] = {"reference": recipient.encounter}
            if recipient.reasons:
                resource["reasonReference"] = [{"reference": reason} for reason in recipient.reasons]
            yield {"type": "create", "description": order.description, "resource": resource}

    def _orders_of(
        self, regimen: Regimen, drug: str, region: str, language: str
    ) -> Iterator[tuple[str, _Order]]:
        """The order of one drug in each schedule that a patient may need, by the schedule's name."""
        known = schedules(regimen, drug, region, self._knowledge)
        for chosen in known or [Schedule(STANDARD, ())]:
            other = tuple(
                dose
                for dose in regimen.doses
                if known
                and dose.drug == drug
                and dose.alternative
                and (not dose.regions or region in dose.regions)
            )
            yield chosen.name, self._order(regimen, drug, region, language, _Schedules(chosen, other))
            others = tuple(one for one in known[1:] if one is not chosen and one.may_replace(chosen))
            undecided = _Schedules(chosen, other, others)
            yield f"{chosen.name}{_OPEN}", self._order(regimen, drug, region, language, undecided)
        without = _Schedules(Schedule(STANDARD, ()), (), left_out=True)
        yield _NONE, self._order(regimen, drug, region, language, without)

    def _order(
        self, regimen: Regimen, drug_key: str, region: str, language: str, schedules: _Schedules
    ) -> _Order:
        drug = self._knowledge.drugs[drug_key]
        resource: dict[str, Any] = {
            "resourceType": "MedicationRequest",
            "status": "draft",
            "intent": "proposal",
            "medicationCodeableConcept": self.medication(drug, region, language),
            "subject": {"reference": _PLACEHOLDER_PATIENT},
        }
        dosage = list(self.dosage(schedules.first, drug, regimen, language))
        if dosage:
            resource["dosageInstruction"] = dosage
        resource["note"] = [{"text": text} for text in self._notes(regimen, drug, schedules, language)]
        MedicationRequest.model_validate(resource)
        return _Order(orjson.dumps(resource), self._description(regimen, drug, schedules, language))

    def medication(self, drug: Drug, region: str, language: str) -> dict[str, Any]:
        """The drug as a coded concept, in the codes that the region's prescribing systems read."""
        known = drug.order_codes
        wanted = [s for s in _PREFERRED_CODES.get(region, ("ATC", "RxNorm")) if s in known]
        systems = wanted or [s for s in ("UNII", "ATC", "RxNorm") if s in known][:1]
        codings = [
            {"system": self._uris[system], "code": known[system][0], "display": known[system][1]}
            for system in systems
        ]
        concept: dict[str, Any] = {"text": drug.name.in_language(language)}
        return {"coding": codings, **concept} if codings else concept

    def dosage(
        self, doses: Sequence[Dose], drug: Drug, regimen: Regimen, language: str
    ) -> Iterator[dict[str, Any]]:
        """The rows of one schedule as FHIR's Dosage, structured only as far as that can be said exactly."""
        # A cell product is no dose to calculate with, and a stepped dose out of its sequence can injure:
        # then the words alone, all of them.
        stepped = any(dose.step_up for dose in doses)
        words_alone = drug.one_off or (stepped and not all(_is_exact(dose) for dose in doses))
        for sequence, dose in enumerate(doses, start=1):
            row: dict[str, Any] = {"sequence": sequence, "text": self._dose(dose, language)}
            if not words_alone:
                timing: dict[str, Any] = {}
                # Where a drug has several rows, none of them goes on all through treatment.
                period = _period_days(dose, regimen) if len(doses) == 1 else None
                if period is not None:
                    timing["repeat"] = {"frequency": 1, "period": period, "periodUnit": "d"}
                days = self._days(dose, language)
                if days:
                    timing["code"] = {"text": days}
                if timing:
                    row["timing"] = timing
                if dose.route:
                    row["route"] = {"text": self.word("route", dose.route, language)}
                if dose.amount is not None and dose.unit in _UCUM_UNITS:
                    quantity = {"value": dose.amount, "unit": dose.unit, "system": UCUM, "code": dose.unit}
                    row["doseAndRate"] = [{"doseQuantity": quantity}]
            yield row

    def regimen_name(self, regimen: Regimen, language: str) -> str:
        """The regimen's name with its drugs named in the reader's language."""
        slot = f"phrases/regimen/{regimen.name}"
        if self._wording.has(slot):
            return self._wording.text(slot, language)
        name = self._drug_names.sub(
            lambda found: self._drug_named[found.group().casefold()].in_language(language), regimen.name
        )
        drug, alone, _ = name.partition(" monotherapy")
        if alone:
            name = self._wording.text("phrases/regimen/monotherapy", language, drug=drug)
        return sentence_case(name)

    def _dose(self, dose: Dose, language: str) -> str:
        point = self._wording.text("phrases/number/decimal-point", language)
        amount = (
            self.word("schedule", dose.amount_text, language)
            if dose.amount is None
            else f"{dose.amount:g}".replace(".", point)
        )
        return self._wording.text(
            "phrases/order/dose",
            language,
            amount=f"{amount} {self.word('unit', dose.unit, language)}".strip(),
            route=self.word("route", dose.route, language),
            days=self._days(dose, language),
            cycles=self.word("schedule", dose.cycles, language),
        )

    def _days(self, dose: Dose, language: str) -> str:
        """ "on days 1, 8, 15" of a list; the source's own words where it gives none."""
        if dose.days:
            days = ", ".join(_with_ranges(dose.days))
            return self._wording.text("phrases/order/days", language, days=days, count=len(dose.days))
        start = _STARTS_WITH_DAYS.match(dose.days_text)
        if start is None:
            return self.word("schedule", dose.days_text, language)
        words = self.word("schedule", dose.days_text, language)
        several = 2 if "," in start.group() or "-" in start.group()[1:] else 1
        return self._wording.text("phrases/order/days", language, days=words, count=several)

    def doses_in_words(self, doses: Iterable[Dose], language: str) -> str:
        """All rows of a schedule in one sentence."""
        then = self._wording.text("phrases/order/then", language)
        return f"{then} ".join(self._dose(dose, language) for dose in doses)

    def _others(self, schedules: _Schedules, language: str, *, adjusted: bool) -> str:
        """The schedules not ordered: the source's alternatives, and those for whom she may be one of."""
        either = self._wording.text("phrases/order/or", language)
        told = [self.doses_in_words(schedules.other, language)] if schedules.other else []
        for schedule in schedules.for_others:
            if schedule.when is not None and (adjusted or schedule.adjustment is None):
                whom = in_words(schedule.when, self._knowledge).in_language(language)
                doses = self.doses_in_words(schedule.rows, language)
                told.append(self._wording.text("phrases/order/for-whom", language, doses=doses, whom=whom))
        return f"{either} ".join(told)

    def _description(self, regimen: Regimen, drug: Drug, schedules: _Schedules, language: str) -> str:
        name = drug.name.in_language(language)
        # A drug given alone is no part of anything.
        called = regimen.display if len(regimen.components) > 1 else ""
        if not schedules.first:
            return self._wording.text(
                "phrases/order/create-without-dose", language, drug=name, regimen=called
            )
        return self._wording.text(
            "phrases/order/create",
            language,
            drug=name,
            dose=self.doses_in_words(schedules.first, language),
            regimen=called,
            cycle=self.word("cycle", regimen.cycle, language),
            # A lower dose for the old stands here too: some clients show nothing but this.
            other=self._others(schedules, language, adjusted=schedules.chosen.adjustment is not None),
        )

    def _notes(self, regimen: Regimen, drug: Drug, schedules: _Schedules, language: str) -> Iterator[str]:
        def text(name: str, **values: object) -> str:
            return self._wording.text(f"phrases/order/{name}", language, **values)

        cycle = self.word("cycle", regimen.cycle, language)
        yield text(
            "note-regimen", regimen=f"{self.regimen_name(regimen, language)} ({regimen.display})", cycle=cycle
        )
        if schedules.left_out:
            yield text("note-dose-left-out")
        elif not schedules.first:
            yield text("note-no-dose")
        elif regimen.dose_source.document:
            yield text("note-source", document=regimen.dose_source.document.rstrip("."))
        if schedules.chosen.adjustment is not None:
            yield text("note-adjusted", text=schedules.chosen.adjustment.text.in_language(language))
        if others := self._others(schedules, language, adjusted=True):
            yield text("other-schedule", doses=others)
        if regimen.supporting:
            supporting = self.supporting(regimen, language, with_doses=not schedules.left_out)
            yield text("note-supporting", drugs=", ".join(supporting))
        yield text("note-not-ordered")
        for caution in self._knowledge.cautions(drug.key):
            if caution.when is None:
                yield text("note-caution", text=caution.text.in_language(language))
        yield text("note-verify")

    def supporting(self, regimen: Regimen, language: str, *, with_doses: bool = True) -> Iterator[str]:
        """Lymphodepletion and the like, each drug with its doses in words; never ordered."""
        for key in regimen.supporting:
            known = self._knowledge.drugs.get(key)
            name = known.name.in_language(language) if known else key
            given = (d for d in regimen.doses if d.drug == key and with_doses)
            doses = self.doses_in_words(given, language)
            yield f"{name} {doses}".strip()

    def word(self, group: str, word: str, language: str) -> str:
        """The word of the data in the reader's language, as it stands where it has no translation."""
        slot = f"phrases/{group}/{word}"
        return self._wording.text(slot, language) if self._wording.has(slot) else one_line(word)


@dataclass(frozen=True)
class _Schedules:
    """The schedule to order of one drug, and the others that its source gives."""

    chosen: Schedule
    other: tuple[Dose, ...]
    for_others: tuple[Schedule, ...] = ()  # where it is not known whether one of them is hers
    left_out: bool = False  # a dose may stand in the source; the site wants none in its orders

    @property
    def first(self) -> tuple[Dose, ...]:
        return self.chosen.rows


def _is_exact(dose: Dose) -> bool:
    return dose.amount is not None and dose.unit in _UCUM_UNITS and bool(dose.days)


def _with_ranges(days: Sequence[int]) -> Iterator[str]:
    """ "1", "8" ... with a run of three or more as "1-21"; runs of days before day 0 stay apart."""
    run: list[int] = []
    for day in (*days, None):
        if day is not None and run and day == run[-1] + 1:
            run.append(day)
            continue
        if len(run) > 2 and run[0] > 0:
            yield f"{run[0]}-{run[-1]}"
        else:
            yield from map(str, run)
        run = [day] if day is not None else []


def _period_days(dose: Dose, regimen: Regimen) -> int | None:
    """Days from one dose to the next where they are the same all through every cycle, else None.

    Days 1, 8, 15, 22 of 28 are one dose every 7 days; days 1, 8, 15 of 28 have a rest that FHIR's repeat
    cannot say, so only the words do.
    """
    cycle = _CYCLE_DAYS.fullmatch(regimen.cycle)
    if cycle is None or dose.cycles or not dose.days or dose.days[0] < 1:
        return None
    gaps = {later - earlier for earlier, later in pairwise(dose.days)}
    gaps.add(dose.days[0] + int(cycle[1]) - dose.days[-1])
    return gaps.pop() if len(gaps) == 1 else None


def delete_action(
    wording: Wording, language: str, reference: str, drug: str, charted: str
) -> Mapping[str, Any]:
    """The action that removes one draft, told in a sentence."""
    description = wording.text("phrases/order/delete", language, drug=drug, charted=charted)
    return {"type": "delete", "description": description, "resourceId": reference}
