from __future__ import annotations

import pytest

from cds_service.cards.orders import Orders
from cds_service.cards.wording import Wording
from cds_service.explain.explainer import Explainer
from cds_service.knowledge.types import Knowledge


@pytest.fixture(scope="session")
def explainer(knowledge: Knowledge) -> Explainer:
    return Explainer(knowledge, Orders(knowledge, Wording(knowledge.cards)))
