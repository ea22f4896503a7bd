from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.cli import main

PATIENTS = Path(__file__).parents[1] / "patients"
FIRST_RELAPSE = str(PATIENTS / "drd-first-relapse.json")


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


def test_assess_prints_a_report() -> None:
    result = run("assess", FIRST_RELAPSE)
    assert result.exit_code == 0
    assert "Prior lines: 1" in result.output
    assert "S-VD" in result.output and "Card (" in result.output


def test_assess_reads_a_bundle_from_standard_input() -> None:
    bundle = json.loads(Path(FIRST_RELAPSE).read_text())["bundle"]
    result = run(
        "assess", "-", "--as-of", "2026-05-11", "--json", "--region", "FDA", stdin=json.dumps(bundle).encode()
    )
    assert result.exit_code == 0
    body = json.loads(result.output)
    assert (body["region"], body["as_of"], body["state"]["prior_lines"]) == ("FDA", "2026-05-11", 1)


def test_options_go_before_the_demo_files_own_words() -> None:
    result = run(
        "assess", FIRST_RELAPSE, "--json", "--region", "FDA", "--language", "it", "--pathway", "barila-2025"
    )
    body = json.loads(result.output)
    assert (body["region"], body["pathway"]) == ("FDA", "barila-2025")


def test_drafted_orders_of_a_demo_file_are_judged() -> None:
    result = run("assess", str(PATIENTS / "order-daratumumab-when-refractory.json"), "--json")
    kinds = [card["extension"]["org.myeloma-cds"]["kind"] for card in json.loads(result.output)["cards"]]
    assert kinds == ["order-conflict"]


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    broken, patient = tmp_path / "broken.json", tmp_path / "patient.json"
    broken.write_text("{")
    patient.write_text('{"resourceType": "Patient"}')
    result = run("assess", str(broken), str(patient), str(tmp_path / "none.json"), FIRST_RELAPSE)
    assert result.exit_code == 1
    assert "broken.json: is not JSON" in result.stderr
    assert "patient.json: is no FHIR Bundle" in result.stderr
    assert "none.json: No such file" in result.stderr
    assert "Prior lines: 1" in result.stdout


def test_several_patients_are_told(tmp_path: Path) -> None:
    people = [{"resource": {"resourceType": "Patient", "id": name}} for name in ("a", "b")]
    path = tmp_path / "two.json"
    path.write_text(json.dumps({"resourceType": "Bundle", "entry": people}))
    result = run("assess", str(path))
    assert result.exit_code == 1
    assert "holds 2 patients; name one with --patient: a, b" in result.stderr
    assert run("assess", str(path), "--patient", "a").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("assess",),
        ("assess", FIRST_RELAPSE, "--region", "UK"),
        ("assess", FIRST_RELAPSE, "--pathway", "none"),
        ("nonsense",),
        ("knowledge", "show", "nothing"),
    ],
)
def test_misuse(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    "command", [("settings",), ("serve",), ("assess", FIRST_RELAPSE), ("knowledge", "check")]
)
def test_a_bad_setting_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CDS_REGION", "UK")
    result = run(*command)
    assert result.exit_code == 2
    assert result.stderr.strip() == "CDS_REGION=UK: must be 'EMA' or 'FDA'."


def test_settings_are_listed() -> None:
    result = run("settings", "--json")
    assert "CDS_FHIR_SERVERS" in {row["variable"] for row in json.loads(result.output)}
    assert "not yet:" in run("settings").output


def test_knowledge_check() -> None:
    result = run("knowledge", "check")
    assert (result.exit_code, result.output.splitlines()[-1][:12]) == (0, "No findings.")


def test_knowledge_check_of_an_overlay_with_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cards").mkdir()
    for name in ("mappings", "pathways"):
        (tmp_path / name).mkdir()
    (tmp_path / "cards" / "services.yaml").write_text("services: []\n")
    monkeypatch.setenv("CDS_KNOWLEDGE_DIR", str(tmp_path))
    result = run("knowledge", "check", "--json")
    assert result.exit_code == 1
    assert any("cards/services.yaml" in finding for finding in json.loads(result.stdout)["findings"])


@pytest.mark.parametrize(
    "key, kind",
    [
        ("s-vd", "regimen"),
        ("selinexor", "drug"),
        ("BAR-15", "rule"),
        ("BOSTON-LENREF", "evidence"),
        ("anti-CD38", "class"),
        ("default", "pathway"),
    ],
)
def test_knowledge_show(key: str, kind: str) -> None:
    result = run("knowledge", "show", key)
    assert result.exit_code == 0
    assert f"{kind}:" in result.output.splitlines()
    assert kind in json.loads(run("knowledge", "show", key, "--json").output)
