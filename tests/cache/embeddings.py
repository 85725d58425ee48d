"""Servers of embeddings that answer well or badly, and an Embedder before one."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.backends.client import BackendClient
from gateway.backends.credentials import TokenSource
from gateway.cache.embedder import Embedder, EmbeddingFailed
from gateway.catalog.backend_settings import BackendSettings
from gateway.catalog.snapshot import ResolvedBackend
from tests.backends.raw_server import Peer, RawServer, Script
from tests.backends.test_client import NoTokens
from tests.clock import Clock

TEXT = "What is the airspeed of an unladen swallow?"
SECRET = "sk-of-the-backend"
PATIENCE = 5.0
VECTOR = [3.0, 0.0, 4.0]
UNIT = [0.6, 0.0, 0.8]


def answer(vector: Any = VECTOR, **more: Any) -> bytes:
    """The response of a backend that answers with this vector."""
    data = [{"object": "embedding", "index": 0, "embedding": vector}]
    document = {"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 7, "total_tokens": 7}}
    return response(json.dumps(document | more).encode())


def response(body: bytes, status: int = 200, content_type: str = "application/json") -> bytes:
    """Any response."""
    head = f"HTTP/1.1 {status} Status\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def refusal(status: int) -> bytes:
    """An error that quotes what was asked, as some backends do."""
    return response(json.dumps({"error": {"message": f"cannot embed {TEXT!r}", "type": "x"}}).encode(), status)


def base64_of(vector: Sequence[float]) -> str:
    """Little-endian 32-bit floats."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def switching(*parts: bytes | None) -> Script:
    """Answers each request with the next of these, and after that with the last; None waits until the client goes."""
    remaining = list(parts)

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            part = remaining.pop(0) if len(remaining) > 1 else remaining[0]
            if part is None:
                await peer.until_closed()
                return
            await peer.send(part)

    return script


@asynccontextmanager
async def embedding(
    url: str,
    dimensions: int | None = 3,
    *,
    credentials: dict[str, Any] | None = None,
    clock: Clock | None = None,
    tokens: TokenSource | None = None,
    waits: bool = True,
) -> AsyncIterator[Embedder]:
    """An Embedder for the backend at a URL, whose SDK is there unless the test does not want to wait for it."""
    settings = BackendSettings.model_validate({"url": url} | ({"credentials": credentials} if credentials else {}))
    has_value = credentials is not None and "managedIdentity" not in credentials
    backend = ResolvedBackend("vectors", settings, SECRET if has_value else None)
    client = BackendClient(tokens or NoTokens(), 100)
    embedder = Embedder(client, backend, "small", dimensions, clock or Clock())
    try:
        if waits:
            assert await embedder.ready()
        yield embedder
    finally:
        await embedder.aclose()
        await client.aclose()


@asynccontextmanager
async def served(script: Script, dimensions: int | None = 3, **more: Any) -> AsyncIterator[tuple[Embedder, RawServer]]:
    """An Embedder, and the server that it asks."""
    path = more.pop("path", "/v1")
    with RawServer(script) as server:
        async with embedding(server.url + path, dimensions, **more) as embedder:
            yield embedder, server


def is_unit(vector: Any) -> bool:
    """Whether it has length one."""
    return math.isclose(math.hypot(*vector.tolist()), 1.0, rel_tol=1e-6)


async def reason(embedder: Embedder, text: str = TEXT, timeout: float = PATIENCE) -> str:
    """Why there is no embedding."""
    with pytest.raises(EmbeddingFailed) as raised:
        await embedder.embed(text, timeout)
    return raised.value.reason
