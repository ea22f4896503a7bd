"""Unknown data asked both ways: which datum would decide, and what would be suggested then."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cds_service.patient.state import derive
from cds_service.patient.types import Status
from cds_service.sequencing.choose import Chooser
from cds_service.sequencing.sketch import Given, Sketch, sketched, with_drug
from cds_service.sequencing.worlds import undecided, with_weighed_unknowns
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
    # case, the state, the datum, the worlds by what is added and removed
    (
        "whether daratumumab is refractory decides on every anti-CD38 regimen",
        with_drug(FIRST, "daratumumab", U),
        "refractory:daratumumab",
        {"refractory": ([], ["isa-kd", "d-pd", "d-kd", "d-vd"]), "not-refractory": (["isa-kd", "d-pd"], [])},
    ),
    (
        "whether cells can be given",
        FIRST,
        "car-t",
        {"feasible": ([], []), "not-feasible": ([], ["cilta-cel"])},
    ),
    (
        "heart failure not charted",
        FIRST,
        "comorbidity:heart-failure",
        {"absent": ([], []), "severe": ([], ["isa-kd", "d-kd", "kd"])},
    ),
    (
        "performance status and the choice of a bispecific",
        replace(LATE, ecog=None, car_t="not-feasible"),
        "ecog",
        {"0": ([], []), "3": ([], [])},
    ),
    (
        "progression on the last therapy, a gate of EU labels",
        replace(LATE, progressed_on_last=None),
        "progressed-on-last",
        {"yes": ([], []), "no": ([], ["teclistamab", "elranatamab", "talquetamab"])},
    ),
    (
        "prior lines not told",
        replace(FIRST, prior_lines=None),
        "prior-lines",
        {"1": (["d-pd"], []), "3": ([], [])},
    ),
]


@pytest.mark.parametrize(("case", "sketch", "datum", "worlds"), CASES, ids=[c[0] for c in CASES])
def test_a_datum_and_its_worlds(knowledge, case, sketch, datum, worlds):
    found = weighed(knowledge, sketch)[datum]
    told = {world.settled: world for world in found.worlds}
    for name, (adds, removes) in worlds.items():
        assert set(adds) <= set(told[name].suggested)
        assert set(removes) <= set(told[name].removes) | (set(removes) - set(suggested(knowledge, sketch)))
        assert not set(removes) & set(told[name].suggested)
    assert found.steps and found.regimens


def test_a_world_is_what_the_state_would_be_answered(knowledge):
    """Judging again only the regimens that wait gives the same as answering the settled state whole."""
    sketch = with_drug(FIRST, "daratumumab", U)
    found = weighed(knowledge, sketch)["refractory:daratumumab"]
    told = {world.settled: world.suggested for world in found.worlds}
    assert told["refractory"] == suggested(knowledge, with_drug(FIRST, "daratumumab", R))
    assert told["not-refractory"] == suggested(knowledge, with_drug(FIRST, "daratumumab", E))


@pytest.mark.parametrize(
    "sketch", [FIRST, LATE, replace(LATE, ecog=None, age=None), with_drug(FIRST, "daratumumab", U)]
)
def test_what_would_not_change_the_set_says_so(knowledge, sketch):
    found = weighed(knowledge, sketch)
    now = suggested(knowledge, sketch)
    assert found["car-t"].changes_suggestions
    for one in found.values():
        assert one.changes_suggestions is any(world.suggested != now for world in one.worlds)


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
