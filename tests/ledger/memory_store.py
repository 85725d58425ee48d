"""The ledger's store in memory: the same compare-and-swap, with a latency and faults on request."""

from __future__ import annotations

import asyncio
import itertools

from gateway.errors import StorageUnavailable
from gateway.ledger.record import Record
from gateway.ledger.server_clock import TimeBounds
from gateway.ledger.store import Stored, Written
from gateway.storage.tables import Conflict, PreconditionFailed
from tests.ledger.virtual_time import now


class MemoryStore:
    """One for all instances. `away` makes every operation fail; the next `loses_answers` writes arrive unheard."""

    def __init__(self, seconds: float = 0.005) -> None:
        self.seconds = seconds
        self.away = False
        self.loses_answers = 0
        self.operations: list[tuple[float, str]] = []
        self._rows: dict[str, tuple[str, str]] = {}
        self._versions = itertools.count(1)

    async def read(self, key: str) -> Stored | None:
        await self._travel("read")
        row = self._rows.get(key)
        return Stored(*row, _time()) if row else None

    async def write(self, key: str, text: str, etag: str | None) -> Written:
        await self._travel("write")
        row = self._rows.get(key)
        if etag is None and row is not None:
            raise Conflict
        if etag is not None and (row is None or row[1] != etag):
            raise PreconditionFailed
        version = str(next(self._versions))
        self._rows[key] = (text, version)
        if self.loses_answers:
            self.loses_answers -= 1
            raise StorageUnavailable("the answer was lost")
        return Written(version, _time())

    async def _travel(self, kind: str) -> None:
        self.operations.append((now(), kind))
        await asyncio.sleep(self.seconds)
        if self.away:
            raise StorageUnavailable("away")

    def record(self, key: str) -> Record:
        """What is stored, as the ledger reads it."""
        return Record.from_text(self._rows[key][0]) if key in self._rows else Record()

    def put(self, key: str, record: Record) -> None:
        """Change it as an operator does."""
        self.put_text(key, record.to_text())

    def put_text(self, key: str, text: str) -> None:
        """Change it to anything."""
        self._rows[key] = (text, str(next(self._versions)))


def _time() -> TimeBounds:
    second = now() // 1
    return TimeBounds(second, second + 1)
