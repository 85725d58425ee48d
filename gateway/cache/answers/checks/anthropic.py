"""Checks Anthropic's messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.cache.answers.checks.shape import expect, objects_in, text_in
from gateway.cache.answers.not_kept import NotKept, unfinished

ENDS = ("end_turn", "stop_sequence")
# The text of each; what a tool is called with is an object.
TEXTS = {"text": "text", "thinking": "thinking", "redacted_thinking": "data"}


def check_message(document: Mapping[str, Any], cache_tool_calls: bool) -> None:
    """Raise NotKept."""
    expect(document.get("type") == "message" and isinstance(document.get("usage"), dict))
    blocks = objects_in(document.get("content"))
    for block in blocks:
        _check_block(block, cache_tool_calls)
    reason = document.get("stop_reason")
    calls = any(block["type"] == "tool_use" for block in blocks)
    if reason == "tool_use":
        expect(calls)
    elif reason not in ENDS:
        raise unfinished(reason)
    expect(calls or any(block["type"] == "text" and block.get("text") for block in blocks), "empty")


def _check_block(block: Mapping[str, Any], cache_tool_calls: bool) -> None:
    kind = text_in(block.get("type"))
    if kind == "tool_use":
        expect(cache_tool_calls, "tool-calls")
        expect(isinstance(block.get("input"), dict))
    elif kind in TEXTS:
        text_in(block.get(TEXTS[kind]))
        text_in(block.get("signature"))
        objects_in(block.get("citations"))
    else:
        raise NotKept("server-tools" if kind else "unreadable")
