"""A chart as a haematologist would jot it down, turned into FHIR: one entry a line.

    born 1955-05-05 female
    2020-01-10 multiple myeloma
    2020-02-01..2020-07-30 VRd
    2020-08-20 autologous transplant
    2020-11-01..2023-04-20 lenalidomide 10 mg PO, stopped: progression
    2023-05-02 progression

docs/clinical-cases.md tells the whole of it. Codes are those of mappings/, looked up by what they mean; words
in quotation marks are text without a code. An unknown word is a :class:`NotationError` with its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from cds_service.knowledge.types import Knowledge

Resource = dict[str, Any]

PATIENT = "p1"
FORMS = ("statements", "R5", "requests", "administrations")
"""How the drugs taken may be charted; "statements" is the usual one (R4 MedicationStatement)."""

_DATE = r"\d{4}(?:-\d{2}(?:-\d{2})?)?"
_WHEN = re.compile(rf"(?P<start>{_DATE}|\?)?(?P<to>\.\.)?(?P<end>{_DATE}|\?)?(?=\s|\Z)")
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?) ?(mg/m2|mg/kg|mg|g)\b")
_VALUE = re.compile(r"(?P<sign>[<>]=?)?\s*(?P<number>\d+(?:\.\d+)?)(?:\s+(?P<unit>\S.*))?\Z")
_SERIES = re.compile(r"(?P<marker>.+?) in (?P<unit>\S+): (?P<samples>.+)\Z")
_QUOTED = re.compile(r'"([^"]*)"\Z')

_FHIR = "http://terminology.hl7.org/CodeSystem"
_UCUM = {
    **{
        unit: unit
        for unit in ("g/dL", "g/L", "mg/dL", "mg/L", "mmol/L", "umol/L", "%", "cm", "cm2", "kg", "mL/min")
    },
    "mg/24h": "mg/(24.h)",
    "g/24h": "g/(24.h)",
    "mm": "mm",
    "10*9/L": "10*9/L",
}
_MARKERS = {  # word of the notation -> concept of mappings/observations
    "M-protein": "m-protein-serum",
    "urine M-protein": "m-protein-urine-24h",
    "kappa": "flc-kappa",
    "lambda": "flc-lambda",
    "marrow plasma cells": "bm-plasma-cells-pct",
    "circulating plasma cells": "blood-plasma-cells-abs",
    "plasmacytoma": "plasmacytoma-diameter",
    "sum of plasmacytomas": "plasmacytoma-spd",
    "corrected calcium": "calcium-corrected",
    "serum immunofixation": "immunofixation-serum",
    "urine immunofixation": "immunofixation-urine",
    "haemoglobin": "hemoglobin",
    "creatinine": "creatinine",
    "weight": "body-weight",
    "height": "body-height",
    "ECOG": "ecog",
    "platelets": "platelets",
    "neutrophils": "neutrophils-abs",
    "ejection fraction": "lvef",
    "creatinine clearance": "creatinine-clearance",
}
_DIAGNOSES = {  # word of the notation -> (kind of mappings/diagnoses, status of the code or None)
    "multiple myeloma": ("multiple-myeloma", "active"),
    "multiple myeloma in remission": ("multiple-myeloma", "remission"),
    "relapse diagnosis": ("multiple-myeloma", "relapse"),
    "smouldering myeloma": ("smouldering-myeloma", None),
    "MGUS": ("mgus", None),
    "solitary plasmacytoma": ("solitary-plasmacytoma", "active"),
    "plasma cell leukaemia": ("plasma-cell-leukaemia", "active"),
    "AL amyloidosis": ("al-amyloidosis", None),
    "POEMS": ("poems", None),
}
_PROCEDURES = {
    "autologous transplant": "autologous-sct",
    "allogeneic transplant": "allogeneic-sct",
    "stem cell transplant": "sct-unspecified",
    "stem cell collection": "stem-cell-collection",
    "leukapheresis": "leukapheresis",
    "apheresis": "apheresis",
    "CAR-T preparation": "cart-preparation",
    "CAR-T infusion": "cart-infusion",
    "radiotherapy": "radiotherapy",
    "bone marrow biopsy": "bone-marrow-biopsy",
}
_RESPONSES = ("sCR", "CR", "VGPR", "PR", "MR", "SD", "PD")
_DISEASE = ("progression", "relapse", "refractory disease")  # said of the disease, without a category
_STOPS = {
    "progression": "progression",
    "no response": "no-response",
    "toxicity": "toxicity",
    "allergy": "allergy",
    "completion": "completion",
    "choice": "choice",
    "other": "other",
}
_ASSERTED = {  # words of the notation -> question and answer of mappings/assertions
    "refractory to": ("refractoriness", "refractory"),
    "not refractory to": ("refractoriness", "not-refractory"),
    "intolerant of": ("intolerance", "intolerant"),
    "tolerated": ("intolerance", "tolerated"),
}
_CONDITION_STATES = ("resolved", "inactive", "remission", "relapse", "recurrence", "active")
_UNSURE = ("refuted", "differential", "provisional", "unconfirmed")
_STATUSES = {  # of a drug entry, R4
    "active": "active",
    "completed": "completed",
    "stopped": "stopped",
    "on hold": "on-hold",
    "not taken": "not-taken",
    "intended": "intended",
    "draft": "draft",
    "cancelled": "cancelled",
    "not done": "not-done",
    "in progress": "in-progress",
    "entered in error": "entered-in-error",
}
_REQUEST_STATUSES = {
    "draft": "draft",
    "on hold": "on-hold",
    "revoked": "revoked",
    "completed": "completed",
    "of unknown status": "unknown",
    "entered in error": "entered-in-error",
}
_INTENTS = ("proposal", "plan", "option", "directive")
_ENTRIES = ("order", "given", "dispensed")
_ADHERENCE = {"active": "taking", "stopped": "stopped", "not-taken": "not-taking", "on-hold": "on-hold"}


class NotationError(ValueError):
    """A line of a chart that cannot be understood; the text names it."""


@dataclass(frozen=True)
class _When:
    """The days before an entry: "2020", "2020-02-01..2020-07-30", "2024..", "..2024-03", "2024-01-01..?"."""

    start: str = ""
    end: str = ""
    over: bool = False  # a span of time, not a day
    stopped: bool = False  # the end lies on an unrecorded day

    @property
    def ongoing(self) -> bool:
        return self.over and not self.end and not self.stopped

    @property
    def period(self) -> dict[str, str]:
        ends = {"start": self.start, "end": self.end}
        return {key: day for key, day in ends.items() if day}


@dataclass
class _Line:
    number: int
    text: str
    when: _When
    parts: list[str]  # of what follows the days, at its commas

    def wrong(self, why: str) -> NotationError:
        return NotationError(f"line {self.number}, {self.text!r}: {why}")

    def take(self, start: str) -> str | None:
        """The rest of the first part that begins so; it is taken off."""
        for part in self.parts[1:]:
            if part == start or part.startswith(f"{start} "):
                self.parts.remove(part)
                return part[len(start) :].strip()
        return None

    def take_any(self, words: Iterable[str]) -> str:
        """The first part that is one of these words, taken off; "" where there is none."""
        known = list(words)
        for part in self.parts[1:]:
            if part in known:
                self.parts.remove(part)
                return part
        return ""

    def done(self) -> None:
        if self.parts[1:]:
            raise self.wrong(f"{self.parts[1]!r} is not understood")


class Notation:
    """Turns charts into FHIR with the codes of one knowledge."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._maps = knowledge.mappings
        self._uris = {entry["key"]: entry["uri"] for entry in self._maps["systems"]["systems"]}

    # ---- codes --------------------------------------------------------------------------------------------
    def _coding(self, entry: Mapping[str, Any]) -> dict[str, str]:
        coding = {"system": self._uris[entry["system"]], "code": str(entry["code"])}
        return coding | ({"display": entry["display"]} if "display" in entry else {})

    def _first(
        self,
        codes: Iterable[Mapping[str, Any]],
        systems: Sequence[str],
        fits: Callable[[Mapping[str, Any]], bool] = lambda entry: True,
    ) -> dict[str, str] | None:
        """The first shipped code, by the order of systems, that was seen somewhere and means just that."""
        known = [
            entry
            for entry in codes
            if entry["confidence"] != "recalled"
            and "match" not in entry
            and "doubt" not in entry
            and fits(entry)
        ]
        for system in systems:
            for entry in known:
                if entry["system"] == system:
                    return self._coding(entry)
        return None

    @cached_property
    def _drug_names(self) -> dict[str, str]:
        """Names that the notation takes for a drug: its key, and every name that charts use."""
        names = {key: key for key in self._knowledge.drug_files}
        for key, file in self._knowledge.drug_files.items():
            names.update({entry["text"].casefold(): key for entry in file["names"]})
        return names

    @cached_property
    def _regimens(self) -> dict[str, list[str]]:
        return {
            _bare(name["text"]): entry["components"]
            for entry in self._maps["regimen-names"]["regimens"]
            for name in entry["names"]
        }

    def _drug_concept(self, key: str) -> dict[str, Any]:
        file = self._knowledge.drug_files[key]
        coding = self._first(
            file.get("codes", ()),
            ("ATC", "RxNorm", "UNII"),
            lambda e: e.get("kind", "ingredient") == "ingredient",
        )
        return {"coding": [coding]} if coding else {"text": file["name"]["en"]}

    def _reason(self, words: str, line: _Line) -> dict[str, Any]:
        if quoted := _QUOTED.match(words):
            return {"text": quoted[1]}
        if words not in _STOPS:
            raise line.wrong(f"{words!r} is no reason for stopping")
        coding = self._first(
            self._maps["stop-reasons"]["codes"], ("SNOMED",), lambda e: e["reason"] == _STOPS[words]
        )
        return {"coding": [coding]} if coding else {"text": words}

    # ---- the chart ----------------------------------------------------------------------------------------
    def resources(
        self, chart: str, form: str = "statements", as_of: date = date(2026, 11, 1)
    ) -> list[Resource]:
        """The resources of a chart. ``as_of`` ends what is still being given, as administrations.

        Where no line tells of a diagnosis, a multiple myeloma without a day is there. Raises NotationError.
        """
        if form not in FORMS:
            raise NotationError(f"a chart can be had as {', '.join(FORMS)}, not as {form}")
        found: list[Resource] = []
        diagnosed = born = False
        for number, raw in enumerate(chart.splitlines(), start=1):
            text = raw.split("#")[0].strip()
            if not text:
                continue
            if text == "no diagnosis":
                diagnosed = True
                continue
            line = _read(number, text)
            made = list(self._entry(line, form, as_of))
            line.done()
            others = [one for one in made if one["resourceType"] == "Patient"]
            born = born or bool(others)
            diagnosed = diagnosed or any(
                one["resourceType"] == "Condition" for one in made if "other-patient" not in str(one)
            )
            found.extend(made)
        if not born:
            found.append(_person("1955-05-05", "female"))
        if not diagnosed:
            found.extend(self._entry(_read(0, "multiple myeloma"), form, as_of))
        people = [one for one in found if one["resourceType"] == "Patient"]
        for extra in people[1:]:  # "born" and "died" speak of the same person
            people[0].update(extra)
            found.remove(extra)
        if any("other-patient" in str(one) for one in found):
            found.append({**_person("1950-01-01", "male"), "id": "other-patient"})
        return found

    def orders(self, written: str) -> tuple[list[Resource], list[str]]:
        """The draft orders of a hook, one a line, and the references of those that are selected.

        "lenalidomide 25 mg", a regimen by its name, words in quotation marks, or "no drug". Then: "not
        selected", "signed" (its status is active), "without an id", "for: nausea", "of another patient".
        Raises NotationError.
        """
        drafts: list[Resource] = []
        selected: list[str] = []
        for number, raw in enumerate(written.splitlines(), start=1):
            text = raw.split("#")[0].strip()
            if not text:
                continue
            line = _read(number, text)
            of = "other-patient" if line.take_any(["of another patient"]) else PATIENT
            words = set(filter(None, map(line.take_any, (["not selected"], ["signed"], ["without an id"]))))
            purpose = line.take("for:")
            draft: Resource = {
                "resourceType": "MedicationRequest",
                "status": "active" if "signed" in words else "draft",
                "intent": "order",
                "subject": {"reference": f"Patient/{of}"},
            }
            if line.parts[0] != "no drug":
                drug = self._drug(line.parts[0], line)
                if drug is None:
                    raise line.wrong(f"{line.parts[0]!r} is not understood")
                concept, _, dosage = drug
                draft["medicationCodeableConcept"] = concept
                if dosage:
                    draft["dosageInstruction"] = [dosage]
            if purpose:
                draft["reasonCode"] = [{"text": purpose.strip('"')}]
            line.done()
            if "without an id" not in words:
                draft["id"] = f"draft-{number}"
                if "not selected" not in words:
                    selected.append(f"MedicationRequest/draft-{number}")
            drafts.append(draft)
        return drafts, selected

    def bundle(self, chart: str, form: str = "statements", as_of: date = date(2026, 11, 1)) -> Resource:
        """The chart as a FHIR Bundle; see :meth:`resources`."""
        entries = [{"resource": one} for one in self.resources(chart, form, as_of)]
        return {"resourceType": "Bundle", "type": "collection", "entry": entries}

    def _entry(self, line: _Line, form: str, as_of: date) -> Iterable[Resource]:
        subject = {
            "reference": f"Patient/{'other-patient' if line.take_any(['of another patient']) else PATIENT}"
        }
        first = line.parts[0]
        word = first.split(" ")[0]
        if word in ("born", "died"):
            return [self._patient(line)]
        if first in _DIAGNOSES or word == "diagnosis":
            return [self._condition(line, subject)]
        if first in _PROCEDURES or word == "procedure":
            return [self._procedure(line, subject, form)]
        if first in _DISEASE or word in ("response", "status"):
            return [self._response(line, subject)]
        if word == "requested":
            return [self._request(line, subject, form)]
        if word in ("finding", "question"):
            return [self._finding(line, subject)]
        if word == "flag":
            return [self._flag(line, subject)]
        if word == "asserted":
            return [self._assertion(line, subject)]
        if word in ("allergy", "intolerance"):
            return [self._allergy(line, subject)]
        if series := _SERIES.match(line.text):
            line.parts = line.parts[:1]
            return self._series(line, series, subject)
        if self._marker(first):
            return self._values(line, subject)
        return self._drugs(line, subject, form, as_of)

    def _patient(self, line: _Line) -> Resource:
        words = line.parts[0].split(" ")
        if words[0] == "died":
            day = line.when.start
            return _person("", "") | ({"deceasedDateTime": day} if day else {"deceasedBoolean": True})
        if len(words) != 3 or not re.fullmatch(rf"{_DATE}|unknown", words[1]):
            raise line.wrong('expected "born 1955-05-05 female"')
        return _person("" if words[1] == "unknown" else words[1], words[2])

    def _condition(self, line: _Line, subject: Mapping[str, str]) -> Resource:
        first = line.parts[0]
        code: dict[str, Any] = {}
        if first in _DIAGNOSES:
            kind, status = _DIAGNOSES[first]
            codes = next(entry["codes"] for entry in self._maps["diagnoses"]["kinds"] if entry["key"] == kind)
            coding = self._first(
                codes, ("ICD-10-CM", "SNOMED"), lambda e: status is None or e.get("status") == status
            )
            code = {"coding": [coding]}
            if text := line.take("text"):
                code["text"] = _unquoted(text, line)
        else:
            code = {"text": _unquoted(first.removeprefix("diagnosis "), line)}
        state = line.take_any(_CONDITION_STATES) or "active"
        unsure = line.take_any(_UNSURE)
        if line.take_any(["entered in error"]):
            unsure = "entered-in-error"
        recorded, ended = line.take("recorded"), line.take("ended")
        return {
            "resourceType": "Condition",
            "id": f"line-{line.number}",
            "subject": subject,
            "code": code,
            "verificationStatus": {
                "coding": [{"system": f"{_FHIR}/condition-ver-status", "code": unsure or "confirmed"}]
            },
            **(
                {}
                if unsure == "entered-in-error"
                else {
                    "clinicalStatus": {"coding": [{"system": f"{_FHIR}/condition-clinical", "code": state}]}
                }
            ),
            **({"onsetDateTime": line.when.start} if line.when.start else {}),
            **({"recordedDate": recorded} if recorded else {}),
            **({"abatementDateTime": ended} if ended else {}),
        }

    def _procedure_concept(self, words: str, line: _Line) -> dict[str, Any]:
        if words not in _PROCEDURES:
            return {"text": _unquoted(words.removeprefix("procedure "), line)}
        kinds = self._maps["procedures"]["kinds"]
        codes = next(entry for entry in kinds if entry["key"] == _PROCEDURES[words]).get("codes", ())
        coding = self._first(codes, ("SNOMED", "ICD-10-PCS", "CPT"), lambda e: "drug" not in e)
        code: dict[str, Any] = {"coding": [coding]} if coding else {"text": words}
        if text := line.take("text"):
            code["text"] = _unquoted(text, line)
        return code

    def _procedure(self, line: _Line, subject: Mapping[str, str], form: str) -> Resource:
        code = self._procedure_concept(line.parts[0], line)
        states = {"not done": "not-done", "in preparation": "preparation", "on hold": "on-hold"}
        status = states.get(line.take_any(states), "completed")
        reason, why = line.take("reason"), line.take("because")
        when = "occurrenceDateTime" if form == "R5" else "performedDateTime"
        return {
            "resourceType": "Procedure",
            "id": f"line-{line.number}",
            "status": status,
            "subject": subject,
            "code": code,
            **({when: line.when.start} if line.when.start else {}),
            **(_for_a_reason(_unquoted(reason, line), form) if reason else {}),
            **({"statusReason": {"text": _unquoted(why, line)}} if why else {}),
        }

    def _request(self, line: _Line, subject: Mapping[str, str], form: str) -> Resource:
        code = self._procedure_concept(line.parts[0].removeprefix("requested "), line)
        status = _REQUEST_STATUSES.get(line.take_any(_REQUEST_STATUSES), "active")
        intent = line.take_any(_INTENTS) or "order"
        forbidden = line.take_any(["not to be done"])
        meant, reason, why = line.take("for"), line.take("reason"), line.take("because")
        said = {"url": "http://hl7.org/fhir/StructureDefinition/request-statusReason"}
        return {
            "resourceType": "ServiceRequest",
            "id": f"line-{line.number}",
            "status": status,
            "intent": intent,
            "subject": subject,
            "code": {"concept": code} if form == "R5" else code,
            **({"doNotPerform": True} if forbidden else {}),
            **({"authoredOn": line.when.start} if line.when.start else {}),
            **({"occurrenceDateTime": meant} if meant else {}),
            **(_for_a_reason(_unquoted(reason, line), form) if reason else {}),
            **(
                {"extension": [{**said, "valueCodeableConcept": {"text": _unquoted(why, line)}}]}
                if why
                else {}
            ),
        }

    def _finding(self, line: _Line, subject: Mapping[str, str]) -> Resource:
        word, _, words = line.parts[0].partition(" ")
        question, answer = "Tumour board conclusion", _unquoted(words, line)
        if word == "question":
            question, answer = answer, _unquoted(line.take("answer") or "", line)
        return {
            "resourceType": "Observation",
            "id": f"line-{line.number}",
            "status": "final",
            "subject": subject,
            "code": {"text": question},
            "valueString": answer,
            **({"effectiveDateTime": line.when.start} if line.when.start else {}),
        }

    def _flag(self, line: _Line, subject: Mapping[str, str]) -> Resource:
        return {
            "resourceType": "Flag",
            "id": f"line-{line.number}",
            "status": line.take_any(["inactive"]) or "active",
            "subject": subject,
            "code": {"text": _unquoted(line.parts[0].removeprefix("flag "), line)},
            **({"period": line.when.period} if line.when.period else {}),
        }

    def _assertion(self, line: _Line, subject: Mapping[str, str]) -> Resource:
        """A clinician's assertion, by our own codes: "asserted not refractory to lenalidomide"."""
        words = line.parts[0].removeprefix("asserted ")
        known = self._maps["assertions"]

        def own(code: str) -> dict[str, Any]:
            return {"coding": [{"system": known["system"], "code": code}]}

        made: Resource = {
            "resourceType": "Observation",
            "id": f"line-{line.number}",
            "status": "entered-in-error" if line.take_any(["entered in error"]) else "final",
            "subject": subject,
            "effectiveDateTime": line.take("at") or line.when.start,
        }
        if match := re.fullmatch(r"(\d+) lines?", words):
            return {**made, "code": own("lines-of-therapy"), "valueInteger": int(match[1])}
        if words in ("progression", "stable", "improved"):
            return {**made, "code": own("disease-status"), "valueCodeableConcept": own(words)}
        for said, (question, answer) in _ASSERTED.items():
            if words.startswith(f"{said} "):
                key = self._drug_names.get(words.removeprefix(said).strip().casefold())
                if key is None:
                    raise line.wrong(f"{words!r} names no drug")
                drug = {"code": own("drug"), "valueCodeableConcept": self._drug_concept(key)}
                return {
                    **made,
                    "code": own(question),
                    "valueCodeableConcept": own(answer),
                    "component": [drug],
                }
        raise line.wrong(f"{words!r} cannot be asserted")

    def _response(self, line: _Line, subject: Mapping[str, str]) -> Resource:
        first = line.parts[0]
        words = first.removeprefix("response ").removeprefix("status ")
        answers = self._maps["disease-status"]
        # Disease status is asked by one code, a response category by another.
        asked = "88040-1" if first.startswith("response") else "97509-4"
        question = self._first(answers["questions"]["codes"], ("LOINC",), lambda e: e["code"] == asked)
        coding = None
        if not _QUOTED.match(words):
            if words not in (*_RESPONSES, *_DISEASE):
                raise line.wrong(f"{words!r} is no response")
            coding = self._first(
                answers["answers"]["codes"], ("LOINC", "NCIt", "SNOMED"), lambda e: _answers(e, words)
            )
        value = {"coding": [coding]} if coding else {"text": words.strip('"')}
        return {
            "resourceType": "Observation",
            "id": f"line-{line.number}",
            "status": "final",
            "subject": subject,
            "code": {"coding": [question]},
            "valueCodeableConcept": value,
            **({"effectiveDateTime": line.when.start} if line.when.start else {}),
        }

    def _allergy(self, line: _Line, subject: Mapping[str, str]) -> Resource:
        kind, _, name = line.parts[0].partition(" to ")
        drug = self._drug_names.get(name.casefold())
        if drug is None:
            raise line.wrong(f"{name!r} is no drug")
        return {
            "resourceType": "AllergyIntolerance",
            "id": f"line-{line.number}",
            "patient": subject,
            "type": kind,
            "clinicalStatus": {
                "coding": [{"system": f"{_FHIR}/allergyintolerance-clinical", "code": "active"}]
            },
            "code": self._drug_concept(drug),
        }

    # ---- values -------------------------------------------------------------------------------------------
    def _marker(self, words: str) -> str:
        """The marker that a part begins with, the longest; "" where it begins with none."""
        fitting = [name for name in _MARKERS if words == name or words.startswith(f"{name} ")]
        return max(fitting, key=len, default="")

    def _series(self, line: _Line, series: re.Match[str], subject: Mapping[str, str]) -> Iterable[Resource]:
        marker = series["marker"]
        if marker not in _MARKERS:
            raise line.wrong(f"{marker!r} is no value that is known")
        for place, sample in enumerate(series["samples"].split(",")):
            day, _, value = sample.strip().partition(" ")
            if not re.fullmatch(_DATE, day):
                raise line.wrong(f"{sample.strip()!r} does not begin with a day")
            number = f"{value.strip()} {series['unit']}"
            yield self._observation(line, marker, number, day, f"-{place + 1}", subject)

    def _values(self, line: _Line, subject: Mapping[str, str]) -> Iterable[Resource]:
        parts, line.parts = line.parts, line.parts[:1]
        for place, part in enumerate(parts):
            marker = self._marker(part)
            if not marker:
                raise line.wrong(f"{part!r} is no value that is known")
            value = part[len(marker) :].strip()
            yield self._observation(line, marker, value, line.when.start, f"-{place + 1}", subject)

    def _observation(
        self, line: _Line, marker: str, value: str, day: str, suffix: str, subject: Mapping[str, str]
    ) -> Resource:
        entry = next(e for e in self._maps["observations"]["observations"] if e["key"] == _MARKERS[marker])
        coding = self._first(entry.get("codes", ()), ("LOINC",))
        made: Resource = {
            "resourceType": "Observation",
            "id": f"line-{line.number}{suffix}",
            "status": "final",
            "subject": subject,
            "code": {"coding": [coding]} if coding else {"text": entry["phrases"][0]["text"]},
        }
        if day:
            made["effectiveDateTime"] = day
        if number := _VALUE.match(value):
            quantity: dict[str, Any] = {"value": float(number["number"])}
            if number["sign"]:
                quantity["comparator"] = number["sign"]
            if unit := number["unit"] or ("{score}" if marker == "ECOG" else ""):
                quantity["unit"] = unit
                if unit in _UCUM:
                    quantity |= {"system": "http://unitsofmeasure.org", "code": _UCUM[unit]}
            made["valueQuantity"] = quantity
        elif value in ("negative", "positive", "absent", "present"):
            made["valueString"] = value
        else:
            raise line.wrong(f"{value!r} is no value")
        return made

    # ---- drugs --------------------------------------------------------------------------------------------
    def _drugs(self, line: _Line, subject: Mapping[str, str], form: str, as_of: date) -> Iterable[Resource]:
        kind = line.parts[0].split(" ")[0]
        if kind in _ENTRIES:
            line.parts[0] = line.parts[0].removeprefix(f"{kind} ")
        else:
            kind = "statement"
        named: list[tuple[dict[str, Any], list[str], dict[str, Any]]] = []
        while line.parts:
            drug = self._drug(line.parts[0], line)
            if drug is None:
                break
            named.append(drug)
            line.parts.pop(0)
        if not named:
            raise line.wrong(f"{line.parts[0]!r} is not understood")
        line.parts.insert(0, "")  # the drugs are read; what follows is said of all of them
        common = self._said(line, kind)
        if kind == "statement" and form in ("requests", "administrations") and common["status"] in _RUN:
            kind = {"requests": "order", "administrations": "given"}[form]
        for place, (concept, keys, dosage) in enumerate(named):
            suffix = f"-{keys[0]}" if len(named) > 1 and keys else f"-{place + 1}" if len(named) > 1 else ""
            base = {"id": f"line-{line.number}{suffix}", "subject": subject}
            texts = {**dosage, **({"text": common["dosage"]} if common["dosage"] else {})}
            if kind == "given" and line.when.over:
                yield from self._course_of_doses(line, base, concept, keys, texts, common, as_of)
            else:
                yield self._drug_entry(line, kind, form, base, concept, texts, common)

    def _drug(self, words: str, line: _Line) -> tuple[dict[str, Any], list[str], dict[str, Any]] | None:
        """The concept, the drugs that it names and the dosage of one part; None where it names no drug."""
        if quoted := _QUOTED.match(words):
            return {"text": quoted[1]}, [], {}
        dosage: dict[str, Any] = {}
        rest = words
        for route in ("PO", "SC", "IV"):
            if rest.endswith(f" {route}"):
                rest = rest.removesuffix(f" {route}")
                dosage["route"] = {"text": route}
        if amount := _AMOUNT.search(rest):
            rest = (rest[: amount.start()] + rest[amount.end() :]).strip()
            quantity = {"value": float(amount[1]), "unit": amount[2]}
            dosage["doseAndRate"] = [{"doseQuantity": quantity}]
        if (key := self._drug_names.get(rest.casefold())) is not None:
            return self._drug_concept(key), [key], dosage
        if (components := self._regimens.get(_bare(rest))) is not None:
            return {"text": rest}, list(components), dosage
        return None

    def _said(self, line: _Line, kind: str) -> dict[str, Any]:
        """What the parts after the drugs say of them."""
        reason = None
        stopped = ""
        for part in line.parts[1:]:
            if part.startswith("stopped:"):
                line.parts.remove(part)
                reason, stopped = self._reason(part.removeprefix("stopped:").strip(), line), "stopped"
                break
        status = _STATUSES.get(line.take_any(_STATUSES), "")
        if not status:
            ended = "completed" if line.when.end or not line.when.over else "stopped"
            status = stopped or ("active" if line.when.ongoing or kind == "order" else ended)
            if kind == "order" and line.when.over and not line.when.ongoing and not stopped:
                status = "completed"
        purpose = line.take("for:")
        notes = []
        if number := line.take("line"):
            notes.append(f"line {int(number)}")
        if note := line.take("note"):
            notes.append(_unquoted(note, line))
        dosage, asserted = line.take("dosage"), line.take("asserted")
        supply = line.take("supply")
        return {
            "status": status,
            "reason": reason,
            "purpose": purpose.strip('"') if purpose else None,
            "notes": [{"text": note} for note in notes],
            "dosage": _unquoted(dosage, line) if dosage else "",
            "asserted": asserted,
            "supply": supply,
        }

    def _drug_entry(
        self,
        line: _Line,
        kind: str,
        form: str,
        base: Mapping[str, Any],
        concept: Mapping[str, Any],
        dosage: Mapping[str, Any],
        common: Mapping[str, Any],
    ) -> Resource:
        fifth = form == "R5"
        named = {"medication": {"concept": concept}} if fifth else {"medicationCodeableConcept": concept}
        made: Resource = {
            "resourceType": _TYPES[kind],
            **base,
            "status": common["status"],
            **named,
            **({"note": common["notes"]} if common["notes"] else {}),
        }
        if common["purpose"]:
            if fifth:
                made["reason"] = [{"concept": {"text": common["purpose"]}}]
            elif kind != "dispensed":
                made["reasonCode"] = [{"text": common["purpose"]}]
        reason = common["reason"]
        if kind == "statement":
            made |= _at(line.when, "effective")
            if common["asserted"]:
                made["dateAsserted"] = common["asserted"]
            if dosage:
                made["dosage"] = [dict(dosage)]
            if fifth:
                _as_r5_statement(made, reason)
            elif reason:
                made["statusReason"] = [reason]
        elif kind == "order":
            made["intent"] = "order"
            bounds = [{**dosage, "timing": {"repeat": {"boundsPeriod": line.when.period}}}]
            if line.when.over and fifth:
                made["effectiveDosePeriod"] = line.when.period
            elif line.when.over and line.when.period:
                made["dosageInstruction"] = bounds
            elif dosage:
                made["dosageInstruction"] = [dict(dosage)]
            if line.when.start:
                made["authoredOn"] = line.when.start
            if reason:
                made["statusReason"] = reason
        elif kind == "given":
            made |= _at(line.when, "occurence" if fifth else "effective")
            if reason:
                made["statusReason"] = [reason]
            if dosage:
                amount = dosage.get("doseAndRate", [{}])[0].get("doseQuantity")
                made["dosage"] = {
                    **{key: value for key, value in dosage.items() if key != "doseAndRate"},
                    **({"dose": amount} if amount else {}),
                }
        else:
            if line.when.start:
                made["whenHandedOver"] = line.when.start
            if common["supply"]:
                days = common["supply"].removesuffix(" days")
                made["daysSupply"] = {"value": int(days), "unit": "d"}
        return made

    def _course_of_doses(
        self,
        line: _Line,
        base: Mapping[str, Any],
        concept: Mapping[str, Any],
        keys: Sequence[str],
        dosage: Mapping[str, Any],
        common: Mapping[str, Any],
        as_of: date,
    ) -> Iterable[Resource]:
        """One administration a dose, first and last day included, by the drug's own interval."""
        try:
            first = date.fromisoformat(line.when.start)
            last = date.fromisoformat(line.when.end) if line.when.end else as_of
        except ValueError as e:
            raise line.wrong("administrations need whole days") from e
        every = max(
            1, min((self._knowledge.drugs[key].dose_interval_days for key in keys if key), default=28) or 1
        )
        days = [first + timedelta(days=n) for n in range(0, (last - first).days, every)] + [last]
        for number, day in enumerate(days, start=1):
            final = number == len(days) and line.when.end
            said = {**common, "status": "completed", "reason": common["reason"] if final else None}
            one = _Line(line.number, line.text, _When(day.isoformat()), [""])
            yield self._drug_entry(
                one, "given", "statements", {**base, "id": f"{base['id']}-{number}"}, concept, dosage, said
            )


