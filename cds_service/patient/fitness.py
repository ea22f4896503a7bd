"""Age, performance status, comorbidities and the latest laboratory values; the parts put together.

Frailty, cytogenetics, serology and the possibility of a pregnancy have files of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from cds_service.knowledge.wording import sentence
from cds_service.patient import frailty as frail
from cds_service.patient.biology import Biology, biology
from cds_service.patient.fertility import NO, Fertility, fertility
from cds_service.patient.serology import NEGATIVE, PAST, POSITIVE, Serology, serology
from cds_service.patient.types import Certainty, Fitness
from cds_service.record import (
    ClinicalRecord,
    ComorbidityFact,
    DateSpan,
    Issue,
    Measurement,
    ProcedureFact,
    Severity,
)

_SEVERITY_RANK = ("mild", "moderate", "severe")
COMPUTED = "computed"
"""What a value says in its text that no resource holds as such."""
RECENT, OLD = "recent", "old"
"""Severities of an event whose day decides what it means."""
_VIRUSES = ("hepatitis-b", "hiv")


@dataclass(frozen=True)
class Assessed:
    """All that this room derives of one patient, apart from the treatment."""

    age: int | None
    ecog: int | None
    frailty: str
    fitness: Fitness
    labs: Mapping[str, Measurement]
    biology: Mapping[str, str]
    comorbidities: tuple[ComorbidityFact, ...]
    ruled_out: Mapping[str, tuple[str, ...]]  # comorbidity known not to be there -> references
    issues: tuple[Issue, ...]


def assess(
    record: ClinicalRecord, definitions: Mapping[str, Any], as_of: date, language: str = "en"
) -> Assessed:
    """Fitness, comorbidities, biology and values of one patient as of one day. Pure."""
    numbers = definitions["imwg"]
    sex, birth = record.patient.sex, record.patient.birth
    age, ages = age_on(birth, as_of), ages_on(birth, as_of)
    markers = biology(record.measurements, definitions, as_of, language)
    labs = {
        **latest(record.measurements, as_of, numbers["reach_days"]),
        **markers.findings,
    }
    labs = with_ecog(with_clearance(labs, age, sex, numbers["clearance"]), numbers["karnofsky"])
    viruses = {
        virus: serology(
            virus,
            record.measurements,
            record.comorbidities,
            numbers["serology"][virus],
            numbers["serology"]["negative_days"],
            as_of,
        )
        for virus in _VIRUSES
    }
    possible = fertility(
        sex,
        ages,
        record.comorbidities,
        record.procedures,
        record.measurements,
        numbers["pregnancy_potential"],
        as_of,
    )
    facts = (
        *record.comorbidities,
        *on_dialysis(record.procedures, as_of, numbers["recent_days"]["dialysis-procedure"]),
        *_of_tests(viruses, possible),
    )
    facts = with_age_of_infarction(facts, as_of, numbers["recent_days"]["myocardial-infarction"])
    facts = latest_assessments(facts, numbers["lasting"]["concepts"])
    there = comorbidities_now([f for f in facts if f.present], as_of, numbers["reach_days"])
    ruled_out, contradicted = _ruled_out(facts, there, definitions, language)
    ruled_out |= _by_tests(viruses, possible, record.patient.id, ruled_out, there)
    fit = frail.frailty(ages, labs, there, definitions, language)
    there = _with_frailty(there, fit, labs.get("geriatric-assessment"), record.patient.id)
    performance = labs.get("ecog")
    return Assessed(
        age,
        ecog_of(labs),
        fit.group,
        Fitness(
            karnofsky=_whole(labs.get("karnofsky")),
            ecog_certainty=Certainty.COMPUTED
            if performance is not None and performance.text == COMPUTED
            else Certainty.DOCUMENTED,
            frailty_score=fit.score,
            frailty_at_least=fit.at_least,
            frailty_missing=fit.missing,
            frailty_certainty=Certainty.DOCUMENTED if fit.documented else Certainty.COMPUTED,
            frailty_because=fit.because,
            frailty_from=fit.derived_from,
            frailty_charted=fit.charted,
            renal_function=renal_function(labs, numbers["clearance"]["never_by"]),
            hepatitis_b=viruses["hepatitis-b"].status,
            hiv=viruses["hiv"].status,
            pregnancy_potential=possible.potential,
        ),
        labs,
        _biology(labs, markers, numbers),
        there,
        ruled_out,
        (*markers.issues, *contradicted),
    )


def _with_frailty(
    there: tuple[ComorbidityFact, ...], fit: frail.Frailty, geriatric: Measurement | None, patient: str
) -> tuple[ComorbidityFact, ...]:
    """The comorbidities, with frailty where the score or a geriatrician says it and no diagnosis does."""
    said = geriatric.reference if geriatric is not None and geriatric.text == frail.FRAIL else ""
    by = said or next(iter(fit.derived_from), f"Patient/{patient}" if patient else "")
    if (
        not by
        or not (said or fit.group == frail.FRAIL)
        or any(f.concept == "frailty" and f.active for f in there)
    ):
        return there
    text = frail.FRAIL if said else fit.because
    return tuple(sorted((*there, ComorbidityFact(by, "frailty", text=text)), key=_in_order))


def ages_on(birth: DateSpan | None, as_of: date) -> tuple[int, int] | None:
    """The lowest and highest age in completed years that the birth date allows; None without one."""
    if birth is None:
        return None
    days = DateSpan(birth.earliest, birth.latest)
    years = [age_on(DateSpan.on(day), as_of) for day in (days.latest, days.earliest)]
    return (years[0] or 0, years[1] or 0)


def age_on(birth: DateSpan | None, as_of: date) -> int | None:
    """Completed years on ``as_of``; None where the birth date is not charted, or allows two answers."""
    if birth is None:
        return None

    def years(born: date) -> int:
        return as_of.year - born.year - ((as_of.month, as_of.day) < (born.month, born.day))

    youngest, oldest = years(birth.latest), years(birth.earliest)
    return youngest if youngest == oldest else None


def latest(
    measurements: Sequence[Measurement], as_of: date, reach_days: Mapping[str, Any]
) -> dict[str, Measurement]:
    """The latest measurement of each concept that still speaks for the present; of one day the last read.

    ``reach_days`` gives by concept, else under "value", how old a value may be. Cytogenetic markers do not
    age: see biology.
    """
    found: dict[str, Measurement] = {}
    for measurement in sorted(
        (m for m in measurements if m.on is not None), key=lambda m: (m.concept, m.on, m.reference)
    ):
        reach = timedelta(days=reach_days.get(measurement.concept, reach_days["value"]))
        current = measurement.on is not None and measurement.on.latest + reach >= as_of
        if current:
            found[measurement.concept] = measurement
    return found


def with_clearance(
    labs: Mapping[str, Measurement], age: int | None, sex: str, formula: Mapping[str, Any]
) -> dict[str, Measurement]:
    """The values, with the creatinine clearance computed where its parts are there and none is charted.

    A charted one that is older than the creatinine gives way: kidneys fail within days.

    Cockcroft-Gault: (140 - age) x weight in kg / (72 x creatinine in mg/dL), times 0.85 for women, in
    mL/min; the actual weight is taken. ``formula`` holds the numbers of definitions/imwg.yaml, with their
    source. The result says "computed" and rests on the creatinine's resource.
    """
    found = dict(labs)
    creatinine, weight = labs.get("creatinine"), labs.get("body-weight")
    charted = labs.get("creatinine-clearance")
    if creatinine is None or weight is None or age is None:
        return found
    if charted is not None and not _newer(creatinine, charted):
        return found
    factor = {"female": formula["female_factor"], "male": 1.0}.get(sex)
    if factor is None or not creatinine.value or not weight.value or creatinine.text or weight.text:
        return found
    clearance = (formula["years"] - age) * weight.value / (formula["divisor"] * creatinine.value) * factor
    found["creatinine-clearance"] = Measurement(
        creatinine.reference,
        "creatinine-clearance",
        creatinine.on,
        round(clearance, 1),
        "mL/min",
        COMPUTED,
    )
    return found


def _newer(one: Measurement, other: Measurement) -> bool:
    return one.on is not None and other.on is not None and one.on.earliest > other.on.latest


def renal_function(labs: Mapping[str, Measurement], estimate: str) -> str:
    """What is known of the kidneys: "creatinine-clearance", "cockcroft-gault", the estimate's key, or ""."""
    clearance = labs.get("creatinine-clearance")
    if clearance is not None and clearance.value is not None:
        return "cockcroft-gault" if clearance.text == COMPUTED else "creatinine-clearance"
    return estimate if estimate in labs and labs[estimate].value is not None else ""


