"""Naive, exposed, sensitive, refractory or unknown: per drug, then per class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from cds_service.knowledge.types import Knowledge, Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.asserted import Word, borne, without_what_was_known
from cds_service.patient.exposures import Course
from cds_service.patient.progression import progressed_on_or_within
from cds_service.patient.types import (
    GRAVEST_FIRST,
    Certainty,
    ClassState,
    DrugState,
    Progression,
    Status,
    Unknown,
)
from cds_service.record import (
    RESPONDING,
    Assertion,
    DateSpan,
    DiagnosisFact,
    Purpose,
    Response,
    ResponseFact,
    StopReason,
)

_MINIMAL = RESPONDING | {Response.MR}


@dataclass(frozen=True)
class Evidence:
    """What the drugs are judged by: charted progressions, presumed ones, responses."""

    progressions: Sequence[Progression]
    presumed: Sequence[DateSpan]
    responses: Sequence[ResponseFact]
    history_known: bool
    language: str
    last_line: DateSpan | None = None  # start of the last line
    infusions: tuple[date, ...] = ()  # days of one-off treatments, for which others may have bridged
    missing: tuple[str, ...] = ()  # resources that tell of treatment which is not on record
    held: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # orders not known to be carried out
    transformed: tuple[DiagnosisFact, ...] = ()  # the step from a precursor to the myeloma
    word: Word | None = None  # of a clinician, where there is any
    since: Callable[[date], Sequence[Progression]] = lambda _: ()  # computed of the values from a day on


def drug_states(
    courses: Sequence[Course],
    line_of: Mapping[Course, tuple[DateSpan, DateSpan]],
    evidence: Evidence,
    knowledge: Knowledge,
) -> tuple[dict[str, DrugState], tuple[Unknown, ...]]:
    """State of every anti-myeloma drug and steroid the knowledge names, and what would settle the unknown.

    ``line_of`` gives for each course the first and last day of the line it belongs to: a response counts
    for a drug of the line in which it was reached.
    """
    states: dict[str, DrugState] = {}
    unknown: list[Unknown] = []
    for key, drug in sorted(knowledge.drugs.items()):
        own = [c for c in courses if c.drug == key]
        if drug.role == "supportive" or (drug.unidentified and not own):
            continue
        judged = own if evidence.word is None else borne(own, evidence.word)
        lines = [line_of.get(course) for course in own]
        state, asked = _derived(key, judged, lines, evidence, courses, knowledge)
        if evidence.word is not None:
            state, asked = _honoured(
                key, (state, asked), judged, lines, courses, evidence, evidence.word, knowledge
            )
        states[key] = state
        unknown += asked
    return states, tuple(unknown)


_Derived = tuple[DrugState, list[Unknown]]
_Span = tuple[DateSpan, DateSpan] | None  # first and last day of the line of a course


def _derived(
    key: str,
    own: Sequence[Course],
    lines: Sequence[_Span],
    evidence: Evidence,
    courses: Sequence[Course],
    knowledge: Knowledge,
) -> _Derived:
    """The state of one drug by the evidence, and what would settle it where it is unknown."""
    drug = knowledge.drugs[key]
    unnamed = [c for c in courses if c.one_off and knowledge.drugs[c.drug].unidentified]
    unnamed_cells = tuple(sorted({r for c in unnamed for r in c.derived_from}))
    if own:
        verdicts = [
            _judge(course, line, evidence, knowledge) for course, line in zip(own, lines, strict=True)
        ]
        state = _summed(own, verdicts)
    else:
        said = tuple(sorted({r.reference for r in evidence.responses if key in r.refractory_to}))
        if said:
            text = sentence(knowledge.definitions, "drug_state", "refractory-not-given", drug=drug.name)
            because = text.in_language(evidence.language)
            return DrugState(key, Status.REFRACTORY, Certainty.DOCUMENTED, because, derived_from=said), []
        by = unnamed_cells if drug.one_off else ()
        if key in evidence.held and not by:
            text = sentence(knowledge.definitions, "drug_state", "unknown-held", drug=drug.name)
            because = text.in_language(evidence.language)
            state = DrugState(
                key, Status.UNKNOWN, Certainty.COMPUTED, because, derived_from=evidence.held[key]
            )
            text = sentence(knowledge.definitions, "would_settle", "given", drug=drug.name)
            return state, [Unknown(f"exposed:{key}", text.in_language(evidence.language))]
        status = Status.NAIVE if evidence.history_known and not by else Status.UNKNOWN
        name, settles = ("unknown-product", "product") if by else ("unknown-history", "history")
        name = "naive" if status is Status.NAIVE else name
        text = sentence(knowledge.definitions, "drug_state", name, drug=drug.name)
        because = text.in_language(evidence.language)
        by = by or (evidence.missing if status is Status.UNKNOWN else ())
        state = DrugState(key, status, Certainty.COMPUTED, because, derived_from=by)
        verdicts = [_Verdict(status, Certainty.COMPUTED, because, settles=settles)]
    if state.status is Status.UNKNOWN and (own or (drug.one_off and unnamed_cells)):
        verdict = next(v for v in verdicts if v.status is Status.UNKNOWN)
        text = sentence(knowledge.definitions, "would_settle", verdict.settles, drug=drug.name)
        return state, [Unknown(f"refractory:{key}", text.in_language(evidence.language))]
    return state, []


def _honoured(
    key: str,
    derived: _Derived,
    own: Sequence[Course],
    lines: Sequence[_Span],
    courses: Sequence[Course],
    evidence: Evidence,
    word: Word,
    knowledge: Knowledge,
) -> _Derived:
    """The state of one drug with the word of a clinician above what was derived of older evidence."""
    state, _ = derived
    said = word.newest.get(f"refractory:{key}")
    if said is None:
        return derived

    def asserted(of: DrugState, status: Status, words: str) -> DrugState:
        text = sentence(
            knowledge.definitions,
            "drug_state",
            words,
            drug=knowledge.drugs[key].name,
            date=said.on.isoformat(),
        )
        references = tuple(sorted({*of.derived_from, said.reference}))
        because = text.in_language(evidence.language)
        return replace(
            of, status=status, certainty=Certainty.DOCUMENTED, because=because, derived_from=references
        )

    if said.value == "refractory":
        given = "" if own else "-not-given"
        return asserted(state, Status.REFRACTORY, f"refractory-asserted{given}"), []
    if state.status not in (Status.REFRACTORY, Status.UNKNOWN):
        return derived
    since, asked = _derived(key, *_since(own, lines, said, word, evidence, True), courses, knowledge)
    if own and since.status in (Status.REFRACTORY, Status.UNKNOWN):
        return since, asked
    if own:
        maybe, _ = _derived(key, *_since(own, lines, said, word, evidence, False), courses, knowledge)
        if maybe.status in (Status.REFRACTORY, Status.UNKNOWN):
            text = sentence(
                knowledge.definitions, "would_settle", "progression-date", drug=knowledge.drugs[key].name
            )
            open_still = replace(
                asserted(maybe, Status.UNKNOWN, "unknown-asserted"), certainty=Certainty.COMPUTED
            )
            return open_still, [Unknown(f"refractory:{key}", text.in_language(evidence.language))]
        return asserted(since, since.status, "not-refractory-asserted"), []
    if since.status is Status.NAIVE:
        return since, []
    # Who says that the disease is not refractory to a drug speaks of one that was given.
    return asserted(since, Status.EXPOSED, "not-refractory-asserted-not-given"), []


@dataclass(frozen=True)
class _Verdict:
    status: Status
    certainty: Certainty
    because: str
    derived_from: tuple[str, ...] = ()
    settles: str = ""  # name of the sentence that says what would settle an unknown


def _judge(
    course: Course, line: tuple[DateSpan, DateSpan] | None, evidence: Evidence, knowledge: Knowledge
) -> _Verdict:
    numbers = knowledge.definitions["imwg"]["refractory"]
    window = int(numbers["window_days"])
    name = knowledge.drugs[course.drug].name
    # A response that spoke against non-response has its part in the answer too.
    weighed = [
        reference
        for r in _within_line(evidence.responses, line)
        if r.category in _MINIMAL | {Response.SD}
        for reference in (r.reference, *r.derived_from)
    ]

    def verdict(
        status: Status,
        certainty: Certainty,
        words: str,
        on: DateSpan | None = None,
        by: Iterable[str] = (),
        settles: str = "",
        **more: str,
    ) -> _Verdict:
        undated = sentence(knowledge.definitions, "drug_state", "undated")
        last: Text | str = str(course.last) if course.last.earliest > course.first.earliest else undated
        if course.ongoing:
            last = sentence(knowledge.definitions, "drug_state", "ongoing")
        elif course.last.exact:
            last = str(course.last)
        text = sentence(
            knowledge.definitions,
            "drug_state",
            words,
            drug=name,
            last=last,
            window=str(window),
            date=str(on) if on and (on.exact or on.earliest > course.first.earliest) else undated,
            **more,
        )
        references = tuple(sorted({*course.derived_from, *by, *weighed}))
        return _Verdict(status, certainty, text.in_language(evidence.language), references, settles)

    certainty = Certainty.COMPUTED if course.presumed else Certainty.DOCUMENTED
    # The drug's own entry says so: the dates need not be compared.
    if course.stop_reason is StopReason.PROGRESSION:
        return verdict(Status.REFRACTORY, certainty, "refractory-stop", course.failed)
    if course.stop_reason is StopReason.NO_RESPONSE and not _responded_on(course, line, evidence):
        return verdict(Status.REFRACTORY, certainty, "refractory-no-response", course.failed)

    open_question: _Verdict | None = None
    # What the chart states first: values that say the same earlier do not make it less certain.
    for progression in sorted(evidence.progressions, key=lambda p: p.certainty is Certainty.COMPUTED):
        inside = progressed_on_or_within(window, course.first, course.last, progression.on)
        if inside:
            computed = progression.certainty is Certainty.COMPUTED
            words = "refractory-laboratory" if computed else "refractory-progression"
            sure = progression.certainty if not course.presumed else Certainty.COMPUTED
            return verdict(Status.REFRACTORY, sure, words, progression.on, progression.derived_from)
        if inside is None and open_question is None:
            settles = "last-dose" if not course.last.exact else "progression-date"
            open_question = verdict(
                Status.UNKNOWN,
                Certainty.COMPUTED,
                "unknown-dates",
                progression.on,
                progression.derived_from,
                settles,
            )
    for response in evidence.responses:
        if course.drug in response.refractory_to:
            by = (response.reference,)
            return verdict(Status.REFRACTORY, Certainty.DOCUMENTED, "refractory-named", response.on, by)
        charted = response.no_response and response.on is not None and not response.refractory_to
        if charted and progressed_on_or_within(window, course.first, course.last, response.on or course.last):
            by = (response.reference,)
            return verdict(Status.REFRACTORY, certainty, "refractory-charted", response.on, by)
    stable = stable_at_best(course, line, evidence.responses, numbers)
    if stable is not None and stable.on is not None and _given_long_after(course, stable.on, numbers):
        by = (stable.reference,)
        return verdict(Status.UNKNOWN, Certainty.COMPUTED, "unknown-stable", stable.on, by, "response")
    if stable is not None and stable.on is not None:
        days = (stable.on.earliest - course.first.latest).days
        return verdict(
            Status.REFRACTORY,
            Certainty.COMPUTED,
            "refractory-stable",
            stable.on,
            (stable.reference,),
            days=str(days),
        )
    if open_question is not None:
        return open_question
    undated = next(
        (r for r in evidence.responses if r.no_response and r.on is None and not r.refractory_to), None
    )
    if undated is not None and line is not None and line[0] == evidence.last_line:
        # "Refractory" without a day: on the last line or before it, the chart does not say.
        by = (undated.reference,)
        return verdict(Status.UNKNOWN, Certainty.COMPUTED, "unknown-dates", None, by, "progression-date")
    for start in evidence.presumed:
        # A presumed progression makes no drug refractory: it only leaves the question open, and not for a
        # drug whose own stop has another reason.
        begun_by_it = line is not None and line[0].latest >= start.latest
        if begun_by_it:
            continue
        if course.stop_reason in (StopReason.UNKNOWN, StopReason.OTHER) and (
            progressed_on_or_within(window, course.first, course.last, start) is not False
        ):
            return verdict(Status.UNKNOWN, Certainty.PRESUMED, "unknown-presumed", start, settles="reason")
    if course.stop_reason is StopReason.UNREAD:
        return verdict(Status.UNKNOWN, Certainty.COMPUTED, "unknown-unread", settles="reason-unread")
    if course.purpose is Purpose.SMOULDERING:
        for step in evidence.transformed:
            on = step.onset or course.last
            if progressed_on_or_within(window, course.first, course.last, on) is not False:
                by = (step.reference,)
                return verdict(
                    Status.UNKNOWN, Certainty.PRESUMED, "unknown-transformed", on, by, "progression-date"
                )
    reached = _response_reached(course, line, evidence)
    if reached is not None and reached.category is not None:
        return verdict(
            Status.SENSITIVE,
            Certainty.COMPUTED if reached.derived_from else Certainty.DOCUMENTED,
            "sensitive",
            reached.on,
            (reached.reference, *reached.derived_from),
            response=reached.category.value,
        )
    return verdict(Status.EXPOSED, certainty, "exposed")


def _responded_on(course: Course, line: tuple[DateSpan, DateSpan] | None, evidence: Evidence) -> bool:
    """Whether a minimal response or better is charted on the drug: "insufficient" is then no non-response."""
    return any(
        r.category in _MINIMAL and r.on and course.first.latest < r.on.earliest <= course.last.latest
        for r in _within_line(evidence.responses, line)
    )


def _within_line(
    responses: Iterable[ResponseFact], line: tuple[DateSpan, DateSpan] | None
) -> list[ResponseFact]:
    if line is None:
        return []
    start, end = line
    return [r for r in responses if r.on is not None and start.earliest <= r.on.earliest <= end.latest]


def stable_at_best(
    course: Course,
    line: tuple[DateSpan, DateSpan] | None,
    responses: Sequence[ResponseFact],
    numbers: Mapping[str, int],
) -> ResponseFact | None:
    """The stable disease that is non-response: on the drug, after two cycles, never better in its line.

    For a one-off infusion: stable at an assessment after it, from the first on that can tell.
    ``numbers`` are the day counts of definitions/imwg.yaml, "refractory".
    """
    in_line = _within_line(responses, line)
    if line is None or any(r.category in _MINIMAL for r in in_line):
        return None
    long_enough = numbers["one_off_assessment_days"] if course.one_off else numbers["non_response_days"]
    # "Stable" on maintenance after an earlier response is that response holding, not non-response: the
    # drug must have been there from the start of its line.
    if not course.one_off and (course.first.earliest - line[0].earliest).days > long_enough:
        return None
    return next(
        (
            r
            for r in in_line
            if r.category is Response.SD
            and r.on is not None
            and (r.on.earliest - course.first.latest).days >= long_enough
            and (course.one_off or r.on.latest <= course.last.latest)
        ),
        None,
    )


def never_responded(
    course: Course,
    line: tuple[DateSpan, DateSpan] | None,
    responses: Sequence[ResponseFact],
    numbers: Mapping[str, int],
) -> bool:
    """Whether the disease stayed stable at best on a drug, and the drug was not given on for long."""
    stable = stable_at_best(course, line, responses, numbers)
    return stable is not None and stable.on is not None and not _given_long_after(course, stable.on, numbers)


def _given_long_after(course: Course, stable: DateSpan, numbers: Mapping[str, int]) -> bool:
    """Whether a drug was given on for so long that the disease can hardly have stayed as it was.

    Nobody gives a drug for years that never worked; a response that came later was not charted.
    """
    return (course.last.earliest - stable.latest).days >= numbers["stable_then_given_days"]


def _response_reached(
    course: Course, line: tuple[DateSpan, DateSpan] | None, evidence: Evidence
) -> ResponseFact | None:
    """The best response of at least PR in the drug's line, on the drug or after it.

    What was reached after a one-off infusion is the infusion's, not that of the bridging before it.
    """
    until = date.max
    if course.purpose is Purpose.BRIDGING:
        until = min((d for d in evidence.infusions if d >= course.first.earliest), default=date.max)
    # What was reached after the disease had progressed is the merit of what was given then.
    failed = [p.on.earliest for p in evidence.progressions if p.on.earliest > course.first.latest]
    until = min([until, *failed])
    # A response charted on the day of the first dose is that of what came before.
    reached = [
        r
        for r in _within_line(evidence.responses, line)
        if r.category in RESPONDING and r.on is not None and course.first.earliest < r.on.latest <= until
    ]
    return min(reached, key=lambda r: (list(Response).index(r.category or Response.PD), r), default=None)


def _summed(own: Sequence[Course], verdicts: Sequence[_Verdict]) -> DrugState:
    """The drug's state over all its courses: the gravest, since a refractoriness does not wear off."""
    order = {Certainty.DOCUMENTED: 0, Certainty.COMPUTED: 1, Certainty.PRESUMED: 2}
    # A response to one course makes the drug sensitive, though another has none charted.
    ranks = (Status.REFRACTORY, Status.UNKNOWN, Status.SENSITIVE, Status.EXPOSED, Status.NAIVE)
    # Of several that say the same, the latest course is the one to tell.
    gravest = min(reversed(verdicts), key=lambda v: (ranks.index(v.status), order[v.certainty]))
    dated = [c for c in own if c.dated]
    last = DateSpan.last_of(c.last for c in own)
    return DrugState(
        drug=own[0].drug,
        status=gravest.status,
        certainty=gravest.certainty,
        because=gravest.because,
        first=DateSpan.first_of(c.first for c in dated) if dated else None,
        last=last,
        ongoing=any(c.ongoing for c in own),
        # Stopped for toxicity and begun again later: it was tolerated after all.
        intolerant=_not_borne(own[-1], verdicts[-1]),
        derived_from=tuple(sorted({r for c in own for r in c.derived_from} | set(gravest.derived_from))),
    )