_TYPES = {
    "statement": "MedicationStatement",
    "order": "MedicationRequest",
    "given": "MedicationAdministration",
    "dispensed": "MedicationDispense",
}
_RUN = ("active", "completed", "stopped")


def _read(number: int, text: str) -> _Line:
    when, rest = _when(text)
    line = _Line(
        number, text, when, [part.strip() for part in re.split(r",(?=(?:[^\"]*\"[^\"]*\")*[^\"]*\Z)", rest)]
    )
    if not rest:
        raise line.wrong("nothing is said of these days")
    return line


def _when(text: str) -> tuple[_When, str]:
    match = _WHEN.match(text)
    if match is None or not (match["start"] or match["to"]):
        return _When(), text
    start, end = match["start"] or "", match["end"] or ""
    unsaid = "" if start == "?" else start
    when = _When(unsaid, "" if end == "?" else end, bool(match["to"]), end == "?")
    return when, text[match.end() :].strip()


def _at(when: _When, stem: str) -> dict[str, Any]:
    if when.over:
        return {f"{stem}Period": when.period} if when.period else {}
    return {f"{stem}DateTime": when.start} if when.start else {}


def _for_a_reason(words: str, form: str) -> dict[str, Any]:
    return {"reason": [{"concept": {"text": words}}]} if form == "R5" else {"reasonCode": [{"text": words}]}


