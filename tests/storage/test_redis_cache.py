"""The cache in Redis, against a real server with the query engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gateway.errors import StorageUnavailable
from gateway.storage.cache_rows import Kept, Record
from gateway.storage.redis_cache import NoQueryEngine, RedisCacheStore
from gateway.storage.redis_rows import entry_key
from tests.cache.entries import CONTEXT, SCOPE, entry
from tests.redis_server import PASSWORD, RedisServer, empty

OTHER = "b" * 64
EAST, NORTH = np.array([1, 0, 0, 0], "<f4").tobytes(), np.array([0, 1, 0, 0], "<f4").tobytes()
NORTH_EAST = np.array([0.8, 0.6, 0, 0], "<f4").tobytes()
MANY = 1_000


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisCacheStore]:
    """On an empty server, with the index in place, as it is where a question comes before its answer."""
    made = RedisCacheStore(redis_url)
    assert await made.nearest(SCOPE, CONTEXT, EAST, 2.0, 8) == []
    yield made
    await made.aclose()


def record(
    text: str, vector: bytes | None = EAST, *, age: float = 0.0, answer: bytes = b"answer", **more: Any
) -> Record:
    """An answer that was given so many seconds ago. Redis has its own clock, so it is really now."""
    return Record(Kept(entry(text, time.time() - age, **more), vector, "small/4"), answer, "gpt-4o")


async def texts(store: RedisCacheStore, scope: str = SCOPE) -> list[str]:
    """The texts of all that is kept in a scope, by their fingerprints."""
    return [kept.entry.fingerprint.decode() async for page in store.load(scope) for kept in page.kept]


async def near(store: RedisCacheStore, vector: bytes, threshold: float = 2.0, **where: Any) -> list[tuple[str, float]]:
    """Texts and distances."""
    place = {"scope": SCOPE, "context": CONTEXT, **where}
    found = await store.nearest(place["scope"], place["context"], vector, threshold, 8)
    return [(match.entry.fingerprint.decode(), round(match.distance, 4)) for match in found]


async def until(look: Callable[[], Awaitable[Any]], expected: Any) -> None:
    """Wait for something that the server does in the background."""
    async with asyncio.timeout(10):
        while await look() != expected:  # noqa: ASYNC110 - the server has no way to tell
            await asyncio.sleep(0.02)


async def test_what_is_written_is_found(store: RedisCacheStore) -> None:
    """By the same text, by its id, and in its scope, in the order of time, with its vector there only."""
    older, newer = record("one", age=5), record("two", None, answer=b"\x00\xff" * 1_000_000, prompt="zwei\n😀\ud800")
    await store.write(newer, MANY)
    await store.write(older, MANY)
    loaded = [kept async for page in store.load(SCOPE) for kept in page.kept]
    assert loaded[0] == older.kept
    assert (loaded[1].entry.id, loaded[1].vector) == (newer.kept.entry.id, None)
    assert await store.same(SCOPE, older.kept.entry.exact) == replace(older.kept, vector=None)
    assert await store.answer(SCOPE, newer.kept.entry.id) == newer.answer
    shown = await store.entry(SCOPE, newer.kept.entry.id)
    assert shown is not None
    assert shown.entry.prompt == "zwei\n😀?"


async def test_by_which_settings_an_answer_was_screened(store: RedisCacheStore) -> None:
    """It is said wherever the entry is; of what was kept before that was written, that nobody has screened it."""
    screened, before = record("one", EAST, stamp="ab12"), record("two", NORTH)
    await store.write(screened, MANY)
    await store.write(before, MANY)
    await store._redis().hdel(entry_key(SCOPE, before.kept.entry.id), "stamp")
    same = [await store.same(SCOPE, each.kept.entry.exact) for each in (screened, before)]
    assert [kept and kept.entry.stamp for kept in same] == ["ab12", ""]
    found = await store.nearest(SCOPE, CONTEXT, EAST, 2.0, 8)
    assert [match.entry.stamp for match in found] == ["ab12", ""]


async def test_what_is_not_there(store: RedisCacheStore) -> None:
    """Nothing was ever written, or not here."""
    await store.write(record("one"), MANY)
    assert await store.same(OTHER, record("one").kept.entry.exact) is None
    assert await store.same(SCOPE, b"x" * 16) is None
    assert await store.answer(SCOPE, "1" * 13 + "-" + "0" * 12) is None
    assert await store.entry(OTHER, record("one").kept.entry.id) is None
    assert await near(store, EAST, scope=OTHER) == []
    assert await texts(store, OTHER) == []


async def test_the_nearest_of_a_conversation(store: RedisCacheStore) -> None:
    """Nearest first, up to the threshold; never of another scope or conversation, nor of another length."""
    for text, vector in (("east", EAST), ("north", NORTH), ("both", NORTH_EAST)):
        await store.write(record(text, vector), MANY)
    await store.write(record("elsewhere", scope=OTHER), MANY)
    await store.write(record("another conversation", context=b"d" * 16), MANY)
    await store.write(record("of two numbers", np.array([1, 0], "<f4").tobytes()), MANY)
    await store.write(record("without a vector", None), MANY)
    assert await near(store, EAST) == [("east", 0.0), ("both", 0.2), ("north", 1.0)]
    assert await near(store, EAST, 0.5) == [("east", 0.0), ("both", 0.2)]
    assert await near(store, EAST, scope=OTHER) == [("elsewhere", 0.0)]
    await until(lambda: near(store, np.array([1, 0], "<f4").tobytes()), [("of two numbers", 0.0)])


async def test_an_index_finds_what_was_there_before_it(store: RedisCacheStore, redis_url: str) -> None:
    """The server indexes it in the background. Another instance finds the index there."""
    await empty(redis_url)
    await store.write(record("one"), MANY)
    other = RedisCacheStore(redis_url)
    await until(lambda: near(other, EAST), [("one", 0.0)])
    await other.aclose()


async def test_the_newer_one_of_a_text_stays(store: RedisCacheStore) -> None:
    """The older one leaves, answer and all."""
    older, newer = record("one", age=9), record("one")
    await store.write(older, MANY)
    await store.write(newer, MANY)
    assert await texts(store) == ["one"]
    assert await store.answer(SCOPE, older.kept.entry.id) is None
    assert await near(store, EAST) == [("one", 0.0)]


async def test_the_oldest_leave(store: RedisCacheStore) -> None:
    """Beyond the number that the policy allows."""
    for age, text in ((3, "one"), (2, "two"), (1, "three")):
        await store.write(record(text, age=age), 2)
    assert await texts(store) == ["two", "three"]


async def test_time_is_over(store: RedisCacheStore) -> None:
    """Then nothing is left of an entry, nor of its scope."""
    await store.write(record("short", seconds=2.0, scope=OTHER), MANY)
    assert await texts(store, OTHER) == ["short"]
    await until(lambda: texts(store, OTHER), [])
    assert await store.same(OTHER, record("short").kept.entry.exact) is None
    assert [line async for page in store.scopes() for line in page] == []


async def test_the_directory(store: RedisCacheStore) -> None:
    """A line for each scope and subscription, of an API, of a subscription, or all."""
    for text, more in (("a", {}), ("b", {"subscription": "team-b"}), ("c", {"scope": OTHER})):
        await store.write(record(text, **more), MANY)

    async def lines(**of: str) -> set[tuple[str, str]]:
        return {(line.scope, line.subscription) async for page in store.scopes(**of) for line in page}

    assert await lines() == {(SCOPE, "team-a"), (SCOPE, "team-b"), (OTHER, "team-a")}
    assert await lines(subscription="team-b") == {(SCOPE, "team-b")}
    assert await lines(api="openai") == await lines()
    assert await lines(api="other") == set()


@pytest.mark.parametrize(
    ("what", "left"),
    [
        ({}, []),
        ({"subscription": "team-b"}, ["old", "new"]),
        ({"before": 50.0}, ["hers", "new"]),
        ({"id": "old"}, ["hers", "new"]),
    ],
    ids=["all", "a subscription", "an age", "one"],
)
async def test_removals(store: RedisCacheStore, what: dict[str, Any], left: list[str]) -> None:
    """How many there were is said; they are not found any more by anything."""
    kept = {"old": record("old", age=100), "hers": record("hers", age=10, subscription="team-b"), "new": record("new")}
    for each in kept.values():
        await store.write(each, MANY)
    if "id" in what:
        what = {"id": kept[what["id"]].kept.entry.id}
    if "before" in what:
        what = {"before": time.time() - what["before"]}
    assert await store.remove(SCOPE, **what) == 3 - len(left)
    assert await texts(store) == left
    assert sorted(text for text, _ in await near(store, EAST)) == sorted(left)
    for text, each in kept.items():
        assert (await store.same(SCOPE, each.kept.entry.exact) is not None) == (text in left)


async def test_nonsense_is_not_there(store: RedisCacheStore, redis_url: str) -> None:
    """What somebody else wrote under our keys is no entry, and no error."""
    from redis.asyncio import Redis

    good, bad = record("good"), record("bad", age=1)
    for each in (good, bad):
        await store.write(each, MANY)
    redis = Redis.from_url(redis_url, protocol=2)
    await redis.hset(f"gateway:cache:entry:{SCOPE}:{bad.kept.entry.id}", "created", "noon")
    await redis.hset("gateway:cache:scopes", "line", "{")
    await redis.aclose()
    assert await texts(store) == ["good"]
    assert [text for text, _ in await near(store, EAST)] == ["good"]
    assert [line.scope async for page in store.scopes() for line in page] == [SCOPE]


async def test_a_server_that_was_emptied(store: RedisCacheStore, redis_url: str) -> None:
    """Its indexes are gone with the rest, and are made again."""
    await store.write(record("one"), MANY)
    assert await near(store, EAST) == [("one", 0.0)]
    await empty(redis_url)
    with pytest.raises(StorageUnavailable):
        await near(store, EAST)
    await store.write(record("two"), MANY)
    await until(lambda: near(store, EAST), [("two", 0.0)])


async def test_a_server_that_is_away() -> None:
    """It is said in our own words, in which there is no password."""
    server = RedisServer()
    store = RedisCacheStore(server.url)
    with pytest.raises(StorageUnavailable) as raised:
        await store.same(SCOPE, b"x" * 16)
    assert PASSWORD not in str(raised.value)
    assert raised.value.__cause__ is None
    await store.aclose()
    server.close()


async def test_a_wrong_password(redis_server: RedisServer) -> None:
    """The same."""
    store = RedisCacheStore(redis_server.url.replace(PASSWORD, "wrong"))
    with pytest.raises(StorageUnavailable):
        await store.same(SCOPE, b"x" * 16)
    await store.aclose()


async def test_a_server_without_the_engine() -> None:
    """Answers to the same text are kept; a search says what is missing."""
    with RedisServer(engine=False) as server:
        store = RedisCacheStore(server.url)
        one = record("one")
        await store.write(one, MANY)
        assert await store.same(SCOPE, one.kept.entry.exact) is not None
        with pytest.raises(NoQueryEngine):
            await near(store, EAST)
        await store.aclose()
