"""Comorbidities, viruses, markers and pregnancy as derived of the facts: there, not there, not known."""

from __future__ import annotations

from datetime import date

import pytest

from cds_service.knowledge.entries import condition_of
from cds_service.patient.biology import biology
from cds_service.patient.fertility import fertility
from cds_service.patient.serology import serology
from cds_service.patient.state import derive
from cds_service.record import (
    ClinicalRecord,
    ComorbidityFact,
    DateSpan,
    Measurement,
    PatientFacts,
    ProcedureFact,
)
from cds_service.sequencing.conditions import Evaluator

AS_OF = date(2026, 3, 1)
T, F, U = True, False, None


def on(day):
    return DateSpan.on(day) if day else None


def ill(concept, severity="", onset=None, *, over=False, no=False, seen=None, reference=""):
    """A comorbidity as a diagnosis, or with ``seen`` as what an observation of that day says."""
    kind = "Observation" if seen else "Condition"
    name = reference or f"{kind}/{concept}-{severity}-{onset}-{seen}-{no}"
    return ComorbidityFact(
        name, concept, not (over or no), severity, on(onset), present=not no, assessed=on(seen)
    )


def test_(concept, says, day="2026-02-01"):
    number = says if isinstance(says, float) else None
    return Measurement(
        f"Observation/{concept}-{day}", concept, on(day), number, "", "" if number is not None else says
    )


test_.__test__ = False


def state_of(knowledge, *facts, born="1960-05-05", sex="male"):
    def of(kind):
        return tuple(f for f in facts if isinstance(f, kind))

    record = ClinicalRecord(
        patient=PatientFacts("p1", on(born), sex),
        comorbidities=of(ComorbidityFact),
        measurements=of(Measurement),
        procedures=of(ProcedureFact),
    )
    return derive(record, knowledge, AS_OF)


def asked(knowledge, condition, *facts, **who):
    evaluator = Evaluator(state_of(knowledge, *facts, **who), knowledge, "EMA", "unknown")
    return evaluator.ask(condition_of(condition))


def has(concept, **more):
    return {"has": {"concept": concept, **more}}


HF = "heart-failure"


