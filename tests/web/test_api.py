"""The bundle API, the knowledge, the demo patients and the pages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.demo import bundle_of
from cds_service.knowledge.load import demo_patients

ASSESS = "/api/v1/assess"


def post(client: FlaskClient, body: Any, query: str = ""):
    return client.post(f"{ASSESS}?{query}", data=json.dumps(body), content_type="application/fhir+json")


def demo(name: str = "drd-first-relapse") -> dict[str, Any]:
    return bundle_of(demo_patients()[name])


def test_an_assessment_holds_what_the_interface_names(client: FlaskClient) -> None:
    answer = post(client, demo(), "as_of=2026-05-11")
    assert answer.status_code == 200
    body = answer.json
    assert set(body) == {
        "patient", "as_of", "region", "pathway", "knowledge", "state", "recommendation", "cards", "issues",
    }  # fmt: skip
    assert body["as_of"] == "2026-05-11" and body["region"] == "EMA" and body["pathway"] == "default"
    assert body["state"]["drugs"]["lenalidomide"]["status"] == "refractory"
    assert "s-vd" in [one["regimen"] for one in body["recommendation"]["suggested"]]
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_day_is_today_where_none_is_given(client: FlaskClient) -> None:
    assert post(client, demo()).json["as_of"] == "2026-05-11"  # the app's clock


@pytest.mark.parametrize(
    "query, member, value",
    [
        ("region=FDA", "region", "FDA"),
        ("pathway=barila-2025", "pathway", "barila-2025"),
        ("as_of=2025-01-01", "as_of", "2025-01-01"),
    ],
)
def test_parameters(client: FlaskClient, query: str, member: str, value: str) -> None:
    assert post(client, demo(), query).json[member] == value


def test_trace_is_told_where_asked_for(client: FlaskClient) -> None:
    assert "trace" not in post(client, demo()).json["recommendation"]
    assert post(client, demo(), "trace=true").json["recommendation"]["trace"]


def test_draft_orders_are_judged_where_asked_for(client: FlaskClient) -> None:
    bundle = demo("order-daratumumab-when-refractory")

    def kinds(query: str) -> list[str]:
        cards = post(client, bundle, query).json["cards"]
        return [card["extension"]["org.myeloma-cds"]["kind"] for card in cards]

    assert kinds("draft_orders=true") == ["order-conflict"]
    assert kinds("draft_orders=false") == kinds("") == ["sequencing"]


def test_parameters_with_a_bundle(client: FlaskClient) -> None:
    wrapped = {"resourceType": "Parameters", "parameter": [{"name": "bundle", "resource": demo()}]}
    assert post(client, wrapped).json["state"] == post(client, demo()).json["state"]


def test_several_patients_need_a_name(client: FlaskClient) -> None:
    bundle = demo()
    bundle["entry"] = [*bundle["entry"], {"resource": {"resourceType": "Patient", "id": "someone-else"}}]
    answer = post(client, bundle)
    assert answer.status_code == 400
    assert answer.json["type"].endswith("#several-patients")
    assert "2 patients" in answer.json["detail"] and "patient=ID" in answer.json["detail"]
    assert answer.json["errors"][0]["parameter"] == "patient"
    assert post(client, bundle, "patient=drd1-patient").json["patient"]["id"] == "drd1-patient"


@pytest.mark.parametrize(
    "case, body, pointer",
    [
        ("a Patient", {"resourceType": "Patient", "id": "p1"}, "/resourceType"),
        ("no resource", {"a": 1}, "/resourceType"),
        ("a list", [], ""),
        ("entry no list", {"resourceType": "Bundle", "entry": {}}, "/entry"),
        ("Parameters without one", {"resourceType": "Parameters"}, "/parameter"),
    ],
)
def test_what_is_no_bundle(client: FlaskClient, case: str, body: Any, pointer: str) -> None:
    answer = post(client, body)
    assert answer.status_code == 400, case
    assert answer.json["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    "query, parameter",
    [
        ("region=UK", "region"),
        ("pathway=none", "pathway"),
        ("as_of=11.05.2026", "as_of"),
        ("as_of=2026-02-30", "as_of"),
        ("as_of=20260511", "as_of"),
        ("as_of=2026-5-11", "as_of"),
        ("as_of=2025-W34-3", "as_of"),
        ("as_of=0001-01-01", "as_of"),
        ("as_of=1899-12-31", "as_of"),
        ("as_of=2036-05-12", "as_of"),
        ("as_of=9999-12-31", "as_of"),
        ("draft_orders=maybe", "draft_orders"),
        ("trace=2", "trace"),
        ("patient=", "patient"),
        ("asof=2026-05-11", "asof"),
        ("region=EMA&region=FDA", "region"),
    ],
)
def test_parameters_at_fault_are_named(client: FlaskClient, query: str, parameter: str) -> None:
    answer = post(client, demo(), query)
    assert answer.status_code == 400
    assert [error["parameter"] for error in answer.json["errors"]] == [parameter]


@pytest.mark.parametrize("day", ["1900-01-01", "2036-05-11"])
def test_the_ends_of_the_calendar_that_is_answered(client: FlaskClient, day: str) -> None:
    assert post(client, demo(), f"as_of={day}").status_code == 200


@pytest.mark.parametrize("bundle", [demo(), {"resourceType": "Bundle"}])
def test_a_mistyped_patient_id_does_not_look_like_a_clean_chart(
    client: FlaskClient, bundle: dict[str, Any]
) -> None:
    answer = post(client, bundle, "patient=nobody")
    assert answer.status_code == 400
    assert answer.json["type"].endswith("#unknown-patient")
    assert answer.json["errors"][0]["parameter"] == "patient"
    assert "nobody" not in answer.json["detail"].replace("id of nobody", "")


@pytest.mark.parametrize("bundle", [{"resourceType": "Bundle"}, {"resourceType": "Bundle", "entry": []}])
def test_an_empty_chart_is_answered(client: FlaskClient, bundle: dict[str, Any]) -> None:
    answer = post(client, bundle)
    assert answer.status_code == 200
    assert answer.json["cards"] == [] and answer.json["recommendation"]["suggested"] == []


def test_each_demo_patient_can_be_fetched_and_assessed(client: FlaskClient) -> None:
    items = client.get("/api/v1/demo-patients").json["items"]
    assert {item["id"] for item in items} == set(demo_patients())
    for item in items:
        bundle = client.get(item["bundle"]).json
        assert bundle["resourceType"] == "Bundle"
        answer = client.post(item["assess"], data=json.dumps(bundle), content_type="application/json")
        assert answer.status_code == 200, item["id"]
        assert answer.json["as_of"] == item["as_of"]


@pytest.mark.parametrize(
    "collection, member, key",
    [("regimens", "key", "s-vd"), ("evidence", "id", "BOSTON-LENREF"), ("pathways", "id", "barila-2025")],
)
def test_the_knowledge_as_json(client: FlaskClient, collection: str, member: str, key: str) -> None:
    listed = client.get(f"/api/v1/{collection}").json
    assert set(listed) == {"items", "knowledge"}
    assert set(listed["knowledge"]) == {"version", "sha256", "effective"}
    one = client.get(f"/api/v1/{collection}/{key}").json
    assert one[member] == key
    assert one in listed["items"]
    assert client.get(f"/api/v1/{collection}/nothing").status_code == 404


def test_a_regimen_tells_its_label_gates_as_the_file_does(client: FlaskClient) -> None:
    labels = client.get("/api/v1/regimens/isa-kd").json["labels"]
    ema = next(label for label in labels if label["region"] == "EMA")
    assert ema["when"] == {"prior_lines": {"at_least": 1}}
    assert ema["text"]["it"]


def test_version_of_the_knowledge(client: FlaskClient) -> None:
    body = client.get("/api/v1/knowledge").json
    assert body["counts"]["regimens"] == len(client.get("/api/v1/regimens").json["items"])
    assert body["sha256"] == client.get("/health/ready").json["knowledge"]["sha256"]


@pytest.mark.parametrize("path, says", [("/", "/cds-services"), ("/about", "Intended use")])
def test_pages(client: FlaskClient, path: str, says: str) -> None:
    page = client.get(path)
    assert page.status_code == 200 and page.mimetype == "text/html"
    assert says in page.text
    assert "script" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path", ["/cds-services", "/health/live", "/health/ready", "/metrics", "/api/v1/regimens"]
)
def test_head_is_answered(client: FlaskClient, path: str) -> None:
    answer = client.head(path)
    assert answer.status_code == 200 and answer.data == b""
