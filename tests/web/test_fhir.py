"""The knowledge under /fhir/R4 over HTTP: read, search, metadata and $apply, nonsense included."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from cds_service.demo import bundle_of
from cds_service.knowledge.load import demo_patients
from cds_service.publish.library import TYPES, Library
from tests.publish.judges import complaints

ROOT = "/fhir/R4"
APPLY = f"{ROOT}/PlanDefinition/default/$apply"
FHIR = "application/fhir+json"

MakeClient = Callable[..., FlaskClient]


def body(
    *more: Any, patient: str = "drd-first-relapse", subject: str = "Patient/drd1-patient"
) -> dict[str, Any]:
    given = [
        {"name": "subject", "valueString": subject},
        {"name": "data", "resource": bundle_of(demo_patients()[patient])},
        *more,
    ]
    return {"resourceType": "Parameters", "parameter": given}


def apply(client: FlaskClient, sent: Any, path: str = APPLY):
    return client.post(path, data=json.dumps(sent), content_type=FHIR)


def outcome(answer: Any, status: int) -> list[dict[str, Any]]:
    """The issues of an error, which must be a valid OperationOutcome."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == FHIR
    assert answer.json["resourceType"] == "OperationOutcome"
    assert complaints(answer.json) == []
    return answer.json["issue"]


# ---- metadata --------------------------------------------------------------------------------------------
def test_metadata_lists_exactly_what_there_is(client: FlaskClient, library: Library) -> None:
    answer = client.get(f"{ROOT}/metadata")
    assert answer.status_code == 200 and answer.mimetype == FHIR
    statement = answer.json
    assert complaints(statement) == []
    assert statement["fhirVersion"] == "4.0.1" and statement["kind"] == "instance"
    assert statement["implementation"]["url"] == "http://127.0.0.1:8080/fhir/R4"
    (rest,) = statement["rest"]
    assert [one["type"] for one in rest["resource"]] == list(TYPES)
    for one in rest["resource"]:
        path = f"{ROOT}/{one['type']}"
        identifier = next(iter(library.all_of(one["type"])))
        assert [i["code"] for i in one["interaction"]] == ["read", "search-type"]
        assert client.get(path).json["type"] == "searchset"
        assert client.get(f"{path}/{identifier}").json["id"] == identifier
        for parameter in one["searchParam"]:
            bundle = client.get(f"{path}?{parameter['name']}=nothing-of-this-kind").json
            assert bundle["total"] == 0, (path, parameter["name"])
        assert ("operation" in one) is (one["type"] == "PlanDefinition")
        for method in (client.put, client.patch, client.delete):
            assert method(f"{path}/{identifier}").status_code == 405
        assert client.post(path, json={}).status_code == 405


def test_the_operation_is_defined_where_the_statement_says(client: FlaskClient) -> None:
    (plans,) = [
        one
        for one in client.get(f"{ROOT}/metadata").json["rest"][0]["resource"]
        if one["type"] == "PlanDefinition"
    ]
    url = plans["operation"][0]["definition"]
    (entry,) = client.get(f"{ROOT}/OperationDefinition?url={url}").json["entry"]
    assert entry["resource"]["code"] == "apply"


# ---- read and search -------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", TYPES)
def test_a_search_without_parameters_answers_everything(
    client: FlaskClient, library: Library, kind: str
) -> None:
    answer = client.get(f"{ROOT}/{kind}")
    bundle = answer.json
    assert bundle["total"] == len(bundle["entry"]) == len(library.all_of(kind))
    assert bundle["link"] == [{"relation": "self", "url": f"http://127.0.0.1:8080/fhir/R4/{kind}"}]
    assert {entry["search"]["mode"] for entry in bundle["entry"]} == {"match"}
    for entry in bundle["entry"][:3]:
        assert client.get(urlsplit(entry["fullUrl"]).path).json == entry["resource"]
    if kind in ("OperationDefinition", "StructureDefinition"):
        assert complaints(bundle) == []


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("_id=d-pd", ["d-pd"]),
        ("_id=d-pd,isa-kd", ["d-pd", "isa-kd"]),
        ("url=https://myeloma-cds.org/PlanDefinition/default", ["default"]),
        ("title=selinexor-bort", ["s-vd"]),
        ("title:contains=Inexor-Dexa", ["sel-d"]),
        ("title:exact=Gates and hard stops before every pathway", ["gates-and-hard-stops"]),
        ("title:exact=gates", []),
        ("name=PlanDefinition_s_vd", ["s-vd"]),
        ("_id=d-pd&title=isatuximab", []),
        ("_id=d-pd&status=draft", ["d-pd"]),
        ("_id=d-pd&status=active", []),
        ("_id=d-pd&title=", ["d-pd"]),
        ("_id=d-pd&_format=json", ["d-pd"]),
        ("_id=D-PD", []),
    ],
)
def test_searches(client: FlaskClient, query: str, ids: list[str]) -> None:
    bundle = client.get(f"{ROOT}/PlanDefinition?{query}").json
    assert sorted(entry["resource"]["id"] for entry in bundle.get("entry", ())) == sorted(ids)
    assert bundle["total"] == len(ids)
    assert complaints(bundle) == []


