"""GET /gateway/health: the process is alive. GET /gateway/ready: calls can be made. Neither tells a secret."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from gateway.call import Call, Reply
from gateway.errors import CallerError, StorageUnavailable

# Storage is looked at once in so many seconds at most, however many ask.
PROBE_SECONDS = 5.0
# And given this long.
PATIENCE_SECONDS = 3.0
OK = "ok"

log = logging.getLogger("gateway.health")

Probe = Callable[[], Awaitable[object]]


class Readiness:
    """Whether the catalog is loaded and storage answers. `probe` is one cheap read of storage; `now` is in seconds."""

    def __init__(self, is_loaded: Callable[[], bool], probe: Probe, now: Callable[[], float] = time.monotonic) -> None:
        self._is_loaded = is_loaded
        self._probe = probe
        self._now = now
        self._looked: float | None = None
        self._storage = "unknown"
        self._task: asyncio.Task[None] | None = None

    async def checks(self) -> Mapping[str, str]:
        """Each check by name: `ok`, or what is wrong in one word."""
        if self._looked is None or self._now() - self._looked >= PROBE_SECONDS:
            if self._task is None:
                self._task = asyncio.create_task(self._look())
            await asyncio.shield(self._task)
        return {"catalog": OK if self._is_loaded() else "loading", "storage": self._storage}

    async def aclose(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._probe()
            self._storage = OK
        except (StorageUnavailable, TimeoutError):
            self._storage = "unavailable"
        except Exception:
            # A fault of ours says nothing good of storage, and what was said before is no longer known to be true.
            self._storage = "unavailable"
            log.exception("the look at storage failed in a way that is not foreseen")
        finally:
            self._looked = self._now()
            self._task = None


def health() -> Reply:
    """200 as long as there is anybody to say so."""
    return _reply(200, {"status": OK})


def ready(checks: Mapping[str, object]) -> Reply:
    """200 if every check is well, 503 with the names of those that are not."""
    is_ready = all(state == OK for state in checks.values())
    return _reply(200 if is_ready else 503, {"status": "ready" if is_ready else "not ready", "checks": checks})


def probed(call: Call) -> str:
    """Which of the two is asked for. Raises CallerError for anything else."""
    if call.raw_path not in ("/gateway/health", "/gateway/ready"):
        raise CallerError("OperationNotFound")
    if call.method not in ("GET", "HEAD"):
        raise CallerError("MethodNotAllowed", headers={"allow": "GET, HEAD"})
    return call.raw_path.removeprefix("/gateway/")


def _reply(status: int, document: Mapping[str, object]) -> Reply:
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    if status == 503:
        headers.append((b"retry-after", b"%d" % PROBE_SECONDS))
    return Reply(status, headers, json.dumps(document).encode())