@pytest.mark.parametrize(
    ("case", "facts", "condition", "answer"),
    [
        ("nothing charted", [], has(HF), U),
        ("charted", [ill(HF)], has(HF), T),
        ("denied", [ill(HF, no=True)], has(HF), F),
        ("denied and charted: the disease wins", [ill(HF), ill(HF, no=True)], has(HF), T),
        ("denied, and once resolved", [ill(HF, over=True), ill(HF, no=True)], has(HF), F),
        ("resolved alone says nothing of today", [ill(HF, over=True)], has(HF), U),
        ("denied, asked for a class", [ill(HF, no=True)], has(HF, severity=["NYHA-III"]), F),
        ("another one denied", [ill("copd", no=True)], has(HF), U),
        (
            "neuropathy graded twice: the latest counts",
            [
                ill("peripheral-neuropathy", "grade-3", seen="2024-01-01"),
                ill("peripheral-neuropathy", "grade-1", seen="2026-01-01"),
            ],
            has("peripheral-neuropathy", grade_at_least=3),
            U,
        ),
        (
            "neuropathy grown",
            [
                ill("peripheral-neuropathy", "grade-1", seen="2024-01-01"),
                ill("peripheral-neuropathy", "grade-3", seen="2026-01-01"),
            ],
            has("peripheral-neuropathy", grade_at_least=3),
            T,
        ),
        (
            "neuropathy gone",
            [
                ill("peripheral-neuropathy", "grade-2", seen="2024-01-01"),
                ill("peripheral-neuropathy", no=True, seen="2026-01-01"),
            ],
            has("peripheral-neuropathy"),
            F,
        ),
        (
            "neuropathy come",
            [
                ill("peripheral-neuropathy", no=True, seen="2024-01-01"),
                ill("peripheral-neuropathy", "grade-2", seen="2026-01-01"),
            ],
            has("peripheral-neuropathy"),
            T,
        ),
        (
            "a diagnosis stands beside an observation",
            [
                ill("peripheral-neuropathy", "grade-3"),
                ill("peripheral-neuropathy", no=True, seen="2026-01-01"),
            ],
            has("peripheral-neuropathy", grade_at_least=3),
            T,
        ),
        (
            "extramedullary disease seen once",
            [
                ill("extramedullary-disease", seen="2025-01-01"),
                ill("extramedullary-disease", no=True, seen="2026-01-01"),
            ],
            has("extramedullary-disease"),
            T,
        ),
        (
            "no extramedullary disease",
            [ill("extramedullary-disease", no=True, seen="2026-01-01")],
            has("extramedullary-disease"),
            F,
        ),
        # infarction: recent, old, or nobody knows
        (
            "infarction two months ago",
            [ill("myocardial-infarction", onset="2026-01-01")],
            has("myocardial-infarction", severity=["recent"]),
            T,
        ),
        (
            "the same, entry resolved",
            [ill("myocardial-infarction", onset="2026-01-01", over=True)],
            has("myocardial-infarction", severity=["recent"]),
            T,
        ),
        (
            "infarction six years ago",
            [ill("myocardial-infarction", onset="2020")],
            has("myocardial-infarction", severity=["recent"]),
            U,
        ),
        (
            "... is ischaemic heart disease",
            [ill("myocardial-infarction", onset="2020")],
            has("ischemic-heart-disease"),
            T,
        ),
        (
            "infarction without a date",
            [ill("myocardial-infarction")],
            has("myocardial-infarction", severity=["recent"]),
            U,
        ),
        (
            "infarction some time in 2025",
            [ill("myocardial-infarction", onset="2025")],
            has("myocardial-infarction", severity=["recent"]),
            U,
        ),
        (
            "no infarction",
            [ill("myocardial-infarction", no=True)],
            has("myocardial-infarction", severity=["recent"]),
            F,
        ),
        (
            "ischaemic heart disease is no infarction",
            [ill("ischemic-heart-disease")],
            has("myocardial-infarction", severity=["recent"]),
            U,
        ),
        # dialysis
        (
            "dialysis last week",
            [ProcedureFact("Procedure/d", "dialysis", on("2026-02-22"))],
            has("dialysis"),
            T,
        ),
        (
            "dialysis two years ago",
            [ProcedureFact("Procedure/d", "dialysis", on("2024-02-22"))],
            has("dialysis"),
            U,
        ),
        ("dialysis, no date", [ProcedureFact("Procedure/d", "dialysis")], has("dialysis"), T),
        (
            "dialysis as a diagnosis, begun long ago",
            [ill("dialysis", onset="2020-01-01")],
            has("dialysis"),
            T,
        ),
        # viruses
        ("HBsAg positive", [test_("hbsag", "positive")], has("hepatitis-b"), T),
        (
            "anti-HBc positive, HBsAg negative",
            [test_("hbsag", "negative"), test_("anti-hbc-total", "positive")],
            has("hepatitis-b"),
            T,
        ),
        (
            "both negative",
            [test_("hbsag", "negative"), test_("anti-hbc-total", "negative")],
            has("hepatitis-b"),
            F,
        ),
        ("HBsAg negative alone", [test_("hbsag", "negative")], has("hepatitis-b"), U),
        ("HIV test negative", [test_("hiv-antigen-antibody", "negative")], has("hiv"), F),
        (
            "HIV positive by diagnosis, test negative",
            [ill("hiv"), test_("hiv-antibody", "negative")],
            has("hiv"),
            T,
        ),
        # pregnancy
        ("a man", [], has("pregnancy"), F),
        # frailty
        (
            "frail by the points",
            [
                Measurement("Observation/adl", "adl-score", on("2026-01-01"), 3.0),
                Measurement("Observation/iadl", "iadl-score", on("2026-01-01"), 3.0),
            ],
            has("frailty"),
            T,
        ),
        ("fit says not frail of nobody", [], has("frailty"), U),
    ],
)
def test_what_a_patient_has(knowledge, case, facts, condition, answer):
    outcome = asked(knowledge, condition, *facts)
    assert outcome.value is answer
    if answer is not None and case != "nothing charted":
        assert outcome.derived_from


