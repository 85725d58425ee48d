"""Scopes in memory: found, loaded, followed, forgotten."""

import asyncio
import logging
from collections.abc import AsyncIterator

import numpy as np
import pytest

from gateway.cache import scope as scope_module
from gateway.cache.entry import Entry, first_id, new_id
from gateway.cache.following import OVERLAP_SECONDS, STALE_SECONDS
from gateway.cache.matrix import unit
from gateway.cache.scope import Kind
from gateway.cache.scopes import Scopes
from gateway.storage.cache_rows import Kept, Page, Record, Removal, removal_entity
from tests.cache.entries import CONTEXT, NOON, SCOPE, Day, MemoryStore, entry, exact

KIND = Kind("small/4", 4, 100)
EAST = unit([1.0, 0.0, 0.0, 0.0], 4)
NEARLY_EAST = unit([1.0, 0.1, 0.0, 0.0], 4)
NORTH = unit([0.0, 1.0, 0.0, 0.0], 4)
OTHER = "b" * 64


def scopes(store: MemoryStore, day: Day, **limits: int) -> Scopes:
    """The scopes of one instance."""
    return Scopes(store, day, **limits)


async def keep(store: MemoryStore, kept: Entry, vector: np.ndarray | None = None, space: str = "small/4") -> Entry:
    """Have another instance write an entry."""
    stored = None if vector is None else vector.astype("<f4").tobytes()
    await store.write(Record(Kept(kept, stored, space), kept.fingerprint))
    return kept


async def reopen(held: Scopes, day: Day, kind: Kind = KIND, seconds: float = 5.0) -> str:
    """Use a scope again later, and wait until what that starts in the background is over."""
    day.time += seconds
    await held.open(SCOPE, kind)
    await idle()
    return await held.open(SCOPE, kind)


async def idle() -> None:
    """Wait until nothing goes on in the background."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


async def found(held: Scopes, day: Day, vector: np.ndarray, threshold: float = 0.1, **where: bytes) -> list[str]:
    """The texts of what is found by meaning."""
    matches = await held.search(SCOPE, vector, where.get("context", CONTEXT), threshold, day())
    return [match.entry.fingerprint.decode() for match in matches]


async def test_a_scope_is_loaded_on_first_use() -> None:
    """By the same text and by meaning; another context or another scope finds nothing."""
    store, day = MemoryStore(page_rows=1), Day()
    one = await keep(store, entry("one"), EAST)
    await keep(store, entry("two", NOON + 1), NORTH)
    await keep(store, entry("text only", NOON + 2))
    held = scopes(store, day)
    assert await held.open(SCOPE, KIND) == "ready"
    assert held.exact(SCOPE, exact("one"), day()) == one
    assert held.exact(SCOPE, exact("text only"), day()) is not None
    assert held.exact(SCOPE, exact("three"), day()) is None
    (match,) = await held.search(SCOPE, NEARLY_EAST, CONTEXT, 0.1, day())
    assert match.entry == one
    assert match.distance == pytest.approx(1 - 1 / np.sqrt(1.01), abs=1e-6)
    assert await found(held, day, EAST, 2.0) == ["one", "two"]
    assert await found(held, day, EAST, context=b"d" * 16) == []
    assert await held.open(OTHER, KIND) == "ready"
    assert held.exact(OTHER, exact("one"), day()) is None
    await held.aclose()


async def test_a_question_to_a_scope_that_was_not_opened() -> None:
    """Nothing is found, and nothing fails."""
    held, day = scopes(MemoryStore(), Day()), Day()
    assert held.exact(SCOPE, exact("one"), day()) is None
    assert await found(held, day, EAST) == []
    assert held.put(entry("one"), EAST, b"answer") == []


class SlowStore(MemoryStore):
    """A table that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__(page_rows=1)
        self.may_go_on = asyncio.Event()

    async def load(self, scope: str, after: str = "") -> AsyncIterator[Page]:
        async for page in super().load(scope, after):
            yield page
            await self.may_go_on.wait()


