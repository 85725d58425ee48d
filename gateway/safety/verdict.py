"""What a screening has come to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# The words of Azure OpenAI's own filter for each two severities of eight.
SEVERITY_WORDS = ("safe", "safe", "low", "low", "medium", "medium", "high", "high")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the service said. `kind` is a key of `content_filter_result`; `filtered` says that it blocks.

    `severity` is 0 to 7, of a category; `detected` is of attacks and blocklists.
    """

    kind: str
    filtered: bool
    severity: int | None = None
    detected: bool | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that was found; at most one finding of a kind."""

    findings: tuple[Finding, ...] = ()

    @property
    def blocks(self) -> bool:
        """Whether what was screened must not pass."""
        return any(finding.filtered for finding in self.findings)

    def joined(self, other: Verdict) -> Verdict:
        """The worst of each kind."""
        return worst((self, other))


CLEAN = Verdict()


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict of many: the worst of each kind."""
    found: dict[str, Finding] = {}
    for verdict in verdicts:
        for finding in verdict.findings:
            known = found.get(finding.kind)
            if known is None or _rank(finding) > _rank(known):
                found[finding.kind] = finding
    return Verdict(tuple(found.values())) if found else CLEAN


def _rank(finding: Finding) -> tuple[bool, int, bool]:
    return (finding.filtered, finding.severity or 0, bool(finding.detected))


class ScreeningUnavailable(Exception):
    """Nothing is known, for the service failed. `reason` is one word for the log, never a text that was screened."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
