"""UCUM codes by a library, for units that no table of mappings/ spells.

The table goes first: it says what a chart means by "G/L", "K/uL" or "Mg/dL", which UCUM, minding capitals,
would read as gauss, kelvin and megagrams. Reading the definitions of UCUM takes half a second and 25 MB: that
is done for the first unit the table does not know, once for the process.
"""

from __future__ import annotations

from functools import cache, lru_cache
from threading import Lock
from typing import Any

_lock = Lock()


@cache
def _registry() -> Any:
    from ucumvert import PintUcumRegistry  # here, because of the time it takes

    return PintUcumRegistry()


@lru_cache(maxsize=1024)
def ucum_factor(unit: str, own: str) -> float | None:
    """By what a value in the UCUM code ``unit`` is multiplied to be in ``own``; None where that is no answer.

    No answer is: no UCUM code; another dimension (substance and mass too: the molar mass is not known here);
    a number without a dimension, since "1" is what systems write where they know no unit; a scale with
    another zero; capitals that would change the size ("Mg/mL" is as likely a milligram as a megagram).
    """
    with _lock:
        factor = _factor(unit, own)
        if factor is None or unit == unit.lower():
            return factor
        small = _factor(unit.lower(), own)
    return factor if small is None or abs(small - factor) <= 1e-9 * factor else None


_LONGEST = 40
"""Characters of a unit that somebody means; a longer text would only keep the parser busy."""


def _factor(unit: str, own: str) -> float | None:
    if len(unit) > _LONGEST:
        return None
    try:
        asked, wanted = (_registry().from_ucum(code) for code in (unit, own))
        if asked.dimensionless or wanted.dimensionless or asked.dimensionality != wanted.dimensionality:
            return None
        if (0 * asked).to(wanted.units).magnitude != 0:
            return None
        return float((asked / wanted).to_base_units().magnitude)
    except Exception:  # the library raises a dozen kinds for what it cannot read, its own and its parser's
        return None
