"""Every word of a medication text is accounted for, or somebody is told."""

from __future__ import annotations

import pytest

from cds_service.knowledge.types import Knowledge
from cds_service.terminology import Concept, Terminology

B, C, D, K, L, P, T = [
    "bortezomib",
    "cyclophosphamide",
    "daratumumab",
    "carfilzomib",
    "lenalidomide",
    "pomalidomide",
    "thalidomide",
]
DEX, ELO, ISA, IXA, VEN = ["dexamethasone", "elotuzumab", "isatuximab", "ixazomib", "venetoclax"]
SEL, PAN, BELA, TAL, TEC = ["selinexor", "panobinostat", "belantamab-mafodotin", "talquetamab", "teclistamab"]
PACE = {"cisplatin", "doxorubicin", C, "etoposide"}


@pytest.mark.parametrize(
    ("text", "drugs"),
    [
        ("D-RVd", {D, B, L, DEX}),
        ("DRVd", {D, B, L, DEX}),
        ("D-VCd", {D, B, C, DEX}),
        ("D-CyBorD", {D, B, C, DEX}),
        ("KRdD", {K, L, D, DEX}),
        ("D-VTd-PACE", {D, B, T, DEX, *PACE}),
        ("Elo-RVd", {ELO, B, L, DEX}),
        ("Elo-VD", {ELO, B, DEX}),
        ("Elo Pom Dex", {ELO, P, DEX}),
        ("Isa-Pom-Dex", {ISA, P, DEX}),
        ("Isa/Carf/Dex", {ISA, K, DEX}),
        ("Ixa-Rd", {IXA, L, DEX}),
        ("IxaRd", {IXA, L, DEX}),
        ("Ixa-Pd", {IXA, P, DEX}),
        ("Ven-Kd", {VEN, K, DEX}),
        ("VenKd", {VEN, K, DEX}),
        ("Sel-Vd", {SEL, B, DEX}),
        ("Sel-Dex", {SEL, DEX}),
        ("Pan-Vd", {PAN, B, DEX}),
        ("PanoVd", {PAN, B, DEX}),
        ("Belamaf-Vd", {BELA, B, DEX}),
        ("Tal-Dara", {TAL, D}),
        ("Tal-Pom", {TAL, P}),
        ("Tec-Pom", {TEC, P}),
        ("Tec/Len", {TEC, L}),
        ("Daratumumab-RVd", {D, B, L, DEX}),
        ("RVd-Dara", {D, B, L, DEX}),
        ("KRd-Dara", {D, K, L, DEX}),
        ("CyBorD-Dara", {D, B, C, DEX}),
        ("Dara-VCD", {D, B, C, DEX}),
        ("Dara VCD", {D, B, C, DEX}),
        ("Dara-VenD", {D, VEN, DEX}),
        ("Dara-Pom", {D, P}),
        ("Dara-R", {D, L}),
        ("dara/len maintenance", {D, L}),
        ("Lena mantenimento", {L}),
        ("len maint", {L}),
        ("VRD-PACE", {B, L, DEX, *PACE}),
        ("KRD-PACE", {K, L, DEX, *PACE}),
        ("Rev/Dex", {L, DEX}),
        ("Rev 25 mg, dex 40 mg", {L, DEX}),
        ("RevDex", {L, DEX}),
        ("Vel-Dex", {B, DEX}),
        ("VelDex", {B, DEX}),
        ("Vel-Des", {B, DEX}),
        ("lena-desa", {L, DEX}),
        ("Bor-Dex", {B, DEX}),
        ("Bortez-Dex", {B, DEX}),
        ("Btz/Dex", {B, DEX}),
        ("Bz-dex", {B, DEX}),
        ("Bor/Len/Dex", {B, L, DEX}),
        ("BorLenDex", {B, L, DEX}),
        ("Carf/dex", {K, DEX}),
        ("CFZ-dex", {K, DEX}),
        ("K-dex", {K, DEX}),
        ("Pom-Cy-dex", {P, C, DEX}),
        ("PomCyDex", {P, C, DEX}),
        ("Benda-Pred", {"bendamustine", "prednisone"}),
        ("Kd70", {K, DEX}),
        ("KD20/56", {K, DEX}),
        ("Rd-R", {L, DEX}),
        ("MPR-R", {"melphalan", "prednisone", L}),
        ("TD", {T, DEX}),
        ("CyTD", {C, T, DEX}),
        ("MP", {"melphalan", "prednisone"}),
        ("VAD x3", {"vincristine", "doxorubicin", DEX}),
        ("MEL 140", {"melphalan"}),
        ("HD-MEL", {"melphalan"}),
        ("HDM", {"melphalan"}),
    ],
)
def test_names_put_together_are_read_whole(terminology: Terminology, text: str, drugs: set[str]) -> None:
    concept = Concept((), text)
    assert {match.drug for match in terminology.drugs(concept)} == drugs
    assert not terminology.not_read(concept).likely


