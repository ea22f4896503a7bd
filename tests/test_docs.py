"""What README and docs say is held against what the service does."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cds_service.settings import Settings, load_settings
from cds_service.web.app import create_app

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def client():
    return create_app(load_settings(), now=lambda: datetime(2026, 11, 21, tzinfo=UTC)).test_client()


def test_the_readme_hook_call_gets_the_answer_the_readme_prints(client):
    body = json.loads((ROOT / "docs/examples/patient-view.json").read_text(encoding="utf-8"))
    card = client.post("/cds-services/rrmm-patient-view", json=body).get_json()["cards"][0]
    printed = README.split("```json")[1].split("```")[0]
    assert re.search(r'"summary": "([^"]+)"', printed)[1] == card["summary"]
    labels = [suggestion["label"] for suggestion in card["suggestions"]]
    assert re.findall(r'"label": "([^"]+)"', printed) == labels
    assert ('"isRecommended": true' in printed) is any(s.get("isRecommended") for s in card["suggestions"])
    evidence = re.search(r"… (BOSTON [^…]+?) …", printed)
    assert evidence and evidence[1] in card["detail"]


def test_no_regimen_the_readme_excludes_is_suggested(client):
    body = json.loads((ROOT / "docs/examples/patient-view.json").read_text(encoding="utf-8"))
    card = client.post("/cds-services/rrmm-patient-view", json=body).get_json()["cards"][0]
    ordered = {
        action["resource"]["medicationCodeableConcept"]["text"]
        for suggestion in card["suggestions"]
        for action in suggestion["actions"]
    }
    assert ordered and not ordered & {"daratumumab", "isatuximab", "lenalidomide"}


@pytest.mark.parametrize(
    ("path", "link"),
    [
        (path.relative_to(ROOT).as_posix(), link)
        for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
        if not link.startswith("http")
    ],
)
def test_every_link_leads_somewhere(path, link):
    assert ((ROOT / path).parent / link).exists(), f"{path} links to {link}"


@pytest.mark.parametrize("name", re.findall(r"`(CDS_[A-Z_]+?)(?:=[^`]*)?`", README))
def test_every_setting_of_the_readme_exists(name):
    assert name.removeprefix("CDS_").lower() in Settings.model_fields


@pytest.mark.parametrize(
    "path", ["/cds-services", "/api/v1/regimens", "/api/v1/evidence", "/api/v1/pathways", "/api/v1/knowledge"]
)
def test_every_address_of_the_readme_answers(client, path):
    assert path.removeprefix("/api/v1") in README
    assert client.get(path).status_code == 200


def test_the_readme_assess_call_answers(client):
    bundle = client.get("/api/v1/demo-patients/drd-first-relapse").data
    answer = client.post(
        "/api/v1/assess?as_of=2026-05-11&trace=true", data=bundle, content_type="application/fhir+json"
    ).get_json()
    assert answer["recommendation"]["suggested"][0]["regimen"] == "s-vd"
    assert answer["recommendation"]["trace"]
