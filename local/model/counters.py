"""Counts requests, and notices callers who leave before they have their answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.model.connection import Connection

CONTROL = "/stand-in/"
MAXIMUM_PATHS = 1_000


class Counters:
    """What `/stand-in/stats` shows. Requests to `/stand-in/` itself do not count."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Start over; what is in flight stays in flight."""
        self.requests = 0
        self.cancelled = 0
        self._by_path: Counter[str] = Counter()

    def begin(self, path: str) -> None:
        """A request came."""
        self.requests += 1
        self.in_flight += 1
        known = path in self._by_path or len(self._by_path) < MAXIMUM_PATHS
        self._by_path[path if known else "other"] += 1

    def end(self, was_cancelled: bool) -> None:
        """A request is over."""
        self.in_flight -= 1
        self.cancelled += was_cancelled

    def snapshot(self) -> dict[str, Any]:
        """The numbers now."""
        return {
            "requests": self.requests,
            "inFlight": self.in_flight,
            "cancelled": self.cancelled,
            "byPath": dict(self._by_path),
        }


class Counting:
    """Middleware: counts, and stops the work on an answer as soon as its caller has left."""

    def __init__(self, app: ASGIApp, counters: Counters) -> None:
        self._app = app
        self._counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if CONTROL in scope["path"]:
            return await self._app(scope, receive, send)
        exchange = Exchange(Connection.of(scope), send)
        self._counters.begin(scope["path"])
        try:
            await exchange.run(self._app, scope, receive)
        finally:
            self._counters.end(exchange.was_cancelled)


class Exchange:
    """One request and its answer, raced against the caller's departure."""

    def __init__(self, connection: Connection, send: Send) -> None:
        self._connection = connection
        self._send = send
        self._complete = False

    @property
    def was_cancelled(self) -> bool:
        """Whether the caller left before the last byte of the answer was written."""
        return self._connection.lost.is_set() and not self._complete and not self._connection.was_reset

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive) -> None:
        """Run the application until it is done or nobody waits for it any more."""
        answering = asyncio.ensure_future(app(scope, receive, self._watch))
        leaving = asyncio.ensure_future(self._connection.lost.wait())
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            answering.cancel()
            leaving.cancel()
            outcome, _ = await asyncio.gather(answering, leaving, return_exceptions=True)
        if isinstance(outcome, BaseException) and not self._connection.lost.is_set():
            raise outcome

    async def _watch(self, message: Message) -> None:
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._complete = not self._connection.lost.is_set()
