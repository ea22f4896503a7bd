"""Where something is said, as FHIR's relatedArtifact: citation, DOI or PubMed address, and the mark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cds_service.knowledge.types import Evidence, Label, Rule, Source, Text
from cds_service.publish.edition import Edition, canonical, put

Artifact = dict[str, Any]


def cited(edition: Edition, source: Source) -> str:
    """The source in words: document, DOI, place, and the mark of what has to be looked up again."""
    parts = [source.document, f"doi {source.doi}" if source.doi else "", source.at]
    if source.mark:
        recheck = f": {edition.said('review/recheck').en}" if source.to_recheck else ""
        parts.append(f"[{source.mark}{recheck}]")
    return "; ".join(part.strip() for part in parts if part.strip())


def citation(
    edition: Edition, source: Source, *, label: str = "", display: Text | str = ""
) -> Iterator[Artifact]:
    """The source as one citation; nothing where it says nothing."""
    said = cited(edition, source)
    if not said:
        return
    artifact: Artifact = {"type": "citation"}
    if label:
        artifact["label"] = label
    put(artifact, "display", display)
    artifact["citation"] = said
    if place := source.address:
        artifact["url"] = place
    yield artifact


def depends_on(kind: str, identifier: str, display: str = "") -> Artifact:
    """Another of our own resources that this one needs, or speaks of."""
    told = {"display": display} if display else {}
    return {"type": "depends-on", **told, "resource": canonical(kind, identifier)}


def label_entry(edition: Edition, label: Label) -> Artifact:
    """One dated entry of a region's label, with its source and mark."""
    status = (
        edition.said(f"status/{label.status}")
        if edition.wording.has(f"publish/status/{label.status}")
        else Text(label.status)
    )
    gate = label.text or Text("")
    artifact: Artifact = {"type": "documentation"}
    artifact["label"] = edition.said("label/label", region=label.region).en
    put(
        artifact,
        "display",
        edition.said(
            "label/entry",
            region=label.region,
            status=status,
            since=label.since,
            until=label.until,
            formulation=label.formulation,
            gate=gate,
        ),
    )
    if said := cited(edition, label.source):
        artifact["citation"] = said
    if place := label.source.address:
        artifact["url"] = place
    return artifact


def evidence_of(edition: Edition, evidence: Evidence, first: Text | None = None) -> Artifact:
    """One trial row: its headlines, each of its own population, its source, and where sources clash.

    ``first`` is the headline to show, that of the first population where none is given.
    """
    artifact: Artifact = {"type": "citation", "label": evidence.id}
    headlines = [result.headline for result in evidence.results]
    shown = first or (headlines[0] if headlines else None)
    if shown is not None:
        put(artifact, "display", shown)
    said = [*(one.en for one in headlines if one != shown), cited(edition, evidence.source)]
    for clash in evidence.conflicts:
        told = edition.said(
            "evidence/conflict", id=clash.id, text=clash.text, use=clash.use.rstrip("."), why=clash.why
        )
        said.append(told.en)
    if not evidence.reviewed:
        said.append(edition.said("review/entry").en)
    artifact["citation"] = ". ".join(part.rstrip(". ") for part in said if part) + "."
    if place := evidence.source.address:
        artifact["url"] = place
    return artifact


def rules_cited(edition: Edition, rules: Iterable[Rule]) -> Iterator[Artifact]:
    """The sources of rules, each rule by its id."""
    for rule in rules:
        yield from citation(edition, rule.source, label=rule.id, display=rule.because)
