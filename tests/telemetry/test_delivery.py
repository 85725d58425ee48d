"""Exporting: in every interval, never in anybody's way, and quietly when it fails."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable

import pytest

from gateway.telemetry.aggregates import Aggregates
from gateway.telemetry.delivery import Complaints, Delivery
from tests.clock import Clock


class Box:
    """An outlet that keeps what it is handed; it can fail, and it can hold on until it is let go."""

    def __init__(self, reason: str | None = None, holds: bool = False) -> None:
        self.name = "a box"
        self.received: list[Aggregates] = []
        self.threads: list[str] = []
        self.is_closed = False
        self.reason = reason
        self.free = threading.Event()
        if not holds:
            self.free.set()

    def deliver(self, interval: Aggregates, ended: int) -> str | None:
        self.threads.append(threading.current_thread().name)
        self.received.append(interval)
        self.free.wait()
        return self.reason

    def close(self) -> None:
        self.is_closed = True


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a thread does it, and has no way to tell
            await asyncio.sleep(0.001)


async def test_every_interval_is_delivered_off_the_loop() -> None:
    """Each one once, in a thread that no exit waits for, and one more when it ends."""
    box = Box()
    delivery = Delivery(lambda: [box], Aggregates, 0.01)
    delivery.start()
    await until(lambda: len(box.received) >= 3)
    await delivery.aclose()
    assert len({id(each) for each in box.received}) == len(box.received)
    assert set(box.threads) == {"metrics"}
    assert box.is_closed


async def test_a_short_life_is_delivered() -> None:
    """Closed before the exporters are loaded, there is one export all the same."""
    box = Box()
    delivery = Delivery(lambda: [box], Aggregates, 60)
    delivery.start()
    await delivery.aclose()
    assert len(box.received) == 1


async def test_an_outlet_that_hangs_holds_up_nothing() -> None:
    """The loop goes on, no thread is added to the one that hangs, and the end comes in about two seconds."""
    box = Box(holds=True)
    delivery = Delivery(lambda: [box], Aggregates, 0.01)
    delivery.start()
    await until(lambda: len(box.received) == 1)
    begun = time.monotonic()
    await delivery.aclose()
    assert time.monotonic() - begun < 3
    assert len(box.received) == 1
    box.free.set()


async def test_a_failing_outlet_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """In every interval; the log has one line for all of them."""
    box = Box("no answer")
    delivery = Delivery(lambda: [box], Aggregates, 0.01)
    with caplog.at_level(logging.INFO, "gateway.metrics"):
        delivery.start()
        await until(lambda: len(box.received) >= 5)
        await delivery.aclose()
    assert caplog.messages == ["metrics do not reach a box: no answer"]


async def test_an_interval_that_cannot_be_delivered(caplog: pytest.LogCaptureFixture) -> None:
    """Is logged, and the next one is delivered all the same."""

    class Broken(Box):
        """Fails at the first interval in a way that nobody has foreseen."""

        def deliver(self, interval: Aggregates, ended: int) -> str | None:
            super().deliver(interval, ended)
            if len(self.received) == 1:
                raise ZeroDivisionError
            return None

    box = Broken()
    delivery = Delivery(lambda: [box], Aggregates, 0.01)
    delivery.start()
    await until(lambda: len(box.received) >= 2)
    await delivery.aclose()
    assert caplog.messages == ["metrics of one interval are lost"]


def test_a_complaint_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Of each outlet."""
    clock = Clock()
    complaints = Complaints(clock)
    for seconds in (0, 59.9, 0.1, 1):
        clock.time += seconds
        complaints.hear("one", f"after {seconds}")
        complaints.hear("two", f"after {seconds}")
    assert [message.rpartition(": ")[2] for message in caplog.messages] == ["after 0"] * 2 + ["after 0.1"] * 2


async def test_exporters_that_cannot_be_loaded(caplog: pytest.LogCaptureFixture) -> None:
    """The log says so once, and that is all."""

    def broken() -> list[Box]:
        raise ImportError("no such module")

    delivery = Delivery(broken, Aggregates, 0.01)
    delivery.start()
    await until(lambda: bool(caplog.messages))
    await delivery.aclose()
    assert caplog.messages == ["metrics are not exported"]


async def test_what_was_never_started_ends_at_once() -> None:
    """Nothing to wait for."""
    await Delivery(list, Aggregates, 60).aclose()
