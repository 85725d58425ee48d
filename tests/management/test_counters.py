"""Counters as operators see them, in the ledger's own table on Azurite."""

import asyncio
from datetime import UTC, datetime

import pytest

from gateway.errors import CatalogError
from gateway.ledger.meters import Calendar, Meter, Sliding
from gateway.ledger.record import Count, Record
from gateway.ledger.store import Written
from gateway.management.counters import Counter, Counters, MeterState
from gateway.storage.ledger import LedgerStore
from gateway.storage.tables import PreconditionFailed, Tables
from tests.clock import Clock

KEY = "subscription:team-a"
MINUTE, MONTH = Meter("tokens", Sliding(60)), Meter("usd", Calendar("Monthly"))
# On the minute.
NOW = datetime(2026, 11, 23, 5, 40, tzinfo=UTC)


def clock() -> Clock:
    """One that stands at NOW."""
    standing = Clock()
    standing.time = NOW.timestamp()
    return standing


def seconds(number: float) -> datetime:
    """So many seconds after NOW."""
    return datetime.fromtimestamp(NOW.timestamp() + number, UTC)


def record(epoch: int = 0) -> Record:
    """100 tokens granted half a minute ago and 20 just now, of 1,000; and 2 of 5 dollars."""
    slot = MINUTE.window.slot(NOW.timestamp())
    tokens = Count({slot - 30: 100, slot: 20, slot - 70: 7}, 1_000)
    money = Count({MONTH.window.slot(NOW.timestamp()): 2 * 10**9}, 5 * 10**9)
    return Record({MONTH: money, MINUTE: tokens}, epoch, ["mark"])


async def test_a_counter_says_what_is_left_and_when_it_frees(tables: Tables) -> None:
    """Each meter, in the order of their names; what no longer counts is left out."""
    store = LedgerStore(tables)
    await store.write(KEY, record().to_text(), None)
    assert await Counters(store, clock()).show(KEY) == Counter(
        KEY,
        (
            MeterState(MINUTE, 1_000, 120, seconds(31), seconds(61)),
            MeterState(MONTH, 5 * 10**9, 2 * 10**9, *[datetime(2026, 12, 1, tzinfo=UTC)] * 2),
        ),
    )


async def test_what_was_never_counted_is_none(tables: Tables) -> None:
    """With and without a table."""
    counters = Counters(LedgerStore(tables), clock())
    assert (await counters.show(KEY), await counters.reset(KEY)) == (None, None)
    await LedgerStore(tables).write("other", record().to_text(), None)
    assert (await counters.show(KEY), await counters.reset(KEY)) == (None, None)


async def test_left_is_never_below_nothing(tables: Tables) -> None:
    """A limit may have been lowered below what is used."""
    store = LedgerStore(tables)
    lowered = record()
    lowered.counts[MINUTE].limit = 50
    await store.write(KEY, lowered.to_text(), None)
    counter = await Counters(store, clock()).show(KEY)
    assert counter is not None
    assert counter.meters[0].left == 0


async def test_finding_counters(tables: Tables) -> None:
    """All, or those whose key matches; keys too long for a partition's name too, and records that are none."""
    store = LedgerStore(tables)
    keys = ["ip:10.0.0.1", KEY, f"{KEY}+model:gpt-4o", "header:x:" + "é" * 900]
    for key in keys:
        await store.write(key, record().to_text(), None)
    await store.write("broken", '{"format": 1}', None)
    counters = Counters(store, clock())
    assert {counter.key async for counter in counters.find()} == {*keys, "broken"}
    assert {counter.key async for counter in counters.find("subscription:*")} == {KEY, f"{KEY}+model:gpt-4o"}
    assert [counter async for counter in counters.find("brok*")] == [
        Counter("broken", fault="the record is not one of the ledger's")
    ]


async def test_reset_empties_every_meter(tables: Tables) -> None:
    """Limits stay to be seen, the epoch tells instances, and the marks of their last writes stay theirs."""
    store = LedgerStore(tables)
    await store.write(KEY, record(epoch=4).to_text(), None)
    counter = await Counters(store, clock()).reset(KEY)
    assert counter == await Counters(store, clock()).show(KEY)
    assert counter == Counter(
        KEY, (MeterState(MINUTE, 1_000, 0, None, None), MeterState(MONTH, 5 * 10**9, 0, None, None))
    )
    stored = await store.read(KEY)
    assert stored is not None
    assert Record.from_text(stored.text) == Record(
        {MINUTE: Count(limit=1_000), MONTH: Count(limit=5 * 10**9)}, 5, ["mark"]
    )


async def test_reset_makes_a_new_record_of_a_broken_one(tables: Tables) -> None:
    """With an epoch that no instance has seen."""
    store = LedgerStore(tables)
    await store.write(KEY, "broken", None)
    assert await Counters(store, clock()).reset(KEY) == Counter(KEY)
    stored = await store.read(KEY)
    assert stored is not None
    assert Record.from_text(stored.text).epoch == int(NOW.timestamp())


async def test_reset_among_writers(tables: Tables) -> None:
    """Five at once: each is counted, for nobody overwrites what was not seen."""
    store = LedgerStore(tables)
    await store.write(KEY, record().to_text(), None)
    await asyncio.gather(*[Counters(store, clock()).reset(KEY) for _ in range(5)])
    stored = await store.read(KEY)
    assert stored is not None
    assert Record.from_text(stored.text).epoch == 5


class Contended(LedgerStore):
    """A store in which somebody else is always faster."""

    async def write(self, key: str, text: str, etag: str | None) -> Written:
        raise PreconditionFailed


async def test_reset_gives_up_at_last(tables: Tables) -> None:
    """With a sentence."""
    await LedgerStore(tables).write(KEY, record().to_text(), None)
    with pytest.raises(CatalogError, match="is being changed by instances all the time"):
        await Counters(Contended(tables), clock(), longest_pause_seconds=0.0).reset(KEY)
