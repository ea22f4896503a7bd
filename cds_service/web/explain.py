"""The pages that explain what stands behind a card: public, the same for everybody, no patient in them."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request

from cds_service.cards.wording import LANGUAGES
from cds_service.errors import NotFound
from cds_service.explain.explainer import Explainer
from cds_service.explain.page import Page
from cds_service.hooks.answer import CdsServices
from cds_service.web.pages import POLICY
from cds_service.web.problems import prefers_html

blueprint = Blueprint("explain", __name__, url_prefix="/explain", template_folder="templates")


def _explainer() -> Explainer:
    return cast(Explainer, current_app.extensions["explainer"])


@blueprint.get("")
def index() -> Response:
    """The page that leads to all others."""
    return _shown(_explainer().index(_language()))


@blueprint.get("/<kind>")
def kind(kind: str) -> Response:
    """What a kind of card is."""
    page = _explainer().kind(kind, _language())
    return _shown(page) if page else _missing("", kind)


@blueprint.get("/<kind>/<key>")
def entry(kind: str, key: str) -> Response:
    """One rule, regimen, trial, clash, hard stop, reason, datum or state."""
    explainer = _explainer()
    page = explainer.entry(kind, key, _language())
    if page:
        return _shown(page)
    meant = explainer.addresses.meant(kind, key) if explainer.kind(kind, "en") else ""
    if not meant:
        return _missing(kind, key)
    place = explainer.addresses.of(meant, kind)
    return cast(Response, redirect(f"{_root()}{place}{_query()}", 302, Response))


def _language() -> str:
    """As asked for by ?lang=, else as the browser prefers, else as the service is set."""
    asked = request.args.get("lang", "")
    if asked in LANGUAGES:
        return asked
    here = cast(CdsServices, current_app.extensions["cds"]).circumstances.language
    for tag, quality in request.accept_languages:  # best first; en-GB is English
        primary = tag.partition("-")[0].lower()
        if quality > 0 and primary in LANGUAGES:
            return primary
    return here


def _query() -> str:
    """What keeps a language that was asked for, from link to link."""
    asked = request.args.get("lang", "")
    return f"?lang={asked}" if asked in LANGUAGES else ""


def _root() -> str:
    """The path below which callers reach the service."""
    return urlsplit(str(current_app.config["PUBLIC_URL"])).path.rstrip("/")


def _shown(page: Page) -> Response:
    answer = _drawn("explain.html", page.language, page=page)
    # Kept, but asked for each time: whoever reads it must not read the knowledge of yesterday.
    answer.headers["Cache-Control"] = "public, no-cache"
    answer.add_etag()
    answer.make_conditional(request)
    return answer


def _drawn(template: str, language: str, **values: object) -> Response:
    explainer = _explainer()
    answer = make_response(
        render_template(
            template,
            tell=explainer.telling(language),
            language=language,
            others=[other for other in LANGUAGES if other != language],
            root=_root(),
            query=_query(),
            public_url=current_app.config["PUBLIC_URL"],
            knowledge=explainer.known.version,
            **values,
        )
    )
    answer.headers["Content-Security-Policy"] = POLICY
    answer.headers["Content-Language"] = language
    answer.vary.add("Accept-Language")
    return answer


def _missing(kind: str, key: str) -> Response:
    """A 404 with the nearest there are; what was asked for is not repeated."""
    explainer, language = _explainer(), _language()
    nearest = explainer.addresses.nearest(kind, key)
    if not prefers_html():
        told = f" The nearest: {', '.join(nearest)}." if nearest else ""
        raise NotFound(f"Nothing is explained under this address; /explain lists what is.{told}")
    answer = _drawn("explain-missing.html", language, nearest=nearest)
    answer.status_code = 404
    answer.vary.add("Accept")
    return answer
