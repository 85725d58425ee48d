"""The ledger when its storage is away, slow, or loses answers: as declared, nothing lost, nothing counted twice."""

from __future__ import annotations

import asyncio
import logging
import random

import pytest

from gateway.errors import StorageUnavailable
from gateway.ledger.refusals import LedgerUnavailable
from gateway.ledger.store import Stored
from tests.ledger.instances import KEY, YEAR, Instance, Spending, tokens
from tests.ledger.memory_store import MemoryStore
from tests.ledger.virtual_time import now, run


def used(store: MemoryStore) -> int:
    """What storage counts of the year."""
    count = store.record(KEY).counts.get(YEAR)
    return sum(count.slots.values()) if count else 0


def test_away(caplog: pytest.LogCaptureFixture) -> None:
    """Each instance goes on, up to the whole limit; when storage is back it hears of everything. One log line each."""

    async def scenario() -> None:
        store = MemoryStore()
        instances = [Instance(store, number) for number in range(2)]
        for each in instances:
            assert await each.call(tokens(100, 1_000, YEAR)) is not None
        await asyncio.sleep(2)
        store.away = True
        for each in instances:
            while await each.call(tokens(100, 1_000, YEAR), used=90) is not None:
                pass
            # What the other had leased when this one last looked counts here.
            assert 600 <= sum(amount for _, amount in each.admitted) <= 1_000
        store.away = False
        await asyncio.sleep(10)
        calls = sum(len(each.admitted) for each in instances)
        assert used(store) == 2 * 100 + (calls - 2) * 90
        assert await instances[0].call(tokens(100, 1_000, YEAR)) is None

    with caplog.at_level(logging.INFO, logger="gateway.ledger"):
        run(scenario())
    assert sum("calls are counted by this instance alone" in message for message in caplog.messages) == 2
    assert sum("is shared again" in message for message in caplog.messages) == 2


def test_deny(caplog: pytest.LogCaptureFixture) -> None:
    """503, as the policy will say, from the moment in which storage is needed; all is well when it is back.

    The log does not say that such calls are counted here.
    """

    async def scenario() -> None:
        store = MemoryStore()
        store.away = True
        instance = Instance(store)
        for _ in range(3):
            with pytest.raises(LedgerUnavailable):
                await instance.ledger.reserve([tokens(100, deny=True)])
        store.away = False
        await asyncio.sleep(3)
        assert await instance.call(tokens(100, deny=True)) is not None

    run(scenario())
    assert any("or refused where onUnavailable is deny: " in message for message in caplog.messages)


def test_storage_that_hangs() -> None:
    """Who meets it first waits two seconds, and nobody after that."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        store.seconds = 3600.0
        began = now()
        assert await instance.call(tokens(100)) is not None
        assert now() - began < 2.1
        for _ in range(20):
            began = now()
            assert await instance.call(tokens(100)) is not None
            assert now() - began < 0.01
            await asyncio.sleep(0.7)

    run(scenario())


def test_storage_that_hangs_under_many_counters() -> None:
    """Fifty new ones a second, and nobody waits in a queue for what does not come; few ask; all is settled after."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        longest = 0.0

        async def call(number: int) -> None:
            nonlocal longest
            began = now()
            reservation = await instance.ledger.reserve([tokens(100, 1_000, YEAR, key=f"{KEY}{number % 1_000}")])
            longest = max(longest, now() - began)
            reservation.settle({"tokens": 30})

        store.seconds = 3600.0
        calls = []
        for number in range(2_000):
            calls.append(asyncio.ensure_future(call(number)))
            await asyncio.sleep(0.02)
        await asyncio.gather(*calls)
        assert longest < 4.5
        store.seconds, store.away = 0.005, True
        await asyncio.sleep(10)
        before = len(store.operations)
        await asyncio.sleep(10)
        assert 0 < len(store.operations) - before <= 200
        store.away = False
        await asyncio.sleep(15)
        totals = [sum(store.record(f"{KEY}{number}").counts[YEAR].slots.values()) for number in range(1_000)]
        assert totals == [60] * 1_000

    run(scenario())


