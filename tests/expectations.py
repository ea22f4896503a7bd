"""Hold an assessment against what a clinician expects of it, and say in sentences what does not fit.

``expected`` is the format of ``tests/patients/README.md``. Nothing here knows how an assessment is
made: only its public JSON is read.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

GIVEN = frozenset({"exposed", "sensitive", "refractory"})
FULL_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(T\S*)?")
COARSE_DATE = re.compile(r"\d{4}(-\d{2})?")
DATE_KEYS = ("date", "time", "start", "end", "issued", "authoredon")


@dataclass(frozen=True)
class Miss:
    """One expectation that an assessment does not meet; ``strict`` as the patient's file has it."""

    field: str
    item: str
    sentence: str
    strict: bool

    def __str__(self) -> str:
        return self.sentence


class Answered:
    """The parts of an assessment's JSON that expectations speak about."""

    def __init__(self, assessment: Mapping[str, Any]) -> None:
        self.state: Mapping[str, Any] = assessment["state"]
        self.recommendation: Mapping[str, Any] = assessment["recommendation"]
        self.cards: list[Mapping[str, Any]] = list(assessment.get("cards", []))
        self.issues: list[Mapping[str, Any]] = list(assessment.get("issues", []))

    def drug_status(self, drug: str) -> str:
        """Status of a drug; "" where the assessment does not name it."""
        return str(self.state["drugs"].get(drug, {}).get("status", ""))

    def was_given(self, drug: str) -> bool:
        """Whether the drug is in the myeloma exposure, also where its refractoriness is unknown."""
        entry = self.state["drugs"].get(drug, {})
        if entry.get("status") in GIVEN:
            return True
        in_a_line = any(drug in line["drugs"] for line in self.state["lines_of_therapy"])
        return in_a_line or (
            entry.get("status") == "unknown" and bool(entry.get("first") or entry.get("last"))
        )

    def class_status(self, key: str) -> str:
        """Status of a class; "" where the assessment does not name it."""
        return str(self.state["classes"].get(key, {}).get("status", ""))

    def has_label(self, label: str) -> bool:
        """Whether the label is given, with any pair behind its colon unless the pair is asked for."""
        return any(given == label or given.split(":", 1)[0] == label for given in self.state["labels"])

    def suggested(self) -> list[str]:
        """Regimens offered by the recommendation or by any card, each once, best first."""
        offered = [entry["regimen"] for entry in self.recommendation["suggested"]]
        for card in self.cards:
            for suggestion in card.get("suggestions", []):
                regimen = suggestion.get("extension", {}).get("org.myeloma-cds", {}).get("regimen")
                if regimen:
                    offered.append(regimen)
        return list(dict.fromkeys(offered))

    def card_kinds(self) -> list[str]:
        """Kinds of the cards shown."""
        return [
            str(card.get("extension", {}).get("org.myeloma-cds", {}).get("kind", "")) for card in self.cards
        ]

    def warnings(self) -> str:
        """Everything that cautions, refuses, conflicts or is unknown, as one lower-case text."""
        parts: list[Any] = [
            [entry.get("cautions", []) for entry in self.recommendation["suggested"]],
            [entry.get("reasons", []) for entry in self.recommendation["not_suggested"]],
            self.recommendation.get("notes", []),
            self.state.get("unknown", []),
            self.issues,
            [[card.get("summary", ""), card.get("detail", "")] for card in self.cards],
        ]
        return json.dumps(parts, ensure_ascii=False).lower()

    def refuses(self, regimens: Iterable[str], codes: Iterable[str]) -> bool:
        """Whether one of the regimens is refused for one of the reasons."""
        wanted, reasons = set(regimens), set(codes)
        return any(
            entry["regimen"] in wanted and reasons & {reason["code"] for reason in entry["reasons"]}
            for entry in self.recommendation["not_suggested"]
        )

    def cautions(self, word: str) -> bool:
        """Whether a caution of a suggested regimen speaks of the word."""
        cautions = [entry.get("cautions", []) for entry in self.recommendation["suggested"]]
        return word in json.dumps(cautions, ensure_ascii=False).lower()


# Warnings that the patients name by a concept of their own rather than by a word of the answer.
NAMED_WARNINGS: dict[str, Callable[[Answered], bool]] = {
    "order-conflict-refractory": lambda a: (
        "order-conflict" in a.card_kinds() and "refractory" in a.warnings()
    ),
    "anti-cd38-retreatment": lambda a: (
        a.refuses(
            ("d-vd", "d-kd", "d-pd", "isa-kd", "isa-pd", "d-rd"),
            ("refractory-component", "refractory-class", "avoided-by-rule"),
        )
        or "order-conflict" in a.card_kinds()
    ),
    "bortezomib-neuropathy": lambda a: (
        a.cautions("neuropathy")
        or a.refuses(("vd", "d-vd", "s-vd", "p-vd", "bela-vd"), ("contraindicated", "intolerance"))
    ),
}


