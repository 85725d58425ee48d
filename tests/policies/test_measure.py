"""What a call used is known at its end, however it ends."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.call import Header, Reply
from gateway.errors import PolicyError, ProviderError
from gateway.llm.json_values import object_in
from gateway.llm.tokenizer import Tokenizer
from gateway.llm.tokens import Protocol
from gateway.llm.usage import Usage
from gateway.llm.whole_reader import LONGEST_READ_BYTES
from gateway.policies.measure import LONGEST_KEPT_PROMPT_BYTES, Measure
from gateway.response import GatewayResponse, reply_of
from tests.llm.test_frame_reader import METADATA, delta
from tests.policies.measured import (
    DONE,
    PROMPT_TOKENS,
    STREAM,
    USAGE,
    Backend,
    chunk,
    make_call,
    run,
    whole,
)
from tests.policies.test_admit import entry
from tests.test_response import EVENTS, JSON_TYPE, Body, Caller, send

FRAMES = delta({"text": "Hello there"})
ENDS: dict[str, tuple[Any, list[Header], int, tuple[Usage | None, bool]]] = {
    "reported": (whole({"prompt_tokens": 5, "completion_tokens": 2}), JSON_TYPE, 200, (Usage(5, 2), False)),
    "reported in pieces": (
        lambda: Body(STREAM[:40], STREAM[40:]),
        EVENTS,
        200,
        (Usage(11, 12), False),
    ),
    "reported at the end of much": (
        lambda: Body(b" " * LONGEST_READ_BYTES, whole({"prompt_tokens": 5, "completion_tokens": 2})),
        JSON_TYPE,
        200,
        (Usage(5, 2), False),
    ),
    "not reported": (whole(None), JSON_TYPE, 200, (Usage(PROMPT_TOKENS, 4), True)),
    "negative": (whole({"prompt_tokens": -1}), JSON_TYPE, 200, (Usage(PROMPT_TOKENS, 4), True)),
    "a text": (whole({"prompt_tokens": "1"}), JSON_TYPE, 200, (Usage(PROMPT_TOKENS, 4), True)),
    "far too many": (whole({"completion_tokens": 10**12}), JSON_TYPE, 200, (Usage(PROMPT_TOKENS, 4), True)),
    "no usage in a stream": (lambda: Body(chunk("Hello there"), DONE), EVENTS, 200, (Usage(PROMPT_TOKENS, 2), True)),
    "refused by the backend": (whole({"prompt_tokens": 5}), JSON_TYPE, 429, (None, False)),
    "sent elsewhere by the backend": (b"", JSON_TYPE, 302, (None, False)),
    "failed before any text": (
        lambda: Body(chunk(""), ProviderError("BackendStreamInterrupted")),
        EVENTS,
        200,
        (None, False),
    ),
    "failed after some text": (
        lambda: Body(chunk("Hello there"), ProviderError("BackendStreamInterrupted")),
        EVENTS,
        200,
        (Usage(PROMPT_TOKENS, 2), True),
    ),
    "an error in the stream": (lambda: Body(b'data: {"error": {}}\n\n'), EVENTS, 200, (None, False)),
    "a whole answer that breaks off": (
        lambda: Body(whole(None)[:20], ProviderError("BackendStreamInterrupted")),
        JSON_TYPE,
        200,
        (Usage(PROMPT_TOKENS, 6), True),
    ),
    "no JSON": (b"Hello", [(b"content-type", b"text/plain")], 200, (Usage(PROMPT_TOKENS, 0), True)),
    "Bedrock's frames": (
        lambda: Body(FRAMES[:50], FRAMES[50:], METADATA),
        [(b"content-type", b"application/vnd.amazon.eventstream")],
        200,
        (Usage(30, 9), False),
    ),
    "Bedrock's frames, broken off": (
        lambda: Body(FRAMES[:50], FRAMES[50:], ProviderError("BackendStreamInterrupted")),
        [(b"content-type", b"application/vnd.amazon.eventstream")],
        200,
        (Usage(PROMPT_TOKENS, 2), True),
    ),
    "Anthropic, whole": (
        lambda: Body(
            b'data: {"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}}\n\n'
            b'data: {"type": "content_block_delta", "delta": {"text": "Hello there"}}\n\n'
            b'data: {"type": "message_delta", "usage": {"output_tokens": 15}}\n\n'
        ),
        EVENTS,
        200,
        (Usage(25, 15), False),
    ),
    "Anthropic, broken off": (
        lambda: Body(
            b'data: {"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}}\n\n'
            b'data: {"type": "content_block_delta", "delta": {"text": "Hello there"}}\n\n',
            ProviderError("BackendStreamInterrupted"),
        ),
        EVENTS,
        200,
        (Usage(25, 2), True),
    ),
    "Anthropic, failed before any text": (
        lambda: Body(
            b'data: {"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}}\n\n',
            b'event: error\ndata: {"type": "error"}\n\n',
        ),
        EVENTS,
        200,
        (None, False),
    ),
}


@pytest.mark.parametrize(("body", "headers", "status", "expected"), ENDS.values(), ids=ENDS.keys())
async def test_the_end(tokenizer: Tokenizer, body: Any, headers: list[Header], status: int, expected: Any) -> None:
    """Reported, or else counted; nothing where the caller was refused or got nothing."""
    call = make_call()
    await run(call, tokenizer, body() if callable(body) else body, headers, status)
    assert (call.usage, call.usage_counted) == expected


@pytest.mark.parametrize("protocol", [Protocol.EMBEDDINGS, Protocol.IMAGES])
async def test_vectors_and_pictures_are_no_text(tokenizer: Tokenizer, protocol: Protocol) -> None:
    """What such an answer holds is not counted, also when it breaks off."""
    for body in (b'{"data": ["text"]}', Body(b'{"data": "0.1, 0.2', ProviderError("Timeout"))):
        call = make_call({"input": "tiktoken is great!", "prompt": "tiktoken is great!"}, protocol)
        await run(call, tokenizer, body, JSON_TYPE)
        assert call.usage == (Usage(6, 0) if isinstance(body, bytes) else None)


async def test_a_stream_that_a_limit_cuts(tokenizer: Tokenizer) -> None:
    """The prompt is paid for even if no text came of it; and nothing that the limit holds is kept."""

    def refuse(text: str) -> None:
        raise PolicyError("SubscriptionKeyInvalid")

    call = make_call()
    reply = await Measure(entry(), tokenizer)(call, Backend(Body(STREAM), EVENTS))
    assert call.reader is not None
    call.reader.on_text = refuse
    await send(GatewayResponse(call, reply), Caller())
    assert (call.usage, call.usage_counted) == (Usage(PROMPT_TOKENS, 0), True)
    assert (call.reader.on_text, call.reader.of_events().on_text) == (None, None)


async def test_what_nobody_understands_costs_nothing(tokenizer: Tokenizer) -> None:
    """A call that is no model's, such as a list of models; but what a backend reports is believed."""
    call = make_call(protocol=None)
    await run(call, tokenizer, whole(None), JSON_TYPE)
    assert call.usage is None
    call = make_call(protocol=None)
    await run(call, tokenizer, whole({"prompt_tokens": 5, "completion_tokens": 2}), JSON_TYPE)
    assert call.usage == Usage(5, 2)


