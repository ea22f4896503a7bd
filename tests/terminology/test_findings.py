"""Observations with their units, procedures, comorbidities, numbers of lines."""

from __future__ import annotations

import time

import pytest

from cds_service.terminology import Coding, Concept, Terminology

from .charted import CPT, ICD_9_CM, ICD_10, ICD_10_CM, ICD_10_PCS, LOINC, SNOMED, coded, words


@pytest.mark.parametrize(
    "concept, key",
    [
        (coded(LOINC, "33358-3"), "m-protein-serum"),
        (coded(LOINC, "89247-1"), "ecog"),
        (coded(LOINC, "10230-1"), "lvef"),
        (coded(LOINC, "718-7"), "hemoglobin"),
        (coded(LOINC, "2160-0"), "creatinine"),
        (coded(LOINC, "17861-6"), "calcium-total"),
        (coded(LOINC, "48378-4"), "flc-ratio-kappa-lambda"),
        (coded(LOINC, "33944-0"), "flc-lambda"),
        (coded(LOINC, "5196-1", "Hepatitis C"), "hbsag"),
        (coded(LOINC, "2106-3"), "pregnancy-test-urine"),
        (words("Bone marrow plasma cells"), "bm-plasma-cells-pct"),
        (words("Componente monoclonale"), "m-protein-serum"),
        (words("Clearance creatinina (Cockcroft-Gault)"), "creatinine-clearance"),
        (words("Creatinine [Mass/volume] in Serum or Plasma"), "creatinine"),
        (words("Frazione di eiezione"), "lvef"),
        (words("t(11;14)"), "t-11-14"),
        (words("del(17p) by FISH"), "del17p"),
        (words("gain(1q21)"), "gain-amp-1q21"),
        (coded("http://hospital.example/lab", "PLT", "Piastrine"), "platelets"),
    ],
)
def test_observations(terminology: Terminology, concept: Concept, key: str) -> None:
    match = terminology.observation(concept)
    assert match is not None
    assert match.concept == key


@pytest.mark.parametrize(
    "key, believed, not_believed",
    [
        ("ecog", [0, 1, 4, 5], [-1, 6, 2.6, 1e300]),
        ("clinical-frailty-scale", [1, 9], [0, 10, 4.5]),
        ("karnofsky", [0, 50, 100], [-10, 110]),
        ("lvef", [10, 25, 70], [0.55, 101, -5]),
        ("creatinine", [0.3, 15.8], [0, 88, -1]),
        ("m-protein-serum", [0, 0.1, 12.4], [-0.1, 40]),
        ("platelets", [1, 250, 1800], [-1, 250000]),
        ("neutrophils-abs", [0, 0.2, 90], [-0.1, 4000]),
        ("calcium-total", [5, 18], [0.9, 100]),
        ("flc-kappa", [0.2, 48000], [-1, 1e9]),
        ("body-weight", [28, 210], [0, 7000]),
    ],
)
def test_numbers_that_a_person_may_show(
    terminology: Terminology, key: str, believed: list[float], not_believed: list[float]
) -> None:
    assert [value for value in believed if not terminology.plausible(key, value)] == []
    assert [value for value in not_believed if terminology.plausible(key, value)] == []


@pytest.mark.parametrize(
    "case, concept",
    [
        ("an invented code that fails the check digit", coded(LOINC, "32730-5")),
        ("another", coded(LOINC, "33944-8")),
        ("a third", coded(LOINC, "33945-5")),
        ("an ankle X-ray, not a myeloma test", coded(LOINC, "26098-4")),
        ("the race code White without its system", coded("", "2106-3")),
        ("the same string as a race", coded("urn:oid:2.16.840.1.113883.6.238", "2106-3")),
        ("albumin in urine is not serum albumin", words("Urine albumin")),
        ("a ratio is neither part", words("albumin/creatinine ratio")),
    ],
)
def test_unmapped_observations(terminology: Terminology, case: str, concept: Concept) -> None:
    assert terminology.observation(concept) is None


