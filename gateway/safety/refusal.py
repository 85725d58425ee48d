"""What callers are told."""

from __future__ import annotations

from typing import Any

from gateway.call import Reply
from gateway.catalog.content_safety import Reveal
from gateway.errors import PolicyError, UnavailableError
from gateway.safety.verdict import SEVERITY_WORDS, Finding, Verdict

UNAVAILABLE_HEADER = (b"x-content-safety", b"unavailable")


def violation(verdict: Verdict, reveal: Reveal) -> PolicyError:
    """403, with as much of the verdict as `reveal` says, as Azure OpenAI reports its own filter."""
    if reveal == "none":
        return PolicyError("content_filter")
    result = {finding.kind: _shown(finding, reveal) for finding in verdict.findings if finding.filtered}
    return PolicyError("content_filter", inner={"content_filter_result": result})


def unavailable() -> UnavailableError:
    """503: whether the content is safe cannot be known now."""
    return UnavailableError("content_safety_unavailable", headers={"retry-after": "5"})


def mark(reply: Reply) -> None:
    """Have the caller told that something was not screened."""
    if UNAVAILABLE_HEADER not in reply.headers:
        reply.headers = [*reply.headers, UNAVAILABLE_HEADER]


def _shown(finding: Finding, reveal: Reveal) -> dict[str, Any]:
    shown: dict[str, Any] = {"filtered": finding.filtered}
    if reveal == "severity" and finding.severity is not None:
        shown["severity"] = SEVERITY_WORDS[finding.severity]
    if finding.detected is not None:
        shown["detected"] = finding.detected
    return shown
