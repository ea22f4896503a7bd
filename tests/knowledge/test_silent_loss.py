"""Mistakes in a hospital's folder by which something of ours would vanish unseen: each is told instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cds_service.knowledge.load import KnowledgeError, build, load, read_files, root
from cds_service.knowledge.overlaid import losses
from tests.knowledge.overlays import changed, entry, overlaid, written

STOPS = "pathways/hard-stops.patch.yaml"
DEFAULT = "pathways/default.patch.yaml"
SENTENCES = "pathways/definitions/sentences.patch.yaml"
CARFILZOMIB = "pathways/drugs/carfilzomib.patch.yaml"
CAUTION = (
    "{concept: atrial-fibrillation, when: {has: {concept: heart-failure}}, text: {en: To a cardiologist.}, "
    'source: {document: our board, at: "2026-10-01"}}'
)

TEMPERED = """
sources:
  - source: qa-article
    tempered: {add: [{rules: [ORA-05], with: {transplant: true}, by: [X-99]}]}
"""


def findings(folder: Path) -> tuple[str, ...]:
    with pytest.raises(KnowledgeError) as caught:
        load(folder)
    return caught.value.findings


def mine(sources: str) -> str:
    return f"""
id: mine
title: {{en: Mine, it: Mio}}
source: {{document: our board}}
sources: {sources}
last_checked: "2026-11-30"
reviewed: []
"""


MISTAKES = [
    # case, file, text, what the author must read
    ("an empty patch", CARFILZOMIB, "", f"{CARFILZOMIB}: is empty. Remove the file, or write what it says"),
    ("a patch of a comment", "pathways/site.patch.yaml", "# later\n", "pathways/site.patch.yaml: is empty."),
    ("a patch of null", "pathways/regimens/ven-d.patch.yaml", "null", "ven-d.patch.yaml: is empty."),
    ("a patch that is a list", CARFILZOMIB, "- a\n", "a patch is a mapping of what changes"),
    (
        "a patch of a patch",
        "pathways/site.patch.patch.yaml",
        "car_t: available\n",
        "changes a patch, which is no file of ours. Write both changes into site.patch.yaml",
    ),
    (
        "one caution in place of all",
        CARFILZOMIB,
        f"cautions: [{CAUTION}]\n",
        f"{CARFILZOMIB}: /cautions: its entries have no name by which the patch could mean one of them. "
        "Write {add: [...]} to add to the list, or {replace: [...]} to put yours in its place",
    ),
    (
        "one code in place of all",
        "mappings/drugs/lenalidomide.patch.yaml",
        'codes: [{system: LOCAL, code: "L1", confidence: verified1}]\n',
        "/codes: its entries have no name",
    ),
    (
        "one label in place of all",
        "pathways/regimens/d-pd.patch.yaml",
        "labels: [{region: EMA, status: withdrawn}]\n",
        "/labels: its entries have no name",
    ),
    (
        "a rule without an id among rules that have one",
        "pathways/sequencing/barila-2025.patch.yaml",
        "rules: [{avoid: [kd]}]\n",
        "/rules: its entries have no name",
    ),
    (
        "no rules, which would change nothing",
        "pathways/sequencing/barila-2025.patch.yaml",
        "rules: []\n",
        "/rules: an empty list changes nothing. Take entries away by remove: true",
    ),
    (
        "the stop for what was not tolerated taken away",
        STOPS,
        "hard_stops: [{id: STOP-INTOLERANCE, remove: true}]\n",
        "pathways/hard-stops.yaml, hard_stops: no entry makes the check intolerance, and no answer is safe",
    ),
    (
        "the stop for allergies taken away",
        STOPS,
        "hard_stops: [{id: STOP-ALLERGY, remove: true}]\n",
        "no entry makes the check allergy",
    ),
    (
        "the stop for contraindications taken away",
        STOPS,
        "hard_stops: [{id: STOP-CONTRAINDICATION, remove: true}]\n",
        "no entry makes the check contraindication",
    ),
    (
        "the stop for refractory drugs made another",
        STOPS,
        "hard_stops: [{id: STOP-COMPONENT, check: allergy}]\n",
        "pathways/hard-stops.yaml, hard_stops: the check allergy stands in STOP-COMPONENT and STOP-ALLERGY.",
    ),
    (
        "the gate of the label taken away",
        STOPS,
        "gates: [{id: GATE-LABEL, remove: true}]\n",
        "pathways/hard-stops.yaml, gates: no entry makes the check label",
    ),
    (
        "a pathway that composes a composed one",
        "pathways/mine.yaml",
        mine("[default]"),
        "pathways/mine.yaml, default: is a composed pathway, and only sources of pathways/sequencing/ can be",
    ),
    (
        "a pathway that composes itself",
        "pathways/mine.yaml",
        mine("[mine]"),
        "pathways/mine.yaml, mine: is a composed pathway",
    ),
    (
        "a source named twice",
        "pathways/mine.yaml",
        mine("[barila-2025, {source: barila-2025, only: [BAR-15]}]"),
        "pathways/mine.yaml: names the source barila-2025 2 times",
    ),
    (
        "a source that is not there",
        "pathways/mine.yaml",
        mine("[barila]"),
        'pathways/mine.yaml: names source "barila", which pathways/sequencing/ does not define.',
    ),
    (
        "a composed pathway called like a source",
        "pathways/mine.yaml",
        mine("[guidelines]").replace("id: mine", "id: barila-2025"),
        "pathways/mine.yaml: the id barila-2025 stands in pathways/sequencing/barila-2025.yaml, too",
    ),
    (
        "only a rule that the source has not",
        DEFAULT,
        "sources: [{source: qa-article, only: [ORA-99]}]\n",
        'pathways/default.yaml, qa-article, only: names rule "ORA-99", which the source qa-article does not',
    ),
    (
        "without a rule that the source has not",
        DEFAULT,
        "sources: [{source: barila-2025, without: [BAR-155]}]\n",
        'barila-2025, without: names rule "BAR-155", which the source barila-2025 does not define. '
        'Nearest: "BAR-15".',
    ),
    (
        "without a statement, which is no rule",
        DEFAULT,
        "sources: [{source: barila-2025, without: [BAR-18]}]\n",
        'barila-2025, without: names rule "BAR-18"',
    ),
    (
        "a rule tempered that the source has not, by a clash that nobody registered",
        DEFAULT,
        TEMPERED.replace("ORA-05", "ORA-77"),
        'qa-article, tempered: names rule "ORA-77"',
    ),
    (
        "a clash that nobody registered",
        DEFAULT,
        TEMPERED,
        'qa-article, tempered: names conflict "X-99", which pathways/conflicts.yaml does not define.',
    ),
    (
        "options newer than a source that is not there",
        "pathways/sequencing/newer-options.patch.yaml",
        "newer_than: barila-2024\n",
        'pathways/sequencing/newer-options.yaml: names source "barila-2024"',
    ),
    (
        "a marker that no chart is read for",
        CARFILZOMIB,
        f"cautions: {{add: [{CAUTION}]}}\n".replace(
            "{has: {concept: heart-failure}}", "{biology: {marker: del-17, is: present}}"
        ),
        'pathways/drugs, carfilzomib, atrial-fibrillation: names marker "del-17", which '
        "pathways/definitions/imwg.yaml does not define.",
    ),
    (
        "a supporting drug that is none",
        "pathways/regimens/cilta-cel.patch.yaml",
        "supporting: [fludarabin, cyclophosphamide]\n",
        'pathways/regimens, cilta-cel: names drug "fludarabin", which mappings/drugs/ does not define. '
        'Nearest: "fludarabine".',
    ),
    (
        "a class made of one that is not there",
        "mappings/classes.patch.yaml",
        "classes: [{key: BCMA, union_of: [BCMA-ADC, BCMA-CART, BCMA-BsAb]}]\n",
        'mappings/classes.yaml, BCMA: names class "BCMA-CART"',
    ),
    (
        "the day of a rule that no calendar has",
        "pathways/sequencing/barila-2025.patch.yaml",
        'rules: [{id: BAR-15, effective: {from: "2025-13-45"}}]\n',
        'effective/from: "2025-13-45" is no day of the calendar (YYYY-MM-DD)',
    ),
    (
        "the 31st of February",
        "pathways/knowledge.patch.yaml",
        'effective: "2025-02-31"\n',
        'pathways/knowledge.yaml, effective: "2025-02-31" is no day of the calendar',
    ),
    (
        "the thirteenth month of a label",
        "pathways/regimens/d-pd.patch.yaml",
        'labels: {add: [{region: EMA, status: refused, since: "2025-13", source: {document: x}}]}\n',
        '/since: "2025-13" is no day, month or year',
    ),
    (
        "a sentence taken away",
        SENTENCES,
        "reason: {no-rule: null}\n",
        "sentences.yaml, reason, no-rule: the sentence is gone, and the program needs it. Put it back",
    ),
    (
        "a group of sentences taken away",
        SENTENCES,
        "reason: null\n",
        "sentences.yaml, reason: the group is gone, and the program needs it. Put it back",
    ),
    (
        "a sentence with a name that nobody fills in",
        SENTENCES,
        'reason: {intolerance: {it: "Non tollerato: {farmaco}."}}\n',
        "reason, intolerance, it: names {farmaco}, which is not filled in here. It may name: {drug}.",
    ),
    (
        "a brace that is not closed",
        SENTENCES,
        'reason: {no-rule: {en: "x {"}}\n',
        "reason, no-rule, en: its braces cannot be read",
    ),
    (
        "a placeholder by number",
        SENTENCES,
        'reason: {intolerance: {en: "x {0}"}}\n',
        "reason, intolerance, en: {0} is no plain name. It may name: {drug}",
    ),
    (
        "a placeholder without a name",
        SENTENCES,
        'reason: {intolerance: {en: "x {}"}}\n',
        "reason, intolerance, en: {} is no plain name.",
    ),
    (
        "a placeholder that reaches inside",
        SENTENCES,
        'reason: {intolerance: {en: "x {drug.__class__}"}}\n',
        "{drug.__class__} is no plain name.",
    ),
    (
        "a placeholder that reaches inside by index",
        SENTENCES,
        'reason: {intolerance: {en: "x {drug[0]}"}}\n',
        "{drug[0]} is no plain name.",
    ),
    (
        "a placeholder with a shape",
        SENTENCES,
        'reason: {intolerance: {en: "x {drug:5.1f}"}}\n',
        "{drug:5.1f} is no plain name.",
    ),
    (
        "a sentence of one's own that nothing fills in",
        SENTENCES,
        'reason: {our-own: {en: "x {nothing}"}}\n',
        "reason, our-own, en: names {nothing}",
    ),
]


@pytest.mark.parametrize(("case", "file", "text", "sentence"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_what_would_vanish_in_silence_is_told(tmp_path, case, file, text, sentence):
    told = findings(written(tmp_path, file, text))
    assert any(sentence in finding for finding in told), told


NAMESAKES = [
    # file of ours, name in the overlay, what the author must read
    ("pathways/regimens/d-pd.yaml", "mine.yaml", "the key d-pd stands in pathways/regimens/d-pd.yaml, too"),
    (
        "pathways/drugs/carfilzomib.yaml",
        "zz.yaml",
        "the drug carfilzomib stands in pathways/drugs/carfilzomib.yaml",
    ),
    (
        "mappings/drugs/bortezomib.yaml",
        "aa.yaml",
        "the key bortezomib stands in mappings/drugs/bortezomib.yaml",
    ),
    (
        "pathways/evidence/candor-itt.yaml",
        "zz.yaml",
        "the id CANDOR-ITT stands in pathways/evidence/candor-itt.yaml",
    ),
    (
        "pathways/sequencing/barila-2025.yaml",
        "aaa.yaml",
        "the id barila-2025 stands in pathways/sequencing/barila-2025.yaml",
    ),
    ("pathways/default.yaml", "mine.yaml", "the id default stands in pathways/default.yaml"),
]


@pytest.mark.parametrize(("file", "name", "words"), NAMESAKES, ids=[file for file, _, _ in NAMESAKES])
def test_a_namesake_in_another_file_is_told(tmp_path, file, name, words):
    own = f"{file.rpartition('/')[0]}/{name}"
    told = findings(written(tmp_path, own, (root() / file).read_text(encoding="utf-8")))
    assert len(told) == 1 and told[0].startswith(f"{own}: {words}")


@pytest.mark.parametrize(
    ("file", "member", "other"),
    [
        ("pathways/regimens/d-pd.yaml", "key", "d-pdx"),
        ("pathways/drugs/carfilzomib.yaml", "drug", "carfilzomibe"),
        ("pathways/default.yaml", "id", "other"),
    ],
)
def test_a_file_in_the_place_of_ours_that_is_about_something_else_is_told(tmp_path, file, member, other):
    ours: list[str] = []

    def another(content: dict[str, Any]) -> None:
        ours.append(content[member])
        content[member] = other

    told = findings(overlaid(tmp_path, file, another))
    assert f"{file}: stands in place of our file about {ours[0]}, and is about {other}" in told[0]


def test_a_class_twice_in_its_list_is_told():
    def twice(content: dict[str, Any]) -> None:
        content["classes"].append(entry(content["classes"], key="PI") | {"carries_over": True})

    with pytest.raises(KnowledgeError, match=r"mappings/classes\.yaml, classes: PI stands there twice"):
        build(changed("mappings/classes.yaml", twice))


def test_without_a_default_pathway_nothing_is_loaded():
    with pytest.raises(KnowledgeError, match=r"pathways/default\.yaml: no pathway has the id default"):
        build(changed("pathways/default.yaml", lambda content: content.update(id="other")))


def test_a_sentence_may_leave_out_a_name_and_speak_otherwise(tmp_path):
    own = "reason: {intolerance: {en: Not borne., it: Non tollerato.}}\ncondition_unit: {our-unit: {en: u}}\n"
    known = load(written(tmp_path, SENTENCES, own))
    assert known.definitions["sentences"]["reason"]["intolerance"]["en"] == "Not borne."


# ---- what may be given up, and is told -----------------------------------------------------------------
def test_a_caution_added_leaves_all_others(tmp_path):
    ours, local = load(), load(written(tmp_path, CARFILZOMIB, f"cautions: {{add: [{CAUTION}]}}\n"))
    before, after = ours.components["carfilzomib"].cautions, local.components["carfilzomib"].cautions
    assert after[:-1] == before and after[-1].concept == "atrial-fibrillation"
    assert told_losses(tmp_path) == []


def test_the_caution_that_the_guide_adds_leaves_all_others(tmp_path):
    guide = (root() / "docs" / "knowledge" / "your-own-pathway.md").read_text(encoding="utf-8")
    text = guide.split("`pathways/drugs/carfilzomib.patch.yaml`:\n\n```yaml\n")[1].split("```")[0]
    known = load(written(tmp_path, CARFILZOMIB, text))
    assert known.components["carfilzomib"].cautions[-1].concept == "hypertension"
    assert told_losses(tmp_path) == []


def told_losses(folder: Path) -> list[str]:
    files = read_files(folder)
    return [
        one.removeprefix(f"{folder.name} gives up a safeguard: ")
        for one in losses(folder, files, build(files))
    ]


def _no_longer_bars(content: dict[str, Any]) -> None:
    for caution in content["cautions"]:
        caution["bars"] = False


LOSSES: list[tuple[str, str, Callable[[dict[str, Any]], Any], list[str]]] = [
    (
        "a hard stop",
        "pathways/hard-stops.yaml",
        lambda c: c["hard_stops"].remove(entry(c["hard_stops"], id="STOP-BCMA")),
        ["pathways/hard-stops.yaml: the hard stop STOP-BCMA is taken away"],
    ),
    (
        "a hard stop for a shorter time",
        "pathways/hard-stops.yaml",
        lambda c: entry(c["hard_stops"], id="STOP-BCMA").update(
            when={"months_since_last": {"of": "BCMA", "under": 3}}
        ),
        ["pathways/hard-stops.yaml: the hard stop STOP-BCMA holds for others than ours"],
    ),
    (
        "a contraindication",
        "pathways/drugs/venetoclax.yaml",
        _no_longer_bars,
        ["pathways/drugs, venetoclax: the contraindication t-11-14 is taken away"],
    ),
    (
        "a dose adjustment",
        "pathways/drugs/bortezomib.yaml",
        lambda c: c.pop("dose_adjustments"),
        ["pathways/drugs, bortezomib: the dose adjustment bortezomib-hepatic is taken away"],
    ),
    (
        "what must not be missing beside a drug",
        "pathways/drugs/daratumumab.yaml",
        lambda c: c.pop("companions"),
        ["pathways/drugs, daratumumab: the companion zoster-prophylaxis is taken away"],
    ),
    (
        "refractoriness that carries over",
        "mappings/classes.yaml",
        lambda c: entry(c["classes"], key="anti-CD38").update(carries_over=False),
        ["mappings/classes.yaml: refractoriness within the class anti-CD38 no longer carries over"],
    ),
    (
        "a drug that refractoriness excludes",
        "mappings/drugs/selinexor.yaml",
        lambda c: c.update(role="steroid", classes=["steroid"]),
        [
            "mappings/drugs, selinexor: is no drug against myeloma any more: neither refractoriness to it "
            "nor an intolerance excludes it"
        ],
    ),
    (
        "the class of a drug",
        "mappings/drugs/daratumumab.yaml",
        lambda c: c.update(classes=["PI"]),
        [
            "mappings/drugs, daratumumab: is no longer of the class anti-CD38, in which refractoriness "
            "carries over"
        ],
    ),
    (
        "a rule against regimens, told once and not of each pathway",
        "pathways/sequencing/barila-2025.yaml",
        lambda c: c["rules"].remove(entry(c["rules"], id="BAR-21")),
        ["pathways/sequencing/barila-2025.yaml: the rule BAR-21, which says avoid, is taken away"],
    ),
    (
        "a rule against regimens, in the pathway alone",
        "pathways/default.yaml",
        lambda c: c.update(sources=[{"source": "barila-2025", "without": ["BAR-21"]}, *c["sources"][1:]]),
        ["pathways/default.yaml: the rule BAR-21, which says avoid, is taken away"],
    ),
    (
        "a gate of a label",
        "pathways/regimens/d-pd.yaml",
        lambda c: entry(c["labels"], region="EMA").update(when={"prior_lines": {"at_least": 1}}),
        ["pathways/regimens, d-pd: the EMA label (SC), authorised, is not as ours any more"],
    ),
    ("a word of a reason", "pathways/hard-stops.yaml", lambda c: c["gates"][0]["text"].update(en="x"), []),
]


@pytest.mark.parametrize(("case", "file", "change", "told"), LOSSES, ids=[case for case, _, _, _ in LOSSES])
def test_a_safeguard_that_a_whole_file_gives_up_is_told(tmp_path, case, file, change, told):
    assert told_losses(overlaid(tmp_path, file, change)) == told


def test_a_safeguard_that_a_patch_gives_up_is_told(tmp_path):
    patch = "hard_stops: [{id: STOP-APHERESIS, remove: true}]\n"
    assert told_losses(written(tmp_path, STOPS, patch)) == [
        "pathways/hard-stops.yaml: the hard stop STOP-APHERESIS is taken away"
    ]


def test_the_worked_example_gives_up_nothing():
    example = root() / "docs" / "examples" / "hospital-overlay"
    if example.is_dir():  # not in an installed package
        assert told_losses(example) == []
