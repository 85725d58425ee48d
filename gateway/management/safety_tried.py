"""What screening makes of one text, asked by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.backends.client import BackendClient
from gateway.backends.credentials import ManagedIdentity
from gateway.catalog.content_safety import ContentSafety
from gateway.catalog.screenings import ResolvedScreening
from gateway.safety.asked import Asked
from gateway.safety.scores import KINDS
from gateway.safety.screener import Screener
from gateway.safety.screeners import Screeners
from gateway.safety.verdict import ScreeningUnavailable, Verdict


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was checked. `threshold` is a category's; `severity` is 0 to 7, `detected` of all other checks."""

    check: str
    threshold: int | None
    severity: int | None
    detected: bool | None
    filtered: bool


@dataclass(frozen=True, slots=True)
class Tried:
    """What one service said; `unavailable` is why it said nothing, or not all, and `blocks_unscreened` what follows."""

    backend: str
    rows: tuple[Row, ...]
    unavailable: str | None
    blocks_unscreened: bool


async def tried(screenings: Sequence[ResolvedScreening], text: str, client_id: str | None) -> list[Tried]:
    """Screen a text as what a user says, by each of the screenings."""
    tokens = ManagedIdentity.of_operator(client_id)
    client = BackendClient(tokens, 4)
    screeners = Screeners(client)
    try:
        return [await _try(each, screeners.of(each), text) for each in screenings]
    finally:
        await screeners.aclose()
        await client.aclose()
        await tokens.aclose()


async def _try(screening: ResolvedScreening, screener: Screener, text: str) -> Tried:
    settings = screening.settings
    # Apart from each other, for a violation ends what is asked together.
    asked = [Asked(texts=(text,))] if settings.analyzes else []
    if settings.shield_prompt:
        asked.append(Asked(user_prompt=text))
    found = await asyncio.gather(*(_verdict(screener, each) for each in asked))
    rows = [row for each in found if isinstance(each, Verdict) for row in _rows(each, settings)]
    reason = next((each for each in found if isinstance(each, str)), None)
    backend = screening.backend.name if screening.backend is not None else "-"
    return Tried(backend, tuple(rows), reason, settings.on_error == "block")


async def _verdict(screener: Screener, asked: Asked) -> Verdict | str:
    try:
        return await screener.screen(asked)
    except ScreeningUnavailable as failed:
        return failed.reason


def _rows(verdict: Verdict, settings: ContentSafety) -> list[Row]:
    thresholds = {KINDS[category]: threshold for category, threshold in settings.categories.items()}
    return [
        Row(each.kind, thresholds.get(each.kind), each.severity, each.detected, each.filtered)
        for each in verdict.findings
    ]
