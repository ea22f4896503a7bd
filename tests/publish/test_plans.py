"""Regimens and pathways as PlanDefinition and ActivityDefinition: nothing left out, nothing made up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cds_service.knowledge.load import schemas
from cds_service.knowledge.types import Knowledge
from cds_service.publish.library import Library
from tests.publish.judges import nodes

PLAN = "https://myeloma-cds.org/PlanDefinition/"
ACTIVITY = "https://myeloma-cds.org/ActivityDefinition/"
AGAINST = {"deprioritise", "avoid", "caution", "require", "order", "remark"}


def plan(library: Library, identifier: str) -> dict[str, Any]:
    return library.all_of("PlanDefinition")[identifier]


def actions(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every action, those within others too."""
    for action in resource.get("action", ()):
        yield action
        yield from actions(action)


def rules(library: Library, pathway: str) -> dict[str, dict[str, Any]]:
    """The actions of a pathway's rules and statements, by id, in their order."""
    return {action["id"]: action for action in actions(plan(library, pathway)) if "prefix" in action}


# ---- pathways --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("pathway", "series", "count"),
    [("barila-2025", "BAR", 37), ("qa-article", "ORA", 28), ("de-arriba-2022", "ARR", 5)],
)
def test_every_row_of_the_sources_stands_in_its_own_order(
    library: Library, pathway: str, series: str, count: int
) -> None:
    found = [key for key in rules(library, pathway) if key.startswith(f"{series}-") and key[-2:].isdigit()]
    assert found == [f"{series}-{number:02}" for number in range(1, count + 1)]


def test_every_rule_and_statement_of_every_pathway_is_there(library: Library, knowledge: Knowledge) -> None:
    for pathway in knowledge.pathways.values():
        wanted = {rule.id for rule in pathway.rules}
        if not pathway.composed:
            wanted |= {statement.id for statement in pathway.statements}
        assert wanted <= set(rules(library, pathway.id)), pathway.id


def test_a_rule_that_speaks_for_regimens(library: Library) -> None:
    rule = rules(library, "barila-2025")["BAR-15"]
    assert rule["title"] == "BAR-15: recommend Isa-KD, D-PD"
    assert rule["code"][0]["coding"][0]["code"] == "recommend"
    assert (
        rule["description"]
        == "Refractory to lenalidomide at first relapse, an anti-CD38 antibody still usable."
    )
    assert [one["definitionCanonical"] for one in rule["action"]] == [f"{PLAN}isa-kd", f"{PLAN}d-pd"]
    assert rule["selectionBehavior"] == "at-most-one"
    (source,) = rule["documentation"]
    assert source["type"] == "citation"
    assert source["url"] == "https://doi.org/10.4084/MJHID.2025.043"
    assert "typically involves IsaKD or D-PD" in source["citation"]
    assert {"url": "https://myeloma-cds.org/StructureDefinition/effective-period",
            "valuePeriod": {"start": "2025-05-01"}} in rule["extension"]  # fmt: skip


def test_the_condition_of_a_rule_is_the_files_own(library: Library) -> None:
    (condition,) = rules(library, "barila-2025")["BAR-15"]["condition"]
    assert condition["kind"] == "applicability"
    assert condition["expression"]["language"] == "application/vnd.myeloma-cds.condition+json"
    assert json.loads(condition["expression"]["expression"]) == {
        "all": [
            {"prior_lines": {"exactly": 1}},
            {"refractory_to": "lenalidomide"},
            {"not": {"refractory_to": "anti-CD38"}},
            {"not": {"all": [{"intolerant_of": "daratumumab"}, {"intolerant_of": "isatuximab"}]}},
        ]
    }


def test_every_condition_can_be_read_by_its_schema(library: Library) -> None:
    judge = schemas()["condition"]
    told = 0
    for resource in library.all_of("PlanDefinition").values():
        for action in actions(resource):
            for condition in action.get("condition", ()):
                expression = condition["expression"]
                assert expression["description"]
                assert list(judge.iter_errors(json.loads(expression["expression"]))) == [], action["id"]
                told += 1
    assert told > 200


def test_what_a_rule_says_against_a_regimen_is_never_an_action_to_carry_out(library: Library) -> None:
    rule = rules(library, "barila-2025")["BAR-06"]
    assert rule["title"].startswith("BAR-06: put last R, ")
    assert "action" not in rule
    named = [one["resource"] for one in rule["documentation"] if one["type"] == "depends-on"]
    assert named == [f"{PLAN}{key}" for key in ("r", "dara", "isa", "bela", "benda", "hd-cy")]
    for pathway in ("barila-2025", "qa-article", "guidelines", "default"):
        for action in rules(library, pathway).values():
            verbs = {code["coding"][0]["code"] for code in action.get("code", ())}
            if verbs & AGAINST or not verbs:
                assert not any("definitionCanonical" in below for below in actions(action)), action["id"]


