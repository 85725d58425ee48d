"""What the ledger promises, in virtual time: exact limits on several instances, and few storage operations."""

from __future__ import annotations

import asyncio
import random

import pytest

from gateway.ledger.meters import Calendar, Charge, Meter, Sliding
from gateway.ledger.refusals import LimitReached
from tests.ledger.instances import KEY, MINUTE, YEAR, Instance, fullest, tokens
from tests.ledger.memory_store import MemoryStore
from tests.ledger.virtual_time import now, run

CLOCKS = {
    "right": (0.0, 0.0, 0.0, 0.0),
    "one is 3 s fast": (0.0, 3.0, 0.0, 0.0),
    "one is 3 s slow": (0.0, -3.0, 0.0, 0.0),
    "all are off": (-3.0, 3.0, 1.5, -0.7),
}


@pytest.mark.parametrize("clocks", CLOCKS.values(), ids=CLOCKS.keys())
def test_no_span_holds_more_than_the_limit(clocks: tuple[float, ...]) -> None:
    """Five times the limit is asked for, for four minutes; nearly all of it is used, and not a token more."""

    async def scenario() -> None:
        store = MemoryStore()
        instances = [Instance(store, number, off) for number, off in enumerate(clocks)]
        rngs = [random.Random(100 + number) for number in range(len(instances))]
        await asyncio.gather(
            *(
                each.demand(12.5, 240, lambda rng=rng: tokens(rng.randint(1, 200)), rng)  # type: ignore[misc]
                for each, rng in zip(instances, rngs, strict=True)
            )
        )
        assert 0 < fullest(instances, 60) <= 60_000
        total = sum(amount for each in instances for _, amount in each.admitted)
        assert total >= 0.95 * 60_000 * 240 / 60
        assert all(each.refused for each in instances)

    run(scenario())


def test_a_clock_that_is_set_while_it_runs() -> None:
    """By two seconds forth, and later by two back."""

    async def scenario() -> None:
        store = MemoryStore()
        instances = [Instance(store, number) for number in range(3)]

        async def set_clock() -> None:
            for off in (2.0, 0.0):
                await asyncio.sleep(70)
                instances[1].clock_off = off

        rngs = [random.Random(number) for number in range(3)]
        await asyncio.gather(
            set_clock(),
            *(
                each.demand(15, 200, lambda rng=rng: tokens(rng.randint(1, 200)), rng)  # type: ignore[misc]
                for each, rng in zip(instances, rngs, strict=True)
            ),
        )
        assert 0 < fullest(instances, 60) <= 60_000

    run(scenario())


@pytest.mark.parametrize("instances", [1, 8])
def test_two_operations_a_second_at_most(instances: int) -> None:
    """For a hot key, in its first minute, what may be asked at once among it, whatever is asked for."""

    async def scenario() -> None:
        store = MemoryStore()
        running = [Instance(store, number) for number in range(instances)]
        rng = random.Random(1)
        await asyncio.gather(*(each.demand(200, 60, lambda: tokens(20), rng) for each in running))
        assert len(store.operations) <= instances * 2 * 60

    run(scenario())


def test_a_lease_and_a_refusal_ask_nothing() -> None:
    """Neither a call that is let through nor one that is refused costs a storage operation, once the first has."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        await instance.call(tokens(100))
        asked = len(store.operations)
        assert await instance.call(tokens(100)) is not None
        assert len(store.operations) == asked
        while await instance.call(tokens(10_000)) is not None:
            pass
        asked = len(store.operations)
        for _ in range(1_000):
            assert await instance.call(tokens(10_000)) is None
        assert len(store.operations) == asked

    run(scenario())


WINDOWS = {"a minute": 60, "ten seconds": 10, "an hour": 3600}


@pytest.mark.parametrize("seconds", WINDOWS.values(), ids=WINDOWS.keys())
def test_retry_after_is_right_to_the_second(seconds: int) -> None:
    """Waiting so long lets the call through, waiting two seconds less does not."""

    async def scenario() -> None:
        meter = Meter("calls", Sliding(seconds))
        for early in (2.0, 0.0):
            instance = Instance(MemoryStore(), number=seconds)
            for _ in range(5):
                await instance.ledger.reserve([Charge(KEY, meter, 5, 1)])
            with pytest.raises(LimitReached) as refused:
                await instance.ledger.reserve([Charge(KEY, meter, 5, 1)])
            assert refused.value.retry_after is not None
            wait = int(refused.value.retry_after) + 1
            assert seconds <= wait <= seconds * (1 + 1 / 60) + 4
            await asyncio.sleep(wait - early)
            admitted = await instance.call(Charge(KEY, meter, 5, 1)) is not None
            assert admitted == (early == 0.0)

    run(scenario())


def test_a_calendar_window_begins_anew() -> None:
    """A quota that is used up says when its period ends; after that there is all of it again."""

    async def scenario() -> None:
        instance, hour = Instance(MemoryStore()), Meter("tokens", Calendar("Hourly"))
        charge = tokens(600, 1_000, hour)
        assert await instance.call(charge) is not None
        with pytest.raises(LimitReached) as refused:
            await instance.ledger.reserve([charge])
        assert refused.value.retry_after == pytest.approx(3600 - now() % 3600, abs=2)
        await asyncio.sleep(refused.value.retry_after)
        assert await instance.call(charge) is not None

    run(scenario())


def test_a_window_ends_in_the_middle_of_a_call() -> None:
    """What it used is charged where it was reserved; what it used beyond that, to the window in which that is known."""

    async def scenario() -> None:
        store = MemoryStore()
        instance, hour = Instance(store), Meter("tokens", Calendar("Hourly"))
        await asyncio.sleep(3600 - now() % 3600 - 10)
        await instance.call(tokens(600, 1_000, hour), seconds=20, used=650)
        await asyncio.sleep(2)
        slots = store.record(KEY).counts[hour].slots
        assert slots == {int(now() // 3600): 50}

    run(scenario())


def test_more_than_the_limit_never_passes() -> None:
    """There is no time to wait for, and storage is not asked."""

    async def scenario() -> None:
        store = MemoryStore()
        with pytest.raises(LimitReached) as refused:
            await Instance(store).ledger.reserve([tokens(60_001)])
        assert refused.value.retry_after is None
        assert store.operations == []

    run(scenario())


def test_everything_is_given_back() -> None:
    """What is not used within some two seconds; all of it when the process stops."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        for _ in range(50):
            await instance.call(tokens(100, 10**6), used=70)
            await asyncio.sleep(0.02)
        assert sum(store.record(KEY).counts[MINUTE].slots.values()) > 50 * 70
        await asyncio.sleep(2)
        assert sum(store.record(KEY).counts[MINUTE].slots.values()) == 50 * 70
        await instance.call(tokens(100, 10**6), used=30)
        await instance.ledger.aclose()
        assert sum(store.record(KEY).counts[MINUTE].slots.values()) == 50 * 70 + 30

    run(scenario())


