"""Our own concepts as CodeSystems, codes of other systems as ConceptMaps to them, and ValueSets of both.

Only codes that somebody saw are published, those merely recalled never; SNOMED CT and CPT without wording.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cds_service.knowledge.asserting import assertable
from cds_service.knowledge.load import schemas
from cds_service.knowledge.types import VERBS, Knowledge, Text
from cds_service.publish.edition import Edition, Resource, canonical, code_system, put

_SEEN = {"verified1": "codes/seen-once", "verified2": "codes/seen-twice"}
_WITHOUT_WORDS = frozenset({"SNOMED", "CPT"})
# How a code of a kind stands to the drug it is read as: a product, brand or salt is narrower than the drug.
_KINDS_OF_A_DRUG = {"ingredient": "equivalent", "substance": "equivalent", "": "equivalent"}
_WHOLE_DRUG_SYSTEMS = frozenset({"ATC", "UNII"})


@dataclass(frozen=True)
class Concept:
    """One concept of ours. ``properties`` gives a name a value, or a concept of another system of ours."""

    code: str
    display: Text
    definition: str = ""
    synonyms: tuple[str, ...] = ()
    properties: tuple[tuple[str, str | bool | tuple[str, str]], ...] = ()


@dataclass(frozen=True)
class Mapped:
    """A code of another system, and our concept as which it is read; ``target`` "": deliberately none."""

    system: str  # short name of mappings/systems.yaml
    code: str
    display: str
    own_system: str
    target: str
    equivalence: str
    comment: str
    products: tuple[tuple[str, str], ...] = field(default=())  # (our code system, code) told along with it


def terminology(edition: Edition) -> Iterator[Resource]:
    """All CodeSystems, ConceptMaps and ValueSets of the knowledge."""
    own = dict(_own_concepts(edition))
    mapped = list(_mapped(edition))
    for identifier, concepts in own.items():
        yield _code_system(edition, identifier, concepts)
        yield _all_of(edition, identifier)
    for entry in edition.knowledge.mappings["systems"]["systems"]:
        codes = [one for one in mapped if one.system == entry["key"]]
        if codes:
            yield _concept_map(edition, entry, codes)
    read_as: dict[str, list[Mapped]] = {}
    for one in mapped:
        if one.target:
            read_as.setdefault(one.own_system, []).append(one)
    for identifier, codes in read_as.items():
        title = edition.said(f"codes/{identifier}")
        yield _value_set(
            edition,
            f"read-as-{identifier}",
            edition.said("codes/input-title", title=title),
            edition.said("codes/input-description", title=title),
            [],
            codes,
        )
    yield from _classes(edition, read_as.get("drugs", []))


# ---- our own concepts ------------------------------------------------------------------------------------
def _own_concepts(edition: Edition) -> Iterator[tuple[str, list[Concept]]]:
    """Our code systems by id."""
    knowledge = edition.knowledge
    maps = knowledge.mappings
    yield (
        "drugs",
        [
            Concept(
                drug.key,
                drug.name,
                properties=(
                    ("role", drug.role),
                    ("one-off", drug.one_off),
                    *(("class", ("drug-classes", key)) for key in drug.classes),
                ),
            )
            for drug in knowledge.drugs.values()
        ],
    )
    yield (
        "drug-classes",
        [
            Concept(
                one.key,
                one.name,
                properties=(
                    ("carries-over", one.carries_over),
                    ("counts", one.counts),
                    *((("modality", one.modality),) if one.modality else ()),
                    *(("union-of", ("drug-classes", key)) for key in one.union_of),
                ),
            )
            for one in knowledge.classes.values()
        ],
    )
    yield "regimens", list(_regimens(knowledge, edition))
    yield "diagnoses", _keyed(edition, maps["diagnoses"]["kinds"], "disease")
    yield (
        "disease-courses",
        _plain(
            [
                *(code["means"] for code in maps["diagnoses"]["clinical_status"]),
                *(c.get("status") for kind in maps["diagnoses"]["kinds"] for c in kind.get("codes", ())),
            ]
        ),
    )
    yield "comorbidities", _keyed(edition, maps["comorbidities"]["comorbidities"])
    severities = maps["comorbidities"]["severities"]
    yield (
        "severities",
        _plain(
            [
                *(one["means"] for part in ("codes", "phrases") for one in severities[part]),
                *(
                    c.get("severity")
                    for one in maps["comorbidities"]["comorbidities"]
                    for c in one.get("codes", ())
                ),
            ]
        ),
    )
    yield (
        "observations",
        [
            Concept(
                one["key"],
                _named(edition, one),
                properties=(("unit", one["unit"]),) if one.get("unit") else (),
            )
            for one in maps["observations"]["observations"]
        ],
    )
    yield "results", _plain(one["means"] for one in maps["observations"]["results"]["codes"])
    yield "genomic-components", _plain(one["means"] for one in maps["observations"]["components"])
    yield "procedures", _keyed(edition, maps["procedures"]["kinds"])
    yield (
        "disease-statuses",
        _plain(
            meaning
            for answer in maps["disease-status"]["answers"]["codes"]
            for meaning in _status_said(answer)
        ),
    )
    yield "stop-reasons", _plain(maps["stop-reasons"]["order"])
    yield "assertions", list(_assertions(knowledge))
    yield "patient-labels", _labels(edition)
    yield "rule-verbs", [Concept(verb, edition.said(f"verb/{verb}")) for verb in VERBS]
    yield (
        "label-statuses",
        [Concept(status, edition.said(f"status/{status}")) for status in _label_statuses()],
    )
    yield "reasons-against", _reasons(edition)
    yield "regions", _plain(sorted({label.region for r in knowledge.regimens.values() for label in r.labels}))
    yield "usage-contexts", [Concept("clinical-review", edition.said("codes/review-statuses"))]
    yield "review-statuses", _plain(["not-reviewed", "reviewed-in-part", "reviewed"])
    cards = [*knowledge.cards.values()]
    cards += [variant for file in cards for variant in file.get("variants", {}).values()]
    topics = [file["topic"] for file in cards if "topic" in file]
    yield "card-topics", [Concept(one["code"], _text(one["display"])) for one in topics]
    yield (
        "override-reasons",
        [
            Concept(one["code"], _text(one["display"]))
            for one in knowledge.cards["override-reasons"]["reasons"]
            if one["system"] == code_system("override-reasons")
        ],
    )


def _assertions(knowledge: Knowledge) -> Iterator[Concept]:
    """Questions and answers of a clinician's assertions; an answer names its question."""
    known = assertable(knowledge)
    for question in known.questions.values():
        yield Concept(question.key, question.name, properties=(("kind", "question"),))
        for answer in question.answers:
            yield Concept(
                answer.key,
                answer.name,
                properties=(("kind", "answer"), ("answers", ("assertions", question.key))),
            )
    if known.drug:
        yield Concept(known.drug, known.drug_name, properties=(("kind", "component"),))


