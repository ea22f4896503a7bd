from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cds_service.assess import Assessor
from cds_service.cli import main

PATIENTS = Path(__file__).parents[1] / "patients"
CHECKOUT = str(PATIENTS.parents[1])
FIRST_RELAPSE = str(PATIENTS / "drd-first-relapse.json")
# The day of the check is given: entries grow older than its limit by themselves.
CHECK = ("knowledge", "check", "--as-of", "2026-12-01")


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


BUNDLE = {"resourceType": "Bundle", "entry": []}


@pytest.mark.parametrize(
    "content, said",
    [
        ({"bundle": "x"}, "bundle is no FHIR Bundle"),
        ({"bundle": BUNDLE | {"entry": 5}}, "bundle is no FHIR Bundle"),
        ({"bundle": BUNDLE, "as_of": "garbage"}, "as_of must be a day, YYYY-MM-DD"),
        ({"bundle": BUNDLE, "as_of": "0001-01-01"}, "as_of must lie between 1900-01-01"),
        ({"bundle": BUNDLE, "as_of": 5}, "as_of must be a day"),
        ({"bundle": BUNDLE, "draft_orders": 7}, "draft_orders must be a list"),
        ({"bundle": BUNDLE, "patient_id": 5}, "patient_id must be text"),
        ({"bundle": {}}, "is no FHIR Bundle"),
        (BUNDLE | {"entry": 5}, "is no FHIR Bundle: Bundle.entry is no list."),
        (BUNDLE | {"entry": {}}, "is no FHIR Bundle: Bundle.entry is no list."),
        ({"resourceType": "Parameters"}, "is no FHIR Bundle: The Parameters hold 0 Bundles"),
        ([], "is no FHIR Bundle"),
        (5, "is no FHIR Bundle"),
    ],
)
def test_a_file_of_any_content_is_told_in_a_sentence(tmp_path: Path, content: Any, said: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(content))
    result = run("assess", str(path), FIRST_RELAPSE)
    assert result.exit_code == 1
    assert f"odd.json: {said}" in result.stderr
    assert isinstance(result.exception, SystemExit)
    assert "Prior lines: 1" in result.stdout  # the next file is assessed all the same


def test_a_file_beyond_all_foresight_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Assessor.assess

    def breaks_once(self: Assessor, resources: Any, question: Any) -> Any:
        monkeypatch.setattr(Assessor, "assess", whole)
        raise RuntimeError("Maria Rossi, born 1951")

    monkeypatch.setattr(Assessor, "assess", breaks_once)
    result = run("assess", FIRST_RELAPSE, FIRST_RELAPSE)
    assert result.exit_code == 1
    assert "could not be assessed (RuntimeError)" in result.stderr and "Rossi" not in result.stderr
    assert "Prior lines: 1" in result.stdout


def test_a_byte_order_mark_and_an_empty_file(tmp_path: Path) -> None:
    marked, empty = tmp_path / "marked.json", tmp_path / "empty.json"
    marked.write_bytes(b"\xef\xbb\xbf" + Path(FIRST_RELAPSE).read_bytes())
    empty.write_text("")
    assert run("assess", str(marked)).exit_code == 0
    assert "empty.json: is not JSON (it is empty)" in run("assess", str(empty)).stderr


def test_a_mistyped_patient_does_not_look_like_a_clean_chart() -> None:
    result = run("assess", FIRST_RELAPSE, "--patient", "nobody")
    assert result.exit_code == 1
    assert "No resource of the Bundle belongs to the patient named." in result.stderr
    assert "Diagnosis" not in result.stdout


def test_what_each_file_of_an_overlay_does_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_KNOWLEDGE_DIR", str(tmp_path))
    (tmp_path / "cards").mkdir()
    shipped = Path(__file__).parents[2] / "cards" / "services.yaml"
    (tmp_path / "cards" / "services.yaml").write_text(shipped.read_text())
    (tmp_path / "unknownfile.yaml").write_text("a: 1\n")
    result = run(*CHECK)
    assert result.exit_code == 0
    assert "cards/services.yaml: replaces the file of this name" in result.output
    assert "unknownfile.yaml: has no effect" in result.output


def test_what_an_overlay_gives_up_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_KNOWLEDGE_DIR", str(tmp_path))
    (tmp_path / "pathways").mkdir()
    (tmp_path / "pathways" / "hard-stops.patch.yaml").write_text(
        "hard_stops: [{id: STOP-BCMA, remove: true}]\n"
    )
    result = run(*CHECK)
    assert (
        "gives up a safeguard: pathways/hard-stops.yaml: the hard stop STOP-BCMA is taken away"
        in result.output
    )


