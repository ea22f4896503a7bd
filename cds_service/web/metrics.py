"""Prometheus metrics. Labels are names of ours, never anything a caller wrote."""

from __future__ import annotations

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

REQUESTS = Counter("cds_http_requests_total", "HTTP requests", ["endpoint", "method", "status"])
SECONDS = Histogram(
    "cds_http_request_seconds",
    "Time to answer an HTTP request",
    ["endpoint"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
CARDS = Counter("cds_cards_total", "Cards computed, by service and kind", ["service", "kind"])
ISSUES = Counter("cds_issues_total", "Issues found in charts, by service and code", ["service", "code"])
FEEDBACK = Counter("cds_feedback_total", "Feedback items, by service and outcome", ["service", "outcome"])
HELD_BACK = Counter(
    "cds_cards_held_back_total",
    "Cards not shown again after an override, by service and kind",
    ["service", "kind"],
)
UNRECORDED = Counter("cds_cards_unrecorded_total", "Cards that were not recorded, by reason", ["reason"])
UNKNOWN_OVERRIDES = Counter(
    "cds_override_lookups_failed_total", "Hook calls for which overrides could not be looked up"
)
KNOWLEDGE = Gauge(
    "cds_knowledge_info", "Which knowledge answers", ["version", "sha256"], multiprocess_mode="max"
)


def exposition() -> tuple[bytes, str]:
    """The metrics of all server processes, and their media type."""
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST
