"""The clients this installation knows, each with how it wants its answers: CDS_TRUSTED_CLIENTS.

A client is told by the issuer (``iss``) its token names, and by ``tenant`` where its entry has one. Client
authentication is not built yet, so the token is read and not verified: an entry decides how an answer is
put, never what may be reached or seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import jwt
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from cds_service.cards.manner import PLAIN, Manner, SmartApp
from cds_service.errors import SettingError
from cds_service.knowledge.plain_yaml import read_yaml

_LARGEST_TOKEN = 16_384  # Epic's are about 1 kB; nothing that is no token is worth decoding


def _smart_url(value: str) -> str:
    """A launch address: https, or http on this machine; launch and iss are added by the client."""
    plain = value.partition("?")[0]
    if not (plain.startswith("https://") or plain.startswith(("http://localhost", "http://127.0.0.1"))):
        raise PydanticCustomError("url", "must be an https address")
    if any(f"{name}=" in value.partition("?")[2] for name in ("launch", "iss")):
        raise PydanticCustomError("url", "must not carry launch or iss: the client adds them")
    return value


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SmartAppEntry(_Entry):
    """The SMART app that cards of this client may link to."""

    url: Annotated[str, AfterValidator(_smart_url)]
    label: str = ""


class Client(_Entry):
    """One client. What it leaves out holds as the settings have it.

    ``id`` is the operator's short name for it, which may stand in logs and reports.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    iss: str = Field(min_length=1)
    tenant: str = ""
    region: Literal["EMA", "FDA"] | None = None
    pathway: str | None = None
    language: Literal["en", "it"] | None = None
    mode: Literal["live", "silent"] | None = None
    selection_behavior: Literal["at-most-one", "any"] | None = None
    orders: Literal["medication-requests", "request-group", "care-plan"] | None = None
    doses: bool | None = None
    smart_app: SmartAppEntry | None = None

    def manner(self, here: Manner = PLAIN) -> Manner:
        """How its answers are put, where the installation puts them as ``here``."""
        app = self.smart_app
        return Manner(
            selection_behavior=self.selection_behavior or here.selection_behavior,
            orders=self.orders or here.orders,
            doses=here.doses if self.doses is None else self.doses,
            smart_app=SmartApp(app.url, app.label) if app else here.smart_app,
        )


_FILE = TypeAdapter(dict[Literal["clients"], list[Client]])


class Clients:
    """The entries of one file, found by what a token names."""

    def __init__(self, entries: Sequence[Client] = ()) -> None:
        self._by_name = {(entry.iss, entry.tenant): entry for entry in entries}
        self.entries = tuple(entries)

    def named_in(self, authorization: str | None) -> Client | None:
        """The client that the bearer token names; None where there is no token, or it names nobody known."""
        scheme, _, token = (authorization or "").partition(" ")
        if not self._by_name or scheme.lower() != "bearer" or len(token) > _LARGEST_TOKEN:
            return None
        try:
            claims: dict[str, Any] = jwt.decode(token.strip(), options={"verify_signature": False})
        except jwt.PyJWTError:
            return None
        issuer, tenant = claims.get("iss"), claims.get("tenant", "")
        if not isinstance(issuer, str) or not isinstance(tenant, str):
            return None
        return self._by_name.get((issuer, tenant)) or self._by_name.get((issuer, ""))


NO_CLIENTS = Clients()


def read_clients(path: Path | None) -> Clients:
    """The clients of the file; none where there is no file. Raises SettingError that names every fault."""
    if path is None:
        return NO_CLIENTS
    name = f"CDS_TRUSTED_CLIENTS={path}"
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "is no UTF-8 text"
        raise SettingError(f"{name}: {reason}.") from None
    except yaml.YAMLError as problem:
        raise SettingError(f"{name}: {problem}.") from None
    try:
        entries = _FILE.validate_python(content).get("clients", [])
    except ValidationError as problem:
        raise SettingError(*(f"{name}, {_where(e['loc'])}: {e['msg']}." for e in problem.errors())) from None
    for taken, what in (
        ([entry.id for entry in entries], "id"),
        ([(entry.iss, entry.tenant) for entry in entries], "iss and tenant"),
    ):
        if len(set(taken)) < len(taken):
            raise SettingError(f"{name}: two entries have the same {what}.")
    return Clients(entries)


def _where(steps: Sequence[int | str]) -> str:
    return "/".join(map(str, steps)) or "the whole file"
