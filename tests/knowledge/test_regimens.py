"""The regimens as the labels and the published schedules have them: values typed by hand, never computed."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cds_service.knowledge.load import read_yaml, root, schemas
from cds_service.knowledge.types import Knowledge

TABLE = [
    "d-vd",
    "kd",
    "isa-kd",
    "d-kd",
    "s-vd",
    "p-vd",
    "d-pd",
    "isa-pd",
    "elo-pd",
    "elo-pvd",
    "melflufen-d",
    "bela",
    "bela-vd",
    "bela-pd",
    "ide-cel",
    "cilta-cel",
    "teclistamab",
    "tec-dara",
    "elranatamab",
    "talquetamab",
    "tec-tal",
    "linvoseltamab",
    "tal-dara",
    "iber-dd",
    "iber-d",
    "mezi-d",
    "kpd",
    "kcd",
    "krd",
    "d-rd",
    "pom-d",
    "rd",
    "r",
    "vrd",
    "vd",
    "benda",
    "benda-kd",
    "benda-rd",
    "cy-rd",
    "vcd",
    "hd-cy",
    "sel-d",
    "d-vmp",
    "dcep",
    "pace",
    "vdt-pace",
    "dexa-beam",
    "dara",
    "isa",
    "ven-d",
    "ven-vd",
    "d-vtd",
    "ird",
]
ADDED = ["elo-rd", "pano-vd", "d-vrd"]  # not in the table of 53; each fact with two sources of its own
KEYS = [*TABLE, *ADDED]
STEROIDS = ("dexamethasone", "prednisone")
STEP_UP = ("teclistamab", "elranatamab", "talquetamab", "linvoseltamab")
# The unit in which every threshold of a caution was typed (10*3/uL is the same number as 10*9/L).
LAB_UNITS = {
    "creatinine-clearance": "mL/min",
    "egfr": "mL/min/{1.73_m2}",
    "platelets": "10*3/uL",
    "neutrophils-abs": "10*3/uL",
    "lvef": "%",
    "igg": "mg/dL",
    "fev1-percent": "%",
    "leukocytes": "10*3/uL",
}


def folder(name: str) -> dict[str, Any]:
    return {
        p.stem: read_yaml(p.read_text("utf-8")) for p in sorted(Path(root(), "pathways", name).glob("*.yaml"))
    }


REGIMENS = folder("regimens")
CAUTIONS = folder("drugs")
CLASSES = {
    drug: read_yaml(Path(root(), "mappings", "drugs", f"{drug}.yaml").read_text("utf-8"))["classes"]
    for drug in CAUTIONS
}


def dose_line(dose: dict[str, Any]) -> str:
    """One dose as a person would read it aloud, e.g. "20 mg/m2 IV days 1,2 in C1"."""
    amount = dose.get("amount", dose.get("amount_text"))
    days = ",".join(map(str, dose["days"])) if "days" in dose else dose.get("days_text", "")
    where = f" in {dose['cycles']}" if "cycles" in dose else ""
    return f"{amount} {dose['unit']} {dose['route']} days {days}{where}"


def doses_of(regimen: str, drug: str, *, alternative: bool = False, region: str = "") -> list[str]:
    return [
        dose_line(dose)
        for dose in REGIMENS[regimen]["doses"]
        if dose["drug"] == drug
        and "when" not in dose
        and bool(dose.get("alternative")) == alternative
        and (not region or region in dose.get("regions", [region]))
    ]


def labels_of(regimen: str, region: str, formulation: str = "") -> list[dict[str, Any]]:
    return [
        label
        for label in REGIMENS[regimen]["labels"]
        if label["region"] == region and (not formulation or label.get("formulation") == formulation)
    ]


def conditions_in(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of a condition tree."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from conditions_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from conditions_in(value)


def test_all_53_regimens_and_the_three_added_are_there_under_their_own_key() -> None:
    assert sorted(REGIMENS) == sorted(KEYS)
    assert len(TABLE) == 53
    for key, regimen in REGIMENS.items():
        assert regimen["key"] == key


@pytest.mark.parametrize("key", KEYS)
def test_each_regimen_passes_its_schema(key: str) -> None:
    assert [e.message for e in schemas()["regimen"].iter_errors(REGIMENS[key])] == []


@pytest.mark.parametrize("key", KEYS)
def test_each_component_has_cautions_and_each_dose_a_component(key: str) -> None:
    regimen = REGIMENS[key]
    for drug in (*regimen["components"], *regimen["supporting"]):
        assert drug in CAUTIONS, f"{key}: {drug} has no file in pathways/drugs"
    for dose in regimen["doses"]:
        assert dose["drug"] in (*regimen["components"], *regimen["supporting"])
        assert dose["unit"]


@pytest.mark.parametrize("key", KEYS)
def test_the_steroid_stands_last(key: str) -> None:
    *others, last = REGIMENS[key]["components"]
    assert not set(others) & set(STEROIDS)
    assert (last in STEROIDS) == ("steroid" in REGIMENS[key]["classes"])


@pytest.mark.parametrize(
    "key, first",
    [
        ("s-vd", "selinexor"),
        ("d-rd", "daratumumab"),
        ("p-vd", "pomalidomide"),
        ("d-kd", "daratumumab"),
        ("isa-kd", "isatuximab"),
        ("bela-pd", "belantamab-mafodotin"),
        ("cilta-cel", "ciltacabtagene-autoleucel"),
        ("melflufen-d", "melphalan-flufenamide"),
        ("tec-dara", "teclistamab"),
        ("krd", "carfilzomib"),
        ("elo-rd", "elotuzumab"),
        ("pano-vd", "panobinostat"),
        ("d-vrd", "daratumumab"),
    ],
)
def test_the_drug_that_names_the_regimen_stands_first(key: str, first: str) -> None:
    assert REGIMENS[key]["components"][0] == first


@pytest.mark.parametrize("key", ["ide-cel", "cilta-cel"])
def test_lymphodepletion_is_supporting_and_no_component(key: str) -> None:
    assert REGIMENS[key]["supporting"] == ["fludarabine", "cyclophosphamide"]
    assert len(REGIMENS[key]["components"]) == 1


@pytest.mark.parametrize(
    "key, drug, expected",
    [
        ("s-vd", "selinexor", ["100 mg PO days 1,8,15,22,29"]),
        ("s-vd", "bortezomib", ["1.3 mg/m2 SC days 1,8,15,22"]),
        ("s-vd", "dexamethasone", ["20 mg PO days 1,2,8,9,15,16,22,23,29,30"]),
        ("sel-d", "selinexor", ["80 mg PO days 1,3 of each week"]),
        (
            "bela-pd",
            "belantamab-mafodotin",
            ["2.5 mg/kg IV days 1 in C1", "1.9 mg/kg IV days 1 in C2+"],
        ),
        ("bela-vd", "belantamab-mafodotin", ["2.5 mg/kg IV days 1"]),
        (
            "isa-kd",
            "carfilzomib",
            [
                "20 mg/m2 IV days 1,2 in C1",
                "56 mg/m2 IV days 8,9,15,16 in C1",
                "56 mg/m2 IV days 1,2,8,9,15,16 in C2+",
            ],
        ),
        ("isa-kd", "isatuximab", ["10 mg/kg IV days 1,8,15,22 in C1", "10 mg/kg IV days 1,15 in C2+"]),
        (
            "krd",
            "carfilzomib",
            [
                "20 mg/m2 IV days 1,2 in C1",
                "27 mg/m2 IV days 8,9,15,16 in C1",
                "27 mg/m2 IV days 1,2,8,9,15,16 in C2-12",
                "27 mg/m2 IV days 1,2,15,16 in C13-18",
            ],
        ),
        (
            "d-rd",
            "daratumumab",
            [
                "1800 mg SC days 1,8,15,22 in C1-2",
                "1800 mg SC days 1,15 in C3-6",
                "1800 mg SC days 1 in C7+",
            ],
        ),
        ("d-rd", "lenalidomide", ["25 mg PO days 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21"]),
        ("p-vd", "pomalidomide", ["4 mg PO days 1,2,3,4,5,6,7,8,9,10,11,12,13,14"]),
        (
            "p-vd",
            "bortezomib",
            ["1.3 mg/m2 SC (or IV) days 1,4,8,11 in C1-8 of 21 d", "1.3 mg/m2 SC (or IV) days 1,8 in C9+"],
        ),
        ("elo-pd", "elotuzumab", ["10 mg/kg IV days 1,8,15,22 in C1-2", "20 mg/kg IV days 1 in C3+"]),
        ("ird", "ixazomib", ["4 mg PO days 1,8,15"]),
        ("vrd", "dexamethasone", ["40->20 mg PO days 1,2,4,5,8,9,11,12"]),
        ("iber-dd", "iberdomide", ["1 mg PO days 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21"]),
        ("melflufen-d", "melphalan-flufenamide", ["40 mg IV days 1"]),
        ("cilta-cel", "fludarabine", ["30 mg/m2 IV days -5,-4,-3"]),
        (
            "cilta-cel",
            "ciltacabtagene-autoleucel",
            ["0.75 x10^6 CAR+ T cells/kg IV days 0 (range 0.5-1.0; max 1x10^8)"],
        ),
        ("ven-d", "dexamethasone", ["40 mg PO/IV days 1,8,15,22"]),
        ("elo-rd", "elotuzumab", ["10 mg/kg IV days 1,8,15,22 in C1-2", "10 mg/kg IV days 1,15 in C3+"]),
        ("elo-rd", "dexamethasone", ["40 mg PO (28 PO + 8 IV on infusion days) days 1,8,15,22"]),
        ("pano-vd", "panobinostat", ["20 mg PO days 1,3,5,8,10,12"]),
        (
            "pano-vd",
            "bortezomib",
            ["1.3 mg/m2 SC (or IV) days 1,4,8,11 in C1-8", "1.3 mg/m2 SC (or IV) days 1,8 in C9-16"],
        ),
        (
            "pano-vd",
            "dexamethasone",
            ["20 mg PO days 1,2,4,5,8,9,11,12 in C1-8", "20 mg PO days 1,2,8,9 in C9-16"],
        ),
    ],
)
def test_doses_against_the_labels_and_schedules(key: str, drug: str, expected: list[str]) -> None:
    assert doses_of(key, drug) == expected


# Whose dexamethasone is lower from which age: the cut differs by regimen, none may be taken over.
AGE_ROWS = [
    ("d-pd", {"at_least": 75}, ["20 mg PO/IV days 1,8,15,22"]),
    ("isa-pd", {"at_least": 75}, ["20 mg PO/IV days 1,8,15,22"]),
    ("melflufen-d", {"at_least": 75}, ["20 mg PO/IV days 1,8,15,22"]),
    ("iber-dd", {"at_least": 75}, ["20 mg PO days 1,8,15,22"]),
    (
        "d-kd",
        {"at_least": 75},
        ["40 mg PO/IV days 1 in C1", "20 mg PO/IV days 8,15,22 in C1", "20 mg PO/IV days 1,8,15,22 in C2+"],
    ),
    ("pom-d", {"over": 75}, ["20 mg PO days 1,8,15,22"]),
    ("elo-pd", {"over": 75}, ["20 (8 PO + 8 IV on infusion days) mg PO/IV days 1,8,15,22"]),
    ("bela-pd", {"over": 75}, ["20 mg PO/IV days 1,8,15,22"]),
    ("d-rd", {"over": 75}, ["20 mg PO/IV days 1,8,15,22"]),
    ("p-vd", {"over": 75}, ["10 mg PO days 1,2,4,5,8,9,11,12 in C1-8", "10 mg PO days 1,2,8,9 in C9+"]),
]


@pytest.mark.parametrize("key, age, expected", AGE_ROWS)
def test_dexamethasone_in_the_old_by_the_rule_of_the_regimen(
    key: str, age: dict[str, int], expected: list[str]
) -> None:
    rows = [dose for dose in REGIMENS[key]["doses"] if dose["drug"] == "dexamethasone" and "when" in dose]
    assert [dose_line(dose) for dose in rows] == expected
    assert all(dose["when"] == {"age": age} for dose in rows)


def test_no_other_regimen_has_an_age_rule() -> None:
    """Rd in the US may be reduced above 75 without a number; D-VD and Bela-VD: no rule was seen."""
    with_rule = {key for key in KEYS if any("age" in dose.get("when", {}) for dose in REGIMENS[key]["doses"])}
    assert with_rule == {key for key, _, _ in AGE_ROWS}


def test_melflufen_is_lower_at_60_kg_or_less_in_the_eu() -> None:
    (row,) = [d for d in REGIMENS["melflufen-d"]["doses"] if d["amount"] == 30]
    assert dose_line(row) == "30 mg IV days 1"
    assert row["when"] == {"lab": {"concept": "body-weight", "at_most": 60}}
    assert row["regions"] == ["EMA"]


def test_dose_sources_partly_or_wholly_recalled_say_so() -> None:
    marks: dict[str, set[str]] = {}
    for key in KEYS:
        if REGIMENS[key]["doses"]:
            marks.setdefault(REGIMENS[key]["dose_source"]["mark"], set()).add(key)
    assert marks["V/R"] == {"kd", "isa-kd", "p-vd", "isa-pd", "d-rd", "bela-pd"}
    assert marks["R"] == {"kcd", "vrd", "tec-tal"}


def test_weekly_carfilzomib_is_a_us_alternative() -> None:
    weekly = [d for d in REGIMENS["kd"]["doses"] if d.get("amount") == 70]
    assert weekly
    assert all(d["alternative"] and d["regions"] == ["FDA"] for d in weekly)


@pytest.mark.parametrize("region, days", [("FDA", "4 (2-4 d after step-up 1, up to 7 d)"), ("EMA", "3")])
def test_the_second_step_up_of_teclistamab_differs_by_region(region: str, days: str) -> None:
    second = [
        line for line in doses_of("teclistamab", "teclistamab", region=region) if line.startswith("0.3")
    ]
    assert second == [f"0.3 mg/kg SC days {days}"]


@pytest.mark.parametrize(
    "region, steps",
    [
        ("EMA", ["0.01 1", "0.06 3", "0.4 5", "0.8 7, then q2w"]),
        (
            "FDA",
            [
                "0.01 1",
                "0.06 4",
                "0.4 7",
                "0.8 10 (2-7 d after step-up 3; first treatment dose), then q2w (>=12 d apart)",
            ],
        ),
    ],
)
def test_the_step_up_of_talquetamab_every_2_weeks_differs_by_region(region: str, steps: list[str]) -> None:
    rows = doses_of("talquetamab", "talquetamab", region=region)
    assert [row.replace(" mg/kg SC days", "").removesuffix(" in biweekly schedule") for row in rows] == steps


@pytest.mark.parametrize("region, amount", [("EMA", "260-500"), ("FDA", "300-510")])
def test_the_dose_of_ide_cel_is_split_by_region(region: str, amount: str) -> None:
    lines = doses_of("ide-cel", "idecabtagene-vicleucel", region=region)
    assert lines == [f"{amount} x10^6 CAR+ T cells IV days 0"]


@pytest.mark.parametrize("region", ["EMA", "FDA"])
@pytest.mark.parametrize("key", [key for key in KEYS if set(REGIMENS[key]["components"]) & set(STEP_UP)])
def test_no_bispecific_antibody_without_its_step_up(key: str, region: str) -> None:
    """A full dose shown alone can kill (cytokine release): each drug that has doses has its step-up first."""
    for drug in set(REGIMENS[key]["components"]) & set(STEP_UP):
        rows = [
            d for d in REGIMENS[key]["doses"] if d["drug"] == drug and region in d.get("regions", [region])
        ]
        if rows:
            assert rows[0].get("step_up"), f"{key}: {drug} starts without a step-up in {region}"
            assert not rows[-1].get("step_up")


def test_only_bispecific_antibodies_step_up() -> None:
    flagged = {d["drug"] for r in REGIMENS.values() for d in r["doses"] if d.get("step_up")}
    assert flagged == set(STEP_UP)


@pytest.mark.parametrize(
    "key",
    [
        "elo-pvd",
        "tal-dara",
        "iber-d",
        "mezi-d",
        "kpd",
        "r",
        "benda",
        "benda-kd",
        "benda-rd",
        "cy-rd",
        "hd-cy",
        "dcep",
        "pace",
        "d-vtd",
        "isa",
        "ven-vd",
        "d-vrd",
    ],
)
def test_doses_that_no_source_asserts_stay_empty(key: str) -> None:
    assert REGIMENS[key]["doses"] == []


GATES = [
    ("d-vd", "EMA", "", "2017-04-28", "{prior_lines: {at_least: 1}}"),
    ("kd", "FDA", "", "2016-01", "{all: [{prior_lines: {at_least: 1}}, {prior_lines: {at_most: 3}}]}"),
    ("p-vd", "EMA", "", "2019", "{all: [{prior_lines: {at_least: 1}}, {exposed_to: lenalidomide}]}"),
    (
        "d-pd",
        "EMA",
        "SC",
        "2021-06-22",
        "{all: [{prior_lines: {at_least: 1}}, {exposed_to: lenalidomide}, {exposed_to: PI}, {any: [{all:"
        " [{prior_lines: {exactly: 1}}, {refractory_to: lenalidomide}]}, {prior_lines: {at_least: 2}}]}]}",
    ),
    (
        "d-pd",
        "FDA",
        "SC",
        "2021-07-09",
        "{all: [{prior_lines: {at_least: 1}}, {exposed_to: lenalidomide}, {exposed_to: PI}]}",
    ),
    (
        "d-pd",
        "FDA",
        "IV",
        "2017-06-16",
        "{all: [{prior_lines: {at_least: 2}}, {exposed_to: lenalidomide}, {exposed_to: PI}]}",
    ),
    (
        "isa-pd",
        "EMA",
        "IV",
        "2020-05-30",
        "{all: [{prior_lines: {at_least: 2}}, {exposed_to: lenalidomide}, {exposed_to: PI},"
        " {progressed_on_last_therapy: true}]}",
    ),
    (
        "isa-pd",
        "FDA",
        "SC",
        "2026-07-09",
        "{all: [{prior_lines: {at_least: 1}}, {exposed_to: lenalidomide}, {exposed_to: PI}]}",
    ),
    (
        "pom-d",
        "EMA",
        "",
        "2013-08-05",
        "{all: [{prior_lines: {at_least: 2}}, {exposed_to: lenalidomide}, {exposed_to: bortezomib},"
        " {progressed_on_last_therapy: true}]}",
    ),
    (
        "cilta-cel",
        "EMA",
        "",
        "2024-04",
        "{all: [{prior_lines: {at_least: 1}}, {exposed_to: IMiD}, {exposed_to: PI},"
        " {refractory_to: lenalidomide}, {progressed_on_last_therapy: true}]}",
    ),
    (
        "cilta-cel",
        "FDA",
        "",
        "2024-04-05",
        "{all: [{prior_lines: {at_least: 1}}, {exposed_to: PI}, {exposed_to: IMiD},"
        " {refractory_to: lenalidomide}]}",
    ),
    (
        "sel-d",
        "FDA",
        "",
        "2019-07-03",
        "{all: [{prior_lines: {at_least: 4}}, {count_refractory: {class: PI, at_least: 2}},"
        " {count_refractory: {class: IMiD, at_least: 2}}, {refractory_to: anti-CD38}]}",
    ),
    (
        "melflufen-d",
        "EMA",
        "",
        "2022-08-17",
        "{all: [{prior_lines: {at_least: 3}}, {refractory_to: PI}, {refractory_to: IMiD},"
        " {refractory_to: anti-CD38}, {progressed_on_last_therapy: true}, {any: [{not: {transplant: true}},"
        " {months_from_transplant_to_progression: {at_least: 36}}]}]}",
    ),
    ("bela-vd", "EMA", "", "2025-07-23", "{prior_lines: {at_least: 1}}"),
    (
        "cilta-cel",
        "FDA",
        "",
        "2022-02-28",
        "{all: [{prior_lines: {at_least: 4}}, {exposed_to: PI}, {exposed_to: IMiD},"
        " {exposed_to: anti-CD38}]}",
    ),
    (
        "cilta-cel",
        "EMA",
        "",
        "2022-05-25",
        "{all: [{prior_lines: {at_least: 3}}, {exposed_to: IMiD}, {exposed_to: PI}, {exposed_to: anti-CD38},"
        " {progressed_on_last_therapy: true}]}",
    ),
    (
        "pom-d",
        "FDA",
        "",
        "2013-02-08",
        "{all: [{prior_lines: {at_least: 2}}, {exposed_to: lenalidomide}, {exposed_to: bortezomib},"
        " {progressed_on_last_therapy: true}]}",
    ),
    (
        "pom-d",
        "FDA",
        "",
        "2015-04-23",
        "{all: [{prior_lines: {at_least: 2}}, {exposed_to: lenalidomide}, {exposed_to: PI},"
        " {progressed_on_last_therapy: true}]}",
    ),
    (
        "pano-vd",
        "EMA",
        "",
        "2015-08-28",
        "{all: [{prior_lines: {at_least: 2}}, {exposed_to: bortezomib}, {exposed_to: IMiD}]}",
    ),
    ("elo-rd", "EMA", "", "2016-05-11", "{prior_lines: {at_least: 1}}"),
    (
        "bela-vd",
        "FDA",
        "",
        "2025-10-23",
        "{all: [{prior_lines: {at_least: 2}}, {exposed_to: PI}, {exposed_to: IMiD}]}",
    ),
    (
        "elranatamab",
        "EMA",
        "",
        "2023-12-07",
        "{all: [{prior_lines: {at_least: 3}}, {exposed_to: IMiD}, {exposed_to: PI}, {exposed_to: anti-CD38},"
        " {progressed_on_last_therapy: true}]}",
    ),
    (
        "dara",
        "FDA",
        "",
        "2015-11-16",
        "{any: [{all: [{prior_lines: {at_least: 3}}, {exposed_to: PI}, {exposed_to: IMiD}]},"
        " {all: [{refractory_to: PI}, {refractory_to: IMiD}]}]}",
    ),
    (
        "tec-dara",
        "FDA",
        "",
        "2026-03-05",
        "{all: [{prior_lines: {at_least: 1}}, {exposed_to: PI}, {exposed_to: IMiD}]}",
    ),
]


@pytest.mark.parametrize("key, region, formulation, since, gate", GATES)
def test_label_gates_word_for_word(key: str, region: str, formulation: str, since: str, gate: str) -> None:
    in_force = [label for label in labels_of(key, region, formulation) if label.get("since") == since]
    assert len(in_force) == 1
    assert in_force[0]["when"] == read_yaml(gate)


def standing(label: dict[str, Any]) -> str:
    """One entry in short: "authorised SC from 1", "authorised from 1 to 3", "withdrawn from 4"."""
    when = label.get("when", {})
    limits = [node["prior_lines"] for node in when.get("all", [when]) if "prior_lines" in node]
    lines = "".join(f" from {limit['at_least']}" for limit in limits if "at_least" in limit)
    lines += "".join(f" to {limit['at_most']}" for limit in limits if "at_most" in limit)
    return " ".join([label["status"], *([label["formulation"]] if "formulation" in label else [])]) + lines


def in_force(key: str, region: str, day: str) -> list[str]:
    """The dated entries that hold on a day; of a date known to the month or year, its first day."""

    def first_day(text: str) -> str:
        return f"{text}-01-01"[:10]

    return [
        standing(label)
        for label in labels_of(key, region)
        if first_day(label["since"]) <= day
        and ("until" not in label or label["status"] == "withdrawn" or day < first_day(label["until"]))
    ]


LABELS_BY_DATE = [
    ("D-PD was not in the EU the day before", "d-pd", "EMA", "2021-06-21", []),
    ("and was on the day", "d-pd", "EMA", "2021-06-22", ["authorised SC from 1"]),
    ("US D-PD, intravenous only at first", "d-pd", "FDA", "2020-01-01", ["authorised IV from 2"]),
    ("US D-PD, both forms", "d-pd", "FDA", "2022-01-01", ["authorised SC from 1", "authorised IV from 2"]),
    ("DRd in the EU the day before", "d-rd", "EMA", "2017-04-27", []),
    ("DRd in the EU on the day", "d-rd", "EMA", "2017-04-28", ["authorised from 1"]),
    ("S-VD in the EU", "s-vd", "EMA", "2022-06-30", []),
    ("S-VD in the US the day before", "s-vd", "FDA", "2020-12-17", []),
    ("ide-cel in the US before its first day", "ide-cel", "FDA", "2021-03-25", []),
    ("ide-cel in the US before 2024", "ide-cel", "FDA", "2024-04-03", ["authorised from 4"]),
    ("ide-cel in the US after", "ide-cel", "FDA", "2024-04-04", ["authorised from 2"]),
    ("ide-cel in the EU, conditional", "ide-cel", "EMA", "2023-06-01", ["authorised-conditional from 3"]),
    ("ide-cel in the EU, wider", "ide-cel", "EMA", "2024-06-01", ["authorised from 2"]),
    ("cilta-cel in the US before 2024", "cilta-cel", "FDA", "2024-04-04", ["authorised from 4"]),
    ("cilta-cel in the US after", "cilta-cel", "FDA", "2024-04-05", ["authorised from 1"]),
    ("cilta-cel in the EU before its first day", "cilta-cel", "EMA", "2022-05-24", []),
    ("cilta-cel in the EU at first", "cilta-cel", "EMA", "2023-06-01", ["authorised-conditional from 3"]),
    ("wider, still conditional", "cilta-cel", "EMA", "2024-08-22", ["authorised-conditional from 1"]),
    ("standard when next seen", "cilta-cel", "EMA", "2026-03-14", ["authorised from 1"]),
    ("belantamab alone in the EU", "bela", "EMA", "2022-06-01", ["authorised-conditional from 4"]),
    ("not renewed", "bela", "EMA", "2024-02-23", ["withdrawn from 4"]),
    ("belantamab alone in the US", "bela", "FDA", "2020-08-05", ["accelerated from 4"]),
    ("withdrawn in the US", "bela", "FDA", "2023-06-01", ["withdrawn from 4"]),
    ("no belantamab in between in the EU", "bela-vd", "EMA", "2025-07-22", []),
    ("melflufen in the US", "melflufen-d", "FDA", "2022-01-01", ["accelerated from 4"]),
    ("melflufen withdrawn", "melflufen-d", "FDA", "2025-01-01", ["withdrawn from 4"]),
    ("the 2 lines of December 2023 never count", "melflufen-d", "EMA", "2024-01-10", ["authorised from 3"]),
    ("teclistamab accelerated", "teclistamab", "FDA", "2024-01-01", ["accelerated from 4"]),
    ("teclistamab regular", "teclistamab", "FDA", "2026-03-05", ["authorised from 4"]),
    ("Sd conditional in the EU", "sel-d", "EMA", "2021-12-01", ["authorised-conditional from 4"]),
    ("Sd full in the EU", "sel-d", "EMA", "2023-01-01", ["authorised from 4"]),
    ("Sd accelerated in the US", "sel-d", "FDA", "2020-01-01", ["accelerated from 4"]),
    ("Sd regular in the US", "sel-d", "FDA", "2021-01-01", ["authorised from 4"]),
    ("daratumumab alone, conditional", "dara", "EMA", "2016-12-01", ["authorised-conditional from 2"]),
    ("daratumumab alone, full", "dara", "EMA", "2017-04-28", ["authorised from 2"]),
    ("Pd in the US, accelerated", "pom-d", "FDA", "2014-01-01", ["accelerated from 2"]),
    ("Pd in the US, regular", "pom-d", "FDA", "2015-04-23", ["authorised from 2"]),
    ("Rd in the US at relapse only", "rd", "FDA", "2010-01-01", ["authorised from 1"]),
    ("Rd in the US in every line", "rd", "FDA", "2016-01-01", ["authorised"]),
    ("bortezomib in the US, 2003", "vd", "FDA", "2004-01-01", ["accelerated from 2"]),
    ("bortezomib in the US, 2005", "vd", "FDA", "2006-01-01", ["authorised from 1"]),
    ("bortezomib in the US, 2008", "vd", "FDA", "2009-01-01", ["authorised"]),
    ("IRd conditional at first", "ird", "EMA", "2019-02-01", ["authorised-conditional from 1"]),
    ("IRd standard", "ird", "EMA", "2025-01-01", ["authorised from 1"]),
    ("Isa-PD in the US, intravenous", "isa-pd", "FDA", "2026-07-08", ["authorised IV from 2"]),
    ("and subcutaneous", "isa-pd", "FDA", "2026-07-09", ["authorised IV from 2", "authorised SC from 1"]),
    (
        "Isa-PD in the EU: subcutaneous an opinion only",
        "isa-pd",
        "EMA",
        "2026-11-30",
        ["authorised IV from 2", "positive-opinion SC from 2"],
    ),
    ("Tec-Dara before the opinion", "tec-dara", "EMA", "2026-06-24", []),
    ("Tec-Dara, opinion only", "tec-dara", "EMA", "2026-11-30", ["positive-opinion from 1"]),
    ("Tec-Dara in the US the day before", "tec-dara", "FDA", "2026-03-04", []),
    ("IberDd in the US the day before", "iber-dd", "FDA", "2026-08-12", []),
    ("Elo-Rd in the US", "elo-rd", "FDA", "2020-01-01", ["authorised from 1 to 3"]),
    ("panobinostat in the US", "pano-vd", "FDA", "2018-01-01", ["accelerated from 2"]),
    ("panobinostat withdrawn in the US", "pano-vd", "FDA", "2022-03-24", ["withdrawn from 2"]),
    ("panobinostat still in the EU", "pano-vd", "EMA", "2026-11-30", ["authorised from 2"]),
]


@pytest.mark.parametrize("case, key, region, day, expected", LABELS_BY_DATE)
def test_the_labels_of_a_day(case: str, key: str, region: str, day: str, expected: list[str]) -> None:
    assert in_force(key, region, day) == expected, case


def test_one_entry_follows_the_other_without_a_gap() -> None:
    """Where an entry ends, one of the same regimen and region begins, or it was withdrawn."""
    for key in KEYS:
        for region in ("EMA", "FDA"):
            begun = {label.get("since") for label in labels_of(key, region)}
            for label in labels_of(key, region):
                assert label.get("until") in {None, *begun}, (key, region, label["until"])


RECALLED = [
    ("d-kd", "EMA", "2020", "V/R"),
    ("vd", "EMA", "2013", "V/R"),
    ("vd", "FDA", "2008-06", "V/R"),
    ("cilta-cel", "EMA", "2024-04", "V/R"),
    ("cilta-cel", "EMA", "2026-03-14", "V/R"),
    ("p-vd", "EMA", "2019", "V/R"),
    ("vrd", "EMA", "2019", "V/R"),
    ("d-vmp", "EMA", "2018", "V/R"),
    ("d-vtd", "EMA", "2020", "V/R"),
    ("ird", "EMA", "2016-11-21", "V/R"),
    ("ird", "EMA", "2024-08", "V/R"),
    ("pom-d", "FDA", "2015-04-23", "V/R"),
    ("sel-d", "FDA", "2020-12-18", "D"),
    ("dara", "FDA", "2016-11-21", "D"),
]


def test_a_date_or_wording_not_seen_is_marked() -> None:
    marked = {
        (key, label["region"], label["since"], label["source"]["mark"])
        for key in KEYS
        for label in REGIMENS[key]["labels"]
        if "since" in label and label["source"]["mark"] != "V"
    }
    assert marked == set(RECALLED)


@pytest.mark.parametrize(
    "key, region, statuses",
    [
        ("p-vd", "FDA", ["not-labelled"]),
        ("d-vrd", "EMA", ["frontline-only"]),
        ("d-vrd", "FDA", ["frontline-only"]),
        ("elo-rd", "FDA", ["authorised"]),
        ("pano-vd", "FDA", ["accelerated", "withdrawn"]),
        ("vrd", "EMA", ["frontline-only"]),
        ("bela-pd", "FDA", ["refused"]),
        ("tec-dara", "EMA", ["positive-opinion"]),
        ("iber-dd", "EMA", ["not-seen"]),
        ("iber-dd", "FDA", ["accelerated"]),
        ("tec-tal", "EMA", ["off-label"]),
        ("mezi-d", "FDA", ["investigational"]),
        ("isa-kd", "EMA", ["authorised", "positive-opinion"]),
        ("bela", "EMA", ["authorised-conditional", "withdrawn"]),
        ("melflufen-d", "FDA", ["accelerated", "withdrawn"]),
        ("teclistamab", "EMA", ["authorised-conditional"]),
        ("teclistamab", "FDA", ["accelerated", "authorised"]),
    ],
)
def test_label_statuses(key: str, region: str, statuses: list[str]) -> None:
    assert [label["status"] for label in labels_of(key, region)] == statuses


def test_what_was_withdrawn_says_until_when() -> None:
    ended = {
        (key, label["region"]): label["until"]
        for key, regimen in REGIMENS.items()
        for label in regimen["labels"]
        if label["status"] == "withdrawn"
    }
    assert ended == {
        ("bela", "EMA"): "2024-02-23",
        ("bela", "FDA"): "2022-11",
        ("melflufen-d", "FDA"): "2024-02-23",
        ("pano-vd", "FDA"): "2022-03-24",
    }


def test_only_what_is_never_offered_says_that_no_rule_speaks_for_it() -> None:
    assert {key for key in KEYS if "no_rule" in REGIMENS[key]} == {
        *(
            "vd",
            "d-vmp",
            "d-vtd",
            "d-vrd",
            "tal-dara",
            "iber-d",
            "mezi-d",
            "ven-d",
            "ven-vd",
            "hd-cy",
            "pano-vd",
            "dara",
            "pom-d",
        )
    }
    assert [key for key in KEYS if REGIMENS[key].get("history_only")] == ["d-vrd"]


def test_no_maximum_of_prior_lines_in_the_eu() -> None:
    for key in KEYS:
        for label in labels_of(key, "EMA"):
            limits = [
                node["prior_lines"] for node in conditions_in(label.get("when")) if "prior_lines" in node
            ]
            assert not any("at_most" in limit for limit in limits), key


@pytest.mark.parametrize("key", KEYS)
def test_every_text_stands_in_both_languages(key: str) -> None:
    texts = [node for node in conditions_in(REGIMENS[key]) if "en" in node]
    assert len(texts) >= 3  # two gates and the visit burden at least
    assert all(text.get("it") for text in texts)


BARS = [
    ("bortezomib", "neuropathy", "{has: {concept: peripheral-neuropathy, grade_at_least: 3}}"),
    ("thalidomide", "neuropathy", "{has: {concept: peripheral-neuropathy, grade_at_least: 3}}"),
    (
        "carfilzomib",
        "heart-failure",
        "{has: {concept: heart-failure, severity: [NYHA-III, NYHA-IV, severe]}}",
    ),
    ("lenalidomide", "pregnancy", "{has: {concept: pregnancy}}"),
    ("pomalidomide", "pregnancy", "{has: {concept: pregnancy}}"),
    ("iberdomide", "pregnancy", "{has: {concept: pregnancy}}"),
    ("venetoclax", "t-11-14", "{biology: {marker: t-11-14, is: absent}}"),
    (
        "melphalan-flufenamide",
        "transplant",
        "{all: [{transplant: true}, {months_from_transplant_to_progression: {under: 36}}]}",
    ),
]


@pytest.mark.parametrize("drug, concept, when", BARS)
def test_what_bars_a_drug(drug: str, concept: str, when: str) -> None:
    barred = [c["when"] for c in CAUTIONS[drug]["cautions"] if c.get("bars") and c["concept"] == concept]
    assert barred == [read_yaml(when)]


@pytest.mark.parametrize("drug", [*STEP_UP, "ciltacabtagene-autoleucel", "idecabtagene-vicleucel"])
def test_a_serious_infection_bars_t_cell_redirection(drug: str) -> None:
    barred = [c["when"] for c in CAUTIONS[drug]["cautions"] if c.get("bars") and c["concept"] == "infection"]
    concepts = {node["concept"] for when in barred for node in conditions_in(when) if "concept" in node}
    assert {"serious-infection", "opportunistic-infection"} <= concepts


@pytest.mark.parametrize(
    "drug, concept, said",
    [
        ("bortezomib", "zoster", "aciclovir"),
        ("belantamab-mafodotin", "eye-exams", "eye exam"),
        ("lenalidomide", "teratogenicity", "teratogen"),
        ("pomalidomide", "teratogenicity", "thromboprophylaxis"),
        ("teclistamab", "step-up", "48 h"),
        ("ciltacabtagene-autoleucel", "manufacturing", "bridging"),
        ("bendamustine", "before-t-cell-therapy", "CAR-T"),
        ("selinexor", "antiemetics", "antiemetic"),
    ],
)
def test_what_always_goes_with_a_drug(drug: str, concept: str, said: str) -> None:
    always = [c for c in CAUTIONS[drug]["cautions"] if "when" not in c]
    assert len(always) <= 2, "cautions that always show must stay few"
    assert said in next(c["text"]["en"] for c in always if c["concept"] == concept)


# In the order in which they are asked: the first that holds counts.
ADJUSTMENTS = [
    ("lenalidomide", "{has: {concept: dialysis}}", "5 mg", ""),
    ("lenalidomide", "{lab: {concept: creatinine-clearance, under: 30}}", "15 mg", "every other day"),
    (
        "lenalidomide",
        "{all: [{region: EMA}, {lab: {concept: creatinine-clearance, at_least: 30, under: 50}}]}",
        "10 mg",
        "",
    ),
    (
        "lenalidomide",
        "{all: [{region: FDA}, {lab: {concept: creatinine-clearance, at_least: 30, under: 60}}]}",
        "10 mg",
        "",
    ),
    ("pomalidomide", "{all: [{region: FDA}, {has: {concept: dialysis}}]}", "3 mg", ""),
    (
        "pomalidomide",
        "{all: [{region: FDA}, {has: {concept: hepatic-impairment, severity: [severe]}}]}",
        "2 mg",
        "",
    ),
    (
        "pomalidomide",
        "{all: [{region: FDA}, {has: {concept: hepatic-impairment, severity: [mild, moderate]}}]}",
        "3 mg",
        "",
    ),
    (
        "ixazomib",
        "{any: [{has: {concept: dialysis}}, {lab: {concept: creatinine-clearance, under: 30}}]}",
        "3 mg",
        "",
    ),
    ("ixazomib", "{has: {concept: hepatic-impairment, severity: [moderate, severe]}}", "3 mg", ""),
    ("bortezomib", "{has: {concept: hepatic-impairment, severity: [moderate, severe]}}", "0.7 mg/m2", ""),
    ("panobinostat", "{has: {concept: hepatic-impairment, severity: [moderate]}}", "10 mg", ""),
    ("panobinostat", "{has: {concept: hepatic-impairment, severity: [mild]}}", "15 mg", ""),
]


@pytest.mark.parametrize("drug", sorted(CAUTIONS))
def test_dose_adjustments_word_for_word_and_in_order(drug: str) -> None:
    entries = CAUTIONS[drug].get("dose_adjustments", [])
    found = [(e["when"], f"{e['amount']} {e['unit']}", e.get("days_text", "")) for e in entries]
    assert found == [(read_yaml(when), dose, days) for key, when, dose, days in ADJUSTMENTS if key == drug]


@pytest.mark.parametrize(
    "drug, mark", [("lenalidomide", "V/R"), ("ixazomib", "V/R"), ("pomalidomide", "V"), ("bortezomib", "V")]
)
def test_the_first_adjustment_says_how_far_it_was_seen(drug: str, mark: str) -> None:
    assert CAUTIONS[drug]["dose_adjustments"][0]["source"]["mark"] == mark


def test_an_estimated_gfr_adjusts_no_dose() -> None:
    for drug in CAUTIONS.values():
        for entry in drug.get("dose_adjustments", []):
            assert "egfr" not in str(entry["when"])


@pytest.mark.parametrize("drug", ["lenalidomide", "pomalidomide", "ixazomib", "bortezomib"])
def test_no_caution_repeats_a_dose_that_an_adjustment_gives(drug: str) -> None:
    adjusted = [entry["when"] for entry in CAUTIONS[drug]["dose_adjustments"]]
    assert not [c["concept"] for c in CAUTIONS[drug]["cautions"] if c.get("when") in adjusted]


def test_kidney_disease_asks_for_the_clearance_before_lenalidomide() -> None:
    (said,) = [c for c in CAUTIONS["lenalidomide"]["cautions"] if c["concept"] == "renal-impairment"]
    assert "depends on the creatinine clearance" in said["text"]["en"]
    assert said["when"] == {"any": [{"has": {"concept": "ckd"}}, {"lab": {"concept": "egfr", "under": 60}}]}


def advice_of(drug: str, region: str, kind: str = "") -> list[dict[str, Any]]:
    return [
        entry
        for entry in CAUTIONS[drug]["advice"]
        if region in entry.get("regions", [region]) and (not kind or entry["kind"] == kind)
    ]


BISPECIFIC = ["premedication", "supervision", "pjp-prophylaxis", "zoster-prophylaxis", "immunoglobulin",
              "hepatitis-b-screening"]  # fmt: skip
CAR_T = ["supervision", "infection-prophylaxis", "immunoglobulin", "hepatitis-b-screening", "monitoring"]
ADVICE_BY_CLASS = [
    ("anti-CD38", ["premedication", "blood-group", "hepatitis-b-screening", "zoster-prophylaxis"]),
    ("PI", ["zoster-prophylaxis", "hepatitis-b-screening"]),
    ("IMiD", ["pregnancy-prevention", "vte-prophylaxis"]),
    ("CELMoD", ["pregnancy-prevention", "vte-prophylaxis"]),
    ("BCMA-BsAb", BISPECIFIC),
    ("GPRC5D-BsAb", BISPECIFIC),
    ("BCMA-CAR-T", CAR_T),
    ("BCMA-ADC", ["eye-care"]),
    ("anti-SLAMF7", ["premedication"]),
    ("HDAC", ["cardiac"]),
    ("steroid", ["pjp-prophylaxis"]),
]


@pytest.mark.parametrize("region", ["EMA", "FDA"])
@pytest.mark.parametrize("drug_class, kinds", ADVICE_BY_CLASS)
def test_what_every_regimen_with_the_class_brings_along(
    drug_class: str, kinds: list[str], region: str
) -> None:
    concerned = [key for key in KEYS if drug_class in REGIMENS[key]["classes"]]
    assert concerned
    for key in concerned:
        for drug in REGIMENS[key]["components"]:
            if drug_class in CLASSES[drug]:
                found = {entry["kind"] for entry in advice_of(drug, region)}
                assert set(kinds) <= found, (key, drug, set(kinds) - found)


def test_a_rems_is_us_only_and_car_t_has_none_any_more() -> None:
    with_rems = set()
    for drug, content in CAUTIONS.items():
        for entry in content["advice"]:
            if entry["kind"] == "rems":
                with_rems.add(drug)
                assert entry["regions"] == ["FDA"], drug
    assert with_rems == {
        *("lenalidomide", "pomalidomide", "thalidomide", "iberdomide", "belantamab-mafodotin"),
        *("teclistamab", "talquetamab", "elranatamab", "linvoseltamab"),
    }


@pytest.mark.parametrize(
    "drug, region, kind, said",
    [
        ("teclistamab", "FDA", "supervision", "In hospital for 48 hours after step-up doses 1 and 2"),
        ("teclistamab", "EMA", "supervision", "Near a health-care facility for 48 hours"),
        ("talquetamab", "FDA", "supervision", "In hospital for 48 hours after every step-up dose"),
        ("talquetamab", "EMA", "supervision", "48 hours after every step-up dose"),
        (
            "elranatamab",
            "FDA",
            "supervision",
            "48 hours after step-up dose 1 and for 24 hours after step-up dose 2",
        ),
        ("elranatamab", "EMA", "supervision", "48 hours after each of the 2 step-up doses"),
        ("linvoseltamab", "FDA", "supervision", "In hospital for 24 hours"),
        ("linvoseltamab", "EMA", "supervision", "Near the centre for 24 hours"),
        ("ciltacabtagene-autoleucel", "FDA", "supervision", "do not drive for 2 weeks"),
        ("belantamab-mafodotin", "FDA", "eye-care", "before every dose"),
        ("belantamab-mafodotin", "EMA", "eye-care", "before each of the first 4 doses"),
        ("pomalidomide", "FDA", "interaction", "2 mg"),
        ("pomalidomide", "EMA", "interaction", "halve the dose"),
        ("daratumumab", "EMA", "hepatitis-b-screening", "6 months after the last dose"),
        ("selinexor", "EMA", "dose", "70 mg/m2"),
        ("carfilzomib", "EMA", "hydration", "cycle 1"),
        ("carfilzomib", "FDA", "vte-prophylaxis", "not only with an immunomodulatory drug"),
        ("carfilzomib", "EMA", "cardiac", "Blood pressure"),
        ("elotuzumab", "FDA", "premedication", "8 mg intravenously 45-90 minutes before"),
        ("selinexor", "FDA", "premedication", "5-HT3 antagonist plus a second antiemetic"),
        ("cisplatin", "EMA", "hydration", "magnesium"),
        ("doxorubicin", "EMA", "cardiac", "Ejection fraction"),
        ("bendamustine", "EMA", "pjp-prophylaxis", "Pneumocystis"),
    ],
)
def test_advice_by_drug_and_region(drug: str, region: str, kind: str, said: str) -> None:
    texts = [entry["text"]["en"] for entry in advice_of(drug, region, kind)]
    assert any(said in text for text in texts), texts


def test_no_us_stay_is_told_in_the_eu() -> None:
    for drug in (*STEP_UP, "ciltacabtagene-autoleucel", "idecabtagene-vicleucel"):
        for entry in advice_of(drug, "EMA", "supervision"):
            assert "In hospital" not in entry["text"]["en"], drug
            assert "2 weeks" not in entry["text"]["en"], drug


def test_what_was_recalled_says_that_the_label_is_to_be_read_again() -> None:
    for drug, content in CAUTIONS.items():
        for entry in (*content["advice"], *content.get("dose_adjustments", [])):
            source = entry["source"]
            if "R" in source["mark"]:
                assert re.search("recalled|recheck|not seen|no label", source["document"]), (drug, source)


@pytest.mark.parametrize("drug", sorted(CAUTIONS))
def test_every_text_of_a_drug_stands_in_both_languages_with_a_marked_source(drug: str) -> None:
    content = CAUTIONS[drug]
    for entry in (*content["cautions"], *content["advice"], *content.get("dose_adjustments", [])):
        assert entry["text"]["en"] and entry["text"]["it"]
        assert entry["source"]["mark"] in ("V", "R", "D", "V/R")


@pytest.mark.parametrize("drug", sorted(CAUTIONS))
def test_each_file_of_cautions_passes_its_schema(drug: str) -> None:
    assert [e.message for e in schemas()["component"].iter_errors(CAUTIONS[drug])] == []
    assert CAUTIONS[drug]["drug"] == drug


def test_thresholds_stand_in_the_unit_they_were_typed_in() -> None:
    observations = read_yaml(Path(root(), "mappings", "observations.yaml").read_text("utf-8"))["observations"]
    units = {entry["key"]: entry["unit"] for entry in observations}
    used = {node["lab"]["concept"] for node in conditions_in(list(CAUTIONS.values())) if "lab" in node}
    assert {concept: units[concept] for concept in sorted(used)} == dict(sorted(LAB_UNITS.items()))


# ---- what an author may do wrong


def mappings_in(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Path of every mapping below a file's content."""
    if isinstance(node, dict):
        yield path
        for key, value in node.items():
            yield from mappings_in(value, (*path, key))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from mappings_in(value, (*path, number))


