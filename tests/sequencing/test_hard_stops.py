"""What no rule overrides: the hard stops one by one, in every pathway, and what they leave alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cds_service.knowledge.types import Site
from cds_service.patient.types import Status
from cds_service.sequencing.choose import choose
from cds_service.sequencing.conditions import Evaluator
from cds_service.sequencing.sketch import Given, Sketch, sketched, with_drug

AS_OF = date(2026, 11, 30)
R, E = Status.REFRACTORY, Status.EXPOSED

# Triple-class refractory after four lines: nearly every option is inside its label.
LATE = Sketch(
    prior_lines=4,
    drugs={
        "lenalidomide": Given(R), "pomalidomide": Given(E), "bortezomib": Given(R), "carfilzomib": Given(E),
        "daratumumab": Given(R),
    },
)  # fmt: skip
FIRST = Sketch(prior_lines=1, drugs={"bortezomib": Given(E), "lenalidomide": Given(R, 0)})


def answer(knowledge, sketch, region="EMA", pathway="default", site=None):
    return choose(sketched(sketch, knowledge, AS_OF), knowledge, region, pathway, site)


def keys(answered):
    return {one.regimen for one in answered.suggested}


def containing(knowledge, *wanted):
    return {r.key for r in knowledge.regimens.values() if knowledge.any_of(r.components, wanted)}


def codes(answered, regimen):
    return {reason.code for one in answered.not_suggested if one.regimen == regimen for reason in one.reasons}


STOPS = [
    # case, the patient before, what is added, regimens with one of these are gone, code, one of them
    ("pregnancy and an IMiD", FIRST, {"has": (("pregnancy", ""),)},
     ["IMiD", "CELMoD"], "contraindicated", "d-pd"),
    (
        "active serious infection and T-cell redirection", LATE, {"has": (("serious-infection", ""),)},
        ["BCMA-CAR-T", "BCMA-BsAb", "GPRC5D-BsAb"], "contraindicated", "talquetamab",
    ),
    ("heart failure NYHA III and carfilzomib", FIRST, {"has": (("heart-failure", "NYHA-III"),)},
     ["carfilzomib"], "contraindicated", "isa-kd"),
    ("neuropathy of grade 3 and bortezomib", FIRST, {"has": (("peripheral-neuropathy", "grade-3"),)},
     ["bortezomib"], "contraindicated", "p-vd"),
    ("a clearance of 25 and lymphodepletion", LATE, {"labs": {"creatinine-clearance": 25.0}},
     ["BCMA-CAR-T"], "contraindicated", "cilta-cel"),
    ("an allergy", FIRST, {"allergic": ("daratumumab",)}, ["daratumumab"], "contraindicated", "d-pd"),
    ("an intolerance", FIRST, {"intolerant": ("pomalidomide",)}, ["pomalidomide"], "intolerance", "d-pd"),
    (
        "melflufen after a transplant with progression within 36 months", LATE,
        {"transplant": True, "months_from_transplant_to_progression": 20.0}, ["melphalan-flufenamide"],
        "contraindicated", "melflufen-d",
    ),
    ("an alkylator before planned apheresis", LATE, {"planned": ("apheresis",)},
     ["alkylator", "alkylator-PDC"], "contraindicated", "melflufen-d"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "before", "added", "gone", "code", "one"), STOPS, ids=[s[0] for s in STOPS])
@pytest.mark.parametrize("pathway", ["default", "barila-2025", "qa-article", "de-arriba-2022"])
def test_a_hard_stop_holds_in_every_pathway(knowledge, case, before, added, gone, code, one, pathway):
    stopped = answer(knowledge, replace(before, **added), pathway=pathway)
    assert not keys(stopped) & containing(knowledge, *gone)
    assert code in codes(stopped, one)


@pytest.mark.parametrize(("case", "before", "added", "gone", "code", "one"), STOPS, ids=[s[0] for s in STOPS])
def test_without_it_the_regimen_is_there(knowledge, case, before, added, gone, code, one):
    """The stop is what takes it away, nothing else."""
    assert one in keys(answer(knowledge, before))


def test_refractoriness_to_an_anti_cd38_antibody_carries_over_to_the_other(knowledge):
    stopped = answer(knowledge, with_drug(FIRST, "daratumumab", R))
    assert not keys(stopped) & containing(knowledge, "anti-CD38")
    assert "refractory-class" in codes(stopped, "isa-kd")


def test_bortezomib_refractory_disease_may_have_carfilzomib(knowledge):
    assert "isa-kd" in keys(answer(knowledge, with_drug(FIRST, "bortezomib", R)))


def test_lenalidomide_refractory_disease_may_have_pomalidomide(knowledge):
    assert "d-pd" in keys(answer(knowledge, FIRST))


@pytest.mark.parametrize(("months_ago", "there"), [(1, False), (5.9, False), (6.1, True), (24, True)])
def test_bcma_after_recent_bcma(knowledge, months_ago, there):
    treated = with_drug(LATE, "belantamab-mafodotin", E, months_ago)
    suggested = keys(answer(knowledge, treated))
    assert bool(suggested & containing(knowledge, "BCMA")) is there
    assert "talquetamab" in suggested


def test_venetoclax_without_its_marker_is_barred_beside_having_no_label(knowledge):
    barred = answer(knowledge, replace(LATE, biology={"t-11-14": "absent"}))
    assert codes(barred, "ven-d") >= {"contraindicated", "not-labelled"}


def test_lymphodepletion_and_steroids_stop_nothing(knowledge):
    """An alkylator that belongs to the cells themselves is no alkylator before them."""
    planned = answer(knowledge, replace(LATE, planned=("car-t",), car_t="feasible"))
    assert "cilta-cel" in keys(planned)
    assert "d-pd" in keys(answer(knowledge, replace(FIRST, allergic=("dexamethasone",))))


@pytest.mark.parametrize(
    ("chart", "site", "there"),
    [
        ("unknown", "unknown", True),
        ("unknown", "available", True),
        ("unknown", "unavailable", False),
        ("feasible", "unavailable", True),  # the chart of this patient goes before the site
        ("not-feasible", "available", False),
    ],
)
def test_whether_cells_can_be_given(knowledge, chart, site, there):
    found = answer(knowledge, replace(LATE, car_t=chart), site=Site({}, site))
    assert ("ide-cel" in keys(found)) is there
    if not there:
        assert codes(found, "ide-cel") == {"not-available-here"}


def test_cells_stand_before_bispecifics_against_the_same_target(knowledge):
    order = [one.regimen for one in answer(knowledge, LATE).suggested]
    assert max(order.index(k) for k in ("cilta-cel", "ide-cel")) < min(
        order.index(k) for k in ("teclistamab", "elranatamab", "linvoseltamab")
    )


def test_without_cells_bispecifics_are_not_put_behind(knowledge):
    order = [one.regimen for one in answer(knowledge, replace(LATE, car_t="not-feasible")).suggested]
    assert order.index("teclistamab") < order.index("talquetamab")


# Every regimen that the label of a region allows or may allow, whatever rule would speak for it.
IN_USE = ("authorised", "authorised-conditional", "accelerated", "positive-opinion")


def test_every_drug_of_a_regimen_in_use_says_something_of_pregnancy(knowledge):
    expecting = Evaluator(
        sketched(Sketch(has=(("pregnancy", ""),), age=38), knowledge, AS_OF), knowledge, "EMA", "unknown"
    )
    silent = {
        drug
        for regimen in knowledge.regimens.values()
        if any(entry.status in IN_USE for entry in regimen.labels)
        for drug in (*regimen.components, *regimen.supporting)
        if not any(
            caution.concept == "pregnancy" and expecting.ask(caution.when).value
            for caution in knowledge.cautions(drug)
        )
    }
    assert silent == set()


EXPECTING = [
    ("lenalidomide-refractory first relapse", FIRST),
    ("anti-CD38-refractory first relapse", with_drug(FIRST, "daratumumab", R, 0)),
    ("first relapse that lenalidomide still controls", replace(FIRST, drugs={"bortezomib": Given(R)})),
    ("triple-class exposed after two lines", replace(LATE, prior_lines=2)),
    ("late", LATE),
    ("late, without CAR-T", replace(LATE, car_t="not-feasible")),
    ("late, after BCMA", with_drug(LATE, "teclistamab", R, 14)),
]


@pytest.mark.parametrize(("case", "before"), EXPECTING, ids=[e[0] for e in EXPECTING])
@pytest.mark.parametrize("region", ["EMA", "FDA"])
@pytest.mark.parametrize("pathway", ["default", "barila-2025", "qa-article", "de-arriba-2022"])
def test_a_pregnant_woman_gets_no_suggestion_that_is_silent_on_pregnancy(
    knowledge, case, before, region, pathway
):
    expecting = replace(before, has=(("pregnancy", ""),), age=38)
    for one in answer(knowledge, expecting, region, pathway).suggested:
        of_pregnancy = [c for c in one.cautions if c.concept == "pregnancy"]
        assert of_pregnancy, one.regimen
        assert all(caution.concerns and caution.weighs for caution in of_pregnancy), one.regimen


MINDED = [
    # what prophylaxis, replacement or another dose answers, of what the patient before has
    ("hepatitis B", FIRST, {"has": (("hepatitis-b", ""),)}),
    ("hepatitis B, late", LATE, {"has": (("hepatitis-b", ""),)}),
    ("low immunoglobulins", LATE, {"labs": {"igg": 300.0}}),
    ("a thrombosis in the history", FIRST, {"has": (("venous-thromboembolism", ""),)}),
    ("diabetes", FIRST, {"has": (("diabetes", ""),)}),
]


@pytest.mark.parametrize(("case", "before", "added"), MINDED, ids=[m[0] for m in MINDED])
@pytest.mark.parametrize("region", ["EMA", "FDA"])
def test_what_prophylaxis_or_replacement_answers_is_told_and_moves_no_regimen(
    knowledge, case, before, added, region
):
    plain = answer(knowledge, before, region).suggested
    minded = answer(knowledge, replace(before, **added), region).suggested
    assert [one.regimen for one in minded] == [one.regimen for one in plain]
    assert any(caution.concerns for one in minded for caution in one.cautions)


WEIGHED = [
    # what no prophylaxis answers, of what the patient before has, the regimen that goes back for it
    ("heart failure and carfilzomib", FIRST, {"has": (("heart-failure", "NYHA-II"),)}, "isa-kd"),
    ("COPD and an anti-CD38 antibody", FIRST, {"has": (("copd", ""),)}, "isa-kd"),
    ("neuropathy and bortezomib", FIRST, {"has": (("peripheral-neuropathy", "grade-1"),)}, "p-vd"),
]


@pytest.mark.parametrize(("case", "before", "added", "regimen"), WEIGHED, ids=[w[0] for w in WEIGHED])
def test_what_no_prophylaxis_answers_weighs(knowledge, case, before, added, regimen):
    found = answer(knowledge, replace(before, **added)).suggested
    weighing = [c for one in found if one.regimen == regimen for c in one.cautions if c.concerns and c.weighs]
    assert weighing


LIMITS = [
    # drug, what is charted, whether it is told, for which concept
    ("pomalidomide", {"labs": {"neutrophils-abs": 0.4}}, "cytopenia", True),
    ("pomalidomide", {"labs": {"neutrophils-abs": 0.5}}, "cytopenia", False),
    ("pomalidomide", {"labs": {"platelets": 49.0}}, "cytopenia", True),
    ("pomalidomide", {"labs": {"platelets": 50.0}}, "cytopenia", False),
    ("lenalidomide", {"labs": {"neutrophils-abs": 0.9}}, "cytopenia", True),
    ("lenalidomide", {"labs": {"platelets": 50.0}}, "cytopenia", False),
    ("ixazomib", {"labs": {"neutrophils-abs": 0.9}}, "cytopenia", True),
    ("ixazomib", {"labs": {"platelets": 74.0}}, "cytopenia", True),
    ("ixazomib", {"labs": {"platelets": 75.0}}, "cytopenia", False),
    ("bortezomib", {"labs": {"platelets": 24.0}}, "cytopenia", True),
    ("bortezomib", {"labs": {"platelets": 25.0}}, "cytopenia", False),
    ("carfilzomib", {"labs": {"lvef": 45.0}}, "low-ejection-fraction", True),
    ("carfilzomib", {"labs": {"lvef": 50.0}}, "low-ejection-fraction", False),
    ("carfilzomib", {"has": (("myocardial-infarction", "old"),)}, "cardiac", True),
    ("carfilzomib", {"has": (("dialysis", ""),)}, "renal-impairment", True),
    ("carfilzomib", {"ecog": 2}, "fitness", True),
    ("carfilzomib", {"ecog": 1}, "fitness", False),
    ("carfilzomib", {"has": (("frailty", ""),)}, "fitness", True),
    ("daratumumab", {"labs": {"fev1-percent": 49.0}}, "respiratory", True),
    ("isatuximab", {"labs": {"fev1-percent": 50.0}}, "respiratory", False),
    ("idecabtagene-vicleucel", {"ecog": 2}, "fitness", True),
    ("ciltacabtagene-autoleucel", {"labs": {"lvef": 38.0}}, "heart-failure", True),
    ("teclistamab", {"drugs": {"elranatamab": Given(R, 12)}}, "bcma-refractory", True),
    ("teclistamab", {"drugs": {"elranatamab": Given(E, 12)}}, "bcma-refractory", False),
    ("teclistamab", {"drugs": {"ciltacabtagene-autoleucel": Given(R, 12)}}, "bcma-refractory", False),
    ("belantamab-mafodotin", {"has": (("corneal-disease", "grade-1"),)}, "ocular", True),
]


@pytest.mark.parametrize(("drug", "charted", "concept", "told"), LIMITS)
def test_a_limit_of_the_label_is_told_from_where_it_holds_and_weighs(knowledge, drug, charted, concept, told):
    asked = Evaluator(sketched(Sketch(**charted), knowledge, AS_OF), knowledge, "EMA", "unknown")
    weighing = [
        caution
        for caution in knowledge.cautions(drug)
        if caution.concept == concept and caution.when is not None and caution.weighs and not caution.bars
    ]
    assert any(asked.ask(caution.when).value for caution in weighing) is told


BARRED = [
    # case, drug, what is charted, whether the drug is barred
    ("severe corneal disease", "belantamab-mafodotin", {"has": (("corneal-disease", "grade-3"),)}, True),
    ("mild corneal disease", "belantamab-mafodotin", {"has": (("corneal-disease", "grade-2"),)}, False),
    ("corneal disease of unknown grade", "belantamab-mafodotin", {"has": (("corneal-disease", ""),)}, False),
    ("an infarction of this year", "carfilzomib", {"has": (("myocardial-infarction", "recent"),)}, True),
    ("an old infarction", "carfilzomib", {"has": (("myocardial-infarction", "old"),)}, False),
    ("platelets of 70", "bendamustine", {"labs": {"platelets": 70.0}}, True),
    ("leukocytes of 2.5", "bendamustine", {"labs": {"leukocytes": 2.5}}, True),
    ("breast-feeding", "bendamustine", {"has": (("lactation", ""),)}, True),
    ("breast-feeding", "cyclophosphamide", {"has": (("lactation", ""),)}, True),
    ("an active serious infection", "cyclophosphamide", {"has": (("serious-infection", ""),)}, True),
]


@pytest.mark.parametrize(("case", "drug", "charted", "barred"), BARRED)
def test_what_bars_a_drug(knowledge, case, drug, charted, barred):
    asked = Evaluator(sketched(Sketch(**charted), knowledge, AS_OF), knowledge, "EMA", "unknown")
    bars = [caution.when for caution in knowledge.cautions(drug) if caution.bars]
    assert any(asked.ask(when).value for when in bars) is barred


@pytest.mark.parametrize(
    ("allergic", "intolerant", "warned"),
    [
        (("lenalidomide",), (), True),
        (("thalidomide",), (), True),
        ((), ("lenalidomide",), False),  # stopped for low counts is no allergy
        (("bortezomib",), (), False),
    ],
)
def test_an_allergy_to_one_immunomodulatory_drug_is_a_caution_for_pomalidomide(
    knowledge, allergic, intolerant, warned
):
    sketch = replace(FIRST, allergic=allergic, intolerant=intolerant)
    suggested = {one.regimen: one for one in answer(knowledge, sketch).suggested}
    told = {c.concept for c in suggested["d-pd"].cautions if c.concerns}
    assert ("hypersensitivity" in told) is warned
