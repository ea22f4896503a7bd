"""A walk over a sample of all states, and that the walk would notice what it looks for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cds_service.knowledge.types import Condition, Pathway, Target
from cds_service.patient.types import Status
from cds_service.sequencing.choose import choose
from cds_service.sequencing.sketch import Given, Sketch, sketched
from cds_service.sequencing.space import Kept, compared, points, size, violations, walk
from cds_service.sequencing.types import Recommendation

AS_OF = date(2026, 11, 30)
EVERY = 997
"""A prime, so that the sample walks through every list of the space."""


@pytest.fixture(scope="module")
def walked(knowledge):
    return walk(points(knowledge, EVERY), knowledge, "default", AS_OF)


def test_the_space_holds_hundreds_of_thousands_of_states(knowledge):
    assert size(knowledge) > 200_000


def test_every_invariant_holds_in_the_sample(walked):
    assert walked.states > 250
    assert walked.violations == []


def test_no_state_is_left_without_an_answer_but_those_known(walked):
    assert walked.unanswered == []
    assert walked.gaps


def test_first_suggestions_are_many_and_in_both_regions(walked):
    for region in ("EMA", "FDA"):
        firsts = {regimen for own, _, regimen in walked.first if own == region}
        assert {"d-rd", "isa-pd", "s-vd", "talquetamab"} <= firsts


# The walk would notice -----------------------------------------------------------------------------------
LENALIDOMIDE = Sketch(drugs={"lenalidomide": Given(Status.REFRACTORY), "bortezomib": Given(Status.EXPOSED)})

IN_EUROPE = Condition("region", argument="EMA")


def answer(knowledge, sketch=LENALIDOMIDE, region="EMA") -> tuple[object, Recommendation]:
    state = sketched(sketch, knowledge, AS_OF)
    return state, choose(state, knowledge, region, "default")


def first_as(found: Recommendation, regimen: str) -> Recommendation:
    first = replace(found.suggested[0], regimen=regimen)
    others = tuple(o for o in found.not_suggested if o.regimen != regimen)
    return replace(found, suggested=(first, *found.suggested[1:]), not_suggested=others)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda a: first_as(a, "d-rd"), "refractory to lenalidomide"),
        (lambda a: replace(a, suggested=a.suggested[::-1]), "ranks"),
        (lambda a: replace(a, not_suggested=a.not_suggested[1:]), "neither list"),
        (lambda a: replace(a, trace=a.trace[100:]), "trace"),
    ],
)
def test_a_broken_answer_is_noticed(knowledge, broken, words):
    state, found = answer(knowledge)
    assert not list(violations(state, found, knowledge))
    assert any(words in sentence for sentence in violations(state, broken(found), knowledge))


def test_a_rule_for_a_refractory_class_is_noticed_by_its_stop(knowledge):
    """Even a pathway that speaks for daratumumab after daratumumab is not followed."""
    pathway = knowledge.pathways["default"]
    wrong = replace(pathway.rules[0], verb="recommend", target=Target(("d-kd",)))
    changed = replace(knowledge, pathways={"default": replace(pathway, rules=(wrong, *pathway.rules))})
    sketch = Sketch(drugs={"daratumumab": Given(Status.REFRACTORY), "lenalidomide": Given(Status.REFRACTORY)})
    state, found = answer(changed, sketch)
    assert "d-kd" not in {one.regimen for one in found.suggested}
    assert not list(violations(state, found, changed))


NO_STOPS = [
    # case, what the patient has, what the walk must say of a knowledge without hard stops
    (
        "a refractory drug",
        Sketch(drugs={"lenalidomide": Given(Status.REFRACTORY), "bortezomib": Given(Status.EXPOSED)}),
        "the disease is refractory to lenalidomide",
    ),
    (
        "a refractory class",
        Sketch(drugs={"daratumumab": Given(Status.REFRACTORY), "lenalidomide": Given(Status.REFRACTORY)}),
        "isa-kd is suggested, and the disease is refractory to anti-CD38",
    ),
    (
        "a drug not tolerated",
        replace(LENALIDOMIDE, intolerant=("carfilzomib",)),
        "carfilzomib was not tolerated",
    ),
    ("an allergy", replace(LENALIDOMIDE, allergic=("daratumumab",)), "there is an allergy to daratumumab"),
    ("a contraindication", replace(LENALIDOMIDE, has=(("pregnancy", ""),)), "pregnancy bars pomalidomide"),
]


@pytest.mark.parametrize(("case", "sketch", "words"), NO_STOPS, ids=[case for case, _, _ in NO_STOPS])
def test_a_stop_that_is_never_asked_is_noticed_by_the_patients_facts(knowledge, case, sketch, words):
    without = replace(
        knowledge, hard_stops=(), pathways={"default": _speaking_for_all(knowledge.pathways["default"])}
    )
    state, found = answer(without, sketch)
    assert any(words in sentence for sentence in violations(state, found, knowledge)), case


def _speaking_for_all(pathway: Pathway) -> Pathway:
    """The pathway with one rule for everything, and none against anything."""
    regimens = ("isa-kd", "d-pd", "d-kd", "d-rd", "kd", "pom-d")
    rule = replace(
        pathway.rules[0], when=Condition("any", (IN_EUROPE, Condition("not", (IN_EUROPE,)))), verb="prefer"
    )
    return replace(pathway, rules=(replace(rule, target=Target(regimens)),))


def test_a_hard_stop_on_a_class_is_held_against_the_facts_too(knowledge):
    sketch = replace(LENALIDOMIDE, planned=("apheresis",))
    state, found = answer(replace(knowledge, hard_stops=()), sketch)
    broken = first_as(found, "vcd")
    assert any("vcd is suggested against STOP-APHERESIS" in s for s in violations(state, broken, knowledge))


def test_the_space_holds_intolerance_and_allergy(knowledge):
    sketches = [point.sketch for point in points(knowledge, EVERY)]
    assert any(one.intolerant for one in sketches) and any(one.allergic for one in sketches)


def test_a_state_without_an_answer_and_without_a_known_gap_is_told(knowledge):
    found = walk(points(knowledge, 9973), replace(knowledge, gaps=()), "default", AS_OF)
    assert found.unanswered
    assert "lenalidomide" in " ".join(found.unanswered)


def test_neighbours_kept_are_compared(knowledge):
    exposed = (("exposed", "naive", "exposed", "naive", "naive"), 1, "nothing-else", "none", "EMA", "unknown")
    refractory = (("refractory", *exposed[0][1:]), *exposed[1:])
    ill = (*exposed[:3], "heart-failure", *exposed[4:])
    kept = {
        exposed: Kept(("d-vd", "kd"), frozenset()),
        refractory: Kept(("d-rd",), frozenset()),
        ill: Kept(("kd", "d-vd"), frozenset({"kd"})),
    }
    told = list(compared(kept, knowledge))
    assert any("refractory to lenalidomide as well: d-rd" in sentence for sentence in told)
    assert any("heart-failure moves kd, which it concerns, ahead of d-vd" in sentence for sentence in told)
    assert len(told) == 2


def test_neighbours_kept_and_neighbours_answered_for_the_purpose_tell_of_the_same_states(knowledge):
    """A space of few states, and knowledge without stops, whose one rule gives DRd to the refractory."""
    default = knowledge.pathways["default"]
    rule = replace(
        default.rules[0],
        when=Condition("refractory_to", argument="lenalidomide"),
        verb="prefer",
        target=Target(("d-rd",)),
    )
    agents = [{"drug": drug, "states": ["exposed", "refractory"]} for drug in ("lenalidomide", "bortezomib")]
    space = {
        **knowledge.state_space,
        "agents": agents,
        "prior_lines": [1, 2],
        "car_t": ["unknown"],
        "histories": [{"id": "nothing-else", "least_lines": 1, "drugs": {}}],
        "findings": [{"id": "none"}],
    }
    broken = replace(
        knowledge,
        hard_stops=(),
        state_space=space,
        pathways={"default": replace(default, rules=(rule,))},
    )
    added = "refractory to lenalidomide as well: d-rd, which contains it, is added"
    every = list(points(broken, 1))
    answered = [one for one in walk(every, broken, "default", AS_OF).violations if added in one]
    kept = walk(every, broken, "default", AS_OF, compare=False, keep=True).kept
    told = [one for one in compared(kept, broken) if added in one]
    # lines 1 and 2, bortezomib exposed and refractory, both regions: all whom DRd's label covers
    assert len(answered) == len(told) == 8
