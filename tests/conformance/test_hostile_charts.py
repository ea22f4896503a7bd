"""A chart whose words are Markdown, HTML and control signs: cards show them as text, or not at all.

Clients differ in how they render a detail: with raw HTML or without, most turning addresses into links. So a
detail may hold none of the chart's own making under either.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from markdown_it import MarkdownIt

from tests.conformance.everything import LANGUAGES, application, patients, request_of
from tests.conformance.test_cards import OURS
from tests.hooks.calls import HOOKS, empty_members, faults
from tests.publish.judges import complaints

RENDERERS = {
    "with raw HTML": MarkdownIt("gfm-like", {"html": True, "linkify": True}),
    "without raw HTML": MarkdownIt("gfm-like", {"html": False, "linkify": True}),
}
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "image": "<img src=x onerror=alert(1)>",
    "comment": "<!-- x",
    "entity": "&lt;b&gt;&#60;i&#62;",
    "table": "a | b || c |",
    "delimiters": "| --- | --- |",
    "link": "[x](javascript:alert(1))",
    "end of a link": "](http://evil.com/x",
    "picture": "![x](http://evil.com/x.png)",
    "reference": "[x]: http://evil.com",
    "address": "http://evil.com/x?a=b",
    "angled address": "<http://evil.com>",
    "www": "www.evil.com",
    "mail": "mailto:a@evil.com b@evil.com",
    "code": "`x` ```y",
    "emphasis": "**x** __y__ ~~z~~ *",
    "backslash": "x \\",
    "direction": "\u202egnorw\u202c \u200f\u2067x\u2069",
    "controls": "a\x07b\x1b[31mc\u200b",
    "new lines": "a\r\n\r\n# head\n\n---\n- item\n1. one\n> said\n    code\u2028x",
    "template": "{{ drug }} {% if x %}",
    "formula": "$x^2$ #1 @somebody",
}
EVERYTHING = " ".join(HOSTILE.values())
# Renderers that go beyond GitHub's own autolinks turn these into links; an escape of their signs prevents it.
GUESSED = {"bare address": "evil.com", "address without its scheme": "//evil.com/x", "number": "25.it"}


def texts_with(node: Any, hostile: Callable[[str], str], key: str = "") -> Any:
    """A copy of a resource in which each free text is made hostile; codes, dates and references stay."""
    if isinstance(node, dict):
        return {name: texts_with(value, hostile, name) for name, value in node.items()}
    if isinstance(node, list):
        return [texts_with(value, hostile, key) for value in node]
    return hostile(node) if isinstance(node, str) and key in FREE_TEXTS else node


FREE_TEXTS = frozenset(
    {"text", "display", "valueString", "description", "comment", "family", "given", "title"}
)


def ids_with(node: Any, hostile: Callable[[str], str], patient_id: str) -> Any:
    """A copy in which each id but the patient's is hostile, and each reference to one alike."""
    if isinstance(node, dict):
        changed = {name: ids_with(value, hostile, patient_id) for name, value in node.items()}
        for name in ("id", "reference"):
            own = changed.get(name)
            if isinstance(own, str) and patient_id not in own:
                changed[name] = hostile(own)
        return changed
    return [ids_with(value, hostile, patient_id) for value in node] if isinstance(node, list) else node


def poisoned(patient: dict[str, Any], hook: str, hostile: str) -> dict[str, Any]:
    """The call with the hostile text behind each free text, and in notes where there were none."""
    body = deepcopy(request_of(patient, hook))
    body["prefetch"] = texts_with(body["prefetch"], lambda text: f"{text} {hostile}")
    for bundle in body["prefetch"].values():
        for entry in (bundle or {}).get("entry", ()):
            entry["resource"]["note"] = [{"text": hostile}]
    context = body["context"]
    if "draftOrders" in context:
        context["draftOrders"] = texts_with(context["draftOrders"], lambda text: f"{text} {hostile}")
    return body


def answered(body: dict[str, Any], language: str = "en") -> list[dict[str, Any]]:
    answer = application("EMA", language).post(f"/cds-services/rrmm-{body['hook']}", json=body)
    assert answer.status_code == 200, answer.text
    assert faults(answer.json, "cds-response") == []
    assert [place for place in empty_members(answer.json) if place != "/cards"] == []
    return list(answer.json["cards"])


def plain_texts(cards: list[dict[str, Any]]) -> Iterator[str]:
    """What a client shows as plain text."""
    for card in cards:
        yield from (card["summary"], card["source"]["label"])
        yield from (link["label"] for link in card["links"])
        for suggestion in card.get("suggestions", ()):
            yield suggestion["label"]
            yield from (action["description"] for action in suggestion["actions"])


