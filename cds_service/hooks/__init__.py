"""In: a CDS Hooks request as a dict. Out: a response as a dict. CDS Hooks without Flask."""
