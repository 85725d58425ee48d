"""A server that speaks exactly the bytes it is told to, in a thread and an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class RawRequest:
    """What a client sent: the head as it was, the headers in lower case, the body without its framing."""

    head: bytes
    body: bytes

    @property
    def target(self) -> bytes:
        return self.head.split(b" ")[1]

    def header(self, name: bytes) -> bytes | None:
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b": ")
            if key.lower() == name:
                return value
        return None


class Peer:
    """One connection, as the server sees it."""

    def __init__(
        self, server: RawServer, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server = server
        self.number = number
        self.reader = reader
        self.writer = writer

    async def head(self) -> bytes:
        """The head of the next request."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> RawRequest:
        """The next request, whole."""
        head = await self.head()
        request = RawRequest(head, b"")
        length = request.header(b"content-length")
        body = b""
        if length is not None:
            body = await self.reader.readexactly(int(length))
        elif request.header(b"transfer-encoding") is not None:
            body = await self._chunks()
        request = RawRequest(head, body)
        self.server.requests.append(request)
        return request

    async def _chunks(self) -> bytes:
        pieces = []
        while size := int(await self.reader.readline(), 16):
            pieces.append(await self.reader.readexactly(size))
            await self.reader.readexactly(2)
        await self.reader.readline()
        return b"".join(pieces)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, data: bytes) -> RawRequest:
        """Read a request, send these bytes."""
        request = await self.request()
        await self.send(data)
        return request

    async def until_closed(self, name: str = "closed") -> None:
        """Wait until the client has closed the connection, and tell the test."""
        with contextlib.suppress(OSError):
            while await self.reader.read(65536):
                pass
        self.server.tell(name)

    def reset(self) -> None:
        """Close with a TCP reset."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def told(self, name: str) -> None:
        """Wait for the test to `tell` something."""
        await self.server.flag(name).wait()


Script = Callable[[Peer], Awaitable[None]]


class RawServer:
    """Runs `script` for every connection. Used as a context manager."""

    def __init__(self, script: Script, ssl_context: ssl.SSLContext | None = None) -> None:
        self.requests: list[RawRequest] = []
        self.connections = 0
        self.port = 0
        self._script = script
        self._ssl_context = ssl_context
        self._loop = asyncio.new_event_loop()
        self._flags: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        scheme = "http" if self._ssl_context is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> RawServer:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(PATIENCE_SECONDS)
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close everything. May be called before the end of the test."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(PATIENCE_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_SECONDS)
        self._loop.close()

    def flag(self, name: str) -> asyncio.Event:
        return self._flags.setdefault(name, asyncio.Event())

    def tell(self, name: str) -> None:
        """Let the other side, test or script, know that something has happened."""
        self._loop.call_soon_threadsafe(lambda: self.flag(name).set())

    async def told(self, name: str) -> None:
        """For the test: wait for the script to `tell` something."""

        async def wait() -> None:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.flag(name).wait()

        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(wait(), self._loop))

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=self._ssl_context, limit=2**20, backlog=2048
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            # A client that leaves early ends the script early; what the test expects of it is checked elsewhere.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._script(Peer(self, self.connections, reader, writer))
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.wait(others)
        # One turn of the loop for the sockets of aborted connections to be closed.
        await asyncio.sleep(0)
