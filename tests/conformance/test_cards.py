"""Answers, cards, suggestions, links and override reasons, for every test patient in all circumstances."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from cds_service.cards.render import DETAIL_WORDS
from tests.conformance.everything import (
    EXTENSION,
    KNOWLEDGE,
    Told,
    every_card,
    every_suggestion,
    everything,
    patients,
    regimen_of,
)
from tests.hooks.calls import empty_members, faults

requirement = pytest.mark.requirement
Card = dict[str, Any]

CARDS = {"uuid", "summary", "detail", "indicator", "source", "suggestions", "selectionBehavior"}
CARDS |= {"overrideReasons", "links", "extension"}


def told(cards: Iterable[tuple[Told, Card]], fault: Callable[[Told, Card], object]) -> list[str]:
    """A sentence for each card with a fault, the first twenty."""
    return [f"{answer}: {what}" for answer, card in cards if (what := fault(answer, card))][:20]


def codings() -> Iterator[tuple[Told, dict[str, Any]]]:
    """Each Coding of CDS Hooks itself: topics and override reasons."""
    for answer, card in every_card():
        yield answer, card["source"]["topic"]
        for reason in card["overrideReasons"]:
            yield answer, reason


def test_there_is_enough_to_judge() -> None:
    kinds = {(answer.hook, card["extension"][EXTENSION]["kind"]) for answer, card in every_card()}
    assert kinds >= {
        ("patient-view", "sequencing"),
        ("patient-view", "missing-data"),
        ("patient-view", "state"),
        ("order-select", "order-conflict"),
        ("order-sign", "order-conflict"),
        ("order-sign", "missing-data"),
    }
    assert any(not answer.cards for answer in everything())


# The answer


@requirement(72, 73)
def test_every_answer_is_a_200_with_a_list_of_cards() -> None:
    wrong = [f"{answer}: {answer.status}" for answer in everything() if answer.status != 200]
    assert wrong == []
    assert [str(answer) for answer in everything() if not isinstance(answer.body.get("cards"), list)] == []
    silent = [answer for answer in everything() if not answer.cards]
    assert silent
    assert [str(answer) for answer in silent if answer.body != {"cards": []}] == []


@requirement(72, 80, 81, 84, 85, 86, 87, 88, 89, 90, 95, 101, 102, 107, 110, 111, 112, 150, 151)
def test_every_answer_fits_the_strict_schema() -> None:
    wrong = [
        f"{answer}: {found}" for answer in everything() if (found := faults(answer.body, "cds-response"))
    ]
    assert wrong[:5] == []


@requirement(3, 4, 5)
def test_no_answer_holds_a_null_or_an_empty_member() -> None:
    wrong = [
        f"{answer}: {found}"
        for answer in everything()
        if (found := [place for place in empty_members(answer.body) if place != "/cards"])
    ]
    assert wrong[:5] == []


@requirement(74, 116, 117)
def test_nothing_acts_behind_the_users_back() -> None:
    wrong = [str(answer) for answer in everything() if set(answer.body) - {"cards", "extension"}]
    assert wrong == []
    assert [str(a) for a in everything() if b"systemActions" in orjson.dumps(a.body)] == []


@requirement(79)
def test_every_answer_is_complete_in_itself() -> None:
    """A client drops the cards of earlier calls, so each regimen of a card is told in it."""
    wrong = []
    for answer, card, suggestion in every_suggestion():
        regimen = KNOWLEDGE.regimens.get(regimen_of(suggestion))
        if regimen and regimen.display not in card["detail"]:
            wrong.append(f"{answer}: suggests {regimen.display} and does not tell of it")
    assert wrong[:20] == []


# The card


@requirement(80, 96, 126)
def test_every_card_and_suggestion_has_a_uuid_of_its_own() -> None:
    for answer in everything():
        ids = [one["uuid"] for card in answer.cards for one in (card, *card.get("suggestions", ()))]
        assert [str(UUID(one)) for one in ids] == ids, answer
        assert len(set(ids)) == len(ids), answer


@requirement(80)
def test_no_uuid_is_given_twice() -> None:
    ids = [card["uuid"] for _, card in every_card()]
    ids += [suggestion["uuid"] for _, _, suggestion in every_suggestion()]
    assert len(set(ids)) == len(ids)


@requirement(81)
def test_a_summary_is_one_sentence_of_at_most_139_characters() -> None:
    def fault(_: Told, card: Card) -> str:
        summary = card["summary"]
        bad = (
            len(summary) > 139 or "\n" in summary or re.search(r"(…|\.\.\.)$|\{\{|\}\}|\{%|\bNone\b", summary)
        )
        return f"{len(summary)} characters: {summary!r}" if bad else ""

    assert told(every_card(), fault) == []


@requirement(83)
def test_a_summary_alone_names_the_region_or_the_drug_it_speaks_of() -> None:
    """A client may hide the detail: the decision, and the region it holds for, stand in the summary."""

    def fault(answer: Told, card: Card) -> str:
        kind, summary = card["extension"][EXTENSION]["kind"], card["summary"]
        if kind == "sequencing":
            return "" if f"({answer.region})" in summary else f"names no region: {summary!r}"
        if kind == "order-conflict":
            names = [drug.name.in_language(answer.language).lower() for drug in KNOWLEDGE.drugs.values()]
            names += [regimen.display.lower() for regimen in KNOWLEDGE.regimens.values()]
            return "" if any(name in summary.lower() for name in names) else f"names no drug: {summary!r}"
        return ""

    assert told(every_card(), fault) == []


MARKDOWN = MarkdownIt("gfm-like", {"html": True, "linkify": True})
OURS = {
    "paragraph_open", "paragraph_close", "inline", "text", "softbreak", "strong_open", "strong_close",
    "bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close",
    "table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close",
    "tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close",
}  # fmt: skip


def tokens(markdown: str) -> Iterator[Token]:
    for block in MARKDOWN.parse(markdown):
        yield block
        yield from block.children or ()


@requirement(82)
def test_a_detail_is_markdown_of_a_few_plain_kinds_without_html_or_links() -> None:
    seen: dict[str, set[str]] = {}

    def fault(_: Told, card: Card) -> str:
        kinds = seen.setdefault(card["detail"], {token.type for token in tokens(card["detail"])})
        return f"holds {sorted(kinds - OURS)}" if kinds - OURS else ""

    assert told(every_card(), fault) == []
    assert any("table_open" in kinds for kinds in seen.values())


@requirement(82)
def test_every_row_of_a_table_has_the_cells_of_its_head() -> None:
    def fault(_: Told, card: Card) -> str:
        blocks = card["detail"].split("\n\n")
        for table in (block.splitlines() for block in blocks if block.startswith("|")):
            widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
            if len(widths) != 1:
                return f"a table of {sorted(widths)} bars: {table}"
        return ""

    assert told(every_card(), fault) == []


def test_a_detail_is_read_in_ten_seconds() -> None:
    def fault(_: Told, card: Card) -> str:
        words = len(card["detail"].split())
        return f"{words} words" if words > DETAIL_WORDS else ""

    assert DETAIL_WORDS == 300
    assert told(every_card(), fault) == []
    fullest = [card for _, card in every_card() if len(card.get("suggestions", ())) == 5]
    assert len(fullest) > 100


def test_no_answer_shows_more_than_three_cards() -> None:
    assert [str(answer) for answer in everything() if len(answer.cards) > 3] == []


@requirement(84)
def test_an_indicator_is_one_of_three() -> None:
    assert {card["indicator"] for _, card in every_card()} <= {"info", "warning", "critical"}


@requirement(86, 87)
def test_suggestions_come_with_the_selection_behaviour_of_the_client() -> None:
    def fault(answer: Told, card: Card) -> str:
        wanted = answer.behaviour if "suggestions" in card else None
        found = card.get("selectionBehavior")
        return f"selectionBehavior is {found}, not {wanted}" if found != wanted else ""

    assert told(every_card(), fault) == []


# Source


@requirement(85, 90, 94)
def test_a_source_names_its_guidance_and_its_version() -> None:
    version = KNOWLEDGE.version.version

    def fault(_: Told, card: Card) -> str:
        label = card["source"]["label"]
        return f"source {label!r} lacks the version" if version not in label or label == version else ""

    assert told(every_card(), fault) == []


@requirement(91, 92)
def test_addresses_of_a_source_are_absolute_and_name_no_patient() -> None:
    def fault(answer: Told, card: Card) -> str:
        source = card["source"]
        for name in ("url", "icon"):
            if name in source and not is_address(source[name], answer):
                return f"{name} is {source[name]!r}"
        return ""

    assert told(every_card(), fault) == []


def is_address(url: str, answer: Told) -> bool:
    """Whether a URL is absolute and holds nothing that identifies the patient or the call."""
    parts = urlsplit(url)
    context = answer.request["context"]
    secrets = [context["patientId"], answer.request["hookInstance"], context["userId"]]
    absolute = parts.scheme in ("http", "https") and bool(parts.hostname)
    return absolute and not parts.query and not any(secret in url for secret in secrets)


@requirement(93, 151)
def test_the_topic_of_a_card_is_one_stable_code() -> None:
    codes: dict[str, set[str]] = {}
    for _, card in every_card():
        topic = card["source"]["topic"]
        assert topic["system"] and re.fullmatch(r"[a-z0-9]{1,100}", topic["code"])
        ours = card["extension"][EXTENSION]
        # What goes with an order and is missing is another matter than what clashes: it is overridden apart.
        apart = "missing-companion" if "missing-companion" in ours["finding"] else ""
        codes.setdefault(f"{ours['kind']} {apart}", set()).add(topic["code"])
    assert all(len(found) == 1 for found in codes.values()), codes
    assert len({code for found in codes.values() for code in found}) == len(codes)


# Suggestions and actions


@requirement(95)
def test_a_suggestion_has_a_label_that_tells_it_from_its_neighbours() -> None:
    def fault(_: Told, card: Card) -> str:
        labels = [suggestion["label"] for suggestion in card.get("suggestions", ())]
        return f"labels {labels}" if len(set(labels)) < len(labels) or not all(labels) else ""

    assert told(every_card(), fault) == []


@requirement(97)
def test_one_suggestion_at_most_is_recommended_and_none_to_a_client_that_takes_any() -> None:
    def fault(answer: Told, card: Card) -> str:
        marked = [s for s in card.get("suggestions", ()) if "isRecommended" in s]
        if any(s["isRecommended"] is not True for s in marked):
            return "isRecommended is something else than true"
        most = 1 if answer.behaviour == "at-most-one" else 0
        return f"{len(marked)} suggestions are recommended" if len(marked) > most else ""

    assert told(every_card(), fault) == []
    assert any(s.get("isRecommended") for _, _, s in every_suggestion())


@requirement(98, 100, 101)
def test_the_actions_of_a_suggestion_are_one_regimen_and_its_room() -> None:
    """They go together: the creates of one regimen, and the deletes of what it replaces."""
    wrong = []
    for answer, card, suggestion in every_suggestion():
        types = [action["type"] for action in suggestion["actions"]]
        if set(types) - {"create", "delete"}:
            wrong.append(f"{answer}: actions {types}")
        if "delete" in types and card["extension"][EXTENSION]["kind"] != "order-conflict":
            wrong.append(f"{answer}: deletes drafts without a conflict")
        if "actionSelectionBehavior" in suggestion:
            wrong.append(f"{answer}: actionSelectionBehavior without an agreement with the client")
    assert wrong[:20] == []


@requirement(101, 104)
def test_no_suggestion_updates_an_order() -> None:
    """An update would have to hold the whole order of the request, details that are not read here too."""
    types = {action["type"] for _, _, s in every_suggestion() for action in s["actions"]}
    assert types == {"create", "delete"}


@requirement(102)
def test_every_action_is_described_by_its_drug() -> None:
    wrong = []
    for answer, _, suggestion in every_suggestion():
        for action in suggestion["actions"]:
            said = action["description"]
            if action["type"] == "create":
                drug = action["resource"].get("medicationCodeableConcept", {}).get("text", "")
                if drug.lower() not in said.lower():
                    wrong.append(f"{answer}: {said!r} does not name {drug}")
            if len(said) < 20 or "\n" in said:
                wrong.append(f"{answer}: {said!r}")
    assert wrong[:20] == []


@requirement(99)
def test_a_replacement_is_one_suggestion_of_deletes_and_creates() -> None:
    replacing = [
        [action["type"] for action in suggestion["actions"]]
        for _, card, suggestion in every_suggestion()
        if card["extension"][EXTENSION]["kind"] == "order-conflict"
    ]
    assert replacing
    assert all({"create", "delete"} <= set(types) for types in replacing)


# Override reasons


@requirement(88, 107)
def test_every_override_reason_has_code_system_and_display() -> None:
    def fault(_: Told, card: Card) -> str:
        reasons = card["overrideReasons"]
        bad = [r for r in reasons if set(r) != {"code", "system", "display"} or not all(r.values())]
        codes = [(reason["system"], reason["code"]) for reason in reasons]
        return f"override reasons {bad or codes}" if bad or len(set(codes)) < len(codes) else ""

    assert told(every_card(), fault) == []


@requirement(109)
def test_codes_of_the_suggested_system_are_codes_of_it() -> None:
    """The code system of the 3.0 ballot, its leaves as far as they are used here; other codes are our own."""
    theirs = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
    systems = {reason["system"] for _, card in every_card() for reason in card["overrideReasons"]}
    assert theirs in systems
    assert all(urlsplit(system).scheme in ("http", "https") for system in systems)


@requirement(151)
def test_every_coding_has_code_and_system() -> None:
    wrong = [
        f"{answer}: {coding}" for answer, coding in codings() if not (coding["code"] and coding["system"])
    ]
    assert wrong == []


# Links


@requirement(89, 110, 111, 112, 115)
def test_a_link_is_absolute_and_carries_neither_context_nor_patient() -> None:
    def fault(answer: Told, card: Card) -> str:
        for link in card["links"]:
            if not {"label", "url", "type"} <= set(link) or not all(link.values()):
                return f"link {link} lacks a member"
            if link["type"] not in ("absolute", "smart"):
                return f"link {link} is of no known type"
            if link["type"] == "absolute" and "appContext" in link:
                return f"link {link} hands a context to an address that takes none"
            if not is_address(link["url"], answer) or re.search(r"[?&](launch|iss)=", link["url"]):
                return f"link leads to {link['url']!r}"
        return ""

    assert told(every_card(), fault) == []


@requirement(113, 114)
def test_no_app_is_launched_for_a_client_that_has_not_asked_for_it() -> None:
    def fault(_: Told, card: Card) -> list[Any]:
        return [link for link in card["links"] if link["type"] != "absolute" or "autolaunchable" in link]

    assert told(every_card(), fault) == []


# Extension


@requirement(150)
def test_an_extension_is_an_object_under_our_reversed_name() -> None:
    for answer, card in every_card():
        for one in (card, *card.get("suggestions", ())):
            extension = one.get("extension", {EXTENSION: {}})
            assert set(extension) == {EXTENSION} and isinstance(extension[EXTENSION], dict), answer


def test_a_card_holds_no_member_of_its_own_invention() -> None:
    assert told(every_card(), lambda _, card: sorted(set(card) - CARDS)) == []


def test_nothing_outside_the_orders_identifies_the_patient() -> None:
    def fault(answer: Told, card: Card) -> str:
        public = {**card, "suggestions": [{"label": s["label"]} for s in card.get("suggestions", ())]}
        text = orjson.dumps(public).decode()
        return "names the patient" if answer.request["context"]["patientId"] in text else ""

    assert told(every_card(), fault) == []
    assert patients()
