"""Suggestions by which a clinician settles or corrects the derived state: each creates an Observation.

Only what one Observation settles is offered: a suggestion stands here only if the state, derived with what it
would record, no longer asks. The next call reads the Observation back (cds_service/fhir/assertions.py) and
honours it above what was derived (cds_service/patient/asserted.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from cds_service.cards.names import EXTENSION
from cds_service.cards.orders import Recipient
from cds_service.cards.references import reference_to
from cds_service.cards.wording import Wording
from cds_service.knowledge.asserting import (
    INTOLERANT,
    LINES,
    REFRACTORY,
    STATUS,
    Code,
    assertable,
)
from cds_service.knowledge.types import Knowledge, Text
from cds_service.patient.state import derive
from cds_service.patient.types import PatientState, Status, Unknown
from cds_service.record import FROM_REQUEST, Assertion, ClinicalRecord, StopReason

_OF_THE_DISEASE = ("progression-date", "progressed-on-last", "laboratory-progression")
"""Unknowns that a status of the disease may settle."""
_MORE_LINES = 3  # beyond those known: so many may be missing from a record and still be told by heart
_NO_REASON = (StopReason.UNKNOWN, StopReason.OTHER, StopReason.UNREAD)


@dataclass(frozen=True)
class _Said:
    """What one choice records: the label's name, its values, and the assertions, the safest first."""

    label: str
    assertions: tuple[tuple[str, str], ...]  # what, value
    drug: str = ""


@dataclass(frozen=True)
class _Asked:
    """Of whom, for whom and in which words."""

    state: PatientState
    record: ClinicalRecord
    recipient: Recipient
    language: str
    new_id: Callable[[], str]

    @property
    def on(self) -> date:
        return self.state.as_of


