"""CDS Hooks feedback: what became of our cards, read from whatever shape a client sends.

Nothing that may identify the patient goes further than this module: a comment is noted, its text is not
kept, and what is no code (too long, with a blank or an unusual character in it) is kept as ``OTHER``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cds_service.hooks.shape import check

ACCEPTED, OVERRIDDEN, OTHER = "accepted", "overridden", "other"
KNOWN_OUTCOMES = (ACCEPTED, OVERRIDDEN)

EPIC = "com.epic.cdshooks.feedback.overrideReason"
"""Prefix of the extension keys under which Epic tells the reason; kept as the system of its codes."""
_EPIC_KEYS = (f"{EPIC}.reasonCategory", f"{EPIC}.reasonTitle", f"{EPIC}.reasonDisplay")

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:|/+#-]{0,63}\Z")
_SYSTEM = re.compile(r"[A-Za-z][A-Za-z0-9._:/#%~-]{0,199}\Z")
_MOST_SUGGESTIONS = 50


@dataclass(frozen=True)
class FeedbackItem:
    """What was done with one card. ``card`` and ``reason_code`` may be ``OTHER``, ``reason_code`` also "".

    ``outcome_at`` is in UTC, None where the client named no moment that can be read; ``suggestions`` are ids,
    sorted, each once; ``commented`` says that a comment came.
    """

    card: str
    outcome: str
    outcome_at: datetime | None = None
    suggestions: tuple[str, ...] = ()
    reason_code: str = ""
    reason_system: str = ""
    commented: bool = False


def read_feedback(body: Any) -> list[FeedbackItem]:
    """The items of a feedback body, in its order.

    Raises BadRequest, naming each member at fault, where the body is no feedback: then none of it counts.
    Batches, repeats, unknown cards, unreadable moments and reasons of the client's own are normal.
    """
    check(body, "feedback", "CDS Hooks feedback (see the section Feedback of the standard)")
    return [_item(raw) for raw in body["feedback"]]


def _item(raw: Mapping[str, Any]) -> FeedbackItem:
    outcome = raw["outcome"].strip().lower()
    code, system, commented = _reason(raw)
    accepted = (one["id"] for one in (raw.get("acceptedSuggestions") or ())[:_MOST_SUGGESTIONS])
    return FeedbackItem(
        card=_code(raw["card"]),
        outcome=outcome if outcome in KNOWN_OUTCOMES else OTHER,
        outcome_at=_moment(raw.get("outcomeTimestamp")),
        suggestions=tuple(sorted({_code(identifier) for identifier in accepted})),
        reason_code=code,
        reason_system=system,
        commented=commented,
    )


def _code(text: str) -> str:
    """The text where it looks like a code or an id, lower-case where it is a UUID; else OTHER."""
    text = text.strip()
    if not _CODE.match(text):
        return OTHER
    # UUIDs are ours, written by us in lower case; some clients turn them into capitals.
    return text.lower() if re.fullmatch(r"[0-9A-Fa-f-]{36}", text) else text


def _reasons(raw: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The override reasons under the standard's name, then under Epic's plural, an object or a list."""
    for told in (raw.get("overrideReason"), raw.get("overrideReasons")):
        if isinstance(told, dict):
            yield told
        elif isinstance(told, list):
            yield from (one for one in told if isinstance(one, dict))


def _reason(raw: Mapping[str, Any]) -> tuple[str, str, bool]:
    """Code, system and whether a comment was given; the first reason with a code counts."""
    code, system, commented = "", "", False
    for told in _reasons(raw):
        commented = commented or bool((told.get("userComment") or "").strip())
        if code:
            continue
        reason = told.get("reason") or {}
        named = (reason.get("code") or "").strip()
        if named:
            code, system = _code(named), (reason.get("system") or "").strip()
            system = system if code != OTHER and _SYSTEM.match(system) else ""
        elif (reason.get("display") or "").strip():
            code = OTHER  # words only: a reason was chosen, but which one is told in text alone
        else:
            code, system = _epic(told.get("extension") or {})
    return code, system, commented


def _epic(extension: Mapping[str, Any]) -> tuple[str, str]:
    told = [extension[key] for key in _EPIC_KEYS if isinstance(extension.get(key), str | int)]
    codes = [code for one in told if (code := _code(str(one))) != OTHER]
    if codes:
        return codes[0], EPIC
    return (OTHER if any(str(one).strip() for one in told) else ""), ""


def _moment(text: str | None) -> datetime | None:
    """An RFC 3339 moment in UTC, one without an offset taken for UTC; None where it cannot be read."""
    try:
        moment = datetime.fromisoformat((text or "").strip().upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
