"""Refractoriness to drugs by name, in words, English and Italian."""

from __future__ import annotations

import sys

import pytest

from cds_service.terminology import Concept, Terminology

SHORT = {
    "len": "lenalidomide",
    "bor": "bortezomib",
    "pom": "pomalidomide",
    "thal": "thalidomide",
    "dara": "daratumumab",
    "isa": "isatuximab",
    "car": "carfilzomib",
    "ixa": "ixazomib",
    "elo": "elotuzumab",
    "mel": "melphalan",
    "tal": "talquetamab",
    "tec": "teclistamab",
    "sel": "selinexor",
}

ONE_SENTENCE = [
    # a list ends with its sentence, and where the next treatment begins
    ("Progressed on lenalidomide. Daratumumab planned.", "len"),
    ("PD on lenalidomide, daratumumab started", "len"),
    ("PD on lenalidomide and daratumumab started", "len"),
    ("PD on lenalidomide, daratumumab was started 01/2024", "len"),
    ("PD on lenalidomide, daratumumab 16 mg/kg planned", "len"),
    ("PD on lenalidomide, daratumumab and pomalidomide started", "len"),
    ("PD on lenalidomide and bortezomib, daratumumab next", "len bor"),
    ("PD on lenalidomide, started daratumumab", "len"),
    ("PD on lenalidomide, now on daratumumab", "len"),
    ("PD on lenalidomide and now on daratumumab", "len"),
    ("PD on lenalidomide, on daratumumab since March", "len"),
    ("PD on lenalidomide and receiving daratumumab", "len"),
    ("PD on lenalidomide -> daratumumab", "len"),
    ("PD on lenalidomide → daratumumab", "len"),
    ("PD on lenalidomide => DVd", "len"),
    ("PD on lenalidomide: daratumumab added", "len"),
    ("PD on bortezomib; pomalidomide/dex next", "bor"),
    ("PD on lenalidomide\nDaratumumab from January", "len"),
    ("refractory to lenalidomide, bortezomib naive", "len"),
    ("refractory to lenalidomide, bortezomib-exposed", "len"),
    ("refractory to lenalidomide and on daratumumab", "len"),
    ("refractory to lenalidomide, with daratumumab in VGPR", "len"),
    ("progressione in corso di lenalidomide: daratumumab", "len"),
    ("progressione in corso di lenalidomide, iniziato daratumumab", "len"),
    ("progressione in corso di lenalidomide, daratumumab avviato a marzo", "len"),
    ("refrattario a lenalidomide e in terapia con daratumumab", "len"),
    ("refrattario a lenalidomide, daratumumab in programma", "len"),
    ("PD durante lenalidomide, pomalidomide prevista", "len"),
    # the word behind a drug belongs to that drug alone
    ("Responded to daratumumab, refractory to lenalidomide", "len"),
    ("Responded to daratumumab, lenalidomide refractory", "len"),
    ("Responded to daratumumab and lenalidomide refractory", "len"),
    ("Sensitive to bortezomib; refractory to lenalidomide", "len"),
    ("VGPR on KRd, refractory to lenalidomide before", "len"),
    ("in terapia con daratumumab, refrattario a lenalidomide", "len"),
    ("Lenalidomide. Refrattaria a bortezomib.", "bor"),
    ("Switch from len refractory to dara", "len"),
    ("Daratumumab (VGPR), lenalidomide (PD)", "len"),
    ("Prior therapies: VRd (PR), DPd (PD)", "dara pom"),
    ("KRd, lenalidomide (refractory)", "len"),
    ("Daratumumab (VGPR), lenalidomide: PD", "len"),
    ("refractory to lenalidomide (2021), bortezomib (VGPR 2019)", "len"),
    ("On lenalidomide. Refractory hypertension.", ""),
    ("Lenalidomide, refractory anemia", ""),
    ("lenalidomide-refractory cytopenia", ""),
    ("refractory to bortezomib but not lenalidomide", "bor"),
    ("refractory to bortezomib and not to lenalidomide", "bor"),
    ("refractory to bortezomib, sensitive to lenalidomide", "bor"),
]

