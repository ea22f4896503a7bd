"""From a chart to an answer: the one pipeline behind the hooks, the bundle API and the command line.

resources --fhir--> record --patient--> state --sequencing--> recommendation --cards--> cards
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from cds_service.asked_assertions import Placed, placed, read_assertions
from cds_service.cards.assessment import to_json
from cds_service.cards.manner import PLAIN, Manner
from cds_service.cards.orders import Orders
from cds_service.cards.render import Renderer
from cds_service.fhir import read, validate
from cds_service.fhir.bundles import with_more
from cds_service.knowledge.load import load
from cds_service.knowledge.types import Knowledge, Site
from cds_service.patient.state import derive
from cds_service.patient.types import PatientState
from cds_service.record import ClinicalRecord, Completeness, Issue
from cds_service.sequencing.answer import answer
from cds_service.sequencing.choose import Chooser
from cds_service.sequencing.types import Answer, Recommendation
from cds_service.sequencing.worlds import undecided, with_weighed_unknowns
from cds_service.terminology import Terminology

Resource = Mapping[str, Any]


@dataclass(frozen=True)
class Question:
    """What is asked of a chart, and under which circumstances.

    ``as_of`` is the evaluation date; facts after it are not known. ``moment`` is the hook's name.
    ``completeness`` says by prefetch key whether the data came; None: the chart is what it is.
    """

    as_of: date
    region: str = "EMA"
    pathway: str = "default"
    language: str = "en"
    moment: str = "patient-view"
    patient_id: str | None = None
    drafts: tuple[Resource, ...] = ()
    selections: tuple[str, ...] | None = None
    encounter: str = ""
    completeness: Mapping[str, Completeness] | None = None
    manner: Manner = PLAIN  # how the client wants its answers put
    validation: str = "relevant"  # off, fast, relevant, all: how deep foreign resources are judged
    issues: tuple[Issue, ...] = ()  # what went wrong before reading, fetching for one
    asserted: tuple[Placed, ...] = ()  # by a clinician, beside the chart: see asked_assertions


@dataclass(frozen=True)
class Assessment:
    """The answer with everything it rests on."""

    question: Question
    knowledge: Knowledge
    record: ClinicalRecord
    state: PatientState
    recommendation: Recommendation
    answer: Answer
    cards: list[dict[str, Any]] = field(default_factory=list)
    issues: tuple[Issue, ...] = ()

    def to_json(self, trace: bool = False) -> dict[str, Any]:
        """The public assessment; with ``trace`` every gate and rule asked of every regimen."""
        return to_json(
            region=self.question.region,
            pathway=self.question.pathway,
            as_of=self.question.as_of,
            version=self.knowledge.version,
            record=self.record,
            state=self.state,
            recommendation=self.recommendation,
            cards=self.cards,
            issues=self.issues,
            language=self.question.language,
            trace=trace,
        )


class Assessor:
    """Holds what is prepared once at start: knowledge, code indexes, compiled templates.

    Raises KnowledgeError if the knowledge cannot be used. Safe for use from several threads.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        *,
        base_url: str = "http://127.0.0.1:8080",
        formulary: Iterable[str] = (),
        car_t: str = "",
    ) -> None:
        self.knowledge = knowledge
        self.terminology = Terminology(knowledge)
        self._renderer = Renderer(knowledge, base_url)
        # What the operator sets adds to what the knowledge folder says of the site.
        self._site = Site(
            {**dict.fromkeys(formulary), **knowledge.site.not_available}, car_t or knowledge.site.car_t
        )

    @property
    def orders(self) -> Orders:
        """The orders of all regimens, made once."""
        return self._renderer.orders

    def assess(self, resources: Iterable[Resource], question: Question) -> Assessment:
        """The answer for one patient's resources.

        Raises ManyPatients where the chart holds several patients and the question names none, BadRequest
        where what is asserted beside it cannot be read.
        """
        said = read_assertions(question.asserted, self.terminology, self.knowledge, question.as_of)
        chart: Sequence[Resource] = resources if isinstance(resources, Sequence) else list(resources)
        if said.resources:
            chart = with_more(chart, said.resources)
        record = read.read(
            chart,
            self.terminology,
            as_of=question.as_of,
            patient_id=question.patient_id,
            completeness=question.completeness,
            drafts=question.drafts,
            selections=question.selections,
        )
        said.require_read(record)
        record = replace(record, assertions=(*record.assertions, *said.facts))
        state = derive(record, self.knowledge, question.as_of, question.language)
        chooser = Chooser(state, self.knowledge, question.region, question.pathway, self._site)
        judged = chooser.judge_all()
        weighed = undecided(chooser, judged)
        recommendation = replace(chooser.recommendation(judged), undecided=weighed)
        state = with_weighed_unknowns(state, weighed, self.knowledge, question.language)
        shown = answer(question.moment, record, state, chooser.evaluator, question.region, self.knowledge)
        cards = self._renderer.cards(
            record,
            state,
            recommendation,
            shown,
            language=question.language,
            manner=question.manner,
            encounter=question.encounter,
        )
        found = validate.findings([*chart, *question.drafts], question.validation, rests_on(state))
        issues = sorted({*record.issues, *state.issues, *question.issues, *found})
        return Assessment(
            question, self.knowledge, record, state, recommendation, shown, cards, tuple(issues)
        )


def rests_on(state: PatientState) -> set[str]:
    """References of the resources on which the state rests."""
    parts: list[Any] = [
        state.diagnosis,
        *state.drugs.values(),
        *state.lines,
        *state.progressions,
        *state.relapse_signs,
    ]
    references = {reference for part in parts for reference in part.derived_from}
    references |= {reference for denied in state.ruled_out.values() for reference in denied}
    references |= {*state.car_t_from, *(by for planned in state.planned.values() for by in planned)}
    references |= {own.reference for own in state.asserted}
    references |= {*state.fitness.frailty_from, *(by for _, by in state.fitness.frailty_charted)}
    return (
        references | {c.reference for c in state.comorbidities} | {m.reference for m in state.labs.values()}
    )


@cache
def _default_assessor() -> Assessor:
    return Assessor(load())


def assess(
    bundle: Resource,
    *,
    region: str = "EMA",
    pathway: str = "default",
    as_of: date | None = None,
    patient: str | None = None,
    draft_orders: bool = False,
    language: str = "en",
    trace: bool = False,
    assertions: Iterable[Any] = (),
) -> dict[str, Any]:
    """The assessment of one FHIR Bundle (any type, R4, R4B or R5) with the shipped knowledge, as JSON.

    ``as_of`` defaults to today in UTC; ``draft_orders`` treats MedicationRequests with status draft as
    being ordered now. ``assertions`` of a clinician are Observations or short forms, as objects or as text
    ("refractory:lenalidomide=false"). Raises BadRequest where one cannot be read, ManyPatients if the Bundle
    holds several patients and ``patient`` names none, KeyError on an unknown pathway.
    """
    resources = read.resources_of(bundle)
    today = as_of or datetime.now(UTC).date()
    question = bundle_question(
        resources,
        Question(
            as_of=today,
            region=region,
            pathway=pathway,
            language=language,
            patient_id=patient,
            asserted=placed(assertions),
        ),
        draft_orders,
    )
    return _default_assessor().assess(resources, question).to_json(trace)


def bundle_question(resources: Sequence[Resource], question: Question, draft_orders: bool) -> Question:
    """The question with the chart's own draft orders taken as being signed now, where asked for."""
    if not draft_orders:
        return question
    drafts = tuple(read.draft_orders(resources))
    return replace(question, drafts=drafts, moment="order-sign")
