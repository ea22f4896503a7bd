"""What real clients send, as recorded, and the answer that each request must get.

The requests are those of tests/hooks/fixtures; numbers in brackets: rows of docs/conformance.md.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from cds_service.settings import load_settings
from cds_service.web.app import create_app
from tests.hooks.calls import empty_members, faults
from tests.hooks.recorded import DAY, Recorded, recorded
from tests.properties.untidy import effort
from tests.shipped import KNOWLEDGE

SEQUENCING, CONFLICT, SILENT = ["sequencing"], ["order-conflict"], []
ANSWERS: dict[str, tuple[int, list[str]]] = {
    "sandbox/patient-view": (200, SEQUENCING),
    # Rx View is open and no drug chosen, or the tab pressed again: nothing is drafted yet.
    "sandbox/rx-view-opened-without-drug": (200, SEQUENCING),
    "sandbox/rx-view-treating-chosen-without-drug": (200, SEQUENCING),
    "sandbox/rx-view-tab-pressed-again": (200, SEQUENCING),
    "sandbox/rx-sign-without-drug": (200, SEQUENCING),
    "sandbox/rx-sign-tab-pressed-again": (200, SEQUENCING),
    "sandbox/rx-view-treating-chosen": (200, CONFLICT),
    "sandbox/rx-view-lenalidomide": (200, CONFLICT),
    "sandbox/rx-sign": (200, CONFLICT),
    "sandbox/rx-view-suggestion-accepted": (200, SILENT),
    "sandbox/pama-before-choice": (200, SILENT),
    "sandbox/pama-study-chosen": (200, SILENT),
    "sandbox/pama-reason-chosen": (200, SILENT),
    "sandbox/hook-posted-to-another-service": (400, SILENT),
    "epic/patient-view-chart-opened": (200, SEQUENCING),
    "epic/patient-view-order-entered": (200, SEQUENCING),
    "epic/order-select-medication-references": (200, CONFLICT),
    "epic/order-select-other-drug-selected": (200, SILENT),
    "epic/order-sign-medications-by-display-only": (200, CONFLICT),
    "epic/order-sign-drafts-withheld": (200, SEQUENCING),
    "epic/patient-view-every-search-without-results": (200, SILENT),
    "epic/patient-view-stripped-of-data": (412, SILENT),
}
CALLS = sorted(name for name, one in recorded().items() if not one.is_feedback)
FEEDBACK = sorted(set(recorded()) - set(CALLS))


@cache
def service() -> FlaskClient:
    """One service for all: on the day of the recording, calling no FHIR server."""
    return create_app(load_settings(), knowledge=KNOWLEDGE, now=lambda: DAY).test_client()


def post(request: Recorded, body: Any = ...) -> TestResponse:
    """The answer to a recorded request, or to another body from the same client."""
    data = json.dumps(request.body if body is ... else body)
    return service().post(request.path, data=data, headers=request.headers)


def cards_of(request: Recorded, body: Any = ...) -> list[dict[str, Any]]:
    answer = post(request, body)
    assert answer.status_code == 200, answer.text
    assert faults(answer.json, "cds-response") == []
    return answer.json["cards"]


def kinds(cards: list[dict[str, Any]]) -> list[str]:
    return [card["extension"]["org.myeloma-cds"]["kind"] for card in cards]


def said(cards: list[dict[str, Any]]) -> Any:
    """The cards without what is new in each answer."""
    cards = copy.deepcopy(cards)
    for card in cards:
        for one in (card, *card.get("suggestions", ())):
            del one["uuid"]
    return cards


def drafts_in(body: Any) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in body["context"]["draftOrders"]["entry"]]


def test_each_recorded_call_has_its_answer() -> None:
    assert sorted(ANSWERS) == CALLS


@pytest.mark.parametrize("name", CALLS)
def test_a_recorded_call_is_answered_as_it_must_be(name: str) -> None:
    status, wanted = ANSWERS[name]
    answer = post(recorded()[name])
    assert answer.status_code == status
    if status == 200:
        assert answer.mimetype == "application/json"
        assert faults(answer.json, "cds-response") == []
        assert kinds(answer.json["cards"]) == wanted
        assert empty_members(answer.json["cards"] or "none") == []
    else:
        assert answer.mimetype == "application/problem+json"
        assert answer.json["errors"]
    if name.startswith("sandbox/"):  # else the page never sees the answer [148]
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("name", FEEDBACK)
def test_recorded_feedback_is_taken(name: str) -> None:
    answer = post(recorded()[name])
    assert answer.status_code in (200, 204)  # [118, 128]


# ---- the sandbox -----------------------------------------------------------------------------------------
LENALIDOMIDE = [
    "sandbox/rx-view-treating-chosen",
    "sandbox/rx-view-lenalidomide",
    "sandbox/rx-sign",
    "epic/order-select-medication-references",
    "epic/order-sign-medications-by-display-only",
]


@pytest.mark.parametrize("name", LENALIDOMIDE)
def test_lenalidomide_for_a_disease_refractory_to_it_is_one_conflict(name: str) -> None:
    request = recorded()[name]
    (card,) = cards_of(request)
    assert "enalidomide" in card["summary"] and card["indicator"] in ("warning", "critical")
    drafted = {f"{draft['resourceType']}/{draft['id']}": draft for draft in drafts_in(request.body)}
    for suggestion in card["suggestions"]:
        deleted = [one["resourceId"] for one in suggestion["actions"] if one["type"] == "delete"]
        assert set(deleted) <= set(drafted)
        assert any("enalidomide" in json.dumps(drafted[one]).lower() for one in deleted) or name.startswith(
            "epic/order-select"  # where the name stands in the Medication
        )
        created = [one["resource"] for one in suggestion["actions"] if one["type"] == "create"]
        assert "lenalidomide" not in [one["medicationCodeableConcept"]["text"] for one in created]


@pytest.mark.parametrize("name", [name for name in CALLS if ANSWERS[name][1]])
def test_the_first_action_of_a_suggestion_is_an_order_that_the_sandbox_can_take(name: str) -> None:
    # It stops at the first action that it can use: a delete before the orders would only empty the draft,
    # and of an order it takes nothing but the text and the first code.
    for card in cards_of(recorded()[name]):
        assert card["suggestions"]
        for suggestion in card["suggestions"]:
            first = suggestion["actions"][0]
            assert first["type"] == "create", suggestion["label"]
            concept = first["resource"]["medicationCodeableConcept"]
            assert concept["text"] and concept["coding"][0]["code"]
            assert all(action["description"] for action in suggestion["actions"])
            assert suggestion["uuid"] and card["uuid"]  # else no feedback is sent


def test_a_reason_and_a_category_that_are_objects_change_nothing() -> None:
    with_reason, without = (
        recorded()[f"sandbox/{name}"] for name in ("rx-view-treating-chosen", "rx-view-lenalidomide")
    )
    (draft,) = drafts_in(with_reason.body)
    assert isinstance(draft["reasonCode"], dict) and isinstance(draft["category"], dict)
    assert said(cards_of(with_reason)) == said(cards_of(without))


@pytest.mark.parametrize("name", ["sandbox/rx-view-tab-pressed-again", "sandbox/rx-sign-tab-pressed-again"])
def test_a_tab_pressed_again_is_answered_as_if_nothing_were_drafted(name: str) -> None:
    request = recorded()[name]
    nothing = request.body
    assert set(nothing["context"]) == {"patientId", "userId"}
    nothing["context"] |= {"draftOrders": {"resourceType": "Bundle", "entry": []}, "selections": []}
    cards = cards_of(request)
    assert kinds(cards) == SEQUENCING
    assert said(cards) == said(cards_of(request, nothing))


@pytest.mark.parametrize("name", ["rx-view-opened-without-drug", "rx-view-treating-chosen-without-drug"])
def test_an_order_form_without_a_drug_shows_what_the_chart_opened_shows(name: str) -> None:
    opened = cards_of(recorded()["sandbox/patient-view"])
    assert said(cards_of(recorded()[f"sandbox/{name}"])) == said(opened)


@pytest.mark.parametrize("name", [name for name in CALLS if ANSWERS[name][0] == 200])
def test_without_a_myeloma_nobody_is_shown_anything(name: str) -> None:
    body = recorded()[name].body
    body["prefetch"]["conditions"] = {"resourceType": "Bundle", "type": "searchset", "total": 0, "entry": []}
    body["prefetch"]["medicationStatements"] = body["prefetch"]["observations"] = None
    assert cards_of(recorded()[name], body) == []


def test_an_accepted_suggestion_comes_back_with_its_code_under_another_system() -> None:
    request = recorded()["sandbox/rx-view-suggestion-accepted"]
    (draft,) = drafts_in(request.body)
    (coding,) = draft["medicationCodeableConcept"]["coding"]
    assert (draft["medicationCodeableConcept"]["text"], coding["code"]) == ("selinexor", "L01XX66")
    assert coding["system"] == "http://www.nlm.nih.gov/research/umls/rxnorm"
    body = request.body
    concept = drafts_in(body)[0]["medicationCodeableConcept"]
    concept["text"] = concept["coding"][0]["display"] = "lenalidomide"
    concept["coding"][0]["code"] = "L04AX04"
    assert kinds(cards_of(request, body)) == CONFLICT  # known by its words


def test_a_hook_posted_to_another_service_is_told_so() -> None:
    problem = post(recorded()["sandbox/hook-posted-to-another-service"]).json
    assert problem["type"].endswith("#wrong-hook")
    assert [fault["pointer"] for fault in problem["errors"]] == ["/hook"]


# ---- Epic ------------------------------------------------------------------------------------------------
def test_absolute_references_and_searches_without_results_are_the_same_chart() -> None:
    (epic,) = cards_of(recorded()["epic/patient-view-chart-opened"])
    (sandbox,) = cards_of(recorded()["sandbox/patient-view"])
    for member in ("summary", "detail"):
        assert epic[member] == sandbox[member]


def test_the_trigger_of_a_patient_view_changes_nothing() -> None:
    one, other = (
        cards_of(recorded()[f"epic/patient-view-{trigger}"]) for trigger in ("chart-opened", "order-entered")
    )
    assert said(one) == said(other)


def test_orders_are_for_the_patient_and_the_encounter_of_the_call() -> None:
    request = recorded()["epic/patient-view-chart-opened"]
    context = request.body["context"]
    for card in cards_of(request):
        for suggestion in card["suggestions"]:
            for order in (action["resource"] for action in suggestion["actions"]):
                assert order["subject"] == {"reference": f"Patient/{context['patientId']}"}
                assert order["encounter"] == {"reference": f"Encounter/{context['encounterId']}"}


def test_a_draft_with_a_very_long_id_can_be_deleted() -> None:
    request = recorded()["epic/order-select-medication-references"]
    (selected,) = request.body["context"]["selections"]
    assert len(selected.partition("/")[2]) == 194
    (card,) = cards_of(request)
    for suggestion in card["suggestions"]:
        assert selected in [action.get("resourceId") for action in suggestion["actions"]]


def test_a_call_stripped_of_data_is_a_412_that_names_what_is_lacking() -> None:
    problem = post(recorded()["epic/patient-view-stripped-of-data"]).json
    assert problem["type"].endswith("#data-missing")
    assert [fault["pointer"] for fault in problem["errors"]] == ["/prefetch/conditions"]


# ---- the same, damaged -----------------------------------------------------------------------------------
Way = tuple[str | int, ...]


def ways(node: Any, way: Way = ()) -> Iterator[Way]:
    """The way to every member of a body."""
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, member in members:
        yield (*way, step)
        yield from ways(member, (*way, step))


def at(node: Any, way: Way) -> Any:
    for step in way:
        node = node[step]
    return node


def damaged(body: Any, way: Way, damage: Any) -> Any:
    """The body with the member at ``way`` put in another's place, or removed where ``damage`` is ``...``."""
    body = copy.deepcopy(body)
    holder = at(body, way[:-1])
    if damage is ...:
        del holder[way[-1]]
    else:
        holder[way[-1]] = damage
    return body


