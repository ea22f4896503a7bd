"""What is said of orders while they are chosen and when they are signed; see docs/clinical-cases.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from cds_service.assess import Assessment, Assessor, Question
from cds_service.cards.render import DETAIL_WORDS, EXTENSION
from cds_service.knowledge.types import Knowledge
from cds_service.record import Completeness
from tests.clinical.notation import PATIENT, Notation
from tests.clinical.table import AS_OF

FOLDER = Path(__file__).parent / "orders"
WORDS = {
    "case", "chart", "orders", "both", "select", "sign", "region", "history", "as_of",
    "summary", "summary_it", "offers", "offers_not", "removes", "adds", "because",
}  # fmt: skip
CASES = [
    case
    for file in sorted(FOLDER.glob("*.yaml"))
    for case in yaml.safe_load(file.read_text(encoding="utf-8"))["cases"]
]
MOMENTS = [
    (moment, case)
    for case in CASES
    for moment, word in (("order-select", "select"), ("order-sign", "sign"))
    if word in case or "both" in case
]
MEDICATIONS = (
    "medicationStatements",
    "medicationRequests",
    "medicationAdministrations",
    "medicationDispenses",
)


def _told(cards: list[dict[str, Any]]) -> str:
    """What was answered, as the table writes it: "warning refractory-component:lenalidomide", "silence"."""
    if not cards:
        return "silence"
    parts = []
    for card in cards:
        kind, _, finding = card["extension"][EXTENSION]["finding"].partition("|")
        # Which contraindication it was stands behind the drug.
        told = " ".join(sorted({one.partition("/")[0] for one in finding.split(",")}))
        parts.append(f"{card['indicator']} {told}" if kind == "order-conflict" else kind)
    return "; ".join(parts)


def _assess(
    case: Mapping[str, Any], moment: str, notation: Notation, assessor: Assessor, language: str = "en"
) -> Assessment:
    as_of = case.get("as_of", AS_OF)
    drafts, selected = notation.orders(case["orders"])
    completeness = None
    if case.get("history") == "did not come":
        completeness = {"conditions": Completeness.COMPLETE} | dict.fromkeys(MEDICATIONS, Completeness.ABSENT)
    question = Question(
        as_of=as_of,
        region=case.get("region", "EMA"),
        language=language,
        moment=moment,
        patient_id=PATIENT,
        drafts=tuple(drafts),
        # order-sign names no selections: everything drafted is signed
        selections=tuple(selected) if moment == "order-select" else None,
        completeness=completeness,
    )
    return assessor.assess(notation.resources(case["chart"], as_of=as_of), question)


@pytest.mark.parametrize(
    ("moment", "case"), MOMENTS, ids=[f"{case['case']} ({moment})" for moment, case in MOMENTS]
)
def test_an_order_is_answered_as_a_haematologist_would(
    moment: str, case: Mapping[str, Any], notation: Notation, assessor: Assessor, knowledge: Knowledge
) -> None:
    assessment = _assess(case, moment, notation, assessor)
    expected = case.get(moment.removeprefix("order-"), case.get("both"))
    assert _told(assessment.cards) == " ".join(expected.split()), [c["summary"] for c in assessment.cards]
    in_italian = _assess(case, moment, notation, assessor, "it").cards
    assert [len(c["summary"]) <= 139 for c in (*assessment.cards, *in_italian)].count(False) == 0
    if not assessment.cards:
        return
    (card,), (italian,) = assessment.cards, in_italian
    for told, word in ((card, "summary"), (italian, "summary_it")):
        if word in case:
            assert told["summary"] == " ".join(case[word].split())
        assert len(told["detail"].split()) <= DETAIL_WORDS
    assert case.get("because", "") in card["detail"]
    offered = [one["extension"][EXTENSION]["regimen"] for one in card.get("suggestions", ())]
    if case.get("offers") == "nothing":
        assert not offered
    else:
        assert set(case.get("offers", "").split()) <= set(offered)
    assert set(case.get("offers_not", "").split()).isdisjoint(offered)
    if card["extension"][EXTENSION]["kind"] == "order-conflict":
        _what_suggestions_do(case, card, assessment, knowledge)


def _what_suggestions_do(
    case: Mapping[str, Any], card: dict[str, Any], assessment: Assessment, knowledge: Knowledge
) -> None:
    for suggestion in card.get("suggestions", ()):
        actions = suggestion["actions"]
        deleted = {a["resourceId"] for a in actions if a["type"] == "delete"}
        created = [
            a["resource"]["medicationCodeableConcept"]["text"] for a in actions if a["type"] == "create"
        ]
        if card["indicator"] == "info":
            assert not deleted
            assert " ".join(created) == case.get("adds", "")
            continue
        regimen = knowledge.regimens[suggestion["extension"][EXTENSION]["regimen"]]
        assert sorted(created) == sorted(knowledge.drugs[key].name.en for key in regimen.components)
        if "removes" in case:
            assert deleted == {f"MedicationRequest/draft-{n}" for n in str(case["removes"]).split()}
        stays = {
            d.reference for d in assessment.record.drafts if knowledge.drugs[d.drug].role == "supportive"
        }
        assert not deleted & stays


def test_every_case_is_well_written() -> None:
    names = [case["case"] for case in CASES]
    assert len(names) == len(set(names)) >= 60
    assert not {word for case in CASES for word in case} - WORDS
    assert all({"both", "select", "sign"} & set(case) for case in CASES)


@pytest.mark.parametrize(
    "case", [c for c in CASES if "critical" in str(c.get("both"))], ids=lambda c: c["case"]
)
def test_what_can_injure_is_told_first(
    case: Mapping[str, Any], notation: Notation, assessor: Assessor
) -> None:
    """In the order of the answer, which is that of the bullets in the detail."""
    conflicts = _assess(case, "order-sign", notation, assessor).answer.conflicts
    assert [c.critical for c in conflicts] == sorted((c.critical for c in conflicts), reverse=True)
