from __future__ import annotations

import pytest

from cds_service.knowledge.load import load
from cds_service.knowledge.types import Knowledge


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return load()
