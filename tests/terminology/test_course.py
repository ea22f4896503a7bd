"""Where the disease stands: diagnoses, responses, reasons for stopping, purposes."""

from __future__ import annotations

import pytest

from cds_service.record import DiagnosisStatus, Purpose, Response, StopReason
from cds_service.terminology import Coding, Concept, Terminology

from .charted import (
    CLINICAL,
    ICD_9_CM,
    ICD_10,
    ICD_10_CM,
    ICD_10_GM,
    LOINC,
    NCIT,
    REQUEST_REASON,
    SNOMED,
    coded,
    words,
)

MM = "multiple-myeloma"
ACTIVE, RELAPSE, REMISSION, HISTORY = (
    DiagnosisStatus.ACTIVE,
    DiagnosisStatus.RELAPSE,
    DiagnosisStatus.REMISSION,
    DiagnosisStatus.HISTORY,
)


@pytest.mark.parametrize(
    "concept, kind, status",
    [
        (
            coded(ICD_10, "C90.0", text="Mieloma multiplo IgG kappa; refrattario primario alla I linea"),
            MM,
            None,
        ),
        (coded(ICD_10_CM, "C90.00"), MM, ACTIVE),
        (coded(ICD_10_CM, "C9001"), MM, REMISSION),
        (coded(ICD_10_CM, "C90.02"), MM, RELAPSE),
        (coded("urn:oid:2.16.840.1.113883.6.90", "C90.02"), MM, RELAPSE),
        (coded(ICD_10_GM, "C90.01"), MM, REMISSION),
        (coded(ICD_9_CM, "203.00"), MM, ACTIVE),
        (coded(SNOMED, "109989006"), MM, None),
        (coded(SNOMED, "109989006", text="Progressione / recidiva"), MM, RELAPSE),
        (coded(SNOMED, "109989006", text="Multiple myeloma, first relapse"), MM, RELAPSE),
        (coded(ICD_10_CM, "C90.00", text="Multiple myeloma, no evidence of relapse"), MM, ACTIVE),
        (coded(ICD_10_CM, "C90.00", text="Multiple myeloma, high risk of progression"), MM, ACTIVE),
        (coded(ICD_10_CM, "C90.00", text="Multiple myeloma in remission"), MM, REMISSION),
        (
            coded(ICD_10_CM, "C90.00", text="Smoldering multiple myeloma, IgG kappa; observation"),
            "smouldering-myeloma",
            ACTIVE,
        ),
        (coded(ICD_10_CM, "C90.00", text="Multiple myeloma evolved from smouldering myeloma"), MM, ACTIVE),
        (
            coded(ICD_10_CM, "C90.00", text="smouldering myeloma progressed to symptomatic myeloma"),
            MM,
            ACTIVE,
        ),
        (coded(ICD_10_CM, "D47.2"), "mgus", None),
        (coded(SNOMED, "277577000"), "mgus", None),
        (coded(ICD_10_CM, "C90.12"), "plasma-cell-leukaemia", RELAPSE),
        (coded(ICD_10_CM, "C90.30"), "solitary-plasmacytoma", ACTIVE),
        (coded(ICD_10_CM, "E85.81"), "al-amyloidosis", None),
        (coded(SNOMED, "79268002"), "poems", None),
        (words("Mieloma multiplo recidivato"), MM, RELAPSE),
        (words("History of multiple myeloma"), MM, HISTORY),
        (words("Multiple myeloma (previously MGUS)"), MM, None),
        (words("MM IgG kappa"), MM, None),
        (words("MM in recidiva"), MM, RELAPSE),
        (words("mieloma smouldering"), "smouldering-myeloma", None),
    ],
)
def test_diagnoses(
    terminology: Terminology, concept: Concept, kind: str, status: DiagnosisStatus | None
) -> None:
    match = terminology.diagnosis(concept)
    assert match is not None
    assert (match.kind, match.status, match.doubt) == (kind, status, "")


@pytest.mark.parametrize(
    "concept, status, doubt",
    [
        (coded(ICD_10_CM, "C90.02", text="Multiple myeloma in relapse - ruled out"), RELAPSE, '"ruled out"'),
        (coded(ICD_10, "C90.02"), RELAPSE, "read as ICD-10-CM"),
        (coded("", "C90.02"), RELAPSE, "without its code system"),
        (coded(ICD_10_CM, "C90.01", text="Multiple myeloma in relapse"), REMISSION, "the words say relapse"),
        (
            coded(ICD_10_CM, "C90.00", text="Plasma cell leukaemia"),
            ACTIVE,
            "the words say plasma-cell-leukaemia",
        ),
    ],
)
def test_doubtful_diagnoses(
    terminology: Terminology, concept: Concept, status: DiagnosisStatus, doubt: str
) -> None:
    match = terminology.diagnosis(concept)
    assert match is not None
    assert (match.kind, match.status) == (MM, status)
    assert doubt in match.doubt


