"""``knowledge diff``: what a clinician reads of a change. Sentences typed by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import click
import pytest

from cds_service.commands import diff_report
from cds_service.commands.states import speaker, state_of
from cds_service.knowledge.changes import Change, changes, counted
from cds_service.knowledge.load import Files, KnowledgeError, build
from cds_service.knowledge.saying import Saying
from tests.knowledge.overlays import changed, entry, overlaid, shipped, written

RULES = "pathways/sequencing/barila-2025.yaml"
REGIMEN = "pathways/regimens/d-pd.yaml"
LENALIDOMIDE = "mappings/drugs/lenalidomide.yaml"
KNOWN = build(shipped())
ENGLISH, ITALIAN = Saying(KNOWN, "en"), Saying(KNOWN, "it")


def told(after: Files, before: Files | None = None, say: Saying = ENGLISH) -> list[Change]:
    return changes(before or shipped(), after, say)


def rule(content: Any, name: str) -> dict[str, Any]:
    return entry(content["rules"], id=name)


def label(content: Any, region: str, formulation: str) -> dict[str, Any]:
    return entry(content["labels"], region=region, formulation=formulation)


NEW_RULE = {
    "id": "BAR-99",
    "when": {"prior_lines": {"exactly": 1}},
    "consider": ["d-pd"],
    "because": {"en": "So.", "it": "Così."},
    "source": {"at": "nowhere"},
    "effective": {"from": "2026-12-01"},
    "last_checked": "2026-12-01",
    "reviewed": [],
}

ONE_CHANGE: list[tuple[str, str, Callable[[Any], Any], str, str]] = [
    (
        "a condition",
        RULES,
        lambda c: rule(c, "BAR-15").update(
            when={"all": [{"prior_lines": {"at_most": 2}}, {"refractory_to": "lenalidomide"}]}
        ),
        "clinical",
        "Rule BAR-15 (barila-2025): for whom: was one prior line; refractory to lenalidomide; not "
        "refractory to anti-CD38 antibodies; not both intolerant of daratumumab and intolerant of "
        "isatuximab; is now at most two prior lines; refractory to lenalidomide.",
    ),
    (
        "the order of preference",
        RULES,
        lambda c: rule(c, "BAR-15").update(recommend=["d-pd", "isa-kd"]),
        "clinical",
        "Rule BAR-15 (barila-2025): recommend: was Isa-KD and D-PD; is now D-PD and Isa-KD.",
    ),
    (
        "a new rule",
        RULES,
        lambda c: c["rules"].append(NEW_RULE),
        "clinical",
        "Rule BAR-99 (barila-2025): new: would consider D-PD, where: one prior line.",
    ),
    (
        "a rule taken away",
        RULES,
        lambda c: c["rules"].remove(rule(c, "BAR-36")),
        "clinical",
        "Rule BAR-36 (barila-2025): gone: would consider tec-tal, where: extramedullary disease.",
    ),
    (
        "the reason in other words",
        RULES,
        lambda c: rule(c, "BAR-21").update(because={"en": "No benefit.", "it": "Nessun beneficio."}),
        "texts",
        "Rule BAR-21 (barila-2025): because: was Anti-CD38 re-treatment after anti-CD38 "
        "refractoriness showed no significant benefit; is now No benefit.",
    ),
    (
        "the date of a label",
        REGIMEN,
        lambda c: label(c, "FDA", "SC").update(since="2021-07-12"),
        "clinical",
        "Regimen D-PD: label FDA SC authorised 2021-07-09, since: was 2021-07-09; is now 2021-07-12.",
    ),
    (
        "a label that has ended",
        REGIMEN,
        lambda c: label(c, "FDA", "IV").update(until="2027-01-01"),
        "clinical",
        "Regimen D-PD: label FDA IV authorised 2017-06-16, until is new: 2027-01-01.",
    ),
    (
        "a label taken away",
        REGIMEN,
        lambda c: c["labels"].remove(label(c, "FDA", "IV")),
        "clinical",
        "Regimen D-PD: label FDA IV authorised 2017-06-16 is gone: FDA IV, authorised, since "
        "2017-06-16. At least 2 prior lines, including lenalidomide and a proteasome inhibitor.",
    ),
    (
        "a dose",
        REGIMEN,
        lambda c: entry(c["doses"], drug="pomalidomide").update(amount=3),
        "clinical",
        "Regimen D-PD: dose pomalidomide: was pomalidomide 4 mg PO, days 1-21; is now pomalidomide 3 "
        "mg PO, days 1-21.",
    ),
    (
        "a dose row for the old taken away",
        REGIMEN,
        lambda c: c["doses"].pop(),
        "clinical",
        "Regimen D-PD: dose dexamethasone is gone: dexamethasone 20 mg PO/IV, days 1, 8, 15, 22; for: age at "
        "least 75.",
    ),
    (
        "a figure",
        "pathways/evidence/apollo-itt.yaml",
        lambda c: c["figures"].update(median_pfs_months=12.1),
        "clinical",
        "Trial population APOLLO-ITT: figure median PFS, months: was 12.4; is now 12.1.",
    ),
    (
        "a caution that now bars",
        "pathways/drugs/daratumumab.yaml",
        lambda c: entry(c["cautions"], concept="hepatitis-b").update(bars=True),
        "clinical",
        "What to mind with daratumumab: caution hepatitis-b, contraindicates is new: yes.",
    ),
    (
        "a hard stop widened",
        "pathways/hard-stops.yaml",
        lambda c: entry(c["hard_stops"], id="STOP-BCMA").update(
            when={"months_since_last": {"of": "BCMA", "under": 12}}
        ),
        "clinical",
        "Hard stop STOP-BCMA: for whom: was last dose of agents against BCMA under 6 months ago; is "
        "now last dose of agents against BCMA under 12 months ago.",
    ),
    (
        "whom a clash touches",
        "pathways/conflicts.yaml",
        lambda c: entry(c["conflicts"], id="X-17").update(touches=["kd", "d-kd"]),
        "clinical",
        "Clash X-17: touches: was KD; is now KD and D-KD.",
    ),
    (
        "the precedence of sources",
        "pathways/default.yaml",
        lambda c: c["sources"].insert(0, c["sources"].pop(1)),
        "clinical",
        "Pathway default: sources order: was barila-2025, guidelines, chim-2018, qa-article, "
        "newer-options; is now guidelines, barila-2025, chim-2018, qa-article, newer-options.",
    ),
    (
        "a source left out",
        "pathways/default.yaml",
        lambda c: c["sources"].remove("chim-2018"),
        "clinical",
        "Pathway default: sources chim-2018 is gone: chim-2018.",
    ),
    (
        "refractoriness that carries over",
        "mappings/classes.yaml",
        lambda c: entry(c["classes"], key="XPO1").update(carries_over=True),
        "clinical",
        "Class XPO1: refractoriness carries over: was no; is now yes.",
    ),
    (
        "a definition",
        "pathways/definitions/imwg.yaml",
        lambda c: c["refractory"].update(window_days=90),
        "clinical",
        "pathways/definitions/imwg.yaml: refractory window days: was 60; is now 90.",
    ),
    (
        "what is to be had",
        "pathways/site.yaml",
        lambda c: c.update(car_t="unavailable"),
        "clinical",
        "What is to be had here: CAR-T cells: was unknown; is now unavailable.",
    ),
    (
        "a code",
        LENALIDOMIDE,
        lambda c: c["codes"].append(
            {"system": "ATC", "code": "L04AX99", "display": "new", "confidence": "recalled"}
        ),
        "mappings",
        "Drug lenalidomide: code ATC L04AX99 is new: ATC L04AX99 (new).",
    ),
    (
        "a code taken away",
        LENALIDOMIDE,
        lambda c: c["codes"].remove(entry(c["codes"], system="ATC")),
        "mappings",
        "Drug lenalidomide: code ATC L04AX04 is gone: ATC L04AX04 (lenalidomide).",
    ),
    (
        "a word for a comorbidity",
        "mappings/comorbidities.yaml",
        lambda c: entry(c["comorbidities"], key="copd")["phrases"].append(
            {"text": "bpco grave", "confidence": "decision"}
        ),
        "mappings",
        "copd (mappings/comorbidities.yaml): words bpco grave is new: bpco grave.",
    ),
    (
        "a translation alone",
        "pathways/hard-stops.yaml",
        lambda c: entry(c["gates"], id="GATE-LINES")["text"].update(it="Linee note."),
        "texts",
        "Gate GATE-LINES: text: was it: Il numero di linee precedenti è noto; is now it: Linee note.",
    ),
    (
        "a review",
        RULES,
        lambda c: rule(c, "BAR-15").update(reviewed=[{"role": "haematologist", "on": "2026-12-01"}]),
        "provenance",
        "Rule BAR-15 (barila-2025): clinical review: was not clinically reviewed; is now "
        "haematologist, 2026-12-01.",
    ),
    (
        "a source",
        "pathways/hard-stops.yaml",
        lambda c: entry(c["gates"], id="GATE-LINES").update(source={"document": "EPAR", "mark": "R"}),
        "provenance",
        "Gate GATE-LINES: source: was labels and rules are written by prior lines; an unknown "
        "number is a caution, never a stop [D: our decision]; is now EPAR [R: recheck the label].",
    ),
]


@pytest.mark.parametrize(
    ("case", "file", "change", "group", "sentence"), ONE_CHANGE, ids=[one[0] for one in ONE_CHANGE]
)
def test_one_change_and_its_sentence(
    case: str, file: str, change: Callable[[Any], Any], group: str, sentence: str
) -> None:
    found = told(changed(file, lambda content: change(content) and None))
    assert [(one.group, one.sentence) for one in found] == [(group, sentence)], case


def test_no_change() -> None:
    assert told(shipped()) == []


def test_a_file_that_only_got_another_name_has_not_changed() -> None:
    files = dict(shipped().files)
    files[PurePosixPath("pathways/regimens/renamed.yaml")] = files.pop(PurePosixPath(REGIMEN))
    assert told(Files(files, "")) == []


def test_a_new_regimen_is_told_with_its_labels() -> None:
    before = dict(shipped().files)
    del before[PurePosixPath(REGIMEN)]
    (one,) = told(shipped(), Files(before, ""))
    assert (one.group, one.entry, one.how) == ("clinical", "Regimen D-PD", "added")
    assert one.after.startswith(
        "Daratumumab-pomalidomide-dexamethasone; EMA SC, authorised, since 2021-06-22. One prior line with"
    )


def test_changes_come_clinical_first_and_are_counted() -> None:
    def both(content: Any) -> None:
        rule(content, "BAR-15")["because"]["en"] = "Because."
        rule(content, "BAR-21")["avoid"] = {"containing": ["daratumumab"]}
        rule(content, "BAR-02")["last_checked"] = "2026-12-01"

    found = told(changed(RULES, both))
    assert [one.group for one in found] == ["clinical", "texts", "provenance"]
    assert found[0].before == "every regimen with anti-CD38 antibodies"
    assert counted(found) == {"clinical": 1, "mappings": 0, "texts": 1, "provenance": 1}


def test_an_italian_reader() -> None:
    found = told(changed(REGIMEN, lambda c: label(c, "FDA", "SC").update(since="2021-07-12")), say=ITALIAN)
    assert found[0].sentence == (
        "Schema D-PD: indicazione FDA SC authorised 2021-07-09, dal: era 2021-07-09; ora è 2021-07-12."
    )


def test_entries_built_otherwise_than_today_compare_all_the_same() -> None:
    """Files of another version: a leaf of the condition language that nobody knows any more."""
    found = told(changed(RULES, lambda c: rule(c, "BAR-21").update(when={"weather": "fine"})))
    assert [one.after for one in found] == ["{weather: fine}"]


def test_the_page_has_each_change_as_it_was_and_is() -> None:
    def two(content: Any) -> None:
        rule(content, "BAR-10")["when"] = {"prior_lines": {"at_least": 1}}
        rule(content, "BAR-11")["last_checked"] = "2026-12-01"
        rule(content, "BAR-12")["last_checked"] = "2026-12-01"

    page = click.unstyle(diff_report.page(told(changed(RULES, two)), ENGLISH, 80))
    assert page.splitlines() == [
        "CLINICAL (1)",
        "Rule BAR-10 (barila-2025)",
        "  for whom",
        "    was     refractory to lenalidomide; one prior line",
        "    is now  at least one prior line",
        "",
        "SOURCES, DAYS AND REVIEWS (2)",
        "last checked, now 2026-12-01: Rule BAR-11 (barila-2025); Rule BAR-12",
        "(barila-2025)",
    ]


# ---- states ----------------------------------------------------------------------------------------------
def test_an_overlay_is_laid_over_our_own(tmp_path: Path) -> None:
    def own_way(content: Any) -> None:
        rule(content, "BAR-15")["recommend"] = ["d-pd"]

    overlaid(tmp_path, RULES, own_way)
    written(
        tmp_path,
        "pathways/regimens/d-pd.patch.yaml",
        "doses: {replace: [{drug: pomalidomide, amount: 3, unit: mg, route: PO, days: [1]}]}\n",
    )
    state = state_of(str(tmp_path))
    assert "laid over" in state.where and "+local" in state.described
    sentences = [one.sentence for one in told(state.files)]
    assert "Rule BAR-15 (barila-2025): recommend: was Isa-KD and D-PD; is now D-PD." in sentences
    assert any(one.startswith("Regimen D-PD: dose pomalidomide: was") for one in sentences)


def test_a_whole_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    for file in ("pathways/knowledge.yaml", "mappings/systems.yaml", "cards/services.yaml"):
        overlaid(tmp_path, file, lambda content: None)
    assert len(state_of(str(tmp_path)).files.files) == 3


@pytest.mark.parametrize(
    ("name", "said"),
    [("no-such-thing", "neither a folder nor a revision"), ("--output=x", "neither a folder nor a revision")],
)
def test_what_is_no_state(name: str, said: str) -> None:
    with pytest.raises(KnowledgeError, match=said):
        state_of(name)


def test_an_empty_folder_is_no_state(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="holds none of mappings/, pathways/, cards/"):
        state_of(str(tmp_path))


def test_names_are_those_of_a_state_that_can_be_understood() -> None:
    broken = Files({}, "")
    assert speaker(broken, broken, KNOWN) is KNOWN
    assert speaker(broken, shipped(), KNOWN).regimens.keys() == KNOWN.regimens.keys()
