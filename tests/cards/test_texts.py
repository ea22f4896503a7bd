"""The wording a clinician reads: true alone, bounded, grammatical, and in one language."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.cards.markdown import charted, sentence_case, whole_sentence
from cds_service.cards.orders import Orders, Recipient
from cds_service.cards.render import DETAIL_WORDS, Renderer
from cds_service.cards.wording import Wording
from cds_service.knowledge.types import Knowledge, Text
from cds_service.patient.types import Certainty, DrugState, Status, Unknown
from cds_service.record import Completeness, DateSpan, Issue, Severity
from cds_service.sequencing.types import (
    Answer,
    CautionShown,
    Conflict,
    DisagreementShown,
    LabelStatus,
    NotSuggested,
    Reason,
    Recommendation,
)
from tests.cards.answers import AS_OF, FIVE, chart, clash, draft, first_relapse, recommending

SEQUENCING = Answer(sequencing=True)
LOST = Issue(Severity.WARNING, "unresolved-reference", "m9 refers to a Medication.", "MedicationStatement/m9")
UNMAPPED = Issue(Severity.WARNING, "unmapped-code", "m8 is not known here.", "MedicationStatement/m8")
VAGUE = Issue(Severity.WARNING, "unreadable-date", "o1 has no readable date.", "Observation/o1")


def unsettled(recommendation: Recommendation, *regimens: str) -> Recommendation:
    """The recommendation with the label of these regimens hanging on an unknown datum."""
    told = Text("authorised, but unknown: whether bortezomib was ever given", "autorizzato, ma non noto: ...")
    label = LabelStatus("EMA", "unknown", told, "authorised", ("exposed:bortezomib",))
    fits = (
        replace(s, label=label, unknown=label.missing) if s.regimen in regimens else s
        for s in recommendation.suggested
    )
    return replace(recommendation, suggested=tuple(fits))


def card(
    renderer: Renderer, record: Any, state: Any, answered: Recommendation, **more: Any
) -> dict[str, Any]:
    (one,) = renderer.cards(record, state, answered, more.pop("answer", SEQUENCING), **more)
    return one


# The summary alone must be true


@pytest.mark.parametrize(
    ("case", "record", "state", "regimens", "unsure", "language", "summary"),
    [
        (
            "part of the medication history did not come",
            chart(),
            first_relapse(history_known=False),
            FIVE,
            (),
            "en",
            "1st relapse, refractory to daratumumab and lenalidomide: "
            "5 regimens fit if the history is complete (EMA)",
        ),
        (
            "a medication the chart only points at",
            chart(issues=(LOST,)),
            first_relapse(("lenalidomide",), labels=("first-relapse",)),
            FIVE,
            (),
            "it",
            "1ª recidiva, refrattaria a lenalidomide: 5 schemi adatti se l'anamnesi è completa (EMA)",
        ),
        (
            "lines on record, but their number cannot be told",
            chart(),
            first_relapse(("lenalidomide",), labels=(), prior_lines=None),
            ("kd",),
            (),
            "en",
            "Relapse after at least 1 prior line, refractory to lenalidomide: "
            "1 regimen fits if the history is complete (EMA)",
        ),
        (
            "a finding that loses no treatment casts no doubt on the history",
            chart(issues=(VAGUE,)),
            first_relapse(("lenalidomide",), labels=("first-relapse",)),
            ("kd",),
            (),
            "en",
            "1st relapse, refractory to lenalidomide: 1 regimen fits (EMA)",
        ),
        (
            "labels that hang on a missing datum are counted apart",
            chart(),
            first_relapse(("lenalidomide",), labels=("first-relapse",)),
            ("kd", "s-vd", "cilta-cel"),
            ("cilta-cel",),
            "en",
            "1st relapse, refractory to lenalidomide: 2 regimens fit, 1 more with label data missing (EMA)",
        ),
        (
            "all of them hang on one",
            chart(),
            first_relapse(("lenalidomide",), labels=("first-relapse",), history_known=False),
            ("kd", "cilta-cel"),
            ("kd", "cilta-cel"),
            "it",
            "1ª recidiva, refrattaria a lenalidomide: 2 schemi forse adatti, dati mancanti per "
            "l'indicazione, se l'anamnesi è completa (EMA)",
        ),
        (
            "primary refractory is said once, in Italian too",
            chart(),
            first_relapse(labels=("first-relapse", "primary-refractory")),
            FIVE,
            (),
            "it",
            "Malattia refrattaria primaria a daratumumab e lenalidomide: 5 schemi adatti (EMA)",
        ),
    ],
)
def test_the_summary_is_true_alone(
    renderer: Renderer,
    case: str,
    record: Any,
    state: Any,
    regimens: tuple[str, ...],
    unsure: tuple[str, ...],
    language: str,
    summary: str,
) -> None:
    answered = unsettled(recommending(*regimens), *unsure)
    assert card(renderer, record, state, answered, language=language)["summary"] == summary, case


def test_nothing_fits_is_not_said_of_half_a_history(renderer: Renderer) -> None:
    state = first_relapse(("lenalidomide",), labels=(), prior_lines=None, history_known=False)
    one = card(renderer, chart(), state, recommending())
    assert one["summary"] == (
        "Relapse after at least 1 prior line, refractory to lenalidomide: "
        "no regimen can be suggested until the history is complete (EMA)"
    )
    assert "By what the chart tells, no regimen of this pathway can be suggested (EMA)." in one["detail"]


@pytest.mark.parametrize(
    ("language", "second"),
    [
        (
            "en",
            "A medication that the chart only points at could not be identified. An antineoplastic drug in "
            "the chart is not known to this service. 1 of 3 entries could not be read in full: "
            "observations (1). Not received in full: prescriptions.",
        ),
        (
            "it",
            "Un farmaco a cui la cartella soltanto rimanda non è stato identificato. Un farmaco "
            "antineoplastico in cartella non è noto a questo servizio. 1 voce su 3 non è stata letta per "
            "intero: osservazioni (1). Dati non ricevuti per intero: prescrizioni.",
        ),
    ],
)
def test_what_is_missing_stands_right_under_the_state(renderer: Renderer, language: str, second: str) -> None:
    record = chart(
        draft("kd", "MedicationRequest/d1"),
        draft("kd", "MedicationRequest/d2"),
        issues=(LOST, UNMAPPED, VAGUE),
        completeness={"medicationRequests": Completeness.PARTIAL, "conditions": Completeness.COMPLETE},
    )
    detail = card(renderer, record, first_relapse(), recommending("kd"), language=language)["detail"]
    assert detail.split("\n\n")[1] == second


def test_a_reason_for_stopping_that_is_not_understood_is_no_unknown_drug(renderer: Renderer) -> None:
    known = draft("lenalidomide", "MedicationStatement/m8")
    detail = card(renderer, chart(known, issues=(UNMAPPED,)), first_relapse(), recommending("kd"))["detail"]
    assert "1 of 1 entry could not be read in full: medication statements (1)." in detail


# Never above 300 words


def told_apart(drug: str, concept: str, words: str) -> CautionShown:
    return CautionShown(drug, concept, Text(words, words), True)


def test_cautions_that_differ_by_their_drug_share_a_line(renderer: Renderer) -> None:
    answered = recommending("cilta-cel", "ide-cel", "s-vd")
    first, second, third = answered.suggested
    igg = "IgG below 4 g/L: replace immunoglobulin."
    answered = replace(
        answered,
        suggested=(
            replace(
                first,
                cautions=(
                    told_apart("ciltacabtagene-autoleucel", "igg", f"cilta-cel: {igg}"),
                    told_apart("x", "unknown-refractory:selinexor", "unknown about selinexor"),
                ),
            ),
            replace(second, cautions=(told_apart("teclistamab", "igg", f"Teclistamab: {igg}"),)),
            replace(
                third,
                cautions=(told_apart("x", "unknown-refractory:bortezomib", "unknown about bortezomib"),),
            ),
        ),
    )
    detail = card(renderer, chart(), first_relapse(), answered)["detail"]
    assert [line for line in detail.splitlines() if line.startswith("- ")] == [
        "- ⚠1 Cilta-cel, teclistamab: IgG below 4 g/L: replace immunoglobulin.",
        "- ⚠2 Unknown whether the disease is refractory to selinexor and bortezomib.",
    ]
    marks = [line.split()[2] for line in detail.splitlines() if line.startswith("| **")]
    assert marks == ["⚠1,2", "⚠1", "⚠2"]


_words = st.integers(3, 20).map(lambda length: " ".join(f"word{n}" for n in range(length)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), language=st.sampled_from(["en", "it"]))
def test_no_number_of_cautions_makes_a_detail_too_long(
    renderer: Renderer, knowledge: Knowledge, data: st.DataObject, language: str
) -> None:
    drugs = data.draw(st.lists(st.sampled_from(sorted(knowledge.drugs)), unique=True, max_size=30))
    unknown = sorted(knowledge.drugs)[: data.draw(st.integers(0, 30))]
    state = first_relapse(drugs, certainty=data.draw(st.sampled_from(list(Certainty))))
    states = dict(state.drugs)
    for key in unknown:
        states.setdefault(
            key,
            DrugState(key, Status.UNKNOWN, Certainty.PRESUMED, "", derived_from=("MedicationStatement/m",)),
        )
    gaps = tuple(Unknown(f"u{n}", data.draw(_words), True) for n in range(data.draw(st.integers(0, 8))))
    state = replace(state, drugs=states, unknown=gaps, history_known=False)
    answered = unsettled(recommending(*FIVE, "cilta-cel", "d-pd"), *FIVE[: data.draw(st.integers(0, 5))])
    fits = []
    for entry in answered.suggested:
        own = [told_apart("x", f"unknown-refractory:{key}", f"unknown about {key}") for key in unknown[::2]]
        own += [
            told_apart("bortezomib", f"c{n}", data.draw(_words) + f" {entry.regimen} {n}")
            for n in range(data.draw(st.integers(0, 12)))
        ]
        fits.append(replace(entry, cautions=tuple(own)))
    clashes = tuple(
        DisagreementShown(f"X-{n:02}", Text(data.draw(_words))) for n in range(data.draw(st.integers(0, 8)))
    )
    answered = replace(answered, suggested=tuple(fits), disagreements=clashes)
    record = chart(
        *(draft(key, f"MedicationRequest/{key}", "Some words of the chart") for key in sorted(drugs)),
        issues=(LOST, UNMAPPED, VAGUE),
        completeness=dict.fromkeys(
            ("conditions", "observations", "procedures", "medicationStatements", "medicationRequests"),
            Completeness.PARTIAL,
        ),
    )
    conflicts = tuple(
        Conflict(key, f"MedicationRequest/{key}", False, "refractory-component", Text(data.draw(_words)))
        for key in drugs
    )
    asked = [SEQUENCING, Answer(missing=gaps or (Unknown("ecog", ""),))]
    asked += [Answer(conflicts=conflicts)] if conflicts else []
    for question in asked:
        (one,) = renderer.cards(record, state, answered, question, language=language)
        assert len(one["detail"].split()) <= DETAIL_WORDS
        assert len(one["summary"]) <= 139
        if question.sequencing:
            for key in FIVE:
                assert f"| **{knowledge.regimens[key].display}** " in one["detail"]


def test_what_has_no_room_is_told_by_its_number(renderer: Renderer) -> None:
    answered = recommending("kd")
    many = tuple(
        told_apart("carfilzomib", f"c{n}", " ".join([f"caution{n}", *["word"] * 18])) for n in range(40)
    )
    answered = replace(answered, suggested=(replace(answered.suggested[0], cautions=many),))
    detail = card(renderer, chart(), first_relapse(), answered)["detail"]
    left_out = re.search(r"- (\d+) more without room here", detail)
    assert left_out is not None
    shown = len(re.findall(r"^- ⚠\d+ ", detail, flags=re.MULTILINE))
    assert shown + int(left_out[1]) == 40
    assert shown >= 8


# References


@pytest.mark.parametrize(
    ("patient", "encounter", "condition", "expected"),
    [
        ("p1", "e1", "Condition/c1", ("Patient/p1", "Encounter/e1", "Condition/c1")),
        ("p1", "Encounter/e-1.a", "Condition/c1", ("Patient/p1", "Encounter/e-1.a", "Condition/c1")),
        (
            "p1",
            "http://x/Encounter/e1",
            "http://x/Condition/c1",
            ("Patient/p1", "Encounter/e1", "Condition/c1"),
        ),
        ("p1", "a b", "Condition/a b", ("Patient/p1", None, None)),
        ("p1", "<script>", "Condition/<script>", ("Patient/p1", None, None)),
        ("p1", "../x", "Condition/é", ("Patient/p1", None, None)),
        ("p1", "e1/_history/2", f"Condition/{'c' * 200}", ("Patient/p1", None, None)),
        ("p1", "/", "Condition/", ("Patient/p1", None, None)),
        ("p1", "e1\n", "Condition/c1\n", ("Patient/p1", None, None)),
        ("p_1", "e1", "Condition/c1", None),
        ("p" * 65, "e1", "Condition/c1", None),
    ],
)
def test_only_usable_ids_go_into_orders(
    renderer: Renderer,
    patient: str,
    encounter: str,
    condition: str,
    expected: tuple[str | None, ...] | None,
) -> None:
    record = replace(chart(), patient=replace(chart().patient, id=patient))
    state = first_relapse()
    state = replace(state, diagnosis=replace(state.diagnosis, derived_from=(condition,)))
    one = card(renderer, record, state, recommending("kd"), encounter=encounter)
    actions = one["suggestions"][0].get("actions", [])
    if expected is None:
        assert actions == []  # an order must say whom it is for
        return
    resource = actions[0]["resource"]
    found = (
        resource["subject"]["reference"],
        resource.get("encounter", {}).get("reference"),
        resource.get("reasonReference", [{}])[0].get("reference"),
    )
    assert found == expected


# The words


@pytest.mark.parametrize(
    ("text", "capital", "whole"),
    [
        ("lenalidomide was stopped", "Lenalidomide was stopped", "Lenalidomide was stopped."),
        ("Already. (BAR-17)", "Already. (BAR-17)", "Already. (BAR-17)"),
        ("è registrata un'allergia.", "È registrata un'allergia.", "È registrata un'allergia."),
        ("1st relapse", "1st relapse", "1st relapse."),
        (
            "progression on the last therapy..",
            "Progression on the last therapy..",
            "Progression on the last therapy.",
        ),
        ("", "", "."),
    ],
)
def test_sentences_begin_with_a_capital(text: str, capital: str, whole: str) -> None:
    assert sentence_case(text) == capital
    assert whole_sentence(text) == whole


def test_a_link_of_the_chart_is_no_link_in_plain_text() -> None:
    assert charted("[x](javascript:1)") == "[x] (javascript:1)"


def test_an_order_that_could_not_be_checked_says_so(renderer: Renderer) -> None:
    record = chart(draft("lenalidomide", "MedicationRequest/d1"), draft("aciclovir", "MedicationRequest/d2"))
    missing = Answer(missing=(Unknown("medication-history", "the complete medication history"),))
    said = {
        language: card(renderer, record, first_relapse(), recommending(), answer=missing, language=language)[
            "summary"
        ]
        for language in ("en", "it")
    }
    assert said == {
        "en": "Lenalidomide ordered, and not checked; not charted: the treatments given so far",
        "it": "Prescrizione di lenalidomide non verificata; non risulta in cartella: "
        "i trattamenti ricevuti finora",
    }


def test_the_day_of_the_progression_can_be_what_is_missing(renderer: Renderer) -> None:
    missing = Answer(missing=(Unknown("progression-date", "the day of the progression"),))
    one = card(renderer, chart(), first_relapse(), recommending(), answer=missing)
    assert one["summary"] == "No regimen can be suggested; not charted: when the disease progressed"
    assert "- **When the disease progressed**" in one["detail"]


@pytest.mark.parametrize(
    ("shown", "language", "sentence"),
    [
        (6, "en", "Also fits: D-PD."),
        (7, "en", "Also fit: D-PD, D-KD."),
        (6, "it", "Adatto anche: D-PD."),
        (7, "it", "Adatti anche: D-PD, D-KD."),
    ],
)
def test_one_is_one_and_two_are_two(renderer: Renderer, shown: int, language: str, sentence: str) -> None:
    answered = recommending(*(*FIVE, "d-pd", "d-kd")[:shown])
    assert sentence in card(renderer, chart(), first_relapse(), answered, language=language)["detail"]


def test_a_reason_is_told_once(knowledge: Knowledge, renderer: Renderer) -> None:
    reasons = (
        Reason("outside-label", Text("outside its label in EMA: at least 3 prior lines")),
        Reason("outside-label", Text("would fit by BAR-02, were it not outside its label")),
    )
    answered = Recommendation("EMA", "default", (), (NotSuggested("teclistamab", reasons),))
    detail = card(renderer, chart(), first_relapse(), answered)["detail"]
    assert detail.count("at least 3 prior lines") == 1
    assert "| Outside its label in EMA: at least 3 prior lines; would fit by BAR-02" in detail
    # The sentence that the chooser fills gives the gate no second time.
    assert "{gate}" not in str(knowledge.definitions["sentences"]["reason"]["rule-outside-label"])


def test_a_long_list_of_rules_ends_in_a_number(renderer: Renderer) -> None:
    answered = recommending("kd")
    rules = tuple(f"BAR-{n:02}" for n in range(1, 11))
    answered = replace(answered, suggested=(replace(answered.suggested[0], rules=rules),))
    one = card(renderer, chart(), first_relapse(), answered)
    assert "(BAR-01 +9) |" in one["detail"]
    assert "Knowledge 2" in one["detail"], "the rules stand in the rows, and not a second time below"
    assert one["extension"]["org.myeloma-cds"]["rules"] == list(rules)


def test_a_conflict_is_a_sentence_and_names_the_draft(renderer: Renderer) -> None:
    state = first_relapse()
    drugs = dict(state.drugs)
    drugs["daratumumab"] = replace(
        drugs["daratumumab"], because="daratumumab was stopped for progression (2026-04-20)."
    )
    record = chart(draft("daratumumab", "MedicationRequest/d1", "Daratumumab 1800 mg SC"))
    answer = Answer(conflicts=(clash("daratumumab", "MedicationRequest/d1"),))
    one = card(renderer, record, replace(state, drugs=drugs), recommending("kd"), answer=answer)
    assert one["detail"].split("\n")[0] == (
        "- "  # the clash itself is the summary
        "Daratumumab was stopped for progression (2026-04-20). Draft: Daratumumab 1800 mg SC."
    )


# Italian is Italian

_ENGLISH = re.compile(
    r"\b(days?|of|if|weekly|cycles?|range|max|then|first|after|step-up|every|weeks?|with|monotherapy|years|"
    r"cells|once|dose is|q[0-9]w)\b|[0-9] d\b"
)
_DECIMAL_POINT = re.compile(r"[0-9]\.[0-9]")


@pytest.mark.parametrize("region", ["EMA", "FDA"])
def test_italian_orders_hold_no_english_and_no_decimal_point(knowledge: Knowledge, region: str) -> None:
    orders = Orders(knowledge, Wording(knowledge.cards))
    someone = Recipient("Patient/p1", "", (), AS_OF)
    seen = 0
    for key in knowledge.regimens:
        assert not _ENGLISH.search(orders.regimen_name(knowledge.regimens[key], "it")), key
        for action in orders.creating(key, region, "it", someone):
            resource = action["resource"]
            notes = [n["text"] for n in resource["note"] if not n["text"].startswith("Fonte della dose")]
            doses = [row["text"] for row in resource.get("dosageInstruction", [])]
            timings = [
                row["timing"]["code"]["text"]
                for row in resource.get("dosageInstruction", [])
                if "code" in row.get("timing", {})
            ]
            for text in (action["description"], *doses, *timings, *notes):
                seen += 1
                assert not _ENGLISH.search(text), f"{key}: {text}"
                assert not _DECIMAL_POINT.search(text), f"{key}: {text}"
    assert seen > 100


def test_the_structured_dose_stays_a_number(knowledge: Knowledge) -> None:
    orders = Orders(knowledge, Wording(knowledge.cards))
    _, bortezomib, _ = orders.creating("s-vd", "EMA", "it", Recipient("Patient/p1", "", (), AS_OF))
    (row,) = bortezomib["resource"]["dosageInstruction"]
    assert row["text"].startswith("1,3 mg/m2 SC nei giorni")
    assert row["doseAndRate"][0]["doseQuantity"]["value"] == 1.3


def test_regimens_are_named_in_italian(knowledge: Knowledge) -> None:
    orders = Orders(knowledge, Wording(knowledge.cards))
    named = {
        key: orders.regimen_name(knowledge.regimens[key], "it") for key in ("d-rd", "teclistamab", "hd-cy")
    }
    assert named == {
        "d-rd": "Daratumumab-lenalidomide-desametasone",
        "teclistamab": "Teclistamab in monoterapia",
        "hd-cy": "Ciclofosfamide ad alte dosi o frazionata",
    }


def test_every_word_of_a_schedule_has_a_translation(knowledge: Knowledge) -> None:
    wording = Wording(knowledge.cards)
    plain = re.compile(r"C?[0-9]+(-[0-9]+|\+)?|[0-9]+-[0-9]+")
    for regimen in knowledge.regimens.values():
        for dose in regimen.doses:
            amount = dose.amount_text if dose.amount is None else ""
            for words in filter(None, (dose.days_text, dose.cycles, amount)):
                assert plain.fullmatch(words) or wording.has(f"phrases/schedule/{words}"), words
        if regimen.cycle:
            assert wording.has(f"phrases/cycle/{regimen.cycle}"), regimen.cycle


_SAID_OF_A_DRUG = re.compile(
    r"\{drugs?\} (è (stato )?)?(mai )?(prescritto|sospeso|somministrato)|etichetta|lo indicherebbe"
)


def _italian(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["it"]] if isinstance(node.get("it"), str) else []
        return own + [text for value in node.values() for text in _italian(value)]
    return [text for value in node for text in _italian(value)] if isinstance(node, list) else []


def test_italian_sentences_give_drugs_no_gender_and_say_indicazione(knowledge: Knowledge) -> None:
    raw = [*_italian(dict(knowledge.definitions["sentences"]))]
    raw += [
        text
        for kind in ("sequencing", "order-conflict", "missing-data")
        for text in _italian(dict(knowledge.cards[kind]))
    ]
    raw += [rule.because.in_language("it") for p in knowledge.pathways.values() for rule in p.rules]
    assert len(raw) > 150
    assert [
        text for text in raw if _SAID_OF_A_DRUG.search(text.replace("{{ ", "{").replace(" }}", "}"))
    ] == []
    assert [text for text in raw if re.match(r"(Doppiamente )?[Rr]efrattario\b", text)] == []


def test_at_least_as_many_lines_as_are_on_record(renderer: Renderer) -> None:
    state = first_relapse(("lenalidomide",), labels=(), prior_lines=None)
    (line,) = state.lines
    later = replace(line, number=3, start=DateSpan.on("2024"))
    one = card(renderer, chart(), replace(state, lines=(line, later)), recommending("kd"))
    assert one["summary"].startswith("Relapse after at least 2 prior lines, refractory to lenalidomide")
