"""Screens by one set of settings."""

from __future__ import annotations

from gateway.catalog.content_safety import ContentSafety
from gateway.safety.asked import Asked
from gateway.safety.verdict import Verdict


class Screener:
    """One for each ResolvedScreening; `stamp` is the same as long as answers would be judged alike."""

    settings: ContentSafety
    stamp: str

    def known(self, asked: Asked) -> Verdict | None:
        """What is remembered of all of it; None if the service must be asked."""
        raise NotImplementedError

    async def screen(self, asked: Asked) -> Verdict:
        """Raises ScreeningUnavailable."""
        raise NotImplementedError

    def known_text(self, text: str) -> Verdict | None:
        """As `known`, of a text of an answer."""
        raise NotImplementedError

    async def screen_text(self, text: str) -> Verdict:
        """Analyze a text of an answer. Raises ScreeningUnavailable."""
        raise NotImplementedError