async def test_a_scope_that_takes_long_to_load() -> None:
    """Who asks first waits a little; then and meanwhile what has been read so far is found, and what is put in."""
    store, day = SlowStore(), Day()
    await keep(store, entry("one"), EAST)
    await keep(store, entry("two", NOON + 1), NORTH)
    held = scopes(store, day)
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await held.open(SCOPE, KIND, wait_seconds=0.05) == "loading"
    assert 0.04 < loop.time() - began < 1
    began = loop.time()
    assert await held.open(SCOPE, KIND, wait_seconds=0.05) == "loading"
    assert loop.time() - began < 0.04
    assert await found(held, day, EAST, 2.0) == ["one"]
    held.put(entry("mine", NOON + 2), EAST, b"answer")
    assert held.exact(SCOPE, exact("mine"), day()) is not None
    store.may_go_on.set()
    await idle()
    assert await held.open(SCOPE, KIND) == "ready"
    assert await found(held, day, EAST, 2.0) == ["one", "mine", "two"]


async def test_rows_of_other_instances_are_followed() -> None:
    """At most one query in five seconds of use, beside the path, and each row once."""
    store, day = MemoryStore(), Day()
    held = scopes(store, day)
    await held.open(SCOPE, KIND)
    await keep(store, entry("one", day()), EAST)
    for _ in range(10):
        await held.open(SCOPE, KIND)
    assert len(store.loads) == 1
    assert await found(held, day, EAST) == []
    day.time += 5
    assert await held.open(SCOPE, KIND) == "ready"
    assert await found(held, day, EAST) == []
    await idle()
    assert await found(held, day, EAST) == ["one"]
    assert await reopen(held, day) == "ready"
    assert await found(held, day, EAST) == ["one"]
    assert store.loads[1:] == [first_id(NOON - OVERLAP_SECONDS), first_id(NOON + 5 - OVERLAP_SECONDS)]


@pytest.mark.parametrize("apart", [-3.0, 3.0])
async def test_a_clock_that_is_three_seconds_off(apart: float) -> None:
    """Whatever others write, by their clocks and with six seconds on the way, is found; nothing twice."""
    store, day = MemoryStore(), Day()
    held = scopes(store, day)
    await held.open(SCOPE, KIND)
    for number in range(20):
        made = day()
        day.time += 6
        await keep(store, entry(str(number), made + apart), EAST)
        await reopen(held, day, seconds=0)
        await reopen(held, day, seconds=1)
    assert sorted(await _all(held, day), key=int) == [str(number) for number in range(20)]


async def _all(held: Scopes, day: Day) -> list[str]:
    matches = await held.search(SCOPE, EAST, CONTEXT, 2.0, day(), limit=1_000)
    return [match.entry.fingerprint.decode() for match in matches]


async def test_the_clock_crosses_expiry() -> None:
    """From then on an entry is not found, though nothing was read since; its row goes when it is read again."""
    store, day = MemoryStore(), Day()
    await keep(store, entry("one", seconds=60), EAST)
    held = scopes(store, day)
    await held.open(SCOPE, KIND)
    held.put(entry("mine", seconds=60), EAST, b"answer")
    day.time = NOON + 59.9
    assert len(await found(held, day, EAST)) == 2
    day.time = NOON + 60
    assert await found(held, day, EAST) == []
    assert held.exact(SCOPE, exact("one"), day()) is None
    again = scopes(store, day)
    await again.open(SCOPE, KIND)
    assert await found(again, day, EAST) == []
    await idle()
    assert store.rows == {}


async def test_many_that_expire_at_once() -> None:
    """None is found, though only some are taken out at a time."""
    store, day = MemoryStore(), Day()
    held = scopes(store, day)
    kind = Kind("small/4", 4, 1_000)
    await held.open(SCOPE, kind)
    before = held.bytes_held
    for number in range(350):
        held.put(entry(str(number), seconds=60), EAST, b"answer")
    assert held.bytes_held > before
    day.time += 60
    assert held.exact(SCOPE, exact("349"), day()) is None
    assert await found(held, day, EAST) == []
    for _ in range(3):
        assert held.exact(SCOPE, exact("349"), day()) is None
    await held.open(OTHER, kind)
    held.put(entry("new", day()), EAST, b"answer")
    assert held.bytes_held < before + 10_000


