"""CDS Hooks feedback: what became of our cards.

Feedback is checked and counted. It is not kept: no card, no reason and no comment is stored, so the counts
of the metrics are all there is to see.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from cds_service.hooks.shape import check

KNOWN_OUTCOMES = ("accepted", "overridden")


def outcomes(body: Any) -> Counter[str]:
    """How often each outcome stands in a feedback body: accepted, overridden, other.

    Raises BadRequest where the body is no feedback. Batches, repeats and unknown card ids are normal.
    """
    check(body, "feedback", "CDS Hooks feedback (see the section Feedback of the standard)")
    words = (item["outcome"].strip().lower() for item in body["feedback"])
    return Counter(word if word in KNOWN_OUTCOMES else "other" for word in words)
