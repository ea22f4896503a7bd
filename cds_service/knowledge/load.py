"""Reads the YAML files of mappings/, pathways/ and cards/ into one :class:`Knowledge`.

Every file is checked against the JSON Schema of its kind, then every key that names something in another
file is looked up. All findings are collected and raised together as one :class:`KnowledgeError`, each as
a sentence with its file, so an author mends a file in one go.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from cds_service.knowledge.types import (
    Caution,
    Condition,
    Disagreement,
    Dose,
    Drug,
    DrugClass,
    Evidence,
    EvidenceResult,
    Knowledge,
    KnowledgeVersion,
    Label,
    Pathway,
    Regimen,
    Rule,
    Source,
    Text,
)

FOLDERS = ("mappings", "pathways", "cards")
VERBS = ("recommend", "prefer", "support", "consider", "allow", "deprioritise", "avoid", "caution")
"""What a rule may say of regimens; the first five speak for one, strongest first."""

_PACKAGE = Path(__file__).resolve().parents[1]
_SCHEMAS = Path(__file__).resolve().parent / "schemas"

# Which schema judges which file: the first pattern that matches the path below the knowledge root.
_KINDS: tuple[tuple[str, str], ...] = (
    ("mappings/drugs/*.yaml", "drug"),
    ("mappings/*.yaml", ""),  # the schema carries the file's own name
    ("pathways/drugs/*.yaml", "component-cautions"),
    ("pathways/regimens/*.yaml", "regimen"),
    ("pathways/evidence/*.yaml", "evidence"),
    ("pathways/sequencing/*.yaml", "sequencing"),
    ("pathways/definitions/*.yaml", ""),
    ("pathways/knowledge.yaml", "knowledge"),
    ("pathways/*.yaml", "pathway"),
    ("cards/services.yaml", "services"),
    ("cards/*.yaml", "cards"),
)


class KnowledgeError(Exception):
    """The knowledge cannot be used; ``findings`` says why, one sentence each, all of them."""

    def __init__(self, findings: Iterable[str]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(self.findings))


class _Loader(yaml.CSafeLoader):
    """YAML without its traps: no duplicate keys, dates stay text, only true and false are booleans."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool")
    ]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _mapping_without_duplicates(loader: yaml.CSafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, int] = {}
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        line = key_node.start_mark.line + 1
        if key in seen:
            raise yaml.YAMLError(f"line {line}: {key!r} stands here again, first on line {seen[key]}")
        seen[key] = line
    return {loader.construct_object(k): loader.construct_object(v, deep=True) for k, v in node.value}


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping_without_duplicates)
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def read_yaml(text: str) -> Any:
    """One YAML document under our rules. Raises yaml.YAMLError with the line where it breaks them."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader, made stricter)


def root() -> Path:
    """Folder that holds mappings/, pathways/ and cards/: the checkout's, else the installed package's.

    Raises KnowledgeError if neither is there.
    """
    for candidate in (_PACKAGE / "_knowledge", _PACKAGE.parent):
        if all((candidate / folder).is_dir() for folder in FOLDERS):
            return candidate
    raise KnowledgeError([f"mappings/, pathways/ and cards/ were not found beside or inside {_PACKAGE}"])


def demo_patients() -> dict[str, dict[str, Any]]:
    """The synthetic patients served as demo data, by id; each a file with its ``bundle``."""
    installed = _PACKAGE / "_knowledge" / "demo-patients"
    folder = installed if installed.is_dir() else _PACKAGE.parent / "tests" / "patients"
    files = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json")))
    return {patient["id"]: patient for patient in files}


@cache
def schemas() -> Mapping[str, Draft202012Validator]:
    """The compiled JSON Schemas of the knowledge files, by kind."""
    contents = {
        path.name.removesuffix(".schema.json"): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(_SCHEMAS.glob("*.schema.json"))
    }
    registry: Registry[Any] = Registry().with_resources(
        (schema["$id"], Resource.from_contents(schema)) for schema in contents.values()
    )
    return {kind: Draft202012Validator(schema, registry=registry) for kind, schema in contents.items()}


def _kind_of(path: PurePosixPath) -> str:
    for pattern, kind in _KINDS:
        if path.match(pattern) and len(path.parts) == len(PurePosixPath(pattern).parts):
            return kind or path.stem
    return ""


def _schema_findings(path: PurePosixPath, content: Any) -> Iterator[str]:
    kind = _kind_of(path)
    if kind not in schemas():
        yield f"{path}: no schema is known for a file of this place and name"
        return
    for error in sorted(schemas()[kind].iter_errors(content), key=lambda e: list(map(str, e.absolute_path))):
        place = "/".join(map(str, error.absolute_path)) or "the file"
        yield f"{path}, {place}: {error.message[:300]}"


def _files(folder: Path) -> dict[PurePosixPath, Path]:
    return {
        PurePosixPath(path.relative_to(folder).as_posix()): path
        for name in FOLDERS
        for path in sorted((folder / name).rglob("*.yaml"))
    }


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


def _drug(raw: Mapping[str, Any]) -> Drug:
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


def _class(raw: Mapping[str, Any]) -> DrugClass:
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


def _regimen(raw: Mapping[str, Any]) -> Regimen:
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


def _cautions(raw: Mapping[str, Any]) -> tuple[Caution, ...]:
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


def _evidence(raw: Mapping[str, Any]) -> Evidence:
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


def _pathways(files: Mapping[str, Any], composed: Iterable[Any]) -> dict[str, Pathway]:
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


@dataclass(frozen=True)
class _Raw:
    """The files as loaded, by path below the root."""

    files: dict[PurePosixPath, Any]
    sha256: str

    def under(self, folder: str) -> dict[str, Any]:
        """Contents of one folder, not of its sub-folders, by file name without suffix."""
        return {p.stem: c for p, c in self.files.items() if p.parent.as_posix() == folder}


def _read_files(overlay: Path | None) -> _Raw:
    paths = _files(root())
    if overlay is not None:
        if not overlay.is_dir():
            raise KnowledgeError([f"the overlay folder {overlay} is not there"])
        paths |= _files(overlay)
    findings: list[str] = []
    contents: dict[PurePosixPath, Any] = {}
    digest = hashlib.sha256()
    for relative in sorted(paths):
        data = paths[relative].read_bytes()
        digest.update(relative.as_posix().encode() + b"\0" + data + b"\0")
        try:
            contents[relative] = read_yaml(data.decode("utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as problem:
            findings.append(f"{relative}: {' '.join(str(problem).split())}")
            continue
        findings.extend(_schema_findings(relative, contents[relative]))
    if findings:
        raise KnowledgeError(findings)
    return _Raw(contents, digest.hexdigest())


def load(overlay: Path | None = None) -> Knowledge:
    """Everything the service knows, with a hospital's ``overlay`` folder laid over it file by file.

    Raises KnowledgeError with every finding if a file breaks its schema or names what does not exist.
    """
    raw = _read_files(overlay)
    about = raw.under("pathways")["knowledge"]
    drug_files = {content["key"]: content for content in raw.under("mappings/drugs").values()}
    composed = [content for name, content in raw.under("pathways").items() if name != "knowledge"]
    sequencing = {content["id"]: content for content in raw.under("pathways/sequencing").values()}
    knowledge = Knowledge(
        version=KnowledgeVersion(about["version"], raw.sha256, about["effective"]),
        drugs={key: _drug(content) for key, content in drug_files.items()},
        classes={entry["key"]: _class(entry) for entry in raw.under("mappings")["classes"]["classes"]},
        regimens={c["key"]: _regimen(c) for c in raw.under("pathways/regimens").values()},
        cautions={c["drug"]: _cautions(c) for c in raw.under("pathways/drugs").values()},
        evidence={c["id"]: _evidence(c) for c in raw.under("pathways/evidence").values()},
        pathways=_pathways(sequencing, composed),
        definitions=raw.under("pathways/definitions"),
        mappings=raw.under("mappings"),
        drug_files=drug_files,
        cards=raw.under("cards"),
        gaps=tuple(_gaps(raw)),
    )
    findings = list(_dangling(knowledge))
    if findings:
        raise KnowledgeError(findings)
    return knowledge


def _gaps(raw: _Raw) -> Iterator[str]:
    def texts(node: Any, place: str) -> Iterator[str]:
        if isinstance(node, Mapping):
            if isinstance(node.get("en"), str) and "it" not in node:
                yield place
            for key, value in node.items():
                yield from texts(value, f"{place}/{key}")
        elif isinstance(node, list):
            for number, value in enumerate(node):
                yield from texts(value, f"{place}/{number}")

    for path, content in raw.files.items():
        if path.parts[0] != "mappings":
            yield from texts(content, path.as_posix())


def _leaves(condition: Condition | None) -> Iterator[Condition]:
    if condition is None:
        return
    if condition.op in ("all", "any", "not"):
        for child in condition.children:
            yield from _leaves(child)
    else:
        yield condition


def _dangling(k: Knowledge) -> Iterator[str]:
    """Every key that names something no file defines, each with the nearest one that exists."""

    def missing(what: str, key: str, known: Iterable[str], place: str, folder: str) -> Iterator[str]:
        known = list(known)
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f' Nearest: "{near[0]}".' if near else ""
            yield f'{place}: names {what} "{key}", which {folder} does not define.{hint}'

    drugs_and_classes = [*k.drugs, *k.classes]
    comorbidities = [entry["key"] for entry in k.mappings["comorbidities"]["comorbidities"]]
    observations = [entry["key"] for entry in k.mappings["observations"]["observations"]]
    named: dict[str, Callable[[Any], Iterable[str]]] = {
        "exposed_to": lambda a: [a] if isinstance(a, str) else a,
        "refractory_to": lambda a: [a] if isinstance(a, str) else a,
        "naive_to": lambda a: [a] if isinstance(a, str) else a,
        "intolerant_of": lambda a: [a] if isinstance(a, str) else a,
        "count_refractory": lambda a: [a["class"]],
        "count_exposed": lambda a: [a["class"]],
    }

    def condition(c: Condition | None, place: str) -> Iterator[str]:
        for leaf in _leaves(c):
            if leaf.op in named:
                for key in named[leaf.op](leaf.argument):
                    yield from missing("drug or class", key, drugs_and_classes, place, "mappings/")
            elif leaf.op == "has":
                yield from missing(
                    "comorbidity",
                    leaf.argument["concept"],
                    comorbidities,
                    place,
                    "mappings/comorbidities.yaml",
                )
            elif leaf.op == "lab":
                yield from missing(
                    "observation", leaf.argument["concept"], observations, place, "mappings/observations.yaml"
                )

    for drug in k.drugs.values():
        for key in drug.classes:
            yield from missing(
                "class", key, k.classes, f"mappings/drugs, {drug.key}", "mappings/classes.yaml"
            )
    for regimen in k.regimens.values():
        place = f"pathways/regimens, {regimen.key}"
        for key in regimen.components:
            yield from missing("drug", key, k.drugs, place, "mappings/drugs/")
        for dose in regimen.doses:
            known = (*regimen.components, *regimen.supporting)
            yield from missing("component", dose.drug, known, place, "the regimen")
        for label in regimen.labels:
            yield from condition(label.when, place)
    for drug_key, cautions in k.cautions.items():
        yield from missing("drug", drug_key, k.drugs, "pathways/drugs", "mappings/drugs/")
        for caution in cautions:
            yield from condition(caution.when, f"pathways/drugs, {drug_key}, {caution.concept}")
    for evidence in k.evidence.values():
        place = f"pathways/evidence, {evidence.id}"
        if evidence.regimen:
            yield from missing("regimen", evidence.regimen, k.regimens, place, "pathways/regimens/")
        for when in (evidence.when, *(result.when for result in evidence.results)):
            yield from condition(when, place)
    for pathway in k.pathways.values():
        for source in pathway.sources:
            yield from missing("source", source, k.pathways, f"pathways/{pathway.id}", "pathways/sequencing/")
        for rule in pathway.rules if pathway.sources == (pathway.id,) else ():
            place = f"pathways/sequencing/{pathway.id}.yaml, rule {rule.id}"
            yield from condition(rule.when, place)
            for key in rule.regimens:
                yield from missing("regimen", key, k.regimens, place, "pathways/regimens/")
            for key in rule.containing:
                yield from missing("drug or class", key, drugs_and_classes, place, "mappings/")
        for disagreement in pathway.disagreements:
            yield from condition(disagreement.when, f"pathways/{pathway.id}.yaml, {disagreement.id}")
