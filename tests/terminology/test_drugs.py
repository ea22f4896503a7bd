"""What a charted medication is."""

from __future__ import annotations

from datetime import date

import pytest

from cds_service.terminology import Coding, Concept, Terminology

from .charted import ATC, HCPCS, NDC, RXNORM, SNOMED, coded, words


@pytest.mark.parametrize(
    "case, concept, drug, route",
    [
        ("today's ATC code", coded(ATC, "L01FC01"), "daratumumab", ""),
        ("the ATC code of older charts", coded(ATC, "L01XC24"), "daratumumab", ""),
        (
            "lower case and a trailing blank",
            coded("https://www.whocc.no/atc/", "l04ax04 "),
            "lenalidomide",
            "",
        ),
        (
            "Italian text beside it",
            coded(ATC, "H02AB02", "dexamethasone", text="Soldesam 20 mg/sett"),
            "dexamethasone",
            "",
        ),
        ("an alkylator", coded(ATC, "L01AA01", text="Endoxan 2 g/m2 ev"), "cyclophosphamide", ""),
        ("another", coded(ATC, "L01AA03", text="Melphalan 200 mg/m2"), "melphalan", ""),
        ("an IMiD", coded(ATC, "L04AX02", text="Talidomide 100 mg"), "thalidomide", ""),
        ("a proteasome inhibitor", coded(ATC, "L01XG01"), "bortezomib", ""),
        ("RxNorm product", coded(RXNORM, "402243", "bortezomib 3.5 MG Injection"), "bortezomib", ""),
        ("RxNorm ingredient", coded(RXNORM, "358258"), "bortezomib", ""),
        ("RxNorm steroid", coded(RXNORM, "3264"), "dexamethasone", ""),
        ("RxNorm alkylator", coded(RXNORM, "3002"), "cyclophosphamide", ""),
        ("RxNorm capsule", coded(RXNORM, "602910"), "lenalidomide", "PO"),
        ("RxNorm with hyaluronidase", coded(RXNORM, "2372199", text="Darzalex Faspro"), "daratumumab", "SC"),
        ("RxNorm by OID", coded("urn:oid:2.16.840.1.113883.6.88", "342369"), "lenalidomide", ""),
        ("the OID without urn", coded("2.16.840.1.113883.6.88", "342369"), "lenalidomide", ""),
        ("SNOMED CT substance", coded(SNOMED, "407097007"), "bortezomib", ""),
        ("SNOMED CT of a national edition", coded(SNOMED + "/11000172109", "421471009"), "lenalidomide", ""),
        ("SNOMED CT steroid", coded(SNOMED, "372584003"), "dexamethasone", ""),
        ("subcutaneous by HCPCS", coded(HCPCS, "J9144"), "daratumumab", "SC"),
        ("HCPCS", coded(HCPCS, "J9041"), "bortezomib", ""),
        ("HCPCS by another address", coded("http://hl7.org/fhir/sid/hcpcs", "J9144"), "daratumumab", "SC"),
        ("NDC 5-3-2", coded(NDC, "59572-402-28"), "lenalidomide", ""),
        ("NDC of eleven digits", coded(NDC, "59572040228"), "lenalidomide", ""),
        ("NDC of ten digits without hyphens", coded(NDC, "5957240228"), "lenalidomide", ""),
        (
            "liposomal by its name, ATC cannot tell",
            coded(ATC, "L01DB01", text="Caelyx 20 mg/m2"),
            "doxorubicin-liposomal",
            "",
        ),
        (
            "a local code with a brand",
            coded("http://hospital.example/local", "X1", "Darzalex 1800 mg"),
            "daratumumab",
            "",
        ),
        (
            "cycles in the words",
            coded(RXNORM, "342369", text="lenalidomide 25 mg, from cycle 9 single agent 10 mg"),
            "lenalidomide",
            "",
        ),
    ],
)
def test_one_drug(terminology: Terminology, case: str, concept: Concept, drug: str, route: str) -> None:
    found = terminology.drugs(concept)
    assert [(match.drug, match.route) for match in found] == [(drug, route)]
    assert found[0].doubt == ""


