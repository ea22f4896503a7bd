"""make nightly: changes the state rooms here and there, and tells which changes no test notices.

    python tests/run_mutants.py [MUTANT ...]        MUTANT: a name, * in it stands for anything

Settings: pyproject.toml, tool.mutmut. Exit status 1 where the tests fail without any change. Started from the
root of the repository, with the interpreter for which the extra "nightly" is installed.
"""

from __future__ import annotations

import fnmatch
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from mutmut.mutation.diff_apply import find_mutant, get_diff_for_mutant
from mutmut.stats import status_by_exit_code

_NOTICED = ("killed", "timeout", "segfault")


def results(pattern: list[str]) -> dict[str, str]:
    """What became of every mutant that was tried."""
    found: dict[str, str] = {}
    for file in sorted(Path("mutants/cds_service/patient").glob("*.py.meta")):
        for name, code in json.loads(file.read_text())["exit_code_by_key"].items():
            wanted = not pattern or any(fnmatch.fnmatch(name, one) for one in pattern)
            if wanted and code is not None:
                found[name] = status_by_exit_code[code]
    return found


def main(pattern: list[str]) -> int:
    """Run mutmut, then print the table of rooms and each survivor with its change."""
    mutmut = [sys.executable, "-m", "mutmut"]
    ran = subprocess.run(
        [*mutmut, "run", *pattern], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if ran.returncode:
        print(ran.stdout[-3000:])
        return 1
    found = results(pattern)
    rooms = sorted({name.split(".")[2] for name in found})
    print("| room | mutants | noticed | survived | no test | share noticed |")
    print("|---|---|---|---|---|---|")
    for room in [*rooms, ""]:
        told = Counter(says for name, says in found.items() if not room or name.split(".")[2] == room)
        noticed = sum(told[says] for says in _NOTICED)
        share = 100 * noticed / max(1, told.total())
        print(f"| {room or 'all'} | {told.total()} | {noticed} | {told['survived']} | {told['no tests']} | "
              f"{share:.1f} % |")  # fmt: skip
    for name in [name for name, says in found.items() if says not in _NOTICED]:
        changed = get_diff_for_mutant(name, path=find_mutant(name).path).splitlines()
        lines = [line for line in changed if line[:1] in ("+", "-") and line[:3] not in ("+++", "---")]
        print(f"\n{name} ({found[name]})", *lines, sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