DENIED_OR_DOUBTED = [
    # answers
    ("Lenalidomide refractory: no", ""),
    ("Lenalidomide-refractory: No", ""),
    ("Refractory to lenalidomide: no", ""),
    ("Refractory to lenalidomide - no", ""),
    ("Refractory to lenalidomide (no)", ""),
    ("Refractory to lenalidomide: N", ""),
    ("Refractory to lenalidomide: unknown", ""),
    ("Refractory to lenalidomide: n/a", ""),
    ("Refractory to lenalidomide: No; refractory to bortezomib: yes", "bor"),
    ("[ ] refractory to lenalidomide", ""),
    ("[x] refractory to lenalidomide", "len"),
    ("bortezomib refractory to date: none", ""),
    ("refrattario a lenalidomide: no", ""),
    ("refrattario a lenalidomide: da valutare", ""),
    # questions
    ("Refractory to lenalidomide?", ""),
    ("Refractory to len?", ""),
    ("? refractory to lenalidomide", ""),
    ("refractory to lenalidomide and bortezomib?", ""),
    ("refractory to lenalidomide (?) and bortezomib", ""),
    ("len refractory?", ""),
    ("len refractory? unclear", ""),
    ("lenalidomide refrattario? da valutare", ""),
    ("refrattario a lenalidomide? ", ""),
    ("Refractory to lenalidomide, dara next?", "len"),
    # taken back behind
    ("Lenalidomide refractory - ruled out", ""),
    ("PD on lenalidomide was ruled out", ""),
    ("progression on lenalidomide and bortezomib ruled out", ""),
    ("PD on lenalidomide (ruled out) and bortezomib", ""),
    ("PD on lenalidomide not confirmed by second sample", ""),
    ("PD on lenalidomide, to be confirmed", ""),
    ("refractory to lenalidomide not excluded", ""),
    ("progressione in corso di lenalidomide non confermata", ""),
    # denied before, however far
    ("no progression on lenalidomide", ""),
    ("No evidence of PD on lenalidomide", ""),
    ("No evidence so far in repeated serum and urine tests of PD on lenalidomide", ""),
    ("not considered to meet the strict consensus criteria for being refractory to lenalidomide", ""),
    ("Never had any signs of what one would call progression on lenalidomide", ""),
    ("non è mai stato considerato dai colleghi di Torino come refrattario a lenalidomide", ""),
    ("no longer refractory to lenalidomide", ""),
    ("not refractory to lenalidomide", ""),
    ("never refractory to bortezomib", ""),
    ("nonrefractory to lenalidomide", ""),
    ("neither refractory to len nor to bort", ""),
    ("not bortezomib- or lenalidomide-refractory", ""),
    ("No relapse, progression or refractoriness to lenalidomide", ""),
    ("hasn't progressed on lenalidomide", ""),
    ("didn't progress on lenalidomide", ""),
    ("nessuna progressione durante lenalidomide", ""),
    ("nessuna progressione in corso di lenalidomide", ""),
    ("non progressione sotto lenalidomide", ""),
    ("assenza di segni di progressione durante lenalidomide", ""),
    ("non refrattario a lenalidomide", ""),
    ("non più refrattario a lenalidomide", ""),
    ("Not refractory to bortezomib, refractory to lenalidomide", "len"),
    ("Refractory to lenalidomide. Not refractory to bortezomib.", "len"),
    ("no bone pain, refractory to lenalidomide", "len"),
    ("not refractory before, but now refractory to lenalidomide", "len"),
    ("not only refractory to lenalidomide", "len"),
    # supposed
    ("risk of becoming refractory to lenalidomide", ""),
    ("at risk of refractoriness to lenalidomide", ""),
    ("probably refractory to lenalidomide", ""),
    ("may be refractory to lenalidomide", ""),
    ("might be refractory to len", ""),
    ("would become refractory to lenalidomide", ""),
    ("whether refractory to lenalidomide is unclear", ""),
    ("unclear whether refractory to lenalidomide", ""),
    ("when refractory to lenalidomide consider dara", ""),
    ("once refractory to len", ""),
    ("if refractory to len", ""),
    ("presumed refractory to lenalidomide", ""),
    ("potentially refractory to lenalidomide", ""),
    ("to be assessed: refractoriness to lenalidomide", ""),
    ("continue until progression on lenalidomide", ""),
    ("forse refrattario a lenalidomide", ""),
    ("probabilmente refrattario a lenalidomide", ""),
    ("qualora refrattario a lenalidomide", ""),
    ("potenzialmente refrattario a lenalidomide", ""),
    ("da valutare se refrattario a lenalidomide", ""),
    ("sospetta progressione in corso di lenalidomide", ""),
    # a rule for others
    ("eligible for trial: must be refractory to lenalidomide", ""),
    ("Trial excludes patients refractory to daratumumab", ""),
    ("label: for patients refractory to lenalidomide and a PI", ""),
    ("Indicated in patients who have demonstrated disease progression on lenalidomide", ""),
    ("In lenalidomide-refractory patients daratumumab is preferred", ""),
    ("rimborsato per pazienti refrattari a lenalidomide", ""),
]

