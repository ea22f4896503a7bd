"""Refractoriness to drugs by name, in words."""

from __future__ import annotations

import pytest

from cds_service.terminology import Concept, Terminology

CASES = [
    ("refractory to len", ["lenalidomide"]),
    ("Refractory to lenalidomide and bortezomib", ["bortezomib", "lenalidomide"]),
    ("refractory to both Revlimid, Velcade and dara; ECOG 1", ["bortezomib", "daratumumab", "lenalidomide"]),
    ("len-refractory", ["lenalidomide"]),
    ("Multiple myeloma, daratumumab refractory, 2nd relapse", ["daratumumab"]),
    ("malattia refrattaria a lenalidomide", ["lenalidomide"]),
    ("Mieloma refrattario alla lenalidomide e al bortezomib", ["bortezomib", "lenalidomide"]),
    ("PD under len", ["lenalidomide"]),
    ("Progression on lenalidomide maintenance", ["lenalidomide"]),
    ("progressed on VRd", ["bortezomib", "lenalidomide"]),
    ("progressione in corso di daratumumab", ["daratumumab"]),
    ("no progression on lenalidomide", []),
    ("nessuna progressione durante lenalidomide", []),
    ("PD, on hold", []),
    ("PD on 2023-05-02, lenalidomide stopped", []),
    ("progression on MRI; continues lenalidomide", []),
    ("not refractory to lenalidomide", []),
    ("non refrattario a lenalidomide", []),
    ("risk of becoming refractory to lenalidomide", []),
    ("refractory disease, starts lenalidomide", []),
    ("refractory to treatment; lenalidomide stopped", []),
    ("switched to lenalidomide", []),
    ("lenalidomide, dose reduced", []),
    ("refractory", []),
]


@pytest.mark.parametrize(("text", "drugs"), CASES, ids=[c[0] for c in CASES])
def test_drugs_named_as_failed(terminology: Terminology, text: str, drugs: list[str]) -> None:
    assert list(terminology.refractory_to(text)) == drugs
    answer = terminology.response(Concept((), text))
    assert list(answer.refractory_to if answer else ()) == drugs


def test_a_response_beside_it_stays_what_it_is(terminology: Terminology) -> None:
    answer = terminology.response(Concept((), "VGPR; previously refractory to lenalidomide"))
    assert answer is not None and answer.category is not None
    assert (answer.category.value, answer.refractory_to) == ("VGPR", ("lenalidomide",))
