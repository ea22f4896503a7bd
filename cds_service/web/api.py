"""The bundle API and the knowledge as JSON, below /api/v1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

from flask import Blueprint, Response, current_app, request

from cds_service.asked import day_in, require_patient
from cds_service.asked_assertions import asked_in
from cds_service.assess import Question, bundle_question
from cds_service.demo import bundle_of, query_of
from cds_service.errors import BadRequest, Fault, NotFound
from cds_service.fhir.read import ManyPatients, resources_of
from cds_service.hooks.answer import CdsServices
from cds_service.knowledge.load import demo_patients
from cds_service.knowledge.plain import plain
from cds_service.knowledge.types import REGIONS, Knowledge
from cds_service.web.body import json_of, json_response
from cds_service.web.language import preferred, told_in

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")

_YES = {"true": True, "1": True, "false": False, "0": False}
PARAMETERS = ("region", "pathway", "as_of", "patient", "draft_orders", "trace", "language")


def _knowledge() -> Knowledge:
    return cast(Knowledge, current_app.extensions["knowledge"])


# ---- assess ----------------------------------------------------------------------------------------------
@blueprint.post("/assess")
def assess() -> Response:
    """The assessment of one FHIR Bundle, with what a clinician asserts beside it."""
    services = cast(CdsServices, current_app.extensions["cds"])
    here = services.circumstances
    asked = _parameters()
    bundle, beside = asked_in(json_of(request))
    resources = resources_of(bundle)
    require_patient(resources, asked.get("patient"))
    question = Question(
        as_of=asked.get("as_of") or current_app.extensions["now"]().date(),
        region=asked.get("region", here.region),
        pathway=asked.get("pathway", here.pathway),
        language=asked.get("language") or preferred() or here.language,
        patient_id=asked.get("patient"),
        validation=here.validation,
        asserted=beside,
        manner=here.manner,
    )
    question = bundle_question(resources, question, asked.get("draft_orders", False))
    try:
        assessment = services.assessor.assess(resources, question)
    except ManyPatients as many:
        raise BadRequest(
            f"The Bundle holds {len(many.ids)} patients: say which one with the query parameter patient=ID.",
            Fault("is missing, and the Bundle holds several patients", parameter="patient"),
            code="several-patients",
        ) from None
    answer = json_response(assessment.to_json(trace=asked.get("trace", False)))
    return told_in(answer, question.language)


def _parameters() -> dict[str, Any]:
    """The query parameters, read; every fault at once, so that a misspelt one is never silently ignored."""
    asked: dict[str, Any] = {}
    faults: list[Fault] = []
    allowed = {
        "region": REGIONS,
        "language": ("en", "it"),
        "pathway": tuple(sorted(_knowledge().pathways)),
    }
    for name, values in request.args.lists():
        value = values[0]
        if name not in PARAMETERS:
            faults.append(Fault(f"is unknown; there are {', '.join(PARAMETERS)}", parameter=name[:40]))
        elif len(values) > 1:
            faults.append(Fault("stands more than once", parameter=name))
        elif name in allowed and value not in allowed[name]:
            faults.append(Fault(f"must be one of {', '.join(allowed[name])}", parameter=name))
        elif name == "as_of":
            try:
                asked[name] = day_in(value, current_app.extensions["now"]().date())
            except BadRequest as problem:
                faults.append(Fault(problem.detail, parameter=name))
        elif name in ("draft_orders", "trace"):
            if value.lower() not in _YES:
                faults.append(Fault("must be true or false", parameter=name))
            asked[name] = _YES.get(value.lower(), False)
        elif name == "patient" and not value.strip():
            faults.append(Fault("must be the id of a patient in the Bundle", parameter=name))
        else:
            asked[name] = value.strip()
    if faults:
        listed = "; ".join(f"{fault.parameter} {fault.detail}" for fault in faults)
        raise BadRequest(f"Query parameters: {listed}.", *faults, code="bad-parameter")
    return asked


# ---- demo patients ---------------------------------------------------------------------------------------
@blueprint.get("/demo-patients")
def demo_list() -> Response:
    """The synthetic patients, each with the address that assesses it as its file means it."""
    items = []
    for identifier, patient in demo_patients().items():
        named = ("id", "title", "narrative", "region", "as_of", "patient_id", "hook")
        items.append(
            {name: patient[name] for name in named if patient.get(name)}
            | {
                "bundle": f"/api/v1/demo-patients/{identifier}",
                "assess": f"/api/v1/assess?{query_of(patient)}",
            }
        )
    return _listed(items)


@blueprint.get("/demo-patients/<identifier>")
def demo_patient(identifier: str) -> Response:
    """One synthetic patient as a Bundle, to be sent to /assess as it is."""
    patient = demo_patients().get(identifier)
    if patient is None:
        raise NotFound("There is no demo patient of this id; /api/v1/demo-patients lists them.")
    return json_response(bundle_of(patient))


# ---- knowledge -------------------------------------------------------------------------------------------
@blueprint.get("/knowledge")
def knowledge() -> Response:
    """Version of the knowledge, and how much there is of it."""
    known = _knowledge()
    return json_response(
        {
            **asdict(known.version),
            "counts": {
                "drugs": len(known.drugs),
                "classes": len(known.classes),
                "regimens": len(known.regimens),
                "evidence": len(known.evidence),
                "pathways": len(known.pathways),
            },
            "regimens": "/api/v1/regimens",
            "evidence": "/api/v1/evidence",
            "pathways": "/api/v1/pathways",
        }
    )


def _collection(name: str) -> Mapping[str, Any]:
    known = _knowledge()
    if name == "evidence":
        return {key: evidence.data for key, evidence in known.evidence.items()}
    return {key: plain(entry) for key, entry in getattr(known, name).items()}


@blueprint.get("/<any(regimens, evidence, pathways):name>")
def collection(name: str) -> Response:
    """All entries of one kind, as their files say it."""
    return _listed(list(_collection(name).values()))


@blueprint.get("/<any(regimens, evidence, pathways):name>/<key>")
def entry(name: str, key: str) -> Response:
    """One entry."""
    found = _collection(name).get(key)
    if found is None:
        raise NotFound(f"There is no such entry; /api/v1/{name} lists them.")
    return json_response(found)


def _listed(items: list[Any]) -> Response:
    return json_response({"items": items, "knowledge": asdict(_knowledge().version)})
