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


def standings(
    regimen: Regimen, region: str, evaluator: Evaluator, knowledge: Knowledge, as_of: date
) -> list[tuple[LabelStatus, Outcome]]:
    """The best standing first among the region's dated entries (one per formulation), each with its gate.

    Never empty: where no entry is in force on the day, that it was withdrawn, or never labelled.
    """
    definitions = knowledge.definitions
    own = [label for label in regimen.labels if label.region == region]
    found = [_standing(label, evaluator, knowledge) for label in own if _in_force(label, as_of)]
    if not found and (begun := [label for label in own if _may_have_begun(label, as_of)]):
        # Whichever of the two held on that day: where both say the same, it is the answer.
        ending = [label for label in own if _may_be_in_force_still(label, as_of)]
        either = [_standing(label, evaluator, knowledge) for label in (*begun, *ending)]
        if all(standing.status == "outside" for standing, _ in either) or (
            ending and all(standing.status == "within" for standing, _ in either)
        ):
            return either
        words = sentence(definitions, "label_status", begun[0].status)
        missing = ("label-date",)
        text = sentence(
            definitions, "label_text", "unknown", status=words, missing=data_text(missing, knowledge)
        )
        status = LabelStatus(region, "unknown", text, begun[0].status, missing, source=begun[0].source)
        return [(status, Outcome(None, missing))]
    if not found:
        ended = [label for label in own if label.until and not _in_force(label, as_of)]
        begun_ended = [
            label for label in ended if not label.since or DateSpan.on(label.since).latest <= as_of
        ]
        kind = "withdrawn" if begun_ended else "not-labelled"
        text = sentence(definitions, "label_status", kind)
        found = [(LabelStatus(region, kind, text, kind), Outcome(False))]
    return sorted(found, key=lambda s: (_BEST_FIRST.index(s[0].status), s[0].kind == "not-seen"))


def label_status(
    regimen: Regimen, region: str, evaluator: Evaluator, knowledge: Knowledge, as_of: date
) -> tuple[LabelStatus, Outcome]:
    """The best standing among the region's dated entries (one per formulation), and the gate's outcome."""
    return standings(regimen, region, evaluator, knowledge, as_of)[0]


def _in_force(label: Label, as_of: date) -> bool:
    """Whether the entry surely counts on the day; a month or year charted counts from its last day."""
    # "Withdrawn" speaks of the label's end: before that day the entry says nothing of the past.
    if label.since and DateSpan.on(label.since).latest > as_of:
        return False
    return not label.until or label.status == "withdrawn" or DateSpan.on(label.until).earliest > as_of


def _may_have_begun(label: Label, as_of: date) -> bool:
    """Whether the day falls within the month or year of which the label is known to date."""
    if not label.since or label.status not in AUTHORISED:
        return False
    since = DateSpan.on(label.since)
    return since.earliest <= as_of < since.latest


def _may_be_in_force_still(label: Label, as_of: date) -> bool:
    """Whether the day falls within the month or year of which the label is known to end."""
    if not label.until or label.status not in AUTHORISED:
        return False
    until = DateSpan.on(label.until)
    return until.earliest <= as_of < until.latest


def _standing(label: Label, evaluator: Evaluator, knowledge: Knowledge) -> tuple[LabelStatus, Outcome]:
    definitions = knowledge.definitions
    words = sentence(definitions, "label_status", label.status)

    def status(standing: str, text: Text, missing: tuple[str, ...] = ()) -> LabelStatus:
        return LabelStatus(
            label.region,
            standing,
            text,
            label.status,
            missing,
            label.formulation,
            label.since,
            label.source,
            label.text,
        )

    if label.status not in AUTHORISED:
        return status(_WORDS[label.status], words), Outcome(False)
    gate = evaluator.ask(label.when)
    if gate.value:
        return status("within", sentence(definitions, "label_text", "within", status=words)), gate
    if gate.value is None:
        missing = data_text(gate.missing, knowledge)
        text = sentence(definitions, "label_text", "unknown", status=words, missing=missing)
        return status("unknown", text, gate.missing), gate
    return status("outside", sentence(definitions, "label_text", "outside", gate=label.text or words)), gate


def gate_text(status: LabelStatus) -> Text:
    """The label's gate in words, for a reason; the status in words where there is none."""
    return status.gate or status.text


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
    elif kind == "planned" or not key:
        name = sentence(knowledge.definitions, "planned_name", key) if key else ""
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
