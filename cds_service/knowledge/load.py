"""Reads the YAML files of mappings/, pathways/ and cards/ into one :class:`Knowledge`.

Every file is checked against the JSON Schema of its kind, then every key that names something in another
file is looked up. All findings are collected and raised together as one :class:`KnowledgeError`, each as
a sentence with its file, so an author mends a file in one go.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from cds_service.knowledge.composition import sources_that_are_not_there, wrongly_composed
from cds_service.knowledge.doubles import other_key_than_before, same_key_twice
from cds_service.knowledge.entries import (
    class_of,
    component_of,
    conflict_of,
    drug_of,
    evidence_of,
    gap_of,
    gate_of,
    hard_stop_of,
    pathways_of,
    regimen_of,
    site_of,
)
from cds_service.knowledge.folders import FOLDERS, Unreadable, content_of, knowledge_files
from cds_service.knowledge.overlay import PATCH, CannotMerge, is_patch, merged, patched_path
from cds_service.knowledge.placeholders import unfillable
from cds_service.knowledge.plain_yaml import read_yaml
from cds_service.knowledge.references import dangling
from cds_service.knowledge.safeguards import checks_missing
from cds_service.knowledge.types import DEFAULT, Knowledge, KnowledgeVersion, Target, any_of

_PACKAGE = Path(__file__).resolve().parents[1]
_SCHEMAS = Path(__file__).resolve().parent / "schemas"

# Which schema judges which file: the first pattern that matches the path below the knowledge root.
_KINDS: tuple[tuple[str, str], ...] = (
    ("mappings/drugs/*.yaml", "drug"),
    ("mappings/*.yaml", ""),  # the schema carries the file's own name
    ("pathways/drugs/*.yaml", "component"),
    ("pathways/regimens/*.yaml", "regimen"),
    ("pathways/evidence/*.yaml", "evidence"),
    ("pathways/sequencing/*.yaml", "sequencing"),
    ("pathways/definitions/*.yaml", ""),
    ("pathways/conflicts.yaml", ""),
    ("pathways/coverage.yaml", ""),
    ("pathways/hard-stops.yaml", ""),
    ("pathways/knowledge.yaml", ""),
    ("pathways/no-suggestion.yaml", ""),
    ("pathways/site.yaml", ""),
    ("pathways/situations.yaml", ""),
    ("pathways/state-space.yaml", ""),
    ("pathways/*.yaml", "pathway"),
    ("cards/services.yaml", "services"),
    ("cards/*.yaml", "cards"),
)


class KnowledgeError(Exception):
    """The knowledge cannot be used; ``findings`` says why, one sentence each, all of them."""

    def __init__(self, findings: Iterable[str]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(self.findings))


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


_MOST_FINDINGS = 50  # of one file: who has more has one mistake, made many times
_MOST_CHARACTERS = 300

_DAYS = FormatChecker(formats=())
_DAYS_IN_WORDS = {"date": "day of the calendar (YYYY-MM-DD)", "partial-date": "day, month or year"}


@_DAYS.checks("date", raises=ValueError)
def _is_day(value: object) -> bool:
    return not isinstance(value, str) or bool(date.fromisoformat(value))


@_DAYS.checks("partial-date", raises=ValueError)
def _is_partial_date(value: object) -> bool:
    return not isinstance(value, str) or bool(date.fromisoformat(f"{value}-01-01"[: len("YYYY-MM-DD")]))


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
    return {
        kind: Draft202012Validator(schema, registry=registry, format_checker=_DAYS)
        for kind, schema in contents.items()
    }


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
    errors = sorted(schemas()[kind].iter_errors(content), key=lambda e: list(map(str, e.absolute_path)))
    for error in errors[:_MOST_FINDINGS]:
        place = "/".join(map(str, error.absolute_path)) or "the file"
        told = error.message
        if error.validator == "format":
            told = (
                f'"{error.instance}" is no {_DAYS_IN_WORDS.get(error.validator_value, error.validator_value)}'
            )
        yield f"{path}, {place}: {told if len(told) <= _MOST_CHARACTERS else told[:_MOST_CHARACTERS] + ' …'}"
    if len(errors) > _MOST_FINDINGS:
        yield f"{path}: {len(errors) - _MOST_FINDINGS} more findings in this file"


@dataclass(frozen=True)
class Files:
    """The knowledge files as loaded, by path below the root, with the overlay laid over them."""

    files: dict[PurePosixPath, Any]
    sha256: str
    local: bool = False  # an overlay changed something
    before: Mapping[PurePosixPath, Any] = field(default_factory=dict)
    """What the overlay replaced or changed, as it was; None for a file that is new with it."""

    def under(self, folder: str) -> dict[str, Any]:
        """Contents of one folder, not of its sub-folders, by file name without suffix."""
        return {p.stem: c for p, c in self.files.items() if p.parent.as_posix() == folder}

    def without_overlay(self) -> Files:
        """The files as they are without the overlay."""
        then = {**self.files, **self.before}
        files = {path: content for path, content in then.items() if content is not None}
        return Files(files, "")


class _Reading:
    """Reads one set of files: their contents, their hash, and everything that is wrong with them."""

    def __init__(self, *, check: bool) -> None:
        self.check = check
        self.findings: list[str] = []
        self.digest = hashlib.sha256()

    def content(self, relative: PurePosixPath, file: Path, *, counts: bool = True) -> Any:
        """What the file says, None where it cannot be read; one that ``counts`` goes into the hash."""
        try:
            data = content_of(file)
            if counts:
                self.digest.update(relative.as_posix().encode() + b"\0" + data + b"\0")
            content = read_yaml(data.decode("utf-8"), echoes=not self.check)
        except UnicodeDecodeError as problem:
            byte = f"byte {problem.start + 1} of {len(data)}"
            self.findings.append(f"{relative}: is no UTF-8 text ({byte}). Save it as UTF-8")
            return None
        except (Unreadable, yaml.YAMLError) as problem:
            self.findings.append(f"{relative}: {' '.join(str(problem).split())}")
            return None
        if content is None or content == {}:
            self.findings.append(f"{relative}: is empty. Remove the file, or write what it says")
            return None
        return content

    def changed(self, content: Any, patch: PurePosixPath, file: Path) -> Any:
        """The content with a patch laid over it."""
        said = self.content(patch, file)
        if said is None:
            return content
        try:
            if not isinstance(said, Mapping):
                raise CannotMerge("a patch is a mapping of what changes")
            return merged(content, said)
        except CannotMerge as problem:
            self.findings.append(f"{patch}: {problem}")
            return content


def read_files(overlay: Path | None = None, base: Path | None = None, *, check: bool = True) -> Files:
    """The files of ``base`` (default: of :func:`root`) with ``overlay`` laid over them, not yet as objects.

    Raises KnowledgeError with every finding if a file is no YAML or, with ``check``, breaks its schema;
    without it files of another version, whose schemas were others, can be read.
    """
    base = root() if base is None else base
    if not any((base / folder).is_dir() for folder in FOLDERS):
        raise KnowledgeError([f"{base} holds none of {', '.join(f'{folder}/' for folder in FOLDERS)}"])
    reading = _Reading(check=check)
    ours, reading.findings = knowledge_files(base)
    laid: dict[PurePosixPath, Path] = {}
    if overlay is not None:
        if not overlay.is_dir():
            raise KnowledgeError([f"the overlay folder {overlay} is not there"])
        laid, findings = knowledge_files(overlay)
        reading.findings += findings
    patches = {path: file for path, file in laid.items() if is_patch(path)}
    paths = ours | {path: file for path, file in laid.items() if path not in patches}
    contents: dict[PurePosixPath, Any] = {}
    before: dict[PurePosixPath, Any] = {}
    for relative, file in sorted(paths.items()):
        content = reading.content(relative, file)
        if file is not ours.get(relative):
            there = relative in ours
            before[relative] = reading.content(relative, ours[relative], counts=False) if there else None
        if content is None:
            patches.pop(patched_path(relative), None)  # there is nothing to change until it can be read
            continue
        if (patch := patched_path(relative)) in patches:
            before.setdefault(relative, content)
            content = reading.changed(content, patch, patches.pop(patch))
        contents[relative] = content
        if check:
            reading.findings.extend(_schema_findings(relative, content))
    reading.findings.extend(map(_nothing_to_change, patches))
    if reading.findings:
        raise KnowledgeError(reading.findings)
    return Files(contents, reading.digest.hexdigest(), bool(laid), before)


def _nothing_to_change(patch: PurePosixPath) -> str:
    patched = patch.name.removesuffix(PATCH) + ".yaml"
    if is_patch(PurePosixPath(patched)):
        return f"{patch}: changes a patch, which is no file of ours. Write both changes into {patched}"
    return f"{patch}: there is no {patched} to change"


_NO_PATHWAYS = frozenset(
    PurePosixPath(pattern).stem
    for pattern, kind in _KINDS
    if not kind and pattern.startswith("pathways/") and "*" not in pattern
)
"""Files of pathways/ that are no composed pathway: those that have a schema of their own."""


def load(overlay: Path | None = None, base: Path | None = None) -> Knowledge:
    """Everything the service knows, with a hospital's ``overlay`` folder laid over it.

    A file of the overlay replaces ours of the same name or is new; one named NAME.patch.yaml changes single
    entries of NAME.yaml. ``base`` is the folder of mappings/, pathways/ and cards/ to read instead of ours.
    Raises KnowledgeError with every finding if a file breaks its schema or names what does not exist.
    """
    return build(read_files(overlay, base))


_SENTENCES = PurePosixPath("pathways/definitions/sentences.yaml")
_NEEDED = (
    *(PurePosixPath("mappings", f"{name}.yaml") for name in ("classes", "comorbidities", "observations")),
    *(PurePosixPath("pathways/definitions", f"{name}.yaml") for name in ("imwg", "sentences")),
    *(PurePosixPath(path) for path, kind in _KINDS if not kind and "*" not in path),
)


def build(raw: Files) -> Knowledge:
    """The files as objects. Raises KnowledgeError with every key that names what does not exist."""
    missing = [f"{path}: is missing" for path in _NEEDED if path not in raw.files]
    if missing:
        raise KnowledgeError(missing)
    if findings := list(_before_building(raw)):
        raise KnowledgeError(findings)
    pathways = raw.under("pathways")
    drug_files = {content["key"]: content for content in raw.under("mappings/drugs").values()}
    drugs = {key: drug_of(content) for key, content in drug_files.items()}
    classes = {entry["key"]: class_of(entry) for entry in raw.under("mappings")["classes"]["classes"]}
    regimens = {c["key"]: regimen_of(c) for c in raw.under("pathways/regimens").values()}

    def meant(target: Target) -> Target:
        """The target with the regimens that it means by their content."""
        if not target.containing:
            return target
        keys = sorted(
            r.key for r in regimens.values() if any_of(r.components, target.containing, drugs, classes)
        )
        return replace(target, regimens=tuple(keys))

    knowledge = Knowledge(
        version=_version(pathways["knowledge"], raw),
        drugs=drugs,
        classes=classes,
        regimens=regimens,
        components={c["drug"]: component_of(c) for c in raw.under("pathways/drugs").values()},
        evidence={c["id"]: evidence_of(c) for c in raw.under("pathways/evidence").values()},
        pathways=pathways_of(
            {content["id"]: content for content in raw.under("pathways/sequencing").values()},
            _composed(raw).values(),
            meant,
        ),
        definitions=raw.under("pathways/definitions"),
        mappings=raw.under("mappings"),
        drug_files=drug_files,
        cards=raw.under("cards"),
        gates=tuple(map(gate_of, pathways["hard-stops"]["gates"])),
        hard_stops=tuple(
            replace(stop, regimens=meant(Target(containing=stop.excludes)).regimens)
            for stop in map(hard_stop_of, pathways["hard-stops"]["hard_stops"])
        ),
        conflicts=tuple(map(conflict_of, pathways["conflicts"]["conflicts"])),
        gaps=tuple(map(gap_of, pathways["no-suggestion"]["states"])),
        site=site_of(pathways["site"]),
        coverage=pathways["coverage"],
        situations=pathways["situations"],
        state_space=pathways["state-space"],
        untranslated=tuple(_untranslated(raw)),
    )
    findings = list(dangling(knowledge))
    if findings:
        raise KnowledgeError(findings)
    return knowledge


def _composed(raw: Files) -> dict[PurePosixPath, Any]:
    """The files of composed pathways."""
    return {
        path: content
        for path, content in raw.files.items()
        if path.parent.as_posix() == "pathways" and path.stem not in _NO_PATHWAYS
    }


def _before_building(raw: Files) -> Iterator[str]:
    """What would be lost in silence on the way from files to objects."""
    yield from same_key_twice(raw.files, raw.before)
    yield from other_key_than_before(raw.files, raw.before)
    yield from checks_missing(raw.files[PurePosixPath("pathways/hard-stops.yaml")])
    composed, pathways = _composed(raw), raw.under("pathways")
    sources = {content["id"]: content for content in raw.under("pathways/sequencing").values()}
    yield from wrongly_composed(composed, sources, (one["id"] for one in pathways["conflicts"]["conflicts"]))
    yield from sources_that_are_not_there(sources)
    if DEFAULT not in {*sources, *(pathway["id"] for pathway in composed.values())}:
        yield f"pathways/{DEFAULT}.yaml: no pathway has the id {DEFAULT}, which is asked first. Put it back"
    ours = raw.before.get(_SENTENCES)
    if ours is not None:
        yield from unfillable(raw.files[_SENTENCES], ours)


def _version(about: Mapping[str, Any], raw: Files) -> KnowledgeVersion:
    """The version; "+local" where an overlay changed something and gives itself no version of its own."""
    version = about["version"] + ("+local" if raw.local and "+" not in about["version"] else "")
    return KnowledgeVersion(version, raw.sha256, about["effective"])


def _untranslated(raw: Files) -> Iterator[str]:
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