def with_ecog(labs: Mapping[str, Measurement], table: Mapping[str, Any]) -> dict[str, Measurement]:
    """The values, with the ECOG performance status by the Karnofsky index where none is charted.

    ``table`` holds the bands of definitions/imwg.yaml, with their source; never the other way round: one
    ECOG covers two steps of Karnofsky. The result says "computed" and rests on the Karnofsky's resource.
    """
    found = dict(labs)
    karnofsky = labs.get("karnofsky")
    if ecog_of(found) is not None or karnofsky is None or karnofsky.value is None or karnofsky.text:
        return found
    bands = sorted(table["ecog"], key=lambda band: -int(band["from"]))
    score = next(int(band["is"]) for band in bands if karnofsky.value >= band["from"])
    found["ecog"] = Measurement(karnofsky.reference, "ecog", karnofsky.on, float(score), "{score}", COMPUTED)
    return found


def _whole(measured: Measurement | None) -> int | None:
    if measured is None or measured.value is None or measured.text:
        return None
    return int(measured.value)


def ecog_of(labs: dict[str, Measurement]) -> int | None:
    """The latest ECOG performance status, 0 to 4; None where none is charted."""
    measured = labs.get("ecog")
    if measured is None:
        return None
    if measured.value is not None:
        return int(measured.value)
    digits = [int(c) for c in measured.text if c.isdigit()]
    if len(digits) == 1:
        return digits[0]
    # "1-2": the worse of two neighbours, as with every other range that a clinician writes.
    between = len(digits) == 2 and digits[1] - digits[0] == 1
    return digits[1] if between and digits[1] <= _WORST_ECOG else None


