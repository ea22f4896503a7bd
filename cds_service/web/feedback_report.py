"""``GET /api/v1/feedback/report``: what became of the cards, as JSON or as a page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, request

from cds_service.asked import day_in
from cds_service.errors import BadRequest, Fault
from cds_service.store.by import BY, EVERY
from cds_service.store.counts import as_json, count
from cds_service.web.body import json_response
from cds_service.web.feedback_page import labels, page

blueprint = Blueprint("feedback_report", __name__, url_prefix="/api/v1/feedback")

PARAMETERS = ("from", "to", "by", "every")


@blueprint.get("/report")
def report() -> Response:
    """The report. Nothing in it belongs to a patient: it counts cards."""
    asked = _parameters()
    counts = count(
        current_app.extensions["database"],
        by=asked.get("by", "regimen"),
        every=asked.get("every"),
        since=asked.get("from"),
        until=asked.get("to"),
    )
    words = labels(current_app.extensions["knowledge"], counts.by)
    answer = (
        Response(page(counts, words, home="/"), mimetype="text/html")
        if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"
        else json_response(as_json(counts, words))
    )
    answer.vary.add("Accept")
    answer.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _parameters() -> dict[str, Any]:
    """The query parameters, read; every fault at once."""
    asked: dict[str, Any] = {}
    faults: list[Fault] = []
    allowed: dict[str, tuple[str, ...]] = {"by": BY, "every": EVERY}
    for name, values in request.args.lists():
        value = values[0]
        if name not in PARAMETERS:
            faults.append(Fault(f"is unknown; there are {', '.join(PARAMETERS)}", parameter=name[:40]))
        elif len(values) > 1:
            faults.append(Fault("stands more than once", parameter=name))
        elif name in allowed and value not in allowed[name]:
            faults.append(Fault(f"must be one of {', '.join(allowed[name])}", parameter=name))
        elif name in ("from", "to"):
            try:
                asked[name] = day_in(value, current_app.extensions["now"]().date())
            except BadRequest as problem:
                faults.append(Fault(problem.detail, parameter=name))
        else:
            asked[name] = value
    if {"from", "to"} <= asked.keys() and asked["from"] > asked["to"]:
        faults.append(Fault("lies after the day of to", parameter="from"))
    if faults:
        listed = "; ".join(f"{fault.parameter} {fault.detail}" for fault in faults)
        raise BadRequest(f"Query parameters: {listed}.", *faults, code="bad-parameter")
    return asked