async def test_two_instances_write_the_same_answer() -> None:
    """The newer one stays, in memory and in the table, wherever it was written."""
    store, day = MemoryStore(), Day()
    one, two = scopes(store, day), scopes(store, day)
    await one.open(SCOPE, KIND)
    await two.open(SCOPE, KIND)
    older, newer = entry("same", NOON), entry("same", NOON + 0.5)
    for held, mine in ((one, older), (two, newer)):
        assert held.put(mine, EAST, b"answer") == []
        await keep(store, mine, EAST)
    for held in (one, two):
        await reopen(held, day)
        assert held.exact(SCOPE, exact("same"), day()) == newer
        assert await found(held, day, EAST) == ["same"]
    assert store.ids() == {newer.id}
    assert one.put(older, EAST, b"answer") == [older.id]
    assert two.put(entry("same", NOON + 1), EAST, b"answer") == [newer.id]


async def test_the_embeddings_model_changed() -> None:
    """Old entries no longer match, and go; so do they for another number of dimensions."""
    store, day = MemoryStore(), Day()
    await keep(store, entry("old"), EAST)
    await keep(store, entry("text only"))
    held = scopes(store, day)
    await held.open(SCOPE, KIND)
    assert await found(held, day, EAST) == ["old"]
    other = Kind("large/4", 4, 100)
    assert await held.open(SCOPE, other) == "ready"
    assert await found(held, day, EAST) == []
    assert held.exact(SCOPE, exact("old"), day()) is None
    assert held.exact(SCOPE, exact("text only"), day()) is not None
    await idle()
    assert len(store.rows) == 1
    await keep(store, entry("wrong size", NOON + 1), unit([1.0, 0.0], 2), "large/4")
    await reopen(held, day, other)
    assert len(store.rows) == 1
    assert await held.search(SCOPE, unit([1.0, 0.0], 2), CONTEXT, 2.0, day()) == []


async def test_entries_by_the_same_text_only() -> None:
    """A cache that compares no meaning uses what one that does has kept, and leaves it there."""
    store, day = MemoryStore(), Day()
    await keep(store, entry("one"), EAST)
    held = scopes(store, day)
    await held.open(SCOPE, Kind())
    assert held.exact(SCOPE, exact("one"), day()) is not None
    assert await found(held, day, EAST) == []
    assert len(store.rows) == 1


async def test_corrupt_rows_are_skipped_and_go(caplog: pytest.LogCaptureFixture) -> None:
    """Those without sense and those with vectors that are none; no call fails for them."""
    store, day = MemoryStore(), Day()
    wrong = np.array([np.nan, 0, 0, 1], np.float32)
    for number, vector in enumerate((wrong, np.zeros(4, np.float32), np.ones(3, np.float32))):
        await keep(store, entry(str(number), NOON + number), vector)
    bad = await keep(store, entry("bad"), EAST)
    store.rows[SCOPE, bad.id]["exact"] = "text"
    await keep(store, entry("good", NOON + 9), EAST)
    held = scopes(store, day)
    assert await held.open(SCOPE, KIND) == "ready"
    assert await found(held, day, EAST, 2.0) == ["good"]
    await idle()
    assert len(store.rows) == 1
    assert "1 rows of the cache cannot be read" in caplog.text


async def test_the_table_is_away_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    """Misses and no error; then it catches up, from the row at which it stopped."""
    store, day = MemoryStore(page_rows=1), Day()
    first = await keep(store, entry("one"), EAST)
    store.is_away = True
    held = scopes(store, day)
    assert await held.open(SCOPE, KIND) == "unavailable"
    assert await found(held, day, EAST) == []
    assert await held.answer(first) is None
    held.put(entry("mine", NOON + 1), EAST, b"answer")
    assert await found(held, day, EAST) == ["mine"]
    assert await held.open(SCOPE, KIND) == "unavailable"
    assert len(store.loads) == 1
    assert len([each for each in caplog.records if each.levelno == logging.WARNING]) == 1
    store.is_away = False
    assert await reopen(held, day) == "ready"
    assert sorted(await found(held, day, EAST)) == ["mine", "one"]
    store.is_away = True
    later = entry("later", day() + 1)
    await reopen(held, day)
    assert await held.open(SCOPE, KIND) == "ready"
    day.time += 600
    store.is_away = False
    await keep(store, later, EAST)
    await reopen(held, day)
    assert len(await found(held, day, EAST)) == 3


