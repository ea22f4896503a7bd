"""Discovery and its templates against the rules of CDS Hooks 2.0 (sections Discovery, Prefetch Template)."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

import pytest

from cds_service.hooks.services import Service, resolve, services_of
from cds_service.knowledge.types import Knowledge
from cds_service.record import PREFETCH_KEYS
from tests.hooks.calls import HOOKS, faults


@pytest.fixture
def services(knowledge: Knowledge) -> dict[str, Service]:
    return services_of(knowledge.cards["services"], with_include=True)


def test_the_three_services(services: dict[str, Service]) -> None:
    assert {service.id: service.hook for service in services.values()} == {
        f"rrmm-{hook}": hook for hook in HOOKS
    }


@pytest.mark.parametrize("language", ["en", "it"])
def test_discovery_conforms(services: dict[str, Service], language: str) -> None:
    body = {"services": [service.as_json(language) for service in services.values()]}
    assert faults(body, "discovery-response") == []


def test_prefetch_keys_are_the_same_everywhere(services: dict[str, Service]) -> None:
    for service in services.values():
        assert list(service.prefetch) == list(PREFETCH_KEYS.values())


def test_templates_are_such_as_an_ehr_can_resolve(services: dict[str, Service]) -> None:
    for kind, key in PREFETCH_KEYS.items():
        template = services["rrmm-patient-view"].prefetch[key]
        assert re.findall(r"\{\{.*?\}\}", template) == ["{{context.patientId}}"], key
        path, _, query = template.partition("?")
        assert path.partition("/")[0] == kind and not path.startswith("/"), key
        names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
        assert len(names) == len(set(names)), f"{key}: a parameter stands twice; some clients join them by OR"
        assert set(names) <= {"patient", "_count", "_sort", "_include"}, key


def test_include_can_be_left_out(knowledge: Knowledge) -> None:
    plain = services_of(knowledge.cards["services"], with_include=False)["rrmm-order-sign"].prefetch
    assert plain["medicationRequests"] == "MedicationRequest?patient={{context.patientId}}&_count=1000"
    assert not any("_include" in template for template in plain.values())


@pytest.mark.parametrize(
    "template, query",
    [
        ("Patient/{{context.patientId}}", "Patient/p.1"),
        ("Condition?patient={{ context.patientId }}", "Condition?patient=p.1"),
        ("Encounter/{{context.encounterId}}", None),
        ("{{userPractitionerId}}", "a%2Fb"),
    ],
)
def test_resolving_a_template(template: str, query: str | None) -> None:
    assert resolve(template, {"context.patientId": "p.1", "userPractitionerId": "a/b"}) == query
