"""What words say of CAR-T for a patient, and what a request for a procedure plans."""

from __future__ import annotations

import pytest

from cds_service.knowledge.types import Knowledge
from cds_service.terminology import Concept, Terminology

from .charted import CPT, ICD_9_CM, ICD_10_PCS, SNOMED, coded, words


@pytest.mark.parametrize(
    ("text", "feasible"),
    [
        ("eligible for CAR-T", True),
        ("CAR-T eligible", True),
        ("CAR T-cell therapy candidate", True),
        ("CAR-T feasible", True),
        ("CAR-T: feasible", True),
        ("Candidate for BCMA-directed CAR-T, ECOG 1", True),
        ("Candidate to receive CAR T cells", True),
        ("CAR-T eligibility confirmed", True),
        ("Transplant-ineligible, CAR-T candidate", True),
        ("Multiple myeloma IgG kappa; CAR-T candidate", True),
        ("Relapse after transplant. Eligible for CAR-T.", True),
        ("Candidabile a CAR-T", True),
        ("Paziente idonea a terapia CAR-T", True),
        ("CAR-T fattibile", True),
        ("not a CAR-T candidate", False),
        ("No CAR-T candidate", False),
        ("Not eligible for CAR-T", False),
        ("Patient is not eligible for CAR-T due to frailty", False),
        ("not currently considered a candidate for CAR T-cell therapy", False),
        ("No longer a CAR-T candidate", False),
        ("never a candidate for CAR-T", False),
        ("CAR-T ineligible", False),
        ("Ineligible for CAR-T", False),
        ("CAR-T not feasible", False),
        ("CAR-T is currently not feasible", False),
        ("CAR-T: not a candidate", False),
        ("CAR-T not possible, no venous access", False),
        ("CAR-T contraindicated", False),
        ("Absolute contraindication to CAR-T", False),
        ("Patient declines CAR-T", False),
        ("CAR-T therapy declined", False),
        ("Too frail for CAR-T", False),
        ("Neither transplant nor CAR-T candidate", False),
        ("Not a CAR-T candidate because of possible cardiac amyloidosis", False),
        ("Non candidabile a CAR-T", False),
        ("Non più candidabile a CAR-T per comorbidità", False),
        ("Non è ritenuta idonea a CAR-T", False),
        ("CAR-T non fattibile", False),
        ("CAR-T non è eseguibile", None),  # a verb between: left alone rather than guessed
        ("CAR-T controindicata", False),
        ("Rifiuta la CAR-T", False),
        # Doubt, conditions, other times.
        ("Possible CAR-T candidate", None),
        ("Potentially eligible for CAR-T", None),
        ("CAR-T candidate?", None),
        ("Eligible for CAR-T if LVEF recovers", None),
        ("Not eligible for CAR-T unless LVEF recovers", None),
        ("To evaluate whether eligible for CAR-T", None),
        ("Unlikely not to be eligible for CAR-T", None),
        ("Previously eligible for CAR-T", None),
        ("Da valutare se candidabile a CAR-T", None),
        ("Forse candidabile a CAR-T", None),
        # Another thing is said to be so.
        ("After CAR-T, eligible for talquetamab", None),
        ("Relapse after CAR-T; candidate for a bispecific", None),
        ("Eligible for bispecifics, not CAR-T", None),
        ("Not an ASCT or CAR-T candidate", None),
        ("not eligible for ASCT, CAR-T candidate", None),
        ("Not, at present, a CAR-T candidate", None),
        ("Not eligible for cilta-cel", None),
        ("Eligible for transplant", None),
        # Twice turned round, or said both ways.
        ("Not ineligible for CAR-T", None),
        ("No absolute contraindications to CAR-T", None),
        ("unfit CAR-T candidate", None),
        ("Eligible for CAR-T. Not eligible for CAR-T.", None),
        # Nothing is said of it.
        ("CAR-T", None),
        ("CAR-T infusion on 3 May", None),
        ("Referred for CAR-T eligibility assessment", None),
        ("crash cart available", None),
        ("cardiac rehabilitation: eligible", None),
        ("", None),
    ],
)  # fmt: skip
def test_what_words_say_of_car_t(terminology: Terminology, text: str, feasible: bool | None) -> None:
    assert terminology.car_t_feasible(text) is feasible


