"""One instance's exchange with storage over one counter key: read, plan, compare-and-swap, and again on a conflict."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import deque
from collections.abc import Callable

from gateway.errors import StorageUnavailable
from gateway.ledger.pace import Pace
from gateway.ledger.plan import Moment, Plan
from gateway.ledger.record import Record
from gateway.ledger.server_clock import ServerClock
from gateway.ledger.store import RecordStore, Stored
from gateway.storage.tables import Conflict, PreconditionFailed

# One operation. Who waits longer has lost storage.
PATIENCE_SECONDS = 2.0
# Whoever hears of a failure so much later than that stood still, and it tells nothing of storage.
PAUSE_SECONDS = 0.5
# All of them are to replace the same version, so one at most arrives.
UNSURE_AT_MOST = 16

# A view that says a limit is reached is looked at again this often: others may have given back, or set it to 0.
RECHECK_SECONDS = 2.0

FIRST_BACKOFF_SECONDS = 0.02
LONGEST_BACKOFF_SECONDS = 1.0

HORIZON_SECONDS = 1.0
SHORTEST_SECONDS = 0.2
# Under contention an exchange takes longer, and leases must last longer for it.
EXCHANGES_A_LEASE = 8
LATEST_WEIGHT = 0.3


class Exchange:
    """Knows the record as it was last seen, and whether others write it too."""

    def __init__(self, key: str, store: RecordStore, clock: ServerClock, rng: random.Random) -> None:
        self.record: Record | None = None
        self.looked_at = 0.0
        # How often the counter has been set to 0 since this instance first saw its record.
        self.epoch = 0
        self.clock = clock
        self.pace = Pace(clock.now())
        self._key = key
        self._store = store
        self._rng = rng
        self._etag: str | None = None
        self._is_shared = False
        # Writes that may have arrived or may yet arrive, and the version that each is to replace.
        self.unsure: deque[tuple[str | None, Plan]] = deque(maxlen=UNSURE_AT_MOST)
        self._writer = secrets.token_hex(4)
        self._seconds = 0.0

    def moment(self) -> Moment:
        """Now, and how long leases should last."""
        horizon = max(HORIZON_SECONDS, EXCHANGES_A_LEASE * self._seconds)
        shortest = max(SHORTEST_SECONDS, 2 * self._seconds)
        return Moment(self.clock.now(), self.clock.uncertainty, horizon, shortest)

    @property
    def is_to_look_again(self) -> bool:
        """True if the view is too old to refuse by."""
        return self.clock.now() - self.looked_at >= RECHECK_SECONDS

    async def run(self, draw_up: Callable[[], Plan], arrived: Callable[[Plan], None], *, must_read: bool) -> Plan:
        """Draw up a plan and write it; returns the one that holds. Nobody is refused by a record that may be old.

        `arrived` is told of an earlier plan that was written although its answer was lost. Raises StorageUnavailable,
        and ValueError if the record cannot be read.
        """
        await asyncio.sleep(self.pace.wait(self.clock.now()))
        started = self.clock.local()
        is_fresh = must_read or self._is_shared or self.record is None or bool(self.unsure)
        if is_fresh:
            await self._read(arrived)
        if not self.clock.is_known and self.record is not None:
            # Nothing may be granted before the time is known, and there was no record to tell it.
            await self._write(Plan(self.record.copy(), secrets.token_hex(3), {}, {}))
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            plan = draw_up()
            if plan.refusals and not is_fresh:
                await self._read(arrived)
                is_fresh = True
                continue
            if not plan.changes_something or await self._write(plan):
                self._took(self.clock.local() - started)
                return plan
            await asyncio.sleep(self._rng.uniform(0, backoff))
            backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)
            await self._read(arrived)
            is_fresh = True

    async def _read(self, arrived: Callable[[Plan], None]) -> None:
        sent = self._send()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                stored = await self._store.read(self._key)
        except (StorageUnavailable, TimeoutError) as error:
            if self._stood_still_since(sent):
                await self._read(arrived)
                return
            raise StorageUnavailable(str(error) or "Table Storage did not answer in time") from error
        record = self._see(stored, sent)
        self.looked_at = self.clock.now()
        for _, plan in self.unsure:
            if record.has(self._writer, plan.mark):
                arrived(plan)
        # What is to replace this version can still arrive; what was to replace an earlier one cannot.
        kept = [(replaces, plan) for replaces, plan in self.unsure if replaces == self._etag]
        self.unsure = deque(kept, UNSURE_AT_MOST)

    def _see(self, stored: Stored | None, sent: float) -> Record:
        known, etag = self.record, stored.etag if stored else None
        self.record = record = Record.from_text(stored.text) if stored else Record(epoch=known.epoch if known else 0)
        # Somebody else has written: the next exchange begins with a look.
        self._is_shared = known is not None and etag != self._etag
        self._etag = etag
        if known is not None and known.epoch != record.epoch:
            self.epoch += 1
        if stored:
            self.clock.observe(stored.time, sent)
        return record

    async def _write(self, plan: Plan) -> bool:
        sent = self._send()
        plan.record.marked(self._writer, plan.mark)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                written = await self._store.write(self._key, plan.record.to_text(), self._etag)
        except (PreconditionFailed, Conflict):
            # A repeated request whose first answer was lost meets its own write: the next look tells.
            self.unsure.append((self._etag, plan))
            return False
        except (StorageUnavailable, TimeoutError) as error:
            self.unsure.append((self._etag, plan))
            if self._stood_still_since(sent):
                return False
            raise StorageUnavailable(str(error) or "Table Storage did not answer in time") from error
        self.record, self._etag = plan.record, written.etag
        self.unsure.clear()
        self.clock.observe(written.time, sent)
        self.looked_at = self.clock.now()
        return True

    def _stood_still_since(self, sent: float) -> bool:
        return self.clock.local() - sent > PATIENCE_SECONDS + PAUSE_SECONDS

    def _send(self) -> float:
        """An operation is sent; returns when, by the local clock."""
        self.pace.spend(self.clock.now())
        return self.clock.local()

    def _took(self, seconds: float) -> None:
        self._seconds += LATEST_WEIGHT * (seconds - self._seconds)
