"""The simulated Table Storage keeps what the real one promises, and ends where the real one ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bench.simulation.store import PARTITION_A_SECOND, WRITE_SECONDS, InstanceStore, SimulatedStore
from bench.simulation.virtual_loop import run
from gateway.errors import StorageUnavailable
from gateway.storage.tables import Conflict, PreconditionFailed

BEGIN = 1_000_000.0


def on_store(work: Callable[[SimulatedStore, InstanceStore], Coroutine[Any, Any, None]]) -> None:
    """Run something on an empty store, seen from an instance whose clock is 2 s fast."""

    async def with_store() -> None:
        store = SimulatedStore(random.Random(1), BEGIN)
        await work(store, store.seen_by_one())

    run(with_store())


def test_compare_and_swap() -> None:
    """Only the version that is there can be replaced, and only what is not there can be new."""

    async def work(store: SimulatedStore, seen: InstanceStore) -> None:
        assert await seen.read("key") is None
        first = await seen.write("key", "one", None)
        with pytest.raises(Conflict):
            await seen.write("key", "two", None)
        second = await seen.write("key", "two", first.etag)
        with pytest.raises(PreconditionFailed):
            await seen.write("key", "three", first.etag)
        with pytest.raises(PreconditionFailed):
            await seen.write("other", "three", first.etag)
        stored = await seen.read("key")
        assert stored is not None
        assert (stored.text, stored.etag) == ("two", second.etag)
        assert store.operations == {"read": 2, "write": 5, "conflict": 3}

    on_store(work)


def test_of_fifty_writers_one_wins() -> None:
    """All write the same version at once."""

    async def work(store: SimulatedStore, seen: InstanceStore) -> None:
        written = await seen.write("key", "", None)
        writes = [seen.write("key", str(number), written.etag) for number in range(50)]
        ends = await asyncio.gather(*writes, return_exceptions=True)
        assert sum(not isinstance(end, Exception) for end in ends) == 1
        assert sum(isinstance(end, PreconditionFailed) for end in ends) == 49

    on_store(work)


def test_answers_bound_the_service_time() -> None:
    """The service's clock stood in the second that an answer names, while the instance waited for it."""

    async def work(store: SimulatedStore, seen: InstanceStore) -> None:
        written = await seen.write("key", "", None)
        bounds = written.time
        assert bounds is not None
        assert (bounds.earliest, bounds.latest) == (BEGIN, BEGIN + 1)
        assert 0.3 * WRITE_SECONDS < store.now() - BEGIN < 3 * WRITE_SECONDS

    on_store(work)


def test_a_partition_has_an_end() -> None:
    """What comes in a second beyond 2,000 is turned away, tried again, and given up; other partitions are not busy."""

    async def work(store: SimulatedStore, seen: InstanceStore) -> None:
        reads = [seen.read("key") for _ in range(3 * PARTITION_A_SECOND)]
        ends = await asyncio.gather(*reads, seen.read("other"), return_exceptions=True)
        assert sum(end is None for end in ends) == PARTITION_A_SECOND + 1
        assert sum(isinstance(end, StorageUnavailable) for end in ends) == 2 * PARTITION_A_SECOND
        assert store.busiest_partition == PARTITION_A_SECOND
        await asyncio.sleep(1)
        assert await seen.read("key") is None

    on_store(work)


def test_nothing_left_to_happen_is_said() -> None:
    """Whoever waits for what cannot come would wait for ever."""

    async def forever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="nothing is left"):
        run(forever())
