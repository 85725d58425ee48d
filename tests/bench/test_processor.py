"""What a process uses."""

import os
import subprocess
import sys

import pytest

from bench.faults import BenchFailed
from bench.processor import Meter, children, processor_seconds, resident_megabytes


def test_memory_of_this_process() -> None:
    """A Python process has some megabytes, and not a terabyte."""
    assert 5 < resident_megabytes(os.getpid()) < 1_000_000


def test_a_process_that_has_ended_is_named() -> None:
    """A worker that died is a failed run, not a figure."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with pytest.raises(BenchFailed, match=f"process {child.pid} has ended"):
        resident_megabytes(child.pid)


def test_processor_time_a_request() -> None:
    """Work that was done shows, shared out among the requests."""
    meter = Meter({"this": os.getpid()})
    before = processor_seconds(os.getpid())
    while processor_seconds(os.getpid()) == before:
        sum(range(100_000))
    used = meter.microseconds(10)
    assert set(used) == {"this, user", "this, system"}
    # A tick of the clock is 10,000 µs on most systems, for ten requests; floating-point differences lose a little.
    assert sum(used.values()) > 900


def test_children_are_found() -> None:
    """nginx serves from a child of the process that was started."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert child.pid in children(os.getpid())
    finally:
        child.communicate(b"\n")
