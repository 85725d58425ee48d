"""A warning that could come with every call, once a minute."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

WARNING_SECONDS = 60.0


class Rarely:
    """Logs a warning a minute at most, with the number of those that it left out. `now` is in seconds, of any kind."""

    def __init__(self, log: logging.Logger, now: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._now = now
        self._warned: float | None = None
        self._left_out = 0

    def warn(self, message: str, *arguments: object, error: BaseException | None = None) -> None:
        """Say it, or count it. An error's traceback is for what nobody foresaw."""
        moment = self._now()
        if self._warned is not None and moment - self._warned < WARNING_SECONDS:
            self._left_out += 1
            return
        more = f" (and {self._left_out} warnings more since the last)" if self._left_out else ""
        self._warned, self._left_out = moment, 0
        self._log.warning(message + more, *arguments, exc_info=error)
