"""One call to the backend that several callers share, and what has come of its answer.

The call runs in a task of its own, so that nobody's leaving ends it while anybody else wants it. The answer's pieces
are read when the fastest participant wants the next, and kept for the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from gateway.call import Reply, close_body
from gateway.errors import GatewayError, UnavailableError

log = logging.getLogger("gateway.cache")

# What is kept of an answer for those who come late or are slow. A longer one may not be joined any more, what all have
# taken of it is let go of, and if one participant is so far behind, the backend waits.
LARGEST_SHARED_BYTES = 2 * 1024 * 1024

# What Python takes for a piece beside its bytes, about.
PIECE_OVERHEAD_BYTES = 64

LEADER = 1

Fetch = Callable[[], Awaitable[Reply]]


class Tee(Protocol):
    """Is fed the answer's pieces once, however many callers take part. If it raises, it is fed no more."""

    def on_piece(self, piece: bytes) -> None:
        """The next piece."""

    def on_end(self, complete: bool) -> None:
        """There are no more. Only when this returns does the next such request begin another flight."""


class Flight:
    """Participants have numbers, and each a position: how many pieces it has taken."""

    def __init__(self, fetch: Fetch, tee: Tee | None, on_shut: Callable[[Flight], None], largest: int) -> None:
        self.head: Reply | None = None
        self.error: Exception | None = None
        self.is_over = False
        self._tee = tee
        self._on_shut: Callable[[Flight], None] | None = on_shut
        self._largest = largest
        self._is_long = False
        self._pieces: list[bytes] = []
        self._pieces_gone = 0
        self._kept_bytes = 0
        self._positions: dict[int, int] = {}
        self._last_number = 0
        self._wanted = asyncio.Event()
        self._taken = asyncio.Event()
        self._changed = asyncio.Event()
        self.task: asyncio.Task[None] | None = asyncio.get_running_loop().create_task(self._run(fetch))

    # For the participants.

    def enter(self) -> int:
        """One more, who is given its number; the first is the leader."""
        self._last_number += 1
        self._positions[self._last_number] = 0
        return self._last_number

    async def change(self) -> None:
        """Wait until there is a head, a piece or the end. Whoever is cancelled meanwhile takes nothing along."""
        self._changed.clear()
        await self._changed.wait()

    def want(self) -> None:
        """Have the next piece read."""
        self._wanted.set()

    def take(self, number: int) -> bytes | None:
        """The participant's next piece, None if that has not come."""
        position = self._positions[number]
        index = position - self._pieces_gone
        if index == len(self._pieces):
            return None
        self._positions[number] = position + 1
        if index == 0:
            self._taken.set()
        return self._pieces[index]

    @property
    def has_piece(self) -> bool:
        """Whether anything has come of a body in pieces."""
        return bool(self._pieces)

    def leave(self, number: int) -> asyncio.Task[None] | None:
        """One less. The last one ends the call, unless it is over, and is given its task, to wait for."""
        if self._positions.pop(number, None) is None:
            return None
        self._taken.set()
        if self._positions:
            return None
        self.stop()
        self._pieces.clear()
        # These two hold the frames that they went through, and so they hold this.
        self.error = None
        task, self.task = self.task, None
        return task

    def stop(self) -> None:
        """Give the call up, unless it is over; whoever still takes part hears that the gateway stops."""
        if not self.is_over and self.task is not None:
            self._end(UnavailableError("GatewayStopping"))
            self.task.cancel()

    # The task.

    async def _run(self, fetch: Fetch) -> None:
        body: bytes | AsyncIterator[bytes] = b""
        try:
            reply = await fetch()
            body = reply.body
            self._begin(reply)
            if isinstance(body, bytes):
                self._tell(body)
            else:
                await self._read(body)
            self._end(None)
        except Exception as error:
            self._end(error)
        finally:
            # Somebody else may have cancelled the task.
            self._end(UnavailableError("GatewayStopping"))
            if not isinstance(body, bytes):
                await _close(body)

    def _begin(self, reply: Reply) -> None:
        self.head = reply
        if reply.status >= 400:
            self._shut()
        self._changed.set()

    async def _read(self, body: AsyncIterator[bytes]) -> None:
        while True:
            await self._wanted.wait()
            while self._is_full():
                self._taken.clear()
                await self._taken.wait()
            try:
                piece = await anext(body)
            except StopAsyncIteration:
                return
            if piece:
                self._tell(piece)
                self._keep(piece)

    def _is_full(self) -> bool:
        if not self._is_long:
            return False
        oldest = min(self._positions.values(), default=self._pieces_gone)
        taken = self._pieces[: oldest - self._pieces_gone]
        if taken:
            del self._pieces[: len(taken)]
            self._pieces_gone = oldest
            self._kept_bytes -= sum(map(_cost, taken))
        return self._kept_bytes > self._largest

    def _keep(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._kept_bytes += _cost(piece)
        if self._kept_bytes > self._largest:
            self._is_long = True
            self._shut()
        # Whoever has wanted a piece until now wanted this one.
        self._wanted.clear()
        self._changed.set()

    def _end(self, error: Exception | None) -> None:
        if self.is_over:
            return
        self.is_over = True
        if self._positions:
            self.error = error
        if error is not None and LEADER not in self._positions and not isinstance(error, GatewayError):
            # The leader would have been told, and its log.
            log.error("a shared call whose leader had left failed", exc_info=error)
        self._tell_end(error is None)
        self._shut()
        self._changed.set()

    def _shut(self) -> None:
        """Nobody may join any more."""
        on_shut, self._on_shut = self._on_shut, None
        if on_shut is not None:
            on_shut(self)

    def _tell(self, piece: bytes) -> None:
        if self._tee is not None:
            try:
                self._tee.on_piece(piece)
            except Exception:
                self._tee = None
                log.exception("what takes note of answers failed")

    def _tell_end(self, complete: bool) -> None:
        tee, self._tee = self._tee, None
        if tee is not None:
            try:
                tee.on_end(complete)
            except Exception:
                log.exception("what takes note of answers failed")


def _cost(piece: bytes) -> int:
    return len(piece) + PIECE_OVERHEAD_BYTES


async def _close(body: AsyncIterator[bytes]) -> None:
    try:
        await close_body(body)
    except Exception as error:
        # Everybody has what it is to get.
        log.warning("a shared answer could not be closed: %s", type(error).__name__)
