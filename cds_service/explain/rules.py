"""Rules of the sources, statements that are none, pathways, and states for which nothing is suggested."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.cards.markdown import sentence_case
from cds_service.explain.clashes import clash_table, figure_clashes
from cds_service.explain.page import Block, Run, Section
from cds_service.explain.regimens import regimen_table, rule_table
from cds_service.explain.telling import Telling, joined
from cds_service.knowledge.related import composed, conflicts_with, trials_of
from cds_service.knowledge.types import Gap, Pathway, Rule, Statement


def rule_sections(tell: Telling, rule: Rule) -> Iterator[Section]:
    """The page of a rule."""
    says = tell.say.verb(rule.verb, rule.target, rule.then)
    blocks: list[Block] = [
        tell.facts(
            ("says", (tell.line(f"{sentence_case(says)}."),)),
            ("because", (tell.data(rule.because),)),
            (
                "remark",
                tuple(
                    (*tell.condition(one.when), Run(": "), *tell.data(one.text))
                    if one.when
                    else tell.data(one.text)
                    for one in rule.remarks
                ),
            ),
            ("note", (tell.fixed("rule/newer") if rule.newer else (),)),
        ),
        tell.paragraph("rule/all-must-hold"),
        tell.items(tell.conditions(rule.when)),
    ]
    yield Section("what", tell.text("section/rule"), tuple(blocks))
    since = tell.text("rule/since", day=rule.effective_from.isoformat())
    until = tell.text("rule/until", day=rule.effective_to.isoformat()) if rule.effective_to else ""
    yield Section(
        "standing",
        tell.text("section/standing"),
        (
            tell.standing(rule.source, rule.reviewed, rule.last_checked),
            tell.facts(("holds", (tell.line(", ".join(part for part in (since, until) if part)),))),
        ),
    )
    taken = [
        (
            ((tell.key(one.id),), tell.data(one.title)),
            (tell.linked(sentence_case(tell.say.taken(rule, one))),),
        )
        for one in composed(tell.known)
    ]
    table = tell.table("pathways", ("pathway", "taken"), taken)
    yield Section("pathways", tell.text("section/pathways"), (table,))
    keys = list(dict.fromkeys((*rule.target.regimens, *rule.then.regimens)))
    if keys:
        yield Section(
            "regimens",
            tell.text("section/rule-regimens"),
            (tell.paragraph("regimen/evidence"), regimen_table(tell, keys)),
        )
    clashes = conflicts_with(tell.known, rule.id)
    figures = figure_clashes(tell, (row for key in keys for row in trials_of(tell.known, key)))
    if clashes or figures:
        tables = [*([clash_table(tell, clashes)] if clashes else []), *figures]
        yield Section("conflicts", tell.text("section/conflicts"), tuple(tables))


def statement_sections(tell: Telling, statement: Statement) -> Iterator[Section]:
    """The page of a statement that is no rule."""
    lives = joined(", ", (tell.data(place) for place in statement.lives))
    facts = tell.facts(("why-no-rule", (tell.data(statement.why),)), ("lives", (lives,)))
    yield Section("what", tell.text("section/statement"), (tell.paragraph("entry/statement"), facts))
    if clashes := conflicts_with(tell.known, statement.id):
        yield Section("conflicts", tell.text("section/conflicts"), (clash_table(tell, clashes),))
    standing = tell.standing(statement.source, statement.reviewed, statement.last_checked)
    yield Section("standing", tell.text("section/standing"), (standing,))


def pathway_sections(tell: Telling, pathway: Pathway) -> Iterator[Section]:
    """The page of a pathway: its rules in its order."""
    blocks: list[Block] = []
    if pathway.composed:
        blocks.append(tell.facts(("composed", (tell.keys(pathway.sources),))))
    if pathway.unreviewed:
        blocks.append(tell.paragraph("pathway/unreviewed"))
    blocks.append(rule_table(tell, "pathway-rules", pathway.rules))
    yield Section("rules", tell.text("section/rules"), tuple(blocks))
    if pathway.statements:
        rows = [(((tell.key(one.id),),), (tell.data(one.why),)) for one in pathway.statements]
        table = tell.table("statements", ("statement", "why-no-rule"), rows)
        yield Section("statements", tell.text("section/statements"), (table,))
    standing = tell.standing(pathway.cited, pathway.reviewed, "")
    yield Section("standing", tell.text("section/standing"), (standing,))


def gap_sections(tell: Telling, gap: Gap) -> Iterator[Section]:
    """The page of a state for which nothing is suggested."""
    yield Section(
        "what",
        tell.text("section/gap"),
        (
            tell.facts(("because", (tell.data(gap.because),))),
            tell.paragraph("rule/all-must-hold"),
            tell.items(tell.conditions(gap.when)),
        ),
    )
    standing = tell.standing(gap.source, gap.reviewed, gap.last_checked)
    yield Section("standing", tell.text("section/standing"), (standing,))
