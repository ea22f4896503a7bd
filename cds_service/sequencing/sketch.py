"""A patient's state drawn by hand, without a chart: for worked situations and for walking all states.

What a sketch does not say is as in a complete chart of an otherwise healthy patient with relapsed myeloma:
every other drug naive, the history known, progression on the last therapy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from cds_service.knowledge.types import Knowledge
from cds_service.patient.refractory import class_states
from cds_service.patient.types import (
    Certainty,
    DiagnosisState,
    DrugState,
    PatientState,
    Status,
    TargetExposure,
)
from cds_service.record import MYELOMA, ComorbidityFact, DateSpan, Measurement, StopReason

_SOME_TIME_AGO = 12
"""Months since the last dose of a drug given, where the sketch does not say."""


@dataclass(frozen=True)
class Given:
    """One drug of a sketch: its status, and how many months ago the last dose was."""

    status: Status
    months_ago: float = _SOME_TIME_AGO


@dataclass(frozen=True)
class Sketch:
    """A state in the words of the conditions; see pathways/state-space.yaml and pathways/situations.yaml."""

    drugs: Mapping[str, Given] = field(default_factory=dict)
    prior_lines: int | None = 1
    labels: tuple[str, ...] = ()
    has: tuple[tuple[str, str], ...] = ()  # concept, severity
    has_not: tuple[str, ...] = ()
    labs: Mapping[str, float] = field(default_factory=dict)
    biology: Mapping[str, str] = field(default_factory=dict)
    intolerant: tuple[str, ...] = ()
    allergic: tuple[str, ...] = ()
    age: int | None = 65
    ecog: int | None = 1
    sex: str = "female"
    transplant: bool = False
    months_to_first_progression: float | None = 30.0
    months_from_transplant_to_progression: float | None = None
    progressed_on_last: bool | None = True
    car_t: str = "unknown"
    planned: tuple[str, ...] = ()
    not_planned: tuple[str, ...] = ()
    due: bool = True


def sketch_of(raw: Mapping[str, Any]) -> Sketch:
    """A Sketch of its mapping in a knowledge file."""
    known = dict(raw)
    drugs = {}
    for key, said in known.pop("drugs", {}).items():
        status, months = (
            (said, _SOME_TIME_AGO) if isinstance(said, str) else (said["status"], said["months_ago"])
        )
        drugs[key] = Given(Status(status), months)
    has = tuple((one["concept"], one.get("severity", "")) for one in known.pop("has", ()))
    plain: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in known.items()
    }
    return Sketch(drugs=drugs, has=has, **plain)


def sketched(sketch: Sketch, knowledge: Knowledge, as_of: date) -> PatientState:
    """The state that a sketch draws, on one day."""
    month = knowledge.definitions["imwg"]["days_per_month"]
    drugs = {}
    for key in knowledge.drugs:
        given = sketch.drugs.get(key, Given(Status.NAIVE))
        last = as_of - timedelta(days=round(given.months_ago * month))
        span = DateSpan(last, last) if given.status is not Status.NAIVE else None
        drugs[key] = DrugState(
            key,
            given.status,
            Certainty.DOCUMENTED,
            "",
            span,
            span,
            derived_from=(f"Sketch/{key}",) if span else (),
        )
    lines = sketch.prior_lines
    labels = (*(("first-relapse",) if lines == 1 else ()), *sketch.labels)
    return PatientState(
        as_of=as_of,
        diagnosis=DiagnosisState("active", MYELOMA),
        needs_treatment_choice=sketch.due,
        prior_lines=lines,
        lines=(),
        drugs=drugs,
        classes=class_states(drugs, knowledge),
        labels=labels,
        targets=_targets(drugs, knowledge),
        progressed_on_last=sketch.progressed_on_last,
        first_remission_months=sketch.months_to_first_progression,
        months_to_progression_after_transplant=sketch.months_from_transplant_to_progression,
        transplants=("Sketch/transplant",) if sketch.transplant else (),
        age=sketch.age,
        sex=sketch.sex,
        ecog=sketch.ecog,
        comorbidities=tuple(
            ComorbidityFact(f"Sketch/{concept}", concept, severity=severity)
            for concept, severity in sketch.has
        ),
        ruled_out=dict.fromkeys(sketch.has_not, ("Sketch/denied",)),
        intolerant={key: (f"Sketch/intolerance-{key}",) for key in sketch.intolerant},
        allergic={key: (f"Sketch/allergy-{key}",) for key in sketch.allergic},
        biology=dict(sketch.biology),
        labs={
            key: Measurement(f"Sketch/{key}", key, DateSpan(as_of, as_of), value)
            for key, value in sketch.labs.items()
        },
        planned={
            **{kind: (f"Sketch/{kind}",) for kind in sketch.planned},
            **dict.fromkeys(sketch.not_planned, ()),
        },
        car_t=sketch.car_t,
        car_t_from=("Sketch/car-t",) if sketch.car_t != "unknown" else (),
    )


def _targets(drugs: Mapping[str, DrugState], knowledge: Knowledge) -> tuple[TargetExposure, ...]:
    found = []
    for target in knowledge.classes.values():
        for key in target.union_of:
            for drug, state in drugs.items():
                if state.last is not None and key in knowledge.drugs[drug].classes:
                    found.append(
                        TargetExposure(
                            target.key,
                            knowledge.classes[key].modality,
                            drug,
                            state.last,
                            False,
                            StopReason.UNKNOWN,
                            None,
                            state.status,
                            state.derived_from,
                        )
                    )
    return tuple(found)


def with_drug(sketch: Sketch, key: str, status: Status, months_ago: float = _SOME_TIME_AGO) -> Sketch:
    """The sketch with one drug in another state."""
    return replace(sketch, drugs={**sketch.drugs, key: Given(status, months_ago)})