_WORST_ECOG = 5


def severity_grade(severity: str) -> int | None:
    """CTCAE grade of a severity word; "mild" to "severe" are grades 1 to 3. None where there is none."""
    if severity.startswith("grade-"):
        return int(severity.removeprefix("grade-"))
    return _SEVERITY_RANK.index(severity) + 1 if severity in _SEVERITY_RANK else None


def comorbidities_now(
    facts: Sequence[ComorbidityFact], as_of: date, reach_days: Mapping[str, Any]
) -> tuple[ComorbidityFact, ...]:
    """The comorbidities in a stable order; one whose kind passes, and has, is no longer active.

    ``reach_days`` gives by concept how long after its onset an event such as an infection bears on the
    choice, whatever the chart forgot to close.
    """

    def active(fact: ComorbidityFact) -> bool:
        reach = reach_days.get(fact.concept)
        passed = reach is not None and fact.onset is not None and fact.onset.latest + timedelta(reach) < as_of
        return fact.active and not passed

    current = [replace(fact, active=active(fact)) for fact in facts]
    return tuple(sorted(current, key=_in_order))


def _in_order(fact: ComorbidityFact) -> tuple[str, bool, str, str]:
    return (fact.concept, not fact.active, fact.severity, fact.reference)


def on_dialysis(
    procedures: Sequence[ProcedureFact], as_of: date, recent_days: int
) -> tuple[ComorbidityFact, ...]:
    """Dialysis by the sessions charted: one within ``recent_days``, or one without its day."""
    return tuple(
        ComorbidityFact(p.reference, "dialysis", onset=p.on, text=p.text)
        for p in procedures
        if p.kind == "dialysis" and (p.on is None or p.on.latest + timedelta(recent_days) >= as_of)
    )


