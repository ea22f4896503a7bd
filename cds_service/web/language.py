"""Which of the languages of the texts the caller would rather read."""

from __future__ import annotations

from flask import Response, request

from cds_service.cards.wording import LANGUAGES


def preferred() -> str | None:
    """The best language of ``Accept-Language`` that there are texts in; None where it names none of them.

    "it-IT" is Italian; ``*`` prefers nothing, so the setting holds.
    """
    for tag, quality in request.accept_languages:  # best first
        language = tag.partition("-")[0].lower()
        if quality > 0 and language in LANGUAGES:
            return language
    return None


def told_in(answer: Response, language: str) -> Response:
    """The answer, saying in which language it is and that another header would have got another."""
    answer.headers["Content-Language"] = language
    answer.vary.add("Accept-Language")
    return answer
