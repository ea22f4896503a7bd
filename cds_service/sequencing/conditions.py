"""Three-valued evaluation of a declarative condition: true, false, or unknown with the missing data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from cds_service.knowledge.references import asks_for_unknown
from cds_service.knowledge.types import Condition, Knowledge, within
from cds_service.patient.fitness import severity_grade
from cds_service.patient.types import DrugState, PatientState, Status
from cds_service.record import Measurement
from cds_service.sequencing.types import Outcome

OF_ONE_LINE = frozenset({"first-relapse", "primary-refractory"})
"""Labels that a patient with more than one line cannot have."""


class Evaluator:
    """Asks conditions of one patient's state, in one region.

    Kleene's logic: a false part makes ``all`` false and a true part makes ``any`` true, whatever else is
    unknown; otherwise an unknown part makes the whole unknown, and its missing data are named. So what is
    decided stays decided when a datum more becomes known: ``before`` is the same patient asked with less
    known, and what it has decided is not asked again.
    """

    def __init__(
        self,
        state: PatientState,
        knowledge: Knowledge,
        region: str,
        car_t_here: str,
        before: Evaluator | None = None,
    ) -> None:
        self._state = state
        self._knowledge = knowledge
        self._region = region
        self._car_t_here = car_t_here  # "available", "unavailable", "unknown": of the site
        # Many regimens ask the same of their shared drugs.
        self._asked: dict[int, tuple[Condition, Outcome]] = dict(before.decided) if before else {}
        self._of: dict[str, list[DrugState]] = {}
        self._leaves: Mapping[str, Callable[[Any], Outcome]] = {
            "prior_lines": self._lines,
            "exposed_to": lambda a: self._any_of(a, self._exposed),
            "refractory_to": lambda a: self._any_of(a, self._refractory),
            "naive_to": lambda a: _negated(self._any_of(a, self._exposed)),
            "intolerant_of": lambda a: self._any_of(
                a, lambda key: self._charted(key, {**state.intolerant, **state.allergic})
            ),
            "allergic_to": lambda a: self._any_of(a, lambda key: self._charted(key, state.allergic)),
            "count_refractory": lambda a: self._count(a, self._refractory),
            "count_exposed": lambda a: self._count(a, self._exposed),
            "progressed_on_last_therapy": self._progressed_on_last,
            "label": self._label,
            "age": lambda a: self._number(state.age, a, "age"),
            "ecog": lambda a: self._number(state.ecog, a, "ecog"),
            "sex": self._sex,
            "has": self._has,
            "lab": self._lab,
            "biology": self._biology,
            "transplant": self._transplant,
            "months_to_first_progression": lambda a: self._number(state.first_remission_months, a, "months"),
            "months_from_transplant_to_progression": lambda a: self._number(
                state.months_to_progression_after_transplant, a, "months-after-transplant"
            ),
            "months_since_last": self._since_last,
            "planned": self._planned,
            "car_t": self._car_t,
            "region": lambda a: Outcome(a == region),
        }

    def ask(self, condition: Condition | None) -> Outcome:
        """The condition's outcome; no condition is true. Raises KeyError on an unknown leaf."""
        if condition is None:
            return Outcome(True)
        known = self._asked.get(id(condition))
        if known is None:
            # Held with its condition: an identity may be given anew once its owner is gone.
            known = self._asked[id(condition)] = (condition, self._answer(condition))
        return known[1]

    @cached_property
    def decided(self) -> Mapping[int, tuple[Condition, Outcome]]:
        """What was asked so far and no further datum can change; whether something is unknown always may."""
        return {
            key: asked
            for key, asked in self._asked.items()
            if asked[1].value is not None and not asks_for_unknown(asked[0])
        }

    def _answer(self, condition: Condition) -> Outcome:
        if condition.op == "not":
            return _negated(self.ask(condition.children[0]))
        if condition.op == "unknown":
            inner = self.ask(condition.children[0])
            return Outcome(inner.value is None, (), inner.derived_from)
        if condition.op in ("all", "any"):
            decisive = condition.op == "any"
            return _combined([self.ask(child) for child in condition.children], decisive)
        return self._leaves[condition.op](condition.argument)

    def _lines(self, argument: Mapping[str, int]) -> Outcome:
        """Prior lines; where their number cannot be told, as many as are known to have been begun."""
        known = self._state.prior_lines
        if known is not None:
            return self._number(known, argument, "prior-lines")
        least = max(len(self._state.lines), 1 if self._state.needs_treatment_choice else 0)
        open_one = Outcome(None, ("prior-lines",))
        parts = []
        for name, limit in argument.items():
            if name == "at_least":
                parts.append(Outcome(True) if least >= limit else open_one)
            else:
                parts.append(Outcome(False) if least > limit else open_one)
        return _combined(parts, False)

    def _members(self, key: str) -> list[DrugState]:
        found = self._of.get(key)
        if found is None:
            drugs, classes = self._knowledge.drugs, self._knowledge.classes
            if key in drugs:
                found = [self._state.drugs[key]] if key in self._state.drugs else []
            else:
                found = [s for s in self._state.drugs.values() if drugs[s.drug].is_of(classes[key])]
            self._of[key] = found
        return found

    def _any_of(self, argument: str | Iterable[str], ask: Callable[[str], Outcome]) -> Outcome:
        keys = [argument] if isinstance(argument, str) else list(argument)
        return _combined([ask(key) for key in keys], True)

    def _exposed(self, key: str) -> Outcome:
        outcomes = []
        for member in self._members(key):
            # Given, but whether refractory is unknown: exposed all the same.
            given = member.given
            unknown = member.status is Status.UNKNOWN and not given
            value = None if unknown else given
            outcomes.append(
                Outcome(value, (f"exposed:{member.drug}",) if unknown else (), _by(member, given))
            )
        return _combined(outcomes, True) if outcomes else Outcome(False)

    def _refractory(self, key: str) -> Outcome:
        outcomes = []
        for member in self._members(key):
            unknown = member.status is Status.UNKNOWN
            value = None if unknown else member.status is Status.REFRACTORY
            missing = (f"refractory:{member.drug}",) if unknown else ()
            outcomes.append(Outcome(value, missing, _by(member, member.status is not Status.NAIVE)))
        return _combined(outcomes, True) if outcomes else Outcome(False)

    def _charted(self, key: str, charted: Mapping[str, tuple[str, ...]]) -> Outcome:
        """Whether one of the drugs is among those charted as not borne; what is not charted is not so."""
        drugs = {m.drug for m in self._members(key)} | {key}
        found = [charted[d] for d in sorted(drugs) if d in charted]
        return Outcome(bool(found), (), tuple(sorted({r for refs in found for r in refs})))

    def _count(self, argument: Mapping[str, Any], ask: Callable[[str], Outcome]) -> Outcome:
        outcomes = [ask(member.drug) for member in self._members(argument["class"])]
        sure = [o for o in outcomes if o.value]
        possible = [o for o in outcomes if o.value is None]
        needed = int(argument["at_least"])
        if len(sure) >= needed:
            return Outcome(True, (), _references(sure))
        if len(sure) + len(possible) >= needed:
            return Outcome(None, tuple(m for o in possible for m in o.missing), _references(sure))
        return Outcome(False, (), _references(sure))

    def _progressed_on_last(self, argument: bool) -> Outcome:
        value = self._state.progressed_on_last
        if value is None:
            return Outcome(None, ("progressed-on-last",))
        return Outcome(value is argument)

    def _label(self, argument: str) -> Outcome:
        numbers = self._knowledge.definitions["imwg"]["labels"]
        three = numbers["three_classes"]
        if argument == "triple-class-exposed":
            return _combined([self._exposed(key) for key in three], False)
        if argument == "triple-class-refractory":
            return _combined([self._refractory(key) for key in three], False)
        if argument == "double-refractory":
            return _exactly_two([self._refractory(key) for key in three])
        several = numbers.get(argument.removesuffix("-refractory"))
        if isinstance(several, Mapping):
            return _combined(
                [
                    self._count({"class": key, "at_least": number}, self._refractory)
                    for key, number in several.items()
                ],
                False,
            )
        if argument in self._state.labels:
            return Outcome(True)
        if argument in self._state.open_labels:
            return Outcome(None, ("months",))
        if argument in OF_ONE_LINE:
            only_one = self._lines({"exactly": 1})
            return Outcome(None, only_one.missing) if only_one.value is None else Outcome(False)
        return Outcome(False)

    def _transplant(self, argument: bool) -> Outcome:
        """Whether one was done; without the procedures of the chart, none seen does not mean none done."""
        if self._state.transplants:
            return Outcome(argument, (), self._state.transplants)
        if not self._state.procedures_known:
            return Outcome(None, ("transplant",))
        return Outcome(not argument)

    def _since_last(self, argument: Mapping[str, Any]) -> Outcome:
        """Months from the last dose of any of the drugs or classes to the evaluation date, within limits."""
        limits = {key: value for key, value in argument.items() if key != "of"}
        of = argument["of"]
        keys = [of] if isinstance(of, str) else of
        month = self._knowledge.definitions["imwg"]["days_per_month"]
        outcomes = []
        for member in {m.drug: m for key in keys for m in self._members(key)}.values():
            if member.last is None and not member.ongoing:
                exposed = self._exposed(member.drug)
                missing = (f"last-dose:{member.drug}",) if exposed.value else exposed.missing
                outcomes.append(
                    Outcome(False if exposed.value is False else None, missing, exposed.derived_from)
                )
                continue
            last = member.last
            longest, shortest = (
                (0.0, 0.0)
                if member.ongoing or last is None
                else tuple((self._state.as_of - day).days / month for day in (last.earliest, last.latest))
            )
            value = _all_within(shortest, longest, limits)
            missing = () if value is not None else (f"last-dose:{member.drug}",)
            outcomes.append(Outcome(value, missing, member.derived_from))
        return _combined(outcomes, True)

    def _planned(self, argument: str) -> Outcome:
        """A plan that is charted; none charted is unknown, but where the cells cannot be given at all."""
        if argument in self._state.planned:
            planned = self._state.planned[argument]  # empty: known not to be
            return Outcome(bool(planned), (), planned)
        if argument != "transplant" and self._car_t("not-feasible").value:
            return Outcome(False, (), self._state.car_t_from)
        return Outcome(None, (f"planned:{argument}",))

    def car_t_feasible(self) -> Outcome:
        """Whether CAR-T cells can be given to this patient, as far as chart and site say."""
        return self._car_t("feasible")

    def _car_t(self, argument: str) -> Outcome:
        """What the chart says of this patient goes before what the site says of all."""
        here = {"available": "feasible", "unavailable": "not-feasible"}.get(self._car_t_here, "unknown")
        status = self._state.car_t if self._state.car_t != "unknown" else here
        if status == "unknown":
            return Outcome(None, ("car-t",))
        return Outcome(status == argument, (), self._state.car_t_from)

    def _sex(self, argument: str) -> Outcome:
        sex = self._state.sex
        return Outcome(sex == argument) if sex in ("female", "male") else Outcome(None, ("sex",))

    def _has(self, argument: Mapping[str, Any]) -> Outcome:
        """A comorbidity, at a severity where the argument asks for one.

        No entry never means "has not": the answer is unknown, without a resource it would rest on. It is
        "no" only where the chart says that it is not there, and nothing in it says the contrary.
        """
        concept = argument["concept"]
        missing = (f"comorbidity:{concept}",)
        there = any(fact.concept == concept and fact.active for fact in self._state.comorbidities)
        if concept in self._state.ruled_out and not there:
            return Outcome(False, (), self._state.ruled_out[concept])
        outcomes = [Outcome(None, missing)]
        for fact in self._state.comorbidities:
            if fact.concept != concept or not fact.active:
                continue
            by = (fact.reference,)
            fits: bool | None = True
            if "grade_at_least" in argument:
                grade = severity_grade(fact.severity)
                fits = None if grade is None else grade >= argument["grade_at_least"]
            if "severity" in argument:
                wanted = argument["severity"]
                wanted = [wanted] if isinstance(wanted, str) else wanted
                fits = fact.severity in wanted or (None if not _same_scale(fact.severity, wanted) else False)
            outcomes.append(Outcome(fits, missing if fits is None else (), by))
        return _combined(outcomes, True)

    def _lab(self, argument: Mapping[str, Any]) -> Outcome:
        measured = self._state.labs.get(argument["concept"])
        if measured is None or measured.value is None:
            return self._without_value(argument)
        limits = {k: v for k, v in argument.items() if k != "concept"}
        # "<30" may be any number below: what holds, or fails, for all of them is sure; else unknown.
        value = _all_within(*_ends(measured), limits)
        missing = (f"lab:{argument['concept']}",) if value is None else ()
        return Outcome(value, missing, (measured.reference,))

    def _without_value(self, argument: Mapping[str, Any]) -> Outcome:
        """Unknown. An estimate that never stands for the value is told where it falls within the limits.

        So a low estimated GFR shows the caution as one not settled, and a high one clears nobody: the limits
        are drawn for the creatinine clearance, from which it may differ by much in the old and the light.
        """
        concept = argument["concept"]
        estimate = self._knowledge.definitions["imwg"]["clearance"]["never_by"]
        measured = self._state.labs.get(estimate)
        if concept != "creatinine-clearance" or measured is None or measured.value is None:
            return Outcome(None, (f"lab:{concept}",))
        limits = {k: v for k, v in argument.items() if k != "concept"}
        may_be = _all_within(*_ends(measured), limits) is not False
        return Outcome(None, (f"estimated:{concept}",), (measured.reference,) if may_be else ())

    def _biology(self, argument: Mapping[str, Any]) -> Outcome:
        found = self._state.biology.get(argument["marker"])
        if found is None or found == "unknown":
            return Outcome(None, (f"biology:{argument['marker']}",))
        return Outcome(found == argument["is"])

    def _number(self, value: float | None, limits: Mapping[str, float], what: str) -> Outcome:
        return Outcome(None, (what,)) if value is None else Outcome(within(value, limits))


