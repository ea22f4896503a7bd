"""The knowledge as frozen objects: what the YAML files of mappings/, pathways/ and cards/ say.

Plain dataclasses, filled by :mod:`cds_service.knowledge.load` after the JSON Schemas have passed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import quote

VERBS = ("recommend", "prefer", "support", "consider", "allow", "deprioritise", "avoid", "caution", "require",
         "order", "remark")  # fmt: skip
"""What a rule may say of regimens; the first five speak for one, strongest first. ``order`` says which stand
before which, ``require`` what goes with them, ``remark`` something of the patient's state as a whole."""

SPEAK_FOR = VERBS[:5]
"""The verbs that speak for a regimen, strongest first."""


@dataclass(frozen=True)
class Text:
    """A sentence shown to people, in English and, where translated, Italian (Jinja placeholders)."""

    en: str
    it: str | None = None

    def in_language(self, language: str) -> str:
        """The text in ``language``, English where no translation exists."""
        return self.it if language == "it" and self.it else self.en


@dataclass(frozen=True)
class Source:
    """Where something is said: a document and the place in it; ``mark`` V seen, R recalled, D decided."""

    document: str = ""  # free citation
    doi: str = ""
    pmid: str = ""
    url: str = ""
    at: str = ""
    mark: str = ""

    @property
    def to_recheck(self) -> bool:
        """Whether it was, in part at least, recalled and not seen: the label or paper is to be read again."""
        return "R" in self.mark

    @property
    def address(self) -> str:
        """Its absolute web address: by DOI, else its PubMed page, else its own; "" where it has none."""
        if self.doi:
            return f"https://doi.org/{quote(self.doi, safe='/:;().-_')}"
        if self.pmid.isdigit():
            return f"https://pubmed.ncbi.nlm.nih.gov/{self.pmid}/"
        return self.url if self.url.startswith(("https://", "http://")) else ""


NOWHERE = Source()
"""The source of what needs none: a schedule that is the regimen's own, an answer about no label."""


@dataclass(frozen=True)
class Review:
    """A clinical approval of one entry: by which role, on which day."""

    role: str
    on: str


@dataclass(frozen=True)
class Condition:
    """A node of a declarative condition: ``all``/``any``/``not`` over children, or one leaf."""

    op: str  # "all", "any", "not", or the leaf's name
    children: tuple[Condition, ...] = ()
    argument: Any = None  # leaf only: as written in the file


REGIONS = ("EMA", "FDA")
"""Whose labels can count; settings.py names them once more, as a type."""

DEFAULT = "default"
"""The pathway that is asked where nobody names one."""

Limit = tuple[str, float]
"""How a condition limits a number: ("at_least", 30.0)."""

LIMITS: Mapping[str, Callable[[float, float], bool]] = {
    "exactly": operator.eq,
    "at_least": operator.ge,
    "at_most": operator.le,
    "over": operator.gt,
    "under": operator.lt,
}


def within(value: float, limits: Mapping[str, float]) -> bool:
    """Whether a number keeps all limits, by the names that conditions use."""
    return all(LIMITS[name](value, limit) for name, limit in limits.items())


@dataclass(frozen=True)
class Drug:
    """One drug of mappings/drugs."""

    key: str
    name: Text
    classes: tuple[str, ...]
    role: str  # "anti-myeloma", "steroid", "supportive", or "unidentified": a trial drug, cells unnamed
    dose_interval_days: int  # longest usual gap between doses; "while on" lasts until the next would be due
    one_off: bool = False  # CAR-T: a single infusion is a complete treatment
    order_codes: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # system name -> (code, display)

    @property
    def treats_myeloma(self) -> bool:
        """Whether it makes lines and is judged for choosing: steroids and supportive drugs do not."""
        return self.role in ("anti-myeloma", "unidentified")

    @property
    def is_steroid(self) -> bool:
        """Whether it is a steroid: given with many regimens, never a line, never a reason against one."""
        return self.role == "steroid"

    @property
    def unidentified(self) -> bool:
        """Whether it stands for treatment of which the chart does not say what it was."""
        return self.role == "unidentified"

    def is_of(self, drug_class: DrugClass) -> bool:
        """Whether it belongs to the class, or to one of the classes this is the union of."""
        return not {drug_class.key, *drug_class.union_of}.isdisjoint(self.classes)


