"""``knowledge show``: one page of each kind, as a clinician reads it at a terminal. Lines typed by hand."""

from __future__ import annotations

from typing import Any

import click
import pytest

from cds_service.commands import show
from cds_service.knowledge.load import Files, build
from cds_service.knowledge.lookup import entries, nearest
from tests.knowledge.overlays import changed, entry, shipped

KNOWN = build(shipped())


def page(key: str, language: str = "en", width: int = 88, files: Files | None = None) -> str:
    files = files or shipped()
    known = build(files)
    return click.unstyle(show.page(entries(known, key), known, files, language, width))


def lines(key: str, **how: Any) -> list[str]:
    return page(key, **how).splitlines()


def test_a_rule_is_a_sentence_with_its_source_and_its_clashes() -> None:
    assert lines("BAR-15") == [
        "BAR-15 (rule of barila-2025)",
        "Recommends Isa-KD and D-PD, where: one prior line; refractory to lenalidomide; not",
        "refractory to anti-CD38 antibodies; not both intolerant of daratumumab and intolerant of",
        "isatuximab.",
        "Because        Refractory to lenalidomide at first relapse, an anti-CD38 antibody still",
        "               usable.",
        "Holds          since 2025-05-01",
        "In default     as it stands",
        "X-01           The Q&A article lists D-VD or KPd here; the 2025 review names Isa-KD or",
        "               D-PD and reports a median PFS of 7.8 months for D-VD in",
        "               lenalidomide-refractory patients. KPd is not labelled.",
        "X-02           The Q&A article gives D-PD only after two or three therapies; the 2025",
        "               review and today's labels give it at first relapse.",
        "X-16           The review also connects D-PD with the third line, in a sentence that",
        "               does not say how; its place here rests on the other rules.",
        "Source         Barilà G, Rezzonico F, Pavan L, Corso A, Zambello R. Mediterr J Hematol",
        '               Infect Dis 2025, Current, present and future directions, "typically',
        '               involves IsaKD or D-PD"; doi 10.4084/MJHID.2025.043',
        "Review         not clinically reviewed",
        "Last checked   2026-11-21",
        "File           pathways/sequencing/barila-2025.yaml",
    ]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (
            "ORA-19",
            [
                "ORA-19 (rule of qa-article)",
                "Recommends DRd and KRd, where: one or two prior lines; refractory to bortezomib.",
                "In default only where also: not refractory to lenalidomide; not refractory to anti-CD38 "
                "antibodies; one prior line (X-08, X-06, X-09); allows DRd and KRd at most",
            ],
        ),
        (
            "ORA-08",
            [
                "Would consider Rd, where: not refractory to lenalidomide.",
                "In default only where also: not refractory to lenalidomide",
            ],
        ),
        ("ORA-02", ["In default not taken"]),
        (
            "BAR-29",
            [
                "Puts every regimen with BCMA CAR-T cells before every regimen with BCMA bispecific "
                "antibodies, where: never given agents against BCMA.",
            ],
        ),
        ("ARR-01", ["Remarks on the state as a whole, where: refractory to lenalidomide."]),
        ("NEW-04", ["Note of an option labelled after the review was written"]),
        (
            "BAR-18",
            [
                "BAR-18 (statement of barila-2025, no rule)",
                "Why not The sentence does not say which way D-PD influences the third line, and clashes "
                "with BAR-15, which gives it at first relapse (X-16).",
                "Lives in pathways/conflicts.yaml",
            ],
        ),
        (
            "X-01",
            [
                "X-01 (clash of sources)",
                "Handled BAR-15 stands; D-VD by BAR-11 behind; KPd never as labelled",
                "Lives in BAR-15, BAR-11",
                "For whom one prior line; refractory to lenalidomide; not refractory to anti-CD38 antibodies",
                "Source ORA-18 against BAR-15 [V]",
            ],
        ),
        ("CF-54", ["No answer A matter of citation: no recommendation rests on it."]),
        (
            "CF-07",
            [
                "CF-07 (clash over a figure)",
                "Trial CANDOR-ITT: CANDOR, D-KD against KD; RRMM 1-3 prior lines",
                "File pathways/evidence/candor-itt.yaml",
            ],
        ),
        (
            "STOP-BCMA",
            [
                "STOP-BCMA (hard stop: no rule overrides it in silence)",
                "For whom last dose of agents against BCMA under 6 months ago",
                "Excludes agents against BCMA",
                "Reason code avoided-by-rule",
            ],
        ),
        (
            "GATE-LABEL",
            [
                "GATE-LABEL (gate: every regimen has to pass it)",
                "Inside the label of the region, on the day of the answer.",
            ],
        ),
        (
            "APOLLO-ITT",
            [
                "APOLLO-ITT (trial population)",
                "Trial APOLLO NCT03180736",
                "Arms D-PD against PD",
                "if refractory to lenalidomide: APOLLO, lenalidomide-refractory (79.5 %; median 2 lines): "
                "median PFS 9.9 months (all: 12.4 vs 6.9)",
                "median PFS, months 12.4",
                "median PFS, control, months 6.9",
            ],
        ),
        (
            "lenalidomide",
            [
                "lenalidomide (drug)",
                "Classes immunomodulatory drug",
                "lenalidomide (what to mind with it)",
                "contraindicated: if pregnancy: Lenalidomide is contraindicated in pregnancy (teratogen).",
            ],
        ),
        (
            "anti-CD38",
            [
                "anti-CD38 (class of drugs)",
                "Members daratumumab, isatuximab",
                "Refractoriness to one member speaks against all others",
            ],
        ),
        (
            "default",
            [
                "default (pathway)",
                "Composed of, in order of precedence: barila-2025, guidelines, chim-2018, qa-article",
                "BAR-12 prefers S-VD, where: refractory to lenalidomide; never given proteasome inhibitors.",
            ],
        ),
        (
            "qa-article",
            ["Its publisher marks it as reviewed by nobody: never the default pathway."],
        ),
    ],
)  # fmt: skip
def test_a_page_of_each_kind(key: str, told: list[str]) -> None:
    shown = " ".join(page(key).split())
    assert [sentence for sentence in told if sentence not in shown] == []


