"""Time as an instance sees it: pauses, clocks that are off, slow answers, and ends of calendar windows."""

from __future__ import annotations

import asyncio
import math
import random

import pytest

from gateway.ledger.meters import Calendar, Charge, Meter, Sliding
from gateway.ledger.plan import Moment
from gateway.ledger.refusals import LimitReached
from gateway.ledger.server_clock import ServerClock, TimeBounds
from tests.ledger.instances import KEY, MINUTE, Instance, tokens
from tests.ledger.memory_store import MemoryStore
from tests.ledger.virtual_time import now, pause, run

HOUR = Meter("tokens", Calendar("Hourly"))


@pytest.mark.parametrize("kind", ["read", "write"])
@pytest.mark.parametrize("left", [0, 20_000])
def test_a_process_that_is_paused_while_it_asks_storage(kind: str, left: int, caplog: pytest.LogCaptureFixture) -> None:
    """It was not storage that was slow: the answer is asked for again, and the limit stays everybody's."""

    async def scenario() -> None:
        store = MemoryStore(0.05)
        other, instance = Instance(store), Instance(store, 1)
        for _ in range((60_000 - left) // 10_000):
            assert await other.call(tokens(10_000)) is not None
        before = len(store.operations)
        call = asyncio.ensure_future(instance.call(tokens(10_000)))
        for _ in range(30):
            if kind not in [operation for _, operation in store.operations[before:]]:
                await asyncio.sleep(0.01)
        pause(20)
        assert (await call is not None) == (left > 0)
        await asyncio.sleep(3)
        for _ in range(8):
            await instance.call(tokens(10_000))
        assert sum(amount for _, amount in instance.admitted) == left
        await asyncio.gather(other.ledger.aclose(), instance.ledger.aclose())
        assert sum(store.record(KEY).counts[MINUTE].slots.values()) == 60_000

    run(scenario())
    assert caplog.messages == []


@pytest.mark.parametrize("off", [-3_600.0, -3.0, 3.0, 3_600.0])
def test_a_clock_that_is_off_does_not_make_leases_longer(off: float) -> None:
    """The first answer corrects it; what an exchange took is not measured by that."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store, clock_off=off)
        for _ in range(20):
            assert await instance.call(tokens(100)) is not None
            await asyncio.sleep(0.05)
            latest = max(store.record(KEY).counts[MINUTE].slots)
            assert MINUTE.window.end(latest) <= now() + 5

    run(scenario())


def test_an_outage_with_a_clock_that_is_an_hour_fast() -> None:
    """Storage is looked for again as soon as with any other clock."""

    async def scenario() -> None:
        store = MemoryStore()
        store.away = True
        instance = Instance(store, clock_off=3_600.0)
        await instance.call(tokens(100, key="first"))
        await asyncio.sleep(1.5)
        await instance.call(tokens(100, key="second"))
        store.away = False
        await asyncio.sleep(10)
        assert not any(account.cut_off.is_on for account in instance.ledger.accounts.values())

    run(scenario())


def test_slow_answers_bound_the_time_loosely() -> None:
    """Of an answer that took two seconds nobody knows when in them it was made."""
    local = [100.0]
    clock = ServerClock(lambda: local[0])
    local[0] = 102.0
    clock.observe(TimeBounds(200.0, 201.0), sent=100.0)
    for earliest in (0.0, 2.0):
        # It was made `earliest` after it had been asked for, in the first or the last moment of its second.
        for within in (0.0, 1.0):
            true_now = 200.0 + within + (2.0 - earliest)
            assert abs(clock.now() - true_now) <= clock.uncertainty


def test_around_the_end_of_a_calendar_window_nothing_is_leased_early() -> None:
    """While it may still be the old period, nothing that is spent counts in the new one."""
    end = 1_800_000_000.0 // 3600 * 3600 + 3600
    for seconds in (-0.4, -0.1, 0.1, 0.29):
        slot, expires = Moment(end + seconds, 0.3, 1.0, 0.2).slot_to_spend(HOUR, 1.0)
        assert HOUR.window.end(slot) == end
        assert expires <= end - 0.3
    slot, _ = Moment(end + 0.31, 0.3, 1.0, 0.2).slot_to_spend(HOUR, 1.0)
    assert HOUR.window.end(slot) == end + 3600


@pytest.mark.parametrize("off", [0.0, -2.5, 2.5])
def test_demand_through_the_end_of_a_calendar_window(off: float) -> None:
    """Neither period has more than its limit, by storage's time, and calls pass again right after the end."""

    async def scenario() -> None:
        store = MemoryStore(0.03)
        instances = [Instance(store, number, clock) for number, clock in enumerate((0.0, off, -off))]
        end = now() // 3600 * 3600 + 3600
        await asyncio.sleep(end - 10 - now())
        rngs = [random.Random(number) for number in range(3)]
        await asyncio.gather(
            *(
                each.demand(20, 20, lambda rng=rng: tokens(rng.randint(1, 200), 40_000, HOUR), rng)  # type: ignore[misc]
                for each, rng in zip(instances, rngs, strict=True)
            )
        )
        log = [admission for each in instances for admission in each.admitted]
        for earliest, latest in ((0.0, end), (end, math.inf)):
            assert 0.8 * 40_000 < sum(amount for at, amount in log if earliest <= at < latest) <= 40_000
        assert min(at for at, _ in log if at >= end) < end + 3

    run(scenario())


@pytest.mark.parametrize("seed", range(8))
def test_retry_after_is_right_to_the_second_on_several_instances(seed: int) -> None:
    """Each refused by a limit that the others have used: in so many seconds there is room, two seconds earlier not."""

    async def scenario() -> None:
        rng = random.Random(seed)
        meter = Meter("calls", Sliding(60))
        charge = Charge(KEY, meter, 30, 1)
        store = MemoryStore(0.02)
        offs = [rng.uniform(-3, 3) for _ in range(4)]
        instances = [Instance(store, number, off) for number, off in enumerate(offs)]
        await asyncio.sleep(rng.uniform(0, 2))
        for _ in range(10):
            for each in rng.choices(instances, k=60):
                await each.call(charge)
                await asyncio.sleep(rng.expovariate(10))
            # What nobody has used is given back by now.
            await asyncio.sleep(4)
            asking = rng.choice(instances)
            while await asking.call(charge) is not None:
                pass
            with pytest.raises(LimitReached) as refused:
                await asking.ledger.reserve([charge])
            assert refused.value.retry_after is not None
            wait = max(1, math.ceil(refused.value.retry_after))
            if wait > 2:
                await asyncio.sleep(wait - 2)
                assert await asking.call(charge) is None
            await asyncio.sleep(min(wait, 2))
            assert await asking.call(charge) is not None

    run(scenario())
