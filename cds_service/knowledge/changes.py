"""What changed between two states of the knowledge, told to a clinician: clinical ones first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from cds_service.knowledge.compare import Difference, differences
from cds_service.knowledge.entries import condition_of, dose_of, label_of, reviews_of, source_of, target_of
from cds_service.knowledge.load import Files
from cds_service.knowledge.saying import Saying
from cds_service.knowledge.types import VERBS

GROUPS = ("clinical", "mappings", "texts", "provenance")
"""In the order in which they matter to a clinician."""

_TEXTS = frozenset(
    {
        "because",
        "text",
        "says",
        "gate",
        "burden",
        "burden_in_short",
        "notes",
        "name",
        "plural",
        "title",
        "covers",
        "display",
    }
    | {
        "abbreviations",
        "silent",
        "clash",
        "evidence",
        "handling",
        "why",
        "not_executable",
        "population",
        "lives",
    }
)
_PROVENANCE = frozenset(
    {"source", "sources", "dose_source", "last_checked", "reviewed", "seen_in", "confidence", "mark", "also"}
    | {"verification", "note"}
)
_CLINICAL_IN_MAPPINGS = frozenset(
    {"classes", "carries_over", "counts", "union_of", "role", "one_off", "dose_interval_days"}
)
_LISTS: Mapping[str, str] = {
    "conflicts": "conflict",
    "hard_stops": "hard-stop",
    "gates": "gate",
    "states": "gap",
    "rules": "rule",
    "classes": "class",
}
"""Members of a file whose entries people know by their own ids, and what these are called."""


@dataclass(frozen=True)
class Change:
    """One change: of which entry, what of it, and how it reads before and after."""

    group: str  # one of GROUPS
    file: str
    place: tuple[str, ...]  # in the file, by its own names
    entry: str  # "Rule BAR-15 (barila-2025)"
    member: str  # "for whom"; "" where the entry as a whole is new or gone
    how: str  # added, removed, changed
    before: str
    after: str
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """Its members that say something."""
        return {name: value for name, value in vars(self).items() if value}


def changes(old: Files, new: Files, say: Saying) -> list[Change]:
    """Every change, clinical ones first; within a group by file, in the order of its entries."""
    teller = _Teller(say)
    told = [teller.told(one) for one in differences(old, new)]
    return sorted(told, key=lambda change: GROUPS.index(change.group))


def _group_of(one: Difference, entry_as_a_whole: bool) -> str:
    """Of which group a difference is: by its file, then by the member in which it lies."""
    path, member = PurePosixPath(one.file), one.place[-1] if one.place else ""
    top = path.parent.as_posix() == "pathways"
    if top and path.stem in ("coverage", "knowledge"):
        return "provenance"
    if "also" in one.place or ("sources" in one.place and not top):  # those of a pathway are its content
        return "provenance"
    if not entry_as_a_whole and (member in _PROVENANCE or member.endswith("_source")):
        return "provenance"
    if path.parts[0] == "cards" or path.stem == "sentences":
        return "texts"
    if not entry_as_a_whole and member in _TEXTS:
        return "texts"
    if path.parts[0] == "mappings":
        return "clinical" if member in _CLINICAL_IN_MAPPINGS and not entry_as_a_whole else "mappings"
    return "clinical"


class _Teller:
    """Puts differences into the words of one language."""

    def __init__(self, say: Saying) -> None:
        self._say = say

    def told(self, one: Difference) -> Change:
        entry, rest = self._entry(one)
        member = self._member(rest)
        before, after = self._readings(one)
        how = "added" if one.added else "removed" if one.removed else "changed"
        word = how if rest or how == "changed" else f"entry-{how}"
        inside = {"before": before.rstrip("."), "after": after.rstrip(".")}
        sentence = self._say.word(word, "change", member=member, **inside)
        group = _group_of(one, entry_as_a_whole=not rest or _is_entry(one))
        return Change(group, one.file, one.place, entry, member, how, before, after, f"{entry}: {sentence}.")

    # ---- what it is of -------------------------------------------------------------------------------
    def _entry(self, one: Difference) -> tuple[str, tuple[str, ...]]:
        """What the entry is called, and the place within it."""
        path = PurePosixPath(one.file)
        folder, document, place = path.parent.as_posix(), one.document, one.place
        if len(place) > 1 and place[0] in _LISTS and _file_lists(one.file, place[0]):
            kind = _LISTS[place[0]]
            return self._called(kind, key=place[1], source=str(document.get("id", ""))), place[2:]
        if folder == "mappings" and len(place) > 1 and isinstance(document.get(place[0]), list):
            return self._called("concept", key=place[1], file=one.file), place[2:]
        kinds: Mapping[str, tuple[str, str]] = {
            "pathways/regimens": ("regimen", "key"),
            "pathways/drugs": ("component", "drug"),
            "pathways/evidence": ("evidence", "id"),
            "pathways/sequencing": ("source", "id"),
            "mappings/drugs": ("drug", "key"),
        }
        if folder in kinds:
            kind, member = kinds[folder]
            key = str(document.get(member, path.stem))
            return self._called(kind, key=self._say.regimen(key) if kind == "regimen" else key), place
        if one.file == "pathways/site.yaml":
            return self._called("site"), place
        if folder == "pathways" and "sources" in document:
            return self._called("pathway", key=str(document.get("id", path.stem))), place
        return self._called("file", file=one.file), place

    def _called(self, kind: str, **values: str) -> str:
        return self._say.word(kind, "change", **values)

    def _member(self, place: tuple[str, ...]) -> str:
        """ "label EMA SC authorised, since": each member by its word, entries as they are called."""
        said: list[str] = []
        for step in place:
            if self._say.has(step, "member"):
                said.append(self._say.word(step, "member"))
            elif self._say.has(step, "figure") and place[0] == "figures":
                said.append(self._say.word(step, "figure"))
            else:
                said.append(step.replace("_", " "))
        return ", ".join([" ".join(said[:2]), *said[2:]])

    # ---- how it reads --------------------------------------------------------------------------------
    def _readings(self, one: Difference) -> tuple[str, str]:
        before, after = self._value(one.before, one), self._value(one.after, one)
        if before == after and isinstance(one.before, Mapping) and isinstance(one.after, Mapping):
            # The same in this language: what differs is the translation.
            changed = [key for key in one.after if one.after[key] != one.before.get(key)]
            before = "; ".join(f"{key}: {one.before.get(key, '')}" for key in changed)
            after = "; ".join(f"{key}: {one.after[key]}" for key in changed)
        return before, after

    def _nothing(self) -> str:
        return self._say.word("nothing", "change")

    def _value(self, value: Any, one: Difference) -> str:
        """A value in words; as YAML where it has no words, or is not built as today's entries are."""
        if value is None:
            return ""
        try:
            return self._in_words(value, one)
        except (LookupError, TypeError, ValueError, AttributeError):
            return _as_yaml(value)

    def _in_words(self, value: Any, one: Difference) -> str:
        place = one.place
        member = place[-1] if place else ""
        holder = place[-2] if len(place) > 1 else ""
        say = self._say
        by_member: Mapping[str, Callable[[Any], str]] = {
            "when": lambda v: say.condition(condition_of(v)),
            "where": lambda v: say.condition(condition_of(v)),
            "with": lambda v: say.condition(condition_of(v)),
            "source": lambda v: self._source(v) if isinstance(v, Mapping) else str(v),
            "effective": self._effective,
            "reviewed": lambda v: say.reviewed(reviews_of({"reviewed": v})),
            "order": lambda v: say.verb("order", target_of(v["first"]), target_of(v["then"])),
            "excludes": lambda v: say.target(target_of(v)),
            "components": lambda v: ", ".join(v),
            "touches": lambda v: say.listed(map(say.regimen, v)),
        }
        by_holder: Mapping[str, Callable[[Any], str]] = {
            "doses": lambda v: f"{v['drug']} {say.dose(dose_of(v))}",
            "labels": self._label,
            "cautions": self._minded,
            "advice": self._minded,
            "dose_adjustments": self._minded,
            "rules": self._rule,
            "results": lambda v: say.either(v["headline"]),
            "sources": lambda v: v["source"] if isinstance(v.get("source"), str) else self._source(v),
            "codes": _code,
            "names": lambda v: str(v["text"]),
            "phrases": lambda v: str(v["text"]),
            "conflicts": lambda v: say.either(v["says"]) if "says" in v else v.get("clash") or v["text"],
            "hard_stops": lambda v: say.either(v["text"]),
            "tempered": lambda v: (
                f"{', '.join(v['rules'])}: {say.condition(condition_of(v['with']))} ({', '.join(v['by'])})"
            ),
        }
        if isinstance(value, Mapping) and "en" in value:
            return say.either(value)
        if member.endswith("_source") and isinstance(value, Mapping):
            return self._source(value)
        if member in by_member:
            return by_member[member](value)
        if member in VERBS and not isinstance(value, str):
            return say.target(target_of(value))
        if holder in by_holder and isinstance(value, Mapping):
            return by_holder[holder](value)
        if not place and isinstance(value, Mapping):
            return self._document(value, one.file)
        if isinstance(value, bool):
            return say.word("yes" if value else "no", "change")
        if _plain_list(value):
            return ", ".join(map(str, value)) or self._nothing()
        if isinstance(value, list):
            return "; ".join(map(self._item, value)) or self._nothing()
        return str(value) if isinstance(value, str | int | float) else _as_yaml(value)

    def _item(self, value: Any) -> str:
        return self._say.either(value) if isinstance(value, Mapping) and "en" in value else _as_yaml(value)

    def _effective(self, value: Mapping[str, str]) -> str:
        dates = [self._say.word("since", day=value["from"])]
        dates += [self._say.word("until", day=value["to"])] if "to" in value else []
        return ", ".join(dates)

    def _source(self, value: Mapping[str, Any]) -> str:
        also = [f"{one['says']}: {one['document']}, {one['at']}" for one in value.get("also", ())]
        return "; ".join([self._say.source(source_of(value)), *also])

    def _label(self, value: Mapping[str, Any]) -> str:
        label = label_of(value)
        name = f"{label.region} {label.formulation}".strip()
        return f"{name}, {self._say.label_head(label)}. {self._say.text(label.text)}".strip()

    def _minded(self, value: Mapping[str, Any]) -> str:
        text = self._say.either(value["text"])
        if "regions" in value:
            where = self._say.word("dose-regions", regions=self._say.listed(value["regions"]))
            text = f"{text} ({where})"
        if "when" not in value:
            return text
        return self._say.word("if", condition=self._say.condition(condition_of(value["when"])), text=text)

    def _rule(self, value: Mapping[str, Any]) -> str:
        if "not_executable" in value:
            return self._say.word("statement-says", "change", why=value["not_executable"])
        verb = next(verb for verb in VERBS if verb in value)
        said = value[verb]
        if verb == "order":
            says = self._say.verb(verb, target_of(said["first"]), target_of(said["then"]))
        elif verb == "remark":
            says = self._say.word(verb, "rule_words")
        else:
            says = self._say.verb(verb, target_of(said))
        condition = self._say.condition(condition_of(value["when"]))
        return self._say.word("where", "rule_words", says=says, condition=condition)

    def _document(self, value: Mapping[str, Any], file: str) -> str:
        """A whole file in a line."""
        if file.startswith("pathways/regimens/"):
            labels = "; ".join(self._label(label) for label in value["labels"])
            return self._say.word("drugs-and-labels", "change", called=value["name"], labels=labels)
        if file.startswith("pathways/evidence/"):
            shown = [self._say.either(result["headline"]) for result in value["results"]]
            return "; ".join([value["trial"], *shown])
        if file.startswith("mappings/drugs/"):
            name, count = self._say.either(value["name"]), str(len(value.get("codes", ())))
            return self._say.word("codes", "change", called=name, count=count)
        if file.startswith("pathways/drugs/"):
            return "; ".join(self._minded(one) for one in (*value["cautions"], *value["advice"]))
        if "rules" in value:
            return self._say.either(value["title"])
        return _as_yaml(value)