def harm(cards: list[dict[str, Any]]) -> list[str]:
    """What a hostile text has brought about."""
    found = []
    for card in cards:
        detail = card["detail"]
        for name, renderer in RENDERERS.items():
            blocks = renderer.parse(detail)
            kinds = {token.type for block in blocks for token in (block, *(block.children or ()))}
            # text_special: a sign that was escaped, and stays one.
            if strange := kinds - OURS - {"text_special"}:
                found.append(f"rendered {name}, the detail holds {sorted(strange)}: {detail}")
            html = renderer.render(detail)
            if tags := set(re.findall(r"</?([a-z0-9]+)", html)) - TAGS:
                found.append(f"rendered {name}, the detail has tags {sorted(tags)}: {detail}")
        for table in (block.splitlines() for block in detail.split("\n\n") if block.startswith("|")):
            if len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) != 1:
                found.append(f"a table is broken: {table}")
        if len(detail.split()) > 300:
            found.append(f"the detail has {len(detail.split())} words")
        found += [f"the detail holds {sign!r}" for sign in hidden(detail) - {"\n"}]
        found += [f"{s['uuid']}: {c}" for s in card.get("suggestions", ()) for c in complaints_of(s)]
    for text in plain_texts(cards):
        found += [f"{text!r} holds {sign!r}" for sign in hidden(text)]
        if re.search(r"<[A-Za-z/!]|\]\(", text):
            found.append(f"{text!r} holds a tag or a link")
    return found


TAGS = {"p", "strong", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "br"}


def hidden(text: str) -> set[str]:
    """Control signs and marks of direction."""
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")}


def complaints_of(suggestion: dict[str, Any]) -> list[str]:
    created = (action["resource"] for action in suggestion["actions"] if action["type"] == "create")
    return [complaint for resource in created for complaint in complaints(resource)]


@pytest.mark.requirement(7, 82)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("hook", HOOKS)
def test_no_patient_with_a_hostile_chart_gets_a_harmful_card(hook: str, language: str) -> None:
    shown = 0
    for patient_id, patient in patients().items():
        cards = answered(poisoned(patient, hook, EVERYTHING), language)
        shown += len(cards)
        assert harm(cards) == [], patient_id
    assert shown > 8


ORDERING = "order-daratumumab-when-refractory"


@pytest.mark.requirement(82)
@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("hook", HOOKS)
def test_each_hostile_text_alone_is_shown_as_text(kind: str, hook: str) -> None:
    hostile = HOSTILE[kind]
    cards = answered(poisoned(patients()[ORDERING], hook, f"{hostile} Zqx"))
    assert cards and harm(cards) == []
    if hook != "patient-view":
        # Not vacuous: the words of the draft stand in the card.
        assert "Zqx" in cards[0]["detail"]


@pytest.mark.parametrize("kind", GUESSED)
def test_what_only_looks_like_an_address_is_shown_as_text(kind: str) -> None:
    cards = answered(poisoned(patients()[ORDERING], "order-sign", f"{GUESSED[kind]} Zqx"))
    assert "Zqx" in cards[0]["detail"]
    assert harm(cards) == []


@pytest.mark.requirement(82, 103, 105)
@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("kind", ["script", "table", "link", "end of a link", "direction", "new lines"])
def test_a_hostile_id_reaches_neither_a_text_nor_an_order(kind: str, hook: str) -> None:
    for patient_id in (ORDERING, "drd-first-relapse", "heart-failure-nyha-iii"):
        patient = patients()[patient_id]
        body = deepcopy(request_of(patient, hook))
        for place in (body["prefetch"], body["context"].get("draftOrders", {})):
            changed = ids_with(place, lambda own: f"{own}{HOSTILE[kind]}", patient["patient_id"])
            place.clear()
            place.update(changed)
        body["context"] |= {"userId": f"Practitioner/{HOSTILE[kind]}", "encounterId": HOSTILE[kind]}
        cards = answered(body)
        assert harm(cards) == []
        for card in cards:
            for action in (a for s in card.get("suggestions", ()) for a in s["actions"]):
                if action["type"] == "delete":
                    assert re.fullmatch(r"MedicationRequest/[A-Za-z0-9.\-]{1,64}", action["resourceId"])


@pytest.mark.parametrize(
    "harmful", ["<b>x</b>", "[x](http://evil.com)", "www.evil.com", "| a |\n|---|\n| b | c |"]
)
def test_harm_is_seen(harmful: str) -> None:
    card = {"summary": "x", "detail": harmful, "source": {"label": "x"}, "links": []}
    assert harm([card])
