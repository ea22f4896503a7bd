"""What must hold for whatever is ordered, tried over generated charts and drafts (design: at order entry)."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.cards.render import EXTENSION, Renderer
from cds_service.patient.state import derive
from cds_service.record import AllergyFact, ClinicalRecord, Completeness, DrugFact, Given, Purpose
from cds_service.sequencing.answer import answer
from cds_service.sequencing.choose import Chooser
from cds_service.sequencing.orders import ORDER_MOMENTS
from tests.chart import chart, response
from tests.chart import given as taken_now
from tests.chart import regimen as taken_before
from tests.properties.test_safety_invariants import charts, property_settings, regions
from tests.shipped import KNOWLEDGE

AS_OF = date(2026, 11, 1)
SUPPORTIVE = sorted(key for key, drug in KNOWLEDGE.drugs.items() if drug.role == "supportive")
# The lymphodepletion of cells is supportive too, and says of what stands beside it what it is for.
BESIDE_NOTHING = sorted(
    set(SUPPORTIVE) - {key for regimen in KNOWLEDGE.regimens.values() for key in regimen.supporting}
)
ORDERABLE = sorted(key for key, drug in KNOWLEDGE.drugs.items() if drug.role in ("anti-myeloma", "steroid"))
RENDERER = Renderer(KNOWLEDGE)
moments = st.sampled_from(ORDER_MOMENTS)


def draft(number: int, drug: str, *, selected: bool = True, purpose: Purpose | None = None) -> DrugFact:
    reference = f"MedicationRequest/d{number}"
    return DrugFact(reference, drug, Given.DRAFT, selected=selected, purpose=purpose, replaces=reference)


@st.composite
def drafts(draw) -> tuple[DrugFact, ...]:
    """The drugs of a regimen, of a part of one, or any."""
    whole = list(KNOWLEDGE.regimens[draw(st.sampled_from(sorted(KNOWLEDGE.regimens)))].components)
    drugs = draw(
        st.just(whole)
        | st.lists(st.sampled_from(whole), min_size=1, max_size=3)
        | st.lists(st.sampled_from(ORDERABLE), min_size=1, max_size=4)
    )
    purposes = st.sampled_from([None, None, None, None, Purpose.MOBILISATION, Purpose.ANTIEMETIC])
    return tuple(
        draft(number, drug, selected=draw(st.sampled_from([True, True, True, False])), purpose=draw(purposes))
        for number, drug in enumerate(drugs)
    )


def answered(record: ClinicalRecord, region: str, moment: str):
    state = derive(record, KNOWLEDGE, AS_OF)
    chooser = Chooser(state, KNOWLEDGE, region, "default")
    shown = answer(moment, record, state, chooser.evaluator, region, KNOWLEDGE)
    return state, chooser, shown


def cards_of(record: ClinicalRecord, region: str, moment: str):
    state, chooser, shown = answered(record, region, moment)
    return RENDERER.cards(record, state, chooser.recommendation(chooser.judge_all()), shown)


@property_settings
@given(
    record=charts(), ordered=drafts(), region=regions, moment=moments, more=st.sampled_from(BESIDE_NOTHING)
)
def test_a_supportive_draft_more_never_changes_what_clashes(record, ordered, region, moment, more):
    _, _, before = answered(replace(record, drafts=ordered), region, moment)
    _, _, after = answered(replace(record, drafts=(*ordered, draft(99, more))), region, moment)
    assert after.conflicts == before.conflicts
    assert after.ordered == before.ordered or not before.conflicts
    # What it is enough for is no longer missing; nothing else comes to be.
    assert {one.id for one in after.companions} <= {one.id for one in before.companions}


@property_settings
@given(record=charts(), ordered=drafts(), region=regions, moment=moments, seed=st.integers())
def test_the_order_of_drafts_never_changes_the_answer(record, ordered, region, moment, seed):
    shuffled = tuple(random.Random(seed).sample(ordered, k=len(ordered)))  # noqa: S311
    _, _, before = answered(replace(record, drafts=ordered), region, moment)
    _, _, after = answered(replace(record, drafts=shuffled), region, moment)
    assert after == before


@property_settings
@given(record=charts(), ordered=drafts(), region=regions, moment=moments)
def test_drafts_not_selected_never_cause_a_conflict(record, ordered, region, moment):
    selected = {d.reference for d in ordered if d.selected}
    _, _, shown = answered(replace(record, drafts=ordered), region, moment)
    assert {conflict.reference for conflict in shown.conflicts} <= selected
    alone = tuple(d for d in ordered if d.selected)
    _, _, without = answered(replace(record, drafts=alone), region, moment)

    def told(conflicts):
        return {(c.code, c.regimen or c.drug) for c in conflicts}

    assert told(shown.conflicts) <= told(without.conflicts)


@property_settings
@given(record=charts(), ordered=drafts(), region=regions, moment=moments)
def test_there_is_at_most_one_card_of_an_order_and_each_finding_is_told_once(record, ordered, region, moment):
    record = replace(record, drafts=ordered)
    _, _, shown = answered(record, region, moment)
    assert [c.critical for c in shown.conflicts] == sorted(
        (c.critical for c in shown.conflicts), reverse=True
    )
    findings = [(c.code, c.regimen or c.drug) for c in shown.conflicts]
    assert len(findings) == len(set(findings))
    assert not (shown.conflicts and (shown.sequencing or shown.companions or shown.missing))
    cards = cards_of(record, region, moment)
    assert len(cards) <= 1
    for card in cards:
        assert len(card["summary"]) <= 139
        if shown.conflicts:
            assert card["extension"][EXTENSION]["kind"] == "order-conflict"
            _are_replaced_as_a_whole(record, card)


def _are_replaced_as_a_whole(record, card):
    """Every order of the treatment is removed, no other, and none stands twice beside what is created."""
    for suggestion in card.get("suggestions", ()):
        if "regimen" not in suggestion["extension"][EXTENSION]:
            continue  # it records what a clinician knows, and orders nothing
        deleted = [a["resourceId"] for a in suggestion["actions"] if a["type"] == "delete"]
        assert len(deleted) == len(set(deleted))
        against = {
            d.reference
            for d in record.drafts
            if d.purpose is None and KNOWLEDGE.drugs[d.drug].role in ("anti-myeloma", "steroid")
        }
        beside_cells = {key for regimen in KNOWLEDGE.regimens.values() for key in regimen.supporting}
        spared = {d.reference for d in record.drafts if d.drug in beside_cells}
        assert against - spared <= set(deleted)


ORDERS = [key for key, regimen in KNOWLEDGE.regimens.items() if len(regimen.components) > 1]


@property_settings
@given(
    regimen=st.sampled_from(ORDERS),
    region=regions,
    left_out=st.booleans(),
    taken=st.lists(st.sampled_from([*BESIDE_NOTHING, "dexamethasone", "prednisone"]), max_size=3),
    not_borne=st.lists(st.sampled_from([*BESIDE_NOTHING, "dexamethasone"]), max_size=2),
    more=st.sampled_from([*BESIDE_NOTHING, "dexamethasone"]),
)
def test_what_is_taken_or_drafted_is_never_called_missing(regimen, region, left_out, taken, not_borne, more):
    """A first relapse long after VCd; the regimen is ordered with its steroid or without."""
    components = KNOWLEDGE.regimens[regimen].components
    chosen = [key for key in components if not (left_out and KNOWLEDGE.drugs[key].is_steroid)]
    record = chart(
        *taken_before("bortezomib cyclophosphamide dexamethasone", "2020-01-10", "2020-08-01", "completion"),
        *(taken_now(drug, "2026-01-01", ongoing=True) for drug in taken),
        response("PD", "2026-09-01"),
        allergies=tuple(AllergyFact(f"AllergyIntolerance/{drug}", drug) for drug in not_borne),
        drafts=tuple(draft(number, drug) for number, drug in enumerate(chosen)),
    )
    shown = answered(record, region, "order-sign")[2]
    steroids = {key for key, drug in KNOWLEDGE.drugs.items() if drug.is_steroid}
    missing = {one.id for one in shown.companions}
    if steroids & {*chosen, *taken, *not_borne}:
        assert not missing & steroids
    kinds = {KNOWLEDGE.drugs[drug].supportive_kind for drug in taken}
    assert not ("vte-prophylaxis" in missing and kinds & {"anticoagulant", "antiplatelet"})
    assert not ("zoster-prophylaxis" in missing and "antiviral" in kinds)
    assert not any(one.lacking and one.id not in components for one in shown.companions)
    beside = replace(record, drugs=(*record.drugs, taken_now(more, "2026-01-01", ongoing=True)))
    after = answered(beside, region, "order-sign")[2]
    assert {one.id for one in after.companions} <= missing
    absent = replace(record, completeness={"medicationStatements": Completeness.PARTIAL})
    assert answered(absent, region, "order-sign")[2].companions == ()
    assert answered(record, region, "order-select")[2].companions == ()


@pytest.mark.parametrize("moment", ORDER_MOMENTS)
def test_the_generated_orders_do_clash_and_do_fit(moment):
    """A guard for the tests above: orders of which there is never anything to say would prove nothing."""
    reached = []

    @settings(max_examples=120, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(record=charts(), ordered=drafts())
    def collect(record, ordered):
        shown = answered(replace(record, drafts=ordered), "EMA", moment)[2]
        reached.append("clash" if shown.conflicts else "fits")

    collect()
    assert reached.count("clash") > 20 and reached.count("fits") > 10
