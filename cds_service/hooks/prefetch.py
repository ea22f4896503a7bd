"""The chart of a request: what prefetch brought, and what had to be fetched because it did not.

An absent key is unknown and is fetched where that is allowed; null, and a Bundle without entries, are known
to be none. An OperationOutcome that reports an error is no data. What is missing in the end is said, as
completeness by key and as issues; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cds_service.errors import DataMissing, Fault
from cds_service.fhir.read import Resources, is_about, patients_in, resources_of
from cds_service.hooks.fetch import Fetched, Fetcher, FhirBase, medication_references, next_link
from cds_service.hooks.request import HookRequest
from cds_service.hooks.services import resolve
from cds_service.record import PREFETCH_KEYS, Completeness, Issue, Severity

INDISPENSABLE = ("conditions",)
"""Without these one cannot even tell whether there is myeloma: their lack is a 412, not a weaker answer."""

_TYPES = {key: kind for kind, key in PREFETCH_KEYS.items()}

MOST_REFERENCES = 40
"""Medications fetched one by one at most; a chart with more of them without a name is not read that way."""


@dataclass
class Chart:
    """The resources of one request and how complete they are, by prefetch key."""

    resources: list[dict[str, Any]] = field(default_factory=list)
    completeness: dict[str, Completeness] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)

    def take(self, key: str, found: Resources, completeness: Completeness) -> None:
        """Add what came under ``key``."""
        self.resources.extend(found)
        self.issues.extend(found.issues)
        self.completeness[key] = completeness

    def lack(self, key: str, text: str) -> None:
        """Note that something under ``key`` is missing."""
        self.issues.append(Issue(Severity.WARNING, "data-missing", text, f"prefetch/{key}"))


def gather(request: HookRequest, templates: Mapping[str, str], fetcher: Fetcher) -> Chart:
    """Everything the templates ask for, from prefetch first and from ``fhirServer`` where it is lacking.

    Raises DataMissing where a key of INDISPENSABLE is neither sent nor to be had, or where the server knows
    the patient's id as somebody else; Busy where too many calls are fetching.
    """
    chart = Chart()
    base = fetcher.base_for(request.fhir_server) if request.fhir_server else None
    queries: dict[str, str] = {}
    continued: dict[str, Resources] = {}
    for key, template in templates.items():
        sent = key in request.prefetch and _usable(request.prefetch[key])
        if sent:
            value = request.prefetch[key]
            found = resources_of(value, _TYPES.get(key, ""))
            if found.completeness is not Completeness.ABSENT:
                further = (
                    next_link(value, f"{base}/") if base is not None and isinstance(value, dict) else None
                )
                if further is not None:
                    # The client sent the first page only; the rest is a query like any other.
                    continued[key] = resources_of({k: v for k, v in value.items() if k != "link"})
                    queries[key] = further
                    continue
                if not _leaves_open(key, found, found.completeness, request):
                    chart.take(key, found, found.completeness)
                    continue
            chart.issues.extend(found.issues)
        query = resolve(template, request.context)
        if base is not None and query is not None:
            queries[key] = query
        else:
            chart.completeness[key] = Completeness.ABSENT
            what = "was sent as something that does not answer it" if sent else "was not sent"
            chart.lack(key, f"{key} {what}, and there is {_why_not_fetched(request, base)}.")
    pointed_at = sorted(medication_references([*chart.resources, *request.drafts])) if base else []
    if base is not None and (queries or pointed_at):
        with fetcher.turn() as deadline:
            for key, answer in fetcher.all(base, request.access_token, queries, deadline).items():
                _take_fetched(chart, key, answer, continued.get(key), request)
            _fetch_medications(chart, request, fetcher, base, deadline)
    _require(chart, request, templates)
    _require_a_person(chart, request)
    return chart


def _leaves_open(key: str, found: Resources, completeness: Completeness, request: HookRequest) -> bool:
    """Whether a list came in part only, and no entry of it is of use: then it is as good as not sent."""
    if completeness is not Completeness.PARTIAL or key not in INDISPENSABLE:
        return False
    own = (one for one in found if one.get("resourceType") == _TYPES[key])
    return not any(is_about([one], request.patient_id) for one in own)


def _usable(value: Any) -> bool:
    """Whether a prefetch member is FHIR or null; anything else counts as not sent."""
    return value is None or (isinstance(value, dict) and isinstance(value.get("resourceType"), str))


def _why_not_fetched(request: HookRequest, base: FhirBase | None) -> str:
    if not request.fhir_server:
        return "no fhirServer to fetch it from"
    if base is None:
        return "no permission to call the fhirServer named (it is not among CDS_FHIR_SERVERS)"
    return "nothing in the context to ask for it by"


def _take_fetched(
    chart: Chart, key: str, answer: Fetched, first_page: Resources | None, request: HookRequest
) -> None:
    kind = _TYPES.get(key, "")
    pages = [resources_of({k: v for k, v in body.items() if k != "link"}) for body in answer.bodies]
    if first_page is not None:
        pages.insert(0, first_page)
    found = Resources()
    for page in pages:
        found.extend(page)
        found.issues += page.issues
    failed = sum(page.completeness is not Completeness.COMPLETE for page in pages)
    if answer.problem:
        chart.lack(key, f"{key} could not be fetched whole: {answer.problem}.")
    strange = bool(kind and found) and not any(one.get("resourceType") == kind for one in found)
    if strange or all(page.completeness is Completeness.ABSENT for page in pages):
        completeness = Completeness.ABSENT
    elif failed or answer.problem:
        completeness = Completeness.PARTIAL
    else:
        completeness = Completeness.COMPLETE
    if completeness is Completeness.ABSENT and not answer.problem:
        chart.lack(key, f"{key} could not be fetched: the server answered with something else.")
    if kind == "Patient" and any(one not in ("", request.patient_id) for one in patients_in(found)):
        raise DataMissing(
            "The FHIR server answers the patient of the context with another Patient (merged, perhaps); "
            "nothing is answered, since the facts of two people might be mixed.",
            Fault("the server knows another Patient under this id", "/context/patientId"),
        )
    if _leaves_open(key, found, completeness, request):
        completeness = Completeness.ABSENT
    chart.take(key, found, completeness)


def _fetch_medications(
    chart: Chart, request: HookRequest, fetcher: Fetcher, base: FhirBase, deadline: float
) -> None:
    wanted = sorted(medication_references([*chart.resources, *request.drafts]))
    if not wanted:
        return
    # A reference to another server fails there as any query does: the fetcher never leaves the base.
    answers = fetcher.all(
        base, request.access_token, {one: one for one in wanted[:MOST_REFERENCES]}, deadline
    )
    lost = len(wanted[MOST_REFERENCES:])
    for answer in answers.values():
        found = [one for body in answer.bodies for one in resources_of(body, "Medication")]
        chart.resources.extend(found)
        lost += not any(one.get("resourceType") == "Medication" for one in found)
    if lost:
        text = f"{lost} medications that the chart only points at could not be fetched."
        chart.issues.append(Issue(Severity.WARNING, "data-missing", text))


def _require(chart: Chart, request: HookRequest, templates: Mapping[str, str]) -> None:
    missing = [key for key in INDISPENSABLE if chart.completeness.get(key) is Completeness.ABSENT]
    if missing:
        reasons = [issue.text for issue in chart.issues if issue.where in _places(missing)]
        raise DataMissing(
            "Without the patient's conditions it cannot be told whether there is myeloma. "
            + "".join(f"{reason[0].upper()}{reason[1:]} " for reason in reasons)
            + "Send them in prefetch, or a fhirServer (with fhirAuthorization) that this service may call.",
            *(Fault(f"{key} (template {templates[key]}) is missing", f"/prefetch/{key}") for key in missing),
        )


def _require_a_person(chart: Chart, request: HookRequest) -> None:
    """There is a Patient for each id: where none came, age, sex and death are unknown, not none."""
    if request.patient_id not in patients_in(chart.resources) and "patient" in chart.completeness:
        if chart.completeness["patient"] is not Completeness.ABSENT:
            chart.lack(
                "patient", "patient holds no Patient: age, sex and whether the patient lives are unknown."
            )
        chart.completeness["patient"] = Completeness.ABSENT


def _places(keys: Iterable[str]) -> set[str]:
    return {f"prefetch/{key}" for key in keys}
