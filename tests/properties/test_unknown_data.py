"""What an answer says of unknown data is what the answer would be, were they known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from cds_service.patient.refractory import class_states
from cds_service.patient.state import derive
from cds_service.patient.types import Status
from cds_service.sequencing.choose import Chooser, choose
from cds_service.sequencing.worlds import settled, undecided
from tests.properties.test_safety_invariants import AS_OF, charts, pathways, regions
from tests.properties.untidy import effort
from tests.shipped import KNOWLEDGE

property_settings = effort(30)


@st.composite
def states(draw):
    """A patient who needs a choice, of whom this and that is not known."""
    state = derive(draw(charts()), KNOWLEDGE, AS_OF)
    forgotten = draw(st.sets(st.sampled_from(sorted(state.drugs)), max_size=3))
    drugs = {
        key: replace(one, status=Status.UNKNOWN) if key in forgotten and one.given else one
        for key, one in state.drugs.items()
    }
    nothing = draw(st.booleans())
    return replace(
        state,
        drugs=drugs,
        classes=class_states(drugs, KNOWLEDGE),
        prior_lines=draw(st.sampled_from([None, state.prior_lines])),
        progressed_on_last=draw(st.sampled_from([None, state.progressed_on_last])),
        ecog=None if nothing else state.ecog,
        age=None if nothing else 70,
        needs_treatment_choice=not state.out_of_scope,
    )


@property_settings
@given(state=states(), region=regions, pathway=pathways)
def test_a_world_is_what_the_settled_state_is_answered(state, region, pathway):
    chooser = Chooser(state, KNOWLEDGE, region, pathway)
    for one in undecided(chooser, chooser.judge_all()):
        found = list(settled(state, one.datum, KNOWLEDGE))
        assert [name for name, _ in found] == [world.settled for world in one.worlds]
        for (name, then), world in zip(found, one.worlds, strict=True):
            whole = [s.regimen for s in choose(then, KNOWLEDGE, region, pathway).suggested]
            assert list(world.suggested) == whole, (one.datum, name)


@property_settings
@given(state=states(), region=regions, pathway=pathways)
def test_what_is_decided_stays_decided_when_a_datum_more_is_known(state, region, pathway):
    before = choose(state, KNOWLEDGE, region, pathway)
    decided = {
        (step.regimen, step.step): step.outcome.value
        for step in before.trace
        if step.outcome.value is not None
    }
    chooser = Chooser(state, KNOWLEDGE, region, pathway)
    for one in undecided(chooser, chooser.judge_all()):
        for name, then in settled(state, one.datum, KNOWLEDGE):
            for step in choose(then, KNOWLEDGE, region, pathway).trace:
                was = decided.get((step.regimen, step.step), step.outcome.value)
                assert step.outcome.value is was, (one.datum, name, step.step)


@property_settings
@given(state=states(), region=regions, day=st.dates(date(2017, 1, 1), AS_OF))
def test_whatever_the_day_every_regimen_is_in_one_list(state, region, day):
    answer = choose(replace(state, as_of=day), KNOWLEDGE, region, "default")
    keys = [s.regimen for s in answer.suggested] + [n.regimen for n in answer.not_suggested]
    assert sorted(keys) == sorted(KNOWLEDGE.regimens)
