"""The knowledge as FHIR R4 resources, and an assessment as a CarePlan: plain dicts, no Flask, no clock.

In: :class:`cds_service.knowledge.types.Knowledge`, or an assessment made with it. Out: PlanDefinition,
ActivityDefinition, CodeSystem, ValueSet, ConceptMap and what describes the server. What may not happen here:
a decision of its own, a code that nobody saw, a date other than the knowledge's own.
"""
