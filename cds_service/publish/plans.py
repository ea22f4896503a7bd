"""PlanDefinitions: each regimen as an order set, each pathway as a protocol of its rules, what stands before.

A rule's regimens are actions to carry out only where the rule speaks for them; those it speaks against are
named as what the action depends on, so that no client can take an advice against for an order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, groupby
from typing import Any

from cds_service.cards.wording import LANGUAGES
from cds_service.knowledge.related import trials_of
from cds_service.knowledge.types import (
    SPEAK_FOR,
    Advice,
    Caution,
    Component,
    Condition,
    DoseAdjustment,
    Gap,
    Gate,
    HardStop,
    Pathway,
    Regimen,
    Review,
    Rule,
    Source,
    Statement,
    Text,
)
from cds_service.publish.activities import for_whom, given
from cds_service.publish.conditions import applicability
from cds_service.publish.edition import Edition, Resource, canonical, concept, put
from cds_service.publish.sources import (
    citation,
    depends_on,
    evidence_of,
    label_entry,
)

STOPS = "gates-and-hard-stops"
EFFECTIVE = canonical("StructureDefinition", "effective-period")
REVIEW = canonical("StructureDefinition", "clinical-review")
_TYPES = "http://terminology.hl7.org/CodeSystem/plan-definition-type"
_TOPICS = "http://terminology.hl7.org/CodeSystem/definition-topic"

Action = dict[str, Any]


def plans(edition: Edition) -> Iterator[Resource]:
    """All PlanDefinitions of the knowledge."""
    for regimen in edition.knowledge.regimens.values():
        yield _regimen(edition, regimen)
    for pathway in edition.knowledge.pathways.values():
        yield _pathway(edition, pathway)
    yield _stops(edition)
    for component in edition.knowledge.components.values():
        yield _drug(edition, component)


def _front(
    edition: Edition, identifier: str, kind: str, reviews: Iterable[Sequence[Review]], **texts: Text
) -> Resource:
    resource = edition.front(
        "PlanDefinition", identifier, title=texts["title"], description=texts["description"]
    )
    resource["type"] = {"coding": [{"system": _TYPES, "code": kind}]}
    if "purpose" in texts:
        put(resource, "purpose", texts["purpose"])
    resource |= edition.reviewed(reviews)
    resource["topic"] = [{"coding": [{"system": _TOPICS, "code": "treatment"}]}]
    return resource


# ---- regimens --------------------------------------------------------------------------------------------
def _regimen(edition: Edition, regimen: Regimen) -> Resource:
    resource = _front(
        edition,
        regimen.key,
        "order-set",
        [regimen.reviewed],
        title=edition.said("regimen/title", name=edition.regimen_name(regimen), display=regimen.display),
        description=_regimen_described(edition, regimen),
        purpose=_regimen_purpose(edition, regimen),
    )
    artifacts = list(citation(edition, regimen.dose_source, label=edition.said("dose-source/label").en))
    artifacts += [one for source in regimen.sources for one in citation(edition, source)]
    artifacts += [label_entry(edition, label) for label in regimen.labels]
    artifacts += [evidence_of(edition, row) for row in trials_of(edition.knowledge, regimen.key)]
    artifacts += [
        depends_on("PlanDefinition", f"drug-{drug}", edition.knowledge.drugs[drug].name.en)
        for drug in (*regimen.components, *regimen.supporting)
        if drug in edition.knowledge.components
    ]
    resource["relatedArtifact"] = artifacts
    resource["action"] = [_of_drug(edition, regimen, drug) for drug in regimen.components]
    return resource


def _regimen_described(edition: Edition, regimen: Regimen) -> Text:
    def joined(language: str) -> str:
        return " ".join(note.in_language(language) for note in regimen.notes)

    supporting = Text(*(", ".join(edition.orders.supporting(regimen, language)) for language in LANGUAGES))
    return edition.said(
        "regimen/description",
        name=edition.regimen_name(regimen),
        cycle=edition.word("cycle", regimen.cycle),
        burden=regimen.burden,
        notes=Text(*map(joined, LANGUAGES)),
        supporting=supporting,
    )


def _regimen_purpose(edition: Edition, regimen: Regimen) -> Text:
    said = [edition.said("regimen/purpose")]
    if regimen.history_only:
        said.append(edition.said("regimen/history"))
    if regimen.no_rule:
        said.append(edition.said("regimen/no-rule", why=regimen.no_rule.rstrip(".")))
    return Text(*(" ".join(text.in_language(language) for text in said) for language in LANGUAGES))


def _of_drug(edition: Edition, regimen: Regimen, key: str) -> Action:
    """One drug of a regimen: its definition, or a choice of them by region and patient."""
    drug = edition.knowledge.drugs[key]
    action: Action = {"id": key}
    put(action, "title", drug.name)
    action["code"] = [concept("drugs", key, drug.name.en)]
    doses = list(given(regimen, key, edition.knowledge))
    if len(doses) == 1:
        action["definitionCanonical"] = canonical("ActivityDefinition", doses[0].id)
        return action
    action |= {"groupingBehavior": "logical-group", "selectionBehavior": "exactly-one"}
    action["action"] = []
    for schedule in doses:
        choice: Action = {"id": schedule.id}
        assert schedule.condition is not None  # noqa: S101 (several schedules of one drug are told apart by it)
        put(choice, "title", for_whom(edition, schedule))
        choice["condition"] = applicability(schedule.condition, edition.knowledge)
        choice["definitionCanonical"] = canonical("ActivityDefinition", schedule.id)
        action["action"].append(choice)
    return action


# ---- pathways --------------------------------------------------------------------------------------------
def _pathway(edition: Edition, pathway: Pathway) -> Resource:
    statements = _statements(edition, pathway)
    reviews = [*(rule.reviewed for rule in pathway.rules), *(s.reviewed for s in statements)]
    purpose = edition.said("pathway/purpose")
    if pathway.unreviewed:
        warned = edition.said("pathway/unreviewed")
        purpose = Text(f"{purpose.en} {warned.en}", f"{purpose.it} {warned.it}")
    resource = _front(
        edition,
        pathway.id,
        "clinical-protocol",
        reviews,
        title=pathway.title,
        description=edition.said("pathway/description", title=pathway.title),
        purpose=purpose,
    )
    artifacts = list(citation(edition, pathway.cited))
    artifacts.append(depends_on("PlanDefinition", STOPS))
    if pathway.composed:
        artifacts += [depends_on("PlanDefinition", source) for source in pathway.sources]
        artifacts += [
            {
                "type": "documentation",
                "label": c.id,
                "display": c.clash,
                "citation": f"{c.evidence}. {c.handling}.",
            }
            for c in edition.knowledge.conflicts
        ]
    resource["relatedArtifact"] = artifacts
    if not pathway.composed:
        resource["action"] = list(_in_order(edition, pathway, pathway.rules, statements))
        return resource
    resource["action"] = []
    for source, rules in groupby(pathway.rules, key=lambda rule: rule.pathway):
        whole = edition.knowledge.pathways[source]
        group: Action = {"id": source}
        put(group, "title", edition.said("pathway/source", source=whole.title))
        group["groupingBehavior"] = "logical-group"
        group["action"] = list(_in_order(edition, whole, rules, whole.statements))
        resource["action"].append(group)
    return resource


def _statements(edition: Edition, pathway: Pathway) -> tuple[Statement, ...]:
    if not pathway.composed:
        return pathway.statements
    return tuple(s for source in pathway.sources for s in edition.knowledge.pathways[source].statements)


def _in_order(
    edition: Edition, source: Pathway, rules: Iterable[Rule], statements: Iterable[Statement]
) -> Iterator[Action]:
    """Rules and statements of one source in its own order.

    A rule knows its place in the file, a statement does not: statements stand where no rule does.
    """
    places = {rule.id: rule.position for rule in source.rules}
    first = min(places.values(), default=0) // 1000 * 1000
    free = (place for place in count(first) if place not in places.values())
    places |= {statement.id: place for statement, place in zip(source.statements, free, strict=False)}
    entries: list[Rule | Statement] = [*rules, *statements]
    for entry in sorted(entries, key=lambda entry: places[entry.id]):
        yield _rule(edition, entry) if isinstance(entry, Rule) else _statement(edition, entry)


def _rule(edition: Edition, rule: Rule) -> Action:
    knowledge = edition.knowledge
    meant, behind = rule.target.regimens, rule.then.regimens
    action: Action = {"id": rule.id, "extension": [*_effective(rule), *_review(edition, rule.reviewed)]}
    action["prefix"] = rule.id
    put(action, "title", _rule_title(edition, rule, meant, behind))
    put(action, "description", rule.because)
    said = [remark.text for remark in rule.remarks]
    if rule.tempered_by:
        said.append(edition.said("pathway/tempered", conflicts=", ".join(rule.tempered_by)))
    if said:
        put(
            action,
            "textEquivalent",
            Text(*(" ".join(text.in_language(language) for text in said) for language in LANGUAGES)),
        )
    verb = edition.said(f"verb/{rule.verb}")
    action["code"] = [concept("rule-verbs", rule.verb, verb.en)]
    speaks_for = rule.verb in SPEAK_FOR
    action["documentation"] = list(citation(edition, rule.source))
    if not speaks_for:
        action["documentation"] += [
            depends_on("PlanDefinition", key, knowledge.regimens[key].display)
            for key in dict.fromkeys((*meant, *behind))
        ]
    action["documentation"] += [{"type": "documentation", "label": key} for key in rule.tempered_by]
    action["condition"] = applicability(rule.when, knowledge)
    if speaks_for and meant:
        action |= {"groupingBehavior": "logical-group", "selectionBehavior": "at-most-one"}
        action["action"] = [
            {
                "id": f"{rule.id}-{key}",
                "title": knowledge.regimens[key].display,
                "code": [concept("regimens", key, knowledge.regimens[key].display)],
                "definitionCanonical": canonical("PlanDefinition", key),
            }
            for key in meant
        ]
    return action


def _rule_title(edition: Edition, rule: Rule, meant: Sequence[str], behind: Sequence[str]) -> Text:
    verb = edition.said(f"verb/{rule.verb}")

    def named(keys: Iterable[str]) -> str:
        return ", ".join(edition.knowledge.regimens[key].display for key in keys)

    if rule.verb == "order":
        return edition.said("pathway/order", id=rule.id, first=named(meant), then=named(behind))
    if not meant:
        return edition.said("pathway/rule-alone", id=rule.id, verb=verb)
    return edition.said("pathway/rule", id=rule.id, verb=verb, regimens=named(meant))


def _statement(edition: Edition, statement: Statement) -> Action:
    action: Action = {"id": statement.id, "extension": _review(edition, statement.reviewed)}
    action["prefix"] = statement.id
    put(action, "title", edition.said("pathway/statement", id=statement.id))
    put(action, "description", statement.why)
    if statement.lives:
        put(action, "textEquivalent", edition.said("pathway/elsewhere", places=", ".join(statement.lives)))
    action["documentation"] = list(citation(edition, statement.source))
    return action


def _effective(rule: Rule) -> list[dict[str, Any]]:
    period = {"start": rule.effective_from.isoformat()}
    if rule.effective_to is not None:
        period["end"] = rule.effective_to.isoformat()
    return [{"url": EFFECTIVE, "valuePeriod": period}]


def _review(edition: Edition, reviews: Sequence[Review]) -> list[dict[str, Any]]:
    """The review of one action, for a PlanDefinition tells only that of all together."""
    if not reviews:
        text = edition.said("review/entry").en
        status = {
            "url": "status",
            "valueCodeableConcept": concept("review-statuses", "not-reviewed", text=text),
        }
        return [{"url": REVIEW, "extension": [status]}]
    return [
        {
            "url": REVIEW,
            "extension": [
                {"url": "status", "valueCodeableConcept": concept("review-statuses", "reviewed")},
                {"url": "role", "valueString": review.role},
                {"url": "on", "valueDate": review.on},
            ],
        }
        for review in reviews
    ]


# ---- gates, hard stops and gaps --------------------------------------------------------------------------
def _stops(edition: Edition) -> Resource:
    knowledge = edition.knowledge
    entries: list[Gate | HardStop | Gap] = [*knowledge.gates, *knowledge.hard_stops, *knowledge.gaps]
    resource = _front(
        edition,
        STOPS,
        "eca-rule",
        [entry.reviewed for entry in entries],
        title=edition.said("stops/title"),
        description=edition.said("stops/description"),
    )
    groups: list[tuple[str, Sequence[Gate | HardStop | Gap]]] = [
        ("gates", knowledge.gates),
        ("stops", knowledge.hard_stops),
        ("gaps", knowledge.gaps),
    ]
    resource["action"] = []
    for name, members in groups:
        if members:
            group: Action = {"id": name}
            put(group, "title", edition.said(f"stops/{name}"))
            group |= {"groupingBehavior": "logical-group", "action": [_stop(edition, one) for one in members]}
            resource["action"].append(group)
    return resource


def _stop(edition: Edition, entry: Gate | HardStop | Gap) -> Action:
    knowledge = edition.knowledge
    text = entry.because if isinstance(entry, Gap) else entry.text
    action = _entry(edition, entry.id, text, entry.source, entry.reviewed)
    if isinstance(entry, HardStop):
        action["code"] = [concept("reasons-against", entry.code)]
        excluded = [key for key in entry.excludes if key in knowledge.drugs or key in knowledge.classes]
        action["code"] += [
            concept("drugs" if key in knowledge.drugs else "drug-classes", key) for key in excluded
        ]
    when = None if isinstance(entry, Gate) else entry.when
    if when is not None:
        action["condition"] = applicability(when, knowledge)
    return action


def _entry(
    edition: Edition, identifier: str, text: Text, source: Source, reviews: Sequence[Review]
) -> Action:
    action: Action = {"id": identifier, "extension": _review(edition, reviews), "prefix": identifier}
    put(action, "description", text)
    action["documentation"] = list(citation(edition, source))
    return action


# ---- what to mind with a drug ----------------------------------------------------------------------------
def _drug(edition: Edition, component: Component) -> Resource:
    drug = edition.knowledge.drugs[component.drug]
    entries: list[Caution | Advice | DoseAdjustment] = [
        *component.cautions,
        *component.advice,
        *component.adjustments,
    ]
    resource = _front(
        edition,
        f"drug-{component.drug}",
        "eca-rule",
        [component.reviewed],
        title=edition.said("drug/title", drug=drug.name),
        description=edition.said("drug/description", drug=drug.name),
    )
    actions = [_minded(edition, component, number, entry) for number, entry in enumerate(entries, start=1)]
    if actions:
        resource["action"] = actions
    return resource


def _minded(
    edition: Edition, component: Component, number: int, entry: Caution | Advice | DoseAdjustment
) -> Action:
    identifier = entry.id if isinstance(entry, DoseAdjustment) else f"{entry.drug}-{number}"
    action = _entry(edition, identifier, entry.text, entry.source, component.reviewed)
    del action["prefix"]
    when = entry.when
    if isinstance(entry, Caution):
        title = edition.said("drug/contraindication" if entry.bars else "drug/caution")
        action["code"] = [{"text": entry.concept}]
    elif isinstance(entry, Advice):
        title = Text(entry.kind.replace("-", " ").capitalize())
        action["code"] = [{"text": entry.kind}]
        regions = [Condition("region", argument=region) for region in entry.regions]
        if regions:
            here = regions[0] if len(regions) == 1 else Condition("any", tuple(regions))
            when = here if when is None else Condition("all", (here, when))
    else:
        title = edition.said("drug/adjustment")
    put(action, "title", title)
    if when is not None:
        action["condition"] = applicability(when, edition.knowledge)
    return action
