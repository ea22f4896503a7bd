"""Whole charts at random, as hospitals send them: a plausible course of treatment, untidily charted.

A strategy draws what happened (regimens one after another, why each was stopped, transplants, responses,
an M-protein that rises and falls) and then how it was written down: as statements, orders, administrations
or dispenses, drug by drug or as a regimen's name, by one code or another or in words, with dates of a day,
a month or a year. Drugs and regimens, and what charts call them, are those of mappings/.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, timedelta
from enum import Enum
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from cds_service.fhir.read import read, resources_of
from cds_service.patient.state import derive
from cds_service.patient.types import PatientState
from cds_service.record import ClinicalRecord
from cds_service.terminology import Coding, Concept, Terminology
from tests.shipped import KNOWLEDGE

Resource = dict[str, Any]

TERMINOLOGY = Terminology(KNOWLEDGE)
AS_OF = date(2026, 11, 1)
MYELOMA_DRUGS = sorted(
    key for key, drug in KNOWLEDGE.drugs.items() if drug.treats_myeloma and not drug.unidentified
)
COURSE_DRUGS = sorted(key for key in MYELOMA_DRUGS if not KNOWLEDGE.drugs[key].one_off)
SUBJECT = {"reference": "Patient/p1"}
IDENTIFIER = {"system": "https://hospital.example.org/mrn", "value": "0815"}
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
LOINC = "http://loinc.org"

# How much more is tried than in the everyday run; see tests/conftest.py for the profiles.
_EFFORT = {"nightly": 40.0, "mutation": 0.05}


def effort(examples: int) -> settings:
    """Settings of a property that tries so many charts every day, more by night."""
    share = _EFFORT.get(settings.get_current_profile_name(), 1.0)
    return settings(
        max_examples=max(3, round(examples * share)),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


# ---- what charts call the drugs --------------------------------------------------------------------------
def _uris() -> dict[str, str]:
    return {one["key"]: one["uri"] for one in KNOWLEDGE.mappings["systems"]["systems"]}


def _concepts_of_drugs() -> dict[str, list[Resource]]:
    """By drug: the ways to name it, of those which can mean nothing else."""
    uris, found = _uris(), {}
    for key in sorted(KNOWLEDGE.drugs):
        file = KNOWLEDGE.drug_files[key]
        ways = [
            {"coding": [{"system": uris[code["system"]], "code": code["code"]}]}
            for code in file["codes"]
            if code["system"] in ("ATC", "RxNorm", "SNOMED") and code["confidence"] == "verified2"
        ] + [{"text": name["text"]} for name in file["names"] if name["confidence"] == "verified2"]
        found[key] = [way for way in ways if _drugs_named(way) == {key}] or [{"text": file["name"]["en"]}]
    return found


def _drugs_named(concept: Resource) -> set[str]:
    codings = tuple(Coding(one["system"], one["code"]) for one in concept.get("coding", ()))
    asked = Concept(codings, concept.get("text", ""))
    return {match.drug for day in (date(2015, 1, 1), AS_OF) for match in TERMINOLOGY.drugs(asked, on=day)}


CALLED = _concepts_of_drugs()
REGIMENS = sorted(
    {
        tuple(entry["components"])
        for entry in KNOWLEDGE.mappings["regimen-names"]["regimens"]
        if any(key in MYELOMA_DRUGS for key in entry["components"])
    }
)
NAMES_OF_REGIMENS = {
    tuple(entry["components"]): [
        name["text"]
        for name in entry["names"]
        if _drugs_named({"text": name["text"]}) == set(entry["components"])
    ]
    for entry in KNOWLEDGE.mappings["regimen-names"]["regimens"]
}

# ---- words for why, how well, and what else --------------------------------------------------------------
FAILED = ["Disease progression", "PD", "progressione di malattia", "no response"]
NOT_FAILED = ["Completed as planned", "neuropathy grade 3", "rash", "patient preference", "fine ciclo"]
RESPONSES = ["sCR", "CR", "VGPR", "PR", "MR", "SD", "PD"]
COMORBIDITIES = ["Peripheral neuropathy, grade 3", "Heart failure, NYHA III", "Atrial fibrillation", "COPD"]
PRECISIONS = {"day": 10, "month": 7, "year": 4}


@dataclass(frozen=True)
class Course:
    """What happened: one drug, given from one day to another, and why it was stopped ("": not charted)."""

    drug: str
    first: date
    last: date
    reason: str = ""


def days(first: date = date(2015, 1, 1), last: date = date(2026, 10, 1)) -> st.SearchStrategy[date]:
    return st.dates(first, last)


@st.composite
def dates(draw: Any, day: date | None = None, exact: bool = False) -> str:
    """A day as a chart writes it: often whole, at times with a time of day, or only its month or year."""
    written = str(day or draw(days()))
    how = draw(st.sampled_from(["day", "day", "time"] if exact else ["day"] * 5 + ["time", "month", "year"]))
    return f"{written}T09:30:00+01:00" if how == "time" else written[: PRECISIONS[how]]


@st.composite
def histories(draw: Any, most: int = 3) -> list[list[Course]]:
    """Regimens one after another, each with its drugs' courses."""
    lines: list[list[Course]] = []
    day = draw(days(date(2015, 1, 1), date(2023, 1, 1)))
    for _ in range(draw(st.integers(1, most))):
        drugs = draw(st.sampled_from(REGIMENS))
        length = draw(st.sampled_from([1, 20, 21, 60, 120, 400, 900]))
        why = draw(st.sampled_from(["", "", *FAILED[:2], *NOT_FAILED[:2]]))
        line = []
        for drug in drugs:
            first = day + timedelta(draw(st.sampled_from([0, 0, 0, 1, 14, 60])))
            last = first + timedelta(max(0, length - draw(st.sampled_from([0, 0, 0, 7, 30]))))
            own = draw(st.sampled_from([why, why, why, *NOT_FAILED, *FAILED]))
            if KNOWLEDGE.drugs[drug].one_off:
                last = first
            if first <= AS_OF:
                line.append(Course(drug, first, min(last, AS_OF), own))
        if line:
            lines.append(line)
            day = max(c.last for c in line) + timedelta(draw(st.sampled_from([1, 10, 59, 61, 100, 400])))
        if day > AS_OF:
            break
    return lines


