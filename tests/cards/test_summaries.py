"""Every wording of every summary with the longest that can be put into it: it fits, and it is whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.cards.wording import LANGUAGES, NUMBERS, SLOTS, SUMMARY_CHARACTERS, Wording
from cds_service.knowledge.types import REGIONS
from tests.shipped import KNOWLEDGE

SUMMARIES = sorted(slot for slot in SLOTS if "/summary/" in slot)
# A placeholder, code of a template, a value that is none, or a hole where a value was empty.
UNFINISHED = re.compile(r"\{\{|\}\}|\{%|%\}|\bNone\b|\bUndefined\b|\(\)|  | [,.:;)]|\( |: ?$|^[^\w\"]")


@cache
def wording() -> Wording:
    return Wording(KNOWLEDGE.cards)


@cache
def names(language: str) -> tuple[str, ...]:
    """Drugs and classes as cards call them, the longest first."""
    named = [*KNOWLEDGE.drugs.values(), *KNOWLEDGE.classes.values()]
    return tuple(sorted({one.name.in_language(language) for one in named}, key=len, reverse=True))


def phrases(group: str, language: str) -> list[str]:
    """The phrases of a group that take no value."""
    texts = KNOWLEDGE.cards["phrases"]["texts"][group]
    plain = [name for name, text in texts.items() if "{{" not in text["en"]]
    return [wording().text(f"phrases/{group}/{name}", language) for name in plain]


@cache
def sentences(language: str) -> list[str]:
    """Sentences of the knowledge that a summary may quote: cautions and reasons, the longest first."""
    texts = [caution.text for key in KNOWLEDGE.drugs for caution in KNOWLEDGE.cautions(key)]
    texts += [rule.because for pathway in KNOWLEDGE.pathways.values() for rule in pathway.rules]
    return sorted({text.in_language(language).rstrip(".") for text in texts}, key=len, reverse=True)


def listed(language: str, words: list[str]) -> st.SearchStrategy[str]:
    several = st.lists(st.sampled_from(words), min_size=1, max_size=len(words), unique=True)
    return several.map(lambda items: wording().listed(items, language))


def values(slot: str, language: str) -> st.SearchStrategy[dict[str, Any]]:
    """What the program may put into the slot's wordings, each value from what it can really be."""
    drugs = list(names(language))
    several = listed(language, drugs)
    text = wording().text
    stages = st.one_of(
        st.sampled_from(phrases("stage", language)),
        st.integers(0, 99).map(lambda n: text("phrases/stage/after-lines", language, count=n)),
        st.integers(1, 99).map(lambda n: text("phrases/stage/after-at-least", language, count=n)),
        several.map(lambda told: text("phrases/stage/primary-refractory-to", language, drugs=told)),
    )
    refractory = st.one_of(
        several.map(lambda told: text("phrases/refractory/drugs", language, drugs=told)),
        several.map(lambda told: text("phrases/refractory/unsure", language, drugs=told)),
        st.integers(1, 99).map(lambda n: text("phrases/refractory/count", language, count=n)),
        st.sampled_from(phrases("label", language)),
    )
    opening = st.builds(
        lambda stage, told: text("phrases/stage/with-refractory", language, stage=stage, refractory=told),
        stages,
        refractory,
    )
    known: Mapping[str, st.SearchStrategy[Any]] = {
        "stage": stages,
        "opening": st.one_of(stages, opening),
        "opening_short": st.one_of(stages, opening),
        "region": st.sampled_from(REGIONS),
        "drug": st.sampled_from(drugs),
        "certainty": st.sampled_from(phrases("certainty", language)),
        "sentence": st.sampled_from(sentences(language)),
        "disease": st.sampled_from(phrases("disease", language)),
        "items": listed(language, [*phrases("what", language), *sentences(language)[:5]]),
    }
    numbers = st.one_of(st.integers(1, 5), st.integers(1, 99_999))
    own = {name: numbers if name in NUMBERS else known.get(name, several) for name in sorted(SLOTS[slot])}
    return st.fixed_dictionaries(own)


def faults(summary: str) -> list[str]:
    """What is wrong with a summary as a sentence a clinician reads."""
    found = []
    if len(summary) > SUMMARY_CHARACTERS:
        found.append(f"has {len(summary)} characters")
    if len(summary.splitlines()) != 1:
        found.append("is not one line")
    if summary.rstrip(" .)").endswith("…") or summary.endswith(("..", "…")):
        found.append("is cut")
    if left := UNFINISHED.search(summary):
        found.append(f"is not whole: {left.group()!r}")
    if summary[:1].islower():
        found.append("begins without a capital")
    return found


def test_a_summary_has_fewer_than_140_characters_by_the_standard() -> None:
    assert SUMMARY_CHARACTERS == 139
    assert len(SUMMARIES) >= 12


@pytest.mark.requirement(81)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("slot", SUMMARIES)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_whatever_is_put_into_a_summary_it_fits_whole(slot: str, language: str, data: st.DataObject) -> None:
    given_values = data.draw(values(slot, language))
    summary = wording().fitting(slot, language, **given_values)
    assert faults(summary) == [], summary


@pytest.mark.requirement(81)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("slot", SUMMARIES)
def test_the_longest_that_can_be_put_into_a_summary_leaves_it_whole(slot: str, language: str) -> None:
    longest = wording().listed(list(names(language)), language)
    for number in (1, 2, 99_999):
        full = {name: number if name in NUMBERS else longest for name in SLOTS[slot]}
        summary = wording().fitting(slot, language, **full)
        assert faults(summary) == [], summary


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("slot", SUMMARIES)
def test_the_shortest_takes_the_fullest_wording(slot: str, language: str) -> None:
    """The ladder is for what is long: a short value is not lost to a wording without it."""
    short = {name: 1 if name in NUMBERS else "Xy" for name in SLOTS[slot]}
    fullest = next(iter(wording()._templates(slot, language))).render(short)
    summary = wording().fitting(slot, language, **short)
    assert summary.casefold() == " ".join(fullest.split()).casefold()


@pytest.mark.parametrize(
    "wrong",
    ["", "two\nlines", "cut …", "cut...", "{{ drug }} ordered", "Lenalidomide : x", "x" * 140, "fits ()"],
)
def test_what_is_wrong_is_found(wrong: str) -> None:
    assert faults(wrong)
