"""The cache's table, against Azurite."""

import asyncio
import os
from typing import Any

import numpy as np
import pytest

from gateway.cache.entry import new_id
from gateway.storage.cache import CacheStore
from gateway.storage.cache_rows import DIRECTORY, Kept, Page, Record
from gateway.storage.limits import EntityTooLarge
from gateway.storage.tables import Put, Tables
from tests.cache.entries import NOON, SCOPE, Day, entry

VECTOR = np.arange(1, 513, dtype="<f4").tobytes()
OTHER = "b" * 64


def record(text: str, moment: float = NOON, answer: bytes = b"answer", **details: Any) -> Record:
    """What there is to write of an answer to a text."""
    return Record(Kept(entry(text, moment, **details), VECTOR, "small/512"), answer, "gpt-4o")


async def rows(store: CacheStore, after: str = "", scope: str = SCOPE) -> Page:
    """All that is kept in a scope."""
    pages = [page async for page in store.load(scope, after)]
    return Page(
        tuple(kept for page in pages for kept in page.kept),
        tuple(removal for page in pages for removal in page.removals),
        tuple(key for page in pages for key in page.unreadable),
    )


async def test_what_is_written_is_loaded_in_the_order_of_time(tables: Tables) -> None:
    """With the vector and without answer and prompt, which are read by themselves."""
    store = CacheStore(tables, Day())
    later = record("two", NOON + 1, prompt="zwei\n😀\ud800", stamp="ab12")
    sooner = Record(Kept(entry("one")), b"", "")
    await store.write(later)
    await store.write(sooner)
    page = await rows(store)
    assert [kept.entry.id for kept in page.kept] == [sooner.kept.entry.id, later.kept.entry.id]
    assert page.kept[0] == sooner.kept
    assert (page.kept[1].vector, page.kept[1].space, page.kept[1].entry.prompt) == (VECTOR, "small/512", "")
    assert [kept.entry.stamp for kept in page.kept] == ["", "ab12"]
    assert await store.answer(SCOPE, sooner.kept.entry.id) == b""
    shown = await store.entry(SCOPE, later.kept.entry.id)
    assert shown is not None
    assert shown.entry.prompt == "zwei\n😀?"
    assert await rows(store, scope=OTHER) == Page()


async def test_nothing_was_ever_written(tables: Tables) -> None:
    """The table need not exist."""
    store = CacheStore(tables, Day())
    assert await rows(store) == Page()
    assert await store.answer(SCOPE, new_id(NOON)) is None
    assert await store.entry(SCOPE, new_id(NOON)) is None
    assert await store.delete_expired(SCOPE) == 0
    assert await store.is_empty(SCOPE)
    await store.delete(SCOPE, [new_id(NOON)])
    assert [page async for page in store.scopes()] == []


async def test_a_large_answer_is_split(tables: Tables) -> None:
    """Up to what Azurite and Azure take in an entity."""
    store = CacheStore(tables, Day())
    large = record("one", answer=os.urandom(760_000))
    await store.write(large)
    assert await store.answer(SCOPE, large.kept.entry.id) == large.answer
    for size in (800_000, 2_000_000):
        too_large = record("two", answer=bytes(size))
        with pytest.raises(EntityTooLarge):
            store.check(too_large)
        with pytest.raises(EntityTooLarge):
            await store.write(too_large)


async def test_rows_after_a_key(tables: Tables) -> None:
    """One small query for what is new."""
    store = CacheStore(tables, Day())
    records = [record(str(number), NOON + number) for number in range(5)]
    for each in records:
        await store.write(each)
    before = tables.operations
    page = await rows(store, after=records[2].kept.entry.id)
    assert [kept.entry.id for kept in page.kept] == [each.kept.entry.id for each in records[3:]]
    assert tables.operations - before == 1


async def test_more_rows_than_a_page_are_all_loaded(tables: Tables) -> None:
    """Page by page, each a call of its own."""
    store = CacheStore(tables, Day())
    await asyncio.gather(*(store.write(record(str(number), NOON + number)) for number in range(205)))
    pages = [page async for page in store.load(SCOPE)]
    assert [len(page.kept) for page in pages] == [100, 100, 5]
    assert [page.last for page in pages] == [page.kept[-1].entry.id for page in pages]


CORRUPT: dict[str, dict[str, Any]] = {
    "a hash is too short": {"context": b"short"},
    "a hash is text": {"exact": "text"},
    "a time is text": {"expires": "tomorrow"},
    "a time is out of all bounds": {"created": 1e300},
    "the vector is text": {"vector": "0.1, 0.2"},
    "the space is a number": {"space": 512},
    "a removal without its bound": {"removes": "*"},
    "a removal of a number": {"removes": 7},
}


@pytest.mark.parametrize("wrong", CORRUPT.values(), ids=CORRUPT.keys())
async def test_a_corrupt_row_is_said_to_be_one(tables: Tables, wrong: dict[str, Any]) -> None:
    """And the others are loaded."""
    store = CacheStore(tables, Day())
    bad, good = record("bad"), record("good", NOON + 1)
    await store.write(bad)
    await store.write(good)
    row = dict((await tables.table("gatewaycache").get(SCOPE, bad.kept.entry.id)).values)
    await tables.table("gatewaycache").put(Put({**row, **wrong}))
    page = await rows(store)
    assert page.unreadable == (bad.kept.entry.id,)
    assert [kept.entry.id for kept in page.kept] == [good.kept.entry.id]


async def test_rows_that_are_something_else_entirely(tables: Tables) -> None:
    """A key that is no id, and a row with nothing in it."""
    table = tables.table("gatewaycache")
    await table.put(Put({"PartitionKey": SCOPE, "RowKey": "x"}))
    await table.put(Put({"PartitionKey": SCOPE, "RowKey": new_id(NOON)}))
    store = CacheStore(tables, Day())
    unreadable = list((await rows(store)).unreadable)
    assert len(unreadable) == 2
    await store.delete(SCOPE, unreadable)
    assert await rows(store) == Page()


