"""An assessment as a CarePlan: the regimens that fit as a RequestGroup of draft orders, at most one to take.

Nothing is decided here. Orders, order of regimens and reasons are those of the hooks and of /api/v1/assess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from cds_service.assess import Assessment, rests_on
from cds_service.cards.markdown import one_line, sentence_case, whole_sentence
from cds_service.cards.orders import Recipient
from cds_service.knowledge.types import Text
from cds_service.knowledge.wording import sentence
from cds_service.patient.types import Certainty, Status
from cds_service.publish.edition import Edition, Resource, canonical, concept, usable_id, with_narrative
from cds_service.publish.sources import cited, evidence_of, rules_cited
from cds_service.record import Severity
from cds_service.sequencing.types import AdviceShown, CautionShown, NotSuggested, Suggested

_GROUP = "regimens"
_REFERENCE = re.compile(r"([A-Z][A-Za-z]{2,40})/[A-Za-z0-9.-]{1,64}")


def care_plan(edition: Edition, assessment: Assessment, *, regimen: str = "") -> Resource:
    """The whole answer, or that of one regimen, which must be among those suggested."""
    return _Plan(edition, assessment).whole(regimen)


def why_not(edition: Edition, entry: NotSuggested, language: str) -> Resource:
    """An OperationOutcome with every reason against a regimen."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": "business-rule",
                "details": concept(
                    "reasons-against", reason.code, text=one_line(reason.text.in_language(language))
                ),
            }
            for reason in entry.reasons
        ],
    }


