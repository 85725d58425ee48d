"""Whether storage fails for every counter. Then nobody queues for it, and a few ask whether it is there again."""

from __future__ import annotations

# So many exchanges in a row, of any counters, without one that succeeded.
FAILURES_IN_A_ROW = 8


class Outage:
    """What all counters of an instance have met lately."""

    def __init__(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        """Storage could not be asked about a counter."""
        self._failures += 1

    def succeeded(self) -> None:
        """It could."""
        self._failures = 0

    @property
    def is_general(self) -> bool:
        """True if to wait for storage would be in vain."""
        return self._failures >= FAILURES_IN_A_ROW
