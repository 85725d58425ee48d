"""The catalog as this instance serves it: loaded at start, followed while there is traffic, swapped whole."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from gateway.catalog.loading import LoadFault
from gateway.catalog.models import Document
from gateway.catalog.secrets import SecretBox
from gateway.catalog.snapshot import Snapshot
from gateway.errors import StorageUnavailable

log = logging.getLogger("gateway.catalog")

LONGEST_RETRY_SECONDS = 10.0


class Store(Protocol):
    """Where the documents are kept."""

    async def read_revision(self) -> int: ...

    async def load(self) -> tuple[int, list[Document | LoadFault]]: ...


class LiveCatalog:
    """Holds the current Snapshot. Reading it costs nothing; `touch` looks for a newer one, in the background."""

    def __init__(
        self,
        store: Store,
        secrets: SecretBox,
        environment: Mapping[str, str],
        poll_seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.snapshot: Snapshot | None = None
        self._store = store
        self._secrets = secrets
        self._environment = environment
        self._poll_seconds = poll_seconds
        self._now = now
        self._polled = now()
        self._task: asyncio.Task[None] | None = None
        self._loaded = asyncio.Event()

    def touch(self) -> None:
        """Called for every request: once in `poll_seconds`, start reading the revision. Never waits."""
        if self._task is None and self._now() - self._polled >= self._poll_seconds:
            self._begin(self._poll())

    def start(self) -> None:
        """Begin to load the catalog, and go on trying until it is there."""
        if self._task is None and self.snapshot is None:
            self._begin(self._load_at_last())

    async def wait(self, seconds: float) -> Snapshot | None:
        """The snapshot, waiting at most `seconds` for the first one."""
        self.start()
        try:
            async with asyncio.timeout(seconds):
                await self._loaded.wait()
        except TimeoutError:
            return None
        return self.snapshot

    async def aclose(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._polled = self._now()
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the catalog could not be followed", exc_info=error)

    async def _poll(self) -> None:
        try:
            revision = await self._store.read_revision()
            if self.snapshot is None or revision != self.snapshot.revision:
                await self._load()
        except StorageUnavailable as error:
            log.warning("the catalog cannot be read; the last one goes on serving: %s", error)

    async def _load_at_last(self) -> None:
        delay = 0.5
        while self.snapshot is None:
            try:
                await self._load()
            except StorageUnavailable as error:
                log.error("the catalog cannot be loaded yet, trying again in %.1f s: %s", delay, error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, LONGEST_RETRY_SECONDS)

    async def _load(self) -> None:
        revision, documents = await self._store.load()
        snapshot, faults = Snapshot.build(revision, documents, self._secrets, self._environment, self.snapshot)
        for fault in faults:
            log.error("catalog revision %d: %s", revision, fault)
        self.snapshot = snapshot
        self._loaded.set()
        log.info("catalog revision %d serves %d APIs", revision, len(snapshot.apis))
