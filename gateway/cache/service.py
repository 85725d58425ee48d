"""All that caching needs, one of each for the whole gateway."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine

from gateway.cache.answers.stored import StoredAnswer
from gateway.cache.backend_transport import Sender
from gateway.cache.embedder import Embedder
from gateway.cache.entry import Entry
from gateway.cache.flights import Flights
from gateway.cache.in_redis import InRedis
from gateway.cache.in_table import InTable
from gateway.catalog.snapshot import ResolvedBackend

# Answers ready to be given. What is beyond is unpacked again, which takes some 20 µs.
MOST_READY = 1_000
# Models that embed, whatever catalogs come and go: what one remembers is lost with it.
MOST_EMBEDDERS = 100


class AnswerCache:
    """`entries` are in Table Storage or in Redis. `now` is the time of day, in seconds since 1970."""

    def __init__(self, entries: InTable | InRedis, client: Sender, now: Callable[[], float]) -> None:
        self.now = now
        self.flights = Flights()
        self.entries = entries
        self._client = client
        self._embedders: dict[tuple[str, str, int | None], tuple[ResolvedBackend, Embedder]] = {}
        self._replaced: set[asyncio.Task[None]] = set()
        self._late: set[asyncio.Task[None]] = set()
        self._ready: OrderedDict[str, StoredAnswer] = OrderedDict()

    def embedder(self, backend: ResolvedBackend, model: str, dimensions: int | None) -> Embedder:
        """Who asks a model for vectors: the same as long as its backend's settings are the same."""
        key = (backend.name, model, dimensions)
        known = self._embedders.get(key)
        if known is not None and known[0] == backend:
            return known[1]
        if known is not None or len(self._embedders) >= MOST_EMBEDDERS:
            self._close(self._embedders.pop(key if known is not None else next(iter(self._embedders)))[1])
        embedder = Embedder(self._client, backend, model, dimensions)
        self._embedders[key] = (backend, embedder)
        return embedder

    async def answer(self, entry: Entry) -> StoredAnswer | None:
        """What was answered; None if it is gone or cannot be read."""
        answer = self._ready.get(entry.id)
        if answer is not None:
            self._ready.move_to_end(entry.id)
            return answer
        content = await self.entries.answer(entry)
        if content is None:
            return None
        try:
            answer = StoredAnswer.from_bytes(content)
        except ValueError:
            self.entries.drop(entry)
            return None
        self._ready[entry.id] = answer
        if len(self._ready) > MOST_READY:
            self._ready.popitem(last=False)
        return answer

    def later(self, work: Coroutine[None, None, None]) -> None:
        """Do something beside the path. What is not done when the process stops is not done."""
        task = asyncio.get_running_loop().create_task(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def aclose(self) -> None:
        """End what is shared, write what waits, and close everything."""
        await self.flights.aclose()
        late = list(self._late)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        await asyncio.gather(*(embedder.aclose() for _, embedder in self._embedders.values()), *self._replaced)
        await self.entries.aclose()

    def _close(self, embedder: Embedder) -> None:
        task = asyncio.get_running_loop().create_task(embedder.aclose())
        self._replaced.add(task)
        task.add_done_callback(self._replaced.discard)
