"""An assessment as text for a terminal: the state, what is suggested, what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.knowledge.types import Knowledge

MOST_SUGGESTED = 10


def text(assessment: Mapping[str, Any], knowledge: Knowledge) -> str:
    """The whole report of one assessment (the JSON of the bundle API)."""
    return "\n".join([*_state(assessment), *_advice(assessment, knowledge), *_doubts(assessment)])


def _state(assessment: Mapping[str, Any]) -> Iterator[str]:
    state = assessment["state"]
    about = f"as of {assessment['as_of']}, {assessment['region']}, pathway {assessment['pathway']}"
    yield f"Diagnosis: {state['diagnosis']['kind']}, {state['diagnosis']['status']} ({about})"
    prior = state.get("prior_lines")
    yield f"Prior lines: {'unknown' if prior is None else prior}"
    for line in state.get("lines_of_therapy", ()):
        drugs = ", ".join(line["drugs"])
        span = f"{line.get('start') or '?'} to {line.get('end') or 'now'}"
        best = f", best response {line['best_response']}" if line.get("best_response") else ""
        ended = f"ended by {line['ends_because']}; {line['certainty']}"
        yield f"  {line['number']}. {drugs} ({span}{best}; {ended})"
    for status in ("refractory", "unknown", "exposed", "sensitive"):
        named = [
            f"{drug} ({entry['certainty']})" if status == "refractory" else drug
            for drug, entry in state.get("drugs", {}).items()
            if entry["status"] == status
        ]
        if named:
            yield f"{status.capitalize()}: {', '.join(named)}"
    for asserted in state.get("asserted", ()):
        yield f"Asserted ({'counts' if asserted['in_force'] else 'overtaken'}): {asserted['because']}"
    if state.get("labels"):
        yield f"Labels: {', '.join(state['labels'])}"


def _advice(assessment: Mapping[str, Any], knowledge: Knowledge) -> Iterator[str]:
    recommendation = assessment["recommendation"]
    suggested = recommendation.get("suggested", [])
    yield ""
    if not suggested:
        yield "Nothing is suggested."
    for option in suggested[:MOST_SUGGESTED]:
        regimen = knowledge.regimens.get(option["regimen"])
        name = f"{regimen.display} ({regimen.name})" if regimen else option["regimen"]
        rules = f" [{', '.join(option['rules'])}]" if option.get("rules") else ""
        yield f"{option['rank']:>2}. {name}: label {option['label']['status']}{rules}"
        yield f"      {option['because']}"
        for caution in option.get("cautions", ()):
            yield f"      ! {caution['text']}"
    if len(suggested) > MOST_SUGGESTED:
        yield f"    and {len(suggested) - MOST_SUGGESTED} more"
    counted = Counter(
        reason["code"] for entry in recommendation.get("not_suggested", ()) for reason in entry["reasons"]
    )
    if counted:
        yield f"Not suggested, by reason: {', '.join(f'{code} {n}' for code, n in counted.most_common())}"
    for disagreement in recommendation.get("disagreements", ()):
        yield f"Sources disagree ({disagreement['id']}): {disagreement['text']}"


def _doubts(assessment: Mapping[str, Any]) -> Iterator[str]:
    for unknown in assessment["state"].get("unknown", ()):
        mark = " (would change the suggestions)" if unknown.get("changes_suggestions") else ""
        yield f"Unknown: {unknown['what']}: {unknown['would_settle']}{mark}"
    for card in assessment.get("cards", ()):
        yield f"Card ({card['indicator']}): {card['summary']}"
    for issue in assessment.get("issues", ()):
        where = f" ({issue['where']})" if issue.get("where") else ""
        yield f"{issue['severity'].capitalize()}: {issue['text']}{where}"
