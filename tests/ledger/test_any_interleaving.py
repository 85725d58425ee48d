"""Everything at once, at random: no span holds more than the limit, and in the end nothing is lost."""

from __future__ import annotations

import asyncio
import random
from itertools import accumulate

import pytest

from gateway.ledger.meters import Calendar, Charge, Meter, Sliding
from gateway.ledger.refusals import LedgerUnavailable, LimitReached
from tests.ledger.instances import KEY, YEAR, Instance
from tests.ledger.memory_store import MemoryStore
from tests.ledger.virtual_time import now, pause, run

SECONDS = 5
WINDOWS = {"sliding": Meter("tokens", Sliding(SECONDS)), "calendar": Meter("tokens", Calendar("Hourly"))}
LIMITS = (700, 1_000)


class Weather:
    """What happens to some instances and their storage for half a minute, then it is calm."""

    def __init__(self, seed: int, meter: Meter) -> None:
        self.rng = random.Random(seed)
        self.meter = meter
        self.store = MemoryStore(self.rng.choice([0.001, 0.01, 0.08]))
        offs = [self.rng.choice([0.0, self.rng.uniform(-3, 3)]) for _ in range(self.rng.randint(1, 5))]
        self.instances = [Instance(self.store, number, off) for number, off in enumerate(offs)]
        self.log: list[tuple[float, int]] = []
        self.total = 0

    async def call(self) -> None:
        """One call under one of two limits on the same count. Storage away means refused, so that the limit holds."""
        rng, instance = self.rng, self.rng.choice(self.instances)
        reserved = rng.randint(1, 120)
        used = rng.choice([0, reserved, rng.randint(0, reserved)])
        limit = rng.choice(LIMITS)
        charges = [Charge(KEY, self.meter, limit, reserved, deny=True), Charge(KEY, YEAR, 10**9, reserved, deny=True)]
        try:
            reservation = await instance.ledger.reserve(charges)
        except (LimitReached, LedgerUnavailable):
            return
        self.log.append((now(), used))
        self.total += used
        try:
            await asyncio.sleep(rng.expovariate(1.5))
        finally:
            reservation.settle({"tokens": used})

    async def pass_by(self) -> None:
        """The calls, and what disturbs them."""
        rng, calls = self.rng, []
        end = now() + 30
        while now() < end:
            calls.append(asyncio.ensure_future(self.call()))
            await asyncio.sleep(rng.expovariate(40))
            if rng.random() < 0.1:
                rng.choice(calls).cancel()
            if rng.random() < 0.005:
                self.disturb()
        self.clear()
        await asyncio.gather(*calls, return_exceptions=True)

    def disturb(self) -> None:
        """One of the things that happen to storage and processes, for a while."""
        match self.rng.choice(["away", "slow", "slower", "pause", "lost", "lost"]):
            case "away":
                self.store.away = True
            case "slow":
                self.store.seconds = 0.3
            case "slower":
                self.store.seconds = self.rng.choice([1.9, 2.5])
            case "pause":
                pause(self.rng.choice([1.0, 7.0]))
            case "lost":
                self.store.loses_answers = self.rng.randint(1, 3)
        asyncio.get_running_loop().call_later(self.rng.uniform(0.1, 3), self.clear)

    def clear(self) -> None:
        """All is as it should be."""
        self.store.away, self.store.loses_answers, self.store.seconds = False, 0, 0.01

    def fullest(self) -> int:
        """The most that was used of what was admitted in any span, or in any hour."""
        if self.meter is WINDOWS["calendar"]:
            hours = {int(moment // 3600) for moment, _ in self.log}
            return max(sum(used for moment, used in self.log if moment // 3600 == hour) for hour in hours)
        totals = [0, *accumulate(used for _, used in self.log)]
        most = begin = 0
        for place, (moment, _) in enumerate(self.log):
            while self.log[begin][0] <= moment - SECONDS:
                begin += 1
            most = max(most, totals[place + 1] - totals[begin])
        return most


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("meter", WINDOWS.values(), ids=WINDOWS.keys())
def test_any_interleaving(meter: Meter, seed: int) -> None:
    """Conflicts, outages, slow and lost answers, pauses, clocks that are off, callers who leave, two limits at once."""

    async def scenario() -> None:
        weather = Weather(seed, meter)
        if meter is WINDOWS["calendar"]:
            await asyncio.sleep(3600 - now() % 3600 - 15)
        await weather.pass_by()
        assert 0 < weather.fullest() <= max(LIMITS)
        await asyncio.sleep(30)
        await asyncio.gather(*(each.ledger.aclose() for each in weather.instances))
        counts = weather.store.record(KEY).counts
        assert sum(counts[YEAR].slots.values()) == weather.total

    run(scenario())
