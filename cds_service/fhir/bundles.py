"""Bundles, Parameters and prefetch values as a flat list of resources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cds_service.fhir.accessors import local_part, reference_of, resource_type
from cds_service.fhir.chart import FromEntry
from cds_service.record import Completeness, Issue, Severity

_DEEPEST = 12  # Bundles within Bundles; deeper is no chart but an attack

# Epic answers an empty search with this warning (code 4101) as an entry; it means "known to be none".
_NO_RESULTS = frozenset({"4101", "no-results"})


class Resources(list[dict[str, Any]]):
    """A flat list of resources that remembers what its Bundle said of itself.

    ``issues`` are the findings about the Bundle; ``completeness`` is PARTIAL where a page is missing, the
    content could not be understood or the server reported an error beside results, ABSENT where it reported
    an error and nothing came, or where what came is something else than what was asked for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.issues: tuple[Issue, ...] = ()
        self.completeness = Completeness.COMPLETE


def with_more(resources: Iterable[Mapping[str, Any]], more: Iterable[Mapping[str, Any]]) -> Resources:
    """The resources and some more, as one list that says of itself what the first did."""
    joined = Resources()
    joined.extend([*resources, *more])  # type: ignore[list-item]
    if isinstance(resources, Resources):
        joined.issues, joined.completeness = resources.issues, resources.completeness
    return joined


class _Walk:
    def __init__(self, whole_answer: bool) -> None:
        self.whole_answer = whole_answer
        self.resources = Resources()
        self.issues: list[Issue] = []
        self.incomplete = False
        self.failed = False
        self.strange = False  # something that is no resource was passed over

    def issue(self, severity: Severity, code: str, text: str) -> None:
        finding = Issue(severity, code, text)
        if finding not in self.issues:
            self.issues.append(finding)

    def visit(self, node: Any, full_url: str = "", depth: int = 0) -> None:
        if node is None:
            return
        if isinstance(node, list | tuple):
            for one in node:
                self.visit(one, depth=depth + 1)
            return
        kind = resource_type(node) if isinstance(node, Mapping) else ""
        if depth > _DEEPEST:
            self.incomplete = True
            self.issue(Severity.WARNING, "unreadable-bundle", "Bundles are nested too deep to be read.")
        elif not kind:
            # One such entry tells nothing of the others; only where nothing else came is the rest unknown.
            self.strange = True
            text = "An entry is no FHIR resource (no resourceType) and was passed over."
            self.issue(Severity.WARNING, "unreadable-resource", text)
        elif kind == "Bundle":
            self.bundle(node, depth)
        elif kind == "Parameters":
            self.parameters(node.get("parameter"), depth)
        elif kind == "OperationOutcome":
            self.outcome(node)
        else:
            kept = FromEntry(node)
            kept.full_url = full_url
            self.resources.append(kept)

    def bundle(self, bundle: Mapping[str, Any], depth: int) -> None:
        for link in _list(bundle.get("link")):
            if isinstance(link, Mapping) and str(link.get("relation")).strip().lower() == "next":
                self.incomplete = True
                text = (
                    "A search result came with a further page that was not fetched: the list is incomplete."
                )
                self.issue(Severity.WARNING, "missing-page", text)
        entries = bundle.get("entry")
        if entries is not None and not isinstance(entries, list | Mapping):
            self.incomplete = True
            text = "The entry of a Bundle is no list: what it holds is unknown."
            self.issue(Severity.WARNING, "unreadable-bundle", text)
            return
        total = bundle.get("total")
        # Asked of a whole answer only: the last of several pages may be empty while the total is not.
        if self.whole_answer and not entries and isinstance(total, int) and total > 0:
            self.incomplete = True
            text = "A search result counts resources that it does not hold: the list is incomplete."
            self.issue(Severity.WARNING, "missing-page", text)
        history = str(bundle.get("type")).strip().lower() == "history"
        gone: set[str] = set()
        for entry in _list(entries):
            if not isinstance(entry, Mapping):
                if entry is not None:
                    self.visit(entry if isinstance(entry, list) else {}, depth=depth + 1)
                continue
            full_url = entry.get("fullUrl")
            full_url = full_url.strip() if isinstance(full_url, str) else ""
            resource = entry.get("resource")
            if isinstance(resource, Mapping):
                # A history lists the latest version first: what was deleted above is no longer so.
                if not (history and reference_of(resource) in gone):
                    self.visit(resource, full_url, depth + 1)
            elif resource is not None:
                self.visit(resource, depth=depth + 1)
            elif "resourceType" in entry:
                text = "A Bundle entry is itself the resource it should hold; read nevertheless."
                self.issue(Severity.INFORMATION, "repaired", text)
                self.visit(entry, depth=depth + 1)
            else:
                asked = entry.get("request")
                if history and isinstance(asked, Mapping) and asked.get("method") == "DELETE":
                    gone.add(local_part(str(asked.get("url", ""))))
                answer = entry.get("response")
                if isinstance(answer, Mapping):
                    self.visit(answer.get("outcome"), depth=depth + 1)
                    if str(answer.get("status", "")).strip()[:1] in ("4", "5"):
                        self.failed = True
                        text = "A server reported an error in a Bundle instead of data."
                        self.issue(Severity.WARNING, "data-unknown", text)

    def parameters(self, parameters: Any, depth: int) -> None:
        for parameter in _list(parameters):
            if isinstance(parameter, Mapping) and depth <= _DEEPEST:
                self.visit(parameter.get("resource"), depth=depth + 1)
                self.parameters(parameter.get("part"), depth + 1)

    def outcome(self, outcome: Mapping[str, Any]) -> None:
        for issue in _list(outcome.get("issue")):
            if not isinstance(issue, Mapping):
                continue
            severity = str(issue.get("severity")).strip().lower()
            kind = issue.get("code")
            named = (
                f" ({kind})"
                if isinstance(kind, str) and kind.replace("-", "").isalpha() and len(kind) < 30
                else ""
            )
            if severity in ("error", "fatal"):
                self.failed = True
                text = f"A server reported an error{named} instead of data: what it holds is unknown."
                self.issue(Severity.WARNING, "data-unknown", text)
            elif severity == "warning" and not _says_no_results(issue):
                text = f"A server added a warning{named} to its data."
                self.issue(Severity.INFORMATION, "server-warning", text)


