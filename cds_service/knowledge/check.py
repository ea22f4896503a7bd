"""What is wrong with knowledge that loads: no source, dead ends, too old, lost. Pure: files and a day in.

The loader has already refused what breaks a schema or names a key that does not exist. Whether a rule can
ever fire, and whether a state is left without an answer, needs the sequencing and is asked elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from cds_service.knowledge.load import Files
from cds_service.knowledge.places import in_words, walk
from cds_service.knowledge.types import SPEAK_FOR, VERBS, Conflict, EvidenceConflict, Knowledge

MAX_AGE = timedelta(days=365)
"""How long ago an entry may have been compared with its source."""

_SAYS_WHERE = ("document", "doi", "pmid", "url", "at")


@dataclass(frozen=True)
class Finding:
    """One thing to mend: where it stands, what was found, and what is allowed there or to be done."""

    file: str
    place: str  # the entry in the file; "": the file as a whole
    found: str
    remedy: str

    @property
    def sentence(self) -> str:
        """The finding as an author reads it."""
        where = f"{self.file}, {self.place}" if self.place else self.file
        return f"{where}: {self.found}. {self.remedy}."

    def as_json(self) -> dict[str, str]:
        """Its parts and its sentence."""
        return {
            "file": self.file,
            "place": self.place,
            "found": self.found,
            "remedy": self.remedy,
            "sentence": self.sentence,
        }


def finding_of(sentence: str) -> Finding:
    """A sentence of the loader ("file, place: what") as a finding; the remedy is part of it."""
    where, colon, found = sentence.partition(": ")
    file, _, place = where.partition(", ")
    found = found.rstrip(".") if colon else sentence.rstrip(".")
    return Finding(file if colon else "", place, found, "Correct it: nothing is loaded until then")


def findings(files: Files, known: Knowledge, as_of: date, max_age: timedelta = MAX_AGE) -> list[Finding]:
    """Everything of this module, in the order in which an author would mend it."""
    return [
        *without_source(files),
        *dead_ends(files, known),
        *doubled(files),
        *lost(coverage(files, known)),
        *too_old(files, as_of, max_age),
    ]


# ---- sources ---------------------------------------------------------------------------------------------
def _sources(files: Files) -> Iterator[tuple[str, tuple[str, ...], Mapping[str, Any]]]:
    """Every source of every file: the file, the place of what it speaks for, the source itself."""
    for path, content in files.files.items():
        for place, node in walk(content):
            for name, value in node.items():
                if "en" in (value if isinstance(value, Mapping) else ()):  # a text about sources
                    continue
                if (name == "source" or name.endswith("_source")) and isinstance(value, Mapping):
                    named = place if name == "source" else (*place, name.removesuffix("_source"))
                    yield path.as_posix(), named, value
                elif name == "sources" and isinstance(value, list):
                    yield from ((path.as_posix(), place, one) for one in value if isinstance(one, Mapping))


def without_source(files: Files) -> Iterator[Finding]:
    """Rules, figures, doses, labels, cautions, advice, hard stops, conflicts … whose source says nowhere."""
    for file, place, source in _sources(files):
        if "source" in source:  # a part of a composed pathway, which names a source file
            continue
        if not any(str(source.get(member, "")).strip() for member in _SAYS_WHERE):
            told = ", ".join(_SAYS_WHERE)
            yield Finding(file, in_words(place), "its source does not say where", f"Give one of {told}")


# ---- where things live -----------------------------------------------------------------------------------
def dead_ends(files: Files, known: Knowledge) -> Iterator[Finding]:
    """Places named by ``lives`` of statements and conflicts where nothing lives."""
    paths = {path.as_posix() for path in files.files}
    folders = {parent.as_posix() for path in files.files for parent in path.parents}
    ids = {rule.id for pathway in known.pathways.values() for rule in pathway.rules}
    ids |= {statement.id for pathway in known.pathways.values() for statement in pathway.statements}
    ids |= {stop.id for stop in known.hard_stops} | {gate.id for gate in known.gates}
    ids |= {conflict.id for conflict in known.conflicts}
    for path, content in files.files.items():
        for place, node in walk(content):
            lives = node.get("lives")
            for where in lives if isinstance(lives, list) else ():
                if where.rstrip("/") not in paths | folders | ids:
                    yield Finding(
                        path.as_posix(),
                        in_words(place),
                        f'lives in "{where}", which is neither a knowledge file nor a rule',
                        "Name a file from the knowledge root, or the id of a rule, hard stop or conflict",
                    )


def doubled(files: Files) -> Iterator[Finding]:
    """Ids of rules, hard stops and conflicts of the register that stand in more than one place."""
    seen: dict[str, str] = {}
    for path, content in files.files.items():
        if path.parts[:2] != ("pathways", "sequencing") and path.stem not in ("conflicts", "hard-stops"):
            continue
        for place, node in walk(content):
            name = node.get("id")
            if len(place) != 2 or not isinstance(name, str):  # an entry of a list of the file, nothing in it
                continue
            if name in seen:
                found = f"the id {name} stands in {seen[name]}, too"
                yield Finding(path.as_posix(), in_words(place), found, "Give it an id of its own")
            seen.setdefault(name, path.as_posix())


# ---- age -------------------------------------------------------------------------------------------------
def too_old(files: Files, as_of: date, max_age: timedelta = MAX_AGE) -> Iterator[Finding]:
    """Entries that nobody has compared with their source for longer than ``max_age``, by file and day."""
    for path, content in files.files.items():
        dated = [
            (str(node["last_checked"]), in_words(place))
            for place, node in walk(content)
            if isinstance(node.get("last_checked"), str)
        ]
        for day, entries in groupby(sorted(dated), key=lambda one: one[0]):
            names = "; ".join(place for _, place in entries)
            try:
                age = as_of - date.fromisoformat(day)
            except ValueError:
                yield Finding(path.as_posix(), names, f"last_checked {day} is no day", "Write YYYY-MM-DD")
                continue
            if age > max_age:
                found = f"last checked on {day}, {age.days} days ago"
                remedy = f"Compare it with its source and set last_checked (limit {max_age.days} days)"
                yield Finding(path.as_posix(), names, found, remedy)


# ---- coverage --------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Covered:
    """One row of the evidence tables, and what has become of it."""

    table: str  # "regimens", "populations", "BAR", "ORA", "ARR", "X", "CF"
    id: str
    state: str  # executable or not-executable; shown, silent or unsaid (conflicts); there (others); lost
    files: tuple[str, ...]
    says: str

    def as_json(self) -> dict[str, Any]:
        """Its members."""
        return {
            "table": self.table,
            "id": self.id,
            "state": self.state,
            "files": self.files,
            "says": self.says,
        }


def coverage(files: Files, known: Knowledge) -> list[Covered]:
    """Every id of pathways/coverage.yaml, in its order, with where it lives and how."""
    rows = known.coverage
    return [
        *(_regimen(key, files, known) for key in rows["regimens"]),
        *(_population(key, files, known) for key in rows["populations"]),
        *(_rule(key, files) for key in rows["rules"]),
        *(_conflict(key, files, known) for key in rows["conflicts"]),
    ]


def lost(covered: Iterable[Covered]) -> Iterator[Finding]:
    """Rows that stand nowhere, and conflicts of which nobody says whether an answer shows them."""
    for row in covered:
        if row.state == "lost":
            remedy = "Put it back, or take its id out of the table if that is meant"
            yield Finding("pathways/coverage.yaml", row.id, "stands in no file", remedy)
        elif row.state == "unsaid":
            found = "neither says what an answer shows of it, nor why none does"
            yield Finding(row.files[0], row.id, found, 'Give it "says", or "silent" with the reason')


def _file_of(files: Files, folder: str, member: str, key: str) -> tuple[str, ...]:
    """Paths of the files of a folder that are about ``key``."""
    return tuple(
        path.as_posix()
        for path, content in files.files.items()
        if path.parent.as_posix() == folder and content.get(member) == key
    )


def _regimen(key: str, files: Files, known: Knowledge) -> Covered:
    regimen = known.regimens.get(key)
    if regimen is None:
        return Covered("regimens", key, "lost", (), "")
    named = [
        rule
        for pathway in known.pathways.values()
        if not pathway.composed
        for rule in pathway.rules
        if key in rule.target.regimens
    ]
    speaking = [rule.id for rule in named if rule.verb in SPEAK_FOR]
    others = [rule.id for rule in named if rule.verb not in SPEAK_FOR]
    says = (
        f"for it: {', '.join(speaking)}"
        if speaking
        else f"no rule for it: {regimen.no_rule or 'no reason given'}"
    )
    says += f"; otherwise named by {', '.join(others)}" if others else ""
    return Covered("regimens", key, "there", _file_of(files, "pathways/regimens", "key", key), says)


def _population(key: str, files: Files, known: Knowledge) -> Covered:
    evidence = known.evidence.get(key)
    if evidence is None:
        return Covered("populations", key, "lost", (), "")
    shown = len(evidence.results)
    says = f"{evidence.regimen or 'no single regimen'}, {shown} {'sentence' if shown == 1 else 'sentences'}"
    return Covered("populations", key, "there", _file_of(files, "pathways/evidence", "id", key), says)


def _rule(key: str, files: Files) -> Covered:
    table = key.partition("-")[0]
    for path, content in files.files.items():
        if path.parts[:2] != ("pathways", "sequencing"):
            continue
        for entry in content["rules"]:
            if entry["id"] != key:
                continue
            if "not_executable" in entry:
                lives = ", ".join(entry.get("lives", ()))
                says = entry["not_executable"] + (f" (lives in {lives})" if lives else "")
                return Covered(table, key, "not-executable", (path.as_posix(),), says)
            return Covered(table, key, "executable", (path.as_posix(),), _said_by_rule(entry))
    return Covered(table, key, "lost", (), "")


def _said_by_rule(entry: Mapping[str, Any]) -> str:
    """Verb and regimens of a rule as its file has them."""
    verb = next(verb for verb in VERBS if verb in entry)

    def target(raw: Any) -> str:
        if isinstance(raw, Mapping):
            return f"all with {', '.join(raw['containing'])}"
        return ", ".join(raw)

    if verb == "remark":
        return "remark"
    if verb == "order":
        return f"order {target(entry[verb]['first'])} before {target(entry[verb]['then'])}"
    return f"{verb} {target(entry[verb])}"


def _conflict(key: str, files: Files, known: Knowledge) -> Covered:
    entries: list[Conflict | EvidenceConflict] = [c for c in known.conflicts if c.id == key]
    where = ["pathways/conflicts.yaml"] if entries else []
    for evidence in known.evidence.values():
        here = [conflict for conflict in evidence.conflicts if conflict.id == key]
        entries += here
        where += _file_of(files, "pathways/evidence", "id", evidence.id) if here else ()
    table = key.partition("-")[0]
    if not entries:
        return Covered(table, key, "lost", (), "")
    says = next((entry.says.en for entry in entries if entry.says), "")
    silent = next((entry.silent for entry in entries if entry.silent), "")
    state = "shown" if says else "silent" if silent else "unsaid"
    return Covered(table, key, state, tuple(dict.fromkeys(where)), says or silent)


def counted(covered: Iterable[Covered]) -> dict[str, Counter[str]]:
    """By table: how many rows in which state."""
    tables: dict[str, Counter[str]] = {}
    for row in covered:
        tables.setdefault(row.table, Counter())[row.state] += 1
    return tables


# ---- what is no fault, and to be known ---------------------------------------------------------------------
@dataclass(frozen=True)
class Doubtful:
    """A source that was, in part at least, recalled and not seen."""

    file: str
    place: str
    mark: str

    def as_json(self) -> dict[str, str]:
        """Its members."""
        return {"file": self.file, "place": self.place, "mark": self.mark}


def to_recheck(files: Files) -> list[Doubtful]:
    """Every entry marked R or V/R, and those marked V whose source speaks of something recalled."""
    return [
        Doubtful(file, in_words(place), mark)
        for file, place, source in _sources(files)
        if "R" in (mark := str(source.get("mark", "")))
        or "recalled" in f"{source.get('document', '')} {source.get('at', '')}".casefold()
    ]
