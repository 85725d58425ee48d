"""What an instance makes of Redis: nothing is waited for twice, and nothing fails for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from gateway.cache.in_redis import LOOK_AGAIN_SECONDS, InRedis
from gateway.cache.scope import Kind
from gateway.storage.redis_cache import MOST_CONNECTIONS, RedisCacheStore
from tests.cache.entries import CONTEXT, SCOPE, Day, entry, exact
from tests.redis_server import PASSWORD, RedisServer

KIND = Kind("small/2", 2, 100)
EAST = np.array([1, 0], np.float32)


@asynccontextmanager
async def instance(url: str) -> AsyncIterator[InRedis]:
    """One, closed in the end."""
    made = InRedis(RedisCacheStore(url))
    try:
        yield made
    finally:
        await made.aclose()


async def found(held: InRedis, text: str) -> bytes | None:
    """The answer to the same text."""
    await held.open(SCOPE, KIND)
    match = await held.same(SCOPE, exact(text))
    return None if match is None else await held.answer(match)


async def by_meaning(held: InRedis) -> list[str]:
    """The texts of what is near."""
    return [match.entry.fingerprint.decode() for match in await held.nearest(SCOPE, EAST, CONTEXT, 0.5, 8)]


async def test_what_one_keeps_all_find(redis_url: str) -> None:
    """The one that keeps it at once, the others when it is written."""
    async with instance(redis_url) as one, instance(redis_url) as other:
        one.keep(entry("egg", time.time()), EAST, KIND, b"boil it", "gpt-4o")
        assert await found(one, "egg") == b"boil it"
        async with asyncio.timeout(10):
            while await found(other, "egg") != b"boil it":  # noqa: ASYNC110 - the other instance cannot tell
                await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            while await by_meaning(other) != ["egg"]:  # noqa: ASYNC110 - the server indexes it in the background
                await asyncio.sleep(0.01)
        (match,) = await other.nearest(SCOPE, EAST, CONTEXT, 0.5, 8)
        other.drop(match.entry)
        async with asyncio.timeout(10):
            while await found(one, "egg") is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_what_waits_is_written_at_the_end(redis_url: str) -> None:
    """As with the table."""
    async with instance(redis_url) as one:
        for number in range(50):
            one.keep(entry(str(number), time.time()), EAST, KIND, b"answer", "")
    async with instance(redis_url) as other:
        assert [await found(other, str(number)) for number in range(50)] == [b"answer"] * 50


async def test_redis_goes_away_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    """All is a miss meanwhile, for which next to nobody waits; what was to be kept meanwhile is kept later."""
    with RedisServer() as server:
        await goes_away_and_comes_back(server)
    assert "the cache in Redis is not asked for a moment" in caplog.text
    assert PASSWORD not in caplog.text


async def goes_away_and_comes_back(server: RedisServer) -> None:
    async with instance(server.url) as held:
        assert await by_meaning(held) == []
        held.keep(entry("before", time.time()), EAST, KIND, b"answer", "")
        async with asyncio.timeout(10):
            while await by_meaning(held) != ["before"]:  # noqa: ASYNC110 - it is written in the background
                await asyncio.sleep(0.01)
        server.stop()
        assert await by_meaning(held) == []
        assert await held.open(SCOPE, KIND) == "unavailable"
        began = time.monotonic()
        assert [await found(held, "before") for _ in range(100)] == [None] * 100
        assert time.monotonic() - began < LOOK_AGAIN_SECONDS
        held.keep(entry("meanwhile", time.time()), EAST, KIND, b"answer", "")
        assert await found(held, "meanwhile") == b"answer"
        server.start()
        async with asyncio.timeout(30):
            while await by_meaning(held) != ["meanwhile"]:  # noqa: ASYNC110 - it is written in the background
                await asyncio.sleep(0.05)


async def test_without_the_engine(caplog: pytest.LogCaptureFixture) -> None:
    """The same text is answered; once a minute the log says what is missing."""
    with RedisServer(engine=False) as server:
        async with instance(server.url) as held:
            held.keep(entry("egg", time.time()), EAST, KIND, b"boil it", "")
            assert await by_meaning(held) == await by_meaning(held) == []
            assert await found(held, "egg") == b"boil it"
    assert caplog.text.count("has no query engine") == 1


async def test_more_calls_than_connections(redis_url: str) -> None:
    """They wait for each other. That is no outage."""
    async with instance(redis_url) as one, instance(redis_url) as other:
        one.keep(entry("egg", time.time()), EAST, KIND, b"boil it", "")
        async with asyncio.timeout(10):
            while await found(other, "egg") is None:  # noqa: ASYNC110 - it is written in the background
                await asyncio.sleep(0.01)
        matches = await asyncio.gather(*(other.same(SCOPE, exact("egg")) for _ in range(5 * MOST_CONNECTIONS)))
        assert None not in matches
        assert await other.open(SCOPE, KIND) == "ready"


async def test_one_at_a_time_looks_again() -> None:
    """While Redis is lost, and when the time has come to look again, all others miss at once."""
    moment = [0.0]
    with RedisServer() as server:
        held = InRedis(RedisCacheStore(server.url), steady=lambda: moment[0])
        assert await held.same(SCOPE, exact("egg")) is None
        server.freeze()
        assert await held.same(SCOPE, exact("egg")) is None
        assert await held.open(SCOPE, KIND) == "unavailable"
        moment[0] += LOOK_AGAIN_SECONDS
        looking = asyncio.create_task(held.same(SCOPE, exact("egg")))
        await asyncio.sleep(0)
        for _ in range(10):
            began = time.monotonic()
            assert await held.same(SCOPE, exact("egg")) is None
            assert await held.nearest(SCOPE, EAST, CONTEXT, 0.5, 8) == []
            assert time.monotonic() - began < 0.2
        assert not looking.done()
        await looking
        server.thaw()
        moment[0] += LOOK_AGAIN_SECONDS
        assert await held.same(SCOPE, exact("egg")) is None
        assert await held.open(SCOPE, KIND) == "ready"
        await held.aclose()


async def test_what_was_over_before_it_was_written() -> None:
    """It does not stand before what others have kept since."""
    day = Day(time.time())
    with RedisServer() as server:
        held, other = InRedis(RedisCacheStore(server.url), day), InRedis(RedisCacheStore(server.url))
        assert await held.same(SCOPE, exact("egg")) is None
        server.stop()
        held.keep(entry("egg", day(), seconds=5), EAST, KIND, b"old", "")
        day.time += 6
        server.start()
        other.keep(entry("egg", time.time()), EAST, KIND, b"new", "")
        async with asyncio.timeout(30):
            while await found(held, "egg") != b"new":  # noqa: ASYNC110 - it is written in the background
                await asyncio.sleep(0.02)
        for each in (held, other):
            await each.aclose()
