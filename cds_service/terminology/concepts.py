"""What goes into the terminology and what comes out: codings as charted, matches in our own words."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.record import DiagnosisStatus, Response


@dataclass(frozen=True)
class Coding:
    """One code as charted; ``system`` is any URI or OID variant, or "" where the chart gives none."""

    system: str
    code: str
    display: str = ""


@dataclass(frozen=True)
class Concept:
    """Codes and words that a chart gives for one thing."""

    codings: tuple[Coding, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class DrugMatch:
    """One drug that a medication names.

    ``how`` is "code", "display", "text" or "regimen"; ``route`` "PO", "IV", "SC" or "" where the code does
    not tell; ``regimen`` the key of the regimen whose name was expanded. ``doubt`` is a sentence for the
    reader of the assessment, or "".
    """

    drug: str
    route: str = ""
    how: str = "code"
    confidence: str = "verified2"
    regimen: str = ""
    doubt: str = ""


@dataclass(frozen=True)
class NotRead:
    """What of a medication's words was not understood.

    ``may_be`` are drugs whose names are off by a letter or two; ``likely`` says whether the words may well
    stand for a treatment of the myeloma.
    """

    words: tuple[str, ...] = ()
    may_be: tuple[str, ...] = ()
    likely: bool = False


@dataclass(frozen=True)
class DiagnosisMatch:
    """A plasma-cell disorder; ``status`` None where neither code nor words tell where it stands."""

    kind: str
    status: DiagnosisStatus | None = None
    doubt: str = ""


@dataclass(frozen=True)
class ResponseMatch:
    """A response or disease status. ``progression`` covers relapse, whose ``category`` stays None."""

    category: Response | None = None
    progression: bool = False
    no_response: bool = False
    trend: str = ""
    doubt: str = ""
    refractory_to: tuple[str, ...] = ()  # drugs that the words name; (): the disease as it is then treated


@dataclass(frozen=True)
class ObservationMatch:
    """What was observed, and the unit its values are turned into ("" for coded results)."""

    concept: str
    unit: str = ""
    doubt: str = ""


@dataclass(frozen=True)
class ProcedureMatch:
    """A kind of procedure, and the drug it gave where the code names one."""

    kind: str
    drug: str = ""
    doubt: str = ""


@dataclass(frozen=True)
class PlanMatch:
    """A procedure to come. ``plan`` is "apheresis", "car-t" or "transplant".

    ``of_t_cells``: it is done for CAR-T alone, by its kind or its words.
    """

    kind: str
    plan: str
    of_t_cells: bool = False
    drug: str = ""
    doubt: str = ""


@dataclass(frozen=True)
class ComorbidityMatch:
    """A comorbidity; ``severity`` "grade-3", "NYHA-III", "stage-3b", "mild", "moderate", "severe" or "".

    ``present`` False: the chart says that the patient does not have it.
    """

    concept: str
    severity: str = ""
    doubt: str = ""
    present: bool = True
