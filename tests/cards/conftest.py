"""The renderer over the real knowledge, and the published shape of a CDS Hooks answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from cds_service.cards.render import Renderer
from cds_service.knowledge.types import Knowledge

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def renderer(knowledge: Knowledge) -> Renderer:
    return Renderer(knowledge, "https://cds.example.org")


@pytest.fixture(scope="session")
def response_schema() -> Draft202012Validator:
    path = TESTS / "hooks" / "schemas" / "cds-response.schema.json"
    return Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))
