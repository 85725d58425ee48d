"""The ledger by itself in one process: admissions from leases a second, and what a hot key asks of storage meanwhile.

The store is in memory and as slow as Table Storage usually is. The loop, the clock and the ledger are the real ones.
"""

from __future__ import annotations

import asyncio
import itertools
import time

from bench.figures import LedgerUse, Spread
from bench.plan import Plan
from bench.progress import say
from gateway.ledger.ledger import Ledger
from gateway.ledger.meters import Charge, Meter, Sliding
from gateway.ledger.server_clock import TimeBounds
from gateway.ledger.store import Stored, Written

LIMIT = 10**12
STORE_SECONDS = 0.008
# Calls come in between in a real instance too: leases are renewed then.
TURN_EVERY = 100


class MemoryStore:
    """One record, and a count of the operations on it."""

    def __init__(self) -> None:
        self.operations = 0
        self._stored: Stored | None = None
        self._versions = itertools.count()

    async def read(self, key: str) -> Stored | None:
        """The record, if it has been written."""
        self.operations += 1
        await asyncio.sleep(STORE_SECONDS)
        return self._stored

    async def write(self, key: str, text: str, etag: str | None) -> Written:
        """There is only one writer, so there is never a conflict."""
        self.operations += 1
        await asyncio.sleep(STORE_SECONDS)
        second = time.time() // 1
        bounds = TimeBounds(second, second + 1)
        self._stored = Stored(text, str(next(self._versions)), bounds)
        return Written(self._stored.etag, bounds)


def measure_ledger(plan: Plan) -> LedgerUse:
    """Rounds of calls without a pause; each reserves 100 tokens of one limit, and settles."""
    say(f"ledger: {plan.ledger_rounds} rounds of {plan.ledger_seconds} s")
    return asyncio.run(_measure(plan))


async def _measure(plan: Plan) -> LedgerUse:
    store = MemoryStore()
    ledger = Ledger(store)
    await _admit(ledger, plan.ledger_warm_up_seconds, settles=False)
    before, began = store.operations, time.monotonic()
    admitted = [await _admit(ledger, plan.ledger_seconds, settles=False) for _ in range(plan.ledger_rounds)]
    settled = [await _admit(ledger, plan.ledger_seconds, settles=True) for _ in range(plan.ledger_rounds)]
    operations = (store.operations - before) / (time.monotonic() - began)
    await ledger.aclose()
    return LedgerUse(Spread.of(admitted), Spread.of(settled), operations)


async def _admit(ledger: Ledger, seconds: float, *, settles: bool) -> float:
    """Admissions a second."""
    charges = (Charge("subscription:hot", Meter("tokens", Sliding(60)), LIMIT, 100),)
    began = time.perf_counter()
    admitted = 0
    while time.perf_counter() - began < seconds:
        for _ in range(TURN_EVERY):
            reservation = await ledger.reserve(charges)
            if settles:
                reservation.settle({"tokens": 80})
        admitted += TURN_EVERY
        await asyncio.sleep(0)
    return admitted / (time.perf_counter() - began)
