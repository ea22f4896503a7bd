"""The declarative conditions of the knowledge in FHIR: as they stand, as JSON, and in words."""

from __future__ import annotations

from typing import Any

import orjson

from cds_service.knowledge.plain import plain
from cds_service.knowledge.types import Condition, Knowledge
from cds_service.knowledge.words import in_words

LANGUAGE = "application/vnd.myeloma-cds.condition+json"
"""No CQL and no FHIRPath, and not called so: JSON by schemas/condition.schema.json, three-valued."""


def applicability(condition: Condition, knowledge: Knowledge) -> list[dict[str, Any]]:
    """The condition under which an action applies, as one entry of ``action.condition``."""
    expression = {
        "description": in_words(condition, knowledge).en,
        "language": LANGUAGE,
        "expression": orjson.dumps(plain(condition)).decode(),
    }
    return [{"kind": "applicability", "expression": expression}]