@pytest.mark.parametrize(
    ("question", "answer", "feasible"),
    [
        ("Eligible for CAR-T", "yes", True),
        ("Eligible for CAR-T?", "No", False),
        ("CAR-T eligibility", "yes", True),
        ("CAR-T eligibility", "no", False),
        ("CAR-T eligibility", "absent", False),
        ("CAR-T eligibility", "eligible", True),
        ("CAR-T eligibility", "not eligible", False),
        ("CAR-T eligibility", "pending", None),
        ("CAR-T candidate", "no", False),
        ("Candidabilità a CAR-T", "sì", True),
        ("Idoneità a terapia CAR-T", "non idoneo", False),
        ("Contraindication to CAR-T", "yes", False),
        ("Contraindication to CAR-T", "no", None),
        ("Tumour board", "not a CAR-T candidate", False),
        ("Tumour board", "yes", None),
        ("CAR-T given", "yes", None),
        ("Transplant eligibility", "yes", None),
    ],
)
def test_what_a_question_and_its_answer_say(
    terminology: Terminology, question: str, answer: str, feasible: bool | None
) -> None:
    assert terminology.car_t_feasible_answer(question, answer) is feasible


@pytest.mark.parametrize(
    ("concept", "reasons", "plan", "of_t_cells"),
    [
        (words("Leukapheresis"), (), "apheresis", True),
        (words("Leucaferesi"), (), "apheresis", True),
        (words("CAR-T apheresis"), (), "apheresis", True),
        (coded(CPT, "38225"), (), "apheresis", True),
        (coded(ICD_10_PCS, "6A550Z1"), (), "apheresis", True),
        (coded(ICD_10_PCS, "6A550Z1"), ("collection of CD34 cells",), "", False),
        (coded(ICD_9_CM, "99.79", text="plasma exchange"), (), "", False),
        (coded(SNOMED, "127788007"), (), "apheresis", False),
        (coded(SNOMED, "127788007"), ("CAR-T",), "apheresis", True),
        (words("apheresis"), ("hyperviscosity",), "", False),
        (words("Raccolta di cellule staminali (aferesi)"), (), "", False),
        (words("leukapheresis, stem cells"), (), "", False),
        (words("leukapheresis"), ("CAR-T, after autologous transplant",), "apheresis", True),
        (coded(SNOMED, "1156961008"), (), "car-t", True),
        (words("CAR T cell therapy"), (), "car-t", True),
        (words("ciltacabtagene autoleucel infusion"), (), "car-t", True),
        (words("CAR T cell therapy evaluation"), (), "", False),
        (words("Referral for CAR T-cell therapy"), (), "", False),
        (words("Visita per terapia CAR-T"), (), "", False),
        (coded(SNOMED, "1156961008", text="CAR-T, consent given"), (), "car-t", True),  # the code counts
        (words("Autologous stem cell transplant"), (), "transplant", False),
        (words("trapianto allogenico"), (), "transplant", False),
        (words("Transplant consult, autologous transplant"), (), "", False),
        (words("Post-transplant visit"), (), "", False),
        (words("dialysis"), (), "", False),
        (words("Stem cell collection"), (), "", False),
        (coded(CPT, "38226"), (), "", False),  # what is done to the cells is no visit of the patient
        (Concept(), (), "", False),
    ],
)  # fmt: skip
def test_what_a_request_plans(
    terminology: Terminology, concept: Concept, reasons: tuple[str, ...], plan: str, of_t_cells: bool
) -> None:
    match = terminology.plan(concept, reasons)
    assert (match.plan, match.of_t_cells) == (plan, of_t_cells) if match else not plan


@pytest.mark.parametrize(
    ("reason", "put_off"),
    [
        ("Postponed: pneumonia", True),
        ("rescheduled to 3 May", True),
        ("Rinviata per febbre", True),
        ("new date to follow", True),
        ("progressive disease", False),
        ("patient declined", False),
    ],
)
def test_what_is_only_put_off(terminology: Terminology, reason: str, put_off: bool) -> None:
    assert terminology.is_put_off(reason) is put_off


def test_the_products_of_cells_are_those_of_one_infusion(
    terminology: Terminology, knowledge: Knowledge
) -> None:
    assert {"ciltacabtagene-autoleucel", "idecabtagene-vicleucel"} <= terminology.cells
    assert all(knowledge.drugs[key].one_off for key in terminology.cells)


@pytest.mark.parametrize("text", ["not a CAR-T " * 20_000, "CAR-T " * 50_000, "for " * 50_000 + "CAR-T"])
def test_endless_words_are_no_word_on_it(terminology: Terminology, text: str) -> None:
    assert terminology.car_t_feasible(text) is None
