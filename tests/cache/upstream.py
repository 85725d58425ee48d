"""A backend's answer of which the test says when what comes, and callers that take it at their own pace."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from gateway.cache.flights import Flights, Participant
from gateway.call import Header, Reply

KEY = b"key"
EVENTS: list[Header] = [(b"content-type", b"text/event-stream")]


class Upstream:
    """A body in pieces that comes when the test sends it; notes how it is treated."""

    def __init__(self) -> None:
        self.asked = 0
        self.read = 0
        self.closed = 0
        self.cancelled = 0
        self._ready: deque[bytes | Exception | None] = deque()
        self._arrived = asyncio.Event()
        self._is_reading = False

    def send(self, *pieces: bytes) -> None:
        """These have come."""
        self._ready.extend(pieces)
        self._arrived.set()

    def end(self, error: Exception | None = None) -> None:
        """It has come to its end, or broken off."""
        self._ready.append(error)
        self._arrived.set()

    def __aiter__(self) -> Upstream:
        return self

    async def __anext__(self) -> bytes:
        assert not self._is_reading, "read twice at once"
        assert not self.closed, "read after it was closed"
        self._is_reading = True
        self.asked += 1
        try:
            while not self._ready:
                self._arrived.clear()
                await self._arrived.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self._is_reading = False
        return self._next_part()

    def _next_part(self) -> bytes:
        part = self._ready.popleft()
        try:
            if part is None:
                raise StopAsyncIteration
            if isinstance(part, Exception):
                raise part
            self.read += 1
            return part
        finally:
            # Its trace would hold the frame that holds it.
            del part

    async def aclose(self) -> None:
        """As a BackendResponse has it."""
        assert not self._is_reading, "closed while it was read"
        self.closed += 1


class Backend:
    """What a flight fetches from: counts the calls, and answers when the test lets it."""

    def __init__(self, body: bytes | Upstream | Exception, status: int = 200, *, waits: bool = False) -> None:
        self.body = body
        self.calls = 0
        self.cancelled = 0
        self.answers = asyncio.Event()
        self._status = status
        if not waits:
            self.answers.set()

    async def fetch(self) -> Reply:
        """As the policy's."""
        self.calls += 1
        try:
            await self.answers.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.body, Exception):
            raise self.body
        return Reply(self._status, list(EVENTS), self.body)


class Collector:
    """The tee of a flight: what the cache would keep."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.ends: list[bool] = []

    def on_piece(self, piece: bytes) -> None:
        """For Flight."""
        assert not self.ends
        self.pieces.append(piece)

    def on_end(self, complete: bool) -> None:
        """For Flight."""
        self.ends.append(complete)


async def read(participant: Participant) -> bytes:
    """A caller that takes all there is."""
    body = (await participant.reply()).body
    return body if isinstance(body, bytes) else b"".join(await rest_of(body))


def joined(flights: Flights) -> Participant:
    """A follower."""
    participant = flights.join(KEY)
    assert participant is not None
    return participant


async def body_of(participant: Participant) -> AsyncIterator[bytes]:
    """The pieces of its reply."""
    body = (await participant.reply()).body
    assert not isinstance(body, bytes)
    return body


async def rest_of(body: AsyncIterator[bytes]) -> list[bytes]:
    """The pieces that it has not taken yet."""
    return [piece async for piece in body]
