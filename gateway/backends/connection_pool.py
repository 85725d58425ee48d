"""The connections to one origin: reused last in, first out; waited for first come, first served."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import httpx2

from gateway.backends.connection import Connection


class Origin(NamedTuple):
    """Scheme, host and port of a server."""

    secure: bool
    host: str
    port: int


class PoolLimits(NamedTuple):
    """`keepalive_expiry` is in seconds of `clock`; `max_connections` and `max_header_bytes` speak for themselves."""

    max_connections: int
    keepalive_expiry: float
    max_header_bytes: int
    clock: Callable[[], float]


class _Waiter(NamedTuple):
    # Resolves to a connection to use, or to None: a free place, to connect yourself.
    turn: asyncio.Future[Connection | None]
    fresh: bool


class ConnectionPool:
    """Hands out connections to one origin and takes them back."""

    def __init__(
        self, origin: Origin, limits: PoolLimits, ssl_context: Callable[[], Awaitable[ssl.SSLContext]]
    ) -> None:
        self._origin = origin
        self._limits = limits
        self._ssl_context = ssl_context
        self._loop = asyncio.get_running_loop()
        self._connections: set[Connection] = set()
        # Ordered by age: a dict for its order and its cheap deletion.
        self._idle: dict[Connection, None] = {}
        self._waiters: deque[_Waiter] = deque()
        self._connecting = 0
        self._expiry: asyncio.TimerHandle | None = None
        self._closed = False

    def take_idle(self) -> Connection | None:
        """The most recently used idle connection, if there is one."""
        if not self._idle:
            return None
        connection, _ = self._idle.popitem()
        if self._limits.clock() - connection.idle_since < self._limits.keepalive_expiry:
            return connection
        # The youngest has expired, so have all the others.
        connection.close()
        self._close_expired()
        return None

    async def obtain(self, timeouts: Mapping[str, float | None], *, fresh: bool) -> Connection:
        """Connect, or wait for a connection if there are as many as allowed; `fresh` ones have carried nothing yet.

        Raises ConnectError, ConnectTimeout or PoolTimeout.
        """
        while True:
            connection = await self._place(timeouts.get("pool"), fresh)
            if connection is None:
                return await self._connect(timeouts.get("connect"))
            if not connection.closed:
                return connection

    async def _place(self, seconds: float | None, fresh: bool) -> Connection | None:
        if self._closed:
            raise httpx2.ConnectError("The transport is closed.")
        if self._idle and len(self._connections) + self._connecting >= self._limits.max_connections:
            # Only someone who needs a fresh one gets here with idle ones around.
            next(iter(self._idle)).close()
        if len(self._connections) + self._connecting < self._limits.max_connections:
            self._connecting += 1
            return None
        waiter = _Waiter(self._loop.create_future(), fresh)
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                return await waiter.turn
        except BaseException as error:
            self._give_up(waiter)
            if isinstance(error, TimeoutError):
                raise httpx2.PoolTimeout("All connections to the server are in use.") from None
            raise

    def _give_up(self, waiter: _Waiter) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        if not waiter.turn.done() or waiter.turn.cancelled() or waiter.turn.exception() is not None:
            return
        # Its turn had come in the very moment it stopped waiting.
        connection = waiter.turn.result()
        if connection is None:
            self._leave_place()
        elif not connection.closed:
            self.release(connection)

    async def _connect(self, seconds: float | None) -> Connection:
        connection = Connection(self, self._loop, self._limits.max_header_bytes)
        try:
            async with asyncio.timeout(seconds):
                await self._open(connection)
        except BaseException as error:
            connection.close()
            self._leave_place()
            if isinstance(error, TimeoutError):
                raise httpx2.ConnectTimeout("The server did not accept a connection in time.") from error
            if isinstance(error, (OSError, UnicodeError, OverflowError)):
                raise httpx2.ConnectError(str(error)) from error
            raise
        self._connecting -= 1
        self._connections.add(connection)
        if self._closed:
            connection.close()
            raise httpx2.ConnectError("The transport is closed.")
        return connection

    async def _open(self, connection: Connection) -> None:
        # One address after the other: asyncio's happy eyeballs leave a socket open when cancelled at the wrong moment.
        origin = self._origin
        await self._loop.create_connection(
            lambda: connection,
            origin.host,
            origin.port,
            ssl=await self._ssl_context() if origin.secure else None,
            server_hostname=origin.host if origin.secure else None,
        )

    # Called by connections.

    def release(self, connection: Connection) -> None:
        """Give a connection that can be used again to the next who waits, or keep it."""
        waiter = self._next_waiter()
        if waiter is None:
            self._keep(connection)
        elif waiter.fresh:
            self._waiters.appendleft(waiter)
            connection.close()
        else:
            waiter.turn.set_result(connection)

    def forget(self, connection: Connection) -> None:
        """A connection is gone; the next who waits may make a new one."""
        self._idle.pop(connection, None)
        if connection in self._connections:
            self._connections.remove(connection)
            self._connecting += 1
            self._leave_place()

    def _leave_place(self) -> None:
        """Pass a place on; it counts as `connecting` while it changes hands."""
        waiter = self._next_waiter()
        if waiter is None:
            self._connecting -= 1
        else:
            waiter.turn.set_result(None)

    def _next_waiter(self) -> _Waiter | None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.turn.done():
                return waiter
        return None

    # Idle connections.

    def _keep(self, connection: Connection) -> None:
        connection.idle_since = self._limits.clock()
        self._idle[connection] = None
        if self._expiry is None:
            self._expiry = self._loop.call_later(self._limits.keepalive_expiry, self._close_expired)

    def _close_expired(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        now = self._limits.clock()
        for connection in list(self._idle):
            remaining = connection.idle_since + self._limits.keepalive_expiry - now
            if remaining > 0:
                self._expiry = self._loop.call_later(remaining, self._close_expired)
                return
            connection.close()

    async def aclose(self) -> None:
        """Close every connection, in use or not, and wait for their sockets."""
        self._closed = True
        if self._expiry is not None:
            self._expiry.cancel()
        for waiter in self._waiters:
            if not waiter.turn.done():
                waiter.turn.set_exception(httpx2.ConnectError("The transport is closed."))
        self._waiters.clear()
        connections = list(self._connections)
        for connection in connections:
            connection.fail(httpx2.ReadError("The transport was closed."))
        for connection in connections:
            await connection.gone()
