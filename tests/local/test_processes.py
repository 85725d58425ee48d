"""local/processes.py and local/tied.py: children are watched, stopped, and never outlive us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from local.processes import REPOSITORY, Process, ProcessFailed

SAYS_READY_AND_WAITS = "import time; print('ready', flush=True); time.sleep(60)"
IGNORES_SIGTERM = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
STARTS_A_CHILD = f"""
import sys, time
from local.processes import Process
child = Process("child", [sys.executable, "-c", {SAYS_READY_AND_WAITS!r}])
child.start()
child.wait_for_line(lambda line: line == "ready", 20)
print(child.pid, flush=True)
time.sleep(60)
"""


def is_ready(line: str) -> bool:
    """What these children say when they are."""
    return line == "ready"


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not just waiting to be reaped."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Wait for a condition; False when it did not come about."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def started() -> Iterator[Callable[[str], Process]]:
    """Start Python programs that are stopped when the test is over."""
    processes: list[Process] = []

    def start(program: str) -> Process:
        process = Process("program", [sys.executable, "-c", program])
        processes.append(process)
        process.start()
        return process

    yield start
    for process in processes:
        process.stop(seconds=1)


def test_waits_for_a_line_and_stops(started: Callable[[str], Process]) -> None:
    """The awaited line comes back, and after stop the process is gone."""
    process = started("print('one')\n" + SAYS_READY_AND_WAITS)
    assert process.wait_for_line(is_ready, 20) == "ready"
    process.stop()
    assert process.returncode == -signal.SIGTERM
    assert not is_alive(process.pid)


def test_a_process_that_does_not_listen_is_killed(started: Callable[[str], Process]) -> None:
    """Stopping insists after its grace is over."""
    process = started(IGNORES_SIGTERM)
    process.wait_for_line(is_ready, 20)
    process.stop(seconds=0.1)
    assert process.returncode == -signal.SIGKILL


def test_stopping_twice_is_harmless(started: Callable[[str], Process]) -> None:
    """Stop may be called by whoever wants to be sure."""
    process = started(SAYS_READY_AND_WAITS)
    process.stop()
    process.stop()
    assert process.returncode is not None


def test_an_end_before_the_line_is_reported_with_its_last_words(started: Callable[[str], Process]) -> None:
    """A child that dies at start is not waited for, and its error output is in the message."""
    process = started("import sys; sys.exit('the reason')")
    with pytest.raises(ProcessFailed, match=r"(?s)program \(process \d+\) ended with exit code 1.*the reason"):
        process.wait_for_line(is_ready, 20)


def test_waiting_has_an_end(started: Callable[[str], Process]) -> None:
    """A child that never gets ready is an error, not a hang."""
    process = started(SAYS_READY_AND_WAITS)
    with pytest.raises(ProcessFailed, match="was not ready after"):
        process.wait_for_line(lambda line: False, 0.3)


def test_every_line_of_both_outputs_is_handed_over() -> None:
    """The log of a child can be relayed."""
    lines: list[str] = []
    program = "import sys; print('out', flush=True); print('err', file=sys.stderr, flush=True)"
    process = Process("program", [sys.executable, "-c", program], on_line=lines.append)
    process.start()
    assert eventually(lambda: process.returncode is not None)
    assert "exit code 0" in process.describe_end()
    assert sorted(lines) == ["err", "out"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no signal for a parent's death")
def test_children_end_when_their_parent_is_killed() -> None:
    """No orphan is left even when the parent had no chance to stop its children."""
    command = [sys.executable, "-c", STARTS_A_CHILD]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        os.kill(parent.pid, signal.SIGKILL)
        assert eventually(lambda: not is_alive(child))
