"""A terminology small enough to see through: the reader's tables do not depend on the real code lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from cds_service.record import DiagnosisStatus, Purpose, Response, StopReason
from cds_service.terminology import (
    ComorbidityMatch,
    Concept,
    DiagnosisMatch,
    DrugMatch,
    NotRead,
    ObservationMatch,
    PlanMatch,
    ProcedureMatch,
    ResponseMatch,
)

_DRUGS = {
    "l04ax04": "lenalidomide",
    "lenalidomide": "lenalidomide",
    "revlimid": "lenalidomide",
    "l01xg01": "bortezomib",
    "bortezomib": "bortezomib",
    "l01fc01": "daratumumab",
    "daratumumab": "daratumumab",
    "h02ab02": "dexamethasone",
    "dexamethasone": "dexamethasone",
    "carvykti": "ciltacabtagene-autoleucel",
}
_REGIMENS = {"vrd": ("bortezomib", "lenalidomide", "dexamethasone")}
_STOPS = (
    ("progress", StopReason.PROGRESSION),
    ("neuropathy", StopReason.TOXICITY),
    ("rash", StopReason.TOXICITY),
    ("wish", StopReason.CHOICE),
    ("completed", StopReason.COMPLETION),
)
_PURPOSES = (
    ("mobilis", Purpose.MOBILISATION),
    ("nausea", Purpose.ANTIEMETIC),
    ("covid", Purpose.OTHER_DISEASE),
    ("c90.0", Purpose.MYELOMA),
    ("myeloma", Purpose.MYELOMA),
)
_OBSERVATIONS = {
    "33358-3": ("m-protein-serum", "g/dL"),
    "89247-1": ("ecog", ""),
    "8480-6": ("bp-systolic", "mm[Hg]"),
    "8462-4": ("bp-diastolic", "mm[Hg]"),
    "69548-6": ("genetic-variant", ""),
    "our-t1114": ("t-11-14", ""),
}
_FACTORS = {
    ("m-protein-serum", "g/dl"): 1.0,
    ("m-protein-serum", "g/l"): 0.1,
    ("ecog", ""): 1.0,
    ("ecog", "{score}"): 1.0,
    ("bp-systolic", "mm[hg]"): 1.0,
    ("bp-diastolic", "mm[hg]"): 1.0,
}


def _words(concept: Concept) -> str:
    return " ".join([concept.text, *(part for c in concept.codings for part in (c.code, c.display))]).lower()


@dataclass(frozen=True)
class StandIn:
    """As much of the terminology as the tables of the reader need."""

    unidentified = ""
    cells = frozenset({"ciltacabtagene-autoleucel"})

    def refractory_to(self, text: str) -> tuple[str, ...]:
        return ()

    def drugs(self, concept: Concept, *, on: date | None = None) -> tuple[DrugMatch, ...]:
        words = re.findall(r"[a-z0-9]+", _words(concept))
        for word in words:
            if word in _REGIMENS:
                return tuple(
                    DrugMatch(drug=drug, how="regimen", confidence="verified1", regimen=word)
                    for drug in _REGIMENS[word]
                )
        for word in words:
            if word in _DRUGS:
                return (DrugMatch(drug=_DRUGS[word], how="code", confidence="verified2"),)
        return ()

    def not_read(self, concept: Concept) -> NotRead:
        return NotRead()

    def is_ordinary(self, concept: Concept) -> bool:
        return not self.is_antineoplastic(concept)

    def is_antineoplastic(self, concept: Concept) -> bool:
        return "l01" in _words(concept) or "chemotherapy" in _words(concept)

    def members_of_named_classes(self, concept: Concept) -> tuple[str, ...]:
        return ("bortezomib", "carfilzomib") if "proteasome inhibitors" in _words(concept) else ()

    def diagnosis(self, concept: Concept) -> DiagnosisMatch | None:
        words = _words(concept)
        if "c90.0" not in words and "myeloma" not in words:
            return None
        kind = "smouldering-myeloma" if "smoldering" in words else "multiple-myeloma"
        status = DiagnosisStatus.RELAPSE if "relapse" in words or "c90.02" in words else None
        return DiagnosisMatch(kind=kind, status=status)

    def clinical_status(self, concept: Concept) -> DiagnosisStatus | None:
        return {
            "active": DiagnosisStatus.ACTIVE,
            "relapse": DiagnosisStatus.RELAPSE,
            "recurrence": DiagnosisStatus.RELAPSE,
            "remission": DiagnosisStatus.REMISSION,
            "resolved": DiagnosisStatus.HISTORY,
            "inactive": DiagnosisStatus.HISTORY,
        }.get(_words(concept).strip())

    def response(self, concept: Concept) -> ResponseMatch | None:
        words = _words(concept)
        if "progress" in words:
            return ResponseMatch(category=Response.PD, progression=True, no_response=False, trend="worsened")
        if "vgpr" in words:
            return ResponseMatch(
                category=Response.VGPR, progression=False, no_response=False, trend="improved"
            )
        return None

    def is_response_question(self, concept: Concept) -> bool:
        return "97509-4" in _words(concept) or "response" in _words(concept)

    def stop_reason(self, concept: Concept) -> StopReason | None:
        return next((reason for word, reason in _STOPS if word in _words(concept)), None)

    def purpose(self, concept: Concept) -> Purpose | None:
        return next((purpose for word, purpose in _PURPOSES if word in _words(concept)), None)

    def observation(self, concept: Concept) -> ObservationMatch | None:
        for coding in concept.codings:
            if coding.code in _OBSERVATIONS:
                key, unit = _OBSERVATIONS[coding.code]
                return ObservationMatch(concept=key, unit=unit)
        return None

    def convert(self, concept: str, value: float, unit_text: str) -> float | None:
        factor = _FACTORS.get((concept, unit_text.lower().strip()))
        return None if factor is None else value * factor

    def plausible(self, concept: str, value: float) -> bool:
        low, high = {"ecog": (0, 5), "m-protein-serum": (0, 20)}.get(concept, (-1e9, 1e9))
        return low <= value <= high and (concept != "ecog" or value == int(value))

    def new_lesion(self, text: str) -> bool:
        return False

    def coded_result(self, concept: Concept) -> str:
        words = _words(concept)
        if match := re.search(r"ecog (\d)", words):
            return f"ecog:{match[1]}"
        return "positive" if "positive" in words else words.strip()

    def genomic_component(self, concept: Concept) -> str:
        return {"HGNC:11998": "del17p", "SO:0000159": "deletion", "SO:0001483": "mutation"}.get(
            concept.codings[0].code if concept.codings else "", ""
        )

    def procedure(self, concept: Concept) -> ProcedureMatch | None:
        words = _words(concept)
        if "stem cell transplant" in words or "38241" in words:
            return ProcedureMatch(kind="autologous-sct")
        return ProcedureMatch(kind="cart-infusion") if "car-t" in words else None

    def plan(self, concept: Concept, reasons: Sequence[str] = ()) -> PlanMatch | None:
        words = " ".join([_words(concept), *reasons]).lower()
        if "apheresis" in words and "stem cell" not in words:
            return PlanMatch("leukapheresis", "apheresis", of_t_cells="leuk" in words)
        match = self.procedure(concept)
        if match is None:
            return None
        cells = match.kind == "cart-infusion"
        return PlanMatch(match.kind, "car-t" if cells else "transplant", of_t_cells=cells)

    def is_put_off(self, reason: str) -> bool:
        return "postponed" in reason.lower()

    def car_t_feasible(self, text: str) -> bool | None:
        words = text.lower()
        if "car-t" not in words or not any(one in words for one in ("eligible", "candidate", "declined")):
            return None
        return not any(one in words for one in ("not", "ineligible", "declined"))

    def car_t_feasible_answer(self, question: str, answer: str) -> bool | None:
        if "car-t" in question.lower() and answer.lower() in ("yes", "no"):
            return answer.lower() == "yes"
        return self.car_t_feasible(answer)

    def comorbidity(self, concept: Concept, severity: Concept | None = None) -> ComorbidityMatch | None:
        if "neuropathy" not in _words(concept) or "no neuropathy" in _words(concept):
            return None
        words = _words(concept) + " " + (_words(severity) if severity else "")
        grade = re.search(r"grade (\d)", words)
        return ComorbidityMatch(
            concept="peripheral-neuropathy",
            severity=f"grade-{grade[1]}" if grade else "severe" if "severe" in words else "",
        )

    def denied_comorbidities(self, concept: Concept) -> tuple[str, ...]:
        return ("peripheral-neuropathy",) if "no neuropathy" in _words(concept) else ()

    def comorbidity_as_a_whole(self, concept: Concept) -> str:
        return "peripheral-neuropathy" if concept.text.lower() == "neuropathy" else ""

    def asks_for_comorbidity(self, concept: Concept) -> bool:
        return "neuropathy" in _words(concept)

    def comorbidity_answer(
        self, question: Concept, answer: Concept, number: float | None = None
    ) -> ComorbidityMatch | None:
        if "neuropathy" not in _words(question) or not answer.text:
            return None
        return ComorbidityMatch("peripheral-neuropathy", present="absent" not in answer.text)

    def told_in_report(self, text: str) -> tuple[tuple[str, bool], ...]:
        return (("extramedullary-disease", True),) if "extramedullary" in text.lower() else ()

    def is_told_in_reports(self, comorbidity: str) -> bool:
        return comorbidity == "extramedullary-disease"

    def asserted_answer(self, concept: Concept) -> str:
        return ""

    def names_asserted_drug(self, concept: Concept) -> bool:
        return False

    def asserted_drug(self, concept: Concept, *, on: date | None = None) -> str:
        return ""

    def asserted_question(self, concept: Concept) -> None:
        return None

    def line_number(self, text: str) -> int | None:
        match = re.search(r"line (\d)", text.lower())
        return int(match[1]) if match else None
