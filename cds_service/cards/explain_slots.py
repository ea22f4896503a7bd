"""The texts of the explanation pages (cards/explain.yaml), and the values each may name."""

from __future__ import annotations

_WITH_VALUES: dict[str, frozenset[str]] = {
    "page/knowledge": frozenset({"effective", "hash", "version"}),
    "entry-name/rule": frozenset({"source"}),
    "entry-name/statement": frozenset({"source"}),
    "section/drug": frozenset({"name"}),
    "section/figure-clash": frozenset({"id"}),
    "rule/since": frozenset({"day"}),
    "rule/until": frozenset({"day"}),
    "dose/regions": frozenset({"regions"}),
    "drug/interval": frozenset({"count"}),
    "code/refractory": frozenset({"count", "number"}),
}

_PLAIN: dict[str, str] = {
    "page": (
        "index kind code datum state skip above contents other-language address foot about not-found "
        "nearest nearest-none"
    ),
    "kind-name": "sequencing order-conflict missing-data state",
    "kind": "sequencing order-conflict missing-data state decides",
    "index": "what",
    "entry-name": "regimen drug component class conflict figure-conflict hard-stop gate gap evidence pathway",
    "entry": "hard-stop gate statement",
    "section": (
        "kind kinds rule standing pathways rule-regimens conflicts statement statements rules gap gaps "
        "trial shown figures regimen regimens doses labels evidence bars cautions adjustments advice "
        "drugs-standing notes drugs class classes clash told-to hard-stop gate gates stops code codes "
        "refractory datum data effect asking-rules asking-labels state states sources"
    ),
    "field": (
        "says because remark note source place last-checked reviewed holds also-called drugs given-with "
        "cycle visits dose-source asked arms population trial regimen resembles survival verification "
        "sides known handling lives used answers-say silent why-no-rule composed excludes excluded code "
        "classes interval regimens members union carries-over counts"
    ),
    "caption": (
        "pathways regimens clashes figure-clashes rules-for rules-other pathway-rules asking-rules "
        "statements doses labels evidence figures bars cautions adjustments advice drugs-standing "
        "classes hard-stops gates"
    ),
    "head": (
        "pathway taken regimen labels evidence clash sides handling used answers-say rule says because "
        "of-source statement why-no-rule drug dose for-whom region status since until gate source "
        "population patients shown figure value if text advice-kind last-checked reviewed class "
        "carries-over hard-stop"
    ),
    "rule": "all-must-hold newer",
    "pathway": "unreviewed",
    "regimen": "history-only no-doses verify labels evidence no-evidence no-rule none",
    "dose": "step-up alternative",
    "caution": "everybody",
    "evidence": "against nothing-shown all-others first-that-fits",
    "survival": "yes no nominal not-reported",
    "also": "confirms refines contradicts",
    "standing": "not-reviewed",
    "drug": "one-off",
    "class": "carries carries-not counts counts-not",
    "datum-effect": "unknown",
}
"""The names of each group that stand by themselves."""

_OPEN = ("code", "code-name", "datum", "datum-name", "mark", "state", "state-name")
"""Groups whose names are keys of the data; a site may add to them."""

EXPLAIN_SLOTS: dict[str, frozenset[str]] = {
    **{f"explain/{group}/{name}": frozenset() for group, names in _PLAIN.items() for name in names.split()},
    **{f"explain/{group}/*": frozenset() for group in _OPEN},
    **{f"explain/{slot}": values for slot, values in _WITH_VALUES.items()},
}
"""Every text of the pages with the values it may name, as wording.py checks them."""
