"""The body of a request as JSON: what is accepted, and what is said where it is not."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Request, Response, current_app
from werkzeug.exceptions import RequestEntityTooLarge

from cds_service.errors import BadRequest, Fault, UnsupportedMedia

_BOM = b"\xef\xbb\xbf"


def json_of(request: Request) -> Any:
    """The body, parsed. Content-Type may be JSON, any ``+json``, ``application/json+fhir``, or absent.

    Raises UnsupportedMedia for another type or a compressed body, BadRequest where it is not JSON; a body
    over the limit raises werkzeug's RequestEntityTooLarge, chunked ones too.
    """
    kind = request.mimetype
    if kind and not (kind.endswith(("/json", "+json")) or kind == "application/json+fhir"):
        raise UnsupportedMedia("Send JSON, with Content-Type application/json or application/fhir+json.")
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMedia("Send the body uncompressed, without Content-Encoding.")
    data = request.get_data(cache=False)
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    if limit is not None and len(data) >= limit:
        # A chunked body has no length to refuse beforehand, and is silently cut where the limit is reached.
        raise RequestEntityTooLarge
    try:
        return orjson.loads(data.removeprefix(_BOM))
    except orjson.JSONDecodeError as problem:
        # The position tells enough; the parser's text may quote the body.
        where = f"line {problem.lineno}, column {problem.colno}" if data.strip() else "it is empty"
        raise BadRequest(
            f"The body is not JSON ({where}).", Fault("is not JSON", ""), code="not-json"
        ) from None


def json_response(body: Any, status: int = 200, mimetype: str = "application/json") -> Response:
    """A JSON answer, UTF-8."""
    return Response(orjson.dumps(body), status, mimetype=mimetype)
