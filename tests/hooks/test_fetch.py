"""Fetching from a FHIR server that behaves, and from those that do not. Real sockets throughout."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cds_service.errors import DataMissing
from cds_service.hooks.fetch import MAX_PAGES, Fetcher, FhirBase, medication_references
from cds_service.hooks.prefetch import Chart, gather
from cds_service.hooks.request import HookRequest
from cds_service.hooks.services import services_of
from cds_service.knowledge.types import Knowledge
from tests.hooks.calls import INSTANCE, searchset

TOKEN = "eyToken"


@pytest.fixture
def httpserver() -> Iterator[HTTPServer]:
    """The EHR's server; answers side by side, so that a slow search does not hold up the others."""
    with HTTPServer(threaded=True) as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[HTTPServer]:
    """A second server, which must never see the token."""
    with HTTPServer() as server:
        server.expect_request("/fhir/Condition").respond_with_json(searchset())
        yield server


@pytest.fixture
def templates(knowledge: Knowledge) -> dict[str, str]:
    services = services_of(knowledge.cards["services"], with_include=True)
    return dict(services["rrmm-patient-view"].prefetch)


def fetcher(server: HTTPServer, **more: Any) -> Fetcher:
    return Fetcher(allowed=(FhirBase.of(server.url_for("/fhir")),), **({"timeout_s": 2.0} | more))


def request_to(server: HTTPServer, **prefetch: Any) -> HookRequest:
    return HookRequest(
        "patient-view",
        INSTANCE,
        "p1",
        prefetch=prefetch,
        fhir_server=server.url_for("/fhir"),
        access_token=TOKEN,
    )


def everything_but(server: HTTPServer, *left_out: str) -> None:
    """The server answers each search with nothing found, and knows the patient."""
    server.expect_request("/fhir/Patient/p1").respond_with_json({"resourceType": "Patient", "id": "p1"})
    for kind in (
        "Condition",
        "MedicationStatement",
        "MedicationRequest",
        "MedicationAdministration",
        "MedicationDispense",
        "Observation",
        "Procedure",
        "AllergyIntolerance",
    ):
        if kind not in left_out:
            server.expect_request(f"/fhir/{kind}").respond_with_json(searchset())


def test_what_prefetch_lacks_is_fetched_and_nothing_else(
    httpserver: HTTPServer, templates: dict[str, str]
) -> None:
    everything_but(httpserver, "Condition")
    condition = {"resourceType": "Condition", "id": "c1"}
    httpserver.expect_request("/fhir/Condition", query_string="patient=p1&_count=1000").respond_with_json(
        searchset(condition)
    )
    chart = gather(request_to(httpserver, observations=None, patient=None), templates, fetcher(httpserver))
    assert set(chart.completeness.values()) == {"complete"}
    assert chart.resources == [condition]
    asked = [request.path for request, _ in httpserver.log]
    assert "/fhir/Observation" not in asked and "/fhir/Patient/p1" not in asked
    assert len(asked) == 7
    assert {request.headers["Authorization"] for request, _ in httpserver.log} == {f"Bearer {TOKEN}"}
    assert "fhir+json" in httpserver.log[0][0].headers["Accept"]


