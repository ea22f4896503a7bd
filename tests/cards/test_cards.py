"""Each kind of card over hand-made answers, read as a clinician and as a client would read it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt

from cds_service.cards.manner import SELECTION_BEHAVIORS, Manner
from cds_service.cards.render import DETAIL_WORDS, MOST_CARDS, Renderer
from cds_service.knowledge.types import Knowledge, Source, Text
from cds_service.patient.types import Certainty, DiagnosisState, DrugState, Status, Unknown
from cds_service.record import Completeness, Issue, Purpose, Severity
from cds_service.sequencing.types import (
    Answer,
    CautionShown,
    DisagreementShown,
    MissingCompanion,
    NotSuggested,
    Ordered,
    Reason,
    Recommendation,
)
from tests.cards.answers import (
    FIVE,
    assert_nothing_empty,
    chart,
    clash,
    draft,
    first_relapse,
    recommending,
    suggested,
)

SEQUENCING = Answer(sequencing=True)
OWN = "org.myeloma-cds"
NEUROPATHY = CautionShown(
    "bortezomib",
    "peripheral-neuropathy",
    Text("Neuropathy grade 2 is charted.", "Neuropatia di grado 2."),
    True,
)
HOSTILE = (
    "<script>alert(1)</script>|**x** [click](http://evil.example) `code`\n\n# Heading <img src=x onerror=y>"
)


def one_card(cards: list[dict[str, Any]]) -> dict[str, Any]:
    assert len(cards) == 1
    return cards[0]


@pytest.mark.parametrize(
    ("case", "state", "recommendation", "language", "summary"),
    [
        (
            "first relapse on DRd",
            first_relapse(),
            recommending(*FIVE),
            "en",
            "1st relapse, refractory to daratumumab and lenalidomide: 5 regimens fit (EMA)",
        ),
        (
            "the same in Italian",
            first_relapse(),
            recommending(*FIVE),
            "it",
            "1ª recidiva, refrattaria a daratumumab e lenalidomide: 5 schemi adatti (EMA)",
        ),
        (
            "one regimen alone",
            first_relapse(("lenalidomide",), labels=("first-relapse",)),
            recommending("d-pd", region="FDA"),
            "en",
            "1st relapse, refractory to lenalidomide: 1 regimen fits (FDA)",
        ),
        (
            "nothing fits",
            first_relapse(),
            recommending(),
            "en",
            "1st relapse, refractory to daratumumab and lenalidomide: "
            "no regimen fits inside the label; the nearest, and why not (EMA)",
        ),
        (
            "relapse without refractoriness, four lines",
            first_relapse((), labels=(), prior_lines=4),
            recommending("d-rd"),
            "en",
            "Relapse after 4 prior lines, not known to be refractory to any drug: 1 regimen fits (EMA)",
        ),
        (
            "the number of lines cannot be told",
            first_relapse(("lenalidomide",), labels=(), prior_lines=None),
            recommending("kd", "s-vd"),
            "en",
            "Relapse after at least 1 prior line, refractory to lenalidomide: "
            "2 regimens fit if the history is complete (EMA)",
        ),
        (
            "steroids are not told",
            first_relapse(("bortezomib",), labels=("primary-refractory", "first-relapse")),
            recommending("d-rd"),
            "en",
            "Primary refractory to bortezomib: 1 regimen fits (EMA)",
        ),
        (
            "too many drugs to name: the label instead",
            first_relapse(
                (
                    "bortezomib",
                    "carfilzomib",
                    "daratumumab",
                    "elotuzumab",
                    "ixazomib",
                    "lenalidomide",
                    "pomalidomide",
                ),
                labels=("triple-class-refractory", "penta-refractory"),
                prior_lines=5,
            ),
            recommending("talquetamab"),
            "en",
            "Relapse after 5 prior lines, penta-refractory: 1 regimen fits (EMA)",
        ),
    ],
)
def test_summary_names_the_state_and_the_decision(
    renderer: Renderer, case: str, state: Any, recommendation: Recommendation, language: str, summary: str
) -> None:
    card = one_card(renderer.cards(chart(), state, recommendation, SEQUENCING, language=language))
    assert card["summary"] == summary, case
    assert card["indicator"] == "info"


def test_unknown_refractoriness_is_told_in_the_summary(renderer: Renderer) -> None:
    unsure = DrugState(
        "lenalidomide",
        Status.UNKNOWN,
        Certainty.PRESUMED,
        "The last dose is not dated.",
        derived_from=("MedicationStatement/m1",),
    )
    state = first_relapse((), labels=("first-relapse",))
    state = replace(state, drugs={"lenalidomide": unsure})
    card = one_card(renderer.cards(chart(), state, recommending("kd"), SEQUENCING))
    assert card["summary"] == "1st relapse, unknown whether refractory to lenalidomide: 1 regimen fits (EMA)"


def test_sequencing_card_is_whole(renderer: Renderer, response_schema: Draft202012Validator) -> None:
    record = chart(
        issues=(Issue(Severity.WARNING, "unmapped-code", "A code is not known.", "MedicationStatement/m9"),),
        completeness={"observations": Completeness.ABSENT, "conditions": Completeness.COMPLETE},
    )
    state = replace(
        first_relapse(),
        unknown=(Unknown("refractory:bortezomib", "the day of the last dose of bortezomib", True),),
    )
    recommendation = replace(
        recommending(*FIVE, "d-pd"),
        disagreements=(
            DisagreementShown(
                "X-01", Text("The article lists D-VD here; the review does not.", "Discordanza.")
            ),
        ),
    )
    first = replace(recommendation.suggested[0], cautions=(NEUROPATHY,))
    second = replace(recommendation.suggested[1], cautions=(NEUROPATHY,))
    recommendation = replace(recommendation, suggested=(first, second, *recommendation.suggested[2:]))
    card = one_card(renderer.cards(record, state, recommendation, SEQUENCING))
    response_schema.validate({"cards": [card]})
    assert_nothing_empty(card)
    assert [s["extension"][OWN]["regimen"] for s in card["suggestions"]] == list(FIVE)
    assert card["selectionBehavior"] == "at-most-one"
    assert [s.get("isRecommended") for s in card["suggestions"]] == [True, None, None, None, None]
    assert card["extension"][OWN]["kind"] == "sequencing"
    assert card["extension"][OWN]["as_of"] == "2026-03-01"
    assert card["extension"][OWN]["rules"] == ["BAR-19"]
    assert card["source"]["url"] == "https://doi.org/10.4084/MJHID.2025.043"
    assert "2026.11" in card["source"]["label"]
    assert re.fullmatch(r"[A-Za-z0-9]{1,100}", card["source"]["topic"]["code"])
    assert card["links"][-1]["url"] == "https://cds.example.org/about"
    detail = card["detail"]
    assert "10.2 vs 7.1" in detail  # the figure of her population, not of the whole trial
    assert detail.count("Neuropathy grade 2 is charted.") == 1
    assert detail.count("⚠1") == 3  # twice in the table, once explained
    assert "Also fits: D-PD." in detail
    assert "the day of the last dose of bortezomib" in detail
    assert "X-01" in detail
    assert "An antineoplastic drug in the chart is not known to this service." in detail
    assert "Not received in full: observations." in detail
    assert "as of 2026-03-01" in detail
    assert "The clinician decides." in detail
    assert len(detail.split()) <= DETAIL_WORDS


def test_nothing_of_the_patient_stands_in_a_card_outside_its_orders(renderer: Renderer) -> None:
    card = one_card(renderer.cards(chart(), first_relapse(), recommending(*FIVE), SEQUENCING))
    del card["uuid"]  # made up by chance: its digits may read as a year
    for suggestion in card["suggestions"]:
        del suggestion["actions"], suggestion["uuid"]
    told = json.dumps(card)
    assert "p1" not in told.replace("p-vd", "")
    assert "1951" not in told


def test_a_client_that_knows_only_any_gets_no_preselected_order(
    renderer: Renderer, response_schema: Draft202012Validator
) -> None:
    card = one_card(
        renderer.cards(chart(), first_relapse(), recommending(*FIVE), SEQUENCING, manner=Manner("any"))
    )
    response_schema.validate({"cards": [card]})
    assert card["selectionBehavior"] == "any"
    assert not any("isRecommended" in s for s in card["suggestions"])


def test_every_identifier_of_an_answer_is_its_own(renderer: Renderer) -> None:
    cards = renderer.cards(chart(), first_relapse(), recommending(*FIVE), SEQUENCING)
    cards += renderer.cards(chart(), first_relapse(), recommending(*FIVE), SEQUENCING)
    ids = [c["uuid"] for c in cards] + [s["uuid"] for c in cards for s in c["suggestions"]]
    assert len(set(ids)) == len(ids) == 12


def test_where_nothing_fits_the_nearest_are_named_with_their_reasons(
    renderer: Renderer, response_schema: Draft202012Validator
) -> None:
    outside = Reason("outside-label", Text("outside its label in EMA: at least 3 prior lines."))
    component = Reason(
        "refractory-component", Text("contains lenalidomide, to which the disease is refractory")
    )
    no_rule = Reason("no-rule", Text("no rule speaks for it"))
    recommendation = Recommendation(
        "EMA",
        "default",
        (),
        (
            NotSuggested("d-rd", (component,)),
            NotSuggested("elranatamab", (outside, no_rule)),
            NotSuggested("teclistamab", (outside, no_rule)),
        ),
    )
    card = one_card(renderer.cards(chart(), first_relapse(), recommendation, SEQUENCING))
    response_schema.validate({"cards": [card]})
    assert_nothing_empty(card)
    assert "suggestions" not in card
    assert "rules" not in card["extension"][OWN]
    rows = [row for row in card["detail"].splitlines() if row.startswith("| **")]
    assert rows[0] == "| **elranatamab, teclistamab** | Outside its label in EMA: at least 3 prior lines |"
    assert rows[1].startswith("| **DRd** | Contains lenalidomide")


@pytest.mark.parametrize(
    ("case", "conflicts", "language", "indicator", "summary"),
    [
        (
            "refractory to the drug",
            [clash("daratumumab", "MedicationRequest/d1")],
            "en",
            "warning",
            "Daratumumab ordered; the disease is refractory to it (documented)",
        ),
        (
            "refractory, in Italian",
            [clash("daratumumab", "MedicationRequest/d1")],
            "it",
            "warning",
            "Prescrizione di daratumumab: malattia refrattaria al farmaco (documentata)",
        ),
        (
            "allergy comes first and is critical",
            [
                clash("daratumumab", "MedicationRequest/d1"),
                clash("lenalidomide", "MedicationRequest/d2", critical=True, code="contraindicated"),
            ],
            "en",
            "critical",
            "Lenalidomide ordered; an allergy to it is charted; 1 more in conflict",
        ),
        (
            "a reason without a text of its own",
            [clash("daratumumab", "MedicationRequest/d1", code="exposed-without-benefit")],
            "en",
            "warning",
            "Daratumumab ordered; the disease is refractory to it (documented)",
        ),
    ],
)
def test_conflict_card_says_what_clashes(
    renderer: Renderer,
    response_schema: Draft202012Validator,
    case: str,
    conflicts: list[Any],
    language: str,
    indicator: str,
    summary: str,
) -> None:
    record = chart(
        draft("daratumumab", "MedicationRequest/d1"), draft("lenalidomide", "MedicationRequest/d2")
    )
    answer = Answer(conflicts=tuple(conflicts))
    card = one_card(renderer.cards(record, first_relapse(), recommending(*FIVE), answer, language=language))
    response_schema.validate({"cards": [card]})
    assert_nothing_empty(card)
    assert card["summary"] == summary, case
    assert card["indicator"] == indicator
    assert all(reason["display"] for reason in card["overrideReasons"])
    assert len(card["detail"].split()) <= DETAIL_WORDS


def test_a_better_regimen_orders_its_drugs_and_then_removes_the_drafts(renderer: Renderer) -> None:
    record = chart(
        draft("daratumumab", "MedicationRequest/d1", "Daratumumab 1800 mg SC"),
        draft("dexamethasone", "MedicationRequest/d3"),
        draft("aciclovir", "MedicationRequest/d4"),
        draft("lenalidomide", "MedicationRequest/d5", selected=False),
    )
    answer = Answer(conflicts=(clash("daratumumab", "MedicationRequest/d1"),))
    card = one_card(renderer.cards(record, first_relapse(), recommending("s-vd"), answer))
    actions = card["suggestions"][0]["actions"]
    assert [a["type"] for a in actions] == ["create"] * 3 + ["delete"] * 3
    assert actions[0]["resource"]["medicationCodeableConcept"]["text"] == "selinexor"
    # The regimen goes as a whole, selected or not: half of it would stand beside its replacement. The
    # prophylaxis stays.
    deleted = {a["resourceId"] for a in actions[3:]}
    assert deleted == {"MedicationRequest/d1", "MedicationRequest/d3", "MedicationRequest/d5"}
    assert actions[3]["description"] == "Remove the draft order of daratumumab (Daratumumab 1800 mg SC)."


def test_what_is_drafted_for_something_else_stays(renderer: Renderer) -> None:
    nausea = replace(draft("dexamethasone", "MedicationRequest/d2"), purpose=Purpose.ANTIEMETIC)
    record = chart(draft("lenalidomide", "MedicationRequest/d1"), nausea)
    answer = Answer(conflicts=(clash("lenalidomide", "MedicationRequest/d1"),))
    card = one_card(renderer.cards(record, first_relapse(), recommending("s-vd"), answer))
    actions = card["suggestions"][0]["actions"]
    assert [a["resourceId"] for a in actions if a["type"] == "delete"] == ["MedicationRequest/d1"]


def test_a_draft_that_cannot_be_named_is_not_removed(renderer: Renderer) -> None:
    record = chart(draft("lenalidomide", "MedicationRequest/#3fa9c1d2"))
    answer = Answer(conflicts=(clash("lenalidomide", "MedicationRequest/#3fa9c1d2"),))
    card = one_card(renderer.cards(record, first_relapse(), recommending("s-vd"), answer))
    assert [a["type"] for a in card["suggestions"][0]["actions"]] == ["create"] * 3


def test_the_regimen_that_the_drafts_make_up_is_named(renderer: Renderer) -> None:
    conflict = replace(
        clash("lenalidomide", "MedicationRequest/d1"),
        in_regimen=Text("DRd ordered; the disease is refractory to lenalidomide (documented)."),
    )
    answer = Answer(conflicts=(conflict,), ordered=Ordered("d-rd", ("dexamethasone",)))
    record = chart(
        draft("lenalidomide", "MedicationRequest/d1"), draft("daratumumab", "MedicationRequest/d2")
    )
    card = one_card(renderer.cards(record, first_relapse(), recommending(*FIVE), answer))
    assert card["summary"] == "DRd ordered; the disease is refractory to lenalidomide (documented)"
    assert card["detail"].startswith(
        "Together the orders are **Daratumumab-lenalidomide-dexamethasone (DRd)**, without dexamethasone."
    )
    assert card["extension"][OWN]["finding"] == "order-conflict|refractory-component:lenalidomide"


STEROID = MissingCompanion(
    "dexamethasone",
    Text("dexamethasone", "desametasone"),
    (Text("part of DRd.", "parte di DRd."),),
    drugs=("daratumumab", "lenalidomide"),
    lacking="dexamethasone",
)
ZOSTER = MissingCompanion(
    "zoster-prophylaxis",
    Text("zoster prophylaxis", "profilassi per herpes zoster"),
    (Text("Daratumumab: prophylaxis against herpes zoster.", "Daratumumab: profilassi."),),
    (Source("US label"),),
    ("daratumumab",),
)


@pytest.mark.parametrize(
    ("companions", "ordered", "language", "summary", "labels"),
    [
        (
            (STEROID, ZOSTER),
            Ordered("d-rd", ("dexamethasone",)),
            "en",
            "DRd ordered; found neither in the drafts nor in the chart: dexamethasone and zoster prophylaxis",
            ["Add dexamethasone to DRd"],
        ),
        (
            (STEROID, ZOSTER),
            Ordered("d-rd", ("dexamethasone",)),
            "it",
            "Prescrizione di DRd; non risultano né tra le bozze né in cartella: "
            "desametasone e profilassi per herpes zoster",
            ["Aggiungere desametasone a DRd"],
        ),
        (
            (ZOSTER,),
            None,
            "en",
            "Daratumumab ordered; found neither in the drafts nor in the chart: zoster prophylaxis",
            [],
        ),
    ],
)
def test_what_goes_with_an_order_and_is_missing_is_one_quiet_card(
    renderer: Renderer,
    response_schema: Draft202012Validator,
    companions: tuple[MissingCompanion, ...],
    ordered: Ordered | None,
    language: str,
    summary: str,
    labels: list[str],
) -> None:
    answer = Answer(companions=companions, ordered=ordered)
    record = chart(
        draft("lenalidomide", "MedicationRequest/d1"), draft("daratumumab", "MedicationRequest/d2")
    )
    card = one_card(renderer.cards(record, first_relapse(), recommending(*FIVE), answer, language=language))
    response_schema.validate({"cards": [card]})
    assert_nothing_empty(card)
    assert (card["summary"], card["indicator"]) == (summary, "info")
    finding = ",".join(f"missing-companion:{one.id}" for one in companions)
    assert card["extension"][OWN]["finding"] == f"order-conflict|{finding}"
    # Silence on the one must not be silence on the other: Epic remembers an override by the topic's code.
    assert card["source"]["topic"]["code"] == "rrmmmissingcompanion"
    assert card["overrideReasons"][0]["code"] == "action-completed"
    assert card["links"][0]["url"] == "https://cds.example.org/explain/order-conflict/missing-companion"
    suggestions = card.get("suggestions", [])
    assert [one["label"] for one in suggestions] == labels
    for suggestion in suggestions:
        (action,) = suggestion["actions"]
        assert action["type"] == "create" and "isRecommended" not in suggestion
        assert action["resource"]["dosageInstruction"][0]["text"].startswith("40 mg")


def test_without_a_better_regimen_the_conflict_still_shows(renderer: Renderer) -> None:
    answer = Answer(conflicts=(clash("daratumumab", "MedicationRequest/d1"),))
    record = chart(draft("daratumumab", "MedicationRequest/d1"))
    card = one_card(renderer.cards(record, first_relapse(), recommending(), answer))
    assert_nothing_empty(card)
    assert "suggestions" not in card and "selectionBehavior" not in card
    assert "No regimen of this pathway is offered in its place (EMA)." in card["detail"]


def test_hostile_text_of_the_chart_stays_text(renderer: Renderer) -> None:
    record = chart(draft("daratumumab", "MedicationRequest/d1", HOSTILE))
    state = first_relapse()
    drugs = dict(state.drugs) | {"daratumumab": replace(state.drugs["daratumumab"], because=HOSTILE)}
    state = replace(state, drugs=drugs, unknown=(Unknown("ecog", HOSTILE, True),))
    conflict = Answer(conflicts=(clash("daratumumab", "MedicationRequest/d1"),))
    recommendation = recommending("s-vd")
    cards = renderer.cards(record, state, recommendation, conflict)
    cards += renderer.cards(record, state, recommendation, SEQUENCING)
    cards += renderer.cards(record, state, recommendation, Answer(missing=state.unknown))
    for card in cards:
        html = MarkdownIt("gfm-like", {"linkify": False}).render(card["detail"])
        assert "<script" not in html and "<img" not in html and "<a " not in html and "<h1" not in html
        assert "<strong>x</strong>" not in html
        assert "<" not in re.sub(r"&lt;", "", card["detail"])
        assert "**x**" in re.sub(r"<[^>]+>", "", html)  # every character is there to read
        for row in (line for line in card["detail"].splitlines() if line.startswith("| **")):
            assert len(re.findall(r"(?<!\\)\|", row)) in (4, 5)


def test_missing_data_card_names_the_datum(renderer: Renderer, response_schema: Draft202012Validator) -> None:
    missing = (
        Unknown("medication-history", "the complete medication history"),
        Unknown("refractory:bortezomib", "the day of the last dose of bortezomib"),
    )
    card = one_card(renderer.cards(chart(), first_relapse(), recommending(), Answer(missing=missing)))
    response_schema.validate({"cards": [card]})
    assert_nothing_empty(card)
    assert card["indicator"] == "info"
    assert "suggestions" not in card
    assert card["summary"] == (
        "No regimen can be suggested; not charted: the treatments given so far and "
        "whether the disease is refractory to bortezomib"
    )
    assert "Needed: the day of the last dose of bortezomib" in card["detail"]


@pytest.mark.parametrize(
    ("what", "language", "summary"),
    [
        ("remission", "en", "Myeloma in remission on lenalidomide: no choice of regimen is due"),
        (
            "remission",
            "it",
            "Mieloma in remissione in terapia con lenalidomide: non occorre scegliere uno schema ora",
        ),
        ("out-of-scope", "en", "AL amyloidosis is outside what this service covers: nothing is suggested"),
        ("out-of-scope", "it", "Amiloidosi AL: fuori dall'ambito di questo servizio, nessuna proposta"),
    ],
)
def test_the_quiet_card_suggests_nothing(
    renderer: Renderer, response_schema: Draft202012Validator, what: str, language: str, summary: str
) -> None:
    ongoing = DrugState("lenalidomide", Status.EXPOSED, Certainty.DOCUMENTED, "Given.", ongoing=True)
    state = replace(
        first_relapse(),
        drugs={"lenalidomide": ongoing},
        diagnosis=DiagnosisState(
            "remission", "al-amyloidosis" if what == "out-of-scope" else "multiple-myeloma"
        ),
    )
    card = one_card(
        renderer.cards(chart(), state, recommending(*FIVE), Answer(state=what), language=language)
    )
    response_schema.validate({"cards": [card]})
    assert_nothing_empty(card)
    assert card["summary"] == summary
    assert card["indicator"] == "info"
    assert "suggestions" not in card
    assert "rules" not in card["extension"][OWN]


def test_silence_is_no_card(renderer: Renderer) -> None:
    assert renderer.cards(chart(), first_relapse(), recommending(*FIVE), Answer()) == []


def test_a_remission_without_a_named_drug_leaves_no_hole(renderer: Renderer) -> None:
    state = replace(first_relapse(), drugs={}, prior_lines=None)
    card = one_card(renderer.cards(chart(), state, recommending(), Answer(state="remission")))
    assert card["summary"] == "Myeloma in remission on therapy: no choice of regimen is due"
    assert card["detail"].startswith("Remission is charted. Regimens are suggested")


# Properties

_words = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=60)
_short = st.lists(
    st.text(alphabet=st.characters(categories=("Ll", "Lu", "Nd", "Po", "Sm")), min_size=1, max_size=12),
    min_size=1,
    max_size=14,
).map(" ".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_summary_fits_and_no_member_is_empty(
    renderer: Renderer, knowledge: Knowledge, response_schema: Draft202012Validator, data: st.DataObject
) -> None:
    drugs = data.draw(st.lists(st.sampled_from(sorted(knowledge.drugs)), unique=True, max_size=20))
    drugs += data.draw(
        st.lists(_words.filter(str.strip), unique=True, max_size=2)
    )  # a drug not in the tables
    regimens = data.draw(st.lists(st.sampled_from(sorted(knowledge.regimens)), unique=True, max_size=8))
    region = data.draw(st.sampled_from(["EMA", "FDA"]))
    state = first_relapse(
        drugs,
        labels=data.draw(
            st.lists(
                st.sampled_from(
                    ["first-relapse", "triple-class-refractory", "penta-refractory", "functional-high-risk"]
                ),
                unique=True,
            )
        ),
        prior_lines=data.draw(st.one_of(st.none(), st.integers(0, 30))),
        certainty=data.draw(st.sampled_from(list(Certainty))),
    )
    missing = tuple(
        Unknown(what, settles)
        for what, settles in data.draw(st.lists(st.tuples(_short, _short), min_size=1, max_size=6))
    )
    drafted = drugs[:3] or ["lenalidomide"]
    record = chart(
        *(draft(key, f"MedicationRequest/d{n}", data.draw(_words)) for n, key in enumerate(drafted))
    )
    codes = st.sampled_from(
        ["refractory-component", "refractory-class", "intolerance", "contraindicated", "other"]
    )
    conflicts = tuple(
        replace(
            clash(key, f"MedicationRequest/d{n}", code=data.draw(codes)),
            text=Text(data.draw(_short) * 3),
            in_regimen=data.draw(st.none() | _short.map(lambda words: Text(words * 2))),
        )
        for n, key in enumerate(drafted)
    )
    companions = tuple(
        MissingCompanion(f"c{n}", Text(name), (Text(name * 2),), drugs=tuple(drugs[:4]))
        for n, name in enumerate(data.draw(st.lists(_short, max_size=5)))
    )
    whole = st.sampled_from(sorted(key for key, one in knowledge.regimens.items() if len(one.components) > 1))
    answer = Answer(
        True,
        data.draw(st.sampled_from([conflicts, ()])),
        data.draw(st.sampled_from(["", "remission", "out-of-scope"])),
        missing,
        companions,
        data.draw(st.none() | st.builds(Ordered, whole)),
    )
    cards = renderer.cards(
        record,
        state,
        recommending(*regimens, region=region),
        answer,
        language=data.draw(st.sampled_from(["en", "it"])),
        manner=Manner(data.draw(st.sampled_from(SELECTION_BEHAVIORS))),
    )
    for card in cards:
        assert 0 < len(card["summary"]) <= 139
        assert "\n" not in card["summary"]
        assert_nothing_empty(card)
    response_schema.validate({"cards": cards})


_sentences = st.integers(4, 16).map(lambda length: " ".join(f"word{n}" for n in range(length)))
_rule = st.integers(1, 40).map(lambda n: f"BAR-{n:02}")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    regimens=st.permutations(
        ("s-vd", "p-vd", "kd", "bela-pd", "bela-vd", "isa-kd", "d-pd", "cilta-cel", "d-kd")
    ),
    because=st.lists(_sentences, min_size=9, max_size=9),
    rules=st.lists(st.lists(_rule, min_size=1, max_size=4), min_size=9, max_size=9),
    shown=st.integers(5, 9),
    disagreements=st.lists(_sentences, max_size=4),
    unknown=st.lists(_sentences, max_size=5),
    concerning=_sentences,
    by_rule=_sentences,
    language=st.sampled_from(["en", "it"]),
)
def test_a_detail_with_five_regimens_takes_ten_seconds(
    renderer: Renderer,
    knowledge: Knowledge,
    regimens: tuple[str, ...],
    because: list[str],
    rules: list[list[str]],
    shown: int,
    disagreements: list[str],
    unknown: list[str],
    concerning: str,
    by_rule: str,
    language: str,
) -> None:
    concerns = CautionShown("bortezomib", "neuropathy", Text(f"Concerns her {concerning}."), True)
    told_by_rule = CautionShown("", "BAR-13", Text(f"by rule {by_rule}"), False)
    entries = [
        suggested(
            key,
            rank,
            because=because[rank - 1],
            rules=rules[rank - 1],
            evidence=sorted(row.id for row in knowledge.evidence.values() if row.regimen == key)[:1],
        )
        for rank, key in enumerate(regimens[:shown], 1)
    ]
    entries[0] = replace(entries[0], cautions=(concerns, told_by_rule))
    clashes = tuple(DisagreementShown(f"X-0{n}", Text(text)) for n, text in enumerate(disagreements))
    unsettled = tuple(Unknown(f"u{n}", text, True) for n, text in enumerate(unknown))
    state = replace(first_relapse(), unknown=unsettled)
    recommendation = Recommendation("EMA", "default", tuple(entries), (), clashes)
    card = one_card(renderer.cards(chart(), state, recommendation, SEQUENCING, language=language))
    assert len(card["detail"].split()) <= DETAIL_WORDS
    assert concerns.text.en in card["detail"]  # what concerns the patient is never left out
    for entry in entries[:5]:
        assert f"| **{knowledge.regimens[entry.regimen].display}** " in card["detail"]


def test_the_gravest_card_comes_first_and_no_more_than_three_come_at_all(renderer: Renderer) -> None:
    unknown = Unknown("refractory:bortezomib", "the date of the last bortezomib")
    everything = Answer(
        sequencing=True,
        conflicts=(clash("carfilzomib", "MedicationRequest/m1", critical=True),),
        state="remission",
        missing=(unknown,),
    )
    cards = renderer.cards(chart(), first_relapse(), recommending("s-vd"), everything)
    assert [one["indicator"] for one in cards] == ["critical", "info", "info"]
    assert len(cards) == MOST_CARDS
