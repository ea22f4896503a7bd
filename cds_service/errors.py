"""The errors that a caller or an operator meets, each with what to do about it.

    CdsError
    ├── SettingError              a setting has a bad value: the start stops with a sentence that names it
    └── RequestError              the caller's request cannot be answered; carries an HTTP status
        ├── BadRequest            400: what came is not what was asked for
        ├── NotFound              404
        ├── DataMissing           412: data the answer cannot do without, neither sent nor to be had
        ├── TooSlow               408: the body did not come in time
        ├── TooLarge              413
        ├── UnsupportedMedia      415
        └── Busy                  503: too much is under way; carries retry_after
            └── DatabaseGone      503: nothing was stored or read

A gap in a chart is no error but a value (an :class:`cds_service.record.Issue`, an unknown). Faults of the
knowledge files are :class:`cds_service.knowledge.load.KnowledgeError`.
"""

from __future__ import annotations

from dataclasses import dataclass


class CdsError(Exception):
    """Root of the family; its text is written for the person who can mend the matter."""


class SettingError(CdsError):
    """One or more settings cannot be used; ``sentences`` names each."""

    def __init__(self, *sentences: str) -> None:
        self.sentences = sentences
        super().__init__("\n".join(sentences))


@dataclass(frozen=True)
class Fault:
    """One fault of the input: what is wrong, and where.

    ``pointer`` is a JSON Pointer (RFC 6901) into the body, ``parameter`` the name of a query parameter;
    one of the two is "". ``expression`` is the place in FHIRPath, where the body is a FHIR resource. Never
    carries the value found: it may identify the patient.
    """

    detail: str
    pointer: str = ""
    parameter: str = ""
    expression: str = ""

    def as_json(self) -> dict[str, str]:
        """The fault as a member of problem+json's ``errors``."""
        place = {"parameter": self.parameter} if self.parameter else {"pointer": self.pointer}
        return {"detail": self.detail, **place}


class RequestError(CdsError):
    """A request that cannot be answered. ``code`` is stable and names the kind of problem."""

    status = 400
    code = "bad-request"
    title = "The request cannot be answered"

    def __init__(self, detail: str, *faults: Fault, code: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = faults
        self.code = code or type(self).code


class BadRequest(RequestError):
    """The request itself is at fault."""


class NotFound(RequestError):
    """Nothing of this name exists here."""

    status = 404
    code = "not-found"
    title = "Not found"


class DataMissing(RequestError):
    """Data that the answer cannot do without, neither sent nor to be had."""

    status = 412
    code = "data-missing"
    title = "Data needed for an answer is missing"


class TooSlow(RequestError):
    """The body did not come in time."""

    status = 408
    code = "too-slow"
    title = "The body did not come in time"


class TooLarge(RequestError):
    """The body is larger than the limit."""

    status = 413
    code = "too-large"
    title = "The body is too large"


class UnsupportedMedia(RequestError):
    """The body is in a form that is not read here."""

    status = 415
    code = "unsupported-media-type"
    title = "The body is in a form that is not read here"


class Busy(RequestError):
    """Too many calls of a kind are under way; ``retry_after`` seconds later it may be different."""

    status = 503
    code = "unavailable"
    title = "Too much is under way"
    retry_after = 2


class DatabaseGone(Busy):
    """The database does not answer. ``kind`` names the error for the log; its text might quote a row."""

    title = "The database cannot be reached"
    retry_after = 10

    def __init__(self, kind: str = "") -> None:
        super().__init__("The database cannot be reached now: nothing was stored or read. Try again later.")
        self.kind = kind
