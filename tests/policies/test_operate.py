"""The operation is found, and JSON bodies are read: all of what RFC 8259 allows, and nothing else."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.body import RequestBody
from gateway.call import Call, Reply
from gateway.errors import CallerError
from gateway.policies.operate import MAXIMUM_MARKS, Operate, parse_object
from tests.policies.test_admit import entry

REFUSED: dict[str, tuple[bytes, str]] = {
    "NaN": (b'{"temperature": NaN}', "InvalidJson"),
    "Infinity": (b'{"temperature": -Infinity}', "InvalidJson"),
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
