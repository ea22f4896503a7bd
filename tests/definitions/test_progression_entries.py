"""Which of the progressions that a chart states count, and when: some repeat others, some are older."""

from __future__ import annotations

from datetime import date

import pytest

from cds_service.patient.exposures import courses
from cds_service.patient.progression import events, progressed_on_or_within
from cds_service.patient.state import derive
from cds_service.patient.types import Certainty, Progression
from cds_service.record import DateSpan
from tests.chart import chart, given, myeloma, regimen, response

AS_OF = date(2026, 11, 1)
FIRST = given("bortezomib", "2022-01-10", "2024-02-01")
SECOND = given("carfilzomib", "2025-03-01", ongoing=True)
OLDER_THAN_TREATMENT = "2022-01-11/2026-11-01"  # the day after the first dose, to the evaluation date


def told(knowledge, *facts):
    """Every progression that counts: when, and how far it is trusted."""
    state = derive(chart(*facts), knowledge, AS_OF)
    return [(str(p.on), p.trust) for p in state.progressions]


@pytest.mark.parametrize(
    ("case", "facts", "expected"),
    [
        ("a progression without a day", [response("PD", None)], [(OLDER_THAN_TREATMENT, 1)]),
        ("a relapse without a day", [myeloma("relapse")], [(OLDER_THAN_TREATMENT, 3)]),
        ("a relapse with the onset of the first diagnosis", [myeloma("relapse", "2022-01-10")],
         [(OLDER_THAN_TREATMENT, 3)]),
        ("a progression that may have been before treatment explains no relapse",
         [myeloma("relapse"), response("PD", "2022-01")],
         [("2022-01", 1), (OLDER_THAN_TREATMENT, 3)]),
        ("one of the time on treatment does", [myeloma("relapse"), response("PD", "2022-05")],
         [("2022-05", 1)]),
        ("a relapse the day after the first dose", [myeloma("relapse", "2022-01-11")], [("2022-01-11", 3)]),
        ("a relapse by its day of entry", [myeloma("relapse", None, "2024-05-05")], [("2024-05-05", 3)]),
        ("its onset goes before the day of entry", [myeloma("relapse", "2024-04", "2024-05-05")],
         [("2024-04", 3)]),
        ("a stop for progression", [given("lenalidomide", "2022-01-10", "2024-02-01", "progression")],
         [("2024-02-01", 2)]),
        ("a relapse without a day adds nothing to a dated one",
         [response("PD", "2024-03-03"), myeloma("relapse")], [("2024-03-03", 1)]),
        ("a relapse only suspected is none, one further down the list is",
         [myeloma("active", "2021-01-01"), myeloma("relapse"), myeloma("relapse", "2024-06-06")],
         [("2024-06-06", 3)]),
        ("of two relapses the one with the first diagnosis' onset adds nothing",
         [myeloma("relapse", "2022-01-10"), myeloma("relapse", "2024-06-06")], [("2024-06-06", 3)]),
    ],
)  # fmt: skip
def test_when_the_disease_progressed(knowledge, case, facts, expected):
    assert told(knowledge, FIRST, *facts) == expected


@pytest.mark.parametrize(
    ("case", "facts", "expected"),
    [
        ("the day within the month", ["2024-03", "2024-03-03"], [("2024-03-03", 1)]),
        ("its first day", ["2024-03", "2024-03-01"], [("2024-03-01", 1)]),
        ("its last day", ["2024-03", "2024-03-31"], [("2024-03-31", 1)]),
        ("the month within the year", ["2024", "2024-03"], [("2024-03", 1)]),
        ("the day before the month", ["2024-03", "2024-02-29"], [("2024-02-29", 1), ("2024-03", 1)]),
        ("the day after the month", ["2024-03", "2024-04-01"], [("2024-03", 1), ("2024-04-01", 1)]),
        ("two days", ["2024-03-03", "2024-03-04"], [("2024-03-03", 1), ("2024-03-04", 1)]),
    ],
)
def test_a_progression_of_a_month_is_the_one_that_has_a_day_in_it(knowledge, case, facts, expected):
    assert told(knowledge, FIRST, *[response("PD", day) for day in facts]) == expected


