"""Child processes: started tied to this one, their lines read as they come, stopped by their own pid."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

TIED = Path(__file__).with_name("tied.py")
REPOSITORY = TIED.parent.parent


class ProcessFailed(Exception):
    """A child process ended, or did not get ready in time; the message carries the last lines it wrote."""


def _ignore(line: str) -> None:
    """Drop a line nobody asked for."""


class Process:
    """One child process. Lines of both its outputs go to `on_line`, and the last of them are kept for messages.

    It is its own session, so Ctrl-C in a terminal reaches only the process that starts it, which then stops its
    children in order. Start it from a thread that lives as long as the child should: the kernel ties it to that thread.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] = _ignore,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._environment = None if environment is None else dict(environment)
        self._on_line = on_line
        self._stop_signal = stop_signal
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._waiting = True
        self._recent: deque[str] = deque(maxlen=15)
        self._readers: list[threading.Thread] = []
        self._child: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """The child's process id; it stays the same after the child has ended."""
        return self._started().pid

    @property
    def returncode(self) -> int | None:
        """None while the child runs."""
        return self._started().poll()

    def start(self) -> None:
        """Start the child and read what it writes; nothing is waited for."""
        tied = [sys.executable, "-I", "-S", str(TIED), str(os.getpid()), str(int(self._stop_signal)), *self._command]
        self._child = subprocess.Popen(
            tied,
            cwd=REPOSITORY,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        for stream in (self._child.stdout, self._child.stderr):
            reader = threading.Thread(target=self._read, args=(stream,), daemon=True)
            reader.start()
            self._readers.append(reader)

    def wait_for_line(self, accept: Callable[[str], bool], seconds: float) -> str:
        """The first line that `accept` accepts; raise ProcessFailed when the child ends or time runs out."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                line = self._lines.get(timeout=0.05)
                if accept(line):
                    self._waiting = False
                    return line
                continue
            if self.returncode is not None:
                raise ProcessFailed(self.describe_end())
        raise ProcessFailed(f"{self.name} was not ready after {seconds:.0f} s{self._last_lines()}")

    def stop(self, seconds: float = 10.0) -> None:
        """Ask the child to end, insist after `seconds`, and wait until it is gone. Harmless when it is gone already."""
        if self._child is None:
            return
        if self._child.poll() is None:
            self._child.send_signal(self._stop_signal)
            try:
                self._child.wait(seconds)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        for reader in self._readers:
            # A grandchild may hold the pipe open; the reader is a daemon and is not worth waiting for then.
            reader.join(timeout=1)

    def describe_end(self) -> str:
        """One sentence on how the child ended, with the last lines it wrote."""
        for reader in self._readers:
            reader.join(timeout=1)
        return f"{self.name} (process {self.pid}) ended with exit code {self.returncode}{self._last_lines()}"

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                text = line.rstrip("\r\n")
                self._recent.append(text)
                # Nobody takes lines from the queue once the awaited one has come.
                if self._waiting:
                    self._lines.put(text)
                self._on_line(text)

    def _last_lines(self) -> str:
        return "".join(f"\n  | {line}" for line in self._recent)

    def _started(self) -> subprocess.Popen[str]:
        if self._child is None:
            raise ProcessFailed(f"{self.name} has not been started")
        return self._child