def test_pages_lead_to_each_other_and_to_the_whole(client: FlaskClient, library: Library) -> None:
    path, seen, pages = f"{ROOT}/ValueSet?_count=25&status=draft", [], 0
    while path:
        bundle = client.get(path).json
        assert bundle["total"] == len(library.all_of("ValueSet"))
        seen += [entry["resource"]["id"] for entry in bundle["entry"]]
        pages += 1
        links = {link["relation"]: urlsplit(link["url"]) for link in bundle["link"]}
        path = f"{links['next'].path}?{links['next'].query}" if "next" in links else ""
    assert seen == list(library.all_of("ValueSet"))
    assert pages == -(-len(seen) // 25)


@pytest.mark.parametrize("query", ["_summary=count", "_count=0"])
def test_a_count_alone(client: FlaskClient, library: Library, query: str) -> None:
    bundle = client.get(f"{ROOT}/PlanDefinition?{query}").json
    assert bundle["total"] == len(library.all_of("PlanDefinition"))
    assert "entry" not in bundle and len(bundle["link"]) == 1


def test_a_parameter_that_is_not_known_is_ignored_and_named(client: FlaskClient) -> None:
    bundle = client.get(f"{ROOT}/PlanDefinition?_id=d-pd&_sort=-date&colour=red").json
    assert bundle["total"] == 1
    match, told = bundle["entry"]
    assert match["resource"]["id"] == "d-pd"
    assert told["search"]["mode"] == "outcome"
    assert told["resource"]["issue"][0]["diagnostics"] == "Not known here, and ignored: _sort, colour."
    assert bundle["link"][0]["url"].endswith("/PlanDefinition?_id=d-pd")
    assert complaints(bundle) == []


def test_strict_handling_refuses_what_is_not_known(client: FlaskClient) -> None:
    answer = client.get(f"{ROOT}/PlanDefinition?colour=red", headers={"Prefer": "handling=strict"})
    assert "colour" in outcome(answer, 400)[0]["diagnostics"]


@pytest.mark.parametrize(
    "query",
    [
        "_count=-1",
        "_count=many",
        "_count=9999999",
        "_offset=x",
        "_summary=text",
        "title:below=a",
        "_id:not=a",
    ],
)
def test_values_that_cannot_be_understood(client: FlaskClient, query: str) -> None:
    outcome(client.get(f"{ROOT}/PlanDefinition?{query}"), 400)


def test_a_search_by_post(client: FlaskClient) -> None:
    answer = client.post(f"{ROOT}/PlanDefinition/_search", data={"_id": "d-pd"})
    assert [entry["resource"]["id"] for entry in answer.json["entry"]] == ["d-pd"]


@pytest.mark.parametrize(
    "path",
    [
        "Patient",
        "Patient/p1",
        "PlanDefinition/nothing",
        "plandefinition/d-pd",
        "PlanDefinition/$everything",
        "PlanDefinition/d-pd/_history",
        "PlanDefinition/..%2f..%2fetc",
        "",
        "metadata/x",
        "\u202e",
    ],
)
def test_what_is_not_there(client: FlaskClient, path: str) -> None:
    assert outcome(client.get(f"{ROOT}/{path}"), 404)[0]["code"] == "not-found"


@pytest.mark.parametrize("path", ["metadata", "PlanDefinition", "PlanDefinition/d-pd", "ConceptMap/loinc"])
def test_head_and_conditional_reading(client: FlaskClient, path: str) -> None:
    answer = client.get(f"{ROOT}/{path}")
    head = client.head(f"{ROOT}/{path}")
    assert head.status_code == 200 and head.data == b""
    assert head.headers["ETag"] == answer.headers["ETag"]
    again = client.get(f"{ROOT}/{path}", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304 and again.data == b""
    assert client.get(f"{ROOT}/{path}", headers={"If-None-Match": 'W/"other"'}).status_code == 200


def test_what_one_address_answered_is_no_answer_of_another(make_client: MakeClient) -> None:
    tags = {
        make_client(base_url=f"https://{host}.example.org").get(f"{ROOT}/metadata").headers["ETag"]
        for host in ("one", "two")
    }
    assert len(tags) == 2


@pytest.mark.parametrize(
    ("accept", "query", "status"),
    [
        ("application/fhir+json", "", 200),
        ("application/fhir+json; fhirVersion=4.0", "", 200),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "", 200),
        ("application/fhir+xml", "", 406),
        ("*/*;q=0", "", 406),
        ("application/fhir+xml", "?_format=json", 200),
        ("*/*", "?_format=xml", 406),
        ("*/*", "?_format=application/fhir%2Bjson", 200),
        ("*/*", "?_format=application/fhir+json", 200),
    ],
)
def test_only_json_is_served(client: FlaskClient, accept: str, query: str, status: int) -> None:
    answer = client.get(f"{ROOT}/PlanDefinition/d-pd{query}", headers={"Accept": accept})
    assert answer.status_code == status
    assert answer.mimetype == FHIR
    if status == 406:
        outcome(answer, 406)


# ---- $apply ----------------------------------------------------------------------------------------------
def test_apply_answers_as_the_bundle_api_does(client: FlaskClient) -> None:
    answer = apply(client, body())
    assert answer.status_code == 200 and answer.mimetype == FHIR
    assert answer.headers["Cache-Control"] == "no-store"
    plan = answer.json
    assert complaints(plan) == []
    (group,) = [one for one in plan["contained"] if one["resourceType"] == "RequestGroup"]
    offered = [action["id"] for action in group["action"][0]["action"]]
    assessed = client.post("/api/v1/assess", json=bundle_of(demo_patients()["drd-first-relapse"])).json
    assert offered == [one["regimen"] for one in assessed["recommendation"]["suggested"]]
    assert plan["created"] == "2026-05-11"  # the app's clock


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("region", {"valueCode": "FDA"}, "region FDA"),
        ("asOf", {"valueDate": "2026-03-01"}, "as of 2026-03-01"),
        ("userLanguage", {"valueCode": "it"}, "Percorso default"),
    ],
)
def test_what_a_call_may_set(client: FlaskClient, name: str, value: dict[str, str], told: str) -> None:
    plan = apply(client, body({"name": name} | value)).json
    assert told in plan["note"][-1]["text"]


