"""The trial rows: every figure with its population, and what a card may say of it. Values typed by hand."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from cds_service.knowledge.load import read_yaml, root, schemas

# The 45 populations of the evidence table; what stands beyond them was added from the papers.
TABLE = [
    "CASTOR-ITT",
    "DVD-RW",
    "ENDEAVOR-ITT",
    "IKEMA-ITT",
    "CANDOR-ITT",
    "BOSTON-ITT",
    "BOSTON-LENREF",
    "OPTIMISMM-ITT",
    "OPTIMISMM-1L-LENREF",
    "APOLLO-ITT",
    "MM014-B",
    "DPD-RW-MIAN",
    "ICARIA-ITT",
    "ISAKD-RW",
    "ISAPD-RW",
    "ELOQUENT3-ITT",
    "ELOPD-RW200",
    "ELOPD-RW247",
    "HORIZON-TCR",
    "OCEAN-ITT",
    "OCEAN-ALKREF",
    "DREAMM2",
    "DREAMM3",
    "DREAMM7-ITT",
    "DREAMM7-2PLUS",
    "DREAMM8-ITT",
    "KARMMA1",
    "KARMMA2",
    "KARMMA3",
    "CARTITUDE1",
    "CARTITUDE4-ITT",
    "MAJESTEC1",
    "MAGNETISMM3",
    "MONUMENTAL1-Q2W",
    "MONUMENTAL1-QW",
    "MONUMENTAL1-TCR",
    "POLLUX",
    "MM014-A",
    "S004-MISC",
    "MAJESTEC3",
    "MAJESTEC9",
    "MONUMENTAL3",
    "EXCALIBER",
    "CANOVA",
    "REDIRECTT1-P2",
]
ADDED = [
    "ASPIRE",
    "MM009-MM010",
    "ENDEAVOR-VD",
    "STORM",
    "GEN501-SIRIUS",
    "TOURMALINE-MM1",
    "LINKER-MM1",
    "ELOQUENT2",
    "PANORAMA1",
]
IDS = [*TABLE, *ADDED]
FILES = {
    p.stem: read_yaml(p.read_text("utf-8"))
    for p in sorted(Path(root(), "pathways", "evidence").glob("*.yaml"))
}
ROWS: dict[str, dict[str, Any]] = {row["id"]: row for row in FILES.values()}
REGIMENS = {p.stem for p in Path(root(), "pathways", "regimens").glob("*.yaml")}


def headlines(trial: str) -> list[str]:
    return [result["headline"]["en"] for result in ROWS[trial]["results"]]


def test_all_45_rows_of_the_table_are_there_and_the_added_ones_each_in_the_file_of_its_id() -> None:
    assert len(TABLE) == 45
    assert sorted(ROWS) == sorted(IDS)
    assert sorted(FILES) == sorted(key.lower() for key in IDS)


@pytest.mark.parametrize("key", IDS)
def test_each_row_passes_its_schema_and_names_a_regimen_that_exists(key: str) -> None:
    assert [e.message for e in schemas()["evidence"].iter_errors(ROWS[key])] == []
    assert ROWS[key].get("regimen", "d-vd") in REGIMENS


@pytest.mark.parametrize(
    "key, figure, value",
    [
        ("CASTOR-ITT", "median_pfs_months", 16.7),
        ("CASTOR-ITT", "median_pfs_control_months", 7.1),
        ("CASTOR-ITT", "median_pfs_len_refractory_months", 7.8),
        ("CASTOR-ITT", "median_pfs_len_refractory_control_months", 4.9),
        ("DVD-RW", "median_pfs_months", 17),
        ("DVD-RW", "len_refractory_pct", 77.2),
        ("ENDEAVOR-ITT", "median_pfs_len_refractory_months", 8.6),
        ("IKEMA-ITT", "median_pfs_months", 35.7),
        ("IKEMA-ITT", "cr_or_better_pct", "44.1 (final); 39.7 (interim)"),
        ("CANDOR-ITT", "mrd_neg_pct", 28),
        ("CANDOR-ITT", "median_pfs_len_refractory_months", 28.1),
        ("BOSTON-LENREF", "median_pfs_months", 10.2),
        ("BOSTON-LENREF", "median_pfs_control_months", 7.1),
        ("OPTIMISMM-1L-LENREF", "median_pfs_months", 17.8),
        ("APOLLO-ITT", "len_refractory_pct", 79.5),
        ("APOLLO-ITT", "median_pfs_len_refractory_months", 9.9),
        ("MM014-B", "median_pfs_len_refractory_months", 23.7),
        ("MM014-B", "median_os_months", 56.7),
        ("ELOPD-RW247", "median_pfs_months", 6.6),
        ("OCEAN-ITT", "median_os_control_months", 25.0),
        ("DREAMM7-ITT", "median_pfs_months", 36.6),
        ("DREAMM7-2PLUS", "median_pfs_months", 31.3),
        ("DREAMM8-ITT", "anti_cd38_refractory_pct", 23),
        ("KARMMA3", "median_os_months", 41.4),
        ("CARTITUDE1", "median_pfs_months", 34.9),
        ("CARTITUDE4-ITT", "median_pfs_control_months", 11.8),
        ("MAGNETISMM3", "median_pfs_months", 17.2),
        ("POLLUX", "median_pfs_months", 45.0),
        ("CANOVA", "median_pfs_months", 9.9),
    ],
)
def test_figures_against_the_publications(key: str, figure: str, value: object) -> None:
    assert ROWS[key]["figures"][figure] == value


@pytest.mark.parametrize(
    "key, figure, value",
    [
        ("ASPIRE", "n_total", 792),
        ("ASPIRE", "orr_pct", 87.1),
        ("ASPIRE", "orr_control_pct", 66.7),
        ("ASPIRE", "median_pfs_months", 26.3),
        ("ASPIRE", "median_pfs_control_months", 17.6),
        ("ASPIRE", "median_os_months", 48.3),
        ("ASPIRE", "median_os_control_months", 40.4),
        ("ASPIRE", "os_hr", "0.79 (0.67-0.95)"),
        ("MM009-MM010", "n_total", 704),
        ("MM009-MM010", "n_regimen", 353),
        ("MM009-MM010", "orr_pct", 60.6),
        ("MM009-MM010", "orr_control_pct", 21.9),
        ("MM009-MM010", "cr_or_better_pct", 15.0),
        ("MM009-MM010", "median_os_months", 38.0),
        ("MM009-MM010", "median_os_control_months", 31.6),
        ("ENDEAVOR-VD", "n_regimen", 465),
        ("ENDEAVOR-VD", "median_pfs_months", 9.4),
        ("ENDEAVOR-VD", "median_pfs_first_relapse_months", 10.1),
        ("STORM", "n_total", 122),
        ("STORM", "orr_pct", "26 (all); 25.3 (83 penta-refractory patients)"),
        ("STORM", "median_pfs_months", 3.7),
        ("GEN501-SIRIUS", "n_total", 148),
        ("GEN501-SIRIUS", "median_prior_lines", 5),
        ("GEN501-SIRIUS", "orr_pct", "31.1 (2016); 30.4 (final)"),
        ("GEN501-SIRIUS", "median_os_months", "20.1 (2016); 20.5 (final)"),
        ("TOURMALINE-MM1", "n_total", 722),
        ("TOURMALINE-MM1", "orr_pct", 78),
        ("TOURMALINE-MM1", "orr_control_pct", 72),
        ("TOURMALINE-MM1", "median_pfs_months", 20.6),
        ("TOURMALINE-MM1", "median_pfs_control_months", 14.7),
        ("TOURMALINE-MM1", "median_os_months", 53.6),
        ("TOURMALINE-MM1", "median_os_control_months", 51.6),
        ("TOURMALINE-MM1", "os_hr", 0.939),
        ("LINKER-MM1", "cr_or_better_pct", "45 (population of the US approval)"),
        ("ELOQUENT2", "n_total", 646),
        ("ELOQUENT2", "orr_pct", 79),
        ("ELOQUENT2", "orr_control_pct", 66),
        ("ELOQUENT2", "median_pfs_months", 19.4),
        ("ELOQUENT2", "median_pfs_control_months", 14.9),
        ("ELOQUENT2", "median_os_months", 48.3),
        ("ELOQUENT2", "median_os_control_months", 39.6),
        ("PANORAMA1", "n_total", 768),
        ("PANORAMA1", "median_pfs_months", 11.99),
        ("PANORAMA1", "median_pfs_control_months", 8.08),
        ("PANORAMA1", "median_os_months", 40.3),
        ("PANORAMA1", "median_os_control_months", 35.8),
        ("PANORAMA1", "os_hr", "0.94 (0.78-1.14)"),
    ],
)
def test_figures_of_the_added_rows_against_their_sources(key: str, figure: str, value: object) -> None:
    assert ROWS[key]["figures"][figure] == value


@pytest.mark.parametrize("key", ADDED)
def test_each_added_row_has_a_second_source_and_was_looked_at_now(key: str) -> None:
    assert [page["says"] for page in ROWS[key]["source"]["also"]].count("confirms") >= 1
    assert ROWS[key]["last_checked"] == "2026-11-30"


@pytest.mark.parametrize(
    "whom, key, first",
    [
        ("lenalidomide had before", "ENDEAVOR-VD", "7.3 months"),
        ("penta-refractory", "STORM", "25.3 %"),
        ("two lines with bortezomib and an immunomodulatory drug", "PANORAMA1", "12.5 vs 4.7"),
    ],
)
def test_the_nearest_population_of_an_added_row_stands_first(whom: str, key: str, first: str) -> None:
    assert first in headlines(key)[0], whom
    assert "when" in ROWS[key]["results"][0]


@pytest.mark.parametrize(
    "regimen", ["krd", "rd", "vd", "sel-d", "dara", "ird", "linvoseltamab", "elo-rd", "pano-vd"]
)
def test_every_regimen_that_lacked_a_pivotal_population_has_one_that_shows_a_figure(regimen: str) -> None:
    assert [row["id"] for row in ROWS.values() if row.get("regimen") == regimen and row["results"]]


@pytest.mark.parametrize(
    "key, conflict, says",
    [
        ("CASTOR-ITT", "CF-01", "27 mo is ALL one-prior-line patients"),
        ("IKEMA-ITT", "CF-06", "do not encode an OS benefit"),
        ("CANDOR-ITT", "CF-07", "28 is right"),
        ("DREAMM7-ITT", "CF-30", "36.6 right"),
        ("DREAMM8-ITT", "CF-33", "CR 40, MRD 24"),
        ("KARMMA3", "CF-35", "NOT P-VD"),
        ("CARTITUDE4-ITT", "CF-42", "11.8 not 11"),
        ("MONUMENTAL1-Q2W", "CF-49", "11.2 right"),
        ("POLLUX", "CF-46", "BORTEZOMIB-refractory"),
    ],
)
def test_where_sources_differ_both_stand(key: str, conflict: str, says: str) -> None:
    assert says in next(c["text"] for c in ROWS[key]["conflicts"] if c["id"] == conflict)


CONFLICTS = [(row["id"], conflict) for row in ROWS.values() for conflict in row["conflicts"]]


def test_the_49_conflicts_over_trial_figures_all_have_their_row() -> None:
    """CF-01 to CF-44, CF-46, CF-47, CF-49 to CF-51; the others stand in pathways/conflicts.yaml."""
    expected = [*range(1, 45), 46, 47, 49, 50, 51]
    assert sorted({c["id"] for _, c in CONFLICTS}) == [f"CF-{number:02}" for number in expected]


@pytest.mark.parametrize("key, conflict", CONFLICTS, ids=[f"{key}-{c['id']}" for key, c in CONFLICTS])
def test_each_conflict_has_the_value_used_and_why_and_a_sentence_or_a_reason_for_silence(
    key: str, conflict: dict[str, Any]
) -> None:
    assert conflict["use"] and conflict["why"]
    assert ("says" in conflict) is not ("silent" in conflict)
    if "says" in conflict:
        assert len(conflict["says"]["en"]) <= 220
        assert len(conflict["says"]["it"]) <= 240
        assert conflict["says"]["en"].endswith(".") and conflict["says"]["it"].endswith(".")


@pytest.mark.parametrize("name", ["CF-02", "CF-10", "CF-15", "CF-27", "CF-29"])
def test_a_conflict_of_several_rows_says_the_same_in_each(name: str) -> None:
    told = [c for _, c in CONFLICTS if c["id"] == name]
    assert len(told) == 2
    assert told[0]["says"] == told[1]["says"] and told[0]["use"] == told[1]["use"]


@pytest.mark.parametrize(
    "name, needle",
    [
        ("CF-01", "7.8"),
        ("CF-04", "44.1 %"),
        ("CF-06", "not significant"),
        ("CF-08", "trend"),
        ("CF-20", "whole cohort B"),
        ("CF-22", "missed its boundary"),
        ("CF-29", "no better than with Pd"),
        ("CF-33", "40 % complete response and 24 % MRD negativity"),
        ("CF-35", "one of five other regimens"),
        ("CF-38", "no survival benefit"),
        ("CF-42", "11.8 months"),
        ("CF-43", "72.1 %"),
        ("CF-49", "has 11.2"),
    ],
)
def test_the_clinician_is_told_which_figure_holds(name: str, needle: str) -> None:
    assert needle in next(c for _, c in CONFLICTS if c["id"] == name)["says"]["en"]


def test_the_clash_over_pollux_reads_alike_here_and_in_the_register() -> None:
    register = read_yaml(Path(root(), "pathways", "conflicts.yaml").read_text("utf-8"))["conflicts"]
    elsewhere = next(c for c in register if c["id"] == "CF-46")
    assert next(c for _, c in CONFLICTS if c["id"] == "CF-46")["says"] == elsewhere["says"]


@pytest.mark.parametrize(
    "whom, key, first",
    [
        ("lenalidomide-refractory", "CASTOR-ITT", "7.8 vs 4.9"),
        ("lenalidomide-refractory", "BOSTON-ITT", "10.2 vs 7.1"),
        ("lenalidomide-refractory", "CANDOR-ITT", "28.1"),
        ("lenalidomide-refractory", "APOLLO-ITT", "9.9"),
        ("lenalidomide-refractory", "MM014-B", "23.7"),
        ("first relapse, lenalidomide-refractory", "DREAMM8-ITT", "not reached vs 13.1"),
        ("lenalidomide-refractory", "DREAMM7-ITT", "25.0"),
    ],
)
def test_the_population_nearest_to_the_patient_stands_first(whom: str, key: str, first: str) -> None:
    """The whole-trial figure is the wrong one on the card of a lenalidomide-refractory patient."""
    assert first in headlines(key)[0], whom
    assert "lenalidomide" in str(ROWS[key]["results"][0]["when"])


@pytest.mark.parametrize("key", [key for key in IDS if ROWS[key]["results"]])
def test_a_row_that_is_for_anyone_ends_with_a_figure_for_anyone(key: str) -> None:
    last = ROWS[key]["results"][-1]
    assert ("when" not in last) or ROWS[key]["when"] is not None


@pytest.mark.parametrize("key", [key for key in IDS if ROWS[key]["results"]])
def test_headlines_fit_a_card_and_name_their_trial(key: str) -> None:
    name = ROWS[key]["trial"].split()[0]
    for result in ROWS[key]["results"]:
        english, italian = result["headline"]["en"], result["headline"]["it"]
        assert len(english) <= 110
        assert name.casefold() in english.casefold() or "real-life" in english.casefold()
        # The same figures in both languages, with the decimal comma in Italian.
        digits = [word.strip("(),;:%").replace(",", ".") for word in italian.split()]
        for word in english.split():
            bare = word.strip("(),;:%")
            if bare.replace(".", "", 1).isdigit():
                assert bare in digits, (english, italian)


NO_SURVIVAL_BENEFIT = [
    "CANDOR-ITT",
    "ICARIA-ITT",
    "KARMMA3",
    "DREAMM8-ITT",
    "IKEMA-ITT",
    "APOLLO-ITT",
    "OPTIMISMM-ITT",
    "TOURMALINE-MM1",
    "PANORAMA1",
]


@pytest.mark.parametrize(
    "key, answer, mark",
    [
        ("CASTOR-ITT", "yes", "V"),
        ("ENDEAVOR-ITT", "yes", "V"),
        ("IKEMA-ITT", "no", "V"),
        ("CANDOR-ITT", "no", "V"),
        ("BOSTON-ITT", "no", "R"),
        ("BOSTON-LENREF", "nominal", "V"),
        ("OPTIMISMM-ITT", "no", "V"),
        ("APOLLO-ITT", "no", "R"),
        ("ICARIA-ITT", "no", "V"),
        ("ELOQUENT3-ITT", "yes", "V"),
        ("OCEAN-ITT", "no", "V"),
        ("OCEAN-ALKREF", "no", "V"),
        ("DREAMM3", "no", "V"),
        ("DREAMM7-ITT", "yes", "V"),
        ("DREAMM7-2PLUS", "not-reported", "V"),
        ("DREAMM8-ITT", "no", "V"),
        ("KARMMA1", "not-reported", "V"),
        ("KARMMA3", "no", "V"),
        ("CARTITUDE4-ITT", "yes", "V"),
        ("POLLUX", "yes", "V"),
        ("MAJESTEC3", "yes", "V"),
        ("MAJESTEC9", "not-reported", "V"),
        ("MONUMENTAL3", "not-reported", "V"),
        ("CANOVA", "no", "V"),
        ("ASPIRE", "yes", "V"),
        ("MM009-MM010", "yes", "V"),
        ("GEN501-SIRIUS", "not-reported", "V"),
        ("TOURMALINE-MM1", "no", "V"),
        ("ELOQUENT2", "yes", "V"),
        ("PANORAMA1", "no", "V"),
    ],
)
def test_significance_of_overall_survival_and_how_we_know(key: str, answer: str, mark: str) -> None:
    assert ROWS[key]["os_significant"]["is"] == answer
    assert ROWS[key]["os_significant"]["mark"] == mark


@pytest.mark.parametrize("key", [key for key in IDS if "os_significant" in ROWS[key]])
def test_the_significance_agrees_with_the_words_of_the_figures(key: str) -> None:
    answer = ROWS[key]["os_significant"]["is"]
    words = ROWS[key]["figures"].get("os_statistically_significant", "not-reported").lower()
    assert words.startswith(answer)
    if answer in ("no", "nominal"):
        assert all("OS HR" not in line and "(significant)" not in line for line in headlines(key))


@pytest.mark.parametrize("key", NO_SURVIVAL_BENEFIT)
def test_no_survival_benefit_is_claimed_where_none_is_significant(key: str) -> None:
    assert ROWS[key]["figures"]["os_statistically_significant"].lower().startswith("no")
    for line in headlines(key):
        assert "OS HR" not in line
        assert "no OS" in line or "no significant" in line or "OS" not in line


@pytest.mark.parametrize(
    "key, word",
    [
        ("BOSTON-LENREF", "post hoc"),
        ("OCEAN-ALKREF", "post hoc"),
        ("OPTIMISMM-1L-LENREF", "subgroup"),
        ("MM014-B", "single-arm"),
        ("CARTITUDE1", "single-arm"),
        ("MAJESTEC1", "single-arm"),
        ("ELOPD-RW247", "retrospective"),
        ("MAJESTEC9", "secondary source"),
        ("CANOVA", "not significant"),
        ("STORM", "single-arm"),
        ("GEN501-SIRIUS", "single-arm"),
        ("LINKER-MM1", "single-arm"),
        ("MM009-MM010", "high-dose dexamethasone"),
    ],
)
def test_weak_designs_are_called_by_their_name(key: str, word: str) -> None:
    assert all(word in line for line in headlines(key))


@pytest.mark.parametrize("key", ["ISAKD-RW", "ISAPD-RW", "KARMMA2", "MM014-A", "S004-MISC"])
def test_rows_without_a_figure_one_may_rely_on_show_nothing(key: str) -> None:
    assert ROWS[key]["results"] == []


@pytest.mark.parametrize("key", IDS)
def test_each_row_names_the_place_of_its_figures(key: str) -> None:
    source = ROWS[key]["source"]
    assert source["document"] and source["mark"]
    assert any(source.get(member) for member in ("doi", "pmid", "url", "at"))


NO_DOI = [
    "DREAMM7-2PLUS",
    "POLLUX",
    "MM014-A",
    "S004-MISC",
    "MAJESTEC9",
    "MONUMENTAL3",
    "EXCALIBER",
    "CANOVA",
]


@pytest.mark.parametrize("key", [key for key in TABLE if key not in [*NO_DOI, "REDIRECTT1-P2"]])
def test_rows_of_a_paper_carry_its_doi(key: str) -> None:
    assert ROWS[key]["source"]["doi"].startswith("10.")


@pytest.mark.parametrize("key", IDS)
def test_a_row_with_a_recalled_figure_says_so_in_its_mark(key: str) -> None:
    recalled = any("recalled" in str(figure) for figure in ROWS[key]["figures"].values())
    assert not recalled or "R" in ROWS[key]["source"]["mark"]


@pytest.mark.parametrize(
    "case, path, value, sentence",
    [
        (
            "a figure nobody defined",
            ("figures", "median_ttp_months"),
            3,
            "'median_ttp_months' was unexpected",
        ),
        ("a headline too long for a card", ("results", 0, "headline", "en"), "x" * 111, "is too long"),
        (
            "a population condition misspelt",
            ("results", 0, "when"),
            {"refractory": "x"},
            "'refractory' was unexpected",
        ),
        ("whom it resembles left out in words", ("when",), "anyone", "is not of type 'object', 'null'"),
        ("a trial number that is none", ("nct",), "02136134", "does not match"),
        ("survival without its significance", ("os_significant",), None, "is not of type 'object'"),
        ("a significance of one's own", ("os_significant", "is"), "almost", "is not one of"),
        (
            "a conflict without the value used",
            ("conflicts", 0),
            {"id": "CF-01", "text": "x", "why": "x", "silent": "x"},
            "'use' is a required property",
        ),
        (
            "a conflict with a sentence and a reason for silence",
            ("conflicts", 0),
            {"id": "CF-01", "text": "x", "use": "x", "why": "x", "says": {"en": "x"}, "silent": "x"},
            "is valid under each of",
        ),
    ],
)
def test_a_wrong_row_gets_a_sentence(case: str, path: tuple[Any, ...], value: Any, sentence: str) -> None:
    wrong = copy.deepcopy(ROWS["CASTOR-ITT"])
    target: Any = wrong
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    messages = [error.message for error in schemas()["evidence"].iter_errors(wrong)]
    assert any(sentence in message for message in messages), (case, messages)


def test_survival_figures_without_their_significance_get_a_sentence() -> None:
    wrong = {key: value for key, value in ROWS["CASTOR-ITT"].items() if key != "os_significant"}
    messages = [error.message for error in schemas()["evidence"].iter_errors(wrong)]
    assert messages == ["'os_significant' is a required property"]
