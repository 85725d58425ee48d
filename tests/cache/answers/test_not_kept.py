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
    SAFE,
    THINKING,
    TOOL_USE,
    anthropic,
    chat,
    choice,
    collected,
    collected_whole,
    completion,
    event,
    message,
    part,
    response,
    stored,
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


def chunk(delta: Any, reason: str | None = None, index: int = 0, **fields: Any) -> bytes:
    """One chunk of a chat completion."""
    return event({"id": "x", "choices": [{"index": index, "delta": delta, "finish_reason": reason}], **fields})


HI, STOP, DONE = chunk({"content": "Hi"}), chunk({}, "stop"), b"data: [DONE]\n\n"


def call(index: Any, **fields: Any) -> bytes:
    """A piece of a call of a tool."""
    return chunk({"tool_calls": [{"index": index, **fields}]})


BEGUN = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "usage": {"input_tokens": 1}}
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
CLOSED = {"type": "content_block_stop", "index": 0}
ENDED = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}
STOPPED = {"type": "message_stop"}
TOOL_BLOCK = {"type": "content_block_start", "index": 0, "content_block": {**TOOL_USE, "input": {}}}
HALF = {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"city":'}}


def messages(*documents: Any) -> bytes:
    """A message that has begun, and these events of it."""
    return b"".join(map(event, ({"type": "message_start", "message": BEGUN}, *documents)))


STREAMS: dict[str, tuple[Protocol, bytes, str]] = {
    "nothing": (CHAT, b"", "incomplete"),
    "comments only": (CHAT, b": hello\n\n", "incomplete"),
    "no end": (CHAT, HI + STOP, "incomplete"),
    "no reason": (CHAT, HI + DONE, "incomplete"),
    "half an event at the end": (CHAT, HI + STOP + b"data: [DO", "incomplete"),
    "half a chunk at the end": (CHAT, HI + b'data: {"choices":[{"in', "incomplete"),
    "only an end": (CHAT, DONE, "empty"),
    "no JSON": (CHAT, HI + b"data: Hi\n\n" + STOP + DONE, "unreadable"),
    "a list": (CHAT, HI + b"data: []\n\n" + STOP + DONE, "unreadable"),
    "choices of another kind": (CHAT, event({"choices": "Hi"}) + STOP + DONE, "unreadable"),
    "a choice of another kind": (CHAT, event({"choices": ["Hi"]}) + STOP + DONE, "unreadable"),
    "a delta of another kind": (CHAT, chunk("Hi") + STOP + DONE, "unreadable"),
    "too long": (CHAT, HI + chunk({}, "length") + DONE, "finish-length"),
    "filtered": (CHAT, HI + chunk({}, "content_filter") + DONE, "content-filter"),
    "two reasons": (CHAT, HI + STOP + chunk({}, "length") + DONE, "unreadable"),
    "calls a tool": (CHAT, call(0, **CALL) + chunk({}, "tool_calls") + DONE, "tool-calls"),
    "an error": (CHAT, HI + event({"error": {"message": "x"}}) + STOP + DONE, "error"),
    "an error by name": (CHAT, HI + b"event: error\ndata: {}\n\n", "error"),
    "an error in a chunk": (CHAT, HI + chunk({}, "stop", error={"code": 502}) + DONE, "error"),
    "a choice missing": (CHAT, chunk({"content": "Hi"}, "stop", index=1) + DONE, "incomplete"),
    "a choice unfinished": (CHAT, HI + STOP + chunk({"content": "Hi"}, index=1) + DONE, "incomplete"),
    "a choice of no number": (CHAT, chunk({"content": "Hi"}, "stop", index=True) + DONE, "unreadable"),
    "too many choices": (CHAT, HI + STOP + chunk({"content": "Hi"}, "stop", index=10**6) + DONE, "unreadable"),
    "refused": (CHAT, chunk({"refusal": "I "}) + chunk({"refusal": "can't."}) + STOP + DONE, "refusal"),
    "spoken": (CHAT, chunk({"audio": {"id": "a", "data": "x"}}) + STOP + DONE, "audio"),
    "filtered in the middle": (
        CHAT,
        event({"choices": [{"index": 0, "delta": {"content": "Hi"}, "content_filter_results": FILTERED}]})
        + event({"choices": [{"index": 0, "delta": {}, "content_filter_results": {"hate": SAFE["hate"]}}]})
        + STOP
        + DONE,
        "content-filter",
    ),
    "prompt filtered": (
        CHAT,
        event({"choices": [], "prompt_filter_results": [{"content_filter_results": FILTERED}]}) + HI + STOP + DONE,
        "content-filter",
    ),
    "a text in parts": (CHAT, chunk({"content": [{"type": "text", "text": "Hi"}]}) + STOP + DONE, "unreadable"),
    "a text turned list": (CHAT, HI + chunk({"content": ["Hi"]}) + STOP + DONE, "unreadable"),
    "a label or a text": (CHAT, chunk({"channel": "final"}) + chunk({"channel": "final"}) + DONE, "unreadable"),
    "a number that changes": (CHAT, chunk({"level": 1}) + chunk({"level": 2}) + HI + STOP + DONE, "unreadable"),
    "two models": (CHAT, chunk({}, model="a") + chunk({"content": "Hi"}, model="b") + STOP + DONE, "unreadable"),
    "two calls with one index": (CHAT, call(0, id="call_1") + call(0, id="call_2") + DONE, "unreadable"),
    "a thousand calls": (CHAT, b"".join(call(index) for index in range(1_000)) + DONE, "unreadable"),
    "completion unended": (COMPLETIONS, event(completion("Hi")), "incomplete"),
    "completion of a number": (COMPLETIONS, event(completion(5)) + DONE, "unreadable"),  # type: ignore[arg-type]
    "response unended": (RESPONSES, b"".join(told(stored("response"))[:-1]), "incomplete"),
    "response cut": (
        RESPONSES,
        event(
            {
                "type": "response.incomplete",
                "response": response(status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            }
        ),
        "finish-length",
    ),
    "response failed": (
        RESPONSES,
        event({"type": "response.failed", "response": response(status="failed", error={"code": "x"})}),
        "error",
    ),
    "response's error": (RESPONSES, event({"type": "error", "code": "x", "message": "y"}), "error"),
    "response of nothing": (RESPONSES, event({"type": "response.completed"}), "incomplete"),
    "half a response": (RESPONSES, b'data: {"type":"response.completed","resp\n\n', "unreadable"),
    "message unended": (ANTHROPIC, messages(BLOCK, DELTA, CLOSED, ENDED), "incomplete"),
    "message of no end": (ANTHROPIC, messages(BLOCK, DELTA, CLOSED, STOPPED), "incomplete"),
    "message unbegun": (ANTHROPIC, event(STOPPED), "incomplete"),
    "message begun twice": (ANTHROPIC, messages({"type": "message_start", "message": BEGUN}), "unreadable"),
    "a block unended": (ANTHROPIC, messages(BLOCK, DELTA, ENDED, STOPPED), "incomplete"),
    "a block unbegun": (ANTHROPIC, messages(DELTA), "unreadable"),
    "another block": (ANTHROPIC, messages(BLOCK, {**DELTA, "index": 1}), "unreadable"),
    "a block within a block": (ANTHROPIC, messages(BLOCK, {**BLOCK, "index": 1}), "unreadable"),
    "a delta unknown": (ANTHROPIC, messages(BLOCK, {**DELTA, "delta": {"type": "image_delta"}}), "unreadable"),
    "a text that is none": (ANTHROPIC, messages(BLOCK, {**DELTA, "delta": {"type": "text_delta"}}), "unreadable"),
    "an event unknown": (ANTHROPIC, messages({"type": "message_pause"}), "unreadable"),
    "ended before it began": (ANTHROPIC, event(ENDED), "unreadable"),
    "half an input": (ANTHROPIC, messages(TOOL_BLOCK, HALF, CLOSED, ENDED, STOPPED), "unreadable"),
    "an overload": (ANTHROPIC, messages(BLOCK, {"type": "error", "error": {"type": "overloaded_error"}}), "error"),
}


@pytest.mark.parametrize("name", STREAMS)
def test_streams_that_are_not_kept(name: str) -> None:
    """Whether they come in one piece or byte by byte."""
    protocol, stream, reason = STREAMS[name]
    for pieces in ([stream], [stream[place : place + 1] for place in range(len(stream))]):
        with pytest.raises(NotKept) as refused:
            collected(protocol, pieces, cache_tool_calls=False)
        assert refused.value.reason == reason
