"""Table Storage as the simulation has it: latency, compare-and-swap, one commit at a time, and no more than it takes.

The limits are those that Microsoft publishes ("Scalability and performance targets for Table storage"): 2,000 entities
a second in a partition, 20,000 in an account. Latencies are assumed; `docs/scale.md` names them.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter

from gateway.errors import StorageUnavailable
from gateway.ledger.server_clock import TimeBounds
from gateway.ledger.store import Stored, Written
from gateway.storage.tables import Conflict, PreconditionFailed

READ_SECONDS = 0.005
WRITE_SECONDS = 0.008
# The standard deviation of the latency's logarithm: the slowest of 100 takes 2.5 times as long as the usual one.
SPREAD = 0.4
# The part of a write in which the service has the entity for itself.
COMMIT_SHARE = 0.5

PARTITION_A_SECOND = 2_000
ACCOUNT_A_SECOND = 20_000
# What azure-data-tables does with a 503, as it is set up in gateway/storage/connection.py.
RETRY_SECONDS = (0.1, 0.2)


class SimulatedStore:
    """One for all instances. Times are the service's own clock: that of the running loop."""

    def __init__(self, rng: random.Random, begin: float, partition_a_second: int = PARTITION_A_SECOND) -> None:
        self.operations: Counter[str] = Counter()
        self.busiest_partition = 0
        self._rng = rng
        self._begin = begin
        self._partition_a_second = partition_a_second
        self._rows: dict[str, tuple[str, int]] = {}
        self._commits: dict[str, asyncio.Lock] = {}
        self._version = 0
        self._second = 0
        self._in_second: Counter[str] = Counter()
        self._in_account = 0

    def now(self) -> float:
        """Seconds since 1970."""
        return self._begin + asyncio.get_running_loop().time()

    def seen_by_one(self) -> InstanceStore:
        """As one instance sees it."""
        return InstanceStore(self)

    async def read(self, key: str) -> tuple[tuple[str, int] | None, float]:
        """The row, if there is one, and when the service looked."""
        seconds = self._latency(READ_SECONDS)
        await self._arrive(key, "read", seconds / 2)
        found, moment = self._rows.get(key), self.now()
        await asyncio.sleep(seconds / 2)
        return found, moment

    async def write(self, key: str, text: str, version: int | None) -> tuple[int, float]:
        """The new version, and when it was written; raise PreconditionFailed or Conflict."""
        seconds = self._latency(WRITE_SECONDS)
        on_the_way = seconds * (1 - COMMIT_SHARE) / 2
        await self._arrive(key, "write", on_the_way)
        lock = self._commits.setdefault(key, asyncio.Lock())
        async with lock:
            refused = self._refused(key, version)
            if refused is None:
                await asyncio.sleep(seconds * COMMIT_SHARE)
                self._version += 1
                written, moment = self._version, self.now()
                self._rows[key] = (text, written)
        await asyncio.sleep(on_the_way)
        if refused is not None:
            self.operations["conflict"] += 1
            raise refused
        return written, moment

    def _refused(self, key: str, version: int | None) -> PreconditionFailed | Conflict | None:
        row = self._rows.get(key)
        if version is None:
            return Conflict() if row is not None else None
        return PreconditionFailed() if row is None or row[1] != version else None

    async def _arrive(self, key: str, kind: str, seconds: float) -> None:
        """Travel to the service; raise StorageUnavailable if it is too busy each time it is asked."""
        for pause in (*RETRY_SECONDS, None):
            await asyncio.sleep(seconds)
            self.operations[kind] += 1
            if self._has_room(key):
                return
            self.operations["busy"] += 1
            await asyncio.sleep(seconds)
            if pause is not None:
                await asyncio.sleep(self._rng.uniform(0.5, 1.5) * pause)
        raise StorageUnavailable("Table Storage answered 503 (ServerBusy)")

    def _has_room(self, key: str) -> bool:
        second = int(self.now())
        if second != self._second:
            self._second = second
            self._in_second.clear()
            self._in_account = 0
        if self._in_second[key] >= self._partition_a_second or self._in_account >= ACCOUNT_A_SECOND:
            return False
        self._in_second[key] += 1
        self._in_account += 1
        self.busiest_partition = max(self.busiest_partition, self._in_second[key])
        return True

    def _latency(self, median: float) -> float:
        return median * math.exp(self._rng.gauss(0.0, SPREAD))


class InstanceStore:
    """The ledger's RecordStore of one instance, which counts what that asks."""

    def __init__(self, store: SimulatedStore) -> None:
        self.operations = 0
        self._store = store

    async def read(self, key: str) -> Stored | None:
        """The record, or None if there is none."""
        self.operations += 1
        row, moment = await self._store.read(key)
        return Stored(row[0], str(row[1]), _bounds(moment)) if row else None

    async def write(self, key: str, text: str, etag: str | None) -> Written:
        """Write it if it is still the version `etag`, or not there; raise PreconditionFailed or Conflict."""
        self.operations += 1
        version, moment = await self._store.write(key, text, None if etag is None else int(etag))
        return Written(str(version), _bounds(moment))


def _bounds(moment: float) -> TimeBounds:
    # The service tells the second, as in the header Date.
    second = moment // 1
    return TimeBounds(second, second + 1)
