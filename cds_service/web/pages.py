"""Pages for people: where things are, and what the service is for."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, make_response, render_template

from cds_service.knowledge.load import demo_patients
from cds_service.knowledge.reviews import counted
from cds_service.web.problems import KINDS

blueprint = Blueprint("pages", __name__, template_folder="templates")

POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
"""What a page may load: its own style and nothing else; no script, no other host."""


def _page(template: str, **values: object) -> Response:
    page = make_response(
        render_template(
            template,
            public_url=current_app.config["PUBLIC_URL"],
            knowledge=current_app.extensions["knowledge"].version,
            **values,
        )
    )
    page.headers["Content-Security-Policy"] = POLICY
    return page


@blueprint.get("/")
def landing() -> Response:
    """Where everything is, with a call to copy."""
    services = current_app.extensions["cds"].services.values()
    return _page("landing.html", services=services, patients=demo_patients().values())


@blueprint.get("/about")
def about() -> Response:
    """Intended use, limits, and the kinds of problems."""
    approved, entries = counted(current_app.extensions["knowledge"])
    return _page("about.html", problems=KINDS, approved=approved, entries=entries)
