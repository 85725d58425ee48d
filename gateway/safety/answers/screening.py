"""How the answers to one product's calls of one API are screened."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Self

from gateway.cache.rarely import Rarely
from gateway.call import SafetyNote
from gateway.safety.answers.windows import Windows
from gateway.safety.asked import Asked
from gateway.safety.judging import judge
from gateway.safety.refusal import unavailable
from gateway.safety.screener import Screener

log = logging.getLogger("gateway.safety")


class AnswerScreening:
    """By all who screen them, in the same windows. `stamp` is the same as long as answers would be judged alike.

    `sharing` is the same only if all else is the same too that decides what a caller gets, and when.
    """

    def __init__(self, screeners: Sequence[Screener], api: str) -> None:
        self.stamp = hashlib.blake2b(
            "".join(sorted(each.stamp for each in screeners)).encode(), digest_size=8
        ).hexdigest()
        self.sharing = hashlib.blake2b(
            repr(sorted(_handling(each) for each in screeners)).encode(), digest_size=16
        ).hexdigest()
        self._screeners = screeners
        self._api = api
        sizes = [each.settings.window_size for each in screeners]
        self._window_size = max(sizes) if all(sizes) else 0
        self._overlap = max(each.settings.window_overlap_size for each in screeners)
        self._blocks_outages = any(each.settings.on_error == "block" for each in screeners)
        self._rarely = Rarely(log)

    @classmethod
    def of(cls, screeners: Sequence[Screener], api: str) -> Self | None:
        """None where nobody screens answers."""
        enforcing = [screener for screener in screeners if screener.settings.enforce_on_completions]
        return cls(enforcing, api) if enforcing else None

    def windows(self) -> Windows:
        """For one stream."""
        return Windows(self._window_size, self._overlap)

    async def check(self, text: str, note: SafetyNote) -> bool:
        """True if it is clean, False if it may pass although that is not known.

        Raises PolicyError and UnavailableError.
        """
        if not text or text.isspace():
            return True
        asked = Asked(texts=(text,))
        return await judge([(screener, asked) for screener in self._screeners], note, self._tell)

    def not_readable(self, note: SafetyNote, reason: str) -> bool:
        """Something in which no text can be found: as if the service had failed. False, or raises UnavailableError."""
        note.worsen("unavailable")
        self._tell(reason)
        if self._blocks_outages:
            raise unavailable()
        return False

    def _tell(self, reason: str) -> None:
        self._rarely.warn("an answer of %s could not be screened: %s", self._api, reason)


def _handling(screener: Screener) -> tuple[str, str, int, int, str, float]:
    settings = screener.settings
    windows = settings.window_size, settings.window_overlap_size
    return screener.stamp, settings.on_error, *windows, settings.reveal, settings.timeout