SOMETHING_ELSE = [
    ("Neuropathy progressed on bortezomib", ""),
    ("neuropathy progression on bortezomib grade 2 to 3", ""),
    ("neuropathy has slowly progressed on bortezomib", ""),
    ("rash progressing on lenalidomide", ""),
    ("progression on bortezomib of peripheral neuropathy", ""),
    ("progressione in corso di bortezomib della neuropatia", ""),
    ("plasma cell leukemia refractory to bortezomib", "bor"),
    ("patient failed bortezomib due to toxicity", ""),
    ("renal failure progressed on carfilzomib", ""),
    ("nausea refractory to dexamethasone", ""),
    ("asthma refractory to prednisone", ""),
    ("GVHD refractory to cyclophosphamide", ""),
    ("AL amyloidosis refractory to bortezomib", ""),
    ("breast cancer, progressed on cyclophosphamide and doxorubicin 2009", ""),
    ("breast cancer 2009, myeloma refractory to lenalidomide", "len"),
    ("neuropathy grade 2, refractory to lenalidomide", "len"),
    ("renal impairment and PD on lenalidomide", "len"),
    ("neuropatia in progressione con bortezomib", ""),
    ("neuropatia progredita durante bortezomib", ""),
    ("carcinoma mammario, progressione in corso di ciclofosfamide", ""),
    ("refractory hypertension on lenalidomide", ""),
    ("bacteria resistant to ceftriaxone, on lenalidomide", ""),
    ("mother refractory to lenalidomide", ""),
    ("madre refrattaria a lenalidomide", ""),
    ("father with myeloma refractory to bortezomib", ""),
    ("Family history: brother with myeloma, PD on lenalidomide", ""),
    ("padre con mieloma refrattario a bortezomib", ""),
    ("PD (peritoneal dialysis) on lenalidomide 5 mg", ""),
    ("peritoneal dialysis; PD on lenalidomide 5 mg three times weekly", ""),
    ("Parkinson disease: PD on levodopa, lenalidomide", ""),
    ("started Pd on daratumumab", ""),
    ("pd on daratumumab", ""),
    ("progressed on to lenalidomide", ""),
    ("then progressed on to daratumumab", ""),
    ("PD, on hold", ""),
    ("PD on 2023-05-02, lenalidomide stopped", ""),
    ("PD on 12/5", ""),
    ("progression on MRI; continues lenalidomide", ""),
    ("progression on MRI, lenalidomide stopped", ""),
    ("resistant to change", ""),
    ("refractory", ""),
    ("refractory disease, starts lenalidomide", ""),
    ("refractory to treatment; lenalidomide stopped", ""),
    ("failed to tolerate lenalidomide", ""),
    ("bortezomib, renal failure", ""),
    ("switched to lenalidomide", ""),
    ("lenalidomide, dose reduced", ""),
    # "tal" is Italian for "such"
    ("refrattario a tal terapia", ""),
    ("refrattaria a tal punto", ""),
    ("resistente a tal farmaco", ""),
    ("tal-refractory", "tal"),
    ("refractory to TAL", "tal"),
    ("refractory to tec and tal", "tec tal"),
    ("sel-refractory", "sel"),
    # only what treats the myeloma, and has a name
    ("Refractory to lenalidomide and dexamethasone", "len"),
    ("PD on lenalidomide/dex", "len"),
    ("refractory to dexamethasone", ""),
    ("refractory to prednisone, melphalan and thalidomide", "mel thal"),
    ("PD on study drug", ""),
    ("refractory to CAR-T", ""),
]