@pytest.mark.parametrize(
    "concept",
    [
        words("Family history of multiple myeloma"),
        words("familiarità per mieloma"),
        words("rule out multiple myeloma"),
        words("no evidence of myeloma"),
        words("Hypertension"),
        words("MM of the left calf"),
        words("Multiple sclerosis, relapsing remitting"),
        coded(SNOMED, "190818004", "Waldenström macroglobulinemia"),
        coded(ICD_10_CM, "E85.4"),
        coded(ICD_10_CM, "Z85.79"),
        coded(ICD_10_CM, "D63.0", text="anaemia in multiple myeloma"),
        Concept(),
    ],
)
def test_no_plasma_cell_disorder_of_this_patient(terminology: Terminology, concept: Concept) -> None:
    assert terminology.diagnosis(concept) is None


@pytest.mark.parametrize(
    "code, status",
    [
        ("active", ACTIVE),
        ("recurrence", RELAPSE),
        ("relapse", RELAPSE),
        ("remission", REMISSION),
        ("inactive", HISTORY),
        ("resolved", HISTORY),
        ("unheard-of", None),
    ],
)
def test_clinical_status(terminology: Terminology, code: str, status: DiagnosisStatus | None) -> None:
    assert terminology.clinical_status(coded(CLINICAL, code)) is status


@pytest.mark.parametrize(
    "text, category, progression, no_response",
    [
        ("Stable disease (SD) dopo 4 cicli", "SD", False, False),
        ("Progressione di malattia in corso di terapia", "PD", True, False),
        ("Progressione biochimica e clinica", "PD", True, False),
        ("Progressive disease (IMWG)", "PD", True, False),
        ("Sustained CR", "CR", False, False),
        ("CR", "CR", False, False),
        ("sCR", "sCR", False, False),
        ("Ottima risposta parziale (VGPR)", "VGPR", False, False),
        ("remissione parziale", "PR", False, False),
        ("MR", "MR", False, False),
        ("PD", "PD", True, False),
        ("Prima recidiva, fuori terapia", None, True, False),
        ("biochemical relapse without CRAB", None, True, False),
        ("Relapsed/refractory", None, True, True),
        ("malattia refrattaria", None, False, True),
        ("No response, progressive disease", "PD", True, True),
        ("nessuna risposta, progressione", "PD", True, True),
        ("senza risposta e in progressione", "PD", True, True),
        ("not in CR but progressing", "PD", True, False),
        ("no further treatment due to progression", "PD", True, False),
        ("non più trattato per progressione", "PD", True, False),
        ("No CRAB; biochemical progression", "PD", True, False),
        ("best response VGPR, now PD", "PD", True, False),
        ("VGPR, then relapse", None, True, False),
        ("CR after first relapse", "CR", False, False),
        ("CR dopo prima recidiva", "CR", False, False),
        ("MRD negative CR", "CR", False, False),
        ("CR, no relapse", "CR", False, False),
        ("stable disease, no progression", "SD", False, False),
        ("malattia stabile senza progressione", "SD", False, False),
        ("remissione completa, non segni di recidiva", "CR", False, False),
    ],
)
def test_what_an_answer_says(
    terminology: Terminology, text: str, category: str | None, progression: bool, no_response: bool
) -> None:
    match = terminology.response(words(text))
    assert match is not None
    assert match.category == (Response(category) if category else None)
    assert (match.progression, match.no_response, match.doubt) == (progression, no_response, "")


