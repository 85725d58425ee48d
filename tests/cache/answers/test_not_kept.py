"""Answers that are not kept, and why."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from gateway.cache.answers.collect import Collector
from gateway.cache.answers.not_kept import NotKept
from gateway.cache.answers.stored import StoredAnswer
from gateway.llm.tokens import Protocol
from tests.cache.answers.samples import (
    CALL,
    CUSTOM_ITEM,
    FUNCTION_ITEM,
    REASONING_ITEM,
    THINKING,
    TOOL_USE,
    anthropic,
    chat,
    choice,
    collected_whole,
    completion,
    message,
    part,
    response,
    text_block,
    told,
)

CHAT, COMPLETIONS, RESPONSES, ANTHROPIC = (
    Protocol.CHAT,
    Protocol.COMPLETIONS,
    Protocol.RESPONSES,
    Protocol.ANTHROPIC,
)
FILTERED = {"hate": {"filtered": True, "severity": "high"}}
BLOCKLIST = {"custom_blocklists": {"filtered": False, "details": [{"filtered": True, "id": "words"}]}}
FLAGGED = {"output": {"type": "moderation_results", "results": [{"flagged": True}]}}

WHOLE: dict[str, tuple[Protocol, Any, str]] = {
    "too long": (CHAT, chat(choice("Hi", "length")), "finish-length"),
    "the second too long": (CHAT, chat(choice("Hi"), choice("Hi", "length", 1)), "finish-length"),
    "filtered": (CHAT, chat(choice("Hi", "content_filter")), "content-filter"),
    "a reason of its own": (CHAT, chat(choice("Hi", "eos_token; \r\nx: y")), "finish-other"),
    "no reason": (CHAT, chat(choice("Hi") | {"finish_reason": None}), "incomplete"),
    "a reason that is none": (CHAT, chat(choice("Hi") | {"finish_reason": ["stop"]}), "unreadable"),
    "calls a tool": (CHAT, chat(choice(None, "tool_calls", tool_calls=[CALL])), "tool-calls"),
    "calls a tool and stops": (CHAT, chat(choice("Hi", "stop", tool_calls=[CALL])), "tool-calls"),
    "calls a function": (CHAT, chat(choice(None, "function_call", function_call=CALL["function"])), "tool-calls"),
    "calls no tool": (CHAT, chat(choice("Hi", "tool_calls")), "unreadable"),
    "refused": (CHAT, chat(choice(None, refusal="I can't.")), "refusal"),
    "spoken": (CHAT, chat(choice(None, audio={"id": "audio_1", "data": "", "expires_at": 1})), "audio"),
    "says nothing": (CHAT, chat(choice("")), "empty"),
    "says null": (CHAT, chat(choice(None)), "empty"),
    "one choice says nothing": (CHAT, chat(choice("Hi"), choice("", index=1)), "empty"),
    "no choices": (CHAT, chat(), "empty"),
    "choices of another kind": (CHAT, chat(choice("Hi")) | {"choices": {"0": choice("Hi")}}, "unreadable"),
    "choices out of order": (CHAT, chat(choice("Hi", index=1), choice("Hi")), "unreadable"),
    "no message": (CHAT, chat(choice("Hi") | {"message": "Hi"}), "unreadable"),
    "a text in parts": (CHAT, chat(choice([{"type": "text", "text": "Hi"}])), "unreadable"),  # type: ignore[arg-type]
    "an error": (CHAT, {"error": {"message": "overloaded"}}, "error"),
    "an error beside an answer": (CHAT, chat(choice("Hi"), error={"code": 502}), "error"),
    "text filtered": (CHAT, chat(choice("Hi") | {"content_filter_results": FILTERED}), "content-filter"),
    "on a blocklist": (CHAT, chat(choice("Hi") | {"content_filter_results": BLOCKLIST}), "content-filter"),
    "prompt filtered": (
        CHAT,
        chat(choice("Hi"), prompt_filter_results=[{"content_filter_results": FILTERED}]),
        "content-filter",
    ),
    "the filter failed": (
        CHAT,
        chat(choice("Hi") | {"content_filter_results": {"error": {"code": "content_filter_error"}}}),
        "content-filter",
    ),
    "flagged": (CHAT, chat(choice("Hi"), moderation=FLAGGED), "content-filter"),
    "a list": (CHAT, [chat(choice("Hi"))], "unreadable"),
    "no number": (CHAT, chat(choice("Hi"), score=float("nan")), "unreadable"),
    "another protocol": (CHAT, anthropic(text_block("Hi")), "empty"),
    "completion too long": (COMPLETIONS, completion("Hi", finish_reason="length"), "finish-length"),
    "completion filtered": (COMPLETIONS, completion("Hi", finish_reason="content_filter"), "content-filter"),
    "completion empty": (COMPLETIONS, completion("Hi", ""), "empty"),
    "completion of a number": (COMPLETIONS, completion(5), "unreadable"),  # type: ignore[arg-type]
    "response cut": (
        RESPONSES,
        response(message(part("Hi")), status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
        "finish-length",
    ),
    "response filtered": (
        RESPONSES,
        response(message(part("Hi")), status="incomplete", incomplete_details={"reason": "content_filter"}),
        "content-filter",
    ),
    "response failed": (RESPONSES, response(status="failed", error={"code": "server_error"}), "error"),
    "response failed without saying why": (RESPONSES, response(status="failed"), "error"),
    "response in the background": (RESPONSES, response(status="queued"), "incomplete"),
    "response cancelled": (RESPONSES, response(message(part("Hi")), status="cancelled"), "incomplete"),
    "an item cut": (RESPONSES, response(message(part("Hi")) | {"status": "incomplete"}), "incomplete"),
    "response refused": (RESPONSES, response(message({"type": "refusal", "refusal": "No."})), "refusal"),
    "response calls": (RESPONSES, response(FUNCTION_ITEM), "tool-calls"),
    "response calls freely": (RESPONSES, response(message(part("Hi")), CUSTOM_ITEM), "tool-calls"),
    "response searched": (
        RESPONSES,
        response({"type": "web_search_call", "id": "ws_1", "status": "completed"}, message(part("Hi"))),
        "server-tools",
    ),
    "response continued": (RESPONSES, response(message(part("Hi")), previous_response_id="resp_0"), "conversation"),
    "response in a conversation": (
        RESPONSES,
        response(message(part("Hi")), conversation={"id": "conv_1"}),
        "conversation",
    ),
    "response of thoughts only": (RESPONSES, response(REASONING_ITEM), "empty"),
    "response of nothing": (RESPONSES, response(), "empty"),
    "response of a part unknown": (RESPONSES, response(message({"type": "output_image"})), "unreadable"),
    "response blocked": (
        RESPONSES,
        response(message(part("Hi")), content_filters=[{"blocked": True, "source_type": "completion"}]),
        "content-filter",
    ),
    "message too long": (ANTHROPIC, anthropic(text_block("Hi"), reason="max_tokens"), "finish-length"),
    "message beyond the window": (
        ANTHROPIC,
        anthropic(text_block("Hi"), reason="model_context_window_exceeded"),
        "finish-length",
    ),
    "message refused": (ANTHROPIC, anthropic(text_block("Hi"), reason="refusal"), "refusal"),
    "message paused": (ANTHROPIC, anthropic(text_block("Hi"), reason="pause_turn"), "finish-other"),
    "message uses a tool": (ANTHROPIC, anthropic(TOOL_USE, reason="tool_use"), "tool-calls"),
    "message searched": (
        ANTHROPIC,
        anthropic({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}, text_block("Hi")),
        "server-tools",
    ),
    "message of thoughts only": (ANTHROPIC, anthropic(THINKING), "empty"),
    "message of nothing": (ANTHROPIC, anthropic(), "empty"),
    "message without a usage": (ANTHROPIC, anthropic(text_block("Hi"), usage=None), "unreadable"),
    "message's error": (ANTHROPIC, {"type": "error", "error": {"type": "overloaded_error"}}, "error"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_answers_that_are_not_kept(name: str) -> None:
    """Unless it is whole, clean, and of use to others."""
    protocol, document, reason = WHOLE[name]
    with pytest.raises(NotKept) as refused:
        collected_whole(protocol, document, cache_tool_calls=False)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "incomplete"), (b"Hello", "unreadable"), (b'{"choices": [', "unreadable"), (b"\xff\xfe", "unreadable")],
    ids=repr,
)
def test_bytes_that_are_no_answer(content: bytes, reason: str) -> None:
    """Nothing, no JSON, half of it."""
    collector = Collector(CHAT)
    collector.whole(content)
    with pytest.raises(NotKept, match=reason):
        collector.finish(cache_tool_calls=False)


@pytest.mark.parametrize("depth", [500, 5_000, 400_000])
@pytest.mark.parametrize("feed", [Collector.whole, Collector.feed_events], ids=["whole", "events"])
def test_an_answer_nested_deep(feed: Callable[[Collector, bytes], None], depth: int) -> None:
    """Kept if it can be written again, never another error."""
    content = b'{"choices":[{"index":0,"finish_reason":"stop","annex":%b,"message":{"content":"Hi"}}]}'
    content %= b"[" * depth + b"]" * depth
    collector = Collector(CHAT)
    feed(collector, content if feed is Collector.whole else b"data: " + content + b"\n\ndata: [DONE]\n\n")
    with suppress(NotKept):
        answer = collector.finish(cache_tool_calls=False)
        assert StoredAnswer.from_bytes(answer.to_bytes()) == answer
        assert told(answer)