@pytest.mark.parametrize(
    "text, drugs, how",
    [
        ("D-VTd induzione", {"daratumumab", "bortezomib", "thalidomide", "dexamethasone"}, "regimen"),
        (
            "D-VRd planned to start in May",
            {"daratumumab", "bortezomib", "lenalidomide", "dexamethasone"},
            "regimen",
        ),
        ("VRd", {"bortezomib", "lenalidomide", "dexamethasone"}, "regimen"),
        ("daratumumab + VRd", {"daratumumab", "bortezomib", "lenalidomide", "dexamethasone"}, ""),
        ("bortezomib (VMP)", {"bortezomib"}, "text"),
        ("daratumumab, switched from KRd", {"daratumumab"}, "text"),
        ("Dara-Rd", {"daratumumab", "lenalidomide", "dexamethasone"}, "regimen"),
        ("Dara SC", {"daratumumab"}, "text"),
        ("VRd lite", {"bortezomib", "lenalidomide", "dexamethasone"}, "regimen"),
        ("Isa Kd", {"isatuximab", "carfilzomib", "dexamethasone"}, "regimen"),
        ("Pd", {"pomalidomide", "dexamethasone"}, "regimen"),
        ("Rd 8 cicli", {"lenalidomide", "dexamethasone"}, "regimen"),
        ("Velcade + Revlimid + desametasone", {"bortezomib", "lenalidomide", "dexamethasone"}, "text"),
        ("lenalidomide until PD", {"lenalidomide"}, "text"),
        ("lenalidomide maintenance after VRd", {"lenalidomide"}, "text"),
        ("Talidomide 100 mg", {"thalidomide"}, "text"),
        ("melphalan flufenamide", {"melphalan-flufenamide"}, "text"),
        ("Ide cel", {"idecabtagene-vicleucel"}, "text"),
        ("carfilzomib senza desametasone", {"carfilzomib"}, "text"),
        ("no lenalidomide", set(), ""),
        ("after PD", set(), ""),
        ("vitamin D", set(), ""),
        ("G-CSF", set(), ""),
        ("metformin 500 mg", set(), ""),
    ],
)
def test_words_of_a_medication(terminology: Terminology, text: str, drugs: set[str], how: str) -> None:
    found = terminology.drugs(words(text))
    assert {match.drug for match in found} == drugs
    assert not how or {match.how for match in found} == {how}


@pytest.mark.parametrize(
    "concept, drug, doubt",
    [
        (coded(ATC, "L04AX04", text="Velcade 1.3 mg/m2"), "lenalidomide", "the words say bortezomib"),
        (
            Concept((Coding(RXNORM, "402243"), Coding(ATC, "L01XG02"))),
            "bortezomib",
            "carfilzomib not",
        ),
        (
            Concept((Coding(ATC, "L01XG02", "bortezomib"), Coding(RXNORM, "402243", "bortezomib"))),
            "bortezomib",
            "carfilzomib not",
        ),
        (coded("", "L04AX04"), "lenalidomide", "without its code system"),
        (coded(HCPCS, "J9380"), "teclistamab", "has meant different drugs"),
    ],
)
def test_doubts_are_told(terminology: Terminology, concept: Concept, drug: str, doubt: str) -> None:
    (match,) = terminology.drugs(concept)
    assert match.drug == drug
    assert doubt in match.doubt


@pytest.mark.parametrize(
    "case, display, on, drugs",
    [
        ("teclistamab since July 2023", "", date(2023, 7, 1), ["teclistamab"]),
        ("not before", "", date(2023, 6, 30), []),
        (
            "vincristine until 2010, by its display",
            "Vincristine sulfate, 5 mg",
            date(2009, 5, 1),
            ["vincristine"],
        ),
    ],
)
def test_the_reused_code_j9380(
    terminology: Terminology, case: str, display: str, on: date, drugs: list[str]
) -> None:
    assert [m.drug for m in terminology.drugs(coded(HCPCS, "J9380", display), on=on)] == drugs


@pytest.mark.parametrize(
    "case, concept",
    [
        ("a bare number without a system may be anything", coded("", "342369")),
        ("the right code in a foreign system", coded("http://hospital.example/local", "L01FC01")),
        ("melphalan into the liver is no myeloma treatment", coded(HCPCS, "J9248")),
        ("nothing at all", Concept()),
        ("a growth factor", coded(ATC, "L03AA02", "filgrastim", text="G-CSF")),
        ("another supportive drug", coded(ATC, "L03AX16", "plerixafor", text="Mozobil")),
    ],
)
def test_not_mapped(terminology: Terminology, case: str, concept: Concept) -> None:
    assert terminology.drugs(concept) == ()


@pytest.mark.parametrize(
    "concept, answer",
    [
        (coded(ATC, "L01EX99"), True),
        (coded(HCPCS, "J9312"), True),
        (words("Chemioterapia secondo schema"), True),
        (words("study drug, blinded"), True),
        (coded(ATC, "L01FC01"), True),
        (words("omalizumab"), False),
        (coded(ATC, "L03AA02"), False),
        (words("aspirin"), False),
        (words("allopurinol"), False),
    ],
)
def test_cancer_drugs_by_their_kind(terminology: Terminology, concept: Concept, answer: bool) -> None:
    assert terminology.is_antineoplastic(concept) is answer


@pytest.mark.parametrize(
    ("text", "drug"),
    [
        ("lenalidomide10mg", "lenalidomide"),
        ("LENALIDOMIDE25MG", "lenalidomide"),
        ("Revlimid10mg", "lenalidomide"),
        ("Darzalex1800mg", "daratumumab"),
        ("Bortezomib3,5mg", "bortezomib"),
    ],
)
def test_a_dose_that_sticks_to_the_name_hides_no_drug(terminology: Terminology, text: str, drug: str) -> None:
    assert [match.drug for match in terminology.drugs(words(text))] == [drug]
