"""What every card carries around its words: source, reasons for overriding, links, knowledge version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from cds_service.cards.names import EXTENSION, TOPICS
from cds_service.cards.orders import Recipient
from cds_service.cards.references import reference_to
from cds_service.cards.telling import Telling
from cds_service.knowledge.types import Pathway, Source
from cds_service.patient.types import PatientState
from cds_service.record import ClinicalRecord
from cds_service.sequencing.types import Suggested

_SOURCES_LINKED = 3


class Card(Telling):
    """The parts that cards of every kind have."""

    def _card(
        self,
        kind: str,
        indicator: str,
        said: tuple[str, str],
        *,
        about: Iterable[str],
        explained: str = "",
        variant: str = "",
        shown: Sequence[Suggested] = (),
        suggestions: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        """A card around ``said``, its summary and its detail.

        ``about`` is what it says in the words of the data, by which the same finding is known again;
        ``explained`` what its page explains first: a rule, a stop, a datum. ``variant`` names a card
        of the kind with another topic and other reasons: to be silent on the one is not to be on the other.
        """
        summary, detail = said
        raw = self._knowledge.cards[kind]
        topic = raw["variants"][variant]["topic"] if variant else raw["topic"]
        version = self._knowledge.version
        extension: dict[str, Any] = {
            "kind": kind,
            "finding": f"{kind}|{','.join(about)}",
            "knowledge": {
                "version": version.version,
                "sha256": version.sha256,
                "effective": version.effective,
            },
            "as_of": self._state.as_of.isoformat(),
        }
        rules = self._rules(shown)
        if rules:
            extension["rules"] = rules
        card: dict[str, Any] = {
            "uuid": self._means.new_id(),
            "summary": summary,
            "detail": str(detail),
            "indicator": indicator,
            "source": self._source(topic),
        }
        if suggestions:
            card["suggestions"] = list(suggestions)
            card["selectionBehavior"] = self._manner.selection_behavior
        card["overrideReasons"] = [
            {"code": r["code"], "system": r["system"], "display": self._in_language(r["display"])}
            for r in self._means.override_reasons[f"{kind}/{variant}" if variant else kind]
        ]
        card["links"] = [*self._own_links(kind, explained), *self._source_links(shown)]
        card["extension"] = {EXTENSION: extension}
        return card

    def _order_language(self) -> str:
        return "it" if self._language == "it" else "en"

    def _recipient(self) -> Recipient:
        encounter = self._encounter
        if encounter and "/" not in encounter:
            encounter = f"Encounter/{encounter}"
        reasons = (reference_to("Condition", r) for r in self._state.diagnosis.derived_from)
        return Recipient(
            subject=reference_to("Patient", f"Patient/{self._record.patient.id}"),
            encounter=reference_to("Encounter", encounter),
            reasons=tuple(dict.fromkeys(filter(None, reasons))),
            authored_on=self._state.as_of,
        )

    def _corrected(self) -> tuple[PatientState, ClinicalRecord, Recipient, str, Callable[[], str]]:
        """What a clinician's correction needs to know of this answer."""
        return self._state, self._record, self._recipient(), self._order_language(), self._means.new_id

    def _source(self, topic: Mapping[str, Any]) -> dict[str, Any]:
        pathway, source = self._primary()
        title = self._in_language(pathway.title) if pathway else source.document
        return {
            "label": self._text("phrases/basis/source", title=title, version=self._knowledge.version.version),
            "url": source.address or f"{self._means.base_url}/about",
            "topic": {
                "system": TOPICS,
                "code": topic["code"],
                "display": self._in_language(topic["display"]),
            },
        }

    def _primary(self) -> tuple[Pathway | None, Source]:
        """The pathway followed, and its first source that has an address."""
        pathway = self._knowledge.pathways.get(self._recommendation.pathway)
        if pathway is None:
            return None, Source()
        parts = (self._knowledge.pathways.get(key) for key in pathway.sources)
        sources = [pathway.cited, *(part.cited for part in parts if part is not None)]
        return pathway, next((s for s in sources if s.address), pathway.cited)

    def _own_links(self, kind: str, explained: str) -> Iterator[dict[str, str]]:
        """The page that explains the card, and the client's app. Neither address tells who the patient is."""
        page = f"{self._means.base_url}/explain/{kind}"
        yield {
            "label": self._text("phrases/basis/explain"),
            "url": f"{page}/{quote(explained, safe='')}" if explained else page,
            "type": "absolute",
        }
        app = self._manner.smart_app
        if app is not None:
            yield {"label": app.label or self._text("phrases/basis/app"), "url": app.url, "type": "smart"}

    def _source_links(self, shown: Sequence[Suggested]) -> Iterator[dict[str, str]]:
        """The pathway's source and the trials of the first regimens; the page that explains has the rest."""
        _, primary = self._primary()
        rows = [self._knowledge.evidence[s.evidence[0]] for s in shown if s.evidence]
        found = [(primary.document, primary), *((row.trial, row.source) for row in rows)]
        seen: set[str] = set()
        for document, source in found:
            address = source.address
            if address and address not in seen and len(seen) < _SOURCES_LINKED:
                seen.add(address)
                yield {
                    "label": self._text("phrases/basis/link", document=document or address),
                    "url": address,
                    "type": "absolute",
                }
        yield {
            "label": self._text("phrases/basis/about"),
            "url": f"{self._means.base_url}/about",
            "type": "absolute",
        }
