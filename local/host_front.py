"""The public side of the host: takes HTTP requests and has the worker's functions answer them."""

from __future__ import annotations

import asyncio
import hmac
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from email.utils import formatdate
from urllib.parse import parse_qs

from local.host_caller import CallerConnection
from local.host_control import INVOKE, ControlLine
from local.host_exchange import Exchange
from local.host_headers import INVOCATION_HEADER
from local.host_routes import Function, RouteTable, decode_path, is_reserved
from local.host_upstream import WorkerPool


class Front:
    """Routes every request to a function: the call over the control line, the request itself over HTTP."""

    def __init__(self, function_keys: Sequence[str], first_byte_timeout: float) -> None:
        self.callers: set[CallerConnection] = set()
        self.stopping = False
        self._keys = tuple(key.encode() for key in function_keys)
        self._first_byte_timeout = first_byte_timeout
        self._loop = asyncio.get_running_loop()
        self._routes = RouteTable(())
        self._control: ControlLine | None = None
        self._pool: WorkerPool | None = None
        self._no_callers = asyncio.Event()
        # An invocation's id looks like a GUID; making a real one for every call would cost more than routing it.
        self._id_prefix = str(uuid.uuid4())[:24]
        self._calls = 0
        self._date = (0, b"")
        self._sweep()

    # The worker's life.

    def use_worker(self, control: ControlLine, port: int, routes: RouteTable) -> None:
        self._control, self._pool, self._routes = control, WorkerPool(self, port), routes

    def lose_worker(self) -> None:
        pool, self._pool, self._control = self._pool, None, None
        if pool is not None:
            pool.close()

    # A request.

    def begin(self, exchange: Exchange) -> None:
        raw_path, _, query = exchange.request.target.decode("latin-1").partition("?")
        found = None
        if not is_reserved(raw_path):
            found = self._routes.match(exchange.request.method.decode(), decode_path(raw_path))
        if found is None:
            exchange.answer_empty(404, self.date())
            return
        function, parameters = found
        if not self._admits(function, exchange, query):
            exchange.answer_empty(401, self.date())
        elif self._pool is None or self._control is None:
            exchange.answer_empty(503, self.date())
        else:
            self._invoke(function, parameters, exchange, self._pool, self._control)

    def _invoke(
        self, function: Function, parameters: dict[str, str], exchange: Exchange, pool: WorkerPool, control: ControlLine
    ) -> None:
        if exchange.head.expect is not None and not exchange.received and exchange.request.http_version != "1.0":
            exchange.caller.send_continue()
        self._calls += 1
        invocation = f"{self._id_prefix}{self._calls:012x}"
        head = exchange.head
        trace = (head.trace_parent or b"").decode("latin-1"), (head.trace_state or b"").decode("latin-1")
        control.send(INVOKE, invocation, function.identifier, parameters, *trace)
        exchange.deadline = self._loop.time() + self._first_byte_timeout
        pool.call(exchange, _request_head(exchange, invocation))

    def _admits(self, function: Function, exchange: Exchange, query: str) -> bool:
        if function.level == "anonymous":
            return True
        given = exchange.head.function_key
        if given is None:
            given = parse_qs(query).get("code", [""])[0].encode()
        return any(hmac.compare_digest(given, key) for key in self._keys)

    def fail(self, exchange: Exchange) -> None:
        """The worker broke off."""
        exchange.fail(502, self.date())

    # Time.

    def date(self) -> bytes:
        """The Date header's line, made once a second."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, b"date: %b\r\n" % formatdate(now, usegmt=True).encode())
        return self._date[1]

    def _sweep(self) -> None:
        """One timer for all calls: answers those that waited too long, lets idle connections go."""
        now = self._loop.time()
        if self._pool is not None:
            self._pool.close_late(now)
            self._pool.close_idle(now)
        self._sweeper = self._loop.call_later(min(1.0, self._first_byte_timeout / 4), self._sweep)

    # The end.

    def forget_caller(self, caller: CallerConnection) -> None:
        self.callers.discard(caller)
        if not self.callers:
            self._no_callers.set()

    async def drain(self, seconds: float) -> None:
        """Takes no more requests; returns when every caller has its answer and is gone, or when time is up."""
        self.stopping = True
        for caller in list(self.callers):
            caller.close_if_idle()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.callers:
                    self._no_callers.clear()
                    await self._no_callers.wait()

    def close(self) -> None:
        """Cuts off whoever is left."""
        for caller in list(self.callers):
            caller.abort()
        self._sweeper.cancel()
        if self._pool is not None:
            self._pool.close()


def _request_head(exchange: Exchange, invocation: str) -> bytes:
    """The request as the worker gets it. The invocation comes first: the worker looks for it among all headers."""
    request, head = exchange.request, exchange.head
    framing = b"transfer-encoding: chunked\r\n" if head.transfer_encoding is not None else b""
    return b"%b %b HTTP/1.1\r\n%b: %b\r\n%b%b\r\n" % (
        request.method,
        request.target,
        INVOCATION_HEADER,
        invocation.encode(),
        b"".join(head.lines),
        framing,
    )
