"""What surrounds the code: the container, the make targets, the pinned versions."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
FINAL = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]


def test_the_dockerfile_passes_its_linter() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint is not there for this machine")
    result = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


def test_the_image_is_unprivileged_watched_and_without_build_tools() -> None:
    users = re.findall(r"^USER (\S+)", FINAL, re.MULTILINE)
    assert users and users[-1] not in ("0", "root")
    assert "HEALTHCHECK" in FINAL and "/health/ready" in FINAL
    assert "pip uninstall" in FINAL and "pip install" not in FINAL and "apt-get" not in FINAL
    assert 'CMD ["myeloma-cds", "serve"]' in FINAL


def test_the_image_does_not_decide_to_do_without_authentication() -> None:
    assert not re.search(r"^\s*(ENV\s+)?CDS_AUTH", DOCKERFILE, re.MULTILINE)


def test_what_the_dockerfile_copies_exists_and_is_let_through() -> None:
    allowed = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = {
        source
        for line in re.findall(r"^COPY (?!--)(.*)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert copied == allowed
    assert all((ROOT / source).exists() for source in copied)


def test_every_version_is_pinned_and_names_no_address() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split("\n")
    pins = [line for line in lines if line]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in pins)
    pinned = {line.partition("==")[0].lower().replace("_", "-").replace(".", "-") for line in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    named = {
        re.match(r"[A-Za-z0-9._-]+", one)[0].lower().replace("_", "-").replace(".", "-") for one in wanted
    }  # type: ignore[index]
    assert named <= pinned


def test_every_dependency_has_its_reason() -> None:
    reasons = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for one in [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]:
        name = re.match(r"[A-Za-z0-9._-]+", one)[0]  # type: ignore[index]
        assert name.lower() in reasons, name


@pytest.mark.parametrize("target", ["serve", "test", "lint", "bench", "gallery", "nightly", "clean"])
def test_make_knows(target: str) -> None:
    result = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_whole_check_runs_tests_and_linters() -> None:
    script = ROOT / ".ci" / "run"
    text = script.read_text(encoding="utf-8")
    assert script.stat().st_mode & 0o111
    assert "set -euo pipefail" in text
    assert "make test" in text and "make lint" in text
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


def test_commit_hooks_run_what_make_lint_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0][
        "hooks"
    ]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for hook in hooks:
        assert hook["entry"].replace(".venv/bin/", "$(BIN)/").split()[0] in makefile


def test_the_licence_is_there_in_full() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text and "END OF TERMS AND CONDITIONS" in text
