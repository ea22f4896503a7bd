"""Lines of therapy, counted by the IMWG rules (Rajkumar 2011 and 2015).

Induction, transplant, consolidation and maintenance planned together are one line. A new line starts with
an agent added or substituted unplanned, with a second transplant that was no planned tandem, or with a
restart after progression. Steroids never make a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from cds_service.knowledge.types import Knowledge
from cds_service.knowledge.wording import sentence
from cds_service.patient.exposures import DECIDED, Course
from cds_service.patient.progression import Event
from cds_service.patient.purposes import EXPOSURE_WITHOUT_LINE, TRANSPLANTS
from cds_service.patient.types import LONG_AGO, Certainty, Line
from cds_service.record import (
    RESPONDING,
    ClinicalRecord,
    DateSpan,
    Issue,
    ProcedureFact,
    Purpose,
    Response,
    ResponseFact,
    Severity,
    StopReason,
)

_ENDS = {
    StopReason.PROGRESSION: "progression",
    StopReason.NO_RESPONSE: "insufficient-response",
    StopReason.TOXICITY: "toxicity",
    StopReason.ALLERGY: "toxicity",
    StopReason.TRANSPLANT: "completion",
    StopReason.COMPLETION: "completion",
    StopReason.CHOICE: "choice",
}


@dataclass
class _Draft:
    """A line being collected."""

    starts_because: str
    certainty: Certainty
    courses: list[Course] = field(default_factory=list)
    transplants: list[ProcedureFact] = field(default_factory=list)
    carried: list[Course] = field(default_factory=list)  # begun in an earlier line and still given
    explained: bool = True  # a charted progression tells why the line before it ended
    gap: bool = False  # by the charted numbers, lines are missing before this one

    @property
    def start(self) -> DateSpan:
        starts = [c.first for c in self.courses] + [t.on for t in self.transplants if t.on]
        return DateSpan.first_of(starts)

    @property
    def counts_from(self) -> DateSpan:
        """From when on a progression is one of this line: its start, or the infusion after bridging."""
        infused = [c.first for c in self.courses if c.one_off]
        return DateSpan.last_of(infused) if infused else self.start

    @property
    def last_given(self) -> date:
        ends = [c.last.latest for c in self.courses] + [t.on.latest for t in self.transplants if t.on]
        return max(ends)

    @property
    def drugs(self) -> set[str]:
        return {c.drug for c in (*self.courses, *self.carried)}


@dataclass(frozen=True)
class Counted:
    """The lines, which course belongs to which, and what the chart says otherwise."""

    lines: tuple[Line, ...]
    courses_of: tuple[tuple[Course, ...], ...]  # parallel to ``lines``
    presumed_events: tuple[DateSpan, ...]  # starts of lines that no charted reason explains
    issues: tuple[Issue, ...]


def count_lines(
    record: ClinicalRecord,
    courses: Sequence[Course],
    events: Sequence[Event],
    knowledge: Knowledge,
    language: str,
) -> Counted:
    """The lines of therapy given so far, oldest first.

    Source: Rajkumar et al., Blood 2015;126:921-2; the day counts are those of definitions/imwg.yaml.
    """
    numbers = knowledge.definitions["imwg"]["lines"]
    treatment = [
        c
        for c in courses
        if knowledge.drugs[c.drug].treats_myeloma and c.purpose not in EXPOSURE_WITHOUT_LINE
    ]
    steroids = [c for c in courses if knowledge.drugs[c.drug].is_steroid]
    transplants = _distinct_transplants(record.procedures)
    drafts = _collect(treatment, transplants, events, record.responses, numbers)
    drafts = _without_less_than_a_cycle(drafts, events, numbers)
    if drafts:  # what came before was less than a cycle: this is the first treatment
        drafts[0].starts_because, drafts[0].certainty = "first-treatment", Certainty.DOCUMENTED
    lines: list[Line] = []
    members: list[tuple[Course, ...]] = []
    presumed: list[DateSpan] = []
    issues: list[Issue] = []
    number = 0
    for place, draft in enumerate(drafts):
        number = max([number + 1, *(c.line_number for c in draft.courses if c.line_number)])
        following = drafts[place + 1].start if place + 1 < len(drafts) else None
        with_steroids = [
            s
            for s in steroids
            if s.last.latest >= draft.start.earliest
            and s.first.earliest <= draft.last_given
            and (following is None or s.first.earliest < following.earliest)
        ]
        # A toxicity or a wish that the chart gives as reason is one: nothing else need be presumed.
        borne = draft.starts_because in ("toxicity", "other-change", "unknown")
        reasoned = borne and draft.certainty is not Certainty.PRESUMED
        if place and not draft.explained and not reasoned:
            # With lines missing in between, the one before ended on some day before this one began.
            before = drafts[place - 1].last_given
            gap = draft.gap and before < draft.start.earliest
            presumed.append(DateSpan(before, draft.start.latest) if gap else draft.start)
        line, found = _line(
            number, place + 1, draft, with_steroids, following, events, record, knowledge, language
        )
        lines.append(line)
        members.append((*draft.courses, *draft.carried, *with_steroids))
        issues.extend(found)
    return Counted(tuple(lines), tuple(members), tuple(presumed), tuple(issues))


def _distinct_transplants(procedures: Iterable[ProcedureFact]) -> list[ProcedureFact]:
    """Dated transplants, oldest first; two entries within a fortnight are one transplant."""
    found: list[ProcedureFact] = []
    for procedure in sorted(
        (p for p in procedures if p.kind in TRANSPLANTS and p.on), key=lambda p: (p.on, p.reference)
    ):
        previous = found[-1].on if found else None
        if previous and procedure.on and (procedure.on.earliest - previous.latest).days <= 14:
            continue
        found.append(procedure)
    return found


def _collect(
    treatment: Sequence[Course],
    transplants: Sequence[ProcedureFact],
    events: Sequence[Event],
    responses: Sequence[ResponseFact],
    numbers: Mapping[str, Any],
) -> list[_Draft]:
    drafts: list[_Draft] = []
    steps: list[Course | ProcedureFact] = [*treatment, *transplants]

    # What begins together belongs together: if one of its drugs opens a line, all are of that line.
    ordered = sorted(steps, key=lambda step: (_began(step), str(step)))
    for _, together in groupby(ordered, key=lambda step: _began(step).earliest):
        group = list(together)
        current = drafts[-1] if drafts else None
        reasons = [
            _new_line_reason(current, step, events, responses, treatment, numbers)
            if isinstance(step, Course)
            else _transplant_reason(current, step, events, numbers)
            for step in group
        ]
        opening = [reason for reason in reasons if reason is not None]
        if opening or current is None:
            current = _opened(current, group, opening, events, numbers)
            drafts.append(current)
        for step in group:
            if isinstance(step, Course):
                current.courses.append(step)
            else:
                current.transplants.append(step)
    return drafts


def _began(step: Course | ProcedureFact) -> DateSpan:
    """Where a step stands in the order of steps; a transplant of unsure day as late as it may be."""
    if isinstance(step, Course):
        return step.first
    return DateSpan(step.on.latest, step.on.latest) if step.on else DateSpan(LONG_AGO, LONG_AGO)


def _opened(
    before: _Draft | None,
    group: Sequence[Course | ProcedureFact],
    reasons: Sequence[tuple[str, Certainty]],
    events: Sequence[Event],
    numbers: Mapping[str, Any],
) -> _Draft:
    """A new line, with the drugs of the one before that go on in it."""
    draft = _Draft(*(_strongest(reasons) if reasons else ("first-treatment", Certainty.COMPUTED)))
    if before is None:
        return draft
    start = min(_began(step) for step in group)
    overlap = timedelta(days=numbers["complete_cycle_days"])
    draft.carried = [
        c
        for c in (*before.courses, *before.carried)
        if c.last.earliest >= start.latest + overlap and not c.one_off
    ]
    # A progression of long before does not tell why the line ended just now.
    reach = start.earliest - timedelta(days=numbers["explained_days"])
    since = max(before.counts_from.latest, reach - timedelta(days=1))
    draft.explained = _event_between(events, since, start) is not None
    draft.gap = _numbers_missing(before, group)
    return draft


_REASON_ORDER = (
    "first-treatment",
    "restart",
    "progression",
    "insufficient-response",
    "toxicity",
    "second-transplant",
    "other-change",
    "unknown",
)


def _strongest(reasons: Sequence[tuple[str, Certainty]]) -> tuple[str, Certainty]:
    """Of several reasons the surest, then the gravest."""
    order = {Certainty.DOCUMENTED: 0, Certainty.COMPUTED: 1, Certainty.PRESUMED: 2}
    return min(reasons, key=lambda r: (order[r[1]], _REASON_ORDER.index(r[0])))


def _numbers_missing(line: _Draft, group: Sequence[Course | ProcedureFact]) -> bool:
    """Whether the charted line numbers skip one or more lines between these two."""
    before = [c.line_number for c in line.courses if c.line_number]
    after = [s.line_number for s in group if isinstance(s, Course) and s.line_number]
    return bool(before and after) and min(after) > max(before) + 1


def _event_between(events: Sequence[Event], after: date, until: DateSpan) -> Event | None:
    """The first event that surely fell after ``after`` and not after the latest day of ``until``."""
    return next((e for e in events if e.on.latest > after and e.on.earliest <= until.latest), None)


def _new_line_reason(
    line: _Draft | None,
    course: Course,
    events: Sequence[Event],
    responses: Sequence[ResponseFact],
    treatment: Sequence[Course],
    numbers: Mapping[str, Any],
) -> tuple[str, Certainty] | None:
    """Why ``course`` opens a new line, with the certainty; None where it belongs to ``line``."""
    if line is None:
        return "first-treatment", Certainty.DOCUMENTED
    charted = {c.line_number for c in line.courses if c.line_number}
    numbered_apart = bool(course.line_number and charted) and course.line_number not in charted
    if course.line_number and charted and not numbered_apart:
        return None  # a line number in the chart is honoured, whatever the dates say
    if line.courses and not numbered_apart and _bridged(line, course, numbers):
        return None
    known_drug = course.drug in line.drugs
    since = line.counts_from
    event = _event_between(events, since.latest, course.first)
    if event is not None and event.on.earliest > since.earliest:
        return ("restart" if known_drug else "progression"), event.certainty
    belongs = (
        known_drug
        or not line.courses  # a transplant alone so far
        or _assembled(line, course, numbers)
        or _planned_after_transplant(line, course, numbers)
        or _planned_maintenance(line, course, responses, treatment, numbers)
    )
    if belongs:
        # A number of its own is honoured, and that dates and reasons say otherwise is told with the line.
        return ("unknown", Certainty.DOCUMENTED) if numbered_apart else None
    return _reason_by_stops(line, course, numbers)


def _reason_by_stops(line: _Draft, course: Course, numbers: Mapping[str, Any]) -> tuple[str, Certainty]:
    """Why a new line begins, by the reasons for which the drugs before it were stopped.

    A toxicity or a wish explains it only where every drug stopped of late has such a reason: what was
    stopped beside it without one may have failed.
    """
    stopped = _stopped_before(line.courses, course)
    recent = [
        c for c in stopped if abs((course.first.earliest - c.last.latest).days) <= numbers["same_event_days"]
    ]
    reasons = {c.stop_reason for c in recent or stopped}
    if StopReason.NO_RESPONSE in reasons:
        return "insufficient-response", Certainty.DOCUMENTED
    if StopReason.PROGRESSION in reasons:
        return "progression", Certainty.DOCUMENTED
    unexplained = reasons & {StopReason.UNKNOWN, StopReason.UNREAD, StopReason.OTHER}
    if reasons & {StopReason.TOXICITY, StopReason.ALLERGY}:
        return "toxicity", Certainty.PRESUMED if unexplained else Certainty.DOCUMENTED
    if StopReason.CHOICE in reasons and not unexplained:
        return "other-change", Certainty.COMPUTED
    return "progression", Certainty.PRESUMED


def _assembled(line: _Draft, course: Course, numbers: Mapping[str, Any]) -> bool:
    """Whether the drug completes a regimen begun shortly before, none of it stopped for a bad reason."""
    within = (course.first.earliest - line.start.latest).days <= numbers["assembly_days"]
    week = timedelta(days=7)
    running = any(c.ongoing or c.last.latest >= course.first.earliest - week for c in line.courses)
    failed = any(c.stop_reason in DECIDED for c in _stopped_before(line.courses, course))
    return within and running and not failed


def _stopped_before(courses: Sequence[Course], course: Course) -> list[Course]:
    """Those stopped when another began, or within the week after: what came later tells nothing."""
    until = course.first.latest + timedelta(days=7)
    return [c for c in courses if not c.ongoing and c.last.earliest <= until]


def _bridged(line: _Draft, course: Course, numbers: Mapping[str, Any]) -> bool:
    """Whether the line so far is bridging before this one-off infusion (bridging is part of its line)."""
    bridging = [c for c in line.courses if c.purpose is Purpose.BRIDGING]
    if not course.one_off or len(bridging) != len(line.courses):
        return False
    return bool((course.first.earliest - line.start.latest).days <= numbers["bridging_days"])


def _planned_after_transplant(line: _Draft, course: Course, numbers: Mapping[str, Any]) -> bool:
    """Consolidation or maintenance planned with the line's transplant.

    Consolidation begins soon after it, before any maintenance; maintenance is a drug in use for it, begun
    within a year. Neither follows a drug that was given after the transplant and failed or was not borne.
    """
    done = [t.on.latest for t in line.transplants if t.on and t.on.latest <= course.first.earliest]
    if not done or course.one_off:
        return False
    since = (course.first.earliest - max(done)).days
    afterwards = [c for c in line.courses if c.first.earliest > max(done)]
    if any(c.stop_reason in DECIDED for c in _stopped_before(afterwards, course)):
        return False
    consolidation = since <= numbers["consolidation_days"] and not afterwards
    maintenance = course.drug in numbers["maintenance_drugs"]
    return consolidation or (maintenance and since <= numbers["maintenance_after_transplant_days"])


def _planned_maintenance(
    line: _Draft,
    course: Course,
    responses: Sequence[ResponseFact],
    treatment: Sequence[Course],
    numbers: Mapping[str, Any],
) -> bool:
    """A single maintenance drug begun in response, soon after an induction that ended as planned."""
    if course.drug not in numbers["maintenance_drugs"] or course.one_off:
        return False
    alone = not any(
        other.drug != course.drug
        and abs((other.first.earliest - course.first.earliest).days) <= numbers["assembly_days"]
        for other in treatment
    )
    planned_end = {StopReason.COMPLETION, StopReason.UNKNOWN, StopReason.TRANSPLANT}
    ended = all(c.stop_reason in planned_end for c in line.courses)
    gap = (course.first.earliest - line.last_given).days
    in_response = any(
        r.category in RESPONDING
        and r.on is not None
        and line.start.earliest <= r.on.earliest <= course.first.latest
        for r in responses
    )
    return alone and ended and in_response and 0 <= gap <= numbers["maintenance_after_induction_days"]


def _transplant_reason(
    line: _Draft | None, transplant: ProcedureFact, events: Sequence[Event], numbers: Mapping[str, Any]
) -> tuple[str, Certainty] | None:
    """Why a transplant opens a new line; None where it belongs to ``line`` (planned, or a tandem)."""
    on = transplant.on
    if line is None or on is None:
        return None if line else ("first-treatment", Certainty.COMPUTED)
    since = line.counts_from
    event = _event_between(events, since.latest, on)
    if event is not None and event.on.earliest > since.earliest:
        return "second-transplant" if line.transplants else "progression", event.certainty
    first = line.transplants[0].on if line.transplants else None
    if first is not None and (on.earliest - first.latest).days > numbers["tandem_days"]:
        return "second-transplant", Certainty.COMPUTED
    return None


def _without_less_than_a_cycle(
    drafts: Sequence[_Draft], events: Sequence[Event], numbers: Mapping[str, Any]
) -> list[_Draft]:
    """The drafts that are lines; what follows one that is none was begun for the same reason as it."""
    kept: list[_Draft] = []
    reason: _Draft | None = None
    for place, draft in enumerate(drafts):
        following = drafts[place + 1].start.latest if place + 1 < len(drafts) else None
        if reason is not None:
            draft.starts_because, draft.certainty = reason.starts_because, reason.certainty
            draft.explained = reason.explained
            reason = None
        if _is_line(draft, following, events, numbers):
            kept.append(draft)
        else:
            reason = draft
    return kept


def _is_line(
    draft: _Draft, following: date | None, events: Sequence[Event], numbers: Mapping[str, Any]
) -> bool:
    """Whether the treatment came to a complete cycle, or ended for progression, or is just beginning.

    A regimen lasts until the next one begins, though some of its drugs may go on in that.
    """
    if any(c.one_off for c in draft.courses) or draft.transplants:
        return True
    if any(c.stop_reason is StopReason.PROGRESSION for c in draft.courses):
        return True
    if following is None and any(c.ongoing for c in draft.courses):
        return True
    until = draft.last_given if following is None else min(draft.last_given, following)
    if (until - draft.start.earliest).days + 1 >= numbers["complete_cycle_days"]:
        return True
    return any(draft.start.latest < e.on.earliest and e.on.latest <= until for e in events)


def _line(
    number: int,
    counted: int,
    draft: _Draft,
    steroids: Sequence[Course],
    following: DateSpan | None,
    events: Sequence[Event],
    record: ClinicalRecord,
    knowledge: Knowledge,
    language: str,
) -> tuple[Line, list[Issue]]:
    members = [*draft.courses, *draft.carried, *steroids]
    until = following.latest if following else date.max
    since = draft.counts_from
    vague = timedelta(days=knowledge.definitions["imwg"]["lines"]["same_event_days"])
    # One of which the chart says no more than that it was in this line or another ends none of them.
    event = next(
        (
            e
            for e in events
            if e.on.latest > since.latest
            and e.on.earliest <= until
            and (
                e.on.latest - e.on.earliest <= vague
                or (e.on.earliest > since.latest and e.on.latest <= until)
            )
        ),
        None,
    )
    progression = event.on if event else None
    responses = [
        r
        for r in record.responses
        if r.category is not None
        and r.category is not Response.PD
        and r.on is not None
        and draft.start.earliest <= r.on.earliest <= min(until, progression.latest if progression else until)
    ]
    best = min((r.category for r in responses if r.category), key=list(Response).index, default=None)
    ongoing = any(c.ongoing for c in draft.courses) and following is None
    issues = []
    charted = next((c.line_number for c in draft.courses if c.line_number), None)
    if charted and charted != counted:
        text = sentence(
            knowledge.definitions, "line", "charted-number", charted=str(charted), counted=str(counted)
        )
        where = draft.courses[0].derived_from[0]
        issues.append(Issue(Severity.WARNING, "line-number", text.in_language(language), where))
    if draft.starts_because == "unknown" and charted:
        text = sentence(knowledge.definitions, "line", "numbered-apart", charted=str(charted))
        where = draft.courses[0].derived_from[0]
        issues.append(Issue(Severity.WARNING, "line-number", text.in_language(language), where))
    drugs = sorted(
        {(DateSpan.first_of(c.first for c in members if c.drug == k), k) for k in {m.drug for m in members}}
    )
    references = {r for c in members for r in c.derived_from} | {t.reference for t in draft.transplants}
    if event:
        references |= {r for fact in event.facts for r in fact.derived_from}
    line = Line(
        number=number,
        start=draft.start if all(c.dated for c in draft.courses) else None,
        end=None if ongoing else _end(draft, steroids, following),
        drugs=tuple(key for _, key in drugs),
        regimen=_regimen_name(draft, steroids, knowledge),
        transplant=bool(draft.transplants),
        best_response=best,
        progression=progression,
        starts_because=draft.starts_because,
        ends_because=_ends_because(draft, event, ongoing),
        certainty=Certainty.DOCUMENTED if charted == counted else draft.certainty,
        derived_from=tuple(sorted(references | {r.reference for r in responses if r.category is best})),
        counts_from=since if all(c.dated for c in draft.courses) else None,
    )
    return line, issues


def with_computed_responses(
    lines: Sequence[Line], charted: Sequence[ResponseFact], computed: Sequence[ResponseFact]
) -> tuple[tuple[Line, ...], tuple[ResponseFact, ...]]:
    """The lines with the best computed response where none is charted, and the responses that count.

    A computed response counts up to the progression of its line, and before the next line begins.
    """
    filled: list[Line] = []
    counting: list[ResponseFact] = []
    for place, line in enumerate(lines):
        following = lines[place + 1].start if place + 1 < len(lines) else None
        until = following.earliest - timedelta(days=1) if following else date.max
        if line.progression:
            until = min(until, line.progression.latest)
        own = _in_line(computed, line, until)
        own = [r for r in own if r.on and line.start and r.on.earliest > line.start.latest]
        if own and not _in_line(charted, line, following.earliest if following else date.max):
            best = min(own, key=lambda r: (list(Response).index(r.category or Response.PD), r.on))
            references = tuple(sorted({*line.derived_from, *best.derived_from}))
            line = replace(line, best_response=best.category, derived_from=references)
            counting.extend(own)
        filled.append(line)
    return tuple(filled), tuple(counting)


def _in_line(responses: Sequence[ResponseFact], line: Line, until: date) -> list[ResponseFact]:
    """Response categories, progression aside, that may have been reached in a line."""
    return [
        r
        for r in responses
        if r.category not in (None, Response.PD)
        and (r.on is None or line.start is None or line.start.earliest <= r.on.latest)
        and (r.on is None or r.on.earliest <= until)
    ]


def _end(draft: _Draft, steroids: Sequence[Course], following: DateSpan | None) -> DateSpan | None:
    """The last dose of the line; a drug carried over into the next one does not prolong this."""
    ends = [c.last for c in (*draft.courses, *steroids)]
    if not ends:
        return None
    last = DateSpan.last_of(ends)
    return following if following is not None and last.latest > following.latest else last


def _ends_because(draft: _Draft, event: Event | None, ongoing: bool) -> str:
    # How bridging ended says nothing of the cells that came after it.
    own = [c for c in draft.courses if c.one_off] or draft.courses
    reasons = {c.stop_reason for c in own if not c.ongoing}
    if StopReason.PROGRESSION in reasons:
        return "progression"
    if StopReason.NO_RESPONSE in reasons:
        return "insufficient-response"
    if event is not None and event.on.earliest <= draft.last_given:
        return "progression"
    if ongoing:
        return "ongoing"
    # The drug given last tells why the line ended; a drug dropped on the way does not.
    for course in sorted(own, key=lambda c: (c.last.latest, c.drug), reverse=True):
        if course.stop_reason in _ENDS:
            return _ENDS[course.stop_reason]
    return "unknown"


def _regimen_name(draft: _Draft, steroids: Sequence[Course], knowledge: Knowledge) -> str:
    """Key of the regimen that the drugs begun together are; "" where none is recognised."""
    window = timedelta(days=knowledge.definitions["imwg"]["lines"]["assembly_days"])
    together = [c for c in draft.courses if c.first.earliest <= draft.start.latest + window]
    # The name of what was begun with the line; consolidation may be charted under a name of its own.
    charted = next((c.regimen for c in together if c.regimen), "")
    infused = {c.drug for c in draft.courses if c.one_off}
    if charted and not infused:
        return charted
    begun = {c.drug for c in together}
    begun |= {c.drug for c in draft.carried}
    # An infusion names its line; the bridging before it does not.
    begun = infused or begun
    with_steroid = bool(steroids)
    known = {r.key: set(r.components) for r in knowledge.regimens.values()}
    for entry in knowledge.mappings.get("regimen-names", {}).get("regimens", ()):
        known.setdefault(entry["key"], set(entry["components"]))

    def is_steroid(key: str) -> bool:
        return key in knowledge.drugs and knowledge.drugs[key].is_steroid

    matching = [
        (with_steroid != any(map(is_steroid, parts)), len(parts), key)
        for key, parts in known.items()
        if {p for p in parts if not is_steroid(p)} == begun
    ]
    # A chart without steroid entries still names the regimen with one: charts leave them out.
    return min(matching)[2] if matching and begun else ""
