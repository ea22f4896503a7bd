"""``myeloma-cds knowledge check | show | diff | export | situations | walk``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NoReturn

import click

from cds_service.cards.wording import Wording
from cds_service.commands import check_report, days, diff_report, show
from cds_service.commands.answers import show_situations, walk_states
from cds_service.commands.ending import FINDINGS, MISUSE, plainly, stop
from cds_service.commands.layout import terminal_width
from cds_service.commands.states import in_use, speaker, state_of
from cds_service.knowledge import check
from cds_service.knowledge.changes import changes, counted
from cds_service.knowledge.load import KnowledgeError, build, load, read_files, root
from cds_service.knowledge.lookup import entries, nearest
from cds_service.knowledge.overlaid import deeds, idle_files, losses
from cds_service.knowledge.plain import plain
from cds_service.knowledge.reviews import counted as counted_reviews
from cds_service.knowledge.saying import Saying
from cds_service.knowledge.types import Evidence, Knowledge
from cds_service.publish.library import write_export
from cds_service.sequencing import soundness
from cds_service.settings import load_settings

_CENTURY = 36_525  # days


@click.group()
def knowledge() -> None:
    """The knowledge: codes, regimens, evidence, rules, cards."""


knowledge.add_command(show_situations)
knowledge.add_command(walk_states)


# ---- check -----------------------------------------------------------------------------------------------
@knowledge.command("check")
@click.option(
    "--max-age",
    type=click.IntRange(min=0, max=_CENTURY),
    default=check.MAX_AGE.days,
    show_default=True,
    metavar="DAYS",
    help="How long ago an entry may have been compared with its source.",
)
@days.as_of_option("Day of the check")
@click.option(
    "--coverage", is_flag=True, help="Also where each row of the evidence tables lives, or why not."
)
@click.option("--recheck", is_flag=True, help="Also each entry that was recalled, not seen in its source.")
@click.option("--json", "as_json", is_flag=True, help="As JSON; holds coverage and recheck.")
@plainly
def check_knowledge(max_age: int, as_of: date | None, coverage: bool, recheck: bool, as_json: bool) -> None:
    """Check every file; each finding is a sentence with its file. Status 1 where there are any.

    No schema broken, no key that leads nowhere, no entry without a source or unchecked for too long, no rule
    that can never fire, no labelled regimen out of reach of every rule, no state left without an answer (on a
    sample of them: "walk" tries all). A table says which rows of the sources are here, and as what.
    """
    overlay = load_settings().knowledge_dir
    try:
        files = read_files(overlay)
        known = build(files)
        Wording(known.cards)
    except KnowledgeError as problem:
        _end_check([check.finding_of(sentence) for sentence in problem.findings], overlay, {}, as_json)
    day = as_of or days.today()
    found = [*check.findings(files, known, day, timedelta(days=max_age)), *soundness.findings(known, day)]
    covered, doubtful = check.coverage(files, known), check.to_recheck(files)
    reviewed, reviewable = counted_reviews(known)
    notes = [f"{gap}: has no Italian text; the English one is shown" for gap in known.untranslated]
    if overlay is not None:
        notes += [*deeds(overlay, files), *idle_files(overlay), *losses(overlay, files, known)]
    notes.append(f"{reviewed} of {reviewable} entries are clinically reviewed")
    notes.append(
        f"{len(doubtful)} entries rest on what was recalled, not seen (R, V/R): recheck them (--recheck)"
    )
    if not as_json:
        _tell(known, covered, doubtful if recheck else [], notes, rows=coverage)
    told = {
        "notes": notes,
        "reviewed": {"entries": reviewable, "reviewed": reviewed},
        "coverage": [row.as_json() for row in covered],
        "recheck": [one.as_json() for one in doubtful],
    }
    _end_check(found, overlay, told, as_json, good=_summary(known))


def _tell(
    known: Knowledge,
    covered: list[check.Covered],
    doubtful: list[check.Doubtful],
    notes: list[str],
    *,
    rows: bool,
) -> None:
    width = terminal_width()
    if rows:
        click.echo(check_report.coverage_rows(covered, width) + "\n")
    if doubtful:
        click.echo(check_report.doubtful_rows(doubtful, width) + "\n")
    click.echo(check_report.coverage_table(covered, width) + "\n")
    for note in notes:
        click.echo(f"note: {note}")


def _end_check(
    found: list[check.Finding],
    overlay: Path | None,
    told: Mapping[str, Any],
    as_json: bool,
    good: str = "",
) -> NoReturn:
    """Print the findings and end with their status; ``good`` is the last line where there are none."""
    if as_json:
        body = {"findings": [finding.as_json() for finding in found], "notes": [], **told}
        click.echo(json.dumps(body, indent=2, ensure_ascii=False))
    elif found:
        click.echo("\n".join(finding.sentence for finding in found))
        place = root() if overlay is None else f"{overlay}, laid over {root()}"
        click.echo(f"{len(found)} {'finding' if len(found) == 1 else 'findings'} in {place}.", err=True)
    else:
        click.echo(good)
    sys.exit(FINDINGS if found else 0)


def _summary(known: Knowledge) -> str:
    rules = {rule.id for pathway in known.pathways.values() for rule in pathway.rules}
    return (
        f"No findings. Knowledge {known.version.version}: {len(known.drugs)} drugs, {len(known.regimens)} "
        f"regimens, {len(known.evidence)} trial populations, {len(rules)} rules."
    )


# ---- show ------------------------------------------------------------------------------------------------
@knowledge.command("show")
@click.argument("key")
@click.option("--language", type=click.Choice(["en", "it"]), help="Language of the texts.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@plainly
def show_knowledge(key: str, language: str | None, as_json: bool) -> None:
    """What the knowledge says under KEY, and who says so.

    KEY is a regimen (d-pd), a rule or statement (BAR-15), a clash of sources (X-01, CF-07), a hard stop or
    gate (STOP-BCMA), a trial population (APOLLO-ITT), a drug, a class (anti-CD38) or a pathway (default).
    """
    settings = load_settings()
    files = read_files(settings.knowledge_dir)
    known = build(files)
    found = entries(known, key)
    if not found:
        near = ", ".join(nearest(known, key))
        hint = f"; nearest: {near}" if near else ""
        raise click.BadParameter(f"nothing has the key {key!r}{hint}", param_hint="KEY")
    if as_json:
        single = {entry.kind for entry in found if sum(other.kind == entry.kind for other in found) == 1}
        body = {e.kind if e.kind in single else f"{e.kind} {e.key}": _plain(e.value) for e in found}
        click.echo(json.dumps(body, indent=2, ensure_ascii=False))
    else:
        click.echo(show.page(found, known, files, language or settings.language, terminal_width()))


def _plain(value: Any) -> Any:
    """A trial row with all its figures, as its file has it; everything else as the knowledge holds it."""
    return value.data if isinstance(value, Evidence) else plain(value)


# ---- diff ------------------------------------------------------------------------------------------------
@knowledge.command("diff")
@click.argument("old")
@click.argument("new", required=False)
@click.option("--language", type=click.Choice(["en", "it"]), help="Language of the texts.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@plainly
def diff_knowledge(old: str, new: str | None, language: str | None, as_json: bool) -> None:
    """What changed from OLD to NEW, for a clinician: rules, labels, doses first; then codes, then texts.

    Each is a folder that holds mappings/, pathways/ and cards/, an overlay folder, or a revision of the
    checkout (HEAD~3, a tag). Without NEW: the knowledge in use. Status 0, also where something changed.
    """
    settings = load_settings()
    try:
        before = state_of(old)
        after = state_of(new) if new else in_use(settings.knowledge_dir)
    except KnowledgeError as problem:
        stop(problem.findings, MISUSE)
    say = Saying(speaker(after.files, before.files, load()), language or settings.language)
    told = changes(before.files, after.files, say)
    if as_json:
        body = {
            "from": before.described,
            "to": after.described,
            "counts": counted(told),
            "changes": [change.as_json() for change in told],
        }
        click.echo(json.dumps(body, indent=2, ensure_ascii=False))
        return
    click.echo(f"{say.word('from', 'change')} {before.described}")
    click.echo(f"{say.word('to', 'change')} {after.described}\n")
    if told:
        click.echo(diff_report.page(told, say, terminal_width()))
    else:
        same = before.files.sha256 == after.files.sha256
        click.echo(say.word("none" if same else "form", "change"))


# ---- export ----------------------------------------------------------------------------------------------
@knowledge.command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The files written, as JSON.")
@plainly
def export_knowledge(folder: Path, as_json: bool) -> None:
    """Write the knowledge as FHIR R4 resources into FOLDER: a file for each, and an NDJSON for each type.

    The same resources as under /fhir/R4. Files of the same names are written over, others are left alone.
    """
    settings = load_settings()
    written = write_export(load(settings.knowledge_dir), folder)
    if as_json:
        click.echo(json.dumps([path.as_posix() for path in written], indent=2))
    else:
        click.echo(f"{len(written)} files in {folder}.")
