"""The shipped knowledge, loaded once per process: it takes most of a second, and nothing changes it."""

from __future__ import annotations

from cds_service.knowledge.load import load

KNOWLEDGE = load()
