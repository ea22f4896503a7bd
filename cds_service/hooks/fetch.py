"""Data fetched from the EHR's FHIR server, where prefetch lacks it.

Only servers on the allow-list are called. Whatever an answer says (redirect, ``next`` link, absolute
reference), the token goes to the base the request named and to nowhere else. Nothing here raises for what a
server does: a failure is a value with a sentence that says what was not to be had.
"""

from __future__ import annotations

import posixpath
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import orjson
import requests
import urllib3
from requests.adapters import HTTPAdapter

MAX_PAGES = 20
MAX_THREADS = 32
_CHUNK = 65_536
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
    """

    bodies: tuple[dict[str, Any], ...] = ()
    problem: str = ""
    not_found: bool = False


class _Failure(Exception):
    """One request brought nothing usable; the text says why, for the reader of an issue."""

    def __init__(self, why: str, *, not_found: bool = False) -> None:
        super().__init__(why)
        self.not_found = not_found


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
    ``max_bytes`` the largest page that is read. All pages of a query together may take ``4 * timeout_s``.
    """

    allowed: tuple[FhirBase, ...] = ()
    timeout_s: float = 3.0
    max_bytes: int = 32 * 1024 * 1024
    clock: Callable[[], float] = time.monotonic
    _session: requests.Session = field(default_factory=requests.Session, repr=False)
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="fhir-fetch"), repr=False
    )

    def __post_init__(self) -> None:
        for scheme in _DEFAULT_PORTS:
            self._session.mount(f"{scheme}://", HTTPAdapter(pool_connections=8, pool_maxsize=MAX_THREADS))

    def base_for(self, url: str) -> FhirBase | None:
        """The server named in a request as a base that may be called; None where it may not."""
        try:
            base = FhirBase.of(url)
        except ValueError:
            return None
        return base if any(allowed.covers(str(base)) for allowed in self.allowed) else None

    def all(self, base: FhirBase, token: str, queries: Mapping[str, str]) -> dict[str, Fetched]:
        """Several queries side by side: relative or absolute URLs by key, each with its ``next`` pages."""
        jobs: dict[str, Future[Fetched]] = {
            key: self._pool.submit(self.one, base, token, query) for key, query in queries.items()
        }
        return {key: job.result() for key, job in jobs.items()}

    def one(self, base: FhirBase, token: str, query: str) -> Fetched:
        """One query with all its pages; ``query`` may be relative to the base."""
        url: str | None = urljoin(f"{base}/", query)
        deadline = self.clock() + 4 * self.timeout_s
        bodies: list[dict[str, Any]] = []
        seen: set[str] = set()
        try:
            while url is not None:
                if not base.covers(url):
                    raise _Failure("it links to another server, which is not followed")
                if url in seen or len(seen) == MAX_PAGES:
                    raise _Failure(f"its pages do not end ({len(seen)} were read)")
                if self.clock() > deadline:
                    raise _Failure("its pages took too long")
                seen.add(url)
                body = self._get(url, token)
                bodies.append(body)
                url = next_link(body, url)
        except _Failure as failure:
            return Fetched(tuple(bodies), str(failure), failure.not_found)
        return Fetched(tuple(bodies))

    def _get(self, url: str, token: str) -> dict[str, Any]:
        deadline = self.clock() + self.timeout_s
        try:
            with self._session.get(
                url,
                auth=_Bearer(token),
                headers={"Accept": "application/fhir+json, application/json;q=0.9"},
                timeout=(self.timeout_s, self.timeout_s),
                allow_redirects=False,  # a redirect could carry the token elsewhere
                stream=True,
            ) as answer:
                if answer.status_code != requests.codes.ok:
                    gone = answer.status_code in (404, 410)
                    raise _Failure(f"it answered with status {answer.status_code}", not_found=gone)
                content = self._read(answer, deadline)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise _Failure(f"it did not answer within {self.timeout_s:g} s") from None
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
        parts: list[bytes] = []
        size = 0
        # read1 hands over what has come; iter_content would wait for a whole chunk from a server that drips.
        while part := answer.raw.read1(_CHUNK, decode_content=True):
            parts.append(part)
            size += len(part)
            if size > self.max_bytes:
                raise _Failure("its answer is too large")
            if self.clock() > deadline:
                raise _Failure(f"its answer did not end within {self.timeout_s:g} s")
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
        kind, _, identifier = posixpath.normpath(reference).rpartition("/")
        if kind.rpartition("/")[2] == "Medication" and f"Medication/{identifier}" not in known:
            wanted.add(reference)
    return wanted
