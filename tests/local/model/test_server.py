"""The server that tests run in a thread."""

from __future__ import annotations

import asyncio
import time

import httpx2
import pytest

from local.model import ModelServer
from tests.local.model.conversation import CHAT, DONE, STREAM, connect


async def test_many_callers_at_once(fresh: ModelServer) -> None:
    """Two hundred streams side by side all end well."""
    limits = httpx2.Limits(max_connections=200)
    async with httpx2.AsyncClient(base_url=fresh.url, limits=limits, timeout=30) as client:
        answers = await asyncio.gather(*(client.post("/chat/completions", json=STREAM) for _ in range(200)))
    assert all(DONE in answer.content for answer in answers)
    assert fresh.wait_for(lambda stats: stats["inFlight"] == 0)["requests"] == 200


def test_close_does_not_wait_for_hanging_answers(caplog: pytest.LogCaptureFixture) -> None:
    """A server with a request that hangs closes at once, and without a word."""
    with ModelServer() as server, connect(server, CHAT, hang="head"):
        server.wait_for(lambda stats: stats["inFlight"] == 1)
        begun = time.monotonic()
        server.close()
        assert time.monotonic() - begun < 2
    assert not caplog.records