@pytest.mark.parametrize(
    "text",
    [
        "no progression",
        "No evidence of progression",
        "No evidence of disease recurrence, progression, or relapse",
        "No radiological or biochemical sign of disease progression",
        "without signs of relapse",
        "Progression: no",
        "progression excluded",
        "Progression (not confirmed)",
        "relapse - ruled out",
        "rule out relapse",
        "risk of progression",
        "fear of progression",
        "fearful of relapse",
        "paura di progressione di malattia",
        "timore di progressione",
        "possible progression",
        "unlikely progression",
        "progression?",
        "if progression start KRd",
        "treat until progression",
        "progression-free survival 12 months",
        "time to progression 12 months",
        "nessuna progressione",
        "nessun segno laboratoristico o radiologico di progressione di malattia",
        "assenza di progressione",
        "Progressione: assente",
        "progressione esclusa dopo rivalutazione",
        "recidiva esclusa",
        "prima della progressione",
        "negativo per recidiva",
        "rischio di progressione",
        "sospetta progressione",
        "in caso di progressione iniziare KRd",
        "fino a progressione",
        "non PD",
        "No PD",
        "PD-L1 negative",
        "Cr 1.2 mg/dL",
        "MR imaging of the spine",
        "stable angina",
        "",
    ],
)
def test_what_does_not_say_progression(terminology: Terminology, text: str) -> None:
    match = terminology.response(words(text))
    assert match is None


@pytest.mark.parametrize(
    "concept, category, progression, trend",
    [
        (coded(LOINC, "LA28366-5"), "CR", False, ""),
        (coded(LOINC, "LA28371-5"), "SD", False, ""),
        (coded(LOINC, "LA28370-7"), "PD", True, ""),
        (coded(NCIT, "C35571"), "PD", True, ""),
        (
            coded(SNOMED, "271299001", "Patient's condition worsened", text="Prima recidiva"),
            None,
            True,
            "worsened",
        ),
        (
            coded(SNOMED, "268910001", "Patient's condition improved", text="Sustained CR"),
            "CR",
            False,
            "improved",
        ),
        (coded(SNOMED, "359746009"), None, False, "stable"),
        (coded(SNOMED, "277022003"), None, False, "improved"),
        (coded("http://hospital.example/local", "4", "Progressive disease"), "PD", True, ""),
    ],
)
def test_coded_answers(
    terminology: Terminology, concept: Concept, category: str | None, progression: bool, trend: str
) -> None:
    match = terminology.response(concept)
    assert match is not None
    assert match.category == (Response(category) if category else None)
    assert (match.progression, match.trend, match.doubt) == (progression, trend, "")


@pytest.mark.parametrize(
    "case, concept, progression, doubt",
    [
        (
            "a stop reason labelled PD",
            coded(SNOMED, "182842009", "Progressive disease"),
            False,
            "reason for stopping",
        ),
        (
            "a stop reason labelled CR",
            coded(SNOMED, "182840001", "Complete response"),
            False,
            "reason for stopping",
        ),
        (
            "a stop reason labelled PR",
            coded(SNOMED, "182841002", "Partial response"),
            False,
            "reason for stopping",
        ),
        (
            "a stop reason labelled SD",
            coded(SNOMED, "182843004", "Stable disease"),
            False,
            "reason for stopping",
        ),
        (
            "remission labelled PD",
            coded(SNOMED, "277022003", "Progressive disease"),
            False,
            "says something else",
        ),
        (
            "worse, but the words deny it",
            coded(SNOMED, "271299001", text="nessuna progressione"),
            True,
            "deny it",
        ),
        (
            "stable, but the words say PD",
            coded(SNOMED, "359746009", text="Progressive disease"),
            False,
            "code does not",
        ),
        ("two responses", words("PR/VGPR"), False, "the least, PR"),
    ],
)
def test_doubtful_answers(
    terminology: Terminology, case: str, concept: Concept, progression: bool, doubt: str
) -> None:
    match = terminology.response(concept)
    assert match is not None
    assert match.progression is progression
    assert match.category not in (Response.CR, Response.PD, Response.SD)
    assert doubt in match.doubt


@pytest.mark.parametrize(
    "concept, answer",
    [
        (coded(LOINC, "97509-4"), True),
        (coded(LOINC, "88040-1 "), True),
        (words("Myeloma response (IMWG)"), True),
        (words("Risposta alla terapia"), True),
        (words("Disease status"), True),
        (words("Bone marrow plasma cells"), False),
        (words("Immune response"), False),
        (coded(LOINC, "33358-3"), False),
    ],
)
def test_questions_about_response(terminology: Terminology, concept: Concept, answer: bool) -> None:
    assert terminology.is_response_question(concept) is answer


