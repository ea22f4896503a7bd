"""Asks every regimen of a pathway: fits it here? excluded by what? preferred by which rule?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cds_service.knowledge.types import VERBS, Knowledge, Pathway, Regimen, Rule, Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.types import PatientState
from cds_service.sequencing import safety
from cds_service.sequencing.conditions import Evaluator
from cds_service.sequencing.evidence import evidence_for
from cds_service.sequencing.labelling import gate_text, label_status
from cds_service.sequencing.types import (
    CautionShown,
    LabelStatus,
    NotSuggested,
    Outcome,
    Reason,
    Recommendation,
    Suggested,
    TraceStep,
)

SPEAKING = {"recommend": 0, "prefer": 1, "support": 2, "consider": 2, "allow": 3}
"""Strength of the verbs that speak for a regimen, strongest first; supported and considered are equals."""

_OUTSIDE = {"outside": "outside-label", "pending": "not-labelled", "not-labelled": "not-labelled",
            "withdrawn": "withdrawn"}  # fmt: skip


@dataclass(frozen=True)
class _Asked:
    """One rule asked of the patient, and the regimens it means."""

    rule: Rule
    outcome: Outcome
    regimens: tuple[str, ...]


def choose(
    state: PatientState,
    knowledge: Knowledge,
    region: str,
    pathway: str,
    formulary: frozenset[str] = frozenset(),
) -> Recommendation:
    """The regimens of ``pathway`` that fit ``state`` in ``region``, in order, and all others with reasons.

    ``formulary`` holds keys of regimens and drugs not available here. Raises KeyError on an unknown
    pathway. Order: strength of the rule, within it the de-prioritised last, then what a caution or an
    unknown concerns, then the source's own order, then the key; never by a figure of a trial.
    """
    chosen = knowledge.pathways[pathway]
    evaluator = Evaluator(state, knowledge, region)
    asked = [
        _Asked(rule, evaluator.ask(rule.when), _meant(rule, knowledge))
        for rule in chosen.rules
        if rule.effective_from <= state.as_of
        and (rule.effective_to is None or state.as_of < rule.effective_to)
    ]
    trace: list[TraceStep] = []
    fits: list[tuple[tuple[object, ...], Suggested]] = []
    others: list[NotSuggested] = []
    blanket = _nothing_due(state, knowledge)
    for regimen in sorted(knowledge.regimens.values(), key=lambda r: r.key):
        speaking = [a for a in asked if regimen.key in a.regimens]
        label, gate = label_status(regimen, region, evaluator, knowledge, state.as_of)
        trace.append(TraceStep(regimen.key, f"label:{region}", gate))
        trace += [TraceStep(regimen.key, f"rule:{a.rule.id}", a.outcome) for a in speaking]
        barred = list(safety.exclusions(regimen, state, evaluator, knowledge))
        trace += [TraceStep(regimen.key, r.code, Outcome(True, (), r.derived_from)) for r in barred]
        reasons = [blanket] if blanket else [
            *barred,
            *_label_reasons(regimen, region, label, speaking, knowledge),
            *_formulary_reasons(regimen, formulary, knowledge),
            *_rule_reasons(speaking, knowledge),
        ]  # fmt: skip
        if reasons:
            others.append(NotSuggested(regimen.key, tuple(reasons)))
        else:
            fits.append(_suggestion(regimen, label, speaking, chosen, state, evaluator, knowledge))
    fits.sort(key=lambda fit: fit[0])
    suggested = tuple(replace(item, rank=rank) for rank, (_, item) in enumerate(fits, start=1))
    return Recommendation(
        region=region,
        pathway=pathway,
        suggested=_with_recommended(suggested, asked),
        not_suggested=tuple(others),
        disagreements=_disagreements(chosen, evaluator, state),
        trace=tuple(trace),
    )


def _meant(rule: Rule, knowledge: Knowledge) -> tuple[str, ...]:
    if not rule.containing:
        return rule.regimens
    wanted = set(rule.containing)
    classes = [knowledge.classes[key] for key in rule.containing if key in knowledge.classes]

    def meant(key: str) -> bool:
        return key in wanted or any(knowledge.drugs[key].is_of(drug_class) for drug_class in classes)

    return tuple(sorted(r.key for r in knowledge.regimens.values() if any(map(meant, r.components))))


def _nothing_due(state: PatientState, knowledge: Knowledge) -> Reason | None:
    """The one reason that holds for every regimen where the patient needs no choice."""
    if state.out_of_scope:
        return Reason("out-of-scope", sentence(knowledge.definitions, "reason", "out-of-scope"),
                      state.diagnosis.derived_from)  # fmt: skip
    if not state.needs_treatment_choice:
        return Reason("no-choice-due", sentence(knowledge.definitions, "reason", "no-choice-due"))
    return None


def _fired(asked: Iterable[_Asked], *verbs: str) -> list[_Asked]:
    return [a for a in asked if a.outcome.value and a.rule.verb in verbs]


def _label_reasons(
    regimen: Regimen, region: str, label: LabelStatus, speaking: Sequence[_Asked], knowledge: Knowledge
) -> list[Reason]:
    definitions = knowledge.definitions
    if label.status == "within" or (label.status == "unknown" and label.kind != "not-seen"):
        return []
    gate = gate_text(regimen, region, label)
    if label.kind == "frontline-only":
        text = sentence(definitions, "reason", "frontline-only", region=region)
    elif label.kind == "not-seen":
        text = sentence(definitions, "reason", "not-seen", region=region)
    elif label.status == "pending":
        text = sentence(definitions, "reason", "pending", region=region)
    elif label.status == "withdrawn":
        until = next((e.until for e in regimen.labels if e.region == region and e.until), "")
        text = sentence(definitions, "reason", "withdrawn", region=region, until=until or "?")
    elif label.status == "not-labelled":
        text = sentence(definitions, "reason", "not-labelled", region=region, status=label.text)
    else:
        text = sentence(definitions, "reason", "outside-label", region=region, gate=gate)
    reasons = [Reason(_OUTSIDE.get(label.status, "not-labelled"), text)]
    reaching = _fired(speaking, *SPEAKING)
    if reaching:
        rules = ", ".join(a.rule.id for a in reaching)
        text = sentence(definitions, "reason", "rule-outside-label", rules=rules, gate=gate)
        reasons.append(Reason("outside-label", text))
    return reasons


def _formulary_reasons(regimen: Regimen, formulary: frozenset[str], knowledge: Knowledge) -> list[Reason]:
    if formulary & {regimen.key, *regimen.components}:
        return [Reason("not-available-here", sentence(knowledge.definitions, "reason", "not-available-here"))]
    return []


def _rule_reasons(speaking: Sequence[_Asked], knowledge: Knowledge) -> list[Reason]:
    reasons = [
        Reason("avoided-by-rule", _cited(a.rule), a.outcome.derived_from) for a in _fired(speaking, "avoid")
    ]
    if not _fired(speaking, *SPEAKING):
        reasons.append(Reason("no-rule", sentence(knowledge.definitions, "reason", "no-rule")))
    return reasons


def _cited(rule: Rule) -> Text:
    return Text(f"{rule.because.en} ({rule.id})", f"{rule.because.in_language('it')} ({rule.id})")


def _suggestion(
    regimen: Regimen,
    label: LabelStatus,
    speaking: Sequence[_Asked],
    pathway: Pathway,
    state: PatientState,
    evaluator: Evaluator,
    knowledge: Knowledge,
) -> tuple[tuple[object, ...], Suggested]:
    """The suggestion, and its place in the order."""

    def place(asked: _Asked) -> tuple[int, int, int, int]:
        rule = asked.rule
        source = pathway.sources.index(rule.pathway)
        return (SPEAKING[rule.verb], source, rule.position, asked.regimens.index(regimen.key))

    speaking_for = sorted(_fired(speaking, *SPEAKING), key=place)
    best = speaking_for[0]
    deprioritised = _fired(speaking, "deprioritise")
    shown = [
        *(
            CautionShown("", a.rule.id, _cited(a.rule), False, a.outcome.derived_from)
            for a in (*deprioritised, *_fired(speaking, "caution"))
        ),
        *safety.cautions(regimen, state, evaluator, knowledge),
    ]
    # Cautions that concern her stand first, whoever says them.
    shown.sort(key=lambda c: not c.concerns)
    concerned = any(c.concerns for c in shown) or label.status == "unknown"
    strength = SPEAKING[best.rule.verb]
    order = (strength, bool(deprioritised), concerned, *place(best)[1:], regimen.key)
    suggested = Suggested(
        regimen=regimen.key,
        rank=0,
        strength=best.rule.verb,
        label=label,
        rules=tuple(a.rule.id for a in (*speaking_for, *deprioritised)),
        evidence=evidence_for(regimen.key, evaluator, knowledge),
        cautions=tuple(shown),
        because=best.rule.because,
        unknown=label.missing,
    )
    return order, suggested


def _with_recommended(suggested: tuple[Suggested, ...], asked: Sequence[_Asked]) -> tuple[Suggested, ...]:
    """Marks the first where one rule recommends or prefers it, and it alone, and no caution concerns it."""
    if not suggested:
        return suggested
    first = suggested[0]
    alone = any(a.regimens == (first.regimen,) for a in _fired(asked, "recommend", "prefer"))
    clear = not any(c.concerns for c in first.cautions) and not first.unknown
    return (replace(first, recommended=alone and clear), *suggested[1:])


def _disagreements(
    pathway: Pathway, evaluator: Evaluator, state: PatientState
) -> tuple[tuple[str, Text], ...]:
    if not state.needs_treatment_choice or state.out_of_scope:
        return ()
    return tuple((d.id, d.text) for d in pathway.disagreements if evaluator.ask(d.when).value)


assert set(SPEAKING) <= set(VERBS)  # noqa: S101 (two lists that must not drift apart)
