"""What content filters and moderation said beside an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.cache.answers.not_kept import NotKept

# Azure OpenAI's, of the answer and of the prompt; OpenAI's moderation.
PLACES = frozenset(
    {"content_filter_results", "content_filter_result", "content_filters", "prompt_filter_results", "moderation"}
)
MARKS = ("filtered", "flagged", "blocked")


def check_filters(holder: Mapping[str, Any]) -> None:
    """Raise NotKept if something was filtered or flagged, or a filter has failed."""
    if not PLACES.isdisjoint(holder) and any(_is_marked(holder.get(place)) for place in PLACES):
        raise NotKept("content-filter")


def _is_marked(verdict: Any) -> bool:
    if isinstance(verdict, list):
        return any(map(_is_marked, verdict))
    if not isinstance(verdict, dict):
        return False
    failed = bool(verdict.get("error")) or verdict.get("type") == "error"
    return failed or any(verdict.get(mark) is True for mark in MARKS) or any(map(_is_marked, verdict.values()))
