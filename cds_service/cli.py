"""The command line: ``myeloma-cds serve | assess | settings | knowledge | feedback``.

Exit status: 0 done, 1 findings or a file that could not be assessed, 2 misuse (a bad setting, too).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import click
import orjson

from cds_service import report
from cds_service.asked import day_in, json_in, require_patient
from cds_service.asked_assertions import asked_in, placed, read_assertions
from cds_service.assess import Assessor, Question, bundle_question
from cds_service.commands import days
from cds_service.commands.ending import FINDINGS, plainly
from cds_service.commands.feedback import feedback
from cds_service.commands.knowledge import knowledge
from cds_service.demo import bundle_of, region_of
from cds_service.errors import BadRequest
from cds_service.fhir.read import ManyPatients, resources_of
from cds_service.knowledge.load import load
from cds_service.knowledge.types import REGIONS
from cds_service.settings import Settings, load_settings, unknown_variables


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="myeloma-cds", prog_name="myeloma-cds")
def main() -> None:
    """Decision support for relapsed/refractory multiple myeloma over CDS Hooks."""


@main.command()
@plainly
def serve() -> None:
    """Serve CDS Hooks and the bundle API under the production server."""
    load_settings()
    from cds_service.web.server import serve as run  # the web is not needed by the other commands

    run()


# ---- assess ----------------------------------------------------------------------------------------------
@main.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--region", type=click.Choice(REGIONS), help="Whose labels count.")
@click.option("--pathway", help="Pathway id.")
@days.as_of_option("Evaluation date")
@click.option("--patient", help="Id of the patient, where a Bundle holds several.")
@click.option("--draft-orders/--no-draft-orders", default=None, help="Take draft orders as being signed now.")
@click.option(
    "--assert",
    "asserted",
    multiple=True,
    metavar="WHAT=VALUE[@DAY]",
    help="What a clinician asserts: refractory:DRUG=false, prior-lines=2 ...; may stand several times.",
)
@click.option("--language", type=click.Choice(["en", "it"]), help="Language of the texts.")
@click.option("--trace", is_flag=True, help="Every gate and rule asked of every regimen (with --json).")
@click.option("--json", "as_json", is_flag=True, help="The assessment as JSON, one line per file.")
@plainly
def assess(files: tuple[str, ...], as_json: bool, trace: bool, **options: Any) -> None:
    """Assess FHIR Bundles; FILE may be - for standard input.

    A file of this project's demo patients brings its own region, day and patient; options go first.
    """
    settings = load_settings()
    known = load(settings.knowledge_dir)
    pathway = options["pathway"] or settings.pathway
    if pathway not in known.pathways:
        there = ", ".join(sorted(known.pathways))
        raise click.BadParameter(
            f"there is no pathway {pathway!r}; there are {there}", param_hint="--pathway"
        )
    assessor = Assessor(
        known,
        base_url=settings.public_url,
        formulary=settings.unavailable,
        car_t=settings.car_t or "",
    )
    try:  # what is misspelt is so for every file
        read_assertions(placed(options["asserted"]), assessor.terminology, known, date.max)
    except BadRequest as problem:
        told = "; ".join(fault.detail for fault in problem.faults)
        raise click.BadParameter(told, param_hint="--assert") from None
    failed = False
    for name in files:
        try:
            resources, question = _asked(_read(name), settings, options)
            assessment = assessor.assess(resources, question).to_json(trace=trace)
        except ManyPatients as many:
            ids = ", ".join(many.ids)
            click.echo(f"{name}: holds {len(many.ids)} patients; name one with --patient: {ids}", err=True)
            failed = True
            continue
        except (_CannotAssess, BadRequest) as problem:
            click.echo(f"{name}: {problem}", err=True)
            failed = True
            continue
        except Exception as problem:
            # One file that is stranger than foreseen must not cost the others their answer.
            click.echo(f"{name}: could not be assessed ({type(problem).__name__})", err=True)
            failed = True
            continue
        if as_json:
            click.echo(orjson.dumps(assessment))
        else:
            if len(files) > 1:
                click.echo(f"=== {name}")
            click.echo(report.text(assessment, known))
    sys.exit(FINDINGS if failed else 0)


class _CannotAssess(Exception):
    """A file that could not be assessed; the text says why."""


def _read(name: str) -> Any:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as problem:
        raise _CannotAssess(problem.strerror or "cannot be read") from None
    try:
        return json_in(data)
    except BadRequest as problem:
        raise _CannotAssess(problem.detail.replace("The body is", "is").rstrip(".")) from None


def _own_words(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """A demo patient's file, checked as far as it is read; ``as_of`` as a date."""
    bundle, drafts = content["bundle"], content.get("draft_orders") or []
    if not isinstance(bundle, dict) or not isinstance(bundle.get("entry", []), list):
        raise _CannotAssess("bundle is no FHIR Bundle")
    if not isinstance(drafts, list):
        raise _CannotAssess("draft_orders must be a list")
    if not isinstance(content.get("patient_id") or "", str):
        raise _CannotAssess("patient_id must be text")
    if content.get("as_of") is None:
        return dict(content)
    try:
        return dict(content) | {"as_of": day_in(content["as_of"], days.today())}
    except BadRequest as problem:
        raise _CannotAssess(f"as_of {problem.detail}") from None


def _asked(content: Any, settings: Settings, options: Mapping[str, Any]) -> tuple[list[Any], Question]:
    own: Mapping[str, Any] = {}
    if isinstance(content, dict) and "bundle" in content and "resourceType" not in content:
        own = _own_words(content)
    try:
        bundle, beside = asked_in(content)
        resources = resources_of(bundle_of(own) if own else bundle)
    except BadRequest as problem:
        raise _CannotAssess(f"is no FHIR Bundle: {problem.detail}") from None
    patient = options["patient"] or own.get("patient_id")
    try:
        require_patient(resources, patient)
    except BadRequest as problem:
        raise _CannotAssess(problem.detail) from None
    question = Question(
        as_of=options["as_of"] or own.get("as_of") or days.today(),
        region=options["region"] or region_of(own, settings.region),
        pathway=options["pathway"] or settings.pathway,
        language=options["language"] or settings.language,
        patient_id=patient,
        validation=settings.validation or "relevant",
        asserted=(*beside, *placed(options["asserted"])),
        manner=settings.manner,
    )
    drafted = options["draft_orders"]
    if drafted is None:
        drafted = bool(own.get("draft_orders"))
    return resources, bundle_question(resources, question, drafted)


# ---- settings --------------------------------------------------------------------------------------------
@main.command("settings")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@plainly
def show_settings(as_json: bool) -> None:
    """Every setting with its value, and what is not yet built of it."""
    rows = load_settings().shown()
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(len(row["variable"]) for row in rows)
    for row in rows:
        click.echo(f"{row['variable']:<{width}}  {row['value'] or '(none)'}")
        click.echo(f"{'':<{width}}    {row['meaning']}")
        if row["not_yet"]:
            click.echo(f"{'':<{width}}    not yet: {row['not_yet']}")
    for sentence in unknown_variables():
        click.echo(sentence, err=True)


main.add_command(knowledge)
main.add_command(feedback)
