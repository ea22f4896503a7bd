"""Asks every regimen of a pathway: fits it here? excluded by what? preferred by which rule?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from cds_service.knowledge.types import VERBS, Knowledge, Regimen, Review, Rule, Site, Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.types import PatientState
from cds_service.record import MYELOMA
from cds_service.sequencing import safety
from cds_service.sequencing.conditions import Evaluator
from cds_service.sequencing.disagreements import disagreements
from cds_service.sequencing.doses import dose_cautions, doses_for
from cds_service.sequencing.evidence import evidence_for, headline
from cds_service.sequencing.labelling import gate_text, standings
from cds_service.sequencing.types import (
    AdviceShown,
    CautionShown,
    DisagreementShown,
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
class Asked:
    """One rule asked of the patient."""

    rule: Rule
    outcome: Outcome


@dataclass(frozen=True)
class Judged:
    """What was found of one regimen: it fits, with its place in the order; or the reasons why not."""

    regimen: str
    trace: tuple[TraceStep, ...]
    reasons: tuple[Reason, ...] = ()
    fits: Suggested | None = None
    strength: int = 0
    place: tuple[object, ...] = ()  # within its strength, once the order rules have been heard
    deprioritised: bool = False
    waits_for: frozenset[str] = frozenset()  # data by which it would be judged otherwise, or stand elsewhere


class Chooser:
    """One patient, one pathway, one site: asks the rules once, then each regimen as often as wanted.

    ``before`` has judged the same patient with less known. Raises KeyError on an unknown pathway.
    """

    def __init__(
        self,
        state: PatientState,
        knowledge: Knowledge,
        region: str,
        pathway: str,
        site: Site | None = None,
        before: Chooser | None = None,
    ) -> None:
        self.state = state
        self.knowledge = knowledge
        self.region = region
        self.site = site or knowledge.site
        self.pathway = knowledge.pathways[pathway]
        known = before.evaluator if before is not None else None
        self.evaluator: Evaluator = Evaluator(state, knowledge, region, self.site.car_t, known)
        self.asked = [
            Asked(rule, self.evaluator.ask(rule.when))
            for rule in self.pathway.rules
            if rule.effective_from <= state.as_of
            and (rule.effective_to is None or state.as_of < rule.effective_to)
        ]
        self._speaking: dict[str, list[Asked]] = {}
        self._about: dict[str, list[Asked]] = {}  # with those of an order rule's second half
        for asked in self.asked:
            for key in asked.rule.target.regimens:
                self._speaking.setdefault(key, []).append(asked)
            for key in dict.fromkeys((*asked.rule.target.regimens, *asked.rule.then.regimens)):
                self._about.setdefault(key, []).append(asked)
        self._blanket = self._nothing_due()

    def judge(self, regimen: Regimen) -> Judged:
        """The regimen against every gate, hard stop and rule."""
        speaking = self._speaking.get(regimen.key, [])
        about = self._about.get(regimen.key, [])
        labels = standings(regimen, self.region, self.evaluator, self.knowledge, self.state.as_of)
        label, gate = labels[0]
        availability, not_here = self._availability(regimen)
        stops = list(safety.stops_asked(regimen, self.state, self.evaluator, self.knowledge))
        trace = [
            *self._state_gates(regimen.key),
            TraceStep(regimen.key, "gate:label", gate),
            *(TraceStep(regimen.key, _label_step(one), outcome) for one, outcome in labels),
            TraceStep(regimen.key, "gate:availability", availability),
            *(TraceStep(regimen.key, stop.step, stop.outcome) for stop in stops),
            *(TraceStep(regimen.key, f"rule:{a.rule.id}", a.outcome) for a in about),
        ]
        reasons = [self._blanket] if self._blanket else [
            *dict.fromkeys(stop.reason for stop in stops if stop.reason),
            *self._label_reasons(regimen, label, speaking),
            *not_here,
            *self._rule_reasons(regimen, speaking),
        ]  # fmt: skip
        waits_for = frozenset(datum for step in trace for datum in step.outcome.missing)
        if reasons:
            return Judged(regimen.key, tuple(trace), tuple(reasons), waits_for=waits_for)
        return replace(
            self._fitting(regimen, label, speaking, tuple(trace)),
            waits_for=waits_for.union(safety.open_weights(regimen, self.evaluator, self.knowledge)),
        )

    def judge_all(self) -> list[Judged]:
        """Every regimen of the knowledge, by key."""
        return [self.judge(regimen) for _, regimen in sorted(self.knowledge.regimens.items())]

    def ordered(self, judged: Iterable[Judged]) -> list[Judged]:
        """Those that fit, best first: by strength, then the de-prioritised last, then their place.

        An order rule moves a regimen of its second half behind those of its first half of equal strength,
        no further, and leaves all others where they are.
        """
        fits = [one for one in judged if one.fits is not None]
        ranked = sorted(fits, key=lambda one: (one.strength, one.deprioritised, *one.place))
        for asked in fired(self.asked, "order"):
            ranked = _with_first_before_then(ranked, asked.rule)
        return ranked

    def recommendation(self, judged: Sequence[Judged]) -> Recommendation:
        """Every regimen's judgement as one answer."""
        ranked = self.ordered(judged)
        suggested = self._with_recommended(
            [replace(one.fits, rank=rank) for rank, one in enumerate(ranked, start=1) if one.fits]
        )
        others = tuple(NotSuggested(one.regimen, one.reasons) for one in judged if one.fits is None)
        due = self._blanket is None
        gap = next((g for g in self.knowledge.gaps if due and self.evaluator.ask(g.when).value), None)
        return Recommendation(
            region=self.region,
            pathway=self.pathway.id,
            suggested=suggested,
            not_suggested=others,
            disagreements=self._disagreements(suggested) if due else (),
            trace=tuple(step for one in judged for step in one.trace),
            remarks=tuple(self._remarks()) if due else (),
            nothing_because=(gap.id, gap.because) if gap and not suggested else None,
            unreviewed_source=self.pathway.unreviewed,
            clinically_reviewed=self._reviewed(suggested),
        )

    def _disagreements(self, suggested: Sequence[Suggested]) -> tuple[DisagreementShown, ...]:
        """None on a day before any of the sources: what they say was not said yet."""
        if not self.asked:
            return ()
        spoken_for = {key for key, own in self._speaking.items() if any(fired(own, *SPEAKING))}
        return disagreements(suggested, spoken_for, self.evaluator, self.knowledge)

    # Gates

    def _state_gates(self, regimen: str) -> list[TraceStep]:
        state = self.state
        in_scope = state.diagnosis.kind == MYELOMA and not state.out_of_scope
        known = state.prior_lines is not None
        by = state.diagnosis.derived_from
        return [
            TraceStep(regimen, "gate:diagnosis", Outcome(in_scope, (), by)),
            TraceStep(regimen, "gate:choice-due", Outcome(state.needs_treatment_choice)),
            TraceStep(
                regimen,
                "gate:prior-lines",
                Outcome(True if known else None, () if known else ("prior-lines",)),
            ),
        ]

    def _nothing_due(self) -> Reason | None:
        """The one reason that holds for every regimen where the patient needs no choice."""
        if self.state.out_of_scope:
            text = sentence(self.knowledge.definitions, "reason", "out-of-scope")
            return Reason("out-of-scope", text, self.state.diagnosis.derived_from)
        if not self.state.needs_treatment_choice:
            return Reason("no-choice-due", sentence(self.knowledge.definitions, "reason", "no-choice-due"))
        return None

    def _availability(self, regimen: Regimen) -> tuple[Outcome, list[Reason]]:
        definitions = self.knowledge.definitions

        def reason(words: str, refs: tuple[str, ...] = (), **values: Text) -> tuple[Outcome, list[Reason]]:
            text = sentence(definitions, "reason", words, **values)
            return Outcome(False, (), refs), [Reason("not-available-here", text, refs)]

        for key in (regimen.key, *regimen.components):
            if key in self.site.not_available:
                why = self.site.not_available[key]
                return reason("not-available-because", why=why) if why else reason("not-available-here")
        if not self.knowledge.gives_cells(regimen):
            return Outcome(True), []
        feasible = self.evaluator.car_t_feasible()
        if feasible.value is not False:
            return feasible, []
        if self.state.car_t == "not-feasible":
            return reason("no-car-t-for-patient", self.state.car_t_from)
        return reason("no-car-t-here")

    def _label_reasons(self, regimen: Regimen, label: LabelStatus, speaking: Sequence[Asked]) -> list[Reason]:
        definitions, region = self.knowledge.definitions, self.region
        if label.status == "within" or (label.status == "unknown" and label.kind != "not-seen"):
            return []
        gate = gate_text(label)
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
        if reaching := list(fired(speaking, *SPEAKING)):
            rules = ", ".join(a.rule.id for a in reaching)
            text = sentence(definitions, "reason", "rule-outside-label", rules=rules, gate=gate)
            reasons.append(Reason("outside-label", text))
        return reasons

    # Rules

    def _rule_reasons(self, regimen: Regimen, speaking: Sequence[Asked]) -> list[Reason]:
        reasons = [
            Reason("avoided-by-rule", cited(a.rule), a.outcome.derived_from) for a in fired(speaking, "avoid")
        ]
        if regimen.history_only or not any(fired(speaking, *SPEAKING)):
            reasons.append(Reason("no-rule", sentence(self.knowledge.definitions, "reason", "no-rule")))
        return reasons

    def _remarks(self) -> list[CautionShown]:
        """What rules say of the state as a whole; and of a day gone by, how many rules are younger."""
        begin = sorted(r.effective_from for r in self.pathway.rules if r.effective_from > self.state.as_of)
        later = []
        if begin:
            words = {"count": str(len(begin)), "date": begin[0].isoformat()}
            text = sentence(self.knowledge.definitions, "reason", "rules-not-yet", **words)
            later = [CautionShown("", "rules-not-yet", text, False)]
        return later + [
            CautionShown("", asked.rule.id, remark.text, False, asked.outcome.derived_from)
            for asked in fired(self.asked, "remark")
            for remark in asked.rule.remarks
            if self.evaluator.ask(remark.when).value
        ]

    def _fitting(
        self, regimen: Regimen, label: LabelStatus, speaking: Sequence[Asked], trace: tuple[TraceStep, ...]
    ) -> Judged:
        def place(asked: Asked) -> tuple[int, int, int, int]:
            rule = asked.rule
            source = self.pathway.sources.index(rule.pathway)
            return (SPEAKING[rule.verb], source, rule.position, rule.target.regimens.index(regimen.key))

        speaking_for = sorted(fired(speaking, *SPEAKING), key=place)
        best = speaking_for[0]
        evidence = evidence_for(regimen.key, self.evaluator, self.knowledge)
        doses = doses_for(regimen, self.region, self.evaluator, self.knowledge)
        deprioritised = list(fired(speaking, "deprioritise"))
        shown = [
            *(
                CautionShown("", a.rule.id, cited(a.rule), False, a.outcome.derived_from)
                for a in (*deprioritised, *fired(speaking, "caution", "require"))
            ),
            *safety.cautions(regimen, self.state, self.evaluator, self.knowledge),
            *dose_cautions(doses, self.knowledge),
        ]
        # Cautions that concern her stand first, whoever says them.
        shown.sort(key=lambda c: not c.concerns)
        concerned = any(c.concerns and c.weighs for c in shown) or label.status == "unknown"
        suggested = Suggested(
            regimen=regimen.key,
            rank=0,
            strength=best.rule.verb,
            label=label,
            rules=tuple(dict.fromkeys(a.rule.id for a in (*speaking_for, *deprioritised))),
            evidence=evidence,
            headlines=tuple(headline(self.knowledge.evidence[key], self.evaluator) for key in evidence),
            cautions=tuple(shown),
            because=best.rule.because,
            unknown=label.missing,
            newer=all(a.rule.newer for a in speaking_for),
            doses=doses,
            advice=(
                *(
                    AdviceShown(
                        "required", a.rule.because, a.rule.source, "", a.rule.id, a.outcome.derived_from
                    )
                    for a in fired(speaking, "require")
                ),
                *safety.advice(regimen, self.region, self.evaluator, self.knowledge),
            ),
        )
        return Judged(
            regimen=regimen.key,
            trace=trace,
            fits=suggested,
            strength=SPEAKING[best.rule.verb],
            place=(concerned, *place(best)[1:], regimen.key),
            deprioritised=bool(deprioritised),
        )

    def _with_recommended(self, suggested: Sequence[Suggested]) -> tuple[Suggested, ...]:
        """Marks the first where one rule recommends or prefers it alone, and no caution concerns it."""
        if not suggested:
            return ()
        first = suggested[0]
        alone = any(
            a.rule.target.regimens == (first.regimen,) for a in fired(self.asked, "recommend", "prefer")
        )
        # Another might stand first, were a datum known: then none is called recommended.
        open_rules = any(
            a.outcome.value is None and a.rule.verb in ("recommend", "prefer") for a in self.asked
        )
        clear = not any(c.concerns for c in first.cautions) and not first.unknown and not open_rules
        return (replace(first, recommended=alone and clear), *suggested[1:])

    def _reviewed(self, suggested: Sequence[Suggested]) -> bool:
        """Whether every regimen, rule, component and trial row behind the suggestions carries an approval."""
        rules = {a.rule.id: a.rule for a in self.asked}
        known = self.knowledge
        entries: list[tuple[Review, ...]] = []
        for one in suggested:
            regimen = known.regimens[one.regimen]
            entries.append(regimen.reviewed)
            entries.extend(rules[key].reviewed for key in one.rules if key in rules)
            entries.extend(known.evidence[key].reviewed for key in one.evidence)
            entries.extend(known.components[d].reviewed for d in regimen.components if d in known.components)
        return bool(entries) and all(entries)


