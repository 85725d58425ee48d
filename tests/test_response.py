"""A reply on its way out: framing, held events, comments, and how the call ends whatever happens."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.body import RequestBody
from gateway.call import Call, Header, Outcome, Reply
from gateway.errors import ProviderError
from gateway.llm.answer_reader import AnswerReader
from gateway.response import HOLD_SECONDS, GatewayResponse
from tests.policies.test_admit import never_received

EVENTS = [(b"content-type", b"text/event-stream")]
JSON_TYPE = [(b"content-type", b"application/json; charset=utf-8")]


class Caller:
    """The far end: keeps what it is sent, and may stop accepting, break, or leave."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.accepts = asyncio.Event()
        self.accepts.set()
        self.leaves = asyncio.Event()

    async def send(self, message: Any) -> None:
        await self.accepts.wait()
        self.messages.append(message)

    async def receive(self) -> Any:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    @property
    def ended(self) -> bool:
        return len(self.messages) > 1 and not self.messages[-1].get("more_body", False)


class Body:
    """A backend's body: pieces, pauses in seconds, or an exception; knows whether it was closed."""

    def __init__(self, *parts: bytes | float | BaseException) -> None:
        self._parts = iter(parts)
        self.closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for part in self._parts:
            if isinstance(part, bytes):
                return part
            if isinstance(part, BaseException):
                raise part
            await asyncio.sleep(part)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed = True


def make(
    body: bytes | Body, headers: list[Header] | None = None, *, method: str = "GET", status: int = 200
) -> tuple[GatewayResponse, list[Outcome]]:
    """A response and the list into which its call puts its outcome when it ends."""
    ended: list[Outcome] = []
    call = Call(method, "/", b"", [], RequestBody(never_received, None, has_body=False), "id")
    call.reader = AnswerReader(lambda texts: sum(map(len, texts)))
    call.reader.status = status
    call.on_end(lambda call, outcome: ended.append(outcome))
    return GatewayResponse(call, Reply(status, headers or [], body), comment_seconds=0.3), ended


async def send(response: GatewayResponse, caller: Caller) -> None:
    """As the web extension does it."""
    await response({"type": "http"}, caller.receive, caller.send)


def begin(response: GatewayResponse) -> tuple[Caller, asyncio.Task[None]]:
    """The same beside the test, which may then do something to its caller."""
    caller = Caller()
    return caller, asyncio.create_task(send(response, caller))


