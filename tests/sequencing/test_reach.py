"""Rules that can never fire and regimens that no rule can bring are found; those shipped all can."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cds_service.knowledge.entries import condition_of
from cds_service.sequencing.reach import brought_by, can_fire, ways, witnesses

AS_OF = date(2026, 11, 30)


@pytest.mark.parametrize(
    "pathway",
    ["barila-2025", "guidelines", "chim-2018", "qa-article", "de-arriba-2022", "newer-options", "default"],
)
def test_every_shipped_rule_can_fire(knowledge, pathway):
    rules = knowledge.pathways[pathway].rules
    assert rules
    assert [rule.id for rule in rules if not can_fire(rule, knowledge, AS_OF)] == []


IMPOSSIBLE = [
    ("two lines and one", {"all": [{"prior_lines": {"exactly": 1}}, {"prior_lines": {"at_least": 2}}]}),
    ("given and never given", {"all": [{"exposed_to": "lenalidomide"}, {"naive_to": "IMiD"}]}),
    (
        "refractory and not",
        {"all": [{"refractory_to": "daratumumab"}, {"not": {"refractory_to": "anti-CD38"}}]},
    ),
    ("older and younger", {"all": [{"age": {"over": 75}}, {"age": {"under": 70}}]}),
    ("in both regions", {"all": [{"region": "EMA"}, {"region": "FDA"}]}),
    ("feasible and not", {"all": [{"car_t": "feasible"}, {"car_t": "not-feasible"}]}),
    (
        "a first relapse after two lines",
        {"all": [{"label": "first-relapse"}, {"prior_lines": {"exactly": 2}}]},
    ),
    ("no choice is due", {"label": "not-applicable"}),
    ("every drug of a class denied", {"all": [{"label": "triple-class-exposed"}, {"naive_to": "PI"}]}),
]


@pytest.mark.parametrize(("case", "condition"), IMPOSSIBLE, ids=[c[0] for c in IMPOSSIBLE])
def test_a_condition_that_contradicts_itself_has_no_witness(knowledge, case, condition):
    when = condition_of(condition)
    assert [s for region in ("EMA", "FDA") for s in witnesses(when, knowledge, region, AS_OF)] == []


POSSIBLE = [
    ("within limits", {"all": [{"lab": {"concept": "creatinine-clearance", "at_least": 30, "under": 50}}]}),
    ("long since BCMA", {"months_since_last": {"of": "BCMA", "at_least": 6}}),
    ("not high risk", {"not": {"label": "functional-high-risk"}}),
    ("penta-refractory", {"all": [{"label": "penta-refractory"}, {"prior_lines": {"at_least": 4}}]}),
    ("two of three classes", {"label": "double-refractory"}),
    ("no transplant", {"not": {"transplant": True}}),
    (
        "triple-class exposed by other drugs than bortezomib",
        {"all": [{"label": "triple-class-exposed"}, {"not": {"exposed_to": "bortezomib"}}]},
    ),
    (
        "double-refractory, to proteasome inhibitors not",
        {"all": [{"label": "double-refractory"}, {"not": {"refractory_to": "PI"}}]},
    ),
    (
        "two proteasome inhibitors, bortezomib not among them",
        {
            "all": [
                {"count_refractory": {"class": "PI", "at_least": 2}},
                {"not": {"refractory_to": "bortezomib"}},
            ]
        },
    ),
    (
        "quad-refractory but for pomalidomide",
        {"all": [{"label": "quad-refractory"}, {"not": {"refractory_to": "pomalidomide"}}]},
    ),
    (
        "three classes, bortezomib never",
        {
            "all": [
                {"exposed_to": "PI"},
                {"exposed_to": "alkylator"},
                {"exposed_to": "BCMA"},
                {"not": {"exposed_to": "bortezomib"}},
            ]
        },
    ),
    ("half a year to a year", {"months_since_last": {"of": "PI", "at_least": 6, "under": 12}}),
    (
        "one of two",
        {"any": [{"naive_to": "PI"}, {"has": {"concept": "heart-failure", "severity": ["NYHA-III"]}}]},
    ),
]


@pytest.mark.parametrize(("case", "condition"), POSSIBLE, ids=[c[0] for c in POSSIBLE])
def test_a_condition_that_can_hold_has_a_witness(knowledge, case, condition):
    assert next(witnesses(condition_of(condition), knowledge, "EMA", AS_OF), None) is not None


def test_not_all_fails_in_as_many_ways_as_it_has_parts():
    condition = condition_of({"not": {"all": [{"sex": "female"}, {"transplant": True}]}})
    assert [[(leaf.op, holds) for leaf, holds in way] for way in ways(condition)] == [
        [("sex", False)],
        [("transplant", False)],
    ]


def test_a_regimen_is_brought_by_a_rule_that_meets_its_label(knowledge):
    rules = knowledge.pathways["default"].rules
    rule, region = brought_by(knowledge.regimens["sel-d"], rules, knowledge, "default", AS_OF)
    assert (rule, region) == ("G-ESMO21-4b", "EMA")


def test_a_rule_that_never_meets_a_label_brings_nothing(knowledge):
    rules = [r for r in knowledge.pathways["qa-article"].rules if r.id == "ORA-04"]  # KPd, labelled nowhere
    assert brought_by(knowledge.regimens["kpd"], rules, knowledge, "qa-article", AS_OF) is None


def test_a_rule_outside_the_lines_of_its_label_brings_nothing(knowledge):
    only_first = condition_of({"prior_lines": {"exactly": 1}})
    pathway = knowledge.pathways["default"]
    rules = [replace(r, when=only_first) for r in pathway.rules if "teclistamab" in r.target.regimens]
    changed = replace(
        knowledge, pathways={**knowledge.pathways, "default": replace(pathway, rules=tuple(rules))}
    )
    assert brought_by(knowledge.regimens["teclistamab"], rules, changed, "default", AS_OF) is None