async def test_an_outage_while_a_scope_is_read() -> None:
    """What was read stays, and reading goes on behind it."""
    store, day = SlowStore(), Day()
    one = await keep(store, entry("one"), EAST)
    await keep(store, entry("two", NOON + 1), EAST)
    held = scopes(store, day)
    assert await held.open(SCOPE, KIND, wait_seconds=0.02) == "loading"
    store.is_away = True
    store.may_go_on.set()
    await idle()
    assert await held.open(SCOPE, KIND) == "unavailable"
    assert await found(held, day, EAST) == ["one"]
    store.is_away = False
    assert await reopen(held, day) == "ready"
    assert store.loads == ["", one.id]
    assert len(await found(held, day, EAST)) == 2


async def test_an_unforeseen_fault_does_not_reach_a_call(caplog: pytest.LogCaptureFixture) -> None:
    """It is in the log, with where it was, and the next look tries again."""

    class Broken(MemoryStore):
        async def load(self, scope: str, after: str = "") -> AsyncIterator[Page]:
            raise RuntimeError("unforeseen")
            yield Page()

    store, day = Broken(), Day()
    held = scopes(store, day)
    assert await held.open(SCOPE, KIND) == "unavailable"
    assert await found(held, day, EAST) == []
    assert "RuntimeError: unforeseen" in caplog.text


async def test_the_oldest_leave_beyond_max_entries() -> None:
    """From memory, and by their ids from the table; a lower limit counts from the next use."""
    store, day = MemoryStore(), Day()
    held = scopes(store, day)
    three = Kind("small/4", 4, 3)
    await held.open(SCOPE, three)
    entries = [entry(str(number), NOON + number) for number in range(5)]
    gone = [held.put(each, EAST, b"answer") for each in entries]
    assert gone == [[], [], [], [entries[0].id], [entries[1].id]]
    assert sorted(await _all(held, day)) == ["2", "3", "4"]
    await held.open(SCOPE, Kind("small/4", 4, 1))
    assert held.put(entry("5", NOON + 5), EAST, b"answer") == [each.id for each in entries[2:]]
    for each in entries:
        await keep(store, each, EAST)
    again = scopes(store, day)
    await again.open(SCOPE, three)
    await idle()
    assert sorted(await _all(again, day)) == ["2", "3", "4"]
    assert store.ids() == {each.id for each in entries[2:]}


async def test_scopes_leave_memory_by_least_use() -> None:
    """Under the limit in bytes; what left is read again when it is asked for."""
    store, day = MemoryStore(), Day()
    names = [f"{number:064x}" for number in range(5)]
    for name in names:
        await keep(store, entry("one", scope=name), EAST)
    limit = 3 * (scope_module.SCOPE_BYTES + scope_module.ENTRY_BYTES + scope_module.HEAD_BYTES + 16)
    held = scopes(store, day, memory_bytes=limit)
    for name in names[:3]:
        await held.open(name, KIND)
    await held.open(names[0], KIND)
    await held.open(names[3], KIND)
    assert held.bytes_held <= limit
    is_held = [held.exact(name, exact("one"), day()) is not None for name in names]
    assert is_held == [True, False, True, True, False]
    await held.open(names[1], KIND)
    assert held.exact(names[1], exact("one"), day()) is not None


async def test_a_scope_beyond_the_limit() -> None:
    """Its newest entries are held; its rows stay, for others may have more memory."""
    store, day = MemoryStore(), Day()
    each = scope_module.ENTRY_BYTES + scope_module.HEAD_BYTES + 16
    held = scopes(store, day, memory_bytes=scope_module.SCOPE_BYTES + 10 * each)
    for number in range(30):
        await keep(store, entry(str(number), NOON + number), EAST)
    await held.open(SCOPE, KIND)
    assert sorted(await _all(held, day), key=int) == [str(number) for number in range(20, 30)]
    await idle()
    assert len(store.rows) == 30


