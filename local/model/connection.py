"""The TCP connection below ASGI, for the faults that ASGI has no words for."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import MutableMapping
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "stand-in.connection"
POLL_SECONDS = 0.001


class Connection:
    """`lost` is set when the connection is gone, `was_reset` says that it was our doing."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.lost = asyncio.Event()
        self.was_reset = False

    @classmethod
    def of(cls, scope: MutableMapping[str, Any]) -> Connection:
        """The connection of an ASGI scope that came through FaultyProtocol."""
        return cast(Connection, scope["extensions"][EXTENSION])

    async def reset(self) -> None:
        """Close with a TCP reset, after the other side's system has what was sent so far."""
        while self._unsent() and not self.lost.is_set():  # noqa: ASYNC110 - the kernel has no event for it
            await asyncio.sleep(POLL_SECONDS)
        self.was_reset = True
        sock = self._transport.get_extra_info("socket")
        # Lingering for no time at all is how the sockets API spells "reset".
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
        await self.lost.wait()

    def _unsent(self) -> int:
        """Bytes that wait in our buffer or in the kernel's, unacknowledged: a reset would throw them away."""
        waiting = self._transport.get_write_buffer_size()
        if waiting or self._transport.is_closing():
            return waiting
        sock = self._transport.get_extra_info("socket")
        try:
            return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0])
        except OSError:
            return 0  # only Linux tells this of sockets


class FaultyProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which hands its connection to the application as an ASGI extension."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio does this only for sockets whose protocol number is given, which that of an accepted one need not be.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = Connection(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.connection.lost.set()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: self.connection}  # type: ignore[dict-item]
