"""FHIR resources -> ClinicalRecord, with the list of what could not be read.

In: resources as JSON objects (of Bundles and prefetch, R4, R4B or R5, told apart one by one), the
terminology, an evaluation date. Out: dated facts, each with the reference of the resource that says so.
One bad resource never loses the chart. Order and duplicates of the input never change the record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

from cds_service.fhir import assertions, conditions, medications, observations, plans, procedures
from cds_service.fhir.accessors import (
    READ_TYPES,
    Reading,
    local_part,
    reference_of,
    resource_id,
    resource_type,
)
from cds_service.fhir.bundles import Resources, resources_of
from cds_service.fhir.chart import Chart, FromEntry, ManyPatients, distinct, full_url_of, subject_text
from cds_service.record import (
    PREFETCH_KEYS,
    AllergyFact,
    Assertion,
    ClinicalRecord,
    ComorbidityFact,
    Completeness,
    DiagnosisFact,
    DrugFact,
    Given,
    Issue,
    Measurement,
    PatientFacts,
    PlanFact,
    ProcedureFact,
    ResponseFact,
    Severity,
)
from cds_service.terminology import Terminology

__all__ = [
    "FromEntry",
    "ManyPatients",
    "Resources",
    "draft_orders",
    "is_about",
    "patients_in",
    "read",
    "resources_of",
]

_F = TypeVar("_F")

Fact = (
    DrugFact
    | DiagnosisFact
    | ResponseFact
    | ProcedureFact
    | PlanFact
    | Measurement
    | ComorbidityFact
    | AllergyFact
    | Assertion
)
_Reader = Callable[[Reading, Chart], Iterable[Fact]]

# ServiceRequest and Flag are not prefetched: they are read where they come, in a Bundle or among the drafts.
_READERS: dict[str, tuple[_Reader, ...]] = {
    "MedicationStatement": (medications.statement,),
    "MedicationRequest": (medications.request, plans.order_of_cells),
    "MedicationAdministration": (medications.administration, plans.dose_of_cells),
    "MedicationDispense": (medications.dispense,),
    "Condition": (conditions.condition, plans.said_in_condition),
    "Observation": (observations.observation, assertions.assertion, plans.said_in_observation),
    "Procedure": (procedures.procedure, plans.procedure),
    "ServiceRequest": (plans.service_request,),
    "Flag": (plans.flag,),
    "AllergyIntolerance": (conditions.allergy,),
}

_DRAFTED = ("MedicationRequest", "ServiceRequest")
"""Of these a version among the drafts is the one that counts."""
_OLD_ORDERS = ("MedicationOrder", "MedicationPrescription")
"""What DSTU2 and DSTU1 call a MedicationRequest; its members have other names and meanings."""

_SHOWN_ALONE = 3  # so many resources with the same repair are named one by one; more become one issue


def read(
    resources: Iterable[Mapping[str, Any]],
    terminology: Terminology,
    *,
    as_of: date,
    patient_id: str | None = None,
    completeness: Mapping[str, Completeness] | None = None,
    drafts: Sequence[Mapping[str, Any]] = (),
    selections: Sequence[str] | None = None,
) -> ClinicalRecord:
    """The facts of one patient, as known on ``as_of``.

    ``resources`` is flat (see :func:`resources_of`; its findings are taken over where its result is passed
    as it is). ``patient_id`` None means the one patient there is. ``completeness`` says per prefetch key
    what came; None: everything that exists. ``drafts`` are the resources of the hook's draft orders,
    ``selections`` those of them that the user chose (None: all).

    Raises ManyPatients where ``patient_id`` is None and the resources belong to several patients. Nothing
    else in the data raises: what cannot be read is an issue, and its kind is then no longer complete.
    """
    issues: list[Issue] = list(resources.issues) if isinstance(resources, Resources) else []
    chosen, conflicts = _distinct(resources, issues)
    drafted, draft_conflicts = _distinct(_apart(_flat(drafts)), issues)
    issues += conflicts + draft_conflicts

    chart = Chart(terminology, as_of)
    for pool in (drafted, chosen):  # a Medication among the drafts is what their references mean
        for reference in sorted(pool):
            chart.add(reference, pool[reference])
    found = _Found(issues)
    person, identity = _whose(chosen, drafted, patient_id)
    chart.is_about(identity, person)
    if (strays := chart.take_strays([*chosen.values(), *drafted.values()])) is not None:
        issues.append(strays)
    patient = PatientFacts(identity)
    if person is not None:
        reading = Reading(person)
        try:
            reading.unknown_fields()
            patient = conditions.patient(reading, chart, identity)
            chart.birth = patient.birth
        except Exception as problem:
            found.unreadable(reading, problem)
        found.close(reading)
    for reference, resource in chosen.items():
        if resource_type(resource) == "Patient":
            chart.left_out["other-patient"] += resource is not person
        elif reference not in drafted or resource_type(resource) not in _DRAFTED:
            readers = _READERS.get(resource_type(resource))
            if readers is not None:
                found.facts.extend(_safely(Reading(resource, reference), chart, found, *readers))
    found.facts, cancelled = medications.without_orders_not_taken(found.facts, chart)
    issues += cancelled
    draft_facts: list[DrugFact] = []
    other_orders = False
    unread_orders: list[str] = []
    wanted = _selected(selections, drafted, issues)
    for reference, resource in drafted.items():
        others = chart.left_out["other-patient"]
        if resource_type(resource) == "MedicationRequest":
            picked = wanted is None or reference.partition(_APART)[0] in wanted
            facts = _safely(
                Reading(resource, reference),
                chart,
                found,
                lambda reading, of, picked=picked: medications.draft(reading, of, selected=picked),  # type: ignore[misc]
                plans.order_of_cells,
            )
            drugs = [fact for fact in facts if isinstance(fact, DrugFact)]
            draft_facts.extend(drugs)
            found.facts.extend(fact for fact in facts if isinstance(fact, PlanFact))
            # One that is stopped or forbids its drug is an order all the same: the answer to it is silence.
            own = chart.left_out["other-patient"] == others
            other_orders |= own and not drugs and medications.names_a_medication(resource)
            if (
                own
                and not drugs
                and any(i.code == "unresolved-reference" and i.where == reference for i in issues)
            ):
                unread_orders.append(reference)
        elif resource_type(resource) in _OLD_ORDERS:
            text = f"{reference} is of an older FHIR version and was not read; MedicationRequest (R4) is."
            issues.append(Issue(Severity.WARNING, "unsupported-fhir-version", text, reference))
            unread_orders.append(reference)
        else:  # ServiceRequest, NutritionOrder ... but no Medication that a draft refers to
            other_orders |= resource_type(resource).endswith(("Request", "Order"))
            if resource_type(resource) in _DRAFTED:
                found.facts.extend(_safely(Reading(resource, reference), chart, found, plans.service_request))
        if chart.left_out["other-patient"] > others:
            text = f"{reference} is an order for another patient; it was left out."
            issues.append(Issue(Severity.WARNING, "other-patient-order", text, reference))
    return ClinicalRecord(
        patient=patient,
        drugs=_sorted(found.facts, DrugFact),
        diagnoses=_sorted(found.facts, DiagnosisFact),
        responses=_sorted(found.facts, ResponseFact),
        procedures=_sorted(found.facts, ProcedureFact),
        plans=_sorted(found.facts, PlanFact),
        measurements=_sorted(found.facts, Measurement),
        comorbidities=_sorted(found.facts, ComorbidityFact),
        allergies=_sorted(found.facts, AllergyFact),
        assertions=_sorted(found.facts, Assertion),
        drafts=_sorted(draft_facts, DrugFact),
        other_orders=other_orders,
        unread_orders=tuple(sorted(unread_orders)),
        encounter=_encounter(drafted, draft_facts),
        completeness=_completeness(completeness, chosen, found.partial, resources),
        left_out={reason: count for reason, count in sorted(chart.left_out.items()) if count},
        issues=found.all_issues(),
    )


def patients_in(resources: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The ids of the Patient resources, sorted, each once."""
    mappings = (one for one in resources if isinstance(one, Mapping))
    return tuple(sorted({_identity(one) for one in mappings if resource_type(one) == "Patient"}))


def is_about(resources: Iterable[Mapping[str, Any]], patient_id: str) -> bool:
    """Whether any of the resources belongs to a patient with this id.

    It does where a Patient has the id or a subject names it; also where the resources name no patient at all,
    for then nothing speaks against it. False for a mistyped id, and where nothing readable came.
    """
    wanted = local_part(patient_id).rpartition("/")[2]
    nameless = False
    named = False
    for one in resources:
        kind = resource_type(one) if isinstance(one, Mapping) else ""
        if kind == "Patient":
            named = True
            if wanted in (resource_id(one), local_part(full_url_of(one)).rpartition("/")[2]):
                return True
        elif kind in READ_TYPES and kind != "Medication":
            node = one.get("subject", one.get("patient"))
            texts = [
                text for each in (node if isinstance(node, list) else [node]) if (text := subject_text(each))
            ]
            for text in texts:
                of, _, identity = local_part(text).rpartition("/")
                named = named or not text.lower().startswith(("#", "urn:"))
                if identity.lstrip("#") == wanted and of.lower() in ("", "patient"):
                    return True
            nameless = nameless or not texts or texts[0].lower().startswith(("#", "urn:"))
    return nameless and not named


def draft_orders(resources: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The MedicationRequests with status draft, for those who want them treated as being ordered now."""
    return [
        one
        for one in resources
        if isinstance(one, Mapping)
        and resource_type(one) == "MedicationRequest"
        and str(one.get("status")).strip().lower() == "draft"
    ]


class _Found:
    """What comes together while resources are read one by one."""

    def __init__(self, issues: list[Issue]) -> None:
        self.facts: list[Fact] = []
        self.partial: set[str] = set()  # resource types of which something could not be read
        self._issues = issues
        self._repairs: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    def unreadable(self, reading: Reading, problem: Exception) -> None:
        """One resource that no reader could cope with: named, with the kind of trouble, not its content."""
        text = f"{reading.reference} could not be read ({type(problem).__name__})."
        reading.issue(Severity.WARNING, "unreadable-resource", text)
        reading.unreadable = True

    def close(self, reading: Reading) -> None:
        """Take over the findings of one resource."""
        self._issues.extend(reading.issues)
        for repair in reading.repairs:
            self._repairs[(reading.type, repair)].append(reading.reference)
        if reading.unreadable:
            self.partial.add(reading.type)

    def all_issues(self) -> tuple[Issue, ...]:
        """All issues, sorted; a repair that many resources needed is told once, with one of them."""
        told = set(self._issues)
        for (kind, repair), references in self._repairs.items():
            if len(references) <= _SHOWN_ALONE:
                told.update(
                    Issue(Severity.INFORMATION, "repaired", f"{one}: {repair}", one) for one in references
                )
            else:
                first = min(references)
                text = f"{len(references)} {kind} resources: {repair}; {first} is one."
                told.add(Issue(Severity.INFORMATION, "repaired", text, first))
        return tuple(sorted(told))


def _safely(reading: Reading, chart: Chart, found: _Found, *readers: _Reader) -> list[Fact]:
    """The facts of one resource; none where it is another patient's, nor what is beyond reading."""
    facts: list[Fact] = []
    try:
        if not chart.is_own(reading):
            chart.left_out["other-patient"] += 1
            return []
        reading.unknown_fields()
        for reader in readers:
            facts += reader(reading, chart)
        facts += _named_refractoriness(reading, chart, facts)
    except Exception as problem:
        found.unreadable(reading, problem)
    found.close(reading)
    return facts


def _named_refractoriness(reading: Reading, chart: Chart, facts: Sequence[Fact]) -> list[ResponseFact]:
    """What a diagnosis or a drug's entry says, in words, of refractoriness to drugs by name.

    Responses say it themselves. It is said of the past as a whole, whatever the day of the entry.
    """
    texts = {fact.text for fact in facts if isinstance(fact, DiagnosisFact) and not fact.provisional}
    if texts or any(isinstance(fact, DrugFact) and fact.given is not Given.DRAFT for fact in facts):
        texts.update(reading.notes(chart.as_of))
        texts.update(fact.stop_text for fact in facts if isinstance(fact, DrugFact))
    named = sorted({drug for text in texts if text for drug in chart.terminology.refractory_to(text)})
    if not named:
        return []
    return [ResponseFact(reading.reference, None, no_response=True, refractory_to=tuple(named))]


def _flat(drafts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Draft orders, also where the caller handed over the Bundle itself."""
    flat: list[Mapping[str, Any]] = []
    for one in drafts if not isinstance(drafts, Mapping) else [drafts]:
        bundled = isinstance(one, Mapping) and resource_type(one) in ("Bundle", "Parameters")
        flat.extend(resources_of(one) if bundled else [one])
    return flat


_APART = "~"
"""Between the id of a draft and its number where several have the same id; no id of FHIR holds it."""


def _apart(drafts: Iterable[Any]) -> list[Any]:
    """The drafts, with those orders that share an id and are not the same told apart: each is judged.

    No order is deleted by an id so told apart: nobody could say which one that is. A RequestGroup or CarePlan
    is followed by the orders it contains.
    """
    found: list[Any] = []
    seen: dict[tuple[str, str], list[Any]] = {}
    for one in _with_contained(drafts):
        if not isinstance(one, Mapping) or resource_type(one) != "MedicationRequest" or not resource_id(one):
            found.append(one)
            continue
        alike = seen.setdefault((resource_type(one), resource_id(one)), [])
        if one in alike:
            continue
        alike.append(one)
        number = len(alike)
        found.append(one if number == 1 else {**one, "id": f"{resource_id(one)}{_APART}{number}"})
    return found


def _with_contained(drafts: Iterable[Any]) -> Iterator[Any]:
    for one in drafts:
        yield one
        if isinstance(one, Mapping) and resource_type(one) in ("RequestGroup", "CarePlan"):
            contained = one.get("contained")
            for number, order in enumerate(contained if isinstance(contained, list) else ()):
                if isinstance(order, Mapping) and resource_type(order) == "MedicationRequest":
                    yield {**order, "id": f"{resource_id(one) or 'group'}{_APART}{number}"}


def _distinct(
    resources: Iterable[Any], issues: list[Issue]
) -> tuple[dict[str, Mapping[str, Any]], list[Issue]]:
    """Each resource once; what is no resource at all becomes an issue."""
    usable: list[Mapping[str, Any]] = []
    nameless = 0
    for one in resources:
        if isinstance(one, Mapping) and resource_type(one):
            try:
                reference_of(one)
                usable.append(one)
                continue
            except Exception:  # noqa: S110 - counted below; content of any kind may stand here
                pass
        nameless += 1
    if nameless:
        text = f"{nameless} of the entries are no FHIR resource (no resourceType) and were passed over."
        issues.append(Issue(Severity.WARNING, "unreadable-resource", text))
    return distinct(usable)


def _identity(person: Mapping[str, Any]) -> str:
    """The id of a Patient; of one without, the UUID of its fullUrl."""
    return resource_id(person) or local_part(full_url_of(person)).rpartition("/")[2]


def _whose(
    chosen: Mapping[str, Mapping[str, Any]], drafted: Mapping[str, Mapping[str, Any]], patient_id: str | None
) -> tuple[Mapping[str, Any] | None, str]:
    """The Patient resource of the patient to assess, and the id; raises ManyPatients if it cannot be told."""
    people = {
        reference: one
        for reference, one in sorted([*drafted.items(), *chosen.items()], key=lambda pair: pair[0])
        if resource_type(one) == "Patient"
    }
    if patient_id:
        wanted = local_part(patient_id).rpartition("/")[2]
        for one in people.values():
            names = {resource_id(one), local_part(full_url_of(one)).rpartition("/")[2]}
            if wanted in names:
                return one, wanted
        return None, wanted
    if len(people) > 1:
        raise ManyPatients(_identity(one) or reference for reference, one in people.items())
    if people:
        one = next(iter(people.values()))
        return one, _identity(one)
    subjects: set[str] = set()
    for resource in [*chosen.values(), *drafted.values()]:
        if resource_type(resource) in READ_TYPES:
            subject = subject_text(resource.get("subject", resource.get("patient")))
            kind, _, identity = local_part(subject).rpartition("/")
            if identity and kind.lower() in ("", "patient") and not identity.startswith("#"):
                subjects.add(identity)
    if len(subjects) > 1:
        raise ManyPatients(subjects)
    return None, next(iter(subjects), "")


def _selected(
    selections: Sequence[str] | None, drafted: Mapping[str, Mapping[str, Any]], issues: list[Issue]
) -> set[str] | None:
    """References of the drafts that the user chose; None where nobody said, or pointed at none of them.

    A selection counts by its id, and by its type where it names one. Selections that are there and match
    nothing are a fault of the client, and what it is about to sign must not go unchecked for it.
    """
    if selections is None:
        return None
    asked = {local_part(str(one)) for one in selections}
    chosen = set()
    for reference, resource in drafted.items():
        kind = resource_type(resource).lower()
        for name in (reference, local_part(full_url_of(resource))):
            identity = name.rpartition("/")[2]
            if identity and any(
                one.rpartition("/")[2] == identity and one.rpartition("/")[0].lower() in ("", kind)
                for one in asked
            ):
                chosen.add(reference)
    if asked and drafted and not chosen:
        text = "The selections match none of the draft orders; all of them were looked at."
        issues.append(Issue(Severity.WARNING, "unmatched-selection", text))
        return None
    return chosen


def _encounter(drafted: Mapping[str, Mapping[str, Any]], facts: Sequence[DrugFact]) -> str:
    """ "Encounter/e1" where the drafts that count name one and the same."""
    named = set()
    for fact in facts:
        node = drafted[fact.reference].get("encounter")
        local = local_part(subject_text(node))
        if local.startswith("Encounter/"):
            named.add(local)
    return named.pop() if len(named) == 1 else ""


def _completeness(
    given: Mapping[str, Completeness] | None,
    chosen: Mapping[str, Mapping[str, Any]],
    partial: set[str],
    resources: Iterable[Mapping[str, Any]],
) -> dict[str, Completeness]:
    """What came of each kind; a kind of which something was unreadable is partial at best."""
    if given is None:
        overall = resources.completeness if isinstance(resources, Resources) else Completeness.COMPLETE
        told = dict.fromkeys(PREFETCH_KEYS.values(), overall)
    else:
        told = {str(key): Completeness(value) for key, value in given.items()}
        came = {resource_type(one) for one in chosen.values()}
        for kind, key in PREFETCH_KEYS.items():
            told.setdefault(key, Completeness.PARTIAL if kind in came else Completeness.ABSENT)
    for name in partial.intersection(PREFETCH_KEYS):
        if told[PREFETCH_KEYS[name]] is Completeness.COMPLETE:
            told[PREFETCH_KEYS[name]] = Completeness.PARTIAL
    return told


def _sorted(facts: Iterable[Any], kind: type[_F]) -> tuple[_F, ...]:
    """The facts of one kind, each once, in an order that depends on nothing but themselves."""
    own = {fact for fact in facts if isinstance(fact, kind)}
    # repr, since a missing date and a date do not compare.
    return tuple(sorted(own, key=lambda fact: (fact.reference, repr(fact))))  # type: ignore[attr-defined]
