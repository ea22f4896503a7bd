"""For whoever runs the service: is it alive, is it ready, how is it doing."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, Response, current_app

from cds_service.errors import DatabaseGone
from cds_service.web import metrics
from cds_service.web.body import json_response

blueprint = Blueprint("operations", __name__)


@blueprint.get("/health/live")
def live() -> Response:
    """The process answers."""
    return json_response({"status": "alive"})


@blueprint.get("/health/ready")
def ready() -> Response:
    """The knowledge is loaded, so hooks can be answered; they are without the database, too."""
    try:
        current_app.extensions["database"].check()
        database = "ok"
    except DatabaseGone:
        database = "unreachable"
    return json_response(
        {
            "status": "ready",
            "knowledge": asdict(current_app.extensions["knowledge"].version),
            "database": database,
        }
    )


@blueprint.get("/metrics")
def prometheus() -> Response:
    """Metrics of all server processes, in the Prometheus text format."""
    text, content_type = metrics.exposition()
    return Response(text, content_type=content_type)
