"""Rows whose time is over leave the table, also those of scopes that nobody asks for any more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from gateway.cache.rarely import Rarely
from gateway.errors import StorageUnavailable
from gateway.storage.cache_rows import ScopeRecord

log = logging.getLogger("gateway.cache")

SWEEP_SECONDS = 60.0
# Scopes that one sweep looks at, each with a query, and pages of rows that it removes from each.
MOST_SCOPES = 10
MOST_PAGES = 5


class Store(Protocol):
    """The cache's table."""

    def scopes(self) -> AsyncIterator[list[ScopeRecord]]: ...

    async def delete_expired(self, scope: str) -> int: ...

    async def is_empty(self, scope: str) -> bool: ...

    async def leave(self, record: ScopeRecord) -> None: ...


class Sweeper:
    """Goes through the directory of scopes, some every minute while there are calls, again and again.

    `now` is in seconds, of any kind.
    """

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._swept = now()
        self._ahead: list[ScopeRecord] = []
        self._pages: AsyncIterator[list[ScopeRecord]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._rarely = Rarely(log)

    def look(self) -> None:
        """Begin to sweep in the background, if it is time to."""
        if self._task is None and abs(self._now() - self._swept) >= SWEEP_SECONDS:
            self._swept = self._now()
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def sweep(self) -> int:
        """Look at the next scopes; how many rows were removed."""
        removed = 0
        for record in await self._next():
            for _ in range(MOST_PAGES):
                count = await self._store.delete_expired(record.scope)
                removed += count
                if not count:
                    break
            if await self._store.is_empty(record.scope):
                await self._store.leave(record)
        return removed

    async def _next(self) -> list[ScopeRecord]:
        if not self._ahead:
            self._pages = self._pages or self._store.scopes()
            self._ahead = await anext(self._pages, [])
            if not self._ahead:
                self._pages = None
        some, self._ahead = self._ahead[:MOST_SCOPES], self._ahead[MOST_SCOPES:]
        return some

    async def _run(self) -> None:
        try:
            await self.sweep()
        except StorageUnavailable as error:
            self._pages = None
            self._rarely.warn("the cache's table cannot be swept: %s", error)
        except Exception as error:
            # Whatever it is, the next sweep begins anew.
            self._pages = None
            self._rarely.warn("the cache's table cannot be swept", error=error)
        finally:
            self._task = None