def _as_r5_statement(made: Resource, reason: Mapping[str, Any] | None) -> None:
    """Status of the course moved to where R5 has it: the statement is recorded, the adherence tells."""
    status = made["status"] = {"intended": "draft"}.get(made["status"], made["status"])
    if status in ("entered-in-error", "draft"):
        return
    made["status"] = "recorded"
    code = _ADHERENCE.get("stopped" if reason or status == "stopped" else status)
    if code:
        system = "http://hl7.org/fhir/CodeSystem/medication-statement-adherence"
        made["adherence"] = {"code": {"coding": [{"system": system, "code": code}]}}
        if reason:
            made["adherence"]["reason"] = dict(reason)


def _answers(entry: Mapping[str, Any], words: str) -> bool:
    """Whether a code of an answer says just these words."""
    if words in _RESPONSES:
        return entry.get("response") == words
    if words == "progression":
        return bool(entry.get("progression")) and entry.get("trend") == "worsened"
    return words == "refractory disease" and bool(entry.get("no_response"))


def _person(born: str, sex: str) -> Resource:
    known = {"birthDate": born, "gender": sex}
    return {"resourceType": "Patient", "id": PATIENT, **{key: value for key, value in known.items() if value}}


def _unquoted(words: str, line: _Line) -> str:
    match = _QUOTED.match(words)
    if match is None:
        raise line.wrong(f"{words!r}: quotation marks are missing")
    return match[1]


def _bare(name: str) -> str:
    return re.sub(r"[\s-]", "", name).casefold()
