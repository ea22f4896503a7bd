"""What the pages say: condition, source, evidence of the right patients, both sides of a clash, standing."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from cds_service.cards.wording import Wording
from cds_service.explain.addresses import CARD_KINDS
from cds_service.explain.explainer import Explainer
from cds_service.explain.kinds import _ASKED_BY
from cds_service.explain.page import Facts, Page, Table
from cds_service.knowledge.load import KnowledgeError
from cds_service.knowledge.types import Knowledge


def page(explainer: Explainer, address: str, language: str = "en") -> Page:
    kind, key = address.split("/")
    found = explainer.entry(kind, unquote(key), language)
    assert found is not None, address
    return found


def text(found: Page) -> str:
    return " ".join(" ".join(run.text for run in found.runs()).split())


def facts(found: Page) -> dict[str, str]:
    """The facts of a page by name."""
    return {
        name: " | ".join("".join(run.text for run in line) for line in cell)
        for section in found.sections
        for block in section.blocks
        if isinstance(block, Facts)
        for name, cell in block.rows
    }


def test_a_rule_says_condition_verb_regimens_reason_and_where_it_is_written(explainer: Explainer) -> None:
    found = page(explainer, "sequencing/BAR-19")
    said = facts(found)
    assert said["Says"] == "Recommends S-VD."
    assert said["Because"] == "Double-refractory to daratumumab and lenalidomide."
    assert 'Place: Current, "double-refractory to Daratumumab and Lenalidomide"' in said["Source"]
    assert "doi 10.4084/MJHID.2025.043" in said["Source"]
    assert said["In force"] == "since 2025-05-01"
    assert said["Clinical review"] == "Not clinically reviewed"
    assert "Refractory to daratumumab" in text(found)
    hrefs = {run.href for run in found.runs()}
    assert {"https://doi.org/10.4084/MJHID.2025.043", "/explain/sequencing/s-vd"} <= hrefs
    assert {"/explain/sequencing/BOSTON-LENREF", "/explain/sequencing/X-11"} <= hrefs


def test_a_figure_stands_beside_its_own_patients(explainer: Explainer) -> None:
    for address in ("sequencing/BAR-19", "sequencing/s-vd"):
        said = text(page(explainer, address))
        assert "BOSTON post hoc, lenalidomide-refractory, 1-3 lines: PFS 10.2 vs 7.1 months" in said
        assert "Otherwise : BOSTON, all randomised" in said  # the whole trial, and said to be so


def test_a_regimen_has_doses_labels_with_dates_cautions_and_advice(explainer: Explainer) -> None:
    said = text(page(explainer, "sequencing/s-vd"))
    for told in (
        "100 mg PO on days 1, 8, 15, 22, 29",
        "EMA Authorised 2022-07 At least 1 prior line.",
        "FDA Authorised 2020-12-18",
        "[V] seen in the source",
        "[R] recalled, not seen",
        "Selinexor: hyponatraemia; correct sodium first and follow it.",
        "5-HT3 antagonist plus a second antiemetic",
        "Eye care",
        "Last checked 2026-11-30",
    ):
        assert told in said, told


def test_step_up_doses_are_called_so(explainer: Explainer) -> None:
    assert "Step-up dose" in text(page(explainer, "sequencing/teclistamab"))
    assert "Dose crescente" in text(page(explainer, "sequencing/teclistamab", "it"))


def test_a_clash_shows_both_sides_what_is_used_and_why(explainer: Explainer) -> None:
    between = facts(page(explainer, "sequencing/X-01"))
    assert between["What clashes"].startswith("ORA-18 (D-VD or KPd) against BAR-15")
    assert between["What is done"].startswith("BAR-15 stands")
    assert "17 months in a real-life cohort" in between["What is known"]
    figures = facts(page(explainer, "sequencing/CF-10"))
    assert figures["Value or reading used"].startswith("10.2 vs 7.1 months")
    assert figures["Because"].startswith("106 patients are all lenalidomide-refractory ones")


def test_a_trial_names_its_second_sources(explainer: Explainer) -> None:
    source = facts(page(explainer, "sequencing/BOSTON-LENREF"))["Source"]
    assert "PubMed 38693052" in source and "Confirmed by: MedPath on EHA 2023" in source


def test_refractoriness_is_defined_with_the_number_of_days(explainer: Explainer) -> None:
    said = text(page(explainer, "order-conflict/refractory-component"))
    assert "within 60 days of its last dose" in said and "10.1182/blood-2010-10-299487" in said
    assert "STOP-COMPONENT" in said
    assert "entro 60 giorni" in text(page(explainer, "order-conflict/refractory-component", "it"))


def test_every_contraindication_is_listed_with_its_source(explainer: Explainer, knowledge: Knowledge) -> None:
    said = text(page(explainer, "order-conflict/contraindicated"))
    bars = [one for component in knowledge.components.values() for one in component.cautions if one.bars]
    assert len(bars) > 20
    for bar in bars:
        assert " ".join(bar.text.en.split()).replace(">=", "≥").replace("<=", "≤") in said


def test_missing_data_name_who_asks_for_them(explainer: Explainer) -> None:
    said = text(page(explainer, "missing-data/prior-lines"))
    assert "Rules that ask for it" in said and "BAR-15" in said and "Regimens whose label asks for it" in said


@pytest.mark.parametrize("key", ["refractory", "medication-history", "progression-date", "prior-lines"])
def test_the_kinds_of_missing_data_of_a_card_have_their_pages(explainer: Explainer, key: str) -> None:
    assert page(explainer, f"missing-data/{key}").kind == "datum that a chart may lack"


def test_every_datum_that_can_be_missing_has_its_page(explainer: Explainer, knowledge: Knowledge) -> None:
    named = set(knowledge.definitions["sentences"]["datum"]) | set(
        knowledge.cards["phrases"]["texts"]["what"]
    )
    assert named | {"laboratory-progression"} == set(explainer.addresses.own("missing-data"))
    assert set(_ASKED_BY) <= named


def test_every_reason_of_a_hard_stop_has_its_page(explainer: Explainer, knowledge: Knowledge) -> None:
    codes = set(explainer.addresses.own("order-conflict"))
    assert {stop.code for stop in knowledge.hard_stops} <= codes
    named = {name for name in knowledge.cards["order-conflict"]["summary"] if name != "other"}
    assert named <= codes


def test_each_name_of_an_own_key_has_its_text(knowledge: Knowledge) -> None:
    texts = knowledge.cards["explain"]["texts"]
    assert set(texts["code-name"]) | {"refractory"} == set(texts["code"])
    assert set(texts["datum-name"]) == set(texts["datum"])
    assert set(texts["state-name"]) == set(texts["state"])
    marks = {
        source.mark
        for component in knowledge.components.values()
        for source in (*(c.source for c in component.cautions), *(a.source for a in component.advice))
    }
    assert marks - {""} <= set(texts["mark"])


def test_every_text_of_the_pages_is_translated(knowledge: Knowledge) -> None:
    texts = knowledge.cards["explain"]["texts"]
    lacking = [
        f"{group}/{name}" for group in texts for name, text in texts[group].items() if not text.get("it")
    ]
    assert lacking == []


def test_no_page_has_an_empty_section_a_ragged_table_or_an_id_twice(explainer: Explainer) -> None:
    for address in explainer.addresses.all():
        kind, _, key = address.removeprefix("/explain").strip("/").partition("/")
        if not key:
            continue
        found = explainer.entry(kind, unquote(key), "it")
        assert found is not None and found.path == address
        ids = [section.id for section in found.sections]
        assert len(ids) == len(set(ids)), address
        for section in found.sections:
            assert section.heading and section.blocks, address
            for block in section.blocks:
                if isinstance(block, Table):
                    assert block.rows and {len(row) for row in block.rows} == {len(block.heads)}, address
                    assert all(row[0] for row in block.rows), address


def test_links_within_lead_to_pages_there_are(explainer: Explainer) -> None:
    there = set(explainer.addresses.all())
    for address in there:
        kind, _, key = address.removeprefix("/explain").strip("/").partition("/")
        found = (
            explainer.entry(kind, unquote(key), "en")
            if key
            else explainer.kind(kind, "en")
            if kind
            else explainer.index("en")
        )
        assert found is not None, address
        led = {run.href for run in (*found.runs(), *found.trail) if run.href and not run.leaves}
        assert led <= there, (address, led - there)


def test_the_index_leads_to_every_page(explainer: Explainer) -> None:
    led = {run.href for run in explainer.index("en").runs()}
    assert set(explainer.addresses.all()) - {"/explain"} <= led


def test_the_trail_leads_back(explainer: Explainer) -> None:
    assert [run.href for run in page(explainer, "sequencing/BAR-19").trail] == [
        "/explain",
        "/explain/sequencing",
        "/explain/sequencing/barila-2025",
    ]


@pytest.mark.parametrize(
    ("written", "key"),
    [("bar-19", "BAR-19"), ("DPd", "d-pd"), ("svd", "s-vd"), ("Lenalidomide", "lenalidomide"), ("zzz", "")],
)
def test_what_people_write_is_understood(explainer: Explainer, written: str, key: str) -> None:
    assert explainer.addresses.meant("sequencing", written) == key


def test_an_unknown_kind_of_card_explains_nothing(explainer: Explainer) -> None:
    assert explainer.entry("cards", "BAR-19", "en") is None
    assert explainer.kind("cards", "en") is None
    assert explainer.addresses.nearest("", "cards") == [f"/explain/{kind}" for kind in CARD_KINDS]


@pytest.mark.parametrize(
    ("group", "name", "text", "finding"),
    [
        ("section", "rule", {"en": "What {{ rule }} says"}, 'section/rule, en: names the value "rule"'),
        (
            "rule",
            "since",
            {"en": "since {{ day }}", "it": "dal {{ dey }}"},
            'rule/since, it: names the value "dey"',
        ),
        ("section", "ruel", {"en": "What the rule says"}, "section/ruel: no card uses a text of this name"),
        ("field", "says", None, "field/says: the text is missing"),
    ],
)
def test_a_mistake_in_the_texts_stops_the_start(
    knowledge: Knowledge, group: str, name: str, text: dict[str, str] | None, finding: str
) -> None:
    texts = {one: dict(named) for one, named in knowledge.cards["explain"]["texts"].items()}
    texts[group].pop(name, None)
    if text:
        texts[group][name] = text
    with pytest.raises(KnowledgeError, match=re.escape(f"cards/explain.yaml, {finding}")):
        Wording({**knowledge.cards, "explain": {"kind": "phrases", "texts": texts}})