@pytest.mark.parametrize(
    "key, value, unit, own",
    [
        ("m-protein-serum", 4.1, "g/dL", 4.1),
        ("m-protein-serum", 41, "g/L", 4.1),
        ("m-protein-urine-24h", 0.5, "g/24h", 500),
        ("flc-kappa", 10, "mg/dL", 100),
        ("creatinine", 88.4, "µmol/L", 1.0),
        ("creatinine", 1.0, "mg/dL", 1.0),
        ("calcium-total", 2.87, "mmol/L", 11.50296),
        ("hemoglobin", 120, "g/L", 12),
        ("platelets", 150, "x10⁹/L", 150),
        ("platelets", 150_000, "/uL", 150),
        ("neutrophils-abs", 1.2, "10*3/uL", 1.2),
        ("igg", 4, "g/L", 400),
        ("albumin", 35, "g/L", 3.5),
        ("flc-ratio-kappa-lambda", 3.1, "{ratio}", 3.1),
        ("ecog", 1, "", 1),
        ("lvef", 58, "%", 58),
        ("m-protein-serum", 4.1, "", None),
        ("m-protein-serum", 4.1, "mmol/L", None),
        ("creatinine", 1.0, "mg", None),
        ("unheard-of", 1.0, "mg/dL", None),
    ],
)
def test_units(terminology: Terminology, key: str, value: float, unit: str, own: float | None) -> None:
    assert terminology.convert(key, value, unit) == (None if own is None else pytest.approx(own))


@pytest.mark.parametrize(
    "concept, result",
    [
        (coded(LOINC, "LA9633-4"), "present"),
        (coded(LOINC, "LA9634-2"), "absent"),
        (coded(LOINC, "LA9622-7"), "ecog:0"),
        (coded(LOINC, "LA9624-3"), "ecog:2"),
        (coded(SNOMED, "422512005"), "ecog:1"),
        (words("ECOG 2"), "ecog:2"),
        (words("Positivo"), "positive"),
        (words("not detected"), "absent"),
        (words("Non rilevata"), "absent"),
        (words("IgG kappa"), "igg kappa"),
        (Concept(), ""),
    ],
)
def test_coded_results(terminology: Terminology, concept: Concept, result: str) -> None:
    assert terminology.coded_result(concept) == result


@pytest.mark.parametrize(
    "concept, kind, drug",
    [
        (coded(CPT, "38241"), "autologous-sct", ""),
        (coded(SNOMED, "58776007"), "autologous-sct", ""),
        (coded(ICD_9_CM, "41.04"), "autologous-sct", ""),
        (coded(ICD_9_CM, "4104 "), "autologous-sct", ""),
        (coded(SNOMED, "234336002"), "sct-unspecified", ""),
        (
            coded(SNOMED, "234336002", text="Autologous stem cell transplantation (melphalan 200 mg/m2)"),
            "autologous-sct",
            "",
        ),
        (
            words("Autotrapianto di cellule staminali emopoietiche (condizionamento melphalan)"),
            "autologous-sct",
            "",
        ),
        (words("Raccolta di cellule staminali periferiche (aferesi)"), "stem-cell-collection", ""),
        (words("trapianto allogenico"), "allogeneic-sct", ""),
        (coded(SNOMED, "1156961008"), "cart-infusion", ""),
        (coded(ICD_10_PCS, "XW033A7"), "cart-infusion", "ciltacabtagene-autoleucel"),
        (coded(ICD_10_PCS, "XW033C3"), "cart-infusion", ""),
        (words("Abecma infusion"), "cart-infusion", "idecabtagene-vicleucel"),
        (coded(ICD_10_PCS, "6A550Z1"), "leukapheresis", ""),
        (coded(ICD_10_PCS, "XW01348"), "drug-administration", "teclistamab"),
        (coded(ICD_9_CM, "39.95"), "dialysis", ""),
        (words("radioterapia antalgica L2"), "radiotherapy", ""),
    ],
)
def test_procedures(terminology: Terminology, concept: Concept, kind: str, drug: str) -> None:
    match = terminology.procedure(concept)
    assert match is not None
    assert (match.kind, match.drug, match.doubt) == (kind, drug, "")


@pytest.mark.parametrize(
    "text", ["Vertebroplasty L2", "non candidabile a trapianto di cellule staminali", ""]
)
def test_no_procedure_of_ours(terminology: Terminology, text: str) -> None:
    assert terminology.procedure(words(text)) is None


def test_an_allogeneic_text_beside_an_autologous_code_is_doubted(terminology: Terminology) -> None:
    match = terminology.procedure(coded(SNOMED, "709115004", text="allogeneic transplant"))
    assert match is not None
    assert match.kind == "autologous-sct"
    assert "the words say allogeneic-sct" in match.doubt


SEVERE = coded(SNOMED, "24484000", "Severe")


