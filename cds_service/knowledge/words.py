"""A condition as a clinician would say it: "one prior line; refractory to lenalidomide".

The words are data, pathways/definitions/sentences.yaml; drugs, classes, comorbidities and observations are
called by the names of their files. The text stands inside a sentence: no capital, no full stop.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cds_service.knowledge.types import Condition, Knowledge, Text

_GROUP = "condition_words"


def in_words(condition: Condition | None, knowledge: Knowledge) -> Text:
    """The condition in both languages; parts that must all hold are parted by semicolons.

    A key that the knowledge does not know stands as it is. Raises KeyError on a leaf without words.
    """
    return Text(*(_Words(knowledge, language).whole(condition) for language in ("en", "it")))


def listed(names: Sequence[str], knowledge: Knowledge, language: str, joint: str = "and") -> str:
    """ "a", "a and b", "a, b and c"; ``joint`` is a name of the group condition_words with first and last."""
    if len(names) < 2:
        return "".join(names)
    return _Words(knowledge, language).said(joint, first=", ".join(names[:-1]), last=names[-1])


def name_of(key: str, knowledge: Knowledge) -> Text:
    """What people call a drug, or a class by its members together; the key where nobody has named it."""
    if key in knowledge.drugs:
        return knowledge.drugs[key].name
    if key in knowledge.classes:
        return knowledge.classes[key].plural or knowledge.classes[key].name
    return Text(key, key)


def number_in_words(value: float, language: str) -> str:
    """75, 0.5 or, in Italian, 0,5."""
    plain = f"{value:g}"
    return plain.replace(".", ",") if language == "it" else plain


class _Words:
    """The words of one language."""

    def __init__(self, knowledge: Knowledge, language: str) -> None:
        self._knowledge = knowledge
        self._language = language
        self._sentences: Mapping[str, Mapping[str, Mapping[str, str]]] = knowledge.definitions["sentences"]

    def said(self, name: str, *, of: str = _GROUP, **values: str) -> str:
        text = self._sentences[of][name]
        return text.get(self._language, text["en"]).format(**values)

    def whole(self, condition: Condition | None) -> str:
        if condition is None:
            return self.said("nobody-in-particular")
        words = "; ".join(dict.fromkeys(self._part(part, False, nested=False) for part in _parts(condition)))
        return re.sub(r"\ba (?=a)", "ad ", words) if self._language == "it" else words

    def _part(self, condition: Condition, negated: bool, *, nested: bool) -> str:
        if condition.op == "not":
            return self._part(condition.children[0], not negated, nested=nested)
        if condition.op == "unknown":
            inner = self._part(condition.children[0], False, nested=True)
            return self.said("not-unknown" if negated else "unknown", words=inner)
        if condition.op not in ("all", "any"):
            return self._leaf(condition, negated)
        children = _parts(condition) if condition.op == "all" else list(condition.children)
        if len(children) == 1:
            return self._part(children[0], negated, nested=nested)
        if negated and condition.op == "all":
            words, joint = [self._part(child, False, nested=True) for child in children], "not-both"
        else:
            words = [self._part(child, negated, nested=True) for child in children]
            joint = "and" if condition.op == "all" or negated else "or" if nested else "either"
        joined = self.said(joint, first=", ".join(words[:-1]), last=words[-1])
        return f"({joined})" if nested else joined

    def _leaf(self, leaf: Condition, negated: bool) -> str:
        name, values = self._slot(leaf)
        if not negated:
            return self.said(name, **values)
        if f"not-{name}" in self._sentences[_GROUP]:
            return self.said(f"not-{name}", **values)
        return self.said("not", words=self.said(name, **values))

    def _slot(self, leaf: Condition) -> tuple[str, dict[str, str]]:
        """The name of a leaf's words, and the values they ask for."""
        name, argument = leaf.op.replace("_", "-"), leaf.argument
        match leaf.op:
            case "prior_lines":
                return self._lines(argument)
            case "exposed_to" | "refractory_to" | "naive_to" | "intolerant_of" | "allergic_to":
                return name, {"drugs": self._drugs(argument)}
            case "count_refractory" | "count_exposed":
                count, drugs = argument["at_least"], self._drugs(argument["class"])
                single = {"count_refractory": "refractory-to", "count_exposed": "exposed-to"}[leaf.op]
                return (single if count == 1 else name), {"count": str(count), "drugs": drugs}
            case "progressed_on_last_therapy":
                return name, {"window": str(self._knowledge.definitions["imwg"]["refractory"]["window_days"])}
            case "label" | "sex" | "region" | "car_t" | "planned":
                return f"{name}-{argument}", {}
            case "has":
                return self._comorbidity(argument)
            case "lab":
                entry = self._entry("observations", argument["concept"])
                bounds = self._bounds(argument, self._unit(str(entry.get("unit", ""))))
                return name, {"observation": self._named(entry), "bounds": bounds}
            case "biology":
                marker = self._named(self._entry("observations", argument["marker"]))
                return f"{name}-{argument['is']}", {"marker": marker}
            case "months_since_last":
                return name, {"drugs": self._drugs(argument["of"]), "bounds": self._bounds(argument)}
            case "transplant":
                return name, {}
            case "age" | "ecog" | "months_to_first_progression" | "months_from_transplant_to_progression":
                return name, {"bounds": self._bounds(argument)}
        raise KeyError(leaf.op)

    def _drugs(self, argument: str | Iterable[str]) -> str:
        keys = [argument] if isinstance(argument, str) else list(argument)
        names = [name_of(key, self._knowledge).in_language(self._language) for key in keys]
        return listed(names, self._knowledge, self._language, "or")

    def _lines(self, count: Mapping[str, int]) -> tuple[str, dict[str, str]]:
        if "at_least" in count and "at_most" in count:
            least, most = self._number(count["at_least"]), self._number(count["at_most"])
            slot = "one-of" if count["at_most"] == count["at_least"] + 1 else "between"
            return f"prior-lines-{slot}", {"least": least, "most": most}
        (bound, number), *_ = count.items()
        slot = f"prior-lines-{bound.replace('_', '-')}"
        exact = f"{slot}-{number}"
        if exact in self._sentences[_GROUP]:
            return exact, {}
        return slot, {"count": self._number(number)}

    def _number(self, number: int) -> str:
        known = str(number) in self._sentences["condition_number"]
        return self.said(str(number), of="condition_number") if known else str(number)

    def _bounds(self, argument: Mapping[str, Any], unit: str = "") -> str:
        bounds = [
            self.said(bound, of="condition_bounds", value=number_in_words(argument[bound], self._language))
            for bound in ("over", "at_least", "under", "at_most")
            if bound in argument
        ]
        return listed(bounds, self._knowledge, self._language) + (f" {unit}" if unit else "")

    def _unit(self, unit: str) -> str:
        if unit in self._sentences["condition_unit"]:
            return self.said(unit, of="condition_unit")
        return "" if unit.startswith("{") and unit.endswith("}") else unit  # a score or ratio: bare in speech

    def _comorbidity(self, argument: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        comorbidity = self._named(self._entry("comorbidities", argument["concept"]))
        if "grade_at_least" in argument:
            return "has-grade", {"comorbidity": comorbidity, "grade": str(argument["grade_at_least"])}
        if "severity" in argument:
            severities = [self._severity(word) for word in argument["severity"]]
            said = listed(severities, self._knowledge, self._language, "or")
            return "has-severity", {"comorbidity": comorbidity, "severity": said}
        return "has", {"comorbidity": comorbidity}

    def _severity(self, word: str) -> str:
        scale, _, number = word.partition("-")
        return self.said(scale, of="condition_severity", number=number)

    def _entry(self, file: str, key: str) -> Mapping[str, Any]:
        entries = self._knowledge.mappings[file][file]
        return next((entry for entry in entries if entry["key"] == key), {"key": key})

    def _named(self, entry: Mapping[str, Any]) -> str:
        name = entry.get("name", {})
        return str(name.get(self._language) or name.get("en") or entry["key"].replace("-", " "))


def _parts(condition: Condition) -> list[Condition]:
    """What must hold together, nested "all" opened, the bounds of one count of lines as one part."""
    if condition.op != "all":
        return [condition]
    parts = [part for child in condition.children for part in _parts(child)]
    least = [p for p in parts if p.op == "prior_lines" and set(p.argument) == {"at_least"}]
    most = [p for p in parts if p.op == "prior_lines" and set(p.argument) == {"at_most"}]
    if len(least) == len(most) == 1:
        both = Condition("prior_lines", argument={**least[0].argument, **most[0].argument})
        parts = [both if part is least[0] else part for part in parts if part is not most[0]]
    return parts
