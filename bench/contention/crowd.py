"""Starts the processes of a contest, kills some at random and starts them again, and stops them in the end."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from bench.contention.contest import Contest
from bench.contention.spender import READY
from local.processes import Process, ProcessFailed


class Crowd:
    """The processes, by number. `kills` counts those that were killed."""

    def __init__(self, contest: Contest, connection: str, folder: Path) -> None:
        self.kills = 0
        self._contest = contest
        self._connection = connection
        self._folder = folder
        self._rng = random.Random(contest.seed)
        self._processes: dict[int, Process] = {}
        self._lives = 0

    @property
    def journals(self) -> list[Path]:
        """One of each process, whether it lives or not."""
        return sorted(self._folder.glob("*.journal"))

    def run(self) -> None:
        """The whole contest; raises ProcessFailed if a process ends that was not killed. Nothing is left running."""
        try:
            for number in range(self._contest.processes):
                self._start(number)
            for process in self._processes.values():
                process.wait_for_line(lambda line: line == READY, 60)
            self._watch()
        finally:
            for process in self._processes.values():
                os.kill(process.pid, signal.SIGTERM)
            for process in self._processes.values():
                process.stop()
        self._expect_all_to_have_ended_well()

    def _start(self, number: int) -> None:
        self._lives += 1
        journal = self._folder / f"{number}.journal"
        arguments = [str(number), str(self._lives), self._connection, str(journal), self._contest.to_text()]
        process = Process(f"spender {number}", [sys.executable, "-m", "bench.contention.spender", *arguments])
        process.start()
        self._processes[number] = process

    def _watch(self) -> None:
        end = time.monotonic() + self._contest.seconds
        while (rest := end - time.monotonic()) > 0:
            time.sleep(min(rest, self._until_next_kill()))
            if self._contest.kill_seconds and time.monotonic() < end:
                self._kill(self._rng.randrange(self._contest.processes))

    def _until_next_kill(self) -> float:
        seconds = self._contest.kill_seconds
        return self._rng.uniform(0.5, 1.5) * seconds if seconds else self._contest.seconds

    def _kill(self, number: int) -> None:
        process = self._processes[number]
        os.kill(process.pid, signal.SIGKILL)
        process.stop()
        self.kills += 1
        self._start(number)

    def _expect_all_to_have_ended_well(self) -> None:
        for process in self._processes.values():
            if process.returncode not in (0, -signal.SIGTERM):
                raise ProcessFailed(process.describe_end())
