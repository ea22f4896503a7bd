"""Data fetched from the EHR's FHIR server, where prefetch lacks it.

Only servers on the allow-list are called. Whatever an answer says (redirect, ``next`` link, absolute
reference), the token goes to the base the request named and to nowhere else. Nothing here raises for what a
server does: a failure is a value with a sentence that says what was not to be had.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Lock
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import orjson
import requests
import urllib3
from requests.adapters import HTTPAdapter

from cds_service.errors import Busy
from cds_service.fhir.accessors import local_part, usable_id

MAX_PAGES = 20
QUERIES_PER_CALL = 9
"""So many threads each fetching call may use, so that none has to wait for those of another."""

SILENCES = 3
"""After so many calls in a row in which a server answered nothing in time, it is left alone for PAUSE_S."""

PAUSE_S = 15.0
_GRACE_S = 0.5  # for a query that ends with the call's time to hand over the pages it has
_CHUNK = 65_536
_PACKED_CHUNK = 1024  # a thousandfold of it comes out at most, before the size is looked at
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class FhirBase:
    """A FHIR base URL, comparable: two spellings of one base are equal."""

    scheme: str
    host: str
    port: int
    path: str  # without a slash at the end; "" for the root

    @classmethod
    def of(cls, url: str) -> FhirBase:
        """The base that ``url`` names. Raises ValueError if it is no plain http(s) base URL."""
        parts = urlsplit(url.strip())
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError("is no http or https URL")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("must not hold a user, a query or a fragment")
        if "\\" in url or any(step in ("..", ".") for step in unquote(parts.path).split("/")):
            raise ValueError("must not hold . or .. in its path")
        if "%25" in parts.path:  # what a server that decodes twice would read is anybody's guess
            raise ValueError("must not hold an encoded % in its path")
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        return cls(parts.scheme, parts.hostname.lower(), port, parts.path.rstrip("/"))

    def covers(self, url: str) -> bool:
        """Whether ``url`` lies on this base: same scheme, host and port, and below its path."""
        try:
            parts = urlsplit(url)
            other = FhirBase.of(parts._replace(query="", fragment="").geturl())
        except ValueError:
            return False
        same_host = (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port)
        return same_host and (other.path == self.path or other.path.startswith(self.path + "/"))

    def __str__(self) -> str:
        """The base as a URL, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


@dataclass(frozen=True)
class Fetched:
    """What one query brought. ``problem`` is "" where all of it came; it never holds a token or an id.

    ``bodies`` are the resources as answered, page by page: none and a problem means that nothing came.
    ``timed_out`` says that the problem was time alone.
    """

    bodies: tuple[dict[str, Any], ...] = ()
    problem: str = ""
    timed_out: bool = False


class _Failure(Exception):
    """One request brought nothing usable; the text says why, for the reader of an issue."""

    def __init__(self, why: str, *, timed_out: bool = False) -> None:
        super().__init__(why)
        self.timed_out = timed_out


class _Silences:
    """Which servers hang: after SILENCES calls without an answer in time one is left alone for a while."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._counted: dict[tuple[str, int], tuple[int, float]] = {}  # calls in a row, time of the last

    def paused(self, base: FhirBase) -> bool:
        """Whether the server is to be left alone now."""
        with self._lock:
            in_a_row, last = self._counted.get((base.host, base.port), (0, 0.0))
        return in_a_row >= SILENCES and self._clock() < last + PAUSE_S

    def note(self, base: FhirBase, silent: bool) -> None:
        """What became of one call."""
        with self._lock:
            in_a_row, _ = self._counted.get((base.host, base.port), (0, 0.0))
            self._counted[(base.host, base.port)] = (in_a_row + 1 if silent else 0, self._clock())


class _Bearer(requests.auth.AuthBase):
    """The token of this call. Without one it still keeps a .netrc of the machine from adding another."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass
class Fetcher:
    """Reads from allowed FHIR servers over one pool of connections; safe to share between threads.

    ``allowed`` are the bases that may be called, ``timeout_s`` the time one request may take,
    ``max_bytes`` the largest page that is read, ``most_calls`` how many hook calls may fetch side by side.
    All that one hook call fetches together may take ``2 * timeout_s``.
    """

    allowed: tuple[FhirBase, ...] = ()
    timeout_s: float = 3.0
    max_bytes: int = 32 * 1024 * 1024
    most_calls: int = 8
    clock: Callable[[], float] = time.monotonic
    _session: requests.Session = field(default_factory=requests.Session, repr=False)

    def __post_init__(self) -> None:
        threads = QUERIES_PER_CALL * self.most_calls
        for scheme in _DEFAULT_PORTS:
            self._session.mount(f"{scheme}://", HTTPAdapter(pool_connections=8, pool_maxsize=threads))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="fhir-fetch")
        self._turns = BoundedSemaphore(self.most_calls)
        self._silent = _Silences(self.clock)

    @contextmanager
    def turn(self) -> Iterator[float]:
        """One hook call's turn to fetch: the time, by ``clock``, at which all of it has to be there.

        Raises Busy where ``most_calls`` are fetching already: calls that bring their data must not wait
        behind those that wait for a server.
        """
        if not self._turns.acquire(blocking=False):
            raise Busy(
                "Too many calls are waiting for a FHIR server. Send the data in prefetch, or try again later."
            )
        try:
            yield self.clock() + 2 * self.timeout_s
        finally:
            self._turns.release()

    def base_for(self, url: str) -> FhirBase | None:
        """The server named in a request as a base that may be called; None where it may not."""
        try:
            base = FhirBase.of(url)
        except ValueError:
            return None
        return base if any(allowed.covers(str(base)) for allowed in self.allowed) else None

    def all(
        self, base: FhirBase, token: str, queries: Mapping[str, str], deadline: float | None = None
    ) -> dict[str, Fetched]:
        """Several queries side by side: relative or absolute URLs by key, each with its ``next`` pages.

        Returns soon after ``deadline`` at the latest, whatever the server does.
        """
        if not queries:
            return {}
        if self._silent.paused(base):
            return dict.fromkeys(queries, Fetched(problem="it answered none of the last calls in time"))
        until = self.clock() + 2 * self.timeout_s if deadline is None else deadline
        jobs: dict[str, Future[Fetched]] = {
            key: self._pool.submit(self.one, base, token, query, until) for key, query in queries.items()
        }
        wait(jobs.values(), timeout=max(0.0, until - self.clock()) + _GRACE_S)
        answers = {}
        for key, job in jobs.items():
            job.cancel()  # one that still waits for a thread; one that runs ends by its own time limit
            late = Fetched(problem="it did not answer in the time of the whole call", timed_out=True)
            answers[key] = job.result() if job.done() and not job.cancelled() else late
        self._silent.note(base, all(answer.timed_out for answer in answers.values()))
        return answers

    def one(self, base: FhirBase, token: str, query: str, deadline: float | None = None) -> Fetched:
        """One query with all its pages; ``query`` may be relative to the base."""
        url: str | None = urljoin(f"{base}/", query)
        deadline = self.clock() + 2 * self.timeout_s if deadline is None else deadline
        bodies: list[dict[str, Any]] = []
        seen: set[str] = set()
        try:
            while url is not None:
                if not base.covers(url):
                    raise _Failure("it links to another server, which is not followed")
                if url in seen or len(seen) == MAX_PAGES:
                    raise _Failure(f"its pages do not end ({len(seen)} were read)")
                if self.clock() >= deadline:
                    raise _Failure("its pages took too long", timed_out=not bodies)
                seen.add(url)
                body = self._get(url, token, deadline)
                bodies.append(body)
                url = next_link(body, url)
        except _Failure as failure:
            return Fetched(tuple(bodies), str(failure), failure.timed_out and not bodies)
        return Fetched(tuple(bodies))

    def _get(self, url: str, token: str, deadline: float) -> dict[str, Any]:
        deadline = min(deadline, self.clock() + self.timeout_s)
        wait_s = max(0.001, deadline - self.clock())
        try:
            with self._session.get(
                url,
                auth=_Bearer(token),
                headers={
                    "Accept": "application/fhir+json, application/json;q=0.9",
                    "Accept-Encoding": "identity",
                },
                timeout=(wait_s, wait_s),
                allow_redirects=False,  # a redirect could carry the token elsewhere
                stream=True,
            ) as answer:
                if answer.status_code != requests.codes.ok:
                    raise _Failure(f"it answered with status {answer.status_code}")
                content = self._read(answer, deadline)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise _Failure(f"it did not answer within {self.timeout_s:g} s", timed_out=True) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as broken:
            # The text of these errors may hold the URL, and the URL the patient's id.
            raise _Failure(f"it could not be reached ({type(broken).__name__})") from None
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError:
            raise _Failure("its answer is not JSON") from None
        if not isinstance(body, dict) or not isinstance(body.get("resourceType"), str):
            raise _Failure("its answer is no FHIR resource")
        return body

    def _read(self, answer: requests.Response, deadline: float) -> bytes:
        packed = answer.headers.get("Content-Encoding", "identity").strip().lower()
        if "," in packed:  # packed twice, a few bytes become gigabytes
            raise _Failure("its answer is packed more than once")
        chunk = _CHUNK if packed in ("", "identity") else _PACKED_CHUNK
        parts: list[bytes] = []
        size = 0
        # read1 hands over what has come; iter_content would wait for a whole chunk from a server that drips.
        while part := answer.raw.read1(chunk, decode_content=True):
            parts.append(part)
            size += len(part)
            if size > self.max_bytes:
                raise _Failure("its answer is too large")
            if self.clock() > deadline:
                raise _Failure(f"its answer did not end within {self.timeout_s:g} s", timed_out=True)
        return b"".join(parts)


def next_link(body: Mapping[str, Any], url: str) -> str | None:
    """The absolute address of a Bundle's next page, relative links resolved against ``url``; None: none."""
    links = body.get("link") if body.get("resourceType") == "Bundle" else None
    for link in links if isinstance(links, list) else ():
        if (
            isinstance(link, dict)
            and str(link.get("relation")).strip().lower() == "next"
            and isinstance(link.get("url"), str)
        ):
            return str(urljoin(url, link["url"]))
    return None


def medication_references(resources: Iterable[Mapping[str, Any]]) -> set[str]:
    """References to Medications that neither came along nor say by their display what they are."""
    resources = list(resources)
    known = {f"{r.get('resourceType')}/{r.get('id')}" for r in resources}
    wanted: set[str] = set()
    for resource in resources:
        medication = resource.get("medicationReference")
        if medication is None and isinstance(resource.get("medication"), dict):
            medication = resource["medication"].get("reference")  # R5: CodeableReference
        if not isinstance(medication, dict) or medication.get("display"):
            continue
        reference = medication.get("reference")
        if not isinstance(reference, str) or reference.startswith(("#", "urn:")):
            continue
        local = local_part(reference)
        kind, _, identifier = local.partition("/")
        if kind != "Medication" or not usable_id(identifier) or local in known:
            continue  # a reference with a query, a fragment or a strange id is not sent to any server
        whole = reference.strip().split("/_history/", 1)[0].rstrip("/")
        wanted.add(whole if "://" in whole else local)
    return wanted
