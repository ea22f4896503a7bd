"""Where sources clash: both sides, the value or reading used, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cds_service.explain.page import Block, Line, Run, Section, Table
from cds_service.explain.telling import Telling, joined
from cds_service.knowledge.lookup import FigureConflicts
from cds_service.knowledge.types import Conflict, Evidence, EvidenceConflict


def clash_table(tell: Telling, conflicts: Iterable[Conflict]) -> Table:
    """Clashes of sources, each with what is done about it and what answers say."""
    rows = [
        (
            ((tell.key(one.id),),),
            (tell.data(one.clash), tell.data(one.evidence)),
            (tell.data(one.handling),),
            (tell.data(one.says or one.silent),),
        )
        for one in conflicts
    ]
    return tell.table("clashes", ("clash", "sides", "handling", "answers-say"), rows)


def figure_clashes(tell: Telling, rows: Iterable[Evidence]) -> list[Block]:
    """Clashes over the figures of trial rows as one table; none where there is no clash."""
    told = [
        (
            ((tell.key(one.id),), (tell.key(row.id),)),
            (tell.data(one.text),),
            used(tell, one),
            (tell.data(one.says or one.silent),),
        )
        for row in rows
        for one in row.conflicts
    ]
    if not told:
        return []
    return [tell.table("figure-clashes", ("clash", "sides", "used", "answers-say"), told)]


def used(tell: Telling, conflict: EvidenceConflict) -> tuple[Line, ...]:
    """The value used, and why."""
    return (tell.data(conflict.use), tell.data(conflict.why))


def conflict_sections(tell: Telling, conflict: Conflict) -> Iterator[Section]:
    """The page of a clash between sources."""
    lives = joined(", ", (_place(tell, place) for place in conflict.lives))
    yield Section(
        "what",
        tell.text("section/clash"),
        (
            tell.facts(
                ("sides", (tell.data(conflict.clash),)),
                ("known", (tell.data(conflict.evidence),)),
                ("handling", (tell.data(conflict.handling),)),
                ("lives", (lives,)),
                ("answers-say", (tell.data(conflict.says),)),
                ("silent", (tell.data(conflict.silent) if conflict.silent else (),)),
            ),
        ),
    )
    if conflict.when:
        yield Section(
            "for-whom",
            tell.text("section/told-to"),
            (tell.paragraph("rule/all-must-hold"), tell.items(tell.conditions(conflict.when))),
        )
    yield Section(
        "standing",
        tell.text("section/standing"),
        (tell.standing(conflict.source, conflict.reviewed, conflict.last_checked),),
    )


def _place(tell: Telling, place: str) -> Line:
    """A place in the knowledge: the page of the entry where it is one, else the file."""
    key = place.rpartition("/")[2].removesuffix(".yaml")
    for name in (key, key.upper()):
        if tell.addresses.of(name):
            return (tell.key(name, tell.say.regimen(name)),)
    return (Run(place, "", "en" if tell.language != "en" else ""),)


def figure_conflict_sections(tell: Telling, conflicts: FigureConflicts) -> Iterator[Section]:
    """The page of a clash over figures: every trial row in which it is told."""
    for number, (population, conflict) in enumerate(conflicts.told, start=1):
        row = tell.known.evidence[population]
        regimen = ((tell.regimen(row.regimen),),) if row.regimen else ()
        yield Section(
            f"row-{number}",
            tell.text("section/figure-clash", id=population),
            (
                tell.facts(
                    ("trial", ((*tell.data(row.trial), Run(" ("), tell.key(row.id), Run(")")),)),
                    ("arms", (tell.arms(row),)),
                    ("regimen", regimen),
                    ("sides", (tell.data(conflict.text),)),
                    ("used", (tell.data(conflict.use),)),
                    ("because", (tell.data(conflict.why),)),
                    ("answers-say", (tell.data(conflict.says),)),
                    ("silent", (tell.data(conflict.silent) if conflict.silent else (),)),
                ),
                tell.standing(row.source, row.reviewed, str(row.data.get("last_checked", ""))),
            ),
        )
