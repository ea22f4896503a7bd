"""The texts of cards/*.yaml, compiled and checked once; facts arrive by name.

A text that names a value its place does not get, that is missing, or that could come out too long stops the
start with a sentence: such a text would otherwise fail in front of a clinician.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import SandboxedEnvironment

from cds_service.cards.explain_slots import EXPLAIN_SLOTS
from cds_service.cards.markdown import Safe, escaped, one_line, sentence_case
from cds_service.knowledge.load import KnowledgeError

LANGUAGES = ("en", "it")
SUMMARY_CHARACTERS = 139
"""CDS Hooks: a summary has fewer than 140 characters."""

# Values that are whole numbers; only these may stand in the shortest wording of a summary.
NUMBERS = frozenset({"count", "unsure", "more", "others", "unread", "total", "number"})
_LARGEST = 99_999
_TAG = re.compile(r"<[A-Za-z/!?]")

_SUGGESTING = frozenset({"stage", "opening", "opening_short", "region", "count", "unsure"})
_CONFLICT = frozenset({"regimen", "drugs", "drug", "certainty", "sentence", "more", "others", "count"})

SLOTS: dict[str, frozenset[str]] = {
    "sequencing/summary/fits": _SUGGESTING,
    "sequencing/summary/fits-incomplete": _SUGGESTING,
    "sequencing/summary/none": _SUGGESTING - {"unsure"},
    "sequencing/summary/none-incomplete": _SUGGESTING - {"unsure"},
    "sequencing/detail/state": frozenset({"stage", "lines", "refractory", "labels", "fitness"}),
    "sequencing/detail/head": frozenset({"region"}),
    "sequencing/detail/head-short": frozenset({"region"}),
    "sequencing/detail/row": frozenset({"regimen", "marks", "why", "evidence", "label", "burden"}),
    "sequencing/detail/row-short": frozenset({"regimen", "marks", "why", "evidence", "label"}),
    "sequencing/detail/recheck": frozenset(),
    "sequencing/detail/caution": frozenset({"number", "text"}),
    "sequencing/detail/also-fit": frozenset({"regimens", "more"}),
    "sequencing/detail/also-fit-count": frozenset({"more"}),
    "sequencing/detail/note": frozenset({"text"}),
    "sequencing/detail/notes-by-rule": frozenset({"rules"}),
    "sequencing/detail/more": frozenset({"count"}),
    "sequencing/detail/none": frozenset({"region"}),
    "sequencing/detail/none-incomplete": frozenset({"region"}),
    "sequencing/detail/head-nearest": frozenset(),
    "sequencing/detail/row-nearest": frozenset({"regimen", "reasons"}),
    "sequencing/detail/unknown": frozenset({"items"}),
    "sequencing/detail/disagreement": frozenset({"text", "id"}),
    "sequencing/detail/disagreements-more": frozenset({"ids", "count"}),
    "sequencing/detail/disagreements-counted": frozenset({"ids", "count"}),
    "order-conflict/summary/refractory-component": _CONFLICT,
    "order-conflict/summary/refractory-class": _CONFLICT,
    "order-conflict/summary/intolerance": _CONFLICT,
    "order-conflict/summary/contraindicated": _CONFLICT,
    "order-conflict/summary/outside-label": _CONFLICT,
    "order-conflict/summary/other": _CONFLICT,
    "order-conflict/summary/missing-companion": frozenset({"ordered", "companions", "count"}),
    "order-conflict/detail/ordered": frozenset({"name", "display", "lacks"}),
    "order-conflict/detail/companion-intro": frozenset(),
    "order-conflict/detail/companion": frozenset({"name", "texts", "sources"}),
    "order-conflict/detail/companion-named": frozenset(),
    "order-conflict/detail/conflict": frozenset({"sentence", "because", "charted", "would_settle"}),
    "order-conflict/detail/head": frozenset({"region"}),
    "order-conflict/detail/row": frozenset({"regimen", "marks", "evidence", "label", "burden"}),
    "order-conflict/detail/nothing-better": frozenset({"region"}),
    "missing-data/summary/missing": frozenset({"items", "count"}),
    "missing-data/summary/unchecked": frozenset({"drugs", "items", "count"}),
    "missing-data/summary/open": frozenset({"items", "count"}),
    "missing-data/summary/unread": frozenset({"count"}),
    "missing-data/detail/intro-unread": frozenset(),
    "missing-data/detail/intro": frozenset(),
    "missing-data/detail/intro-open": frozenset(),
    "missing-data/detail/recorded": frozenset(),
    "state/detail/recorded": frozenset(),
    "missing-data/detail/intro-unchecked": frozenset(),
    "missing-data/detail/item": frozenset({"what", "would_settle"}),
    "state/summary/remission": frozenset({"drugs", "count"}),
    "state/summary/out-of-scope": frozenset({"disease", "count"}),
    "state/detail/remission": frozenset({"drugs", "lines"}),
    "state/detail/out-of-scope": frozenset({"disease"}),
    "phrases/stop/not-borne": frozenset({"day", "words"}),
    "phrases/stage/first-relapse": frozenset(),
    "phrases/stage/primary-refractory": frozenset(),
    "phrases/stage/primary-refractory-to": frozenset({"drugs"}),
    "phrases/stage/with-refractory": frozenset({"stage", "refractory"}),
    "phrases/stage/after-lines": frozenset({"count"}),
    "phrases/stage/after-at-least": frozenset({"count"}),
    "phrases/stage/unknown": frozenset(),
    "phrases/refractory/none": frozenset(),
    "phrases/refractory/drugs": frozenset({"drugs"}),
    "phrases/refractory/unsure": frozenset({"drugs"}),
    "phrases/refractory/count": frozenset({"count"}),
    "phrases/refractory/with-certainty": frozenset({"drug", "certainty"}),
    "phrases/label/double-refractory": frozenset({"classes"}),
    "phrases/label/not-tolerated": frozenset({"drugs"}),
    "phrases/label/functional-high-risk": frozenset({"months", "limit"}),
    "phrases/label/*": frozenset(),
    "phrases/target/given": frozenset({"target", "modality", "date"}),
    "phrases/fitness/age": frozenset({"number"}),
    "phrases/fitness/ecog": frozenset({"number"}),
    "phrases/certainty/*": frozenset(),
    "phrases/list/and": frozenset(),
    "phrases/evidence/none": frozenset(),
    "phrases/why/as-above": frozenset({"regimen", "rules"}),
    "phrases/why/because": frozenset({"because", "rules"}),
    "phrases/why/rules": frozenset({"rules"}),
    "phrases/suggestion/order": frozenset({"regimen"}),
    "phrases/suggestion/replace": frozenset({"regimen"}),
    "phrases/suggestion/add": frozenset({"drug", "regimen"}),
    "phrases/regimen-name/both": frozenset({"name", "display"}),
    "phrases/regimen-name/plain": frozenset({"name"}),
    "phrases/basis/basis": frozenset({"rules", "count", "version", "as_of", "standing"}),
    "phrases/basis/unread": frozenset({"unread", "total", "kinds"}),
    "phrases/basis/unread-kind": frozenset({"kind", "count"}),
    "phrases/basis/unidentified": frozenset({"count"}),
    "phrases/basis/unmapped": frozenset({"count"}),
    "phrases/basis/more-rules": frozenset({"rules", "count"}),
    "phrases/basis/not-sent": frozenset({"kinds"}),
    "phrases/basis/source": frozenset({"title", "version"}),
    "phrases/basis/about": frozenset(),
    "phrases/basis/explain": frozenset(),
    "phrases/basis/app": frozenset(),
    "phrases/basis/link": frozenset({"document"}),
    "phrases/kind/*": frozenset(),
    "phrases/what/refractory": frozenset({"drug"}),
    "phrases/what/exposed": frozenset({"drug"}),
    "phrases/what/*": frozenset(),
    "phrases/caution/unknown-refractory": frozenset({"drugs"}),
    "phrases/caution/of-several": frozenset({"drugs", "text"}),
    "phrases/label-status/recheck": frozenset({"status"}),
    "phrases/label-status/unsettled": frozenset({"status", "count"}),
    "phrases/disease/*": frozenset(),
    "phrases/route/*": frozenset(),
    "phrases/cycle/*": frozenset(),
    "phrases/schedule/*": frozenset(),
    "phrases/unit/*": frozenset(),
    "phrases/number/decimal-point": frozenset(),
    "phrases/regimen/monotherapy": frozenset({"drug"}),
    "phrases/regimen/*": frozenset(),
    "phrases/order/dose": frozenset({"amount", "route", "days", "cycles"}),
    "phrases/order/days": frozenset({"days", "count"}),
    "phrases/order/then": frozenset(),
    "phrases/order/or": frozenset(),
    "phrases/order/create": frozenset({"drug", "dose", "regimen", "cycle", "other"}),
    "phrases/order/create-without-dose": frozenset({"drug", "regimen"}),
    "phrases/order/delete": frozenset({"drug", "charted"}),
    "phrases/order/other-schedule": frozenset({"doses"}),
    "phrases/order/note-regimen": frozenset({"regimen", "cycle"}),
    "phrases/order/note-source": frozenset({"document"}),
    "phrases/order/for-whom": frozenset({"doses", "whom"}),
    "phrases/order/note-adjusted": frozenset({"text"}),
    "phrases/order/note-no-dose": frozenset(),
    "phrases/order/note-dose-left-out": frozenset(),
    "phrases/order/create-whole": frozenset({"regimen", "drugs"}),
    "phrases/order/note-supporting": frozenset({"drugs"}),
    "phrases/order/note-not-ordered": frozenset(),
    "phrases/order/note-caution": frozenset({"text"}),
    "phrases/order/note-verify": frozenset(),
}
"""Every text the cards need, and the values it may name; ``/*`` is a group of names without values."""

# What a clinician can record where the state is unsure or wrong: cds_service/cards/corrections.py.
SLOTS |= {
    "corrections/label/refractory": frozenset({"drug"}),
    "corrections/label/not-refractory": frozenset({"drug"}),
    "corrections/label/not-tolerated-not-refractory": frozenset({"drug"}),
    "corrections/label/tolerated": frozenset({"drug"}),
    "corrections/label/progression": frozenset({"date"}),
    "corrections/label/stable": frozenset({"date"}),
    "corrections/label/prior-lines": frozenset({"count"}),
    "corrections/action/of-drug": frozenset({"date", "drug", "value"}),
    "corrections/action/plain": frozenset({"date", "question", "value"}),
    "corrections/note/corrects": frozenset({"because"}),
    "corrections/note/answers": frozenset({"what"}),
    "corrections/note/not-tolerated": frozenset({"drug"}),
    "corrections/note/no-choice": frozenset(),
    "corrections/note/about-refractory": frozenset({"drug"}),
    "corrections/note/about-prior-lines": frozenset(),
    "corrections/note/about-disease-status": frozenset(),
    "corrections/note/offered-by": frozenset({"version"}),
}

# The same of what is published as FHIR: cds_service/publish/.
SLOTS |= {
    "publish/review/some": frozenset({"count", "on", "total"}),
    "publish/review/all": frozenset({"on"}),
    "publish/regimen/title": frozenset({"display", "name"}),
    "publish/regimen/description": frozenset({"burden", "cycle", "name", "notes", "supporting"}),
    "publish/regimen/no-rule": frozenset({"why"}),
    "publish/activity/title": frozenset({"drug", "regimen", "region"}),
    "publish/activity/with-dose": frozenset({"cycle", "dose", "drug", "other", "regimen"}),
    "publish/activity/without-dose": frozenset({"drug", "regimen"}),
    "publish/activity/dose-for": frozenset({"condition", "region"}),
    "publish/activity/dose-usual": frozenset({"region"}),
    "publish/label/label": frozenset({"region"}),
    "publish/label/entry": frozenset({"formulation", "gate", "region", "since", "status", "until"}),
    "publish/evidence/conflict": frozenset({"id", "text", "use", "why"}),
    "publish/pathway/description": frozenset({"title"}),
    "publish/pathway/source": frozenset({"source"}),
    "publish/pathway/statement": frozenset({"id"}),
    "publish/pathway/rule": frozenset({"id", "regimens", "verb"}),
    "publish/pathway/rule-alone": frozenset({"id", "verb"}),
    "publish/pathway/order": frozenset({"first", "id", "then"}),
    "publish/pathway/tempered": frozenset({"conflicts"}),
    "publish/pathway/elsewhere": frozenset({"places"}),
    "publish/drug/title": frozenset({"drug"}),
    "publish/drug/description": frozenset({"drug"}),
    "publish/codes/code-system": frozenset({"title"}),
    "publish/codes/map-title": frozenset({"system"}),
    "publish/codes/map-description": frozenset({"system"}),
    "publish/codes/class-title": frozenset({"name"}),
    "publish/codes/class-description": frozenset({"name"}),
    "publish/codes/input-title": frozenset({"title"}),
    "publish/codes/input-description": frozenset({"title"}),
    "publish/codes/all-title": frozenset({"title"}),
    "publish/codes/from": frozenset({"on"}),
    "publish/codes/until": frozenset({"on"}),
    "publish/plan/title": frozenset({"pathway"}),
    "publish/plan/state": frozenset({"text"}),
    "publish/plan/lines": frozenset({"count"}),
    "publish/plan/disagreement": frozenset({"id", "text"}),
    "publish/plan/issues": frozenset({"count", "text"}),
    "publish/plan/basis": frozenset({"as_of", "pathway", "region", "standing", "version"}),
    "publish/plan/unknown": frozenset({"what"}),
    "publish/plan/unknown-changes": frozenset({"what"}),
    "publish/review/none": frozenset(),
    "publish/review/entry": frozenset(),
    "publish/review/recheck": frozenset(),
    "publish/regimen/purpose": frozenset(),
    "publish/regimen/history": frozenset(),
    "publish/dose-source/label": frozenset(),
    "publish/pathway/purpose": frozenset(),
    "publish/pathway/unreviewed": frozenset(),
    "publish/stops/title": frozenset(),
    "publish/stops/description": frozenset(),
    "publish/stops/gates": frozenset(),
    "publish/stops/stops": frozenset(),
    "publish/stops/gaps": frozenset(),
    "publish/drug/contraindication": frozenset(),
    "publish/drug/caution": frozenset(),
    "publish/drug/adjustment": frozenset(),
    "publish/drug/companion": frozenset({"name"}),
    "publish/codes/drugs": frozenset(),
    "publish/codes/drug-classes": frozenset(),
    "publish/codes/regimens": frozenset(),
    "publish/codes/diagnoses": frozenset(),
    "publish/codes/disease-courses": frozenset(),
    "publish/codes/comorbidities": frozenset(),
    "publish/codes/severities": frozenset(),
    "publish/codes/observations": frozenset(),
    "publish/codes/results": frozenset(),
    "publish/codes/genomic-components": frozenset(),
    "publish/codes/procedures": frozenset(),
    "publish/codes/disease-statuses": frozenset(),
    "publish/codes/stop-reasons": frozenset(),
    "publish/codes/assertions": frozenset(),
    "publish/codes/patient-labels": frozenset(),
    "publish/codes/rule-verbs": frozenset(),
    "publish/codes/label-statuses": frozenset(),
    "publish/codes/reasons-against": frozenset(),
    "publish/codes/regions": frozenset(),
    "publish/codes/usage-contexts": frozenset(),
    "publish/codes/review-statuses": frozenset(),
    "publish/codes/card-topics": frozenset(),
    "publish/codes/override-reasons": frozenset(),
    "publish/codes/regimen-names": frozenset(),
    "publish/codes/seen-once": frozenset(),
    "publish/codes/seen-twice": frozenset(),
    "publish/codes/prefix": frozenset(),
    "publish/codes/never": frozenset(),
    "publish/plan/nothing-due": frozenset(),
    "publish/plan/choose": frozenset(),
    "publish/plan/lines-unknown": frozenset(),
    "publish/status/*": frozenset(),
    "publish/verb/*": frozenset(),
}

SLOTS |= EXPLAIN_SLOTS


def _leaves(file: str, content: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[Mapping[str, str]]]]:
    for name, ladder in content.get("summary", {}).items():
        yield f"{file}/summary/{name}", ladder
    for name, text in content.get("detail", {}).items():
        yield f"{file}/detail/{name}", [text]
    for group, texts in content.get("texts", {}).items():
        for name, text in texts.items():
            yield f"{file}/{group}/{name}", [text]


class Wording:
    """All card texts in both languages. Raises KnowledgeError with every finding at construction."""

    def __init__(self, cards: Mapping[str, Any]) -> None:
        settings: dict[str, Any] = {"undefined": StrictUndefined, "autoescape": False}
        self._plain = SandboxedEnvironment(finalize=one_line, **settings)
        self._markdown = SandboxedEnvironment(finalize=escaped, **settings)
        self._texts: dict[tuple[str, str], tuple[Template, ...]] = {}
        findings: list[str] = []
        found: set[str] = set()
        for file in (
            "sequencing",
            "order-conflict",
            "missing-data",
            "state",
            "phrases",
            "corrections",
            "publish",
            "explain",
        ):
            if file not in cards:
                findings.append(f"cards/{file}.yaml is missing")
                continue
            for slot, ladder in _leaves(file, cards[file]):
                found.add(slot)
                findings.extend(self._add(slot, ladder))
        missing = [s for s in SLOTS if not s.endswith("/*") and s not in found]
        findings += [f"{_place(slot)}: the text is missing" for slot in missing]
        if findings:
            raise KnowledgeError(findings)

    def _add(self, slot: str, ladder: Sequence[Mapping[str, str]]) -> Iterator[str]:
        allowed = SLOTS.get(slot, SLOTS.get("/".join(slot.split("/")[:2]) + "/*"))
        if allowed is None:
            near = difflib.get_close_matches(slot, SLOTS, n=1)
            hint = f' Nearest: "{near[0].rpartition("/")[2]}".' if near else ""
            yield f"{_place(slot)}: no card uses a text of this name.{hint}"
            return
        environment = self._markdown if "/detail/" in slot else self._plain
        for language in LANGUAGES:
            templates = []
            for rung, text in enumerate(ladder, start=1):
                source = text.get(language) or text["en"]
                last_of_summary = "/summary/" in slot and rung == len(ladder)
                problem = _problem(source, environment, allowed, last_of_summary)
                if problem:
                    which = f", wording {rung}" if len(ladder) > 1 else ""
                    yield f"{_place(slot)}{which}, {language}: {problem}"
                    return
                templates.append(environment.from_string(source))
            self._texts[slot, language] = tuple(templates)

    def has(self, slot: str) -> bool:
        """Whether a text of this name exists; for the open groups only."""
        return (slot, "en") in self._texts

    def names(self, group: str) -> list[str]:
        """The texts of a group, in the order of their file."""
        start = f"{group}/"
        return [slot.removeprefix(start) for slot, of in self._texts if of == "en" and slot.startswith(start)]

    def text(self, slot: str, language: str, **values: object) -> str:
        """The text with its values: Markdown (`Safe`) for a detail, one line of plain text otherwise."""
        rendered = self._templates(slot, language)[0].render(values)
        return Safe(rendered.strip()) if "/detail/" in slot else one_line(rendered)

    def fitting(self, slot: str, language: str, **values: object) -> str:
        """The first wording of a summary that fits into its 139 characters, with a capital at its start.

        Nothing is ever cut.
        """
        rungs = self._templates(slot, language)
        candidates = (sentence_case(one_line(rung.render(values))) for rung in rungs)
        # The last fits for sure: it names numbers alone, and its length was checked at the start.
        return next(text for text in candidates if len(text) <= SUMMARY_CHARACTERS)

    def listed(self, items: Sequence[str], language: str) -> str:
        """ "a", "a and b", "a, b and c" """
        if len(items) < 2:
            return "".join(items)
        return f"{', '.join(items[:-1])} {self.text('phrases/list/and', language)} {items[-1]}"

    def _templates(self, slot: str, language: str) -> tuple[Template, ...]:
        return self._texts[slot, language if language in LANGUAGES else "en"]


def _place(slot: str) -> str:
    file, _, rest = slot.partition("/")
    return f"cards/{file}.yaml, {rest}"


def _problem(
    source: str, environment: SandboxedEnvironment, allowed: frozenset[str], last_of_summary: bool
) -> str:
    """What is wrong with one text, as a sentence; "" where nothing is."""
    try:
        tree = environment.parse(source)
    except TemplateSyntaxError as error:
        return f"the placeholders cannot be read: {error.message}"
    for reaching in tree.find_all((nodes.Getattr, nodes.Getitem, nodes.Call)):
        return f"line {reaching.lineno}: a text may name values, and nothing inside them"
    for name in sorted(meta.find_undeclared_variables(tree) - allowed):
        near = difflib.get_close_matches(name, allowed, n=1)
        hint = f' Nearest: "{near[0]}".' if near else ""
        known = ", ".join(sorted(allowed)) or "none"
        return f'names the value "{name}", which this text does not get (it gets: {known}).{hint}'
    for literal in tree.find_all(nodes.TemplateData):
        if _TAG.search(literal.data):
            return f"line {literal.lineno}: holds raw HTML, which not every client takes well"
    if last_of_summary:
        free = meta.find_undeclared_variables(tree) - NUMBERS
        if free:
            return (
                f"the last wording must fit whatever happens, so it may name numbers alone, not {min(free)}"
            )
        length = len(one_line(environment.from_string(source).render(dict.fromkeys(NUMBERS, _LARGEST))))
        if length > SUMMARY_CHARACTERS:
            return f"the last wording must always fit, and has {length} characters"
    return ""
