"""Fetching from a FHIR server that behaves, and from those that do not. Real sockets throughout."""

from __future__ import annotations

import gzip
import json
import re
import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cds_service.errors import Busy, DataMissing
from cds_service.hooks.fetch import (
    MAX_PAGES,
    PAUSE_S,
    QUERIES_PER_CALL,
    SILENCES,
    Fetcher,
    FhirBase,
    medication_references,
)
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
    person = {"resourceType": "Patient", "id": "p1"}
    chart = gather(request_to(httpserver, observations=None, patient=person), templates, fetcher(httpserver))
    assert set(chart.completeness.values()) == {"complete"}
    assert chart.resources == [person, condition]
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
    assert sorted(issue.code for issue in chart.issues) == ["data-missing", "data-unknown"]


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
        ("with a query", {"medicationReference": {"reference": "Medication/m9?x=y"}}, set()),
        ("with a fragment", {"medicationReference": {"reference": "Medication/m9#z"}}, set()),
        ("that climbs", {"medicationReference": {"reference": "Medication/../Patient"}}, set()),
        (
            "with a version",
            {"medicationReference": {"reference": "Medication/m9/_history/2"}},
            {"Medication/m9"},
        ),
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
        ("https://ehr.example/fhir/%252e%252e/admin", False),
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


# ---- what a server does to others -----------------------------------------------------------------------
@pytest.fixture
def hanging(httpserver: HTTPServer) -> Iterator[HTTPServer]:
    """A server that takes every request and answers none before the test is over."""
    over = threading.Event()

    def never(request: Request) -> Response:
        over.wait(60)
        return Response("{}")

    httpserver.expect_request(re.compile(".*")).respond_with_handler(never)
    yield httpserver
    over.set()


def test_a_hanging_server_holds_a_call_up_no_longer_than_its_time(
    hanging: HTTPServer, templates: dict[str, str]
) -> None:
    with pytest.raises(DataMissing, match="did not answer"):  # and not only after the server lets go
        gather(request_to(hanging), templates, fetcher(hanging, timeout_s=0.3))


def test_a_query_that_never_got_a_thread_is_late_too(hanging: HTTPServer) -> None:
    base = FhirBase.of(hanging.url_for("/fhir"))
    queries = {f"q{n}": f"Observation?n={n}" for n in range(QUERIES_PER_CALL + 3)}
    answers = fetcher(hanging, timeout_s=0.3, most_calls=1).all(base, "", queries)
    assert set(answers) == set(queries)
    assert all(answer.problem and not answer.bodies for answer in answers.values())


def test_calls_that_fetch_are_bounded_and_told_to_come_again(
    httpserver: HTTPServer, templates: dict[str, str]
) -> None:
    everything_but(httpserver)
    fetches = fetcher(httpserver, most_calls=1)
    with fetches.turn(), pytest.raises(Busy) as caught:
        gather(request_to(httpserver), templates, fetches)
    assert (caught.value.status, caught.value.retry_after) == (503, 2)
    whole = dict.fromkeys(templates) | {"patient": {"resourceType": "Patient", "id": "p1"}}
    with fetches.turn():  # who brings the data need not wait
        gather(request_to(httpserver, **whole), templates, fetches)
    assert gather(request_to(httpserver), templates, fetches).completeness["conditions"] == "complete"


def test_a_server_that_keeps_hanging_is_left_alone_for_a_while(hanging: HTTPServer) -> None:
    later = 0.0
    base = FhirBase.of(hanging.url_for("/fhir"))
    fetches = fetcher(hanging, timeout_s=0.2, clock=lambda: time.monotonic() + later)

    def said() -> str:
        return fetches.all(base, "", {"conditions": "Condition?patient=p1"})["conditions"].problem

    assert all("did not answer" in said() for _ in range(SILENCES))
    assert "none of the last calls" in said()
    later = PAUSE_S + 1
    assert "did not answer" in said()


