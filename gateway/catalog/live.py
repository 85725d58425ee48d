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

# How long a call waits: for the first catalog there is, and for a look at storage after a time without calls.
FIRST_LOAD_SECONDS = 5.0
CATCH_UP_SECONDS = 1.0

# Without a call for so many polls the catalog in memory may be of any age: the next call waits for a look at storage.
OUT_OF_DATE_POLLS = 5

LONGEST_RETRY_SECONDS = 10.0


class Store(Protocol):
    """Where the documents are kept."""

    async def read_revision(self) -> int: ...

    async def load(self) -> tuple[int, list[Document | LoadFault]]: ...


class LiveCatalog:
    """Holds the current Snapshot, and looks for a newer one in the background while there are calls."""

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
        self._catching_up = False
        self._task: asyncio.Task[None] | None = None

    def current(self) -> Snapshot | None:
        """Called for every request: the snapshot, or None if it is worth waiting for `latest`. Never waits itself.

        Once in `poll_seconds` it begins to look for a newer one in the background.
        """
        age = self._now() - self._polled
        if self._task is None and age >= self._poll_seconds:
            self._catching_up = age >= OUT_OF_DATE_POLLS * self._poll_seconds
            self._begin(self._poll())
        return None if self._catching_up else self.snapshot

    async def latest(self) -> Snapshot | None:
        """The snapshot after the look at storage that is under way, or the one there is when that takes too long."""
        self.start()
        # A look is waited for from its beginning: while storage is away, calls that come meanwhile do not wait anew.
        seconds = FIRST_LOAD_SECONDS if self.snapshot is None else self._polled + CATCH_UP_SECONDS - self._now()
        if self._task is not None and seconds > 0:
            await asyncio.wait([self._task], timeout=seconds)
        return self.snapshot

    def start(self) -> None:
        """Begin to load the catalog, and go on trying until it is there."""
        if self._task is None and self.snapshot is None:
            self._begin(self._load_at_last())

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
        self._catching_up = False
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
            except Exception:
                # Whatever it is, an instance that gave up would answer 503 until somebody restarts it.
                log.exception("the catalog cannot be loaded yet, trying again in %.1f s", delay)
            else:
                return
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_RETRY_SECONDS)

    async def _load(self) -> None:
        revision, documents = await self._store.load()
        snapshot, faults = Snapshot.build(revision, documents, self._secrets, self._environment, self.snapshot)
        for fault in faults:
            log.error("catalog revision %d: %s", revision, fault)
        self.snapshot = snapshot
        log.info("catalog revision %d serves %d APIs", revision, len(snapshot.apis))
