"""What follows from all that the services say of one thing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from gateway.call import SafetyNote
from gateway.safety.asked import Asked
from gateway.safety.refusal import unavailable, violation
from gateway.safety.screener import Screener
from gateway.safety.verdict import ScreeningUnavailable, Verdict

log = logging.getLogger("gateway.safety")

# Told why something could not be screened, in one word.
Tell = Callable[[str], None]


async def judge(questions: Sequence[tuple[Screener, Asked]], note: SafetyNote, tell: Tell) -> bool:
    """Ask all at the same time. True if all is clean, False if it may pass although that is not known.

    Raises PolicyError for a violation, which goes before a failure; UnavailableError for a failure where `onError` is
    block. `note` gets what has come of it, and the time.
    """
    note.worsen("clean")
    started = time.perf_counter()
    try:
        found = await asyncio.gather(*(_ask(screener, asked) for screener, asked in questions))
    finally:
        note.seconds += time.perf_counter() - started
    for (screener, _), verdict in zip(questions, found, strict=True):
        if isinstance(verdict, Verdict) and verdict.blocks:
            note.worsen("blocked")
            raise violation(verdict, screener.settings.reveal)
    is_screened = True
    for (screener, _), failed in zip(questions, found, strict=True):
        if isinstance(failed, ScreeningUnavailable):
            is_screened = False
            note.worsen("unavailable")
            tell(failed.reason)
            if screener.settings.on_error == "block":
                raise unavailable()
    return is_screened


async def _ask(screener: Screener, asked: Asked) -> Verdict | ScreeningUnavailable:
    try:
        return await screener.screen(asked)
    except ScreeningUnavailable as failed:
        return failed
    except Exception:
        # A fault of our own is no reason to let anything through.
        log.exception("a screening failed")
        return ScreeningUnavailable("error")
