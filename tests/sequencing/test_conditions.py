"""The condition language: Kleene's truth tables, and each leaf with its three answers."""

from __future__ import annotations

from datetime import date

import pytest

from cds_service.knowledge.entries import condition_of
from cds_service.patient.state import derive
from cds_service.record import ComorbidityFact, DateSpan, Measurement
from cds_service.sequencing.conditions import Evaluator
from tests.chart import chart, given, procedure, regimen, response

AS_OF = date(2026, 3, 1)
T, F, U = True, False, None

# Leaves that are surely true, false and unknown of the patient below.
LEAF = {
    T: {"refractory_to": "daratumumab"},
    F: {"refractory_to": "carfilzomib"},
    U: {"refractory_to": "lenalidomide"},
}


@pytest.fixture(scope="module")
def evaluator(knowledge):
    record = chart(
        given("daratumumab", "2021-01-10", "2025-12-01", "progression"),
        given("lenalidomide", "2021-01-10"),  # stopped on an unrecorded day: unknown
        *regimen("bortezomib", "2021-01-10", "2021-06-10", "toxicity"),
        procedure("autologous-sct", "2021-08-01"),
        response("PD", "2025-11-20"),
        comorbidities=(
            ComorbidityFact("Condition/np", "peripheral-neuropathy", severity="grade-2"),
            ComorbidityFact("Condition/hf", "heart-failure"),
        ),
        measurements=(
            Measurement("Observation/crcl", "creatinine-clearance", DateSpan.on("2026-02-01"), 28, "mL/min"),
            Measurement("Observation/p", "platelets", DateSpan.on("2026-02-01"), 90, "10*9/L", text="<"),
            Measurement("Observation/t", "t-11-14", DateSpan.on("2021-01-01"), text="present"),
        ),
    )
    return Evaluator(derive(record, knowledge, AS_OF), knowledge, "EMA", "unknown")


@pytest.mark.parametrize(
    ("a", "b", "conjunction", "disjunction"),
    [
        (T, T, T, T),
        (T, F, F, T),
        (T, U, U, T),
        (F, T, F, T),
        (F, F, F, F),
        (F, U, F, U),
        (U, T, U, T),
        (U, F, F, U),
        (U, U, U, U),
    ],
)
def test_truth_tables(evaluator, a, b, conjunction, disjunction):
    both = condition_of({"all": [LEAF[a], LEAF[b]]})
    either = condition_of({"any": [LEAF[a], LEAF[b]]})
    assert evaluator.ask(both).value is conjunction
    assert evaluator.ask(either).value is disjunction


@pytest.mark.parametrize(("a", "negation"), [(T, F), (F, T), (U, U)])
def test_negation(evaluator, a, negation):
    assert evaluator.ask(condition_of({"not": LEAF[a]})).value is negation


def test_an_unknown_names_the_datum_that_would_decide_it(evaluator):
    outcome = evaluator.ask(condition_of({"all": [LEAF[T], LEAF[U]]}))
    assert outcome.missing == ("refractory:lenalidomide",)


def test_what_is_decided_without_the_unknown_asks_for_nothing(evaluator):
    assert evaluator.ask(condition_of({"any": [LEAF[T], LEAF[U]]})).missing == ()


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        ({"prior_lines": {"exactly": 1}}, T),
        ({"prior_lines": {"at_least": 2}}, F),
        ({"exposed_to": "lenalidomide"}, T),  # given, whatever came of it
        ({"exposed_to": "PI"}, T),
        ({"exposed_to": "BCMA"}, F),
        ({"naive_to": "BCMA"}, T),
        ({"naive_to": "PI"}, F),
        ({"naive_to": ["BCMA", "PI"]}, F),  # never given any of them
        ({"naive_to": ["BCMA", "GPRC5D"]}, T),
        ({"refractory_to": "anti-CD38"}, T),
        ({"refractory_to": "IMiD"}, U),
        ({"refractory_to": ["carfilzomib", "anti-CD38"]}, T),
        ({"intolerant_of": "bortezomib"}, T),
        ({"intolerant_of": "carfilzomib"}, F),
        ({"count_refractory": {"class": "anti-CD38", "at_least": 1}}, T),
        ({"count_refractory": {"class": "IMiD", "at_least": 1}}, U),
        ({"count_refractory": {"class": "IMiD", "at_least": 2}}, F),
        ({"count_exposed": {"class": "PI", "at_least": 1}}, T),
        ({"progressed_on_last_therapy": True}, T),
        ({"intolerant_of": "PI"}, T),
        ({"allergic_to": "PI"}, F),  # stopped for toxicity is no allergy
        ({"allergic_to": ["thalidomide", "lenalidomide"]}, F),
        ({"label": "first-relapse"}, T),
        ({"label": "triple-class-exposed"}, T),
        ({"age": {"at_least": 70}}, T),
        ({"age": {"over": 70}}, F),
        ({"ecog": {"at_least": 2}}, U),
        ({"sex": "female"}, T),
        ({"has": {"concept": "peripheral-neuropathy"}}, T),
        ({"has": {"concept": "peripheral-neuropathy", "grade_at_least": 2}}, T),
        (
            {"has": {"concept": "peripheral-neuropathy", "grade_at_least": 3}},
            U,
        ),  # another entry may be graver
        ({"has": {"concept": "heart-failure", "severity": ["NYHA-III", "NYHA-IV"]}}, U),
        ({"has": {"concept": "copd"}}, U),  # absence from the list is not absence
        ({"lab": {"concept": "creatinine-clearance", "under": 30}}, T),
        ({"lab": {"concept": "platelets", "under": 50}}, U),  # charted as "<90"
        ({"lab": {"concept": "platelets", "under": 90}}, T),
        ({"lab": {"concept": "platelets", "at_least": 30, "under": 70}}, U),  # both ends of it lie outside
        ({"lab": {"concept": "platelets", "at_least": 90}}, F),
        ({"lab": {"concept": "lvef", "under": 40}}, U),
        ({"biology": {"marker": "t-11-14", "is": "present"}}, T),
        ({"biology": {"marker": "del-17p", "is": "present"}}, U),
        ({"transplant": True}, T),
        ({"months_to_first_progression": {"under": 18}}, F),
        ({"months_from_transplant_to_progression": {"over": 36}}, T),
        ({"months_since_last": {"of": "anti-CD38", "under": 6}}, T),
        ({"months_since_last": {"of": "anti-CD38", "over": 6}}, F),
        ({"months_since_last": {"of": "BCMA", "under": 6}}, F),  # never given
        ({"planned": "apheresis"}, U),  # no plan charted is not "no plan"
        ({"car_t": "feasible"}, U),
        ({"region": "EMA"}, T),
        ({"region": "FDA"}, F),
    ],
)
def test_leaves(evaluator, condition, answer):
    assert evaluator.ask(condition_of(condition)).value is answer


def test_every_leaf_of_the_schema_is_known_and_tested_here(evaluator):
    from cds_service.knowledge.load import schemas

    schema = schemas()["condition"].schema
    leaves = set(schema["$defs"]["condition"]["properties"]) - {"all", "any", "not", "unknown"}
    assert leaves == set(evaluator._leaves)
    tested = {next(iter(mark)) for mark, _ in test_leaves.pytestmark[0].args[1]}
    assert leaves == tested
