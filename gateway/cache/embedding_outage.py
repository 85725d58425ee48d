"""Keeps an outage of the embeddings from costing each call its time limit, and the log a line."""

from __future__ import annotations

import logging
from collections.abc import Callable

from gateway.cache.embedding_answer import Failure

log = logging.getLogger("gateway.cache")

# In a row.
MOST_FAILURES = 5
PAUSE_SECONDS = 5.0
SECONDS_BETWEEN_LINES = 60.0


class Outage:
    """After MOST_FAILURES nobody asks for PAUSE_SECONDS; then one does, and only if that goes well do all again."""

    def __init__(self, backend: str, now: Callable[[], float]) -> None:
        self._backend = backend
        self._now = now
        self._failures = 0
        self._resume = 0.0
        self._logged: dict[str, float] = {}

    def may_ask(self) -> bool:
        """Whether to ask now; True must be followed by asking."""
        if self._failures < MOST_FAILURES:
            return True
        now = self._now()
        if now < self._resume:
            return False
        self._resume = now + PAUSE_SECONDS
        return True

    def note(self, failure: Failure) -> None:
        """It has failed."""
        now = self._now()
        reason, detail, is_outage = failure
        if is_outage:
            self._failures += 1
            if self._failures == MOST_FAILURES:
                self._resume = now + PAUSE_SECONDS
        logged = self._logged.get(reason)
        if logged is None or now - logged >= SECONDS_BETWEEN_LINES:
            self._logged[reason] = now
            log.warning("embeddings of backend %s: %s (%s)", self._backend, reason, detail)

    def is_over(self) -> None:
        """It has answered."""
        self._failures = 0
