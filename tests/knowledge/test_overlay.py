"""A hospital's own folder: what a patch does, entry by entry, and the worked example of the documentation."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from cds_service.knowledge.load import KnowledgeError, load
from cds_service.knowledge.overlay import CannotMerge, merged
from cds_service.sequencing.choose import choose
from cds_service.sequencing.sketch import sketch_of, sketched

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "hospital-overlay"
AS_OF = date(2026, 11, 30)

RULES = {"rules": [{"id": "A", "recommend": ["x", "y"], "note": "n"}, {"id": "B", "recommend": ["z"]}]}
MERGES = [
    # case, original, patch, what comes of it
    ("a member changed", {"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
    ("a member taken away", {"a": 1, "b": 2}, {"b": None}, {"a": 1}),
    ("a member of a member", {"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
    (
        "one rule of a list, its own list replaced",
        RULES,
        {"rules": [{"id": "A", "recommend": ["y"]}]},
        {"rules": [{"id": "A", "recommend": ["y"], "note": "n"}, {"id": "B", "recommend": ["z"]}]},
    ),
    (
        "a rule added at the end",
        RULES,
        {"rules": [{"id": "C", "avoid": ["z"]}]},
        {"rules": [*RULES["rules"], {"id": "C", "avoid": ["z"]}]},
    ),
    (
        "a rule added at the beginning",
        RULES,
        {"rules": [{"id": "C", "avoid": ["z"], "place": "first"}]},
        {"rules": [{"id": "C", "avoid": ["z"]}, *RULES["rules"]]},
    ),
    ("a rule taken away", RULES, {"rules": [{"id": "A", "remove": True}]}, {"rules": [RULES["rules"][1]]}),
    (
        "an empty list filled",
        {"not_available": []},
        {"not_available": [{"key": "k"}]},
        {"not_available": [{"key": "k"}]},
    ),
    (
        "sources named by their text alone",
        {"sources": ["a", {"source": "b", "only": ["B-1"]}]},
        {"sources": [{"source": "c", "place": "first"}, {"source": "a", "without": ["A-1"]}]},
        {"sources": [{"source": "c"}, {"source": "a", "without": ["A-1"]}, {"source": "b", "only": ["B-1"]}]},
    ),
    (
        "an entry without a name added",
        {"cautions": [{"bars": True}]},
        {"cautions": {"add": [{"bars": False}]}},
        {"cautions": [{"bars": True}, {"bars": False}]},
    ),
    (
        "entries without a name replaced",
        {"cautions": [{"bars": True}]},
        {"cautions": {"replace": [{"bars": False}]}},
        {"cautions": [{"bars": False}]},
    ),
    ("all of a list taken away", {"cautions": [{"x": 1}]}, {"cautions": {"replace": []}}, {"cautions": []}),
    ("a list that is not there yet", {"a": 1}, {"doses": {"add": [{"x": 1}]}}, {"a": 1, "doses": [{"x": 1}]}),
    ("a word added to a list of words", {"a": ["x"]}, {"a": {"add": ["y"]}}, {"a": ["x", "y"]}),
    (
        "rules replaced by one's own",
        RULES,
        {"rules": {"replace": [{"id": "Z", "avoid": ["y"]}]}},
        {"rules": [{"id": "Z", "avoid": ["y"]}]},
    ),
    (
        "names of a drug are known by their text",
        {"names": [{"text": "Revlimid", "confidence": "recalled"}]},
        {
            "names": [
                {"text": "Revlimid", "confidence": "verified1"},
                {"text": "Lenalid", "confidence": "decision"},
            ]
        },
        {
            "names": [
                {"text": "Revlimid", "confidence": "verified1"},
                {"text": "Lenalid", "confidence": "decision"},
            ]
        },
    ),
    (
        "a condition is replaced whole",
        {"when": {"all": [{"sex": "female"}]}},
        {"when": {"transplant": True}},
        {"when": {"transplant": True}},
    ),
    ("a list of plain words is replaced whole", {"a": ["x", "y"]}, {"a": ["z"]}, {"a": ["z"]}),
]


@pytest.mark.parametrize(("case", "original", "patch", "result"), MERGES, ids=[m[0] for m in MERGES])
def test_a_patch_changes_what_it_says_and_nothing_else(case, original, patch, result):
    assert merged(original, patch) == result


@pytest.mark.parametrize(
    ("original", "patch", "words"),
    [
        ({"a": 1}, {"b": None}, "/b is not there to be taken away"),
        (RULES, {"rules": [{"id": "Z", "remove": True}]}, "/rules/Z is not there to be taken away"),
        (RULES, {"rules": [{"id": "A", "place": "first"}]}, "of a new entry only"),
        (RULES, {"rules": [{"id": "C", "place": "third"}]}, "place may be first"),
        ({"a": 1}, {"a": {"b": 1}}, "is no mapping"),
        ({"a": [{"x": 1}]}, {"a": [{"x": 2}]}, r"Write {add: \[...\]} to add to the list, or {replace"),
        ({"a": [{"key": "k", "x": 1}, {"key": "k", "x": 2}]}, {"a": [{"key": "k"}]}, "have no name"),
        ({"a": []}, {"a": [{"x": 2}]}, "have no name"),
        (RULES, {"rules": [{"avoid": ["x"]}]}, "have no name"),
        (RULES, {"rules": []}, "an empty list changes nothing"),
        (RULES, {"rules": {"add": [{"id": "A"}]}}, "/rules has A already"),
        ({"a": [{"x": 1}]}, {"a": {"add": [{"x": 1}]}}, "already. Leave it out"),
        ({"a": ["x"]}, {"a": {"append": ["y"]}}, "is a list, and the patch gives a mapping"),
        ({"a": ["x"]}, {"a": {"add": ["y"], "replace": []}}, "is a list, and the patch gives a mapping"),
        ({"a": ["x"]}, {"a": {"add": "y"}}, "is a list, and the patch gives a mapping"),
        ({"a": ["x"]}, {"a": {}}, "is a list, and the patch gives a mapping"),
    ],
)
def test_a_patch_that_fits_nothing_is_told(original, patch, words):
    with pytest.raises(CannotMerge, match=words):
        merged(original, patch)


def written(tmp_path: Path, file: str, text: str) -> Path:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return tmp_path


MISTAKES = [
    ("pathways/sequencing/barila.patch.yaml", "rules: []\n", "there is no barila.yaml to change"),
    ("pathways/site.patch.yaml", "not_available: [{key: carfilzomb}]\n", 'Nearest: "carfilzomib"'),
    ("pathways/site.patch.yaml", "car_t: perhaps\n", "pathways/site.yaml, car_t"),
    ("pathways/default.patch.yaml", "sources: [{source: no-such}]\n", 'names source "no-such"'),
    ("pathways/default.patch.yaml", "sources: [\n", "pathways/default.patch.yaml: "),
    (
        "pathways/sequencing/barila-2025.patch.yaml",
        "rules: [{id: BAR-15, recommend: null, prefer: [d-pdd]}]\n",
        'names regimen "d-pdd"',
    ),
    (
        "pathways/sequencing/barila-2025.patch.yaml",
        "rules: [{id: BAR-15, when: {unknown: {refractory_to: lenalidomide}}}]\n",
        "only pathways/no-suggestion.yaml",
    ),
]


@pytest.mark.parametrize(("file", "text", "words"), MISTAKES, ids=[m[2] for m in MISTAKES])
def test_a_mistake_in_a_patch_gets_its_sentence(tmp_path, file, text, words):
    with pytest.raises(KnowledgeError) as caught:
        load(written(tmp_path, file, text))
    assert any(words in finding for finding in caught.value.findings), caught.value.findings


def test_a_patch_marks_the_version_as_local_and_changes_the_hash(tmp_path):
    shipped, local = load(), load(written(tmp_path, "pathways/site.patch.yaml", "car_t: available\n"))
    assert local.version.version == f"{shipped.version.version}+local"
    assert local.version.sha256 != shipped.version.sha256
    assert local.site.car_t == "available"


# The worked example --------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def hospital():
    return load(EXAMPLE)


def answered(knowledge, situation, region="EMA"):
    entry = next(one for one in knowledge.situations["situations"] if one["id"] == situation)
    return choose(sketched(sketch_of(entry["sketch"]), knowledge, AS_OF), knowledge, region, "default")


def test_the_hospital_prefers_its_own_regimen_at_first_relapse(knowledge, hospital):
    naive = "lenalidomide-refractory-anti-cd38-naive"
    ours = answered(knowledge, naive).suggested
    theirs = answered(hospital, naive).suggested
    assert [one.regimen for one in ours][:6] == ["isa-kd", "d-pd", "d-kd", "p-vd", "s-vd", "cilta-cel"]
    assert [one.regimen for one in theirs][:3] == ["d-pd", "p-vd", "s-vd"]
    assert (theirs[0].rules[0], theirs[0].recommended) == ("OUR-01", True)


def test_what_the_hospital_does_not_have_is_told_with_its_reason(hospital):
    answer = answered(hospital, "lenalidomide-refractory-anti-cd38-naive")
    told = {one.regimen: {(r.code, r.text.en) for r in one.reasons} for one in answer.not_suggested}
    why = "not available here: no day-hospital places for two infusions a week"
    assert ("not-available-here", why) in told["isa-kd"] & told["kd"]
    assert ("not-available-here", "CAR-T cells cannot be given here") in told["cilta-cel"]


def test_without_car_t_the_rule_for_bispecifics_holds(hospital):
    after = answered(hospital, "high-infection-risk")
    steps = {step.outcome.value for step in after.trace if step.step == "rule:BAR-31"}
    assert steps == {True}


def test_the_threshold_and_the_version_are_the_hospitals(knowledge, hospital):
    def used(known):
        risks = known.definitions["imwg"]["labels"]["functional_high_risk"]
        return [one["id"] for one in risks if one["used"]]

    assert used(knowledge) == ["first-dose-18"]
    assert used(hospital) == ["first-dose-18", "transplant-12"]
    assert hospital.version.version == "2026.11.0+our-hospital.1"
