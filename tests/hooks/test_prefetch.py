"""Every form a prefetch member can take, and what is then known."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.errors import DataMissing
from cds_service.hooks.fetch import Fetcher
from cds_service.hooks.prefetch import gather
from cds_service.hooks.request import HookRequest
from cds_service.hooks.services import services_of
from cds_service.knowledge.types import Knowledge
from tests.hooks.calls import INSTANCE, searchset

PATIENT = {"resourceType": "Patient", "id": "p1"}
CONDITION = {"resourceType": "Condition", "id": "c1"}
ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
NO_RESULTS = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "warning", "code": "processing", "details": {"coding": [{"code": "4101"}]}}],
}


@pytest.fixture
def templates(knowledge: Knowledge) -> dict[str, str]:
    services = services_of(knowledge.cards["services"], with_include=True)
    return dict(services["rrmm-patient-view"].prefetch)


def chart_of(templates: dict[str, str], **prefetch: Any):
    return gather(HookRequest("patient-view", INSTANCE, "p1", prefetch=prefetch), templates, Fetcher())


@pytest.mark.parametrize(
    "form, value, completeness",
    [
        ("a searchset", searchset({"resourceType": "Observation", "id": "o1"}), "complete"),
        ("an empty Bundle", {"resourceType": "Bundle", "type": "searchset", "total": 0}, "complete"),
        ("a Bundle with an empty list", {"resourceType": "Bundle", "entry": []}, "complete"),
        ("null: known to be none", None, "complete"),
        ("no results, told as a warning", searchset(NO_RESULTS), "complete"),
        ("a further page that cannot be had", searchset(next_page="https://ehr.example/page2"), "partial"),
        ("an error beside results", searchset({"resourceType": "Observation", "id": "o"}, ERROR), "partial"),
        ("an error in place of data", ERROR, "absent"),
        ("an error as the only entry", searchset(ERROR), "absent"),
        ("a bare text", "123", "absent"),
        ("a list", [], "absent"),
        ("an object that is no resource", {"code": 1}, "absent"),
        ("left out", ..., "absent"),
        ("another key's resources", searchset(CONDITION), "absent"),
        ("the patient", PATIENT, "absent"),
    ],
)
def test_form_of_a_member(templates: dict[str, str], form: str, value: Any, completeness: str) -> None:
    prefetch = dict.fromkeys(templates) | {"patient": PATIENT, "observations": value}
    if value is ...:
        del prefetch["observations"]
    chart = chart_of(templates, **prefetch)
    assert chart.completeness["observations"] == completeness, form
    assert bool(chart.issues) is (completeness != "complete"), form


def test_what_is_missing_is_said_in_a_sentence(templates: dict[str, str]) -> None:
    chart = chart_of(templates, conditions=searchset(CONDITION))
    texts = {issue.where: issue.text for issue in chart.issues}
    assert (
        texts["prefetch/procedures"]
        == "procedures was not sent, and there is no fhirServer to fetch it from."
    )


def test_members_nobody_asked_for_are_ignored(templates: dict[str, str]) -> None:
    chart = chart_of(templates, conditions=None, coverage=searchset({"resourceType": "Coverage", "id": "x"}))
    assert chart.resources == []


@pytest.mark.parametrize("prefetch", [{}, {"conditions": ERROR}, {"conditions": "no"}, {"allergies": None}])
def test_without_conditions_nothing_can_be_told(templates: dict[str, str], prefetch: dict[str, Any]) -> None:
    with pytest.raises(DataMissing) as caught:
        chart_of(templates, **prefetch)
    assert caught.value.status == 412
    assert caught.value.faults[0].pointer == "/prefetch/conditions"
    assert "Condition?patient=" in caught.value.faults[0].detail


def test_a_server_not_allowed_is_named_as_the_reason(templates: dict[str, str]) -> None:
    request = HookRequest(
        "patient-view", INSTANCE, "p1", fhir_server="https://ehr.example/fhir", access_token="t"
    )
    with pytest.raises(DataMissing, match="CDS_FHIR_SERVERS"):
        gather(request, templates, Fetcher())


def test_null_conditions_are_an_answer(templates: dict[str, str]) -> None:
    assert chart_of(templates, conditions=None).completeness["conditions"] == "complete"


OTHER = {"resourceType": "Observation", "id": "o1", "subject": {"reference": "Patient/p1"}}
THEIRS = CONDITION | {"subject": {"reference": "Patient/somebody-else"}}


def nested(depth: int) -> dict[str, Any]:
    bundle = searchset(CONDITION)
    for _ in range(depth):
        bundle = searchset(bundle)
    return bundle


@pytest.mark.parametrize(
    "form, value",
    [
        ("observations under the wrong key", searchset(OTHER)),
        ("the patient under the wrong key", PATIENT),
        ("entry is a text", {"resourceType": "Bundle", "entry": "x"}),
        ("entries that are no resources", {"resourceType": "Bundle", "entry": [None, 1, "x", [], {}]}),
        ("an empty page with a further one", searchset(next_page="https://ehr.example/page2")),
        ("a page of somebody else's", searchset(THEIRS, next_page="https://ehr.example/page2")),
        ("an error beside other resources", searchset(OTHER, ERROR)),
        ("Bundles nested beyond reading", nested(250)),
    ],
)
def test_conditions_that_are_not_the_patients_conditions_are_no_silence(
    templates: dict[str, str], form: str, value: Any
) -> None:
    with pytest.raises(DataMissing) as caught:
        chart_of(templates, conditions=value)
    assert caught.value.faults[0].pointer == "/prefetch/conditions", form
    assert "  " not in caught.value.detail


def test_a_first_page_with_conditions_of_the_patient_is_enough(templates: dict[str, str]) -> None:
    chart = chart_of(templates, conditions=searchset(CONDITION, next_page="https://ehr.example/page2"))
    assert chart.completeness["conditions"] == "partial"


@pytest.mark.parametrize("key", ["medicationStatements", "medicationRequests", "observations"])
def test_a_list_under_the_wrong_key_is_not_known_to_be_none(templates: dict[str, str], key: str) -> None:
    chart = chart_of(templates, **(dict.fromkeys(templates) | {key: searchset(CONDITION)}))
    assert chart.completeness[key] == "absent"
    assert any(issue.where == f"prefetch/{key}" for issue in chart.issues)


@pytest.mark.parametrize("value", [None, {"resourceType": "Bundle", "type": "searchset"}])
def test_a_patient_is_never_known_to_be_none(templates: dict[str, str], value: Any) -> None:
    chart = chart_of(templates, **(dict.fromkeys(templates) | {"patient": value}))
    assert chart.completeness["patient"] == "absent"
    assert [issue.where for issue in chart.issues] == ["prefetch/patient"]
