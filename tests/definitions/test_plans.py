# ruff: noqa: E501 - a case a line, so that tables read as tables
"""What is planned and whether CAR-T cells can be given. As of 1 November 2026; docs/decisions/0006.

180 days before are 5 May 2026, 365 are 1 November 2025.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cds_service.patient.state import derive
from cds_service.record import Given
from tests.chart import chart, given, plan, procedure
from tests.definitions.knowledge import with_definitions

AS_OF = date(2026, 11, 1)
APHERESIS, CELLS, TRANSPLANT = "apheresis", "car-t", "transplant"


def told(knowledge, *facts):
    """What is planned, whether CAR-T is feasible, and the codes of what is told about plans."""
    state = derive(chart(*facts), knowledge, AS_OF)
    codes = {"plan-out-of-date", "conflicting-car-t"} & {issue.code for issue in state.issues}
    return " ".join(state.planned) or "nothing", state.car_t, " ".join(sorted(codes))


# ---- how long a plan stands ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("case", "made", "planned"),
    [
        ("asked for yesterday", plan(APHERESIS, "2026-10-31"), "apheresis"),
        ("asked for today", plan(APHERESIS, "2026-11-01"), "apheresis"),
        ("half a year ago, to the day", plan(APHERESIS, "2026-05-05"), "apheresis"),
        ("a day more", plan(APHERESIS, "2026-05-04"), "nothing"),
        ("in some month of which the end is near enough", plan(APHERESIS, "2026-05"), "apheresis"),
        ("in a month before", plan(APHERESIS, "2026-04"), "nothing"),
        ("long ago, for a day that passed of late", plan(APHERESIS, "2025-01-10", on_day="2026-05-05"), "apheresis"),
        ("long ago, for a day long ago", plan(APHERESIS, "2025-01-10", on_day="2026-05-04"), "nothing"),
        ("of late, for a day that was typed wrongly", plan(APHERESIS, "2026-10-01", on_day="2025-11-10"), "apheresis"),
        ("for a day to come", plan(APHERESIS, None, on_day="2026-12-10"), "apheresis"),
        ("for a day half a year ahead", plan(APHERESIS, None, on_day="2027-04-30"), "apheresis"),
        ("for a day further ahead, made nobody knows when", plan(APHERESIS, None, on_day="2027-05-01"), "nothing"),
        ("for a day further ahead, made of late", plan(APHERESIS, "2026-10-10", on_day="2027-12-01"), "apheresis"),
        ("without any day", plan(APHERESIS, None), "apheresis"),
        ("a transplant", plan(TRANSPLANT, "2026-10-10"), "transplant"),
        ("cells, and so an apheresis", plan(CELLS, "2026-10-10"), "apheresis car-t"),
        ("cells without any day", plan(CELLS, None), "apheresis car-t"),
    ],
)  # fmt: skip
def test_how_long_a_plan_stands(knowledge, case, made, planned):
    assert told(knowledge, made)[0] == planned


def test_a_plan_that_is_too_old_is_told_with_its_day_and_its_resource(knowledge):
    old = plan(APHERESIS, "2025-01-10", on_day="2026-05-04")
    (issue,) = [one for one in derive(chart(old), knowledge, AS_OF).issues if one.code == "plan-out-of-date"]
    assert issue.where == old.reference
    assert "2026-05-04" in issue.text
    assert "180 days" in issue.text
    assert "leukapheresis" in issue.text
    (issue,) = [i for i in derive(chart(old), knowledge, AS_OF, "it").issues if i.code == "plan-out-of-date"]
    assert "leucaferesi" in issue.text


@pytest.mark.parametrize(
    ("case", "facts"),
    [
        ("carried out", [procedure("leukapheresis", "2025-02-10")]),
        ("contradicted", [plan(APHERESIS, "2025-02-10", "not-done")]),
    ],
)
def test_an_old_plan_that_came_to_an_end_is_not_told(knowledge, case, facts):
    assert told(knowledge, plan(APHERESIS, "2025-01-10"), *facts)[2] == ""


# ---- what carries it out ---------------------------------------------------------------------------------
SEPTEMBER = "2026-09-01"


@pytest.mark.parametrize(
    ("case", "made", "since", "planned"),
    [
        ("the apheresis on its day", plan(APHERESIS, SEPTEMBER), procedure("leukapheresis", SEPTEMBER), "nothing"),
        ("the day before", plan(APHERESIS, SEPTEMBER), procedure("leukapheresis", "2026-08-31"), "apheresis"),
        ("in its month, for all one knows before", plan(APHERESIS, "2026-09-10"), procedure("leukapheresis", "2026-09"), "apheresis"),
        ("both in one month", plan(APHERESIS, "2026-09"), procedure("leukapheresis", "2026-09"), "nothing"),
        ("on a day that is not charted", plan(APHERESIS, SEPTEMBER), procedure("leukapheresis", None), "apheresis"),
        ("on any day, of a plan without one", plan(APHERESIS, None), procedure("leukapheresis", "2020-01-10"), "nothing"),
        ("on no day, of a plan without one", plan(APHERESIS, None), procedure("leukapheresis", None), "nothing"),
        ("sooner than it was meant for", plan(APHERESIS, SEPTEMBER, on_day="2026-12-01"), procedure("leukapheresis", "2026-10-01"), "nothing"),
        ("before the day it is meant for, made nobody knows when", plan(APHERESIS, None, on_day="2026-12-01"), procedure("leukapheresis", "2026-10-01"), "apheresis"),
        ("any apheresis", plan(APHERESIS, SEPTEMBER), procedure("apheresis", "2026-09-10"), "nothing"),
        ("not by a collection of stem cells", plan(APHERESIS, SEPTEMBER), procedure("stem-cell-collection", "2026-09-10"), "apheresis"),
        ("cells in preparation were collected", plan(APHERESIS, SEPTEMBER), procedure("cart-preparation", "2026-09-10"), "nothing"),
        ("cells infused were collected", plan(APHERESIS, SEPTEMBER), procedure("cart-infusion", "2026-10-10"), "nothing"),
        ("the infusion", plan(CELLS, SEPTEMBER), procedure("cart-infusion", "2026-10-10"), "nothing"),
        ("the product given", plan(CELLS, SEPTEMBER), given("ciltacabtagene-autoleucel", "2026-10-10", "2026-10-10"), "nothing"),
        ("the product given the day before", plan(CELLS, SEPTEMBER), given("ciltacabtagene-autoleucel", "2026-08-31", "2026-08-31"), "apheresis car-t"),
        ("not the order of the product", plan(CELLS, SEPTEMBER), given("ciltacabtagene-autoleucel", "2026-09-10", ordered=True), "apheresis car-t"),
        ("not their preparation", plan(CELLS, SEPTEMBER), procedure("cart-preparation", "2026-09-10"), "car-t"),
        ("a transplant of any kind", plan(TRANSPLANT, SEPTEMBER), procedure("sct-unspecified", "2026-09-10"), "nothing"),
        ("conditioning, after which there was one", plan(TRANSPLANT, SEPTEMBER), given("melphalan", "2026-09-10", "2026-09-10", dose="200 mg/m2", route="IV"), "nothing"),
        ("not a bone marrow biopsy", plan(TRANSPLANT, SEPTEMBER), procedure("bone-marrow-biopsy", "2026-09-10"), "transplant"),
    ],
)  # fmt: skip
def test_what_carries_a_plan_out(knowledge, case, made, since, planned):
    assert told(knowledge, made, since)[0] == planned


@pytest.mark.parametrize(
    ("case", "collected", "planned"),
    [
        ("half a year before the order, to the day", procedure("leukapheresis", "2026-03-05"), "car-t"),
        ("a day more", procedure("leukapheresis", "2026-03-04"), "apheresis car-t"),
        ("after the order", procedure("leukapheresis", "2026-09-20"), "car-t"),
        ("on a day that is not charted", procedure("leukapheresis", None), "apheresis car-t"),
        ("shown by the lymphodepletion", given("fludarabine", "2026-10-27", "2026-10-29", purpose="lymphodepletion"), "car-t"),
        ("not shown by an infusion of other cells", procedure("cart-infusion", "2026-08-01"), "apheresis car-t"),
    ],
)  # fmt: skip
def test_whether_the_cells_that_are_ordered_were_collected(knowledge, case, collected, planned):
    assert told(knowledge, plan(CELLS, SEPTEMBER), collected)[0] == planned


def test_lymphodepletion_that_is_being_ordered_follows_a_collection(knowledge):
    draft = replace(given("cyclophosphamide", None, purpose="lymphodepletion"), given=Given.DRAFT)
    state = derive(chart(plan(CELLS, SEPTEMBER), drafts=(draft,)), knowledge, AS_OF)
    assert list(state.planned) == [CELLS]


def test_cells_ordered_without_a_day_are_those_collected_whenever(knowledge):
    assert told(knowledge, plan(CELLS, None), procedure("leukapheresis", "2020-01-10"))[0] == "car-t"


# ---- what undoes it, and whether it can be done ------------------------------------------------------------
@pytest.mark.parametrize(
    ("case", "facts", "answer"),
    [
        ("nothing is said", [], ("nothing", "unknown", "")),
        ("a step of CAR-T is planned", [plan(APHERESIS, SEPTEMBER)], ("apheresis", "feasible", "")),
        ("an apheresis of whatever", [plan(APHERESIS, SEPTEMBER, of_t_cells=False)], ("apheresis", "unknown", "")),
        ("a transplant is planned", [plan(TRANSPLANT, SEPTEMBER)], ("transplant", "unknown", "")),
        ("not done later", [plan(APHERESIS, SEPTEMBER), plan(APHERESIS, "2026-09-02", "not-done")], ("nothing", "not-feasible", "")),
        ("not done on its day", [plan(APHERESIS, SEPTEMBER), plan(APHERESIS, SEPTEMBER, "not-done")], ("apheresis", "unknown", "conflicting-car-t")),
        ("not done before", [plan(APHERESIS, SEPTEMBER), plan(APHERESIS, "2026-08-31", "not-done")], ("apheresis", "feasible", "")),
        ("not done on a day that is not charted", [plan(APHERESIS, SEPTEMBER), plan(APHERESIS, None, "not-done")], ("apheresis", "feasible", "")),
        ("not done, of a plan without its day", [plan(APHERESIS, None), plan(APHERESIS, SEPTEMBER, "not-done")], ("nothing", "not-feasible", "")),
        ("neither has its day", [plan(APHERESIS, None), plan(APHERESIS, None, "not-done")], ("apheresis", "unknown", "conflicting-car-t")),
        ("the infusion was not done: neither is the apheresis to come", [plan(APHERESIS, SEPTEMBER), plan(CELLS, "2026-09-02", "not-done")], ("nothing", "not-feasible", "")),
        ("the apheresis was not done: neither is the infusion to come", [plan(CELLS, SEPTEMBER), plan(APHERESIS, "2026-09-02", "not-done")], ("nothing", "not-feasible", "")),
        ("an apheresis of whatever was not done", [plan(APHERESIS, SEPTEMBER), plan(APHERESIS, "2026-09-02", "not-done", of_t_cells=False)], ("nothing", "unknown", "")),
        ("... which the cells do not wait for", [plan(CELLS, SEPTEMBER), plan(APHERESIS, "2026-09-02", "not-done", of_t_cells=False)], ("apheresis car-t", "feasible", "")),
        ("a transplant was not done", [plan(TRANSPLANT, SEPTEMBER), plan(TRANSPLANT, "2026-09-02", "not-done")], ("nothing", "unknown", "")),
        ("CAR-T has nothing to do with a transplant", [plan(TRANSPLANT, SEPTEMBER), plan(CELLS, "2026-09-02", "not-feasible")], ("transplant", "not-feasible", "")),
        ("said in words later", [plan(CELLS, SEPTEMBER), plan(CELLS, "2026-09-02", "not-feasible")], ("nothing", "not-feasible", "")),
        ("said in words before", [plan(CELLS, SEPTEMBER), plan(CELLS, "2026-08-31", "not-feasible")], ("apheresis car-t", "feasible", "")),
        ("said in words in the month of the plan", [plan(CELLS, SEPTEMBER), plan(CELLS, "2026-09", "not-feasible")], ("apheresis car-t", "unknown", "conflicting-car-t")),
        ("a plan for a day to come, made nobody knows when", [plan(CELLS, None, on_day="2026-12-01"), plan(CELLS, "2026-10-20", "not-feasible")], ("apheresis car-t", "unknown", "conflicting-car-t")),
        ("... but surely after what was said long before", [plan(CELLS, None, on_day="2026-12-01"), plan(CELLS, "2026-06-03", "not-feasible")], ("apheresis car-t", "feasible", "")),
        ("... and not where it may be", [plan(CELLS, None, on_day="2026-12-01"), plan(CELLS, "2026-06-04", "not-feasible")], ("apheresis car-t", "unknown", "conflicting-car-t")),
        ("feasible in words", [plan(CELLS, SEPTEMBER, "feasible")], ("nothing", "feasible", "")),
        ("what is feasible undoes no plan", [plan(CELLS, SEPTEMBER), plan(CELLS, "2026-09-02", "feasible")], ("apheresis car-t", "feasible", "")),
        ("words without a day", [plan(CELLS, None, "not-feasible")], ("nothing", "not-feasible", "")),
        ("words with a day go before", [plan(CELLS, None, "not-feasible"), plan(CELLS, "2026-01-10", "feasible")], ("nothing", "feasible", "")),
        ("both without a day", [plan(CELLS, None, "not-feasible"), plan(CELLS, None, "feasible")], ("nothing", "unknown", "conflicting-car-t")),
        ("a year old", [plan(CELLS, "2025-11-01", "not-feasible")], ("nothing", "not-feasible", "")),
        ("a day older", [plan(CELLS, "2025-10-31", "not-feasible")], ("nothing", "unknown", "")),
        ("not done half a year ago", [plan(CELLS, "2026-05-05", "not-done")], ("nothing", "not-feasible", "")),
        ("a day more", [plan(CELLS, "2026-05-04", "not-done")], ("nothing", "unknown", "")),
        ("said before the infusion", [plan(CELLS, "2026-02-01", "feasible"), procedure("cart-infusion", "2026-03-01")], ("nothing", "unknown", "")),
        ("said on the day of the infusion", [plan(CELLS, "2026-03-01", "feasible"), procedure("cart-infusion", "2026-03-01")], ("nothing", "unknown", "")),
        ("said after it", [plan(CELLS, "2026-03-02", "not-feasible"), procedure("cart-infusion", "2026-03-01")], ("nothing", "not-feasible", "")),
        ("said without a day, of one who had an infusion", [plan(CELLS, None, "feasible"), procedure("cart-infusion", "2026-03-01")], ("nothing", "unknown", "")),
        ("said, of one who had an infusion without a day", [plan(CELLS, "2026-03-02", "not-feasible"), procedure("cart-infusion", None)], ("nothing", "not-feasible", "")),
    ],
)  # fmt: skip
def test_whether_car_t_can_be_given(knowledge, case, facts, answer):
    assert told(knowledge, *facts) == answer


def test_all_that_speaks_for_the_last_word_is_named(knowledge):
    early, one, other = (
        plan(CELLS, day, says)
        for day, says in (("2026-08-01", "feasible"), (SEPTEMBER, "feasible"), (SEPTEMBER, "planned"))
    )
    state = derive(chart(early, one, other), knowledge, AS_OF)
    assert state.car_t_from == tuple(sorted((one.reference, other.reference)))
    assert state.planned == {APHERESIS: (other.reference,), CELLS: (other.reference,)}


def test_a_contradiction_names_both_sides(knowledge):
    facts = (plan(CELLS, SEPTEMBER, "feasible"), plan(CELLS, SEPTEMBER, "not-feasible"))
    state = derive(chart(*facts), knowledge, AS_OF)
    assert state.car_t_from == ()
    assert {i.where for i in state.issues if i.code == "conflicting-car-t"} == {f.reference for f in facts}


def test_copies_and_order_of_plans_change_nothing(knowledge):
    facts = (
        plan(APHERESIS, SEPTEMBER),
        plan(CELLS, "2026-10-01"),
        plan(CELLS, "2026-09-10", "not-feasible"),
        procedure("leukapheresis", "2026-09-05"),
    )
    assert derive(chart(*facts), knowledge, AS_OF) == derive(chart(*facts[::-1], *facts), knowledge, AS_OF)


def test_a_hospital_may_wait_longer(knowledge):
    patient_hospital = with_definitions(knowledge, lambda d: d["imwg"]["plans"].update(stands_days=365))
    assert told(patient_hospital, plan(APHERESIS, "2025-11-01"))[0] == "apheresis"
    assert told(patient_hospital, plan(APHERESIS, "2025-10-31"))[0] == "nothing"
