"""What a clinician asserts beside a chart: to the bundle API, on the command line, to a Python caller."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from cds_service.assess import assess
from cds_service.cli import main
from cds_service.demo import bundle_of
from cds_service.errors import BadRequest
from cds_service.knowledge.load import demo_patients, schemas

OURS = "https://myeloma-cds.org/CodeSystem/assertions"
DRUGS = "https://myeloma-cds.org/CodeSystem/drugs"
NAME = "lenalidomide-stop-not-dated"
PATIENT = "nodate-patient"


def chart() -> dict[str, Any]:
    return bundle_of(demo_patients()[NAME])


def observation(**changes: Any) -> dict[str, Any]:
    made = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": OURS, "code": "refractoriness"}]},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "effectiveDateTime": "2026-05-10",
        "valueCodeableConcept": {"coding": [{"system": OURS, "code": "refractory"}]},
        "component": [
            {
                "code": {"coding": [{"system": OURS, "code": "drug"}]},
                "valueCodeableConcept": {"coding": [{"system": DRUGS, "code": "lenalidomide"}]},
            }
        ],
    }
    return {key: value for key, value in (made | changes).items() if value is not None}


def post(client: FlaskClient, body: Any, query: str = "as_of=2026-05-11") -> Any:
    return client.post(f"/api/v1/assess?{query}", data=json.dumps(body), content_type="application/fhir+json")


def asserted(body: Any) -> list[tuple[str, Any, str, str, bool]]:
    told = body["state"].get("asserted", [])
    return [(one["what"], one["value"], one["on"], one["reference"], one["in_force"]) for one in told]


SHORT = {"what": "refractory:lenalidomide", "value": "refractory"}
TOLD = ("refractory:lenalidomide", "refractory", "2026-05-11", "request", True)


@pytest.mark.parametrize(
    "body",
    [
        lambda: chart() | {"assertions": [SHORT]},
        lambda: {"bundle": chart(), "assertions": [SHORT]},
        lambda: {
            "resourceType": "Parameters",
            "parameter": [
                {"name": "assertion", "valueString": "refractory:lenalidomide=true"},
                {"name": "bundle", "resource": chart()},
            ],
        },
    ],
)
def test_however_it_comes_it_is_honoured_and_told(client: FlaskClient, body: Any) -> None:
    answer = post(client, body())
    assert answer.status_code == 200
    assert asserted(answer.json) == [TOLD]
    drug = answer.json["state"]["drugs"]["lenalidomide"]
    assert (drug["status"], drug["certainty"]) == ("refractory", "documented")
    assert "a clinician recorded on 2026-05-11" in drug["because"]
    assert list(schemas()["assessment"].iter_errors(answer.json)) == []


_TODAY = "2026-05-11"
_BORTEZOMIB = "intolerant:bortezomib"
_LENALIDOMIDE = "refractory:lenalidomide"


@pytest.mark.parametrize(
    "said, what, value, on",
    [
        ({"value": True}, _LENALIDOMIDE, "refractory", _TODAY),
        ({"value": False}, _LENALIDOMIDE, "not-refractory", _TODAY),
        ({"value": "not-refractory", "on": "2026-05-01"}, _LENALIDOMIDE, "not-refractory", "2026-05-01"),
        ({"what": "refractory:Revlimid", "value": True}, _LENALIDOMIDE, "refractory", _TODAY),
        ({"what": _BORTEZOMIB, "value": True}, _BORTEZOMIB, "intolerant", _TODAY),
        ({"what": _BORTEZOMIB, "value": "tolerated"}, _BORTEZOMIB, "tolerated", _TODAY),
        ({"what": "prior-lines", "value": 3}, "prior-lines", 3, _TODAY),
        ({"what": "prior-lines", "value": "3"}, "prior-lines", 3, _TODAY),
        ({"what": "disease-status", "value": "stable"}, "disease-status", "stable", _TODAY),
    ],
)
def test_short_forms(client: FlaskClient, said: Any, what: str, value: Any, on: str) -> None:
    answer = post(client, chart() | {"assertions": [SHORT | said]}).json
    assert [one[:3] for one in asserted(answer)] == [(what, value, on)]


def test_an_observation_is_read_as_the_chart_would_be(client: FlaskClient) -> None:
    answer = post(client, chart() | {"assertions": [observation(id="o1")]}).json
    assert asserted(answer) == [
        ("refractory:lenalidomide", "refractory", "2026-05-10", "Observation/o1", True)
    ]
    nameless = post(client, chart() | {"assertions": [observation(subject=None)]}).json
    assert asserted(nameless)[0][3].startswith("Observation/#")
    wrapped = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "bundle", "resource": chart()},
            {"name": "assertions", "resource": observation(id="o1")},
        ],
    }
    assert post(client, wrapped).json["state"] == answer["state"]


def test_those_of_the_chart_and_those_beside_it_are_weighed_together(client: FlaskClient) -> None:
    bundle = chart()
    bundle["entry"] = [*bundle["entry"], {"resource": observation(id="o1")}]
    answer = post(client, bundle | {"assertions": [SHORT | {"value": False}]}).json
    assert asserted(answer) == [
        ("refractory:lenalidomide", "refractory", "2026-05-10", "Observation/o1", False),
        ("refractory:lenalidomide", "not-refractory", "2026-05-11", "request", True),
    ]


def test_nothing_asserted_is_nothing_told(client: FlaskClient) -> None:
    for body in (chart(), chart() | {"assertions": []}, {"bundle": chart()}):
        answer = post(client, body)
        assert answer.status_code == 200
        assert "asserted" not in answer.json["state"]
    assert post(client, {"bundle": chart()}).json["state"] == post(client, chart()).json["state"]


def test_a_bundle_that_lacks_a_page_still_does(client: FlaskClient) -> None:
    bundle = chart() | {"link": [{"relation": "next", "url": "https://ehr.example.org/next"}]}
    answer = post(client, bundle | {"assertions": [observation(id="o1")]}).json
    assert "missing-page" in {one["code"] for one in answer["issues"]}


@pytest.mark.parametrize(
    "said, pointer, detail",
    [
        (5, "/assertions/0", "must be an Observation"),
        ({}, "/assertions/0/what", "must be one of refractory:DRUG, intolerant:DRUG, disease"),
        (SHORT | {"what": "refractory:paracetamol"}, "/assertions/0/what", "must name a drug"),
        (SHORT | {"what": "refractory:lenalidomid"}, "/assertions/0/what", 'Nearest: "lenalidomide"'),
        (SHORT | {"what": "refractory:VRd"}, "/assertions/0/what", "must name a drug"),
        (SHORT | {"what": "refractory"}, "/assertions/0/what", "must name a drug"),
        (SHORT | {"what": "prior-lines:lenalidomide", "value": 1}, "/assertions/0/what", "is of no drug"),
        (SHORT | {"value": "sensitive"}, "/assertions/0/value", "must be one of refractory, not-refr"),
        (SHORT | {"value": 1}, "/assertions/0/value", "must be one of"),
        ({"what": "disease-status", "value": True}, "/assertions/0/value", "one of progression, stable"),
        ({"what": "prior-lines", "value": True}, "/assertions/0/value", "whole number from 0 to 20"),
        ({"what": "prior-lines", "value": 1.5}, "/assertions/0/value", "whole number"),
        ({"what": "prior-lines", "value": 21}, "/assertions/0/value", "whole number"),
        (SHORT | {"on": "2026-05-12"}, "/assertions/0/on", "must lie between"),
        (SHORT | {"on": "2026-5-1"}, "/assertions/0/on", "must be a day"),
        (SHORT | {"on": 5}, "/assertions/0/on", "must be a day"),
        (SHORT | {"on": "2026-W01-1"}, "/assertions/0/on", "must be a day"),
        ({"what": "prior-lines", "value": "1" * 5000}, "/assertions/0/value", "whole number from 0 to 20"),
        ({"what": "prior-lines", "value": "-1"}, "/assertions/0/value", "whole number from 0 to 20"),
        (SHORT | {"what": "refractory:not X, lenalidomide"}, "/assertions/0/what", "must name a drug"),
        (observation(modifierExtension=[{"url": "urn:x"}]), "/assertions/0", "modifierExtension"),
        (observation(dataAbsentReason={"text": "x"}), "/assertions/0", "absent"),
        (SHORT | {"who": "x"}, "/assertions/0", "has a member that is unknown"),
        ({"resourceType": "Patient"}, "/assertions/0", "no Observation with a code"),
        (observation(code={"text": "refractoriness"}), "/assertions/0", "no Observation with a code"),
        (observation(status="entered-in-error"), "/assertions/0", "is withdrawn"),
        (observation(effectiveDateTime="2026-06-01"), "/assertions/0", "dated after the evaluation date"),
        (observation(effectiveDateTime=None), "/assertions/0", "the day from which it holds is missing"),
        (observation(component=None), "/assertions/0", "does not name one drug"),
        (observation(valueCodeableConcept=None), "/assertions/0", "none of the answers"),
        (observation(subject={"reference": "Patient/other"}), "/assertions/0", "of another patient"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_place(
    client: FlaskClient, said: Any, pointer: str, detail: str
) -> None:
    answer = post(client, chart() | {"assertions": [said]})
    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    assert answer.json["type"].endswith("#bad-assertion")
    assert [one["pointer"] for one in answer.json["errors"]] == [pointer]
    assert detail in answer.json["errors"][0]["detail"]


def test_every_fault_is_told_at_once_and_where_it_stands(client: FlaskClient) -> None:
    wrapped = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "bundle", "resource": chart()},
            {"name": "assertion", "valueString": "refractory:lenalidomide=perhaps"},
            {"name": "assertion", "valueBoolean": True},
        ],
    }
    told = post(client, wrapped).json["errors"]
    assert [one["pointer"] for one in told] == ["/parameter/1/valueString/value", "/parameter/2/valueString"]
    assert post(client, chart() | {"assertions": {}}).json["errors"][0]["pointer"] == "/assertions"
    many = post(client, chart() | {"assertions": [SHORT] * 101})
    assert many.json["errors"][0]["pointer"] == "/assertions/100"


@pytest.mark.parametrize(
    "parameter, pointer",
    [
        ({"name": ["assertion"], "valueString": "refractory:lenalidomide=true"}, "/parameter/1/name"),
        ({"name": {}, "valueString": "refractory:lenalidomide=true"}, "/parameter/1/name"),
        ({"valueString": "refractory:lenalidomide=true"}, "/parameter/1"),
        ("refractory:lenalidomide=true", "/parameter/1"),
    ],
)
def test_a_parameter_that_cannot_be_told_is_not_dropped(
    client: FlaskClient, parameter: Any, pointer: str
) -> None:
    body = {"resourceType": "Parameters", "parameter": [{"name": "bundle", "resource": chart()}, parameter]}
    answer = post(client, body)
    assert answer.status_code == 400
    assert answer.json["type"].endswith("#bad-assertion")
    assert [one["pointer"] for one in answer.json["errors"]] == [pointer]


def test_the_member_is_read_wherever_it_stands(client: FlaskClient) -> None:
    inner = {"name": "bundle", "resource": chart()}
    within = {"name": "bundle", "resource": chart() | {"assertions": [SHORT]}}
    named = {"name": "Assertion", "valueString": "refractory:lenalidomide=true"}
    for body in (
        {"resourceType": "Parameters", "parameter": [inner], "assertions": [SHORT]},
        {"resourceType": "Parameters", "parameter": [within]},
        {"resourceType": "Parameters", "parameter": [inner, named]},
        {"bundle": chart() | {"assertions": [SHORT]}},
        {"bundle": {"resourceType": "Parameters", "parameter": [inner, named]}},
    ):
        assert asserted(post(client, body).json) == [TOLD]
    wrong = {"resourceType": "Parameters", "parameter": [inner], "assertions": [5]}
    assert post(client, wrong).json["errors"][0]["pointer"] == "/assertions/0"
    wrong = {"bundle": {"resourceType": "Parameters", "parameter": [within], "assertions": {}}}
    assert post(client, wrong).json["errors"][0]["pointer"] == "/bundle/assertions"


def test_an_observation_without_subject_needs_a_chart_of_one_patient(client: FlaskClient) -> None:
    bundle = chart()
    bundle["entry"] = [*bundle["entry"], {"resource": {"resourceType": "Patient", "id": "another"}}]
    query = f"as_of=2026-05-11&patient={PATIENT}"
    refused = post(client, bundle | {"assertions": [observation(subject=None)]}, query)
    assert refused.status_code == 400
    (fault,) = refused.json["errors"]
    assert fault["pointer"] == "/assertions/0" and "does not name its patient" in fault["detail"]
    assert len(asserted(post(client, bundle | {"assertions": [observation()]}, query).json)) == 1


def test_no_value_is_repeated_in_a_refusal(client: FlaskClient) -> None:
    secret = "Maria Rossi 1951"
    for said in ({"what": secret}, SHORT | {"value": secret}, SHORT | {"on": secret}, {secret: 1}):
        assert secret not in post(client, chart() | {"assertions": [said]}).get_data(as_text=True)


def test_the_examples_of_the_page_are_accepted(client: FlaskClient) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "corrections.md").read_text(encoding="utf-8")
    recorded, in_bundle, wrapped, in_parameters, told = (
        json.loads(part.split("```")[0]) for part in page.split("```json")[1:]
    )
    for body in (in_bundle, wrapped, in_parameters):
        answer = post(client, body)
        assert answer.status_code == 200 and len(answer.json["state"]["asserted"]) == 1
    recorded["subject"] = {"reference": f"Patient/{PATIENT}"}
    bundle = chart()
    bundle["entry"] = [*bundle["entry"], {"resource": recorded | {"id": "a1"}}]
    assert post(client, bundle).json["state"]["asserted"] == [told]


def test_the_code_system_is_served(client: FlaskClient) -> None:
    served = client.get("/fhir/R4/CodeSystem/assertions").json
    assert served["url"] == OURS
    codes = {one["code"] for one in served["concept"]}
    assert {"refractoriness", "not-refractory", "lines-of-therapy", "disease-status", "drug"} <= codes


# ---- the command line and Python ---------------------------------------------------------------------------
def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["assess", *arguments])


FILE = str(Path(__file__).resolve().parents[1] / "patients" / f"{NAME}.json")


def test_on_the_command_line() -> None:
    plain = run(FILE)
    assert "Unknown: refractory:lenalidomide" in plain.stdout
    told = run(FILE, "--assert", "refractory:lenalidomide=false", "--assert", "prior-lines=2@2026-05-01")
    assert told.exit_code == 0
    assert "Unknown: refractory:lenalidomide" not in told.stdout
    assert "Prior lines: 2" in told.stdout
    assert (
        "Asserted (counts): A clinician recorded on 2026-05-11: lenalidomide, not refractory." in told.stdout
    )


@pytest.mark.parametrize(
    "said, why",
    [
        ("refractory:lenalidomide=perhaps", "must be one of refractory, not-refractory, true, false"),
        ("refractory:paracetamol=true", "must name a drug"),
        ("lenalidomide", "must be one of refractory:DRUG"),
    ],
)
def test_misuse_on_the_command_line(said: str, why: str) -> None:
    told = run(FILE, "--assert", said)
    assert told.exit_code == 2
    assert why in " ".join(told.stderr.split())


def test_a_day_after_that_of_a_file_costs_that_file(tmp_path: Path) -> None:
    told = run(FILE, "--assert", "prior-lines=2@2026-05-12")
    assert told.exit_code == 1
    assert "must lie between" in told.stderr


def test_a_file_may_hold_its_own(tmp_path: Path) -> None:
    path = tmp_path / "asserted.json"
    path.write_text(json.dumps({"bundle": chart(), "as_of": "2026-05-11", "assertions": [SHORT]}))
    assert "Refractory: lenalidomide (documented)" in run(str(path)).stdout


def test_from_python() -> None:
    day = date(2026, 5, 11)
    told = assess(chart(), as_of=day, assertions=["refractory:lenalidomide=false", observation(id="o1")])
    assert asserted(told) == [
        ("refractory:lenalidomide", "refractory", "2026-05-10", "Observation/o1", False),
        ("refractory:lenalidomide", "not-refractory", "2026-05-11", "request", True),
    ]
    with pytest.raises(BadRequest):
        assess(chart(), as_of=day, assertions=["refractory:paracetamol=true"])
