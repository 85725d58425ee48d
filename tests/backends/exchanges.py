"""Requests for a transport under test, and ways to read what comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import httpx2

from tests.backends.raw_server import Peer, Script

LIMITS = {"connect": 5.0, "read": 5.0, "write": 5.0, "pool": 5.0}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def get(url: str, method: str = "GET", **limits: float | None) -> httpx2.Request:
    """A request without a body."""
    return httpx2.Request(method, url, extensions={"timeout": LIMITS | limits})


def post(url: str, content: Any, headers: dict[str, str] | None = None, **limits: float | None) -> httpx2.Request:
    """A request with a body: bytes, or an asynchronous iterator of bytes."""
    return httpx2.Request("POST", url, content=content, headers=headers, extensions={"timeout": LIMITS | limits})


async def fetch(transport: httpx2.AsyncBaseTransport, request: httpx2.Request) -> tuple[httpx2.Response, bytes]:
    """Send a request and read the whole answer."""
    response = await transport.handle_async_request(request)
    return response, await body(response)


async def body(response: httpx2.Response) -> bytes:
    """Read the rest of an answer."""
    stream = response.stream
    assert isinstance(stream, httpx2.AsyncByteStream)
    try:
        return b"".join([piece async for piece in stream])
    finally:
        await stream.aclose()


async def close(response: httpx2.Response) -> None:
    """Give an answer up."""
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    await response.stream.aclose()


async def pieces(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    """A body that comes piece by piece."""
    for part in parts:
        yield part


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop run until something is so."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0)


def once(answer: bytes) -> Script:
    """A server that answers one request with these bytes, then closes."""

    async def script(peer: Peer) -> None:
        await peer.answer(answer)

    return script


def always(answer: bytes) -> Script:
    """A server that answers every request with these bytes."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.answer(answer)

    return script
