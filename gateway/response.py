"""A Reply on its way out: sent as it comes, watched for the caller's leaving, ended exactly once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from functools import partial

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.call import Call, Reply
from gateway.errors import GatewayError, UnavailableError
from gateway.llm.sse import COMMENT, EventBuffer, error_event
from gateway.presence import Attendance, CallerPresence

log = logging.getLogger("gateway")


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
        self._attendance = attendance or Attendance()
        self._comment_seconds = comment_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        outcome = self._call.outcome
        outcome.status, outcome.code = self._reply.status, self._reply.code
        try:
            if isinstance(self._reply.body, bytes):
                await self._send_whole(send, self._reply.body)
            elif self._reply.is_event_stream:
                outcome.streamed = True
                await self._send_events(receive, send, self._reply.body)
            else:
                await self._send_pieces(receive, send, self._reply.body)
        finally:
            self._call.end()

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

    async def _send_whole(self, send: Send, body: bytes) -> None:
        bodiless = self.status_code in (204, 304)
        if bodiless and self._call.method != "HEAD":
            # RFC 9110, section 8.6, forbids a length with 204; with 304 the server below cannot send one.
            self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        elif self._call.method != "HEAD" and not any(name == b"content-length" for name, _ in self.raw_headers):
            self.raw_headers.append((b"content-length", str(len(body)).encode()))
        await self._start(send)
        await send({"type": "http.response.body", "body": body})
        self._call.outcome.bytes_sent = len(body)

    async def _send_pieces(self, receive: Receive, send: Send, pieces: AsyncIterator[bytes]) -> None:
        await self._start(send)
        presence = CallerPresence(self._attendance, receive, lambda: self._call.body.complete)
        try:
            with presence:
                await self._relay(send, pieces)
        except GatewayError as error:
            # Left without its end, the answer has its connection closed by the server: it cannot be taken for whole.
            self._call.outcome.code = error.code
            return
        finally:
            await _close(pieces)
        await self._finish(send, presence)

    async def _relay(self, send: Send, pieces: AsyncIterator[bytes]) -> None:
        outcome = self._call.outcome
        async for piece in pieces:
            outcome.bytes_sent += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})

    async def _finish(self, send: Send, presence: CallerPresence) -> None:
        if presence.left:
            self._call.outcome.aborted = True
            self._call.outcome.code = "CallerDisconnected"
        else:
            await send({"type": "http.response.body", "body": b""})

    async def _send_events(self, receive: Receive, send: Send, pieces: AsyncIterator[bytes]) -> None:
        # A comment or an error event would make a length that the backend announced untrue.
        self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        await self._start(send)
        events = _EventStream(send, self._call)
        presence = CallerPresence(
            self._attendance,
            receive,
            lambda: self._call.body.complete,
            tick=partial(events.comment_if_silent, self._comment_seconds),
            tick_seconds=self._comment_seconds / 3,
        )
        try:
            with presence:
                await events.relay(pieces)
        except GatewayError as error:
            await events.fail(error)
        except asyncio.CancelledError:
            # The process is stopping in the middle of the stream.
            await events.fail(UnavailableError("InternalError", "The gateway is restarting; try again."))
            raise
        finally:
            await _close(pieces)
        await self._finish(send, presence)


class _EventStream:
    """Passes events on untouched, one flush an event, so that something of our own may stand between any two."""

    def __init__(self, send: Send, call: Call) -> None:
        self._send = send
        self._call = call
        self._buffer = EventBuffer()
        self._last_sent = time.monotonic()

    async def relay(self, pieces: AsyncIterator[bytes]) -> None:
        async for piece in pieces:
            ready = self._buffer.feed(piece)
            if ready:
                await self._write(ready)
        await self._write(self._buffer.rest())
        if self._buffer.watcher.error_seen:
            self._call.outcome.code = "BackendStreamError"

    async def comment_if_silent(self, seconds: float) -> None:
        if not self._buffer.mid_event and time.monotonic() - self._last_sent >= seconds:
            await self._write(COMMENT)

    async def fail(self, error: GatewayError) -> None:
        """Tell the caller, in the stream, that this is not its proper end. Half an event that was held is dropped."""
        self._call.outcome.code = error.code
        closing = b"\n\n" if self._buffer.mid_event else b""
        await self._write(closing + error_event(error.body()))

    async def _write(self, piece: bytes) -> None:
        self._last_sent = time.monotonic()
        self._call.outcome.bytes_sent += len(piece)
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})


async def _close(pieces: AsyncIterator[bytes]) -> None:
    aclose = getattr(pieces, "aclose", None)
    if aclose is not None:
        await aclose()
