"""``myeloma-cds knowledge check | show``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from cds_service.commands.ending import FINDINGS, MISUSE, plainly, stop
from cds_service.errors import SettingError
from cds_service.knowledge.load import FOLDERS, KnowledgeError, load, root
from cds_service.knowledge.plain import plain
from cds_service.knowledge.types import Knowledge
from cds_service.settings import load_settings


@click.group()
def knowledge() -> None:
    """The knowledge: codes, regimens, evidence, rules, cards."""


@knowledge.command("check")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def check_knowledge(as_json: bool) -> None:
    """Check every file; each finding is a sentence with its file. Status 1 where there are any."""
    try:
        overlay = load_settings().knowledge_dir
    except SettingError as problem:
        stop(problem.sentences, MISUSE)
    try:
        known = load(overlay)
    except KnowledgeError as problem:
        place = root() if overlay is None else f"{overlay}, laid over {root()}"
        if as_json:
            click.echo(json.dumps({"findings": problem.findings, "notes": []}, indent=2))
        else:
            click.echo("\n".join(problem.findings))
            number = len(problem.findings)
            click.echo(f"{number} {'finding' if number == 1 else 'findings'} in {place}.", err=True)
        sys.exit(FINDINGS)
    notes = [f"{gap}: has no Italian text; the English one is shown" for gap in known.untranslated]
    notes += [] if overlay is None else _overlaid(overlay)
    if as_json:
        click.echo(json.dumps({"findings": [], "notes": notes}, indent=2))
        return
    for note in notes:
        click.echo(f"note: {note}")
    click.echo(
        f"No findings. Knowledge {known.version.version}: {len(known.drugs)} drugs, {len(known.regimens)} "
        f"regimens, {len(known.evidence)} trial populations, {len(_rules(known))} rules."
    )


def _overlaid(overlay: Path) -> list[str]:
    """What each file of the overlay does: a misspelt name or folder must not pass for a change."""
    notes = []
    for path in sorted(one for one in overlay.rglob("*") if one.is_file()):
        relative = path.relative_to(overlay)
        if any(part.startswith(".") for part in relative.parts):
            continue
        if relative.parts[0] not in FOLDERS or path.suffix != ".yaml":
            said = f"has no effect; only .yaml files in {', '.join(FOLDERS)} are read"
        elif (root() / relative).is_file():
            said = "replaces the file of this name"
        else:
            said = "is new and replaces nothing"
        notes.append(f"{overlay.name}/{relative.as_posix()}: {said}")
    return notes


@knowledge.command("show")
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@plainly
def show_knowledge(key: str, as_json: bool) -> None:
    """What the knowledge says under KEY: a drug, class, regimen, trial, rule or pathway."""
    found = dict(_entries(load(load_settings().knowledge_dir), key))
    if not found:
        raise click.BadParameter(f"nothing has the key {key!r}", param_hint="KEY")
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        click.echo(yaml.safe_dump(found, allow_unicode=True, sort_keys=False, width=110).rstrip())


def _rules(known: Knowledge) -> dict[str, Any]:
    return {rule.id: rule for pathway in known.pathways.values() for rule in pathway.rules}


def _entries(known: Knowledge, key: str) -> Iterator[tuple[str, Any]]:
    if key in known.drug_files:
        yield "drug", known.drug_files[key]
    if key in known.components:
        yield "component", plain(known.components[key])
    evidence = {name: trial.data for name, trial in known.evidence.items()}
    places: Mapping[str, Mapping[str, Any]] = {
        "class": known.classes,
        "regimen": known.regimens,
        "evidence": evidence,
        "rule": _rules(known),
        "pathway": known.pathways,
    }
    for kind, entries in places.items():
        if key in entries:
            yield kind, plain(entries[key])