def test_a_card_text_that_cannot_be_filled_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDS_KNOWLEDGE_DIR", str(tmp_path))
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "phrases.patch.yaml").write_text(
        'texts: {order: {create: {en: "{{ x"}, delete: {en: "{{ x }}"}, then: null}}\n'
    )
    result = run("knowledge", "check")
    assert result.exit_code == 1
    assert "cards/phrases.yaml, order/create, en: the placeholders cannot be read" in result.stdout
    assert 'cards/phrases.yaml, order/delete, en: names the value "x"' in result.stdout
    assert "cards/phrases.yaml, order/then: the text is missing" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("knowledge", "export", "/dev/null"), "/dev/null: "),
        (("knowledge", "export", "/proc/nothing/here"), ": No such file or directory."),
        (("knowledge", "diff", "x" * 5000), "File name too long."),
    ],
)
def test_a_place_that_cannot_be_used_is_told_in_a_sentence(arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, type(result.exception)) == (2, SystemExit)
    assert said in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["folder", "link", "deep", "bomb"])
def test_a_folder_that_cannot_be_read_is_no_stack_trace_to_any_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    place = tmp_path / "pathways" / "site.yaml"
    place.parent.mkdir()
    if name == "folder":
        place.mkdir()
    elif name == "link":
        place.symlink_to("site.yaml")
    elif name == "deep":
        place.write_text("car_t: " + "[" * 30_000)
    else:
        anchors = [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
        place.write_text("\n".join(["a0: &a0 [l, l, l]", *anchors]))
    diff = run("knowledge", "diff", str(tmp_path))
    monkeypatch.setenv("CDS_KNOWLEDGE_DIR", str(tmp_path))
    for result in (
        diff,
        run("knowledge", "check"),
        run("knowledge", "show", "d-pd"),
        run("assess", FIRST_RELAPSE),
    ):
        assert isinstance(result.exception, SystemExit) and result.exit_code in (1, 2)
        assert "pathways/site.yaml: " in result.output


def test_findings_are_counted_and_placed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_KNOWLEDGE_DIR", str(tmp_path))
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "services.yaml").write_text("a: [\n")
    result = run("knowledge", "check")
    assert result.exit_code == 1
    assert result.stderr.startswith("1 finding in ") and str(tmp_path) in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("assess",),
        ("assess", FIRST_RELAPSE, "--as-of", "0001-01-01"),
        ("assess", FIRST_RELAPSE, "--as-of", "9999-12-31"),
        ("assess", FIRST_RELAPSE, "--as-of", "20250820"),
        ("assess", FIRST_RELAPSE, "--region", "UK"),
        ("assess", FIRST_RELAPSE, "--pathway", "none"),
        ("nonsense",),
        ("knowledge", "show", "nothing"),
        ("knowledge", "check", "--max-age", "99999999999"),
        ("knowledge", "check", "--as-of", "0001-01-01"),
        ("knowledge", "situations", "--as-of", "0001-01-01"),
        ("knowledge", "walk", "--as-of", "9999-12-31"),
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
    result = run(*CHECK)
    assert (result.exit_code, result.output.splitlines()[-1][:12]) == (0, "No findings.")
    assert "rules BAR          37   37    30 executable, 7 not executable" in result.output.splitlines()
    assert "are clinically reviewed" in result.output


def test_knowledge_check_tells_where_each_rule_lives_and_what_was_recalled() -> None:
    result = run(*CHECK, "--coverage", "--recheck")
    assert "BAR-15                pathways/sequencing/barila-2025.yaml" in result.output.splitlines()
    assert "                      recommend isa-kd, d-pd" in result.output.splitlines()
    assert "cautions, respiratory [R]" in result.output


def test_knowledge_check_as_json() -> None:
    body = json.loads(run(*CHECK, "--json").output)
    assert body.keys() == {"findings", "notes", "reviewed", "coverage", "recheck"}
    assert body["findings"] == []
    rule = next(row for row in body["coverage"] if row["id"] == "BAR-15")
    assert rule == {
        "table": "BAR",
        "id": "BAR-15",
        "state": "executable",
        "files": ["pathways/sequencing/barila-2025.yaml"],
        "says": "recommend isa-kd, d-pd",
    }


def test_knowledge_check_of_entries_older_than_a_limit() -> None:
    result = run("knowledge", "check", "--as-of", "2027-12-01", "--json")
    findings = json.loads(result.output)["findings"]
    assert result.exit_code == 1
    assert {"file", "place", "found", "remedy", "sentence"} == findings[0].keys()
    assert any("(limit 365 days)" in finding["sentence"] for finding in findings)
    assert run("knowledge", "check", "--as-of", "2027-12-01", "--max-age", "2000").exit_code == 0