async def test_an_answer_that_cannot_be_read_is_removed(tables: Tables) -> None:
    """It would be of no use the next time either."""
    store = CacheStore(tables, Day())
    one = record("one")
    await store.write(one)
    row = dict((await tables.table("gatewaycache").get(SCOPE, one.kept.entry.id)).values)
    await tables.table("gatewaycache").put(Put({**row, "answer00": "text"}))
    assert await store.answer(SCOPE, one.kept.entry.id) is None
    assert await rows(store) == Page()


async def test_deleting_what_another_has_deleted(tables: Tables) -> None:
    """The others of the same hundred go all the same."""
    store = CacheStore(tables, Day())
    ids = []
    for number in range(5):
        await store.write(record(str(number), NOON + number))
    ids = [kept.entry.id for kept in (await rows(store)).kept]
    await store.delete(SCOPE, ids[1:2])
    await store.delete(SCOPE, ids)
    assert await rows(store) == Page()


async def test_expired_rows_are_deleted_a_page_at_a_time(tables: Tables) -> None:
    """What still has time stays."""
    day = Day()
    store = CacheStore(tables, day)
    await asyncio.gather(*(store.write(record(str(number), NOON + number / 100, seconds=10)) for number in range(130)))
    await store.write(record("stays", NOON, seconds=100))
    assert await store.delete_expired(SCOPE) == 0
    day.time = NOON + 20
    assert [await store.delete_expired(SCOPE) for _ in range(3)] == [100, 30, 0]
    assert len((await rows(store)).kept) == 1


async def test_two_writers_of_the_same_answer(tables: Tables) -> None:
    """Both rows are there: whoever loads them takes the newer one."""
    stores = [CacheStore(tables, Day()) for _ in range(2)]
    await asyncio.gather(*(store.write(record("same")) for store in stores))
    assert len((await rows(stores[0])).kept) == 2


async def test_the_directory_of_scopes(tables: Tables) -> None:
    """By API and by subscription, each pair of scope and subscription once, however often they are written."""
    day = Day()
    store = CacheStore(tables, day)
    await store.write(record("one"))
    before = tables.operations
    await store.write(record("two"))
    assert tables.operations - before == 1
    await store.write(record("one", subscription="team/b?"))
    await store.write(record("one", scope=OTHER))

    async def found(**wanted: str) -> list[tuple[str, str]]:
        return sorted([(each.scope, each.subscription) async for page in store.scopes(**wanted) for each in page])

    pairs = [(SCOPE, "team-a"), (SCOPE, "team/b?"), (OTHER, "team-a")]
    assert await found() == sorted(pairs)
    assert await found(api="openai") == sorted(pairs)
    assert await found(api="other") == []
    assert await found(subscription="team/b?") == [(SCOPE, "team/b?")]
    assert await found(api="openai", subscription="team-a") == sorted([(SCOPE, "team-a"), (OTHER, "team-a")])
    day.time += 3_700
    await store.write(record("three", day.time))
    records = [each async for page in store.scopes() for each in page]
    assert sorted(each.written for each in records) == [NOON, NOON, day.time]
    assert {each.model for each in records} == {"gpt-4o"}


async def test_an_empty_scope_leaves_the_directory(tables: Tables) -> None:
    """Not while an instance may be writing into it without entering it again."""
    day = Day()
    store = CacheStore(tables, day)
    await store.write(record("one"))
    await tables.table("gatewaycache").put(Put({"PartitionKey": DIRECTORY, "RowKey": "corrupt"}))
    assert not await store.is_empty(SCOPE)
    ((line,),) = [page async for page in store.scopes()]
    await store.leave(line)
    assert [len(page) async for page in store.scopes()] == [1]
    day.time += 7_201
    await store.leave(line)
    assert [len(page) async for page in store.scopes()] == [0]


async def test_removing_leaves_word_of_it(tables: Tables) -> None:
    """One entry, those of a subscription, those made before a moment, all: and each says what it covers."""
    day = Day(NOON + 100)
    store = CacheStore(tables, day)
    old, mine, other, last = (
        record("old", NOON),
        record("mine", NOON + 50),
        record("other", NOON + 60, subscription="team-b"),
        record("last", NOON + 70),
    )
    for each in (old, mine, other, last):
        await store.write(each)

    async def left() -> list[str]:
        return [kept.entry.fingerprint.decode() for kept in (await rows(store)).kept]

    assert await store.remove(SCOPE, id=last.kept.entry.id) == 1
    assert await left() == ["old", "mine", "other"]
    assert await store.remove(SCOPE, before=NOON + 10) == 1
    assert await left() == ["mine", "other"]
    day.time += 1
    assert await store.remove(SCOPE, subscription="team-b") == 1
    assert await left() == ["mine"]
    day.time += 1
    assert await store.remove(SCOPE) == 1
    page = await rows(store)
    assert page.kept == ()
    assert len(page.removals) == 4
    everything = page.removals[-1]
    assert everything.covers(mine.kept.entry)
    assert not everything.covers(entry("new", day.time + 10))


async def test_what_a_removal_covers(tables: Tables) -> None:
    """As it is read back from the table."""
    store = CacheStore(tables, Day(NOON + 100))
    await store.remove(SCOPE, before=NOON + 10, subscription="team-a")
    (removal,) = (await rows(store)).removals
    assert removal.covers(entry("a", NOON))
    assert not removal.covers(entry("a", NOON + 20))
    assert not removal.covers(entry("a", NOON, subscription="team-b"))
