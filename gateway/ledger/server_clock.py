"""The storage service's time, which all instances share, from what its answers say; good to tens of milliseconds.

Each answer carries the second in which it was made. It was made between sending the request and receiving the answer,
so it bounds how far the local clock is off. Bounds from many answers are narrower than each of them (F. Cristian,
"Probabilistic clock synchronization", 1989).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# How far two clocks can drift apart, in seconds a second: ten times what quartz does.
DRIFT = 0.000_5
# Before any answer, and at most.
UNKNOWN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """The service's clock stood between `earliest` and `latest` at some moment between `sent` and `received`."""

    sent: float
    received: float
    earliest: float
    latest: float


class ServerClock:
    """`now()` is the service's time, right to within `uncertainty` seconds."""

    def __init__(self, local: Callable[[], float]) -> None:
        self._local = local
        self._least = self._most = 0.0
        self._observed: float | None = None
        self.offset = 0.0
        self.uncertainty = UNKNOWN_SECONDS

    def now(self) -> float:
        """Seconds since 1970."""
        return self._local() + self.offset

    def observe(self, bounds: TimeBounds | None) -> None:
        """Take what an answer says."""
        if bounds is None:
            return
        least, most = bounds.earliest - bounds.received, bounds.latest - bounds.sent
        if self._observed is not None:
            drift = DRIFT * abs(bounds.received - self._observed)
            narrower = max(least, self._least - drift), min(most, self._most + drift)
            if narrower[0] <= narrower[1]:
                least, most = narrower
            # Otherwise one of the clocks has been set, and only the new bounds are true.
        self._least, self._most, self._observed = least, most, bounds.received
        self.offset = (least + most) / 2
        self.uncertainty = min((most - least) / 2, UNKNOWN_SECONDS)