def test_without_a_token_none_is_sent(
    httpserver: HTTPServer, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    httpserver.expect_request("/fhir/Condition").respond_with_json(searchset())
    got = fetcher(httpserver).one(FhirBase.of(httpserver.url_for("/fhir")), "", "Condition?patient=p1")
    assert got.problem == ""
    assert "Authorization" not in httpserver.log[0][0].headers


def test_pages_are_followed_to_the_end(httpserver: HTTPServer, templates: dict[str, str]) -> None:
    everything_but(httpserver, "Condition")

    def page(request: Request) -> Response:
        number = int(request.args.get("page", 1))
        after = f"Condition?patient=p1&page={number + 1}" if number < 3 else ""
        if number == 2:  # absolute and relative links both occur
            after = httpserver.url_for(f"/fhir/{after}")
        body = searchset({"resourceType": "Condition", "id": f"c{number}"}, next_page=after)
        return Response(json.dumps(body), content_type="application/fhir+json")

    httpserver.expect_request("/fhir/Condition").respond_with_handler(page)
    chart = gather(request_to(httpserver), templates, fetcher(httpserver))
    assert [one["id"] for one in chart.resources if one["resourceType"] == "Condition"] == ["c1", "c2", "c3"]
    assert chart.completeness["conditions"] == "complete"


def test_a_prefetched_first_page_is_continued(httpserver: HTTPServer, templates: dict[str, str]) -> None:
    everything_but(httpserver)
    httpserver.expect_request("/fhir/page2").respond_with_json(
        searchset({"resourceType": "Condition", "id": "c2"})
    )
    first = searchset({"resourceType": "Condition", "id": "c1"}, next_page=httpserver.url_for("/fhir/page2"))
    chart = gather(request_to(httpserver, conditions=first), templates, fetcher(httpserver))
    assert [one["id"] for one in chart.resources if one["resourceType"] == "Condition"] == ["c1", "c2"]
    assert chart.completeness["conditions"] == "complete"
    assert not chart.issues


def slow(request: Request) -> Response:
    time.sleep(1.0)
    return Response("{}")


def dripping(request: Request) -> Response:
    def drops() -> Iterator[bytes]:
        for _ in range(30):
            time.sleep(0.1)
            yield b" "

    return Response(drops())


@pytest.mark.parametrize(
    "fault, answer, said",
    [
        ("401", Response(status=401), "status 401"),
        ("403", Response(status=403), "status 403"),
        ("404", Response(status=404), "status 404"),
        ("500", Response("boom", status=500), "status 500"),
        ("429", Response(status=429, headers={"Retry-After": "1"}), "status 429"),
        ("an HTML page", Response("<html>log in</html>"), "not JSON"),
        ("cut JSON", Response('{"resourceType": "Bun'), "not JSON"),
        ("a list", Response("[]"), "no FHIR resource"),
        ("some other JSON", Response('{"error": "x"}'), "no FHIR resource"),
        ("empty", Response(""), "not JSON"),
        ("slow", slow, "did not answer within"),
        ("dripping", dripping, "did not end within"),
        ("too large", Response(" " * 200_000), "too large"),
    ],
)
def test_faults_of_the_server_are_told(
    httpserver: HTTPServer, templates: dict[str, str], fault: str, answer: Any, said: str
) -> None:
    everything_but(httpserver, "Observation")
    expected = httpserver.expect_request("/fhir/Observation")
    if callable(answer) and not isinstance(answer, Response):
        expected.respond_with_handler(answer)
    else:
        expected.respond_with_response(answer)
    chart = gather(request_to(httpserver), templates, fetcher(httpserver, timeout_s=0.4, max_bytes=100_000))
    assert chart.completeness["observations"] == "absent", fault
    assert chart.completeness["conditions"] == "complete"
    (issue,) = chart.issues
    assert said in issue.text and issue.where == "prefetch/observations"
    assert TOKEN not in issue.text and "p1" not in issue.text


def test_conditions_that_cannot_be_had_are_a_412(httpserver: HTTPServer, templates: dict[str, str]) -> None:
    everything_but(httpserver, "Condition")
    httpserver.expect_request("/fhir/Condition").respond_with_data("no", status=401)
    with pytest.raises(DataMissing, match="status 401"):
        gather(request_to(httpserver), templates, fetcher(httpserver))


def test_nobody_listens(templates: dict[str, str]) -> None:
    request = HookRequest("patient-view", INSTANCE, "p1", fhir_server="http://127.0.0.1:9/fhir")
    with pytest.raises(DataMissing, match="could not be reached"):
        gather(request, templates, Fetcher(allowed=(FhirBase.of("http://127.0.0.1:9"),), timeout_s=0.5))


def test_an_operation_outcome_with_status_200_is_no_data(
    httpserver: HTTPServer, templates: dict[str, str]
) -> None:
    everything_but(httpserver, "Observation")
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "forbidden"}]}
    httpserver.expect_request("/fhir/Observation").respond_with_json(outcome)
    chart = gather(request_to(httpserver), templates, fetcher(httpserver))
    assert chart.completeness["observations"] == "absent"
    assert [issue.code for issue in chart.issues] == ["data-unknown"]


def broken_off(chart: Chart, said: str) -> None:
    assert chart.completeness["observations"] == "partial"
    assert any(said in issue.text for issue in chart.issues)


def test_a_next_link_to_another_server_is_not_followed(
    httpserver: HTTPServer, elsewhere: HTTPServer, templates: dict[str, str]
) -> None:
    everything_but(httpserver, "Observation")
    httpserver.expect_request("/fhir/Observation").respond_with_json(
        searchset({"resourceType": "Observation", "id": "o1"}, next_page=elsewhere.url_for("/fhir/Condition"))
    )
    broken_off(gather(request_to(httpserver), templates, fetcher(httpserver)), "another server")
    assert elsewhere.log == []


def test_a_redirect_is_not_followed(
    httpserver: HTTPServer, elsewhere: HTTPServer, templates: dict[str, str]
) -> None:
    everything_but(httpserver, "Observation")
    httpserver.expect_request("/fhir/Observation").respond_with_response(
        Response(status=302, headers={"Location": elsewhere.url_for("/fhir/Condition")})
    )
    chart = gather(request_to(httpserver), templates, fetcher(httpserver))
    assert chart.completeness["observations"] == "absent"
    assert elsewhere.log == []


