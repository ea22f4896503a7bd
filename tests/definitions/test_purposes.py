"""What a drug was given for: charted, or told by dose, route, procedures, neighbours and the diagnosis."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import count

import pytest

from cds_service.patient.state import derive
from cds_service.patient.types import Status
from cds_service.record import ClinicalRecord, DateSpan, DiagnosisFact, DiagnosisStatus
from tests.chart import chart, given, myeloma, procedure, regimen, response

AS_OF = date(2026, 11, 21)
_number = count(1)


def state_of(knowledge, *facts):
    return derive(chart(*facts), knowledge, AS_OF)


def told(knowledge, *facts) -> dict[str, tuple[str, str]]:
    """Drug -> (purpose, certainty)."""
    decisions = state_of(knowledge, *facts).purposes
    assert all(d.because and d.derived_from for d in decisions)
    return {d.drug: (d.purpose.value, d.certainty.value) for d in decisions}


VRD = regimen("bortezomib lenalidomide dexamethasone", "2020-01-10", "2020-06-01", "completion")
ASCT = procedure("autologous-sct", "2020-08-20")

CASES = [
    (
        "what the chart says goes before all",
        [given("cyclophosphamide", "2020-07-01", "2020-07-02", purpose="mobilisation")],
        {"cyclophosphamide": ("mobilisation", "documented")},
    ),
    (
        "melphalan on the two days before a transplant",
        [given("melphalan", "2020-08-18", "2020-08-19"), ASCT],
        {"melphalan": ("conditioning", "computed")},
    ),
    (
        "melphalan 100 mg/m2 in a vein, the transplant not charted",
        [given("melphalan", "2020-08-18", "2020-08-19", dose="100 mg/m2", route="IV")],
        {"melphalan": ("conditioning", "computed")},
    ),
    (
        "melphalan 9 mg by mouth is treatment",
        [given("melphalan", "2020-08-18", "2020-08-21", dose="9 mg/m2", route="PO")],
        {},
    ),
    (
        "even at a dose typed wrongly, what is taken by mouth conditions nobody",
        [given("melphalan", "2020-08-18", "2020-08-19", dose="140 mg/m2", route="PO")],
        {},
    ),
    (
        "melphalan 16 mg/m2 in a vein is the palliative dose",
        [given("melphalan", "2020-08-18", "2020-08-18", dose="16 mg/m2", route="IV")],
        {},
    ),
    (
        "months of melphalan up to a transplant are treatment",
        [given("melphalan", "2020-02-18", "2020-08-18"), ASCT],
        {},
    ),
    (
        "cyclophosphamide three weeks before collection",
        [
            given("cyclophosphamide", "2020-07-01", "2020-07-01"),
            procedure("stem-cell-collection", "2020-07-12"),
        ],
        {"cyclophosphamide": ("mobilisation", "computed")},
    ),
    (
        "a month and more before collection it is treatment",
        [
            given("cyclophosphamide", "2020-07-01", "2020-07-01"),
            procedure("stem-cell-collection", "2020-07-30"),
        ],
        {},
    ),
    (
        "cyclophosphamide 2 g/m2 in a vein once, no collection charted",
        [given("cyclophosphamide", "2020-07-01", "2020-07-01", dose="2000 mg/m2", route="IV")],
        {"cyclophosphamide": ("mobilisation", "presumed")},
    ),
    (
        "cyclophosphamide 500 mg/m2 weekly is treatment",
        [given("cyclophosphamide", "2020-07-01", "2020-07-01", dose="500 mg/m2", route="IV")],
        {},
    ),
    (
        "cyclophosphamide in the week before CAR-T cells",
        [
            given("cyclophosphamide", "2022-03-01", "2022-03-03"),
            procedure("cart-infusion", "2022-03-06", "ciltacabtagene-autoleucel"),
        ],
        {"cyclophosphamide": ("lymphodepletion", "computed")},
    ),
    (
        "cyclophosphamide with fludarabine, the infusion not charted",
        [
            given("cyclophosphamide", "2022-03-01", "2022-03-03"),
            given("fludarabine", "2022-03-01", "2022-03-03"),
        ],
        {"cyclophosphamide": ("lymphodepletion", "computed")},
    ),
    (
        "dexamethasone 8 mg with the conditioning is against nausea",
        [
            given("melphalan", "2020-08-18", "2020-08-19"),
            ASCT,
            given("dexamethasone", "2020-08-18", "2020-08-20", dose="8 mg"),
        ],
        {"melphalan": ("conditioning", "computed"), "dexamethasone": ("antiemetic", "presumed")},
    ),
    (
        "dexamethasone 20 mg then may treat",
        [
            given("melphalan", "2020-08-18", "2020-08-19"),
            ASCT,
            given("dexamethasone", "2020-08-18", "2020-08-20", dose="20 mg"),
        ],
        {"melphalan": ("conditioning", "computed")},
    ),
    (
        "a small dose of dexamethasone beside treatment is treatment",
        [
            given("dexamethasone", "2021-02-01", "2021-02-01", dose="8 mg"),
            given("pomalidomide", "2021-02-01", "2021-08-01"),
        ],
        {},
    ),
    (
        "methylprednisolone 60 mg before daratumumab",
        [
            given("daratumumab", "2021-02-01", "2021-08-01"),
            given("methylprednisolone", "2021-02-01", "2021-02-01", dose="60 mg"),
        ],
        {"methylprednisolone": ("premedication", "presumed")},
    ),
    (
        "dexamethasone 16 mg on the step-up day of a bispecific",
        [
            given("teclistamab", "2023-02-01", "2023-08-01"),
            given("dexamethasone", "2023-02-01", "2023-02-01", dose="16 mg"),
        ],
        {"dexamethasone": ("premedication", "presumed")},
    ),
]


@pytest.mark.parametrize(("facts", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_by_dose_route_procedure_and_neighbours(knowledge, facts, expected):
    assert told(knowledge, *VRD, *facts) == expected


def test_high_dose_melphalan_lets_a_transplant_be_known_that_nobody_charted(knowledge):
    state = state_of(
        knowledge,
        *VRD,
        given(
            "melphalan",
            "2020-08-18",
            "2020-08-19",
            dose="100 mg/m2",
            route="IV",
            reference="MedicationAdministration/mel",
        ),
        given("lenalidomide", "2020-11-20", ongoing=True),
    )
    assert [line.transplant for line in state.lines] == [True]
    assert state.transplants == ("MedicationAdministration/mel",)
    assert any(issue.code == "transplant-not-charted" for issue in state.issues)


def test_conditioning_in_two_entries_is_one_transplant(knowledge):
    doses = [
        given("melphalan", day, day, dose="100 mg/m2", route="IV") for day in ("2020-08-18", "2020-08-19")
    ]
    assert len(state_of(knowledge, *VRD, *doses).transplants) == 1
    assert len(state_of(knowledge, *VRD, *doses, procedure("autologous-sct", "2020-08-21")).transplants) == 1
    # A transplant without its day may be this one.
    undated = procedure("autologous-sct", "2020")
    assert len(state_of(knowledge, *VRD, *doses, undated).transplants) == 1


CILTA = procedure("cart-infusion", "2024-08-15", "ciltacabtagene-autoleucel")
FIRST = regimen("bortezomib lenalidomide dexamethasone", "2020-01-10", "2023-10-01", "progression")

BRIDGING = [
    (
        "after the leukapheresis",
        [
            procedure("leukapheresis", "2024-05-20"),
            *regimen("daratumumab pomalidomide", "2024-05-28", "2024-07-30"),
        ],
        "computed",
        2,
    ),
    (
        "after the leukapheresis, four months before the infusion",
        [
            procedure("leukapheresis", "2024-04-10"),
            *regimen("daratumumab pomalidomide", "2024-04-17", "2024-07-30"),
        ],
        "computed",
        2,
    ),
    (
        "begun seven weeks before the infusion, leukapheresis not charted",
        regimen("daratumumab pomalidomide", "2024-06-28", "2024-07-30"),
        "presumed",
        2,
    ),
    (
        "begun five months before the infusion: a line of its own",
        regimen("daratumumab pomalidomide", "2024-03-01", "2024-07-30"),
        None,
        3,
    ),
    (
        "begun before the leukapheresis: the line that failed",
        [
            procedure("leukapheresis", "2024-07-10"),
            *regimen("daratumumab pomalidomide", "2024-06-28", "2024-07-30"),
        ],
        None,
        3,
    ),
    (
        "given on through the leukapheresis, charted dose by dose",
        [
            procedure("leukapheresis", "2024-06-20"),
            *[given("daratumumab", day, day) for day in ("2024-05-06", "2024-06-03", "2024-07-01")],
        ],
        None,
        3,
    ),
    (
        "a leukapheresis years ago was another",
        [
            procedure("leukapheresis", "2020-07-20"),
            *regimen("daratumumab pomalidomide", "2024-03-01", "2024-07-30"),
        ],
        None,
        3,
    ),
]


@pytest.mark.parametrize(
    ("facts", "certainty", "lines"), [c[1:] for c in BRIDGING], ids=[c[0] for c in BRIDGING]
)
def test_bridging_that_nobody_called_so(knowledge, facts, certainty, lines):
    state = state_of(knowledge, *FIRST, *facts, CILTA)
    bridging = {d.certainty.value for d in state.purposes if d.purpose.value == "bridging"}
    assert bridging == ({certainty} if certainty else set())
    assert len(state.lines) == lines
    assert state.lines[-1].regimen == "cilta-cel"


def smouldering(onset: str) -> DiagnosisFact:
    return DiagnosisFact(
        f"Condition/smm-{next(_number)}",
        "smouldering-myeloma",
        DiagnosisStatus.ACTIVE,
        onset=DateSpan.on(onset),
    )


BEFORE = [
    (
        "lenalidomide alone, ended two years before",
        [given("lenalidomide", "2015-01-10", "2016-01-10")],
        {"lenalidomide": "before-diagnosis"},
    ),
    (
        "chemotherapy of another disease, years before",
        [*regimen("cyclophosphamide doxorubicin vincristine prednisone", "2012-01-10", "2012-06-10")],
        dict.fromkeys(("cyclophosphamide", "doxorubicin", "vincristine", "prednisone"), "before-diagnosis"),
    ),
    (
        "ended within three months of the onset: the onset was typed roughly",
        [given("lenalidomide", "2017-01-10", "2017-11-01")],
        {},
    ),
    ("still given at the onset", [given("lenalidomide", "2017-01-10", "2018-06-01")], {}),
    (
        "a myeloma triplet before the onset: the onset is that of a relapse",
        regimen("daratumumab lenalidomide dexamethasone", "2014-01-10", "2016-01-10"),
        {},
    ),
    (
        "a response of the myeloma charted before the onset",
        [given("lenalidomide", "2015-01-10", "2016-01-10"), response("PR", "2015-06-01")],
        {},
    ),
    (
        "a transplant before the onset",
        [given("lenalidomide", "2015-01-10", "2016-01-10"), procedure("autologous-sct", "2015-08-01")],
        {},
    ),
]


@pytest.mark.parametrize(("facts", "expected"), [c[1:] for c in BEFORE], ids=[c[0] for c in BEFORE])
def test_treatment_before_the_myeloma_was_known(knowledge, facts, expected):
    later = regimen("bortezomib dexamethasone", "2018-03-01", "2019-01-01", "progression")
    state = state_of(knowledge, myeloma(onset="2018-01-15"), *facts, *later)
    assert {d.drug: d.purpose.value for d in state.purposes} == expected
    assert len(state.lines) == (1 if expected else 2)
    for drug in expected:  # the exposure is kept, and its refractoriness would be
        assert state.drugs[drug].status.value != "naive"


def test_an_onset_known_only_by_the_day_of_entry_undoes_no_line(knowledge):
    state = state_of(
        knowledge,
        myeloma(recorded="2018-01-15"),
        given("lenalidomide", "2015-01-10", "2016-01-10"),
        *regimen("bortezomib dexamethasone", "2018-03-01", "2019-01-01", "progression"),
    )
    assert (state.purposes, len(state.lines)) == ((), 2)


def test_smouldering_disease_by_dates(knowledge):
    state = state_of(
        knowledge,
        smouldering("2015-01-01"),
        myeloma(onset="2018-01-15"),
        given("daratumumab", "2016-01-10", "2017-10-10"),
        *regimen("bortezomib lenalidomide dexamethasone", "2018-02-01", "2019-01-01", "progression"),
    )
    assert [(d.drug, d.purpose.value, d.certainty.value) for d in state.purposes] == [
        ("daratumumab", "smouldering", "computed")
    ]
    assert len(state.lines) == 1
    assert state.drugs["daratumumab"].status.value == "exposed"


def test_an_unidentified_drug_for_the_myeloma_is_a_line(knowledge):
    state = state_of(
        knowledge,
        *FIRST,
        given("unidentified-agent", "2023-11-01", "2024-06-01", "progression", purpose="myeloma"),
    )
    assert [line.drugs for line in state.lines][1] == ("unidentified-agent",)
    assert state.prior_lines == 2
    assert state.drugs["unidentified-agent"].status.value == "refractory"


def test_an_unidentified_drug_begun_with_a_known_one_is_part_of_its_regimen(knowledge):
    state = state_of(
        knowledge,
        *FIRST,
        *regimen("pomalidomide dexamethasone unidentified-agent", "2023-11-01", "2024-06-01", "progression"),
    )
    assert len(state.lines) == 2
    assert state.purposes == ()


def test_an_unidentified_drug_after_a_failure_is_a_line(knowledge):
    state = state_of(
        knowledge,
        *regimen("bortezomib lenalidomide", "2020-02-01", "2022-02-01", "progression"),
        given("unidentified-agent", "2022-03-01", "2023-03-01"),
    )
    assert (state.prior_lines, state.purposes) == (2, ())


def test_an_unidentified_drug_alone_is_asked_for_and_not_counted(knowledge):
    state = state_of(knowledge, *FIRST, given("unidentified-agent", "2024-11-01", "2024-12-01"))
    assert [d.purpose.value for d in state.purposes] == ["unclear"]
    assert state.prior_lines == 1
    assert "unidentified:unidentified-agent" in {u.what for u in state.unknown}
    assert "unidentified-agent" not in state.drugs


def test_cells_whose_product_nobody_named(knowledge):
    state = state_of(knowledge, *FIRST, procedure("cart-infusion", "2024-08-15"))
    assert len(state.lines) == 2
    product = state.drugs["ciltacabtagene-autoleucel"]
    assert (product.status.value, product.derived_from) == (
        "unknown",
        ("Procedure/cart-infusion-2024-08-15",),
    )
    assert "refractory:ciltacabtagene-autoleucel" in {u.what for u in state.unknown}
    assert state.classes["BCMA"].status.value == "unknown"
    # The same infusion charted as a medication too, there with its name, a day apart.
    named = state_of(
        knowledge,
        *FIRST,
        procedure("cart-infusion", "2024-08-15"),
        given("idecabtagene-vicleucel", "2024-08-16", "2024-08-16"),
    )
    assert named.drugs["ciltacabtagene-autoleucel"].status.value == "naive"
    assert [line.drugs for line in named.lines][1] == ("idecabtagene-vicleucel",)


def test_no_decision_is_made_of_drugs_that_treat(knowledge):
    assert state_of(knowledge, *FIRST).purposes == ()
    assert derive(ClinicalRecord(), knowledge, AS_OF).purposes == ()


# ---- the whole course tells, however many entries there are ---------------------------------------------
def weekly(drug: str, first: str, last: str):
    day, end = date.fromisoformat(first), date.fromisoformat(last)
    while day <= end:
        yield given(drug, day.isoformat(), day.isoformat())
        day += timedelta(days=7)


@pytest.mark.parametrize(
    ("drug", "then"), [("cyclophosphamide", "stem-cell-collection"), ("melphalan", "autologous-sct")]
)
def test_the_last_doses_of_months_of_treatment_are_treatment(knowledge, drug, then):
    state = state_of(knowledge, *weekly(drug, "2017-10-01", "2018-01-28"), procedure(then, "2018-02-01"))
    assert (state.purposes, str(state.drugs[drug].last)) == ((), "2018-01-28")


def test_doses_up_to_the_onset_are_no_treatment_of_smouldering_disease(knowledge):
    doses = [given("bortezomib", f"2017-12-{day:02}", f"2017-12-{day:02}") for day in (4, 11, 18, 25)]
    doses.append(given("bortezomib", "2018-01-01", "2018-01-01"))
    state = state_of(knowledge, smouldering("2014-05-01"), myeloma(onset="2018-01-01"), *doses)
    assert state.purposes == ()
    assert str(state.drugs["bortezomib"].last) == "2018-01-01"


def test_an_end_before_the_start_is_no_short_course(knowledge):
    cybord = regimen("cyclophosphamide bortezomib dexamethasone", "2018-01-28", "2017-12-01")
    state = state_of(knowledge, *cybord, procedure("autologous-sct", "2018-02-01"))
    assert state.purposes == ()
    assert state.drugs["cyclophosphamide"].status.value != "naive"


def test_a_relapse_entry_says_nothing_of_when_the_myeloma_began(knowledge):
    state = state_of(
        knowledge,
        myeloma("relapse", onset="2018-01-15"),
        given("lenalidomide", "2015-01-10", "2016-01-10"),
        *regimen("bortezomib dexamethasone", "2018-03-01", ongoing=True),
    )
    assert (state.purposes, len(state.lines)) == ((), 2)


def neighbour(kind: str, onset: str | None) -> DiagnosisFact:
    began = DateSpan.on(onset) if onset else None
    return DiagnosisFact(f"Condition/{kind}-{next(_number)}", kind, DiagnosisStatus.ACTIVE, onset=began)


SMM, AL = "smouldering-myeloma", "al-amyloidosis"
DARA_VD = regimen("daratumumab bortezomib", "2018-11-10", "2019-11-10")
LEN = given("lenalidomide", "2020-02-01", "2022-02-01")
BOTH = {"daratumumab": "amyloidosis", "bortezomib": "amyloidosis"}

ALONE = [
    (
        "smouldering disease is all there is, treated now",
        [neighbour(SMM, "2024-01-05"), given("daratumumab", "2024-02-01", ongoing=True)],
        {"daratumumab": "smouldering"},
        0,
    ),
    (
        "smouldering disease of an unrecorded day",
        [neighbour(SMM, None), LEN],
        {"lenalidomide": "smouldering"},
        0,
    ),
    ("amyloidosis is all there is", [neighbour(AL, "2018-10-10"), *DARA_VD], BOTH, 0),
    (
        "amyloidosis, and years later a myeloma",
        [
            neighbour(AL, "2018-10-10"),
            *DARA_VD,
            myeloma(onset="2023-10-10"),
            *regimen("bortezomib lenalidomide", "2023-11-10", ongoing=True),
        ],
        BOTH,
        1,
    ),
    (
        "amyloidosis beside the myeloma",
        [neighbour(AL, "2018-10-10"), myeloma(onset="2018-10-10"), *DARA_VD],
        {},
        1,
    ),
    ("treated before the smouldering disease was found", [neighbour(SMM, "2024-01-05"), LEN], {}, 1),
    ("when the myeloma began is not charted", [neighbour(SMM, "2018-01-05"), myeloma(), LEN], {}, 1),
]


@pytest.mark.parametrize(("facts", "purposes", "lines"), [c[1:] for c in ALONE], ids=[c[0] for c in ALONE])
def test_treatment_of_a_neighbouring_disease(knowledge, facts, purposes, lines):
    state = state_of(knowledge, *facts)
    assert {d.drug: d.purpose.value for d in state.purposes} == purposes
    assert len(state.lines) == lines
    assert all(state.drugs[drug].status.value != "naive" for drug in purposes)


def test_a_drug_of_myeloma_alone_before_the_onset_is_a_line(knowledge):
    state = state_of(
        knowledge,
        myeloma(onset="2022-01-05"),
        *regimen("carfilzomib dexamethasone", "2016-01-10", "2018-06-02", "progression"),
        *regimen("daratumumab pomalidomide", "2022-01-10", ongoing=True),
    )
    assert (state.purposes, len(state.lines)) == ((), 2)


def test_a_regimen_before_a_transplant_whose_end_nobody_charted_is_no_mobilisation(knowledge):
    cybord = [
        replace(fact, regimen="CyBorD")
        for fact in regimen("cyclophosphamide bortezomib dexamethasone", "2020-08-10")
    ]
    state = state_of(knowledge, cybord, ASCT)
    assert state.drugs["cyclophosphamide"].status is not Status.NAIVE
    assert state.purposes == ()
    alone = state_of(knowledge, given("cyclophosphamide", "2020-08-10"), ASCT)
    assert [p.purpose for p in alone.purposes] == ["mobilisation"]


def test_an_infusion_without_its_day_is_that_of_the_product_on_record(knowledge):
    undated = replace(procedure("cart-infusion", "2024-08-15"), on=None)
    state = state_of(
        knowledge, *FIRST, undated, given("ciltacabtagene-autoleucel", "2024-08-16", "2024-08-16")
    )
    assert [line.drugs for line in state.lines][1:] == [("ciltacabtagene-autoleucel",)]
    assert state.drugs["idecabtagene-vicleucel"].status.value == "naive"


def test_the_sentence_names_what_tells_the_purpose(knowledge):
    beside = [
        given("cyclophosphamide", "2022-03-01", "2022-03-03"),
        given("fludarabine", "2022-03-01", "2022-03-03"),
    ]
    before = [given("melphalan", "2020-08-18", "2020-08-19"), ASCT]
    dose = [given("melphalan", "2020-08-18", "2020-08-19", dose="100 mg/m2", route="IV")]
    told = [state_of(knowledge, *VRD, *facts).purposes[0].because for facts in (beside, before, dose)]
    assert ["fludarabine" in told[0], "autologous transplant" in told[1], "100 mg/m2" in told[2]] == [
        True
    ] * 3
