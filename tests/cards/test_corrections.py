"""What a suggestion would record, recorded: the next call reads it back, and the state is what it says."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from cds_service.assess import Assessment, Assessor, Question
from cds_service.cards.corrections import Corrections
from cds_service.cards.orders import Recipient
from cds_service.cards.wording import LANGUAGES, Wording
from cds_service.demo import bundle_of
from cds_service.fhir.read import resources_of
from cds_service.knowledge.load import demo_patients
from cds_service.knowledge.types import Knowledge
from cds_service.patient.types import PatientState, Status, Unknown
from tests.clinical.notation import PATIENT, Notation
from tests.clinical.table import cases
from tests.publish.judges import complaints
from tests.shipped import KNOWLEDGE

Resource = dict[str, Any]

ASSESSOR = Assessor(KNOWLEDGE)
CORRECTIONS = Corrections(KNOWLEDGE, Wording(KNOWLEDGE.cards))
SETTLED_BY_NONE = {"medication-history", "ecog", "exposed", "unidentified", "car-t", "transplant"}


class Chart:
    """Resources of one patient on one day, their assessment, and the suggestions for it."""

    def __init__(self, resources: list[Resource], as_of: date, patient: str, language: str = "en") -> None:
        self.resources = resources
        self.question = Question(as_of=as_of, patient_id=patient, language=language, validation="off")
        self.told: Assessment = ASSESSOR.assess(resources, self.question)
        self.recipient = Recipient(f"Patient/{patient}", "Encounter/e1", (), as_of)

    @property
    def _rest(self) -> tuple[Any, ...]:
        number = itertools.count()
        return (
            self.told.state,
            self.told.record,
            self.recipient,
            self.question.language,
            lambda: f"uuid-{next(number)}",
        )

    def for_unknowns(self, *unknowns: Unknown) -> list[Resource]:
        return CORRECTIONS.for_unknowns(unknowns or self.told.state.unknown, *self._rest)

    def for_state(self) -> list[Resource]:
        return CORRECTIONS.for_state(*self._rest)

    def for_drug(self, drug: str) -> list[Resource]:
        return CORRECTIONS.for_drug(drug, *self._rest)

    def after(self, suggestion: Resource, days: int = 0, *, as_server: bool = False) -> PatientState:
        """The state derived once the suggestion was accepted, so many days later."""
        created = [action["resource"] for action in suggestion["actions"]]
        created = [copy.deepcopy(one) | {"id": f"accepted-{n}"} for n, one in enumerate(created)]
        if as_server:
            created = [_returned(one) for one in created]
        question = replace(self.question, as_of=self.question.as_of + timedelta(days))
        return ASSESSOR.assess([*self.resources, *created], question).state


def _returned(resource: Resource) -> Resource:
    """As a server may hand it back: absolute references, more codings, amended, with a meta."""
    base = "https://ehr.example.org/fhir/"
    resource["status"] = "amended"
    resource["meta"] = {"versionId": "2", "lastUpdated": "2030-01-01T00:00:00Z"}
    resource["subject"]["reference"] = base + resource["subject"]["reference"]
    for based in resource.get("derivedFrom", ()):
        based["reference"] = base + based["reference"]
    for concept in [
        resource["code"],
        *([resource["valueCodeableConcept"]] if "valueCodeableConcept" in resource else []),
    ]:
        concept["coding"].insert(0, {"system": "urn:oid:1.2.3.4", "code": "4711", "display": "local"})
    for component in resource.get("component", ()):
        component["code"]["coding"].insert(0, {"system": "urn:oid:1.2.3.4", "code": "4712"})
    return resource


def assertions_of(suggestion: Resource) -> list[tuple[str, str]]:
    told = suggestion["extension"]["org.myeloma-cds"]["assertions"]
    return [tuple(one.split("=")) for one in told]


def shown(state: PatientState, suggestion: Resource) -> None:
    """The state is what the suggestion said it would record."""
    in_force = {(one.what, one.value) for one in state.asserted if one.in_force}
    for what, value in assertions_of(suggestion):
        kind, _, drug = what.partition(":")
        assert (what, value) in in_force
        if kind == "refractory":
            assert (state.drugs[drug].status is Status.REFRACTORY) is (value == "refractory")
            assert state.drugs[drug].status is not Status.UNKNOWN
        elif kind == "intolerant":
            assert (drug in state.intolerant) is (value == "intolerant")
        elif kind == "prior-lines":
            assert state.prior_lines == int(value)
        elif value == "progression":
            assert state.diagnosis.relapse is not None


def patients() -> Iterator[Chart]:
    for patient in demo_patients().values():
        for language in LANGUAGES:
            resources = list(resources_of(bundle_of(patient)))
            day = date.fromisoformat(patient["as_of"])
            identity = patient.get("patient_id") or ""
            yield Chart(resources, day, identity, language)


def of_case(name: str) -> Chart:
    case = next(one for one in cases() if one.name == name)
    return Chart(Notation(KNOWLEDGE).resources(case.chart), case.as_of, PATIENT)


def noted(chart: str, as_of: date = date(2026, 11, 1), language: str = "en") -> Chart:
    return Chart(Notation(KNOWLEDGE).resources(chart), as_of, PATIENT, language)


OPEN_STOP = """
2021-02-01..2021-07-30 bortezomib, dexamethasone
2021-02-01..? lenalidomide
2026-09-10 progression
"""


# ---- every test patient ------------------------------------------------------------------------------------
def test_what_the_suggestions_record_of_every_patient_is_valid_and_read_back() -> None:
    recorded = 0
    for chart in patients():
        offered = [*chart.for_unknowns(), *chart.for_state()]
        offered += [one for drug in chart.told.state.drugs for one in chart.for_drug(drug)]
        for suggestion in offered:
            for action in suggestion["actions"]:
                assert action["type"] == "create" and action["description"]
                assert complaints(action["resource"]) == []
                assert action["resource"]["subject"] == {"reference": chart.recipient.subject}
                assert action["resource"]["effectiveDateTime"] == chart.question.as_of.isoformat()
                recorded += 1
            for as_server in (False, True):
                shown(chart.after(suggestion, as_server=as_server), suggestion)
    assert recorded > 60


def test_every_unknown_of_every_patient_is_settled_or_not_offered() -> None:
    for chart in patients():
        for unknown in chart.told.state.unknown:
            offered = chart.for_unknowns(unknown)
            if unknown.what.partition(":")[0] in SETTLED_BY_NONE:
                assert offered == []
            for suggestion in offered:
                after = chart.after(suggestion)
                assert unknown.what not in {one.what for one in after.unknown}, (unknown, suggestion["label"])
            if unknown.what.startswith("refractory:"):
                assert len(offered) >= 2


def test_the_same_of_every_clinical_case() -> None:
    """Charts of all kinds: what is offered settles, today and a month later, unless the chart says more."""
    settled: dict[str, int] = {}
    notation = Notation(KNOWLEDGE)
    for case in cases():
        chart = Chart(notation.resources(case.chart), case.as_of, PATIENT)
        for unknown in chart.told.state.unknown:
            kind = unknown.what.partition(":")[0]
            if kind in SETTLED_BY_NONE:
                continue
            for suggestion in chart.for_unknowns(unknown):
                after = chart.after(suggestion)
                shown(after, suggestion)
                assert unknown.what not in {one.what for one in after.unknown}, (case.name, unknown.what)
                settled[kind] = settled.get(kind, 0) + 1
    assert set(settled) >= {"refractory", "progression-date", "laboratory-progression"}
    assert sum(settled.values()) > 100


# ---- what is offered ---------------------------------------------------------------------------------------
def labels(suggestions: list[Resource]) -> list[str]:
    return [one["label"] for one in suggestions]


def test_an_open_refractoriness_is_answered_by_yes_no_or_the_reason_for_the_stop() -> None:
    chart = noted(OPEN_STOP)
    offered = chart.for_unknowns()
    assert labels(offered) == [
        "Record: the disease is refractory to lenalidomide",
        "Record: the disease is not refractory to lenalidomide",
        "Record: lenalidomide was not tolerated, and the disease is not refractory to it",
    ]
    assert [assertions_of(one) for one in offered] == [
        [("refractory:lenalidomide", "refractory")],
        [("refractory:lenalidomide", "not-refractory")],
        [("intolerant:lenalidomide", "intolerant"), ("refractory:lenalidomide", "not-refractory")],
    ]
    # A client that takes the first action alone must not end up with a drug that is not borne.
    first_alone = copy.deepcopy(offered[2])
    first_alone["actions"] = first_alone["actions"][:1]
    assert "lenalidomide" in chart.after(first_alone).intolerant
    for days in (1, 30, 400):
        assert chart.after(offered[0], days).drugs["lenalidomide"].status is Status.REFRACTORY
        assert chart.after(offered[1], days).drugs["lenalidomide"].status is Status.EXPOSED


def test_in_italian() -> None:
    chart = noted(OPEN_STOP, language="it")
    assert labels(chart.for_unknowns())[:2] == [
        "Registra: malattia refrattaria a lenalidomide",
        "Registra: malattia non refrattaria a lenalidomide",
    ]
    resource = chart.for_unknowns()[0]["actions"][0]["resource"]
    assert resource["code"]["text"] == "refrattarietà del mieloma a un farmaco"
    text = resource["note"][0]["text"]
    assert (
        "lasciava aperto: se la malattia è refrattaria a lenalidomide. Proposto da myeloma-cds, conosc"
        in text
    )


def test_italian_gives_no_drug_a_gender() -> None:
    not_borne = noted(OPEN_STOP, language="it").for_unknowns()[2]
    assert not_borne["label"] == "Registra: intolleranza a lenalidomide, malattia non refrattaria al farmaco"
    assert not_borne["actions"][0]["description"].endswith(": lenalidomide, intolleranza")
    chart = noted("2024-03-01..2024-05-01 bortezomib, stopped: toxicity\n", language="it")
    (tolerated,) = chart.for_drug("bortezomib")
    assert tolerated["label"] == "Registra: buona tolleranza a bortezomib"
    assert "bortezomib: sospensione per tossicità" in tolerated["actions"][0]["resource"]["note"][0]["text"]


def _note(suggestion: Resource) -> str:
    return str(suggestion["actions"][0]["resource"]["note"][0]["text"])


def test_the_observation_says_what_it_corrects_of_whom_and_by_which_knowledge() -> None:
    (action,) = noted(OPEN_STOP).for_unknowns()[1]["actions"]
    assert action["description"] == "Records in the chart, as of 2026-11-01: lenalidomide, not refractory"
    resource = action["resource"]
    assert resource["status"] == "final"
    assert resource["encounter"] == {"reference": "Encounter/e1"}
    (note,) = resource["note"]
    version = KNOWLEDGE.version.version
    assert note["text"] == (
        "Recorded by a clinician through a suggestion; it answers what the chart left open: whether the "
        f"disease is refractory to lenalidomide. Offered by myeloma-cds, knowledge {version}."
    )
    (component,) = resource["component"]
    drug = component["valueCodeableConcept"]
    assert drug["text"] == "lenalidomide"
    known = KNOWLEDGE.drugs["lenalidomide"].order_codes
    assert {one["code"] for one in drug["coding"]} == {"lenalidomide", *(code for code, _ in known.values())}


def test_when_the_disease_progressed_is_answered_by_its_status_in_a_standard_code() -> None:
    chart = noted("""
        2022-02-01..2026-02-20 lenalidomide, dexamethasone
        2026-03-01.. daratumumab, bortezomib, dexamethasone
        2026 progression
        """)
    (asked,) = [one for one in chart.told.state.unknown if one.what == "progression-date"]
    progressing, stable = chart.for_unknowns(asked)
    codes = [
        [(one["system"], one["code"]) for one in concept["coding"]]
        for suggestion in (progressing, stable)
        for concept in (
            suggestion["actions"][0]["resource"]["code"],
            suggestion["actions"][0]["resource"]["valueCodeableConcept"],
        )
    ]
    assert [pairs[0] for pairs in codes] == [
        ("http://loinc.org", "97509-4"),
        ("http://snomed.info/sct", "271299001"),
        ("http://loinc.org", "97509-4"),
        ("http://snomed.info/sct", "359746009"),
    ]
    assert "display" not in progressing["actions"][0]["resource"]["valueCodeableConcept"]["coding"][0]
    assert "left open: the status of the disease. Offered by" in _note(progressing)
    assert chart.after(progressing).needs_treatment_choice
    assert chart.after(progressing).drugs["daratumumab"].status is Status.REFRACTORY
    assert not chart.after(stable).needs_treatment_choice
    assert chart.after(stable).drugs["daratumumab"].status is Status.EXPOSED
    # It rests on the Observation that it settles, and so goes on counting when a day has passed.
    assert stable["actions"][0]["resource"]["derivedFrom"] == [{"reference": "Observation/line-4"}]
    assert chart.after(stable, 30).drugs["daratumumab"].status is not Status.UNKNOWN


def test_a_status_that_a_client_stores_without_our_codes_is_still_read() -> None:
    chart = noted("2024-02-01.. lenalidomide, dexamethasone\n2026-05-01 response PR\n")
    (suggestion,) = chart.for_state() or [None]
    resource = suggestion["actions"][0]["resource"]
    for concept in (resource["code"], resource["valueCodeableConcept"]):
        concept["coding"] = [one for one in concept["coding"] if "myeloma-cds" not in one["system"]]
    assert chart.after(suggestion).needs_treatment_choice


def test_the_number_of_lines_from_those_known_up_to_three_more() -> None:
    chart = noted(
        "2026-02-01..2026-09-01 daratumumab, bortezomib, dexamethasone, line 1\n2026-08-20 progression\n"
    )
    asked = Unknown("prior-lines", "the number of prior lines", True)
    offered = chart.for_unknowns(asked)
    assert [assertions_of(one) for one in offered] == [[("prior-lines", str(n))] for n in (1, 2, 3, 4)]
    assert labels(offered)[:2] == ["Record: 1 prior line of therapy", "Record: 2 prior lines of therapy"]
    assert [one["actions"][0]["resource"]["valueInteger"] for one in offered] == [1, 2, 3, 4]
    assert [chart.after(one).prior_lines for one in offered] == [1, 2, 3, 4]
    assert "left open: the number of prior lines of therapy. Offered by" in _note(offered[0])


def test_a_rise_that_nothing_confirms_is_answered_until_another_value_comes() -> None:
    chart = noted("""
        2024-01-10.. lenalidomide, dexamethasone
        M-protein in g/dL: 2024-01-05 4.0, 2024-06-01 1.0, 2024-07-01 1.0, 2026-10-10 1.9
        """)
    (asked,) = [one for one in chart.told.state.unknown if one.what == "laboratory-progression"]
    assert [assertions_of(one) for one in chart.for_unknowns(asked)] == [
        [("disease-status", "progression")],
        [("disease-status", "stable")],
    ]


def test_nothing_is_offered_for_what_no_single_observation_settles() -> None:
    chart = noted("2026-09-10 progression\n2020-02-01 autologous transplant\n")
    (asked,) = [one for one in chart.told.state.unknown if one.what == "medication-history"]
    assert chart.for_unknowns(asked) == []


def test_nothing_is_offered_of_a_drug_that_may_never_have_been_given() -> None:
    chart = noted("2020-01-01 lenalidomide, intended\n2026-09-10 progression\n2024-02-01 CAR-T infusion\n")
    asked = [one for one in chart.told.state.unknown if one.what.startswith("refractory:")]
    assert asked
    for suggestion in chart.for_unknowns(*asked):
        (what, _), *_ = assertions_of(suggestion)
        assert chart.told.state.drugs[what.partition(":")[2]].given


def test_without_a_patient_or_an_encounter_to_name() -> None:
    chart = noted(OPEN_STOP)
    chart.recipient = replace(chart.recipient, encounter="")
    assert "encounter" not in chart.for_unknowns()[0]["actions"][0]["resource"]
    chart.recipient = replace(chart.recipient, subject="")
    assert chart.for_unknowns() == chart.for_state() == chart.for_drug("lenalidomide") == []


def test_a_quiet_state_is_corrected_by_a_progression() -> None:
    chart = noted(
        "2024-02-01.. lenalidomide, dexamethasone\n2024-09-01 response CR\nmultiple myeloma in remission\n"
    )
    (suggestion,) = chart.for_state()
    assert assertions_of(suggestion) == [("disease-status", "progression")]
    assert chart.after(suggestion).needs_treatment_choice
    assert noted("2024-02-01.. lenalidomide\n2026-09-10 progression\n").for_state() == []
    assert noted("no diagnosis\nAL amyloidosis\n2024-02-01.. daratumumab\n").for_state() == []


def test_what_a_conflict_rests_on_is_corrected_where_a_word_goes_above_it() -> None:
    chart = noted("""
        2022-02-01..2024-02-20 lenalidomide, dexamethasone, stopped: progression
        2024-03-01..2024-05-01 bortezomib, stopped: toxicity
        allergy to daratumumab
        intolerance to carfilzomib
        """)
    assert [assertions_of(one) for one in chart.for_drug("lenalidomide")] == [
        [("refractory:lenalidomide", "not-refractory")]
    ]
    (tolerated,) = chart.for_drug("bortezomib")
    assert "bortezomib" not in chart.after(tolerated).intolerant
    assert chart.for_drug("daratumumab") == chart.for_drug("carfilzomib") == chart.for_drug("no-drug") == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_texts_name_every_drug_that_may_be_asked_for(knowledge: Knowledge, language: str) -> None:
    for drug in ("lenalidomide", "ciltacabtagene-autoleucel"):
        name = knowledge.drugs[drug].name.in_language(language)
        told = Wording(knowledge.cards).text("corrections/label/refractory", language, drug=name)
        assert name in told
