"""Dates as charted, and the days they may mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.fhir.dates import charted


@pytest.mark.parametrize(
    ("written", "days", "repairs"),
    [
        ("2024", "2024", ()),
        ("2024-03", "2024-03", ()),
        ("2024-03-05", "2024-03-05", ()),
        ("2024-03-05T10:00:00Z", "2024-03-05", ()),
        ("2024-03-05T23:59:59.999+13:00", "2024-03-05", ()),
        ("2024-03-05T10:00:00", "2024-03-05", ("time without zone",)),
        ("2024-03-05T10:00", "2024-03-05", ("time without seconds", "time without zone")),
        ("2024-03-05T10:00:00+0500", "2024-03-05", ("zone in another notation",)),
        ("2024-03-05 10:00:00Z", "2024-03-05", ("blank or small t instead of T in a dateTime",)),
        ("2024-03-05T24:00:00Z", "2024-03-05", ("hour 24 read as the end of its day",)),
        ("2024-03-05T10:00:00[Europe/Rome]", "2024-03-05", ("zone in another notation",)),
        ("2024-3-5", "2024-03-05", ("date in another notation",)),
        ("2024/03/05", "2024-03-05", ("date in another notation",)),
        ("20240305", "2024-03-05", ("date in HL7 v2 notation",)),
        ("202403", "2024-03", ("date in HL7 v2 notation",)),
        ("202403051030+0100", "2024-03-05", ("date in HL7 v2 notation",)),
        ("2024-00-00", "2024", ("zeros in a date read as not known",)),
        ("2024-03-00", "2024-03", ("zeros in a date read as not known",)),
        ("25/12/2024", "2024-12-25", ("date in another notation",)),
        ("12/25/2024", "2024-12-25", ("date in another notation",)),
        ("05.05.2024", "2024-05-05", ("date in another notation",)),
        ("2024-02-29", "2024-02-29", ()),
    ],
)
def test_a_date_that_can_be_read(written: str, days: str, repairs: tuple[str, ...]) -> None:
    read = charted(written)
    assert (str(read.span), read.repairs, read.problem) == (days, repairs, "")


@pytest.mark.parametrize(
    ("written", "days", "problem"),
    [
        ("2024-02-30", "2024-02", "names a day that its month does not have; read as the month"),
        ("2023-02-29", "2023-02", "names a day that its month does not have; read as the month"),
        ("2025-13-01", None, "names a month that does not exist"),
        ("12/09/1987", None, "does not tell the day from the month"),
        ("0001-01-01T00:00:00Z", None, "is a placeholder, not a date"),
        ("1900-01-01", None, "is a placeholder, not a date"),
        ("9999-12-31", None, "is a placeholder, not a date"),
        ("last spring", None, "is no date"),
        ("24", None, "is no date"),
        ({"value": "2024"}, None, "is no date"),
        (True, None, "is no date"),
        (2024.5, None, "is no date"),
    ],
)
def test_a_date_that_cannot_be_read_as_written(written: object, days: str | None, problem: str) -> None:
    read = charted(written)
    assert (None if read.span is None else str(read.span), read.problem) == (days, problem)


@pytest.mark.parametrize("nothing", [None, "", "   "])
def test_no_date_is_no_fault(nothing: object) -> None:
    assert charted(nothing).span is None
    assert charted(nothing).problem == ""


@given(st.dates().filter(lambda day: 1901 <= day.year <= 2100))
def test_every_day_is_read_as_itself_in_every_notation(day: object) -> None:
    iso = str(day)
    for written in (iso, f"{iso}T00:00:00Z", f"{iso} 12:30", iso.replace("-", "")):
        assert str(charted(written).span) == iso


@given(
    st.one_of(
        st.text(), st.integers(), st.floats(), st.lists(st.integers()), st.from_regex(r"\d{4}-\d{2}-\d{2}")
    )
)
def test_nothing_raises(anything: object) -> None:
    read = charted(anything)
    assert read.span is None or read.span.earliest <= read.span.latest
