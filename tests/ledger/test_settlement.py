"""What calls hold, and what becomes of it: nothing of a call's reservation is lost, whenever and however it ends."""

from __future__ import annotations

import asyncio
import random

import pytest

from gateway.ledger.meters import Calendar, Charge, Meter
from gateway.ledger.pot import CALLS_OF_PLENTY
from gateway.ledger.refusals import LimitReached
from gateway.ledger.reservation import Reservation
from tests.ledger.instances import KEY, MINUTE, YEAR, Instance, Spending, tokens
from tests.ledger.memory_store import MemoryStore
from tests.ledger.virtual_time import now, run

MONEY = Meter("usd", Calendar("Yearly"))


def counted(store: MemoryStore, meter: Meter = YEAR) -> int:
    """What storage counts of a meter."""
    count = store.record(KEY).counts.get(meter)
    return sum(count.slots.values()) if count else 0


@pytest.mark.parametrize("used", [40, 260], ids=["less", "more"])
def test_a_call_that_takes_longer_than_its_counter_is_remembered(used: int) -> None:
    """An answer of four minutes, and nobody else uses the counter meanwhile: it is settled like any other."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        await instance.call(tokens(100, meter=YEAR), seconds=240, used=used)
        await asyncio.sleep(5)
        assert counted(store) == used
        await asyncio.sleep(200)
        assert not instance.ledger.accounts

    run(scenario())


@pytest.mark.parametrize("foreseen", [0, 30, 100, 700])
@pytest.mark.parametrize("actual", [0, 30, 700])
def test_what_is_held_may_change_before_it_is_settled(foreseen: int, actual: int) -> None:
    """What is foreseen is held at once, in place of what was reserved; what counts in the end is what was used."""

    async def scenario() -> None:
        instance = Instance(store := MemoryStore())
        reservation = await instance.ledger.reserve([tokens(100, meter=YEAR)])
        reservation.adjust({"tokens": foreseen})
        left, _ = instance.ledger.standing(tokens(0, meter=YEAR))
        assert left == 60_000 - foreseen
        await asyncio.sleep(3)
        assert counted(store) == foreseen
        reservation.settle({"tokens": actual})
        await asyncio.sleep(3)
        assert counted(store) == actual

    run(scenario())


def test_a_long_call_is_settled_when_the_process_stops() -> None:
    """However long ago it began."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        await instance.call(tokens(100, meter=YEAR), seconds=240, used=170)
        await instance.ledger.aclose()
        assert counted(store) == 170

    run(scenario())


@pytest.mark.parametrize("actual", [0, 30, 700, 1_300])
def test_what_was_reserved_on_the_way_is_given_back_too(actual: int) -> None:
    """A budget pays for a stream some tokens ahead: what the stream has not used of that is nobody's cost."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        reservation = await instance.ledger.reserve([Charge(KEY, MONEY, 10**6, 20)])
        for _ in range(20):
            assert reservation.extend("usd", 50)
            await asyncio.sleep(0.2)
        reservation.settle({"usd": actual})
        await instance.ledger.aclose()
        assert counted(store, MONEY) == actual

    run(scenario())


def test_what_was_reserved_on_the_way_without_storage() -> None:
    """The same while each instance counts by itself."""

    async def scenario() -> None:
        store = MemoryStore()
        store.away = True
        instance = Instance(store)
        reservation = await instance.ledger.reserve([Charge(KEY, MONEY, 10**6, 20)])
        for _ in range(20):
            assert reservation.extend("usd", 50)
        reservation.settle({"usd": 77})
        store.away = False
        await asyncio.sleep(5)
        assert counted(store, MONEY) == 77

    run(scenario())


def test_two_limits_on_one_count() -> None:
    """Calls under either limit wait for the same write: together they do not get more than the higher one."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        calls = [instance.call(tokens(900, limit)) for limit in (1_000, 1_500, 1_000, 1_500)]
        await asyncio.gather(*calls)
        assert sum(amount for _, amount in instance.admitted) == 900
        assert store.record(KEY).used(MINUTE, now()) <= 1_500

    run(scenario())


