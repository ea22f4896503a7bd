# ruff: noqa: E501 - one variant a line, so that the table reads as a table
"""What real clients send: 84 variants of payloads, what we must still read of each, and what is said of it.

The last column is what the R4B models of fhir.resources say, so that a change of the library is noticed.
None of it may change what is read.
"""

from __future__ import annotations

from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from tests.fhir.charts import (
    ATC,
    ICD,
    LENALIDOMIDE,
    MYELOMA,
    administration,
    chart,
    coded,
    condition,
    gone,
    issue_texts,
    observation,
    order,
    person,
    procedure,
    statement,
    told,
)

LEN = "lenalidomide given 2024-01-10 to 2024-06-30"
LEN_ONE_DAY = "lenalidomide given 2024-03-05 to 2024-03-05"
MM = "multiple-myeloma active 2024-03-05"
M2 = "m-protein-serum 2 g/dL 2025-05-01"
SCT = "autologous-sct 2024-09-01"

ok, reject, raises = "accept", "reject", "raises"


def taken(day: Any) -> dict[str, Any]:
    return statement(effectivePeriod=gone, effectiveDateTime=day)


def diagnosed(day: Any) -> dict[str, Any]:
    return condition(onsetDateTime=day)


def lenalidomide(**coding: Any) -> dict[str, Any]:
    return statement(medicationCodeableConcept={"coding": [{"system": ATC, "code": "L04AX04", **coding}]})


