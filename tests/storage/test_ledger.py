"""The ledger's table, against Azurite: one row a counter, changed by compare-and-swap."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.errors import StorageUnavailable
from gateway.ledger.meters import Calendar, Meter, Sliding
from gateway.ledger.record import WRITERS_REMEMBERED, Record
from gateway.ledger.store import Written
from gateway.settings import Settings
from gateway.storage.ledger import TABLE, LedgerStore, partition_of
from gateway.storage.limits import LONGEST_KEY, EntityTooLarge
from gateway.storage.tables import Conflict, PreconditionFailed, Tables
from local.azurite import free_port

KEY = "subscription:team-a"


async def test_a_record_that_is_not_there(tables: Tables) -> None:
    """None, whether the table is missing or only the row; looking makes neither."""
    store = LedgerStore(tables)
    assert await store.read(KEY) is None
    assert [page async for page in store.pages()] == []
    await store.write("another", "text", None)
    assert await store.read(KEY) is None


async def test_created_read_and_updated(tables: Tables) -> None:
    """Each write makes a version of its own, which the next read has too."""
    store = LedgerStore(tables)
    first = await store.write(KEY, "one", None)
    read = await store.read(KEY)
    assert read is not None
    assert (read.text, read.etag) == ("one", first.etag)
    second = await store.write(KEY, "two", first.etag)
    read = await store.read(KEY)
    assert read is not None
    assert (read.text, read.etag) == ("two", second.etag)
    assert first.etag != second.etag


async def test_who_comes_second_writes_nothing(tables: Tables) -> None:
    """Neither over a row that was new, nor over a version that another has replaced, nor where there is no row."""
    store = LedgerStore(tables)
    first = await store.write(KEY, "one", None)
    with pytest.raises(Conflict):
        await store.write(KEY, "new as well", None)
    await store.write(KEY, "two", first.etag)
    with pytest.raises(PreconditionFailed):
        await store.write(KEY, "from the first version", first.etag)
    with pytest.raises(PreconditionFailed):
        await store.write("nobody's", "an update of nothing", first.etag)
    read = await store.read(KEY)
    assert read is not None
    assert read.text == "two"


async def test_a_table_that_was_removed(tables: Tables) -> None:
    """An update says that its version is gone; the write of a new row makes the table again."""
    store = LedgerStore(tables)
    first = await store.write(KEY, "one", None)
    await tables.send(TABLE, lambda client: client.delete_table())
    with pytest.raises(PreconditionFailed):
        await store.write(KEY, "two", first.etag)
    assert await store.read(KEY) is None
    await store.write(KEY, "again", None)


async def test_one_of_many_writers(tables: Tables) -> None:
    """At once, of the same version, and of a row and a table that are not there: one is let through."""
    store = LedgerStore(tables)
    for etag in (None, "the version"):
        read = await store.read(KEY)
        version = read.etag if etag and read else None
        writes = (store.write(KEY, f"writer {number}", version) for number in range(20))
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        (winner,) = [place for place, outcome in enumerate(outcomes) if isinstance(outcome, Written)]
        assert sum(isinstance(outcome, Conflict | PreconditionFailed) for outcome in outcomes) == 19
        read = await store.read(KEY)
        assert read is not None
        assert read.text == f"writer {winner}"


async def test_answers_tell_the_time(tables: Tables) -> None:
    """The second in which storage made them, of reads and of writes."""
    store = LedgerStore(tables)
    began = time.time()
    written = await store.write(KEY, "one", None)
    read = await store.read(KEY)
    ended = time.time()
    assert read is not None
    for bounds in (written.time, read.time):
        assert bounds is not None
        assert bounds.latest - bounds.earliest == 1
        assert bounds.earliest <= ended
        assert bounds.latest >= began


async def _hang_up_later(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take everything, say nothing, until the other side has gone."""
    await reader.read()
    writer.close()


async def test_an_outcome_that_nobody_hears_of() -> None:
    """No connection and no answer in time are StorageUnavailable: the write may have arrived."""
    with_nobody = f"TableEndpoint=http://127.0.0.1:{free_port()}/a;AccountName=a;AccountKey=YQ=="
    silent = await asyncio.start_server(_hang_up_later, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    silent_one = f"TableEndpoint=http://127.0.0.1:{port}/a;AccountName=a;AccountKey=YQ=="
    for location in (with_nobody, silent_one):
        away = Tables(Settings(tables=location), call_seconds=0.5)
        store = LedgerStore(away)
        with pytest.raises(StorageUnavailable):
            await store.read(KEY)
        for etag in (None, 'W/"version"'):
            with pytest.raises(StorageUnavailable):
                await store.write(KEY, "text", etag)
        await away.aclose()
    silent.close()


KEYS = {
    "what keys may not hold": "header:x-team:a/b\\c#d?e%f,g\n\x00",
    "letters of any language": "user:Ⅷ/größe/\U0001d54f\u2028",
    "what escapes look like": "a=2Fb",
    "longer than a key may be": "header:a:" + "x" * 3_000,
    "longer when escaped": "ä" * 400,
    "nothing": "",
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
async def test_any_text_is_a_counter(tables: Tables, key: str) -> None:
    """It has a row of its own, and is listed under the name that it was given."""
    store = LedgerStore(tables)
    await store.write(key, "its own", None)
    await store.write(key + "a", "another's", None)
    read = await store.read(key)
    assert read is not None
    assert read.text == "its own"
    listed = [each async for page in store.pages() for each in page]
    assert sorted(listed) == sorted([(key, "its own"), (key + "a", "another's")])


def test_keys_that_look_alike_are_not_one() -> None:
    """Not even where one is written as the other's escape."""
    keys = [*KEYS.values(), "a/b", "a=2fb", "A=2Fb", "x" * 3_000, "header:a:" + "x" * 2_999, "sha256-0"]
    partitions = [partition_of(key) for key in keys]
    assert len(set(partitions)) == len(keys)
    assert all(len(partition) <= LONGEST_KEY for partition in partitions)


async def test_the_largest_record(tables: Tables) -> None:
    """Every unit in every usual window, all slots in use with large numbers, 128 writers: a fraction of a row."""
    record = Record(epoch=10**9)
    windows = [Sliding(60), Sliding(3_600), Sliding(86_400)]
    periods = [Calendar("Hourly"), Calendar("Daily"), Calendar("Weekly"), Calendar("Monthly"), Calendar("Yearly")]
    for unit in ("tokens", "calls", "usd"):
        for window in (*windows, *periods):
            count = record.count(Meter(unit, window))  # type: ignore[arg-type]
            count.limit = 10**18
            slots = 75 if isinstance(window, Sliding) else 2
            count.slots = {1_800_000_000 + slot: 10**18 - slot for slot in range(slots)}
    for writer in range(WRITERS_REMEMBERED):
        record.marked(f"{writer:08x}", "abcdef")
    text = record.to_text()
    store = LedgerStore(tables)
    await store.write(KEY, text, None)
    read = await store.read(KEY)
    assert read is not None
    assert Record.from_text(read.text) == record
    assert len(text) < 64 * 1024


async def test_a_record_that_is_too_large(tables: Tables) -> None:
    """Is refused here, and nothing is sent: Azurite would store what Azure does not."""
    before = tables.operations
    with pytest.raises(EntityTooLarge):
        await LedgerStore(tables).write(KEY, "x" * 1_100_000, None)
    assert tables.operations == before
