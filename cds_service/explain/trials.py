"""One trial population: who was in it, what was measured, and where sources clash over its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.cards.markdown import sentence_case
from cds_service.explain.clashes import figure_clashes
from cds_service.explain.page import Block, Facts, Line, Run, Section
from cds_service.explain.regimens import headlines, population
from cds_service.explain.telling import Telling
from cds_service.knowledge.entries import source_of
from cds_service.knowledge.types import Evidence
from cds_service.knowledge.words import number_in_words


def evidence_sections(tell: Telling, row: Evidence) -> Iterator[Section]:
    """The page of a trial row."""
    number = str(row.data.get("nct", ""))
    trial = (*tell.data(row.trial), *((Run(f" ({number})"),) if number else ()))
    yield Section(
        "what",
        tell.text("section/trial"),
        (
            tell.facts(
                ("trial", (trial,)),
                ("regimen", ((tell.regimen(row.regimen),) if row.regimen else (),)),
                ("arms", (tell.arms(row),)),
                ("population", (population(tell, row),)),
                ("resembles", tell.conditions(row.when)),
            ),
        ),
    )
    shown: list[Block] = [tell.paragraph("evidence/first-that-fits"), tell.items(headlines(tell, row))]
    yield Section("shown", tell.text("section/shown"), tuple(shown))
    yield Section("figures", tell.text("section/figures"), tuple(_figures(tell, row)))
    if figures := figure_clashes(tell, [row]):
        yield Section("conflicts", tell.text("section/conflicts"), tuple(figures))
    yield Section("standing", tell.text("section/standing"), (_standing(tell, row),))


def _figures(tell: Telling, row: Evidence) -> Iterator[Block]:
    rows = [
        ((tell.line(sentence_case(_name(tell, name))),), (_value(tell, value),))
        for name, value in row.data.get("figures", {}).items()
    ]
    yield tell.table("figures", ("figure", "value"), rows)
    survival = row.data.get("os_significant")
    if isinstance(survival, Mapping):
        lines: list[Line] = [tell.fixed(f"survival/{row.os_significant}")]
        lines.append(tell.data(str(survival.get("at", ""))))
        mark = str(survival.get("mark", ""))
        if mark:
            lines.append(tell.line(tell.mark(source_of({"mark": mark}))))
        yield tell.facts(("survival", lines))


def _name(tell: Telling, name: str) -> str:
    return tell.say.word(name, "figure") if tell.say.has(name, "figure") else name.replace("_", " ")


def _value(tell: Telling, value: Any) -> Line:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return tell.line(number_in_words(value, tell.language))
    return tell.data(str(value))


def _standing(tell: Telling, row: Evidence) -> Facts:
    verification = str(row.data.get("verification", ""))
    more: list[Line] = []
    for also in row.data["source"].get("also", ()):
        lines = tell.source(source_of(also))
        kind = tell.fixed(f"also/{also.get('says', 'confirms')}")
        more += [(*kind, Run(": "), *lines[0]), *lines[1:]] if lines else []
    facts = tell.standing(row.source, row.reviewed, str(row.data.get("last_checked", "")), more)
    known = tell.facts(("verification", (tell.data(verification) if verification else (),)))
    return Facts((*facts.rows, *known.rows))
