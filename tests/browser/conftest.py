"""A real server on a free port, and Debian's Chromium; without it tests are skipped, and fail in CI."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.web.test_server import Served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def missing(what: str) -> None:
    """Skips the test for want of ``what``, or fails it where CDS_CI=1 says that nothing may be missing."""
    if os.environ.get("CDS_CI") == "1":
        pytest.fail(f"{what} is missing, and CDS_CI=1 allows no skip", pytrace=False)
    pytest.skip(f"{what} is missing")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, driven by Playwright, which never downloads one of its own."""
    if importlib.util.find_spec("playwright") is None:
        missing("the Python package playwright (pip install -e '.[dev]')")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("the Debian package chromium (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Without its own sandbox, which root and many containers cannot have: it sees our own pages only.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    service = Served(tmp_path_factory.mktemp("browsed"))
    try:
        service.wait()
        yield service
    finally:
        service.stop()


class Opened:
    """A page, what its console said, and which hosts it asked."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.console: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))


@pytest.fixture
def opened(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """A new page; ``request.param`` are the options of its context (viewport, locale ...)."""
    options: dict[str, Any] = getattr(request, "param", {})
    context = browser.new_context(**options)
    yield Opened(context.new_page())
    context.close()
