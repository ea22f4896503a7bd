"""Clients as an operator writes them down, and how a call finds its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jwt
import pytest

from cds_service.cards.manner import Manner, SmartApp
from cds_service.errors import SettingError
from cds_service.hooks.clients import read_clients

TWO = """\
clients:
  - id: north
    iss: https://ehr.north.example/fhir
    region: FDA
    selection_behavior: any
    orders: care-plan
    doses: false
    smart_app: {url: https://app.example/launch, label: History}
  - id: south
    iss: https://ehr.south.example
    tenant: ward-3
    language: it
    mode: silent
"""


def token(**claims: Any) -> str:
    secret = "a secret nobody here knows, long enough"
    return f"Bearer {jwt.PyJWS().encode(json.dumps(claims).encode(), secret, algorithm='HS256')}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "clients.yaml"
    path.write_text(TWO, encoding="utf-8")
    return path


def test_a_client_is_found_by_the_issuer_and_the_tenant_of_its_token(file: Path) -> None:
    clients = read_clients(file)
    north = clients.named_in(token(iss="https://ehr.north.example/fhir", tenant="any"))
    assert north is not None and north.id == "north"
    south = clients.named_in(token(iss="https://ehr.south.example", tenant="ward-3"))
    assert south is not None and south.id == "south"
    assert clients.named_in(token(iss="https://ehr.south.example")) is None, "of a tenant it knows alone"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer not-a-token",
        "Basic bm9ydGg6",
        f"Bearer {'a' * 20_000}",
        token(iss="https://elsewhere.example"),
        token(iss=["https://ehr.north.example/fhir"]),
        token(iss="https://ehr.north.example/fhir", tenant={"a": 1}),
        token(sub="nobody"),
    ],
)
def test_what_names_nobody_is_nobody(file: Path, header: str | None) -> None:
    assert read_clients(file).named_in(header) is None


def test_an_entry_says_how_answers_are_put_and_leaves_the_rest_to_the_settings(file: Path) -> None:
    north, south = read_clients(file).entries
    assert north.manner() == Manner(
        "any", "care-plan", doses=False, smart_app=SmartApp("https://app.example/launch", "History")
    )
    here = Manner("any", "request-group", doses=False)
    assert south.manner(here) == here


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clients:\n  - id: a\n", "clients/0/iss: Field required"),
        ("clients:\n  - {id: A B, iss: x}\n", "clients/0/id: String should match"),
        ("clients:\n  - {id: a, iss: x, orders: fax}\n", "clients/0/orders: Input should be"),
        ("clients:\n  - {id: a, iss: x, colour: red}\n", "clients/0/colour: Extra inputs"),
        (
            "clients:\n  - {id: a, iss: x, smart_app: {url: 'http://far.example'}}\n",
            "smart_app/url: must be an https",
        ),
        (
            "clients:\n  - {id: a, iss: x, smart_app: {url: 'https://a.example/?iss=b'}}\n",
            "must not carry launch or iss",
        ),
        ("clients:\n  - {id: a, iss: x}\n  - {id: a, iss: y}\n", "two entries have the same id"),
        ("clients:\n  - {id: a, iss: x}\n  - {id: b, iss: x}\n", "two entries have the same iss and tenant"),
        ("clients: [\n", "line 2"),
        ("- a\n", "the whole file"),
    ],
)
def test_a_faulty_file_stops_the_start_and_names_the_fault(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "clients.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingError, match="CDS_TRUSTED_CLIENTS") as caught:
        read_clients(path)
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="No such file"):
        read_clients(tmp_path / "none.yaml")
