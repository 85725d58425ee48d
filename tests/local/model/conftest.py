"""One stand-in model for a module of tests, and the official client for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai import OpenAI

from local.model import ModelServer


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def fresh(server: ModelServer) -> ModelServer:
    """The server with its counters at zero and nothing in flight."""
    server.wait_for(lambda stats: stats["inFlight"] == 0)
    server.reset()
    return server


@pytest.fixture(scope="module")
def client(server: ModelServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url, api_key="any", max_retries=0) as built:
        yield built