def test_a_regimen_has_all_that_a_prescriber_asks() -> None:
    shown = lines("d-pd")
    for line in [
        "d-pd (regimen)",
        "D-PD: Daratumumab-pomalidomide-dexamethasone",
        "Also called    DPd, D-Pd, DaraPd, Dara-PD",
        "Drugs          daratumumab, pomalidomide, dexamethasone",
        "Classes        anti-CD38 antibody, immunomodulatory drug, corticosteroid",
        "Cycle          28 d",
        "  daratumumab    1800 mg SC, days 1, 8, 15, 22, C1-2",
        "                 1800 mg SC, days 1, 15, C3-6",
        "                 1800 mg SC, day 1, C7+",
        "  pomalidomide   4 mg PO, days 1-21",
        "  dexamethasone  40 mg PO/IV, days 1, 8, 15, 22",
        "                 20 mg PO/IV, days 1, 8, 15, 22; for: age at least 75",
        "  FDA SC    authorised, since 2021-07-09. At least 1 prior line, including lenalidomide",
        "            and a proteasome inhibitor. [V]",
        "            For whom: at least one prior line; exposed to lenalidomide; exposed to",
        "  FDA IV    authorised, since 2017-06-16. At least 2 prior lines, including lenalidomide",
        "  daratumumab (not clinically reviewed)",
        "RULES THAT SPEAK FOR IT",
        "  BAR-08        supports D-PD, where: refractory to lenalidomide; one or two prior",
        "                lines; not refractory to anti-CD38 antibodies.",
        "                barila-2025; in default: as it stands",
        "  ORA-21        recommends D-PD, where: at least three prior lines; refractory to",
        "                lenalidomide.",
        "                qa-article; in default: not taken",
        "OTHER RULES ABOUT IT",
        "  BAR-21        advises against every regimen with anti-CD38 antibodies, where:",
        "EVIDENCE",
        "    - if refractory to lenalidomide: MM-014 cohort B, lenalidomide-refractory, 1-2",
        "      lines: median PFS 23.7 months (single-arm)",
        "WHERE SOURCES CLASH",
        '  CF-45   "At least two prior therapies" for D-PD in the Q&A article is the old US label',
        "SOURCES",
        "Review         not clinically reviewed",
        "File           pathways/regimens/d-pd.yaml",
    ]:  # fmt: skip
        assert line in shown, "\n".join(shown)


