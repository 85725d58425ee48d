"""How a scope in memory comes to hold what is in the table: read once, then followed while it is in use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from importlib import import_module
from typing import Literal, Protocol

from gateway.cache.entry import first_id
from gateway.cache.rarely import Rarely
from gateway.cache.scope import Kind, Scope
from gateway.errors import StorageUnavailable
from gateway.storage.cache_rows import Kept, Page

# `unavailable`: storage could not be read; it is tried again.
State = Literal["loading", "ready", "unavailable"]

# Rows that others write get their keys when an answer is complete, are written a little later, and by other clocks.
OVERLAP_SECONDS = 10.0
# A scope that was not followed for so long may hold what was removed since: it is read anew.
STALE_SECONDS = 3_600.0


class Store(Protocol):
    """The cache's table, as far as reading a scope needs it."""

    def load(self, scope: str, after: str = "") -> AsyncIterator[Page]: ...

    async def delete(self, scope: str, ids: Sequence[str]) -> None: ...


class Following:
    """One scope, kept up with the table: at most one small query every `seconds`, and none while nobody asks."""

    def __init__(
        self,
        name: str,
        kind: Kind,
        store: Store,
        now: Callable[[], float],
        seconds: float,
        rarely: Rarely,
        grown: Callable[[Following], None],
    ) -> None:
        self.name = name
        self.scope = Scope(kind)
        self.state: State = "loading"
        self.task: asyncio.Task[None] | None = None
        self.is_tried = asyncio.Event()
        self.began = asyncio.get_running_loop().time()
        self.counted = 0
        self._store = store
        self._now = now
        self._seconds = seconds
        self._rarely = rarely
        self._grown = grown
        self._looked = now() - seconds
        self._followed = now()
        self._is_read = False
        self._after = ""

    def is_stale(self, kind: Kind) -> bool:
        """Whether it must be read anew: for another kind of vectors, or because it was not followed for an hour."""
        mine = self.scope.kind
        return (mine.space, mine.dimensions) != (kind.space, kind.dimensions) or (
            abs(self._now() - self._followed) > STALE_SECONDS and self._is_read
        )

    def look(self) -> None:
        """Begin to read what is new, in the background, if it is time to."""
        moment = self._now()
        if self.task is None and abs(moment - self._looked) >= self._seconds:
            self._looked = moment
            self.task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """Read no more."""
        if self.task is not None:
            self.task.cancel()

    async def _run(self) -> None:
        try:
            if self.scope.kind.space:
                # numpy takes a tenth of a second to be imported the first time.
                await asyncio.to_thread(import_module, "gateway.cache.matrix")
            gone = await self._read()
            self._is_over("ready")
            await self.scope.tune()
            if gone:
                await self._store.delete(self.name, gone)
        except StorageUnavailable as error:
            self._rarely.warn("the cache's table cannot be followed: %s", error)
        except Exception as error:
            # Whatever it is, a call is not to fail for it, and the next look may do better.
            self._rarely.warn("the cache's table cannot be followed", error=error)
        finally:
            self._is_over("ready" if self._is_read else "unavailable")
            self.task = None

    def _is_over(self, state: State) -> None:
        self.state = state
        self.is_tried.set()

    async def _read(self) -> list[str]:
        """Put in all that is new; the ids of rows that are of no use to anybody."""
        moment = self._now()
        after = first_id(self._followed - OVERLAP_SECONDS) if self._is_read else self._after
        gone: list[str] = []
        async for page in self._store.load(self.name, after):
            gone += self._take(page)
            oldest = self.scope.trim()
            if not self._is_read:
                # Later those have to go for a new one, and whoever wrote that removes them.
                gone += oldest
                # Should reading fail, it goes on from here.
                self._after = page.last or self._after
            self._grown(self)
        self._is_read, self._followed = True, moment
        return gone

    def _take(self, page: Page) -> list[str]:
        """Put in what a page has; the ids of rows that are of no use to anybody."""
        for removal in page.removals:
            self.scope.apply(removal)
        gone = list(page.unreadable)
        now = self._now()
        for kept in page.kept:
            if kept.entry.expires <= now:
                gone.append(kept.entry.id)
            elif kept.entry.id not in self.scope:
                gone += self._put(kept)
        if page.unreadable:
            self._rarely.warn("%d rows of the cache cannot be read, and are removed", len(page.unreadable))
        return gone

    def _put(self, kept: Kept) -> list[str]:
        kind = self.scope.kind
        if kept.vector is None or not kind.space:
            return self.scope.add(kept.entry, None)
        if kept.space != kind.space:
            return [kept.entry.id]
        from gateway.cache.matrix import unit

        try:
            vector = unit(kept.vector, kind.dimensions)
        except ValueError:
            return [kept.entry.id]
        return self.scope.add(kept.entry, vector)
