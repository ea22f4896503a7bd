"""All published resources of one edition, by type and id; searched, and written to a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from cds_service.cards.orders import Orders
from cds_service.knowledge.load import KnowledgeError
from cds_service.knowledge.types import Knowledge
from cds_service.publish.activities import activities
from cds_service.publish.capability import capability_statement, definitions
from cds_service.publish.edition import Edition, Resource, with_narrative
from cds_service.publish.plans import plans
from cds_service.publish.terminology import terminology

TYPES = (
    "PlanDefinition",
    "ActivityDefinition",
    "CodeSystem",
    "ConceptMap",
    "ValueSet",
    "OperationDefinition",
    "StructureDefinition",
)
"""What is published, in the order in which it is told."""


class Library:
    """The resources of the knowledge, made once at start; immutable, may be shared by threads.

    Raises KnowledgeError where two entries would be published under one id.
    """

    def __init__(self, knowledge: Knowledge, orders: Orders | None = None) -> None:
        self.edition = Edition(knowledge, orders)
        self._resources: dict[str, dict[str, Resource]] = {kind: {} for kind in TYPES}
        named: Counter[tuple[str, str]] = Counter()
        for resource in _made(self.edition):
            kind, identifier = resource["resourceType"], resource["id"]
            named[kind, identifier] += 1
            self._resources[kind][identifier] = with_narrative(resource)
        twice = [f"{kind}/{identifier}" for (kind, identifier), times in named.items() if times > 1]
        if twice:
            raise KnowledgeError(
                f"published as FHIR, two entries would both be {name}: give one another key" for name in twice
            )

    @property
    def knowledge(self) -> Knowledge:
        """What it was made of."""
        return self.edition.knowledge

    def all_of(self, kind: str) -> Mapping[str, Resource]:
        """The resources of one type, by id; raises KeyError for a type that is not published."""
        return self._resources[kind]

    def __iter__(self) -> Iterator[Resource]:
        return (resource for by_id in self._resources.values() for resource in by_id.values())

    def capability_statement(self, base_url: str = "") -> Resource:
        """What the server can do; of the software in general where no address is given."""
        return with_narrative(capability_statement(self.edition, TYPES, base_url))


def _made(edition: Edition) -> Iterator[Resource]:
    yield from plans(edition)
    yield from activities(edition)
    yield from terminology(edition)
    yield from definitions(edition)


def write_export(knowledge: Knowledge, folder: Path) -> list[Path]:
    """Writes every resource as ``Type-id.json``, and each type once more as ``Type.ndjson``.

    Makes the folder where it is missing; overwrites files of these names and touches no other. Raises
    OSError where it cannot write.
    """
    library = Library(knowledge)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    capabilities = library.capability_statement()
    by_type: dict[str, Iterable[Resource]] = {kind: library.all_of(kind).values() for kind in TYPES}
    by_type["CapabilityStatement"] = [capabilities]
    for kind, resources in by_type.items():
        lines = []
        for resource in resources:
            path = folder / f"{kind}-{resource['id']}.json"
            path.write_bytes(_pretty(resource))
            written.append(path)
            lines.append(orjson.dumps(resource) + b"\n")
        path = folder / f"{kind}.ndjson"
        path.write_bytes(b"".join(lines))
        written.append(path)
    return written


def _pretty(resource: Mapping[str, Any]) -> bytes:
    return orjson.dumps(resource, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
