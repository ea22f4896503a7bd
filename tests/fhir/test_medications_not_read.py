"""A treatment in words nobody understands: said, and nothing is called naive for it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cds_service.fhir.read import read
from cds_service.knowledge.types import Knowledge
from cds_service.patient.state import derive
from cds_service.record import ClinicalRecord
from cds_service.terminology import Terminology
from tests.fhir.charts import condition, person, statement

AS_OF = date(2025, 11, 21)


@pytest.fixture(scope="module")
def terminology(knowledge: Knowledge) -> Terminology:
    return Terminology(knowledge)


def charted(terminology: Terminology, text: str, **more: Any) -> ClinicalRecord:
    entry = statement(medicationCodeableConcept={"text": text}, **more)
    return read([person(), condition(), entry], terminology, as_of=AS_OF)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Car-dex", "half-read-medication"),
        ("Carfilzomib/Daratumumb/Dex", "half-read-medication"),
        ("daratumamab, bortezomb", "unmapped-code"),
        ("etentamig (ABBV-383)", "unmapped-code"),
        ("BBD", "unmapped-code"),
        ("CTD", "unmapped-code"),
        ("mantenimento con lenalidomidde", "unmapped-code"),
    ],
)
def test_a_treatment_not_read_is_an_issue_and_nothing_is_naive(
    knowledge: Knowledge, terminology: Terminology, text: str, code: str
) -> None:
    record = charted(terminology, text)
    assert code in {issue.code for issue in record.issues}
    assert any(text in issue.text for issue in record.issues)
    assert record.completeness["medicationStatements"] == "partial"
    state = derive(record, knowledge, AS_OF)
    assert "naive" not in {str(drug.status.value) for drug in state.drugs.values()}


@pytest.mark.parametrize(
    "more",
    [
        {"status": "stopped", "statusReason": [{"text": "disease progression"}]},
        {"reasonCode": [{"text": "multiple myeloma"}]},
        {"note": [{"text": "second line of therapy"}]},
    ],
)
def test_an_unknown_word_counts_where_the_entry_says_that_it_treated(
    terminology: Terminology, more: dict[str, Any]
) -> None:
    record = charted(terminology, "abcdefin", **more)
    assert {issue.code for issue in record.issues} == {"unmapped-code"}
    assert record.completeness["medicationStatements"] == "partial"


@pytest.mark.parametrize("text", ["abcdefin", "metoprolol", "paracetamol 1 g", "D-RVd", "Rev/Dex x6 cycles"])
def test_what_is_read_or_ordinary_is_silent(terminology: Terminology, text: str) -> None:
    record = charted(terminology, text)
    assert record.issues == ()
    assert record.completeness["medicationStatements"] == "complete"


def test_a_supportive_drug_with_the_myeloma_as_its_reason_is_silent(terminology: Terminology) -> None:
    record = charted(terminology, "allopurinol 300 mg", reasonCode=[{"text": "multiple myeloma"}])
    assert record.issues == ()
