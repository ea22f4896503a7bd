"""Unknown data asked both ways: which datum would decide, and what would be suggested then."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cds_service.knowledge.entries import condition_of
from cds_service.patient.state import derive
from cds_service.patient.types import Status
from cds_service.sequencing.choose import Chooser
from cds_service.sequencing.sketch import Given, Sketch, sketched, with_drug
from cds_service.sequencing.worlds import settled, undecided, with_weighed_unknowns
from tests.chart import chart, given, regimen, response

AS_OF = date(2026, 11, 30)
R, E, U = Status.REFRACTORY, Status.EXPOSED, Status.UNKNOWN
FIRST = Sketch(prior_lines=1, drugs={"bortezomib": Given(E), "lenalidomide": Given(R, 0)})
LATE = Sketch(
    prior_lines=4,
    drugs={"lenalidomide": Given(R), "bortezomib": Given(R), "daratumumab": Given(R)},
)


def weighed(knowledge, sketch, region="EMA"):
    chooser = Chooser(sketched(sketch, knowledge, AS_OF), knowledge, region, "default")
    return {one.datum: one for one in undecided(chooser, chooser.judge_all())}


def suggested(knowledge, sketch, region="EMA"):
    chooser = Chooser(sketched(sketch, knowledge, AS_OF), knowledge, region, "default")
    return tuple(one.regimen for one in chooser.ordered(chooser.judge_all()))


CASES = [
    # case, the state, the datum, and by world what is suggested that is not now, and what no more
    (
        "whether daratumumab is refractory decides on every anti-CD38 regimen",
        with_drug(FIRST, "daratumumab", U),
        "refractory:daratumumab",
        {"refractory": (set(), {"isa-kd", "d-kd", "d-vd"}), "not-refractory": ({"d-pd"}, set())},
    ),
    (
        "whether cells can be given",
        FIRST,
        "car-t",
        {"feasible": (set(), set()), "not-feasible": (set(), {"cilta-cel"})},
    ),
    (
        "heart failure not charted",
        FIRST,
        "comorbidity:heart-failure",
        {"absent": (set(), set()), "severe": (set(), {"isa-kd", "d-kd", "kd"})},
    ),
    (
        "heart failure charted, its severity not: what is there cannot be absent",
        replace(FIRST, has=(("heart-failure", ""),)),
        "comorbidity:heart-failure",
        {"less-severe": (set(), set()), "severe": (set(), {"isa-kd", "d-kd", "kd"})},
    ),
    (
        "performance status and the choice of a bispecific",
        replace(LATE, ecog=None, car_t="not-feasible"),
        "ecog",
        {"0": (set(), set()), "3": (set(), set())},
    ),
    (
        "progression on the last therapy, a gate of EU labels",
        replace(LATE, progressed_on_last=None),
        "progressed-on-last",
        {
            "yes": (set(), set()),
            "no": (set(), {"teclistamab", "elranatamab", "talquetamab", "linvoseltamab"}),
        },
    ),
]


@pytest.mark.parametrize(("case", "sketch", "datum", "worlds"), CASES, ids=[c[0] for c in CASES])
def test_a_datum_and_its_worlds(knowledge, case, sketch, datum, worlds):
    found = weighed(knowledge, sketch)[datum]
    told = {world.settled: world for world in found.worlds}
    assert set(told) == set(worlds)
    for name, (adds, removes) in worlds.items():
        assert adds <= set(told[name].adds), name
        assert removes <= set(told[name].removes), name
        if not adds and not removes:
            assert not told[name].adds and not told[name].removes
    assert found.steps and found.regimens


def test_the_performance_status_decides_which_bispecific_stands_first(knowledge):
    found = weighed(knowledge, replace(LATE, ecog=None, car_t="not-feasible"))["ecog"]
    first = {
        world.settled: next(key for key in world.suggested if key in ("teclistamab", "talquetamab"))
        for world in found.worlds
    }
    assert first == {"0": "teclistamab", "3": "talquetamab"}
    assert found.changes_suggestions


def test_how_many_lines_there_were_is_asked_from_the_least_that_is_known(knowledge):
    found = weighed(knowledge, replace(FIRST, prior_lines=None))["prior-lines"]
    told = {world.settled: world for world in found.worlds}
    assert min(map(int, told)) == 1
    assert "d-pd" in told["1"].suggested and "bela-pd" in told["3"].suggested
    assert told["1"].suggested[:2] == ("isa-kd", "d-pd")


def test_an_early_relapse_is_asked_for_though_the_lines_cannot_be_counted(knowledge):
    late = {"lenalidomide": Given(R), "bortezomib": Given(E), "daratumumab": Given(E)}
    state = sketched(Sketch(drugs=late, prior_lines=None, months_to_first_progression=None), knowledge, AS_OF)
    state = replace(state, open_labels=frozenset({"functional-high-risk"}))
    chooser = Chooser(state, knowledge, "EMA", "default")
    found = {one.datum: one for one in undecided(chooser, chooser.judge_all())}["months"]
    adds = {float(world.settled.removesuffix("-months")): world.adds for world in found.worlds}
    assert {months for months, added in adds.items() if "cilta-cel" in added} == {9.0}
    assert min(months for months in adds if months > 9) >= 18


def test_whoever_learns_that_a_drug_was_given_does_not_learn_that_it_still_works(knowledge):
    state = sketched(with_drug(FIRST, "daratumumab", U), knowledge, AS_OF)
    unseen = replace(state.drugs["daratumumab"], first=None, last=None)
    state = replace(state, drugs={**state.drugs, "daratumumab": unseen})
    (given_once,) = (
        then for name, then in settled(state, "exposed:daratumumab", knowledge) if name == "given"
    )
    answer = Chooser(given_once, knowledge, "EMA", "default").evaluator
    assert answer.ask(condition_of({"exposed_to": "daratumumab"})).value is True
    assert answer.ask(condition_of({"refractory_to": "daratumumab"})).value is None


def test_what_no_rule_of_this_patient_waits_for_is_not_asked(knowledge):
    assert "ecog" not in weighed(knowledge, replace(FIRST, ecog=None))
    assert "refractory:thalidomide" not in weighed(knowledge, with_drug(FIRST, "thalidomide", U))


def test_nothing_is_asked_where_no_choice_is_due(knowledge):
    assert weighed(knowledge, replace(FIRST, due=False)) == {}


def test_a_card_asks_for_what_decides_and_not_for_every_comorbidity(knowledge):
    state = derive(
        chart(
            *regimen("bortezomib lenalidomide dexamethasone", "2022-01-10", "2026-08-20"),
            response("PD", "2026-09-01"),
        ),
        knowledge,
        AS_OF,
    )
    chooser = Chooser(state, knowledge, "EMA", "default")
    found = undecided(chooser, chooser.judge_all())
    asked = [
        u.what for u in with_weighed_unknowns(state, found, knowledge, "en").unknown if u.changes_suggestions
    ]
    assert asked == ["car-t"]
    assert "comorbidity:heart-failure" in {one.datum for one in found if one.changes_suggestions}


def test_without_a_history_the_history_is_what_is_missing(knowledge):
    state = derive(chart(response("PD", "2026-09-01"), given("lenalidomide", "2025-01-10")), knowledge, AS_OF)
    state = replace(state, history_known=False, needs_treatment_choice=True)
    chooser = Chooser(state, knowledge, "EMA", "default")
    data = {one.datum for one in undecided(chooser, chooser.judge_all())}
    assert not [datum for datum in data if datum.startswith("exposed:")]
