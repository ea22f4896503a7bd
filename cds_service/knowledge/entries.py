"""The raw content of one knowledge file as frozen objects, after its JSON Schema has passed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from functools import lru_cache
from typing import Any

from cds_service.knowledge.types import (
    VERBS,
    Advice,
    Caution,
    Component,
    Condition,
    Conflict,
    Dose,
    DoseAdjustment,
    Drug,
    DrugClass,
    Evidence,
    EvidenceConflict,
    EvidenceResult,
    Gap,
    Gate,
    HardStop,
    Label,
    Pathway,
    Regimen,
    Remark,
    Review,
    Rule,
    Site,
    Source,
    Statement,
    Target,
    Text,
)


def text_of(raw: Any) -> Text:
    """A Text of ``{en: ..., it: ...}`` or of a plain string."""
    return Text(raw["en"], raw.get("it")) if isinstance(raw, Mapping) else Text(str(raw))


def source_of(raw: Mapping[str, Any] | None) -> Source:
    """A Source of its mapping; unknown members are left to the raw file."""
    known = Source.__dataclass_fields__
    return Source(**{key: str(value) for key, value in (raw or {}).items() if key in known})


def reviews_of(raw: Mapping[str, Any]) -> tuple[Review, ...]:
    """The clinical approvals of an entry; none where it has no such member."""
    return tuple(Review(entry["role"], entry["on"]) for entry in raw.get("reviewed", ()))


def condition_of(raw: Any) -> Condition:
    """A Condition of its mapping with exactly one key. Raises ValueError if it has another number.

    Equal conditions are one object: whoever asks many of them of one patient answers each once.
    """
    return _interned(json.dumps(raw, sort_keys=True))


@lru_cache(maxsize=16_384)
def _interned(text: str) -> Condition:
    raw = json.loads(text)
    if not isinstance(raw, Mapping) or len(raw) != 1:
        raise ValueError(f"a condition is a mapping with exactly one key, not {raw!r}")
    (op, argument), *_ = raw.items()
    if op in ("all", "any"):
        return Condition(op, tuple(condition_of(child) for child in argument))
    if op in ("not", "unknown"):
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
        plural=text_of(raw["plural"]) if "plural" in raw else None,
    )


def dose_of(raw: Mapping[str, Any]) -> Dose:
    """One row of a regimen's doses."""
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
        when=_maybe_condition(raw.get("when")),
    )


def label_of(raw: Mapping[str, Any]) -> Label:
    """One label entry of a regimen."""
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
        doses=tuple(dose_of(dose) for dose in raw.get("doses", ())),
        dose_source=source_of(raw.get("dose_source")),
        labels=tuple(label_of(label) for label in raw["labels"]),
        burden=text_of(raw.get("burden", "")),
        burden_in_short=text_of(raw.get("burden_in_short", raw.get("burden", ""))),
        notes=tuple(text_of(note) for note in raw.get("notes", ())),
        history_only=bool(raw.get("history_only", False)),
        no_rule=str(raw.get("no_rule", "")),
        sources=tuple(map(source_of, raw["sources"])),
        last_checked=raw["last_checked"],
        reviewed=reviews_of(raw),
    )


def component_of(raw: Mapping[str, Any]) -> Component:
    """One file of pathways/drugs."""
    drug = raw["drug"]
    return Component(
        drug=drug,
        cautions=tuple(
            Caution(
                drug=drug,
                concept=entry["concept"],
                when=_maybe_condition(entry.get("when")),
                bars=bool(entry.get("bars", False)),
                text=text_of(entry["text"]),
                source=source_of(entry.get("source")),
                weighs=bool(entry.get("weighs", True)),
            )
            for entry in raw["cautions"]
        ),
        advice=tuple(
            Advice(
                drug=drug,
                kind=entry["kind"],
                regions=tuple(entry.get("regions", ())),
                when=_maybe_condition(entry.get("when")),
                text=text_of(entry["text"]),
                source=source_of(entry["source"]),
            )
            for entry in raw["advice"]
        ),
        adjustments=tuple(
            DoseAdjustment(
                id=entry["id"],
                drug=drug,
                when=condition_of(entry["when"]),
                amount=entry["amount"],
                unit=entry["unit"],
                days_text=str(entry.get("days_text", "")),
                text=text_of(entry["text"]),
                source=source_of(entry["source"]),
            )
            for entry in raw.get("dose_adjustments", ())
        ),
        last_checked=raw["last_checked"],
        reviewed=reviews_of(raw),
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
        conflicts=tuple(
            EvidenceConflict(
                id=entry["id"],
                text=entry["text"],
                use=entry["use"],
                why=entry["why"],
                says=text_of(entry["says"]) if "says" in entry else None,
                silent=str(entry.get("silent", "")),
            )
            for entry in raw["conflicts"]
        ),
        os_significant=raw.get("os_significant", {}).get("is", "not-reported"),
        reviewed=reviews_of(raw),
    )


def target_of(raw: Any) -> Target:
    """A Target of a list of regimens, or of ``{containing: [...]}``."""
    if isinstance(raw, Mapping):
        return Target(containing=tuple(raw["containing"]))
    return Target(regimens=tuple(raw))