@dataclass(frozen=True)
class DrugClass:
    """A class of drugs, and whether refractoriness to one member excludes the others."""

    key: str
    name: Text
    carries_over: bool
    counts: bool  # counts as a class for double/triple/penta labels and makes lines
    union_of: tuple[str, ...] = ()  # BCMA: its three kinds
    modality: str = ""  # "ADC", "CAR-T", "BsAb" of an agent against a target
    source: Source = Source()
    plural: Text | None = None  # its members together, in words


@dataclass(frozen=True)
class Dose:
    """One row of a regimen's schedule, exactly as far as the source gives it."""

    drug: str
    amount: float | None
    amount_text: str  # the source's words where it is no single number
    unit: str
    route: str
    days: tuple[int, ...]  # days of the cycle; empty where the source has no plain list
    days_text: str
    cycles: str
    alternative: bool = False  # another formulation or schedule than the first
    step_up: bool = False
    regions: tuple[str, ...] = ()  # empty: both
    when: Condition | None = None  # for whom it stands instead of the drug's rows without a condition


@dataclass(frozen=True)
class Label:
    """What one region's label says of a regimen, in one formulation, over one span of time."""

    region: str
    status: str  # authorised, authorised-conditional, accelerated, frontline-only, positive-opinion,
    #              withdrawn, refused, not-labelled, off-label, investigational, not-seen
    since: str  # "", "2021" or "2021-03-31": partial dates stay partial
    until: str
    when: Condition | None  # gates; None: no gate beyond status
    formulation: str
    source: Source
    text: Text | None = None  # the gate in words


@dataclass(frozen=True)
class Caution:
    """What to mind with one drug: always, or where ``when`` holds. ``bars`` excludes instead of warning."""

    drug: str
    concept: str
    when: Condition | None
    bars: bool
    text: Text
    source: Source
    weighs: bool = True  # False: minded and gone on with, no reason to put the regimen behind its equals


@dataclass(frozen=True)
class Advice:
    """Prophylaxis, screening, monitoring or supervision that goes with one drug."""

    drug: str
    kind: str  # as in component.schema.json: "zoster-prophylaxis", "blood-group", "rems" ...
    regions: tuple[str, ...]  # empty: both
    when: Condition | None  # whom it concerns; None: everybody
    text: Text
    source: Source


@dataclass(frozen=True)
class DoseAdjustment:
    """A lower starting dose of one drug where ``when`` holds, instead of the regimen's own."""

    id: str
    drug: str
    when: Condition
    amount: float
    unit: str
    days_text: str  # "": the regimen's days stay
    text: Text
    source: Source


@dataclass(frozen=True)
class Component:
    """One file of pathways/drugs: everything to mind with one drug."""

    drug: str
    cautions: tuple[Caution, ...]
    advice: tuple[Advice, ...]
    adjustments: tuple[DoseAdjustment, ...]
    last_checked: str = ""
    reviewed: tuple[Review, ...] = ()


@dataclass(frozen=True)
class Regimen:
    """Drugs given together by plan."""

    key: str
    display: str
    name: str
    abbreviations: tuple[str, ...]
    components: tuple[str, ...]  # drug keys, the defining one first
    supporting: tuple[str, ...]  # lymphodepletion and the like: named in the note, never ordered
    cycle: str
    doses: tuple[Dose, ...]
    dose_source: Source
    labels: tuple[Label, ...]
    burden: Text
    burden_in_short: Text  # for a table: a few words of the same
    notes: tuple[Text, ...]
    history_only: bool = False  # names a line of a chart; no rule may suggest it
    no_rule: str = ""  # why no rule speaks for it, where none does
    sources: tuple[Source, ...] = ()  # where the regimen itself is told of
    last_checked: str = ""
    reviewed: tuple[Review, ...] = ()