_A_LITTLE = 1e-9
"""Less than any difference that a laboratory reports."""


def _all_within(shortest: float, longest: float, limits: Mapping[str, float]) -> bool | None:
    """Whether every number from ``shortest`` to ``longest`` keeps the limits; None where some do."""
    inside = [x for limit in limits.values() for x in (limit - _A_LITTLE, limit, limit + _A_LITTLE)]
    numbers = [shortest, longest, *(x for x in inside if shortest < x < longest)]
    answers = {within(number, limits) for number in numbers}
    return answers.pop() if len(answers) == 1 else None


def _ends(measured: Measurement) -> tuple[float, float]:
    """The extreme numbers that a value charted with a comparator may be; the value itself without one."""
    value = measured.value if measured.value is not None else 0.0
    if measured.text.startswith(("<", "≤")):
        return (0.0, value if measured.text != "<" else value - _A_LITTLE)
    if measured.text.startswith((">", "≥")):
        return (value if measured.text != ">" else value + _A_LITTLE, float("inf"))
    return (value, value)


def _same_scale(severity: str, wanted: Iterable[str]) -> bool:
    """Whether a charted severity can be held against those asked for: NYHA against NYHA, words with words."""
    return bool(severity) and any(
        severity.split("-")[0] == w.split("-")[0] or ("-" not in severity and "-" not in w) for w in wanted
    )


