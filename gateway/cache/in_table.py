"""Answers in Table Storage, with an instance's own copy of what it uses in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.cache.entry import Entry, Match
from gateway.cache.following import State
from gateway.cache.scope import Kind
from gateway.cache.scopes import Scopes
from gateway.cache.sweeping import Sweeper
from gateway.cache.writer import Writer
from gateway.storage.cache import CacheStore

if TYPE_CHECKING:
    from gateway.cache.axes import Vector


class InTable:
    """`now` is the time of day, in seconds since 1970."""

    def __init__(self, store: CacheStore, now: Callable[[], float], memory_bytes: int, answer_bytes: int) -> None:
        self.scopes = Scopes(store, now, memory_bytes=memory_bytes, answer_bytes=answer_bytes)
        self._now = now
        self._writer = Writer(store, self.scopes, now)
        self._sweeper = Sweeper(store, now)

    async def open(self, scope: str, kind: Kind) -> State:
        """Have a scope in memory, and say whether it is all there; comes before the questions to it."""
        self._sweeper.look()
        return await self.scopes.open(scope, kind)

    async def same(self, scope: str, exact: bytes) -> Entry | None:
        """The entry of the same text."""
        return self.scopes.exact(scope, exact, self._now())

    async def nearest(self, scope: str, vector: Vector, context: bytes, threshold: float, limit: int) -> list[Match]:
        """The nearest entries of a conversation at most `threshold` away, nearest first."""
        return await self.scopes.search(scope, vector, context, threshold, self._now(), limit)

    async def answer(self, entry: Entry) -> bytes | None:
        """What was answered; None if it is gone, or storage is away."""
        return await self.scopes.answer(entry)

    def keep(self, entry: Entry, vector: Vector | None, kind: Kind, answer: bytes, model: str) -> None:
        """Have an answer found from now on, and written in the background; raise EntityTooLarge."""
        self._writer.keep(entry, vector, kind.space, answer, model)

    def drop(self, entry: Entry) -> None:
        """Have an entry found no more, for its answer cannot be used."""
        self.scopes.drop(entry)

    async def aclose(self) -> None:
        """Write what waits, and stop everything."""
        await self._sweeper.aclose()
        await self._writer.aclose()
        await self.scopes.aclose()
