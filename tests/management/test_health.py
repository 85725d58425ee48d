"""Whether calls can be made, asked by anybody, as often as they like."""

import asyncio
import json

import pytest

from gateway.errors import StorageUnavailable
from gateway.management.health import PROBE_SECONDS, Readiness, ready


class Storage:
    """Counts who asks; answers when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_away = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def read(self) -> int:
        self.asked += 1
        await self.answers.wait()
        if self.is_away:
            raise StorageUnavailable("no connection to https://account.table.core.windows.net")
        return 1


class Clock:
    time = 100.0

    def __call__(self) -> float:
        return self.time


async def test_both_must_be_well() -> None:
    """The catalog is loaded, and storage answers; of neither more is said than a word."""
    storage, clock, loaded = Storage(), Clock(), False
    readiness = Readiness(lambda: loaded, storage.read, clock)
    storage.is_away = True
    assert await readiness.checks() == {"catalog": "loading", "storage": "unavailable"}
    loaded, storage.is_away = True, False
    clock.time += PROBE_SECONDS
    assert await readiness.checks() == {"catalog": "ok", "storage": "ok"}


async def test_storage_is_looked_at_once_in_five_seconds() -> None:
    """Anybody can ask, so asking must cost nothing: neither one after the other nor all at once."""
    storage, clock = Storage(), Clock()
    readiness = Readiness(lambda: True, storage.read, clock)
    await asyncio.gather(*(readiness.checks() for _ in range(100)))
    assert storage.asked == 1
    clock.time += PROBE_SECONDS - 0.01
    await readiness.checks()
    assert storage.asked == 1
    clock.time += 0.01
    await readiness.checks()
    assert storage.asked == 2


async def test_a_storage_that_hangs_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer comes all the same."""
    monkeypatch.setattr("gateway.management.health.PATIENCE_SECONDS", 0.02)
    storage = Storage()
    storage.answers.clear()
    readiness = Readiness(lambda: True, storage.read, Clock())
    assert (await readiness.checks())["storage"] == "unavailable"


async def test_a_fault_that_nobody_foresaw_is_not_readiness(caplog: pytest.LogCaptureFixture) -> None:
    """What was true five seconds ago is not said again; the answer comes, and the fault is logged."""
    faults: list[Exception] = []

    async def read() -> None:
        if faults:
            raise faults[0]

    clock = Clock()
    readiness = Readiness(lambda: True, read, clock)
    assert (await readiness.checks())["storage"] == "ok"
    faults.append(KeyError("revision"))
    clock.time += PROBE_SECONDS
    assert (await readiness.checks())["storage"] == "unavailable"
    assert "KeyError: 'revision'" in caplog.text


async def test_whoever_leaves_takes_no_look_along() -> None:
    """Others wait for the same one; the end of the process ends it."""
    storage = Storage()
    storage.answers.clear()
    readiness = Readiness(lambda: True, storage.read, Clock())
    leaving, staying = (asyncio.create_task(readiness.checks()) for _ in range(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    storage.answers.set()
    assert (await staying)["storage"] == "ok"
    storage.answers.clear()
    again = Readiness(lambda: True, storage.read, Clock())
    asking = asyncio.create_task(again.checks())
    await asyncio.sleep(0)
    await again.aclose()
    assert isinstance((await asyncio.gather(asking, return_exceptions=True))[0], asyncio.CancelledError)


def test_the_answer_names_what_is_wrong() -> None:
    """With a status for machines."""
    reply = ready({"catalog": "ok", "storage": "unavailable"})
    assert isinstance(reply.body, bytes)
    expected = {"status": "not ready", "checks": {"catalog": "ok", "storage": "unavailable"}}
    assert (reply.status, json.loads(reply.body)) == (503, expected)
    assert ready({"catalog": "ok", "storage": "ok"}).status == 200
