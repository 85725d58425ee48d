"""Hosts that run the sample function app, and what it takes to speak to them byte by byte."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

SAMPLE_APP = Path(__file__).with_name("sample_function_app.py")


@dataclass(eq=False)
class RunningHost:
    """A host process with the sample app, as `python -m local.host` starts it."""

    app: Path
    process: subprocess.Popen[str]
    log: Path
    ready: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @property
    def worker_pid(self) -> int:
        return int(self.ready["workerPid"])

    def get(self, path: str, **options: Any) -> httpx2.Response:
        return httpx2.get(self.url + path, **options)

    def diagnostics(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/diagnostics").json()
        return found

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


def wait_until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Returns as soon as the condition holds; fails the test if it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


@contextmanager
def connected(host: RunningHost) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", host.port), timeout=15) as connection:
        yield connection


def read_until(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while end not in received:
        data = connection.recv(65_536)
        assert data, f"the connection ended after {received!r}"
        received += data
    return received


def read_to_end(connection: socket.socket) -> bytes:
    received = bytearray()
    while data := connection.recv(1 << 20):
        received += data
    return bytes(received)


def raw(host: RunningHost, request: bytes) -> bytes:
    with connected(host) as connection:
        connection.sendall(request)
        return read_to_end(connection)


def launch(app: Path, *options: str) -> RunningHost:
    log = app / "host.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "local.host", "--port", "0", "--app", str(app), *options],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    host = RunningHost(app, process, log)
    assert process.stdout is not None
    with process.stdout as output:
        line = output.readline()
    assert line, f"the host did not come up:\n{log.read_text()}"
    host.ready = json.loads(line)
    return host


def write_app(directory: Path, source: str | None = None) -> Path:
    """Lays out a function app: the sample app, unless another source is given."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "function_app.py").write_text(SAMPLE_APP.read_text() if source is None else source)
    (directory / "host.json").write_text('{"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}')
    return directory


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    """One host for all tests that do not harm it."""
    running = launch(write_app(tmp_path_factory.mktemp("sample")), "--function-key", "open-sesame")
    yield running
    running.stop()


@pytest.fixture
def start_host(tmp_path: Path) -> Iterator[Callable[..., RunningHost]]:
    """Starts hosts of a test's own."""
    started: list[RunningHost] = []

    def start(*options: str) -> RunningHost:
        started.append(launch(write_app(tmp_path / f"app{len(started)}"), *options))
        return started[-1]

    yield start
    for running in started:
        running.stop()