def test_an_answer_of_no_names_what_says_so(knowledge):
    outcome = asked(knowledge, has(HF), ill(HF, no=True, reference="Condition/no-hf"))
    assert outcome.derived_from == ("Condition/no-hf",)
    assert outcome.missing == ()


def test_a_contradiction_is_an_issue(knowledge):
    found = state_of(knowledge, ill(HF), ill(HF, no=True)).issues
    assert [issue.code for issue in found] == ["conflicting-comorbidity"]


@pytest.mark.parametrize(
    ("limits", "labs", "answer", "rests", "missing"),
    [
        ({"under": 30}, {"creatinine-clearance": 20.0}, T, "creatinine-clearance", ""),
        ({"under": 30}, {"creatinine-clearance": 50.0, "egfr": 20.0}, F, "creatinine-clearance", ""),
        ({"under": 30}, {"egfr": 90.0}, U, "", "estimated:creatinine-clearance"),
        ({"under": 30}, {"egfr": 20.0}, U, "egfr", "estimated:creatinine-clearance"),
        ({"at_least": 30, "under": 60}, {"egfr": 45.0}, U, "egfr", "estimated:creatinine-clearance"),
        ({"under": 30}, {}, U, "", "lab:creatinine-clearance"),
    ],
)
def test_an_estimated_gfr_neither_clears_nor_bars(knowledge, limits, labs, answer, rests, missing):
    values = [Measurement(f"Observation/{k}", k, on("2026-02-01"), v, "") for k, v in labs.items()]
    outcome = asked(knowledge, {"lab": {"concept": "creatinine-clearance", **limits}}, *values)
    assert outcome.value is answer
    assert outcome.derived_from == ((f"Observation/{rests}",) if rests else ())
    assert outcome.missing == ((missing,) if missing else ())


def test_an_estimate_serves_where_it_is_asked_for(knowledge):
    egfr = Measurement("Observation/e", "egfr", on("2026-02-01"), 40.0, "")
    assert asked(knowledge, {"lab": {"concept": "egfr", "under": 45}}, egfr).value is True


# ---- viruses


@pytest.mark.parametrize(
    ("case", "facts", "status"),
    [
        ("nothing", [], "unknown"),
        ("HBsAg positive long ago", [test_("hbsag", "positive", "2015-01-01")], "positive"),
        (
            "HBsAg positive, then negative",
            [test_("hbsag", "positive", "2015-01-01"), test_("hbsag", "negative")],
            "past-contact",
        ),
        ("anti-HBc positive", [test_("anti-hbc-total", "positive", "2019-01-01")], "past-contact"),
        ("DNA found", [test_("hbv-dna", 2000.0)], "positive"),
        ("DNA not found tells nothing alone", [test_("hbv-dna", "absent")], "unknown"),
        ("negative, both", [test_("hbsag", "negative"), test_("anti-hbc-total", "absent")], "negative"),
        (
            "negative, but years ago",
            [test_("hbsag", "negative", "2022-01-01"), test_("anti-hbc-total", "negative", "2022-01-01")],
            "unknown",
        ),
        ("an answer nobody understands", [test_("hbsag", "see letter")], "unknown"),
        ("by diagnosis", [ill("hepatitis-b")], "positive"),
        ("a diagnosis resolved", [ill("hepatitis-b", over=True)], "past-contact"),
        ("denied", [ill("hepatitis-b", no=True)], "negative"),
        (
            "denied, but anti-HBc positive",
            [ill("hepatitis-b", no=True), test_("anti-hbc-total", "positive")],
            "past-contact",
        ),
        ("a test to come", [test_("hbsag", "positive", "2026-06-01")], "unknown"),
    ],
)
def test_hepatitis_b(knowledge, case, facts, status):
    numbers = knowledge.definitions["imwg"]["serology"]
    measured = [f for f in facts if isinstance(f, Measurement)]
    diagnosed = [f for f in facts if isinstance(f, ComorbidityFact)]
    found = serology(
        "hepatitis-b", measured, diagnosed, numbers["hepatitis-b"], numbers["negative_days"], AS_OF
    )
    assert found.status == status
    assert bool(found.derived_from) == (status != "unknown")
    assert state_of(knowledge, *facts).fitness.hepatitis_b == status


