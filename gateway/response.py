"""A Reply on its way out: sent as it comes, watched for the caller's leaving, ended exactly once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.call import Call, Header, Reply, close_body
from gateway.errors import CallerError, GatewayError, PolicyError, UnavailableError
from gateway.llm.answer_reader import AnswerReader
from gateway.llm.endings import done
from gateway.llm.sse import COMMENT, DONE, error_event
from gateway.llm.stream_reader import StreamReader
from gateway.llm.tokens import Protocol
from gateway.presence import Attendance, CallerPresence, Tick

log = logging.getLogger("gateway")

# Half an event tells its reader nothing, so it is held for its other half; but not for long, because what calls itself
# an event stream need not be one.
HOLD_SECONDS = 1.0

STOPPING = UnavailableError("GatewayStopping")


def reply_of(error: GatewayError) -> Reply:
    """The one place where an error becomes a response."""
    headers = [(b"content-type", b"application/json")]
    headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in error.headers.items()]
    return Reply(error.status, headers, error.body(), code=error.code)


class GatewayResponse(Response):
    """Sends the reply of one call, then ends the call."""

    def __init__(
        self, call: Call, reply: Reply, attendance: Attendance | None = None, comment_seconds: float = 15.0
    ) -> None:
        # Not Starlette's __init__: the reply has its headers and its body already.
        self.status_code = reply.status
        self.background = None
        self.body = b""
        self.raw_headers = [*reply.headers, (b"x-request-id", call.request_id.encode("latin-1"))]
        self._call = call
        self._reply = reply
        # Without one, nobody wants to know what the answer says.
        self._reader = call.reader or AnswerReader(lambda texts: 0)
        self._attendance = attendance or Attendance()
        self._comment_seconds = comment_seconds
        self._called = False
        call.outcome.status, call.outcome.code = reply.status, reply.code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._called = True
        outcome = self._call.outcome
        body = self._reply.body
        try:
            if isinstance(body, bytes):
                await self._send_whole(send, body)
            else:
                await self._send_stream(receive, send, body)
        except asyncio.CancelledError:
            # The process is stopping, and this is the last that is done for the call: nobody above waits to hear of it.
            outcome.code = STOPPING.code
        except Exception:
            # The head is out, so all that is left to do is to break the answer off.
            log.exception("request %s failed while it was answered", self._call.request_id)
            outcome.code = "InternalError"
        finally:
            outcome.aborted = outcome.aborted or self._call.body.cut_short
            self._call.end()

    def __del__(self) -> None:
        if not self._called:
            # The worker has dropped it unsent, as it does when it stops: the call is over all the same.
            self._call.outcome.aborted = True
            self._call.end()

    async def _start(self, send: Send) -> None:
        headers = self.raw_headers
        if self.status_code in (204, 304) and self._call.method != "HEAD":
            # RFC 9110, section 8.6, forbids a length with 204; with 304 the server below cannot send one.
            headers = _without_length(headers)
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})

    async def _send_whole(self, send: Send, body: bytes) -> None:
        if self._call.method == "HEAD":
            body = b""
        elif not any(name == b"content-length" for name, _ in self.raw_headers):
            self.raw_headers.append((b"content-length", str(len(body)).encode()))
        await self._start(send)
        self._call.mark_first_byte()
        await send({"type": "http.response.body", "body": body})
        sent_bytes = 0 if self._call.outcome.aborted or self._call.body.cut_short else len(body)
        self._call.outcome.bytes_sent = sent_bytes
        if self._call.reader is not None:
            # Only now, when the caller has its answer.
            reader = self._call.reader.of_pieces(self._reply.headers)
            reader.take_whole(body)
            reader.sent_bytes = sent_bytes

    async def _send_stream(self, receive: Receive, send: Send, pieces: AsyncIterator[bytes]) -> None:
        try:
            if self._reply.is_event_stream:
                await self._send_events(receive, send, pieces)
            else:
                await self._send_pieces(receive, send, pieces)
        finally:
            await close_body(pieces)

    async def _send_pieces(self, receive: Receive, send: Send, pieces: AsyncIterator[bytes]) -> None:
        await self._start(send)
        presence = self._presence(receive)
        output = _Output(send, self._call)
        reader = self._reader.of_pieces(self._reply.headers)
        try:
            with presence:
                async for piece in pieces:
                    self._call.mark_first_byte()
                    reader.take(piece)
                    await output.write(piece)
                    reader.sent_bytes += len(piece)
                reader.finish()
        except GatewayError as error:
            # Left without its end, the answer has its connection closed by the server: it cannot be taken for whole.
            self._call.outcome.code = error.code
            return
        await self._finish(send, presence)

    async def _send_events(self, receive: Receive, send: Send, pieces: AsyncIterator[bytes]) -> None:
        # A comment or an error event would make a length that the backend announced untrue.
        self.raw_headers = _without_length(self.raw_headers)
        self._call.outcome.streamed = True
        await self._start(send)
        events = _EventStream(_Output(send, self._call), self._call, self._reader.of_events(), self._comment_seconds)
        presence = self._presence(receive, events.tick, min(HOLD_SECONDS, self._comment_seconds / 3))
        try:
            with presence:
                await events.relay(pieces)
        except GatewayError as error:
            await events.fail(error)
        except asyncio.CancelledError:
            if events.are_blocked:
                # There is no time to wait for a caller who does not read.
                raise
            await events.fail(STOPPING)
        except Exception:
            await events.fail(UnavailableError("InternalError"))
            raise
        await self._finish(send, presence)

    def _presence(
        self, receive: Receive, tick: Tick | None = None, tick_seconds: float | None = None
    ) -> CallerPresence:
        return CallerPresence(self._attendance, receive, self._call.body.is_left_alone, tick, tick_seconds)

    async def _finish(self, send: Send, presence: CallerPresence) -> None:
        if presence.left:
            self._call.outcome.aborted = True
            self._call.outcome.code = CallerError("CallerDisconnected").code
        else:
            await send({"type": "http.response.body", "body": b""})


class _Output:
    """Where a streamed body goes; counts what it sends, and the time the caller takes to accept it."""

    def __init__(self, send: Send, call: Call) -> None:
        self._send = send
        self._call = call
        self.last_sent = time.monotonic()
        self.writing = False

    async def write(self, piece: bytes) -> None:
        self.last_sent = time.monotonic()
        self.writing = True
        self._call.outcome.bytes_sent += len(piece)
        try:
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            self.writing = False
        finally:
            self._call.caller_seconds += time.monotonic() - self.last_sent


class _EventStream:
    """Passes events on untouched, one flush an event, so that something of our own may stand between any two."""

    def __init__(self, output: _Output, call: Call, reader: StreamReader, comment_seconds: float) -> None:
        self._output = output
        self._call = call
        self._reader = reader
        self._comment_seconds = comment_seconds
        self._held_since: float | None = None

    async def relay(self, pieces: AsyncIterator[bytes]) -> None:
        async for piece in pieces:
            ready = self._reader.feed(piece)
            if not self._reader.holds_something:
                self._held_since = None
            elif ready or self._held_since is None:
                self._held_since = time.monotonic()
            await self._pass_on(ready)
        await self._pass_on(self._reader.rest())
        if self._reader.error_seen:
            self._call.outcome.code = "BackendStreamError"

    async def _pass_on(self, ready: bytes) -> None:
        if ready:
            self._call.mark_first_byte()
            await self._output.write(ready)
            self._reader.sent()
        if self._reader.cut is not None:
            raise self._reader.cut

    async def tick(self) -> None:
        """Let go of half an event that waits for the other half; else, say something if nobody has for long.

        Not while something is being written: then it is the caller who is slow.
        """
        now = time.monotonic()
        if self._output.writing:
            return
        if self._reader.holds_something:
            if self._held_since is not None and now - self._held_since >= HOLD_SECONDS:
                await self._output.write(self._reader.let_go())
        elif not self._reader.mid_event and now - self._output.last_sent >= self._comment_seconds:
            await self._output.write(COMMENT)

    async def fail(self, error: GatewayError) -> None:
        """Tell the caller, in the stream, that this is not its proper end. Half an event that was held is dropped."""
        self._call.outcome.code = error.code
        words = error_event(error.body())
        if self._call.protocol is Protocol.ANTHROPIC:
            # Its clients read no event without a name.
            words = b"event: error\n" + words
        if error is self._reader.cut and self._call.protocol is Protocol.CHAT:
            words = self._reader.last_chunk() + words + DONE
        elif isinstance(error, PolicyError):
            # Whoever has ended the stream has said so, in its own words, before.
            words += done(self._call.protocol)
        await self._output.write((b"\n\n" if self._reader.mid_event else b"") + words)

    @property
    def are_blocked(self) -> bool:
        """True while the caller has yet to accept what is being written."""
        return self._output.writing


def _without_length(headers: list[Header]) -> list[Header]:
    return [pair for pair in headers if pair[0] != b"content-length"]