# ---- resources -------------------------------------------------------------------------------------------
def patient(**more: Any) -> Resource:
    return {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1951-04-02",
            "identifier": [IDENTIFIER], **more}  # fmt: skip


def statement(identity: str, concept: Resource, status: str, **more: Any) -> Resource:
    return {"resourceType": "MedicationStatement", "id": identity, "status": status, "subject": SUBJECT,
            "medicationCodeableConcept": concept, **more}  # fmt: skip


def order(identity: str, concept: Resource, status: str = "completed", **more: Any) -> Resource:
    return {"resourceType": "MedicationRequest", "id": identity, "status": status, "intent": "order",
            "subject": SUBJECT, "medicationCodeableConcept": concept, **more}  # fmt: skip


def administration(identity: str, concept: Resource, day: str, **more: Any) -> Resource:
    return {"resourceType": "MedicationAdministration", "id": identity, "status": "completed",
            "subject": SUBJECT, "medicationCodeableConcept": concept, "effectiveDateTime": day,
            **more}  # fmt: skip


def dispense(identity: str, concept: Resource, day: str, supply: int) -> Resource:
    return {"resourceType": "MedicationDispense", "id": identity, "status": "completed", "subject": SUBJECT,
            "medicationCodeableConcept": concept, "whenHandedOver": day,
            "daysSupply": {"value": supply, "unit": "d", "code": "d"}}  # fmt: skip


def condition(identity: str, text: str, clinical: str = "active", **more: Any) -> Resource:
    return {"resourceType": "Condition", "id": identity, "subject": SUBJECT, "code": {"text": text},
            "clinicalStatus": {"coding": [{"system": CLINICAL, "code": clinical}]},
            "verificationStatus": {"coding": [{"system": VERIFICATION, "code": "confirmed"}]},
            **more}  # fmt: skip


def response(identity: str, category: str, day: str | None) -> Resource:
    dated = {} if day is None else {"effectiveDateTime": day}
    return {"resourceType": "Observation", "id": identity, "status": "final", "subject": SUBJECT,
            "code": {"coding": [{"system": LOINC, "code": "88040-1"}]},
            "valueCodeableConcept": {"text": category}, **dated}  # fmt: skip


