"""What an operator sees and removes of the semantic cache. Prompts and answers are not shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from gateway.cache.entry import Entry
from gateway.storage.cache_rows import Kept, Page, ScopeRecord


class AnswersStore(Protocol):
    """Where answers are kept, as far as operators need it. Everything raises StorageUnavailable."""

    def scopes(self, api: str | None = None, subscription: str | None = None) -> AsyncIterator[list[ScopeRecord]]: ...

    def load(self, scope: str) -> AsyncIterator[Page]: ...

    async def entry(self, scope: str, id: str) -> Kept | None: ...

    async def remove(
        self, scope: str, *, before: float | None = None, subscription: str | None = None, id: str = ""
    ) -> int: ...


@dataclass(frozen=True, slots=True)
class ScopeState:
    """What one subscription's calls have left in one scope. Moments are seconds since 1970."""

    scope: ScopeRecord
    entries: int
    oldest: float | None
    newest: float | None


class CachedAnswers:
    """Reads and removes."""

    def __init__(self, store: AnswersStore) -> None:
        self._store = store

    async def scopes(self, api: str | None, subscription: str | None) -> AsyncIterator[ScopeState]:
        """Those of an API, of a subscription, or all."""
        async for page in self._store.scopes(api, subscription):
            for scope in page:
                entries = [entry async for entry in self._entries(scope.scope)]
                moments = [entry.created for entry in entries if entry.subscription == scope.subscription]
                yield ScopeState(scope, len(moments), min(moments, default=None), max(moments, default=None))

    async def entry(self, id: str) -> Entry | None:
        """The entry with an id, as `x-cache-id` says it, wherever it is."""
        async for page in self._store.scopes():
            for scope in page:
                kept = await self._store.entry(scope.scope, id)
                if kept is not None:
                    return kept.entry
        return None

    async def purge(self, api: str | None, subscription: str | None, before: float | None) -> int:
        """Remove what was kept before a moment, or everything; how many entries that were."""
        removed = 0
        async for page in self._store.scopes(api, subscription):
            for scope in page:
                removed += await self._store.remove(scope.scope, before=before, subscription=subscription)
        return removed

    async def remove(self, entry: Entry) -> None:
        """Remove one entry."""
        await self._store.remove(entry.scope, id=entry.id)

    async def _entries(self, scope: str) -> AsyncIterator[Entry]:
        async for page in self._store.load(scope):
            for kept in page.kept:
                yield kept.entry
