"""The host's connections to the worker's web server: one call at a time on each, kept open between calls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import httptools

from local.host_headers import Header, read_response_head
from local.host_log import log

if TYPE_CHECKING:
    from local.host_exchange import Exchange
    from local.host_front import Front

# Seconds. Web servers close idle connections after five seconds or more; we let go of them first, so that no call is
# written to a connection that is just being closed.
IDLE_TIMEOUT = 4.0


class WorkerConnection(asyncio.Protocol):
    """Writes a call to the worker and parses the answer."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._headers: list[Header] = []
        self._reason = b""
        self._reading = True
        self._until_close = False
        self._interim = False
        self._body_may_follow = False
        self.writing_paused = False
        self.idle_since = 0.0

    # The exchange's side.

    def call(self, exchange: Exchange, head: bytes) -> None:
        self._exchange = exchange
        self.write(head)
        exchange.attach(self)

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def adjust_reading(self) -> None:
        wanted = self._exchange is None or not self._exchange.caller.writing_paused
        if wanted == self._reading or self._transport is None or self._transport.is_closing():
            return
        self._reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def abandon(self) -> None:
        """Tells the worker at once that nobody waits for the answer any more."""
        self._exchange = None
        if self._transport is None:
            return
        # A worker that is not reading would never learn it from the end of the stream, behind all that is unsent.
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()

    def is_late(self, now: float) -> bool:
        """Whether the answer should have begun by now."""
        exchange = self._exchange
        return exchange is not None and not exchange.begun and exchange.deadline < now

    def fail(self) -> None:
        """No longer waits for the worker: it is gone, or too late."""
        exchange = self._exchange
        self.abandon()
        if exchange is not None:
            self._pool.front.fail(exchange)

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._pool.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._pool.connections.discard(self)
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        if self._until_close and exc is None:
            exchange.end_answer()
        else:
            self._pool.front.fail(exchange)

    def pause_writing(self) -> None:
        self.writing_paused = True
        if self._exchange is not None:
            self._exchange.caller.adjust_reading()

    def resume_writing(self) -> None:
        self.writing_paused = False
        if self._exchange is not None:
            self._exchange.caller.adjust_reading()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            raise  # a fault of ours, not of the worker's answer
        except httptools.HttpParserError as error:
            log(f"the worker's answer cannot be understood: {error}")
            if self._transport is not None:
                self._transport.abort()

    # The parser's side.

    def on_message_begin(self) -> None:
        self._headers = []
        self._reason = b""

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        exchange = self._exchange
        status = self._parser.get_status_code()
        self._interim = status < 200
        if exchange is None or self._interim:
            return
        head = read_response_head(self._headers)
        never_has_body = status in {204, 304}
        # A length all the same: behind the end of this answer there may be bytes that would pass for the next one's.
        self._body_may_follow = never_has_body and head.content_length not in {None, b"0"}
        bodiless = exchange.request.method == b"HEAD" or never_has_body
        self._until_close = not bodiless and head.content_length is None and not head.chunked
        exchange.begin_answer(status, self._reason, head, self._pool.front.date())
        if exchange.request.method == b"HEAD":
            # The parser would wait for the body that Content-Length announces; this one cannot be told otherwise.
            reusable = self._parser.should_keep_alive()
            self._parser = httptools.HttpResponseParser(self)
            self._finish(reusable)

    def on_body(self, data: bytes) -> None:
        if self._exchange is not None:
            self._exchange.send_body(data)

    def on_message_complete(self) -> None:
        if not self._interim:
            self._finish(self._parser.should_keep_alive() and not self._body_may_follow)

    def _finish(self, reusable: bool) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        if reusable and exchange.received and self.usable:
            self.adjust_reading()
            self._pool.release(self)
        elif self._transport is not None:
            self._transport.close()
        exchange.end_answer()


class WorkerPool:
    """The connections to one worker process."""

    def __init__(self, front: Front, port: int) -> None:
        self.front = front
        self.connections: set[WorkerConnection] = set()
        self._port = port
        self._idle: list[WorkerConnection] = []
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[None]] = set()

    def call(self, exchange: Exchange, head: bytes) -> None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                connection.call(exchange, head)
                return
        task = self._loop.create_task(self._connect(exchange, head))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, exchange: Exchange, head: bytes) -> None:
        try:
            _, connection = await self._loop.create_connection(lambda: WorkerConnection(self), "127.0.0.1", self._port)
        except OSError:
            self.front.fail(exchange)
            return
        # A caller who has left meanwhile is called for all the same: the worker already awaits this invocation.
        connection.call(exchange, head)
        if exchange.ended:
            connection.abandon()

    def release(self, connection: WorkerConnection) -> None:
        connection.idle_since = self._loop.time()
        self._idle.append(connection)

    def close_idle(self, now: float) -> None:
        """Lets go of connections that have not been used for a while."""
        expired = [connection for connection in self._idle if now - connection.idle_since > IDLE_TIMEOUT]
        self._idle = [connection for connection in self._idle if now - connection.idle_since <= IDLE_TIMEOUT]
        for connection in expired:
            connection.abandon()

    def close_late(self, now: float) -> None:
        """Gives up the calls that the worker has not begun to answer in time."""
        for connection in [connection for connection in self.connections if connection.is_late(now)]:
            connection.fail()

    def close(self) -> None:
        for connection in list(self.connections):
            connection.fail()
