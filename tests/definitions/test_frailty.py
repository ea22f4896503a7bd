"""The IMWG frailty score (Palumbo 2015) from what is charted of it, and no further."""

from __future__ import annotations

from datetime import date

import pytest

from cds_service.patient.frailty import frailty
from cds_service.record import ComorbidityFact, DateSpan, Measurement

AS_OF = date(2026, 11, 1)
SCALES = {
    "adl": "adl-score",
    "iadl": "iadl-score",
    "cci": "charlson-index",
    "imwg": "imwg-frailty",
    "cfs": "clinical-frailty-scale",
}


def labs(text):
    """ "adl 4 iadl 5 cci 2" as values."""
    words = text.split()
    return {
        SCALES[name]: Measurement(
            f"Observation/{name}", SCALES[name], DateSpan.on("2026-10-01"), float(number)
        )
        for name, number in zip(words[::2], words[1::2], strict=True)
    }


def ills(text):
    """ "heart-failure; ckd stage-5" as comorbidities."""
    return [
        ComorbidityFact(
            f"Condition/{words.split()[0]}", words.split()[0], severity="".join(words.split()[1:])
        )
        for words in filter(None, (part.strip() for part in text.split(";")))
    ]


@pytest.mark.parametrize(
    ("ages", "scales", "comorbidities", "group", "score", "missing"),
    [
        # everything charted
        ((70, 70), "adl 6 iadl 8 cci 0", "", "fit", 0, ""),
        ((75, 75), "adl 5 iadl 6 cci 1", "", "fit", 0, ""),
        ((76, 76), "adl 6 iadl 8 cci 0", "", "intermediate", 1, ""),
        ((80, 80), "adl 6 iadl 8 cci 0", "", "intermediate", 1, ""),
        ((81, 81), "adl 6 iadl 8 cci 0", "", "frail", 2, ""),
        ((70, 70), "adl 4 iadl 8 cci 0", "", "intermediate", 1, ""),
        ((70, 70), "adl 6 iadl 5 cci 0", "", "intermediate", 1, ""),
        ((70, 70), "adl 6 iadl 8 cci 2", "", "intermediate", 1, ""),
        ((70, 70), "adl 4 iadl 5 cci 0", "", "frail", 2, ""),
        ((85, 85), "adl 3 iadl 2 cci 4", "", "frail", 5, ""),
        # parts missing
        ((81, 81), "", "", "frail", 2, "adl-score iadl-score charlson-index"),
        ((77, 77), "", "", "unknown", None, "adl-score iadl-score charlson-index"),
        ((77, 77), "adl 4", "", "frail", 2, "iadl-score charlson-index"),
        ((77, 77), "adl 6 iadl 8", "", "unknown", None, "charlson-index"),
        ((70, 70), "adl 6 iadl 8", "", "unknown", None, "charlson-index"),
        ((70, 70), "adl 4 iadl 5", "", "frail", 2, "charlson-index"),
        (None, "adl 6 iadl 8 cci 0", "", "unknown", None, "age"),
        (None, "adl 4 iadl 5 cci 0", "", "frail", 2, "age"),
        ((80, 81), "adl 6 iadl 8 cci 0", "", "unknown", None, "age"),
        ((80, 81), "adl 4 iadl 8 cci 0", "", "frail", 2, "age"),
        (None, "", "", "unknown", None, "age adl-score iadl-score charlson-index"),
        # comorbidities give a lower bound of the Charlson index, never an upper one
        ((77, 77), "adl 6 iadl 8", "heart-failure; copd", "frail", 2, ""),
        ((77, 77), "adl 6 iadl 8", "heart-failure", "unknown", None, "charlson-index"),
        ((70, 70), "adl 6 iadl 8", "dialysis", "intermediate", 1, ""),
        ((70, 70), "adl 6 iadl 8", "ckd stage-5; dialysis", "intermediate", 1, ""),
        ((77, 77), "adl 6 iadl 8", "ckd stage-3a", "unknown", None, "charlson-index"),
        ((77, 77), "adl 6 iadl 8", "hepatic-impairment severe", "frail", 2, ""),
        ((77, 77), "adl 6 iadl 8", "hepatic-impairment mild", "unknown", None, "charlson-index"),
        (
            (77, 77),
            "adl 6 iadl 8 cci 1",
            "heart-failure; copd",
            "intermediate",
            1,
            "",
        ),  # the charted index goes before
        # what the chart says itself
        ((70, 70), "imwg 1", "", "intermediate", 1, ""),
        ((70, 70), "imwg 3", "", "frail", 3, ""),
        ((82, 82), "imwg 0", "", "frail", 2, "adl-score iadl-score charlson-index"),  # over 80 alone is frail
        ((70, 70), "cfs 7", "", "unknown", None, "adl-score iadl-score charlson-index"),  # another scale
        ((70, 70), "", "frailty", "unknown", None, "adl-score iadl-score charlson-index"),
    ],
)
def test_frailty(knowledge, ages, scales, comorbidities, group, score, missing):
    found = frailty(ages, labs(scales), ills(comorbidities), knowledge.definitions, "en")
    assert (found.group, found.score) == (group, score)
    assert found.missing == tuple(missing.split())
    assert found.at_least == (group != "unknown" and bool(missing))
    assert found.because


