from __future__ import annotations

import pytest
from hypothesis import settings

from cds_service.knowledge.types import Knowledge
from tests.shipped import KNOWLEDGE

# --hypothesis-profile=nightly tries forty times as many charts of each property, =mutation a few of each
# that are always the same (tests/properties/untidy.py says how many).
settings.register_profile("nightly", print_blob=True)
settings.register_profile("mutation", derandomize=True, database=None)


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return KNOWLEDGE