@pytest.mark.parametrize(
    "concept, reason",
    [
        (words("PD"), "progression"),
        (words("progressione"), "progression"),
        (words("dopo progressione"), "progression"),
        (words("progression and toxicity"), "progression"),
        (words("non risposta"), "no-response"),
        (words("inefficacia"), "no-response"),
        (words("perdita di risposta"), "no-response"),
        (words("rash"), "toxicity"),
        (words("grade 3 peripheral neuropathy"), "toxicity"),
        (words("progression of neuropathy"), "toxicity"),
        (words("toxicity, no progression"), "toxicity"),
        (words("anaphylaxis"), "allergy"),
        (words("patient wish: treatment holiday while in VGPR"), "choice"),
        (words("scelta del paziente"), "choice"),
        (words("fine terapia programmata"), "completion"),
        (words("planned stop in CR"), "completion"),
        (words("no toxicity, completed"), "completion"),
        (words("trapianto"), "transplant"),
        (words("progressed to transplant"), "transplant"),
        (coded(SNOMED, "266721009", "Absent response to treatment"), "no-response"),
        (coded(SNOMED, "419835002", "Tumor progression", text="Disease progression"), "progression"),
        (coded(SNOMED, "407563006", text="grade 3 peripheral neuropathy"), "toxicity"),
        (coded(SNOMED, "182992009"), "completion"),
        (coded(SNOMED, "182992009", text="completed, then PD"), "progression"),
        (coded(SNOMED, "105480006", text="patient wish: treatment holiday while in VGPR"), "choice"),
        (coded(SNOMED, "395007004"), "no-response"),
        (coded(SNOMED, "395009001"), "toxicity"),
        (coded(SNOMED, "182842009", "Progressive disease"), "toxicity"),
        (coded(SNOMED, "182841002"), "no-response"),
        (coded(SNOMED, "182840001"), "unknown"),
        (coded(SNOMED, "182843004"), "choice"),
        (coded(SNOMED, "445528004", text="PD"), "progression"),
        (coded(SNOMED, "395008009"), "other"),
        (coded(LOINC, "LA28370-7"), "progression"),
        (coded(ICD_10_CM, "C90.02"), "progression"),
        (coded(REQUEST_REASON, "sintol"), "toxicity"),
        (coded(REQUEST_REASON, "salg"), "allergy"),
        (coded(REQUEST_REASON, "altchoice"), "other"),
        (words("no progression"), None),
        (words("SD"), None),
        (words("until progression"), None),
        (words("Patient request due to fear of progression"), "choice"),
        (words("Richiesta della paziente per timore di progressione"), "choice"),
        (words("fear of progression"), None),
        (words("rischio di progressione"), None),
        (words("paura di recidiva"), None),
        (words("progressione, paziente impaurita"), "progression"),
        (words("stopped for progression, fear of side effects"), "progression"),
    ],
)
def test_reasons_for_stopping(terminology: Terminology, concept: Concept, reason: str | None) -> None:
    assert terminology.stop_reason(concept) == (StopReason(reason) if reason else None)


@pytest.mark.parametrize(
    "concept, purpose",
    [
        (words("mobilizzazione cellule staminali"), "mobilisation"),
        (words("condizionamento"), "conditioning"),
        (words("linfodeplezione pre CAR-T"), "lymphodepletion"),
        (words("bridging therapy"), "bridging"),
        (words("premedicazione"), "premedication"),
        (words("nausea"), "antiemetic"),
        (words("COVID-19 pneumonia"), "other-disease"),
        (words("artrite reumatoide"), "other-disease"),
        (words("AL amyloidosis"), "amyloidosis"),
        (words("smoldering myeloma"), "smouldering"),
        (words("Mieloma multiplo"), "myeloma"),
        (coded(ICD_10_CM, "C90.00"), "myeloma"),
        (coded(ICD_10_CM, "C90.00", text="smoldering multiple myeloma"), "smouldering"),
        (coded(ICD_10, "C83.3"), "other-disease"),
        (coded(ICD_10_CM, "D46.9"), "other-disease"),
        (coded(ICD_10_CM, "J44.1"), "other-disease"),
        (words("spinal cord compression"), None),
        (words("mantenimento"), None),
        (words("not for myeloma"), None),
    ],
)
def test_purposes(terminology: Terminology, concept: Concept, purpose: str | None) -> None:
    assert terminology.purpose(concept) == (Purpose(purpose) if purpose else None)


def test_two_codes_of_one_diagnosis_agree(terminology: Terminology) -> None:
    concept = Concept((Coding(ICD_9_CM, "203.00"), Coding(ICD_10, "C90.0")), "Mieloma multiplo IgG kappa")
    match = terminology.diagnosis(concept)
    assert match is not None
    assert (match.kind, match.status, match.doubt) == (MM, ACTIVE, "")
