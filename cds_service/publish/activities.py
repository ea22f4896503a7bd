"""One ActivityDefinition for each drug of a regimen, with its dose exactly as far as the source gives it.

Where the dose differs by region, or by patient (a lower one for the old), each has a definition of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cds_service.cards.markdown import sentence_case
from cds_service.cards.wording import LANGUAGES
from cds_service.knowledge.types import Condition, Dose, Knowledge, Regimen, Source, Text
from cds_service.knowledge.words import in_words
from cds_service.publish.edition import Edition, Resource, code_system, put, usable_id
from cds_service.publish.sources import citation, depends_on
from cds_service.sequencing.doses import STANDARD, Schedule, schedules


@dataclass(frozen=True)
class Given:
    """What is given of one drug in one regimen, and where and to whom (``condition`` None: to everybody).

    ``when`` is what it is for by itself, None of the usual one; ``condition`` leaves out whom another is for.
    ``doses`` are empty where none is asserted; ``source`` says who gives them.
    """

    id: str
    drug: str
    region: str
    when: Condition | None
    condition: Condition | None
    doses: tuple[Dose, ...]
    alternatives: tuple[Dose, ...]
    source: Source
    because: Text | None = None


def given(regimen: Regimen, drug: str, knowledge: Knowledge) -> Iterator[Given]:
    """The schedules of one drug: one, where nothing depends on region or patient.

    The conditions exclude each other: of two that may both hold, the first to stand is the one that counts.
    """
    rows = [dose for dose in regimen.doses if dose.drug == drug]
    regional = any(dose.regions for dose in rows)
    for region in sorted({label.region for label in regimen.labels}) if regional else [""]:
        here = [Condition("region", argument=region)] if region else []
        standard, *others = schedules(regimen, drug, region, knowledge) or [Schedule(STANDARD, ())]
        conditions = [other.when for other in others if other.when is not None]
        for schedule in (standard, *others):
            before = conditions if schedule is standard else conditions[: others.index(schedule)]
            own = [] if schedule.when is None else [schedule.when]
            parts = [*here, *own, *(Condition("not", (condition,)) for condition in before)]
            adjustment = schedule.adjustment
            yield Given(
                id=usable_id(regimen.key, drug, region.lower(), schedule.name),
                drug=drug,
                region=region,
                when=schedule.when,
                condition=None
                if not parts
                else parts[0]
                if len(parts) == 1
                else Condition("all", tuple(parts)),
                doses=schedule.rows,
                alternatives=tuple(
                    dose
                    for dose in rows
                    if dose.alternative and schedule.rows and (not dose.regions or region in dose.regions)
                ),
                source=adjustment.source if adjustment else regimen.dose_source,
                because=adjustment.text if adjustment else None,
            )


def activities(edition: Edition) -> Iterator[Resource]:
    """The definitions of all drugs of all regimens."""
    for regimen in edition.knowledge.regimens.values():
        for drug in regimen.components:
            for schedule in given(regimen, drug, edition.knowledge):
                yield _activity(edition, regimen, schedule)


def _activity(edition: Edition, regimen: Regimen, schedule: Given) -> Resource:
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
    put(resource, "purpose", for_whom(edition, schedule))
    resource["topic"] = [
        {
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/definition-topic", "code": "treatment"}
            ]
        }
    ]
    artifacts = list(citation(edition, schedule.source, label=edition.said("dose-source/label").en))
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


def for_whom(edition: Edition, schedule: Given) -> Text:
    """Whom a schedule is for, in words; nothing where it is for everybody."""
    if schedule.when is not None:
        words = in_words(schedule.when, edition.knowledge)
        return edition.said("activity/dose-for", condition=words, region=schedule.region)
    if schedule.condition is None:
        return Text("")
    return edition.said("activity/dose-usual", region=schedule.region)


def _described(edition: Edition, regimen: Regimen, schedule: Given) -> Text:
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

    told_of = edition.said(
        "activity/with-dose",
        drug=name,
        dose=told(schedule.doses),
        regimen=regimen.display,
        cycle=edition.word("cycle", regimen.cycle),
        other=told(schedule.alternatives),
    )
    if schedule.because is None:
        return told_of
    return Text(*(f"{schedule.because.in_language(one)} {told_of.in_language(one)}" for one in LANGUAGES))
