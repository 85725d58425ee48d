"""A warning a minute."""

import logging

import pytest

from gateway.cache.rarely import Rarely
from tests.clock import Clock


def test_one_warning_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """The next one says how many were left out."""
    clock = Clock()
    rarely = Rarely(logging.getLogger("gateway.test"), clock)
    for number in range(5):
        rarely.warn("number %d", number)
    clock.time += 60
    rarely.warn("at last")
    clock.time += 60
    rarely.warn("again")
    assert caplog.messages == ["number 0", "at last (and 4 warnings more since the last)", "again"]
