"""The terminology with a memory: charts repeat the same concepts, and matching words is the costly part."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Any, TypeVar

from cds_service.record import DiagnosisStatus, Purpose, StopReason
from cds_service.terminology import (
    ComorbidityMatch,
    Concept,
    DiagnosisMatch,
    DrugMatch,
    NotRead,
    ObservationMatch,
    ProcedureMatch,
    ResponseMatch,
    Terminology,
)

_F = TypeVar("_F", bound=Callable[..., Any])

_LONGEST = 80  # longer words are one person's story: they do not recur, and nothing of them shall stay
_LONGEST_CODING = 300  # the long names of LOINC and of branded packs stay below
_MOST = 20_000


def _is_short(concept: Concept) -> bool:
    longest = max((len(one.code) + len(one.display) for one in concept.codings), default=0)
    return len(concept.text) <= _LONGEST and longest <= _LONGEST_CODING


def _remember(ask: _F) -> Any:
    """``ask`` with a bounded memory of concepts, except of those with long words."""
    known = lru_cache(maxsize=_MOST)(ask)

    def answer(concept: Concept, *more: Any) -> Any:
        return known(concept, *more) if _is_short(concept) else ask(concept, *more)

    return answer


class Remembered:
    """The questions that the readers ask, each answered by the terminology once per concept."""

    def __init__(self, terminology: Terminology) -> None:
        self.plain = terminology
        self.line_number = terminology.line_number
        self.convert = terminology.convert
        self.plausible = terminology.plausible
        self.unidentified = terminology.unidentified
        self.refractory_to = terminology.refractory_to
        self.new_lesion = terminology.new_lesion
        self.cells = terminology.cells
        self.plan = terminology.plan
        self.is_put_off = terminology.is_put_off
        self.car_t_feasible = terminology.car_t_feasible
        self.car_t_feasible_answer = terminology.car_t_feasible_answer
        self._drugs = _remember(lambda concept, on: terminology.drugs(concept, on=on))
        self._not_read = _remember(terminology.not_read)
        self._is_ordinary = _remember(terminology.is_ordinary)
        self._is_antineoplastic = _remember(terminology.is_antineoplastic)
        self._diagnosis = _remember(terminology.diagnosis)
        self._clinical_status = _remember(terminology.clinical_status)
        self._response = _remember(terminology.response)
        self._is_response_question = _remember(terminology.is_response_question)
        self._stop_reason = _remember(terminology.stop_reason)
        self._purpose = _remember(terminology.purpose)
        self._observation = _remember(terminology.observation)
        self._coded_result = _remember(terminology.coded_result)
        self._genomic_component = _remember(terminology.genomic_component)
        self._procedure = _remember(terminology.procedure)
        self._comorbidity = _remember(terminology.comorbidity)
        self._denied_comorbidities = _remember(terminology.denied_comorbidities)
        self._asks_for_comorbidity = _remember(terminology.asks_for_comorbidity)
        self.members_of_named_classes = terminology.members_of_named_classes
        self.comorbidity_as_a_whole = terminology.comorbidity_as_a_whole
        self.comorbidity_answer = terminology.comorbidity_answer
        self.told_in_report = terminology.told_in_report
        self.is_told_in_reports = terminology.is_told_in_reports
        self.asserted_question = terminology.asserted_question
        self.asserted_answer = terminology.asserted_answer
        self.names_asserted_drug = terminology.names_asserted_drug
        self.asserted_drug = terminology.asserted_drug

    def drugs(self, concept: Concept, *, on: date | None = None) -> tuple[DrugMatch, ...]:
        """See Terminology, here and below."""
        found: tuple[DrugMatch, ...] = self._drugs(concept, on)
        return found

    def not_read(self, concept: Concept) -> NotRead:
        """What of a medication's words is not understood."""
        found: NotRead = self._not_read(concept)
        return found

    def is_ordinary(self, concept: Concept) -> bool:
        """Whether a medication surely treats something else."""
        return bool(self._is_ordinary(concept))

    def is_antineoplastic(self, concept: Concept) -> bool:
        """Whether an unmapped drug treats cancer."""
        return bool(self._is_antineoplastic(concept))

    def diagnosis(self, concept: Concept) -> DiagnosisMatch | None:
        """A plasma-cell disorder."""
        found: DiagnosisMatch | None = self._diagnosis(concept)
        return found

    def clinical_status(self, concept: Concept) -> DiagnosisStatus | None:
        """What a clinicalStatus says."""
        found: DiagnosisStatus | None = self._clinical_status(concept)
        return found

    def response(self, concept: Concept) -> ResponseMatch | None:
        """A response or disease status."""
        found: ResponseMatch | None = self._response(concept)
        return found

    def is_response_question(self, concept: Concept) -> bool:
        """Whether an observation asks for the response."""
        return bool(self._is_response_question(concept))

    def stop_reason(self, concept: Concept) -> StopReason | None:
        """Why a drug was stopped."""
        found: StopReason | None = self._stop_reason(concept)
        return found

    def purpose(self, concept: Concept) -> Purpose | None:
        """What a drug was for."""
        found: Purpose | None = self._purpose(concept)
        return found

    def observation(self, concept: Concept) -> ObservationMatch | None:
        """What was observed."""
        found: ObservationMatch | None = self._observation(concept)
        return found

    def coded_result(self, concept: Concept) -> str:
        """A result in lower-case words."""
        return str(self._coded_result(concept))

    def genomic_component(self, concept: Concept) -> str:
        """The part of a genomics report that a code names."""
        return str(self._genomic_component(concept))

    def procedure(self, concept: Concept) -> ProcedureMatch | None:
        """A kind of procedure."""
        found: ProcedureMatch | None = self._procedure(concept)
        return found

    def comorbidity(self, concept: Concept, severity: Concept | None = None) -> ComorbidityMatch | None:
        """A comorbidity with its severity."""
        found: ComorbidityMatch | None = self._comorbidity(concept, severity)
        return found

    def denied_comorbidities(self, concept: Concept) -> tuple[str, ...]:
        """Comorbidities that the words deny."""
        found: tuple[str, ...] = self._denied_comorbidities(concept)
        return found

    def asks_for_comorbidity(self, concept: Concept) -> bool:
        """Whether an observation asks for a comorbidity."""
        return bool(self._asks_for_comorbidity(concept))


remembered = lru_cache(maxsize=4)(Remembered)
"""The one memory of a terminology, which is never changed after the start."""
