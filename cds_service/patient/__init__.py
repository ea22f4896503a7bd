"""In: a ClinicalRecord, the knowledge, a date. Out: a PatientState. Pure: no FHIR, no Flask, no clock."""