LISTS = [
    ("refractory to len", "len"),
    ("Refractory to lenalidomide and bortezomib", "len bor"),
    ("refractory to both Revlimid, Velcade and dara; ECOG 1", "len bor dara"),
    ("refractory to lenalidomide (2021) and bortezomib (2022)", "len bor"),
    ("refractory to lenalidomide in 2021 and bortezomib in 2022", "len bor"),
    ("refractory to lenalidomide 10 mg and bortezomib", "len bor"),
    ("refractory to lenalidomide 25 mg, bortezomib 1.3 mg/m2 and daratumumab 16 mg/kg", "len bor dara"),
    ("refractory to the combination of bortezomib and lenalidomide", "len bor"),
    ("refractory to lenalidomide in combination with bortezomib", "len bor"),
    ("refractory to lenalidomide as well as to bortezomib", "len bor"),
    ("refractory to lenalidomide and now to daratumumab", "len dara"),
    ("refractory to: lenalidomide, bortezomib", "len bor"),
    ("refractory to lenalidomide,\nbortezomib and\ndaratumumab", "len bor dara"),
    ("refractory to prior lenalidomide", "len"),
    ("refractory to treatment with lenalidomide", "len"),
    ("refractory to maintenance lenalidomide", "len"),
    ("refractory to lenalidomide-based therapy", "len"),
    ("refractory to VRd", "len bor"),
    ("refractory to Rev/Vel", "len bor"),
    ("refractory to btz, cfz", "bor car"),
    ("refractory to len/bort/dara", "len bor dara"),
    ("refractory to thalidomide + dex + bortezomib", "thal bor"),
    ("len-refractory", "len"),
    ("lenalidomide and bortezomib refractory", "len bor"),
    ("len/dara-refractory", "len dara"),
    ("bortezomib- and lenalidomide-refractory", "len bor"),
    ("len, pom and dara refractory", "len pom dara"),
    ("len-, pom- and dara-refractory", "len pom dara"),
    ("lenalidomide/bortezomib double refractory", "len bor"),
    ("double refractory (lenalidomide, bortezomib)", "len bor"),
    ("Multiple myeloma, daratumumab refractory, 2nd relapse", "dara"),
    ("Daratumumab for lenalidomide-refractory disease", "len"),
    ("lenalidomide-resistant", "len"),
    ("lenalidomide failure", "len"),
    ("Lenalidomide: PD", "len"),
    ("Lenalidomide - PD", "len"),
    ("Lenalidomide (PD)", "len"),
    ("Lenalidomide (refractory)", "len"),
    ("lenalidomide: refractory", "len"),
    ("lenalidomide, bortezomib: refractory", "len bor"),
    ("Best response to lenalidomide: PD", "len"),
    ("DRd: VGPR, then KRd: PD", "car len"),
    ("PD under len", "len"),
    ("POD on isatuximab", "isa"),
    ("Progression on lenalidomide maintenance", "len"),
    ("progression (PD) on lenalidomide", "len"),
    ("PD (biochemical) on lenalidomide", "len"),
    ("PD in 2021 on lenalidomide", "len"),
    ("PD after 3 cycles on lenalidomide", "len"),
    ("progressed on VRd", "len bor"),
    ("PD on VRd and then on KRd", "len bor car"),
    ("PD on Rd", "len"),
    ("PD on Pd", "pom"),
    ("Progressed on Rd 2021, DVd 2022 and Kd 2023", "len dara bor car"),
    ("Disease progressed rapidly on daratumumab", "dara"),
    ("PD confirmed on daratumumab", "dara"),
    ("Lenalidomide 10 mg refractory", "len"),
    ("Lenalidomide maintenance refractory", "len"),
    ("MM penta-refractory (len, pom, bor, carf, dara)", "len pom bor car dara"),
    ("progressed on maintenance lenalidomide", "len"),
    ("progressed while on lenalidomide", "len"),
    ("progressed through lenalidomide", "len"),
    ("relapsed on lenalidomide maintenance", "len"),
    ("relapsed while on lenalidomide", "len"),
    ("relapse on ixazomib", "ixa"),
    ("failed lenalidomide", "len"),
    ("no response to daratumumab", "dara"),
    ("not responding to daratumumab", "dara"),
    ("did not respond to elotuzumab", "elo"),
    ("no longer responding to selinexor", "sel"),
    ("Refractory to lenalidomide. PD on daratumumab.", "len dara"),
    ("malattia refrattaria a lenalidomide", "len"),
    ("Mieloma refrattario alla lenalidomide e al bortezomib", "len bor"),
    ("refrattaria sia a lenalidomide che a bortezomib", "len bor"),
    ("refrattario al daratumumab ed al carfilzomib", "dara car"),
    ("refrattario ad elotuzumab", "elo"),
    ("refrattario all'isatuximab", "isa"),
    ("refrattario ai farmaci lenalidomide e bortezomib", "len bor"),
    ("refrattario alla terapia con bortezomib", "bor"),
    ("refrattario a lenalidomide (2021), bortezomib (2022) e daratumumab", "len bor dara"),
    ("refrattario a lenalidomide 10 mg e bortezomib", "len bor"),
    ("doppio refrattario (lenalidomide e bortezomib)", "len bor"),
    ("lenalidomide e bortezomib refrattario", "len bor"),
    ("lenalidomide-refrattario", "len"),
    ("lenalidomide resistente", "len"),
    ("resistenza a lenalidomide", "len"),
    ("Lenalidomide: progressione", "len"),
    ("nessuna risposta a daratumumab", "dara"),
    ("non ha risposto a pomalidomide", "pom"),
    ("progressione in corso di daratumumab", "dara"),
    ("progressione di malattia in corso di lenalidomide", "len"),
    ("progressione di malattia durante lenalidomide", "len"),
    ("progressione in corso di terapia con lenalidomide", "len"),
    ("progressione in lenalidomide", "len"),
    ("PD in corso di mantenimento con lenalidomide", "len"),
    ("PD durante KRd", "car len"),
    ("progredito in lenalidomide", "len"),
    ("progredita durante lenalidomide", "len"),
    ("recidiva in corso di lenalidomide", "len"),
    ("recidivato in lenalidomide", "len"),
    ("in progressione in corso di daratumumab", "dara"),
]

