"""The shipped knowledge with some numbers of its definitions changed, for tests that choose others."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cds_service.knowledge.types import Knowledge


def with_definitions(knowledge: Knowledge, change: Callable[[Any], object]) -> Knowledge:
    """A copy in which ``change`` has altered the definitions in place; the shipped ones stay as they are."""
    definitions = copy.deepcopy(dict(knowledge.definitions))
    change(definitions)
    return replace(knowledge, definitions=definitions)
