"""One entry of the knowledge as a page for a clinician: what it says, for whom, since when, and who says so.

Every word around the data comes from pathways/definitions/sentences.yaml, so that a page can be Italian.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cds_service.commands.layout import Page
from cds_service.knowledge.load import Files
from cds_service.knowledge.lookup import Entry, FigureConflicts
from cds_service.knowledge.related import (
    composed,
    conflicts_about,
    conflicts_with,
    regimens_with,
    rules_about,
    trials_of,
)
from cds_service.knowledge.saying import Saying
from cds_service.knowledge.types import (
    SPEAK_FOR,
    Component,
    Conflict,
    DrugClass,
    Evidence,
    EvidenceConflict,
    Gap,
    Gate,
    HardStop,
    Knowledge,
    Pathway,
    Regimen,
    Review,
    Rule,
    Source,
    Statement,
)


def page(entries: Sequence[Entry], known: Knowledge, files: Files, language: str, width: int) -> str:
    """Every entry, one below the other."""
    writer = _Writer(known, files, language, width)
    regimen = any(entry.kind == "regimen" for entry in entries)
    for entry in entries:
        if not (regimen and entry.kind == "component"):  # it stands on the regimen's own page
            writer.write(entry)
    return str(writer.page)


class _Writer:
    def __init__(self, known: Knowledge, files: Files, language: str, width: int) -> None:
        self.page = Page(width)
        self._known = known
        self._files = files
        self._say = Saying(known, language)
        self._kinds: Mapping[str, Callable[[Any], None]] = {
            "regimen": self._regimen,
            "drug": self._drug,
            "component": self._component,
            "class": self._class,
            "evidence": self._evidence,
            "rule": self._rule,
            "statement": self._statement,
            "conflict": self._conflict,
            "figure-conflict": self._figure_conflict,
            "hard-stop": self._hard_stop,
            "gate": self._gate,
            "gap": self._gap,
            "pathway": self._pathway,
        }

    def write(self, entry: Entry) -> None:
        source = self._known.pathways[entry.value.pathway].id if hasattr(entry.value, "pathway") else ""
        kind = self._say.word(entry.kind, "show_kind", source=source)
        self.page.title(f"{entry.key}  ({kind})")
        self._kinds[entry.kind](entry.value)

    # ---- parts ---------------------------------------------------------------------------------------
    def _field(self, name: str, text: str, indent: int = 0) -> None:
        self.page.field(self._say.word(name), text, indent)

    def _section(self, name: str) -> None:
        self.page.section(self._say.word(name))

    def _end(
        self, source: Source | None, reviewed: Iterable[Review], checked: str = "", file: str = ""
    ) -> None:
        if source:
            self._field("source", self._say.source(source))
        self._field("reviewed", self._say.reviewed(reviewed))
        self._field("last-checked", checked)
        self._field("file", file)

    def _file(self, folder: str, member: str, key: str) -> tuple[str, Mapping[str, Any]]:
        """Path and content of the file of a folder that is about ``key``."""
        for path, content in self._files.files.items():
            if path.parent.as_posix() == folder and content.get(member) == key:
                return path.as_posix(), content
        return "", {}

    # ---- regimens ------------------------------------------------------------------------------------
    def _regimen(self, regimen: Regimen) -> None:
        file, raw = self._file("pathways/regimens", "key", regimen.key)
        self.page.paragraph(f"{regimen.display}: {regimen.name}")
        self._field("also-called", ", ".join(regimen.abbreviations))
        self._field("drugs", ", ".join(self._drug_name(key) for key in regimen.components))
        self._field("with", ", ".join(self._drug_name(key) for key in regimen.supporting))
        self._field("classes", ", ".join(self._class_name(key) for key in raw.get("classes", ())))
        self._field("cycle", regimen.cycle)
        self._field("burden", self._say.text(regimen.burden))
        if regimen.history_only:
            self.page.paragraph(self._say.word("history-only"))
        self._doses(regimen)
        self._labels(regimen)
        self._to_mind(regimen.components)
        self._rules_about(regimen)
        self._evidence_of(regimen)
        self._conflicts_about(regimen)
        if regimen.notes:
            self._section("notes")
            for note in regimen.notes:
                self.page.item(self._say.text(note))
        self._section("sources")
        for source in regimen.sources:
            self.page.item(self._say.source(source))
        self.page.paragraph("")
        self._end(None, regimen.reviewed, regimen.last_checked, file)

    def _drug_name(self, key: str) -> str:
        return self._say.text(self._known.drugs[key].name) if key in self._known.drugs else key

    def _class_name(self, key: str) -> str:
        return self._say.text(self._known.classes[key].name) if key in self._known.classes else key

    def _doses(self, regimen: Regimen) -> None:
        self._section("doses")
        if not regimen.doses:
            self.page.paragraph(self._say.word("no-doses"), indent=2)
            return
        column = max(len(self._drug_name(dose.drug)) for dose in regimen.doses) + 2
        before = ""
        for dose in regimen.doses:
            name = self._drug_name(dose.drug)
            self.page.field("" if name == before else name, self._say.dose(dose), indent=2, column=column)
            before = name
        self.page.field(self._say.word("source"), self._say.source(regimen.dose_source), 2, column)

    def _labels(self, regimen: Regimen) -> None:
        self._section("labels")
        for label in regimen.labels:
            name = f"{label.region} {label.formulation}".strip()
            gate = self._say.text(label.text)
            mark = self._say.mark(label.source)
            self.page.field(name, f"{self._say.label_head(label)}. {gate} {mark}", indent=2, column=10)
            if label.when:
                words = self._say.condition(label.when)
                self.page.field("", f"{self._say.word('for-whom')}: {words}.", indent=2, column=10)
            said = self._say.source(replace(label.source, mark=""))  # the mark stands with the status
            self.page.field("", f"{self._say.word('source')}: {said}", indent=2, column=10)

    def _to_mind(self, drugs: Iterable[str]) -> None:
        components = [self._known.components[drug] for drug in drugs if drug in self._known.components]
        if not components:
            return
        self._section("to-mind")
        for component in components:
            self.page.paragraph(
                f"{self._drug_name(component.drug)} ({self._say.reviewed(component.reviewed)})", 2
            )
            self._minded(component)

    def _minded(self, component: Component) -> None:
        for caution in component.cautions:
            kind = self._say.word("bars" if caution.bars else "caution")
            text = self._say.where(caution.when, self._say.text(caution.text))
            self.page.item(f"{kind}: {text} {self._say.mark(caution.source)}", indent=4)
        for change in component.adjustments:
            dose = ", ".join(part for part in (self._say.amount(change), change.days_text) if part)
            text = self._say.word("adjusted-to", dose=dose, text=self._say.text(change.text))
            said = self._say.where(change.when, text)
            self.page.item(f"{self._say.word('adjusted')}: {said} {self._say.mark(change.source)}", indent=4)
        for advice in component.advice:
            text = self._say.where(advice.when, self._say.text(advice.text))
            self.page.item(
                f"{self._say.advice_kind(advice)}: {text} {self._say.mark(advice.source)}", indent=4
            )

    def _rules_about(self, regimen: Regimen) -> None:
        about = rules_about(self._known, regimen.key)
        speaking = [rule for rule in about if rule.verb in SPEAK_FOR]
        if speaking:
            self._section("rules-for")
        else:
            self._section("no-rule")
            self.page.paragraph(regimen.no_rule, indent=2)
        for rule in speaking:
            self._rule_line(rule)
        others = [rule for rule in about if rule.verb not in SPEAK_FOR]
        if others:
            self._section("rules-other")
        for rule in others:
            self._rule_line(rule)

    def _rule_line(self, rule: Rule) -> None:
        column = 14
        self.page.field(rule.id, f"{self._say.rule(rule)}.", indent=2, column=column)
        self.page.field("", self._say.text(rule.because), indent=2, column=column)
        taken = [
            f"{self._say.word('in-pathway', pathway=pathway.id)}: {how}"
            for pathway, how in self._in_pathways(rule)
        ]
        self.page.field("", "; ".join([rule.pathway, *taken]), indent=2, column=column)

    def _in_pathways(self, rule: Rule) -> list[tuple[Pathway, str]]:
        """How each composed pathway takes the rule."""
        return [(pathway, self._say.taken(rule, pathway)) for pathway in composed(self._known)]

    def _evidence_of(self, regimen: Regimen) -> None:
        rows = trials_of(self._known, regimen.key)
        if rows:
            self._section("evidence")
        for row in rows:
            self.page.paragraph(f"{row.id}: {self._arms(row)}", indent=2)
            self._headlines(row, indent=4)
            for conflict in row.conflicts:
                told = self._say.text(conflict.says) or conflict.text
                self.page.item(f"{conflict.id}: {self._with_use(told, conflict)}", indent=4, mark="!")

    def _arms(self, row: Evidence) -> str:
        population = self._say.either(row.data.get("population", ""))
        return f"{row.trial}, {self._say.arms(row)}; {population}"

    def _headlines(self, row: Evidence, indent: int) -> None:
        for result in row.results:
            self.page.item(self._say.where(result.when, self._say.text(result.headline)), indent)
        if not row.results:
            self.page.item(self._say.word("nothing-shown"), indent)

    def _with_use(self, told: str, conflict: EvidenceConflict) -> str:
        """A clash and, where the file says so, the value used and why."""
        said = [told.rstrip(".")]
        if conflict.use:
            why = f" ({conflict.why.rstrip('.')})" if conflict.why else ""
            said.append(f"{self._say.word('used')}: {conflict.use.rstrip('.')}{why}")
        return ". ".join(said) + "."

    def _conflicts_about(self, regimen: Regimen) -> None:
        about = conflicts_about(self._known, regimen.key)
        if about:
            self._section("conflicts")
        for conflict in about:
            said = self._say.text(conflict.says) or f"{conflict.clash}. {conflict.silent}"
            self.page.field(conflict.id, said, indent=2, column=8)

    # ---- drugs and classes ---------------------------------------------------------------------------
    def _drug(self, raw: Mapping[str, Any]) -> None:
        key = raw["key"]
        file, _ = self._file("mappings/drugs", "key", key)
        drug = self._known.drugs[key]
        self.page.paragraph(self._drug_name(key))
        self._field("also-called", ", ".join(one["text"] for one in raw.get("names", ())))
        self._field("classes", ", ".join(self._class_name(one) for one in drug.classes))
        self._field("role", drug.role)
        interval = self._say.word("days", count=str(drug.dose_interval_days))
        self._field("interval", self._say.word("one-off") if drug.one_off else interval)
        codes: dict[str, list[str]] = {}
        for code in raw.get("codes", ()):
            codes.setdefault(code["system"], []).append(code["code"])
        self._field("codes", "; ".join(f"{system} {', '.join(some)}" for system, some in codes.items()))
        self._regimens_with([key])
        self._field("last-checked", str(raw.get("last_checked", "")))
        self._field("file", file)

    def _component(self, component: Component) -> None:
        file, raw = self._file("pathways/drugs", "drug", component.drug)
        self._minded(component)
        self.page.paragraph("")
        self._end(None, component.reviewed, str(raw.get("last_checked", "")), file)

    def _class(self, drug_class: DrugClass) -> None:
        self.page.paragraph(self._say.text(drug_class.name))
        members = [one.key for one in self._known.drugs.values() if one.is_of(drug_class)]
        self._field("members", ", ".join(map(self._drug_name, members)))
        self._field("union", ", ".join(map(self._class_name, drug_class.union_of)))
        self._field("carries-over", self._say.word("carries" if drug_class.carries_over else "carries-not"))
        self._field("counts", self._say.word("counted" if drug_class.counts else "not-counted"))
        self._regimens_with([drug_class.key])
        self._field("source", self._say.source(drug_class.source))
        self._field("file", "mappings/classes.yaml")

    def _regimens_with(self, keys: Sequence[str]) -> None:
        found = [one.display for one in regimens_with(self._known, keys)]
        self._field("regimens", ", ".join(found) or self._say.word("no-regimen"))

    # ---- rules, statements, pathways -----------------------------------------------------------------
    def _rule(self, rule: Rule) -> None:
        file, _ = self._file("pathways/sequencing", "id", rule.pathway)
        self.page.paragraph(f"{_sentence(self._say.rule(rule))}.")
        self._field("because", self._say.text(rule.because))
        for remark in rule.remarks:
            self._field("remark", self._say.where(remark.when, self._say.text(remark.text)))
        since = self._say.word("since", day=rule.effective_from.isoformat())
        until = self._say.word("until", day=rule.effective_to.isoformat()) if rule.effective_to else ""
        self._field("holds", ", ".join(part for part in (since, until) if part))
        for pathway, how in self._in_pathways(rule):
            self.page.field(_sentence(self._say.word("in-pathway", pathway=pathway.id)), how)
        if rule.newer:
            self._field("note", self._say.word("newer"))
        self._field("note", self._note(rule))
        self._conflicts_with(rule.id)
        self._end(rule.source, rule.reviewed, rule.last_checked, file)

    def _note(self, rule: Rule) -> str:
        _, raw = self._file("pathways/sequencing", "id", rule.pathway)
        return next((str(one.get("note", "")) for one in raw.get("rules", ()) if one["id"] == rule.id), "")

    def _conflicts_with(self, key: str) -> None:
        for conflict in conflicts_with(self._known, key):
            self.page.field(conflict.id, self._say.text(conflict.says) or conflict.clash)

    def _statement(self, statement: Statement) -> None:
        file, _ = self._file("pathways/sequencing", "id", statement.pathway)
        self._field("why", f"{statement.why}.")
        self._field("lives", ", ".join(statement.lives))
        self._conflicts_with(statement.id)
        self._end(statement.source, statement.reviewed, statement.last_checked, file)

    def _pathway(self, pathway: Pathway) -> None:
        folder = "pathways" if pathway.composed else "pathways/sequencing"
        file, raw = self._file(folder, "id", pathway.id)
        self.page.paragraph(self._say.text(pathway.title))
        if pathway.composed:
            self.page.paragraph(f"{self._say.word('composed')}: {', '.join(pathway.sources)}")
        if pathway.unreviewed:
            self.page.paragraph(self._say.word("unreviewed-source"))
        self._section("rules")
        for rule in pathway.rules:
            self.page.field(rule.id, f"{self._say.rule(rule)}.", indent=2, column=14)
        if pathway.statements:
            self._section("statements")
        for statement in pathway.statements:
            self.page.field(statement.id, f"{statement.why}.", indent=2, column=14)
        self.page.paragraph("")
        self._end(pathway.cited, pathway.reviewed, str(raw.get("last_checked", "")), file)

    # ---- conflicts, stops, gaps ----------------------------------------------------------------------
    def _conflict(self, conflict: Conflict) -> None:
        self._field("clash", conflict.clash)
        self._field("known", conflict.evidence)
        self._field("handling", conflict.handling)
        self._field("lives", ", ".join(conflict.lives))
        if conflict.says:
            self._field("for-whom", self._say.condition(conflict.when))
            self._field("touches", ", ".join(map(self._say.regimen, conflict.touches)))
            self._field("answer", self._say.text(conflict.says))
        self._field("silent", conflict.silent)
        self._end(conflict.source, conflict.reviewed, conflict.last_checked, "pathways/conflicts.yaml")

    def _figure_conflict(self, conflicts: FigureConflicts) -> None:
        for population, conflict in conflicts.told:
            file, _ = self._file("pathways/evidence", "id", population)
            row = self._known.evidence[population]
            self._field("trial", f"{population}: {self._arms(row)}")
            self._field("clash", conflict.text)
            self._field("used", f"{conflict.use}{f' ({conflict.why})' if conflict.why else ''}".strip())
            self._field("answer", self._say.text(conflict.says))
            self._field("silent", conflict.silent)
            self._end(row.source, row.reviewed, str(row.data.get("last_checked", "")), file)

    def _hard_stop(self, stop: HardStop) -> None:
        self.page.paragraph(self._say.text(stop.text))
        if stop.when:
            self._field("for-whom", self._say.condition(stop.when))
        if stop.excludes:
            self._field("excludes", self._say.drugs(stop.excludes))
            self._regimens_with(stop.excludes)
        self._field("checks", stop.check)
        self._field("reason", stop.code)
        self._end(stop.source, stop.reviewed, stop.last_checked, "pathways/hard-stops.yaml")

    def _gate(self, gate: Gate) -> None:
        self.page.paragraph(self._say.text(gate.text))
        self._field("checks", gate.check)
        self._end(gate.source, gate.reviewed, file="pathways/hard-stops.yaml")

    def _gap(self, gap: Gap) -> None:
        self._field("for-whom", self._say.condition(gap.when))
        self._field("because", self._say.text(gap.because))
        self._end(gap.source, gap.reviewed, file="pathways/no-suggestion.yaml")

    def _figure(self, name: str) -> str:
        return self._say.word(name, "figure") if self._say.has(name, "figure") else name.replace("_", " ")

    # ---- evidence ------------------------------------------------------------------------------------
    def _evidence(self, row: Evidence) -> None:
        file, _ = self._file("pathways/evidence", "id", row.id)
        self._field("trial", " ".join(part for part in (row.trial, str(row.data.get("nct", ""))) if part))
        self._field("arms", self._say.arms(row))
        self._field("population", self._say.either(row.data.get("population", "")))
        self._field("resembles", self._say.condition(row.when))
        self._section("shown")
        self._headlines(row, indent=2)
        self._section("figures")
        figures = row.data.get("figures", {})
        self.page.table(((self._figure(name), str(value)) for name, value in figures.items()), indent=2)
        if row.conflicts:
            self._section("conflicts")
        for conflict in row.conflicts:
            self.page.field(conflict.id, self._with_use(conflict.text, conflict), indent=2, column=8)
            self.page.field("", self._say.text(conflict.says) or conflict.silent, indent=2, column=8)
        self.page.paragraph("")
        self._field("verification", str(row.data.get("verification", "")))
        for name in sorted(row.data.keys() - _SAID_OF_EVIDENCE):
            self.page.field(_sentence(self._figure(name)), _plainly(row.data[name]))
        self._end(row.source, row.reviewed, str(row.data.get("last_checked", "")), file)


_SAID_OF_EVIDENCE = frozenset(
    {"id", "trial", "nct", "regimen", "arm", "control", "when", "population", "figures", "results"}
    | {"conflicts", "verification", "source", "reviewed", "last_checked"}
)
"""Members of a trial row that have their place on its page; any other is printed as it stands."""


def _plainly(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key.replace('_', ' ')}: {_plainly(one)}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
