"""The counters of limits, as operators see them: what each has left, when it frees, and setting it to 0."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from gateway.errors import CatalogError, Fault
from gateway.ledger.meters import Meter
from gateway.ledger.record import Count, Record
from gateway.storage.ledger import LedgerStore
from gateway.storage.tables import Conflict, PreconditionFailed

# Instances write a hot counter twice a second each.
ATTEMPTS = 30
LONGEST_PAUSE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class MeterState:
    """One meter of a counter. `used` is what instances were granted, spent or not; `limit` the one applied last.

    Amounts are tokens, calls, or billionths of a US dollar. `next_free` is when the first of what is used stops
    counting, `all_free` when all of it has; None if nothing is used.
    """

    meter: Meter
    limit: int
    used: int
    next_free: datetime | None
    all_free: datetime | None

    @property
    def left(self) -> int:
        """What can be granted now."""
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter key with its meters; `fault` says why its record cannot be read."""

    key: str
    meters: tuple[MeterState, ...] = ()
    fault: str | None = None


class Counters:
    """Reads and resets the counters in the ledger's table. `now` is the time of day, in seconds since 1970."""

    def __init__(
        self,
        store: LedgerStore,
        now: Callable[[], float] = time.time,
        longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
    ) -> None:
        self._store = store
        self._now = now
        self._longest_pause_seconds = longest_pause_seconds

    async def show(self, key: str) -> Counter | None:
        """One counter; None if nothing was ever granted from it."""
        stored = await self._store.read(key)
        return None if stored is None else self._counter(key, stored.text)

    async def find(self, pattern: str = "*") -> AsyncIterator[Counter]:
        """All counters whose key matches; `*` stands for any text. Looks through the whole table."""
        async for page in self._store.pages():
            for key, text in page:
                if fnmatchcase(key, pattern):
                    yield self._counter(key, text)

    async def reset(self, key: str) -> Counter | None:
        """Empty every meter of a counter, and have instances drop what they hold of it; None if there is no such one.

        Raises CatalogError if others write it all the time.
        """
        for _ in range(ATTEMPTS):
            stored = await self._store.read(key)
            if stored is None:
                return None
            text = self._emptied(stored.text).to_text()
            try:
                await self._store.write(key, text, stored.etag)
            except (PreconditionFailed, Conflict):
                await asyncio.sleep(random.uniform(0, self._longest_pause_seconds))
                continue
            return self._counter(key, text)
        raise CatalogError([Fault(f"Counter {key}", "is being changed by instances all the time; try again")])

    def _emptied(self, text: str) -> Record:
        try:
            record = Record.from_text(text)
        except ValueError:
            # Nobody can have read its epoch either: any that was not there before will do.
            return Record(epoch=int(self._now()))
        counts = {meter: Count(limit=count.limit) for meter, count in record.counts.items()}
        return Record(counts, record.epoch + 1, record.writes)

    def _counter(self, key: str, text: str) -> Counter:
        try:
            record = Record.from_text(text)
        except ValueError as error:
            return Counter(key, fault=str(error))
        states = (_state(meter, count, self._now()) for meter, count in record.counts.items())
        return Counter(key, tuple(sorted(states, key=lambda state: state.meter.name)))


def _state(meter: Meter, count: Count, now: float) -> MeterState:
    used = meter.window.used(count.slots, now)
    if not used:
        return MeterState(meter, count.limit, 0, None, None)
    next_free, all_free = (meter.window.frees(count.slots, now, amount) for amount in (1, used))
    return MeterState(
        meter, count.limit, used, datetime.fromtimestamp(next_free, UTC), datetime.fromtimestamp(all_free, UTC)
    )