LENGTH = (b"content-length", b"10")
FRAMES: dict[str, tuple[str, int, list[Header], bytes | None]] = {
    "whole": ("GET", 200, [], b"5"),
    "HEAD keeps the length of what it does not send": ("HEAD", 200, [LENGTH], b"10"),
    "HEAD without a length": ("HEAD", 200, [], None),
    "204": ("GET", 204, [LENGTH], None),
    "304": ("GET", 304, [LENGTH], None),
    "304 to HEAD": ("HEAD", 304, [LENGTH], b"10"),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", FRAMES)
async def test_framing(name: str, streamed: bool) -> None:
    """A length is announced where HTTP allows one, and no body is sent where it allows none."""
    method, status, headers, length = FRAMES[name]
    content = b"hello" if name == "whole" else b""
    body = Body(content) if streamed else content
    response, ended = make(body, headers, method=method, status=status)
    caller = Caller()
    await send(response, caller)
    expected = None if streamed and name == "whole" else length
    assert (caller.headers.get(b"content-length"), caller.body, caller.ended) == (expected, content, True)
    assert (ended[0].status, ended[0].bytes_sent, ended[0].code) == (status, len(content), None)


async def test_a_body_for_head_is_not_counted() -> None:
    """The gateway's own error has a body, of which HEAD gets none."""
    response, ended = make(b'{"error":{}}', method="HEAD", status=404)
    await send(response, Caller())
    assert ended[0].bytes_sent == 0


async def test_half_an_event_is_held_for_a_moment_only() -> None:
    """What never becomes an event goes out all the same, while the stream goes on."""
    response, _ = make(Body(b"data: half", HOLD_SECONDS + 0.6, b" and half\n\n"), EVENTS)
    caller, sending = begin(response)
    await asyncio.sleep(HOLD_SECONDS + 0.4)
    assert caller.body == b"data: half"
    await sending
    assert caller.body == b"data: half and half\n\n"


async def test_half_an_event_that_trickles_in_is_held_no_longer() -> None:
    """The moment is counted from its first byte: a stream without a blank line goes out as it comes, after that."""
    response, _ = make(Body(*[b"data: x\n", 0.1] * 30), EVENTS)
    caller, sending = begin(response)
    await asyncio.sleep(HOLD_SECONDS + 0.9)
    assert caller.body.count(b"data: x\n") > 10
    await sending
    assert caller.body == b"data: x\n" * 30


async def test_a_stop_does_not_wait_for_a_caller_who_does_not_read() -> None:
    """There are no last words then, and the call ends all the same."""
    response, ended = make(Body(b"data: 1\n\n", 0.05, b"data: 2\n\n"), EVENTS)
    caller, sending = begin(response)
    await asyncio.sleep(0.01)
    caller.accepts.clear()
    await asyncio.sleep(0.1)
    sending.cancel()
    await asyncio.wait_for(sending, 1)
    assert ended[0].code == "GatewayStopping"


async def test_the_time_a_caller_takes_to_accept_is_not_the_gateways() -> None:
    """Whether it accepts in the end or leaves."""
    response, _ = make(Body(b"x", 0.05, b"y"))
    caller, sending = begin(response)
    await asyncio.sleep(0.01)
    caller.accepts.clear()
    await asyncio.sleep(0.2)
    caller.leaves.set()
    await asyncio.wait_for(sending, 5)
    assert response._call.caller_seconds >= 0.09


async def test_nothing_was_sent_to_one_who_left_before_the_answer() -> None:
    """The error is written to nobody, and counts for nothing."""
    response, ended = make(b'{"error":{}}', status=499)
    response._call.outcome.aborted = True
    await send(response, Caller())
    assert ended[0].bytes_sent == 0


async def test_no_comment_while_the_caller_is_slow() -> None:
    """The caller's silence is not the stream's: what waits to be written needs no company, whole or half."""
    response, ended = make(Body(b"data: 1\n\n", b"data: 2\n\ndata: half", 0.01, b" done\n\n"), EVENTS)
    caller, sending = begin(response)
    await asyncio.sleep(0)
    caller.accepts.clear()
    await asyncio.sleep(0.8)
    caller.accepts.set()
    await sending
    assert caller.body == b"data: 1\n\ndata: 2\n\ndata: half done\n\n"
    assert ended[0].bytes_sent == len(caller.body)


async def test_comments_fill_silence() -> None:
    """A stream that says nothing is kept alive."""
    response, _ = make(Body(b"data: 1\n\n", 1.0, b"data: 2\n\n"), EVENTS)
    caller = Caller()
    await send(response, caller)
    assert caller.body.startswith(b"data: 1\n\n: keep-alive\n\n")
    assert caller.body.endswith(b": keep-alive\n\ndata: 2\n\n")


@pytest.mark.parametrize("headers", [EVENTS, []], ids=["events", "pieces"])
async def test_a_failure_of_our_own_in_the_middle(headers: list[Header], caplog: pytest.LogCaptureFixture) -> None:
    """It is logged and has a code, the backend's answer is closed, and the caller's is left without an end."""
    body = Body(b"data: 1\n\n", ZeroDivisionError("a bug"))
    response, ended = make(body, headers)
    caller = Caller()
    await send(response, caller)
    assert (ended[0].code, body.closed, caller.ended) == ("InternalError", True, False)
    assert "a bug" in caplog.text
    assert b"a bug" not in caller.body
    assert (b'"code":"InternalError"' in caller.body) == bool(headers)


@pytest.mark.parametrize("headers", [EVENTS, []], ids=["events", "pieces"])
async def test_the_process_stops_in_the_middle(headers: list[Header]) -> None:
    """An event stream says so and ends; another breaks off; the call ends with a code and is no caller's leaving."""
    body = Body(b"data: 1\n\n", 60.0)
    response, ended = make(body, headers)
    caller, sending = begin(response)
    await asyncio.sleep(0.01)
    sending.cancel()
    await sending
    assert (ended[0].code, ended[0].aborted, body.closed) == ("GatewayStopping", False, True)
    assert (b"restarting" in caller.body, caller.ended) == (bool(headers), bool(headers))


@pytest.mark.parametrize("headers", [EVENTS, []], ids=["events", "pieces"])
async def test_the_caller_leaves_in_the_middle(headers: list[Header]) -> None:
    """The backend's answer is closed, and the outcome says whose doing it was."""
    body = Body(b"data: 1\n\n", 60.0)
    response, ended = make(body, headers)
    caller, sending = begin(response)
    await asyncio.sleep(0.01)
    caller.leaves.set()
    await asyncio.wait_for(sending, 5)
    assert (ended[0].code, ended[0].aborted, body.closed) == ("CallerDisconnected", True, True)


async def test_the_backend_breaks_off() -> None:
    """Its code is the outcome's."""
    response, ended = make(Body(b"x", ProviderError("BackendStreamInterrupted")))
    caller = Caller()
    await send(response, caller)
    assert (ended[0].code, ended[0].aborted, caller.ended) == ("BackendStreamInterrupted", False, False)


async def test_a_head_that_cannot_be_sent_closes_the_backends_answer() -> None:
    """The body was never begun, and is given up all the same."""
    body = Body(b"x")
    response, ended = make(body)

    async def broken(message: Any) -> None:
        raise ConnectionError("gone")

    await response({"type": "http"}, never_received, broken)
    assert (body.closed, ended[0].code) == (True, "InternalError")


async def test_a_response_that_is_never_sent_ends_its_call() -> None:
    """The worker drops responses when it stops; what hangs on the end of the call happens without the collector."""
    gc.disable()
    try:
        response, ended = make(b"x")
        del response
        assert [outcome.aborted for outcome in ended] == [True]
    finally:
        gc.enable()
