"""Each mistake that loads all the same gets a sentence: where it stands, what was found, what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from cds_service.knowledge.check import (
    Finding,
    coverage,
    finding_of,
    findings,
    to_recheck,
)
from cds_service.knowledge.load import Files, build, read_files
from cds_service.knowledge.reviews import counted
from tests.knowledge.overlays import changed, entry, shipped, written

RULES = "pathways/sequencing/barila-2025.yaml"
CONFLICTS = "pathways/conflicts.yaml"
STOPS = "pathways/hard-stops.yaml"
REGIMEN = "pathways/regimens/d-pd.yaml"
APOLLO = "pathways/evidence/apollo-itt.yaml"
TODAY = date(2026, 12, 1)


def found(files: Files, as_of: date = TODAY, max_age: int = 365) -> list[str]:
    return [one.sentence for one in findings(files, build(files), as_of, timedelta(days=max_age))]


def test_the_shipped_knowledge_has_no_finding() -> None:
    assert found(shipped()) == []


def rule(content: Any, name: str) -> dict[str, Any]:
    return entry(content["rules"], id=name)


MISTAKES: list[tuple[str, str, Callable[[Any], None], str]] = [
    (
        "a rule that does not say where in the source",
        RULES,
        lambda c: rule(c, "BAR-15").update(source={"mark": "V"}),
        "pathways/sequencing/barila-2025.yaml, rules, BAR-15: its source does not say where. "
        "Give one of document, doi, pmid, url, at.",
    ),
    (
        "a label with a blank for a document",
        REGIMEN,
        lambda c: entry(c["labels"], region="EMA").update(source={"document": " ", "mark": "V"}),
        "pathways/regimens/d-pd.yaml, labels, EMA SC authorised 2021-06-22: its source does not say where. "
        "Give one of document, doi, pmid, url, at.",
    ),
    (
        "doses of which nobody knows where they come from",
        REGIMEN,
        lambda c: c.update(dose_source={"document": " ", "mark": "V"}),
        "pathways/regimens/d-pd.yaml, dose: its source does not say where. "
        "Give one of document, doi, pmid, url, at.",
    ),
    (
        "a caution without a place",
        "pathways/drugs/daratumumab.yaml",
        lambda c: entry(c["cautions"], concept="hepatitis-b").update(source={"document": " "}),
        "pathways/drugs/daratumumab.yaml, cautions, hepatitis-b: its source does not say where. "
        "Give one of document, doi, pmid, url, at.",
    ),
    (
        "advice without a place",
        "pathways/drugs/daratumumab.yaml",
        lambda c: entry(c["advice"], kind="premedication").update(source={"document": " "}),
        "pathways/drugs/daratumumab.yaml, advice, premedication: its source does not say where. "
        "Give one of document, doi, pmid, url, at.",
    ),
    (
        "figures without a paper",
        APOLLO,
        lambda c: c.update(source={"document": " "}),
        "pathways/evidence/apollo-itt.yaml, the file: its source does not say where. "
        "Give one of document, doi, pmid, url, at.",
    ),
    (
        "a hard stop without a reason to be found",
        STOPS,
        lambda c: entry(c["hard_stops"], id="STOP-BCMA").update(source={"document": " "}),
        "pathways/hard-stops.yaml, hard_stops, STOP-BCMA: its source does not say where. "
        "Give one of document, doi, pmid, url, at.",
    ),
    (
        "a conflict that does not say which sentences clash",
        CONFLICTS,
        lambda c: entry(c["conflicts"], id="X-01").update(source={"mark": "V"}),
        "pathways/conflicts.yaml, conflicts, X-01: its source does not say where. "
        "Give one of document, doi, pmid, url, at.",
    ),
    (
        "a conflict handled by a rule that does not exist",
        CONFLICTS,
        lambda c: entry(c["conflicts"], id="X-02").update(lives=["BAR-08", "BAR-99"]),
        'pathways/conflicts.yaml, conflicts, X-02: lives in "BAR-99", which is neither a knowledge file nor '
        "a rule. Name a file from the knowledge root, or the id of a rule, hard stop or conflict.",
    ),
    (
        "a statement done by a file that does not exist",
        RULES,
        lambda c: rule(c, "BAR-04").update(lives=["pathways/definitions/imgw.yaml"]),
        'pathways/sequencing/barila-2025.yaml, rules, BAR-04: lives in "pathways/definitions/imgw.yaml", '
        "which is neither a knowledge file nor a rule. Name a file from the knowledge root, or the id of a "
        "rule, hard stop or conflict.",
    ),
    (
        "a rule twice in one file",
        RULES,
        lambda c: c["rules"].append(rule(c, "BAR-15")),
        "pathways/sequencing/barila-2025.yaml, rules, BAR-15: the id BAR-15 stands in "
        "pathways/sequencing/barila-2025.yaml, too. Give it an id of its own.",
    ),
    (
        "a rule that has gone missing",
        RULES,
        lambda c: c["rules"].remove(rule(c, "BAR-36")),
        "pathways/coverage.yaml, BAR-36: stands in no file. "
        "Put it back, or take its id out of the table if that is meant.",
    ),
    (
        "a conflict that has gone missing",
        CONFLICTS,
        lambda c: c["conflicts"].remove(entry(c["conflicts"], id="CF-59")),
        "pathways/coverage.yaml, CF-59: stands in no file. "
        "Put it back, or take its id out of the table if that is meant.",
    ),
    (
        "a conflict of which nobody says whether an answer shows it",
        APOLLO,
        lambda c: c.update(
            conflicts=[
                {"id": "CF-17", "text": "79 % or 89 %", "use": "79.5", "why": "the paper"},
                *c["conflicts"][1:],
            ]
        ),
        "pathways/evidence/apollo-itt.yaml, CF-17: neither says what an answer shows of it, nor why none "
        'does. Give it "says", or "silent" with the reason.',
    ),
    (
        "a rule that nobody has looked at for years",
        RULES,
        lambda c: rule(c, "BAR-15").update(last_checked="2024-11-21"),
        "pathways/sequencing/barila-2025.yaml, rules, BAR-15: last checked on 2024-11-21, 740 days ago. "
        "Compare it with its source and set last_checked (limit 365 days).",
    ),
    (
        "a day that is none",
        RULES,
        lambda c: rule(c, "BAR-15").update(last_checked="2026-02-30"),
        "pathways/sequencing/barila-2025.yaml, rules, BAR-15: last_checked 2026-02-30 is no day. "
        "Write YYYY-MM-DD.",
    ),
]


@pytest.mark.parametrize(("case", "file", "change", "sentence"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_a_mistake_and_its_sentence(
    case: str, file: str, change: Callable[[Any], None], sentence: str
) -> None:
    assert sentence in found(changed(file, change)), case


def test_a_rule_of_ours_under_an_id_of_the_source_is_told(tmp_path: Path) -> None:
    text = """
id: house
title: {en: "Our house rules", it: "Regole interne"}
source: {document: "Haematology, minutes of 2026-11-02"}
covers: "First relapse"
last_checked: "2026-11-02"
rules:
  - id: BAR-15
    when: {prior_lines: {exactly: 1}}
    prefer: [d-pd]
    because: {en: "So agreed.", it: "Così deciso."}
    source: {at: "item 3"}
    effective: {from: 2026-11-02}
    last_checked: "2026-11-02"
    reviewed: []
"""
    assert (
        "pathways/sequencing/house.yaml, rules, BAR-15: the id BAR-15 stands in "
        "pathways/sequencing/barila-2025.yaml, too. Give it an id of its own."
    ) in found(read_files(written(tmp_path, "pathways/sequencing/house.yaml", text)))


@pytest.mark.parametrize(
    ("case", "max_age", "as_of", "old"),
    [
        ("on the last day it is still good", 365, date(2025, 11, 21), False),
        ("a day later it is not", 365, date(2025, 11, 22), True),
        ("a shorter limit", 30, date(2024, 12, 22), True),
    ],
)
def test_the_limit_of_age(case: str, max_age: int, as_of: date, old: bool) -> None:
    files = changed(RULES, lambda c: rule(c, "BAR-15").update(last_checked="2024-11-21"))
    told = [s for s in found(files, as_of, max_age) if s.startswith(f"{RULES}, rules, BAR-15: last checked")]
    assert bool(told) is old, case


def test_entries_of_one_file_and_day_are_one_finding() -> None:
    def old(content: Any) -> None:
        for name in ("BAR-16", "BAR-15"):
            rule(content, name)["last_checked"] = "2024-11-21"

    told = [s for s in found(changed(RULES, old)) if "740 days" in s]
    assert len(told) == 1 and "rules, BAR-15; rules, BAR-16: last checked" in told[0]


def rows() -> dict[str, Any]:
    files = shipped()
    return {row.id: row for row in coverage(files, build(files))}


@pytest.mark.parametrize(
    ("key", "state", "file", "says"),
    [
        ("BAR-15", "executable", RULES, "recommend isa-kd, d-pd"),
        ("BAR-21", "executable", RULES, "avoid all with anti-CD38"),
        ("BAR-29", "executable", RULES, "order all with BCMA-CAR-T before all with BCMA-BsAb"),
        ("BAR-18", "not-executable", RULES, "(lives in pathways/conflicts.yaml)"),
        ("ORA-19", "executable", "pathways/sequencing/qa-article.yaml", "recommend d-rd, krd"),
        ("ARR-01", "executable", "pathways/sequencing/de-arriba-2022.yaml", "remark"),
        ("X-01", "shown", CONFLICTS, "The Q&A article lists D-VD or KPd here"),
        ("CF-54", "silent", CONFLICTS, "A matter of citation"),
        ("d-pd", "there", REGIMEN, "for it: BAR-08, BAR-15"),
        ("APOLLO-ITT", "there", APOLLO, "d-pd, 2 sentences"),
    ],
)
def test_where_a_row_of_the_tables_lives(key: str, state: str, file: str, says: str) -> None:
    row = rows()[key]
    assert (row.state, row.files[0]) == (state, file)
    assert says in row.says


def test_the_tables_are_counted_as_the_sources_were() -> None:
    counts: dict[str, int] = {}
    for row in rows().values():
        counts[row.table] = counts.get(row.table, 0) + 1
    assert counts == {
        "regimens": 53,
        "populations": 45,
        "BAR": 37,
        "ORA": 28,
        "ARR": 5,
        "X": 17,
        "CF": 59,
    }


def test_reviews_are_counted() -> None:
    review = [{"role": "haematologist", "on": "2026-11-30"}]
    before = counted(build(shipped()))
    after = counted(build(changed(RULES, lambda c: rule(c, "BAR-15").update(reviewed=review))))
    assert (after[0] - before[0], after[1] - before[1]) == (1, 0)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"document": "EMA register", "mark": "V"}, False),
        ({"document": "EMA register", "mark": "R"}, True),
        ({"document": "EMA register; day of the decision from memory", "mark": "V/R"}, True),
        ({"document": "EMA register; day RECALLED", "mark": "V"}, True),
        ({"document": "our decision", "mark": "D"}, False),
    ],
)
def test_what_was_recalled_is_to_be_rechecked(source: dict[str, str], told: bool) -> None:
    files = changed(REGIMEN, lambda c: entry(c["labels"], region="EMA").update(source=source))
    places = {(one.file, one.place) for one in to_recheck(files)}
    assert ((REGIMEN, "labels, EMA SC authorised 2021-06-22") in places) is told


@pytest.mark.parametrize(
    ("sentence", "file", "place"),
    [
        ("pathways/site.yaml: is missing", "pathways/site.yaml", ""),
        ('pathways/regimens, d-pd: names drug "x", which', "pathways/regimens", "d-pd"),
        ("the overlay folder /a is not there", "", ""),
    ],
)
def test_what_the_loader_says_is_a_finding_too(sentence: str, file: str, place: str) -> None:
    finding = finding_of(sentence)
    assert (finding.file, finding.place) == (file, place)
    assert finding.found in sentence


def test_a_finding_is_a_sentence_with_its_parts() -> None:
    finding = Finding("a.yaml", "", "holds nothing", "Fill it")
    assert finding.as_json() == {
        "file": "a.yaml",
        "place": "",
        "found": "holds nothing",
        "remedy": "Fill it",
        "sentence": "a.yaml: holds nothing. Fill it.",
    }


def test_the_findings_that_the_guide_prints_are_those_that_an_author_gets() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "knowledge" / "checking.md").read_text(encoding="utf-8")
    block = guide.split("```text")[2].split("```")[0].strip().splitlines()
    assert len(block) == 3
    assert set(block) <= {sentence for _, _, _, sentence in MISTAKES}
