"""Subscription keys, remembered for a while, so that a known key costs no storage call.

A known key is served for `known_seconds`, and looked up again in the background when two thirds of that are over;
an unknown one is refused for `unknown_seconds`. One look-up at a time for a key, however many wait for it. While
storage cannot be reached, known keys go on working.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.catalog.keys import digest, is_well_formed
from gateway.errors import StorageUnavailable, UnavailableError
from gateway.storage.subscriptions import SubscriptionRecord

log = logging.getLogger("gateway.keys")

REFRESH_AT = 2 / 3
RETRY_SECONDS = 5.0

FindByDigest = Callable[[str], Awaitable[SubscriptionRecord | None]]


@dataclass(slots=True)
class _Entry:
    record: SubscriptionRecord | None
    checked: float
    refreshed_in_vain: float | None = None


class KeyCache:
    """Who owns a key. Bounded to `size` keys; the least recently used leave first."""

    def __init__(
        self,
        find: FindByDigest,
        *,
        known_seconds: float = 30.0,
        unknown_seconds: float = 5.0,
        size: int = 50_000,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._find = find
        self._known_seconds = known_seconds
        self._unknown_seconds = unknown_seconds
        self._size = size
        self._now = now
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._look_ups: dict[str, asyncio.Task[SubscriptionRecord | None]] = {}

    async def find(self, key: str) -> SubscriptionRecord | None:
        """The subscription a key belongs to, or None. Raises UnavailableError if storage is needed and away."""
        name = digest(key)
        entry = self._entries.get(name)
        if entry is None:
            return await self._look_up(name) if is_well_formed(key) else None
        self._entries.move_to_end(name)
        age = self._now() - entry.checked
        if entry.record is None:
            return None if age < self._unknown_seconds else await self._look_up(name)
        if age >= self._known_seconds and self._may_ask(entry):
            return await self._look_up(name)
        if age >= self._known_seconds * REFRESH_AT:
            self._refresh(name, entry)
        return entry.record

    def _refresh(self, name: str, entry: _Entry) -> None:
        if self._may_ask(entry):
            self._start(name)

    def _may_ask(self, entry: _Entry) -> bool:
        tried = entry.refreshed_in_vain
        return tried is None or self._now() - tried >= RETRY_SECONDS

    async def _look_up(self, name: str) -> SubscriptionRecord | None:
        # Shielded: one caller's leaving must not fail the others that wait for the same look-up.
        return await asyncio.shield(self._start(name))

    def _start(self, name: str) -> asyncio.Task[SubscriptionRecord | None]:
        task = self._look_ups.get(name)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._ask_storage(name))
            self._look_ups[name] = task
            task.add_done_callback(lambda done: self._forget(name, done))
        return task

    def _forget(self, name: str, task: asyncio.Task[SubscriptionRecord | None]) -> None:
        del self._look_ups[name]
        if not task.cancelled():
            task.exception()  # Whoever waits has it; a background refresh has no one to tell.

    async def _ask_storage(self, name: str) -> SubscriptionRecord | None:
        asked = self._now()
        try:
            record = await self._find(name)
        except StorageUnavailable as error:
            return self._without_storage(name, error)
        self._entries[name] = _Entry(record, asked)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)
        return record

    def _without_storage(self, name: str, error: StorageUnavailable) -> SubscriptionRecord:
        entry = self._entries.get(name)
        if entry is None or entry.record is None:
            raise UnavailableError("SubscriptionsUnavailable", headers={"retry-after": "5"}) from error
        log.warning("a subscription key could not be checked again and goes on working: %s", error)
        entry.refreshed_in_vain = self._now()
        return entry.record
