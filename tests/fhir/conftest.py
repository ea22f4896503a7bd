from __future__ import annotations

import pytest

from cds_service.knowledge.types import Knowledge
from cds_service.terminology import Terminology


@pytest.fixture(scope="session")
def terminology(knowledge: Knowledge) -> Terminology:
    return Terminology(knowledge)