@pytest.mark.parametrize(
    "concept, severity, key, told",
    [
        (
            Concept(
                (Coding(ICD_10_CM, "G62.0"), Coding(SNOMED, "302226006")),
                "Sensorimotor polyneuropathy CTCAE grade 3, persisting",
            ),
            SEVERE,
            "peripheral-neuropathy",
            "grade-3",
        ),
        (coded(ICD_10_CM, "G62.0"), SEVERE, "peripheral-neuropathy", "severe"),
        (words("Neuropatia periferica grado 2"), None, "peripheral-neuropathy", "grade-2"),
        (words("neuropathy"), words("Grade 2-3"), "peripheral-neuropathy", "grade-3"),
        (coded(ICD_10_CM, "I50.22", text="HFrEF, NYHA III"), None, "heart-failure", "NYHA-III"),
        (words("Scompenso cardiaco NYHA II-III"), None, "heart-failure", "NYHA-III"),
        (words("heart failure stage 2"), None, "heart-failure", ""),
        (coded(ICD_10_CM, "I13.0"), None, "heart-failure", ""),
        (coded(ICD_10_CM, "I13.10"), None, "hypertension", ""),
        (coded(ICD_10_CM, "I10", text="uncontrolled hypertension"), None, "hypertension-uncontrolled", ""),
        (coded(ICD_10_CM, "N18.32"), None, "ckd", "stage-3b"),
        (coded(ICD_10, "N18.4"), None, "ckd", "stage-4"),
        (words("IRC stadio 3b"), None, "ckd", "stage-3b"),
        (coded(ICD_10_CM, "Z99.2"), None, "dialysis", ""),
        (coded(SNOMED, "302497006"), None, "dialysis", ""),
        (coded(ICD_10_CM, "Z33.1"), None, "pregnancy", ""),
        (words("BPCO severa"), None, "copd", "severe"),
        (coded(ICD_10_CM, "B18.1"), None, "hepatitis-b", ""),
        (coded(ICD_10_CM, "H16.9", text="keratopathy G3"), None, "corneal-disease", "grade-3"),
        (coded(ICD_10_CM, "J18.9"), None, "serious-infection", ""),
        (coded(SNOMED, "428875002"), None, "recurrent-serious-infection", ""),
        (coded(ICD_10_CM, "D84.821"), None, "immunodeficiency", ""),
        (coded(ICD_10_CM, "D89.832"), None, "cytokine-release-syndrome", "grade-2"),
        (coded(ICD_10_CM, "E11.42"), None, "peripheral-neuropathy", ""),
        (coded(ICD_10_CM, "E11.9"), None, "diabetes", ""),
    ],
)
def test_comorbidities(
    terminology: Terminology, concept: Concept, severity: Concept | None, key: str, told: str
) -> None:
    match = terminology.comorbidity(concept, severity)
    assert match is not None
    assert (match.concept, match.severity) == (key, told)


@pytest.mark.parametrize(
    "text", ["no neuropathy", "gravidanza esclusa", "family history of diabetes", "risk of sepsis", "gout"]
)
def test_no_comorbidity(terminology: Terminology, text: str) -> None:
    assert terminology.comorbidity(words(text)) is None


def test_words_beside_a_myeloma_code_are_no_comorbidity(terminology: Terminology) -> None:
    text = "Multiple myeloma in relapse - ruled out, transient light chain rise during pneumonia"
    assert terminology.comorbidity(coded(ICD_10_CM, "C90.02", text=text)) is None


@pytest.mark.parametrize("text", ["no evidence of " * 5_000, "x" * 200_000, "PD " * 20_000])
def test_endless_text_is_read_in_time(terminology: Terminology, text: str) -> None:
    started = time.perf_counter()
    terminology.response(words(text))
    terminology.drugs(coded("", text, text=text))
    terminology.comorbidity(coded(ICD_10_CM, text, text=text))
    assert time.perf_counter() - started < 60  # seconds on a busy machine; a blow-up takes hours


@pytest.mark.parametrize(
    "text, number",
    [
        ("2nd line", 2),
        ("second-line therapy", 2),
        ("line of therapy 3", 3),
        ("LOT 4", 4),
        ("3L", 3),
        ("linea 2", 2),
        ("seconda linea", 2),
        ("II linea", 2),
        ("prima linea di terapia", 1),
        ("first line and second line", None),
        ("linea venosa", None),
        ("line 0", None),
        ("lenalidomide", None),
        ("", None),
    ],
)
def test_numbers_of_lines(terminology: Terminology, text: str, number: int | None) -> None:
    assert terminology.line_number(text) == number
