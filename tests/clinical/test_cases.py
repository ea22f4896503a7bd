"""Each clinical case through the whole path, as a caller would ask it; see docs/clinical-cases.md."""

from __future__ import annotations

import pytest

from cds_service.assess import Assessor, Question
from tests.clinical.notation import PATIENT, Notation
from tests.clinical.table import Case, cases, differences, sentences

CASES = cases()
FORMS = [(form, case) for case in CASES for form in case.forms]


def _id(form: str, case: Case) -> str:
    return case.name if form == "statements" else f"{case.name} (as {form})"


@pytest.mark.parametrize(("form", "case"), FORMS, ids=[_id(form, case) for form, case in FORMS])
def test_the_state_is_what_a_haematologist_would_say(
    form: str, case: Case, notation: Notation, assessor: Assessor
) -> None:
    resources = notation.resources(case.chart, form, case.as_of)
    question = Question(
        as_of=case.as_of,
        region=case.region,
        language=case.language,
        patient_id=PATIENT,
        validation="relevant",
    )
    answer = assessor.assess(resources, question).to_json()
    invalid = [one["text"] for one in answer["issues"] if one["code"] == "invalid-fhir"]
    assert not invalid, "the notation must build valid FHIR"
    found = differences(case, answer["state"], answer["issues"], form)
    assert not found, "\n".join([case.name, *found])


def test_there_are_at_least_150_cases_each_under_its_own_name() -> None:
    names = [case.name for case in CASES]
    assert len(names) >= 150
    assert len(set(names)) == len(names)


def test_every_sentence_of_the_definitions_has_a_case_or_says_why_not() -> None:
    covered = {sentence for case in CASES for sentence in case.sentences}
    missing = [one.id for one in sentences() if not one.remark and one.id not in covered]
    assert not missing


def test_no_case_names_a_sentence_that_is_not_in_the_definitions() -> None:
    known = {one.id for one in sentences()}
    assert len(known) == len(sentences())
    assert not {sentence for case in CASES for sentence in case.sentences} - known
    assert all(case.sentences for case in CASES)
