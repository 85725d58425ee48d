"""What the tests of flights need: flights and an answer, with a look afterwards at what is left of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.cache.flights import Flights
from tests.cache.upstream import KEY, Upstream
from tests.clock import settle


@pytest.fixture
async def flights() -> AsyncIterator[Flights]:
    """After each test nothing flies, nothing can be joined, and no task is left."""
    made = Flights()
    yield made
    await settle()
    assert len(made) == 0
    assert made.join(KEY) is None
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """After each test its answer is closed, exactly once."""
    made = Upstream()
    yield made
    assert made.closed == 1
