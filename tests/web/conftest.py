from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cds_service.assess import Assessor
from cds_service.knowledge.types import Knowledge
from cds_service.publish.library import Library
from cds_service.settings import Settings, load_settings
from cds_service.web.app import create_app
from tests.hooks.calls import DAY

MakeClient = Callable[..., FlaskClient]


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, database_of_the_tests: str) -> None:
    import os

    for name in os.environ:
        if name.startswith("CDS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CDS_DATABASE_URL", database_of_the_tests)


@pytest.fixture(scope="session")
def assessor(knowledge: Knowledge) -> Assessor:
    return Assessor(knowledge)


@pytest.fixture(scope="session")
def library(knowledge: Knowledge, assessor: Assessor) -> Library:
    return Library(knowledge, assessor.orders)


@pytest.fixture
def make_app(knowledge: Knowledge, assessor: Assessor, library: Library) -> Callable[..., Flask]:
    """An app with settings as given, on 11 May 2026."""

    def made(now: Any = lambda: DAY, assessor: Any = assessor, **settings: Any) -> Flask:
        chosen: Settings = load_settings(**settings)
        return create_app(chosen, knowledge=knowledge, assessor=assessor, library=library, now=now)

    return made


@pytest.fixture
def make_client(make_app: Callable[..., Flask]) -> MakeClient:
    return lambda **settings: make_app(**settings).test_client()


@pytest.fixture
def client(make_client: MakeClient) -> Iterator[FlaskClient]:
    with make_client() as client:
        yield client
