"""The table of requirements is whole, and each row is held by a test that cites it or says why not."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
TESTS = HERE.parent
ROOT = TESTS.parent
LEVELS = {"SHALL", "SHALL NOT", "SHOULD", "SHOULD NOT", "MAY", "conditional", "advice", "practice", "none"}
DUTIES = {"SHALL", "SHALL NOT", "conditional"}
NUMBERS = range(1, 152)
# Named here as well as in their rows, so that no other duty can be excused by a word in the table.
NOT_BUILT = {2, *range(130, 148)}


@cache
def rows() -> list[dict[str, Any]]:
    return list(yaml.safe_load((HERE / "requirements.yaml").read_text(encoding="utf-8"))["requirements"])


def _numbers_cited(decorator: ast.expr) -> Iterator[int]:
    """The numbers of ``@requirement(...)`` or ``@pytest.mark.requirement(...)``."""
    if not isinstance(decorator, ast.Call):
        return
    called = decorator.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    if name == "requirement":
        for argument in decorator.args:
            assert isinstance(argument, ast.Constant) and isinstance(argument.value, int), ast.dump(argument)
            yield argument.value


@cache
def cited() -> dict[int, set[str]]:
    """By number, the files of tests that cite it."""
    found: dict[int, set[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for number in (n for decorator in node.decorator_list for n in _numbers_cited(decorator)):
                    found.setdefault(number, set()).add(path.relative_to(ROOT).as_posix())
    return found


def test_each_number_stands_once() -> None:
    assert Counter(row["number"] for row in rows()) == Counter(NUMBERS)
    assert [row["number"] for row in rows()] == list(NUMBERS), "the rows are not in order"


def test_each_row_says_what_who_and_where() -> None:
    for row in rows():
        assert set(row) in (
            {"number", "level", "binds", "says", "tested"},
            {"number", "level", "binds", "says", "not_tested"},
        ), row
        assert row["level"] in LEVELS and row["binds"] in {"service", "client", "both", "none"}, row
        assert 10 <= len(row["says"]) <= 120, row


def test_each_row_names_the_files_that_cite_it() -> None:
    out_of_step = {
        row[
            "number"
        ]: f"cited in {sorted(cited().get(row['number'], ()))}, the row says {row.get('tested', [])}"
        for row in rows()
        if set(row.get("tested", ())) != cited().get(row["number"], set())
    }
    assert out_of_step == {}


def test_each_number_that_a_test_cites_exists() -> None:
    assert set(cited()) <= set(NUMBERS)


def test_each_duty_of_a_service_has_a_test() -> None:
    duties = [row for row in rows() if row["binds"] in ("service", "both") and row["level"] in DUTIES]
    assert len(duties) > 45
    untested = {row["number"] for row in duties if not row.get("tested")}
    assert untested == {row["number"] for row in duties} & NOT_BUILT
    assert all(len(row["not_tested"]) > 20 for row in rows() if "not_tested" in row)


def test_the_table_for_people_names_each_row() -> None:
    """docs/conformance.md says of each row what is done here; its first column holds numbers and ranges."""
    told: list[int] = []
    for line in (ROOT / "docs/conformance.md").read_text(encoding="utf-8").splitlines():
        first = re.match(r"\|\s*(\d[\d, -]*?)\s*\|", line)
        for part in first[1].split(",") if first else ():
            low, _, high = part.strip().partition("-")
            told.extend(range(int(low), int(high or low) + 1))
    assert Counter(told) == Counter(NUMBERS)
