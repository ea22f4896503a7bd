"""The kinds of cards, what may be missing from a chart, the quiet states, and the index of everything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cds_service.cards.markdown import sentence_case
from cds_service.explain.addresses import CARD_KINDS, ROOT
from cds_service.explain.page import Block, Line, Run, Section
from cds_service.explain.regimens import rule_table
from cds_service.explain.telling import Telling
from cds_service.knowledge.references import leaves
from cds_service.knowledge.related import own_rules
from cds_service.knowledge.types import Condition, Gate, HardStop, Rule, Statement

_ASKED_BY: Mapping[str, frozenset[str]] = {
    "refractory": frozenset({"refractory_to", "count_refractory"}),
    "exposed": frozenset({"exposed_to", "naive_to", "count_exposed"}),
    "prior-lines": frozenset({"prior_lines"}),
    "progressed-on-last": frozenset({"progressed_on_last_therapy"}),
    "comorbidity": frozenset({"has"}),
    "lab": frozenset({"lab"}),
    "biology": frozenset({"biology"}),
    "age": frozenset({"age"}),
    "ecog": frozenset({"ecog"}),
    "sex": frozenset({"sex"}),
    "transplant": frozenset({"transplant"}),
    "months": frozenset({"months_to_first_progression"}),
    "months-after-transplant": frozenset({"months_from_transplant_to_progression"}),
    "last-dose": frozenset({"months_since_last"}),
    "car-t": frozenset({"car_t"}),
    "planned": frozenset({"planned"}),
}
"""Which leaves of a condition a datum settles; of the others no condition asks by itself."""


def kind_sections(tell: Telling, kind: str) -> Iterator[Section]:
    """The page of a kind of card."""
    blocks: list[Block] = [tell.paragraph(f"kind/{kind}"), tell.paragraph("kind/decides")]
    yield Section("what", tell.text("section/kind"), tuple(blocks))
    if kind == "sequencing":
        yield from _regimens_and_sources(tell)
        yield _gaps(tell)
        yield _listed(tell, "conflicts", (one.id for one in tell.known.conflicts))
    if kind == "order-conflict":
        yield _own(tell, kind, "codes", "code-name")
        yield _stops(tell)
        yield _drugs(tell)
    if kind == "missing-data":
        yield _own(tell, kind, "data", "datum-name")
    if kind == "state":
        yield _own(tell, kind, "states", "state-name")


def index_sections(tell: Telling) -> Iterator[Section]:
    """The page that leads to all others."""
    lines = [(Run(tell.text(f"kind-name/{kind}"), f"{ROOT}/{kind}"),) for kind in CARD_KINDS]
    yield Section("kinds", tell.text("section/kinds"), (tell.paragraph("index/what"), tell.items(lines)))
    yield from _regimens_and_sources(tell)
    yield _gaps(tell)
    yield _listed(tell, "conflicts", _clashes(tell))
    yield _listed(tell, "evidence", tell.known.evidence)
    yield _stops(tell)
    yield _drugs(tell)
    for kind, section, group in (
        ("order-conflict", "codes", "code-name"),
        ("missing-data", "data", "datum-name"),
        ("state", "states", "state-name"),
    ):
        yield _own(tell, kind, section, group)


def _clashes(tell: Telling) -> list[str]:
    figures = (one.id for row in tell.known.evidence.values() for one in row.conflicts)
    return list(dict.fromkeys((*(one.id for one in tell.known.conflicts), *sorted(figures))))


def _regimens_and_sources(tell: Telling) -> Iterator[Section]:
    lines: list[Line] = []
    for regimen in tell.known.regimens.values():
        name = tell.regimen_name(regimen)
        lines.append((tell.regimen(regimen.key), Run(f": {name}" if name != regimen.display else "")))
    yield Section("regimens", tell.text("section/regimens"), (tell.items(lines),))
    sources: list[Line] = []
    for pathway in tell.known.pathways.values():
        entries: list[Rule | Statement] = [*pathway.rules, *pathway.statements]
        rules = tell.keys(() if pathway.composed else sorted(one.id for one in entries))
        sources.append((tell.key(pathway.id), Run(": "), *tell.data(pathway.title), Run(". "), *rules))
    yield Section("sources", tell.text("section/sources"), (tell.items(sources),))


def _gaps(tell: Telling) -> Section:
    lines = [((tell.key(one.id)), Run(": "), *tell.data(one.because)) for one in tell.known.gaps]
    return Section("gaps", tell.text("section/gaps"), (tell.items(lines),))


def _listed(tell: Telling, section: str, keys: Iterable[str]) -> Section:
    return Section(section, tell.text(f"section/{section}"), (tell.items([tell.keys(keys)]),))


def _stops(tell: Telling) -> Section:
    entries: list[Gate | HardStop] = [*tell.known.gates, *tell.known.hard_stops]
    lines = [((tell.key(one.id)), Run(": "), *tell.data(one.text)) for one in entries]
    return Section("stops", tell.text("section/stops"), (tell.items(lines),))


def _drugs(tell: Telling) -> Section:
    drugs = ((tell.drug_link(key)) for key in sorted(tell.known.drug_files))
    classes = (tell.key(one.key, tell.say.text(one.name)) for one in tell.known.classes.values())
    blocks = (tell.items([_commas(drugs)]), tell.items([_commas(classes)]))
    return Section("drugs", tell.text("section/drugs"), blocks)


def _commas(runs: Iterable[Run]) -> Line:
    line: list[Run] = []
    for run in runs:
        line += [Run(", "), run] if line else [run]
    return tuple(line)


def _own(tell: Telling, kind: str, section: str, group: str) -> Section:
    keys = tell.addresses.own(kind)
    lines = [(Run(sentence_case(tell.text(f"{group}/{key}")), tell.addresses.of(key, kind)),) for key in keys]
    return Section(section, tell.text(f"section/{section}"), (tell.items(lines),))


def datum_sections(tell: Telling, datum: str) -> Iterator[Section]:
    """The page of what may be missing from a chart: why it is asked for, and who asks."""
    yield Section("what", tell.text("section/datum"), (tell.paragraph(f"datum/{datum}"),))
    yield Section("effect", tell.text("section/effect"), (tell.paragraph("datum-effect/unknown"),))
    wanted = _ASKED_BY.get(datum, frozenset())

    def asks(condition: Condition | None) -> bool:
        return any(leaf.op in wanted for leaf in leaves(condition))

    rules = [rule for rule in own_rules(tell.known) if asks(rule.when)]
    if rules:
        yield Section("rules", tell.text("section/asking-rules"), (rule_table(tell, "asking-rules", rules),))
    regimens = [
        regimen.key
        for regimen in tell.known.regimens.values()
        if any(asks(label.when) for label in regimen.labels)
    ]
    if regimens:
        yield Section("labels", tell.text("section/asking-labels"), (tell.items([tell.regimens(regimens)]),))


def state_sections(tell: Telling, state: str) -> Iterator[Section]:
    """The page of a quiet state."""
    yield Section("what", tell.text("section/state"), (tell.paragraph(f"state/{state}"),))
    gates = [gate for gate in tell.known.gates if gate.check in ("diagnosis", "choice-due")]
    rows = [(((tell.key(one.id),),), (tell.data(one.text),), tell.source(one.source)) for one in gates]
    yield Section(
        "gates", tell.text("section/gates"), (tell.table("gates", ("gate", "says", "source"), rows),)
    )
