"""In: FHIR resources as JSON objects. Out: a ClinicalRecord, and what could not be read. No rule here."""
