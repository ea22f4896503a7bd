"""What the service says when it starts with a hospital's own folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cds_service.settings import load_settings
from cds_service.web.app import create_app
from tests.knowledge.overlays import written


def test_what_an_overlay_does_and_what_it_gives_up_is_logged_at_start(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    overlay = tmp_path / "ours"
    written(overlay, "pathways/site.patch.yaml", "car_t: available\n")
    written(overlay, "pathways/regimens/d-pd.yml", "display: DPd\n")
    written(overlay, "pathways/hard-stops.patch.yaml", "hard_stops: [{id: STOP-BCMA, remove: true}]\n")
    create_app(load_settings(knowledge_dir=overlay, log_format="json"))
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    told = [(line["level"], line["note"]) for line in lines if line["event"] == "knowledge overlay"]
    only = "only .yaml files in mappings, pathways, cards are read, and none that begins with a dot"
    assert told == [
        ("info", "ours/pathways/hard-stops.patch.yaml: changes entries of hard-stops.yaml"),
        ("info", "ours/pathways/site.patch.yaml: changes entries of site.yaml"),
        ("warning", f"ours/pathways/regimens/d-pd.yml: has no effect; {only}"),
        (
            "warning",
            "ours gives up a safeguard: pathways/hard-stops.yaml: the hard stop STOP-BCMA is taken away",
        ),
    ]