class _Plan:
    """One answer in the making, in one language."""

    def __init__(self, edition: Edition, assessment: Assessment) -> None:
        self._edition = edition
        self._knowledge = edition.knowledge
        self._assessment = assessment
        self._state = assessment.state
        self._recommendation = assessment.recommendation
        question = assessment.question
        self._language = question.language
        self._region = question.region
        reasons = (_local(reference, "Condition") for reference in self._state.diagnosis.derived_from)
        self._recipient = Recipient(
            subject=f"Patient/{assessment.record.patient.id}",
            encounter=question.encounter,
            reasons=tuple(dict.fromkeys(filter(None, reasons))),
            authored_on=question.as_of,
        )

    def whole(self, regimen: str) -> Resource:
        shown = [one for one in self._recommendation.suggested if not regimen or one.regimen == regimen]
        plan: Resource = {"resourceType": "CarePlan", "language": self._language}
        group, orders = self._group(shown, regimen)
        if shown:
            plan["contained"] = [group, *orders]
        plan["instantiatesCanonical"] = [self._instantiated(regimen)]
        plan |= {"status": "draft", "intent": "proposal"}
        plan["title"] = self._title(regimen)
        plan["description"] = self._said(shown[0].because) if regimen else self._summary()
        plan |= self._whose()
        plan["created"] = self._recipient.authored_on.isoformat()
        if self._recipient.reasons:
            plan["addresses"] = [{"reference": reason} for reason in self._recipient.reasons]
        used = sorted(filter(None, (_local(reference) for reference in rests_on(self._state))))
        if used:
            plan["supportingInfo"] = [{"reference": reference} for reference in dict.fromkeys(used)]
        if shown:
            plan["activity"] = [{"reference": {"reference": f"#{_GROUP}"}}]
        plan["note"] = [{"text": text} for text in dict.fromkeys(filter(None, self._notes()))]
        return with_narrative(plan)

    # The regimens

    def _group(self, shown: Sequence[Suggested], regimen: str) -> tuple[Resource, list[Resource]]:
        """The RequestGroup, and the orders that its actions point to."""
        orders: list[Resource] = []
        actions = []
        for one in shown:
            action, own = self._regimen(one)
            actions.append(action)
            orders += own
        group: Resource = {
            "resourceType": "RequestGroup",
            "id": _GROUP,
            "instantiatesCanonical": [self._instantiated(regimen)],
            "status": "draft",
            "intent": "proposal",
            **self._whose(),
            "authoredOn": self._recipient.authored_on.isoformat(),
        }
        if self._recipient.reasons:
            group["reasonReference"] = [{"reference": reason} for reason in self._recipient.reasons]
        group["action"] = [
            {
                "title": self._text("plan/choose"),
                "groupingBehavior": "logical-group",
                "selectionBehavior": "at-most-one",
                "action": actions,
            }
        ]
        return group, orders

    def _regimen(self, one: Suggested) -> tuple[dict[str, Any], list[Resource]]:
        """The action of one regimen, an order for each of its drugs below it."""
        regimen = self._knowledge.regimens[one.regimen]
        name = self._edition.orders.regimen_name(regimen, self._language)
        action: dict[str, Any] = {
            "id": one.regimen,
            "prefix": str(one.rank),
            "title": self._text("regimen/title", name=name, display=regimen.display),
            "description": one.because.in_language(self._language),
        }
        said = [*map(self._caution, one.cautions), *map(self._advice, one.advice)]
        if said:
            action["textEquivalent"] = " ".join(dict.fromkeys(said))
        action["code"] = [concept("regimens", one.regimen, regimen.display)]
        action["documentation"] = list(self._documents(one))
        action |= {"groupingBehavior": "logical-group", "selectionBehavior": "all", "action": []}
        orders = []
        creating = self._edition.orders.creating(
            one.regimen, self._region, self._language, self._recipient, one.doses
        )
        for drug, created in zip(regimen.components, creating, strict=True):
            identity = {"resourceType": "MedicationRequest", "id": usable_id(one.regimen, drug)}
            order: Resource = identity | created["resource"]
            orders.append(order)
            action["action"].append(
                {
                    "title": order["medicationCodeableConcept"]["text"],
                    "description": created["description"],
                    "resource": {"reference": f"#{order['id']}"},
                }
            )
        return action, orders

    def _documents(self, one: Suggested) -> Iterator[dict[str, Any]]:
        """The label as it stands for her, the rules, and the trials with the figure of her population."""
        label = one.label
        labelled: dict[str, Any] = {
            "type": "documentation",
            "label": self._text("label/label", region=label.region),
            "display": one_line(label.text.in_language(self._language)),
        }
        if said := cited(self._edition, label.source):
            labelled["citation"] = said
        if place := label.source.address:
            labelled["url"] = place
        yield labelled
        rules = {rule.id: rule for rule in self._knowledge.pathways[self._recommendation.pathway].rules}
        for artifact in rules_cited(self._edition, [rules[key] for key in one.rules if key in rules]):
            yield self._in_one_language(artifact)
        for key, hers in zip(one.evidence, one.headlines, strict=True):
            yield self._in_one_language(evidence_of(self._edition, self._knowledge.evidence[key], hers))

    def _in_one_language(self, artifact: dict[str, Any]) -> dict[str, Any]:
        translated = artifact.pop("_display", None)
        if translated and self._language == "it":
            artifact["display"] = translated["extension"][0]["extension"][1]["valueString"]
        return artifact

    def _caution(self, caution: CautionShown) -> str:
        return whole_sentence(caution.text.in_language(self._language))

    def _advice(self, advice: AdviceShown) -> str:
        said = whole_sentence(advice.text.in_language(self._language))
        drug = sentence_case(self._drug(advice.drug)) if advice.drug else ""
        said = said if said.startswith(drug) else f"{drug}: {said}"
        if not advice.source.to_recheck:
            return said
        return f"{said} [{advice.source.mark}: {self._text('review/recheck')}]"

    # The plan as a whole

    def _instantiated(self, regimen: str) -> str:
        version = self._knowledge.version.version
        return f"{canonical('PlanDefinition', regimen or self._recommendation.pathway)}|{version}"

    def _title(self, regimen: str) -> str:
        if regimen:
            own = self._knowledge.regimens[regimen]
            name = self._edition.orders.regimen_name(own, self._language)
            return self._text("regimen/title", name=name, display=own.display)
        title = self._knowledge.pathways[self._recommendation.pathway].title
        return self._text("plan/title", pathway=title.in_language(self._language))

    def _whose(self) -> Resource:
        told: Resource = {"subject": {"reference": self._recipient.subject}}
        if self._recipient.encounter:
            told["encounter"] = {"reference": self._recipient.encounter}
        return told

    def _summary(self) -> str:
        """The answer in one sentence: that of the hooks' card, or that nothing is due."""
        cards = self._assessment.cards
        return str(cards[0]["summary"]) if cards else self._text("plan/nothing-due")

    def _notes(self) -> Iterator[str]:
        yield self._text("plan/state", text="; ".join(self._state_told()))
        told = self._recommendation.nothing_because
        if told is not None:
            yield told[1].in_language(self._language)
        for remark in self._recommendation.remarks:
            yield self._caution(remark)
        for unknown in sorted(self._state.unknown, key=lambda one: not one.changes_suggestions):
            if unknown.would_settle:
                slot = "plan/unknown-changes" if unknown.changes_suggestions else "plan/unknown"
                yield self._text(slot, what=unknown.would_settle.rstrip("."))
        for clash in self._recommendation.disagreements:
            yield self._text("plan/disagreement", text=clash.text.in_language(self._language), id=clash.id)
        grave = [one for one in self._assessment.issues if one.severity is not Severity.INFORMATION]
        if grave:
            yield self._text("plan/issues", count=len(grave), text=grave[0].text)
        yield self._text(
            "plan/basis",
            pathway=self._recommendation.pathway,
            region=self._region,
            version=self._knowledge.version.version,
            as_of=self._recipient.authored_on.isoformat(),
            standing=" ".join(self._standing()),
        )

    def _standing(self) -> Iterator[str]:
        """What the knowledge behind the answer has not been through."""
        if self._recommendation.unreviewed_source:
            yield self._said(sentence(self._knowledge.definitions, "standing", "unreviewed-source"))
        if not self._recommendation.clinically_reviewed:
            yield self._said(sentence(self._knowledge.definitions, "standing", "not-reviewed"))

    def _state_told(self) -> Iterator[str]:
        """What the chart was read to say: lines, refractoriness, labels, fitness."""
        state = self._state
        if state.prior_lines is None:
            yield self._text("plan/lines-unknown")
        else:
            yield self._text("plan/lines", count=state.prior_lines)
        treated = [
            (key, drug)
            for key, drug in sorted(state.drugs.items())
            if key not in self._knowledge.drugs or self._knowledge.drugs[key].treats_myeloma
        ]
        refractory = [
            self._with_certainty(key, drug.certainty)
            for key, drug in treated
            if drug.status is Status.REFRACTORY
        ]
        unsure = [
            self._drug(key)
            for key, drug in treated
            if drug.status is Status.UNKNOWN and (drug.first or drug.last or drug.derived_from)
        ]
        wording = self._edition.wording
        if refractory:
            drugs = wording.listed(refractory, self._language)
            yield wording.text("phrases/refractory/drugs", self._language, drugs=drugs)
        if unsure:
            drugs = wording.listed(unsure, self._language)
            yield wording.text("phrases/refractory/unsure", self._language, drugs=drugs)
        yield from state.labels
        if state.age is not None:
            yield wording.text("phrases/fitness/age", self._language, number=state.age)
        if state.ecog is not None:
            yield wording.text("phrases/fitness/ecog", self._language, number=state.ecog)

    def _with_certainty(self, key: str, certainty: Certainty) -> str:
        name = self._drug(key)
        if certainty is Certainty.DOCUMENTED:
            return name
        word = self._edition.orders.word("certainty", certainty.value, self._language)
        return self._edition.wording.text(
            "phrases/refractory/with-certainty", self._language, drug=name, certainty=word
        )

    def _drug(self, key: str) -> str:
        drug = self._knowledge.drugs.get(key)
        return drug.name.in_language(self._language) if drug else key

    def _said(self, text: Text) -> str:
        return text.in_language(self._language)

    def _text(self, slot: str, **values: object) -> str:
        return self._edition.wording.text(f"publish/{slot}", self._language, **values)


def _local(reference: str, kind: str = "") -> str:
    """ "Type/id" of a reference to a resource of that type, or of any; "" where it is none of FHIR's."""
    relative = "/".join(reference.split("/")[-2:])
    found = _REFERENCE.fullmatch(relative)
    return relative if found and (not kind or found[1] == kind) else ""