def _by(member: DrugState, told: bool) -> tuple[str, ...]:
    return member.derived_from if told else ()


def _negated(outcome: Outcome) -> Outcome:
    value = None if outcome.value is None else not outcome.value
    return Outcome(value, outcome.missing, outcome.derived_from)


def _combined(outcomes: list[Outcome], decisive: bool) -> Outcome:
    """``any`` (decisive True) or ``all`` (decisive False) of the outcomes."""
    deciding = [o for o in outcomes if o.value is decisive]
    if deciding:
        return Outcome(decisive, (), _references(deciding))
    open_ones = [o for o in outcomes if o.value is None]
    if open_ones:
        missing = tuple(dict.fromkeys(m for o in open_ones for m in o.missing))
        return Outcome(None, missing, _references(open_ones))
    return Outcome(not decisive, (), _references(outcomes))


def _exactly_two(three: Sequence[Outcome]) -> Outcome:
    """Whether two of the three hold and the third does not."""
    sure = sum(1 for o in three if o.value)
    missing = tuple(dict.fromkeys(m for o in three for m in o.missing))
    open_ones = sum(1 for o in three if o.value is None)
    if sure > 2 or sure + open_ones < 2:
        return Outcome(False, (), _references(three))
    if open_ones:
        return Outcome(None, missing, _references(three))
    return Outcome(True, (), _references([o for o in three if o.value]))


def _references(outcomes: Iterable[Outcome]) -> tuple[str, ...]:
    return tuple(sorted({r for o in outcomes for r in o.derived_from}))