def _regimens(knowledge: Knowledge, edition: Edition) -> Iterator[Concept]:
    """The regimens, and the inductions that are known as names of a line alone."""
    for regimen in knowledge.regimens.values():
        yield Concept(
            regimen.key,
            Text(regimen.display),
            definition=edition.regimen_name(regimen).en,
            synonyms=tuple(dict.fromkeys(a for a in regimen.abbreviations if a != regimen.display)),
            properties=(
                ("named-only", False),
                *(("drug", ("drugs", key)) for key in regimen.components),
            ),
        )
    for entry in knowledge.mappings["regimen-names"]["regimens"]:
        if entry["key"] not in knowledge.regimens:
            names = [n["text"] for n in entry["names"] if n["confidence"] != "recalled"] or [entry["key"]]
            yield Concept(
                entry["key"],
                Text(names[0]),
                synonyms=tuple(dict.fromkeys(names[1:])),
                properties=(
                    ("named-only", True),
                    *(("drug", ("drugs", key)) for key in entry["components"]),
                ),
            )


def _keyed(edition: Edition, entries: Iterable[Mapping[str, Any]], group: str = "") -> list[Concept]:
    return [Concept(entry["key"], _named(edition, entry, group)) for entry in entries]


def _named(edition: Edition, entry: Mapping[str, Any], group: str = "") -> Text:
    """The name of an entry where its file or a card gives one; else its key, spelt out."""
    key = entry["key"]
    if "name" in entry:
        return _text(entry["name"])
    if group and edition.wording.has(f"phrases/{group}/{key}"):
        return edition.word(group, key)
    return Text(key.replace("-", " "))


