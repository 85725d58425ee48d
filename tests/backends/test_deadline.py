"""Time limits, on a clock that the test moves."""

import asyncio

import pytest

from gateway.backends.deadline import Deadline


class Clock:
    """As much of an event loop as has to do with time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[asyncio.TimerHandle] = []
        self.set = 0

    def time(self) -> float:
        return self.now

    def call_at(self, when, callback):
        self.set += 1
        timer = asyncio.TimerHandle(when, callback, (), self)
        self.timers.append(timer)
        return timer

    def get_debug(self) -> bool:
        return False

    def _timer_handle_cancelled(self, timer) -> None:
        self.timers.remove(timer)

    def advance(self, seconds: float) -> None:
        """Move on and call what is due."""
        self.now += seconds
        for timer in [timer for timer in self.timers if timer.when() <= self.now]:
            self.timers.remove(timer)
            timer._callback()


@pytest.fixture
def clock():
    """A clock at zero."""
    return Clock()


@pytest.fixture
def calls():
    """When the limit was exceeded."""
    return []


@pytest.fixture
def deadline(clock, calls):
    """A limit that notes when it was exceeded."""
    return Deadline(clock, lambda: calls.append(clock.now))


def test_expires_once(clock, calls, deadline):
    """The limit is exceeded when its time is over, and then it is gone."""
    deadline.start(10)
    clock.advance(9)
    assert calls == []
    clock.advance(1)
    clock.advance(100)
    assert calls == [10]
    assert clock.timers == []


def test_stopped(clock, calls, deadline):
    """A lifted limit is never exceeded."""
    deadline.start(10)
    deadline.stop()
    clock.advance(100)
    assert calls == []


def test_moved_later(clock, calls, deadline):
    """A limit set anew counts from then."""
    deadline.start(10)
    clock.advance(5)
    deadline.stop()
    deadline.start(10)
    clock.advance(5)
    assert calls == []
    clock.advance(5)
    assert calls == [15]


def test_moved_earlier(clock, calls, deadline):
    """A shorter limit does not wait for the timer of the longer one."""
    deadline.start(100)
    deadline.stop()
    deadline.start(10)
    clock.advance(10)
    assert calls == [10]


def test_frequent_use_costs_one_timer(clock, calls, deadline):
    """A thousand waits within one limit set no more than one timer."""
    for _ in range(1000):
        deadline.start(10)
        clock.advance(0.001)
        deadline.stop()
    assert clock.set == 1


def test_cancelled(clock, calls, deadline):
    """A cancelled limit leaves no timer."""
    deadline.start(10)
    deadline.cancel()
    assert clock.timers == []
