"""``feedback report``: what became of the cards, at the terminal, as JSON or as a page."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import click

from cds_service.commands import days
from cds_service.commands.ending import MISUSE, plainly, stop
from cds_service.commands.layout import terminal_width
from cds_service.errors import DatabaseGone
from cds_service.knowledge.load import load
from cds_service.settings import load_settings
from cds_service.store.by import BY, EVERY, By, Every


@click.group("feedback")
def feedback() -> None:
    """What clinicians did with the cards."""


@feedback.command("report")
@days.day_option("--from", "since", "First day on which the cards were made, in UTC.")
@days.day_option("--to", "until", "Last day, included.")
@click.option("--by", type=click.Choice(BY), default="regimen", show_default=True)
@click.option("--every", type=click.Choice(EVERY), help="Over time, too: by month or by week.")
@click.option("--json", "as_json_", is_flag=True, help="As JSON.")
@click.option(
    "--html", type=click.Path(dir_okay=False, allow_dash=True), help="As a page with charts, into this file."
)
@plainly
def report(
    since: date | None, until: date | None, by: By, every: Every | None, as_json_: bool, html: str | None
) -> None:
    """Acceptance and override of the cards recorded in CDS_DATABASE_URL.

    A card counts with its last outcome. By regimen it counts with each regimen that it offers, and as
    accepted for the one that was taken; by reason only overridden cards count.
    """
    if as_json_ and html:
        raise click.UsageError("--json and --html exclude each other.")
    if since and until and since > until:
        raise click.BadParameter("lies after the day of --to", param_hint="--from")
    # No other command needs a database, and loading what speaks to one takes its time.
    from cds_service.commands.feedback_text import text
    from cds_service.store.counts import as_json, count
    from cds_service.store.database import Database
    from cds_service.web.feedback_page import labels, page

    settings = load_settings()
    database = Database(settings.database_url)
    if database.file is not None and not database.file.exists():
        stop((f"{database.file}: there is no database yet: nothing has been recorded.",), MISUSE)
    try:
        database.prepare()
        counts = count(database, by, every, since, until)
    except DatabaseGone as gone:
        stop((f"CDS_DATABASE_URL: the database cannot be reached ({gone.kind}).",), MISUSE)
    finally:
        database.close()
    words = labels(load(settings.knowledge_dir), by)
    if html:
        written = page(counts, words)
        if html == "-":
            click.echo(written)
        else:
            Path(html).write_text(written, encoding="utf-8")
    elif as_json_:
        click.echo(json.dumps(as_json(counts, words), indent=2, ensure_ascii=False))
    else:
        click.echo(text(counts, words, terminal_width()))
