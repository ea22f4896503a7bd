"""One ActivityDefinition for each drug of a regimen, with its dose exactly as far as the source gives it.

Where the dose differs by region, or by patient (a lower one for the old), each has a definition of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cds_service.cards.markdown import sentence_case
from cds_service.cards.orders import whole_or_none
from cds_service.cards.wording import LANGUAGES
from cds_service.knowledge.types import Condition, Dose, Regimen, Text
from cds_service.publish.conditions import in_words
from cds_service.publish.edition import Edition, Resource, code_system, put
from cds_service.publish.sources import citation, depends_on


@dataclass(frozen=True)
class Schedule:
    """What is given of one drug in one regimen: where, and to whom.

    ``region`` "": everywhere. ``when`` None: to everybody whom none of ``others`` means.
    """

    id: str
    drug: str
    region: str
    when: Condition | None
    others: tuple[Condition, ...]
    doses: tuple[Dose, ...]
    alternatives: tuple[Dose, ...]

    @property
    def condition(self) -> Condition | None:
        """For whom and where this schedule stands; None: for everybody."""
        parts = [Condition("region", argument=self.region)] if self.region else []
        if self.when is not None:
            parts.append(self.when)
        elif self.others:
            any_other = self.others[0] if len(self.others) == 1 else Condition("any", self.others)
            parts.append(Condition("not", (any_other,)))
        return None if not parts else parts[0] if len(parts) == 1 else Condition("all", tuple(parts))


def schedules(regimen: Regimen, drug: str) -> Iterator[Schedule]:
    """The schedules of one drug: one, where nothing depends on region or patient."""
    rows = [dose for dose in regimen.doses if dose.drug == drug]
    regional = any(dose.regions for dose in rows)
    for region in sorted({label.region for label in regimen.labels}) if regional else [""]:
        own = [dose for dose in rows if not dose.regions or region in dose.regions]
        conditions = list({repr(dose.when): dose.when for dose in own if dose.when is not None}.values())
        for number, when in enumerate([None, *conditions]):
            suffix = [region.lower()] if region else []
            suffix += [f"case-{number}"] if number else []
            given = [dose for dose in own if dose.when == when]
            doses = whole_or_none(dose for dose in given if not dose.alternative)
            yield Schedule(
                id="-".join([regimen.key, drug, *suffix]),
                drug=drug,
                region=region,
                when=when,
                others=() if number else tuple(conditions),
                doses=doses,
                alternatives=tuple(dose for dose in given if dose.alternative) if doses else (),
            )


def activities(edition: Edition) -> Iterator[Resource]:
    """The definitions of all drugs of all regimens."""
    for regimen in edition.knowledge.regimens.values():
        for drug in regimen.components:
            for schedule in schedules(regimen, drug):
                yield _activity(edition, regimen, schedule)


def _activity(edition: Edition, regimen: Regimen, schedule: Schedule) -> Resource:
    knowledge, orders = edition.knowledge, edition.orders
    drug = knowledge.drugs[schedule.drug]
    resource = edition.front(
        "ActivityDefinition",
        schedule.id,
        title=edition.said(
            "activity/title",
            drug=Text(*(sentence_case(drug.name.in_language(language)) for language in LANGUAGES)),
            regimen=regimen.display,
            region=schedule.region,
        ),
        description=_described(edition, regimen, schedule),
    )
    resource |= edition.reviewed([regimen.reviewed])
    if schedule.condition is not None:
        words = in_words(schedule.condition, knowledge)
        put(resource, "purpose", edition.said("activity/dose-for", condition=words))
    resource["topic"] = [
        {
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/definition-topic", "code": "treatment"}
            ]
        }
    ]
    artifacts = list(citation(edition, regimen.dose_source, label=edition.said("dose-source/label").en))
    if schedule.drug in knowledge.components:
        artifacts.append(depends_on("PlanDefinition", f"drug-{schedule.drug}"))
    resource["relatedArtifact"] = artifacts
    resource |= {"kind": "MedicationRequest", "intent": "proposal", "doNotPerform": False}
    medication = orders.medication(drug, schedule.region, "en")
    own = {"system": code_system("drugs"), "code": drug.key, "display": drug.name.en}
    medication["coding"] = [*medication.get("coding", ()), own]
    resource["productCodeableConcept"] = medication
    if schedule.doses:
        in_english, in_italian = (
            list(orders.dosage(schedule.doses, drug, regimen, language)) for language in LANGUAGES
        )
        for row, translated in zip(in_english, in_italian, strict=True):
            put(row, "text", Text(row["text"], translated["text"]))
        resource["dosage"] = in_english
    return resource


def _described(edition: Edition, regimen: Regimen, schedule: Schedule) -> Text:
    """The dose as a sentence, or that none is asserted."""
    name = Text(
        *(
            sentence_case(edition.knowledge.drugs[schedule.drug].name.in_language(language))
            for language in LANGUAGES
        )
    )
    if not schedule.doses:
        return edition.said("activity/without-dose", drug=name, regimen=regimen.display)

    def told(doses: tuple[Dose, ...]) -> Text:
        return Text(*(edition.orders.doses_in_words(doses, language) for language in LANGUAGES))

    return edition.said(
        "activity/with-dose",
        drug=name,
        dose=told(schedule.doses),
        regimen=regimen.display,
        cycle=edition.word("cycle", regimen.cycle),
        other=told(schedule.alternatives),
    )
