"""``myeloma-cds feedback report``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.cli import main
from cds_service.store.database import Database
from cds_service.store.feedback import keep_cards, keep_feedback
from tests.store.samples import NOW, accepted, overridden, told


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/cards.sqlite"
    database = Database(url)
    database.prepare()
    keep_cards(database, [told("c1"), told("c2"), told("c3"), told("c4")])
    items = [accepted("c1", "c1-1"), overridden("c2", reason_code="trial"), overridden("nobody")]
    keep_feedback(database, "rrmm-order-sign", items, NOW)
    database.close()
    return url


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(
        main, ["feedback", "report", *arguments], env={"CDS_DATABASE_URL": url, "COLUMNS": "100"}
    )


def test_at_the_terminal(url: str) -> None:
    result = run(url, "--every", "month")
    assert result.exit_code == 0
    lines = [line.split() for line in result.output.splitlines()]
    assert ["shown", "4"] in lines
    assert ["accepted", "1", "(25", "%)"] in lines
    assert ["feedback", "3,", "of", "it", "1", "on", "no", "card", "recorded", "here"] in lines
    first, second = (line for line in lines if line and line[0] in ("S-VD", "P-VD"))
    assert first[:4] == ["S-VD", "4", "1", "1"] and second[:4] == ["P-VD", "4", "0", "1"]
    bar = first[4]
    assert bar == "#" * bar.count("#") + "=" * bar.count("=") + "." * bar.count(".")
    assert abs(bar.count("#") - len(bar) / 4) < 1 and abs(bar.count("=") - len(bar) / 4) < 1
    assert any(line[:4] == ["2026-05-01", "4", "1", "1"] for line in lines)


def test_by_reason(url: str) -> None:
    result = run(url, "--by", "reason")
    assert "Treatment within a clinical trial" in result.output
    assert result.exit_code == 0


def test_as_json(url: str) -> None:
    result = run(url, "--json", "--by", "rule", "--from", "2026-05-11", "--to", "2026-05-11")
    body = json.loads(result.output)
    assert (body["from"], body["to"], body["by"]) == ("2026-05-11", "2026-05-11", "rule")
    assert body["cards"] == {"shown": 4, "accepted": 1, "overridden": 1, "not_shown": 0}
    assert [group["key"] for group in body["groups"]] == ["BAR-16", "BAR-19"]


def test_as_a_page(url: str, tmp_path: Path) -> None:
    place = tmp_path / "report.html"
    assert run(url, "--html", str(place), "--every", "week").exit_code == 0
    page = place.read_text(encoding="utf-8")
    assert page == run(url, "--html", "-", "--every", "week").output.rstrip("\n")
    assert "<svg" in page and "<td" in page and "href=" not in page


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--by", "patient"], "--by"),
        (["--from", "yesterday"], "--from"),
        (["--from", "2026-05-02", "--to", "2026-05-01"], "--from"),
        (["--json", "--html", "x"], "exclude each other"),
    ],
)
def test_misuse(url: str, arguments: list[str], said: str) -> None:
    result = run(url, *arguments)
    assert result.exit_code == 2 and said in result.output


def test_without_a_database(tmp_path: Path) -> None:
    result = run(f"sqlite:///{tmp_path}/none.sqlite")
    assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert "there is no database yet" in result.output
    result = run("postgresql+psycopg://cds@127.0.0.1:1/cds")
    assert result.exit_code == 2
    assert result.output.strip() == "CDS_DATABASE_URL: the database cannot be reached (OperationalError)."
