"""Reads the answer to its end although its caller has left, because its usage comes last."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable

from gateway.call import close_body
from gateway.errors import GatewayError
from gateway.llm.answer_reader import AnswerReader
from gateway.llm.usage import Usage

log = logging.getLogger("gateway")

MOST_DRAINS = 32
DRAIN_SECONDS = 230.0

# So much of what the backend has sent waits for a slow caller; then the backend waits too.
WAITING_BYTES = 256 * 1024

OnDone = Callable[[Usage | None], None]


class Drains:
    """The answers of this process that are read for nobody."""

    def __init__(self, most: int = MOST_DRAINS, seconds: float = DRAIN_SECONDS) -> None:
        self._most = most
        self._seconds = seconds
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, task: asyncio.Task[None]) -> bool:
        """Let this go on, for so long at most; False if there are too many already."""
        if self._closed or len(self._tasks) >= self._most:
            return False
        timer = asyncio.get_running_loop().call_later(self._seconds, task.cancel)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: timer.cancel())
        return True

    async def aclose(self) -> None:
        """Cancel every one, and wait until it has said what it knows."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


class DrainingBody:
    """A reply's body that a task of its own fetches, which goes on if the caller leaves before the end.

    `is_draining` says after `aclose` whether it does. Then, and only then, `on_done` is called once: with what the
    backend has said was used, or None if that did not come to its end. The call is over by then.
    """

    def __init__(self, pieces: AsyncIterator[bytes], reader: AnswerReader, drains: Drains, on_done: OnDone) -> None:
        self.is_draining = False
        self._pieces = pieces
        self._reader = reader
        self._drains = drains
        self._on_done: OnDone | None = on_done
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._taken = asyncio.Event()
        self._is_over = False
        self._is_whole = False
        self._error: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    def __aiter__(self) -> DrainingBody:
        return self

    async def __anext__(self) -> bytes:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._fetch())
        while not self._waiting:
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            if self._is_over:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        piece = self._waiting.popleft()
        self._waiting_bytes -= len(piece)
        self._taken.set()
        return piece

    async def aclose(self) -> None:
        """The caller wants no more. A stream that the gateway itself has cut is not read to its end."""
        # Let go of the task: a cancelled one holds the frames it was in, and through them this. What it tells may know
        # of this too.
        task, self._task = self._task, None
        on_done, self._on_done = self._on_done, None
        self._error = None
        if task is None:
            await close_body(self._pieces)
        elif self._reader.cut is None and (self._is_over or self._drains.add(task)):
            self._begin_to_drain(task, on_done)
        else:
            task.cancel()
            await asyncio.wait([task])
            # It may not have begun.
            await close_body(self._pieces)

    def _begin_to_drain(self, task: asyncio.Task[None], on_done: OnDone | None) -> None:
        self.is_draining = not self._is_over
        if self.is_draining and on_done is not None:
            task.add_done_callback(lambda _: self._end(on_done))
        while self._waiting:
            self._reader.drain(self._waiting.popleft())
        if self._is_whole:
            self._reader.finish_drain()
        self._taken.set()

    async def _fetch(self) -> None:
        try:
            async for piece in self._pieces:
                await self._take(piece)
            self._is_whole = True
        except Exception as error:
            self._note(error)
        finally:
            self._is_over = True
            self._arrived.set()
            await close_body(self._pieces)

    async def _take(self, piece: bytes) -> None:
        if self.is_draining:
            self._reader.drain(piece)
            return
        self._waiting.append(piece)
        self._waiting_bytes += len(piece)
        self._arrived.set()
        while self._waiting_bytes > WAITING_BYTES and not self.is_draining:
            self._taken.clear()
            await self._taken.wait()

    def _note(self, error: Exception) -> None:
        if not self.is_draining:
            self._error = error
        elif not isinstance(error, GatewayError):
            log.error("an answer whose caller had left failed", exc_info=error)

    def _end(self, on_done: OnDone) -> None:
        if self._is_whole:
            self._reader.finish_drain()
        try:
            on_done(self._reader.usage if self._is_whole else None)
        except Exception:
            log.exception("what was to happen after a drain failed")
