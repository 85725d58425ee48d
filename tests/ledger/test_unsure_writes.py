"""Writes of which an instance does not hear whether they arrived: each counts once, whatever happened to it."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import StorageUnavailable
from gateway.ledger.record import WRITERS_REMEMBERED, Record
from gateway.ledger.store import Stored, Written
from gateway.storage.tables import Conflict, PreconditionFailed
from tests.ledger.instances import KEY, YEAR, Instance, tokens
from tests.ledger.memory_store import MemoryStore
from tests.ledger.virtual_time import run


class DelayingStore(MemoryStore):
    """The next `delays` writes are held back: each arrives when so many more reads have been answered, unheard."""

    def __init__(self) -> None:
        super().__init__()
        self.delays: list[int] = []
        self._held: list[tuple[int, str, str, str | None]] = []

    async def read(self, key: str) -> Stored | None:
        found = await super().read(key)
        self._held = [(reads - 1, *write) for reads, *write in self._held]  # type: ignore[misc]
        for reads, *write in self._held:
            if reads <= 0:
                try:
                    await super().write(*write)
                except (Conflict, PreconditionFailed):
                    self.came_too_late = True
        self._held = [held for held in self._held if held[0] > 0]
        return found

    async def write(self, key: str, text: str, etag: str | None) -> Written:
        if not self.delays:
            return await super().write(key, text, etag)
        self._held.append((self.delays.pop(0), key, text, etag))
        raise StorageUnavailable("the answer was lost")


def used(store: MemoryStore) -> int:
    count = store.record(KEY).counts.get(YEAR)
    return sum(count.slots.values()) if count else 0


@pytest.mark.parametrize("delays", [[1], [2], [3], [1, 1], [3, 2, 1]], ids=str)
@pytest.mark.parametrize("begun", [False, True], ids=["a new counter", "a known counter"])
def test_a_write_that_arrives_late(delays: list[int], begun: bool) -> None:
    """After the look that was to tell whether it had arrived: its debts and grants are known for what they are."""

    async def scenario() -> None:
        store = DelayingStore()
        instance = Instance(store)
        if begun:
            await instance.call(tokens(100, 10**6, YEAR), used=130)
            await asyncio.sleep(3)
        store.delays = list(delays)
        for _ in range(40):
            await instance.call(tokens(100, 10**6, YEAR), used=130)
            await asyncio.sleep(0.3)
        await asyncio.sleep(5)
        await instance.ledger.aclose()
        assert used(store) == (40 + begun) * 130

    run(scenario())


def test_a_write_among_many() -> None:
    """Fifty others write before it is looked for: it is still found."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        await instance.call(tokens(100, 10**6, YEAR), used=130)
        store.loses_answers = 1
        await asyncio.sleep(1)
        others = [Instance(store, number) for number in range(1, 51)]
        for other in others:
            await other.call(tokens(100, 10**6, YEAR))
            await other.ledger.aclose()
        await asyncio.sleep(5)
        await instance.ledger.aclose()
        assert used(store) == 130 + 50 * 100

    run(scenario())


def test_marks_do_not_pile_up() -> None:
    """A record keeps one mark a writer, of those who wrote last."""
    record = Record()
    for write in range(10_000):
        record.marked(f"{write % 300}", f"{write}")
    assert len(record.writes) == WRITERS_REMEMBERED
    assert record.has("271", "9871") is False
    assert record.has("272", "9872") is True
    assert len(record.to_text()) < 4_000


def test_storage_that_never_writes() -> None:
    """It answers every read and takes no write for an hour: what is remembered of the attempts is bounded."""

    async def scenario() -> None:
        store = DelayingStore()
        instance = Instance(store)
        store.delays = [10**9] * 100_000
        for _ in range(360):
            await instance.call(tokens(10, 10**6, YEAR))
            await asyncio.sleep(10)
        (account,) = instance.ledger.accounts.values()
        assert 0 < len(account.exchange.unsure) <= 16
        store.delays.clear()
        await asyncio.sleep(5)
        assert used(store) == 3_600

    run(scenario())


def test_a_record_that_only_a_later_version_can_read() -> None:
    """It is left alone, by a process that stops as well."""

    async def scenario() -> None:
        store = MemoryStore()
        instance = Instance(store)
        await instance.call(tokens(100))
        text = '{"format": 2, "counts": "in another way"}'
        store.put_text(KEY, text)
        for _ in range(30):
            await instance.call(tokens(100), used=300)
            await asyncio.sleep(0.3)
        await instance.ledger.aclose()
        assert (await store.read(KEY)).text == text  # type: ignore[union-attr]

    run(scenario())