def _says_no_results(issue: Mapping[str, Any]) -> bool:
    details = issue.get("details")
    codings = _list(details.get("coding")) if isinstance(details, Mapping) else []
    if any(isinstance(one, Mapping) and str(one.get("code")) in _NO_RESULTS for one in codings):
        return True
    told = details.get("text") if isinstance(details, Mapping) else ""
    words = f"{told} {issue.get('diagnostics')}".lower()
    return "no results" in words or "no matches" in words


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def resources_of(bundle: Any, expected: str = "") -> Resources:
    """The resources in a Bundle of any type, in Parameters, in a list, or a single one; of None, none.

    Nested Bundles are opened, entries without a resource and OperationOutcomes judged and left out. The
    result is a list that carries ``issues`` and ``completeness``; each resource keeps its entry's fullUrl,
    by which references may name it. Never raises.

    ``expected`` is the resource type asked for ("Condition"), "" where any may come. Resources of which not
    one is of that type are not an answer: ``completeness`` is ABSENT then, and the issue
    "unexpected-resources" says so. Nothing at all is an answer ("known to be none") if it came without a
    further page, an error and strange content.
    """
    walk = _Walk(whole_answer=bool(expected))
    try:
        walk.visit(bundle)
    except RecursionError:
        walk.incomplete = True
        walk.issue(Severity.WARNING, "unreadable-bundle", "Bundles are nested too deep to be read.")
    found = walk.resources
    answered = any(resource_type(one) == expected for one in found) if expected else bool(found)
    if found and not answered:
        text = f"What was sent holds no {expected}: whether there is any is unknown."
        walk.issue(Severity.WARNING, "unexpected-resources", text)
    found.issues = tuple(sorted(walk.issues))
    if not answered and (found or walk.failed):
        found.completeness = Completeness.ABSENT
    elif walk.failed or walk.incomplete or (walk.strange and not answered):
        found.completeness = Completeness.PARTIAL
    return found