def m_protein(identity: str, grams_per_litre: float, day: str) -> Resource:
    return {"resourceType": "Observation", "id": identity, "status": "final", "subject": SUBJECT,
            "code": {"coding": [{"system": LOINC, "code": "33358-3"}]}, "effectiveDateTime": day,
            "valueQuantity": {"value": grams_per_litre, "unit": "g/L"}}  # fmt: skip


def procedure(identity: str, text: str, day: str) -> Resource:
    return {"resourceType": "Procedure", "id": identity, "status": "completed", "subject": SUBJECT,
            "code": {"text": text}, "performedDateTime": day}  # fmt: skip


def request(identity: str, text: str, day: str | None, status: str = "active", **more: Any) -> Resource:
    dated = {} if day is None else {"authoredOn": day}
    return {"resourceType": "ServiceRequest", "id": identity, "status": status, "intent": "order",
            "subject": SUBJECT, "code": {"text": text}, **dated, **more}  # fmt: skip


def finding(identity: str, text: str, day: str | None) -> Resource:
    dated = {} if day is None else {"effectiveDateTime": day}
    return {"resourceType": "Observation", "id": identity, "status": "final", "subject": SUBJECT,
            "code": {"text": "Tumour board"}, "valueString": text, **dated}  # fmt: skip


def asserted(identity: str, question: str, answer: str | int, day: str, drug: str = "") -> Resource:
    """What a clinician asserts, by our own codes."""
    known = KNOWLEDGE.mappings["assertions"]

    def own(code: str, system: str = known["system"]) -> Resource:
        return {"coding": [{"system": system, "code": code}]}

    value = {"valueInteger": answer} if isinstance(answer, int) else {"valueCodeableConcept": own(answer)}
    named = [{"code": own("drug"), "valueCodeableConcept": own(drug, known["drugs"])}] if drug else []
    return {"resourceType": "Observation", "id": identity, "status": "final", "subject": SUBJECT,
            "code": own(question), "effectiveDateTime": day, **value,
            **({"component": named} if named else {})}  # fmt: skip


def intolerance(identity: str, concept: Resource, kind: str) -> Resource:
    return {"resourceType": "AllergyIntolerance", "id": identity, "patient": SUBJECT, "type": kind,
            "code": concept}  # fmt: skip


# ---- one course, written down ----------------------------------------------------------------------------
def whole(course: Course, name: str, concept: Resource) -> list[Resource]:
    """The course as one statement from its first to its last dose."""
    ended = {"start": str(course.first), "end": str(course.last)}
    why = {"statusReason": [{"text": course.reason}]} if course.reason else {}
    return [statement(name, concept, "stopped" if why else "completed", effectivePeriod=ended, **why)]


def in_doses(course: Course, name: str, concept: Resource, every: int) -> list[Resource]:
    """The course dose by dose, ``every`` days, the last on its last day; it tells why it was stopped."""
    given = [course.first + timedelta(n) for n in range(0, (course.last - course.first).days, every)]
    given.append(course.last)
    doses = [administration(f"{name}-{n}", concept, str(day)) for n, day in enumerate(given)]
    if course.reason:
        doses[-1] |= {"statusReason": [{"text": course.reason}]}
    return doses


def abutting(course: Course, name: str, concept: Resource, cut: date) -> list[Resource]:
    """The course as two statements, the second from the day after ``cut``, where that leaves something."""
    if not course.first <= cut < course.last:
        return whole(course, name, concept)
    earlier, later = replace(course, last=cut, reason=""), replace(course, first=cut + timedelta(1))
    return [*whole(earlier, f"{name}-a", concept), *whole(later, f"{name}-b", concept)]


def _months(course: Course, every: int = 28) -> list[tuple[date, date]]:
    starts = [course.first + timedelta(n) for n in range(0, (course.last - course.first).days + 1, every)]
    return [(day, min(day + timedelta(every - 1), course.last)) for day in starts]


def in_supplies(course: Course, name: str, concept: Resource) -> list[Resource]:
    """The course as a supply handed out every 28 days; nothing tells why it was stopped."""
    return [
        dispense(f"{name}-{n}", concept, str(first), (last - first).days + 1)
        for n, (first, last) in enumerate(_months(course))
    ]


