"""Codes and words of charts to the concepts of mappings/, with how sure; knows no FHIR.

In: codings and texts as charted. Out: keys of mappings/, enums of the record, doubts as sentences. What may
not happen here: a guess (an unknown code stays unknown), a drug named in code, a date read from a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from cds_service.knowledge.asserting import INTOLERANT, AssertedQuestion, assertable
from cds_service.knowledge.types import Knowledge
from cds_service.record import DiagnosisStatus, Purpose, StopReason
from cds_service.terminology import findings
from cds_service.terminology.assertions import Assertions
from cds_service.terminology.codes import Systems
from cds_service.terminology.concepts import (
    Coding,
    ComorbidityMatch,
    Concept,
    DiagnosisMatch,
    DrugMatch,
    NotRead,
    ObservationMatch,
    PlanMatch,
    ProcedureMatch,
    ResponseMatch,
)
from cds_service.terminology.course import Diagnoses, Purposes, Responses, StopReasons
from cds_service.terminology.drugs import Drugs
from cds_service.terminology.findings import Comorbidities, Lesions, Observations, Procedures
from cds_service.terminology.named import NamedRefractoriness
from cds_service.terminology.words import Context, Lexicon, Phrase, Said

__all__ = [
    "Coding",
    "ComorbidityMatch",
    "Concept",
    "DiagnosisMatch",
    "DrugMatch",
    "NotRead",
    "ObservationMatch",
    "PlanMatch",
    "ProcedureMatch",
    "ResponseMatch",
    "Terminology",
]


class Terminology:
    """What codes and words mean. Built once of the knowledge; every answer is a matter of lookups."""

    def __init__(self, knowledge: Knowledge) -> None:
        maps = knowledge.mappings
        self.systems = systems = Systems(maps["systems"])
        answers = maps["disease-status"]
        context = Context(answers["context"])
        relatives = maps["diagnoses"]["not_the_patient"]
        self._drugs = Drugs(
            knowledge.drug_files,
            maps["regimen-names"],
            maps["purposes"],
            maps["medication-words"],
            (entry["text"] for name in ("purposes", "stop-reasons") for entry in maps[name]["phrases"]),
            systems,
            context,
        )
        self._comorbidities = Comorbidities(maps["comorbidities"], relatives, systems, context)
        known = self._comorbidities.codes
        self._diagnoses = Diagnoses(maps["diagnoses"], known, answers["ignore"], systems, context)
        self._responses = Responses(answers, maps["stop-reasons"], systems, context)
        self._stops = StopReasons(maps["stop-reasons"], self._responses, self._diagnoses, systems, context)
        self._purposes = Purposes(maps["purposes"], self._diagnoses, known, systems, context)
        self._context = context
        self._class_names: Lexicon[str] = Lexicon(
            Phrase(text, entry["key"])
            for entry in maps["classes"]["classes"]
            for text in entry.get("phrases", ())
        )
        self._members = {
            key: tuple(sorted(d.key for d in knowledge.drugs.values() if d.is_of(drug_class)))
            for key, drug_class in knowledge.classes.items()
        }
        self._observations = Observations(maps["observations"], systems, context)
        self._named = NamedRefractoriness(
            answers["refractory_to"],
            knowledge.drug_files,
            maps["regimen-names"],
            maps["comorbidities"],
            context,
        )
        self._lesions = Lesions(maps["observations"]["lesions"], context)
        self._procedures = Procedures(maps["procedures"], self._drugs, systems, context)
        # What is judged for refractoriness: supportive drugs are not.
        judged = frozenset(key for key, drug in knowledge.drugs.items() if drug.role != "supportive")
        self._assertions = Assertions(assertable(knowledge), judged)
        self._judged = judged
        self.cells = frozenset(key for key, drug in knowledge.drugs.items() if drug.one_off)
        """Drugs that a single infusion of cells gives."""

    def drugs(self, concept: Concept, *, on: date | None = None) -> tuple[DrugMatch, ...]:
        """The drugs of a medication on a day (codes are reused); () where nothing is known of it.

        A regimen's name in the words expands to its drugs. Where codes disagree the trustworthiest counts,
        with a doubt.
        """
        return self._drugs.find(concept, on)

    def not_read(self, concept: Concept) -> NotRead:
        """What of a medication's words stands for nothing known here; nothing of one that is coded."""
        return self._drugs.not_read(concept)

    def is_ordinary(self, concept: Concept) -> bool:
        """Whether a medication is by its words or its code's group surely no treatment of the myeloma."""
        return self._drugs.is_ordinary(concept)

    @property
    def unidentified(self) -> str:
        """The key that stands for a drug against myeloma of which nothing else is known; "" if none does."""
        return self._drugs.unidentified

    def members_of_named_classes(self, concept: Concept) -> tuple[str, ...]:
        """All drugs of the classes that the words name as a whole ("proteasome inhibitors"), each once."""
        found: dict[str, None] = {}
        for text in (concept.text, *(coding.display for coding in concept.codings)):
            words = self._context.words(text)
            mentions = self._class_names.mentions(words)
            for mention, how in zip(mentions, self._context.judge(words, mentions), strict=True):
                if how in (Said.SAID, Said.PAST):
                    found.update(dict.fromkeys(self._members[mention.value]))
        return tuple(found)

    def is_antineoplastic(self, concept: Concept) -> bool:
        """Whether a medication is a cancer drug by its kind, mapped or not."""
        return self._drugs.is_antineoplastic(concept)

    def diagnosis(self, concept: Concept) -> DiagnosisMatch | None:
        """The plasma-cell disorder of an entry; None where it is none. Words refine codes."""
        return self._diagnoses.read(concept)

    def clinical_status(self, concept: Concept) -> DiagnosisStatus | None:
        """The meaning of Condition.clinicalStatus; None where it is not charted or unknown."""
        return self._diagnoses.clinical_status(concept)

    def response(self, concept: Concept) -> ResponseMatch | None:
        """What the value of a response question says; None for a text that denies, or says nothing."""
        match = self._responses.read(concept)
        texts = (concept.text, *(coding.display for coding in concept.codings))
        named = tuple(sorted({drug for text in texts if text for drug in self._named.read(text)}))
        if not named:
            return match
        return replace(match or ResponseMatch(), no_response=True, refractory_to=named)

    def is_response_question(self, concept: Concept) -> bool:
        """Whether an observation asks for response or disease status."""
        return self._responses.is_question(concept)

    def refractory_to(self, text: str) -> tuple[str, ...]:
        """The drugs to which a text says, by name, that the disease is refractory."""
        return self._named.read(text)

    def stop_reason(self, concept: Concept) -> StopReason | None:
        """Why a drug was stopped; None where nothing of it is understood."""
        return self._stops.read(concept)

    def purpose(self, concept: Concept) -> Purpose | None:
        """What a drug was given for; None where the reason says nothing that matters here."""
        return self._purposes.read(concept)

    def observation(self, concept: Concept) -> ObservationMatch | None:
        """What was observed, and the unit its values are turned into; None where unknown."""
        return self._observations.read(concept)

    def convert(self, concept: str, value: float, unit_text: str) -> float | None:
        """A value in the own unit of an observation key; None where the unit is unknown."""
        return self._observations.convert(concept, value, unit_text)

    def plausible(self, concept: str, value: float) -> bool:
        """Whether a value, in the own unit of an observation key, is one that a living person may show."""
        return self._observations.plausible(concept, value)

    def coded_result(self, concept: Concept) -> str:
        """A coded or textual result as lower-case words: "present", "negative", "ecog:1", or its text."""
        return self._observations.result(concept)

    def new_lesion(self, text: str) -> bool:
        """Whether the words of imaging state, without denial or doubt, a new lesion of myeloma."""
        return self._lesions.new(text)

    def genomic_component(self, concept: Concept) -> str:
        """The part of a genomics report that a code names ("gene-studied", "del-17p"), or ""."""
        return self._observations.component(concept)

    def procedure(self, concept: Concept) -> ProcedureMatch | None:
        """The kind of a procedure, and the drug it gave where code or words name it."""
        return self._procedures.read(concept)

    def plan(self, concept: Concept, reasons: Sequence[str] = ()) -> PlanMatch | None:
        """The plan that a request for a procedure is; None where it is for another thing, or other cells."""
        return self._procedures.planned(concept, reasons)

    def is_put_off(self, reason: str) -> bool:
        """Whether the words for why something was not done say that it was only put off."""
        return self._procedures.is_put_off(reason)

    def car_t_feasible(self, text: str) -> bool | None:
        """Whether words say that CAR-T cells can, or cannot, be given; None where they say neither."""
        return self._procedures.feasible(text)

    def car_t_feasible_answer(self, question: str, answer: str) -> bool | None:
        """The same of a question and its answer."""
        return self._procedures.feasible_answer(question, answer)

    def comorbidity(self, concept: Concept, severity: Concept | None = None) -> ComorbidityMatch | None:
        """A comorbidity with its severity as far as code, words or the severity field tell it."""
        elsewhere = self._diagnoses.has_code(concept)
        return self._comorbidities.read(concept, severity, by_words=not elsewhere)

    def denied_comorbidities(self, concept: Concept) -> tuple[str, ...]:
        """The comorbidities of which the words say that the patient does not have them."""
        return self._comorbidities.denied(concept)

    def comorbidity_as_a_whole(self, concept: Concept) -> str:
        """The comorbidity whose common name the entry bears; "" for a narrower one, or none."""
        return self._comorbidities.named_as_a_whole(concept)

    def asks_for_comorbidity(self, concept: Concept) -> bool:
        """Whether an observation asks for a comorbidity, or for its grade."""
        return self._comorbidities.asks(concept)

    def comorbidity_answer(
        self, question: Concept, answer: Concept, number: float | None = None
    ) -> ComorbidityMatch | None:
        """What an observation says of a comorbidity it asks for; None where it asks for none."""
        result = self._observations.result(answer) if number is None else ""
        return self._comorbidities.answered(question, answer, number, result)

    def asserted_question(self, concept: Concept) -> AssertedQuestion | None:
        """What a clinician asserts by an observation, by our own code alone; None where it is none."""
        return self._assertions.question(concept)

    def asserted_answer(self, question: AssertedQuestion, concept: Concept) -> str:
        """The key of the answer to such a question; "" if it is none, or if its words contradict it."""
        key = self._assertions.answer(question, concept)
        texts = (concept.text, *self._assertions.displays(concept))
        return "" if key and any(self._contradicts(question, key, text) for text in texts if text) else key

    def _contradicts(self, question: AssertedQuestion, key: str, text: str) -> bool:
        """Whether the words beside an answer's code say another answer."""
        words = self._context.words(text)
        mentions = self._assertions.answers_named(question, words)
        judged = self._context.judge(words, mentions)
        for mention, how in zip(mentions, judged, strict=True):
            if (mention.value == key) is not (how in (Said.SAID, Said.PAST)):
                return True
        if any(mention.value == key for mention in mentions):
            return False
        response = self.response(Concept((), text))
        failing = response is not None and (response.progression or response.no_response)
        gravest = key == question.answers[0].key
        if question.what == INTOLERANT:
            return not gravest and self.stop_reason(Concept((), text)) is StopReason.TOXICITY
        if gravest:
            return not failing and any(word.text in self._context.denying_words for word in words)
        return failing

    def names_asserted_drug(self, concept: Concept) -> bool:
        """Whether a component holds the drug of an assertion."""
        return self._assertions.is_drug(concept)

    def asserted_drug(self, concept: Concept, *, on: date | None = None) -> str:
        """The one drug, of those judged, that our code and the other codes and words name; "" if not one.

        Words beside a code that name another drug or deny this one make it none; without a code the words
        must be its name alone.
        """
        own = self._assertions.drugs(concept)
        others = {match.drug for match in self.drugs(concept, on=on)} & self._judged
        named = own | others
        if len(named) != 1:
            return ""
        drug = next(iter(named))
        texts = [text for text in (concept.text, *(coding.display for coding in concept.codings)) if text]
        if any(self._drugs.speaks_against(text, drug) for text in texts):
            return ""
        coded = bool(own) or any(match.how == "code" for match in self.drugs(concept, on=on))
        # Without a code the words alone say it: "not that one, lenalidomide" must not free lenalidomide.
        return drug if coded or any(self._drugs.named_alone(text) for text in texts) else ""

    def told_in_report(self, text: str) -> tuple[tuple[str, bool], ...]:
        """Comorbidities that a report speaks of in passing, each with whether it is there."""
        return self._comorbidities.told_in(text)

    def is_told_in_reports(self, comorbidity: str) -> bool:
        """Whether a comorbidity is one that reports and diagnoses tell of in passing."""
        return self._comorbidities.in_reports(comorbidity)

    def line_number(self, text: str) -> int | None:
        """The number of a line of therapy that a text names; None where it names none, or several."""
        return findings.line_number(text)