def test_one_answer_clears_a_server_of_its_silences(httpserver: HTTPServer) -> None:
    base = FhirBase.of(httpserver.url_for("/fhir"))
    fetches = fetcher(httpserver)
    httpserver.expect_request("/fhir/Condition").respond_with_data("no", status=500)
    for _ in range(SILENCES + 1):  # to refuse is to answer
        assert "status 500" in fetches.all(base, "", {"c": "Condition?patient=p1"})["c"].problem


@pytest.mark.parametrize("known_as", ["someone-else", "p2"])
def test_a_server_that_tells_another_patient_is_a_412(
    httpserver: HTTPServer, templates: dict[str, str], known_as: str
) -> None:
    person = {"resourceType": "Patient", "id": known_as, "deceasedBoolean": True}
    httpserver.expect_request("/fhir/Patient/p1").respond_with_json(person)
    everything_but(httpserver)
    with pytest.raises(DataMissing, match="another Patient") as caught:
        gather(request_to(httpserver), templates, fetcher(httpserver))
    assert known_as not in caught.value.detail


@pytest.mark.parametrize("body", [searchset(), {"resourceType": "Practitioner", "id": "p1"}])
def test_a_server_that_tells_no_patient_leaves_the_patient_unknown(
    httpserver: HTTPServer, templates: dict[str, str], body: dict[str, Any]
) -> None:
    httpserver.expect_request("/fhir/Patient/p1").respond_with_json(body)
    everything_but(httpserver)
    chart = gather(request_to(httpserver), templates, fetcher(httpserver))
    assert chart.completeness["patient"] == "absent"
    assert [issue.where for issue in chart.issues] == ["prefetch/patient"]


def test_the_reason_of_a_412_is_told_where_the_server_answers_200_with_an_error(
    httpserver: HTTPServer, templates: dict[str, str]
) -> None:
    everything_but(httpserver, "Condition")
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "forbidden"}]}
    httpserver.expect_request("/fhir/Condition").respond_with_json(outcome)
    with pytest.raises(DataMissing, match="Conditions could not be fetched: the server answered with"):
        gather(request_to(httpserver), templates, fetcher(httpserver))


def test_conditions_of_the_wrong_kind_are_fetched_instead(
    httpserver: HTTPServer, templates: dict[str, str]
) -> None:
    everything_but(httpserver, "Condition")
    httpserver.expect_request("/fhir/Condition").respond_with_json(
        searchset({"resourceType": "Condition", "id": "c1"})
    )
    sent = searchset({"resourceType": "Observation", "id": "o1"})
    chart = gather(request_to(httpserver, conditions=sent), templates, fetcher(httpserver))
    assert chart.completeness["conditions"] == "complete"
    assert [one["id"] for one in chart.resources if one["resourceType"] == "Condition"] == ["c1"]


def test_an_outcome_in_place_of_a_medication_is_a_medication_lost(
    httpserver: HTTPServer, templates: dict[str, str]
) -> None:
    statement = {
        "resourceType": "MedicationStatement",
        "id": "s1",
        "medicationReference": {"reference": "Medication/m9"},
    }
    everything_but(httpserver, "MedicationStatement")
    httpserver.expect_request("/fhir/MedicationStatement").respond_with_json(searchset(statement))
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "forbidden"}]}
    httpserver.expect_request("/fhir/Medication/m9").respond_with_json(outcome)
    chart = gather(request_to(httpserver), templates, fetcher(httpserver))
    assert any("1 medications that the chart only points at" in issue.text for issue in chart.issues)


@pytest.mark.parametrize("packed, said", [("gzip", "too large"), ("gzip, gzip", "packed more than once")])
def test_a_packed_answer_does_not_fill_the_memory(httpserver: HTTPServer, packed: str, said: str) -> None:
    bomb = gzip.compress(b" " * 100_000_000)
    httpserver.expect_request("/fhir/Condition").respond_with_response(
        Response(bomb, headers={"Content-Encoding": packed})
    )
    base = FhirBase.of(httpserver.url_for("/fhir"))
    fetches = fetcher(httpserver, max_bytes=1_000_000, timeout_s=20)
    tracemalloc.start()
    try:
        got = fetches.one(base, "", "Condition")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert said in got.problem
    assert peak < 20_000_000
    assert httpserver.log[0][0].headers["Accept-Encoding"] == "identity"