def test_pages_without_end(httpserver: HTTPServer, templates: dict[str, str]) -> None:
    everything_but(httpserver, "Observation")

    def page(request: Request) -> Response:
        number = int(request.args.get("page", 0)) + 1
        body = searchset({"resourceType": "Observation", "id": f"o{number}"}, next_page=f"?page={number}")
        return Response(json.dumps(body))

    httpserver.expect_request("/fhir/Observation").respond_with_handler(page)
    broken_off(gather(request_to(httpserver), templates, fetcher(httpserver)), "do not end")
    assert sum(request.path == "/fhir/Observation" for request, _ in httpserver.log) == MAX_PAGES


def test_a_page_that_names_itself_as_next(httpserver: HTTPServer, templates: dict[str, str]) -> None:
    everything_but(httpserver, "Observation")
    url = httpserver.url_for("/fhir/Observation?patient=p1&_sort=-date&_count=1000")
    httpserver.expect_request("/fhir/Observation").respond_with_json(
        searchset({"resourceType": "Observation", "id": "o1"}, next_page=url)
    )
    broken_off(gather(request_to(httpserver), templates, fetcher(httpserver)), "do not end")


def test_medications_that_are_only_pointed_at_are_fetched(
    httpserver: HTTPServer, elsewhere: HTTPServer, templates: dict[str, str]
) -> None:
    everything_but(httpserver)
    httpserver.expect_request("/fhir/Medication/m1").respond_with_json(
        {"resourceType": "Medication", "id": "m1"}
    )
    statements = searchset(
        {
            "resourceType": "MedicationStatement",
            "id": "1",
            "medicationReference": {"reference": "Medication/m1"},
        },
        {
            "resourceType": "MedicationStatement",
            "id": "2",
            "medicationReference": {"reference": elsewhere.url_for("/fhir/Medication/m2")},
        },
    )
    chart = gather(request_to(httpserver, medicationStatements=statements), templates, fetcher(httpserver))
    assert "m1" in [one["id"] for one in chart.resources if one["resourceType"] == "Medication"]
    assert [issue.text for issue in chart.issues] == [
        "1 medications that the chart only points at could not be fetched."
    ]
    assert elsewhere.log == []


@pytest.mark.parametrize(
    "case, resource, wanted",
    [
        ("only pointed at", {"medicationReference": {"reference": "Medication/m9"}}, {"Medication/m9"}),
        (
            "named by its display",
            {"medicationReference": {"reference": "Medication/m9", "display": "X"}},
            set(),
        ),
        ("contained", {"medicationReference": {"reference": "#m"}}, set()),
        ("came along", {"medicationReference": {"reference": "Medication/here"}}, set()),
        ("of R5", {"medication": {"reference": {"reference": "Medication/m9"}}}, {"Medication/m9"}),
        ("coded", {"medicationCodeableConcept": {"text": "X"}}, set()),
        ("nonsense", {"medicationReference": "Medication/m9"}, set()),
    ],
)
def test_which_medications_are_wanted(case: str, resource: dict[str, Any], wanted: set[str]) -> None:
    here = {"resourceType": "Medication", "id": "here"}
    statement = {"resourceType": "MedicationStatement", "id": "s"} | resource
    assert medication_references([here, statement]) == wanted, case


@pytest.mark.parametrize(
    "url, covered",
    [
        ("https://ehr.example/fhir", True),
        ("https://ehr.example/fhir/", True),
        ("https://EHR.example:443/fhir/R4/Condition?patient=1", True),
        ("https://ehr.example/fhir2", False),
        ("http://ehr.example/fhir", False),
        ("https://ehr.example:8443/fhir", False),
        ("https://ehr.example.evil.example/fhir", False),
        ("https://ehr.example@evil.example/fhir", False),
        ("https://user:pw@ehr.example/fhir", False),
        ("https://ehr.example/fhir/../admin", False),
        ("https://ehr.example/fhir/%2e%2e/admin", False),
        ("https://ehr.example\\@evil.example/fhir", False),
        ("https://ehr.example/", False),
        ("file:///etc/passwd", False),
        ("//ehr.example/fhir", False),
        ("", False),
    ],
)
def test_what_lies_on_an_allowed_base(url: str, covered: bool) -> None:
    assert FhirBase.of("https://ehr.example/fhir/").covers(url) is covered


def test_a_narrower_base_of_the_request_is_kept() -> None:
    fetches = Fetcher(allowed=(FhirBase.of("https://ehr.example"),))
    base = fetches.base_for("https://ehr.example/tenant-1/fhir")
    assert base is not None and str(base) == "https://ehr.example/tenant-1/fhir"
    assert not base.covers("https://ehr.example/tenant-2/fhir/Condition")
    assert fetches.base_for("https://other.example/fhir") is None
    assert Fetcher().base_for("https://ehr.example") is None