# ---- markers


def marker(key, says, day):
    return Measurement(f"Observation/{key}-{says}-{day}", key, on(day), text=says)


@pytest.mark.parametrize(
    ("case", "found", "markers", "high_risk", "issue"),
    [
        ("nothing", [], {}, "unknown", False),
        ("one of the set", [("del17p", "present", "2020-01-01")], {"del17p": "present"}, "present", False),
        ("one absent", [("del17p", "absent", "2020-01-01")], {"del17p": "absent"}, "unknown", False),
        (
            "all absent",
            [(k, "absent", "2020-01-01") for k in ("del17p", "t-4-14", "t-14-16", "gain-amp-1q21")],
            None,
            "absent",
            False,
        ),
        (
            "t(11;14) is not in the set",
            [("t-11-14", "present", "2020-01-01")],
            {"t-11-14": "present"},
            "unknown",
            False,
        ),
        (
            "found, later not: a clone does not vanish",
            [("del17p", "present", "2020-01-01"), ("del17p", "absent", "2025-01-01")],
            {"del17p": "present"},
            "present",
            True,
        ),
        (
            "not found, later found",
            [("del17p", "absent", "2020-01-01"), ("del17p", "present", "2025-01-01")],
            {"del17p": "present"},
            "present",
            False,
        ),
        ("without a date", [("t-4-14", "present", None)], {"t-4-14": "present"}, "present", False),
        ("after the day asked about", [("t-4-14", "present", "2026-09-01")], {}, "unknown", False),
    ],
)
def test_markers(knowledge, case, found, markers, high_risk, issue):
    own = biology([marker(*one) for one in found], knowledge.definitions, AS_OF, "en")
    told = dict(own.markers)
    assert told.pop("high-risk-cytogenetics") == high_risk
    assert markers is None or told == markers
    assert [i.code for i in own.issues] == (["conflicting-biology"] if issue else [])


def test_an_unknown_summary_is_no_answer(knowledge):
    for says, answer in (("present", U), ("absent", U)):
        assert asked(knowledge, {"biology": {"marker": "high-risk-cytogenetics", "is": says}}).value is answer
    found = marker("del17p", "present", "2020-01-01")
    assert (
        asked(knowledge, {"biology": {"marker": "high-risk-cytogenetics", "is": "present"}}, found).value
        is True
    )


# ---- pregnancy


