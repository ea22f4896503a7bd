"""The knowledge as FHIR R4 under /fhir/R4: read, search, metadata, and PlanDefinition/$apply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import NotAcceptable

from cds_service.assess import Question
from cds_service.errors import BadRequest, Fault, NotFound
from cds_service.hooks.answer import CdsServices
from cds_service.publish.careplan import care_plan, why_not
from cds_service.publish.library import TYPES, Library
from cds_service.publish.operation import apply_of
from cds_service.publish.search import CannotSearch, search, searchset
from cds_service.web.body import json_of, json_response

blueprint = Blueprint("fhir", __name__, url_prefix="/fhir/R4")

FHIR_JSON = "application/fhir+json"
_JSON_NAMES = frozenset({"json", "application/json", "text/json", FHIR_JSON, "application/json+fhir"})


def _library() -> Library:
    return cast(Library, current_app.extensions["library"])


def _base() -> str:
    return f"{current_app.config['PUBLIC_URL']}/fhir/R4"


@blueprint.before_request
def _only_json() -> None:
    """Whoever wants nothing but XML is told so, instead of being sent what it cannot read."""
    wanted = [request.args["_format"]] if "_format" in request.args else []
    # A plus sign in a query is a blank.
    names = [name.replace(" ", "+").partition(";")[0].strip().lower() for name in wanted]
    if names and names[0] not in _JSON_NAMES:
        raise NotAcceptable("Only JSON is served: _format=json.")
    accepted = [
        media_type.partition(";")[0].strip().lower()
        for media_type, quality in request.accept_mimetypes
        if quality > 0
    ]
    if (
        not names
        and request.accept_mimetypes
        and not _JSON_NAMES.union({"*/*", "application/*"}).intersection(accepted)
    ):
        # A browser's Accept ends in */*; what is left asks for XML, HTML or Turtle alone.
        raise NotAcceptable("Only JSON is served: Accept application/fhir+json.")


def _fixed(resource: Any) -> Response:
    """An answer that is the same until the knowledge, the address or the software is another."""
    answer = json_response(resource, mimetype=FHIR_JSON)
    # Of the answer itself: it also turns with the address, and with the version of the software.
    answer.add_etag(weak=True)
    answer.headers["Cache-Control"] = "no-cache"
    answer.make_conditional(request)
    return answer


# ---- read and search -------------------------------------------------------------------------------------
@blueprint.get("/metadata")
def metadata() -> Response:
    """What can be done here."""
    return _fixed(_library().capability_statement(_base()))


@blueprint.get("/<kind>")
def search_type(kind: str) -> Response:
    """A search over one type."""
    return _found(kind, list(request.args.items(multi=True)))


@blueprint.post("/<kind>/_search")
def search_by_post(kind: str) -> Response:
    """The same search, its parameters in the body of a form."""
    return _found(kind, [*request.args.items(multi=True), *request.form.items(multi=True)])


def _found(kind: str, asked: list[tuple[str, str]]) -> Response:
    resources = _of_type(kind).values()
    try:
        found = search(resources, asked)
    except CannotSearch as problem:
        fault = Fault(str(problem), parameter=problem.parameter[:40])
        raise BadRequest(f"{fault.parameter} {fault.detail}.", fault, code="bad-parameter") from None
    if found.ignored and "handling=strict" in request.headers.get("Prefer", "").replace(" ", "").lower():
        faults = [Fault("is not known here", parameter=name[:40]) for name in found.ignored]
        listed = ", ".join(fault.parameter for fault in faults)
        raise BadRequest(f"Not known here: {listed}.", *faults, code="bad-parameter")
    return _fixed(searchset(kind, found, _base()))


@blueprint.get("/<kind>/<identifier>")
def read(kind: str, identifier: str) -> Response:
    """One resource."""
    found = _of_type(kind).get(identifier)
    if found is None:
        raise NotFound(f"There is no {kind} of this id; a search without parameters lists all there are.")
    return _fixed(found)


def _of_type(kind: str) -> Mapping[str, Any]:
    if kind not in TYPES:
        raise NotFound(f"No resources of this type are served here; there are {', '.join(TYPES)}.")
    return _library().all_of(kind)


# ---- $apply ----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Plan:
    """A PlanDefinition that can be applied: a pathway, or one regimen by some pathway."""

    pathway: str = ""
    regimen: str = ""


@blueprint.post("/PlanDefinition/<identifier>/$apply")
def apply(identifier: str) -> Response:
    """One pathway, or one regimen, for one patient."""
    return _apply(identifier)


@blueprint.post("/PlanDefinition/$apply")
def apply_named() -> Response:
    """The same, the PlanDefinition named by its canonical address in the body."""
    return _apply("")


def _apply(identifier: str) -> Response:
    plan = _plan_of(identifier) if identifier else None
    services = cast(CdsServices, current_app.extensions["cds"])
    here = services.circumstances
    today = current_app.extensions["now"]().date()
    library = _library()
    asked = apply_of(json_of(request), library.knowledge, today, names_plan=plan is None)
    if plan is None:
        plan = _plan_of(_id_by_address(asked.plan))
    if plan.pathway and asked.pathway:
        raise BadRequest(
            "The PlanDefinition is a pathway itself: leave the parameter pathway out.",
            Fault("is for regimens alone", expression="Parameters.parameter.where(name = 'pathway')"),
        )
    question = Question(
        as_of=asked.as_of or today,
        region=asked.region or here.region,
        pathway=plan.pathway or asked.pathway or here.pathway,
        language=asked.language or here.language,
        patient_id=asked.subject,
        encounter=asked.encounter,
        validation=here.validation,
    )
    assessment = services.assessor.assess(asked.resources, question)
    against = [one for one in assessment.recommendation.not_suggested if one.regimen == plan.regimen]
    if against:
        # Nothing is wrong with the call: the regimen does not fit this patient, and must not be ordered.
        return json_response(why_not(library.edition, against[0], question.language), 422, FHIR_JSON)
    return json_response(care_plan(library.edition, assessment, regimen=plan.regimen), mimetype=FHIR_JSON)


def _plan_of(identifier: str) -> _Plan:
    knowledge = _library().knowledge
    if identifier in knowledge.pathways:
        return _Plan(pathway=identifier)
    if identifier in knowledge.regimens:
        return _Plan(regimen=identifier)
    if identifier in _library().all_of("PlanDefinition"):
        raise BadRequest(
            "This PlanDefinition is part of every answer and not applied alone: apply a pathway."
        )
    raise NotFound("There is no PlanDefinition of this id; /fhir/R4/PlanDefinition lists those there are.")


def _id_by_address(address: str) -> str:
    """The id of the PlanDefinition with this canonical address, the version aside."""
    url = address.partition("|")[0]
    plans = _library().all_of("PlanDefinition").values()
    found = [str(plan["id"]) for plan in plans if plan["url"] == url]
    if not found:
        raise NotFound("There is no PlanDefinition of this address; /fhir/R4/PlanDefinition lists them.")
    return found[0]
