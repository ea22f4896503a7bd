"""What the code may not do: import against the flow, know a drug by name, name a package registry."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.knowledge.types import Knowledge

ROOT = Path(__file__).parents[1]
CODE = sorted((ROOT / "cds_service").rglob("*.py"))


def test_imports_point_inward() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def words_of(path: Path) -> Iterator[tuple[int, str]]:
    """Every name and every text of a module but its docstrings, with the line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(statement.value)
        for node in ast.walk(tree)
        if isinstance(node, documented) or hasattr(node, "body")
        for statement in (node.body if isinstance(node.body, list) else ())
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg


def test_the_code_knows_no_drug_by_name(knowledge: Knowledge) -> None:
    # What stands for treatment without a name is a word of the field, no drug.
    files = [drug for drug in knowledge.drug_files.values() if drug["role"] != "unidentified"]
    names = {drug["key"] for drug in files} | {drug["key"].split("-")[0] for drug in files}
    for drug in files:
        names |= {drug["name"]["en"], drug["name"].get("it", drug["name"]["en"])}
        names |= {name["text"] for name in drug.get("names", ())}
    # Abbreviations of three letters are words of English, too.
    pattern = re.compile(
        r"(?<![a-z])("
        + "|".join(sorted(re.escape(name.lower()) for name in names if len(name) > 4))
        + r")(?![a-z])"
    )
    found = [
        f"{path.relative_to(ROOT)}:{line}: {match[1]}"
        for path in CODE
        for line, text in words_of(path)
        if (match := pattern.search(text.lower().replace("_", "-")))
    ]
    assert found == []


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="no git checkout")
def test_no_package_registry_is_named() -> None:
    # Put together here, so that this file does not name one either.
    hosts = [
        ".".join(parts)
        for parts in (
            ("pypi", "org"),
            ("files", "pythonhosted", "org"),
            ("registry", "npmjs", "org"),
            ("registry-1", "docker", "io"),
            ("docker", "io"),
            ("ghcr", "io"),
            ("quay", "io"),
            ("proxy", "golang", "org"),
            ("repo", "maven", "apache", "org"),
        )
    ]
    pattern = "|".join(re.escape(host) for host in hosts)
    result = subprocess.run(
        ["git", "grep", "-nIiE", pattern], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.stdout == ""


@pytest.mark.parametrize("package", sorted({path.parent for path in CODE}), ids=lambda path: path.name)
def test_each_package_says_what_comes_in_and_goes_out(package: Path) -> None:
    start = package / "__init__.py"
    assert ast.get_docstring(ast.parse(start.read_text(encoding="utf-8"))), start
