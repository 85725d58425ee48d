"""Callers who leave are noticed, and nobody who is gone is remembered."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from gateway.presence import SECONDS_BETWEEN_LOOKS, Attendance, CallerPresence


class Request:
    """Something a call holds."""


async def stays() -> Any:
    """A caller that never leaves."""
    await asyncio.Future()


async def leaves() -> Any:
    """A caller that leaves when it is listened to."""
    return {"type": "http.disconnect"}


async def work(attendance: Attendance, receive: Any, held: Request, seconds: float) -> CallerPresence:
    """A call that takes so long and can reach `held`."""
    presence = CallerPresence(attendance, receive, lambda: held is not None)
    with presence:
        await asyncio.sleep(seconds)
    return presence


async def test_one_who_leaves_ends_the_work() -> None:
    """At the second look it is listened for, and then the work is over at once."""
    started = asyncio.get_running_loop().time()
    presence = await work(Attendance(), leaves, Request(), 60)
    assert presence.left
    assert asyncio.get_running_loop().time() - started < 30


@pytest.mark.parametrize("receive", [stays, leaves])
async def test_a_watched_call_is_freed_without_the_collector(receive: Any) -> None:
    """No circle keeps what the call held: a large body would stay until the collector's next full round."""
    held = Request()
    seen = weakref.ref(held)
    gc.collect()
    gc.disable()
    try:
        await work(Attendance(), receive, held, SECONDS_BETWEEN_LOOKS * 4)
        del held
        # The watcher hears of its cancellation in the loop's next turns.
        for _ in range(3):
            await asyncio.sleep(0)
        assert seen() is None
    finally:
        gc.enable()


async def test_all_calls_end_when_the_process_does() -> None:
    """Each is cancelled, and waited for while it says its last words."""
    attendance = Attendance()
    words: list[str] = []

    async def call(number: int) -> None:
        try:
            await work(attendance, stays, Request(), 60)
        finally:
            await asyncio.sleep(0)
            words.append(str(number))

    calls = [asyncio.create_task(call(number)) for number in range(3)]
    await asyncio.sleep(0)
    await attendance.dismiss(5)
    assert sorted(words) == ["0", "1", "2"]
    assert all(each.cancelled() for each in calls)