@dataclass(frozen=True)
class EvidenceResult:
    """The figures for one population of a trial row, and the sentence a card shows for it."""

    population: Text
    when: Condition | None  # the patient this population resembles; None: all of the row's patients
    headline: Text


@dataclass(frozen=True)
class EvidenceConflict:
    """Sources that clash over a figure of one trial row; ``says`` None: no answer shows it, ``silent`` why.

    A conflict that several rows share says the same in each: an answer that shows them needs it once.
    """

    id: str
    text: str
    use: str  # the value or reading used here
    why: str
    says: Text | None = None
    silent: str = ""


@dataclass(frozen=True)
class Evidence:
    """One trial population of pathways/evidence; a figure without its population is a wrong figure.

    ``results`` stand most specific first; the first whose ``when`` holds is the one to show. ``when`` of
    the whole row says whom its patients resemble (None: nobody in particular).
    """

    id: str
    trial: str
    regimen: str
    control: str
    when: Condition | None
    results: tuple[EvidenceResult, ...]
    data: Mapping[str, Any]  # the whole file as loaded
    source: Source
    conflicts: tuple[EvidenceConflict, ...] = ()
    os_significant: str = "not-reported"  # overall survival: yes, no, nominal (a p-value outside the plan)
    reviewed: tuple[Review, ...] = ()


@dataclass(frozen=True)
class Target:
    """Regimens by key in the source's own order, or by what they contain (``regimens`` has those then)."""

    regimens: tuple[str, ...] = ()
    containing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remark:
    """A sentence about the state as a whole, where ``when`` holds (None: wherever its rule does)."""

    when: Condition | None
    text: Text


@dataclass(frozen=True)
class Rule:
    """One rule of one published source."""

    id: str
    pathway: str  # id of the source file
    when: Condition
    verb: str  # one of VERBS
    target: Target  # of "order": those that stand first
    because: Text
    source: Source
    effective_from: date
    effective_to: date | None
    position: int  # place in the source's own order
    then: Target = Target()  # of "order": those that stand behind
    remarks: tuple[Remark, ...] = ()
    tempered_by: tuple[str, ...] = ()  # conflicts for which the composed pathway asks more than the source
    newer: bool = False  # of options labelled after the source they stand beside was written
    last_checked: str = ""
    reviewed: tuple[Review, ...] = ()


@dataclass(frozen=True)
class Statement:
    """A statement of a source that is no rule about regimens; ``lives`` says what does it instead."""

    id: str
    pathway: str
    why: str
    lives: tuple[str, ...]
    source: Source
    last_checked: str = ""
    reviewed: tuple[Review, ...] = ()


@dataclass(frozen=True)
class Conflict:
    """Two sources that clash, and what is done about it; no answer shows it where ``says`` is None."""

    id: str
    clash: str
    evidence: str
    handling: str
    lives: tuple[str, ...]
    when: Condition | None
    touches: tuple[str, ...]  # regimens; empty: whatever is suggested
    left_out: bool  # also where a rule speaks for one of them that is not suggested
    says: Text | None
    silent: str
    source: Source
    last_checked: str = ""
    reviewed: tuple[Review, ...] = ()


@dataclass(frozen=True)
class Gate:
    """Something every regimen has to pass, in every pathway."""

    id: str
    check: str
    text: Text
    source: Source
    reviewed: tuple[Review, ...] = ()


@dataclass(frozen=True)
class HardStop:
    """What no rule overrides in silence: a ``check``, or what it ``excludes`` where ``when`` holds."""

    id: str
    code: str  # reason code of the interface
    text: Text
    source: Source
    check: str = ""
    excludes: tuple[str, ...] = ()  # drugs or classes
    regimens: tuple[str, ...] = ()  # those with one of them as a component
    when: Condition | None = None
    last_checked: str = ""
    reviewed: tuple[Review, ...] = ()


