"""Checks chat completions and completions: every choice is whole, and the model ended it by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.cache.answers.checks.filters import check_filters
from gateway.cache.answers.checks.shape import expect, object_in_place, objects_in, text_in
from gateway.cache.answers.not_kept import unfinished

CALLED = ("tool_calls", "function_call")


def check_chat(document: Mapping[str, Any], cache_tool_calls: bool) -> None:
    """Raise NotKept."""
    for choice in _choices(document):
        message = object_in_place(choice.get("message"))
        _check_message(message, cache_tool_calls)
        objects_in(object_in_place(choice.get("logprobs")).get("content"))
        if choice.get("finish_reason") in CALLED:
            expect(_calls(message), "unreadable")
        elif choice.get("finish_reason") != "stop":
            raise unfinished(choice.get("finish_reason"))


def check_completion(document: Mapping[str, Any], cache_tool_calls: bool) -> None:
    """Raise NotKept. There are no tools here."""
    for choice in _choices(document):
        if choice.get("finish_reason") != "stop":
            raise unfinished(choice.get("finish_reason"))
        expect(bool(text_in(choice.get("text"))), "empty")
        object_in_place(choice.get("logprobs"))


def _choices(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    choices = objects_in(document.get("choices"))
    expect(bool(choices), "empty")
    expect([choice.get("index", place) for place, choice in enumerate(choices)] == list(range(len(choices))))
    check_filters(document)
    for choice in choices:
        check_filters(choice)
    return choices


def _check_message(message: Mapping[str, Any], cache_tool_calls: bool) -> None:
    expect(not message.get("refusal"), "refusal")
    expect(not message.get("audio"), "audio")
    text = text_in(message.get("content"))
    if _calls(message):
        expect(cache_tool_calls, "tool-calls")
    else:
        expect(bool(text), "empty")


def _calls(message: Mapping[str, Any]) -> bool:
    calls = objects_in(message.get("tool_calls"))
    for call in calls:
        function, custom = object_in_place(call.get("function")), object_in_place(call.get("custom"))
        expect(_names(function, "arguments") or _names(custom, "input"))
    older = object_in_place(message.get("function_call"))
    expect(not older or _names(older, "arguments"))
    return bool(calls or older)


def _names(called: Mapping[str, Any], text: str) -> bool:
    return isinstance(called.get("name"), str) and isinstance(called.get(text), str)
