"""What a chart's words deny, and what they only seem to deny."""

from __future__ import annotations

import pytest

from cds_service.terminology import Terminology

from .charted import ICD_10_CM, coded, words

HF, NEURO, COPD = "heart-failure", "peripheral-neuropathy", "copd"


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("No heart failure", [HF]),
        ("No history of heart failure", [HF]),
        ("No known history of heart failure.", [HF]),
        ("Patient denies any history of heart failure", [HF]),
        ("heart failure: no", [HF]),
        ("History of heart failure: none", [HF]),
        ("Heart failure ruled out", [HF]),
        ("Heart failure - excluded", [HF]),
        ("No history of heart failure, neuropathy or COPD", [HF, NEURO, COPD]),
        ("no neuropathy nor COPD", [NEURO, COPD]),
        ("No neuropathy, COPD", [NEURO]),  # "COPD" may begin the next thing
        ("HIV negative", ["hiv"]),
        ("HIV non reattivo", ["hiv"]),
        ("Neuropathy grade 0", [NEURO]),
        ("Hepatitis B surface antigen negative", []),  # the core antibody may be there
        ("Hepatitis B: negative", ["hepatitis-b"]),
        ("Without peripheral neuropathy", [NEURO]),
        ("No evidence of extramedullary disease", ["extramedullary-disease"]),
        ("Nega scompenso cardiaco", [HF]),
        ("Paziente nega cardiopatia ischemica", ["ischemic-heart-disease"]),
        ("Nessuna storia di scompenso cardiaco", [HF]),
        ("Senza neuropatia periferica", [NEURO]),
        ("Non neuropatia", [NEURO]),
        ("Assenza di neuropatia", [NEURO]),
        ("Neuropatia: assente", [NEURO]),
        ("Neuropatia esclusa", [NEURO]),
        ("Anamnesi negativa per BPCO, asma o ipertensione", [COPD, "asthma", "hypertension"]),
        # Nothing of this says that the patient does not have it.
        ("No worsening of the neuropathy", []),
        ("No severe neuropathy", []),
        ("No heart failure symptoms", []),
        ("No recent heart failure", []),
        ("No heart failure exacerbation since May", []),
        ("No complaints, heart failure stable", []),
        ("No deep vein thrombosis", []),  # an embolism is left open
        ("Heart failure not optimally treated", []),
        ("Not only neuropathy", []),
        ("Rule out heart failure", []),
        ("Risk of heart failure", []),
        ("Heart failure", []),
        ("Heart failure; no neuropathy", [NEURO]),
        ("Senza peggioramento della neuropatia", []),
        ("Neuropatia non peggiorata", []),
        ("No family history of diabetes", []),
        ("Familiarità per diabete: nessuna", []),
        ("No neuropathy before bortezomib, neuropathy since", []),
        ("", []),
    ],
)
def test_denials(terminology: Terminology, text: str, denied: list[str]) -> None:
    assert list(terminology.denied_comorbidities(words(text))) == denied
    found = terminology.comorbidity(words(text))
    assert found is None or found.concept not in denied


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Heart failure", HF),
        ("Heart failure, unspecified", HF),
        ("Heart failure (disorder)", HF),
        ("Scompenso cardiaco", HF),
        ("Diastolic heart failure", ""),  # another kind may be there
        ("Drug-induced polyneuropathy", ""),
        ("Deep vein thrombosis", ""),
        ("Appendicitis", ""),
    ],
)
def test_only_a_common_name_stands_for_the_whole(terminology: Terminology, text: str, key: str) -> None:
    assert terminology.comorbidity_as_a_whole(words(text)) == key


