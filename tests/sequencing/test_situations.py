"""The situations that the review names, and what is suggested first: expected values typed by hand."""

from __future__ import annotations

from datetime import date

import pytest

from cds_service.sequencing.choose import choose
from cds_service.sequencing.sketch import sketch_of, sketched

AS_OF = date(2026, 11, 30)
CAR_T = ("cilta-cel", "ide-cel")
BCMA_BISPECIFICS = ("teclistamab", "elranatamab", "linvoseltamab")

FIRST = [
    # situation, region, what stands first, by which rule
    ("lenalidomide-refractory-anti-cd38-naive", "EMA", ["isa-kd", "d-pd", "d-kd", "p-vd"], "BAR-15"),
    ("lenalidomide-refractory-anti-cd38-naive", "FDA", ["isa-kd", "d-pd", "d-kd"], "BAR-15"),
    ("lenalidomide-refractory-anti-cd38-not-sensitive", "EMA", ["s-vd", "p-vd", "kd"], "BAR-16"),
    ("lenalidomide-refractory-anti-cd38-not-sensitive", "FDA", ["s-vd", "kd", "cilta-cel"], "BAR-16"),
    (
        "daratumumab-lenalidomide-double-refractory",
        "EMA",
        ["s-vd", "p-vd", "kd", "bela-pd", "bela-vd"],
        "BAR-19",
    ),
    ("daratumumab-lenalidomide-double-refractory", "FDA", ["s-vd", "kd"], "BAR-19"),
    ("triple-class-exposed-two-lines", "EMA", ["cilta-cel", "ide-cel"], "BAR-27"),
    ("triple-class-exposed-two-lines", "FDA", ["cilta-cel", "ide-cel"], "BAR-27"),
    ("early-relapse", "EMA", ["isa-kd", "d-pd", "cilta-cel"], "BAR-15"),
    ("early-relapse", "FDA", ["isa-kd", "d-pd", "cilta-cel"], "BAR-15"),
    ("high-infection-risk", "EMA", ["talquetamab"], "BAR-32"),
    ("high-infection-risk", "FDA", ["talquetamab"], "BAR-32"),
    ("car-t-unavailable", "EMA", ["teclistamab", "elranatamab", "talquetamab"], "BAR-31"),
    ("car-t-unavailable", "FDA", ["teclistamab", "elranatamab", "talquetamab"], "BAR-31"),
    ("after-bcma-car-t", "EMA", ["talquetamab"], "BAR-32"),
    ("after-bcma-car-t", "FDA", ["talquetamab"], "BAR-32"),
]


def answered(knowledge, situation, region):
    entry = next(one for one in knowledge.situations["situations"] if one["id"] == situation)
    state = sketched(sketch_of(entry["sketch"]), knowledge, AS_OF)
    return choose(state, knowledge, region, "default")


@pytest.mark.parametrize(("situation", "region", "first", "rule"), FIRST)
def test_what_stands_first(knowledge, situation, region, first, rule):
    suggested = answered(knowledge, situation, region).suggested
    assert [one.regimen for one in suggested][: len(first)] == first
    assert rule in suggested[0].rules


def test_every_situation_is_told_here_in_each_of_its_regions(knowledge):
    told = {(situation, region) for situation, region, *_ in FIRST}
    assert told == {(s["id"], region) for s in knowledge.situations["situations"] for region in s["regions"]}


@pytest.mark.parametrize(
    ("situation", "region", "absent"),
    [
        (
            "lenalidomide-refractory-anti-cd38-not-sensitive",
            "EMA",
            ["isa-kd", "d-kd", "d-pd", "d-vd", "tec-dara"],
        ),
        ("daratumumab-lenalidomide-double-refractory", "FDA", ["p-vd", "bela-pd", "bela-vd", "cilta-cel"]),
        ("lenalidomide-refractory-anti-cd38-naive", "FDA", ["p-vd", "bela-vd", "bela-pd"]),
        ("high-infection-risk", "EMA", [*CAR_T, *BCMA_BISPECIFICS]),
        ("car-t-unavailable", "EMA", list(CAR_T)),
        ("after-bcma-car-t", "EMA", list(CAR_T)),
    ],
)
def test_what_is_not_suggested(knowledge, situation, region, absent):
    keys = {one.regimen for one in answered(knowledge, situation, region).suggested}
    assert keys and not keys & set(absent)


def test_newer_options_stand_behind_and_are_marked_as_newer(knowledge):
    suggested = answered(knowledge, "lenalidomide-refractory-anti-cd38-naive", "FDA").suggested
    newer = [one.regimen for one in suggested if one.newer]
    assert newer == ["tec-dara", "iber-dd"]
    assert all(one.strength == "allow" for one in suggested if one.newer)
