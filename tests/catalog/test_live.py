"""The catalog is followed while there are calls, and never makes them wait for long."""

import asyncio

import pytest

from gateway.catalog.live import LiveCatalog
from gateway.catalog.loading import LoadFault, parse_documents
from gateway.catalog.models import Document
from gateway.catalog.secrets import SecretBox
from gateway.catalog.snapshot import Snapshot
from gateway.errors import StorageUnavailable
from tests.clock import Clock, settle

POLL_SECONDS = 10.0


class Storage:
    """Stands where the catalog store does: counts what it is asked, may be away, broken, or hang."""

    def __init__(self) -> None:
        self.revision = 1
        self.asked = 0
        self.failures: list[Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def read_revision(self) -> int:
        self.asked += 1
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        return self.revision

    async def load(self) -> tuple[int, list[Document | LoadFault]]:
        await self.read_revision()
        text = "{kind: Api, name: one, path: one, type: openai, backend: {url: http://127.0.0.1:1/v1}}"
        return self.revision, list(parse_documents(text, "test"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
async def live(storage: Storage, clock: Clock) -> LiveCatalog:
    """A catalog that has been loaded."""
    live = LiveCatalog(storage, SecretBox(()), {}, POLL_SECONDS, clock)
    assert await live.latest() is not None
    return live


async def served(live: LiveCatalog) -> Snapshot | None:
    """What a call is served from, as the gateway asks for it."""
    return live.current() or await live.latest()


async def revision_served(live: LiveCatalog) -> int | None:
    snapshot = await served(live)
    return snapshot.revision if snapshot else None


async def test_calls_in_a_row_never_wait(live: LiveCatalog, storage: Storage, clock: Clock) -> None:
    """Storage is asked once in a poll, beside the path; the call after that sees the change."""
    storage.revision = 2
    clock.time += POLL_SECONDS - 1
    assert await revision_served(live) == 1
    clock.time += 2
    storage.gate.clear()
    asked = storage.asked
    assert [await revision_served(live) for _ in range(100)] == [1] * 100
    await settle()
    assert storage.asked == asked + 1
    storage.gate.set()
    await settle()
    assert await revision_served(live) == 2


async def test_the_first_call_after_an_idle_time_sees_the_latest(
    live: LiveCatalog, storage: Storage, clock: Clock
) -> None:
    """Nobody has looked for long, so it waits for a look, and so do those that come with it."""
    storage.revision = 2
    clock.time += 5 * POLL_SECONDS
    assert await asyncio.gather(*[revision_served(live) for _ in range(10)]) == [2] * 10


async def test_after_an_idle_time_a_storage_that_hangs_is_not_waited_for_long(
    live: LiveCatalog, storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last catalog serves, and once the patience is over no call waits at all."""
    monkeypatch.setattr("gateway.catalog.live.CATCH_UP_SECONDS", 0.05)
    storage.gate.clear()
    clock.time += 5 * POLL_SECONDS
    assert await revision_served(live) == 1
    clock.time += 0.1
    call = asyncio.create_task(revision_served(live))
    await settle()
    assert call.done()
    assert call.result() == 1
    storage.gate.set()


async def test_after_an_idle_time_an_outage_leaves_the_last_catalog(
    live: LiveCatalog, storage: Storage, clock: Clock
) -> None:
    """It goes on serving."""
    storage.failures = [StorageUnavailable("no answer")]
    clock.time += 5 * POLL_SECONDS
    assert await revision_served(live) == 1


@pytest.mark.parametrize("failure", [StorageUnavailable("no answer"), ZeroDivisionError("a bug")])
async def test_the_first_load_is_tried_until_it_succeeds(
    storage: Storage, clock: Clock, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever went wrong is logged, and does not end the trying."""
    storage.failures = [failure]
    live = LiveCatalog(storage, SecretBox(()), {}, POLL_SECONDS, clock)
    live.start()
    assert await revision_served(live) == 1
    assert "the catalog cannot be loaded yet" in caplog.text
