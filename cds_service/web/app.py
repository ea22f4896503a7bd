"""The WSGI application: addresses, limits, headers, and a log line per hook call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from flask import Flask, Response, g, request
from flask_cors import CORS

from cds_service.assess import Assessor
from cds_service.errors import SettingError
from cds_service.explain.explainer import Explainer
from cds_service.hooks.answer import Assesses, CdsServices, Circumstances
from cds_service.hooks.clients import NO_CLIENTS, Clients, read_clients
from cds_service.hooks.fetch import Fetcher
from cds_service.hooks.services import services_of
from cds_service.knowledge.load import Files, build, read_files
from cds_service.knowledge.overlaid import deeds, idle_files, losses
from cds_service.knowledge.types import Knowledge
from cds_service.publish.library import Library
from cds_service.settings import Settings, load_settings, unknown_variables
from cds_service.web import api, cds_services, explain, fhir, metrics, operations, pages, problems
from cds_service.web.logs import set_up_logging

log = structlog.get_logger()

Environment = dict[str, Any]
Wsgi = Callable[[Environment, Callable[..., Any]], Iterable[bytes]]


def utc_now() -> datetime:
    """The moment of the call, in UTC. The one clock of the service."""
    return datetime.now(UTC)


def create_app(
    settings: Settings | None = None,
    *,
    knowledge: Knowledge | None = None,
    assessor: Assesses | None = None,
    library: Library | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Flask:
    """The application, ready to serve; whatever is not given is built from the environment.

    Raises SettingError or KnowledgeError, each with sentences that say what to mend.
    """
    settings = load_settings() if settings is None else settings
    files = None
    if knowledge is None:
        files = read_files(settings.knowledge_dir)
        knowledge = build(files)
    clients = read_clients(settings.trusted_clients)
    check_against_knowledge(settings, knowledge, clients)
    set_up_logging(settings)
    if assessor is None:
        assessor = Assessor(
            knowledge,
            base_url=settings.public_url,
            formulary=settings.unavailable,
            car_t=settings.car_t or "",
        )
    app = Flask("cds_service.web", static_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_body_bytes + 1,  # one more, see json_of
        MAX_BODY_MB=settings.max_body_mb,
        PUBLIC_URL=settings.public_url,
    )
    app.url_map.strict_slashes = False  # /cds-services/ is the same address, without a redirect
    app.extensions["cds"] = CdsServices(
        services=services_of(knowledge.cards["services"], with_include=settings.prefetch_include),
        assessor=assessor,
        fetcher=Fetcher(
            allowed=settings.allowed_fhir_servers,
            timeout_s=settings.fetch_timeout_s,
            max_bytes=settings.max_body_bytes,
            most_calls=max(1, settings.threads // 2),  # the others stay free for calls that bring their data
        ),
        circumstances=Circumstances(
            region=settings.region,
            pathway=settings.pathway,
            language=settings.language,
            validation=settings.validation or "relevant",
            hook_validation=settings.validation or "fast",
            silent=settings.mode == "silent",
            manner=settings.manner,
        ),
        clients=clients,
    )
    app.extensions["knowledge"] = knowledge
    if library is None:
        library = Library(knowledge, assessor.orders if isinstance(assessor, Assessor) else None)
    app.extensions["library"] = library
    app.extensions["explainer"] = Explainer(knowledge, library.edition.orders)
    app.extensions["now"] = now
    for blueprint in (
        cds_services.blueprint,
        api.blueprint,
        fhir.blueprint,
        operations.blueprint,
        pages.blueprint,
        explain.blueprint,
    ):
        app.register_blueprint(blueprint)
    problems.register(app)
    _observe(app, settings.allowed_origins)
    if settings.allowed_origins:
        # Authorization by name: the wildcard of the Fetch standard does not cover it.
        CORS(
            app,
            origins=list(settings.allowed_origins),
            methods=["GET", "POST", "OPTIONS"],
            allow_headers=["Authorization", "Content-Type", "Accept"],
            send_wildcard="*" in settings.allowed_origins,
            max_age=600,
        )
    app.wsgi_app = _single_slashes(app.wsgi_app)  # type: ignore[assignment, method-assign]
    if files is not None and settings.knowledge_dir is not None:
        _say_what_is_overlaid(settings.knowledge_dir, files, knowledge)
    _say_hello(settings, knowledge)
    return app


def check_against_knowledge(settings: Settings, knowledge: Knowledge, clients: Clients = NO_CLIENTS) -> None:
    """Raises SettingError where a setting names what the knowledge does not define."""
    sentences = []
    chosen = [("CDS_PATHWAY", settings.pathway)]
    chosen += [
        (f"CDS_TRUSTED_CLIENTS, client {client.id}, pathway", client.pathway)
        for client in clients.entries
        if client.pathway is not None
    ]
    for where, pathway in chosen:
        if pathway not in knowledge.pathways:
            known = ", ".join(sorted(knowledge.pathways))
            sentences.append(f"{where}={pathway}: there is no such pathway; there are {known}.")
        elif knowledge.pathways[pathway].unreviewed:
            sentences.append(
                f"{where}={pathway} rests on a source that nobody has reviewed, and is never the "
                "default. Set another; a single call may ask for it by its parameter pathway."
            )
    unknown = sorted(settings.unavailable - set(knowledge.regimens) - set(knowledge.drugs))
    if unknown:
        sentences.append(f"CDS_FORMULARY: no regimen and no drug has the key {', '.join(unknown)}.")
    if sentences:
        raise SettingError(*sentences)


def _say_what_is_overlaid(overlay: Path, files: Files, knowledge: Knowledge) -> None:
    """A misspelt name must not pass for a change, nor a safeguard go unnoticed."""
    for note in deeds(overlay, files):
        log.info("knowledge overlay", note=note)
    for note in (*idle_files(overlay), *losses(overlay, files, knowledge)):
        log.warning("knowledge overlay", note=note)


def _say_hello(settings: Settings, knowledge: Knowledge) -> None:
    for sentence in unknown_variables():
        log.warning("unknown setting", problem=sentence)
    log.warning(
        "no client authentication: everybody who reaches this address may call the service",
        auth="off",
        loopback_only=settings.on_loopback,
    )
    log.info(
        "ready",
        discovery=f"{settings.public_url}/cds-services",
        knowledge=knowledge.version.version,
        region=settings.region,
        pathway=settings.pathway,
        mode=settings.mode,
        fhir_servers=len(settings.fhir_servers),
    )
    metrics.KNOWLEDGE.labels(knowledge.version.version, knowledge.version.sha256[:12]).set(1)


def _single_slashes(wsgi_app: Wsgi) -> Wsgi:
    """Some clients join the discovery address and an id with two slashes; a redirect would lose the body."""

    def collapsed(environ: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if "//" in path:
            environ["PATH_INFO"] = "/" + "/".join(step for step in path.split("/") if step)
        return wsgi_app(environ, start_response)

    return collapsed


def _observe(app: Flask, origins: tuple[str, ...]) -> None:
    @app.before_request
    def _start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def _end(response: Response) -> Response:
        seconds = time.perf_counter() - g.get("started", time.perf_counter())
        endpoint = request.endpoint or "unknown"
        method = request.method if request.method in ("GET", "POST", "HEAD", "OPTIONS") else "other"
        metrics.REQUESTS.labels(endpoint, method, str(response.status_code)).inc()
        metrics.SECONDS.labels(endpoint).observe(seconds)
        if request.method == "POST" and endpoint.startswith("cds_services."):
            log.info(
                "hook call" if endpoint == "cds_services.call" else "feedback",
                status=response.status_code,
                ms=round(seconds * 1000, 1),
                **g.get("told", {}),
            )
        if "*" not in origins:
            response.vary.add("Origin")  # whether a browser may read the answer depends on who asks
        if request.method == "OPTIONS" or response.status_code == 204:
            response.headers.pop("Content-Type", None)  # there is nothing to have a type
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        if request.method == "POST":
            response.headers["Cache-Control"] = "no-store"  # answers are about a patient
        return response