def test_a_pathway_that_is_not_the_installations(client: FlaskClient) -> None:
    plan = apply(client, body(), f"{ROOT}/PlanDefinition/qa-article/$apply").json
    assert "Pathway qa-article" in plan["note"][-1]["text"]
    assert "not reviewed" in plan["note"][-1]["text"]


def test_settings_of_the_installation_hold(make_client: MakeClient) -> None:
    plan = apply(make_client(region="FDA", language="it", formulary="s-vd"), body()).json
    assert plan["language"] == "it" and "regione FDA" in plan["note"][-1]["text"]


def test_a_regimen_that_fits_answers_its_orders(client: FlaskClient) -> None:
    plan = apply(client, body(), f"{ROOT}/PlanDefinition/s-vd/$apply").json
    orders = [one["id"] for one in plan["contained"] if one["resourceType"] == "MedicationRequest"]
    assert orders == ["s-vd-selinexor", "s-vd-bortezomib", "s-vd-dexamethasone"]


@pytest.mark.parametrize(
    ("regimen", "patient", "subject", "code"),
    [
        ("d-rd", "drd-first-relapse", "drd1-patient", "refractory-component"),
        ("s-vd", "mgus-under-observation", "", "no-choice-due"),
        ("s-vd", "al-amyloidosis", "", "out-of-scope"),
    ],
)
def test_a_regimen_that_does_not_fit_is_refused_with_its_reasons(
    client: FlaskClient, regimen: str, patient: str, subject: str, code: str
) -> None:
    entries = bundle_of(demo_patients()[patient])["entry"]
    person = next(e["resource"]["id"] for e in entries if e["resource"]["resourceType"] == "Patient")
    sent = body(patient=patient, subject=subject or person)
    issues = outcome(apply(client, sent, f"{ROOT}/PlanDefinition/{regimen}/$apply"), 422)
    assert code in [issue["details"]["coding"][0]["code"] for issue in issues]
    assert {issue["code"] for issue in issues} == {"business-rule"}


def test_a_regimen_by_another_pathway(client: FlaskClient) -> None:
    path = f"{ROOT}/PlanDefinition/s-vd/$apply"
    plan = apply(client, body({"name": "pathway", "valueCode": "barila-2025"}), path).json
    assert "Pathway barila-2025" in plan["note"][-1]["text"]
    refused = apply(client, body({"name": "pathway", "valueCode": "barila-2025"}))
    assert outcome(refused, 400)[1]["expression"] == ["Parameters.parameter.where(name = 'pathway')"]


