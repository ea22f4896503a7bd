"""Days as options of a command, between the same bounds as everywhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import click

from cds_service.asked import day_in
from cds_service.errors import BadRequest

_Command = Callable[..., Any]


def today() -> date:
    """The day of the call, in UTC."""
    return datetime.now(UTC).date()


def as_of_option(meaning: str) -> Callable[[_Command], _Command]:
    """The option ``--as-of`` of a command: a date, None where none is given."""
    return day_option("--as-of", "as_of", f"{meaning}; default today in UTC.")


def day_option(name: str, into: str, meaning: str) -> Callable[[_Command], _Command]:
    """An option that takes a day."""
    return click.option(name, into, callback=_day, metavar="YYYY-MM-DD", help=meaning)


def _day(_: click.Context, __: click.Parameter, value: str | None) -> date | None:
    try:
        return None if value is None else day_in(value, today())
    except BadRequest as problem:
        raise click.BadParameter(problem.detail) from None
