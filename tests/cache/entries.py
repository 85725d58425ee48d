"""Entries for tests of the cache, and a table that keeps rows in memory and can be away."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence

from gateway.cache.entry import Entry, new_id
from gateway.errors import StorageUnavailable
from gateway.storage.cache_rows import Page, Record, to_answer, to_entity, to_page
from gateway.storage.limits import check_entity

SCOPE = hashlib.sha256(b"scope").hexdigest()
CONTEXT = b"c" * 16
NOON = 1_795_435_200.0


class Day:
    """The time of day, which moves when told to."""

    def __init__(self, time: float = NOON) -> None:
        self.time = time

    def __call__(self) -> float:
        return self.time


def entry(
    text: str,
    moment: float = NOON,
    *,
    scope: str = SCOPE,
    context: bytes = CONTEXT,
    seconds: float = 3_600.0,
    subscription: str = "team-a",
    prompt: str = "",
    stamp: str = "",
) -> Entry:
    """An entry for a text, made at a moment."""
    return Entry(
        id=new_id(moment),
        scope=scope,
        context=context,
        exact=exact(text),
        fingerprint=text.encode(),
        created=moment,
        expires=moment + seconds,
        api="openai",
        subscription=subscription,
        prompt=prompt,
        stamp=stamp,
    )


def exact(text: str) -> bytes:
    """The hash of a text."""
    return hashlib.sha256(text.encode()).digest()[:16]


class MemoryStore:
    """The cache's table as a dictionary of rows. `is_away` has everything fail; `loads` are the keys read after."""

    def __init__(self, page_rows: int = 100) -> None:
        self.rows: dict[tuple[str, str], dict[str, object]] = {}
        self.loads: list[str] = []
        self.is_away = False
        self.was_asked_in_vain = asyncio.Event()
        self._page_rows = page_rows

    def check(self, record: Record) -> None:
        check_entity(to_entity(record))

    async def write(self, record: Record) -> None:
        self._be_there()
        self.rows[record.kept.entry.scope, record.kept.entry.id] = to_entity(record)

    async def load(self, scope: str, after: str = "") -> AsyncIterator[Page]:
        self.loads.append(after)
        keys = sorted(key for key in self.rows if key[0] == scope and key[1] > after)
        for start in range(0, max(1, len(keys)), self._page_rows):
            self._be_there()
            yield to_page([self.rows[key] for key in keys[start : start + self._page_rows]])

    async def answer(self, scope: str, id: str) -> bytes | None:
        self._be_there()
        row = self.rows.get((scope, id))
        return None if row is None else to_answer(row)

    async def delete(self, scope: str, ids: Sequence[str]) -> None:
        self._be_there()
        for id in ids:
            self.rows.pop((scope, id), None)

    def ids(self) -> set[str]:
        """The keys of all rows."""
        return {id for _, id in self.rows}

    def _be_there(self) -> None:
        if self.is_away:
            self.was_asked_in_vain.set()
            raise StorageUnavailable("away")
