"""The request's body: read whole within a limit, or passed on piece by piece without being kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from starlette.types import Receive

from gateway.errors import CallerError

# A caller who says nothing for so long in the middle of its body would hold a connection to the backend for nothing.
SILENCE_SECONDS = 60.0


class RequestBody:
    """Reads one request's body from ASGI, once."""

    __slots__ = (
        "_limit",
        "_receive",
        "being_read",
        "complete",
        "cut_short",
        "expected_bytes",
        "received_bytes",
        "waited_seconds",
    )

    def __init__(self, receive: Receive, expected_bytes: int | None, has_body: bool) -> None:
        self._receive = receive
        self._limit: int | None = None
        self.expected_bytes = expected_bytes
        self.received_bytes = 0
        self.complete = not has_body
        self.being_read = False
        # The caller left before it had sent everything.
        self.cut_short = False
        self.waited_seconds = 0.0

    def is_complete(self) -> bool:
        """True if all of it has come."""
        return self.complete

    def is_left_alone(self) -> bool:
        """True if nobody is reading it: all has come, or the rest is not wanted."""
        return not self.being_read

    def limit_to(self, limit: int | None) -> None:
        """Refuse more than `limit` bytes: at once if the caller announces more, otherwise when they come."""
        self._limit = limit
        if limit is not None and self.expected_bytes is not None and self.expected_bytes > limit:
            raise too_large(limit)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises CallerError if it outgrows the limit or the caller leaves."""
        self.being_read = True
        try:
            while not self.complete:
                piece = await self._next()
                if piece:
                    yield piece
        finally:
            self.being_read = False

    async def read(self) -> bytes:
        """The whole body."""
        pieces = [piece async for piece in self.pieces()]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _next(self) -> bytes:
        waiting = time.perf_counter()
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                message = await self._receive()
        except TimeoutError:
            raise CallerError("RequestTimeout") from None
        finally:
            self.waited_seconds += time.perf_counter() - waiting
        if message["type"] == "http.disconnect":
            self.cut_short = True
            raise CallerError("IncompleteBody")
        piece: bytes = message.get("body", b"")
        self.received_bytes += len(piece)
        if self._limit is not None and self.received_bytes > self._limit:
            raise too_large(self._limit)
        self.complete = not message.get("more_body", False)
        return piece


def too_large(limit: int) -> CallerError:
    """413, saying how much is allowed. The rest of the body is never read.

    Nothing is said of the connection: closing it with unread bytes in it would reset it, and lose this answer.
    """
    return CallerError("RequestTooLarge", f"The body is larger than this API allows ({limit} bytes).")
