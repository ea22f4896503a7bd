"""The explanation pages in a real browser: nothing foreign, printable, readable on a narrow screen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import Opened
from tests.web.test_server import Served

PATHS = [
    "/explain",
    "/explain/sequencing",
    "/explain/sequencing/BAR-19",
    "/explain/sequencing/s-vd",
    "/explain/sequencing/teclistamab",
    "/explain/sequencing/BOSTON-LENREF",
    "/explain/sequencing/CF-10",
    "/explain/order-conflict/contraindicated",
    "/explain/order-conflict/STOP-BCMA",
    "/explain/missing-data/refractory",
    "/explain/state/remission",
]
NARROW = {"viewport": {"width": 320, "height": 640}}


def open_page(opened: Opened, served: Served, path: str) -> None:
    answer = opened.page.goto(f"http://127.0.0.1:{served.port}{path}")
    assert answer is not None and answer.status == 200


@pytest.mark.parametrize("language", ["en", "it"])
def test_pages_open_without_error_and_ask_no_other_host(
    opened: Opened, served: Served, language: str
) -> None:
    for path in PATHS:
        open_page(opened, served, f"{path}?lang={language}")
        assert opened.page.evaluate("document.documentElement.lang") == language
    assert opened.console == []
    here = f"http://127.0.0.1:{served.port}/explain"
    assert [url for url in opened.asked if not url.startswith(here)] == []
    assert len(opened.asked) == len(PATHS)  # the page itself and nothing beside it


def test_each_page_prints(opened: Opened, served: Served) -> None:
    for path in PATHS:
        open_page(opened, served, path)
        paper = opened.page.pdf(format="A4")
        assert paper.startswith(b"%PDF-") and paper.count(b"/Type /Page\n") >= 1, path


def test_on_paper_there_is_no_navigation_and_the_addresses_are_told(opened: Opened, served: Served) -> None:
    open_page(opened, served, "/explain/sequencing/BAR-19")
    page = opened.page
    page.emulate_media(media="print")
    assert not any(nav.is_visible() for nav in page.locator("nav").all())
    assert page.get_by_text(
        f"Address of this page: http://127.0.0.1:{served.port}/explain/sequencing/BAR-19"
    ).is_visible()
    shown = page.locator("a.out").first.evaluate(
        "link => getComputedStyle(link, '::after').content + getComputedStyle(link).color"
    )
    assert "https://doi.org/10.4084/MJHID.2025.043" in shown and "rgb(0, 0, 0)" in shown
    broken = page.locator("tbody tr").first.evaluate("row => getComputedStyle(row).breakInside")
    assert broken == "avoid"


@pytest.mark.parametrize("opened", [NARROW], indirect=True)
@pytest.mark.parametrize("language", ["en", "it"])
def test_a_narrow_screen_needs_no_sideways_scrolling(opened: Opened, served: Served, language: str) -> None:
    for path in PATHS:
        open_page(opened, served, f"{path}?lang={language}")
        widths = opened.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert widths == [320, 320], path
        too_small = opened.page.evaluate(
            """[...document.querySelectorAll('p, li, dd, td, th')].filter(
                   one => one.textContent.trim() && parseFloat(getComputedStyle(one).fontSize) < 14).length"""
        )
        assert too_small == 0, path
        beyond = opened.page.evaluate(
            """[...document.querySelectorAll('main *')].filter(one => !one.closest('thead'))
                   .filter(one => one.getBoundingClientRect().right > 320.5).length"""
        )
        assert beyond == 0, path


@pytest.mark.parametrize("opened", [{"locale": "it-IT"}], indirect=True)
def test_an_italian_browser_gets_italian(opened: Opened, served: Served) -> None:
    open_page(opened, served, "/explain/sequencing/BAR-19")
    assert opened.page.get_by_role("heading", name="Che cosa dice la regola").is_visible()


def test_the_keyboard_reaches_the_content_first(opened: Opened, served: Served) -> None:
    open_page(opened, served, "/explain/sequencing/s-vd")
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


@pytest.mark.parametrize("opened", [{}, NARROW], indirect=True)
def test_tables_stay_tables_for_a_screen_reader(opened: Opened, served: Served) -> None:
    open_page(opened, served, "/explain/sequencing/s-vd")
    table = opened.page.get_by_role("table", name="Labels with their dates")
    assert table.get_by_role("columnheader", name="Region").count() == 1
    assert table.get_by_role("rowheader").all_inner_texts() == ["EMA", "FDA"]


def contrast(one: str, other: str) -> float:
    """Contrast of two colours as WCAG counts it."""

    def light(colour: str) -> float:
        parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    brighter, darker = sorted((light(one), light(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def test_text_stands_out_from_its_ground(opened: Opened, served: Served) -> None:
    open_page(opened, served, "/explain/sequencing/s-vd")
    colours: list[Any] = opened.page.evaluate(
        """[...document.querySelectorAll('main *, footer *')].filter(one => one.innerText).map(one => {
             let ground = one;
             while (ground.parentElement && getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)')
               ground = ground.parentElement;
             return [getComputedStyle(one).color, getComputedStyle(ground).backgroundColor]; })"""
    )
    pairs = {
        (ink, "rgb(255, 255, 255)" if ground == "rgba(0, 0, 0, 0)" else ground) for ink, ground in colours
    }
    assert len(pairs) > 3
    assert [pair for pair in pairs if contrast(*pair) < 4.5] == []
