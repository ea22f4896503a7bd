"""Where the sources clash and the answer is concerned it is told once, in a sentence; elsewhere it is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cds_service.patient.types import Status
from cds_service.sequencing.choose import choose
from cds_service.sequencing.sketch import Given, Sketch, sketched, with_drug

AS_OF = date(2026, 11, 30)
R, E = Status.REFRACTORY, Status.EXPOSED
FIRST = Sketch(prior_lines=1, drugs={"bortezomib": Given(E), "lenalidomide": Given(R, 0)})
DOUBLE = with_drug(FIRST, "daratumumab", R)
LATE = Sketch(
    prior_lines=4, drugs={"lenalidomide": Given(R), "bortezomib": Given(R), "daratumumab": Given(R)}
)


def told(knowledge, sketch, region="EMA", pathway="default"):
    answer = choose(sketched(sketch, knowledge, AS_OF), knowledge, region, pathway)
    return {one.id: one for one in answer.disagreements}


CASES = [
    # case, state, region, pathway, told, not told
    ("first relapse after lenalidomide", FIRST, "EMA", "default", ["X-01", "X-02", "X-13", "CF-59"],
     ["X-06", "X-10", "X-15", "X-09", "X-07", "CF-45"]),
    ("the old label of intravenous daratumumab is one of the US", FIRST, "FDA", "default", ["CF-45"], []),
    ("an anti-CD38 antibody used up", DOUBLE, "EMA", "default", ["X-06", "X-10", "X-11", "X-15", "X-17"],
     ["X-01", "X-02", "CF-45"]),
    ("no Bela-PD label in the US, yet the clash stands", DOUBLE, "FDA", "default", ["X-10"], ["X-01"]),
    ("bortezomib and lenalidomide failed", with_drug(FIRST, "bortezomib", R), "EMA", "default", ["X-08"], []),
    ("four lines, triple-class exposed", LATE, "EMA", "default", ["X-03", "X-05"], ["X-04", "X-16"]),
    ("chemotherapy of the unreviewed article", FIRST, "EMA", "qa-article", ["X-07"], []),
    ("second relapse", replace(FIRST, prior_lines=2), "EMA", "default", ["X-09", "X-16"], ["X-01", "X-02"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "sketch", "region", "pathway", "there", "absent"), CASES, ids=[c[0] for c in CASES]
)
def test_which_clashes_are_told(knowledge, case, sketch, region, pathway, there, absent):
    found = set(told(knowledge, sketch, region, pathway))
    assert set(there) <= found
    assert not set(absent) & found


def test_every_clash_that_has_a_sentence_is_told_to_some_patient(knowledge):
    """Of the register: no entry that can never be shown."""
    states = [FIRST, DOUBLE, LATE, with_drug(FIRST, "bortezomib", R), replace(FIRST, prior_lines=2)]
    states += [
        replace(DOUBLE, prior_lines=2),
        with_drug(with_drug(LATE, "pomalidomide", R), "carfilzomib", R),
    ]
    states += [replace(FIRST, prior_lines=3), Sketch(prior_lines=1, drugs={"bortezomib": Given(R)})]
    found = {
        key
        for sketch in states
        for pathway in ("default", "qa-article", "de-arriba-2022")
        for region in ("EMA", "FDA")
        for key in told(knowledge, sketch, region, pathway)
    }
    assert {c.id for c in knowledge.conflicts if c.says} <= found


@pytest.mark.parametrize(
    ("sketch", "key", "regimen"),
    [
        (FIRST, "CF-04", "isa-kd"),  # interim response rate beside the final PFS
        (FIRST, "CF-07", "d-kd"),
        (DOUBLE, "CF-33", "bela-pd"),
        (LATE, "CF-43", "teclistamab"),
    ],
)
def test_a_clash_over_a_figure_is_told_with_the_regimen_it_is_shown_for(knowledge, sketch, key, regimen):
    assert regimen in told(knowledge, sketch)[key].regimens


def test_a_figure_of_a_row_not_shown_is_not_told(knowledge):
    """CARTITUDE-1 stands behind cilta-cel too, but not for a patient at first relapse."""
    assert "CF-41" not in told(knowledge, FIRST)


def test_each_clash_is_told_once_and_in_both_languages(knowledge):
    answer = choose(sketched(DOUBLE, knowledge, AS_OF), knowledge, "EMA", "default")
    ids = [one.id for one in answer.disagreements]
    assert len(set(ids)) == len(ids)
    assert all(one.text.it and one.text.it != one.text.en for one in answer.disagreements)


def test_nothing_is_told_where_no_choice_is_due(knowledge):
    assert told(knowledge, replace(FIRST, due=False)) == {}
