"""A browser that is missing skips the tests on a developer's machine and fails them in CI."""

from __future__ import annotations

import pytest

from tests.browser.conftest import missing


def test_a_missing_package_is_a_skip_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CDS_CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="chromium is missing"):
        missing("chromium")


def test_in_ci_it_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_CI", "1")
    with pytest.raises(pytest.fail.Exception, match="allows no skip"):
        missing("chromium")
