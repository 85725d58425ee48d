"""Whether storage fails for one counter, and when it is to be asked again."""

from __future__ import annotations

import logging
from collections.abc import Callable

from gateway.ledger.server_clock import ServerClock

log = logging.getLogger("gateway.ledger")

PROBE_SECONDS = 2.0


class CutOff:
    """Says in the log when it begins and when it ends; `on_failure` is told of every failure."""

    def __init__(self, key: str, clock: ServerClock, on_failure: Callable[[], None] | None) -> None:
        self.is_on = False
        # By the local clock.
        self.probe_at = 0.0
        self._key = key
        self._clock = clock
        self._on_failure = on_failure

    def begin(self, reason: str) -> None:
        """Storage could not be asked, once more or for the first time."""
        if not self.is_on:
            log.warning(
                "the counter %s is cut off from storage; calls are counted by this instance alone for now, "
                "or refused where onUnavailable is deny: %s",
                self._key,
                reason,
            )
        if self._on_failure is not None:
            self._on_failure()
        self.is_on = True
        self.probe_at = self._clock.local() + PROBE_SECONDS

    def end(self) -> None:
        """It could be."""
        if self.is_on:
            log.info("the counter %s is shared again", self._key)
        self.is_on = False

    @property
    def is_to_probe(self) -> bool:
        """True if it is time to ask again."""
        return self.is_on and self._clock.local() >= self.probe_at
