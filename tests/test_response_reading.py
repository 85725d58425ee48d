"""Answers are read as they are sent, and a policy may end a stream in the middle."""

import json
from collections.abc import Callable

import pytest

from gateway.call import Header
from gateway.errors import PolicyError
from gateway.llm.tokens import Protocol
from gateway.llm.usage import Usage
from tests.test_response import EVENTS, JSON_TYPE, Body, Caller, make, send

SAID = b'{"id": 1, "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}}'
EVENT = b'data: {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}\n\n'
USED: dict[str, tuple[bytes | Body, list[Header], Usage | None]] = {
    "whole": (SAID, JSON_TYPE, Usage(5, 2)),
    "in pieces": (Body(SAID[:30], SAID[30:]), JSON_TYPE, Usage(5, 2)),
    "no JSON": (SAID, [(b"content-type", b"text/plain")], None),
    "broken JSON": (SAID[:-1], JSON_TYPE, None),
    "a list": (b"[" + SAID + b"," + SAID.replace(b"2", b"3") + b"]", JSON_TYPE, Usage(5, 3)),
    "a list of no objects": (b'["usage"]', JSON_TYPE, None),
    "at the end of what is longer than is parsed": (Body(b" " * 1_048_576, SAID), JSON_TYPE, Usage(5, 2)),
    "in parts at the end of what is longer": (Body(b" " * 1_048_576, SAID[:40], SAID[40:]), JSON_TYPE, Usage(5, 2)),
    "longer, in one piece": (b" " * 1_048_576 + SAID, JSON_TYPE, Usage(5, 2)),
    "in Bedrock's headers": (
        b"{}",
        [(b"x-amzn-bedrock-input-token-count", b"5"), (b"x-amzn-bedrock-output-token-count", b"2")],
        Usage(5, 2),
    ),
    "events": (Body(b'data: {"choices": [], "usage": null}\n\n', EVENT[:20], EVENT[20:]), EVENTS, Usage(5, 2)),
    "events in parts": (
        Body(b'data: {"message": {"usage": {"input_tokens": 9}}}\n\n', b'data: {"usage": {"output_tokens": 4}}\n\n'),
        EVENTS,
        Usage(9, 4),
    ),
    "events without": (Body(b"data: 1\n\n"), EVENTS, None),
}


@pytest.mark.parametrize(("body", "headers", "usage"), USED.values(), ids=USED.keys())
async def test_what_the_backend_says_it_used(body: bytes | Body, headers: list[Header], usage: Usage | None) -> None:
    """Known when the call ends, however the answer came; and the caller gets every byte of it."""
    response, _ = make(body, headers)
    assert response._call.reader is not None
    caller = Caller()
    await send(response, caller)
    assert response._call.reader.usage == usage
    assert caller.ended
    assert response._call.first_byte_seconds is not None


def cut_at(length: int) -> Callable[[str], None]:
    """Ends a stream before its text is longer."""
    total = 0

    def on_text(text: str) -> None:
        nonlocal total
        total += len(text)
        if total > length:
            raise PolicyError("Timeout", "There is no more for you.")

    return on_text


def chunk(text: str) -> bytes:
    """A chunk of a chat completion."""
    document = {"id": "c-1", "object": "x", "created": 7, "model": "m", "choices": [{"delta": {"content": text}}]}
    return b"data: " + json.dumps(document).encode() + b"\n\n"


LAST = (
    b'data: {"id":"c-1","created":7,"model":"m","object":"chat.completion.chunk",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}\n\n'
)
PROTOCOLS = {
    "chat": (Protocol.CHAT, LAST, b"data: [DONE]\n\n"),
    "another": (Protocol.ANTHROPIC, b"event: error\n", b""),
}


@pytest.mark.parametrize(("protocol", "before", "after"), PROTOCOLS.values(), ids=PROTOCOLS.keys())
@pytest.mark.parametrize("together", [False, True])
async def test_a_policy_cuts_a_stream(protocol: Protocol, before: bytes, after: bytes, together: bool) -> None:
    """What was within its limit has gone out; the rest has not, the backend is told, and the end is a proper one."""
    chunks = [chunk("four"), chunk("four"), chunk("more"), chunk("and more")]
    body = Body(*([b"".join(chunks)] if together else chunks))
    response, ended = make(body, EVENTS)
    call = response._call
    assert call.reader is not None
    call.protocol, call.reader.on_text = protocol, cut_at(8)
    caller = Caller()
    await send(response, caller)
    allowed, rest = b"".join(chunks[:2]) + before, caller.body
    assert rest.startswith(allowed + b'data: {"error":{"message":"There is no more for you."')
    assert rest.endswith(after or b"\n\n")
    assert rest.count(b"[DONE]") == bool(after)
    assert (ended[0].code, ended[0].status, body.closed, caller.ended) == ("Timeout", 200, True, True)
    assert call.reader.tokens() == 8


async def test_the_first_byte_is_the_backends() -> None:
    """A comment of our own does not count."""
    response, _ = make(Body(0.5, b"data: 1\n\n"), EVENTS)
    caller = Caller()
    await send(response, caller)
    assert caller.body.startswith(b": keep-alive")
    assert (response._call.first_byte_seconds or 0) >= 0.5
