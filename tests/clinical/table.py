"""The table of clinical cases: cases/*.yaml and sentences.yaml, and what a case expects of a state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
AS_OF = date(2026, 11, 1)
"""The day on which a case is looked at, unless it says otherwise."""

_LINE_WORDS = {  # word of the table -> member of the assessment's line
    "number": "number",
    "regimen": "regimen",
    "start": "start",
    "end": "end",
    "starts": "starts_because",
    "ends": "ends_because",
    "best": "best_response",
    "progression": "progression",
    "transplant": "transplant",
    "certainty": "certainty",
    "months_to_progression": "months_to_progression",
}
EXPECTABLE = {
    "lines",
    "prior_lines",
    "drugs",
    "classes",
    "labels",
    "labels_with",
    "labels_without",
    "diagnosis",
    "relapse",
    "choice",
    "unknown",
    "unknown_without",
    "issues",
    "issues_without",
    "intolerant",
    "because",
    "purposes",
    "labs",
    "state",
}


@dataclass(frozen=True)
class Case:
    """One patient in one sentence: the chart, and what a haematologist would say of it."""

    name: str
    sentences: tuple[str, ...]
    chart: str
    expect: Mapping[str, Any]
    as_of: date
    topic: str
    also: tuple[str, ...] = ()  # further forms of charting that must give the same
    numbers: tuple[str, ...] = ()  # those of definitions/imwg.yaml that decide it
    language: str = "en"
    region: str = "EMA"

    @property
    def forms(self) -> tuple[str, ...]:
        """How it is charted in turn: statements of R4 and of R5, and what ``also`` names."""
        return ("statements", "R5", *self.also)


@dataclass(frozen=True)
class Sentence:
    """A sentence or table cell of the definitions; ``remark`` says why one is no rule about the state."""

    id: str
    text: str
    source: str
    remark: str = ""


def cases(folder: Path = HERE / "cases") -> list[Case]:
    """All cases, by topic in the order of the files. Raises ValueError where a case is not well written."""
    return [case for file in sorted(folder.glob("*.yaml")) for case in cases_of(file)]


def cases_of(file: Path) -> list[Case]:
    """The cases of one file."""
    found = []
    for entry in yaml.safe_load(file.read_text(encoding="utf-8")) or []:
        name = entry.get("case", "?")
        strange = set(entry) - {
            "case",
            "sentence",
            "chart",
            "expect",
            "as_of",
            "also",
            "numbers",
            "language",
            "region",
        }
        strange -= {"answers", "wrong", "topic"}  # of a case still pending
        strange |= set(entry.get("expect", {})) - EXPECTABLE
        if strange or not entry.get("expect"):
            raise ValueError(f"{file.name}, {name!r}: {', '.join(sorted(strange)) or 'nothing is expected'}")
        found.append(
            Case(
                name,
                tuple(_listed(entry["sentence"])),
                entry["chart"],
                entry["expect"],
                entry.get("as_of", AS_OF),
                file.stem,
                tuple(_listed(entry.get("also", ()))),
                tuple(_listed(entry.get("numbers", ()))),
                entry.get("language", "en"),
                entry.get("region", "EMA"),
            )
        )
    return found


def sentences() -> list[Sentence]:
    """The sentences of the definitions, in their order."""
    sections = yaml.safe_load((HERE / "sentences.yaml").read_text(encoding="utf-8"))
    return [Sentence(**entry) for entries in sections.values() for entry in entries]


def _listed(value: Any) -> Iterable[str]:
    return value.split() if isinstance(value, str) else value


# ---- expectation against answer ---------------------------------------------------------------------------
@dataclass
class _Differences:
    found: list[str] = field(default_factory=list)

    def same(self, what: str, expected: Any, answered: Any) -> None:
        if isinstance(expected, date):
            expected = expected.isoformat()
        if isinstance(expected, float) and isinstance(answered, int | float):
            if abs(expected - answered) <= 0.05 + 1e-9:
                return
        elif expected == answered:
            return
        self.found.append(f"{what}: expected {expected}, answered {answered}")


def differences(
    case: Case, state: Mapping[str, Any], issues: Iterable[Mapping[str, Any]], form: str = "statements"
) -> list[str]:
    """Where the ``state`` of an assessment, and its issues, differ from what a case expects; else [].

    Known from orders alone, a drug's state is computed where a statement would document it: of that form the
    certainty is not asked.
    """
    expect, told = case.expect, _Differences()
    codes = {issue["code"] for issue in issues}
    if "lines" in expect:
        _lines(expect["lines"], state["lines_of_therapy"], told)
    if "prior_lines" in expect:
        told.same("prior_lines", expect["prior_lines"], state["prior_lines"])
    for key, said in expect.get("drugs", {}).items():
        status, _, certainty = str(said).partition(" (")
        drug = state["drugs"][key]
        told.same(f"{key} ({drug['because']})", status, drug["status"])
        if certainty and form != "requests":
            told.same(f"certainty of {key}", certainty.rstrip(")"), drug["certainty"])
    for key, status in expect.get("classes", {}).items():
        told.same(f"class {key}", status, state["classes"][key]["status"])
    for key, words in expect.get("because", {}).items():
        because = state["drugs"][key]["because"]
        if words not in because:
            told.found.append(f"{key} should say {words!r}, says {because!r}")
    _labels(expect, state["labels"], told)
    diagnosis = state["diagnosis"]
    if "diagnosis" in expect:
        told.same("diagnosis", expect["diagnosis"], f"{diagnosis['status']} {diagnosis['kind']}")
    if "relapse" in expect:
        told.same("relapse", expect["relapse"], diagnosis.get("relapse"))
    if "choice" in expect:
        told.same("choice", expect["choice"], state["needs_treatment_choice"])
    unknown = {one["what"] for one in state["unknown"]}
    told.same("unknown", set(), set(expect.get("unknown", ())) - unknown)
    told.same("not unknown", set(), set(expect.get("unknown_without", ())) & unknown)
    told.same("issues", set(), set(expect.get("issues", ())) - codes)
    told.same("no issues", set(), set(expect.get("issues_without", ())) & codes)
    if "intolerant" in expect:
        intolerant = sorted(key for key, drug in state["drugs"].items() if drug["intolerant"])
        told.same("intolerant", sorted(expect["intolerant"]), intolerant)
    if "purposes" in expect:
        decided = {one["drug"]: f"{one['purpose']} ({one['certainty']})" for one in state["purposes"]}
        for key, value in expect["purposes"].items():
            words = decided.pop(key, "none")
            told.same(f"purpose of {key}", value, words if "(" in value else words.split(" ")[0])
        told.same("other purposes", {}, decided)
    for key, value in expect.get("labs", {}).items():
        told.same(key, value, state["labs"].get(key, {}).get("value"))
    if "state" in expect:
        _within(expect["state"], state, "state", told)
    return told.found


def _lines(expected: Any, answered: list[Mapping[str, Any]], told: _Differences) -> None:
    if isinstance(expected, int):
        told.same("number of lines", expected, len(answered))
        return
    told.same("number of lines", len(expected), len(answered))
    for place, (words, line) in enumerate(zip(expected, answered, strict=False), start=1):
        for word, value in words.items():
            if word == "drugs":
                told.same(f"drugs of line {place}", sorted(_listed(value)), sorted(line["drugs"]))
            else:
                told.same(f"{word} of line {place}", value, line.get(_LINE_WORDS[word]))


def _labels(expect: Mapping[str, Any], labels: list[str], told: _Differences) -> None:
    if "labels" in expect:
        told.same("labels", sorted(expect["labels"]), sorted(labels))
    told.same("labels_with", set(), set(expect.get("labels_with", ())) - set(labels))
    told.same("labels_without", set(), set(expect.get("labels_without", ())) & set(labels))


def _within(expected: Any, answered: Any, where: str, told: _Differences) -> None:
    """Whether an answer holds all that is expected: members of objects, entries of lists in any order."""
    if isinstance(expected, Mapping) and isinstance(answered, Mapping):
        for key, value in expected.items():
            if value is None:
                told.same(f"{where}.{key}", False, key in answered)
            else:
                _within(value, answered.get(key), f"{where}.{key}", told)
    elif isinstance(expected, list) and isinstance(answered, list):
        for one in expected:
            tries = []
            for other in answered:
                attempt = _Differences()
                _within(one, other, where, attempt)
                tries.append(attempt.found)
            if all(tries):
                told.found.append(f"{where}: nothing is {one} among {answered}")
    else:
        told.same(where, expected, answered)
