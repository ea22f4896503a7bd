"""The body of a request as JSON: what is accepted, and what is said where it is not."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Request, Response, current_app
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from cds_service.asked import json_in
from cds_service.errors import BadRequest, TooSlow, UnsupportedMedia


def json_of(request: Request) -> Any:
    """The body, parsed. Content-Type may be JSON, any ``+json``, ``application/json+fhir``, or absent.

    Raises UnsupportedMedia for another type or a compressed body, TooSlow where it did not come in time,
    BadRequest where it cannot be read or is not JSON; a body over the limit raises werkzeug's
    RequestEntityTooLarge, chunked ones too.
    """
    kind = request.mimetype
    if kind and not (kind.endswith(("/json", "+json")) or kind == "application/json+fhir"):
        raise UnsupportedMedia("Send JSON, with Content-Type application/json or application/fhir+json.")
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMedia("Send the body uncompressed, without Content-Encoding.")
    data = _received(request)
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    if limit is not None and len(data) >= limit:
        # A chunked body has no length to refuse beforehand, and is silently cut where the limit is reached.
        raise RequestEntityTooLarge
    return json_in(data)


def _received(request: Request) -> bytes:
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise
    except Exception as problem:
        # Whatever stops the reading lies with the body; gunicorn's complaints about chunks share no class.
        # What its socket raised is wrapped by werkzeug.
        cause = problem.__context__ if isinstance(problem, ClientDisconnected) else problem
        if isinstance(cause, TimeoutError):
            raise TooSlow("The body did not come in time; send it again.") from None
        raise BadRequest("The body could not be read: it is cut off, or its chunks are malformed.") from None


def json_response(body: Any, status: int = 200, mimetype: str = "application/json") -> Response:
    """A JSON answer, UTF-8."""
    return Response(orjson.dumps(body), status, mimetype=mimetype)