@pytest.mark.parametrize(
    ("language", "ages", "scales", "comorbidities", "sentence"),
    [
        ("en", (82, 82), "", "", "IMWG frailty score at least 2: age 82. Not charted: ADL, IADL, Charlson."),
        (
            "it",
            (82, 82),
            "",
            "",
            "Punteggio di fragilità IMWG almeno 2: età 82. Non registrati: ADL, IADL, Charlson.",
        ),
        (
            "en",
            (70, 70),
            "adl 4 iadl 8 cci 1",
            "",
            "IMWG frailty score 1: age 70, ADL 4, IADL 8, Charlson 1.",
        ),
        (
            "en",
            (77, 77),
            "adl 6",
            "",
            "IMWG frailty score between 1 and 3: age 77, ADL 6. Not charted: IADL, Charlson.",
        ),
        (
            "en",
            (77, 77),
            "adl 6 iadl 8",
            "copd; diabetes",
            "IMWG frailty score 2: age 77, ADL 6, IADL 8, Charlson at least 2 by the comorbidities charted.",
        ),
        ("en", (70, 70), "imwg 2", "", "The chart gives the IMWG frailty: frail."),
        ("it", (70, 70), "imwg 2", "", "Fragilità IMWG riportata in cartella: fragile."),
    ],
)
def test_the_sentence_that_explains_it(knowledge, language, ages, scales, comorbidities, sentence):
    assert (
        frailty(ages, labs(scales), ills(comorbidities), knowledge.definitions, language).because == sentence
    )


def test_it_rests_on_what_was_counted(knowledge):
    found = frailty((77, 77), labs("adl 6 iadl 8"), ills("heart-failure; copd"), knowledge.definitions, "en")
    assert found.derived_from == (
        "Condition/copd",
        "Condition/heart-failure",
        "Observation/adl",
        "Observation/iadl",
    )


def test_a_comorbidity_that_is_over_or_denied_counts_nothing(knowledge):
    gone = [
        ComorbidityFact("Condition/a", "dialysis", active=False),
        ComorbidityFact("Condition/b", "copd", active=False, present=False),
    ]
    assert frailty((77, 77), labs("adl 6 iadl 8"), gone, knowledge.definitions, "en").group == "unknown"


def test_what_the_chart_says_of_frailty_is_shown(knowledge):
    said = {
        **labs("cfs 6"),
        "geriatric-assessment": Measurement("Observation/g", "geriatric-assessment", text="frail"),
    }
    found = frailty((70, 70), said, ills("frailty"), knowledge.definitions, "en")
    assert found.charted == (
        ("Clinical Frailty Scale: 6", "Observation/cfs"),
        ("frail", "Observation/g"),
        ("frailty", "Condition/frailty"),
    )


@pytest.mark.parametrize(
    ("text", "group"),
    [("frail", "frail"), ("fit", "fit"), ("intermediate", "intermediate"), ("see letter", "unknown")],
)
def test_a_charted_group_in_words(knowledge, text, group):
    own = {"imwg-frailty": Measurement("Observation/f", "imwg-frailty", DateSpan.on("2026-10-01"), text=text)}
    assert frailty((70, 70), own, [], knowledge.definitions, "en").group == group
