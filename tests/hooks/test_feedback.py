"""Feedback as clients send it, and what is kept of it. Numbers are those of docs/conformance.md."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cds_service.errors import BadRequest
from cds_service.hooks.feedback import EPIC, FeedbackItem, read_feedback

ID = "4e0a3a1e-3283-4575-ab82-028d55fe2719"
AT = "2026-05-11T10:00:00Z"
MOMENT = datetime(2026, 5, 11, 10, tzinfo=UTC)
CODES = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
ACCEPTED = {"card": ID, "outcome": "accepted", "acceptedSuggestions": [{"id": ID}], "outcomeTimestamp": AT}
OVERRIDDEN = {"card": ID, "outcome": "overridden", "outcomeTimestamp": AT}


def one(**members: Any) -> FeedbackItem:
    (item,) = read_feedback({"feedback": [OVERRIDDEN | members]})
    return item


def test_a_batch_keeps_its_order() -> None:  # [119, 120, 121, 123, 125]
    assert read_feedback({"feedback": [ACCEPTED, OVERRIDDEN, ACCEPTED], "extension": {"x": 1}}) == [
        FeedbackItem(ID, "accepted", MOMENT, (ID,)),
        FeedbackItem(ID, "overridden", MOMENT),
        FeedbackItem(ID, "accepted", MOMENT, (ID,)),
    ]
    assert read_feedback({"feedback": []}) == []


@pytest.mark.parametrize(
    "case, members, code, system, commented",
    [
        (
            "a reason of the card",
            {"overrideReason": {"reason": {"code": "trial", "system": CODES, "display": "In a trial"}}},
            "trial", CODES, False,
        ),
        ("the sandbox: no display", {"overrideReason": {"reason": {"code": "trial", "system": CODES}}},
         "trial", CODES, False),
        ("the sandbox: no system", {"overrideReason": {"reason": {"code": "trial"}}}, "trial", "", False),
        ("only a comment", {"overrideReason": {"userComment": "Mrs Rossi prefers to wait"}}, "", "", True),
        ("a blank comment", {"overrideReason": {"userComment": "  "}}, "", "", False),
        ("both", {"overrideReason": {"reason": {"code": "trial"}, "userComment": "x"}}, "trial", "", True),
        ("no reason at all", {}, "", "", False),
        ("null", {"overrideReason": None, "acceptedSuggestions": None}, "", "", False),
        ("an empty object", {"overrideReason": {}}, "", "", False),
        ("null within", {"overrideReason": {"reason": None, "userComment": None, "extension": None}},
         "", "", False),
        ("words as code", {"overrideReason": {"reason": {"code": "Maria Rossi, 1951", "system": CODES}}},
         "other", "", False),
        ("a code too long", {"overrideReason": {"reason": {"code": "x" * 65}}}, "other", "", False),
        ("a line break", {"overrideReason": {"reason": {"code": "a\nb"}}}, "other", "", False),
        ("words only", {"overrideReason": {"reason": {"display": "Maria Rossi is too ill"}}},
         "other", "", False),
        ("words as system", {"overrideReason": {"reason": {"code": "trial", "system": "Maria Rossi"}}},
         "trial", "", False),
        ("Epic's plural", {"overrideReasons": {"reason": {"code": "5", "system": "urn:oid:1.2.3"},
                                               "userComment": "no"}}, "5", "urn:oid:1.2.3", True),
        ("Epic's plural as a list", {"overrideReasons": [{"userComment": "no"}, {"reason": {"code": "5"}}]},
         "5", "", True),
        (
            "Epic's extension",
            {"overrideReasons": {"extension": {f"{EPIC}.reasonCategory": "3", f"{EPIC}.reasonTitle": "Later",
                                               f"{EPIC}.reasonDisplay": "Not now"}, "userComment": "x"}},
            "3", EPIC, True,
        ),
        ("Epic's number", {"overrideReasons": {"extension": {f"{EPIC}.reasonCategory": 3}}},
         "3", EPIC, False),
        ("Epic's words", {"overrideReasons": {"extension": {f"{EPIC}.reasonDisplay": "Not for Mr Rossi"}}},
         "other", "", False),
        ("an extension of others", {"overrideReason": {"extension": {"com.example": {"a": 1}}}},
         "", "", False),
    ],
)  # fmt: skip
def test_reasons(case: str, members: dict[str, Any], code: str, system: str, commented: bool) -> None:
    item = one(**members)  # [124]
    assert (item.reason_code, item.reason_system, item.commented) == (code, system, commented), case


@pytest.mark.parametrize(
    "text, moment",
    [
        ("1985-04-12T23:20:50.52Z", datetime(1985, 4, 12, 23, 20, 50, 520_000, tzinfo=UTC)),
        ("2026-05-11t10:00:00z", MOMENT),
        ("2026-05-11T12:00:00+02:00", MOMENT),
        ("2026-05-11T10:00:00", MOMENT),
        ("2026-05-11T10:00:00.123456789Z", MOMENT.replace(microsecond=123_456)),
        ("yesterday", None),
        ("", None),
        (None, None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_moments_are_put_into_utc(text: str | None, moment: datetime | None) -> None:  # [122]
    assert one(outcomeTimestamp=text).outcome_at == moment


@pytest.mark.parametrize(
    "sent, kept",
    [
        (ID.upper(), ID),
        ("5", "5"),
        (" card-5 ", "card-5"),
        ("Maria Rossi", "other"),
        ("x" * 65, "other"),
        ("a\x00b", "other"),
        ("è", "other"),
    ],
)
def test_ids_are_kept_where_they_look_like_ids(sent: str, kept: str) -> None:
    item = one(card=sent, acceptedSuggestions=[{"id": sent}, {"id": sent}])
    assert (item.card, item.suggestions) == (kept, (kept,))


@pytest.mark.parametrize(
    "outcome, kept", [("Overridden", "overridden"), (" accepted", "accepted"), ("Deferred", "other")]
)
def test_outcomes(outcome: str, kept: str) -> None:
    assert one(outcome=outcome).outcome == kept


def test_nothing_a_client_writes_in_words_is_kept() -> None:
    words = "Maria Rossi, born 1951"
    reason = {"reason": {"code": words, "system": words, "display": words}, "userComment": words}
    epic = {"extension": {f"{EPIC}.reasonDisplay": words}, "userComment": words}
    item = one(
        card=words,
        outcome=words,
        outcomeTimestamp=words,
        acceptedSuggestions=[{"id": words}],
        overrideReason=reason,
        overrideReasons=[epic],
        extension={"x": words},
    )
    assert "Rossi" not in repr(item)


@pytest.mark.parametrize(
    "case, body, pointers",
    [
        ("a bare item", ACCEPTED, ["/feedback"]),
        ("a bare list", [ACCEPTED], [""]),
        ("no list", {"feedback": ACCEPTED}, ["/feedback"]),
        ("no card", {"feedback": [{"outcome": "accepted"}]}, ["/feedback/0/card"]),
        ("no outcome", {"feedback": [{"card": "1"}]}, ["/feedback/0/outcome"]),
        ("a blank card", {"feedback": [OVERRIDDEN | {"card": " "}]}, ["/feedback/0/card"]),
        (
            "ids instead of objects",
            {"feedback": [ACCEPTED | {"acceptedSuggestions": ["01"]}]},
            ["/feedback/0/acceptedSuggestions/0"],
        ),
        (
            "every fault of every item",
            {
                "feedback": [
                    OVERRIDDEN | {"card": 5, "outcomeTimestamp": 7},
                    OVERRIDDEN,
                    OVERRIDDEN | {"overrideReason": {"reason": "trial", "userComment": ["x"]}},
                    OVERRIDDEN | {"overrideReason": "trial"},
                    OVERRIDDEN | {"overrideReasons": [{"reason": {"code": 5, "system": {}}}, 7]},
                    OVERRIDDEN | {"overrideReasons": {"extension": []}},
                ]
            },
            [
                "/feedback/0/card",
                "/feedback/0/outcomeTimestamp",
                "/feedback/2/overrideReason/reason",
                "/feedback/2/overrideReason/userComment",
                "/feedback/3/overrideReason",
                "/feedback/4/overrideReasons/0/reason/code",
                "/feedback/4/overrideReasons/0/reason/system",
                "/feedback/4/overrideReasons/1",
                "/feedback/5/overrideReasons/extension",
            ],
        ),
    ],
)
def test_what_is_no_feedback_is_refused_with_every_fault(case: str, body: Any, pointers: list[str]) -> None:
    with pytest.raises(BadRequest) as caught:
        read_feedback(body)
    assert sorted(fault.pointer for fault in caught.value.faults) == sorted(pointers), case
