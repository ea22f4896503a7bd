"""Each mistake an author can make in a knowledge file gets a sentence that names file, place and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds_service.knowledge.load import KnowledgeError, load, read_yaml, root

RULES = "pathways/sequencing/barila-2025.yaml"
LENALIDOMIDE = "mappings/drugs/lenalidomide.yaml"


def overlaid(tmp_path: Path, file: str, old: str, new: str) -> tuple[str, ...]:
    """The findings where a hospital's overlay holds ``file`` with ``old`` replaced by ``new``."""
    text = (root() / file).read_text(encoding="utf-8")
    assert old in text
    target = tmp_path / file
    target.parent.mkdir(parents=True)
    target.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(KnowledgeError) as caught:
        load(tmp_path)
    return caught.value.findings


MISTAKES = [
    # case, file, old, new, what the author must read
    (
        "a regimen that does not exist",
        RULES,
        "recommend: [isa-kd, d-pd]",
        "recommend: [isa-kdd, d-pd]",
        ["rule BAR-15", '"isa-kdd"', "pathways/regimens/", 'Nearest: "isa-kd"'],
    ),
    (
        "a drug that does not exist in a condition",
        RULES,
        "refractory_to: lenalidomide",
        "refractory_to: lenalidomid",
        ["rule BAR-06", '"lenalidomid"', 'Nearest: "lenalidomide"'],
    ),
    (
        "a companion that no drug satisfies",
        "pathways/drugs/daratumumab.yaml",
        "satisfied_by: [antiviral]",
        "satisfied_by: [antivral]",
        ["daratumumab, zoster-prophylaxis", '"antivral"', 'Nearest: "antiviral"'],
    ),
    ("an unknown leaf", RULES, "prior_lines: {exactly: 1}", "lines: {exactly: 1}", ["rules/", "lines"]),
    ("two verbs in one rule", RULES, "prefer: [s-vd]", "prefer: [s-vd]\n    avoid: [kd]", [RULES, "rules/"]),
    (
        "a rule without its source",
        RULES,
        "    source: {at: 'Introduction",
        "    sources: {at: 'Introduction",
        ["rules/0"],
    ),
    (
        "a code without quotes, which YAML reads as a number",
        LENALIDOMIDE,
        'code: "342369"',
        "code: 342369",
        [LENALIDOMIDE, "342369"],
    ),
    (
        "an answer that a clinician may assert, coded as what means something else",
        "mappings/assertions.yaml",
        'code: "359746009"',
        'code: "271299001"',
        ["mappings/assertions.yaml, disease-status, stable", "means something else"],
    ),
    (
        "an answer that a clinician may assert, by a code that nobody has seen",
        "mappings/assertions.yaml",
        'code: "359746009"',
        'code: "359746010"',
        ["mappings/assertions.yaml, disease-status, stable", "has seen"],
    ),
    (
        "an answer that the program weighs, left out",
        "mappings/assertions.yaml",
        "      - {key: tolerated",
        "      - {key: improved",
        ["mappings/assertions.yaml, intolerant", "the answer tolerated is needed"],
    ),
    (
        "a question asked twice, and another not at all",
        "mappings/assertions.yaml",
        "what: intolerant",
        "what: refractory",
        ["mappings/assertions.yaml", "one question for intolerant is needed (of: drug)"],
    ),
    (
        "the same key twice",
        LENALIDOMIDE,
        "role: anti-myeloma",
        "role: anti-myeloma\nrole: steroid",
        ["stands here again"],
    ),
    (
        "a class that does not exist",
        LENALIDOMIDE,
        "classes: [IMiD]",
        "classes: [IMID]",
        ['class "IMID"', "mappings/classes.yaml"],
    ),
    ("no YAML at all", LENALIDOMIDE, "key: lenalidomide", "key: [lenalidomide", [LENALIDOMIDE, "line"]),
]


@pytest.mark.parametrize(("case", "file", "old", "new", "words"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_a_mistake_and_its_sentence(tmp_path, case, file, old, new, words):
    findings = overlaid(tmp_path, file, old, new)
    assert any(all(word in finding for word in words) for finding in findings), findings


def test_all_findings_come_at_once(tmp_path):
    findings = overlaid(tmp_path, RULES, "recommend: [isa-kd, d-pd]", "recommend: [isa-kdd, d-pdd]")
    assert len(findings) == 2


def test_a_file_in_an_unknown_place_is_told(tmp_path):
    stray = tmp_path / "pathways" / "rules" / "mine.yaml"
    stray.parent.mkdir(parents=True)
    stray.write_text("id: mine\n", encoding="utf-8")
    with pytest.raises(KnowledgeError, match="no schema is known"):
        load(tmp_path)


def test_an_overlay_that_is_not_there_is_told(tmp_path):
    with pytest.raises(KnowledgeError, match="is not there"):
        load(tmp_path / "nowhere")


def test_an_overlay_changes_the_answer_and_the_hash_file_by_file(tmp_path):
    text = (root() / RULES).read_text(encoding="utf-8")
    target = tmp_path / RULES
    target.parent.mkdir(parents=True)
    target.write_text(
        text.replace("recommend: [isa-kd, d-pd]", "recommend: [d-pd, isa-kd]"), encoding="utf-8"
    )
    shipped, local = load(), load(tmp_path)
    rule = next(r for r in local.pathways["default"].rules if r.id == "BAR-15")
    assert rule.target.regimens == ("d-pd", "isa-kd")
    assert local.version.sha256 != shipped.version.sha256
    assert local.drugs.keys() == shipped.drugs.keys()


@pytest.mark.parametrize(
    ("written", "read"),
    [("since: 2021-03-31", "2021-03-31"), ("since: on", "on"), ("since: yes", "yes"), ("since: true", True)],
)
def test_the_traps_of_yaml_are_closed(written, read):
    assert read_yaml(written)["since"] == read


def test_every_text_for_people_has_its_italian():
    assert load().untranslated == ()
