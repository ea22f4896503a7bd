"""What is derived of one patient: plain dataclasses, the words of the public interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from cds_service.record import ComorbidityFact, DateSpan, Issue, Measurement, Purpose, Response, StopReason

LONG_AGO = date(1900, 1, 1)
"""Earliest day of an uncharted start: before any myeloma drug existed."""


class Status(StrEnum):
    """State of a drug or class; :data:`GRAVEST_FIRST` is how a class sums up its members."""

    NAIVE = "naive"
    EXPOSED = "exposed"
    SENSITIVE = "sensitive"
    REFRACTORY = "refractory"
    UNKNOWN = "unknown"


GRAVEST_FIRST = (Status.REFRACTORY, Status.UNKNOWN, Status.EXPOSED, Status.SENSITIVE, Status.NAIVE)


class Certainty(StrEnum):
    """How a derived fact is known: written in the chart, computed from it, or presumed."""

    DOCUMENTED = "documented"
    COMPUTED = "computed"
    PRESUMED = "presumed"


@dataclass(frozen=True)
class DrugState:
    """Exposure and refractoriness of one drug. ``because`` is a whole sentence."""

    drug: str
    status: Status
    certainty: Certainty
    because: str
    first: DateSpan | None = None
    last: DateSpan | None = None
    ongoing: bool = False
    intolerant: bool = False
    derived_from: tuple[str, ...] = ()
    months_on: float | None = None  # over all its courses; None where a date leaves a month or more of doubt
    months_since_last: float | None = None  # from its last dose to the evaluation date; None while ongoing

    @property
    def given(self) -> bool:
        """Whether it surely was given; a dose is known, though what it did is not."""
        if self.status is Status.UNKNOWN:
            return self.first is not None or self.last is not None
        return self.status is not Status.NAIVE


@dataclass(frozen=True)
class ClassState:
    """State of a drug class: the gravest of its members."""

    key: str
    status: Status
    derived_from: tuple[str, ...] = ()


@dataclass(frozen=True)
class Progression:
    """A progression or relapse, and by which kind of fact it is known (1 most trusted, 5 presumed)."""

    on: DateSpan
    trust: int
    certainty: Certainty
    because: str
    derived_from: tuple[str, ...] = ()

    @property
    def bounded(self) -> bool:
        """Whether anything in the chart says when it was, if only that it fell after the first treatment."""
        return self.on.earliest > LONG_AGO + timedelta(days=1)


@dataclass(frozen=True)
class RelapseSign:
    """A sign of relapse that is no progression by itself: shown, never held against a drug."""

    kind: str  # relapse-from-complete-response, clinical-relapse-sign, significant-biochemical-relapse
    on: DateSpan
    because: str
    derived_from: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """One line of therapy (IMWG, Rajkumar 2015): a planned sequence under one intent."""

    number: int
    start: DateSpan | None
    end: DateSpan | None
    drugs: tuple[str, ...]
    regimen: str  # key, or ""
    transplant: bool
    best_response: Response | None
    progression: DateSpan | None
    starts_because: str
    ends_because: str
    certainty: Certainty
    derived_from: tuple[str, ...] = ()
    months_to_progression: float | None = None  # from its first dose; None where dates leave a month of doubt
    counts_from: DateSpan | None = None  # a progression after this day is one of the line: not of bridging


@dataclass(frozen=True)
class Unknown:
    """Something the chart does not say, and the datum that would settle it."""

    what: str  # "refractory:bortezomib", "ecog", "prior-lines" ...
    would_settle: str
    changes_suggestions: bool = False


@dataclass(frozen=True)
class Asserted:
    """What a clinician asserted, and whether it counts: a newer assertion or newer evidence ends it."""

    what: str  # as of record.Assertion
    value: str
    on: date
    reference: str
    in_force: bool
    because: str


@dataclass(frozen=True)
class PurposeDecision:
    """What a charted drug was given for, where that was not treating the myeloma, or was bridging."""

    drug: str
    purpose: Purpose
    certainty: Certainty  # documented: the chart says so; computed: by dates, dose, procedures; or presumed
    because: str
    derived_from: tuple[str, ...] = ()


@dataclass(frozen=True)
class TargetExposure:
    """Exposure to a target (BCMA, GPRC5D) by one drug; ``modality`` as in mappings/classes.yaml."""

    target: str
    modality: str  # "CAR-T", "BsAb", "ADC"
    drug: str
    last: DateSpan | None
    ongoing: bool
    stop_reason: StopReason
    best_response: Response | None
    status: Status
    derived_from: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelReason:
    """Why a label holds: a whole sentence, the threshold that fired where there is one, the resources."""

    because: str
    threshold: str = ""  # id of the definition that fired
    derived_from: tuple[str, ...] = ()
    months: str = ""  # the time it was judged by, and the limit of the definition
    limit: str = ""


@dataclass(frozen=True)
class Fitness:
    """What bears on how much treatment the patient can take, beside age, ECOG and the frailty group.

    ``frailty_at_least``: the points charted settle the group, more may hide in ``frailty_missing``.
    ``renal_function`` says what it is known by: "creatinine-clearance", "cockcroft-gault", "egfr" or "".
    """

    karnofsky: int | None = None
    ecog_certainty: Certainty = Certainty.DOCUMENTED
    frailty_score: int | None = None
    frailty_at_least: bool = False
    frailty_missing: tuple[str, ...] = ()
    frailty_certainty: Certainty = Certainty.COMPUTED
    frailty_because: str = ""
    frailty_from: tuple[str, ...] = ()
    frailty_charted: tuple[tuple[str, str], ...] = ()  # the chart's words, and the resource
    renal_function: str = ""
    hepatitis_b: str = "unknown"  # positive, past-contact, negative, unknown
    hiv: str = "unknown"
    pregnancy_potential: str = "unknown"  # possible, no, unknown


@dataclass(frozen=True)
class DiagnosisState:
    """The disease as the chart has it; words as in the interface."""

    status: str  # active, newly-diagnosed, remission, history, unknown
    kind: str
    relapse: DateSpan | None = None
    derived_from: tuple[str, ...] = ()


@dataclass(frozen=True)
class PatientState:
    """Everything choosing needs, and nothing that identifies the patient."""

    as_of: date
    diagnosis: DiagnosisState
    needs_treatment_choice: bool
    prior_lines: int | None  # None: cannot be told
    lines: tuple[Line, ...]
    drugs: Mapping[str, DrugState]
    classes: Mapping[str, ClassState]
    labels: tuple[str, ...]
    label_reasons: Mapping[str, LabelReason] = field(default_factory=dict)
    open_labels: frozenset[str] = frozenset()  # which a missing date leaves undecided
    purposes: tuple[PurposeDecision, ...] = ()
    targets: tuple[TargetExposure, ...] = ()
    treatment_free_months: float | None = None  # since the last dose against myeloma; 0.0 while on treatment
    progressions: tuple[Progression, ...] = ()
    relapse_signs: tuple[RelapseSign, ...] = ()
    progressed_on_last: bool | None = None  # PD on or within 60 days of the last therapy; None unknown
    first_remission_months: float | None = None  # first dose of line 1 to its progression
    months_to_progression_after_transplant: float | None = None
    transplants: tuple[str, ...] = ()  # references of the procedures
    age: int | None = None
    sex: str = ""
    deceased: bool = False
    ecog: int | None = None
    frailty: str = "unknown"
    fitness: Fitness = Fitness()
    comorbidities: tuple[ComorbidityFact, ...] = ()
    ruled_out: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # comorbidity known not to be there
    intolerant: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # drug -> references
    allergic: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    biology: Mapping[str, str] = field(default_factory=dict)  # marker -> "present"/"absent"
    labs: Mapping[str, Measurement] = field(default_factory=dict)  # latest per concept, at most as_of
    planned: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # "apheresis", "car-t", "transplant" -> references
    car_t: str = (
        "unknown"  # "feasible", "not-feasible", "unknown": whether CAR-T cells can be given to this patient
    )
    car_t_from: tuple[str, ...] = ()
    procedures_known: bool = True  # the chart's procedures came: none charted means none done
    history_known: bool = True  # a medication history came that tells of the lines the chart implies
    asserted: tuple[Asserted, ...] = ()  # by a clinician, oldest first, those no longer in force too
    unknown: tuple[Unknown, ...] = ()
    issues: tuple[Issue, ...] = ()
    out_of_scope: str = ""  # kind of neighbouring disease, or ""