def test_at_type_level_the_body_names_the_plan(client: FlaskClient) -> None:
    path = f"{ROOT}/PlanDefinition/$apply"
    named = {"name": "canonical", "valueUri": "https://myeloma-cds.org/PlanDefinition/default|2026.11.0"}
    assert apply(client, body(named), path).json["contained"] == apply(client, body()).json["contained"]
    unknown = {"name": "canonical", "valueUri": "https://example.org/PlanDefinition/default"}
    outcome(apply(client, body(unknown), path), 404)
    outcome(apply(client, body(), path), 400)


@pytest.mark.parametrize(
    ("identifier", "status"),
    [("nothing", 404), ("drug-lenalidomide", 400), ("gates-and-hard-stops", 400), ("%2e%2e", 404)],
)
def test_what_cannot_be_applied(client: FlaskClient, identifier: str, status: int) -> None:
    outcome(apply(client, body(), f"{ROOT}/PlanDefinition/{identifier}/$apply"), status)


def test_only_post_applies(client: FlaskClient) -> None:
    assert outcome(client.get(APPLY), 405)[0]["code"] == "not-supported"
    assert client.get(APPLY).headers["Allow"]


def test_a_fault_says_where_it_is(client: FlaskClient) -> None:
    issues = outcome(apply(client, body({"name": "region", "valueCode": "UK"})), 400)
    assert issues[1]["expression"] == ["Parameters.parameter[2]"]
    assert "UK" not in json.dumps(issues)


def test_a_subject_to_whom_nothing_belongs_is_refused(client: FlaskClient) -> None:
    issues = outcome(apply(client, body(subject="Patient/somebody-else")), 400)
    assert issues[1]["expression"] == ["Parameters.parameter[0]"]
    assert "somebody-else" not in json.dumps(issues)


def test_of_two_patients_the_subject_alone_is_answered_for(client: FlaskClient) -> None:
    alone = apply(client, body()).json
    sent = body()
    other = bundle_of(demo_patients()["mgus-under-observation"])
    sent["parameter"].append({"name": "data", "resource": other})
    both = apply(client, sent).json
    assert both["subject"] == {"reference": "Patient/drd1-patient"}
    assert both["contained"] == alone["contained"]
    text = json.dumps(both)
    for entry in other["entry"]:
        assert f"{entry['resource']['resourceType']}/{entry['resource']['id']}" not in text


@pytest.mark.parametrize(
    ("case", "raw", "status"),
    [
        ("empty", b"", 400),
        ("no JSON", b"<Parameters/>", 400),
        ("half of it", b'{"resourceType": "Parameters", "parameter": [', 400),
        ("a number", b"7", 400),
        ("deep", b"[" * 5000, 400),
        ("a lone surrogate", b'{"resourceType": "\\ud800"}', 400),
        ("nothing in it", b"{}", 400),
        ("a list of nulls", b'{"resourceType": "Parameters", "parameter": [null, 1, "x", []]}', 400),
    ],
)
def test_nonsense_is_refused_in_fhir(client: FlaskClient, case: str, raw: bytes, status: int) -> None:
    outcome(client.post(APPLY, data=raw, content_type=FHIR), status)


@pytest.mark.parametrize(
    "resource",
    [
        {},
        {
            "resourceType": "MedicationStatement",
            "subject": {"reference": 7},
            "medicationCodeableConcept": "x",
        },
        {"resourceType": "Observation", "code": [], "valueQuantity": {"value": "1e999"}},
        {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Bundle", "entry": [None, 3]}}]},
        {"resourceType": "Parameters", "parameter": "x"},
        {"resourceType": "Condition", "code": {"text": "<script>alert(1)</script>" * 50}},
        None,
        "text",
    ],
)
def test_strange_resources_among_the_data_lose_no_answer(client: FlaskClient, resource: Any) -> None:
    sent = body()
    sent["parameter"][1]["resource"]["entry"] = [
        *sent["parameter"][1]["resource"]["entry"],
        {"resource": resource},
    ]
    answer = apply(client, sent)
    assert answer.status_code == 200
    assert complaints(answer.json) == []
    assert "<script>" not in answer.json["text"]["div"]


def test_a_body_beyond_the_limit_is_refused(make_client: MakeClient) -> None:
    sent = body({"name": "data", "resource": {"resourceType": "Bundle", "id": "x" * 2_000_000}})
    assert outcome(apply(make_client(max_body_mb=1), sent), 413)[0]["code"] == "too-long"


def test_a_body_of_another_kind_is_refused(client: FlaskClient) -> None:
    outcome(client.post(APPLY, data="<x/>", content_type="application/fhir+xml"), 415)


def test_errors_are_told_to_browsers_of_other_origins_too(client: FlaskClient) -> None:
    answer = client.get(f"{ROOT}/PlanDefinition/nothing", headers={"Origin": "https://ehr.example.org"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
