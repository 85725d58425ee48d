"""Usage of two instances, in processes of their own, of which one is killed."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.storage.tables import Tables
from gateway.storage.usage import Figures, UsageStore

ROOT = Path(__file__).parents[1]
FLUSH_SECONDS = 0.5
# For a write and a busy machine, on top of the interval.
SLACK_SECONDS = 3.0


class Instance:
    """A process that counts calls, and tells when it counted each."""

    def __init__(self, connection: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.usage_process", connection, str(FLUSH_SECONDS)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._moments: list[float] = []

    def count_for(self, seconds: float) -> None:
        """Follow its calls for so long."""
        self._moments.append(float(self._stdout.readline()))
        while self._moments[-1] - self._moments[0] < seconds:
            self._moments.append(float(self._stdout.readline()))

    def kill(self) -> list[float]:
        """SIGKILL; the moments of all calls it counted."""
        self._process.kill()
        return self._rest()

    def close(self) -> list[float]:
        """Let it close properly; the moments of all calls it counted."""
        moments = self._rest()
        assert self._process.returncode == 0
        return moments

    def _rest(self) -> list[float]:
        with self._process:
            self._stdin.close()
            rest = self._stdout.readlines()
        # The last line of a killed process may be cut off.
        return [*self._moments, *(float(line) for line in rest if line.endswith("\n"))]


async def stored(tables: Tables) -> Figures:
    """All that is stored of the hours around now."""
    now = datetime.now(UTC)
    total = Figures()
    for row in await UsageStore(tables).read(now - timedelta(hours=1), now + timedelta(hours=2)):
        total.add(row.figures)
    return total


def figures_of(calls: int) -> Figures:
    """What so many calls of an instance come to."""
    return Figures(calls, prompt=3 * calls, completion=2 * calls, cost=7 * calls)


async def test_instances_that_close_properly_lose_nothing(azurite: str, tables: Tables) -> None:
    """Two at the same time: the sum is exact."""
    instances = Instance(azurite), Instance(azurite)
    for instance in instances:
        instance.count_for(2 * FLUSH_SECONDS)
    counted = sum(len(instance.close()) for instance in instances)
    assert await stored(tables) == figures_of(counted)


async def test_a_killed_instance_loses_its_last_moments_and_nothing_of_others(azurite: str, tables: Tables) -> None:
    """At most what it counted since its last write; the other's sum is exact."""
    killed, other = Instance(azurite), Instance(azurite)
    killed.count_for(4 * FLUSH_SECONDS)
    other.count_for(FLUSH_SECONDS)
    counted = killed.kill()
    death = time.time()
    of_other = len(other.close())

    found = await stored(tables)
    survived = found.calls - of_other
    # The last one may have been counted and written, and not told.
    assert 0 < survived <= len(counted) + 1
    lost = counted[survived:]
    assert not lost or death - lost[0] < FLUSH_SECONDS + SLACK_SECONDS
    assert found == figures_of(found.calls)
