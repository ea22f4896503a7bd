"""Cytogenetic markers as they stand: a clone that was once seen does not vanish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from cds_service.knowledge.wording import sentence
from cds_service.record import Issue, Measurement, Severity

HIGH_RISK = "high-risk-cytogenetics"
_SAYS = ("present", "absent")


@dataclass(frozen=True)
class Biology:
    """Markers to "present", "absent" or (the summary alone) "unknown"; the findings they rest on; doubts."""

    markers: Mapping[str, str]
    findings: Mapping[str, Measurement]
    issues: tuple[Issue, ...] = ()


def biology(
    measurements: Sequence[Measurement], definitions: Mapping[str, Any], as_of: date, language: str
) -> Biology:
    """What is known of each marker: present if ever found, on whatever day; else absent if ever looked for.

    A finding without its day counts, and none ages. Where a later sample no longer shows a marker, an issue
    says so: treatment may have thinned the clone out. The summary is present where one of the markers of
    high risk is, absent only where all are known to be absent.
    """
    rules = definitions["imwg"]["cytogenetics"]
    findings: dict[str, Measurement] = {}
    issues: list[Issue] = []
    for key in rules["markers"]:
        own = [
            m
            for m in measurements
            if m.concept == key
            and m.value is None
            and m.text in _SAYS
            and (m.on is None or m.on.earliest <= as_of)
        ]
        if not own:
            continue
        own.sort(key=lambda m: (m.on is not None, m.on.latest if m.on else date.min, m.reference))
        seen = [m for m in own if m.text == "present"]
        findings[key] = (seen or own)[-1]
        newest = own[-1]
        if seen and newest.text == "absent":
            text = sentence(
                definitions,
                "biology",
                "no-longer-seen",
                marker=key,
                seen=str(seen[-1].on or "?"),
                date=str(newest.on or "?"),
            )
            issues.append(
                Issue(Severity.WARNING, "conflicting-biology", text.in_language(language), newest.reference)
            )
    markers = {key: m.text for key, m in findings.items()}
    return Biology({**markers, HIGH_RISK: _summary(markers, rules["high_risk"])}, findings, tuple(issues))


def _summary(markers: Mapping[str, str], high_risk: Sequence[str]) -> str:
    said = [markers.get(key) for key in high_risk]
    if "present" in said:
        return "present"
    return "absent" if all(one == "absent" for one in said) else "unknown"