def of_another_kind(value: Any) -> Any:
    if isinstance(value, str):
        return {"value": [7]}
    return "x" if isinstance(value, dict | list) else [{"x": None}]


def empty_of(value: Any) -> Any:
    return type(value)() if isinstance(value, str | dict | list) else ""


def trouble_with(request: Recorded, body: Any) -> str:
    """What is wrong with the answer to a damaged body; "" where it is one that a client can live with."""
    answer = post(request, body)
    if request.is_feedback and answer.status_code in (200, 204):
        return ""
    if answer.status_code == 200:
        return "; ".join(faults(answer.json, "cds-response"))
    if answer.status_code not in (400, 412):
        return f"{answer.status_code} {answer.text[:200]}"
    if answer.mimetype != "application/problem+json" or answer.json["status"] != answer.status_code:
        return f"{answer.mimetype} {answer.text[:200]}"
    return ""


def _is_ours_to_try(way: Way) -> bool:
    """The envelope, the context and the drafts; of prefetch only what stands under a key."""
    return len(way) <= (3 if way[0] == "prefetch" else 9)


def _kind_of(body: Any, way: Way) -> tuple[str, ...]:
    """The way without what repeats: the place in a list; of an entry, its type stands instead."""
    kind: list[str] = []
    for step in way:
        body = body[step]
        resource = body.get("resource") if isinstance(body, dict) and isinstance(step, int) else None
        kind.append(str(resource["resourceType"] if resource else "*" if isinstance(step, int) else step))
    return tuple(kind)