@pytest.mark.parametrize(
    ("case", "sex", "ages", "facts", "potential", "pregnant"),
    [
        ("a man", "male", (45, 45), [], "no", None),
        ("sex not charted", "", (45, 45), [], "unknown", None),
        ("a woman of 45", "female", (45, 45), [], "possible", None),
        (
            "a woman of 45, menopause charted: treatment may have caused it",
            "female",
            (45, 45),
            [ill("menopause")],
            "possible",
            None,
        ),
        ("a woman of 55", "female", (55, 55), [], "unknown", None),
        ("a woman of 55 after menopause", "female", (55, 55), [ill("menopause")], "no", None),
        ("a woman of 49 or 50 after menopause", "female", (49, 50), [ill("menopause")], "unknown", None),
        ("a woman of 72", "female", (72, 72), [], "no", None),
        ("age not charted", "female", None, [], "unknown", None),
        ("uterus removed", "female", (38, 38), [ill("uterus-or-ovaries-removed")], "no", None),
        (
            "uterus removed, by procedure",
            "female",
            (38, 38),
            [ProcedureFact("Procedure/h", "uterus-or-ovaries-removed", on("2015"))],
            "no",
            None,
        ),
        (
            "uterus not removed",
            "female",
            (38, 38),
            [ill("uterus-or-ovaries-removed", no=True)],
            "possible",
            None,
        ),
        (
            "test negative last week",
            "female",
            (38, 38),
            [test_("pregnancy-test-serum", "negative", "2026-02-23")],
            "possible",
            False,
        ),
        (
            "test negative last year",
            "female",
            (38, 38),
            [test_("pregnancy-test-serum", "negative", "2025-02-23")],
            "possible",
            None,
        ),
        (
            "test positive last month",
            "female",
            (52, 52),
            [test_("pregnancy-test-urine", "positive", "2026-02-01")],
            "possible",
            True,
        ),
        (
            "positive, then negative last week",
            "female",
            (38, 38),
            [
                test_("pregnancy-test-urine", "positive", "2025-09-01"),
                test_("pregnancy-test-serum", "negative", "2026-02-25"),
            ],
            "possible",
            False,
        ),
    ],
)
def test_whether_a_pregnancy_is_possible(knowledge, case, sex, ages, facts, potential, pregnant):
    def of(kind):
        return [f for f in facts if isinstance(f, kind)]

    rules = knowledge.definitions["imwg"]["pregnancy_potential"]
    found = fertility(sex, ages, of(ComorbidityFact), of(ProcedureFact), of(Measurement), rules, AS_OF)
    assert (found.potential, found.pregnant) == (potential, pregnant)


def test_a_positive_test_is_a_pregnancy(knowledge):
    positive = test_("pregnancy-test-serum", "positive")
    assert asked(knowledge, has("pregnancy"), positive, sex="female", born="1990-01-01").value is True


def test_a_recent_negative_test_says_no(knowledge):
    negative = test_("pregnancy-test-serum", "negative", "2026-02-25")
    assert asked(knowledge, has("pregnancy"), negative, sex="female", born="1990-01-01").value is False


def test_a_young_woman_without_a_test_is_not_known(knowledge):
    assert asked(knowledge, has("pregnancy"), sex="female", born="1990-01-01").value is None


# ---- the data


def test_every_concept_that_the_definitions_name_exists(knowledge):
    numbers = knowledge.definitions["imwg"]
    observed = {entry["key"] for entry in knowledge.mappings["observations"]["observations"]}
    ills = {entry["key"] for entry in knowledge.mappings["comorbidities"]["comorbidities"]}
    viruses = [numbers["serology"][virus] for virus in ("hepatitis-b", "hiv")]
    tests = {
        t
        for v in viruses
        for t in (*v["infected"], *v["contact"], *(x for g in v["all_negative"] for x in g))
    }
    assert tests | set(numbers["pregnancy_potential"]["tests"]) <= observed
    assert set(numbers["cytogenetics"]["high_risk"]) <= set(numbers["cytogenetics"]["markers"])
    assert set(numbers["cytogenetics"]["markers"]) - {"igh-rearrangement"} <= observed
    assert {
        numbers["clearance"]["never_by"],
        "karnofsky",
        "adl-score",
        "iadl-score",
        "charlson-index",
    } <= observed
    weighed = {c for w in numbers["frailty"]["charlson_weights"] for c in w["concepts"]}
    file = knowledge.mappings["comorbidities"]
    named = {entry["concept"] for entry in file["denials"]["names"]}
    asked_for = {entry["concept"] for entry in file["questions"]["scales"]} | set(
        file["questions"]["passing"]
    )
    assert weighed | set(numbers["lasting"]["concepts"]) | named | asked_for | set(file["in_reports"]) <= ills


@pytest.mark.parametrize(("says", "answer"), [("frail", True), ("fit", None)])
def test_a_geriatrician_who_says_frail(knowledge, says, answer):
    said = Measurement("Observation/g", "geriatric-assessment", on("2026-01-01"), text=says)
    assert asked(knowledge, has("frailty"), said).value is answer


def test_frailty_by_age_alone_rests_on_the_patient(knowledge):
    outcome = asked(knowledge, has("frailty"), born="1940-01-01")
    assert (outcome.value, outcome.derived_from) == (True, ("Patient/p1",))
