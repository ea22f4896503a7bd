"""Progression on a drug or within 60 days of its last dose (IMWG, Rajkumar 2011)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.patient.progression import progressed_on_or_within
from cds_service.record import DateSpan


@pytest.mark.parametrize(
    ("case", "last_dose", "progression", "answer"),
    [
        ("progression on maintenance", "2025-03-01", "2025-02-10", True),
        ("day 59 after the last dose", "2025-06-01", "2025-07-30", True),
        ("day 60 after the last dose counts", "2025-03-01", "2025-04-30", True),
        ("day 61 does not", "2025-03-01", "2025-05-01", False),
        ("the month of progression lies inside", "2025-03-01", "2025-04", True),
        ("only the year of progression is charted", "2025-03-01", "2025", None),
        ("only the month of the last dose is known", "2025-02", "2025-04-15", None),
        ("relapse a year after a planned stop", "2023-06-30", "2024-06-30", False),
        ("progression before the first dose", "2025-03-01", "2021-12-24", False),
        ("the progression for which the drug was begun, same day", "2025-03-01", "2022-01-10", False),
    ],
)
def test_progression_against_the_60_day_window(case, last_dose, progression, answer):
    first = DateSpan.on("2022-01-10")
    assert progressed_on_or_within(60, first, DateSpan.on(last_dose), DateSpan.on(progression)) is answer


def test_a_last_dose_before_the_first_is_a_broken_contract():
    with pytest.raises(ValueError, match="lies before first dose"):
        progressed_on_or_within(
            60, DateSpan.on("2022-01-10"), DateSpan.on("2021-01-10"), DateSpan.on("2022-02-01")
        )


days = st.dates(date(2018, 1, 1), date(2026, 12, 31))


@st.composite
def spans(draw):
    start = draw(days)
    return DateSpan(start, start + timedelta(days=draw(st.integers(0, 400))))


def _day_in(data, span):
    return DateSpan.on(data.draw(st.dates(span.earliest, span.latest)))


@given(first=spans(), last=spans(), progression=spans(), data=st.data())
def test_exact_days_inside_the_spans_never_contradict_a_sure_answer(first, last, progression, data):
    if last.latest < first.earliest:
        return
    answer = progressed_on_or_within(60, first, last, progression)
    exact_first, exact_last = _day_in(data, first), _day_in(data, last)
    if exact_last.latest < exact_first.earliest:
        return
    exact = progressed_on_or_within(60, exact_first, exact_last, _day_in(data, progression))
    assert exact is not None
    assert answer is None or answer is exact


@pytest.mark.parametrize(
    ("charted", "earliest", "latest"),
    [
        ("2024", "2024-01-01", "2024-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2024-02-05", "2024-02-05", "2024-02-05"),
    ],
)
def test_a_partial_date_keeps_its_precision(charted, earliest, latest):
    span = DateSpan.on(charted)
    assert (span.earliest.isoformat(), span.latest.isoformat()) == (earliest, latest)
    assert str(span) == charted