def at(content: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        content = content[step]
    return content


@pytest.mark.parametrize(
    "kind, content",
    [
        ("regimen", REGIMENS["melflufen-d"]),
        ("regimen", REGIMENS["teclistamab"]),
        ("regimen", REGIMENS["sel-d"]),
        ("regimen", REGIMENS["d-vrd"]),
        ("component", CAUTIONS["carfilzomib"]),
        ("component", CAUTIONS["venetoclax"]),
        ("component", CAUTIONS["lenalidomide"]),
    ],
)
def test_an_unknown_key_is_refused_wherever_it_stands(kind: str, content: Any) -> None:
    for path in mappings_in(content):
        wrong = copy.deepcopy(content)
        at(wrong, path)["typo"] = "x"
        messages = [error.message for error in schemas()[kind].iter_errors(wrong)]
        assert any("typo" in message for message in messages), path


MISTAKES = [
    ("a leaf misspelt", "refractory_too: lenalidomide", "'refractory_too' was unexpected"),
    ("two leaves in one mapping", "{prior_lines: {at_least: 1}, exposed_to: PI}", "has too many properties"),
    ("an empty list of drugs", "exposed_to: []", "[] should be non-empty"),
    ("a number where a limit is asked", "prior_lines: 1", "1 is not of type 'object'"),
    ("a limit misspelt", "prior_lines: {atleast: 1}", "'atleast' was unexpected"),
    ("half a line", "prior_lines: {at_least: 1.5}", "1.5 is not of type 'integer'"),
    ("no such label", "label: double-refractory:PI+IMiD", "is not one of"),
    ("no such region", "region: EU", "'EU' is not one of ['EMA', 'FDA']"),
    ("false where only true says something", "progressed_on_last_therapy: false", "True was expected"),
    ("a comorbidity without concept", "has: {grade_at_least: 3}", "'concept' is a required property"),
    (
        "a severity in other words",
        "has: {concept: heart-failure, severity: [NYHA 3]}",
        "'NYHA 3' does not match",
    ),
    ("a laboratory value without limit", "lab: {concept: platelets}", "does not have enough properties"),
    ("a list where one condition is asked", "not: [{exposed_to: PI}]", "is not of type 'object'"),
    ("a drug key in capitals and spaces", "exposed_to: Belantamab Mafodotin", "does not match"),
    ("nothing at all", "{}", "should be non-empty"),
]


@pytest.mark.parametrize("case, wrong, sentence", MISTAKES)
def test_a_wrong_condition_gets_a_sentence_that_names_it(case: str, wrong: str, sentence: str) -> None:
    messages = [error.message for error in schemas()["condition"].iter_errors(read_yaml(wrong))]
    assert any(sentence in message for message in messages), (case, messages)


@pytest.mark.parametrize(
    "case, path, value, sentence",
    [
        ("a dose without unit", ("doses", 0), {"drug": "carfilzomib", "amount": 20, "route": "IV"}, "'unit'"),
        (
            "a dose without amount",
            ("doses", 0),
            {"drug": "carfilzomib", "unit": "mg", "route": "IV"},
            "'amount'",
        ),
        ("an unknown unit", ("doses", 0, "unit"), "ml", "'ml' is not one of"),
        ("a status in other words", ("labels", 0, "status"), "approved", "'approved' is not one of"),
        ("a date that is none", ("labels", 0, "since"), "March 2021", "does not match"),
        ("withdrawn without a day", ("labels", 0, "status"), "withdrawn", "'until' is a required property"),
        ("a drug key in capitals", ("components", 0), "Isatuximab", "does not match"),
        ("a mark nobody knows", ("dose_source", "mark"), "X", "is not one of"),
        ("an age in words", ("doses", 0, "when"), "from 75", "is not of type 'object'"),
        ("history only, half", ("history_only",), False, "True was expected"),
    ],
)
def test_a_wrong_regimen_gets_a_sentence(case: str, path: tuple[Any, ...], value: Any, sentence: str) -> None:
    wrong = copy.deepcopy(REGIMENS["isa-kd"])
    at(wrong, path[:-1])[path[-1]] = value
    messages = [error.message for error in schemas()["regimen"].iter_errors(wrong)]
    assert any(sentence in message for message in messages), (case, messages)


def test_a_bar_without_a_condition_is_refused() -> None:
    wrong = copy.deepcopy(CAUTIONS["carfilzomib"])
    wrong["cautions"][0].pop("when")
    messages = [error.message for error in schemas()["component"].iter_errors(wrong)]
    assert messages == ["'when' is a required property"]


def test_only_history_goes_without_a_cycle() -> None:
    wrong = copy.deepcopy(REGIMENS["isa-kd"])
    wrong.pop("cycle")
    messages = [error.message for error in schemas()["regimen"].iter_errors(wrong)]
    assert messages == ["'cycle' is a required property"]


ADJUSTMENT_MISTAKES = [
    ("a dose without unit", "unit", None, "'unit' is a required property"),
    ("no condition", "when", None, "'when' is a required property"),
    ("a unit that counts cells", "unit", "x10^6 CAR+ T cells", "is not one of"),
    ("nothing of the drug", "amount", 0, "less than or equal to the minimum"),
]


@pytest.mark.parametrize("case, key, value, sentence", ADJUSTMENT_MISTAKES)
def test_a_wrong_adjustment_gets_a_sentence(case: str, key: str, value: Any, sentence: str) -> None:
    wrong = copy.deepcopy(CAUTIONS["lenalidomide"])
    if value is None:
        wrong["dose_adjustments"][0].pop(key)
    else:
        wrong["dose_adjustments"][0][key] = value
    messages = [error.message for error in schemas()["component"].iter_errors(wrong)]
    assert any(sentence in message for message in messages), (case, messages)


def test_every_regimen_tells_its_visits_in_a_few_words(knowledge: Knowledge) -> None:
    for regimen in knowledge.regimens.values():
        for language in ("en", "it"):
            told = regimen.burden_in_short.in_language(language)
            assert len(told.split()) <= 8, f"{regimen.key}: {told}"