def _text(raw: Mapping[str, str]) -> Text:
    return Text(raw["en"], raw.get("it"))


def _plain(codes: Iterable[str | None]) -> list[Concept]:
    """Codes without a name of their own, each once."""
    return [Concept(code, Text(re.sub(r"[-:]", " ", code))) for code in dict.fromkeys(codes) if code]


def _labels(edition: Edition) -> list[Concept]:
    """The labels of a patient's state that a condition may ask for."""
    known = _enum_of(schemas()["condition"].schema, "first-relapse")
    return [
        Concept(
            code, edition.word("label", code) if _is_plain(edition, code) else Text(code.replace("-", " "))
        )
        for code in known
    ]


def _is_plain(edition: Edition, label: str) -> bool:
    """Whether a label's phrase names no value of a patient."""
    phrases = edition.knowledge.cards["phrases"]["texts"]["label"]
    return label in phrases and "{" not in phrases[label]["en"]


def _label_statuses() -> list[str]:
    own = _enum_of(schemas()["regimen"].schema, "authorised-conditional")
    return list(dict.fromkeys([*own, "within", "outside", "pending", "unknown"]))


def _reasons(edition: Edition) -> list[Concept]:
    told = schemas()["assessment"].schema
    found = _enum_of(told, "refractory-component")
    return _plain(found or [stop.code for stop in edition.knowledge.hard_stops])


def _enum_of(node: Any, member: str) -> list[str]:
    """The first list of allowed values, anywhere in a schema, that holds ``member``."""
    if isinstance(node, Mapping):
        if member in node.get("enum", ()):
            return list(node["enum"])
        children: Iterable[Any] = node.values()
    else:
        children = node if isinstance(node, list) else ()
    return next((found for child in children if (found := _enum_of(child, member))), [])


def _code_system(edition: Edition, identifier: str, concepts: Sequence[Concept]) -> Resource:
    title = edition.said(f"codes/{identifier}")
    resource = edition.front(
        "CodeSystem",
        identifier,
        title=title,
        description=edition.said("codes/code-system", title=title),
    )
    if identifier == "regimens":
        put(resource, "copyright", edition.said("codes/regimen-names"))
    resource |= {
        "caseSensitive": True,
        "valueSet": canonical("ValueSet", f"all-{identifier}"),
        "content": "complete",
        "count": len(concepts),
    }
    kinds = {name: value for concept in concepts for name, value in concept.properties}
    if kinds:
        resource["property"] = [
            {"code": name, "uri": f"{code_system(identifier)}#{name}", "type": _type_of(value)}
            for name, value in kinds.items()
        ]
    resource["concept"] = [_concept(concept) for concept in concepts]
    return resource


def _type_of(value: object) -> str:
    return "boolean" if isinstance(value, bool) else "string" if isinstance(value, str) else "Coding"


def _concept(concept: Concept) -> dict[str, Any]:
    told: dict[str, Any] = {"code": concept.code, "display": concept.display.en}
    if concept.definition:
        told["definition"] = concept.definition
    designations: list[dict[str, Any]] = []
    if concept.display.it and concept.display.it != concept.display.en:
        designations.append({"language": "it", "value": concept.display.it})
    designations += [{"value": synonym} for synonym in concept.synonyms]
    if designations:
        told["designation"] = designations
    properties: list[dict[str, Any]] = []
    for name, value in concept.properties:
        if isinstance(value, tuple):
            properties.append(
                {"code": name, "valueCoding": {"system": code_system(value[0]), "code": value[1]}}
            )
        else:
            properties.append(
                {"code": name, f"value{'Boolean' if isinstance(value, bool) else 'String'}": value}
            )
    if properties:
        told["property"] = properties
    return told


