"""The curl calls of docs/fhir.md, run against the service as it is served."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cds_service.demo import bundle_of
from cds_service.knowledge.load import demo_patients
from cds_service.knowledge.types import REGIONS
from tests.publish.judges import complaints
from tests.web.test_server import Served

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/fhir.md").read_text(encoding="utf-8")
CALLS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    service = Served(tmp_path_factory.mktemp("served"))
    try:
        service.wait()
        yield service
    finally:
        service.stop()


@pytest.fixture(scope="module")
def answers(served: Served) -> list[dict[str, Any]]:
    """What each call of the page is answered, in their order."""
    environment = {**os.environ, "BASE": f"http://127.0.0.1:{served.port}"}
    return [
        json.loads(
            subprocess.run(
                ["sh", "-c", call], cwd=ROOT, env=environment, capture_output=True, check=True
            ).stdout
        )
        for call in CALLS
    ]


def test_every_call_of_the_page_is_answered_in_fhir(answers: list[dict[str, Any]]) -> None:
    assert [answer["resourceType"] for answer in answers] == [
        "CapabilityStatement",
        "PlanDefinition",
        "Bundle",
        "Bundle",
        "Bundle",
        "Bundle",
        "CarePlan",
        "CarePlan",
        "OperationOutcome",
    ]
    assert [complaint for answer in answers for complaint in complaints(answer)] == []


def test_the_searches_find_what_they_are_there_for(answers: list[dict[str, Any]]) -> None:
    by_title, paged, by_url, counted = (one for one in answers if one["resourceType"] == "Bundle")
    assert "s-vd" in [entry["resource"]["id"] for entry in by_title["entry"]]
    assert len(paged["entry"]) == 20 and [link["relation"] for link in paged["link"]] == ["self", "next"]
    assert [entry["resource"]["id"] for entry in by_url["entry"]] == ["class-anti-cd38"]
    assert counted["total"] > 10 and "entry" not in counted


def test_the_example_is_the_demo_patient(answers: list[dict[str, Any]]) -> None:
    example = json.loads((ROOT / "docs/examples/apply.json").read_text(encoding="utf-8"))
    data = next(one["resource"] for one in example["parameter"] if one["name"] == "data")
    assert data == bundle_of(demo_patients()["drd-first-relapse"])
    whole, alone = (one for one in answers if one["resourceType"] == "CarePlan")
    assert whole["created"] == "2026-05-11"
    group = next(one for one in whole["contained"] if one["resourceType"] == "RequestGroup")
    assert group["action"][0]["action"][0]["id"] == "s-vd"
    assert alone["title"].endswith("(S-VD)")
    assert answers[-1]["issue"][0]["code"] == "business-rule"


def test_the_page_names_every_parameter_of_apply(served: Served) -> None:
    status, found = served.send("GET", "/fhir/R4/OperationDefinition/plandefinition-apply")
    assert status == 200
    told = [one["name"] for one in json.loads(found)["parameter"] if one["use"] == "in"]
    effective = [
        name for name in told if name not in ("userType", "userTaskContext", "settingContext", "organization")
    ]
    assert [name for name in effective if f"`{name}`" not in PAGE] == []
    assert all(f"`{region}`" in PAGE for region in REGIONS)