def in_orders(course: Course, name: str, concept: Resource) -> list[Resource]:
    """The course as an order every 28 days, each with its bounds."""
    orders = []
    for n, (first, last) in enumerate(_months(course)):
        bounds = {"timing": {"repeat": {"boundsPeriod": {"start": str(first), "end": str(last)}}}}
        orders.append(order(f"{name}-{n}", concept, authoredOn=str(first), dosageInstruction=[bounds]))
    if course.reason:
        orders[-1] |= {"status": "stopped", "statusReason": {"text": course.reason}}
    return orders


@st.composite
def days_about(draw: Any, history: list[list[Course]]) -> date:
    """A day near the beginning or end of some drug: there the definitions divide."""
    turns = [day for line in history for course in line for day in (course.first, course.last)] or [AS_OF]
    day = draw(st.sampled_from(turns)) + timedelta(draw(st.sampled_from(_NEAR)))
    return min(day, AS_OF)


_NEAR = (-200, -30, -1, 0, 1, 14, 28, 29, 56, 60, 61, 90, 200)


@st.composite
def written(draw: Any, course: Course, name: str, exact: bool, known_ends: bool = False) -> list[Resource]:
    """One course as some chart has it."""
    concept = draw(st.sampled_from(CALLED[course.drug]))
    ways = ["statement"] * 5 + ["order", "doses", "orders", "open", "active-order"]
    how = draw(st.sampled_from(ways if known_ends else [*ways, "supplies", "started"]))
    first, last = draw(dates(course.first, exact)), draw(dates(course.last, exact))
    if how == "doses" and (course.last - course.first).days <= 400:
        return in_doses(course, name, concept, draw(st.sampled_from([7, 14, 28])))
    if how == "supplies" and (course.last - course.first).days <= 400:
        return in_supplies(course, name, concept)
    if how == "orders" and (course.last - course.first).days <= 400:
        return in_orders(course, name, concept)
    if how == "open":
        return [statement(name, concept, "active", effectivePeriod={"start": first})]
    if how == "started":  # when it ended is not charted
        return [statement(name, concept, "completed", effectiveDateTime=first)]
    if how == "active-order":
        return [order(name, concept, "active", authoredOn=first)]
    why = {"statusReason": {"text": course.reason}} if course.reason else {}
    if how == "order":
        bounds = {"timing": {"repeat": {"boundsPeriod": {"start": first, "end": last}}}}
        return [order(name, concept, "stopped", authoredOn=first, dosageInstruction=[bounds], **why)]
    period = draw(st.sampled_from([{"start": first, "end": last}] * 4 + [{"end": last}]))
    why = {key: [value] for key, value in why.items()}
    return [statement(name, concept, "stopped" if why else "completed", effectivePeriod=period, **why)]


