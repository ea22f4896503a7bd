"""myeloma-cds: decision support for relapsed/refractory multiple myeloma over CDS Hooks.

In comes a chart as FHIR resources, out go cards that suggest regimens, each with its reason, evidence,
label status and cautions. The story on one screen is :mod:`cds_service.assess`.
"""
