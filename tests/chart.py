"""Short words to write a chart's facts in a table: given("lenalidomide", "2022-01-10", "2024-02-01", ...)."""

from __future__ import annotations

import itertools

from cds_service.record import (
    ClinicalRecord,
    DateSpan,
    DiagnosisFact,
    DiagnosisStatus,
    DrugFact,
    Given,
    PatientFacts,
    PlanFact,
    PlanSays,
    ProcedureFact,
    Purpose,
    Response,
    ResponseFact,
    StopReason,
)

_number = itertools.count(1)


def on(charted: str | None) -> DateSpan | None:
    return DateSpan.on(charted) if charted else None


def given(
    drug: str,
    first: str | None,
    last: str | None = None,
    stop: str = "unknown",
    *,
    ongoing: bool = False,
    purpose: str | None = None,
    line: int | None = None,
    ordered: bool = False,
    reference: str = "",
    dose: str = "",
    route: str = "",
) -> DrugFact:
    """One MedicationStatement's worth: ``last`` None and not ongoing means stopped on an unrecorded day."""
    return DrugFact(
        reference=reference or f"MedicationStatement/{drug}-{first}-{last}-{next(_number)}",
        drug=drug,
        given=Given.ORDERED if ordered else Given.GIVEN,
        first_dose=on(first),
        last_dose=on(last),
        ongoing=ongoing,
        stop_reason=StopReason(stop),
        purpose=Purpose(purpose) if purpose else None,
        line_number=line,
        dose=float(dose.split()[0]) if dose else None,
        dose_unit=dose.split()[1] if dose else "",
        route=route,
    )


def regimen(drugs: str, first: str, last: str | None = None, stop: str = "unknown", **more) -> list[DrugFact]:
    """Several drugs over the same interval: regimen("daratumumab lenalidomide dexamethasone", ...)."""
    return [given(drug, first, last, stop, **more) for drug in drugs.split()]


def response(category: str, day: str | None) -> ResponseFact:
    """ "PR", "CR" ... or "PD", or "refractory" for the bare word."""
    reference = f"Observation/{category}-{day}"
    if category == "refractory":
        return ResponseFact(reference, on(day), no_response=True)
    return ResponseFact(reference, on(day), Response(category), progression=category == "PD")


def procedure(kind: str, day: str, drug: str = "") -> ProcedureFact:
    return ProcedureFact(f"Procedure/{kind}-{day}", kind, on(day), drug)


def plan(
    what: str, said: str | None, says: str = "planned", *, on_day: str = "", of_t_cells: bool | None = None
) -> PlanFact:
    """ "apheresis", "car-t" or "transplant"; of T cells, unless it is a transplant or said otherwise."""
    kinds = {"apheresis": "leukapheresis", "car-t": "cart-infusion", "transplant": "autologous-sct"}
    return PlanFact(
        f"ServiceRequest/{what}-{said}-{says}-{on_day}",
        what,
        PlanSays(says),
        on(said),
        on(on_day),
        kinds[what],
        what != "transplant" if of_t_cells is None else of_t_cells,
    )


def myeloma(status: str = "active", onset: str | None = None, recorded: str | None = None) -> DiagnosisFact:
    return DiagnosisFact(
        f"Condition/{status}-{onset}-{recorded}",
        "multiple-myeloma",
        DiagnosisStatus(status),
        onset=on(onset),
        recorded=on(recorded),
    )


def chart(*facts, born: str = "1955-05-05", **more) -> ClinicalRecord:
    """A record of these facts; lists among them are flattened; a myeloma diagnosis is there unless given."""
    flat = [f for fact in facts for f in (fact if isinstance(fact, list) else [fact])]

    def of(kind):
        return tuple(sorted((f for f in flat if isinstance(f, kind)), key=lambda f: f.reference))

    return ClinicalRecord(
        patient=PatientFacts("p1", on(born), "female"),
        drugs=of(DrugFact),
        diagnoses=of(DiagnosisFact) or (myeloma(),),
        responses=of(ResponseFact),
        procedures=of(ProcedureFact),
        plans=of(PlanFact),
        **more,
    )