SETTLEMENTS = {"less": 40, "nothing": 0, "as much": 100, "more": 260}


@pytest.mark.parametrize("used", SETTLEMENTS.values(), ids=SETTLEMENTS.keys())
def test_what_was_used_is_charged_once(used: int) -> None:
    """Whatever had been reserved, and however often it is settled."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        reservation = await instance.ledger.reserve([tokens(100, meter=YEAR)])
        for figure in (used, 7, 1_000):
            reservation.settle({"tokens": figure})
        await instance.ledger.aclose()
        count = store.record(KEY).counts.get(YEAR)
        assert sum(count.slots.values() if count else ()) == used

    run(scenario())


def test_all_or_nothing() -> None:
    """A call that one of its limits refuses leaves the others as they were, on one key and on two."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        for other in (tokens(100, 50, YEAR), tokens(100, 50, key="api:chat")):
            with pytest.raises(LimitReached):
                await instance.ledger.reserve([tokens(100), other])
        await instance.ledger.aclose()
        assert store.record(KEY).used(MINUTE, now()) == 0

    run(scenario())


def test_a_changed_limit() -> None:
    """Raised, lowered and another period: the same count, compared with what holds now."""

    async def scenario() -> None:
        instance = Instance(MemoryStore())
        assert await instance.call(tokens(800, 1_000)) is not None
        assert await instance.call(tokens(800, 1_000)) is None
        assert await instance.call(tokens(800, 2_000)) is not None
        # What was leased under the earlier limit is given back first.
        await asyncio.sleep(2)
        assert await instance.call(tokens(100, 1_000)) is None
        assert await instance.call(tokens(800, 1_000, Meter("tokens", Sliding(120)))) is not None

    run(scenario())


@pytest.mark.parametrize("limit", [2_100, 2_050, 10**7], ids=["lowered", "lowered too far", "raised"])
def test_a_limit_that_is_changed_under_load(limit: int) -> None:
    """What had been leased under the earlier one is room under this one, from its first call on."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        for _ in range(20):
            assert await instance.call(tokens(100, 10**6)) is not None
            await asyncio.sleep(0.02)
        assert store.record(KEY).used(MINUTE, now()) > 2_000
        assert (await instance.call(tokens(100, limit)) is not None) == (limit >= 2_100)

    run(scenario())


def test_a_counter_that_is_set_to_0() -> None:
    """An operator empties the record: instances notice within seconds, and give nothing back twice."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        assert await instance.call(tokens(900, 1_000, YEAR)) is not None
        assert await instance.call(tokens(900, 1_000, YEAR)) is None
        record = store.record(KEY)
        record.counts.clear()
        record.epoch += 1
        store.put(KEY, record)
        await asyncio.sleep(5)
        assert await instance.call(tokens(900, 1_000, YEAR)) is not None
        await instance.ledger.aclose()
        assert sum(store.record(KEY).counts[YEAR].slots.values()) == 900

    run(scenario())


def test_fifty_writers() -> None:
    """They conflict, each gets its turn, and not a call is counted twice or lost."""

    async def scenario() -> None:
        store = MemoryStore(0.01)
        instances = [Instance(store, number) for number in range(50)]
        await asyncio.gather(*(each.call(tokens(10, 10**6, YEAR)) for each in instances for _ in range(20)))
        assert all(not each.refused for each in instances)
        await asyncio.gather(*(each.ledger.aclose() for each in instances))
        assert sum(store.record(KEY).counts[YEAR].slots.values()) == 50 * 20 * 10

    run(scenario())


def test_ten_thousand_keys() -> None:
    """Those that are not used any more are forgotten."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        for _ in range(100):
            calls = (instance.call(tokens(1, key=f"header:x:{random.random()}")) for _ in range(100))
            await asyncio.gather(*calls)
        assert len(instance.ledger.accounts) == 10_000
        await asyncio.sleep(200)
        assert len(instance.ledger.accounts) == 0

    run(scenario())


def test_a_caller_who_leaves_while_waiting() -> None:
    """Nothing is held for it."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        waiting = asyncio.ensure_future(instance.ledger.reserve([tokens(100, meter=YEAR)]))
        await asyncio.sleep(0.001)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.sleep(1)
        await instance.ledger.aclose()
        count = store.record(KEY).counts.get(YEAR)
        assert sum(count.slots.values() if count else ()) == 0

    run(scenario())
