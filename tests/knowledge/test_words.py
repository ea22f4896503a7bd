"""Conditions in words: as a haematologist would say them, in both languages, for every leaf there is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cds_service.knowledge
from cds_service.knowledge.entries import condition_of
from cds_service.knowledge.load import load, read_yaml
from cds_service.knowledge.types import Condition
from cds_service.knowledge.words import in_words

KNOWLEDGE = load()
SCHEMA = json.loads(
    (Path(cds_service.knowledge.__file__).parent / "schemas" / "condition.schema.json").read_text("utf-8")
)
LEAVES = [
    op for op in SCHEMA["$defs"]["condition"]["properties"] if op not in ("all", "any", "not", "unknown")
]


def said(written: str, language: str = "en") -> str:
    return in_words(condition_of(read_yaml(written)), KNOWLEDGE).in_language(language)


@pytest.mark.parametrize(
    "written, words",
    [
        ("prior_lines: {exactly: 1}", "one prior line"),
        ("prior_lines: {exactly: 2}", "two prior lines"),
        ("prior_lines: {exactly: 12}", "12 prior lines"),
        ("prior_lines: {at_least: 1}", "at least one prior line"),
        ("prior_lines: {at_least: 3}", "at least three prior lines"),
        ("prior_lines: {at_least: 1, at_most: 3}", "one to three prior lines"),
        ("all: [{prior_lines: {at_least: 1}}, {prior_lines: {at_most: 2}}]", "one or two prior lines"),
        ("not: {prior_lines: {exactly: 1}}", "not one prior line"),
        ("exposed_to: [PI, lenalidomide]", "exposed to proteasome inhibitors or lenalidomide"),
        ("not: {exposed_to: BCMA}", "never given agents against BCMA"),
        ("refractory_to: lenalidomide", "refractory to lenalidomide"),
        ("unknown: {refractory_to: lenalidomide}", "not known whether refractory to lenalidomide"),
        ("not: {unknown: {refractory_to: lenalidomide}}", "known whether refractory to lenalidomide"),
        ("not: {refractory_to: anti-CD38}", "not refractory to anti-CD38 antibodies"),
        ("not: {not: {refractory_to: anti-CD38}}", "refractory to anti-CD38 antibodies"),
        ("naive_to: PI", "never given proteasome inhibitors"),
        ("intolerant_of: steroid", "intolerant of corticosteroids"),
        ("count_refractory: {class: PI, at_least: 2}", "refractory to at least 2 proteasome inhibitors"),
        ("count_refractory: {class: PI, at_least: 1}", "refractory to proteasome inhibitors"),
        (
            "not: {count_exposed: {class: IMiD, at_least: 3}}",
            "exposed to fewer than 3 immunomodulatory drugs",
        ),
        (
            "progressed_on_last_therapy: true",
            "progression on the last therapy or within 60 days of it",
        ),
        ("label: triple-class-exposed", "triple-class exposed"),
        ("not: {label: first-relapse}", "not first relapse"),
        ("age: {over: 75}", "age over 75"),
        ("ecog: {at_least: 2}", "ECOG at least 2"),
        ("sex: female", "female"),
        ("has: {concept: hepatitis-b}", "hepatitis B"),
        ("not: {has: {concept: copd}}", "no chronic obstructive pulmonary disease"),
        (
            "has: {concept: peripheral-neuropathy, grade_at_least: 3}",
            "peripheral neuropathy of grade 3 or higher",
        ),
        (
            "has: {concept: heart-failure, severity: [NYHA-III, NYHA-IV, severe]}",
            "heart failure (NYHA III, NYHA IV or severe)",
        ),
        ("has: {concept: ckd, severity: [stage-3b]}", "chronic kidney disease (stage 3b)"),
        ("has: {concept: myocardial-infarction, severity: [recent]}", "myocardial infarction (recent)"),
        (
            "lab: {concept: creatinine-clearance, at_least: 30, under: 50}",
            "creatinine clearance at least 30 and under 50 mL/min",
        ),
        ("lab: {concept: platelets, under: 75}", "platelets under 75 x10^9/L"),
        ("lab: {concept: neutrophils-abs, under: 0.5}", "neutrophils under 0.5 x10^9/L"),
        ("lab: {concept: inr, over: 1.5}", "INR over 1.5"),
        ("not: {lab: {concept: lvef, under: 40}}", "left ventricular ejection fraction not under 40 %"),
        ("biology: {marker: t-11-14, is: absent}", "t(11;14) absent"),
        ("not: {transplant: true}", "no autologous transplant"),
        ("months_to_first_progression: {under: 18}", "time to the first progression under 18 months"),
        (
            "months_from_transplant_to_progression: {over: 36}",
            "time from transplant to progression over 36 months",
        ),
        ("region: FDA", "in the US"),
        ("car_t: not-feasible", "CAR-T cells cannot be given"),
        ("planned: apheresis", "apheresis planned"),
        ("months_since_last: {of: BCMA, under: 6}", "last dose of agents against BCMA under 6 months ago"),
    ],
)
def test_a_leaf_in_english(written: str, words: str) -> None:
    assert said(written) == words


@pytest.mark.parametrize(
    "written, words",
    [
        ("prior_lines: {exactly: 1}", "una linea precedente"),
        ("not: {refractory_to: anti-CD38}", "malattia non refrattaria ad anticorpi anti-CD38"),
        ("exposed_to: [PI, lenalidomide]", "già trattati con inibitori del proteasoma o lenalidomide"),
        ("lab: {concept: neutrophils-abs, under: 0.5}", "neutrofili sotto 0,5 x10^9/L"),
        ("has: {concept: heart-failure, severity: [NYHA-IV]}", "scompenso cardiaco (NYHA IV)"),
        ("region: EMA", "nell'UE"),
        (
            "any: [{label: quad-refractory}, {ecog: {over: 1}}]",
            "malattia quadri-refrattaria oppure ECOG oltre 1",
        ),
    ],
)
def test_a_condition_in_italian(written: str, words: str) -> None:
    assert said(written, "it") == words


@pytest.mark.parametrize(
    "case, written, words",
    [
        (
            "what must all hold is parted by semicolons",
            "all: [{prior_lines: {exactly: 1}}, {refractory_to: lenalidomide},"
            " {not: {refractory_to: anti-CD38}}]",
            "one prior line; refractory to lenalidomide; not refractory to anti-CD38 antibodies",
        ),
        (
            "an alternative among them",
            "all: [{prior_lines: {at_least: 1}}, {any: [{has: {concept: dialysis}}, {age: {over: 75}},"
            " {ecog: {over: 1}}]}]",
            "at least one prior line; either dialysis, age over 75 or ECOG over 1",
        ),
        (
            "a pair inside an alternative is held together",
            "any: [{all: [{prior_lines: {exactly: 1}}, {refractory_to: lenalidomide}]},"
            " {prior_lines: {at_least: 2}}]",
            "either (one prior line and refractory to lenalidomide) or at least two prior lines",
        ),
        (
            "not both",
            "not: {all: [{intolerant_of: daratumumab}, {intolerant_of: isatuximab}]}",
            "not both intolerant of daratumumab and intolerant of isatuximab",
        ),
        (
            "none of several",
            "not: {any: [{refractory_to: PI}, {exposed_to: BCMA}]}",
            "not refractory to proteasome inhibitors and never given agents against BCMA",
        ),
        (
            "what is not known",
            "all: [{unknown: {refractory_to: lenalidomide}}, {not: {unknown: {ecog: {over: 1}}}}]",
            "not known whether refractory to lenalidomide; known whether ECOG over 1",
        ),
        (
            "nested alls are one",
            "all: [{all: [{region: EMA}, {ecog: {at_most: 1}}]}, {region: EMA}]",
            "in the EU; ECOG at most 1",
        ),
    ],
)
def test_conditions_together(case: str, written: str, words: str) -> None:
    assert said(written) == words, case


def test_no_condition_is_nobody_in_particular() -> None:
    assert in_words(None, KNOWLEDGE).en == "nobody in particular"


def test_a_leaf_that_nobody_has_words_for_is_not_passed_over() -> None:
    with pytest.raises(KeyError, match="weather"):
        in_words(Condition("weather", argument="fine"), KNOWLEDGE)


EXAMPLES: dict[str, Any] = {
    "count": [{"exactly": 1}, {"at_least": 2}, {"at_most": 3}, {"at_least": 1, "at_most": 3}],
    "drugs_or_classes": ["PI", ["lenalidomide", "anti-CD38"]],
    "members": [{"class": "PI", "at_least": 2}],
    "bounds": [{"over": 3}, {"under": 3}, {"at_least": 3}, {"at_most": 3}],
    "comorbidity": [
        {"concept": "copd"},
        {"concept": "copd", "grade_at_least": 2},
        *(
            {"concept": "copd", "severity": [s]}
            for s in ("grade-3", "NYHA-II", "stage-4", "mild", "moderate")
        ),
        *({"concept": "copd", "severity": [s]} for s in ("severe", "recent", "old")),
    ],
    "observation": [{"concept": "igg", "over": 3, "at_most": 5}],
    "marker": [{"marker": "del17p", "is": "present"}, {"marker": "del17p", "is": "absent"}],
}


def arguments(leaf: str) -> Iterator[Any]:
    """An argument of each kind that the schema lets the leaf have."""
    schema = SCHEMA["$defs"]["condition"]["properties"][leaf]
    if "$ref" in schema:
        yield from EXAMPLES[schema["$ref"].rpartition("/")[2]]
    elif "const" in schema:
        yield schema["const"]
    elif "enum" in schema:
        yield from schema["enum"]
    else:  # months_since_last
        yield {"of": "BCMA", "under": 6}


@pytest.mark.parametrize("leaf, argument", [(leaf, arg) for leaf in LEAVES for arg in arguments(leaf)])
def test_every_leaf_has_its_words_in_both_languages(leaf: str, argument: Any) -> None:
    condition = Condition(leaf, argument=argument)
    for either in (condition, Condition("not", (condition,))):
        words = in_words(either, KNOWLEDGE)
        assert words.en and words.it
        assert "{" not in words.en + words.it and "_" not in words.en + words.it
    assert in_words(condition, KNOWLEDGE) != in_words(Condition("not", (condition,)), KNOWLEDGE)


def test_whatever_a_condition_can_name_has_a_name_in_both_languages() -> None:
    entries = [
        *KNOWLEDGE.mappings["comorbidities"]["comorbidities"],
        *KNOWLEDGE.mappings["observations"]["observations"],
    ]
    assert [entry["key"] for entry in entries if set(entry.get("name", ())) != {"en", "it"}] == []
    assert [c.key for c in KNOWLEDGE.classes.values() if not (c.plural and c.plural.it)] == []


def test_the_words_of_no_leaf_are_left_over() -> None:
    stems = {leaf.replace("_", "-") for leaf in LEAVES}
    stems |= {"and", "or", "not", "either", "not-both", "nobody-in-particular", "unknown"}
    for name in KNOWLEDGE.definitions["sentences"]["condition_words"]:
        bare = name.removeprefix("not-") if name not in stems else name
        assert any(bare == stem or bare.startswith(f"{stem}-") for stem in stems), name
