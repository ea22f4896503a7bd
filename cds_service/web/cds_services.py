"""The addresses of CDS Hooks: discovery, calls, feedback."""

from __future__ import annotations

import re
from typing import cast

from flask import Blueprint, Response, current_app, g, request

from cds_service.hooks.answer import Caller, CdsServices
from cds_service.hooks.feedback import outcomes
from cds_service.web import metrics
from cds_service.web.body import json_of, json_response
from cds_service.web.language import preferred, told_in

blueprint = Blueprint("cds_services", __name__, url_prefix="/cds-services")

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")


def _services() -> CdsServices:
    return cast(CdsServices, current_app.extensions["cds"])


def _caller() -> Caller:
    known = _services().clients.named_in(request.headers.get("Authorization"))
    return Caller(known, preferred())


@blueprint.get("")
def discovery() -> Response:
    """Discovery."""
    services = _services()
    language = services.language_for(_caller())
    return told_in(json_response(services.discovery(language)), language)


@blueprint.post("/<service_id>")
def call(service_id: str) -> Response:
    """A hook fired: cards."""
    services = _services()
    service = services.service(service_id)
    g.told = {"service": service.id, "hook": service.hook}
    body = json_of(request)
    instance = body.get("hookInstance") if isinstance(body, dict) else None
    if isinstance(instance, str) and _UUID.match(instance.strip()):
        # Anything else is the caller's own words, and those do not go into a log.
        g.told["hook_instance"] = instance.strip().lower()
    caller = _caller()
    if caller.client is not None:
        g.told["client"] = caller.client.id
    answer = services.call(service.id, body, current_app.extensions["now"]().date(), caller)
    g.told |= {"cards": len(answer.body["cards"]), "computed": answer.computed, "issues": len(answer.issues)}
    for kind in answer.kinds:
        metrics.CARDS.labels(service.id, kind).inc()
    for issue in answer.issues:
        metrics.ISSUES.labels(service.id, issue.code).inc()
    return told_in(json_response(answer.body), services.language_for(caller))


@blueprint.post("/<service_id>/feedback")
def feedback(service_id: str) -> Response:
    """Feedback on cards: checked and counted, not kept."""
    service = _services().service(service_id)
    g.told = {"service": service.id}
    counted = outcomes(json_of(request))
    g.told |= dict(counted)
    for outcome, number in counted.items():
        metrics.FEEDBACK.labels(service.id, outcome).inc(number)
    return Response(status=204)
