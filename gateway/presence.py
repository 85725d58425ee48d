"""Is the caller still there? Working for one who left costs tokens, so the work is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType

from starlette.types import Receive

# Most calls are over before the second look, and then they were never watched, which would cost each a task.
SECONDS_BETWEEN_LOOKS = 0.1

Tick = Callable[[], Awaitable[None]]


class CallerPresence:
    """Cancels the task it was entered in when the caller disconnects; swallows that cancellation on exit.

    `may_listen` says whether nobody reads the body: whoever does hears of a disconnect instead.
    `tick`, if given, runs every `tick_seconds` while the caller is watched.
    """

    __slots__ = (
        "_attendance",
        "_may_listen",
        "_receive",
        "_task",
        "_tick",
        "_tick_seconds",
        "_watcher",
        "left",
        "seen",
    )

    def __init__(
        self,
        attendance: Attendance,
        receive: Receive,
        may_listen: Callable[[], bool],
        tick: Tick | None = None,
        tick_seconds: float | None = None,
    ) -> None:
        self.left = False
        self.seen = False
        self._attendance = attendance
        self._receive = receive
        self._may_listen = may_listen
        self._tick = tick
        self._tick_seconds = tick_seconds
        self._task: asyncio.Task[object] | None = None
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> CallerPresence:
        self._task = asyncio.current_task()
        self._attendance.enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._attendance.leave(self)
        # Let go of both tasks: a cancelled one holds the frames it was in, and through them this and the whole call,
        # which only the garbage collector could free then.
        task, self._task = self._task, None
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()
        if self.left and task is not None:
            task.uncancel()
            return kind is asyncio.CancelledError
        return False

    def watch(self) -> None:
        """Begin to listen for the disconnect, if that has not begun and may."""
        if self._watcher is None and self._task is not None and self._may_listen():
            self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._tick_seconds):
                    message = await self._receive()
            except TimeoutError:
                if self._tick is not None:
                    await self._tick()
                continue
            if message["type"] == "http.disconnect":
                break
        self.left = True
        if self._task is not None:
            self._task.cancel()

    def dismiss(self) -> asyncio.Task[object] | None:
        """End the call because the process ends; returns its task, to be waited for."""
        if self._task is not None:
            self._task.cancel()
        return self._task


class Attendance:
    """Everybody present, looked over by one timer: who is there at the second look is watched from then on."""

    def __init__(self) -> None:
        self._present: dict[CallerPresence, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, presence: CallerPresence) -> None:
        """Somebody's call begins."""
        self._present[presence] = None
        if self._timer is None:
            self._schedule()

    def leave(self, presence: CallerPresence) -> None:
        """And is over."""
        del self._present[presence]

    async def dismiss(self, seconds: float) -> None:
        """End every call because the process ends, and give each this long to say so."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        tasks = [task for presence in list(self._present) if (task := presence.dismiss()) is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    def _schedule(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(SECONDS_BETWEEN_LOOKS, self._look)

    def _look(self) -> None:
        self._timer = None
        for presence in self._present:
            if presence.seen:
                presence.watch()
            presence.seen = True
        if self._present:
            self._schedule()