def test_a_statement_that_is_no_rule_says_why_and_where_it_lives(library: Library) -> None:
    statement = rules(library, "barila-2025")["BAR-03"]
    assert statement["title"] == "BAR-03: no rule about regimens"
    assert statement["description"].startswith("Frailty and comorbidities filter the options")
    assert statement["textEquivalent"] == "Carried out by pathways/drugs, pathways/hard-stops.yaml."
    assert "condition" not in statement


def test_the_default_pathway_says_what_it_asks_beyond_a_source(library: Library) -> None:
    rule = rules(library, "default")["ORA-19"]
    assert "Asked for more here than the source does, for X-" in rule["textEquivalent"]
    assert json.loads(rule["condition"][0]["expression"]["expression"]) != json.loads(
        rules(library, "qa-article")["ORA-19"]["condition"][0]["expression"]["expression"]
    )
    assert plan(library, "default")["action"][0]["id"] == "barila-2025"


def test_a_source_that_nobody_reviewed_says_so(library: Library) -> None:
    assert "nobody has reviewed it" in plan(library, "qa-article")["purpose"]
    assert "nobody has reviewed it" not in plan(library, "barila-2025")["purpose"]


def test_gates_and_hard_stops_stand_before_every_pathway(library: Library, knowledge: Knowledge) -> None:
    stops = plan(library, "gates-and-hard-stops")
    told = {action["id"] for action in actions(stops)}
    assert {entry.id for entry in (*knowledge.gates, *knowledge.hard_stops, *knowledge.gaps)} <= told
    for pathway in knowledge.pathways:
        needed = [one.get("resource") for one in plan(library, pathway)["relatedArtifact"]]
        assert f"{PLAN}gates-and-hard-stops" in needed


def test_conflicts_between_sources_stand_with_the_pathway_that_settles_them(
    library: Library, knowledge: Knowledge
) -> None:
    told = {one.get("label") for one in plan(library, "default")["relatedArtifact"]}
    assert {conflict.id for conflict in knowledge.conflicts} <= told


# ---- regimens --------------------------------------------------------------------------------------------
def test_every_regimen_is_an_order_set_with_a_definition_for_each_drug(
    library: Library, knowledge: Knowledge
) -> None:
    for regimen in knowledge.regimens.values():
        resource = plan(library, regimen.key)
        assert resource["type"]["coding"][0]["code"] == "order-set"
        assert [action["id"] for action in resource["action"]] == list(regimen.components)
        for action in resource["action"]:
            choices = action.get("action", [action])
            assert all(one["definitionCanonical"].startswith(ACTIVITY) for one in choices)
            assert len(choices) == 1 or all("condition" in one for one in choices)


def test_what_a_regimen_rests_on_is_cited(library: Library, knowledge: Knowledge) -> None:
    cited = [one.get("citation", "") for one in plan(library, "d-pd")["relatedArtifact"]]
    assert (
        "Barilà 2025; doi 10.4084/MJHID.2025.043; Table 1 APOLLO + MM-014 + Mian text + 'Current'"
    ) in cited
    for regimen in knowledge.regimens.values():
        assert regimen.sources


def test_labels_stand_with_region_date_formulation_words_and_mark(library: Library) -> None:
    labels = [one for one in plan(library, "d-pd")["relatedArtifact"] if one["type"] == "documentation"]
    assert [one["label"] for one in labels] == ["EMA label", "FDA label", "FDA label"]
    assert labels[1]["display"] == (
        "FDA: authorised since 2021-07-09 (SC). At least 1 prior line, including lenalidomide and a "
        "proteasome inhibitor."
    )
    assert labels[1]["citation"].endswith("[V]")


def test_a_withdrawn_label_keeps_its_dates(library: Library) -> None:
    labels = [
        one["display"] for one in plan(library, "bela")["relatedArtifact"] if one["type"] == "documentation"
    ]
    assert any("withdrawn" in text or "until" in text for text in labels)


def test_a_trial_is_cited_with_every_population_and_conflict(library: Library) -> None:
    cited = {one.get("label"): one for one in plan(library, "d-pd")["relatedArtifact"]}
    row = cited["APOLLO-ITT"]
    assert row["type"] == "citation"
    assert row["display"].startswith(
        "APOLLO, lenalidomide-refractory (79.5 %; median 2 lines): median PFS 9.9"
    )
    assert "APOLLO, all randomised (median 2 lines): median PFS 12.4 vs 6.9 months" in row["citation"]
    assert "TABLE RIGHT. Used here: 79.5 % lenalidomide-refractory. Seen in the report" in row["citation"]
    assert row["citation"].endswith("Not clinically reviewed.")


def test_every_trial_row_stands_with_its_regimen(library: Library, knowledge: Knowledge) -> None:
    for row in knowledge.evidence.values():
        if row.regimen:
            assert row.id in [one.get("label") for one in plan(library, row.regimen)["relatedArtifact"]]


def test_what_was_recalled_asks_to_be_rechecked(library: Library, knowledge: Knowledge) -> None:
    marked = [
        node["citation"]
        for resource in library.all_of("PlanDefinition").values()
        for _, node in nodes(resource)
        if "citation" in node and "[" in node["citation"]
    ]
    recalled = [text for text in marked if "[R" in text or "[V/R" in text]
    assert recalled
    assert all("recheck the label or the paper]" in text for text in recalled)


