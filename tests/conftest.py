"""What tests of several folders need: a running Azurite, and its tables, empty."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from typing import get_args

import pytest

from gateway.settings import Settings
from gateway.storage.tables import NotFound, TableName, Tables
from local.azurite import PROGRAM, Azurite
from local.content_safety import SafetyServer
from tests.redis_server import RedisServer, empty


@pytest.fixture(autouse=True)
def _log_level() -> Iterator[None]:
    """A gateway that a test builds sets the level of its log; the next test is not to know."""
    yield
    logging.getLogger("gateway").setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def azurite() -> Iterator[str]:
    """The connection string of an Azurite that was started for these tests and keeps nothing."""
    if not PROGRAM.exists():
        pytest.fail("Azurite is not installed; `make setup` installs it.")
    with Azurite() as running:
        yield running.connection_string


@pytest.fixture
async def tables(azurite: str) -> AsyncIterator[Tables]:
    """Azurite's table service with none of the gateway's tables in it."""
    connected = Tables(Settings(tables=azurite))
    for name in get_args(TableName):
        try:
            await connected.send(name, lambda client: client.delete_table())
        except NotFound:
            continue
    yield connected
    await connected.aclose()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis with the query engine that was started for these tests."""
    with RedisServer() as server:
        yield server


@pytest.fixture
async def redis_url(redis_server: RedisServer) -> str:
    """The same, with nothing in it."""
    await empty(redis_server.url)
    return redis_server.url


@pytest.fixture(scope="session")
def safety_server() -> Iterator[SafetyServer]:
    """One stand-in for Azure AI Content Safety, with the key `safety-key`."""
    with SafetyServer(key="safety-key") as running:
        yield running


@pytest.fixture
def safety(safety_server: SafetyServer) -> SafetyServer:
    """The stand-in with nothing planned, no blocklists and its counters at zero."""
    safety_server.reset()
    safety_server.wait_for(lambda stats: stats["inFlight"] == 0)
    safety_server.reset()
    return safety_server
