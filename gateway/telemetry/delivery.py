"""Exports in every interval, in a thread of its own, so that no exporter can hold up a call."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Thread
from typing import Protocol

from gateway.telemetry.aggregates import Aggregates

log = logging.getLogger("gateway.metrics")

LAST_EXPORT_SECONDS = 2.0
SECONDS_BETWEEN_COMPLAINTS = 60.0


class Outlet(Protocol):
    """One place that metrics go to. Its methods may block; they are called in a thread, one at a time."""

    name: str

    def deliver(self, interval: Aggregates, ended: int) -> str | None:
        """Export an interval that ended at `ended` (nanoseconds of the epoch). Returns why it failed, or None."""
        ...

    def close(self) -> None:
        """Let go of its connections."""
        ...


class Complaints:
    """Says of each outlet that it fails, but not more than once a minute."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: dict[str, float] = {}

    def hear(self, name: str, reason: str) -> None:
        """Log it, if nothing was said of this outlet in the last minute."""
        now = self._clock()
        if now - self._last.get(name, float("-inf")) >= SECONDS_BETWEEN_COMPLAINTS:
            self._last[name] = now
            log.warning("metrics do not reach %s: %s", name, reason)


class Delivery:
    """Takes what was recorded, once in an interval (seconds), and hands it to every outlet."""

    def __init__(
        self,
        open_outlets: Callable[[], Sequence[Outlet]],
        take: Callable[[], Aggregates],
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_outlets = open_outlets
        self._take = take
        self._interval = interval
        self._complaints = Complaints(clock)
        self._outlets: Sequence[Outlet] = ()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, if that has not begun."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """One export more, if it takes no longer than two seconds with all that is under way."""
        if self._task is None:
            return
        self._closing.set()
        await asyncio.wait([self._task], timeout=LAST_EXPORT_SECONDS)
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            self._outlets = await _in_thread(self._open_outlets)
        except Exception:
            # The service goes on without metrics; there is nothing here that a call needs.
            log.exception("metrics are not exported")
            return
        is_last = False
        while not is_last:
            is_last = await self._closes_within_interval()
            try:
                await _in_thread(partial(self._deliver, self._take(), time.time_ns()))
            except Exception:
                # The next interval may do better; without one all metrics would be lost.
                log.exception("metrics of one interval are lost")
        await _in_thread(self._close)

    async def _closes_within_interval(self) -> bool:
        try:
            async with asyncio.timeout(self._interval):
                return await self._closing.wait()
        except TimeoutError:
            return False

    def _deliver(self, interval: Aggregates, ended: int) -> None:
        for outlet in self._outlets:
            reason = outlet.deliver(interval, ended)
            if reason is not None:
                self._complaints.hear(outlet.name, reason)

    def _close(self) -> None:
        for outlet in self._outlets:
            outlet.close()


async def _in_thread[Result](function: Callable[[], Result]) -> Result:
    # No executor: its threads are waited for when the process ends, however long a dead exporter holds them.
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def run() -> None:
        try:
            finish = partial(_finish, done, function())
        except Exception as error:
            finish = partial(_fail, done, error)
        # Nobody waits any more when the loop is closed.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(finish)

    Thread(target=run, name="metrics", daemon=True).start()
    return await done


def _finish[Result](done: asyncio.Future[Result], result: Result) -> None:
    if not done.done():
        done.set_result(result)


def _fail[Result](done: asyncio.Future[Result], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
