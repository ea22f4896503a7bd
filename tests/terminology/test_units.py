"""Units: what the table spells, what the UCUM library adds, and what stays unknown rather than guessed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cds_service.knowledge.types import Knowledge
from cds_service.terminology import Terminology
from cds_service.terminology.units import ucum_factor


@pytest.mark.parametrize(
    ("key", "value", "unit", "own"),
    [
        ("m-protein-serum", 30, "g/L", 3.0),  # by the table
        ("m-protein-serum", 3000, "mg{protein}/dL", 3.0),  # a UCUM annotation
        ("m-protein-serum", 3000, "cg/L", 3.0),
        ("m-protein-urine-24h", 0.5, "g/(24.h)", 500),
        ("m-protein-urine-24h", 10, "mg/h", 240),
        ("flc-kappa", 100, "ug/mL", 100),
        ("flc-kappa", 100000, "ng/mL", 100),
        ("plasmacytoma-diameter", 25, "mm", 2.5),
        ("plasmacytoma-diameter", 2, "[in_i]", 5.08),
        ("body-weight", 150, "[lb_av]", 68.03885550),
        ("platelets", 150, "G/L", 150),  # giga per litre, not gauss
        ("calcium-total", 2.5, "mmol/L", 10.02),  # by the molar mass in the table
    ],
)
def test_a_known_unit(terminology: Terminology, key: str, value: float, unit: str, own: float) -> None:
    assert terminology.convert(key, value, unit) == pytest.approx(own)


@pytest.mark.parametrize(
    ("key", "unit"),
    [
        ("m-protein-serum", ""),
        ("m-protein-serum", "g"),  # another dimension
        ("m-protein-serum", "g/24h"),
        ("m-protein-serum", "mmol/L"),  # the molar mass of an M-protein is not known
        ("m-protein-serum", "units"),
        ("flc-kappa", "Mg/mL"),  # milligram or megagram?
        ("bm-plasma-cells-pct", "1"),  # written where a system knows no unit: 0.3 or 30?
        ("body-weight", "lb/kg"),
        ("immunofixation-serum", "g/L"),  # has no unit at all
    ],
)
def test_an_unknown_unit_is_not_guessed(terminology: Terminology, key: str, unit: str) -> None:
    assert terminology.convert(key, 1, unit) is None


def test_a_scale_with_another_zero_is_no_factor() -> None:
    assert ucum_factor("Cel", "K") is None


def test_the_table_and_the_library_agree(knowledge: Knowledge) -> None:
    both = 0
    for entry in knowledge.mappings["observations"]["observations"]:
        for spelled in entry.get("units", ()):
            factor = ucum_factor(spelled["text"], entry["unit"])
            if factor is not None:
                both += 1
                assert factor == pytest.approx(spelled["factor"], rel=1e-4), (entry["key"], spelled)
    assert both > 100


def test_the_library_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, cds_service.assess; sys.exit('ucumvert' in sys.modules or 'pint' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
