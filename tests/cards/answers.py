"""Hand-made states, recommendations and drafts for the tests of the cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from cds_service.knowledge.types import Text
from cds_service.patient.types import (
    Certainty,
    ClassState,
    DiagnosisState,
    DrugState,
    Line,
    PatientState,
    Status,
    Unknown,
)
from cds_service.record import ClinicalRecord, DateSpan, DrugFact, Given, PatientFacts, Response
from cds_service.sequencing.types import (
    CautionShown,
    Conflict,
    LabelStatus,
    NotSuggested,
    Reason,
    Recommendation,
    Suggested,
)

AS_OF = date(2026, 3, 1)
FIVE = ("s-vd", "p-vd", "kd", "bela-pd", "bela-vd")


def first_relapse(
    refractory: Sequence[str] = ("daratumumab", "lenalidomide"),
    *,
    labels: Sequence[str] = ("first-relapse", "double-refractory:anti-CD38+IMiD"),
    prior_lines: int | None = 1,
    certainty: Certainty = Certainty.DOCUMENTED,
    **more: Any,
) -> PatientState:
    """A woman of 74 with a relapse, refractory to ``refractory``, on dexamethasone too."""
    drugs = {
        key: DrugState(
            key,
            Status.REFRACTORY,
            certainty,
            f"{key}: the disease progressed on 2026-02-10.",
            DateSpan.on("2022-01-10"),
            DateSpan.on("2026-02-01"),
            derived_from=("Observation/o4",),
        )
        for key in (*refractory, "dexamethasone")
    }
    values: dict[str, Any] = {
        "as_of": AS_OF,
        "diagnosis": DiagnosisState(
            "active", "multiple-myeloma", DateSpan.on("2026-02-10"), ("Condition/c1", "Observation/o4")
        ),
        "needs_treatment_choice": True,
        "prior_lines": prior_lines,
        "lines": (
            Line(
                1,
                DateSpan.on("2022-01"),
                DateSpan.on("2026-02-01"),
                ("daratumumab", "lenalidomide", "dexamethasone"),
                "d-rd",
                False,
                Response.VGPR,
                DateSpan.on("2026-02-10"),
                "first-treatment",
                "progression",
                Certainty.DOCUMENTED,
                ("MedicationStatement/m1",),
            ),
        ),
        "drugs": drugs,
        "classes": {"IMiD": ClassState("IMiD", Status.REFRACTORY), "PI": ClassState("PI", Status.NAIVE)},
        "labels": tuple(labels),
        "age": 74,
        "ecog": 1,
        "unknown": (Unknown("ecog", "the ECOG performance status"),),
    }
    return PatientState(**(values | more))


_HEADLINES = {"BOSTON-LENREF": Text("BOSTON, lenalidomide-refractory: median PFS 10.2 vs 7.1 months")}


def suggested(
    regimen: str,
    rank: int,
    *,
    because: str = "Double-refractory to daratumumab and lenalidomide.",
    rules: Sequence[str] = ("BAR-19",),
    evidence: Sequence[str] = ("BOSTON-LENREF",),
    cautions: Sequence[CautionShown] = (),
    recommended: bool = False,
    region: str = "EMA",
) -> Suggested:
    return Suggested(
        regimen,
        rank,
        "prefer",
        LabelStatus(region, "within", Text("authorised", "autorizzato"), "authorised"),
        tuple(rules),
        tuple(evidence),
        tuple(cautions),
        Text(because),
        recommended,
        headlines=tuple(_HEADLINES.get(key, Text(f"figure of {key}")) for key in evidence),
    )


def recommending(*regimens: str, region: str = "EMA", **more: Any) -> Recommendation:
    entries = tuple(suggested(key, n, recommended=n == 1, region=region) for n, key in enumerate(regimens, 1))
    reasons = (
        Reason(
            "refractory-component",
            Text("contains lenalidomide", "contiene lenalidomide"),
            ("Observation/o4",),
        ),
    )
    return Recommendation(region, "default", entries, (NotSuggested("d-rd", reasons),), **more)


def draft(drug: str, reference: str, text: str = "", *, selected: bool = True) -> DrugFact:
    return DrugFact(reference, drug, Given.DRAFT, text, selected=selected)


def chart(*drafts: DrugFact, **more: Any) -> ClinicalRecord:
    patient = PatientFacts("p1", DateSpan.on("1951-04-02"), "female")
    return ClinicalRecord(patient=patient, drafts=tuple(sorted(drafts)), **more)


def clash(
    drug: str, reference: str, *, critical: bool = False, code: str = "refractory-component"
) -> Conflict:
    text = Text(
        f"{drug} ordered; the disease is refractory to it (documented).",
        f"Prescrizione di {drug}: malattia refrattaria al farmaco (documentata).",
    )
    if critical:
        text = Text(
            f"{drug} ordered; an allergy to it is charted.",
            f"Prescrizione di {drug}: è registrata un'allergia.",
        )
    return Conflict(drug, reference, critical, code, text, "" if critical else "documented")


def assert_nothing_empty(node: object, place: str = "") -> None:
    """No null and no empty member anywhere, as CDS Hooks asks."""
    if isinstance(node, Mapping):
        assert node or not place, f"{place} is empty"
        for key, value in node.items():
            assert_nothing_empty(value, f"{place}/{key}")
    elif isinstance(node, list):
        assert node, f"{place} is empty"
        for number, value in enumerate(node):
            assert_nothing_empty(value, f"{place}/{number}")
    else:
        assert node is not None and node != "", f"{place} is null or empty"
