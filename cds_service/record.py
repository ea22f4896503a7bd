"""The clinical record: dated facts read from a chart, each with the resource that says so.

Innermost of the rooms: ``fhir`` fills a :class:`ClinicalRecord`, ``patient`` reads it, and the two never
meet. Nothing here knows FHIR, a drug by name, or today's date.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import TypeVar

_Fact = TypeVar("_Fact")


@dataclass(frozen=True, order=True)
class DateSpan:
    """The days an event may have fallen on: "2025-04" is 1 to 30 April 2025.

    An exact day has ``earliest == latest``. Raises ValueError where the span runs backwards.
    """

    earliest: date
    latest: date

    def __post_init__(self) -> None:
        if self.latest < self.earliest:
            raise ValueError(f"a span cannot end ({self.latest}) before it begins ({self.earliest})")

    @classmethod
    def on(cls, charted: str | date) -> DateSpan:
        """Span of a charted date of any FHIR precision: ``"2025"``, ``"2025-04"``, ``"2025-04-30"``.

        Raises ValueError if the text is none of these.
        """
        if isinstance(charted, date):
            return cls(charted, charted)
        parts = [int(part) for part in charted.split("-")]
        if len(parts) == 1:
            return cls(date(parts[0], 1, 1), date(parts[0], 12, 31))
        if len(parts) == 2:
            last = calendar.monthrange(parts[0], parts[1])[1]
            return cls(date(parts[0], parts[1], 1), date(parts[0], parts[1], last))
        day = date(*parts)
        return cls(day, day)

    @classmethod
    def first_of(cls, spans: Iterable[DateSpan]) -> DateSpan:
        """When the first of several events was: not before the earliest day of any, nor after any's latest.

        Raises ValueError where there is none.
        """
        known = list(spans)
        return cls(min(s.earliest for s in known), min(s.latest for s in known))

    @classmethod
    def last_of(cls, spans: Iterable[DateSpan]) -> DateSpan:
        """When the last of several events was. Raises ValueError where there is none."""
        known = list(spans)
        return cls(max(s.earliest for s in known), max(s.latest for s in known))

    @property
    def exact(self) -> bool:
        """Whether the day itself is known."""
        return self.earliest == self.latest

    def plus(self, days: int) -> DateSpan:
        """The span moved by whole days."""
        return DateSpan(self.earliest + timedelta(days), self.latest + timedelta(days))

    def until(self, last: date) -> DateSpan | None:
        """The part of the span not after ``last``; None where nothing of it is left."""
        return DateSpan(self.earliest, min(self.latest, last)) if self.earliest <= last else None

    def __str__(self) -> str:
        """Shortest text that says the same: a day, a month, a year, or a range."""
        if self.exact:
            return self.earliest.isoformat()
        for width in (4, 7):
            text = self.earliest.isoformat()[:width]
            if DateSpan.on(text) == self:
                return text
        return f"{self.earliest.isoformat()}/{self.latest.isoformat()}"


class Severity(StrEnum):
    """How grave an issue of reading or deriving is."""

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"


@dataclass(frozen=True, order=True)
class Issue:
    """Something in the chart that was not, or not wholly, understood. Never carries names of people."""

    severity: Severity
    code: str  # kebab-case, stable: "unmapped-code", "unreadable-date", "other-patient" ...
    text: str  # a sentence for the reader of the assessment
    where: str = ""  # resource reference, or ""


class StopReason(StrEnum):
    """Why a drug was stopped, as far as the chart says."""

    PROGRESSION = "progression"
    NO_RESPONSE = "no-response"
    TOXICITY = "toxicity"
    ALLERGY = "allergy"
    COMPLETION = "completion"
    CHOICE = "choice"
    TRANSPLANT = "transplant"
    OTHER = "other"
    UNREAD = "unread"  # a reason is charted, and nothing of it is understood: it may be a failure
    UNKNOWN = "unknown"


class Purpose(StrEnum):
    """What a drug was given for, where it was something other than treating the myeloma."""

    MYELOMA = "myeloma"
    MOBILISATION = "mobilisation"
    CONDITIONING = "conditioning"
    LYMPHODEPLETION = "lymphodepletion"
    BRIDGING = "bridging"
    PREMEDICATION = "premedication"
    ANTIEMETIC = "antiemetic"
    OTHER_DISEASE = "other-disease"
    AMYLOIDOSIS = "amyloidosis"
    SMOULDERING = "smouldering"
    BEFORE_DIAGNOSIS = "before-diagnosis"  # told by dates alone, never charted as such
    UNCLEAR = "unclear"  # of a drug that nothing identifies: what it was for cannot be told


class Given(StrEnum):
    """How sure it is that a charted drug reached the patient."""

    GIVEN = "given"  # statement taken/active/completed/stopped, administration completed, dispense
    ORDERED = "ordered"  # an active or completed order: presumably taken
    HELD = "held"  # ordered, and nothing says that it was ever given: neither exposure nor proof of none
    DRAFT = "draft"  # being ordered now: no exposure


@dataclass(frozen=True, order=True)
class DrugFact:
    """One resource's statement that one drug was given, ordered or is being drafted.

    ``first_dose`` None: the start is not charted. ``last_dose`` None with ``ongoing`` False: stopped or
    completed on an unrecorded day. ``ongoing`` True: still being given, as far as this resource says.
    """

    reference: str
    drug: str  # drug key of mappings/drugs, e.g. "lenalidomide"
    given: Given
    text: str = ""  # the chart's own words
    first_dose: DateSpan | None = None
    last_dose: DateSpan | None = None
    ongoing: bool = False
    single_dose: bool = False  # effectiveDateTime of an administration: one dose on one day
    stop_reason: StopReason = StopReason.UNKNOWN
    stop_text: str = ""
    purpose: Purpose | None = None  # None: not charted
    route: str = ""  # "SC", "IV", "PO" or ""
    dose: float | None = None
    dose_unit: str = ""
    regimen: str = ""  # regimen key where the entry names a whole regimen ("VRd")
    line_number: int | None = None  # charted line of therapy
    selected: bool = False  # drafts only: in the hook's ``selections`` (or the hook has none)
    replaces: str = ""  # drafts only: "MedicationRequest/id" to delete on accepting another regimen


class DiagnosisStatus(StrEnum):
    """Where the disease stands by the diagnosis entry alone."""

    ACTIVE = "active"
    RELAPSE = "relapse"
    REMISSION = "remission"
    HISTORY = "history"  # resolved, inactive, "history of"
    UNKNOWN = "unknown"


@dataclass(frozen=True, order=True)
class DiagnosisFact:
    """One diagnosis entry of a plasma-cell disorder. Refuted and entered-in-error ones never get here."""

    reference: str
    kind: str  # diagnosis.kind of the interface: "multiple-myeloma", "mgus" ...
    status: DiagnosisStatus
    onset: DateSpan | None = None
    recorded: DateSpan | None = None
    ended: DateSpan | None = None
    provisional: bool = False
    text: str = ""


MYELOMA = "multiple-myeloma"
"""The kind of diagnosis that the service is for."""

PREFETCH_KEYS = {
    "Patient": "patient",
    "Condition": "conditions",
    "MedicationStatement": "medicationStatements",
    "MedicationRequest": "medicationRequests",
    "MedicationAdministration": "medicationAdministrations",
    "MedicationDispense": "medicationDispenses",
    "Observation": "observations",
    "Procedure": "procedures",
    "AllergyIntolerance": "allergies",
}
"""Resource type -> the key under which it is prefetched, by which completeness is told."""


class Response(StrEnum):
    """IMWG response category, best first; ``REFRACTORY`` where the chart says only that word."""

    SCR = "sCR"
    CR = "CR"
    VGPR = "VGPR"
    PR = "PR"
    MR = "MR"
    SD = "SD"
    PD = "PD"


RESPONDING = frozenset({Response.SCR, Response.CR, Response.VGPR, Response.PR})
"""Categories of a partial response or better."""


@dataclass(frozen=True, order=True)
class ResponseFact:
    """A charted response, disease status or progression.

    ``category`` is an IMWG category, or None where the chart gives only a trend. ``progression`` says
    whether the entry states progression or relapse; ``no_response`` whether it states refractoriness.
    """

    reference: str
    on: DateSpan | None
    category: Response | None = None
    progression: bool = False
    no_response: bool = False
    trend: str = ""  # "improved", "stable", "worsened", "undetermined" or ""
    text: str = ""
    derived_from: tuple[str, ...] = ()  # of a computed one: all resources it rests on
    refractory_to: tuple[str, ...] = ()  # drugs that the words name; () with no_response: whatever runs then


@dataclass(frozen=True, order=True)
class ProcedureFact:
    """Transplant, CAR-T infusion, apheresis, dialysis ...; ``kind`` is a concept of mappings/procedures."""

    reference: str
    kind: str
    on: DateSpan | None = None
    drug: str = ""  # CAR-T product, where the code names it
    text: str = ""


class PlanSays(StrEnum):
    """What a chart says of a procedure that is not, or not yet, carried out."""

    PLANNED = "planned"  # requested, ordered or being prepared, and not charted as done by this entry
    NOT_DONE = "not-done"  # charted as not done, or as not to be done
    FEASIBLE = "feasible"  # in words, of CAR-T: it can be given to this patient
    NOT_FEASIBLE = "not-feasible"  # in words, of CAR-T: it cannot


@dataclass(frozen=True, order=True)
class PlanFact:
    """One resource's word on a procedure to come, or on whether it can be done at all.

    ``plan`` is "apheresis", "car-t" or "transplant"; ``of_t_cells``: it is a step of CAR-T, of nothing else.
    ``said`` is the day of the entry, None where it is not charted; ``on`` the day it is meant for, the one
    date of a record that may lie after the evaluation date.
    """

    reference: str
    plan: str
    says: PlanSays
    said: DateSpan | None = None
    on: DateSpan | None = None
    kind: str = ""  # concept of mappings/procedures; "" of mere words about CAR-T
    of_t_cells: bool = False
    drug: str = ""  # CAR-T product, where the entry names it
    text: str = ""
    reason: str = ""  # why it was not done, in the chart's words


@dataclass(frozen=True, order=True)
class Measurement:
    """A number with its unit as charted; ``concept`` is a key of mappings/observations.

    ``value`` is in ``unit``, the concept's own unit after conversion; an unknown unit makes the reader
    leave the measurement out and record an issue. ``text`` holds a coded or textual result
    ("present", "positive"), lower case.
    """

    reference: str
    concept: str
    on: DateSpan | None = None
    value: float | None = None
    unit: str = ""
    text: str = ""
    site: str = ""  # of a lesion: where it lies, lower case


@dataclass(frozen=True, order=True)
class ComorbidityFact:
    """A comorbidity or toxicity that may change the choice."""

    reference: str
    concept: str  # key of mappings/comorbidities, e.g. "heart-failure"
    active: bool = True
    severity: str = ""  # "NYHA-III", "grade-3", "stage-3b", "mild", "moderate", "severe" or ""
    onset: DateSpan | None = None
    text: str = ""
    present: bool = True  # False: the chart says that the patient does not have it
    assessed: DateSpan | None = None  # the day it was looked for, where it comes of an observation


@dataclass(frozen=True, order=True)
class AllergyFact:
    """An allergy or intolerance to a drug of mappings/drugs."""

    reference: str
    drug: str
    intolerance: bool = False  # True: type "intolerance"; False: allergy or type not charted
    text: str = ""


@dataclass(frozen=True, order=True)
class Assertion:
    """What a clinician states where the derived state is unsure or wrong (mappings/assertions.yaml).

    ``what`` is "refractory:DRUG", "intolerant:DRUG", "disease-status" or "prior-lines"; ``value`` an answer's
    key, or a number as text. ``on`` is the day from which it holds: of an imprecise date the first, so that
    nothing newer is taken for known. ``moment``: the instant in UTC as ISO text, "" where none is told.
    """

    reference: str  # of the Observation; "request" of one that came beside the chart
    what: str
    value: str
    on: date
    moment: str = ""
    rests_on: tuple[str, ...] = ()  # Observations that were known when it was made


FROM_REQUEST = "request"
"""The reference of an assertion that stands in no resource."""


class Completeness(StrEnum):
    """Whether one kind of data came with the request."""

    COMPLETE = "complete"  # sent, also if empty or null ("known to be none")
    PARTIAL = "partial"  # a page is missing, or some entries were unreadable
    ABSENT = "absent"  # neither sent nor reachable


@dataclass(frozen=True)
class PatientFacts:
    """Who the chart is about, as far as choosing needs it."""

    id: str = ""
    birth: DateSpan | None = None
    sex: str = ""  # "female", "male", "other", "unknown" or ""
    deceased: bool = False


@dataclass(frozen=True)
class ClinicalRecord:
    """All facts of one patient; every tuple is sorted, so the order of the input cannot matter."""

    patient: PatientFacts = PatientFacts()
    drugs: tuple[DrugFact, ...] = ()
    diagnoses: tuple[DiagnosisFact, ...] = ()
    responses: tuple[ResponseFact, ...] = ()
    procedures: tuple[ProcedureFact, ...] = ()
    plans: tuple[PlanFact, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    comorbidities: tuple[ComorbidityFact, ...] = ()
    allergies: tuple[AllergyFact, ...] = ()
    assertions: tuple[Assertion, ...] = ()
    drafts: tuple[DrugFact, ...] = ()  # given == DRAFT
    other_orders: bool = False  # something else than a mapped drug is being ordered
    unread_orders: tuple[str, ...] = ()  # medication orders of FHIR versions that are not read here
    encounter: str = ""  # "Encounter/e1", for the orders
    completeness: dict[str, Completeness] = field(default_factory=dict)  # by prefetch key
    left_out: dict[str, int] = field(default_factory=dict)  # "entered-in-error": 2, "other-patient": 1
    issues: tuple[Issue, ...] = ()

    def normalised(self) -> ClinicalRecord:
        """The same facts, each once and in one order: what is derived cannot depend on the input's."""
        return replace(
            self,
            drugs=_each_once(self.drugs),
            diagnoses=_each_once(self.diagnoses),
            responses=_each_once(self.responses),
            procedures=_each_once(self.procedures),
            plans=_each_once(self.plans),
            measurements=_each_once(self.measurements),
            comorbidities=_each_once(self.comorbidities),
            allergies=_each_once(self.allergies),
            assertions=_each_once(self.assertions),
            drafts=_each_once(self.drafts),
        )


def _each_once(facts: tuple[_Fact, ...]) -> tuple[_Fact, ...]:
    # By the text of a fact: fields that may be None have no order of their own.
    return tuple(sorted(set(facts), key=repr))
