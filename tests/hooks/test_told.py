"""Which cards are told again, and what is remembered of all of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cds_service.hooks.told import (
    LONGEST_FINDING,
    Occasion,
    Override,
    Telling,
    ToldCard,
    finding_of,
    patient_hash,
)

NOW = datetime(2026, 5, 11, 9, 30, tzinfo=UTC)
KEY = b"a key that is long enough"
OCCASION = Occasion("rrmm-order-sign", "order-sign", "p1", "EMA", "default")


@dataclass
class Remembering:
    """Overrides by patient and finding, as a store would keep them."""

    known: dict[tuple[str, str], list[Override]] = field(default_factory=dict)
    kept: list[ToldCard] = field(default_factory=list)
    asked: int = 0

    def overrides(self, patient: str, findings: Collection[str], since: datetime) -> list[Override]:
        self.asked += 1
        return [
            one for finding in findings for one in self.known.get((patient, finding), ()) if one.at > since
        ]

    def told(self, cards: Sequence[ToldCard]) -> None:
        self.kept += cards


def card(uuid: str = "u1", finding: str = "f", indicator: str = "warning", **ours: Any) -> dict[str, Any]:
    extension = {
        "kind": "order-conflict",
        "finding": finding,
        "rules": ["BAR-16"],
        "knowledge": {"version": "1", "sha256": "2"},
    } | ours
    return {
        "uuid": uuid,
        "indicator": indicator,
        "summary": "s",
        "suggestions": [
            {"uuid": f"{uuid}-1", "label": "x", "extension": {"org.myeloma-cds": {"regimen": "s-vd"}}},
            {"uuid": f"{uuid}-2", "label": "y"},
        ],
        "extension": {"org.myeloma-cds": extension},
    }


def telling(memory: Remembering, **differing: Any) -> Telling:
    return Telling(memory, KEY, now=differing.pop("now", lambda: NOW), **differing)


def overridden(
    hours_ago: float, finding: str = "f", indicator: str = "warning", client: str = ""
) -> Remembering:
    found = Override(finding, indicator, NOW - timedelta(hours=hours_ago))
    return Remembering({(patient_hash(KEY, client, "p1"), finding): [found]})


@pytest.mark.parametrize(
    "case, indicator, overridden_as, hours_ago, shown",
    [
        ("just now", "warning", "warning", 0, False),
        ("within the week", "warning", "warning", 167.9, False),
        ("a week ago to the hour", "warning", "warning", 168, True),
        ("a danger within the day", "critical", "critical", 23.9, False),
        ("a danger is told again the next day", "critical", "critical", 24, True),
        ("a note", "info", "info", 100, False),
        ("graver than what was overridden", "critical", "warning", 1, True),
        ("graver still", "warning", "info", 1, True),
        ("less grave", "warning", "critical", 100, False),
    ],
)
def test_how_long_an_override_holds(
    case: str, indicator: str, overridden_as: str, hours_ago: float, shown: bool
) -> None:
    memory = overridden(hours_ago, indicator=overridden_as)
    told = telling(memory).sort_out([card(indicator=indicator)], OCCASION)
    assert bool(told.shown) is shown, case
    assert bool(told.held_back) is not shown, case
    assert [one.shown for one in memory.kept] == [shown]


def test_only_the_card_with_the_finding_is_held_back() -> None:
    memory = overridden(1)
    cards = [card("u1"), card("u2", finding="g"), card("u3", finding="")]
    told = telling(memory).sort_out(cards, OCCASION)
    assert (told.shown, told.held_back) == ([cards[1], cards[2]], [cards[0]])
    assert memory.asked == 1  # all findings in one question


@pytest.mark.parametrize(
    "occasion", [replace(OCCASION, patient_id="p2"), replace(OCCASION, client="another-hospital")]
)
def test_another_patient_is_told(occasion: Occasion) -> None:
    assert telling(overridden(1)).sort_out([card()], occasion).shown


def test_another_key_knows_nobody() -> None:
    assert Telling(overridden(1), b"another key, long enough", lambda: NOW).sort_out([card()], OCCASION).shown


@pytest.mark.parametrize("off, indicator", [("quiet", "warning"), ("quiet_critical", "critical")])
def test_zero_is_off(off: str, indicator: str) -> None:
    memory = overridden(0.1, indicator=indicator)
    told = telling(memory, **{off: timedelta(0)}).sort_out([card(indicator=indicator)], OCCASION)
    assert told.shown and memory.asked == 0


def test_in_silence_nothing_is_shown_nothing_asked_and_all_remembered() -> None:
    memory = overridden(1)
    told = telling(memory).sort_out([card()], replace(OCCASION, silent=True))
    assert (told.shown, told.held_back, memory.asked) == ([], [], 0)
    assert [one.shown for one in memory.kept] == [False]


def test_what_is_remembered_of_a_card() -> None:
    memory = Remembering()
    telling(memory).sort_out([card()], OCCASION)
    assert memory.kept == [
        ToldCard(
            uuid="u1",
            created_at=NOW,
            service="rrmm-order-sign",
            hook="order-sign",
            kind="order-conflict",
            indicator="warning",
            finding="f",
            rules=("BAR-16",),
            suggestions={"u1-1": "s-vd", "u1-2": ""},
            region="EMA",
            pathway="default",
            knowledge_version="1",
            knowledge_sha256="2",
            client="",
            patient_hash=patient_hash(KEY, "", "p1"),
            shown=True,
        )
    ]


def test_a_card_that_says_little_is_remembered_too() -> None:
    memory = Remembering()
    bare = {"uuid": "u1", "indicator": "info", "summary": "s"}
    assert telling(memory).sort_out([bare], OCCASION).shown == [bare]
    (kept,) = memory.kept
    assert (kept.kind, kept.finding, kept.rules, kept.suggestions) == ("other", "", (), {})


def test_the_patient_is_a_keyed_hash_and_nothing_else() -> None:
    hashed = patient_hash(KEY, "", "p1")
    assert len(hashed) == 64 and "p1" not in hashed
    assert (
        len(
            {
                hashed,
                patient_hash(KEY, "", "p2"),
                patient_hash(KEY, "c", "p1"),
                patient_hash(b"k" * 16, "", "p1"),
            }
        )
        == 4
    )
    assert patient_hash(KEY, "a", "bc") != patient_hash(KEY, "ab", "c")
    told = telling(Remembering())
    assert "key" not in repr(told) and "p1" not in repr(OCCASION)
    memory = Remembering()
    told = telling(memory)
    told.sort_out([card()], OCCASION)
    assert hashed not in repr(memory.kept)


def test_a_finding_too_long_for_the_store_is_still_its_own() -> None:
    first, second = card(finding="f" * 300 + "1"), card(finding="f" * 300 + "2")
    assert len(finding_of(first)) == len(finding_of(second)) == LONGEST_FINDING
    assert finding_of(first) != finding_of(second)
    assert finding_of(card(finding="f" * LONGEST_FINDING)) == "f" * LONGEST_FINDING
