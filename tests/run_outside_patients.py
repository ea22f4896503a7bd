"""Hold the service against a folder of patient files in the format of tests/patients/README.md.

    python -m tests.run_outside_patients FOLDER [--verbose]

Prints what is missed, strict and debatable expectations apart; exit status 1 where a strict one is.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from pathlib import Path

from cds_service.assess import assess
from tests.expectations import chart, find_misses, regions


def main() -> int:
    """Check every file of the folder and count."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--verbose", action="store_true", help="say also which patients fit, and what is suggested"
    )
    options = parser.parse_args()
    files = sorted(options.folder.glob("*.json"))
    strict = debatable = asked = 0
    for path in files:
        patient = json.loads(path.read_text(encoding="utf-8"))
        for region in regions(patient):
            asked += 1
            assessment = assess(
                chart(patient),
                region=region,
                as_of=date.fromisoformat(patient["as_of"]),
                patient=patient["patient_id"],
                draft_orders=bool(patient.get("draft_orders")),
            )
            missed = find_misses(assessment, patient["expected"])
            strict += sum(miss.strict for miss in missed)
            debatable += sum(not miss.strict for miss in missed)
            if missed or options.verbose:
                print(f"{path.name} ({region})")
                if options.verbose:
                    offered = [entry["regimen"] for entry in assessment["recommendation"]["suggested"]]
                    print(f"  suggested: {', '.join(offered) or 'nothing'}")
            for miss in sorted(missed, key=lambda miss: not miss.strict):
                print(f"  {'STRICT   ' if miss.strict else 'debatable'} {miss.field}: {miss}")
    print(f"{asked} answers for {len(files)} patients: {strict} strict misses, {debatable} debatable")
    return 1 if strict or not files else 0


if __name__ == "__main__":
    sys.exit(main())
