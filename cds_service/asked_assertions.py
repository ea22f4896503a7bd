"""Assertions that come beside a chart: of the bundle API, of the command line, of a Python caller.

Each is an Observation as a suggestion creates it, or the short form ``{"what": "refractory:lenalidomide",
"value": false, "on": "2026-05-11"}``. Raises :class:`cds_service.errors.BadRequest` with every fault and its
JSON Pointer; no value is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from cds_service.asked import FIRST_DAY, bundle_in
from cds_service.errors import BadRequest, Fault
from cds_service.fhir.assertions import NAMELESS, read_alone
from cds_service.knowledge.asserting import Assertable, AssertedQuestion, assertable
from cds_service.knowledge.references import nearest
from cds_service.knowledge.types import Knowledge
from cds_service.record import FROM_REQUEST, Assertion, ClinicalRecord
from cds_service.terminology import Concept, Terminology

CODE = "bad-assertion"
_MEMBERS = ("what", "value", "on")
_NAMES = ("assertion", "assertions")
_DIGITS = re.compile(r"[0-9]{1,9}")  # longer is no number that could be meant, and none that int() may refuse
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")  # a week date is as long
_MOST = 100  # nobody asserts more of one patient; a body may hold any number

Placed = tuple[str, Any]
"""What stands in the body, and its JSON Pointer."""


@dataclass(frozen=True)
class Given:
    """What was asserted: in the short form as facts, as Observations to be read with the chart."""

    facts: tuple[Assertion, ...] = ()
    resources: tuple[dict[str, Any], ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)  # reference of an Observation -> its pointer

    def require_read(self, record: ClinicalRecord) -> None:
        """Each Observation must have been read with the chart: another patient's would say nothing."""
        read = {one.reference for one in record.assertions}
        unread = {one.where for one in record.issues if one.code == "unread-assertion"}
        faults = [
            Fault(
                f"is no assertion that can be read: {NAMELESS}"
                if reference in unread
                else "is an assertion of another patient than the one assessed",
                place,
            )
            for reference, place in self.places.items()
            if reference not in read
        ]
        if faults:
            raise BadRequest("An assertion is of another patient, or of nobody known.", *faults, code=CODE)


def asked_in(body: Any) -> tuple[Mapping[str, Any], tuple[Placed, ...]]:
    """The Bundle of a request's body, and what is asserted beside it.

    The body is a Bundle, which may have a member ``assertions``; ``{"bundle": ..., "assertions": [...]}``; or
    Parameters with one Bundle and any number of parameters named ``assertion``, each an Observation as
    ``resource`` or a ``valueString`` "refractory:lenalidomide=false". A member ``assertions`` is read
    wherever in these it stands.

    Raises BadRequest where a parameter has no name by which it could be told what it is.
    """
    if isinstance(body, dict) and "resourceType" not in body and isinstance(body.get("bundle"), dict):
        return bundle_in(body["bundle"]), (*_listed(body), *_within(body["bundle"], "/bundle"))
    return bundle_in(body), _within(body, "")


def _within(body: Mapping[str, Any], at: str) -> tuple[Placed, ...]:
    """What is asserted in a Bundle or Parameters, which stands at ``at`` in the body."""
    placed: list[Placed] = [*_listed(body, at)]
    faults: list[Fault] = []
    for number, one in enumerate(body["parameter"] if body["resourceType"] == "Parameters" else ()):
        place = f"{at}/parameter/{number}"
        name = one.get("name") if isinstance(one, dict) else None
        resource = one.get("resource") if isinstance(one, dict) else None
        if isinstance(resource, dict) and resource.get("resourceType") == "Bundle":
            placed += _listed(resource, f"{place}/resource")
        elif not isinstance(name, str):
            faults.append(Fault("must have a name, as text", f"{place}/name" if name is not None else place))
        elif name.strip().casefold() in _NAMES:
            member = "resource" if "resource" in one else "valueString"
            raw = one.get(member)
            placed.append((f"{place}/{member}", short_form(raw) if isinstance(raw, str) else raw))
    if faults:
        raise BadRequest("A parameter has no name.", *faults, code=CODE)
    return tuple(placed)


def _listed(body: Mapping[str, Any], at: str = "") -> tuple[Placed, ...]:
    given = body.get("assertions")
    if given is None:
        return ()
    if not isinstance(given, list):
        raise BadRequest("assertions is no list.", Fault("must be a list", f"{at}/assertions"), code=CODE)
    return tuple((f"{at}/assertions/{number}", one) for number, one in enumerate(given))


def short_form(text: str) -> dict[str, Any]:
    """The short form of "refractory:lenalidomide=false", or of "refractory:lenalidomide=false@2026-05-11"."""
    said, at, on = text.strip().rpartition("@") if "@" in text else (text.strip(), "", "")
    what, _, value = said.partition("=")
    return {"what": what.strip(), "value": value.strip()} | ({"on": on.strip()} if at else {})


