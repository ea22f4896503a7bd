"""``knowledge situations | walk``: what the knowledge answers, to be read and held against invariants."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click

from cds_service.commands import days
from cds_service.commands.ending import FINDINGS, plainly
from cds_service.commands.layout import Page, terminal_width
from cds_service.knowledge.entries import source_of
from cds_service.knowledge.load import load
from cds_service.knowledge.saying import Saying
from cds_service.knowledge.types import DEFAULT, REGIONS, Knowledge
from cds_service.patient.types import PatientState, Status
from cds_service.sequencing.choose import Chooser
from cds_service.sequencing.sketch import sketch_of, sketched
from cds_service.sequencing.space import NOTHING, Walked, compared, points, size, walk
from cds_service.sequencing.types import Recommendation, Suggested
from cds_service.sequencing.worlds import undecided, with_weighed_unknowns
from cds_service.settings import load_settings

_PARTS = 64
"""Into how many interleaved parts a walk is divided, each told by the progress bar when it is done."""
_SHOWN = 6


def _pathway(known: Knowledge, name: str) -> str:
    if name not in known.pathways:
        there = ", ".join(sorted(known.pathways))
        raise click.BadParameter(f"there is no pathway {name!r}; there are {there}", param_hint="--pathway")
    return name


# ---- situations ------------------------------------------------------------------------------------------
@click.command("situations")
@click.argument("names", nargs=-1)
@click.option("--region", type=click.Choice(REGIONS), help="Only this region.")
@click.option("--pathway", default=DEFAULT, show_default=True, help="Pathway id.")
@days.as_of_option("Day of the labels")
@click.option("--language", type=click.Choice(["en", "it"]), help="Language of the texts.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@plainly
def show_situations(
    names: tuple[str, ...],
    region: str | None,
    pathway: str,
    as_of: date | None,
    language: str | None,
    as_json: bool,
) -> None:
    """What is answered to the situations that the sources name (pathways/situations.yaml).

    NAMES are ids of situations; all without any. States without a chart: to see whether the knowledge says
    what a clinician would expect, after a change of one's own too.
    """
    settings = load_settings()
    known = load(settings.knowledge_dir)
    _pathway(known, pathway)
    entries = known.situations["situations"]
    wrong = set(names) - {entry["id"] for entry in entries}
    if wrong:
        there = ", ".join(entry["id"] for entry in entries)
        raise click.BadParameter(
            f"there is no {', '.join(sorted(wrong))}; there are {there}", param_hint="NAMES"
        )
    told = []
    page = _Situations(known, language or settings.language, terminal_width())
    for entry in entries:
        for here in entry["regions"]:
            if (names and entry["id"] not in names) or (region and here != region):
                continue
            state, answer = _answered(entry, known, here, pathway, as_of or days.today(), page.language)
            told.append(_as_json(entry, here, answer))
            page.add(entry, here, state, answer)
    click.echo(json.dumps(told, indent=2, ensure_ascii=False) if as_json else str(page.page))


def _answered(
    entry: Mapping[str, Any], known: Knowledge, region: str, pathway: str, as_of: date, language: str
) -> tuple[PatientState, Recommendation]:
    state = sketched(sketch_of(entry["sketch"]), known, as_of)
    chooser = Chooser(state, known, region, pathway)
    judged = chooser.judge_all()
    state = with_weighed_unknowns(state, undecided(chooser, judged), known, language)
    return state, chooser.recommendation(judged)


def _as_json(entry: Mapping[str, Any], region: str, answer: Recommendation) -> dict[str, Any]:
    return {
        "situation": entry["id"],
        "region": region,
        "suggested": [
            {"regimen": one.regimen, "strength": one.strength, "rules": list(one.rules), "newer": one.newer}
            for one in answer.suggested
        ],
        "disagreements": [one.id for one in answer.disagreements],
        **({"nothing_because": answer.nothing_because[0]} if answer.nothing_because else {}),
    }


class _Situations:
    """The answers as a page for a clinician."""

    def __init__(self, known: Knowledge, language: str, width: int) -> None:
        self.language = language
        self.page = Page(width)
        self._known = known
        self._say = Saying(known, language)

    def add(self, entry: Mapping[str, Any], region: str, state: PatientState, answer: Recommendation) -> None:
        """One situation in one region."""
        title = entry["title"].get(self.language, entry["title"]["en"])
        self.page.title(f"{title} ({region})")
        self._field("state", self._state(state))
        self._field("source", _cited(entry["source"]))
        for one in answer.suggested[:_SHOWN]:
            self._suggestion(one)
        more = [self._say.regimen(one.regimen) for one in answer.suggested[_SHOWN:]]
        if more:
            self._field("also-fits", self._say.listed(more))
        if answer.nothing_because:
            self._field("nothing", self._say.text(answer.nothing_because[1]))
        elif not answer.suggested:
            self._field("nothing", "-")
        changing = [u.would_settle for u in state.unknown if u.changes_suggestions]
        self._field("would-change", "; ".join(changing))
        if answer.disagreements:
            first = answer.disagreements[0]
            others = ", ".join(one.id for one in answer.disagreements[1:])
            told = f"{first.id}: {self._say.text(first.text)}"
            self._field("disagree", f"{told} ({others})" if others else told)

    def _field(self, name: str, text: str) -> None:
        self.page.field(self._say.word(name, "situation"), text)

    def _state(self, state: PatientState) -> str:
        drugs = self._known.drugs
        parts = [self._say.word("lines", "situation", count=str(state.prior_lines))]
        for status in (Status.REFRACTORY, Status.EXPOSED, Status.UNKNOWN):
            named = [self._say.text(drugs[s.drug].name) for s in state.drugs.values() if s.status is status]
            if named:
                parts.append(self._say.word(status.value, "situation", drugs=self._say.listed(sorted(named))))
        return "; ".join(parts)

    def _suggestion(self, one: Suggested) -> None:
        shown = self._say.text(one.headlines[0]) if one.headlines else ""
        newer = f" ({self._say.word('newer', 'situation')})" if one.newer else ""
        because = self._say.text(one.because)
        told = f"{self._say.regimen(one.regimen)}{newer}: {because} [{', '.join(one.rules)}]"
        self.page.item(told, mark=f"{one.rank}.")
        concerns = [self._say.text(c.text) for c in one.cautions if c.concerns]
        for text in filter(None, [shown, self._say.text(one.label.text), *concerns]):
            self.page.item(text, indent=5)


def _cited(raw: Mapping[str, Any]) -> str:
    source = source_of(raw)
    return ", ".join(filter(None, [source.at, f"doi {source.doi}" if source.doi else source.document]))


# ---- walk ------------------------------------------------------------------------------------------------
@click.command("walk")
@click.option(
    "--every", type=click.IntRange(min=1), default=97, show_default=True, help="Every so many-th state."
)
@click.option("--all", "whole", is_flag=True, help="Every state; takes long.")
@click.option("--pathway", default=DEFAULT, show_default=True, help="Pathway id.")
@days.as_of_option("Day of the labels")
@click.option("--processes", type=click.IntRange(min=1), help="Default: as many as there are processors.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@plainly
def walk_states(
    every: int, whole: bool, pathway: str, as_of: date | None, processes: int | None, as_json: bool
) -> None:
    """Walk the states of pathways/state-space.yaml: the invariants, and who gets which suggestion first.

    Each answer is held against the safety invariants and compared with that to one refractoriness and to
    one contraindication more. Status 1 where one is broken, or a state has no answer and no known reason.
    """
    folder = load_settings().knowledge_dir
    known = load(folder)
    _pathway(known, pathway)
    every = 1 if whole else every
    day = as_of or days.today()
    parts = [(every * _PARTS, every * part) for part in range(_PARTS)]
    found = Walked()
    # Started afresh: a fork of a process with threads may hold a lock for ever.
    with ProcessPoolExecutor(processes or os.cpu_count() or 1, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_part, folder, pathway, day, whole, *part) for part in parts]
        with click.progressbar(
            length=_PARTS, label="states", file=sys.stderr, hidden=not sys.stderr.isatty()
        ) as bar:
            for done in as_completed(waiting):
                found.add(done.result())
                bar.update(1)
    found.violations.extend(compared(found.kept, known))
    of = size(known)
    if as_json:
        click.echo(json.dumps(_walked_json(found, of), indent=2, ensure_ascii=False))
    else:
        click.echo(_walked_page(found, of, known, terminal_width()))
    sys.exit(FINDINGS if found.violations or found.unanswered else 0)


@cache
def _loaded(folder: Path | None) -> Knowledge:
    """The knowledge, once for each process."""
    return load(folder)


def _part(folder: Path | None, pathway: str, as_of: date, whole: bool, every: int, offset: int) -> Walked:
    known = _loaded(folder)
    # Where every state is walked its neighbours are too, and need no answer of their own.
    return walk(points(known, every, offset), known, pathway, as_of, compare=not whole, keep=whole)


def _walked_json(found: Walked, of: int) -> dict[str, Any]:
    return {
        "states": found.states,
        "of": of,
        "first": [
            {"region": region, "prior_lines": lines, "regimen": regimen, "states": states}
            for (region, lines, regimen), states in sorted(found.first.items())
        ],
        "suggested_in": dict(found.suggested.most_common()),
        "rules": dict(found.rules.most_common()),
        "nothing_because": dict(found.gaps.most_common()),
        "unanswered": sorted(found.unanswered),
        "violations": sorted(found.violations),
    }


def _walked_page(found: Walked, of: int, known: Knowledge, width: int) -> str:
    page = Page(width)
    page.title(f"{found.states} of {of} states")
    for region in known.state_space["regions"]:
        page.section(f"What stands first, {region}: states by prior lines")
        page.table(_first_rows(found.first, region, known), heads=_heads(known))
    page.section("Nothing suggested, and why")
    for gap in known.gaps:
        page.field(gap.id, f"{found.gaps[gap.id]} states: {gap.because.en}", column=10)
    never = [key for key in known.regimens if not found.suggested[key]]
    page.section("Suggested in none of these states")
    page.paragraph(", ".join(sorted(never)) or "-")
    page.section(
        f"Broken invariants: {len(found.violations)}; states without an answer: {len(found.unanswered)}"
    )
    for line in (*sorted(found.violations), *sorted(found.unanswered))[:50]:
        page.item(line)
    return str(page)


def _heads(known: Knowledge) -> list[str]:
    return ["regimen", *(str(lines) for lines in known.state_space["prior_lines"]), "all"]


def _first_rows(first: Counter[tuple[str, int, str]], region: str, known: Knowledge) -> Iterator[list[str]]:
    lines: Iterable[int] = known.state_space["prior_lines"]
    total = Counter[str]()
    for (here, _, regimen), states in first.items():
        if here == region:
            total[regimen] += states
    for regimen, states in total.most_common():
        name = known.regimens[regimen].display if regimen != NOTHING else NOTHING
        yield [name, *(str(first[region, number, regimen] or "") for number in lines), str(states)]
