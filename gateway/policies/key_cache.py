"""Subscription keys, remembered for a while, so that a known key costs no storage call.

A known key is served for `known_seconds`, and looked up again in the background when two thirds of that are over;
an unknown one is refused for `unknown_seconds`. One look-up at a time for a key, however many wait for it. While
storage cannot be reached, or takes longer than `PATIENCE_SECONDS`, known keys go on working.
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
PATIENCE_SECONDS = 2.0

# The form of a key can be forged. Forged ones must not push known ones out, nor take storage from them.
UNKNOWN_SIZE = 5_000
FIRST_LOOK_UPS_AT_ONCE = 16

FindByDigest = Callable[[str], Awaitable[SubscriptionRecord | None]]


@dataclass(slots=True)
class _Known:
    record: SubscriptionRecord
    checked: float
    refreshed_in_vain: float | None = None


class KeyCache:
    """Who owns a key. Bounded to `size` known keys; the least recently used leave first."""

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
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._look_ups: dict[str, asyncio.Task[SubscriptionRecord | None]] = {}
        self._first_look_ups = asyncio.Semaphore(FIRST_LOOK_UPS_AT_ONCE)

    async def find(self, key: str) -> SubscriptionRecord | None:
        """The subscription a key belongs to, or None. Raises UnavailableError if storage is needed and away."""
        name = digest(key)
        known = self._known.get(name)
        if known is None:
            return None if self._is_refused(name, key) else await self._look_up(name)
        self._known.move_to_end(name)
        age = self._now() - known.checked
        if age >= self._known_seconds * REFRESH_AT and self._may_ask(known):
            look_up = self._start(name)
            if age >= self._known_seconds:
                return await self._check_again(name, known, look_up)
        return known.record

    def _is_refused(self, name: str, key: str) -> bool:
        checked = self._unknown.get(name)
        return not is_well_formed(key) if checked is None else self._now() - checked < self._unknown_seconds

    def _may_ask(self, known: _Known) -> bool:
        tried = known.refreshed_in_vain
        return tried is None or self._now() - tried >= RETRY_SECONDS

    async def _check_again(
        self, name: str, known: _Known, look_up: asyncio.Task[SubscriptionRecord | None]
    ) -> SubscriptionRecord | None:
        done, _ = await asyncio.wait([look_up], timeout=PATIENCE_SECONDS)
        if done:
            return look_up.result()
        # It goes on beside the path, and its answer will count.
        self._in_vain(known, f"storage has not answered for {PATIENCE_SECONDS:.0f} s")
        return known.record

    async def _look_up(self, name: str) -> SubscriptionRecord | None:
        # Shielded: one caller's leaving must not fail the others that wait for the same look-up.
        return await asyncio.shield(self._start(name))

    def _start(self, name: str) -> asyncio.Task[SubscriptionRecord | None]:
        task = self._look_ups.get(name)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._ask(name))
            self._look_ups[name] = task
            task.add_done_callback(lambda done: self._forget(name, done))
        return task

    def _forget(self, name: str, task: asyncio.Task[SubscriptionRecord | None]) -> None:
        del self._look_ups[name]
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, UnavailableError):
            # Whoever waits has it too, but of a look-up beside the path nobody else would hear.
            log.error("a subscription key could not be looked up", exc_info=error)

    async def _ask(self, name: str) -> SubscriptionRecord | None:
        known = self._known.get(name)
        if known is not None:
            return await self._ask_storage(name, known)
        async with self._first_look_ups:
            return await self._ask_storage(name, None)

    async def _ask_storage(self, name: str, known: _Known | None) -> SubscriptionRecord | None:
        asked = self._now()
        try:
            record = await self._find(name)
        except StorageUnavailable as error:
            if known is None:
                raise UnavailableError("SubscriptionsUnavailable", headers={"retry-after": "5"}) from error
            self._in_vain(known, str(error))
            return known.record
        self._remember(name, record, asked)
        return record

    def _in_vain(self, known: _Known, reason: str) -> None:
        known.refreshed_in_vain = self._now()
        log.warning("a subscription key could not be checked again and goes on working: %s", reason)

    def _remember(self, name: str, record: SubscriptionRecord | None, asked: float) -> None:
        self._known.pop(name, None)
        self._unknown.pop(name, None)
        if record is None:
            self._unknown[name] = asked
            _shrink(self._unknown, UNKNOWN_SIZE)
        else:
            self._known[name] = _Known(record, asked)
            _shrink(self._known, self._size)


def _shrink[Value](entries: OrderedDict[str, Value], size: int) -> None:
    while len(entries) > size:
        entries.popitem(last=False)
