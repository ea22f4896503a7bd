"""The production server as `make serve` starts it: a real process, real sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from cds_service.demo import bundle_of
from cds_service.knowledge.load import demo_patients
from tests.hooks.calls import HOOKS, call, faults


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Served:
    """A running service and what it printed."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.port = free_port()
        self.log = folder / "log"
        settings = {
            "CDS_PORT": str(self.port),
            "CDS_LOG_FORMAT": "json",
            "CDS_MAX_BODY_MB": "1",
        } | environment
        plain = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
        plain.pop("PROMETHEUS_MULTIPROC_DIR", None)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cds_service", "serve"],
                cwd=folder,
                env=plain | settings | {"PYTHONPATH": str(Path(__file__).parents[2])},
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that all its processes can be ended at once
            )

    def wait(self) -> None:
        for _ in range(300):
            if b"Discovery: " in self.log.read_bytes():
                return
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, {"Content-Type": "application/json"} | headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    service = Served(tmp_path_factory.mktemp("served"))
    try:
        service.wait()
        yield service
    finally:
        service.stop()


def test_the_start_says_where_and_that_nobody_is_asked_who_they_are(served: Served) -> None:
    text = served.log.read_text()
    assert f"Discovery: http://127.0.0.1:{served.port}/cds-services" in text
    assert "no client authentication" in text


def test_discovery_and_every_hook(served: Served) -> None:
    status, body = served.send("GET", "/cds-services")
    assert status == 200
    services = {service["hook"]: service["id"] for service in json.loads(body)["services"]}
    assert set(services) == set(HOOKS)
    for hook, identifier in services.items():
        status, body = served.send("POST", f"/cds-services/{identifier}", call(hook))
        assert status == 200
        assert faults(json.loads(body), "cds-response") == []
    assert json.loads(served.send("POST", "//cds-services//rrmm-patient-view", call("patient-view"))[1])[
        "cards"
    ]


def test_a_bundle(served: Served) -> None:
    bundle = bundle_of(demo_patients()["drd-first-relapse"])
    status, body = served.send("POST", "/api/v1/assess?as_of=2026-05-11", bundle)
    assert status == 200
    assert json.loads(body)["state"]["prior_lines"] == 1


def test_a_body_over_the_limit_is_refused_in_a_readable_answer(served: Served) -> None:
    status, body = served.send("POST", "/cds-services/rrmm-patient-view", {"x": "y" * 1_100_000})
    assert status == 413
    assert json.loads(body)["status"] == 413


def test_a_chunked_body_over_the_limit_too(served: Served) -> None:
    connection = HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.request(
        "POST",
        "/cds-services/rrmm-patient-view",
        iter([b'{"x": "', *[b"y" * 100_000] * 11, b'"}']),
        {"Content-Type": "application/json"},
        encode_chunked=True,
    )
    answer = connection.getresponse()
    assert answer.status == 413
    answer.read()
    # What was left of the body must not be taken for the next request.
    connection.request("GET", "/health/live")
    assert connection.getresponse().read() == b'{"status":"alive"}'
    connection.close()


def test_a_chunked_body_within_the_limit_is_read(served: Served) -> None:
    connection = HTTPConnection("127.0.0.1", served.port, timeout=20)
    data = json.dumps(call("patient-view")).encode()
    connection.request(
        "POST",
        "/cds-services/rrmm-patient-view",
        iter([data[:1000], data[1000:]]),
        {"Content-Type": "application/json"},
        encode_chunked=True,
    )
    answer = connection.getresponse()
    assert answer.status == 200 and json.loads(answer.read())["cards"]
    connection.close()


def test_a_chunk_size_that_is_none_is_the_callers_fault(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as client:
        client.sendall(
            b"POST /cds-services/rrmm-patient-view HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n"
        )
        assert client.recv(65_536).split(b" ")[1] == b"400"


def test_clients_that_stop_half_way_lose_their_own_connection_only(served: Served) -> None:
    """More of them than the server has threads: each gets a 408, and the others their answers."""
    half = [socket.create_connection(("127.0.0.1", served.port), timeout=60) for _ in range(40)]
    try:
        for client in half:
            client.sendall(
                b"POST /cds-services/rrmm-patient-view HTTP/1.1\r\nHost: x\r\n"
                b'Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"a":'
            )
        # They stay open: were their bodies awaited without limit, this would never be answered.
        connection = HTTPConnection("127.0.0.1", served.port, timeout=60)
        connection.request("GET", "/health/live")
        assert connection.getresponse().status == 200
        connection.close()
        for client in half:
            assert client.recv(65_536).split(b" ")[1] == b"408"
    finally:
        for client in half:
            client.close()


def test_headers_that_never_end_are_not_awaited(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as client:
        client.sendall(b"GET /health/live HTTP/1.1\r\nHost:")
        assert client.recv(65_536) == b""  # closed by the server


def test_what_gunicorn_refuses_is_not_quoted_in_the_log(served: Served) -> None:
    for request in (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: SECRETZ\r\n\r\n",
        b"GET /?patient=SECRETZ",
        b"SECRETZ \x01 SECRETZ\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", served.port), timeout=60) as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65_536):
                pass
    text = served.log.read_text()
    assert "Invalid request from ip=127.0.0.1" in text
    assert "SECRETZ" not in text and "Traceback" not in text


def test_many_at_once_and_the_metrics_of_all_processes(served: Served) -> None:
    def one(_: int) -> int:
        return served.send("POST", "/cds-services/rrmm-patient-view", call("patient-view"))[0]

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(one, range(64))) == {200}
    text = served.send("GET", "/metrics")[1].decode()
    line = next(
        line
        for line in text.splitlines()
        if line.startswith('cds_http_requests_total{endpoint="cds_services.call"') and 'status="200"' in line
    )
    assert float(line.rpartition(" ")[2]) >= 64


def test_no_patient_in_the_log(served: Served) -> None:
    served.send("POST", "/cds-services/rrmm-patient-view", call("patient-view"))
    assert "drd1-patient" not in served.log.read_text()


def test_sigterm_ends_it_in_good_order(tmp_path: Path) -> None:
    service = Served(tmp_path)
    try:
        service.wait()
        assert service.send("GET", "/health/live")[0] == 200
    finally:
        status = service.stop()
    assert status == 0
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize(
    "variable, value, said",
    [
        ("CDS_HOST", "0.0.0.0", "Set CDS_AUTH=off"),  # noqa: S104
        ("CDS_PATHWAY", "none", "CDS_PATHWAY=none: there is no such pathway"),
    ],
)
def test_a_start_that_must_not_be(tmp_path: Path, variable: str, value: str, said: str) -> None:
    service = Served(tmp_path, **{variable: value})
    assert service.process.wait(30) == 2
    text = service.log.read_text()
    assert said in text and "Traceback" not in text


def test_an_overlay_with_mistakes_stops_the_start_with_sentences(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay"
    (overlay / "pathways" / "site.yaml").mkdir(parents=True)
    service = Served(tmp_path, CDS_KNOWLEDGE_DIR=str(overlay))
    assert service.process.wait(60) == 1
    said = service.log.read_text()
    assert said.strip() == (
        "pathways/site.yaml: is a folder. Give it another name: what ends in .yaml is a file"
    )
