"""What comes back for one request: the head, then the body as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx2

if TYPE_CHECKING:
    from gateway.backends.connection import Connection


class Answer(httpx2.AsyncByteStream):
    """Filled by a Connection, read by one task.

    It outlives its connection: what has arrived stays readable while the connection already serves another request.
    """

    def __init__(self, connection: Connection, extensions: dict[str, Any], is_head: bool) -> None:
        self.status = 0
        self.version = b"HTTP/1.1"
        self.reason = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_head = is_head
        self.pieces: list[bytes] = []
        self.buffered = 0
        self.complete = False
        # Nothing at all has come back yet.
        self.untouched = True
        self.upload: asyncio.Task[None] | None = None
        self.uploading = False
        self.late: type[httpx2.TimeoutException] = httpx2.ReadTimeout
        self._extensions = extensions
        self._connection: Connection | None = connection
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    # For the connection.

    def wake(self) -> None:
        """Let the reading task look again."""
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def finish(self) -> None:
        """The body is whole."""
        self.complete = True
        self._connection = None
        self.stop_upload()
        self.wake()

    def fail(self, error: Exception) -> None:
        """Nothing more will come."""
        self._error = error
        self._connection = None
        self.stop_upload()
        self.wake()

    def stop_upload(self) -> None:
        """The rest of the request's body is not wanted any more."""
        if self.upload is not None:
            self.upload.cancel()

    # For the reader.

    async def head(self) -> None:
        """Wait until status and headers are here."""
        try:
            while not self.status:
                if self._error is not None:
                    raise self._error
                await self._wait()
            if self.upload is not None and self.upload.cancelling():
                await self._upload_ended()
        except BaseException:
            await self.aclose()
            raise

    def take_whole(self) -> bytes | None:
        """The whole body, if it is here and none of it was read; None otherwise."""
        if not self.complete or self._error is not None:
            return None
        pieces, self.pieces, self.buffered = self.pieces, [], 0
        return b"".join(pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """All that has arrived since the last time; waits only if that is nothing."""
        while not self.pieces:
            if self._error is not None:
                raise self._error
            if self.complete:
                raise StopAsyncIteration
            await self._wait()
        pieces, self.pieces, self.buffered = self.pieces, [], 0
        if self._connection is not None:
            self._connection.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def aclose(self) -> None:
        """Let go of the connection: at once if the answer is not whole, which tells the server to stop."""
        if self._connection is not None:
            self._connection.fail(httpx2.ReadError("The response was closed before its end."))
        if self.upload is not None and not self.upload.done():
            self.upload.cancel()
            await self._upload_ended()

    async def _wait(self) -> None:
        connection = self._connection
        assert connection is not None
        seconds = self._limit(connection)
        self._waiter = connection.loop.create_future()
        if seconds is not None:
            connection.deadline.start(seconds)
        try:
            await self._waiter
        except asyncio.CancelledError:
            await self.aclose()
            raise

    def _limit(self, connection: Connection) -> float | None:
        """How long to wait, from the request's `timeout`, read anew because the caller may change it on the way."""
        if self.uploading:
            # The upload waits for the caller without a limit and for the server with its own.
            return None
        limits = self._extensions.get("timeout")
        self.late = httpx2.WriteTimeout if connection.writing_paused else httpx2.ReadTimeout
        if not limits:
            return None
        seconds: float | None = limits.get("write" if connection.writing_paused else "read")
        return seconds

    async def _upload_ended(self) -> None:
        """Its source belongs to the caller, who may only touch it again when the upload no longer runs."""
        assert self.upload is not None
        await asyncio.wait([self.upload])
