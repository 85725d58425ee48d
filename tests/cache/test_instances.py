"""Several instances share a scope through Table Storage, against Azurite."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.cache.matrix import unit
from gateway.cache.scope import Kind
from gateway.cache.scopes import Scopes
from gateway.cache.writer import Writer
from gateway.settings import Settings
from gateway.storage.cache import CacheStore
from gateway.storage.tables import Tables
from local.azurite import Azurite
from tests.cache.entries import CONTEXT, SCOPE, Day, entry, exact

KIND = Kind("small/2", 2, 100)
EAST = unit([1.0, 0.0], 2)


class Instance:
    """What one instance has of the cache, with a clock of its own."""

    def __init__(self, tables: Tables, day: Day) -> None:
        self.day = day
        self.store = CacheStore(tables, day)
        self.scopes = Scopes(self.store, day)
        self.writer = Writer(self.store, self.scopes, day, retry_seconds=0.05)

    async def keep(self, text: str, answer: bytes = b"answer") -> None:
        """Keep an answer made now, by this clock."""
        await self.scopes.open(SCOPE, KIND)
        self.writer.keep(entry(text, self.day()), EAST, KIND.space, answer)

    async def found(self) -> set[str]:
        """The texts of all that is found by meaning."""
        await self.scopes.open(SCOPE, KIND, wait_seconds=5.0)
        matches = await self.scopes.search(SCOPE, EAST, CONTEXT, 0.1, self.day(), 100)
        return {match.entry.fingerprint.decode() for match in matches}

    async def aclose(self) -> None:
        """End it."""
        await self.writer.aclose()
        await self.scopes.aclose()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that happens in the background."""
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 - an instance does it, and has no way to tell
            await asyncio.sleep(0.02)


async def test_what_one_keeps_the_other_serves(tables: Tables) -> None:
    """Though their clocks are three seconds apart, either way; also the same text from both at once."""
    ahead, behind = Instance(tables, Day()), Instance(tables, Day())
    behind.day.time -= 3
    await ahead.scopes.open(SCOPE, KIND)
    await behind.scopes.open(SCOPE, KIND)
    await asyncio.gather(ahead.keep("hers"), behind.keep("his"), ahead.keep("same"), behind.keep("same"))
    await ahead.writer.aclose()
    await behind.writer.aclose()
    for instance in (ahead, behind):
        instance.day.time += 5

        async def has_all(instance: Instance = instance) -> bool:
            return await instance.found() == {"hers", "his", "same"}

        await until(has_all)
    kept = [each.scopes.exact(SCOPE, exact("same"), each.day()) for each in (ahead, behind)]
    assert kept[0] == kept[1]
    assert kept[0] is not None
    assert await behind.scopes.answer(kept[0]) == b"answer"

    async def is_single() -> bool:
        return sum([len(page.kept) async for page in ahead.store.load(SCOPE)]) == 3

    await until(is_single)
    await ahead.aclose()
    await behind.aclose()


async def test_a_purge_reaches_other_instances(tables: Tables) -> None:
    """With their next look, though they hold entry and answer in memory."""
    one, other = Instance(tables, Day()), Instance(tables, Day())
    await one.keep("one")
    await one.keep("two")
    await one.writer.aclose()
    assert await other.found() == {"one", "two"}
    other.day.time += 20
    one.day.time += 20
    assert await CacheStore(tables, one.day).remove(SCOPE, subscription="team-a") == 2

    async def is_gone(instance: Instance) -> bool:
        instance.day.time += 5
        return await instance.found() == set()

    await until(lambda: is_gone(one))
    await until(lambda: is_gone(other))
    await one.aclose()
    await other.aclose()


async def test_the_table_goes_away_and_comes_back(tmp_path: Path) -> None:
    """Meanwhile what is in memory is served, and the rest is a miss; then both catch up, with what waited too."""
    azurite = Azurite(tmp_path)
    azurite.start()
    tables = Tables(Settings(tables=azurite.connection_string))
    day = Day()
    one, other = Instance(tables, day), Instance(tables, day)
    await one.keep("before")
    await one.writer.aclose()
    assert await other.found() == {"before"}
    azurite.stop()
    day.time += 6
    await one.keep("meanwhile")
    assert await one.found() == {"before", "meanwhile"}
    assert await other.found() == {"before"}
    late = Instance(tables, day)
    assert await late.scopes.open(SCOPE, KIND, wait_seconds=10.0) == "unavailable"
    assert await late.found() == set()
    with azurite:
        for instance in (other, late):

            async def caught_up(instance: Instance = instance) -> bool:
                day.time += 1
                return await instance.found() == {"before", "meanwhile"}

            await until(caught_up)
        for instance in (one, other, late):
            await instance.aclose()
        await tables.aclose()
