"""All scopes in memory: what is asked of the cache is asked here, and waits for storage only as long as it says.

Nothing here raises for storage that is away: then nothing is found that was not found before.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from gateway.cache import following
from gateway.cache.entry import Entry, Match
from gateway.cache.following import Following, State
from gateway.cache.rarely import Rarely
from gateway.cache.recent_answers import RecentAnswers
from gateway.cache.scope import Kind
from gateway.errors import StorageUnavailable

if TYPE_CHECKING:
    from gateway.cache.axes import Vector

log = logging.getLogger("gateway.cache")

# How long the first calls wait for a scope to be read, from when that began. It takes about 2 s for 10,000 entries.
WAIT_SECONDS = 0.25
FOLLOW_SECONDS = 5.0
MEGABYTE = 1024 * 1024


class Store(following.Store, Protocol):
    """The cache's table."""

    async def answer(self, scope: str, id: str) -> bytes | None: ...


class Scopes:
    """Scopes by their names, bounded to `memory_bytes`: the least recently used leave. Answers have bytes of their own.

    `now` is the time of day, in seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        now: Callable[[], float],
        *,
        memory_bytes: int = 256 * MEGABYTE,
        answer_bytes: int = 64 * MEGABYTE,
        follow_seconds: float = FOLLOW_SECONDS,
    ) -> None:
        self.bytes_held = 0
        self._store = store
        self._now = now
        self._memory_bytes = memory_bytes
        self._follow_seconds = follow_seconds
        self._answers = RecentAnswers(answer_bytes)
        self._held: OrderedDict[str, Following] = OrderedDict()
        self._rarely = Rarely(log)
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, scope: str, kind: Kind, wait_seconds: float = WAIT_SECONDS) -> State:
        """Have a scope in memory, and say whether it is all there; comes before the questions to it.

        A scope is read in the background. Who asks first waits a little, the others do not: until it is there they
        find what has been read so far.
        """
        held = self._held.get(scope)
        if held is None or held.is_stale(kind):
            held = self._begin(scope, kind)
        elif held.scope.kind != kind:
            held.scope.kind = kind
        self._held.move_to_end(scope)
        held.look()
        if not held.is_tried.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout_at(held.began + wait_seconds):
                    await held.is_tried.wait()
        return held.state

    def exact(self, scope: str, exact: bytes, now: float) -> Entry | None:
        """The entry of the same text."""
        held = self._held.get(scope)
        return None if held is None else held.scope.exact(exact, now)

    async def search(
        self, scope: str, vector: Vector, context: bytes, threshold: float, now: float, limit: int = 8
    ) -> list[Match]:
        """The nearest entries of a context at most `threshold` away, nearest first. `vector` is one made by `unit`."""
        held = self._held.get(scope)
        return [] if held is None else await held.scope.search(vector, context, threshold, now, limit)

    async def answer(self, entry: Entry) -> bytes | None:
        """What was answered; None if it is gone, or storage is away."""
        answer = self._answers.get(entry.id)
        if answer is not None:
            return answer
        try:
            answer = await self._store.answer(entry.scope, entry.id)
        except StorageUnavailable as error:
            self._rarely.warn("an answer of the cache cannot be read: %s", error)
            return None
        if answer is None:
            self._forget(entry)
        else:
            self._answers.put(entry.id, answer)
        return answer

    def put(self, entry: Entry, vector: Vector | None, answer: bytes) -> list[str]:
        """Have an entry found from now on; the ids of what has to go for it, here and in the table."""
        held = self._held.get(entry.scope)
        if held is None:
            return []
        # Its prompt is for people, who have it read.
        gone = held.scope.add(replace(entry, prompt=""), vector) + held.scope.trim()
        if entry.id in held.scope:
            self._answers.put(entry.id, answer)
        for id in gone:
            self._answers.forget(id)
        self._shrink(held)
        return gone

    def drop(self, entry: Entry) -> None:
        """Have an entry found no more, for its answer cannot be used; it leaves the table in the background."""
        self._forget(entry)
        self._start(self._store.delete(entry.scope, [entry.id]))

    async def aclose(self) -> None:
        """Stop all that goes on in the background."""
        for held in self._held.values():
            held.stop()
        tasks = {held.task for held in self._held.values() if held.task} | self._tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._held.clear()

    def _begin(self, scope: str, kind: Kind) -> Following:
        old = self._held.get(scope)
        if old is not None:
            self._let_go(old)
        held = self._held[scope] = Following(
            scope, kind, self._store, self._now, self._follow_seconds, self._rarely, self._shrink
        )
        self._shrink(held)
        return held

    def _shrink(self, held: Following) -> None:
        """Count what a scope has become, and have no more in memory than is allowed."""
        if self._held.get(held.name) is not held:
            return
        self._count(held)
        while self.bytes_held > self._memory_bytes and len(self._held) > 1:
            name = next(iter(self._held))
            if name == held.name:
                self._held.move_to_end(name)
                continue
            self._let_go(self._held[name])
        while held.scope.bytes_held > self._memory_bytes and len(held.scope):
            # From memory only: another instance may have room for it.
            self._answers.forget(held.scope.remove_oldest())
        self._count(held)

    def _count(self, held: Following) -> None:
        self.bytes_held += held.scope.bytes_held - held.counted
        held.counted = held.scope.bytes_held

    def _let_go(self, held: Following) -> None:
        held.stop()
        del self._held[held.name]
        self.bytes_held -= held.counted

    def _forget(self, entry: Entry) -> None:
        self._answers.forget(entry.id)
        held = self._held.get(entry.scope)
        if held is not None:
            held.scope.remove(entry.id)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        async def run() -> None:
            try:
                await work
            except StorageUnavailable as error:
                self._rarely.warn("an entry of the cache cannot be removed: %s", error)

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
