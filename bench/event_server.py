"""A backend that streams: N server-sent events, as fast as they go or one each few milliseconds.

nginx cannot send on a clock, so this small server does, in a process of its own: `python -m bench.event_server`.
A POST to any path with `?events=N&milliseconds=M` is answered with N chat completion chunks and `[DONE]`. Each event is
one write, and says in `sent` when it was written (nanoseconds of the system's monotonic clock, which processes share).
With `&numbered=1` no two events say the same, and each says ten characters. With `?whole=1&milliseconds=M` the answer
is one chat completion, after so long.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from typing import cast
from urllib.parse import parse_qs, urlsplit

import httptools
import uvloop

from bench.nginx import ANSWER

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)
EVENT = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767225600,"model":"fixed",'
    b'"choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}],"sent":%d}\n\n'
)
NUMBERED = EVENT.replace(b" token", b" %09d")
END = b"data: [DONE]\n\n"
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(ANSWER),
    ANSWER.encode(),
)


class EventProtocol(asyncio.Protocol):
    """One connection; one stream at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._transport: asyncio.Transport | None = None
        self._stream: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._room.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._stream is not None:
            self._stream.cancel()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_message_complete(self) -> None:
        wishes = parse_qs(urlsplit(self._url.decode("latin-1")).query)
        self._url = b""
        count, pause = int(wishes.get("events", ["1"])[0]), int(wishes.get("milliseconds", ["0"])[0]) / 1e3
        is_numbered = "numbered" in wishes
        answering = self._answer(pause) if "whole" in wishes else self._send(count, pause, is_numbered)
        self._stream = asyncio.get_running_loop().create_task(answering)

    async def _answer(self, pause: float) -> None:
        await asyncio.sleep(pause)
        self._write(WHOLE)

    async def _send(self, count: int, pause: float, is_numbered: bool) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self._write(HEAD)
        for number in range(count):
            if pause:
                await asyncio.sleep(max(0.0, begun + number * pause - loop.time()))
            else:
                # Gives the loop a turn, so that each event leaves by itself.
                await asyncio.sleep(0)
            await self._room.wait()
            now = time.monotonic_ns()
            self._write(_chunk(NUMBERED % (now // 1_000 % 10**9, now) if is_numbered else EVENT % now))
        self._write(_chunk(END) + b"0\r\n\r\n")

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def serve() -> None:
    """Until SIGTERM or SIGINT; prints a line with the port first."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await loop.create_server(EventProtocol, "127.0.0.1", 0, backlog=1024)
    print(json.dumps({"port": server.sockets[0].getsockname()[1], "pid": os.getpid()}), flush=True)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    uvloop.run(serve())
