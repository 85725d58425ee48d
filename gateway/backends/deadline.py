"""A time limit that is cheap to set and to lift, thousands of times a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls `expired` once `start`'s seconds have passed without `stop`.

    Lifting the limit leaves its timer running and moving it later leaves it where it is; the timer finds out when it
    fires. So a connection that is used all the time sets one timer per limit, not one per request.
    """

    __slots__ = ("_at", "_expired", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None]) -> None:
        self._loop = loop
        self._expired = expired
        self._at: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, seconds: float) -> None:
        """Set the limit, in place of the one set before."""
        at = self._at = self._loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._fire)

    def stop(self) -> None:
        """Lift the limit."""
        self._at = None

    def cancel(self) -> None:
        """Lift the limit for good, and let go of the timer and of whoever is called."""
        self._at = None
        self._expired = _nobody
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        if self._at is None:
            return
        if self._loop.time() < self._at:
            self._timer = self._loop.call_at(self._at, self._fire)
            return
        self._at = None
        self._expired()


def _nobody() -> None:
    """Stands in for who was called: the two hold each other, and only the garbage collector could free them."""
