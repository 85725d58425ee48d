"""The transport for backends: HTTP/1.1 over TCP and TLS, behind httpx2's interface.

httpx2's own transport spends most of a gateway's time (h11 in Python, locks, one coroutine per layer). This one is an
asyncio Protocol around llhttp and does what a gateway needs, no more: no HTTP/2, no proxies, no upgrades.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Any

import httpx2

from gateway.backends.answer import Answer
from gateway.backends.connection_pool import ConnectionPool, Origin, PoolLimits
from gateway.backends.request_head import Outgoing, outgoing

DEFAULT_PORTS = {"http": 80, "https": 443}


class HTTP11Transport(httpx2.AsyncBaseTransport):
    """Sends requests over pooled connections; raises httpx2.TransportError's children.

    A request is sent a second time, on a fresh connection, if the connection it went out on had served before and
    turned out to be closed before any byte came back, and the body is still at hand. Time limits come from the
    request's `timeout` extension, in seconds; `connect` and `pool` count once, `write` and `read` for every wait.
    """

    def __init__(
        self,
        *,
        verify: ssl.SSLContext | bool = True,
        trust_env: bool = False,
        max_connections: int = 1000,
        keepalive_expiry: float = 30.0,
        max_header_bytes: int = 65536,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._verify = verify
        self._trust_env = trust_env
        self._limits = PoolLimits(max_connections, keepalive_expiry, max_header_bytes, clock)
        self._context: asyncio.Task[ssl.SSLContext] | None = None
        self._pools: dict[tuple[str, bytes, int | None], ConnectionPool] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and wait for the head of its answer; the body is the response's stream."""
        url = request.url
        pool = self._pools.get((url.scheme, url.raw_host, url.port)) or self._new_pool(url)
        answer = await _exchange(pool, outgoing(request), request.extensions)
        return httpx2.Response(
            answer.status,
            headers=answer.headers,
            stream=answer,
            extensions={"http_version": answer.version, "reason_phrase": answer.reason},
        )

    def _new_pool(self, url: httpx2.URL) -> ConnectionPool:
        if url.scheme not in DEFAULT_PORTS:
            raise httpx2.UnsupportedProtocol("Only http and https are supported.")
        origin = Origin(url.scheme == "https", url.raw_host.decode(), url.port or DEFAULT_PORTS[url.scheme])
        pool = ConnectionPool(origin, self._limits, self._ssl_context)
        self._pools[url.scheme, url.raw_host, url.port] = pool
        return pool

    async def _ssl_context(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = asyncio.create_task(asyncio.to_thread(self._build_ssl_context))
        # Others wait for the same task, so one who leaves must not take it along.
        return await asyncio.shield(self._context)

    def _build_ssl_context(self) -> ssl.SSLContext:
        context = httpx2.create_ssl_context(verify=self._verify, trust_env=self._trust_env)
        context.set_alpn_protocols(["http/1.1"])
        return context

    async def aclose(self) -> None:
        """Close all connections; requests under way fail."""
        pools = list(self._pools.values())
        self._pools.clear()
        for pool in pools:
            await pool.aclose()


async def _exchange(pool: ConnectionPool, request: Outgoing, extensions: dict[str, Any]) -> Answer:
    if request.body is None:
        # It cannot be sent twice, so it must not meet a connection that the server has closed: one turn of the loop
        # to see what has happened on the idle ones, one for them to hear of it.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    fresh = False
    while True:
        connection = None if fresh else pool.take_idle()
        if connection is None:
            connection = await pool.obtain(extensions.get("timeout") or {}, fresh=fresh)
        used_before = connection.used
        answer = connection.start(request, extensions)
        try:
            await answer.head()
        except (httpx2.ReadError, httpx2.RemoteProtocolError):
            if not used_before or not answer.untouched or request.body is None:
                raise
            fresh = True
        else:
            return answer