def with_age_of_infarction(
    facts: Sequence[ComorbidityFact], as_of: date, recent_days: int
) -> tuple[ComorbidityFact, ...]:
    """The facts, each infarction called recent or old by its onset, and counted as ischaemic heart disease.

    Where its day is not charted, or allows both, it is called neither. The day of an observation that asks
    for an infarction is not the day of the infarction.
    """
    infarction, ischaemia = "myocardial-infarction", "ischemic-heart-disease"
    found: list[ComorbidityFact] = []
    for fact in facts:
        if fact.concept != infarction or not fact.present:
            found.append(fact)
            continue
        reach, when = timedelta(recent_days), ""
        if fact.onset is not None and fact.onset.earliest + reach >= as_of:
            when = RECENT
        elif fact.onset is not None and fact.onset.latest + reach < as_of:
            when = OLD
        # An infarction is an event: that it is "resolved" says nothing of how long ago it was.
        found.append(replace(fact, severity=when, active=fact.active or when == RECENT))
        found.append(replace(fact, concept=ischaemia, severity="", active=True))
    return tuple(found)


def latest_assessments(
    facts: Sequence[ComorbidityFact], lasting: Sequence[str]
) -> tuple[ComorbidityFact, ...]:
    """The facts, of what observations say of one comorbidity only the latest: a neuropathy may have healed.

    Not of what lasts although it is no longer seen. Diagnoses stand beside, whatever their age.
    """
    newest: dict[str, date] = {}
    for fact in facts:
        if fact.assessed is not None:
            newest[fact.concept] = max(newest.get(fact.concept, date.min), fact.assessed.latest)
    return tuple(
        fact
        for fact in facts
        if fact.assessed is None
        or fact.assessed.latest == newest[fact.concept]
        or (fact.concept in lasting and fact.present)
    )


def _of_tests(viruses: Mapping[str, Serology], possible: Fertility) -> list[ComorbidityFact]:
    """What tests show to be there. A virus once met may come back under treatment: past contact counts."""
    found = [
        ComorbidityFact(reference, virus, text=own.status)
        for virus, own in viruses.items()
        if own.status in (POSITIVE, PAST)
        for reference in own.derived_from
    ]
    if possible.pregnant:
        found += [ComorbidityFact(reference, "pregnancy") for reference in possible.tested_by]
    return found


def _ruled_out(
    facts: Sequence[ComorbidityFact],
    there: Sequence[ComorbidityFact],
    definitions: Mapping[str, Any],
    language: str,
) -> tuple[dict[str, tuple[str, ...]], list[Issue]]:
    """The comorbidities that the chart says are not there; where it also says the contrary, an issue."""
    denied: dict[str, set[str]] = defaultdict(set)
    for fact in facts:
        if not fact.present:
            denied[fact.concept].add(fact.reference)
    active = {fact.concept for fact in there if fact.active}
    issues = [
        Issue(
            Severity.WARNING,
            "conflicting-comorbidity",
            sentence(
                definitions, "comorbidity", "contradicted", concept=concept.replace("-", " ")
            ).in_language(language),
            min(references),
        )
        for concept, references in sorted(denied.items())
        if concept in active
    ]
    return {c: tuple(sorted(r)) for c, r in sorted(denied.items()) if c not in active}, issues


def _by_tests(
    viruses: Mapping[str, Serology],
    possible: Fertility,
    patient: str,
    known: Mapping[str, tuple[str, ...]],
    there: Sequence[ComorbidityFact],
) -> dict[str, tuple[str, ...]]:
    """What tests, sex and age say is not there."""
    active = {fact.concept for fact in there if fact.active}
    found = {v: own.derived_from for v, own in viruses.items() if own.status == NEGATIVE}
    if possible.pregnant is False:
        found["pregnancy"] = possible.tested_by
    elif possible.potential == NO:
        found["pregnancy"] = possible.derived_from or ((f"Patient/{patient}",) if patient else ())
    return {c: refs for c, refs in found.items() if c not in known and c not in active}


def _biology(labs: Mapping[str, Measurement], markers: Biology, numbers: Mapping[str, Any]) -> dict[str, str]:
    """Markers, and whatever else is only there or not; not the tests for viruses and pregnancy."""
    tests = {*numbers["pregnancy_potential"]["tests"]}
    for virus in _VIRUSES:
        rules = numbers["serology"][virus]
        tests |= {*rules["infected"], *rules["contact"]}
    other = {
        key: m.text
        for key, m in labs.items()
        if m.text in ("present", "absent") and m.value is None and key not in tests
    }
    return {**other, **markers.markers}
