"""Reads event streams and notes when each event came."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import cast

import httptools

from bench.faults import BenchFailed
from bench.load import Call

STREAM_SECONDS = 120.0
SENT = re.compile(rb'"sent":(\d+)\}')


@dataclass
class Received:
    """One stream, in seconds since the request was written; `delays` is how long each event was under way.

    `sent` is when each was written, by the system's monotonic clock.
    """

    first_event: float = 0.0
    whole: float = 0.0
    events: int = 0
    delays: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)


class EventClient(asyncio.Protocol):
    """One connection to one target, kept open; one stream after another."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._received = Received()
        self._ended: asyncio.Future[None] | None = None
        self._begun = 0.0
        self._rest = b""

    @classmethod
    async def connect(cls, port: int, call: Call) -> EventClient:
        """A client with an open connection."""
        _, client = await asyncio.get_running_loop().create_connection(lambda: cls(call), "127.0.0.1", port)
        return client

    async def read(self, events: int, milliseconds: int, more: str = "") -> Received:
        """Ask for a stream and read all of it; with `more` in the query."""
        assert self._transport is not None
        self._received, self._rest = Received(), b""
        self._parser = httptools.HttpResponseParser(self)
        self._ended = asyncio.get_running_loop().create_future()
        self._begun = time.perf_counter()
        self._transport.write(self._request(events, milliseconds, more))
        async with asyncio.timeout(STREAM_SECONDS):
            await self._ended
        return self._received

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _request(self, events: int, milliseconds: int, more: str) -> bytes:
        body = self._call.body.encode()
        lines = [
            f"POST {self._call.path}?events={events}&milliseconds={milliseconds}{more} HTTP/1.1",
            "Host: 127.0.0.1",
            *(f"{name}: {value}" for name, value in self._call.headers.items()),
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._fail("the connection was closed in the middle of a stream")

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status != 200:
            self._fail(f"a stream was answered with status {status}")

    def on_body(self, data: bytes) -> None:
        if not self._received.events:
            self._received.first_event = time.perf_counter() - self._begun
        now = time.monotonic_ns()
        *whole, self._rest = (self._rest + data).split(b"\n\n")
        for event in whole:
            if (sent := SENT.search(event)) is not None:
                self._received.events += 1
                self._received.sent.append(int(sent[1]) / 1e9)
                self._received.delays.append((now - int(sent[1])) / 1e9)

    def on_message_complete(self) -> None:
        self._received.whole = time.perf_counter() - self._begun
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _fail(self, what: str) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(BenchFailed(what))
