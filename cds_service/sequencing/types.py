"""What is recommended, with the whole trace: every regimen appears, with the reasons for and against."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.knowledge.types import NOWHERE, Dose, Source, Text
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
    formulation: str = ""
    since: str = ""
    source: Source = NOWHERE
    gate: Text | None = None  # the label's gate in words


@dataclass(frozen=True)
class CautionShown:
    """A caution that concerns this patient (``concerns``), or always goes with the drug.

    One that ``weighs`` puts the regimen behind its equals; another is minded and gone on with.
    """

    drug: str
    concept: str
    text: Text
    concerns: bool
    derived_from: tuple[str, ...] = ()
    weighs: bool = True


@dataclass(frozen=True)
class AdviceShown:
    """What goes with a suggested regimen: prophylaxis, screening, monitoring; or what a rule requires."""

    kind: str  # as in component.schema.json, or "required"
    text: Text
    source: Source
    drug: str = ""
    rule: str = ""
    derived_from: tuple[str, ...] = ()


@dataclass(frozen=True)
class DoseShown:
    """The schedule of one drug for this patient, as far as the knowledge gives it.

    ``variant`` names which of the regimen's schedules it is: "" the standard one, else the row group or the
    adjustment that holds for her. ``depends_on`` are data not known that could choose another;
    ``unsettled`` the adjustments among them of which something charted tells, with its resources.
    """

    drug: str
    rows: tuple[Dose, ...]
    variant: str = ""
    because: Text | None = None
    source: Source = NOWHERE
    depends_on: tuple[str, ...] = ()
    unsettled: tuple[tuple[Text, tuple[str, ...]], ...] = ()
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
    newer: bool = False  # by none but rules on options labelled since the main source was written
    doses: tuple[DoseShown, ...] = ()
    advice: tuple[AdviceShown, ...] = ()
    headlines: tuple[Text, ...] = ()  # of each row of evidence, the sentence for her population


@dataclass(frozen=True)
class NotSuggested:
    """A regimen that does not fit, with every reason."""

    regimen: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class TraceStep:
    """One gate, hard stop or rule asked for one regimen.

    True means of a gate that the regimen passes, of a stop that it excludes, of a rule that it fires.
    """

    regimen: str
    step: str  # "gate:label", "label:EMA:SC:authorised", "stop:STOP-COMPONENT:lenalidomide", "rule:BAR-15"
    outcome: Outcome


@dataclass(frozen=True)
class DisagreementShown:
    """Sources that clash where this answer is concerned; ``regimens`` it touches, () the whole answer."""

    id: str
    text: Text
    regimens: tuple[str, ...] = ()


@dataclass(frozen=True)
class World:
    """What would be suggested were one unknown datum known to be so."""

    settled: str  # "refractory", "not-refractory", "present", "3" ...
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    suggested: tuple[str, ...] = ()  # the whole order then, as if the state had been answered so


@dataclass(frozen=True)
class Undecided:
    """One datum that the chart does not tell and that leaves gates, stops or rules unknown.

    What could do no more than put a regimen behind its equals (a caution) is none.
    """

    datum: str  # "refractory:bortezomib", "comorbidity:heart-failure", "car-t" ...
    text: Text
    steps: tuple[str, ...]  # the gates, stops and rules that wait for it, each once
    regimens: tuple[str, ...]
    worlds: tuple[World, ...]
    changes_suggestions: bool = False  # whether, in one of the worlds, the set or its order is another


@dataclass(frozen=True)
class Recommendation:
    """Every regimen of the pathway is in exactly one of ``suggested`` and ``not_suggested``."""

    region: str
    pathway: str
    suggested: tuple[Suggested, ...]
    not_suggested: tuple[NotSuggested, ...]
    disagreements: tuple[DisagreementShown, ...] = ()
    trace: tuple[TraceStep, ...] = ()
    remarks: tuple[CautionShown, ...] = ()  # what rules say of the state as a whole
    undecided: tuple[Undecided, ...] = ()
    nothing_because: tuple[str, Text] | None = None  # id and reason, where no suggestion is known to be right
    unreviewed_source: bool = False  # the pathway's publisher says that nobody has reviewed it
    clinically_reviewed: bool = False  # every entry the answer rests on carries an approval


@dataclass(frozen=True)
class Ordered:
    """The regimen that drafted orders make up; ``lacks`` its steroid where none is drafted."""

    regimen: str
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conflict:
    """A draft order, or the regimen that the drafts make up, that clashes with the patient's state.

    One entry for a drug and a reason, however often it is drafted; ``bar`` names the contraindication, so
    that another one of the same drug is another finding. ``regimen`` is set where the clash is the regimen's
    as a whole; ``drug`` is then the one that defines it.
    """

    drug: str
    reference: str  # "MedicationRequest/id" of the draft, as the hook named it; of several the first
    critical: bool  # can injure (contraindicated, allergy); else it will hardly help or is not covered
    code: str  # refractory-component, refractory-class, intolerance, contraindicated, outside-label ...
    text: Text  # "daratumumab ordered; ..." the reason as a sentence
    certainty: str = ""
    would_settle: Text | None = None
    derived_from: tuple[str, ...] = ()
    regimen: str = ""
    in_regimen: Text | None = None  # the reason told of the regimen that the drafts make up
    bar: str = (
        ""  # "allergy", the concept of a caution that bars, the id of a hard stop; "" for other clashes
    )


@dataclass(frozen=True)
class MissingCompanion:
    """What goes with the drugs ordered and is neither drafted nor, by the chart, being taken.

    ``doses`` is set where it is a drug of the regimen itself, which can be ordered as the regimen has it;
    all else is named and not ordered.
    """

    id: str  # of pathways/drugs, or the key of the drug that the regimen lacks
    name: Text
    texts: tuple[Text, ...]  # of each drug that asks for it
    sources: tuple[Source, ...] = ()
    drugs: tuple[str, ...] = ()  # those that ask for it
    lacking: str = ""  # the drug of the regimen that is lacking
    doses: tuple[DoseShown, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What is worth showing at this moment of the work; all empty: silence.

    ``ordered`` says how the drafts are spoken of, and is nothing to show by itself.
    """

    sequencing: bool = False
    conflicts: tuple[Conflict, ...] = ()
    state: str = ""  # "remission", "out-of-scope" or "": a quiet card that suggests nothing
    missing: tuple[Unknown, ...] = ()  # data whose absence keeps a due answer from being given
    companions: tuple[MissingCompanion, ...] = ()
    ordered: Ordered | None = None
    open: tuple[Unknown, ...] = ()  # data beside an answer given, that would change it and a word may settle
