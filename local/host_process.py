"""Starts the worker process, watches it, starts it again when it dies, and stops it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from local.host_control import FAILED, READY, ControlLine
from local.host_log import log

# Seconds. The worker's web server gives calls in flight ten; the rest is for the app's own shutdown.
STOP_TIMEOUT = 15.0
FIRST_BACKOFF = 0.2
LONGEST_BACKOFF = 5.0
# A worker that served this long has shown that it can: the backoff starts anew.
STEADY = 10.0


class WorkerFailed(Exception):
    """The worker did not come up; the message says why."""


class WorkerProcess:
    """One process at a time, for one app.

    `on_ready(control, port, functions)` is called whenever a worker takes calls, `on_lost()` when it is gone.
    """

    def __init__(
        self, app: Path, on_ready: Callable[[ControlLine, int, Any], None], on_lost: Callable[[], None]
    ) -> None:
        self._app = app
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._process: asyncio.subprocess.Process | None = None
        self._control: ControlLine | None = None
        self._ready: asyncio.Future[tuple[int, Any]] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Returns when the worker takes calls; raises WorkerFailed if it does not come to that."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await self._spawn(theirs.fileno())
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        _, self._control = await loop.create_connection(lambda: ControlLine(self._receive, self._closed), sock=ours)
        port, functions = await self._ready
        self._on_ready(self._control, port, functions)

    async def keep_running(self) -> None:
        """Waits for the worker's end and starts the next one, for as long as it is not cancelled."""
        backoff = FIRST_BACKOFF
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            assert self._process is not None
            status = await self._process.wait()
            self._on_lost()
            backoff = FIRST_BACKOFF if loop.time() - began > STEADY else min(backoff * 2, LONGEST_BACKOFF)
            log(f"the worker ended with status {status}; starting it again in {backoff:.1f} s")
            await asyncio.sleep(backoff)
            try:
                await self.start()
            except WorkerFailed as failure:
                log(str(failure))
            else:
                log(f"the worker is back, process {self.pid}")

    async def stop(self, hurry: asyncio.Event) -> None:
        """Asks the worker to end, and ends it if it takes too long or somebody is in a hurry."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        ended, hurried = asyncio.create_task(process.wait()), asyncio.create_task(hurry.wait())
        await asyncio.wait({ended, hurried}, timeout=STOP_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not ended.done():
            log("the worker does not stop; killing it")
            with suppress(ProcessLookupError):
                process.kill()
        await ended

    async def _spawn(self, control: int) -> asyncio.subprocess.Process:
        # Safe path: the app's directory is its working directory, and the app's modules must not hide this package.
        command = [sys.executable, "-P", "-m", "local.worker", "--app", str(self._app), "--control", str(control)]
        return await asyncio.create_subprocess_exec(
            *command,
            cwd=self._app,
            env=_environment(self._app),
            stdin=asyncio.subprocess.PIPE,  # held open for as long as this process lives; see local.worker
            stdout=sys.stderr,  # our own standard output is for the line that says we are ready
            pass_fds=[control],
            start_new_session=True,  # Ctrl-C reaches the host only, which stops the worker in its own time
        )

    def _receive(self, message: list[Any]) -> None:
        kind, *details = message
        if self._ready is None or self._ready.done():
            return
        if kind == READY:
            port, functions = details
            self._ready.set_result((port, functions))
        elif kind == FAILED:
            self._ready.set_exception(WorkerFailed(f"the function app could not be started:\n{details[0]}"))

    def _closed(self) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(WorkerFailed("the worker ended before it was ready"))


def _environment(app: Path) -> dict[str, str]:
    package = str(Path(__file__).resolve().parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    return os.environ | {
        "PYTHONPATH": os.pathsep.join([package, inherited] if inherited else [package]),
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "AzureWebJobsScriptRoot": str(app),
    }