def _is_entry(one: Difference) -> bool:
    """Whether what differs is a whole entry of a list, new or gone, and not a member of one."""
    value = one.after if one.added else one.before
    member = one.place[-1] if one.place else ""
    return (one.added or one.removed) and isinstance(value, Mapping) and member not in _PROVENANCE | _TEXTS


def _file_lists(file: str, member: str) -> bool:
    """Whether the entries of this member have ids of their own: the clashes told with a trial have not."""
    parts = PurePosixPath(file).parts
    if member == "rules":
        return parts[:2] == ("pathways", "sequencing")
    if member == "classes":
        return file == "mappings/classes.yaml"
    return len(parts) == 2 and parts[0] == "pathways"


def _plain_list(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(item, Mapping | list) for item in value)


def _code(value: Mapping[str, Any]) -> str:
    display = f" ({value['display']})" if "display" in value else ""
    return f"{value['system']} {value['code']}{display}"


def _as_yaml(value: Any) -> str:
    text: str = yaml.safe_dump(
        value, allow_unicode=True, default_flow_style=True, width=10**6, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...").strip()


def counted(told: Iterable[Change]) -> dict[str, int]:
    """How many changes of each group, in their order."""
    numbers = dict.fromkeys(GROUPS, 0)
    for change in told:
        numbers[change.group] += 1
    return numbers
