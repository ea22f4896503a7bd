from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cds_service.errors import SettingError
from cds_service.knowledge.types import Knowledge
from cds_service.settings import Settings, load_settings, unknown_variables
from cds_service.web.app import check_against_knowledge

PROMISED = """HOST PORT BASE_URL REGION PATHWAY LANGUAGE KNOWLEDGE_DIR MODE PREFETCH_INCLUDE FORMULARY
DATABASE_URL AUTH TRUSTED_CLIENTS FHIR_SERVERS CORS_ORIGINS VALIDATION MAX_BODY_MB FETCH_TIMEOUT_S
LOG_FORMAT"""


def test_every_promised_setting_exists_and_is_explained() -> None:
    rows = {row["variable"]: row for row in load_settings().shown()}
    for name in PROMISED.split():
        assert rows[f"CDS_{name}"]["meaning"], name


def test_defaults() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.region, settings.pathway) == (
        "127.0.0.1",
        8080,
        "EMA",
        "default",
    )
    assert (settings.max_body_mb, settings.fetch_timeout_s) == (32, 3)
    assert settings.public_url == "http://127.0.0.1:8080"
    assert settings.allowed_origins == ("*",)
    assert settings.allowed_fhir_servers == ()
    assert settings.prefetch_include is True
    shown = {row["variable"]: row["value"] for row in settings.shown()}
    assert shown["CDS_VALIDATION"] == "relevant (hooks: fast)"


@pytest.mark.parametrize(
    "variable, value, said",
    [
        ("CDS_PORT", "http", "CDS_PORT=http: "),
        ("CDS_PORT", "0", "CDS_PORT=0: "),
        ("CDS_REGION", "UK", "CDS_REGION=UK: must be 'EMA' or 'FDA'."),
        ("CDS_LANGUAGE", "de", "CDS_LANGUAGE=de: must be 'en' or 'it'."),
        ("CDS_MODE", "loud", "CDS_MODE=loud: "),
        ("CDS_PREFETCH_INCLUDE", "perhaps", "CDS_PREFETCH_INCLUDE=perhaps: "),
        (
            "CDS_KNOWLEDGE_DIR",
            "/no/such/folder",
            "CDS_KNOWLEDGE_DIR=/no/such/folder: is no folder that exists.",
        ),
        ("CDS_BASE_URL", "cds.example", "CDS_BASE_URL=cds.example: is no http or https URL."),
        ("CDS_FHIR_SERVERS", "https://a.example,b", "CDS_FHIR_SERVERS=https://a.example,b: 'b' is no http"),
        ("CDS_MAX_BODY_MB", "-1", "CDS_MAX_BODY_MB=-1: "),
        ("CDS_FETCH_TIMEOUT_S", "soon", "CDS_FETCH_TIMEOUT_S=soon: "),
        ("CDS_LOG_FORMAT", "xml", "CDS_LOG_FORMAT=xml: "),
        ("CDS_AUTH", "required", "CDS_AUTH=required cannot be kept"),
        ("CDS_AUTH", "perhaps", "CDS_AUTH=perhaps: "),
        ("CDS_SELECTION_BEHAVIOR", "all", "CDS_SELECTION_BEHAVIOR=all: must be"),
        ("CDS_ORDERS", "fax", "CDS_ORDERS=fax: must be"),
        ("CDS_HOST", "0.0.0.0", "CDS_HOST=0.0.0.0 is no loopback address"),  # noqa: S104
        ("CDS_HOST", "::", "CDS_HOST=:: is no loopback address"),
    ],
)
def test_a_bad_value_stops_the_start_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingError) as caught:
        load_settings()
    (sentence,) = caught.value.sentences
    assert sentence.startswith(said)
    assert sentence.endswith(".")


def test_all_bad_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_PORT", "x")
    monkeypatch.setenv("CDS_REGION", "x")
    with pytest.raises(SettingError) as caught:
        load_settings()
    assert len(caught.value.sentences) == 2


@pytest.mark.parametrize(
    "given, public_url",
    [
        ({}, "http://127.0.0.1:8080"),
        ({"port": 9000}, "http://127.0.0.1:9000"),
        ({"base_url": "https://cds.example/rrmm/"}, "https://cds.example/rrmm"),
        ({"host": "::1"}, "http://[::1]:8080"),
        ({"host": "0.0.0.0", "auth": "off"}, "http://127.0.0.1:8080"),  # noqa: S104
    ],
)
def test_the_address_callers_use(given: dict[str, Any], public_url: str) -> None:
    assert load_settings(**given).public_url == public_url


@pytest.mark.parametrize(
    "host, loopback",
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("cds.example", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert load_settings(host=host, auth="off").on_loopback is loopback


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_FHIR_SERVERS", "https://a.example/fhir, http://127.0.0.1:8090/fhir")
    monkeypatch.setenv("CDS_CORS_ORIGINS", "https://ehr.example")
    settings = load_settings()
    assert [str(base) for base in settings.allowed_fhir_servers] == [
        "https://a.example/fhir",
        "http://127.0.0.1:8090/fhir",
    ]
    assert settings.allowed_origins == ("https://ehr.example",)


@pytest.mark.parametrize("as_file", [False, True])
def test_formulary(tmp_path: Path, as_file: bool) -> None:
    entries = "cilta-cel,talquetamab"
    if as_file:
        path = tmp_path / "formulary.txt"
        path.write_text("# not to be had here\ncilta-cel\ntalquetamab   # no stock\n")
        entries = str(path)
    assert load_settings(formulary=entries).unavailable == {"cilta-cel", "talquetamab"}


@pytest.mark.parametrize(
    "given, said",
    [
        ({"pathway": "barila"}, "CDS_PATHWAY=barila: there is no such pathway; there are barila-2025"),
        ({"formulary": "ciltacel"}, "CDS_FORMULARY: no regimen and no drug has the key ciltacel."),
        ({"formulary": "/no/such/file.txt"}, "CDS_FORMULARY=/no/such/file.txt: No such file"),
    ],
)
def test_what_only_the_knowledge_can_judge(knowledge: Knowledge, given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError) as caught:
        check_against_knowledge(load_settings(**given), knowledge)
    assert caught.value.sentences[0].startswith(said)


def test_what_is_not_built_says_so() -> None:
    not_yet = {row["variable"] for row in load_settings().shown() if row["not_yet"]}
    assert {"CDS_AUTH", "CDS_TRUSTED_CLIENTS", "CDS_DATABASE_URL"} <= not_yet


def test_a_password_is_not_shown() -> None:
    rows = load_settings(database_url="postgresql+psycopg://cds:geheim@db/cds").shown()
    assert not any("geheim" in row["value"] for row in rows)


def test_a_misspelt_variable_is_noticed() -> None:
    assert unknown_variables({"CDS_REGOIN": "EMA", "PATH": "/bin", "CDS_PORT": "1"}) == [
        "CDS_REGOIN is no setting and has no effect. Nearest: CDS_REGION."
    ]


def test_settings_do_not_change_after_the_start() -> None:
    settings: Settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]
