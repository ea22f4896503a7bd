"""The command line: ``myeloma-cds serve | assess | settings | knowledge``.

Exit status: 0 done, 1 findings or a file that could not be assessed, 2 misuse (a bad setting, too).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click
import orjson
import yaml

from cds_service import report
from cds_service.asked import bundle_in, day_in, json_in, require_patient
from cds_service.assess import Assessor, Question, bundle_question
from cds_service.demo import bundle_of, region_of
from cds_service.errors import BadRequest, SettingError
from cds_service.fhir.read import ManyPatients, resources_of
from cds_service.knowledge.load import FOLDERS, KnowledgeError, load, root
from cds_service.knowledge.plain import plain
from cds_service.knowledge.types import Knowledge
from cds_service.settings import Settings, load_settings, unknown_variables

FINDINGS, MISUSE = 1, 2

_Command = Callable[..., None]


def _stop(sentences: tuple[str, ...], status: int) -> NoReturn:
    for sentence in sentences:
        click.echo(sentence, err=True)
    sys.exit(status)


def _plainly(command: _Command) -> _Command:
    """What an operator can mend is told in sentences, not in a stack trace."""

    @wraps(command)
    def told(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except SettingError as problem:
            _stop(problem.sentences, MISUSE)
        except KnowledgeError as problem:
            _stop(problem.findings, FINDINGS)

    return told


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="myeloma-cds", prog_name="myeloma-cds")
def main() -> None:
    """Decision support for relapsed/refractory multiple myeloma over CDS Hooks."""


@main.command()
@_plainly
def serve() -> None:
    """Serve CDS Hooks and the bundle API under the production server."""
    load_settings()
    from cds_service.web.server import serve as run  # the web is not needed by the other commands

    run()


# ---- assess ----------------------------------------------------------------------------------------------
def _today() -> date:
    return datetime.now(UTC).date()


def _as_of(_: click.Context, __: click.Parameter, value: str | None) -> date | None:
    try:
        return None if value is None else day_in(value, _today())
    except BadRequest as problem:
        raise click.BadParameter(problem.detail) from None


@main.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--region", type=click.Choice(["EMA", "FDA"]), help="Whose labels count.")
@click.option("--pathway", help="Pathway id.")
@click.option("--as-of", callback=_as_of, metavar="YYYY-MM-DD", help="Evaluation date; default today in UTC.")
@click.option("--patient", help="Id of the patient, where a Bundle holds several.")
@click.option("--draft-orders/--no-draft-orders", default=None, help="Take draft orders as being signed now.")
@click.option("--language", type=click.Choice(["en", "it"]), help="Language of the texts.")
@click.option("--trace", is_flag=True, help="Every gate and rule asked of every regimen (with --json).")
@click.option("--json", "as_json", is_flag=True, help="The assessment as JSON, one line per file.")
@_plainly
def assess(files: tuple[str, ...], as_json: bool, trace: bool, **options: Any) -> None:
    """Assess FHIR Bundles; FILE may be - for standard input.

    A file of this project's demo patients brings its own region, day and patient; options go first.
    """
    settings = load_settings()
    knowledge = load(settings.knowledge_dir)
    pathway = options["pathway"] or settings.pathway
    if pathway not in knowledge.pathways:
        known = ", ".join(sorted(knowledge.pathways))
        raise click.BadParameter(
            f"there is no pathway {pathway!r}; there are {known}", param_hint="--pathway"
        )
    assessor = Assessor(
        knowledge,
        base_url=settings.public_url,
        formulary=settings.unavailable,
        car_t=settings.car_t or "",
    )
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
        except _CannotAssess as problem:
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
            click.echo(report.text(assessment, knowledge))
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
        return dict(content) | {"as_of": day_in(content["as_of"], _today())}
    except BadRequest as problem:
        raise _CannotAssess(f"as_of {problem.detail}") from None


def _asked(content: Any, settings: Settings, options: Mapping[str, Any]) -> tuple[list[Any], Question]:
    own: Mapping[str, Any] = {}
    if isinstance(content, dict) and "bundle" in content and "resourceType" not in content:
        own = _own_words(content)
        content = bundle_of(own)
    try:
        resources = resources_of(bundle_in(content))
    except BadRequest as problem:
        raise _CannotAssess(f"is no FHIR Bundle: {problem.detail}") from None
    patient = options["patient"] or own.get("patient_id")
    try:
        require_patient(resources, patient)
    except BadRequest as problem:
        raise _CannotAssess(problem.detail) from None
    question = Question(
        as_of=options["as_of"] or own.get("as_of") or _today(),
        region=options["region"] or region_of(own, settings.region),
        pathway=options["pathway"] or settings.pathway,
        language=options["language"] or settings.language,
        patient_id=patient,
        validation=settings.validation or "relevant",
    )
    drafted = options["draft_orders"]
    if drafted is None:
        drafted = bool(own.get("draft_orders"))
    return resources, bundle_question(resources, question, drafted)


# ---- settings --------------------------------------------------------------------------------------------
@main.command("settings")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@_plainly
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


# ---- knowledge -------------------------------------------------------------------------------------------
@main.group()
def knowledge() -> None:
    """The knowledge: codes, regimens, evidence, rules, cards."""


@knowledge.command("check")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def check_knowledge(as_json: bool) -> None:
    """Check every file; each finding is a sentence with its file. Status 1 where there are any."""
    try:
        overlay = load_settings().knowledge_dir
    except SettingError as problem:
        _stop(problem.sentences, MISUSE)
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
@_plainly
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
