"""Discovery, and what its prefetch templates may ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
from flask.testing import FlaskClient

from cds_service.record import PREFETCH_KEYS
from tests.hooks.calls import HOOKS, call, empty_members, faults
from tests.shipped import KNOWLEDGE
from tests.web.conftest import MakeClient

requirement = pytest.mark.requirement

TOKEN = re.compile(r"\{\{(.*?)\}\}")
# What the tables of our three hooks mark as usable in a token, and the user's ids by kind.
TOKENS = {f"context.{field}" for field in ("patientId", "userId", "encounterId")}
TOKENS |= {"userPractitionerId", "userPractitionerRoleId", "userPatientId", "userRelatedPersonId"}


@pytest.fixture(params=["en", "it"])
def discovered(make_client: MakeClient, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    services = make_client(language=request.param).get("/cds-services").json["services"]
    assert len(services) == 3
    return list(services)


def templates(services: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for service in services:
        yield from service["prefetch"].items()


@requirement(8)
def test_discovery_stands_at_its_address_and_nowhere_else(client: FlaskClient) -> None:
    assert client.get("/cds-services").status_code == 200
    assert client.get("/.well-known/cds-services").status_code == 404


@requirement(3, 4, 5, 9, 11, 12, 13, 14)
def test_discovery_is_an_object_with_the_services(make_client: MakeClient) -> None:
    for language in ("en", "it"):
        body = make_client(language=language).get("/cds-services").json
        assert isinstance(body, dict) and isinstance(body["services"], list)
        assert faults(body, "discovery-response") == []
        assert empty_members(body) == []
        for service in body["services"]:
            for member in ("hook", "title", "description", "id"):
                assert isinstance(service[member], str) and service[member].strip(), member


@requirement(11, 41)
def test_the_hooks_are_those_of_the_standard_and_none_is_deprecated(discovered: list[dict[str, Any]]) -> None:
    assert [service["hook"] for service in discovered] == list(HOOKS)


@requirement(13)
def test_every_id_is_the_address_of_its_service(
    client: FlaskClient, discovered: list[dict[str, Any]]
) -> None:
    for service in discovered:
        assert re.fullmatch(r"[a-z0-9-]+", service["id"])
        assert client.post(f"/cds-services/{service['id']}", json=call(service["hook"])).status_code == 200


@requirement(19)
def test_every_hook_has_an_id_of_its_own(discovered: list[dict[str, Any]]) -> None:
    """The reference client keeps one service per id: of two of one id it would never call the first."""
    assert len({service["id"] for service in discovered}) == len(discovered)


@requirement(15)
def test_every_prefetch_key_is_one_that_the_service_reads(discovered: list[dict[str, Any]]) -> None:
    for service in discovered:
        assert set(service["prefetch"]) == set(PREFETCH_KEYS.values())


@requirement(16)
def test_a_service_says_what_it_cannot_do_without(discovered: list[dict[str, Any]]) -> None:
    assert all(len(service["usageRequirements"]) > 100 for service in discovered)


@requirement(17, 18, 23)
def test_discovery_holds_no_member_that_a_client_of_2_0_does_not_know(
    discovered: list[dict[str, Any]],
) -> None:
    known = {"hook", "title", "description", "id", "prefetch", "usageRequirements"}
    assert all(set(service) == known for service in discovered)


@requirement(22)
def test_templates_keep_the_order_of_their_file_and_none_needs_another(client: FlaskClient) -> None:
    raw = orjson.loads(client.get("/cds-services").data)
    assert all(
        list(one["prefetch"]) == list(KNOWLEDGE.cards["services"]["prefetch"]) for one in raw["services"]
    )
    assert not any("{{%" in template or "|" in template for _, template in templates(raw["services"]))


@requirement(24)
def test_a_page_tells_people_what_the_service_is_for(client: FlaskClient) -> None:
    page = client.get("/about")
    assert page.status_code == 200 and page.mimetype == "text/html"
    assert KNOWLEDGE.version.version in page.text


@requirement(45)
def test_a_template_is_one_relative_read_or_search_of_its_type(discovered: list[dict[str, Any]]) -> None:
    types = {key: kind for kind, key in PREFETCH_KEYS.items()}
    for key, template in templates(discovered):
        assert re.fullmatch(rf"{types[key]}(/[^/?]+|\?[^?]+)", template), template
        assert "://" not in template


@requirement(46, 47, 48, 49)
def test_a_token_is_a_root_field_of_the_context_that_the_hook_marks_as_one(
    discovered: list[dict[str, Any]],
) -> None:
    for _, template in templates(discovered):
        assert set(TOKEN.findall(template)) <= TOKENS, template
        assert TOKEN.findall(template), f"{template} asks for everybody"
        assert not re.search(r"[{}]", TOKEN.sub("", template)), template


@requirement(50)
def test_templates_stay_in_the_subset_that_every_client_knows_where_that_is_set(
    make_client: MakeClient,
) -> None:
    services = make_client(prefetch_include=False).get("/cds-services").json["services"]
    for _, template in templates(services):
        query = parse_qsl(template.partition("?")[2], strict_parsing="?" in template)
        names = [name for name, _ in query]
        assert set(names) <= {"patient", "_count", "_sort"}, template
        assert all(a != b for a, b in pairwise(sorted(names))), f"{template}: some clients join repeats by OR"
        assert dict(query).get("patient", "{{context.patientId}}") == "{{context.patientId}}"


@requirement(51)
def test_sorting_is_written_as_fhir_r4_writes_it(discovered: list[dict[str, Any]]) -> None:
    for _, template in templates(discovered):
        assert not re.search(r"[?&]sort|:(desc|asc)", template), template