CASES = [*ONE_SENTENCE, *DENIED_OR_DOUBTED, *SOMETHING_ELSE, *LISTS]


@pytest.mark.parametrize(("text", "drugs"), CASES, ids=[c[0] for c in CASES])
def test_drugs_named_as_failed(terminology: Terminology, text: str, drugs: str) -> None:
    expected = sorted(SHORT[name] for name in drugs.split())
    assert list(terminology.refractory_to(text)) == expected
    answer = terminology.response(Concept((), text))
    assert list(answer.refractory_to if answer else ()) == expected


def test_a_response_beside_it_stays_what_it_is(terminology: Terminology) -> None:
    answer = terminology.response(Concept((), "VGPR; previously refractory to lenalidomide"))
    assert answer is not None and answer.category is not None
    assert (answer.category.value, answer.refractory_to) == ("VGPR", ("lenalidomide",))


LONG = [
    "refractory to lenalidomide ",
    "refractory to lenalidomide, ",
    "lenalidomide, ",
    "lenalidomide refractory ",
    "lenalidomide and ",
    "PD on lenalidomide and bortezomib, daratumumab started ",
    "PD 1 2 3 4 ",
    "no evidence of PD on ",
    "refractory to (lenalidomide) (",
    "( lenalidomide [ refractory ",
    "PD ? lenalidomide: ",
    "refractory\n",
    "lenalidomide - - - ",
    "2021 ",
    "and ",
    " ",
]


def _steps(terminology: Terminology, text: str) -> int:
    """How many lines of Python are run to read a text."""
    count = 0

    def line(frame: object, event: str, arg: object) -> object:
        nonlocal count
        count += 1
        return line

    before = sys.gettrace()
    sys.settrace(line)  # type: ignore[arg-type]
    try:
        terminology.refractory_to(text)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("piece", LONG)
def test_the_work_grows_with_the_text_and_no_faster(terminology: Terminology, piece: str) -> None:
    """Counted, not timed: sixteen times the text is at most twenty times the steps."""
    ahead, behind = "refractory to lenalidomide ", " refractory to bortezomib"
    small, large = (
        _steps(terminology, ahead + piece * (size // len(piece)) + behind) for size in (500, 8_000)
    )
    assert large <= 20 * small
