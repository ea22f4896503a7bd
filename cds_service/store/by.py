"""By what a report counts; apart from the database, which a command line need not load to name it."""

from __future__ import annotations

from typing import Literal, get_args

By = Literal["regimen", "rule", "reason", "kind", "service"]
Every = Literal["month", "week"]
BY: tuple[By, ...] = get_args(By)
EVERY: tuple[Every, ...] = get_args(Every)
