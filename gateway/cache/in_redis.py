"""Answers in Redis, for all instances together. Look-ups are asked of it; only what is being written is in memory."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.cache.entry import Entry, Match
from gateway.cache.following import State
from gateway.cache.rarely import Rarely
from gateway.cache.scope import Kind
from gateway.cache.writer import MOST_WAITING, Writer
from gateway.errors import StorageUnavailable
from gateway.storage.cache_rows import Record
from gateway.storage.redis_cache import NoQueryEngine, RedisCacheStore

if TYPE_CHECKING:
    from gateway.cache.axes import Vector

log = logging.getLogger("gateway.cache")

# While Redis is away nobody waits for it, but for one who looks again.
LOOK_AGAIN_SECONDS = 1.0
# Where nobody remembers what the policy said.
MOST_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What Redis has not heard of yet. It is found all the same."""

    entry: Entry
    answer: bytes
    max_entries: int


class InRedis:
    """`steady` is in seconds, of any kind; `now` the time of day, in seconds since 1970."""

    def __init__(
        self,
        store: RedisCacheStore,
        now: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._now = now
        self._steady = steady
        self._is_lost = False
        self._away_until = 0.0
        self._waiting: OrderedDict[tuple[str, bytes], _Waiting] = OrderedDict()
        self._writer = Writer(self, self, now)
        self._rarely = Rarely(log, steady)
        self._has_no_engine = Rarely(log, steady)
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, scope: str, kind: Kind) -> State:
        """Whether Redis can be asked. Comes before the questions."""
        return "unavailable" if self._steady() < self._away_until else "ready"

    async def same(self, scope: str, exact: bytes) -> Entry | None:
        """The entry of the same text."""
        waiting = self._waiting.get((scope, exact))
        if waiting is not None:
            if waiting.entry.expires > self._now():
                return waiting.entry
            del self._waiting[scope, exact]
        if not self._may_ask():
            return None
        try:
            kept = await self._store.same(scope, exact)
        except StorageUnavailable as error:
            self._is_away(error)
            return None
        self._is_lost, self._away_until = False, 0.0
        return kept.entry if kept is not None and kept.entry.expires > self._now() else None

    async def nearest(self, scope: str, vector: Vector, context: bytes, threshold: float, limit: int) -> list[Match]:
        """The nearest entries of a conversation at most `threshold` away, nearest first."""
        if not self._may_ask():
            return []
        try:
            found = await self._store.nearest(scope, context, vector.astype("<f4").tobytes(), threshold, limit)
        except NoQueryEngine:
            self._has_no_engine.warn("this Redis has no query engine: only the same text is answered from the cache")
            return []
        except StorageUnavailable as error:
            self._is_away(error)
            return []
        self._is_lost, self._away_until = False, 0.0
        return [match for match in found if match.entry.expires > self._now()]

    async def answer(self, entry: Entry) -> bytes | None:
        """What was answered; None if it is gone, or Redis is away."""
        waiting = self._waiting.get((entry.scope, entry.exact))
        if waiting is not None and waiting.entry.id == entry.id:
            return waiting.answer
        try:
            return await self._store.answer(entry.scope, entry.id)
        except StorageUnavailable as error:
            self._is_away(error)
            return None

    def keep(self, entry: Entry, vector: Vector | None, kind: Kind, answer: bytes, model: str) -> None:
        """Have an answer found from now on, and written in the background."""
        self._waiting[entry.scope, entry.exact] = _Waiting(entry, answer, kind.max_entries)
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popitem(last=False)
        self._writer.keep(entry, vector, kind.space, answer, model)

    def drop(self, entry: Entry) -> None:
        """Remove an entry, for its answer cannot be used."""
        task = asyncio.get_running_loop().create_task(self._drop(entry))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Write what waits, and close the connections."""
        await self._writer.aclose()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._store.aclose()

    # What the writer needs of a table, and of what is in memory.

    def check(self, record: Record) -> None:
        """Whatever is no longer than an answer that is kept has room in Redis."""

    async def write(self, record: Record) -> None:
        """Tell Redis. Raises StorageUnavailable."""
        entry = record.kept.entry
        waiting = self._waiting.get((entry.scope, entry.exact))
        await self._store.write(record, MOST_ENTRIES if waiting is None else waiting.max_entries)
        if waiting is not None and waiting.entry.id == entry.id:
            self._waiting.pop((entry.scope, entry.exact), None)

    def put(self, entry: Entry, vector: Vector | None, answer: bytes) -> list[str]:
        """Nothing is in memory, and so nothing has to leave it."""
        return []

    async def delete(self, scope: str, ids: Sequence[str]) -> None:
        """Remove entries. Raises StorageUnavailable."""
        await self._store.delete(scope, ids)

    def _may_ask(self) -> bool:
        """Whether a call may wait for Redis. While it is lost one does at a time, to see whether it is back."""
        moment = self._steady()
        if moment < self._away_until:
            return False
        if self._is_lost:
            self._away_until = moment + LOOK_AGAIN_SECONDS
        return True

    def _is_away(self, error: StorageUnavailable) -> None:
        self._is_lost = True
        self._away_until = self._steady() + LOOK_AGAIN_SECONDS
        self._rarely.warn("the cache in Redis is not asked for a moment: %s", error)

    async def _drop(self, entry: Entry) -> None:
        try:
            await self._store.delete(entry.scope, [entry.id])
        except StorageUnavailable as error:
            self._is_away(error)
