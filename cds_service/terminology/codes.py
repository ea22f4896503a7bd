"""Codes to meanings: systems under one name each, codes in one spelling each, found by dict lookups."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, TypeVar

from cds_service.terminology.concepts import Coding

T = TypeVar("T")

_DOTLESS = frozenset({"ICD-10", "ICD-10-CM", "ICD-10-GM", "ICD-9-CM"})
_SHORTEST_PREFIX = 2
_NDC_PRODUCT = 9  # digits of labeler and product in the 11-digit form


def plain_uri(system: str) -> str:
    """A system's address without what varies: scheme, urn:oid:, version, capitals, slash at the end."""
    plain = system.strip().casefold().partition("|")[0].rstrip("/")
    return re.sub(r"^(?:https?://|urn:oid:)", "", plain)


class Systems:
    """Code systems by any address a chart may use."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._short: dict[str, str] = {}
        for entry in raw["systems"]:
            addresses = [entry["uri"], *(v["uri"] for v in entry.get("variants", ())), entry["key"]]
            self._short |= {plain_uri(address): entry["key"] for address in addresses}
        self.families: dict[str, tuple[str, ...]] = {
            family["system"]: tuple(family["then"]) for family in raw["families"]
        }
        self.unmistakable = tuple(
            (entry["system"], re.compile(_form(entry["form"]))) for entry in raw["unmistakable"]
        )

    def short(self, system: str) -> str:
        """Our name of a system; "" where it is unknown or not given."""
        plain = plain_uri(system)
        if plain.startswith("snomed.info/sct/"):  # an edition or version of it
            plain = "snomed.info/sct"
        return self._short.get(plain, "")


def _form(form: str) -> str:
    """A regular expression of systems.yaml's own letters: # digit, @ letter, & either, * any more."""
    signs = {"#": "[0-9]", "@": "[A-Za-z]", "&": "[0-9A-Za-z]", "*": "[0-9A-Za-z]*"}
    return "^" + "".join(signs.get(sign, re.escape(sign)) for sign in form) + "$"


def spelled(system: str, code: str) -> tuple[str, ...]:
    """The spellings under which a code is compared; more than one only for NDC without hyphens."""
    plain = code.strip().upper()
    if system in _DOTLESS:
        return (re.sub(r"[.\s]", "", plain),)
    if system == "NDC":
        return _ndc(plain)
    if system == "HGNC":
        return (plain.removeprefix("HGNC:"),)
    return (plain,)


def _ndc(code: str) -> tuple[str, ...]:
    """Labeler and product (5-4) of an NDC in any of its forms."""
    parts = code.split("-")
    if not all(part.isdigit() for part in parts):
        return ()
    if len(parts) >= 2:
        return (parts[0].zfill(5) + parts[1].zfill(4),)
    digits = parts[0]
    if len(digits) == _NDC_PRODUCT or len(digits) == _NDC_PRODUCT + 2:
        return (digits[:_NDC_PRODUCT],)
    if len(digits) == 10:  # 4-4-2, 5-3-2 or 5-4-1: the hyphens are lost
        return tuple(dict.fromkeys(("0" + digits[:8], digits[:5] + "0" + digits[5:8], digits[:9])))
    return ()


@dataclass(frozen=True)
class Found(Generic[T]):
    """What a code means. ``value`` None: known, and deliberately without a meaning here."""

    value: T | None
    entry: Mapping[str, Any]
    doubt: str = ""


class CodeIndex(Generic[T]):
    """The codes of one kind of meaning, built once; the same code may mean different things per kind."""

    def __init__(self, systems: Systems, entries: Iterable[tuple[Mapping[str, Any], T]]) -> None:
        self._systems = systems
        self._exact: dict[tuple[str, str], list[Found[T]]] = {}
        self._prefix: dict[tuple[str, str], list[Found[T]]] = {}
        self._longest_prefix = 0
        for entry, value in entries:
            found = Found(None if entry.get("match") == "never" else value, entry)
            # The product code of an NDC is what is compared, so its prefix is an exact match.
            prefix = entry.get("match") == "prefix" and entry["system"] != "NDC"
            for spelling in spelled(entry["system"], entry["code"]):
                key = (entry["system"], spelling)
                self._exact.setdefault(key, []).append(found)
                if prefix:
                    self._prefix.setdefault(key, []).append(found)
                    self._longest_prefix = max(self._longest_prefix, len(spelling))

    def find(self, coding: Coding, on: date | None = None) -> Found[T] | None:
        """The meaning of a coding on a day, or None. A code without its system counts only by its form."""
        if not coding.code.strip():
            return None
        if not coding.system.strip():
            return self._by_form(coding, on)
        system = self._systems.short(coding.system)
        return self._in_family(system, coding.code, on) if system else None

    def _in_family(self, system: str, code: str, on: date | None) -> Found[T] | None:
        relatives = self._systems.families.get(system, ())
        for candidate in (system, *relatives):
            if found := self._lookup(candidate, code, on, exact=True):
                return found if candidate == system else _read_as(found, system, candidate)
        for candidate in (system, *relatives):
            if found := self._lookup(candidate, code, on, exact=False):
                return found if candidate == system else _read_as(found, system, candidate)
        return None

    def _lookup(self, system: str, code: str, on: date | None, *, exact: bool) -> Found[T] | None:
        for spelling in spelled(system, code):
            if exact:
                hits = self._exact.get((system, spelling), [])
            else:
                longest = min(len(spelling) - 1, self._longest_prefix)
                lengths = range(longest, _SHORTEST_PREFIX - 1, -1)
                hits = next((h for n in lengths if (h := self._prefix.get((system, spelling[:n])))), [])
            for found in hits:
                if (valid := _on_the_day(found, on)) is not None:
                    return valid
        return None

    def _by_form(self, coding: Coding, on: date | None) -> Found[T] | None:
        code = coding.code.strip()
        hits = [
            found
            for system, form in self._systems.unmistakable
            if form.match(code) and (found := self._in_family(system, code, on))
        ]
        if not hits or any(hit.value != hits[0].value for hit in hits):
            return None
        return Found(
            hits[0].value,
            hits[0].entry,
            f"The code {code} is charted without its code system; it was read by its form.",
        )


def _read_as(found: Found[T], system: str, other: str) -> Found[T]:
    doubt = f"The code {found.entry['code']} is charted as {system} and was read as {other}."
    return Found(found.value, found.entry, doubt)


def _on_the_day(found: Found[T], on: date | None) -> Found[T] | None:
    """The entry where it holds on the day; a reused code without a day carries a doubt."""
    since, until = found.entry.get("from"), found.entry.get("until")
    if since is None and until is None:
        return found
    if on is None:
        code = found.entry["code"]
        return Found(
            found.value, found.entry, f"The code {code} has meant different drugs; no day tells which."
        )
    day = on.isoformat()
    return found if (since or "") <= day <= (until or "9999") else None


def entries_of(groups: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each code entry of a list of concepts, with the concept it belongs to."""
    for group in groups:
        for entry in group.get("codes", ()):
            yield entry, group
