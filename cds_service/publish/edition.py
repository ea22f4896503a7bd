"""What all published resources share: canonical addresses, the front matter, two languages, the review."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from cds_service.cards.orders import Orders
from cds_service.cards.wording import LANGUAGES, Wording
from cds_service.knowledge.types import Knowledge, Regimen, Review, Text

Resource = dict[str, Any]

BASE = "https://myeloma-cds.org"
PUBLISHER = "myeloma-cds"
FHIR_VERSION = "4.0.1"
_TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
_USAGE_CONTEXTS = "http://terminology.hl7.org/CodeSystem/usage-context-type"
_SHAREABLE = frozenset({"PlanDefinition", "ActivityDefinition", "CodeSystem", "ValueSet"})
_NOT_OF_A_NAME = re.compile(r"[^A-Za-z0-9]+")
_LONGEST_ID = 64


def canonical(kind: str, identifier: str) -> str:
    """The address by which a resource is known wherever it is served."""
    return f"{BASE}/{kind}/{identifier}"


def code_system(identifier: str) -> str:
    """The address of one of our own code systems."""
    return canonical("CodeSystem", identifier)


def usable_id(*parts: str) -> str:
    """The parts as one id of FHIR, which has 64 characters at most; a longer one is cut and told apart."""
    whole = "-".join(part for part in parts if part)
    if len(whole) <= _LONGEST_ID:
        return whole
    return f"{whole[: _LONGEST_ID - 9]}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def concept(system: str, code: str, display: str = "", *, text: str = "") -> dict[str, Any]:
    """A CodeableConcept of one of our own code systems."""
    coding = {"system": code_system(system), "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]} | ({"text": text} if text else {})


def put(node: dict[str, Any], name: str, text: Text | str) -> None:
    """Sets a text element: in English, with the Italian, where there is one, as FHIR's translation."""
    said = text if isinstance(text, Text) else Text(text)
    if not said.en.strip():
        return
    node[name] = said.en.strip()
    if said.it and said.it.strip() and said.it != said.en:
        translation = {
            "url": _TRANSLATION,
            "extension": [
                {"url": "lang", "valueCode": "it"},
                {"url": "content", "valueString": said.it.strip()},
            ],
        }
        node[f"_{name}"] = {"extension": [translation]}


class Edition:
    """One version of the knowledge in the making of its resources; holds what is prepared once.

    ``orders`` of the same knowledge may be shared, as they take a while to make. Raises KnowledgeError where
    a text or an order of the knowledge cannot be used.
    """

    def __init__(self, knowledge: Knowledge, orders: Orders | None = None) -> None:
        self.knowledge = knowledge
        self.orders = orders or Orders(knowledge, Wording(knowledge.cards))
        self.wording = self.orders.wording

    def said(self, slot: str, **values: object) -> Text:
        """A text of cards/publish.yaml in both languages; a Text among the values in its own language."""

        def filled(language: str) -> str:
            in_language = {
                key: value.in_language(language) if isinstance(value, Text) else value
                for key, value in values.items()
            }
            return self.wording.text(f"publish/{slot}", language, **in_language)

        return Text(*(filled(language) for language in LANGUAGES))

    def word(self, group: str, word: str) -> Text:
        """A word of the data (a cycle, a route) in both languages; as it stands where it has none."""
        return Text(*(self.orders.word(group, word, language) for language in LANGUAGES))

    def regimen_name(self, regimen: Regimen) -> Text:
        """A regimen's name in both languages."""
        return Text(*(self.orders.regimen_name(regimen, language) for language in LANGUAGES))

    def front(
        self, kind: str, identifier: str, /, *, title: Text | str, description: Text | str, **more: object
    ) -> Resource:
        """The members every resource begins with: draft and experimental, dated as the knowledge is."""
        version = self.knowledge.version
        resource: Resource = {"resourceType": kind, "id": identifier}
        resource["meta"] = {"versionId": version.sha256[:_LONGEST_ID]}
        if kind in _SHAREABLE:
            resource["meta"]["profile"] = [f"http://hl7.org/fhir/StructureDefinition/shareable{kind.lower()}"]
        resource["language"] = "en"
        resource["url"] = canonical(kind, identifier)
        resource["version"] = version.version
        resource["name"] = f"{kind}_{_NOT_OF_A_NAME.sub('_', identifier)}"
        put(resource, "title", title)
        resource |= {"status": "draft", "experimental": True, "date": version.effective}
        resource["publisher"] = PUBLISHER
        put(resource, "description", description)
        return resource | more

    def reviewed(self, entries: Iterable[Sequence[Review]]) -> Resource:
        """What a resource says of the clinical review of the entries it is made of.

        ``approvalDate`` stands only where every one of them was approved: that of the latest review.
        """
        all_entries = list(entries)
        done = [reviews for reviews in all_entries if reviews]
        reviews = [review for entry in done for review in entry]
        told: Resource = {}
        last = max((review.on for review in reviews), default="")
        if not done:
            status, text = "not-reviewed", self.said("review/none")
        elif len(done) < len(all_entries):
            status = "reviewed-in-part"
            text = self.said("review/some", count=len(done), total=len(all_entries), on=last)
        else:
            status, text = "reviewed", self.said("review/all", on=last)
            told["approvalDate"] = last
        if last:
            told["lastReviewDate"] = last
            told["reviewer"] = [{"name": role} for role in sorted({review.role for review in reviews})]
        told["useContext"] = [
            {
                "code": {"system": code_system("usage-contexts"), "code": "clinical-review"},
                "valueCodeableConcept": concept("review-statuses", status, text=text.en),
            },
            {
                "code": {"system": _USAGE_CONTEXTS, "code": "focus"},
                "valueCodeableConcept": concept("diagnoses", "multiple-myeloma"),
            },
        ]
        put(told, "usage", text)
        return told


def with_narrative(resource: Resource) -> Resource:
    """The resource with a few lines for people: its title, what it is, and whether it was reviewed."""
    lines = [resource.get("description", ""), resource.get("usage", ""), resource.get("copyright", "")]
    told = "".join(f"<p>{escape(' '.join(line.split()))}</p>" for line in lines if line)
    heading = f"<p><b>{escape(str(resource.get('title', resource['resourceType'])))}</b></p>"
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{heading}{told}</div>'
    names = ("resourceType", "id", "meta", "language")
    first: Resource = {name: resource[name] for name in names if name in resource}
    return first | {"text": {"status": "generated", "div": div}} | resource
