"""The applications of tests/web, under their names there."""

from __future__ import annotations

from tests.web.conftest import (  # noqa: F401
    assessor,
    client,
    library,
    make_app,
    make_client,
    no_settings_of_this_machine,
)
