# ruff: noqa: E501 - a case a line, so that tables read as tables
"""Bundles of every kind, Parameters, prefetch values: what comes out, and what is known to be missing."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.fhir.read import read, resources_of
from cds_service.record import Completeness
from tests.fhir.charts import AS_OF, condition, observation, person, statement
from tests.fhir.stand_in import StandIn


def bundle(*entries: Any, kind: str = "collection", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries), **more}


def holding(resource: Any) -> dict[str, Any]:
    return {"resource": resource}


def outcome(severity: str, code: str = "processing", **more: Any) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code, **more}]}


NO_RESULTS = outcome(
    "warning",
    "processing",
    details={"coding": [{"system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.657369", "code": "4101"}]},
)
NEXT = [{"relation": "self", "url": "x"}, {"relation": "next", "url": "y"}]


@pytest.mark.parametrize(
    ("sent", "types", "completeness", "codes"),
    [
        (None, [], "complete", []),
        ([], [], "complete", []),
        (bundle(), [], "complete", []),
        (bundle(kind="searchset", total=0), [], "complete", []),
        (statement(), ["MedicationStatement"], "complete", []),
        ([statement(), condition()], ["MedicationStatement", "Condition"], "complete", []),
        (bundle(holding(statement()), holding(person())), ["MedicationStatement", "Patient"], "complete", []),
        (bundle(holding(bundle(holding(bundle(holding(statement()))))), kind="batch-response"), ["MedicationStatement"], "complete", []),
        ({"resourceType": "Parameters", "parameter": [{"name": "chart", "resource": bundle(holding(statement()))}]}, ["MedicationStatement"], "complete", []),
        ({"resourceType": "Parameters", "parameter": [{"name": "a", "part": [{"name": "b", "resource": statement()}]}]}, ["MedicationStatement"], "complete", []),
        (bundle(holding(statement()), link=NEXT), ["MedicationStatement"], "partial", ["missing-page"]),
        (bundle({"request": {"method": "DELETE", "url": "Patient/p9"}}, {"response": {"status": "201 Created"}}), [], "complete", []),
        (bundle({"response": {"status": "404 Not Found"}}), [], "absent", ["data-unknown"]),
        (bundle({"response": {"status": "200", "outcome": outcome("information")}}), [], "complete", []),
        (bundle({"search": {"mode": "outcome"}, "resource": NO_RESULTS}, kind="searchset", total=0), [], "complete", []),
        (NO_RESULTS, [], "complete", []),
        (outcome("error", "exception"), [], "absent", ["data-unknown"]),
        (outcome("fatal"), [], "absent", ["data-unknown"]),
        (bundle(holding(statement()), holding(outcome("error"))), ["MedicationStatement"], "partial", ["data-unknown"]),
        (bundle(holding(statement()), holding(outcome("warning", "incomplete"))), ["MedicationStatement"], "complete", ["server-warning"]),
        (bundle(holding(statement()), holding(outcome("information"))), ["MedicationStatement"], "complete", []),
        (bundle(statement()), ["MedicationStatement"], "complete", ["repaired"]),
        (bundle(None, {}, {"fullUrl": "urn:uuid:1"}), [], "complete", []),
        ({"resourceType": "Bundle", "type": "collection", "entry": holding(statement())}, ["MedicationStatement"], "complete", []),
        (bundle(holding("junk"), holding(statement())), ["MedicationStatement"], "complete", ["unreadable-resource"]),
        (bundle(holding({}), holding(statement())), ["MedicationStatement"], "complete", ["unreadable-resource"]),
        (bundle(holding({"id": "x"}), 5, holding(statement())), ["MedicationStatement"], "complete", ["unreadable-resource"]),
        (bundle(None, 1, "x", [], {}), [], "partial", ["unreadable-resource"]),
        ({"resourceType": "Bundle", "entry": "x"}, [], "partial", ["unreadable-bundle"]),
        ({"resourceType": "Bundle", "entry": 5}, [], "partial", ["unreadable-bundle"]),
        (bundle(link=NEXT), [], "partial", ["missing-page"]),
        (bundle(kind="searchset", total=7), [], "complete", []),
        ("not a resource", [], "partial", ["unreadable-resource"]),
        (17, [], "partial", ["unreadable-resource"]),
    ],
)  # fmt: skip
def test_what_comes_out(sent: Any, types: list[str], completeness: str, codes: list[str]) -> None:
    flat = resources_of(sent)
    assert [one["resourceType"] for one in flat] == types
    assert (flat.completeness, [issue.code for issue in flat.issues]) == (completeness, codes)


@pytest.mark.parametrize(
    ("sent", "completeness", "codes"),
    [
        (None, "complete", []),
        (bundle(kind="searchset", total=0), "complete", []),
        (NO_RESULTS, "complete", []),
        (bundle(holding(condition())), "complete", []),
        (bundle(holding(condition()), holding(person())), "complete", []),
        (bundle(holding(condition()), holding({})), "complete", ["unreadable-resource"]),
        (bundle(holding(observation())), "absent", ["unexpected-resources"]),
        (person(), "absent", ["unexpected-resources"]),
        (bundle(holding(person()), link=NEXT), "absent", ["missing-page", "unexpected-resources"]),
        (bundle(holding(outcome("error")), holding(person())), "absent", ["data-unknown", "unexpected-resources"]),
        (bundle(holding(outcome("error")), holding(condition())), "partial", ["data-unknown"]),
        (bundle(link=NEXT), "partial", ["missing-page"]),
        (bundle(kind="searchset", total=7), "partial", ["missing-page"]),
        (bundle(None, 1, "x", [], {}), "partial", ["unreadable-resource"]),
        ({"resourceType": "Bundle", "entry": "x"}, "partial", ["unreadable-bundle"]),
    ],
)  # fmt: skip
def test_what_answers_the_question_for_conditions(sent: Any, completeness: str, codes: list[str]) -> None:
    flat = resources_of(sent, "Condition")
    assert (flat.completeness, [issue.code for issue in flat.issues]) == (completeness, codes)


def test_one_strange_entry_does_not_make_the_chart_incomplete() -> None:
    record = read(resources_of(bundle(holding(statement()), holding({}))), StandIn(), as_of=AS_OF)
    assert set(record.completeness.values()) == {Completeness.COMPLETE}
    assert [issue.code for issue in record.issues] == ["unreadable-resource"]


def test_a_bundle_nested_without_end() -> None:
    nested: dict[str, Any] = bundle(holding(statement()))
    for _ in range(400):
        nested = bundle(holding(nested))
    flat = resources_of(nested)
    assert ([issue.code for issue in flat.issues], flat.completeness) == (["unreadable-bundle"], "partial")


def test_what_a_history_says_was_deleted_stays_deleted() -> None:
    history = bundle(
        {"request": {"method": "DELETE", "url": "MedicationStatement/m1"}},
        holding(statement()),
        holding(condition()),
        kind="history",
    )
    assert [one["resourceType"] for one in resources_of(history)] == ["Condition"]


def test_the_content_of_a_resource_is_not_touched() -> None:
    sent = statement()
    flat = resources_of(bundle({"fullUrl": "urn:uuid:1", "resource": sent}))
    assert flat[0] == sent


def test_what_the_bundle_says_reaches_the_record() -> None:
    record = read(resources_of(bundle(holding(statement()), link=NEXT)), StandIn(), as_of=AS_OF)
    assert [issue.code for issue in record.issues] == ["missing-page"]
    assert set(record.completeness.values()) == {Completeness.PARTIAL}


def test_what_the_caller_says_of_completeness_stands() -> None:
    told = {"medicationStatements": Completeness.COMPLETE, "observations": Completeness.PARTIAL}
    record = read([statement(), condition()], StandIn(), as_of=AS_OF, completeness=told)
    assert record.completeness["medicationStatements"] is Completeness.COMPLETE
    assert record.completeness["observations"] is Completeness.PARTIAL
    assert record.completeness["conditions"] is Completeness.PARTIAL  # some came, nobody said whether all
    assert record.completeness["procedures"] is Completeness.ABSENT


def test_an_unreadable_resource_makes_its_kind_partial() -> None:
    nameless = statement(medicationCodeableConcept={})
    record = read([nameless, observation()], StandIn(), as_of=AS_OF)
    assert record.completeness["medicationStatements"] is Completeness.PARTIAL
    assert record.completeness["observations"] is Completeness.COMPLETE
    assert [(issue.code, issue.where) for issue in record.issues] == [
        ("unreadable-resource", "MedicationStatement/m1")
    ]


def test_an_exception_while_reading_costs_one_resource_and_tells_nothing_of_it() -> None:
    class Failing(StandIn):
        def drugs(self, concept: Any, *, on: Any = None) -> Any:
            raise KeyError("Maria Rossi")

    record = read([statement(), condition()], Failing(), as_of=AS_OF)
    assert len(record.diagnoses) == 1
    assert [issue.text for issue in record.issues] == ["MedicationStatement/m1 could not be read (KeyError)."]
    assert record.completeness["medicationStatements"] is Completeness.PARTIAL
