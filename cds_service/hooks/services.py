"""The services as discovery announces them, and their prefetch templates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cds_service.knowledge.entries import text_of
from cds_service.knowledge.types import Text

_TOKEN = re.compile(r"\{\{([^{}]+)\}\}")
_INCLUDE = re.compile(r"&_include=[^&]*")


@dataclass(frozen=True)
class Service:
    """One CDS service. ``prefetch`` maps each key to its template, in the order of the file."""

    id: str
    hook: str
    title: Text
    description: Text
    usage_requirements: Text
    prefetch: Mapping[str, str]

    def as_json(self, language: str) -> dict[str, Any]:
        """The service's entry in discovery."""
        return {
            "hook": self.hook,
            "title": self.title.in_language(language),
            "description": self.description.in_language(language),
            "id": self.id,
            "prefetch": dict(self.prefetch),
            "usageRequirements": self.usage_requirements.in_language(language),
        }


def services_of(file: Mapping[str, Any], *, with_include: bool) -> dict[str, Service]:
    """The services of cards/services.yaml by id; ``with_include`` False drops ``_include`` from templates."""
    templates = {
        key: template if with_include else _INCLUDE.sub("", template)
        for key, template in file["prefetch"].items()
    }
    return {
        entry["id"]: Service(
            id=entry["id"],
            hook=entry["hook"],
            title=text_of(entry["title"]),
            description=text_of(entry["description"]),
            usage_requirements=text_of(entry["usage_requirements"]),
            prefetch=templates,
        )
        for entry in file["services"]
    }


def resolve(template: str, values: Mapping[str, str]) -> str | None:
    """The template with its tokens replaced, percent-encoded; None where a token has no value."""
    tokens = _TOKEN.findall(template)
    if any(token.strip() not in values for token in tokens):
        return None
    return _TOKEN.sub(lambda match: quote(values[match[1].strip()], safe=""), template)
