"""mappings/assertions.yaml as objects: what a clinician may assert, by which codes, and what is graver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cds_service.knowledge.types import Knowledge, Text

REFRACTORY, INTOLERANT, STATUS, LINES = "refractory", "intolerant", "disease-status", "prior-lines"
"""What can be asserted, in the words of the assessment's ``state.unknown``; the first two of one drug."""


_NOTHING = Text("")


@dataclass(frozen=True)
class Code:
    """A code of a system named in mappings/systems.yaml."""

    system: str
    code: str
    display: str = ""


@dataclass(frozen=True)
class AssertedAnswer:
    """One answer; ``progression``: it says that the disease progressed. ``also`` is the standard code."""

    key: str
    name: Text
    progression: bool = False
    also: Code | None = None


@dataclass(frozen=True)
class AssertedQuestion:
    """One question. Either ``answers``, the gravest first, or a whole number from ``least`` to ``most``."""

    key: str
    what: str
    of_drug: bool
    name: Text
    answers: tuple[AssertedAnswer, ...] = ()
    least: int = 0
    most: int = 0
    also: Code | None = None
    units: tuple[str, ...] = ()  # in which the number may be counted

    def answer(self, key: str) -> AssertedAnswer | None:
        """The answer of a key."""
        return next((one for one in self.answers if one.key == key), None)

    def graver(self, value: str) -> tuple[int, str]:
        """What to sort by so that the gravest comes first; of numbers that is the largest."""
        keys = [one.key for one in self.answers]
        return (keys.index(value), value) if value in keys else (-int(value), value)


@dataclass(frozen=True)
class Assertable:
    """Everything that can be asserted, by its ``what``; ``system`` and ``drugs`` are our code systems."""

    system: str = ""
    drugs: str = ""
    category: Code = Code("", "")
    drug: str = ""
    drug_name: Text = _NOTHING
    questions: Mapping[str, AssertedQuestion] = field(default_factory=dict)

    def question_of(self, what: str) -> AssertedQuestion:
        """The question behind "refractory:lenalidomide" or "prior-lines". Raises KeyError."""
        return self.questions[what.partition(":")[0]]


@lru_cache(maxsize=8)
def assertable(knowledge: Knowledge) -> Assertable:
    """What the knowledge lets be asserted; nothing of an older one without the file."""
    raw = knowledge.mappings.get("assertions")
    if not raw:
        return Assertable()
    return Assertable(
        raw["system"],
        raw["drugs"],
        Code(**raw["category"]),
        raw["drug"]["key"],
        _text(raw["drug"]["name"]),
        {one["what"]: _question(one) for one in raw["questions"]},
    )


def _text(raw: Mapping[str, str]) -> Text:
    return Text(raw["en"], raw.get("it"))


def _question(raw: Mapping[str, Any]) -> AssertedQuestion:
    numbers = raw.get("number", {})
    return AssertedQuestion(
        raw["key"],
        raw["what"],
        raw.get("of") == "drug",
        _text(raw["name"]),
        tuple(
            AssertedAnswer(
                one["key"],
                _text(one["name"]),
                bool(one.get("progression", False)),
                Code(**one["answer"]) if "answer" in one else None,
            )
            for one in raw.get("answers", ())
        ),
        numbers.get("least", 0),
        numbers.get("most", 0),
        Code(**raw["question"]) if "question" in raw else None,
        tuple(numbers.get("units", ())),
    )