def test_what_was_recalled_is_to_be_rechecked_and_says_so() -> None:
    def recalled(content: Any) -> None:
        entry(content["labels"], region="EMA")["source"] = {"document": "EPAR", "mark": "V/R"}

    shown = page("d-pd", files=changed("pathways/regimens/d-pd.yaml", recalled))
    assert "or after the last therapy. [V/R: recheck the label]" in " ".join(shown.split())


def test_an_entry_that_a_clinician_has_reviewed_says_so() -> None:
    def review(content: Any) -> None:
        content["reviewed"] = [{"role": "haematologist", "on": "2026-12-01"}]

    shown = lines("d-pd", files=changed("pathways/regimens/d-pd.yaml", review))
    assert "Review         haematologist, 2026-12-01" in shown


def test_step_up_doses_regions_and_words_for_days() -> None:
    def step_up(content: Any) -> None:
        content["doses"] = [
            {
                "drug": "teclistamab",
                "amount": 0.06,
                "unit": "mg/kg",
                "route": "SC",
                "days": [1],
                "step_up": True,
            },
            {
                "drug": "teclistamab",
                "amount_text": "1.5 or 3",
                "unit": "mg/kg",
                "route": "SC",
                "days_text": "weekly",
                "regions": ["FDA"],
                "alternative": True,
            },
        ]

    shown = lines("teclistamab", files=changed("pathways/regimens/teclistamab.yaml", step_up))
    assert "  teclistamab  0.06 mg/kg SC, day 1, step-up dose" in shown
    assert "               1.5 or 3 mg/kg SC, schedule: weekly, alternative, FDA only" in shown


def test_a_page_is_italian_where_that_is_asked() -> None:
    shown = lines("d-pd", language="it")
    for line in [
        "d-pd (schema)",
        "Farmaci        daratumumab, pomalidomide, desametasone",
        "                20 mg PO/IV, giorni 1, 8, 15, 22; per: età almeno 75",
        "REGOLE A FAVORE",
        "  BAR-08        sostiene D-PD, dove: malattia refrattaria a lenalidomide; una o due",
        "Revisione      non revisionato clinicamente",
    ]:
        assert line in shown, "\n".join(shown)


@pytest.mark.parametrize("width", [48, 72, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for key in ("d-pd", "BAR-15", "X-01", "APOLLO-ITT", "anti-CD38", "default"):
        wide = [line for line in lines(key, width=width) if len(line) > width]
        # A word or a path longer than its column is not torn apart.
        assert [line for line in wide if len(line.split()[-1]) < 30] == []


@pytest.mark.parametrize(
    ("written", "kinds"),
    [
        ("d-pd", ["regimen d-pd"]),
        ("DPd", ["regimen d-pd"]),
        ("bar-15", ["rule BAR-15"]),
        ("APOLLO", ["evidence APOLLO-ITT"]),
        ("Revlimid", ["drug lenalidomide", "component lenalidomide"]),
        ("teclistamab", ["regimen teclistamab", "drug teclistamab", "component teclistamab"]),
        ("CF-46", ["conflict CF-46", "figure-conflict CF-46"]),
        ("nothing", []),
    ],
)
def test_what_a_key_means(written: str, kinds: list[str]) -> None:
    assert [f"{one.kind} {one.key}" for one in entries(KNOWN, written)] == kinds


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [("d-pdd", "d-pd"), ("lenalidomid", "lenalidomide"), ("BAR-151", "BAR-15"), ("STOP-BMCA", "STOP-BCMA")],
)
def test_the_nearest_keys_of_a_misspelt_one(misspelt: str, meant: str) -> None:
    assert meant in nearest(KNOWN, misspelt)


def test_every_entry_of_the_knowledge_has_a_page_in_both_languages() -> None:
    from cds_service.knowledge.lookup import keys

    for key in dict.fromkeys(keys(KNOWN)):
        for language in ("en", "it"):
            shown = show.page(entries(KNOWN, key), KNOWN, shipped(), language, 80)
            assert shown.strip(), key
