"""Where a regimen stands in a region's label for one patient, on one day."""

from __future__ import annotations

from datetime import date

from cds_service.knowledge.types import Knowledge, Label, Regimen, Text
from cds_service.knowledge.wording import sentence
from cds_service.record import DateSpan
from cds_service.sequencing.conditions import Evaluator
from cds_service.sequencing.types import LabelStatus, Outcome

AUTHORISED = ("authorised", "authorised-conditional", "accelerated")

# What a status other than an authorisation comes to, in the words of the interface.
_WORDS = {
    "frontline-only": "outside",
    "positive-opinion": "pending",
    "withdrawn": "withdrawn",
    "refused": "not-labelled",
    "not-labelled": "not-labelled",
    "off-label": "not-labelled",
    "investigational": "not-labelled",
    "not-seen": "unknown",
}
_BEST_FIRST = ("within", "unknown", "outside", "pending", "withdrawn", "not-labelled")


def label_status(
    regimen: Regimen, region: str, evaluator: Evaluator, knowledge: Knowledge, as_of: date
) -> tuple[LabelStatus, Outcome]:
    """The best standing among the region's dated entries (one per formulation), and the gate's outcome."""
    standings = [
        _standing(label, evaluator, knowledge) for label in regimen.labels if _in_force(label, region, as_of)
    ]
    ended = [
        label
        for label in regimen.labels
        if label.region == region and label.until and not _in_force(label, region, as_of)
    ]
    if not standings and ended:
        text = sentence(knowledge.definitions, "label_status", "withdrawn")
        standings = [(LabelStatus(region, "withdrawn", text, "withdrawn"), Outcome(False))]
    if not standings:
        text = sentence(knowledge.definitions, "label_status", "not-labelled")
        standings = [(LabelStatus(region, "not-labelled", text, "not-labelled"), Outcome(False))]
    return min(standings, key=lambda s: (_BEST_FIRST.index(s[0].status), s[0].kind == "not-seen"))


def _in_force(label: Label, region: str, as_of: date) -> bool:
    if label.region != region:
        return False
    # "Withdrawn" speaks of the label's end: before that day the entry says nothing of the past.
    if label.since and DateSpan.on(label.since).earliest > as_of:
        return False
    return not label.until or label.status == "withdrawn" or DateSpan.on(label.until).latest > as_of


def _standing(label: Label, evaluator: Evaluator, knowledge: Knowledge) -> tuple[LabelStatus, Outcome]:
    definitions = knowledge.definitions
    words = sentence(definitions, "label_status", label.status)
    if label.status not in AUTHORISED:
        return LabelStatus(label.region, _WORDS[label.status], words, label.status), Outcome(False)
    gate = evaluator.ask(label.when)
    if gate.value:
        text = sentence(definitions, "label_text", "within", status=words)
        return LabelStatus(label.region, "within", text, label.status), gate
    if gate.value is None:
        missing = data_text(gate.missing, knowledge)
        text = sentence(definitions, "label_text", "unknown", status=words, missing=missing)
        return LabelStatus(label.region, "unknown", text, label.status, gate.missing), gate
    text = sentence(definitions, "label_text", "outside", gate=label.text or words)
    return LabelStatus(label.region, "outside", text, label.status), gate


def gate_text(regimen: Regimen, region: str, status: LabelStatus) -> Text:
    """The label's gate in words, for a reason; the status in words where there is none."""
    for label in regimen.labels:
        if label.region == region and label.status == status.kind and label.text is not None:
            return label.text
    return status.text


def data_text(missing: tuple[str, ...], knowledge: Knowledge) -> Text:
    """The missing data in words: "whether X is refractory; number of prior lines"."""
    parts = [datum_text(datum, knowledge) for datum in missing]
    return Text("; ".join(p.en for p in parts), "; ".join(p.in_language("it") for p in parts))


def datum_text(datum: str, knowledge: Knowledge) -> Text:
    """One missing datum ("refractory:KEY", "prior-lines") in words."""
    kind, _, key = datum.partition(":")
    name: Text | str = key
    if key in knowledge.drugs:
        name = knowledge.drugs[key].name
    elif kind in ("comorbidity", "lab", "estimated"):
        name = concept_name(kind, key, knowledge)
    return sentence(knowledge.definitions, "datum", kind, key=name)


def concept_name(kind: str, key: str, knowledge: Knowledge) -> Text:
    """Display name of a comorbidity or observation concept; its key in words where it has none."""
    file = {"comorbidity": "comorbidities", "lab": "observations", "estimated": "observations"}[kind]
    for entry in knowledge.mappings[file][file]:
        if entry["key"] == key and isinstance(entry.get("name"), dict):
            return Text(entry["name"]["en"], entry["name"].get("it"))
    return Text(key.replace("-", " "))
