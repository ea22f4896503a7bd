# ruff: noqa: E501 - a case a line, so that tables read as tables
"""Age, kidney function and performance status as they bear on the choice."""

from __future__ import annotations

from datetime import date

import pytest

from cds_service.patient.fitness import (
    age_on,
    ages_on,
    ecog_of,
    latest,
    renal_function,
    severity_grade,
    with_clearance,
    with_ecog,
)
from cds_service.record import DateSpan, Measurement

AS_OF = date(2026, 11, 1)


@pytest.mark.parametrize(
    ("case", "born", "age"),
    [
        ("the day before the birthday", "1951-11-02", 74),
        ("on the birthday", "1951-11-01", 75),
        ("only the year is charted and both ages are possible", "1951", None),
        ("only the month is charted and the birthday is over", "1951-04", 75),
        ("no birth date", None, None),
    ],
)
def test_age(case, born, age):
    assert age_on(DateSpan.on(born) if born else None, AS_OF) == age


def value(concept, number, day="2026-10-01", text=""):
    return Measurement(f"Observation/{concept}", concept, DateSpan.on(day), number, "", text)


@pytest.mark.parametrize(
    ("case", "age", "sex", "creatinine", "weight", "clearance"),
    [
        ("a man of 70, 75 kg, 1.0 mg/dL", 70, "male", 1.0, 75, 72.9),
        ("a woman of 70, 75 kg, 1.0 mg/dL: 85 %", 70, "female", 1.0, 75, 62.0),
        ("a woman of 82, 50 kg, 2.4 mg/dL: below 30", 82, "female", 2.4, 50, 14.3),
        ("the age is not known", None, "male", 1.0, 75, None),
        ("the sex is not known", 70, "unknown", 1.0, 75, None),
        ("no weight", 70, "male", 1.0, None, None),
    ],
)
def test_creatinine_clearance_by_cockcroft_gault(knowledge, case, age, sex, creatinine, weight, clearance):
    labs = {"creatinine": value("creatinine", creatinine)}
    if weight:
        labs["body-weight"] = value("body-weight", weight)
    formula = knowledge.definitions["imwg"]["clearance"]
    found = with_clearance(labs, age, sex, formula).get("creatinine-clearance")
    assert (found.value if found else None) == clearance
    assert found is None or (found.text, found.reference) == ("computed", "Observation/creatinine")


def test_a_charted_clearance_goes_before_a_computed_one(knowledge):
    labs = {
        "creatinine": value("creatinine", 1.0),
        "body-weight": value("body-weight", 75),
        "creatinine-clearance": value("creatinine-clearance", 41),
    }
    found = with_clearance(labs, 70, "male", knowledge.definitions["imwg"]["clearance"])
    assert found["creatinine-clearance"].value == 41


def test_the_latest_value_counts_and_an_old_one_does_not(knowledge):
    reach = knowledge.definitions["imwg"]["reach_days"]
    values = [value("ecog", 2, "2026-08-01"), value("ecog", 1, "2026-10-01"), value("lvef", 55, "2020-01-01")]
    found = latest(values, AS_OF, reach)
    assert found["ecog"].value == 1
    assert "lvef" not in found
    assert ecog_of(found) == 1


@pytest.mark.parametrize(
    ("severity", "grade"), [("grade-3", 3), ("mild", 1), ("severe", 3), ("", None), ("NYHA-III", None)]
)
def test_severity_as_a_grade(severity, grade):
    assert severity_grade(severity) == grade


@pytest.mark.parametrize(
    ("born", "ages"), [("1945", (80, 81)), ("1945-11-01", (81, 81)), ("1945-11-02", (80, 80)), (None, None)]
)
def test_the_ages_that_a_birth_date_allows(born, ages):
    assert ages_on(DateSpan.on(born) if born else None, AS_OF) == ages


@pytest.mark.parametrize(
    ("case", "charted_on", "creatinine_on", "clearance", "known_by"),
    [
        ("charted on the same day", "2026-10-01", "2026-10-01", 41, "creatinine-clearance"),
        ("charted later", "2026-10-20", "2026-10-01", 41, "creatinine-clearance"),
        ("the creatinine is newer: kidneys fail within days", "2026-06-01", "2026-10-01", 14.3, "cockcroft-gault"),
    ],
)  # fmt: skip
def test_a_charted_clearance_against_a_newer_creatinine(
    knowledge, case, charted_on, creatinine_on, clearance, known_by
):
    labs = {
        "creatinine": value("creatinine", 2.4, creatinine_on),
        "body-weight": value("body-weight", 50),
        "creatinine-clearance": value("creatinine-clearance", 41, charted_on),
        "egfr": value("egfr", 60),
    }
    found = with_clearance(labs, 82, "female", knowledge.definitions["imwg"]["clearance"])
    assert found["creatinine-clearance"].value == clearance
    assert renal_function(found, "egfr") == known_by


@pytest.mark.parametrize(
    ("labs", "known_by"),
    [
        ({}, ""),
        ({"egfr": 60}, "egfr"),
        ({"egfr": 60, "creatinine-clearance": 50}, "creatinine-clearance"),
        ({"creatinine": 1.0}, ""),
    ],
)
def test_what_the_kidney_function_is_known_by(labs, known_by):
    assert renal_function({k: value(k, v) for k, v in labs.items()}, "egfr") == known_by


@pytest.mark.parametrize(
    ("karnofsky", "ecog"),
    [(100, 0), (90, 0), (80, 1), (70, 1), (65, 2), (60, 2), (50, 2), (40, 3), (30, 3), (20, 4), (10, 4), (0, 5)],
)  # fmt: skip
def test_ecog_by_karnofsky_where_none_is_charted(knowledge, karnofsky, ecog):
    labs = with_ecog({"karnofsky": value("karnofsky", karnofsky)}, knowledge.definitions["imwg"]["karnofsky"])
    assert ecog_of(labs) == ecog
    assert (labs["ecog"].text, labs["ecog"].reference) == ("computed", "Observation/karnofsky")


def test_a_charted_ecog_goes_before_karnofsky_and_gives_none(knowledge):
    table = knowledge.definitions["imwg"]["karnofsky"]
    labs = {"ecog": value("ecog", 2), "karnofsky": value("karnofsky", 90)}
    assert with_ecog(labs, table) == labs
    assert "karnofsky" not in with_ecog({"ecog": value("ecog", 1)}, table)
    bounded = {"karnofsky": value("karnofsky", 70, text=">")}
    assert "ecog" not in with_ecog(bounded, table)


@pytest.mark.parametrize(
    ("words", "ecog"),
    [("ecog 1", 1), ("1-2", 2), ("0-1", 1), ("ecog ps 2/4", None), ("poor", None), ("", None), ("5-6", None)],
)
def test_ecog_in_words(words, ecog):
    assert ecog_of({"ecog": value("ecog", None, text=words)}) == ecog