class Corrections:
    """Makes the suggestions; holds no patient, may be shared by threads."""

    def __init__(self, knowledge: Knowledge, wording: Wording) -> None:
        self._knowledge = knowledge
        self._wording = wording
        self._known = assertable(knowledge)
        self._uris = {entry["key"]: entry["uri"] for entry in knowledge.mappings["systems"]["systems"]}

    def for_unknowns(
        self,
        unknowns: Iterable[Unknown],
        state: PatientState,
        record: ClinicalRecord,
        recipient: Recipient,
        language: str,
        new_id: Callable[[], str],
    ) -> list[dict[str, Any]]:
        """The suggestions that settle these unknowns of the state, in their order, each once.

        Nothing for what no single Observation settles (the medication history, a comorbidity), nor where the
        patient's id is not known: an Observation must say whom it is of.
        """
        asked = _Asked(state, record, recipient, language, new_id)
        told: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
        for unknown in unknowns if recipient.subject else ():
            for said in self._settling(unknown, asked):
                if said.assertions not in told and self._settles(said, unknown, asked):
                    note = self._say("note/answers", asked, what=self._left_open(said, asked))
                    told[said.assertions] = self._suggestion(said, note, asked)
        return list(told.values())

    def for_state(
        self,
        state: PatientState,
        record: ClinicalRecord,
        recipient: Recipient,
        language: str,
        new_id: Callable[[], str],
    ) -> list[dict[str, Any]]:
        """The suggestion that corrects a state in which no choice is due: the disease is progressing.

        Nothing where it would change nothing: a disease outside the sources, or no treatment on record.
        """
        asked = _Asked(state, record, recipient, language, new_id)
        said = _Said("progression", ((STATUS, "progression"),))
        if not recipient.subject or state.needs_treatment_choice:
            return []
        if not self._with(said, asked).needs_treatment_choice:
            return []
        because = self._say("note/no-choice", asked)
        return [self._suggestion(said, self._say("note/corrects", asked, because=because), asked)]

    def for_drug(
        self,
        drug: str,
        state: PatientState,
        record: ClinicalRecord,
        recipient: Recipient,
        language: str,
        new_id: Callable[[], str],
    ) -> list[dict[str, Any]]:
        """What corrects the state of one drug, as a conflict rests on it: not refractory, or tolerated.

        Nothing where the word of a clinician would not go above it: a charted allergy or intolerance.
        """
        own = state.drugs.get(drug)
        if own is None or drug not in self._knowledge.drugs or not recipient.subject:
            return []
        asked = _Asked(state, record, recipient, language, new_id)
        found = []
        if own.status is Status.REFRACTORY:
            found.append(_Said("not-refractory", ((f"{REFRACTORY}:{drug}", "not-refractory"),), drug))
        if own.intolerant:
            found.append(_Said("tolerated", ((f"{INTOLERANT}:{drug}", "tolerated"),), drug))
        told = []
        for said in found:
            then = self._with(said, asked).drugs.get(drug)
            if then is not None and (then.status, then.intolerant) != (own.status, own.intolerant):
                because = own.because
                if said.label == "tolerated":
                    because = self._say("note/not-tolerated", asked, drug=self._drug_name(drug, asked))
                note = self._say("note/corrects", asked, because=because)
                told.append(self._suggestion(said, note, asked))
        return told

    # ---- what may be said ---------------------------------------------------------------------------------
    def _settling(self, unknown: Unknown, asked: _Asked) -> Iterator[_Said]:
        kind, _, drug = unknown.what.partition(":")
        if kind == REFRACTORY and drug in self._knowledge.drugs:
            own = asked.state.drugs.get(drug)
            if own is None or not own.given:
                return  # whether it was given is open too, and no word on refractoriness tells that
            what = f"{REFRACTORY}:{drug}"
            yield _Said("refractory", ((what, "refractory"),), drug)
            yield _Said("not-refractory", ((what, "not-refractory"),), drug)
            if not own.intolerant and self._stopped_without_reason(drug, asked.record):
                # A client that takes the first action alone must take the one that keeps the drug away.
                both = ((f"{INTOLERANT}:{drug}", "intolerant"), (what, "not-refractory"))
                yield _Said("not-tolerated-not-refractory", both, drug)
        elif kind == LINES:
            known = max(len(asked.state.lines), 1)
            for count in range(known, known + _MORE_LINES + 1):
                yield _Said("prior-lines", ((LINES, str(count)),))
        elif kind in _OF_THE_DISEASE:
            yield _Said("progression", ((STATUS, "progression"),))
            yield _Said("stable", ((STATUS, "stable"),))

    @staticmethod
    def _stopped_without_reason(drug: str, record: ClinicalRecord) -> bool:
        return any(d.drug == drug and not d.ongoing and d.stop_reason in _NO_REASON for d in record.drugs)

    def _with(self, said: _Said, asked: _Asked) -> PatientState:
        """The state as the next call will derive it, what is said being on record."""
        more = tuple(
            Assertion(FROM_REQUEST, what, value, asked.on, rests_on=self._rests_on(what, asked))
            for what, value in said.assertions
        )
        record = replace(asked.record, assertions=(*asked.record.assertions, *more))
        return derive(record, self._knowledge, asked.on, asked.language)

    def _settles(self, said: _Said, unknown: Unknown, asked: _Asked) -> bool:
        then = self._with(said, asked)
        in_force = {(one.what, one.value) for one in then.asserted if one.in_force}
        if not in_force.issuperset(said.assertions):
            return False
        if (
            unknown.what == "progressed-on-last"
        ):  # asked where the answers are weighed, not by the state itself
            return then.progressed_on_last is not None
        return unknown.what not in {one.what for one in then.unknown}

    # ---- how it is said -----------------------------------------------------------------------------------
    def _suggestion(self, said: _Said, note: str, asked: _Asked) -> dict[str, Any]:
        values: dict[str, object] = {"drug": self._drug_name(said.drug, asked)} if said.drug else {}
        if said.label in ("progression", "stable"):
            values = {"date": asked.on.isoformat()}
        elif said.label == "prior-lines":
            values = {"count": int(said.assertions[0][1])}
        return {
            "uuid": asked.new_id(),
            "label": self._say(f"label/{said.label}", asked, **values),
            "actions": [self._action(what, value, note, asked) for what, value in said.assertions],
            "extension": {EXTENSION: {"assertions": [f"{what}={value}" for what, value in said.assertions]}},
        }

    def _left_open(self, said: _Said, asked: _Asked) -> str:
        """The question that was open; of a choice that also says why a drug was stopped, its last."""
        kind, _, drug = said.assertions[-1][0].partition(":")
        values = {"drug": self._drug_name(drug, asked)} if drug else {}
        return self._say(f"note/about-{kind}", asked, **values)

    def _action(self, what: str, value: str, note: str, asked: _Asked) -> dict[str, Any]:
        question = self._known.question_of(what)
        answer = question.answer(value)
        drug = what.partition(":")[2]
        told = answer.name.in_language(asked.language) if answer else value
        more = (
            {"drug": self._drug_name(drug, asked)}
            if drug
            else {"question": question.name.in_language(asked.language)}
        )
        description = self._say(
            f"action/{'of-drug' if drug else 'plain'}", asked, date=asked.on.isoformat(), value=told, **more
        )
        resource = self._observation(what, value, note, asked)
        return {"type": "create", "description": description, "resource": resource}

    def _observation(self, what: str, value: str, note: str, asked: _Asked) -> dict[str, Any]:
        known, question = self._known, self._known.question_of(what)
        drug = what.partition(":")[2]
        answer = question.answer(value)
        resource: dict[str, Any] = {
            "resourceType": "Observation",
            # Whoever accepts the suggestion states it, and nobody is to add to it: "final" in the words of
            # FHIR. "preliminary" would say that it may be incomplete, and many a reader would pass it over.
            "status": "final",
            "category": [{"coding": [self._coding(known.category)]}],
            "code": self._concept(question.also, question.key, question.name, asked),
            "subject": {"reference": asked.recipient.subject},
            "effectiveDateTime": asked.on.isoformat(),
        }
        if asked.recipient.encounter:
            resource["encounter"] = {"reference": asked.recipient.encounter}
        if answer is not None:
            resource["valueCodeableConcept"] = self._concept(answer.also, answer.key, answer.name, asked)
        else:
            resource["valueInteger"] = int(value)
        if drug:
            named = {
                "code": self._concept(None, known.drug, known.drug_name, asked),
                "valueCodeableConcept": self._drug_concept(drug, asked),
            }
            resource["component"] = [named]
        if based := self._rests_on(what, asked):
            resource["derivedFrom"] = [{"reference": one} for one in based]
        version = self._say("note/offered-by", asked, version=self._knowledge.version.version)
        resource["note"] = [{"text": f"{note.rstrip('.')}. {version}"}]
        return resource

    def _coding(self, code: Code) -> dict[str, str]:
        coding = {"system": self._uris[code.system], "code": code.code}
        return coding | ({"display": code.display} if code.display else {})

    def _concept(self, also: Code | None, key: str, name: Text, asked: _Asked) -> dict[str, Any]:
        """A standard code, where there is one, before ours: some clients take the first alone."""
        own = {"system": self._known.system, "code": key, "display": name.en}
        codings = [*([self._coding(also)] if also else []), own]
        return {"coding": codings, "text": name.in_language(asked.language)}

    def _drug_concept(self, key: str, asked: _Asked) -> dict[str, Any]:
        """The drug by every code that orders of it may carry, and by ours."""
        drug = self._knowledge.drugs[key]
        standard = [
            self._coding(Code(system, code, display))
            for system, (code, display) in sorted(drug.order_codes.items())
        ]
        own = {"system": self._known.drugs, "code": key, "display": drug.name.en}
        return {"coding": [*standard, own], "text": drug.name.in_language(asked.language)}

    def _rests_on(self, what: str, asked: _Asked) -> tuple[str, ...]:
        """The Observations that the state rests on here: known to who corrects it, and so not newer."""
        drug = what.partition(":")[2]
        facts: Sequence[Any] = asked.state.progressions
        if drug and drug in asked.state.drugs:
            facts = (*facts, asked.state.drugs[drug])
        asserted = {one.reference for one in asked.record.assertions}
        found = {r for fact in facts for r in fact.derived_from if r not in asserted}
        return tuple(sorted(filter(None, (reference_to("Observation", r) for r in found))))

    def _drug_name(self, key: str, asked: _Asked) -> str:
        return self._knowledge.drugs[key].name.in_language(asked.language)

    def _say(self, slot: str, asked: _Asked, **values: object) -> str:
        return self._wording.text(f"corrections/{slot}", asked.language, **values)
