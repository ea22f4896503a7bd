from __future__ import annotations

from typing import Any

import pytest

from cds_service.errors import BadRequest
from cds_service.hooks.feedback import outcomes
from cds_service.hooks.response import response, without_empty_members
from tests.hooks.calls import faults


@pytest.mark.parametrize(
    "value, sent",
    [
        ({"a": None, "b": 1}, {"b": 1}),
        ({"a": {"b": {"c": []}}, "d": 0}, {"d": 0}),
        ({"a": [None, "", {}, [], False]}, {"a": [False]}),
        ({"a": ""}, {}),
        ({"a": ({"b": None}, {"c": 0.0})}, {"a": [{"c": 0.0}]}),
    ],
)
def test_no_empty_member_is_sent(value: Any, sent: Any) -> None:
    assert without_empty_members(value) == sent


def test_no_advice_is_an_empty_list() -> None:
    assert response([]) == {"cards": []}
    assert faults(response([]), "cds-response") == []


ACCEPTED = {
    "card": "f6b95768-b1c8-40dc-8385-bf3504b82ffb",
    "outcome": "accepted",
    "acceptedSuggestions": [{"id": "01"}],
    "outcomeTimestamp": "2026-05-11T10:00:00Z",
}


@pytest.mark.parametrize(
    "case, items, counted",
    [
        ("one accepted", [ACCEPTED], {"accepted": 1}),
        ("a batch", [ACCEPTED, ACCEPTED | {"outcome": "overridden"}], {"accepted": 1, "overridden": 1}),
        (
            "the sandbox: dismissed without a reason",
            [{"card": "1", "outcome": "overridden"}],
            {"overridden": 1},
        ),
        (
            "Epic's spelling",
            [{"card": "5", "outcome": "overridden", "overrideReasons": {"userComment": "no"}}],
            {"overridden": 1},
        ),
        ("an outcome of their own", [{"card": "5", "outcome": "Deferred"}], {"other": 1}),
        ("nothing", [], {}),
    ],
)
def test_feedback_is_counted(case: str, items: list[Any], counted: dict[str, int]) -> None:
    assert outcomes({"feedback": items}) == counted, case


@pytest.mark.parametrize(
    "case, body, pointer",
    [
        ("a bare item", ACCEPTED, "/feedback"),
        ("a bare list", [ACCEPTED], ""),
        ("no card", {"feedback": [{"outcome": "accepted"}]}, "/feedback/0/card"),
        ("no outcome", {"feedback": [{"card": "1"}]}, "/feedback/0/outcome"),
        (
            "ids instead of objects",
            {"feedback": [ACCEPTED | {"acceptedSuggestions": ["01"]}]},
            "/feedback/0/acceptedSuggestions/0",
        ),
    ],
)
def test_what_is_no_feedback_is_refused(case: str, body: Any, pointer: str) -> None:
    with pytest.raises(BadRequest) as caught:
        outcomes(body)
    assert pointer in [fault.pointer for fault in caught.value.faults], case