def choose(
    state: PatientState, knowledge: Knowledge, region: str, pathway: str, site: Site | None = None
) -> Recommendation:
    """The regimens of ``pathway`` that fit ``state`` in ``region``, in order, and all others with reasons.

    ``site`` says what is not to be had here; None: what the knowledge itself says. Raises KeyError on an
    unknown pathway. Order: strength of the rule, within it the de-prioritised last, then what a caution or
    an unknown concerns, then the source's own order, then the key; never by a figure of a trial.
    """
    chooser = Chooser(state, knowledge, region, pathway, site)
    return chooser.recommendation(chooser.judge_all())


def _with_first_before_then(ranked: Sequence[Judged], rule: Rule) -> list[Judged]:
    """The order with those of a rule's second half just behind its first half, where they stood before."""
    found: list[Judged] = []
    for _, group in groupby(ranked, key=lambda one: one.strength):
        equals = list(group)
        firsts = [n for n, one in enumerate(equals) if one.regimen in rule.target.regimens]
        if firsts:
            last = firsts[-1]
            early = [one for one in equals[:last] if one.regimen in rule.then.regimens]
            kept = [one for one in equals[: last + 1] if one not in early]
            equals = [*kept, *early, *equals[last + 1 :]]
        found.extend(equals)
    return found


def fired(asked: Iterable[Asked], *verbs: str) -> Iterable[Asked]:
    """The rules of these verbs whose condition holds."""
    return (a for a in asked if a.outcome.value and a.rule.verb in verbs)


def cited(rule: Rule) -> Text:
    """What a rule says, with its id."""
    return Text(f"{rule.because.en} ({rule.id})", f"{rule.because.in_language('it')} ({rule.id})")


def _label_step(label: LabelStatus) -> str:
    return ":".join(filter(None, ("label", label.region, label.formulation, label.kind)))


assert set(SPEAKING) <= set(VERBS)  # noqa: S101 (two lists that must not drift apart)
