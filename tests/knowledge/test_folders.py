"""What lies in a hospital's folder and is no readable file gets a sentence, never a stack trace."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cds_service.knowledge.folders import LARGEST
from cds_service.knowledge.load import KnowledgeError, load, read_files, root
from cds_service.knowledge.overlaid import deeds, idle_files
from tests.knowledge.overlays import written

HERE = "pathways/regimens/x.yaml"


def _folder(place: Path) -> None:
    (place / "inside").mkdir(parents=True)


def _self(place: Path) -> None:
    place.symlink_to(place.name)


def _too_large(place: Path) -> None:
    with place.open("wb") as file:
        file.truncate(LARGEST + 1)


def _loop(place: Path) -> None:
    place.with_name("loop").symlink_to("..")


PLACES: list[tuple[str, Callable[[Path], object], str]] = [
    ("a folder called like a file", _folder, f"{HERE}: is a folder. Give it another name"),
    (
        "a link to nowhere",
        lambda place: place.symlink_to("/nowhere/at/all"),
        f"{HERE}: cannot be read (No such",
    ),
    ("a link to itself", _self, f"{HERE}: cannot be read (Too many levels"),
    ("a pipe", os.mkfifo, f"{HERE}: is no file. Put a file in its place, or take it away"),
    ("a device", lambda place: place.symlink_to("/dev/zero"), f"{HERE}: is no file."),
    ("a file above the limit", _too_large, f"{HERE}: has 5.0 megabytes; at most 5 are read"),
    (
        "a folder that leads back to one above",
        _loop,
        "pathways/regimens/loop: leads back to a folder above it",
    ),
    (
        "an empty file",
        lambda place: place.touch(),
        f"{HERE}: is empty. Remove the file, or write what it says",
    ),
    ("a comment alone", lambda place: place.write_text("# later\n"), f"{HERE}: is empty. Remove the file"),
    ("nothing, said", lambda place: place.write_text("null\n"), f"{HERE}: is empty. Remove the file"),
    ("Latin-1", lambda place: place.write_bytes(b"key: caf\xe9"), f"{HERE}: is no UTF-8 text (byte 9 of 9)"),
    (
        "UTF-16",
        lambda place: place.write_bytes("key: x".encode("utf-16")),
        f"{HERE}: is no UTF-8 text (byte 1",
    ),
]


@pytest.mark.parametrize(("case", "lay", "sentence"), PLACES, ids=[case for case, _, _ in PLACES])
def test_what_cannot_be_read_is_told(tmp_path, case, lay, sentence):
    place = tmp_path / HERE
    place.parent.mkdir(parents=True)
    lay(place)
    with pytest.raises(KnowledgeError) as caught:
        load(tmp_path)
    assert [finding[: len(sentence)] for finding in caught.value.findings] == [sentence]


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path):
    (tmp_path / "pathways").write_text("")
    with pytest.raises(KnowledgeError, match="pathways: is no folder"):
        load(tmp_path)


def test_links_to_files_and_folders_are_followed_and_hidden_ones_left_alone(tmp_path):
    """So a configuration volume is mounted: each name is a link into a hidden folder of the day."""
    volume = tmp_path / "pathways" / "..2026_11_30"
    written(tmp_path, "pathways/..2026_11_30/site.yaml", "not_available: []\ncar_t: available\n")
    (tmp_path / "pathways" / "..data").symlink_to(volume.name)
    (tmp_path / "pathways" / "site.yaml").symlink_to("..data/site.yaml")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shipped = (root() / "pathways" / "regimens" / "d-pd.yaml").read_text(encoding="utf-8")
    (elsewhere / "d-pd.yaml").write_text(shipped.replace("display: D-PD", "display: DPd of ours"))
    (tmp_path / "pathways" / "regimens").symlink_to(elsewhere)
    known = load(tmp_path)
    assert known.site.car_t == "available"
    assert known.regimens["d-pd"].display == "DPd of ours"


def test_what_a_file_does_and_that_another_does_nothing_is_noted(tmp_path):
    written(tmp_path, "pathways/site.patch.yaml", "car_t: available\n")
    written(tmp_path, "mappings/systems.yaml", (root() / "mappings" / "systems.yaml").read_text("utf-8"))
    for name in ("D-PD.YAML", "kd.yml", ".rd.yaml", ".git/config"):
        written(tmp_path, f"pathways/regimens/{name}", "key: x\n")
    written(tmp_path, "regimens/rd.yaml", "key: rd\n")
    files = read_files(tmp_path)
    name = tmp_path.name
    assert deeds(tmp_path, files) == [
        f"{name}/mappings/systems.yaml: replaces the file of this name",
        f"{name}/pathways/site.patch.yaml: changes entries of site.yaml",
    ]
    idle = idle_files(tmp_path)
    assert all("has no effect; only .yaml files in mappings, pathways, cards are read" in one for one in idle)
    assert [one.partition(":")[0].removeprefix(f"{name}/") for one in idle] == [
        "pathways/regimens/.rd.yaml",
        "pathways/regimens/D-PD.YAML",
        "pathways/regimens/kd.yml",
        "regimens/rd.yaml",
    ]


def test_a_folder_full_of_other_things_does_not_fill_the_log(tmp_path):
    for number in range(50):
        written(tmp_path, f"scans/{number}.pdf", "")
    assert len(idle_files(tmp_path)) == 21
    assert idle_files(tmp_path)[-1].endswith("30 more files have no effect")
