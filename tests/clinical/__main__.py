"""Cases of a file against what the service answers: ``python -m tests.clinical [FILE] [WORDS]``.

Without a file, all of the table; with words, the cases whose name holds them. Prints what differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cds_service.assess import Assessor, Question
from cds_service.knowledge.load import load
from tests.clinical.notation import PATIENT, Notation
from tests.clinical.table import cases, cases_of, differences


def main(arguments: list[str]) -> int:
    """Number of cases that differ, at most 1: an exit status."""
    file = next((Path(word) for word in arguments if word.endswith(".yaml")), None)
    words = [word for word in arguments if not word.endswith(".yaml")]
    knowledge = load()
    notation, assessor = Notation(knowledge), Assessor(knowledge)
    wrong = 0
    for case in cases_of(file) if file else cases():
        if not all(word.casefold() in case.name.casefold() for word in words):
            continue
        for form in case.forms:
            question = Question(
                as_of=case.as_of, region=case.region, language=case.language, patient_id=PATIENT
            )
            resources = notation.resources(case.chart, form, case.as_of)
            answer = assessor.assess(resources, question).to_json()
            found = differences(case, answer["state"], answer["issues"], form)
            wrong += bool(found)
            print("\n    ".join([f"{'differs' if found else 'holds'}: {case.name} ({form})", *found]))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
