"""One mistake an author of card texts can make per row, with the sentence it must get."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cds_service.cards.render import Renderer
from cds_service.cards.wording import Wording
from cds_service.knowledge.load import KnowledgeError, schemas
from cds_service.knowledge.types import Knowledge


def unknown_value(cards: dict[str, Any]) -> None:
    cards["sequencing"]["summary"]["fits"][0]["en"] = "{{ stag }}: {{ count }} fit"


def value_of_another_text(cards: dict[str, Any]) -> None:
    cards["state"]["detail"]["out-of-scope"]["it"] = "{{ drugs }}"


def reaching_inside(cards: dict[str, Any]) -> None:
    cards["sequencing"]["detail"]["state"]["en"] = "{{ stage.__class__ }}"


def broken_braces(cards: dict[str, Any]) -> None:
    cards["sequencing"]["detail"]["state"]["en"] = "{{ stage "


def raw_html(cards: dict[str, Any]) -> None:
    cards["sequencing"]["detail"]["state"]["en"] = "<b>{{ stage }}</b>"


def last_wording_names_a_text(cards: dict[str, Any]) -> None:
    cards["sequencing"]["summary"]["none"][-1]["en"] = "{{ stage }}: no regimen fits"


def last_wording_too_long(cards: dict[str, Any]) -> None:
    cards["sequencing"]["summary"]["none"][-1]["it"] = "nessuno schema " * 12


def missing_text(cards: dict[str, Any]) -> None:
    del cards["phrases"]["texts"]["basis"]["about"]


def misspelt_text(cards: dict[str, Any]) -> None:
    cards["sequencing"]["detail"]["stat"] = {"en": "x"}


def missing_file(cards: dict[str, Any]) -> None:
    del cards["missing-data"]


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (
            unknown_value,
            'cards/sequencing.yaml, summary/fits, wording 1, en: names the value "stag", which this text '
            'does not get (it gets: count, opening, opening_short, region, stage, unsure). Nearest: "stage".',
        ),
        (
            value_of_another_text,
            'cards/state.yaml, detail/out-of-scope, it: names the value "drugs", which this text does '
            "not get (it gets: disease).",
        ),
        (reaching_inside, "a text may name values, and nothing inside them"),
        (broken_braces, "cards/sequencing.yaml, detail/state, en: the placeholders cannot be read"),
        (raw_html, "holds raw HTML"),
        (last_wording_names_a_text, "it may name numbers alone, not stage"),
        (last_wording_too_long, "wording 5, it: the last wording must always fit, and has 179 characters"),
        (missing_text, "cards/phrases.yaml, basis/about: the text is missing"),
        (
            misspelt_text,
            'cards/sequencing.yaml, detail/stat: no card uses a text of this name. Nearest: "state".',
        ),
        (missing_file, "cards/missing-data.yaml is missing"),
    ],
)
def test_a_mistake_in_a_text_stops_the_start(
    knowledge: Knowledge, mistake: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    cards = copy.deepcopy(dict(knowledge.cards))
    mistake(cards)
    with pytest.raises(KnowledgeError) as stopped:
        Wording(cards)
    assert any(sentence in finding for finding in stopped.value.findings), stopped.value.findings


def test_an_undefined_override_reason_stops_the_start(knowledge: Knowledge) -> None:
    cards = copy.deepcopy(dict(knowledge.cards))
    cards["state"]["override_reasons"].append("because-i-say-so")
    with pytest.raises(KnowledgeError, match=r'override_reasons: "because-i-say-so" is not defined'):
        Renderer(replace(knowledge, cards=cards))


def test_every_text_exists_in_italian(knowledge: Knowledge) -> None:
    assert [gap for gap in knowledge.untranslated if gap.startswith("cards/")] == []


def test_an_unknown_language_is_answered_in_english(knowledge: Knowledge) -> None:
    assert Wording(knowledge.cards).text("phrases/stage/first-relapse", "de") == "1st relapse"


@pytest.mark.parametrize(
    ("case", "content"),
    [
        ("an unknown kind", {"kind": "poster", "last_checked": "2026-11-21"}),
        ("a card without its topic", {"kind": "state", "last_checked": "2026-11-21"}),
        (
            "a text in a third language",
            {"kind": "phrases", "texts": {"a": {"b": {"en": "x", "de": "y"}}}, "last_checked": "2026-11-21"},
        ),
        (
            "a date that is none",
            {"kind": "phrases", "texts": {"a": {"b": {"en": "x"}}}, "last_checked": "soon"},
        ),
    ],
)
def test_the_schema_refuses(case: str, content: dict[str, Any]) -> None:
    assert not schemas()["cards"].is_valid(content), case