@dataclass(frozen=True)
class Gap:
    """A state for which nothing is suggested, knowingly."""

    id: str
    when: Condition
    because: Text
    source: Source
    last_checked: str = ""
    reviewed: tuple[Review, ...] = ()


@dataclass(frozen=True)
class Site:
    """What is to be had in one hospital: keys of regimens and drugs that are not, and whether CAR-T is."""

    not_available: Mapping[str, Text | None] = field(default_factory=dict)
    car_t: str = "unknown"  # available, unavailable, unknown


@dataclass(frozen=True)
class Pathway:
    """One source's opinion whole, or a composition of several (``default``)."""

    id: str
    title: Text
    sources: tuple[str, ...]  # ids of sequencing files, in order of precedence
    rules: tuple[Rule, ...]
    cited: Source
    statements: tuple[Statement, ...] = ()
    unreviewed: bool = False  # its publisher says that nobody has reviewed it: never the default
    reviewed: tuple[Review, ...] = ()

    @property
    def composed(self) -> bool:
        """Whether it puts several sources together."""
        return self.sources != (self.id,)


@dataclass(frozen=True)
class KnowledgeVersion:
    """Which knowledge made an answer."""

    version: str
    sha256: str
    effective: str


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Everything the service knows, loaded once at start and never changed.

    Each is equal to itself alone, so that what is worked out of one can be kept with it.
    """

    version: KnowledgeVersion
    drugs: Mapping[str, Drug]
    classes: Mapping[str, DrugClass]
    regimens: Mapping[str, Regimen]
    components: Mapping[str, Component]  # what to mind with a drug, by drug
    evidence: Mapping[str, Evidence]
    pathways: Mapping[str, Pathway]
    definitions: Mapping[str, Any]  # pathways/definitions/*.yaml by file stem, as loaded
    mappings: Mapping[str, Any]  # the other files of mappings/, by name without suffix, as loaded
    drug_files: Mapping[str, Any]  # mappings/drugs/*.yaml as loaded, for the terminology
    cards: Mapping[str, Any]  # cards/*.yaml as loaded
    gates: tuple[Gate, ...] = ()
    hard_stops: tuple[HardStop, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    gaps: tuple[Gap, ...] = ()  # states for which nothing is suggested, knowingly
    site: Site = Site()
    coverage: Mapping[str, Any] = field(default_factory=dict)  # ids of the evidence tables, as loaded
    situations: Mapping[str, Any] = field(default_factory=dict)  # states a clinician should read, as loaded
    state_space: Mapping[str, Any] = field(default_factory=dict)  # which states are walked, as loaded
    untranslated: tuple[str, ...] = ()  # texts still lacking a translation

    def cautions(self, drug: str) -> tuple[Caution, ...]:
        """What to mind with the drug; nothing where no file says anything."""
        component = self.components.get(drug)
        return component.cautions if component else ()

    def gives_cells(self, regimen: Regimen) -> bool:
        """Whether it is made of CAR-T cells."""
        return any(
            self.classes[name].modality == "CAR-T"
            for key in regimen.components
            for name in self.drugs[key].classes
        )

    def any_of(self, drugs: Iterable[str], keys: Iterable[str]) -> bool:
        """Whether one of ``drugs`` is one of ``keys``, or belongs to a class among them."""
        return any_of(drugs, keys, self.drugs, self.classes)


def any_of(
    chosen: Iterable[str],
    keys: Iterable[str],
    drugs: Mapping[str, Drug],
    classes: Mapping[str, DrugClass],
) -> bool:
    """Whether one of the drugs ``chosen`` is one of ``keys``, or belongs to a class among them."""
    wanted = frozenset(keys)
    of = [classes[key] for key in wanted if key in classes]
    return any(
        drug in wanted or (drug in drugs and any(drugs[drug].is_of(one) for one in of)) for drug in chosen
    )
