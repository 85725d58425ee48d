"""The simulation's virtual time, with a time of day."""

from __future__ import annotations

import asyncio

from bench.simulation.virtual_loop import VirtualLoop, run

__all__ = ["BEGIN", "now", "pause", "run"]

BEGIN = 1_800_000_000.0


def now() -> float:
    """What `time.time()` would say in the running virtual loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return BEGIN + loop.time()


def pause(seconds: float) -> None:
    """The process stands still for so long: when it goes on, everything that was to happen meanwhile is due at once."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.pause(seconds)
