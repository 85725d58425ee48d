"""A `make run` for tests: started as a terminal would, in a clone of its own, watched through what it prints."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
NOT_CLONED = shutil.ignore_patterns(
    ".git", ".venv", "node_modules", ".local", ".*_cache", "__pycache__", "local.settings.json"
)
GREETED = "Stop with Ctrl-C. Each request is a line below."
START_SECONDS = 60.0


def environment() -> dict[str, str]:
    """What a person's shell has: nothing from the make or the settings this test itself may run under."""
    ours = ("MAKE", "MFLAGS", "GATEWAY_", "MODEL", "PORT", "PYTHON", "AzureWebJobs")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@dataclass
class MakeRun:
    """One `make run` in its own process group, as a terminal would start it."""

    clone: Path
    port: int
    arguments: tuple[str, ...] = ()
    lines: list[str] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)
    start_seconds: float = 0.0
    _reading: bool = True
    _news: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue)

    def __post_init__(self) -> None:
        self._started = time.monotonic()
        self._make = subprocess.Popen(
            ["make", "run", f"PORT={self.port}", *self.arguments],
            cwd=self.clone,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, accept: Callable[[str], bool], seconds: float = START_SECONDS) -> str:
        """The first new line that is accepted."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                line = self._news.get(timeout=left)
                assert line is not None, f"make run ended:\n{self.output}"
                if accept(line):
                    return line
        raise AssertionError(f"no such line in {seconds:.0f} s:\n{self.output}")

    def wait_until_greeted(self) -> MakeRun:
        """Until it takes calls; note how long that took and what run.json says."""
        self.wait_for(lambda line: line == GREETED)
        self.start_seconds = time.monotonic() - self._started
        self.record = json.loads((self.clone / ".local/run.json").read_text())
        return self

    @property
    def output(self) -> str:
        """All it has printed so far."""
        return "\n".join(self.lines)

    @property
    def processes(self) -> dict[str, int | None]:
        """The process ids it told other programs."""
        processes: dict[str, int | None] = self.record["processes"]
        return processes

    def printed(self, heading: str) -> str:
        """The example below a heading, exactly as printed."""
        return self.output.split(heading, 1)[1].split("\n\n")[1]

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Press Ctrl-C: the signal goes to the whole group. Returns make's exit code."""
        os.killpg(self._make.pid, number)
        return self.wait()

    def wait(self) -> int:
        """Wait for its own end."""
        exit_code = self._make.wait(30)
        self._reader.join()
        return exit_code

    def stop_reading(self, shell_command: str) -> None:
        """Close the pipe. The reader waits for a line, so the command has to cause one."""
        self._reading = False
        subprocess.run(["bash", "-c", shell_command], capture_output=True, check=True)
        self._reader.join()

    def make_sure_it_is_gone(self) -> None:
        """For a test that failed half way."""
        if self._make.poll() is None:
            os.killpg(self._make.pid, signal.SIGTERM)
            self._make.wait(30)
        self._reader.join()

    def _read(self) -> None:
        assert self._make.stdout is not None
        with self._make.stdout as output:
            for line in output:
                self.lines.append(line.rstrip("\n"))
                self._news.put(line.rstrip("\n"))
                if not self._reading:
                    break
        self._news.put(None)


def is_alive(pid: int) -> bool:
    """Whether a process has this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def clone_into(folder: Path) -> Path:
    """A clone beside this one, sharing what is installed but not what `make run` keeps."""
    shutil.copytree(REPOSITORY, folder, ignore=NOT_CLONED)
    for installed in (".venv", "node_modules"):
        (folder / installed).symlink_to(REPOSITORY / installed)
    return folder


def pid_of(run: MakeRun, name: str) -> int:
    """The id of a process that must be there."""
    pid = run.processes[name]
    assert pid is not None
    return pid


def still_alive(run: MakeRun) -> list[str]:
    """The names of those of its processes that have not ended."""
    return [name for name, pid in run.processes.items() if pid is not None and is_alive(pid)]