def _first_seen() -> dict[str, list[Way]]:
    """The members to damage in each request: of the envelope each for each address, of what lies deeper
    each where it stands first."""
    seen: set[tuple[str, ...]] = set()
    found: dict[str, list[Way]] = {}
    for name, request in recorded().items():
        body = request.body
        if ANSWERS.get(name, (200, []))[0] == 400:
            continue
        for way in filter(_is_ours_to_try, ways(body)):
            member = ("" if len(way) > 2 else request.path, *_kind_of(body, way))
            if member not in seen:
                seen.add(member)
                found.setdefault(name, []).append(way)
    return found


TO_DAMAGE = _first_seen()


@pytest.mark.parametrize("name", sorted(TO_DAMAGE))
@pytest.mark.parametrize("damage", ["removed", "null", "of another kind", "empty"])
def test_a_damaged_request_is_never_a_failure_of_ours(name: str, damage: str) -> None:
    request = recorded()[name]
    body = request.body
    damages = {
        "removed": lambda _: ...,
        "null": lambda _: None,
        "of another kind": of_another_kind,
        "empty": empty_of,
    }
    found = {}
    for way in TO_DAMAGE[name]:
        if trouble := trouble_with(request, damaged(body, way, damages[damage](at(body, way)))):
            found["/".join(map(str, way))] = trouble
    assert found == {}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@effort(40)
@given(data=st.data())
def test_whatever_stands_wherever_is_never_a_failure_of_ours(data: st.DataObject) -> None:
    request = recorded()[data.draw(st.sampled_from(sorted(recorded())), label="request")]
    body = request.body
    for _ in range(data.draw(st.integers(1, 3), label="damages")):
        way = data.draw(st.sampled_from(sorted(ways(body), key=str) or [()]), label="where")
        if way:
            body = damaged(body, way, data.draw(st.just(...) | anything, label="what"))
    assert trouble_with(request, body) == ""
