"""What must hold for every course of laboratory values (hypothesis)."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.fhir.read import read
from cds_service.knowledge.load import load
from cds_service.patient.biochemistry import laboratory_progressions
from cds_service.patient.response import laboratory_responses
from cds_service.patient.samples import LaboratoryValues
from cds_service.patient.state import derive
from cds_service.record import DateSpan, Measurement, Response
from cds_service.terminology import Terminology
from tests.chart import chart
from tests.chart import given as drug_given

KNOWLEDGE = load()
TERMINOLOGY = Terminology(KNOWLEDGE)
AS_OF = date(2026, 11, 1)
START = date(2024, 1, 15)
LENALIDOMIDE = drug_given("lenalidomide", str(START), ongoing=True, reference="MedicationStatement/m1")
BEST_FIRST = [Response.CR, Response.VGPR, Response.PR, Response.MR, Response.SD]
laboratory_settings = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# in tenths of the unit, so that both ways to write a value are exact decimals
_HIGHEST = {
    "m-protein-serum": 80,
    "m-protein-urine-24h": 20000,
    "flc-kappa": 20000,
    "flc-lambda": 20000,
    "bm-plasma-cells-pct": 900,
    "plasmacytoma-diameter": 100,
    "blood-plasma-cells-abs": 30,
}


@st.composite
def courses(draw, concepts=tuple(_HIGHEST)):
    """One to three markers, each followed from before the first dose on over up to eight days."""
    followed = sorted(draw(st.sets(st.sampled_from(concepts), min_size=1, max_size=3)))
    days = [-5, *sorted(draw(st.sets(st.integers(20, 900), min_size=1, max_size=7)))]
    found = []
    for concept in followed:
        peak = draw(st.integers(_HIGHEST[concept] // 3, _HIGHEST[concept]))
        falls = draw(st.booleans())
        for day in days:
            percent = draw(st.sampled_from([0, 2, 5, 9, 10, 11, 24, 30, 49, 50, 51, 75, 76, 90, 100]))
            percent = 100 if falls and day < 0 else percent
            found.append(measured(concept, START + timedelta(day), peak * percent // 100 / 10))
    return tuple(found)


def measured(concept: str, day: date, value: float) -> Measurement:
    return Measurement(f"Observation/{concept}-{day}-{value}", concept, DateSpan.on(day), value)


def state_of(measurements):
    record = chart(LENALIDOMIDE, measurements=measurements)
    return derive(record, KNOWLEDGE, AS_OF)


def computed(measurements):
    """The days of progression, and the categories with their days, as the values alone tell them."""
    record = chart(LENALIDOMIDE, measurements=measurements)
    values = LaboratoryValues(record.normalised(), KNOWLEDGE, AS_OF)
    lines = derive(record, KNOWLEDGE, AS_OF).lines[:1]
    progressions = tuple(str(p.on) for p in laboratory_progressions(values, lines, "en"))
    responses = tuple((str(r.on), r.category) for r in laboratory_responses(values, lines, "en"))
    return progressions, responses


@laboratory_settings
@given(measurements=courses(), seed=st.integers(0, 99))
def test_order_and_duplicates_change_nothing(measurements, seed):
    shuffled = [*measurements, *measurements]
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - no secret
    assert state_of(tuple(shuffled)) == state_of(measurements)


@laboratory_settings
@given(measurements=courses(), more=st.integers(0, 900))
def test_a_later_higher_value_never_takes_a_progression_back(measurements, more):
    latest = max(m.on.latest for m in measurements)
    highest: dict[str, float] = {}
    for m in measurements:
        highest[m.concept] = max(m.value, highest.get(m.concept, 0))
    later = tuple(
        measured(concept, latest + timedelta(30), value + more / 10) for concept, value in highest.items()
    )
    before = {p.on for p in state_of(measurements).progressions}
    assert before <= {p.on for p in state_of((*measurements, *later)).progressions}


@laboratory_settings
@given(
    baseline=st.integers(10, 80),
    low=st.lists(st.integers(0, 1000), min_size=2, max_size=6),
    seed=st.integers(0, 99),
)
@pytest.mark.parametrize(
    ("concept", "scale"), [("m-protein-serum", 1), ("m-protein-urine-24h", 100), ("bm-plasma-cells-pct", 10)]
)
def test_a_deeper_fall_is_never_a_worse_category(concept, scale, baseline, low, seed):
    start = baseline * scale / 10
    serum = [] if concept == "m-protein-serum" else [measured("m-protein-serum", START, 0.2)]
    deeper = random.Random(seed)  # noqa: S311 - no secret

    def best(shares):
        samples = [
            measured(concept, START + timedelta(60 * place), start * share / 1000)
            for place, share in enumerate(shares, start=1)
        ]
        reached = computed((*serum, measured(concept, START, start), *samples))[1]
        places = [BEST_FIRST.index(category) for _, category in reached]
        return min(places, default=len(BEST_FIRST))

    falling = sorted(low, reverse=True)  # each lower than the one before: no rise hides a response
    lower = [share * deeper.randint(0, 1000) // 1000 for share in falling]
    assert best(sorted(lower, reverse=True)) <= best(falling)


UNITS = {
    # concept: name, units with what the number in tenths of our unit is divided by
    "m-protein-serum": ("M protein", [("g/dL", 10), ("g/L", 1), ("mg/dL", 0.01), ("G/DL", 10)]),
    "m-protein-urine-24h": ("Urine M protein", [("mg/24h", 10), ("g/24h", 10000), ("mg/(24.h)", 10)]),
    "flc-kappa": ("Kappa free light chains", [("mg/L", 10), ("mg/dL", 100), ("ug/mL", 10)]),
    "flc-lambda": ("Lambda free light chains", [("mg/L", 10), ("mg/dL", 100), ("ug/mL", 10)]),
}


@laboratory_settings
@given(measurements=courses(tuple(UNITS)), units=st.lists(st.integers(0, 11), min_size=8, max_size=8))
def test_the_unit_a_value_is_charted_in_changes_nothing(measurements, units):
    def charted(choose):
        resources = []
        for place, m in enumerate(measurements):
            name, spelled = UNITS[m.concept]
            unit, divisor = spelled[choose(place) % len(spelled)]
            resources.append(
                {
                    "resourceType": "Observation",
                    "id": f"o{place}",
                    "status": "final",
                    "subject": {"reference": "Patient/p1"},
                    "code": {"text": name},
                    "effectiveDateTime": str(m.on),
                    "valueQuantity": {"value": round(m.value * 10, 1) / divisor, "unit": unit},
                }
            )
        record = read(resources, TERMINOLOGY, as_of=AS_OF, patient_id="p1")
        assert len(record.measurements) == len(measurements)
        return computed(record.measurements)

    assert charted(lambda place: 0) == charted(lambda place: units[place % len(units)])


@laboratory_settings
@given(measurements=courses(), days=st.integers(-700, 700))
def test_shifting_every_day_shifts_the_days_alone(measurements, days):
    moved = tuple(replace(m, on=m.on.plus(days)) for m in measurements)
    shift = timedelta(days)

    def of(start, values, as_of):
        record = chart(replace(LENALIDOMIDE, first_dose=DateSpan.on(start)), measurements=values)
        state = derive(record, KNOWLEDGE, as_of)
        signs = [(s.kind, s.on.plus(-(start - START).days)) for s in state.relapse_signs]
        return (
            [p.on.plus(-(start - START).days) for p in state.progressions],
            signs,
            state.lines[0].best_response,
        )

    assert of(START, measurements, AS_OF) == of(START + shift, moved, AS_OF + shift)


@laboratory_settings
@given(measurements=courses(), sign=st.sampled_from(["hemoglobin", "creatinine", "calcium-corrected"]))
def test_signs_of_a_clinical_relapse_never_touch_a_drug_or_a_line(measurements, sign):
    worst = {"hemoglobin": (14, 7), "creatinine": (1, 6), "calcium-corrected": (9, 14)}[sign]
    first, last = min(m.on.earliest for m in measurements), max(m.on.latest for m in measurements)
    more = (measured(sign, first, worst[0]), measured(sign, last + timedelta(1), worst[1]))
    without, beside = state_of(measurements), state_of((*measurements, *more))
    assert (without.drugs, without.lines, without.labels) == (beside.drugs, beside.lines, beside.labels)