VARIANTS: list[tuple[str, dict[str, Any], list[str], str, str]] = [
    # what, the resource, what is read, part of the repair or issue ("" none), fhir.resources R4B
    # ---- good payloads that trip naive readers
    ("plain statement", statement(), [LEN], "", ok),
    ("an extension", statement(extension=[{"url": "http://x.example/e", "valueString": "v"}]), [LEN], "", ok),
    ("a modifierExtension", statement(modifierExtension=[{"url": "http://x.example/m", "valueBoolean": True}]), [LEN], "", ok),
    ("an extension on status", statement(_status={"extension": [{"url": "http://x.example/e", "valueCode": "z"}]}), [LEN], "", ok),
    ("status only as extension", statement(status=gone, _status={"extension": [{"url": "http://x.example/e", "valueCode": "z"}]}), [LEN], "", ok),
    ("_birthDate beside birthDate", person(_birthDate={"extension": [{"url": "http://x.example/t", "valueDateTime": "1951-04-02T10:00:00Z"}]}), [], "", ok),
    ("given names with a null", person(name=[{"given": ["A", None], "_given": [None, {"extension": [{"url": "http://x.example/e", "valueString": "v"}]}]}]), [], "", ok),
    ("contained Medication by #m", statement(medicationCodeableConcept=gone, medicationReference={"reference": "#med"}, contained=[{"resourceType": "Medication", "id": "med", "code": LENALIDOMIDE}]), [LEN], "", ok),
    ("text alone", statement(medicationCodeableConcept={"text": "Revlimid 25 mg"}), [LEN], "", ok),
    ("coding without system", statement(medicationCodeableConcept={"coding": [{"code": "L04AX04"}]}), [LEN], "", ok),
    ("coding with display alone", statement(medicationCodeableConcept={"coding": [{"display": "lenalidomide"}]}), [LEN], "", ok),
    ("several codings, ours last", condition(code={"coding": [{"system": "urn:local", "code": "X1"}, MYELOMA["coding"][0]]}), [MM], "", ok),
    ("reference by display alone", statement(medicationCodeableConcept=gone, medicationReference={"display": "Lenalidomide 10 mg"}), [LEN], "", ok),
    ("empty dosage object", statement(dosage=[{}]), [LEN], "", ok),
    # ---- what is required is missing
    ("no status", statement(status=gone), [LEN], "", reject),
    ("no subject", statement(subject=gone), [LEN], "", reject),
    ("order without intent", order(intent=gone), ["lenalidomide ordered 2025-03-01 to ongoing"], "no intent", reject),
    ("no medication at all", statement(medicationCodeableConcept=gone), [], "names no medication", reject),
    ("observation without status", observation(status=gone), [M2], "", reject),
    ("observation without code", observation(code=gone), [], "", reject),
    ("procedure without status", procedure(status=gone), [SCT], "no status", reject),
    ("condition without clinicalStatus", condition(clinicalStatus=gone), ["multiple-myeloma unknown 2024-03-05"], "", ok),
    ("condition without code", condition(code=gone), [], "", ok),
    ("no id", statement(id=gone), [LEN], "", ok),
    # ---- unknown fields, other releases
    ("unknown field", statement(acmeFlag=True), [LEN], 'unknown field "acmeFlag"', reject),
    ("unknown nested field", statement(medicationCodeableConcept={**LENALIDOMIDE, "acme": 1}), [LEN], "", reject),
    ("STU3 taken=y", statement(taken="y"), [LEN], 'unknown field "taken"', reject),
    ("R5 medication in R4 status", statement(medicationCodeableConcept=gone, medication={"concept": LENALIDOMIDE}), [LEN], "", reject),
    ("medication named twice", statement(medicationReference={"display": "lenalidomide"}), [LEN], "named twice", reject),
    ("two values", observation(valueString="20 g/L"), [M2], "", reject),
    ("contained of an unknown type", statement(contained=[{"resourceType": "Acme", "id": "x"}]), [LEN], "", raises),
    ("contained without a type", statement(contained=[{"id": "x"}]), [LEN], "", ok),
    # ---- dates
    ("a year", taken("2024"), ["lenalidomide given 2024 to 2024"], "", ok),
    ("a month", taken("2024-03"), ["lenalidomide given 2024-03 to 2024-03"], "", ok),
    ("a day", taken("2024-03-05"), [LEN_ONE_DAY], "", ok),
    ("an instant", taken("2024-03-05T10:00:00+01:00"), [LEN_ONE_DAY], "", ok),
    ("late evening stays its day", taken("2024-03-05T23:30:00-08:00"), [LEN_ONE_DAY], "", ok),
    ("leap second", taken("2024-03-05T23:59:60Z"), [LEN_ONE_DAY], "", ok),
    ("nine fraction digits", taken("2024-03-05T10:00:00.123456789Z"), [LEN_ONE_DAY], "", ok),
    ("time without zone", taken("2024-03-05T10:00:00"), [LEN_ONE_DAY], "time without zone", reject),
    ("time without seconds", taken("2024-03-05T10:00+01:00"), [LEN_ONE_DAY], "without seconds", reject),
    ("zone +0500", taken("2024-03-05T10:00:00+0500"), [LEN_ONE_DAY], "zone in another notation", reject),
    ("blank instead of T", taken("2024-03-05 10:00:00"), [LEN_ONE_DAY], "instead of T", reject),
    ("24:00", taken("2024-03-05T24:00:00Z"), [LEN_ONE_DAY], "hour 24", reject),
    ("the 30th of February", taken("2024-02-30"), ["lenalidomide given 2024-02 to 2024-02"], "day that its month does not have", reject),
    (".NET MinValue", taken("0001-01-01T00:00:00Z"), ["lenalidomide given ? to ?"], "placeholder", ok),
    ("1900-01-01", taken("1900-01-01"), ["lenalidomide given ? to ?"], "placeholder", ok),
    ("birthDate with time", person(birthDate="1951-04-02T00:00:00Z"), [], "birthDate with a time", reject),
    ("birthDate 12/09/1987", person(birthDate="12/09/1987"), [], "does not tell the day from the month", reject),
    ("onset 12/09/2024", diagnosed("12/09/2024"), ["multiple-myeloma active ?"], '"12/09/2024" does not tell', reject),
    ("onset 25/12/2024", diagnosed("25/12/2024"), ["multiple-myeloma active 2024-12-25"], "another notation", reject),
    ("HL7 v2 date", diagnosed("20240305"), [MM], "HL7 v2", reject),
    ("end in month 13", statement(effectivePeriod={"start": "2024-01-10", "end": "2024-13-01"}), ["lenalidomide given 2024-01-10 to ?"], '"2024-13-01" names a month', reject),
    ("date padded with blanks", diagnosed(" 2024-03-05 "), [MM], "date trimmed", reject),
    ("date as a number (the models read seconds since 1970)", diagnosed(20240305), [MM], "date written as a number", ok),
    ("date null", diagnosed(None), ["multiple-myeloma active ?"], "", ok),
    ("date an object", diagnosed({"value": "2024-03-05"}), ["multiple-myeloma active ?"], "is no date", reject),
    ("end 9999-12-31", statement(status="active", effectivePeriod={"start": "2024-01-10", "end": "9999-12-31"}), ["lenalidomide given 2024-01-10 to ongoing"], "placeholder", ok),
    # ---- texts and codes
    ("empty display", lenalidomide(display=""), [LEN], "", reject),
    ("empty status", statement(status=""), [LEN], "", reject),
    ("empty extension value", statement(extension=[{"url": "http://x.example/e", "valueString": ""}]), [LEN], "", reject),
    ("blank text", condition(code={**MYELOMA, "text": " "}), [MM], "", ok),
    ("code with a trailing blank", condition(code=coded("C90.00 ", ICD)), [MM], "code trimmed", reject),
    ("code with inner blanks", condition(code={"coding": [{"system": ICD, "code": "C90  00"}], "text": "Multiple myeloma"}), [MM], "inner blanks", reject),
    ("code as a number", statement(medicationCodeableConcept={"coding": [{"system": "urn:local", "code": 4711}], "text": "lenalidomide"}), [LEN], "code written as a number", reject),
    ("id as a number", statement(id=17), [LEN], "", reject),
    ("id with underscore", statement(id="m_1"), [LEN], "", reject),
    ("id of 80 characters", statement(id="m" * 80), [LEN], "", ok),
    ("a field null", statement(note=None), [LEN], "", ok),
    ("status in capitals", statement(status="COMPLETED"), [LEN], "written otherwise", ok),
    ("status weird", statement(status="weird"), [LEN], "", ok),
    ("gender F", person(gender="F"), [], "gender", ok),
    # ---- lists and objects
    ("coding empty", statement(medicationCodeableConcept={"coding": [], "text": "lenalidomide"}), [LEN], "", ok),
    ("coding [null]", statement(medicationCodeableConcept={"coding": [None], "text": "lenalidomide"}), [LEN], "empty entries", reject),
    ("coding [{}]", statement(medicationCodeableConcept={"coding": [{}], "text": "lenalidomide"}), [LEN], "", ok),
    ("concept {}", condition(severity={}), [MM], "", ok),
    ("category an object", order(category=coded("outpatient")), ["lenalidomide ordered 2025-03-01 to ongoing"], "category: one value where a list", reject),
    ("coding an object", condition(code={"coding": MYELOMA["coding"][0]}), [MM], "coding: one value where a list", reject),
    ("code a list", condition(code=[MYELOMA]), [MM], "code: a list where one value", reject),
    ("code a text", condition(code="Multiple myeloma"), [MM], "text where a concept belongs", reject),
    ("code a coding", condition(code=MYELOMA["coding"][0]), [MM], "a coding where a concept", reject),
    ("clinicalStatus a code (STU3)", condition(clinicalStatus="relapse"), ["multiple-myeloma relapse 2024-03-05"], "a code where a concept", reject),
    ("note a text", statement(note="stable"), [LEN], "text where an annotation", reject),
    ("status a list", statement(status=["completed"]), [LEN], "status: a list where one value", reject),
    ("status an object", statement(status=coded("completed")), [LEN], "status: a concept where a code", reject),
    ("period a date", statement(effectivePeriod="2024-01-10"), ["lenalidomide given 2024-01-10 to ?"], "a date where a period", reject),
    ("coding of texts", statement(medicationCodeableConcept={"coding": ["L04AX04"], "text": "lenalidomide"}), [LEN], "entry that is no object", reject),
    ("reference a text", statement(medicationCodeableConcept=gone, medicationReference="Medication/x"), [], "did not come along", reject),
    ("subject a text", statement(subject="Patient/p1"), [LEN], "", reject),
    # ---- numbers
    ("quantity as text", observation(valueQuantity={"value": "20", "unit": "g/L"}), [M2], "number written as text", ok),
    ("quantity with a decimal comma", observation(valueQuantity={"value": "20,0", "unit": "g/L"}), [M2], "number written as text", reject),
    ("integer as text", observation(code=coded("89247-1"), valueQuantity=gone, valueInteger="1"), ["ecog 1 2025-05-01"], "number written as text", ok),
    ("boolean as text", order(doNotPerform="false"), ["lenalidomide ordered 2025-03-01 to ongoing"], "boolean written otherwise", ok),
    ("boolean 1", order(doNotPerform=1), [], "boolean written otherwise", ok),
    # ---- what order-entry clients send
    ("empty codings beside a text", order(medicationCodeableConcept={"coding": [{"system": "", "code": ""}], "text": "lenalidomide"}), ["lenalidomide ordered 2025-03-01 to ongoing"], "an empty coding passed over", reject),
    ("administration with its date a period", administration(effectiveDateTime={"start": "2025-03-01"}), ["lenalidomide given 2025-03-01 to 2025-03-01"], "a period where a dateTime", reject),
]  # fmt: skip


