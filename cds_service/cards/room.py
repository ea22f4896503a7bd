"""How much a card's detail may say: what matters least goes first, until ten seconds suffice to read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cds_service.cards.markdown import Safe, word_count

DETAIL_WORDS = 300


@dataclass(frozen=True)
class Room:
    """How much a detail may say; the roomiest comes first, what matters least goes first."""

    burden: bool = True
    because: bool = True
    general_notes: bool = True
    disagreements: int = 99
    unknowns: int = 99
    evidence: bool = True
    nearest: int = 5
    bounded: bool = False  # the tersest: names are counted, and lines beyond the limit told by their number


_TERSE = Room(
    disagreements=0,
    burden=False,
    unknowns=1,
    general_notes=False,
    because=False,
    evidence=False,
    nearest=1,
)

ROOMS = (
    Room(),
    Room(disagreements=1),
    Room(disagreements=1, unknowns=3),
    Room(disagreements=1, unknowns=3, general_notes=False),
    Room(disagreements=0, unknowns=3, general_notes=False),
    Room(disagreements=0, burden=False, unknowns=3, nearest=4),
    Room(disagreements=0, burden=False, unknowns=3, general_notes=False, nearest=3),
    Room(disagreements=0, burden=False, unknowns=2, general_notes=False, because=False, nearest=2),
    _TERSE,
    replace(_TERSE, bounded=True),
)


def made_to_fit(detail: Callable[[Room], str]) -> str:
    """The roomiest detail that is short enough; the tersest where none is."""
    terse = ""
    for room in ROOMS:
        terse = detail(room)
        if word_count(terse) <= DETAIL_WORDS:
            break
    return Safe(terse)