async def test_the_limits_estimate_wins(tokenizer: Tokenizer) -> None:
    """What was reserved for the prompt is what is counted for it; of a long prompt that nobody estimated, nothing."""
    call = make_call()
    call.estimated_prompt = 77
    await run(call, tokenizer, whole(None), JSON_TYPE)
    assert call.usage == Usage(77, 4)
    call = make_call({"messages": [{"content": "x" * LONGEST_KEPT_PROMPT_BYTES}]})
    await run(call, tokenizer, whole(None), JSON_TYPE)
    assert call.usage == Usage(0, 4)


async def test_before_the_vocabularies_are_loaded() -> None:
    """A rule of thumb: four characters a token."""
    call = make_call()
    await run(call, Tokenizer(), whole(None, "x" * 41), JSON_TYPE)
    assert call.usage == Usage(3 + 6 + 3, 11)


async def test_a_failure_without_an_answer_costs_nothing(tokenizer: Tokenizer) -> None:
    """Neither the backend's nor a refusal."""
    for error in (ProviderError("Timeout"), PolicyError("SubscriptionKeyInvalid")):
        call = make_call()
        with pytest.raises(type(error)):
            await Measure(entry(), tokenizer)(call, Backend(error))
        await send(GatewayResponse(call, reply_of(error)), Caller())
        assert call.usage is None


async def test_a_caller_who_leaves_before_the_answer_pays_for_the_prompt(tokenizer: Tokenizer) -> None:
    """The backend was at work on it."""
    call = make_call()
    with pytest.raises(asyncio.CancelledError):
        await Measure(entry(), tokenizer)(call, Backend(asyncio.CancelledError()))
    call.outcome.aborted = True
    await send(GatewayResponse(call, Reply(499, [], b"")), Caller())
    assert (call.usage, call.usage_counted) == (Usage(PROMPT_TOKENS, 0), True)


ASKING: dict[str, tuple[dict[str, Any], Protocol, str, bool]] = {
    "a stream": ({"stream": True}, Protocol.CHAT, "openai", True),
    "a stream that is asked already": (
        {"stream": True, "stream_options": {"include_usage": True}},
        Protocol.CHAT,
        "openai",
        False,
    ),
    "no stream": ({"stream": False}, Protocol.CHAT, "openai", False),
    "nearly a stream": ({"stream": 1}, Protocol.CHAT, "openai", False),
    "another operation": ({"stream": True}, Protocol.RESPONSES, "openai", False),
    "passthrough": ({"stream": True}, Protocol.CHAT, "passthrough", False),
}


@pytest.mark.parametrize(("document", "protocol", "kind", "asks"), ASKING.values(), ids=ASKING.keys())
async def test_who_is_asked(
    tokenizer: Tokenizer, document: dict[str, Any], protocol: Protocol, kind: str, asks: bool
) -> None:
    """Streamed chat completions of OpenAI's APIs; only then is the event hidden. The parsed body is let go of."""
    found = entry()
    api = found.api.model_copy(update={"type": kind})
    call, backend = make_call(document, protocol), Backend(Body(STREAM), EVENTS)
    reply = await Measure(replace(found, api=api), tokenizer)(call, backend)
    assert backend.document is None
    asked = object_in(backend.asked or b"") or {}
    assert (asked != document, asked.get("stream_options") == {"include_usage": True}) == (
        asks,
        asks or "stream_options" in document,
    )
    caller = Caller()
    await send(GatewayResponse(call, reply), caller)
    assert caller.body == (STREAM.replace(USAGE, b"") if asks else STREAM)
    assert call.usage == Usage(11, 12)