def _not_borne(course: Course, verdict: _Verdict) -> bool:
    """Whether the last course ended for toxicity, no progression within the window; an allergy stays one.

    Intolerance and refractoriness are kept apart: what failed is refractory, whatever else it did.
    """
    if course.ongoing:
        return False
    failed = verdict.status is Status.REFRACTORY
    return course.stop_reason is StopReason.ALLERGY or (
        course.stop_reason is StopReason.TOXICITY and not failed
    )


def _since(
    own: Sequence[Course],
    lines: Sequence[_Span],
    said: Assertion,
    word: Word,
    evidence: Evidence,
    surely: bool,
) -> tuple[list[Course], Sequence[_Span], Evidence]:
    """Courses and evidence without the failures known when ``said`` was asserted, in the order of _derived.

    ``surely``: without those, too, whose imprecise dates do not tell. Responses reached stay what they are.
    """

    def counts(newer: bool | None) -> bool:
        return newer is True or (newer is None and not surely)

    progressions = [p for p in evidence.progressions if counts(word.progression_is_newer(p, said))]
    responses = [
        r
        for r in evidence.responses
        if not (r.no_response or r.refractory_to or r.category is Response.SD)
        or counts(word.is_newer(r.on, (r.reference,), said))
    ]
    newer = replace(
        evidence,
        progressions=[*progressions, *evidence.since(said.on)],
        presumed=[on for on in evidence.presumed if counts(word.is_newer(on, (), said))],
        responses=responses,
        transformed=tuple(
            d for d in evidence.transformed if counts(word.is_newer(d.onset, (d.reference,), said))
        ),
    )
    return without_what_was_known(own, word, said, surely=surely), lines, newer


def class_states(drugs: Mapping[str, DrugState], knowledge: Knowledge) -> dict[str, ClassState]:
    """State of each class: the gravest status of its members; a union's members are its classes'."""
    states: dict[str, ClassState] = {}
    for key, drug_class in knowledge.classes.items():
        members = [s for s in drugs.values() if knowledge.drugs[s.drug].is_of(drug_class)]
        if not members:
            continue
        gravest = min((m.status for m in members), key=GRAVEST_FIRST.index)
        references = {r for m in members if m.status is gravest for r in m.derived_from}
        states[key] = ClassState(key, gravest, tuple(sorted(references)))
    return states