def test_a_less_trusted_entry_does_not_date_a_better_one(knowledge):
    facts = [response("PD", "2024-03"), myeloma("relapse", "2024-03-03")]
    assert told(knowledge, FIRST, *facts) == [("2024-03", 1), ("2024-03-03", 3)]
    # The other way round it does.
    assert told(knowledge, FIRST, response("PD", "2024-03-03"), myeloma("relapse", "2024-03")) == [
        ("2024-03-03", 1)
    ]


@pytest.mark.parametrize(
    ("case", "facts", "expected"),
    [
        ("on the day of the first dose", [response("PD", "2025-03-01")], [("2025-03-01", 1)]),
        ("the day after it, on either side", [response("PD", "2025-03-02")], [("2025-02-28/2025-03-02", 1)]),
        ("28 days after it, on either side", [response("PD", "2025-03-29")], [("2025-02-28/2025-03-29", 1)]),
        ("29 days after it", [response("PD", "2025-03-30")], [("2025-03-30", 1)]),
        ("with a later response, before it", [response("PD", "2025-03-10"), response("PR", "2025-06-01")],
         [("2025-03-01", 1)]),
        ("the response must be later", [response("PD", "2025-03-10"), response("PR", "2025-03-10")],
         [("2025-02-28/2025-03-10", 1)]),
        ("stable disease is no response", [response("PD", "2025-03-10"), response("SD", "2025-06-01")],
         [("2025-02-28/2025-03-10", 1)]),
        ("an undated response tells nothing", [response("PD", "2025-03-10"), response("PR", None)],
         [("2025-02-28/2025-03-10", 1)]),
        ("an earlier one explains the change", [response("PD", "2025-03-10"), response("PD", "2025-02-10")],
         [("2025-02-10", 1)]),
        ("also on the day of the first dose", [response("PD", "2025-03-10"), response("PD", "2025-03-01")],
         [("2025-03-01", 1)]),
        ("180 days before it", [response("PD", "2025-03-10"), response("PD", "2024-09-02")],
         [("2024-09-02", 1)]),
        ("but not 181 days before it", [response("PD", "2025-03-10"), response("PD", "2024-09-01")],
         [("2024-09-01", 1), ("2025-02-28/2025-03-10", 1)]),
        ("a later one explains nothing", [response("PD", "2025-03-10"), response("PD", "2025-09-10")],
         [("2025-02-28/2025-03-10", 1), ("2025-09-10", 1)]),
        ("a month stays a month", [response("PD", "2025-03")], [("2025-03", 1)]),
    ],
)  # fmt: skip
def test_a_progression_just_after_a_new_treatment_began(knowledge, case, facts, expected):
    assert told(knowledge, FIRST, SECOND, *facts) == expected


def test_a_stop_for_progression_speaks_of_its_own_drug_however_soon(knowledge):
    stopped = given("carfilzomib", "2025-03-01", "2025-03-20", "progression")
    assert told(knowledge, FIRST, stopped) == [("2025-03-20", 2)]


@pytest.mark.parametrize(
    ("case", "entered", "expected"),
    [
        ("on the day of the first dose", "2025-03-01", "2025-03-01"),
        ("90 days after it", "2025-05-30", "2022-01-11/2025-03-01"),
        ("91 days after it", "2025-05-31", "2025-05-31"),
    ],
)
def test_a_relapse_entered_after_a_new_treatment_began(knowledge, case, entered, expected):
    assert told(knowledge, FIRST, SECOND, myeloma("relapse", None, entered)) == [(expected, 3)]


@pytest.mark.parametrize(
    ("case", "later", "expected"),
    [
        ("in response since", [response("PR", "2025-12-01")], "2022-01-11/2025-03-01"),
        ("the response of the same day is of before", [response("PR", "2025-10-01")], "2025-10-01"),
        ("in response to what was begun since",
         [response("PR", "2026-03-01"), given("elotuzumab", "2025-11-01", ongoing=True)], "2025-10-01"),
        ("in response since, to what was begun that day",
         [response("PR", "2026-03-01"), given("elotuzumab", "2025-10-01", ongoing=True)],
         "2022-01-11/2025-03-01"),
    ],
)  # fmt: skip
def test_a_relapse_entered_long_after_is_an_old_one_where_the_patient_responds(
    knowledge, case, later, expected
):
    assert told(knowledge, FIRST, SECOND, myeloma("relapse", None, "2025-10-01"), *later) == [(expected, 3)]


