"""Answers on their way to the table."""

import asyncio
import logging
import os
from collections.abc import Sequence

import pytest

from gateway.cache.matrix import unit
from gateway.cache.scope import Kind
from gateway.cache.scopes import Scopes
from gateway.cache.writer import Writer
from gateway.storage.cache_rows import Record
from gateway.storage.limits import EntityTooLarge
from tests.cache.entries import CONTEXT, NOON, SCOPE, Day, MemoryStore, entry, exact

EAST = unit([1.0, 0.0], 2)
SPACE = "small/2"


class SlowStore(MemoryStore):
    """A table that writes when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may_write = asyncio.Event()
        self.at_once = 0
        self.most_at_once = 0

    async def write(self, record: Record) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.may_write.wait()
        self.at_once -= 1
        await super().write(record)


async def writing(store: MemoryStore, day: Day, max_entries: int = 100, **limits: float) -> tuple[Writer, Scopes]:
    """A writer, and the scopes into which it puts what it writes."""
    scopes = Scopes(store, day)
    await scopes.open(SCOPE, Kind(SPACE, 2, max_entries))
    return Writer(store, scopes, day, **limits), scopes  # type: ignore[arg-type]


async def tried(store: MemoryStore) -> None:
    """Wait until somebody came to the table in vain."""
    async with asyncio.timeout(5):
        await store.was_asked_in_vain.wait()
    await asyncio.sleep(0)


async def test_an_answer_is_found_at_once_and_written_soon() -> None:
    """By the same text and by meaning, before it is in the table."""
    store, day = SlowStore(), Day()
    writer, scopes = await writing(store, day)
    one = entry("one", prompt="one, please")
    writer.keep(one, EAST, SPACE, b"answer", "gpt-4o")
    found = scopes.exact(SCOPE, exact("one"), day())
    assert found is not None
    assert (found.id, found.prompt) == (one.id, "")
    assert len(await scopes.search(SCOPE, EAST, CONTEXT, 0.1, day())) == 1
    assert await scopes.answer(one) == b"answer"
    assert store.rows == {}
    store.may_write.set()
    await writer.aclose()
    row = store.rows[SCOPE, one.id]
    assert (row["prompt"], row["model"], row["space"]) == ("one, please", "gpt-4o", SPACE)
    assert row["vector"] == EAST.tobytes()


async def test_a_full_queue_drops_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """What has no room is counted, with one line a minute in the log; it is found in memory all the same."""
    store, day = SlowStore(), Day()
    writer, scopes = await writing(store, day, most_waiting=3)
    for number in range(10):
        writer.keep(entry(str(number), NOON + number), EAST, SPACE, b"answer")
        await asyncio.sleep(0)
    assert (writer.dropped, len(writer)) == (7, 3)
    assert scopes.exact(SCOPE, exact("9"), day()) is not None
    assert len([each for each in caplog.records if "not kept" in each.message]) == 1
    store.may_write.set()
    await writer.aclose()
    assert len(store.rows) == 3
    writer.keep(entry("more", NOON + 20), EAST, SPACE, b"answer")
    await writer.aclose()
    assert len(store.rows) == 4


async def test_a_queue_has_a_limit_in_bytes() -> None:
    """Large answers fill it sooner, and what was written makes room."""
    store = SlowStore()
    writer, _ = await writing(store, Day(), most_bytes=100_000)
    for number in range(5):
        writer.keep(entry(str(number), NOON + number), None, SPACE, os.urandom(40_000))
    assert writer.dropped == 3
    store.may_write.set()
    await writer.aclose()
    writer.keep(entry("more", NOON + 20), EAST, SPACE, os.urandom(90_000))
    await writer.aclose()
    assert len(store.rows) == 3


async def test_few_are_written_at_once() -> None:
    """And all of them in the end."""
    store = SlowStore()
    writer, _ = await writing(store, Day())
    for number in range(30):
        writer.keep(entry(str(number), NOON + number), EAST, SPACE, b"answer")
    for _ in range(10):
        await asyncio.sleep(0)
    store.may_write.set()
    await writer.aclose()
    assert store.most_at_once == 8
    assert len(store.rows) == 30


async def test_what_is_too_large_is_refused_before_anything_is_done() -> None:
    """So that the caller can be told."""
    store, day = MemoryStore(), Day()
    writer, scopes = await writing(store, day)
    with pytest.raises(EntityTooLarge):
        writer.keep(entry("one"), EAST, SPACE, bytes(2_000_000))
    assert scopes.exact(SCOPE, exact("one"), day()) is None
    assert len(writer) == 0


async def test_answers_wait_while_the_table_is_away(caplog: pytest.LogCaptureFixture) -> None:
    """They are written when it is back, but not those whose time is over."""
    store, day = MemoryStore(), Day()
    writer, _ = await writing(store, day, retry_seconds=0.01)
    store.is_away = True
    for number in range(12):
        writer.keep(entry(str(number), NOON + number, seconds=10), EAST, SPACE, b"answer")
    await tried(store)
    assert (len(writer), store.rows) == (12, {})
    day.time = NOON + 15
    store.is_away = False
    await writer.aclose()
    assert len(store.rows) == 6
    assert len(caplog.records) == 1


async def test_closing_gives_up_in_time(caplog: pytest.LogCaptureFixture) -> None:
    """And says how many are lost."""
    writer, _ = await writing(SlowStore(), Day())
    for number in range(12):
        writer.keep(entry(str(number), NOON + number), EAST, SPACE, b"answer")
    began = asyncio.get_running_loop().time()
    await writer.aclose(seconds=0.05)
    assert asyncio.get_running_loop().time() - began < 1
    assert "12 answers were not written" in caplog.text
    await writer.aclose()


async def test_what_has_to_go_for_an_answer_goes_from_the_table_too() -> None:
    """The older one of the same text, and the oldest of too many."""
    store, day = MemoryStore(), Day()
    writer, _ = await writing(store, day, max_entries=2)
    entries = [entry("a", NOON), entry("b", NOON + 1), entry("b", NOON + 2), entry("c", NOON + 3)]
    for each in entries:
        writer.keep(each, EAST, SPACE, b"answer")
        await writer.aclose()
    assert store.ids() == {entries[2].id, entries[3].id}
    writer.keep(entry("c", NOON), EAST, SPACE, b"older")
    await writer.aclose()
    assert store.ids() == {entries[2].id, entries[3].id}


async def test_a_fault_with_one_does_not_keep_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it is."""

    class Broken(MemoryStore):
        async def write(self, record: Record) -> None:
            if record.answer == b"bad":
                raise RuntimeError("unforeseen")
            if record.answer == b"refused":
                raise EntityTooLarge("refused")
            await super().write(record)

        async def delete(self, scope: str, ids: Sequence[str]) -> None:
            raise AssertionError("nothing has to go")

    store = Broken()
    writer, _ = await writing(store, Day())
    for number, answer in enumerate((b"bad", b"refused", b"good")):
        writer.keep(entry(str(number), NOON + number), EAST, SPACE, answer)
    await writer.aclose()
    assert len(store.rows) == 1
    assert [each.levelno for each in caplog.records] == [logging.WARNING]
