"""The raw content of one knowledge file as frozen objects, after its JSON Schema has passed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from cds_service.knowledge.types import (
    VERBS,
    Caution,
    Condition,
    Disagreement,
    Dose,
    Drug,
    DrugClass,
    Evidence,
    EvidenceResult,
    Label,
    Pathway,
    Regimen,
    Rule,
    Source,
    Text,
)


def text_of(raw: Any) -> Text:
    """A Text of ``{en: ..., it: ...}`` or of a plain string."""
    return Text(raw["en"], raw.get("it")) if isinstance(raw, Mapping) else Text(str(raw))


def source_of(raw: Mapping[str, Any] | None) -> Source:
    """A Source of its mapping; unknown members are left to the raw file."""
    known = Source.__dataclass_fields__
    return Source(**{key: str(value) for key, value in (raw or {}).items() if key in known})


def condition_of(raw: Any) -> Condition:
    """A Condition of its mapping with exactly one key. Raises ValueError if it has another number."""
    if not isinstance(raw, Mapping) or len(raw) != 1:
        raise ValueError(f"a condition is a mapping with exactly one key, not {raw!r}")
    (op, argument), *_ = raw.items()
    if op in ("all", "any"):
        return Condition(op, tuple(condition_of(child) for child in argument))
    if op == "not":
        return Condition(op, (condition_of(argument),))
    return Condition(op, argument=argument)


def _maybe_condition(raw: Any) -> Condition | None:
    return None if raw is None else condition_of(raw)


def drug_of(raw: Mapping[str, Any]) -> Drug:
    """One file of mappings/drugs."""

    # The code an order carries: the plain ingredient, seen by us, still valid.
    def rank(code: Mapping[str, Any]) -> tuple[bool, bool]:
        retired = "retired" in code.get("note", "") or "old" in code.get("note", "").casefold()
        return (retired, code.get("confidence") != "verified2")

    order_codes: dict[str, tuple[str, str]] = {}
    for code in sorted(raw.get("codes", ()), key=rank):
        plain = code["system"] in ("ATC", "UNII") or code.get("kind") == "ingredient"
        if code["system"] in ("ATC", "UNII", "RxNorm") and plain and code.get("confidence") != "recalled":
            order_codes.setdefault(code["system"], (code["code"], code.get("display") or raw["key"]))
    return Drug(
        key=raw["key"],
        name=text_of(raw["name"]),
        classes=tuple(raw["classes"]),
        role=raw["role"],
        dose_interval_days=int(raw["dose_interval_days"]),
        one_off=bool(raw.get("one_off", False)),
        order_codes=order_codes,
    )


def class_of(raw: Mapping[str, Any]) -> DrugClass:
    """One entry of mappings/classes.yaml."""
    return DrugClass(
        key=raw["key"],
        name=text_of(raw["name"]),
        carries_over=bool(raw["carries_over"]),
        counts=bool(raw["counts"]),
        union_of=tuple(raw.get("union_of", ())),
        modality=str(raw.get("modality", "")),
        source=source_of(raw.get("source")),
    )


def _dose(raw: Mapping[str, Any]) -> Dose:
    return Dose(
        drug=raw["drug"],
        amount=raw.get("amount"),
        amount_text=str(raw.get("amount_text", "")),
        unit=raw.get("unit", ""),
        route=raw.get("route", ""),
        days=tuple(raw.get("days", ())),
        days_text=str(raw.get("days_text", "")),
        cycles=str(raw.get("cycles", "")),
        alternative=bool(raw.get("alternative", False)),
        step_up=bool(raw.get("step_up", False)),
        regions=tuple(raw.get("regions", ())),
    )


def _label(raw: Mapping[str, Any]) -> Label:
    return Label(
        region=raw["region"],
        status=raw["status"],
        since=str(raw.get("since", "")),
        until=str(raw.get("until", "")),
        when=_maybe_condition(raw.get("when")),
        formulation=str(raw.get("formulation", "")),
        source=source_of(raw.get("source")),
        text=text_of(raw["gate"]) if "gate" in raw else None,
    )


def regimen_of(raw: Mapping[str, Any]) -> Regimen:
    """One file of pathways/regimens."""
    return Regimen(
        key=raw["key"],
        display=raw["display"],
        name=raw["name"],
        abbreviations=tuple(raw.get("abbreviations", ())),
        components=tuple(raw["components"]),
        supporting=tuple(raw.get("supporting", ())),
        cycle=str(raw.get("cycle", "")),
        doses=tuple(_dose(dose) for dose in raw.get("doses", ())),
        dose_source=source_of(raw.get("dose_source")),
        labels=tuple(_label(label) for label in raw["labels"]),
        burden=text_of(raw.get("burden", "")),
        notes=tuple(text_of(note) for note in raw.get("notes", ())),
    )


def cautions_of(raw: Mapping[str, Any]) -> tuple[Caution, ...]:
    """The cautions of one file of pathways/drugs."""
    return tuple(
        Caution(
            drug=raw["drug"],
            concept=entry["concept"],
            when=_maybe_condition(entry.get("when")),
            bars=bool(entry.get("bars", False)),
            text=text_of(entry["text"]),
            source=source_of(entry.get("source")),
        )
        for entry in raw["cautions"]
    )


def evidence_of(raw: Mapping[str, Any]) -> Evidence:
    """One file of pathways/evidence."""
    return Evidence(
        id=raw["id"],
        trial=raw["trial"],
        regimen=raw.get("regimen", ""),
        control=str(raw.get("control", "")),
        when=_maybe_condition(raw.get("when")),
        results=tuple(
            EvidenceResult(
                population=text_of(result["population"]),
                when=_maybe_condition(result.get("when")),
                headline=text_of(result["headline"]),
            )
            for result in raw.get("results", ())
        ),
        data=raw,
        source=source_of(raw.get("source")),
    )


def _rules(raw: Mapping[str, Any], first_position: int) -> Iterator[Rule]:
    for offset, entry in enumerate(raw["rules"]):
        verb = next(verb for verb in VERBS if verb in entry)
        target = entry[verb]
        containing = tuple(target["containing"]) if isinstance(target, Mapping) else ()
        effective = entry["effective"]
        yield Rule(
            id=entry["id"],
            pathway=raw["id"],
            when=condition_of(entry["when"]),
            verb=verb,
            regimens=() if containing else tuple(target),
            containing=containing,
            because=text_of(entry["because"]),
            source=source_of(raw["source"] | entry["source"]),
            effective_from=date.fromisoformat(effective["from"]),
            effective_to=date.fromisoformat(effective["to"]) if "to" in effective else None,
            position=first_position + offset,
        )


def pathways_of(files: Mapping[str, Any], composed: Iterable[Any]) -> dict[str, Pathway]:
    """The pathways by id: each sequencing file alone, then those that compose several."""
    rules: dict[str, tuple[Rule, ...]] = {}
    for number, raw in enumerate(files.values()):
        rules[raw["id"]] = tuple(_rules(raw, number * 1000))
    pathways = {
        raw["id"]: Pathway(
            id=raw["id"],
            title=text_of(raw["title"]),
            sources=(raw["id"],),
            rules=rules[raw["id"]],
            disagreements=(),
            cited=source_of(raw["source"]),
        )
        for raw in files.values()
    }
    for raw in composed:
        pathways[raw["id"]] = Pathway(
            id=raw["id"],
            title=text_of(raw["title"]),
            sources=tuple(raw["sources"]),
            rules=tuple(rule for source in raw["sources"] for rule in rules.get(source, ())),
            disagreements=tuple(
                Disagreement(
                    id=entry["id"],
                    when=condition_of(entry["when"]),
                    text=text_of(entry["text"]),
                    source=source_of(entry["source"]),
                )
                for entry in raw.get("disagreements", ())
            ),
            cited=source_of(raw.get("source")),
        )
    return pathways
