"""How one client wants its answers put: what it can do, and what its users may be offered."""

from __future__ import annotations

from dataclasses import dataclass

SELECTION_BEHAVIORS = ("at-most-one", "any")
ORDER_FORMS = ("medication-requests", "request-group", "care-plan")


@dataclass(frozen=True)
class SmartApp:
    """A SMART app that cards may link to. The client adds ``launch`` and ``iss`` to ``url`` by itself."""

    url: str
    label: str = ""


@dataclass(frozen=True)
class Manner:
    """The form of suggestions.

    ``selection_behavior``: "any" for a client that knows no other; none is marked as recommended then, which
    such a client would tick by itself. ``orders``: one MedicationRequest for each drug, or the whole regimen
    as one RequestGroup or CarePlan. ``doses`` False: every order is a proposal of the drug alone.
    """

    selection_behavior: str = "at-most-one"
    orders: str = "medication-requests"
    doses: bool = True
    smart_app: SmartApp | None = None


PLAIN = Manner()