# ---- doses -----------------------------------------------------------------------------------------------
def activity(library: Library, identifier: str) -> dict[str, Any]:
    return library.all_of("ActivityDefinition")[identifier]


def test_a_plain_dose_is_structured(library: Library) -> None:
    found = activity(library, "d-pd-pomalidomide")
    assert (found["kind"], found["intent"]) == ("MedicationRequest", "proposal")
    (row,) = found["dosage"]
    assert row["text"] == "4 mg PO on days 1-21"
    assert row["doseAndRate"] == [
        {"doseQuantity": {"value": 4, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}}
    ]
    codes = {coding["system"]: coding["code"] for coding in found["productCodeableConcept"]["coding"]}
    assert codes["https://myeloma-cds.org/CodeSystem/drugs"] == "pomalidomide"
    assert codes["http://www.whocc.no/atc"] == "L04AX06"


def test_a_lower_dose_for_the_old_is_a_definition_of_its_own(library: Library) -> None:
    action = next(a for a in plan(library, "d-pd")["action"] if a["id"] == "dexamethasone")
    assert action["selectionBehavior"] == "exactly-one"
    usual, old = action["action"]
    assert usual["title"] == "Usual dose"
    assert old["title"].startswith("Dose for: ") and "75" in old["title"]
    assert json.loads(usual["condition"][0]["expression"]["expression"]) == {"not": {"age": {"at_least": 75}}}
    assert json.loads(old["condition"][0]["expression"]["expression"]) == {"age": {"at_least": 75}}
    doses = [
        activity(library, one["definitionCanonical"].removeprefix(ACTIVITY))["dosage"][0]["text"]
        for one in (usual, old)
    ]
    assert doses == ["40 mg PO/IV on days 1, 8, 15, 22", "20 mg PO/IV on days 1, 8, 15, 22"]


def test_a_dose_that_differs_by_region_is_told_for_each(library: Library) -> None:
    (action,) = plan(library, "teclistamab")["action"]
    assert [json.loads(one["condition"][0]["expression"]["expression"]) for one in action["action"]] == [
        {"region": "EMA"},
        {"region": "FDA"},
    ]


def test_a_step_up_schedule_is_published_whole_or_not_at_all(library: Library, knowledge: Knowledge) -> None:
    stepped = 0
    for regimen in knowledge.regimens.values():
        for drug in regimen.components:
            rows = [d for d in regimen.doses if d.drug == drug and not d.alternative]
            if not any(row.step_up for row in rows):
                continue
            for identifier, found in library.all_of("ActivityDefinition").items():
                if identifier != f"{regimen.key}-{drug}" and not identifier.startswith(
                    f"{regimen.key}-{drug}-"
                ):
                    continue
                stepped += 1
                region = (
                    "EMA" if identifier.endswith("-ema") else "FDA" if identifier.endswith("-fda") else ""
                )
                here = [row for row in rows if not row.regions or region in row.regions]
                whole = all(row.amount is not None for row in here if row.step_up)
                assert len(found.get("dosage", ())) == (len(here) if whole else 0), identifier
    assert stepped >= 6


def test_a_step_without_its_amount_leaves_no_dose_at_all(library: Library) -> None:
    found = activity(library, "tec-tal-talquetamab")
    assert "dosage" not in found
    assert "No dose is asserted" in found["description"]


def test_an_alternative_schedule_is_told_in_words_alone(library: Library) -> None:
    found = activity(library, "d-kd-daratumumab")
    assert all("IV" in row["text"] for row in found["dosage"])
    assert "Other schedule in the source: 1800 mg SC on days 1, 8, 15, 22 (C1-2)" in found["description"]


def test_cells_are_no_dose_to_calculate_with(library: Library) -> None:
    (row,) = activity(library, "cilta-cel-ciltacabtagene-autoleucel")["dosage"]
    assert set(row) <= {"sequence", "text", "_text"}
    assert (
        "Lymphodepletion, not ordered here: fludarabine 30 mg/m2 IV"
        in plan(library, "cilta-cel")["description"]
    )


def test_what_to_mind_with_a_drug_is_published_with_it(library: Library, knowledge: Knowledge) -> None:
    for component in knowledge.components.values():
        resource = plan(library, f"drug-{component.drug}")
        entries = (*component.cautions, *component.advice, *component.adjustments, *component.companions)
        assert len(resource.get("action", ())) == len(entries)
    titles = [action["title"] for action in plan(library, "drug-daratumumab")["action"]]
    assert titles[-1] == "Must not be missing: zoster prophylaxis"
    bars = [a for a in plan(library, "drug-lenalidomide")["action"] if a["title"] == "Contraindication"]
    assert json.loads(bars[0]["condition"][0]["expression"]["expression"]) == {
        "has": {"concept": "pregnancy"}
    }