def _rules(raw: Mapping[str, Any], first_position: int, meant: Callable[[Target], Target]) -> Iterator[Rule]:
    for offset, entry in enumerate(raw["rules"]):
        if "not_executable" in entry:
            continue
        verb = next(verb for verb in VERBS if verb in entry)
        said = entry[verb]
        effective = entry["effective"]
        remarks = said if verb == "remark" else ()
        first = said["first"] if verb == "order" else said
        yield Rule(
            id=entry["id"],
            pathway=raw["id"],
            when=condition_of(entry["when"]),
            verb=verb,
            target=Target() if verb == "remark" else meant(target_of(first)),
            then=meant(target_of(said["then"])) if verb == "order" else Target(),
            remarks=tuple(Remark(_maybe_condition(r.get("when")), text_of(r["text"])) for r in remarks),
            because=text_of(entry["because"]),
            source=source_of(raw["source"] | entry["source"]),
            effective_from=date.fromisoformat(effective["from"]),
            effective_to=date.fromisoformat(effective["to"]) if "to" in effective else None,
            position=first_position + offset,
            newer="newer_than" in raw,
            last_checked=entry["last_checked"],
            reviewed=reviews_of(entry),
        )


def _statements(raw: Mapping[str, Any]) -> Iterator[Statement]:
    for entry in raw["rules"]:
        if "not_executable" in entry:
            yield Statement(
                id=entry["id"],
                pathway=raw["id"],
                why=entry["not_executable"],
                lives=tuple(entry.get("lives", ())),
                source=source_of(raw["source"] | entry["source"]),
                last_checked=entry["last_checked"],
                reviewed=reviews_of(entry),
            )


def pathways_of(
    files: Mapping[str, Any], composed: Iterable[Any], meant: Callable[[Target], Target]
) -> dict[str, Pathway]:
    """The pathways by id: each sequencing file alone, then those that compose several.

    ``meant`` fills in the regimens that a target means by their content.
    """
    pathways = {
        raw["id"]: Pathway(
            id=raw["id"],
            title=text_of(raw["title"]),
            sources=(raw["id"],),
            rules=tuple(_rules(raw, number * 1000, meant)),
            cited=source_of(raw["source"]),
            statements=tuple(_statements(raw)),
            unreviewed=bool(raw.get("unreviewed", False)),
        )
        for number, raw in enumerate(files.values())
    }
    alone = dict(pathways)
    for raw in composed:
        parts = [{"source": part} if isinstance(part, str) else part for part in raw["sources"]]
        pathways[raw["id"]] = Pathway(
            id=raw["id"],
            title=text_of(raw["title"]),
            sources=tuple(dict.fromkeys(part["source"] for part in parts)),
            rules=tuple(rule for part in parts for rule in _part(part, alone)),
            cited=source_of(raw.get("source")),
            reviewed=reviews_of(raw),
        )
    return pathways


def _part(part: Mapping[str, Any], alone: Mapping[str, Pathway]) -> Iterator[Rule]:
    """The rules of one source as far as a composed pathway takes them, with what it asks beyond them."""
    pathway = alone.get(part["source"])
    for rule in pathway.rules if pathway else ():
        if rule.id not in part.get("only", [rule.id]) or rule.id in part.get("without", ()):
            continue
        tempering = [entry for entry in part.get("tempered", ()) if rule.id in entry["rules"]]
        more = [entry["with"] for entry in tempering] + ([part["where"]] if "where" in part else [])
        if more:
            when = Condition("all", (rule.when, *map(condition_of, more)))
            by = tuple(dict.fromkeys(key for entry in tempering for key in entry["by"]))
            rule = replace(rule, when=when, tempered_by=by)
        most = part.get("speaks_at_most")
        if most and VERBS.index(rule.verb) < VERBS.index(most):
            rule = replace(rule, verb=most)
        yield rule


def conflict_of(raw: Mapping[str, Any]) -> Conflict:
    """One entry of pathways/conflicts.yaml."""
    return Conflict(
        id=raw["id"],
        clash=raw["clash"],
        evidence=raw["evidence"],
        handling=raw["handling"],
        lives=tuple(raw["lives"]),
        when=_maybe_condition(raw.get("when")),
        touches=tuple(raw.get("touches", ())),
        left_out=bool(raw.get("left_out", False)),
        says=text_of(raw["says"]) if "says" in raw else None,
        silent=str(raw.get("silent", "")),
        source=source_of(raw["source"]),
        last_checked=raw["last_checked"],
        reviewed=reviews_of(raw),
    )


def gate_of(raw: Mapping[str, Any]) -> Gate:
    """One gate of pathways/hard-stops.yaml."""
    return Gate(raw["id"], raw["check"], text_of(raw["text"]), source_of(raw["source"]), reviews_of(raw))


def hard_stop_of(raw: Mapping[str, Any]) -> HardStop:
    """One hard stop of pathways/hard-stops.yaml."""
    excludes = raw.get("excludes", {})
    return HardStop(
        id=raw["id"],
        code=raw["code"],
        text=text_of(raw["text"]),
        source=source_of(raw["source"]),
        check=str(raw.get("check", "")),
        excludes=tuple(excludes.get("containing", ())),
        when=_maybe_condition(raw.get("when")),
        last_checked=raw["last_checked"],
        reviewed=reviews_of(raw),
    )


def gap_of(raw: Mapping[str, Any]) -> Gap:
    """One state of pathways/no-suggestion.yaml."""
    return Gap(
        id=raw["id"],
        when=condition_of(raw["when"]),
        because=text_of(raw["because"]),
        source=source_of(raw["source"]),
        last_checked=raw["last_checked"],
        reviewed=reviews_of(raw),
    )


def site_of(raw: Mapping[str, Any]) -> Site:
    """pathways/site.yaml."""
    missing = {
        entry["key"]: text_of(entry["because"]) if "because" in entry else None
        for entry in raw["not_available"]
    }
    return Site(missing, raw["car_t"])
