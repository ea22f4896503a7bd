"""What to mind with drugs: contraindications, cautions, lower doses, prophylaxis, monitoring; and classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cds_service.cards.markdown import sentence_case
from cds_service.explain.page import Block, Line, Section
from cds_service.explain.telling import Telling, joined
from cds_service.knowledge.related import regimens_with
from cds_service.knowledge.types import Component, Drug, DrugClass


def minded(tell: Telling, drugs: Sequence[Component]) -> Iterator[Section]:
    """Cautions and advice of some drugs, with their standing."""
    if not drugs:
        return
    if bars := _cautions(tell, drugs, bars=True):
        yield Section("bars", tell.text("section/bars"), tuple(bars))
    if cautions := _cautions(tell, drugs, bars=False):
        yield Section("cautions", tell.text("section/cautions"), tuple(cautions))
    adjusted = [
        (
            ((tell.drug_link(one.drug),),),
            (tell.line(", ".join(part for part in (tell.say.amount(one), one.days_text) if part)),),
            (tell.condition(one.when),),
            (tell.data(one.text),),
            tell.source(one.source),
        )
        for component in drugs
        for one in component.adjustments
    ]
    if adjusted:
        table = tell.table("adjustments", ("drug", "dose", "if", "text", "source"), adjusted)
        yield Section("adjustments", tell.text("section/adjustments"), (table,))
    advised = [
        (
            ((tell.drug_link(one.drug),),),
            (tell.line(sentence_case(tell.say.advice_kind(one))),),
            (tell.condition(one.when) or tell.fixed("caution/everybody"),),
            (tell.data(one.text),),
            tell.source(one.source),
        )
        for component in drugs
        for one in component.advice
    ]
    if advised:
        table = tell.table("advice", ("drug", "advice-kind", "if", "text", "source"), advised)
        yield Section("advice", tell.text("section/advice"), (table,))
    checked = [
        (
            ((tell.drug_link(one.drug),),),
            (tell.line(one.last_checked),),
            (tell.review(one.reviewed),),
        )
        for one in drugs
    ]
    table = tell.table("drugs-standing", ("drug", "last-checked", "reviewed"), checked)
    yield Section("drugs-standing", tell.text("section/drugs-standing"), (table,))


def _cautions(tell: Telling, drugs: Sequence[Component], *, bars: bool) -> list[Block]:
    rows = [
        (
            ((tell.drug_link(one.drug),),),
            (tell.condition(one.when) or tell.fixed("caution/everybody"),),
            (tell.data(one.text),),
            tell.source(one.source),
        )
        for component in drugs
        for one in component.cautions
        if one.bars is bars
    ]
    caption = "bars" if bars else "cautions"
    return [tell.table(caption, ("drug", "if", "text", "source"), rows)] if rows else []


def drug_sections(tell: Telling, drug: Drug, *, alone: bool) -> Iterator[Section]:
    """What a drug is; ``alone`` with what to mind, which stands on the page of a regimen already."""
    classes = joined(", ", ((tell.key(key, _class_name(tell, key)),) for key in drug.classes))
    interval = (
        tell.text("drug/one-off")
        if drug.one_off
        else tell.text("drug/interval", count=drug.dose_interval_days)
    )
    raw = tell.known.drug_files[drug.key]
    yield Section(
        "drug",
        tell.text("section/drug", name=sentence_case(tell.say.text(drug.name))),
        (
            tell.facts(
                ("classes", (classes,)),
                ("interval", (tell.line(interval),)),
                ("regimens", (_regimens(tell, drug.key),)),
                ("last-checked", (tell.line(str(raw.get("last_checked", ""))),)),
            ),
        ),
    )
    component = tell.known.components.get(drug.key)
    if alone and component:
        yield from minded(tell, [component])


def _regimens(tell: Telling, key: str) -> Line:
    return tell.regimens(one.key for one in regimens_with(tell.known, [key])) or tell.fixed("regimen/none")


def _class_name(tell: Telling, key: str) -> str:
    return tell.say.text(tell.known.classes[key].name) if key in tell.known.classes else key


def class_sections(tell: Telling, drug_class: DrugClass) -> Iterator[Section]:
    """The page of a class: whether refractoriness to one member speaks against the others."""
    members = [one.key for one in tell.known.drugs.values() if one.is_of(drug_class)]
    union = joined(", ", ((tell.key(key, _class_name(tell, key)),) for key in drug_class.union_of))
    yield Section(
        "what",
        tell.text("section/class"),
        (
            tell.facts(
                ("members", (joined(", ", ((tell.drug_link(key),) for key in members)),)),
                ("union", (union,)),
                ("carries-over", (carries_over(tell, drug_class),)),
                ("counts", (tell.fixed("class/counts" if drug_class.counts else "class/counts-not"),)),
                ("regimens", (_regimens(tell, drug_class.key),)),
            ),
        ),
    )
    checked = str(tell.known.mappings["classes"].get("last_checked", ""))
    yield Section("standing", tell.text("section/standing"), (tell.standing(drug_class.source, (), checked),))


def carries_over(tell: Telling, drug_class: DrugClass) -> Line:
    """Whether refractoriness to one member speaks against the others."""
    return tell.fixed("class/carries" if drug_class.carries_over else "class/carries-not")


def class_table(tell: Telling) -> Block:
    """Every class that counts, with whether refractoriness carries over, and the source of that."""
    rows = [
        (
            ((tell.key(one.key, sentence_case(tell.say.text(one.name))),),),
            (carries_over(tell, one),),
            tell.source(one.source),
        )
        for one in tell.known.classes.values()
        if one.counts and not one.union_of
    ]
    return tell.table("classes", ("class", "carries-over", "source"), rows)


def all_bars(tell: Telling) -> list[Block]:
    """Every contraindication of every drug."""
    return _cautions(tell, list(tell.known.components.values()), bars=True)
