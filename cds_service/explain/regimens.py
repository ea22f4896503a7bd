"""A regimen: drugs, doses, labels, trials, rules, clashes, and what to mind with its drugs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cds_service.cards.markdown import sentence_case
from cds_service.explain.clashes import clash_table, figure_clashes
from cds_service.explain.drugs import minded
from cds_service.explain.page import Block, Cell, Line, Paragraph, Run, Section, Table
from cds_service.explain.telling import Telling, joined
from cds_service.knowledge.related import conflicts_about, rules_about, trials_of
from cds_service.knowledge.types import SPEAK_FOR, Evidence, Label, Regimen, Rule


def regimen_title(tell: Telling, regimen: Regimen) -> Line:
    """ "S-VD: Selinexor-bortezomib-dexamethasone" """
    name = tell.regimen_name(regimen)
    if regimen.display.casefold() in name.casefold():
        return tell.line(name)
    return tell.line(f"{regimen.display}: {name}")


def regimen_sections(tell: Telling, regimen: Regimen) -> Iterator[Section]:
    """The page of a regimen."""
    rows = trials_of(tell.known, regimen.key)
    yield Section("what", tell.text("section/regimen"), (_facts(tell, regimen),))
    yield Section("doses", tell.text("section/doses"), tuple(_doses(tell, regimen)))
    yield Section("labels", tell.text("section/labels"), tuple(_labels(tell, regimen)))
    yield Section("evidence", tell.text("section/evidence"), tuple(_evidence(tell, rows)))
    yield Section("rules", tell.text("section/rules"), tuple(_rules(tell, regimen)))
    clashes = conflicts_about(tell.known, regimen.key)
    figures = figure_clashes(tell, rows)
    if clashes or figures:
        tables = [*([clash_table(tell, clashes)] if clashes else []), *figures]
        yield Section("conflicts", tell.text("section/conflicts"), tuple(tables))
    drugs = [tell.known.components[key] for key in regimen.components if key in tell.known.components]
    yield from minded(tell, drugs)
    if regimen.notes:
        yield Section("notes", tell.text("section/notes"), (tell.items(map(tell.data, regimen.notes)),))
    yield Section("standing", tell.text("section/standing"), (_standing(tell, regimen),))


def _facts(tell: Telling, regimen: Regimen) -> Block:
    supporting = [tell.drug_link(key) for key in regimen.supporting]
    return tell.facts(
        ("also-called", (tell.line(", ".join(regimen.abbreviations)),)),
        ("drugs", (joined(", ", ((tell.drug_link(key),) for key in regimen.components)),)),
        ("given-with", (joined(", ", ((run,) for run in supporting)),)),
        ("cycle", (tell.line(tell.word("cycle", regimen.cycle)),)),
        ("visits", (tell.data(regimen.burden),)),
        ("note", (tell.fixed("regimen/history-only") if regimen.history_only else (),)),
    )


def _standing(tell: Telling, regimen: Regimen) -> Block:
    sources = tuple(line for source in regimen.sources for line in tell.source(source))
    return tell.standing(None, regimen.reviewed, regimen.last_checked, sources)


def _doses(tell: Telling, regimen: Regimen) -> Iterator[Block]:
    if not regimen.doses:
        yield tell.paragraph("regimen/no-doses")
        if regimen.dose_source.document:
            yield tell.facts(("dose-source", tell.source(regimen.dose_source)))
        return
    rows = []
    for dose in regimen.doses:
        remarks: list[Line] = [
            tell.fixed("dose/step-up") if dose.step_up else (),
            tell.fixed("dose/alternative") if dose.alternative else (),
            tell.fixed("dose/regions", regions=", ".join(dose.regions)) if dose.regions else (),
            tell.condition(dose.when),
        ]
        name = (Run(sentence_case(tell.drug(dose.drug)), tell.addresses.of(dose.drug)),)
        rows.append(((name,), (tell.line(tell.dose(dose)),), remarks))
    yield tell.table("doses", ("drug", "dose", "for-whom"), rows)
    yield tell.facts(("dose-source", tell.source(regimen.dose_source)))
    yield tell.paragraph("regimen/verify")


def _labels(tell: Telling, regimen: Regimen) -> Iterator[Block]:
    yield tell.paragraph("regimen/labels")
    rows = [
        (
            (tell.line(f"{label.region} {label.formulation}".strip()),),
            (tell.line(sentence_case(tell.say.label_status(label))),),
            (tell.line(label.since),),
            (tell.line(label.until),),
            (tell.data(label.text), _gate(tell, label)),
            tell.source(label.source),
        )
        for label in regimen.labels
    ]
    yield tell.table("labels", ("region", "status", "since", "until", "gate", "source"), rows)


def _gate(tell: Telling, label: Label) -> Line:
    if label.when is None:
        return ()
    return tell.line(f"{tell.text('field/asked')}: {tell.say.condition(label.when)}.")


def labels_in_short(tell: Telling, regimen: Regimen) -> Cell:
    """Each label in one line: "EMA: authorised, since 2022-07"."""
    return tuple(
        tell.line(f"{label.region} {label.formulation}".strip() + f": {tell.say.label_head(label)}")
        for label in regimen.labels
    )


def _evidence(tell: Telling, rows: list[Evidence]) -> Iterator[Block]:
    if not rows:
        yield tell.paragraph("regimen/no-evidence")
        return
    yield tell.paragraph("regimen/evidence")
    told = [
        (
            ((tell.key(row.id),), tell.line(str(row.data.get("nct", "")))),
            (
                tell.data(row.trial),
                (Run(f"{tell.text('field/arms')}: "), *tell.arms(row)),
                (Run(f"{tell.text('field/population')}: "), *population(tell, row)),
            ),
            headlines(tell, row),
            (*tell.source(row.source), tell.line(f"{tell.text('field/last-checked')}: {_checked(row)}")),
        )
        for row in rows
    ]
    yield tell.table("evidence", ("population", "patients", "shown", "source"), told)


def population(tell: Telling, row: Evidence) -> Line:
    """Who was in a trial row."""
    said = row.data.get("population", "")
    if isinstance(said, str):
        return tell.data(said)
    told = str(said.get(tell.language) or said["en"])
    english = tell.language != "en" and not said.get(tell.language)
    return tell.linked(told, "en" if english else "")


def headlines(tell: Telling, row: Evidence) -> Cell:
    """The figures that answers show, each with the patients for whom it is shown."""
    if not row.results:
        return (tell.fixed("evidence/nothing-shown"),)
    lines: list[Line] = []
    for result in row.results:
        whom = tell.condition(result.when) if result.when else tell.fixed("evidence/all-others")
        alone = len(row.results) == 1 and result.when is None
        lines.append(tell.data(result.headline) if alone else (*whom, Run(": "), *tell.data(result.headline)))
    return tuple(lines)


def _checked(row: Evidence) -> str:
    return str(row.data.get("last_checked", ""))


def _rules(tell: Telling, regimen: Regimen) -> Iterator[Block]:
    about = rules_about(tell.known, regimen.key)
    speaking = [rule for rule in about if rule.verb in SPEAK_FOR]
    others = [rule for rule in about if rule.verb not in SPEAK_FOR]
    if speaking:
        yield rule_table(tell, "rules-for", speaking)
    else:
        why = tell.data(regimen.no_rule)
        yield Paragraph((*tell.fixed("regimen/no-rule"), *((Run(" "), *why) if why else ())))
    if others:
        yield rule_table(tell, "rules-other", others)


def rule_table(tell: Telling, caption: str, rules: Iterable[Rule]) -> Table:
    """Rules, each with what it says, why, and of which source it is."""
    rows = [
        (
            ((tell.key(rule.id),),),
            (tell.line(f"{sentence_case(tell.say.rule(rule))}."),),
            (tell.data(rule.because),),
            ((tell.key(rule.pathway),),),
        )
        for rule in rules
    ]
    return tell.table(caption, ("rule", "says", "because", "of-source"), rows)


def regimen_table(tell: Telling, keys: Iterable[str]) -> Table:
    """Regimens, each with its labels and the figures that are shown for it."""
    rows = []
    for key in dict.fromkeys(keys):
        regimen = tell.known.regimens[key]
        shown: list[Line] = []
        for row in trials_of(tell.known, key):
            shown += [((tell.key(row.id)), Run(" "), *line) for line in headlines(tell, row) if row.results]
        name = tell.regimen_name(regimen)
        rows.append(
            (
                ((tell.regimen(key),), tell.line(name) if name != regimen.display else ()),
                labels_in_short(tell, regimen),
                shown or (tell.fixed("regimen/no-evidence"),),
            )
        )
    return tell.table("regimens", ("regimen", "labels", "evidence"), rows)
