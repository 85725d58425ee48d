"""One instance in a process of its own: asks its ledger for tokens at random moments, until SIGTERM or a worse end.

`python -m bench.contention.spender NUMBER LIFE CONNECTION JOURNAL CONTEST`
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.contention.contest import Contest
from bench.contention.journal import ADMITTED, GRANTED, REFUSED, Journal
from gateway.ledger.ledger import Ledger
from gateway.ledger.meters import Meter
from gateway.ledger.record import Record
from gateway.ledger.refusals import LedgerUnavailable, LimitReached
from gateway.ledger.store import RecordStore, Stored, Written
from gateway.settings import Settings
from gateway.storage.ledger import LedgerStore
from gateway.storage.tables import Tables

READY = "ready"


class GrantsNoted:
    """A RecordStore that writes down by how much each write raises the counter."""

    def __init__(self, store: RecordStore, meter: Meter, journal: Journal) -> None:
        self._store = store
        self._meter = meter
        self._journal = journal
        self._total = 0

    async def read(self, key: str) -> Stored | None:
        """As the store has it."""
        stored = await self._store.read(key)
        self._total = self._total_of(stored.text) if stored else 0
        return stored

    async def write(self, key: str, text: str, etag: str | None) -> Written:
        """Into the store."""
        written = await self._store.write(key, text, etag)
        before, self._total = self._total, self._total_of(text)
        if self._total > before:
            self._journal.note(GRANTED, time.time(), self._total - before)
        return written

    def _total_of(self, text: str) -> int:
        return sum(Record.from_text(text).count(self._meter).slots.values())


class Spender:
    """Calls come at random moments, as many a second as the contest says."""

    def __init__(self, contest: Contest, number: int, life: int, journal: Journal) -> None:
        self._contest = contest
        self._number = number
        self._journal = journal
        self._rng = random.Random(f"{contest.seed} {number} {life}")
        self._calls: set[asyncio.Task[None]] = set()

    async def spend(self, ledger: Ledger, end: asyncio.Event) -> None:
        """Until `end`; calls that wait then are left to themselves."""
        due = time.monotonic()
        while not end.is_set():
            due += self._rng.expovariate(self._contest.calls_a_second)
            await asyncio.sleep(due - time.monotonic())
            amount = self._rng.randint(self._contest.smallest, self._contest.largest)
            call = asyncio.create_task(self._call(ledger, amount))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _call(self, ledger: Ledger, amount: int) -> None:
        try:
            reservation = await ledger.reserve([self._contest.charge(self._number, amount)])
        except (LimitReached, LedgerUnavailable):
            self._journal.note(REFUSED, time.time(), amount)
            return
        self._journal.note(ADMITTED, time.time(), amount)
        reservation.settle({"tokens": amount})


def clock(seconds: float) -> Callable[[], float]:
    """One that is off by so much."""
    return lambda: time.time() + seconds


async def main(number: int, life: int, connection: str, journal: Journal, contest: Contest) -> None:
    """Spend, and at the end give everything back."""
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    now = clock(contest.clock_offset(number))
    tables = Tables(Settings(tables=connection))
    ledger = Ledger(GrantsNoted(LedgerStore(tables), contest.meter, journal), now)
    print(READY, flush=True)
    await Spender(contest, number, life, journal).spend(ledger, end)
    await ledger.aclose()
    await tables.aclose()


if __name__ == "__main__":
    asyncio.run(
        main(
            int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Journal(Path(sys.argv[4])), Contest.from_text(sys.argv[5])
        )
    )
