# ruff: noqa: E501 - a case a line, so that tables read as tables
"""What is shown beside progression and response: relapse from complete response, signs that ask for treatment,
by which marker the disease is judged, antibodies, calcium, values that could not be used.

Charts as in test_laboratory.py: the only treatment is lenalidomide from 2024-01-15, still being given.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest

from cds_service.patient.response import laboratory_responses
from cds_service.patient.samples import LaboratoryValues
from cds_service.patient.state import derive
from cds_service.record import Severity
from tests.chart import chart, given, response
from tests.definitions.test_laboratory import AS_OF, FLC, LENALIDOMIDE, RISE, TWO_LINES, measured, told

# ---- relapse from complete response ---------------------------------------------------------------------------
CAME_BACK = [
    # case, values, the day it came back
    ("serum immunofixation positive", "immunofixation positive on 2025-01-05", "2025-01-05"),
    ("immunofixation that names the protein", "immunofixation positive igg kappa on 2025-01-05", "2025-01-05"),
    ("urine immunofixation positive", "urine-immunofixation positive on 2025-01-05", "2025-01-05"),
    ("immunofixation +", "immunofixation + on 2025-01-05", "2025-01-05"),
    ("immunofixation doubtful", "immunofixation doubtful on 2025-01-05", None),
    ("immunofixation still negative", "immunofixation negative on 2025-01-05", None),
    ("M-protein of 0.2 g/dL on electrophoresis", "serum 0.2 on 2025-01-05", "2025-01-05"),
    ("M-protein below 0.1: it may be none", "serum <0.1 on 2025-01-05", None),
    ("M-protein absent", "serum absent on 2025-01-05", None),
    ("urine M-protein of 40 mg/24 h", "urine 40 on 2025-01-05", "2025-01-05"),
    ("5 % plasma cells in the marrow", "marrow 5 on 2025-01-05", "2025-01-05"),
    ("4.9 % plasma cells in the marrow", "marrow 4.9 on 2025-01-05", None),
    ("a plasmacytoma", "lesion 2 on 2025-01-05", "2025-01-05"),
    ("a new lesion on imaging", "imaging new-lesion on 2025-01-05", "2025-01-05"),
    ("the first of several signs counts", "serum 0.2 on 2025-03-05, 0.3 on 2025-04-05; marrow 6 on 2025-02-01", "2025-02-01"),
    ("before the complete response it is no relapse", "serum 0.2 on 2024-05-01", None),
    ("on its very day neither", "serum 0.2 on 2024-06-01", None),
    ("an unsure day does not tell", "immunofixation positive on 2025-01", None),
]  # fmt: skip


@pytest.mark.parametrize("category", ["CR", "sCR"])
@pytest.mark.parametrize(("case", "values", "day"), CAME_BACK, ids=[c[0] for c in CAME_BACK])
def test_relapse_from_complete_response_is_shown_and_is_no_progression(
    knowledge, category, case, values, day
):
    state, words = told(knowledge, values, None, response(category, "2024-06-01"))
    signs = [s for s in state.relapse_signs if s.kind == "relapse-from-complete-response"]
    assert [str(s.on) for s in signs] == ([day] if day else [])
    issues = [i for i in state.issues if i.code == "relapse-from-complete-response"]
    assert [i.text for i in issues] == [s.because for s in signs]
    assert all("Not by itself progression" in s.because and "(2024-06-01)" in s.because for s in signs)
    assert all(s.derived_from for s in signs)
    assert words in ("nothing", "unclear 2025-01-05")
    assert state.progressions == ()
    assert state.drugs["lenalidomide"].status.value == "sensitive"
    assert not state.needs_treatment_choice
    asked = [u for u in state.unknown if u.what == "laboratory-progression"]
    assert bool(asked) is (bool(day) or words != "nothing")


def test_the_five_percent_are_for_a_relapse_from_complete_response_only(knowledge):
    state, words = told(
        knowledge, "marrow 1 on 2024-06-01, 6 on 2025-01-05", None, response("VGPR", "2024-06-01")
    )
    assert (words, state.relapse_signs) == ("nothing", ())


def test_a_computed_complete_response_counts_too(knowledge):
    complete = (
        "serum 4.0 on 2024-01-10, 0 on 2024-06-01, 0 on 2024-07-01, 0.2 on 2025-01-05;"
        " immunofixation negative on 2024-06-01, negative on 2024-07-01;"
        " urine-immunofixation negative on 2024-06-01, negative on 2024-07-01; marrow 2 on 2024-06-15"
    )
    state, _ = told(knowledge, complete)
    assert [(s.kind, str(s.on)) for s in state.relapse_signs] == [
        ("relapse-from-complete-response", "2025-01-05")
    ]


@pytest.mark.parametrize(
    ("case", "values", "facts"),
    [
        ("it is a progression by the numbers", "serum 0 on 2024-06-01, 0.6 on 2025-01-05, 0.7 on 2025-02-05", []),
        ("the chart calls it a progression", "serum 0.2 on 2025-01-05", [response("PD", "2025-01-20")]),
    ],
)  # fmt: skip
def test_a_progression_needs_no_second_name(knowledge, case, values, facts):
    state, _ = told(knowledge, values, None, response("CR", "2024-06-02"), *facts)
    assert state.progressions
    assert "relapse-from-complete-response" not in {s.kind for s in state.relapse_signs}


@pytest.mark.parametrize(("day", "shown"), [("2025-01-22", True), ("2025-01-23", False)])
def test_a_complete_response_of_one_line_says_nothing_of_the_next(knowledge, day, shown):
    state, _ = told(knowledge, f"serum 0.2 on {day}", TWO_LINES, response("CR", "2024-06-01"))
    assert bool(state.relapse_signs) is shown


def test_a_relapse_from_complete_response_in_an_earlier_line_asks_for_nothing_more(knowledge):
    state, _ = told(knowledge, "serum 0.2 on 2024-12-01", TWO_LINES, response("CR", "2024-06-01"))
    assert [s.kind for s in state.relapse_signs] == ["relapse-from-complete-response"]
    assert "laboratory-progression" not in {u.what for u in state.unknown}


@pytest.mark.parametrize(
    ("drug", "values", "noted"),
    [
        ("daratumumab", "immunofixation positive on 2025-01-05", True),
        ("daratumumab", "serum 0.1 on 2025-01-05", True),
        ("daratumumab", "serum 0.2 on 2025-01-05", False),
        ("daratumumab", "marrow 6 on 2025-01-05", False),
        ("pomalidomide", "serum 0.1 on 2025-01-05", False),
    ],
)
def test_an_antibody_on_board_may_be_what_came_back(knowledge, drug, values, noted):
    treatment = [given(drug, "2024-01-15", ongoing=True)]
    state, _ = told(knowledge, values, treatment, response("CR", "2024-06-01"))
    assert ("can itself show so" in state.relapse_signs[0].because) is noted


# ---- does it need treatment? ----------------------------------------------------------------------------------
SIGNS = [
    # values beside a rise from 0.4 to 1.0 on 2025-01-05, what is shown
    ("calcium 11.1 on 2025-01-10", "calcium 11.1 mg/dL on 2025-01-10, corrected"),
    ("calcium 11.0 on 2025-01-10", None),
    ("calcium 11.1 on 2025-03-07", None),  # 61 days away
    ("calcium 11.1 on 2025-03-06", "calcium 11.1 mg/dL on 2025-03-06, corrected"),
    ("calcium 11.1 on 2024-11-06", "calcium 11.1 mg/dL on 2024-11-06, corrected"),
    ("calcium 11.1 on 2024-11-05", None),
    ("total-calcium 11.2 on 2025-01-10", "calcium 11.2 mg/dL on 2025-01-10, not corrected for albumin"),
    (
        "total-calcium 10.4 on 2025-01-10; albumin 3.0 on 2025-01-10",
        "calcium 11.2 mg/dL on 2025-01-10, corrected here for the albumin of that day",
    ),
    ("total-calcium 10.4 on 2025-01-10; albumin 3.0 on 2025-01-11", None),
    ("hb 12.5 on 2024-06-01, 10.5 on 2025-01-05", "haemoglobin 10.5 g/dL on 2025-01-05, 12.5 on 2024-06-01"),
    ("hb 12.5 on 2024-06-01, 10.6 on 2025-01-05", None),
    ("hb 10.5 on 2024-06-01, 12.5 on 2025-01-05", None),  # it rose
    ("hb 12.5 on 2022-06-01, 10.5 on 2025-01-05", None),  # not since this line began
    ("creatinine 0.9 on 2024-01-10, 2.9 on 2025-01-05", "creatinine 2.9 mg/dL on 2025-01-05, 0.9 on 2024-01-10"),
    ("creatinine 0.9 on 2024-01-10, 2.8 on 2025-01-05", None),
    (
        "imaging reported on 2024-01-10, new-lesion on 2025-02-01",
        "a new lesion on imaging of 2025-02-01",
    ),
    (
        "lesion 2.0 on 2024-06-01, 3.0 on 2025-02-01",
        "longest diameter of the plasmacytoma 3 cm on 2025-02-01, 2 on 2024-06-01",
    ),
    ("lesion 1.5 on 2024-06-01, 2.4 on 2025-02-01", None),  # half as long again, but not 1 cm more
    ("lesion@rib 2.0 on 2024-06-01; lesion@skull 3.0 on 2025-02-01", None),
]  # fmt: skip


@pytest.mark.parametrize(("values", "sign"), SIGNS, ids=[v for v, _ in SIGNS])
def test_signs_of_a_clinical_relapse_beside_a_computed_progression(knowledge, values, sign):
    state, words = told(knowledge, f"{RISE}; {values}")
    assert words == "progression 2025-01-05"
    shown = [s for s in state.relapse_signs if s.kind == "clinical-relapse-sign"]
    assert [re.sub(r"^.*?: |\. A sign .*$", "", s.because) for s in shown] == ([sign] if sign else [])
    progression = state.progressions[0].because
    assert (sign is not None and sign in progression) or (sign is None and "Signs" not in progression)
    # Shown, and no more: the drug is refractory by the M-protein, not by these.
    bare = told(knowledge, RISE)[0]
    assert state.drugs["lenalidomide"].derived_from == bare.drugs["lenalidomide"].derived_from


@pytest.mark.parametrize(
    ("values", "facts", "shown"),
    [
        ("serum 0.4 on 2024-06-01, 1.0 on 2026-01-05", [], True),  # a rise that waits to be confirmed
        ("", [response("PD", "2026-01-05")], True),  # a progression that is charted
        ("", [response("PD", "2026")], False),  # on an unsure day
        ("", [], False),  # no progression and no rise: a fall of haemoglobin may be anything
    ],
)
def test_signs_are_shown_beside_a_progression_or_a_rise_only(knowledge, values, facts, shown):
    state, _ = told(knowledge, f"{values}; hb 12.5 on 2024-06-01, 10.0 on 2026-01-05", None, *facts)
    assert bool(state.relapse_signs) is shown
    assert bool([i for i in state.issues if i.code == "clinical-relapse-sign"]) is shown


@pytest.mark.parametrize(
    ("calcium", "treatment", "shown"),
    [
        ("2025-01-22", TWO_LINES, True),  # on the first day of the next line
        ("2025-01-23", TWO_LINES, False),  # after it
        ("2024-01-16", LENALIDOMIDE, True),
        ("2024-01-15", LENALIDOMIDE, False),  # on the first day of this line
    ],
)
def test_signs_belong_to_the_line_that_progressed(knowledge, calcium, treatment, shown):
    rise = "serum 0.4 on 2024-06-01, 1.0 on 2024-12-05, 1.2 on 2025-01-03"
    if treatment is LENALIDOMIDE:
        rise = "serum 1.0 on 2024-01-10, 1.6 on 2024-02-20, 1.7 on 2024-03-20"
    state, _ = told(knowledge, f"{rise}; calcium 12 on {calcium}", treatment)
    assert ("calcium 12" in state.progressions[0].because) is shown


def test_signs_alone_make_nothing(knowledge):
    values = "hb 13 on 2024-06-01, 8 on 2026-01-05; creatinine 1 on 2024-06-01, 5 on 2026-01-05; calcium 13 on 2026-01-05"
    state, words = told(knowledge, values)
    assert (words, state.progressions, state.relapse_signs) == ("nothing", (), ())
    assert state.drugs["lenalidomide"].status.value == "exposed"


SIGNIFICANT = [
    # case, values, marker and day, or None
    ("1 g/dL more, twice", "serum 0.4 on 2024-06-01, 1.4 on 2025-01-05, 1.5 on 2025-06-01", "serum M-protein 2025-01-05"),
    ("1 g/dL more, once", "serum 0.4 on 2024-06-01, 1.4 on 2025-01-05, 1.3 on 2025-02-03", None),
    ("0.99 g/dL more, twice", "serum 2.0 on 2024-06-01, 2.99 on 2025-01-05, 2.99 on 2025-02-03", None),
    ("doubled from 0.5 within 61 days", "serum 0.5 on 2024-06-01, 1.0 on 2025-01-05, 1.0 on 2025-03-07", "serum M-protein 2025-01-05"),
    ("doubled, 62 days apart", "serum 0.5 on 2024-06-01, 1.0 on 2025-01-05, 1.0 on 2025-03-08", None),
    ("doubled from 0.49", "serum 0.49 on 2024-06-01, 0.99 on 2025-01-05, 0.99 on 2025-02-05", None),
    ("not quite doubled", "serum 0.9 on 2024-06-01, 1.79 on 2025-01-05, 1.79 on 2025-02-05", None),
    ("urine, 500 mg/24 h more, twice", "urine 100 on 2024-06-01, 600 on 2025-01-05, 620 on 2025-02-05", "urine M-protein 2025-01-05"),
    ("urine, 499 mg/24 h more", "urine 100 on 2024-06-01, 599 on 2025-01-05, 599 on 2025-02-05", None),
    (
        "involved light chain, 200 mg/L more with an abnormal ratio",
        "serum 0.2 on 2024-01-10; kappa 60 on 2024-06-01, 260 on 2025-01-05, 280 on 2025-02-05;"
        " lambda 10 on 2024-06-01, 10 on 2025-01-05, 10 on 2025-02-05",
        "involved free light chain 2025-01-05",
    ),
    (
        "involved light chain, 199 mg/L more",
        "serum 0.2 on 2024-01-10; kappa 60 on 2024-06-01, 259 on 2025-01-05, 259 on 2025-02-05;"
        " lambda 10 on 2024-06-01, 10 on 2025-01-05, 10 on 2025-02-05",
        None,
    ),
    (
        "involved light chain, 200 mg/L more but not 25 %",
        "serum 0.6 on 2024-01-10, 0.1 on 2024-06-01, 0.7 on 2025-01-05, 0.7 on 2025-02-05;"
        " kappa 900 on 2024-06-01, 1110 on 2025-01-05, 1110 on 2025-02-05;"
        " lambda 10 on 2024-06-01, 10 on 2025-01-05, 10 on 2025-02-05",
        None,
    ),
    (
        "both light chains, 200 mg/L more with a normal ratio",
        "serum 0.4 on 2024-06-01, 0.9 on 2025-01-05, 0.9 on 2025-02-05;"
        " kappa 60 on 2024-06-01, 260 on 2025-01-05, 280 on 2025-02-05;"
        " lambda 60 on 2024-06-01, 260 on 2025-01-05, 280 on 2025-02-05",
        None,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("case", "values", "shown"), SIGNIFICANT, ids=[c[0] for c in SIGNIFICANT])
def test_significant_biochemical_relapse(knowledge, case, values, shown):
    state, words = told(knowledge, values)
    assert words == "progression 2025-01-05"
    found = [s for s in state.relapse_signs if s.kind == "significant-biochemical-relapse"]
    said = [
        f"{s.because.removeprefix('Significant biochemical relapse: ').split(' from ')[0]} {s.on}"
        for s in found
    ]
    assert said == ([shown] if shown else [])
    assert ("Significant biochemical relapse" in state.progressions[0].because) is bool(shown)


@pytest.mark.parametrize(("first", "day"), [("2024-02-12", "2024-03-20"), ("2024-02-13", "2024-02-13")])
def test_a_significant_relapse_is_not_the_one_for_which_the_line_was_begun(knowledge, first, day):
    values = f"serum 0.4 on 2024-01-10, 1.5 on {first}, 1.6 on 2024-03-20, 1.7 on 2024-04-20"
    state, _ = told(knowledge, values)
    assert [(s.kind, str(s.on)) for s in state.relapse_signs] == [("significant-biochemical-relapse", day)]


SLOW = "serum 2.0 on 2024-06-01, 2.5 on 2025-01-05, 2.6 on 2025-02-03"
CHARTED = "calcium 9.5 on 2025-01-05; hb 12 on 2024-06-01, 12 on 2025-01-05; creatinine 1 on 2024-06-01, 1 on 2025-01-05"


@pytest.mark.parametrize(
    ("case", "values", "said"),
    [
        ("all looked for, nothing found", f"{SLOW}; {CHARTED}", "may be observed."),
        ("nothing looked for", SLOW, "whether it may be observed is open."),
        (
            "no haemoglobin",
            f"{SLOW}; {CHARTED.replace('hb', 'albumin')}",
            "whether it may be observed is open.",
        ),
        ("a calcium without albumin", f"{SLOW}; {CHARTED.replace('calcium', 'total-calcium')}", "is open."),
        ("a sign", f"{SLOW}; {CHARTED.replace('12 on 2025', '9 on 2025')}", "12 on 2024-06-01."),
        (
            "the M-protein has doubled from a low level",
            f"{RISE}; {CHARTED}",
            "confirmed by 1.2 (2025-02-03).",
        ),
    ],
)
def test_a_progression_that_may_be_observed_says_so(knowledge, case, values, said):
    assert told(knowledge, values)[0].progressions[0].because.endswith(said)


# ---- by which marker ------------------------------------------------------------------------------------------
def test_light_chain_disease_says_why_the_light_chains_are_judged(knowledge):
    values = (
        "serum 0.2 on 2024-01-10, 0.1 on 2024-06-01; kappa 60 on 2024-06-01, 161 on 2025-01-05, 170 on 2025-02-03;"
        " lambda 10 on 2024-06-01, 10 on 2025-01-05, 10 on 2025-02-03"
    )
    because = told(knowledge, values)[0].progressions[0].because
    assert because.startswith(
        "Computed: involved minus uninvolved free light chain rose from 50 mg/L (2024-06-01)"
    )
    assert "(serum M-protein too low, 0.2 g/dL on 2024-01-10; urine M-protein not charted)" in because


def test_non_secretory_disease_says_why_the_marrow_is_judged(knowledge):
    values = (
        "serum 0.2 on 2024-01-10; urine 100 on 2024-01-10; kappa 20 on 2024-01-10; lambda 10 on 2024-01-10;"
        " marrow 5 on 2024-06-01, 15 on 2025-01-05"
    )
    state, _ = told(knowledge, values)
    assert (
        "(serum M-protein too low, 0.2 g/dL on 2024-01-10; urine M-protein too low, 100 mg/24 h on 2024-01-10;"
        " involved minus uninvolved free light chain too low, 10 mg/L on 2024-01-10)"
    ) in state.progressions[0].because
    assert "Observation/urine-100-2024-01-10" in state.progressions[0].derived_from


def test_a_computed_response_says_by_what(knowledge):
    record = chart(*LENALIDOMIDE, measurements=measured(f"{FLC}, 60 on 2024-06-01, 60 on 2024-07-01"))
    state = derive(record, knowledge, AS_OF)
    values = LaboratoryValues(record, knowledge, AS_OF)
    assert [r.text for r in laboratory_responses(values, state.lines, "en")] == [
        "VGPR, computed from the laboratory values. Judged by involved minus uninvolved free light chain: 500 mg/L before"
        " treatment (2024-01-10), 50 (2024-06-01) and 50 (2024-07-01). It is judged by this marker, since a better"
        " one does not measure the disease (serum M-protein too low, 0.2 g/dL on 2024-01-10; urine M-protein not"
        " charted)."
    ]


def test_a_computed_progression_is_told_with_its_reasons(knowledge):
    state, _ = told(knowledge, RISE)
    found = [i for i in state.issues if i.code == "computed-progression"]
    assert [i.text for i in found] == [p.because for p in state.progressions]
    charted = told(knowledge, "", None, response("PD", "2025-01-05"))[0]
    assert "computed-progression" not in {i.code for i in charted.issues}


def test_a_new_lesion_makes_refractory_and_rests_on_the_images_it_is_compared_with(knowledge):
    state, _ = told(knowledge, "imaging reported on 2024-01-10, new-lesion on 2025-01-05")
    assert state.progressions[0].because == "Computed: imaging of 2025-01-05 states a new lesion."
    both = {"Observation/imaging-reported-2024-01-10", "Observation/imaging-new-lesion-2025-01-05"}
    assert set(state.progressions[0].derived_from) == both
    drug = state.drugs["lenalidomide"]
    assert (drug.status.value, drug.certainty.value) == ("refractory", "computed")
    assert both <= set(drug.derived_from)


def test_an_unclear_new_lesion_asks_for_the_images_before_and_changes_nothing(knowledge):
    state, _ = told(knowledge, "imaging new-lesion on 2025-01-05", None, response("CR", "2024-06-01"))
    asked = [u.would_settle for u in state.unknown if u.what == "laboratory-progression"]
    assert [i.severity for i in state.issues if i.code == "new-lesion-unclear"] == [Severity.WARNING]
    assert asked == ["the day of the images that those of 2025-01-05 were compared with"]
    assert state.drugs["lenalidomide"].status.value == "sensitive"


def test_a_relapse_from_complete_response_rests_on_that_response_too(knowledge):
    state, _ = told(knowledge, "serum 0.2 on 2025-01-05", None, response("CR", "2024-06-01"))
    assert state.relapse_signs[0].derived_from == (
        "Observation/CR-2024-06-01",
        "Observation/serum-0.2-2025-01-05",
    )
    assert [i.where for i in state.issues] == ["Observation/serum-0.2-2025-01-05"]


# ---- antibodies -----------------------------------------------------------------------------------------------
ANTIBODY = [
    # case, values, further facts, noted
    ("immunofixation positive, no M-protein", "serum absent on 2026-01-05; immunofixation positive on 2026-01-05", [], True),
    ("immunofixation positive, IgG kappa", "immunofixation positive igg kappa on 2026-01-05", [], True),
    ("immunofixation positive, IgA lambda", "immunofixation positive iga lambda on 2026-01-05", [], False),
    ("a trace of IgA kappa", "serum 0.1 on 2026-01-05; immunofixation positive iga kappa on 2026-01-05", [], False),
    ("a trace, immunofixation negative", "serum 0.1 on 2026-01-05; immunofixation negative on 2026-01-05", [], False),
    ("a trace, immunofixation negative before", "serum 0.1 on 2026-01-05; immunofixation negative on 2025-06-05", [], True),
    ("immunofixation positive with 1.5 g/dL", "serum 1.5 on 2026-01-05; immunofixation positive on 2026-01-05", [], False),
    ("immunofixation positive some days after 1.5 g/dL", "serum 1.5 on 2026-01-02; immunofixation positive on 2026-01-05", [], False),
    ("immunofixation positive two years after 1.5 g/dL", "serum 1.5 on 2024-01-02; immunofixation positive on 2026-01-05", [], True),
    ("immunofixation negative", "immunofixation negative on 2026-01-05", [], False),
    ("long ago", "immunofixation positive on 2025-01-05", [], False),
    ("a trace 180 days ago", "serum 0.1 on 2025-09-02", [], True),
    ("a trace 181 days ago", "serum 0.1 on 2025-09-01", [], False),
    ("immunofixation 180 days ago", "immunofixation positive on 2025-09-02", [], True),
    ("immunofixation 181 days ago", "immunofixation positive on 2025-09-01", [], False),
    ("on the day of a progression", "serum 0.1 on 2026-01-05", [response("PD", "2026-01-05")], False),
    ("before a progression", "serum 0.1 on 2026-01-05", [response("PD", "2026-01-06")], True),
    ("after a progression in this line", "serum 0.1 on 2026-01-05", [response("PD", "2025-06-01")], False),
]  # fmt: skip


@pytest.mark.parametrize(("case", "values", "facts", "noted"), ANTIBODY, ids=[c[0] for c in ANTIBODY])
def test_an_antibody_is_noted_where_it_may_hide_a_complete_response(knowledge, case, values, facts, noted):
    treatment = [given("daratumumab", "2024-01-15", ongoing=True)]
    state, _ = told(knowledge, values, treatment, *facts)
    assert bool([i for i in state.issues if i.code == "antibody-interference"]) is noted


# ---- calcium --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "how"),
    [
        ("calcium 11.6 on 2026-01-05", "corrected"),
        ("total-calcium 11.6 on 2026-01-05", "not corrected for albumin"),
        ("total-calcium 10.9 on 2026-01-05; albumin 3.0 on 2026-01-05", "corrected here for the albumin of that day"),
        ("total-calcium 10.7 on 2026-01-05; albumin 3.0 on 2026-01-05", None),  # 11.5 is not above it
        ("total-calcium 11.6 on 2026-01-05; albumin 5.0 on 2026-01-05", "corrected here for the albumin of that day"),
        ("total-calcium 12.0 on 2026-01-05; calcium 11.0 on 2026-01-05", None),  # the charted correction goes before
        ("calcium 10.82 on 2026-01-05", None),  # 2.7 mmol/L: the 2.65 that some print is a misprint for 2.87
        ("calcium 12.0 on 2025-01-05", None),  # a year ago
        ("calcium 12.0 on 2025-09-02", None),
        ("calcium 12.0 on 2025-09-03", "corrected"),
        ("calcium 12.0 on 2026-01-05, 10.0 on 2026-02-05", None),  # it has fallen since
    ],
)  # fmt: skip
def test_a_high_calcium_is_told_with_its_correction(knowledge, values, how):
    state, words = told(knowledge, values)
    found = [i for i in state.issues if i.code == "high-calcium"]
    assert [i.text.split("), ")[1].split(":")[0] for i in found] == ([how] if how else [])
    assert words == "nothing"


# ---- what could not be used -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "codes"),
    [
        ("serum 1.0 on 2025-01, 1.2 on 2025", ["undated-value"]),
        ("kappa 100 on 2025-01", ["undated-value"]),
        ("imaging new-lesion on 2025-01", ["undated-value"]),
        ("imaging reported on 2025-01", []),
        ("serum traccia on 2025-01-05", ["value-in-words"]),
        ("serum + on 2025-01-05", ["value-in-words"]),
        ("serum not quantifiable on 2025-01-05", ["value-in-words"]),
        ("serum present on 2025-01-05", ["value-in-words"]),
        ("serum absent on 2025-01-05", []),
        ("serum negative on 2025-01-05", []),
        ("hb 10 on 2025-01", []),  # no marker of the disease
    ],
)
def test_values_that_cannot_be_used_are_told(knowledge, values, codes):
    state, _ = told(knowledge, values)
    found = [i for i in state.issues if i.code in ("undated-value", "value-in-words")]
    assert [i.code for i in found] == codes
    assert all(i.severity is Severity.INFORMATION and i.where.startswith("Observation/") for i in found)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        # "negative" light chains are normal ones, not none: nothing is clonal beside them
        ("serum 0.2 on 2024-01-10; kappa 20 on 2024-06-01, 300 on 2025-01-05, 300 on 2025-02-05;"
         " lambda negative on 2024-06-01, negative on 2025-01-05, negative on 2025-02-05", "nothing"),
        # a "negative" marrow holds some plasma cells
        ("serum 0.2 on 2024-01-10; marrow negative on 2024-06-01, 10 on 2025-01-05", "nothing"),
    ],
)  # fmt: skip
def test_negative_is_not_always_none(knowledge, values, words):
    state, told_words = told(knowledge, values)
    assert told_words == words
    assert "value-in-words" in {i.code for i in state.issues}


def test_how_many_were_left_out_is_told_once(knowledge):
    state, _ = told(knowledge, "serum 1.0 on 2025-01, 1.2 on 2025")
    assert [i.text for i in state.issues] == [
        "Left out for want of an exact day: serum M-protein (results: 2)."
    ]


def test_before_any_treatment_nothing_is_told_of_them(knowledge):
    assert told(knowledge, "serum 1.0 on 2025-01", [])[0].issues == ()


def test_remarks_come_in_italian_too(knowledge):
    values = f"{RISE}; calcium 12 on 2025-01-10"
    record = chart(*LENALIDOMIDE, measurements=measured(values))
    state = derive(record, knowledge, AS_OF, "it")
    assert [s.because for s in state.relapse_signs] == [
        "Accanto alla progressione o all'aumento: calcio 12 mg/dL il 2025-01-10, corretto. Segno di recidiva"
        " clinica se nient'altro lo spiega."
    ]
    assert "Segni che possono richiedere un trattamento" in state.progressions[0].because


def test_a_value_without_a_day_is_told(knowledge):
    record = chart(
        *LENALIDOMIDE, measurements=tuple(replace(m, on=None) for m in measured("serum 1 on 2025-01-05"))
    )
    assert [i.code for i in derive(record, knowledge, date(2026, 3, 1)).issues] == ["undated-value"]