@pytest.mark.parametrize(
    ("question", "answer", "number", "read"),
    [
        ("Peripheral neuropathy CTCAE grade", "", 2, (NEURO, "grade-2", True)),
        ("Peripheral neuropathy (CTCAE v5.0 grade)", "Grade 3", None, (NEURO, "grade-3", True)),
        ("Neuropatia periferica, grado", "2", None, (NEURO, "grade-2", True)),
        ("Peripheral neuropathy CTCAE grade", "", 0, (NEURO, "", False)),
        ("Neuropathy", "grade 1", None, (NEURO, "grade-1", True)),
        ("Neuropathy", "severe", None, (NEURO, "severe", True)),
        ("Neuropathy", "absent", None, (NEURO, "", False)),
        ("History of heart failure", "No", None, (HF, "", False)),
        ("History of heart failure", "Yes", None, (HF, "", True)),
        ("Storia di scompenso cardiaco", "assente", None, (HF, "", False)),
        ("BPCO", "presente", None, (COPD, "", True)),
        ("Diastolic heart failure", "absent", None, None),
        ("NYHA class", "III", None, (HF, "NYHA-III", True)),
        ("NYHA functional class", "Class II-III", None, (HF, "NYHA-III", True)),
        ("Classe NYHA", "", 4, (HF, "NYHA-IV", True)),
        ("Heart failure risk score", "present", None, None),
        ("Heart failure", "see letter", None, None),
        ("Neuropathy", "", 2, None),  # a number without its scale
        ("Peripheral neuropathy CTCAE grade", "", 2.5, None),
        ("Peripheral neuropathy CTCAE grade", "", 7, None),
    ],
)
def test_questions_about_comorbidities(
    terminology: Terminology, question: str, answer: str, number: float | None, read: object
) -> None:
    found = terminology.comorbidity_answer(words(question), words(answer), number)
    assert (None if found is None else (found.concept, found.severity, found.present)) == read


def test_a_question_may_be_asked_by_code(terminology: Terminology) -> None:
    found = terminology.comorbidity_answer(coded(ICD_10_CM, "J44.9"), words("yes"))
    assert found is not None
    assert (found.concept, found.present) == (COPD, True)


@pytest.mark.parametrize(
    ("report", "told"),
    [
        ("PET/CT: multiple soft-tissue plasmacytomas of the liver.", [("extramedullary-disease", True)]),
        ("Lytic lesions. No extramedullary disease.", [("extramedullary-disease", False)]),
        ("Lytic lesions, no evidence of extramedullary lesions", []),  # not a sentence of its own
        ("Nessuna evidenza di malattia extramidollare.", [("extramedullary-disease", False)]),
        ("Plasmocitoma dei tessuti molli paravertebrale 4 cm", [("extramedullary-disease", True)]),
        ("Suspected soft tissue plasmacytoma, biopsy advised", []),
        ("PET to rule out extramedullary disease", []),
        ("Heart failure, pleural effusion", []),  # of which reports do not tell
    ],
)
def test_what_reports_tell_in_passing(
    terminology: Terminology, report: str, told: list[tuple[str, bool]]
) -> None:
    assert list(terminology.told_in_report(report)) == told


@pytest.mark.parametrize(
    "text",
    [
        "No history of heart failure, DVT or COPD",
        "No history of stroke, deep vein thrombosis or COPD",
        "Denies neuropathy, deep vein thrombosis",
        "No DVT",
        "Nega TVP, neuropatia o ipertensione",
        "Anamnesi negativa per ictus, trombosi venosa profonda o BPCO",
        "Not a candidate because of no neuropathy",
        "HIV non reattivo",
        "HIV test",
        "Hepatitis B surface antigen negative",
        "Hepatitis B core antibody: negative",
        "Hepatitis B vaccination",
        "Vaccinazione: epatite B vaccinato",
        "Cardiopatia ischemica non nota",
        "Neuropathy grade 0",
        "Neuropatia: 0",
        "VTE prophylaxis",
        "Profilassi: VTE risk",
    ],
)
def test_nothing_that_is_denied_is_read_as_there(terminology: Terminology, text: str) -> None:
    assert terminology.comorbidity(words(text)) is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("No fever or chills, heart failure stable", HF),
        ("No neuropathy or COPD but heart failure NYHA II", HF),
        ("No heart failure, COPD", COPD),
        ("Heart failure; no neuropathy", HF),
        ("Hepatitis B surface antigen positive", "hepatitis-b"),
        ("Heart failure, troponin negative", HF),
        ("Pneumonia COVID negative", "serious-infection"),
        ("Neuropathy grade 2, motor grade 0", NEURO),
        ("Nessuna febbre o brividi, scompenso cardiaco stabile", HF),
    ],
)
def test_what_stands_beside_a_denial_stays(terminology: Terminology, text: str, key: str) -> None:
    found = terminology.comorbidity(words(text))
    assert found is not None
    assert found.concept == key
