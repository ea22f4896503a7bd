from __future__ import annotations

import pytest

from cds_service.assess import Assessor
from cds_service.knowledge.types import Knowledge
from tests.clinical.notation import Notation


@pytest.fixture(scope="session")
def notation(knowledge: Knowledge) -> Notation:
    return Notation(knowledge)


@pytest.fixture(scope="session")
def assessor(knowledge: Knowledge) -> Assessor:
    return Assessor(knowledge)
