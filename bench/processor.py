"""What a process uses: processor time and memory, from the system's own account."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bench.faults import BenchFailed

PROC = Path("/proc")


def resident_megabytes(pid: int) -> float:
    """Resident memory, in megabytes of 1,000,000 bytes; BenchFailed when there is no such process any more."""
    kibibytes = _from_proc(pid) if PROC.exists() else _from_ps(pid)
    if not kibibytes:
        raise BenchFailed(f"process {pid} has ended while it was measured")
    return int(kibibytes) * 1024 / 1e6


def _from_proc(pid: int) -> str:
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except FileNotFoundError:
        return ""
    return next((line.split()[1] for line in lines if line.startswith("VmRSS:")), "")


def _from_ps(pid: int) -> str:
    command = ["ps", "-o", "rss=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def processor_seconds(pid: int) -> tuple[float, float] | None:
    """User and system seconds so far, children not counted; None where the system has no /proc."""
    stat = PROC / str(pid) / "stat"
    if not stat.exists():
        return None
    # The program's name, in parentheses, may itself hold spaces.
    fields = stat.read_text().rpartition(")")[2].split()
    tick = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / tick, int(fields[12]) / tick


def children(pid: int) -> list[int]:
    """The processes that this one has started."""
    listed = PROC / str(pid) / "task" / str(pid) / "children"
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


class Meter:
    """Processor time of some processes over a stretch of work."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = dict(processes)
        self._before = self._read()

    def microseconds(self, requests: int) -> dict[str, float]:
        """Used since the meter was made, for each request; user and system time apart."""
        now = self._read()
        return {name: (now[name] - before) * 1e6 / requests for name, before in self._before.items() if name in now}

    def _read(self) -> dict[str, float]:
        read: dict[str, float] = {}
        for name, pid in self._processes.items():
            used = processor_seconds(pid)
            if used is not None:
                read[f"{name}, user"], read[f"{name}, system"] = used
        return read
