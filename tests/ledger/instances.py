"""Ledgers in virtual time: several instances on one store, and a log of what they admitted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from itertools import accumulate

from gateway.ledger.ledger import Ledger
from gateway.ledger.meters import Calendar, Charge, Meter, Sliding
from gateway.ledger.refusals import LedgerUnavailable, LimitReached
from gateway.ledger.reservation import Reservation
from tests.ledger.memory_store import MemoryStore
from tests.ledger.virtual_time import now

MINUTE = Meter("tokens", Sliding(60))
YEAR = Meter("tokens", Calendar("Yearly"))
KEY = "subscription:team"


def tokens(amount: int, limit: int = 60_000, meter: Meter = MINUTE, key: str = KEY, *, deny: bool = False) -> Charge:
    """A charge, with what most tests use left out."""
    return Charge(key, meter, limit, amount, deny)


class Instance:
    """One ledger with a clock of its own, which may be off."""

    def __init__(self, store: MemoryStore, number: int = 0, clock_off: float = 0.0) -> None:
        self.clock_off = clock_off
        self.ledger = Ledger(store, lambda: now() + self.clock_off, random.Random(number))
        self.admitted: list[tuple[float, int]] = []
        self.refused = 0

    async def call(self, *charges: Charge, seconds: float = 0.0, used: int | None = None) -> Reservation | None:
        """One call: reserved, at work for so long, settled; None if it was refused."""
        try:
            reservation = await self.ledger.reserve(charges)
        except (LimitReached, LedgerUnavailable):
            self.refused += 1
            return None
        self.admitted.append((now(), charges[0].amount))
        await asyncio.sleep(seconds)
        reservation.settle({"tokens": charges[0].amount if used is None else used})
        return reservation

    async def demand(self, a_second: float, seconds: float, charge: Callable[[], Charge], rng: random.Random) -> None:
        """Calls at random moments, at work for half a second each."""
        end = now() + seconds
        calls = []
        while now() < end:
            await asyncio.sleep(rng.expovariate(a_second))
            calls.append(asyncio.ensure_future(self.call(charge(), seconds=0.5)))
        await asyncio.gather(*calls)


def fullest(instances: Sequence[Instance], seconds: float) -> int:
    """The most that was admitted in any span, wherever it begins."""
    log = sorted(admission for instance in instances for admission in instance.admitted)
    totals = [0, *accumulate(amount for _, amount in log)]
    most = begin = 0
    for place, (moment, _) in enumerate(log):
        while log[begin][0] <= moment - seconds:
            begin += 1
        most = max(most, totals[place + 1] - totals[begin])
    return most


class Spending:
    """Calls that spend other than they reserved, under two limits that they never reach. `total` is what they spent.

    Each ends at random, after 2 / `a_second` seconds on average.
    """

    def __init__(self, rng: random.Random, a_second: float) -> None:
        self.total = 0
        self._rng = rng
        self._a_second = a_second

    async def call(self, instance: Instance) -> None:
        """One call, settled although its caller may leave."""
        reserved, spent = self._rng.randint(1, 500), self._rng.randint(0, 700)
        reservation = await instance.ledger.reserve([tokens(reserved, 10**9, YEAR), tokens(reserved, 10**9)])
        try:
            await asyncio.sleep(self._rng.expovariate(self._a_second))
            # As for an answer whose usage is counted before its head goes out.
            reservation.adjust({"tokens": self._rng.randint(0, 700)})
            await asyncio.sleep(self._rng.expovariate(self._a_second))
        finally:
            reservation.settle({"tokens": spent})
            self.total += spent