def warns(answered: Answered, concept: str) -> bool:
    """Whether the concept appears as a caution, a conflict, a refusal, an issue or an unknown."""
    named = NAMED_WARNINGS.get(concept)
    if named is not None:
        return named(answered)
    if concept.startswith("refractory:"):
        return any(entry["what"] == concept for entry in answered.state.get("unknown", []))
    text = answered.warnings()
    return concept.lower() in text or concept.lower().replace("-", " ") in text


def _wrong(answered: Answered, field: str, wanted: Any) -> Iterator[tuple[str, str]]:
    """Pairs of item and sentence for whatever of one field does not hold."""
    state = answered.state
    offered = answered.suggested()
    match field:
        case "lines_of_therapy":
            low, high = wanted.get("min", 0), wanted.get("max", 99)
            for name, count in (
                ("prior_lines", state.get("prior_lines")),
                ("lines_of_therapy", len(state["lines_of_therapy"])),
            ):
                if count is None or not low <= count <= high:
                    yield "", f"{name} is {count}, expected {low} to {high}"
        case "exposed":
            for drug in wanted:
                if not answered.was_given(drug):
                    yield (
                        drug,
                        f"{drug} should count as given, is {answered.drug_status(drug) or 'not named'}",
                    )
        case "not_exposed":
            for drug in wanted:
                if answered.was_given(drug):
                    yield drug, f"{drug} should not count as given, is {answered.drug_status(drug)}"
        case "refractory":
            for drug in wanted:
                if answered.drug_status(drug) != "refractory":
                    yield drug, f"{drug} should be refractory, is {answered.drug_status(drug) or 'not named'}"
        case "not_refractory":
            for drug in wanted:
                if answered.drug_status(drug) == "refractory":
                    yield drug, f"{drug} should not be refractory"
        case "unknown_refractoriness":
            for drug in wanted:
                if answered.drug_status(drug) != "unknown":
                    yield drug, f"{drug} should be unknown, is {answered.drug_status(drug) or 'not named'}"
        case "intolerant":
            for drug in wanted:
                if not state["drugs"].get(drug, {}).get("intolerant"):
                    yield drug, f"{drug} should be marked as not tolerated"
        case "class_states":
            for key, status in wanted.items():
                actual = answered.class_status(key)
                if actual != status and not (status == "exposed" and actual == "sensitive"):
                    yield key, f"class {key} should be {status}, is {actual or 'not named'}"
        case "labels":
            for label in wanted:
                if not answered.has_label(label):
                    yield label, f"label {label} is missing from {list(state['labels'])}"
        case "must_not_label":
            for label in wanted:
                if answered.has_label(label):
                    yield label, f"label {label} must not stand in {list(state['labels'])}"
        case "no_suggestions":
            if wanted and offered:
                yield "", f"nothing should be suggested, but {', '.join(offered)} is"
        case "must_suggest_any_of":
            if wanted and not set(wanted) & set(offered):
                yield "", f"one of {', '.join(wanted)} should be suggested, but only {offered} is"
        case "should_suggest":
            for regimen in wanted:
                if regimen not in offered:
                    yield regimen, f"{regimen} should be suggested: {_why_not(answered, regimen)}"
        case "must_not_suggest":
            for regimen in wanted:
                if regimen in offered:
                    yield regimen, f"{regimen} must not be suggested"
        case "must_warn":
            for concept in wanted:
                if not warns(answered, concept):
                    yield concept, f"{concept} should appear as a caution, conflict or unknown"
        case _:
            raise ValueError(f"expected.{field} is no field of the patients' format")


def _why_not(answered: Answered, regimen: str) -> str:
    for entry in answered.recommendation["not_suggested"]:
        if entry["regimen"] == regimen:
            return "; ".join(f"{reason['code']} ({reason['text']})" for reason in entry["reasons"])
    return "the answer does not mention it"


def find_misses(assessment: Mapping[str, Any], expected: Mapping[str, Any]) -> list[Miss]:
    """Every expectation that does not hold, the debatable ones too.

    An item is strict where ``strict`` says so for ``field:item``, else as it says for the field, else not.
    Raises ValueError for a field that the format does not have.
    """
    answered = Answered(assessment)
    strict = expected.get("strict", {})
    misses = []
    for field, wanted in expected.items():
        if field in ("strict", "rationale"):
            continue
        for item, sentence in _wrong(answered, field, wanted):
            binding = bool(strict.get(f"{field}:{item}", strict.get(field, False)))
            misses.append(Miss(field, item, sentence, binding))
    return misses