@st.composite
def charts(draw: Any, exact: bool = False, most_lines: int = 3, known_ends: bool = False) -> list[Resource]:
    """The resources of one patient, the Patient first.

    ``exact``: every date is a whole day. ``known_ends``: every drug's last dose is charted, or it goes on.
    """
    history = draw(histories(most_lines))
    found: list[Resource] = [patient()]
    start = history[0][0].first if history else AS_OF
    near = days_about(history).flatmap(lambda day: dates(day, exact))
    of_late = days(date(2026, 5, 1), AS_OF).flatmap(lambda day: dates(day, exact))
    status = draw(st.sampled_from(["active", "active", "relapse", "remission"]))
    known = draw(st.sampled_from([{}, {"onsetDateTime": str(start)}, {"recordedDate": str(start)}]))
    found.append(condition("c1", "Multiple myeloma", status, **known))
    if draw(st.integers(0, 3)) == 0:
        when = draw(st.sampled_from(["onsetDateTime", "recordedDate"]))
        found.append(condition("c2", "Multiple myeloma in relapse", "relapse", **{when: draw(near)}))
    if draw(st.integers(0, 7)) == 0:
        found.append(condition("c3", "Smoldering multiple myeloma", onsetDateTime="2014-05-01"))
    for number, text in enumerate(draw(st.lists(st.sampled_from(COMORBIDITIES), max_size=2, unique=True))):
        found.append(condition(f"k{number}", text))
    for place, line in enumerate(history):
        called = NAMES_OF_REGIMENS.get(tuple(c.drug for c in line))
        if called and draw(st.integers(0, 4)) == 0:
            together = Course("", line[0].first, max(c.last for c in line), line[0].reason)
            found += whole(together, f"m{place}", {"text": draw(st.sampled_from(called))})
            continue
        for number, course in enumerate(line):
            found += draw(written(course, f"m{place}-{number}", exact, known_ends))
    for number in range(draw(st.integers(0, 3))):
        category = draw(st.sampled_from([*RESPONSES, "PD", "refractory"]))
        day = draw(st.none() | near if number == 0 else near)
        found.append(response(f"r{number}", category, day))
    if draw(st.booleans()):
        day = draw(days(date(2015, 1, 1), date(2024, 1, 1)))
        for number, value in enumerate(draw(st.lists(st.integers(0, 60), min_size=1, max_size=6))):
            found.append(m_protein(f"l{number}", value, str(day)))
            day = min(day + timedelta(draw(st.sampled_from([14, 28, 60, 200]))), AS_OF)
    what = ["autologous stem cell transplant", "stem cell collection", "bone marrow biopsy"]
    for number, text in enumerate(draw(st.lists(st.sampled_from(what), max_size=2))):
        found.append(procedure(f"x{number}", text, draw(near)))
    found += draw(plans_charted(st.one_of(near, of_late, of_late)))
    if draw(st.integers(0, 4)) == 0:
        drug = draw(st.sampled_from(COURSE_DRUGS))
        kind = draw(st.sampled_from(["allergy", "intolerance"]))
        found.append(intolerance("a0", CALLED[drug][0], kind))
    return found


PLANNED = ["Leukapheresis", "CAR-T infusion", "autologous stem cell transplant"] * 2 + [
    "apheresis",
    "stem cell collection",
    "Referral for CAR-T evaluation",
]
WORDS_OF_CAR_T = ["Not a CAR-T candidate", "CAR-T feasible", "Non candidabile a CAR-T", "CAR-T candidate?"]


@st.composite
def plans_charted(draw: Any, near: st.SearchStrategy[str], name: str = "q") -> list[Resource]:
    """What a chart holds of procedures to come or not done, and of CAR-T in words; often nothing."""
    found: list[Resource] = []
    for number in range(draw(st.sampled_from([0, 0, 1, 2, 3]))):
        identity, what, day = f"{name}{number}", draw(st.sampled_from(PLANNED)), draw(near)
        how = draw(
            st.sampled_from(["asked", "asked", "undated", "barred", "prepared", "not-done", "done", "said"])
        )
        if how in ("asked", "undated"):
            status = draw(st.sampled_from(["active", "active", "draft", "revoked"]))
            found.append(request(identity, what, day if how == "asked" else None, status))
        elif how == "barred":
            found.append(request(identity, what, day, doNotPerform=True))
        elif how == "said":
            found.append(finding(identity, draw(st.sampled_from(WORDS_OF_CAR_T)), day))
        else:
            status = {"prepared": "preparation", "done": "completed"}.get(how, how)
            found.append({**procedure(identity, what, day), "status": status})
    return found


# ---- what is derived, and how it compares ----------------------------------------------------------------
def bundle(resources: Iterable[Resource]) -> Resource:
    entries = [{"fullUrl": f"https://ehr.example.org/{one['resourceType']}/{one['id']}", "resource": one}
               for one in resources]  # fmt: skip
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def record_of(sent: Any, as_of: date = AS_OF) -> ClinicalRecord:
    sent = bundle(sent) if isinstance(sent, list) else sent
    return read(resources_of(sent), TERMINOLOGY, as_of=as_of, patient_id="p1")


def state_of(sent: Any, as_of: date = AS_OF) -> PatientState:
    """The state derived of a Bundle, or of the resources in one."""
    return derive(record_of(sent, as_of), KNOWLEDGE, as_of)


_REFERENCES = frozenset({"derived_from", "reference", "transplants", "intolerant", "allergic", "issues"})
OF_PLANS = frozenset({"planned", "car_t", "car_t_from"})
"""Members of the state that tell what is to come."""
_DATES = re.compile(r"\b\d{4}(?:-\d\d){0,2}\b")


