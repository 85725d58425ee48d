"""Streams that are not kept, and why."""

from typing import Any

import pytest

from gateway.cache.answers.not_kept import NotKept
from gateway.llm.tokens import Protocol
from tests.cache.answers.samples import (
    CALL,
    SAFE,
    TOOL_USE,
    collected,
    completion,
    event,
    response,
    stored,
    told,
)

CHAT, COMPLETIONS, RESPONSES, ANTHROPIC = (
    Protocol.CHAT,
    Protocol.COMPLETIONS,
    Protocol.RESPONSES,
    Protocol.ANTHROPIC,
)
FILTERED = {"hate": {"filtered": True, "severity": "high"}}


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
