"""What calls used, counted in memory and written in the background: nothing on a call's way waits for storage.

An instance writes rows of its own only, each with all it has counted in the hour so far. What is written twice is the
same row, and what could not be written stays until it can be.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import batched, groupby
from typing import Protocol

from gateway.call import Call, Outcome
from gateway.errors import StorageUnavailable
from gateway.llm.model_names import shown_model
from gateway.storage.limits import MOST_OPERATIONS
from gateway.storage.usage import UsageKey, UsageRow

log = logging.getLogger("gateway.usage")

HOUR_SECONDS = 3_600
WARNING_SECONDS = 60.0
LAST_WRITE_SECONDS = 5.0

# Callers choose the names of models. Beyond so many in an hour, for one user of one API and for all together, their
# calls are counted as one.
MOST_MODELS = 100
MOST_ROWS = 5_000
OTHER = "(other)"

Place = tuple[str | None, str | None, str, str | None]


class Store(Protocol):
    """Where rows are kept."""

    async def write(self, rows: Sequence[UsageRow]) -> None: ...


class UsageRecorder:
    """Counts the calls of this instance by hour (UTC), subscription, product, API and model.

    `refusals` are the codes with which the gateway's limits refuse calls. `now` is the time of day, in seconds
    since 1970.
    """

    def __init__(
        self,
        store: Store,
        refusals: frozenset[str],
        flush_seconds: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._refusals = refusals
        self._flush_seconds = flush_seconds
        self._now = now
        self._instance = uuid.uuid4().hex
        self._rows_made = 0
        self._hour = -1
        self._rows: dict[Place, UsageRow] = {}
        self._models: Counter[Place] = Counter()
        self._changed: set[UsageRow] = set()
        self._has_changes = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._warned = -WARNING_SECONDS

    def record(self, call: Call, outcome: Outcome) -> None:
        """Count a call that is over; one for which no API was found is nobody's. Never waits."""
        entry = call.entry
        if entry is None:
            return
        hour = int(self._now() // HOUR_SECONDS)
        if hour != self._hour:
            # Rows of the hour before that are not yet written are among the changed ones, and forgotten when they are.
            self._hour, self._rows, self._models = hour, {}, Counter()
        caller, product = call.caller, call.caller.product
        place = (caller.subscription, product.name if product else None, entry.api.name, shown_model(call))
        row = self._rows.get(place) or self._new_row(place)
        figures, usage = row.figures, call.usage
        figures.calls += 1
        # A stream that a limit has ended has such a code too, and was let through.
        if outcome.code in self._refusals and outcome.status >= 400:
            figures.refusals += 1
        if outcome.cached:
            figures.cache_hits += 1
        if usage is not None:
            figures.prompt += usage.prompt
            figures.cached += usage.cached
            figures.completion += usage.completion
            figures.reasoning += usage.reasoning
            if call.cost is None:
                figures.unpriced += 1
        if call.cost is not None:
            figures.cost += call.cost
        self._changed.add(row)
        self._has_changes.set()

    def start(self) -> None:
        """Begin to write in the background, whenever there is something to write."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Stop, and write what is not written yet."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            async with asyncio.timeout(LAST_WRITE_SECONDS):
                await self.flush()
        except (StorageUnavailable, TimeoutError) as error:
            log.error("%d rows of usage are lost, for storage is away: %s", len(self._changed), error)

    async def flush(self) -> None:
        """Write all that has changed, the oldest hour first. What cannot be written now is kept for the next time."""
        rows, self._changed = self._changed, set()
        self._has_changes.clear()
        waiting = list(_batches(rows))
        try:
            while waiting:
                await self._store.write(waiting[0])
                del waiting[0]
        finally:
            for batch in waiting:
                self._changed.update(batch)
                self._has_changes.set()

    async def _run(self) -> None:
        while True:
            await self._has_changes.wait()
            await asyncio.sleep(self._flush_seconds)
            try:
                await self.flush()
            except StorageUnavailable as error:
                self._warn("usage cannot be written, and is kept until it can be: %s", error)
            except Exception as error:
                # Whatever it is, the next round may do better; without one all would be lost.
                self._warn("usage cannot be written, and is kept until it can be", exc_info=error)

    def _warn(self, message: str, *arguments: object, exc_info: Exception | None = None) -> None:
        moment = asyncio.get_running_loop().time()
        if moment - self._warned >= WARNING_SECONDS:
            self._warned = moment
            log.warning(message, *arguments, exc_info=exc_info)

    def _new_row(self, place: Place) -> UsageRow:
        group = (place[0], place[1], place[2], OTHER)
        if self._models[group] >= MOST_MODELS or len(self._rows) >= MOST_ROWS:
            if (row := self._rows.get(group)) is not None:
                return row
            place = group
        self._models[group] += 1
        # A number that never comes back: should the clock be set back into an hour whose rows are forgotten already,
        # its new rows must not replace those in storage.
        self._rows_made += 1
        row = self._rows[place] = UsageRow(
            hour=datetime.fromtimestamp(self._hour * HOUR_SECONDS, UTC),
            key=UsageKey(*(_storable(name or "") for name in place)),
            name=f"{self._instance}:{self._rows_made}",
        )
        return row


def _storable(name: str) -> str:
    """Models' names come from callers, and not every character can be sent to storage."""
    return "".join(character if character.isprintable() else "?" for character in name)


def _batches(rows: Iterable[UsageRow]) -> Iterable[tuple[UsageRow, ...]]:
    for _, of_hour in groupby(sorted(rows, key=lambda row: row.hour), key=lambda row: row.hour):
        yield from batched(of_hour, MOST_OPERATIONS, strict=False)