def plain(value: Any, without: frozenset[str] = frozenset()) -> Any:
    """Dataclasses as dicts, for comparison and for readable failures, without the members and keys named."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: plain(getattr(value, f.name), without) for f in fields(value) if f.name not in without
        }
    if isinstance(value, Mapping):
        return {str(key): plain(inner, without) for key, inner in value.items() if key not in without}
    if isinstance(value, tuple | list):
        return [plain(inner, without) for inner in value]
    return value.value if isinstance(value, Enum) else value


def essence(state: PatientState) -> dict[str, Any]:
    """What a clinician would be told, whichever resources say it and in whatever words."""
    lines = [
        {"from": str(line.start), "to": str(line.end), "drugs": line.drugs, "best": line.best_response,
         "progression": str(line.progression), "transplant": line.transplant, "regimen": line.regimen}
        for line in state.lines
    ]  # fmt: skip
    return {
        "drugs": {key: (s.status.value, str(s.first), str(s.last), s.ongoing, s.intolerant)
                  for key, s in state.drugs.items()},
        "classes": {key: s.status.value for key, s in state.classes.items()},
        "lines": lines,
        "labels": state.labels,
        "progressions": sorted({str(p.on) for p in state.progressions}),
        "diagnosis": (state.diagnosis.status, state.diagnosis.kind, str(state.diagnosis.relapse)),
        "choice": (state.needs_treatment_choice, state.prior_lines, state.progressed_on_last),
        "unknown": sorted(u.what for u in state.unknown),
        "to come": (sorted(state.planned), state.car_t),
    }  # fmt: skip


def dateless(state: PatientState) -> Any:
    """The whole state with every day as its distance from the evaluation date, days in sentences struck."""

    def away(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: away(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [away(inner) for inner in value]
        if isinstance(value, date):  # an uncharted start runs from a day long ago, which stays
            return "long ago" if value.year < 1910 else (value - state.as_of).days
        return (
            re.sub(r"DATE(?:/DATE)?", "DATE", _DATES.sub("DATE", value)) if isinstance(value, str) else value
        )

    return away(plain(state))


_WHOLE_DAY = re.compile(r"\A(\d{4}-\d\d-\d\d)(.*)\Z")


def moved(node: Any, by: int) -> Any:
    """A resource with every whole day shifted."""
    if isinstance(node, dict):
        return {key: moved(inner, by) for key, inner in node.items()}
    if isinstance(node, list):
        return [moved(inner, by) for inner in node]
    if isinstance(node, str) and (match := _WHOLE_DAY.match(node)):
        return f"{date.fromisoformat(match[1]) + timedelta(by)}{match[2]}"
    return node


def copied(resource: Resource, **changes: Any) -> Resource:
    return {**copy.deepcopy(resource), **changes}


def as_r5(resource: Resource) -> Resource:
    """A resource of these charts in the shape of FHIR R5."""
    one = copy.deepcopy(resource)
    kind = one["resourceType"]
    if kind.startswith("Medication") and "medicationCodeableConcept" in one:
        one["medication"] = {"concept": one.pop("medicationCodeableConcept")}
    if "reasonCode" in one:
        one["reason"] = [{"concept": concept} for concept in one.pop("reasonCode")]
    if kind == "MedicationStatement":
        if one["status"] in _ADHERENCE:
            one["adherence"] = {"code": {"coding": [{"code": _ADHERENCE[one["status"]]}]}}
            one["status"] = "recorded"
        if "statusReason" in one:
            one.setdefault("adherence", {})["reason"] = one.pop("statusReason")[0]
    for old, new in (("effective", "occurence"), ("performed", "occurrence")):
        for suffix in ("DateTime", "Period"):
            if kind in ("MedicationAdministration", "Procedure") and old + suffix in one:
                one[new + suffix] = one.pop(old + suffix)
    if kind == "ServiceRequest":
        one["code"] = {"concept": one["code"]}
    if kind == "AllergyIntolerance":
        one["type"] = {"coding": [{"code": one["type"]}]}
    return one


_ADHERENCE = {"active": "taking", "stopped": "stopped", "completed": "stopped", "not-taken": "not-taking"}