async def test_answers_that_were_put_in_or_served_need_no_storage() -> None:
    """As many as their limit allows, the least recently used leave first."""
    store, day = MemoryStore(), Day()
    held = scopes(store, day, answer_bytes=10_000)
    await held.open(SCOPE, KIND)
    mine = entry("mine")
    held.put(mine, EAST, b"answer")
    assert await held.answer(mine) == b"answer"
    theirs = [await keep(store, entry(str(number), NOON + number), EAST) for number in range(2)]
    assert await held.answer(theirs[0]) == b"0"
    store.is_away = True
    assert await held.answer(theirs[0]) == b"0"
    assert await held.answer(theirs[1]) is None
    for number in range(10):
        held.put(entry(f"large {number}", NOON + number), EAST, bytes(900))
    assert await held.answer(theirs[0]) is None
    large = entry("very large")
    held.put(large, EAST, bytes(2_000))
    assert await held.answer(large) is None


async def test_an_entry_whose_answer_is_gone() -> None:
    """It is found no more."""
    store, day = MemoryStore(), Day()
    one = await keep(store, entry("one"), EAST)
    held = scopes(store, day)
    await held.open(SCOPE, KIND)
    store.rows.clear()
    assert await held.answer(one) is None
    assert held.exact(SCOPE, exact("one"), day()) is None


async def test_an_entry_is_dropped() -> None:
    """For an answer that makes no sense: from memory at once and from the table soon, if it is there."""
    store, day = MemoryStore(), Day()
    one = await keep(store, entry("one"), EAST)
    two = await keep(store, entry("two", NOON + 1), EAST)
    held = scopes(store, day)
    await held.open(SCOPE, KIND)
    held.drop(one)
    assert await found(held, day, EAST) == ["two"]
    await idle()
    assert store.ids() == {two.id}
    store.is_away = True
    held.drop(two)
    await idle()
    assert await found(held, day, EAST) == []


async def test_what_somebody_removed_is_not_found() -> None:
    """Within five seconds of use, and not when it is written late either."""
    store, day = MemoryStore(), Day()
    entries = [entry("one"), entry("two", NOON + 1, subscription="team-b"), entry("three", NOON + 2)]
    held = scopes(store, day)
    await held.open(SCOPE, KIND)
    for each in entries:
        held.put(each, EAST, b"answer")
    day.time += 20

    async def remove(*, entry: str = "", subscription: str | None = None) -> None:
        removal = Removal(new_id(day()), SCOPE, first_id(day()), entry, subscription)
        store.rows[SCOPE, removal.id] = removal_entity(removal, day() + 7_200)
        await reopen(held, day)

    await remove(subscription="team-b")
    assert await found(held, day, EAST) == ["one", "three"]
    await remove(entry=entries[0].id)
    assert await found(held, day, EAST) == ["three"]
    await remove()
    assert await found(held, day, EAST) == []
    assert held.put(entries[2], EAST, b"answer") == [entries[2].id]
    assert held.put(entry("new", day()), EAST, b"answer") == []


async def test_a_scope_that_was_idle_for_long_is_read_anew() -> None:
    """Word of what was removed meanwhile may be gone."""
    store, day = MemoryStore(), Day()
    await keep(store, entry("one", seconds=100_000), EAST)
    held = scopes(store, day)
    await held.open(SCOPE, KIND)
    store.rows.clear()
    await reopen(held, day, seconds=STALE_SECONDS - 1)
    assert await found(held, day, EAST) == ["one"]
    day.time += STALE_SECONDS + 1
    assert await held.open(SCOPE, KIND) == "ready"
    assert await found(held, day, EAST) == []


async def test_closing_ends_what_goes_on() -> None:
    """A scope that is being read is not waited for."""
    store = SlowStore()
    await keep(store, entry("one"), EAST)
    held = scopes(store, Day())
    await held.open(SCOPE, KIND, wait_seconds=0.01)
    await held.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_replaced_entries_leave_nothing_behind() -> None:
    """The same text a thousand times over takes the place of one."""
    held = scope_module.Scope(KIND)
    for number in range(1_000):
        held.add(entry("same", NOON + number / 100), EAST)
    assert len(held) == 1
    assert len(held._ages) < 300
    assert len(held._ends) < 300