@pytest.mark.parametrize(
    ("text", "drugs", "may_be"),
    [
        ("Car-dex", {DEX}, ()),
        ("D-PACE", PACE, ()),
        ("DT-PACE", PACE, ()),
        ("Carfilzomib/Daratumumb/Dex", {K, DEX}, (D,)),
        ("bortezomib, xyz", {B}, ()),
        ("lenalidomid + desametazone", set(), (L, DEX)),
        ("daratumamab, bortezomb", set(), (D, B)),
        ("Tal-P", set(), ()),
        ("R maintenance", set(), ()),
        ("etentamig (ABBV-383)", set(), ()),
        ("JNJ-4528", set(), ()),
        ("BMS-986393", set(), ()),
        ("anito-cel", set(), ()),
        ("arlo-cel", set(), ()),
        ("protocol GIMEMA-MM0305", set(), ()),
        ("KTd", set(), ()),
        ("SKd", set(), ()),
        ("SPd", set(), ()),
        ("XPd", set(), ()),
        ("XKd", set(), ()),
        ("PCd", set(), ()),
        ("CRD", set(), ()),
        ("BLD", set(), ()),
        ("DLd", set(), ()),
        ("PAD", set(), ()),
        ("CTD", set(), ()),
        ("BBD", set(), ()),
        ("K70d", set(), ()),
    ],
)
def test_what_is_half_read_or_looks_like_treatment_is_said(
    terminology: Terminology, text: str, drugs: set[str], may_be: tuple[str, ...]
) -> None:
    concept = Concept((), text)
    assert {match.drug for match in terminology.drugs(concept)} == drugs
    found = terminology.not_read(concept)
    assert (found.likely, found.may_be) == (True, may_be)


@pytest.mark.parametrize(
    "text",
    [
        "lenalidomide 25 MG Oral Capsule [Revlimid]",
        "cyclophosphamide 25 MG Oral Tablet [Cytoxan]",
        "3.5 ML bortezomib 2.5 MG/ML Injection",
        "dexamethasone 4 mg tablet PO weekly 40 mg on days 1, 8, 15, 22",
        "bortezomib 1.3 mg/m2 s.c. giorni 1, 4, 8, 11 ogni 21 giorni x 8 cicli",
        "Velcade (bortezomib) 3,5 mg polvere per soluzione iniettabile",
        "Lenalidomide Accord 10 mg capsule rigide",
        "VRd C3D1",
        "VRd x6 cycles",
        "D-Rd ciclo 4",
        "Rd until progression",
        "elranatamab-bcmm",
        "teclistamab-cqyv 153 mg/1.7 mL",
        "lenalidomide 25 mg (D-Rd)",
        "bortezomib/lenalidomide/dexamethasone for multiple myeloma",
        "prednisone 5 mg for polymyalgia rheumatica",
        "lenalidomide maintenance 10 mg d1-21 q28d",
        "aciclovir prophylaxis during VRd",
        "metoprolol",
        "paracetamol 1 g as needed",
        "Betamethasone 0.5 mg",
        "Desloratadine 5 mg",
        "TMP/SMX",
        "HCTZ",
        "Vitamin D",
        "PEG 3350",
        "Bactrim DS",
        "siltuximab",
        "insulin glargine",
    ],
)
def test_ordinary_texts_raise_no_alarm(terminology: Terminology, text: str) -> None:
    assert not terminology.not_read(Concept((), text)).likely


def test_no_product_of_a_known_drug_raises_an_alarm(knowledge: Knowledge, terminology: Terminology) -> None:
    texts = {
        text
        for drug in knowledge.drug_files.values()
        for text in (*(n["text"] for n in drug["names"]), *(c.get("display", "") for c in drug["codes"]))
        if text
    }
    assert {text for text in texts if terminology.not_read(Concept((), text)).likely} == set()
