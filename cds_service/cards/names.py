"""Names that stand in every card: the extension's key, the kinds of card, the code system of their topics."""

from __future__ import annotations

EXTENSION = "org.myeloma-cds"
KINDS = ("sequencing", "order-conflict", "missing-data", "state")
MISSING_COMPANION = "missing-companion"
TOPICS = "https://myeloma-cds.org/CodeSystem/card-topics"
