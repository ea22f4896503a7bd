"""The whole answer as the public JSON: what `POST /api/v1/assess` and the command line give.

Its shape is cds_service/knowledge/schemas/assessment.schema.json. A member whose value is not known is left
out; ``prior_lines`` alone is always there, null where the number cannot be told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from cds_service.knowledge.types import KnowledgeVersion
from cds_service.patient.types import DrugState, Line, PatientState
from cds_service.record import ClinicalRecord, Issue, Measurement
from cds_service.sequencing.types import (
    AdviceShown,
    CautionShown,
    DoseShown,
    NotSuggested,
    Recommendation,
    Suggested,
    Undecided,
)

_OUTCOME = {True: "true", False: "false", None: "unknown"}


def to_json(
    *,
    region: str,
    pathway: str,
    as_of: date,
    version: KnowledgeVersion,
    record: ClinicalRecord,
    state: PatientState,
    recommendation: Recommendation,
    cards: Sequence[Mapping[str, Any]],
    issues: Iterable[Issue],
    language: str = "en",
    trace: bool = False,
) -> dict[str, Any]:
    """The assessment as one JSON object; dates with the precision they have in the chart.

    With ``trace``, every gate and rule asked of every regimen, with its outcome.
    """
    patient = record.patient
    return {
        "patient": _known(
            id=patient.id, birthDate=str(patient.birth) if patient.birth else "", sex=patient.sex
        ),
        "as_of": as_of.isoformat(),
        "region": region,
        "pathway": pathway,
        "knowledge": {
            "version": version.version,
            "sha256": version.sha256,
            "effective": version.effective,
        },
        "state": _state(state),
        "recommendation": _recommendation(recommendation, language, trace),
        "cards": list(cards),
        "issues": [
            {"severity": issue.severity.value, "code": issue.code, "text": issue.text}
            | _known(where=issue.where)
            for issue in issues
        ],
    }


def _known(**members: object) -> dict[str, Any]:
    """The members that are known: neither None nor empty text."""
    return {key: value for key, value in members.items() if value is not None and value != ""}


def _state(state: PatientState) -> dict[str, Any]:
    diagnosis = state.diagnosis
    return {
        "diagnosis": {
            "status": diagnosis.status,
            "kind": diagnosis.kind,
            **_known(relapse=str(diagnosis.relapse) if diagnosis.relapse else ""),
            "derived_from": list(diagnosis.derived_from),
        },
        "needs_treatment_choice": state.needs_treatment_choice,
        "prior_lines": state.prior_lines,
        "lines_of_therapy": [_line(line) for line in state.lines],
        "drugs": {key: _drug(state.drugs[key]) for key in sorted(state.drugs)},
        "classes": {
            key: {"status": own.status.value, "derived_from": list(own.derived_from)}
            for key, own in sorted(state.classes.items())
        },
        "labels": list(state.labels),
        "label_reasons": {
            key: {
                "because": reason.because,
                **_known(threshold=reason.threshold),
                "derived_from": list(reason.derived_from),
            }
            for key, reason in state.label_reasons.items()
        },
        "targets": _targets(state),
        "purposes": [
            {
                "drug": decision.drug,
                "purpose": decision.purpose.value,
                "certainty": decision.certainty.value,
                "because": decision.because,
                "derived_from": list(decision.derived_from),
            }
            for decision in state.purposes
        ],
        **_known(treatment_free_months=state.treatment_free_months),
        "progressions": [
            {
                **_known(date=str(own.on) if own.bounded else ""),
                "trust": own.trust,
                "certainty": own.certainty.value,
                "because": own.because,
                "derived_from": list(own.derived_from),
            }
            for own in state.progressions
        ],
        "relapse_signs": [
            {
                "kind": own.kind,
                "date": str(own.on),
                "because": own.because,
                "derived_from": list(own.derived_from),
            }
            for own in state.relapse_signs
        ],
        "fitness": _fitness(state),
        "comorbidities": [
            {
                "concept": fact.concept,
                **_known(severity=fact.severity),
                **({} if fact.active else {"active": False}),
                "derived_from": [fact.reference],
            }
            for fact in state.comorbidities
        ],
        "ruled_out": {key: list(state.ruled_out[key]) for key in sorted(state.ruled_out)},
        "biology": dict(sorted(state.biology.items())),
        "labs": {_lab_name(key, own): _lab(own) for key, own in sorted(state.labs.items())},
        **(
            {"planned": {key: list(by) for key, by in sorted(state.planned.items())}} if state.planned else {}
        ),
        **(
            {"car_t": {"status": state.car_t, "derived_from": list(state.car_t_from)}}
            if state.car_t != "unknown"
            else {}
        ),
        **(
            {
                "asserted": [
                    {
                        "what": own.what,
                        "value": int(own.value) if own.value.isdigit() else own.value,
                        "on": own.on.isoformat(),
                        "reference": own.reference,
                        "in_force": own.in_force,
                        "because": own.because,
                    }
                    for own in state.asserted
                ]
            }
            if state.asserted
            else {}
        ),
        "unknown": [
            {
                "what": unknown.what,
                "would_settle": unknown.would_settle,
                "changes_suggestions": unknown.changes_suggestions,
            }
            for unknown in state.unknown
        ],
    }


def _targets(state: PatientState) -> dict[str, list[dict[str, Any]]]:
    told: dict[str, list[dict[str, Any]]] = {}
    for own in state.targets:
        told.setdefault(own.target, []).append(
            {
                "modality": own.modality,
                "drug": own.drug,
                **_known(last=str(own.last) if own.last else ""),
                "ongoing": own.ongoing,
                "stop_reason": own.stop_reason.value,
                **_known(best_response=own.best_response.value if own.best_response else ""),
                "status": own.status.value,
                "derived_from": list(own.derived_from),
            }
        )
    return told


def _fitness(state: PatientState) -> dict[str, Any]:
    """Age, performance status, frailty with its reason, and what is known of kidneys, viruses, pregnancy."""
    own = state.fitness
    statuses = {
        "hepatitis_b": own.hepatitis_b,
        "hiv": own.hiv,
        "pregnancy_potential": own.pregnancy_potential,
    }
    return {
        **_known(age=state.age, ecog=state.ecog),
        **({} if state.ecog is None else {"ecog_certainty": own.ecog_certainty.value}),
        **_known(karnofsky=own.karnofsky),
        "frailty": state.frailty,
        **_known(frailty_score=own.frailty_score),
        **({"frailty_at_least": True} if own.frailty_at_least else {}),
        **({"frailty_missing": list(own.frailty_missing)} if own.frailty_missing else {}),
        **({} if state.frailty == "unknown" else {"frailty_certainty": own.frailty_certainty.value}),
        **_known(frailty_because=own.frailty_because),
        **({"frailty_derived_from": list(own.frailty_from)} if own.frailty_from else {}),
        **(
            {"frailty_charted": [{"text": text, "derived_from": [by]} for text, by in own.frailty_charted]}
            if own.frailty_charted
            else {}
        ),
        **_known(renal_function=own.renal_function),
        **{key: status for key, status in statuses.items() if status != "unknown"},
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "number": line.number,
        **_known(
            start=str(line.start) if line.start else "",
            end=str(line.end) if line.end else "",
        ),
        "drugs": list(line.drugs),
        **_known(regimen=line.regimen),
        "transplant": line.transplant,
        **_known(
            best_response=line.best_response.value if line.best_response else "",
            progression=str(line.progression) if line.progression else "",
            months_to_progression=line.months_to_progression,
        ),
        "starts_because": line.starts_because,
        "ends_because": line.ends_because,
        "certainty": line.certainty.value,
        "derived_from": list(line.derived_from),
    }


def _drug(drug: DrugState) -> dict[str, Any]:
    return {
        "status": drug.status.value,
        "certainty": drug.certainty.value,
        **_known(first=str(drug.first) if drug.first else "", last=str(drug.last) if drug.last else ""),
        **_known(months_on=drug.months_on, months_since_last=drug.months_since_last),
        "intolerant": drug.intolerant,
        "because": drug.because,
        "derived_from": list(drug.derived_from),
    }


def _lab_name(concept: str, measurement: Measurement) -> str:
    """The concept with its unit: "creatinine_clearance_ml_min"."""
    unit = measurement.unit.replace("%", "percent")
    words = re.findall(r"[a-z0-9]+", f"{concept} {unit}".casefold())
    return "_".join(words)


def _lab(measurement: Measurement) -> dict[str, Any]:
    known = _known(
        value=measurement.value,
        text=measurement.text,
        date=str(measurement.on) if measurement.on else "",
    )
    return known | ({"estimated": True} if measurement.concept == "egfr" else {})


def _recommendation(recommendation: Recommendation, language: str, trace: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "suggested": [_suggested(entry, language) for entry in recommendation.suggested],
        "not_suggested": [_not_suggested(entry, language) for entry in recommendation.not_suggested],
        "disagreements": [
            {"id": one.id, "text": one.text.in_language(language)}
            | ({"regimens": list(one.regimens)} if one.regimens else {})
            for one in recommendation.disagreements
        ],
        "clinically_reviewed": recommendation.clinically_reviewed,
    }
    if recommendation.unreviewed_source:
        told["unreviewed_source"] = True
    if recommendation.nothing_because is not None:
        key, because = recommendation.nothing_because
        told["nothing_because"] = {"id": key, "text": because.in_language(language)}
    if recommendation.remarks:
        told["remarks"] = [_caution(remark, language) for remark in recommendation.remarks]
    told["undecided"] = [_undecided(one, language) for one in recommendation.undecided]
    if trace:
        told["trace"] = [
            {"regimen": step.regimen, "step": step.step, "outcome": _OUTCOME[step.outcome.value]}
            | ({"missing": list(step.outcome.missing)} if step.outcome.missing else {})
            | ({"derived_from": list(step.outcome.derived_from)} if step.outcome.derived_from else {})
            for step in recommendation.trace
        ]
    return told


def _undecided(one: Undecided, language: str) -> dict[str, Any]:
    """A datum that would decide, and what would be suggested were it known to be so, or so."""
    return {
        "what": one.datum,
        "text": one.text.in_language(language),
        "changes_suggestions": one.changes_suggestions,
        "steps": list(one.steps),
        "regimens": list(one.regimens),
        "worlds": [
            {"if": world.settled, "adds": list(world.adds), "removes": list(world.removes)}
            | ({"first": world.suggested[0]} if world.suggested else {})
            for world in one.worlds
        ],
    }


def _suggested(entry: Suggested, language: str) -> dict[str, Any]:
    label = entry.label
    return {
        "regimen": entry.regimen,
        "rank": entry.rank,
        "strength": entry.strength,
        "recommended": entry.recommended,
        **({"newer": True} if entry.newer else {}),
        "label": {
            "region": label.region,
            "status": label.status,
            **_known(
                kind=label.kind,
                text=label.text.in_language(language),
                formulation=label.formulation,
                since=label.since,
                mark=label.source.mark,
                source=label.source.document,
            ),
        },
        "rules": list(entry.rules),
        "evidence": list(entry.evidence),
        "cautions": [_caution(caution, language) for caution in entry.cautions],
        "doses": [_dose_shown(one, language) for one in entry.doses],
        "advice": [_advice(one, language) for one in entry.advice],
        "because": entry.because.in_language(language),
        **({"unknown": list(entry.unknown)} if entry.unknown else {}),
    }


def _dose_shown(one: DoseShown, language: str) -> dict[str, Any]:
    """The schedule of one drug for this patient: its rows as the knowledge has them."""
    return {
        "drug": one.drug,
        "rows": [
            _known(
                amount=row.amount,
                amount_text=row.amount_text,
                unit=row.unit,
                route=row.route,
                days_text=row.days_text,
                cycles=row.cycles,
            )
            | ({"days": list(row.days)} if row.days else {})
            | ({"step_up": True} if row.step_up else {})
            for row in one.rows
        ],
        **_known(
            variant=one.variant,
            because=one.because.in_language(language) if one.because else "",
            source=one.source.document,
            mark=one.source.mark,
        ),
        **({"depends_on": list(one.depends_on)} if one.depends_on else {}),
        "derived_from": list(one.derived_from),
    }


def _advice(one: AdviceShown, language: str) -> dict[str, Any]:
    """Advice with its source; what was recalled and not seen says that the label is to be read again."""
    return {
        "kind": one.kind,
        "text": one.text.in_language(language),
        **_known(drug=one.drug, rule=one.rule, source=one.source.document, mark=one.source.mark),
        **({"recheck": True} if one.source.to_recheck else {}),
        "derived_from": list(one.derived_from),
    }


def _caution(caution: CautionShown, language: str) -> dict[str, Any]:
    return {
        "concept": caution.concept,
        "text": caution.text.in_language(language),
        **_known(drug=caution.drug),
        "concerns_patient": caution.concerns,
        "derived_from": list(caution.derived_from),
    }


def _not_suggested(entry: NotSuggested, language: str) -> dict[str, Any]:
    return {
        "regimen": entry.regimen,
        "reasons": [
            {
                "code": reason.code,
                "text": reason.text.in_language(language),
                "derived_from": list(reason.derived_from),
            }
            for reason in entry.reasons
        ],
    }
