from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from cds_service.knowledge.types import Knowledge
from tests.postgres import Postgres, running
from tests.shipped import KNOWLEDGE

# --hypothesis-profile=nightly tries forty times as many charts of each property, =mutation a few of each
# that are always the same (tests/properties/untidy.py says how many).
settings.register_profile("nightly", print_blob=True)
settings.register_profile("mutation", derandomize=True, database=None)
# The check of a commit has to say the same twice; `make test` and `make nightly` look for what is new.
settings.register_profile("check", derandomize=True, database=None, print_blob=True)
if os.environ.get("CDS_CI"):
    settings.load_profile("check")


@pytest.fixture(scope="session", autouse=True)
def database_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where applications that tests make keep what they keep: not in the folder that pytest runs in."""
    url = f"sqlite:///{tmp_path_factory.mktemp('database')}/tests.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDS_DATABASE_URL", url)
        yield url


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return KNOWLEDGE


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL; the test is skipped where there is none."""
    with running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with nothing in it, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/kept/cards.sqlite"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()
