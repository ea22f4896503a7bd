"""The rules of the sources, state by state: what is suggested first, and what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import groupby

import pytest

from cds_service.knowledge.load import read_yaml, root
from cds_service.knowledge.types import VERBS, Site
from cds_service.patient.state import derive
from cds_service.patient.types import Status
from cds_service.record import AllergyFact, ComorbidityFact, DateSpan, Measurement
from cds_service.sequencing.choose import Chooser, choose
from cds_service.sequencing.conditions import Evaluator
from cds_service.sequencing.labelling import label_status
from cds_service.sequencing.sketch import Given, Sketch, sketched
from cds_service.sequencing.worlds import undecided, with_weighed_unknowns
from tests.chart import chart, given, procedure, regimen, response

AS_OF = date(2026, 11, 1)
DRD = "daratumumab lenalidomide dexamethasone"
VRD = "bortezomib lenalidomide dexamethasone"
PD = response("PD", "2026-09-01")


def suggest(knowledge, facts, region="EMA", as_of=AS_OF, pathway="default", **more):
    state = derive(chart(*facts, **more), knowledge, as_of)
    return choose(state, knowledge, region, pathway)


CASES = [
    (
        "double-refractory to daratumumab and lenalidomide, PI naive",
        "EMA",
        [*regimen(DRD, "2022-01-10", "2026-08-20"), PD],
        ["s-vd", "p-vd", "kd", "bela-pd", "bela-vd"],
        "BAR-19",
    ),
    (
        "the same after bortezomib: cilta-cel is inside its label too",
        "EMA",
        [*regimen("bortezomib", "2022-01-10", "2022-06-10"), *regimen(DRD, "2022-01-10", "2026-08-20"), PD],
        ["s-vd", "p-vd", "kd", "bela-pd", "bela-vd", "cilta-cel"],
        "BAR-19",
    ),
    (
        "lenalidomide-refractory on maintenance, anti-CD38 naive",
        "EMA",
        [*regimen(VRD, "2022-01-10", "2026-08-20"), PD],
        ["isa-kd", "d-pd"],
        "BAR-15",
    ),
    (
        "bortezomib-refractory, lenalidomide naive",
        "EMA",
        [*regimen("bortezomib cyclophosphamide dexamethasone", "2024-01-10", "2026-08-20"), PD],
        ["d-rd", "krd"],
        "G-ESMO21-1",
    ),
    (
        "lenalidomide stopped for rash, relapse a year later",
        "EMA",
        [*regimen("lenalidomide dexamethasone", "2024-01-10", "2025-08-20", "toxicity"), PD],
        ["d-vd", "p-vd", "isa-kd", "d-kd", "s-vd", "kd"],
        "CHIM-1",
    ),
    (
        "whether lenalidomide is refractory cannot be told",
        "EMA",
        [
            *regimen("bortezomib dexamethasone", "2020-01-10", "2020-08-20"),
            given("lenalidomide", "2020-01-10"),
            PD,
        ],
        ["isa-kd", "d-kd", "d-vd", "s-vd", "p-vd", "kd"],
        "BAR-T1",
    ),
    (
        "relapse two years after a planned stop of VRd",
        "EMA",
        [*regimen(VRD, "2020-01-10", "2024-08-20", "completion"), PD],
        ["d-rd", "d-vd", "krd", "ird"],
        "CHIM-1",
    ),
    (
        "US: P-VD has no label there",
        "FDA",
        [*regimen("bortezomib", "2022-01-10", "2022-06-10"), *regimen(DRD, "2022-01-10", "2026-08-20"), PD],
        ["s-vd", "kd", "cilta-cel"],
        "BAR-19",
    ),
]


@pytest.mark.parametrize(("case", "region", "facts", "first", "rule"), CASES, ids=[c[0] for c in CASES])
def test_what_stands_first(knowledge, case, region, facts, first, rule):
    suggested = suggest(knowledge, facts, region).suggested
    keys = [s.regimen for s in suggested]
    assert keys[: len(first)] == first
    assert rule in suggested[0].rules


def test_s_vd_alone_is_recommended_by_one_rule(knowledge):
    suggested = suggest(knowledge, [*regimen(DRD, "2022-01-10", "2026-08-20"), PD]).suggested
    assert [s.regimen for s in suggested if s.recommended] == ["s-vd"]


def test_of_two_recommended_together_none_is_preselected(knowledge):
    suggested = suggest(knowledge, [*regimen(VRD, "2022-01-10", "2026-08-20"), PD]).suggested
    assert not any(s.recommended for s in suggested)


def test_every_regimen_is_in_exactly_one_list(knowledge):
    answer = suggest(knowledge, [*regimen(VRD, "2022-01-10", "2026-08-20"), PD])
    keys = [s.regimen for s in answer.suggested] + [n.regimen for n in answer.not_suggested]
    assert sorted(keys) == sorted(knowledge.regimens)
    assert all(n.reasons for n in answer.not_suggested)


def _codes(answer, key):
    return {r.code for n in answer.not_suggested if n.regimen == key for r in n.reasons}


@pytest.mark.parametrize(
    ("regimen_key", "code"),
    [
        ("d-rd", "refractory-component"),
        ("isa-kd", "refractory-class"),
        ("isa-kd", "avoided-by-rule"),
        ("pom-d", "outside-label"),
        ("kpd", "not-labelled"),
        ("bela", "withdrawn"),
        ("d-vtd", "outside-label"),
        ("tec-dara", "not-labelled"),
        ("vd", "no-rule"),
    ],
)
def test_why_a_regimen_is_not_suggested(knowledge, regimen_key, code):
    answer = suggest(knowledge, [*regimen(DRD, "2022-01-10", "2026-08-20"), PD])
    assert code in _codes(answer, regimen_key)


def test_a_rule_that_reaches_outside_the_label_is_told_not_followed(knowledge):
    answer = suggest(knowledge, [*regimen(DRD, "2022-01-10", "2026-08-20"), PD])
    texts = [r.text.en for n in answer.not_suggested if n.regimen == "cilta-cel" for r in n.reasons]
    assert any("BAR-27" in text and "outside its label" in text for text in texts)


def test_heart_failure_nyha_iii_leaves_no_carfilzomib(knowledge):
    failing = (ComorbidityFact("Condition/hf", "heart-failure", severity="NYHA-III"),)
    answer = suggest(knowledge, [*regimen(VRD, "2022-01-10", "2026-08-20"), PD], comorbidities=failing)
    chosen = [s.regimen for s in answer.suggested]
    assert "d-pd" in chosen
    assert not [key for key in chosen if "carfilzomib" in knowledge.regimens[key].components]
    assert "contraindicated" in _codes(answer, "isa-kd")


def test_heart_failure_of_unknown_severity_is_a_caution_that_puts_behind_the_equals(knowledge):
    failing = (ComorbidityFact("Condition/hf", "heart-failure"),)
    answer = suggest(knowledge, [*regimen(VRD, "2022-01-10", "2026-08-20"), PD], comorbidities=failing)
    keys = [s.regimen for s in answer.suggested]
    assert keys.index("d-pd") < keys.index("isa-kd")
    isa_kd = next(s for s in answer.suggested if s.regimen == "isa-kd")
    assert any(c.concept == "heart-failure" and c.concerns for c in isa_kd.cautions)


def test_grade_3_neuropathy_leaves_no_bortezomib(knowledge):
    neuropathy = (ComorbidityFact("Condition/np", "peripheral-neuropathy", severity="grade-3"),)
    answer = suggest(knowledge, [*regimen(DRD, "2022-01-10", "2026-08-20"), PD], comorbidities=neuropathy)
    chosen = [s.regimen for s in answer.suggested]
    assert "kd" in chosen
    assert not [key for key in chosen if "bortezomib" in knowledge.regimens[key].components]


def test_an_allergy_bars_every_regimen_with_the_drug(knowledge):
    allergy = (AllergyFact("AllergyIntolerance/a", "selinexor"),)
    answer = suggest(knowledge, [*regimen(DRD, "2022-01-10", "2026-08-20"), PD], allergies=allergy)
    assert "contraindicated" in _codes(answer, "s-vd")


def test_a_drug_not_in_the_formulary_is_not_suggested(knowledge):
    state = derive(chart(*regimen(DRD, "2022-01-10", "2026-08-20"), PD), knowledge, AS_OF)
    answer = choose(state, knowledge, "EMA", "default", Site({"selinexor": None}))
    assert "not-available-here" in _codes(answer, "s-vd")


def test_a_label_counts_from_its_day(knowledge):
    facts = [*regimen(DRD, "2022-01-10", "2025-06-20"), response("PD", "2025-06-25")]
    before = suggest(knowledge, facts, as_of=date(2025, 7, 1))
    after = suggest(knowledge, facts, as_of=date(2025, 8, 1))
    assert "bela-vd" not in [s.regimen for s in before.suggested]
    assert "bela-vd" in [s.regimen for s in after.suggested]


THREE_CLASSES = {name: Given(Status.EXPOSED) for name in ("bortezomib", "lenalidomide", "daratumumab")}
IN_APRIL_2024 = [
    # the EU label of cilta-cel widened on a day of April 2024 that nobody told: from 3 lines after all three
    # classes to 1 line, refractory to lenalidomide
    ("outside both", Sketch(drugs={"bortezomib": Given(Status.EXPOSED)}, prior_lines=1), "outside", ()),
    (
        "within the new one",
        Sketch(drugs={"bortezomib": Given(Status.EXPOSED), "lenalidomide": Given(Status.REFRACTORY)}),
        "unknown",
        ("label-date",),
    ),
    ("within the old one", Sketch(drugs=THREE_CLASSES, prior_lines=3), "unknown", ("label-date",)),
    (
        "within both",
        Sketch(drugs={**THREE_CLASSES, "lenalidomide": Given(Status.REFRACTORY)}, prior_lines=3),
        "within",
        (),
    ),
]


@pytest.mark.parametrize(
    ("case", "sketch", "status", "missing"), IN_APRIL_2024, ids=[c[0] for c in IN_APRIL_2024]
)
def test_a_label_in_the_month_it_changed(knowledge, case, sketch, status, missing):
    state = sketched(sketch, knowledge, date(2024, 4, 15))
    evaluator = Evaluator(state, knowledge, "EMA", "unknown")
    label, _ = label_status(knowledge.regimens["cilta-cel"], "EMA", evaluator, knowledge, state.as_of)
    assert (label.status, label.missing) == (status, missing)


def test_of_a_day_gone_by_the_rules_that_are_younger_are_counted(knowledge):
    facts = [*regimen(VRD, "2019-01-10", "2020-03-20"), response("PD", "2020-04-01")]
    then = suggest(knowledge, facts, as_of=date(2020, 6, 1), pathway="barila-2025")
    assert (then.suggested, then.disagreements) == ((), ())
    (remark,) = then.remarks
    assert remark.text.en.endswith("the first from 2025-05-01)")
    assert suggest(knowledge, facts, pathway="barila-2025").remarks == ()


def test_triple_class_refractory_after_bcma_prefers_talquetamab(knowledge):
    facts = [
        *regimen("bortezomib lenalidomide", "2015-01-10", "2017-01-10", "progression"),
        *regimen("daratumumab pomalidomide", "2017-03-10", "2019-01-10", "progression"),
        *regimen("carfilzomib", "2019-03-10", "2021-01-10", "progression"),
        given("ciltacabtagene-autoleucel", "2021-06-10", "2021-06-10"),
        PD,
    ]
    crcl = (Measurement("Observation/e", "ecog", DateSpan.on("2026-09-01"), 1),)
    suggested = suggest(knowledge, facts, "FDA", measurements=crcl).suggested
    assert suggested[0].regimen == "talquetamab"
    assert "BAR-32" in suggested[0].rules


def test_after_bcma_treatment_the_bcma_options_stand_last(knowledge):
    facts = [
        *regimen("bortezomib lenalidomide", "2015-01-10", "2017-01-10", "progression"),
        *regimen("daratumumab pomalidomide", "2017-03-10", "2019-01-10", "progression"),
        *regimen("carfilzomib", "2019-03-10", "2021-01-10", "progression"),
        given("idecabtagene-vicleucel", "2021-06-10", "2021-06-10"),
        PD,
    ]
    suggested = suggest(knowledge, facts, "FDA").suggested
    with_bcma = ["BCMA" in str([knowledge.drugs[d].classes for d in knowledge.regimens[s.regimen].components])
                 for s in suggested if s.strength == "consider"]  # fmt: skip
    assert with_bcma == sorted(with_bcma)
    assert True in with_bcma and False in with_bcma


def test_disagreements_of_the_sources_are_shown_where_both_would_speak(knowledge):
    answer = suggest(knowledge, [*regimen(VRD, "2022-01-10", "2026-08-20"), PD])
    assert "X-01" in [one.id for one in answer.disagreements]


def test_nothing_is_suggested_where_no_choice_is_due(knowledge):
    answer = suggest(knowledge, [*regimen(DRD, "2025-01-10", ongoing=True), response("VGPR", "2026-02-01")])
    assert answer.suggested == ()
    assert {r.code for n in answer.not_suggested for r in n.reasons} == {"no-choice-due"}


def test_ixazomib_is_not_offered_to_disease_refractory_to_bortezomib(knowledge):
    facts = [*regimen("bortezomib cyclophosphamide dexamethasone", "2024-01-10", "2026-08-20"), PD]
    assert "no-rule" in _codes(suggest(knowledge, facts), "ird")


def test_one_source_alone_speaks_only_its_own_rules(knowledge):
    facts = [*regimen(VRD, "2020-01-10", "2024-08-20", "completion"), PD]
    assert [s.regimen for s in suggest(knowledge, facts, pathway="qa-article").suggested] == ["rd", "kd"]


def test_an_unknown_refractoriness_neither_fires_a_rule_nor_vanishes(knowledge):
    facts = [
        given("lenalidomide", "2022-01-10"),
        *regimen("bortezomib dexamethasone", "2022-01-10", "2022-08-01", "completion"),
        PD,
    ]
    answer = suggest(knowledge, facts)
    steps = {step.step: step.outcome for step in answer.trace if step.regimen == "isa-kd"}
    assert steps["rule:BAR-15"].value is None
    assert steps["rule:BAR-15"].missing == ("refractory:lenalidomide",)


def test_transplant_and_time_after_it_gate_melflufen(knowledge):
    lines = [
        *regimen("bortezomib lenalidomide", "2015-01-10", "2015-06-10"),
        procedure("autologous-sct", "2015-08-10"),
        response("PD", "2017-01-05"),
        *regimen("daratumumab pomalidomide", "2017-03-10", "2019-01-10", "progression"),
        *regimen("carfilzomib lenalidomide", "2019-03-10", "2026-08-20", "progression"),
    ]
    early = suggest(knowledge, [*lines, PD])
    assert "melflufen-d" not in [s.regimen for s in early.suggested]


@pytest.mark.parametrize(
    ("pathway", "ids"),
    [
        ("barila-2025", [f"BAR-{n:02}" for n in range(1, 38)]),
        ("qa-article", [f"ORA-{n:02}" for n in range(1, 29)]),
        ("de-arriba-2022", [f"ARR-{n:02}" for n in range(1, 6)]),
    ],
)
def test_every_statement_of_a_source_stands_in_its_own_order(pathway, ids):
    raw = read_yaml((root() / f"pathways/sequencing/{pathway}.yaml").read_text(encoding="utf-8"))
    table_1 = {"BAR-T1", "BAR-T2"}  # the review's own table, for whom no numbered rule speaks
    # BAR-12b says the second half of the statement of BAR-12 and stands right behind it.
    numbered = [rule["id"].rstrip("b") for rule in raw["rules"] if rule["id"] not in table_1]
    assert [key for key, _ in groupby(numbered)] == ids
    assert all(("not_executable" in r) or sum(verb in r for verb in VERBS) == 1 for r in raw["rules"])


def _weighed(knowledge, facts):
    state = derive(chart(*facts), knowledge, AS_OF)
    chooser = Chooser(state, knowledge, "EMA", "default")
    weighed = with_weighed_unknowns(state, undecided(chooser, chooser.judge_all()), knowledge, "en")
    return {u.what: u.changes_suggestions for u in weighed.unknown}


def test_whether_lenalidomide_is_refractory_would_change_the_answer(knowledge):
    facts = [
        given("lenalidomide", "2022-01-10"),
        *regimen("bortezomib dexamethasone", "2022-01-10", "2022-08-01", "completion"),
        PD,
    ]
    assert _weighed(knowledge, facts)["refractory:lenalidomide"]


def test_whether_vincristine_is_refractory_would_not(knowledge):
    facts = [*regimen(VRD, "2020-01-10", "2026-08-20"), given("vincristine", "2020-01-10"), PD]
    assert _weighed(knowledge, facts) == {"refractory:vincristine": False, "ecog": False, "car-t": True}


def test_a_second_bcma_car_t_is_avoided(knowledge):
    facts = [
        *regimen("bortezomib lenalidomide", "2015-01-10", "2017-01-10", "progression"),
        *regimen("daratumumab pomalidomide", "2017-03-10", "2019-01-10", "progression"),
        given("idecabtagene-vicleucel", "2021-06-10", "2021-06-10"),
        PD,
    ]
    assert "avoided-by-rule" in _codes(suggest(knowledge, facts), "cilta-cel")


def _of(knowledge, sketch, region="EMA"):
    return choose(sketched(sketch, knowledge, AS_OF), knowledge, region, "default")


TRIPLE = {name: Given(Status.REFRACTORY) for name in ("lenalidomide", "bortezomib", "daratumumab")}


@pytest.mark.parametrize(
    ("case", "sketch", "before", "behind"),
    [
        ("of two CAR-T products cilta-cel", Sketch(drugs=TRIPLE, prior_lines=3), "cilta-cel", "ide-cel"),
        (
            "low performance status: talquetamab before the BCMA bispecifics",
            Sketch(drugs=TRIPLE, prior_lines=4, ecog=2, car_t="not-feasible"),
            "talquetamab",
            "teclistamab",
        ),
        (
            "hypogammaglobulinaemia is replaced: no regimen falls behind for it",
            Sketch(drugs={"lenalidomide": Given(Status.REFRACTORY, 0)}, labs={"igg": 300}),
            "isa-kd",
            "kd",
        ),
    ],
)
def test_what_stands_before_what(knowledge, case, sketch, before, behind):
    keys = [one.regimen for one in _of(knowledge, sketch).suggested]
    assert keys.index(before) < keys.index(behind)


def test_an_order_rule_leaves_the_others_where_they_were(knowledge):
    """Talquetamab stands before BCMA bispecifics, not before all that they stood beside."""
    default = knowledge.pathways["default"]
    without = replace(default, rules=tuple(rule for rule in default.rules if rule.id != "BAR-32b"))
    unordered = replace(knowledge, pathways={**knowledge.pathways, "default": without})
    after_bcma = {**TRIPLE, "belantamab-mafodotin": Given(Status.REFRACTORY, 24)}
    sketch = Sketch(drugs=after_bcma, prior_lines=4, has=(("low-ejection-fraction", ""),))

    def others(known):
        keys = [one.regimen for one in _of(known, sketch).suggested]
        return [key for key in keys if key not in ("teclistamab", "elranatamab", "linvoseltamab")]

    assert "talquetamab" in others(knowledge)
    assert others(knowledge) == others(unordered)


def test_none_is_recommended_while_a_rule_that_would_lead_is_open(knowledge):
    known = Sketch(drugs={"lenalidomide": Given(Status.REFRACTORY), "daratumumab": Given(Status.REFRACTORY)})
    open_one = replace(known, prior_lines=None)
    assert [one.regimen for one in _of(knowledge, known).suggested if one.recommended] == ["s-vd"]
    assert not any(one.recommended for one in _of(knowledge, open_one).suggested)


def test_where_the_lines_cannot_be_counted_one_at_least_is_known(knowledge):
    sketch = Sketch(drugs={"lenalidomide": Given(Status.REFRACTORY)}, prior_lines=None)
    trace = {(step.regimen, step.step): step.outcome.value for step in _of(knowledge, sketch).trace}
    assert trace["kd", "gate:label"] is True  # from one prior line on
    assert trace["d-pd", "rule:BAR-15"] is None  # exactly one
