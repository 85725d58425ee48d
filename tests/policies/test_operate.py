"""The operation is found, and JSON bodies are read: all of what RFC 8259 allows, and nothing else."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.body import RequestBody
from gateway.call import Call, Reply
from gateway.catalog.snapshot import ApiEntry
from gateway.errors import CallerError
from gateway.llm.tokens import Protocol
from gateway.policies.operate import MAXIMUM_MARKS, Operate, parse_object
from tests.policies.test_admit import entry

REFUSED: dict[str, tuple[bytes, str]] = {
    "NaN": (b'{"temperature": NaN}', "InvalidJson"),
    "Infinity": (b'{"temperature": -Infinity}', "InvalidJson"),
    "a field twice": (b'{"model": "m", "messages": [], "model": "n"}', "InvalidJson"),
    "a field twice, escaped": (b'{"model": "m", "mod\\u0065l": "n"}', "InvalidJson"),
    "a field twice, far within": (b'{"messages": [{"role": "user", "content": "a", "content": "b"}]}', "InvalidJson"),
    "a byte order mark": (b'\xef\xbb\xbf{"model": "m"}', "InvalidJson"),
    "UTF-16": ('{"model": "m"}'.encode("utf-16"), "InvalidJson"),
    "UTF-32": ('{"model": "m"}'.encode("utf-32-le"), "InvalidJson"),
    "too many lists": (b'{"a":[' + b"[]," * 700_000 + b"[]]}", "RequestTooLarge"),
    "too many objects": (b'{"a":[' + b'{"a":0},' * 600_000 + b"1]}", "RequestTooLarge"),
    "too many keys": (b"{" + b",".join(b'"k%d":0' % number for number in range(600_000)) + b"}", "RequestTooLarge"),
    "too many numbers": (b'{"a":[' + b"1," * 1_100_000 + b"1]}", "RequestTooLarge"),
}


@pytest.mark.parametrize(("content", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(content: bytes, code: str) -> None:
    """What one parser takes and another does not, and what would cost far more than its length."""
    with pytest.raises(CallerError) as refused:
        parse_object(content)
    assert refused.value.code == code


ACCEPTED: dict[str, bytes] = {
    "white space": b' \t\r\n{"a": 1} \n',
    "escapes": b'{"a": "\\u00e9\\ud83d\\ude00"}',
    "half a surrogate": b'{"a": "\\ud800"}',
    "a long prompt": b'{"a": "' + b"a word, another word; " * 900_000 + b'"}',
    "token arrays": b'{"input": [' + b"1234," * (MAXIMUM_MARKS // 2) + b"1]}",
}


@pytest.mark.parametrize("content", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted(content: bytes) -> None:
    """JSON as clients send it, large prompts and token arrays included."""
    assert isinstance(parse_object(content), dict)


def call_with(messages: Iterator[dict[str, Any]], wait: float = 0.0) -> Call:
    """A chat call whose body comes in these messages."""

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(wait)
        return next(messages)

    call = Call(
        "POST", "/x", b"", [(b"content-type", b"application/json")], RequestBody(receive, None, has_body=True), "id"
    )
    call.rest = "chat/completions"
    return call


async def answer(call: Call) -> Reply:
    """The rest of the chain."""
    return Reply(200, [], b"")


async def test_the_model_is_kept_for_the_log() -> None:
    """Its name, if it is one."""
    call = call_with(iter([{"type": "http.request", "body": b'{"model": "gpt"}'}]))
    await Operate(entry())(call, answer)
    assert call.model == "gpt"
    other = call_with(iter([{"type": "http.request", "body": b'{"model": 17}'}]))
    await Operate(entry())(other, answer)
    assert other.model is None


async def test_the_time_a_caller_takes_to_send_is_not_the_gateways() -> None:
    """Waiting for the body is put to the caller's account."""
    pieces = [b'{"model": ', b'"gpt"}']
    messages = [{"type": "http.request", "body": piece, "more_body": piece != pieces[-1]} for piece in pieces]
    call = call_with(iter(messages), wait=0.02)
    await Operate(entry())(call, answer)
    assert call.caller_seconds >= 0.04


async def test_a_compressed_body_is_refused_for_what_it_is() -> None:
    """Not as something that is no JSON."""
    call = call_with(iter([{"type": "http.request", "body": b"\x1f\x8b"}]))
    call.headers = [*call.headers, (b"content-encoding", b"gzip")]
    with pytest.raises(CallerError, match="without a Content-Encoding") as refused:
        await Operate(entry())(call, answer)
    assert refused.value.status == 415


