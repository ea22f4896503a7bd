"""/explain as a browser gets it: every entry, both languages, nothing foreign, nothing hostile."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from cds_service.cards.markdown import one_line
from cds_service.explain.addresses import Addresses
from cds_service.knowledge.related import own_rules
from cds_service.knowledge.types import Knowledge, Source
from tests.explain.pages import Read
from tests.shipped import KNOWLEDGE
from tests.web.conftest import MakeClient

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def read(client: FlaskClient, path: str, **headers: str) -> Read:
    answer = client.get(path, headers=BROWSER | headers)
    assert answer.status_code == 200, path
    return Read(answer.text)


def entries(knowledge: Knowledge) -> list[tuple[str, Source | None, str]]:
    """Key, source and day of the last check of everything a card can name."""
    found: list[tuple[str, Source | None, str]] = []
    found += [(one.id, one.source, one.last_checked) for one in own_rules(knowledge)]
    found += [(one.key, one.dose_source, one.last_checked) for one in knowledge.regimens.values()]
    found += [(one.id, one.source, one.last_checked) for one in knowledge.hard_stops]
    found += [(one.id, one.source, one.last_checked) for one in knowledge.conflicts]
    found += [(one.id, one.source, one.last_checked) for one in knowledge.gaps]
    for row in knowledge.evidence.values():
        checked = str(row.data["last_checked"])
        found.append((row.id, row.source, checked))
        found += [(one.id, row.source, checked) for one in row.conflicts]
    return found


ENTRIES = entries(KNOWLEDGE)


@pytest.mark.parametrize("language", ["en", "it"])
def test_every_entry_has_a_page_that_names_its_source_and_its_last_check(
    client: FlaskClient, language: str
) -> None:
    assert len(ENTRIES) > 250
    for key, source, checked in ENTRIES:
        page = read(client, f"/explain/sequencing/{key}?lang={language}")
        said = page.text()
        assert page.faults == [], key
        assert checked and checked in said, key
        assert source is not None
        for part in (source.document, source.at):
            assert "".join(one_line(part).split()) in "".join(said.split()), (key, part)
        if source.address:
            assert source.address in page.links, key


# Words that no Italian sentence has; what the data say in English alone is marked as English.
ENGLISH = re.compile(
    r"(?<![-/])\b(the|of|with|and|for|not|is|are|was|were|from|which|where|than|after|before|only|this|that)\b(?![-/])"
)


def test_no_english_is_left_on_an_italian_page(client: FlaskClient, addresses: Addresses) -> None:
    for path in addresses.all():
        page = read(client, f"{path}?lang=it")
        italian = page.text("it")
        assert ENGLISH.findall(italian) == [], (path, italian)


def test_no_fixed_text_stands_in_the_other_language(client: FlaskClient, addresses: Addresses) -> None:
    texts = [
        text
        for group in KNOWLEDGE.cards["explain"]["texts"].values()
        for text in group.values()
        if "{" not in text["en"] and len(text["en"]) > 25
    ]
    for path in addresses.all():
        english, italian = (read(client, f"{path}?lang={lang}").text(lang) for lang in ("en", "it"))
        assert [text["en"] for text in texts if text["en"] in italian] == [], path
        assert [text["it"] for text in texts if text["it"] in english] == [], path


@pytest.fixture(scope="module")
def addresses(assessor: object) -> Addresses:
    from cds_service.cards.wording import Wording

    return Addresses(KNOWLEDGE, Wording(KNOWLEDGE.cards))


@pytest.mark.parametrize(
    ("query", "accepted", "set_to", "expected"),
    [
        ("", "", "en", "en"),
        ("", "", "it", "it"),
        ("", "it-IT,it;q=0.9,en;q=0.5", "en", "it"),
        ("", "en-GB,it;q=0.5", "it", "en"),
        ("", "fr", "it", "it"),
        ("", "it;q=0,en-US", "it", "en"),
        ("?lang=it", "en", "en", "it"),
        ("?lang=en", "it", "it", "en"),
        ("?lang=<script>", "it", "en", "it"),
    ],
)
def test_the_language(make_client: MakeClient, query: str, accepted: str, set_to: str, expected: str) -> None:
    client = make_client(language=set_to)
    headers = {"Accept-Language": accepted} if accepted else {}
    answer = client.get(f"/explain/sequencing/BAR-19{query}", headers=headers)
    assert answer.headers["Content-Language"] == expected
    assert f'<html lang="{expected}">' in answer.text
    assert "Accept-Language" in answer.headers["Vary"]


def test_a_language_that_was_asked_for_goes_along_from_link_to_link(client: FlaskClient) -> None:
    asked = read(client, "/explain/sequencing/BAR-19?lang=it")
    assert "/explain/sequencing/s-vd?lang=it" in asked.links
    assert "/explain/sequencing/s-vd" in read(client, "/explain/sequencing/BAR-19").links


def test_the_page_may_load_nothing_and_is_asked_for_anew(client: FlaskClient) -> None:
    answer = client.get("/explain/sequencing/BAR-19")
    assert answer.headers["Content-Security-Policy"].startswith(
        "default-src 'none'; style-src 'unsafe-inline'"
    )
    assert answer.headers["Cache-Control"] == "public, no-cache"
    again = client.get("/explain/sequencing/BAR-19", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    other = client.get("/explain/sequencing/BAR-19?lang=it")
    assert other.headers["ETag"] != answer.headers["ETag"]
    assert KNOWLEDGE.version.sha256[:12] in answer.text  # so other knowledge has another ETag
    assert "<script" not in answer.text and " src=" not in answer.text and "url(" not in answer.text


def test_headings_and_table_heads_for_screen_readers(client: FlaskClient) -> None:
    page = read(client, "/explain/sequencing/s-vd")
    assert page.tags.count("h1") == 1 and page.tags.count("main") == 1
    assert page.tags.count("caption") == page.tags.count("table") > 3
    assert {head["scope"] for head in page.heads} == {"row", "col"}
    inner = [link[1:] for link in page.links if link.startswith("#")]
    assert set(inner) <= set(page.ids) and len(page.ids) == len(set(page.ids))


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("sequencing/BAR-99", "BAR-19"),
        ("sequencing/s-vdd", "s-vd"),
        ("order-conflict/refractory-componnent", "refractory-component"),
        ("order-conflict/STOP-COMPONNENT", "STOP-COMPONENT"),
        ("missing-data/prior-line", "prior-lines"),
        ("state/remision", "remission"),
        ("card", "missing-data"),
        ("cards/BAR-19", "BAR-19"),
        ("missing-data/remission", ""),
    ],
)
def test_an_unknown_key_is_a_404_with_the_nearest(client: FlaskClient, path: str, nearest: str) -> None:
    for language in ("en", "it"):
        answer = client.get(f"/explain/{path}?lang={language}", headers=BROWSER)
        assert answer.status_code == 404
        page = Read(answer.text)
        assert page.faults == []
        if nearest:
            assert any(link.endswith(f"/{nearest}?lang={language}") for link in page.links)
    told = client.get(f"/explain/{path}", headers={"Accept": "application/json"})
    assert (told.status_code, told.mimetype) == (404, "application/problem+json")
    assert nearest in told.get_json()["detail"]


@pytest.mark.parametrize(
    "key",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "../../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "{{7*7}}",
        "%00",
        "A" * 5000,
        "BAR-19;DROP TABLE",
        "%f0%28%8c%28",
        "__class__",
        "Patient-4711",
        "\n",
        "*",
    ],
)
@pytest.mark.parametrize("kind", ["sequencing", "order-conflict", "missing-data", "state", "other"])
def test_hostile_keys_find_nothing_and_are_not_repeated(client: FlaskClient, kind: str, key: str) -> None:
    for accept in (BROWSER["Accept"], "application/json", "application/fhir+json"):
        address = f"/explain/{kind}/{key if '%' in key else quote(key, safe='')}"
        answer = client.get(address, headers={"Accept": accept})
        assert answer.status_code == 404
        assert "alert(1)" not in answer.text and "49" not in Read_text(answer.text)
        assert "AAAAA" not in answer.text and "4711" not in answer.text


def Read_text(html: str) -> str:  # noqa: N802
    return Read(html).text() if html.startswith("<!doctype") else ""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("sequencing/bar-19", "/explain/sequencing/BAR-19"),
        ("sequencing/DPd?lang=it", "/explain/sequencing/d-pd?lang=it"),
        ("state/\u202eBAR-19", "/explain/state/BAR-19"),
        ("order-conflict/Refractory-Class", "/explain/order-conflict/refractory-class"),
    ],
)
def test_what_people_write_leads_to_the_page(client: FlaskClient, path: str, place: str) -> None:
    answer = client.get(f"/explain/{path}", headers=BROWSER)
    assert (answer.status_code, answer.headers["Location"]) == (302, place)


def test_behind_a_proxy_below_a_path_the_links_keep_it(make_client: MakeClient) -> None:
    client = make_client(base_url="https://ehr.example.org/cds")
    page = read(client, "/explain/sequencing/BAR-19")
    assert "/cds/explain/sequencing/s-vd" in page.links
    assert "https://ehr.example.org/cds/explain/sequencing/BAR-19" in page.text()


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_the_pages_are_read_only(client: FlaskClient, method: str) -> None:
    assert getattr(client, method)("/explain/sequencing/BAR-19").status_code == 405


def test_a_kind_of_card_leads_to_its_keys(client: FlaskClient) -> None:
    links = read(client, "/explain/order-conflict").links
    assert (
        "/explain/order-conflict/contraindicated" in links and "/explain/order-conflict/STOP-CLASS" in links
    )
    assert "/explain/missing-data/refractory" in read(client, "/explain/missing-data").links
    assert "/explain/state/remission" in read(client, "/explain/state").links
    assert "/explain/sequencing/NONE-01" in read(client, "/explain/sequencing").links
