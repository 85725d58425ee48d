"""Time for tests: a clock that moves when told to, and turns of the loop that take none."""

import asyncio


class Clock:
    """Time that moves when told to."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


async def settle() -> None:
    """Let background work finish: it needs a few turns of the loop and no time."""
    for _ in range(10):
        await asyncio.sleep(0)
