"""The settings: environment variables with the prefix ``CDS_``, checked before anything starts.

A bad value raises :class:`cds_service.errors.SettingError` with a sentence that names the variable.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cds_service.cards.manner import Manner
from cds_service.errors import SettingError
from cds_service.hooks.fetch import FhirBase

PREFIX = "CDS_"

NOT_YET: Mapping[str, str] = {
    "database_url": "parsed only: nothing is stored yet, neither feedback nor an audit",
    "trusted_clients": "says how each client wants its answers; tokens are read, not verified",
    "auth": "only off: client authentication is not built yet, so required stops the start",
}
"""Settings that do not yet do what their name says, each with what holds meanwhile."""

_SECRET = frozenset({"database_url"})  # may hold a password: never shown as a whole


def _split(value: Any) -> Any:
    """A comma list as a tuple; "" is the empty one."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


class Settings(BaseSettings):
    """All settings with their defaults; ``auth`` and ``cors_origins`` left out depend on the others."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=1, le=65535, description="port to listen on")
    base_url: str = Field("", description="address callers use; default: host and port")
    region: Literal["EMA", "FDA"] = Field("EMA", description="whose labels count")
    pathway: str = Field("default", description="pathway id")
    language: Literal["en", "it"] = Field("en", description="language of cards and texts")
    knowledge_dir: Path | None = Field(None, description="overlay folder of knowledge files")
    mode: Literal["live", "silent"] = Field("live", description="silent: compute everything, show no card")
    prefetch_include: bool = Field(True, description="whether medication templates carry _include")
    car_t: Literal["available", "unavailable", "unknown"] | None = Field(
        None,
        description="whether CAR-T cells can be given to patients of this site; default: pathways/site.yaml",
    )
    formulary: str = Field("", description="file or comma list of regimen and drug keys not available here")
    database_url: str = Field("sqlite:///var/myeloma-cds.sqlite", description="where feedback will be kept")
    auth: Literal["off", "required"] | None = Field(
        None,
        validate_default=True,
        description="client JWT; default off on a loopback address, else required",
    )
    selection_behavior: Literal["at-most-one", "any"] = Field(
        "at-most-one", description="of suggestions; any marks none as recommended"
    )
    orders: Literal["medication-requests", "request-group", "care-plan"] = Field(
        "medication-requests", description="what accepting a regimen creates"
    )
    order_doses: bool = Field(True, description="whether suggested orders carry doses, or the drugs alone")
    trusted_clients: Path | None = Field(
        None, description="YAML file of clients, each with its region, pathway, language, form of answers"
    )
    fhir_servers: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="comma list of FHIR base URLs that may be called"
    )
    cors_origins: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        None, description="comma list of browser origins; default * while auth is off, else none"
    )
    validation: Literal["fast", "relevant", "all", "off"] | None = Field(
        None, description="how deep foreign resources are checked; default relevant, on the hooks fast"
    )
    max_body_mb: float = Field(32, gt=0, le=1024, description="largest request body, in megabytes")
    fetch_timeout_s: float = Field(
        3, gt=0, le=25, description="seconds one request to a FHIR server may take; one hook call twice that"
    )
    log_format: Literal["json", "text"] | None = Field(
        None, description="default text on a terminal, else json"
    )
    workers: int = Field(2, ge=1, le=64, description="server processes")
    threads: int = Field(16, ge=1, le=256, description="threads per process")

    _lists = field_validator("fhir_servers", "cors_origins", mode="before")(_split)

    @field_validator("base_url")
    @classmethod
    def _plain_base_url(cls, value: str) -> str:
        if not value:
            return value
        try:
            return str(FhirBase.of(value))
        except ValueError as problem:
            raise PydanticCustomError("url", "{problem}", {"problem": str(problem)}) from None

    @field_validator("fhir_servers")
    @classmethod
    def _plain_servers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            try:
                FhirBase.of(url)
            except ValueError as problem:
                text = f"{url!r} {problem}"
                raise PydanticCustomError("url", "{text}", {"text": text}) from None
        return value

    @field_validator("knowledge_dir")
    @classmethod
    def _folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise PydanticCustomError("folder", "is no folder that exists")
        return value

    @model_validator(mode="after")
    def _authentication_is_not_built(self) -> Self:
        if self.auth == "required":
            raise SettingError(
                "CDS_AUTH=required cannot be kept: client authentication is not built yet. Listen on a "
                "loopback address, or set CDS_AUTH=off and let a reverse proxy or the network decide who may "
                "call."
            )
        if self.auth is None and not self.on_loopback:
            raise SettingError(
                f"CDS_HOST={self.host} is no loopback address, where CDS_AUTH=required is the default, and "
                "client authentication is not built yet. Set CDS_AUTH=off to accept calls from everybody who "
                "reaches this address, behind a reverse proxy or a network that decides who may call."
            )
        return self

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def public_url(self) -> str:
        """The address callers use, without a slash at the end; never taken from a request's Host header."""
        if self.base_url:
            return self.base_url
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "[::]") else self.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{self.port}"

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """Browser origins that may call. Authentication is off, so the default is everybody."""
        return ("*",) if self.cors_origins is None else self.cors_origins

    @property
    def allowed_fhir_servers(self) -> tuple[FhirBase, ...]:
        """The FHIR servers that may be called."""
        return tuple(FhirBase.of(url) for url in self.fhir_servers)

    @property
    def manner(self) -> Manner:
        """How answers are put for a client that says nothing else."""
        return Manner(self.selection_behavior, self.orders, self.order_doses)

    @property
    def json_logs(self) -> bool:
        """Whether log lines are JSON."""
        return self.log_format == "json" or (self.log_format is None and not sys.stderr.isatty())

    @property
    def max_body_bytes(self) -> int:
        """The largest request body; a megabyte is 1024 * 1024 bytes."""
        return int(self.max_body_mb * 1024 * 1024)

    @cached_property
    def unavailable(self) -> frozenset[str]:
        """Keys of the formulary. Raises SettingError if it names a file that is not there."""
        entries = self.formulary
        looks_like_a_file = "/" in entries or entries.endswith((".txt", ".csv", ".lst"))
        if entries and "," not in entries and (looks_like_a_file or Path(entries).is_file()):
            try:
                lines = Path(entries).read_text(encoding="utf-8").splitlines()
            except OSError as problem:
                raise SettingError(f"CDS_FORMULARY={entries}: {problem.strerror or problem}.") from None
            entries = ",".join(line.partition("#")[0] for line in lines)
        return frozenset(_split(entries))

    def shown(self) -> list[dict[str, str]]:
        """Every setting with its variable, value, meaning, and what is not yet built of it."""
        rows = []
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            text = ",".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
            if name in _SECRET and "@" in text:
                text = f"{text.partition('://')[0]}://…@{text.rpartition('@')[2]}"
            effective = {
                "base_url": self.public_url,
                "auth": "off",
                "cors_origins": ",".join(self.allowed_origins),
                "validation": self.validation or "relevant (hooks: fast)",
                "log_format": "json" if self.json_logs else "text",
            }.get(name, text)
            rows.append(
                {
                    "variable": f"{PREFIX}{name.upper()}",
                    "value": effective.lower() if isinstance(value, bool) else effective,
                    "meaning": field.description or "",
                    "not_yet": NOT_YET.get(name, ""),
                }
            )
        return rows


def load_settings(**given: Any) -> Settings:
    """The settings of the environment, ``given`` ones going first.

    Raises SettingError with one sentence per bad value.
    """
    try:
        return Settings(**given)
    except ValidationError as problem:
        raise SettingError(*map(_sentence, problem.errors())) from None


def _sentence(error: ErrorDetails) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    variable = f"{PREFIX}{name.upper()}"
    value = error.get("input")
    shown = "" if name in _SECRET else f"={','.join(value) if isinstance(value, tuple) else value}"
    if error["type"] == "literal_error":
        return f"{variable}{shown}: must be {error['ctx']['expected']}."
    text = error["msg"]
    return f"{variable}{shown}: {text[0].lower()}{text[1:].rstrip('.')}."


def unknown_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    """A sentence for each ``CDS_`` variable that is no setting, with the nearest one that is."""
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    sentences = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Nearest: {near[0]}." if near else ""
            sentences.append(f"{name} is no setting and has no effect.{hint}")
    return sentences
