"""The regimens as the labels and the published schedules have them: values typed by hand, never computed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cds_service.knowledge.load import read_yaml, root, schemas

KEYS = [
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
}


def folder(name: str) -> dict[str, Any]:
    return {
        p.stem: read_yaml(p.read_text("utf-8")) for p in sorted(Path(root(), "pathways", name).glob("*.yaml"))
    }


REGIMENS = folder("regimens")
CAUTIONS = folder("drugs")


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


def test_all_53_regimens_are_there_under_their_own_key() -> None:
    assert sorted(REGIMENS) == sorted(KEYS)
    assert len(KEYS) == 53
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
    ],
)
def test_doses_against_the_labels_and_schedules(key: str, drug: str, expected: list[str]) -> None:
    assert doses_of(key, drug) == expected


@pytest.mark.parametrize(
    "case, key, drug, expected",
    [
        (
            "older patients, D-PD: from 75",
            "d-pd",
            "dexamethasone",
            ["20 mg PO/IV days 1,8,15,22 (if >=75 years)"],
        ),
        (
            "older patients, Pd: above 75",
            "pom-d",
            "dexamethasone",
            ["20 mg PO days 1,8,15,22 (if >75 years)"],
        ),
        ("Rd in the US gives no number", "rd", "dexamethasone", []),
        (
            "melflufen at 60 kg or less, EU",
            "melflufen-d",
            "melphalan-flufenamide",
            ["30 mg IV days 1 (if body weight <=60 kg)"],
        ),
    ],
)
def test_alternative_doses_are_flagged(case: str, key: str, drug: str, expected: list[str]) -> None:
    assert doses_of(key, drug, alternative=True) == expected, case


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
    ],
)
def test_doses_that_no_source_asserts_stay_empty(key: str) -> None:
    assert REGIMENS[key]["doses"] == []


GATES = [
    ("d-vd", "EMA", "", "2017", "{prior_lines: {at_least: 1}}"),
    ("kd", "FDA", "", "2016", "{all: [{prior_lines: {at_least: 1}}, {prior_lines: {at_most: 3}}]}"),
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


@pytest.mark.parametrize(
    "key, region, statuses",
    [
        ("p-vd", "FDA", ["not-labelled"]),
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
    }


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


@pytest.mark.parametrize(
    "region, clearance, said",
    [
        ("EMA", {"at_least": 30, "under": 50}, "10 mg daily"),
        ("FDA", {"at_least": 30, "under": 60}, "10 mg daily"),
    ],
)
def test_lenalidomide_is_reduced_below_50_in_the_eu_and_60_in_the_us(
    region: str, clearance: dict[str, int], said: str
) -> None:
    wanted = {"all": [{"region": region}, {"lab": {"concept": "creatinine-clearance", **clearance}}]}
    assert [
        said in c["text"]["en"] for c in CAUTIONS["lenalidomide"]["cautions"] if c.get("when") == wanted
    ] == [True]


@pytest.mark.parametrize("drug", sorted(CAUTIONS))
def test_each_file_of_cautions_passes_its_schema(drug: str) -> None:
    assert [e.message for e in schemas()["component-cautions"].iter_errors(CAUTIONS[drug])] == []
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
        ("component-cautions", CAUTIONS["carfilzomib"]),
        ("component-cautions", CAUTIONS["venetoclax"]),
        ("component-cautions", CAUTIONS["lenalidomide"]),
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
    messages = [error.message for error in schemas()["component-cautions"].iter_errors(wrong)]
    assert messages == ["'when' is a required property"]
