"""Reads the YAML files of mappings/, pathways/ and cards/ into one :class:`Knowledge`.

Every file is checked against the JSON Schema of its kind, then every key that names something in another
file is looked up. All findings are collected and raised together as one :class:`KnowledgeError`, each as
a sentence with its file, so an author mends a file in one go.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

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
from cds_service.knowledge.overlay import CannotMerge, is_patch, merged, patched_path
from cds_service.knowledge.references import dangling
from cds_service.knowledge.types import Knowledge, KnowledgeVersion, Target, any_of

FOLDERS = ("mappings", "pathways", "cards")
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


@dataclass(frozen=True)
class Files:
    """The knowledge files as loaded, by path below the root, with the overlay laid over them."""

    files: dict[PurePosixPath, Any]
    sha256: str
    local: bool = False  # an overlay changed something

    def under(self, folder: str) -> dict[str, Any]:
        """Contents of one folder, not of its sub-folders, by file name without suffix."""
        return {p.stem: c for p, c in self.files.items() if p.parent.as_posix() == folder}


def read_files(overlay: Path | None = None, base: Path | None = None, *, check: bool = True) -> Files:
    """The files of ``base`` (default: of :func:`root`) with ``overlay`` laid over them, not yet as objects.

    Raises KnowledgeError with every finding if a file is no YAML or, with ``check``, breaks its schema;
    without it files of another version, whose schemas were others, can be read.
    """
    base = root() if base is None else base
    if not any((base / folder).is_dir() for folder in FOLDERS):
        raise KnowledgeError([f"{base} holds none of {', '.join(f'{folder}/' for folder in FOLDERS)}"])
    paths = _files(base)
    patches: dict[PurePosixPath, Path] = {}
    if overlay is not None:
        if not overlay.is_dir():
            raise KnowledgeError([f"the overlay folder {overlay} is not there"])
        laid = _files(overlay)
        patches = {path: file for path, file in laid.items() if is_patch(path)}
        paths |= {path: file for path, file in laid.items() if path not in patches}
    findings: list[str] = []
    contents: dict[PurePosixPath, Any] = {}
    digest = hashlib.sha256()

    def content_of(relative: PurePosixPath, file: Path) -> Any:
        data = file.read_bytes()
        digest.update(relative.as_posix().encode() + b"\0" + data + b"\0")
        try:
            return read_yaml(data.decode("utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as problem:
            findings.append(f"{relative}: {' '.join(str(problem).split())}")
            return None

    for relative in sorted(paths):
        content = content_of(relative, paths[relative])
        patch = patched_path(relative)
        if patch in patches and content is not None:
            try:
                content = merged(content, content_of(patch, patches.pop(patch)))
            except CannotMerge as problem:
                findings.append(f"{patch}: {problem}")
        if content is not None:
            contents[relative] = content
            if check:
                findings.extend(_schema_findings(relative, content))
    findings.extend(f"{path}: there is no {path.stem.partition('.')[0]}.yaml to change" for path in patches)
    if findings:
        raise KnowledgeError(findings)
    return Files(contents, digest.hexdigest(), overlay is not None and bool(_files(overlay)))


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


_NEEDED = (
    *(PurePosixPath("mappings", f"{name}.yaml") for name in ("classes", "comorbidities", "observations")),
    *(PurePosixPath(path) for path, kind in _KINDS if not kind and "*" not in path),
)


def build(raw: Files) -> Knowledge:
    """The files as objects. Raises KnowledgeError with every key that names what does not exist."""
    missing = [f"{path}: is missing" for path in _NEEDED if path not in raw.files]
    if missing:
        raise KnowledgeError(missing)
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
            [content for name, content in pathways.items() if name not in _NO_PATHWAYS],
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
