"""One HTTP/1.1 connection: asyncio moves the bytes, an AnswerReader reads them."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast

import httpx2

from gateway.backends.answer import Answer
from gateway.backends.answer_reader import AnswerReader
from gateway.backends.deadline import Deadline
from gateway.backends.request_head import Outgoing
from gateway.backends.upload import upload

# Unread bytes of an answer above which the socket is left alone until the reader has caught up.
READ_AHEAD_BYTES = 256 * 1024

# Below this, copying head and body together is cheaper than sending them apart.
JOINED_BYTES = 64 * 1024


class ConnectionOwner(Protocol):
    """Whoever keeps connections between exchanges."""

    def release(self, connection: Connection) -> None:
        """The exchange is over and the connection can carry another one."""

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""


class Connection(asyncio.Protocol):
    """Carries one exchange at a time.

    Closing always aborts: when it happens there is nothing of ours left to send that anybody waits for, and whether
    an answer is whole is said by its framing, not by how the connection ends.
    """

    __slots__ = (
        "_answer",
        "_drained",
        "_gone",
        "_owner",
        "_reader",
        "_reading_paused",
        "_transport",
        "closed",
        "deadline",
        "idle_since",
        "loop",
        "used",
        "writing_paused",
    )

    def __init__(self, owner: ConnectionOwner, loop: asyncio.AbstractEventLoop, max_header_bytes: int) -> None:
        self.loop = loop
        self.deadline = Deadline(loop, self._expired)
        self.closed = False
        self.used = False
        self.idle_since = 0.0
        self.writing_paused = False
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._reader = AnswerReader(max_header_bytes)
        self._reading_paused = False
        self._drained: asyncio.Future[None] | None = None
        self._gone: asyncio.Future[None] | None = None

    # The exchange.

    def start(self, request: Outgoing, extensions: dict[str, Any]) -> Answer:
        """Send a request; the answer fills as it arrives."""
        self.used = True
        answer = self._answer = Answer(self, extensions, request.is_head)
        self._reader.begin(answer)
        transport = cast(asyncio.Transport, self._transport)
        if request.body is None:
            transport.write(request.head)
            seconds = (extensions.get("timeout") or {}).get("write")
            answer.uploading = True
            answer.upload = self.loop.create_task(upload(self, request, seconds))
        elif len(request.body) <= JOINED_BYTES:
            transport.write(request.head + request.body)
        else:
            # Not writelines: in Python 3.13.0 it forgets to say when too much is waiting.
            transport.write(request.head)
            transport.write(request.body)
        return answer

    def write(self, data: bytes) -> None:
        """Send a part of the request's body."""
        cast(asyncio.Transport, self._transport).write(data)

    async def drained(self) -> None:
        """Wait until more may be written. If the connection goes, the upload is cancelled."""
        self._drained = self.loop.create_future()
        await self._drained

    def uploaded(self) -> None:
        """The last of the request's body has been written."""
        if self._answer is not None:
            self._answer.uploading = False
            self._answer.wake()

    def resume_reading(self) -> None:
        """The reader has caught up."""
        if self._reading_paused:
            self._reading_paused = False
            cast(asyncio.Transport, self._transport).resume_reading()

    def fail(self, error: Exception) -> None:
        """End the exchange with an error, and the connection with it."""
        answer = self._detach()
        self.close()
        if answer is not None:
            answer.fail(error)

    def close(self) -> None:
        """Close at once. Whatever exchange there was has been detached before."""
        if self.closed:
            return
        self.closed = True
        self.deadline.cancel()
        self._reader.close()
        if self._transport is not None:
            self._transport.abort()
        self._owner.forget(self)

    async def gone(self) -> None:
        """Wait until the closed connection's socket is closed too."""
        if self._transport is not None:
            self._gone = self.loop.create_future()
            await self._gone

    def _detach(self) -> Answer | None:
        answer, self._answer = self._answer, None
        self.deadline.stop()
        if answer is not None:
            self._reader.end()
        return answer

    def _expired(self) -> None:
        if self._answer is not None:
            self.fail(self._answer.late("The server took too long."))

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio has set TCP_NODELAY.
        self._transport = cast(asyncio.Transport, transport)
        if self.closed:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:
            # Nobody asked for this, and it would be taken for the start of the next answer.
            self.close()
            return
        answer.untouched = False
        try:
            self._reader.feed(data)
        except httpx2.RemoteProtocolError as error:
            self.fail(error)
            return
        if self._reader.done:
            self._finish(answer)
        elif self._reader.advanced:
            self._advance(answer)

    def _advance(self, answer: Answer) -> None:
        if answer.buffered > READ_AHEAD_BYTES and not self._reading_paused:
            self._reading_paused = True
            cast(asyncio.Transport, self._transport).pause_reading()
        if answer.uploading and answer.status >= 300:
            # Told that its body is not wanted, a client stops sending it (RFC 9112, section 9.3).
            answer.stop_upload()
        self.deadline.stop()
        answer.wake()

    def _finish(self, answer: Answer) -> None:
        transport = cast(asyncio.Transport, self._transport)
        unsent = answer.uploading or transport.get_write_buffer_size() > 0
        self._detach()
        answer.finish()
        if self._reader.reusable and not unsent:
            self.resume_reading()
            self._owner.release(self)
        else:
            self.close()

    def pause_writing(self) -> None:
        self.writing_paused = True

    def resume_writing(self) -> None:
        self.writing_paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self._answer is not None:
            self.deadline.stop()
            self._answer.wake()

    def eof_received(self) -> bool:
        self._lost(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._lost(exc)
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    def _lost(self, error: Exception | None) -> None:
        answer = self._answer
        if answer is None:
            self.close()
        elif error is not None:
            self.fail(httpx2.ReadError("The connection was reset."))
        elif self._reader.ends_with_connection():
            self._detach()
            answer.finish()
            self.close()
        elif answer.status:
            self.fail(httpx2.RemoteProtocolError("The server closed the connection in the middle of its answer."))
        else:
            self.fail(httpx2.RemoteProtocolError("The server closed the connection without an answer."))
