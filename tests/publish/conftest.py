from __future__ import annotations

import pytest

from cds_service.assess import Assessor
from cds_service.knowledge.types import Knowledge
from cds_service.publish.library import Library


@pytest.fixture(scope="session")
def assessor(knowledge: Knowledge) -> Assessor:
    return Assessor(knowledge)


@pytest.fixture(scope="session")
def library(knowledge: Knowledge, assessor: Assessor) -> Library:
    return Library(knowledge, assessor.orders)
