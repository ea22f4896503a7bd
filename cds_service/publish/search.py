"""FHIR's search over published resources: what can be asked for, and what is left out and told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cds_service.publish.edition import Resource

Asked = Sequence[tuple[str, str]]


def _starts(wanted: str, found: str) -> bool:
    return found.casefold().startswith(wanted.casefold())


def _contains(wanted: str, found: str) -> bool:
    return wanted.casefold() in found.casefold()


def _equals(wanted: str, found: str) -> bool:
    return wanted == found


@dataclass(frozen=True)
class Parameter:
    """One search parameter: FHIR's type of it, the element it looks at, and its modifiers."""

    name: str
    kind: str
    element: str
    documentation: str
    match: Callable[[str, str], bool] = _equals
    modifiers: Mapping[str, Callable[[str, str], bool]] = ()  # type: ignore[assignment]


_WORDS = {"exact": _equals, "contains": _contains}
PARAMETERS = (
    Parameter("_id", "token", "id", "The id of the resource"),
    Parameter("url", "uri", "url", "The canonical address"),
    Parameter("version", "token", "version", "The version of the knowledge"),
    Parameter("name", "string", "name", "The computable name", _starts, _WORDS),
    Parameter("title", "string", "title", "The title in English", _starts, _WORDS),
    Parameter("status", "token", "status", "draft, whatever is published here"),
)
RESULT = ("_count", "_summary", "_format", "_offset")
"""Parameters of the answer, not of the search; ``_offset`` is our own, for the links to further pages."""


class CannotSearch(ValueError):
    """A parameter that cannot be understood; the text says how it must be."""

    def __init__(self, parameter: str, text: str) -> None:
        super().__init__(text)
        self.parameter = parameter


@dataclass(frozen=True)
class Found:
    """What a search found: the resources of one page, how many there are, and what was passed over."""

    page: tuple[Resource, ...]
    total: int
    used: Asked
    ignored: tuple[str, ...]
    next_offset: int | None = None


def search(resources: Iterable[Resource], asked: Asked) -> Found:
    """The resources that match all parameters; commas within one mean "or".

    Parameters that are not known are ignored and named, as FHIR wants it. Raises CannotSearch where one that
    is known has a value or modifier that is not.
    """
    known = {parameter.name: parameter for parameter in PARAMETERS}
    hits = list(resources)
    used: list[tuple[str, str]] = []
    ignored: list[str] = []
    count: int | None = None
    offset = 0
    for name, value in asked:
        plain, _, modifier = name.partition(":")
        if plain in known:
            parameter = known[plain]
            match = _matching(parameter, modifier)
            values = [part for part in value.split(",") if part]
            if not values:
                continue  # an empty parameter says nothing, by FHIR's rule
            hits = [
                hit
                for hit in hits
                if any(match(part, str(hit.get(parameter.element, ""))) for part in values)
            ]
        elif name == "_count":
            count = _number(name, value)
        elif name == "_offset":
            offset = _number(name, value)
            continue
        elif name == "_summary":
            if value not in ("count", "false"):
                raise CannotSearch(name, "must be count or false")
            count = 0 if value == "count" else count
        elif name == "_format":
            continue
        else:
            ignored.append(name)
            continue
        used.append((name, value))
    end = len(hits) if count is None else offset + count
    page = tuple(hits[offset:end])
    more = end if count and end < len(hits) else None
    return Found(page, len(hits), tuple(used), tuple(ignored), more)


def _matching(parameter: Parameter, modifier: str) -> Callable[[str, str], bool]:
    if not modifier:
        return parameter.match
    allowed = dict(parameter.modifiers)
    if modifier not in allowed:
        raise CannotSearch(f"{parameter.name}:{modifier}", "has a modifier that is not known here")
    return allowed[modifier]


def _number(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 6:
        raise CannotSearch(name, "must be a whole number")
    return int(value)


def searchset(kind: str, found: Found, base_url: str) -> dict[str, Any]:
    """The Bundle of a search: total, links, and a word on parameters that were passed over."""

    def link(relation: str, asked: Asked) -> dict[str, str]:
        query = urlencode(list(asked))
        return {"relation": relation, "url": f"{base_url}/{kind}" + (f"?{query}" if query else "")}

    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "total": found.total}
    bundle["link"] = [link("self", found.used)]
    if found.next_offset is not None:
        bundle["link"].append(link("next", [*found.used, ("_offset", str(found.next_offset))]))
    entries: list[dict[str, Any]] = [
        {
            "fullUrl": f"{base_url}/{kind}/{resource['id']}",
            "resource": resource,
            "search": {"mode": "match"},
        }
        for resource in found.page
    ]
    if found.ignored:
        names = ", ".join(name[:40] for name in dict.fromkeys(found.ignored))
        issue = {
            "severity": "warning",
            "code": "not-supported",
            "diagnostics": f"Not known here, and ignored: {names}.",
        }
        outcome = {"resourceType": "OperationOutcome", "id": "ignored", "issue": [issue]}
        entries.append({"resource": outcome, "search": {"mode": "outcome"}})
    if entries:
        bundle["entry"] = entries
    return bundle