# ---- codes of other systems ------------------------------------------------------------------------------
def _mapped(edition: Edition) -> Iterator[Mapped]:
    """Every code of mappings/ that somebody saw, with what it is read as."""
    maps = edition.knowledge.mappings
    for drug, file in edition.knowledge.drug_files.items():
        for code in file["codes"]:
            yield from _one(edition, code, "drugs", drug, _to_a_drug(code))
    for name, own, extra in (("kinds", "diagnoses", ("disease-courses", "status")),):
        for entry in maps["diagnoses"][name]:
            for code in entry.get("codes", ()):
                yield from _one(edition, code, own, entry["key"], products=[extra])
    for code in maps["diagnoses"]["neighbours"]:
        yield from _one(edition, code, "diagnoses", "")
    for code in maps["diagnoses"]["clinical_status"]:
        yield from _one(edition, code, "disease-courses", code["means"])
    for entry in maps["comorbidities"]["comorbidities"]:
        for code in entry.get("codes", ()):
            yield from _one(
                edition, code, "comorbidities", entry["key"], products=[("severities", "severity")]
            )
    for code in maps["comorbidities"]["severities"]["codes"]:
        yield from _one(edition, code, "severities", code["means"])
    for entry in maps["observations"]["observations"]:
        for code in entry.get("codes", ()):
            yield from _one(edition, code, "observations", entry["key"])
    for code in maps["observations"]["results"]["codes"]:
        yield from _one(edition, code, "results", code["means"])
    for code in maps["observations"]["components"]:
        yield from _one(edition, code, "genomic-components", code["means"])
    for entry in maps["procedures"]["kinds"]:
        for code in entry.get("codes", ()):
            yield from _one(edition, code, "procedures", entry["key"], products=[("drugs", "drug")])
    for code in maps["procedures"]["neighbours"]:
        yield from _one(edition, code, "procedures", "")
    for code in maps["disease-status"]["answers"]["codes"]:
        for meaning in _status_said(code) or [""]:
            yield from _one(edition, code, "disease-statuses", meaning)
    for code in maps["stop-reasons"]["codes"]:
        yield from _one(edition, code, "stop-reasons", code["reason"])


def _status_said(answer: Mapping[str, Any]) -> list[str]:
    """What an answer says of response or course, most telling first."""
    said = [str(answer[name]) for name in ("response", "trend") if name in answer]
    said += ["progression"] if answer.get("progression") else []
    return said + (["no-response"] if answer.get("no_response") else [])


def _to_a_drug(code: Mapping[str, Any]) -> str:
    kind = code.get("kind", "" if code["system"] in _WHOLE_DRUG_SYSTEMS else "other")
    return _KINDS_OF_A_DRUG.get(kind, "wider")


def _one(
    edition: Edition,
    code: Mapping[str, Any],
    own_system: str,
    target: str,
    equivalence: str = "relatedto",
    products: Sequence[tuple[str, str]] = (),
) -> Iterator[Mapped]:
    """The code as it is published; nothing where it was only recalled, or is our own decision."""
    if code["confidence"] not in _SEEN:
        return
    never = code.get("match") == "never" or not target
    notes = [code.get("note", ""), code.get("doubt", "")]
    if never:
        equivalence = "unmatched"
        notes.append(edition.said("codes/never").en)
    elif code.get("match") == "prefix":
        notes.append(edition.said("codes/prefix").en)
        equivalence = "wider" if equivalence == "equivalent" else equivalence
    notes += [edition.said(f"codes/{end}", on=code[end]).en for end in ("from", "until") if end in code]
    notes.append(edition.said(_SEEN[code["confidence"]]).en)
    yield Mapped(
        system=code["system"],
        code=code["code"],
        display="" if code["system"] in _WITHOUT_WORDS else code.get("display", ""),
        own_system=own_system,
        target="" if never else target,
        equivalence=equivalence,
        comment="; ".join(note for note in notes if note) + ".",
        products=tuple((system, str(code[name])) for system, name in products if name in code and not never),
    )


