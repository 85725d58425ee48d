"""Whether an answer is whole and clean, so that it may be given to others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from gateway.cache.answers.checks.anthropic import check_message
from gateway.cache.answers.checks.choices import check_chat, check_completion
from gateway.cache.answers.checks.responses import check_response
from gateway.cache.answers.checks.shape import expect
from gateway.llm.tokens import Protocol

CHECKS: Mapping[Protocol, Callable[[Mapping[str, Any], bool], None]] = MappingProxyType(
    {
        Protocol.CHAT: check_chat,
        Protocol.COMPLETIONS: check_completion,
        Protocol.RESPONSES: check_response,
        Protocol.ANTHROPIC: check_message,
    }
)


def check(protocol: Protocol, document: Mapping[str, Any], cache_tool_calls: bool) -> None:
    """Raise NotKept; else the answer has all that is needed to tell it, whole and as events."""
    expect(not document.get("error"), "error")
    CHECKS[protocol](document, cache_tool_calls)
