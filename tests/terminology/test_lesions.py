"""New lesions in the words of imaging: whether what a radiologist writes surely says that one is new."""

from __future__ import annotations

import pytest

from cds_service.terminology import Terminology


@pytest.mark.parametrize(
    "words",
    [
        "New lytic lesion in L3.",
        "New lytic bone lesions of the pelvis.",
        "Compared with 2023: new 1.2 cm osteolytic lesion of the left femur.",
        "New 12 mm large lytic bone lesion in T8.",
        "Known diffuse osteopenia. Two new skeletal lesions, T8 and L1.",
        "No fracture, but a new lytic lesion in L3.",
        "No pleural effusion. New plasmacytoma of the right chest wall.",
        "Newly appeared extramedullary lesion.",
        "Nuova lesione litica in L3.",
        "Rispetto al precedente, nuove lesioni osteolitiche del bacino.",
        "Comparsa di nuovo plasmocitoma paravertebrale.",
        "Nuova lesione ossea; invariate le restanti.",
    ],
)
def test_a_new_lesion(terminology: Terminology, words: str) -> None:
    assert terminology.new_lesion(words)


@pytest.mark.parametrize(
    "words",
    [
        "No new lytic lesions.",
        "No new lesions",
        "No evidence on today's CT of the chest, abdomen, pelvis or limbs of any new lytic lesion.",
        "No fractures, new lytic lesions, or soft tissue masses.",
        "No evidence now of new bone lesion.",
        "Without new bone lesions.",
        "New lytic lesions: none.",
        "New bone lesion not seen.",
        "Possible new lytic lesion in L3.",
        "New lytic lesion in L3?",
        "New bone lesion suspicious for metastasis.",
        "New lesion of the liver, bone lesions unchanged.",
        "New pulmonary nodule and lytic lesions.",
        "New pulmonary lesion.",
        "Lytic lesion in L3, unchanged.",
        "The new lytic lesion described in March is stable.",
        "History of new lytic lesion in 2019.",
        "New vertebral compression fracture.",
        "New benign bone lesion.",
        "Lytic lesions of the pelvis.",
        "Rule out new bone lesions.",
        "Nessuna nuova lesione litica.",
        "Non nuove lesioni ossee.",
        "Assenza di nuove lesioni osteolitiche.",
        "Non evidenza di fratture, di nuove lesioni litiche o di plasmocitomi.",
        "Sospetta nuova lesione litica.",
        "Nuova lesione epatica.",
        "",
    ],
)
def test_no_new_lesion_beyond_doubt(terminology: Terminology, words: str) -> None:
    assert not terminology.new_lesion(words)
