"""The whole system, once for all tests of the front door."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.front_door.system import System


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """A running gateway with the catalog of `system.py`."""
    running = System()
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def http(system: System) -> Iterator[httpx2.Client]:
    """An HTTP client with the key of the subscription `team`."""
    headers = {"api-key": system.keys["team"]}
    with httpx2.Client(base_url=system.url, headers=headers, timeout=30) as client:
        yield client
