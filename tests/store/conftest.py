from __future__ import annotations

from collections.abc import Iterator

import pytest

from cds_service.store.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    assert database.prepare() == ""
    yield database
    database.close()
