"""How often one counter key may ask storage."""

from __future__ import annotations

# Operations a second, in the long run, and at once after a rest: no minute has more than 2 a second.
OPERATIONS_A_SECOND = 1.9
OPERATIONS_AT_ONCE = 6.0


class Pace:
    """Fills up by `OPERATIONS_A_SECOND`; may be overdrawn, and has to recover then."""

    __slots__ = ("_level", "_since")

    def __init__(self, moment: float) -> None:
        self._level = OPERATIONS_AT_ONCE
        self._since = moment

    def spend(self, moment: float) -> None:
        """One operation is sent."""
        self._level = self._at(moment) - 1.0
        self._since = moment

    def wait(self, moment: float) -> float:
        """Seconds until an operation may be sent; 0 for now."""
        return max(0.0, (1.0 - self._at(moment)) / OPERATIONS_A_SECOND)

    def _at(self, moment: float) -> float:
        passed = max(0.0, moment - self._since)
        return min(OPERATIONS_AT_ONCE, self._level + passed * OPERATIONS_A_SECOND)