def test_knowledge_check_of_an_overlay_with_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cards").mkdir()
    for name in ("mappings", "pathways"):
        (tmp_path / name).mkdir()
    (tmp_path / "cards" / "services.yaml").write_text("services: []\n")
    monkeypatch.setenv("CDS_KNOWLEDGE_DIR", str(tmp_path))
    result = run("knowledge", "check", "--json")
    assert result.exit_code == 1
    assert any(finding["file"] == "cards/services.yaml" for finding in json.loads(result.stdout)["findings"])


@pytest.mark.parametrize(
    "key, kind, title",
    [
        ("s-vd", "regimen", "s-vd (regimen)"),
        ("selinexor", "drug", "selinexor (drug)"),
        ("BAR-15", "rule", "BAR-15 (rule of barila-2025)"),
        ("BAR-18", "statement", "BAR-18 (statement of barila-2025, no rule)"),
        ("X-01", "conflict", "X-01 (clash of sources)"),
        ("CF-07", "figure-conflict", "CF-07 (clash over a figure)"),
        ("STOP-BCMA", "hard-stop", "STOP-BCMA (hard stop: no rule overrides it in silence)"),
        ("GATE-LABEL", "gate", "GATE-LABEL (gate: every regimen has to pass it)"),
        ("BOSTON-LENREF", "evidence", "BOSTON-LENREF (trial population)"),
        ("anti-CD38", "class", "anti-CD38 (class of drugs)"),
        ("default", "pathway", "default (pathway)"),
    ],
)
def test_knowledge_show(key: str, kind: str, title: str) -> None:
    result = run("knowledge", "show", key)
    assert result.exit_code == 0
    assert result.output.splitlines()[0] == title
    assert "\x1b" not in result.output  # no colour where the output is no terminal
    assert kind in json.loads(run("knowledge", "show", key, "--json").output)


def test_knowledge_show_speaks_the_language_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_LANGUAGE", "it")
    assert "Raccomanda Isa-KD e D-PD" in run("knowledge", "show", "BAR-15").output
    assert "Recommends Isa-KD" in run("knowledge", "show", "BAR-15", "--language", "en").output


def test_knowledge_show_of_a_misspelt_key_names_the_nearest() -> None:
    result = run("knowledge", "show", "d-pdd")
    assert result.exit_code == 2
    assert "nothing has the key 'd-pdd'; nearest: " in result.stderr and "d-pd" in result.stderr


def test_knowledge_diff_of_the_same_says_so() -> None:
    result = run("knowledge", "diff", CHECKOUT, CHECKOUT)
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "No change: both say the same.")


def test_knowledge_diff_of_an_overlay_against_the_knowledge_in_use(tmp_path: Path) -> None:
    (tmp_path / "pathways").mkdir()
    (tmp_path / "pathways" / "site.yaml").write_text("not_available: []\ncar_t: unavailable\n")
    result = run("knowledge", "diff", CHECKOUT, str(tmp_path))
    assert result.exit_code == 0
    assert result.output.splitlines()[3:] == [
        "CLINICAL (1)",
        "What is to be had here",
        "  CAR-T cells",
        "    was     unknown",
        "    is now  unavailable",
    ]
    body = json.loads(run("knowledge", "diff", str(tmp_path), "--json").output)
    assert body["counts"] == {"clinical": 1, "mappings": 0, "texts": 0, "provenance": 0}
    assert body["changes"] == [
        {
            "group": "clinical",
            "file": "pathways/site.yaml",
            "place": ["car_t"],
            "entry": "What is to be had here",
            "member": "CAR-T cells",
            "how": "changed",
            "before": "unavailable",
            "after": "unknown",
            "sentence": "What is to be had here: CAR-T cells: was unavailable; is now unknown.",
        }
    ]


@pytest.mark.skipif(
    shutil.which("git") is None or not Path(CHECKOUT, ".git").exists(), reason="no git checkout"
)
def test_knowledge_diff_of_a_revision() -> None:
    result = run("knowledge", "diff", "HEAD", "HEAD")
    assert result.exit_code == 0
    assert result.output.startswith("From revision HEAD (")
    assert "No change: both say the same." in result.output


def test_knowledge_diff_of_what_is_neither_folder_nor_revision() -> None:
    result = run("knowledge", "diff", "nowhere")
    assert result.exit_code == 2
    assert result.stderr.startswith("nowhere is neither a folder nor a revision")
