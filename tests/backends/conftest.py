"""The two transports the conformance tests run against, and servers for them to talk to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from gateway.backends.transport import HTTP11Transport
from tests.backends.raw_server import RawServer, Script

Serve = Callable[..., RawServer]
MakeTransport = Callable[..., httpx2.AsyncBaseTransport]


def _ours(max_connections: int, **options: Any) -> httpx2.AsyncBaseTransport:
    return HTTP11Transport(max_connections=max_connections, **options)


def _httpx2(max_connections: int, **options: Any) -> httpx2.AsyncBaseTransport:
    limits = httpx2.Limits(max_connections=max_connections, max_keepalive_connections=1000, keepalive_expiry=30.0)
    return httpx2.AsyncHTTPTransport(limits=limits, trust_env=False, **options)


TRANSPORTS = {"ours": _ours, "httpx2": _httpx2}


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Neither transport may leave anything running."""
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture(params=list(TRANSPORTS))
async def make_transport(request: pytest.FixtureRequest, no_task_left: None) -> AsyncIterator[MakeTransport]:
    """Builds a transport of either kind; closed after the test."""
    made = []

    def make(max_connections: int = 1000, verify: ssl.SSLContext | bool = False) -> httpx2.AsyncBaseTransport:
        made.append(TRANSPORTS[request.param](max_connections, verify=verify))
        return made[-1]

    yield make
    for transport in made:
        await transport.aclose()


@pytest.fixture
def transport(make_transport: MakeTransport) -> httpx2.AsyncBaseTransport:
    """A transport of either kind, with default settings."""
    return make_transport()


@pytest.fixture
async def make_ours(no_task_left: None) -> AsyncIterator[Callable[..., HTTP11Transport]]:
    """Builds our transport, for what httpx2's does differently; closed after the test."""
    made = []

    def make(**options: Any) -> HTTP11Transport:
        made.append(HTTP11Transport(**options))
        return made[-1]

    yield make
    for transport in made:
        await transport.aclose()


@pytest.fixture
def ours(make_ours: Callable[..., HTTP11Transport]) -> HTTP11Transport:
    """Our transport with default settings."""
    return make_ours()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts raw servers; stopped after the test."""
    with ExitStack() as stack:

        def start(script: Script, ssl_context: ssl.SSLContext | None = None) -> RawServer:
            return stack.enter_context(RawServer(script, ssl_context))

        yield start
