"""What is over leaves the table, whoever still asks for it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.cache.sweeping import MOST_SCOPES, SWEEP_SECONDS, Sweeper
from gateway.errors import StorageUnavailable
from gateway.storage.cache import CacheStore
from gateway.storage.cache_rows import Kept, Record, ScopeRecord
from gateway.storage.tables import Tables
from tests.cache.entries import NOON, Day, entry


async def swept(sweeper: Sweeper) -> None:
    """Have it look, and wait until it is done."""
    sweeper.look()
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


async def test_expired_rows_of_all_scopes_go(tables: Tables) -> None:
    """Some scopes at a time, then from the start; a scope that is empty leaves the directory hours later."""
    day = Day()
    store = CacheStore(tables, day)
    for number in range(MOST_SCOPES + 2):
        await store.write(Record(Kept(entry("one", scope=f"{number:064x}", seconds=60)), b"answer"))
    await store.write(Record(Kept(entry("two", scope=f"{0:064x}", seconds=100_000)), b"answer"))
    sweeper = Sweeper(store, day)
    assert await sweeper.sweep() == 0
    day.time += 100
    assert [await sweeper.sweep() for _ in range(4)] == [2, 0, MOST_SCOPES, 0]
    day.time += 7_200
    assert [await sweeper.sweep() for _ in range(3)] == [0, 0, 0]
    assert [line.scope async for page in store.scopes() for line in page] == [f"{0:064x}"]


class Directory:
    """A directory that counts how often it is read."""

    def __init__(self, error: Exception | None = None) -> None:
        self.reads = 0
        self._error = error

    async def scopes(self) -> AsyncIterator[list[ScopeRecord]]:
        self.reads += 1
        if self._error is not None:
            raise self._error
        yield []

    async def delete_expired(self, scope: str) -> int:
        raise AssertionError("there is no scope")

    async def is_empty(self, scope: str) -> bool:
        raise AssertionError("there is no scope")

    async def leave(self, record: ScopeRecord) -> None:
        raise AssertionError("there is no scope")


@pytest.mark.parametrize("error", [None, StorageUnavailable("away"), RuntimeError("unforeseen")])
async def test_a_sweep_a_minute(error: Exception | None, caplog: pytest.LogCaptureFixture) -> None:
    """Whether it works out or not; a fault is in the log."""
    directory, day = Directory(error), Day(NOON)
    sweeper = Sweeper(directory, day)
    for _ in range(3):
        await swept(sweeper)
        await swept(sweeper)
        day.time += SWEEP_SECONDS
    assert directory.reads == 2
    assert bool(caplog.records) == bool(error)
    sweeper.look()
    await sweeper.aclose()