def test_counters_are_forgotten_without_storage_too() -> None:
    """Those that refuse then have nothing to tell it."""

    async def scenario() -> None:
        store = MemoryStore()
        store.away = True
        instance = Instance(store)
        for number in range(1_000):
            await instance.call(tokens(1, key=f"header:x:{number}", deny=True))
        assert len(instance.ledger.accounts) == 1_000
        await asyncio.sleep(200)
        assert not instance.ledger.accounts

    run(scenario())


def test_one_counter_that_fails_is_not_everybodys_outage() -> None:
    """As when its partition alone is too busy: the others share their counts as ever."""

    async def scenario() -> None:
        store = PartlyAway()
        instances = [Instance(store, number) for number in range(2)]
        for _ in range(20):
            for number, instance in enumerate(instances):
                for place in range(12):
                    await instance.ledger.reserve([tokens(1, 1_000, YEAR, key=f"away{place}")])
                await instance.call(tokens(1, 1_000, YEAR, key=f"fine{number}"))
            await asyncio.sleep(1)
        for instance in instances:
            await instance.call(tokens(1, 1_000, YEAR, key="new"))
        accounts = [each for instance in instances for each in instance.ledger.accounts.values()]
        await asyncio.sleep(5)
        assert {each.key[:4] for each in accounts if each.cut_off.is_on} == {"away"}
        assert sum(store.record("new").counts[YEAR].slots.values()) == 2

    run(scenario())


class PartlyAway(MemoryStore):
    """Some counters cannot be reached."""

    async def read(self, key: str) -> Stored | None:
        if key.startswith("away"):
            raise StorageUnavailable("away")
        return await super().read(key)


@pytest.mark.parametrize("lost", [1, 2, 5])
def test_lost_answers(lost: int) -> None:
    """A write arrives, and its answer does not: its mark in the record tells, so nothing is pushed twice."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        await instance.call(tokens(100, 10**6, YEAR), used=130)
        store.loses_answers = lost
        for _ in range(50):
            await instance.call(tokens(100, 10**6, YEAR), used=130)
            await asyncio.sleep(0.2)
        await asyncio.sleep(5)
        await instance.ledger.aclose()
        assert used(store) == 51 * 130

    run(scenario())


def test_a_record_that_cannot_be_read(caplog: pytest.LogCaptureFixture) -> None:
    """As if storage were away, and the log says why."""

    async def scenario() -> None:
        store = MemoryStore()
        store.put_text(KEY, '{"format": 2}')
        instance = Instance(store)
        assert await instance.call(tokens(100)) is not None
        with pytest.raises(LedgerUnavailable):
            await instance.ledger.reserve([tokens(100, deny=True)])

    run(scenario())
    assert any("format 2" in message for message in caplog.messages)


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_lost(seed: int) -> None:
    """Random calls, callers who leave, outages, lost answers: in the end storage has it, to the token."""

    async def scenario() -> None:
        rng = random.Random(seed)
        store = MemoryStore()
        instances = [Instance(store, number) for number in range(3)]
        spending = Spending(rng, a_second=1)
        calls = []
        for _ in range(400):
            calls.append(asyncio.ensure_future(spending.call(rng.choice(instances))))
            await asyncio.sleep(rng.expovariate(20))
            if rng.random() < 0.1:
                rng.choice(calls).cancel()
            if rng.random() < 0.05:
                store.away = not store.away
            if rng.random() < 0.05:
                store.loses_answers += 1
        store.away, store.loses_answers = False, 0
        await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.sleep(20)
        await asyncio.gather(*(each.ledger.aclose() for each in instances))
        assert used(store) == spending.total > 0

    run(scenario())
