"""The card gallery: every kind in both languages, drawn without HTML of the chart, and telling what lacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cds_service.cards.render import KINDS
from tests import gallery
from tests.explain.pages import Read
from tests.gallery import Asked, RawHtml, asked, kind_of, lacking, page, patients, rendered


@pytest.fixture(scope="module")
def answers() -> list[Asked]:
    return list(asked(patients()))


@pytest.fixture(scope="module")
def drawn(answers: list[Asked]) -> str:
    return page(answers)


def test_every_kind_in_both_languages_and_every_indicator_is_there(answers: list[Asked], drawn: str) -> None:
    assert lacking(answers) == []
    for kind in KINDS:
        for language in ("en", "it"):
            assert f'data-kind="{kind}" data-language="{language}"' in drawn
    for indicator in gallery.INDICATORS:
        assert f'<article class="card {indicator}"' in drawn


def test_every_patient_is_asked_in_both_regions(answers: list[Asked]) -> None:
    for patient in patients():
        asked_in = {one.region for one in answers if one.patient == patient["id"]}
        assert asked_in == {"EMA", "FDA"}
        hooks = {one.hook for one in answers if one.patient == patient["id"]}
        assert patient["hook"] in hooks


def test_the_page_is_well_nested_and_stands_alone(drawn: str) -> None:
    read = Read(drawn)
    assert read.faults == []
    assert not {"script", "img", "iframe", "link", "object"} & set(read.tags)
    assert "url(" not in drawn and "@import" not in drawn


def test_each_card_is_shown_with_all_that_an_ehr_shows(answers: list[Asked], drawn: str) -> None:
    said = Read(drawn).text()
    for one in answers:
        for language, cards in one.cards.items():
            for card in cards:
                parts = [card["summary"], *(link["label"] for link in card["links"])]
                parts += [reason["display"] for reason in card["overrideReasons"]]
                for suggestion in card.get("suggestions", []):
                    parts.append(suggestion["label"])
                    parts += [action["description"] for action in suggestion["actions"]]
                assert [part for part in parts if " ".join(part.split()) not in said] == [], (one, language)
                measured = (
                    f"{kind_of(card)} · {card['indicator']} · {language} · summary {len(card['summary'])}"
                )
                assert measured in said


@pytest.mark.parametrize("detail", ["<b>bold</b>", "a <img src=x onerror=alert(1)> b", "<!-- x -->"])
def test_html_in_a_detail_stops_the_gallery(detail: str) -> None:
    with pytest.raises(RawHtml):
        rendered(detail)


def test_words_of_the_chart_stay_words(answers: list[Asked]) -> None:
    patient = next(one for one in patients() if one["id"] == "order-daratumumab-when-refractory")
    hostile = "<script>alert(1)</script> daratumumab <img src=x onerror=alert(2)> [x](javascript:alert(3))"
    for draft in patient["draft_orders"]:
        draft["medicationCodeableConcept"]["text"] = hostile
    told = list(asked([patient]))
    assert any(one.cards["en"] for one in told)
    html = page(told)
    assert not {"script", "img"} & set(Read(html).tags)
    assert "javascript:" not in "".join(Read(html).links)


def test_what_has_no_example_is_told(
    answers: list[Asked], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    quiet = [replace(one, cards={"en": [], "it": one.cards["it"]}) for one in answers]
    assert lacking(quiet) == [f"no card of the kind {kind} in en" for kind in KINDS]
    mild = [
        replace(one, cards={k: [c for c in v if c["indicator"] != "critical"] for k, v in one.cards.items()})
        for one in answers
    ]
    assert lacking(mild) == ["no card with the indicator critical"]
    monkeypatch.setattr(gallery, "asked", lambda everybody: iter(quiet))
    assert gallery.main([str(tmp_path / "gallery.html")]) == 1
    assert not (tmp_path / "gallery.html").exists()


def test_the_command_writes_the_page(
    answers: list[Asked], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gallery, "asked", lambda everybody: iter(answers))
    place = tmp_path / "gallery.html"
    assert gallery.main([str(place)]) == 0
    assert place.read_text(encoding="utf-8") == page(answers)
    assert "cards" in capsys.readouterr().out
