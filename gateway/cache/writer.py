"""Answers on their way to the table, in the background: no call waits for that, and none fails for it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gateway.cache.entry import Entry
from gateway.cache.rarely import Rarely
from gateway.errors import StorageUnavailable
from gateway.storage.cache_rows import Kept, Record
from gateway.storage.limits import EntityTooLarge

if TYPE_CHECKING:
    from gateway.cache.axes import Vector

log = logging.getLogger("gateway.cache")

MOST_WAITING = 1_000
MOST_WAITING_BYTES = 32 * 1024 * 1024
WRITES_AT_ONCE = 8
RETRY_SECONDS = 5.0
LAST_WRITE_SECONDS = 5.0


class Store(Protocol):
    """The cache's table."""

    def check(self, record: Record) -> None: ...

    async def write(self, record: Record) -> None: ...

    async def delete(self, scope: str, ids: Sequence[str]) -> None: ...


class Held(Protocol):
    """What is in memory."""

    def put(self, entry: Entry, vector: Vector | None, answer: bytes) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    record: Record
    gone: Sequence[str]

    @property
    def size(self) -> int:
        return len(self.record.answer) + len(self.record.kept.vector or b"")


class Writer:
    """Writes answers in the order in which they came. While storage is away they wait, as many as there is room for.

    `dropped` counts those for which there was none. `now` is the time of day, in seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        scopes: Held,
        now: Callable[[], float],
        *,
        most_waiting: int = MOST_WAITING,
        most_bytes: int = MOST_WAITING_BYTES,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self.dropped = 0
        self._store = store
        self._scopes = scopes
        self._now = now
        self._most_waiting = most_waiting
        self._most_bytes = most_bytes
        self._retry_seconds = retry_seconds
        self._waiting: deque[_Waiting] = deque()
        self._writing: list[_Waiting] = []
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._rarely = Rarely(log)

    def keep(self, entry: Entry, vector: Vector | None, space: str, answer: bytes, model: str = "") -> None:
        """Have an answer found from now on, and write it when there is time; raise EntityTooLarge.

        `vector` is one made by `unit`, or None if there is none; `space` names what made it.
        """
        stored = None if vector is None else vector.astype("<f4").tobytes()
        record = Record(Kept(entry, stored, space), answer, model)
        self._store.check(record)
        gone = self._scopes.put(entry, vector, answer)
        item = _Waiting(record, [id for id in gone if id != entry.id])
        if len(self) >= self._most_waiting or self._bytes + item.size > self._most_bytes:
            self.dropped += 1
            self._rarely.warn("an answer is not kept in storage: %d are waiting to be written", len(self))
        elif entry.id not in gone:
            self._bytes += item.size
            self._waiting.append(item)
            self._start()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._writing)

    async def aclose(self, seconds: float = LAST_WRITE_SECONDS) -> None:
        """Write what waits, for at most so long; what is not written then is lost."""
        try:
            async with asyncio.timeout(seconds):
                while self._task is not None:
                    await asyncio.wait([self._task])
        except TimeoutError:
            log.warning("%d answers were not written to storage in time", len(self))
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._waiting:
                self._writing = [self._waiting.popleft() for _ in range(min(WRITES_AT_ONCE, len(self._waiting)))]
                written = await asyncio.gather(*(self._write(item) for item in self._writing))
                again = [item for item, is_done in zip(self._writing, written, strict=True) if not is_done]
                self._bytes -= sum(item.size for item, is_done in zip(self._writing, written, strict=True) if is_done)
                self._waiting.extendleft(reversed(again))
                self._writing = []
                if again:
                    await asyncio.sleep(self._retry_seconds)
        finally:
            self._task = None

    async def _write(self, item: _Waiting) -> bool:
        """Whether nothing is left to be done for it."""
        entry = item.record.kept.entry
        if entry.expires <= self._now():
            return True
        try:
            await self._store.write(item.record)
            if item.gone:
                await self._store.delete(entry.scope, item.gone)
        except StorageUnavailable as error:
            self._rarely.warn("answers cannot be written, and wait until they can be: %s", error)
            return False
        except EntityTooLarge as error:
            self._rarely.warn("an answer is not kept in storage: %s", error)
        except Exception as error:
            # Whatever it is, the answers behind this one are not to wait for it.
            self._rarely.warn("an answer is not kept in storage", error=error)
        return True
