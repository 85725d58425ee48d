"""No check takes for ever, and none that fails in a way nobody foresaw hides the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable

from gateway.management.doctor.finding import Finding

# For one thing that is asked; a group may take so long for each of its findings.
SECONDS = 45.0
GROUP_SECONDS = 60.0
MEND = "Run it again; if it stays, `python -m gateway --debug` and a command that uses the same shows more."


async def bounded(check: str, work: Awaitable[list[Finding]], seconds: float = SECONDS) -> list[Finding]:
    """What a check finds, or that it failed, after `seconds` at the latest."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except Exception as error:
        return [_failed(check, error, seconds)]


async def bounded_group(
    check: str, findings: AsyncIterator[Finding], seconds: float = GROUP_SECONDS
) -> AsyncIterator[Finding]:
    """What a group of checks finds, each of them within `seconds`; it ends with the first that fails to come."""
    while True:
        try:
            async with asyncio.timeout(seconds):
                finding = await anext(findings)
        except StopAsyncIteration:
            return
        except Exception as error:
            yield _failed(check, error, seconds)
            return
        yield finding


def _failed(check: str, error: Exception, seconds: float) -> Finding:
    if isinstance(error, TimeoutError):
        return Finding(check, "failed", f"There was no result within {seconds:g} s.", MEND)
    # The message of an unforeseen error may hold anything, secrets included.
    return Finding(check, "failed", f"It failed in a way nobody foresaw ({type(error).__name__}).", MEND)
