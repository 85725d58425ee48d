"""The line between the host and its worker: JSON arrays, one a line, over a socket pair.

Both sides speak it: the worker once says `ready` (its web server's port, its functions) or `failed` (why); the host
then says `invoke` for every call. The requests themselves travel over HTTP to the worker's web server.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

READY = "ready"
FAILED = "failed"
INVOKE = "invoke"


class ControlLine(asyncio.Protocol):
    """One end. Messages sent in one turn of the event loop leave in one write."""

    def __init__(self, on_message: Callable[[list[Any]], None], on_closed: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._on_closed = on_closed
        self._transport: asyncio.Transport | None = None
        self._unsent: list[str] = []
        self._incomplete = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._on_closed()

    def send(self, *message: Any) -> None:
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(json.dumps(message, separators=(",", ":")))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        *lines, self._incomplete = (self._incomplete + data).split(b"\n")
        for line in lines:
            self._on_message(json.loads(line))

    def _flush(self) -> None:
        lines, self._unsent = self._unsent, []
        if self._transport is not None:
            self._transport.write(("\n".join(lines) + "\n").encode())