def test_an_outage_before_the_counter_was_ever_seen() -> None:
    """That it had been set to 0 once, long ago, is no reason to forget what is to be given back."""

    async def scenario() -> None:
        store = MemoryStore()
        record = store.record(KEY)
        record.epoch = 7
        store.put(KEY, record)
        store.away = True
        instance = Instance(store)
        early = await instance.ledger.reserve([tokens(100, 10**6, YEAR)])
        late = await instance.ledger.reserve([tokens(100, 10**6, YEAR)])
        early.settle({"tokens": 40})
        store.away = False
        await asyncio.sleep(5)
        late.settle({"tokens": 10})
        await asyncio.sleep(5)
        assert counted(store) == 50

    run(scenario())


@pytest.mark.parametrize("seed", range(20))
def test_a_stop_at_any_moment(seed: int) -> None:
    """Calls in every state are settled as they would be, then the ledger is closed: storage has it to the token."""

    async def scenario() -> None:
        rng = random.Random(seed)
        store = MemoryStore(rng.choice([0.0, 0.005, 0.1]))
        instances = [Instance(store, number) for number in range(rng.choice([1, 2, 6]))]
        spending = Spending(rng, a_second=2)
        calls = []
        for _ in range(rng.randint(1, 60)):
            calls.append(asyncio.ensure_future(spending.call(rng.choice(instances))))
            await asyncio.sleep(rng.expovariate(30))
        for each in calls:
            each.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.gather(*(each.ledger.aclose() for each in instances))
        assert counted(store) == spending.total

    run(scenario())


def test_nobody_waits_for_ever_for_a_ledger_that_is_closed() -> None:
    """Storage hangs, the process stops: whoever waited is told something."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        store.seconds = 3_600.0
        calls = [asyncio.ensure_future(instance.call(tokens(100, key=f"key{number}"))) for number in range(300)]
        await asyncio.sleep(0.1)
        await instance.ledger.aclose()
        async with asyncio.timeout(1):
            await asyncio.gather(*calls)

    run(scenario())


@pytest.mark.parametrize("phase", [number / 50 for number in range(50)])
def test_nothing_is_refused_for_a_lease_that_is_nearly_over(phase: float) -> None:
    """An instance alone, call after call: it is let through as long as there is room for it, to the token."""

    async def scenario() -> None:
        instance, used = Instance(MemoryStore()), 0
        await asyncio.sleep(phase)
        while used + 8 <= 100:
            assert await instance.call(tokens(8, 100), seconds=0.02, used=6) is not None
            used += 6
        assert await instance.call(tokens(8, 100)) is None

    run(scenario())


def test_a_limit_that_one_refuses_leaves_no_trace_in_the_other() -> None:
    """The minute has room, the year has not: refused calls take nothing from the minute, however many there are."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        await instance.call(tokens(60, 1_000), tokens(60, 100, YEAR))
        for _ in range(50):
            with pytest.raises(LimitReached):
                await instance.ledger.reserve([tokens(60, 1_000), tokens(60, 100, YEAR)])
            await asyncio.sleep(0.05)
        await asyncio.sleep(5)
        assert counted(store, MINUTE) == 60

    run(scenario())


def test_what_comes_back_into_a_lease_was_not_wanted_of_storage() -> None:
    """Demand, which leases are sized by, is what calls use, where what they hold beyond that is soon free again."""

    async def scenario() -> None:
        instance = Instance(MemoryStore())
        for _ in range(3):
            await instance.call(tokens(300, meter=YEAR), used=20)
        account = instance.ledger.accounts[KEY]
        holdings = account.take([tokens(30, meter=YEAR)])
        assert holdings is not None
        (pot,) = (holding.pot for holding in holdings)
        demand = pot.demand
        Reservation(holdings).settle({"tokens": 20})
        assert pot.demand == demand - 10
        Reservation(holdings).settle({"tokens": 0})
        assert pot.demand == max(0, demand - 10 - 30)
        await instance.ledger.aclose()

    run(scenario())


def test_plenty_is_a_small_part_of_what_is_left() -> None:
    """Who asks for no more is served from the lease; who asks for more than that gets nothing this way."""

    async def scenario() -> None:
        instance = Instance(MemoryStore())
        limit = 1_000_000
        for _ in range(3):
            await instance.call(tokens(400, limit))
        plenty = (limit - 3 * 400) // CALLS_OF_PLENTY
        assert instance.ledger.take([tokens(plenty // 2, limit)], from_plenty=True) is not None
        assert instance.ledger.take([tokens(plenty + 1, limit)], from_plenty=True) is None
        assert instance.ledger.take([tokens(plenty // 2, limit), tokens(1, 400)], from_plenty=True) is None
        await instance.ledger.aclose()

    run(scenario())
