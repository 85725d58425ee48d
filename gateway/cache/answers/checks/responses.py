"""Checks responses: completed, and nothing in them that only their first caller can use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.cache.answers.checks.filters import check_filters
from gateway.cache.answers.checks.shape import expect, objects_in, text_in
from gateway.cache.answers.not_kept import NotKept, unfinished
from gateway.llm.json_values import mapping

CALLS = {"function_call": "arguments", "custom_tool_call": "input"}


def check_response(document: Mapping[str, Any], cache_tool_calls: bool) -> None:
    """Raise NotKept."""
    _check_end(document)
    expect(not document.get("conversation") and not document.get("previous_response_id"), "conversation")
    check_filters(document)
    said = [_check_item(item, cache_tool_calls) for item in objects_in(document.get("output"))]
    expect(any(said), "empty")


def _check_end(document: Mapping[str, Any]) -> None:
    details = document.get("incomplete_details")
    if details:
        raise unfinished(mapping(details).get("reason"))
    status = document.get("status")
    expect(status != "failed", "error")
    expect(status == "completed", "incomplete")


def _check_item(item: Mapping[str, Any], cache_tool_calls: bool) -> bool:
    """True if it says something to the caller."""
    expect(item.get("status") in (None, "completed"), "incomplete")
    kind = text_in(item.get("type"))
    if kind == "message":
        texts = [_check_part(part) for part in objects_in(item.get("content"))]
        return any(texts)
    if kind == "reasoning":
        for part in objects_in(item.get("summary")) + objects_in(item.get("content")):
            text_in(part.get("text"))
        return False
    if kind not in CALLS:
        raise NotKept("server-tools" if kind else "unreadable")
    expect(cache_tool_calls, "tool-calls")
    expect(isinstance(item.get(CALLS[kind]), str))
    return True


def _check_part(part: Mapping[str, Any]) -> bool:
    expect(part.get("type") != "refusal", "refusal")
    expect(part.get("type") == "output_text")
    objects_in(part.get("annotations"))
    objects_in(part.get("logprobs"))
    return bool(text_in(part.get("text")))
