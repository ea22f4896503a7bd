"""The service installed from a wheel answers as the one in the checkout does: its data travels with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.assess import assess
from cds_service.demo import bundle_of
from cds_service.knowledge.load import demo_patients, load
from cds_service.settings import load_settings
from cds_service.web.app import create_app

ROOT = Path(__file__).parents[1]

PROBE = """
import json, sys
from pathlib import Path
import cds_service
from cds_service.demo import bundle_of
from cds_service.knowledge.load import demo_patients, root
from cds_service.web.app import create_app
client = create_app().test_client()
bundle = json.loads(client.get("/api/v1/demo-patients/drd-first-relapse").text)
print(json.dumps({
    "package": str(Path(cds_service.__file__).parent),
    "root": str(root()),
    "discovery": client.get("/cds-services").json,
    "assess": client.post("/api/v1/assess?as_of=2026-05-11", json=bundle).json,
    "page": client.get("/").status_code,
    "demo": sorted(demo_patients()),
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The wheel, built with the back end that is installed, so that no network is needed."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            folder,
            ROOT,
        ],
        check=True,
        cwd=folder,
    )
    (built,) = folder.glob("myeloma_cds-*.whl")
    yield built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment that holds the wheel, and the libraries of this one."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    site = Path(
        subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
            check=True, capture_output=True, text=True,
        ).stdout.strip()
    )  # fmt: skip
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--target",
            site,
            wheel,
        ],
        check=True,
    )
    # Behind the wheel's own place, and without the .pth files there that would lead back to the checkout.
    (site / "libraries.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n")
    return python


def clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CDS_", "PYTHON"))}
    kept.pop("PROMETHEUS_MULTIPROC_DIR", None)
    return kept


def test_the_wheel_holds_the_knowledge_and_the_notices(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "cds_service/_knowledge/mappings/drugs/lenalidomide.yaml",
        "cds_service/_knowledge/pathways/knowledge.yaml",
        "cds_service/_knowledge/cards/services.yaml",
        "cds_service/_knowledge/demo-patients/drd-first-relapse.json",
        "cds_service/knowledge/schemas/services.schema.json",
        "cds_service/hooks/schemas/request.schema.json",
        "cds_service/web/templates/landing.html",
        "cds_service/web/templates/feedback_report.html",
        "cds_service/store/migrations/env.py",
        "cds_service/store/migrations/versions/cards_and_feedback.py",
        "cds_service/py.typed",
    ):
        assert needed in names
    assert {Path(name).name for name in names if "dist-info/licenses" in name} == {"LICENSE", "NOTICE"}
    assert not any(name.startswith("tests") or name.endswith(".pyc") for name in names)


def test_installed_it_answers_as_the_checkout_does(installed: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [installed, "-c", PROBE],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert str(ROOT) not in told["package"] + told["root"]
    assert told["page"] == 200
    assert told["demo"] == sorted(demo_patients())

    client = create_app(load_settings(), knowledge=load()).test_client()
    assert told["discovery"] == client.get("/cds-services").json
    here = client.post(
        "/api/v1/assess?as_of=2026-05-11", json=bundle_of(demo_patients()["drd-first-relapse"])
    ).json
    assert {**told["assess"], "cards": ""} == {**here, "cards": ""}
    assert [card["summary"] for card in told["assess"]["cards"]] == [
        card["summary"] for card in here["cards"]
    ]


def test_the_command_is_there(installed: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [installed, "-m", "cds_service", "knowledge", "check"],
        cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stdout.splitlines()[-1][:12]) == (0, "No findings.")


def test_the_checkout_serves_from_any_folder(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", "from cds_service.knowledge.load import load; print(len(load().regimens))"],
        cwd=tmp_path,
        env=clean_environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(result.stdout) == len(load().regimens)


def test_one_call_from_python(tmp_path: Path) -> None:
    bundle = bundle_of(demo_patients()["drd-first-relapse"])
    assert assess(bundle)["state"]["prior_lines"] == 1