def _concept_map(edition: Edition, system: Mapping[str, Any], codes: Sequence[Mapped]) -> Resource:
    resource = edition.front(
        "ConceptMap",
        _slug(system["key"]),
        title=edition.said("codes/map-title", system=system["key"]),
        description=edition.said("codes/map-description", system=system["key"]),
    )
    put(resource, "copyright", _notices(edition, [system["key"]]))
    groups: dict[str, dict[str, dict[str, Any]]] = {}
    for one in codes:
        elements = groups.setdefault(one.own_system, {})
        element = elements.setdefault(
            one.code, {"code": one.code} | ({"display": one.display} if one.display else {})
        )
        target: dict[str, Any] = {"code": one.target} if one.target else {}
        target |= {"equivalence": one.equivalence, "comment": one.comment}
        if one.products:
            target["product"] = [
                {
                    "property": canonical("CodeSystem", own),
                    "system": canonical("CodeSystem", own),
                    "value": value,
                }
                for own, value in one.products
            ]
        told = element.setdefault("target", [])
        if target not in told:
            told.append(target)
    resource["group"] = [
        {"source": system["uri"], "target": code_system(own), "element": list(elements.values())}
        for own, elements in groups.items()
    ]
    return resource


def _slug(key: str) -> str:
    """The name of a code system as an id: "icd-10-cm"."""
    return re.sub(r"[^a-z0-9]+", "-", key.lower())


def _notices(edition: Edition, systems: Iterable[str]) -> Text:
    """What the owners of code systems ask to be said, each once."""
    entries = {entry["key"]: entry for entry in edition.knowledge.mappings["systems"]["systems"]}
    told = dict.fromkeys(entries[key].get("copyright", "") for key in systems)
    return Text(" ".join(notice for notice in told if notice))


# ---- value sets ------------------------------------------------------------------------------------------
def _all_of(edition: Edition, identifier: str) -> Resource:
    title = edition.said("codes/all-title", title=edition.said(f"codes/{identifier}"))
    resource = edition.front("ValueSet", f"all-{identifier}", title=title, description=title)
    resource["compose"] = {"include": [{"system": code_system(identifier)}]}
    return resource


def _classes(edition: Edition, codes: Sequence[Mapped]) -> Iterator[Resource]:
    """The drugs of each class, in our own codes and in those of other systems."""
    for drug_class in edition.knowledge.classes.values():
        members = [drug.key for drug in edition.knowledge.drugs.values() if drug.is_of(drug_class)]
        if members:
            yield _value_set(
                edition,
                f"class-{_slug(drug_class.key)}",
                edition.said("codes/class-title", name=drug_class.name),
                edition.said("codes/class-description", name=drug_class.name),
                [
                    {
                        "system": code_system("drugs"),
                        "concept": [
                            {"code": key, "display": edition.knowledge.drugs[key].name.en} for key in members
                        ],
                    }
                ],
                [one for one in codes if one.target in members],
            )


def _value_set(
    edition: Edition,
    identifier: str,
    title: Text,
    description: Text,
    own: list[dict[str, Any]],
    codes: Sequence[Mapped],
) -> Resource:
    resource = edition.front("ValueSet", identifier, title=title, description=description)
    uris = {entry["key"]: entry["uri"] for entry in edition.knowledge.mappings["systems"]["systems"]}
    put(resource, "copyright", _notices(edition, dict.fromkeys(one.system for one in codes)))
    include = list(own)
    for system in dict.fromkeys(one.system for one in codes):
        listed = {one.code: one.display for one in codes if one.system == system}
        include.append(
            {
                "system": uris[system],
                "concept": [
                    {"code": code} | ({"display": display} if display else {})
                    for code, display in listed.items()
                ],
            }
        )
    resource["compose"] = {"include": include}
    return resource
