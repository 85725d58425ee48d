"""The storage service's time, which all instances share, from what its answers say; good to tens of milliseconds.

Each answer carries the second in which it was made. It was made between sending the request and receiving the answer,
so it bounds how far the local clock is off. Bounds from many answers are narrower than each of them (F. Cristian,
"Probabilistic clock synchronization", 1989).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

# How far two clocks can drift apart, in seconds a second: ten times what quartz does.
DRIFT = 0.000_5
# Before any answer.
UNKNOWN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """The service's clock stood between `earliest` and `latest` when it made an answer; seconds since 1970."""

    earliest: float
    latest: float


class ServerClock:
    """`now()` is the service's time, right to within `uncertainty` seconds.

    `local` counts seconds, from any moment; before any answer that moment is taken to be `offset`.
    """

    def __init__(self, local: Callable[[], float], offset: float = 0.0) -> None:
        self.local = local
        self._least = self._most = 0.0
        self._observed: float | None = None
        self.offset = offset
        self.uncertainty = UNKNOWN_SECONDS

    @classmethod
    def steady(cls) -> Self:
        """By what has passed, suspensions of the machine included: nobody can set that."""
        local = time.monotonic
        if hasattr(time, "CLOCK_BOOTTIME"):
            local = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
        return cls(local, time.time() - local())

    def now(self) -> float:
        """Seconds since 1970."""
        return self.local() + self.offset

    @property
    def is_known(self) -> bool:
        """True once an answer has told the time."""
        return self._observed is not None

    def observe(self, bounds: TimeBounds | None, sent: float) -> None:
        """Take what an answer says that has just come, to a request sent when the local clock stood at `sent`."""
        if bounds is None:
            return
        received = self.local()
        least, most = bounds.earliest - received, bounds.latest - sent
        if self._observed is not None:
            drift = DRIFT * abs(received - self._observed)
            narrower = max(least, self._least - drift), min(most, self._most + drift)
            if narrower[0] <= narrower[1]:
                least, most = narrower
            # Otherwise one of the clocks has been set, and only the new bounds are true.
        self._least, self._most, self._observed = least, most, received
        self.offset = (least + most) / 2
        self.uncertainty = (most - least) / 2
