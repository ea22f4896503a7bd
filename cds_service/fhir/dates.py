"""A charted date, dateTime or Period as days: what was written, what had to be repaired, what is hopeless.

FHIR dates may be partial ("2024", "2024-03") and stay so. A dateTime is the calendar day as written: moving
it to another zone would move a last dose to another day than the one the nurse wrote down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from cds_service.record import DateSpan

_ISO_DAY = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?\Z")
_ISO_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})T([01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})\Z"
)
_LOOSE_TIME = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?P<gap>[Tt]|\s+)"
    r"(?:(?P<hour>\d{1,2}):?(?P<minute>\d{2})?(?::?(?P<second>\d{2})(?:[.,]\d+)?)?)?"
    r"\s*(?P<zone>[Zz]|[+-]\d{2}:?\d{2}|[+-]\d{2}|\[?[A-Za-z/_]{2,30}\]?)?\Z"
)
_LOOSE_DAY = re.compile(r"(\d{4})([-/.])(\d{1,2})(?:\2(\d{1,2}))?\Z")
_HL7V2 = re.compile(r"(\d{4})(\d{2})(\d{2})?(?:\d{2}(?:\d{2}(?:\d{2}(?:\.\d+)?)?)?)?(?:[+-]\d{4})?\Z")
_NAMED_FIRST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})\Z")

_PLACEHOLDER_DAYS = frozenset({date(1900, 1, 1), date(1899, 12, 30), date(1899, 12, 31)})
_FIRST_YEAR, _LAST_YEAR = 1890, 2199  # outside: DateTime.MinValue, SQL Server's 1753, "9999-12-31" ...


_LONGEST = 80  # a dateTime with its zone and blanks around it is shorter


@dataclass(frozen=True)
class Charted:
    """A date as read. ``span`` None: nothing usable; ``problem`` then says why ("" where nothing stood).

    ``repairs`` are the faults that did not change the meaning; ``has_time`` whether a time of day other than
    midnight was written; ``placeholder`` whether a program wrote the date to say "no date".
    """

    span: DateSpan | None = None
    repairs: tuple[str, ...] = ()
    problem: str = ""
    has_time: bool = False
    placeholder: bool = False


NOTHING = Charted()


def charted(raw: Any) -> Charted:
    """Read any value found where a date belongs. Never raises.

    A day that its month does not have ("2024-02-30") is read as the month, with a problem said; a month
    that does not exist, a date whose order of day and month cannot be told ("12/09/1987") and a
    placeholder ("0001-01-01") are no date.
    """
    if raw is None or raw == "":
        return NOTHING
    if isinstance(raw, str):
        # Longer ones are no dates, and would cost time in matching and room in the memory.
        return _from_text(raw) if len(raw) <= _LONGEST else _from_long_text(raw)
    if isinstance(raw, datetime):
        return Charted(DateSpan.on(raw.date()), has_time=bool(raw.hour or raw.minute))
    if isinstance(raw, date):
        return Charted(DateSpan.on(raw))
    if isinstance(raw, int) and not isinstance(raw, bool):
        read = _from_text(str(raw))
        return Charted(
            read.span, ("date written as a number", *read.repairs), read.problem, False, read.placeholder
        )
    return Charted(problem="is no date")


def _from_long_text(raw: str) -> Charted:
    text = raw.strip()
    return _from_text(f"{text} ") if len(text) < _LONGEST else Charted(problem="is no date")


@lru_cache(maxsize=16_384)
def _from_text(raw: str) -> Charted:
    if match := _ISO_DAY.match(raw):
        return _days(match[1], match[2], match[3])
    if match := _ISO_TIME.match(raw):
        return _days(match[1], match[2], match[3], has_time=raw[11:16] != "00:00")
    text = raw.strip()
    repairs = ["date trimmed"] if text != raw else []
    if not text:
        return NOTHING
    if match := _ISO_DAY.match(text):
        return _days(match[1], match[2], match[3], repairs)
    if match := _LOOSE_TIME.match(text):
        return _loose_time(match, repairs)
    if match := _LOOSE_DAY.match(text):
        return _days(match[1], match[3], match[4], [*repairs, "date in another notation"])
    if match := _HL7V2.match(text):
        return _days(match[1], match[2], match[3], [*repairs, "date in HL7 v2 notation"])
    if match := _NAMED_FIRST.match(text):
        one, two, year = int(match[1]), int(match[2]), match[3]
        if one > 12 >= two or (one == two <= 12):
            return _days(year, match[2], match[1], [*repairs, "date in another notation"])
        if two > 12 >= one:
            return _days(year, match[1], match[2], [*repairs, "date in another notation"])
        return Charted(repairs=tuple(repairs), problem="does not tell the day from the month")
    return Charted(repairs=tuple(repairs), problem="is no date")


def _loose_time(match: re.Match[str], repairs: list[str]) -> Charted:
    """A dateTime that is no valid FHIR dateTime, but whose day is plain to see."""
    hour, minute, second, zone = match["hour"], match["minute"], match["second"], match["zone"]
    if match["gap"] != "T":
        repairs = [*repairs, "blank or small t instead of T in a dateTime"]
    if hour is None:
        repairs = [*repairs, "dateTime without a time"]
    else:
        if int(hour) > 24 or int(minute or 0) > 59 or int(second or 0) > 60:
            repairs = [*repairs, "time of day ignored: it does not exist"]
        elif int(hour) == 24:
            repairs = [*repairs, "hour 24 read as the end of its day"]
        if minute is None or second is None:
            repairs = [*repairs, "time without seconds"]
        if zone is None:
            repairs = [*repairs, "time without zone"]
        elif zone.upper() != "Z" and ":" not in zone:
            repairs = [*repairs, "zone in another notation"]
    has_time = hour is not None and (int(hour) != 0 or int(minute or 0) != 0)
    return _days(match[1], match[2], match[3], repairs or ["dateTime in another notation"], has_time)


def _days(
    year: str, month: str | None, day: str | None, repairs: list[str] | None = None, has_time: bool = False
) -> Charted:
    """The days meant by the parts of a date, checked for existence and plausibility."""
    done = list(repairs or ())
    numeric = int(year)
    if not _FIRST_YEAR <= numeric <= _LAST_YEAR:
        return Charted(repairs=tuple(done), problem="is a placeholder, not a date", placeholder=True)
    if month is not None and int(month) == 0:  # HL7 v2 and MySQL write unknown parts as zeros
        month, day, done = None, None, [*done, "zeros in a date read as not known"]
    elif day is not None and int(day) == 0:
        day, done = None, [*done, "zeros in a date read as not known"]
    if month is None:
        return Charted(DateSpan.on(year), tuple(done))
    if int(month) > 12:
        return Charted(repairs=tuple(done), problem="names a month that does not exist")
    whole_month = DateSpan.on(f"{year}-{int(month):02d}")
    if day is None:
        return Charted(whole_month, tuple(done))
    try:
        span = DateSpan.on(date(numeric, int(month), int(day)))
    except ValueError:
        return Charted(
            whole_month, tuple(done), "names a day that its month does not have; read as the month"
        )
    if span.earliest in _PLACEHOLDER_DAYS:
        return Charted(repairs=tuple(done), problem="is a placeholder, not a date", placeholder=True)
    return Charted(span, tuple(done), has_time=has_time)
