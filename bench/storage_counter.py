"""A proxy in front of Azurite that counts the requests the gateway sends to Table Storage, by kind."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from typing import cast
from urllib.parse import unquote, urlsplit

import httptools

Count = Callable[[str, str], None]


class StorageCounter:
    """Listens on a port of its own, in a thread of its own, and passes everything on byte for byte."""

    def __init__(self, upstream_port: int) -> None:
        self.port = 0
        self._upstream_port = upstream_port
        self._counts: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self) -> None:
        """Returns when it takes connections."""
        self._thread.start()
        self._listening.wait()

    def stop(self) -> None:
        """Cut every connection and end the thread."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def reset(self) -> None:
        """Count from nothing again."""
        self._counts = Counter()

    def counts(self) -> dict[str, int]:
        """Requests since the last reset, by kind."""
        return dict(self._counts)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        self._stopped = asyncio.Event()
        server = await self._loop.create_server(lambda: _Caller(self._upstream_port, self._count), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._stopped.wait()
        server.close()
        server.abort_clients()
        await server.wait_closed()

    def _count(self, method: str, url: str) -> None:
        self._counts[kind_of(method, url)] += 1


def kind_of(method: str, url: str) -> str:
    """What a Table Storage request is about: "GET gatewaycatalog revision" is one row, "... rows" is a query."""
    resource = unquote(urlsplit(url).path).partition("/")[2].partition("/")[2]
    table, _, key = resource.partition("(")
    if "RowKey=" not in key:
        return f"{method} {table} rows" if method == "GET" else f"{method} {table}"
    # Subscriptions and key hashes are many; only the catalog's rows have names worth telling apart.
    row = key.rpartition("RowKey='")[2].rstrip("')") if table == "gatewaycatalog" else "one row"
    return f"{method} {table} {row}"


class _Relay(asyncio.Protocol):
    """One side of a relayed connection: what it reads, the other side writes."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _Relay | None = None
        self._waiting: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.writelines(self._waiting)

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            self.other.write(data)

    def write(self, data: bytes) -> None:
        """Keeps what comes before the connection is made."""
        if self.transport is None:
            self._waiting.append(data)
        else:
            self.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


class _Caller(_Relay):
    """The gateway's side: its requests are read along."""

    def __init__(self, upstream_port: int, count: Count) -> None:
        super().__init__()
        self._upstream_port = upstream_port
        self._count = count
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.other = _Relay()
        self.other.other = self
        self._connecting = asyncio.get_running_loop().create_task(self._connect(self.other))

    async def _connect(self, other: _Relay) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: other, "127.0.0.1", self._upstream_port)
        except OSError:
            # Azurite is gone; so is this connection.
            if self.transport is not None:
                self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)
        super().data_received(data)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_message_complete(self) -> None:
        self._count(self._parser.get_method().decode(), self._url.decode("latin-1"))
        self._url = b""
