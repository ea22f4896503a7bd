"""Condition as a diagnosis or comorbidity; AllergyIntolerance; Patient."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cds_service.fhir.accessors import NO_CONCEPT, Reading
from cds_service.fhir.chart import Chart
from cds_service.record import (
    AllergyFact,
    ComorbidityFact,
    DateSpan,
    DiagnosisFact,
    DiagnosisStatus,
    PatientFacts,
    Severity,
)
from cds_service.terminology import Concept

_PROVISIONAL = frozenset({"provisional", "differential", "unconfirmed"})
_OVER = frozenset({"resolved", "inactive", "remission"})

_EXCLUDED = re.compile(
    r"\b(ruled out|excluded|not confirmed|esclus[oaie]|non confermat[oaie]|da escludere|rule out|r/o)\b",
    re.IGNORECASE,
)
_SUSPECTED = re.compile(
    r"\b(suspected|suspicion|suspect|query|possible|sospett[oaie]|possibile|dubbi[oa])\b", re.IGNORECASE
)
_OF_RELATIVES = re.compile(
    r"\b(family history|familial history|familiarità|anamnesi familiare|"
    r"in (?:the |his |her )?(?:mother|father|brother|sister)|nel(?:la)? (?:madre|padre|fratello|sorella))\b",
    re.IGNORECASE,
)


def condition(reading: Reading, chart: Chart) -> list[DiagnosisFact | ComorbidityFact]:
    """The diagnosis or the comorbidity that a Condition names; [] where it names neither."""
    data = reading.data
    verification = reading.codes(data, "verificationStatus") if "verificationStatus" in data else ()
    if "entered-in-error" in verification:
        chart.left_out["entered-in-error"] += 1
        return []
    refuted = "refuted" in verification
    if refuted:
        chart.left_out["refuted"] += 1
    concept = reading.concept(data, "code")
    if refuted:
        return _refuted(reading, chart, concept)
    if concept == NO_CONCEPT:
        if not data.get("code"):
            return []
        reading.unreadable = True
        text = f"{reading.reference}: what it diagnoses cannot be read."
        reading.issue(Severity.WARNING, "unreadable-resource", text)
        return []
    words = " ".join((concept.text, *(coding.display for coding in concept.codings)))
    if _OF_RELATIVES.search(words):
        return []
    diagnosis = chart.terminology.diagnosis(concept)
    severity = reading.concept(data, "severity") if "severity" in data else NO_CONCEPT
    if diagnosis is None:
        match = chart.terminology.comorbidity(concept, severity if severity != NO_CONCEPT else None)
        denied = chart.terminology.denied_comorbidities(concept)
        if match is None:
            return [] if _PROVISIONAL.intersection(verification) else _absent(reading, chart, denied, concept)
        if match.concept in denied:
            told = (
                f"{reading.reference}: its words deny {match.concept}, its code says it; the code was taken."
            )
            reading.issue(Severity.WARNING, "conflicting-text", told)
    onset, recorded, ended, abated = _times(reading, chart)
    if chart.is_future(onset if onset is not None else recorded):
        chart.left_out["future"] += 1
        return []
    clinical = reading.codes(data, "clinicalStatus") if "clinicalStatus" in data else ()
    text = concept.text or next((coding.display for coding in concept.codings if coding.display), "")
    if diagnosis is None:
        assert match is not None  # noqa: S101 - for the type checker; decided above
        reading.doubt(match.doubt)
        over = bool(_OVER.intersection(clinical)) if not chart.is_future(ended) else False
        graded = match.severity or _severity_elsewhere(reading, chart, concept)
        return [
            ComorbidityFact(
                reference=reading.reference,
                concept=match.concept,
                active=not over and not (abated and not chart.is_future(ended)),
                severity=graded,
                onset=chart.clipped(onset),
                text=text,
            )
        ]
    reading.doubt(diagnosis.doubt)
    provisional = bool(_PROVISIONAL.intersection(verification))
    if _EXCLUDED.search(words):
        provisional = True
        told = f"{reading.reference} is charted as a diagnosis, but its words say that it was excluded."
        reading.issue(Severity.WARNING, "doubtful-diagnosis", told)
    elif not verification and _SUSPECTED.search(words):
        provisional = True
    later = chart.is_future(ended)
    status = _status(reading, chart, diagnosis.status, ended_since=abated and not later, ends_later=later)
    beside = () if provisional else _beside(chart, concept)
    return [
        *(
            ComorbidityFact(
                reading.reference,
                key,
                active=status is not DiagnosisStatus.HISTORY,
                onset=chart.clipped(onset),
                text=text,
            )
            for key in beside
        ),
        DiagnosisFact(
            reference=reading.reference,
            kind=diagnosis.kind,
            status=status,
            onset=chart.clipped(onset),
            recorded=chart.clipped(recorded),
            ended=chart.clipped(ended),
            provisional=provisional,
            text=text,
        ),
    ]


def _beside(chart: Chart, concept: Concept) -> tuple[str, ...]:
    """What a diagnosis of the disease says of its spread: "myeloma with extramedullary disease", C90.20."""
    texts = (concept.text, *(coding.display for coding in concept.codings))
    told = [key for text in texts if text for key, there in chart.terminology.told_in_report(text) if there]
    match = chart.terminology.comorbidity(concept)
    if match is not None and chart.terminology.is_told_in_reports(match.concept):
        told.append(match.concept)
    return tuple(dict.fromkeys(told))


def _refuted(reading: Reading, chart: Chart, concept: Concept) -> list[DiagnosisFact | ComorbidityFact]:
    """A refuted entry denies a comorbidity that it calls by its common name; a narrower one none."""
    words = " ".join((concept.text, *(coding.display for coding in concept.codings)))
    if _OF_RELATIVES.search(words):
        return []
    key = chart.terminology.comorbidity_as_a_whole(concept)
    return _absent(reading, chart, (key,) if key else (), concept)


def _absent(
    reading: Reading, chart: Chart, keys: Iterable[str], concept: Concept
) -> list[DiagnosisFact | ComorbidityFact]:
    """The comorbidities that the entry says are not there; none where it was made later on."""
    _, recorded, _, _ = _times(reading, chart)
    if chart.is_future(recorded):
        chart.left_out["future"] += 1
        return []
    text = concept.text or next((coding.display for coding in concept.codings if coding.display), "")
    return [ComorbidityFact(reading.reference, key, active=False, text=text, present=False) for key in keys]


def _status(
    reading: Reading, chart: Chart, said: DiagnosisStatus | None, *, ended_since: bool, ends_later: bool
) -> DiagnosisStatus:
    """Where the disease stands: clinicalStatus, code and words together.

    A problem list says "active" of everything, so a code or words that say more win over it; a resolved or
    inactive entry is history whatever its code; a remission recorded as the status has the last word over a
    relapse in the code, since a status is updated and a code is not.
    """
    clinical: DiagnosisStatus | None = None
    if "clinicalStatus" in reading.data:
        raw = reading.single(reading.data, "clinicalStatus")
        codes = reading.codes(reading.data, "clinicalStatus")
        concept = (
            reading.concept(reading.data, "clinicalStatus")
            if not isinstance(raw, str)
            else Concept((), raw.strip())
        )
        clinical = chart.terminology.clinical_status(concept)
        for code, meaning in _CLINICAL.items():
            if clinical is None and code in codes:
                clinical = meaning
    if ends_later and clinical is DiagnosisStatus.HISTORY:
        clinical = DiagnosisStatus.ACTIVE  # resolved after the evaluation date: not known yet
    if clinical is DiagnosisStatus.HISTORY or ended_since:
        return DiagnosisStatus.HISTORY
    if clinical is DiagnosisStatus.REMISSION:
        if said is DiagnosisStatus.RELAPSE:
            text = f"{reading.reference}: code says relapse, clinical status remission; remission is taken."
            reading.issue(Severity.INFORMATION, "conflicting-status", text)
        return clinical
    if clinical is DiagnosisStatus.RELAPSE:
        return clinical
    return said or clinical or DiagnosisStatus.UNKNOWN


_CLINICAL = {  # condition-clinical; the terminology is asked first
    "resolved": DiagnosisStatus.HISTORY,
    "inactive": DiagnosisStatus.HISTORY,
    "remission": DiagnosisStatus.REMISSION,
    "relapse": DiagnosisStatus.RELAPSE,
    "recurrence": DiagnosisStatus.RELAPSE,
    "active": DiagnosisStatus.ACTIVE,
}


def _times(reading: Reading, chart: Chart) -> tuple[DateSpan | None, DateSpan | None, DateSpan | None, bool]:
    """Onset, recorded, end, and whether an end is charted at all (also without its date)."""
    data = reading.data
    onset = _when(reading, chart, "onset", last=False)
    recorded = None
    for key in ("recordedDate", "assertedDate", "dateRecorded"):  # the last two: STU3, DSTU2
        if recorded is None and data.get(key) is not None:
            recorded = reading.day(data, key)
    ended = _when(reading, chart, "abatement", last=True)
    abated = ended is not None or reading.flag(data, "abatementBoolean") is True
    if not abated and (isinstance(data.get("abatementString"), str) or data.get("abatementAge")):
        abated = True
    return onset, recorded, ended, abated


def _when(reading: Reading, chart: Chart, stem: str, *, last: bool) -> DateSpan | None:
    """The days meant by onset[x] or abatement[x]."""
    data = reading.data
    if data.get(f"{stem}DateTime") is not None:
        return reading.day(data, f"{stem}DateTime")
    if data.get(f"{stem}Period") is not None:
        start, end = reading.period(data, f"{stem}Period")
        return end.span if last else start.span
    if data.get(f"{stem}Age") is not None:
        return _at_age(reading, chart, f"{stem}Age")
    if isinstance(data.get(f"{stem}String"), str):
        from cds_service.fhir.dates import charted

        return charted(data[f"{stem}String"]).span  # free words are no unreadable date
    return None


def _at_age(reading: Reading, chart: Chart, key: str) -> DateSpan | None:
    """The year or so in which the patient had an age, where the birth date is known."""
    node = reading.object(reading.data, key)
    years = reading.number(node, "value")
    unit = (reading.text(node, "code") or reading.text(node, "unit")).lower()
    if years is None or chart.birth is None or unit not in ("a", "years", "year", "yr", "y", "anni", ""):
        return None
    whole = int(years)
    if not 0 <= whole <= 130:
        return None
    first, last = chart.birth.earliest, chart.birth.latest
    try:
        return DateSpan(
            first.replace(year=first.year + whole, day=min(first.day, 28)),
            last.replace(year=last.year + whole + 1, day=min(last.day, 28)),
        )
    except ValueError:
        return None


def _severity_elsewhere(reading: Reading, chart: Chart, concept: Concept) -> str:
    """A grade or stage written in the stage element or a note instead of the severity."""
    found: list[Concept] = []
    for stage in reading.objects(reading.data, "stage") if "stage" in reading.data else []:
        found.append(reading.concept(stage, "summary"))
        found.append(reading.concept(stage, "type"))
    found.extend(Concept((), note) for note in reading.notes(chart.as_of))
    for one in found:
        if one != NO_CONCEPT:
            match = chart.terminology.comorbidity(concept, one)
            if match is not None and match.severity:
                return match.severity
    return ""


def allergy(reading: Reading, chart: Chart) -> list[AllergyFact]:
    """The drugs that an AllergyIntolerance names; [] where it names none that is known here."""
    data = reading.data
    verification = reading.codes(data, "verificationStatus") if "verificationStatus" in data else ()
    legacy = reading.token(data, "status") if "status" in data else ""  # DSTU2
    for refused in ("entered-in-error", "refuted"):
        if refused in verification or legacy == refused:
            chart.left_out[refused] += 1
            return []
    clinical = reading.codes(data, "clinicalStatus") if "clinicalStatus" in data else ()
    if {"resolved", "inactive"}.intersection(clinical):
        chart.left_out["resolved"] += 1
        return []
    onset = _when(reading, chart, "onset", last=False)
    recorded = reading.day(data, "recordedDate") if onset is None else None
    if chart.is_future(onset or recorded):
        chart.left_out["future"] += 1
        return []
    concepts = [reading.concept(data, key) for key in ("code", "substance") if data.get(key) is not None]
    concepts = [one for one in concepts if one != NO_CONCEPT]
    for reaction in reading.objects(data, "reaction") if "reaction" in data else []:
        if reaction.get("substance") is not None:
            concepts.append(reading.concept(reaction, "substance"))
    drugs: dict[str, str] = {}
    for concept in concepts:
        for match in chart.terminology.drugs(concept, on=None):
            if not match.regimen:
                drugs.setdefault(match.drug, concept.text or next((c.display for c in concept.codings), ""))
        for drug in chart.terminology.members_of_named_classes(concept):
            drugs.setdefault(drug, concept.text or next((c.display for c in concept.codings), ""))
    if not drugs and any(chart.terminology.is_antineoplastic(concept) for concept in concepts):
        text = f"{reading.reference} names an antineoplastic drug that is not known here."
        reading.issue(Severity.WARNING, "unmapped-code", text)
    intolerance = (
        "type" in data and "intolerance" in reading.codes(data, "type")
        if _is_concept(data.get("type"))
        else (reading.token(data, "type") == "intolerance" if "type" in data else False)
    )
    return [AllergyFact(reading.reference, drug, intolerance, text) for drug, text in drugs.items()]


def _is_concept(value: object) -> bool:
    return isinstance(value, dict)


_SEX = {
    "f": "female",
    "w": "female",
    "m": "male",
    "o": "other",
    "u": "unknown",
    "femmina": "female",
    "maschio": "male",
}


def patient(reading: Reading, chart: Chart, patient_id: str) -> PatientFacts:
    """Age, sex and whether alive; nothing that names the person."""
    data = reading.data
    sex = reading.token(data, "gender")
    if sex in _SEX:
        reading.repaired("gender: written otherwise than FHIR has it")
        sex = _SEX[sex]
    if sex not in ("female", "male", "other", "unknown", ""):
        reading.repaired("gender: not understood, passed over")
        sex = ""
    birth = reading.date(data, "birthDate", show=False)
    if (
        birth.span is not None
        and isinstance(data.get("birthDate"), str)
        and len(data["birthDate"].strip()) > 10
    ):
        reading.repaired("birthDate with a time of day")
    deceased = reading.flag(data, "deceasedBoolean") is True
    if data.get("deceasedDateTime") is not None:
        died = reading.date(data, "deceasedDateTime", show=False)
        # A death whose date cannot be read is a death; a placeholder says that there was none.
        known = died.span is not None and not chart.is_future(died.span)
        deceased = deceased or known or (died.span is None and bool(died.problem) and not died.placeholder)
    span = birth.span
    return PatientFacts(patient_id, None if chart.is_future(span) else span, sex, deceased)