async def test_the_time_of_a_caller_who_leaves_in_the_middle_is_its_own() -> None:
    """The wait counts although the body never came to its end."""
    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    call = call_with(iter(messages), wait=0.02)
    with pytest.raises(CallerError):
        await Operate(entry())(call, answer)
    assert call.caller_seconds >= 0.04


async def test_the_model_of_azures_paths() -> None:
    """The deployment, unless the body names one."""
    for content, model in ((b"{}", "mine"), (b'{"model": "gpt"}', "gpt")):
        call = call_with(iter([{"type": "http.request", "body": content}]))
        call.rest = "openai/deployments/mine/chat/completions"
        await Operate(entry())(call, answer)
        assert call.model == model


async def test_what_the_body_says_is_kept() -> None:
    """For the policies behind; and the protocol in which it says it."""
    call = call_with(iter([{"type": "http.request", "body": b'{"model": "gpt", "n": 1}'}]))
    await Operate(entry())(call, answer)
    assert (call.document, call.protocol) == ({"model": "gpt", "n": 1}, Protocol.CHAT)


def passthrough(limit: str = "") -> ApiEntry:
    """An API that is not OpenAI's."""
    found = entry(more=limit)
    return replace(found, api=found.api.model_copy(update={"type": "passthrough"}))


GEMINI = "v1beta/models/gemini:generateContent"
PASSED: dict[str, tuple[str, bytes, bytes, tuple[bytes | None, Any, Protocol | None, str | None]]] = {
    "Anthropic": (
        "v1/messages",
        b'{"model": "claude"}',
        b"application/json",
        (b'{"model": "claude"}', {"model": "claude"}, Protocol.ANTHROPIC, "claude"),
    ),
    "the path's model wins": (
        GEMINI,
        b'{"model": "x"}',
        b"application/json; charset=utf-8",
        (b'{"model": "x"}', {"model": "x"}, Protocol.GEMINI, "gemini"),
    ),
    "not valid": (GEMINI, b"{broken", b"application/json", (b"{broken", None, Protocol.GEMINI, "gemini")),
    "no object": ("v1/messages", b"[]", b"application/json", (b"[]", None, Protocol.ANTHROPIC, None)),
    "empty": ("v1/messages", b"", b"application/json", (b"", None, Protocol.ANTHROPIC, None)),
    "too many marks": (
        "v1/messages",
        REFUSED["too many lists"][0],
        b"application/json",
        (REFUSED["too many lists"][0], None, Protocol.ANTHROPIC, None),
    ),
    "no JSON": ("v1/messages", b"{}", b"text/plain", (None, None, None, None)),
    "another path": ("v1/files", b"{}", b"application/json", (None, None, None, None)),
}


@pytest.mark.parametrize(("path", "content", "kind", "expected"), PASSED.values(), ids=PASSED.keys())
async def test_a_passthrough_body(path: str, content: bytes, kind: bytes, expected: Any) -> None:
    """Read where a limit wants it and its protocol is known; never refused for what it says."""
    call = call_with(iter([{"type": "http.request", "body": content}]))
    call.rest, call.headers = path, [(b"content-type", kind)]
    await Operate(passthrough(), reads_passthrough=True)(call, answer)
    assert (call.content, call.document, call.protocol, call.model) == expected


async def test_a_passthrough_body_streams_where_nobody_reads_it() -> None:
    """As long as no limit applies; and a compressed one always."""
    for reads, headers in ((False, []), (True, [(b"content-encoding", b"gzip")])):
        call = call_with(iter([]))
        call.rest, call.headers = "v1/messages", [*call.headers, *headers]
        await Operate(passthrough(), reads_passthrough=reads)(call, answer)
        assert (call.content, call.protocol, call.body.complete) == (None, None, False)


async def test_a_passthrough_body_that_is_read_has_the_apis_limit() -> None:
    """Its size is the one thing that it is refused for."""
    call = call_with(iter([{"type": "http.request", "body": b"{" + b" " * 100}]))
    call.rest = "v1/messages"
    with pytest.raises(CallerError, match="larger") as refused:
        await Operate(passthrough("maxRequestBytes: 64"), reads_passthrough=True)(call, answer)
    assert refused.value.status == 413
