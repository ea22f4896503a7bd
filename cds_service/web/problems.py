"""Errors as the caller reads them: problem+json (RFC 9457), or an OperationOutcome."""

from __future__ import annotations

from typing import Any

import orjson
import structlog
from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from cds_service.errors import Busy, Fault, RequestError
from cds_service.web.logs import where_it_broke

log = structlog.get_logger()

KINDS: dict[str, str] = {
    "malformed-request": "A member is missing, of the wrong type or blank; errors says which.",
    "not-json": "The body is not JSON.",
    "wrong-hook": "The body's hook is served under another id.",
    "other-patient": "The prefetched Patient is not the patient of the context.",
    "unknown-patient": "The query parameter patient names nobody to whom the Bundle holds anything.",
    "several-patients": "The Bundle holds several patients and the query parameter patient names none.",
    "bad-parameter": "A query parameter is unknown or has a value that is not allowed.",
    "bad-assertion": "What is asserted beside the chart cannot be read; errors says which and why.",
    "bad-request": "The request itself is at fault.",
    "not-found": "Nothing of this name exists.",
    "method-not-allowed": "The address exists, but not for this method.",
    "not-acceptable": "What is served is JSON, and the client accepts none.",
    "data-missing": "Data that the answer cannot do without was neither sent nor could it be fetched.",
    "too-slow": "The body did not come in time; the connection is closed.",
    "too-large": "The body is larger than CDS_MAX_BODY_MB allows.",
    "unsupported-media-type": "The body is neither JSON nor FHIR JSON, or it is compressed.",
    "internal-error": "The service failed; nothing was answered, and an empty answer must not be assumed.",
    "unavailable": "The service cannot answer now; try again after Retry-After.",
}
"""Each ``type`` of problem with its meaning, shown on the page /about that the ``type`` points at."""

_BY_STATUS = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    413: "too-large",
    415: "unsupported-media-type",
    503: "unavailable",
}
_TITLES = {405: "This address does not take this method", 500: "The service failed"}
_OUTCOME_CODES = {
    "not-found": "not-found",
    "method-not-allowed": "not-supported",
    "not-acceptable": "not-supported",
    "too-large": "too-long",
    "unsupported-media-type": "not-supported",
    "data-missing": "required",
    "internal-error": "exception",
    "unavailable": "transient",
    "too-slow": "timeout",
    "other-patient": "conflict",
}


def prefers_fhir() -> bool:
    """Whether the client's Accept names FHIR JSON before JSON and problem+json."""
    if request.path.startswith("/fhir/"):
        return True
    for media_type, quality in request.accept_mimetypes:  # best first, else in the order named
        if quality <= 0:
            continue  # named to be refused
        plain = media_type.split(";")[0].strip().lower()
        if plain in ("application/fhir+json", "application/json+fhir"):
            return True
        if plain in ("application/json", "application/problem+json", "*/*", "application/*", "text/html"):
            return False
    return False


def prefers_html() -> bool:
    """Whether the client names HTML, as browsers do, and not JSON of any kind before it."""
    return (
        not prefers_fhir()
        and request.accept_mimetypes.best_match(
            ("application/problem+json", "application/json", "text/html"), "application/problem+json"
        )
        == "text/html"
    )


def problem(status: int, code: str, title: str, detail: str, faults: tuple[Fault, ...] = ()) -> Response:
    """One error, in the form the client prefers."""
    if prefers_fhir():
        return _varying(
            Response(orjson.dumps(_outcome(code, detail, faults)), status, mimetype="application/fhir+json")
        )
    body: dict[str, Any] = {
        "type": f"{current_app.config['PUBLIC_URL']}/about#{code}",
        "title": title,
        "status": status,
        "detail": detail,
    }
    if faults:
        body["errors"] = [fault.as_json() for fault in faults]
    return _varying(Response(orjson.dumps(body), status, mimetype="application/problem+json"))


def _varying(answer: Response) -> Response:
    answer.vary.add("Accept")
    return answer


def _outcome(code: str, detail: str, faults: tuple[Fault, ...]) -> dict[str, Any]:
    kind = _OUTCOME_CODES.get(code, "invalid")
    first: dict[str, Any] = {"severity": "error", "code": kind, "diagnostics": detail}
    rest = [
        {
            "severity": "error",
            "code": "required" if fault.detail.endswith("missing") else kind,
            "diagnostics": f"{fault.detail} ({fault.pointer or fault.parameter or 'the whole body'})",
            **({"expression": [fault.expression]} if fault.expression else {}),
        }
        for fault in faults
    ]
    return {"resourceType": "OperationOutcome", "issue": [first, *rest]}


def register(app: Flask) -> None:
    """Lets every error of the app be answered in one form. No stack trace and no chart text gets out."""

    @app.errorhandler(RequestError)
    def _ours(error: RequestError) -> Response:
        answer = problem(error.status, error.code, error.title, error.detail, error.faults)
        if isinstance(error, Busy):
            answer.headers["Retry-After"] = str(error.retry_after)
        return answer

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        status = error.code or 500
        code = _BY_STATUS.get(status, "internal-error" if status >= 500 else "bad-request")
        details = {
            404: "There is no such address. The page / lists those there are.",
            413: f"The body is larger than {app.config['MAX_BODY_MB']:g} MB (CDS_MAX_BODY_MB).",
        }
        detail = details.get(status) or error.description or error.name
        answer = problem(status, code, _TITLES.get(status, KINDS[code].rstrip(".")), detail)
        for name, value in error.get_headers():
            if name.lower() in ("allow", "retry-after"):
                answer.headers[name] = value
        return answer

    @app.errorhandler(Exception)
    def _unforeseen(error: Exception) -> Response:
        log.error("failure", endpoint=request.endpoint, where=where_it_broke(error))
        detail = "Something failed in the service; the operator's log says where. No advice was computed."
        return problem(500, "internal-error", _TITLES[500], detail)