def test_the_day_of_entry_counts_where_the_onset_is_that_of_the_first_diagnosis(knowledge):
    relapse = myeloma("relapse", "2022-01-10", "2025-04-01")
    assert told(knowledge, FIRST, SECOND, relapse) == [("2022-01-11/2025-03-01", 3)]


def test_two_entries_of_one_month_both_stay(knowledge):
    facts = [response("PD", "2024-03"), myeloma("relapse", "2024-03")]
    assert told(knowledge, FIRST, *facts) == [("2024-03", 1), ("2024-03", 3)]


def test_stopped_for_progression_and_still_given(knowledge):
    open_entry = given("bortezomib", "2022-01-10", None, "progression", ongoing=True)
    assert told(knowledge, open_entry) == [(OLDER_THAN_TREATMENT, 2)]


def test_on_the_last_day_of_the_window_of_a_month_it_stays_open():
    first, last = DateSpan.on("2024-01-01"), DateSpan.on("2024-01")
    assert progressed_on_or_within(60, first, last, DateSpan.on("2024-03-31")) is None
    assert progressed_on_or_within(60, first, last, DateSpan.on("2024-04-01")) is False


def test_an_onset_is_no_late_entry(knowledge):
    assert told(knowledge, FIRST, SECOND, myeloma("relapse", "2025-05-01")) == [("2025-05-01", 3)]


@pytest.mark.parametrize(
    ("case", "next_drug", "expected"),
    [
        ("nothing followed", [], "2022-01-11/2026-11-01"),
        ("what followed was begun 42 days after it", [given("carfilzomib", "2022-02-21", ongoing=True)],
         "2022-01-11/2026-11-01"),
        ("43 days after it", [given("carfilzomib", "2022-02-22", ongoing=True)], "2022-01-11/2022-02-22"),
        ("of two the earlier counts",
         [given("carfilzomib", "2024-03-01", "2024-06-01"), given("elotuzumab", "2025-03-01", ongoing=True)],
         "2022-01-11/2024-03-01"),
        ("a month does not tell", [given("carfilzomib", "2024-03", ongoing=True)], "2022-01-11/2026-11-01"),
    ],
)  # fmt: skip
def test_a_stop_for_progression_without_a_day_lies_before_what_replaced_the_drug(
    knowledge, case, next_drug, expected
):
    stopped = given("bortezomib", "2022-01-10", None, "progression")
    assert told(knowledge, stopped, *next_drug) == [(expected, 2)]


@pytest.mark.parametrize(
    ("case", "first", "second", "begun", "expected"),
    [
        ("60 days apart", "2024-03-03", "2024-05-02", None, ["2024-03-03"]),
        ("61 days apart", "2024-03-03", "2024-05-03", None, ["2024-03-03", "2024-05-03"]),
        ("a treatment begun between them", "2024-03-03", "2024-04-03", "2024-03-20",
         ["2024-03-03", "2024-04-03"]),
        ("begun on the day of the first", "2024-03-03", "2024-04-03", "2024-03-03", ["2024-03-03"]),
        ("begun on the day of the second", "2024-03-03", "2024-04-03", "2024-04-03", ["2024-03-03"]),
        ("60 days from the end of the month", "2024-03", "2024-05-30", None, ["2024-05-30"]),
    ],
)  # fmt: skip
def test_facts_close_to_each_other_are_one_event(knowledge, case, first, second, begun, expected):
    began = [] if begun is None else [given("carfilzomib", begun, ongoing=True)]
    record = chart(FIRST, *began)
    facts = [
        Progression(DateSpan.on(day), 1, Certainty.DOCUMENTED, "", (f"Observation/{day}",))
        for day in (first, second)
    ]
    assert [str(e.on) for e in events(facts, courses(record.drugs, knowledge, AS_OF), 60)] == expected


def test_the_sentences_name_the_day_and_the_drug(knowledge):
    stopped = given("bortezomib", "2022-01-10", "2024-02-01", "progression")
    record = chart(stopped, response("PD", "2024-01-15"), *regimen("carfilzomib", "2024-03-01", ongoing=True))
    english = [p.because for p in derive(record, knowledge, AS_OF).progressions]
    italian = [p.because for p in derive(record, knowledge, AS_OF, "it").progressions]
    assert ["2024-01-15" in english[0], "2024-02-01" in english[1], "bortezomib" in english[1]] == [True] * 3
    assert not set(english) & set(italian)
    assert "2024-01-15" in italian[0]
