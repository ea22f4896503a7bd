from __future__ import annotations

from typing import Any

import pytest

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
