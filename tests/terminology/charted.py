"""Short hands for what a chart holds."""

from __future__ import annotations

from cds_service.terminology import Coding, Concept

ATC = "http://www.whocc.no/atc"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
HCPCS = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
NDC = "http://hl7.org/fhir/sid/ndc"
CPT = "http://www.ama-assn.org/go/cpt"
ICD_10 = "http://hl7.org/fhir/sid/icd-10"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_10_GM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
ICD_9_CM = "http://hl7.org/fhir/sid/icd-9-cm"
ICD_10_PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
NCIT = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
REQUEST_REASON = "http://terminology.hl7.org/CodeSystem/medicationrequest-status-reason"


def coded(system: str, code: str, display: str = "", *, text: str = "") -> Concept:
    return Concept((Coding(system, code, display),), text)


def words(text: str) -> Concept:
    return Concept((), text)
