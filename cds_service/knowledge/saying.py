"""What entries of the knowledge say, put into sentences of one language: rules, doses, labels, sources.

Used where people read the knowledge itself, at a terminal or as a list of changes. All words are data,
pathways/definitions/sentences.yaml.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cds_service.knowledge.types import (
    Advice,
    Condition,
    Dose,
    DoseAdjustment,
    Evidence,
    Knowledge,
    Label,
    Pathway,
    Review,
    Rule,
    Source,
    Target,
    Text,
)
from cds_service.knowledge.words import in_words, listed, name_of, number_in_words


class Saying:
    """The sentences of one language."""

    def __init__(self, known: Knowledge, language: str) -> None:
        self.known = known
        self.language = language
        self._sentences: Mapping[str, Mapping[str, Mapping[str, str]]] = known.definitions["sentences"]

    def word(self, name: str, group: str = "show", **values: str) -> str:
        """A text of the sentences file with its values filled in. Raises KeyError where there is none."""
        text = self._sentences[group][name]
        return text.get(self.language, text["en"]).format(**values)

    def has(self, name: str, group: str) -> bool:
        """Whether the sentences file has such a text."""
        return name in self._sentences[group]

    def text(self, text: Text | None) -> str:
        """A text of the data; "" where there is none."""
        return text.in_language(self.language) if text else ""

    def condition(self, condition: Condition | None) -> str:
        """A condition in words."""
        return self.text(in_words(condition, self.known))

    def listed(self, names: Iterable[str], joint: str = "and") -> str:
        """ "a, b and c" """
        return listed(list(names), self.known, self.language, joint)

    def drugs(self, keys: Iterable[str]) -> str:
        """Drugs and classes by name, "a or b"."""
        return self.listed((self.text(name_of(key, self.known)) for key in keys), "or")

    def regimen(self, key: str) -> str:
        """How clinicians write a regimen; its key where the knowledge has none of the name."""
        return self.known.regimens[key].display if key in self.known.regimens else key

    def target(self, target: Target) -> str:
        """The regimens that a rule speaks of."""
        if target.containing:
            return self.word("containing", "rule_words", drugs=self.drugs(target.containing))
        return self.listed(map(self.regimen, target.regimens))

    def rule(self, rule: Rule) -> str:
        """Verb, regimens and condition: "recommends Isa-KD and D-PD, where: one prior line; …"."""
        says = self.verb(rule.verb, rule.target, rule.then)
        return self.word("where", "rule_words", says=says, condition=self.condition(rule.when))

    def verb(self, verb: str, target: Target, then: Target = Target()) -> str:  # noqa: B008 (frozen)
        """What a rule says of regimens: "recommends Isa-KD and D-PD"."""
        return self.word(verb, "rule_words", regimens=self.target(target), then=self.target(then))

    def taken(self, rule: Rule, pathway: Pathway) -> str:
        """How a composed pathway takes a rule: "as it stands", "only where also: …", "not taken"."""
        taken = next((one for one in pathway.rules if one.id == rule.id), None)
        if taken is None:
            return self.word("not-taken")
        said = []
        if taken.when != rule.when:
            more = self.condition(Condition("all", taken.when.children[1:]))
            by = ", ".join(taken.tempered_by)
            said.append(self.word("tempered-by" if by else "tempered", condition=more, conflicts=by))
        if taken.verb != rule.verb:
            said.append(self.word("at-most", says=self.verb(taken.verb, taken.target)))
        return "; ".join(said) or self.word("as-it-stands")

    def where(self, condition: Condition | None, text: str) -> str:
        """A text, with the condition under which it is said before it."""
        return self.word("if", condition=self.condition(condition), text=text) if condition else text

    def arms(self, row: Evidence) -> str:
        """What was given in a trial, and against what: "D-PD against PD"."""
        arm = str(row.data.get("arm") or self.regimen(row.regimen))
        return self.word("against", arm=arm, control=row.control) if row.control else arm

    def advice_kind(self, advice: Advice) -> str:
        """What an advice is about, and where it holds: "REMS (FDA only)"."""
        known = self.has(advice.kind, "advice_kind")
        kind = self.word(advice.kind, "advice_kind") if known else advice.kind
        if not advice.regions:
            return kind
        return f"{kind} ({self.word('dose-regions', regions=self.listed(advice.regions))})"

    def amount(self, dose: Dose | DoseAdjustment) -> str:
        """ "1800 mg" """
        text = dose.amount_text if isinstance(dose, Dose) else ""
        number = text or ("" if dose.amount is None else number_in_words(dose.amount, self.language))
        return f"{number} {dose.unit}".strip()

    def dose(self, dose: Dose) -> str:
        """One row of a schedule: "1800 mg SC, days 1, 8, 15, 22, C1-2; for: age at least 75"."""
        days = _spans(dose.days) or dose.days_text
        plain = bool(dose.days)
        said = [
            f"{self.amount(dose)} {dose.route}".strip(),
            self.word("dose-day" if len(dose.days) == 1 else "dose-days", days=days) if plain else "",
            self.word("dose-schedule", days=days) if days and not plain else "",
            dose.cycles,
            self.word("step-up") if dose.step_up else "",
            self.word("alternative") if dose.alternative else "",
            self.word("dose-regions", regions=self.listed(dose.regions)) if dose.regions else "",
        ]
        line = ", ".join(part for part in said if part)
        return line + (f"; {self.word('dose-for', condition=self.condition(dose.when))}" if dose.when else "")

    def label_status(self, label: Label) -> str:
        """ "conditional approval" """
        known = self.has(label.status, "label_status")
        return self.word(label.status, "label_status") if known else label.status

    def label_head(self, label: Label) -> str:
        """Status and dates: "authorised, since 2021-06-22"."""
        status = self.label_status(label)
        dates = [
            self.word("since", day=label.since) if label.since else "",
            self.word("until", day=label.until) if label.until else "",
        ]
        return ", ".join(part for part in (status, *dates) if part)

    def source(self, source: Source) -> str:
        """Where it is said, and how we know: "Barilà 2025, table 1; doi 10.… [R: recheck the label]"."""
        named = [part for part in (source.document, source.at) if part]
        ways = [
            f"doi {source.doi}" if source.doi else "",
            f"PMID {source.pmid}" if source.pmid else "",
            source.url,
        ]
        said = "; ".join([", ".join(named), *(way for way in ways if way)]).strip("; ")
        return f"{said} {self.mark(source)}".strip()

    def mark(self, source: Source) -> str:
        """How we know, in brackets: "[V]" seen, "[R: recheck the label]"; "" where the file does not say."""
        if self.has(source.mark, "mark_words"):
            return f"[{source.mark}: {self.word(source.mark, 'mark_words')}]"
        return f"[{source.mark}]" if source.mark else ""

    def reviewed(self, reviews: Iterable[Review]) -> str:
        """By whom and when, or that nobody has."""
        said = "; ".join(self.word("reviewed-by", role=one.role, on=one.on) for one in reviews)
        return said or self.word("not-reviewed")

    def either(self, raw: Any) -> str:
        """A text of a file as loaded, ``{en, it}`` or a string."""
        if isinstance(raw, Mapping) and "en" in raw:
            return str(raw.get(self.language) or raw["en"])
        return str(raw)


def _spans(days: tuple[int, ...]) -> str:
    """ "1, 8, 15" as they stand; three or more days on end as "1-21"."""
    runs: list[list[int]] = []
    for day in days:
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(
        f"{run[0]}-{run[-1]}" if len(run) > 2 and run[0] > 0 else ", ".join(map(str, run)) for run in runs
    )
