"""One embedding of one text, through the `openai` SDK over the gateway's own connections.

EmbeddingFailed.reason      what has happened
embeddings-loading          the SDK is being imported; nobody waits for that
embeddings-timeout          no answer within the time given
embeddings-unavailable      not reached, broken off, 5xx, no credential; or lately so often that nobody asks now
embeddings-refused          400, 401, 403, 404 or another 4xx
embeddings-over-quota       429
embeddings-wrong            no vector, or one that cannot be used
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.backends.target import Target
from gateway.cache.backend_transport import Sender
from gateway.cache.embedding_answer import failure_of, tokens_of, vector_of
from gateway.cache.embedding_outage import Outage
from gateway.cache.embedding_sdk import sdk_for
from gateway.catalog.snapshot import ResolvedBackend

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from openai import AsyncOpenAI

log = logging.getLogger("gateway.cache")

MOST_REMEMBERED = 1_000
LOADING = "embeddings-loading"


@dataclass(frozen=True, slots=True)
class Embedding:
    """A vector of length one, which nobody may write to.

    `tokens` is what the backend has charged for it, 0 if it was known or another call pays; `seconds` is how long the
    backend took, 0 if it was known.
    """

    vector: NDArray[np.float32]
    tokens: int
    seconds: float


class EmbeddingFailed(Exception):
    """There is no embedding; `reason` is one of the module's list, for the header x-cache."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Embedder:
    """Asks one model of one backend. The same text is asked for once at a time, and the latest are remembered.

    `dimensions` is asked for and insisted on; None leaves the number to the model, and insists on the first it gave.
    A failure is logged with the backend's name, each reason once a minute, never with the text.
    """

    def __init__(
        self,
        client: Sender,
        backend: ResolvedBackend,
        model: str,
        dimensions: int | None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.dimensions = dimensions
        self._target = Target.of(backend)
        self._client = client
        self._model = model
        self._asked_dimensions = dimensions
        self._outage = Outage(backend.name, now)
        self._sdk: AsyncOpenAI | None = None
        self._loading: asyncio.Task[None] | None = None
        self._asking: dict[bytes, asyncio.Task[Embedding | str]] = {}
        self._known: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()

    async def embed(self, text: str, timeout: float) -> Embedding:
        """The text's embedding, after `timeout` seconds at the latest. Raises EmbeddingFailed.

        Whoever is cancelled leaves the asking to go on: its answer is remembered, and others may wait for it.
        """
        # JSON can carry half a surrogate pair, UTF-8 cannot.
        text = text.encode(errors="replace").decode()
        key = hashlib.blake2b(text.encode(), digest_size=16).digest()
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            return Embedding(known, 0, 0.0)
        asking = self._asking.get(key)
        is_shared = asking is not None
        if asking is None:
            asking = self._start(key, text, timeout)
        await asyncio.wait([asking], timeout=timeout)
        if not (is_shared or asking.done()):
            # It is about to give up: nobody else is to wait for that.
            self._forget(key, asking)
        answer = _answer_of(asking)
        if isinstance(answer, str):
            raise EmbeddingFailed(answer)
        return replace(answer, tokens=0) if is_shared else answer

    async def ready(self) -> bool:
        """Wait for the SDK, importing it if nobody has; False if that cannot be done. Callers do not wait for it."""
        await asyncio.wait([self._load_once()])
        return self._sdk is not None

    async def aclose(self) -> None:
        """Give up what is being asked; whoever waits hears that embeddings are unavailable."""
        tasks: list[asyncio.Task[Any]] = list(self._asking.values())
        if self._loading is not None:
            tasks.append(self._loading)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._sdk is not None:
            await self._sdk.close()

    def _start(self, key: bytes, text: str, timeout: float) -> asyncio.Task[Embedding | str]:
        if self._sdk is None:
            reason = "embeddings-unavailable" if self._load_once().done() else LOADING
            raise EmbeddingFailed(reason)
        if not self._outage.may_ask():
            raise EmbeddingFailed("embeddings-unavailable")
        task = asyncio.get_running_loop().create_task(self._ask(self._sdk, key, text, timeout))
        self._asking[key] = task
        task.add_done_callback(partial(self._forget, key))
        return task

    def _forget(self, key: bytes, task: asyncio.Task[Embedding | str]) -> None:
        if self._asking.get(key) is task:
            del self._asking[key]

    async def _ask(self, sdk: AsyncOpenAI, key: bytes, text: str, timeout: float) -> Embedding | str:
        from openai import omit

        started = time.perf_counter()
        asked = omit if self._asked_dimensions is None else self._asked_dimensions
        try:
            async with asyncio.timeout(timeout):
                answer = await sdk.embeddings.create(input=text, model=self._model, dimensions=asked)
            vector = vector_of(answer, self.dimensions)
        except Exception as error:
            return self._failure(error)
        seconds = time.perf_counter() - started
        self._outage.is_over()
        self.dimensions = len(vector)
        self._remember(key, vector)
        return Embedding(vector, tokens_of(answer), seconds)

    def _failure(self, error: Exception) -> str:
        failure = failure_of(error)
        self._outage.note(failure)
        return failure.reason

    def _remember(self, key: bytes, vector: NDArray[np.float32]) -> None:
        self._known[key] = vector
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)

    def _load_once(self) -> asyncio.Task[None]:
        if self._loading is None:
            self._loading = asyncio.get_running_loop().create_task(self._load())
        return self._loading

    async def _load(self) -> None:
        try:
            self._sdk = await asyncio.to_thread(sdk_for, self._client, self._target)
        except Exception as error:
            # It will not be there next time either.
            log.error("the openai SDK cannot be used for embeddings: %s", type(error).__name__)


def _answer_of(asking: asyncio.Task[Embedding | str]) -> Embedding | str:
    if not asking.done():
        return "embeddings-timeout"
    return "embeddings-unavailable" if asking.cancelled() else asking.result()
