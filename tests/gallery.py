"""Every kind of card for every test patient, in both languages, on one page as an EHR would draw them.

    python -m tests.gallery [docs/gallery.html]

Each patient is asked for as its file says, in its own region and the other one; some are asked once more with
an order being signed, so that each reason against an order is seen. ``SHARED_PATIENTS=FOLDER`` adds the files
of an outside folder. Exit status 1, and a sentence for each kind of card or indicator that has no example.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from cds_service.assess import Assessor, Question
from cds_service.cards.render import EXTENSION, KINDS
from cds_service.cards.wording import LANGUAGES
from cds_service.fhir.read import resources_of
from cds_service.knowledge.types import REGIONS
from tests.expectations import regions
from tests.shipped import KNOWLEDGE

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "gallery.html"
INDICATORS = ("info", "warning", "critical")

ORDERED: Sequence[tuple[str, str, tuple[str, ...]]] = (
    (
        "heart-failure-nyha-iii",
        "contraindicated by heart failure",
        ("Carfilzomib 20 mg/m2", "Dexamethasone 40 mg"),
    ),
    (
        "drd-first-relapse",
        "refractory to another antibody of the class",
        ("Isatuximab 10 mg/kg", "Dexamethasone 20 mg"),
    ),
    ("lenalidomide-stopped-for-rash", "stopped before for a rash", ("Lenalidomide 25 mg",)),
    ("lenalidomide-sensitive-first-relapse", "outside the label after one line", ("Teclistamab 1.5 mg/kg",)),
    (
        "lenalidomide-stop-not-dated",
        "unknown whether refractory",
        ("Lenalidomide 10 mg", "Dexamethasone 20 mg"),
    ),
    ("relapse-without-treatment-history", "nothing to check it against", ("Pomalidomide 4 mg",)),
)
"""Orders signed for test patients beside those of their files: patient, what is to be seen, the drafts."""

_GFM = MarkdownIt("gfm-like")
_WITHOUT_HTML = MarkdownIt("gfm-like", {"html": False})


class RawHtml(Exception):
    """A card's detail holds HTML of its own, which some clients would run."""


@dataclass(frozen=True)
class Asked:
    """One question, and the cards it was answered with in each language."""

    patient: str
    title: str
    hook: str
    region: str
    own_region: bool
    ordered: tuple[str, ...] = ()
    cards: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)


def patients() -> list[dict[str, Any]]:
    """The test patients, and those of SHARED_PATIENTS where it names a folder."""
    outside = os.environ.get("SHARED_PATIENTS")
    folders = [HERE / "patients", *([Path(outside)] if outside else [])]
    return [json.loads(p.read_text(encoding="utf-8")) for f in folders for p in sorted(f.glob("*.json"))]


def asked(everybody: Iterable[Mapping[str, Any]]) -> Iterator[Asked]:
    """Every patient in both regions, then the orders of ``ORDERED`` in the patient's own."""
    assessor = Assessor(KNOWLEDGE)
    by_id = {patient["id"]: patient for patient in everybody}
    for patient in by_id.values():
        own = regions(patient)
        for region in (*own, *(other for other in REGIONS if other not in own)):
            drafts = tuple(patient.get("draft_orders") or ())
            yield _answered(assessor, patient, region, drafts, patient["hook"], region in own)
    for key, why, texts in ORDERED:
        if key in by_id:
            patient = by_id[key]
            drafts = tuple(_draft(patient, number, text) for number, text in enumerate(texts, start=1))
            region = regions(patient)[0]
            yield _answered(assessor, patient, region, drafts, "order-sign", True, f" ({why})")


def _draft(patient: Mapping[str, Any], number: int, text: str) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "id": f"draft-{number}",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": f"Patient/{patient['patient_id']}"},
        "medicationCodeableConcept": {"text": text},
    }


def _answered(
    assessor: Assessor,
    patient: Mapping[str, Any],
    region: str,
    drafts: tuple[dict[str, Any], ...],
    hook: str,
    own_region: bool,
    more: str = "",
) -> Asked:
    selections = patient.get("selections")
    cards = {}
    for language in LANGUAGES:
        question = Question(
            as_of=date.fromisoformat(patient["as_of"]),
            region=region,
            language=language,
            moment=hook,
            patient_id=patient["patient_id"],
            drafts=drafts,
            selections=tuple(selections) if hook == "order-select" and selections is not None else None,
        )
        cards[language] = assessor.assess(resources_of(patient["bundle"]), question).cards
    ordered = tuple(_ordered(draft) for draft in drafts)
    return Asked(patient["id"], patient["title"] + more, hook, region, own_region, ordered, cards)


def _ordered(draft: Mapping[str, Any]) -> str:
    concept = draft.get("medicationCodeableConcept", {})
    codings = concept.get("coding") or [{}]
    return str(concept.get("text") or codings[0].get("display") or codings[0].get("code") or "?")


def rendered(detail: str) -> Markup:
    """The detail as GitHub-flavoured Markdown is drawn. Raises RawHtml where HTML of its own gets through."""
    drawn = _GFM.render(detail)
    if drawn != _WITHOUT_HTML.render(detail):
        raise RawHtml(detail)
    return Markup(drawn)  # noqa: S704 (just drawn, and it holds no HTML but the renderer's)


def kind_of(card: Mapping[str, Any]) -> str:
    """The kind of a card, from its extension."""
    return str(card["extension"][EXTENSION]["kind"])


def lacking(answers: Iterable[Asked]) -> list[str]:
    """A sentence for each kind of card, in each language, and each indicator without an example."""
    kinds, indicators = set(), set()
    for one in answers:
        for language, cards in one.cards.items():
            kinds |= {(kind_of(card), language) for card in cards}
            indicators |= {card["indicator"] for card in cards}
    missing = [
        f"no card of the kind {kind} in {language}"
        for kind in KINDS
        for language in LANGUAGES
        if (kind, language) not in kinds
    ]
    return missing + [f"no card with the indicator {name}" for name in INDICATORS if name not in indicators]


def page(answers: Sequence[Asked]) -> str:
    """The page, which needs nothing beside itself."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(rendered=rendered, kind_of=kind_of)
    counted = {
        kind: sum(kind_of(card) == kind for one in answers for card in one.cards["en"]) for kind in KINDS
    }
    template = environment.get_template("gallery.html")
    return template.render(answers=answers, counted=counted, languages=LANGUAGES, version=KNOWLEDGE.version)


def main(arguments: Sequence[str]) -> int:
    """Writes the page; 1 where something has no example."""
    place = Path(arguments[0]) if arguments else PAGE
    answers = list(asked(patients()))
    if missing := lacking(answers):
        print("\n".join(missing), file=sys.stderr)
        return 1
    place.write_text(page(answers), encoding="utf-8")
    print(f"{place}: {sum(len(cards) for one in answers for cards in one.cards.values())} cards")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
