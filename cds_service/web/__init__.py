"""In: HTTP. Out: HTTP. Flask only; nothing clinical is decided and no FHIR is read here."""
