"""Work in steps, between which the event loop can turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator

# So long nobody else has a turn, and one step. Less work is done at once.
TURN_SECONDS = 0.0005


async def in_turns[Result](steps: Generator[None, None, Result]) -> Result:
    """Do all the steps; what they come to."""
    began = time.perf_counter()
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: Result = done.value
            return result
        if time.perf_counter() - began > TURN_SECONDS:
            await asyncio.sleep(0)
            began = time.perf_counter()
