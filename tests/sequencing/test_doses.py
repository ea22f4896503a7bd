"""The schedule of a drug for one patient: by age, kidney and region; and what is said where it is open."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cds_service.patient.types import Status
from cds_service.sequencing.conditions import Evaluator
from cds_service.sequencing.doses import dose_cautions, doses_for, schedules
from cds_service.sequencing.evidence import evidence_for
from cds_service.sequencing.sketch import Given, Sketch, sketched

AS_OF = date(2026, 11, 30)
PATIENT = Sketch(drugs={"bortezomib": Given(Status.REFRACTORY)}, age=70)


def doses(knowledge, key, sketch=PATIENT, region="EMA"):
    state = sketched(sketch, knowledge, AS_OF)
    evaluator = Evaluator(state, knowledge, region, "unknown")
    found = doses_for(knowledge.regimens[key], region, evaluator, knowledge)
    return {dose.drug: dose for dose in found}


def amounts(dose):
    return [row.amount for row in dose.rows]


AGES = [
    # regimen, age, dexamethasone in mg: trials draw the line at 75 or above it
    ("d-pd", 74, [40]),
    ("d-pd", 75, [20]),
    ("pom-d", 75, [40]),
    ("pom-d", 76, [20]),
    ("d-rd", 75, [40]),
    ("d-rd", 76, [20]),
]


@pytest.mark.parametrize(("key", "age", "expected"), AGES)
def test_dexamethasone_by_age_is_the_rule_of_the_regimen(knowledge, key, age, expected):
    assert amounts(doses(knowledge, key, replace(PATIENT, age=age))["dexamethasone"]) == expected


RENAL = [
    # region, clearance in mL/min, lenalidomide in mg, days
    ("EMA", 60, 25, ""),
    ("EMA", 50, 25, ""),
    ("EMA", 49, 10, ""),
    ("EMA", 30, 10, ""),
    ("EMA", 29, 15, "every other day"),
    ("FDA", 60, 25, ""),
    ("FDA", 59, 10, ""),
    ("FDA", 50, 10, ""),
    ("FDA", 29, 15, "every other day"),
]


@pytest.mark.parametrize(("region", "clearance", "amount", "days"), RENAL)
def test_lenalidomide_by_clearance_and_region(knowledge, region, clearance, amount, days):
    sketch = replace(PATIENT, labs={"creatinine-clearance": float(clearance)}, has_not=("dialysis",))
    dose = doses(knowledge, "d-rd", sketch, region)["lenalidomide"]
    assert (amounts(dose), dose.rows[0].days_text) == ([amount], days)
    assert (dose.because is not None) is (amount != 25)
    assert dose.depends_on == ()


def test_on_dialysis_lenalidomide_is_5_mg(knowledge):
    sketch = replace(PATIENT, has=(("dialysis", ""),), labs={"creatinine-clearance": 8.0})
    dose = doses(knowledge, "d-rd", sketch)["lenalidomide"]
    assert amounts(dose) == [5]
    assert dose.derived_from == ("Sketch/dialysis",)


def test_of_two_reasons_for_a_lower_dose_the_lower_one_stands(knowledge):
    """Pomalidomide in the US: 3 mg on haemodialysis, 2 mg in severe hepatic impairment."""
    on_dialysis = replace(PATIENT, has=(("dialysis", ""),))
    both = replace(PATIENT, has=(("dialysis", ""), ("hepatic-impairment", "severe")))
    assert amounts(doses(knowledge, "pom-d", on_dialysis, "FDA")["pomalidomide"]) == [3]
    dose = doses(knowledge, "pom-d", both, "FDA")["pomalidomide"]
    assert amounts(dose) == [2]
    assert dose.derived_from == ("Sketch/hepatic-impairment",)


def test_where_a_dose_lower_still_may_be_hers_the_entry_names_what_decides(knowledge):
    low = replace(PATIENT, labs={"creatinine-clearance": 25.0})  # of dialysis the chart says nothing
    dose = doses(knowledge, "d-rd", low)["lenalidomide"]
    assert (amounts(dose), dose.depends_on) == ([15], ("comorbidity:dialysis",))
    liver = replace(PATIENT, has=(("dialysis", ""), ("hepatic-impairment", "")))
    dose = doses(knowledge, "pom-d", liver, "FDA")["pomalidomide"]
    assert (amounts(dose), dose.depends_on) == ([3], ("comorbidity:hepatic-impairment",))


def test_an_unknown_clearance_leaves_the_standard_dose_and_says_what_it_depends_on(knowledge):
    dose = doses(knowledge, "d-rd")["lenalidomide"]
    assert (amounts(dose), dose.variant) == ([25], "")
    assert set(dose.depends_on) == {"comorbidity:dialysis", "lab:creatinine-clearance"}


def test_an_unknown_age_is_named(knowledge):
    dose = doses(knowledge, "d-pd", replace(PATIENT, age=None))["dexamethasone"]
    assert (amounts(dose), dose.depends_on) == ([40], ("age",))


def test_a_lower_dose_is_a_caution_that_concerns_her_with_its_resource(knowledge):
    sketch = replace(PATIENT, labs={"creatinine-clearance": 41.0})
    cautions = list(dose_cautions(doses(knowledge, "d-rd", sketch).values(), knowledge))
    assert [(c.drug, c.concerns, c.derived_from) for c in cautions] == [
        ("lenalidomide", True, ("Sketch/creatinine-clearance",))
    ]
    assert "10 mg" in cautions[0].text.en


def test_a_low_estimate_alone_is_a_caution_that_nothing_is_settled(knowledge):
    cautions = list(
        dose_cautions(doses(knowledge, "d-rd", replace(PATIENT, labs={"egfr": 40.0})).values(), knowledge)
    )
    assert cautions
    assert all(c.text.en.startswith("not settled by the chart") for c in cautions)
    assert amounts(doses(knowledge, "d-rd", replace(PATIENT, labs={"egfr": 40.0}))["lenalidomide"]) == [25]


def test_an_adjustment_never_raises_a_dose(knowledge):
    for regimen in knowledge.regimens.values():
        for region in ("EMA", "FDA"):
            for drug in regimen.components:
                standard, *others = schedules(regimen, drug, region, knowledge) or [None]
                highest = max((d.amount or 0 for d in standard.rows), default=0) if standard else 0
                for other in others:
                    if other.adjustment is not None:
                        assert all((row.amount or 0) <= highest for row in other.rows), (
                            regimen.key,
                            other.name,
                        )


STEPPED = ["teclistamab", "elranatamab", "talquetamab", "linvoseltamab"]


@pytest.mark.parametrize("region", ["EMA", "FDA"])
@pytest.mark.parametrize("key", STEPPED)
def test_a_step_up_comes_whole(knowledge, key, region):
    rows = doses(knowledge, key, region=region)[key].rows
    steps = [row for row in rows if row.step_up]
    assert len(steps) >= 2
    assert all(row.amount is not None for row in steps)
    assert max(row.amount for row in steps) < max(row.amount for row in rows if not row.step_up)


def test_a_step_up_of_which_a_step_is_not_given_is_no_schedule(knowledge):
    assert doses(knowledge, "tec-tal") == {}


def test_teclistamab_steps_on_the_days_of_the_region(knowledge):
    europe = doses(knowledge, "teclistamab", region="EMA")["teclistamab"].rows
    assert [(row.amount, row.days) for row in europe[:2]] == [(0.06, (1,)), (0.3, (3,))]
    america = doses(knowledge, "teclistamab", region="FDA")["teclistamab"].rows
    assert america[1].days_text.startswith("4")


@pytest.mark.parametrize(
    ("region", "days"), [("EMA", [(1,), (3,), (5,)]), ("FDA", [(1,), (4,), (7,)])], ids=["EMA", "FDA"]
)
def test_talquetamab_is_ordered_by_the_schedule_of_the_figure_shown(knowledge, region, days):
    """The labels give a weekly schedule too and prefer neither; another schedule's figure would mislead."""
    rows = doses(knowledge, "talquetamab", region=region)["talquetamab"].rows
    assert [row.amount for row in rows] == [0.01, 0.06, 0.4, 0.8]
    assert [row.days for row in rows if row.step_up] == days
    asked = Evaluator(sketched(PATIENT, knowledge, AS_OF), knowledge, region, "unknown")
    shown = knowledge.evidence[evidence_for("talquetamab", asked, knowledge)[0]]
    assert "0.8 mg/kg every 2 weeks" in shown.results[0].headline.en
    told = [dose.amount for dose in knowledge.regimens["talquetamab"].doses if dose.alternative]
    assert 0.4 in told
