"""No number of definitions/imwg.yaml is idle: changed either way, at least one clinical case no longer holds.

Cases name the numbers that decide them (``numbers``), by their path in the file; those are tried first. Each
number by which the state is derived is changed, up and down, and each entry of a list is left out.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from cds_service.cards.assessment import to_json
from cds_service.fhir.read import read
from cds_service.knowledge.types import Knowledge
from cds_service.patient.state import derive
from cds_service.record import ClinicalRecord
from cds_service.sequencing.types import Recommendation
from cds_service.terminology import Terminology
from tests.clinical.notation import PATIENT, Notation
from tests.clinical.table import Case, cases, differences

NOT_OF_THE_STATE_OF_THE_DISEASE = {
    "reach_days": "how long a value or an event speaks for the present: tests/definitions/test_fitness.py",
    "clearance": "the Cockcroft-Gault formula: tests/definitions/test_fitness.py",
    "recent_days": "infarction, dialysis: tests/definitions/test_findings_of_the_chart.py",
    "lasting": "findings that do not age: tests/definitions/test_findings_of_the_chart.py",
    "karnofsky": "performance status: tests/definitions/test_fitness.py",
    "frailty": "the frailty score: tests/definitions/test_frailty.py",
    "cytogenetics": "markers of risk: tests/definitions/test_findings_of_the_chart.py",
    "serology": "hepatitis B and HIV: tests/definitions/test_findings_of_the_chart.py",
    "pregnancy_potential": "who may become pregnant: tests/definitions/test_findings_of_the_chart.py",
    "response.relapse": "signs shown beside a progression, never one: tests/definitions/test_relapse.py",
    "response.calcium_correction": "the calcium that is shown: tests/definitions/test_laboratory.py",
}
"""Parts of the file that need not bite here, and why."""

_TELLS_WHENCE = ("source", "mark", "note", "last_checked")


@dataclass(frozen=True)
class Change:
    """One number or list entry of the definitions, made another."""

    path: tuple[str | int, ...]
    value: Any  # None: the entry is left out

    def __str__(self) -> str:
        where = ".".join(map(str, self.path))
        return f"{where} = {self.value}" if self.value is not None else f"{where} left out"

    @property
    def names(self) -> set[str]:
        """The paths under which a case may name it: its own, and that of the list it stands in."""
        return {".".join(map(str, self.path[:length])) for length in range(1, len(self.path) + 1)}

    def made(self, knowledge: Knowledge) -> Knowledge:
        """The knowledge with this change alone."""
        numbers = copy.deepcopy(dict(knowledge.definitions["imwg"]))
        place: Any = numbers
        for step in self.path[:-1]:
            place = place[step]
        if self.value is None:
            del place[self.path[-1]]
        else:
            place[self.path[-1]] = self.value
        return replace(knowledge, definitions={**knowledge.definitions, "imwg": numbers})


def changes(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[Change]:
    """Every change of the definitions: numbers clearly up and down, entries of lists left out."""
    if isinstance(node, Mapping):
        if node.get("used") is False:
            return  # a definition that a hospital may switch on
        for key, value in node.items():
            if not str(key).endswith(_TELLS_WHENCE):
                yield from changes(value, (*path, key))
    elif isinstance(node, list):
        for place, value in enumerate(node):
            if isinstance(value, Mapping) and value.get("used") is False:
                continue
            yield Change((*path, place), None)
            if isinstance(value, Mapping):
                yield from changes(value, (*path, place))
    elif isinstance(node, int) and not isinstance(node, bool):
        yield Change(path, node - 1)
        yield Change(path, node + 1)
    elif isinstance(node, float):
        yield Change(path, node * 0.9)
        yield Change(path, node * 1.1)


def _changes() -> list[Change]:
    from cds_service.knowledge.load import load

    numbers = load().definitions["imwg"]
    return [change for change in changes(numbers) if change.names.isdisjoint(NOT_OF_THE_STATE_OF_THE_DISEASE)]


class Table:
    """The cases as records, read once, and whether they hold under another knowledge."""

    def __init__(self, knowledge: Knowledge) -> None:
        notation, terminology = Notation(knowledge), Terminology(knowledge)
        self.records: list[tuple[Case, ClinicalRecord]] = [
            (
                case,
                read(
                    notation.resources(case.chart, as_of=case.as_of),
                    terminology,
                    as_of=case.as_of,
                    patient_id=PATIENT,
                ),
            )
            for case in cases()
        ]

    def first_that_fails(self, change: Change, knowledge: Knowledge) -> str | None:
        """The name of a case that does not hold; those that name the number are asked first."""
        ordered = sorted(self.records, key=lambda pair: not change.names & set(pair[0].numbers))
        return next((case.name for case, record in ordered if not _holds(case, record, knowledge)), None)


def _holds(case: Case, record: ClinicalRecord, knowledge: Knowledge) -> bool:
    state = derive(record, knowledge, case.as_of, case.language)
    told = to_json(
        region=case.region,
        pathway="default",
        as_of=case.as_of,
        version=knowledge.version,
        record=record,
        state=state,
        recommendation=Recommendation(case.region, "default", (), ()),
        cards=(),
        issues=(*record.issues, *state.issues),
        language=case.language,
    )
    return not differences(case, told["state"], told["issues"])


@pytest.fixture(scope="module")
def table(knowledge: Knowledge) -> Table:
    return Table(knowledge)


def test_all_cases_hold_as_the_definitions_are(table: Table, knowledge: Knowledge) -> None:
    assert [case.name for case, record in table.records if not _holds(case, record, knowledge)] == []


@pytest.mark.parametrize("change", _changes(), ids=str)
def test_some_case_fails_where_a_number_is_another(
    change: Change, table: Table, knowledge: Knowledge
) -> None:
    if table.first_that_fails(change, change.made(knowledge)) is None:
        pytest.fail(f"no case notices {change}", pytrace=False)


def test_cases_name_numbers_that_are_there(table: Table) -> None:
    known = {name for change in _changes() for name in change.names}
    named = {name for case, _ in table.records for name in case.numbers}
    assert not named - known