def read_assertions(
    given: Sequence[Placed], terminology: Terminology, knowledge: Knowledge, as_of: date
) -> Given:
    """What was asserted, as of the evaluation date. Raises BadRequest with the fault of each that is none."""
    reading = _Reading(terminology, knowledge, as_of)
    for place, raw in given[:_MOST]:
        reading.one(place, raw)
    if len(given) > _MOST:
        reading.faults.append(Fault(f"is one more than the {_MOST} that are read", given[_MOST][0]))
    if reading.faults:
        listed = "; ".join(f"{fault.pointer} {fault.detail}" for fault in reading.faults[:5])
        raise BadRequest(f"Assertions: {listed}.", *reading.faults, code=CODE)
    return Given(tuple(reading.facts), tuple(reading.resources), reading.places)


class _Reading:
    def __init__(self, terminology: Terminology, knowledge: Knowledge, as_of: date) -> None:
        self._terminology = terminology
        self._known: Assertable = assertable(knowledge)
        self._judged = [key for key, drug in knowledge.drugs.items() if drug.role != "supportive"]
        self._as_of = as_of
        self.faults: list[Fault] = []
        self.facts: list[Assertion] = []
        self.resources: list[dict[str, Any]] = []
        self.places: dict[str, str] = {}

    def one(self, place: str, raw: Any) -> None:
        if not isinstance(raw, dict):
            self._fault("must be an Observation, or an object with what and value", place)
        elif "resourceType" in raw:
            self._observation(place, raw)
        else:
            self._short(place, raw)

    def _fault(self, detail: str, place: str, member: str = "") -> None:
        self.faults.append(Fault(detail, f"{place}/{member}" if member else place))

    def _observation(self, place: str, raw: dict[str, Any]) -> None:
        fact, why = read_alone(raw, self._terminology, self._as_of)
        if fact is None:
            self._fault(f"is no assertion that can be read: {why}", place)
            return
        self.resources.append(raw)
        self.places[fact.reference] = place

    def _short(self, place: str, raw: Mapping[str, Any]) -> None:
        before = len(self.faults)
        for member in raw:
            if member not in _MEMBERS:
                self._fault(f"has a member that is unknown; there are {', '.join(_MEMBERS)}", place)
        question, what = self._what(raw.get("what"), place)
        value = self._value(question, raw.get("value"), place) if question is not None else ""
        on = self._on(raw.get("on"), place)
        if len(self.faults) == before:
            self.facts.append(Assertion(FROM_REQUEST, what, value, on))

    def _what(self, raw: Any, place: str) -> tuple[AssertedQuestion | None, str]:
        kind, colon, named = raw.strip().partition(":") if isinstance(raw, str) else ("", "", "")
        question = self._known.questions.get(kind)
        if question is None:
            known = ", ".join(
                f"{q.what}:DRUG" if q.of_drug else q.what for q in self._known.questions.values()
            )
            self._fault(f"must be one of {known}", place, "what")
            return None, ""
        if not question.of_drug:
            if colon:
                self._fault(f"{kind} is of no drug", place, "what")
            return question, kind
        name = named.strip().casefold()
        drug = name if name in self._judged else self._terminology.asserted_drug(Concept((), named.strip()))
        if not drug:
            self._fault(
                f"must name a drug that is judged for refractoriness.{nearest(name, self._judged)}",
                place,
                "what",
            )
        return question, f"{kind}:{drug}"

    def _value(self, question: AssertedQuestion, raw: Any, place: str) -> str:
        if not question.answers:
            number = raw if isinstance(raw, int) and not isinstance(raw, bool) else None
            if isinstance(raw, str) and _DIGITS.fullmatch(raw):
                number = int(raw)
            if number is not None and question.least <= number <= question.most:
                return str(number)
            self._fault(f"must be a whole number from {question.least} to {question.most}", place, "value")
            return ""
        keys = [one.key for one in question.answers]
        if question.of_drug:  # the first answer is yes, the second no
            truth = {"true": True, "false": False}.get(raw.strip().lower()) if isinstance(raw, str) else raw
            if isinstance(truth, bool):
                return keys[0] if truth else keys[1]
        if isinstance(raw, str) and raw.strip() in keys:
            return raw.strip()
        also = ", true, false" if question.of_drug else ""
        self._fault(f"must be one of {', '.join(keys)}{also}", place, "value")
        return ""

    def _on(self, raw: Any, place: str) -> date:
        if raw is None:
            return self._as_of
        try:
            day = date.fromisoformat(raw) if isinstance(raw, str) and _DAY.fullmatch(raw) else None
        except ValueError:
            day = None
        if day is None:
            self._fault("must be a day, YYYY-MM-DD", place, "on")
        elif not FIRST_DAY <= day <= self._as_of:
            self._fault(f"must lie between {FIRST_DAY} and the evaluation date", place, "on")
        return day or self._as_of


def placed(given: Iterable[Any]) -> tuple[Placed, ...]:
    """Assertions of a Python caller or a command line, each with the pointer of its place in the list."""
    return tuple(
        (f"/{number}", short_form(one) if isinstance(one, str) else one) for number, one in enumerate(given)
    )
