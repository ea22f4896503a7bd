"""The IMWG frailty score (Palumbo 2015), said only as far as the parts that are charted settle it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.knowledge.types import Text
from cds_service.knowledge.wording import sentence
from cds_service.record import ComorbidityFact, Measurement

FIT, INTERMEDIATE, FRAIL, UNKNOWN = "fit", "intermediate", "frail", "unknown"
_GRAVER = (FIT, INTERMEDIATE, FRAIL)


@dataclass(frozen=True)
class Frailty:
    """The group, how many points it rests on, and what is missing for a full score.

    ``score`` None: the points charted do not settle the group. ``at_least``: more points may hide in what is
    missing. ``charted`` are the chart's own words on frailty, each with its resource.
    """

    group: str = UNKNOWN
    score: int | None = None
    at_least: bool = False
    missing: tuple[str, ...] = ()
    documented: bool = False
    because: str = ""
    derived_from: tuple[str, ...] = ()
    charted: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class _Part:
    """One of the four parts: the fewest and most points it may be, with the words that say why."""

    key: str
    least: int
    most: int
    words: Text | None = None
    references: tuple[str, ...] = ()


def frailty(
    ages: tuple[int, int] | None,
    labs: Mapping[str, Measurement],
    comorbidities: Sequence[ComorbidityFact],
    definitions: Mapping[str, Any],
    language: str,
) -> Frailty:
    """The frailty of one patient.

    ``ages`` are the lowest and highest age the birth date allows. The points of ``definitions["imwg"]
    ["frailty"]``: age over 75 one, over 80 two; ADL of 4 or less, IADL of 5 or less, Charlson of 2 or more
    one each; 0 fit, 1 intermediate, 2 or more frail. A score that the chart gives itself goes before, unless
    the points charted already say more.
    """
    rules = definitions["imwg"]["frailty"]
    parts = [
        _age(ages, rules, definitions),
        _score("adl-score", labs, rules["adl"], definitions),
        _score("iadl-score", labs, rules["iadl"], definitions),
        _charlson(labs, comorbidities, rules, definitions),
    ]
    least, most = (sum(part.least for part in parts), sum(part.most for part in parts))
    missing = tuple(part.key for part in parts if part.most > part.least)
    group = _group(least, rules) if _group(least, rules) == _group(most, rules) else UNKNOWN
    told = [part for part in parts if part.words is not None]
    values: dict[str, str | Text] = {
        "score": str(least),
        "most": str(most),
        "parts": _listed([part.words for part in told if part.words is not None]),
        "missing": _listed([sentence(definitions, "frailty_part", key, value="") for key in missing]),
    }
    how = "open" if group == UNKNOWN else "at-least" if missing else "computed"
    computed = Frailty(
        group,
        least if group != UNKNOWN else None,
        bool(missing) and group != UNKNOWN,
        missing,
        because=sentence(definitions, "frailty", how, **values).in_language(language),
        derived_from=tuple(sorted({r for part in told for r in part.references})),
    )
    return _with_charted(computed, labs, comorbidities, rules, definitions, language)


def _group(points: int, rules: Mapping[str, Any]) -> str:
    if points >= rules["groups"]["frail"]:
        return FRAIL
    return INTERMEDIATE if points >= rules["groups"]["intermediate"] else FIT


def _age(ages: tuple[int, int] | None, rules: Mapping[str, Any], definitions: Mapping[str, Any]) -> _Part:
    def points(age: int) -> int:
        return max((step["points"] for step in rules["age"] if age > step["over"]), default=0)

    if ages is None:
        return _Part("age", 0, max(step["points"] for step in rules["age"]))
    value = str(ages[0]) if ages[0] == ages[1] else f"{ages[0]}-{ages[1]}"
    return _Part("age", points(ages[0]), points(ages[1]), _words("age", value, definitions))


def _score(
    key: str, labs: Mapping[str, Measurement], rule: Mapping[str, Any], definitions: Mapping[str, Any]
) -> _Part:
    """A scale on which low is bad. Other scales of the same name never get here: their range differs."""
    measured = labs.get(key)
    if measured is None or measured.value is None or measured.text:
        return _Part(key, 0, rule["points"])
    points = rule["points"] if measured.value <= rule["at_most"] else 0
    words = _words(key, f"{measured.value:g}", definitions)
    return _Part(key, points, points, words, (measured.reference,))


def _charlson(
    labs: Mapping[str, Measurement],
    comorbidities: Sequence[ComorbidityFact],
    rules: Mapping[str, Any],
    definitions: Mapping[str, Any],
) -> _Part:
    """The charted index, else what the comorbidities charted come to, which is a lower bound only."""
    rule, key = rules["charlson"], "charlson-index"
    measured = labs.get(key)
    if measured is not None and measured.value is not None and not measured.text:
        points = rule["points"] if measured.value >= rule["at_least"] else 0
        words = _words(key, f"{measured.value:g}", definitions)
        return _Part(key, points, points, words, (measured.reference,))
    weights: dict[str, int] = {}
    references: set[str] = set()
    for fact in comorbidities:
        for weight in rules["charlson_weights"]:
            graded = "severity" not in weight or fact.severity in weight["severity"]
            if fact.active and fact.present and fact.concept in weight["concepts"] and graded:
                counted = weight["counts_as"]
                weights[counted] = max(weights.get(counted, 0), weight["points"])
                references.add(fact.reference)
    total = sum(weights.values())
    if not total:
        return _Part(key, 0, rule["points"])
    least = rule["points"] if total >= rule["at_least"] else 0
    words = sentence(definitions, "frailty_part", "charlson-at-least", value=str(total))
    return _Part(key, least, rule["points"], words, tuple(sorted(references)))


def _words(key: str, value: str, definitions: Mapping[str, Any]) -> Text:
    text = sentence(definitions, "frailty_part", key, value=value)
    return Text(text.en.strip(), text.in_language("it").strip())


def _listed(words: Sequence[Text]) -> Text:
    return Text(
        ", ".join(w.en.strip() for w in words) or "-",
        ", ".join(w.in_language("it").strip() for w in words) or "-",
    )


def _with_charted(
    computed: Frailty,
    labs: Mapping[str, Measurement],
    comorbidities: Sequence[ComorbidityFact],
    rules: Mapping[str, Any],
    definitions: Mapping[str, Any],
    language: str,
) -> Frailty:
    """The computed frailty, with what the chart says itself put before it or beside it."""
    charted: list[tuple[str, str]] = []
    own = labs.get("imwg-frailty")
    group = ""
    if own is not None and not (own.value is not None and own.text):
        group = own.text if own.text in _GRAVER else ""
        if own.value is not None:
            group = _group(int(own.value), rules)
        told = group if own.value is None else f"{own.value:g}"
        charted.append((f"IMWG: {told or own.text}", own.reference))
    scale = labs.get("clinical-frailty-scale")
    if scale is not None and scale.value is not None:
        charted.append((f"Clinical Frailty Scale: {scale.text}{scale.value:g}", scale.reference))
    geriatric = labs.get("geriatric-assessment")
    if geriatric is not None and geriatric.text:
        charted.append((geriatric.text, geriatric.reference))
    charted += [
        (fact.text or fact.concept, fact.reference)
        for fact in comorbidities
        if fact.concept == "frailty" and fact.active and fact.present
    ]
    graver = computed.group in _GRAVER and group and _GRAVER.index(computed.group) > _GRAVER.index(group)
    if not group or own is None or graver:
        return Frailty(**{**vars(computed), "charted": tuple(charted)})
    name = sentence(definitions, "frailty_group", group)
    return Frailty(
        group,
        None if own.value is None else int(own.value),
        False,
        (),
        True,
        sentence(definitions, "frailty", "charted", said=name).in_language(language),
        (own.reference,),
        tuple(charted),
    )
