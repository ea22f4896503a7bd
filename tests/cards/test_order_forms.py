"""Regimens suggested as one resource, and without doses: for the clients and sites that want it so."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.cards.manner import Manner, SmartApp
from cds_service.cards.render import Renderer
from cds_service.knowledge.types import Knowledge
from cds_service.sequencing.types import Answer
from tests.cards.answers import chart, first_relapse, recommending
from tests.publish.judges import complaints


def suggestions(renderer: Renderer, manner: Manner, *regimens: str, **more: Any) -> list[dict[str, Any]]:
    (card,) = renderer.cards(
        chart(encounter="Encounter/e1"),
        first_relapse(),
        recommending(*regimens, **more),
        Answer(sequencing=True),
        manner=manner,
    )
    found: list[dict[str, Any]] = card["suggestions"]
    return found


@pytest.mark.parametrize("form", ["request-group", "care-plan"])
@pytest.mark.parametrize("region", ["EMA", "FDA"])
@pytest.mark.parametrize("doses", [True, False])
def test_every_regimen_as_a_whole_is_valid(
    renderer: Renderer, knowledge: Knowledge, form: str, region: str, doses: bool
) -> None:
    labelled = [r.key for r in knowledge.regimens.values() if any(one.region == region for one in r.labels)]
    for start in range(0, len(labelled), 5):
        for suggestion in suggestions(
            renderer, Manner(orders=form, doses=doses), *labelled[start : start + 5], region=region
        ):
            (action,) = suggestion["actions"]
            assert action["type"] == "create"
            assert complaints(action["resource"]) == []


@pytest.mark.parametrize("form", ["request-group", "care-plan"])
def test_the_whole_holds_the_orders_of_each_drug_and_says_whose_it_is(renderer: Renderer, form: str) -> None:
    (apart,) = suggestions(renderer, Manner(), "s-vd")
    (whole,) = suggestions(renderer, Manner(orders=form), "s-vd")
    (action,) = whole["actions"]
    resource = action["resource"]
    contained = [{k: v for k, v in one.items() if k != "id"} for one in resource["contained"]]
    assert contained == [one["resource"] for one in apart["actions"]]
    assert (resource["status"], resource["intent"]) == ("draft", "proposal")
    assert resource["subject"] == {"reference": "Patient/p1"}
    assert resource["encounter"] == {"reference": "Encounter/e1"}
    pointed = (
        [one["resource"]["reference"] for one in resource["action"][0]["action"]]
        if form == "request-group"
        else [one["reference"]["reference"] for one in resource["activity"]]
    )
    assert pointed == ["#selinexor", "#bortezomib", "#dexamethasone"]
    assert "100 mg" in action["description"], "a client may show nothing but the description"


def test_without_doses_no_order_holds_one_and_each_says_so(renderer: Renderer, knowledge: Knowledge) -> None:
    labelled = [r.key for r in knowledge.regimens.values() if any(one.region == "EMA" for one in r.labels)]
    for start in range(0, len(labelled), 5):
        for suggestion in suggestions(renderer, Manner(doses=False), *labelled[start : start + 5]):
            for action in suggestion["actions"]:
                order = action["resource"]
                assert "dosageInstruction" not in order
                notes = [note["text"] for note in order["note"]]
                assert any("without doses" in note for note in notes)
                assert not any(note.startswith(("Source of the dose", "Other schedule")) for note in notes)
                assert not any("Lymphodepletion" in note and " mg" in note for note in notes)
                assert "no dose is given here" in action["description"]


@pytest.mark.requirement(111, 115)
def test_a_trusted_clients_app_is_linked_and_nothing_in_any_link_tells_who_the_patient_is(
    renderer: Renderer,
) -> None:
    app = SmartApp("https://app.example/launch", "Myeloma history")
    (card,) = renderer.cards(
        chart(),
        first_relapse(),
        recommending("s-vd"),
        Answer(sequencing=True),
        manner=Manner(smart_app=app),
    )
    smart = [link for link in card["links"] if link["type"] == "smart"]
    assert smart == [{"label": "Myeloma history", "url": "https://app.example/launch", "type": "smart"}]
    assert not any("p1" in link["url"] for link in card["links"])
    explained = card["links"][0]["url"]
    assert "/explain/sequencing/" in explained