def misses(assessment: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Sentences for the strict expectations that do not hold; empty means that all hold."""
    return [str(miss) for miss in find_misses(assessment, expected) if miss.strict]


# Patients, and what may be done to their charts without changing the answer


def regions(patient: Mapping[str, Any]) -> tuple[str, ...]:
    """Regions to ask for: both where the patient's file says "any"."""
    return ("EMA", "FDA") if patient["region"] == "any" else (str(patient["region"]),)


def chart(patient: Mapping[str, Any]) -> dict[str, Any]:
    """The patient's Bundle as a hook would see it: with the drafts, where there are any."""
    bundle: dict[str, Any] = deepcopy(dict(patient["bundle"]))
    for draft in patient.get("draft_orders", []):
        url = f"https://ehr.example.org/fhir/{draft['resourceType']}/{draft['id']}"
        bundle["entry"].append({"fullUrl": url, "resource": deepcopy(draft)})
    return bundle


def shift_day(text: str, days: int) -> str:
    """A FHIR date or dateTime moved by whole days, time of day and zone kept.

    Raises ValueError for a year or a month alone: these cannot be moved by days.
    """
    match = FULL_DATE.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no full date")
    return (date.fromisoformat(match[1]) + timedelta(days)).isoformat() + (match[2] or "")


def shift_dates(node: Any, days: int, key: str = "", *, roughly: bool = False) -> Any:
    """A copy of a Bundle, resource or list with every date moved by whole days.

    A date that names only a year or a month is moved ``roughly``, by its middle, keeping its precision.
    Raises ValueError on one where that is not allowed.
    """
    if isinstance(node, dict):
        return {name: shift_dates(value, days, name, roughly=roughly) for name, value in node.items()}
    if isinstance(node, list):
        return [shift_dates(value, days, key, roughly=roughly) for value in node]
    if isinstance(node, str):
        if FULL_DATE.fullmatch(node):
            return shift_day(node, days)
        if COARSE_DATE.fullmatch(node) and key.lower().endswith(DATE_KEYS):
            if roughly:
                middle = f"{node}-15" if "-" in node else f"{node}-07-01"
                return shift_day(middle, days)[: len(node)]
            raise ValueError(f"{key} {node!r} cannot be moved by days")
    return node


def can_be_shifted(patient: Mapping[str, Any]) -> bool:
    """Whether every date of the chart names its day."""
    try:
        shift_dates(chart(patient), 1)
    except ValueError:
        return False
    return True


def shuffled_and_doubled(bundle: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The same chart in another order, with about a third of its entries twice."""
    order = random.Random(seed)  # noqa: S311  not for secrets
    entries = list(bundle["entry"])
    entries += [entry for entry in entries if order.random() < 1 / 3]
    order.shuffle(entries)
    return deepcopy({**bundle, "entry": entries})


def gist(assessment: Mapping[str, Any]) -> dict[str, Any]:
    """What of an assessment must outlast a shift of all dates: everything but dates and sentences."""
    state, recommendation = assessment["state"], assessment["recommendation"]
    line_words = ["number", "drugs", "regimen", "transplant", "best_response", "starts_because"]
    line_words += ["ends_because", "certainty", "derived_from"]
    drug_words = ("status", "certainty", "intolerant", "derived_from")
    return {
        "diagnosis": {key: state["diagnosis"].get(key) for key in ("status", "kind", "derived_from")},
        "needs_treatment_choice": state["needs_treatment_choice"],
        "prior_lines": state["prior_lines"],
        "lines": [{key: line.get(key) for key in line_words} for line in state["lines_of_therapy"]],
        "drugs": {
            drug: {key: entry.get(key) for key in drug_words} for drug, entry in state["drugs"].items()
        },
        "classes": {key: entry["status"] for key, entry in state["classes"].items()},
        "labels": state["labels"],
        "fitness": state["fitness"],
        "unknown": [entry["what"] for entry in state["unknown"]],
        "suggested": [
            {
                "regimen": entry["regimen"],
                "rank": entry["rank"],
                "label": entry["label"]["status"],
                "rules": entry.get("rules", []),
                "evidence": entry.get("evidence", []),
                "cautions": [caution["concept"] for caution in entry.get("cautions", [])],
            }
            for entry in recommendation["suggested"]
        ],
        "not_suggested": {
            entry["regimen"]: [reason["code"] for reason in entry["reasons"]]
            for entry in recommendation["not_suggested"]
        },
        "cards": [
            card.get("extension", {}).get("org.myeloma-cds", {}).get("kind") for card in assessment["cards"]
        ],
    }