def judged(resource: dict[str, Any]) -> str:
    from pydantic import ValidationError

    try:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    except ValidationError:
        return reject
    except KeyError:
        return raises
    return ok


def test_there_are_as_many_variants_as_were_measured() -> None:
    assert len(VARIANTS) >= 84


@pytest.mark.parametrize(
    ("resource", "read", "said"), [row[1:4] for row in VARIANTS], ids=[row[0] for row in VARIANTS]
)
def test_what_is_read_of_a_payload(resource: dict[str, Any], read: list[str], said: str) -> None:
    alone = chart(resource)
    assert told(alone) == read
    texts = " | ".join(issue.text for issue in alone.issues)
    assert said in texts
    if not said:
        assert texts == ""


@pytest.mark.parametrize(
    ("resource", "verdict"), [(row[1], row[4]) for row in VARIANTS], ids=[row[0] for row in VARIANTS]
)
def test_what_the_models_say_of_a_payload(resource: dict[str, Any], verdict: str) -> None:
    assert judged(resource) == verdict


@pytest.mark.parametrize("resource", [row[1] for row in VARIANTS], ids=[row[0] for row in VARIANTS])
def test_a_bad_resource_never_costs_the_others(resource: dict[str, Any]) -> None:
    companions = [condition(id="other-c", onsetDateTime="2020-01-01"), procedure(id="other-x")]
    together = chart(*companions, resource)
    assert "multiple-myeloma active 2020-01-01" in told(together)
    assert SCT in told(together)
    assert set(told(chart(resource))) <= set(told(together))


def test_the_birth_date_is_not_repeated_in_an_issue() -> None:
    record = chart(person(birthDate="12/09/1987"))
    assert "1987" not in issue_texts(record, "unreadable-date")


def test_many_like_repairs_become_one_issue() -> None:
    record = chart(
        *(statement(id=f"m{n}", effectivePeriod={"start": "2024-01-10T08:00:00"}) for n in range(9))
    )
    assert issue_texts(record, "repaired") == (
        "9 MedicationStatement resources: time without zone; MedicationStatement/m0 is one."
    )
