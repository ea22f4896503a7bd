"""Fills the sentences of pathways/definitions/sentences.yaml, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds_service.knowledge.types import Text


def within_a_sentence(text: Text) -> Text:
    """A sentence as part of another: no full stop, and a first word that is no abbreviation begins small."""

    def lowered(words: str) -> str:
        words = words.rstrip(".")
        return words[:1].lower() + words[1:] if words[1:2].islower() else words

    return Text(lowered(text.en), lowered(text.it) if text.it else None)


def sentence(definitions: Mapping[str, Any], group: str, name: str, **values: str | Text) -> Text:
    """The sentence ``name`` of ``group`` with ``values`` filled in; a Text value in its own language.

    Raises KeyError if the sentence does not exist, or names a value that is not given.
    """
    raw = definitions["sentences"][group][name]

    def filled(language: str) -> str:
        in_language = {
            key: value.in_language(language) if isinstance(value, Text) else value
            for key, value in values.items()
        }
        return str(raw.get(language, raw["en"]).format(**in_language))

    return Text(filled("en"), filled("it"))
