"""What is recommended, with the whole trace: every regimen appears, with the reasons for and against."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.knowledge.types import Text
from cds_service.patient.types import Unknown


@dataclass(frozen=True)
class Outcome:
    """Three-valued result of a condition: True, False, or None with the data that would decide it."""

    value: bool | None
    missing: tuple[str, ...] = ()
    derived_from: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelStatus:
    """Where a regimen stands in the region's label for this patient."""

    region: str
    status: str  # within, outside, not-labelled, pending, withdrawn, unknown
    text: Text
    kind: str = ""  # the label's own status: authorised, accelerated, authorised-conditional ...
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class CautionShown:
    """A caution that concerns this patient (``concerns``), or always goes with the drug."""

    drug: str
    concept: str
    text: Text
    concerns: bool
    derived_from: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reason:
    """Why a regimen is not suggested; ``code`` is of the interface's list."""

    code: str
    text: Text
    derived_from: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suggested:
    """A regimen that fits, with rank from 1."""

    regimen: str
    rank: int
    strength: str  # verb of the strongest rule that speaks for it
    label: LabelStatus
    rules: tuple[str, ...]
    evidence: tuple[str, ...]  # evidence ids, the most specific to this patient first
    cautions: tuple[CautionShown, ...]
    because: Text
    recommended: bool = False  # one alone stands first by a rule that prefers it
    unknown: tuple[str, ...] = ()  # data that could exclude it


@dataclass(frozen=True)
class NotSuggested:
    """A regimen that does not fit, with every reason."""

    regimen: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class TraceStep:
    """One gate or rule asked for one regimen."""

    regimen: str
    step: str  # "label:EMA", "rule:BAR-15", "refractory:lenalidomide" ...
    outcome: Outcome


@dataclass(frozen=True)
class Recommendation:
    """Every regimen of the pathway is in exactly one of ``suggested`` and ``not_suggested``."""

    region: str
    pathway: str
    suggested: tuple[Suggested, ...]
    not_suggested: tuple[NotSuggested, ...]
    disagreements: tuple[tuple[str, Text], ...] = ()
    trace: tuple[TraceStep, ...] = ()
    notes: tuple[CautionShown, ...] = ()  # rules of verb "caution" that fired for the state as a whole


@dataclass(frozen=True)
class Conflict:
    """A draft order that clashes with the patient's state."""

    drug: str
    reference: str  # "MedicationRequest/id" of the draft, as the hook named it
    critical: bool  # can injure (contraindicated, allergy); else it will hardly help or is not covered
    code: str  # refractory-component, refractory-class, intolerance, contraindicated, outside-label ...
    text: Text  # "daratumumab ordered; ..." the reason as a sentence
    certainty: str = ""
    would_settle: Text | None = None
    derived_from: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What is worth showing at this moment of the work; all empty: silence."""

    sequencing: bool = False
    conflicts: tuple[Conflict, ...] = ()
    state: str = ""  # "remission", "out-of-scope" or "": a quiet card that suggests nothing
    missing: tuple[Unknown, ...] = ()  # data whose absence keeps a due answer from being given
