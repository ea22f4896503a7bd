"""One call of a CDS service: request in, cards out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Protocol

from cds_service.assess import Assessment, Question
from cds_service.cards.manner import PLAIN, Manner
from cds_service.errors import NotFound
from cds_service.fhir.accessors import local_part, usable_id
from cds_service.hooks.clients import Client, Clients
from cds_service.hooks.fetch import Fetcher
from cds_service.hooks.prefetch import gather
from cds_service.hooks.request import read_request
from cds_service.hooks.response import response
from cds_service.hooks.services import Service
from cds_service.hooks.told import Occasion, Sorted, Telling, kind_of
from cds_service.record import Issue, Severity


class Assesses(Protocol):
    """What the hooks need of :class:`cds_service.assess.Assessor`."""

    def assess(self, resources: list[dict[str, Any]], question: Question) -> Assessment:
        """The answer for one patient's resources."""
        ...


@dataclass(frozen=True)
class Circumstances:
    """What holds for every call: settings of the place, not of the patient."""

    region: str = "EMA"
    pathway: str = "default"
    language: str = "en"
    validation: str = "relevant"  # of bundles sent to be assessed
    hook_validation: str = "fast"  # of hooks, which somebody waits for
    silent: bool = False  # everything is computed, no card is shown
    manner: Manner = PLAIN

    def of(self, client: Client | None) -> Circumstances:
        """What holds for calls of ``client``: what its entry says, else what holds for all."""
        if client is None:
            return self
        return replace(
            self,
            region=client.region or self.region,
            pathway=client.pathway or self.pathway,
            language=client.language or self.language,
            silent=self.silent if client.mode is None else client.mode == "silent",
            manner=client.manner(self.manner),
        )


@dataclass(frozen=True)
class Caller:
    """Who calls, as far as the call tells: the known client, and the language its user's browser prefers."""

    client: Client | None = None
    language: str | None = None


NOBODY = Caller()


@dataclass(frozen=True)
class HookAnswer:
    """The body to send, and what may be counted and logged: nothing of it tells who the patient is."""

    body: Mapping[str, Any]
    computed: int = 0  # cards before silence
    kinds: tuple[str, ...] = ()
    held_back: tuple[str, ...] = ()  # kinds of the cards that were overridden lately and are not told again
    issues: tuple[Issue, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class CdsServices:
    """The services of this installation, ready to be called from several threads."""

    services: Mapping[str, Service]
    assessor: Assesses
    fetcher: Fetcher
    circumstances: Circumstances = Circumstances()
    clients: Clients = field(default_factory=Clients)
    telling: Telling | None = None  # None: no card is remembered, and none is held back

    def language_for(self, caller: Caller) -> str:
        """What the client's entry says, else what its user prefers, else the setting."""
        own = caller.client.language if caller.client else None
        return own or caller.language or self.circumstances.language

    def discovery(self, language: str) -> dict[str, Any]:
        """The body of ``GET /cds-services``."""
        return {"services": [service.as_json(language) for service in self.services.values()]}

    def service(self, service_id: str) -> Service:
        """The service of that id. Raises NotFound, naming those there are."""
        try:
            return self.services[service_id]
        except KeyError:
            known = ", ".join(self.services)
            raise NotFound(f"There is no service of this id; there are {known}.") from None

    def call(self, service_id: str, body: Any, as_of: date, caller: Caller = NOBODY) -> HookAnswer:
        """The answer to a request, evaluated on the day ``as_of``.

        Raises NotFound, BadRequest or DataMissing. An empty card list means that there is nothing to say;
        a failure is never turned into one.
        """
        service = self.service(service_id)
        request = read_request(body, service.hook)
        if not request.from_clinician:
            return HookAnswer(response([]))
        chart = gather(request, service.prefetch, self.fetcher)
        if not request.user_id:
            text = "The hook does not say who the user is; the answer is meant for clinicians."
            chart.issues.append(Issue(Severity.INFORMATION, "user-unknown", text, "context/userId"))
        here = self.circumstances.of(caller.client)
        assessment = self.assessor.assess(
            chart.resources,
            Question(
                as_of=as_of,
                region=here.region,
                pathway=here.pathway,
                language=self.language_for(caller),
                moment=request.hook,
                patient_id=request.patient_id,
                drafts=request.drafts,
                selections=request.selections,
                encounter=_encounter(request.encounter_id),
                completeness=chart.completeness,
                validation=here.hook_validation,
                manner=here.manner,
                issues=tuple(chart.issues),
            ),
        )
        cards = assessment.cards
        told = self._told(
            cards,
            Occasion(
                service=service.id,
                hook=request.hook,
                patient_id=request.patient_id,
                region=here.region,
                pathway=here.pathway,
                client=caller.client.id if caller.client else "",
                server=request.fhir_server.rstrip("/").lower(),
                silent=here.silent,
            ),
        )
        return HookAnswer(
            body=response(told.shown),
            computed=len(cards),
            kinds=tuple(map(kind_of, cards)),
            held_back=tuple(map(kind_of, told.held_back)),
            issues=assessment.issues,
        )

    def _told(self, cards: list[dict[str, Any]], occasion: Occasion) -> Sorted:
        if self.telling is None:
            return Sorted([] if occasion.silent else cards, [])
        return self.telling.sort_out(cards, occasion)


def _encounter(charted: str) -> str:
    """ "Encounter/e1" of any way to write it; "" where a FHIR server would refuse an order that names it."""
    kind, _, identifier = local_part(charted).rpartition("/")
    return f"Encounter/{identifier}" if kind in ("", "Encounter") and usable_id(identifier) else ""
