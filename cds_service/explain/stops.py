"""What no rule overrides: hard stops, gates, and the codes by which orders and regimens are held against."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.explain.clashes import clash_table
from cds_service.explain.drugs import all_bars, class_table
from cds_service.explain.page import Block, Line, Run, Section
from cds_service.explain.telling import Telling, joined
from cds_service.knowledge.entries import source_of
from cds_service.knowledge.related import conflicts_with
from cds_service.knowledge.types import Gate, HardStop

_STOPS_FILE = "pathways/hard-stops.yaml"


def hard_stop_sections(tell: Telling, stop: HardStop) -> Iterator[Section]:
    """The page of a hard stop."""
    excludes = joined(", ", ((tell.drug_link(key),) for key in stop.excludes))
    blocks: list[Block] = [
        tell.facts(
            ("says", (tell.data(stop.text),)),
            ("excludes", (excludes,)),
            ("excluded", (tell.regimens(stop.regimens),)),
            ("code", (_code(tell, stop.code),)),
        )
    ]
    if stop.when:
        blocks += [tell.paragraph("rule/all-must-hold"), tell.items(tell.conditions(stop.when))]
    yield Section("what", tell.text("section/hard-stop"), (tell.paragraph("entry/hard-stop"), *blocks))
    if clashes := conflicts_with(tell.known, stop.id, _STOPS_FILE):
        yield Section("conflicts", tell.text("section/conflicts"), (clash_table(tell, clashes),))
    standing = tell.standing(stop.source, stop.reviewed, stop.last_checked)
    yield Section("standing", tell.text("section/standing"), (standing,))


def _code(tell: Telling, code: str) -> Line:
    address = tell.addresses.of(code, "order-conflict")
    return (Run(tell.text(f"code-name/{code}"), address),) if address else tell.line(code)


def gate_sections(tell: Telling, gate: Gate) -> Iterator[Section]:
    """The page of a gate."""
    facts = tell.facts(("says", (tell.data(gate.text),)))
    yield Section("what", tell.text("section/gate"), (tell.paragraph("entry/gate"), facts))
    yield Section("standing", tell.text("section/standing"), (tell.standing(gate.source, gate.reviewed, ""),))


def code_sections(tell: Telling, code: str) -> Iterator[Section]:
    """The page of a reason against an order or a regimen."""
    blocks: list[Block] = [tell.paragraph(f"code/{code}")]
    stops = [stop for stop in tell.known.hard_stops if stop.code == code]
    if stops:
        rows = [
            (
                ((tell.key(one.id),),),
                (tell.data(one.text),),
                tell.source(one.source),
                (tell.line(one.last_checked),),
            )
            for one in stops
        ]
        blocks.append(tell.table("hard-stops", ("hard-stop", "says", "source", "last-checked"), rows))
    yield Section("what", tell.text("section/code"), tuple(blocks))
    if code in ("refractory-component", "refractory-class"):
        yield Section("refractory", tell.text("section/refractory"), tuple(_refractory(tell)))
    if code == "refractory-class":
        yield Section("classes", tell.text("section/classes"), (class_table(tell),))
    if code == "contraindicated":
        yield Section("bars", tell.text("section/bars"), tuple(all_bars(tell)))
    if code == "outside-label":
        gates = [gate for gate in tell.known.gates if gate.check == "label"]
        lines = [((tell.key(gate.id)), Run(": "), *tell.data(gate.text)) for gate in gates]
        yield Section("gates", tell.text("section/gates"), (tell.items(lines),))


def _refractory(tell: Telling) -> Iterator[Block]:
    definition = tell.known.definitions["imwg"]["refractory"]
    yield tell.paragraph(
        "code/refractory", count=definition["window_days"], number=definition["non_response_days"]
    )
    lines = (
        *tell.source(source_of(definition["source"])),
        *tell.source(source_of(definition["non_response_source"])),
    )
    checked = str(tell.known.definitions["imwg"].get("last_checked", ""))
    yield tell.facts(("source", lines), ("last-checked", (tell.line(checked),)))
